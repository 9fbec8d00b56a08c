#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# While it is the client's turn, its connection to the next hop lies in the
# pool with the transaction open: resumed where it was, or, when another client
# has taken it meanwhile, said again after RSET.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->write_conf(<<'EOC')->plan(36)->run();
%%GLOBALS%%

events { }

mail {
    smtp_relay_from  127.0.0.1;

    server {
        listen       127.0.0.1:%%PORT_smtp%%;
        server_name  mx.example.com;
        protocol     smtp_ext;
        smtp_pass    smtp://127.0.0.1:%%PORT_mta%%;
    }
}
EOC

my $mta = $t->server('mta');

sub commands {
    my ($n) = @_;

    return join ', ', map { s/EHLO .*/EHLO/r =~ s/(FROM|TO):<(\w*)@.*/$2/r }
                      $mta->commands($n);
}

# one client alone

my $one = $t->connected();

$one->mail('a@example.com');
$one->rcpt('b@example.com');
$one->rcpt('c@example.com');
like $one->data("x\r\n"), qr/^250/, 'alone';

is commands(1), 'EHLO, MAIL a, RCPT b, RCPT c, DATA',
   'resumed: nothing is said twice';

# two that take turns: the connection is stolen from each other

my $two = $t->connected();

for ([ $one, 'd' ], [ $two, 'g' ]) {
    my ($c, $name) = @$_;
    $c->mail("$name\@example.com");
}

is $one->rcpt('e@example.com'), '250 2.1.5 recipient ok', 'one is asked about';
is $two->rcpt('h@example.com'), '250 2.1.5 recipient ok', 'another in between';
is $one->rcpt('f@example.com'), '250 2.1.5 recipient ok', 'the first again';
like $two->data("two\r\n"), qr/^250/, 'the second delivers';
like $one->data("one\r\n"), qr/^250/, 'the first delivers';

is $mta->connections(), 1, 'on one connection';
is commands(1) =~ s/.*?DATA, //r,
   'MAIL d, RCPT e, '
   . 'RSET, MAIL g, RCPT h, '
   . 'RSET, MAIL d, RCPT f, '
   . 'RSET, MAIL g, RCPT h, DATA, '
   . 'MAIL d, RCPT e, RCPT f, DATA',
   'said again after RSET; with all the recipients at the end';

my @messages = $mta->messages();

is_deeply [ map { [ $_->{from}, $_->{to} ] } @messages[1, 2] ],
    [ [ 'g@example.com', [ 'h@example.com' ] ],
      [ 'd@example.com', [ 'e@example.com', 'f@example.com' ] ] ],
    'each message has its own envelope';
like $messages[1]{data}, qr/\r\ntwo\r\n\z/, 'and its own text';
like $messages[2]{data}, qr/\r\none\r\n\z/, 'so has the other';

# the one who was left behind: RSET, QUIT, gone

$one->mail('left@example.com');
$one->rcpt('nobody@example.com');
$one->cmd('RSET');
like $two->send_message(to => 'x@example.com'), qr/^250/, 'after RSET of another';
is_deeply +($mta->messages())[3]{to}, [ 'x@example.com' ],
    'no recipient of the other is in it';

$one->mail('left@example.com');
$one->rcpt('nobody@example.com');
$one->close();
like $two->send_message(to => 'y@example.com'), qr/^250/, 'another has gone';
is_deeply +($mta->messages())[4]{to}, [ 'y@example.com' ],
    'no recipient of the other is in it';
is $mta->connections(), 1, 'still one connection';

# refused recipients do not break the resumption

$mta->set(on => { RCPT => [ '250 2.1.5 a', '550 5.1.1 b', '250 2.1.5 c' ] });
$two->mail('s@example.com');
$two->rcpt("$_\@example.com") for 'a' .. 'c';
$two->data("x\r\n");
is commands(1) =~ s/.*DATA, (.*?DATA)$/$1/r,
   'MAIL s, RCPT a, RCPT b, RCPT c, DATA', 'with a refused one in between';

$mta->set(on => {});

# two at the same moment need two connections

$mta->set(fault => { at => 'RCPT', do => 'delay', n => 1 });
$one = $t->connected();
$one->pipeline('MAIL FROM:<slow@example.com>', 'RCPT TO:<a@example.com>');
$mta->wait_command('MAIL FROM:<slow');
like $two->send_message(to => 'z@example.com'), qr/^250/,
     'one that waits holds its connection';
is $mta->connections(), 2, 'so another was made';
is_deeply [ $one->read_replies(2) ],
    [ '250 2.1.0 Sender OK', '250 2.1.5 recipient ok' ], 'and it has its reply';
$one->close();
$mta->set(fault => undef);

# the next hop closes what is parked, the client does not notice

$two->mail('idle@example.com');
$two->rcpt('one@example.com');
$mta->stop();
$mta->start();
is $two->rcpt('two@example.com'), '250 2.1.5 recipient ok',
   'parked, closed by the next hop: the next recipient';

$mta->stop();
$mta->start();
like $two->data("x\r\n"), qr/^250/, 'and the delivery';
is_deeply +($mta->messages())[-1]{to}, [ 'one@example.com', 'two@example.com' ],
    'to all the recipients';

# it is closed between two messages

$mta->stop();
$mta->start();
like $two->send_message(), qr/^250/, 'a kept one, closed by the next hop';

# it is closed by the very command: as stale as before

for my $do (qw/ close reset /) {
    $mta->set(fault => { at => 'MAIL', do => $do, n => 1 });
    like $two->send_message(), qr/^250/, "$do when it is used again";
}

$mta->set(fault => { at => 'DATA', do => 'close', n => 1 });
like $two->send_message(), qr/^250/, 'close when it is resumed';

# a server's farewell to the idle, at the wrong moment

$mta->set(fault => undef, on => { MAIL => [ '421 4.4.2 Idle', undef ] });
like $two->send_message(), qr/^250/, '421 as the first word on a kept one';
$mta->set(on => { MAIL => '421 4.3.2 Really' });
is $two->send_message(), '451 4.3.2 Really', '421 on a new one counts';
$mta->set(on => {});
$two->cmd('RSET');

# Said again while the client is in the middle of its message.

$two->mail('data@example.com');
$two->rcpt('one@example.com');
is $two->cmd('DATA'), '354 End data with <CR><LF>.<CR><LF>', 'DATA';

$one = $t->connected();
my $before = $mta->connections();
like $one->send_message(to => 'fast@example.com'), qr/^250/,
     'a slow client holds no connection';
is $mta->connections(), $before, 'the other has it meanwhile';
$two->body("slow\r\n");
like $two->read_reply(), qr/^250/, 'the slow one ends';
is +($mta->messages())[-1]{from}, 'data@example.com', 'its message is there';

# nothing was said to the wrong one

is_deeply [ map { $_->{reply} } $mta->messages() ],
          [ ('250 2.0.0 taken') x 15 ], 'all taken';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Limits: size of a message (RFC 1870), recipients (RFC 5321, 4.5.3.1.8), hops
# (6.3), errors; and that a session survives what it can.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(51);

my $mta = $t->server('mta', ehlo => [ 'PIPELINING', '8BITMIME' ],
                     on => { RCPT => sub {
    return $_[0] =~ /nobody/ ? '550 5.1.1 nobody here' : undef;
} });

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;

    server {
        listen                 127.0.0.1:%%PORT_size%%;
        protocol               smtp_ext;
        smtp_max_message_size  100k;
        smtp_body_buffer_size  32k;
        smtp_max_errors        100;
    }

    server {
        listen                 127.0.0.1:%%PORT_any%%;
        protocol               smtp_ext;
        smtp_max_message_size  0;
    }

    server {
        listen               127.0.0.1:%%PORT_rcpt%%;
        protocol             smtp_ext;
        smtp_max_recipients  100;
        smtp_max_errors      1000;
    }

    server {
        listen             127.0.0.1:%%PORT_hops%%;
        protocol           smtp_ext;
        smtp_max_received  5;
    }

    server {
        listen           127.0.0.1:%%PORT_errors%%;
        protocol         smtp_ext;
        smtp_max_errors  5;
    }

    server {
        listen           127.0.0.1:%%PORT_strangers%%;
        protocol         smtp_ext;
        smtp_max_errors  5;
        smtp_relay_from  192.0.2.1;

        smtp_recipient  @b.example  { smtp_pass smtp://127.0.0.1:%%PORT_mta%%; }
    }

    server {
        listen    127.0.0.1:%%PORT_default%%;
        protocol  smtp_ext;
    }
}
EOC

my $ok = '250 2.0.0 OK';
my $sender = '250 2.1.0 Sender OK';
my $recipient = '250 2.1.5 recipient ok';
my $go = '354 End data with <CR><LF>.<CR><LF>';
my $taken = qr/^250 2\.0\.0 OK id=[0-9a-z]+$/;
my $too_big = '552 5.3.4 Message size exceeds fixed limit';
my $too_many = '452 4.5.3 Too many recipients';
my $loop = '554 5.4.6 Too many hops, mail loop';
my $errors = '421 4.7.0 Too many errors, closing connection';
my $unknown = '500 5.5.1 Command not recognized';

# a message of so many octets, in lines

sub of_size {
    my ($size) = @_;

    my $text = "Subject: size\r\n\r\n";
    my $line = ('x' x 62) . "\r\n";

    $text .= $line x (($size - length $text) / 64);
    $text .= 'y' x ($size - length($text) - 2) . "\r\n";

    return $text;
}


# size

my $c = $t->connected('size');
my $limit = 100 * 1024;

$c->dialogue('what is declared',
    [ 'MAIL FROM:<a@b.example> SIZE=102401', $too_big ],
    [ 'RCPT TO:<a@b.example>', '503 5.5.1 Need MAIL first' ],
    [ 'MAIL FROM:<a@b.example> SIZE=102400', $sender ],
    [ 'RCPT TO:<a@b.example>', $recipient ],
    [ 'RSET', $ok ],
    [ 'MAIL FROM:<a@b.example> SIZE=99999999999999999999', $too_big ],
);

for my $try (
    [ 0, 'exactly the limit' ],
    [ 1, 'one octet more' ],
    [ 70_000, 'much more' ],
    [ 3_000_000, 'far more' ],
    [ -60_000, 'less' ],
) {
    my ($over, $name) = @$try;
    my $before = $mta->messages();

    like $c->send_message(data => of_size($limit + $over)),
         $over > 0 ? qr/^\Q$too_big\E$/ : $taken, "what is counted: $name";
    is $mta->messages() - $before, $over > 0 ? 0 : 1,
       $over > 0 ? 'the next hop has nothing' : 'the next hop has it';
    is $c->cmd('NOOP'), $ok, 'the session goes on';
}

is $c->send_message(data => of_size($limit + 1), mail_params => [ 'SIZE=10' ]),
   $too_big, 'what was declared does not matter then';

# dots of transparency are not counted, CRLF is

# (Client::data() adds the last CRLF)

my $dots = ".\r\n" x (($limit - 5) / 3);

$dots .= '.' x ($limit - 2 - length $dots);

like $c->send_message(data => $dots), $taken, 'a doubled dot does not count';
is $c->send_message(data => "$dots."), $too_big, 'CRLF does';

$c = $t->connected('any');
$c->dialogue('no limit',
    [ 'MAIL FROM:<a@b.example> SIZE=99999999999', $sender ],
    [ 'RSET', $ok ],
);
like $c->send_message(data => of_size(5_000_000)), $taken, 'nor is it counted';
cmp_ok(($mta->messages())[-1]{size}, '>', 5_000_000, 'it has arrived');

# the default, 32 megabytes, is in EHLO

is $t->connected('default')->{ehlo}{SIZE}, 33554432, 'the default';

# recipients

$c = $t->connected('rcpt');
$c->mail('a@b.example');
$c->pipeline(map { "RCPT TO:<a$_\@b.example>" } 1 .. 102);

my @replies = $c->read_replies(102);

is_deeply \@replies, [ ($recipient) x 100, ($too_many) x 2 ],
          'the 101st recipient is refused for now';
$c->dialogue('the message goes to the others',
    [ 'DATA', $go ],
    [ \"Subject: many\r\n\r\nx\r\n.\r\n", $taken ],
);
is_deeply [ map { @{$_->{to}} } ($mta->messages())[-1] ],
          [ map { "a$_\@b.example" } 1 .. 100 ], 'a hundred of them';

$c->mail('a@b.example');
$c->pipeline(map { "RCPT TO:<nobody$_\@b.example>" } 1 .. 101);
@replies = $c->read_replies(101);
is_deeply [ $replies[99], $replies[100] ],
          [ '550 5.1.1 nobody here', $too_many ],
          'refused ones are counted too';
is $c->cmd('DATA'), '554 5.5.1 No valid recipients', 'none was accepted';
is $c->cmd('RSET'), $ok, 'RSET';
like $c->send_message(to => 'a@b.example'), $taken,
     'the next transaction counts anew';

# hops

sub hops {
    my ($n, $more) = @_;

    return join('', map { "Received: from a$_\r\n\tby b$_; today\r\n" } 1 .. $n)
           . ($more // '') . "Subject: hops\r\n\r\nx\r\n";
}

$c = $t->connected('hops');

like $c->send_message(data => hops(5)), $taken, 'five hops';
is $c->send_message(data => hops(6)), $loop, 'six are too many';
is $c->cmd('NOOP'), $ok, 'the session goes on';
is $c->send_message(data => hops(5, "RECEIVED : from c\r\n")), $loop,
   'in any case of letters, with a space before the colon';
is $c->send_message(data => hops(5, "X-A: b\r\n" x 2000
                                    . "Received: from c\r\n")),
   $loop, 'far down in the header';
like $c->send_message(data => hops(5, "X-Received: from c\r\n"
                                      . "Received-SPF: pass\r\n"
                                      . "X: y\r\n Received: from d\r\n")),
     $taken, 'not what has another name, or is no line of its own';
like $c->send_message(data => hops(5) . "Received: from a\r\n" x 10), $taken,
     'not in the body';

$c = $t->connected('default');
like $c->send_message(data => hops(100)), $taken, 'a hundred by default';
is $c->send_message(data => hops(101)), $loop, 'and no more';

# errors

$c = $t->connected('errors');
$c->dialogue('four errors are forgiven',
    [ 'FOO', $unknown ],
    [ 'RCPT TO:<a@b.example>', '503 5.5.1 Need MAIL first' ],
    [ 'MAIL FROM:<', '501 5.1.7 Bad sender address syntax' ],
    [ 'MAIL FROM:<a@b.example> X', '555 5.5.4 Unsupported parameter: X' ],
    [ 'NOOP', $ok ],
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RSET', $ok ],
    [ 'FOO', $unknown ],
    [ undef, $errors ],
);
ok $c->eof(), 'the fifth is the last';

$c = $t->connected('errors');
$c->pipeline(('FOO') x 10);
is_deeply [ $c->read_replies(6) ], [ ($unknown) x 5, $errors ],
          'in a batch, too';
ok $c->eof(), 'what is behind it is not answered';

$c = $t->connected('strangers');
$c->mail('a@b.example');
$c->rcpt("nobody$_\@b.example") for 1 .. 4;
$c->dialogue('recipients that are refused count',
    [ 'RCPT TO:<nobody@b.example>', '550 5.1.1 nobody here' ],
    [ undef, $errors ],
);
ok $c->eof(), 'closed';

$c = $t->connected('strangers');
$c->mail('a@b.example');
$c->rcpt("victim$_\@elsewhere.example") for 1 .. 4;
$c->dialogue('so do those who try to relay',
    [ 'RCPT TO:<victim@elsewhere.example>', '550 5.7.1 Relaying denied' ],
    [ undef, $errors ],
);
ok $c->eof(), 'closed';

$c = $t->connected('errors');
$c->mail('a@b.example');
$c->dialogue('not for who may relay: a list may have dead addresses',
    (map { [ "RCPT TO:<nobody$_\@b.example>", '550 5.1.1 nobody here' ] }
         1 .. 10),
    [ 'NOOP', $ok ],
);

$c = $t->connected('errors');
$c->dialogue('nor does a size that is too big',
    (map { [ 'MAIL FROM:<a@b.example> SIZE=33554433', $too_big ] } 1 .. 20),
    [ 'NOOP', $ok ],
);

$c = $t->connected('default');
$c->pipeline(('FOO') x 20);
is_deeply [ $c->read_replies(21) ], [ ($unknown) x 20, $errors ],
          'twenty by default';
ok $c->eof(), 'closed';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Each recipient, and the message, gets the next hop's own reply.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->write_conf(<<'EOC')->plan(56)->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_max_errors  1000;

    smtp_log_format  main  '$smtp_status '
                           '"$smtp_upstream_reply" $smtp_rcpt_count';
    smtp_access_log  %%TESTDIR%%/access.log main;

    smtp_upstream two {
        server  127.0.0.1:%%PORT_busy%%  max_fails=0;
        server  127.0.0.1:%%PORT_mta%%   backup;
    }

    smtp_upstream fresh {
        server     127.0.0.1:%%PORT_mta%%;
        keepalive  0;
    }

    server {
        listen     127.0.0.1:%%PORT_smtp%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_mta%%;
    }

    server {
        listen     127.0.0.1:%%PORT_second%%;
        protocol   smtp_ext;
        smtp_pass  smtp://two;
    }

    server {
        listen     127.0.0.1:%%PORT_fresh%%;
        protocol   smtp_ext;
        smtp_pass  smtp://fresh;
    }
}
EOC

my $mta = $t->server('mta');
my $busy = $t->server('busy');

sub delivered { scalar(() = $mta->messages()) }

my $c = $t->connected();

# at RCPT: what it says, and what the client is told

for my $case (
    [ '250 2.1.5 Fine', '250 2.1.5 Fine' ],
    [ '250 Fine', '250 2.0.0 Fine' ],
    [ '250', '250 2.0.0 ' ],
    [ '251 2.1.5 User not local; will forward',
      '251 2.1.5 User not local; will forward' ],
    [ "250-2.1.5 first\n250 2.1.5 last",
      "250-2.1.5 first\n250 2.1.5 last" ],
    [ '450 4.2.0 Greylisted', '450 4.2.0 Greylisted' ],
    [ '451 Later', '451 4.0.0 Later' ],
    [ '550 5.1.1 No such user', '550 5.1.1 No such user' ],
    [ '550-5.7.1 Policy:' . "\n" . '550 5.7.1 see https://example.com/',
      "550-5.7.1 Policy:\n550 5.7.1 see https://example.com/" ],
    [ '550 4.1.1 Mixed', '550 5.0.0 4.1.1 Mixed' ],
    [ '571 5.7.1 Unusual', '571 5.7.1 Unusual' ],
    [ "550 5.1.1 \x1b[31mred\x07\xe9", '550 5.1.1 ?[31mred??' ],
    [ '551 5.1.6 try <a@b.example>', '551 5.1.6 try <a@b.example>' ],
    [ "551 5.1.6 try <\xc3\xbc\@b.example>", '550 5.1.6 try <??@b.example>' ],
    [ "251 2.1.5 is <\xc3\xbc\@b.example>", '250 2.1.5 is <??@b.example>' ],
    [ '354 go on', '451 4.0.0 go on' ],
) {
    my ($said, $told) = @$case;
    my $name = $said =~ s/[^\x20-\x7e]+/ /gr;

    $mta->set(on => { RCPT => $said });

    $c->mail('a@example.com');
    is $c->rcpt('b@example.com'), $told, "RCPT: $name";
    $c->cmd('RSET');
}

# a long one: cut into lines that are allowed

$mta->set(on => { RCPT => '550 5.1.1 ' . 'x' x 900 });
$c->mail('a@example.com');
like $c->rcpt('b@example.com'), qr/^550 5\.1\.1 x{100,}$/, 'a long reply';
cmp_ok length($c->last_reply()), '<=', 510, 'is cut';
$c->cmd('RSET');

# the sender is refused: known at RCPT only, as the next hop is asked there

$mta->set(on => { MAIL => '550 5.1.8 Bad sender' });
is $c->mail('bad@example.com'), '250 2.1.0 Sender OK', 'MAIL is ours';
is $c->rcpt('b@example.com'), '550 5.1.8 Bad sender', 'a refused sender';
is $c->rcpt('c@example.com'), '550 5.1.8 Bad sender', 'for each recipient';
is $c->cmd('DATA'), '554 5.5.1 No valid recipients', 'and DATA';
$c->cmd('RSET');

# some recipients of several

$mta->set(on => { RCPT => [ '250 2.1.5 a', '550 5.1.1 b', '450 4.2.0 c',
                            '250 2.1.5 d' ] });

$c->dialogue('one is refused, one is to come back',
    [ 'MAIL FROM:<s@example.com>', qr/^250/ ],
    [ 'RCPT TO:<a@example.com>', '250 2.1.5 a' ],
    [ 'RCPT TO:<b@example.com>', '550 5.1.1 b' ],
    [ 'RCPT TO:<c@example.com>', '450 4.2.0 c' ],
    [ 'RCPT TO:<d@example.com>', '250 2.1.5 d' ],
);
like $c->data("hello\r\n"), qr/^250 2\.0\.0 OK id=/, 'the message is taken';
is_deeply +($mta->messages())[-1]{to}, [ 'a@example.com', 'd@example.com' ],
    'for those who were accepted';
is $mta->connections(), 2,
    'all on one connection, but what came after a 354 to RCPT';
like $t->wait_log(qr/^(250 .*)$/m, 'access.log'), qr/^250 "250 2.0.0 taken" 2$/,
     'the log counts the accepted ones';

# 421 and a refused MAIL: the server's trouble, so another one is asked

for my $case (
    [ CONNECT => '421 4.3.2 Too busy' ],
    [ CONNECT => '554 5.3.2 Go away' ],
    [ EHLO => '421 4.3.2 Too busy' ],
    [ EHLO => '450 4.3.2 Not now' ],
    [ MAIL => '421 4.3.2 Too busy' ],
    [ MAIL => '452 4.3.1 Full' ],
    [ RCPT => '421 4.3.2 Too busy' ],
) {
    my ($verb, $reply) = @$case;

    $busy->stop();
    $busy->start();
    $busy->set(on => { $verb => $reply });
    $mta->set(on => { RCPT => '250 2.1.5 Second' });

    my $s = $t->connected('second');
    my $n = delivered();

    $s->mail('a@example.com');
    is $s->rcpt('b@example.com'), '250 2.1.5 Second', "$verb: $reply";
    like $s->data("x\r\n"), qr/^250/, 'and the message is taken';
    is delivered(), $n + 1, 'once';
    $s->close();
}

# with no other the client is told what the server said

$mta->set(on => { MAIL => '421 4.3.2 Both are busy' });
my $s = $t->connected('second');
$s->mail('a@example.com');
is $s->rcpt('b@example.com'), '451 4.3.2 Both are busy',
   '421 of the last server: a connection of ours stays, 451';
like $s->cmd('RSET'), qr/^250/, 'it does';

# the final reply

$mta->set(on => {});
$c = $t->connected('fresh');

for my $case (
    [ '452 4.3.1 Disk full', '452 4.3.1 Disk full' ],
    [ '554 5.6.0 Not wanted', '554 5.6.0 Not wanted' ],
    [ '554 Not wanted', '554 5.0.0 Not wanted' ],
    [ "550-5.7.1 a\n550 5.7.1 b", "550-5.7.1 a\n550 5.7.1 b" ],
    [ '421 4.3.2 Going down', '451 4.3.2 Going down' ],
) {
    my ($said, $told) = @$case;

    $mta->set(on => { EOM => $said });
    is $c->send_message(), $told, 'final: ' . $said =~ s/\n/ /r;
}

$mta->set(on => { EOM => '299 anything' });
like $c->send_message(), qr/^250 2\.0\.0 OK id=\w{16}$/, 'any 2xx is taken';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Strictness that is a matter of taste: NUL, 8-bit in headers and long lines in
# content; commands, messages and refused recipients of a connection.

use warnings;
use strict;

use Test::More;
use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new()->plan(47);

my $mta = $t->server('mta',
    ehlo => [ qw/ PIPELINING 8BITMIME SMTPUTF8 CHUNKING BINARYMIME / ],
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
        listen    127.0.0.1:%%PORT_default%%;
        protocol  smtp_ext;
    }

    server {
        listen              127.0.0.1:%%PORT_strict%%;
        protocol            smtp_ext;
        smtp_header_8bit    reject;
        smtp_max_text_line  1000;
    }

    server {
        listen    127.0.0.1:%%PORT_lax%%;
        protocol  smtp_ext;
        smtp_nul  accept;
    }

    server {
        listen             127.0.0.1:%%PORT_commands%%;
        protocol           smtp_ext;
        smtp_max_commands  6;
    }

    server {
        listen                  127.0.0.1:%%PORT_idle%%;
        protocol                smtp_ext;
        smtp_max_idle_commands  4;
    }

    server {
        listen             127.0.0.1:%%PORT_messages%%;
        protocol           smtp_ext;
        smtp_max_messages  3;
    }

    server {
        listen                       127.0.0.1:%%PORT_refused%%;
        protocol                     smtp_ext;
        smtp_max_refused_recipients  3;
    }
}
EOC

my $ok = '250 2.0.0 OK';
my $sender = '250 2.1.0 Sender OK';
my $recipient = '250 2.1.5 recipient ok';
my $nobody = '550 5.1.1 nobody here';
my $taken = qr/^250 2\.0\.0 OK id=/;
my $nul = '550 5.6.0 Message has a NUL octet';
my $eight =
    '550 5.6.0 Message has 8-bit octets in its header without SMTPUTF8';
my $long = '550 5.6.0 Message has too long a line';

sub body_of { (($_[0]->messages())[-1]{data} =~ /\A.*?\r\n(?=Subject)(.*)\z/s)[0] }

# a message to the server, by DATA; whether it got to the next hop

sub refused {
    my ($c, $name, $reply, %o) = @_;
    my $n = $mta->messages();

    is $c->send_message(%o), $reply, $name;
    is $mta->messages() - $n, 0, "$name: nothing went on";
}


# NUL

my %nuls = (
    'in the body' => "Subject: a\r\n\r\nb\0c\r\n",
    'in the header' => "Subject: a\0b\r\n\r\nc\r\n",
    'far behind' => "Subject: a\r\n\r\n" . ('x' x 70 . "\r\n") x 5000 . "\0\r\n",
    'the last octet' => "Subject: a\r\n\r\n\0",
);

my $c = $t->connected('default');

refused($c, "NUL $_", $nul, data => $nuls{$_}) for sort keys %nuls;

is $c->cmd('NOOP'), $ok, 'the session goes on';
$c->mail('a@b.example');
$c->rcpt('a@b.example');
like $c->bdat("Subject: a\r\n\r\n"), qr/^250 /, 'a chunk without it';
is $c->bdat("b\0c\r\n", 1), $nul, 'a chunk with it';

$c->mail('a@b.example', 'BODY=BINARYMIME');
$c->rcpt('a@b.example');
like $c->bdat("Subject: a\r\n\r\nb\0c", 1), $taken, 'BINARYMIME may have it';

like $c->send_message(data => "Subject: gr\xc3\xbcn\r\n\r\n" . 'x' x 100_000),
     $taken, 'by default headers may be 8-bit, and lines long';

$c = $t->connected('lax');
like $c->send_message(data => $nuls{'in the body'}), $taken, 'smtp_nul accept';
is body_of($mta), $nuls{'in the body'}, 'it is not changed';


# 8-bit in headers

$c = $t->connected('strict');

refused($c, '8-bit in a header', $eight,
        data => "Subject: gr\xc3\xbcn\r\n\r\na\r\n",
        mail_params => [ 'BODY=8BITMIME' ]);
refused($c, '8-bit in a folded line', $eight,
        data => "Subject: a\r\n gr\xfcn\r\n\r\na\r\n");
refused($c, '8-bit in a header without a body', $eight,
        data => "Subject: a\r\nTo: gr\xfcn");
like $c->send_message(data => "Subject: gr\xc3\xbcn\r\n\r\na\r\n",
                      mail_params => [ 'SMTPUTF8' ]),
     $taken, 'not with SMTPUTF8';
like $c->send_message(data => "Subject: a\r\n\r\ngr\xc3\xbcn: gr\xc3\xbcn\r\n"),
     $taken, 'not in the body';


# lines

my $line = 'x' x 998;

like $c->send_message(data => "Subject: a\r\n\r\n$line\r\n" x 3), $taken,
     'a line of 1000 octets';
like $c->send_message(data => "Subject: a\r\n\r\n." . 'x' x 997 . "\r\n"),
     $taken, 'the dot that transparency adds does not count';
refused($c, 'a line of 1001 octets', $long,
        data => "Subject: a\r\n\r\nx$line\r\n");
refused($c, 'in the header', $long, data => "Subject: $line\r\n\r\na\r\n");
refused($c, 'a line that goes over packets', $long,
        data => "Subject: a\r\n\r\n" . 'x' x 200_000);

$c->mail('a@b.example');
$c->rcpt('a@b.example');
$c->bdat("Subject: a\r\n\r\n" . 'x' x 600);
is $c->bdat('x' x 600, 1), $long, 'a line that goes over chunks';


# commands

$c = $t->connected('commands');
$c->dialogue('commands are counted',
    (map { [ 'NOOP', $ok ] } 1 .. 5),
    [ 'NOOP', '421 4.7.0 Too many commands, closing connection' ],
);
ok $c->eof(), 'closed';

my $idle = '421 4.7.0 Too many commands without a message, closing connection';

$c = $t->connected('idle');
$c->dialogue('those that bring no message nearer',
    [ 'NOOP', $ok ],
    [ 'VRFY a', qr/^252 / ],
    [ 'RSET', $ok ],
    [ 'HELP', $idle ],
);
ok $c->eof(), 'closed';

$c = $t->connected('idle');
$c->dialogue('a message does away with them',
    [ 'NOOP', $ok ],
    [ 'RSET', $ok ],
    [ 'NOOP', $ok ],
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<a@b.example>', $recipient ],
    [ 'DATA', qr/^354 / ],
    [ \"Subject: a\r\n\r\na\r\n.\r\n", $taken ],
    (map { [ 'NOOP', $ok ] } 1 .. 4),
    [ 'EHLO a', $idle ],
);
ok $c->eof(), 'closed';

$c = $t->connected('default');
$c->pipeline(('NOOP') x 1000);
is +($c->read_replies(1000))[999], $idle, 'a thousand with EHLO by default';


# messages

$c = $t->connected('messages');
is $c->{ehlo}{LIMITS}, 'RCPTMAX=1000 MAILMAX=3', 'they are told';
like $c->send_message(), $taken, 'one';
$c->mail('a@b.example');
is $c->cmd('RSET'), $ok, 'two, without an end';
like $c->send_message(), $taken, 'three';
is $c->mail('a@b.example'),
   '421 4.7.0 Too many messages, closing connection', 'four are too many';
ok $c->eof(), 'closed';


# recipients

my $refused = '421 4.7.0 Too many refused recipients, closing connection';

$c = $t->connected('refused');
$c->dialogue('refused recipients, of all transactions',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<nobody@b.example>', $nobody ],
    [ 'RCPT TO:<a@b.example>', $recipient ],
    [ 'RCPT TO:<nobody@b.example>', $nobody ],
    [ 'RSET', $ok ],
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<nobody@b.example>', $nobody ],
    [ undef, $refused ],
);
ok $c->eof(), 'closed';

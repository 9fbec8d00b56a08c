#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Only CRLF ends a line: RFC 5321, 2.3.8, 4.1.1.4.  A bare CR or LF is refused,
# or mended with "smtp_bare_newline normalise".

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(46);

my $mta = $t->server('mta');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;
    smtp_max_errors  100;

    server {
        listen    127.0.0.1:%%PORT_reject%%;
        protocol  smtp_ext;
    }

    server {
        listen             127.0.0.1:%%PORT_normalise%%;
        protocol           smtp_ext;
        smtp_bare_newline  normalise;
    }
}
EOC

my $ok = '250 2.0.0 OK';
my $bare_cr = '500 5.5.2 Bare <CR> in command';
my $bare_lf = '500 5.5.2 Bare <LF> in command, closing connection';
my $refused = '550 5.6.0 Message has bare <CR> or <LF>, lines must end in '
              . '<CR><LF>';
my $taken = qr/^250 2\.0\.0 OK id=/;

# sends data as it is, up to and with the end mark; the reply

sub message {
    my ($c, $data) = @_;

    $c->mail('a@b.example');
    $c->rcpt('c@d.example');
    $c->cmd('DATA');
    $c->send_raw("$data\r\n.\r\n");

    return $c->read_reply();
}

# what came to the next hop, below our Received field

sub arrived {
    my ($m) = ($mta->messages())[-1];

    return $m->{data} =~ s/\AReceived:.*\r\n(?:[ \t].*\r\n)*//r;
}


# commands

my $c = $t->connected('reject');

for my $line ("NO\rOP", "NOOP\r", "\rNOOP", "NOOP \rQUIT", "\r",
              "MAIL FROM:<a\@b.example>\rRCPT TO:<a\@b.example>")
{
    is $c->cmd($line), $bare_cr,
       'a bare CR in "' . $line =~ s/\r/\\r/gr . '"';
}

is $c->cmd('NOOP'), $ok, 'the session goes on';
is $c->cmd('RCPT TO:<a@b.example>'), '503 5.5.1 Need MAIL first',
   'nothing of such a line was executed';

for my $try (
    [ "NOOP\n", 'a line that ends in LF' ],
    [ "\n", 'LF alone' ],
    [ "NOOP\r\r\n\n", 'behind a bare CR', $bare_cr ],
    [ "NO\nOP\r\n", 'LF inside' ],
    [ "NOOP\n\r\n", 'LF before CRLF' ],
    [ "NOOP\nMAIL FROM:<a\@b.example>\r\n", 'a command behind LF' ],
    [ 'x' x 5000 . "\n", 'a long line that ends in LF' ],
) {
    my ($data, $name, $before) = @$try;

    $c = $t->connected('reject');
    $c->send_raw($data);
    is $c->read_reply(), $before, "$name: first" if $before;
    is $c->read_reply(), $bare_lf, $name;
    ok $c->eof(), 'closed, nothing else is executed';
}

# where it is mended, LF ends a command; a CR does not

$c = $t->connected('normalise');

$c->dialogue('LF ends a command',
    [ \"NOOP\n", $ok ],
    [ \"NOOP\r\n", $ok ],
    [ \"MAIL FROM:<a\@b.example>\n", '250 2.1.0 Sender OK' ],
    [ \"RSET\n", $ok ],
    [ \"\n", '500 5.5.1 Command not recognized' ],
    [ \"NO\rOP\r\n", $bare_cr ],
    [ \"NOOP\r\r\n", $bare_cr ],
    [ \"x\rNOOP\n", $bare_cr ],
);
$c->send_raw("NOOP\nNOOP\r\nRSET\n");
is_deeply [ $c->read_replies(3) ], [ ($ok) x 3 ], 'in a batch too';

# DATA

$c = $t->connected('reject');

for my $try (
    [ "Subject: x\r\n\r\na\nb", 'LF in the body' ],
    [ "Subject: x\r\n\r\na\rb", 'CR in the body' ],
    [ "Subject: x\r\n\r\na\r", 'CR before the end' ],
    [ "Subject: x\r\n\r\na\n", 'LF before the end' ],
    [ "Subject: x\nTo: y\r\n\r\nz", 'LF in the header' ],
    [ "Subject: x\r\r\n\r\nz", 'CR CR LF' ],
    [ "\nSubject: x\r\n\r\nz", 'LF in front' ],
    [ "\r\r\nz", 'CR in front' ],
    [ "Subject: x\r\n\r\n" . "ok\r\n" x 40_000 . "\n" . "ok\r\n" x 40_000,
      'a single LF in a message of 320 kB' ],
) {
    is message($c, $try->[0]), $refused, "refused: $try->[1]";
}

is scalar(() = $mta->messages()), 0, 'nothing of these went on';
like message($c, "Subject: good\r\n\r\nx"), $taken, 'the session goes on';
is arrived(), "Subject: good\r\n\r\nx\r\n", 'as it should';

$c = $t->connected('normalise');

for my $try (
    [ "a\nb", "a\r\nb\r\n", 'LF' ],
    [ "a\rb", "a\r\nb\r\n", 'CR' ],
    [ "a\r\rb", "a\r\n\r\nb\r\n", 'two of CR' ],
    [ "a\n\nb", "a\r\n\r\nb\r\n", 'two of LF' ],
    [ "a\n\rb", "a\r\n\r\nb\r\n", 'LF CR' ],
    [ "a\r\r\nb", "a\r\n\r\nb\r\n", 'CR CR LF' ],
    [ "a\r\n\nb", "a\r\n\r\nb\r\n", 'CR LF LF' ],
    [ "\n", "\r\n\r\n", 'LF alone' ],
    [ "\r", "\r\n\r\n", 'CR alone' ],
) {
    message($c, "Subject: mended\r\n\r\n$try->[0]");
    is arrived(), "Subject: mended\r\n\r\n$try->[1]", "mended: $try->[2]";
}

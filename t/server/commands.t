#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Command lines, and the commands that no mail goes with: RFC 5321, 4.1.1.5 to
# 4.1.1.10, 4.2.4, 4.5.3.1.4.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(58);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_max_errors  100;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }

    server {
        listen              127.0.0.1:%%PORT_short%%;
        protocol            smtp_ext;
        smtp_max_line_size  512;
    }
}
EOC

my $ok = '250 2.0.0 OK';
my $unknown = '500 5.5.1 Command not recognized';
my $long = '500 5.5.2 Line too long';

sub connected {
    my ($name, %o) = @_;

    my $c = $t->client($name, %o);

    $c->read_reply();

    return $c;
}


# none of these needs EHLO

my $c = connected('smtp');

is $c->cmd('NOOP'), $ok, 'NOOP';
is $c->cmd('NOOP with any text <>'), $ok, 'NOOP with an argument';
is $c->cmd('noop'), $ok, 'in lower case';
is $c->cmd('NoOp'), $ok, 'in both';
is $c->cmd('NOOP  '), $ok, 'white space at the end';
is $c->cmd("NOOP \t"), $ok, 'a tab at the end';
is $c->cmd('RSET'), $ok, 'RSET';
is $c->cmd('RSET  '), $ok, 'RSET with white space at its end';
is $c->cmd('RSET now'), '501 5.5.4 Syntax: RSET', 'RSET takes no argument';
is $c->cmd('VRFY <user@example.com>'), '252 2.0.0 Cannot verify, but will take '
   . 'mail for whom RCPT accepts', 'VRFY tells nothing';
is $c->cmd('VRFY user'), '252 2.0.0 Cannot verify, but will take mail for whom '
   . 'RCPT accepts', 'VRFY with a name tells as little';
is $c->cmd('VRFY'), '501 5.5.4 Syntax: VRFY address', 'VRFY needs an argument';
is $c->cmd('EXPN list'), '502 5.5.1 Command not implemented', 'EXPN';
is $c->cmd('HELP'), '214 2.0.0 Commands: EHLO HELO MAIL RCPT DATA BDAT '
   . 'RSET NOOP QUIT VRFY HELP', 'HELP names the commands';
is $c->cmd('HELP STARTTLS'), '504 5.5.4 No help on that',
   'HELP with a command that is not there';
is $c->cmd('HELP mail'), '214 2.0.0 Syntax: MAIL FROM:<address> [parameters]',
   'HELP with an argument';
is $c->cmd('STARTTLS'), '502 5.5.1 Command not implemented',
   'STARTTLS where there is no certificate';
is $c->cmd('DATA x'), '503 5.5.1 Send EHLO or HELO first', 'order comes first';

# what is no command

for my $try (
    [ 'BLURDYBLOOP', 'a word' ],
    [ 'blurdybloop with arguments', 'words' ],
    [ '', 'an empty line' ],
    [ ' ', 'a space' ],
    [ ' NOOP', 'a space in front' ],
    [ "NOOP\t", 'a tab is no space' ],
    [ "NOOP\0", 'a null behind' ],
    [ "\0", 'a null' ],
    [ 'NOO', 'less than a command' ],
    [ 'NOOPS', 'more than a command' ],
    [ 'MAILFROM:<a@b.example>', 'no space' ],
    [ 'EHLO,a', 'a comma' ],
    [ "\xff\xfe\x80", '8-bit' ],
    [ 'LHLO example.com', 'LHLO' ],
    [ 'XCLIENTS ADDR=192.0.2.1', 'almost XCLIENT' ],
    [ 'ATRN example.com', 'ATRN' ],
    [ 'TURN', 'TURN' ],
    [ 'SEND FROM:<a@b.example>', 'SEND' ],
    [ 'GET / HTTP/1.1', 'HTTP' ],
) {
    is $c->cmd($try->[0]), $unknown, "not a command: $try->[1]";
}

# lines: 2048 octets without CRLF by default, 512 at least

for my $try ([ 'smtp', 2048 ], [ 'short', 512 ]) {
    my ($name, $max) = @$try;

    $c = connected($name);

    is $c->cmd('NOOP ' . 'x' x ($max - 5)), $ok, "a line of $max octets";
    is $c->cmd('NOOP ' . 'x' x ($max - 4)), $long, 'one more is too long';
    is $c->cmd('NOOP'), $ok, 'the next line is read as usual';
    is $c->cmd('x' x 200_000), $long, 'a very long line has one reply';
    is $c->cmd('NOOP ' . ' ' x $max), $long, 'spaces count';

    $c->pipeline('NOOP', 'x' x 100_000, 'NOOP', 'x' x ($max + 1), 'RSET');
    is_deeply [ $c->read_replies(5) ], [ $ok, $long, $ok, $long, $ok ],
              'between other lines';
}

# a long line is not kept in memory to its end: it is dropped as it comes, and
# not executed in parts

$c = connected('short');
$c->send_raw('x' x 30_000);
$c->send_raw("NOOP\r\rNOOP");
$c->send_raw("\r\n");
is $c->read_reply(), $long, 'a command inside of a long line is not executed';
is $c->cmd('RSET'), $ok, 'nor later';

# QUIT

$c = connected('smtp');
is $c->cmd('QUIT now'), '501 5.5.4 Syntax: QUIT', 'QUIT takes no argument';
is $c->cmd('quit'), '221 2.0.0 Bye', 'QUIT';
ok $c->eof(), 'and the connection is closed';

$c = connected('smtp');
$c->pipeline('QUIT', 'NOOP', 'RSET');
is $c->read_reply(), '221 2.0.0 Bye', 'QUIT with something behind it';
ok $c->eof(), 'which is not answered';

$c = connected('smtp');
$c->cmd('EHLO a');
$c->dialogue('QUIT in a transaction',
    [ 'MAIL FROM:<a@b.example>', '250 2.1.0 Sender OK' ],
    [ 'QUIT', '221 2.0.0 Bye' ],
);
ok $c->eof(), 'closes as well';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# XFORWARD from a client, as Postfix's XFORWARD_README has it: where a message
# came from, for the log and for nothing else.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(22);

my $mta = $t->server('mta');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;
    smtp_max_errors  100;

    smtp_log_format  forward
        '$smtp_xforward_name|$smtp_xforward_addr|$smtp_xforward_port|'
        '$smtp_xforward_proto|$smtp_xforward_helo|$smtp_xforward_ident|'
        '$smtp_xforward_source|$remote_addr|$smtp_helo';

    server {
        listen              127.0.0.1:%%PORT_smtp%%;
        protocol            smtp_ext;
        smtp_xforward_from  127.0.0.1;
        smtp_access_log     %%TESTDIR%%/forward.log  forward;
    }

    server {
        listen              127.0.0.1:%%PORT_others%%;
        protocol            smtp_ext;
        smtp_xforward_from  192.0.2.0/24;
        smtp_xclient_from   127.0.0.1;
        smtp_access_log     %%TESTDIR%%/others.log  forward;
    }
}
EOC

my $ok = '250 2.0.0 OK';
my $greeting = '220 mx.example.com ESMTP';
my $taken = qr/^250 2\.0\.0 OK id=/;
my $forbidden = '550 5.7.0 Insufficient authorization';
my $syntax = '501 5.5.4 Syntax: XFORWARD attribute=value...';
my $attributes = 'NAME ADDR PORT PROTO HELO IDENT SOURCE';
my $here = '127.0.0.1|mta.example.com';
my $nothing = '-|-|-|-|-|-|-';
my $lines = 0;

sub connected {
    my $c = $t->client($_[0] || 'smtp');

    $c->read_reply();
    $c->ehlo('mta.example.com');

    return $c;
}

sub logged {
    my @logged = $t->access_lines(++$lines, 'forward.log');

    return $logged[$lines - 1];
}

sub received {
    return (($mta->messages())[-1]{data} =~ /\AReceived: (from .*?)\r\n/)[0];
}


# who may

my $c = connected('others');

is $c->{ehlo}{XFORWARD}, undef, 'not offered to others';
is $c->cmd('XFORWARD NAME=a.example'), $forbidden, 'refused to others';
is $c->cmd('XCLIENT ADDR=192.0.2.1'), $greeting, 'who says to be one of those';
is $c->ehlo()->{XFORWARD}, undef, 'is none';
is $c->cmd('XFORWARD NAME=a.example'), $forbidden, 'and may not';

$c = connected();
is $c->{ehlo}{XFORWARD}, $attributes, 'offered to whom it is open';

# the whole of it

$c->dialogue('a message from afar',
    [ 'XFORWARD NAME=spike.example.org ADDR=192.0.2.22 PROTO=ESMTP', $ok ],
    [ 'xforward helo=spike.example.org port=4242', $ok ],
    [ 'XFORWARD IDENT=ABC123 SOURCE=remote', $ok ],
    [ 'MAIL FROM:<a@b.example>', '250 2.1.0 Sender OK' ],
    [ 'XFORWARD NAME=other.example.org',
      '503 5.5.1 Not permitted during a mail transaction' ],
    [ 'RCPT TO:<c@d.example>', qr/^250 / ],
    [ 'DATA', qr/^354 / ],
    [ \"Subject: 1\r\n\r\nx\r\n.\r\n", $taken ],
);
is logged(), 'spike.example.org|192.0.2.22|4242|ESMTP|spike.example.org|ABC123|'
   . "remote|$here", 'the log has it';
is received(), 'from mta.example.com ([127.0.0.1])', 'Received has it not';

like $c->send_message(), $taken, 'the next message';
is logged(), "$nothing|$here", 'has nothing of it';

# values

$c->dialogue('values that are none, and such that are masked',
    [ 'XFORWARD NAME=[UNAVAILABLE] ADDR=[unavailable] PORT=[Unavailable] '
      . 'IDENT=[UNAVAILABLE] SOURCE=[UNAVAILABLE]', $ok ],
    [ 'XFORWARD PROTO=a+20b+3B HELO=(+22x+22+0D+0Ay+C3+A9)', $ok ],
);
like $c->send_message(), $taken, 'a message';
is logged(), "-|-|-|a?b?|??x???y???|-|-|$here", 'in the log';

$c->cmd('XFORWARD ADDR=IPV6:2001:db8::1 NAME=host_1.example SOURCE=LOCAL');
$c->send_message();
is logged(), "host_1.example|IPV6:2001:db8::1|-|-|-|-|LOCAL|$here", 'IPv6';

# until the end of the transaction, however it ends

for my $try ([ 'RSET' ], [ 'EHLO mta.example.com' ],
             [ 'MAIL FROM:<a@b.example>', 'RSET' ])
{
    $c->cmd('XFORWARD NAME=a.example');
    $c->cmd($_) for @$try;

    logged() if @$try > 1;

    $c->send_message();
    is logged(), "$nothing|$here", "forgotten after @$try";
}

# what is wrong has no effect at all

$c->cmd('XFORWARD NAME=a.example IDENT=1');

my $long = 'x' x 63;
my @bad;

for my $try (
    [ '', $syntax ],
    map { [ "IDENT=2 $_->[0]", "501 5.5.4 Bad attribute: $_->[1]" ] }
        [ 'NONO=x', 'NONO' ], [ 'LOGIN=x', 'LOGIN' ], [ 'NAME', 'NAME' ],
        [ 'NAME=', 'NAME' ], [ 'NAME=a b', 'b' ], [ 'NAME=(a)', 'NAME' ],
        [ 'ADDR=2001:db8::1', 'ADDR' ], [ 'ADDR=x', 'ADDR' ],
        [ 'PORT=smtp', 'PORT' ], [ 'PORT=65536', 'PORT' ],
        [ 'PROTO=' . 'x' x 65, 'PROTO' ], [ 'HELO=' . 'x' x 256, 'HELO' ],
        [ 'SOURCE=HERE', 'SOURCE' ],
) {
    my $reply = $c->cmd("XFORWARD $try->[0]");

    push @bad, "$try->[0]: $reply" if $reply ne $try->[1];
}

is "@bad", '', 'what is wrong is refused';
$c->cmd('XFORWARD PROTO=' . 'x' x 64 . ' HELO=' . 'y' x 255);
$c->send_message();
is logged(), 'a.example|-|-|' . 'x' x 64 . '|' . 'y' x 255 . "|1|-|$here",
   'and nothing of it has an effect';

# all of a pipeline

$c->pipeline('XFORWARD NAME=a.example', 'MAIL FROM:<a@b.example>', 'RSET',
             'XFORWARD HELO=b.example', 'MAIL FROM:<a@b.example>', 'RSET',
             'NOOP');
is_deeply [ map { /^(\d+)/ } $c->read_replies(7) ], [ (250) x 7 ],
          'in a pipeline';
logged();
is logged(), "-|-|-|-|b.example|-|-|$here", 'each to its transaction';

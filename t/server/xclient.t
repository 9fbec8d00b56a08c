#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# XCLIENT from a client, as Postfix's XCLIENT_README has it: who may, what it
# changes, and what comes of it in routes, services, Received and the logs.

use warnings;
use strict;

use MIME::Base64 qw/ encode_base64 /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(68);

$t->certificate('localhost');

my $mta = $t->server('mta');
my $secret = $t->secret('s3cret-passw0rd');
my $http = $t->http('http', auth => { 'user@example.com' => $secret });

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  192.0.2.0/24 2001:db8::/32;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;
    smtp_max_errors  100;

    smtp_auth_http         http://127.0.0.1:%%PORT_http%%/auth;
    smtp_auth_require_tls  off;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    smtp_log_format  client
        '$remote_addr|$remote_port|$smtp_client_name|$smtp_client_reverse_name|'
        '$server_addr|$server_port|$smtp_helo|$smtp_protocol|'
        '$smtp_auth_user|$smtp_auth_method|$smtp_id';

    smtp_access_log    %%TESTDIR%%/client.log  client;
    smtp_xclient_from  127.0.0.1 unix:;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
        starttls  on;
    }

    server {
        listen    unix:%%TESTDIR%%/smtp.sock;
        protocol  smtp_ext;
    }

    server {
        listen             127.0.0.1:%%PORT_others%%;
        protocol           smtp_ext;
        smtp_xclient_from  127.0.0.2 ::1 192.0.2.0/24 unix:;
    }

    server {
        listen            127.0.0.1:%%PORT_proxy%% proxy_protocol;
        protocol          smtp_ext;
        set_real_ip_from  127.0.0.1;
    }

    server {
        listen           127.0.0.1:%%PORT_errors%%;
        protocol         smtp_ext;
        smtp_max_errors  3;
    }

    server {
        listen    127.0.0.1:%%PORT_only%%;
        protocol  smtp_ext;
        starttls  only;
    }
}
EOC

my $greeting = '220 mx.example.com ESMTP';
my $taken = qr/^250 2\.0\.0 OK id=/;
my $denied = '550 5.7.1 Relaying denied';
my $forbidden = '550 5.7.0 Insufficient authorization';
my $syntax = '501 5.5.4 Syntax: XCLIENT attribute=value...';
my $first = '503 5.5.1 Send EHLO or HELO first';
my $attributes = 'NAME ADDR PORT PROTO HELO REVERSE_NAME LOGIN DESTADDR '
                 . 'DESTPORT';

sub connected {
    my ($name, %o) = @_;

    my $c = $t->client($name || 'smtp', %o);

    $c->read_reply();

    return $c;
}

# the "from" clause of what came last, on one line

sub received {
    my ($from) = ($mta->messages())[-1]{data} =~ /\AReceived: (from .*?)\r\n\t?by/s;

    return $from =~ s/\s+/ /gr;
}

# the log line of the transaction that has just ended; sessions without one
# have lines, too, whenever they end

my $lines = 0;

sub logged {
    $lines++;
    $t->wait_log(qr/(?:\|\w+\n(?:.*\|-\n)*.*){$lines}/, 'client.log');

    my @logged = $t->read_file('client.log') =~ /^(.*)\|\w+\n/gm;

    return $logged[$lines - 1];
}

# a client after XCLIENT, through to its message: what is told in the end

sub sent {
    my ($c) = @_;

    my $reply = $c->send_message(to => 'a@elsewhere.example');

    $c->cmd('RSET');

    return $reply;
}


# who may

my $c = connected();

is $c->ehlo()->{XCLIENT}, $attributes, 'offered to whom it is open';
$c = connected('others');
is $c->ehlo()->{XCLIENT}, undef, 'not offered to others';
is $c->cmd('XCLIENT ADDR=192.0.2.1'), $forbidden, 'and refused to them';
is $c->cmd('XCLIENT'), $forbidden, 'whatever they say';
is sent($c), $denied, 'they are who they were';
logged();

# a peer is who its PROXY protocol header says it is, where that is believed

$c = connected('proxy', proxy => "PROXY TCP4 192.0.2.7 192.0.2.1 1 25\r\n");
is $c->ehlo()->{XCLIENT}, undef, 'the PROXY protocol names who may';
is $c->cmd('XCLIENT ADDR=192.0.2.1'), $forbidden, 'or may not';

# the whole of it

$c = connected();
$c->dialogue('who the client is, and what it is let do',
    [ 'EHLO proxy.example.com', qr/^250[ -]XCLIENT /m ],
    [ 'MAIL FROM:<a@b.example>', '250 2.1.0 Sender OK' ],
    [ 'RCPT TO:<c@elsewhere.example>', $denied ],
    [ 'XCLIENT ADDR=192.0.2.1',
      '503 5.5.1 Not permitted during a mail transaction' ],
    [ 'RSET', '250 2.0.0 OK' ],
    [ 'XCLIENT NAME=client.example.net ADDR=192.0.2.1 PORT=4242 '
      . 'DESTADDR=192.0.2.200 DESTPORT=25', $greeting ],
    [ 'MAIL FROM:<a@b.example>', $first ],
    [ 'EHLO helo.example.net', qr/^250[ -]XCLIENT \Q$attributes\E$/m ],
    [ 'MAIL FROM:<a@b.example>', '250 2.1.0 Sender OK' ],
    [ 'RCPT TO:<c@elsewhere.example>', qr/^250 / ],
    [ 'DATA', qr/^354 / ],
    [ \"Subject: 1\r\n\r\nx\r\n.\r\n", $taken ],
);
is received(), 'from helo.example.net (client.example.net [192.0.2.1])',
   'Received';
logged();
is logged(), '192.0.2.1|4242|client.example.net|client.example.net|'
   . '192.0.2.200|25|helo.example.net|ESMTP|-|-', 'the log';
like $t->error_log(), qr/XCLIENT of 127\.0\.0\.1 .*client: 192\.0\.2\.1,/,
     'the error log knows both';

# more of the same, one after the other on one connection

for my $try (
    [ 'ADDR=IPV6:2001:db8::77', 'from a.example ([IPv6:2001:db8::77])',
      '2001:db8::77|-|-|-', 'IPv6' ],
    [ 'addr=ipv6:2001:DB8:0::78', 'from a.example ([IPv6:2001:db8::78])',
      '2001:db8::78|-|-|-', 'in lower case; the address is normalised' ],
    [ 'ADDR=IPV6:::ffff:192.0.2.9', 'from a.example ([192.0.2.9])',
      '192.0.2.9|-|-|-', 'IPv4 in IPv6' ],
    [ 'ADDR=192.0.2.3 NAME=spi+6Be.example+2Enet',
      'from a.example (spike.example.net [192.0.2.3])',
      '192.0.2.3|-|spike.example.net|spike.example.net', 'xtext' ],
    [ 'ADDR=192.0.2.3 NAME=[Unavailable] REVERSE_NAME=ptr.example.net',
      'from a.example ([192.0.2.3])', '192.0.2.3|-|-|ptr.example.net',
      'a name that does not belong to the address' ],
    [ 'ADDR=192.0.2.4 NAME=[TEMPUNAVAIL] REVERSE_NAME=[TEMPUNAVAIL]',
      'from a.example ([192.0.2.4])', '192.0.2.4|-|-|-',
      'a name that could not be found out' ],
    [ 'ADDR=192.0.2.5 PORT=0', 'from a.example ([192.0.2.5])',
      '192.0.2.5|-|-|-', 'no port' ],
    [ 'ADDR=192.0.2.5 PORT=1 PORT=65535', 'from a.example ([192.0.2.5])',
      '192.0.2.5|65535|-|-', 'the last one counts' ],
) {
    my ($args, $from, $log, $title) = @$try;

    $c = connected();
    $c->ehlo();
    $c->cmd("XCLIENT $args");
    $c->ehlo('a.example');
    like sent($c), $taken, "$title: let through";
    is received(), $from, "$title: Received";
    like logged(), qr/^\Q$log\E\|127\.0\.0\.1\|\d+\|/, "$title: the log";
}

# attributes of the client stay, those of the session don't

$c = connected();
$c->dialogue('in several commands',
    [ 'XCLIENT NAME=client.example.net PORT=77', $greeting ],
    [ 'XCLIENT HELO=helo.example.net PROTO=ESMTP', $greeting ],
    [ 'XCLIENT ADDR=192.0.2.6', $greeting ],
    [ 'MAIL FROM:<a@b.example>', $first ],
    [ 'XCLIENT HELO=helo.example.net PROTO=esmtp', $greeting ],
);
like sent($c), $taken, 'who has been given HELO need not say it';
is received(), 'from helo.example.net (client.example.net [192.0.2.6])',
   'Received has all of it';
like logged(), qr/^192\.0\.2\.6\|77\|client\.example\.net\|.*\|ESMTP\|-\|-$/,
     'so has the log';

is $c->cmd('XCLIENT HELO=[192.0.2.6]'), $greeting, 'HELO alone';
sent($c);
is received(), 'from [192.0.2.6] (client.example.net [192.0.2.6])',
   'an address literal in HELO';
like logged(), qr/\|\[192\.0\.2\.6\]\|SMTP\|-\|-$/, 'is of SMTP';
is $c->cmd('XCLIENT HELO=[UNAVAILABLE] PROTO=ESMTP'), $greeting, 'no HELO';
is $c->mail('a@b.example'), $first, 'has to be said';

# an address that nobody knows

is $c->cmd('XCLIENT ADDR=[UNAVAILABLE] DESTADDR=[UNAVAILABLE] HELO=a.example'),
   $greeting, 'no address';
is sent($c), $denied, 'is let do nothing';
like logged(), qr/^unknown\|77\|client\.example\.net\|\S+\|-\|-\|/, 'in the log';

# the right to use it is the peer's

is $c->cmd('XCLIENT ADDR=198.51.100.1'), $greeting, 'another address';
$c->ehlo('a.example');
is sent($c), $denied, 'of somebody whom the server does not know';
logged();
is $c->cmd('XCLIENT ADDR=192.0.2.1'), $greeting, 'the right remains';

# a login before is forgotten, one that is told counts

$c = connected();
$c->ehlo();
like $c->auth_plain('user@example.com', $secret), qr/^235 /, 'a login';
$c->cmd('XCLIENT ADDR=198.51.100.1');
$c->ehlo('a.example');
is sent($c), $denied, 'is forgotten';
logged();
$c->cmd('XCLIENT ADDR=198.51.100.1 LOGIN=user+40example.com');
$c->ehlo('a.example');
like sent($c), $taken, 'LOGIN= is one';
like logged(), qr/\|ESMTPA\|user\@example\.com\|XCLIENT$/, 'with its user';
is $c->auth_plain('user@example.com', $secret),
   '503 5.5.1 Already authenticated', 'another is too much';
$c->cmd('XCLIENT LOGIN=[UNAVAILABLE]');
$c->ehlo('a.example');
is sent($c), $denied, 'LOGIN=[UNAVAILABLE] is none';
logged();

# the service is told who it is, and that it is the first attempt

$c->auth_plain('user@example.com', 'wrong');
$c->cmd('XCLIENT ADDR=198.51.100.9');
$c->ehlo('a.example');
$c->auth_plain('user@example.com', $secret);
is_deeply [ map { join '|', @{$_->{headers}}{qw/ client-ip
                                                 auth-login-attempt /} }
            ($http->requests())[-2, -1] ],
          [ '198.51.100.1|1', '198.51.100.9|1' ], 'Client-IP';
$c->close();

# across STARTTLS

$c = connected();
$c->ehlo();
$c->cmd('XCLIENT ADDR=192.0.2.8 HELO=gone.example');
is $c->cmd('EHLO a.example') =~ /STARTTLS/, 1, 'STARTTLS after XCLIENT';
$c->starttls();
is $c->mail('a@b.example'), $first, 'forgets HELO';
$c->ehlo('a.example');
sent($c);
is received(), 'from a.example ([192.0.2.8])', 'and not the client';
logged();
is $c->cmd('XCLIENT ADDR=192.0.2.9'), $greeting, 'XCLIENT under TLS';
is $c->cmd('EHLO a.example') =~ /STARTTLS/, '', 'does not end TLS';

$c = connected('only');
is $c->cmd('XCLIENT ADDR=192.0.2.9'),
   '530 5.7.0 Must issue a STARTTLS command first', 'not before TLS';

# a socket that has no address

$c = connected('unix:smtp.sock');
$c->ehlo();
$c->cmd('XCLIENT ADDR=192.0.2.10');
$c->ehlo('a.example');
sent($c);
is received(), 'from a.example ([192.0.2.10])', 'through a unix socket';
logged();

# what is wrong has no effect at all

$c = connected();
$c->ehlo();
$c->cmd('XCLIENT ADDR=198.51.100.1 HELO=a.example PROTO=ESMTP');

my $long = 'x' x 63;
my @bad;

for my $try (
    [ '', $syntax ], [ '  ', $syntax ],
    map { [ "ADDR=192.0.2.1 $_->[0]", "501 5.5.4 Bad attribute: $_->[1]" ] }
        [ 'NONO=x', 'NONO' ], [ 'ADDR', 'ADDR' ], [ 'ADDR=', 'ADDR' ],
        [ 'ADDR=300.1.1.1', 'ADDR' ], [ 'ADDR=not.an.address', 'ADDR' ],
        [ 'ADDR=2001:db8::1', 'ADDR' ], [ 'ADDR=[192.0.2.1]', 'ADDR' ],
        [ 'ADDR=192.0.2.1 junk', 'junk' ], [ '=x', '' ],
        [ 'PORT=abc', 'PORT' ], [ 'PORT=70000', 'PORT' ],
        [ 'PORT=-1', 'PORT' ], [ 'PROTO=HTTP', 'PROTO' ],
        [ 'PROTO=[UNAVAILABLE]', 'PROTO' ], [ 'NAME=a..b', 'NAME' ],
        [ 'NAME=[192.0.2.1]', 'NAME' ], [ 'NAME=a+20b', 'NAME' ],
        [ 'NAME=x+0D+0AX-Injected:+20yes', 'NAME' ],
        [ "NAME=$long.$long.$long.$long.x", 'NAME' ],
        [ 'REVERSE_NAME=(a)', 'REVERSE_NAME' ],
        [ 'HELO=y+0D+0AX-Injected:+20yes', 'HELO' ],
        [ 'HELO=[TEMPUNAVAIL]', 'HELO' ],
        [ 'LOGIN=a+0D+0AAuth-User:+20root', 'LOGIN' ],
        [ 'LOGIN=a+00', 'LOGIN' ], [ 'DESTADDR=here', 'DESTADDR' ],
        [ 'DESTPORT=smtp', 'DESTPORT' ],
) {
    my $reply = $c->cmd("XCLIENT $try->[0]");

    push @bad, "$try->[0]: $reply" if $reply ne $try->[1];
}

is "@bad", '', 'what is wrong is refused';
is sent($c), $denied, 'and nothing of it has an effect';
like logged(), qr/^198\.51\.100\.1\|-\|-\|-\|.*\|a\.example\|ESMTP\|-\|-$/,
     'the client is who it was';

# pipelined, and errors of one client are not another's

$c = connected('errors');
$c->pipeline('FOO', 'FOO', 'XCLIENT ADDR=192.0.2.1', 'FOO', 'FOO',
             'EHLO a.example', 'NOOP');
is_deeply [ map { /^(\d+)/ } $c->read_replies(7) ],
          [ 500, 500, 220, 500, 500, 250, 250 ], 'in a pipeline';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Timeouts of the client's side: RFC 5321, 4.5.3.2.5, 4.5.3.2.7.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ time /;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

# As configured.  A wait may be longer by SLACK; it may be shorter by LAZY, for
# nginx does not move a timer by less than that.

use constant COMMAND => 0.4;
use constant DATA => 0.9;
use constant LAZY => 0.3;
use constant SLACK => 1.5;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(43);

$t->certificate('localhost');

my $mta = $t->server('mta');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    smtp_max_idle_commands  0;

    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;
    smtp_log_format  status  '$smtp_status $smtp_result $smtp_reply';
    smtp_access_log  %%TESTDIR%%/access.log  status;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    server {
        listen                127.0.0.1:%%PORT_command%%;
        protocol              smtp_ext;
        starttls              on;
        smtp_command_timeout  400ms;
        smtp_data_timeout     8s;
    }

    server {
        listen             127.0.0.1:%%PORT_data%%;
        protocol           smtp_ext;
        smtp_data_timeout  900ms;
    }

    server {
        listen    127.0.0.1:%%PORT_timeout%%;
        protocol  smtp_ext;
        timeout   400ms;
        starttls  on;
    }

    server {
        listen             127.0.0.1:%%PORT_send%% sndbuf=16k rcvbuf=16k;
        protocol           smtp_ext;
        smtp_send_timeout  400ms;
    }
}
EOC

my $timeout = '421 4.4.2 Timeout, closing connection';
my $taken = qr/^250 2\.0\.0 OK id=/;

sub connected {
    my $c = $t->client($_[0]);

    $c->read_reply();

    return $c;
}

sub in_data {
    my $c = connected($_[0]);

    $c->ehlo();
    $c->mail('a@b.example');
    $c->rcpt('c@d.example');
    $c->cmd('DATA');

    return $c;
}


# reads a reply, and tests when it came

sub reply_after {
    my ($c, $start, $expected, $name, $time) = @_;

    is $c->read_reply(), $expected, $name;

    my $passed = time() - $start;

    $time //= COMMAND;

    cmp_ok $passed, '>', $time - LAZY, "$name: not too early";
    cmp_ok $passed, '<', $time + scaled(SLACK), "$name: in time";
}


# sends an octet again and again, until there is an answer; for one that would
# go on and on

sub drip {
    my ($c, @octets) = @_;
    my $end = time() + scaled(6);
    my $r = '';

    while (time() < $end) {
        $c->send_raw($octets[0], quiet => 1);
        push @octets, shift @octets;

        vec($r = '', fileno $c->socket(), 1) = 1;
        return 1 if select $r, undef, undef, 0.02;
    }

    return 0;
}


my $start = time();
my $c = connected('command');

reply_after($c, $start, $timeout, 'a client that says nothing');
ok $c->eof(), 'is let go';

$c = connected('command');
$start = time();
$c->send_raw('EHL');
reply_after($c, $start, $timeout, 'half a command');
ok $c->eof(), 'closed';

$c = connected('command');
$start = time();
ok drip($c, 'x'), 'a command in drips';
reply_after($c, $start, $timeout, 'a command in drips');

$c = connected('command');
$start = time();
drip($c, 'x' x 500);
reply_after($c, $start, $timeout, 'a line without an end');

$c = connected('command');
$c->ehlo();
$c->mail('a@b.example');
$c->rcpt('c@d.example');
$start = time();
reply_after($c, $start, $timeout, 'between RCPT and DATA');

# each command has its own time: 20 of them in a row, some with a wait before

$c = connected('command');
$start = time();

my $n = 0;

while (time() - $start < 3 * COMMAND) {
    last unless $c->cmd('NOOP') eq '250 2.0.0 OK';
    $n++;
    select my $r = '', undef, undef, COMMAND / 10;
}

cmp_ok time() - $start, '>=', 3 * COMMAND, 'a client that talks stays';
cmp_ok $n, '>', 3, 'and is answered each time';

# data: each piece has its own time, which is not that of a command

$c = in_data('command');
$start = time();

while (time() - $start < 2 * COMMAND) {
    $c->send_raw("line\r\n");
    select my $r = '', undef, undef, COMMAND / 5;
}

$c->send_raw(".\r\n");
like $c->read_reply(), $taken, 'data may take longer than a command';

$c = in_data('data');
$start = time();
reply_after($c, $start, $timeout, 'no data', DATA);
ok $c->eof(), 'closed';

$c = in_data('data');
$c->send_raw("Subject: half\r\n\r\nline\r\n.");
$start = time();
reply_after($c, $start, $timeout, 'half of the data', DATA);

$c = in_data('data');
$start = time();

while (time() - $start < 1.5 * DATA) {
    $c->send_raw("line\r\n");
    select my $r = '', undef, undef, DATA / 10;
}

$c->send_raw(".\r\n");
like $c->read_reply(), $taken, 'data that go on coming are taken';
is scalar(() = $mta->messages()), 2, 'what was broken off was not';

# nginx's own "timeout" is the default of both; it is the handshake's as well

$c = connected('timeout');
$start = time();
reply_after($c, $start, $timeout, '"timeout" for a command');

$c = in_data('timeout');
$start = time();
reply_after($c, $start, $timeout, '"timeout" for data');

$c = connected('timeout');
$c->ehlo();
$c->cmd('STARTTLS');
$start = time();
ok $c->eof(), 'a handshake that does not begin ends the connection';
cmp_ok time() - $start, '<', COMMAND + scaled(SLACK), 'in time';

# TLS: the reply goes out inside of it

$c = connected('command');
$c->ehlo();
$c->starttls();
$c->ehlo();
$start = time();
reply_after($c, $start, $timeout, 'a command under TLS');

# a client that takes no replies

$c = connected('send');
$c->send_raw("HELP\r\n" x 20_000, quiet => 1) for 1 .. 50;
ok $t->wait_log(qr/client does not read replies/), 'replies nobody reads';

like join("\n", $t->access_lines(6)),
     qr/^421 aborted 4\.4\.2 Timeout, closing connection$/m,
     'a timeout is in the log';

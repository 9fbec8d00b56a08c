#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The greeting is held back, and who does not wait for it is told to go.

use warnings;
use strict;

use Time::HiRes qw/ time /;

use Test::More;
use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new()->plan(22);
my $mta = $t->server('mta');

$t->certificate('localhost');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name  mx.example.com;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;

    smtp_log_format  short  '$smtp_result|$smtp_status|$smtp_commands';
    smtp_access_log  %%TESTDIR%%/short.log  short;

    server {
        listen             127.0.0.1:%%PORT_held%%;
        listen             127.0.0.1:%%PORT_tls%% ssl;
        protocol           smtp_ext;
        smtp_banner_delay  500ms;
    }

    # longer than anybody waits here

    server {
        listen             127.0.0.1:%%PORT_long%%;
        listen             127.0.0.1:%%PORT_long_tls%% ssl;
        protocol           smtp_ext;
        smtp_banner_delay  1h;
    }

    server {
        listen             127.0.0.1:%%PORT_patient%%;
        protocol           smtp_ext;
        smtp_banner_delay  500ms;
        smtp_early_talker  accept;
    }

    server {
        listen    127.0.0.1:%%PORT_proxy%% proxy_protocol;
        protocol  smtp_ext;
    }

    server {
        listen             127.0.0.1:%%PORT_proxy_accept%% proxy_protocol;
        protocol           smtp_ext;
        smtp_early_talker  accept;
    }
}
EOC

my $greeting = '220 mx.example.com ESMTP';
my $early =
    '554 5.5.1 Client spoke before the greeting, closing connection';
my $header = "PROXY TCP4 192.0.2.1 192.0.2.2 1111 25\r\n";

# who waits

for my $port ('held', 'tls') {
    my $start = time();
    my $c = $t->client($port, $port eq 'tls' ? (ssl => 1) : ());

    is $c->read_reply(), $greeting, "$port: the greeting comes";
    cmp_ok time() - $start, '>', 0.45, "$port: when its time has come";
    like $c->cmd('EHLO a'), qr/^250-/, "$port: and then all is well";
    is $c->quit(), '221 2.0.0 Bye', "$port: to the end";
}

# who does not; that it is told at once is seen by that the test ends

for my $port ('long', 'long_tls') {
    my $c = $t->client($port, $port eq 'long_tls' ? (ssl => 1) : ());

    $c->send_line('EHLO a');
    is $c->read_reply(), $early, "$port: an early talker";
    ok $c->eof(), "$port: is told nothing else";
}

my $c = $t->client('long');

$c->send_raw('E');
is $c->read_reply(), $early, 'an octet is enough';

$c = $t->client('long');
$c->send_raw("EHLO a\r\nMAIL FROM:<a\@b.example>\r\n" . "x\r\n" x 20_000);
is $c->read_reply(), $early, 'much of it';

# what is there when there is no delay

$c = $t->client('proxy', proxy => "${header}EHLO a\r\n");
is $c->read_reply(), $early, 'behind the header of a proxy';

$c = $t->client('proxy_accept', proxy => "${header}EHLO a\r\n");
is $c->read_reply(), $greeting, 'where it is accepted';
like $c->read_reply(), qr/^250-mx\.example\.com\n/, 'it is read afterwards';

$c = $t->client('patient');
$c->send_raw("EHLO a\r\nNOOP\r\n");
is $c->read_reply(), $greeting, 'accepted during the delay';
like $c->read_reply(), qr/^250-mx\.example\.com\n/, 'and read afterwards';

# who goes away is not waited for, and a worker does not wait

$t->client('long')->close();

$c = $t->client('long');
ok $t->wait_log(qr/client closed connection while/), 'the client has gone';

$t->stop();

is $c->read_reply(), '421 4.3.2 Service shutting down, closing connection',
   'the worker stops at once';

is_deeply [ grep { /554/ } split /\n/, $t->read_file('short.log') ],
          [ ('refused|554|0') x 5 ], 'they are in the log';

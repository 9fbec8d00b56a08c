#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# An auth service that fails in every way there is: nobody is logged in, the
# client gets 454, the log is not flooded, and all heals by itself.

use warnings;
use strict;

use MIME::Base64 qw/ encode_base64 /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(59);

$t->write_conf(<<'EOF')->run();
%%GLOBALS%%

worker_shutdown_timeout 500ms;

events { }

mail {
    smtp_http_breaker       off;
    server_name            mx.example.com;
    smtp_max_errors        100;
    smtp_auth_require_tls  off;

    smtp_upstream api {
        server  127.0.0.1:%%PORT_one%%  max_fails=0;
        server  127.0.0.1:%%PORT_two%%  max_fails=0;
    }

    server {
        listen                  127.0.0.1:%%PORT_smtp%%;
        protocol                smtp_ext;
        smtp_auth_http          http://127.0.0.1:%%PORT_http%%/auth;
        smtp_auth_http_timeout  400ms;
        smtp_auth_max_attempts  1;
    }

    server {
        listen          127.0.0.1:%%PORT_patient%%;
        protocol        smtp_ext;
        smtp_auth_http  http://127.0.0.1:%%PORT_http%%/auth;
    }

    server {
        listen          127.0.0.1:%%PORT_group%%;
        protocol        smtp_ext;
        smtp_auth_http  http://api/auth;
    }
}
EOF

my $ok = '235 2.7.0 Authentication succeeded';
my $unavailable = '454 4.7.0 Temporary authentication failure';

my $secret = $t->secret('s3cret-passw0rd');
my $status = "Auth-Status: OK\r\n";
my $good = { headers => [ 'Auth-Status' => 'OK' ], close => 1 };
my $http = $t->http('http', default => $good);

sub login { $_[0]->auth_plain('user', $secret) }

sub raw { $http->set(default => { raw => $_[0], close => 1 }) }

sub count {
    my ($pattern) = @_;

    return scalar(() = $t->notices() =~ /$pattern/g);
}


# answers that are none; one client for all: a failure of the service is none
# of the client's

my $c = $t->connected('smtp');

for my $try (
    [ "HTTP/1.0 500 Error\r\n$status\r\n", 'status 500' ],
    [ "HTTP/1.0 404 Not Found\r\n$status\r\n", 'status 404' ],
    [ "HTTP/1.0 301 Moved\r\nLocation: /\r\n$status\r\n", 'status 301' ],
    [ "HTTP/1.0 304 Not Modified\r\n$status\r\n", 'status 304' ],
    [ "HTTP/1.1 101 Switching\r\n$status\r\n", 'status 101' ],
    [ "HTTP/1.0 099 Odd\r\n$status\r\n", 'status 099' ],
    [ "HTTP/1.0 600 Odd\r\n$status\r\n", 'status 600' ],
    [ "HTTP/1.0 2000 Odd\r\n$status\r\n", 'status 2000' ],
    [ "HTTP/2.0 200 OK\r\n$status\r\n", 'HTTP/2.0' ],
    [ "HTTP 200 OK\r\n$status\r\n", 'no version' ],
    [ "$status\r\n", 'HTTP/0.9' ],
    [ "\r\nHTTP/1.0 200 OK\r\n$status\r\n", 'an empty line in front' ],
    [ "HTTP/1.0 200 OK\r\n\r\n", 'no header' ],
    [ "HTTP/1.0 200 OK\r\n\r\n$status\r\n", 'header in the body' ],
    [ "HTTP/1.0 200 OK\r\nAuth-Status:\r\n\r\n", 'empty status' ],
    [ "HTTP/1.0 200 OK\r\n${status}Auth-Status: no\r\n\r\n", 'two of them' ],
    [ "HTTP/1.0 200 OK\r\n$status$status\r\n", 'the same twice' ],
    [ "HTTP/1.0 200 OK\r\n${status}Auth-Server: 127.0.0.1\r\n\r\n",
      'no port' ],
    [ "HTTP/1.0 200 OK\r\n${status}Auth-Port: 25\r\n\r\n", 'no server' ],
    [ "HTTP/1.0 200 OK\r\n${status}Auth-Server: a\r\nAuth-Port: 0\r\n\r\n",
      'port 0' ],
    [ "HTTP/1.0 200 OK\r\n${status}Auth-Server: a\r\nAuth-Port: 65536\r\n\r\n",
      'port 65536' ],
    [ "HTTP/1.0 200 OK\r\n${status}Auth-Server: a b\r\nAuth-Port: 25\r\n\r\n",
      'space in a server' ],
    [ "HTTP/1.0 200 OK\r\n${status}Auth-User: " . 'x' x 511 . "\r\n\r\n",
      'long name' ],
    [ "HTTP/1.0 200 OK\r\n$status folded\r\n\r\n", 'folded line' ],
    [ "HTTP/1.0 200 OK\r\n${status}Header\r\n\r\n", 'no colon' ],
    [ "HTTP/1.0 200 OK\r\n${status}A B: c\r\n\r\n", 'space in a name' ],
    [ "HTTP/1.0 200 OK\r\n${status}A : c\r\n\r\n", 'space behind a name' ],
    [ "HTTP/1.0 200 OK\r\n${status}: c\r\n\r\n", 'no name' ],
    [ "HTTP/1.0 200 OK\r\n${status}A\x80: c\r\n\r\n", 'octet in a name' ],
    [ "HTTP/1.0 200 OK\r\n${status}A: b\0c\r\n\r\n", 'null' ],
    [ "HTTP/1.0 200 OK\r\n${status}A: b\ec\r\n\r\n", 'control character' ],
    [ "HTTP/1.0 200 OK\r\n${status}A: b\rc\r\n\r\n", 'bare CR' ],
    [ "HTTP/1.0 200 OK\r\n$status", 'no end' ],
    [ "HTTP/1.0 200 OK\r\nAuth-Status: OK", 'half a header' ],
    [ "HTTP/1.0 200 OK\r\n${status}A: " . 'x' x 17000 . "\r\n\r\n",
      'huge header' ],
    [ "HTTP/1.0 200 OK\r\n$status" . "A: b\r\n" x 128 . "\r\n",
      'many headers' ],
    [ "HTTP/1.1 100 Continue\r\n\r\n" x 9 . "HTTP/1.0 200 OK\r\n$status\r\n",
      'many interim answers' ],
) {
    raw($try->[0]);
    is login($c), $unavailable, $try->[1];
}

$http->set(default => $good);
is login($c), $ok, 'all is well again, in the same session';

is count(qr/\[error\]/), 1, 'the outage is one error';
is count(qr/\[warn\].* is out of order/), 1, 'it began';
is count(qr/\[notice\].* is in order again/), 1, 'it ended';

# what the service can not read is no outage

$http->set(default => { status => 431, close => 1 });
is login($t->connected('smtp')), $unavailable, 'status 431';
$http->set(default => $good);
is count(qr/\[error\]|is out of order/), 2, 'is none of the log, either';

# connections

for my $try (
    [ { at => 'CONNECT', do => 'close' }, 'closed at once' ],
    [ { at => 'CONNECT', do => 'reset' }, 'reset at once' ],
    [ { at => 'RESPONSE', do => 'close' }, 'closed for an answer' ],
    [ { at => 'RESPONSE', do => 'garbage' }, 'garbage' ],
    [ { at => 'RESPONSE', do => 'half' }, 'half an answer' ],
    [ { at => 'RESPONSE', do => 'stall' }, 'no answer' ],
) {
    $http->set(fault => $try->[0]);
    is login($t->connected('smtp')), $unavailable, $try->[1];
}

$http->set(fault => { at => 'RESPONSE', do => 'drip' },
           default => { %$good, close => 0 });
is login($t->connected('patient')), $ok, 'octet by octet';

$http->stop();
is login($t->connected('smtp')), $unavailable, 'not there';
$http->start();
$http->set(fault => undef, default => $good);
is login($t->connected('smtp')), $ok, 'there again';

# the other server of a group is asked, and only while nothing was answered

my $one = $t->http('one', default => $good,
                   fault => { at => 'RESPONSE', do => 'close' });
my $two = $t->http('two', default => $good,
                   fault => { at => 'RESPONSE', do => 'close' });

is login($t->connected('group')), $unavailable, 'both fail';
is $one->requests() + $two->requests(), 2, 'both were asked';

$one->set(fault => undef);
is login($t->connected('group')), $ok, 'one of them answers' for 1 .. 2;

$_->set(fault => { at => 'RESPONSE', do => 'garbage' }) for $one, $two;
my $asked = $one->requests() + $two->requests();
is login($t->connected('group')), $unavailable, 'garbage from one';
is $one->requests() + $two->requests(), $asked + 1, 'the other is not asked';

# two that wait for a silent service when the worker has to stop: cut off, and
# nothing is left open

$http->set(fault => { at => 'RESPONSE', do => 'silent' });
my $n = () = $http->requests();
my @clients = map { $t->connected('patient') } 1 .. 2;
$_->send_line('AUTH PLAIN ' . encode_base64("\0user\0$secret", ''))
    for @clients;
ok $http->wait_requests($n + 2), 'they wait';
$clients[0]->reset();

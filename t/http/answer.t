#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Answers of HTTP services: where they end, how long they may be and take.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(32);

$t->write_conf(<<'EOF')->run();
%%GLOBALS%%

events { }

mail {
    smtp_http_breaker       off;
    server_name             mx.example.com;
    smtp_auth_require_tls   off;
    smtp_auth_max_attempts  0;
    smtp_max_errors         1000;
    smtp_auth_http          http://127.0.0.1:%%PORT_http%%/auth;

    server {
        listen                 127.0.0.1:%%PORT_smtp%%;
        protocol               smtp_ext;
        smtp_http_buffer_size  1k;
    }

    server {
        listen                  127.0.0.1:%%PORT_read%%;
        protocol                smtp_ext;
        smtp_http_read_timeout  900ms;
    }

    server {
        listen             127.0.0.1:%%PORT_total%%;
        protocol           smtp_ext;
        smtp_http_timeout  300ms;
    }

    server {
        listen                  127.0.0.1:%%PORT_own%%;
        protocol                smtp_ext;
        smtp_http_timeout       1h;
        smtp_auth_http_timeout  300ms;
    }
}
EOF

my $ok = '235 2.7.0 Authentication succeeded';
my $unavailable = '454 4.7.0 Temporary authentication failure';
my $status = "Auth-Status: OK\r\n";
my $head = "HTTP/1.1 200 OK\r\n$status";

my $http = $t->http('http');

sub login {
    my ($name) = @_;

    my $c = $t->client($name || 'smtp');

    $c->read_reply();
    $c->ehlo();

    return $c->auth_plain('user', 'pass');
}

# the reason in the last line of the log that gives one

sub reason {
    my @lines = $t->notices() =~ /HTTP service 127\S+: (.*?) while/g;

    return $lines[-1] // 'none';
}

for my $try (
    [ "${head}Content-Length: 3\r\n\r\nab",
      'closed connection before its answer was complete' ],
    [ "${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
      'closed connection before its answer was complete' ],
    [ "${head}Transfer-Encoding: chunked\r\n\r\nx\r\n", 'invalid chunk' ],
    [ "${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n",
      'invalid chunk' ],
    [ "${head}Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
      'invalid chunk' ],
    [ "${head}Transfer-Encoding: chunked\r\n\r\n"
      . "fffffffffffffffff\r\nx\r\n0\r\n\r\n", 'invalid chunk' ],
    [ "${head}Transfer-Encoding: chunked\r\n\r\n1;" . 'x' x 20000 . "\r\n",
      'sent too much around its chunks' ],
    [ "${head}Transfer-Encoding: chunked\r\n\r\n0\r\n"
      . "Trailer: x\r\n" x 2000, 'sent too much around its chunks' ],
    [ "${head}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      'unknown Transfer-Encoding' ],
    [ "${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"
      . "\r\n0\r\n\r\n", 'unknown Transfer-Encoding' ],
    [ "${head}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"
      . "\r\n0\r\n\r\n",
      'Transfer-Encoding with Content-Length or in HTTP/1.0' ],
    [ "HTTP/1.0 200 OK\r\n${status}Transfer-Encoding: chunked\r\n"
      . "\r\n0\r\n\r\n",
      'Transfer-Encoding with Content-Length or in HTTP/1.0' ],
    (map { [ "${head}Content-Length: $_\r\n\r\nab",
             'invalid or second Content-Length' ] }
         '', '-1', '+2', '2, 2', '0x2', '2 2', '99999999999999999999',
         "2\r\nContent-Length: 2", "2\r\nContent-Length: 0"),
    [ "${head}X: " . 'x' x 1000 . "\r\n\r\n", 'sent too big a header' ],
) {
    my ($raw, $want) = @$try;

    $http->set(default => { raw => $raw, close => 1 });

    # the second one is "info"

    my $got = login() eq $unavailable ? reason() : 'accepted';

    is $got, $want, substr($raw, 16 + length $status, 50) =~ s/[\r\n]+/ /gr;
}

# up to the size of the buffer

my $room = 1024 - length("${head}X: \r\n\r\n");

$http->set(default => { raw => "${head}X: " . 'x' x ($room - 1) . "\r\n\r\n",
                        close => 1 });
is login(), $ok, 'a header that just fits';

# time

my $good = { headers => [ 'Auth-Status' => 'OK' ] };

for my $name (qw/ read total own /) {
    $http->set(default => $good, fault => { at => 'RESPONSE',
                                            do => 'silent' });
    is login($name), $unavailable, "$name: no answer";
    like reason(), qr/timed out$/, "$name: timed out";
}

$http->set(fault => { at => 'RESPONSE', do => 'drip', pause => 0.03 });
is login('read'), $ok, 'each octet has a time of its own';
is login('total'), $unavailable, 'but all of them have one, too';
$http->set(fault => undef);
is login('total'), $ok, 'all is well';

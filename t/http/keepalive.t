#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Connections to HTTP services: which are kept, and what happens when a kept
# one turns out to be gone.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(51);

$t->write_conf(<<'EOF')->run();
%%GLOBALS%%

events { }

mail {
    server_name             mx.example.com;
    smtp_auth_require_tls   off;
    smtp_auth_max_attempts  0;
    smtp_relay_from         127.0.0.1;

    smtp_upstream none {
        server     127.0.0.1:%%PORT_http%%;
        keepalive  0;
    }

    smtp_upstream few {
        server              127.0.0.1:%%PORT_http%%;
        keepalive_requests  2;
    }

    smtp_upstream short {
        server             127.0.0.1:%%PORT_http%%;
        keepalive_timeout  200ms;
    }

    smtp_upstream both {
        server  127.0.0.1:%%PORT_mta%%;
    }

    server {
        listen          127.0.0.1:%%PORT_smtp%%;
        protocol        smtp_ext;
        smtp_auth_http  http://127.0.0.1:%%PORT_http%%/auth;
    }

    server {
        listen          127.0.0.1:%%PORT_other%%;
        protocol        smtp_ext;
        smtp_auth_http  http://127.0.0.1:%%PORT_http%%/other;
    }

    server {
        listen          127.0.0.1:%%PORT_none%%;
        protocol        smtp_ext;
        smtp_auth_http  http://none/auth;
    }

    server {
        listen          127.0.0.1:%%PORT_few%%;
        protocol        smtp_ext;
        smtp_auth_http  http://few/auth;
    }

    server {
        listen          127.0.0.1:%%PORT_short%%;
        protocol        smtp_ext;
        smtp_auth_http  http://short/auth;
    }

    server {
        listen          127.0.0.1:%%PORT_both%%;
        protocol        smtp_ext;
        smtp_auth_http  http://both/auth;
        smtp_pass       smtp://both;
    }
}
EOF

my $ok = '235 2.7.0 Authentication succeeded';
my $unavailable = '454 4.7.0 Temporary authentication failure';
my $status = "Auth-Status: OK\r\n";

my $good = { headers => [ 'Auth-Status' => 'OK' ] };
my $http = $t->http('http', default => $good);

sub login {
    my ($name) = @_;

    my $c = $t->client($name || 'smtp');

    $c->read_reply();
    $c->ehlo();

    return $c->auth_plain('user', 'pass');
}

# of the last request: its connection, and which one it is there

sub place {
    my ($r) = ($http->requests())[-1];

    return ($r->{n}, $r->{i});
}


# one connection for many logins, of many clients and servers

is login(), $ok, 'a login' for 1 .. 3;
is join(' ', place()), '1 3', 'three requests in one connection';
is login('other'), $ok, 'a login at another server';
is join(' ', place()), '1 4', 'the same service, the same connection';

for my $try (

    # what the service says; is its connection kept?

    [ "HTTP/1.1 204 OK\r\n$status\r\n", 1, 'no content' ],
    [ "HTTP/1.1 200 OK\r\n${status}Content-Length: 5\r\n\r\nhello", 1,
      'a body' ],
    [ "HTTP/1.1 200 OK\r\n${status}Content-Length: 20000\r\n\r\n"
      . 'x' x 20000, 1, 'a longer body' ],
    [ "HTTP/1.1 200 OK\r\n${status}Transfer-Encoding: chunked\r\n\r\n"
      . "5\r\nhello\r\n3;a=b\r\nxyz\r\n0\r\nTrailer: x\r\n\r\n", 1,
      'chunks' ],
    [ "HTTP/1.0 200 OK\r\n${status}Connection: Keep-Alive\r\n"
      . "Content-Length: 0\r\n\r\n", 1, 'HTTP/1.0 that keeps it' ],
    [ "HTTP/1.1 100 Continue\r\n\r\n"
      . "HTTP/1.1 200 OK\r\n${status}Content-Length: 0\r\n\r\n", 1,
      'an interim answer' ],

    [ "HTTP/1.0 200 OK\r\n${status}Content-Length: 0\r\n\r\n", 0,
      'HTTP/1.0' ],
    [ "HTTP/1.1 200 OK\r\n${status}Content-Length: 0\r\n"
      . "Connection: foo, CLOSE\r\n\r\n", 0, 'Connection: close' ],
    [ "HTTP/1.1 200 OK\r\n${status}\r\n", 0, 'a body without a length' ],
    [ "HTTP/1.1 200 OK\r\n${status}Content-Length: 1\r\n\r\nxy", 0,
      'more than it should be' ],
    [ "HTTP/1.1 204 OK\r\n${status}\r\nx", 0, 'a body where none may be' ],
    [ "HTTP/1.1 200 OK\r\n${status}Transfer-Encoding: chunked\r\n\r\n"
      . "0\r\n\r\nHTTP/1.1 200 OK\r\n", 0, 'something behind the chunks' ],
    [ "HTTP/1.1 200 OK\r\n${status}Content-Length: 100000\r\n\r\n"
      . 'x' x 100000, 0, 'a body too long to be thrown away' ],
) {
    my ($raw, $kept, $name) = @$try;

    $http->set(default => { raw => $raw });

    is login(), $ok, $name;

    my ($n) = place();

    $http->set(default => $good);
    login();

    is +(place())[0], $kept ? $n : $n + 1,
       $kept ? "$name: kept" : "$name: not kept";
}

# bounds of a group

is login('none'), $ok, 'nothing is kept' for 1 .. 2;
is +(place())[1], 1, 'keepalive 0';

is login('few'), $ok, 'few requests' for 1 .. 4;
is +(place())[1], 2, 'two in each';

is login('short'), $ok, 'kept for a while';
my ($n) = place();
ok $http->wait_for(sub { grep { $_->{n} == $n } $http->events('close') }),
   'and closed';

# the service closes a kept connection with a request in it

my $errors = () = $t->notices() =~ /\[error\]/g;

for my $how (qw/ close reset /) {
    login();
    $http->set(fault => { at => 'RESPONSE', do => $how, n => 1 });
    is login(), $ok, "$how: asked again, in a new connection";
}

is scalar(() = $t->notices() =~ /\[error\]/g), $errors, 'that is no error';

$http->set(fault => { at => 'RESPONSE', do => 'close' });
my $asked = $http->requests();
is login(), $unavailable, 'asked again, but not for ever';
is $http->requests(), $asked + 2, 'once in a new one';

$http->set(fault => { at => 'RESPONSE', do => 'half', n => 2 });
login();
$asked = $http->requests();
is login(), $unavailable, 'half an answer is a failure';
is $http->requests(), $asked + 1, 'not asked again';

# a connection is kept for its protocol

my $mta = $t->server('mta');
my $c = $t->client('both');

$c->read_reply();
$c->ehlo();
$c->send_message(to => 'a@example.com');
$c->quit();

is login('both'), $unavailable, 'an MTA is no auth service';
is scalar(grep { /^GET/ } $mta->commands(1)), 0,
   'it was not asked in a connection made for mail';

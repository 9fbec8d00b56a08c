#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# A service that fails is left alone after a while, and asked again.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(30);

$t->write_conf(<<'EOF')->run();
%%GLOBALS%%

events { }

mail {
    server_name             mx.example.com;
    smtp_auth_require_tls   off;
    smtp_auth_max_attempts  0;
    smtp_auth_http          http://127.0.0.1:%%PORT_http%%/auth;

    server {
        listen             127.0.0.1:%%PORT_long%%;
        protocol           smtp_ext;
        smtp_auth_http     http://127.0.0.1:%%PORT_http%%/long;
        smtp_http_breaker  fails=3 retry=1h;
    }

    server {
        listen             127.0.0.1:%%PORT_short%%;
        protocol           smtp_ext;
        smtp_auth_http     http://127.0.0.1:%%PORT_http%%/short;
        smtp_http_breaker  fails=2 time=10s retry=50ms;
    }

    server {
        listen             127.0.0.1:%%PORT_slow%%;
        protocol           smtp_ext;
        smtp_auth_http     http://127.0.0.1:%%PORT_http%%/slow;
        smtp_http_breaker  fails=2 time=1ms retry=1h;
    }

    server {
        listen             127.0.0.1:%%PORT_off%%;
        protocol           smtp_ext;
        smtp_auth_http     http://127.0.0.1:%%PORT_http%%/off;
        smtp_http_breaker  off;
    }
}
EOF

my $ok = '235 2.7.0 Authentication succeeded';
my $unavailable = '454 4.7.0 Temporary authentication failure';

my $good = { headers => [ 'Auth-Status' => 'OK' ] };
my $bad = { status => 500 };
my $http = $t->http('http', default => $good);

sub login { $t->connected($_[0])->auth_plain('user', 'pass') }

sub asked { scalar(() = $http->requests("/$_[0]")) }

sub lines {
    my ($pattern) = @_;

    return scalar(() = $t->notices() =~ /$pattern/g);
}


# what counts is failures in a row

$http->set(default => $bad);
is login('long'), $unavailable, 'a failure' for 1 .. 2;
$http->set(default => $good);
is login('long'), $ok, 'an answer';
$http->set(default => $bad);
is login('long'), $unavailable, 'failures, from the beginning' for 1 .. 3;

is asked('long'), 6, 'asked each time';
is login('long'), $unavailable, 'one more';
is asked('long'), 6, 'not asked any more';
$http->set(default => $good);
is login('long'), $unavailable, 'nobody knows that it is well again';
is asked('long'), 6, 'not asked';

is lines(qr/\[warn\].* "[^"]*\/long" is out of order/), 2, 'two outages';
is lines(qr/\[warn\].*\/long" failed 3 times in a row; it is asked once/), 1,
   'left alone, once';
is lines(qr/\[error\]/), 2, 'an error for each outage';

# a probe now and then, whatever becomes of it

$http->set(default => $bad);
is login('short'), $unavailable, 'a failure' for 1 .. 2;

my $was = asked('short');

ok poll(sub { login('short'); asked('short') > $was }, 10), 'a probe';

$http->set(fault => { at => 'RESPONSE', do => 'silent' });
$was = asked('short');

my @waiting;

ok poll(sub {
    push @waiting, my $c = $t->connected('short');
    $c->send_line('AUTH PLAIN AHVzZXIAcGFzcw==');

    return asked('short') > $was + 1;
}, 10), 'one that hangs does not stop the next one';

$_->reset() for @waiting;
is lines(qr/\/short" is in order again/), 0, 'it is not in order';

$http->set(default => $good, fault => undef);

ok poll(sub { login('short') eq $ok }, 10), 'the next one heals it';
is login('short'), $ok, 'all ask again' for 1 .. 2;

is lines(qr/\/short" is out of order/), 1, 'one outage';
is lines(qr/\/short" failed 2 times/), 1, 'left alone once';
is lines(qr/\/short" is in order again/), 1, 'over once';

# failures that are too far apart; no breaker

$http->set(default => { %$bad, delay => 0.02 });
is login('slow'), $unavailable, 'slow failures' for 1 .. 3;
is asked('slow'), 3, 'are asked for each time';

$http->set(default => $bad);
login('off') for 1 .. 12;
is asked('off'), 12, 'off: asked each time';

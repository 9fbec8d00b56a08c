#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# HTTP services: names that are looked up while nginx runs, and how long it is
# waited for a connection, and for one to take the request.

use warnings;
use strict;

use IO::Select;
use IO::Socket::INET;
use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll scaled /;

my $t = Test::Nginx::SmtpExt->new();
my $ms = scaled(300);
my $name_ms = scaled(400);

$t->plan(30);

$t->certificate('ca', is_ca => 1);
$t->certificate('service', ca => 'ca', san => [ 'DNS:api.example.com' ]);

# one address for each server, so that each has failures of its own

my %http = (
    api => 'http://api.example.com:%%PORT_http%%/auth',
    both => 'http://both.example.com:%%PORT_http%%/auth',
    nobody => 'http://nobody.example.com:%%PORT_http%%/auth',
    silent => 'http://silent.example.com:%%PORT_http%%/auth',
    full => 'http://127.0.0.1:%%PORT_backlog%%/auth',
    own => 'http://127.0.0.1:%%PORT_backlog%%/own',
    pair => 'http://pair/auth',
    tls => 'https://api.example.com:%%PORT_https%%/auth',
    other_tls => 'https://both.example.com:%%PORT_https%%/auth',
);

my $servers = join '', map { <<"EOS" } sort keys %http;
    server {
        listen          127.0.0.1:%%PORT_$_%%;
        protocol        smtp_ext;
        smtp_auth_http  $http{$_};
        @{[ $_ eq 'own' ? "smtp_http_connect_timeout 1h;
        smtp_auth_http_connect_timeout ${ms}ms;" : '' ]}
    }

EOS

$t->write_conf(<<"EOC")->run();
%%GLOBALS%%

events { }

mail {
    server_name             mx.example.com;
    smtp_auth_require_tls   off;
    smtp_auth_max_attempts  0;
    smtp_relay_from         127.0.0.1;
    smtp_http_breaker       off;

    smtp_auth_http_client_host  off;

    resolver          127.0.0.1:%%PORT_dns%%  valid=1s  ipv6=off;
    resolver_timeout  ${name_ms}ms;

    smtp_http_connect_timeout          ${ms}ms;
    smtp_http_ssl_trusted_certificate  ca.crt;

    smtp_upstream pair {
        server  127.0.0.1:%%PORT_backlog%%;
        server  127.0.0.1:%%PORT_http%%  backup;
    }

$servers
    server {
        listen     127.0.0.1:%%PORT_smtp%%;
        protocol   smtp_ext;
        smtp_pass  http://api.example.com:%%PORT_http%%/mail;
        smtp_hook  http://api.example.com:%%PORT_http%%/hook stages=mail;
    }

    server {
        listen     127.0.0.1:%%PORT_send%%;
        protocol   smtp_ext;
        smtp_pass  discard:;
        smtp_hook  http://127.0.0.1:%%PORT_deaf%%/hook stages=data body=full
                   max_body=32m;

        smtp_http_send_timeout  ${ms}ms;
        smtp_http_read_timeout  1h;
        smtp_http_timeout       1h;
    }
}
EOC

my $ok = '235 2.7.0 Authentication succeeded';
my $unavailable = '454 4.7.0 Temporary authentication failure';
my @good = (default => { headers => [ 'Auth-Status' => 'OK' ] }, hooks => {});

my $http = $t->http('http', @good);
my $second = $t->http('127.0.0.2:http', @good);
my $dir = $t->testdir();

$t->http('https', @good, ssl => { cert => "$dir/service.crt",
                                  key => "$dir/service.key" });

my %zone = (
    'api.example.com' => { A => '127.0.0.1' },
    'both.example.com' => { A => [ '127.0.0.9', '127.0.0.1' ] },
    'silent.example.com' => { drop => 1 },
);

my $dns = $t->dns('dns', zone => \%zone);

sub login { $t->connected($_[0])->auth_plain('user', 'pass') }

sub count { scalar(() = $t->notices() =~ /$_[0]/g) }


# names

is_deeply [ $dns->queries() ], [], 'nothing is looked up before it is needed';
is login('api'), $ok, 'a name';
is +($http->requests())[-1]{headers}{host},
   'api.example.com:' . $t->port('http'), 'which is the Host';
is_deeply [ $dns->queries() ], [ 'api.example.com A' ], 'it is looked up';
is login('both'), $ok, 'with two addresses, of which one is of no use';
is login('nobody'), $unavailable, 'a name that there is not';
is count(qr/nobody\.example\.com could not be resolved/), 1, 'the log says so';
is login('silent'), $unavailable, 'a name server that is silent';
like $t->notices(), qr/silent\.example\.com could not be resolved .*timed out/,
     'for as long as resolver_timeout says';

like $t->connected('smtp')->send_message(), qr/^250 /,
   'a hook and a destination';
is scalar(() = $http->requests('/hook')), 1, 'the hook has a name';
is scalar(() = $http->requests('/mail')), 1, 'so has the destination';

is login('tls'), $ok, 'a certificate is for the name';
is login('other_tls'), $unavailable, 'of which it has to be';
is count(qr/certificate does not match "both\.example\.com"/), 1, 'logged';

# it moves; kept connections to where it was are not used any more

$zone{'api.example.com'} = { A => '127.0.0.2' };
$dns->set(zone => \%zone);

ok poll(sub { login('api') eq $ok && $second->requests() > 0 }, 10),
   'a service that has moved is found';
my $n = () = $http->requests();
is login('api'), $ok, 'and asked there';
is scalar(() = $http->requests()), $n, 'no more where it was';

# a listener that takes no more connections, for nobody accepts them

my $backlog = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
    LocalPort => $t->port('backlog'), Listen => 1, ReuseAddr => 1)
    or die "can't listen: $!\n";

listen $backlog, 0;

my @waiting;

ok fill(), 'a service that takes no connection';

is login('full'), $unavailable, 'not for ever';
is count(qr/\[error\].*: timed out/), 1, 'the log says why';
is login('own'), $unavailable, 'nor with a time of its own';
is count(qr/127\.0\.0\.1:@{[ $t->port('backlog') ]}: timed out/), 2, 'why';
is login('pair'), $ok, 'another server is asked then';
is login('pair'), $ok, 'and again';
is count(qr/127\.0\.0\.1:@{[ $t->port('backlog') ]}: timed out/), 3,
   'the one that is of no use is left alone';

# a service that does not read on

my $deaf = $t->http('deaf', fault => { at => 'REQUEST', do => 'stall' },
                    hooks => {});
my $c = $t->connected('send');
my $long = "Subject: x\r\n\r\n" . ('x' x 998 . "\r\n") x 16_000;

is $c->send_message(data => $long),
   '451 4.3.0 Local error in processing', 'a request that is not taken';
is count(qr/127\.0\.0\.1:@{[ $t->port('deaf') ]}: timed out while sending/), 1,
   'the log says what took too long';
$deaf->set(fault => undef);
$c->cmd('RSET');
like $c->send_message(data => $long),
     qr/^250 /, 'one that is';
is length(($deaf->requests())[-1]{body}) > 16_000_000 ? 1 : 0, 1, 'all of it';


# connects until one of them has to wait

sub fill {
    for (1 .. 64) {
        my $s = IO::Socket::INET->new(Proto => 'tcp', Blocking => 0,
            PeerAddr => '127.0.0.1', PeerPort => $t->port('backlog'))
            or die "can't connect: $!\n";

        push @waiting, $s;

        return 1 unless IO::Select->new($s)->can_write(0.2);
    }

    return 0;
}

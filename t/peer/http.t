#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Groups of HTTP services: what is chosen, and waited for, as for next hops.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $t = Test::Nginx::SmtpExt->new();

my @groups = qw/ one least ip key checked /;

$t->write_conf(<<'EOC' . join('', map { <<"EOS" } @groups) . "}\n");
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_auth_require_tls  off;
    smtp_relay_from        127.0.0.0/8;

    smtp_upstream one {
        zone    one  64k;
        queue   5;
        server  127.0.0.1:%%PORT_a%%  max_conns=1;
    }

    smtp_upstream least {
        least_conn;
        server  127.0.0.1:%%PORT_a%%;
        server  127.0.0.1:%%PORT_b%%;
    }

    smtp_upstream ip {
        ip_hash;
        server  127.0.0.1:%%PORT_a%%;
        server  127.0.0.1:%%PORT_b%%;
    }

    smtp_upstream key {
        hash    $remote_addr  consistent;
        server  127.0.0.1:%%PORT_a%%;
        server  127.0.0.1:%%PORT_b%%;
    }

    smtp_upstream checked {
        server  127.0.0.1:%%PORT_a%%;
        server  127.0.0.1:%%PORT_c%%;
        smtp_health_check  type=connect  interval=50ms;
    }
EOC

    server {
        listen          127.0.0.1:%%PORT_$_%%;
        protocol        smtp_ext;
        smtp_auth_http  http://$_/auth;
    }
EOS

$t->plan(13);

my @names = qw/ a b c /;
my %http = map { $_ => $t->http($_, default => {
    headers => { 'Auth-Status' => 'OK' } }) } @names;
my %was = map { $_ => 0 } @names;
my $ok = qr/^235 /;

$t->run();


sub who {
    my $who = '';

    for my $name (@names) {
        my $n = () = $http{$name}->requests();

        $who .= $name x ($n - $was{$name});
        $was{$name} = $n;
    }

    return $who;
}

# begins to log in; the reply is not read

sub login {
    my ($port, $local) = @_;
    my $c = $t->client($port, $local ? (local => $local) : ());

    $c->read_reply();
    $c->ehlo();
    $c->send_line('AUTH PLAIN AHVzZXIAcGFzcw==');

    return $c;
}

sub hold { $http{a}->set(fault => $_[0] ? { at => 'RESPONSE', do => 'hold' }
                                        : undef) }

# one connection: the second client waits

hold(1);

my $first = login('one');

ok $http{a}->wait_held(1), 'a service is asked';

my $second = login('one');
my $third = login('least');

ok $http{a}->wait_held(2), 'for another group, too';
is who(), 'aa', 'the second one of the first group waits';
$http{a}->release(1);
like $first->read_reply(), $ok, 'there is an answer';
ok $http{a}->wait_held(3), 'the second one is asked about';

# another service of a group has less to do

$first = login('least');
like $first->read_reply(), $ok, 'the one with less to do answers';
is who(), 'ab', 'it is the other one';
hold(0);
$http{a}->release(2);
like $_->read_reply(), $ok, 'all are answered' for $second, $third;

# by the client

my (%ip, %key);

for my $k (1 .. 10) {
    for my $group (qw/ ip key /) {
        my $hash = $group eq 'ip' ? \%ip : \%key;

        for (1 .. 2) {
            login($group, "127.$k.$k.$k")->read_reply();
            $hash->{$k} .= who();
        }
    }
}

is_deeply [ grep { !/^(?:aa|bb)$/ } values %ip, values %key ], [],
   'a client has always the same one';

my %hash = map { my $h = 89;
                 $h = ($h * 113 + $_) % 6271 for 127, $_, $_;
                 $_ => ('aa', 'bb')[$h % 2] } 1 .. 10;

is_deeply \%ip, \%hash, 'ip_hash: the one that nginx would choose';

# one that is checked

$http{c}->stop();
ok $t->wait_log(qr/upstream server 127\.0\.0\.1:\d+ is unhealthy/),
   'a service is unhealthy';

my $errors = () = $t->notices() =~ /\[error\]/g;

login('checked')->read_reply() for 1 .. 4;
is who() . ' ' . ((() = $t->notices() =~ /\[error\]/g) - $errors), 'aaaa 0',
   'nobody asks it';

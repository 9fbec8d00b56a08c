#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# smtp_pass: for whom has authenticated, for whom smtp_relay_from names, and
# for nobody else; the server that an authentication service names.

use warnings;
use strict;

use Test::More;
use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new()->plan(25);

my $mta = $t->server('mta');
my $own = $t->server('own');
my $named = $t->server('named');

my %auth = (
    plain => {},
    server => { 'Auth-Server' => '127.0.0.1', 'Auth-Port' => $t->port('named') },
    group => { 'Auth-Server' => 'Named', 'Auth-Port' => 25 },
    nowhere => { 'Auth-Server' => 'no such name', 'Auth-Port' => 25 },
);

my $http = $t->http('auth', on => {
    '/auth' => sub {
        my ($request) = @_;

        return { status => 200, headers => {
            'Auth-Status' => 'OK', %{$auth{$request->{headers}{'auth-user'}}}
        } };
    },
});

$t->secret('p4ssw0rd');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    smtp_upstream  named { server 127.0.0.1:%%PORT_named%%; }

    smtp_auth_http         http://127.0.0.1:%%PORT_auth%%/auth;
    smtp_auth_require_tls  off;
    smtp_auth_methods      plain;

    server {
        listen    127.0.0.1:%%PORT_smtp%% proxy_protocol;
        protocol  smtp_ext;

        set_real_ip_from  127.0.0.1;

        smtp_relay_from  192.0.2.0/24  198.51.100.7;
        smtp_relay_from  2001:db8::/32;
        smtp_pass        127.0.0.1:%%PORT_mta%%;

        smtp_recipient   @example.com { smtp_pass 127.0.0.1:%%PORT_own%%; }
    }

    server {
        listen    unix:%%TESTDIR%%/smtp.sock;
        listen    127.0.0.1:%%PORT_unix%%;
        protocol  smtp_ext;

        smtp_relay_from  unix:;
        smtp_pass        127.0.0.1:%%PORT_mta%%;
    }

    server {
        listen    127.0.0.1:%%PORT_star%%;
        protocol  smtp_ext;

        smtp_recipient  *  { smtp_pass 127.0.0.1:%%PORT_own%%; }
        smtp_pass          127.0.0.1:%%PORT_mta%%;
    }

    server {
        listen    127.0.0.1:%%PORT_server%%;
        protocol  smtp_ext;
    }
}
EOC

# by address, the one that the PROXY protocol gives

for my $case (
    [ 'TCP4 192.0.2.77 127.0.0.1', 250 ],
    [ 'TCP4 192.0.3.1 127.0.0.1', 550 ],
    [ 'TCP4 198.51.100.7 127.0.0.1', 250 ],
    [ 'TCP4 198.51.100.8 127.0.0.1', 550 ],
    [ 'TCP4 127.0.0.1 127.0.0.1', 550 ],
    [ 'TCP6 2001:db8::1 ::1', 250 ],
    [ 'TCP6 2001:db9::1 ::1', 550 ])
{
    my ($proxy, $code) = @$case;

    my $c = session('smtp', proxy => "PROXY $proxy 1000 25\r\n");

    like $c->rcpt('any@example.net'), qr/^$code /, "$proxy: $code";
    $c->quit();
}

my $c = session('unix:smtp.sock');
like $c->rcpt('any@example.net'), qr/^250 /, 'unix socket';
$c->quit();

$c = session('unix');
like $c->rcpt('any@example.net'), qr/^550 5\.7\.1 /, 'not by TCP';
$c->quit();

# smtp_recipient comes first, also for them

$c = session('smtp', proxy => "PROXY TCP4 192.0.2.77 127.0.0.1 1000 25\r\n");
like $c->rcpt('own@example.com'), qr/^250 /, 'smtp_recipient';
$c->data("Subject: own\r\n\r\n\r\n");
$own->wait_messages(1);
is scalar($own->messages()), 1, 'delivered there';

$c->mail('a@example.com');
$c->rcpt('else@example.net');
$c->data("Subject: else\r\n\r\n\r\n");
$mta->wait_messages(1);
is scalar($mta->messages()), 1, 'the other by smtp_pass';
$c->quit();

# authentication, smtp_pass before "*"

$c = session('star');
like $c->rcpt('own@example.com'), qr/^250 /, '* for everybody';
$c->data("Subject: own\r\n\r\n\r\n");
$own->wait_messages(2);
is scalar($own->messages()), 2, 'delivered there';
$c->quit();

$c = session('star', user => 'server');
like $c->rcpt('own@example.com'), qr/^250 /, 'authenticated';
$c->data("Subject: own\r\n\r\n\r\n");
$mta->wait_messages(2);
is scalar($mta->messages()), 2, 'delivered by smtp_pass, not Auth-Server';
$c->quit();

# no smtp_pass: Auth-Server

$c = session('server');
like $c->rcpt('any@example.net'), qr/^550 5\.7\.1 /, 'not authenticated';
$c->quit();

$c = session('server', user => 'plain');
like $c->rcpt('any@example.net'), qr/^550 5\.7\.1 /, 'no Auth-Server';
$c->quit();

for my $user (qw/ server group /) {
    my $n = () = $named->messages();

    $c = session('server', user => $user);
    like $c->rcpt('one@example.net'), qr/^250 /, "Auth-Server: $user";
    $c->rcpt('two@example.net');
    $c->data("Subject: server\r\n\r\n\r\n");

    $named->wait_messages($n + 1);
    is_deeply [ map { $_->{to} } ($named->messages())[$n .. $n] ],
              [ [ 'one@example.net', 'two@example.net' ] ],
              'both recipients in one message';

    # again in the same session

    $c->send_message(to => 'three@example.net');
    is scalar($named->messages()), $n + 2, 'another message';
    $c->quit();
}

like $http->requests() ? 'asked' : '', qr/asked/, 'the service was asked';


sub session {
    my ($name, %o) = @_;

    my $user = delete $o{user};
    my $c = $t->client($name, %o);

    $c->read_reply();
    $c->ehlo();
    $c->auth_plain($user, 'p4ssw0rd') if defined $user;
    $c->mail('a@example.com');

    return $c;
}

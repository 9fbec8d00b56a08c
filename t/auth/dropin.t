#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# nginx's own mail server of protocol smtp becomes one of smtp_ext by that word
# alone: its directives hold, and the built-in protocols see them as before.

use warnings;
use strict;

use MIME::Base64 qw/ decode_base64 encode_base64 /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(47);

$t->certificate('localhost');
$t->certificate('client');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name  mx.example.com;

    auth_http          127.0.0.1:%%PORT_http%%/mail/auth;
    auth_http_header   X-Auth-Key "a key";
    auth_http_timeout  5s;

    proxy_pass_error_message  on;
    proxy_smtp_auth           on;
    xclient                   off;
    max_errors                3;

    smtp_auth            login plain cram-md5 none;
    smtp_capabilities    "SIZE 100000" PIPELINING;
    smtp_greeting_delay  100ms;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }

    server {
        listen    127.0.0.1:%%PORT_builtin%%;
        protocol  smtp;
    }

    server {
        listen    127.0.0.1:%%PORT_imap%%;
        protocol  imap;
    }

    server {
        listen            127.0.0.1:%%PORT_own%%;
        protocol          smtp_ext;
        auth_http         http://127.0.0.1:%%PORT_http%%/own;
        auth_http_header  X-Own 1;
        smtp_auth         plain;
    }

    server {
        listen                  127.0.0.1:%%PORT_ours%%;
        protocol                smtp_ext;
        smtp_auth_http          http://127.0.0.1:%%PORT_http%%/ours;
        smtp_auth_methods       login;
        smtp_auth_require_tls   off;
        smtp_auth_rcpt          off;
        smtp_max_message_size   5000;
        smtp_pass_auth          off;
        smtp_max_errors         100;
        smtp_banner_delay       0;
    }

    server {
        listen             127.0.0.1:%%PORT_methods%%;
        protocol           smtp_ext;
        smtp_auth_methods  login;
    }

    server {
        listen          127.0.0.1:%%PORT_xclient%%;
        protocol        smtp_ext;
        xclient         on;
        proxy_protocol  on;
    }

    server {
        listen                    127.0.0.1:%%PORT_xclient_ours%%;
        protocol                  smtp_ext;
        xclient                   on;
        proxy_protocol            on;
        smtp_pass_xclient         off;
        smtp_pass_proxy_protocol  off;
    }

    server {
        listen                      127.0.0.1:%%PORT_cert%%  ssl;
        protocol                    smtp_ext;
        auth_http_pass_client_cert  on;
        smtp_auth                   plain external;
        ssl_certificate             %%TESTDIR%%/localhost.crt;
        ssl_certificate_key         %%TESTDIR%%/localhost.key;
        ssl_client_certificate      %%TESTDIR%%/client.crt;
        ssl_verify_client           optional;
    }

    server {
        listen                           127.0.0.1:%%PORT_cert_ours%%  ssl;
        protocol                         smtp_ext;
        auth_http_pass_client_cert       on;
        smtp_auth_http_pass_client_cert  off;
        ssl_certificate                  %%TESTDIR%%/localhost.crt;
        ssl_certificate_key              %%TESTDIR%%/localhost.key;
        ssl_client_certificate           %%TESTDIR%%/client.crt;
        ssl_verify_client                optional;
    }

    server {
        listen             127.0.0.1:%%PORT_slow%%;
        protocol           smtp_ext;
        auth_http_timeout  300ms;
    }

    server {
        listen               127.0.0.1:%%PORT_tls%%;
        protocol             smtp_ext;
        starttls             on;
        ssl_certificate      %%TESTDIR%%/localhost.crt;
        ssl_certificate_key  %%TESTDIR%%/localhost.key;
    }
}
EOC

my $secret = $t->secret('s3cret-passw0rd');
my $ok = '235 2.7.0 Authentication succeeded';

my $mta = $t->server('mta', ehlo => [ 'PIPELINING', 'AUTH PLAIN' ],
                     on => { AUTH => '235 2.7.0 ok' });

my $http = $t->http('http', default => { headers => [
    'Auth-Status' => 'OK', 'Auth-Server' => '127.0.0.1',
    'Auth-Port' => $t->port('mta') ] });

sub request { ($http->requests())[-1] }


# what is offered

my $c = $t->connected();

is $c->{ehlo}{AUTH}, 'PLAIN LOGIN CRAM-MD5', 'smtp_auth';
is $c->{ehlo}{SIZE}, 100000, 'smtp_capabilities';
is $c->cmd('AUTH EXTERNAL'),
   '504 5.5.4 Unrecognized authentication mechanism', 'and no more';

# a login, and the message behind it

is $c->auth_plain('user', $secret), $ok, 'auth_http';
is request()->{path}, '/mail/auth', 'without a scheme';
is request()->{headers}{'x-auth-key'}, 'a key', 'auth_http_header';
is request()->{headers}{'auth-protocol'}, 'smtp', 'the protocol is smtp';

like $c->send_message(), qr/^250 /, 'Auth-Server is the destination';
ok $mta->wait_messages(1), 'the message is there';

my ($auth) = map { /^AUTH PLAIN (\S+)/ ? decode_base64($1) : () }
             $mta->commands();

is $auth, "\0user\0$secret", 'proxy_smtp_auth: with the login of the client';

# without a login: smtp_auth none

$c = $t->connected();
$c->mail('a@b.example');
like $c->rcpt('c@d.example'), qr/^250 /, 'smtp_auth none';
is request()->{headers}{'auth-method'}, 'none', 'is asked about';
is request()->{headers}{'auth-smtp-to'}, 'RCPT TO:<c@d.example>',
   'with the recipient';
like $c->data("Subject: x\r\n\r\nx\r\n"), qr/^250 /, 'and sent there';

# smtp_greeting_delay, max_errors

$c = $t->client('smtp');
$c->send_line('EHLO a');
like $c->read_reply(), qr/^554 /, 'smtp_greeting_delay: too early';
ok $c->eof(), 'closed';

$c = $t->connected();
$c->cmd('FOO') for 1 .. 3;
is $c->read_reply(), '421 4.7.0 Too many errors, closing connection',
   'max_errors';

# xclient, proxy_protocol

my $proxied = $t->server('proxied', proxy => 1, ehlo => [ 'PIPELINING' ]);
my $to_mta = $http->{o}{default};

$http->set(default => { headers => [
    'Auth-Status' => 'OK', 'Auth-Server' => '127.0.0.1',
    'Auth-Port' => $t->port('proxied') ] });
$c = $t->connected('xclient');
$c->mail('a@b.example');
like $c->rcpt('c@d.example'), qr/^250 /, 'xclient, proxy_protocol';
like +($proxied->proxies())[0], qr/^PROXY TCP4 /, 'there is the header';
is +($proxied->commands(1))[1], 'XCLIENT ADDR=127.0.0.1 NAME=[UNAVAILABLE]',
   'and XCLIENT, though it is not offered';
$http->set(default => $to_mta);

my $connections = $mta->connections();

$c = $t->connected('xclient_ours');
$c->mail('a@b.example');
like $c->rcpt('c@d.example'), qr/^250 /, 'ours go before';
is join('|', ($mta->commands($connections + 1))[0 .. 2]),
   'EHLO mx.example.com|MAIL FROM:<a@b.example>|RCPT TO:<c@d.example>',
   'nobody is introduced';

# of the server{} itself

$c = $t->connected('own');
is $c->{ehlo}{AUTH}, 'PLAIN', 'smtp_auth of the server';
is $c->auth_plain('user', $secret), $ok, 'its auth_http';
is request()->{path}, '/own', 'and no other';
is request()->{headers}{'x-own'}, 1, 'its headers';
ok !exists request()->{headers}{'x-auth-key'}, 'and no others';

# ours go before

$c = $t->connected('ours');
is $c->{ehlo}{AUTH}, 'LOGIN', 'smtp_auth_methods';
is $c->{ehlo}{SIZE}, 5000, 'smtp_max_message_size';
is $c->auth_login('user', $secret), $ok, 'smtp_auth_http';
is request()->{path}, '/ours', 'is asked';
ok !exists request()->{headers}{'x-auth-key'},
   'headers are those of its own kind';

# each for what is beside it alone

$c = $t->connected('methods');
is $c->{ehlo}{AUTH}, 'LOGIN', 'smtp_auth_methods, and smtp_auth none';
$c->mail('a@b.example');
like $c->rcpt('c@d.example'), qr/^250 /, 'which holds';

# with TLS in the server, AUTH is under TLS

$c = $t->connected('tls');
is $c->{ehlo}{AUTH}, 'CRAM-MD5', 'no password in clear where there is TLS';

# a certificate of the client

my %ssl = (SSL_cert_file => $t->testdir() . '/client.crt',
           SSL_key_file => $t->testdir() . '/client.key');

for my $name ('cert', 'cert_ours') {
    $c = $t->client($name, ssl => { %ssl });
    $c->read_reply();
    $c->ehlo();

    is $c->{ehlo}{AUTH}, 'PLAIN EXTERNAL', 'smtp_auth external'
        if $name eq 'cert';
    is $c->auth_plain('user', $secret), $ok, "$name: a login";

    my $cert = request()->{headers}{'auth-ssl-cert'};

    $name eq 'cert'
        ? like $cert, qr/^-----BEGIN%20CERTIFICATE-----%0A/,
               'auth_http_pass_client_cert'
        : is $cert, undef, 'ours goes before';
}

# a service that is silent

$http->set(fault => { at => 'RESPONSE', do => 'silent' });
is $t->connected('slow')->auth_plain('user', $secret),
   '454 4.7.0 Temporary authentication failure', 'auth_http_timeout';
$http->set(fault => undef);

# the built-in protocols

$c = $t->client('builtin', timeout => 10);
$c->read_reply();
$c->ehlo();
is $c->{ehlo}{AUTH}, 'PLAIN LOGIN CRAM-MD5', 'smtp has its methods';
like $c->auth_plain('user', $secret), qr/^235 /, 'and auth_http';
is request()->{headers}{'x-auth-key'}, 'a key', 'and its headers';

my $n = () = $http->requests();

$c = $t->client('imap');
like $c->read_line(), qr/^\* OK/, 'imap is there';
$c->send_line(qq{a LOGIN "user" "$secret"});
ok $http->wait_requests($n + 1), 'and asks';

is request()->{headers}{'auth-protocol'}, 'imap', 'as ever';

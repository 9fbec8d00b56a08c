#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# smtp_auth_cache: answers of the auth service are remembered, by all workers,
# for a while, for the very same question, and only where they may be.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Sasl qw/ b64 unb64 hmac_md5 scram scram_headers /;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $t = Test::Nginx::SmtpExt->new(workers => 2);

$t->plan(87);

$t->certificate('localhost');

my $conf = <<'EOC';
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_auth_http         http://127.0.0.1:%%PORT_http%%/auth;
    smtp_auth_require_tls  off;
    smtp_auth_methods      plain login cram-md5 scram-sha-256
                           oauthbearer xoauth2;
    smtp_auth_route        127.0.0.1:%%PORT_two%%;
    smtp_max_errors        100;

    smtp_auth_max_attempts  0;
    smtp_auth_cache         zone=cache:1m  valid=1h  negative=1h;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        listen    127.0.0.1:%%PORT_proxy%%  proxy_protocol;
        protocol  smtp_ext;
        starttls  on;
        set_real_ip_from  127.0.0.1;
    }

    server {
        listen           127.0.0.1:%%PORT_any%%  proxy_protocol;
        protocol         smtp_ext;
        smtp_auth_cache  zone=cache any_address;
        set_real_ip_from  127.0.0.1;
    }

    server {
        listen    127.0.0.1:%%PORT_hidden%%  proxy_protocol;
        protocol  smtp_ext;
    }

    server {
        listen           127.0.0.1:%%PORT_hidden_any%%  proxy_protocol;
        protocol         smtp_ext;
        smtp_auth_cache  zone=cache any_address;
    }

    server {
        listen           127.0.0.1:%%PORT_short%%;
        protocol         smtp_ext;
        smtp_auth_cache  zone=cache valid=1s negative=0;
    }

    server {
        listen                 127.0.0.1:%%PORT_other%%;
        protocol               smtp_ext;
        smtp_auth_http_header  X-Other 1;
    }

    server {
        listen           127.0.0.1:%%PORT_off%%;
        protocol         smtp_ext;
        smtp_auth_cache  off;
    }

    server {
        listen          127.0.0.1:%%PORT_client%%;
        protocol        smtp_ext;
        smtp_pass       127.0.0.1:%%PORT_one%%;
        smtp_pass_auth  client;
    }

    server {
        listen           127.0.0.1:%%PORT_small%%;
        protocol         smtp_ext;
        smtp_auth_cache  zone=small:32k;
    }
}
EOC

$t->write_conf($conf)->run();

my $ok = '235 2.7.0 Authentication succeeded';
my $secret = $t->secret('s3cret-passw0rd');
my %more;

# what belongs to a name is in the answer

my $http = $t->http('http');

sub service {
    my (@headers) = @_;

    $http->set(default => { headers => [ 'Auth-Status' => 'OK', @headers ] });
}

service();

sub connected {
    my ($name, $addr, $to) = @_;

    $to //= '192.0.2.9 1 25';

    my $c = $t->client($name || 'smtp', defined $addr
                       ? (proxy => "PROXY TCP4 $addr $to\r\n") : ());

    $c->read_reply();
    $c->ehlo();

    return $c;
}

sub login {
    my ($user, $pass, @to) = @_;

    return connected(@to)->auth_plain($user, $pass // $secret);
}

sub asked { scalar(() = $http->requests()) }

# is the service asked, and what is the reply?

sub asks {
    my ($sub, @args) = @_;
    my $before = asked();
    my $reply = $sub->(@args);

    return (asked() - $before) . " $reply";
}


# what is remembered

is asks(\&login, 'user'), "1 $ok", 'the first login';
is asks(\&login, 'user'), "0 $ok", 'the next one, from memory' for 1 .. 8;
is asks(\&login, 'user', 'other'), "1 $ok", 'another password';
is asks(\&login, 'user2'), "1 $ok", 'another name';
is asks(sub { connected()->auth_login('user', $secret) }), "0 $ok",
   'LOGIN is the same as PLAIN';

my $c = connected();
$c->starttls();
$c->ehlo();
is asks(sub { $c->auth_plain('user', $secret) }), "1 $ok",
   'TLS is a difference';

is asks(\&login, 'user', undef, 'proxy', '192.0.2.1'), "1 $ok",
   'another address';
is asks(\&login, 'user', undef, 'proxy', '192.0.2.1'), "0 $ok",
   'which is remembered as well';
is asks(\&login, 'user', undef, 'any', '192.0.2.2'), "1 $ok",
   'any address: the first';
is asks(\&login, 'user', undef, 'any', '192.0.2.3'), "0 $ok",
   'any address: another';
is asks(\&login, 'user', undef, @$_), "1 $ok",
   "what a proxy says that is not believed: @$_"
    for [ 'hidden', '192.0.2.1' ], [ 'hidden', '192.0.2.2' ],
        [ 'hidden', '192.0.2.2', '192.0.2.8 1 25' ],
        [ 'hidden', '192.0.2.2', '192.0.2.8 1 587' ],
        [ 'hidden_any', '192.0.2.1', '192.0.2.8 1 25' ];
is asks(\&login, 'user', undef, @$_), "0 $ok", "and then: @$_"
    for [ 'hidden', '192.0.2.1' ],
        [ 'hidden', '192.0.2.2', '192.0.2.8 2 587' ],
        [ 'hidden_any', '192.0.2.2', '192.0.2.8 1 25' ];
is asks(\&login, 'user', undef, 'other'), "1 $ok",
   'other headers of the configuration';
is asks(\&login, 'user', undef, 'off'), "1 $ok", 'off' for 1 .. 2;

# fields do not run into one another

is asks(\&login, 'a', 'bc'), "1 $ok", 'a name and a password';
is asks(\&login, 'ab', 'c'), "1 $ok", 'that are the same together';

# it outlives a reload

$t->reload();
$t->wait_workers(2);
is asks(\&login, 'user'), "0 $ok", 'after a reload';

# refusals

$http->set(default => { headers => [ 'Auth-Status' => 'Wrong',
                                     'Auth-Error-Code' => '535 5.7.99' ] });
is asks(\&login, 'bad'), '1 535 5.7.99 Wrong', 'a refusal';
is asks(\&login, 'bad'), '0 535 5.7.99 Wrong', 'is remembered, and its words';
is asks(\&login, 'bad2', undef, 'short'), '1 535 5.7.99 Wrong',
   'without negative=' for 1 .. 2;

$http->set(default => { headers => [ 'Auth-Status' => 'Later',
                                     'Auth-Error-Code' => '454 4.7.0' ] });
is asks(\&login, 'later'), '1 454 4.7.0 Later', 'not a refusal for now'
    for 1 .. 2;

$http->set(default => { status => 500 });
is asks(\&login, 'broken'), '1 454 4.7.0 Temporary authentication failure',
   'nor what is no answer' for 1 .. 2;

# tokens

service();

sub token {
    my ($mech, $text) = @_;

    return connected()->cmd("AUTH $mech " . b64($text));
}

my $bearer = "n,a=user,\1auth=Bearer abc\1\1";

is asks(\&token, 'OAUTHBEARER', $bearer), "1 $ok", 'a token';
is asks(\&token, 'OAUTHBEARER', $bearer), "0 $ok", 'is remembered';
is asks(\&token, 'OAUTHBEARER', $bearer =~ s/abc/abd/r), "1 $ok",
   'another one is another';
is asks(\&token, 'XOAUTH2', "user=user\1auth=Bearer abc\1\1"), "1 $ok",
   'by another mechanism, too';

$http->set(default => { headers => [ 'Auth-Status' => 'Expired' ] });
like asks(\&token, 'OAUTHBEARER', $bearer =~ s/abc/old/r), qr/^1 334 /,
   'a token that is old';
like asks(\&token, 'OAUTHBEARER', $bearer =~ s/abc/old/r), qr/^0 334 /,
   'is remembered to be';

# what can't be

service();

sub cram {
    my $c = connected();
    my $challenge = unb64($c->cmd('AUTH CRAM-MD5') =~ s/^334 //r);

    return $c->cmd(b64('user ' . hmac_md5($secret, $challenge)));
}

is asks(\&cram), "1 $ok", 'CRAM-MD5' for 1 .. 2;

service(scram_headers('SCRAM-SHA-256', $secret));
is asks(sub { scram(connected(), 'SCRAM-SHA-256', user => 'user',
                    password => $secret)->{reply} }), "1 $ok", 'SCRAM'
    for 1 .. 2;

# what is for the next hop, in place of what the client has

service('Auth-Pass' => 'another');
is asks(\&login, 'pass', undef, 'client'), "1 $ok",
   'a password for the next hop' for 1 .. 2;
service('Auth-Token' => 'token');
is asks(\&login, 'token', undef, 'client'), "1 $ok",
   'a token for the next hop' for 1 .. 2;
service();
is asks(\&login, 'user', undef, 'client'), "1 $ok",
   'nor is known there what was not needed elsewhere';
is asks(\&login, 'user', undef, 'client'), "0 $ok",
   'but there is nothing to be kept back in most answers';

# Cache-Control

my $n = 0;

for my $try (
    [ 'no-store', 1 ],
    [ 'no-cache', 1 ],
    [ 'private, max-age=60', 1 ],
    [ 'Private="x"', 1 ],
    [ 'max-age=0', 1 ],
    [ 'max-age=x', 1 ],
    [ 's-maxage=0, max-age=60', 1 ],
    [ 'max-age=60', 0 ],
    [ 'public,max-age=60', 0 ],
    [ 's-maxage=60, max-age=1', 0 ],
    [ 'no-storex', 0 ],
    [ 'max-age=99999999999', 0 ],
) {
    my ($value, $again) = @$try;
    my $user = 'cc' . $n++;

    service('Cache-Control' => $value);
    login($user);
    is asks(\&login, $user), "$again $ok", "Cache-Control: $value";
}

service('Cache-Control' => 'max-age=60', 'Cache-Control' => 'no-store');
login('lines');
is asks(\&login, 'lines'), "1 $ok", 'Cache-Control in two lines';

# how long

service('Cache-Control' => 'max-age=1');
login('brief');
ok poll(sub { asks(\&login, 'brief') =~ /^1/ }, 5), 'max-age is over';
service('Cache-Control' => 'max-age=3600');
login('brief2', undef, 'short');
ok poll(sub { asks(\&login, 'brief2', undef, 'short') =~ /^1/ }, 5),
   'valid= is over, whatever max-age is';

# all of an answer

my $mta = $t->server('one');
my $two = $t->server('two');

service('Auth-User' => 'alice', 'Auth-Server' => '127.0.0.1',
        'Auth-Port' => $t->port('one'), 'Auth-Max-Size' => 1000,
        'Auth-Max-Rcpt' => 1, 'Auth-Senders' => 'alice@example.com');
login('full');

$c = connected();
is asks(sub { $c->auth_plain('full', $secret) }), "0 $ok", 'a full answer';
like $c->ehlo()->{SIZE}, qr/^1000\z/, 'its size';
like $c->mail('bob@example.com'), qr/^550 5\.7\.1 /, 'its senders';
$c->mail('alice@example.com');
like $c->rcpt('a@example.com'), qr/^250 /, 'its server';
like $c->rcpt('b@example.com'), qr/^452 /, 'its recipients';
like $c->data("Subject: x\r\n\r\nx\r\n"), qr/^250 /, 'the message';
ok $mta->wait_messages(1), 'is there';
ok $t->wait_log(qr/client logged in, .*user: "alice"/), 'its name';

service('Auth-Route' => '127.0.0.1:' . $t->port('two'));
login('routed');
$c = connected();
is asks(sub { $c->auth_plain('routed', $secret) }), "0 $ok", 'a route';
$c->send_message();
ok $two->wait_messages(1), 'leads there';

# a zone that is full: the oldest go

service('Auth-Senders' => join(',', map { "sender$_\@example.com" } 1 .. 50));
login("small$_", undef, 'small') for 1 .. 40;
is asks(\&login, 'small40', undef, 'small'), "0 $ok", 'the last one is there';
is asks(\&login, 'small1', undef, 'small'), "1 $ok", 'the first is not';

# an answer that can't be followed any more is as none, with all it has said

service('Auth-Route' => '127.0.0.1:' . $t->port('two'),
        'Auth-Max-Size' => 1000, 'Auth-Max-Rcpt' => 1,
        'Auth-Senders' => 'alice@example.com');
login('moved');

$t->write_conf($conf =~ s/smtp_auth_route .*//r);
$t->reload();
$t->wait_workers(2);

service('Auth-Server' => '127.0.0.1', 'Auth-Port' => $t->port('one'));
$c = connected();
is asks(sub { $c->auth_plain('moved', $secret) }), "1 $ok",
   'a route that is allowed no longer';
isnt $c->ehlo()->{SIZE}, 1000, 'nothing is left of its size';
like $c->mail('bob@example.com'), qr/^250 /, 'nor of its senders';
like $c->rcpt("$_\@example.com"), qr/^250 /, 'nor of its recipients'
    for 'a', 'b';

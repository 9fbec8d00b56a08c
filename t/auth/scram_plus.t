#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# SCRAM-...-PLUS: the exchange is bound to the TLS connection, by tls-unique
# (RFC 5929, TLS 1.2) or tls-exporter (RFC 9266, TLS 1.3), so that nobody in
# between can pass it on.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Sasl qw/ b64 scram scram_headers tls_unique
                                   tls_exporter /;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(33);

$t->certificate('localhost');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_auth_http   http://127.0.0.1:%%PORT_http%%/auth;
    smtp_max_errors  100;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;
    ssl_session_cache    shared:SSL:1m;
    starttls             on;

    smtp_auth_methods  scram-sha-1 scram-sha-1-plus
                       scram-sha-256 scram-sha-256-plus;

    server {
        listen         127.0.0.1:%%PORT_two%%;
        protocol       smtp_ext;
        ssl_protocols  TLSv1.2;
    }

    server {
        listen         127.0.0.1:%%PORT_three%%;
        protocol       smtp_ext;
        ssl_protocols  TLSv1.3;
    }

    server {
        listen             127.0.0.1:%%PORT_weak%%;
        protocol           smtp_ext;
        ssl_protocols      TLSv1.2;
        ssl_conf_command   Options -ExtendedMasterSecret;
    }

    server {
        listen             127.0.0.1:%%PORT_unbound%%;
        protocol           smtp_ext;
        smtp_auth_methods  scram-sha-256;
    }
}
EOC

my $secret = $t->secret('s3cret-passw0rd');

my %keys = map { $_ => { scram_headers($_, $secret) } }
           qw/ scram-sha-1 scram-sha-256 /;

my $http = $t->http('http', default => sub {
    my ($r) = @_;
    my $keys = $keys{$r->{headers}{'auth-method'}};

    return { headers => [ 'Auth-Status' => 'OK', %$keys ] };
});

my $ok = '235 2.7.0 Authentication succeeded';
my $failed = '535 5.7.8 Authentication credentials invalid';
my $plain = 'SCRAM-SHA-1 SCRAM-SHA-256';
my $all = 'SCRAM-SHA-1 SCRAM-SHA-1-PLUS SCRAM-SHA-256 SCRAM-SHA-256-PLUS';

sub connected {
    my ($name, %o) = @_;

    my $c = $t->client($name);

    $c->read_reply();
    $c->ehlo();
    $c->starttls(%o);
    $c->ehlo();

    return $c;
}

sub login {
    my ($c, $mech, %o) = @_;

    return scram($c, $mech, user => 'user', password => $secret, %o)->{reply};
}


# what is offered

my $c = $t->client('two');

$c->read_reply();
is $c->ehlo()->{AUTH}, $plain, 'not offered before TLS';
is login($c, 'SCRAM-SHA-1-PLUS', gs2 => 'p=tls-unique,,'),
   '538 5.7.11 Encryption required for requested authentication mechanism',
   'nor accepted';
is login($c, 'SCRAM-SHA-256', gs2 => 'y,,'), $ok,
   'a client that could bind sees none';

is connected('two')->{ehlo}{AUTH}, $all, 'offered with TLS 1.2';
is connected('three')->{ehlo}{AUTH}, $all, 'offered with TLS 1.3';

# logins

for my $mech (qw/ SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS /) {
    my %o = (gs2 => 'p=tls-unique,,');

    $c = connected('two');
    is login($c, $mech, %o, binding => tls_unique($c)), $ok,
       "$mech: tls-unique";

    $c = connected('two');
    is login($c, $mech, %o, binding => 'x' x 12), $failed,
       "$mech: another tls-unique";

    $c = connected('two');
    is login($c, $mech, %o), $failed, "$mech: no tls-unique";

    my $other = connected('two');

    $c = connected('two');
    is login($c, $mech, %o, binding => tls_unique($other)), $failed,
       "$mech: that of another connection";

    %o = (gs2 => 'p=tls-exporter,,');

    $c = connected('three');
    is login($c, $mech, %o, binding => tls_exporter($c)), $ok,
       "$mech: tls-exporter";

    $other = connected('three');

    $c = connected('three');
    is login($c, $mech, %o, binding => tls_exporter($other)), $failed,
       "$mech: that of another connection, TLS 1.3";
}

ok $t->wait_log(qr/channel binding is not that of the connection/),
   'which is in the log';

# a session that is resumed: the server's Finished is the first one

require IO::Socket::SSL;

my %cache = (SSL_session_key => 'two',
             SSL_session_cache => IO::Socket::SSL::Session_Cache->new(5));

my $first = connected('two', %cache);

$c = connected('two', %cache);
ok Net::SSLeay::session_reused($c->socket()->_get_ssl_object()),
   'a session is resumed';
is login($c, 'SCRAM-SHA-256-PLUS', gs2 => 'p=tls-unique,,',
         binding => tls_unique($c)), $ok, 'and bound to';

# types that a connection has not

for my $try ([ 'two', 'tls-exporter' ], [ 'three', 'tls-unique' ],
             [ 'three', 'tls-server-end-point' ], [ 'two', 'x' ])
{
    my ($name, $type) = @$try;

    is login(connected($name), 'SCRAM-SHA-256-PLUS', gs2 => "p=$type,,"),
       $failed, "$type with TLS $name";
}

# flags that do not fit

is login(connected('two'), 'SCRAM-SHA-256-PLUS', gs2 => 'n,,'), $failed,
   '-PLUS without a binding';
is login(connected('two'), 'SCRAM-SHA-256-PLUS', gs2 => 'y,,'), $failed,
   '-PLUS by who sees none';

$c = connected('two');
is login($c, 'SCRAM-SHA-256', gs2 => 'p=tls-unique,,',
         binding => tls_unique($c)), $failed, 'a binding without -PLUS';

is login(connected('two'), 'SCRAM-SHA-256', gs2 => 'n,,'), $ok,
   'who can not bind may do without';
is login(connected('two'), 'SCRAM-SHA-256', gs2 => 'y,,'), $failed,
   'who could, and has not seen that we can';
ok $t->wait_log(qr/client has not seen that channel binding is offered/),
   'which is in the log, too';
is login(connected('unbound'), 'SCRAM-SHA-256', gs2 => 'y,,'), $ok,
   'and where it is not offered it has not';

# RFC 7627: without an extended master secret tls-unique is not unique

$c = connected('weak');
is $c->{ehlo}{AUTH}, $plain, 'not offered where it is not safe';
is login($c, 'SCRAM-SHA-256-PLUS', gs2 => 'p=tls-unique,,',
         binding => tls_unique($c)),
   '504 5.5.4 Unrecognized authentication mechanism', 'nor accepted there';

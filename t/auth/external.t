#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# EXTERNAL, RFC 4422, A: the client has shown its certificate, the service says
# who that is.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Sasl qw/ b64 /;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(24);

$t->certificate('localhost');
$t->certificate('ca', is_ca => 1);
$t->certificate('someone', ca => 'ca');
$t->certificate('stranger');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_auth_http   http://127.0.0.1:%%PORT_http%%/auth;
    smtp_max_errors  100;

    smtp_auth_methods       plain external;
    smtp_auth_max_attempts  0;

    ssl_certificate         %%TESTDIR%%/localhost.crt;
    ssl_certificate_key     %%TESTDIR%%/localhost.key;
    ssl_client_certificate  %%TESTDIR%%/ca.crt;

    server {
        listen             127.0.0.1:%%PORT_smtp%%;
        protocol           smtp_ext;
        starttls           on;
        ssl_verify_client  optional;
    }

    server {
        listen             127.0.0.1:%%PORT_any%% ssl;
        protocol           smtp_ext;
        ssl_verify_client  optional_no_ca;
    }

    server {
        listen    127.0.0.1:%%PORT_never%% ssl;
        protocol  smtp_ext;
    }
}
EOC

# it knows one certificate, and who may act for whom

my $http = $t->http('http', default => sub {
    my ($r) = @_;
    my $h = $r->{headers};

    return { headers => [ 'Auth-Status' => 'Unknown certificate' ] }
        unless $h->{'auth-method'} eq 'external'
               && $h->{'auth-ssl-verify'} eq 'SUCCESS'
               && $h->{'auth-ssl-subject'} eq 'CN=someone';

    my $user = $h->{'auth-user'} || 'someone@example.com';

    return { headers => [ 'Auth-Status' => $user =~ /^someone/
                              ? 'OK' : 'Not allowed to be another',
                          'Auth-User' => $user ] };
});

my $ok = '235 2.7.0 Authentication succeeded';
my $unknown = '504 5.5.4 Unrecognized authentication mechanism';

sub tls {
    my ($name) = @_;

    return () unless defined $name;
    return (SSL_cert_file => $t->testdir() . "/$name.crt",
            SSL_key_file => $t->testdir() . "/$name.key");
}

sub connected {
    my ($name) = @_;

    my $c = $t->client('smtp');

    $c->read_reply();
    $c->ehlo();
    $c->starttls(tls($name));
    $c->ehlo();

    return $c;
}

sub implicit {
    my ($to, $name) = @_;

    my $c = $t->client($to, ssl => { tls($name) });

    $c->read_reply();
    $c->ehlo();

    return $c;
}


# to whom it is offered

my $c = $t->client('smtp');

$c->read_reply();
ok !exists $c->ehlo()->{AUTH}, 'not offered before TLS';
is $c->cmd('AUTH EXTERNAL ='),
   '538 5.7.11 Encryption required for requested authentication mechanism',
   'nor accepted';

$c = connected();
is $c->{ehlo}{AUTH}, 'PLAIN', 'not without a certificate';
is $c->cmd('AUTH EXTERNAL ='), $unknown, 'nor accepted then';

$c = implicit('any', 'stranger');
is $c->{ehlo}{AUTH}, 'PLAIN', 'not with one that nobody trusts';
is $c->cmd('AUTH EXTERNAL ='), $unknown, 'nor accepted with such a one';

$c = implicit('never', 'someone');
is $c->{ehlo}{AUTH}, 'PLAIN', 'not where no certificate is asked for';

is scalar(() = $http->requests()), 0, 'nobody was asked so far';

is implicit('any', 'someone')->{ehlo}{AUTH}, 'PLAIN EXTERNAL',
   'with one that is good';

# logins

$c = connected('someone');
is $c->{ehlo}{AUTH}, 'PLAIN EXTERNAL', 'after STARTTLS as well';
is $c->cmd('AUTH EXTERNAL ='), $ok, 'as whoever it is';

my $request = ($http->requests())[-1]{raw} =~ s/\r//gr;

like $request, qr/^Auth-Method:\ external\nAuth-User:\ \nAuth-Pass:\ \n
                  Auth-Protocol:\ smtp\n
                  (?:.*\n)*Auth-SSL-Verify:\ SUCCESS\n
                  Auth-SSL-Subject:\ CN=someone\n/mx, 'the request';
ok $t->wait_log(qr/client\ logged\ in,\ mechanism:\ EXTERNAL,
                   \ user:\ "someone\@example\.com"/x), 'its name';

$c = connected('someone');
is $c->cmd('AUTH EXTERNAL'), '334 ', 'an empty challenge';
is $c->cmd(''), $ok, 'and an empty response';

$c = connected('someone');
is $c->cmd('AUTH EXTERNAL ' . b64('someone.else@example.com')), $ok,
   'as someone';
like +($http->requests())[-1]{raw},
     qr/^Auth-User: someone\.else\@example\.com\r$/m, 'its name is asked for';

$c = connected('someone');
is $c->cmd('AUTH EXTERNAL ' . b64('boss@example.com')),
   '535 5.7.8 Not allowed to be another', 'as someone that it must not be';

# names that are none

my $n = () = $http->requests();

is $c->cmd('AUTH EXTERNAL ' . b64("a\0b")),
   '501 5.5.2 Cannot decode authentication response', 'a NUL';
is $c->cmd('AUTH EXTERNAL ' . b64("a\xc3")),
   '501 5.5.2 Cannot decode authentication response', 'half a character';
is $c->cmd('AUTH EXTERNAL ' . b64("a\r\nAuth-SSL-Subject: x")),
   '535 5.7.8 Authentication credentials invalid', 'a line end';
is $c->cmd('AUTH EXTERNAL ' . b64('x' x 511)),
   '535 5.7.8 Authentication credentials invalid', 'a long one';
is scalar(() = $http->requests()), $n, 'nobody was asked about these';

# the service has to say who that is

$http->set(on => { '/auth' => { headers => [ 'Auth-Status' => 'OK' ] } });
is $c->cmd('AUTH EXTERNAL ='), '454 4.7.0 Temporary authentication failure',
   'a service that names nobody';

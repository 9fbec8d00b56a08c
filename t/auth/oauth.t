#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# OAUTHBEARER, RFC 7628, and XOAUTH2: the service judges the token; who is
# refused gets a challenge that says what is wrong, in JSON.

use warnings;
use strict;

use JSON::PP ();
use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Sasl qw/ b64 unb64 /;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(54);

$t->certificate('localhost');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name        mx.example.com;
    smtp_auth_http     http://127.0.0.1:%%PORT_http%%/auth;
    smtp_auth_methods  oauthbearer xoauth2;
    smtp_max_errors    100;

    smtp_auth_require_tls   off;
    smtp_auth_max_attempts  0;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }

    server {
        listen                         127.0.0.1:%%PORT_more%%;
        protocol                       smtp_ext;
        smtp_auth_max_attempts         2;
        smtp_auth_oauth_scope          https://mail.example.com/;
        smtp_auth_oauth_configuration
            https://example.com/.well-known/openid-configuration;
    }

    server {
        listen                 127.0.0.1:%%PORT_tls%%;
        protocol               smtp_ext;
        starttls               on;
        smtp_auth_require_tls  on;
    }
}
EOC

my $token = $t->secret('ya29.vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==');
my $user = 'user@example.com';

my $http = $t->http('http', default => sub {
    my ($r) = @_;
    my $h = $r->{headers};

    return { headers => [
        'Auth-Status' => $h->{'auth-token'} eq $token ? 'OK' : 'Token expired',
        'Auth-User' => 'user@example.com' ] };
});

my $ok = '235 2.7.0 Authentication succeeded';
my $failed = '535 5.7.8 Authentication credentials invalid';
my $expired = '535 5.7.8 Token expired';
my $bad = '501 5.5.2 Cannot decode authentication response';

sub bearer {
    my ($token, $user) = @_;

    return 'n,' . (defined $user ? "a=$user" : '') . ",\1host=mx.example.com\1"
        . "port=587\1auth=Bearer $token\1\1";
}

sub xoauth {
    my ($token, $user) = @_;

    return "user=$user\1auth=Bearer $token\1\1";
}

# what a challenge says

sub error {
    my ($reply) = @_;

    return $reply =~ /^334 (\S+)$/ ? JSON::PP::decode_json(unb64($1)) : $reply;
}


# what is offered, and under what

my $c = $t->connected();

is $c->{ehlo}{AUTH}, 'OAUTHBEARER XOAUTH2', 'both are offered';

$c = $t->connected('tls');
ok !exists $c->{ehlo}{AUTH}, 'not without TLS';

for my $mech (qw/ OAUTHBEARER XOAUTH2 /) {
    is $c->cmd("AUTH $mech"),
       '538 5.7.11 Encryption required for requested authentication mechanism',
       "$mech: not accepted without it";
}

$c->starttls();
is $c->ehlo()->{AUTH}, 'OAUTHBEARER XOAUTH2', 'with TLS';

# tokens that are good

is $c->cmd('AUTH OAUTHBEARER ' . b64(bearer($token, $user))), $ok,
   'OAUTHBEARER';

like +(($http->requests())[-1]{raw} =~ s/\r//gr),
     qr/^GET\ \S+\ HTTP\/1\.1\nHost:\ \S+\n
        Auth-Method:\ oauthbearer\n
        Auth-User:\ user\@example\.com\n
        Auth-Token:\ \Q$token\E\n
        Auth-Protocol:\ smtp\n/x, 'the request';

$c = $t->connected();
is $c->cmd('AUTH OAUTHBEARER ' . b64(bearer($token))), $ok,
   'nobody is named, the service says who it is';
unlike +($http->requests())[-1]{raw}, qr/^Auth-(?:User|Pass):/m,
     'nobody is in the request';
ok $t->wait_log(qr/client\ logged\ in,\ mechanism:\ OAUTHBEARER,
                   \ user:\ "user\@example\.com"/x), 'but in the log';

$c = $t->connected();
is $c->cmd('AUTH OAUTHBEARER'), '334 ', 'without an initial response';
is $c->cmd(b64(bearer($token, 'a=2Cb=3Dc'))), $ok, 'a name with escapes';
is +($http->requests())[-1]{headers}{'auth-user'}, 'a,b=c', 'undone';

$c = $t->connected();
is $c->cmd('AUTH XOAUTH2 ' . b64(xoauth($token, $user))), $ok, 'XOAUTH2';
like +($http->requests())[-1]{raw},
     qr/^Auth-Method:\ xoauth2\r\nAuth-User:\ user\@example\.com\r\n
        Auth-Token:\ \Q$token\E\r\n/mx, 'its request';

$c = $t->connected();
is $c->cmd('AUTH XOAUTH2'), '334 ', 'XOAUTH2 without an initial response';
is $c->cmd(b64(xoauth($token, $user))), $ok, 'and with the next one';

# a token as they are today

my $long = $t->secret('x' x 7993 . '/+-._~=');

$c = $t->connected();
is error($c->cmd('AUTH OAUTHBEARER ' . b64(bearer($long))))->{status},
   'invalid_token', 'a long token';
is +($http->requests())[-1]{headers}{'auth-token'}, $long, 'arrives';

is $c->cmd(b64("\1")), $expired, 'to be refused';
is $c->cmd('AUTH OAUTHBEARER ' . b64(bearer("x$long"))), $failed,
   'one that is longer is not asked about';
like $c->cmd('AUTH XOAUTH2 ' . 'A' x 12600), qr/^500 /,
     'one that is too long';
is $c->cmd('NOOP'), '250 2.0.0 OK', 'is no end';

# tokens that are not

$c = $t->connected();
is_deeply error($c->cmd('AUTH OAUTHBEARER ' . b64(bearer('old', $user)))),
          { status => 'invalid_token' }, 'OAUTHBEARER: refused';
is $c->cmd(b64("\1")), $expired, 'and then in words';
is_deeply error($c->cmd('AUTH XOAUTH2 ' . b64(xoauth('old', $user)))),
          { status => '401', schemes => 'bearer' }, 'XOAUTH2: refused';
is $c->cmd(''), $expired, 'and then in words of XOAUTH2';

$c->cmd('AUTH OAUTHBEARER ' . b64(bearer('old', $user)));
is $c->cmd('*'), '501 5.7.0 Authentication cancelled', 'cancelled there';
$c->cmd('AUTH OAUTHBEARER ' . b64(bearer('old', $user)));
is $c->cmd(b64('whatever')), $expired, 'another last response';
is $c->cmd('AUTH OAUTHBEARER ' . b64(bearer($token, $user))), $ok,
   'and a good one, in the same session';

$c = $t->connected('more');
is_deeply error($c->cmd('AUTH OAUTHBEARER ' . b64(bearer('old', $user)))),
    { status => 'invalid_token', scope => 'https://mail.example.com/',
      'openid-configuration' =>
          'https://example.com/.well-known/openid-configuration' },
    'what is configured';
$c->cmd(b64("\1"));
is_deeply error($c->cmd('AUTH XOAUTH2 ' . b64(xoauth('old', $user)))),
    { status => '401', schemes => 'bearer',
      scope => 'https://mail.example.com/' }, 'for XOAUTH2';
is $c->cmd(''), $expired, 'the second refusal';
is $c->read_reply(), '421 4.7.0 Too many errors, closing connection',
   'is one too many';

# a question

my $requests = () = $http->requests();

$c = $t->connected('more');
is error($c->cmd('AUTH OAUTHBEARER '
                 . b64("n,a=$user,\1host=a\1port=143\1auth=\1\1")))->{scope},
   'https://mail.example.com/', 'which scope?';
is $c->cmd(b64("\1")), $failed, 'is no login';
is error($c->cmd('AUTH OAUTHBEARER ' . b64("n,,\1auth=MAC x\1\1")))->{status},
   'invalid_token', 'a token of another kind';
is $c->cmd(b64("\1")), $failed, 'is none';

# messages that are none

$c = $t->connected();

for my $try (
    [ 'OAUTHBEARER', "\1", 'the end of a refusal' ],
    [ 'OAUTHBEARER', '', 'nothing' ],
    [ 'OAUTHBEARER', "n,,\1auth=Bearer a b\1\1", 'a space in a token' ],
    [ 'OAUTHBEARER', "n,,\1auth=Bearer a\r\nX-A: b\1\1",
      'a line end in a token' ],
    [ 'OAUTHBEARER', "n,,\1auth=Bearer a\1", 'no end' ],
    [ 'OAUTHBEARER', xoauth($token, $user), 'that of XOAUTH2' ],
    [ 'OAUTHBEARER', "p=tls-unique,,\1auth=Bearer $token\1\1", 'a binding' ],
    [ 'XOAUTH2', bearer($token, $user), 'that of OAUTHBEARER' ],
    [ 'XOAUTH2', "user=\1auth=Bearer $token\1\1", 'no user' ],
    [ 'XOAUTH2', "user=a\0b\1auth=Bearer $token\1\1", 'a NUL' ],
) {
    is $c->cmd("AUTH $try->[0] " . ($try->[1] eq '' ? '=' : b64($try->[1]))),
       $bad, "$try->[0]: $try->[2]";
}

is $c->cmd('AUTH XOAUTH2 ' . b64(xoauth($token, "a\r\nX-A: b"))), $failed,
   'a line end in a name';
is $c->cmd('AUTH OAUTHBEARER ' . b64(bearer($token, "a\nb"))), $failed,
   'for OAUTHBEARER, too';

is scalar(() = $http->requests()), $requests, 'nobody was asked about these';

# the service says neither yes nor no

$http->set(on => { '/auth' => { headers => [
    'Auth-Status' => 'Keys can not be had', 'Auth-Error-Code' => '454 4.7.0',
] } });
is $c->cmd('AUTH OAUTHBEARER ' . b64(bearer($token, $user))),
   '454 4.7.0 Keys can not be had', 'a refusal for now says nothing of it';

$http->set(on => { '/auth' => { headers => [ 'Auth-Status' => 'OK' ] } });
is $c->cmd('AUTH OAUTHBEARER ' . b64(bearer($token))),
   '454 4.7.0 Temporary authentication failure', 'nobody says who it is';
ok $t->wait_log(qr/invalid "Auth-User"/), 'which is in the log';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The auth service: what it is asked, octet by octet, and what each of its
# answers does.

use warnings;
use strict;

use MIME::Base64 qw/ encode_base64 /;
use Test::More;
use Time::HiRes qw/ time /;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(56);

$t->certificate('localhost');
$t->certificate('ca', is_ca => 1);
$t->certificate('someone', ca => 'ca');

$t->write_conf(<<'EOF')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_max_errors  100;

    smtp_auth_http          http://127.0.0.1:%%PORT_http%%/auth?a=b;
    smtp_auth_http_header   X-Auth-Key "a shared secret";
    smtp_auth_require_tls   off;
    smtp_auth_max_attempts  0;

    ssl_certificate         %%TESTDIR%%/localhost.crt;
    ssl_certificate_key     %%TESTDIR%%/localhost.key;
    ssl_protocols           TLSv1.2;
    ssl_client_certificate  %%TESTDIR%%/ca.crt;

    smtp_upstream api {
        server  127.0.0.1:%%PORT_dead%%;
        server  127.0.0.1:%%PORT_http%%;
    }

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }

    server {
        listen             127.0.0.1:%%PORT_tls%% ssl;
        protocol           smtp_ext;
        ssl_verify_client  optional_no_ca;
    }

    server {
        listen                           127.0.0.1:%%PORT_cert%% ssl;
        protocol                         smtp_ext;
        ssl_verify_client                on;
        smtp_auth_http_pass_client_cert  on;
        smtp_auth_http_header            X-One 1;
        smtp_auth_http_header            X-Two "";
    }

    server {
        listen            127.0.0.1:%%PORT_proxy%% proxy_protocol;
        protocol          smtp_ext;
        set_real_ip_from  127.0.0.1;
        smtp_auth_http    http://127.0.0.1:%%PORT_http%%;
    }

    server {
        listen          127.0.0.1:%%PORT_unix%%;
        protocol        smtp_ext;
        smtp_auth_http  http://unix:%%TESTDIR%%/auth.sock:/auth;
    }

    server {
        listen          127.0.0.1:%%PORT_group%%;
        protocol        smtp_ext;
        smtp_auth_http  http://api?x;
    }
}
EOF

my $ok = '235 2.7.0 Authentication succeeded';
my $unavailable = '454 4.7.0 Temporary authentication failure';

my $host = '127.0.0.1:' . $t->port('http');

my $good = { headers => [ 'Auth-Status' => 'OK' ] };
my $http = $t->http('http', default => $good);
my $unix = $t->http('unix:auth.sock', default => $good);

# the last request, its lines joined by "\n"

sub request {
    my ($h) = @_;

    return (($h || $http)->requests())[-1]->{raw} =~ s/\r\n/\n/gr;
}

# the reply when the service answers like this

sub verdict {
    my (@headers) = @_;

    $http->set(default => { headers => \@headers });

    return $t->connected()->auth_plain('user', 'pass');
}


# the request

my $c = $t->connected();

is $c->auth_plain("user %\xc3\xa4\@example.com", "a b%c\td\r\ne\x7f\xff"), $ok,
   'login';

is request(), <<"EOF", 'the whole request';
GET /auth?a=b HTTP/1.1
Host: $host
Auth-Method: plain
Auth-User: user%20%25\xc3\xa4\@example.com
Auth-Pass: a%20b%25c%09d%0D%0Ae\x7f\xff
Auth-Protocol: smtp
Auth-Login-Attempt: 1
Client-IP: 127.0.0.1
Client-Host: [UNAVAILABLE]
X-Auth-Key: a shared secret

EOF

$http->set(default => { headers => [ 'Auth-Status' => 'no' ] });
$c = $t->connected();
$c->auth_plain('user', 'pass') for 1 .. 2;
$http->set(default => { status => 500 });
is $c->auth_plain('user', 'pass'), $unavailable, 'no verdict';
$http->set(default => $good);
is $c->auth_plain('user', 'pass'), $ok, 'and login';
is join(' ', map { $_->{headers}{'auth-login-attempt'} }
                 ($http->requests())[-4 .. -1]),
   '1 2 3 3', 'attempts are counted when there is a verdict';

# TLS

my $cipher = 'ECDHE-ECDSA-AES128-GCM-SHA256';

$c = $t->connected('tls', ssl => { SSL_cipher_list => $cipher });
is $c->auth_plain('user', 'pass'), $ok, 'TLS';

is request(), <<"EOF", 'request under TLS';
GET /auth?a=b HTTP/1.1
Host: $host
Auth-Method: plain
Auth-User: user
Auth-Pass: pass
Auth-Protocol: smtp
Auth-Login-Attempt: 1
Client-IP: 127.0.0.1
Client-Host: [UNAVAILABLE]
Auth-SSL: on
Auth-SSL-Protocol: TLSv1.2
Auth-SSL-Cipher: $cipher
Auth-SSL-Verify: NONE
X-Auth-Key: a shared secret

EOF

$c = $t->connected('cert', ssl => {
    SSL_cipher_list => $cipher,
    SSL_cert_file => $t->testdir() . '/someone.crt',
    SSL_key_file => $t->testdir() . '/someone.key',
});
is $c->auth_plain('user', 'pass'), $ok, 'client certificate';

my $pem = $t->read_file('someone.crt');

$pem =~ s/^.*(?=-----BEGIN)//s;
$pem =~ s/([ %\n])/sprintf '%%%02X', ord $1/ge;

my $lines = request();

$lines =~ s/^(Auth-SSL-Serial:) [0-9A-F]+$/$1 (hex)/m;
$lines =~ s/^(Auth-SSL-Fingerprint:) [0-9a-f]{40}$/$1 (40 hex)/m;

is $lines, <<"EOF", 'request with a certificate';
GET /auth?a=b HTTP/1.1
Host: $host
Auth-Method: plain
Auth-User: user
Auth-Pass: pass
Auth-Protocol: smtp
Auth-Login-Attempt: 1
Client-IP: 127.0.0.1
Client-Host: [UNAVAILABLE]
Auth-SSL: on
Auth-SSL-Protocol: TLSv1.2
Auth-SSL-Cipher: $cipher
Auth-SSL-Verify: SUCCESS
Auth-SSL-Subject: CN=someone
Auth-SSL-Issuer: CN=ca
Auth-SSL-Serial: (hex)
Auth-SSL-Fingerprint: (40 hex)
Auth-SSL-Cert: $pem
X-One: 1
X-Two:${\ ' '}

EOF

# PROXY protocol

$c = $t->connected('proxy',
               proxy => "PROXY TCP4 192.0.2.1 198.51.100.2 1234 25\r\n");
is $c->auth_plain('user', 'pass'), $ok, 'PROXY protocol';

is request(), <<"EOF", 'request with PROXY protocol';
GET / HTTP/1.1
Host: $host
Auth-Method: plain
Auth-User: user
Auth-Pass: pass
Auth-Protocol: smtp
Auth-Login-Attempt: 1
Client-IP: 192.0.2.1
Client-Host: [UNAVAILABLE]
Proxy-Protocol-Addr: 192.0.2.1
Proxy-Protocol-Port: 1234
Proxy-Protocol-Server-Addr: 198.51.100.2
Proxy-Protocol-Server-Port: 25
X-Auth-Key: a shared secret

EOF

# other places

is $t->connected('unix')->auth_plain('user', 'pass'), $ok, 'unix socket';
like request($unix), qr!^GET /auth HTTP/1.1\nHost: localhost\n!,
     'request to it';

is $t->connected('group')->auth_plain('user', 'pass'), $ok,
   'a group' for 1 .. 3;
like request(), qr!^GET /\?x HTTP/1.1\nHost: api\n!, 'request to it';

# answers: good ones

is verdict('Auth-Status' => 'OK', 'X-Other' => 'x'), $ok, 'OK';
is verdict('auth-status' => 'OK'), $ok, 'names in lower case';
is verdict('Auth-Status' => 'OK', 'Auth-Server' => '127.0.0.1',
           'Auth-Port' => 25), $ok, 'OK with a server';
is verdict('Auth-Status' => 'OK', 'Auth-Server' => 'mta_1.example.com',
           'Auth-Port' => 65535), $ok, 'a name of a server';
is verdict('Auth-Status' => 'OK', 'Auth-Server' => '2001:db8::1',
           'Auth-Port' => 25), $ok, 'an IPv6 address';
is verdict('Auth-Status' => 'OK', 'Auth-Server' => '[2001:db8::1]',
           'Auth-Port' => 25), $ok, 'in brackets';
is verdict('Auth-Status' => 'OK', 'Auth-User' => 'alice',
           'Auth-Pass' => $t->secret('n3xt-h0p-secret')), $ok,
   'another name, and a password';
ok $t->wait_log(qr/client logged in, .*user: "alice"/), 'the name is logged';
is verdict('Auth-Status' => 'OK', 'Auth-Wait' => 30), $ok,
   'no wait for who may';

$http->set(default => { status => 204, headers => [ 'Auth-Status' => 'OK' ] });
is $t->connected()->auth_plain('user', 'pass'), $ok, 'status 204';

$http->set(default => { raw => "HTTP/1.1 100 Continue\r\n\r\n"
    . "HTTP/1.1 103 Early Hints\r\nAuth-Status: no\r\n\r\n"
    . "HTTP/1.0 200\nAuth-Status: \t OK \t \n\n" });
is $t->connected()->auth_plain('user', 'pass'), $ok,
   'interim answers are skipped';

# refusals

is verdict('Auth-Status' => 'Invalid login or password'),
   '535 5.7.8 Invalid login or password', 'refused';
is verdict('Auth-Status' => 'ok'), '535 5.7.8 ok', 'OK in lower case is none';
is verdict('Auth-Status' => "caf\xc3\xa9 250 ok"),
   '535 5.7.8 caf?? 250 ok', 'not US-ASCII';
like verdict('Auth-Status' => 'x' x 4000), qr/^535 5\.7\.8 x{400,500}\z/,
     'long';
is verdict('Auth-Status' => 'no', 'Auth-Error-Code' => '550'),
   '550 5.0.0 no', 'a code';
is verdict('Auth-Status' => 'no', 'Auth-Error-Code' => '534 5.7.9'),
   '534 5.7.9 no', 'with an enhanced one';
is verdict('Auth-Status' => 'no', 'Auth-Error-Code' => '454 4.7.0'),
   '454 4.7.0 no', 'a temporary one';

for my $code ('235', '235 2.7.0', '600', '53', '5350', 'x35', '535 4.7.8',
              '535 5.7.8 more', '535-5.7.8')
{
    is verdict('Auth-Status' => 'no', 'Auth-Error-Code' => $code),
       '535 5.7.8 no', "invalid code $code";
}

$http->set(default => { headers => [ 'Auth-Status' => 'busy',
                                     'Auth-Error-Code' => '421 4.7.0' ] });
$c = $t->connected();
is $c->auth_plain('user', 'pass'), '421 4.7.0 busy', 'code 421';
ok $c->eof(), 'closes';

# delay

$http->set(default => { headers => [ 'Auth-Status' => 'no',
                                     'Auth-Wait' => 1 ] });
$c = $t->connected();
my $start = time();
is $c->auth_plain('user', 'pass'), '535 5.7.8 no', 'refused, after a while';
cmp_ok time() - $start, '>=', 0.9, 'which was as long as it should be';

is verdict('Auth-Status' => 'no', 'Auth-Wait' => $_), '535 5.7.8 no',
   "Auth-Wait: $_" for '-1', 'x', '0';

# a service that does not know yet

sub wait_then {
    my ($n, $then) = @_;

    $http->set(default => [ (map { { headers => [ 'Auth-Status' => 'WAIT',
                                                  'Auth-Wait' => 1 ] } }
                                 1 .. $n), $then ]);
}

$start = time();
my $asked = () = $http->requests();

wait_then(1, $good);
is $t->connected()->auth_plain('user', 'pass'), $ok, 'WAIT: asked again';
cmp_ok time() - $start, '>=', 0.9, 'after the time that it wanted';

my @asked = map { $_->{raw} } ($http->requests())[$asked .. $asked + 1];

is $asked[1], $asked[0], 'the same';

wait_then(4, $good);
is $t->connected()->auth_plain('user', 'pass'), $unavailable,
   'not as often as it likes';

# the client leaves while it waits: nothing may be left of it

$http->set(default => { headers => [ 'Auth-Status' => 'no',
                                     'Auth-Wait' => 2 ] });
$c = $t->connected();
my $n = () = $http->requests();
$c->send_line('AUTH PLAIN ' . encode_base64("\0user\0pass", ''));
$http->wait_requests($n + 1);
$c->reset();
$http->set(default => $good);
is $t->connected()->auth_plain('user', 'pass'), $ok, 'others are served';

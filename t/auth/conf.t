#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Directives of authentication: what is taken, what is refused and why.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

# what is taken

my @good = (
    '',
    'smtp_auth_http http://127.0.0.1;',
    'smtp_auth_http http://127.0.0.1:8080;',
    'smtp_auth_http HTTP://127.0.0.1:8080/a/b?c=d;',
    'smtp_auth_http http://127.0.0.1?c=d;',
    'smtp_auth_http http://[::1];',
    'smtp_auth_http http://[::1]:8080/a;',
    'smtp_auth_http http://localhost:8080/a:b;',
    'smtp_auth_http http://api/a;',
    'smtp_auth_http https://127.0.0.1/a;',
    'smtp_auth_http HTTPS://api?a;',
    'smtp_auth_http https://unix:/tmp/a.sock:/b; smtp_http_ssl_name a.example;',
    'smtp_auth_http http://unix:/tmp/a.sock;',
    'smtp_auth_http http://unix:/tmp/a.sock:/b;',
    'smtp_auth_http http://127.0.0.1; smtp_auth_methods plain login;',
    'smtp_auth_http http://127.0.0.1; smtp_auth_methods LOGIN;',
    'smtp_auth_http http://127.0.0.1; smtp_auth_methods cram-md5
     scram-sha-1 scram-sha-1-plus scram-sha-256 scram-sha-256-plus
     oauthbearer xoauth2 external;',
    'smtp_auth_methods none;',
    'smtp_auth_scram_secret "a b"; smtp_auth_scram_iterations 600000;',
    'smtp_auth_scram_iterations 10000000;',
    'smtp_auth_cache zone=a:32k valid=1m negative=0 any_address;
     smtp_auth_limit zone=b:1m address=0 user=0 time=1s delay=0;',
    'smtp_auth_cache off; smtp_auth_limit off;',
    'smtp_auth_http http://127.0.0.1; smtp_auth_methods none;
     smtp_auth_rcpt on; smtp_auth_http_client_host off;',
    'smtp_auth_route 127.0.0.1 discard: lmtp://unix:/run/x;
     smtp_auth_route 127.0.0.1:24;',
    'smtp_auth_oauth_scope "https://a.example/ b";
     smtp_auth_oauth_configuration https://a.example/c;',
    'smtp_auth_http_header X-A "b c";',
    'smtp_auth_http_header X-A "";',
    'smtp_auth_http_timeout 5s; smtp_auth_http_connect_timeout 1s;
     smtp_auth_require_tls off; smtp_auth_max_attempts 0;
     smtp_auth_http_pass_client_cert on;',
);

# what is refused, and why

my @bad = (
    [ 'smtp_auth_http http://a.b@c;', 'user in URL' ],
    [ 'smtp_auth_http http://;', 'no host in URL' ],
    [ 'smtp_auth_http http:///a;', 'no host in URL' ],
    [ 'smtp_auth_http http://:80/a;', 'no host' ],
    [ 'smtp_auth_http http://127.0.0.1:0/a;', 'invalid port' ],
    [ 'smtp_auth_http http://127.0.0.1:65536/a;', 'invalid port' ],
    [ 'smtp_auth_http http://[::1/a;', 'invalid host' ],
    [ 'smtp_auth_http http://unix:;', 'no path in the unix domain socket' ],
    [ 'smtp_auth_http http://unix:/a:b;', '"/" expected at "b" in URL' ],
    [ 'smtp_auth_http http://api:80/a;', 'may not have port 80' ],
    [ 'smtp_auth_http ftp://127.0.0.1/a;',
      'must begin with "http://" or "https://"' ],
    [ 'smtp_auth_http ftp://127.0.0.1/a;', 'must begin with "http://"' ],
    [ 'smtp_auth_http 127.0.0.1:80;', 'must begin with "http://"' ],
    [ 'smtp_auth_http "http://127.0.0.1/a b";', 'invalid character in URL' ],
    [ "smtp_auth_http \"http://127.0.0.1/a\\r\\nb\";",
      'invalid character in URL' ],
    [ 'smtp_auth_http http://127.0.0.1/a#b;', 'invalid character in URL' ],
    [ 'smtp_auth_http http://127.0.0.1; smtp_auth_http http://127.0.0.1;',
      '"smtp_auth_http" directive is duplicate' ],
    [ 'smtp_auth_methods plain;', 'but no "smtp_auth_http"' ],
    [ 'smtp_auth_methods plain gssapi;', 'invalid value "gssapi"' ],
    [ 'smtp_auth_methods scram-sha-256 scram-sha-256;', 'duplicate value' ],
    [ 'smtp_auth_scram_iterations 4095;', 'must be between 4096 and' ],
    [ 'smtp_auth_scram_iterations 10000001;', 'must be between 4096 and' ],
    [ 'smtp_auth_oauth_scope "a\\\\b";', 'has an invalid character' ],
    [ 'smtp_auth_oauth_scope \'a"b\';', 'has an invalid character' ],
    [ "smtp_auth_oauth_configuration \"a\nb\";",
      'has an invalid character' ],
    [ 'smtp_auth_methods none plain;', 'invalid value "none"' ],
    [ 'smtp_auth_methods plain none;', 'invalid value "none"' ],
    [ 'smtp_auth_methods plain plain;', 'duplicate value "plain"' ],
    [ 'smtp_auth_methods plain; smtp_auth_methods plain;',
      '"smtp_auth_methods" directive is duplicate' ],
    [ 'smtp_auth_http_header "" b;', 'invalid header ""' ],
    [ 'smtp_auth_http_header "X A" b;', 'invalid header "X A"' ],
    [ 'smtp_auth_http_header X-A: b;', 'invalid header "X-A:"' ],
    [ 'smtp_auth_http_header X-A "b\\r\\nc: d";', 'invalid header "X-A"' ],
    [ "smtp_auth_http_header X-A \"b\x7f\";", 'invalid header "X-A"' ],
    [ 'smtp_auth_http_timeout x;', 'directive invalid value' ],
    [ 'smtp_auth_max_attempts -1;', 'invalid number' ],
    [ 'smtp_auth_cache valid=1m;', 'has no "zone" parameter' ],
    [ 'smtp_auth_cache zone=a:1k;', 'zone "a:1k" is too small' ],
    [ 'smtp_auth_cache zone=a;', 'zero size shared memory zone "a"' ],
    [ 'smtp_auth_cache zone=:1m;', 'invalid zone ":1m"' ],
    [ 'smtp_auth_cache zone=a:x;', 'invalid zone "a:x"' ],
    [ 'smtp_auth_cache zone=a:1m valid=x;', 'invalid parameter "valid=x"' ],
    [ 'smtp_auth_cache zone=a:1m other;', 'invalid parameter "other"' ],
    [ 'smtp_auth_cache zone=a:1m valid=1m valid=1m;',
      'duplicate parameter "valid=1m"' ],
    [ 'smtp_auth_cache zone=a:1m any_addresses;',
      'invalid parameter "any_addresses"' ],
    [ 'smtp_auth_cache zone=a:1m; smtp_auth_cache off;', 'is duplicate' ],
    [ 'smtp_auth_cache zone=a:1m; smtp_auth_limit zone=a:1m;',
      'is already declared for a different use' ],
    [ 'smtp_auth_limit zone=a:1m address=-1;',
      'invalid parameter "address=-1"' ],
    [ 'smtp_auth_limit zone=a:1m user=1000001;', 'invalid parameter' ],
    [ 'smtp_auth_limit zone=a:1m time=0;', 'invalid parameter "time=0"' ],
    [ 'smtp_auth_limit user=1;', 'has no "zone" parameter' ],
    [ 'smtp_auth_rcpt on;', 'but no "smtp_auth_http"' ],
    [ 'smtp_auth_route ftp://a;', 'invalid destination' ],
    [ 'smtp_auth_require_tls maybe;', 'must be "on" or "off"' ],
);

plan(tests => @good + @bad);

for my $try ((map { [ $_, '' ] } @good), @bad) {
    my ($conf, $error) = @$try;

    my ($rc, $out) = $t->test_conf(<<"EOF");
%%GLOBALS%%

events { }

mail {
    smtp_upstream api {
        server  127.0.0.1:8080;
    }

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;

        $conf
    }
}
EOF

    my $name = $conf eq '' ? 'no directive' : $conf =~ s/[^ -~]+/ /gr;

    if ($error eq '') {
        is $rc, 0, $name or diag $out;

    } else {
        ok $rc == 1 && index($out, $error) >= 0, "$name is wrong"
            or diag $out;
    }
}

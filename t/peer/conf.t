#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Directives of groups: what is taken, what is refused and why.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();
my $one = 'server 127.0.0.1:25;';

# what is inside smtp_upstream {}

my @good = (
    $one,
    "$one server 127.0.0.2 weight=65535 max_fails=0 fail_timeout=1m backup;",
    "$one server [::1]:25 down; server unix:/tmp/mta.sock max_conns=1;",
    "zone z 64k; $one",
    "$one zone z 64k; least_conn;",
    "least_conn; $one",
    "ip_hash; $one",
    "hash \$remote_addr; $one",
    "hash a; $one",
    "hash \"\${smtp_helo}x\$smtp_mail_from\" consistent; $one",
    "random; $one",
    "random two; $one",
    "random two least_conn; $one",
    "random two; random; $one",
    "resolver 127.0.0.1; server a.example.com resolve;",
    "resolver 127.0.0.1 valid=1s ipv6=off; resolver_timeout 1s; zone z 64k;
     server a.example.com:25 resolve backup; server b.example.com resolve;",
    "resolver 127.0.0.1; hash a; server a.example service=smtp resolve;",
    "server 127.0.0.1 resolve;",
    "$one server 127.0.0.2 slow_start=1m;",
    "least_conn; $one server 127.0.0.2 slow_start=1m;",
    "$one smtp_health_check;",
    (map { "$one smtp_health_check type=$_ helo=a.example.com mandatory;" }
     qw/ connect tls banner noop ehlo lhlo starttls /),
    "$one smtp_health_check interval=1s jitter=1s timeout=1s passes=2 fails=3
     port=65535 proxy_protocol=v1;",
    "$one smtp_health_check proxy_protocol=v2;",
    "$one queue 1;",
    "$one queue 100000 timeout=1ms;",
    "$one keepalive 0;",
    "$one keepalive 65535; keepalive_requests 1; keepalive_timeout 1s;
     keepalive_time 1h;",
);

my @bad = (
    [ '', 'no servers are inside upstream' ],
    [ 'server 127.0.0.1 backup;', 'no servers in upstream "mtas"' ],
    [ 'server 127.0.0.1 weight=0;', 'invalid parameter "weight=0"' ],
    [ 'server 127.0.0.1 weight=65536;', 'invalid parameter "weight=65536"' ],
    [ 'server 127.0.0.1 weight=x;', 'invalid parameter "weight=x"' ],
    [ 'server 127.0.0.1 max_fails=-1;', 'invalid parameter "max_fails=-1"' ],
    [ 'server 127.0.0.1 max_conns=x;', 'invalid parameter "max_conns=x"' ],
    [ 'server 127.0.0.1 fail_timeout=x;',
      'invalid parameter "fail_timeout=x"' ],
    [ 'server 127.0.0.1 banana;', 'invalid parameter "banana"' ],
    [ 'server 127.0.0.1:0;', 'invalid port' ],
    [ 'server nobody.invalid;', 'host not found in upstream "nobody.invalid' ],
    [ 'server nobody.invalid resolve;', 'no resolver defined to resolve' ],
    [ 'resolver 127.0.0.1; server a.example service= resolve;',
      'invalid parameter "service="' ],
    [ 'resolver 127.0.0.1; server a.example service=smtp;',
      'service upstream "a.example" requires "resolve"' ],
    [ 'resolver 127.0.0.1; server a.example:25 service=smtp resolve;',
      'service upstream "a.example:25" must be a name without port' ],
    [ 'server 127.0.0.1 service=smtp resolve;',
      'service upstream "127.0.0.1" must be a name without port' ],
    [ "resolver 127.0.0.1; resolver 127.0.0.1; $one",
      '"resolver" directive is duplicate' ],
    [ "resolver 127.0.0.1 banana=1; $one", 'host not found in resolver' ],
    [ "zone z 4k; $one", 'zone "z" is too small' ],
    [ "zone z; $one", 'zero size shared memory zone "z"' ],
    [ "zone z x; $one", 'invalid zone size "x"' ],
    [ "zone '' 64k; $one", 'invalid zone name ""' ],
    [ "zone z 64k; zone y 64k; $one", '"zone" directive is duplicate' ],
    [ 'zone z 32k; ' . join(' ', map { "server 127.0.0.1:$_;" } 1 .. 200),
      'zone "z" is too small for upstream "mtas"' ],
    [ "ip_hash; $one server 127.0.0.2 backup;",
      'balancing method "ip_hash" does not support parameter "backup"' ],
    [ "$one server 127.0.0.2 backup; hash a;",
      'balancing method "hash" does not support parameter "backup"' ],
    [ "random; $one server 127.0.0.2 backup;",
      'balancing method "random" does not support parameter "backup"' ],
    [ "ip_hash; $one server 127.0.0.2 slow_start=1m;",
      'balancing method "ip_hash" does not support parameter "slow_start"' ],
    [ 'server 127.0.0.1 slow_start=x;', 'invalid parameter "slow_start=x"' ],
    (map { [ "$one smtp_health_check $_;", "invalid parameter \"$_\"" ] }
     'type=banana', 'type=', 'interval=0', 'interval=x', 'jitter=x',
     'timeout=0', 'passes=0', 'fails=x', 'port=0', 'port=65536', 'helo=',
     'helo=' . 'x' x 256, "helo=\x7f", 'proxy_protocol=', 'proxy_protocol=v3',
     'proxy_protocol=v12', 'proxy_protocol=1', 'banana'),
    [ "$one smtp_health_check; smtp_health_check;",
      '"smtp_health_check" directive is duplicate' ],
    [ "hash \$nope; $one", 'unknown "nope" variable' ],
    [ "hash \"\${smtp_helo\"; $one",
      'closing bracket in "smtp_helo" variable' ],
    [ "hash a banana; $one", 'invalid parameter "banana"' ],
    [ "random three; $one", 'invalid parameter "three"' ],
    [ "random two most_conn; $one", 'invalid parameter "most_conn"' ],
    [ "$one queue 0;", 'invalid value "0"' ],
    [ "$one queue x;", 'invalid value "x"' ],
    [ "$one queue 1 2;", 'invalid parameter "2"' ],
    [ "$one queue 1 timeout=x;", 'invalid parameter "timeout=x"' ],
    [ "$one queue 1 timeout=0;", 'invalid parameter "timeout=0"' ],
    [ "$one queue 1; queue 2;", '"queue" directive is duplicate' ],
    [ "$one keepalive 65536;", 'must be' ],
);

plan(tests => @good + @bad + 2);

sub conf {
    my ($inside, $behind) = @_;

    return <<"EOF";
%%GLOBALS%%

events { }

mail {
    smtp_upstream mtas {
        $inside
    }

    $behind

    server {
        listen     127.0.0.1:%%PORT_smtp%%;
        protocol   smtp_ext;
        smtp_pass  smtp://mtas;
    }
}
EOF
}

for my $try ((map { [ $_, '' ] } @good), @bad) {
    my ($inside, $error) = @$try;
    my ($rc, $out) = $t->test_conf(conf($inside, ''));
    my $name = substr +($inside || 'nothing') =~ s/\s+/ /gr, 0, 60;

    if ($error eq '') {
        is $rc, 0, $name or diag $out;

    } else {
        ok $rc == 1 && index($out, $error) >= 0, "$name is wrong"
            or diag $out;
    }
}

my ($rc, $out) = $t->test_conf(conf("least_conn; ip_hash; $one", ''));
ok $rc == 0 && $out =~ /\[warn\].*load balancing method redefined/,
   'two methods: the last one counts, and it is said';

($rc, $out) = $t->test_conf(conf("zone z 64k; $one",
                                 "smtp_upstream b { zone z; $one }"));
is $rc, 0, 'two groups in a zone' or diag $out;

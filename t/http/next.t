#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Groups of servers for HTTP services: which answers are those of a server that
# can't help, so that another one is asked, and what becomes of it.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->write_conf(<<'EOF');
%%GLOBALS%%

events { }

mail {
    server_name             mx.example.com;
    smtp_auth_require_tls   off;
    smtp_auth_max_attempts  0;
    smtp_max_errors         1000;
    smtp_http_breaker       off;
    smtp_relay_from         127.0.0.1;

    smtp_upstream pair {
        server     127.0.0.1:%%PORT_first%%  max_fails=0;
        server     127.0.0.1:%%PORT_second%% backup max_fails=0;
        keepalive  0;
    }

    smtp_upstream marked {
        server     127.0.0.1:%%PORT_first%%  max_fails=2 fail_timeout=1h;
        server     127.0.0.1:%%PORT_second%% backup;
        keepalive  0;
    }

    smtp_upstream dead {
        server     127.0.0.1:%%PORT_first%%  max_fails=0;
        server     127.0.0.1:%%PORT_nobody%% backup max_fails=1
                   fail_timeout=1h;
        keepalive  0;
    }

    server {
        listen          127.0.0.1:%%PORT_smtp%%;
        protocol        smtp_ext;
        smtp_auth_http  http://pair/auth;
        smtp_pass       http://pair/mail;
    }

    server {
        listen          127.0.0.1:%%PORT_hooked%%;
        protocol        smtp_ext;
        smtp_hook       http://pair/hook stages=mail;
        smtp_pass       discard:;
    }

    server {
        listen          127.0.0.1:%%PORT_marked%%;
        protocol        smtp_ext;
        smtp_pass       http://marked/mail;
    }

    server {
        listen          127.0.0.1:%%PORT_dead%%;
        protocol        smtp_ext;
        smtp_pass       http://dead/mail;
    }
}
EOF

my @ok = (headers => [ 'Auth-Status' => 'OK' ]);
my $first = $t->http('first');
my $second = $t->http('second', on => { '/hook' => '{"action":"accept"}' },
                      default => { status => 200, @ok });

# status of the first server; is the second one asked?

my @statuses = ([ 502, 1 ], [ 503, 1 ], [ 504, 1 ], [ 500, 0 ], [ 501, 0 ],
                [ 505, 0 ], [ 429, 0 ], [ 408, 0 ], [ 404, 0 ], [ 302, 0 ],
                [ 200, 0 ]);

$t->plan(3 * @statuses + 10);
$t->run();


sub asked { join ' ', map { scalar(() = $_->requests()) } $first, $second }


sub forget {
    for my $server ($first, $second) {
        $server->sync();
        $server->{events} = [];
    }
}


for my $row (@statuses) {
    my ($status, $next) = @$row;

    $first->set(default => { status => $status, body => '{}' });

    forget();
    is substr($t->connected('smtp')->auth_plain('user', 'pass'), 0, 3) . ': '
       . asked(), ($next ? '235' : '454') . ": 1 $next", "a login: $status";

    forget();
    is substr($t->connected('hooked')->mail('s@example.com'), 0, 3) . ': '
       . asked(), ($next ? '250' : '451') . ": 1 $next", "a hook: $status";

    forget();
    $t->connected('smtp')->send_message(to => 'user@example.com');
    is asked(), "1 $next", "a delivery: $status";
}

# both of them

$first->set(default => { status => 502 });
$second->set(default => { status => 503 }, on => {});
forget();
is $t->connected('smtp')->send_message(to => 'user@example.com'),
   '451 4.3.2 Destination servers are busy, try again later',
   'the answer of the last one counts';
is asked(), '1 1', 'each of them is asked once';

my @keys = map { ($_->requests())[0]{headers}{'idempotency-key'} }
           $first, $second;

is $keys[0], $keys[1], 'for the same message';

# the other one is not there

$first->set(default => { status => 503,
                         headers => [ 'Smtp-Reply' => '452 4.2.2 Full' ] });
is $t->connected('dead')->send_message(to => 'user@example.com'),
   '451 4.4.2 Connection to destination server failed',
   'another one can not be reached';
is $t->connected('dead')->send_message(to => 'user@example.com'),
   '452 4.2.2 Full',
   'and is known to be down: the answer counts';

# it counts for max_fails

$first->set(default => { status => 503 });
$second->set(default => { status => 200 });
forget();
like $t->connected('marked')->send_message(to => 'user@example.com'), qr/^250 /,
     'another one can help' for 1 .. 3;
is asked(), '2 3', 'after two failures a server is left alone';
like $t->error_log(), qr/answered with status 503, another server is asked/,
     'the log says why';

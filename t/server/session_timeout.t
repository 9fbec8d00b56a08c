#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The time of a session as a whole: smtp_session_timeout.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ time /;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

# as configured; nginx's clock may be behind by the time that the machine
# needs to give nginx its turn

use constant SESSION => 1;
use constant CLOCK => 0.1;

my $t = Test::Nginx::SmtpExt->new()->plan(23);

$t->certificate('localhost');

my $mta = $t->server('mta');
my $http = $t->http('http', auth => { });

$t->write_conf(<<'EOF')->run();
%%GLOBALS%%

events { }

mail {
    server_name             mx.example.com;
    smtp_relay_from         127.0.0.1;
    smtp_pass               smtp://127.0.0.1:%%PORT_mta%%;
    smtp_auth_http          http://127.0.0.1:%%PORT_http%%/auth;
    smtp_auth_require_tls   off;
    smtp_max_errors         1000000;
    smtp_max_idle_commands  0;

    smtp_log_format  status  '$smtp_result $smtp_status $smtp_reply';
    smtp_access_log  %%TESTDIR%%/access.log  status;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    server {
        listen                127.0.0.1:%%PORT_smtp%%;
        protocol              smtp_ext;
        starttls              on;
        smtp_session_timeout  1s;
    }

    server {
        listen                127.0.0.1:%%PORT_off%%;
        protocol              smtp_ext;
        smtp_command_timeout  2s;
        smtp_session_timeout  0;
    }
}
EOF

my $over = '421 4.4.2 Session has lasted too long, closing connection';
my $ok = '250 2.0.0 OK';

my $start;

sub connected {
    $start = time();

    my $c = $t->client($_[0] // 'smtp');

    $c->read_reply();

    return $c;
}

sub ends {
    my ($c, $name) = @_;

    is $c->read_reply(), $over, $name;
    cmp_ok time() - $start, '>', SESSION - CLOCK, "$name: not too early";
    ok $c->eof(), "$name: closed";
}


my $c = connected();
ends($c, 'an idle session');

$c = connected();
$c->send_raw('EHL');
ends($c, 'half a command');

$c = connected();
$c->starttls();
$c->ehlo();
ends($c, 'under TLS');

$c = connected();
$c->ehlo();
like $c->cmd('AUTH PLAIN'), qr/^334 /, 'AUTH';
ends($c, 'in AUTH');

# whoever is never silent

$c = connected();

my $last = '';
my $end = time() + scaled(8);

while (time() < $end) {
    $c->pipeline(('NOOP') x 100);

    for (1 .. 100) {
        $last = $c->read_reply();
        last if $last ne $ok;
    }

    last if $last ne $ok;
}

is $last, $over, 'one that never stops';
cmp_ok time() - $start, '>', SESSION - CLOCK, 'one that never stops: in time';

# a transaction goes on, and the session ends with it

$c = connected();
$c->ehlo();
$c->mail('a@b.example');
$c->rcpt('c@d.example');

vec(my $bits = '', fileno $c->socket(), 1) = 1;
select $bits, undef, undef, SESSION + 0.2 - (time() - $start);

like $c->cmd('RCPT TO:<e@d.example>'), qr/^250 /, 'in a transaction: RCPT';
like $c->data("Subject: late\r\n\r\nlate\r\n"), qr/^250 2\.0\.0 OK id=/,
     'a transaction that is open is no worse for it';
ends($c, 'after it');

# no limit

$c = connected('off');
is $c->read_reply(), '421 4.4.2 Timeout, closing connection', 'switched off';

is_deeply [ sort map { s/OK id=\w+/OK/r } $t->access_lines(7) ],
          [ 'accepted 250 2.0.0 OK',
            ('refused 421 ' . substr $over, 4) x 5,
            'refused 421 4.4.2 Timeout, closing connection' ], 'the log';

# whoever does not read: smtp_send_timeout is a minute

$c = connected();
$c->send_raw("HELP\r\n" x 20_000, quiet => 1) for 1 .. 50;
ok $t->wait_log(qr/client does not read replies/), 'replies nobody reads';

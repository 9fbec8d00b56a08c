#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Secrets are overwritten when they have been used: nothing of a password is in
# the memory of the worker when a login is over, good or not.  It comes in clear
# here, for a TLS library has buffers of its own.

use warnings;
use strict;
no warnings 'portable';

use MIME::Base64 qw/ encode_base64 /;
use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Sasl qw/ b64 unb64 scram scram_headers /;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $t = Test::Nginx::SmtpExt->new();

plan skip_all => 'a sanitizer keeps what was freed' if $ENV{ASAN_OPTIONS};

$t->plan(35);

# ld.so that looks for a function at its first call puts the registers on the
# stack, and in them is what memcpy() has moved last

$ENV{LD_BIND_NOW} = 1;

my $conf = <<'EOF';
%%GLOBALS%%

events { }

mail {
    server_name             mx.example.com;
    smtp_auth_require_tls   off;
    smtp_auth_methods       plain login oauthbearer xoauth2
                            scram-sha-256;
    smtp_auth_http          http://127.0.0.1:%%PORT_http%%/auth;
    smtp_auth_http_timeout  300ms;
    smtp_auth_max_attempts  0;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }

    server {
        listen           127.0.0.1:%%PORT_cache%%;
        protocol         smtp_ext;
        smtp_auth_cache  zone=cache:1m;
    }

    server {
        listen           127.0.0.1:%%PORT_limit%%;
        protocol         smtp_ext;
        smtp_auth_limit  zone=limit:1m delay=0;
    }

    server {
        listen                   127.0.0.1:%%PORT_next%%;
        protocol                 smtp_ext;
        smtp_pass                smtp://127.0.0.1:%%PORT_mta%%;
        smtp_pass_auth           client;
        smtp_pass_auth_security  none;
    }

    server {
        listen     127.0.0.1:%%PORT_unwelcome%%;
        protocol   smtp_ext;
        smtp_hook  http://127.0.0.1:%%PORT_dead%%/ stages=connect
                   on_error=reject;
    }

    server {
        listen                 127.0.0.1:%%PORT_tls%%;
        protocol               smtp_ext;
        smtp_auth_require_tls  on;
    }
}
EOF

$t->write_conf($conf)->run();

my $http = $t->http('http');

my $mta = $t->server('mta', ehlo => [ 'PIPELINING', 'AUTH PLAIN LOGIN XOAUTH2' ],
                     on => { AUTH => '235 2.7.0 ok' });

$t->wait_workers(1);

my $worker = $t->worker_pid();

# how often a text is in the memory of the worker that can be written

sub found {
    my ($text) = @_;
    my $found = 0;

    open my $mem, '<:raw', "/proc/$worker/mem" or die "memory: $!\n";

    for (split /\n/, $t->read_file("/proc/$worker/maps")) {
        my ($from, $to) = /^([0-9a-f]+)-([0-9a-f]+) rw/ or next;

        sysseek $mem, hex $from, 0 or next;

        my $octets = '';
        my $size = hex($to) - hex($from);

        while ($size > length $octets) {
            sysread $mem, $octets, $size - length $octets, length $octets
                or last;
        }

        $found++ while $octets =~ /\Q$text\E/g;
    }

    return $found;
}

# Where a secret of letters and digits alone is; of its base64, what is in the
# middle at each of the three places it may begin at.

sub left {
    my ($secret) = @_;
    my %left = (text => found($secret));

    for my $shift (0 .. 2) {
        my $text = substr encode_base64('x' x $shift . $secret, ''), 4, 16;

        $left{"base64 $shift"} = found($text);
    }

    return join ' ', map { "$_: $left{$_}" } grep { $left{$_} } sort keys %left;
}


my $serial = 0;

sub try {
    my ($name, $answer, $login, $code, $port) = @_;

    my $secret = $t->secret(sprintf 'Secret%dWord%04d', int rand 1e8,
                            ++$serial);
    my $c = $t->client($port // 'smtp');

    $http->set(default => $answer);

    $c->read_reply();
    $c->ehlo();

    my $reply = $login->($c, $secret);

    # the reply may be here before the worker has come to the end of its turn

    poll(sub { left($secret) eq '' }, 2);

    is substr($reply, 0, 3) . ' ' . left($secret), "$code ", $name;
}


my $good = { headers => [ 'Auth-Status' => 'OK', 'Auth-User' => 'user' ] };
my $bad = { headers => [ 'Auth-Status' => 'no' ] };

my $plain = sub { $_[0]->auth_plain('user', $_[1]) };
my $login = sub { $_[0]->auth_login('user', $_[1]) };

sub auth {
    my ($mech, $text) = @_;

    return sub {
        $_[0]->cmd("AUTH $mech " . b64($text =~ s/SECRET/$_[1]/r));
    };
}

# it would be found if it were there

my $c = $t->client('smtp');

$c->read_reply();
$c->ehlo('canary.example.com');
cmp_ok found('canary.example.com'), '>', 0, 'what is there is found';

try('PLAIN', $good, $plain, 235);
try('PLAIN, refused', $bad, $plain, 535);
try('LOGIN', $good, $login, 235);
try('LOGIN, refused', $bad, $login, 535);
try('OAUTHBEARER', $good, auth('OAUTHBEARER', "n,,\1auth=Bearer SECRET\1\1"),
    235);
try('OAUTHBEARER, refused', $bad,
    sub {
        $_[0]->cmd('AUTH OAUTHBEARER ' . b64("n,,\1auth=Bearer $_[1]\1\1"));
        $_[0]->cmd('AQ==');
    }, 535);
try('XOAUTH2', $good, auth('XOAUTH2', "user=u\1auth=Bearer SECRET\1\1"), 235);
try('with a cache', $good, $plain, 235, 'cache');
try('with a limit', $bad, $plain, 535, 'limit');
try('no base64', $good, sub { $_[0]->cmd('AUTH PLAIN =' . b64("\0u\0$_[1]")) },
    501);
try('three NULs', $good, auth('PLAIN', "\0user\0SECRET\0"), 501);
try('a mechanism that is not there', $good, auth('OTHER', "\0user\0SECRET"),
    504);
try('one that wants TLS', $good, $plain, 538, 'tls');
try('from who is not welcome', $good, $plain, 503, 'unwelcome');
try('in a transaction', $good,
    sub { $_[0]->mail('a@example.com'); $plain->(@_) }, 503);
try('after a login', $good,
    sub { $_[0]->auth_plain('user', 'other'); $plain->(@_) }, 503);
try('a second one in the pipeline', $good,
    sub {
        $_[0]->pipeline('AUTH PLAIN ' . b64("\0user\0$_[1]"), 'NOOP');
        $_[0]->read_reply();
    }, 503);
try('two responses', $good,
    sub {
        $_[0]->cmd('AUTH PLAIN');
        $_[0]->pipeline(b64("\0user\0$_[1]"), 'NOOP');
        $_[0]->read_reply();
    }, 503);
try('a response that ends in LF', $good,
    sub {
        $_[0]->cmd('AUTH PLAIN');
        $_[0]->send_raw(b64("\0user\0$_[1]") . "\n");
        $_[0]->read_reply();
    }, 500);
sub raw {
    my ($text) = @_;

    return sub {
        my $line = b64("\0user\0$_[1]");

        $_[0]->send_raw($text =~ s/LINE/$line/r);
        $_[0]->read_reply();
    };
}

try('a command with a bare CR', $good, raw("AUTH PLAIN LINE\r\r\n"), 500);
try('a command that ends in LF', $good, raw("AUTH PLAIN LINE\n"), 500);
try('a command that is too long', $good,
    raw("AUTH PLAIN LINE" . 'x' x 20000 . "\r\n"), 500);
try('a response that is too long', $good,
    sub {
        $_[0]->cmd('AUTH PLAIN');
        raw('LINE' . 'x' x 20000 . "\r\n")->(@_);
    }, 500);
try('no answer', { %$good, delay => 1 }, $plain, 454);
try('too long', $good, auth('PLAIN', "\0user\0" . 'x' x 2000 . 'SECRET'), 535);

# what an answer has for the next hop, where nobody wants it

try('Auth-Pass', $good, sub {
        $http->set(default => { headers => [ 'Auth-Status' => 'OK',
                                             'Auth-Pass' => $_[1] ] });
        $_[0]->auth_plain('user', 'pass');
    }, 235);

# and where it is kept for as long as the session

for my $row (
    [ 'a password for the next hop', $good, $plain ],
    [ 'one of the service', $good, sub {
        $http->set(default => { headers => [ 'Auth-Status' => 'OK',
                                             'Auth-Pass' => $_[1] ] });
        $_[0]->auth_plain('user', 'pass');
    } ],
    [ 'a token for the next hop', $good,
      auth('XOAUTH2', "user=u\1auth=Bearer SECRET\1\1") ],
) {
    my ($name, $answer, $how) = @$row;

    try($name, $answer, sub {
        $how->(@_);
        $_[0]->send_message();
        $_[0]->quit();
    }, 221, 'next');
}

is scalar(grep { /^AUTH / } $mta->commands()), 3, 'which it was told';

# the keys of SCRAM

for my $row ([ 'SCRAM', 'pencil', 235 ], [ 'SCRAM, refused', 'pen', 535 ]) {
    my ($name, $password, $code) = @$row;
    my %keys = scram_headers('SCRAM-SHA-256', 'pencil',
                             salt => 'salt' . ++$serial);

    $http->set(default => { headers => [ 'Auth-Status' => 'OK', %keys ] });

    my $c = $t->client('smtp');

    $c->read_reply();
    $c->ehlo();

    my $reply = scram($c, 'SCRAM-SHA-256', user => 'user',
                      password => $password)->{reply};

    my @keys = map { ($_, unb64($_)) }
               @keys{qw/ Auth-Scram-Stored-Key Auth-Scram-Server-Key /};

    poll(sub { !grep { found($_) } @keys }, 2);

    is substr($reply, 0, 3), $code, $name;
    is join(' ', map { found($_) } @keys), '0 0 0 0', "$name: its keys";
}

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Thousands of messages leave the worker as it was: its descriptors exactly,
# its memory but for what an allocator may keep.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll slow /;

# What malloc() keeps after a peak.  100 octets for each of the messages would
# be more.

use constant TOLERANCE_KB => 256;

my $t = Test::Nginx::SmtpExt->new();

# a sanitizer keeps what is freed

plan skip_all => 'memory can not be measured with a sanitizer'
    if $t->version_info() =~ /fsanitize/;

$t->write_conf(<<'EOC')->plan(29)->run();
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_relay_from        127.0.0.1;
    smtp_pass              smtp://mtas;
    smtp_body_buffer_size  16k;
    smtp_temp_path         %%TESTDIR%%/smtp_temp;
    smtp_max_errors        1000000;

    # not that of "debug", which is as long as the test

    error_log              %%TESTDIR%%/mail.log warn;
    smtp_access_log        %%TESTDIR%%/access.log;

    smtp_upstream mtas {
        server  127.0.0.1:%%PORT_mta%%;
        server  127.0.0.1:%%PORT_dead%%  backup;

        # so that there is one, and the same, at any time
        keepalive           1;
        keepalive_requests  1000000;
    }

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }

    server {
        listen           127.0.0.1:%%PORT_submit%%;
        protocol         smtp_ext;
        smtp_submission  on;
    }

    smtp_upstream http {
        server     127.0.0.1:%%PORT_http%%;
        keepalive  0;
    }

    smtp_upstream https {
        server     127.0.0.1:%%PORT_https%%;
        keepalive  0;
    }

    server {
        listen     127.0.0.1:%%PORT_post%%;
        protocol   smtp_ext;
        smtp_pass  http://http/;
    }

    server {
        listen     127.0.0.1:%%PORT_posts%%;
        protocol   smtp_ext;
        smtp_pass  https://https/;

        smtp_http_ssl_verify  off;
    }

    # whose connections are their client's

    server {
        listen                    127.0.0.1:%%PORT_known%%;
        protocol                  smtp_ext;
        smtp_pass                 smtp://127.0.0.1:%%PORT_mta_known%%;
        smtp_pass_tls             required;
        smtp_pass_proxy_protocol  v2;
        smtp_pass_xclient         on;
        smtp_pass_xforward        on;
    }
}
EOC

my $mta = $t->server('mta', keep_data => 0);

$t->certificate('mta');
$t->server('mta_known', keep_data => 0, proxy => 1,
    starttls => { cert => $t->testdir() . '/mta.crt',
                  key => $t->testdir() . '/mta.key' },
    ehlo => [ qw/ SIZE PIPELINING CHUNKING 8BITMIME /,
              'XCLIENT NAME ADDR PORT PROTO HELO LOGIN',
              'XFORWARD NAME ADDR PORT PROTO HELO IDENT' ]);

$t->http('http', default => { status => 200 });
$t->http('https', default => { status => 200 },
         ssl => { cert => $t->testdir() . '/mta.crt',
                  key => $t->testdir() . '/mta.key' });

my $worker = $t->worker_pid();

sub rss {
    my ($kb) = $t->read_file("/proc/$worker/status") =~ /^VmRSS:\s+(\d+)/m;

    return $kb;
}

sub fds { scalar(() = glob "/proc/$worker/fd/*") }

sub pipelined {
    my ($c, $data) = @_;

    $c->pipeline('MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.com>',
                 'DATA');
    $c->read_replies(3);
    $c->body($data);
    $c->transcript(clear => 1);

    return $c->read_reply() =~ /^250 / ? 1 : 0;
}

my $small = "Subject: small\r\n\r\n" . "hello\r\n" x 20;
my $file = "Subject: big\r\n\r\n" . ('x' x 78 . "\r\n") x 1000;

# all paths are walked once before anything is measured

sub connections {
    my ($n, $data, $port) = @_;
    my $ok = 0;

    for (1 .. $n) {
        my $c = $t->connected($port);

        $ok += pipelined($c, $data);
        $c->quit();
    }

    return $ok;
}

sub one_connection {
    my ($c, $n, $data) = @_;
    my $ok = 0;

    $ok += pipelined($c, $data) for 1 .. $n;

    return $ok;
}

# a session of failures

sub troubles {
    my ($n) = @_;

    for (1 .. $n) {
        my $c = $t->connected();

        $c->pipeline('MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.com>',
                     'RSET', 'MAIL FROM:<a@example.com>',
                     'RCPT TO:<refused@example.com>', 'DATA', 'BANANA',
                     'MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.com>',
                     'DATA');
        $c->read_replies(10);
        $c->send_raw($file);
        $_ % 2 ? $c->reset() : $c->close();
    }
}

sub settled { my ($n) = @_; poll(sub { fds() == $n }, 5) or diag fds() . " not $n"; fds() == $n; }

sub grown {
    my ($before, $name) = @_;

    cmp_ok rss() - $before, '<=', TOLERANCE_KB, "memory after $name";
}

connections(200, $_) for $small, $file;
troubles(50);
my $c = $t->connected();
one_connection($c, 100, $_) for $small, $file;
$c->quit();
$c->close();

# two kept connections at the most, and where the worker was before

my ($fds, $rss) = (fds(), rss());

is connections(2000, $small), 2000, '2000 messages, each on a connection';
ok settled($fds), 'descriptors are as before';
grown($rss, 'them');

is connections(300, $file), 300, '300 messages through the temporary file';
ok settled($fds), 'descriptors are as before';
grown($rss, 'them');

$c = $t->connected();
$rss = rss();
is one_connection($c, 5000, $small), 5000, '5000 messages on one connection';
grown($rss, 'them');
is one_connection($c, 500, $file), 500, '500 through the file on it';
grown($rss, 'them');
$c->quit();
ok settled($fds), 'descriptors are as before';

# headers that are put in order

my $edited = "Bcc: x\@example.com\r\nFrom: a\@example.com, b\@example.com\r\n"
             . "Message-ID: 1\r\nSubject: " . 'x' x 600 . ' ' . 'y' x 600
             . "\r\n\r\nhello\r\n";

$c = $t->connected('submit');
one_connection($c, 100, $edited);
$rss = rss();
is one_connection($c, 3000, $edited), 3000, '3000 that are edited';
grown($rss, 'them');
$c->quit();
ok settled($fds), 'descriptors are as before';

# a connection to the next hop for each client

connections(100, $small, 'known');
$rss = rss();
is connections(300, $small, 'known'), 300, '300 clients that are introduced';
ok settled($fds), 'descriptors are as before';
grown($rss, 'them');

$c = $t->connected('known');
one_connection($c, 100, $small);
$rss = rss();
is one_connection($c, 3000, $small), 3000, '3000 messages of one';
grown($rss, 'them');
$c->quit();

# to a service

for my $port (qw/ post posts /) {
    $c = $t->connected($port);
    one_connection($c, 50, $_) for $small, $file;
    $rss = rss();
    is one_connection($c, 300, $small), 300, "300 that are POSTed: $port";
    is one_connection($c, 50, $file), 50, "50 through the file: $port";
    grown($rss, 'them');
    $c->quit();
}

troubles(500);
ok settled($fds), '500 sessions that end in the middle leave no descriptor';
grown($rss, 'them');

$mta->set(fault => { at => 'DATA', do => 'close' });
$c = $t->connected();
is scalar(grep { $c->send_message() =~ /^451/; $c->transcript(clear => 1) }
          1 .. 500), 500, '500 failures of the next hop';
grown($rss, 'them');
$c->quit();

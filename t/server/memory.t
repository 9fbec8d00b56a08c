#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# However many commands and messages there are on a connection, a worker does
# not grow with their number.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

# what is done until all is allocated that is ever needed; what is measured; a
# growth in kilobytes that is noise

use constant WARM_MESSAGES => 500;
use constant WARM_COMMANDS => 5_000;
use constant MESSAGES => 10_000;
use constant COMMANDS => 100_000;
use constant BATCH => 500;
use constant NOISE => 256;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(8);

my $mta = $t->server('mta', keep_data => 0);

my $conf = <<'EOC';
%%GLOBALS%%

events { }

mail {
    smtp_max_idle_commands  0;

    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    error_log        %%TESTDIR%%/mail.log;

    smtp_log_format  one  '$smtp_id $smtp_status';

    server {
        listen           127.0.0.1:%%PORT_relay%%;
        protocol         smtp_ext;
        smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;
        smtp_access_log  %%TESTDIR%%/access.log  one;
    }

    server {
        listen           127.0.0.1:%%PORT_refuse%%;
        protocol         smtp_ext;
        smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;
        smtp_max_errors  1000000000;
    }
}
EOC

# the test's own log, of level debug, would take longer than the rest

$t->write_file('nginx.conf',
               $t->expand($conf, 'error.log', 'nginx.pid')
               =~ s/^(error_log \S+) debug;/$1 info;/mr);
$t->run();
$t->wait_workers(1);

my $worker = $t->worker_pid();

# kilobytes that are the worker's alone

sub memory {
    return $t->read_file("/proc/$worker/smaps_rollup")
           =~ /^Private_Dirty:\s+(\d+)/m ? $1 : 0;
}

# AddressSanitizer keeps what was freed for a while

sub no_growth {
    my ($before, $name) = @_;

    SKIP: {
        skip 'memory is not itself under a sanitizer', 1
            if $ENV{ASAN_OPTIONS};

        cmp_ok memory() - $before, '<', NOISE, $name;
    }
}


sub connected {
    my $c = $t->client($_[0], timeout => 30);

    $c->read_reply();
    $c->ehlo();

    return $c;
}


# the replies to a batch that is sent again and again; how many were as expected

sub repeat {
    my ($c, $count, $lines, @expected) = @_;

    my $good = 0;
    my $batch = int(BATCH / @expected) || 1;

    for (my $done = 0; $done < $count; $done += $batch) {
        $c->send_raw(join('', map { "$_\r\n" } @$lines) x $batch, quiet => 1);

        for my $reply ($c->read_replies($batch * @expected)) {
            $good++ if $reply =~ /^@{[ $expected[$good % @expected] ]}/;
        }

        $c->transcript(clear => 1);
    }

    return $good;
}


# DATA is the end of a batch, so a message takes two turns

sub messages {
    my ($c, $count, $code) = @_;

    my $good = 0;
    my $text = "Subject: memory\r\n\r\n" . 'x' x 200 . "\r\n.\r\n";
    my $next = "MAIL FROM:<a\@b.example>\r\nRCPT TO:<c\@d.example>\r\nDATA\r\n";

    $c->send_raw($next, quiet => 1);

    for my $i (1 .. $count) {
        $c->read_replies(3);
        $c->send_raw($text . ($i < $count ? $next : ''), quiet => 1);
        $good++ if $c->read_reply() =~ /^$code/;
        $c->transcript(clear => 1) if $i % BATCH == 0;
    }

    return $good;
}


my $c = connected('relay');

repeat($c, WARM_COMMANDS, [ 'NOOP' ], 250);

my $before = memory();

cmp_ok $before, '>', 0, 'the memory of the worker is known';
is repeat($c, COMMANDS, [ 'NOOP' ], 250), COMMANDS, COMMANDS . ' of NOOP';
no_growth($before, 'no growth');

my $transaction = [ 'MAIL FROM:<a@b.example>', 'EHLO a.example', 'RSET' ];

repeat($c, WARM_COMMANDS, $transaction, 250, 250, 250);
$before = memory();
repeat($c, COMMANDS / 10, $transaction, 250, 250, 250);
no_growth($before, 'transactions that are given up');

messages($c, WARM_MESSAGES, 250);
$before = memory();
is messages($c, MESSAGES, 250), MESSAGES, MESSAGES . ' messages';
no_growth($before, 'no growth');

# what is refused, by all means

my $bad = [ 'FOO', 'MAIL FROM:<', 'RCPT TO:<a@b.example>', 'VRFY' ];
my @codes = (500, 501, 503, 501);

$c = connected('refuse');
repeat($c, WARM_COMMANDS / 10, $bad, @codes);
$before = memory();
is repeat($c, COMMANDS / 10, $bad, @codes), COMMANDS / 10 * @codes, 'errors';
no_growth($before, 'no growth');

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# 10,000 clients at a time, and a next hop of two connections: each of them is
# told 250, and its message is there, or to come later.  Nothing is left over.
#
# CC  the compiler, cc

use warnings;
use strict;

use Test::More;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

# A busy session has a buffer of 16 kB to read to, a transaction, and what malloc()
# can't use in between.  (That what is freed is given back, and nothing lost, is
# growth.t's; here malloc() keeps what there was at a time.)
use constant PER_CLIENT_KB => 40;

my $t = Test::Nginx::SmtpExt->new();
$t->plan(37);

my $asan = $t->version_info() =~ /fsanitize/;
my $source = abs_path(dirname(__FILE__)) . '/many.c';
my $many = $t->testdir() . '/many';

# the descriptors of a process, ours and nginx's, are limited

chomp(my $limit = `sh -c 'ulimit -Hn'`);

my $clients = $asan ? 1000 : 10_000;

$clients = $limit - 1000 if $limit ne 'unlimited' && $clients > $limit - 1000;

# a worker keeps a sixteenth of its connections free

my $slots = int($clients * 1.1) + 500;

is system(split(' ', $ENV{CC} || 'cc'), '-O1', '-o', $many, $source), 0,
   'the clients are compiled';

$t->write_conf(<<"EOC");
%%GLOBALS%%

worker_rlimit_nofile  $slots;

events {
    worker_connections  $slots;
}

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.0/8;

    smtp_upstream all {
        server  127.0.0.1:%%PORT_sink%%  max_conns=2;
        queue   $clients timeout=300s;
    }

    smtp_upstream some {
        server  127.0.0.1:%%PORT_sink%%  max_conns=2;
        queue   100 timeout=300s;
    }

    smtp_upstream none {
        server  127.0.0.1:%%PORT_sink%%  max_conns=2;
    }

@{[ map { <<"EOS" } qw/ all some none / ]}
    server {
        listen          127.0.0.1:%%PORT_$_%%  backlog=4096;
        protocol        smtp_ext;
        smtp_pass       smtp://$_;
        smtp_pass_mode  buffered;
    }

    server {
        listen     127.0.0.1:%%PORT_${_}_verify%%  backlog=4096;
        protocol   smtp_ext;
        smtp_pass  smtp://$_;
    }
EOS
}
EOC

# a log of "debug" would be as long as the test

$t->write_file('nginx.conf', $t->read_file('nginx.conf') =~ s/ debug;/ notice;/r);
$t->run();
$t->wait_workers(1);

my $later = '451 4.3.2 Destination servers are busy, try again later';
my $worker = $t->worker_pid();

# the next hop; what it has seen, once it was told to end

my ($sink, $output);

sub start_sink {
    my $pid = open $output, '-|', $many, 'sink', $t->port('sink')
        or die "sink: $!\n";

    readline($output) eq "ready\n" or die "sink: not ready\n";

    return $pid;
}

sub stop_sink {
    kill 'TERM', $sink;

    my $line = readline $output;

    close $output;

    return $line =~ /^connections (\d+) most (\d+) messages (\d+)$/;
}

sub clients {
    my ($port) = @_;
    my %told;

    open my $run, '-|', "ulimit -n \$(ulimit -Hn); exec '$many' clients "
                        . $t->port($port) . " $clients"
        or die "clients: $!\n";

    while (readline $run) {
        /^(\d+) (.*)$/ and $told{$2} = $1;
    }

    close $run or diag "clients: status $?";

    return \%told;
}

# a round of all clients: what they were told, and what is true

sub round {
    my ($port) = @_;

    $sink = start_sink();

    my $told = clients($port);
    my $taken = $told->{'250 2.0.0 OK'} // 0;
    my $refused = $told->{$later} // 0;

    # (it closes what is kept)

    my ($connections, $most, $messages) = stop_sink();

    is_deeply [ $taken + $refused,
                join '; ', grep { !/^250 2\.0\.0 OK$/ && $_ ne $later }
                           sort keys %$told ],
              [ $clients, '' ], "$port: each is told 250, or 451 4.3.2";
    is $messages, $taken, "$port: each message that was taken is there";
    cmp_ok $most, '<=', 2, "$port: two connections at the most";

    return ($taken, $refused);
}

sub fds { return $t->worker_fds($worker) }

sub settled { my ($fds) = @_; return poll(sub { fds() == $fds }, 5) }

my $fds = fds();

for my $time (1, 2) {
    for my $try ([ 'all', 0 ], [ 'all_verify', 0 ], [ 'some_verify', 1 ],
                 [ 'none', 1 ])
    {
        my ($port, $refuses) = @$try;
        my ($taken, $refused) = round($port);

        $refuses ? ok $taken && $refused, "$port: some have to come later"
                 : is $refused, 0, "$port: all wait, and are served";
    }

    ok settled($fds), 'no descriptor is left';

    SKIP: {
        skip 'a sanitizer keeps what is freed', 1 if $asan;

        cmp_ok $t->worker_memory('VmHWM', $worker), '<=',
               PER_CLIENT_KB * $clients, 'memory is bounded';
    }
}

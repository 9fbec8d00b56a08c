#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# smtp_health_check in a zone: a server is checked by one worker for all, and
# what is known outlives the worker and the configuration.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $t = Test::Nginx::SmtpExt->new(workers => 2);

my $conf = <<'EOC';
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass_mode   buffered;

    smtp_upstream zone {
        zone    zone  64k;
        server  127.0.0.1:%%PORT_a%%;
        server  127.0.0.1:%%PORT_b%%;
        smtp_health_check  interval=50ms;
    }

    smtp_upstream one {
        zone    one  64k;
        server  127.0.0.1:%%PORT_c%%;
        server  127.0.0.1:%%PORT_c%%;
        smtp_health_check  type=connect  interval=1h;
    }

    smtp_upstream each {
        server  127.0.0.1:%%PORT_d%%;
        server  127.0.0.1:%%PORT_d%%;
        smtp_health_check  type=connect  interval=1h;
    }

    server {
        listen     127.0.0.1:%%PORT_zone%%;
        protocol   smtp_ext;
        smtp_pass  smtp://zone;
    }
}
EOC

my %mta = map { $_ => $t->server($_) } 'a' .. 'd';
my %was = map { $_ => 0 } keys %mta;
my @workers;

$t->write_conf($conf)->plan(21)->run();


sub who {
    my $who = '';

    for my $name (sort keys %mta) {
        my $n = () = $mta{$name}->messages();

        $who .= $name x ($n - $was{$name});
        $was{$name} = $n;
    }

    return $who;
}

# messages, each by a worker: the others are stopped when it connects

sub send_by {
    my ($workers) = @_;
    my $who = '';

    for my $worker (split //, $workers) {
        my $other = $workers[!$worker];

        kill 'STOP', $other;
        poll(sub { $t->read_file("/proc/$other/stat") =~ /\) T /s }, 8);

        my $c = $t->client('zone');

        $c->read_reply();
        kill 'CONT', $other;
        $c->ehlo();

        my $reply = $c->send_message();

        $who .= $reply =~ /^250/ ? who() : substr $reply, 0, 9;
        $c->quit();
    }

    return $who;
}

sub new_workers {
    my %old = map { $_ => 1 } @workers;

    poll(sub {
        @workers = $t->worker_pids(qr/worker process/);
        return @workers == 2 && !grep { $old{$_} } @workers;
    }, 15);
}

sub lines {
    my ($name, $what) = @_;
    my $port = $t->port($name);

    return scalar(() = $t->notices() =~ /:$port is $what/g);
}

sub said {
    my ($name, $what, $n) = @_;

    return poll(sub { lines($name, $what) >= $n }, 8);
}

new_workers();

ok $mta{c}->wait_connections(2), 'zone: each server is checked by one worker';
ok $mta{d}->wait_connections(4), 'no zone: by each of them';

# what one worker finds out all know

is send_by('0101'), 'abab', 'both are healthy';
$mta{a}->set(on => { CONNECT => '554 5.3.2 no' });
ok said('a', 'unhealthy', 1), 'one is unhealthy';
is send_by('0011'), 'bbbb', 'for all workers';
$mta{a}->set(on => {});
ok said('a', 'healthy', 1), 'it heals';
like send_by('0011'), qr/^(?:abab|baba)$/, 'for all workers';

# a new configuration knows it: its own first check does not end

$mta{a}->set(on => { CONNECT => '554 5.3.2 no' });
ok said('a', 'unhealthy', 2), 'it is unhealthy again';
$mta{a}->set(fault => { at => 'CONNECT', do => 'silent' });
$t->write_conf($conf =~ s/interval=50ms/interval=50ms timeout=60s/r);
ok $t->reload(), 'reload';
new_workers();
is send_by('0011'), 'bbbb', 'it still is';

# who checked is killed in the middle of it

ok $t->kill_worker('KILL', $_), 'a worker is killed' for @workers;
@workers = $t->worker_pids();

is send_by('0011'), 'bbbb', 'the others know';
$mta{a}->set(fault => undef, on => {});
ok $t->kill_worker('TERM', $_), 'a worker is stopped' for @workers;
@workers = $t->worker_pids();
ok said('a', 'healthy', 2), 'somebody checks';
like send_by('0011'), qr/^(?:abab|baba)$/, 'it is used again';

# without checks nothing is known

$mta{a}->set(on => { CONNECT => '554 5.3.2 no' });
ok said('a', 'unhealthy', 3), 'unhealthy once more';
$mta{a}->set(on => {});
$t->write_conf($conf =~ s/smtp_health_check.*?;//sgr);
ok $t->reload(), 'a configuration without checks';
new_workers();
like send_by('0011'), qr/^(?:abab|baba)$/, 'nobody is unhealthy';

is lines('a', 'unhealthy'), 3, 'each time it was said once';

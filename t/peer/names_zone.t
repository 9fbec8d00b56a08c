#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Names with "resolve" in a zone: one worker asks for all of them, and a reload
# forgets nothing.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $t = Test::Nginx::SmtpExt->new(workers => 2);

my @groups = qw/ zone alone moving srv /;

my $conf = <<'EOC' . join('', map { <<"EOS" } @groups) . "}\n";
%%GLOBALS%%

events { }

mail {
    server_name       mx.example.com;
    smtp_relay_from   127.0.0.1;
    smtp_pass_mode    buffered;
    resolver          127.0.0.1:%%PORT_dns%%  ipv6=off;

    smtp_upstream zone {
        zone    names  128k;
        server  zone.example.com:%%PORT_mta%%  resolve;
    }

    smtp_upstream alone {
        server  alone.example.com:%%PORT_mta%%  resolve;
    }

    smtp_upstream moving {
        zone    names;
        server  zone.example.com:%%PORT_mta%%  resolve  backup;
        server  moving.example.com:%%PORT_mta%%  resolve;
    }

    smtp_upstream srv {
        zone    names;
        server  example.com  service=smtp  resolve;
    }
EOC

    server {
        listen     127.0.0.1:%%PORT_$_%%;
        protocol   smtp_ext;
        smtp_pass  smtp://$_;
    }
EOS

my $port = $t->port('mta');
my %mta = map { $_ => $t->server("127.0.0.$_:mta") } 1 .. 3;
my %was = map { $_ => 0 } keys %mta;
my @workers;

my %zone = (
    'zone.example.com' => { A => [ '127.0.0.1', '127.0.0.2' ], ttl => 600 },
    'alone.example.com' => { A => '127.0.0.1', ttl => 600 },
    'moving.example.com' => { A => '127.0.0.1', ttl => 1 },
    '_smtp._tcp.example.com' => { ttl => 600, SRV => [
        [ 10, 2, $port, 'a.example.com' ],
        [ 10, 1, $port, 'b.example.com' ],
        [ 20, 5, $port, 'c.example.com' ],
    ] },
    'a.example.com' => { A => '127.0.0.1', ttl => 600 },
    'b.example.com' => { A => '127.0.0.2', ttl => 600 },
    'c.example.com' => { A => '127.0.0.3', ttl => 600 },
);

my $dns = $t->dns('dns', zone => \%zone);

$t->write_conf($conf)->plan(17)->run();


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
    my ($workers, $port) = @_;
    my $who = '';

    for my $worker (split //, $workers) {
        my $other = $workers[!$worker];

        kill 'STOP', $other;
        poll(sub { $t->read_file("/proc/$other/stat") =~ /\) T /s }, 8);

        my $c = $t->client($port);

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

sub queries {
    my ($pattern) = @_;

    $dns->sync();

    return scalar grep { /$pattern/ } $dns->queries();
}

new_workers();

is send_by('0011', 'zone'), '1212', 'a round over the addresses';
is send_by('0101', 'alone'), '1111', 'no zone: the name is known';
is send_by('010101', 'srv'), '121121', 'SRV records and their weights';
is queries('^_smtp'), 1, 'zone: one worker asks';
is queries('^alone'), 2, 'no zone: each does';

# a name moves: all workers follow

is send_by('01', 'moving'), '11', 'a name';
$dns->set(zone => { %zone,
    'moving.example.com' => { A => '127.0.0.2', ttl => 1 } });
ok poll(sub { send_by('01', 'moving') eq '22' }, 8), 'it moves';

# a reload, and no DNS

my $n = queries('^zone|^_smtp');

$mta{1}->set(fault => { at => 'MAIL', do => 'close' });
is send_by('0', 'srv'), '2', 'a server is down';
is send_by('10', 'srv'), '22', 'for all workers';

$dns->set(zone => { map { $_ => { drop => 1 } } keys %zone });
ok $t->reload(), 'reload';
new_workers();

is send_by('01', 'moving'), '22', 'what a name was is known';
is send_by('01', 'srv'), '22', 'servers of SRV records too';
is queries('^zone|^_smtp'), $n, 'nobody asks for what is known';
$mta{1}->set(fault => undef);
is send_by('01', 'zone'), '12', 'addresses too';

# the worker that asks is killed: another one does

$dns->set(zone => { %zone,
    'moving.example.com' => { A => '127.0.0.3', ttl => 1 } });
ok $t->kill_worker('KILL', $_), 'a worker is killed' for @workers;
@workers = $t->worker_pids();
ok poll(sub { send_by('01', 'moving') eq '33' }, 15), 'names are followed';

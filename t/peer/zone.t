#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The state of servers in a zone: it is one for all workers, outlives those
# that are killed, and is kept over a reload.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $t = Test::Nginx::SmtpExt->new(workers => 2);

my @groups = qw/ shared own fails busy wait least keys /;

my $conf = <<'EOC' . join '', map { <<"EOS" } @groups;
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass_mode   buffered;

    smtp_upstream shared {
        zone       smtp  256k;
        server     127.0.0.1:%%PORT_a%%  weight=3;
        server     127.0.0.1:%%PORT_b%%;
    }

    smtp_upstream own {
        server     127.0.0.1:%%PORT_a%%  weight=3;
        server     127.0.0.1:%%PORT_b%%;
    }

    smtp_upstream fails {
        zone       smtp;
        server     127.0.0.1:%%PORT_a%%  max_fails=1  fail_timeout=600s;
        server     127.0.0.1:%%PORT_b%%;
        keepalive  0;
    }

    smtp_upstream busy {
        zone       busy  64k;
        server     127.0.0.1:%%PORT_a%%  max_conns=1;
        server     127.0.0.1:%%PORT_b%%  backup;
    }

    smtp_upstream wait {
        zone       wait  64k;
        queue      10;
        server     127.0.0.1:%%PORT_a%%  max_conns=1;
    }

    smtp_upstream least {
        least_conn;
        zone       least  64k;
        server     127.0.0.1:%%PORT_a%%;
        server     127.0.0.1:%%PORT_b%%;
    }

    smtp_upstream keys {
        hash       $smtp_mail_from  consistent;
        zone       keys  64k;
        server     127.0.0.1:%%PORT_a%%;
        server     127.0.0.1:%%PORT_b%%;
    }
EOC

    server {
        listen     127.0.0.1:%%PORT_$_%%;
        protocol   smtp_ext;
        smtp_pass  smtp://$_;
    }
EOS

$conf .= "}\n";

$t->write_conf($conf)->plan(38)->run();

my @names = qw/ a b /;
my %mta = map { $_ => $t->server($_) } @names;
my %was = map { $_ => 0 } @names;
my @workers;


# until those of before have ended

sub new_workers {
    my %old = map { $_ => 1 } @workers;

    poll(sub {
        @workers = $t->worker_pids(qr/worker process/);
        return @workers == 2 && !grep { $old{$_} } @workers;
    }, 15);
}

# which server has got a message since the last time

sub who {
    my $who = '';

    for my $name (@names) {
        my $n = () = $mta{$name}->messages();

        $who .= $name x ($n - $was{$name});
        $was{$name} = $n;
    }

    return $who;
}

# who is stopped accepts no connection: so it is known which worker does

sub client {
    my ($worker, $port) = @_;

    my $other = $workers[!$worker];

    kill 'STOP', $other;
    poll(sub { $t->read_file("/proc/$other/stat") =~ /\) T /s }, 8);

    my $c = $t->client($port);

    $c->read_reply();
    kill 'CONT', $other;
    $c->ehlo();

    return $c;
}

# messages, by one worker each: who got them

sub send_by {
    my ($workers, $port, $from) = @_;
    my $who = '';

    for my $worker (split //, $workers) {
        my $c = client($worker, $port);

        $c->send_message(from => $from // 'a@example.com');
        $who .= who() || '-';
        $c->quit();
    }

    return $who;
}

# a message whose reply is held back

sub begin {
    my ($c) = @_;
    my $n = () = $mta{a}->events('held');

    $mta{a}->set(fault => { at => 'EOM', do => 'hold' });
    $c->pipeline('MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.com>',
                 'DATA');
    $c->read_replies(3);
    $c->body("x\r\n");
    $mta{a}->wait_held($n + 1);
    $mta{a}->set(fault => undef);

    return who();
}

new_workers();

# one round for all workers, or one for each

is send_by('01' x 4, 'shared'), 'aabaaaba', 'zone: the workers share a round';
is send_by('01' x 4, 'own'), 'aaaabbaa', 'no zone: each has its own';

# a failure is known to all

$mta{a}->set(fault => { at => 'CONNECT', do => 'close' });
is send_by('0', 'fails'), 'b', 'a server fails in one worker';

my $connections = $mta{a}->connections();

is send_by('1001', 'fails'), 'bbbb', 'the other server gets all';
is $mta{a}->connections(), $connections, 'no worker tries the first';
$mta{a}->set(fault => undef);

# so is what is in use

my $c = client(0, 'busy');

is begin($c), 'a', 'one worker has the only connection';
is send_by('10', 'busy'), 'bb', 'no worker makes another';
$mta{a}->release();
like $c->read_reply(), qr/^250 /, 'it is done';
is send_by('10', 'busy'), 'aa', 'then every worker can';

$c = client(0, 'wait');
is begin($c), 'a', 'one worker has the only connection';

my $d = client(1, 'wait');

$d->pipeline('MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.com>', 'DATA');
$d->read_replies(3);
$d->body("x\r\n");
is send_by('0', 'own') . who(), 'a', 'another one waits for it';
$mta{a}->release();
like $_->read_reply(), qr/^250 /, 'it gets it' for $c, $d;
is who(), 'a', 'and delivers';

$c = client(0, 'least');
is begin($c), 'a', 'one worker has something to do';
is send_by('110', 'least'), 'bbb', 'least_conn of another one knows';
$mta{a}->release();
$c->read_reply();

# hash ... consistent: the workers agree

my @by = map { my $worker = $_;
               join '', map { send_by($worker, 'keys', "$_\@example.com") }
                        1 .. 12 } 0, 1;
is $by[0], $by[1], 'the same servers for the same keys';
like $by[0], qr/a.*b|b.*a/, 'more than one';

# A worker is killed: what it had in use is free.

$c = client(0, 'busy');
is begin($c), 'a', 'the only connection is in use';
ok $t->kill_worker('KILL', $workers[0]), 'its worker is killed';
like $c->read_reply(), qr/^\((?:closed|reset)\)$/, 'its client is told nothing';
$mta{a}->release();

@workers = $t->worker_pids();

is send_by('10', 'busy'), 'aa', 'it can be used again';
is send_by('1', 'least'), 'b', 'the round goes on';
is send_by('0', 'least'), 'a', 'for the new worker, too';

# a reload keeps marks and turns; the sum of the weights is 4

is send_by('01', 'shared'), 'aa', 'half of a round';
$mta{a}->set(fault => { at => 'CONNECT', do => 'close' });
$connections = $mta{a}->connections();

$t->write_conf($conf =~ s/smtp  256k/smtp  512k/r
                     =~ s/(hash .*?)\b64k/${1}128k/sr);
ok $t->reload(), 'reload';
new_workers();

is send_by('0101', 'fails'), 'bbbb', 'who was down is down';
is $mta{a}->connections(), $connections, 'and is not tried';
$mta{a}->set(fault => undef);
is send_by('01', 'shared'), 'ba', 'the other half of the round';

# ... of servers that are the same; others begin anew

$t->write_conf($conf =~ s/max_fails=1/max_fails=0/r =~ s/weight=3/weight=2/r);
ok $t->reload(), 'other parameters';
new_workers();

is send_by('01' x 3, 'shared'), 'abaaba', 'another round';
is send_by('0101', 'fails'), 'bbab', 'max_fails=0: marks count no more';

# A worker of an old configuration, which nobody replaces, is killed: what it
# had is free for the others of its configuration.

$c = client(0, 'wait');
is begin($c), 'a', 'one worker has the only connection';
$d = client(1, 'wait');
$d->mail('a@example.com');
$d->rcpt('b@example.com');

my @old = @workers;

ok $t->reload(), 'reload';
ok $t->kill_worker('KILL', $old[0]), 'it is killed';
like $c->read_reply(), qr/^\((?:closed|reset)\)$/, 'its client sees that';
like $d->data("x\r\n"), qr/^250 /, 'the other old one can go on';
$d->quit();
new_workers();

my $marks = () = $t->notices() =~ /temporarily disabled/g;

is $marks, 1, 'an outage is in the log once, not once for each worker';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Workers that share a zone are killed under load, at any moment, and the
# configuration is reloaded: no connection stays counted, no lock stays shut.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll scaled /;

my $t = Test::Nginx::SmtpExt->new(workers => 3);

# (without PIPELINING: answers that are delayed come in order)

my %mta = map { $_ => $t->server($_, ehlo => [ '8BITMIME' ]) } 'a', 'b';

$t->write_conf(<<'EOC')->plan(10)->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;

    smtp_upstream mtas {
        zone       mtas  128k;
        least_conn;
        queue      100;
        server     127.0.0.1:%%PORT_a%%  max_conns=2;
        server     127.0.0.1:%%PORT_b%%  max_conns=2;
        smtp_health_check  interval=20ms  type=noop;
    }

    server {
        listen     127.0.0.1:%%PORT_smtp%%;
        protocol   smtp_ext;
        smtp_pass  smtp://mtas;
    }
}
EOC

sub client {
    my $c = $t->client('smtp');

    $c->read_reply() =~ /^220/ or return client();
    $c->ehlo();

    return $c;
}

# what takes its time can be interrupted

$_->set(fault => { at => 'RCPT', do => 'delay', seconds => 0.03 })
    for values %mta;

srand 42;

my ($sent, $taken, $lost) = (0, 0, 0);
my %acked;

for my $round (1 .. 12) {
    my @clients = map { client() } 1 .. 8;

    for my $c (@clients) {
        $c->{subject} = "message " . ++$sent;
        $c->pipeline('MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.com>',
                     'DATA');
    }

    # one third of them is somewhere in the middle when its worker goes

    my @pids = $t->worker_pids();

    $t->kill_worker('KILL', $pids[rand @pids]) if $round % 4;
    $t->reload() unless $round % 4;

    for my $c (@clients) {
        my @replies = $c->read_replies(3);

        if ($replies[2] !~ /^354/) {
            $lost++;
            next;
        }

        if ($c->body("Subject: $c->{subject}\r\n\r\nx\r\n")
            && $c->read_reply() =~ /^250/)
        {
            $taken++;
            $acked{$c->{subject}} = 1;
        }

        $c->close();
    }
}

cmp_ok $taken, '>', 0, 'messages are taken';
cmp_ok $lost, '>', 0, 'and some have been interrupted';

my %stored;

for my $m (map { $_->messages() } values %mta) {
    $stored{$1}++ if $m->{data} =~ /^Subject: (.*)\r$/m;
}

is join(' ', grep { !$stored{$_} } sort keys %acked), '',
   'what was taken is there';

# all connections can be used, and no more than those

ok poll(sub { !$t->worker_pids(qr/is shutting down$/)
              && $t->worker_pids() == 3 }, 15), 'there are three workers';

$_->set(fault => { at => 'RCPT', do => 'hold' }) for values %mta;

my @clients = map { client() } 1 .. 5;

for my $c (@clients) {
    $c->mail('a@example.com');
    $c->send_line('RCPT TO:<b@example.com>');
}

ok $mta{$_}->wait_held(2), "$_: two connections are in use" for 'a', 'b';
is join(' ', map { scalar(() = $mta{$_}->events('held')) } 'a', 'b'), '2 2',
   'no third one';
$_->set(fault => undef) for values %mta;
$_->release(2) for values %mta;
is join('|', map { substr $_->read_reply(), 0, 3 } @clients),
   '250|250|250|250|250', 'the fifth is served when one is free';
is scalar(grep { $_->data("x\r\n") =~ /^250/ } @clients), 5,
   'all are delivered';
unlike $t->notices(), qr/is unhealthy/, 'nobody was unhealthy';

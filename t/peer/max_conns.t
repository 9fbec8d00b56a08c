#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Limits of connections to a server, and the queue of those who wait for one.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

my @groups = qw/ one short none two many /;

$t->write_conf(<<'EOC' . join('', map { <<"EOS" } @groups) . "}\n");
%%GLOBALS%%

events { worker_connections 1000; }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;

    smtp_upstream one {
        server  127.0.0.1:%%PORT_a%%  max_conns=1;
        queue   2;
    }

    smtp_upstream short {
        server  127.0.0.1:%%PORT_a%%  max_conns=1;
        queue   10  timeout=200ms;
    }

    smtp_upstream none {
        server  127.0.0.1:%%PORT_a%%  max_conns=1;
        server  127.0.0.1:%%PORT_b%%  max_conns=1;
    }

    smtp_upstream two {
        server  127.0.0.1:%%PORT_a%%  max_conns=1;
        server  127.0.0.1:%%PORT_b%%  max_fails=0;
        queue   2;
    }

    smtp_upstream ways {
        server  127.0.0.1:%%PORT_d%%  max_conns=1;
        queue   5;
    }

    server {
        listen     127.0.0.1:%%PORT_way1%%;
        protocol   smtp_ext;
        smtp_pass  smtp://ways;
    }

    server {
        listen          127.0.0.1:%%PORT_way2%%;
        protocol        smtp_ext;
        smtp_pass       smtp://ways;
        smtp_pass_helo  other.example.com;
    }

    smtp_upstream many {
        server  127.0.0.1:%%PORT_c%%  max_conns=2;
        queue   1000;
    }
EOC

    server {
        listen     127.0.0.1:%%PORT_$_%%;
        protocol   smtp_ext;
        smtp_pass  smtp://$_;
    }
EOS

$t->plan(40)->run();

my %mta = map { $_ => $t->server($_) } qw/ a b c d /;
my $busy = '451 4.3.2 Destination servers are busy, try again later';
my $held = 0;

sub client {
    my ($port) = @_;
    my $c = $t->client($port);

    $c->read_reply();
    $c->ehlo();
    $c->mail('a@example.com');

    return $c;
}

# asks about a recipient; the answer is not read

sub ask {
    my ($port, $rcpt) = @_;
    my $c = client($port);

    $c->send_line("RCPT TO:<$rcpt\@example.com>");

    return $c;
}

# ... and the server holds it back

sub hold {
    my ($port, $rcpt) = @_;
    my $c = ask($port, $rcpt);

    ok $mta{a}->wait_held(++$held), "the server has $rcpt";

    return $c;
}

sub rcpts {
    my ($name) = @_;

    return join ' ', map { /^RCPT TO:<(\w+)/ } $mta{$name}->commands();
}

# one connection, two who wait, one too many

$mta{a}->set(fault => { at => 'RCPT', do => 'hold' });

my $first = hold('one', 'first');
my $second = ask('one', 'second');
my $third = ask('one', 'third');
my $fourth = ask('one', 'fourth');

is $fourth->read_reply(), $busy, 'there is no room in the queue';
is $mta{a}->connections(), 1, 'there is one connection';
like $t->notices(),
     qr/\[warn\].*servers of upstream "one" have no connection left, 2 reque/,
     'it is in the log';

$mta{a}->release();
like $first->read_reply(), qr/^250 /, 'the first is done';
ok $mta{a}->wait_held(++$held), 'the next one is asked about';
is rcpts('a'), 'first second', 'it is the one who came first';
$mta{a}->release();
like $second->read_reply(), qr/^250 /, 'the second is done';
ok $mta{a}->wait_held(++$held), 'the next one is asked about';
is rcpts('a'), 'first second third', 'it is the third';
$mta{a}->release();
like $third->read_reply(), qr/^250 /, 'all are done';
$mta{a}->set(fault => undef);

# the transactions go on, the connection being everybody's

like $_->data("x\r\n"), qr/^250 /, 'a message' for $third, $first, $second;
is $mta{a}->connections(), 1, 'there is still one connection';

# who goes away while he waits leaves his place to others

$mta{a}->set(fault => { at => 'RCPT', do => 'hold' });
$first = hold('one', 'fifth');
$second = ask('one', 'gone');
$third = ask('one', 'sixth');
is ask('one', 'toomany')->read_reply(), $busy, 'again the queue is full';

$second->reset();
ok $t->wait_log(qr/client connection failed/), 'one has gone';
$fourth = ask('one', 'seventh');
$mta{a}->release();
$mta{a}->wait_held(++$held);
$mta{a}->release();
$mta{a}->wait_held(++$held);
$mta{a}->release();
is join('|', map { substr $_->read_reply(), 0, 3 } $first, $third, $fourth),
   '250|250|250', 'those behind come up';
like rcpts('a'), qr/ fifth sixth seventh$/, 'in their order';
$_->quit() for $first, $third, $fourth;

# who waits too long

$first = hold('short', 'x');
is ask('short', 'y')->read_reply(), $busy, 'the time is over';
$mta{a}->release();
like $first->read_reply(), qr/^250 /, 'the first does not care';

# no queue: other servers, then none

$first = hold('none', 'p');
$mta{b}->set(fault => { at => 'RCPT', do => 'hold' });
$second = ask('none', 'q');
ok $mta{b}->wait_held(1), 'one is busy: another server is asked';
is ask('none', 'r')->read_reply(), $busy, 'both are busy: a reply at once';
$_->release() for $mta{a}, $mta{b};
like $_->read_reply(), qr/^250 /, 'done' for $first, $second;

# a server fails, and the other one is busy

$mta{b}->set(fault => { at => 'CONNECT', do => 'close' });
$first = hold('two', 'f');
my $connections = $mta{b}->connections();
$second = ask('two', 'g');
$mta{b}->wait_connections($connections + 1);
$mta{a}->release();
like $first->read_reply(), qr/^250 /, 'one server is busy, the other fails';
$mta{a}->wait_held(++$held);
$mta{a}->release();
like $second->read_reply(), qr/^250 /, 'the busy one is waited for';
$mta{a}->set(fault => undef);

# One connection, and two ways to use the server that have none in common: a
# kept one gives way to another one, a transaction that is parked does, and
# the server never sees two.

$first = client('way1');
like $first->rcpt('first@example.com'), qr/^250 /, 'the first way';
$mta{d}->set(fault => { at => 'RCPT', do => 'hold' });
$second = ask('way2', 'second');
ok $mta{d}->wait_held(1), 'the second way needs another connection';
$first->pipeline('DATA');
$first->read_reply();
$first->body("x\r\n");
$mta{d}->set(fault => undef);
$mta{d}->release();
like $second->read_reply(), qr/^250 /, 'it has its reply';
like $first->read_reply(), qr/^250 /, 'the first one goes on with a third';
like $second->data("x\r\n"), qr/^250 /, 'the second one with a fourth';

my ($open, $most) = (0, 0);

for ($mta{d}->events()) {
    $open++ if $_->{type} eq 'connect';
    $open-- if $_->{type} eq 'close';
    $most = $open if $open > $most;
}

is $mta{d}->connections() . " $most", '4 1', 'one at a time';

# many clients, two connections

my @clients = map { client('many') } 1 .. 200;

$_->send_line('RCPT TO:<b@example.com>') for @clients;
is scalar(grep { $_->read_reply() =~ /^250/ } @clients), 200,
   'two hundred clients at a time: all are answered';
is scalar(grep { $_->data("x\r\n") =~ /^250/ } @clients), 200,
   'all messages are delivered';
is $mta{c}->connections(), 2, 'over two connections';

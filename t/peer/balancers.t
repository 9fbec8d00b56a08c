#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The ways to choose a server of a group, message by message: what comes out is
# known beforehand, for "hash" and "ip_hash" by formulas of nginx's that are
# written down here once more.

use warnings;
use strict;

use Test::More;

use Compress::Zlib qw/ crc32 /;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $t = Test::Nginx::SmtpExt->new();

my @groups = qw/ smooth least weighted ip_hash key empty keys consistent heavy random
                 two /;
my %group = (
    smooth => [ '', 'a weight=5', 'b', 'c' ],
    least => [ 'least_conn;', 'a', 'b', 'c' ],
    weighted => [ 'least_conn;', 'a weight=2', 'b' ],
    ip_hash => [ 'ip_hash;', 'a', 'b weight=2', 'c', 'd' ],
    key => [ 'hash $smtp_mail_from;', 'a', 'b', 'c weight=3', 'd' ],
    empty => [ 'hash $smtp_mail_from;', 'a', 'b', 'c weight=3', 'd' ],
    keys => [ 'hash "x${smtp_mail_from}-$smtp_helo";', 'a', 'b', 'c', 'd' ],
    consistent => [ 'hash $smtp_mail_from consistent;',
                    'a', 'b', 'c weight=3', 'd' ],
    heavy => [ 'hash $smtp_mail_from consistent;', 'a weight=65535',
               'b weight=1' ],
    random => [ 'random;', 'a weight=2', 'b', 'c', 'd down' ],
    two => [ 'random two least_conn;', 'a', 'b' ],
);

my ($upstreams, $servers) = ('', '');

for my $name (@groups) {
    my ($balancer, @servers) = @{$group{$name}};
    my $list = join "\n", map { /^(\w)(.*)/ ? <<"EOC" : () } @servers;
        server     127.0.0.1:%%PORT_$1%%$2;
EOC

    $upstreams .= <<"EOC";

    smtp_upstream $name {
        $balancer
$list
        keepalive  0;
    }
EOC

    $servers .= <<"EOC";

    server {
        listen     127.0.0.1:%%PORT_$name%%;
        protocol   smtp_ext;
        smtp_pass  smtp://$name;
    }
EOC
}

$t->write_conf(<<"EOC")->plan(24)->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.0/8;
    smtp_pass_mode   buffered;
$upstreams
$servers
}
EOC

my @names = qw/ a b c d /;
my %mta = map { $_ => $t->server($_) } @names;
my %was = map { $_ => 0 } @names;


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

# one message after the other: who got them

sub send_all {
    my ($port, @from) = @_;
    my $c = $t->connected($port);
    my $who = '';

    for my $from (@from) {
        $c->send_message(from => $from);
        $who .= who() || '-';
    }

    $c->quit();

    return $who;
}

my @senders = map { "sender$_\@example.com" } 1 .. 40;
my @few = @senders[0 .. 13];

# round robin, in its smooth order

is send_all('smooth', @few), 'aabacaaaabacaa', 'round robin is smooth';

# least_conn: round robin among those with nothing to do, else the idlest

is send_all('least', @few[0 .. 5]), 'abcabc', 'least_conn: nobody is busy';

# a message whose reply is held back: who has it

sub begin {
    my ($c) = @_;
    my $who;

    $c->pipeline('MAIL FROM:<busy@example.com>', 'RCPT TO:<b@example.com>',
                 'DATA');
    $c->read_replies(3);
    $c->body("x\r\n");

    return poll(sub { $who = who() }, 8);
}

sub busy {
    my ($what) = @_;

    $mta{$_}->set(fault => $what ? { at => 'EOM', do => 'hold' } : undef)
        for @names;
}

for my $try ([ 'least', 'abccba', 'equals' ],
             [ 'weighted', 'ababaa', 'twice the weight, twice the load' ])
{
    my ($group, $order, $name) = @$try;
    my @clients = map { $t->connected($group) } 1 .. 6;

    busy(1);
    is join('', map { begin($_) } @clients), $order, "least_conn: $name";
    busy(0);

    # a server that has nothing to do any more is the next

    $mta{b}->release(2);
    is join('|', map { $clients[$_]->read_reply() =~ s/ id=.*//r }
                 grep { substr($order, $_, 1) eq 'b' } 0 .. 5),
       '250 2.0.0 OK|250 2.0.0 OK', 'one of them has nothing to do';
    is send_all($group, @senders[0 .. 2]), 'bbb', 'it gets the next ones';

    $mta{$_}->release(6) for 'a', 'c';
    $clients[$_]->read_reply() for grep { substr($order, $_, 1) ne 'b' } 0 .. 5;
}

# ip_hash: the first three octets; the next server when one is down

my @order = qw/ a b b c d /;

sub ip_hash {
    my ($addr, $down) = @_;
    my $hash = 89;

    while (1) {
        $hash = ($hash * 113 + $_) % 6271 for (split /\./, $addr)[0 .. 2];

        my $who = $order[$hash % @order];

        return $who if $who ne ($down // '');
    }
}

sub from_all {
    my $who = '';

    for my $addr (@_) {
        my $c = $t->connected('ip_hash', local => $addr);

        $c->send_message() for 1 .. 2;
        $who .= who();
        $c->quit();
    }

    return $who;
}

my @addrs = map { "127.$_.$_.7" } 1 .. 12;

is from_all(@addrs), join('', map { ip_hash($_) x 2 } @addrs),
   'ip_hash: the network decides';
is from_all(map { s/7$/9/r } @addrs), join('', map { ip_hash($_) x 2 } @addrs),
   'all of it alike';

$mta{a}->set(fault => { at => 'CONNECT', do => 'close' });
is from_all(@addrs), join('', map { ip_hash($_, 'a') x 2 } @addrs),
   'one is down: another server for its networks, the same for the others';
$mta{a}->set(fault => undef);

# hash: as Cache::Memcached has it

sub hash {
    my ($key, @order) = @_;

    return $order[(crc32($key) >> 16 & 0x7fff) % @order];
}

is send_all('key', @senders),
   join('', map { hash($_, qw/ a b c c c d /) } @senders), 'hash';
is send_all('keys', @senders),
   join('', map { hash("x$_-client.example.com", @names) } @senders),
   'hash of a text with variables';
is send_all('empty', ('') x 6), 'cabcdc', 'an empty key: round robin';

# hash ... consistent: ketama, as Cache::Memcached::Fast has it

sub points {
    my %weight = @_;
    my %points;

    for my $name (sort keys %weight) {
        my $base = "127.0.0.1\0" . $t->port($name);
        my $prev = 0;

        for (1 .. 160 * $weight{$name}) {
            $prev = crc32($base . pack 'V', $prev);
            $points{$prev} //= $name;
        }
    }

    return \%points;
}

sub consistent {
    my ($points, $key) = @_;
    my $hash = crc32($key);
    my @hashes = sort { $a <=> $b } keys %$points;
    my ($next) = grep { $_ >= $hash } @hashes;

    return $points->{$next // $hashes[0]};
}

my $points = points(a => 1, b => 1, c => 3, d => 1);

is send_all('consistent', @senders),
   join('', map { consistent($points, $_) } @senders), 'hash, consistent';

# without c its keys go to others, and no other key moves

my $without = points(a => 1, b => 1, d => 1);

$mta{c}->set(fault => { at => 'CONNECT', do => 'close' });
is send_all('consistent', @senders),
   join('', map { my $who = consistent($points, $_);
                  $who eq 'c' ? consistent($without, $_) : $who } @senders),
   'one is down: its keys alone move';
$mta{c}->set(fault => undef);

is send_all('heavy', @few), 'a' x @few, 'the largest weight there may be';

# random: all but those which are down, and nobody is forgotten

my $all = '';

$all .= send_all('random', @senders) for 1 .. 10;

is length $all, 400, 'random: all are delivered';
unlike $all, qr/d/, 'none to whom is down';

for my $try ([ a => 200 ], [ b => 100 ], [ c => 100 ]) {
    my ($name, $mean) = @$try;
    my $n = () = $all =~ /$name/g;

    # six times the standard deviation

    cmp_ok abs($n - $mean), '<', 60, "$name has its share";
}

# random two: with two there is one choice, which has less to do

my @clients = map { $t->connected('two') } 1 .. 6;

busy(1);
like join('', map { begin($_) } @clients), qr/^(?:ab|ba){3}$/,
     'random two: the one with less to do';
busy(0);
$mta{$_}->release(6) for 'a', 'b';
is scalar(grep { $_->read_reply() =~ /^250/ } @clients), 6, 'all get through';

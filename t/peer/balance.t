#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Which server of a group gets a message: weights, failures, backups, unix
# sockets, servers that are down.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll slow /;

my $t = Test::Nginx::SmtpExt->new();

$t->write_conf(<<'EOC')->plan(29)->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass_mode   buffered;

    smtp_upstream weights {
        server     127.0.0.1:%%PORT_a%%  weight=3;
        server     127.0.0.1:%%PORT_b%%;
        server     127.0.0.1:%%PORT_c%%  down;
        keepalive  0;
    }

    smtp_upstream fails {
        server     127.0.0.1:%%PORT_a%%  max_fails=2  fail_timeout=2s;
        server     127.0.0.1:%%PORT_b%%  backup;
        keepalive  0;
    }

    smtp_upstream slowly {
        server     127.0.0.1:%%PORT_a%%  fail_timeout=1s  slow_start=1h;
        server     127.0.0.1:%%PORT_b%%;
        keepalive  0;
    }

    smtp_upstream never {
        server     127.0.0.1:%%PORT_a%%  max_fails=0;
        server     127.0.0.1:%%PORT_b%%  backup;
        keepalive  0;
    }

    smtp_upstream mixed {
        server     unix:%%TESTDIR%%/mta.sock;
        server     127.0.0.1:%%PORT_a%%;
    }

    server {
        listen     127.0.0.1:%%PORT_weights%%;
        protocol   smtp_ext;
        smtp_pass  smtp://weights;
    }

    server {
        listen     127.0.0.1:%%PORT_fails%%;
        protocol   smtp_ext;
        smtp_pass  smtp://fails;
    }

    server {
        listen     127.0.0.1:%%PORT_slowly%%;
        protocol   smtp_ext;
        smtp_pass  smtp://slowly;
    }

    server {
        listen     127.0.0.1:%%PORT_never%%;
        protocol   smtp_ext;
        smtp_pass  smtp://never;
    }

    server {
        listen     127.0.0.1:%%PORT_mixed%%;
        protocol   smtp_ext;
        smtp_pass  smtp://mixed;
    }

    server {
        listen     127.0.0.1:%%PORT_unix%%;
        protocol   smtp_ext;
        smtp_pass  smtp://unix:%%TESTDIR%%/mta.sock;
    }
}
EOC

my %mta = map { $_ => $t->server($_) } qw/ a b c /;

$mta{u} = $t->server('unix:mta.sock');

my %was = map { $_ => 0 } keys %mta;


# who has got how many messages since the last time: "a2 b1"

sub delivered {
    my @out;

    for my $name (sort keys %mta) {
        my $n = () = $mta{$name}->messages();

        push @out, $name . ($n - $was{$name}) if $n != $was{$name};
        $was{$name} = $n;
    }

    return "@out";
}

sub connected {
    my $n = $mta{a}->connections();
    my $new = $n - ($was{connections} // 0);

    $was{connections} = $n;
    return $new;
}

sub send_to {
    my ($port, $n) = @_;
    my %replies;

    my $c = $t->client($port);

    $c->read_reply();
    $c->ehlo();
    $replies{$c->send_message() =~ s/ id=.*//r}++ for 1 .. $n || 1;
    $c->quit();

    return join ', ', map { "$_ x$replies{$_}" } sort keys %replies;
}


# weights

is send_to('weights', 8), '250 2.0.0 OK x8', 'eight messages';
is delivered(), 'a6 b2', 'three to one; none to whom is down';

# one of the two is broken: the other gets all

$mta{a}->set(fault => { at => 'CONNECT', do => 'close' });
is send_to('weights', 4), '250 2.0.0 OK x4', 'a broken server is not noticed';
is delivered(), 'b4', 'the other gets all';
like $t->notices(), qr/upstream server 127\.0\.0\.1:\d+ temporarily disabled/,
     'it is in the log';
$mta{a}->set(fault => undef);

# max_fails, fail_timeout, backup

is send_to('fails', 3), '250 2.0.0 OK x3', 'all is well';
is delivered(), 'a3', 'the backup has nothing to do';

$mta{a}->set(fault => { at => 'CONNECT', do => 'close' });
connected();
is send_to('fails', 5), '250 2.0.0 OK x5', 'the first is broken';
is delivered(), 'b5', 'the backup gets all';
is connected(), 2, 'after two failures it is not tried any more';

$mta{a}->set(fault => undef);

# it is tried again when fail_timeout is over

my $tries = 0;
ok poll(sub { $tries++; send_to('fails'); delivered() eq 'a1' }, 8),
   'it comes back';
cmp_ok $tries, '>', 1, 'but not at once';
is send_to('fails', 3), '250 2.0.0 OK x3', 'then';
is delivered(), 'a3', 'it gets all again';

# max_fails=0: it is tried each time

$mta{a}->set(fault => { at => 'MAIL', do => 'close' });
connected();
is send_to('never', 4), '250 2.0.0 OK x4', 'max_fails=0';
is delivered(), 'b4', 'the backup gets them';
is connected(), 4, 'the first is asked each time';

# both are broken: told within the request, healed in the next

$mta{b}->set(fault => { at => 'MAIL', do => 'close' });
is send_to('never', 2),
   '451 4.4.2 Connection to destination server failed x2', 'both are broken';
$mta{a}->set(fault => undef);
is send_to('never'), '250 2.0.0 OK x1', 'one is back';
delivered();

$mta{a}->set(fault => { at => 'MAIL', do => 'close' });
is send_to('fails', 5),
   '451 4.4.2 Connection to destination server failed x5',
   'both are marked as down';
$mta{$_}->set(fault => undef) for 'a', 'b';
is send_to('fails'), '250 2.0.0 OK x1',
   'when all are down the marks are forgotten';
delivered();

# slow_start: who comes back gets little at first

$mta{a}->set(fault => { at => 'CONNECT', do => 'close' });
send_to('slowly', 4);
is delivered(), 'b4', 'one of two is down';
$mta{a}->set(fault => undef);
ok poll(sub { send_to('slowly'); delivered() eq 'a1' }, 8), 'it comes back';
is send_to('slowly', 20), '250 2.0.0 OK x20', 'twenty messages';
like delivered(), qr/^(?:a1 b19|b20)$/, 'it gets hardly any';

# unix sockets

is send_to('unix', 2), '250 2.0.0 OK x2', 'unix socket';
is delivered(), 'u2', 'delivered';
is send_to('mixed', 4), '250 2.0.0 OK x4', 'unix and TCP in a group';
is delivered(), 'a2 u2', 'half of them each';

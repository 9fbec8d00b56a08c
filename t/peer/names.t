#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Names with "resolve": each address is a server for as long as the DNS says
# so.  SRV records; answers that do not come.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll scaled /;

my $t = Test::Nginx::SmtpExt->new();

my @groups = qw/ late several many moving kept gone dead own srv weighed hash mixed /;
my $ms = scaled(1000);

$t->write_conf(<<"EOC" . join('', map { <<"EOS" } @groups) . "}\n");
%%GLOBALS%%

events { }

mail {
    server_name       mx.example.com;
    smtp_relay_from   127.0.0.1;
    smtp_pass_mode    buffered;
    resolver          127.0.0.1:%%PORT_dns%%  ipv6=off;
    resolver_timeout  ${ms}ms;

    smtp_upstream late {
        server  late.example.com:%%PORT_mta%%  resolve;
        server  127.0.0.4:%%PORT_mta%%  backup;
    }

    smtp_upstream many {
        server  m:%%PORT_mta%%  resolve;
    }

    smtp_upstream several {
        server  several.example.com:%%PORT_mta%%  resolve;
        server  127.0.0.4:%%PORT_mta%%  weight=2;
    }

    smtp_upstream moving {
        server  moving.example.com:%%PORT_mta%%  resolve;
        server  127.0.0.3:%%PORT_mta%%  backup;
    }

    smtp_upstream kept {
        server  kept.example.com:%%PORT_mta%%  resolve  max_fails=1
                                               fail_timeout=600s;
    }

    smtp_upstream gone {
        server  gone.example.com:%%PORT_mta%%  resolve;
        server  127.0.0.4:%%PORT_mta%%  backup;
    }

    smtp_upstream dead {
        server  dead.example.com:%%PORT_mta%%  resolve;
    }

    smtp_upstream own {
        resolver          127.0.0.1:%%PORT_dns2%%  ipv6=off;
        resolver_timeout  5s;
        server            several.example.com:%%PORT_mta%%  resolve;
    }

    smtp_upstream srv {
        server  example.com  service=smtp  resolve  max_fails=0;
    }

    smtp_upstream weighed {
        server  example.com  service=smtp  resolve  weight=2;
    }

    smtp_upstream hash {
        hash    \$smtp_mail_from;
        server  example.com  service=_smtp._tcp  resolve;
    }

    smtp_upstream mixed {
        server  example.net  service=submission  resolve;
    }
EOC

    server {
        listen     127.0.0.1:%%PORT_$_%%;
        protocol   smtp_ext;
        smtp_pass  smtp://$_;
    }
EOS

$t->plan(37);

my $port = $t->port('mta');
my %mta = map { $_ => $t->server("127.0.0.$_:mta") } 1 .. 5;
my %was = map { $_ => 0 } keys %mta;

my %zone = (
    'late.example.com' => { A => '127.0.0.1', ttl => 600, delay => 0.5 },
    'm' => { A => [ map { "127.1.0.$_" } 1 .. 200 ], ttl => 600 },
    'several.example.com' => { A => [ '127.0.0.2', '127.0.0.1' ],
                               ttl => 600 },
    'moving.example.com' => { A => '127.0.0.1', ttl => 1 },
    'kept.example.com' => { A => [ '127.0.0.1', '127.0.0.2' ], ttl => 1 },
    'gone.example.com' => { A => '127.0.0.1', ttl => 1 },
    'dead.example.com' => { rcode => 2 },
    '_smtp._tcp.example.com' => { ttl => 600, SRV => [
        [ 10, 3, $port, 'a.example.com' ],
        [ 10, 1, $port, 'b.example.com' ],
        [ 20, 5, $port, 'c.example.com' ],
        [ 30, 5, $port, 'nobody.example.com' ],
    ] },
    'a.example.com' => { A => '127.0.0.1', ttl => 600 },
    'b.example.com' => { A => '127.0.0.2', ttl => 600 },
    'c.example.com' => { A => '127.0.0.3', ttl => 600 },
    '_submission._tcp.example.net' => { ttl => 1, SRV => [
        [ 0, 0, $port, 'a.example.com' ],
        [ 0, 0, $port, 'b.example.com' ],
    ] },
);

my $dns = $t->dns('dns', zone => \%zone);
my $dns2 = $t->dns('dns2', zone => {
    'several.example.com' => { A => '127.0.0.5' },
});

$t->run();


# which server has got a message since the last time

sub who {
    my $who = '';

    for my $name (sort keys %mta) {
        my $n = () = $mta{$name}->messages();

        $who .= $name x ($n - $was{$name});
        $was{$name} = $n;
    }

    return $who;
}

sub send_all {
    my ($port, $n, $from) = @_;
    my $c = $t->connected($port);
    my $who = '';

    for (1 .. $n) {
        my $reply = $c->send_message(from => ($from // 's') . "$_\@a.example");

        $who .= $reply =~ /^250/ ? who() : substr($reply, 0, 9) . ' ';
    }

    $c->quit();

    return $who;
}

sub queries {
    my ($pattern) = @_;

    $dns->sync();

    return scalar grep { /$pattern/ } $dns->queries();
}

# the first request comes before the first answer, and waits for it

is send_all('late', 1), '1', 'the first answer is waited for';
is send_all('several', 4), '4124', 'addresses are servers, in an order';
is send_all('several', 4), '4124', 'and it goes round';
is queries('^several'), 1, 'it is asked once while that is good';

# a name that moves

is send_all('moving', 2), '11', 'a name';
$dns->set(zone => { %zone,
    'moving.example.com' => { A => [ '127.0.0.1', '127.0.0.2' ], ttl => 1 } });
ok poll(sub { send_all('moving', 2) =~ /^(?:12|21)$/ }, 8),
   'an address more, when the old answer is too old';

my $closed = $mta{1}->closed();

$dns->set(zone => { %zone,
    'moving.example.com' => { A => '127.0.0.2', ttl => 1 } });
ok poll(sub { send_all('moving', 2) eq '22' }, 8), 'an address less';
ok $mta{1}->wait_closed($closed + 1), 'connections kept to it are closed';
is queries('^several'), 1, 'names that are good are not asked for';

# what a server has is kept when another one comes

$mta{1}->set(fault => { at => 'CONNECT', do => 'close' });
like send_all('kept', 2), qr/^22$/, 'one address is down';

my $connections = $mta{1}->connections();

$dns->set(zone => { %zone, 'kept.example.com' => {
    A => [ '127.0.0.1', '127.0.0.2', '127.0.0.3' ], ttl => 1 } });
ok poll(sub { send_all('kept', 1) eq '3' }, 8), 'a third one comes';
is $mta{1}->connections(), $connections, 'the first is still down';
$mta{1}->set(fault => undef);

# no answer: as before; no name: no server

is send_all('gone', 2), '11', 'a name with a backup';

my $n = queries('^gone');

$dns->set(zone => { %zone, 'gone.example.com' => { rcode => 2 } });
ok poll(sub { queries('^gone') >= $n + 3 }, 10), 'the DNS fails';
is send_all('gone', 2), '11', 'its last answer counts';
$dns->set(zone => { %zone, 'gone.example.com' => undef });
ok poll(sub { send_all('gone', 1) eq '4' }, 8), 'the name does not exist';
is send_all('gone', 2), '44', 'the backup gets all';
$dns->set(zone => { %zone });
ok poll(sub { send_all('gone', 1) eq '1' }, 8), 'it exists again';

my @lines = grep { !/\[info\]/ }
            $t->notices() =~ /^.* gone\.example\.com .*$/mg;

is scalar(@lines), 2, 'two lines in the log';
like $lines[0], qr/\[error\].* gone\.example\.com could not be resolved \(2: /,
     'it began';
like $lines[1], qr/\[notice\].* gone\.example\.com is resolved again/,
     'it ended';

# no answer from the beginning

is send_all('dead', 1), '451 4.4.1 ', 'a name without any answer';
like $t->notices(), qr/\[error\].* no live upstreams in upstream "dead"/,
     'is in the log';
$dns->set(zone => { %zone, 'dead.example.com' => { A => '127.0.0.1' } });
ok poll(sub { send_all('dead', 1) eq '1' }, 8), 'it comes to life';

# a resolver of the group's own

is send_all('own', 2), '55', 'another resolver knows another address';
cmp_ok scalar(() = $dns2->queries()), '>=', 1, 'it was asked';

# SRV: the first priority by its weights, the others are backups

is send_all('srv', 8), '11211121', 'SRV: weights';
$mta{$_}->set(fault => { at => 'MAIL', do => 'close' }) for 1, 2;
is send_all('srv', 3), '333', 'the next priority is a backup';
$mta{$_}->set(fault => undef) for 1, 2;
like $t->notices(),
     qr/nobody\.example\.com could not .* resolving service smtp of example/,
     'a target without an address is in the log';
is send_all('weighed', 4), '1212', 'a weight of ours comes first';
unlike send_all('hash', 20), qr/[^12]/, 'hash: no backups';
is send_all('mixed', 4), '1212', 'weights of 0 are equal';

$dns->set(zone => { %zone, '_submission._tcp.example.net' => { ttl => 1,
    SRV => [ [ 0, 2, $port, 'a.example.com' ],
             [ 1, 1, $port, 'b.example.com' ] ] } });
ok poll(sub { send_all('mixed', 2) eq '11' }, 8), 'priorities change';
$dns->set(zone => { %zone, '_submission._tcp.example.net' => { ttl => 1,
    SRV => [ [ 0, 1, $t->port('other'), 'a.example.com' ] ] } });

my $other = $t->server('127.0.0.1:other');

ok poll(sub { send_all('mixed', 1) eq '' }, 8), 'the port changes';
is scalar(() = $other->messages()), 1, 'to that of the record';

# many records, of which there is a bound

is send_all('many', 1), '451 4.4.1 ', 'two hundred addresses, nobody there';

my %tried = map { $_ => 1 } $t->notices() =~ /connect\(\) .*(127\.1\.0\.\d+):/g;

is scalar(keys %tried), 128, 'so many are tried';

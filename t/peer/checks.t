#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# smtp_health_check: what is asked, what counts, and what comes of it.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $t = Test::Nginx::SmtpExt->new();

$t->certificate('localhost');

my %tls = (cert => $t->testdir() . '/localhost.crt',
           key => $t->testdir() . '/localhost.key');

# a server for each type, which does what is expected

my @types = qw/ connect banner ehlo lhlo noop starttls tls /;
my %servers = (
    connect => {},
    banner => {},
    ehlo => {},
    lhlo => { lmtp => 1 },
    noop => {},
    starttls => { starttls => \%tls },
    tls => { ssl => \%tls },
);

my $upstreams = join '', map { <<"EOC" } @types;

    smtp_upstream type_$_ {
        server  127.0.0.1:%%PORT_$_%%;
        smtp_health_check  type=$_  interval=50ms  helo=check.example.com;
    }
EOC

$t->write_conf(<<"EOC")->plan(77);
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass_mode   buffered;
$upstreams
    smtp_upstream two {
        server  127.0.0.1:%%PORT_a%%  max_fails=0;
        server  127.0.0.1:%%PORT_b%%  max_fails=0;
        smtp_health_check  interval=50ms;
    }

    smtp_upstream count {
        server  127.0.0.1:%%PORT_c%%;
        smtp_health_check  interval=50ms  jitter=10ms  fails=3  passes=2;
    }

    smtp_upstream port {
        server  127.0.0.1:%%PORT_d%%;
        server  127.0.0.1:%%PORT_d%%  down;
        smtp_health_check  interval=50ms  port=%%PORT_e%%;
    }

    smtp_upstream slow {
        server  127.0.0.1:%%PORT_f%%;
        smtp_health_check  interval=50ms  timeout=300ms;
    }

    smtp_upstream must {
        server  127.0.0.1:%%PORT_g%%;
        server  127.0.0.1:%%PORT_h%%  backup;
        smtp_health_check  interval=50ms  mandatory;
    }

    smtp_upstream proxied {
        server  127.0.0.1:%%PORT_noop_v1%%;
        smtp_health_check  type=noop  interval=50ms  proxy_protocol=v1;
    }

    smtp_upstream proxied_tls {
        server  127.0.0.1:%%PORT_tls_v2%%;
        smtp_health_check  type=tls  interval=50ms  proxy_protocol=v2;
    }

    smtp_upstream never {
        server  127.0.0.1:%%PORT_nobody%%;
        smtp_health_check  interval=1h  mandatory;
    }

    smtp_upstream start {
        server  127.0.0.1:%%PORT_i%%  slow_start=1h;
        server  127.0.0.1:%%PORT_j%%;
        smtp_health_check  interval=50ms;
    }

    smtp_upstream least {
        least_conn;
        server  127.0.0.1:%%PORT_i%%  slow_start=1h  weight=3;
        server  127.0.0.1:%%PORT_j%%;
        smtp_health_check  interval=50ms;
    }

    server {
        listen     127.0.0.1:%%PORT_two%%;
        protocol   smtp_ext;
        smtp_pass  smtp://two;
    }

    server {
        listen     127.0.0.1:%%PORT_must%%;
        protocol   smtp_ext;
        smtp_pass  smtp://must;
    }

    server {
        listen     127.0.0.1:%%PORT_never%%;
        protocol   smtp_ext;
        smtp_pass  smtp://never;
    }

    server {
        listen     127.0.0.1:%%PORT_start%%;
        protocol   smtp_ext;
        smtp_pass  smtp://start;
    }

    server {
        listen     127.0.0.1:%%PORT_least%%;
        protocol   smtp_ext;
        smtp_pass  smtp://least;
    }
}
EOC

my @names = ('a' .. 'j');
my %mta = map { $_ => $t->server($_, %{$servers{$_} || {}}) } @names, @types;

$mta{noop_v1} = $t->server('noop_v1', proxy => 1);
$mta{tls_v2} = $t->server('tls_v2', proxy => 1, ssl => \%tls);

my %was = map { $_ => 0 } @names;

$mta{g}->set(fault => { at => 'CONNECT', do => 'delay', seconds => 0.5 });
$t->run();


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

sub send_all {
    my ($port, $n) = @_;
    my $c = $t->connected($port);
    my $who = '';

    for (1 .. $n || 1) {
        my $reply = $c->send_message();

        $who .= $reply =~ /^250/ ? who() : substr $reply, 0, 9;
    }

    $c->quit();

    return $who;
}

# lines of the log about a server: how often it was said

my %said;

sub said {
    my ($name, $what) = @_;
    my $port = $t->port($name);
    my $n = ++$said{"$name $what"};

    return poll(sub {
        my @lines = $t->notices()
                    =~ /upstream server 127\.0\.0\.1:$port is $what/gm;
        return @lines >= $n;
    }, 8);
}

# One that is mandatory is waited for, by the first request of all; a backup
# that has passed may serve.

like send_all('must'), qr/^[gh]$/, 'mandatory: the first check is waited for';
ok said('g', 'healthy'), 'it has passed';
$mta{g}->set(fault => undef);
is send_all('must'), 'g', 'and the server is used';
is send_all('never'), '451 4.4.1', 'who never passes is never used';
ok said('nobody', 'unhealthy: connect\(\) failed'), 'it is in the log';

# what is said

my %said_by = (
    connect => [],
    banner => [ 'QUIT' ],
    ehlo => [ 'EHLO check.example.com', 'QUIT' ],
    lhlo => [ 'LHLO check.example.com', 'QUIT' ],
    noop => [ 'NOOP', 'QUIT' ],
    starttls => [ 'EHLO check.example.com', 'STARTTLS' ],
    tls => [],
);

for my $type (@types) {
    ok $mta{$type}->wait_closed(2), "$type: it is checked again and again";
    is_deeply [ $mta{$type}->commands(1) ], $said_by{$type}, 'what is said';
}

ok scalar(grep { $_->{type} eq 'tls' } $mta{$_}->events()),
   "$_: there was a handshake" for qw/ starttls tls /;

# in front of it

my $ours = qr/127\.0\.0\.1/;

ok $mta{$_}->wait_closed(2), "$_: it is checked again" for qw/ noop_v1 tls_v2 /;
is_deeply [ $mta{noop_v1}->commands(1) ], [ 'NOOP', 'QUIT' ],
          'PROXY protocol, version 1: what is said';
like +($mta{noop_v1}->proxies())[0],
     qr/^PROXY TCP4 $ours $ours \d+ ${\ $t->port('noop_v1')}$/,
     'the client is this machine';
like +($mta{tls_v2}->proxies())[0],
     qr/^0d0a0d0a000d0a515549540a2111000c7f0000017f000001/, 'version 2';
ok scalar(grep { $_->{type} eq 'tls' } $mta{tls_v2}->events()),
   'there was a handshake behind it';
unlike $t->notices(), qr/:${\ $t->port('noop_v1')} is unhealthy/,
       'it is healthy';

# what counts

my @faults = (
    [ banner => { on => { CONNECT => '554 5.3.2 no' } }, 'reply was 554' ],
    [ ehlo => { on => { EHLO => '502 5.5.1 no' } }, 'reply was 502' ],
    [ lhlo => { on => { LHLO => '421 4.3.2 no' } }, 'reply was 421' ],
    [ noop => { on => { NOOP => '421 4.3.2 no' } }, 'reply was 421' ],
    [ starttls => { on => { STARTTLS => '454 4.7.0 no' } }, 'reply was 454' ],
    [ banner => { fault => { at => 'CONNECT', do => 'garbage' } },
      'an invalid reply' ],
    [ noop => { fault => { at => 'NOOP', do => 'close' } },
      'connection ended' ],
    [ ehlo => { fault => { at => 'EHLO', do => 'half' } },
      'connection ended' ],
    [ slow => { fault => { at => 'CONNECT', do => 'silent' } }, 'timed out' ],
    [ starttls => { starttls => undef }, 'no STARTTLS' ],
);

for my $f (@faults) {
    my ($type, $options, $reason) = @$f;
    my $name = $type eq 'slow' ? 'f' : $type;

    $mta{$name}->set(%$options);
    ok said($name, "unhealthy: $reason\$"), "$type: $reason";
    $mta{$name}->set(map { $_ => $servers{$type}{$_} } keys %$options);
    ok said($name, 'healthy'), "$type: it heals";
}

$mta{tls}->stop();
ok said('tls', 'unhealthy'), 'tls: nobody listens, or goes in a handshake';
$mta{connect}->stop();
ok said('connect', 'unhealthy: connect\(\) failed'), 'connect: nobody listens';
$mta{connect}->start();
ok said('connect', 'healthy'), 'somebody does';

# an unhealthy server is not used; what is in use goes on, what is kept not

is send_all('two', 4), 'abab', 'both are healthy';

my $c = $t->connected('two');

$mta{a}->set(fault => { at => 'EOM', do => 'hold' });
$c->pipeline('MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.com>', 'DATA');
$c->read_replies(3);
$c->body("x\r\n");
ok $mta{a}->wait_held(1), 'a message is on its way';

$mta{a}->set(on => { CONNECT => '421 4.3.2 no' }, fault => undef);
ok said('a', 'unhealthy: reply was 421'), 'its server becomes unhealthy';
who();
is send_all('two', 4), 'bbbb', 'the other one gets all';
$mta{a}->release();
like $c->read_reply(), qr/^250 /, 'the message arrives';

my ($n) = map { $_->{n} } reverse $mta{a}->messages();

ok $mta{a}->wait_for(sub { grep { $_->{n} == $n } $mta{a}->events('close') }),
   'its connection is not kept';
is +($mta{a}->commands($n))[-1], 'QUIT', 'and ends in order';

$mta{b}->set(on => { CONNECT => '421 4.3.2 no' });
ok said('b', 'unhealthy: reply was 421'), 'the other one, too';

my $closed = $mta{b}->closed();

is send_all('two'), '451 4.4.1', 'none is left';
$mta{$_}->set(on => {}) for 'a', 'b';
ok said($_, 'healthy'), 'they heal' for 'a', 'b';
like send_all('two', 4), qr/^(?:abab|baba)$/, 'both are used again';

# how often it has to pass, or to fail

my $seen = $mta{c}->connections();

$mta{c}->set(on => { CONNECT => [ '554 no', '554 no', '220 ok', '554 no',
                                  '554 no', '220 ok' ] });
$mta{c}->wait_connections($seen + 8);
unlike $t->notices(), qr/:${\ $t->port('c')} is unhealthy/,
       'two failures are not three';
$mta{c}->set(on => { CONNECT => [ '554 no', '554 no', '554 no', '220 ok',
                                  '554 no', '220 ok', '220 ok' ] });
ok said('c', 'unhealthy'), 'three are';
ok said('c', 'healthy'), 'and two passes in a row heal';
is scalar(() = $t->notices() =~ /:${\ $t->port('c')} is (?:un)?healthy/g), 2,
   'one alone does not';

# another port

ok $mta{e}->wait_connections(2), 'another port is checked';
is $mta{d}->connections(), 0, 'the server itself is not';
$mta{e}->set(on => { CONNECT => '554 no' });
ok said('d', 'unhealthy'), 'it counts for the server';

# who has been unhealthy gets his share slowly

$mta{i}->set(on => { CONNECT => '554 no' });
ok said('i', 'unhealthy'), 'a server is unhealthy' for 1 .. 2;
$mta{i}->set(on => {});
ok said('i', 'healthy'), 'it heals' for 1 .. 2;
like send_all('start', 20), qr/^(?=j*i?j*$).{20}$/, 'slow_start: it gets little';

my @clients = map { $t->connected('least') } 1 .. 6;
my $busy = '';

$mta{$_}->set(fault => { at => 'EOM', do => 'hold' }) for 'i', 'j';

for (@clients) {
    $_->pipeline('MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.com>',
                 'DATA');
    $_->read_replies(3);
    $_->body("x\r\n");
    poll(sub { my $who = who(); $busy .= $who; $who }, 8);
}

like $busy, qr/^(?=j*ij*$).{6}$/, 'least_conn: one is enough for it';
$mta{$_}->set(fault => undef) for 'i', 'j';
$mta{$_}->release(6) for 'i', 'j';
is scalar(grep { $_->read_reply() =~ /^250/ } @clients), 6, 'all get through';

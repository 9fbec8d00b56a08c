#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Names of next hops, resolved while nginx runs.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll scaled /;

my $t = Test::Nginx::SmtpExt->new();
my $ms = scaled(1000);

$t->write_conf(<<"EOC")->plan(24);
%%GLOBALS%%

events { }

mail {
    server_name       mx.example.com;
    smtp_relay_from   127.0.0.1;
    resolver          127.0.0.1:%%PORT_dns%%  valid=1s  ipv6=off;
    resolver_timeout  ${ms}ms;

    smtp_upstream group {
        server  moving.example.com:%%PORT_mta%%  resolve  max_fails=0;
        server  127.0.0.3:%%PORT_mta%%  backup;
    }

    server {
        listen     127.0.0.1:%%PORT_one%%;
        protocol   smtp_ext;
        smtp_pass  smtp://one.example.com:%%PORT_mta%%;
    }

    server {
        listen     127.0.0.1:%%PORT_several%%;
        protocol   smtp_ext;
        smtp_pass  smtp://several.example.com:%%PORT_mta%%;
    }

    server {
        listen     127.0.0.1:%%PORT_nobody%%;
        protocol   smtp_ext;
        smtp_pass  smtp://nobody.example.com:%%PORT_mta%%;
    }

    server {
        listen     127.0.0.1:%%PORT_many%%;
        protocol   smtp_ext;
        smtp_pass  smtp://many.example.com:%%PORT_mta%%;
    }

    server {
        listen     127.0.0.1:%%PORT_silent%%;
        protocol   smtp_ext;
        smtp_pass  smtp://silent.example.com:%%PORT_mta%%;
    }

    server {
        listen     127.0.0.1:%%PORT_group%%;
        protocol   smtp_ext;
        smtp_pass  smtp://group;
    }
}
EOC

my $port = $t->port('mta');
my %mta = map { $_ => $t->server("127.0.0.$_:mta") } 1 .. 3;

my %zone = (
    'one.example.com' => { A => '127.0.0.1' },
    'several.example.com' => { A => [ '127.0.0.9', '127.0.0.2' ] },
    'many.example.com' => { A => [ map { "127.1.0.$_" } 1 .. 40 ] },
    'silent.example.com' => { drop => 1 },
    'slow.example.com' => { A => '127.0.0.1', delay => 0.3 },
    'moving.example.com' => { A => '127.0.0.1' },
);

my $dns = $t->dns('dns', zone => \%zone);

$t->run();

sub send_one {
    my ($name) = @_;

    my $c = $t->connected($name);
    my $reply = $c->send_message();

    $c->quit();

    return $reply =~ s/ id=.*//r;
}

sub delivered { join ' ', map { scalar(() = $mta{$_}->messages()) } 1 .. 3 }

is_deeply [ grep { !/^moving/ } $dns->queries() ], [],
   'nothing is asked at the start';

# one address

is send_one('one'), '250 2.0.0 OK', 'a name';
is delivered(), '1 0 0', 'delivered';
is_deeply [ grep { !/^moving/ } $dns->queries() ], [ 'one.example.com A' ],
   'one question';
is send_one('one'), '250 2.0.0 OK', 'again';
is $mta{1}->connections(), 1, 'over the kept connection';

# several: the first does not answer

is send_one('several'), '250 2.0.0 OK', 'one of the addresses listens';
is delivered(), '2 1 0', 'it gets the message';

# none

is send_one('nobody'), '451 4.4.1 No destination server answers',
   'a name that does not exist';
like $t->notices(), qr/nobody\.example\.com could not be resolved \(3: /,
     'it is in the log';
is send_one('nobody'), '451 4.4.1 No destination server answers',
   'it still does not';

my @said = grep { /nobody\.example\.com/ } split /\n/, $t->notices();

is((grep { /\[error\]/ } @said), 1, 'said once');
is((grep { /\[info\].*could not be resolved/ } @said), 1, 'then at level info');

# more than anybody has

is send_one('many'), '451 4.4.1 No destination server answers',
   'forty addresses, nobody there';

my %tried = map { $_ => 1 } $t->notices() =~ /connect\(\) .*(127\.1\.0\.\d+):/g;

is scalar(keys %tried), 16, 'so many are tried';

is send_one('silent'), '451 4.4.1 No destination server answers',
   'no answer from DNS';
like $t->notices(), qr/silent\.example\.com could not be resolved \(110: /,
     'is in the log as well';

# the session that waits holds up nobody

my $c = $t->connected('silent');
$c->pipeline('MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.com>');
$dns->wait_query('silent');
is send_one('one'), '250 2.0.0 OK', 'another client meanwhile';

# who hangs up while a name is looked up

$c->close();

# a name that moves

is send_one('group'), '250 2.0.0 OK', 'a name in a group';
is delivered(), '4 1 0', 'delivered';
$dns->set(zone => { %zone, 'moving.example.com' => { A => '127.0.0.2' } });
ok poll(sub { send_one('group'); delivered() =~ /^\d+ 2 0/ }, 8),
   'it moves, mail follows';

# it can't be resolved any more: the backup

$dns->set(zone => {});
ok poll(sub { send_one('group'); delivered() =~ / 1$/ }, 8),
   'it is gone: the backup';
is send_one('group'), '250 2.0.0 OK', 'nobody notices';

# by the way: it is asked again only when the answer is too old

cmp_ok scalar(grep { /^one/ } $dns->queries()), '<=', 3, 'answers are kept';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Connections to next hops are kept for other clients.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $t = Test::Nginx::SmtpExt->new();

$t->write_conf(<<'EOC')->plan(24)->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;

    smtp_upstream none {
        server     127.0.0.1:%%PORT_mta%%;
        keepalive  0;
    }

    smtp_upstream two {
        server     127.0.0.1:%%PORT_mta%%;
        keepalive  2;
    }

    smtp_upstream few {
        server              127.0.0.1:%%PORT_mta%%;
        keepalive_requests  3;
    }

    smtp_upstream aged {
        server          127.0.0.1:%%PORT_mta%%;
        keepalive_time  300ms;
    }

    smtp_upstream short {
        server             127.0.0.1:%%PORT_mta%%;
        keepalive_timeout  300ms;
    }

    server {
        listen     127.0.0.1:%%PORT_default%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_mta%%;
    }

    server {
        listen     127.0.0.1:%%PORT_none%%;
        protocol   smtp_ext;
        smtp_pass  smtp://none;
    }

    server {
        listen     127.0.0.1:%%PORT_two%%;
        protocol   smtp_ext;
        smtp_pass  smtp://two;
    }

    server {
        listen     127.0.0.1:%%PORT_few%%;
        protocol   smtp_ext;
        smtp_pass  smtp://few;
    }

    server {
        listen     127.0.0.1:%%PORT_aged%%;
        protocol   smtp_ext;
        smtp_pass  smtp://aged;
    }

    server {
        listen     127.0.0.1:%%PORT_short%%;
        protocol   smtp_ext;
        smtp_pass  smtp://short;
    }
}
EOC

my $mta = $t->server('mta');

sub send_one {
    my ($port) = @_;

    my $c = $t->connected($port);
    my $reply = $c->send_message();

    $c->quit();

    return $reply =~ s/ id=.*//r;
}

sub connected {
    my ($sub) = @_;

    my $n = $mta->connections();
    $sub->();
    return $mta->connections() - $n;
}

is connected(sub { send_one('default') for 1 .. 10 }), 1,
   'ten clients, one connection';
is scalar(() = $mta->messages()), 10, 'ten messages';
is $mta->closed(), 0, 'it stays open';
is scalar(grep { /^RSET/ } $mta->commands()), 0,
   'a message ends the transaction: no RSET';

# in parallel: as many as are needed, and used again

my @clients = map { $t->connected('default') } 1 .. 5;

is connected(sub {
    $_->pipeline('MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.com>', 'DATA')
        for @clients;
    $_->read_replies(3) for @clients;
    $_->body("x\r\n") for @clients;
    $_->read_reply() for @clients;
}) <= 4, 1, 'five at a time need four more at the most';
is connected(sub { $_->send_message() for @clients }), 0, 'then none';
$_->quit() for @clients;

# keepalive 0

my $closed = $mta->closed();
my $mark = () = $mta->commands();

is connected(sub { send_one('none') for 1 .. 3 }), 6,
   'not kept: one connection for the question, one for the message';
ok $mta->wait_closed($closed + 6), 'each is closed';

my @commands = $mta->commands();

is scalar(grep { $_ eq 'QUIT' } splice @commands, $mark), 6, 'after QUIT';

# keepalive 2: the one unused for longest goes

$closed = $mta->closed();
@clients = map { $t->connected('two') } 1 .. 4;
$mta->set(fault => { at => 'RCPT', do => 'delay', seconds => 0.3 });
is connected(sub {
    $_->pipeline('MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.com>')
        for @clients;
    $_->read_replies(2) for @clients;
}), 4, 'four in use at a time';
$mta->set(fault => undef);
ok $mta->wait_closed($closed + 2), 'two of them are closed';
is $mta->closed(), $closed + 2, 'two are kept';
is_deeply [ map { $_->data("x\r\n") =~ s/ id=.*//r } @clients ],
    [ ('250 2.0.0 OK') x 4 ], 'all get through';
$_->quit() for @clients;

# keepalive_requests

$closed = $mta->closed();
is connected(sub { send_one('few') for 1 .. 7 }), 3,
   'seven messages, three on a connection';
is $mta->closed(), $closed + 2, 'those which are full are closed';

# keepalive_time

is connected(sub { send_one('aged') }), 1, 'a connection';
ok poll(sub { connected(sub { send_one('aged') }) }, 8),
   'there is another one when it is old';

# keepalive_timeout

$closed = $mta->closed();
is connected(sub { send_one('short') }), 1, 'kept for a short time';
ok $mta->wait_closed($closed + 1), 'closed then';
is +($mta->commands())[-1], 'QUIT', 'after QUIT';

# the next hop speaks up or closes: the kept one goes, and nobody notices

$mta->stop();
$mta->start();
is send_one('default'), '250 2.0.0 OK', 'all were closed by the next hop';
$mta->set(on => { EOM => "250 2.0.0 taken\n421 4.4.2 Idle" });
is send_one('default'), '250 2.0.0 OK', 'it speaks when it should not';
$mta->set(on => {});
is connected(sub { send_one('default') }), 1, 'so another is made';

# a stop closes what is idle at once, see the end: "nginx ended well"

is send_one('default'), '250 2.0.0 OK', 'the last one';

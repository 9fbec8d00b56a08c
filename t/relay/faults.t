#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# A table of faults: each step of the next hop's dialogue, with each thing that
# can go wrong there.  What the client is told, which servers were tried, what
# was delivered how often.  Before the end mark another server gets the
# message; after it none does (RFC 1047).

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new();
my $ms = scaled(400);

$t->write_conf(<<"EOC");
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://mtas;

    smtp_pass_connect_timeout   ${ms}ms;
    smtp_pass_greeting_timeout  ${ms}ms;
    smtp_pass_mail_timeout      ${ms}ms;
    smtp_pass_rcpt_timeout      ${ms}ms;
    smtp_pass_data_timeout      ${ms}ms;
    smtp_pass_send_timeout      ${ms}ms;
    smtp_pass_final_timeout     ${ms}ms;

    smtp_upstream mtas {
        server  127.0.0.1:%%PORT_first%%   max_fails=0;
        server  127.0.0.1:%%PORT_second%%  max_fails=0  backup;

        # so that connections can be counted
        keepalive  0;
    }

    server {
        listen          127.0.0.1:%%PORT_verify%%;
        protocol        smtp_ext;
    }

    server {
        listen          127.0.0.1:%%PORT_buffered%%;
        protocol        smtp_ext;
        smtp_pass_mode  buffered;
    }
}
EOC

my $first = $t->server('first');
my $second = $t->server('second', on => { RCPT => '250 2.1.5 second' });

my $broken = '451 4.4.2 Connection to destination server failed';
my $lost = '451 4.4.2 Destination server did not confirm the message';

my @steps = qw/ CONNECT EHLO MAIL RCPT DATA EOM /;

# What is not taken for an answer.  "silent" goes on with the next command, and
# where that has been sent already, its answer is taken for the one left out.

my @bad = (
    [ 'close' ],
    [ 'reset' ],
    [ 'half' ],
    [ 'stall' ],
    [ 'silent' ],
    [ 'garbage' ],
    [ 'garbage', data => "250-more\r\n" x 20000, name => 'endless reply' ],
    [ 'garbage', data => '250-' . 'x' x 1048576, name => 'megabyte line' ],
    [ 'garbage', data => "250 ok\0\r\n", name => 'null octet' ],
    [ 'garbage', data => "250-ok\r\n251 ok\r\n", name => 'codes mixed' ],
    [ 'garbage', data => "199 ok\r\n", name => 'code 199' ],
    [ 'garbage', data => "600 ok\r\n", name => 'code 600' ],
);

my @slow = ([ 'drip', pause => 0.001 ]);

$t->plan(@steps * @bad * 2 - 2 * @bad - 2 + 8 + @steps * 2 + 4 * (@bad - 2) + 6);
$t->run();

my ($seen_first, $seen_second);


sub name {
    my ($at, $f) = @_;
    my ($do, %o) = @$f;

    return "$at: " . ($o{name} || $do);
}

sub fault {
    my ($at, $f) = @_;
    my ($do, %o) = @$f;

    $first->set(fault => { at => $at, do => $do, %o });
    mark();
}

sub mark {
    $_->{mark} = { connect => $_->connections(), message => delivered($_) }
        for $first, $second;
}

sub delivered { scalar(() = $_[0]->messages()) }

sub result {
    my ($reply) = @_;

    return join ', ', $reply =~ s/ id=\w+$//r, map {
        ($_->connections() - $_->{mark}{connect})
        . '/' . (delivered($_) - $_->{mark}{message})
    } $first, $second;
}

sub client {
    my ($port) = @_;

    my $c = $t->client($port);

    $c->read_reply();
    $c->ehlo();

    return $c;
}

my $c;

# Buffered: one connection does it all.  "1/0" is connections/messages of each.

for my $pipelining (1, 0) {
    my $how = $pipelining ? 'pipelined' : 'one by one';

    $first->set(ehlo => [ '8BITMIME', $pipelining ? 'PIPELINING' : () ]);
    $c = client('buffered');

    for my $at (grep { $pipelining || !/CONNECT|EHLO/ } @steps) {
        for my $f (grep { !$pipelining || $at !~ /MAIL|RCPT/
                          || $_->[0] ne 'silent' } @bad)
        {
            fault($at, $f);

            is result($c->send_message()),
               $at eq 'EOM' ? "$lost, 1/1, 0/0" : '250 2.0.0 OK, 1/0, 1/1',
               "$how, " . name($at, $f);
        }

        # answers that are sent with others can't be drawn apart

        for my $f (grep { !$pipelining || $at !~ /MAIL|RCPT/ } @slow) {
            fault($at, $f);

            is result($c->send_message()), '250 2.0.0 OK, 1/1, 0/0',
               "$how, " . name($at, $f);
        }
    }

    # an answer too many: the rest can't be trusted

    for my $at (@steps) {
        fault($at, [ 'twice' ]);

        is result($c->send_message()),
           $at eq 'EOM' ? '250 2.0.0 OK, 1/1, 0/0'
           : $at eq 'DATA' ? "$lost, 1/1, 0/0"
           : '250 2.0.0 OK, 1/0, 1/1',
           "$how, $at: twice";
    }
}

# RCPT: another server answers; nobody gets a message

$first->set(ehlo => [ '8BITMIME', 'PIPELINING' ]);
$c = client('verify');

for my $at (qw/ CONNECT EHLO MAIL RCPT /) {
    for my $f (grep { $_->[0] !~ /stall|silent/ } @bad) {
        fault($at, $f);
        $c->mail('a@example.com');

        is result($c->rcpt('b@example.com')), '250 2.1.5 second, 1/0, 1/0',
           'asked at RCPT, ' . name($at, $f);
        $c->cmd('RSET');
    }
}

# nobody left

$second->set(fault => { at => 'MAIL', do => 'close' });
fault('EHLO', [ 'garbage' ]);
$c->mail('a@example.com');
is result($c->rcpt('b@example.com')), "$broken, 1/0, 1/0",
   'both are broken, at RCPT';
is $c->data(''), '554 5.5.1 No valid recipients', 'so nobody gets it';

$c = client('buffered');
mark();
is result($c->send_message()), "$broken, 1/0, 1/0", 'both are broken, at the end';

$first->stop();
$second->stop();
is $c->send_message(), '451 4.4.1 No destination server answers',
   'nobody listens';

$first->start();
$first->set(fault => undef);
mark();
is result($c->send_message()), '250 2.0.0 OK, 1/1, 0/0', 'and it heals';

like $t->notices(), qr/upstream sent an invalid reply/, 'it is in the log';

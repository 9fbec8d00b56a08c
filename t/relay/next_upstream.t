#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# smtp_next_upstream: after what another server is tried, how many, how long.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new();
my $ms = scaled(1000);
my $half = $ms / 2;

my @values = qw/ error timeout invalid_reply unavailable mail_4xx
                 message_4xx off /;

my $servers = join '', map { <<"E" } @values;
    server {
        listen              127.0.0.1:%%PORT_$_%%;
        protocol            smtp_ext;
        smtp_next_upstream  $_;
    }
E

$t->write_conf(<<"EOC");
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://mtas;
    smtp_max_errors  1000;

    smtp_pass_greeting_timeout  ${ms}ms;
    smtp_pass_mail_timeout      ${ms}ms;

    # the first is asked first, each time

    smtp_upstream mtas {
        server     127.0.0.1:%%PORT_first%%   max_fails=0;
        server     127.0.0.1:%%PORT_second%%  max_fails=0  backup;
        keepalive  0;
    }

    smtp_upstream three {
        server     127.0.0.1:%%PORT_first%%  max_fails=0;
        server     127.0.0.1:%%PORT_dead%%   max_fails=0;
        server     127.0.0.1:%%PORT_third%%  max_fails=0  backup;
        keepalive  0;
    }

$servers

    server {
        listen    127.0.0.1:%%PORT_default%%;
        protocol  smtp_ext;
    }

    server {
        listen                    127.0.0.1:%%PORT_tries%%;
        protocol                  smtp_ext;
        smtp_pass                 smtp://three;
        smtp_next_upstream_tries  2;
    }

    server {
        listen     127.0.0.1:%%PORT_three%%;
        protocol   smtp_ext;
        smtp_pass  smtp://three;
    }

    server {
        listen                      127.0.0.1:%%PORT_time%%;
        protocol                    smtp_ext;
        smtp_next_upstream_timeout  ${half}ms;
    }
}
EOC

my $first = $t->server('first');
my $second = $t->server('second');
my $third = $t->server('third');

# what goes wrong, its name, and what it is told as

my @faults = (
    [ 'closed', { fault => { at => 'MAIL', do => 'close' } }, 'error',
      '451 4.4.2' ],
    [ 'silent', { fault => { at => 'MAIL', do => 'stall' } }, 'timeout',
      '451 4.4.2' ],
    [ 'garbage', { fault => { at => 'MAIL', do => 'garbage' } },
      'invalid_reply', '451 4.4.2' ],
    [ 'greeting 554', { on => { CONNECT => '554 5.3.2 no' } }, 'unavailable',
      '451 4.4.2' ],
    [ 'EHLO 450', { on => { EHLO => '450 4.3.2 later' } }, 'unavailable',
      '451 4.4.2' ],
    [ 'RCPT 421', { on => { RCPT => '421 4.3.2 bye' } }, 'unavailable',
      '451 4.3.2' ],
    [ 'MAIL 451', { on => { MAIL => '451 4.7.1 greylisted' } }, 'mail_4xx',
      '451 4.7.1' ],
    [ 'EOM 452', { on => { EOM => '452 4.3.1 full' } }, 'message_4xx',
      '452 4.3.1' ],
);

# and what never is a reason

my @answers = (
    [ 'RCPT 450', { on => { RCPT => '450 4.2.0 later' } }, '450 4.2.0' ],
    [ 'RCPT 550', { on => { RCPT => '550 5.1.1 no' } }, '550 5.1.1' ],
    [ 'DATA 451', { on => { DATA => '451 4.3.0 no' } }, '451 4.3.0' ],
    [ 'EOM 550', { on => { EOM => '550 5.7.1 no' } }, '550 5.7.1' ],
    [ 'EOM lost', { fault => { at => 'EOM', do => 'close' } }, '451 4.4.2' ],
);

$t->plan(@faults * (@values + 1) + @answers * 2 + 6);
$t->run();


sub say_message {
    my ($port) = @_;

    my $c = $t->client($port);

    $c->read_reply();
    $c->ehlo();

    return substr $c->send_message(), 0, 9;
}


for (@faults) {
    my ($name, $set, $word, $told) = @$_;

    $first->set(on => {}, fault => undef, %$set);

    for my $value (@values, 'default') {
        my $next = ($value eq $word
                    || $value eq 'default' && $word ne 'message_4xx');

        is say_message($value), $next ? '250 2.0.0' : $told, "$name: $value";
    }
}

for (@answers) {
    my ($name, $set, $told) = @$_;
    my $before = () = $second->messages();

    $first->set(on => {}, fault => undef, %$set);

    is say_message('default'), $told, "$name: is an answer";
    is scalar(() = $second->messages()), $before, 'nobody else is asked';
}

# how many: two that fail, and a backup

$first->set(on => {}, fault => { at => 'MAIL', do => 'close' });
is say_message('tries'), '451 4.4.2', 'the third of three is not tried';
is say_message('three'), '250 2.0.0', 'without a limit it is';

# how long

$first->set(fault => { at => 'MAIL', do => 'stall' });
is say_message('time'), '451 4.4.2', 'who was waited for for long is the last';

$first->set(fault => undef);
is say_message('tries'), '250 2.0.0', 'when the first works, that is it';

# values

my $conf = $t->read_file('nginx.conf');

like $t->test_conf($conf =~ s/(smtp_next_upstream  )off;/$1sometimes;/r),
     qr/invalid value "sometimes"/, 'another word';
like $t->test_conf($conf =~ s/(smtp_next_upstream  )off;/$1off error;/r),
     qr/test is successful/, 'off, whatever else';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# MTRK: RFC 3885, 3.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(37);

my $with = $t->server('with', ehlo => [ 'MTRK', 'DSN' ]);
my $alone = $t->server('alone', ehlo => [ 'MTRK' ]);
my $dsn = $t->server('dsn', ehlo => [ 'DSN' ]);
my $without = $t->server('without', ehlo => [ 'PIPELINING' ]);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_max_errors  1000;
    smtp_extensions  mtrk=on;


    server {
        listen     127.0.0.1:%%PORT_1%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;
    }

    server {
        listen     127.0.0.1:%%PORT_2%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_without%%;
    }

    server {
        listen     127.0.0.1:%%PORT_3%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_alone%%;
    }

    server {
        listen     127.0.0.1:%%PORT_4%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_dsn%%;
    }

    server {
        listen     127.0.0.1:%%PORT_5%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;

        smtp_extensions  dsn=off;
    }

    server {
        listen     127.0.0.1:%%PORT_6%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;

        smtp_extensions  mtrk=off;
    }
}
EOC

my $sender = '250 2.1.0 Sender OK';
my $recipient = '250 2.1.5 recipient ok';
my $taken = qr/^250 2\.0\.0 OK id=/;

sub bad { "501 5.5.4 Bad parameter: $_[0]" }

sub last_of { ($_[0]->messages())[-1] }


my $certifier = 'Zm9vYmFyYmF6cXV4MDEyMzQ1Njc';
my $id = 'ENVID=12345@host.example';

my $c = $t->connected('1');

is $c->{ehlo}{MTRK}, '', 'on: offered, without parameters';

for my $value ($certifier, 'a', 'a+/B9', 'A' x 86) {
    like $c->send_message(mail_params => [ $id, "MTRK=$value" ]), $taken,
         'MTRK=' . substr $value, 0, 40;
    is last_of($with)->{from_params}, "$id MTRK=$value", 'goes on as it is';
}

for my $time ('3600', '999999999') {
    like $c->send_message(mail_params => [ "MTRK=$certifier:$time", $id ]),
         $taken, "MTRK with $time";

    my ($left) = last_of($with)->{from_params}
                 =~ /^\Q$id\E MTRK=\Q$certifier\E:(\d+)$/;

    cmp_ok $left // -1, '<=', $time, 'it is not more than it was';
    cmp_ok $left // -1, '>=', $time - 5, 'nor much less';
}

like $c->send_message(mail_params => [ "MTRK=$certifier:0", $id ]), $taken,
     'no time left';
is last_of($with)->{from_params}, $id, 'it is lost';

for my $value ('', '=:5', "=$certifier:", "=$certifier:1234567890",
               "=$certifier:-1", "=$certifier:1:2", '=a-b', '=a,b',
               '=' . 'A' x 87, "=$certifier;5")
{
    is $c->cmd("MAIL FROM:<a\@b.example> $id MTRK$value"), bad('MTRK'),
       'no certifier: ' . substr $value, 0, 40;
}

is $c->cmd("MAIL FROM:<a\@b.example> MTRK=a $id MTRK=a"), bad('MTRK'), 'twice';
is $c->cmd("MAIL FROM:<a\@b.example> MTRK=$certifier"),
   bad('MTRK without ENVID'), '3.2: ENVID has to be there';

# 3.3

like $t->connected('2')->send_message(mail_params => [ $id, 'MTRK=a' ]), $taken,
     'without: taken';
is last_of($without)->{from_params}, '', 'without: dropped';

like $t->connected('3')->send_message(mail_params => [ $id, 'MTRK=a' ]), $taken,
     'without DSN: taken';
is last_of($alone)->{from_params}, '', 'without DSN: there is no ENVID to it';

like $t->connected('4')->send_message(mail_params => [ $id, 'MTRK=a' ]), $taken,
     'DSN alone: taken';
is last_of($dsn)->{from_params}, $id, 'DSN alone: ENVID is not dropped';

ok !exists $t->connected('5')->{ehlo}{MTRK}, 'dsn=off: not offered';
is $t->connected('6')->cmd("MAIL FROM:<a\@b.example> $id MTRK=a"),
   '555 5.5.4 Unsupported parameter: MTRK', 'off: not taken';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# NO-SOLICITING: RFC 3865, 2.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(31);

my $with = $t->server('with', ehlo => [ 'NO-SOLICITING net.example:ADV' ]);
my $without = $t->server('without', ehlo => [ 'PIPELINING' ]);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_max_errors  1000;
    smtp_extensions     no-soliciting=on;
    smtp_max_line_size  4k;


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
        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;

        smtp_extensions  no-soliciting=off;
    }

    server {
        listen     127.0.0.1:%%PORT_4%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;

        smtp_extensions  no-soliciting=next_hop;
    }
}
EOC

my $sender = '250 2.1.0 Sender OK';
my $recipient = '250 2.1.5 recipient ok';
my $taken = qr/^250 2\.0\.0 OK id=/;

sub bad { "501 5.5.4 Bad parameter: $_[0]" }

sub last_of { ($_[0]->messages())[-1] }


my $longest = 'a' . 'b' x 999;

ok !exists $t->connected('4')->{ehlo}{'NO-SOLICITING'}, 'next_hop: not known';

my $c = $t->connected('1');

is $c->{ehlo}{'NO-SOLICITING'}, '', 'on: offered, no class is unwanted';

for my $value ('net.example:ADV', 'org.example:ADV:ADLT', 'a', 'A-b_c.d:E9',
               'net.example:ADV,org.example:ADV:ADLT', $longest)
{
    like $c->send_message(mail_params => [ "SOLICIT=$value" ]), $taken,
         'SOLICIT=' . substr $value, 0, 40;
    is last_of($with)->{from_params}, "SOLICIT=$value", 'goes on as it is';
}

for my $value ('', '=9a', '=a,', '=,a', '=a,,b', '=a,9', '=-a', '=a;b', '=a/b',
               '=a,b!', "=${longest}b")
{
    is $c->cmd("MAIL FROM:<a\@b.example> SOLICIT$value"), bad('SOLICIT'),
       'not keywords: ' . substr $value, 0, 40;
}

is $c->cmd('MAIL FROM:<a@b.example> SOLICIT=a SOLICIT=a'), bad('SOLICIT'),
   'twice';

$c = $t->connected('2');

like $c->send_message(mail_params => [ 'SOLICIT=a' ]), $taken, 'without: taken';
is last_of($without)->{from_params}, '', 'without: dropped';

is $t->connected('3')->cmd('MAIL FROM:<a@b.example> SOLICIT=a'),
   '555 5.5.4 Unsupported parameter: SOLICIT', 'off: not taken';

ok exists $t->connected('4')->{ehlo}{'NO-SOLICITING'}, 'next_hop: known now';
like $t->connected('4')->send_message(mail_params => [ 'SOLICIT=a' ]), $taken,
     'next_hop: taken';

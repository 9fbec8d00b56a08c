#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# DELIVERBY: RFC 2852, 4.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(59);

my $with = $t->server('with', ehlo => [ 'DELIVERBY', 'DSN' ]);
my $min = $t->server('min', ehlo => [ 'DELIVERBY 60' ]);
my $dsn = $t->server('dsn', ehlo => [ 'DSN' ]);
my $without = $t->server('without', ehlo => [ 'PIPELINING' ]);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_max_errors  1000;
    smtp_extensions  deliverby=on;

    smtp_success_report  off;

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
        smtp_pass  smtp://127.0.0.1:%%PORT_min%%;
    }

    server {
        listen     127.0.0.1:%%PORT_4%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_dsn%%;
    }

    server {
        listen     127.0.0.1:%%PORT_5%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_without%%;

        smtp_extensions  deliverby=next_hop;
    }

    server {
        listen     127.0.0.1:%%PORT_6%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_without%%;

        smtp_pass_mode  buffered;
    }

    server {
        listen     127.0.0.1:%%PORT_7%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;

        smtp_extensions  deliverby=off;
    }

    server {
        listen     127.0.0.1:%%PORT_8%%;
        protocol   smtp_ext;

        smtp_recipient  *  { smtp_pass maildir:%%TESTDIR%%/box; }
    }
}
EOC

my $sender = '250 2.1.0 Sender OK';
my $recipient = '250 2.1.5 recipient ok';
my $taken = qr/^250 2\.0\.0 OK id=/;

sub bad { "501 5.5.4 Bad parameter: $_[0]" }

sub last_of { ($_[0]->messages())[-1] }


my $lacks = '554 5.3.3 Destination server does not promise delivery in time';

# the time that is left may be a second less than it was

sub by_of {
    my ($params, $time, $mode) = @_;

    return $params =~ /^BY=(-?\d+);$mode$/ && $1 <= $time && $1 >= $time - 5
           ? 'as it was' : $params;
}

my $c = $t->connected('1');

is $c->{ehlo}{DELIVERBY}, '', 'on: offered, no minimum';

for my $case ([ '120;R', 120, 'R' ], [ '+120;R', 120, 'R' ],
              [ '100;N', 100, 'N' ], [ '0;N', 0, 'N' ], [ '-100;N', -100, 'N' ],
              [ '999999999;RT', 999999999, 'RT' ],
              [ '000000100;NT', 100, 'NT' ],
              [ '-999999990;n', -999999990, 'N' ], [ '7000;rt', 7000, 'RT' ])
{
    my ($value, $time, $mode) = @$case;

    like $c->send_message(mail_params => [ "BY=$value" ]), $taken, "BY=$value";
    is by_of(last_of($with)->{from_params}, $time, $mode), 'as it was',
       "BY=$value: the time that is left";
}

for my $value ('', '=120', '=120;', '=;R', '=120;X', '=0;R', '=-1;R', '=-0;R',
               '=1234567890;N', '=120R', '=120;RR', '=120;TR', '=120;RTT',
               '=+-1;N', '=1a;N', '=--1;N', '=+;N', '=120;R;T')
{
    is $c->cmd("MAIL FROM:<a\@b.example> BY$value"), bad('BY'),
       "not a time: \"$value\"";
}

is $c->cmd('MAIL FROM:<a@b.example> BY=1;N BY=1;N'), bad('BY'), 'twice';

# 4.1.4.1: R needs the extension

$c = $t->connected('2');

$c->dialogue('without: R is refused at RCPT',
    [ 'MAIL FROM:<a@b.example> BY=120;R', $sender ],
    [ 'RCPT TO:<c@d.example>', $lacks ],
    [ 'DATA', '554 5.5.1 No valid recipients' ],
    [ 'RSET', '250 2.0.0 OK' ],
);
is scalar(grep { /^MAIL/ } $without->commands()), 0, 'without: it is not asked';
like $c->send_message(mail_params => [ 'BY=120;N' ]), $taken,
     'without: N is taken';
is last_of($without)->{from_params}, '', 'without: and dropped';

is $t->connected('6')->send_message(mail_params => [ 'BY=120;R' ]), $lacks,
   'buffered: R is refused when the message is there';

# 4.1.4.2: delays are to be told where the next hop can

$c = $t->connected('4');

like $c->send_message(mail_params => [ 'BY=120;N' ]), $taken, 'DSN alone: N';
is last_of($dsn)->{to_params}[0], 'NOTIFY=FAILURE,DELAY', 'asks for DELAY';

for my $case ([ 'NOTIFY=SUCCESS', 'NOTIFY=SUCCESS,DELAY' ],
              [ 'NOTIFY=delay,FAILURE', 'NOTIFY=delay,FAILURE' ],
              [ 'NOTIFY=NEVER', 'NOTIFY=NEVER' ])
{
    my ($given, $said) = @$case;

    $c->send_message(mail_params => [ 'BY=120;N' ], rcpt_params => [ $given ]);
    is last_of($dsn)->{to_params}[0], $said, "DSN alone: $given";
}

$t->connected('1')->send_message(mail_params => [ 'BY=120;N' ]);
is last_of($with)->{to_params}[0], '', 'DELIVERBY and DSN: nothing is added';

# 3: the next hop's minimum

$c = $t->connected('3');

is $c->cmd('MAIL FROM:<a@b.example> BY=30;R'), $sender,
   'minimum: not known at first';
is $c->rcpt('c@d.example'), $lacks, 'minimum: the next hop has one';

$c = $t->connected('3');

is $c->{ehlo}{DELIVERBY}, '60', 'minimum: it is in EHLO now';
is $c->cmd('MAIL FROM:<a@b.example> BY=59;R'),
   '555 5.5.4 Time for delivery is below the minimum',
   'minimum: less is refused';
like $c->send_message(mail_params => [ 'BY=90;R' ]), $taken, 'minimum: more';
is by_of(last_of($min)->{from_params}, 90, 'R'), 'as it was', 'goes on';
like $c->send_message(mail_params => [ 'BY=5;N' ]), $taken,
     'minimum: it is for R alone';

ok !exists $t->connected('5')->{ehlo}{DELIVERBY}, 'next_hop: it has it not';
is $t->connected('7')->cmd('MAIL FROM:<a@b.example> BY=90;R'),
   '555 5.5.4 Unsupported parameter: BY', 'off: not taken';
like $t->connected('8')->send_message(mail_params => [ 'BY=90;R' ]), qr/^250 /,
     'a maildir is in time';

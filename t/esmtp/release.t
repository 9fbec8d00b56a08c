#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# FUTURERELEASE: RFC 4865, 3 to 5.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(52);

my $with = $t->server('with', ehlo => [ 'DELIVERBY', 'DSN',
    'FUTURERELEASE 86400 2099-12-31T23:59:59Z' ]);
my $less = $t->server('less',
    ehlo => [ 'FUTURERELEASE 3600 2098-01-01T01:00:00+01:00' ]);
my $odd = $t->server('odd', ehlo => [ 'FUTURERELEASE 0 2099-12-31T23:59:59Z' ]);
my $past = $t->server('past',
    ehlo => [ 'FUTURERELEASE 3600 2020-01-01T00:00:00Z' ]);
my $has = "250-without\r\n250 FUTURERELEASE 7200 2099-12-31T23:59:59Z";
my $without = $t->server('without', on => {
    EHLO => sub { $_[1] <= 2 ? $has : '250 without' } });

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_max_errors  1000;
    smtp_extensions  futurerelease=next_hop deliverby=on;

    smtp_upstream without {
        server     127.0.0.1:%%PORT_without%%;
        keepalive  0;
    }

    server {
        listen     127.0.0.1:%%PORT_1%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;
    }

    server {
        listen     127.0.0.1:%%PORT_2%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_odd%%;
    }

    server {
        listen     127.0.0.1:%%PORT_3%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;
        smtp_recipient  @less.example  { smtp_pass 127.0.0.1:%%PORT_less%%; }
    }

    server {
        listen     127.0.0.1:%%PORT_4%%;
        protocol   smtp_ext;
        smtp_pass  without;
    }

    server {
        listen     127.0.0.1:%%PORT_5%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;

        smtp_extensions  futurerelease=off;
    }

    server {
        listen     127.0.0.1:%%PORT_6%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_past%%;
    }

    server {
        listen     127.0.0.1:%%PORT_7%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;
        smtp_recipient  @box.example  { smtp_pass maildir:%%TESTDIR%%/box; }
    }
}
EOC

my $sender = '250 2.1.0 Sender OK';
my $recipient = '250 2.1.5 recipient ok';
my $taken = qr/^250 2\.0\.0 OK id=/;

sub bad { "501 5.5.4 Bad parameter: $_[0]" }

sub last_of { ($_[0]->messages())[-1] }


my $unknown = '555 5.5.4 Unsupported parameter: HOLDFOR';

my $c = $t->connected('1');

ok !exists $c->{ehlo}{FUTURERELEASE}, 'nothing is known of the next hop';
is $c->cmd('MAIL FROM:<a@b.example> HOLDFOR=60'), $unknown, 'and nothing taken';
like $c->send_message(), $taken, 'a message, and it is';

$c = $t->connected('1');

is $c->{ehlo}{FUTURERELEASE}, '86400 2099-12-31T23:59:59Z',
   'the next hop\'s limits';

for my $param ('HOLDFOR=1', 'HOLDFOR=86400', 'HOLDUNTIL=2099-12-31T23:59:59Z',
               'HOLDUNTIL=2030-06-01t12:00:00.5z')
{
    like $c->send_message(mail_params => [ $param ]), $taken, $param;
    is last_of($with)->{from_params}, $param, 'goes on as it is';
}

for my $value ('', '=0', '=00', '=01', '=-1', '=86401', '=1000000000', '=1s',
               '=+5', '=1;2')
{
    is $c->cmd("MAIL FROM:<a\@b.example> HOLDFOR$value"), bad('HOLDFOR'),
       "not a time, or too long: \"$value\"";
}

for my $value ('', '=2100-01-01T00:00:00Z', '=2030-06-01T12:00:00+00:00',
               '=2030-06-01T12:00:00', '=2030-06-31T12:00:00Z', '=tomorrow',
               '=60', '=2030-06-01T12:00:00Z;R')
{
    is $c->cmd("MAIL FROM:<a\@b.example> HOLDUNTIL$value"), bad('HOLDUNTIL'),
       "not a date, or too late: \"$value\"";
}

is $c->cmd('MAIL FROM:<a@b.example> HOLDFOR=1 HOLDFOR=1'), bad('HOLDFOR'),
   'twice';
is $c->cmd('MAIL FROM:<a@b.example> HOLDFOR=1 HOLDUNTIL=2030-06-01T12:00:00Z'),
   bad('HOLDUNTIL'), 'both';
is $c->cmd('MAIL FROM:<a@b.example> HOLDUNTIL=2030-06-01T12:00:00Z HOLDFOR=1'),
   bad('HOLDFOR'), 'both, the other way round';

# 5.2.2

my $longer = bad('to be held for longer than BY');

is $c->cmd('MAIL FROM:<a@b.example> BY=60;N HOLDFOR=61'), $longer,
   'held for longer than BY says';
is $c->cmd('MAIL FROM:<a@b.example> HOLDFOR=61 BY=60;R'), $longer,
   'in any order';
is $c->cmd('MAIL FROM:<a@b.example> HOLDUNTIL=2098-06-01T12:00:00Z BY=60;N'),
   $longer, 'until a date';
like $c->send_message(mail_params => [ 'HOLDFOR=60', 'BY=3600;N' ]), $taken,
     'held for less';

# the least of several, and only when each is known

ok !exists $t->connected('3')->{ehlo}{FUTURERELEASE}, 'one of two is not known';
like $t->connected('3')->send_message(to => 'a@less.example'), $taken,
   'now it is';

$c = $t->connected('3');

is $c->{ehlo}{FUTURERELEASE}, '3600 2098-01-01T00:00:00Z', 'the smaller limits';
is $c->cmd('MAIL FROM:<a@b.example> HOLDFOR=3601'), bad('HOLDFOR'), 'hold';

# limits that are none, and those of the past

for my $port ('2', '6') {
    like $t->connected($port)->send_message(), $taken, "$port: a message";
    ok !exists $t->connected($port)->{ehlo}{FUTURERELEASE},
       "$port: not offered";
}

# the next hop is another than it was; without kept connections the first
# message takes two

like $t->connected('4')->send_message(), $taken, 'it has it';

$c = $t->connected('4');

$c->dialogue('it had it',
    [ 'MAIL FROM:<a@b.example> HOLDFOR=60', $sender ],
    [ 'RCPT TO:<c@d.example>',
      '554 5.3.3 Destination server does not hold messages' ],
    [ 'RSET', '250 2.0.0 OK' ],
    [ 'MAIL FROM:<a@b.example>', $sender ],
);
ok !exists $t->connected('4')->{ehlo}{FUTURERELEASE},
   'and is not offered any more';

# with the maildir no message can be held

like $t->connected('7')->send_message(), $taken, 'a maildir beside it';
ok !exists $t->connected('7')->{ehlo}{FUTURERELEASE}, 'which does not hold';
ok !exists $t->connected('5')->{ehlo}{FUTURERELEASE}, 'off';

like +($t->test_conf(<<'EOC'))[1], qr/only the next hop can offer it/, 'on';
%%GLOBALS%%
events { }
mail {
    server_name      mx.example.com;
    smtp_extensions  futurerelease=on;
}
EOC

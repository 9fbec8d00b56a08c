#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# RRVS: RFC 7293, 3.1 and 5.1.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(45);

my $with = $t->server('with', ehlo => [ 'PIPELINING', 'RRVS' ]);
my $without = $t->server('without', ehlo => [ 'PIPELINING' ]);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_max_errors  1000;
    smtp_extensions  rrvs=on;


    server {
        listen     127.0.0.1:%%PORT_1%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;

        smtp_recipient  alias@a.example  {
            smtp_pass     127.0.0.1:%%PORT_with%%;
            smtp_rewrite  real@a.example;
        }

        smtp_recipient  @box.example  { smtp_pass maildir:%%TESTDIR%%/box; }
    }

    server {
        listen     127.0.0.1:%%PORT_2%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_without%%;
    }

    server {
        listen     127.0.0.1:%%PORT_3%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_without%%;

        smtp_pass_mode  buffered;
    }

    server {
        listen     127.0.0.1:%%PORT_4%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;

        smtp_extensions  rrvs=next_hop;
        smtp_recipient  @o.example  { smtp_pass 127.0.0.1:%%PORT_without%%; }
    }

    server {
        listen     127.0.0.1:%%PORT_5%%;
        protocol   smtp_ext;

        smtp_recipient  *  { smtp_pass maildir:%%TESTDIR%%/box; }
    }

    server {
        listen     127.0.0.1:%%PORT_6%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;

        smtp_extensions  rrvs=off;
    }
}
EOC

my $sender = '250 2.1.0 Sender OK';
my $recipient = '250 2.1.5 recipient ok';
my $taken = qr/^250 2\.0\.0 OK id=/;

sub bad { "501 5.5.4 Bad parameter: $_[0]" }

sub last_of { ($_[0]->messages())[-1] }


my $lost = "550 5.7.19 Since when the mailbox is whose can't be found out";

my $date = '2014-04-03T23:01:00Z';

my $c = $t->connected('1');

is $c->{ehlo}{RRVS}, '', 'on: offered, without parameters';

for my $value ($date, "$date;R", "$date;C", "$date;c", '2014-04-03t23:01:00z',
               '2014-04-03T23:01:00-07:00;R')
{
    like $c->send_message(rcpt_params => [ "RRVS=$value" ]), $taken,
         "RRVS=$value";
    is last_of($with)->{to_params}[0], "RRVS=$value", 'goes on as it is';
}

$c->mail('a@b.example');

for my $value ('', '=2014', "=$date;", "=$date;X", "=$date;RC", "=$date;R;C",
               "=$date,R", '=2014-04-03T23:01:00.5Z', '=2014-04-31T23:01:00Z',
               '=2014-04-03T23:01:00', '=;R', '=1396566060')
{
    is $c->cmd("RCPT TO:<a\@b.example> RRVS$value"), bad('RRVS'),
       "not a date: \"$value\"";
}

$c->dialogue('it is for its own recipient, and for RCPT',
    [ "RCPT TO:<a\@b.example> RRVS=$date RRVS=$date", bad('RRVS') ],
    [ "RCPT TO:<a\@b.example> RRVS=$date", $recipient ],
    [ 'RCPT TO:<c@b.example>', $recipient ],
    [ 'DATA', qr/^354 / ],
    [ "x\r\n.", $taken ],
    [ "MAIL FROM:<a\@b.example> RRVS=$date",
      '555 5.5.4 Unsupported parameter: RRVS' ],
);
is_deeply last_of($with)->{to_params}, [ "RRVS=$date", '' ], 'each has its own';

# 8.2: nothing is known of another address

$c->mail('a@b.example');
is $c->rcpt('alias@a.example', "RRVS=$date"), $lost, 'rewritten: refused';
is $c->rcpt('alias@a.example', "RRVS=$date;C"), $recipient,
   'rewritten, continue: taken';
like $c->data("x\r\n"), $taken, 'and goes on';
is last_of($with)->{to_params}[0], '', 'without it';

# a maildir can't tell

is $c->mail('a@b.example'), $sender, 'to a maildir';
is $c->rcpt('a@box.example', "RRVS=$date"), $lost, 'refused';
is $c->rcpt('a@box.example', "RRVS=$date;C"), '250 2.1.5 Recipient OK',
   'or continue';
ok !exists $t->connected('5')->{ehlo}{RRVS}, 'and does not offer it by itself';

# 5.1.1

$c = $t->connected('2');

$c->dialogue('without: who did not consent is refused',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ "RCPT TO:<a\@b.example> RRVS=$date", $lost ],
    [ "RCPT TO:<b\@b.example> RRVS=$date;R", $lost ],
    [ "RCPT TO:<c\@b.example> RRVS=$date;C", $recipient ],
    [ 'RCPT TO:<d@b.example>', $recipient ],
    [ 'DATA', qr/^354 / ],
    [ "x\r\n.", $taken ],
);
is_deeply [ last_of($without)->{to}, last_of($without)->{to_params} ],
          [ [ 'c@b.example', 'd@b.example' ], [ '', '' ] ],
          'without: the others get it';

$c = $t->connected('3');

is $c->send_message(rcpt_params => [ "RRVS=$date" ]), $lost,
   'buffered: the message';
like $c->send_message(rcpt_params => [ "RRVS=$date;C" ]), $taken,
     'buffered: continue';

# as the next hop: all of them

ok !exists $t->connected('4')->{ehlo}{RRVS}, 'next_hop: one is not known';
like $t->connected('4')->send_message(to => 'a@c.example'), $taken, 'it is now';
like $t->connected('4')->send_message(to => 'a@o.example'), $taken,
   'and the other';
ok !exists $t->connected('4')->{ehlo}{RRVS}, 'next_hop: which has it not';

is $t->connected('6')->mail('a@b.example'), $sender, 'off';

$c = $t->connected('6');
$c->mail('a@b.example');
is $c->rcpt('a@b.example', "RRVS=$date"),
   '555 5.5.4 Unsupported parameter: RRVS', 'off: not taken';

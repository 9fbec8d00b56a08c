#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# MT-PRIORITY: RFC 6710, 4 and 7.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(98);

my $with = $t->server('with', ehlo => [ 'MT-PRIORITY MIXER' ]);
my $without = $t->server('without', ehlo => [ 'PIPELINING' ]);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_max_errors  1000;
    smtp_extensions  mt-priority=on;

    smtp_log_format  test  'priority=$smtp_priority rcpt=$smtp_rcpt_count';
    smtp_access_log  %%TESTDIR%%/access.log  test;


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

        smtp_extensions  mt-priority=next_hop;
    }

    server {
        listen     127.0.0.1:%%PORT_4%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_without%%;

        smtp_extensions  mt-priority=off;
    }

    server {
        listen     127.0.0.1:%%PORT_5%%;
        protocol   smtp_ext;

        smtp_recipient  *  { smtp_pass maildir:%%TESTDIR%%/box; }
    }

    server {
        listen    127.0.0.2:%%PORT_6%%;
        protocol  smtp_ext;

        smtp_recipient  @local.example  { smtp_pass 127.0.0.1:%%PORT_with%%; }
    }
}
EOC

my $sender = '250 2.1.0 Sender OK';
my $recipient = '250 2.1.5 recipient ok';
my $taken = qr/^250 2\.0\.0 OK id=/;

sub bad { "501 5.5.4 Bad parameter: $_[0]" }

sub last_of { ($_[0]->messages())[-1] }


my $c = $t->connected('1');

is $c->{ehlo}{'MT-PRIORITY'}, '', 'on: offered, without a policy\'s name';

for my $n (-9 .. 9) {
    like $c->send_message(mail_params => [ "MT-PRIORITY=$n" ]), $taken,
         "priority $n";
    is last_of($with)->{from_params}, "MT-PRIORITY=$n", "goes on: $n";
    like last_of($with)->{data}, qr/^Received:[^;]*\r\n\tPRIORITY $n;\r\n/,
         "is in Received: $n";
}

like $c->send_message(), $taken, 'no priority';
is last_of($with)->{from_params}, 'MT-PRIORITY=0', 'is 0 to the next hop';
unlike last_of($with)->{data}, qr/PRIORITY/, 'and not in Received';

for my $value ('', '=10', '=-10', '=+1', '=-0', '=00', '=01', '=-', '=a', '=1a',
               '=--', '=1.0')
{
    is $c->cmd("MAIL FROM:<a\@b.example> MT-PRIORITY$value"),
       bad('MT-PRIORITY'), "not a priority: \"$value\"";
}

is $c->cmd('MAIL FROM:<a@b.example> MT-PRIORITY=1 MT-PRIORITY=1'),
   bad('MT-PRIORITY'), 'twice';

# RFC 6710, 4.3

$c = $t->connected('2');

like $c->send_message(mail_params => [ 'MT-PRIORITY=4' ]), $taken,
     'without: it is taken';
is last_of($without)->{from_params}, '', 'without: and dropped';
like last_of($without)->{data}, qr/\tPRIORITY 4;/, 'without: Received has it';
ok $t->wait_log(qr/^priority=4 rcpt=1$/m, 'access.log'), 'it is in the log';

# as the next hop

$c = $t->connected('3');

ok exists $c->{ehlo}{'MT-PRIORITY'}, 'next_hop: it has said that it has it';

$c = $t->connected('4');

ok !exists $c->{ehlo}{'MT-PRIORITY'}, 'off: not offered';
is $c->cmd('MAIL FROM:<a@b.example> MT-PRIORITY=1'),
   '555 5.5.4 Unsupported parameter: MT-PRIORITY', 'off: nor taken';

like $t->connected('5')->send_message(mail_params => [ 'MT-PRIORITY=-3' ]),
     qr/^250 /, 'a maildir has nothing against it';

# RFC 6710, 4.1: 127.0.0.2 may not relay

$c = $t->client('127.0.0.2:' . $t->port('6'), local => '127.0.0.2');
$c->read_reply();
$c->ehlo();

my $lowered = '250 2.3.6 0 Sender OK, may not have a higher priority';

for my $case ([ 1, 0, $lowered ], [ 9, 0, $lowered ], [ 0, 0, $sender ],
              [ -1, -1, $sender ])
{
    my ($asked, $given, $reply) = @$case;

    is $c->cmd("MAIL FROM:<a\@b.example> MT-PRIORITY=$asked"), $reply,
       "a stranger's $asked";
    is $c->rcpt('a@local.example'), $recipient, "and RCPT: $asked";
    like $c->data("x\r\n"), $taken, "and DATA: $asked";
    is last_of($with)->{from_params}, "MT-PRIORITY=$given", "is $given";
}

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# REQUIRETLS: RFC 8689, 2, 4.2.1 and 5.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(21);

$t->certificate('mx.example.com');

# what it says in clear text is worth nothing

my $mta = $t->server('mta', ehlo => [ 'PIPELINING', 'REQUIRETLS' ]);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name          mx.example.com;
    smtp_relay_from      127.0.0.1;
    smtp_max_errors      1000;
    ssl_certificate      mx.example.com.crt;
    ssl_certificate_key  mx.example.com.key;

    smtp_recipient  @box.example  { smtp_pass maildir:%%TESTDIR%%/box; }

    server {
        listen     127.0.0.1:%%PORT_1%%;
        protocol   smtp_ext;
        starttls   on;
        smtp_pass  smtp://127.0.0.1:%%PORT_mta%%;
    }

    server {
        listen          127.0.0.1:%%PORT_2%% ssl;
        protocol        smtp_ext;
        smtp_pass       smtp://127.0.0.1:%%PORT_mta%%;
        smtp_pass_mode  buffered;
    }

    server {
        listen           127.0.0.1:%%PORT_3%% ssl;
        protocol         smtp_ext;
        smtp_extensions  requiretls=off;
        smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;
    }

    server {
        listen           127.0.0.1:%%PORT_4%% ssl;
        protocol         smtp_ext;
        smtp_extensions  requiretls=next_hop;
        smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;
    }

    server {
        listen           127.0.0.1:%%PORT_5%% ssl;
        protocol         smtp_ext;
        smtp_extensions  requiretls=next_hop;
    }

    server {
        listen     127.0.0.1:%%PORT_6%% ssl;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_mta%%;

        smtp_recipient  @other.example  { smtp_pass 127.0.0.1:%%PORT_mta%%; }
    }
}
EOC

my $sender = '250 2.1.0 Sender OK';
my $taken = qr/^250 2\.0\.0 OK id=/;
my $lacks = '550 5.7.30 REQUIRETLS support required';
my $unknown = '555 5.5.4 Unsupported parameter: REQUIRETLS';

my $c = $t->connected('1');

ok !exists $c->{ehlo}{REQUIRETLS}, 'in clear it is not offered';
is $c->cmd('MAIL FROM:<a@b.example> REQUIRETLS'), $unknown, 'nor taken';

$c->starttls();
$c->ehlo();

is $c->{ehlo}{REQUIRETLS}, '', 'under TLS it is, for the maildir';

$c->dialogue('it has no value, and is said once',
    [ 'MAIL FROM:<a@b.example> REQUIRETLS=', qr/^501 5\.5\.4 / ],
    [ 'MAIL FROM:<a@b.example> REQUIRETLS=yes',
      '501 5.5.4 Bad parameter: REQUIRETLS' ],
    [ 'MAIL FROM:<a@b.example> REQUIRETLS REQUIRETLS',
      '501 5.5.4 Bad parameter: REQUIRETLS' ],
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<a@box.example> REQUIRETLS', $unknown ],
    [ 'RSET', '250 2.0.0 OK' ],
);

like $c->send_message(to => 'a@box.example', mail_params => [ 'REQUIRETLS' ]),
     $taken, 'the maildir honours it';
like $c->send_message(to => 'a@box.example', mail_params => [ 'requiretls' ]),
     $taken, 'in any case';

$c->dialogue('the next hop is asked in clear: at RCPT',
    [ 'MAIL FROM:<a@b.example> REQUIRETLS', $sender ],
    [ 'RCPT TO:<c@d.example>', $lacks ],
    [ 'RCPT TO:<a@box.example>', '250 2.1.5 Recipient OK' ],
    [ 'DATA', qr/^354 / ],
    [ "x\r\n.", $taken ],
);
is scalar(grep { /^MAIL/ } $mta->commands()), 0, 'and not told of the message';

like $c->send_message(), $taken, 'without the parameter';
is +($mta->messages())[-1]{from_params}, '', 'it gets it';

like $c->send_message(from => '', mail_params => [ 'REQUIRETLS' ]), $taken,
     '<>: a notification rather goes on';
is +($mta->messages())[-1]{from_params}, '', 'without';

$c = $t->connected('2', ssl => 1);

ok exists $c->{ehlo}{REQUIRETLS}, 'implicit TLS';
is $c->send_message(mail_params => [ 'REQUIRETLS' ]), $lacks,
   'buffered: refused when the message is there';

my $n = $mta->messages();

is $c->cmd('NOOP'), '250 2.0.0 OK', 'the session goes on';
is scalar($mta->messages()), $n, 'and nobody has got it';

$c = $t->connected('3', ssl => 1);

ok !exists $c->{ehlo}{REQUIRETLS}, 'off: not offered';
is $c->cmd('MAIL FROM:<a@b.example> REQUIRETLS'), $unknown, 'off: nor taken';

ok !exists $t->connected('4', ssl => 1)->{ehlo}{REQUIRETLS},
   'next_hop: one of them is up to it, one is not';
ok exists $t->connected('5', ssl => 1)->{ehlo}{REQUIRETLS},
   'next_hop: the maildir alone';
ok !exists $t->connected('6', ssl => 1)->{ehlo}{REQUIRETLS},
   'next hops in clear alone';

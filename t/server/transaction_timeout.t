#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# A transaction ends in time, and nothing is waited for on behalf of a client
# that has gone.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new()->plan(8);

my $mta = $t->server('mta', fault => { at => 'RCPT', do => 'stall' });

$t->write_conf(<<'EOF')->run();
%%GLOBALS%%

events { }

mail {
    server_name       mx.example.com;
    smtp_recipient    * { smtp_pass maildir:%%TESTDIR%%/mail; }

    server {
        listen                    127.0.0.1:%%PORT_smtp%%;
        protocol                  smtp_ext;
        smtp_transaction_timeout  1s;
    }

    server {
        listen          127.0.0.1:%%PORT_relay%%;
        protocol        smtp_ext;
        smtp_recipient  * { smtp_pass 127.0.0.1:%%PORT_mta%%; }
    }
}
EOF

my $timeout = '421 4.4.2 Timeout, closing connection';

my $c = $t->client('smtp');

$c->read_reply();
$c->ehlo();
like $c->cmd('MAIL FROM:<a@b.example>'), qr/^250/, 'a transaction begins';
is $c->read_reply(), $timeout, 'and ends, though the command has time left';

# data that never stops coming

$c = $t->client('smtp');

$c->read_reply();
$c->ehlo();
$c->mail('a@b.example');
like $c->rcpt('c@d.example'), qr/^250/, 'a recipient';
like $c->cmd('DATA'), qr/^354/, 'data begins';

# a line each 10 ms; a reply in between is the end of it

my $bits = '';
vec($bits, fileno $c->socket(), 1) = 1;

for (1 .. 1000) {
    $c->send_raw("drip\r\n", quiet => 1);
    last if select(my $ready = $bits, undef, undef, 0.01);
}

is $c->read_reply(), $timeout, 'it ends, however steadily it comes';

# the next hop is silent, and the client resets its connection

$c = $t->client('relay');

$c->read_reply();
$c->ehlo();
$c->mail('a@b.example');
$c->send_line('RCPT TO:<c@d.example>');
ok $mta->wait_command(qr/^RCPT/), 'the next hop is asked';

$c->reset();

ok $t->wait_log(qr/smtp peer close/), 'and let go';
ok $t->wait_log(qr/client connection failed.*while/), 'with the reason';

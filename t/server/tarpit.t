#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# smtp_error_delay: after an error the next command waits, and nobody else.

use warnings;
use strict;

use Time::HiRes qw/ time /;

use Test::More;
use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new()->plan(19);
my $mta = $t->server('mta');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;

    server {
        listen            127.0.0.1:%%PORT_slow%%;
        protocol          smtp_ext;
        smtp_error_delay  300ms;
    }

    server {
        listen            127.0.0.1:%%PORT_long%%;
        protocol          smtp_ext;
        smtp_error_delay  1h;
        smtp_max_errors   3;
    }
}
EOC

my $ok = '250 2.0.0 OK';
my $unknown = '500 5.5.1 Command not recognized';
my $taken = qr/^250 2\.0\.0 OK id=/;

my $c = $t->connected('slow');
my $start = time();

is $c->cmd('FOO'), $unknown, 'the error is answered';
cmp_ok time() - $start, '<', 0.25, 'at once';
is $c->cmd('NOOP'), $ok, 'the next command is';
cmp_ok time() - $start, '>', 0.25, 'when its time has come';

$start = time();
like $c->send_message(), $taken, 'a message';
cmp_ok time() - $start, '<', 0.25, 'has not to wait';

# in a batch: each error by itself

$start = time();
$c->pipeline('FOO', 'NOOP', 'BAR', 'NOOP');
is_deeply [ $c->read_replies(4) ], [ $unknown, $ok, $unknown, $ok ],
          'a batch keeps its order';
cmp_ok time() - $start, '>', 0.55, 'and waits twice';

# inside a transaction

$start = time();
$c->mail('a@b.example');
$c->rcpt('a@b.example');
is $c->cmd('FOO'), $unknown, 'inside a transaction';
like $c->data("Subject: a\r\n\r\na\r\n"), $taken, 'which goes on';
cmp_ok time() - $start, '>', 0.25, 'after a while';

# nobody else waits; and no worker

my $long = $t->connected('long');

is $long->cmd('FOO'), $unknown, 'a long wait';
$long->send_line('NOOP');
like $t->connected('slow')->send_message(), $taken, 'others are served';

my $last = $t->connected('long');

$last->mail('a@b.example');
$last->rcpt('a@b.example');
is $last->cmd('FOO'), $unknown, 'another one, in a transaction';

ok $t->reload(), 'reload';

is $long->read_reply(), '421 4.3.2 Service shutting down, closing connection',
   'the worker does not wait for who waits';

$last->send_line('DATA');
like $last->read_reply(), qr/^354 /, 'a transaction goes on without waiting';
$last->body("Subject: a\r\n\r\na\r\n");
like $last->read_reply(), $taken, 'to its end';
ok $t->wait_old_workers(), 'and so does the worker';

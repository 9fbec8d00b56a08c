#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# No server is left, at RCPT and at the end; and then they are well again.  The
# tables of what can go wrong are in faults_*.t.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->write_conf(<<'EOC')->plan(7)->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://mtas;

    smtp_upstream mtas {
        server  127.0.0.1:%%PORT_first%%   max_fails=0;
        server  127.0.0.1:%%PORT_second%%  max_fails=0  backup;

        # so that connections can be counted
        keepalive  0;
    }

    server {
        listen          127.0.0.1:%%PORT_verify%%;
        protocol        smtp_ext;
    }

    server {
        listen          127.0.0.1:%%PORT_buffered%%;
        protocol        smtp_ext;
        smtp_pass_mode  buffered;
    }
}
EOC

my $first = $t->server('first', fault => { at => 'EHLO', do => 'garbage' });
my $second = $t->server('second', fault => { at => 'MAIL', do => 'close' });
my $broken = '451 4.4.2 Connection to destination server failed';

sub connections { join ', ', map { $_->connections() } $first, $second }

my $c = $t->connected('verify');

$c->mail('a@example.com');
is $c->rcpt('b@example.com') . ', ' . connections(), "$broken, 1, 1",
   'both are broken, at RCPT';
is $c->data(''), '554 5.5.1 No valid recipients', 'so nobody gets it';

$c = $t->connected('buffered');
is $c->send_message() . ', ' . connections(), "$broken, 2, 2",
   'both are broken, at the end';

$first->stop();
$second->stop();
is $c->send_message(), '451 4.4.1 No destination server answers',
   'nobody listens';

$first->start();
$first->set(fault => undef);
like $c->send_message(), qr/^250 2\.0\.0 OK/, 'and it heals';
is scalar(() = $first->messages()), 1, 'once';

like $t->notices(), qr/upstream sent an invalid reply/, 'it is in the log';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# An address that the DNS takes away while a request is on its way to it: that
# goes on, on a connection that counts for no server.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $t = Test::Nginx::SmtpExt->new();

$t->write_conf(<<'EOC')->plan(9);
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    resolver         127.0.0.1:%%PORT_dns%%  ipv6=off;

    smtp_upstream leaving {
        server  leaving.example.com:%%PORT_mta%%  resolve;
    }

    server {
        listen     127.0.0.1:%%PORT_smtp%%;
        protocol   smtp_ext;
        smtp_pass  smtp://leaving;
    }
}
EOC

my %mta = map { $_ => $t->server("127.0.0.$_:mta", ehlo => [ "8BITMIME" ]) }
          1, 2;
my $dns = $t->dns('dns', zone => {
    'leaving.example.com' => { A => '127.0.0.1', ttl => 1 } });

$t->run();

is substr($t->connected()->send_message(), 0, 5), '250 2', 'a message';
is $mta{1}->closed(), 0, 'its connection is kept';

# the next one is on it, without a word, when the address goes

$mta{1}->set(fault => { at => 'MAIL', n => 1, do => 'hold_close' });

my $c = $t->connected();

$c->pipeline('MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.com>',
             'RCPT TO:<c@example.com>');
ok $mta{1}->wait_held(1), 'another one is asked about';

$dns->set(zone => {
    'leaving.example.com' => { A => '127.0.0.2', ttl => 1 } });
ok poll(sub { $t->connected()->send_message();
              scalar(() = $mta{2}->messages()) }, 8),
   'the address is another one';

$mta{1}->release();

is_deeply [ map { substr $_, 0, 3 } $c->read_replies(3) ], [ (250) x 3 ],
    'it goes on where it was, on a new connection';
like $c->data("Subject: x\r\n\r\nx\r\n"), qr/^250 /, 'and is taken';
is scalar(grep { @{$_->{to}} == 2 } map { $_->messages() } values %mta), 1,
   'once';

like $t->connected()->send_message(), qr/^250 /, 'and so is the next';
$c->quit();

ok $mta{1}->wait_closed(), 'nothing is kept with who has left';

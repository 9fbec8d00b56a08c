#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Too few worker_connections: idle sessions give way, with 421, to new ones;
# transactions do not.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

use constant CONNECTIONS => 32;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(12);

my $mta = $t->server('mta');

$t->write_conf(<<"EOC")->run();
%%GLOBALS%%

events {
    worker_connections  @{[ CONNECTIONS ]};
}

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }
}
EOC

my $busy = '421 4.3.2 Too many connections, closing connection';
my $taken = qr/^250 2\.0\.0 OK id=/;

sub connected {
    my $c = $t->client('smtp');

    return if $c->read_reply() !~ /^220/;

    $c->ehlo();

    return $c;
}


# in a transaction: not to be disturbed

my @working = map { connected() } 1 .. 3;

$_->mail('a@b.example') for @working;
$_->rcpt('c@d.example') for @working;
$_->cmd('DATA') for @working[1, 2];

# more than there is room for: each of them is greeted

my @idle = map { connected() } 1 .. 3 * CONNECTIONS;

is scalar(grep { defined } @idle), 3 * CONNECTIONS, 'each client is served';

my $newest = $idle[-1];
my @told = grep { $_->cmd('NOOP') eq $busy } @idle[0 .. 2 * CONNECTIONS];

is scalar @told, 2 * CONNECTIONS + 1, 'the older ones, idle, were told 421';
is scalar(grep { $_->eof() } @told), 2 * CONNECTIONS + 1, 'and closed';
is $newest->cmd('NOOP'), '250 2.0.0 OK', 'the last one is there';

is $working[0]->cmd('DATA'), '354 End data with <CR><LF>.<CR><LF>',
   'a transaction goes on';

for my $c (@working) {
    $c->body("Subject: working\r\n\r\nx\r\n");
    like $c->read_reply(), $taken, 'its message is taken';
}

like $newest->send_message(), $taken, 'and so is one of the last client';
is scalar(() = $mta->messages()), 4, 'each arrived once';

$_->close() for grep { $_->state() eq '' } @idle, @working;
like connected()->send_message(), $taken, 'afterwards there is room again';

# nginx tells of it, and of nothing worse

like $t->error_log(), qr/worker_connections are not enough, reusing/,
     'it is in the log';

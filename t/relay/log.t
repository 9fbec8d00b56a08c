#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# What the error log says of next hops: in the log of the server{} whose client
# is served, with the level that is set there, and who it was about.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->write_conf(<<'EOC')->plan(11)->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;
    error_log        %%TESTDIR%%/mail.log info;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }

    server {
        listen     127.0.0.1:%%PORT_quiet%%;
        protocol   smtp_ext;
        error_log  %%TESTDIR%%/quiet.log error;
    }
}
EOC

my $mta = $t->server('mta');
my $upstream = '127.0.0.1:' . $t->port('mta');

# a new connection, a kept one, one that is resumed

my %fault = (
    'a new one' => { at => 'EHLO', do => 'garbage' },
    'a kept one' => { at => 'RCPT', do => 'garbage' },
    'a resumed one' => { at => 'DATA', do => 'garbage' },
);

for my $name ('a new one', 'a kept one', 'a resumed one') {
    my $c = $t->connected('smtp');

    $mta->set(fault => undef);
    $c->send_message() if $name ne 'a new one';
    $mta->set(fault => $fault{$name});

    my $at = length $t->read_file('mail.log');

    like $c->send_message(), qr/^451 /, $name;
    $c->quit();

    my $said = substr $t->read_file('mail.log'), $at;

    like $said, qr/\[error\] .*sent an invalid reply while .*upstream, upstream: \Q$upstream\E/,
         'is in the log of the server';
    like $said, qr/refused: "451 .*, client: 127\.0\.0\.1, server: /,
         'so is what the client was told';
}

$t->connected('quiet')->send_message();
unlike $t->read_file('quiet.log'), qr/\[(info|notice|warn)\]/,
       'another server has another level';

unlike $t->notices(), qr/upstream|client/, 'nothing is in the main one';

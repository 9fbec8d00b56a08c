#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Directives of ours in mail{} hold over those of nginx's own, wherever they are.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(5);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name     mx.example.com;
    auth_http       127.0.0.1:%%PORT_http%%/auth;
    smtp_auth       plain none;
    smtp_auth_rcpt  off;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }

    server {
        listen     127.0.0.1:%%PORT_none%%;
        protocol   smtp_ext;
        smtp_auth  none;
    }

    server {
        listen          127.0.0.1:%%PORT_on%%;
        protocol        smtp_ext;
        smtp_auth_rcpt  on;
    }
}
EOC

my $mta = $t->server('mta');
my $http = $t->http('http', default => { headers => [
    'Auth-Status' => 'OK', 'Auth-Server' => '127.0.0.1',
    'Auth-Port' => $t->port('mta') ] });

sub rcpt {
    my ($name) = @_;

    my $c = $t->client($name);

    $c->read_reply();
    $c->ehlo();
    $c->mail('a@b.example');

    return $c->rcpt('c@d.example');
}

is rcpt('smtp'), '550 5.7.1 Relaying denied', 'smtp_auth none: not with off';
is rcpt('none'), '550 5.7.1 Relaying denied', 'nor in the server itself';
is scalar(() = $http->requests()), 0, 'nobody is asked';
is rcpt('on'), '250 2.1.5 recipient ok', 'but where ours is on';
is scalar(() = $http->requests()), 1, 'the service is';

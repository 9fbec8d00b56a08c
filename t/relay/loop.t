#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# A server{} that relays to itself, by mistake: it asks itself about a
# recipient, which asks itself, until no connection is left.  It is noticed at
# the first step, and others go on.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new()->plan(12);
my $mta = $t->server('mta');
my $unix = $t->testdir() . '/smtp.sock';

$t->write_conf(<<"EOC")->run();
%%GLOBALS%%

events { worker_connections 64; }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.0/8 unix:;
    smtp_auth_http   http://127.0.0.1:9/;

    smtp_upstream both {
        server  127.0.0.1:%%PORT_both%%;
        server  127.0.0.1:%%PORT_mta%%  backup;
    }

    server {
        listen     127.0.0.1:%%PORT_self%%;
        protocol   smtp_ext;
        smtp_pass  127.0.0.1:%%PORT_self%%;
        smtp_vrfy  ask;
    }

    server {
        listen     unix:$unix;
        protocol   smtp_ext;
        smtp_pass  unix:$unix;
    }

    server {
        listen     127.0.0.1:%%PORT_unix%%;
        protocol   smtp_ext;
        smtp_pass  unix:$unix;
    }

    server {
        listen           127.0.0.1:%%PORT_buffered%%;
        protocol         smtp_ext;
        smtp_pass        127.0.0.1:%%PORT_buffered%%;
        smtp_pass_mode   buffered;
    }

    server {
        listen     127.0.0.1:%%PORT_both%%;
        protocol   smtp_ext;
        smtp_pass  both;
    }

    server {
        listen     127.0.0.1:%%PORT_front%%;
        protocol   smtp_ext;
        smtp_pass  127.0.0.1:%%PORT_back%%;
    }

    server {
        listen     127.0.0.1:%%PORT_back%%;
        protocol   smtp_ext;
        smtp_pass  127.0.0.1:%%PORT_mta%%;
    }
}
EOC

my $nobody = '451 4.4.1 No destination server answers';

for my $name (qw/ self unix /) {
    my $c = $t->connected($name);

    $c->cmd('MAIL FROM:<a@example.com>');
    is $c->cmd('RCPT TO:<b@example.net>'), $nobody, "$name: refused for now";
    is $c->cmd('NOOP'), '250 2.0.0 OK', "$name: the session goes on";
}

like $t->connected('self')->cmd('VRFY b@example.net'), qr/^252 /,
     'VRFY does not ask itself';
is $t->connected('buffered')->send_message(to => 'b@example.net'), $nobody,
   'buffered: refused at the end';
like $t->connected('both')->send_message(to => 'b@example.net'), qr/^250 /,
     'another server of the group is taken';
like $t->connected('front')->send_message(to => 'b@example.net'), qr/^250 /,
     'a second server of the same nginx is none of that kind';
is $mta->messages(), 2, 'these have come out';

my @said = grep { /would loop/ } split /\n/, $t->notices();

like $said[0], qr/\[error\].* upstream 127\.0\.0\.1:\d+ is this server itself/,
     'the log says so';
is((grep { /\[error\]/ } @said), 4, 'once for each place');
unlike $t->notices(), qr/worker_connections/, 'connections are left';



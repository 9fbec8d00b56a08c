#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# A next hop whose replies go out of step: that to DATA comes before that to
# RCPT.  It waits for data then, so nothing may be said to it any more.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->write_conf(<<'EOC')->plan(9)->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;
    smtp_pass_mode   buffered;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }
}
EOC

my $mta = $t->server('mta');

sub send_one {
    my $c = $t->client('smtp');

    $c->read_reply();
    $c->ehlo();

    return substr $c->send_message(), 0, 5;
}

is send_one(), '250 2', 'all is well';
is $mta->closed(), 0, 'the connection is kept';

for my $try ([ { RCPT => '354 go on', DATA => '250 2.1.5 ok' }, 'RCPT' ],
             [ { MAIL => '354 go on' }, 'MAIL' ],
             [ { RCPT => '550 5.1.1 no', DATA => '250 2.1.5 ok' }, 'DATA' ])
{
    my ($on, $verb) = @$try;
    my $closed = $mta->closed();

    $mta->set(on => $on);
    like send_one(), qr/^[45]/, "$verb gets another command's reply";
    ok $mta->wait_closed($closed + 1), 'the connection is closed';
    $mta->set(on => {});
}

is send_one(), '250 2', 'another one is good';

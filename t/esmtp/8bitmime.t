#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# 8BITMIME towards next hops with and without it: RFC 6152, 3.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(39);

my $with = $t->server('with');
my $without = $t->server('without', ehlo => [ 'PIPELINING' ]);
my $old = $t->server('old', on => { EHLO => '502 5.5.1 no EHLO' });

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;

    server {
        listen     127.0.0.1:%%PORT_1%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;
    }

    server {
        listen     127.0.0.1:%%PORT_2%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_without%%;
    }

    server {
        listen     127.0.0.1:%%PORT_3%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_old%%;
    }

    server {
        listen          127.0.0.1:%%PORT_4%%;
        protocol        smtp_ext;
        smtp_pass       smtp://127.0.0.1:%%PORT_without%%;
        smtp_pass_mode  buffered;
    }
}
EOC

my $taken = qr/^250 2\.0\.0 OK id=/;
my $lacks = '554 5.6.3 Destination server does not take 8-bit content';

my $ascii = "Subject: 7bit\r\n\r\n~\r\n";
my $eight = "Subject: 8bit\r\n\r\nna\xc3\xafve\r\n";
my $late = "Subject: late\r\n\r\n" . ('x' x 70 . "\r\n") x 2000 . "\x80\r\n";

sub connected {
    my $c = $t->client($_[0]);

    $c->read_reply();
    $c->ehlo();

    return $c;
}

sub body_of { (($_[0]->messages())[-1]{data} =~ /\r\n\r\n(.*)\z/s)[0] }

sub params_of {
    return ($_[0]->messages())[-1]{from_params} =~ s/\s*\bSIZE=\d+//r;
}


my $c = connected('1');

ok exists $c->{ehlo}{'8BITMIME'}, 'it is offered';

for my $try ('8BITMIME', '8bitmime', '8BitMime') {
    like $c->send_message(data => $eight, mail_params => [ "BODY=$try" ]),
         $taken, "with 8BITMIME: BODY=$try";
    is params_of($with), 'BODY=8BITMIME', 'which goes on';
    is body_of($with), "na\xc3\xafve\r\n", 'so do the octets';
}

like $c->send_message(data => $ascii, mail_params => [ 'BODY=7BIT' ]), $taken,
     'BODY=7BIT';
is params_of($with), '', 'needs no word';
like $c->send_message(data => $eight), $taken, '8-bit that was not declared';
is body_of($with), "na\xc3\xafve\r\n", 'is not changed';
is params_of($with), '', 'nor declared by us';

for my $port ('2', '3', '4') {
    my $mta = $port eq '3' ? $old : $without;
    my $name = { 2 => 'without 8BITMIME', 3 => 'without EHLO',
                 4 => 'buffered, without 8BITMIME' }->{$port};

    $c = connected($port);

    for my $data ($eight, $late) {
        my $before = $mta->messages();

        is $c->send_message(data => $data, mail_params => [ 'BODY=8BITMIME' ]),
           $lacks, "$name: refused";
        is $mta->messages() - $before, 0, "$name: nothing went on";
    }

    like $c->send_message(data => $ascii, mail_params => [ 'BODY=8BITMIME' ]),
         $taken, "$name: what is declared, but 7-bit, is taken";
    is params_of($mta), '', "$name: with no word";
    like $c->send_message(data => $eight), $taken,
         "$name: what was not declared goes on as it is";
    is body_of($mta), "na\xc3\xafve\r\n", "$name: unchanged";
}

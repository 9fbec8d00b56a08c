#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# SIZE= towards two next hops at a time, one of which gets the message in
# another form: it is told the size of what it gets.

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

    smtp_recipient  @seven.example  { smtp_pass smtp://127.0.0.1:%%PORT_seven%%; }
    smtp_recipient  @eight.example  { smtp_pass smtp://127.0.0.1:%%PORT_eight%%; }

    server {
        listen             127.0.0.1:%%PORT_smtp%%;
        protocol           smtp_ext;
        smtp_mixed_result  bounce smtp://127.0.0.1:%%PORT_eight%%;
    }
}
EOC

# without PIPELINING, MAIL waits for the reply to RSET

my $seven = $t->server('seven', ehlo => [ 'SIZE' ]);
my $eight = $t->server('eight', ehlo => [ 'SIZE', '8BITMIME' ]);

sub said {
    my ($mta) = @_;
    my $m = ($mta->messages())[-1];

    return join(' ', $m->{from_params}) =~ /SIZE=(\d+)/ ? $1 : 'nothing';
}

my $c = $t->connected();

like $c->mail('a@example.com'), qr/^250/, 'MAIL';
like $c->rcpt('a@seven.example'), qr/^250/, 'for a server without 8BITMIME';
like $c->rcpt('b@eight.example'), qr/^250/, 'and for one with it';

# its connection to the first is somebody else's meanwhile

my $other = $t->connected();

$other->mail('o@example.com');
like $other->rcpt('o@seven.example'), qr/^250/, 'another client';

like $c->data("Subject: x\r\n\r\n" . ("\xe4" x 70 . "\r\n") x 100), qr/^250 /,
     'the message is taken';

my ($one) = map { $_->{size} } ($seven->messages())[-1];
my ($two) = map { $_->{size} } ($eight->messages())[-1];

cmp_ok $one, '>', $two, 'it has been converted for the first';
is said($seven), $one, 'and that is what it was told';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# PRDR, draft-hall-prdr: what is offered, and MAIL's parameter.  What comes of
# it is in t/relay/each.t and t/relay/mixed.t.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

my $mta = $t->server('mta', ehlo => [ 'PIPELINING', 'PRDR' ]);
my $old = $t->server('old', ehlo => [ 'PIPELINING' ]);

$t->write_conf(<<'EOC')->plan(13)->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;

    smtp_recipient  @old.example  { smtp_pass 127.0.0.1:%%PORT_old%%; }
    smtp_recipient  *             { smtp_pass 127.0.0.1:%%PORT_mta%%; }

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }

    server {
        listen           127.0.0.1:%%PORT_off%%;
        protocol         smtp_ext;
        smtp_extensions  prdr=off;
    }

    server {
        listen     127.0.0.1:%%PORT_lmtp%%;
        protocol   smtp_ext;
        smtp_lmtp  on;
    }
}
EOC

my $c = $t->client('smtp');

$c->read_reply();
like $c->cmd('EHLO client.example'), qr/^250[- ]PRDR$/m, 'PRDR is offered';

like $c->mail('a@b.example', 'PRDR=1'), qr/^501 /, 'PRDR has no value';
like $c->mail('a@b.example', 'PRDR='), qr/^501 /, 'not an empty one either';
like $c->mail('a@b.example', 'PRDR PRDR'), qr/^501 /, 'nor is it there twice';

like $c->send_message(mail_params => [ 'prdr' ]), qr/^250/, 'in lower case';
like join(' ', $mta->commands()), qr/MAIL FROM:<sender\@example\.com> PRDR/,
     'a next hop that has it is told';

like $c->send_message(mail_params => [ 'PRDR' ], to => 'a@old.example'),
     qr/^250/, 'a next hop without it';
unlike join(' ', $old->commands()), qr/PRDR/, 'is not';

like $c->send_message(), qr/^250/, 'a client that does not want it';
unlike +(grep { /^MAIL/ } $mta->commands())[-1], qr/PRDR/, 'nor told of it';

my $off = $t->client('off');

$off->read_reply();
unlike $off->cmd('EHLO client.example'), qr/PRDR/, 'switched off';
like $off->mail('a@b.example', 'PRDR'), qr/^555 /, 'it is no parameter';

my $lmtp = $t->client('lmtp');

$lmtp->read_reply();
unlike $lmtp->cmd('LHLO client.example'), qr/PRDR/, 'LMTP has no need of it';

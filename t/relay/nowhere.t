#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The destinations "discard:" and "reject:".

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->write_conf(<<'EOC')->plan(17)->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_log_format  short '$smtp_rcpt_to $smtp_result $smtp_status '
                           '$smtp_upstream_addr';
    smtp_access_log  %%TESTDIR%%/access.log short;
    smtp_vrfy        ask_all;
    smtp_expn        ask_all;
    smtp_etrn        ask_all;

    smtp_recipient  @trap.example    { smtp_pass discard:; }
    smtp_recipient  gone@a.example   { smtp_pass "reject:550 5.1.6 Has left"; }
    smtp_recipient  later@a.example  { smtp_pass "reject:450 4.2.1 Try (50%) later"; }
    smtp_recipient  bare@a.example   { smtp_pass reject:554; }
    smtp_recipient  text@a.example   { smtp_pass "reject:551 not here"; }
    smtp_recipient  long@a.example   { smtp_pass "reject:550 5.123.456 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"; }
    smtp_recipient  @a.example       { smtp_pass 127.0.0.1:%%PORT_mta%%; }

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }

    server {
        listen           127.0.0.1:%%PORT_errors%%;
        protocol         smtp_ext;
        smtp_max_errors  2;
    }

    server {
        listen     127.0.0.1:%%PORT_lmtp%%;
        protocol   smtp_ext;
        smtp_lmtp  on;
    }

    # nobody but those has a say in what is offered

    server {
        listen           127.0.0.1:%%PORT_offer%%;
        protocol         smtp_ext;
        smtp_extensions  rrvs=next_hop;

        smtp_recipient   @a.example  { smtp_pass 127.0.0.1:%%PORT_mta%%; }
        smtp_recipient   *           { smtp_pass reject:550; }
    }

    server {
        listen           127.0.0.1:%%PORT_nowhere%%;
        protocol         smtp_ext;

        smtp_recipient   @a.example  { smtp_pass discard:; }
        smtp_recipient   *           { smtp_pass reject:550; }
    }
}
EOC

my $mta = $t->server('mta', ehlo => [ 'PIPELINING', 'RRVS' ]);

my $taken = qr/^250 2\.0\.0 OK id=[0-9A-Za-z]+$/;
my $c = $t->connected();

# discard:

like $c->send_message(to => 'a@trap.example'), $taken, 'discarded';
like $c->send_message(to => [ 'a@trap.example', 'b@trap.example' ]), $taken,
   'for several recipients';
like $c->send_message(to => 'a@trap.example', data => 'x' x 100_000 . "\r\n"),
   $taken, 'a larger one';

my @lines = map { s/\s+$//r } $t->access_lines(3);

is_deeply \@lines, [ 'a@trap.example accepted 250 discard:',
                     'a@trap.example,b@trap.example accepted 250 discard:',
                     'a@trap.example accepted 250 discard:' ],
   'the log says where they went';
like $t->error_log(), qr/\[info\].*message discarded, id: [0-9A-Za-z]+ /,
   'so does the error log';

# it is refused as elsewhere

is $c->send_message(to => 'a@trap.example', data => "a\0b\r\n"),
   '550 5.6.0 Message has a NUL octet', 'what is refused is not taken';

# reject:

$c->dialogue('refused by the configuration',
    [ 'MAIL FROM:<s@example.com>', qr/^250 / ],
    [ 'RCPT TO:<gone@a.example>', '550 5.1.6 Has left' ],
    [ 'RCPT TO:<later@a.example>', '450 4.2.1 Try (50%) later' ],
    [ 'RCPT TO:<bare@a.example>', '554 5.0.0 Recipient refused' ],
    [ 'RCPT TO:<text@a.example>', '551 5.0.0 not here' ],
    [ 'RCPT TO:<long@a.example>', '550 5.123.456 xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' ],
    [ 'DATA', '554 5.5.1 No valid recipients' ],
    [ 'RCPT TO:<here@a.example>', qr/^250 / ],
    [ 'RCPT TO:<gone@a.example>', '550 5.1.6 Has left' ],
    [ 'RCPT TO:<there@a.example>', qr/^250 / ],
);
like $c->data("x\r\n"), $taken, 'others get theirs';
is_deeply [ map { $_->{to} } $mta->messages() ],
    [ [ 'here@a.example', 'there@a.example' ] ], 'and they alone';
is join(', ', grep { /gone|later|bare|text/ } $mta->commands()), '',
   'the next hop has heard of none of them';

$c->dialogue('VRFY, EXPN, ETRN',
    [ 'VRFY gone@a.example', '550 5.1.6 Has left' ],
    [ 'EXPN gone@a.example', '550 5.1.6 Has left' ],
    [ 'VRFY a@trap.example', qr/^252 / ],
    [ 'EXPN a@trap.example', qr/^252 / ],
    [ 'ETRN trap.example', qr/^458 / ],
);

# such refusals are errors of a stranger, but temporary ones are not

$c = $t->connected('errors');
$c->dialogue('they count',
    [ 'MAIL FROM:<s@example.com>', qr/^250 / ],
    [ 'RCPT TO:<later@a.example>', qr/^450 / ],
    [ 'RCPT TO:<later@a.example>', qr/^450 / ],
    [ 'RCPT TO:<gone@a.example>', qr/^550 / ],
    [ 'RCPT TO:<gone@a.example>', qr/^550 / ],
);
like $c->read_reply(), qr/^421 4\.7\.0 /, 'as others do';

# what is offered

$c = $t->connected('offer');
$c->send_message(to => 'b@a.example');
$c = $t->connected('offer');
ok exists $c->{ehlo}{RRVS}, 'who takes nothing is not asked what he can do';

$c = $t->connected('nowhere');
is join(' ', grep { exists $c->{ehlo}{$_} } qw/ DSN BINARYMIME SMTPUTF8 / ),
   'BINARYMIME SMTPUTF8', 'what can be done with nothing';

$c->mail('s@example.com', 'BODY=BINARYMIME');
$c->rcpt('b@a.example');
like $c->bdat("a\0b\n", 1), $taken, 'is done';

# in LMTP, each has a reply

$c = $t->client('lmtp');
$c->dialogue('LMTP',
    [ undef, qr/^220 / ],
    [ 'LHLO a.example', qr/^250-/ ],
    [ 'MAIL FROM:<s@example.com>', qr/^250 / ],
    [ 'RCPT TO:<a@trap.example>', qr/^250 / ],
    [ 'RCPT TO:<gone@a.example>', '550 5.1.6 Has left' ],
    [ 'RCPT TO:<b@trap.example>', qr/^250 / ],
    [ 'DATA', qr/^354 / ],
    [ "x\r\n.", $taken ],
    [ undef, $taken ],
);

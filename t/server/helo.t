#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# smtp_helo_required and smtp_helo_syntax: RFC 5321, 4.1.1.1, 4.1.4, 2.3.5.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();
my $mta = $t->server('mta', ehlo => [ 'PIPELINING', 'CHUNKING', 'XCLIENT NAME '
                                      . 'ADDR PORT PROTO HELO LOGIN' ]);

$t->write_conf(<<'EOC')->plan(32)->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;
    smtp_max_errors  1000;

    smtp_log_format  helo  '"$smtp_helo" $smtp_status $smtp_protocol';

    server {
        listen    127.0.0.1:%%PORT_lenient%%;
        protocol  smtp_ext;
    }

    server {
        listen            127.0.0.1:%%PORT_strict%%;
        protocol          smtp_ext;
        smtp_helo_syntax  strict;
    }

    server {
        listen            127.0.0.1:%%PORT_any%%;
        protocol          smtp_ext;
        smtp_helo_syntax  any;
        smtp_pass_xclient on;
        smtp_access_log   %%TESTDIR%%/any.log helo;
    }

    server {
        listen              127.0.0.1:%%PORT_off%%;
        protocol            smtp_ext;
        smtp_helo_required  off;
        smtp_access_log     %%TESTDIR%%/off.log helo;
    }

    server {
        listen              127.0.0.1:%%PORT_lmtp%%;
        protocol            smtp_ext;
        smtp_lmtp           on;
        smtp_helo_required  off;
    }
}
EOC

my $taken = qr/^250 2\.0\.0 OK id=/;
my $first = '503 5.5.1 Send EHLO or HELO first';

sub connected {
    my $c = $t->client($_[0]);

    $c->read_reply();

    return $c;
}

# codes of EHLO and HELO

sub codes {
    my ($port, $name) = @_;
    my $c = connected($port);

    return join ' ', map { substr $c->cmd("$_ $name"), 0, 3 } qw/ EHLO HELO /;
}

sub received { ($mta->messages())[-1]{data} =~ /\AReceived: (.*?)\r\n\tby / }


for my $case (
    # name                    lenient     strict      any
    [ 'client.example.com',   '250 250',  '250 250',  '250 250' ],
    [ '[127.0.0.1]',          '250 250',  '250 250',  '250 250' ],
    [ '[IPv6:::1]',           '250 250',  '250 250',  '250 250' ],
    [ 'localhost',            '250 250',  '501 501',  '250 250' ],
    [ 'my_pc.example.com',    '250 250',  '501 501',  '250 250' ],
    [ 'My Printer (2nd)',     '501 501',  '501 501',  '250 250' ],
    [ '[127.0.0]',            '501 501',  '501 501',  '250 250' ],
    [ "\xc3\xa4.example",     '250 501',  '250 501',  '250 501' ],
    [ "\xc3.example",         '501 501',  '501 501',  '501 501' ],
    [ 'x' x 256,              '501 501',  '501 501',  '501 501' ],
    [ '',                     '501 501',  '501 501',  '501 501' ],
) {
    my ($name, @expected) = @$case;

    is_deeply [ map { codes($_, $name) } qw/ lenient strict any / ],
              \@expected, 'EHLO and HELO: "' . substr($name, 0, 20) . '"';
}

connected('strict')->dialogue('the letter of RFC 5321',
    [ 'EHLO localhost', '501 5.5.4 Syntax: EHLO domain' ],
    [ 'MAIL FROM:<>', $first ],
    [ 'HELO client.example.com', '250 mx.example.com' ],
    [ 'HELO localhost', '501 5.5.4 Syntax: HELO domain' ],
    [ 'MAIL FROM:<>', '250 2.1.0 Sender OK' ],
);

# what is no name goes nowhere but into the log

my $c = connected('any');

$c->cmd('EHLO My Printer; (2nd)');
like $c->send_message(), $taken, 'any: a message';
is((received())[0], 'from unknown ([127.0.0.1])', 'any: unknown in Received');
is scalar(grep { /^XCLIENT .* HELO=My\+20Printer;\+20\(2nd\)/ }
          $mta->commands()), 1, 'any: to the next hop it is xtext';
ok !(grep { /^EHLO .*Printer/ } $mta->commands()),
   'any: and not what is said in EHLO there';
ok $t->wait_log(qr/^"My Printer; \(2nd\)" 250 ESMTP$/m, 'any.log'),
   'any: the log has it';

# by default EHLO is a must

$c = connected('lenient');

is $c->cmd($_), $first, "on: $_"
    for 'MAIL FROM:<a@b.example>', 'RCPT TO:<a@b.example>', 'DATA';
is $c->bdat('x', 1), $first, 'on: BDAT';

# else it is as after HELO

$c = connected('off');

like $c->send_message(), $taken, 'off: a message';
is((received())[0], 'from unknown ([127.0.0.1])', 'off: nobody has said a name');
like +($mta->messages())[-1]{data}, qr/^\tby mx\.example\.com with SMTP/m,
     'off: it came by SMTP';
ok $t->wait_log(qr/^"-?" 250 SMTP$/m, 'off.log'), 'off: the log has no name';

$c->dialogue('off: no extensions, and no more than that',
    [ 'MAIL FROM:<a@b.example> SIZE=1',
      '555 5.5.4 Unsupported parameter: SIZE' ],
    [ 'RCPT TO:<a@b.example>', '503 5.5.1 Need MAIL first' ],
    [ 'MAIL FROM:<a@b.example>', '250 2.1.0 Sender OK' ],
    [ 'RCPT TO:<a@b.example>', '250 2.1.5 recipient ok' ],
    [ 'EHLO client.example.com', qr/^250-mx\.example\.com\n/ ],
    [ 'DATA', '503 5.5.1 Need MAIL first' ],
    [ 'MAIL FROM:<a@b.example> SIZE=1', '250 2.1.0 Sender OK' ],
);

$c = connected('off');

is $c->bdat("x\r\n", 1), '503 5.5.1 Send EHLO first', 'off: BDAT needs EHLO';
is $c->cmd('AUTH PLAIN'), '502 5.5.1 Command not implemented',
   'off: there is no AUTH';

is connected('lmtp')->mail('a@b.example'), '503 5.5.1 Send LHLO first',
   'LMTP: LHLO is a must';

# configuration

for my $case ([ 'smtp_helo_syntax none', 'invalid value "none"' ],
              [ 'smtp_helo_required maybe', 'it must be "on" or "off"' ])
{
    like $t->test_conf(<<"EOC"), qr/$case->[1]/, $case->[0];
%%GLOBALS%%

events { }

mail {
    server {
        listen    127.0.0.1:%%PORT_conf%%;
        protocol  smtp_ext;
        $case->[0];
    }
}
EOC
}

like connected('any')->cmd('EHLO a' . ' ' x 300 . 'b'), qr/^501 /,
     'any: spaces count';

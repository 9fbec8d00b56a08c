#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Configurations of submission that are refused, and why; some that are not.

use warnings;
use strict;

use Test::More;
use Test::Nginx::SmtpExt;

my @errors = (
    [ 'smtp_submission maybe;', qr/invalid value "maybe"/ ],
    [ 'smtp_submission on; smtp_submission on;', qr/directive is duplicate/ ],
    [ 'smtp_submission on; smtp_etrn ask;',
      qr/"smtp_etrn" is not for "smtp_submission"/ ],
    [ 'smtp_auth_required maybe;', qr/invalid value "maybe"/ ],
    [ 'smtp_sender_check all;', qr/invalid value "all"/ ],
    [ 'smtp_sender_domain example;',
      qr/a fully qualified domain is expected, not "example"/ ],
    [ 'smtp_sender_domain example.com.;', qr/not "example.com."/ ],
    [ 'smtp_sender_domain @example.com;', qr/not "\@example.com"/ ],
    [ 'smtp_sender_domain "";', qr/not ""/ ],
    [ 'smtp_sender_delimiter ++;', qr/"off" or a character .* not "\+\+"/ ],
    [ 'smtp_sender_delimiter a;', qr/not "a"/ ],
    [ 'smtp_sender_delimiter .;', qr/not "\."/ ],
    [ 'smtp_sender_delimiter @;', qr/not "@"/ ],
    [ 'smtp_sender_delimiter "";', qr/not ""/ ],
    [ 'smtp_qualified_domains some;', qr/invalid value "some"/ ],
    [ 'smtp_from_check all;', qr/invalid value "all"/ ],
    [ 'smtp_header_check some;', qr/invalid value "some"/ ],
    [ 'smtp_header_repair sender;', qr/invalid value "sender"/ ],
    [ 'smtp_header_repair date off;',
      qr/"smtp_header_repair" has "off" and others/ ],
    [ 'smtp_header_fold some;', qr/invalid value "some"/ ],
    [ 'smtp_received_client some;', qr/invalid value "some"/ ],
);

my @good = (
    'smtp_submission on;',
    'smtp_submission on; smtp_etrn off;',
    'smtp_submission off; smtp_etrn ask;',
    'smtp_sender_check listed; smtp_sender_domain any;',
    'smtp_sender_domain none; smtp_sender_delimiter off;',
    'smtp_sender_domain mail.example.com; smtp_sender_delimiter -;',
    'smtp_from_check reject; smtp_header_check on; smtp_header_fold on;',
    'smtp_header_repair date message_id from bcc return_path;',
    'smtp_submission on; smtp_header_repair off; smtp_received_client off;',
);

my $t = Test::Nginx::SmtpExt->new();

plan(tests => @errors + @good + 1);

sub conf {
    my ($mail, $server) = @_;

    return $t->test_conf(<<"EOC");
%%GLOBALS%%

events { }

mail {
    $mail

    server {
        listen     127.0.0.1:%%PORT_smtp%%;
        protocol   smtp_ext;
        smtp_pass  127.0.0.1:25;
        smtp_relay_from  127.0.0.1;
        $server
    }
}
EOC
}

for my $try (@errors) {
    my ($rc, $out) = conf('', $try->[0]);

    ok $rc == 1 && $out =~ $try->[1], "refused: $try->[0]"
        or diag("$rc: $out");
}

for my $try (@good) {
    my ($rc, $out) = conf('', $try);

    is $rc, 0, "taken: $try" or diag($out);
}

my ($rc, $out) = conf('smtp_etrn ask;', 'smtp_submission on;');

is $rc, 0, 'taken: ETRN for others in mail{}' or diag($out);

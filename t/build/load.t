#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# nginx takes the module: a configuration with it is valid, built-in mail
# servers stand beside ours as before, and the order of modules is right.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();
my ($rc, $out);

plan(tests => 8);

sub conf {
    my ($mail) = @_;

    return $t->test_conf(<<"EOF");
%%GLOBALS%%

events { }

mail {
$mail
}
EOF
}

($rc, $out) = conf(<<'EOF');
    server {
        listen    127.0.0.1:%%PORT_a%%;
        protocol  smtp_ext;
    }
EOF

is $rc, 0, 'no auth_http is needed' or diag $out;
unlike $out, qr/\[(?:warn|error|alert|emerg)\]/, 'without a warning';

($rc, $out) = conf(<<'EOF');
    server {
        listen    127.0.0.1:%%PORT_a%%;
        protocol  smtp_ext;
    }

    server {
        listen     127.0.0.1:%%PORT_b%%;
        protocol   smtp;
        auth_http  http://127.0.0.1:1/;
        smtp_auth  plain;
    }

    server {
        listen     127.0.0.1:%%PORT_c%%;
        protocol   imap;
        auth_http  http://127.0.0.1:1/;
        proxy      on;
    }
EOF

is $rc, 0, 'built-in servers beside it' or diag $out;

for my $protocol ('smtp', 'imap') {
    ($rc, $out) = conf(<<"EOF");
    server {
        listen    127.0.0.1:%%PORT_a%%;
        protocol  smtp_ext;
    }

    server {
        listen    127.0.0.1:%%PORT_b%%;
        protocol  $protocol;
    }
EOF

    isnt $rc, 0, "$protocol still needs auth_http";
    like $out, qr/no "auth_http" is defined/, "and says so ($protocol)";
}

# without our protocol nginx does what it did

($rc, $out) = conf(<<'EOF');
    auth_http  http://127.0.0.1:1/;

    server {
        listen    127.0.0.1:%%PORT_b%%;
        protocol  smtp;
    }
EOF

is $rc, 0, 'a configuration without our protocol' or diag $out;

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The mechanism LOGIN.

use warnings;
use strict;

use MIME::Base64 qw/ encode_base64 /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(11);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name  mx.example.com;

    server {
        listen                 127.0.0.1:%%PORT_smtp%%;
        protocol               smtp_ext;
        smtp_max_errors        100;
        smtp_auth_http         http://127.0.0.1:%%PORT_http%%/auth;
        smtp_auth_methods      login;
        smtp_auth_require_tls  off;
    }
}
EOC

my $secret = $t->secret('s3cret-passw0rd');
my $http = $t->http('http', auth => { 'user@example.com' => $secret });

my $user = b64('user@example.com');
my $pass = b64($secret);

my $username = '334 VXNlcm5hbWU6';
my $password = '334 UGFzc3dvcmQ6';

my $ok = '235 2.7.0 Authentication succeeded';
my $bad = '501 5.5.2 Cannot decode authentication response';

sub b64 { encode_base64($_[0], '') }

my $c = $t->connected();

is $c->{ehlo}{AUTH}, 'LOGIN', 'offered';

$c->dialogue('both are asked for',
    [ 'AUTH LOGIN', $username ],
    [ $user, $password ],
    [ $pass, $ok ],
    [ 'AUTH LOGIN', '503 5.5.1 Already authenticated' ],
);

$c = $t->connected();

$c->dialogue('the name comes with AUTH',
    [ "AUTH LOGIN $user", $password ],
    [ $pass, $ok ],
);

is join(' ', map { $_->{headers}{'auth-method'} } $http->requests()),
   'plain plain', 'to the service it is plain';
is(($http->requests())[0]->{headers}{'auth-pass'}, $secret,
   'the password as it is');

$c = $t->connected();

$c->dialogue('empty name',
    [ 'AUTH LOGIN =', $bad ],
    [ 'AUTH LOGIN', $username ],
    [ '', $bad ],
);
$c->dialogue('empty password',
    [ "AUTH LOGIN $user", $password ],
    [ '', $bad ],
);
$c->dialogue('NUL in them',
    [ 'AUTH LOGIN ' . b64("user\0x"), $bad ],
    [ "AUTH LOGIN $user", $password ],
    [ b64("$secret\0"), $bad ],
);
$c->dialogue('cancelled',
    [ 'AUTH LOGIN', $username ],
    [ '*', '501 5.7.0 Authentication cancelled' ],
    [ 'AUTH LOGIN', $username ],
    [ $user, $password ],
    [ '*', '501 5.7.0 Authentication cancelled' ],
    [ 'NOOP', '250 2.0.0 OK' ],
);

is scalar(() = $http->requests()), 2, 'nobody was asked about these';

# both responses at once

$c->cmd('AUTH LOGIN');
$c->pipeline($user, $pass);
is $c->read_reply(),
   '503 5.5.1 Improper use of pipelining, closing connection',
   'the password before its challenge';

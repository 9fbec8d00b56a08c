#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# AUTH and the mechanism PLAIN: RFC 4954, 4 and 5, RFC 4616.

use warnings;
use strict;

use MIME::Base64 qw/ encode_base64 /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(77);

$t->certificate('localhost');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name          mx.example.com;
    smtp_auth_http       http://127.0.0.1:%%PORT_http%%/auth;
    smtp_max_errors      100;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    server {
        listen                  127.0.0.1:%%PORT_smtp%%;
        protocol                smtp_ext;
        smtp_auth_require_tls   off;
        smtp_auth_max_attempts  3;
    }

    server {
        listen    127.0.0.1:%%PORT_tls%%;
        protocol  smtp_ext;
        starttls  on;
    }

    server {
        listen                 127.0.0.1:%%PORT_plain%%;
        protocol               smtp_ext;
        smtp_auth_methods      plain;
        smtp_auth_require_tls  off;
    }

    server {
        listen             127.0.0.1:%%PORT_none%%;
        protocol           smtp_ext;
        smtp_auth_methods  none;
    }
}
EOC

my $secret = $t->secret('s3cret-passw0rd');
my $http = $t->http('http', auth => { 'user@example.com' => $secret });

my $good = b64("\0user\@example.com\0$secret");

my $ok = '235 2.7.0 Authentication succeeded';
my $unavailable = '454 4.7.0 Temporary authentication failure';
my $bad = '501 5.5.2 Cannot decode authentication response';
my $failed = '535 5.7.8 Authentication credentials invalid';
my $pipelined = '503 5.5.1 Improper use of pipelining, closing connection';

sub b64 { encode_base64($_[0], '') }

# what is offered

my $c = $t->connected('smtp');

is $c->{ehlo}{AUTH}, 'PLAIN LOGIN', 'both are offered';
is $t->connected('plain')->{ehlo}{AUTH}, 'PLAIN',
   'what is configured is offered';
ok !exists $t->connected('none')->{ehlo}{AUTH}, 'none is not offered';

$c = $t->connected('tls');

ok !exists $c->{ehlo}{AUTH}, 'not offered before TLS';
is $c->cmd("AUTH PLAIN $good"), '538 5.7.11 Encryption required for requested '
    . 'authentication mechanism', 'not accepted before TLS';
is $c->cmd('MAIL FROM:<a@b.example> AUTH=<>'),
   '555 5.5.4 Unsupported parameter: AUTH', 'nor is the parameter of MAIL';
is $c->starttls(), '220 2.0.0 Ready to start TLS', 'STARTTLS';
is $c->ehlo()->{AUTH}, 'PLAIN LOGIN', 'offered under TLS';
is $c->cmd("AUTH PLAIN $good"), $ok, 'and accepted';
is $c->ehlo()->{AUTH}, 'PLAIN LOGIN', 'offered after a login, for MAIL';

is scalar(() = $http->requests()), 1, 'one request for the accepted one';

# order

$c = $t->client('smtp');
$c->read_reply();

is $c->cmd("AUTH PLAIN $good"), '503 5.5.1 Send EHLO or HELO first',
   'before EHLO';
$c->cmd('HELO client.example.com');
is $c->cmd("AUTH PLAIN $good"), '503 5.5.1 Send EHLO first', 'after HELO';
$c->ehlo();
$c->mail('a@b.example');
is $c->cmd("AUTH PLAIN $good"),
   '503 5.5.1 Not permitted during a mail transaction', 'in a transaction';
$c->cmd('RSET');
is $c->cmd("AUTH PLAIN $good"), $ok, 'initial response';
is $c->cmd("AUTH PLAIN $good"), '503 5.5.1 Already authenticated', 'twice';
is $c->cmd('AUTH PLAIN'), '503 5.5.1 Already authenticated',
   'twice, without a response';

# arguments

$c = $t->connected();

is $c->cmd('AUTH'), '501 5.5.4 Syntax: AUTH mechanism [initial-response]',
   'no mechanism';
is $c->cmd("AUTH PLAIN $good more"),
   '501 5.5.4 Syntax: AUTH mechanism [initial-response]', 'too many words';
is $c->cmd("AUTH GSSAPI $good"),
   '504 5.5.4 Unrecognized authentication mechanism', 'unknown mechanism';
is $c->cmd("AUTH PLAI $good"),
   '504 5.5.4 Unrecognized authentication mechanism', 'part of a name';
is $t->connected('plain')->cmd('AUTH LOGIN'),
   '504 5.5.4 Unrecognized authentication mechanism',
   'a mechanism that is not configured';
is $t->connected('none')->cmd("AUTH PLAIN $good"),
   '502 5.5.1 Command not implemented', 'no AUTH at all';
is $c->cmd("auth plain $good"), $ok, 'lower case';

# without an initial response

$c = $t->connected();

$c->dialogue('challenge is empty',
    [ 'AUTH PLAIN', '334 ' ],
    [ $good, $ok ],
);

$c = $t->connected();

$c->dialogue('cancelled',
    [ 'AUTH PLAIN', '334 ' ],
    [ '*', '501 5.7.0 Authentication cancelled' ],
    [ 'NOOP', '250 2.0.0 OK' ],
    [ 'AUTH PLAIN *', $bad ],
    [ 'AUTH PLAIN', '334 ' ],
    [ '**', $bad ],
    [ "AUTH PLAIN $good", $ok ],
);

# base64, and what is in it

$c = $t->connected();

my $requests = scalar(() = $http->requests());

for my $try (
    [ '=', 'empty initial response' ],
    [ '==', 'padding alone' ],
    [ '====', 'a quantum of padding' ],
    [ '=AAA', 'padding in front' ],
    [ 'AAA=BBB=', 'padding in between' ],
    [ 'AGEAYg==AGEAYg==', 'two of them' ],
    [ 'AGEAYg', 'padding left out' ],
    [ 'AGEAYg=', 'padding in part' ],
    [ 'AGEAYh==', 'bits behind the end' ],
    [ 'AGE-Yg==', 'base64url' ],
    [ 'AGEA!g==', 'not in the alphabet' ],
    [ "AGEA\tYg==", 'tab inside' ],
    [ "AGEA\0Yg==", 'null inside' ],
    [ b64("user\0$secret"), 'one NUL' ],
    [ b64("\0user\0$secret\0"), 'three NULs' ],
    [ b64("\0\0$secret"), 'no user' ],
    [ b64("\0user\0"), 'no password' ],
    [ b64('user'), 'no NUL' ],
) {
    is $c->cmd("AUTH PLAIN $try->[0]"), $bad, $try->[1];
}

$c->dialogue('empty response',
    [ 'AUTH PLAIN', '334 ' ],
    [ '', $bad ],
);
$c->dialogue('"=" is empty only as an initial response',
    [ 'AUTH PLAIN', '334 ' ],
    [ '=', $bad ],
);

is $c->auth_plain('user', 'x' x 1025), $failed, 'a long password';

is scalar(() = $http->requests()), $requests, 'nobody was asked about these';

# authorization identity

$c = $t->connected();

is $c->auth_plain('user@example.com', $secret, 'other@example.com'), $failed,
   'to act for someone else';
is $c->auth_plain("user\@example.com\n", $secret), $failed,
   'control character in the name';
is scalar(() = $http->requests()), $requests, 'nobody was asked about them';
is $c->auth_plain('user@example.com', $secret, 'user@example.com'), $ok,
   'to act for oneself';

# a wrong password; how many of them

$c = $t->connected();

my $wrong = $t->secret('wr0ng-passw0rd');
my $refused = '535 5.7.8 Invalid login or password';

$http->set(auth => {}, default => undef,
           on => { '/auth' => { headers =>
                   [ 'Auth-Status' => 'Invalid login or password' ] } });

is $c->auth_plain('user@example.com', $wrong), $refused, 'wrong password';
like $c->mail('a@b.example'), qr/^250/, 'the session goes on';
$c->cmd('RSET');
is $c->auth_plain('user@example.com', $wrong), $refused, 'the second one';
is $c->auth_plain('user@example.com', $wrong), $refused, 'the third one';
is $c->read_reply(), '421 4.7.0 Too many errors, closing connection',
   'is the last one';
ok $c->eof(), 'closed';

$http->set(on => {}, auth => { 'user@example.com' => $secret });

# lines

$c = $t->connected();

$c->dialogue('the longest response is read',
    [ 'AUTH PLAIN', '334 ' ],
    [ 'A' x 12288, $bad ],
    [ 'NOOP', '250 2.0.0 OK' ],
);
$c->dialogue('one that is too long',
    [ 'AUTH PLAIN', '334 ' ],
    [ 'A' x 12289, '500 5.5.6 Authentication exchange line is too long' ],
    [ 'NOOP', '250 2.0.0 OK' ],
);
$c->dialogue('a bare CR',
    [ 'AUTH PLAIN', '334 ' ],
    [ "$good\r", '500 5.5.2 Bare <CR> in command' ],
    [ 'NOOP', '250 2.0.0 OK' ],
);
$c->dialogue('a bare LF',
    [ 'AUTH PLAIN', '334 ' ],
    [ \"$good\n",
      '500 5.5.2 Bare <LF> in command, closing connection' ],
);
ok $c->eof(), 'closed';

# what comes too early

$c = $t->connected();
$c->pipeline("AUTH PLAIN $good", 'NOOP');
is $c->read_reply(), $pipelined, 'behind AUTH';
ok $c->eof(), 'closed';

$c = $t->connected();
is $c->cmd('AUTH PLAIN'), '334 ', 'challenge';
$c->pipeline($good, 'MAIL FROM:<a@b.example>');
is $c->read_reply(), $pipelined, 'behind a response';
ok $c->eof(), 'closed';

# a response in pieces

$c = $t->connected();
$c->cmd('AUTH PLAIN');
$c->send_raw($_) for split //, $good;
$c->send_raw("\r");
$c->send_raw("\n");
is $c->read_reply(), $ok, 'octet by octet';

# AUTH= of MAIL

for my $try (
    [ '<>', qr/^250 / ],
    [ 'e+3Dmc2@example.com', qr/^250 / ],
    [ 'e=mc2@example.com', qr/^501 5\.5\.4 Bad parameter: syntax/ ],
    [ '+3Da', qr/^501 5\.5\.4 Bad parameter: AUTH/ ],
    [ 'a+0D+0A@example.com', qr/^501 5\.5\.4 Bad parameter: AUTH/ ],
    [ '', qr/^501 5\.5\.4 Bad parameter: syntax/ ],
    [ '+61' x 60 . '@' . 'b' x 60 . '.' . '+63' x 60 . '.example',
      qr/^250 / ],
    [ '+61' x 64 . '@' . ('+62' x 50 . '.') x 2 . 'example',
      qr/^501 5\.5\.4 Bad parameter: AUTH/ ],
) {
    like $c->mail('a@b.example', "AUTH=$try->[0]"), $try->[1],
         "MAIL with AUTH=$try->[0]";
    $c->cmd('RSET');
}

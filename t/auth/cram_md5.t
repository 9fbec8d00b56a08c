#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The mechanism CRAM-MD5, RFC 2195: the service compares.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Sasl qw/ b64 unb64 hmac_md5 /;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(25);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_auth_http   http://127.0.0.1:%%PORT_http%%/auth;
    smtp_max_errors  100;

    smtp_auth_max_attempts  0;

    server {
        listen             127.0.0.1:%%PORT_smtp%%;
        protocol           smtp_ext;
        smtp_auth_methods  plain cram-md5;
    }
}
EOC

my $secret = $t->secret('s3cret-passw0rd');

# the service knows the password, and so the digest

my $http = $t->http('http', default => sub {
    my ($r) = @_;
    my $h = $r->{headers};

    return { headers => [ 'Auth-Status' =>
        $h->{'auth-method'} eq 'cram-md5'
        && $h->{'auth-pass'} eq hmac_md5($secret, $h->{'auth-salt'})
        ? 'OK' : 'Invalid login or password' ] };
});

my $ok = '235 2.7.0 Authentication succeeded';
my $bad = '501 5.5.2 Cannot decode authentication response';
my $refused = '535 5.7.8 Invalid login or password';

sub challenge {
    my ($c) = @_;

    return $c->cmd('AUTH CRAM-MD5') =~ /^334 (\S+)$/ ? unb64($1) : '';
}

# the name and the digest of an answer; what is left out is right

sub login {
    my ($c, $user, $password) = @_;
    my $challenge = challenge($c);

    return $c->cmd(b64("$user " . hmac_md5($password // $secret,
                                           $challenge)));
}


my $c = $t->connected();

is $c->{ehlo}{AUTH}, 'CRAM-MD5', 'it needs no TLS, PLAIN does';
is login($c, 'user@example.com'), $ok, 'login';

my $request = ($http->requests())[-1];

like $request->{raw}, qr/^Auth-Method: \x20 cram-md5\r\n
                         Auth-User: \x20 user\@example\.com\r\n
                         Auth-Pass: \x20 [0-9a-f]{32}\r\n
                         Auth-Salt: \x20 <[0-9a-f]{32}\.\d+\@mx\.example\.com>
                         \r\n Auth-Protocol: \x20 smtp\r\n/mx,
     'the request: as nginx has it';

$c = $t->connected();

my %seen = map { $_ => 1 } map {
    my $challenge = challenge($c);

    $c->cmd('*');
    $challenge;
} 1 .. 20;

is keys %seen, 20, 'each challenge is new';
like +(keys %seen)[0], qr/^<[0-9a-f]{32}\.\d+\@mx\.example\.com>\z/,
     'in the form of a msg-id';

my $requests = () = $http->requests();

$c = $t->connected();

is login($c, 'user@example.com', 'other'), $refused, 'wrong password';
is login($c, 'two words'), $ok, 'a space in a name';

$c = $t->connected();

is $c->cmd('AUTH CRAM-MD5 ' . b64('user ' . '0' x 32)),
   '501 5.7.0 Authentication mechanism has no initial response',
   'an initial response';
is $c->cmd('AUTH CRAM-MD5 ='),
   '501 5.7.0 Authentication mechanism has no initial response',
   'an empty one';

$requests = () = $http->requests();

for my $try (
    [ '', 'nothing' ],
    [ 'user', 'a name alone' ],
    [ '0' x 32, 'a digest alone' ],
    [ ' ' . '0' x 32, 'no name' ],
    [ 'user ' . '0' x 31, 'a digest that is short' ],
    [ 'user' . '0' x 33, 'a digest that is long' ],
    [ 'user ' . 'A' x 32, 'digits in upper case' ],
    [ 'user ' . 'g' x 32, 'no digits' ],
    [ "us\0er " . '0' x 32, 'a NUL in a name' ],
    [ "user\t" . '0' x 32, 'a tab' ],
    [ 'user ' . '0' x 31 . "\r", 'a line end' ],
) {
    $c->cmd('AUTH CRAM-MD5');
    is $c->cmd(b64($try->[0])), $bad, $try->[1];
}

is $c->cmd('AUTH CRAM-MD5') =~ /^334 / && $c->cmd('!'), $bad, 'not base64';
is scalar(() = $http->requests()), $requests, 'nobody was asked about these';

$c->cmd('AUTH CRAM-MD5');
is $c->cmd(b64("us\ner " . '0' x 32)),
   '535 5.7.8 Authentication credentials invalid', 'a line end in a name';

is login($c, 'x' x 510), $ok, 'a long name';
$c = $t->connected();
is login($c, 'x' x 511), '535 5.7.8 Authentication credentials invalid',
   'a longer one';

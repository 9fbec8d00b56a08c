#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# AUTH at the next hop: whose login, by which mechanism, over which
# connection, what becomes of a refusal; AUTH= of MAIL.  RFC 4954, 4, 5 and 6;
# RFC 4616, 2195, 7628.

use warnings;
use strict;

use MIME::Base64 qw/ encode_base64 /;
use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new();
my $dir = $t->testdir();
my $ms = scaled(1500);

$t->certificate('ca', is_ca => 1);
$t->certificate('next', ca => 'ca', san => [ 'IP:127.0.0.1' ]);

# what must not be in a log, in any encoding

my %secret = map { $_ => $t->secret("s3cret-$_") }
             qw/ own alice bob back token short /;

$secret{long} = $t->secret('t0ken' . 'k' x 7990);
$secret{over} = 't0ken' . 'k' x 8000;

$t->write_file('own', "$secret{own}\nwhat follows is nothing\n");
$t->write_file('wrong', "wrong\r\n");
$t->write_file('token', $secret{token});
$t->write_file('long', "$secret{long}\n");
$t->write_file('empty', "\n$secret{own}\n");
$t->write_file('over', "$secret{over}\n");
$t->write_file('null', "a\0b\n");
$t->write_file('space', "a b\n");

my %users = (
    'own@example.com' => $secret{own},
    'alice@example.com' => $secret{alice},
    'bob@example.com' => $secret{bob},
    'backend' => $secret{back},
    'a=b,c@example.com' => $secret{token},
    'token@example.com' => $secret{token},
    'long@example.com' => $secret{long},
);

my $tls = { cert => "$dir/next.crt", key => "$dir/next.key" };
my @ext = qw/ PIPELINING 8BITMIME /;

my $first = $t->server('first', starttls => $tls, auth => \%users,
                       ehlo => \@ext);
my $second = $t->server('second', starttls => $tls, auth => \%users);
my $unix = $t->server('unix:next.sock', auth => \%users);

# the auth service: bob is somebody else at the next hop, carol has a token

my $http = $t->http('http', on => { '/auth' => sub {
    my ($r) = @_;
    my ($user, $pass) = map { $r->{headers}{$_} // '' }
                        qw/ auth-user auth-pass /;
    my ($name) = $user =~ /^(\w+)/;
    my %answer = (
        alice => [],
        bob => [ 'Auth-User' => 'backend', 'Auth-Pass' => $secret{back} ],
        carol => [ 'Auth-User' => 'token@example.com',
                   'Auth-Token' => $secret{token} ],
        both => [ 'Auth-Pass' => $secret{back},
                  'Auth-Token' => $secret{token} ],
        cut => [ 'Auth-Token' => 'a b' ],
        huge => [ 'Auth-Pass' => 'x' x 1025 ],
    );

    # there is but one with CRAM-MD5

    $pass = $secret{short} if $user =~ /^dave/;

    return { status => 200, headers => [
        $name && $pass eq ($name =~ /^(?:alice|bob)$/ ? $secret{$name}
                                                     : $secret{short})
            ? ('Auth-Status' => 'OK', @{$answer{$name} || []})
            : ('Auth-Status' => 'no') ] };
} });

my $own = "smtp_pass_auth own; smtp_pass_auth_user own\@example.com;\n"
          . "smtp_pass_auth_password_file own;\n";
my $token = "smtp_pass_auth own; smtp_pass_auth_user a=b,c\@example.com;\n"
            . "smtp_pass_auth_token_file token;\n";
my $verified = "smtp_pass_tls required;\n"
               . "smtp_pass_ssl_trusted_certificate ca.crt;\n";
my $none = "smtp_pass_auth_security none; smtp_pass_tls off;\n";

# what each server{} says

my %servers = (
    own => "$own $none",
    plain => "$own $none smtp_pass_auth_methods plain;",
    login => "$own $none smtp_pass_auth_methods login;",
    cram => "$own $none smtp_pass_auth_methods cram-md5;",
    xoauth2 => "$token $none smtp_pass_auth_methods xoauth2;",
    oauthbearer => "$token $none smtp_pass_auth_methods oauthbearer;",
    token => "$token $none",
    long => "smtp_pass_auth own; smtp_pass_auth_user long\@example.com;
             smtp_pass_auth_token_file long; $none",
    wrong => "smtp_pass_auth own; smtp_pass_auth_user own\@example.com;
              smtp_pass_auth_password_file wrong; $none",
    wrong_token => "smtp_pass_auth own; smtp_pass_auth_user own\@example.com;
                    smtp_pass_auth_token_file wrong; $none",
    clear => "$own smtp_pass_tls off;",
    unverified => "$own smtp_pass_tls required;",
    unverified_tls => "$own smtp_pass_tls required;
                       smtp_pass_auth_security tls;",
    clear_tls => "$own smtp_pass_tls off; smtp_pass_auth_security tls;",
    verified => "$own $verified",
    unix => "$own smtp_pass unix:%%TESTDIR%%/next.sock;",
    both => "$own $none smtp_pass both;",
    two => "$own $none smtp_pass two;",
    wrong_both => "smtp_pass_auth own; smtp_pass_auth_user own\@example.com;
                   smtp_pass_auth_password_file wrong; $none
                   smtp_pass both;",
    client => "smtp_pass_auth client; $none smtp_pass kept;
               smtp_auth_http http://127.0.0.1:%%PORT_http%%/auth;
               smtp_auth_methods plain login cram-md5;
               smtp_auth_require_tls off;",
    client_off => "smtp_auth_http http://127.0.0.1:%%PORT_http%%/auth;
                   smtp_auth_require_tls off; smtp_pass_tls off;
                   smtp_pass kept;",
    own_kept => "$own $none smtp_pass kept;",
);

my $blocks = '';

for my $name (sort keys %servers) {
    my $pass = $servers{$name} =~ /smtp_pass / ? '' : 'smtp_pass  first;';

    $blocks .= <<"EOC";
    server {
        listen           127.0.0.1:%%PORT_$name%%;
        protocol         smtp_ext;
        $pass
        $servers{$name}
    }
EOC
}

$t->write_conf(<<"EOC");
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass_mode   buffered;

    smtp_pass_connect_timeout   ${ms}ms;
    smtp_pass_greeting_timeout  ${ms}ms;

    smtp_upstream first {
        server     127.0.0.1:%%PORT_first%%  max_fails=0;
        keepalive  0;
    }

    smtp_upstream both {
        server     127.0.0.1:%%PORT_first%%  fail_timeout=1h;
        server     127.0.0.1:%%PORT_second%%  backup;
        keepalive  0;
    }

    smtp_upstream two {
        server     127.0.0.1:%%PORT_first%%  max_fails=0;
        server     127.0.0.1:%%PORT_second%%  max_fails=0  backup;
        keepalive  0;
    }

    smtp_upstream kept {
        server  127.0.0.1:%%PORT_first%%  max_fails=0;
    }

$blocks
}
EOC

my $taken = '250 2.0.0 OK';
my $refused = '451 4.7.0 Cannot log in to the destination server';
my %mark;

sub b64 { encode_base64($_[0], '') }

sub client {
    my ($port, $user, $pass) = @_;

    my $c = $t->client($port, timeout => 15);

    $c->read_reply();
    $c->ehlo();
    $c->auth_plain($user, $pass) if defined $user;

    return $c;
}

sub send_one {
    my ($port, $user, $pass, %o) = @_;

    my $c = client($port, $user, $pass);
    my $reply = $c->send_message(%o) =~ s/ id=.*//r;

    $c->quit();

    return $reply;
}

sub prepare {
    my (%o) = @_;

    $first->set(on => undef, fault => undef, auth_mechs => undef, %o);
    $mark{$_} = $_->connections() for $first, $second;
    $mark{log} = length $t->read_file('error.log');
}

sub logged {
    return substr($t->read_file('error.log'), $mark{log})
           =~ s/^.* \[debug\] .*\n//mgr;
}

# all lines that the first server was told, since prepare()

sub said {
    return join ' | ', map { $first->commands($_) }
                       $mark{$first} + 1 .. $first->connections();
}

sub verbs { join ' ', map { /^(\w+)/ } split / \| /, said() }

$t->plan(231)->run();

# mechanisms

my $plain = b64("\0own\@example.com\0$secret{own}");
my $challenge = b64('<1896.697170952@next.example>');
my $bearer = b64("n,a=a=3Db=2Cc\@example.com,\1host=127.0.0.1\1port="
                 . $t->port('first') . "\1auth=Bearer $secret{token}\1\1");
my $xoauth2 = b64("user=a=b,c\@example.com\1auth=Bearer $secret{token}\1\1");
my $tail = 'MAIL FROM:<sender@example.com> AUTH=<> | '
           . 'RCPT TO:<rcpt@example.com> | DATA | QUIT';

for (
    [ plain => 'LOGIN PLAIN CRAM-MD5', "AUTH PLAIN $plain" ],
    [ login => 'LOGIN PLAIN CRAM-MD5', 'AUTH LOGIN',
      b64('own@example.com'), b64($secret{own}) ],
    [ cram => 'LOGIN PLAIN CRAM-MD5', 'AUTH CRAM-MD5', qr/\S{64,}/ ],
    [ xoauth2 => 'PLAIN XOAUTH2 OAUTHBEARER', "AUTH XOAUTH2 $xoauth2" ],
    [ oauthbearer => 'PLAIN XOAUTH2 OAUTHBEARER',
      "AUTH OAUTHBEARER $bearer" ],

    # the server's choice

    [ own => 'LOGIN CRAM-MD5 PLAIN', "AUTH PLAIN $plain" ],
    [ own => 'LOGIN CRAM-MD5', 'AUTH CRAM-MD5', qr/\S{64,}/ ],
    [ own => 'login GSSAPI', 'AUTH LOGIN', b64('own@example.com'),
      b64($secret{own}) ],
    [ token => 'PLAIN XOAUTH2', "AUTH XOAUTH2 $xoauth2" ],
    [ token => 'PLAIN XOAUTH2 OAUTHBEARER', "AUTH OAUTHBEARER $bearer" ],
) {
    my ($port, $mechs, @lines) = @$_;

    prepare(auth_mechs => $mechs);
    is send_one($port), $taken, "$port of $mechs: taken";

    my $lines = join ' \| ', map { ref $_ ? $_ : "\Q$_\E" } @lines;

    like said(), qr/\AEHLO mx\.example\.com \| $lines \| \Q$tail\E\z/,
         'what was said';
    is(($first->events('auth'))[-1]{ok}, 1, 'logged in');
}

# RFC 4954, 4: what is longer than a command may be does not go with it

prepare(auth_mechs => 'XOAUTH2');
is send_one('long'), $taken, 'a long token: taken';
like said(), qr/\| AUTH XOAUTH2 \| \S{10000,} \| MAIL/, 'in a line of its own';

# what is not offered, or not allowed

for (
    [ plain => 'LOGIN CRAM-MD5' ],
    [ own => 'XOAUTH2 OAUTHBEARER' ],
    [ own => 'GSSAPI' ],
    [ token => 'PLAIN LOGIN CRAM-MD5' ],
    [ clear => 'PLAIN LOGIN', ' on a connection that is not safe' ],
    [ clear_tls => 'PLAIN LOGIN', ' on a connection that is not safe' ],
    [ unverified => 'PLAIN LOGIN', ' on a connection that is not safe' ],
) {
    my ($port, $mechs, $why) = @$_;

    prepare(auth_mechs => $mechs);
    is send_one($port), $refused, "$port of $mechs: refused";
    unlike said(), qr/AUTH|MAIL/, 'nothing was said';
    like logged(),
         qr/\[error\] .*upstream offers no AUTH that may be used\Q@{[ $why || '' ]}\E while/,
         'the log says why';
}

$first->set(auth => undef);
prepare();
is send_one('own'), $refused, 'no AUTH: refused';
is verbs(), 'EHLO', 'nothing was said';
$first->set(auth => \%users);

for (
    [ clear => 'PLAIN LOGIN CRAM-MD5' => 'CRAM-MD5' ],
    [ unverified_tls => 'PLAIN' => 'PLAIN' ],
    [ verified => 'PLAIN' => 'PLAIN' ],
) {
    my ($port, $mechs, $mech) = @$_;

    prepare(auth_mechs => $mechs);
    is send_one($port), $taken, "$port: taken";
    is(($first->events('auth'))[-1]{mech}, $mech, "by $mech");
}

is send_one('unix'), $taken, 'a unix socket: taken';
is(($unix->events('auth'))[-1]{mech}, 'PLAIN', 'it leads nowhere else');

# refusals

for my $reply ('535 5.7.8 no', '534 5.7.9 too weak', '538 5.7.11 no TLS',
               '500 5.5.6 too long', '504 5.5.4 unknown', '554 5.7.0 no')
{
    prepare(on => { AUTH => $reply });
    is send_one('both'), $refused, "$reply: refused";
    is verbs(), 'EHLO AUTH', 'nothing was said';
    is $second->connections(), $mark{$second}, 'no other server is asked';
    like logged(), qr/\[error\] .*upstream said to AUTH PLAIN: "\d+ [^"]*" while logging in to upstream/,
         'the log says why';
}

prepare();
is send_one('wrong_both'), $refused, 'a wrong password: refused';
is $second->connections(), $mark{$second}, 'no other server is asked';
is send_one('both'), $taken, 'and the server is not taken to be down';
is $second->connections(), $mark{$second}, 'it is the first';

for my $mech (qw/ XOAUTH2 OAUTHBEARER /) {
    prepare(auth_mechs => $mech);
    is send_one('wrong_token'), $refused, "a wrong token, $mech: refused";
    like said(), $mech eq 'XOAUTH2' ? qr/\| AUTH XOAUTH2 \S+ \| \z/
                                    : qr/\| AUTH OAUTHBEARER \S+ \| AQ==\z/,
         'the reason is confirmed';
    like logged(), qr/upstream said to AUTH $mech: "535 no"/,
         'the log has the reply';
}

# failures of a server: another one is asked

my @bad = ([ 'close' ], [ 'reset' ], [ 'half' ], [ 'stall' ], [ 'silent' ],
           [ 'garbage' ],
           [ 'garbage', data => "250-more\r\n" x 20000 ]);

for my $at (qw/ AUTH AUTH_STEP /) {
    for (@bad, [ 'garbage', data => "354 go on\r\n" ],
         [ 'garbage', data => "250 2.0.0 ok\r\n" ],
         [ 'garbage', data => "334 \@\@\@\r\n" ],
         [ 'garbage', data => "334 " . 'QUFB' x 300 . "\r\n" ],
         [ 'garbage', data => "334 \r\n334 \r\n" ],
         [ 'garbage', data => "421 4.3.2 bye\r\n" ],
         [ 'garbage', data => "454 4.7.0 later\r\n" ])
    {
        my ($do, %o) = @$_;

        prepare(auth_mechs => $at eq 'AUTH' ? 'PLAIN' : 'CRAM-MD5',
                fault => { at => $at, do => $do, %o });
        is send_one('two'), $taken,
           "$at: $do" . ($o{data} ? " $o{data}" =~ s/\W+/ /gr =~ s/^(.{10}).*/$1/r : '')
           . ': taken';
        is $second->connections(), $mark{$second} + 1, 'by the other one';
        is verbs() =~ s/ \w{50,}//r, 'EHLO AUTH', 'nothing else was said';
    }
}

# RFC 4954, 4: a challenge that makes no sense is cancelled

prepare(auth_mechs => 'CRAM-MD5', on => { AUTH_STEP => '334 @@@' });
is send_one('two'), $taken, 'a bad challenge: taken';
is said(), 'EHLO mx.example.com | AUTH CRAM-MD5 | *', 'after it is cancelled';
prepare(auth_mechs => 'PLAIN', on => { AUTH => '334 ' });
is send_one('two'), $taken, 'a challenge too many: taken';
like said(), qr/\AEHLO mx\.example\.com \| AUTH PLAIN \S+ \| \*\z/,
     'after it is cancelled';

# the client's login

my $alice = 'alice@example.com';

prepare();
is send_one('client', $alice, $secret{alice}), $taken, 'alice: taken';
is_deeply [ @{($first->events('auth'))[-1]}{qw/ mech user secret ok /} ],
          [ 'PLAIN', $alice, $secret{alice}, 1 ], 'as alice';
is $first->connections(), $mark{$first} + 1, 'on a connection';
is send_one('client', $alice, $secret{alice}), $taken, 'alice: taken again';
is $first->connections(), $mark{$first} + 1, 'on the same connection';

is send_one('client', 'bob@example.com', $secret{bob}), $taken, 'bob: taken';
is_deeply [ @{($first->events('auth'))[-1]}{qw/ mech user secret ok /} ],
          [ 'PLAIN', 'backend', $secret{back}, 1 ],
          'as who the service says that he is';
is $first->connections(), $mark{$first} + 2, 'on a connection of his own';

is send_one('client', 'carol@example.com', $secret{short}), $taken,
   'carol: taken';
is_deeply [ @{($first->events('auth'))[-1]}{qw/ mech user secret ok /} ],
          [ 'XOAUTH2', 'token@example.com', $secret{token}, 1 ],
          'with the token of the service';

is send_one('client'), $taken, 'nobody: taken';
is $first->connections(), $mark{$first} + 4, 'on a connection of its own';
is scalar(() = $first->commands($first->connections()) =~ /AUTH/), 0,
   'without a login';
is send_one('own_kept'), $taken, 'our own login: taken';
is(($first->events('auth'))[-1]{user}, 'own@example.com', 'as ourselves');
is send_one('client_off', $alice, $secret{alice}), $taken,
   'alice, where nobody logs in to next hops: taken';
is $first->connections(), $mark{$first} + 5, 'on that of nobody';
is send_one('client', $alice, $secret{alice}), $taken, 'alice: and again';
is $first->connections(), $mark{$first} + 5, 'on the one of alice';

# what the client has proved its password with is no password

for my $name (qw/ dave /) {
    my $c = client('client');

    prepare();

    my ($challenge_text) = $c->cmd('AUTH CRAM-MD5') =~ /^334 (\S+)/;

    require Digest::MD5;
    $c->cmd(b64("dave\@example.com "
                . Test::Nginx::SmtpExt::Server::_hmac_md5(
                    MIME::Base64::decode_base64($challenge_text), 'x')));
    is $c->last_reply(), '235 2.7.0 Authentication succeeded', 'CRAM-MD5';
    is $c->send_message(), $refused, 'no password to log in with: refused';
    like logged(), qr/client has logged in without anything that could be used/,
         'the log says why';
    $c->quit();
}

# bad answers of the service

for my $name (qw/ both cut huge /) {
    my $c = $t->client('client');

    $c->read_reply();
    $c->ehlo();
    is $c->auth_plain("$name\@example.com", $secret{short}),
       '454 4.7.0 Temporary authentication failure', "$name: no answer";
    $c->quit();
}

# MAIL's parameter: to whom we have logged in, of whom has logged in

for (
    [ client => $alice, ' AUTH=other+2Buser@example.com',
      'AUTH=other+2Buser@example.com' ],
    [ client => $alice, ' AUTH=<>', 'AUTH=<>' ],
    [ client => $alice, '', 'AUTH=<>' ],
    [ client => undef, ' AUTH=other@example.com', '' ],
    [ client_off => $alice, ' AUTH=other@example.com', '' ],
    [ own_kept => undef, '', 'AUTH=<>' ],
) {
    my ($port, $user, $param, $expected) = @$_;
    my $c = client($port, $user, $secret{alice});

    $c->cmd("MAIL FROM:<a\@example.com>$param");
    $c->rcpt('b@example.com');
    $c->data("x\r\n");
    $c->quit();
    is(($first->messages())[-1]{from_params} =~ s/\bSIZE=\d+ ?//r, $expected,
       "$port: " . ($param || 'no parameter'));
}

# configuration

for (
    [ 'smtp_pass_auth on;', qr/invalid value "on"/ ],
    [ 'smtp_pass_auth own;', qr/"smtp_pass_auth own" needs/ ],
    [ 'smtp_pass_auth own; smtp_pass_auth_user a;',
      qr/"smtp_pass_auth own" needs/ ],
    [ 'smtp_pass_auth own; smtp_pass_auth_password_file own;',
      qr/"smtp_pass_auth own" needs/ ],
    [ 'smtp_pass_auth_password_file own; smtp_pass_auth_token_file token;',
      qr/is duplicate, or both/ ],
    [ 'smtp_pass_auth_password_file none;', qr/open\(\) ".*none" failed/ ],
    [ 'smtp_pass_auth_password_file .;', qr/read\(\) ".*" failed/ ],
    [ 'smtp_pass_auth_password_file empty;', qr/no password of at most/ ],
    [ 'smtp_pass_auth_password_file null;', qr/no password of at most/ ],
    [ 'smtp_pass_auth_password_file space;', '' ],
    [ 'smtp_pass_auth_token_file space;', qr/no token of at most/ ],
    [ 'smtp_pass_auth_token_file over;', qr/no token of at most/ ],
    [ 'smtp_pass_auth_token_file long;', '' ],
    [ 'smtp_pass_auth_methods digest-md5;', qr/invalid value "digest-md5"/ ],
    [ 'smtp_pass_auth_security on;', qr/invalid value "on"/ ],
) {
    my ($directives, $error) = @$_;
    my ($code, $out) = $t->test_conf(<<"EOC");
%%GLOBALS%%
events { }
mail {
    server { listen 127.0.0.1:%%PORT_own%%; protocol smtp_ext;
             $directives smtp_pass 127.0.0.1:25; }
}
EOC

    $error ? like($out, $error, $directives) : is($code, 0, $directives);
}

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# SCRAM-SHA-1 and SCRAM-SHA-256, RFC 5802 and 7677: the service gives the keys
# of a user, the proof is checked by us, and nobody learns who is a user.

use warnings;
use strict;

use Encode qw/ encode_utf8 /;
use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Sasl qw/ b64 unb64 scram scram_headers /;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(125);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name        mx.example.com;
    smtp_auth_http     http://127.0.0.1:%%PORT_http%%/auth;
    smtp_auth_methods  plain scram-sha-1 scram-sha-256;
    smtp_max_errors    100;
    smtp_http_breaker  off;

    smtp_auth_max_attempts  0;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }

    server {
        listen                      127.0.0.1:%%PORT_one%%;
        protocol                    smtp_ext;
        smtp_auth_scram_secret      "the same everywhere";
        smtp_auth_scram_iterations  10000;
    }

    server {
        listen                  127.0.0.1:%%PORT_two%%;
        protocol                smtp_ext;
        smtp_auth_scram_secret  "the same everywhere";
        smtp_auth_max_attempts  2;
    }
}
EOC

my $secret = $t->secret('s3cret-passw0rd');
my $user = 'user@example.com';
my $ok = '235 2.7.0 Authentication succeeded';
my $failed = '535 5.7.8 Authentication credentials invalid';
my $bad = '501 5.5.2 Cannot decode authentication response';
my $unavailable = '454 4.7.0 Temporary authentication failure';

my %keys = map { $_ => { scram_headers($_, $secret) } }
           qw/ scram-sha-1 scram-sha-256 /;

$t->secret(map { @$_{qw/ Auth-Scram-Stored-Key Auth-Scram-Server-Key /} }
           values %keys);

# what the service says of whom, with the keys of $secret

my %users = (
    $user => [ 'Auth-Status' => 'OK' ],
    'a=b,c' => [ 'Auth-Status' => 'OK', 'Auth-User' => 'other' ],
    'Ia' => [ 'Auth-Status' => 'OK', 'Auth-User' => 'prepared' ],
    'locked' => [ 'Auth-Status' => 'Account is locked',
                  'Auth-Error-Code' => '535 5.7.13' ],
);

sub answer {
    my ($r) = @_;
    my $h = $r->{headers};
    my $name = $h->{'auth-user'} =~ s/%([0-9A-F]{2})/chr hex $1/ger;
    my $keys = $keys{$h->{'auth-method'}};

    return { headers => [ 'Auth-Status' => 'No such user, whoever asks' ] }
        unless $users{$name} && $keys;

    return { headers => [ @{$users{$name}}, %$keys ] };
}

my $http = $t->http('http', default => \&answer);

# a whole exchange on a new connection

sub login {
    my ($mech, %o) = @_;

    return scram($t->connected($o{to}), $mech, user => $user,
                 password => $secret, %o);
}

sub reply { login(@_)->{reply} }


# what it is

my $c = $t->connected();

is $c->{ehlo}{AUTH}, 'SCRAM-SHA-1 SCRAM-SHA-256', 'offered without TLS';

for my $mech (qw/ SCRAM-SHA-1 SCRAM-SHA-256 /) {
    my $r = login($mech);

    is $r->{reply}, $ok, "$mech: login";
    ok $r->{verified}, "$mech: the server has shown that it knows the user";
    like $r->{server_first}, qr!^r=[A-Z]{24}[0-9A-Za-z+/]{24},
                                 s=c2l4dGVlbiBvY3RldHMhIQ==,i=4096\z!x,
         "$mech: server-first-message";
}

is(($http->requests())[-1]{raw} =~ s/\r//gr, <<"EOF", 'the request');
GET /auth HTTP/1.1
Host: 127.0.0.1:${\ $t->port('http')}
Auth-Method: scram-sha-256
Auth-User: $user
Auth-Protocol: smtp
Auth-Login-Attempt: 1
Client-IP: 127.0.0.1
Client-Host: [UNAVAILABLE]

EOF

is reply('scram-sha-256', initial => 0), $ok, 'without an initial response';

# a wrong password: the same messages, another end

my $r = login('SCRAM-SHA-256', password => 'other');

is $r->{reply}, $failed, 'wrong password';
ok !defined $r->{server_final}, 'nothing is shown to who has not proved it';
is reply('SCRAM-SHA-256', user => 'USER@example.com'), $failed,
   'another name';

# who is there can't be found out

for my $mech (qw/ SCRAM-SHA-1 SCRAM-SHA-256 /) {
    my ($x, $y, $z) = map { login($mech, user => $_) }
                      qw/ nobody nobody somebody /;

    is $_->{reply}, $failed, "$mech: unknown user" for $x, $z;

    my ($salt) = $x->{server_first} =~ m!,s=([0-9A-Za-z+/]{22}==),i=4096\z!;

    ok defined $salt, "$mech: has a salt as others";
    like $y->{server_first}, qr/,s=\Q$salt\E,/, "$mech: always the same";
    unlike $z->{server_first}, qr/,s=\Q$salt\E,/,
           "$mech: which others do not have";
}

# "salt,i=count"

sub salt {
    my ($to, $name, $mech) = @_;

    return login($mech || 'SCRAM-SHA-256', to => $to, user => $name)
        ->{server_first} =~ /,s=(\S+)$/ ? $1 : '';
}

my $salt = salt('smtp', 'nobody') =~ s/,.*//r;

is salt('smtp', 'NOBODY') =~ s/,.*//r, $salt, 'names in any case';
isnt salt('smtp', 'nobody', 'SCRAM-SHA-1') =~ s/,.*//r, $salt,
     'salts of the two mechanisms differ';

my ($one, $i) = split /,i=/, salt('one', 'nobody');

is $i, 10000, 'the iterations are what others have';
is salt('two', 'nobody') =~ s/,.*//r, $one, 'a secret makes the salts';
isnt $one, $salt, 'another one others';

$t->reload();
$t->wait_workers(1);
is salt('smtp', 'nobody') =~ s/,.*//r, $salt, 'they outlive a reload';

is reply('SCRAM-SHA-256', user => 'locked'), '535 5.7.13 Account is locked',
   'who has the password is told why not';
is reply('SCRAM-SHA-256', user => 'locked', password => 'other'), $failed,
   'and nobody else';

# what a service that has salts for all may say

$http->set(on => { '/auth' => { headers => [
    'Auth-Status' => 'no', 'Auth-Scram-Salt' => b64('salt by service'),
    'Auth-Scram-Iterations' => 5000 ] } });

$r = login('SCRAM-SHA-256');
like $r->{server_first}, qr/,s=c2FsdCBieSBzZXJ2aWNl,i=5000\z/,
     'a salt of the service';
is $r->{reply}, $failed, 'of someone unknown';

$http->set(on => { '/auth' => { headers => [ 'Auth-Status' => 'later',
                                     'Auth-Error-Code' => '454 4.3.0' ] } });
is reply('SCRAM-SHA-256'), '454 4.3.0 later', 'the service can not say';

# keys that are none

my %good = %{$keys{'scram-sha-256'}};

for my $try (
    [ {}, 'as they should be' ],
    [ { map { $_ => undef } keys %good }, 'none of them' ],
    (map { [ { $_ => undef }, "no $_" ] } sort keys %good),
    [ { 'Auth-Scram-Iterations' => 4095 }, 'few iterations' ],
    [ { 'Auth-Scram-Iterations' => 10_000_001 }, 'many iterations' ],
    [ { 'Auth-Scram-Iterations' => '4096x' }, 'no number' ],
    [ { 'Auth-Scram-Salt' => 'AB' }, 'no base64' ],
    [ { 'Auth-Scram-Salt' => b64('x' x 65) }, 'a long salt' ],
    [ { 'Auth-Scram-Stored-Key' => b64('x' x 31) }, 'a short key' ],
    [ { 'Auth-Scram-Server-Key' => b64('x' x 33) }, 'a long key' ],
    [ $keys{'scram-sha-1'}, 'those of the other mechanism' ],
) {
    my %h = (%good, %{$try->[0]});

    $http->set(on => { '/auth' => { headers => [
        'Auth-Status' => 'OK',
        map { defined $h{$_} ? ($_ => $h{$_}) : () } sort keys %h ] } });

    is reply('SCRAM-SHA-256'), $try->[1] =~ /should/ ? $ok : $unavailable,
       "keys: $try->[1]";
}

$http->set(on => { '/auth' => { headers => [ 'Auth-Status' => 'no',
    'Auth-Scram-Salt' => $good{'Auth-Scram-Salt'} ] } });
is reply('SCRAM-SHA-256'), $unavailable, 'half of them, with a refusal';

$http->set(on => { '/auth' => { headers => [ 'Auth-Status' => 'OK', %good ] } });

# names

is reply('SCRAM-SHA-256', user => 'x' x 510), $ok, 'a long name';
is reply('SCRAM-SHA-256', user => 'x' x 511), $failed, 'one that is longer';
is reply('SCRAM-SHA-256', user => "a\tb"), $failed, 'a control character';
is reply('SCRAM-SHA-256', name => 'a=2cb'), $bad, 'no escape';
is reply('SCRAM-SHA-256', user => "\xc3"), $bad, 'not UTF-8';

$http->set(on => {});

is reply('SCRAM-SHA-256', user => 'a=b,c'), $ok, 'escapes';
ok $t->wait_log(qr/client\ logged\ in,\ mechanism:\ SCRAM-SHA-256,
                   \ user:\ "other"/x), 'the name that the service gave';

# RFC 4013: the examples of section 3, and each table of RFC 3454 that prohibits
# or changes something; undef is a refusal, of which nobody is asked

my @prepared = (
    [ 'example 1: U+00AD is nothing', "I\x{ad}X", 'IX' ],
    [ 'example 2', 'user', 'user' ],
    [ 'example 3: letters stay as they are', 'USER', 'USER' ],
    [ 'example 4: NFKC, "a"', "\x{aa}", 'a' ],
    [ 'example 5: NFKC, "IX"', "\x{2168}", 'IX' ],
    [ 'example 6: a control character', "\x07", undef ],
    [ 'example 7: digits behind Arabic letters', "\x{627}1", undef ],
    [ 'which may be between them', "\x{627}1\x{628}", "\x{627}1\x{628}" ],
    [ 'B.1: nothing is left', "\x{ad}", undef ],
    [ 'C.1.2: another space is one', "a\x{a0}b", 'a b' ],
    [ 'NFKC: composed', "e\x{301}", "\x{e9}" ],
    [ 'NFKC: wide letters', "\x{ff41}\x{ff42}", 'ab' ],
    [ 'C.2.1 behind others', "\x{e9}\x07", undef ],
    [ 'C.2.1: DEL', "\x{e9}\x7f", undef ],
    [ 'C.2.2', "a\x{80}", undef ],
    [ 'C.3: private', "a\x{e000}", undef ],
    [ 'C.4: no character', "a\x{fdd0}", undef ],
    [ 'C.6: not for plain text', "a\x{fff9}", undef ],
    [ 'C.7: descriptions', "a\x{2ff0}", undef ],
    [ 'C.8: of display', "a\x{200e}", undef ],
    [ 'C.9: tags', "a\x{e0001}", undef ],
    [ 'not assigned in Unicode 3.2: as a query', "a\x{221}", "a\x{221}" ],
    [ '18 for one', "\x{fdfa}", "\x{635}\x{644}\x{649} \x{627}\x{644}\x{644}"
      . "\x{647} \x{639}\x{644}\x{64a}\x{647} \x{648}\x{633}\x{644}\x{645}" ],
);

SKIP: {
    skip 'built without libidn', 2 * @prepared + 3
        unless $t->read_file(($t->modules())[-1] || $t->binary())
               =~ /stringprep/;

    is reply('SCRAM-SHA-256', user => encode_utf8("I\x{aa}")), $ok,
       'a character that stands for another';
    ok $t->wait_log(qr/user: "prepared"/), 'it was asked for the other';

    $http->set(on => { '/auth' => { headers => [ 'Auth-Status' => 'OK',
                                                 %good ] } });

    for my $try (@prepared) {
        my ($name, $in, $out) = @$try;
        my $asked = () = $http->requests();

        is reply('SCRAM-SHA-256', user => encode_utf8($in)),
           defined $out ? $ok : $failed, $name;

        my @requests = $http->requests();

        is +(map { $_->{headers}{'auth-user'} } @requests[$asked .. $#requests])[0],
           defined $out ? encode_utf8($out) =~ s/ /%20/gr : undef,
           defined $out ? "$name: who is asked about" : "$name: nobody";
    }

    is reply('SCRAM-SHA-256', gs2 => 'n,a=' . encode_utf8("I\x{ad}X") . ',',
             user => 'IX'), $ok, 'an authzid is prepared as well';

    $http->set(on => {});
}

# C.5: no UTF-8

is reply('SCRAM-SHA-256', user => "\xed\xa0\x80"), $bad, 'a surrogate';

# for whom

is reply('SCRAM-SHA-256', gs2 => "n,a=$user,"), $ok, 'to act for oneself';
is reply('SCRAM-SHA-256', gs2 => 'n,a=other,'), $failed,
   'to act for someone else';

# flags of channel binding, where there is none

is reply('SCRAM-SHA-256', gs2 => 'y,,'), $ok, 'a client that could bind';
is reply('SCRAM-SHA-256', gs2 => 'p=tls-unique,,'), $failed,
   'one that wants to';

# messages that have been changed

my %change = (
    'another nonce' => [ sub { $_[0] =~ s/,r=(.)/',r=' . chr(1 ^ ord $1)/er },
                         $failed ],
    'a shorter nonce' => [ sub { $_[0] =~ s/.,p=/,p=/r }, $failed ],
    'another header' => [ sub { $_[0] =~ s/c=biws/c=eSws/r }, $failed ],
    'a binding' => [ sub { $_[0] =~ s/c=biws/c=biwsAAAA/r }, $failed ],
    'another proof' => [ sub { $_[0] =~ s/p=(.)/'p=' . ($1 eq 'A' ? 'B'
                                                               : 'A')/er },
                         $failed ],
    'a short proof' => [ sub { $_[0] =~ s/p=....(.*)/p=$1/r }, $failed ],
    'an empty proof' => [ sub { $_[0] =~ s/p=.*/p=/r }, $bad ],
    'no proof' => [ sub { $_[0] =~ s/,p=.*//r }, $bad ],
    'a proof that is not base64' => [ sub { $_[0] =~ s/p=./p=!/r }, $bad ],
    'nothing' => [ sub { '' }, $bad ],
);

for my $name (sort keys %change) {
    is reply('SCRAM-SHA-256', change => $change{$name}[0]),
       $change{$name}[1], "final message: $name";
}

is reply('SCRAM-SHA-256', first => ',x=1,Y=z'), $ok, 'extensions';
is reply('SCRAM-SHA-256', first => ',m=1'), $bad, 'one to be understood';
is reply('SCRAM-SHA-256', last => b64('x')), $bad,
   'the last response is empty';

# the client does not believe the server

$c = $t->connected();
$c->cmd('AUTH SCRAM-SHA-256 ' . b64('n,,n=user,r=abc'));
is $c->cmd('*'), '501 5.7.0 Authentication cancelled', 'cancelled';
is scram($c, 'SCRAM-SHA-256', user => $user, password => $secret)->{reply},
   $ok, 'and then not';

# how often

$c = $t->connected('two');
scram($c, 'SCRAM-SHA-256', user => $user, password => 'x') for 1 .. 2;
is $c->read_reply(), '421 4.7.0 Too many errors, closing connection',
   'after so many';

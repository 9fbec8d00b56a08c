#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# smtp_auth_limit: who guesses is slowed down, then shut out, by address and by
# user, in all workers; a user is not locked out by others.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ time /;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Sasl qw/ b64 scram scram_headers /;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $t = Test::Nginx::SmtpExt->new(workers => 2);

$t->plan(83);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_auth_http         http://127.0.0.1:%%PORT_http%%/auth;
    smtp_auth_require_tls  off;
    smtp_auth_methods      plain scram-sha-256 oauthbearer;
    smtp_max_errors        100;
    set_real_ip_from       127.0.0.1;

    smtp_auth_max_attempts  0;

    server {
        listen           127.0.0.1:%%PORT_address%%  proxy_protocol;
        protocol         smtp_ext;
        smtp_auth_limit  zone=address:1m address=3 user=0 time=1h delay=0;
    }

    server {
        listen           127.0.0.1:%%PORT_again%%  proxy_protocol;
        protocol         smtp_ext;
        smtp_auth_limit  zone=address address=3 user=0 time=1h delay=0;
    }

    server {
        listen           127.0.0.1:%%PORT_trusted%%  proxy_protocol;
        protocol         smtp_ext;
        smtp_pass        127.0.0.1:%%PORT_dead%%;
        smtp_relay_from  192.0.2.0/24;
        smtp_auth_limit  zone=address address=3 user=3 time=1h delay=0;
    }

    server {
        listen           127.0.0.1:%%PORT_user%%  proxy_protocol;
        protocol         smtp_ext;
        smtp_auth_limit  zone=user:1m address=0 user=3 time=1h delay=0;
    }

    server {
        listen           127.0.0.1:%%PORT_short%%  proxy_protocol;
        protocol         smtp_ext;
        smtp_auth_limit  zone=short:1m address=2 user=0 time=2s delay=0;
    }

    server {
        listen           127.0.0.1:%%PORT_delay%%  proxy_protocol;
        protocol         smtp_ext;
        smtp_auth_limit  zone=delay:1m address=100 user=0 time=1h delay=200ms;
    }

    server {
        listen           127.0.0.1:%%PORT_small%%  proxy_protocol;
        protocol         smtp_ext;
        smtp_auth_limit  zone=small:32k address=1 user=0 time=1h delay=0;
    }

    server {
        listen           127.0.0.1:%%PORT_cached%%  proxy_protocol;
        protocol         smtp_ext;
        smtp_auth_cache  zone=cache:1m;
        smtp_auth_limit  zone=cached:1m address=3 user=0 time=1h delay=0;
    }
}
EOC

my $secret = $t->secret('s3cret-passw0rd');
my $ok = '235 2.7.0 Authentication succeeded';
my $wrong = '535 5.7.8 Wrong';
my $failed = '535 5.7.8 Authentication credentials invalid';
my $shut_out = '421 4.7.0 Too many failed logins, closing connection';
my $user_limit = '454 4.7.0 Too many failed logins of this user, '
                 . 'try again later';

my %keys = scram_headers('SCRAM-SHA-256', $secret);

# the right password is good for every name but "nobody"

my $http = $t->http('http', default => sub {
    my ($r) = @_;
    my $h = $r->{headers};
    my $scram = $h->{'auth-method'} =~ /^scram/;

    return { headers => [ 'Auth-Status' => 'Later',
                          'Auth-Error-Code' => '454 4.7.1' ] }
        if $h->{'auth-user'} eq 'later';

    my $good = $h->{'auth-user'} ne 'nobody'
               && ($scram || ($h->{'auth-pass'} // '') eq $secret
                   || ($h->{'auth-token'} // '') eq 'good');

    return { headers => [ 'Auth-Status' => $good ? 'OK' : 'Wrong',
                          ($scram && $good ? %keys : ()) ] };
});

sub connected {
    my ($name, $addr) = @_;

    my $family = $addr =~ /:/ ? 'TCP6' : 'TCP4';
    my $dst = $addr =~ /:/ ? '::1' : '127.0.0.1';
    my $c = $t->client($name, proxy => "PROXY $family $addr $dst 1 25\r\n");

    $c->read_reply();
    $c->ehlo();

    return $c;
}

sub login {
    my ($name, $addr, $user, $pass) = @_;

    return connected($name, $addr)->auth_plain($user, $pass // $secret);
}

my $held = 0;

sub asked { scalar(() = $http->requests()) }


# an address

my $addr = '192.0.2.1';

is login('address', $addr, "user$_", 'x'), $wrong, "failure $_" for 1, 2;
is login('address', $addr, 'user'), $ok, 'what is good is good';

my $c = connected('address', $addr);

is $c->auth_plain('user3', 'x'), $wrong, 'the third failure';
is $c->read_reply(), $shut_out, 'is the last';
ok $c->eof(), 'closed';
ok $t->wait_log(qr/\[warn\].*too many failed logins of the client/),
   'which is in the log';

my $asked = asked();

$c = connected('address', $addr);
is $c->auth_plain('user', $secret), $shut_out, 'not even what is good';
ok $c->eof(), 'closed again';
is login('again', $addr, 'user'), $shut_out, 'nor elsewhere with that zone'
    for 1 .. 4;
is asked(), $asked, 'the service is not asked';

is login('address', '192.0.2.2', 'user'), $ok, 'another address';
is login('trusted', $addr, 'user'), $ok, 'who smtp_relay_from names is trusted';
is login('trusted', '192.0.2.3', 'user', 'x'), $wrong, 'however often'
    for 1 .. 5;
is login('trusted', '192.0.2.3', 'user'), $ok, 'and then';

$t->reload();
$t->wait_workers(2);
is login('address', $addr, 'user'), $shut_out, 'it outlives a reload';

# IPv6: a network of 64 bits

is login('address', "2001:db8:0:1::$_", 'user', 'x'), $wrong, "IPv6: $_"
    for 1 .. 3;
is login('address', '2001:db8:0:1:ffff::1', 'user'), $shut_out,
   'IPv6: another address there';
is login('address', '2001:db8:0:2::1', 'user'), $ok, 'IPv6: not there';

# IPv4 as a socket for both has it: those are no network

is login('address', "::ffff:192.0.2.$_", 'user', 'x'), $wrong,
   "IPv4 in IPv6: $_" for 81 .. 83;
is login('address', '::ffff:192.0.2.81', 'user'), $ok,
   'IPv4 in IPv6: each by itself';
is login('address', $_, 'user', 'x'), $wrong, "$_: the same client"
    for '192.0.2.81', '::ffff:192.0.2.81';
is login('address', '192.0.2.81', 'user'), $shut_out,
   'IPv4 in IPv6: and the same as in IPv4';

# what counts

$addr = '192.0.2.10';
is login('address', $addr, 'later'), '454 4.7.1 Later', 'a refusal for now'
    for 1 .. 5;
is login('address', $addr, "a\tb"), $failed, 'a name that is none' for 1 .. 3;
is login('address', $addr, 'user'), $shut_out, 'counts';

# a client that leaves before the reply, or that responds no more

$addr = '192.0.2.11';

for (1 .. 3) {
    $c = connected('address', $addr);
    like $c->cmd('AUTH OAUTHBEARER ' . b64("n,a=u,\1auth=Bearer bad\1\1")),
         qr/^334 /, "token $_ is refused";
    $c->reset();
}

is login('address', $addr, 'user'), $shut_out, 'and counted';

# SCRAM: proofs, not names

$addr = '192.0.2.12';

for my $user ('nobody', 'user') {
    $c = connected('address', $addr);
    like $c->cmd('AUTH SCRAM-SHA-256 ' . b64("n,,n=$user,r=abc")),
         qr/^334 /, "$user: a salt";
    $c->cmd('*');
}

is login('address', $addr, 'user'), $ok, 'nothing is counted yet';

for my $user ('nobody', 'user', 'user') {
    is scram(connected('address', $addr), 'SCRAM-SHA-256', user => $user,
             password => 'x')->{reply}, $failed, "$user: a bad proof";
}

is login('address', $addr, 'user'), $shut_out, 'they are';

# many at the same time, all of them good to go when they come: no more are
# answered than may fail, whether by a refusal or by what is right

sub at_once {
    my ($how, $addr, @tries) = @_;
    my @clients = map { connected('address', $addr) } @tries;
    my @replies;

    $http->set(fault => { at => 'RESPONSE', do => 'hold' });

    for my $i (0 .. $#tries) {
        $clients[$i]->send_line($how->($tries[$i]));
        $http->wait_held(++$held);
    }

    $http->set(fault => undef);

    for my $c (@clients) {
        $http->release();
        push @replies, $c->read_reply();
    }

    return @replies;
}

is_deeply [ at_once(sub { 'AUTH PLAIN ' . b64("\0user\0$_[0]") },
                    '192.0.2.14', 'x', 'y', 'z', 'a', $secret, 'b') ],
          [ ($wrong) x 3, ($shut_out) x 3 ], 'at once: passwords';
is_deeply [ map { /^334/ ? 'challenge' : $_ }
            at_once(sub { 'AUTH OAUTHBEARER '
                          . b64("n,a=u,\1auth=Bearer $_[0]\1\1") },
                    '192.0.2.15', 'x', 'y', 'z', 'a', 'good', 'b') ],
          [ ('challenge') x 3, ($shut_out) x 3 ], 'at once: tokens';

$addr = '192.0.2.16';
is scram(connected('address', $addr), 'SCRAM-SHA-256', user => 'user',
         password => $secret, change => sub {
             login('address', $addr, 'user', 'x') for 1 .. 3;
             return $_[0];
         })->{reply}, $shut_out, 'at once: a proof';
is scram(connected('address', '192.0.2.17'), 'SCRAM-SHA-256', user => 'user',
         password => $secret, change => sub {
             login('address', '192.0.2.17', 'user', 'x') for 1 .. 2;
             return $_[0];
         })->{reply}, $ok, 'that is good as long as there is no limit';

# a user

is login('user', '192.0.2.20', 'alice'), $ok, 'alice at home';
is login('user', "192.0.2.3$_", $_ % 2 ? 'alice' : 'ALICE', 'x'), $wrong,
   "alice is guessed at, $_" for 1 .. 3;
ok $t->wait_log(qr/\[warn\].*too many failed logins of a user/),
   'which is in the log, too';

$asked = asked();
is login('user', '192.0.2.40', 'alice'), $user_limit, 'not from elsewhere';
is asked(), $asked, 'nobody is asked for that';
is login('user', '192.0.2.20', 'alice'), $ok, 'alice is not locked out';
is login('user', '192.0.2.40', 'bob'), $ok, 'nor is bob';

# from memory as well

$addr = '192.0.2.50';
is login('cached', $addr, 'user', 'x'), $wrong, 'a refusal from memory'
    for 1 .. 3;
is login('cached', $addr, 'user'), $shut_out, 'counts as any';

# it is forgotten

is login('short', '192.0.2.60', 'user', 'x'), $wrong, 'two failures'
    for 1, 2;
is login('short', '192.0.2.60', 'user'), $shut_out, 'are too many';
ok poll(sub { login('short', '192.0.2.60', 'user') eq $ok }, 6),
   'for some time';

# a delay that grows

sub delay {
    my ($n) = @_;
    my $start = time();

    login('delay', "192.0.2.70", 'user', 'x');

    return time() - $start;
}

my ($one, $two, $three) = map { delay($_) } 1 .. 3;

cmp_ok $one, '>=', 0.19, 'the first failure takes its time';
cmp_ok $two, '>=', 0.39, 'the second takes twice as long';
cmp_ok $three, '>=', 0.79, 'and the third';
is login('delay', '192.0.2.70', 'user'), $ok, 'a good one does not';

# a zone that is full: the oldest go, and nobody else is shut out for it

login('small', "198.51.$_.1", 'user', 'x') for 1 .. 200;
login('small', "198.52.$_.1", 'user', 'x') for 1 .. 200;
is login('small', '198.52.200.1', 'user'), $shut_out,
   'a zone that is full: the last one is there';
is login('small', '198.51.1.1', 'user'), $ok, 'the first is not';
is login('small', '198.53.1.1', 'user'), $ok, 'who is new is served';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# HTTP services by https: who they have to be, what they are told, which
# connections are used again.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(53);

$t->certificate('ca', is_ca => 1);
$t->certificate('service', ca => 'ca',
                san => [ 'DNS:api.example', 'DNS:localhost', 'IP:127.0.0.1' ]);
$t->certificate('expired', ca => 'ca', san => [ 'IP:127.0.0.1' ], days => -1);
$t->certificate('client', ca => 'ca');
$t->certificate('between', ca => 'ca', is_ca => 1);
$t->certificate('far', ca => 'between', san => [ 'IP:127.0.0.1' ]);
$t->certificate('revoked', ca => 'ca', san => [ 'IP:127.0.0.1' ]);

my $dir = $t->testdir();

crl('revoked');

$t->write_file('far.crt', $t->read_file('far.crt')
                          . $t->read_file('between.crt'));

$t->write_file('passwords', "another\nlocked-key\n");
openssl("ec -in $dir/client.key -aes128 -passout pass:locked-key"
        . " -out $dir/locked.key");

my %servers = (
    default => '',
    trusted => 'smtp_http_ssl_trusted_certificate ca.crt;',
    again => 'smtp_http_ssl_trusted_certificate ca.crt;
        smtp_http_ssl_session_reuse off;',
    named => 'smtp_http_ssl_trusted_certificate ca.crt;
        smtp_http_ssl_name api.example;',
    nameless => 'smtp_http_ssl_trusted_certificate ca.crt;
        smtp_http_ssl_name api.example;
        smtp_http_ssl_server_name off;',
    wrong => 'smtp_http_ssl_trusted_certificate ca.crt;
        smtp_http_ssl_name other.example;',
    untrusted => 'smtp_http_ssl_trusted_certificate client.crt;',
    unverified => 'smtp_http_ssl_verify off;',
    expired => 'smtp_http_ssl_trusted_certificate ca.crt;
        smtp_auth_http https://127.0.0.1:%%PORT_to_expired%%/auth;',
    plain => 'smtp_http_ssl_trusted_certificate ca.crt;
        smtp_http_connect_timeout 300ms;
        smtp_auth_http https://127.0.0.1:%%PORT_to_plain%%/auth;',
    silent => 'smtp_http_ssl_trusted_certificate ca.crt;
        smtp_http_connect_timeout 300ms;
        smtp_auth_http https://127.0.0.1:%%PORT_to_silent%%/auth;',
    group => 'smtp_http_ssl_trusted_certificate ca.crt;
        smtp_auth_http https://api/auth;',
    once => 'smtp_http_ssl_trusted_certificate ca.crt;
        smtp_auth_http https://once/auth;',
    client => 'smtp_http_ssl_trusted_certificate ca.crt;
        smtp_http_ssl_certificate client.crt;
        smtp_http_ssl_certificate_key client.key;',
    locked => 'smtp_http_ssl_trusted_certificate ca.crt;
        smtp_http_ssl_certificate client.crt;
        smtp_http_ssl_certificate_key locked.key;
        smtp_http_ssl_password_file passwords;',
    suite => 'smtp_http_ssl_trusted_certificate ca.crt;
        smtp_http_ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;',
    far => 'smtp_http_ssl_trusted_certificate ca.crt;
        smtp_http_ssl_verify_depth 0;
        smtp_auth_http https://127.0.0.1:%%PORT_to_far%%/auth;',
    near => 'smtp_http_ssl_trusted_certificate ca.crt;
        smtp_http_ssl_verify_depth 1;
        smtp_auth_http https://127.0.0.1:%%PORT_to_far%%/auth;',
    not_revoked => 'smtp_http_ssl_trusted_certificate ca.crt;
        smtp_http_ssl_crl ca.crl;',
    revoked => 'smtp_http_ssl_trusted_certificate ca.crt;
        smtp_http_ssl_crl ca.crl;
        smtp_auth_http https://127.0.0.1:%%PORT_to_revoked%%/auth;',
    unlisted => 'smtp_http_ssl_trusted_certificate ca.crt;
        smtp_auth_http https://127.0.0.1:%%PORT_to_revoked%%/auth;',
    old => 'smtp_http_ssl_trusted_certificate ca.crt;
        smtp_http_ssl_protocols TLSv1.2;
        smtp_http_ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;',
    hook => 'smtp_http_ssl_trusted_certificate ca.crt;
        smtp_hook https://127.0.0.1:%%PORT_http%%/hook stages=mail;',
);

my $servers = join '', map { <<"EOF" } sort keys %servers;
    server {
        listen    127.0.0.1:%%PORT_$_%%;
        protocol  smtp_ext;
        $servers{$_}
    }
EOF

$t->write_conf(<<"EOF")->run();
%%GLOBALS%%

events { }

mail {
    server_name             mx.example.com;
    smtp_auth_require_tls   off;
    smtp_auth_max_attempts  0;
    smtp_http_breaker       off;
    smtp_auth_http          https://127.0.0.1:%%PORT_http%%/auth;

    smtp_upstream api {
        server  127.0.0.1:%%PORT_to_expired%%;
        server  127.0.0.1:%%PORT_http%%;
    }

    smtp_upstream once {
        server     127.0.0.1:%%PORT_http%%;
        keepalive  0;
    }

$servers}
EOF

my $ok = '235 2.7.0 Authentication succeeded';
my $unavailable = '454 4.7.0 Temporary authentication failure';

my $good = { headers => [ 'Auth-Status' => 'OK' ] };
my %ssl = map { $_ => { cert => "$dir/$_.crt", key => "$dir/$_.key",
                        ca => "$dir/ca.crt", resume => 1 } }
          qw/ service expired revoked far /;

my $http = $t->http('http', ssl => $ssl{service}, hooks => {},
                    on => { '/auth' => $good });
my $expired = $t->http('to_expired', ssl => $ssl{expired},
                       on => { '/auth' => $good });
my $revoked = $t->http('to_revoked', ssl => $ssl{revoked},
                       on => { '/auth' => $good });
my $far = $t->http('to_far', ssl => $ssl{far}, on => { '/auth' => $good });
my $plain = $t->http('to_plain', on => { '/auth' => $good });
my $silent = $t->http('to_silent', fault => { at => 'CONNECT', do => 'silent' });

sub login {
    my ($name) = @_;

    my $c = $t->client($name);

    $c->read_reply();
    $c->ehlo();

    return $c->auth_plain('user', 'pass');
}

sub tls { return ($http->events('tls'))[-1] }

sub log_has {
    my ($pattern) = @_;

    return scalar(() = $t->notices() =~ /$pattern/g);
}


# who it has to be

is login('default'), $unavailable, 'verified, by what the system trusts';
is log_has(qr/\[error\].* certificate verify error/), 1, 'the log says why';

is login('trusted'), $ok, 'a certificate that is trusted';
is login('untrusted'), $unavailable, 'one that is not';
is login('unverified'), $ok, 'no verification';
is login('wrong'), $unavailable, 'another name';
is log_has(qr/certificate does not match "other.example"/), 1, 'logged';
is login('expired'), $unavailable, 'an old certificate';
is login('near'), $ok, 'somebody between it and who is trusted';
is login('far'), $unavailable, 'where nobody may be';
is login('not_revoked'), $ok, 'one that is not on a list';
is login('unlisted'), $ok, 'one that is, where nobody looks';
is login('revoked'), $unavailable, 'and where somebody does';
is log_has(qr/certificate revoked/), 1, 'the log says so';
is login('plain'), $unavailable, 'no TLS at all';
is scalar($plain->requests()), 0, 'which was told nothing';
is login('silent'), $unavailable, 'no handshake in time';

is login('group'), $ok, 'the other server of a group' for 1 .. 3;

# what it is told

is login('named'), $ok, 'a name by configuration';
is tls()->{sni}, 'api.example', 'it is told that name';
is login('nameless'), $ok, 'a name that is kept back';
is tls()->{sni}, undef, 'it is told none';
is login('old'), $ok, 'TLSv1.2';
is tls()->{version}, 'TLSv1_2', 'it is that';
is tls()->{peer}, undef, 'no certificate of ours';
is login('client'), $ok, 'a certificate of ours';
is tls()->{peer}, 'client', 'it has got it';

is login('locked'), $ok, 'one whose key has a password';
is tls()->{peer}, 'client', 'it has got that';
is login('suite'), $ok, 'a cipher of TLS 1.3';
is tls()->{cipher}, 'TLS_CHACHA20_POLY1305_SHA256', 'by that';

my ($r) = ($http->requests())[-1];

is $r->{headers}{host}, '127.0.0.1:' . $t->port('http'), 'Host';

# connections

my $n = $http->events('tls');

is login('trusted'), $ok, 'once more' for 1 .. 2;
is scalar(() = $http->events('tls')), $n, 'in a kept connection';

is login('once'), $ok, 'in a new one' for 1 .. 2;
is scalar(() = $http->events('tls')), $n + 2, 'two of them';
is tls()->{reused}, 1, 'the session was resumed';
is login('again'), $ok, 'without sessions';
is tls()->{reused}, 0, 'not resumed';

# connections are kept for who has the same settings

($n) = map { $_->{n} } ($http->requests())[-1];
login('client');
my ($client) = map { $_->{n} } ($http->requests())[-1];
login('trusted');
isnt +($http->requests())[-1]{n}, $client,
     'no connection with somebody\'s certificate';

# hooks

my $c = $t->client('hook');
$c->read_reply();
$c->ehlo();

is $c->mail('a@example.org'), '250 2.1.0 Sender OK', 'a hook';
$http->set(hooks => { mail => { raw => "HTTP/1.1 200 OK\r\n\r\n"
                                       . '{"action":"accept"}',
                                close => 1 } });
$c->cmd('RSET');
is $c->mail('a@example.org'), '250 2.1.0 Sender OK',
   'an answer that ends with the connection';

# cut off: the end that TLS knows nothing of

$http->set(hooks => { mail => { raw => "HTTP/1.1 200 OK\r\n\r\n"
                                       . '{"action":"accept"}' } },
           fault => { at => 'RESPONSE', do => 'answer_cut' });
$c->cmd('RSET');
is $c->mail('a@example.org'), '451 4.3.0 Local error in processing',
   'one that was cut off';

# a service that comes back

$http->stop();
is login('once'), $unavailable, 'it is gone';
$http->start();
$http->set(hooks => {}, fault => undef);
is login('once'), $ok, 'and back';

my @bad = (
    [ 'smtp_http_ssl_crl none.crl;', 'none.crl' ],
    [ 'smtp_http_ssl_conf_command Nothing x;', 'Nothing' ],
    [ 'smtp_http_ssl_trusted_certificate none.crt;', 'none.crt' ],
    [ 'smtp_http_ssl_certificate client.crt;',
      'no "smtp_http_ssl_certificate_key"' ],
);

for my $try (@bad) {
    my ($rc, $out) = $t->test_conf(<<"EOF");
%%GLOBALS%%
events { }
mail {
    server {
        listen          127.0.0.1:%%PORT_none%%;
        protocol        smtp_ext;
        smtp_auth_http  https://127.0.0.1/auth;
        $try->[0]
    }
}
EOF
    ok $rc && index($out, $try->[1]) >= 0, $try->[0] or diag $out;
}


sub openssl {
    my ($args) = @_;

    system("openssl $args 2>'$dir/openssl.out'") == 0
        or die "openssl $args: " . $t->read_file('openssl.out');
}


# a list of the CA with this certificate on it

sub crl {
    my ($name) = @_;
    my $serial = `openssl x509 -in '$dir/$name.crt' -noout -serial`
                 =~ s/serial=(\w+)\n/$1/r;

    $t->write_file('index.txt', "R\t491231000000Z\t250101000000Z\t$serial"
                                . "\tunknown\t/CN=$name\n");
    $t->write_file('crl.cnf', "[ca]\ndefault_ca = d\n[d]\n"
                              . "database = $dir/index.txt\n"
                              . "default_md = sha256\n");
    openssl("ca -gencrl -config '$dir/crl.cnf' -crldays 30 -cert '$dir/ca.crt'"
            . " -keyfile '$dir/ca.key' -out '$dir/ca.crl'");
}

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Mechanisms of AUTH, by clients and libraries of others: each that they have.

use warnings;
use strict;

use Encode qw/ encode_utf8 /;
use POSIX ();
use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Sasl qw/ hmac_md5 scram_headers /;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new();
my $dir = $t->testdir();

$t->certificate('ca', is_ca => 1);
$t->certificate('localhost', ca => 'ca',
                san => [ 'DNS:localhost', 'IP:127.0.0.1' ]);
$t->certificate('client', ca => 'ca');

$t->write_conf(<<'EOC');
%%GLOBALS%%

events { }

mail {
    server_name          mx.example.com;
    smtp_auth_http       http://127.0.0.1:%%PORT_http%%/auth;
    smtp_pass            discard:;

    smtp_auth_methods  plain login cram-md5 scram-sha-1 scram-sha-1-plus
                       scram-sha-256 scram-sha-256-plus oauthbearer xoauth2
                       external;

    ssl_certificate         %%TESTDIR%%/localhost.crt;
    ssl_certificate_key     %%TESTDIR%%/localhost.key;
    ssl_client_certificate  %%TESTDIR%%/ca.crt;
    ssl_verify_client       optional;

    server {
        listen     127.0.0.1:%%PORT_smtp%%;
        protocol   smtp_ext;
        starttls   only;
    }

    server {
        listen         127.0.0.1:%%PORT_old%%;
        protocol       smtp_ext;
        starttls       only;
        ssl_protocols  TLSv1.2;
    }

    server {
        listen             127.0.0.1:%%PORT_xoauth2%%;
        protocol           smtp_ext;
        starttls           only;
        smtp_auth_methods  xoauth2;
    }
}
EOC

my $secret = $t->secret('Pa55=w0rd/for+clients');
my $token = $t->secret('ya29.t0ken-for_clients');
my $user = 'user@example.com';
my ($smtp, $old, $xoauth2) = map { $t->port($_) } qw/ smtp old xoauth2 /;

# a name and a password that SASLprep changes (RFC 4013), and what they become

my $odd_user = encode_utf8("I\x{ad}X\@example.com");
my $odd_secret = encode_utf8("p\x{ad}\x{aa}ss-\x{fc}");
my %prepared = ($user => $secret,
                'IX@example.com' => $t->secret(encode_utf8("pass-\x{fc}")));

my %keys = map {
    my $mech = $_;
    $mech => { map { $_ => [ scram_headers($mech, $prepared{$_}) ] }
               keys %prepared }
} qw/ scram-sha-1 scram-sha-256 /;

my $http = $t->http('http', default => sub {
    my ($r) = @_;
    my $h = $r->{headers};
    my $method = $h->{'auth-method'};
    my $pass = ($h->{'auth-pass'} // '') =~ s/%([0-9A-F]{2})/chr hex $1/ger;

    return { headers => [ 'Auth-Status' => 'OK',
                          @{$keys{$method}{$h->{'auth-user'}} || []} ] }
        if $keys{$method};

    my $good = $method eq 'plain' ? $pass eq $secret
               : $method eq 'cram-md5'
                 ? $pass eq hmac_md5($secret, $h->{'auth-salt'})
               : $method eq 'external' ? $h->{'auth-ssl-verify'} eq 'SUCCESS'
               : $h->{'auth-token'} eq $token;

    return { headers => [ 'Auth-Status' => $good ? 'OK' : 'no',
                          'Auth-User' => $user ] };
});

$t->write_file('message.txt', "Subject: x\r\n\r\nx\r\n");

$t->write_file('send.py', <<'EOF');
import smtplib, ssl, sys

mech, port, cafile, user, password = sys.argv[1:]
c = smtplib.SMTP('localhost', int(port), timeout=20)
c.starttls(context=ssl.create_default_context(cafile=cafile))
c.ehlo()
c.user, c.password = user, password
c.auth(mech, getattr(c, 'auth_' + mech.lower().replace('-', '_')))
c.quit()
EOF

$t->write_file('send.pl', <<'EOF');
use Authen::SASL;
use Net::SMTP;

my ($mech, $port, $ca, $user, $password, $client) = @ARGV;
my $c = Net::SMTP->new('localhost', Port => $port, Timeout => 20) or die;

$c->starttls(SSL_ca_file => $ca, $mech eq 'EXTERNAL'
             ? (SSL_cert_file => "$client.crt", SSL_key_file => "$client.key")
             : ()) or die 'TLS';
$c->auth(Authen::SASL->new(mechanism => $mech, callback => {
    user => $user, pass => $password, authname => '' })) or die $c->message();
$c->quit();
EOF

$t->write_file('scram.pl', <<'EOF');
use Authen::SCRAM::Client;
use Encode qw/ decode_utf8 encode_utf8 /;
use MIME::Base64;
use Net::SMTP;

my ($mech, $port, $ca, $user, $password) = @ARGV;
my $c = Net::SMTP->new('localhost', Port => $port, Timeout => 20) or die;
my $scram = Authen::SCRAM::Client->new(username => decode_utf8($user),
    password => decode_utf8($password), digest => $mech =~ s/^SCRAM-//r);

sub ask {
    $c->command(@_)->response();
    chomp(my $text = join '', $c->message());
    return $c->code() == 334 ? decode_base64($text) : die $c->code() . " $text";
}

$c->starttls(SSL_ca_file => $ca) or die 'TLS';

my $first = ask("AUTH $mech",
                encode_base64(encode_utf8($scram->first_msg()), ""));
my $final = ask(encode_base64($scram->final_msg($first), ''));

$scram->validate($final);
$c->command('')->response();
$c->code() == 235 or die $c->code();
$c->quit();
EOF

$t->write_file('slix.py', <<'EOF');
import smtplib, ssl, sys
from base64 import b64decode, b64encode
from slixmpp.util.sasl import client, mechanisms

mech, port, cafile, user, password = sys.argv[1:]
c = smtplib.SMTP('localhost', int(port), timeout=20)
c.starttls(context=ssl.create_default_context(cafile=cafile))
c.ehlo()

# it could bind, and says so

sasl = client.choose([mech], lambda required, optional: {
    'username': user, 'password': password,
    'channel_binding': c.sock.get_channel_binding('tls-unique') },
    lambda settings: { 'encrypted': True, 'unencrypted_scram': False })

code, text = c.docmd('AUTH', mech + ' ' + b64encode(sasl.process()).decode())

while code == 334:
    code, text = c.docmd(b64encode(sasl.process(b64decode(text))).decode())

if code != 235:
    sys.exit('%d %s' % (code, text.decode()))

c.quit()
EOF

$t->write_file('send.js', <<'EOF');
const [ mech, port, ca, user, secret ] = process.argv.slice(2);

require('nodemailer').createTransport({
    host: 'localhost', port, requireTLS: true, authMethod: mech,
    tls: { ca: require('fs').readFileSync(ca) },
    auth: mech === 'XOAUTH2' ? { type: 'OAuth2', user, accessToken: secret }
                             : { user, pass: secret },
}).verify().catch((e) => {
    console.error(e.message);
    process.exitCode = 1;
});
EOF

$ENV{NODE_PATH} //= '/usr/share/nodejs:/usr/local/lib/node_modules';

# name, program, mechanisms, command

my @clients = (
    [ 'swaks', 'swaks', [ qw/ PLAIN LOGIN CRAM-MD5 / ], sub {
        return ('swaks', '--server', '127.0.0.1', '--port', $smtp, '--tls',
                '--auth', $_[0], '--auth-user', $user, '--auth-password',
                $secret, '--auth-hide-password', '--quit-after', 'AUTH',
                '--timeout', 20);
    } ],
    [ 'curl', 'curl', [ qw/ PLAIN LOGIN CRAM-MD5 OAUTHBEARER XOAUTH2
                            EXTERNAL / ], sub {
        my ($mech) = @_;

        # it says OAUTHBEARER wherever that is offered, asked for it or not

        my $port = $mech eq 'XOAUTH2' ? $xoauth2 : $smtp;

        return ('curl', '-sS', '--max-time', 20, '--url',
                "smtp://localhost:$port/client.example.com", '--ssl-reqd',
                '--cacert', "$dir/ca.crt", '--login-options', "AUTH=$mech",
                $mech =~ /OAUTH/
                    ? ('--user', "$user:", '--oauth2-bearer', $token)
                : $mech eq 'EXTERNAL'
                    ? ('--user', "$user:", '--cert', "$dir/client.crt",
                       '--key', "$dir/client.key")
                    : ('--user', "$user:$secret"),
                '--mail-from', $user, '--mail-rcpt', 'a@example.com',
                '--upload-file', "$dir/message.txt");
    } ],
    [ 'msmtp', 'msmtp', [ qw/ PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256
                              OAUTHBEARER XOAUTH2 EXTERNAL / ], sub {
        my ($mech) = @_;
        my $pass = $mech =~ /OAUTH/ ? $token : $secret;

        return ('sh', '-c', 'exec "$0" "$@" < ' . "$dir/message.txt",
                'msmtp', '-C', '/dev/null', '--host=localhost',
                "--port=$smtp", "--from=$user", '--timeout=20', '--tls=on',
                "--tls-trust-file=$dir/ca.crt", '--auth=' . lc $mech,
                "--user=$user", "--passwordeval=echo '$pass'",
                $mech eq 'EXTERNAL'
                    ? ("--tls-cert-file=$dir/client.crt",
                       "--tls-key-file=$dir/client.key") : (),
                '--', 'a@example.com');
    } ],
    [ 'smtplib', 'python3', [ qw/ PLAIN LOGIN CRAM-MD5 / ], sub {
        return ('python3', "$dir/send.py", $_[0], $smtp, "$dir/ca.crt", $user,
                $secret);
    } ],
    [ 'Authen::SASL', 'perl', [ qw/ PLAIN LOGIN CRAM-MD5 EXTERNAL / ], sub {
        return ('perl', "$dir/send.pl", $_[0], $smtp, "$dir/ca.crt", $user,
                $secret, "$dir/client");
    } ],
    (map {
        my ($name, @as) = @$_;

        [ $name, 'perl', [ qw/ SCRAM-SHA-1 SCRAM-SHA-256 / ], sub {
            return ('perl', "$dir/scram.pl", $_[0], $smtp, "$dir/ca.crt", @as);
        } ]
    } ([ 'Authen::SCRAM', $user, $secret ],
       [ 'Authen::SCRAM, prepared', $odd_user, $odd_secret ])),
    [ 'gsasl, prepared', 'gsasl', [ qw/ SCRAM-SHA-1 SCRAM-SHA-256 / ], sub {
        return ('env', 'LC_ALL=C.UTF-8', 'gsasl', '--smtp', '--client',
                '--starttls', '--no-cb', "--x509-ca-file=$dir/ca.crt", '-m',
                $_[0], '-a', $odd_user, '-p', $odd_secret, 'localhost', $smtp);
    } ],
    [ 'slixmpp', 'python3', [ qw/ SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS / ],
      \&slixmpp ],
    [ 'Nodemailer', 'node', [ qw/ PLAIN LOGIN CRAM-MD5 XOAUTH2 / ], sub {
        return ('node', "$dir/send.js", $_[0], $smtp, "$dir/ca.crt", $user,
                $_[0] eq 'XOAUTH2' ? $token : $secret);
    } ],
    (map {
        my ($port, $name, @mechs) = @$_;

        [ $name, 'gsasl', \@mechs, sub {
            return ('gsasl', '--smtp', '--client', '--starttls',
                    ($_[0] =~ /PLUS/ ? () : ('--no-cb')),
                    "--x509-ca-file=$dir/ca.crt", '-m', $_[0],
                    $_[0] eq 'EXTERNAL'
                        ? ("--x509-cert-file=$dir/client.crt",
                           "--x509-key-file=$dir/client.key", '-z', $user)
                        : ('-a', $user, '-p', $secret),
                    'localhost', $port);
        } ]
    } ([ $smtp, 'gsasl', qw/ PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256
                             SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS
                             EXTERNAL / ],
       [ $old, 'gsasl with TLS 1.2', qw/ SCRAM-SHA-1-PLUS
                                         SCRAM-SHA-256-PLUS / ])),
);

# of Debian's Python, whatever else there is

sub slixmpp {
    my ($mech) = @_;

    return ('/usr/bin/python3', "$dir/slix.py", $mech, $old, "$dir/ca.crt",
            $user, $secret);
}

my $tests = 1;

$tests += @{$_->[2]} for @clients;

$t->plan($tests);
$t->run();

sub call {
    my (@command) = @_;

    my $pid = open my $out, '-|' // die "fork: $!\n";

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        exec 'timeout', POSIX::ceil(scaled(25)), @command
            or POSIX::_exit(127);
    }

    local $/;
    my $text = <$out>;
    close $out;

    return ($? >> 8, $text);
}

sub logged_in {
    my ($mech) = @_;

    return scalar(() = $t->notices()
                  =~ /client logged in, mechanism: \Q$mech\E,/g);
}

my $slixmpp = (call('/usr/bin/python3', '-c', 'import slixmpp'))[0] == 0;

for my $client (@clients) {
    my ($name, $program, $mechs, $command) = @$client;

    SKIP: {
        skip "no $program", scalar @$mechs
            unless grep { -x "$_/$program" } split /:/, $ENV{PATH};
        skip 'no Authen::SASL', scalar @$mechs
            if $name eq 'Authen::SASL'
               && !eval { require Authen::SASL; require Net::SMTP;
                           require Digest::HMAC_MD5; 1 };
        skip 'no Authen::SCRAM', scalar @$mechs
            if $name =~ /^Authen::SCRAM/
               && !eval { require Authen::SCRAM::Client; require Net::SMTP;
                          require IO::Socket::SSL; 1 };
        skip 'no slixmpp', scalar @$mechs if $name eq 'slixmpp' && !$slixmpp;
        skip 'no Nodemailer', scalar @$mechs
            if $name eq 'Nodemailer'
               && (call('node', '-e', 'require("nodemailer")'))[0] != 0;

        for my $mech (@$mechs) {
            my $n = logged_in($mech);
            my ($code, $text) = call($command->($mech));

            ok $code == 0 && logged_in($mech) == $n + 1, "$name: $mech"
                or diag "exit code $code\n$text";
        }
    }
}

# one that could bind, and is told to do without where that is offered: somebody
# in between may have told it (RFC 5802, 6)

SKIP: {
    skip 'no slixmpp', 1 unless $slixmpp;

    my ($code, $text) = call(slixmpp('SCRAM-SHA-256'));

    like "$code $text", qr/^1 .*535 5\.7\.8 /s, 'slixmpp: a downgrade';
}

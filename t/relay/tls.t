#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# TLS to the next hop: RFC 3207, RFC 8314, RFC 7435; whom to trust, RFC 6125;
# the name, RFC 6066, 3; sessions; connections kept apart; bodies.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new();
my $dir = $t->testdir();

$t->certificate('ca', is_ca => 1);
$t->certificate('client', ca => 'ca');
$t->certificate('between', ca => 'ca', is_ca => 1);
$t->certificate('next', ca => 'between', cn => 'other.example',
                san => [ 'DNS:next.example', 'DNS:*.wild.example',
                         'DNS:p*.part.example', 'IP:127.0.0.1' ]);

# what each server{} says of TLS, and where it passes to

my %servers = (
    off => 'smtp_pass_tls off;',
    default => '',
    required => 'smtp_pass_tls required;',
    implicit => 'smtp_pass_tls implicit;
        smtp_pass 127.0.0.1:%%PORT_mtas%%;',
    smtps => 'smtp_pass_tls off;
        smtp_pass smtps://127.0.0.1:%%PORT_mtas%%;',
    verified => 'smtp_pass_tls required;
        smtp_pass_ssl_trusted_certificate ca.crt;
        smtp_pass_ssl_name next.example;',
    wild => 'smtp_pass_tls required;
        smtp_pass_ssl_trusted_certificate ca.crt;
        smtp_pass_ssl_name a.wild.example;',
    deep => 'smtp_pass_tls required;
        smtp_pass_ssl_trusted_certificate ca.crt;
        smtp_pass_ssl_name a.b.wild.example;',
    part => 'smtp_pass_tls required;
        smtp_pass_ssl_trusted_certificate ca.crt;
        smtp_pass_ssl_name part.part.example;',
    common => 'smtp_pass_tls required;
        smtp_pass_ssl_trusted_certificate ca.crt;
        smtp_pass_ssl_name other.example;',
    address => 'smtp_pass_tls required;
        smtp_pass_ssl_trusted_certificate ca.crt;',
    unix => 'smtp_pass_tls required;
        smtp_pass_ssl_trusted_certificate ca.crt;
        smtp_pass unix:%%TESTDIR%%/next.sock;',
    untrusted => 'smtp_pass_tls required;
        smtp_pass_ssl_trusted_certificate client.crt;
        smtp_pass_ssl_name next.example;',
    unverified => 'smtp_pass_tls required;
        smtp_pass_ssl_trusted_certificate client.crt;
        smtp_pass_ssl_verify off;',
    depth => 'smtp_pass_tls required;
        smtp_pass_ssl_trusted_certificate ca.crt;
        smtp_pass_ssl_verify_depth 0;
        smtp_pass_ssl_name next.example;',
    certificate => 'smtp_pass_tls required;
        smtp_pass_ssl_certificate client.crt;
        smtp_pass_ssl_certificate_key client.key;',
    password => 'smtp_pass_tls required;
        smtp_pass_ssl_certificate client.crt;
        smtp_pass_ssl_certificate_key locked.key;
        smtp_pass_ssl_password_file passwords;',
    nameless => 'smtp_pass_tls required;
        smtp_pass_ssl_name next.example;
        smtp_pass_ssl_server_name off;',
    old => 'smtp_pass_tls required;
        smtp_pass_ssl_protocols TLSv1.2;
        smtp_pass_ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;',
    suite => 'smtp_pass_tls required;
        smtp_pass_ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;',
    once => 'smtp_pass_tls required;
        smtp_pass_ssl_session_reuse off;',
    kept => 'smtp_pass_tls required;
        smtp_pass kept;',
    kept_off => 'smtp_pass_tls off;
        smtp_pass kept;',
    kept_helo => 'smtp_pass_tls off;
        smtp_pass kept;
        smtp_pass_helo other.example.com;',
    kept_again => 'smtp_pass_tls off;
        smtp_pass kept;',
);

my $blocks = '';

for my $name (sort keys %servers) {
    my $pass = $servers{$name} =~ /smtp_pass / ? '' : 'smtp_pass  mta;';

    $blocks .= <<"EOC";
    server {
        listen           127.0.0.1:%%PORT_$name%%;
        protocol         smtp_ext;
        $pass
        $servers{$name}
    }
EOC
}

# the chain

$t->write_file('next.crt', $t->read_file('next.crt')
                           . $t->read_file('between.crt'));

my $secret = $t->secret('key-passw0rd');

$t->write_file('passwords', "$secret\n");
system("openssl ec -aes128 -in $dir/client.key -out $dir/locked.key"
       . " -passout pass:$secret 2>/dev/null") == 0 or die 'openssl';

my $tls = { cert => "$dir/next.crt", key => "$dir/next.key", resume => 1 };
my @ext = qw/ PIPELINING 8BITMIME CHUNKING REQUIRETLS /;

my $mta = $t->server('mta', starttls => $tls, ehlo => \@ext);
my $implicit = $t->server('mtas', ssl => $tls);
my $unix = $t->server('unix:next.sock', starttls => $tls);

$t->write_conf(<<"EOC")->plan(83)->run();
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_relay_from        127.0.0.1;
    smtp_pass_mode         buffered;
    smtp_body_buffer_size  16k;
    smtp_temp_path         %%TESTDIR%%/smtp_temp;
    ssl_certificate        next.crt;
    ssl_certificate_key    next.key;

    smtp_log_format  tls  '\$smtp_upstream_ssl_protocol \$smtp_upstream_ssl_cipher';
    smtp_access_log  %%TESTDIR%%/tls.log  tls;

    smtp_upstream mta {
        server     127.0.0.1:%%PORT_mta%%  max_fails=0;
        keepalive  0;
    }

    smtp_upstream kept {
        server     127.0.0.1:%%PORT_mta%%  max_fails=0;
    }

$blocks
    server {
        listen         127.0.0.1:%%PORT_require%% ssl;
        protocol       smtp_ext;
        smtp_pass      mta;
        smtp_pass_tls  required;
    }

    server {
        listen                             127.0.0.1:%%PORT_require_ok%% ssl;
        protocol                           smtp_ext;
        smtp_pass                          127.0.0.1:%%PORT_mta%%;
        smtp_pass_tls                      opportunistic;
        smtp_pass_ssl_trusted_certificate  ca.crt;
    }
}
EOC

my $insecure = '451 4.7.5 No secure connection to the destination server';
my $n = 0;

sub send_one {
    my ($port, %o) = @_;

    my $c = $t->connected($port);
    my $reply = $c->send_message(%o) =~ s/ id=.*//r;

    $c->quit();

    return $reply;
}

sub last_tls {
    my ($server) = @_;
    my @tls = $server->events('tls');

    return $tls[-1];
}

sub last_transcript {
    my ($server) = @_;

    return $server->transcript($server->connections())
        =~ s/^S: 250-.*\n//mgr =~ s/\(\d+ bytes\)/(message)/r
        =~ s/BDAT \d+/BDAT n/r;
}

sub logged { $t->wait_log(qr/\A(?:.*\n){$_[0]}\z/, 'tls.log') }

# the dialogue

my $envelope = <<'EOT';
C: EHLO mx.example.com
S: 250 REQUIRETLS
C: MAIL FROM:<sender@example.com>
S: 250 2.1.0 sender ok
C: RCPT TO:<rcpt@example.com>
S: 250 2.1.5 recipient ok
C: BDAT n LAST
C: (message)
S: 250 2.0.0 taken
C: QUIT
EOT

my $starttls = <<'EOT';
S: 220 server.example.net ESMTP
C: EHLO mx.example.com
S: 250 STARTTLS
C: STARTTLS
S: 220 2.0.0 go on
* TLS
EOT

is send_one('off'), '250 2.0.0 OK', 'off: taken';
ok $mta->wait_closed(), 'the connection ends';
is last_transcript($mta),
   "S: 220 server.example.net ESMTP\n" . $envelope =~ s/250 REQ.*/250 STARTTLS/r,
   'without TLS, though there could be some';

for my $name (qw/ default required /) {
    is send_one($name), '250 2.0.0 OK', "$name: taken";
    ok $mta->wait_closed(), 'the connection ends';
    is last_transcript($mta), $starttls . $envelope,
       'STARTTLS, and EHLO once more';
}

for my $name (qw/ implicit smtps /) {
    is send_one($name), '250 2.0.0 OK', "$name: taken";
    is(($implicit->messages())[-1]{tls}, 1, 'under TLS');
}

is scalar(grep { /STARTTLS/ } $implicit->commands()), 0,
   'without STARTTLS, RFC 8314';
is $implicit->connections(), 1,
   'the same settings in other words, and the same connection';

# who it is

is send_one('verified'), '250 2.0.0 OK', 'verified: taken';
is last_tls($mta)->{sni}, 'next.example', 'the name was asked for';

for (
    [ wild => 1, 'a wildcard for a label' ],
    [ deep => 0, 'not for two' ],
    [ part => 0, 'not for a part of one' ],
    [ common => 0, 'no CN where there are names' ],
    [ address => 1, 'an address among the names' ],
    [ unix => 0, 'a path is no name' ],
    [ untrusted => 0, 'another CA' ],
    [ unverified => 1, 'not asked for' ],
    [ depth => 0, 'a longer chain than is allowed' ],
) {
    my ($name, $ok, $what) = @$_;

    is send_one($name), $ok ? '250 2.0.0 OK' : $insecure, "$name: $what";
}

ok !(grep { /^MAIL/ } $unix->commands()), 'nothing was said to whom it is not';
like $t->read_file('error.log'),
     qr/\[error\] .*certificate does not match "a\.b\.wild\.example" while SSL handshaking to upstream, .*upstream: 127/,
     'the log says why: the name';
like $t->read_file('error.log'),
     qr/\[error\] .*SSL certificate verify error: \(\d+:.*\) while/,
     'or the chain';
like $t->read_file('error.log'), qr/\[error\] .*upstream has no name to verify/,
     'or that there is no name';

is last_tls($unix)->{sni}, undef, 'no name to ask for';
is send_one('address'), '250 2.0.0 OK', 'address: taken again';
is last_tls($mta)->{sni}, undef, 'an address is not asked for, RFC 6066';
is send_one('nameless'), '250 2.0.0 OK', 'nameless: taken';
is last_tls($mta)->{sni}, undef, 'smtp_pass_ssl_server_name off';

# who we are

$mta->set(starttls => { %$tls, resume => 0, ca => "$dir/ca.crt" });
is send_one('certificate'), '250 2.0.0 OK', 'certificate: taken';
is last_tls($mta)->{peer}, 'client', 'our certificate';
is send_one('password'), '250 2.0.0 OK', 'password: taken';
is last_tls($mta)->{peer}, 'client', 'a key with a password';
is send_one('required'), '250 2.0.0 OK', 'required: taken';
is last_tls($mta)->{peer}, undef, 'no certificate';
$mta->set(starttls => $tls);

# protocols, and the log

my $lines = () = $t->read_file('tls.log') =~ /\n/g;

is send_one('old'), '250 2.0.0 OK', 'old: taken';
is last_tls($mta)->{version}, 'TLSv1_2', 'smtp_pass_ssl_protocols';
is send_one('suite'), '250 2.0.0 OK', 'suite: taken';
is send_one('off'), '250 2.0.0 OK', 'off: taken';
logged($lines + 3);
is_deeply [ (split /\n/, $t->read_file('tls.log'))[$lines .. $lines + 2] ],
          [ 'TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256',
            'TLSv1.3 TLS_CHACHA20_POLY1305_SHA256', '- -' ],
          'what was used is in the log';

# sessions

my $tls13 = last_tls($mta)->{version} eq 'TLSv1_3';

for my $name (qw/ verified old /) {
    send_one($name);
    send_one($name);
    is last_tls($mta)->{reused}, 1, "$name: a session is used again";
}

send_one('once') for 1 .. 2;
is last_tls($mta)->{reused}, 0, 'smtp_pass_ssl_session_reuse off';

# a session does not make a certificate good: it is looked at again

send_one('common') for 1 .. 2;
is send_one('common'), $insecure, 'a session does not prove another name';

# kept connections

my $connections = $mta->connections();
my $handshakes = () = $mta->events('tls');

is send_one('kept'), '250 2.0.0 OK', 'kept: taken' for 1 .. 3;
is $mta->connections(), $connections + 1, 'on one connection';
is scalar(() = $mta->events('tls')), $handshakes + 1, 'one handshake';
is send_one('kept_off'), '250 2.0.0 OK', 'off: taken';
is $mta->connections(), $connections + 2, 'on one of its own';
is(($mta->messages())[-1]{tls}, 0, 'without TLS');
is send_one('kept'), '250 2.0.0 OK', 'kept: taken';
is(($mta->messages())[-1]{tls}, 1, 'under TLS');
is send_one('kept_helo'), '250 2.0.0 OK', 'another name: taken';
is $mta->connections(), $connections + 3, 'on one of its own';
is send_one('kept_again'), '250 2.0.0 OK', 'the same settings elsewhere: taken';
is $mta->connections(), $connections + 3, 'on the same connection';

# its server closes it: at once, and at the next use

$mta->set(fault => { at => 'EOM', do => 'answer_close' });
is send_one('kept'), '250 2.0.0 OK', 'taken, and closed behind it';
$mta->set(fault => undef);
is send_one('kept'), '250 2.0.0 OK', 'the next one is taken';
$mta->set(fault => { at => 'MAIL', do => 'close', n => 1 });
is send_one('kept', to => [ map { "$_\@example.com" } 'a', 'b' ]),
   '250 2.0.0 OK', 'one that was closed when it was used';
$mta->set(fault => undef);

# content, from memory and file, whole and in pieces

my $line = 'x' x 61 . "\r\n";
my %content = (
    small => "Subject: a\r\n\r\ntext\r\n",
    dots => "Subject: a\r\n\r\n" . "..\r\n.x\r\n" x 3,
    long => "Subject: a\r\n\r\n" . $line x 40000,
    'long with dots' => "Subject: a\r\n\r\n" . ".$line" x 40000,
);

for my $by ('BDAT', 'DATA') {
    $mta->set(ehlo => [ grep { $by eq 'BDAT' || $_ ne 'CHUNKING' } @ext ]);

    # so that what was said in EHLO is asked anew

    for my $what (sort keys %content) {
        send_one('required', data => $content{$what});
        is(($mta->messages())[-1]{data} =~ s/\AReceived: .*?\r\n(?![ \t])//sr
               eq $content{$what} ? 'same' : 'differs',
           'same', "$what by $by");
    }
}

# REQUIRETLS, RFC 8689: TLS is not enough, it has to be verified

for my $port (qw/ require require_ok /) {
    my $c = $t->connected($port, ssl => 1);

    # first it has to be known what the next hop is able to do

    $c->send_message();
    my $ext = $c->ehlo();

    is exists $ext->{REQUIRETLS} ? 1 : 0, $port eq 'require' ? 0 : 1,
       "$port: REQUIRETLS is offered when the next hop is verified";
    $c->cmd('MAIL FROM:<a@example.com> REQUIRETLS') if $port eq 'require_ok';
    $c->cmd('RCPT TO:<b@example.com>') if $port eq 'require_ok';
    $c->data("x\r\n") if $port eq 'require_ok';
    $c->quit();
}

is(($mta->messages())[-1]{from_params}, 'REQUIRETLS', 'and handed on');

# configuration

for (
    [ 'smtp_pass_tls on;', qr/invalid value "on"/ ],
    [ 'smtp_pass_ssl_verify on;',
      qr/no "smtp_pass_ssl_trusted_certificate" for "smtp_pass_ssl_verify"/ ],
    [ 'smtp_pass_ssl_certificate client.crt;',
      qr/no "smtp_pass_ssl_certificate_key" is defined for certificate/ ],
    [ 'smtp_pass_ssl_trusted_certificate none.crt;',
      # versions of nginx have other words for it
      qr/SSL_CTX_load_verify_locations\("[^"]*none\.crt"\)[ ]failed
         |cannot[ ]load[ ]certificate[ ]"[^"]*none\.crt"/x ],
    [ 'smtp_pass_tls off; smtp_pass_ssl_trusted_certificate none.crt;', '' ],
) {
    my ($directives, $error) = @$_;
    my ($code, $out) = $t->test_conf(<<"EOC");
%%GLOBALS%%
events { }
mail {
    server { listen 127.0.0.1:%%PORT_off%%; protocol smtp_ext;
             $directives smtp_pass 127.0.0.1:25; }
}
EOC

    $error ? like($out, $error, $directives) : is($code, 0, $directives);
}

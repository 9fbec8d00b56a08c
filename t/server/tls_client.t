#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Certificates of clients: ssl_verify_client, ssl_client_certificate, ssl_crl,
# ssl_verify_depth, as nginx's mail has them; what is known of TLS in variables.

use warnings;
use strict;

use JSON::PP qw/ decode_json /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(94);

require IO::Socket::SSL;

my $dir = $t->testdir();

# whom the server trusts, and who come

$t->certificate('localhost');
$t->certificate('ca', is_ca => 1);
$t->certificate('stranger_ca', is_ca => 1);
$t->certificate('middle', ca => 'ca', is_ca => 1);
$t->certificate('second', ca => 'middle', is_ca => 1);

$t->certificate('good', ca => 'ca');
$t->certificate('revoked', ca => 'ca');
$t->certificate('expired', ca => 'ca', days => -1);
$t->certificate('stranger', ca => 'stranger_ca');
$t->certificate('self');
$t->certificate('one', ca => 'middle');
$t->certificate('two', ca => 'second');

chain('one', 'middle');
chain('two', 'second', 'middle');
crl('revoked');

my $mta = $t->server('mta');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;

    smtp_log_format  tls  '$smtp_result|$smtp_status|$smtp_reply|'
                          '$ssl_client_verify|$ssl_client_s_dn|'
                          '$ssl_session_reused';
    smtp_access_log  %%TESTDIR%%/access.log  tls;
    smtp_access_log  %%TESTDIR%%/json.log    json;

    ssl_certificate         %%TESTDIR%%/localhost.crt;
    ssl_certificate_key     %%TESTDIR%%/localhost.key;
    ssl_client_certificate  %%TESTDIR%%/ca.crt;
    ssl_protocols           TLSv1.2 TLSv1.3;
    ssl_session_cache       shared:SSL:1m;

    smtp_ssl_server_name named.example.com {
        ssl_certificate      %%TESTDIR%%/localhost.crt;
        ssl_certificate_key  %%TESTDIR%%/localhost.key;
    }

    server {
        listen             127.0.0.1:%%PORT_on%%;
        listen             127.0.0.1:%%PORT_on_ssl%% ssl;
        protocol           smtp_ext;
        starttls           on;
        ssl_verify_client  on;
        ssl_crl            %%TESTDIR%%/ca.crl;
    }

    server {
        listen             127.0.0.1:%%PORT_optional%%;
        listen             127.0.0.1:%%PORT_optional_ssl%% ssl;
        protocol           smtp_ext;
        starttls           only;
        ssl_verify_client  optional;
    }

    server {
        listen             127.0.0.1:%%PORT_no_ca%%;
        listen             127.0.0.1:%%PORT_no_ca_ssl%% ssl;
        protocol           smtp_ext;
        starttls           on;
        ssl_verify_client  optional_no_ca;
    }

    server {
        listen             127.0.0.1:%%PORT_deep%%;
        listen             127.0.0.1:%%PORT_deep_ssl%% ssl;
        protocol           smtp_ext;
        starttls           on;
        ssl_verify_client  on;
        ssl_verify_depth   2;
    }

    server {
        listen    127.0.0.1:%%PORT_off%%;
        listen    127.0.0.1:%%PORT_off_ssl%% ssl;
        protocol  smtp_ext;
        starttls  on;
    }
}
EOC

my $greeting = '220 mx.example.com ESMTP';
my $none = '421 4.7.1 No required SSL certificate';
my $error = '421 4.7.1 SSL certificate error';

# appends certificates to that of a client

sub chain {
    my ($name, @others) = @_;

    $t->write_file("$name.crt", join '', map { $t->read_file("$_.crt") }
                                             $name, @others);
}

sub x509 {
    my ($name, @what) = @_;

    my $out = `openssl x509 -in '$dir/$name.crt' -noout @what`;

    chomp $out;

    return $out =~ s/^[^=]*=\s*//r;
}

# a list of the CA with this certificate on it

sub crl {
    my ($name) = @_;

    $t->write_file('index.txt', "R\t300101000000Z\t250101000000Z\t"
                                . x509($name, '-serial')
                                . "\tunknown\t/CN=$name\n");
    $t->write_file('crl.cnf', "[ca]\ndefault_ca = d\n[d]\n"
                              . "database = $dir/index.txt\n"
                              . "default_md = sha256\n");

    system("openssl ca -gencrl -config '$dir/crl.cnf' -crldays 30"
           . " -cert '$dir/ca.crt' -keyfile '$dir/ca.key'"
           . " -out '$dir/ca.crl' 2>'$dir/crl.out'")
        and die 'openssl ca: ' . $t->read_file('crl.out');
}


# A client with TLS, by STARTTLS or at once (".._ssl"); and the first that it
# is told under TLS, to EHLO in the first case.

sub tls {
    my ($port, $name, %o) = @_;

    my %ssl = %o;

    %ssl = (%ssl, SSL_cert_file => "$dir/$name.crt",
                  SSL_key_file => "$dir/$name.key") if $name;

    return $t->client($port, ssl => \%ssl) if $port =~ /_ssl$/;

    my $c = $t->client($port);

    $c->read_reply();
    $c->starttls(%ssl);

    return $c;
}

sub first {
    my ($port, $c) = @_;

    my $reply = $port =~ /_ssl$/ ? $c->read_reply() : $c->cmd('EHLO a');

    # the rest of what it would be

    return $reply . ($c->eof() ? '' : ', but not closed') if $reply =~ /^4/;
    return $reply eq $greeting || $reply =~ /^250-mx/ ? 'ok' : $reply;
}

my %expect = (
    on => { '' => $none, good => 'ok', revoked => $error, expired => $error,
            stranger => $error, self => $error, two => $error },
    optional => { '' => 'ok', good => 'ok', revoked => 'ok', one => 'ok',
                  expired => $error, stranger => $error, two => $error },
    no_ca => { '' => 'ok', good => 'ok', expired => $error, stranger => 'ok',
               self => 'ok' },
    deep => { '' => $none, good => 'ok', one => 'ok', two => 'ok' },
    off => { '' => 'ok', good => 'ok', stranger => 'ok' },
);

for my $server (sort keys %expect) {
    for my $port ($server, "${server}_ssl") {
        for my $name (sort keys %{$expect{$server}}) {
            is first($port, tls($port, $name)), $expect{$server}{$name},
               "$port: " . ($name || 'no certificate');
        }
    }
}

for my $port ('on', 'on_ssl') {
    my @name = (SSL_hostname => 'named.example.com');

    is first($port, tls($port, '', @name)), $none,
       "$port: no certificate, under a name";
    is first($port, tls($port, 'good', @name)), 'ok',
       "$port: a good one, under a name";
}

# What the refused say after STARTTLS, and what they are told.  The reply is
# not lost when there was more.

my $c = tls('on', '');

is $c->cmd('QUIT'), '221 2.0.0 Bye', 'QUIT is not refused';

for ('NOOP', 'FOO', 'STARTTLS', 'MAIL FROM:<a@b.example>',
     'AUTH PLAIN AGEAYg==', 'HELO a', 'DATA', 'BDAT 3 LAST', '')
{
    my $c = tls('on', 'stranger');

    is $c->cmd($_), $error, "refused: '$_'";
}

$c = tls('on', '');
$c->pipeline('EHLO a', 'MAIL FROM:<a@b.example>', ('NOOP') x 2000);
is $c->read_reply(), $none, 'a batch: the reply comes';
ok $c->eof(), 'and no other';

is scalar(() = $mta->commands()), 0, 'nothing has gone on';


# in the log

sub line {
    my ($port, $name, %o) = @_;

    my $n = () = $t->access_log() =~ /\n/g;
    my $c = tls($port, $name, %o);

    if (first($port, $c) eq 'ok') {
        $c->cmd('EHLO a');
        $c->send_message();
        $c->quit();
    }

    my $line = ($t->access_lines($n + 1))[-1];

    return $line =~ s/OK id=\w+/OK/r;
}

for ('', '_ssl') {
    is line("on$_", ''), 'refused|421|4.7.1 No required SSL certificate|NONE'
                         . '|-|.', "on$_: refused for none";
    is line("on$_", 'stranger'),
       'refused|421|4.7.1 SSL certificate error|FAILED:'
       . 'unable to verify the first certificate|CN=stranger|.',
       "on$_: refused for a stranger's";
    is line("on$_", 'good'), 'accepted|250|2.0.0 OK|SUCCESS|CN=good|.',
       "on$_: accepted";
}

is line('off_ssl', 'good'), 'accepted|250|2.0.0 OK|NONE|-|.',
   'off: not asked for';

# what was established before is so after a session was resumed

for my $version ('TLSv1_2', 'TLSv1_3') {
    for my $name ('good', 'stranger') {
        my $sessions = IO::Socket::SSL::SSL_Context->new(
            SSL_verify_mode => 0,
            SSL_version => $version,
            SSL_session_cache_size => 1,
            SSL_cert_file => "$dir/$name.crt",
            SSL_key_file => "$dir/$name.key",
        );

        my @lines = map { line('on_ssl', '', SSL_reuse_ctx => $sessions,
                               SSL_session_key => 'k') } 1, 2;

        if ($name eq 'good') {
            is_deeply [ map { /([^|]+)\|([^|]+\|.)$/ } @lines ],
                      [ 'SUCCESS', 'CN=good|.', 'SUCCESS', 'CN=good|r' ],
                      "$version: a session of a good one";
        } else {
            is_deeply [ grep { !/^refused\|421\|.*CN=stranger/ } @lines ], [],
                      "$version: no session makes a bad one good";
        }
    }
}

# each fact

$c = tls('on_ssl', 'good', SSL_version => 'TLSv1_3',
         SSL_alpn_protocols => [ 'smtp' ], SSL_hostname => 'mx.example.com',
         SSL_ecdh_curve => 'P-256');
$c->read_reply();
$c->ehlo();
$c->send_message();
$c->quit();

ok $t->wait_log(qr/"ssl_alpn_protocol":"smtp"/, 'json.log'), 'JSON';

my $values = decode_json((split /\n/, $t->read_file('json.log'))[-1]);

is $values->{ssl_protocol}, 'TLSv1.3', '$ssl_protocol';
is $values->{ssl_cipher}, 'TLS_AES_256_GCM_SHA384', '$ssl_cipher';
is $values->{ssl_curve}, 'prime256v1', '$ssl_curve';
is $values->{ssl_server_name}, 'mx.example.com', '$ssl_server_name';
is $values->{ssl_session_reused}, '.', '$ssl_session_reused';
is $values->{ssl_client_verify}, 'SUCCESS', '$ssl_client_verify';
is $values->{ssl_client_s_dn}, 'CN=good', '$ssl_client_s_dn';
is $values->{ssl_client_i_dn}, 'CN=ca', '$ssl_client_i_dn';
is $values->{ssl_client_serial}, x509('good', '-serial'),
   '$ssl_client_serial';
is uc $values->{ssl_client_fingerprint},
   x509('good', '-fingerprint -sha1') =~ s/://gr, '$ssl_client_fingerprint';
is $values->{ssl_client_v_start}, x509('good', '-startdate'),
   '$ssl_client_v_start';
is $values->{ssl_client_v_end}, x509('good', '-enddate'),
   '$ssl_client_v_end';
is $values->{ssl_client_v_remain}, 2, '$ssl_client_v_remain';

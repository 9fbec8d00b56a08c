#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# A Postfix of the test's own as a next hop that has TLS and wants a login.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Postfix;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $why_not = Test::Nginx::SmtpExt::Postfix->why_not();

plan skip_all => $why_not if $why_not;


# Dovecot's side of Postfix's "smtpd_sasl_type = dovecot": the auth protocol,
# version 1.2, as far as Postfix speaks it.

package Test::Dovecot {
    use base 'Test::Nginx::SmtpExt::Daemon';
    use MIME::Base64 qw/ decode_base64 encode_base64 /;

    sub on_accept {
        my ($self, $c) = @_;

        $self->send($c, join "\n", "VERSION\t1\t2", "CUID\t$c->{n}",
                    'COOKIE' . "\t" . '0' x 32,
                    map({ "MECH\t$_" } qw/ PLAIN LOGIN CRAM-MD5 /), "DONE\n");
    }

    sub on_data {
        my ($self, $c) = @_;

        while ($c->{in} =~ s/^([^\n]*)\n//) {
            my ($verb, $id, @rest) = split /\t/, $1;

            next unless $verb eq 'AUTH' || $verb eq 'CONT';

            $c->{mech}{$id} = $rest[0] if $verb eq 'AUTH';

            my ($resp) = $verb eq 'CONT' ? $rest[0] // ''
                         : map { /^resp=(.*)/ } @rest;

            push @{$c->{said}{$id}}, decode_base64($resp) if defined $resp;
            $self->step($c, $id, $c->{mech}{$id}, @{$c->{said}{$id} || []});
        }
    }

    sub step {
        my ($self, $c, $id, $mech, @said) = @_;

        my $challenge = '<1.2@mta.example.net>';
        my $ask = sub {
            $self->send($c, "CONT\t$id\t" . encode_base64($_[0], '') . "\n");
        };

        my ($user, $pass);

        if ($mech eq 'PLAIN') {
            (undef, $user, $pass) = split /\0/, $said[0], 3;

        } elsif ($mech eq 'LOGIN') {
            return $ask->(@said ? 'Password:' : 'Username:') if @said < 2;
            ($user, $pass) = @said;

        } else {
            return $ask->($challenge) if !@said;

            my ($name, $digest) = $said[0] =~ /^(.*) (\w+)$/;
            my $known = $self->{o}{users}{$name} // '';

            ($user, $pass) = ($name, $known)
                if $digest eq Test::Nginx::SmtpExt::Server::_hmac_md5(
                                  $challenge, $known);
        }

        my $ok = defined $user && ($self->{o}{users}{$user} // '') eq $pass;

        $self->send($c, $ok ? "OK\t$id\tuser=$user\n"
                            : "FAIL\t$id\tuser=" . ($user // '') . "\n");
    }
}


my $t = Test::Nginx::SmtpExt->new();
my $dir = $t->testdir();
my $secret = $t->secret('s3cret-of-alice');
my $ours = $t->secret('s3cret-of-ours');

$t->certificate('ca', is_ca => 1);
$t->certificate('mta', ca => 'ca', cn => 'mta.example.net');
$t->write_file('own', $ours);
$t->write_file('wrong', 'wrong');

my $dovecot = Test::Dovecot->new("unix:$dir/auth",
    users => { alice => $secret, ours => $ours });

my $postfix = Test::Nginx::SmtpExt::Postfix->new($t, 'postfix', main => <<"EOF");
inet_protocols = all
default_transport = discard
smtpd_tls_security_level = may
smtpd_tls_cert_file = $dir/mta.crt
smtpd_tls_key_file = $dir/mta.key
smtpd_tls_auth_only = no
smtpd_tls_received_header = yes
smtpd_tls_session_cache_database =
smtpd_tls_loglevel = 1
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = $dir/auth
smtpd_sasl_authenticated_header = yes
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_authorized_xforward_hosts = 127.0.0.1
smtpd_client_restrictions =
    check_client_access inline:{ {192.0.2.66 = 554 5.7.1 Not you} }
smtpd_delay_reject = no
EOF

# ... and behind the PROXY protocol

$postfix->add_smtpd('haproxy', '-o smtpd_upstream_proxy_protocol=haproxy');

my $http = $t->http('http', on => { '/auth' => sub {
    my ($r) = @_;

    return { status => 200, headers => [ 'Auth-Status' =>
        ($r->{headers}{'auth-pass'} // '') eq $secret ? 'OK' : 'no' ] };
} });

$t->write_conf(<<'EOC')->plan(68);
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_relay_from        127.0.0.1;
    smtp_pass              smtp://127.0.0.1:%%PORT_postfix%%;
    smtp_body_buffer_size  64k;
    smtp_temp_path         %%TESTDIR%%/smtp_temp;

    smtp_pass_ssl_trusted_certificate  ca.crt;
    smtp_pass_ssl_name                 mta.example.net;

    server {
        listen    127.0.0.1:%%PORT_default%%;
        protocol  smtp_ext;
    }

    server {
        listen         127.0.0.1:%%PORT_off%%;
        protocol       smtp_ext;
        smtp_pass_tls  off;
    }

    server {
        listen               127.0.0.1:%%PORT_wrong%%;
        protocol             smtp_ext;
        smtp_pass_tls        required;
        smtp_pass_ssl_name   mta.example.org;
    }

    server {
        listen                        127.0.0.1:%%PORT_own%%;
        protocol                      smtp_ext;
        smtp_pass_tls                 required;
        smtp_pass_auth                own;
        smtp_pass_auth_user           ours;
        smtp_pass_auth_password_file  own;
    }

    server {
        listen                        127.0.0.1:%%PORT_own_login%%;
        protocol                      smtp_ext;
        smtp_pass_auth                own;
        smtp_pass_auth_user           ours;
        smtp_pass_auth_password_file  own;
        smtp_pass_auth_methods        login;
    }

    server {
        listen                        127.0.0.1:%%PORT_own_cram%%;
        protocol                      smtp_ext;
        smtp_pass_tls                 off;
        smtp_pass_auth                own;
        smtp_pass_auth_user           ours;
        smtp_pass_auth_password_file  own;
    }

    server {
        listen                        127.0.0.1:%%PORT_own_wrong%%;
        protocol                      smtp_ext;
        smtp_pass_auth                own;
        smtp_pass_auth_user           ours;
        smtp_pass_auth_password_file  wrong;
    }

    server {
        listen                 127.0.0.1:%%PORT_xclient%%;
        protocol               smtp_ext;
        smtp_auth_http         http://127.0.0.1:%%PORT_http%%/auth;
        smtp_auth_require_tls  off;
        smtp_pass_xclient      on;
        smtp_xclient_from      127.0.0.1;
        smtp_relay_from        127.0.0.1 192.0.2.0/24 2001:db8::/32;
    }

    server {
        listen              127.0.0.1:%%PORT_xforward%%;
        protocol            smtp_ext;
        smtp_pass_xforward  on;
        smtp_xclient_from   127.0.0.1;
        smtp_relay_from     192.0.2.0/24;
    }

    server {
        listen                    127.0.0.1:%%PORT_v1%%;
        protocol                  smtp_ext;
        smtp_pass                 smtp://127.0.0.1:%%PORT_haproxy%%;
        smtp_pass_proxy_protocol  v1;
        smtp_xclient_from         127.0.0.1;
        smtp_relay_from           192.0.2.0/24 2001:db8::/32;
    }

    server {
        listen                    127.0.0.1:%%PORT_v2%%;
        protocol                  smtp_ext;
        smtp_pass                 smtp://127.0.0.1:%%PORT_haproxy%%;
        smtp_pass_proxy_protocol  v2;
        smtp_auth_http            http://127.0.0.1:%%PORT_http%%/auth;
        smtp_auth_require_tls     off;
        smtp_xclient_from         127.0.0.1;
        smtp_relay_from           192.0.2.0/24 2001:db8::/32;
    }

    server {
        listen                  127.0.0.1:%%PORT_client%%;
        protocol                smtp_ext;
        smtp_auth_http          http://127.0.0.1:%%PORT_http%%/auth;
        smtp_auth_require_tls   off;
        smtp_pass_auth          client;
    }
}
EOC

ok $postfix->start(), 'postfix listens' or BAIL_OUT('no postfix');

$t->run();

my $stored = 0;

sub client {
    my ($port, $user, $pass) = @_;

    my $c = $t->client($port, timeout => 20);

    $c->read_reply();
    $c->ehlo();
    $c->auth_plain($user, $pass) if defined $user;

    return $c;
}

# the trace fields of the last message

sub message {
    my $subject = "Subject: $stored\n";

    ok $postfix->wait_stored('one', ++$stored), 'it is stored';

    my ($text) = grep { /\Q$subject\E/ } $postfix->stored('one');

    return join "\n", map { s/\s+/ /gr }
           ($text // '') =~ /^(Received:.*(?:\n[ \t].*)*)/mg;
}

# Postfix writes its log some time after its reply

sub logged {
    my ($what) = @_;

    return 1 if poll(sub { $postfix->log() =~ $what }, 8);

    diag $postfix->log();
    return 0;
}


sub send_to_one {
    my ($c) = @_;

    return $c->send_message(to => 'one@example.com',
                            data => "Subject: $stored\r\n\r\n"
                                    . "$stored\r\n" x 30_000);
}

# TLS

like send_to_one(client('default')), qr/^250/, 'opportunistic: taken';
like message(), qr/\(using TLSv1\.3 with cipher \S+ .*\) .*by mta\.example\.net .*with ESMTPS/,
     'under TLS, says Postfix';
like send_to_one(client('off')), qr/^250/, 'off: taken';
like message(), qr/by mta\.example\.net .*with ESMTP id/, 'without, says Postfix';
is client('wrong')->send_message(to => 'one@example.com'),
   '451 4.7.5 No secure connection to the destination server',
   'required of another name: refused';

# a login

my $relay = 'x@elsewhere.example';

like client('default')->send_message(to => $relay),
     qr/^554 5\.7\.1 .*Relay access denied/, 'without a login, no relaying';

for (
    [ own => 'ours', 'PLAIN' ],
    [ own_login => 'ours', 'LOGIN' ],
    [ own_cram => 'ours', 'CRAM-MD5' ],
    [ client => 'alice', 'PLAIN', 'alice', $secret ],
) {
    my ($port, $user, $mech, @login) = @$_;
    my $c = client($port, @login);

    like $c->send_message(to => $relay), qr/^250/, "$port: may relay";
    like send_to_one($c), qr/^250/, 'once more, for us';
    like message(), qr/\(Authenticated sender: $user\)/, "as $user";
    ok logged(qr/sasl_method=$mech, sasl_username=$user/), "by $mech";
}

is client('own_wrong')->send_message(to => $relay),
   '451 4.7.0 Cannot log in to the destination server',
   'a wrong password: refused';
like client('client')->send_message(to => $relay),
     qr/^554 5\.7\.1 .*Relay access denied/, 'a client without a login';

# who the client is

sub xclient {
    my ($port, $attrs, @login) = @_;
    my $c = client($port);

    $c->cmd("XCLIENT DESTADDR=192.0.2.25 DESTPORT=25 $attrs");
    $c->ehlo('spike.example');
    $c->auth_plain(@login) if @login;

    return $c;
}

for my $attrs ('ADDR=192.0.2.1 PORT=4242', 'ADDR=192.0.2.1 PORT=4242') {
    my $c = xclient('xclient', "NAME=spike.example $attrs");

    for (1 .. 2) {
        like send_to_one($c), qr/^250/, 'XCLIENT: taken';
        like message(), qr/^Received: from spike\.example \(spike\.example \[192\.0\.2\.1\]\) \(using TLS/,
             'it is that client, says Postfix';
    }
}

my $c = xclient('xclient', 'ADDR=192.0.2.1', 'alice', $secret);

like $c->send_message(to => $relay), qr/^250/, 'with a login it may relay';
like send_to_one($c), qr/^250/, 'once more, for us';
like message(), qr/^Received: from spike\.example \(unknown \[192\.0\.2\.1\]\).*\(Authenticated sender: alice\)/,
     'as that user';
is xclient('xclient', 'ADDR=192.0.2.66')->send_message(to => 'one@example.com'),
   '554 5.7.1 <unknown[192.0.2.66]>: Client host rejected: Not you',
   'one that Postfix does not like';
ok logged(qr/from unknown\[192\.0\.2\.66\]: 554/),
   'which has seen who it is';

like send_to_one(xclient('xforward', 'NAME=spike.example ADDR=192.0.2.1')),
     qr/^250/, 'XFORWARD: taken';
like message(), qr/^Received: from mx\.example\.com \(unknown \[127\.0\.0\.1\]\)/,
     'from us, says Received';
ok logged(qr/client=unknown\[127\.0\.0\.1\], orig_queue_id=\w+, orig_client=spike\.example\[192\.0\.2\.1\]/),
   'but the log has the client';

for my $port (qw/ v1 v2 /) {
    like send_to_one(xclient($port, 'ADDR=192.0.2.1 PORT=4242')), qr/^250/,
         "PROXY protocol $port: taken";
    like message(), qr/^Received: from mx\.example\.com \(unknown \[192\.0\.2\.1\]\) \(using TLS/,
         'from that client';

    my $c = xclient($port, 'ADDR=IPV6:2001:db8::1 PORT=4242'
                           . ' DESTADDR=IPV6:2001:db8::25');

    like send_to_one($c), qr/^250/, 'IPv6: taken';
    like message(), qr/\(unknown \[IPv6:2001:db8::1\]\)/, 'from that client';
}

like send_to_one(xclient('v2', 'ADDR=192.0.2.1 PORT=4242', 'alice', $secret)),
     qr/^250/, 'with values that Postfix does not know: taken';
like message(), qr/^Received: from mx\.example\.com \(unknown \[192\.0\.2\.1\]\)/,
     'from that client';

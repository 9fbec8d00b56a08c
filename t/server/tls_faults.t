#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Clients that do TLS badly: garbage, silence, an end in the middle, old
# versions, renegotiation, records in any pieces; and how TLS ends.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ time /;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Tls;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

use constant TIOCOUTQ => 0x5411;

# as configured, and how much longer a wait may be

use constant HANDSHAKE => 0.5;
use constant SLACK => 1.5;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(126);

$t->certificate($_) for qw/ localhost named client /;

my $mta = $t->server('mta');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name       mx.example.com;
    smtp_recipient    * { smtp_pass smtp://127.0.0.1:%%PORT_mta%%; }
    smtp_access_log   %%TESTDIR%%/access.log;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;
    ssl_protocols        TLSv1.2 TLSv1.3;

    smtp_ssl_server_name named.example.com {
        ssl_certificate      %%TESTDIR%%/named.crt;
        ssl_certificate_key  %%TESTDIR%%/named.key;
    }

    server {
        listen    unix:%%TESTDIR%%/starttls;
        listen    unix:%%TESTDIR%%/ssl ssl;
        protocol  smtp_ext;
        starttls  on;
        timeout   20s;
    }

    server {
        listen                127.0.0.1:%%PORT_short%%;
        listen                127.0.0.1:%%PORT_short_ssl%% ssl;
        protocol              smtp_ext;
        starttls              on;
        timeout               500ms;
        smtp_command_timeout  20s;
    }

    server {
        listen                127.0.0.1:%%PORT_command%% ssl;
        protocol              smtp_ext;
        smtp_command_timeout  400ms;
    }

    server {
        listen             unix:%%TESTDIR%%/accept ssl;
        protocol           smtp_ext;
        smtp_early_talker  accept;
    }

    server {
        listen         127.0.0.1:%%PORT_old%% ssl;
        protocol       smtp_ext;
        ssl_protocols  TLSv1 TLSv1.1;
        ssl_ciphers    ALL:@SECLEVEL=0;
    }

    server {
        listen             unix:%%TESTDIR%%/verify ssl;
        protocol           smtp_ext;
        ssl_verify_client  optional_no_ca;
    }
}
EOC

my $greeting = '220 mx.example.com ESMTP';
my $ok = '250 2.0.0 OK';


# a client before its handshake, by STARTTLS or at once (".._ssl", "unix:ssl")

sub before {
    my ($port) = @_;

    my $c = $t->client($port);

    if ($port !~ /ssl|old|command|accept|verify/) {
        $c->read_reply();
        $c->cmd('STARTTLS') =~ /^220 / or die 'STARTTLS';
    }

    return $c;
}

sub tls { return Test::Nginx::SmtpExt::Tls->new(@_) }

sub sender {
    my ($c) = @_;

    return sub { $c->send_raw($_[0], quiet => 1) };
}

# one that has its handshake behind it, and the greeting

sub established {
    my ($port, %o) = @_;

    my $c = before($port);
    my $tls = tls($c, %o);

    $tls->handshake(sender($c)) or die 'handshake: ' . $tls->alert();
    $tls->read_reply() unless $port =~ /starttls/;

    return ($c, $tls);
}

# until nginx has read all that was sent to a unix socket

sub wait_read {
    my ($socket) = @_;
    my $end = time() + scaled(8);

    while (time() < $end) {
        my $unread = pack 'i', 0;

        ioctl $socket, TIOCOUTQ, $unread or die "ioctl: $!\n";
        return unless unpack 'i', $unread;
        select undef, undef, undef, 0.0001;
    }
}

# sends octets one by one, each when the one before was read

sub dripper {
    my ($c) = @_;

    return sub {
        for my $octet (split //, $_[0]) {
            $c->send_raw($octet, quiet => 1);
            wait_read($c->socket());
        }
    };
}

# what the server says to a client that has no TLS: an alert, at most

sub said {
    my ($c) = @_;

    my $octets = '';

    $octets .= $c->read_bytes(1) until $c->state() =~ /closed|reset|timeout/;

    my $text = $c->state();

    $text = sprintf 'alert %d, ', ord $1
        if $octets =~ s/\A\x15\x03.\x00\x02\x02(.)\z//s;
    $text = '' if $text !~ /^alert|timeout/;

    return ($octets eq '' ? $text : "$text$octets") || 'nothing';
}


# no handshake at all

my $hello = tls(undef, name => 'named.example.com')->hello();

my @garbage = (
    [ 'a command', "EHLO client.example.com\r\n" ],
    [ 'HTTP', "GET / HTTP/1.1\r\nHost: a\r\n\r\n" ],
    [ 'zeroes', "\0" x 1000 ],
    [ 'ones', "\xff" x 1000 ],
    [ 'SSL 2.0', "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10"
                 . "\x01" x 37 ],
    [ 'data', "\x17\x03\x03\x00\x10" . 'x' x 16 ],
    [ 'a large record', "\x16\x03\x01\xff\xff" . 'x' x 65535 ],
    [ 'an empty hello', "\x16\x03\x01\x00\x04\x01\x00\x00\x00" ],
    [ 'a large hello', "\x16\x03\x01\x40\x00\x01\xff\xff\xff" . 'x' x 16380 ],
    [ 'ChangeCipherSpec', "\x14\x03\x03\x00\x01\x01" x 100 ],
    [ 'Finished', "\x16\x03\x03\x00\x10\x14\x00\x00\x0c" . 'x' x 12 ],
    [ 'a hello that is cut', substr($hello, 0, 100) . "\x15\x03\x01\x00\x02" ],
    [ 'two hellos', $hello x 2 ],
    [ 'a type of name that is none', name_changed("\x01", 0) ],
    [ 'a name with NUL', name_changed("\0", 5) ],
    [ 'an empty name', name_changed("\0\0", 1) ],
    [ 'a name too long for its list', name_changed("\x01", 2) ],
    [ 'a list too long for its extension', name_changed("\x01", -2) ],
);

# the ClientHello with octets changed, as of the type in the list of names

sub name_changed {
    my ($octets, $at) = @_;

    my $changed = $hello;
    my $place = index($changed, 'named.example.com') - 3;

    substr $changed, $place + $at, length $octets, $octets;

    return $changed;
}

for my $port ('unix:starttls', 'unix:ssl') {
    for (@garbage) {
        my ($name, $octets) = @$_;
        my $c = before($port);

        $c->send_raw($octets, quiet => 1);
        $c->shutdown_write();
        like said($c), $name eq 'two hellos' ? qr/^\x16\x03/
                                             : qr/^(?:nothing|alert \d+, )$/,
             "$port: $name: closed, and nothing in clear";
    }
}

# an end in the middle

for my $port ('unix:starttls', 'unix:ssl') {
    for my $length (0, 1, 5, 60, length $hello) {
        for my $how ('close', 'reset') {
            my $c = before($port);

            $c->send_raw(substr($hello, 0, $length), quiet => 1);
            wait_read($c->socket());
            $c->$how();
        }
    }

    my ($c, $tls) = established($port);

    is $tls->cmd('NOOP'), $ok, "$port: after those that left in the middle";
}

# silence: the time is that of the whole handshake

for my $port ('short', 'short_ssl') {
    for my $length (0, 1, 60, length $hello) {
        my $c = before($port);
        my $start = time();

        $c->send_raw(substr($hello, 0, $length), quiet => 1);

        like said($c), $length == length $hello ? qr/^\x16\x03/ : qr/^nothing/,
             "$port: silence after $length octets: closed";
        cmp_ok time() - $start, '<', HANDSHAKE + scaled(SLACK),
               "$port: silence after $length octets: in time";
    }

    my $c = before($port);
    my $start = time();
    my $sent = 0;

    for my $octet (split //, $hello) {
        $c->send_raw($octet, quiet => 1);
        $sent++;

        vec(my $bits = '', fileno $c->socket(), 1) = 1;
        last if select $bits, undef, undef, 0.01;
    }

    cmp_ok $sent, '<', length $hello, "$port: in drips: not for ever";
    like said($c), qr/^nothing/, "$port: in drips: closed";
}

# old versions

for my $version ('TLSv1', 'TLSv1.1') {
    for my $port ('unix:starttls', 'unix:ssl') {
        my $c = before($port);
        my $tls = tls($c, version => $version);

        ok !$tls->handshake(sender($c)), "$port: $version is refused";
        like $tls->alert(), qr/alert protocol version|unsupported protocol/,
             "$port: $version is refused by an alert";
    }

    my ($c, $tls) = established('old', version => $version);

    is $tls->cmd('NOOP'), $ok, "$version where it is configured";
}

# octet by octet, and in fragments of one octet

for my $version ('TLSv1.2', 'TLSv1.3') {
    for my $port ('unix:starttls', 'unix:ssl', 'unix:verify') {
        my $c = before($port);
        my $tls = tls($c, version => $version, name => 'named.example.com',
                      cert => $t->testdir() . '/client.crt',
                      key => $t->testdir() . '/client.key');
        my $drip = dripper($c);

        ok $tls->handshake($drip), "$port: $version, octet by octet"
            or diag $tls->alert();
        $tls->read_reply() unless $port eq 'unix:starttls';

        $drip->($tls->seal("EHLO a\r\nNOOP\r\n"));
        like $tls->read_reply(), qr/^250-mx\.example\.com\n/,
             "$port: $version, a command";
        is $tls->read_reply(), $ok, "$port: $version, another";
    }

    my $c = before('unix:ssl');
    my $tls = tls($c, version => $version, name => 'named.example.com');

    # the content of the record, each octet in one of its own

    my ($head, $content) = unpack 'a3 x2 a*', $tls->hello();

    $c->send_raw(join('', map { "$head\x00\x01$_" } split //, $content),
                 quiet => 1);
    ok $tls->fill() && $tls->handshake(sender($c)),
       "$version, a ClientHello in many records" or diag $tls->alert();
    is $tls->read_reply(), $greeting, "$version, and so it begins";
}

# what comes with the end of the handshake

for my $version ('TLSv1.2', 'TLSv1.3') {
    for my $port ('unix:starttls', 'unix:ssl', 'unix:accept') {
        my $c = before($port);
        my $tls = tls($c, version => $version);

        $tls->handshake(sender($c), hold => 1) or die 'handshake';

        # in TLS 1.2 the server has the last word

        my $last = $tls->pending() . $tls->seal("NOOP\r\nQUIT\r\n");

        $c->send_raw($last, quiet => 1);

        my @replies = map { $tls->read_reply() }
                          1 .. ($port eq 'unix:accept' ? 3 : 2);
        my @early = ('554 5.5.1 Client spoke before the greeting, '
                     . 'closing connection', '(ended)');

        # ... and greets at once: who is quick may be heard before that

        my $quick = $version eq 'TLSv1.2' && $port eq 'unix:ssl'
                    && $replies[0] eq $early[0];

        is_deeply \@replies,
                  $port eq 'unix:starttls' ? [ $ok, '221 2.0.0 Bye' ]
                  : $port eq 'unix:accept' ? [ $greeting, $ok,
                                               '221 2.0.0 Bye' ]
                  : $version eq 'TLSv1.2' && !$quick ? [ $greeting, $ok ]
                  : \@early,
                  "$port: $version: commands behind the handshake";
    }
}

# renegotiation

for my $port ('unix:starttls', 'unix:ssl') {
    my ($c, $tls) = established($port, version => 'TLSv1.2');

    Net::SSLeay::renegotiate($tls->ssl());
    Net::SSLeay::do_handshake($tls->ssl());
    $c->send_raw($tls->pending(), quiet => 1);
    $tls->fill();
    Net::SSLeay::do_handshake($tls->ssl());

    like $tls->alert(), qr/no renegotiation/,
         "$port: renegotiation is refused";
}

# what is no record of theirs

for my $port ('unix:starttls', 'unix:ssl') {
    for my $octets ("NOOP\r\n", "\x17\x03\x03\x00\x20" . 'x' x 32) {
        my ($c, $tls) = established($port);

        $c->send_raw($octets, quiet => 1);
        is $tls->read_reply(), '(failed)',
           "$port: octets that are not encrypted";
    }
}


# The end.  Who says QUIT, or is told 421, sees that TLS ends before the
# connection does.

for my $version ('TLSv1.2', 'TLSv1.3') {
    my ($c, $tls) = established('unix:ssl', version => $version);

    is $tls->cmd('QUIT'), '221 2.0.0 Bye', "$version: QUIT";
    is $tls->read_line(), '(ended)', "$version: TLS ends";
    is $tls->fill() . $tls->state(), '(closed)',
       "$version: and then the connection";

    # with more behind it, which is not read; no reset destroys the reply

    ($c, $tls) = established('short_ssl', version => $version);

    my $more = $tls->seal("QUIT\r\n");

    $more .= $tls->seal('x' x 16000) for 1 .. 5;
    $c->send_raw($more, quiet => 1);
    is $tls->read_reply(), '221 2.0.0 Bye', "$version: QUIT before much else";
    is $tls->read_line(), '(ended)', "$version: TLS ends";
    is $tls->fill() . $tls->state(), '(closed)',
       "$version: by no reset";

    ($c, $tls) = established('command', version => $version);

    is $tls->read_reply(), '421 4.4.2 Timeout, closing connection',
       "$version: a timeout";
    is $tls->read_line(), '(ended)', "$version: TLS ends";

    # the client ends it

    ($c, $tls) = established('unix:ssl', version => $version);

    $c->send_raw($tls->bye(), quiet => 1);
    is $tls->read_line(), '(ended)', "$version: one end is answered by another";

    # in a message, by close_notify or without: it is none

    for my $bye (0, 1) {
        ($c, $tls) = established('unix:ssl', version => $version);

        $tls->cmd($_) for 'EHLO a', 'MAIL FROM:<a@b.example>',
                          'RCPT TO:<c@d.example>', 'DATA';
        $c->send_raw($tls->seal("Subject: cut\r\n\r\ncut\r\n")
                     . ($bye ? $tls->bye() : ''), quiet => 1);
        $c->shutdown_write();

        my $line = $tls->read_line();

        isnt substr($line, 0, 1), '2', "$version: a message that is cut off";
    }
}

is scalar(() = $mta->messages()), 0, 'nothing of it went on';

# and nginx is what it was

my ($c, $tls) = established('unix:ssl');

is $tls->cmd('NOOP'), $ok, 'after all that';

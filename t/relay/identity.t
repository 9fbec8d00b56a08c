#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Who the client is, for the next hop: the PROXY protocol, versions 1 and 2,
# and XCLIENT, as Postfix's XCLIENT_README has it.  What is said, when, and that
# a connection serves nobody else afterwards.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new();
my $dir = $t->testdir();
my $ms = scaled(1500);

$t->certificate('ca', is_ca => 1);
$t->certificate('mx.example.com', ca => 'ca');
$t->certificate('client', ca => 'ca', cn => 'client.example');

my $tls = { cert => "$dir/mx.example.com.crt", key => "$dir/mx.example.com.key" };
my @all = qw/ NAME ADDR PORT PROTO HELO REVERSE_NAME LOGIN DESTADDR DESTPORT /;
my @ext = qw/ PIPELINING 8BITMIME /;
my $secret = $t->secret('s3cret-passw0rd');

my $proxy = $t->server('proxy', proxy => 1, starttls => $tls, ehlo => \@ext);
my $proxys = $t->server('proxys', proxy => 1, ssl => $tls, ehlo => \@ext);
my $mta = $t->server('mta', ehlo => [ @ext, "XCLIENT @all" ], starttls => $tls,
                     auth => { ours => $secret });
my $second = $t->server('second', ehlo => [ @ext, "XCLIENT @all" ]);

my $dns = $t->dns('dns', zone => {
    '127.0.0.1' => { PTR => 'client.example.net' },
    'client.example.net' => { A => '127.0.0.1' },
});
my $nodns = $t->dns('nodns', zone => { '127.0.0.1' => { drop => 1 } });

my $http = $t->http('http', on => { '/auth' => sub {
    my ($r) = @_;

    return { status => 200, headers => [ 'Auth-Status' => 'OK' ] };
} });

$t->write_file('ours', $secret);

my $auth = "smtp_auth_http http://127.0.0.1:%%PORT_http%%/auth;
            smtp_auth_require_tls off;";

my %servers = (
    v1 => 'smtp_pass_proxy_protocol v1; smtp_pass proxy;',
    v2 => "smtp_pass_proxy_protocol v2; smtp_pass proxy;
           smtp_pass_tls off; $auth",
    v2_starttls => 'smtp_pass_proxy_protocol v2; smtp_pass proxy;
                    smtp_pass_tls required;',
    v2_tls => 'smtp_pass_proxy_protocol v2;
               smtp_pass smtps://127.0.0.1:%%PORT_proxys%%;',
    xclient => "smtp_pass_xclient on; smtp_pass_tls off; $auth",
    xclient_tls => 'smtp_pass_xclient on; smtp_pass_tls required;',
    xclient_auth => "smtp_pass_xclient on; smtp_pass_tls off; $auth
                     smtp_pass_auth own; smtp_pass_auth_user ours;
                     smtp_pass_auth_password_file ours;
                     smtp_pass_auth_security none;",
    xclient_dns => 'smtp_pass_xclient on; smtp_pass_tls off;
                    resolver 127.0.0.1:%%PORT_dns%% ipv6=off;',
    xclient_nodns => 'smtp_pass_xclient on; smtp_pass_tls off;
                      resolver 127.0.0.1:%%PORT_nodns%% ipv6=off;
                      resolver_timeout 300ms;',
    xclient_buffered => 'smtp_pass_xclient on; smtp_pass_tls off;
                         smtp_pass_mode buffered;',
    xclient_once => 'smtp_pass_xclient on; smtp_pass_tls off;
                     smtp_next_upstream error timeout mail_4xx;',
    xclient_always => "smtp_pass_xclient always; smtp_pass_tls off; $auth",
    nobody => 'smtp_pass_tls off;',
);

my $blocks = '';

for my $name (sort keys %servers) {
    my $pass = $servers{$name} =~ /smtp_pass / ? '' : 'smtp_pass  mta;';

    $blocks .= <<"EOC";
    server {
        listen    127.0.0.1:%%PORT_$name%%;
        protocol  smtp_ext;
        starttls  on;
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
    smtp_relay_from  127.0.0.1 ::1 unix: 192.0.2.0/24 2001:db8::/32;

    smtp_xclient_from   127.0.0.1;
    set_real_ip_from    127.0.0.1;
    smtp_early_talker   accept;

    ssl_certificate         mx.example.com.crt;
    ssl_certificate_key     mx.example.com.key;
    ssl_client_certificate  ca.crt;
    ssl_verify_client       optional;

    smtp_pass_connect_timeout   ${ms}ms;
    smtp_pass_greeting_timeout  ${ms}ms;

    smtp_upstream proxy {
        server  127.0.0.1:%%PORT_proxy%%  max_fails=0;
    }

    smtp_upstream mta {
        server  127.0.0.1:%%PORT_mta%%  max_fails=0;
        server  127.0.0.1:%%PORT_second%%  max_fails=0  backup;
    }

$blocks
    server {
        listen                    unix:%%TESTDIR%%/v1.sock;
        protocol                  smtp_ext;
        smtp_pass                 proxy;
        smtp_pass_proxy_protocol  v1;
    }

    server {
        listen                    unix:%%TESTDIR%%/v2.sock;
        protocol                  smtp_ext;
        smtp_pass                 proxy;
        smtp_pass_proxy_protocol  v2;
        smtp_pass_tls             off;
    }

    server {
        listen             unix:%%TESTDIR%%/xclient.sock;
        protocol           smtp_ext;
        smtp_pass          mta;
        smtp_pass_xclient  on;
        smtp_pass_tls      off;
    }

    server {
        listen                    127.0.0.1:%%PORT_behind%% proxy_protocol;
        protocol                  smtp_ext;
        smtp_pass                 proxy;
        smtp_pass_proxy_protocol  v1;
        smtp_pass_tls             off;
    }

    server {
        listen             127.0.0.1:%%PORT_xbehind%% proxy_protocol;
        protocol           smtp_ext;
        smtp_pass          mta;
        smtp_pass_xclient  on;
        smtp_pass_tls      off;
    }
}
EOC

my $ok = '250 2.1.5 recipient ok';
my $taken = '250 2.0.0 OK';
my $denied = '451 4.7.0 Cannot introduce the client to the destination server';
my $broken = '451 4.4.2 Connection to destination server failed';

sub client {
    my ($port, %o) = @_;
    my $c = $t->client($port, timeout => 15, %o);

    $c->read_reply();
    $c->ehlo();

    return $c;
}

sub rcpt {
    my ($c) = @_;

    $c->cmd('RSET');
    $c->mail('a@example.com');

    return $c->rcpt('b@example.com');
}

sub port_of { $_[0]->socket()->sockport() }

# what the last connection was told, up to MAIL

sub said {
    my ($server) = @_;

    return join ' | ', map { s/ SIZE=\d+//r }
                       $server->commands(($server // $mta)->connections());
}

sub last_proxy {
    my ($server) = @_;
    my @proxies = $server->proxies();

    return $proxies[-1];
}

my %mark;

sub prepare {
    my (%o) = @_;

    $mta->set(on => undef, fault => undef, ehlo => [ @ext, "XCLIENT @all" ],
              %o);
    $mark{$_} = $_->connections() for $mta, $second;
    $mark{log} = length $t->read_file('error.log');
}

sub logged {
    return substr($t->read_file('error.log'), $mark{log})
           =~ s/^.* \[debug\] .*\n//mgr;
}

$t->plan(164)->run();

# PROXY, version 1

my $c = client('v1');

is rcpt($c), $ok, 'version 1: taken';
is last_proxy($proxy), 'PROXY TCP4 127.0.0.1 127.0.0.1 ' . port_of($c) . ' '
                       . $t->port('v1'), 'both ends of the connection';
like said($proxy), qr/\AEHLO mx\.example\.com \| STARTTLS \| EHLO /,
     'and then everything else';

# the connection is the session's: for all of it, and not for longer

my $connections = $proxy->connections();

$c->cmd('RSET');
is $c->send_message() =~ s/ id=.*//r, $taken, "message $_" for 1 .. 3;
is $proxy->connections(), $connections, 'on the same connection';

my $other = client('v1');

is rcpt($other), $ok, 'another client: taken';
is $proxy->connections(), $connections + 1, 'on one of its own';
is last_proxy($proxy), 'PROXY TCP4 127.0.0.1 127.0.0.1 ' . port_of($other) . ' '
                       . $t->port('v1'), 'that is for it';

my $closed = $proxy->closed();

$c->quit();
ok $proxy->wait_closed($closed + 1), 'the first one ends, and so does its own';
is((grep { $_->{line} eq 'QUIT' } $proxy->events('command'))[-1]{n},
   $connections, 'with QUIT');
is rcpt($other), $ok, 'the other one goes on';
is $proxy->connections(), $connections + 1, 'where it was';
$other->close();
ok $proxy->wait_closed($closed + 2), 'until it ends';

# other clients

$c = client('unix:v1.sock');
is rcpt($c), $ok, 'a unix socket: taken';
is last_proxy($proxy), 'PROXY UNKNOWN', 'has no address';

$c = client('behind', proxy => "PROXY TCP4 192.0.2.1 198.51.100.25 4242 25\r\n");
is rcpt($c), $ok, 'behind the PROXY protocol: taken';
is last_proxy($proxy), 'PROXY TCP4 192.0.2.1 198.51.100.25 4242 25',
   'what its header says';
$c = client('behind', proxy => "PROXY TCP6 2001:db8::1 2001:db8::25 4242 25\r\n");
is rcpt($c), $ok, 'IPv6: taken';
is last_proxy($proxy), 'PROXY TCP6 2001:db8::1 2001:db8::25 4242 25',
   'what its header says';

for (
    [ 'ADDR=192.0.2.1 PORT=4242',
      'PROXY TCP4 192.0.2.1 127.0.0.1 4242 ' . $t->port('v1') ],
    [ 'ADDR=192.0.2.1', 'PROXY TCP4 192.0.2.1 127.0.0.1 0 ' . $t->port('v1') ],
    [ 'ADDR=192.0.2.1 PORT=4242 DESTADDR=198.51.100.25 DESTPORT=25',
      'PROXY TCP4 192.0.2.1 198.51.100.25 4242 25' ],
    [ 'ADDR=IPV6:2001:db8::1 PORT=4242 DESTADDR=IPV6:2001:db8::25 DESTPORT=25',
      'PROXY TCP6 2001:db8::1 2001:db8::25 4242 25' ],
    [ 'ADDR=IPV6:2001:db8::1 PORT=4242', 'PROXY UNKNOWN' ],
) {
    my ($attrs, $header) = @$_;

    $c = client('v1');
    $c->cmd("XCLIENT $attrs");
    $c->ehlo();
    is rcpt($c), $ok, "XCLIENT $attrs: taken";
    is last_proxy($proxy), $header, 'who is said to be the client';
}

# PROXY, version 2

my $signature = '0d0a0d0a000d0a515549540a';

# a header taken apart: command and family, addresses, { type => value }

sub values_of {
    my ($bytes) = @_;
    my %values;

    while (length $bytes) {
        my ($type, $value, $rest) = unpack 'C n/a a*', $bytes;

        $values{sprintf '%02x', $type} = $value;
        $bytes = $rest;
    }

    return \%values;
}

sub parse {
    my ($hex) = @_;

    my ($sig, $command, $length, $rest) = unpack 'a12 H4 n a*', pack 'H*', $hex;

    return 'bad signature' if unpack('H*', $sig) ne $signature;
    return 'bad length' if $length != length $rest;

    my $size = { '2111' => 12, '2121' => 36, '2100' => 0 }->{$command};

    return ($command, substr($rest, 0, $size),
            values_of(substr $rest, $size));
}

$c = client('v2');
is rcpt($c), $ok, 'version 2: taken';
is_deeply [ parse(last_proxy($proxy)) ],
          [ '2111', pack('C8 n2', 127, 0, 0, 1, 127, 0, 0, 1, port_of($c),
                         $t->port('v2')), { } ], 'addresses alone';

$c->cmd('RSET');
$c->auth_plain('alice@example.com', 'x');
is rcpt($c), $ok, 'and after a login: taken';
is((parse(last_proxy($proxy)))[2]{e0}, 'alice@example.com', 'with the name');

$c = client('unix:v2.sock');
is rcpt($c), $ok, 'a unix socket: taken';
is_deeply [ parse(last_proxy($proxy)) ], [ '2100', '', { } ],
          'has no address';

$c = client('v2_starttls');
$c->starttls(SSL_hostname => 'mx.example.com');
$c->ehlo();
is rcpt($c), $ok, 'under TLS: taken';

my ($family, $addrs, $values) = parse(last_proxy($proxy));

is $values->{'02'}, 'mx.example.com', 'the name that was asked for';
is unpack('H10', $values->{20}), '0100000001', 'no certificate';
is_deeply values_of(substr $values->{20}, 5),
          { 21 => $c->socket()->get_sslversion() =~ s/_/./r,
            23 => $c->socket()->get_cipher() }, 'version and cipher';

$c = client('v2_tls');
$c->starttls(SSL_cert_file => "$dir/client.crt",
             SSL_key_file => "$dir/client.key");
$c->ehlo();
is rcpt($c), $ok, 'a certificate, and TLS at the next hop: taken';
($family, $addrs, $values) = parse(last_proxy($proxys));
is unpack('H10', $values->{20}), '0700000000', 'that was verified';
is values_of(substr $values->{20}, 5)->{22}, 'client.example', 'whose it is';
is scalar(() = $proxys->events('tls')), 1, 'TLS comes behind the header';

# XCLIENT

my $xclient = 'EHLO mx.example.com | XCLIENT ';
my $mail = '| EHLO client.example.com | MAIL FROM:<a@example.com> | '
           . 'RCPT TO:<b@example.com>';

# the attributes in the order in which they come, without those not asked for

sub attrs {
    my ($c, $port, %o) = @_;

    return join(' ', map { "$_=" . ($o{$_} // '[UNAVAILABLE]') }
                     grep { !exists $o{$_} || defined $o{$_} }
                     qw/ ADDR PORT PROTO REVERSE_NAME LOGIN DESTADDR DESTPORT
                         NAME HELO /) . ' ';
}

sub usual {
    my ($c, $port) = @_;

    return (ADDR => '127.0.0.1', PORT => port_of($c), PROTO => 'ESMTP',
            HELO => 'client.example.com', DESTADDR => '127.0.0.1',
            DESTPORT => $t->port($port));
}

$c = client('xclient');
prepare();
is rcpt($c), $ok, 'XCLIENT: taken';
is said($mta), $xclient . attrs($c, 'xclient', usual($c, 'xclient')) . $mail,
   'all that is known, and what is not; then EHLO in the name of the client';
$c->cmd('RSET');
is $c->send_message() =~ s/ id=.*//r, $taken, 'message';
is $mta->connections(), $mark{$mta} + 1, 'on the same connection';
is scalar(grep { /XCLIENT/ } $mta->commands($mta->connections())), 1,
   'it is said once';

$other = client('nobody');
is rcpt($other), $ok, 'nobody is introduced: taken';
is $mta->connections(), $mark{$mta} + 2, 'on another connection';
$other->quit();

$closed = $mta->closed();
$c->quit();
ok $mta->wait_closed($closed + 1), 'it ends with the session';

# a login

$c = client('xclient');
$c->auth_plain('al+ice=1 @example.com', 'x');
is rcpt($c), $ok, 'after a login: taken';
is said($mta), $xclient . attrs($c, 'xclient', usual($c, 'xclient'),
                                LOGIN => 'al+2Bice+3D1+20@example.com') . $mail,
   'LOGIN, as xtext';
$c->quit();

$c = client('xclient');
$c->auth_plain('x' x 256, 'x');
is rcpt($c), $ok, 'one that is too long: taken';
like said($mta), qr/LOGIN=\[UNAVAILABLE\]/, 'and not said';
$c->quit();

$c = client('xclient_auth');
$c->auth_plain('alice@example.com', 'x');
is rcpt($c), $ok, 'where we log in: taken';
like said($mta), qr/LOGIN=\[UNAVAILABLE\] .* \| EHLO client\.example\.com \| AUTH PLAIN \S+ \| MAIL/,
     'it is our own login, behind XCLIENT';
$c->quit();

# TLS

$c = client('xclient_tls');
is rcpt($c), $ok, 'TLS: taken';
like said($mta), qr/\AEHLO mx\.example\.com \| STARTTLS \| EHLO mx\.example\.com \| XCLIENT .* \| EHLO client\.example\.com \| MAIL/,
     'XCLIENT under TLS';
$c->quit();

# names

$c = client('xclient_dns');
is rcpt($c), $ok, 'a resolver: taken';
is said($mta), $xclient . attrs($c, 'xclient_dns', usual($c, 'xclient_dns'),
                                NAME => 'client.example.net',
                                REVERSE_NAME => 'client.example.net') . $mail,
   'with the name';
$c->quit();

$c = client('xclient_nodns');
is rcpt($c), $ok, 'one that does not answer: taken';
like said($mta), qr/ REVERSE_NAME=\[TEMPUNAVAIL\] .* NAME=\[TEMPUNAVAIL\] /,
     'not known for now';
$c->quit();

# other clients

$c = client('unix:xclient.sock');
is rcpt($c), $ok, 'a unix socket: taken';
is said($mta), $xclient . attrs($c, 'xclient', PROTO => 'ESMTP',
                                HELO => 'client.example.com') . $mail,
   'has no address';
$c->quit();

$c = client('xbehind', proxy => "PROXY TCP6 2001:db8::1 2001:db8::25 4242 25\r\n");
is rcpt($c), $ok, 'IPv6: taken';
is said($mta), $xclient . attrs($c, '', ADDR => 'IPV6:2001:db8::1',
                                PORT => 4242, PROTO => 'ESMTP',
                                HELO => 'client.example.com',
                                DESTADDR => 'IPV6:2001:db8::25',
                                DESTPORT => 25) . $mail, 'with IPV6:';
$c->quit();

$c = client('xclient');
$c->cmd('XCLIENT NAME=spike.example ADDR=192.0.2.1 PORT=4242'
        . ' REVERSE_NAME=[TEMPUNAVAIL] DESTADDR=198.51.100.25 DESTPORT=25'
        . ' LOGIN=alice');
$c->ehlo();
is rcpt($c), $ok, 'XCLIENT of the client: taken';
is said($mta), $xclient . attrs($c, '', ADDR => '192.0.2.1', PORT => 4242,
                                PROTO => 'ESMTP', NAME => 'spike.example',
                                REVERSE_NAME => '[TEMPUNAVAIL]',
                                LOGIN => 'alice', DESTADDR => '198.51.100.25',
                                DESTPORT => 25,
                                HELO => 'client.example.com') . $mail,
   'goes on';
$c->quit();

$c = $t->client('xclient');
$c->read_reply();
$c->cmd('HELO [192.0.2.7]');
is rcpt($c), $ok, 'HELO: taken';
like said($mta), qr/ PROTO=SMTP .* HELO=\[192\.0\.2\.7\] \| EHLO \[192\.0\.2\.7\] \| MAIL/,
     'its protocol, its name; we speak ESMTP all the same';
$c->quit();

# what the server wants to know

for (
    [ 'NAME ADDR', 'ADDR=127.0.0.1 NAME=[UNAVAILABLE]' ],
    [ 'addr', 'ADDR=127.0.0.1' ],
    [ 'FOO ADDR BAR PROTO', 'ADDR=127.0.0.1 PROTO=ESMTP' ],
) {
    my ($names, $attrs) = @$_;

    prepare(ehlo => [ @ext, "XCLIENT $names" ]);
    $c = client('xclient');
    is rcpt($c), $ok, "$names: taken";
    is said($mta), "$xclient$attrs $mail", 'that is said';
    $c->quit();
}

prepare(ehlo => [ @ext, 'XCLIENT NAME' ]);
$c = client('xclient_always');
is rcpt($c), $ok, 'always: taken';
is said($mta), "${xclient}ADDR=127.0.0.1 NAME=[UNAVAILABLE] $mail",
   'though it is not offered';
$c->quit();

$c = client('xclient_always');
$c->auth_plain('alice@example.com', 'x');
is rcpt($c), $ok, 'after a login: taken';
is said($mta), "${xclient}ADDR=127.0.0.1 LOGIN=alice\@example.com"
               . " NAME=[UNAVAILABLE] $mail", 'with the name';
$c->quit();

for my $ehlo ([ @ext ], [ @ext, 'XCLIENT' ], [ @ext, 'XCLIENT NAME HELO' ]) {
    prepare(ehlo => $ehlo);
    $c = client('xclient_buffered');
    $c->mail('a@example.com');
    $c->rcpt('b@example.com');
    is $c->data("x\r\n") =~ s/ id=.*//r, $taken, "@$ehlo: another server";
    is said($mta), 'EHLO mx.example.com', 'nothing is said to this one';
    is $second->connections(), $mark{$second} + 1, 'but to that one';
    like logged(), qr/\[error\] .*upstream does not offer XCLIENT with ADDR/,
         'the log says why';
    $c->quit();
}

$second->set(ehlo => \@ext);
prepare(ehlo => \@ext);
$c = client('xclient');
is rcpt($c), $denied, 'no server has it';
$c->quit();
$second->set(ehlo => [ @ext, "XCLIENT @all" ]);

# commands of 512 octets at most

my $label = 'x' x 60 . '.';
my $long = substr($label x 5, 0, 248) . '.example';

for my $length (100, 180, 248) {
    my $name = substr($label x 5, 0, $length - 8) . '.example';

    prepare();
    $c = $t->client('xclient');
    $c->read_reply();
    $c->cmd("XCLIENT NAME=$name LOGIN=" . 'l' x $length
            . ' ADDR=IPV6:2001:db8:1111:2222:3333:4444:5555:6666');
    $c->cmd("EHLO $name");
    is rcpt($c), $ok, "long names, $length: taken";

    my @lines = map { s/^XCLIENT //r } grep { /^XCLIENT/ }
                $mta->commands($mta->connections());

    is scalar(@lines), 2, 'two commands';
    ok !(grep { length > 502 } @lines), 'none is too long';
    is $lines[0], "REVERSE_NAME=$name DESTADDR=127.0.0.1 DESTPORT="
                  . $t->port('xclient'), 'first what stays';
    like $lines[1], qr/\AADDR=IPV6:2001:db8:1111:2222:3333:4444:5555:6666 PORT=\[UNAVAILABLE\] PROTO=ESMTP LOGIN=l{$length} NAME=(\S+)(?: HELO=\Q$name\E)?\z/,
         'then the rest';
    is(($lines[1] =~ / NAME=(\S+)/)[0],
       $length == 248 ? '[UNAVAILABLE]' : $name,
       'the name, if there is room for it');
    like said($mta), qr/\| EHLO \Q$name\E \|/, 'and EHLO';
    $c->quit();
}

# what it says to that

for (
    [ '554 5.7.1 Client host rejected', '554 5.7.1 Client host rejected', 0 ],
    [ '450 4.7.1 Client host rejected', '450 4.7.1 Client host rejected', 0 ],
    [ '421 4.3.2 busy', $ok, 1 ],
    [ '550 5.7.0 insufficient authorization', $ok, 1 ],
    [ '501 5.5.4 Bad ADDR syntax', $ok, 1 ],
    [ '503 5.5.1 in transaction', $ok, 1 ],
    [ '250 2.0.0 ok', $ok, 1 ],
    [ '354 go on', $ok, 1 ],
) {
    my ($said, $reply, $next) = @$_;

    prepare(on => { XCLIENT => $said });
    $c = client('xclient');
    is rcpt($c), $reply, "$said: " . ($next ? 'another server' : 'the client');
    is $second->connections(), $mark{$second} + $next, 'that many others';
    $c->quit();
}

for (
    { on => { XCLIENT => '550 5.7.0 insufficient authorization' } },
    { on => { XCLIENT => '421 4.3.2 busy' } },
    { ehlo => \@ext },
    { fault => { at => 'XCLIENT', do => 'garbage' } },
    { fault => { at => 'EHLO', do => 'garbage', data => "250 x\r\n250 y\r\n" },
      ehlo => [ @ext, "XCLIENT @all" ] },
) {
    prepare(%$_);
    $c = client('xclient_once');
    like rcpt($c), qr/^451 /, 'it can be left at that';
    is $second->connections(), $mark{$second}, 'no other server';
    $c->quit();
}

$second->set(on => { XCLIENT => '550 5.7.0 insufficient authorization' });
prepare(on => { XCLIENT => '550 5.7.0 insufficient authorization' });
$c = client('xclient');
is rcpt($c), $denied, 'not allowed anywhere';
like logged(), qr/\[error\] .*upstream said to XCLIENT: "550 insufficient authorization" while introducing client to upstream/,
     'the log says why';
$c->quit();
$second->set(on => undef);

for (
    [ 'close' ], [ 'reset' ], [ 'half' ], [ 'stall' ], [ 'silent' ],
    [ 'garbage' ], [ 'garbage', data => "220-x\r\n" x 20000 ],
    [ 'garbage', data => "220 x\r\n220 y\r\n" ],
) {
    my ($do, %o) = @$_;

    prepare(fault => { at => 'XCLIENT', do => $do, %o });
    $c = client('xclient');
    is rcpt($c), $ok, "$do: another server";
    unlike said($mta), qr/MAIL/, 'nothing else was said';
    $c->quit();
}

# configuration

for (
    [ 'smtp_pass_proxy_protocol on;', qr/invalid value "on"/ ],
    [ 'smtp_pass_xclient yes;', qr/invalid value "yes"/ ],
    [ 'smtp_pass_xforward yes;', qr/invalid value "yes"/ ],
) {
    my ($directives, $error) = @$_;
    my ($code, $out) = $t->test_conf(<<"EOC");
%%GLOBALS%%
events { }
mail {
    server { listen 127.0.0.1:%%PORT_v1%%; protocol smtp_ext;
             $directives smtp_pass 127.0.0.1:25; }
}
EOC

    like $out, $error, $directives;
}

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Client-Host: the name of the client's address, which has to lead back to it.

use warnings;
use strict;

use MIME::Base64 qw/ encode_base64 /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(21);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_auth_http         http://127.0.0.1:%%PORT_http%%/auth;
    smtp_auth_require_tls  off;
    smtp_max_errors        100;

    resolver          127.0.0.1:%%PORT_dns%% valid=1s;
    resolver_timeout  1s;

    server {
        listen             127.0.0.1:%%PORT_smtp%%;
        listen             127.0.0.1:%%PORT_proxy%% proxy_protocol;
        protocol           smtp_ext;
        set_real_ip_from   127.0.0.1;
        smtp_xclient_from  127.0.0.1;
    }

    server {
        listen                      127.0.0.1:%%PORT_off%%;
        protocol                    smtp_ext;
        smtp_auth_http_client_host  off;
    }
}
EOC

my $http = $t->http('http', default => { headers => [
    'Auth-Status' => 'OK', 'Auth-User' => 'user' ] });

# (nginx shifts an octet over 127 into the sign, which a sanitizer minds)

my $dns = $t->dns('dns', zone => {
    '127.0.0.1' => { PTR => 'client.example.com' },
    'client.example.com' => { A => [ '127.0.0.7', '127.0.0.1' ] },
    '10.9.8.1' => { PTR => 'liar.example.com' },
    'liar.example.com' => { A => '10.9.8.2' },
    '10.9.8.3' => { PTR => 'gone.example.com' },
    '10.9.8.4' => { rcode => 2 },
    '10.9.8.5' => { PTR => 'broken.example.com' },
    'broken.example.com' => { rcode => 2 },
    '10.9.8.6' => { drop => 1 },
    '10.9.8.7' => { PTR => 'a b.example.com' },
    '10.9.8.8' => { PTR => 'x' . "\r\n" . 'Auth-User: root.example.com' },
    '2001:db8::1' => { PTR => 'six.example.com' },
    'six.example.com' => { AAAA => '2001:db8::1', A => '127.0.0.1' },
});

# what the service is told of a client

sub host {
    my ($name, $addr) = @_;

    my $family = defined $addr && $addr =~ /:/ ? 'TCP6' : 'TCP4';
    my $dst = $family eq 'TCP6' ? '::1' : '127.0.0.1';

    my $c = $t->client($name, defined $addr
                       ? (proxy => "PROXY $family $addr $dst 1234 25\r\n")
                       : ());

    $c->read_reply();
    $c->ehlo();
    $c->auth_plain('user', 'pass');

    return ($http->requests())[-1]{headers}{'client-host'};
}

sub asked { scalar(() = $dns->queries()) }


is host('smtp'), 'client.example.com', 'a name';
is_deeply [ sort grep { !/AAAA/ } $dns->queries() ],
          [ '1.0.0.127.in-addr.arpa PTR', 'client.example.com A' ],
          'is looked up, and whether it leads back';

is host('proxy', '10.9.8.1'), '[UNAVAILABLE]', 'a name of somebody else';
is host('proxy', '10.9.8.2'), '[UNAVAILABLE]', 'no name';
is host('proxy', '10.9.8.3'), '[UNAVAILABLE]', 'a name that there is not';
is host('proxy', '10.9.8.4'), '[TEMPUNAVAIL]', 'a zone that is broken';
is host('proxy', '10.9.8.5'), '[TEMPUNAVAIL]', 'a name that is broken';
is host('proxy', '10.9.8.6'), '[TEMPUNAVAIL]', 'a server that is silent';
is host('proxy', '10.9.8.7'), '[UNAVAILABLE]', 'what is no name of a host';
is host('proxy', '10.9.8.8'), '[UNAVAILABLE]', 'what is more than a name';
is host('proxy', '2001:db8::1'), 'six.example.com', 'IPv6';

ok !grep({ /root/ } map { $_->{raw} } $http->requests()),
   'nothing of it is in a request';

# when

my $asked = asked();
is host('off'), '[UNAVAILABLE]', 'off';
is asked(), $asked, 'nothing is looked up then';

my $c = $t->client('smtp');
$c->read_reply();
$c->ehlo();
$c->send_message();
is asked(), $asked, 'nor for who does not log in';

$http->set(default => { headers => [ 'Auth-Status' => 'no' ] });
$c->cmd('RSET');
$c->auth_plain('user', 'pass');
$asked = asked();
$c->auth_plain('user', 'pass');
is asked(), $asked, 'once in a session';
is +($http->requests())[-1]{headers}{'client-host'}, 'client.example.com',
   'it is known then';

# who a trusted client says that it is

$c->cmd('XCLIENT NAME=other.example.com ADDR=10.9.8.77');
$c->ehlo();
$c->auth_plain('user', 'pass');
is +($http->requests())[-1]{headers}{'client-host'}, 'other.example.com',
   'a name of XCLIENT';
is asked(), $asked, 'is not looked up';

$c = $t->client('smtp');
$c->read_reply();
$c->ehlo();
$c->auth_plain('user', 'pass');
$c->cmd('XCLIENT ADDR=10.9.8.3');
$c->ehlo();
$c->auth_plain('user', 'pass');
is +($http->requests())[-1]{headers}{'client-host'}, '[UNAVAILABLE]',
   'another address has another name';

# the client leaves meanwhile

$c = $t->client('proxy', proxy => "PROXY TCP4 10.9.8.6 127.0.0.1 1 25\r\n");
$c->read_reply();
$c->ehlo();
$c->send_line('AUTH PLAIN ' . encode_base64("\0user\0pass", ''));
$dns->wait_query(qr/^6\.8\.9\.10/);
$c->reset();

is host('smtp'), 'client.example.com', 'others are served';

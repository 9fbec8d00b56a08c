#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The Received field: where a message came from, by which protocol, for whom;
# RFC 5321, 4.4, RFC 3848, RFC 8314, 4.3.

use warnings;
use strict;

use Test::More;
use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new()->plan(15);
my $mta = $t->server('mta');
my $http = $t->http('auth', auth => { user => 'p4ssw0rd' });

$t->secret('p4ssw0rd');
$t->certificate('localhost');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name  mx.example.com;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    smtp_auth_http         http://127.0.0.1:%%PORT_auth%%/auth;
    smtp_auth_require_tls  off;
    smtp_auth_methods      plain;

    smtp_recipient  *  { smtp_pass 127.0.0.1:%%PORT_mta%%; }
    smtp_recipient  rewritten@example.com {
        smtp_rewrite  secret@example.net;
        smtp_pass     127.0.0.1:%%PORT_mta%%;
    }

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        listen    unix:%%TESTDIR%%/smtp.sock;
        protocol  smtp_ext;
        starttls  on;
    }

    server {
        listen    127.0.0.1:%%PORT_proxy%% proxy_protocol;
        protocol  smtp_ext;

        set_real_ip_from  127.0.0.1;
    }
}
EOC

my $n = 0;
my $date = qr/(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/;

# by protocol

my $c = $t->connected('smtp');
my $whole = received($c);

like $whole, qr/\AReceived: from client\.example\.com \(\[127\.0\.0\.1\]\)\r\n\tby mx\.example\.com with ESMTP\r\n\tid [0-9a-v]{16}\r\n\tfor <rcpt\@example\.com>;\r\n\t$date\r\n\z/,
     'ESMTP: by the grammar, date included';
ok !(grep { length > 78 } split /\r\n/, $whole =~ s/\t/ ' ' x 8/ger),
   'no line is too long';

$c->auth_plain('user', 'p4ssw0rd');
like received($c), qr/ with ESMTPA\r\n/, 'ESMTPA';

$c = $t->connected('smtp');
$c->starttls();
$c->ehlo('tls.example.com');
like received($c), qr/^Received: from tls\.example\.com \(.* with ESMTPS\r\n\tid \S+\r\n\tfor <rcpt\@example\.com>\r\n\ttls (?:TLS_[A-Z0-9_]+);\r\n\t$date\r\n\z/s,
     'ESMTPS, after EHLO again';

$c->auth_plain('user', 'p4ssw0rd');
like received($c), qr/ with ESMTPSA\r\n/, 'ESMTPSA';

$c = $t->client('smtp');
$c->read_reply();
$c->cmd('HELO old');
like received($c), qr/^Received: from old \(.* with SMTP\r\n/s, 'SMTP';

# by address

$c = $t->connected('proxy',
             proxy => "PROXY TCP6 2001:db8::17 2001:db8::1 1000 25\r\n");
like received($c), qr/^Received: from client\.example\.com \(\[IPv6:2001:db8::17\]\)\r\n/,
     'IPv6';

$c = $t->connected('proxy',
                   proxy => "PROXY TCP4 192.0.2.1 192.0.2.2 1000 25\r\n");
like received($c), qr/ \(\[192\.0\.2\.1\]\)\r\n/, 'PROXY protocol';

$c = $t->connected('proxy',
             proxy => "PROXY TCP6 ::ffff:192.0.2.1 ::1 1000 25\r\n");
like received($c), qr/ \(\[192\.0\.2\.1\]\)\r\n/, 'IPv4 mapped into IPv6';

$c = $t->connected('unix:smtp.sock');
like received($c), qr/^Received: from client\.example\.com\r\n\tby /,
     'unix socket';

$c->ehlo('[192.0.2.1]');
like received($c), qr/^Received: from localhost\r\n\tby /,
     'unix socket, an address literal in EHLO';

# by recipient

$c = $t->connected('smtp');
like received($c, 'rewritten@example.com'),
     qr/\tfor <rewritten\@example\.com>;/, 'the address that was given';
unlike received($c, 'postmaster'), qr/\tfor /, 'no domain';
unlike received($c, 'a@example.com', 'b@example.com'), qr/\tfor /,
       'not one of several';

# of those that were accepted

$c->mail('a@example.com');
$c->rcpt('one@example.com');
$c->cmd('RCPT TO:<bad>');
$c->data("Subject: x\r\n\r\n");
$mta->wait_messages(++$n);
like +($mta->messages())[-1]{data}, qr/\tfor <one\@example\.com>;/,
     'the only one that was accepted';


# the field of one message

sub received {
    my ($c, @to) = @_;

    @to = 'rcpt@example.com' unless @to;

    $c->send_message(to => \@to) =~ /^250/ or diag $c->transcript();
    $mta->wait_messages(++$n);

    my ($field) = ($mta->messages())[-1]{data}
                  =~ /\A(Received:.*?\r\n)(?![ \t])/s;

    return $field // '';
}

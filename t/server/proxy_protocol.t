#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The PROXY protocol in front of SMTP, as "listen ... proxy_protocol" and
# "set_real_ip_from" have it: who the client is for routes, logs and Received.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(34);

$t->certificate('localhost');

my $mta = $t->server('mta');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    smtp_early_talker  accept;

    server_name      mx.example.com;
    smtp_relay_from  192.0.2.0/24 2001:db8::/32;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    smtp_log_format  client
        '$remote_addr|$remote_port|$proxy_protocol_addr|$proxy_protocol_port|'
        '$smtp_status';

    set_real_ip_from  127.0.0.1;

    server {
        listen           127.0.0.1:%%PORT_smtp%% proxy_protocol;
        protocol         smtp_ext;
        starttls         on;
        smtp_access_log  %%TESTDIR%%/smtp.log  client;
    }

    server {
        listen           127.0.0.1:%%PORT_ssl%% ssl proxy_protocol;
        protocol         smtp_ext;
        smtp_access_log  %%TESTDIR%%/ssl.log  client;
    }

    server {
        listen            127.0.0.1:%%PORT_distrust%% proxy_protocol;
        protocol          smtp_ext;
        set_real_ip_from  192.0.2.1;
        smtp_access_log   %%TESTDIR%%/distrust.log  client;
    }

    server {
        listen    127.0.0.1:%%PORT_direct%%;
        protocol  smtp_ext;
    }
}
EOC

my $greeting = '220 mx.example.com ESMTP';
my $taken = qr/^250 2\.0\.0 OK id=/;
my $denied = '550 5.7.1 Relaying denied';

# version 2: signature, command, family; addresses and ports

sub v2 {
    my ($command, $family, $body, $more) = @_;

    return "\r\n\r\n\0\r\nQUIT\n"
           . pack('CCn', 0x20 | $command, $family, length $body) . $body;
}

my $v2_ipv4 = v2(1, 0x11, pack 'C4 C4 n n', 192, 0, 2, 2, 192, 0, 2, 200,
                 2000, 25);
my $v2_ipv6 = v2(1, 0x21, pack('H32 H32 n n',
                               '20010db8000000000000000000000007', '0' x 32,
                               3000, 25)
                          . pack('C n a*', 0x04, 3, 'tlv'));


sub received_from {
    return (($mta->messages())[-1]{data}
            =~ /\AReceived: from \S+ \(\[(.*?)\]\)/)[0];
}


for my $try (
    [ 'smtp', "PROXY TCP4 192.0.2.1 192.0.2.200 1000 25\r\n", '192.0.2.1',
      '192.0.2.1|1000|192.0.2.1|1000|250', 'version 1' ],
    [ 'smtp', "PROXY TCP6 2001:db8::6 ::1 1001 25\r\n", 'IPv6:2001:db8::6',
      '2001:db8::6|1001|2001:db8::6|1001|250', 'version 1, IPv6' ],
    [ 'smtp', $v2_ipv4, '192.0.2.2', '192.0.2.2|2000|192.0.2.2|2000|250',
      'version 2' ],
    [ 'smtp', $v2_ipv6, 'IPv6:2001:db8::7',
      '2001:db8::7|3000|2001:db8::7|3000|250', 'version 2, IPv6 and a TLV' ],
    [ 'ssl', "PROXY TCP4 192.0.2.1 192.0.2.200 1000 25\r\n", '192.0.2.1',
      '192.0.2.1|1000|192.0.2.1|1000|250', 'in front of TLS' ],
) {
    my ($name, $header, $from, $log, $title) = @$try;

    # headers and greeting may come in any order for the client

    my $c = $t->client($name, proxy => $header, ssl => $name eq 'ssl');

    is $c->read_reply(), $greeting, "$title: greeting";
    $c->ehlo();
    like $c->send_message(), $taken, "$title: it is let through";
    is received_from(), $from, "$title: Received";
    $c->quit();
    is +($t->access_lines(1, "$name.log"))[-1], $log, "$title: the log";

    $t->write_file("$name.log", '');
}

# with commands behind it

my $c = $t->client('smtp');

$c->pipeline('PROXY TCP4 192.0.2.3 192.0.2.200 1 25',
             'EHLO client.example.com', 'MAIL FROM:<a@b.example>',
             'RCPT TO:<c@d.example>');
is_deeply [ map { /^(\d+)/ } $c->read_replies(4) ], [ 220, 250, 250, 250 ],
          'commands behind the header';

# across STARTTLS

$c = $t->client('smtp', proxy => "PROXY TCP4 192.0.2.4 192.0.2.200 1 25\r\n");
$c->read_reply();
$c->starttls();
$c->ehlo();
like $c->send_message(), $taken, 'after STARTTLS it is the same client';
is received_from(), '192.0.2.4', 'in Received too';

# others

$c = $t->client('smtp',
                proxy => "PROXY TCP4 198.51.100.1 192.0.2.200 1 25\r\n");
$c->read_reply();
$c->ehlo();
is $c->send_message(), $denied, 'who is not in the list may not relay';

$c = $t->client('smtp', proxy => "PROXY UNKNOWN\r\n");
is $c->read_reply(), $greeting, 'UNKNOWN';
$c->ehlo();
is $c->send_message(), $denied, 'is the proxy itself';

$c = $t->client('distrust',
                proxy => "PROXY TCP4 192.0.2.1 192.0.2.200 1000 25\r\n");
$c->read_reply();
$c->ehlo();
is $c->send_message(), $denied, 'a proxy that is not trusted';
my $port = $c->socket()->sockport();
$c->quit();
is +($t->access_lines(1, 'distrust.log'))[0],
   "127.0.0.1|$port|192.0.2.1|1000|550", 'the log has both addresses';

for my $try (
    [ "EHLO client.example.com\r\n", 'no header' ],
    [ "PROXY TCP4 192.0.2.1\r\n", 'half of one' ],
    [ "PROXY TCP4 192.0.2.1 192.0.2.2 70000 25\r\n", 'no port' ],
    [ "PROXY " . 'x' x 200 . "\r\n", 'too long a one' ],
) {
    $c = $t->client('smtp');
    $c->send_raw($try->[0]);
    is $c->read_reply() =~ /^(\d+)/ ? $1 : 'none', 'none',
       "no session with $try->[1]";
}

# a header where none is expected is a command like others

$c = $t->client('direct');
$c->read_reply();
is $c->cmd('PROXY TCP4 192.0.2.1 192.0.2.200 1000 25'),
   '500 5.5.1 Command not recognized', 'PROXY is no command';
$c->ehlo();
is $c->send_message(), $denied, 'and makes nobody of it';

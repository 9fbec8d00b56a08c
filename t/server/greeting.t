#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The greeting, EHLO and HELO: RFC 5321, 3.1, 3.2, 4.1.1.1.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(49);

$t->certificate('localhost');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_max_errors  100;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }

    server {
        listen                 127.0.0.1:%%PORT_other%%;
        protocol               smtp_ext;
        server_name            other.example.net;
        smtp_max_message_size  0;
    }

    server {
        listen    127.0.0.1:%%PORT_starttls%%;
        protocol  smtp_ext;
        starttls  on;
    }

    server {
        listen    127.0.0.1:%%PORT_only%%;
        protocol  smtp_ext;
        starttls  only;
    }

    server {
        listen                 127.0.0.1:%%PORT_auth%%;
        protocol               smtp_ext;
        starttls               on;
        smtp_max_message_size  1000;
        smtp_auth_http         http://127.0.0.1:%%PORT_http%%/auth;
    }

    server {
        listen                 127.0.0.1:%%PORT_clear%%;
        protocol               smtp_ext;
        smtp_auth_http         http://127.0.0.1:%%PORT_http%%/auth;
        smtp_auth_require_tls  off;
    }

    server {
        listen          127.0.0.1:%%PORT_ssl%% ssl;
        protocol        smtp_ext;
        starttls        on;
        smtp_auth_http  http://127.0.0.1:%%PORT_http%%/auth;
    }
}
EOC

# what EHLO is answered, line by line

sub ehlo_reply {
    my ($name, @extensions) = @_;

    my @lines = ($name, @extensions);
    my $last = pop @lines;

    return join "\n", (map { "250-$_" } @lines), "250 $last";
}


my @first = ('PIPELINING', 'SIZE 33554432', '8BITMIME', 'CHUNKING',
             'SMTPUTF8');
my @last = ('ENHANCEDSTATUSCODES', 'DSN', 'LIMITS RCPTMAX=1000', 'PRDR', 'HELP');
my $plain = ehlo_reply('mx.example.com', @first, @last);

my $c = $t->client('smtp');

is $c->read_reply(), '220 mx.example.com ESMTP',
   'the greeting names the server';
is $c->cmd('EHLO client.example.com'), $plain, 'EHLO without TLS and AUTH';
is $c->cmd('HELO client.example.com'), '250 mx.example.com', 'HELO is one line';
is $c->cmd('EHLO client.example.com'), $plain, 'EHLO may follow HELO';
is $c->cmd('ehlo client.example.com'), $plain, 'in lower case as well';
is $c->quit(), '221 2.0.0 Bye', 'QUIT';

$c = $t->client('other');

is $c->read_reply(), '220 other.example.net ESMTP', 'a server_name of its own';
is $c->cmd('EHLO client.example.com'),
   ehlo_reply('other.example.net', 'PIPELINING', 'SIZE 0', '8BITMIME',
              'CHUNKING', 'SMTPUTF8', @last),
   'no limit of size is SIZE 0';
is $c->cmd('HELO client.example.com'), '250 other.example.net', 'in HELO too';

for my $name ('starttls', 'only') {
    $c = $t->client($name);
    $c->read_reply();

    is $c->cmd('EHLO client.example.com'),
       ehlo_reply('mx.example.com', @first, 'STARTTLS', @last),
       "STARTTLS is offered ($name)";
    is $c->starttls(), '220 2.0.0 Ready to start TLS', "and done ($name)";
    is $c->cmd('EHLO client.example.com'), $plain, "but once ($name)";
}

$c = $t->client('auth');
$c->read_reply();

is $c->cmd('EHLO client.example.com'),
   ehlo_reply('mx.example.com', 'PIPELINING', 'SIZE 1000', '8BITMIME',
              'CHUNKING', 'SMTPUTF8', 'STARTTLS', @last),
   'AUTH is not offered in clear';
$c->starttls();
is $c->cmd('EHLO client.example.com'),
   ehlo_reply('mx.example.com', 'PIPELINING', 'SIZE 1000', '8BITMIME',
              'CHUNKING', 'SMTPUTF8', 'AUTH PLAIN LOGIN', @last),
   'but under TLS';

$c = $t->client('clear');
$c->read_reply();

is $c->cmd('EHLO client.example.com'),
   ehlo_reply('mx.example.com', @first, 'AUTH PLAIN LOGIN',
              @last), 'in clear where it is allowed';

$c = $t->client('ssl', ssl => 1);

is $c->read_reply(), '220 mx.example.com ESMTP', 'implicit TLS: the greeting';
is $c->cmd('EHLO client.example.com'),
   ehlo_reply('mx.example.com', @first, 'AUTH PLAIN LOGIN',
              @last), 'implicit TLS: AUTH, but no STARTTLS';

# names that are taken, names that are not

$c = $t->client('smtp');
$c->read_reply();

for my $name ('localhost', 'a.b.c', 'A-1.example', '1.2.3.4', 'under_score.lan',
              '[127.0.0.1]', '[IPv6:::1]', '[IPv6:2001:db8::192.0.2.1]',
              'a' x 63 . '.example', 'trailing.space   ')
{
    is $c->cmd("EHLO $name"), $plain, "EHLO $name";
}

for my $try (
    [ '', 'no name' ],
    [ 'two words', 'two names' ],
    [ '-a.example', 'a hyphen in front' ],
    [ 'a-.example', 'a hyphen at the end of a label' ],
    [ 'a..example', 'an empty label' ],
    [ '.example', 'a dot in front' ],
    [ 'a' x 64 . '.example', 'a label of 64' ],
    [ join('.', ('a' x 60) x 5), 'a name of 304' ],
    [ "a\tb.example", 'a tab' ],
    [ "a\0b.example", 'a null' ],
    [ "caf\xe9.example", '8-bit' ],
    [ 'a<b>.example', 'brackets' ],
    [ '[127.0.0.1', 'a literal without its end' ],
    [ '[127.0.0.256]', 'no IPv4 address' ],
    [ '[IPv6:1::2::3]', 'no IPv6 address' ],
) {
    is $c->cmd("EHLO $try->[0]"), '501 5.5.4 Syntax: EHLO domain',
       "EHLO with $try->[1]";
}

is $c->cmd('HELO'), '501 5.5.4 Syntax: HELO domain', 'HELO with no name';

# a refused EHLO changes nothing, an accepted one begins anew

$c = $t->client('smtp');
$c->read_reply();

$c->dialogue('a refused EHLO is no EHLO',
    [ 'EHLO a b', '501 5.5.4 Syntax: EHLO domain' ],
    [ 'MAIL FROM:<a@b.example>', '503 5.5.1 Send EHLO or HELO first' ],
);
$c->dialogue('a refused EHLO leaves the transaction, another ends it',
    [ 'EHLO a', $plain ],
    [ 'MAIL FROM:<a@b.example>', '250 2.1.0 Sender OK' ],
    [ 'EHLO a b', '501 5.5.4 Syntax: EHLO domain' ],
    [ 'MAIL FROM:<a@b.example>', '503 5.5.1 Transaction already open' ],
    [ 'EHLO a', $plain ],
    [ 'RCPT TO:<a@b.example>', '503 5.5.1 Need MAIL first' ],
    [ 'MAIL FROM:<a@b.example>', '250 2.1.0 Sender OK' ],
    [ 'HELO a', '250 mx.example.com' ],
    [ 'RCPT TO:<a@b.example>', '503 5.5.1 Need MAIL first' ],
);
$c->dialogue('extensions are EHLO\'s alone',
    [ 'HELO a', '250 mx.example.com' ],
    [ 'MAIL FROM:<a@b.example> SIZE=1',
      '555 5.5.4 Unsupported parameter: SIZE' ],
    [ 'EHLO a', $plain ],
    [ 'MAIL FROM:<a@b.example> SIZE=1', '250 2.1.0 Sender OK' ],
);

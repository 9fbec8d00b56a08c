#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# STARTTLS and implicit TLS: RFC 3207, RFC 8314.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(48);

$t->certificate('localhost');

my $mta = $t->server('mta');
my $secret = $t->secret('s3cret-passw0rd');
my $http = $t->http('http', auth => { 'user@example.com' => $secret });

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;
    smtp_auth_http   http://127.0.0.1:%%PORT_http%%/auth;
    smtp_max_errors  100;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    smtp_log_format  tls  '$ssl_protocol|$ssl_cipher|$smtp_protocol';

    server {
        listen           127.0.0.1:%%PORT_on%%;
        protocol         smtp_ext;
        starttls         on;
        smtp_access_log  %%TESTDIR%%/on.log  tls;
    }

    server {
        listen    127.0.0.1:%%PORT_off%%;
        protocol  smtp_ext;
    }

    server {
        listen    127.0.0.1:%%PORT_only%%;
        protocol  smtp_ext;
        starttls  only;
    }

    server {
        listen           127.0.0.1:%%PORT_ssl%% ssl;
        protocol         smtp_ext;
        smtp_access_log  %%TESTDIR%%/ssl.log  tls;
    }

    server {
        listen    127.0.0.1:%%PORT_ssl_only%% ssl;
        protocol  smtp_ext;
        starttls  only;
    }
}
EOC

my $ready = '220 2.0.0 Ready to start TLS';
my $need = '530 5.7.0 Must issue a STARTTLS command first';
my $active = '503 5.5.1 TLS already active';
my $helo = '503 5.5.1 Send EHLO or HELO first';
my $sender = '250 2.1.0 Sender OK';
my $taken = qr/^250 2\.0\.0 OK id=/;
my $ok = '250 2.0.0 OK';

sub connected {
    my ($name, %o) = @_;

    my $c = $t->client($name, %o);

    $c->read_reply();

    return $c;
}

# the "with" of the last message's Received field

sub with {
    return (($mta->messages())[-1]{data} =~ /\bwith (\S+)/)[0];
}


# on: either way

my $c = connected('on');

ok exists $c->ehlo()->{STARTTLS}, 'STARTTLS is offered';
like $c->send_message(), $taken, 'but need not be used';
is with(), 'ESMTP', 'which Received says';
is $c->cmd('STARTTLS now'), '501 5.5.4 Syntax: STARTTLS', 'no argument';
like $c->cmd('HELP'), qr/ STARTTLS$/, 'HELP names STARTTLS';
is $c->cmd('starttls'), $ready, 'STARTTLS';
ok $c->start_tls(), 'the handshake';

$c->dialogue('what was said before is forgotten',
    [ 'MAIL FROM:<a@b.example>', $helo ],
    [ 'STARTTLS', $active ],
    [ 'HELO a', '250 mx.example.com' ],
    [ 'STARTTLS', $active ],
    [ 'MAIL FROM:<a@b.example> SIZE=1',
      '555 5.5.4 Unsupported parameter: SIZE' ],
);
ok !exists $c->ehlo('other.example.com')->{STARTTLS}, 'it is offered once';
like $c->send_message(), $taken, 'a message';
is with(), 'ESMTPS', 'with TLS';
like(($mta->messages())[-1]{data}, qr/\AReceived: from other\.example\.com /,
     'and the name of the second EHLO');
is $c->quit(), '221 2.0.0 Bye', 'QUIT';

# one more: MAIL with a parameter it may not have

my @lines = $t->access_lines(3, 'on.log');

is $lines[0], '-|-|ESMTP', 'the log: no TLS';
is $lines[1] =~ /(\w+)$/ ? $1 : '', 'SMTP', 'the log: HELO';
like $lines[2], qr/^TLSv1\.[23]\|[A-Z0-9_-]+\|ESMTPS$/, 'the log: TLS';

$c = connected('on');
is $c->cmd('STARTTLS'), $ready, 'EHLO is not needed before it';
$c->start_tls();
$c->ehlo();
is $c->auth_plain('user@example.com', $secret),
   '235 2.7.0 Authentication succeeded', 'AUTH';
like $c->send_message(), $taken, 'a message';
is with(), 'ESMTPSA', 'of somebody who is known';
$c->quit();

# a client that goes on in clear, one that sends nonsense, one that leaves

$c = connected('on');
$c->cmd('STARTTLS');
$c->send_line('EHLO client.example.com');
unlike $c->read_reply(), qr/^[2-5]\d\d/, 'no command in clear any more';
ok $c->eof(), 'closed';

$c = connected('on');
$c->cmd('STARTTLS');
$c->send_raw("\x16\x03\x01" . "\xff" x 500);
ok $c->read_reply() !~ /^[2-5]\d\d/ && $c->eof(), 'a broken handshake';

$c = connected('on');
$c->cmd('STARTTLS');
$c->reset();
is connected('on')->cmd('NOOP'), $ok, 'after one that vanished in it';

# off

$c = connected('off');
ok !exists $c->ehlo()->{STARTTLS}, 'off: not offered';
is $c->cmd('STARTTLS'), '502 5.5.1 Command not implemented', 'nor done';

# only

$c = connected('only');
$c->dialogue('only: nothing but NOOP, EHLO, STARTTLS, QUIT before it',
    [ 'NOOP', $ok ],
    [ 'HELO a', $need ],
    [ 'MAIL FROM:<a@b.example>', $need ],
    [ 'EHLO a', qr/^250-mx\.example\.com\n.*^250-STARTTLS$/ms ],
    [ 'HELO a', $need ],
    [ 'MAIL FROM:<a@b.example>', $need ],
    [ 'MAIL banana', $need ],
    [ 'RCPT TO:<a@b.example>', $need ],
    [ 'DATA', $need ],
    [ 'RSET', $need ],
    [ 'VRFY a', $need ],
    [ 'EXPN a', $need ],
    [ 'HELP', $need ],
    [ 'AUTH PLAIN', $need ],
    [ 'AUTH PLAIN AGEAYg==', $need ],
    [ 'FOO', '500 5.5.1 Command not recognized' ],
    [ 'NOOP', $ok ],
    [ 'STARTTLS', $ready ],
);
ok $c->start_tls(), 'only: the handshake';
$c->dialogue('only: then all of them',
    [ 'MAIL FROM:<a@b.example>', $helo ],
    [ 'HELO a', '250 mx.example.com' ],
    [ 'RSET', $ok ],
    [ 'HELP', qr/^214 2\.0\.0 / ],
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RSET', $ok ],
    [ 'EHLO a', qr/^250-ENHANCEDSTATUSCODES$/m ],
    [ 'STARTTLS', $active ],
);
is $c->auth_plain('user@example.com', $secret),
   '235 2.7.0 Authentication succeeded', 'only: AUTH under TLS';

$c = connected('only');
$c->pipeline('EHLO a', 'MAIL FROM:<a@b.example>', 'RCPT TO:<a@b.example>',
             'DATA');
is_deeply [ ($c->read_replies(4))[1 .. 3] ], [ ($need) x 3 ],
          'only: in a batch as well';

# implicit

for my $name ('ssl', 'ssl_only') {
    $c = connected($name, ssl => 1);

    ok !exists $c->ehlo()->{STARTTLS}, "$name: STARTTLS is not offered";
    is $c->cmd('STARTTLS'), $active, "$name: nor done";
    like $c->send_message(), $taken, "$name: a message";
    is with(), 'ESMTPS', "$name: with TLS";
    is $c->quit(), '221 2.0.0 Bye', "$name: QUIT";
}

like +($t->access_lines(1, 'ssl.log'))[0],
     qr/^TLSv1\.[23]\|[A-Z0-9_-]+\|ESMTPS$/, 'the log';

$c = $t->client('ssl');
$c->send_line('EHLO a');
unlike $c->read_reply(), qr/^250/, 'a client without TLS';
ok $c->eof(), 'closed';

# a large message through it, both ways of starting

my $big = "Subject: big\r\n\r\n" . ('0123456789' x 7 . "\r\n") x 30_000;

for my $name ('on', 'ssl') {
    $c = connected($name, ssl => $name eq 'ssl');
    $c->starttls() if $name eq 'on';
    $c->ehlo();
    like $c->send_message(data => $big), $taken, "$name: two megabytes";
    is substr(($mta->messages())[-1]{data}, -length $big), $big,
       "$name: have arrived as they were";
}

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# RFC 3207, 4: with "starttls only", each command that there is, and a line that
# is none, before TLS and under it; and 4.2: what TLS makes a server forget.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

# all that the server knows; what may be said before TLS

my $text = $t->read_file($t->root()
                         . '/ngx_mail_smtp_ext/server/ngx_smtp_cmd_table.c');
my @commands = $text =~ /^    \{ ngx_string\("(\w+)"\),/mg;
my %plain = map { $_ => 1 } qw/ EHLO NOOP QUIT STARTTLS /;

$t->plan(4 * @commands + 9);

$t->certificate('localhost');

my $mta = $t->server('mta');
my $secret = $t->secret('s3cret-passw0rd');
my $http = $t->http('http', auth => { 'user@example.com' => $secret });

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_pass              smtp://127.0.0.1:%%PORT_mta%%;
    smtp_auth_http         http://127.0.0.1:%%PORT_http%%/auth;
    smtp_auth_require_tls  off;
    smtp_xclient_from      127.0.0.1;
    smtp_xforward_from     127.0.0.1;
    smtp_max_errors        100;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    server {
        listen    127.0.0.1:%%PORT_only%%;
        protocol  smtp_ext;
        starttls  only;
    }

    server {
        listen     127.0.0.1:%%PORT_only_lmtp%%;
        protocol   smtp_ext;
        smtp_lmtp  on;
        starttls   only;
    }

    server {
        listen    127.0.0.1:%%PORT_on%%;
        protocol  smtp_ext;
        starttls  on;
    }
}
EOC

my $need = '530 5.7.0 Must issue a STARTTLS command first';
my $unknown = '500 5.5.1 Command not recognized';
my $ok = '250 2.0.0 OK';

# as it may be meant in earnest; a chunk follows BDAT, and is not executed

my %line = (
    EHLO => 'EHLO a.example',
    LHLO => 'LHLO a.example',
    HELO => 'HELO a.example',
    MAIL => 'MAIL FROM:<a@b.example>',
    RCPT => 'RCPT TO:<c@d.example>',
    BDAT => "BDAT 6 LAST\r\nQUIT",
    VRFY => 'VRFY user',
    EXPN => 'EXPN list',
    AUTH => 'AUTH PLAIN AGEAYg==',
    XCLIENT => 'XCLIENT ADDR=192.0.2.1',
    XFORWARD => 'XFORWARD ADDR=192.0.2.1',
    ETRN => 'ETRN b.example',
);

sub connected {
    my ($port) = @_;

    my $c = $t->client($port);

    $c->read_reply();

    return $c;
}

sub reply {
    my ($command, $port, $tls) = @_;

    my $c = connected($port);

    $c->starttls() if $tls;
    $c->send_line($line{$command} // $command);

    return $c->read_reply();
}

for my $port ('only', 'only_lmtp') {
    my $other = $port eq 'only' ? qr/^LHLO$/ : qr/^[EH][EH]LO$/;

    for my $command (@commands) {
        my $plain = $plain{$command}
                    || $port eq 'only_lmtp' && $command eq 'LHLO';
        my $reply = reply($command, $port);

        like $reply, $command =~ $other ? qr/^\Q$unknown\E$/
                     : $plain ? qr/^2/ : qr/^\Q$need\E$/,
             "$port: $command before TLS";
        unlike reply($command, $port, 1), qr/^530 5\.7\.0/,
               "$port: $command under TLS";
    }
}

is reply('FOO', 'only'), $unknown, 'a line that is no command';

# what follows a refused BDAT was its chunk

my $c = connected('only');

$c->pipeline('EHLO a', "BDAT 6 LAST\r\nQUIT", 'NOOP');
is_deeply [ ($c->read_replies(3))[1, 2] ], [ $need, $ok ], 'a chunk';


# what was established in clear

$c = connected('on');
$c->ehlo();
$c->auth_plain('user@example.com', $secret);
is $c->mail('a@b.example'), '250 2.1.0 Sender OK', 'a login in clear';
$c->cmd('RSET');
$c->starttls();
is $c->mail('a@b.example'), '503 5.5.1 Send EHLO or HELO first',
   'EHLO is forgotten';
$c->ehlo();
$c->mail('a@b.example');
is $c->rcpt('c@d.example'), '550 5.7.1 Relaying denied',
   'who has logged in is forgotten';
$c->cmd('RSET');
is $c->auth_plain('user@example.com', $secret),
   '235 2.7.0 Authentication succeeded', 'and can be said again';

$c = connected('on');
$c->ehlo();
$c->cmd('XFORWARD ADDR=192.0.2.77 NAME=forwarded.example');
$c->starttls();
$c->ehlo('second.example');
$c->auth_plain('user@example.com', $secret);
like $c->send_message(), qr/^250 /, 'a message';
like(($mta->messages())[-1]{data}, qr/\AReceived: from second\.example /,
     'with what was said under TLS');
is scalar(() = $mta->messages()), 1, 'and no other';

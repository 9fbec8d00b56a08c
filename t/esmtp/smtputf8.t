#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# SMTPUTF8, RFC 6531: addresses and names in UTF-8, only where they were
# declared; what needs it goes nowhere where it is not understood, what does
# not need it does.

use warnings;
use strict;

use Test::More;
use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new()->plan(72);

my @common = ('PIPELINING', '8BITMIME', 'SIZE 10485760', 'DSN');
my $new = $t->server('new', ehlo => [ @common, 'SMTPUTF8 IGNORED' ]);
my $old = $t->server('old', ehlo => [ @common ]);
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

    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_new%%;
    smtp_max_errors  1000;

    smtp_auth_http         http://127.0.0.1:%%PORT_auth%%/auth;
    smtp_auth_require_tls  off;
    smtp_auth_methods      plain;

    smtp_log_format  short  escape=none  '$smtp_protocol|$smtp_helo|$smtp_mail_from|$smtp_rcpt_to|$smtp_result';
    smtp_access_log  %%TESTDIR%%/short.log  short;
    smtp_access_log  %%TESTDIR%%/json.log  json;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
        starttls  on;
    }

    server {
        listen     127.0.0.1:%%PORT_verify%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_old%%;
    }

    server {
        listen          127.0.0.1:%%PORT_buffered%%;
        protocol        smtp_ext;
        smtp_pass       smtp://127.0.0.1:%%PORT_old%%;
        smtp_pass_mode  buffered;
    }

    server {
        listen           127.0.0.1:%%PORT_route%%;
        protocol         smtp_ext;
        smtp_relay_from  192.0.2.1;

        smtp_recipient  jürgen@example.com  { smtp_pass 127.0.0.1:%%PORT_new%%; }
        smtp_recipient  @BüCHER.example     { smtp_pass 127.0.0.1:%%PORT_new%%; }
        smtp_recipient  @.例子.example      { smtp_pass 127.0.0.1:%%PORT_new%%; }

        smtp_recipient  alias@example.com {
            smtp_rewrite  münchen@example.com;
            smtp_pass     127.0.0.1:%%PORT_new%%;
        }

        smtp_recipient  ä@example.com {
            smtp_rewrite  ae@example.com;
            smtp_pass     127.0.0.1:%%PORT_old%%;
        }
    }

    server {
        listen           127.0.0.1:%%PORT_off%%;
        protocol         smtp_ext;
        smtp_extensions  smtputf8=off;
    }
}
EOC

my $ok = '250 2.0.0 OK';
my $sender = '250 2.1.0 Sender OK';
my $recipient = '250 2.1.5 recipient ok';
my $taken = qr/^250 2\.0\.0 OK id=/;
my $sender_needs = '550 5.6.7 Sender address needs SMTPUTF8';
my $rcpt_needs = '553 5.6.7 Recipient address needs SMTPUTF8';
my $lacks = '550 5.6.7 Destination server does not take addresses in UTF-8';
my $lacks_header =
    '550 5.6.9 Destination server does not take header fields in UTF-8';
my $bad_sender = '501 5.1.7 Bad sender address syntax';
my $bad_rcpt = '501 5.1.3 Bad recipient address syntax';

my $utf8 = 'SMTPUTF8';
my $ascii = "Subject: plain\r\n\r\nplain\r\n";
my $header = "Subject: gr\xc3\xbc\xc3\x9fe\r\n\r\nplain\r\n";
my $body = "Subject: plain\r\n\r\ngr\xc3\xbc\xc3\x9fe\r\n";
my $part = "Subject: plain\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
           . "--b\r\nContent-Disposition: attachment; filename=\xc3\xbc\r\n\r\n"
           . "a\r\n--b--\r\n";

sub connected {
    my ($port, $name) = @_;
    my $c = $t->client($port);

    $c->read_reply();
    $c->ehlo($name);

    return $c;
}

sub last_of { ($_[0]->messages())[-1] }

sub trace { last_of($_[0])->{data} =~ /\A(Received:.*?\r\n)(?!\s)/s; $1 }


# syntax

my $c = connected('smtp');

is $c->{ehlo}{SMTPUTF8}, '', 'it is offered, without a parameter';
ok exists $c->{ehlo}{'8BITMIME'}, 'and 8BITMIME with it';

$c->dialogue('nothing in UTF-8 without the parameter',
    [ "MAIL FROM:<j\xc3\xbcrgen\@example.com>", $sender_needs ],
    [ "MAIL FROM:<a\@b\xc3\xbccher.example> BODY=8BITMIME", $sender_needs ],
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ "RCPT TO:<j\xc3\xbcrgen\@example.com>", $rcpt_needs ],
    [ "RCPT TO:<a\@b\xc3\xbccher.example>", $rcpt_needs ],
    [ "RCPT TO:<\"j\xc3\xbc\"\@example.com>", $rcpt_needs ],
    [ 'RCPT TO:<b@b.example>', $recipient ],
    [ 'RSET', $ok ],
);

$c->dialogue('with it',
    [ "MAIL FROM:<j\xc3\xbcrgen\@b\xc3\xbccher.example> $utf8", $sender ],
    [ "RCPT TO:<\xe5\xad\xab\@\xe4\xbe\x8b\xe5\xad\x90.example>", $recipient ],
    [ "RCPT TO:<\"\xf0\x9f\x93\xa7 \\\"x\\\"\"\@example.com>", $recipient ],
    [ 'RCPT TO:<plain@example.com>', $recipient ],
    [ "RCPT TO:<\@b\xc3\xbc.example:a\@example.com>", $recipient ],
    [ 'RCPT TO:<Postmaster>', $recipient ],
    [ 'RSET', $ok ],
    [ 'MAIL FROM:<> smtputf8', $sender ],
    [ 'RSET', $ok ],
    [ 'MAIL FROM:<a@b.example> SmtpUtf8 BODY=8BITMIME SIZE=10', $sender ],
    [ 'RSET', $ok ],
);

$c->dialogue('the parameter',
    [ 'MAIL FROM:<a@b.example> SMTPUTF8=1', '501 5.5.4 Bad parameter: SMTPUTF8' ],
    [ 'MAIL FROM:<a@b.example> SMTPUTF8=', qr/^501 5\.5\.4 / ],
    [ 'MAIL FROM:<a@b.example> SMTPUTF8 SMTPUTF8',
      '501 5.5.4 Bad parameter: SMTPUTF8' ],
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<a@b.example> SMTPUTF8',
      '555 5.5.4 Unsupported parameter: SMTPUTF8' ],
    [ 'RSET', $ok ],
);

my %wrong = (
    'a single octet' => "\xe4",
    'an overlong dot' => "a\xc0\xae" . 'b',
    'an overlong bracket' => "a\xe0\x80\xbe",
    'a surrogate' => "\xed\xa0\x80",
    'beyond U+10FFFF' => "\xf4\x90\x80\x80",
    'cut off' => "a\xe5\xad",
    'a continuation alone' => "a\x80",
);

for my $name (sort keys %wrong) {
    my $x = $wrong{$name};

    $c->dialogue("no UTF-8: $name",
        [ "MAIL FROM:<$x\@b.example> $utf8", $bad_sender ],
        [ "MAIL FROM:<a\@$x.example> $utf8", $bad_sender ],
        [ "MAIL FROM:<\"$x\"\@b.example> $utf8", $bad_sender ],
        [ "MAIL FROM:<a\@b.example> $utf8", $sender ],
        [ "RCPT TO:<$x\@b.example>", $bad_rcpt ],
        [ "RCPT TO:<a\@$x.example>", $bad_rcpt ],
        [ 'RSET', $ok ],
    );
}

$c->dialogue('lengths are octets',
    [ "MAIL FROM:<a\@b.example> $utf8", $sender ],
    [ 'RCPT TO:<' . "\xc3\xbc" x 32 . '@b.example>', $recipient ],
    [ 'RCPT TO:<' . "\xc3\xbc" x 32 . 'a@b.example>', $bad_rcpt ],
    [ "RCPT TO:<a\@b\xe3\x80\x82example>", $bad_rcpt ],
    [ 'RSET', $ok ],
);

$c->dialogue('a transaction does not inherit it',
    [ "MAIL FROM:<a\@b.example> $utf8", $sender ],
    [ 'RSET', $ok ],
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ "RCPT TO:<\xc3\xbc\@b.example>", $rcpt_needs ],
    [ 'RSET', $ok ],
);

my $cannot = '252 2.0.0 Cannot verify, but will take mail for whom RCPT accepts';

$c->dialogue('VRFY',
    [ "VRFY j\xc3\xbcrgen", $cannot ],
    [ "VRFY j\xc3\xbcrgen\@b\xc3\xbccher.example SMTPUTF8", $cannot ],
    [ 'VRFY a SMTPUTF8', $cannot ],
    [ "VRFY \xe4", '501 5.5.4 Syntax: VRFY address' ],
    [ "EXPN \xc3\xbc SMTPUTF8", '502 5.5.1 Command not implemented' ],
);

$c->dialogue('names of clients',
    [ "EHLO b\xc3\xbccher.example", qr/^250-mx\.example\.com/ ],
    [ "EHLO \xe4.example", '501 5.5.4 Syntax: EHLO domain' ],
    [ "EHLO a\xc2\x85", '501 5.5.4 Syntax: EHLO domain' ],
    [ "HELO b\xc3\xbccher.example", '501 5.5.4 Syntax: HELO domain' ],
    [ 'HELO a', '250 mx.example.com' ],
    [ 'MAIL FROM:<a@b.example> SMTPUTF8',
      '555 5.5.4 Unsupported parameter: SMTPUTF8' ],
    [ "MAIL FROM:<\xc3\xbc\@b.example>", $sender_needs ],
);

$c = connected('off');

ok !exists $c->{ehlo}{SMTPUTF8}, 'switched off: not offered';

$c->dialogue('switched off: unknown',
    [ "EHLO b\xc3\xbccher.example", '501 5.5.4 Syntax: EHLO domain' ],
    [ 'EHLO a', qr/^250-/ ],
    [ 'MAIL FROM:<a@b.example> SMTPUTF8',
      '555 5.5.4 Unsupported parameter: SMTPUTF8' ],
    [ "MAIL FROM:<\xc3\xbc\@b.example>", $sender_needs ],
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ "RCPT TO:<\xc3\xbc\@b.example>", $rcpt_needs ],
);


# to a next hop that has it

$c = connected('smtp', "b\xc3\xbccher.example");

like $c->send_message(from => "j\xc3\xbc\@b\xc3\xbc.example",
                      to => "\xe5\xad\xab\@example.com",
                      mail_params => [ $utf8, 'BODY=8BITMIME' ],
                      data => $header),
     $taken, 'it goes on';

my $m = last_of($new);

is $m->{from}, "j\xc3\xbc\@b\xc3\xbc.example", 'the sender';
like $m->{from_params}, qr/\bSMTPUTF8\b/, 'the parameter';
is $m->{to}[0], "\xe5\xad\xab\@example.com", 'the recipient';
like $m->{data}, qr/\r\n\Q$header\E\z/, 'the message';

like trace($new),
     qr/\AReceived: from b\xc3\xbccher\.example \(\[127\.0\.0\.1\]\)\r\n\tby mx\.example\.com with UTF8SMTP\r\n\tid \S+\r\n\tfor <\xe5\xad\xab\@example\.com>;\r\n/,
     'the trace has it, too';

like $c->send_message(mail_params => [ $utf8 ], data => $ascii), $taken,
     'declared, but not needed';
like last_of($new)->{from_params}, qr/\bSMTPUTF8\b/, 'it is as it was declared';
like trace($new),
     qr/\AReceived: from unknown \(\[127\.0\.0\.1\]\)\r\n\tby mx\.example\.com with UTF8SMTP\r\n\tid \S+\r\n\tfor <rcpt\@example\.com>;\r\n/,
     'the trace is US-ASCII';

like $c->send_message(data => $header), $taken, 'not declared';
unlike last_of($new)->{from_params}, qr/SMTPUTF8/, 'is not declared by us';
like trace($new), qr/\AReceived: from unknown .* with ESMTP\r\n/s,
     'nor in the trace';

$c->auth_plain('user', 'p4ssw0rd');
$c->send_message(mail_params => [ $utf8 ]);
like trace($new), qr/ with UTF8SMTPA\r\n/, 'UTF8SMTPA';

$c = connected('smtp');
$c->starttls();
$c->ehlo();
$c->send_message(mail_params => [ $utf8 ]);
like trace($new), qr/ with UTF8SMTPS\r\n/, 'UTF8SMTPS';

$c->auth_plain('user', 'p4ssw0rd');
$c->send_message(mail_params => [ $utf8 ]);
like trace($new), qr/ with UTF8SMTPSA\r\n/, 'UTF8SMTPSA';
$c->quit();


# to one that has not

for my $port ('verify', 'buffered') {
    my $n = $old->messages();

    $c = connected($port, "b\xc3\xbccher.example");
    $c->mail("\xc3\xbc\@b.example", $utf8);

    if ($port eq 'verify') {
        is $c->rcpt('a@b.example'), $lacks, "$port: the sender";
        is $c->cmd('RSET'), $ok, "$port: the session goes on";
        $c->mail('a@b.example', $utf8);
        is $c->rcpt("\xc3\xbc\@b.example"), $lacks, "$port: a recipient";
        is $c->rcpt('a@b.example'), $recipient, "$port: the next one";
        like $c->data($ascii), $taken, "$port: the message without it";
        $n++;

    } else {
        $c->rcpt('a@b.example');
        is $c->data($ascii), $lacks, "$port: the sender";
        is $c->cmd('NOOP'), $ok, "$port: the session goes on";
        $c->mail('a@b.example', $utf8);
        $c->rcpt('a@b.example');
        $c->rcpt("\xc3\xbc\@b.example");
        is $c->data($ascii), $lacks, "$port: a recipient";
        is $c->send_message(mail_params => [ $utf8 ], data => $header,
                            to => "\xc3\xbc\@b.example"),
           $lacks, "$port: both";
        is $c->cmd('NOOP'), $ok, "$port: the session goes on";
    }

    is $c->send_message(mail_params => [ $utf8 ], data => $header),
       $lacks_header, "$port: a header field";
    is $c->send_message(mail_params => [ $utf8 ], data => $part),
       $lacks_header, "$port: a header field of a part";
    is scalar $old->messages(), $n, "$port: nothing has gone there";
    ok !(grep { /[\x80-\xff]|UTF8/ } $old->commands()),
       "$port: not even in a command";

    like $c->send_message(mail_params => [ $utf8, 'BODY=8BITMIME' ],
                          data => $body),
         $taken, "$port: 8-bit in the body does not need it";
    unlike last_of($old)->{from_params}, qr/SMTPUTF8/,
           "$port: it goes without the parameter";
    ok trace($old) !~ /[\x80-\xff]/, "$port: and without UTF-8 in the trace";
    like $c->send_message(data => $header), $taken,
         "$port: what was not declared is not looked at";
    $c->quit();
}


# ORCPT, RFC 6533, 3

my $orcpt = "ORCPT=utf-8;\xc3\xbc\xe5\xad\xab\xf0\x9f\x93\xa7\@b.example";

$c = connected('smtp');
$c->dialogue('ORCPT in UTF-8',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ "RCPT TO:<a\@b.example> $orcpt", '501 5.5.4 Bad parameter: ORCPT' ],
    [ 'RSET', $ok ],
    [ "MAIL FROM:<a\@b.example> SMTPUTF8 ENVID=\xc3\xbc",
      '501 5.5.4 Bad parameter: ENVID' ],
    [ 'MAIL FROM:<a@b.example> SMTPUTF8', $sender ],
    [ "RCPT TO:<a\@b.example> ORCPT=rfc822;\xc3\xbc",
      '501 5.5.4 Bad parameter: ORCPT' ],
    [ "RCPT TO:<a\@b.example> $orcpt", $recipient ],
);
$c->quit();

ok +(grep { $_ eq "RCPT TO:<a\@b.example> $orcpt" } $new->commands()),
   'it goes on as it is';

$c = connected('verify');
$c->mail('a@b.example', $utf8);
is $c->rcpt('a@b.example', $orcpt), $recipient,
   'to a next hop without SMTPUTF8';
is $c->rcpt('c@b.example', 'ORCPT=utf-8;' . "\xc3\xbc" x 90), $recipient,
   'too long a one';
$c->quit();

is_deeply [ grep { /ORCPT|c\@b/ } $old->commands() ],
   [ 'RCPT TO:<a@b.example> ORCPT=utf-8;\x{FC}\x{5B6B}\x{1F4E7}@b.example',
     'RCPT TO:<c@b.example>' ], 'in US-ASCII, or not';


# routes

$c = connected('route');
$c->mail("\xc3\xbc\@b.example", $utf8);

my $denied = '550 5.7.1 Relaying denied';

$c->dialogue('recipients are found by their octets',
    [ "RCPT TO:<j\xc3\xbcrgen\@example.com>", $recipient ],
    [ "RCPT TO:<J\xc3\xbcRGEN\@EXAMPLE.com>", $recipient ],
    [ "RCPT TO:<\"j\xc3\xbcrgen\"\@example.com>", $recipient ],
    [ "RCPT TO:<j\xc3\x9crgen\@example.com>", $denied ],
    [ "RCPT TO:<ju\xcc\x88rgen\@example.com>", $denied ],
    [ "RCPT TO:<a\@b\xc3\xbccher.EXAMPLE>", $recipient ],
    [ "RCPT TO:<a\@b\xc3\x9ccher.example>", $denied ],
    [ "RCPT TO:<a\@b.\xe4\xbe\x8b\xe5\xad\x90.example>", $recipient ],
    [ "RCPT TO:<alias\@example.com>", $recipient ],
);
$c->data($header);
is last_of($new)->{to}[-1], "m\xc3\xbcnchen\@example.com", 'rewritten to UTF-8';

$c->dialogue('not for what was not declared',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<alias@example.com>', $rcpt_needs ],
    [ 'RSET', $ok ],
);

like $c->send_message(from => 'a@b.example', to => "\xc3\xa4\@example.com",
                      mail_params => [ $utf8 ], data => $ascii),
     $taken, 'rewritten to US-ASCII';
is last_of($old)->{to}[0], 'ae@example.com', 'so it needs nothing';
unlike trace($old), qr/for </, 'nor does the trace name the other';
$c->quit();


# logs

$t->stop();

my $short = $t->read_file('short.log');
my $json = $t->read_file('json.log');

like $short,
     qr/^UTF8SMTP\|b\xc3\xbccher\.example\|j\xc3\xbc\@b\xc3\xbc\.example\|\xe5\xad\xab\@example\.com\|accepted$/m,
     'variables';
like $json, qr/"j\xc3\xbc\@b\xc3\xbc\.example"/, 'JSON is UTF-8';

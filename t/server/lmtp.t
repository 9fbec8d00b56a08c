#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# LMTP from a client, RFC 2033: LHLO, a reply per recipient.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(35);

$t->certificate('localhost');

my $mta = $t->server('mta', on => {
    RCPT => sub { $_[0] =~ /nobody/ ? '550 5.1.1 nobody here' : undef },
    EOM => sub { $_[2]{data} =~ /^Subject: bad/m ? '554 5.6.0 bad' : undef },
});
my $secret = $t->secret('s3cret-passw0rd');
my $http = $t->http('http', auth => { 'user@example.com' => $secret });

my $conf = <<'EOC';
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_relay_from        127.0.0.1 unix:;
    smtp_pass              smtp://127.0.0.1:%%PORT_mta%%;
    smtp_auth_http         http://127.0.0.1:%%PORT_http%%/auth;
    smtp_max_errors        100;
    smtp_max_message_size  1000;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    smtp_log_format  lmtp  '$smtp_protocol|$smtp_result|$smtp_status|'
                           '$smtp_rcpt_count|$smtp_rcpt_refused';

    server {
        listen           127.0.0.1:%%PORT_lmtp%%;
        protocol         smtp_ext;
        starttls         on;
        smtp_lmtp        on;
        smtp_access_log  %%TESTDIR%%/lmtp.log  lmtp;

        smtp_xclient_from  127.0.0.1;
    }

    server {
        listen     unix:%%TESTDIR%%/lmtp.sock;
        protocol   smtp_ext;
        smtp_lmtp  on;
    }

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }
}
EOC

$t->write_conf($conf)->run();

my $ok = '250 2.0.0 OK';
my $sender = '250 2.1.0 Sender OK';
my $rcpt = '250 2.1.5 ok';
my $taken = qr/^250 2\.0\.0 OK id=(\w+)$/;
my $go = '354 End data with <CR><LF>.<CR><LF>';
my $unknown = '500 5.5.1 Command not recognized';
my $first = '503 5.5.1 Send LHLO first';
my $lines = 0;

sub connected {
    my $c = $t->client($_[0] || 'lmtp');

    $c->read_reply();
    $c->cmd('LHLO client.example.com');

    return $c;
}

sub logged {
    my @logged = $t->access_lines(++$lines, 'lmtp.log');

    return $logged[$lines - 1];
}

sub received_with {
    return (($mta->messages())[-1]{data} =~ / with (\w+)\r\n/)[0];
}


# the greeting, and what is not there: 4.1

my $c = $t->client('lmtp');

$c->dialogue('LHLO takes the place of EHLO and HELO',
    [ undef, '220 mx.example.com LMTP' ],
    [ 'MAIL FROM:<a@b.example>', $first ],
    [ 'RCPT TO:<a@b.example>', $first ],
    [ 'DATA', $first ],
    [ 'EHLO client.example.com', $unknown ],
    [ 'HELO client.example.com', $unknown ],
    [ 'MAIL FROM:<a@b.example>', $first ],
    [ 'LHLO', '501 5.5.4 Syntax: LHLO domain' ],
    [ 'LHLO client.example.com', qr/^250-mx\.example\.com\n/ ],
    [ 'HELP', '214 2.0.0 Commands: LHLO MAIL RCPT DATA BDAT RSET NOOP QUIT '
      . 'VRFY HELP STARTTLS' ],
);

my $lhlo = $c->cmd('lhlo client.example.com');

like $lhlo, qr/^250[ -]$_\b/m, "$_ is offered"
    for qw/ PIPELINING ENHANCEDSTATUSCODES 8BITMIME CHUNKING /;

$c->quit();
is logged(), 'LMTP|refused|501|-|-', 'the log of a session without a message';

$c = $t->client('smtp');
$c->read_reply();
is $c->cmd('LHLO client.example.com'), $unknown, 'no LHLO in SMTP';

# a reply for each recipient that was accepted, in their order: 4.2

$c = connected();
$c->dialogue('one per recipient, duplicates included',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<one@example.com>', qr/^250 / ],
    [ 'RCPT TO:<nobody@example.com>', '550 5.1.1 nobody here' ],
    [ 'RCPT TO:<two@example.com>', qr/^250 / ],
    [ 'RCPT TO:<one@example.com>', qr/^250 / ],
    [ 'DATA', $go ],
    [ \"Subject: 1\r\n\r\nx\r\n.\r\n", $taken ],
    [ undef, $taken ],
    [ undef, $taken ],
    [ 'NOOP', $ok ],
);
is logged(), 'LMTP|accepted|250|3|1', 'the log';
is received_with(), 'LMTP', 'Received';

$c->dialogue('a refusal as well',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<one@example.com>', qr/^250 / ],
    [ 'RCPT TO:<two@example.com>', qr/^250 / ],
    [ 'DATA', $go ],
    [ \"Subject: bad\r\n\r\nx\r\n.\r\n", '554 5.6.0 bad' ],
    [ undef, '554 5.6.0 bad' ],
    [ 'NOOP', $ok ],
);
is logged(), 'LMTP|refused|554|2|0', 'the log has it';

my $big = '552 5.3.4 Message size exceeds fixed limit';

$c->dialogue('one that is ours',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<one@example.com>', qr/^250 / ],
    [ 'RCPT TO:<two@example.com>', qr/^250 / ],
    [ 'DATA', $go ],
    [ \("x" x 1001 . "\r\n.\r\n"), $big ],
    [ undef, $big ],
    [ 'NOOP', $ok ],
);
logged();

$c->dialogue('DATA without a recipient is 503, whatever became of them',
    [ 'DATA', '503 5.5.1 Need MAIL first' ],
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'DATA', '503 5.5.1 Need RCPT first' ],
    [ 'RCPT TO:<nobody@example.com>', '550 5.1.1 nobody here' ],
    [ 'DATA', '503 5.5.1 Need RCPT first' ],
    [ 'RSET', $ok ],
);
logged();

# BDAT: 4.3

$c->dialogue('BDAT has one reply, BDAT LAST one per recipient',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<one@example.com>', qr/^250 / ],
    [ 'RCPT TO:<two@example.com>', qr/^250 / ],
    [ \"BDAT 14\r\nSubject: 2\r\n\r\n", '250 2.0.0 14 octets received' ],
    [ \"BDAT 3 LAST\r\nx\r\n", $taken ],
    [ undef, $taken ],
    [ 'NOOP', $ok ],
);
is logged(), 'LMTP|accepted|250|2|0', 'by BDAT';

$c->dialogue('a chunk too many has one reply',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<one@example.com>', qr/^250 / ],
    [ 'RCPT TO:<two@example.com>', qr/^250 / ],
    [ \("BDAT 1001\r\n" . 'x' x 1001), $big ],
    [ 'NOOP', $ok ],
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<one@example.com>', qr/^250 / ],
    [ 'RCPT TO:<two@example.com>', qr/^250 / ],
    [ \("BDAT 1001 LAST\r\n" . 'x' x 1001), $big ],
    [ undef, $big ],
    [ 'NOOP', $ok ],
);
logged() for 1 .. 2;

$c->pipeline('MAIL FROM:<a@b.example>', 'RCPT TO:<nobody@example.com>',
             'BDAT 0', 'BDAT 0 LAST', 'RSET', 'BDAT 0', 'BDAT 0 LAST', 'NOOP');
is_deeply [ $c->read_replies(6) ],
          [ $sender, '550 5.1.1 nobody here',
            '554 5.5.1 No valid recipients, chunk dropped', $ok,
            '503 5.5.1 Need MAIL first, chunk dropped', $ok ],
          'without a recipient BDAT LAST has none';
logged();

# all at once

$c->pipeline('MAIL FROM:<a@b.example>',
             (map { "RCPT TO:<$_\@example.com>" } qw/ one nobody two /),
             "BDAT 17 LAST\r\nSubject: 3\r\n\r\nx", 'MAIL FROM:<a@b.example>',
             'RCPT TO:<one@example.com>', 'RSET', 'NOOP');
is_deeply [ map { /^(\d+)/ } $c->read_replies(10) ],
          [ 250, 250, 550, 250, 250, 250, 250, 250, 250, 250 ],
          'in a pipeline';
is logged(), 'LMTP|accepted|250|2|1', 'in the log';

# the names of RFC 3848

$c = connected();
$c->starttls();
is $c->mail('a@b.example'), $first, 'STARTTLS forgets LHLO';
$c->cmd('LHLO client.example.com');
like $c->send_message(to => 'one@example.com'), $taken, 'a message under TLS';
is received_with(), 'LMTPS', 'with LMTPS';
like $c->auth_plain('user@example.com', $secret), qr/^235 /, 'AUTH';
like $c->send_message(to => 'one@example.com'), $taken, 'a message after it';
is received_with(), 'LMTPSA', 'with LMTPSA';

$c = connected();
is $c->cmd('XCLIENT ADDR=127.0.0.1 HELO=a.example LOGIN=user'),
   '220 mx.example.com LMTP', 'XCLIENT';
like $c->send_message(to => 'one@example.com'), $taken,
     'a message of a user without TLS';
is received_with(), 'LMTPA', 'with LMTPA';

# a unix socket, which is where it belongs

$c = connected('unix:lmtp.sock');
like $c->send_message(to => 'one@example.com'), $taken, 'a unix socket';

# 5: not on port 25

for my $listen ('127.0.0.1:25', '[::1]:25', '25') {
    my ($rc, $out) = $t->test_conf($conf
                     =~ s/listen     unix:\S+/listen $listen;/r);

    like "$rc $out", qr/^1 .*"smtp_lmtp" is not for port 25 in server in .*:\d/,
         "not on $listen";
}

is +($t->test_conf($conf =~ s/smtp_lmtp  on;/smtp_lmtp off;/r
                         =~ s/listen     unix:\S+/listen 127.0.0.1:25;/r))[1]
       =~ /smtp_lmtp/, '', 'but for SMTP';

is +($t->test_conf($conf =~ s/(smtp_max_errors .*)/$1 smtp_lmtp on;/r
                         =~ s/(listen .*PORT_smtp.*)/listen 127.0.0.1:25; $1/r)
    )[0], 1, 'nor by mail{}';

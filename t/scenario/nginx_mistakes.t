#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# What nginx's own SMTP proxy does and we must not: points 1 to 8, 12, 13, 15
# to 17 and 19 of the list that this project began with, by dialogue.

use warnings;
use strict;

use MIME::Base64 qw/ encode_base64 /;
use Test::More;
use Time::HiRes qw/ time /;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

# point 13: so many messages in a row, in less than so many seconds; with a
# stall of 44 ms in each they would take 8.8

use constant MESSAGES => 200;
use constant SECONDS => 4;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(58);

$t->certificate('localhost');

my $secret = $t->secret('s3cret-passw0rd');
my $mta = $t->server('mta', on => { RCPT => sub {
    return $_[0] =~ /nobody/ ? '550 5.1.1 nobody here' : undef;
} });
my $poor = $t->server('poor', ehlo => [ 'SIZE 1000' ]);
my $http = $t->http('http', auth => { 'user@example.com' => $secret });
my $broken = $t->http('broken', on => { '/auth' => {
    status => 500, headers => [ 'Auth-Status' => 'OK' ] } });

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_auth_http   http://127.0.0.1:%%PORT_http%%/auth;
    smtp_max_errors  100;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    smtp_log_format  line  '$remote_addr $smtp_id from=<$smtp_mail_from> '
                           'to=<$smtp_rcpt_to> $smtp_status $smtp_auth_user';

    server {
        listen     127.0.0.1:%%PORT_mx%%;
        protocol   smtp_ext;
        smtp_access_log  %%TESTDIR%%/access.log  line;

        smtp_recipient  @example.com {
            smtp_pass  smtp://127.0.0.1:%%PORT_mta%%;
        }

        smtp_recipient  @poor.example {
            smtp_pass  smtp://127.0.0.1:%%PORT_poor%%;
        }
    }

    server {
        listen     127.0.0.1:%%PORT_only%%;
        protocol   smtp_ext;
        starttls   only;
        smtp_auth_methods  plain;
        smtp_pass  smtp://127.0.0.1:%%PORT_mta%%;
    }

    server {
        listen                 127.0.0.1:%%PORT_500%%;
        protocol               smtp_ext;
        smtp_auth_require_tls  off;
        smtp_auth_http         http://127.0.0.1:%%PORT_broken%%/auth;
        smtp_pass              smtp://127.0.0.1:%%PORT_mta%%;
    }

    server {
        listen                127.0.0.1:%%PORT_times%%;
        protocol              smtp_ext;
        smtp_command_timeout  400ms;
    }
}
EOC

my $greeting = '220 mx.example.com ESMTP';
my $sender = '250 2.1.0 Sender OK';
my $recipient = '250 2.1.5 recipient ok';
my $denied = '550 5.7.1 Relaying denied';
my $go = '354 End data with <CR><LF>.<CR><LF>';
my $taken = qr/^250 2\.0\.0 OK id=[0-9a-z]+$/;
my $ok = '250 2.0.0 OK';

sub b64 { encode_base64($_[0], '') }


# 1. each recipient, in each transaction, is looked at

my $c = $t->connected('mx');

$c->dialogue('1: a second recipient is asked about like the first',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<one@example.com>', $recipient ],
    [ 'RCPT TO:<victim@elsewhere.example>', $denied ],
    [ 'RCPT TO:<two@example.com>', $recipient ],
    [ 'RCPT TO:<victim@elsewhere.example>', $denied ],
    [ 'DATA', $go ],
    [ \"Subject: 1\r\n\r\nx\r\n.\r\n", $taken ],
);
$c->dialogue('1: and so it is in a second transaction',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<victim@elsewhere.example>', $denied ],
    [ 'RCPT TO:<one@example.com>', $recipient ],
    [ 'DATA', $go ],
    [ \"Subject: 2\r\n\r\nx\r\n.\r\n", $taken ],
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<victim@elsewhere.example>', $denied ],
    [ 'DATA', '554 5.5.1 No valid recipients' ],
    [ 'RSET', $ok ],
);

# 2. there is no hand-over: no command of the client reaches the next hop

my $forbidden = '550 5.7.0 Insufficient authorization';
my $not_now = '503 5.5.1 Not permitted during a mail transaction';

$c->dialogue('2: XCLIENT and its like are not for clients, at any time',
    [ 'XCLIENT ADDR=127.0.0.1', $forbidden ],
    [ 'XFORWARD ADDR=127.0.0.1', $forbidden ],
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<one@example.com>', $recipient ],
    [ 'XCLIENT ADDR=127.0.0.1 LOGIN=root', $not_now ],
    [ 'XFORWARD ADDR=127.0.0.1', $not_now ],
    [ 'ETRN example.com', '502 5.5.1 Command not implemented' ],
    [ 'STARTTLS', $not_now ],
    [ 'EXPN list', '502 5.5.1 Command not implemented' ],
    [ 'VRFY one@example.com', qr/^252 2\.0\.0 / ],
    [ 'RCPT TO:<two@example.com> XCLIENT=1',
      '555 5.5.4 Unsupported parameter: XCLIENT' ],
    [ 'DATA', $go ],
    [ \"Subject: 3\r\n\r\nx\r\n.\r\n", $taken ],
);

is_deeply [ grep { /victim/ || !/^(?:EHLO\ mx\.example\.com|RSET|DATA
                                    |MAIL\ FROM:<a\@b\.example>(?:\ SIZE=\d+)?
                                    |RCPT\ TO:<(?:one|two)\@example\.com>)$/x }
            $mta->commands() ], [],
          '2: the next hop has seen our own commands, and no other';
is_deeply [ map { join ',', @{$_->{to}} } $mta->messages() ],
          [ 'one@example.com,two@example.com', 'one@example.com',
            'one@example.com' ], '1: and recipients that are allowed';

# 3. "starttls only" holds for MAIL and all others

my $need = '530 5.7.0 Must issue a STARTTLS command first';

$c = $t->connected('only');
$c->dialogue('3: "starttls only"',
    [ 'MAIL FROM:<a@b.example>', $need ],
    [ 'RCPT TO:<a@example.com>', $need ],
    [ 'DATA', $need ],
    [ 'AUTH PLAIN ' . b64("\0user\@example.com\0$secret"), $need ],
    [ 'RSET', $need ],
    [ 'VRFY a', $need ],
);

# 4. a mechanism that is not configured

$c->starttls();
is $c->ehlo()->{AUTH}, 'PLAIN', '4: what is configured is offered';

my $no_mechanism = '504 5.5.4 Unrecognized authentication mechanism';

for my $mechanism ('LOGIN', 'CRAM-MD5', 'EXTERNAL', 'EXTERNAL =',
                   'XOAUTH2 YQ==', 'LOGIN ' . b64('user@example.com'),
                   'NTLM', '7')
{
    is $c->cmd("AUTH $mechanism"), $no_mechanism, "4, 7: AUTH $mechanism";
}

# 7. cancel, empty responses

$c->dialogue('7: "*" cancels',
    [ 'AUTH PLAIN', '334 ' ],
    [ '*', '501 5.7.0 Authentication cancelled' ],
);

my $bad = '501 5.5.2 Cannot decode authentication response';

$c->dialogue('7: "=" is an empty response, and nobody\'s name',
    [ 'AUTH PLAIN =', $bad ],
    [ 'AUTH PLAIN ' . b64("\0\0"), $bad ],
);
is scalar(() = $http->requests()), 0, '7: nobody was asked about that';
is $c->auth_plain('user@example.com', $secret),
   '235 2.7.0 Authentication succeeded', '7: a good one';
like $c->send_message(to => 'any@where.example'), $taken,
     '7: may send to everybody';

# 5. the backend's status line counts

$c = $t->connected('500');
is $c->auth_plain('user@example.com', $secret),
   '454 4.7.0 Temporary authentication failure', '5: 500 is no login';
is scalar(() = $broken->requests()), 1, '5: the backend was asked';
$c->mail('a@b.example');
is $c->rcpt('any@where.example'), $denied, '5: and nothing is allowed by it';

# 6. bare LF; smuggling

$c = $t->connected('mx');
$c->send_raw("MAIL FROM:<a\@b.example>\n");
is $c->read_reply(), '500 5.5.2 Bare <LF> in command, closing connection',
   '6: a bare LF ends no command';
ok $c->eof(), '6: closed';

my $before = $mta->messages();

for my $end ("\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n") {
    $c = $t->connected('mx');
    $c->mail('a@b.example');
    $c->rcpt('one@example.com');
    $c->cmd('DATA');
    $c->send_raw("Subject: outer\r\n\r\nx${end}MAIL FROM:<evil\@b.example>\r\n"
                 . "RCPT TO:<two\@example.com>\r\nDATA\r\nevil\r\n.\r\n");
    like $c->read_reply(), qr/^550 5\.6\.0 /,
         '6: ' . $end =~ s/\r/\\r/gr =~ s/\n/\\n/gr . ' ends no message';
    is $c->cmd('NOOP'), $ok, '6: which has one reply';
}

is $mta->messages() - $before, 0, '6: and goes nowhere';

# 8. what the client says becomes no header, no command, no field, no log line

$c = $t->client('mx');
$c->read_reply();

for my $name ("a\rX: y", "a b", "a\tb", "[1.2.3.4] X", "<a>", "a\x00b", 'a;b') {
    like $c->cmd("EHLO $name"), qr/^50[01] 5\.5\.[24] /,
         '8: no name: ' . $name =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger;
}

$c->ehlo();
$c->dialogue('8: no addresses',
    [ "MAIL FROM:<a\rb\@c.example>", '500 5.5.2 Bare <CR> in command' ],
    [ "MAIL FROM:<\"a\rb\"\@c.example>", '500 5.5.2 Bare <CR> in command' ],
    [ "MAIL FROM:<\"a\x00\"\@c.example>",
      '501 5.1.7 Bad sender address syntax' ],
    [ "MAIL FROM:<a\@c.example\tX>", '501 5.1.7 Bad sender address syntax' ],
    [ 'MAIL FROM:<a@c.example> ADDR=1', qr/^555 5\.5\.4 / ],
);

# 12. what EHLO offers holds for each next hop

$c->dialogue('12: a next hop that is less able than we are',
    [ 'MAIL FROM:<a@b.example> SIZE=2000', $sender ],
    [ 'RCPT TO:<a@poor.example>',
      '552 5.3.4 Message size exceeds fixed limit' ],
    [ 'RSET', $ok ],
    [ 'MAIL FROM:<a@b.example> BODY=8BITMIME', $sender ],
    [ 'RCPT TO:<a@poor.example>', $recipient ],
    [ 'DATA', $go ],
    [ \"Subject: 8bit\r\n\r\n\xe9\r\n.\r\n", $taken ],
    [ 'MAIL FROM:<a@b.example> BODY=8BITMIME', $sender ],
    [ 'RCPT TO:<a@poor.example>', $recipient ],
    [ 'DATA', $go ],
    [ \"Subject: 8bit \xe9\r\n\r\nx\r\n.\r\n",
      '554 5.6.3 Destination server does not take 8-bit content' ],
);
$c->pipeline('MAIL FROM:<a@b.example>', 'RCPT TO:<a@poor.example>',
             'RCPT TO:<b@poor.example>', 'DATA');
is_deeply [ $c->read_replies(4) ], [ $sender, $recipient, $recipient, $go ],
          '12: a batch, with a next hop that has no PIPELINING';
$c->body("Subject: poor\r\n\r\nx\r\n");
like $c->read_reply(), $taken, '12: is taken';

# 13. no stall

my $start = time();

for (1 .. MESSAGES) {
    last unless $c->send_message(to => 'one@example.com') =~ $taken;
}

is $mta->messages() - $before, MESSAGES, '13: messages in a row';
cmp_ok time() - $start, '<', scaled(SECONDS), '13: without a stall in each';

# 15. a refused recipient is no end of the session

$c->dialogue('15: after a refused recipient',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<nobody@example.com>', '550 5.1.1 nobody here' ],
    [ 'RCPT TO:<one@example.com>', $recipient ],
    [ 'DATA', $go ],
    [ \"Subject: 15\r\n\r\nx\r\n.\r\n", $taken ],
);

# 16. arguments, SIZE and order

$c->dialogue('16: MAIL, SIZE, DATA',
    [ 'MAIL banana', '501 5.5.4 Syntax: MAIL FROM:<address> [parameters]' ],
    [ 'MAIL FROM:<a@b.example> SIZE=33554433',
      '552 5.3.4 Message size exceeds fixed limit' ],
    [ 'DATA', '503 5.5.1 Need MAIL first' ],
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'DATA', '503 5.5.1 Need RCPT first' ],
    [ 'RSET', $ok ],
);

# 17. a line in the log

$c = $t->connected('mx');
$c->send_message(from => 'log@b.example', to => 'one@example.com');

my ($id) = $c->last_reply() =~ /id=(\w+)$/;

is $t->wait_log(qr/^(.* from=<log\@.*)$/m, 'access.log'),
   "127.0.0.1 $id from=<log\@b.example> to=<one\@example.com> 250 -",
   '17: a line in the log';
like +($mta->messages())[-1]{data}, qr/\bid $id\r\n/, '17: its id in Received';

# 18. nothing is looked up before the greeting: there is no resolver here

is $t->client('mx')->read_reply(), $greeting, '18: a greeting at once';

# 19. a command's time is not that of all else

$start = time();
$c = $t->connected('times');
is $c->read_reply(), '421 4.4.2 Timeout, closing connection', '19: a timeout';
cmp_ok time() - $start, '<', scaled(3), '19: of its own';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# What an auth service says that a user may: Auth-Max-Size, Auth-Max-Rcpt and
# the syntax of Auth-Senders.  RFC 1870, RFC 5321, 4.5.3.1.10, RFC 9422.

use warnings;
use strict;

use MIME::Base64 qw/ encode_base64 /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(54);

my $mta = $t->server('mta');
my $none = $t->server('none', ehlo => [ 'PIPELINING' ]);
my $small = $t->server('small', ehlo => [ 'SIZE 700' ]);

$t->certificate('localhost');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    smtp_http_breaker      off;
    server_name              mx.example.com;
    smtp_auth_http           http://127.0.0.1:%%PORT_http%%/auth;
    smtp_auth_require_tls    off;
    smtp_max_message_size    1000;
    smtp_max_recipients      100;
    smtp_max_errors          100;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    server {
        listen             127.0.0.1:%%PORT_smtp%%;
        protocol           smtp_ext;
        starttls           on;
        smtp_xclient_from  127.0.0.1;
        smtp_pass          smtp://127.0.0.1:%%PORT_mta%%;
    }

    server {
        listen                 127.0.0.1:%%PORT_any%%;
        protocol               smtp_ext;
        smtp_max_message_size  0;
        smtp_pass              smtp://127.0.0.1:%%PORT_none%%;
    }

    server {
        listen     127.0.0.1:%%PORT_hop%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_small%%;
    }
}
EOC

my $http = $t->http('http');

my $ok = '235 2.7.0 Authentication succeeded';
my $unavailable = '454 4.7.0 Temporary authentication failure';
my $sender = '250 2.1.0 Sender OK';
my $recipient = '250 2.1.5 recipient ok';
my $too_big = '552 5.3.4 Message size exceeds fixed limit';
my $too_many = '452 4.5.3 Too many recipients';
my $taken = qr/^250 2\.0\.0 OK id=/;

my $plain = 'AUTH PLAIN ' . encode_base64("\0user\0password", '');


sub says {
    $http->set(on => { '/auth' => { headers => [ 'Auth-Status' => 'OK',
                                                 @_ ] } });
}

# logged in, with EHLO said once more

sub logged_in {
    my ($port, @headers) = @_;

    says(@headers);

    my $c = $t->connected($port);

    $c->cmd($plain) eq $ok or die "not logged in";
    $c->ehlo();

    return $c;
}

sub message { return "Subject: x\r\n\r\n" . 'y' x ($_[0] - 16) . "\r\n" }


# SIZE

says('Auth-Max-Size' => 500);

my $c = $t->connected();

is $c->{ehlo}{SIZE}, 1000, 'the server\'s SIZE before a login';
is $c->cmd($plain), $ok, 'login';
is $c->ehlo()->{SIZE}, 500, 'the user\'s behind it';

is $c->mail('a@b.example', 'SIZE=501'), $too_big, 'MAIL with more is refused';
is $c->mail('a@b.example', 'SIZE=500'), $sender, 'as much is not';
$c->cmd('RSET');

like $c->send_message(data => message(500)), $taken, 'what comes is counted';
is $c->send_message(data => message(501)), $too_big,
   'and refused when it is more';

$c->mail('a@b.example');
$c->rcpt('c@d.example');
$c->send_raw("BDAT 501 LAST\r\n" . message(501));
is $c->read_reply(), $too_big, 'and by BDAT';

$c->mail('a@b.example');
$c->rcpt('c@d.example');
$c->send_raw("BDAT 300\r\n" . substr(message(501), 0, 300));
is $c->read_reply(), '250 2.0.0 300 octets received', 'a chunk that fits';
$c->send_raw("BDAT 201 LAST\r\n" . substr(message(501), 300));
is $c->read_reply(), $too_big, 'and one that does not any more';

is logged_in('smtp', 'Auth-Max-Size' => 5000)->{ehlo}{SIZE}, 1000,
   'a user gets no more than others';
is logged_in('smtp')->{ehlo}{SIZE}, 1000, 'nothing is said of a user';

$c = logged_in('any', 'Auth-Max-Size' => 600);

is $c->{ehlo}{SIZE}, 600, 'no limit but the user\'s';
is $c->mail('a@b.example', 'SIZE=601'), $too_big, 'which is kept';
is logged_in('any')->{ehlo}{SIZE}, 0, 'no limit at all';
is logged_in('any', 'Auth-Max-Size' => '9' x 18)->{ehlo}{SIZE}, '9' x 18,
   'the largest one';

# the next hop's

$c = logged_in('hop', 'Auth-Max-Size' => 900);

is $c->{ehlo}{SIZE}, 900, 'the next hop has not been asked yet';
like $c->send_message(data => message(100)), $taken, 'it has now';
is $c->ehlo()->{SIZE}, 700, 'its limit is the least';
is logged_in('hop', 'Auth-Max-Size' => 600)->{ehlo}{SIZE}, 600,
   'the user\'s is less';

# recipients

$c = logged_in('smtp', 'Auth-Max-Rcpt' => 2);

is $c->{ehlo}{LIMITS}, 'RCPTMAX=2', 'LIMITS has the user\'s';

$c->dialogue('as many as the user may',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<c@d.example>', $recipient ],
    [ 'RCPT TO:<e@d.example>', $recipient ],
    [ 'RCPT TO:<f@d.example>', $too_many ],
);
like $c->data(message(100)), $taken, 'they get it';
is_deeply +($mta->messages())[-1]{to}, [ 'c@d.example', 'e@d.example' ],
   'and nobody else';
$c->dialogue('a new transaction has them again',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<c@d.example>', $recipient ],
    [ 'RCPT TO:<c@d.example>', $recipient ],
    [ 'RCPT TO:<c@d.example>', $too_many ],
);

is logged_in('smtp', 'Auth-Max-Rcpt' => 5000)->{ehlo}{LIMITS}, 'RCPTMAX=100',
   'no more recipients than for others';
is logged_in('smtp')->{ehlo}{LIMITS}, 'RCPTMAX=100',
   'nothing is said of recipients';

# how long it lasts

$c = logged_in('smtp', 'Auth-Max-Size' => 500, 'Auth-Max-Rcpt' => 2);

$c->cmd('RSET');
is $c->ehlo()->{SIZE}, 500, 'RSET and EHLO change nothing';

is $c->cmd('XCLIENT ADDR=192.0.2.1'), '220 mx.example.com ESMTP', 'XCLIENT';
is $c->ehlo()->{SIZE}, 1000, 'is a session without a user';
is $c->{ehlo}{LIMITS}, 'RCPTMAX=100', 'in every respect';
says('Auth-Max-Size' => 400);
is $c->cmd($plain), $ok, 'another login';
is $c->ehlo()->{SIZE}, 400, 'has its own limit';
is $c->{ehlo}{LIMITS}, 'RCPTMAX=100', 'and nothing of the one before';

$c->cmd('XCLIENT LOGIN=user');
is $c->ehlo()->{SIZE}, 1000, 'nobody was asked about who XCLIENT brings';

$c = logged_in('smtp', 'Auth-Max-Size' => 500);
$c->starttls();
is $c->ehlo()->{SIZE}, 1000, 'STARTTLS is a session without a user';

# answers that are none

for my $try (
    [ 'Auth-Max-Size', '', 'an empty size' ],
    [ 'Auth-Max-Size', '0', 'a size of nothing' ],
    [ 'Auth-Max-Size', '-1', 'a negative size' ],
    [ 'Auth-Max-Size', '+1', 'a sign' ],
    [ 'Auth-Max-Size', '10m', 'a unit' ],
    [ 'Auth-Max-Size', '1' . '0' x 18, 'too many digits' ],
    [ 'Auth-Max-Rcpt', '', 'an empty number' ],
    [ 'Auth-Max-Rcpt', '0', 'nobody' ],
    [ 'Auth-Max-Rcpt', 'all', 'a word' ],
    [ 'Auth-Senders', '', 'an empty list' ],
    [ 'Auth-Senders', 'user', 'no address' ],
    [ 'Auth-Senders', 'a@b.example,', 'a comma at the end' ],
    [ 'Auth-Senders', 'a@b.example c@d.example', 'no comma' ],
    [ 'Auth-Senders', 'a' x 8192 . '@b.example', 'too long a list' ],
    [ 'Auth-Max-Size', '1', 'a header twice', 'Auth-Max-Size', '2' ],
) {
    my ($name, $value, $what, @more) = @$try;

    says($name => $value, @more);
    is $t->connected()->cmd($plain), $unavailable, "$name: $what";
}

ok $t->wait_log(qr/an answer that is none: invalid "Auth-Max-Size", HTTP/),
   'the log says which';

is logged_in('smtp', 'Auth-Senders' => '*@b.example, @.c.example,"a, b"@d.e')
       ->{ehlo}{SIZE},
   1000, 'a list in order';

# nothing is left behind, however often it is set

$c = logged_in('smtp', 'Auth-Max-Size' => 400, 'Auth-Senders' => '*');

for my $i (1 .. 50) {
    $c->cmd('XCLIENT ADDR=192.0.2.1');
    $c->ehlo();
    $c->cmd($plain);
}

is $c->ehlo()->{SIZE}, 400, 'fifty logins on a connection';

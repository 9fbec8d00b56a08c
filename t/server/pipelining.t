#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# PIPELINING: RFC 2920; what may not be pipelined: its 3.1, RFC 3207, 4.2.

use warnings;
use strict;

use MIME::Base64 qw/ encode_base64 /;
use Socket qw/ SOL_SOCKET SO_RCVBUF SO_SNDBUF /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(36);

$t->certificate('localhost');

my $mta = $t->server('mta', on => { RCPT => sub {
    return $_[0] =~ /nobody/ ? '550 5.1.1 nobody here' : undef;
} });

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    smtp_max_idle_commands  0;

    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;
    smtp_auth_http   http://127.0.0.1:%%PORT_http%%/auth;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    server {
        listen                 127.0.0.1:%%PORT_smtp%%;
        protocol               smtp_ext;
        starttls               on;
        smtp_auth_require_tls  off;
    }

    server {
        listen    127.0.0.1:%%PORT_narrow%% sndbuf=16k rcvbuf=16k;
        protocol  smtp_ext;
    }
}
EOC

my $http = $t->http('http', auth => { user => 's3cret' });

my $sender = '250 2.1.0 Sender OK';
my $recipient = '250 2.1.5 recipient ok';
my $go = '354 End data with <CR><LF>.<CR><LF>';
my $taken = qr/^250 2\.0\.0 OK id=[0-9a-z]+$/;
my $ok = '250 2.0.0 OK';
my $bad = '503 5.5.1 Improper use of pipelining, closing connection';

# One read of the socket, which has what was there at the first moment.

sub read_once {
    my ($c) = @_;

    my $r = '';
    vec($r, fileno $c->socket(), 1) = 1;
    select $r, undef, undef, 8;

    $c->socket()->sysread(my $in, 65536);

    return $in;
}


# a batch; its replies are in order, and come in one write

my $c = $t->connected();

$c->pipeline('MAIL FROM:<a@b.example>', 'RCPT TO:<one@b.example>',
             'RCPT TO:<nobody@b.example>', 'RCPT TO:<two@b.example>', 'DATA');

is_deeply [ split /\r\n/, read_once($c) ],
          [ $sender, $recipient, '550 5.1.1 nobody here', $recipient, $go ],
          'an envelope in a batch is answered in one write';
$c->body("Subject: batch\r\n\r\nx\r\n");
like $c->read_reply(), $taken, 'its message is taken';
is_deeply [ map { @{$_->{to}} } $mta->messages() ],
          [ 'one@b.example', 'two@b.example' ], 'for those that were accepted';

$c->pipeline(('NOOP') x 20);
is read_once($c), "$ok\r\n" x 20, 'so is what needs nobody else';

$c->pipeline('RSET', 'FOO', 'RCPT TO:<a@b.example>', 'MAIL FROM:<',
             'MAIL FROM:<a@b.example>', 'DATA');
is_deeply [ $c->read_replies(6) ],
          [ $ok, '500 5.5.1 Command not recognized',
            '503 5.5.1 Need MAIL first',
            '501 5.1.7 Bad sender address syntax', $sender,
            '503 5.5.1 Need RCPT first' ],
          'one that fails does not stop the others';

# a message, and behind its end the next envelope

$c = $t->connected();

my @envelope = ('MAIL FROM:<a@b.example>', 'RCPT TO:<one@b.example>', 'DATA');

$c->pipeline(@envelope);
is_deeply [ $c->read_replies(3) ], [ $sender, $recipient, $go ], 'an envelope';
$c->pipeline('Subject: first', '', 'x', '.', @envelope);
like $c->read_reply(), $taken, 'the reply to the message comes first';
is_deeply [ $c->read_replies(3) ], [ $sender, $recipient, $go ],
          'then those to the next envelope behind it';
$c->pipeline('Subject: second', '', 'x', '.', 'QUIT');
like $c->read_reply(), $taken, 'QUIT may be behind the last message';
is $c->read_reply(), '221 2.0.0 Bye', 'and is answered';
ok $c->eof(), 'closed';
is_deeply [ map { $_->{data} =~ /^Subject: (.*)\r$/m } $mta->messages() ],
          [ 'batch', 'first', 'second' ], 'each message arrived once';

# many commands: more than fit into a buffer, or into a turn of the loop

$c = $t->connected();
$c->pipeline(map { "NOOP $_" } 1 .. 5000);

my @replies = $c->read_replies(5000);

is scalar(grep { $_ eq $ok } @replies), 5000, '5000 commands, 5000 replies';
is $c->cmd('RSET'), $ok, 'and no more';

# a client that does not read is waited for, and what it sent is not lost

$c = $t->client('narrow');
$c->read_reply();
$c->socket()->setsockopt(SOL_SOCKET, SO_RCVBUF, 16384);
$c->socket()->setsockopt(SOL_SOCKET, SO_SNDBUF, 16384);

my $many = 200_000;
my $sent = 0;
my $batch = "NOOP\r\n" x $many;

$c->socket()->blocking(0);

while (my $n = $c->socket()->syswrite($batch, 65536, $sent)) {
    $sent += $n;
    last if $sent == length $batch;
}

cmp_ok $sent, '<', length $batch, 'the server does not read without end';

my ($got, $tail, $end) = (0, substr($batch, $sent), time() + 30);

while ($got < $many && time() < $end) {
    my ($r, $w) = ('', '');

    vec($r, fileno $c->socket(), 1) = 1;
    vec($w, fileno $c->socket(), 1) = 1 if $tail ne '';
    select $r, $w, undef, 8 or last;

    if (vec($w, fileno $c->socket(), 1)) {
        my $n = $c->socket()->syswrite($tail, 65536);
        substr $tail, 0, $n, '' if $n;
    }

    if (vec($r, fileno $c->socket(), 1)) {
        $c->socket()->sysread(my $in, 65536) or last;
        $got += $in =~ tr/\n//;
    }
}

is $got, $many, 'when it reads, it gets a reply for each command';
is $c->cmd('NOOP'), $ok, 'and the session goes on';

# DATA, STARTTLS, AUTH are the last of a batch

my $count = $mta->messages();

$c = $t->connected();
$c->pipeline(@envelope, 'Subject: too early', '', 'x', '.', 'RSET');
is_deeply [ $c->read_replies(3) ], [ $sender, $recipient, $bad ],
          'data behind DATA is refused';
ok $c->eof(), 'and the connection closed';
is scalar(() = $mta->messages()), $count, 'no message came of it';

$c = $t->connected();
$c->send_raw("MAIL FROM:<a\@b.example>\r\nRCPT TO:<a\@b.example>\r\nDATA\r\n.");
is_deeply [ $c->read_replies(3) ], [ $sender, $recipient, $bad ],
          'even a single octet is';
ok $c->eof(), 'closed';

$c = $t->connected();
$c->pipeline('STARTTLS', 'MAIL FROM:<evil@b.example>',
             'RCPT TO:<one@b.example>', 'DATA');
is $c->read_reply(), $bad, 'a command behind STARTTLS is refused';
ok $c->eof(), 'and the connection closed';

my $auth = 'AUTH PLAIN ' . encode_base64("\0user\0s3cret", '');

$c = $t->connected();
$c->pipeline($auth, 'MAIL FROM:<evil@b.example>');
is $c->read_reply(), $bad, 'a command behind AUTH is refused';
ok $c->eof(), 'and the connection closed';

is scalar(() = $http->requests()), 0, 'before anybody was asked';

# A command in clear that comes after the 220 to STARTTLS, before the handshake,
# is no command: the handshake fails of it.

$c = $t->connected();
is $c->cmd('STARTTLS'), '220 2.0.0 Ready to start TLS', 'STARTTLS';
$c->pipeline('MAIL FROM:<evil@b.example>', 'NOOP');
unlike $c->read_reply(), qr/^[245]\d\d /, 'what follows in clear is no command';
ok $c->eof(), 'closed';

# where STARTTLS is refused, what is behind it is so too

$c = $t->connected();
$c->pipeline('MAIL FROM:<a@b.example>', 'STARTTLS', 'RSET');
is_deeply [ $c->read_replies(2) ], [ $sender, $bad ],
          'STARTTLS in the middle of a batch';
ok $c->eof(), 'closed';

is scalar(grep { /evil/ } $mta->commands()), 0,
   'nothing behind STARTTLS or AUTH was executed';

# a batch in TLS

$c = $t->connected();
$c->starttls();
$c->ehlo();
$c->pipeline(@envelope);
is_deeply [ $c->read_replies(3) ], [ $sender, $recipient, $go ],
          'a batch in TLS';
$c->pipeline('Subject: tls', '', 'x', '.', 'NOOP', 'QUIT');
like $c->read_reply(), $taken, 'and its message';
is_deeply [ $c->read_replies(2) ], [ $ok, '221 2.0.0 Bye' ],
          'and what is behind it';

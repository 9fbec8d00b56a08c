#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Clients that go away at each step, by FIN, by RST, or with one half of the
# connection: what was said completely is answered, no part of a message goes
# on, and nothing is left (the library looks for that at the end).

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ time /;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(48);

$t->certificate('localhost');

my $mta = $t->server('mta');

# the same with answers that take a while

my $slow = $t->server('slow', fault => [
    { at => 'RCPT', do => 'delay', seconds => 0.2 },
    { at => 'EOM', do => 'delay', seconds => 0.2 },
]);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_relay_from        127.0.0.1;
    smtp_body_buffer_size  16k;
    smtp_temp_path         %%TESTDIR%%/temp;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    smtp_log_format  one  '$smtp_status $smtp_result';
    smtp_access_log  %%TESTDIR%%/access.log  one;

    server {
        listen     127.0.0.1:%%PORT_smtp%%;
        protocol   smtp_ext;
        starttls   on;
        smtp_pass  smtp://127.0.0.1:%%PORT_mta%%;
    }

    server {
        listen     127.0.0.1:%%PORT_ssl%% ssl;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_mta%%;
    }

    server {
        listen     127.0.0.1:%%PORT_late%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_slow%%;
    }
}
EOC

my @envelope = ('MAIL FROM:<a@b.example>', 'RCPT TO:<c@d.example>', 'DATA');
my $ehlo = "EHLO client.example.com\r\n";

# Steps: what was sent before the client goes.  Behind MAIL there is a
# transaction, which has its line in the log.

my @steps = (
    [ 'before the greeting', [] ],
    [ 'in a command', [ "EHLO cli" ] ],
    [ 'after EHLO', [ $ehlo ] ],
    [ 'in MAIL', [ $ehlo, 'MAIL FROM:<a@b.exam' ] ],
    [ 'after MAIL', [ $ehlo, "$envelope[0]\r\n" ] ],
    [ 'after RCPT', [ $ehlo, join '', map { "$_\r\n" } @envelope[0, 1] ] ],
    [ 'after DATA', [ $ehlo, join '', map { "$_\r\n" } @envelope ] ],
    [ 'in the data', [ $ehlo, join('', map { "$_\r\n" } @envelope),
                       "Subject: part\r\n\r\nli" ] ],
    [ 'before the end mark is whole',
      [ $ehlo, join('', map { "$_\r\n" } @envelope),
        "Subject: part\r\n\r\nx\r\n.\r" ] ],
    [ 'in data that are in a file',
      [ $ehlo, join('', map { "$_\r\n" } @envelope),
        "Subject: part\r\n\r\n" . 'x' x 60 . "\r\n" x 5000 ] ],
);

# sends the steps, with a wait for the replies that each has

sub go {
    my ($c, @parts) = @_;

    $c->read_reply() if @parts;

    while (@parts) {
        my $part = shift @parts;

        $c->send_raw($part, quiet => 1);

        # the last part's replies nobody waits for

        $c->read_replies($part =~ tr/\n//) if @parts && $part !~ /^Subject/;
    }

    return $c;
}


my $aborted = 0;

for my $step (@steps) {
    my ($name, $parts) = @$step;

    for my $port ('smtp', 'ssl') {
        for my $how ('close', 'reset', 'shutdown_write') {
            my $c = $t->client($port, ssl => $port eq 'ssl');

            go($c, @$parts);
            $c->$how();
            $aborted++ if grep { /MAIL.*\n/ } @$parts;

            if ($how eq 'shutdown_write') {
                # the replies, and no more than that

                1 while $c->read_reply() =~ /^[23]/;
                isnt $c->state(), '(timeout)', "$port: half closed $name";
            }
        }
    }

    is_deeply [ $t->access_lines($aborted) ], [ ('- aborted') x $aborted ],
              "$name: each transaction is in the log";
}

is_deeply [ map { $_->{data} } $mta->messages() ], [],
          'no part of a message went on';
is_deeply [ glob $t->testdir() . '/temp/*' ], [], 'no temporary file is left';

# in the handshake of TLS

for my $how ('close', 'reset', 'shutdown_write') {
    my $c = $t->client('ssl');

    $c->send_raw("\x16\x03\x01\x02");
    $c->$how();

    $c = $t->client('smtp');
    $c->read_reply();
    $c->cmd('STARTTLS');
    $c->send_raw("\x16\x03\x01\x02");
    $c->$how();
    ok $how ne 'shutdown_write' || $c->eof(), "$how in the handshake";
}

# while the next hop thinks

my $accepted = 0;

for my $how ('close', 'reset') {
    my $before = $slow->messages();

    go($t->client('late'), $ehlo, map { "$_\r\n" } @envelope[0, 1])->$how();
    ok $slow->wait_command(qr/^RCPT/), "$how while the next hop looks at RCPT";

    my $c = go($t->client('late'), $ehlo,
               join('', map { "$_\r\n" } @envelope),
               "Subject: late\r\n\r\n.\r\n");

    ok $slow->wait_messages($before + 1), 'the next hop has the message';
    $c->$how();
    ok $t->wait_log(qr/(?:^250 accepted\n(?s:.*)){@{[ ++$accepted ]}}/m,
                    'access.log'),
       "$how while it thinks about it: it was taken, says the log";
}

# half closed, with all that is to be said

my $c = $t->client('late');

$c->read_reply();
$c->send_raw($ehlo);
$c->read_reply();
$c->pipeline(@envelope);
$c->shutdown_write();
is_deeply [ map { /^(\d+)/ } $c->read_replies(3) ], [ 250, 250, 354 ],
          'a half-closed client is answered, slowly as it may be';
ok $c->eof(), 'and closed when there is no more to come';

$c = $t->client('late');
go($c, $ehlo, join('', map { "$_\r\n" } @envelope), "Subject: half\r\n\r\n.\r\n"
                                                  . "NOOP\r\nQUIT\r\n");
$c->shutdown_write();
is_deeply [ map { /^(\d+)/ } $c->read_replies(3) ], [ 250, 250, 221 ],
          'a message, NOOP and QUIT, and then half closed';
ok $c->eof(), 'closed';
is +(($slow->messages())[-1]{data} =~ /^Subject: (\w+)/m)[0], 'half',
   'the message was taken';

# who has been told 221, and neither closes nor stops

local $SIG{PIPE} = 'IGNORE';

$c = $t->client('late');
$c->read_reply();
is $c->cmd('QUIT'), '221 2.0.0 Bye', 'QUIT';

my $end = time() + scaled(8);
my $socket = $c->socket();

while (time() < $end && defined $socket->syswrite('x')) {
    select undef, undef, undef, 0.05;
}

cmp_ok time(), '<', $end, 'is not listened to for long';

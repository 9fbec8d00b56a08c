#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# What a message contains arrives octet for octet: from memory, from the
# temporary file, from both, with dots and without.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $t = Test::Nginx::SmtpExt->new();

$t->write_conf(<<'EOC');
%%GLOBALS%%

events { }

mail {
    smtp_nul  accept;

    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;
    smtp_temp_path   %%TESTDIR%%/smtp_temp;

    server {
        listen                 127.0.0.1:%%PORT_memory%%;
        protocol               smtp_ext;
        smtp_body_buffer_size  8m;
    }

    server {
        listen                 127.0.0.1:%%PORT_file%%;
        protocol               smtp_ext;
        smtp_body_buffer_size  16k;
    }
}
EOC

srand 4711;

my $mb = join '', map { 'line ' . $_ . ' ' . 'x' x int(rand 70) . "\r\n" }
                  1 .. 24_000;

my @bodies = (
    [ 'empty', '' ],
    [ 'an empty line', "\r\n" ],
    [ 'empty lines', "\r\n" x 5000 ],
    [ 'a header only', "Subject: test\r\n" ],
    [ 'no header', "\r\nhello\r\n" ],
    [ 'lines of one octet', "a\r\n" x 40_000 ],
    [ 'a dot', ".\r\n" ],
    [ 'dots', "..\r\n...\r\n.\r\n.x\r\n" ],
    [ 'lines of dots', ".\r\n" x 40_000 ],
    [ 'a dot at each place of a line', join '',
      map { 'x' x $_ . ".\r\n" } 0 .. 200 ],
    [ '8-bit', join('', map { chr } 0x80 .. 0xff) . "\r\n" ],
    [ 'all octets but CR and LF',
      join('', map { chr } grep { $_ != 10 && $_ != 13 } 0 .. 255) . "\r\n" ],
    [ 'random octets', join('', map {
      join('', map { chr((1 .. 9, 11, 12, 14 .. 255)[rand 253]) } 1 .. 500)
      . "\r\n" } 1 .. 200) ],
    [ 'a line of 100,000 octets', 'y' x 100_000 . "\r\n" ],
    [ 'at the buffer\'s end less 1', 'z' x (16384 - 3) . "\r\n" ],
    [ 'at the buffer\'s end', 'z' x (16384 - 2) . "\r\n" ],
    [ 'at the buffer\'s end and 1', 'z' x (16384 - 1) . "\r\n" ],
    [ 'a dot where the file ends', 'z' x (16384 - 2) . "\r\n.dot\r\n" ],
    [ 'a dot where a piece ends',
      join '', map { 'z' x (65536 - 2) . "\r\n.dot\r\n" } 1 .. 4 ],
    [ 'stretches that are kept, and some that are copied', join '',
      map { ('w' x 998 . "\r\n") x $_ . ".dot\r\n" }
          (1, 20, 40, 70, 3, 130, 300, 2) x 6 ],
    [ '1 MB', $mb ],
    [ '1 MB with a dot at its end', $mb . ".\r\n" ],
    [ '1 MB with a dot in front', ".\r\n" . $mb ],
    [ '5 MB', $mb x 5 ],
    [ '5 MB of which each line begins with a dot',
      join '', map { ".$_\r\n" } split /\r\n/, $mb x 5 ],
);

my $mta = $t->server('mta');

$t->plan(2 * (2 * @bodies + 9) + 4)->run();

sub content { $_[0] =~ s/\AReceived: .*?\r\n(?!\t)//sr }

for my $port (qw/ memory file /) {
    my $c = $t->client($port, timeout => 15);

    $c->read_reply();
    $c->ehlo();

    for my $body (@bodies) {
        my ($name, $data) = @$body;

        like $c->send_message(data => $data,
                              mail_params => [ 'BODY=8BITMIME' ]),
             qr/^250 2\.0\.0 OK id=/, "$port: $name";
        ok content(($mta->messages())[-1]{data}) eq $data, 'and it is the same';
    }
}

# three in one write, so that the end of one and the beginning of the next lie
# in one buffer; the client goes away in the midst of a fourth

for my $port (qw/ memory file /) {
    my $c = $t->client($port, timeout => 15);
    my $n = $mta->messages();
    my @sent = map { my $i = $_; $mb =~ s/line/line $i/gr } 1 .. 3;

    $c->read_reply();
    $c->ehlo();
    $c->send_raw(join '', map {
        "MAIL FROM:<a\@example.com>\r\nRCPT TO:<b\@example.com>\r\n"
        . 'BDAT ' . length($_) . " LAST\r\n$_"
    } @sent);

    for my $i (1 .. 3) {
        $c->read_reply() for 1 .. 2;
        like $c->read_reply(), qr/^250 2\.0\.0 OK id=/,
            "$port: message $i of those in one write";
    }

    my @got = ($mta->messages())[ $n .. $n + 2 ];

    for my $i (0 .. 2) {
        ok content($got[$i]{data}) eq $sent[$i], 'and it is the same';
    }

    $c->mail('a@example.com');
    $c->rcpt('b@example.com');
    $c->cmd('DATA');
    $c->send_raw($mb);
    $c->close();

    ok poll(sub { $t->read_file('error.log') =~ /reading mail data/ }, 5),
        'a client that goes away in the midst is noticed';

    my $d = $t->client($port);
    $d->read_reply();
    $d->ehlo();
    like $d->send_message(data => "after\r\n"), qr/^250/, 'and others go on';
    is scalar($mta->messages()), $n + 4, 'what it sent is nobody\'s';
}

# in many small writes, cut anywhere

my $c = $t->client('file');
my $data = "Subject: cut\r\n\r\n" . ".\r\n..\r\n.x\r\nabc\r\n" x 300;
my $wire = $data =~ s/(\A|\r\n)\./$1../gr;

$c->read_reply();
$c->ehlo();
$c->mail('a@example.com');
$c->rcpt('b@example.com');
$c->cmd('DATA');
$c->send_raw($_) for unpack '(a7)*', "$wire.\r\n";
like $c->read_reply(), qr/^250/, 'in pieces of seven octets';
ok content(($mta->messages())[-1]{data}) eq $data, 'and it is the same';

$c->quit();

is_deeply [ glob $t->testdir() . '/smtp_temp/*' ], [], 'no file has a name';

my $worker = $t->worker_pid();

ok poll(sub {
    !grep { (readlink || '') =~ /smtp_temp/ } glob "/proc/$worker/fd/*"
}, 5), 'and none is open';

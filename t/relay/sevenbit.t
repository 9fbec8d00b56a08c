#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Messages made at random, converted for a next hop without 8BITMIME: another
# decoder, Python's, finds the same parts with the same content in them, octet
# by octet, and the next hop has got nothing but US-ASCII.

use warnings;
use strict;

use IPC::Open2;
use Test::More;

use Test::Nginx::SmtpExt;

use constant MESSAGES => $ENV{SEVENBIT_COUNT} || 120;

my $seed = $ENV{SEVENBIT_SEED} // 20261122;

plan skip_all => 'no python3'
    unless system('python3 -c "import email" 2>/dev/null') == 0;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(4);

my $mta = $t->server('mta', ehlo => [ 'PIPELINING' ]);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;

    # some are in files
    smtp_body_buffer_size  8k;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }
}
EOC

# for each message on its input, a line: the parts, what they are, their content

my $python = <<'EOP';
import sys, email, hashlib

def walk(m, depth=0):
    kind = m.get_content_type()
    if m.is_multipart():
        return "%s(%s)" % (kind, ",".join(walk(p, depth + 1)
                                          for p in m.get_payload()))
    body = m.get_payload(decode=True)
    return "%s:%d:%s" % (kind, len(body), hashlib.sha256(body).hexdigest()[:16])

while True:
    head = sys.stdin.buffer.readline()
    if not head:
        break
    data = sys.stdin.buffer.read(int(head))
    print(walk(email.message_from_bytes(data)), flush=True)
EOP

$t->write_file('walk.py', $python);

my $pid = open2(my $from, my $to, 'python3', $t->testdir() . '/walk.py');

binmode $to;

sub walk {
    my ($data) = @_;

    print $to length($data), "\n", $data;
    $to->flush();

    return scalar <$from>;
}


# at random

srand $seed;

sub any { return $_[rand @_] }

sub octets {
    my ($n, $eight) = @_;

    return join '', map { rand() < $eight ? chr(128 + int rand 128)
                                          : any(' ', "\t", '-', '=', '.', 'a' .. 'z') }
                    1 .. $n;
}

# Python takes a CR and some others for ends of lines: there are none

sub text {
    my $eight = any(0, 0.01, 0.1, 0.5, 1);
    my $lines = any(0, 1, 3, 20, 50);

    my @lines = map { octets(int rand(any(3, 75, 80, 1100)), $eight) }
                1 .. $lines;

    # what looks like a part's end is none here

    return join "\r\n", (map { s/^--/-x/r } @lines),
           any('', '', '--not a boundary', 'end', "\xc3\xa4 ");
}

sub leaf {
    my ($digest) = @_;
    my $type = any('text/plain', 'text/plain; charset=utf-8', 'text/html',
                   'image/png', 'application/octet-stream',
                   $digest ? 'text/x' : '');
    my @fields = $type ? "Content-Type: $type" : ();

    push @fields, 'Content-Transfer-Encoding: ' . any('8bit', '7bit', '8BIT',
                                                      'binary')
        if rand() < 0.6;
    push @fields, "X-Other: a\r\n\tfolded one" if rand() < 0.2;

    return join '', (map { "$_\r\n" } sort { rand() <=> 0.5 } @fields), "\r\n",
                text();
}

my $boundaries = 0;

sub part {
    my ($depth, $digest) = @_;
    my $what = $depth > 4 ? 'leaf' : any('leaf', 'leaf', 'multipart', 'message');

    # in a digest, what does not say what it is is a message

    return leaf($digest) if $what eq 'leaf';

    my $label = rand() < 0.5 ? "Content-Transfer-Encoding: 8bit\r\n" : '';

    return "Content-Type: message/rfc822\r\n$label\r\nSubject: inner\r\n"
           . any('', "MIME-Version: 1.0\r\n") . part($depth + 1)
        if $what eq 'message';

    return multipart($depth, $label);
}

sub multipart {
    my ($depth, $label) = @_;
    my $boundary = any('b', '=_x', "with space ", 'long' x 15) . '-'
                   . ++$boundaries . '-';
    my $type = any('mixed', 'alternative', 'related', 'digest', 'unknown');

    return "Content-Type: multipart/$type;\r\n boundary=\"$boundary\"\r\n$label"
           . "\r\n" . any('', "preamble\r\n")
           . join('', map { "--$boundary\r\n" . part($depth + 1, $type eq 'digest')
                            . "\r\n" }
                      1 .. 1 + int rand 4)
           . "--$boundary--" . any('', "\r\n", "\r\nepilogue\r\n");
}

sub message {
    my $body = rand() < 0.3 ? leaf() : multipart(0, any('',
                               "Content-Transfer-Encoding: 8bit\r\n"));

    return "Subject: x\r\n" . any("MIME-Version: 1.0\r\n", "mime-version: 1.0\r\n")
           . ($body =~ s/(?:\r\n)?\z/\r\n/r);
}

my $c = $t->client('smtp');
$c->read_reply();
$c->ehlo();

my (@bad, @left, $converted, $taken);

for my $n (1 .. MESSAGES) {
    my $data = message();
    my $reply = $c->send_message(data => $data);

    $c->transcript(clear => 1);

    if ($reply !~ /^250 /) {
        push @bad, "$n: $reply";
        next;
    }

    $taken++;

    my $got = ($mta->messages())[-1]{data} =~ s/\AReceived:.*?\r\n(?=\S)//sr;

    $converted++ if $got ne $data;
    push @left, $n if $got =~ /[^\x00-\x7f]/;

    my ($was, $is) = (walk($data), walk($got));

    push @bad, "$n: $was is $is" if $was ne $is;
}

close $to;
waitpid $pid, 0;

is_deeply \@bad, [], 'the parts are what they were'
    or diag "seed $seed";
is_deeply \@left, [], 'and have no 8-bit octets';
cmp_ok $converted, '>', MESSAGES / 4, 'many of them had some';
is $taken, MESSAGES, 'all of them were taken';

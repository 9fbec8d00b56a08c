#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# A dialogue means the same however it is cut into segments: the same replies,
# the same messages.  Each piece is sent when nginx has read the one before:
# a unix socket tells that.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ time /;

use Test::Nginx::SmtpExt;

use constant SEED => 20321;
use constant TIOCOUTQ => 0x5411;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(82);

$t->certificate('localhost');

# without a SIZE of its own, which EHLO would have once it has been asked

my $mta = $t->server('mta', ehlo => [ qw/ PIPELINING 8BITMIME / ],
                     on => { RCPT => sub {
    return $_[0] =~ /nobody/ ? '550 5.1.1 nobody here' : undef;
} });

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    smtp_nul  accept;

    server_name         mx.example.com;
    smtp_relay_from     unix:;
    smtp_pass           smtp://127.0.0.1:%%PORT_mta%%;
    smtp_max_errors     1000;
    smtp_max_line_size  512;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    server {
        listen    unix:%%TESTDIR%%/reject;
        protocol  smtp_ext;
    }

    server {
        listen             unix:%%TESTDIR%%/normalise;
        protocol           smtp_ext;
        smtp_bare_newline  normalise;
    }

    server {
        listen    unix:%%TESTDIR%%/ssl ssl;
        protocol  smtp_ext;
    }

    server {
        listen          unix:%%TESTDIR%%/stream;
        protocol        smtp_ext;
        smtp_pass_mode  stream;
    }

    server {
        listen             unix:%%TESTDIR%%/stream_normalise;
        protocol           smtp_ext;
        smtp_pass_mode     stream;
        smtp_bare_newline  normalise;
    }
}
EOC

# what may be sent at once, and how many replies it has

my @envelope = ("MAIL FROM:<a\@b.example> SIZE=10 BODY=8BITMIME\r\n"
                . "RCPT TO:<\"c d\"\@e.example>\r\n"
                . "RCPT TO:<nobody\@e.example>\r\nDATA\r\n" => 4);

my @bursts = (
    "EHLO client.example.com\r\n" => 1,
    "NOOP\r\nnoop x\r\nFOO\r\n\r\nRSET \r\nNO\rOP\r\nVRFY a\r\nHELP\r\n" => 8,
    'x' x 600 . "\r\n" . 'NOOP ' . 'x' x 507 . "\r\n" . 'NOOP ' . 'x' x 508
        . "\r\nNOOP\r\n" => 4,
    'x' x 520 . "\r\r\nNOOP\r\n" => 2,
    @envelope,
    "Subject: dots\r\n\r\n..\r\n...\r\n.x\r\n..x\r\nx.\r\n.\0\r\n\r\n..\r\n"
        . "a\r\n\r\n\r\n. .\r\n\xff\xfe\0\x80\r\n.\r\nNOOP\r\n" => 2,
    @envelope,
    ".\r\n" => 1,
    @envelope,
    "\r\n.\r\nRSET\r\n" => 2,
    @envelope,
    "Subject: bare\r\n\r\na\nb\rc\r\rd\n\ne\n.\nf\r.\rg\r\n.\nh\n"
        . ".\r\ni\r\n.\rj\r\n"
        . "k\r\n.\r\r\nl\r\n.\r\nNOOP\r\n" => 2,
    @envelope,
    "Received: a\r\nReceived: b\r\n c\r\nSubject: long\r\n\r\n"
        . ('y' x 700 . "\r\n") x 3 . ".\r\nMAIL FROM:<\r\nQUIT\r\n" => 3,
);


# until nginx has read all that was sent

sub wait_read {
    my ($socket) = @_;
    my $end = time() + 8;

    while (time() < $end) {
        my $unread = pack 'i', 0;

        ioctl $socket, TIOCOUTQ, $unread or die "ioctl: $!\n";
        return unless unpack 'i', $unread;
        select undef, undef, undef, 0.0001;
    }
}


# $size->() is the length of the next piece; replies, and messages

sub converse {
    my ($name, $size) = @_;

    my $before = $mta->messages();
    my $c = $t->client("unix:$name", ssl => $name eq 'ssl');
    my @replies = $c->read_reply();
    my @todo = @bursts;

    while (my ($data, $n) = splice @todo, 0, 2) {
        while ($data ne '') {
            my $piece = substr $data, 0, $size->($data), '';

            $c->send_raw($piece, quiet => 1);
            wait_read($c->socket());
        }

        push @replies, $c->read_replies($n);
    }

    my $closed = $c->eof();
    my @messages = $mta->messages();

    splice @messages, 0, $before;

    # ids and dates are of the moment

    s/ id=\S+/ id=/ for @replies;

    return { replies => \@replies, closed => $closed, messages => [
        map { { from => $_->{from}, params => $_->{from_params},
                to => $_->{to},
                data => $_->{data} =~ s/\AReceived:.*\r\n(?:[ \t].*\r\n)*//r } }
            @messages ] };
}


my %collected;

for my $name ('reject', 'normalise', 'ssl', 'stream', 'stream_normalise') {
    my $whole = converse($name, sub { length $_[0] });

    if ($name =~ /^stream_?(.*)/) {
        is_deeply $whole, $collected{$1 || 'reject'},
                  "$name: the same as with the message collected";

    } else {
        $collected{$name} = $whole;
    }

    is scalar(grep { /^\d\d\d/ } @{$whole->{replies}}), 46,
       "$name: each has its reply";
    is scalar @{$whole->{messages}}, $name =~ /normalise/ ? 5 : 4,
       "$name: messages that were taken";
    is $whole->{closed}, 1, "$name: closed at the end";

    for my $n (1, 2, 3, 5, 64, 511) {
        is_deeply converse($name, sub { $n }), $whole, "$name: in pieces of $n";
    }

    srand SEED;

    for my $i (1 .. 6) {
        is_deeply converse($name, sub { 1 + int rand 2 ** int rand 8 }),
                  $whole, "$name: in random pieces, seed @{[ SEED ]}, $i";
    }

    # before and behind each octet that matters

    is_deeply converse($name, sub { $_[0] =~ /\A([\r\n.]|[^\r\n.]+)/;
                                    length $1 }),
              $whole, "$name: cut at each CR, LF and dot";
}

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Dialogues made of what SMTP is made of, in a random order and with octets
# that were changed at random; the same ones each time.  Whatever a client
# says: each line has one reply, replies are well-formed, nobody is left
# waiting, and the next hop has just those messages that were answered by 250,
# once each, with the content that was sent.
#
# DIALOGUE_SEED, DIALOGUE_COUNT: others, or more.

use warnings;
use strict;

use MIME::Base64 qw/ encode_base64 /;
use Test::More;

use Test::Nginx::SmtpExt;

use constant CHUNK_MAX => 9999;

my $seed = $ENV{DIALOGUE_SEED} || 5321;
my $count = $ENV{DIALOGUE_COUNT} || 1500;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(8);

$t->certificate('localhost');

my $mta = $t->server('mta', on => { RCPT => sub {
    return $_[0] =~ /nobody/ ? '550 5.1.1 nobody here' : undef;
} });

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_relay_from        127.0.0.1;
    smtp_pass              smtp://127.0.0.1:%%PORT_mta%%;
    smtp_max_errors        1000;
    smtp_auth_http         http://127.0.0.1:%%PORT_http%%/auth;
    smtp_auth_require_tls  off;

    ssl_certificate        %%TESTDIR%%/localhost.crt;
    ssl_certificate_key    %%TESTDIR%%/localhost.key;

    server {
        listen    127.0.0.1:%%PORT_reject%%;
        protocol  smtp_ext;
        starttls  on;
    }

    server {
        listen             127.0.0.1:%%PORT_normalise%%;
        protocol           smtp_ext;
        smtp_bare_newline  normalise;
        smtp_max_errors    5;
    }
}
EOC

# nobody gets in, and nobody waits for that

$t->http('http', on => { '/auth' => {
    status => 200, headers => [ 'Auth-Status' => 'Invalid login' ] } });

# commands: the first ones make transactions, and come more often

my @usual = ('EHLO client.example.com', 'MAIL FROM:<a@b.example>',
    'MAIL FROM:<> SIZE=100 BODY=8BITMIME', 'RCPT TO:<c@d.example>',
    'RCPT TO:<nobody@d.example>', 'DATA', 'DATA', 'BDAT 40', 'BDAT 40 LAST',
    'BDAT 0 LAST');

my @others = ('HELO client', 'RSET', 'NOOP', 'NOOP x', 'VRFY a', 'EXPN list',
    'HELP', 'QUIT', 'STARTTLS', 'AUTH PLAIN', 'AUTH LOGIN', '*', '', ' ', '.',
    '..', 'AUTH PLAIN ' . encode_base64("\0user\0wrong", ''), 'XYZZY',
    'RCPT TO:<@x.example:"q\"x"@[192.0.2.1]>', 'MAIL FROM:<a@b> FOO=bar',
    'RCPT TO:<c@d> NOTIFY=NEVER', 'BDAT', 'BDAT 5 LAST X', 'BDAT 99999999999',
    'GET / HTTP/1.1', 'x' x 3000, "\x16\x03\x01\x02\x00", 'LHLO x',
    'MAIL FROM:a@b', 'RCPT TO:<"a' . "\xff" . '"@b>', 'ehlo [127.0.0.1]');

my @text = ("Subject: x\r\n", "\r\n", "text\r\n", ".\r\n", "..\r\n", "...",
    ".", "\r", "\n", "\r\n.\r", "\n.\n", "\r\n.\n", "\n.\r\n", "\r.\r", "\0",
    "\xff", 'y' x 1500, "MAIL FROM:<x\@y>\r\nRCPT TO:<x\@y>\r\nDATA\r\n",
    "Received: from x\r\n");

my @octets = ("\r", "\n", "\0", ' ', '<', '>', '@', '"', '.', '\\', ':', '=',
    "\x80", "\xff", '0', '9', "\t", '-');

my (@bad, @expected, %seen);

srand $seed;

dialogue($_) for 1 .. $count;

$seen{accepted} = @expected;

note join ', ', map { "$_: $seen{$_}" } sort keys %seen;

ok !(grep { /reply/ } @bad), 'each line has one reply, or is the last';
ok !(grep { /form/ } @bad), 'replies are well-formed';
ok !(grep { /wait/ } @bad), 'nobody waits in vain';

diag "DIALOGUE_SEED=$seed, $_" for @bad[0 .. ($#bad > 2 ? 2 : $#bad)];

# without our own Received, up to its date: what follows may look folded

my @messages =
    map { $_->{data} =~ s/\AReceived:.*?;\s+\w{3}, .*? [+-]\d{4}\r\n//sr }
    $mta->messages();

is scalar @messages, scalar @expected, 'a message for each 250, and no other';
is_deeply \@messages, \@expected, 'with the content that was sent';

# otherwise this would be a test of nothing

cmp_ok scalar @messages, '>=', $count / 20, 'many got through';
cmp_ok $seen{refused}, '>=', $count, 'more was refused';
cmp_ok $seen{closed}, '>=', $count / 20, 'and some were shut out';


sub pick { $_[rand @_] }


# one of them in a few is spoiled

sub spoil {
    my ($text, $rarely) = @_;

    return $text if rand($rarely || 4) > 1;

    for (0 .. rand 2) {
        my $at = int rand 1 + length $text;
        my $how = int rand 4;

        substr $text, $at, 0, pick(@octets) if $how == 0;
        substr $text, $at, 1, '' if $how == 1 && $at < length $text;
        substr $text, $at, 1, pick(@octets) if $how == 2;
        $text = substr $text, 0, $at if $how == 3;
    }

    return $text;
}


sub dialogue {
    my ($n) = @_;

    my $name = $n % 3 ? 'reject' : 'normalise';
    my $s = { n => $n, mend => $name eq 'normalise', content => '',
              c => $t->client($name) };

    replies($s, 1);

    my @lines = rand(3) > 1 ? @usual[0, 1, 3, 5] : ();

    splice @lines, 3, 1, 'BDAT 40', 'BDAT 40 LAST' if @lines && rand(3) < 1;

    push @lines, rand(2) < 1 ? pick(@usual) : pick(@others)
        for 1 .. 3 + rand 8;

    while (!$s->{closed} && @lines) {
        my @batch = shift @lines;

        # what may be sent at once

        push @batch, shift @lines
            while @lines && $batch[-1] =~ /^(?:MAIL|RCPT|RSET)/ && rand(2) < 1;

        @batch = map { spoil($_) } @batch;

        # that a part of it is a chunk, or BDAT is, is not for us to tell

        s/\n//g for grep { /BDAT/i } @batch;

        command($s, map { "$_\r\n" } @batch);
    }

    # some are gone without a word

    $s->{closed} || rand(6) < 1 or command($s, "\r\n", "QUIT\r\n");

    $s->{c}->close();
}


# sends lines at once; each has a reply

sub command {
    my ($s, @lines) = @_;

    my $text = join '', @lines;
    my $n = $s->{mend} ? ($text =~ tr/\n//) : scalar @lines;

    return if @bad > 5;

    # behind a bare LF there is nothing for a strict server

    $n = () = $1 =~ /\r\n/g, $n++
        if !$s->{mend} && $text =~ /\A((?:[^\n]*\r\n)*)[^\n]*(?<!\r)\n/;

    my $chunk = chunk($s, $lines[-1]);

    $s->{c}->send_raw($text . ($chunk // ''));

    # one that nobody waits for

    if (defined $chunk && length $chunk > CHUNK_MAX) {
        $s->{c}->reset();
        $s->{closed} = 1;
        return;
    }

    my @replies = replies($s, $n) or return;
    my $reply = $replies[-1];

    # what begins anew

    for my $line (split $s->{mend} ? "\n" : "\r\n", $text) {
        my $took = shift(@replies) =~ /^250/;

        $s->{content} = '' if $took && $line =~ /^(?:RSET|EHLO|HELO|MAIL)/i;
    }

    if (defined $chunk) {
        $s->{content} .= $chunk;

        push @expected, mend($s, $s->{content})
            if $reply =~ /^250/ && $lines[-1] =~ / LAST/i;

        $s->{content} = '' if $reply !~ /^250/ || $lines[-1] =~ / LAST/i;
    }

    return data($s) if $reply =~ /^354/;

    # TLS it is not

    if ($reply =~ /^220/) {
        $s->{c}->send_raw("NOOP\r\n" x 40);
        $s->{closed} = 1;
        fault($s, 'wait: no TLS, not closed') unless $s->{c}->eof();
    }
}


# what follows BDAT, if it is one

sub chunk {
    my ($s, $line) = @_;

    return undef
        unless $line =~ /\ABDAT +([0-9]+)(?: +LAST)?[ \t]*\r\n\z/i;

    my $n = $1 < CHUNK_MAX ? $1 : CHUNK_MAX + 1;
    my $text = spoil(join('', map { pick(@text) } 1 .. 3), 2);

    return substr $text . 'z' x $n, 0, $n;
}


sub data {
    my ($s) = @_;

    my $text = join '', map { spoil(pick(@text), 8) } 0 .. rand 8;

    $text .= "\r\n.\r\n";

    # an end may be in it already

    $text =~ s/((?:\A|\r\n)\.\r\n).*/$1/s;

    if (rand(6) < 1) {
        $s->{c}->send_raw(substr $text, 0, int rand length $text);
        $s->{c}->reset();
        $s->{closed} = 1;
        $seen{vanished}++;
        return;
    }

    $s->{c}->send_raw($text);

    my ($reply) = replies($s, 1) or return;

    $text =~ s/\.\r\n\z//;

    push @expected, undot($s, $text) if $reply =~ /^250/;
}


sub undot {
    my ($s, $text) = @_;
    my ($out, $line) = ('', 1);

    while ($text ne '') {
        $text =~ s/\A\.// if $line;

        if ($text =~ s/\A(\r\n|[\r\n])//) {
            $line = $1 eq "\r\n" || $s->{mend};
            $out .= $s->{mend} ? "\r\n" : $1;

        } elsif ($text =~ s/\A([^\r\n]+)//) {
            $line = 0;
            $out .= $1;
        }
    }

    return $out;
}


sub mend {
    my ($s, $text) = @_;

    $text =~ s/\r\n|\r|\n/\r\n/g if $s->{mend};

    # DATA to the next hop has no other way to end it

    $text .= "\r\n" unless $text eq '' || $text =~ /\r\n\z/;

    return $text;
}


# so many replies, or none when it is closed before or behind them

sub replies {
    my ($s, $n) = @_;
    my @replies;

    for my $i (1 .. $n) {
        my $reply = $s->{c}->read_reply();

        if ($reply =~ s/\((closed|reset|timeout)\)\z//) {
            $s->{closed} = 1;
            $seen{closed}++;

            fault($s, 'wait: no reply') if $1 eq 'timeout';
            fault($s, "form: cut off: $reply") if $reply ne '';
            fault($s, 'reply: closed without a word') unless $s->{bye};
            return;
        }

        check($s, $reply);
        push @replies, $reply;
        $seen{replies}++;
        $seen{refused}++ if $reply =~ /^[45]/;
        $s->{bye} = 1 if $reply =~ /^(?:221|421)|closing connection$/;
    }

    # the last error has two, its own and this

    if ($s->{c}{in} =~ /^421 /) {
        check($s, $s->{c}->read_reply());
        $s->{bye} = 1;
    }

    fault($s, 'reply: one too many') if $s->{c}{in} ne '';

    if ($s->{bye}) {
        fault($s, 'wait: not closed') unless $s->{c}->eof();
        $s->{closed} = 1;
        $seen{closed}++;
        return;
    }

    return @replies;
}


# RFC 5321, 4.2 and 4.5.3.1.5

sub check {
    my ($s, $reply) = @_;

    my @lines = split /\n/, $reply, -1;
    my $code = substr $lines[0], 0, 3;

    for my $i (0 .. $#lines) {
        my $mark = $i < $#lines ? '-' : ' ';

        fault($s, "form: $lines[$i]")
            unless $lines[$i] =~ /\A$code$mark[\x20-\x7e\t]*\z/
                   && $lines[$i] =~ /\A[2-5][0-9][0-9]/
                   && $lines[$i] !~ /\(LF\)\z/
                   && length($lines[$i]) <= 510;
    }
}


sub fault {
    my ($s, $what) = @_;

    push @bad, "dialogue $s->{n}, $what\n" . $s->{c}->transcript();
}

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Dialogues by chance, with hooks whose answers go by the address and come in
# any order: a server that asks about several recipients at the same time gives
# the same replies, and the next hop the same messages, as one that asks about
# one after the other.
#
# PARALLEL_SEED, PARALLEL_COUNT: others, or more.

use warnings;
use strict;

use JSON::PP qw/ decode_json encode_json /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();
my $dialogues = $ENV{PARALLEL_COUNT} || 60;
my $seed = $ENV{PARALLEL_SEED} || 2920;

$t->plan(3);

my $servers = join '', map { <<"EOC" } 1, 2, 8;
    server {
        listen                 127.0.0.1:%%PORT_by$_%%;
        protocol               smtp_ext;
        smtp_hook_concurrency  $_;
    }
EOC

$t->write_conf(<<"EOC")->run();
%%GLOBALS%%

events { }

mail {
    server_name                  mx.example.com;
    smtp_max_errors              1000;
    smtp_max_refused_recipients  0;
    smtp_max_messages            0;
    smtp_pass_mode               buffered;
    smtp_http_breaker            off;
    smtp_hook_route              discard:;
    smtp_hook                    http://127.0.0.1:%%PORT_http%%/one
                                 stages=rcpt;
    smtp_hook                    http://127.0.0.1:%%PORT_http%%/two
                                 stages=rcpt on_error=reject;
    smtp_hook                    http://127.0.0.1:%%PORT_http%%/three
                                 stages=rcpt on_error=accept;
    smtp_recipient               \@ours.example
                                 { smtp_pass 127.0.0.1:%%PORT_mta%%; }

$servers
}
EOC

# what a hook says goes by the address, its own path, and nothing else

my @answers = (
    ('{"action":"accept"}') x 6,
    '{"action":"reject"}',
    '{"action":"reject","response":{"status":550,"message":"nobody"}}',
    '{"action":"tempfail"}',
    '{"action":"discard"}',
    '{"action":"accept","route":[{"pass":"discard:"}]}',
    '{"action":"accept","modifications":[{"type":"addRecipient",'
        . '"value":"more@ours.example"}]}',
    '{"action":"accept","modifications":[{"type":"changeFrom",'
        . '"value":"other@x.example"}]}',
    '{"action":"accept","route":[{"pass":"elsewhere:"}]}',
    '{"action":"nonsense"}',
    '{',
);

sub answer {
    my ($r) = @_;

    my $to = decode_json($r->{body})->{envelope}{to}[-1]{address};
    my $sum = unpack '%32C*', $to x 3 . $r->{path} x 2;
    my $answer = { body => $answers[$sum * 7 % @answers] };

    $answer->{status} = 500 if $sum % 23 == 0;
    $answer->{delay} = rand() / 200 if rand() < 0.5;
    $answer->{close} = 1 if rand() < 0.1;

    return $answer;
}

my $http = $t->http('http', on => { map { $_ => \&answer }
                                    qw{ /one /two /three } });
my $mta = $t->server('mta');

srand $seed;

sub command {
    my $n = int rand 40;

    return "RCPT TO:<$n\@ours.example>" if rand() < 0.75;

    return (
        "RCPT TO:<$n\@theirs.example>",
        "RCPT TO:<$n\@ours.example> NOTIFY=NEVER",
        "RCPT TO:<$n\@ours.example> NOTIFY=$n",
        "RCPT TO:<$n\@ours.example> X=$n",
        "rcpt to: <$n\@OURS.example>  ",
        "RCPT TO:<$n",
        'NOOP', 'RSET', 'VRFY x', 'MAIL FROM:<s@x.example>',
        'RSET' . "\r\n" . 'MAIL FROM:<s@x.example>',
        "bad\rline",
    )[rand 12];
}

# the replies of a server to it, sent in these pieces, and what was delivered

sub outcome {
    my ($name, $text, @cuts) = @_;

    my $before = $mta->messages();
    my $c = $t->client($name);
    my $at = 0;
    my @replies;

    $c->read_reply();
    $c->ehlo();

    for my $cut (@cuts, length $text) {
        $c->send_raw(substr $text, $at, $cut - $at) if $cut > $at;
        $at = $cut;
    }

    # QUIT is the last line; the text of an acceptance has an id

    while (@replies < 200) {
        my $reply = $c->read_reply();

        push @replies, $reply =~ s/ id=\S+//r;
        last if $reply =~ /^(?:221|421|\()/;
    }

    $c->close();

    my @messages = $mta->messages();

    return join "\n", @replies, map { "$_->{from}: @{$_->{to}}" }
                                    @messages[$before .. $#messages];
}

my ($different, $rcpts, $delivered) = ('', 0, 0);

for my $i (1 .. $dialogues) {
    my $text = join '', map { "$_\r\n" } 'MAIL FROM:<s@x.example>',
                    (map { command() } 1 .. 5 + rand 25);

    # whether it is taken is up to the recipients

    $text .= "BDAT 14 LAST\r\nSubject: x\r\n\r\nQUIT\r\n";

    my @cuts = sort { $a <=> $b } map { int rand length $text } 1 .. rand 4;
    my %got = map { my $name = $_; $name => outcome($name, $text, @cuts) }
              qw/ by1 by2 by8 /;

    $rcpts += () = $got{by1} =~ /^250 2\.1\.5/mg;
    $delivered += () = $got{by1} =~ /^\S+: /mg;

    for my $name (qw/ by2 by8 /) {
        next if $got{$name} eq $got{by1} || $different;

        $different = "dialogue $i, @cuts\n$text\nby1:\n$got{by1}\n\n"
                     . "$name:\n$got{$name}\n";
    }
}

is $different, '', "$dialogues dialogues have the same outcome";
cmp_ok $rcpts, '>', 2 * $dialogues, 'recipients were accepted';
cmp_ok $delivered, '>', $dialogues / 10, 'messages were delivered';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The header of a submission: checked, put in order, and however it comes.
# RFC 6409, 4.2, 5.1, 6.3, 8; RFC 5322, 2.1.1, 3.6.

use warnings;
use strict;

use MIME::Base64 qw/ encode_base64 /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

my $mta = $t->server('mta', ehlo => [ qw/ PIPELINING SMTPUTF8 8BITMIME /,
                                      'SIZE 100000' ]);
my $chunk = $t->server('chunk', ehlo => [ qw/ PIPELINING CHUNKING 8BITMIME /,
                                          'SIZE 1000000' ]);

# In a message "|" is CRLF.  What is to come out is a string, or the reply to a
# message that is refused; undef: the same.  <D> and <I> are the fields that
# are added: Date, Message-ID.

my $me = 'user@example.com';
my $from = "From: $me|";
my $date = 'Date: Sun, 22 Nov 2026 00:08:53 +0000|';
my $id = 'Message-ID: <a@b.example>|';
my $all = "$from$date$id";

my $twice = '554 5.6.0 Message has more than one field ';
my $bad = '554 5.6.0 Message has a bad address in its field ';
my $part = '554 5.6.0 Message has a domain that is not fully qualified in its '
           . 'field ';
my $no_from = '554 5.6.0 Message has no field From';
my $not_mine = '550 5.7.1 Address in From is not one of the user\'s';
my $too_long = '550 5.6.0 Message has too long a line';
my $eight = '550 5.6.0 Message has 8-bit octets in its header without SMTPUTF8';

my @submit = (

    # what is missing

    [ 'a whole one stays', "$all|body|" ],
    [ 'Date is added', "$from$id|body|", "$from$id<D>|body|" ],
    [ 'Message-ID is added', "$from$date|body|", "$from$date<I>|body|" ],
    [ 'both, in order', "${from}Subject: x| y||body|",
      "${from}Subject: x| y|<D><I>|body|" ],
    [ 'From is the sender', "$date$id|body|", "$date${id}From: $me||body|" ],
    [ 'no body', $from, "$from<D><I>" ],
    [ 'no header', '|body|', "From: $me|<D><I>|body|" ],
    [ 'not even an empty line', 'body|', "From: $me|<D><I>|body|" ],
    [ 'a line that is no field', "${all}not a field|body|",
      "$all|not a field|body|" ],
    [ 'nothing at all', '', "From: $me|<D><I>" ],
    [ 'names in any case of letters',
      "FROM: $me|date : x|message-id: <a\@b>||body|" ],
    [ 'fields of the body are others', "$all|Bcc: a\@b.example|From: x|" ],

    # what has to go

    [ 'Bcc is removed', "${from}Bcc: a\@b.example,| c\@d.example|$date$id|x|",
      "$from$date$id|x|" ],
    [ 'as often as it is there, of Resent, too',
      "Resent-Bcc: a\@b.example|bcc:|${from}Subject: x|$date${id}|x|",
      "${from}Subject: x|$date${id}|x|" ],
    [ 'Return-Path is removed', "Return-Path: <a\@b.example>|$all|x|",
      "$all|x|" ],
    [ 'Message-ID that is none is replaced',
      "${from}Message-ID: 1234|$date|x|", "$from$date<I>|x|" ],
    [ 'a very long one as well',
      "${from}Message-ID: <" . ('x' x 900 . '| ') x 6 . "\@b>|$date|x|",
      "$from$date<I>|x|" ],
    [ 'one with a comment is one',
      "${from}Message-ID:| (x) <a\@b>|$date|x|" ],

    # Sender

    [ 'From of somebody else',
      "From: a\@b.example|$date$id|x|",
      "From: a\@b.example|$date${id}Sender: $me||x|" ],
    [ 'From of several', "From: $me, a\@b.example|$date$id|x|",
      "From: $me, a\@b.example|$date${id}Sender: $me||x|" ],
    [ 'From of a group', "From: us: $me;|$date$id|x|" ],
    [ 'From of nobody at all', "From: us:;|$date$id|x|",
      "From: us:;|$date${id}Sender: $me||x|" ],
    [ 'a part that the user may choose',
      "From: user+x\@example.com|$date$id|x|" ],
    [ 'a name and comments', "From: (x) \"A, B\" <$me> (y)|$date$id|x|" ],
    [ 'Sender of the user stays',
      "Sender: Me <user+x\@example.com>|From: a\@b.example|$date$id|x|" ],
    [ 'one of somebody else goes',
      "Sender: a\@b.example|$all|x|", "$all|x|" ],
    [ 'or is replaced',
      "Sender: a\@b.example|From: a\@b.example|$date$id|x|",
      "From: a\@b.example|$date${id}Sender: $me||x|" ],
    [ 'what is sent again has its own',
      "Resent-From: $me|Sender: a\@b.example|From: c\@d.example|$date$id|x|" ],

    # what is refused

    [ 'two fields of From', "${from}From: a\@b.example|$date$id|x|", "${twice}From" ],
    [ 'two Subject', "${all}Subject: a|SUBJECT: b||x|", "${twice}Subject" ],
    [ 'two Date', "$all$date|x|", "${twice}Date" ],
    [ 'two To', "${all}To: a\@b.example|To: c\@d.example||x|", "${twice}To" ],
    [ 'many others', "${all}Received: x|Received: y|X: a|X: b||x|" ],
    [ 'no address in From', "From: me|$date$id|x|", "${bad}From" ],
    [ 'From is empty', "From:|$date$id|x|", "${bad}From" ],
    [ 'no address in To', "${all}To: a\@b.example, you||x|", "${bad}To" ],
    [ 'an open quote in Cc', "${all}Cc: \"you <a\@b.example>||x|", "${bad}Cc" ],
    [ 'a local part that is none', "${all}Reply-To: <\"\x{1}\"\@b.example>||x|",
      "${bad}Reply-To" ],
    [ 'a domain that is none', "${all}To: a\@" . 'b' x 64
      . ".example||x|", "${bad}To" ],
    [ 'Sender that is none', "Sender: me|$all|x|", "${bad}Sender" ],
    [ 'Resent-To that is none', "Resent-To: me|$all|x|", "${bad}Resent-To" ],
    [ 'To may be empty, and a group',
      "${all}To: undisclosed-recipients:;|Cc:||x|" ],
    [ 'a domain of one label', "${all}To: a\@b.example,| c\@sales||x|",
      "${part}To" ],
    [ 'another one in From', "From: me\@sales|$date$id|x|", "${part}From" ],
    [ 'the first fault is told', "${from}To: you|From: you||x|", "${bad}To" ],

    # lines

    [ 'a long line is folded',
      "${all}Subject: " . 'x' x 600 . ' ' . 'y' x 600 . '||x|',
      "${all}Subject: " . 'x' x 600 . '| ' . 'y' x 600 . '||x|' ],
    [ 'a list of many', "${all}To: " . join(', ', map {
          "user$_\@example.com" } 100 .. 180) . '||x|',
      "${all}To: " . join(', ', map { "user$_\@example.com" } 100 .. 146)
      . ',| ' . join(', ', map { "user$_\@example.com" } 147 .. 180)
      . '||x|' ],
    [ 'one that cannot be folded', "${all}Subject:" . 'x' x 1000 . '||x|',
      $too_long ],
    [ 'a long line of the body', "$all|" . 'x' x 999 . '|', $too_long ],
    [ 'one that is not', "$all|" . 'x' x 998 . '|' ],
    [ '8-bit octets', "${all}Subject: \xc3\xa4||x|", $eight ],
    [ 'in a field that is removed', "${all}Bcc: \xc3\xa4 <a\@b.example>||x|",
      "$all|x|" ],

    # dots are stuffed on their way

    [ 'dots', "$all|.|..|.x|" ],
    [ 'dots in front of a header', ".X: y|$all|x|" ],
);

my @others = (
    [ 'reject', 'From of the user', "$all|x|" ],
    [ 'reject', 'From of somebody else', "From: a\@b.example|$date$id|x|",
      $not_mine ],
    [ 'reject', 'From of the user and somebody else',
      "From: $me, a\@b.example|$date$id|x|", $not_mine ],
    [ 'reject', 'From of nobody', "From: us:;|$date$id|x|", $not_mine ],
    [ 'reject', 'what is sent again', "Resent-From: $me|From: a\@b.example|x|",
      $not_mine ],
    [ 'reject', 'Sender of somebody else may stay',
      "Sender: a\@b.example|$all|x|" ],

    [ 'bare', 'nothing is done',
      "From: x|Bcc: y|From: z|Message-ID: 1|Subject: "
      . 'x' x 600 . ' ' . 'y' x 600 . "||\xc3\xa4|" . 'x' x 2000 . '|' ],
    [ 'part', 'only what is asked for',
      "From: x|Bcc: y|Return-Path: z|Message-ID: 1||x|",
      "From: x|Return-Path: z|Message-ID: 1|<D>|x|" ],
    [ 'check', 'no From', "$date$id|x|", $no_from ],
    [ 'check', 'no Date, no Message-ID', "${from}Bcc: a\@b.example||x|" ],
    [ 'check', 'a domain of one label', "From: a\@b|" ],
    [ 'fold', 'only lines are folded',
      "From: x|Subject: " . 'x' x 600 . ' ' . 'y' x 600 . '||x|',
      "From: x|Subject: " . 'x' x 600 . '| ' . 'y' x 600 . '||x|' ],
);

$t->plan(6 * @submit + @others + 36);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_auth_http         http://127.0.0.1:%%PORT_http%%/auth;
    smtp_auth_require_tls  off;
    smtp_max_errors        1000;
    smtp_pass              smtp://127.0.0.1:%%PORT_mta%%;

    server {
        listen           127.0.0.1:%%PORT_submit%%;
        protocol         smtp_ext;
        smtp_submission  on;
    }

    server {
        listen           127.0.0.1:%%PORT_chunked%%;
        protocol         smtp_ext;
        smtp_submission  on;
        smtp_pass        smtp://127.0.0.1:%%PORT_chunk%%;
    }

    server {
        listen           127.0.0.1:%%PORT_reject%%;
        protocol         smtp_ext;
        smtp_submission  on;
        smtp_from_check  reject;
    }

    server {
        listen                  127.0.0.1:%%PORT_bare%%;
        protocol                smtp_ext;
        smtp_submission         on;
        smtp_from_check         off;
        smtp_header_check       off;
        smtp_header_repair      off;
        smtp_header_fold        off;
        smtp_header_8bit        accept;
        smtp_max_text_line      0;
        smtp_received_client    off;
        smtp_body_buffer_size   4k;
    }

    server {
        listen              127.0.0.1:%%PORT_part%%;
        protocol            smtp_ext;
        smtp_header_repair  date bcc;
    }

    server {
        listen             127.0.0.1:%%PORT_check%%;
        protocol           smtp_ext;
        smtp_header_check  on;
    }

    server {
        listen            127.0.0.1:%%PORT_fold%%;
        protocol          smtp_ext;
        smtp_header_fold  on;
    }

    server {
        listen                 127.0.0.1:%%PORT_small%%;
        protocol               smtp_ext;
        smtp_submission        on;
        smtp_body_buffer_size  4k;
    }

    server {
        listen           127.0.0.1:%%PORT_buffered%%;
        protocol         smtp_ext;
        smtp_submission  on;
        smtp_pass_mode   buffered;
    }

    server {
        listen           127.0.0.1:%%PORT_stream%%;
        protocol         smtp_ext;
        smtp_submission  on;
        smtp_pass_mode   stream;
    }

    server {
        listen           127.0.0.1:%%PORT_stream_chunk%%;
        protocol         smtp_ext;
        smtp_submission  on;
        smtp_pass_mode   stream;
        smtp_pass        smtp://127.0.0.1:%%PORT_chunk%%;
    }

    server {
        listen              127.0.0.1:%%PORT_held%%;
        protocol            smtp_ext;
        smtp_header_repair  message_id;
        smtp_pass_mode      stream;
        smtp_pass           smtp://127.0.0.1:%%PORT_chunk%%;
    }

    server {
        listen           127.0.0.1:%%PORT_trusted%%;
        protocol         smtp_ext;
        smtp_submission  on;
        smtp_relay_from  127.0.0.1;
    }
}
EOC

my $http = $t->http('http');

my %mta = (chunked => $chunk, held => $chunk, stream_chunk => $chunk);
my $taken = qr/^250 2\.0\.0 OK id=/;


sub crlf { $_[0] =~ s/\|/\r\n/gr }

sub logged_in {
    my ($port, $user, @headers) = @_;

    $http->set(on => { '/auth' => { headers => [ 'Auth-Status' => 'OK',
                                                 @headers ] } });

    my $c = $t->client($port);

    $c->read_reply();
    $c->ehlo();
    $c->cmd('AUTH PLAIN ' . encode_base64("\0$user\0password", ''))
        =~ /^235/ or die "not logged in";

    return $c;
}

# what went on, without Received, with what was added as <D> and <I>

sub gone_on {
    my ($mta) = @_;

    my $text = ($mta->messages())[-1]{data};

    $text =~ s/\AReceived: .*?\r\n(?!\t)//s;
    $text =~ s/\r\n/|/g;

    my $time = qr/\w{3},\s\d\d\s\w{3}\s\d{4}\s\d\d:\d\d:\d\d\s[+-]\d{4}/;

    $text =~ s/Date:\s$time\|/<D>/ unless $text =~ /\Q$date\E/;
    $text =~ s/Message-ID:\s<[0-9a-v]{16}\.[0-9a-f]{8}\@mx\.example\.com>\|
               /<I>/x;

    return $text;
}

# the reply, or what went on

sub outcome {
    my ($c, $port, $text, %o) = @_;

    my $mta = $mta{$port} || $mta;
    my $reply = $c->mail($o{from} // $me, @{$o{params} || []});

    $reply = $c->rcpt('rcpt@example.com') if $reply =~ /^250/;
    return $reply if $reply !~ /^250/;

    $reply = $o{bdat} ? $o{bdat}->($c, $text) : $c->data($text);

    return $reply =~ $taken ? gone_on($mta) : $reply;
}


my $c = logged_in('submit', $me);

for my $try (@submit) {
    my ($name, $in, $out) = @$try;

    is outcome($c, 'submit', crlf($in)), $out // $in, $name;
}

# by BDAT, in chunks of some octets, to a next hop by BDAT

$c = logged_in('chunked', $me);

sub chunks {
    my ($c, $text) = @_;

    my @chunks = $text =~ /(.{1,37})/gs;
    my $raw = join '', map { 'BDAT ' . length($_) . "\r\n$_" } @chunks;

    $c->send_raw("${raw}BDAT 0 LAST\r\n");

    # one of them may have been refused, and ended the transaction

    my @replies = $c->read_replies(@chunks + 1);
    my ($refused) = grep { !/^250/ } @replies;

    return $refused // $replies[-1];
}

for my $try (@submit) {
    my ($name, $in, $out) = @$try;

    is outcome($c, 'chunked', crlf($in), bdat => \&chunks), $out // $in,
       "$name, in chunks";
}

# as it comes

for my $port (qw/ stream stream_chunk /) {
    $c = logged_in($port, $me);

    for my $try (@submit) {
        my ($name, $in, $out) = @$try;

        is outcome($c, $port, crlf($in)), $out // $in, "$port: $name";
        is outcome($c, $port, crlf($in), bdat => \&chunks), $out // $in,
           "$port: $name, in chunks";
    }
}

for my $try (@others) {
    my ($port, $name, $in, $out) = @$try;

    is outcome(logged_in($port, $me), $port, crlf($in)), $out // $in,
       "$port: $name";
}

# how it is cut does not matter

my $in = crlf("Return-Path: <x>|Bcc: a\@b.example,| c\@d.example|Message-ID: "
              . "1|From: c\@d.example|Sender: (x) e\@f.example|Subject: "
              . 'x' x 700 . ' ' . 'y' x 700 . '||.body|..|');
my $want = "From: c\@d.example|Subject: " . 'x' x 700 . '| ' . 'y' x 700
           . "|Sender: $me|<D><I>|.body|..|";

is outcome(logged_in('submit', $me), 'submit', $in), $want, 'in one piece';

for my $step (1, 2, 3, 7, 64, 500) {
    $c = logged_in('submit', $me);

    $c->mail($me);
    $c->rcpt('rcpt@example.com');
    $c->cmd('DATA');

    my $wire = ($in =~ s/^\./../gmr) . ".\r\n";

    $c->send_raw($_) for $wire =~ /(.{1,$step})/gs;

    like $c->read_reply(), $taken, "in pieces of $step";
    is gone_on($mta), $want, 'the same';
}

# a message without a line end, and one that is a header alone

$c = logged_in('chunked', $me);

$c->mail($me);
$c->rcpt('rcpt@example.com');
like $c->bdat(crlf("$from$date") . 'Subject: x', 1), $taken,
     'no line end by BDAT';
is gone_on($chunk), "$from${date}Subject: x|<I>", 'the field has one now';

$c = logged_in('submit', $me);

$c->mail($me);
$c->rcpt('rcpt@example.com');
like $c->bdat(crlf("$from$date") . 'Subject: x', 1), $taken,
     'no line end from BDAT to DATA';
is gone_on($mta), "$from${date}Subject: x|<I>", 'there is no more than that';

# sizes: what goes on is what is said to go on

$c = logged_in('buffered', $me);

is outcome($c, 'buffered', crlf("$from|x|")), "$from<D><I>|x|", 'buffered';

my $m = ($mta->messages())[-1];

is $m->{from_params}, 'SIZE=' . length $m->{data}, 'its size is what was sent';

$c = logged_in('small', $me);

my $body = crlf("$from|" . ('y' x 98 . '|') x 500);

is outcome($c, 'small', $body), $body =~ s/\r\n/|/gr
                                =~ s/^\Q$from\E/$from<D><I>/r,
   'one that goes to a file';

my $large = 'A: ' . join('|B: ', ('z' x 500) x 100) . '|';

is outcome($c, 'small', crlf("$large$from$date|x|")), "$large$from$date<I>|x|",
   'a header that goes to a file';

# fields that are held back are copied where content is streamed

my $ids = join '', map { "Message-ID: <$_." . 'x' x 900 . '@b.example>'
                         . '| (y)' x 400 . '|' } 1 .. 100;

is outcome(logged_in('held', $me), 'held', crlf("$ids|.x|")), "$ids|.x|",
   'a hundred fields that are held back';
cmp_ok scalar(grep { /^BDAT \d+$/ } $chunk->commands()), '>', 100,
       'and have gone on in chunks';

# the sender is null: the user's own address

for my $try (
    [ 'user@example.com', $me ],
    [ 'name', undef ],
    [ 'name', 'sales@example.com',
      'Auth-Senders' => '@example.net, sales@example.com, b@example.com' ],
    [ 'user@example.com', undef, 'Auth-Senders' => '@example.com, *' ],
) {
    my ($user, $address, @headers) = @$try;

    is outcome(logged_in('submit', $user, @headers), 'submit',
               crlf("$date$id|x|"), from => ''),
       $address ? "$date${id}From: $address||x|" : $no_from,
       'From of ' . ($address // 'nobody');
}

is outcome(logged_in('submit', 'name'), 'submit',
           crlf("From: a\@b.example|$date$id|x|"), from => ''),
   "From: a\@b.example|$date$id|x|", 'nobody for Sender either';

# addresses in UTF-8

my $utf8 = "us\xc3\xa9r\@example.com";

$c = logged_in('submit', $utf8);

is outcome($c, 'submit', crlf("$date$id|x|"), from => $utf8,
           params => [ 'SMTPUTF8' ]),
   "$date${id}From: $utf8||x|", 'From in UTF-8';
is outcome($c, 'submit', crlf("From: \xc3\x84 <$utf8>|$date$id|x|"),
           from => $utf8, params => [ 'SMTPUTF8' ]),
   "From: \xc3\x84 <$utf8>|$date$id|x|", 'fits the user';
is outcome($c, 'submit', crlf("$date$id|x|"), from => ''), $no_from,
   'not without SMTPUTF8';

# who is not logged in, but trusted

$c = $t->client('trusted');
$c->read_reply();
$c->ehlo();

is outcome($c, 'trusted', crlf("From: a\@b.example|x: y|"),
           from => 'c@d.example'),
   "From: a\@b.example|x: y|<D><I>", 'of a trusted client nobody is known';
is outcome($c, 'trusted', crlf("From: a\@b.example, c\@d.example|"),
           from => 'c@d.example'),
   "From: a\@b.example, c\@d.example|Sender: c\@d.example|<D><I>",
   'but one of several authors has sent it';

# Received

outcome(logged_in('submit', $me), 'submit', crlf("$all|x|"));
like +($mta->messages())[-1]{data},
     qr/\AReceived: from \S+ \(\[127\.0\.0\.1\]\)/,
     'Received has the client\'s address';

outcome(logged_in('bare', $me), 'bare', crlf("$all|x|"));
my ($received) = ($mta->messages())[-1]{data}
                 =~ /\A(Received: .*?\r\n)(?!\t)/s;
like $received, qr/\AReceived: from unknown\r\n\tby mx\.example\.com with /,
     'smtp_received_client off: it has not';
unlike $received, qr/127\.0\.0\.1|client\.example/, 'nor its name';

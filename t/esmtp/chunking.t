#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# CHUNKING, RFC 3030, from the client's side: whatever is wrong with a BDAT,
# its octets are read as a chunk and not as commands, and what comes in chunks
# is the message that goes on, by BDAT or by DATA.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ time /;

use Test::Nginx::SmtpExt;

use constant SEED => 3030;
use constant TIOCOUTQ => 0x5411;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(334);

$t->certificate('localhost');

my $data = $t->server('data', on => { RCPT => \&refuse });
my $bdat = $t->server('bdat', on => { RCPT => \&refuse },
                      ehlo => [ qw/ PIPELINING 8BITMIME CHUNKING / ]);

sub refuse { $_[0] =~ /nobody/ ? '550 5.1.1 nobody here' : undef }

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1 unix:;
    smtp_pass        smtp://127.0.0.1:%%PORT_data%%;
    smtp_temp_path   %%TESTDIR%%/smtp_temp;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    server {
        listen                 127.0.0.1:%%PORT_smtp%%;
        listen                 unix:%%TESTDIR%%/reject;
        protocol               smtp_ext;
        smtp_body_buffer_size  16k;
    }

    server {
        listen             127.0.0.1:%%PORT_normalise%%;
        listen             unix:%%TESTDIR%%/normalise;
        protocol           smtp_ext;
        smtp_bare_newline  normalise;
    }

    server {
        listen             127.0.0.1:%%PORT_chunks%%;
        protocol           smtp_ext;
        smtp_pass          smtp://127.0.0.1:%%PORT_bdat%%;
    }

    server {
        listen                 127.0.0.1:%%PORT_small%%;
        protocol               smtp_ext;
        smtp_max_message_size  1000;
        smtp_max_errors        3;
    }

    server {
        listen    127.0.0.1:%%PORT_only%%;
        protocol  smtp_ext;
        starttls  only;
    }

    server {
        listen                127.0.0.1:%%PORT_impatient%%;
        protocol              smtp_ext;
        smtp_data_timeout     200ms;
        smtp_command_timeout  1h;

        smtp_max_message_size  1000;
    }

    server {
        listen                127.0.0.1:%%PORT_unlimited%%;
        protocol              smtp_ext;
        smtp_data_timeout     200ms;

        smtp_max_message_size  0;
    }
}
EOC

my $taken = qr/^250 2\.0\.0 OK id=/;
my $no_mail = '503 5.5.1 Need MAIL first, chunk dropped';
my $no_rcpt = '554 5.5.1 No valid recipients, chunk dropped';
my $begun = '503 5.5.1 Only BDAT or RSET may follow BDAT';
my $too_big = '552 5.3.4 Message size exceeds fixed limit';
my $bad = '501 5.5.4 Syntax: BDAT size [LAST], closing connection';
my $bare = '550 5.6.0 Message has bare <CR> or <LF>, lines must end in '
           . '<CR><LF>';

my @envelope = ('MAIL FROM:<a@b.example>', 'RCPT TO:<c@d.example>');


# MAIL, RCPT and the chunks, one after the other; the last reply

sub chunks {
    my ($c, @chunks) = @_;
    my $reply;

    $c->cmd($_) for @envelope;

    while (@chunks) {
        my $chunk = shift @chunks;

        $reply = $c->bdat($chunk, !@chunks);
        last unless $reply =~ /^250/;
    }

    return $reply;
}

# what the next hop got last, without our field

sub content {
    my ($mta) = @_;

    my @messages = ($mta || $data)->messages();
    my $text = @messages ? $messages[-1]{data} : '(none)';

    return $text =~ s/\AReceived: .*?\r\n(?![ \t])//sr;
}

sub count { scalar(() = ($_[0] || $data)->messages()) }

sub shown { $_[0] =~ s/\r/\\r/gr =~ s/\n/\\n/gr }


my $c = $t->connected();

ok exists $c->{ehlo}{CHUNKING}, 'it is offered';

# any chunking

my $text = "Subject: chunks\r\n\r\n.\r\n..\r\nx\r\n.y\r\n";

for (['one', $text],
     ['one and an empty one', $text, ''],
     ['an empty one first', '', $text],
     ['empty ones', '', '', $text, '', ''],
     ['each octet', split //, $text],
     ['each line', $text =~ /(.*?\r\n)/g],
     ['between CR and LF', split /(?<=\r)/, $text],
     ['in front of each dot', split /(?=\.)/, $text])
{
    my ($name, @chunks) = @$_;

    like chunks($c, @chunks), $taken, "$name: taken";
    is content(), $text, 'and is the same';
    like chunks($t->connected('chunks'), @chunks), $taken,
       "$name: taken for BDAT";
    is content($bdat), $text, 'and is the same';
}

like chunks($c, ''), $taken, 'an empty message';
is content(), '', 'is empty';
is count(), 9, 'each is one message';

$c->cmd($_) for @envelope;
is $c->bdat('abc'), '250 2.0.0 3 octets received', 'a chunk has its reply';
is $c->bdat("d\r\n"), '250 2.0.0 6 octets received', 'so has the next';
is $c->cmd('bdat 0'), '250 2.0.0 6 octets received', 'and an empty one';
$c->send_raw("bDaT 0000000000000000 last  \r\n");
like $c->read_reply(), $taken, 'letters and zeros do not matter';

# what does not end in CRLF; dots

for my $text ('', 'x', "Subject: x\r\n\r\nlast", "a\r\n.", '.', "..\r\n.",
              ".\r\n", "\r\n.\r\n", "\r\n")
{
    my $whole = $text eq '' || $text =~ /\r\n\z/ ? $text : "$text\r\n";

    like chunks($c, $text), $taken, 'ends as it likes: ' . shown($text);
    is content(), $whole, 'by DATA it ends in CRLF';
    like chunks($t->connected('chunks'), $text), $taken, 'taken for BDAT';
    is content($bdat), $text, 'by BDAT it is the same';
}

# DATA to BDAT

$c = $t->connected('chunks');
like $c->send_message(data => $text), $taken, 'DATA';
is content($bdat), $text, 'goes on by BDAT without the dots that were added';
is_deeply [ grep { /^DATA/ } $bdat->commands() ], [], 'no DATA was said';

# what would be smuggled if chunks were read as lines

my $hidden = join "\r\n", 'x', '.', 'MAIL FROM:<smuggled@b.example>',
                  'RCPT TO:<smuggled@d.example>', 'DATA', 'y', '.', '';

for my $port ('smtp', 'chunks') {
    my $mta = $port eq 'smtp' ? $data : $bdat;
    my $before = count($mta);

    $c = $t->connected($port);

    for my $n (1, 2, 3, 4, 5, length $hidden) {
        like chunks($c, unpack "(a$n)*", $hidden), $taken,
             "$port: an end mark inside, in chunks of $n";
        is content($mta), $hidden, 'is content';
    }

    is count($mta) - $before, 6, 'of one message each';
    is_deeply [ grep { /smuggled/ } $mta->commands() ], [], 'and no command';
}

# bare CR and LF

my @bare = ("a\nb\r\n", "a\rb\r\n", "a\r\n.\nb\r\n", "a\n.\nb\r\n",
            "a\r.\rb\r\n", "a\r\r\n.\r\r\n", "\n", "\r", "a\r\nb\r", "a\n",
            "a\r\n\r", "\n\r\n");

my $normalise = $t->connected('normalise');

$c = $t->connected();

for my $text (@bare) {
    my $mended = $text =~ s/\r\n|\r|\n/\r\n/gr;
    my $before = count();

    is chunks($c, $text), $bare, 'refused: ' . shown($text);
    is chunks($c, "$text", ''), $bare, 'with an empty one behind it'
        if $text !~ /\r\z/;
    is count() - $before, 0, 'nothing went on';

    like chunks($normalise, $text), $taken, 'mended: ' . shown($text);
    is content(), $mended, 'lines end in CRLF';
    chunks($normalise, split //, $text);
    is content(), $mended, 'in whatever chunks it comes';

    # a reply to each chunk: the next cmd() has its own

    $c->cmd('RSET');
    like $c->cmd('NOOP'), qr/^250 2.0.0 OK/, 'replies are in step';
}

# a chunk that can be told to be bad is told so at once

$c->cmd($_) for @envelope;
is $c->bdat("a\nb"), $bare, 'a bad chunk that is not the last';
is $c->bdat("c\r\n", 1), $no_mail, 'ends the transaction';
is $c->cmd('MAIL FROM:<a@b.example>'), '250 2.1.0 Sender OK',
   'and the next may begin';
$c->cmd('RSET');

# out of order: read all the same, and answered behind it

my $octets = "QUIT\r\nDATA\r\n" . "RSET\r\n" x 3000;

$c = $t->client('smtp');
$c->read_reply();
is $c->bdat($octets, 1), '503 5.5.1 Send EHLO or HELO first', 'before EHLO';
$c->cmd('HELO client.example.com');
is $c->bdat($octets, 1), '503 5.5.1 Send EHLO first', 'after HELO';
$c->ehlo();
is $c->bdat($octets, 1), $no_mail, 'before MAIL';
is $c->bdat(''), $no_mail, 'an empty one as well';
$c->mail('a@b.example');
is $c->bdat($octets), '503 5.5.1 Need RCPT first', 'before RCPT';
$c->rcpt('nobody@d.example');
is $c->bdat($octets), $no_rcpt, 'after a RCPT that was refused';
is $c->bdat($octets, 1), $no_rcpt, 'and once more';
is $c->rcpt('c@d.example'), '250 2.1.5 recipient ok',
   'the transaction is still there';
like $c->bdat($text, 1), $taken, 'with another recipient it goes';
is content(), $text, 'nothing of what was refused is in it';
is $c->bdat($octets, 1), $no_mail, 'after the last';

$c->cmd($_) for @envelope;
$c->bdat("one\r\n");
is $c->cmd('MAIL FROM:<e@f.example>'),
   '503 5.5.1 Transaction already open', 'MAIL between chunks';
is $c->rcpt('e@f.example'), $begun, 'RCPT between chunks';
is $c->cmd('DATA'), $begun, 'DATA between chunks';
is $c->cmd('NOOP'), '250 2.0.0 OK', 'NOOP between chunks';
like $c->bdat("two\r\n", 1), $taken, 'the last chunk';
is content(), "one\r\ntwo\r\n", 'both are there';
is_deeply +($data->messages())[-1]{to}, [ 'c@d.example' ], 'for whom it was';

for my $cmd ('RSET', 'EHLO again.example.com') {
    $c->cmd($_) for @envelope;
    $c->bdat("forgotten\r\n.");
    like $c->cmd($cmd), qr/^250/, "$cmd between chunks";
    is $c->bdat("x\r\n", 1), $no_mail, 'ends the transaction';
    chunks($c, "kept\r\n");
    is content(), "kept\r\n", 'of which nothing is left';
}

# all at once, behind what is refused: nothing is out of step, nor an error

$c = $t->connected('small');
$c->send_raw(join '', "MAIL FROM:<a\@b.example>\r\n",
             "RCPT TO:<nobody\@d.example>\r\n",
             map { "BDAT 12\r\nDATA\r\nQUIT\r\n" } 1 .. 30);
is_deeply [ $c->read_replies(32) ], [ '250 2.1.0 Sender OK',
          '550 5.1.1 nobody here', ($no_rcpt) x 30 ],
          'many chunks behind a refused RCPT';
$c->send_raw(join '', "RSET\r\n", (map { "$_\r\n" } @envelope),
             "BDAT 2000\r\n" . 'x' x 2000,
             map { "BDAT 12\r\nDATA\r\nQUIT\r\n" } 1 .. 30);
is_deeply [ $c->read_replies(34) ], [ '250 2.0.0 OK', '250 2.1.0 Sender OK',
          '250 2.1.5 recipient ok', $too_big, ($no_mail) x 30 ],
          'many chunks behind one that is too big';
like $c->cmd('NOOP'), qr/^250/, 'the session lives';

# sizes

is chunks($c, 'x' x 998 . "\r\n") =~ s/=.*//r, '250 2.0.0 OK id',
   'as long as may be';
is chunks($c, 'x' x 999 . "\r\n"), $too_big, 'longer by one';
is chunks($c, 'x' x 998 . "\r\n", '.'), $too_big, 'by a chunk';
is chunks($c, 'x' x 500, 'y' x 500, 'z' x 500), $too_big, 'bit by bit';
is chunks($c, 'QUIT' . "\r\nQUIT" x 100_000), $too_big, 'much longer';
is $c->cmd($_), '250 2.1.0 Sender OK', 'and the session goes on'
    for $envelope[0];
$c->rcpt('c@d.example');
is $c->cmd('BDAT 1073742825 LAST'), '552 5.3.4 Chunk size exceeds all limits, '
   . 'closing connection', 'more than anybody wants to read';
ok $c->eof(), 'ends it';

$c = $t->connected('impatient');
$c->cmd($_) for @envelope;
$c->send_raw("BDAT 1073742824 LAST\r\n");
like $c->read_reply(), qr/^421 4\.4\.2 /, 'one less is waited for';

$c = $t->connected('small');
$c->send_raw("BDAT 999999999999999999\r\n");
like $c->read_reply(), qr/^552 5\.3\.4 Chunk size/, '18 digits';
ok $c->eof(), 'end it';

for my $args ('', ' ', ' -1', ' +1', ' x', ' 1x', ' 0x10', ' 1 2', ' 1  LAST X',
              ' 1 LASTX', ' 1 LAS', ' 1LAST', ' LAST', ' 1,0', ' 1.0', "\t1",
              ' 1 LAST LAST', ' 1000000000000000000',
              ' 18446744073709551617', ' ' . '9' x 400, " 6 \rLAST",
              ' ' . '9' x 4000)
{
    $c = $t->connected();
    $c->cmd($_) for @envelope;
    $c->send_raw("BDAT$args\r\nNOOP\r\n");

    my $reply = $c->read_reply();

    # what is no verb of ours is none: it never was a BDAT

    is $reply, $args eq "\t1" ? '500 5.5.1 Command not recognized' : $bad,
       "BDAT$args";
    ok $c->eof(), 'nothing is read behind it' if $args ne "\t1";
}

# starttls only

$c = $t->connected('only');
is $c->bdat($octets, 1), '530 5.7.0 Must issue a STARTTLS command first',
   'before TLS';
is $c->bdat($octets), '530 5.7.0 Must issue a STARTTLS command first',
   'and not the last';
$c->starttls();
$c->ehlo();
like chunks($c, "under TLS\r\n"), $taken, 'under TLS';
is content(), "under TLS\r\n", 'it goes on';

# times

$c = $t->connected('impatient');
$c->cmd($_) for @envelope;
$c->send_raw("BDAT 10 LAST\r\nabc");
like $c->read_reply(), qr/^421 4\.4\.2 /, 'a chunk that does not come';
ok $c->eof(), 'closed';

for my $size ('9' x 18, '9' x 15) {
    $c = $t->connected('unlimited');
    $c->send_raw("BDAT $size\r\nabc");
    like $c->read_reply(), qr/^421 4\.4\.2 /, "without a limit: $size octets";
    ok $c->eof(), 'closed';
}

$c = $t->connected('impatient');
$c->cmd($_) for @envelope;
$c->send_raw("BDAT 10\r\nabc");
select undef, undef, undef, 0.05;
$c->send_raw('defghij');
like $c->read_reply(), qr/^250/, 'a slow one';
select undef, undef, undef, 0.4;
like $c->bdat('', 1), $taken, 'its time is not that of the next command';

# gone in the middle

my $before = count();

$c = $t->connected();
$c->cmd($_) for @envelope;
$c->bdat("whole\r\n");
$c->send_raw("BDAT 100 LAST\r\nhalf");
$c->close();
like chunks($t->connected(), "other\r\n"), $taken, 'a client that went away';
is count() - $before, 1, 'has left no message';

# all in one write, and the same cut at every octet

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

my $batch = join '',
    "EHLO client.example.com\r\n",
    (map { "$_\r\n" } @envelope), "RCPT TO:<nobody\@d.example>\r\n",
    "BDAT 6\r\na\r\n.\r\n", "BDAT 0\r\n", "BDAT 9 LAST\r\n\r\n.\r\nRSET",
    (map { "$_\r\n" } @envelope), "BDAT 3\r\na\r\n", "RSET\r\n",
    (map { "$_\r\n" } @envelope), "BDAT 4\r\na\r\n\r", "MAIL FROM:<>\r\n",
    "RCPT TO:<e\@f.example>\r\n", "BDAT 4 LAST\r\n\n.b\r", "BDAT 0 LAST\r\n",
    (map { "$_\r\n" } @envelope), "BDAT 4\r\na\r\n\r", "BDAT 3 LAST\r\nb\n.",
    "RSET\r\nMAIL FROM:<a\@b.example>\r\nRCPT TO:<nobody\@d.example>\r\n",
    "BDAT 6\r\nQUIT\r\n", "BDAT 6 LAST\r\nQUIT\r\n", "NOOP\r\nQUIT\r\n";

sub converse {
    my ($name, $size) = @_;

    my $before = count();
    my $c = $t->client("unix:$name");
    my $todo = $batch;
    my @replies = $c->read_reply();

    while ($todo ne '') {
        $c->send_raw(substr($todo, 0, $size->($todo), ''), quiet => 1);
        wait_read($c->socket());
    }

    push @replies, $c->read_reply() for 1 .. 31;

    my $closed = $c->eof();
    my @messages = $data->messages();

    splice @messages, 0, $before;
    s/ id=\S+/ id=/ for @replies;

    return { replies => \@replies, closed => $closed, messages => [
        map { $_->{data} =~ s/\AReceived:.*\r\n(?:[ \t].*\r\n)*//r }
            @messages ] };
}

for my $name ('reject', 'normalise') {
    my $whole = converse($name, sub { length $_[0] });

    is_deeply [ map { /^(\d+)/ } @{$whole->{replies}} ],
              [ 220, 250, 250, 250, 550, 250, 250, 250,
                250, 250, 250, 250,
                250, 250, 250, 503, 503, $name eq 'reject' ? 550 : 250, 503,
                250, 250, $name eq 'reject' ? (250, 550) : (250, 250),
                250, 250, 550, 554, 554, 250, 221 ], "$name: in one write"
        or diag explain $whole;
    is_deeply $whole->{messages},
              [ "a\r\n.\r\n\r\n.\r\nRSET\r\n",
                $name eq 'reject' ? () : ("a\r\n\r\n.b\r\n",
                                          "a\r\n\r\nb\r\n.\r\n") ],
              "$name: what was taken" or diag explain $whole;

    for my $n (1, 2, 3, 5, 7) {
        is_deeply converse($name, sub { $n }), $whole, "$name: in pieces of $n";
    }

    srand SEED;

    for my $i (1 .. 6) {
        is_deeply converse($name, sub { 1 + int rand 2 ** int rand 6 }),
                  $whole, "$name: in random pieces, seed @{[ SEED ]}, $i";
    }

    my @wrong;

    for my $at (1 .. length($batch) - 1) {
        my $n = 0;
        my $cut = converse($name, sub { $n++ ? length $_[0] : $at });

        push @wrong, $at unless eq_hash($cut, $whole);
    }

    is_deeply \@wrong, [], "$name: cut in two at each octet";
}

# big ones, which are in the temporary file

srand SEED;

my $big = join '', map { '.' x ($_ % 2) . 'x' x int(rand 200) . "\r\n" }
                   1 .. 20_000;

for my $size (1000, 16384, 65536, 1_000_000, length $big) {
    for my $port ('smtp', 'chunks') {
        like chunks($t->connected($port), unpack "(a$size)*", $big), $taken,
             "2 MB in chunks of $size";
        ok content($port eq 'smtp' ? $data : $bdat) eq $big, 'the same';
    }
}

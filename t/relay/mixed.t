#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# One message, several destinations: every combination of what can come of two
# and of three of them, with a reply to each recipient (PRDR), and with one
# reply and a report.  Nobody gets it before each destination stands before
# its end mark or has said no; nobody is lost without a word.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new();
my $ms = scaled(400);

$t->write_conf(<<"EOC");
%%GLOBALS%%

events { }

mail {
    server_name        mx.example.com;
    smtp_relay_from    127.0.0.1;
    smtp_pass          smtp://127.0.0.1:%%PORT_a%%;
    smtp_pass_mode     buffered;
    smtp_max_errors    100000;
    smtp_max_messages  0;

    smtp_pass_final_timeout  ${ms}ms;

    smtp_upstream a { server 127.0.0.1:%%PORT_a%% max_fails=0; keepalive 0; }
    smtp_upstream b { server 127.0.0.1:%%PORT_b%% max_fails=0; keepalive 0; }
    smtp_upstream c { server 127.0.0.1:%%PORT_c%% max_fails=0; keepalive 0; }

    smtp_recipient  \@a.example  { smtp_pass smtp://a; }
    smtp_recipient  \@b.example  { smtp_pass smtp://b; }
    smtp_recipient  \@c.example  { smtp_pass smtp://c; }

    server {
        listen             127.0.0.1:%%PORT_bounce%%;
        protocol           smtp_ext;
        smtp_mixed_result  bounce smtp://127.0.0.1:%%PORT_report%%;
    }

    server {
        listen             127.0.0.1:%%PORT_single%%;
        protocol           smtp_ext;
    }
}
EOC

# what a destination does: where, what, and what that means: taken, refused
# for now or for good; before its end mark or behind it

my %does = (
    ok      => [ {},                                            2, 1 ],
    later   => [ { on => { EOM => '450 4.2.0 later' } },        4, 1 ],
    never   => [ { on => { EOM => '550 5.7.0 never' } },        5, 1 ],
    lost    => [ { fault => { at => 'EOM', do => 'close' } },   4, 1 ],
    silent  => [ { fault => { at => 'EOM', do => 'stall' } },   4, 1 ],
    dead    => [ { fault => { at => 'CONNECT', do => 'close' } }, 4, 0 ],
    busy    => [ { on => { RCPT => '450 4.2.0 busy' } },        4, 0 ],
    unknown => [ { on => { RCPT => '550 5.1.1 unknown' } },     5, 0 ],
    nodata  => [ { on => { DATA => '554 5.3.0 no data' } },     5, 0 ],
);

my @two = qw/ ok later never lost silent dead busy unknown nodata /;
my @three = qw/ ok later never lost dead unknown /;

my @rows;

for my $x (@two) {
    push @rows, map { [ $x, $_ ] } @two;
}

for my $x (@three) {
    for my $y (@three) {
        push @rows, map { [ $x, $y, $_ ] } @three;
    }
}

$t->plan(2 * @rows + 11);

my @names = qw/ a b c /;
my @ext = (ehlo => [ qw/ PIPELINING / ]);
my %server = map { $_ => $t->server($_, @ext) } @names;
my $report = $t->server('report', @ext);

$t->run();


my %state;

sub prepare {
    my (@row) = @_;

    for my $i (0 .. $#row) {
        my $name = $names[$i];

        # a server that is as it was need not be told

        next if ($state{$name} // '') eq $row[$i];

        $state{$name} = $row[$i];
        $server{$name}->set(on => {}, fault => undef, %{$does{$row[$i]}[0]});
    }
}


sub rcpts {
    my ($n) = @_;

    return map { "user\@$_.example" } @names[0 .. $n - 1];
}


# MAIL .. DATA .. the message; then the replies to it

sub say_message {
    my ($c, $n, $expect_each, @params) = @_;

    $c->pipeline("MAIL FROM:<sender\@example.com>" . join('', @params),
                 map { "RCPT TO:<$_>" } rcpts($n));
    $c->read_reply() for 0 .. $n;
    $c->cmd('DATA');
    $c->body("Subject: mixed\r\n\r\nhello\r\n");

    my @replies = $c->read_reply();

    if ($replies[0] =~ /^353/) {
        push @replies, $c->read_reply() for 0 .. $n;
    }

    return @replies;
}


sub counts { join ' ', map { scalar(() = $server{$_}->messages()) } @names }

sub class { substr $_[0], 0, 1 }


# PRDR: no row depends on another

my $c = $t->connected('bounce');

for my $row (@rows) {
    my @got = map { $does{$_}[1] } @$row;
    my $n = @$row;

    prepare(@$row);

    my @replies = say_message($c, $n, 1, ' PRDR');
    my @expected;

    if (!grep { $_ != $got[0] } @got) {
        @expected = ($got[0]);

    } else {
        my $all = (grep { $_ == 2 } @got) ? 2 : (grep { $_ == 4 } @got) ? 4 : 5;
        @expected = (3, @got, $all);
    }

    is join(' ', map { class($_) } @replies), join(' ', @expected),
       "PRDR: @$row";
}

# one reply and a report

for my $row (@rows) {
    my @got = map { $does{$_}[1] } @$row;
    my @marked = map { $does{$_}[2] } @$row;
    my $n = @$row;

    prepare(@$row);

    my $reports = () = $report->messages();
    my @before = split / /, counts();

    my ($reply) = say_message($c, $n, 0);

    my $early = grep { !$marked[$_] && $got[$_] == 4 } 0 .. $n - 1;
    my $taken = grep { $_ == 2 } @got;
    my ($class, $told, @messages);

    if ($early) {
        # one of them can't be asked now: nobody has got it
        ($class, $told) = (4, '');
        @messages = (0) x 3;

    } else {
        $class = $taken ? 2 : (grep { $_ == 4 } @got) ? 4 : 5;
        $told = ($taken && $taken < $n)
                ? join ' ', map { (rcpts($n))[$_] }
                            grep { $got[$_] != 2 } 0 .. $n - 1
                : '';
        @messages = map { $_ < $n && $marked[$_] ? 1 : 0 } 0 .. 2;
    }

    my @after = split / /, counts();
    my @new = ($report->messages())[$reports .. ($report->messages()) - 1];
    my $named = join ' + ', map {
        join ' ', $_->{data} =~ /^Final-Recipient: rfc822; (\S+)/mg
    } @new;

    is join(', ', class($reply), $named,
            join(' ', map { $after[$_] - $before[$_] } 0 .. 2)),
       join(', ', $class, $told, "@messages"),
       "report: @$row";
}

# the report itself

prepare('ok', 'never', 'later');

$c->mail('sender@example.com', 'ENVID=a+2Bb');
$c->rcpt('user@a.example');
$c->rcpt('user@b.example', 'ORCPT=rfc822;Old+2BUser@x.example');
$c->rcpt('"qu oted"@c.example');
like $c->data("Subject: one\r\nX-Field: two\r\n  folded\r\n\r\nhello\r\n"),
     qr/^250 2\.0\.0 OK/, 'one has taken it, the others are reported';

my ($r) = ($report->messages())[-1];

is $r->{from}, '', 'a report has the null reverse-path';
is "@{$r->{to}}", 'sender@example.com', 'it goes to the sender';

my $data = $r->{data};
my ($boundary) = $data =~ /boundary="([^"]+)"/;

$data =~ s/\Q$boundary\E/BOUNDARY/g;
$data =~ s/(Date: ).*/$1DATE/g;
$data =~ s/(Message-ID: <)\w+/$1ID/;
$data =~ s/\r\n/\n/g;

is $data, <<'E', 'as RFC 3464 and RFC 6522 have it';
From: Mail Delivery System <MAILER-DAEMON@mx.example.com>
To: <sender@example.com>
Subject: Undelivered Mail Returned to Sender
Date: DATE
Message-ID: <ID@mx.example.com>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report;
	report-type=delivery-status;
	boundary="BOUNDARY"

--BOUNDARY
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.example.com.

Your message has been delivered, but not to these recipients:

<user@b.example>:
    550 5.7.0 never

<"qu oted"@c.example>:
    450 4.2.0 later
    It will not be tried again here. If the connection was lost, this
    recipient may have got the message all the same.

--BOUNDARY
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com
Original-Envelope-Id: a+b

Original-Recipient: rfc822; Old+User@x.example
Final-Recipient: rfc822; user@b.example
Action: failed
Status: 5.7.0
Remote-MTA: dns; server.example.net
Diagnostic-Code: smtp; 550 5.7.0 never
Last-Attempt-Date: DATE

Final-Recipient: rfc822; "qu oted"@c.example
Action: failed
Status: 4.2.0
Remote-MTA: dns; server.example.net
Diagnostic-Code: smtp; 450 4.2.0 later
Last-Attempt-Date: DATE

--BOUNDARY
Content-Type: text/rfc822-headers

Subject: one
X-Field: two
  folded

--BOUNDARY--
E

# nobody takes the report

$report->set(on => { EOM => '451 4.3.0 not now' });
is((say_message($c, 2))[0],
   '451 4.4.0 Not all recipients got it, and the report was not taken',
   'without the report the client has to try again');
$report->set(on => {}, fault => { at => 'EOM', do => 'close' });
like((say_message($c, 2))[0], qr/^451 4\.4\.0/,
     'nor is it 250 where it is not known what became of the report');
$report->set(on => {}, fault => undef);

# whom nothing may be reported to, or of

is_deeply([ map { substr $_, 0, 9 }
            $c->mail(''), $c->rcpt('user@a.example'),
            $c->rcpt('user@b.example') ],
          [ '250 2.1.0', '250 2.1.5', '452 4.5.3' ],
          'a message without sender has one destination');
$c->cmd('RSET');

is_deeply([ map { substr $_, 0, 9 }
            $c->mail('s@example.com'), $c->rcpt('user@a.example'),
            $c->rcpt('user@b.example', 'NOTIFY=NEVER'),
            $c->rcpt('user@c.example', 'NOTIFY=FAILURE,DELAY') ],
          [ '250 2.1.0', '250 2.1.5', '452 4.5.3', '250 2.1.5' ],
          'who must not be told of failure goes by himself');
$c->cmd('RSET');

is_deeply([ map { substr $_, 0, 9 }
            $c->mail('s@example.com'),
            $c->rcpt('user@b.example', 'NOTIFY=SUCCESS'),
            $c->rcpt('user@a.example'), $c->rcpt('other@b.example') ],
          [ '250 2.1.0', '250 2.1.5', '452 4.5.3', '250 2.1.5' ],
          '... or with others to the same place');
$c->cmd('RSET');

# single, the default

my $single = $t->connected('single');

is_deeply([ map { substr $_, 0, 9 }
            $single->mail('s@example.com'), $single->rcpt('user@a.example'),
            $single->rcpt('user@b.example'), $single->rcpt('more@a.example') ],
          [ '250 2.1.0', '250 2.1.5', '452 4.5.3', '250 2.1.5' ],
          'smtp_mixed_result single: others go in another transaction');
$single->cmd('RSET');

prepare('ok', 'never');

my @replies = say_message($single, 2, 1, ' PRDR');
s/id=\w+/id=ID/ for @replies;

is_deeply(\@replies,
          [ '353 Replies for each recipient follow',
            '250 2.0.0 OK id=ID', '550 5.7.0 never', '250 2.0.0 OK id=ID' ],
          'but a client with PRDR has a reply for each');

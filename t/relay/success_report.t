#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# smtp_success_report: who has asked to be told of success, and nobody behind us
# can do so, is told: RFC 3461, 5.2.2 (b) and 5.2.3, RFC 2852, 4.1.4.  And
# nobody else.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

my @ext = qw/ PIPELINING 8BITMIME SMTPUTF8 /;
my $pass = $t->server('pass', ehlo => [ @ext, 'MT-PRIORITY' ]);
my $without = $t->server('without', ehlo => \@ext);
my $with = $t->server('with', ehlo => [ @ext, 'DSN' ]);
my $hold = $t->server('hold', ehlo => [ @ext, 'FUTURERELEASE 99999 '
                                       . '2099-01-01T00:00:00Z' ]);
my $by = $t->server('by', ehlo => [ @ext, 'DSN', 'DELIVERBY' ]);
my $nameless = $t->server('nameless',
                          on => { EHLO => "250-? Hello\n250 PIPELINING" });
my $lmtp = $t->server('lmtp', lmtp => 1, ehlo => \@ext);

$t->write_conf(<<'EOC');
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_pass%%;
    smtp_max_errors  1000;
    smtp_extensions  deliverby=on mt-priority=on;

    smtp_upstream pair {
        server  127.0.0.1:%%PORT_without%%  weight=100 max_fails=0;
        server  127.0.0.1:%%PORT_with%%     backup;
    }

    smtp_upstream riap {
        server  127.0.0.1:%%PORT_with%%     weight=100 max_fails=0;
        server  127.0.0.1:%%PORT_without%%  backup;
    }

    smtp_recipient  @without.example  { smtp_pass smtp://127.0.0.1:%%PORT_without%%; }
    smtp_recipient  @with.example     { smtp_pass smtp://127.0.0.1:%%PORT_with%%; }
    smtp_recipient  @by.example       { smtp_pass smtp://127.0.0.1:%%PORT_by%%; }
    smtp_recipient  @lmtp.example     { smtp_pass lmtp://127.0.0.1:%%PORT_lmtp%%; }
    smtp_recipient  @pair.example     { smtp_pass smtp://pair; }
    smtp_recipient  @riap.example     { smtp_pass smtp://riap; }
    smtp_recipient  @nameless.example { smtp_pass smtp://127.0.0.1:%%PORT_nameless%%; }
    smtp_recipient  @none.example     { smtp_pass discard:; }
    smtp_recipient  @box.example      { smtp_pass maildir:%%TESTDIR%%/box; }
    smtp_recipient  @user.example     { smtp_pass maildir:%%TESTDIR%%/$smtp_rcpt_user; }

    server {
        listen     127.0.0.1:%%PORT_verify%%;
        protocol   smtp_ext;
    }

    server {
        listen     127.0.0.1:%%PORT_holds%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_hold%%;

        smtp_success_report  smtp://127.0.0.1:%%PORT_pass%%;
        smtp_extensions      futurerelease=next_hop;

        smtp_recipient  postmaster  { smtp_pass smtp://127.0.0.1:%%PORT_hold%%; }
    }

    server {
        listen     127.0.0.1:%%PORT_buffered%%;
        protocol   smtp_ext;

        smtp_pass_mode  buffered;
    }

    server {
        listen     127.0.0.1:%%PORT_stream%%;
        protocol   smtp_ext;

        smtp_pass_mode  stream;
    }

    server {
        listen     127.0.0.1:%%PORT_off%%;
        protocol   smtp_ext;

        smtp_success_report  off;
    }

    server {
        listen     127.0.0.1:%%PORT_mixed%%;
        protocol   smtp_ext;

        smtp_mixed_result    bounce smtp://127.0.0.1:%%PORT_with%%;
        smtp_success_report  127.0.0.1:%%PORT_by%%;
    }

    server {
        listen     127.0.0.1:%%PORT_boxes%%;
        protocol   smtp_ext;

        smtp_recipient  *  { smtp_pass maildir:%%TESTDIR%%/box; }
        smtp_pass          maildir:%%TESTDIR%%/box;

        smtp_success_report  smtp://127.0.0.1:%%PORT_pass%%;
        smtp_extensions      dsn=next_hop;
    }

    server {
        listen     127.0.0.1:%%PORT_own%%;
        protocol   smtp_ext;

        smtp_recipient  *  { smtp_pass maildir:%%TESTDIR%%/box; }
        smtp_pass          maildir:%%TESTDIR%%/box;
    }

    server {
        listen     127.0.0.1:%%PORT_lost%%;
        protocol   smtp_ext;

        smtp_success_report  smtp://127.0.0.1:%%PORT_nobody%%;
    }

    server {
        listen     127.0.0.1:%%PORT_discards%%;
        protocol   smtp_ext;

        smtp_recipient  *  { smtp_pass discard:; }
        smtp_pass          discard:;

        smtp_success_report  smtp://127.0.0.1:%%PORT_pass%%;
    }
}
EOC

$t->plan(81)->run();


my $taken = qr/^250 2\.0\.0 OK id=/;
my %client;

sub client {
    my ($port) = @_;

    return $client{$port} if $client{$port};

    my $c = $client{$port} = $t->client($port);

    $c->read_reply();
    $c->ehlo();

    return $c;
}


# says MAIL, RCPT and a message; rcpts are addresses with parameters behind them

sub say_message {
    my ($port, $mail, @rcpts) = @_;

    my $c = client($port);
    my $content = "Subject: a test\r\nX-Field: a\r\n folded\r\n\r\nbody\r\n";

    $c->cmd("MAIL FROM:$mail");
    $c->cmd("RCPT TO:$_") for @rcpts;
    $c->cmd('DATA');

    $c->body($content);

    return scalar $c->read_reply();
}


# the reports that came meanwhile, with what differs from time to time replaced

my %seen = map { $_ => 0 } ($pass, $with, $by, $without);

sub reports {
    my ($mta) = @_;

    my @messages = $mta->messages();
    my @new = grep { $_->{from} eq '' } @messages[$seen{$mta} .. $#messages];

    $seen{$mta} = @messages;

    return map {
        my $data = $_->{data};
        my ($boundary) = $data =~ /boundary="([^"]+)"/;

        $data =~ s/\Q$boundary\E/BOUNDARY/g;
        $data =~ s/(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), .*?(?=\r\n)/DATE/g;
        $data =~ s/(Message-ID: <)\w+/$1ID/;
        $data =~ s/id=\w+/id=ID/g;
        $data =~ s/\r\n/\n/g;

        $data
    } @new;
}


# only what is said of recipients: "address action status; ..."

sub told {
    my ($mta) = @_;

    return map {
        my @said;

        while (/^Final-Recipient: \S+ (\S+)\nAction: (\S+)\nStatus: (\S+)/mg) {
            push @said, "$1 $2 $3";
        }

        join '; ', @said
    } reports($mta);
}


# a whole one

my @alice = ('<alice@example.org> RET=FULL ENVID=QQ+2B314');

like say_message('verify', @alice,
                 '<bob@without.example> NOTIFY=SUCCESS,FAILURE'
                 . ' ORCPT=rfc822;Bob+2Bx@Example.com',
                 '<carol@without.example> NOTIFY=FAILURE',
                 '<dana@without.example>',
                 '<eric@without.example> NOTIFY=success'),
     $taken, 'a next hop without DSN takes it';

is_deeply [ map { $_->{to}[0], $_->{from_params} } ($pass->messages())[-1] ],
          [ 'alice@example.org', 'MT-PRIORITY=0' ],
          'a report goes to the sender, by way of smtp_pass';

is join("\n==\n", reports($pass)), <<'EOR', 'as RFC 3461, 6, has it';
From: Mail Delivery System <MAILER-DAEMON@mx.example.com>
To: <alice@example.org>
Subject: Successful Mail Delivery Report
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

Your message has been delivered, to these recipients:

<bob@without.example>:
    It was passed on to server.example.net.
    Nothing more will be heard of it, unless delivery fails.

<eric@without.example>:
    It was passed on to server.example.net.
    Nothing more will be heard of it, unless delivery fails.

--BOUNDARY
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com
Original-Envelope-Id: QQ+314

Original-Recipient: rfc822; Bob+x@Example.com
Final-Recipient: rfc822; bob@without.example
Action: relayed
Status: 2.0.0
Remote-MTA: dns; server.example.net
Diagnostic-Code: smtp; 250 2.0.0 OK id=ID
Last-Attempt-Date: DATE

Final-Recipient: rfc822; eric@without.example
Action: relayed
Status: 2.0.0
Remote-MTA: dns; server.example.net
Diagnostic-Code: smtp; 250 2.0.0 OK id=ID
Last-Attempt-Date: DATE

--BOUNDARY
Content-Type: text/rfc822-headers

Subject: a test
X-Field: a
 folded

--BOUNDARY--
EOR

my ($message) = $without->messages();

is join(' ', $message->{from_params}, @{$message->{to_params}}), '    ',
   'the next hop was told nothing of it';

# a mailbox

like say_message('verify', @alice, '<bob@box.example> NOTIFY=SUCCESS'), $taken,
     'a Maildir takes it';

like join("\n==\n", reports($pass)), qr/\nYour\ message\ has\ been\ delivered,
\ to\ these\ recipients:\n\n
<bob\@box\.example>:\n\ \ \ \ It\ was\ put\ into\ the\ mailbox\.\n\n
--BOUNDARY\nContent-Type:\ message\/delivery-status\n\n
Reporting-MTA:\ dns;\ mx\.example\.com\n
Original-Envelope-Id:\ QQ\+314\n\n
Final-Recipient:\ rfc822;\ bob\@box\.example\n
Action:\ delivered\n
Status:\ 2\.0\.0\n
Last-Attempt-Date:\ DATE\n\n
--BOUNDARY\n/x, 'that is a delivery, and no server has had a say';

say_message('verify', @alice, '<bob@user.example> NOTIFY=SUCCESS');
is join('+', told($pass)), 'bob@user.example delivered 2.0.0',
   'so it is where the path has variables';

say_message('verify', @alice, '<bob@nameless.example> NOTIFY=SUCCESS');

my ($nameless_report) = reports($pass);

like $nameless_report, qr/^Remote-MTA: dns; \[127\.0\.0\.1\]\n/m,
     'a next hop that has no name has an address';
like $nameless_report, qr/^    It was passed on to \[127\.0\.0\.1\]\.\n/m,
     'for people as well';

# who is due none

for my $case (
    [ 'without parameters', '<a@example.org>', '<b@without.example>' ],
    [ 'for FAILURE', '<a@example.org>',
      '<b@without.example> NOTIFY=FAILURE,DELAY' ],
    [ 'for NEVER', '<a@example.org>', '<b@without.example> NOTIFY=NEVER' ],
    [ 'to <>', '<>', '<b@without.example> NOTIFY=SUCCESS' ],
    [ 'to <> of a mailbox', '<>', '<b@box.example> NOTIFY=SUCCESS' ],
    [ 'of what is discarded', '<a@example.org>',
      '<b@none.example> NOTIFY=SUCCESS' ],
    [ 'of a mailbox, for FAILURE', '<a@example.org>',
      '<b@box.example> NOTIFY=FAILURE' ],
    [ 'by a next hop with DSN', '<a@example.org>',
      '<b@with.example> NOTIFY=SUCCESS' ],
) {
    my ($name, @args) = @$case;

    like say_message('verify', @args), $taken, "none $name: taken";
    is join('+', told($pass)), '', "none $name";
}

is_deeply [ map { $_->{to_params}[0] } ($with->messages())[-1] ],
          [ 'NOTIFY=SUCCESS' ], 'the next hop with DSN was asked for it';

$without->set(on => { EOM => '550 5.7.0 no' });
say_message('verify', @alice, '<b@without.example> NOTIFY=SUCCESS');
is join('+', told($pass)), '', 'none of what was refused';

$without->set(on => { RCPT => [ undef, '550 5.1.1 no' ] });
say_message('verify', @alice, '<b@without.example> NOTIFY=SUCCESS',
            '<never@without.example> NOTIFY=SUCCESS');
is join('+', told($pass)), 'b@without.example relayed 2.0.0',
   'nor of a recipient who was refused at RCPT';
$without->set(on => {});

# it counts who has taken it at last

$without->set(fault => { at => 'DATA', do => 'close' });

like say_message('buffered', @alice, '<b@pair.example> NOTIFY=SUCCESS'), $taken,
     'the first server lacks DSN and fails, the second has it';
is_deeply [ map { $_->{to_params}[0] } ($with->messages())[-1] ],
          [ 'NOTIFY=SUCCESS' ], 'the second one is asked';
is join('+', told($pass)), '', 'and so nothing is reported here';
$without->set(fault => undef);

$with->set(fault => { at => 'DATA', do => 'close' });
like say_message('buffered', @alice, '<b@riap.example> NOTIFY=SUCCESS'), $taken,
     'the first one has DSN and fails, the second lacks it';
is join('+', told($pass)), 'b@riap.example relayed 2.0.0', 'it is reported';
$with->set(fault => undef);

# LMTP, PRDR: each recipient by himself

$lmtp->set(on => { EOM => [ undef, '550 5.7.1 not her' ] });

client('verify')->dialogue('PRDR to a next hop by LMTP',
    [ 'MAIL FROM:<a@example.org> PRDR', qr/^250 / ],
    [ 'RCPT TO:<b@lmtp.example> NOTIFY=SUCCESS', qr/^250 / ],
    [ 'RCPT TO:<c@lmtp.example> NOTIFY=SUCCESS', qr/^250 / ],
    [ 'RCPT TO:<d@without.example> NOTIFY=SUCCESS', qr/^250 / ],
    [ 'DATA', qr/^354 / ],
    [ "x\r\n.", qr/^353 / ],
);

is_deeply [ map { substr $_, 0, 9 }
            map { client('verify')->read_reply() } 1 .. 4 ],
          [ '250 2.0.0', '550 5.7.1', '250 2.0.0', '250 2.0.0' ],
          'one of them says no to one';
is join('+', told($pass)),
   'b@lmtp.example relayed 2.0.0; d@without.example relayed 2.0.0',
   'the others are in one report';
$lmtp->set(on => {});

# a mixed result: two reports, each of its own

reports($_) for $by, $with;
$lmtp->set(on => { EOM => '550 5.7.1 not her' });

like say_message('mixed', @alice, '<b@lmtp.example> NOTIFY=SUCCESS,FAILURE',
                 '<d@without.example> NOTIFY=SUCCESS,FAILURE'),
     $taken, 'a mixed result';
is join('+', told($with)), 'b@lmtp.example failed 5.7.1',
   'who was refused, by way of smtp_mixed_result';
is join('+', told($by)), 'd@without.example relayed 2.0.0',
   'who was not, of smtp_success_report';

# without the first one the client tries again; then it is time for the second

$with->set(on => { EOM => '451 4.3.0 not now' });
like say_message('mixed', @alice, '<b@lmtp.example> NOTIFY=SUCCESS,FAILURE',
                 '<d@without.example> NOTIFY=SUCCESS,FAILURE'),
     qr/^451 4\.4\.0 /, 'the report on the refused one is not taken';
is join('+', told($by)), '', 'so the other one is not sent';
$_->set(on => {}) for $with, $lmtp;
reports($with);

# the modes

for my $mode ('buffered', 'stream') {
    like say_message($mode, @alice, '<b@without.example> NOTIFY=SUCCESS'),
         $taken, "$mode: taken";

    my ($report) = reports($pass);

    like $report, qr/^Action: relayed$/m, "$mode: reported";
    is $report =~ /rfc822-headers\n\nSubject: a test\n/ ? 1 : 0,
       $mode eq 'buffered' ? 1 : 0,
       "$mode: the header comes back if it was kept";
    like $report, qr/\n\n--BOUNDARY--\n\z/, "$mode: the report is complete";
}

# a header without an end: what comes back of it is bounded

{
    my $c = client('buffered');

    $c->cmd('MAIL FROM:<alice@example.org>');
    $c->cmd('RCPT TO:<b@without.example> NOTIFY=SUCCESS');
    $c->cmd('DATA');
    $c->body(join('', map { "X-$_: " . 'y' x 70 . "\r\n" } 1 .. 2000)
             . "\r\nbody\r\n");
    like scalar $c->read_reply(), $taken, 'a long header: taken';

    my ($report) = reports($pass);

    ok length $report < 18_000 && $report =~ /\nX-150: y{70}\n/,
       'a part of it comes back'
        or diag length $report;
}

# RFC 6533

client('verify')->dialogue('SMTPUTF8',
    [ 'MAIL FROM:<a@example.org> SMTPUTF8', qr/^250 / ],
    [ "RCPT TO:<g\xc3\xb6tz\@without.example> NOTIFY=SUCCESS", qr/^250 / ],
    [ 'DATA', qr/^354 / ],
    [ "Subject: x\r\n\r\nx\r\n.", $taken ],
);

my ($global) = reports($pass);

like $global, qr/^\treport-type=global-delivery-status;$/m,
     'an address in UTF-8 has a report in it';
like $global,
     qr/^Final-Recipient: utf-8; g\xc3\xb6tz\@without\.example\nAction: relayed$/m,
     'with that address';

# off

like say_message('off', @alice, '<b@without.example> NOTIFY=SUCCESS'), $taken,
     'off: taken';
is join('+', map { told($_) } $pass, $with, $by), '', 'off: no report';
ok $t->wait_log(qr/not be told of success, recipient: b\@without\.example/),
   'off: the log has a line';

# what is offered

like say_message('boxes', @alice, '<b@c.example> NOTIFY=SUCCESS'), $taken,
     'a server with Maildirs alone takes it';
is join('+', told($pass)), 'b@c.example delivered 2.0.0', 'and reports';
ok exists client('boxes')->{ehlo}{DSN}, 'and offers DSN, by next_hop as well';
ok !exists client('own')->{ehlo}{DSN},
   'a Maildir for smtp_pass does not reach senders, so it does not then';
ok !exists client('discards')->{ehlo}{DSN},
   'nor does a server that discards all';

# nobody takes the report

like say_message('lost', @alice, '<b@without.example> NOTIFY=SUCCESS'), $taken,
     'a report that nobody takes is no refusal';
ok $t->wait_log(qr/successful recipients was not taken: "451 .*", the sender/),
   'but in the log';

$pass->set(on => { RCPT => '550 5.1.1 no such sender' });
like say_message('verify', @alice, '<b@without.example> NOTIFY=SUCCESS'),
     $taken, 'nor one for a sender who does not exist';
$pass->set(on => {});

# RFC 2852, 4.1.4: not asked for by NOTIFY

for my $case (
    [ 'N, lacks DELIVERBY', 'BY=120;N', 'b@with.example', '',
      'b@with.example relayed 2.0.0' ],
    [ 'N, has it', 'BY=120;N', 'b@by.example', '', '' ],
    [ 'N, time is over', 'BY=-1;N', 'b@with.example', '', '' ],
    [ 'N, NEVER: nothing', 'BY=120;N', 'b@with.example', ' NOTIFY=NEVER', '' ],
    [ 'N, FAILURE', 'BY=120;N', 'b@with.example', ' NOTIFY=FAILURE',
      'b@with.example relayed 2.0.0' ],
    [ 'R', 'BY=120;R', 'b@by.example', '', '' ],
    [ 'R and a trace', 'BY=120;RT', 'b@by.example', '',
      'b@by.example relayed 2.0.0' ],
    [ 'a trace, NEVER', 'BY=120;RT', 'b@by.example', ' NOTIFY=NEVER', '' ],
    [ 'N, a mailbox', 'BY=120;NT', 'b@box.example', '', '' ],
) {
    my ($name, $value, $rcpt, $notify, $expected) = @$case;

    say_message('verify', "<a\@example.org> $value", "<$rcpt>$notify");
    is join('+', told($pass)), $expected, "BY: $name";
}

say_message('verify', '<a@example.org> BY=120;N', '<b@without.example>');
like join('', reports($pass)),
     qr/^Reporting-MTA:\ dns;\ mx\.example\.com\n
        Arrival-Date:\ DATE\nDeliver-By-Date:\ DATE\n\n
        Final-Recipient:\ rfc822;\ b\@without\.example\n/mx,
     'BY: with the dates of RFC 2852, 5';

# RFC 4865, 5.1.2: offered once the next hop is known to have it

for (1, 2) {
    my $c = $t->client('holds');

    $c->read_reply();
    $c->ehlo();
    $c->send_message(to => 'b@hold.example');
}

say_message('holds', '<a@example.org> HOLDFOR=3600',
            '<b@hold.example> NOTIFY=SUCCESS');
say_message('holds', '<a@example.org> HOLDUNTIL=2098-01-01T00:00:00Z',
            '<b@hold.example> NOTIFY=SUCCESS');
is_deeply [ map { /(Arrival-Date: DATE\nFuture-Release-Request: \S+)\n/ }
            reports($pass) ],
          [ map { "Arrival-Date: DATE\nFuture-Release-Request: $_" }
            'for;3600', 'until;2098-01-01T00:00:00Z' ],
          'a report says how long it is to be held';

# RFC 6710, 4.6

say_message('verify', '<a@example.org> MT-PRIORITY=3',
            '<b@without.example> NOTIFY=SUCCESS');
is +($pass->messages())[-1]{from_params}, 'MT-PRIORITY=3',
   'a report has the priority of the message';

# configuration

sub conf {
    my ($directive) = @_;

    return $t->test_conf(<<"EOC");
%%GLOBALS%%

events { }

mail {
    server {
        listen               127.0.0.1:%%PORT_conf%%;
        protocol             smtp_ext;
        $directive
    }
}
EOC
}

for my $case (
    [ 'reject:550', "can't have that destination" ],
    [ 'maildir:/var/mail/$smtp_rcpt_user', "can't have that destination" ],
    [ 'smtp://nowhere:0', 'port' ],
    [ 'off;  smtp_success_report off', 'is duplicate' ],
) {
    like conf("smtp_success_report $case->[0];"), qr/$case->[1]/,
         "smtp_success_report $case->[0]: $case->[1]";
}

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# LIMITS: ours in EHLO, and those of the next hop, which are never exceeded:
# RFC 9422.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(82);

my %mta = (
    rcpt => $t->server('rcpt', ehlo => [ 'PIPELINING', 'LIMITS RCPTMAX=3' ]),
    more => $t->server('more', ehlo => [ 'LIMITS RCPTMAX=5' ]),
    late => $t->server('late', ehlo => [ 'LIMITS RCPTMAX=2' ],
                       on => { DATA => '451 4.3.0 later' }),
    one => $t->server('one', ehlo => [ 'LIMITS RCPTMAX=1' ]),
    mail => $t->server('mail', ehlo => [ 'PIPELINING', 'LIMITS MAILMAX=2' ]),
    both => $t->server('both', ehlo => [ 'LIMITS mailmax=1 Rcptmax=2 X=y Z' ]),
    domain => $t->server('domain', ehlo => [ 'LIMITS RCPTDOMAINMAX=2' ]),
    bad => $t->server('bad', ehlo => [ 'PIPELINING',
        'LIMITS RCPTMAX=0 MAILMAX=01 RCPTDOMAINMAX=1000000 RCPTMAX RCPTMAX= '
        . 'MAILMAX=1x MAILMAX=-1  MAILMAX=' ]),
);

$mta{parts} = $t->server('parts',
                         ehlo => [ 'PIPELINING', 'LIMITS RCPTMAX=2' ]);

my $refuse = { RCPT => sub { $_[0] =~ /no/ ? '550 5.1.1 no' : undef } };

$mta{picky} = $t->server('picky', on => $refuse,
                         ehlo => [ 'PIPELINING', 'LIMITS RCPTMAX=3' ]);
$mta{pickier} = $t->server('pickier', on => $refuse,
                           ehlo => [ 'LIMITS RCPTDOMAINMAX=1' ]);

my $servers = join '', map { <<"EOS" } sort keys %mta;
    server {
        listen     127.0.0.1:%%PORT_v_$_%%;
        protocol   smtp_ext;
        smtp_pass  mta_$_;
    }

    server {
        listen          127.0.0.1:%%PORT_b_$_%%;
        protocol        smtp_ext;
        smtp_pass       mta_$_;
        smtp_pass_mode  buffered;
    }

    smtp_upstream mta_$_ {
        server     127.0.0.1:%%PORT_$_%%;
        keepalive  8;
    }
EOS

$t->write_conf(<<"EOC")->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_bad%%;

    server {
        listen               127.0.0.1:%%PORT_1%%;
        protocol             smtp_ext;
        smtp_max_recipients  123;
    }

    server {
        listen               127.0.0.1:%%PORT_2%%;
        protocol             smtp_ext;
        smtp_max_recipients  1000000;
    }

    server {
        listen               127.0.0.1:%%PORT_3%%;
        protocol             smtp_ext;
        smtp_max_recipients  1000000;
        smtp_max_messages    7;
    }

    server {
        listen     127.0.0.1:%%PORT_two%%;
        protocol   smtp_ext;
        smtp_pass  mta_rcpt;

        smtp_recipient  \@more.example  { smtp_pass mta_more; }
    }

    server {
        listen     127.0.0.1:%%PORT_report%%;
        protocol   smtp_ext;
        smtp_pass  mta_rcpt;

        smtp_mixed_result  bounce mta_rcpt;
    }

    smtp_upstream tight {
        server  127.0.0.1:%%PORT_parts%%  max_conns=2;
        server  127.0.0.1:1  max_conns=7  down;
    }

    server {
        listen     127.0.0.1:%%PORT_tight%%;
        protocol   smtp_ext;
        smtp_pass  smtp://tight;

        smtp_mixed_result      bounce mta_more;
        smtp_max_destinations  9;
    }

    server {
        listen     127.0.0.1:%%PORT_few%%;
        protocol   smtp_ext;
        smtp_pass  mta_one;

        smtp_pass_mode         buffered;
        smtp_max_destinations  2;
    }

    server {
        listen     127.0.0.1:%%PORT_divided%%;
        protocol   smtp_ext;
        smtp_pass  mta_late;

        smtp_pass_mode     buffered;
        smtp_mixed_result  bounce mta_more;
        smtp_recipient     \@drop.example  { smtp_pass discard:; }
    }

    smtp_upstream group {
        server  127.0.0.1:%%PORT_more%%;
        server  127.0.0.1:%%PORT_rcpt%%  backup;
    }

    server {
        listen     127.0.0.1:%%PORT_group%%;
        protocol   smtp_ext;
        smtp_pass  group;
    }

    server {
        listen     127.0.0.1:%%PORT_single%%;
        protocol   smtp_ext;
        smtp_pass  mta_parts;

        smtp_max_destinations  2;
        smtp_recipient  \@else.example  { smtp_pass mta_more; }
    }

    server {
        listen     127.0.0.1:%%PORT_split%%;
        protocol   smtp_ext;
        smtp_pass  mta_parts;

        smtp_mixed_result      bounce mta_more;
        smtp_max_destinations  3;
    }

    server {
        listen          127.0.0.1:%%PORT_lmtp%%;
        protocol        smtp_ext;
        smtp_lmtp       on;
        smtp_pass       mta_parts;
        smtp_pass_mode  buffered;
    }

$servers
}
EOC

my $taken = qr/^250 2\.0\.0 OK id=/;
my $recipient = '250 2.1.5 recipient ok';
my $many = '452 4.5.3 Too many recipients';

sub to_of { join ' ', @{($_[0]->messages())[-1]{to}} }

# who has each message from that one on

sub parts {
    my ($name, $from) = @_;
    my @messages = $mta{$name}->messages();

    return join ' | ', sort map { join ' ', @{$_->{to}} }
                       @messages[$from .. $#messages];
}

# MAIL commands of each connection

sub mails {
    my ($mta) = @_;
    my %n;

    $n{$_->{n}}++ for grep { $_->{line} =~ /^MAIL/i } $mta->events('command');

    return join ' ', map { $n{$_} } sort { $a <=> $b } keys %n;
}


# ours

is $t->connected('1')->{ehlo}{LIMITS}, 'RCPTMAX=123', 'what is enforced';
is $t->connected('v_bad')->{ehlo}{LIMITS}, 'RCPTMAX=1000', 'the default';
ok !exists $t->connected('2')->{ehlo}{LIMITS},
   'more than can be said is not said';
is $t->connected('3')->{ehlo}{LIMITS}, 'MAILMAX=7', 'but another limit is';

# RCPTMAX of the next hop

my $c = $t->connected('v_rcpt');

$c->dialogue('RCPTMAX: more than it takes in a transaction',
    [ 'MAIL FROM:<s@a.example>', '250 2.1.0 Sender OK' ],
    (map { [ "RCPT TO:<$_\@a.example>", $recipient ] } 1 .. 5),
    [ 'DATA', qr/^354 / ],
    [ "x\r\n.", $taken ],
);
is parts('rcpt', 0), '1@a.example 2@a.example 3@a.example | '
                     . '4@a.example 5@a.example', 'have it, in two of them';

# what no next hop takes is not promised, once that is known

is $t->connected('v_rcpt')->{ehlo}{LIMITS}, 'RCPTMAX=30',
   'EHLO says the limit of smtp_max_destinations transactions';

$c = $t->connected('two');
is $c->{ehlo}{LIMITS}, 'RCPTMAX=1000', 'of two next hops one is not known';
like $c->send_message(to => 'x@more.example'), $taken, 'it is asked';
is $t->connected('two')->{ehlo}{LIMITS}, 'RCPTMAX=50',
   'then it is the larger limit';
is $t->connected('report')->{ehlo}{LIMITS}, 'RCPTMAX=1000',
   'a message for several destinations has no such limit';

# RFC 9422, 4.2: the refused ones count

$c = $t->connected('v_picky');

$c->dialogue('RCPTMAX: with refused ones',
    [ 'MAIL FROM:<s@a.example>', '250 2.1.0 Sender OK' ],
    [ 'RCPT TO:<no1@a.example>', '550 5.1.1 no' ],
    [ 'RCPT TO:<2@a.example>', $recipient ],
    [ 'RCPT TO:<no3@a.example>', '550 5.1.1 no' ],
    [ 'RCPT TO:<4@a.example>', $recipient ],
    [ 'RCPT TO:<5@a.example>', $recipient ],
    [ 'RCPT TO:<6@a.example>', $recipient ],
    [ 'DATA', qr/^354 / ],
    [ "x\r\n.", $taken ],
);
is parts('picky', 0), '2@a.example 4@a.example 5@a.example | 6@a.example',
   'are delivered';

my ($most, $n) = (0, 0);

for ($mta{picky}->commands()) {
    $n = 0 if /^(?:MAIL|RSET)/;
    $n++ if /^RCPT/;
    $most = $n if $n > $most;
}

is $most, 3, 'never more than it takes in one transaction';

# buffered: it is known from the last time how many it takes

$c = $t->connected('b_rcpt');

$c->dialogue('buffered: RCPTMAX that is known',
    [ 'MAIL FROM:<s@a.example>', '250 2.1.0 Sender OK' ],
    [ 'RCPT TO:<1@a.example>', '250 2.1.5 Recipient OK' ],
    [ 'RCPT TO:<2@a.example>', '250 2.1.5 Recipient OK' ],
    [ 'RCPT TO:<3@a.example>', '250 2.1.5 Recipient OK' ],
    [ 'RCPT TO:<4@a.example>', '250 2.1.5 Recipient OK' ],
    [ 'DATA', qr/^354 / ],
    [ "x\r\n.", $taken ],
);

$c = $t->connected('b_both');

like $c->send_message(to => [ '1@a.example', '2@a.example', '3@a.example' ]),
   $taken, 'buffered: before it is known';
is parts('both', 0), '1@a.example 2@a.example | 3@a.example',
   'buffered: in two transactions, too';

my $n_both = $mta{both}->messages();

like $c->send_message(to => [ '1@a.example', '2@a.example', '3@a.example' ]),
   $taken, 'buffered: it is known';
is parts('both', $n_both), '1@a.example 2@a.example | 3@a.example',
   'buffered: in two transactions';

$c = $t->connected('few');

is $c->send_message(to => [ map { "$_\@a.example" } 1 .. 3 ]), $many,
   'before it is known: more than there may be transactions';
is scalar($mta{one}->messages()), 0, 'nobody has it';
like $c->cmd('RSET'), qr/^250/, 'but the next time';
like $c->send_message(to => [ map { "$_\@a.example" } 1 .. 2 ]), $taken,
     'as many as there may be';
is parts('one', 0), '1@a.example | 2@a.example', 'are taken';

# ... beside a destination that begins when all others stand at their ends

my $n_more = $mta{more}->messages();

is $t->connected('divided')->send_message(to => [ 'x@drop.example',
                                               map { "$_\@a.example" } 1 .. 3 ]),
   '451 4.3.0 later', 'divided beside discard:, and refused for now';
is scalar($mta{more}->messages()), $n_more, 'nothing is reported';

# another server than the one that was asked, with another limit

$c = $t->connected('group');
$c->mail('s@a.example');
is $c->rcpt("$_\@a.example"), $recipient, "recipient $_ of a group" for 1 .. 5;
$mta{more}->stop();
like $c->data("x\r\n"), $taken, 'its server is gone, another one takes it';
is parts('rcpt', 4), '1@a.example 2@a.example 3@a.example | '
                     . '4@a.example 5@a.example',
   'in as many transactions as that one needs';
$mta{more}->start();

# one reply for all: they end together, or not at all

my @three = map { "$_\@a.example" } 1 .. 3;

$c = $t->connected('single');

$c->dialogue('one reply for all: as many as there may be destinations',
    [ 'MAIL FROM:<>', '250 2.1.0 Sender OK' ],
    (map { [ "RCPT TO:<$_\@a.example>", $recipient ] } 1 .. 4),
    [ 'RCPT TO:<5@a.example>', $many ],
    [ 'RCPT TO:<6@else.example>', '452 4.5.3 Recipient has another '
                                  . 'destination, send it in a new transaction' ],
    [ 'DATA', qr/^354 / ],
    [ "x\r\n.", $taken ],
);
is parts('parts', 0), '1@a.example 2@a.example | 3@a.example 4@a.example',
   'have it';

my $before = $mta{parts}->messages();

for my $reply ('451 4.3.0 later', '554 5.6.0 no') {
    $mta{parts}->set(on => { DATA => [ '354 go on', $reply ] });
    is $c->send_message(to => \@three), $reply,
       "one reply for all: $reply in one of the transactions";
    is $mta{parts}->messages(), $before, 'nobody has it';

    $mta{parts}->set(on => { EOM => [ '250 2.0.0 taken', $reply ] });
    is $c->send_message(to => \@three), $reply, "$reply at the very end";
    is $mta{parts}->messages(), $before += 2, 'is told to the client';
}

$mta{parts}->set(on => {});

# where the outcome of several transactions can be told

$c = $t->connected('split');

$before = $mta{parts}->messages();

$c->dialogue('several transactions: as many as there may be destinations',
    [ 'MAIL FROM:<s@a.example>', '250 2.1.0 Sender OK' ],
    (map { [ "RCPT TO:<$_\@a.example>", $recipient ] } 1 .. 6),
    [ 'RCPT TO:<7@a.example>', $many ],
    [ 'RCPT TO:<8@a.example> NOTIFY=NEVER', $many ],
    [ 'DATA', qr/^354 / ],
    [ "x\r\n.", $taken ],
);
is parts('parts', $before),
   '1@a.example 2@a.example | 3@a.example 4@a.example | '
   . '5@a.example 6@a.example', 'have it, two and two';

my @final = ('250 2.0.0 taken', '554 5.6.0 not wanted', '250 2.0.0 taken');

$before = $mta{parts}->messages();
my $reports = $mta{more}->messages();

$mta{parts}->set(on => { EOM => \@final });
like $c->send_message(to => [ map { "$_\@a.example" } 1 .. 5 ]), $taken,
     'one of several transactions is refused';
is scalar($mta{more}->messages()), $reports + 1, 'it is reported';

my $report = ($mta{more}->messages())[-1]{data};

# (the ends of all three are said at the same time)

like join(' ', $report =~ /^Final-Recipient: rfc822; (\d)\@a\.example/mg),
     qr/^(?:1 2|3 4|5)$/, 'for the recipients of one of them';
$mta{parts}->set(on => {});

# each needs a connection at the same time

$c = $t->connected('tight');
$before = $mta{parts}->messages();

$c->dialogue('several transactions: not more than there may be connections',
    [ 'MAIL FROM:<s@a.example>', '250 2.1.0 Sender OK' ],
    (map { [ "RCPT TO:<$_\@a.example>", $recipient ] } 1 .. 4),
    [ 'RCPT TO:<5@a.example>', $many ],
    [ 'DATA', qr/^354 / ],
    [ "x\r\n.", $taken ],
);
is parts('parts', $before), '1@a.example 2@a.example | 3@a.example 4@a.example',
   'have it';

$c = $t->client('lmtp');
$c->read_reply();
$c->cmd('LHLO client.example.com');
$before = $mta{parts}->messages();
$c->mail('s@a.example');
is $c->rcpt("$_\@a.example"), '250 2.1.5 Recipient OK', "LMTP: recipient $_"
    for 1 .. 3;
like $c->data("x\r\n"), $taken, 'LMTP: the first reply';
like $c->read_reply(), $taken, "LMTP: reply $_" for 2 .. 3;
is parts('parts', $before), '1@a.example 2@a.example | 3@a.example',
   'LMTP: in two transactions';

# MAILMAX

$c = $t->connected('v_mail');

like $c->send_message(), $taken, "MAILMAX: message $_" for 1 .. 5;
is mails($mta{mail}), '2 2 1', 'MAILMAX: no connection has more';
is scalar(grep { $_ eq 'QUIT' } $mta{mail}->commands()), 2,
   'MAILMAX: they end with QUIT';

# aborted transactions count, parked ones are left for their own

$c = $t->connected('v_mail');
my $d = $t->connected('v_mail');

$c->mail('c@a.example');
is $c->rcpt('c@a.example'), $recipient, 'parked on the second MAIL';
$d->mail('d@a.example');
is $d->rcpt('d@a.example'), $recipient, 'another does not say a third';
like $d->data("d\r\n"), $taken, 'another is delivered';
like $c->data("c\r\n"), $taken, 'the first as well';
is mails($mta{mail}), '2 2 2 2',
   'MAILMAX: still no connection has more';

$c = $t->connected('v_both');

for (1 .. 3) {
    like $c->send_message(to => [ '1@a.example', '2@a.example' ]), $taken,
         "MAILMAX=1, message $_";
}

is mails($mta{both}), '1 1 1 1 1 1 1',
   'one for each connection';

# RCPTDOMAINMAX

$c = $t->connected('v_domain');

$c->dialogue('RCPTDOMAINMAX: recipients of as many domains',
    [ 'MAIL FROM:<s@a.example>', '250 2.1.0 Sender OK' ],
    [ 'RCPT TO:<1@a.example>', $recipient ],
    [ 'RCPT TO:<2@A.EXAMPLE>', $recipient ],
    [ 'RCPT TO:<3@b.example>', $recipient ],
    [ 'RCPT TO:<4@a.example>', $recipient ],
    [ 'RCPT TO:<5@c.example>', $recipient ],
    [ 'RCPT TO:<6@b.example>', $recipient ],
    [ 'DATA', qr/^354 / ],
    [ "x\r\n.", $taken ],
);
is parts('domain', 0), '1@a.example 2@A.EXAMPLE 3@b.example 4@a.example '
                       . '6@b.example | 5@c.example',
   'have it, the others in a session of their own';

$c = $t->connected('v_pickier');

$c->dialogue('RCPTDOMAINMAX: a refused one uses up its domain',
    [ 'MAIL FROM:<s@a.example>', '250 2.1.0 Sender OK' ],
    [ 'RCPT TO:<no@b.example>', '550 5.1.1 no' ],
    [ 'RCPT TO:<1@a.example>', $recipient ],
    [ 'RCPT TO:<no@a.example>', '550 5.1.1 no' ],
    [ 'RCPT TO:<no@c.example>', '550 5.1.1 no' ],
    [ 'DATA', qr/^354 / ],
    [ "x\r\n.", $taken ],
);

my %domains;

for my $e ($mta{pickier}->events('command')) {
    $domains{$e->{n}}{$1} = 1 if $e->{line} =~ /^RCPT.*@([^>]+)/;
}

is join(' ', map { join '+', sort keys %{$domains{$_}} }
                 sort { $a <=> $b } keys %domains),
   'b.example a.example c.example a.example', 'in its session';

# nonsense is no limit

$c = $t->connected('v_bad');

like $c->send_message(to => [ map { "$_\@$_.example" } 1 .. 5 ]), $taken,
     "limits that are none, message $_" for 1 .. 3;
is mails($mta{bad}), '3', 'on one connection';
is scalar(@{($mta{bad}->messages())[-1]{to}}), 5, 'for all recipients';

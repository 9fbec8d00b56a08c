#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# One message to HTTP services and to others: every combination of what can
# come of two of them.  Nobody has all of a request before each destination
# stands before its end mark, or has said no.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new();
my $ms = scaled(300);

$t->write_conf(<<"EOC");
%%GLOBALS%%

events { }

mail {
    server_name        mx.example.com;
    smtp_relay_from    127.0.0.1;
    smtp_pass_mode     buffered;
    smtp_max_errors    100000;
    smtp_max_messages  0;
    smtp_http_breaker  off;
    smtp_temp_path     %%TESTDIR%%/temp;

    smtp_body_buffer_size        16k;
    smtp_pass_final_timeout      30s;
    smtp_pass_http_read_timeout  30s;

    smtp_upstream a { server 127.0.0.1:%%PORT_a%% max_fails=0; }
    smtp_upstream b { server 127.0.0.1:%%PORT_b%% max_fails=0; keepalive 0; }
    smtp_upstream c { server 127.0.0.1:%%PORT_c%% max_fails=0; keepalive 0; }

    smtp_upstream two {
        server     127.0.0.1:%%PORT_a%% max_fails=0;
        server     127.0.0.1:%%PORT_b%% backup;
        keepalive  0;
    }

    smtp_pass       smtp://c;
    smtp_recipient  \@a.example  { smtp_pass http://a/x; }
    smtp_recipient  \@b.example  { smtp_pass http://b/y; }
    smtp_recipient  \@c.example  { smtp_pass smtp://c; }
    smtp_recipient  \@d.example  { smtp_pass maildir:%%TESTDIR%%/d; }
    smtp_recipient  \@e.example  { smtp_pass discard:; }
    smtp_recipient  \@t.example  { smtp_pass http://two/t; }
    smtp_recipient  \@z.example  { smtp_pass http://a/z; }

    server {
        listen             127.0.0.1:%%PORT_bounce%%;
        protocol           smtp_ext;
        smtp_mixed_result  bounce http://127.0.0.1:%%PORT_report%%/report;
    }

    server {
        listen             127.0.0.1:%%PORT_hasty%%;
        protocol           smtp_ext;
        smtp_mixed_result  bounce http://127.0.0.1:%%PORT_report%%/report;

        smtp_http_send_timeout  ${ms}ms;
    }

    server {
        listen             127.0.0.1:%%PORT_single%%;
        protocol           smtp_ext;
    }
}
EOC

# what a destination does; taken, refused for now or for good; before it has the
# whole or behind it

my %http = (
    ok    => [ {},                                                  2, 1 ],
    later => [ { default => { status => 503 } },                    4, 1 ],
    never => [ { default => { status => 422 } },                    5, 1 ],
    lost  => [ { fault => { at => 'RESPONSE', do => 'close' } },    4, 1 ],
    dead  => [ { fault => { at => 'REQUEST', do => 'close' } },     4, 0 ],
    busy  => [ { default => { status => 429 },
                 fault => { at => 'REQUEST', do => 'answer_close' } }, 4, 0 ],
    large => [ { default => { status => 413 },
                 fault => { at => 'REQUEST', do => 'answer_close' } }, 5, 0 ],
    hasty => [ { fault => { at => 'REQUEST', do => 'answer_close' } }, 4, 0 ],
);

my %smtp = (
    ok      => [ {},                                                2, 1 ],
    later   => [ { on => { EOM => '450 4.2.0 later' } },            4, 1 ],
    never   => [ { on => { EOM => '550 5.7.0 never' } },            5, 1 ],
    lost    => [ { fault => { at => 'EOM', do => 'close' } },       4, 1 ],
    dead    => [ { fault => { at => 'CONNECT', do => 'close' } },   4, 0 ],
    unknown => [ { on => { RCPT => '550 5.1.1 unknown' } },         5, 0 ],
);

my @rows;

# HTTP has no step at which a service says that it is ready.  What it says in
# the middle of a message is before the end only when that was not yet sent:
# with more than the buffers of a socket hold.

my @late = grep { $http{$_}[2] } sort keys %http;
my @early = grep { !$http{$_}[2] } sort keys %http;

for my $x (@late) {
    push @rows, map { [ a => $x, b => $_ ] } @late;
    push @rows, map { [ a => $x, c => $_ ] } sort keys %smtp;
}

for my $x (@early) {
    push @rows, [ a => $x, b => 'ok' ], [ b => $x, a => 'never' ],
                [ a => $x, c => 'ok' ], [ c => 'unknown', a => $x ];
}

push @rows, [ a => 'busy', b => 'dead' ], [ a => 'large', b => 'hasty' ],
            [ a => 'large', b => 'large' ];

$t->plan(2 * @rows + 24);

my %server = (a => $t->http('a', default => { status => 200 }),
              b => $t->http('b', default => { status => 200 }),
              c => $t->server('c', ehlo => [ qw/ PIPELINING / ]));
my $report = $t->http('report', default => { status => 200 });

$t->run();


sub client {
    my ($port) = @_;

    my $c = $t->client($port, timeout => 30);

    $c->read_reply();
    $c->ehlo();

    return $c;
}


sub does {
    my ($name, $what) = @_;

    return $name eq 'c' ? $smtp{$what} : $http{$what};
}


sub prepare {
    my (%row) = @_;

    for my $name (keys %row) {
        my %o = $name eq 'c' ? (on => {}) : (default => { status => 200 });

        $server{$name}->set(%o, fault => undef, %{does($name, $row{$name})->[0]});
    }
}


# what a server has got whole

sub got {
    my ($name) = @_;

    return $name eq 'c' ? $server{c}->messages() : $server{$name}->requests();
}


sub say_message {
    my ($c, $data, $params, @to) = @_;

    $c->pipeline("MAIL FROM:<sender\@example.com>$params",
                 map { "RCPT TO:<$_>" } @to);
    $c->read_reply() for 0 .. @to;
    $c->cmd('DATA');
    $c->body($data);

    my @replies = $c->read_reply();

    if ($replies[0] =~ /^353/) {
        push @replies, $c->read_reply() for 0 .. @to;
    }

    return @replies;
}


sub class { substr $_[0], 0, 1 }

my $small = "Subject: mixed\r\n\r\nhello\r\n";
my $large = "Subject: mixed\r\n\r\n" . ('x' x 70 . "\r\n") x 70_000;
my $c = client('bounce');

for my $row (@rows) {
    my ($x, $x_does, $y, $y_does) = @$row;
    my @to = map { "user\@$_.example" } $x, $y;
    my @got = (does($x, $x_does)->[1], does($y, $y_does)->[1]);
    my @marked = (does($x, $x_does)->[2], does($y, $y_does)->[2]);

    my $data = (grep { $row->[0] ne 'c' && $_ eq $x_does
                       || $row->[2] ne 'c' && $_ eq $y_does } @early)
               ? $large : $small;

    prepare(@$row);

    # a reply to each: no row depends on another

    my $all = (grep { $_ == 2 } @got) ? 2 : (grep { $_ == 4 } @got) ? 4 : 5;
    my @expected = $got[0] == $got[1] ? $got[0] : (3, @got, $all);

    is join(' ', map { class($_) } say_message($c, $data, ' PRDR', @to)),
       "@expected", "PRDR: @$row";

    # one reply and a report

    my %before = map { $_ => scalar(() = got($_)) } $x, $y;
    my $reports = () = $report->requests();
    my ($reply) = say_message($c, $data, '', @to);
    my @reports = $report->requests();
    my $named = join ' ', map { $_->{body} =~ /^Final-Recipient: rfc822; (\S+)/mg }
                          @reports[$reports .. $#reports];
    my $early = grep { !$marked[$_] && $got[$_] == 4 } 0, 1;
    my $taken = grep { $_ == 2 } @got;

    my @want = $early ? (4, '', 0, 0)
               : ($taken ? 2 : (grep { $_ == 4 } @got) ? 4 : 5,
                  $taken == 1 ? $to[$got[0] == 2] : '', @marked);

    is join(', ', class($reply), $named,
            map { scalar(() = got($_)) - $before{$_} } $x, $y),
       join(', ', @want), "report: @$row";
}

# the report

prepare(a => 'ok', b => 'never');
say_message($c, $small, '', 'user@a.example', 'user@b.example');

my ($r) = ($report->requests())[-1];

is join(' ', map { "$_->[0]: $_->[1]" =~ s/\w{16}/ID/gr =~ s/@[^"]*"/\@HOST"/r }
             grep { $_->[0] =~ /^(?:Smtp|Idem)/ } @{$r->{header_list}}),
   'Idempotency-Key: "ID-1@HOST" Smtp-Id: ID Smtp-From: <> '
   . 'Smtp-To: <sender@example.com> Smtp-Params: SIZE=' . length $r->{body},
   'a report says nothing of a client';
like $r->{body}, qr/\AFrom: Mail Delivery System.*^Final-Recipient: rfc822; user\@b\.example\r$/ms,
     'and is one';

# out of a file; a body of an octet; all kinds of destinations, twice the same
# service

prepare(a => 'ok', b => 'ok', c => 'ok');

my $long = "Subject: long\r\n\r\n" . ('x' x 70 . "\r\n") x 10_000;
my @to = map { "user\@$_.example" } qw/ a b c d e z /;

for my $data ($small, '', $long) {
    $_->sync(), $_->{events} = [] for values %server;

    my ($reply) = say_message($c, $data, ' PRDR', @to);

    is substr($reply, 0, 9), '250 2.0.0', length($data) . ' octets to all';

    my %seen = map { ("$_->{path} $_->{headers}{'smtp-to'}"
                      => substr $_->{body}, index($_->{body}, "+0000\r\n") + 7) }
               map { $server{$_}->requests() } qw/ a b /;

    is_deeply \%seen, { '/x <user@a.example>' => $data,
                        '/y <user@b.example>' => $data,
                        '/z <user@z.example>' => $data }, 'each of them whole';

    my %keys = map { $_->{headers}{'idempotency-key'} => 1 }
               map { $server{$_}->requests() } qw/ a b /;

    is scalar(keys %keys), 3, 'a key for each';
}

# one that goes away while the other is waited for: the next server gets it,
# from the start

$server{a}->set(fault => { at => 'REQUEST', do => 'hold' });
$server{c}->set(fault => { at => 'DATA', do => 'hold' });

$c->pipeline('MAIL FROM:<sender@example.com>', 'RCPT TO:<user@t.example>',
             'RCPT TO:<user@c.example>', 'DATA');
$c->read_replies(4);
$_->sync(), $_->{events} = [] for values %server;
$c->body($long);
ok $server{a}->wait_held(1), 'a service has a request but for its end';
ok $server{c}->wait_held(1), 'a next hop has not yet said 354';
is scalar(() = $server{a}->requests()), 0, 'its end is not there';
$server{a}->stop();
$server{c}->release();
like $c->read_reply(), qr/^250 2\.0\.0/, 'the service dies, and another is there';
is scalar(() = $server{b}->requests()), 1, 'which has got it once';
is length(substr(($server{b}->requests())[0]{body},
                 index(($server{b}->requests())[0]{body}, 'Subject:'))),
   length $long, 'all of it';
is scalar(() = $server{c}->messages()), 1, 'and so has the next hop';

# the same, but the next server does not listen: the others wait for it

$server{a}->start();
$server{a}->set(fault => { at => 'REQUEST', do => 'hold' });
$server{b}->set(fault => { at => 'REQUEST', do => 'stall' });
$server{c}->set(fault => { at => 'DATA', do => 'hold' });

$c = client('hasty');
$c->pipeline('MAIL FROM:<sender@example.com>', 'RCPT TO:<user@t.example>',
             'RCPT TO:<user@c.example>', 'DATA');
$c->read_replies(4);
$_->sync(), $_->{events} = [] for values %server;
$c->body($large);
ok $server{a}->wait_held(1), 'again a service has it but for its end';
ok $server{c}->wait_held(1), 'and a next hop waits';
$server{a}->stop();
ok $server{b}->wait_connections(1), 'the next server has begun to get it';
$server{c}->release();
like $c->read_reply(), qr/^451 4\.4\.2/, 'and does not go on';
is scalar(() = $server{c}->messages()), 0, 'so the next hop has not got it';

# without a report there is one destination

$c = client('single');
$c->mail('sender@example.com');
is_deeply [ map { substr $c->rcpt("user\@$_.example"), 0, 9 } qw/ a b a c / ],
          [ '250 2.1.5', '452 4.5.3', '250 2.1.5', '452 4.5.3' ],
          'one destination for each transaction, by default';

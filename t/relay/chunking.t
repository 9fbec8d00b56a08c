#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# A next hop that has CHUNKING: the message goes by BDAT, with its envelope in
# one write where that is safe.  RFC 3030, 2; RFC 2920; RFC 1047.  The table of
# faults is in faults_*.t.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep /;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new();
my $ms = scaled(400);
my $more = scaled(2000);

$t->write_conf(<<"EOC");
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_max_errors  1000;

    smtp_pass_connect_timeout   ${ms}ms;
    smtp_pass_greeting_timeout  ${ms}ms;
    smtp_pass_mail_timeout      ${ms}ms;
    smtp_pass_rcpt_timeout      ${ms}ms;
    smtp_pass_data_timeout      ${ms}ms;
    smtp_pass_send_timeout      ${ms}ms;
    smtp_pass_final_timeout     ${ms}ms;

    smtp_max_message_size    100m;
    smtp_body_buffer_size    16k;
    smtp_temp_path           %%TESTDIR%%/smtp_temp;

    smtp_upstream kept {
        server  127.0.0.1:%%PORT_first%%   max_fails=0;
        server  127.0.0.1:%%PORT_second%%  max_fails=0  backup;
    }

    smtp_upstream once {
        server  127.0.0.1:%%PORT_first%%   max_fails=0;
        server  127.0.0.1:%%PORT_second%%  max_fails=0  backup;

        # so that connections can be counted
        keepalive  0;
    }

    server {
        listen          127.0.0.1:%%PORT_verify%%;
        protocol        smtp_ext;
        smtp_pass       kept;
    }

    server {
        listen          127.0.0.1:%%PORT_buffered%%;
        protocol        smtp_ext;
        smtp_pass       kept;
        smtp_pass_mode  buffered;
    }

    server {
        listen          127.0.0.1:%%PORT_once%%;
        protocol        smtp_ext;
        smtp_pass       once;
        smtp_pass_mode  buffered;
    }

    # for large messages: the scripted server needs its time for them

    server {
        listen          127.0.0.1:%%PORT_large%%;
        protocol        smtp_ext;
        smtp_pass       once;
        smtp_pass_mode  buffered;

        smtp_pass_send_timeout   ${more}ms;
        smtp_pass_final_timeout  ${more}ms;
    }

    server {
        listen          127.0.0.1:%%PORT_patient%%;
        protocol        smtp_ext;
        smtp_pass       once;
        smtp_pass_mode  buffered;

        smtp_pass_send_timeout   60s;
        smtp_pass_final_timeout  60s;
    }
}
EOC

my @ext = qw/ PIPELINING 8BITMIME CHUNKING /;

my $first = $t->server('first', ehlo => \@ext);
my $second = $t->server('second', ehlo => \@ext, keep_data => 0);

my $ok = '250 2.0.0 OK';
my $broken = '451 4.4.2 Connection to destination server failed';
my $lost = '451 4.4.2 Destination server did not confirm the message';

$t->plan(97)->run();


sub client {
    my ($port) = @_;
    my $c = $t->client($port, timeout => 30);

    $c->read_reply();
    $c->ehlo();

    return $c;
}

sub mark {
    $_->{mark} = { commands => scalar(() = $_->commands()),
                   connect => $_->connections(), message => delivered($_) }
        for $first, $second;
}

sub delivered { scalar(() = $_[0]->messages()) }

# what the first server was told since mark(), shortened

sub said {
    my @commands = $first->commands();

    splice @commands, 0, $first->{mark}{commands};

    return join ', ', map { s/EHLO .*/EHLO/r =~ s/(FROM|TO):<(\w*)@.*/$2/r
                            =~ s/BDAT \d+ LAST/BDAT/r } @commands;
}

# a reply, and connections/messages of each server since mark()

sub result {
    my ($reply) = @_;

    return join ', ', $reply =~ s/ id=\w+$//r, map {
        ($_->connections() - $_->{mark}{connect})
        . '/' . (delivered($_) - $_->{mark}{message})
    } $first, $second;
}

sub content { $_[0]{data} =~ s/\AReceived: .*?\r\n(?![ \t])//sr }

my $to = [ map { "$_\@example.com" } 'a' .. 'c' ];
my $text = "Subject: test\r\n\r\n.\r\n..x\r\n";


# one write

my $c = client('once');

mark();
is result($c->send_message(data => $text)), "$ok, 1/1, 0/0", 'by BDAT';
is said(), 'EHLO, MAIL sender, RCPT rcpt, BDAT, QUIT', 'not by DATA';

my ($message) = $first->messages();

is content($message), $text, 'the same, with no dots added';
like +($first->commands())[3], qr/^BDAT $message->{size} LAST$/,
     'of the size that was said';
unlike $message->{from_params}, qr/BODY/, 'and nothing else';

$first->set(fault => { at => 'MAIL', do => 'silent' });
mark();
$c->send_message();
is said(), 'EHLO, MAIL sender, RCPT rcpt, BDAT',
   'it does not wait for any reply';

$first->set(fault => { at => 'RCPT', do => 'silent', n => 3 });
mark();
is result($c->send_message(to => $to)), "$ok, 1/0, 1/1",
   'several recipients: the last is not answered';
is said(), 'EHLO, MAIL sender, RCPT a, RCPT b, RCPT c',
   'BDAT waits for all of them';

$first->set(fault => undef);
mark();
is result($c->send_message(to => $to)), "$ok, 1/1, 0/0", 'they are answered';
is said(), 'EHLO, MAIL sender, RCPT a, RCPT b, RCPT c, BDAT, QUIT',
   'then it goes';

for my $refused ('550 5.1.1 gone', '450 4.2.0 later') {
    $first->set(on => { RCPT => [ '250 ok', $refused, '250 ok' ] });
    mark();
    is result($c->send_message(to => $to)),
       ($refused =~ /^4/ ? $refused
        : '554 5.1.0 Not delivered to anyone, destination server refused '
          . '<b@example.com>') . ', 1/0, 0/0', "one of several: $refused";
    is said(), 'EHLO, MAIL sender, RCPT a, RCPT b, RCPT c, QUIT', 'no BDAT';
}

$first->set(on => {}, ehlo => [ 'CHUNKING' ]);
mark();
is result($c->send_message(data => $text)), "$ok, 1/1, 0/0",
   'without PIPELINING';
is said(), 'EHLO, MAIL sender, RCPT rcpt, BDAT, QUIT', 'as well';

$first->set(ehlo => [ 'CHUNKING' ], fault => { at => 'RCPT', do => 'silent' });
mark();
is result($c->send_message()), "$ok, 1/0, 1/1", 'one by one';
is said(), 'EHLO, MAIL sender, RCPT rcpt', 'BDAT waits for RCPT';

$first->set(fault => undef, ehlo => [ 'PIPELINING' ]);
mark();
is result($c->send_message(data => $text)), "$ok, 1/1, 0/0",
   'without CHUNKING';
is said(), 'EHLO, MAIL sender, RCPT rcpt, DATA, QUIT', 'by DATA';
is content(($first->messages())[-1]), $text, 'the same';

# Refused with BDAT on its way: its own answer, and the connection is kept,
# RSET first.

$first->set(ehlo => \@ext);
$c = client('buffered');
mark();
is result($c->send_message()), "$ok, 1/1, 0/0", 'a connection to keep';

for my $case ([ RCPT => '550 5.1.1 gone' ], [ RCPT => '450 4.2.0 later' ],
              [ MAIL => '550 5.1.8 you' ], [ EOM => '552 5.3.4 too big' ],
              [ EOM => '452 4.3.1 full' ])
{
    my ($verb, $reply) = @$case;

    $first->set(on => { $verb => $reply });
    mark();
    is result($c->send_message()), "$reply, 0/"
       . ($verb eq 'EOM' ? 1 : 0) . ', 0/0', "$verb: $reply";
    like said(), qr/^(RSET, )?MAIL sender, RCPT rcpt, BDAT$/, 'BDAT was sent';

    $first->set(on => {});
    mark();
    is result($c->send_message(to => 'next@example.com')), "$ok, 0/1, 0/0",
       'the next one goes the same way';
    is said(), 'RSET, MAIL sender, RCPT next, BDAT', 'with RSET';
    is_deeply +($first->messages())[-1]{to}, [ 'next@example.com' ],
              'to whom it shall';
}

mark();
$c->send_message();
is said(), 'MAIL sender, RCPT rcpt, BDAT', 'else without RSET';

# MAIL is refused for now: another server has it, once

$first->set(on => { MAIL => '451 4.7.1 later' });
mark();
is result($c->send_message()), "$ok, 0/0, 1/1", 'MAIL: 451';
is said(), 'MAIL sender, RCPT rcpt, BDAT', 'BDAT was sent';
$second->set(on => { MAIL => '451 4.7.1 me too' });
mark();
is result($c->send_message()), '451 4.7.1 me too, 0/0, 0/0', 'nobody takes it';
is said(), 'RSET, MAIL sender, RCPT rcpt, BDAT', 'RSET after that';
$_->set(on => {}) for $first, $second;

# 421 as the first word on a kept connection: a new one

mark();
is result($c->send_message()), "$ok, 0/1, 0/0", 'kept';
$first->set(on => { MAIL => [ '421 4.4.2 Idle', undef ] });
mark();
is result($c->send_message()), "$ok, 1/1, 0/0", '421 at first, BDAT was sent';
$first->set(on => { RCPT => '421 4.3.2 Bye' });
mark();
is result($c->send_message()), "$ok, 0/0, 0/1", '421 to RCPT';

# closed behind the refusal, before BDAT has its answer

my $big = ('x' x 78 . "\r\n") x 250_000;

for my $do (qw/ answer_close answer_stall /) {
    for my $case ([ 'small', "x\r\n", 'once' ],
                  [ 'big', $big, $do eq 'answer_stall' ? 'large' : 'patient' ])
    {
        my ($name, $data, $port) = @$case;

        $c = client($port);

        for my $reply ('550 5.1.1 gone', '450 4.2.0 later') {
            $first->set(on => { RCPT => $reply },
                        fault => { at => 'RCPT', do => $do });
            mark();
            is result($c->send_message(data => $data)), "$reply, 1/0, 0/0",
               "$name, $do: RCPT: $reply";
        }

        $first->set(on => { MAIL => '550 5.1.8 you' },
                    fault => { at => 'MAIL', do => $do });
        mark();
        is result($c->send_message(data => $data)), '550 5.1.8 you, 1/0, 0/0',
           "$name, $do: MAIL: 550";

        $first->set(on => { MAIL => '451 4.7.1 later' },
                    fault => { at => 'MAIL', do => $do });
        mark();
        is result($c->send_message(data => $data)), "$ok, 1/0, 1/1",
           "$name, $do: MAIL: 451";
    }
}

# refused while it is being sent

$c = client('patient');
$first->set(on => { EOM => '552 5.3.4 Too big already' },
            fault => { at => 'EOM', do => 'early' });
mark();
is result($c->send_message(data => $big)), '552 5.3.4 Too big already, 1/0, 0/0',
   'refused before its end';

$first->set(on => { EOM => '421 4.3.2 Bye' });
mark();
is result($c->send_message(data => $big)), "$ok, 1/0, 1/1", '421 before its end';

$first->set(on => { EOM => '250 2.0.0 already' });
mark();
is result($c->send_message(data => $big)), "$lost, 1/0, 0/0",
   'taken before its end: not believed';

$first->set(on => {}, fault => undef);
mark();
is result($c->send_message(data => $big)), "$ok, 1/1, 0/0", 'taken at its end';
ok content(($first->messages())[-1]) eq $big, 'whole';

# A kept connection that has been silent: it may be gone, and what was sent
# into it may have been taken or not.  So the first reply is waited for.

$c = client('buffered');
$first->set();
$c->send_message();
mark();
$c->send_message();
is said(), 'MAIL sender, RCPT rcpt, BDAT', 'kept';

sleep 1.2;
$first->set(fault => { at => 'MAIL', do => 'close', n => 1 });
mark();
is result($c->send_message()), "$ok, 1/1, 0/0",
   'silent for a second, then closed: on another connection';
is said(), 'MAIL sender, EHLO, MAIL sender, RCPT rcpt, BDAT',
   'nothing was risked on the old one';

sleep 1.2;
$first->set(fault => undef);
mark();
is result($c->send_message()), "$ok, 0/1, 0/0", 'silent for a second';
is said(), 'MAIL sender, RCPT rcpt, BDAT', 'but there';

# parked

$c = client('verify');
$first->set();
mark();
is result($c->send_message(to => $to, data => $text)), "$ok, 0/1, 0/0",
   'asked at RCPT';
is said(), 'MAIL sender, RCPT a, RCPT b, RCPT c, BDAT', 'resumed by BDAT';
is content(($first->messages())[-1]), $text, 'the same';

mark();
$c->mail('sender@example.com');
$c->rcpt('a@example.com');
$c->cmd('DATA');
sleep 1.2;
$c->body($text);
is result($c->read_reply()), "$ok, 0/1, 0/0", 'parked for a second';
is said(), 'MAIL sender, RCPT a, DATA', 'resumed by DATA';
is content(($first->messages())[-1]), $text, 'the same';

$c->mail('sender@example.com');
$c->rcpt('a@example.com');
$first->stop();
$first->start();
mark();
is result($c->data($text)), "$ok, 1/1, 0/0", 'parked, and closed there';
is said(), 'EHLO, MAIL sender, RCPT a, BDAT', 'all again';

# another one has taken the connection

my $other = client('verify');

$c->mail('one@example.com');
$c->rcpt('a@example.com');
$other->mail('two@example.com');
$other->rcpt('b@example.com');
mark();
is result($c->data("one\r\n")), "$ok, 0/1, 0/0", 'taken by another';
is said(), 'RSET, MAIL one, RCPT a, BDAT', 'all in one write after RSET';
is result($other->data("two\r\n")), "$ok, 0/2, 0/0", 'the other one';
is content(($first->messages())[-1]), "two\r\n", 'each has its own text';
is +($first->messages())[-1]{from}, 'two@example.com', 'and envelope';

# bodies in memory, in the file, in both

$c = client('buffered');

my @wrong;

for my $size (0, 1, 2, 16383 .. 16385, 32768, 65535 .. 65537, 300_000) {
    my $data = join '', map { chr(97 + $_ % 26) } 1 .. $size;

    $c->mail('sender@example.com');
    $c->rcpt('a@example.com');
    $c->bdat($data, 1) =~ /^250/ or push @wrong, "$size: refused";
    content(($first->messages())[-1]) eq $data or push @wrong, $size;
}

is_deeply \@wrong, [], 'bodies of all sizes';

# nobody left

$_->stop() for $first, $second;
is $c->send_message(), '451 4.4.1 No destination server answers',
   'nobody listens';
$_->start() for $first, $second;
$_->set(fault => undef) for $first, $second;
mark();
is result($c->send_message()), "$ok, 1/1, 0/0", 'and it heals';

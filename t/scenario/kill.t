#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Promises 1 and 2: 250 means taken, and no needless duplicates, when the
# worker, the whole of nginx or the next hop is killed at any step.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new();

$t->write_conf(<<'EOC')->plan(28)->run();
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_relay_from        127.0.0.1;
    smtp_body_buffer_size  16k;
    smtp_temp_path         %%TESTDIR%%/smtp_temp;
    smtp_pass              smtp://mtas;

    smtp_upstream mtas {
        server  127.0.0.1:%%PORT_first%%   max_fails=0;
        server  127.0.0.1:%%PORT_second%%  max_fails=0  backup;
    }

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }
}
EOC

my @ext = (ehlo => [ qw/ PIPELINING 8BITMIME / ]);

my $first = $t->server('first', @ext);
my $second = $t->server('second', @ext);

# how often the message with that subject has been delivered

my $number = 0;

sub count {
    my ($subject, @servers) = @_;

    return scalar grep { $_->{data} =~ /^Subject: \Q$subject\E\r$/m }
                  map { $_->messages() } @servers ? @servers
                                                  : ($first, $second);
}

sub message {
    my ($subject, $size) = @_;

    return "Subject: $subject\r\n\r\n"
           . ('x' x 78 . "\r\n") x (($size || 80) / 80);
}

# until the end mark is sent, and no reply read

sub begin {
    my ($c, $subject, $size) = @_;

    $c->pipeline('MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.com>',
                 'DATA');
    $c->read_replies(3);

    return $c->body(message($subject, $size));
}

# the worker is killed while the next hop takes its time

for my $step (qw/ EOM DATA /) {
    my $subject = 'worker ' . ++$number;
    my $c = $t->connected();

    $first->set(fault => { at => $step, do => 'silent' });
    my $before = () = $first->messages();
    begin($c, $subject);

    $step eq 'EOM' ? $first->wait_messages($before + 1)
                   : $first->wait_command('^DATA');

    ok $t->kill_worker('KILL'), "$step: the worker is killed";
    like $c->read_reply(), qr/^\((closed|reset)\)$/, 'no reply to the client';
    is count($subject), $step eq 'EOM' ? 1 : 0, 'at the next hop at most once';
    $first->set(fault => undef);

    # what the client has not been told it sends again

    like $t->connected()->send_message(data => message($subject)), qr/^250/,
         'the client tries again';
    is count($subject), $step eq 'EOM' ? 2 : 1, 'and it is there';
}

# in the middle of the data to the next hop, and of the client's own

{
    my $subject = 'half';
    my $c = $t->connected();

    $first->set(fault => { at => 'DATA', do => 'delay', seconds => 60 });
    begin($c, $subject, 400_000);
    $first->wait_command('^DATA');
    $t->kill_worker('KILL');
    like $c->read_reply(), qr/^\((closed|reset)\)$/, 'a file is in use';
    is count($subject), 0, 'not delivered';
    $first->set(fault => undef);

    $c = $t->connected();
    $c->mail('a@example.com');
    $c->rcpt('b@example.com');
    $c->cmd('DATA');
    $c->send_raw(substr message($subject, 400_000), 0, 200_000);
    $t->kill_worker('KILL');
    like $c->read_reply(), qr/^\((closed|reset)\)$/, 'half of a message';
    is count($subject), 0, 'not delivered';
    is_deeply [ glob $t->testdir() . '/smtp_temp/*' ], [], 'no file is left';
}

# At random: as many clients as there are take part in a lottery of kills.
# Who has read 250 finds the message there, and no transaction is there twice.

srand 42;

my (%acked, $sent);

for my $round (1 .. 10) {
    my @clients = map { $t->connected() } 1 .. 4;
    my %subject;
    my $end = time() + scaled(10);

    for my $c (@clients) {
        $subject{$c} = "random $round " . ++$sent;
        $c->pipeline('MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.com>',
                     'DATA');
    }

    # the kill comes after so many replies

    my $kill = int rand 18;
    my $read = 0;
    my %left = map { $_ => 4 } @clients;

    while (grep { $left{$_} } @clients) {
        for my $c (grep { $left{$_} } @clients) {
            $t->kill_worker('KILL') if $read++ == $kill;

            my $reply = $c->read_reply();

            if ($reply =~ /^\(/) {
                $left{$c} = 0;
                next;
            }

            $c->body(message($subject{$c})) if --$left{$c} == 1;
            $acked{$subject{$c}} = 1 if $left{$c} == 0 && $reply =~ /^250/;
        }

        last if time() >= $end;
    }

    $t->kill_worker('KILL') if $read <= $kill;
}

cmp_ok scalar(keys %acked), '>', 0, 'some were acknowledged';
cmp_ok scalar(keys %acked), '<', 40, 'not all';

my %delivered;

$delivered{$_}++ for map { $_->{data} =~ /^Subject: (random .*)\r$/m }
                     $first->messages();

is join(', ', grep { !$delivered{$_} } sort keys %acked), '',
   'what was acknowledged is there';
is join(', ', grep { $delivered{$_} > 1 } sort keys %delivered), '',
   'nothing is there twice';

# nginx as a whole

my $c = $t->connected();

$first->set(fault => { at => 'EOM', do => 'silent' });
my $before = () = $first->messages();
begin($c, 'crash');
$first->wait_messages($before + 1);
$t->crash();
like $c->read_reply(), qr/^\((closed|reset)\)$/, 'nginx is killed: no reply';
is count('crash'), 1, 'at the next hop once';
$first->set(fault => undef);
$t->run();
like $t->connected()->send_message(), qr/^250/, 'it starts again';

# the next hop is killed: before the end mark the other one gets it ...

$c = $t->connected();
$c->mail('a@example.com');
$c->rcpt('b@example.com');
$c->cmd('DATA');
$first->stop();
$c->body(message('before'));
like $c->read_reply(), qr/^250/, 'the next hop is killed during DATA';
is count('before', $second), 1, 'the other has it';
is count('before', $first), 0, 'it had not';

# ... and after it none does

$first->start();
$first->set(fault => { at => 'EOM', do => 'silent' });
$before = () = $first->messages();
$c = $t->connected();
begin($c, 'after');
$first->wait_messages($before + 1);
$first->stop();
is $c->read_reply(),
   '451 4.4.2 Destination server did not confirm the message',
   'it is killed before its reply: 451';
is count('after', $second), 0, 'the other does not get it';
like $c->send_message(), qr/^250/, 'the session goes on, with the other';

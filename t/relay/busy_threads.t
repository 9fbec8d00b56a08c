#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# What servers do while a thread reads the message for them.  A kept connection
# is closed: what was being read is waited for, and the message goes, once and
# whole, to the server's next connection.  Something is said: it is no reply to
# anything.

use warnings;
use strict;

use Fcntl qw/ O_WRONLY O_NONBLOCK /;
use MIME::Base64 qw/ decode_base64 /;
use POSIX qw/ mkfifo /;
use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $t = Test::Nginx::SmtpExt->new();
my $dir = $t->testdir();

$t->certificate('server');

$t->write_conf(<<'EOC')->plan(20);
%%GLOBALS%%

# one thread: what it is at work for stops all others

thread_pool  one  threads=1;

events { }

mail {
    server_name            mx.example.com;
    smtp_relay_from        127.0.0.1;
    smtp_pass_mode         buffered;
    smtp_thread_pool       one;
    smtp_body_buffer_size  4k;

    smtp_recipient @box.example {
        smtp_pass  maildir:%%TESTDIR%%/box;
    }

    smtp_maildir_quota  size=1m;

    server {
        listen     127.0.0.1:%%PORT_plain%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_seven%%;
    }

    smtp_upstream three {
        server  127.0.0.1:%%PORT_first%%;
        server  127.0.0.1:%%PORT_second%%;
        server  127.0.0.1:%%PORT_third%%  backup;
    }

    server {
        listen              127.0.0.1:%%PORT_next%%;
        protocol            smtp_ext;
        smtp_pass           smtp://three;
        smtp_next_upstream  error timeout message_4xx;
    }

    server {
        listen         127.0.0.1:%%PORT_tls%%;
        protocol       smtp_ext;
        smtp_pass      smtp://127.0.0.1:%%PORT_chunks%%;
        smtp_pass_tls  required;
    }
}
EOC

# its file is never there to be read, until the test says so

mkdir "$dir/box" or die "$dir/box: $!\n";
mkfifo("$dir/box/maildirsize", 0600) or die "mkfifo: $!\n";

my $seven = $t->server('seven', ehlo => [ 'PIPELINING' ],
                       fault => { at => 'EOM', n => 1, do => 'answer_hold' });
my $chunks = $t->server('chunks', ehlo => [ qw/ PIPELINING 8BITMIME CHUNKING / ],
                        starttls => { cert => "$dir/server.crt",
                                      key => "$dir/server.key" },
                        fault => { at => 'MAIL', n => 2, do => 'close' });

my $first = $t->server('first', on => { EOM => '450 4.2.0 not now' });
my $second = $t->server('second', ehlo => [ 'PIPELINING' ],
                        fault => { at => 'EHLO', do => 'answer_hold',
                                   data => "250 2.0.0 taken\r\n" });
my $third = $t->server('third');

$t->run();

# the thread is busy until the handle is closed

sub occupied {
    my $c = $t->connected('plain');

    $c->mail('a@example.com');
    $c->send_line('RCPT TO:<b@box.example>');

    my $fifo = poll(sub {
        sysopen my $fh, "$dir/box/maildirsize", O_WRONLY|O_NONBLOCK;
        return $fh && fileno $fh ? $fh : undef;
    }, 8);

    return ($c, $fifo);
}

for my $try ([ 'plain', $seven, "\xe4", 'to be converted' ],
             [ 'tls', $chunks, 'x', 'in a chunk' ])
{
    my ($port, $mta, $char, $name) = @$try;
    my $c = $t->connected($port);

    is substr($c->send_message(), 0, 5), '250 2', "$name: one goes before";

    my $text = "Subject: x\r\n\r\n" . ($char x 70 . "\r\n") x 3000;

    $c->mail('a@example.com');
    $c->rcpt('b@example.com');
    like $c->bdat($text), qr/^250 /, "$name: it is in a file";

    my ($other, $fifo) = occupied();

    ok $fifo, "$name: the thread is busy";

    $c->send_raw("BDAT 5 LAST\r\nend\r\n");

    # it has been heard when this has

    $t->connected($port)->quit();

    $mta->release() if $mta == $seven;
    ok $mta->wait_closed(1), "$name: the server has closed";

    $t->connected($port)->quit();

    close $fifo;

    is substr($c->read_reply(), 0, 5), '250 2', "$name: the message is taken";

    my @messages = $mta->messages();

    is @messages . ", $messages[-1]{n}", '2, 2', "$name: once, behind another";

    my ($head, $body) = split /\r\n\r\n/, $messages[-1]{data}, 2;

    $body = decode_base64($body) if $head =~ /^Content-Transfer-.*base64/m;

    ok $body eq substr($text, 14) . "end\r\n", "$name: all of it";
    $other->close();
    $c->quit();
}

# it comes when nothing has been said yet, but the server before has been heard
# to the end

my $c = $t->connected('next');

$c->mail('a@example.com');
$c->rcpt('b@example.com');
like $c->bdat("Subject: x\r\n\r\n" . ("\xe4" x 70 . "\r\n") x 3000),
     qr/^250 /, 'it is in a file';

my ($other, $fifo) = occupied();

$c->send_raw("BDAT 5 LAST\r\nend\r\n");
ok $second->wait_held(1), 'to be converted for the second server';
$second->release();
ok $second->wait_closed(1), 'which says something, and is left';
close $fifo;

is substr($c->read_reply(), 0, 5), '250 2', 'a third one is asked';
is scalar(() = $third->messages()), 1, 'and has taken it';
$other->close();
$c->quit();

is @{[ grep { !/^(EHLO|MAIL|RCPT|DATA|BDAT|STARTTLS|RSET|QUIT)/ }
       $seven->commands(), $chunks->commands() ]}, 0, 'no text as a command';

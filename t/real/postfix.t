#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# A Postfix of the test's own as the next hop.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Postfix;

my $why_not = Test::Nginx::SmtpExt::Postfix->why_not();

plan skip_all => $why_not if $why_not;

my $t = Test::Nginx::SmtpExt->new();
my $postfix = Test::Nginx::SmtpExt::Postfix->new($t, 'postfix');

$t->write_conf(<<'EOC')->plan(24);
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_relay_from        127.0.0.1;
    smtp_pass              smtp://127.0.0.1:%%PORT_postfix%%;
    smtp_body_buffer_size  64k;
    smtp_temp_path         %%TESTDIR%%/smtp_temp;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }

    server {
        listen          127.0.0.1:%%PORT_buffered%%;
        protocol        smtp_ext;
        smtp_pass_mode  buffered;
    }
}
EOC

sub stored { $postfix->stored(@_) }

sub wait_stored { $postfix->wait_stored(@_) }

ok $postfix->start(), 'postfix listens' or BAIL_OUT('no postfix');

$t->run();

sub client {
    my ($name) = @_;

    my $c = $t->client($name || 'smtp', timeout => 20);

    $c->read_reply();
    $c->ehlo();

    return $c;
}

# replies are its own

my $c = client();

$c->mail('sender@example.org');
is $c->rcpt('one@example.com'), '250 2.1.5 Ok', 'a recipient';
like $c->rcpt('nobody@example.com'),
     qr/^550 5\.1\.1 <nobody\@example\.com>: Recipient address rejected: User unknown/,
     'an unknown one';
like $c->rcpt('later@example.com'), qr/^450 4\.2\.1 .*Not now/, 'one for later';
like $c->rcpt('x@example.org'), qr/^554 5\.7\.1 .*Relay access denied/,
     'one that is not its business';
is $c->rcpt('two@example.com'), '250 2.1.5 Ok', 'another';

my $data = "Subject: first\r\n\r\n.\r\n..\r\n.dots\r\n\xe9\r\n" . 'x' x 900
           . "\r\nthe end\r\n";

like $c->data($data), qr/^250 2\.0\.0 OK id=(\w{16})$/, 'the message is taken';

my ($id) = $c->last_reply() =~ /id=(\w+)/;

ok wait_stored('one', 1), 'it is stored';
ok wait_stored('two', 1), 'for the other as well';

my ($message) = stored('one');
my ($text) = $data =~ s/\r\n/\n/gr =~ /(\n\n.*)/s;

# (it adds header fields that are missing)

ok $message =~ /\Q$text\E\z/, 'as it was sent';
like $message, qr/^Received: from client\.example\.com.*\n\s.*by mx\.example\.com with ESMTP\n\s+id $id;/m,
     'with our Received';
like $message, qr/^Return-Path: <sender\@example\.org>/m, 'and the sender';

# sizes: its limit is known beforehand, or found out

is $c->mail('a@example.org', 'SIZE=3000000'), '250 2.1.0 Sender OK',
   'a declared size';
is $c->rcpt('one@example.com'), '250 2.1.5 Ok', 'is passed on';
my $line = 'x' x 78 . "\r\n";

like $c->data($line x 30_000), qr/^250/, '2.4 MB';
like $c->send_message(to => 'one@example.com',
                      data => $line x 60_000),
     qr/^552 5\.3\.4 /, '4.8 MB are too big for it';
ok wait_stored('one', 2), 'one of both is stored';

# many; by several clients

my @clients = map { client($_ % 2 ? 'smtp' : 'buffered') } 1 .. 10;
my $ok = 0;

for my $round (1 .. 20) {
    $_->pipeline('MAIL FROM:<a@example.org>', 'RCPT TO:<two@example.com>',
                 'DATA') for @clients;
    $_->read_replies(3) for @clients;
    $_->body("Subject: many\r\n\r\nx\r\n") for @clients;
    $ok += $_->read_reply() =~ /^250/ ? 1 : 0 for @clients;
}

is $ok, 200, '200 messages by ten clients';
ok wait_stored('two', 201), 'all are stored';
$_->quit() for @clients;

is client('buffered')->send_message(to => [ 'one@example.com',
                                            'nobody@example.com' ]),
   '554 5.1.0 Not delivered to anyone, destination server refused '
   . '<nobody@example.com>', 'buffered, one of two is unknown';

# it stops, and comes back; kept connections are no trouble

$postfix->stop();
is $c->send_message(to => 'one@example.com'),
   '451 4.4.1 No destination server answers', 'it is stopped';
$postfix->start();
$c->cmd('RSET');
like $c->send_message(to => 'one@example.com'), qr/^250/, 'it is back';
$postfix->command('reload');
like $c->send_message(to => 'one@example.com'), qr/^250/, 'it is reloaded';
ok wait_stored('one', 4), 'all are stored';

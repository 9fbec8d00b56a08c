#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# A next hop with CHUNKING that answers a command twice: "recipient ok" is not
# taken for "message ok".  RFC 2920, 3.1; RFC 3030, 2.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

my @modes = qw/ buffered verify stream lmtp alike /;

sub scheme { $_[0] eq 'lmtp' ? 'lmtp' : 'smtp' }

sub mode { $_[0] =~ /^(?:verify|stream)$/ ? $_[0] : 'buffered' }

$t->write_conf(<<"EOC")->plan(52)->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;

@{[ map { <<"EOS" } @modes ]}
    smtp_upstream $_ {
        server  127.0.0.1:%%PORT_mta%%;
    }

    server {
        listen          127.0.0.1:%%PORT_$_%%;
        protocol        smtp_ext;
        smtp_pass       @{[ scheme($_) ]}://$_;
        smtp_pass_mode  @{[ mode($_) ]};
    }

EOS
}
EOC

my @ext = qw/ PIPELINING 8BITMIME CHUNKING BINARYMIME /;
my $mta = $t->server('mta', ehlo => \@ext);
my $taken = qr/^250 2\.0\.0 OK id=/;
my $lost = '451 4.4.2 Destination server did not confirm the message';

# what is learned by a worker is gone with it

sub afresh {
    $mta->set(on => {}, fault => undef, lmtp => 0);
    $t->reload();
    $t->wait_old_workers();
}

sub message {
    my ($c) = @_;

    $c->mail('a@example.com');

    my $reply = $c->rcpt('b@example.com');

    return $reply =~ /^250/ ? $c->data("hello\r\n") : $reply;
}

sub bdat {
    my ($c, $params) = @_;

    $c->mail('a@example.com', @{$params || []});
    $c->rcpt('b@example.com');

    return $c->bdat("hello\r\n", 1);
}

my $seen = 0;

# the verbs since the last time

sub said {
    my @commands = $mta->commands();
    my @new = @commands[$seen .. $#commands];

    $seen = @commands;

    return join ' ', map { /^(\w+)/ } @new;
}

sub lines {
    my ($text) = @_;

    return scalar(() = $t->error_log() =~ /\[error\].*$text/g);
}

# what the server really says to the message is what the client is told, whichever
# reply came twice

my $errors = 0;

for ([ '250 2.0.0 taken', $taken ],
     [ '452 4.3.1 disk is full', '452 4.3.1 disk is full' ],
     [ '552 5.3.4 too big', '552 5.3.4 too big' ])
{
    my ($final, $told) = @$_;

    for my $verb (qw/ MAIL RCPT /) {
        afresh();
        $mta->set(fault => { at => $verb, do => 'twice' },
                  on => { EOM => $final });

        my $name = "$verb twice, \"$final\"";

        like message($t->connected('buffered')), qr/^$told/,
           "$name: the client knows";
        is said(), 'EHLO MAIL RCPT BDAT QUIT', "$name: QUIT has told";
        is lines('upstream sent a reply too many'), ++$errors,
           "$name: it is in the log";
    }
}

# without enhanced codes

afresh();
$mta->set(fault => { at => 'MAIL', do => 'twice' },
          on => { MAIL => '250 fine', RCPT => '250 accepted',
                  EOM => '554 a virus' });
is message($t->connected('buffered')), '554 5.0.0 a virus',
   'replies without codes';
said();

# a reply that nobody has asked for is a refusal

afresh();
$mta->set(on => { MAIL => "250 2.1.0 ok\r\n550 5.7.1 no" });
like message($t->connected('buffered')), $taken,
     'a refusal too many is not that of the recipient';
is scalar(() = $mta->messages()), 8, 'the message is there';
said();

# LMTP

afresh();
$mta->set(fault => { at => 'RCPT', do => 'twice' }, lmtp => 1,
          on => { EOM => '552 5.2.2 mailbox is full' });
is message($t->connected('lmtp')), '552 5.2.2 mailbox is full', 'LMTP';
is said(), 'LHLO MAIL RCPT BDAT QUIT', 'LMTP: QUIT has told';

# RCPT is asked about before: its reply comes behind the message

for my $mode (qw/ verify stream /) {
    for ([ '250 2.0.0 taken', $taken ], [ '554 5.6.0 no', '554 5.6.0 no' ]) {
        my ($final, $told) = @$_;

        afresh();
        $mta->set(on => { MAIL => "250 2.1.0 ok\r\n250 2.1.0 ok",
                          EOM => $final },
                  fault => [ { at => 'RCPT', do => 'hold' },
                             { at => 'EOM', do => 'hold' } ]);

        my $held = $mta->events('held');
        my $c = $t->connected($mode);

        $c->mail('a@example.com');
        is $c->rcpt('b@example.com'), '250 2.1.0 ok', "$mode: RCPT";
        $c->send_raw("BDAT 7 LAST\r\nhello\r\n");
        ok $mta->wait_held($held + 2), "$mode: the message is there";
        $mta->release(2);
        like $c->read_reply(), qr/^$told/, "$mode, \"$final\": the client knows";
        is said(), 'EHLO MAIL RCPT BDAT QUIT', "$mode: QUIT has told";
    }
}

# a server that says the same to everything, and is right

afresh();
$mta->set(on => { map { $_ => '250 ok' } qw/ MAIL RCPT EOM RSET / });
$errors = lines('upstream');

my $c = $t->connected('alike');

like message($c), $taken, 'replies that are alike';
is said(), 'EHLO MAIL RCPT BDAT QUIT', 'QUIT tells';
like message($c), $taken, 'the next one';
is said(), 'EHLO MAIL RCPT DATA', 'goes by DATA';
like message($c), $taken, 'and the next';
is said(), 'MAIL RCPT DATA', 'on the same connection';
is lines('upstream'), $errors, 'that is no error';
like bdat($c, [ 'BODY=BINARYMIME' ]), $taken, 'what has to go by BDAT';
is said(), 'MAIL RCPT BDAT QUIT', 'does, and is asked about';

# it does not say 221

afresh();
$mta->set(on => { map { $_ => '250 ok' } qw/ MAIL RCPT EOM / },
          fault => { at => 'QUIT', do => 'close' });
is message($c = $t->connected('alike')), $lost,
   'no reply to QUIT: it is not known';
like message($c), $taken, 'DATA helps with the next one';
said();

# 221 does not come for all the replies

afresh();
$mta->set(on => { map { $_ => '250 ok' } qw/ MAIL RCPT EOM / },
          fault => { at => 'QUIT', do => 'endless', data => "250 ok\r\n" });
is message($t->connected('alike')), $lost,
   'QUIT is answered by 250 without end';

afresh();
$mta->set(on => { map { $_ => '250 ok' } qw/ MAIL RCPT EOM / },
          fault => { at => 'QUIT', do => 'garbage', data => "354 go on\r\n" });
is message($t->connected('alike')), $lost, 'QUIT is answered by 354';

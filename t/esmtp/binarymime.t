#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# BINARYMIME, RFC 3030, 3: content that need not consist of lines comes by
# BDAT, goes by BDAT to next hops that take it, and nowhere else.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep /;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(94);

my @both = (ehlo => [ qw/ PIPELINING 8BITMIME CHUNKING BINARYMIME / ]);

my $with = $t->server('with', @both);
my $other = $t->server('other', @both);
my $chunks = $t->server('chunks', ehlo => [ qw/ 8BITMIME CHUNKING / ]);
my $alone = $t->server('alone', ehlo => [ qw/ 8BITMIME BINARYMIME / ]);
my $old = $t->server('old', on => { EHLO => '502 5.5.1 no EHLO' });

mkdir $t->testdir() . '/Maildir';
chmod 0777, $t->testdir(), $t->testdir() . '/Maildir';

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_relay_from        127.0.0.1;
    smtp_max_errors        1000;
    smtp_body_buffer_size  16k;
    smtp_temp_path         %%TESTDIR%%/smtp_temp;

    # whatever the next hop has
    smtp_extensions        binarymime=on;

    server {
        listen     127.0.0.1:%%PORT_1%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;

        smtp_bare_newline  normalise;
    }

    server {
        listen     127.0.0.1:%%PORT_2%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;
        smtp_pass_mode  buffered;
    }

    server {
        listen     127.0.0.1:%%PORT_3%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_chunks%%;
    }

    server {
        listen     127.0.0.1:%%PORT_4%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_alone%%;
    }

    server {
        listen     127.0.0.1:%%PORT_5%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_old%%;
    }

    server {
        listen     127.0.0.1:%%PORT_6%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_chunks%%;
        smtp_pass_mode  buffered;
    }

    server {
        listen     127.0.0.1:%%PORT_7%%;
        protocol   smtp_ext;

        smtp_recipient  @maildir.example  {
            smtp_pass  maildir:%%TESTDIR%%/Maildir;
        }

        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;
    }

    server {
        listen     127.0.0.1:%%PORT_8%%;
        protocol   smtp_ext;
        smtp_pass  maildir:%%TESTDIR%%/Maildir;
    }

    # by default, as the next hop

    server {
        listen           127.0.0.1:%%PORT_9%%;
        protocol         smtp_ext;
        smtp_pass        smtp://127.0.0.1:%%PORT_other%%;
        smtp_extensions  binarymime=next_hop;
    }
}
EOC

my $taken = qr/^250 2\.0\.0 OK id=/;
my $lacks = '554 5.6.3 Destination does not take binary content';

my $all = join '', map { chr } 0 .. 255;
my $header = "Subject: binary\r\nMIME-Version: 1.0\r\n"
             . "Content-Type: application/octet-stream\r\n"
             . "Content-Transfer-Encoding: binary\r\n\r\n";

srand 3030;

my $random = join '', map { chr int rand 256 } 1 .. 300_000;

my @bodies = ('', "\n", "\r", "\r\n", "\0", "a\nb\rc\r\r\n\n", "\n.\n",
              "\r\n.\r\n", "\r\n.\r\nQUIT\r\n", $all x 3, $random);

sub envelope {
    my ($c, $to) = @_;

    my $reply = $c->mail('a@b.example', 'BODY=BINARYMIME');

    return $reply =~ /^250/ ? $c->rcpt($to || 'c@d.example') : $reply;
}

sub content {
    my ($mta) = @_;

    return ($mta->messages())[-1]{data} =~ s/\AReceived: .*?\r\n(?![ \t])//sr;
}

sub count { scalar(() = $_[0]->messages()) }


for my $port (1, 2) {
    my $c = $t->connected($port);

    ok exists $c->{ehlo}{BINARYMIME}, 'it is offered';

    for my $body (@bodies) {
        envelope($c);
        like $c->bdat($header . $body, 1), $taken,
             "$port: binary of " . length $body;
        ok content($with) eq $header . $body, 'is not changed';
    }

    like +($with->messages())[-1]{from_params}, qr/^(SIZE=\d+ )?BODY=BINARYMIME$/,
         'and declared';

    # in chunks, cut between CR and LF

    envelope($c);
    $c->bdat($_) for split /(?<=[\r\n])/, $header . "\r\r\n\n\r";
    like $c->bdat('', 1), $taken, "$port: in chunks";
    is content($with), $header . "\r\r\n\n\r", 'is the same';
}

# the value of BODY

my $c = $t->connected(1);

for my $value (qw/ binarymime BinaryMime /) {
    is $c->mail('a@b.example', "BODY=$value"), '250 2.1.0 Sender OK',
       "BODY=$value";
    $c->cmd('RSET');
}

for my $value (qw/ BINARY BINARYMIMEX BINARYMIM /) {
    is $c->mail('a@b.example', "BODY=$value"),
       '501 5.5.4 Bad parameter: BODY', "BODY=$value";
}

is $c->mail('a@b.example', 'BODY=8BITMIME BODY=BINARYMIME'),
   '501 5.5.4 Bad parameter: BODY', 'one of them';

# DATA

envelope($c);
is $c->cmd('DATA'), '503 5.5.1 BODY=BINARYMIME needs BDAT', 'DATA is refused';
like $c->bdat($header, 1), $taken, 'BDAT is still possible';

# the next message is no binary one

like $c->send_message(data => "text\r\n"), $taken, 'text by DATA behind it';
is +($with->messages())[-1]{from_params} =~ s/\s*SIZE=\d+//r, '',
   'is not declared';
$c->cmd($_) for 'MAIL FROM:<a@b.example> BODY=8BITMIME',
                'RCPT TO:<c@d.example>';
like $c->bdat("a\nb\r\n", 1), $taken, 'BODY=8BITMIME by BDAT';
is content($with), "a\r\nb\r\n", 'consists of lines';

# next hops that lack something

for ([ 3, $chunks, 'without BINARYMIME' ], [ 4, $alone, 'without CHUNKING' ],
     [ 5, $old, 'without EHLO' ])
{
    my ($port, $mta, $name) = @$_;

    $c = $t->connected($port);
    is envelope($c), $lacks, "$name: told at RCPT";
    is $c->bdat("a\0b", 1), '554 5.5.1 No valid recipients, chunk dropped',
       'nothing is taken';
    is count($mta), 0, 'nor sent';
    $c->cmd('RSET');
    like $c->send_message(), $taken, 'text is';
    like $c->send_message(data => "${header}a\x01\x02\r\n"), $taken,
         'what its header calls binary is taken as text';
}

$c = $t->connected(6);
envelope($c);
is $c->bdat("a\0b", 1), $lacks, 'buffered: told at the end';
is count($chunks), 2, 'nothing was sent';

# Maildir

$c = $t->connected(7);
is envelope($c, 'x@maildir.example'), $lacks, 'a Maildir keeps lines';
is $c->rcpt('x@other.example'), '250 2.1.5 recipient ok', 'elsewhere it may go';
like $c->bdat($all, 1), $taken, 'and does';
is $c->send_message(to => 'x@maildir.example') =~ s/=.*//r,
   '250 2.0.0 OK id', 'text is taken there';

$c = $t->connected(8);
ok !exists $c->{ehlo}{BINARYMIME}, 'it is not offered for Maildirs alone';
is $c->mail('a@b.example', 'BODY=BINARYMIME'),
   '555 5.5.4 Unsupported parameter: BODY=BINARYMIME', 'nor accepted';
is $c->cmd('NOOP'), '250 2.0.0 OK', 'which is said once';

# as the next hop, once that is known

$c = $t->connected(9);
ok !exists $c->{ehlo}{BINARYMIME}, 'not before the next hop was asked';
like $c->send_message(), $taken, 'it is asked';
$c = $t->connected(9);
ok exists $c->{ehlo}{BINARYMIME}, 'then it is offered';

# Parked for a second: DATA, which would tell whether it is still there, is not
# possible, so the envelope is said again.

$c = $t->connected(1);
$with->set();
my $before = $with->commands();

envelope($c);
sleep 1.2;
like $c->bdat($all, 1), $taken, 'parked for a second';
is_deeply [ map { s/ .*//r } ($with->commands())[$before .. $before + 5] ],
          [ qw/ MAIL RCPT RSET MAIL RCPT BDAT / ], 'all again';
is content($with), $all, 'the same';

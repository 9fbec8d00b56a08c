#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# smtp_buffer_size, smtp_bulk_buffer_size: of whatever size they are, a message
# is the same behind them, and so are commands.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

# the least, the most, and one of each

my @sizes = ([ '16k', '64k' ], [ '16k', '8m' ], [ '1m', '64k' ],
             [ '1m', '8m' ]);
my @modes = qw/ verify stream /;
my @hops = qw/ data bdat /;

my (@names, $servers);

for my $size (@sizes) {
    for my $mode (@modes) {
        for my $hop (@hops) {
            push @names, my $name = "$size->[0]_$size->[1]_${mode}_$hop";

            $servers .= <<"EOS";
    server {
        listen                 127.0.0.1:%%PORT_$name%%;
        protocol               smtp_ext;
        smtp_buffer_size       $size->[0];
        smtp_bulk_buffer_size  $size->[1];
        smtp_pass_mode         $mode;
        smtp_pass              smtp://127.0.0.1:%%PORT_$hop%%;
    }

EOS
        }
    }
}

my %mta = (
    data => $t->server('data', ehlo => [ 'PIPELINING', '8BITMIME' ]),
    bdat => $t->server('bdat', ehlo => [ 'PIPELINING', '8BITMIME',
                                         'CHUNKING' ]),
);

$t->write_conf(<<"EOC");
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_relay_from        127.0.0.1;
    smtp_max_line_size     4096;
    smtp_body_buffer_size  256k;

$servers}
EOC

# too small, and too large

my @bad = ('smtp_buffer_size 16383', 'smtp_buffer_size 1025k',
           'smtp_bulk_buffer_size 63k', 'smtp_bulk_buffer_size 8193k');

$t->plan(4 * @names + @bad);
$t->run();


# of more than 2 MB, with a dot at each place in a line, and what is there at
# the edges of buffers

my $text = "Subject: x\r\n\r\n";

for my $i (1 .. 24_000) {
    $text .= ($i % 5 ? '' : '.') . 'x' x ($i % 173) . ($i % 7 ? '' : '.')
             . "\r\n";
}

sub arrived {
    my ($hop) = @_;

    return ($mta{$hop}->messages())[-1]{data}
           =~ s/\AReceived:.*\r\n(?:[ \t].*\r\n)*//r;
}

for my $name (@names) {
    my ($hop) = $name =~ /([a-z]+)$/;
    my $c = $t->client($name);

    $c->read_reply();
    $c->ehlo();

    # commands of the longest, in one write

    my $noop = 'NOOP ' . 'x' x (4096 - length "NOOP \r\n");

    $c->pipeline(($noop) x 100);
    is scalar(grep { /^250 / } $c->read_replies(100)), 100,
       "$name: 400 kilobytes of commands";

    $c->mail('a@b.example');
    $c->rcpt('c@d.example');
    like $c->data($text), qr/^250 2\.0\.0 OK id=/, "$name: by DATA";

    my $same = arrived($hop) eq $text;

    $c->mail('a@b.example');
    $c->rcpt('c@d.example');
    $c->send_raw(sprintf "BDAT 70000\r\n%sBDAT %d LAST\r\n%s",
                 substr($text, 0, 70000), length($text) - 70000,
                 substr $text, 70000);
    is join(' ', map { substr $c->read_reply(), 0, 3 } 1 .. 2), '250 250',
       "$name: by BDAT";
    ok $same && arrived($hop) eq $text, "$name: both are what was sent";
}

for my $line (@bad) {
    my ($rc, $out) = $t->test_conf(<<"EOC");
%%GLOBALS%%
events { }
mail {
    server {
        listen    127.0.0.1:%%PORT_none%%;
        protocol  smtp_ext;
        $line;
    }
}
EOC
    ok $rc && $out =~ /must be between/, $line or diag $out;
}

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# SMTP smuggling by BDAT: what looks like an end of data inside of chunks, cut
# into chunks and packets at each octet, whether the next hop gets it by DATA or
# by BDAT.  RFC 3030, 2; RFC 5321, 4.1.1.4, 4.5.2.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

my %mta = (
    data => $t->server('data', ehlo => [ 'PIPELINING', '8BITMIME' ]),
    bdat => $t->server('bdat', ehlo => [ 'PIPELINING', '8BITMIME',
                                         'CHUNKING' ]),
);

my $servers = '';

for my $hop (sort keys %mta) {
    for my $newline (qw/ reject normalise /) {
        for my $mode (qw/ verify stream /) {
            $servers .= <<"EOS";
    server {
        listen             127.0.0.1:%%PORT_${hop}_${newline}_$mode%%;
        protocol           smtp_ext;
        smtp_pass          smtp://127.0.0.1:%%PORT_$hop%%;
        smtp_bare_newline  $newline;
        smtp_pass_mode     $mode;
    }

EOS
        }
    }
}

$t->write_conf(<<"EOC");
%%GLOBALS%%

events { }

mail {
    server_name        mx.example.com;
    smtp_relay_from    127.0.0.1;
    smtp_nul           accept;
    smtp_max_errors    100000;
    smtp_max_commands  0;

$servers
}
EOC

# what looks like an end, with dots stuffed or not; the first one is an end in
# DATA, and nothing but content here

my @ends = ("\r\n.\r\n", "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r",
            "\r.\r\n", "\n.\r", "\r.\n");

push @ends, map { s/\./../r } @ends;

$t->plan(2 * 2 * 2 * @ends + 2)->run();


sub shown { $_[0] =~ s/\r/\\r/gr =~ s/\n/\\n/gr }

my $body = "Subject: outer\r\n\r\nbody";

sub content {
    my ($end) = @_;

    return $body . $end . join "\r\n", 'MAIL FROM:<smuggled@b.example>',
           'RCPT TO:<smuggled@d.example>', 'DATA', 'Subject: smuggled', '',
           'x', '';
}


# one message, cut in two chunks at this place, in so many packets as there are
# octets around it, or in one; true when it has become one message, whole, or
# none where that is right

sub attempt {
    my ($c, $mta, $end, $at, $how, $newline) = @_;

    my $text = content($end);
    my $bare = $end =~ /(?<!\r)\n|\r(?!\n)/;
    my $before = $mta->messages();

    $c->mail('a@b.example');
    $c->rcpt('c@d.example');

    my $second = substr $text, $at;
    my $said = sprintf "BDAT %d\r\n%sBDAT %d LAST\r\n%s", $at,
                       substr($text, 0, $at), length $second, $second;

    if ($how eq 'octets') {
        my $from = index($said, 'body') + 3;

        $c->send_raw(substr $said, 0, $from);
        $c->send_raw($_) for split //, substr $said, $from, 48;
        $c->send_raw(substr $said, $from + 48);

    } else {
        $c->send_raw($said);
    }

    my @replies = map { scalar $c->read_reply() } 1 .. 2;
    my @messages = $mta->messages();

    splice @messages, 0, $before;

    if ($bare && $newline eq 'reject') {
        $c->cmd('RSET');
        return $replies[1] =~ /^5/ && !@messages;
    }

    return $replies[1] =~ /^250 2\.0\.0 OK id=/ && @messages == 1
           && $messages[0]{data} =~ /\nRCPT TO:<smuggled\@d\.example>\r\n/
           && $messages[0]{data} !~ /[^\r]\n|\r[^\n]/;
}


for my $hop (sort keys %mta) {
    for my $newline (qw/ reject normalise /) {
        for my $mode (qw/ verify stream /) {
            my $c = $t->client("${hop}_${newline}_$mode");

            $c->read_reply();
            $c->ehlo();

            for my $end (@ends) {
                my @bad;

                for my $at (0, length($body) - 1 .. length("$body$end") + 1) {
                    for my $how (qw/ whole octets /) {
                        push @bad, "$at $how"
                            if !attempt($c, $mta{$hop}, $end, $at, $how,
                                        $newline);
                    }
                }

                is "@bad", '', "$hop, $newline, $mode: " . shown($end);
            }
        }
    }
}

for my $hop (sort keys %mta) {
    is_deeply [ grep { /smuggled/ } $mta{$hop}->commands() ], [],
              "$hop: the next hop has seen no second envelope";
}

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# SMTP smuggling: nothing but <CRLF>.<CRLF> ends a message, neither here nor at
# a next hop that is less strict.  RFC 5321, 4.1.1.4, 4.5.2.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

# each way to a next hop, and each kind of one

my %mta = (
    data => $t->server('data'),
    bdat => $t->server('bdat', ehlo => [ 'PIPELINING', '8BITMIME',
                                         'CHUNKING' ]),
);
my @ways = map { my $hop = $_; map { "${hop}_$_" } qw/ verify buffered stream / }
           sort keys %mta;

my $servers = join '', map { my ($hop, $mode) = split /_/; <<"EOS" } @ways;
    server {
        listen          127.0.0.1:%%PORT_reject_$_%%;
        protocol        smtp_ext;
        smtp_pass       smtp://127.0.0.1:%%PORT_$hop%%;
        smtp_pass_mode  $mode;
    }

    server {
        listen             127.0.0.1:%%PORT_normalise_$_%%;
        protocol           smtp_ext;
        smtp_pass          smtp://127.0.0.1:%%PORT_$hop%%;
        smtp_pass_mode     $mode;
        smtp_bare_newline  normalise;
    }

EOS

$t->write_conf(<<"EOC");
%%GLOBALS%%

events { }

mail {
    smtp_nul  accept;

    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_max_errors  1000;

$servers}
EOC

my $refused = '550 5.6.0 Message has bare <CR> or <LF>, lines must end in '
              . '<CR><LF>';

# what looks like an end; the last ones have no bare CR or LF

my @ends = ("\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n",
            "\n.\r", "\r.\n", "\r\r\n.\r\r\n", "\n\r\n.\n\r\n", "\r\n.\r\r\n",
            "\r\n.\0\n", "\r\n\0.\n");
my @harmless = ("\r\n\0.\r\n", "\r\n.\0\r\n", "\r\n. \r\n", "\r\n .\r\n",
                "\r\n.\t\r\n", "\r\n\x85.\x85");

$t->plan(@ways * 2 * (4 * @ends + 2 * @harmless) + 2 * keys %mta);
$t->run();

# the second envelope

sub hidden {
    my ($eol) = @_;

    return join $eol, 'MAIL FROM:<smuggled@b.example>',
                'RCPT TO:<smuggled@d.example>', 'DATA', 'Subject: smuggled',
                '', 'x';
}

sub shown { $_[0] =~ s/\r/\\r/gr =~ s/\n/\\n/gr
                  =~ s/([^\x20-\x7e])/sprintf '\\x%02x', ord $1/ger }


# The message with one of them in it, and a command behind it; what the client
# was told, and what the next hop got.

sub attempt {
    my ($newline, $way, $end, $how) = @_;

    my $mta = $mta{$way =~ s/_.*//r};
    my $before = $mta->messages();
    my $c = $t->client("${newline}_$way");

    $c->read_reply();
    $c->ehlo();
    $c->mail('a@b.example');
    $c->rcpt('c@d.example');
    $c->cmd('DATA');

    my $eol = $end =~ /\n/ ? "\r\n" : "\r";
    my $data = "Subject: outer\r\n\r\nbody$end" . hidden($eol)
               . "\r\n.\r\n";

    if ($how eq 'in octets') {
        $c->send_raw($_) for split //, $data;

    } else {
        $c->send_raw($data);
    }

    my $reply = $c->read_reply();

    # the next reply is the next command's: there was one to the data

    my $next = $c->cmd('HELP');
    my @messages = $mta->messages();

    splice @messages, 0, $before;

    return ($reply, $next, @messages);
}


for my $way (@ways) {
    for my $how ('at once', 'in octets') {
        for my $end (@ends, map { s/\./../r } @ends) {
            my ($reply, $next, @messages) = attempt('reject', $way, $end, $how);

            is_deeply [ $reply, $next =~ /^(214) /, scalar @messages ],
                      [ $refused, 214, 0 ],
                      "$way, reject: " . shown($end) . " $how";

            ($reply, $next, @messages) = attempt('normalise', $way, $end, $how);

            my $data = @messages ? $messages[0]{data} : '';

            is_deeply [ $reply =~ /^(250 2.0.0 OK id=)/, $next =~ /^(214) /,
                        scalar @messages,
                        $data =~ /[^\r]\n|\r[^\n]/ ? 'bare' : 'mended',
                        $data =~ /^Subject: smuggled\r$/m ? 'whole' : 'cut' ],
                      [ '250 2.0.0 OK id=', 214, 1, 'mended', 'whole' ],
                      "$way, normalise: " . shown($end) . " $how";
        }

        for my $end (@harmless) {
            for my $newline ('reject', 'normalise') {
                my ($reply, $next, @messages) = attempt($newline, $way, $end,
                                                        $how);

                # where its lines end in CR they are refused, or mended, too

                my $bare = $end !~ /\n/ && $newline eq 'reject';

                is_deeply [ $reply =~ /^(\d+)/, $next =~ /^(214) /,
                            scalar @messages ],
                          $bare ? [ 550, 214, 0 ] : [ 250, 214, 1 ],
                          "$way, $newline: " . shown($end) . " $how";
            }
        }
    }
}

for my $hop (sort keys %mta) {
    is_deeply [ grep { /smuggled/ } $mta{$hop}->commands() ], [],
              "$hop: the next hop has seen no second envelope";
    is_deeply [ grep { $_ ne 'c@d.example' } map { @{$_->{to}} }
                $mta{$hop}->messages() ],
              [], "$hop: and no other recipient";
}

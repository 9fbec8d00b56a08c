#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# SMTP smuggling: nothing but <CRLF>.<CRLF> ends a message, neither here nor at
# a next hop that is less strict.  RFC 5321, 4.1.1.4, 4.5.2.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(130);

my $mta = $t->server('mta');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    smtp_nul  accept;

    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;
    smtp_max_errors  1000;

    server {
        listen    127.0.0.1:%%PORT_reject%%;
        protocol  smtp_ext;
    }

    server {
        listen             127.0.0.1:%%PORT_normalise%%;
        protocol           smtp_ext;
        smtp_bare_newline  normalise;
    }
}
EOC

my $refused = '550 5.6.0 Message has bare <CR> or <LF>, lines must end in '
              . '<CR><LF>';

# what looks like an end; the last ones have no bare CR or LF

my @ends = ("\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n",
            "\n.\r", "\r.\n", "\r\r\n.\r\r\n", "\n\r\n.\n\r\n", "\r\n.\r\r\n",
            "\r\n.\0\n", "\r\n\0.\n");
my @harmless = ("\r\n\0.\r\n", "\r\n.\0\r\n", "\r\n. \r\n", "\r\n .\r\n",
                "\r\n.\t\r\n", "\r\n\x85.\x85");

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
    my ($name, $end, $how) = @_;

    my $before = $mta->messages();
    my $c = $t->client($name);

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


for my $how ('at once', 'in octets') {
    for my $end (@ends, map { s/\./../r } @ends) {
        my ($reply, $next, @messages) = attempt('reject', $end, $how);

        is_deeply [ $reply, $next =~ /^(214) /, scalar @messages ],
                  [ $refused, 214, 0 ], 'reject: ' . shown($end) . " $how";

        ($reply, $next, @messages) = attempt('normalise', $end, $how);

        is_deeply [ $reply =~ /^(250 2.0.0 OK id=)/, $next =~ /^(214) /,
                    scalar @messages,
                    $messages[0]{data} =~ /[^\r]\n|\r[^\n]/ ? 'bare' : 'mended',
                    $messages[0]{data} =~ /^Subject: smuggled\r$/m ? 'whole'
                                                                  : 'cut' ],
                  [ '250 2.0.0 OK id=', 214, 1, 'mended', 'whole' ],
                  'normalise: ' . shown($end) . " $how";
    }

    for my $end (@harmless) {
        for my $name ('reject', 'normalise') {
            my ($reply, $next, @messages) = attempt($name, $end, $how);

            # where its lines end in CR they are refused, or mended, as well

            my $bare = $end !~ /\n/ && $name eq 'reject';

            is_deeply [ $reply =~ /^(\d+)/, $next =~ /^(214) /,
                        scalar @messages ],
                      $bare ? [ 550, 214, 0 ] : [ 250, 214, 1 ],
                      "$name: " . shown($end) . " $how";
        }
    }
}

is_deeply [ grep { /smuggled/ } $mta->commands() ], [],
          'the next hop has seen no second envelope';
is_deeply [ grep { $_ ne 'c@d.example' } map { @{$_->{to}} }
            $mta->messages() ],
          [], 'and no other recipient';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# 8BITMIME towards next hops with and without it: RFC 6152, 3.  What is declared
# matters less than what is there.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(110);

my $with = $t->server('with');
my $without = $t->server('without', ehlo => [ 'PIPELINING' ]);
my $chunks = $t->server('chunks', ehlo => [ 'PIPELINING', 'CHUNKING' ]);
my $sized = $t->server('sized', ehlo => [ 'PIPELINING', 'SIZE 10000000' ]);
my $first = $t->server('first', ehlo => [ 'PIPELINING' ]);
my $second = $t->server('second');
my $old = $t->server('old', on => { EHLO => '502 5.5.1 no EHLO' });

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;

    # a message of more than that is in a file
    smtp_body_buffer_size  16k;

    smtp_upstream pair {
        server     127.0.0.1:%%PORT_first%%   max_fails=0;
        server     127.0.0.1:%%PORT_second%%  max_fails=0  backup;
        keepalive  0;
    }

    server {
        listen     127.0.0.1:%%PORT_1%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;
    }

    server {
        listen     127.0.0.1:%%PORT_2%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_without%%;
    }

    server {
        listen     127.0.0.1:%%PORT_3%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_old%%;
    }

    server {
        listen          127.0.0.1:%%PORT_4%%;
        protocol        smtp_ext;
        smtp_pass       smtp://127.0.0.1:%%PORT_without%%;
        smtp_pass_mode  buffered;
    }

    server {
        listen          127.0.0.1:%%PORT_5%%;
        protocol        smtp_ext;
        smtp_pass       smtp://127.0.0.1:%%PORT_without%%;
        smtp_pass_8bit  refuse;
    }

    server {
        listen          127.0.0.1:%%PORT_6%%;
        protocol        smtp_ext;
        smtp_pass       smtp://127.0.0.1:%%PORT_without%%;
        smtp_pass_8bit  pass;
    }

    server {
        listen          127.0.0.1:%%PORT_7%%;
        protocol        smtp_ext;
        smtp_pass       smtp://127.0.0.1:%%PORT_chunks%%;
    }

    server {
        listen          127.0.0.1:%%PORT_8%%;
        protocol        smtp_ext;
        smtp_pass       smtp://127.0.0.1:%%PORT_sized%%;
        smtp_pass_mode  buffered;
    }

    server {
        listen          127.0.0.1:%%PORT_9%%;
        protocol        smtp_ext;
        smtp_pass       smtp://pair;
        smtp_pass_mode  buffered;
    }

    server {
        listen             127.0.0.1:%%PORT_10%%;
        protocol           smtp_ext;
        smtp_pass          discard:;
        smtp_mixed_result  bounce discard:;

        smtp_recipient  @with.example     { smtp_pass 127.0.0.1:%%PORT_with%%; }
        smtp_recipient  @without.example  { smtp_pass 127.0.0.1:%%PORT_without%%; }
    }
}
EOC

my $taken = qr/^250 2\.0\.0 OK id=/;
my $lacks = '554 5.6.3 Destination server does not take 8-bit content';

my $ascii = "Subject: 7bit\r\n\r\n~\r\n";
my $eight = "Subject: 8bit\r\n\r\nna\xc3\xafve and more\r\n";
my $signed = "MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b"
             . "\r\n\r\n--b\r\n\r\n\xfc\r\n--b--\r\n";
my $header = "Subject: \xfc\r\n\r\nx\r\n";
my $late = "Subject: late\r\n\r\n" . ('x' x 70 . "\r\n") x 2000 . "\x80\r\n";

sub body_of { (($_[0]->messages())[-1]{data} =~ /\r\n\r\n(.*)\z/s)[0] }

sub params_of {
    return ($_[0]->messages())[-1]{from_params} =~ s/\s*\bSIZE=\d+//r;
}


my $c = $t->connected('1');

ok exists $c->{ehlo}{'8BITMIME'}, 'it is offered';

for my $try ('8BITMIME', '8bitmime', '8BitMime') {
    like $c->send_message(data => $eight, mail_params => [ "BODY=$try" ]),
         $taken, "with 8BITMIME: BODY=$try";
    is params_of($with), 'BODY=8BITMIME', 'which goes on';
    is body_of($with), "na\xc3\xafve and more\r\n", 'so do the octets';
}

like $c->send_message(data => $ascii, mail_params => [ 'BODY=7BIT' ]), $taken,
     'BODY=7BIT';
is params_of($with), '', 'needs no word';
like $c->send_message(data => $eight), $taken, '8-bit that was not declared';
is body_of($with), "na\xc3\xafve and more\r\n", 'is not changed';
is params_of($with), '', 'nor declared by us';

# declared or not, in memory or in a file

for my $port ('2', '3', '4', '7') {
    my $mta = $port eq '3' ? $old : $port eq '7' ? $chunks : $without;
    my $name = { 2 => 'without 8BITMIME', 3 => 'without EHLO',
                 4 => 'buffered, without 8BITMIME',
                 7 => 'with CHUNKING alone' }->{$port};

    $c = $t->connected($port);

    for my $params ([ 'BODY=8BITMIME' ], []) {
        like $c->send_message(data => $eight, mail_params => $params), $taken,
             "$name: converted, @$params";
        is body_of($mta), "na=C3=AFve and more\r\n", "$name: it is encoded";
        like $c->send_message(data => $late, mail_params => $params), $taken,
             "$name: a large one, @$params";
        is body_of($mta), ('x' x 70 . "\r\n") x 2000 . "=80\r\n",
           "$name: at its end, too";
        is params_of($mta), '', "$name: with no word";
    }

    like $c->send_message(data => $ascii, mail_params => [ 'BODY=8BITMIME' ]),
         $taken, "$name: what is declared, but 7-bit, is taken";
    is body_of($mta), "~\r\n", "$name: as it is";

    # what can't be converted

    for my $data ($signed, $header) {
        my $before = $mta->messages();

        is $c->send_message(data => $data), $lacks, "$name: refused";
        is $mta->messages() - $before, 0, "$name: nothing went on";
    }
}

# never converted

for my $params ([ 'BODY=8BITMIME' ], []) {
    my $before = $without->messages();

    $c = $t->connected('5');
    is $c->send_message(data => $_, mail_params => $params), $lacks,
       "refuse: @$params" for $eight, $late;
    is $without->messages() - $before, 0, 'nothing went on';
    like $c->send_message(data => $ascii, mail_params => $params), $taken,
         "refuse: 7-bit, @$params";

    $c = $t->connected('6');
    like $c->send_message(data => $eight, mail_params => $params), $taken,
         "pass: @$params";
    is body_of($without), "na\xc3\xafve and more\r\n", 'unchanged';
    is params_of($without), '', 'with no word';
}

# the size that is told is that of what goes

like $t->connected('8')->send_message(data => $late), $taken,
   'a next hop with SIZE';

my ($last) = ($sized->messages())[-1];
my ($told) = $last->{from_params} =~ /SIZE=(\d+)/;

is $told, $last->{size}, 'is told the size that it gets';

# of two servers one has it

$first->set(fault => { at => 'DATA', do => 'close' });
like $t->connected('9')->send_message(data => $late), $taken, 'the next server';
is body_of($second), ('x' x 70 . "\r\n") x 2000 . "\x80\r\n",
   'gets it as it was';
$first->set(fault => { at => 'RCPT', do => 'close' });
like $t->connected('9')->send_message(data => $eight), $taken, 'earlier';
is body_of($second), "na\xc3\xafve and more\r\n", 'as well';
$first->set(fault => undef);
like $t->connected('9')->send_message(data => $eight), $taken, 'the first';
is body_of($first), "na=C3=AFve and more\r\n", 'has to have it converted';

# to two next hops, one with and one without

$c = $t->connected('10');
$c->mail('s@example.com');
$c->rcpt($_) for 'a@with.example', 'b@without.example';
like $c->data($late), $taken, 'to both';
is body_of($with), ('x' x 70 . "\r\n") x 2000 . "\x80\r\n", 'one as it was';
is body_of($without), ('x' x 70 . "\r\n") x 2000 . "=80\r\n", 'one converted';

# dots, and no end of the last line

$c = $t->connected('2');
like $c->send_message(data => "S: x\r\n\r\n..\r\n\xfc.........\r\n.\r\n"), $taken,
     'dots';
is body_of($without), "..\r\n=FC.........\r\n.\r\n", 'are doubled and undoubled';
$c->mail('s@example.com', 'BODY=8BITMIME');
$c->rcpt('a@example.com');
like $c->bdat("S: x\r\n\r\nabcdefg\xfc", 1), $taken, 'without a line end';
is body_of($without), "abcdefg=FC\r\n", 'it gets one';

# configuration

my ($rc, $out) = $t->test_conf("%%GLOBALS%%\nevents { }\n"
                               . "mail { smtp_pass_8bit on; }\n");

is $rc, 1, 'there is no "on"';
like $out, qr/invalid value "on"/, 'is told';

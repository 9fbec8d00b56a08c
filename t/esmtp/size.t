#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# SIZE towards the next hop, and the smaller one of two limits: RFC 1870.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(20);

my $limited = $t->server('limited', ehlo => [ 'PIPELINING', 'SIZE 1000' ]);
my $zero = $t->server('zero', ehlo => [ 'SIZE 0' ]);
my $bare = $t->server('bare', ehlo => [ 'SIZE' ]);
my $none = $t->server('none', ehlo => [ 'PIPELINING' ]);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_relay_from        127.0.0.1;
    smtp_max_message_size  5000;

    server {
        listen     127.0.0.1:%%PORT_1%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_limited%%;
    }

    server {
        listen          127.0.0.1:%%PORT_2%%;
        protocol        smtp_ext;
        smtp_pass       smtp://127.0.0.1:%%PORT_limited%%;
        smtp_pass_mode  buffered;
    }

    server {
        listen     127.0.0.1:%%PORT_3%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_zero%%;
    }

    server {
        listen     127.0.0.1:%%PORT_4%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_bare%%;
    }

    server {
        listen     127.0.0.1:%%PORT_5%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_none%%;
    }
}
EOC

my $sender = '250 2.1.0 Sender OK';
my $recipient = '250 2.1.5 recipient ok';
my $go = '354 End data with <CR><LF>.<CR><LF>';
my $taken = qr/^250 2\.0\.0 OK id=/;
my $too_big = '552 5.3.4 Message size exceeds fixed limit';

my $small = "Subject: small\r\n\r\nx\r\n";
my $large = "Subject: large\r\n\r\n" . ('y' x 58 . "\r\n") x 30;


# the next hop's limit is smaller than ours

my $c = $t->connected('1');

is $c->{ehlo}{SIZE}, 5000, 'EHLO has our own limit';

$c->dialogue('what is declared and too much for the next hop: at RCPT',
    [ 'MAIL FROM:<a@b.example> SIZE=5001', $too_big ],
    [ 'MAIL FROM:<a@b.example> SIZE=1001', $sender ],
    [ 'RCPT TO:<c@d.example>', $too_big ],
    [ 'DATA', '554 5.5.1 No valid recipients' ],
    [ 'RSET', '250 2.0.0 OK' ],
);
is scalar(grep { /^(?:MAIL|RCPT)/ } $limited->commands()), 0,
   'the next hop need not say it';

$c->dialogue('what is declared and not too much',
    [ 'MAIL FROM:<a@b.example> SIZE=500', $sender ],
    [ 'RCPT TO:<c@d.example>', $recipient ],
);
like $c->data($small), $taken, 'goes on';
is +($limited->messages())[-1]{from_params}, 'SIZE=500',
   'with what the client said';

$c->dialogue('what is not declared: after the data',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<c@d.example>', $recipient ],
);
is $c->data($large), $too_big, 'too big for it all the same';
like $c->cmd('RSET'), qr/^250/, 'the session goes on';

# when the message is there before the next hop is asked, its size is known

$c = $t->connected('2');

is $c->send_message(data => $large), $too_big, 'buffered: too big';
is $c->send_message(data => $large, mail_params => [ 'SIZE=10' ]), $too_big,
   'buffered: whatever was declared';
like $c->send_message(data => $small, mail_params => [ 'SIZE=900' ]), $taken,
     'buffered: not too big';

my $m = ($limited->messages())[-1];

is $m->{from_params}, 'SIZE=' . length $m->{data},
   'buffered: SIZE is what is sent, with our Received';

# no limit of the next hop

for my $try ([ '3', $zero, 'SIZE 0' ], [ '4', $bare, 'SIZE with no value' ]) {
    my ($port, $mta, $name) = @$try;

    like $t->connected($port)->send_message(data => $large,
                                        mail_params => [ 'SIZE=2000' ]),
         $taken, "$name: taken";
    is +($mta->messages())[-1]{from_params}, 'SIZE=2000',
       "$name: it is told the size";
}

like $t->connected('5')->send_message(data => $large,
                                  mail_params => [ 'SIZE=2000' ]),
     $taken, 'no SIZE at all: taken';
is +($none->messages())[-1]{from_params}, '', 'and told none';
is $t->connected('5')->send_message(data => $large x 4), $too_big,
   'our own limit is there in any case';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Several transactions on one connection: each begins anew, whatever came of the
# one before.  RFC 5321, 3.3, 4.1.1.4, 4.1.4.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(17);

my $mta = $t->server('mta', on => {
    RCPT => sub { return $_[0] =~ /nobody/ ? '550 5.1.1 nobody here'
                       : $_[0] =~ /later/ ? '450 4.2.1 later' : undef },
    EOM => sub { return $_[2]{data} =~ /^Subject: refuse/m ? '554 5.6.0 no'
                      : undef },
});

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;

    smtp_log_format  tx
        '$smtp_status $smtp_result from=<$smtp_mail_from> to=<$smtp_rcpt_to> '
        '$smtp_rcpt_count+$smtp_rcpt_refused $smtp_bytes';
    smtp_access_log  %%TESTDIR%%/access.log  tx;

    server {
        listen                 127.0.0.1:%%PORT_smtp%%;
        protocol               smtp_ext;
        smtp_max_message_size  1000;
        smtp_max_errors        100;
    }
}
EOC

my $sender = '250 2.1.0 Sender OK';
my $recipient = '250 2.1.5 recipient ok';
my $go = '354 End data with <CR><LF>.<CR><LF>';
my $taken = qr/^250 2\.0\.0 OK id=([0-9a-z]+)$/;
my $ok = '250 2.0.0 OK';
my $none = '554 5.5.1 No valid recipients';

my $c = $t->client('smtp');

$c->read_reply();
$c->ehlo();

sub text { "Subject: $_[0]\r\n\r\n" . ($_[1] // 'x') . "\r\n.\r\n" }


$c->dialogue('taken',
    [ 'MAIL FROM:<one@a.example>', $sender ],
    [ 'RCPT TO:<one@b.example>', $recipient ],
    [ 'DATA', $go ],
    [ \text('one'), $taken ],
);

my ($first) = $c->last_reply() =~ $taken;

$c->dialogue('one recipient refused',
    [ 'MAIL FROM:<two@a.example> BODY=8BITMIME SIZE=20', $sender ],
    [ 'RCPT TO:<nobody@b.example>', '550 5.1.1 nobody here' ],
    [ 'RCPT TO:<two@b.example>', $recipient ],
    [ 'RCPT TO:<later@b.example>', '450 4.2.1 later' ],
    [ 'DATA', $go ],
    [ \text('two'), $taken ],
);

my ($second) = $c->last_reply() =~ $taken;

isnt $first, $second, 'each has an id of its own';

$c->dialogue('all recipients refused',
    [ 'MAIL FROM:<three@a.example>', $sender ],
    [ 'RCPT TO:<nobody@b.example>', '550 5.1.1 nobody here' ],
    [ 'DATA', $none ],
    [ 'MAIL FROM:<x@a.example>', '503 5.5.1 Transaction already open' ],
    [ 'RSET', $ok ],
);
$c->dialogue('refused by the next hop',
    [ 'MAIL FROM:<four@a.example>', $sender ],
    [ 'RCPT TO:<four@b.example>', $recipient ],
    [ 'DATA', $go ],
    [ \text('refuse'), '554 5.6.0 no' ],
);
$c->dialogue('too big',
    [ 'MAIL FROM:<five@a.example>', $sender ],
    [ 'RCPT TO:<five@b.example>', $recipient ],
    [ 'DATA', $go ],
    [ \text('five', 'x' x 2000), '552 5.3.4 Message size exceeds fixed limit' ],
);
$c->dialogue('with a bare LF',
    [ 'MAIL FROM:<six@a.example>', $sender ],
    [ 'RCPT TO:<six@b.example>', $recipient ],
    [ 'DATA', $go ],
    [ \text('six', "a\nb"), '550 5.6.0 Message has bare <CR> or <LF>, lines '
      . 'must end in <CR><LF>' ],
);
$c->dialogue('given up by RSET',
    [ 'MAIL FROM:<seven@a.example>', $sender ],
    [ 'RCPT TO:<seven@b.example>', $recipient ],
    [ 'RSET', $ok ],
);
$c->dialogue('given up by EHLO',
    [ 'MAIL FROM:<eight@a.example>', $sender ],
    [ 'RCPT TO:<eight@b.example>', $recipient ],
    [ 'EHLO other.example.com', qr/^250-mx/ ],
);
$c->dialogue('an empty message, with no header',
    [ 'MAIL FROM:<>', $sender ],
    [ 'RCPT TO:<nine@b.example>', $recipient ],
    [ 'RCPT TO:<ten@b.example>', $recipient ],
    [ 'DATA', $go ],
    [ \".\r\n", $taken ],
);
$c->dialogue('and at last one that is given up by QUIT',
    [ 'MAIL FROM:<last@a.example>', $sender ],
    [ 'RCPT TO:<last@b.example>', $recipient ],
    [ 'QUIT', '221 2.0.0 Bye' ],
);
ok $c->eof(), 'closed';

# what has arrived, and as what

my @messages = map { [ $_->{from}, join(',', @{$_->{to}}),
                       $_->{data} =~ /^Subject: (.*)\r$/m ? $1 : '' ] }
               $mta->messages();

is_deeply \@messages, [
    [ 'one@a.example', 'one@b.example', 'one' ],
    [ 'two@a.example', 'two@b.example', 'two' ],
    [ 'four@a.example', 'four@b.example', 'refuse' ],
    [ '', 'nine@b.example,ten@b.example', '' ],
], 'each message with its own envelope';

is_deeply [ ($mta->messages())[0, 1] ]->[1]{from_params}
          =~ s/\ASIZE=\d+ BODY=8BITMIME\z/both/r, 'both',
          'parameters belong to one of them';
is +($mta->messages())[3]{from_params} =~ s/\ASIZE=\d+\z//r, '',
   'and not to the others';
like +($mta->messages())[3]{data},
     qr/\AReceived: from other\.example\.com .*\r\n(?:\t.*\r\n)+\z/,
     'the empty one has a Received field, and nothing else';

is_deeply [ $t->access_lines(10) ], [
    '250 accepted from=<one@a.example> to=<one@b.example> 1+0 19',
    '250 accepted from=<two@a.example> to=<two@b.example> 1+2 19',
    '503 aborted from=<three@a.example> to=<-> 0+1 0',
    '554 refused from=<four@a.example> to=<four@b.example> 1+0 22',
    '552 refused from=<five@a.example> to=<five@b.example> 1+0 2019',
    '550 refused from=<six@a.example> to=<six@b.example> 1+0 21',
    '- aborted from=<seven@a.example> to=<seven@b.example> 1+0 0',
    '- aborted from=<eight@a.example> to=<eight@b.example> 1+0 0',
    '250 accepted from=<> to=<nine@b.example,ten@b.example> 2+0 0',
    '- aborted from=<last@a.example> to=<last@b.example> 1+0 0',
], 'and a line in the log';

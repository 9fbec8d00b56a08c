#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The order of commands: RFC 5321, 4.1.4.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(18);

my $mta = $t->server('mta', on => { RCPT => sub {
    return $_[0] =~ /nobody/ ? '550 5.1.1 nobody here' : undef;
} });

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_max_errors  100;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }
}
EOC

my $helo = '503 5.5.1 Send EHLO or HELO first';
my $mail = '503 5.5.1 Need MAIL first';
my $rcpt = '503 5.5.1 Need RCPT first';
my $none = '554 5.5.1 No valid recipients';
my $nested = '503 5.5.1 Transaction already open';

my $sender = '250 2.1.0 Sender OK';
my $recipient = '250 2.1.5 recipient ok';
my $go = '354 End data with <CR><LF>.<CR><LF>';
my $taken = qr/^250 2\.0\.0 OK id=[0-9a-z]+$/;
my $ok = '250 2.0.0 OK';

sub connected {
    my $c = $t->client('smtp');

    $c->read_reply();

    return $c;
}


connected()->dialogue('EHLO comes first',
    [ 'MAIL FROM:<a@b.example>', $helo ],
    [ 'RCPT TO:<a@b.example>', $helo ],
    [ 'DATA', $helo ],
    [ 'AUTH PLAIN', $helo ],
    [ 'RSET', $ok ],
    [ 'NOOP', $ok ],
    [ 'MAIL FROM:<a@b.example>', $helo ],
    [ 'HELO a', '250 mx.example.com' ],
    [ 'MAIL FROM:<a@b.example>', $sender ],
);
connected()->dialogue('a wrong verb before EHLO is unknown all the same',
    [ 'FOO', '500 5.5.1 Command not recognized' ],
    [ 'QUIT', '221 2.0.0 Bye' ],
);

my $c = connected();

$c->ehlo();

$c->dialogue('MAIL comes before RCPT and DATA',
    [ 'RCPT TO:<a@b.example>', $mail ],
    [ 'DATA', $mail ],
    [ 'RCPT TO:<>', $mail ],
    [ 'RSET', $ok ],
    [ 'RCPT TO:<a@b.example>', $mail ],
);
is_deeply [ $mta->commands() ], [], 'and nobody was asked';

$c->dialogue('RCPT comes before DATA',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'DATA', $rcpt ],
    [ 'DATA', $rcpt ],
);
$c->dialogue('MAIL is not nested',
    [ 'MAIL FROM:<other@b.example>', $nested ],
    [ 'MAIL FROM:<', $nested ],
    [ 'RCPT TO:<one@b.example>', $recipient ],
    [ 'MAIL FROM:<other@b.example>', $nested ],
    [ 'RCPT TO:<two@b.example>', $recipient ],
    [ 'DATA', $go ],
    [ \"Subject: nested\r\n\r\nx\r\n.\r\n", $taken ],
);

my ($m) = $mta->messages();

is $m->{from}, 'a@b.example', 'the first sender counts';
is_deeply $m->{to}, [ 'one@b.example', 'two@b.example' ],
          'and what was refused in between changes nothing';

$c->dialogue('a transaction ends with its message',
    [ 'RCPT TO:<a@b.example>', $mail ],
    [ 'DATA', $mail ],
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'DATA', $rcpt ],
    [ 'RSET', $ok ],
);
$c->dialogue('RSET ends it, before and after RCPT',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RSET', $ok ],
    [ 'RCPT TO:<a@b.example>', $mail ],
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<a@b.example>', $recipient ],
    [ 'RSET', $ok ],
    [ 'DATA', $mail ],
    [ 'RSET', $ok ],
);
$c->dialogue('a refused MAIL begins none',
    [ 'MAIL FROM:<a', '501 5.1.7 Bad sender address syntax' ],
    [ 'RCPT TO:<a@b.example>', $mail ],
    [ 'MAIL FROM:<a@b.example> X=Y', '555 5.5.4 Unsupported parameter: X' ],
    [ 'RCPT TO:<a@b.example>', $mail ],
    [ 'MAIL FROM:<a@b.example> SIZE=99999999999',
      '552 5.3.4 Message size exceeds fixed limit' ],
    [ 'RCPT TO:<a@b.example>', $mail ],
);
$c->dialogue('all recipients refused: there is nobody for DATA',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<nobody@b.example>', '550 5.1.1 nobody here' ],
    [ 'DATA', $none ],
    [ 'RCPT TO:<somebody@b.example>', $recipient ],
    [ 'DATA', $go ],
    [ \"Subject: second try\r\n\r\nx\r\n.\r\n", $taken ],
);
is_deeply [ map { @{$_->{to}} } ($mta->messages())[1] ],
          [ 'somebody@b.example' ], 'one that is accepted afterwards counts';

$c->dialogue('commands that change nothing may stand anywhere',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'NOOP', $ok ],
    [ 'VRFY a', qr/^252 2\.0\.0 / ],
    [ 'RCPT TO:<a@b.example>', $recipient ],
    [ 'HELP', qr/^214 2\.0\.0 / ],
    [ 'FOO', '500 5.5.1 Command not recognized' ],
    [ 'NOOP', $ok ],
    [ 'DATA', $go ],
    [ \"Subject: in between\r\n\r\nx\r\n.\r\n", $taken ],
);
$c->dialogue('inside a transaction there is no AUTH and no STARTTLS',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'AUTH PLAIN', '503 5.5.1 Not permitted during a mail transaction' ],
    [ 'STARTTLS', '503 5.5.1 Not permitted during a mail transaction' ],
    [ 'RCPT TO:<a@b.example>', $recipient ],
    [ 'RSET', $ok ],
);
is $c->quit(), '221 2.0.0 Bye', 'QUIT';

# arguments of what takes none

$c = connected();
$c->ehlo();

$c->dialogue('DATA takes no argument',
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<a@b.example>', $recipient ],
    [ 'DATA now', '501 5.5.4 Syntax: DATA' ],
    [ 'DATA  ', $go ],
    [ \"Subject: DATA\r\n\r\nx\r\n.\r\n", $taken ],
);
is scalar(() = $mta->messages()), 4, 'each accepted message was relayed once';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Nothing of the client reaches the next hop unmediated; many recipients; mail
# that goes round in circles.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->write_conf(<<'EOC');
%%GLOBALS%%

events { }

mail {
    server_name       mx.example.com;
    smtp_relay_from   127.0.0.1;
    smtp_max_errors   10000;

    server {
        listen                127.0.0.1:%%PORT_smtp%%;
        protocol              smtp_ext;
        smtp_max_received     5;
        smtp_max_recipients   1000;
        smtp_pass             smtp://127.0.0.1:%%PORT_mta%%;
    }

    server {
        listen                127.0.0.1:%%PORT_buffered%%;
        protocol              smtp_ext;
        smtp_pass_mode        buffered;
        smtp_pass             smtp://127.0.0.1:%%PORT_mta%%;
    }
}
EOC

my $mta = $t->server('mta');

# addresses that are allowed, and how the next hop has them

my @good = (
    'plain@example.com',
    '"a b"@example.com',
    '"a\\"b"@example.com',
    '"a\\\\b"@example.com',
    '"<x>"@example.com',
    '"> SIZE=1"@example.com',
    '"a,b;c:d"@example.com',
    '"@"@example.com',
    '$x{y}|`z`@example.com',
    'a@[127.0.0.1]',
    'a@[IPv6:::1]',
    'x' x 64 . '@' . join '.', 'y' x 60, 'z' x 60, 'example.com',
);

my @bad = (
    "a\rRSET\@example.com",
    "\"a\rQUIT\"\@example.com",
    "a\0b\@example.com",
    "\"a\0b\"\@example.com",
    "a\tb\@example.com",
    "a> NOTIFY=NEVER <b\@example.com",
    "\"a\@example.com",
    "a\xffb\@example.com",
    "\"a\x07b\"\@example.com",
    'a@example.com> RET=FULL',
    '@example.com',
    'a@',
    'x' x 300 . '@example.com',
);

$t->plan(2 * @good + @bad + 25)->run();

sub client {
    my ($port) = @_;

    my $c = $t->client($port || 'smtp', timeout => 20);

    $c->read_reply();
    $c->ehlo();

    return $c;
}

my $c = client();

for my $address (@good) {
    like $c->send_message(from => $address, to => $address), qr/^250/,
         "taken: $address";
    is_deeply [ @{($mta->messages())[-1]{commands}}[-3 .. -1] ],
        [ "MAIL FROM:<$address>", "RCPT TO:<$address>", 'DATA' ],
        'and sent on as it is';
}

my $commands = () = $mta->commands();

for my $address (@bad) {
    my $name = $address =~ s/([^\x20-\x7e])/sprintf '\\x%02x', ord $1/ger;

    like join(' ', $c->mail($address), $c->mail('a@example.com'),
              $c->rcpt($address), $c->cmd('RSET')),
         qr/^5\d\d .* 250 .* 5\d\d .* 250 /s, "refused: $name";
}

is scalar(() = $mta->commands()), $commands,
   'the next hop has heard nothing of these';

# a bare LF would begin a new line there

for my $lf ("a\nRSET", "\"a\nRSET\"") {
    my $d = client();

    $d->mail('a@example.com');
    $d->send_raw("RCPT TO:<$lf\@example.com>\r\n");
    like $d->read_reply(), qr/^500 5\.5\.2 Bare <LF>/, 'bare LF';
    ok $d->eof(), 'closed';
}

ok !(grep { /RSET\@|"$/ } $mta->commands()), 'no command of that';

# commands inside mail data stay there

my $text = "a\r\n..\r\nQUIT\r\nMAIL FROM:<evil\@example.com>\r\n.\r\n";

$commands = () = $mta->commands();
like $c->send_message(data => $text), qr/^250/, 'commands in the text';
like +($mta->messages())[-1]{data}, qr/\Q$text\E\z/, 'are text';
is scalar(() = $mta->commands()), $commands + 3, 'and no commands';

# what a client calls itself, in Received and nowhere else

$c = $t->client('smtp');
$c->read_reply();
$c->ehlo("evil\r\nMAIL");
$c->read_reply();
$c->ehlo('evil(comment)');
like $c->last_reply(), qr/^(250|501) /m, 'a strange name';
$c->ehlo();
like $c->send_message(), qr/^250/, 'taken';
unlike +($mta->messages())[-1]{data}, qr/comment/, 'not the bad name';

# loops

sub received { join '', map { "Received: from $_ by b\r\n\tid $_;\r\n" } @_ }

$c = client();
like $c->send_message(data => received(1 .. 5) . "Subject: x\r\n\r\nx\r\n"),
     qr/^250/, 'five times on its way';
is $c->send_message(data => received(1 .. 6) . "Subject: x\r\n\r\nx\r\n"),
   '554 5.4.6 Too many hops, mail loop', 'six times is a loop';
like $c->send_message(data => "Subject: x\r\n\r\n" . received(1 .. 20)),
     qr/^250/, 'in the text they do not count';

# many recipients

$c = client();

my @to = map { "user$_\@example.com" } 1 .. 1000;

$c->pipeline('MAIL FROM:<a@example.com>', map { "RCPT TO:<$_>" } @to);
$c->pipeline('DATA');
is $c->read_reply(), '250 2.1.0 Sender OK', 'MAIL';
is_deeply [ $c->read_replies(1000) ], [ ('250 2.1.5 recipient ok') x 1000 ],
    '1000 recipients in one write';
like $c->read_reply(), qr/^354/, 'DATA';
$c->body("x\r\n");
like $c->read_reply(), qr/^250/, 'taken';
is_deeply +($mta->messages())[-1]{to}, \@to, 'all are there';

$c->mail('a@example.com');
$c->pipeline(map { "RCPT TO:<$_>" } @to, 'more@example.com');
is_deeply [ ($c->read_replies(1001))[1000] ],
    [ '452 4.5.3 Too many recipients' ], 'one more is too many';
like $c->data("x\r\n"), qr/^250/, 'taken for the others';

# the same in one go, by nginx

$c = client('buffered');
$c->mail('a@example.com');
$c->pipeline(map { "RCPT TO:<$_>" } @to);
is_deeply [ $c->read_replies(1000) ], [ ('250 2.1.5 Recipient OK') x 1000 ],
    'buffered';
like $c->data("x\r\n"), qr/^250/, 'taken';
is_deeply +($mta->messages())[-1]{to}, \@to, 'all are there';

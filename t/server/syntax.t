#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The syntax of MAIL and RCPT and of their parameters: RFC 5321, 4.1.1.2,
# 4.1.1.3, 4.1.1.11, 4.1.2.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(212);

my $mta = $t->server('mta');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;

    server {
        listen           127.0.0.1:%%PORT_smtp%%;
        protocol         smtp_ext;
        smtp_max_errors  1000;
    }
}
EOC

my $mail = '501 5.5.4 Syntax: MAIL FROM:<address> [parameters]';
my $rcpt = '501 5.5.4 Syntax: RCPT TO:<address> [parameters]';
my $sender = '501 5.1.7 Bad sender address syntax';
my $recipient = '501 5.1.3 Bad recipient address syntax';
my $parameter = '501 5.5.4 Bad parameter: ';
my $unknown = '555 5.5.4 Unsupported parameter: ';
my $ok = '250 2.1.0 Sender OK';
my $too_big = '552 5.3.4 Message size exceeds fixed limit';

my $c = $t->client('smtp');

$c->read_reply();
$c->ehlo();

# what the command words are followed by

for my $args ('', 'banana', 'FROM', 'FROM <a@b.example>', '<a@b.example>',
              'a@b.example', 'TO:<a@b.example>', 'FROM;<a@b.example>',
              'FROM :<a@b.example>', "\tFROM:<a\@b.example>",
              ' FROM:<a@b.example>')
{
    is $c->cmd("MAIL $args"), $mail, "MAIL $args";
}

is $c->cmd('MAIL'), $mail, 'MAIL alone';

# addresses that are none

my $bad_for_both = [
    '', '<', '>', 'a@b.example', '<a@b.example', 'a@b.example>', '<@>',
    '<a@>', '<@b.example>', '<a>', '<a@b@c>', '<a@b..c>', '<a@.b>', '<a@b.>',
    '<.a@b>', '<a.@b>', '<a..b@c>', '<a b@c>', '<a@b c>', '< a@b>', '<a@b >',
    '<<a@b>>', '<a@-b>', '<a@b->', '<a@b_c>', '<"a@b>',
    '<"a"b@c>', '<"a""b"@c>', '<a"b"@c>', '<"a\\"@b>', "<a\t\@b>", "<a\@b\t>",
    "<\"a\0b\"\@c>", "<\"a\x01b\"\@c>", "<\"a\x7fb\"\@c>", "<\"a\\\tb\"\@c>",
    "<a\0\@b>", "<a\@b\0>", "<\xe9\@b>", "<a\@\xe9>",
    '<a@[1.2.3]>', '<a@[1.2.3.256]>', '<a@[1.2.3.4>', '<a@1.2.3.4]>',
    '<a@[1.2.3.4].b>', '<a@[IPv6:]>', '<a@[IPv6:1]>', '<a@[IPv6:1::2::3]>',
    '<a@[IPv6:12345::]>', '<a@[tag]>', '<a@[tag:]>', '<a@[tag:a b]>',
    '<a@[]>', '<a(comment)@b>', '<a,b@c>', '<a:b@c>', '<a;b@c>', '<a\\b@c>',
    '<@a:b>', '<@a b@c>', '<@a,b:c@d>', '<@a:>', '<@:a@b>', '<a@b:c@d>',
    '<@a,:b@c>', '<@[1.2.3.4:a@b>',
    '<' . 'a' x 65 . '@b.example>', '<"' . 'a' x 63 . '"@b.example>',
    '<a@' . 'b' x 64 . '.example>',
    '<a@' . join('.', ('b' x 49) x 5, 'example') . '>',
    '<' . 'a' x 64 . '@' . join('.', ('b' x 63) x 3) . '>',
];

sub shown { substr $_[0] =~ s/([^\x20-\x7e])/sprintf '\\x%02x', ord $1/ger,
                   0, 70 }

for my $path (@$bad_for_both) {
    is $c->cmd("MAIL FROM:$path"), $sender, 'bad sender ' . shown($path);
}

is $c->cmd('MAIL FROM:<postmaster>'), $sender,
   'a sender "postmaster" needs a domain';

# the parameters of MAIL

for my $try (
    [ 'X=1', $unknown . 'X' ],
    [ 'BANANA', $unknown . 'BANANA' ],
    [ 'x-y9=', $parameter . 'syntax' ],
    [ 'SIZE=1 X', $unknown . 'X' ],
    [ 'REQUIRETLS', $unknown . 'REQUIRETLS' ],
    [ 'AUTH=<>', $unknown . 'AUTH' ],
    [ 'SIZ=1', $unknown . 'SIZ' ],
    [ 'SIZES=1', $unknown . 'SIZES' ],
    [ 'SIZE', $parameter . 'SIZE' ],
    [ 'SIZE=', $parameter . 'syntax' ],
    [ 'SIZE=a', $parameter . 'SIZE' ],
    [ 'SIZE=-1', $parameter . 'SIZE' ],
    [ 'SIZE=1a', $parameter . 'SIZE' ],
    [ 'SIZE=1 SIZE=1', $parameter . 'SIZE' ],
    [ 'SIZE=1 size=2', $parameter . 'size' ],
    [ 'SIZE=' . '9' x 20, $too_big ],
    [ 'SIZE=' . '9' x 21, $parameter . 'SIZE' ],
    [ 'SIZE=33554433', $too_big ],
    [ 'SIZE==1', $parameter . 'syntax' ],
    [ 'SIZE =1', $parameter . 'SIZE' ],
    [ '=1', $parameter . 'syntax' ],
    [ '-X=1', $parameter . 'syntax' ],
    [ 'X=a=b', $parameter . 'syntax' ],
    [ 'X_Y=1', $parameter . 'syntax' ],
    [ "X=\x01", $parameter . 'syntax' ],
    [ "X=\xe9", $parameter . 'syntax' ],
    [ "SIZE=1\tX=1", $parameter . 'syntax' ],
    [ 'BODY', $parameter . 'BODY' ],
    [ 'BODY=9BIT', $parameter . 'BODY' ],
    [ 'BODY=7BIT BODY=8BITMIME', $parameter . 'BODY' ],
) {
    is $c->cmd("MAIL FROM:<a\@b.example> $try->[0]"), $try->[1],
       'MAIL with ' . shown($try->[0]);
}

is $c->cmd('MAIL FROM:<a@b.example>SIZE=1'), $parameter . 'syntax',
   'a parameter needs a space before it';

for my $try ('FROM:<a@b.example> SIZE=1 BODY=7BIT', 'FROM:<>',
             'from:<a@b.example>  size=33554432', 'FROM: <a@b.example>',
             'FROM:<a@b.example> SIZE=0', 'FROM:<> body=8bitmime   ',
             'FROM:<a@b.example> SIZE=00000000000000000001',
             'FROM:<postmaster@b.example> ')
{
    is $c->cmd("MAIL $try"), $ok, "MAIL $try";
    $c->cmd('RSET');
}

# RCPT

$c->mail('a@b.example');

for my $args ('', 'banana', 'TO', 'TO <a@b.example>', 'FROM:<a@b.example>',
              'TO :<a@b.example>', '<a@b.example>')
{
    is $c->cmd("RCPT $args"), $rcpt, "RCPT $args";
}

for my $path (@$bad_for_both, '<>', '<postmaster', '<postmasters>',
              '<postmaster >')
{
    is $c->cmd("RCPT TO:$path"), $recipient, 'bad recipient ' . shown($path);
}

for my $try (
    [ 'X=1', $unknown . 'X' ],
    [ 'SIZE=1', $unknown . 'SIZE' ],
    [ 'BODY=7BIT', $unknown . 'BODY' ],
    [ 'X=', $parameter . 'syntax' ],
    [ '=', $parameter . 'syntax' ],
) {
    is $c->cmd("RCPT TO:<a\@b.example> $try->[0]"), $try->[1],
       "RCPT with $try->[0]";
}

is_deeply [ $mta->commands() ], [], 'of all that the next hop saw nothing';

is $c->rcpt('a@b.example'), '250 2.1.5 recipient ok', 'the session goes on';

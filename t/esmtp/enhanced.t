#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# ENHANCEDSTATUSCODES: RFC 2034, RFC 3463.  Each reply that may carry a code
# has one, of the class of its first digit.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(55);

# what the next hop says to RCPT is in the address

my %says = (
    good => '250 2.1.5 fine',
    plain => '250 fine',
    full => '452 4.2.2 mailbox full',
    gone => '550 5.1.1 no such user',
    busy => '450 try later',
    never => '550 never',
    odd => '550 4.7.1 class of another',
    deep => '550 5.123.456 three digits',
    wide => '550 5.1234.1 four digits',
    lines => "550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three",
    mixed => "450-4.7.1 one\r\n450 two",
    empty => '550',
    only => '550 5.1.1',
    ctl => "550 5.1.1 a\x01b\tc\xe9",
    long => '550 5.1.1 ' . 'x' x 600,
);

my $mta = $t->server('mta', on => { RCPT => sub {
    my ($verb) = $_[0] =~ /<(\w+)@/;

    return $says{$verb};
} });

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_max_errors  1000;

    server {
        listen     127.0.0.1:%%PORT_smtp%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_mta%%;
    }
}
EOC

my $c = $t->client('smtp');

# those that have none: RFC 2034, 4

unlike $c->read_reply(), qr/\d\.\d\.\d/, 'the greeting has none';
unlike $c->cmd('EHLO client.example.com'), qr/\d\.\d\.\d/, 'EHLO has none';
unlike $c->cmd('HELO client.example.com'), qr/\d\.\d\.\d/, 'HELO has none';

$c->ehlo();

# all others

for my $command ('EHLO a b', 'HELO', 'NOOP', 'NOOP x', 'RSET', 'RSET x',
                 'VRFY', 'VRFY a', 'EXPN a', 'HELP', 'FOO', '', "NO\rOP",
                 'x' x 3000, 'STARTTLS', 'STARTTLS x', 'AUTH', 'AUTH PLAIN',
                 'RCPT TO:<a@b.example>', 'DATA', 'DATA x', 'QUIT x', 'MAIL',
                 'MAIL FROM:<', 'MAIL FROM:<a@b.example> X',
                 'MAIL FROM:<a@b.example> SIZE=x',
                 'MAIL FROM:<a@b.example> SIZE=99999999999',
                 'MAIL FROM:<a@b.example>', 'MAIL FROM:<a@b.example>', 'DATA',
                 'RCPT', 'RCPT TO:<', 'RCPT TO:<a@b.example> X')
{
    like $c->cmd($command), qr/^([245])\d\d \1\.\d{1,3}\.\d{1,3} \S/,
         'has one: "' . substr($command =~ s/\r/\\r/gr, 0, 40) . '"';
}

# the next hop's own, and what is put in place of none

for my $try (
    [ good => '250 2.1.5 fine' ],
    [ plain => '250 2.0.0 fine' ],
    [ full => '452 4.2.2 mailbox full' ],
    [ gone => '550 5.1.1 no such user' ],
    [ busy => '450 4.0.0 try later' ],
    [ never => '550 5.0.0 never' ],
    [ deep => '550 5.123.456 three digits' ],
    [ lines => "550-5.7.1 one\n550-5.7.1 two\n550 5.7.1 three" ],
) {
    is $c->cmd("RCPT TO:<$try->[0]\@b.example>"), $try->[1],
       "the next hop says \"$says{$try->[0]}\"" =~ s/\r\n/\\r\\n/gr;
}

for my $name ('odd', 'wide', 'mixed', 'empty', 'only', 'ctl', 'long') {
    my $reply = $c->cmd("RCPT TO:<$name\@b.example>");

    ok !(grep { !/^([245])\d\d[ -]\1\.\d{1,3}\.\d{1,3} [\x20-\x7e]*$/
                || length > 510 } split /\n/, $reply),
       "what is odd is put in order: $name" or diag $reply;
}

is $c->cmd('RCPT TO:<good@b.example>'), '250 2.1.5 fine',
   'and the session is in step';

unlike $c->cmd('DATA'), qr/\d\.\d\.\d/, '354 has none';
$c->body("Subject: x\r\n\r\nx\r\n");
like $c->read_reply(), qr/^250 2\.0\.0 OK id=/, 'the end of data has one';
is $c->cmd('QUIT'), '221 2.0.0 Bye', 'QUIT has one';

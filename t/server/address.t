#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Addresses arrive at the next hop as they were given, octet by octet, without
# the source route: RFC 5321, 2.3.11, 3.3, 4.1.1.3, 4.1.2, 4.5.3.1.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(37);

my $mta = $t->server('mta');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;

    smtp_log_format  addresses  '$smtp_mail_from $smtp_rcpt_to';

    server {
        listen           127.0.0.1:%%PORT_smtp%%;
        protocol         smtp_ext;
        smtp_access_log  %%TESTDIR%%/access.log  addresses;
    }
}
EOC

my $c = $t->client('smtp');

$c->read_reply();
$c->ehlo();

# what is said in each position, and what arrives

my @same = (
    'user@example.com',
    'User.Name+tag@Example.COM',
    "!#\$%&'*+-/=?^_`{|}~\@example.com",
    'a@b',
    '1@2.3',
    'a@xn--bcher-kva.example',
    '"user"@example.com',
    '"a b"@example.com',
    '""@example.com',
    '"a@b"@example.com',
    '"a>b"@example.com',
    '"<a>"@example.com',
    '"a\\"b"@example.com',
    '"a\\\\"@example.com',
    '"\\a"@example.com',
    '"a,b;c:d"@example.com',
    '".a..b."@example.com',
    '"> X=Y"@example.com',
    'a@[192.0.2.1]',
    'a@[IPv6:2001:db8::1]',
    'a@[IPv6:::ffff:192.0.2.1]',
    'a@[IPv6:1:2:3:4:5:6:7:8]',
    'a@[ipv6:::]',
    'a@[tag:content!#]',
    'a' x 64 . '@example.com',
    '"' . 'a' x 62 . '"@example.com',
    'a@' . 'b' x 63 . '.' . 'c' x 63 . '.example',
    'a' x 62 . '@' . join('.', ('b' x 63) x 2, 'c' x 62),
);

for my $address (@same) {
    $c->send_message(from => $address, to => $address);
}

my @messages = $mta->messages();

is scalar @messages, scalar @same, 'all of them were taken';

for my $address (@same) {
    my $m = shift @messages;
    my ($mail, $rcpt) = grep { /^(?:MAIL|RCPT)/ } @{$m->{commands}};

    is_deeply [ $mail =~ s/ SIZE=\d+\z//r, $rcpt ],
              [ "MAIL FROM:<$address>", "RCPT TO:<$address>" ],
              substr $address, 0, 70;
}

# those that don't arrive as they were said

my @other = (
    [ '@relay.example:user@example.com', 'user@example.com',
      'a source route' ],
    [ '@a.example,@b.example,@c.example:"a b"@[192.0.2.1]',
      '"a b"@[192.0.2.1]', 'a long one' ],
);

for my $try (@other) {
    my $taken = $c->send_message(from => $try->[0], to => $try->[0]);
    my $m = ($mta->messages())[-1];

    is_deeply [ $taken =~ /^(250)/, $m->{from}, @{$m->{to}} ],
              [ 250, $try->[1], $try->[1] ], "$try->[2] is left out";
}

for my $name ('postmaster', 'Postmaster', 'POSTMASTER') {
    $c->send_message(from => '', to => $name);

    my $m = ($mta->messages())[-1];

    is_deeply [ $m->{from}, @{$m->{to}} ], [ '', $name ],
              "the empty sender, and <$name>";
}

# more than one; order and repetition are the client's

my @to = ('b@example.com', '"c"@example.com', 'a@example.com',
          'b@example.com');

$c->send_message(to => \@to);
is_deeply [ @{($mta->messages())[-1]{to}} ], \@to, 'several, in their order';

# the longest path has 256 octets, with a source route and brackets

my $route = '@' . join('.', ('r' x 57) x 3) . ':';
my $tail = 'x.' x 5;

$tail .= 'x' x (256 - 2 - length("${route}a\@$tail.example"));

$c->dialogue('the longest path',
    [ "MAIL FROM:<${route}a\@$tail.example>", '250 2.1.0 Sender OK' ],
    [ 'RSET', '250 2.0.0 OK' ],
    [ "MAIL FROM:<${route}aa\@$tail.example>",
      '501 5.1.7 Bad sender address syntax' ],
);

# they are in the log on one line each

$c->quit();

my @lines = $t->access_lines(scalar @same);

is scalar(grep { /^"a b"\@example\.com "a b"\@example\.com$/
                 || /^\\x22a b\\x22\@example\.com / } @lines), 1,
   'a quoted address is in the log';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# smtp_recipient{}: which of them a recipient belongs to, what becomes of its
# address, one destination for each message.

use warnings;
use strict;

use Test::More;
use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();
my %mta = map { $_ => $t->server($_) }
          qw/ exact domain subdomain regex any /;

# recipient, next hop, address there (the same, if not given)

my @routes = (
    [ 'user@example.com', 'exact' ],
    [ 'USER@Example.COM', 'exact' ],
    [ '"user"@example.com', 'exact' ],
    [ '"us\er"@example.com', 'exact' ],
    [ '"john doe"@example.com', 'exact' ],
    [ '"JOHN DOE"@EXAMPLE.com', 'exact' ],
    [ 'user@[192.0.2.9]', 'exact' ],
    [ 'postmaster', 'exact', 'admin@example.com' ],
    [ 'PostMaster', 'exact', 'admin@example.com' ],
    [ 'postmaster@example.com', 'domain' ],
    [ 'else@example.com', 'domain' ],
    [ 'else@EXAMPLE.COM', 'domain' ],
    [ 'box+tag@example.com', 'domain' ],
    [ 'a@sub.example.com', 'subdomain' ],
    [ 'a@deep.Sub.example.com', 'subdomain' ],
    [ 'a@x.inner.example.com', 'any' ],
    [ 'a@inner.example.com', 'subdomain' ],
    [ 'a@xexample.com', 'any' ],
    [ 'a@com', 'any' ],
    [ 'Box+Tag@Example.org', 'regex', 'Box@example.org' ],
    [ '"box+tag"@example.org', 'regex', 'box@example.org' ],
    [ 'box@example.org', 'any' ],
    [ 'CASE@re.example', 'regex', 'insensitive@example.net' ],
    [ 'case@re.example', 'regex', 'sensitive@example.net' ],
    [ 'opt@re.example', 'regex', 'opt@example.net' ],
    [ 'opt-1@re.example', 'regex', 'opt-1@example.net' ],
    [ 'whoever@nowhere.example', 'any' ],
    [ 'a@[192.0.2.1]', 'any' ],
);

$t->plan(@routes + 12);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name  mx.example.com;

    smtp_recipient  *                      { smtp_pass 127.0.0.1:%%PORT_any%%; }

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;

        smtp_recipient  *  { smtp_pass smtp://127.0.0.1:%%PORT_any%%; }

        smtp_recipient  "~*^case@re\.example$"  {
            smtp_rewrite  insensitive@example.net;
            smtp_pass     127.0.0.1:%%PORT_regex%%;
        }

        smtp_recipient  @.example.com        { smtp_pass 127.0.0.1:%%PORT_subdomain%%; }
        smtp_recipient  @.inner.Example.com  { smtp_pass 127.0.0.1:%%PORT_any%%; }
        smtp_recipient  @Example.com         { smtp_pass 127.0.0.1:%%PORT_domain%%; }
        smtp_recipient  User@example.com     { smtp_pass 127.0.0.1:%%PORT_exact%%; }
        smtp_recipient  user@[192.0.2.9]     { smtp_pass 127.0.0.1:%%PORT_exact%%; }
        smtp_recipient  '"John Doe"@example.com' { smtp_pass 127.0.0.1:%%PORT_exact%%; }

        smtp_recipient  Postmaster {
            smtp_pass     smtp://127.0.0.1:%%PORT_exact%%;
            smtp_rewrite  admin@example.com;
        }

        smtp_recipient  "~^(.+)\+[^@]*@(example\.org)$" {
            smtp_rewrite  $1@$2;
            smtp_pass     127.0.0.1:%%PORT_regex%%;
        }

        smtp_recipient  "~^opt(-[0-9])?(x)?@re\.example$" {
            smtp_rewrite  opt$1$2@example.net;
            smtp_pass     127.0.0.1:%%PORT_regex%%;
        }

        smtp_recipient  "~^bad(.*)@re\.example$" {
            smtp_rewrite  $1@example.net;
            smtp_pass     127.0.0.1:%%PORT_regex%%;
        }
    }

    server {
        listen    127.0.0.1:%%PORT_case%%;
        protocol  smtp_ext;

        smtp_recipient  "~^case@re\.example$"  {
            smtp_rewrite  sensitive@example.net;
            smtp_pass     127.0.0.1:%%PORT_regex%%;
        }

        smtp_recipient  "~*^case@re\.example$"  {
            smtp_rewrite  insensitive@example.net;
            smtp_pass     127.0.0.1:%%PORT_regex%%;
        }

        smtp_recipient  postmaster@mx.example.com {
            smtp_pass  127.0.0.1:%%PORT_exact%%;
        }
    }

    server {
        listen    127.0.0.1:%%PORT_inherit%%;
        protocol  smtp_ext;
    }
}
EOC

for my $route (@routes) {
    my ($to, $name, $as) = @$route;

    my $c = $t->client($to =~ /^case@/i ? 'case' : 'smtp');
    my $n = () = $mta{$name}->messages();

    $c->read_reply();
    $c->ehlo();
    $c->send_message(to => $to);
    $c->quit();

    $mta{$name}->wait_messages($n + 1);

    is join(',', map { @{$_->{to}} } ($mta{$name}->messages())[$n .. $n]),
       $as // $to, "$to goes to $name";
}

# the sum of all: nothing went twice

my $sum = 0;
$sum += () = $_->messages() for values %mta;

is $sum, scalar @routes, 'one message each';

# a server's own list replaces the inherited one

my $c = $t->client('case');
$c->read_reply();
$c->ehlo();

$c->mail('a@example.com');
like $c->rcpt('else@example.com'), qr/^550 5\.7\.1 /, 'no rule, not accepted';
like $c->rcpt('PostMaster'), qr/^250 /, 'postmaster of server_name';
like $c->rcpt('else@example.com'), qr/^550 5\.7\.1 /, 'still not';
$c->quit();

$c = $t->client('inherit');
$c->read_reply();
$c->ehlo();
$c->mail('a@example.com');
like $c->rcpt('else@example.net'), qr/^250 /, 'rules of mail{}';
$c->quit();

# an address that can't be made

$c = $t->client('smtp');
$c->read_reply();
$c->ehlo();
$c->mail('a@example.com');
like $c->rcpt('bad@re.example'), qr/^451 4\.3\.0 /, 'rewritten to nothing';
ok $t->wait_log(qr/"bad\@re\.example" was rewritten to the invalid address "\@example\.net"/),
   'which is in the log';
like $c->rcpt('badly@re.example'), qr/^250 /, 'rewritten to an address';

# one destination for each transaction, in every transaction

like $c->rcpt('user@example.com'), qr/^452 4\.5\.3 /, 'another destination';
like $c->rcpt('box+a@example.org'), qr/^250 /, 'the same again';
$c->data("Subject: x\r\n\r\nx\r\n");

is_deeply [ map { $_->{to} } ($mta{regex}->messages())[-1] ],
          [ [ 'ly@example.net', 'box@example.org' ] ], 'both of one message';

$c->mail('a@example.com');
like $c->rcpt('user@example.com'), qr/^250 /, 'another transaction';
$c->quit();

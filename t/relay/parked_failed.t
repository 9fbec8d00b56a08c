#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# A parked transaction that can't go on: its server has failed as any other that
# was chosen, and is not asked again.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

my @groups = qw/ plain zone once alone /;
my %more = (zone => 'zone  zone 64k;');
my %servers = map { $_ => [ map { $t->port("$_") } "${_}1", "${_}2" ] } @groups;

pop @{$servers{alone}};

$t->write_conf(<<"EOC")->plan(25)->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;

@{[ map { my $name = $_; <<"EOS" } @groups ]}
    smtp_upstream $_ {
        @{[ $more{$_} // '' ]}
        @{[ map { "server  127.0.0.1:$servers{$name}[$_]  max_conns=2"
                  . "  max_fails=1  fail_timeout=1h"
                  . ($_ ? '  backup;' : ';') } 0 .. $#{$servers{$_}} ]}
    }

    server {
        listen     127.0.0.1:%%PORT_$_%%;
        protocol   smtp_ext;
        smtp_pass  smtp://$_;
        @{[ $_ eq 'once' ? 'smtp_next_upstream_tries  1;' : '' ]}
    }
EOS
}
EOC

my %mta = map { $_ => $t->server($_) }
          map { my $name = $_; map { "$name$_" } 1, 2 } @groups;
my $broken = '451 4.4.2 Connection to destination server failed';

# connections and messages of each server

sub seen {
    my ($name) = @_;

    return join ', ', map { $_->connections() . '/' . $_->messages() }
                      map { $mta{"$name$_"} } 1, 2;
}

sub disabled {
    my ($name) = @_;

    my $port = $t->port("${name}1");

    return scalar(() = $t->notices()
                  =~ /server 127\.0\.0\.1:$port temporarily disabled/g);
}

for my $name ('plain', 'zone') {
    my $c = $t->connected($name);

    $c->mail('a@example.com');
    is $c->rcpt('b@example.com'), '250 2.1.5 recipient ok',
       "$name: a transaction is parked";

    # no answer to DATA, so it is no kept connection that has gone

    $mta{"${name}1"}->set(on => { DATA => '250 2.0.0 what' });
    like $c->data("x\r\n"), qr/^250 2\.0\.0 OK/, "$name: taken";
    is seen($name), '1/0, 1/1', "$name: the other one is asked at once";
    is disabled($name), 1, "$name: the failure counts";

    like $c->send_message(), qr/^250 2\.0\.0 OK/, "$name: the next message";
    is seen($name), '1/0, 1/2', "$name: is not for who has failed";
}

# what is allowed is one

my $c = $t->connected('once');

$c->mail('a@example.com');
$c->rcpt('b@example.com');
$mta{once1}->set(on => { DATA => '250 2.0.0 what' });
is $c->data("x\r\n"), $broken, 'once: the parked one is the only try';
is seen('once'), '1/0, 0/0', 'once: nobody else is asked';
is disabled('once'), 1, 'once: the failure counts';

# there is no other

$c = $t->connected('alone');
$c->mail('a@example.com');
$c->rcpt('b@example.com');
$mta{alone1}->set(on => { DATA => '250 2.0.0 what' });
is $c->data("x\r\n"), $broken, 'alone: refused';
is seen('alone'), '1/0, 0/0', 'alone: it is not asked again';
$mta{alone1}->set(on => {});
like $c->send_message(), qr/^250 2\.0\.0 OK/, 'alone: but for the next message';
is seen('alone'), '2/1, 0/0', 'alone: on another connection';

# a recipient, too

$c = $t->connected('alone');
$c->mail('a@example.com');
$c->rcpt('b@example.com');
$mta{alone1}->set(on => { RCPT => '354 what' });
like $c->rcpt('c@example.com'), qr/^4/, 'the second recipient: refused for now';
$mta{alone1}->set(on => {});
like $c->rcpt('c@example.com'), qr/^250/, 'the same again: asked anew';
like $c->data("x\r\n"), qr/^250 2\.0\.0 OK/, 'and taken';
is_deeply +($mta{alone1}->messages())[-1]{to},
    [ 'b@example.com', 'c@example.com' ], 'with both';

# which was the first: 421, or an end, may be the answer to what was before

$c = $t->connected('alone');
$c->mail('a@example.com');
$c->rcpt('b@example.com');

my $connections = $mta{alone1}->connections();

$mta{alone1}->set(fault => { at => 'DATA', do => 'close', n => 1 });
like $c->data("x\r\n"), qr/^250 2\.0\.0 OK/, 'one that has been closed';
is $mta{alone1}->connections(), $connections + 1,
   'is no failure, the same server is connected to';

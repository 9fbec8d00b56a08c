#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Delivery: what happens to a message whose recipients were accepted, when the
# next hop thinks better of it; smtp_pass_mode buffered; a message that is lost
# on the way.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new();
my $ms = scaled(500);

$t->write_conf(<<"EOC")->plan(36)->run();
%%GLOBALS%%

events { }

mail {
    server_name       mx.example.com;
    smtp_relay_from   127.0.0.1;
    smtp_max_errors   1000;
    smtp_pass         smtp://mtas;

    smtp_pass_send_timeout   ${ms}ms;

    smtp_max_message_size    100m;
    smtp_body_buffer_size    64k;
    smtp_temp_path           %%TESTDIR%%/smtp_temp;

    smtp_log_format  main  '\$smtp_status \$smtp_upstream_addr "\$smtp_reply"';
    smtp_access_log  %%TESTDIR%%/access.log main;

    # every question and every delivery has a connection of its own

    smtp_upstream mtas {
        server     127.0.0.1:%%PORT_first%%   max_fails=0;
        server     127.0.0.1:%%PORT_second%%  max_fails=0  backup;
        keepalive  0;
    }

    server {
        listen     127.0.0.1:%%PORT_smtp%%;
        protocol   smtp_ext;
    }

    server {
        listen          127.0.0.1:%%PORT_buffered%%;
        protocol        smtp_ext;
        smtp_pass_mode  buffered;
    }
}
EOC

my @ext = (ehlo => [ qw/ PIPELINING 8BITMIME / ]);

my $first = $t->server('first', keep_data => 0, @ext);
my $second = $t->server('second', @ext);

sub delivered { join '/', map { scalar(() = $_->messages()) } $first, $second }

# The first answers are to the questions at RCPT, the others at delivery.

sub again {
    my ($c, @replies) = @_;
    my @to = map { "$_\@example.com" } 'a' .. 'c';

    $first->set(on => { RCPT => [ ('250 2.1.5 ok') x 3, @replies ] });

    return $c->send_message(to => \@to);
}

my $c = $t->connected();
my $ok = '250 2.1.5 ok';
my $changed = '451 4.4.5 Destination server now refuses a recipient, try again';

is again($c, $ok, '550 5.1.1 gone', $ok), $changed,
   'one is refused for good now: the client shall come back and be told';
is again($c, $ok, '450 4.2.0 later', $ok), '450 4.2.0 later',
   'one is refused for now';
is again($c, '550 5.1.1 gone', '450 4.2.0 later', $ok), '450 4.2.0 later',
   'of several the temporary one counts';
is again($c, '450 4.2.0 later', '550 5.1.1 gone', '551 5.1.1 gone'),
   '450 4.2.0 later', 'whatever their order';
is again($c, '550 5.1.1 gone a', '550 5.1.1 gone b', '550 5.1.1 gone c'),
   '550 5.1.1 gone a', 'all of them: a reply for them all';
is delivered(), '0/0', 'nobody got anything of these';
ok !(grep { /^DATA/ } $first->commands()), 'nor was DATA said';

is again($c, $ok, $ok, $ok) =~ s/ id=.*//r, '250 2.0.0 OK',
   'the same session goes on';
is delivered(), '1/0', 'delivered';

# one recipient: DATA goes out with RCPT

$first->set(on => { RCPT => [ $ok, '550 5.1.1 gone' ] });
is $c->send_message(), '550 5.1.1 gone', 'the only one is refused';
$first->set(on => { DATA => '451 4.3.0 no data' });
is $c->send_message(), '451 4.3.0 no data', 'DATA is refused for now';
$first->set(on => { DATA => '554 5.3.0 no data' });
is $c->send_message(), '554 5.3.0 no data', 'DATA is refused';

# the server waits for data though there is nobody to get it

$first->set(on => { RCPT => [ $ok, '550 5.1.1 gone' ], DATA => '354 go on' });
is $c->send_message(), '550 5.1.1 gone', 'refused, and 354';
is delivered(), '1/0', 'an empty message is not left there';

# 421 between the steps: another server

for my $verb (qw/ MAIL RCPT DATA /) {
    my $was = delivered();

    $first->set(on => { $verb => [ $verb eq 'DATA' ? () : '250 2.0.0 ok',
                                   '421 4.3.2 Bye' ] });
    like $c->send_message(), qr/^250/, "421 to $verb at delivery";
    is delivered(), $was =~ s!/(\d+)!'/' . ($1 + 1)!er,
       'the second server has it';
}

# a big message, in the middle of which the next hop goes away

my $big = ('x' x 78 . "\r\n") x 250_000;
my $dots = (".\r\n" . 'x' x 75 . "\r\n") x 250_000;

for my $case ([ 'as it is', $big ], [ 'piece by piece', $dots ]) {
    my ($name, $data) = @$case;
    my $was = delivered();

    $first->set(on => {}, fault => { at => 'DATA', do => 'answer_close' });
    like $c->send_message(data => $data), qr/^250/,
         "$name: closed while the data goes out";
    is delivered(), $was =~ s!/(\d+)!'/' . ($1 + 1)!er,
       'the second server has it';
    ok +($second->messages())[-1]{data} =~ s/\AReceived: .*?\r\n(?!\s)//sr
       eq $data, 'whole';
}

# 421 in the middle; the server must not read, or it would all be on its way

$first->set(fault => undef, on => { DATA => "354 go on\n421 4.3.2 Bye" });
like $c->send_message(data => $big), qr/^250/, '421 while the data goes out';
is delivered(), '1/6', 'the second server has it';

$first->set(fault => { at => 'EOM', do => 'early' },
            on => { EOM => '552 5.3.4 Too big already' });
is $c->send_message(data => $big), '552 5.3.4 Too big already',
   'refused before the end of the data';
$first->set(fault => undef, on => {});
like $c->send_message(), qr/^250/, 'and the next one';

# buffered

$c = $t->connected('buffered');

$first->set(on => { RCPT => [ $ok, '550 5.1.1 gone', $ok ] });
is $c->send_message(to => [ map { "$_\@example.com" } 'a' .. 'c' ]),
   '554 5.1.0 Not delivered to anyone, destination server refused '
   . '<b@example.com>', 'buffered: one of several is refused';
$first->set(on => { RCPT => [ $ok, '450 4.2.0 later', $ok ] });
is $c->send_message(to => [ map { "$_\@example.com" } 'a' .. 'c' ]),
   '450 4.2.0 later', 'one of several for now';
$first->set(on => { RCPT => '550 5.1.1 gone' });
is $c->send_message(), '550 5.1.1 gone', 'the only one';
$first->set(on => { MAIL => '550 5.1.8 bad sender' });
is $c->send_message(), '550 5.1.8 bad sender', 'the sender';

my $before = $first->connections();

$c->mail('a@example.com');
is $c->rcpt('b@example.com'), '250 2.1.5 Recipient OK', 'RCPT is ours';
is $first->connections(), $before, 'nobody is asked at RCPT';

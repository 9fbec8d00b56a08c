#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# XFORWARD to the next hop, as Postfix's XFORWARD_README has it: in front of
# each MAIL, on connections that serve everybody.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new();
my $ms = scaled(1500);

my @all = qw/ NAME ADDR PORT PROTO HELO IDENT SOURCE /;
my @ext = (qw/ PIPELINING 8BITMIME CHUNKING /, "XFORWARD @all");

my $mta = $t->server('mta', ehlo => \@ext);
my $second = $t->server('second', ehlo => \@ext);

$t->write_conf(<<"EOC");
%%GLOBALS%%

events { }

mail {
    server_name         mx.example.com;
    smtp_relay_from     127.0.0.1 unix:;
    smtp_xforward_from  127.0.0.1;
    smtp_pass           mtas;
    smtp_pass_xforward  on;

    smtp_pass_mail_timeout  ${ms}ms;
    smtp_pass_rcpt_timeout  ${ms}ms;

    smtp_upstream mtas {
        server  127.0.0.1:%%PORT_mta%%     max_fails=0;
        server  127.0.0.1:%%PORT_second%%  max_fails=0  backup;
    }

    server {
        listen    127.0.0.1:%%PORT_verify%%;
        listen    unix:%%TESTDIR%%/smtp.sock;
        protocol  smtp_ext;
    }

    server {
        listen          127.0.0.1:%%PORT_buffered%%;
        protocol        smtp_ext;
        smtp_pass_mode  buffered;
    }

    server {
        listen              127.0.0.1:%%PORT_off%%;
        protocol            smtp_ext;
        smtp_pass_mode      buffered;
        smtp_pass_xforward  off;
    }
}
EOC

my $taken = '250 2.0.0 OK';
my %mark;

sub client {
    my ($port) = @_;
    my $c = $t->client($port, timeout => 15);

    $c->read_reply();
    $c->ehlo();

    return $c;
}

sub prepare {
    my (%o) = @_;

    $mta->set(on => undef, fault => undef, ehlo => \@ext, %o);
    $mark{commands} = () = $mta->commands();
    $mark{$_} = $_->connections() for $mta, $second;
    $mark{log} = length $t->read_file('error.log');
}

sub logged {
    return substr($t->read_file('error.log'), $mark{log})
           =~ s/^.* \[debug\] .*\n//mgr;
}

# what it was told since then

sub said {
    my @commands = $mta->commands();

    return map { s/ SIZE=\d+//r =~ s/BDAT \d+/BDAT n/r }
           splice @commands, $mark{commands};
}

sub port_of { $_[0]->socket()->sockport() }

# kept connections know of the old EHLO

sub renew {
    $mta->stop();
    $mta->start();
    prepare(@_);
}

my @envelope = ('MAIL FROM:<sender@example.com>', 'RCPT TO:<rcpt@example.com>',
                'BDAT n LAST');

$t->plan(48)->run();

# in one go with the envelope

prepare();

my $c = client('buffered');
my $reply = $c->send_message();
my ($id) = $reply =~ /id=(\w+)/;

is_deeply [ said() ],
          [ 'EHLO mx.example.com',
            'XFORWARD NAME=[UNAVAILABLE] ADDR=127.0.0.1 PORT=' . port_of($c)
            . " PROTO=ESMTP HELO=client.example.com IDENT=$id SOURCE=REMOTE",
            @envelope ], 'in front of MAIL';

# another transaction, another client, on the same connection

prepare();
$reply = $c->send_message();
($id) = $reply =~ /id=(\w+)/;
like join(' | ', said()), qr/\AXFORWARD .* IDENT=$id .* \| MAIL/,
     'each transaction has its own';
$c->quit();
is client('off')->send_message() =~ s/ id=.*//r, $taken, 'another server';
is $mta->connections(), $mark{$mta} + 1,
   'where nothing is forwarded it has its own connections';

# what came by XFORWARD goes on

prepare();
$c = client('verify');
$c->cmd('XFORWARD NAME=spike.example ADDR=IPV6:2001:db8::1 PORT=4242');
$c->cmd('XFORWARD PROTO=SMTP HELO=he+2Blo IDENT=id+3D1 SOURCE=LOCAL');
$c->mail('sender@example.com');
$c->rcpt('rcpt@example.com');
is((said())[-3], 'XFORWARD NAME=spike.example ADDR=IPV6:2001:db8::1 PORT=4242'
                 . ' PROTO=SMTP HELO=he+2Blo IDENT=id+3D1 SOURCE=LOCAL',
   'what the client has forwarded goes on');
$c->cmd('RSET');
$c->cmd('XFORWARD NAME=spike.example');
$c->mail('sender@example.com');
$c->rcpt('rcpt@example.com');
is((said())[-3], 'XFORWARD NAME=spike.example ADDR=[UNAVAILABLE]'
                 . ' PORT=[UNAVAILABLE] PROTO=[UNAVAILABLE]'
                 . ' HELO=[UNAVAILABLE] IDENT=[UNAVAILABLE]'
                 . ' SOURCE=[UNAVAILABLE]',
   'and nothing of ours is added to it');
is_deeply [ map { /^(\w+)/ } said() ],
          [ qw/ XFORWARD MAIL RCPT RSET XFORWARD MAIL RCPT / ],
          'behind RSET, in front of MAIL';
$c->quit();

# a transaction that was parked goes on without

prepare();
$c = client('verify');
$c->mail('sender@example.com');
$c->rcpt('rcpt@example.com');
$c->rcpt('other@example.com');
is $c->data("x\r\n") =~ s/ id=.*//r, $taken, 'verify: taken';
is scalar(grep { /^XFORWARD/ } said()), 1, 'it is said once';
$c->quit();

# other clients

prepare();
$c = client('unix:smtp.sock');
like $c->send_message(), qr/^250/, 'a unix socket: taken';
like +(grep { /^XFORWARD/ } said())[0],
     qr/^XFORWARD NAME=\[UNAVAILABLE\] ADDR=\[UNAVAILABLE\] PORT=\[UNAVAILABLE\] PROTO=ESMTP HELO=client\.example\.com/,
     'has no address';
$c->quit();

# what it wants to know; one by one

for (
    [ 'XFORWARD NAME ADDR', 'XFORWARD NAME=[UNAVAILABLE] ADDR=127.0.0.1' ],
    [ 'XFORWARD source FOO', 'XFORWARD SOURCE=REMOTE' ],
    [ 'XFORWARD FOO' ],
    [ 'XFORWARD' ],
) {
    my ($ehlo, @lines) = @$_;

    renew(ehlo => [ '8BITMIME', $ehlo ]);
    $c = client('buffered');
    is $c->send_message() =~ s/ id=.*//r, $taken, "$ehlo: taken";
    is_deeply [ grep { !/^(?:EHLO|QUIT|RSET)/ } said() ],
              [ @lines, @envelope[0, 1], 'DATA' ], 'that is said';
    $c->quit();
}

# lines of 512 octets at most

renew();

my $value = 'x' x 255;

$c = client('verify');
$c->cmd("XFORWARD NAME=" . 'n' x 60 . '.example HELO=' . $value);
$c->cmd("XFORWARD IDENT=$value");
$c->mail('sender@example.com');
is $c->rcpt('rcpt@example.com'), '250 2.1.5 recipient ok', 'long values: taken';
is_deeply [ grep { /^XFORWARD/ } said() ],
          [ 'XFORWARD NAME=' . 'n' x 60 . '.example ADDR=[UNAVAILABLE]'
            . ' PORT=[UNAVAILABLE] PROTO=[UNAVAILABLE] HELO=' . $value,
            "XFORWARD IDENT=$value SOURCE=[UNAVAILABLE]" ],
          'in two commands';
$c->quit();

$c = client('verify');
$c->cmd('XFORWARD HELO=' . '+2B' x 85);
$c->mail('sender@example.com');
prepare();
is $c->rcpt('rcpt@example.com'), '250 2.1.5 recipient ok', 'one that grows: taken';
like +(grep { /^XFORWARD/ } said())[0], qr/ HELO=(?:\+2B){85} /, 'as it was';
$c->quit();

# what it says to that

for my $reply ('501 5.5.4 Bad', '550 5.7.0 no', '450 4.0.0 no', '354 go on') {
    prepare(on => { XFORWARD => $reply });
    $c = client('buffered');
    is $c->send_message() =~ s/ id=.*//r, $taken, "$reply: taken";
    is $second->connections(), $mark{$second}, 'by the same server';
    like logged(), qr/\[warn\] .*upstream said to XFORWARD: "\d+ /,
         'the log has it';
    $c->quit();
}

for (
    [ 'close' ], [ 'reset' ], [ 'stall' ], [ 'silent' ], [ 'garbage' ],
    [ 'garbage', data => "421 4.3.2 bye\r\n" ],
) {
    my ($do, %o) = @$_;

    renew(fault => { at => 'XFORWARD', do => $do, %o });
    $c = client('verify');
    $c->mail('a@example.com');
    is $c->rcpt('b@example.com'), '250 2.1.5 recipient ok', "$do: taken";
    is $second->connections(), $mark{$second} + 1, 'by another server';
    $c->quit();
    $second->stop();
    $second->start();

    # with PIPELINING nothing waits for its reply

    is_deeply [ map { /^(\w+)/ } said() ], [ qw/ EHLO XFORWARD MAIL RCPT / ],
              'the rest was said already' if $do eq 'silent';
}

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Promise 7: reload and shutdown drop nothing.  What is under way ends, idle
# sessions are told.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $t = Test::Nginx::SmtpExt->new();

my $conf = <<'EOC';
%%GLOBALS%%

events { }

mail {
    server_name            mx1.example.com;
    smtp_relay_from        127.0.0.1;
    smtp_pass              smtp://127.0.0.1:%%PORT_mta%%;
    smtp_body_buffer_size  16k;
    smtp_temp_path         %%TESTDIR%%/smtp_temp;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }
}
EOC

$t->write_conf($conf)->plan(35)->run();

my $mta = $t->server('mta');
my $big = ('x' x 78 . "\r\n") x 5_000;
my $shutdown = '421 4.3.2 Service shutting down, closing connection';

# A client in each of its states: what is named is done before, the rest after.

my %before = (
    idle => [],
    mail => [ 'MAIL FROM:<mail@example.com>' ],
    rcpt => [ 'MAIL FROM:<rcpt@example.com>', 'RCPT TO:<b@example.com>' ],
    data => [ 'MAIL FROM:<data@example.com>', 'RCPT TO:<b@example.com>',
              'DATA' ],
    half => [ 'MAIL FROM:<half@example.com>', 'RCPT TO:<b@example.com>',
              'DATA' ],
    sent => [ 'MAIL FROM:<sent@example.com>', 'RCPT TO:<b@example.com>',
              'DATA' ],
);

my %c;

sub prepare {
    $mta->set(on => {}, fault => undef);

    for my $state (sort keys %before) {
        $c{$state} = $t->connected();
        $c{$state}->cmd($_) for @{$before{$state}};
    }

    $c{half}->send_raw(substr $big, 0, 200_000);

    # the next hop takes a second for its reply

    my $n = () = $mta->messages();

    $mta->set(fault => { at => 'EOM', do => 'delay', seconds => 1, n => 1 });
    $c{sent}->body("sent\r\n");
    $mta->wait_messages($n + 1);
}

sub finish {
    my ($what) = @_;

    is $c{idle}->read_reply(), $shutdown, "$what: an idle session is told";
    ok $c{idle}->eof(), 'and closed';

    like $c{sent}->read_reply(), qr/^250 2\.0\.0 OK id=/,
         'a message that is being delivered gets its 250';

    is $c{mail}->rcpt('b@example.com'), '250 2.1.5 recipient ok',
       'a transaction goes on after MAIL';
    like $c{mail}->data("mail\r\n"), qr/^250 2\.0\.0 OK id=/, 'to its end';
    like $c{rcpt}->data("rcpt\r\n"), qr/^250 2\.0\.0 OK id=/, 'after RCPT';

    $c{data}->body("data\r\n");
    like $c{data}->read_reply(), qr/^250 2\.0\.0 OK id=/, 'after DATA';

    $c{half}->body(substr $big, 200_000);
    like $c{half}->read_reply(), qr/^250 2\.0\.0 OK id=/,
         'in the middle of the data';

    is $c{$_}->read_reply(), $shutdown, "then $_ is told"
        for qw/ sent mail rcpt data half /;
}

# reload

prepare();
$t->write_conf($conf =~ s/mx1/mx2/r);
ok $t->reload(), 'reload';
ok poll(sub { scalar $t->worker_pids(qr/is shutting down$/) }, 8),
   'the old worker has been told';

my $new = $t->client('smtp');
is $new->read_reply(), '220 mx2.example.com ESMTP',
   'the new configuration greets';
$new->ehlo();

finish('reload');

ok $t->wait_old_workers(), 'the old worker ends';
like $new->send_message(), qr/^250/, 'the new one works';
is_deeply [ sort map { $_->{from} =~ s/@.*//r } $mta->messages() ],
    [ sort qw/ sent mail rcpt data half sender / ], 'each message is there once';

my ($message) = grep { $_->{from} =~ /^half/ } $mta->messages();
ok $message->{data} =~ /^\Q$big\E\z/m, 'the big one is whole';

# a configuration that is not valid changes nothing

$t->allow_alert(qr/unknown directive "banana"/);
$t->write_conf($conf =~ s/mail \{/mail { banana;/r);
ok !$t->reload(), 'a bad configuration is refused';
like $new->send_message(), qr/^250/, 'everything goes on';
$new->quit();

# shutdown

prepare();
kill 'QUIT', $t->master_pid();
finish('quit');

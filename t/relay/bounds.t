#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# A next hop that means no good: replies without an end, in time or in length.
# Each command has its time, however steadily the reply drips in, and a reply
# so many lines, of so many octets; then the next hop has failed.

use warnings;
use strict;

use List::Util qw/ uniq /;
use Test::More;
use Time::HiRes qw/ time /;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

# a reply that drips takes longer than the time for it, and a test less than
# the time of another step

use constant PAUSE => scaled(200) / 1000;
use constant PATIENCE => int(scaled(20));

my $t = Test::Nginx::SmtpExt->new();
my $ms = int(scaled(600));
my $long = PATIENCE . 's';

my %timeouts = (
    CONNECT => 'smtp_pass_greeting_timeout',
    EHLO => 'smtp_pass_greeting_timeout',
    MAIL => 'smtp_pass_mail_timeout',
    RCPT => 'smtp_pass_rcpt_timeout',
    DATA => 'smtp_pass_data_timeout',
    EOM => 'smtp_pass_final_timeout',
);

my @steps = qw/ CONNECT EHLO MAIL RCPT DATA EOM /;
my $http = $t->http('http', default => { status => 200 });
my %mta = map { $_ => $t->server("mta_$_", ehlo => []) } @steps;

my $servers = join '', map {
    my $step = $_;

    join '', "server {
        listen     127.0.0.1:%%PORT_$step%%;
        protocol   smtp_ext;
        smtp_pass  127.0.0.1:%%PORT_mta_$step%%;\n",
        (map { "$_ " . ($_ eq $timeouts{$step} ? "${ms}ms" : $long) . ";\n" }
         uniq(values %timeouts)), "}\n";
} @steps;

$t->write_conf(<<"EOC")->plan(4 * @steps + 5)->run();
%%GLOBALS%%

events { }

mail {
    server_name         mx.example.com;
    smtp_relay_from     127.0.0.1;
    smtp_max_errors     1000;
    smtp_pass_tls       off;

    $servers

    server {
        listen     127.0.0.1:%%PORT_post%%;
        protocol   smtp_ext;
        smtp_pass  http://127.0.0.1:%%PORT_http%%/;

        smtp_pass_http_timeout       ${ms}ms;
        smtp_pass_http_read_timeout  $long;
    }
}
EOC

my $lost = qr/^451 4\.4\.[12] /;
my $many = join '', map { "250-line\r\n" } 1 .. 200;

for my $step (@steps) {
    $mta{$step}->set(fault => { at => $step, do => 'drip', pause => PAUSE });

    my $start = time();
    my $reply = send_one($step);

    like $reply, $lost, "$step: a reply that drips in";
    cmp_ok time() - $start, '<', PATIENCE / 2, "$step: is given up in time";
}

for my $step (@steps) {
    my $code = $step eq 'CONNECT' ? 220 : $step eq 'DATA' ? 354 : 250;

    for my $what ([ 'lines', "$code-line\r\n" x 5000 . "$code end\r\n" ],
                  [ 'octets', "$code " . 'x' x 100_000 . "\r\n" ])
    {
        $mta{$step}->set(fault => { at => $step, do => 'garbage',
                                    data => $what->[1] });

        like send_one($step), $lost, "$step: a reply of too many $what->[0]";
    }
}

$mta{RCPT}->set(fault => '');
like send_one('RCPT'), qr/^250 2\.0\.0 OK/, 'one that is well again';

# a service that messages are delivered to

$http->set(fault => { at => 'RESPONSE', do => 'drip', pause => PAUSE });

my $start = time();

like send_one('post'), $lost, 'HTTP: an answer that drips in';
cmp_ok time() - $start, '<', PATIENCE / 2, 'HTTP: is given up in time';

$http->set(fault => '');
like send_one('post'), qr/^250 2\.0\.0 OK/, 'HTTP: one that is well again';

my @said = grep { /sent an invalid reply/ } split /\n/, $t->notices();

cmp_ok @said, '>=', @steps, 'the log says why';


sub send_one {
    my ($step) = @_;

    my $c = $t->client($step);

    $c->read_reply();
    $c->ehlo();

    return $c->send_message(to => 'b@example.net');
}

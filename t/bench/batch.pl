#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# How long a client waits that names twenty recipients in one pipelined batch,
# with a hook that answers after 5 ms: by smtp_hook_concurrency.  Rounds
# alternate; the figures are medians, with the least and the most.
#
#     perl -It/lib t/bench/batch.pl [rounds]

use warnings;
use strict;

use Time::HiRes qw/ time /;

use Test::Nginx::SmtpExt;

use constant { RECIPIENTS => 20, BATCHES => 20 };

my $rounds = $ARGV[0] || 5;
my @concurrency = (1, 8, 20);

my $t = Test::Nginx::SmtpExt->new();

$t->plan(0);

my $servers = join '', map { <<"EOC" } @concurrency;
    server {
        listen                 127.0.0.1:%%PORT_by$_%%;
        protocol               smtp_ext;
        smtp_relay_from        127.0.0.1;
        smtp_pass              discard:;
        smtp_hook              http://127.0.0.1:%%PORT_http%%/hook stages=rcpt;
        smtp_hook_concurrency  $_;
    }
EOC

$t->write_conf(<<"EOC")->run();
%%GLOBALS%%

events { }

mail {
    server_name             mx.example.com;
    smtp_max_commands       0;
    smtp_max_idle_commands  0;

$servers
}
EOC

my $http = $t->http('http', on => {
    '/hook' => { delay => 0.005, body => '{"action":"accept"}' }
});

my @batch = ('MAIL FROM:<a@x.example>',
             map({ "RCPT TO:<r$_\@y.example>" } 1 .. RECIPIENTS), 'RSET');
my %ms;

for my $round (1 .. $rounds) {
    for my $n (@concurrency) {
        my $c = $t->client("by$n");

        $c->read_reply();
        $c->ehlo();

        for (1 .. BATCHES) {
            my $start = time();

            $c->pipeline(@batch);

            my @bad = grep { !/^250 / } $c->read_replies(scalar @batch);
            die "$bad[0]\n" if @bad;

            push @{$ms{$n}}, (time() - $start) * 1000;
        }

        $c->close();
    }
}

for my $n (@concurrency) {
    my @all = sort { $a <=> $b } @{$ms{$n}};

    printf "%2d at a time: %.1f ms (%.1f-%.1f)\n", $n, $all[@all / 2],
           $all[0], $all[-1];
}

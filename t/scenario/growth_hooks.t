#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# 10,000 messages of one client, each asked about at three stages and changed,
# leave the worker as it was; so do those that hooks refuse, and hooks that
# fail.

use warnings;
use strict;

use JSON::PP qw/ encode_json /;
use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

# What malloc() keeps after a peak.  30 octets for each of the messages would
# be more.

use constant TOLERANCE_KB => 256;

my $t = Test::Nginx::SmtpExt->new();

# a sanitizer keeps what is freed

plan skip_all => 'memory can not be measured with a sanitizer'
    if $t->version_info() =~ /fsanitize/;

$t->write_conf(<<'EOC')->plan(16);
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_relay_from        127.0.0.1;
    smtp_pass              smtp://mtas;
    smtp_body_buffer_size  16k;
    smtp_temp_path         %%TESTDIR%%/smtp_temp;
    smtp_max_errors        1000000;
    smtp_max_commands      0;
    smtp_max_idle_commands 0;
    smtp_max_messages      0;
    smtp_http_breaker      off;
    smtp_hook_route        smtp://mtas;

    # not that of "debug", which is as long as the test

    error_log              %%TESTDIR%%/mail.log warn;

    smtp_upstream mtas {
        server  127.0.0.1:%%PORT_mta%%;

        # so that there is one, and the same, at any time
        keepalive           1;
        keepalive_requests  1000000;
    }

    smtp_upstream hooks {
        server  127.0.0.1:%%PORT_http%%;
        keepalive           1;
        keepalive_requests  1000000;
    }

    server {
        listen     127.0.0.1:%%PORT_smtp%%;
        protocol   smtp_ext;
        smtp_hook  http://hooks/ stages=mail,rcpt,data body=full;
    }

    server {
        listen     127.0.0.1:%%PORT_cached%%;
        protocol   smtp_ext;
        smtp_hook  http://hooks/ stages=rcpt cache=rcpts:64k;
    }
}
EOC

# the next hop keeps nothing, nor does the service

my $mta = $t->server('mta', keep_data => 0);

my %answers = (
    mail => encode_json({ action => 'accept', modifications => [
        { type => 'changeFrom', value => 'bounce@example.com' } ] }),
    rcpt => encode_json({ action => 'accept', modifications => [
        { type => 'addRecipient', value => 'copy@example.com' } ],
        route => [ { pass => 'smtp://mtas' } ] }),
    data => encode_json({ action => 'accept', modifications => [
        { type => 'addHeader', name => 'X-Score', value => 'x' x 200 },
        { type => 'insertHeader', index => 0, name => 'X-Seen', value => 'y' },
        { type => 'deleteHeader', index => 1, name => 'X-Old' },
        { type => 'replaceContents', value => "another\r\n" x 50 } ] }),
);

my $http = $t->http('http', keep => 0, hooks => {
    map { my $stage = $_; $stage => sub {
        return '{"action":"reject"}' if $_[0]{body} =~ /refused\@/;
        return '{"action":' if $_[0]{body} =~ /none\@/;
        return $answers{$stage};
    } } keys %answers });

$t->run();

my $worker = $t->worker_pid();

sub rss {
    my ($kb) = $t->read_file("/proc/$worker/status") =~ /^VmRSS:\s+(\d+)/m;

    return $kb;
}

sub fds { scalar(() = glob "/proc/$worker/fd/*") }

sub settled { my ($n) = @_; poll(sub { fds() == $n }, 5) or diag fds() . " not $n"; fds() == $n; }

# how many messages have this reply; nobody is left in a transaction

sub messages {
    my ($c, $n, $data, $want, $to) = @_;
    my $ok = 0;

    for my $i (1 .. $n) {
        my $rcpt = ($to // 'b@example.com') =~ s/%d/$i/r;

        $c->pipeline('MAIL FROM:<a@example.com>', "RCPT TO:<$rcpt>", 'DATA');

        my @replies = $c->read_replies(3);
        my $reply = (grep { /^[45]/ } @replies)[0];

        if ($replies[2] =~ /^354/) {
            $c->body($data);
            $reply = $c->read_reply();
        }

        if (($reply // '') !~ /^$want/) {
            diag join "\n", "message $i:", @replies;
            return $ok;
        }

        $ok++;
        $c->cmd('RSET') if $want != 250;
        $c->transcript(clear => 1);
    }

    return $ok;
}

sub grown {
    my ($before, $name) = @_;

    cmp_ok rss() - $before, '<=', TOLERANCE_KB, "memory after $name";
}

my $small = "X-Old: 1\r\nSubject: small\r\n\r\n" . "hello\r\n" x 20;
my $file = "X-Old: 1\r\nSubject: big\r\n\r\n" . ('x' x 78 . "\r\n") x 1000;

# all paths are walked once before anything is measured

my $c = $t->connected();

messages($c, 200, $_, 250) for $small, $file;
messages($c, 50, $small, 451, '%d-none@example.com');

my ($fds, $rss) = (fds(), rss());

is messages($c, 10_000, $small, 250), 10_000, '10,000 messages on one connection';
grown($rss, 'them');
is fds(), $fds, 'descriptors are as before';

is messages($c, 500, $file, 250), 500, '500 through the file';
grown($rss, 'them');
is fds(), $fds, 'descriptors are as before';

is messages($c, 1000, $small, 550, '%d-refused@example.com'), 1000,
   '1000 that a hook refuses';
is messages($c, 1000, $small, 451, '%d-none@example.com'), 1000,
   '1000 answers that are none';
$http->set(fault => { at => 'RESPONSE', do => 'half' });
is messages($c, 200, $small, 451), 200, '200 answers that break off';
grown($rss, 'them');
$c->quit();

# clients that are gone while a hook is asked

$http->set(fault => { at => 'RESPONSE', do => 'hold' });

for my $i (1 .. 300) {
    $c = $t->connected();
    $c->pipeline('MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.com>');
    $http->wait_held($i) or last;
    $c->reset();
}

$http->set(fault => undef);
is messages($t->connected(), 100, $small, 250), 100,
   'after 300 clients that are gone';
grown($rss, 'them');
ok settled($fds - 1), 'no descriptor is left of them';

# a cache that is full

$c = $t->connected('cached');
messages($c, 1000, $small, 250, '%d@example.com');
$rss = rss();
is messages($c, 2000, $small, 250, 'x%d@example.com'), 2000,
   '2000 recipients for a cache of some hundred';
grown($rss, 'them');
$c->quit();

is scalar($mta->events('message')), 400 + 10_000 + 500 + 100 + 3000,
   'each that was accepted went on';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# A message of 100 megabytes costs the worker no more memory than the buffers
# that are configured, however it goes on, and to a next hop that reads it more
# slowly than it comes.
#
# CC  the compiler, cc

use warnings;
use strict;

use Test::More;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

# what is read at a time, and what malloc() keeps; the message is 25 times that
use constant TOLERANCE_KB => 4096;

my $t = Test::Nginx::SmtpExt->new();

plan skip_all => 'memory can not be measured with a sanitizer'
    if $t->version_info() =~ /fsanitize/;

my $many = $t->testdir() . '/many';
my $source = abs_path(dirname(__FILE__)) . '/many.c';

system(split(' ', $ENV{CC} || 'cc'), '-O1', '-o', $many, $source) == 0
    or die "many.c: $?\n";

# each with what the next hop offers

my @modes = (
    [ verify => 'smtp_pass_mode  verify;', qw/ PIPELINING 8BITMIME / ],
    [ buffered => 'smtp_pass_mode  buffered;', qw/ PIPELINING 8BITMIME / ],
    [ chunk => 'smtp_pass_mode  buffered;',
      qw/ PIPELINING 8BITMIME CHUNKING / ],
    [ stream => 'smtp_pass_mode  stream;', qw/ PIPELINING 8BITMIME / ],
    [ convert => 'smtp_pass_mode  verify;', 'PIPELINING' ],
    [ maildir => 'smtp_recipient  @example.com {
            smtp_pass  maildir:%%TESTDIR%%/maildir;
        }', 'PIPELINING' ],
    [ mixed => 'smtp_max_destinations  2;
        smtp_mixed_result  bounce smtp://mixed;
        smtp_recipient  maildir@example.com {
            smtp_pass  maildir:%%TESTDIR%%/maildir;
        }', qw/ PIPELINING 8BITMIME / ],
);

mkdir $t->testdir() . '/maildir', 0777;
chmod 0777, $t->testdir() . '/maildir';

$t->plan(2 * @modes + 1)->write_conf(<<"EOC");
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_relay_from        127.0.0.1;
    smtp_max_message_size  200m;
    smtp_body_buffer_size  64k;
    smtp_temp_path         %%TESTDIR%%/smtp_temp;

@{[ map { <<"EOS" } @modes ]}
    smtp_upstream $_->[0] {
        server  127.0.0.1:%%PORT_sink_$_->[0]%%;
    }

    server {
        listen     127.0.0.1:%%PORT_$_->[0]%%;
        protocol   smtp_ext;
        smtp_pass  smtp://$_->[0];
        $_->[1]
    }
EOS
}
EOC

# a log of "debug" would be as long as the message

$t->write_file('nginx.conf', $t->read_file('nginx.conf') =~ s/ debug;/ notice;/r);
$t->run();
$t->wait_workers(1);

my @lines = map { chr(0xe4) . ' ' . 'x' x 75 . "\r\n" } 1 .. 12_800;
my $mb = join '', @lines;
my $fds = $t->worker_fds();

# a message of $n megabytes; the next hop

sub relay {
    my ($name, $n) = @_;

    my $c = $t->client($name, timeout => 60);

    $c->read_reply();
    $c->ehlo();
    $c->mail('a@example.com', 'BODY=8BITMIME');
    $c->rcpt("$name\@example.com");
    $c->rcpt('maildir@example.com') if $name eq 'mixed';
    $c->cmd('DATA');
    $c->send_raw("Subject: large\r\n\r\n", quiet => 1);
    $c->send_raw($mb, quiet => 1) for 1 .. $n;
    $c->send_raw(".\r\n");

    my $reply = $c->read_reply();

    $c->quit();
    $c->close();
    unlink glob $t->testdir() . '/maildir/*/*';

    return $reply;
}

for my $mode (@modes) {
    my ($name, undef, @extensions) = @$mode;

    my $pid = open my $sink, '-|', $many, 'sink', $t->port("sink_$name"),
                   @extensions
        or die "sink: $!\n";

    readline($sink) eq "ready\n" or die "sink: not ready\n";

    # all the memory there will be, but for that of the size

    relay($name, 1);

    my $before = $t->worker_memory('VmRSS');

    $t->reset_peak();
    like relay($name, 100), qr/^250 2\.0\.0 OK/, "$name: 100 MB are taken";
    cmp_ok $t->worker_memory('VmHWM') - $before, '<=', TOLERANCE_KB,
           "$name: in little memory";

    kill 'TERM', $pid;
    close $sink;
}

# (connections are kept until their next hop has gone)

ok poll(sub { $t->worker_fds() == $fds }, 8), 'no descriptor is left';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The temporary file can't be written: the client is told to come back, and
# everything goes on.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();
my $dir = $t->testdir();
my $tiny = "$dir/tiny";

mkdir $tiny or die "$tiny: $!\n";

# a file system of 256 KB

my $mounted = $> == 0
    && system("mount -t tmpfs -o size=256k tmpfs '$tiny' 2>/dev/null") == 0;

END { system("umount '$tiny'") if $mounted }

$t->write_conf(<<'EOC')->plan(15);
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_relay_from        127.0.0.1;
    smtp_pass              smtp://127.0.0.1:%%PORT_mta%%;
    smtp_body_buffer_size  16k;

    smtp_log_format  main  '$smtp_status "$smtp_reply"';
    smtp_access_log  %%TESTDIR%%/access.log main;

    server {
        listen          127.0.0.1:%%PORT_full%%;
        protocol        smtp_ext;
        smtp_temp_path  %%TESTDIR%%/tiny;
    }

    server {
        listen          127.0.0.1:%%PORT_gone%%;
        protocol        smtp_ext;
        smtp_temp_path  %%TESTDIR%%/gone;
    }
}
EOC

my $mta = $t->server('mta');
my $big = ('x' x 78 . "\r\n") x 12_800;

$t->run();

SKIP: {
    skip 'a tmpfs can be mounted by root only', 6 unless $mounted;

    my $c = $t->connected('full');

    is $c->send_message(data => $big), '452 4.3.1 Insufficient system storage',
       'the file system is full';
    like $t->notices(), qr/\[crit\] .* to a temporary file in .* failed/,
         'it is in the log';
    is $t->wait_log(qr/^(452 .*)$/m, 'access.log'),
       '452 "4.3.1 Insufficient system storage"', 'in both';
    like $c->send_message(), qr/^250/, 'a small message still goes';
    like $c->send_message(data => substr $big, 0, 160_000), qr/^250/,
         'so does one for which there is room: the file was let go';
    is scalar(() = $mta->messages()), 2, 'nothing of the other was sent';
}

# a folder that has gone

rename "$dir/gone", "$dir/was" or die "$dir/gone: $!\n";

my $c = $t->connected('gone');
my $n = () = $mta->messages();

is $c->send_message(data => $big), '451 4.3.0 Local error in processing',
   'the folder is not there';
like $t->notices(), qr/\[crit\] .*open\(\) ".*gone\/.*" failed \(2: /,
     'it is in the log';
like $c->send_message(), qr/^250/, 'a small message still goes';
is scalar(() = $mta->messages()), $n + 1, 'one message';

# a pipelining client is answered in order

$c->pipeline('MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.com>', 'DATA');
$c->read_replies(3);
$c->send_raw("$big.\r\nNOOP\r\n");
is $c->read_reply(), '451 4.3.0 Local error in processing', 'refused';
is $c->read_reply(), '250 2.0.0 OK', 'and the next command is one';

rename "$dir/was", "$dir/gone";
like $c->send_message(data => $big), qr/^250/, 'it heals';
is scalar(() = $mta->messages()), $n + 2, 'delivered';
is $c->quit(), '221 2.0.0 Bye', 'QUIT';

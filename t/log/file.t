#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Where lines go: files with and without buffer, reopened, written when the
# worker stops; syslog; a full disk.

use warnings;
use strict;

use IO::Select;
use IO::Socket::INET;
use Test::More;
use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

plan(skip_all => 'no /dev/full') unless -c '/dev/full';

$t->plan(16);

my $syslog = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1',
                                   LocalPort => $t->port('syslog'))
    or die "syslog: $!\n";

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    smtp_log_format  from  '$smtp_mail_from';

    smtp_access_log  %%TESTDIR%%/plain.log   from;
    smtp_access_log  %%TESTDIR%%/buffer.log  from  buffer=64k;
    smtp_access_log  %%TESTDIR%%/small.log   from  buffer=64;
    smtp_access_log  %%TESTDIR%%/flush.log   from  buffer=64k flush=300ms;
    smtp_access_log  /dev/full               from;
    smtp_access_log  syslog:server=127.0.0.1:%%PORT_syslog%%,tag=front,facility=mail  from;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }

    server {
        listen    127.0.0.1:%%PORT_same%%;
        protocol  smtp_ext;

        smtp_access_log  %%TESTDIR%%/buffer.log  from  buffer=64k;
    }
}
EOC

line('smtp', 'first@example.com');

is_deeply [ $t->access_lines(1, 'plain.log') ], [ 'first@example.com' ],
          'at once';
is $t->access_log('buffer.log'), '', 'buffered';
is_deeply [ $t->access_lines(1, 'flush.log') ], [ 'first@example.com' ],
          'flushed in time';
like syslog(), qr/^<22>\w{3} [ \d]\d \d\d:\d\d:\d\d \S+ front: first\@example\.com$/,
     'syslog';

line('smtp', "$_\@example.com") for 1 .. 9;
$t->access_lines(10, 'plain.log');

my @small = split /\n/, $t->access_log('small.log');

cmp_ok @small, '>', 2, 'a small buffer is written when it is full';
cmp_ok @small, '<', 10, 'and not before';
is $small[0], 'first@example.com', 'in order';

# longer than the buffer

my $long = 'a' x 60 . '@' . 'b' x 60 . '.example.com';

line('smtp', $long);
is_deeply [ $t->access_lines(11, 'small.log') ],
          [ 'first@example.com', (map { "$_\@example.com" } 1 .. 9), $long ],
          'a long line goes out after those before it';

# a full disk: said once

line('smtp', 'more@example.com');
$t->access_lines(12, 'plain.log');

my @errors = $t->error_log() =~ /\[crit\].*to "\/dev\/full" failed/g;
is scalar(@errors), 1, 'no space: in the error log once';

# one buffer for one file

line('same', 'same@example.com');
is $t->access_log('buffer.log'), '', 'still buffered';

# reopened

rename $t->testdir() . "/$_.log", $t->testdir() . "/$_.1"
    for qw/ plain buffer /;
$t->reopen('plain.log', 'buffer.log');

# (each process opens them on its own: the worker has flushed when it has)

my $old = $t->wait_log(qr/^(.*same\@example\.com\n)$/s, 'buffer.1');
is scalar(() = ($old // '') =~ /\n/g), 13, 'buffered lines go to the old file';

line('smtp', 'after@example.com');
is_deeply [ $t->access_lines(1, 'plain.log') ], [ 'after@example.com' ],
          'lines after that to the new one';
is scalar(() = $t->access_log('plain.1') =~ /\n/g), 12, 'none to the old one';

# at the end

is $t->access_log('buffer.log'), '', 'buffered until the end';
$t->stop();
is $t->access_log('buffer.log'), "after\@example.com\n", 'and written there';
is scalar(() = $t->access_log('small.log') =~ /\n/g), 13, 'the other as well';


sub line {
    my ($name, $from) = @_;

    my $c = $t->client($name);

    $c->read_reply();
    $c->ehlo();
    $c->mail($from);
    $c->quit();
}


sub syslog {
    my $message = '';

    IO::Select->new($syslog)->can_read(8) or return 'nothing';
    $syslog->recv($message, 65536);

    return $message;
}

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Postfix's smtp-source as a client, its smtp-sink as the next hop.

use warnings;
use strict;

use POSIX ();
use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll scaled socket_to /;

my ($source, $sink) = map { find($_) } qw/ smtp-source smtp-sink /;

sub find {
    my ($name) = @_;

    return (grep { -x } map { "$_/$name" } split(/:/, $ENV{PATH}),
                                           '/usr/sbin')[0];
}

plan skip_all => 'smtp-source and smtp-sink are part of postfix'
    unless $source && $sink;

my $t = Test::Nginx::SmtpExt->new(workers => 2);
my $dir = $t->testdir();

$t->write_conf(<<'EOC')->plan(9);
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_sink%%;
    error_log        %%TESTDIR%%/mail.log info;

    smtp_log_format  main  '$smtp_id $smtp_status';
    smtp_access_log  %%TESTDIR%%/access.log main;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }
}
EOC

# each message becomes a file

mkdir "$dir/sink";
chmod 0777, "$dir/sink";

my $port = $t->port('sink');
my @user = $> == 0 ? ('-u', 'nobody') : ();
my $pid = fork() // die "fork: $!\n";

if ($pid == 0) {
    open STDOUT, '>', "$dir/sink.out";
    open STDERR, '>&', \*STDOUT;
    exec { $sink } $sink, @user, '-d', "$dir/sink/m.", "127.0.0.1:$port", 128
        or POSIX::_exit(127);
}

END {
    if ($pid) {
        local $?;
        kill 'TERM', $pid;
        waitpid $pid, 0;
    }
}

ok poll(sub { socket_to($port) }, 10), 'smtp-sink listens';

$t->run();

my $seconds = POSIX::ceil(scaled(60));

sub source {
    my (@args) = @_;

    return system 'timeout', $seconds, $source, @args, '-f',
                  'sender@example.com', '-t', 'rcpt@example.com',
                  '127.0.0.1:' . $t->port('smtp');
}

sub files { scalar(() = glob "$dir/sink/m.*") }

is source('-s', 20, '-m', 2000, '-l', 1000), 0, '2000 messages by 20 sessions';
is files(), 2000, 'none is lost, none is there twice';

my %ids;

for my $file (glob "$dir/sink/m.*") {
    $ids{$1}++ if $t->read_file($file) =~ /^\s+id (\w{16})\s/m;
}

is scalar(keys %ids), 2000, 'each has an id of its own';
is scalar(grep { / 250$/ } $t->access_lines(2000)), 2000,
   'each is in the log';
is scalar(grep { !/^(\w+) 250$/ || !$ids{$1} } $t->access_lines(2000)), 0,
   'with that id';

# the same without a new connection for each message; several recipients

is source('-d', '-s', 5, '-m', 500, '-r', 3, '-l', 20000), 0,
   '500 big ones by 5 sessions, three recipients each';
is files(), 2500, 'all are there';
like join('', `tail -c 2000 $dir/mail.log`), qr/\A(?!.*(crit|alert|emerg))/s,
     'nothing bad in the log';

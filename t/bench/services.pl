#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# What a login and a hook cost, beside nginx's own mail proxy with the same HTTP
# service: processor time of the worker (from /proc, the kernel's part
# included), and how long a client waits.  Rounds alternate; each figure is the
# median, with the least and the most.
#
#     perl -It/lib t/bench/services.pl session [rounds [logins]]
#
# session is t/bench/session.c, compiled; t/tools/bench.sh does that.

use warnings;
use strict;

use MIME::Base64 qw/ encode_base64 /;
use POSIX ();

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

use constant CLIENTS => 16;

my ($session, $rounds, $logins) = (@ARGV, '', '', '');

die "services.pl session [rounds [logins]]\n" unless -x $session;

$rounds ||= 5;
$logins ||= 10_000;

my $t = Test::Nginx::SmtpExt->new();
my $login = '@AUTH PLAIN ' . encode_base64("\0user\@example.com\0password", '');

# each is an nginx of its own, so that its worker can be told apart

my %conf = (
    service => <<'EOC',
http {
    %%HTTP_PATHS%%
    access_log          off;
    keepalive_requests  1000000000;

    server {
        listen  127.0.0.1:%%PORT_api%%;

        location = /yes {
            add_header  Auth-Status OK;
            add_header  Auth-Server 127.0.0.1;
            add_header  Auth-Port   %%PORT_mta%%;
            return      204;
        }

        location = /no {
            add_header  Auth-Status "Invalid login or password";
            return      204;
        }

        location = /hook {
            default_type  application/json;
            return        200 '{"action":"accept"}';
        }
    }
}

mail {
    server_name  mta.example.com;

    server {
        listen           127.0.0.1:%%PORT_mta%%;
        protocol         smtp_ext;
        smtp_relay_from  127.0.0.1;
        smtp_pass        discard:;
    }
}
EOC
    ours => <<'EOC',
mail {
    server_name            mx.example.com;
    smtp_auth_require_tls  off;
    smtp_auth_http         http://127.0.0.1:%%PORT_api%%/yes;

    server {
        listen    127.0.0.1:%%PORT_ours_yes%%;
        protocol  smtp_ext;
    }

    server {
        listen          127.0.0.1:%%PORT_ours_no%%;
        protocol        smtp_ext;
        smtp_auth_http  http://127.0.0.1:%%PORT_api%%/no;
    }

    server {
        listen           127.0.0.1:%%PORT_ours_cache%%;
        protocol         smtp_ext;
        smtp_auth_cache  zone=cache:1m valid=1h;
    }

    server {
        listen           127.0.0.1:%%PORT_plain%%;
        protocol         smtp_ext;
        smtp_relay_from  127.0.0.1;
        smtp_pass        discard:;
    }

    server {
        listen           127.0.0.1:%%PORT_hook%%;
        protocol         smtp_ext;
        smtp_relay_from  127.0.0.1;
        smtp_pass        discard:;
        smtp_hook        http://127.0.0.1:%%PORT_api%%/hook stages=rcpt;
    }
}
EOC
    theirs => <<'EOC',
mail {
    server_name  mx.example.com;
    smtp_auth    plain;
    xclient      off;

    server {
        listen     127.0.0.1:%%PORT_theirs_yes%%;
        protocol   smtp;
        auth_http  127.0.0.1:%%PORT_api%%/yes;
    }

    server {
        listen     127.0.0.1:%%PORT_theirs_no%%;
        protocol   smtp;
        auth_http  127.0.0.1:%%PORT_api%%/no;
    }
}
EOC
);

my (%master, %worker);

$SIG{ALRM} = $SIG{INT} = sub { die "ended\n" };
alarm 1500;

END {
    my $status = $?;

    for my $pid (values %master) {
        kill 'TERM', $pid;
        waitpid $pid, 0;
    }

    $? = $status;
}

start($_) for qw/ service ours theirs /;


sub start {
    my ($name) = @_;

    my $dir = $t->testdir();
    my $events = 'events { worker_connections 2048; }';
    my $text = $t->expand("%%GLOBALS%%\n$events\n$conf{$name}",
                          "$name.log", "$name.pid");

    $t->write_file("$name.conf", $text =~ s/^(error_log \S+) debug;/$1 error;/mr);

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        my $binary = $t->binary();

        exec { $binary } $binary, '-p', "$dir/", '-c', "$dir/$name.conf", '-e',
             "$dir/$name.log"
            or POSIX::_exit(127);
    }

    $master{$name} = $pid;

    $worker{$name} = poll(sub {
        my ($child) = split ' ', $t->read_file(
            "/proc/$pid/task/$pid/children");

        return -s "$dir/$name.pid" && $child;
    }, 10) || die "$name did not start\n";
}


# processor time of a worker in ms; the first number of schedstat is in ns, the
# others are there on every kernel, and in ticks

sub cpu {
    my ($name) = @_;

    my $ns = (split ' ', $t->read_file("/proc/$worker{$name}/schedstat"))[0];

    return $ns / 1e6 if $ns;

    my @stat = split ' ', $t->read_file("/proc/$worker{$name}/stat")
                          =~ s/.*\) //sr;

    return ($stat[11] + $stat[12]) * 1000
           / POSIX::sysconf(&POSIX::_SC_CLK_TCK);
}


sub measure {
    my ($name, $port, $code, $sessions, $times, @lines) = @_;

    my $before = cpu($name);

    open my $out, '-|', $session, $t->port($port), CLIENTS, $sessions, $times,
         'EHLO client.example.com', @lines
        or die "session: $!\n";

    my %r = split /[\s=]/, <$out> // '';
    close $out;

    die "$port: no result\n" unless $r{count};
    die "$port: replies $r{code}, $r{count}\n"
        if $r{code} != $code || $r{count} != $sessions * ($times || 1);

    $r{cpu} = (cpu($name) - $before) / $r{count};

    return \%r;
}


# what is measured: name, columns

my @runs = (
    [ 'login, refused: nginx smtp', 'theirs', 'theirs_no', 535, $logins, 0,
      $login ],
    [ 'login, refused: smtp_ext', 'ours', 'ours_no', 535, $logins, 0, $login ],
    [ 'login, good: nginx smtp, with a next hop', 'theirs', 'theirs_yes', 235,
      $logins, 0, $login ],
    [ 'login, good: smtp_ext', 'ours', 'ours_yes', 235, $logins, 0, $login ],
    [ 'login, good: smtp_ext, from the cache', 'ours', 'ours_cache', 235,
      $logins, 0, $login ],
    [ 'RCPT, no hook', 'ours', 'plain', 250, CLIENTS, $logins / CLIENTS,
      '--', 'MAIL FROM:<a@example.com>', '@RCPT TO:<b@example.com>', 'RSET' ],
    [ 'RCPT, one hook', 'ours', 'hook', 250, CLIENTS, $logins / CLIENTS,
      '--', 'MAIL FROM:<a@example.com>', '@RCPT TO:<b@example.com>', 'RSET' ],
);

my %figures;

for my $round (0 .. $rounds) {
    for my $run (@runs) {
        my ($name, @how) = @$run;

        $how[4] = int $how[4];

        my $r = measure(@how);

        # the first one is for warming up

        next if $round == 0;

        push @{$figures{$name}{$_}}, $r->{$_} for qw/ cpu rate p50 p99 /;
    }
}


sub figure {
    my ($format, @values) = @_;

    @values = sort { $a <=> $b } @values;

    return sprintf "$format ($format-$format)", $values[@values / 2],
                   $values[0], $values[-1];
}


printf "%-42s %24s %20s %18s %18s\n", '', 'CPU ms each', 'a second', 'p50 us',
       'p99 us';

for my $run (@runs) {
    my $f = $figures{$run->[0]};

    printf "%-42s %24s %20s %18s %18s\n", $run->[0],
           figure('%.4f', @{$f->{cpu}}), figure('%.0f', @{$f->{rate}}),
           figure('%.0f', @{$f->{p50}}), figure('%.0f', @{$f->{p99}});
}

sub ratio {
    my ($name, $one, $two) = @_;
    my ($x, $y) = map { $figures{$runs[$_][0]}{cpu} } $one, $two;

    print "$name: ", figure('%.2f', map { $x->[$_] / $y->[$_] } 0 .. $#$x),
          "\n";
}

ratio('refused, smtp_ext / nginx smtp', 1, 0);
ratio('good, smtp_ext / nginx smtp', 3, 2);

my ($none, $one) = map { $figures{$runs[$_][0]} } 5, 6;

print "a hook more: CPU ms ",
      figure('%.4f', map { $one->{cpu}[$_] - $none->{cpu}[$_] }
                     0 .. $#{$one->{cpu}}),
      ', p50 us ',
      figure('%.0f', map { $one->{p50}[$_] - $none->{p50}[$_] }
                     0 .. $#{$one->{p50}}), "\n";

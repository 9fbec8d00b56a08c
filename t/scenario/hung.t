#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# As many sessions as there are descriptors for, up to 10,000, wait for a
# service that takes connections and says nothing: they cost memory, and
# nothing else.

use warnings;
use strict;

use IO::Poll qw/ POLLIN /;
use IO::Socket::INET;
use MIME::Base64 qw/ encode_base64 /;
use POSIX ();
use Socket qw/ SOMAXCONN /;
use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll scaled /;

# a worker has two descriptors for each session

use constant SESSIONS => 10_000;
use constant FILES => 2 * SESSIONS + 500;

# kilobytes that a session may cost a worker while it waits: about 13, and it is
# 24 when crowds of both kinds have come and gone often enough for the heap to
# have its holes

use constant MEMORY => 24;

# seconds in which processor time is counted, how often that is tried, and the
# most of it, in percent

use constant LULL => 1;
use constant TRIES => 4;
use constant PERCENT => 5;

# the limit is that of the whole process tree, and only a shell can move it

if (!$ENV{TEST_NGINX_FILES}) {
    $ENV{TEST_NGINX_FILES} = 1;

    exec 'sh', '-c', 'ulimit -n ' . FILES . ' 2> /dev/null'
         . ' || ulimit -n $(ulimit -H -n); exec "$@"', 'sh', $^X,
         (map { "-I$_" } @INC), $0
        or die "sh: $!\n";
}

chomp(my $files = `sh -c 'ulimit -n'`);

my $n = SESSIONS;

$n = 1000 if $ENV{ASAN_OPTIONS};
$n = int(($files - 500) / 2) if $files ne 'unlimited' && $files < FILES;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(17);

my $limit = POSIX::ceil(scaled(12));

my $conf = <<'EOC';
%%GLOBALS%%

events {
    worker_connections  %%CONNECTIONS%%;
}

mail {
    server_name        mx.example.com;
    smtp_relay_from    127.0.0.0/8;
    smtp_pass          discard:;
    smtp_http_timeout  5m;
    timeout            5m;

    server {
        listen                 127.0.0.1:%%PORT_auth%%;
        protocol               smtp_ext;
        smtp_auth_http         http://127.0.0.1:%%PORT_service%%/auth;
        smtp_auth_require_tls  off;
    }

    server {
        listen     127.0.0.1:%%PORT_hook%%;
        protocol   smtp_ext;
        smtp_hook  http://127.0.0.1:%%PORT_service%%/hook
                   stages=rcpt timeout=%%LIMIT%%s;
    }
}
EOC

# nginx closes idle connections when less than a sixteenth is left

$conf =~ s/%%CONNECTIONS%%/int(2.3 * $n) + 100/e;
$conf =~ s/%%LIMIT%%/$limit/;

# a log of level debug would take longer than the rest

$t->write_file('nginx.conf', $t->expand($conf, 'error.log', 'nginx.pid')
                             =~ s/^(error_log \S+) debug;/$1 info;/mr);

my $service;

END { kill 'TERM', $service if $service && $service > 0 }

$t->run();
$service = hung();
$t->wait_workers(1);

my $worker = $t->worker_pid();
my $descriptors = $t->worker_fds();


# the service: takes connections until it is told to end

sub hung {
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => SOMAXCONN,
                                  LocalPort => $t->port('service'),
                                  ReuseAddr => 1) or die "listen: $!\n";
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        my @held;

        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        $SIG{TERM} = sub { POSIX::_exit(0) };

        while (1) {
            my $c = $s->accept();
            push @held, $c if $c;
        }
    }

    return $pid;
}


sub end {
    kill 'TERM', $service;
    waitpid $service, 0;
    $service = 0;
}


# what is in use of the worker: kilobytes of its own, processor ticks

sub memory {
    return $t->read_file("/proc/$worker/smaps_rollup")
           =~ /^Private_Dirty:\s+(\d+)/m ? $1 : 0;
}

sub ticks {
    my @stat = split ' ', $t->read_file("/proc/$worker/stat") =~ s/.*\) //sr;

    return $stat[11] + $stat[12];
}


# sessions up to where the next command will wait, one after the other

sub crowd {
    my ($port, @commands) = @_;
    my @crowd;

    for (1 .. $n) {
        my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                      PeerPort => $t->port($port))
            or die "connect, session $_: $!\n";

        push @crowd, $s;

        last if reply($s) !~ /^220 /;

        for my $command (@commands) {
            print $s "$command\r\n";
            last if reply($s) !~ /^250 /;
        }
    }

    return @crowd;
}

# ... and that command

sub wait_all {
    my ($command, @crowd) = @_;

    $_->syswrite("$command\r\n") for @crowd;

    # each has a connection to the service then

    return poll(sub { $t->worker_fds() >= $descriptors + 2 * $n }, 30);
}


# the last line of a reply

sub reply {
    my ($s) = @_;
    my $line;

    while (defined($line = <$s>)) {
        last if $line !~ /^\d\d\d-/;
    }

    return $line // '(closed)';
}

sub replies {
    my %replies;

    local $SIG{ALRM} = sub { die "time\n" };

    alarm POSIX::ceil(scaled(60));
    $replies{reply($_) =~ s/\r\n//r}++ for @_;
    alarm 0;

    return \%replies;
}

# how many have been told something

sub told {
    my $p = IO::Poll->new();

    $p->mask($_ => POLLIN) for @_;

    return $p->poll(0);
}


# while they wait

sub lull {
    my ($name, $before, @crowd) = @_;

    SKIP: {
        skip 'memory is not itself under a sanitizer', 1 if $ENV{ASAN_OPTIONS};

        my $kilobytes = (memory() - $before) / $n;

        cmp_ok $kilobytes, '<', MEMORY, "$name: memory";
        note sprintf '%d sessions, %.1f KB each', $n, $kilobytes;
    }

    # the last of their requests may be on their way still; who never rests has
    # no quiet second at all

    my $used;

    for (1 .. TRIES) {
        my $ticks = ticks();

        select undef, undef, undef, LULL;

        $used = (ticks() - $ticks) / POSIX::sysconf(&POSIX::_SC_CLK_TCK);
        last if $used < LULL * PERCENT / 100;
    }

    cmp_ok $used, '<', LULL * PERCENT / 100, "$name: no processor time";

    my $c = $t->client('auth');

    $c->read_reply();
    $c->ehlo();
    like $c->send_message(to => 'a@example.com'), qr/^250 /,
         "$name: who does not need the service is served";
    $c->quit();

    is told(@crowd), 0, "$name: and all the others wait";
}


sub lines { scalar(() = $t->error_log() =~ /$_[0]/g) }


# hooks; time is over

my $before = memory();
my @crowd = crowd('hook', 'EHLO client.example.com',
                  'MAIL FROM:<a@example.com>');

ok wait_all('RCPT TO:<b@example.com>', @crowd), "RCPT: $n sessions wait";

lull('RCPT', $before, @crowd);

is_deeply replies(@crowd), { '451 4.3.0 Local error in processing' => $n },
          'RCPT: each is told when its time is over';
is lines(qr/\[error\]/), 1, 'RCPT: it is one line in the log';

@crowd = ();

ok poll(sub { $t->worker_fds() <= $descriptors }, 30),
   'RCPT: no descriptor is left';

# logins; the service ends

end();
$service = hung();

@crowd = crowd('auth', 'EHLO client.example.com');

ok wait_all('AUTH PLAIN ' . encode_base64("\0user\0password", ''), @crowd),
   "AUTH: $n sessions wait";

lull('AUTH', $before, @crowd);

end();

is_deeply replies(@crowd),
          { '454 4.7.0 Temporary authentication failure' => $n },
          'AUTH: each is told when the service ends';
is lines(qr/\[error\] .*HTTP service \S+: closed/), 1,
   'AUTH: it is one line in the log';
cmp_ok lines(qr/\[(?:error|crit|alert)\]/), '<=', 3, 'and one of the kernel';

@crowd = ();

ok poll(sub { $t->worker_fds() <= $descriptors }, 30),
   'AUTH: no descriptor is left';

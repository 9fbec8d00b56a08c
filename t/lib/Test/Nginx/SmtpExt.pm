package Test::Nginx::SmtpExt;

# Copyright (C) ngx_mail_smtp_ext authors

# An nginx of a test's own: its directory, ports, configuration, processes and
# logs; and, at the end, one test more, that it has ended well.  See
# t/README.md for an example.
#
# TEST_NGINX_BINARY     nginx to test
# TEST_NGINX_MODULES    modules to load into it, in order; empty when static
# TEST_NGINX_SLOW       factor for all waits; by itself the load per processor
# TEST_NGINX_LEAVE      1: the directory stays
# TEST_NGINX_VERBOSE    1: conversations are printed

use warnings;
use strict;

use Carp qw/ croak /;
use Cwd qw/ abs_path /;
use Fcntl qw/ LOCK_EX LOCK_NB /;
use File::Basename qw/ dirname /;
use File::Path ();
use File::Spec ();
use File::Temp qw/ tempdir /;
use IO::Socket::INET;
use MIME::Base64 qw/ encode_base64 /;
use POSIX ();
use Test::More ();

use Test::Nginx::SmtpExt::Client;
use Test::Nginx::SmtpExt::Dns;
use Test::Nginx::SmtpExt::Http;
use Test::Nginx::SmtpExt::Server;
use Test::Nginx::SmtpExt::Util qw/ scaled slow poll /;

# below the ephemeral ports, or a connection of another test might sit there

use constant PORT_FIRST => 12000;
use constant PORT_LAST => 31999;

my $root = abs_path(dirname(__FILE__) . '/../../../..');
my @all;


# new(workers => 1, upgrade => 1: upgrade() will be called)

sub new {
    my ($class, %o) = @_;

    my $self = bless {
        o => \%o,
        owner => $$,
        ports => {},
        peers => [],
        secrets => [],
        killed => {},
        allowed => [],
        dir => tempdir('smtp-ext-XXXXXX', TMPDIR => 1),
    }, $class;

    $self->{dir} = abs_path($self->{dir});
    chmod 0755, $self->{dir};

    push @all, $self;

    # END must run when prove's time is over

    $SIG{TERM} //= sub { exit 1 };
    $SIG{INT} //= sub { exit 1 };
    $SIG{PIPE} = 'IGNORE';

    # nginx takes it for a list of inherited sockets

    delete $ENV{NGINX};

    return $self;
}


sub _find_binary {
    for my $dir (split(/:/, $ENV{PATH} || ''), '/usr/sbin',
                 '/usr/local/sbin')
    {
        return "$dir/nginx" if -x "$dir/nginx";
    }

    die "no nginx found, set TEST_NGINX_BINARY\n";
}


sub _find_modules {
    my ($self) = @_;

    my $ours = "$root/build/packaged/ngx_mail_smtp_ext_module.so";

    die "no $ours: run make first\n" unless -f $ours;

    return $ours if $self->version_info() !~ /--with-mail=dynamic/;

    my ($dir) = $self->version_info() =~ /--modules-path=(\S+)/;

    return ("$dir/ngx_mail_module.so", $ours);
}


# nginx -V

sub version_info {
    my ($self) = @_;

    return $self->{version_info} //= `'${\ $self->binary()}' -V 2>&1`;
}


# has_version('1.23.2')

sub has_version {
    my ($self, $need) = @_;

    my ($have) = $self->version_info() =~ m!nginx/([\d.]+)!;
    my $number = sub { sprintf '%03d%03d%03d', split /\./, $_[0] };

    return $number->($have) ge $number->($need);
}


sub binary {
    my ($self) = @_;

    return $self->{binary} //= $ENV{TEST_NGINX_BINARY} || _find_binary();
}


# the modules to load; none when ours is linked in

sub modules {
    my ($self) = @_;

    $self->{modules} //= [ defined $ENV{TEST_NGINX_MODULES}
                           ? split ' ', $ENV{TEST_NGINX_MODULES}
                           : $self->_find_modules() ];

    return @{$self->{modules}};
}


sub testdir { $_[0]{dir} }

sub root { $root }


# plan(n): the tests of the file; that nginx ended well is one more

sub plan {
    my ($self, $n) = @_;

    Test::More::plan(tests => $n + 1);

    return $self;
}


# ports

sub port {
    my ($self, $name) = @_;

    return $self->{ports}{$name} //= $self->_free_port();
}


# A lock file keeps other test files off a port for as long as this one runs.

sub _free_port {
    my ($self) = @_;

    my $locks = File::Spec->tmpdir() . "/smtp-ext-ports.$>";
    my $count = PORT_LAST - PORT_FIRST + 1;
    my $start = ($$ * 37 + int rand 1000) % $count;

    mkdir $locks, 0700;

    for my $i (0 .. $count - 1) {
        my $port = PORT_FIRST + ($start + $i) % $count;

        open my $lock, '>', "$locks/$port" or die "$locks/$port: $!\n";
        next unless flock $lock, LOCK_EX | LOCK_NB;
        next unless _can_bind($port);

        push @{$self->{locks}}, $lock;
        return $port;
    }

    die "no free port\n";
}


sub _can_bind {
    my ($port) = @_;

    for my $address ('127.0.0.1', '0.0.0.0') {
        IO::Socket::INET->new(Proto => 'tcp', LocalAddr => $address,
                              LocalPort => $port, Listen => 1, ReuseAddr => 1)
            or return 0;
    }

    return IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1',
                                 LocalPort => $port) ? 1 : 0;
}


# Peers and clients on named ports, or on a unix socket: "unix:name" is a file
# in the test's directory.

sub _address {
    my ($self, $name) = @_;

    return "unix:" . $self->{dir} . "/$1" if $name =~ /^unix:([^\/].*)/;
    return $name if $name =~ /^unix:/ || $name =~ /^[\d.]+:\d+$/;
    return "$1:" . $self->port($2) if $name =~ /^([\d.]+):(\w+)$/;

    return $self->port($name);
}


sub client {
    my ($self, $name, %o) = @_;

    return Test::Nginx::SmtpExt::Client->new($self->_address($name), %o);
}


# one that was greeted and has said EHLO

sub connected {
    my ($self, $name, %o) = @_;

    my $c = $self->client($name // 'smtp', %o);

    $c->read_reply();
    $c->ehlo();

    return $c;
}


sub server {
    my ($self, $name, %o) = @_;

    return $self->_peer('Server', $name, %o);
}


sub http {
    my ($self, $name, %o) = @_;

    return $self->_peer('Http', $name, %o);
}


sub dns {
    my ($self, $name, %o) = @_;

    return $self->_peer('Dns', $name, %o);
}


sub _peer {
    my ($self, $class, $name, %o) = @_;

    my $peer = "Test::Nginx::SmtpExt::$class"->new($self->_address($name), %o);

    push @{$self->{peers}}, $peer;

    return $peer;
}


# files

sub write_file {
    my ($self, $name, $text) = @_;

    my $path = $name =~ m!^/! ? $name : "$self->{dir}/$name";

    open my $fh, '>:raw', $path or croak "$path: $!";
    print $fh $text;
    close $fh or croak "$path: $!";

    return $path;
}


# "" when there is no such file

sub read_file {
    my ($self, $name) = @_;

    open my $fh, '<:raw', $name =~ m!^/! ? $name : "$self->{dir}/$name"
        or return '';
    local $/;

    return scalar(<$fh>) // '';
}


# Makes <name>.crt and <name>.key.  cn, san ([ 'DNS:a', 'IP:127.0.0.1' ]); ca,
# the name of what signs it (itself, otherwise); is_ca; days (negative: it has
# expired); rsa (of 2048 bits, in place of P-256).  Returns both paths.

sub certificate {
    my ($self, $name, %o) = @_;

    my $cn = $o{cn} // $name;
    my $san = join ',', @{$o{san} || [ "DNS:$cn" ]};
    my $base = "$self->{dir}/$name";
    my $days = $o{days} // 3;

    $self->write_file("$name.cnf", <<"CNF");
[ req ]
distinguished_name = dn
prompt = no
x509_extensions = ext
[ dn ]
CN = $cn
[ ext ]
subjectAltName = $san
basicConstraints = @{[ $o{is_ca} ? 'critical,CA:TRUE' : 'CA:FALSE' ]}
CNF

    my @key = ($o{rsa} ? qw/ -newkey rsa:2048 /
                       : qw/ -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 /,
               '-nodes');

    if (!defined $o{ca} && $days >= 0) {
        $self->_openssl('req', '-x509', @key, '-config', "$base.cnf", '-days',
                        $days, '-keyout', "$base.key", '-out', "$base.crt");

    } else {
        my $ca = "$self->{dir}/" . ($o{ca} // $name);

        $self->_openssl('req', '-new', @key, '-config', "$base.cnf",
                        '-keyout', "$base.key", '-out', "$base.csr");
        $self->_openssl('x509', '-req', '-in', "$base.csr", '-days', $days,
                        '-extfile', "$base.cnf", '-extensions', 'ext',
                        (defined $o{ca}
                         ? ('-CA', "$ca.crt", '-CAkey', "$ca.key",
                            '-set_serial', ++$self->{serial})
                         : ('-signkey', "$base.key")),
                        '-out', "$base.crt");
    }

    return ("$base.crt", "$base.key");
}


sub _openssl {
    my ($self, @args) = @_;

    my $out = `openssl @{[ map { "'$_'" } @args ]} 2>&1`;

    croak "openssl @args: $out" if $?;
}


# The configuration.  Known in it: %%TESTDIR%%, %%PORT_name%%, %%GLOBALS%% (all
# that the top of a file needs) and %%HTTP_PATHS%% (for http {}).

sub write_conf {
    my ($self, $text) = @_;

    $self->write_file('nginx.conf', $self->expand($text, 'error.log',
                                                  'nginx.pid'));

    return $self;
}


sub expand {
    my ($self, $text, $log, $pid) = @_;

    my $dir = $self->{dir};
    my $workers = $self->{o}{workers} || 1;

    my $globals = "daemon off;\n"
                . "worker_processes $workers;\n"
                . "error_log $dir/$log debug;\n"
                . "pid $dir/$pid;\n";

    $globals .= "user root;\n" if $> == 0;
    $globals .= "env $_;\n"
        for grep { defined $ENV{$_} } qw/ ASAN_OPTIONS UBSAN_OPTIONS /;
    $globals .= "load_module $_;\n" for $self->modules();

    my $paths = "access_log $dir/http_access.log;\n";

    $paths .= "    ${_}_temp_path $dir/${_}_temp;\n"
        for qw/ client_body proxy fastcgi uwsgi scgi /;

    $text =~ s/%%GLOBALS%%/$globals/g;
    $text =~ s/%%HTTP_PATHS%%/$paths/g;
    $text =~ s/%%TESTDIR%%/$dir/g;
    $text =~ s/%%PORT_(\w+?)%%/$self->port($1)/ge;

    return $text;
}


# nginx -t on a configuration: exit code, output

sub test_conf {
    my ($self, $text) = @_;

    my $dir = $self->{dir};

    $self->write_file('test.conf',
                      $self->expand($text, 'test.log', 'test.pid'));

    # nginx -t ends without giving back the configuration

    local $ENV{ASAN_OPTIONS} = "$ENV{ASAN_OPTIONS}:detect_leaks=0"
        if defined $ENV{ASAN_OPTIONS};

    my $out = `'${\ $self->binary()}' -t -p '$dir/' -c '$dir/test.conf' \\
               -e '$dir/test.log' 2>&1`;

    # a signal is no exit code that a test could expect

    return ($? & 127 ? -($? & 127) : $? >> 8, $out);
}


# processes

# Starts nginx; when run() returns, it listens: the pid file is written after
# listen().  (To connect would leave a session in the logs.)

sub run {
    my ($self) = @_;

    croak 'nginx runs already' if $self->{pid};

    my $dir = $self->{dir};

    my $binary = $self->binary();

    unlink "$dir/nginx.pid";

    my $pid = $self->{o}{upgrade} ? $self->_fork_orphan() : fork();

    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw/ INT TERM PIPE /;

        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$dir/stdout.log";
        open STDERR, '>>', "$dir/stderr.log";

        exec { $binary } $binary, '-p', "$dir/", '-c',
             "$dir/nginx.conf", '-e', "$dir/error.log"
            or POSIX::_exit(127);
    }

    $self->{pid} = $pid;
    $self->{ran} = 1;

    my $up = poll(sub {
        if (waitpid($pid, POSIX::WNOHANG()) == $pid) {
            $self->{pid} = undef;
            return 'ended';
        }

        return -s "$dir/nginx.pid" ? 'up' : '';
    }, 10) || 'no pid file';

    if ($up ne 'up') {
        $self->stop();
        Test::More::diag($self->read_file('stderr.log'));
        die "nginx did not start: $up\n";
    }

    return $self;
}


# nginx replaces its binary only if its parent has gone, as that of a daemon has.
# A process whose parent goes becomes our child: prctl(PR_SET_CHILD_SUBREAPER).

sub _fork_orphan {
    my ($self) = @_;

    my %prctl = (x86_64 => 157, aarch64 => 167);
    my $prctl = $prctl{(POSIX::uname())[4]} or die "no number of prctl()\n";

    syscall($prctl, 36, 1, 0, 0, 0) == 0 or die "prctl: $!\n";

    pipe my $read, my $write or die "pipe: $!\n";

    my $parent = fork();

    die "fork: $!\n" unless defined $parent;

    if ($parent == 0) {
        my $pid = fork();

        return $pid unless $pid;

        print $write "$pid\n";
        close $write;
        poll(sub { -s "$self->{dir}/nginx.pid" || !kill 0, $pid }, 10);
        POSIX::_exit(0);
    }

    close $write;
    waitpid $parent, 0;

    chomp(my $pid = readline $read);

    return $pid;
}


# QUIT, and by force when that takes too long

sub stop {
    my ($self) = @_;

    my $pid = $self->{pid} or return $self;
    my @workers = $self->worker_pids(qr/./);

    for my $signal ([ 'QUIT', 15 ], [ 'TERM', 5 ], [ 'KILL', 5 ]) {
        kill $signal->[0], $pid;

        if (_wait($pid, scaled($signal->[1]))) {
            push @{$self->{exits}}, $?;
            last;
        }

        # it should not have come to this: a failure of the test

        $self->{forced} = $signal->[0];
        kill 'KILL', @workers if $signal->[0] eq 'TERM';
    }

    delete $self->{pid};

    return $self;
}


# as if the machine had crashed: master and workers get KILL

sub crash {
    my ($self) = @_;

    my $pid = $self->{pid} or return $self;

    # first the master, so that it makes no new worker

    kill 'STOP', $pid;

    my @workers = $self->worker_pids(qr/./);

    $self->{killed}{$_} = 1 for @workers;

    kill 'KILL', @workers;
    kill 'KILL', $pid;

    _wait($pid, scaled(5));
    poll(sub { !grep { kill 0, $_ } @workers }, 5);
    delete $self->{pid};

    return $self;
}


sub _wait {
    my ($pid, $seconds) = @_;
    my $done;

    eval {
        local $SIG{ALRM} = sub { die "time\n" };

        alarm POSIX::ceil($seconds);
        $done = waitpid($pid, 0) == $pid;
        alarm 0;
        1;
    } or alarm 0;

    return $done;
}


sub master_pid { $_[0]{pid} }


# Workers that take connections, not those that are shutting down; or the
# processes whose title is like the pattern.  Of the master, or of another one.

sub worker_pids {
    my ($self, $title, $master) = @_;

    $title //= qr/worker process$/;
    $master //= $self->{pid} || 0;

    my @pids;

    for my $dir (glob '/proc/[0-9]*') {
        my $stat = $self->read_file("$dir/stat");
        my ($pid, $ppid) = $stat =~ /^(\d+) \(.*\) \S (\d+)/s or next;

        next if $ppid != $master;

        push @pids, $pid if $self->_title($pid) =~ $title;
    }

    # (sort has no value in scalar context)

    @pids = sort { $a <=> $b } @pids;

    return @pids;
}


# a worker, as soon as there is one: the master listens before

sub worker_pid {
    my ($self) = @_;
    my @pids;

    poll(sub { @pids = $self->worker_pids() }, 8) or die "no worker\n";

    return $pids[0];
}


# What nginx calls a process.  Started by a loader of another suite it has no
# room for titles: then it is known by what it says in the log.

sub _title {
    my ($self, $pid) = @_;

    my @words = split /\0/, $self->read_file("/proc/$pid/cmdline");
    my ($title) = grep { /^nginx: / } @words;

    return $title =~ s/\s+\z//r if defined $title;

    my $leaves = $self->error_log() =~ / $pid#\d+: gracefully shutting down/;

    return 'nginx: worker process' . ($leaves ? ' is shutting down' : '');
}


sub wait_workers {
    my ($self, $n) = @_;

    return poll(sub { $self->worker_pids() == $n }, 8);
}


# HUP; true when new workers run (old ones may still finish their work), false
# when there are none: the configuration was refused, which is in the log.

sub reload {
    my ($self) = @_;

    my $n = $self->{o}{workers} || 1;

    $self->wait_workers($n) or return 0;

    my %old = map { $_ => 1 } $self->worker_pids();
    my $mark = length $self->error_log();

    $self->{old}{$_} = 1 for keys %old;

    kill 'HUP', $self->{pid};

    my $result = poll(sub {
        return 'new' if $n <= grep { !$old{$_} } $self->worker_pids();
        return 'refused'
            if substr($self->error_log(), $mark) =~ /\[emerg\]/;
    }, 8) // 'time';

    delete $self->{old} if $result ne 'new';

    return $result eq 'new' ? 1 : 0;
}


# Until no old worker is left.  One from before a reload may not have been told
# yet that it is old.

sub wait_old_workers {
    my ($self, $seconds) = @_;

    return poll(sub {
        delete $self->{old}{$_}
            for grep { !-e "/proc/$_" } keys %{$self->{old}};

        return !%{$self->{old} || {}}
               && !$self->worker_pids(qr/is shutting down$/);
    }, $seconds || 15);
}


# USR2: the binary is started once more, with the same sockets.  True when it has
# its workers; then it is the master, and the old one is to be told to quit.

sub upgrade {
    my ($self) = @_;

    my $n = $self->{o}{workers} || 1;
    my $old = $self->{pid};

    kill 'USR2', $old;

    return poll(sub {
        my ($pid) = $self->read_file('nginx.pid') =~ /^(\d+)$/;

        return if !$pid || $pid == $old
                  || $self->worker_pids(undef, $pid) != $n;

        $self->{pid} = $pid;

        return 1;
    }, 10);
}


# until a master that was told to quit has done so

sub wait_master {
    my ($self, $pid) = @_;

    _wait($pid, scaled(15)) or return 0;
    push @{$self->{exits}}, $?;

    return 1;
}


# USR1: logs are opened again; the names are of logs that were moved away

sub reopen {
    my ($self, @logs) = @_;

    kill 'USR1', $self->{pid};

    return poll(sub { !grep { !-e "$self->{dir}/$_" } @logs }, 5);
}


# Ends a worker (the first) by a signal; returns its pid when the master has
# replaced it.

sub kill_worker {
    my ($self, $signal, $pid) = @_;

    my $n = $self->{o}{workers} || 1;

    $self->wait_workers($n) or return;
    $pid //= ($self->worker_pids())[0];

    $self->{killed}{$pid} = 1;
    kill $signal, $pid or return;

    poll(sub {
        my @pids = $self->worker_pids();

        return @pids == $n && !grep { $_ == $pid } @pids;
    }, 10) or return;

    return $pid;
}


# descriptors of a worker (the only one), and what /proc says of its memory in
# kB: VmRSS now, VmHWM at its peak since reset_peak()

sub worker_fds {
    my ($self, $pid) = @_;

    $pid //= ($self->worker_pids())[0];

    return scalar(() = glob "/proc/$pid/fd/*");
}


sub worker_memory {
    my ($self, $name, $pid) = @_;

    $pid //= ($self->worker_pids())[0];

    my $status = $self->read_file("/proc/$pid/status");

    return $status =~ /^\Q$name\E:\s+(\d+)/m ? $1 : undef;
}


sub reset_peak {
    my ($self, $pid) = @_;

    $pid //= ($self->worker_pids())[0];

    $self->write_file("/proc/$pid/clear_refs", '5');
}


# logs

sub error_log {
    my ($self) = @_;

    return $self->read_file('error.log');
}


# lines of the error log without those of level debug

sub notices {
    my ($self) = @_;

    return join '', grep { !/\[debug\]/ } split /^/m, $self->error_log();
}


sub access_log {
    my ($self, $name) = @_;

    return $self->read_file($name // 'access.log');
}


# until the file has what the pattern asks for: what it captures, or the text
# it matches; undef when it does not come

sub wait_log {
    my ($self, $pattern, $name, $seconds) = @_;

    my $found = poll(sub {
        return unless $self->read_file($name // 'error.log') =~ $pattern;
        return [ defined $1 ? $1 : $& ];
    }, $seconds || 8);

    return $found ? $found->[0] : undef;
}


# lines of an access log, when there are $n of them

sub access_lines {
    my ($self, $n, $name) = @_;

    poll(sub { ($self->access_log($name) =~ tr/\n//) >= $n }, 8);

    return split /\n/, $self->access_log($name);
}


# what must not be in any log; alerts that a test provokes

sub secret {
    my ($self, @secrets) = @_;

    push @{$self->{secrets}}, @secrets;

    return $secrets[0];
}


sub allow_alert {
    my ($self, @patterns) = @_;

    push @{$self->{allowed}}, @patterns;
}


# The end: stops nginx, and tests (once, as one test) that it ended well.

sub finish {
    my ($self) = @_;

    return if $self->{finished}++;

    $self->stop();
    $_->stop() for @{$self->{peers}};

    return unless $self->{ran};

    Test::More::subtest('nginx ended well', sub {
        Test::More::is($self->_alerts(), '', 'no alerts');
        Test::More::is($self->_sanitizer(), '', 'no sanitizer report');
        Test::More::is($self->_exits(), '', 'each process ended on its own');
        Test::More::is($self->_leaks(), '', 'no secret in a log')
            if @{$self->{secrets}};
        Test::More::done_testing();
    });
}


# also those that a test has moved away for reopen()

sub _all_errors {
    my ($self) = @_;

    return join '', map { $self->read_file($_) }
                        sort glob "$self->{dir}/error*.log";
}


sub _alerts {
    my ($self) = @_;
    my @alerts;

    LINE: for my $line (grep { /\[(?:alert|emerg)\]/ }
                        split /^/m, $self->_all_errors())
    {
        next if $line =~ /worker process (\d+) exited on signal/
                && $self->{killed}{$1};

        for my $pattern (@{$self->{allowed}}) {
            next LINE if $line =~ $pattern;
        }

        push @alerts, $line;
    }

    splice @alerts, 20 if @alerts > 20;

    return join '', @alerts;
}


sub _sanitizer {
    my ($self) = @_;

    for my $path (glob "$self->{dir}/*.log") {
        my $text = $self->read_file($path);

        return substr $text, $-[0], 6000
            if $text =~ /^.*(?:Sanitizer|runtime error:)/m;
    }

    return '';
}


sub _exits {
    my ($self) = @_;

    my $log = $self->_all_errors();
    my (@wrong, %started, %ended);

    $started{$1} = 1
        while $log =~ /start (?:worker|cache manager) process (\d+)/g;

    my $exit = qr/\] \d+#\d+: \w[\w ]* process (\d+) exited (?:with|on)/;

    while ($log =~ /$exit (?:fatal )?(.*)/g) {
        $ended{$1} = 1;
        push @wrong, "process $1: $2\n" unless $2 eq 'code 0'
                                               || $self->{killed}{$1};
    }

    push @wrong, "process $_: no end in the log\n"
        for grep { !$ended{$_} && !$self->{killed}{$_} } sort keys %started;
    push @wrong, "master: status $_\n"
        for grep { $_ } @{$self->{exits} || []};
    push @wrong, "$self->{forced} was not enough\n" if $self->{forced};

    return join '', @wrong;
}


sub _leaks {
    my ($self) = @_;
    my @found;

    for my $secret (@{$self->{secrets}}) {
        my @forms = _forms($secret);

        for my $path (glob "$self->{dir}/*.log") {
            my $log = $self->read_file($path);

            for my $form (@forms) {
                my $at = index $log, $form;

                next if $at < 0;

                my $from = 1 + rindex $log, "\n", $at;
                my ($line) = substr($log, $from) =~ /^(.{0,300})/;

                push @found, "$path: $line\n";
            }
        }
    }

    return join '', @found;
}


# how a secret may look: as it is, percent-encoded, in hex, and in base64 at
# each of the three places where it may begin there

sub _forms {
    my ($secret) = @_;

    my @forms = ($secret, unpack('H*', $secret),
                 $secret =~ s/([^\w.-])/sprintf '%%%02X', ord $1/ger);

    for my $shift (0 .. 2) {
        my $bytes = length($secret) + $shift;
        my $first = POSIX::ceil($shift * 8 / 6);
        my $last = POSIX::floor($bytes * 8 / 6);

        my $text = substr encode_base64("\0" x $shift . $secret, ''),
                          $first, $last - $first;

        push @forms, $text if length $text >= 6;
    }

    return @forms;
}


# for the reader of a failed run

sub _explain {
    my ($self) = @_;

    my @lines = split /^/m, $self->notices();

    splice @lines, 0, @lines - 25 if @lines > 25;

    Test::More::diag("the end of the error log in $self->{dir}:\n", @lines)
        if @lines;
}


END {
    my $status = $?;
    my $builder = Test::More->builder();

    for my $self (@all) {
        next if $self->{owner} != $$;

        if ($status == 0) {
            $self->finish();

        } else {
            $self->stop();
            $_->stop() for @{$self->{peers}};
        }

        $self->_explain()
            if $self->{ran} && ($status != 0 || !$builder->is_passing());

        File::Path::remove_tree($self->{dir}) unless $ENV{TEST_NGINX_LEAVE};
    }

    $? = $status;
}


1;

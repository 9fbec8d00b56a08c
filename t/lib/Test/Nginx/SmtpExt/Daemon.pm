package Test::Nginx::SmtpExt::Daemon;

# Copyright (C) ngx_mail_smtp_ext authors

# A scripted peer of nginx: the common part of Server, Http and Dns.  The
# socket is bound in the test, the peer runs in a child process with one loop
# for all connections, and tells the test what it sees: each event comes before
# the answer that follows from it, so when nginx has the answer, the test can
# have the event, without a wait.
#
# Subs of a scenario run in the child: they see the test's variables as they
# were at the start, and what they change is not seen by the test.  set()
# changes plain options of a running peer, whose counts then begin anew.
#
# Option "rows", { address => { options } }, makes it listen at these addresses
# too, on the same port; who comes there finds those options above the others,
# with counts of their own.  So one peer plays all rows of a table at a time.

use warnings;
use strict;

use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Socket qw/ AF_UNIX SOCK_STREAM PF_UNSPEC SOL_SOCKET SO_LINGER
               IPPROTO_TCP TCP_NODELAY /;
use Storable qw/ nfreeze thaw /;
use Time::HiRes qw/ time /;

use Test::Nginx::SmtpExt::Util qw/ scaled retry /;


# in the test

sub new {
    my ($class, $listen, %o) = @_;

    my $self = bless {
        listen => $listen,
        o => \%o,
        owner => $$,
        buffer => '',
        events => [],
    }, $class;

    $self->init();
    $self->_listen_all();
    $self->_start();

    return $self;
}


sub init { }

sub datagram { 0 }


sub _listen_all {
    my ($self) = @_;

    # those of new(): what set() brings is for them

    my $rows = $self->{addresses} //= [ sort keys %{$self->{o}{rows} || {}} ];
    my $port = $self->{listen} =~ s/^.*://r;

    $self->{listener} = $self->_listen($self->{listen});
    $self->{listeners} = [ $self->{listener},
                           map { $self->_listen("$_:$port") } @$rows ];
}


sub _listen {
    my ($self, $listen) = @_;
    my $socket;

    if ($listen =~ m!^(?:unix:)?(/.*)!) {
        my $path = $1;

        unlink $path;

        $socket = IO::Socket::UNIX->new(
            Type => SOCK_STREAM,
            Local => $path,
            Listen => 128,
        );

        # workers need not be of our uid

        chmod 0666, $path if $socket;

    } else {
        my $host = $listen =~ s/^(.*):// ? $1 : '127.0.0.1';
        my $datagram = $self->datagram();

        $socket = IO::Socket::INET->new(
            LocalAddr => $host,
            LocalPort => $listen,
            Proto => $datagram ? 'udp' : 'tcp',
            ReuseAddr => 1,
            ($datagram ? () : (Listen => 128)),
        );
    }

    die "can't listen on $listen: $!\n" unless $socket;

    $socket->blocking(0);

    return $socket;
}


sub _start {
    my ($self) = @_;

    socketpair my $parent, my $child, AF_UNIX, SOCK_STREAM, PF_UNSPEC
        or die "socketpair: $!\n";

    my $pid = fork();

    die "fork: $!\n" unless defined $pid;

    if ($pid == 0) {
        $SIG{$_} = 'DEFAULT' for qw/ INT TERM HUP ALRM __DIE__ __WARN__ /;
        $SIG{PIPE} = 'IGNORE';

        _close_others(map { fileno $_ } $child, @{$self->{listeners}});

        $child->blocking(0);
        $self->{control} = $child;

        eval { $self->loop(); 1 } or print STDERR ref $self, ": $@";

        POSIX::_exit(0);
    }

    close $child;
    close $_ for @{delete $self->{listeners}};
    delete $self->{listener};

    $parent->blocking(0);

    $self->{pid} = $pid;
    $self->{parent} = $parent;
}


# Connections of the test must end when the test closes them.  Perl counts the
# users of a descriptor, so these are not closed here but become /dev/null.

sub _close_others {
    my %keep = map { $_ => 1 } 0, 1, 2, @_;

    opendir my $dir, '/proc/self/fd' or return;
    my @fds = grep { /^\d+$/ && !$keep{$_} } readdir $dir;
    closedir $dir;

    open my $null, '+<', '/dev/null' or return;

    # the descriptor of opendir() is among them, and gone

    POSIX::dup2(fileno $null, $_)
        for grep { $_ != fileno $null && -e "/proc/self/fd/$_" } @fds;
}


sub stop {
    my ($self) = @_;

    return unless $self->{pid} && $self->{owner} == $$;

    $self->sync();

    my $pid = delete $self->{pid};

    kill 'KILL', $pid;

    local ($?, $!);
    waitpid $pid, 0;

    $self->drain();
}


# the same again on the same address

sub start {
    my ($self) = @_;

    return if $self->{pid};

    $self->_listen_all();
    $self->{buffer} = '';
    $self->{gone} = 0;
    $self->_start();
}


sub DESTROY {
    my ($self) = @_;

    $self->stop() if $self->{pid} && $self->{owner} == $$;
}


# new values of options; plain data only; in effect on return

sub set {
    my ($self, %o) = @_;

    $self->{o}{$_} = $o{$_} for keys %o;

    $self->_ask(%o) or die ref($self) . ": no answer to set()\n";
}


# Lets go of answers that the fault "hold" holds back, the oldest or as many
# as that, -n: of the newest ones; wait_held() is until so many have been held
# in all.

sub release {
    my ($self, $n) = @_;

    $self->_ask(release => $n // 1) or die ref($self) . ": no answer\n";
}


sub wait_held {
    my ($self, $n, $seconds) = @_;

    return $self->wait_for(sub { $self->events('held') >= $n }, $seconds);
}


# all that the peer has seen up to now is here on return

sub sync {
    my ($self) = @_;

    $self->_ask();
}


sub _ask {
    my ($self, %o) = @_;

    return $self->drain() unless $self->{pid};

    my $id = ++$self->{asked};
    my $release = delete $o{release};
    my $command = nfreeze({ id => $id, o => \%o, release => $release });
    my $end = time() + scaled(8);

    $self->{parent}->blocking(1);
    syswrite $self->{parent}, pack('N', length $command) . $command;
    $self->{parent}->blocking(0);

    while (1) {
        $self->drain();

        return 1 if ($self->{acked} || 0) >= $id;
        $self->_wait($end) or return 0;
    }
}


# reads the events that are there

sub drain {
    my ($self) = @_;

    return unless $self->{parent};

    while (1) {
        my $n = sysread $self->{parent}, $self->{buffer}, 65536,
                        length $self->{buffer};
        next if $n;

        # the peer has ended, its last words are read

        $self->{gone} = 1 if defined $n;
        last;
    }

    while (length $self->{buffer} >= 4) {
        my $len = unpack 'N', $self->{buffer};

        last if length $self->{buffer} < 4 + $len;

        my $event = thaw(substr $self->{buffer}, 4, $len);
        substr $self->{buffer}, 0, 4 + $len, '';

        if ($event->{type} eq 'ack') {
            $self->{acked} = $event->{id};
            next;
        }

        push @{$self->{events}}, $event;
    }
}


# events of a type, or all

sub events {
    my ($self, $type) = @_;

    $self->sync();

    return grep { !defined $type || $_->{type} eq $type } @{$self->{events}};
}


# until $sub is true, looked at after each event; bounded, by 8 seconds

sub wait_for {
    my ($self, $sub, $seconds) = @_;
    my $end = time() + scaled($seconds || 8);

    while (1) {
        $self->drain();

        my $rc = $sub->();
        return $rc if $rc;

        $self->_wait($end) or return;
    }
}


# until there is something to read; false when there will be nothing

sub _wait {
    my ($self, $end) = @_;

    my $left = $end - time();

    return 0 if $left <= 0 || !$self->{pid} || $self->{gone};

    my $r = '';
    vec($r, fileno $self->{parent}, 1) = 1;
    select $r, undef, undef, $left;

    return 1;
}


# connections that were accepted

sub connections {
    my ($self) = @_;

    return scalar(() = $self->events('connect'));
}


sub wait_connections {
    my ($self, $n, $seconds) = @_;

    return $self->wait_for(sub { $self->connections() >= $n }, $seconds);
}


# connections that the other side has closed: all up to now, or $n

sub closed {
    my ($self) = @_;

    return scalar(() = $self->events('close'));
}


sub wait_closed {
    my ($self, $n, $seconds) = @_;

    return $self->wait_for(
        sub { $self->closed() >= ($n // $self->connections()) }, $seconds);
}


# in the child

sub loop {
    my ($self) = @_;

    $self->{conns} = {};
    $self->{timers} = [];
    $self->{out} = '';
    $self->{commands} = '';

    while (1) {
        my ($r, $w) = ('', '');

        vec($r, fileno $self->{control}, 1) = 1;
        vec($w, fileno $self->{control}, 1) = 1 if length $self->{out};
        vec($r, fileno $_, 1) = 1 for @{$self->{listeners}};

        for my $c (values %{$self->{conns}}) {
            vec($r, $c->{fd}, 1) = 1 unless $c->{deaf};
            vec($w, $c->{fd}, 1) = 1 if length $c->{out};
        }

        my @timers = sort { $a->{at} <=> $b->{at} } @{$self->{timers}};
        my $wait = @timers ? $timers[0]{at} - time() : undef;
        $wait = 0 if defined $wait && $wait < 0;

        my $n = select $r, $w, undef, $wait;

        next if $n < 0;

        $self->_run_timers();
        $self->_flush_events() if length $self->{out};
        $self->_control() if vec($r, fileno $self->{control}, 1);

        my @conns = values %{$self->{conns}};

        for my $c (@conns) {
            next unless $self->{conns}{$c->{n}};

            $self->flush($c) if vec($w, $c->{fd}, 1);
            $self->_read($c) if $c->{fd} >= 0 && vec($r, $c->{fd}, 1);
        }

        for my $listener (@{$self->{listeners}}) {
            next unless vec($r, fileno $listener, 1);

            $self->datagram() ? $self->on_datagram()
                              : $self->_accept($listener);
        }
    }
}


sub _control {
    my ($self) = @_;

    my $n = sysread $self->{control}, $self->{commands}, 65536,
                    length $self->{commands};

    # the test has ended

    POSIX::_exit(0) if defined $n && $n == 0 || !defined $n && !retry();

    while (length $self->{commands} >= 4) {
        my $len = unpack 'N', $self->{commands};

        last if length $self->{commands} < 4 + $len;

        my $command = thaw(substr $self->{commands}, 4, $len);
        substr $self->{commands}, 0, 4 + $len, '';

        $self->{o}{$_} = $command->{o}{$_} for keys %{$command->{o}};
        $self->{count} = {} if %{$command->{o}};
        $self->_release($command->{release} || 0);
        $self->event('ack', id => $command->{id});
    }
}


sub _release {
    my ($self, $n) = @_;

    for (my $left = abs $n; $left > 0 && @{$self->{held} || []}; ) {
        my ($c, $answer) = @{$n < 0 ? pop @{$self->{held}}
                                    : shift @{$self->{held}}};

        next if $c->{fd} < 0;

        defined $answer ? $self->send($c, $answer)
                        : $self->close_connection($c, 'done');
        $left--;
    }
}


sub event {
    my ($self, $type, %data) = @_;

    my $frozen = nfreeze({ type => $type, time => time(), %data });

    $self->{out} .= pack('N', length $frozen) . $frozen;
    $self->_flush_events();
}


sub _flush_events {
    my ($self) = @_;

    while (length $self->{out}) {
        my $n = syswrite $self->{control}, $self->{out};

        last unless defined $n;
        substr $self->{out}, 0, $n, '';
    }
}


sub timer {
    my ($self, $seconds, $sub) = @_;

    push @{$self->{timers}}, { at => time() + $seconds, sub => $sub };
}


sub _run_timers {
    my ($self) = @_;
    my $now = time();

    my @due = grep { $_->{at} <= $now } @{$self->{timers}};
    $self->{timers} = [ grep { $_->{at} > $now } @{$self->{timers}} ];

    $_->{sub}->() for sort { $a->{at} <=> $b->{at} } @due;
}


sub _accept {
    my ($self, $listener) = @_;

    my $row = $listener == $self->{listener} ? undef : $listener->sockhost();

    while (my $socket = $listener->accept()) {
        my $c = {
            n => ++$self->{accepted},
            socket => $socket,
            fd => fileno $socket,
            in => '',
            out => '',
            row => $row,
        };

        $socket->blocking(0);
        $socket->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
            unless $socket->isa('IO::Socket::UNIX');

        $self->{conns}{$c->{n}} = $c;
        $self->event('connect', n => $c->{n}, row => $row);

        # (what comes in front of TLS is read by on_accept())

        my $ssl = $self->option($c, 'ssl');

        if ($ssl && !$self->option($c, 'proxy')) {
            $self->handshake($c, $ssl) or next;
        }

        $self->on_accept($c);
    }
}


# what holds for a connection

sub option {
    my ($self, $c, $name) = @_;

    my $row = defined $c->{row} ? $self->{o}{rows}{$c->{row}} : undef;

    return $row && exists $row->{$name} ? $row->{$name} : $self->{o}{$name};
}


# a handshake, or a fault in its place

sub handshake {
    my ($self, $c, $tls) = @_;

    my $f = $self->fault($c, 'TLS') or return $self->tls($c, %$tls);

    $c->{stage} = 'nothing';
    $self->misbehave($c, $f, '');

    return 0;
}


# a handshake, in which the other connections wait; the peer is nginx

sub tls {
    my ($self, $c, %o) = @_;

    require IO::Socket::SSL;

    $c->{socket}->blocking(1);

    my %ssl = map { $_ => $o{$_} } grep { /^SSL_/ } keys %o;

    # sessions are resumed in the context that they were made in

    $ssl{SSL_reuse_ctx} = $self->_tls_context(%o, %ssl) if $o{resume};

    my $ok = IO::Socket::SSL->start_SSL($c->{socket},
        SSL_server => 1,
        SSL_cert_file => $o{cert},
        SSL_key_file => $o{key},
        ($o{ca} ? (SSL_ca_file => $o{ca}, SSL_verify_mode => 1) : ()),
        Timeout => scaled(5),
        %ssl,
    );

    unless ($ok) {
        $self->event('tls_error', n => $c->{n},
                     error => "$IO::Socket::SSL::SSL_ERROR");
        $self->close_connection($c, 'tls');
        return 0;
    }

    $c->{socket}->blocking(0);
    $c->{tls} = 1;

    my $s = $c->{socket};

    $self->event('tls', n => $c->{n}, version => $s->get_sslversion(),
                 cipher => $s->get_cipher(),
                 sni => scalar $s->get_servername(),
                 reused => $s->get_session_reused() ? 1 : 0,
                 peer => scalar eval { $s->peer_certificate('cn') });

    return 1;
}


sub _tls_context {
    my ($self, %o) = @_;

    return $self->{contexts}{$o{cert}} //= IO::Socket::SSL::SSL_Context->new(
        SSL_server => 1,
        SSL_cert_file => $o{cert},
        SSL_key_file => $o{key},
        SSL_session_id_context => 'smtp',
        ($o{ca} ? (SSL_ca_file => $o{ca}, SSL_verify_mode => 1) : ()),
        map { $_ => $o{$_} } grep { /^SSL_/ } keys %o,
    );
}


sub _read {
    my ($self, $c) = @_;

    # TLS may hold more than select() knows of: read until it is dry

    while (1) {
        my $n = $c->{socket}->sysread($c->{in}, 65536, length $c->{in});

        if ($n) {
            $self->on_data($c);
            return if $c->{fd} < 0 || $c->{deaf};
            next;
        }

        return if !defined $n && ($c->{tls} ? _tls_again() : retry());

        $self->close_connection($c, defined $n ? 'eof' : "$!");
        return;
    }
}


sub _tls_again {
    no warnings 'once';

    return $IO::Socket::SSL::SSL_ERROR == IO::Socket::SSL::SSL_WANT_READ()
        || $IO::Socket::SSL::SSL_ERROR == IO::Socket::SSL::SSL_WANT_WRITE()
        || retry();
}


sub send {
    my ($self, $c, $data) = @_;

    return if $c->{fd} < 0;

    $c->{out} .= $data;
    $self->flush($c) unless $c->{dripping};
}


sub flush {
    my ($self, $c) = @_;

    while (length $c->{out}) {
        my $n = $c->{socket}->syswrite($c->{out});

        unless (defined $n) {
            return if $c->{tls} ? _tls_again() : retry();

            $self->close_connection($c, "$!");
            return;
        }

        substr $c->{out}, 0, $n, '';
    }

    # the loop comes back to it, and to the others

    $c->{out} = $c->{endless} if defined $c->{endless};

    $self->close_connection($c, $c->{close} eq 'reset' ? 'reset' : 'done')
        if $c->{close};
}


# one byte at a time, and nothing else meanwhile

sub drip {
    my ($self, $c, $data, $pause) = @_;

    return if $c->{fd} < 0;

    $c->{deaf} = 1;

    if ($data eq '') {
        $self->hear($c);
        return;
    }

    $c->{out} .= substr $data, 0, 1, '';
    $self->flush($c);
    $self->timer($pause, sub { $self->drip($c, $data, $pause) });
}


# reads one byte at a time

sub sip {
    my ($self, $c, $pause) = @_;

    return if $c->{fd} < 0;

    $c->{deaf} = 1;
    $c->{socket}->sysread(my $byte, 1);
    $self->timer($pause, sub { $self->sip($c, $pause) });
}


# the end of being deaf: what has come meanwhile is looked at

sub hear {
    my ($self, $c) = @_;

    return if $c->{fd} < 0;

    $c->{deaf} = 0;
    $self->on_data($c);
    $self->_read($c) if $c->{tls} && $c->{fd} >= 0 && !$c->{deaf};
}


sub close_connection {
    my ($self, $c, $how) = @_;

    return if $c->{fd} < 0;

    delete $self->{conns}{$c->{n}};
    $c->{fd} = -1;

    $self->on_close($c);
    $self->event('close', n => $c->{n}, how => $how);

    if ($how eq 'reset') {
        setsockopt $c->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
        $c->{tls} ? $c->{socket}->close(SSL_no_shutdown => 1)
                  : close $c->{socket};
        return;
    }

    $c->{tls} ? $c->{socket}->close($c->{cut} ? (SSL_no_shutdown => 1)
                                              : (SSL_fast_shutdown => 1))
              : close $c->{socket};
}


# The fault that is to be done now, or undef.  A fault is { at => what,
# do => kind, n => only the n-th time, connection => only on that one }; the
# option holds one or a list.

sub fault {
    my ($self, $c, $at) = @_;

    my $faults = $self->option($c, 'fault') or return;
    my $n = ++$self->{count}{join ' ', 'fault', $at, $c->{row} // ()};

    for my $f (ref $faults eq 'ARRAY' ? @$faults : $faults) {
        next if $f->{at} ne $at;
        next if defined $f->{n} && $f->{n} != $n;
        next if defined $f->{connection} && $f->{connection} != $c->{n};

        return $f;
    }

    return;
}


# Does what can be done to any answer:
#
#     close, reset    in place of it
#     stall           no answer, and no reading any more
#     silent          no answer, but reading goes on
#     garbage         bytes that are no answer (or those in "data")
#     endless         the same again and again
#     half            its first half, then close
#     drip            one byte at a time, "pause" seconds apart, and deaf till
#                     then
#     sip             no answer; reads a byte each "pause" seconds
#     delay           after "seconds"
#     late            the same, and deaf till then
#     hold            when release() says so
#     hold_close      no answer, but a close when release() says so
#     answer_hold     the answer; "data", or close, when release() says so
#     answer_close    the answer, then close
#     answer_reset    the answer, then a reset
#     answer_cut      the answer, then the end of TCP, without that of TLS
#     answer_stall    the answer, then no reading any more

sub misbehave {
    my ($self, $c, $f, $answer) = @_;
    my $do = $f->{do};

    if ($do eq 'close' || $do eq 'reset') {
        $self->close_connection($c, $do);

    } elsif ($do eq 'stall') {
        $c->{deaf} = 1;

    } elsif ($do eq 'silent') {
        return;

    } elsif ($do eq 'garbage') {
        $self->send($c, $f->{data} // "\0\xff\x01garbage\r\n\x80\r\n");

    } elsif ($do eq 'endless') {
        $c->{deaf} = 1;
        $c->{endless} = ($f->{data} // "250-more\r\n") x 1000;
        $self->send($c, $c->{endless});

    } elsif ($do eq 'half') {
        $c->{close} = 1;
        $self->send($c, substr $answer, 0, length($answer) / 2);

    } elsif ($do eq 'answer_close') {
        $c->{close} = 1;
        $self->send($c, $answer);

    } elsif ($do eq 'answer_reset') {
        $c->{close} = 'reset';
        $self->send($c, $answer);

    } elsif ($do eq 'answer_cut') {
        $c->{cut} = 1;
        $c->{close} = 1;
        $self->send($c, $answer);

    } elsif ($do eq 'answer_stall') {
        $c->{deaf} = 1;
        $self->send($c, $answer);

    } elsif ($do eq 'drip') {
        $self->drip($c, $answer, $f->{pause} // 0.005);

    } elsif ($do eq 'sip') {
        $self->sip($c, $f->{pause} // 1);

    } elsif ($do eq 'late') {
        $c->{deaf} = 1;
        $self->timer($f->{seconds} // 1,
                     sub { $self->send($c, $answer); $self->hear($c) });

    } elsif ($do eq 'delay') {
        $self->timer($f->{seconds} // 1, sub { $self->send($c, $answer) });

    } elsif ($do eq 'hold') {
        push @{$self->{held}}, [ $c, $answer ];
        $self->event('held', n => $c->{n}, row => $c->{row});

    } elsif ($do eq 'answer_hold' || $do eq 'hold_close') {
        $self->send($c, $answer) if $do eq 'answer_hold';
        push @{$self->{held}}, [ $c, $f->{data} ];
        $self->event('held', n => $c->{n}, row => $c->{row});

    } else {
        die "unknown fault \"$do\"\n";
    }
}


# An entry of a table of answers: a value; a sub; a list, of which each use
# takes the next and the last one stays.  A sub gets the first argument, which
# time it is, the other arguments.  Nothing found is undef.

sub answer {
    my ($self, $table, $key, @args) = @_;

    my $entry = $table->{$key};

    return unless defined $entry;

    # a table of a row is another one

    my $n = ++$self->{count}{"answer $table $key"};

    if (ref $entry eq 'ARRAY') {
        $entry = $entry->[$n <= @$entry ? $n - 1 : -1];
    }

    return $entry unless ref $entry eq 'CODE';

    my $first = shift @args;

    return $entry->($first, $n, @args);
}


sub on_accept { }

sub on_close { }


1;

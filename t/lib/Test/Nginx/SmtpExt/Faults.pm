package Test::Nginx::SmtpExt::Faults;

# Copyright (C) ngx_mail_smtp_ext authors

# A table of faults of the next hop, whose rows are played at the same time: a
# row costs no more than what it waits for, and that is waited for once.
#
# Each row has an address, and a group of two servers there: "first", which does
# what the row says, and "second", a backup, which is well.  What comes of a row
# is its end: the reply, connections and messages of the first server, and of
# the second: "250 2.0.0 OK, 1/0, 1/1".
#
#     Test::Nginx::SmtpExt::Faults->new($t, @columns)->test($table);
#     Test::Nginx::SmtpExt::Faults->of_mode($t, $mode)->test($table);
#
# A column is a manner to speak with servers, { name, mode, ehlo, ... }:
#
#     mode      smtp_pass_mode
#     ehlo      what the servers offer
#     server    other options of them
#     conf      other directives
#     lmtp      1: by lmtp://
#     bdat      1: the client says BDAT
#
# A line of the table is "place  fault  end...", with a letter of %ends in each
# column, several of them where it is up to chance, "-" for none.  A fault "bad"
# stands for all that are in %bad and have no line of their own.  A place is a
# verb, TLS, or
#
#     again <verb>    on a kept connection, the first time
#     <verb> 2        the second time
#     RSET            on a kept connection with a transaction in it
#     BODY            in the middle of a large message; the fault may have an
#                     answer before it
#     parked          while it is the client's turn; the fault is "close" or
#                     what the server says
#
# There is a test for each row, one that everybody's next message is delivered
# once, and one that nginx has given back all it had opened.

use warnings;
use strict;

use Test::More ();

use Test::Nginx::SmtpExt::Util qw/ poll scaled /;


# What is no answer.  Hasty are those that have to be waited for: at MAIL and
# behind it for $wait, and before it, where all connect and do handshakes at the
# same time, four times as long.

my $wait = scaled(1.5);

my %bad = (
    'close' => { do => 'close' },
    'reset' => { do => 'reset' },
    'half' => { do => 'half' },
    'stall' => { do => 'stall', hasty => 1 },
    'silent' => { do => 'silent', hasty => 1 },
    'late' => { do => 'late', seconds => 5 * $wait, hasty => 1 },
    'drip' => { do => 'drip', pause => $wait, hasty => 1 },
    'garbage' => { do => 'garbage' },
    'endless' => { do => 'endless' },
    'endless line' => { do => 'endless', data => 'x' x 100 },
    'megabyte line' => { do => 'garbage', data => '250-' . 'x' x 1048576 },
    'megabyte reply' => { do => 'garbage',
                          data => ('250-' . 'x' x 996 . "\r\n") x 1048
                                  . "250 ok\r\n" },
    'null octet' => { do => 'garbage', data => "250 ok\0\r\n" },
    'codes mixed' => { do => 'garbage', data => "250-ok\r\n251 ok\r\n" },
);

# what comes with an answer that is one, before it or behind it

my %kinds = (
    %bad,
    'then close' => { do => 'answer_close' },
    'then reset' => { do => 'answer_reset' },
    'then stall' => { do => 'answer_stall', hasty => 1 },
    'twice' => { do => 'twice' },
    'slow' => { do => 'drip', pause => 0.001 },
    'sip' => { do => 'sip', pause => $wait, hasty => 1 },
    'ahead' => { ahead => 1, do => 'silent', hasty => 1 },
);

# how a row ends: reply, connections/messages of the first, of the second

my $ok = '250 2.0.0 OK';
my $lost = '451 4.4.2 Destination server did not confirm the message';
my $broken = '451 4.4.2 Connection to destination server failed';

my %ends = (
    k => "$ok, 0/1, 0/0",        # taken by the first, on a kept connection
    t => "$ok, 1/1, 0/0",        # ... on one
    T => "$ok, 2/1, 0/0",        # ... on the second one
    n => "$ok, 0/0, 1/1",        # by the second: no new connection to the first
    o => "$ok, 1/0, 1/1",        # ... one
    O => "$ok, 2/0, 1/1",        # ... two
    z => "$lost, 0/0, 0/0",      # it is not known
    l => "$lost, 1/0, 0/0",
    L => "$lost, 1/1, 0/0",
    m => "$lost, 2/0, 0/0",
    Z => "$lost, 0/1, 0/0",
    b => "$broken, 1/0, 0/0",    # it was on its way
    B => "$broken, 2/0, 0/0",
    r => ', 1/0, 0/0',           # what the server said
);

# no kernel takes that for a server that does not read

my $big = ('x' x 78 . "\r\n") x 62_500;


sub new {
    my ($class, $t, @columns) = @_;

    return bless { t => $t, columns => \@columns }, $class;
}


# What servers a mode meets: with PIPELINING, without it, with CHUNKING, of LMTP.
# %chunks is more of the third one.  Two things are up to chance there: whether a
# reset is seen before all is sent, and whether a reply too many is there when the
# next command is due.

sub of_mode {
    my ($class, $t, $mode, %chunks) = @_;

    my @ext = qw/ 8BITMIME PIPELINING /;
    my @columns = (
        { name => 'pipelined', ehlo => [ @ext ] },
        { name => 'plain', ehlo => [ qw/ 8BITMIME / ] },
        { name => 'chunks', ehlo => [ @ext, 'CHUNKING' ], %chunks },
        { name => 'lmtp', ehlo => [ @ext ], lmtp => 1 },
    );

    return $class->new($t, map { { %$_, mode => $mode } } @columns);
}


sub test {
    my ($self, $table) = @_;
    my ($t, @columns) = ($self->{t}, @{$self->{columns}});
    my @plays;

    # two columns at a time: select() of the servers takes no more

    push @plays, [ map { $self->_rows($_, $table) }
                       grep { $_ <= $#columns } @$_ ]
        for map { [ 2 * $_, 2 * $_ + 1 ] } 0 .. $#columns / 2;

    my ($rows, $all) = (0, 0);

    for (map { scalar @$_ } @plays) {
        $rows = $_ if $_ > $rows;
        $all += $_;
    }

    $self->{addresses} = [ map { '127.1.' . int($_ / 200) . '.'
                                 . ($_ % 200 + 1) } 0 .. $rows - 1 ];
    $self->{$_} = $t->server($_, rows => { map { $_ => {} }
                                           @{$self->{addresses}} })
        for qw/ first second /;

    $t->plan($all + @plays + 1);
    $t->write_conf($self->_conf())->run();
    $t->wait_workers(1);

    my $fds = $t->worker_fds();

    $self->_play(@$_) for @plays;

    # what is kept is given up when its server goes

    $_->stop() for $self->{first}, $self->{second};
    poll(sub { $t->worker_fds() == $fds }, 8);
    Test::More::is($t->worker_fds(), $fds,
                   'the worker has as many descriptors as before');
}


sub _conf {
    my ($self) = @_;
    my $groups = '';

    for my $i (0 .. $#{$self->{addresses}}) {
        my $address = $self->{addresses}[$i];

        $groups .= <<"EOC";
    smtp_upstream r$i {
        server     $address:%%PORT_first%%  max_fails=0;
        server     $address:%%PORT_second%%  max_fails=0  backup;
        keepalive  4;
    }

    smtp_recipient  \@r$i.example  { smtp_pass smtp://r$i; }
    smtp_recipient  \@l$i.example  { smtp_pass lmtp://r$i; }

EOC
    }

    return <<"EOC";
%%GLOBALS%%

events { worker_connections 4000; }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        "reject:550 5.7.1 no row";

$groups
@{[ map { _servers($_) } @{$self->{columns}} ]}
}
EOC
}


# Of a column: one server{} for who is patient, one for who is not from the
# beginning, one for who is not from MAIL on, one for who is not while he sends,
# one for the message after that, and one that asks at RCPT, whose connections are
# of use to the others.  Those of other columns have their own.

sub _servers {
    my ($column) = @_;

    my ($name, $mode) = @$column{qw/ name mode /};
    my $ms = $wait * 1000;
    my $late = join "\n        ",
               map { "smtp_pass_${_}_timeout  ${ms}ms;" }
               qw/ mail rcpt data send final /;
    my $again = 'smtp_pass_mail_timeout  ' . 2 * $ms . 'ms;';
    my $early = join "\n        ",
                map { "smtp_pass_${_}_timeout  " . 4 * $ms . 'ms;' }
                qw/ connect greeting /;
    my $sending = 'smtp_pass_send_timeout  ' . 2 * $ms . 'ms;';

    return map { <<"EOC" }
    server {
        listen          127.0.0.1:%%PORT_${name}_$_->[0]%%;
        protocol        smtp_ext;
        smtp_pass_helo  $name.example;
        smtp_pass_mode  $_->[1];
        $_->[2]
        @{[ $column->{conf} // '' ]}
    }

EOC
        [ 'patient', $mode, '' ], [ 'early', $mode, "$early\n        $late" ],
        [ 'late', $mode, $late ], [ 'again', $mode, $again ],
        [ 'sending', $mode, $sending ], [ 'verify', 'verify', '' ];
}


# The rows of a column: hashes of
#
#     name      of its test
#     expected  ends, one of which is right
#     port      where the client goes
#     server    options of the first server, and of the second
#     fault     of the first server; see Daemon.pm
#     on        its answers
#     data      the message
#     prime     a method that is given rows before anything is counted, and
#               before there are faults
#     parked    1: what the first server holds is released before DATA
#     lmtp, bdat

sub _rows {
    my ($self, $number, $table) = @_;
    my (@rows, %named);

    my $column = $self->{columns}[$number];
    my %way = (lmtp => $column->{lmtp}, bdat => $column->{bdat},
               server => { ehlo => $column->{ehlo}, keep_data => 0,
                           %{$column->{server} || {}} });

    my @lines = map { [ split /\s{2,}/, s/^\s+//r ] }
                grep { /\S/ && !/^#/ } split /\n/, $table;

    $named{"$_->[0] $_->[1]"} = 1 for @lines;

    for my $line (@lines) {
        my ($place, $fault, $ends) = @$line;
        my $end = (split ' ', $ends)[$number];

        die "$place $fault: no column $number\n" unless defined $end;

        my @faults = $fault ne 'bad' ? $fault
                     : grep { !$named{"$place $_"} } sort keys %bad;

        next if $end eq '-';

        for (@faults) {
            my $said = /^(\d.*), / ? $1 =~ s/^421/451/r : '';

            push @rows, {
                %way,
                _fault($column, $place, $_),
                name => "$column->{mode}, $column->{name}, $place: $_",
                expected => [ map { $_ eq 'r' ? $said . $ends{$_}
                                    : $ends{$_} // die "end $_\n" }
                                  split //, $end ],
            };
        }
    }

    return @rows;
}


sub _fault {
    my ($column, $place, $fault) = @_;
    my (%on, %more);

    my $name = $column->{name};

    if ($place eq 'parked') {
        return (port => "${name}_patient", parked => 1,
                fault => { at => 'RCPT', do => 'answer_hold', n => 1,
                           $fault eq 'close' ? ()
                           : (data => "$fault\r\n") });
    }

    if ($place eq 'BODY') {
        $on{BODY} = $1 if $fault =~ s/^(\d.*), //;
        $more{data} = $big;
    }

    my %f = (at => $place,
             %{$kinds{$fault} || die "unknown fault \"$fault\"\n"});
    my $hasty = delete $f{hasty};

    %on = _ahead($column, $place) if delete $f{ahead};

    if ($f{at} =~ s/^again //) {
        $f{n} = 1;
        $more{prime} = \&_prime_message;

    } elsif ($f{at} =~ s/ (\d)$//) {
        $f{n} = $1;

    } elsif ($place eq 'RSET') {
        $f{n} = 1;
        $more{prime} = \&_prime_rset;
        $more{prime_port} = "${name}_verify";
    }

    my $port = !$hasty ? 'patient'
               : $place eq 'BODY' ? 'sending'
               : $place =~ /^(?:again )?(?:MAIL|RCPT|RSET|DATA|EOM)/ ? 'late'
               : 'early';

    return (port => "${name}_$port", on => \%on, fault => \%f, %more);
}


# an answer that comes together with the one before

sub _ahead {
    my ($column, $place) = @_;

    my $ehlo = $column->{lmtp} ? 'LHLO' : 'EHLO';
    my $bdat = grep { $_ eq 'CHUNKING' } @{$column->{ehlo}};
    my %before = ($ehlo => 'CONNECT', STARTTLS => $ehlo, XCLIENT => $ehlo,
                  MAIL => $ehlo, RCPT => 'MAIL', DATA => 'RCPT',
                  EOM => $bdat ? 'RCPT' : 'DATA');
    my %says = (CONNECT => '220 hello', STARTTLS => '220 2.0.0 go on',
                XCLIENT => '220 hello again',
                MAIL => '250 2.1.0 ok', RCPT => '250 2.1.5 ok',
                DATA => '354 go on', EOM => '250 2.0.0 taken',
                $ehlo => join "\n", '250-next.example',
                         (map { "250-$_" } @{$column->{ehlo}}),
                         '250 ' . ($place eq 'STARTTLS' ? $place : 'X-NONE'));

    my $last = $before{$place};

    return ($last => "$says{$last}\r\n$says{$place}");
}


# a message, whose connection is kept

sub _prime_message {
    my ($self, @rows) = @_;

    $self->_messages('prime', @rows);

    my @wrong = grep { $_->{reply} !~ /^250/ } @rows;

    die "$_->{name}: $_->{reply}\n" for @wrong;
}


# a transaction that is open in a kept connection, and nobody's

sub _prime_rset {
    my ($self, @rows) = @_;

    for my $row (@rows) {
        my $c = $self->{t}->client($row->{prime_port});

        $c->read_reply();
        $c->ehlo();
        $c->mail('prime.sender@example.com');

        my $reply = $c->rcpt($row->{to});

        die "$row->{name}: $reply\n" unless $reply =~ /^250/;
        $c->cmd('RSET');
        $c->close();
    }
}


# what first and second have seen, by row; messages of that round

sub _seen {
    my ($self, $round) = @_;

    my (@seen, %row);
    my $i = 0;

    $row{$_} = $i++ for @{$self->{addresses}};

    for my $server (qw/ first second /) {
        my %known;

        for my $e ($self->{$server}->events()) {
            if ($e->{type} eq 'connect' && defined $e->{row}) {
                $known{$e->{n}} = $row{$e->{row}};
                $seen[$row{$e->{row}}]{$server}{connect}++;
            }

            $seen[$known{$e->{n}}]{$server}{message}++
                if $e->{type} eq 'message' && $e->{from} =~ /^$round\./
                   && defined $known{$e->{n}};
        }
    }

    return \@seen;
}


sub _since {
    my ($before, $after, $i) = @_;

    return map {
        my $server = $_;
        join '/', map {
            ($after->[$i]{$server}{$_} // 0) - ($before->[$i]{$server}{$_} // 0)
        } qw/ connect message /;
    } qw/ first second /;
}


sub _play {
    my ($self, @rows) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 2;

    for my $i (0 .. $#rows) {
        my $row = $rows[$i];

        $row->{address} = $self->{addresses}[$i];
        $row->{to} = 'rcpt@' . ($row->{lmtp} ? 'l' : 'r') . "$i.example";
    }

    $self->_set(\@rows, 0);
    $self->_client($_) for @rows;

    for my $prime (\&_prime_message, \&_prime_rset) {
        $prime->($self, grep { $_->{prime} && $_->{prime} == $prime } @rows);
    }

    $self->_set(\@rows, 1);

    # what a server does late may be seen when the next rows are played

    my $play = ++$self->{play};
    my $before = $self->_seen("fault$play");

    $self->_messages("fault$play", @rows);

    my $after = $self->_seen("fault$play");

    for my $i (0 .. $#rows) {
        my $row = $rows[$i];
        my $reply = $row->{reply} =~ s/ id=\w+$//r;
        my $end = join ', ', $reply, _since($before, $after, $i);
        my @expected = ref $row->{expected} ? @{$row->{expected}}
                                            : $row->{expected};
        my ($same) = grep { $_ eq $end } @expected;

        Test::More::is($end, $same // $expected[0], $row->{name})
            or Test::More::diag($row->{c}->transcript());
    }

    # all is well again

    $self->_set(\@rows, 0);
    $before = $self->_seen("again$play");

    # (a machine that is busy is no reason to be told 451 now; but what is kept
    # may be silent, and MAIL finds that out)

    for (grep { $_->{port} !~ /_patient$/ } @rows) {
        $_->{c}->close();
        $self->_client($_, $_->{port} =~ s/_[a-z]+$/_again/r);
    }

    $self->_messages("again$play", @rows);
    $after = $self->_seen("again$play");

    my @wrong;

    for my $i (0 .. $#rows) {
        my $messages = 0;

        for (_since($before, $after, $i)) {
            $messages += (split m!/!)[1];
        }

        push @wrong, "$rows[$i]{name}: $rows[$i]{reply} $messages"
            if $messages != 1 || $rows[$i]{reply} !~ /^250 /;
    }

    Test::More::is(join("\n", @wrong), '',
                   "everybody's next message is there once");

    $_->{c}->close() for @rows;
}


# options of the servers; those of the first with its faults, or without

sub _set {
    my ($self, $rows, $faults) = @_;

    my (%first, %second);

    for my $row (@$rows) {
        my $address = $row->{address};

        $second{$address} = { %{$row->{server} || {}},
                              lmtp => $row->{lmtp} || 0 };
        $first{$address} = $second{$address};

        $first{$address} = { %{$second{$address}}, on => $row->{on} || {},
                             fault => $row->{fault} } if $faults;
    }

    $self->{first}->set(rows => \%first);
    $self->{second}->set(rows => \%second);
}


sub _client {
    my ($self, $row, $port) = @_;

    my $c = $row->{c} = $self->{t}->client($port // $row->{port},
                                           timeout => 30);

    $c->read_reply();
    $c->ehlo();
}


# A message of each row, whose sender tells of the round.  What is not taken ends
# it; the reply is that.

sub _messages {
    my ($self, $round, @rows) = @_;

    my $data = "Subject: test\r\n\r\nhello\r\n";

    $_->{reply} = $_->{c}->mail("$round.sender\@example.com") for @rows;

    @rows = grep { $_->{reply} =~ /^250/ } @rows;

    $_->{c}->send_line("RCPT TO:<$_->{to}>") for @rows;
    $_->{reply} = $_->{c}->read_reply() for @rows;

    # what was refused is given up; nothing of that is left over

    $_->{c}->cmd('RSET') for grep { $_->{reply} !~ /^250/ } @rows;

    @rows = grep { $_->{reply} =~ /^250/ } @rows;

    $self->_release(grep { $_->{parked} } @rows);

    for (@rows) {
        $_->{c}->send_raw($_->{bdat} ? 'BDAT '
                          . length($_->{data} // $data) . " LAST\r\n"
                          . ($_->{data} // $data) : "DATA\r\n");
    }

    $_->{reply} = $_->{c}->read_reply() for @rows;

    @rows = grep { $_->{reply} =~ /^354/ } @rows;

    $_->{c}->body($_->{data} // $data) for @rows;
    $_->{reply} = $_->{c}->read_reply() for @rows;
}


# What is held back goes out; when this returns, nginx has closed each of the
# connections.

sub _release {
    my ($self, @rows) = @_;

    return unless @rows;

    my $first = $self->{first};
    my %parked = map { $_->{address} => $_ } @rows;
    my @held = grep { $parked{$_->{row} // ''} } $first->events('held');
    my @closed;

    $first->release(scalar @held);
    $first->wait_for(sub {
        my %closed = map { $_->{n} => 1 } $first->events('close');

        return !grep { !$closed{$_->{n}} } @held;
    });

    delete $_->{parked} for @rows;
}


1;

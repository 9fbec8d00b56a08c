#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# A client at each step of a transaction, when its worker is killed or told to
# end, when the configuration is reloaded, nginx quits, or its binary is
# replaced.  Promises 1, 2, 6 and 7: what was acknowledged is there, and once;
# who may finish does, and is told 421 at the next idle point; nothing is left
# over.

use warnings;
use strict;

use MIME::Base64 qw/ encode_base64 /;
use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $t = Test::Nginx::SmtpExt->new(upgrade => 1);

my $shutdown = '421 4.3.2 Service shutting down, closing connection';
my $taken = '250 2.0.0 OK';
my $rcpt = '250 2.1.5 recipient ok';
my $go = '354 End data with <CR><LF>.<CR><LF>';
my $user = encode_base64("\0user\0pass", '');

# The steps.  Each has a next hop of its own, with one connection at most, so
# that one that stays counted is noticed.
#
#     conf    of its server{}
#     fault   of its next hop, an answer that is held back
#     http    1: an answer of the service is
#     before  what has been said, and answered, before it happens
#     last    what has been said, and is not answered
#     after   what the client says then, and is told: once its answer is there
#     taken   the next hop has the message already

my @envelope = ('MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.com>');
my @rest = ([ 'RCPT TO:<b@example.com>', $rcpt ], [ 'DATA', $go ],
            [ 'BODY', $taken ]);
my $half = "Subject: SUBJECT\r\n\r\n" . ('x' x 78 . "\r\n") x 500;
my $chunk = "Subject: SUBJECT\r\n\r\nx\r\n";

sub hold { { at => $_[0], do => 'hold' } }

sub hook {
    "smtp_hook  http://127.0.0.1:%%PORT_http%%/hook stages=$_[0];"
}

my %step = (
    delayed => { conf => 'smtp_banner_delay  60s;', silent => 1 },
    greeted => {},
    idle => { before => [ 'EHLO c.example' ] },
    mail => { before => [ 'EHLO c.example', $envelope[0] ], after => \@rest },
    parked => { before => [ 'EHLO c.example', @envelope ],
                after => [ @rest[1, 2] ] },
    data => { before => [ 'EHLO c.example', @envelope, 'DATA' ],
              last => $half, after => [ [ 'END', $taken ] ] },
    chunk => { before => [ 'EHLO c.example', @envelope,
                           'BDAT ' . length($chunk) . "\r\n$chunk" ],
               last => "BDAT 10 LAST\r\nmore",
               after => [ [ "line\r\n", $taken ] ] },
    stream => { conf => 'smtp_pass_mode  stream;',
                before => [ 'EHLO c.example', @envelope, 'DATA' ],
                last => $half, after => [ [ 'END', $taken ] ] },

    # something is waited for

    hook_connect => { conf => hook('connect'), http => 1, silent => 1 },
    hook_ehlo => { conf => hook('ehlo'), http => 1,
                   last => "EHLO c.example\r\n" },
    hook_mail => { conf => hook('mail'), http => 1,
                   before => [ 'EHLO c.example' ],
                   last => "$envelope[0]\r\n",
                   after => [ [ undef, '250 2.1.0 Sender OK' ], @rest ] },
    hook_rcpt => { conf => hook('rcpt'), http => 1,
                   before => [ 'EHLO c.example', $envelope[0] ],
                   last => "$envelope[1]\r\n",
                   after => [ [ undef, $rcpt ], @rest[1, 2] ] },
    hook_data => { conf => hook('data'), http => 1,
                   before => [ 'EHLO c.example', @envelope, 'DATA' ],
                   last => "$half.\r\n", after => [ [ undef, $taken ] ] },
    auth => { conf => 'smtp_auth_http  http://127.0.0.1:%%PORT_http%%/auth;
        smtp_auth_require_tls  off;', http => 1,
              before => [ 'EHLO c.example' ], last => "AUTH PLAIN $user\r\n" },
    connect => { fault => hold('CONNECT'),
                 before => [ 'EHLO c.example', $envelope[0] ],
                 last => "$envelope[1]\r\n",
                 after => [ [ undef, $rcpt ], @rest[1, 2] ] },
    rcpt => { fault => hold('RCPT'),
              before => [ 'EHLO c.example', $envelope[0] ],
              last => "$envelope[1]\r\n",
              after => [ [ undef, $rcpt ], @rest[1, 2] ] },
    envelope => { fault => hold('DATA'), conf => 'smtp_pass_mode  buffered;',
                  before => [ 'EHLO c.example', @envelope, 'DATA' ],
                  last => "$half.\r\n", after => [ [ undef, $taken ] ] },
    final => { fault => hold('EOM'), taken => 1,
               before => [ 'EHLO c.example', @envelope, 'DATA' ],
               last => "$half.\r\n", after => [ [ undef, $taken ] ] },
    final_chunk => { fault => hold('EOM'), taken => 1,
                     conf => 'smtp_pass_mode  buffered;',
                     ehlo => [ qw/ PIPELINING 8BITMIME CHUNKING / ],
                     before => [ 'EHLO c.example', @envelope, 'DATA' ],
                     last => "$half.\r\n", after => [ [ undef, $taken ] ] },
    final_stream => { fault => hold('EOM'), taken => 1,
                      conf => 'smtp_pass_mode  stream;',
                      before => [ 'EHLO c.example', @envelope, 'DATA' ],
                      last => "$half.\r\n", after => [ [ undef, $taken ] ] },

    # one of two destinations is ready

    mixed => { fault => hold('DATA'),
               conf => 'smtp_mixed_result  bounce smtp://mixed;
        smtp_pass_mode  buffered;
        smtp_max_destinations  2;
        smtp_recipient  maildir@example.com {
            smtp_pass  maildir:%%TESTDIR%%/maildir;
        }',
               before => [ 'EHLO c.example', @envelope,
                           'RCPT TO:<maildir@example.com>', 'DATA' ],
               last => "$half.\r\n", after => [ [ undef, $taken ] ] },
);

my @steps = sort keys %step;
my %address = map { $steps[$_] => "127.1.0." . ($_ + 1) } 0 .. $#steps;
my @http = grep { $step{$_}{http} } @steps;
my @held = grep { $step{$_}{fault} } @steps;

sub rows {
    my ($faults) = @_;

    return { map { $address{$_} => {
        ehlo => $step{$_}{ehlo} || [ qw/ PIPELINING 8BITMIME / ],
        fault => $faults ? $step{$_}{fault} : undef,
    } } @steps };
}

my $mta = $t->server('mta', rows => rows(0));
my $http = $t->http('http', hooks => {}, auth => { user => 'pass' });

mkdir $t->testdir() . '/maildir', 0777;
chmod 0777, $t->testdir() . '/maildir';

sub conf {
    my ($main, $name) = @_;

    return <<"EOC";
%%GLOBALS%%
$main

events { }

mail {
    server_name            $name.example.com;
    smtp_relay_from        127.0.0.1;
    smtp_body_buffer_size  16k;
    smtp_temp_path         %%TESTDIR%%/smtp_temp;

@{[ map { <<"EOS" } @steps ]}
    smtp_upstream $_ {
        zone    $_ 64k;
        server  $address{$_}:%%PORT_mta%%  max_conns=1  max_fails=0;
        keepalive  @{[ $_ eq 'connect' ? 0 : 4 ]};
    }

    server {
        listen     127.0.0.1:%%PORT_$_%%;
        protocol   smtp_ext;
        smtp_pass  $_;
        @{[ $step{$_}{conf} // '' ]}
    }
EOS
}
EOC
}

my ($round, %c, %subject) = (0);

# everybody is where he should be

sub prepare {
    $round++;
    $mta->set(rows => rows(1));
    $http->set(fault => hold('RESPONSE'));

    my ($mta_held, $http_held) = map { scalar(() = $_->events('held')) }
                                 $mta, $http;

    for my $name (@steps) {
        my $step = $step{$name};
        my $c = $c{$name} = $t->client($name);

        $subject{$name} = "$name $round";
        $c->read_reply() unless $step->{silent};

        $c->cmd(s/SUBJECT/$subject{$name}/r =~ s/\r\n\z//r)
            for @{$step->{before} || []};
        $c->send_raw($step->{last} =~ s/SUBJECT/$subject{$name}/r)
            if $step->{last};
    }

    ok $mta->wait_held($mta_held + @held)
       && $http->wait_held($http_held + @http), 'everybody is at work';
}

sub release {
    $mta->set(rows => rows(0));
    $http->set(fault => undef);
    $mta->release(100);
    $http->release(100);
}

# how often it was delivered, to the next hop and to the Maildir

sub delivered {
    my ($subject) = @_;

    my $n = grep { $_->{data} =~ /^Subject: \Q$subject\E\r$/m }
            $mta->messages();
    my $files = grep { $t->read_file($_) =~ /^Subject: \Q$subject\E\r?$/m }
                glob $t->testdir() . '/maildir/new/*';

    return "$n/$files";
}

# what comes of each of them when all may finish

sub finished {
    my ($what) = @_;

    for my $name (grep { !$step{$_}{after} && !$step{$_}{http} } @steps) {
        is_deeply [ $c{$name}->read_reply(), $c{$name}->eof() ? 1 : 0 ],
                  [ $shutdown, 1 ], "$what, $name: 421 at once";
    }

    release();

    for my $name (grep { $step{$_}{after} || $step{$_}{http} } @steps) {
        my $c = $c{$name};
        my @told;

        for my $item (@{$step{$name}{after} || []}) {
            my ($say) = @$item;

            if (!defined $say) {
                # an answer is waited for

            } elsif ($say eq 'BODY') {
                $c->body("Subject: $subject{$name}\r\n\r\nx\r\n");

            } elsif ($say eq 'END') {
                $c->body('');

            } elsif ($say =~ /\n/) {
                $c->send_raw($say);

            } else {
                $c->send_line($say);
            }

            push @told, $c->read_reply() =~ s/ id=\w+$//r;
        }

        my $last = $c->read_reply();

        # a reply that is due all the same

        $last = $c->read_reply() if !@told && $last =~ /^2/;

        is_deeply [ @told, $last, $c->eof() ? 1 : 0 ],
                  [ (map { $_->[1] } @{$step{$name}{after} || []}),
                    $shutdown, 1 ],
                  "$what, $name: goes on to its end, and 421";
    }

    is join(' ', grep { $step{$_}{after}
                        && delivered($subject{$_})
                           ne ($_ eq 'mixed' ? '1/1' : '1/0') } @steps), '',
       "$what: all is delivered, once";
}

# what comes of them when their worker is gone: nobody has read a 250

sub broken {
    my ($what) = @_;

    for my $name (@steps) {
        my $reply = $c{$name}->read_reply();

        like $reply, qr/^(?:\((?:closed|reset)\)|421 .*)$/,
             "$what, $name: no answer";
    }

    release();

    is join(' ', grep { delivered($subject{$_})
                        ne ($step{$_}{taken} ? '1/0' : '0/0') } @steps), '',
       "$what: nothing is delivered but what the next hop had";
}

# A message of everybody's, at the same time as the others': what counted for
# a connection of the old ones does not any more.

sub again {
    my ($what, $name) = @_;
    my @wrong;

    $mta->set(rows => rows(0));
    $http->set(fault => undef);

    my @c = map { $t->client($_) } grep { $_ ne 'delayed' } @steps;

    for my $c (@c) {
        my $greeting = $c->read_reply();

        push @wrong, $greeting
            if $greeting !~ /^220 $name\.example\.com /;
        $c->ehlo();
        $c->mail('a@example.com');
        $c->rcpt('b@example.com');
    }

    for my $c (@c) {
        my $reply = $c->data("x\r\n");

        push @wrong, $reply if $reply !~ /^250 /;
        $c->quit();
        $c->close();
    }

    is join("\n", @wrong), '', "$what: the new one serves everybody";
}

# nothing of an old worker is left: connections, files

sub nothing_left {
    my ($what) = @_;

    ok $t->wait_old_workers(), "$what: the old worker has ended";
    is_deeply [ glob $t->testdir() . '/smtp_temp/*' ], [],
              "$what: no temporary file";
    is join(' ', grep { open_connections($_) > 1 } @steps), '',
       "$what: no next hop has more than one connection";
}

sub open_connections {
    my ($name) = @_;
    my %open = map { $_->{n} => 1 }
               grep { !$name || $address{$name} eq ($_->{row} // '') }
               $mta->events('connect');

    delete $open{$_->{n}} for $mta->events('close');

    return scalar keys %open;
}

$t->plan(177)->write_conf(conf('', 'one'))->run();

# a worker is killed

for my $signal (qw/ KILL TERM /) {
    prepare();
    ok $t->kill_worker($signal), "$signal of the worker";
    broken($signal);
    ok $mta->wait_for(sub { open_connections() == 0 }),
       "$signal: all connections to next hops are closed";
    again($signal, 'one');
    nothing_left($signal);

    my @left = glob $t->testdir() . '/maildir/tmp/*';

    # a file that was ready; readers of Maildirs remove such ones

    cmp_ok scalar @left, '<=', 1, "$signal: the Maildir";
    unlink @left;
    is_deeply [ glob $t->testdir() . '/maildir/new/*' ], [],
              "$signal: nothing was delivered there";
}

# a reload

prepare();
$t->write_conf(conf('', 'two'));
ok $t->reload(), 'reload';
ok poll(sub { scalar $t->worker_pids(qr/is shutting down$/) }, 8),
   'the old worker has been told';
again('reload', 'two');
finished('reload');
nothing_left('reload');

# another binary: both serve until the old one is told to quit
# (one that is run by a loader does not know what to run)

SKIP: {
    skip 'nginx has no name of its own', @steps + 9
        if $t->read_file('/proc/' . $t->master_pid() . '/cmdline')
           !~ /^nginx: master/;

    prepare();
    $t->write_conf(conf('', 'three'));

    my $old = $t->master_pid();

    ok $t->upgrade(), 'a new binary runs';
    kill 'QUIT', $old;
    ok poll(sub { scalar $t->worker_pids(qr/is shutting down$/, $old) }, 8),
       'the worker of the old one has been told';
    again('upgrade', 'three');
    finished('upgrade');
    ok $t->wait_master($old), 'upgrade: the old one has ended';
    nothing_left('upgrade');
}

# a reload with a limit of time: who is at work is cut off

$t->write_conf(conf('worker_shutdown_timeout  300ms;', 'four'));
ok $t->reload(), 'a configuration with worker_shutdown_timeout';
ok $t->wait_old_workers(), 'is in use';

prepare();
$t->write_conf(conf('', 'five'));
ok $t->reload(), 'reload';
ok $t->wait_old_workers(), 'timeout: the old worker has ended';
broken('timeout');
again('timeout', 'five');
nothing_left('timeout');
is_deeply [ glob $t->testdir() . '/maildir/tmp/*' ], [],
          'timeout: nor in the Maildir';

# the end

prepare();
kill 'QUIT', $t->master_pid();
finished('quit');
ok $mta->wait_for(sub { open_connections() == 0 }),
   'quit: all connections to next hops are closed';

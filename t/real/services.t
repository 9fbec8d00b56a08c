#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# docs/guide/platform.md, as it is written there: its configuration, and each of
# the services of examples/ behind it.

use warnings;
use strict;

use IO::Socket::INET;
use POSIX ();
use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Sasl qw/ b64 scram tls_exporter /;
use Test::Nginx::SmtpExt::Util qw/ poll scaled /;

my $root = Test::Nginx::SmtpExt->root();
my $key = 'a shared secret';
my $password = 'correct horse';

my @services = (
    [ 'Python', 'python3', "$root/examples/python/service.py" ],
    [ 'Node', 'node', "$root/examples/node/service.js" ],
);

# one more: that nginx has ended well

plan tests => 30 * @services;

for my $service (@services) {
    my ($name, $program, $path) = @$service;

    SKIP: {
        skip "no $program", 30
            unless grep { -x "$_/$program" } split /:/, $ENV{PATH};

        scenario($name, $program, $path);
    }
}


# The configuration of the guide, with ports and files of the test.

sub configure {
    my ($t) = @_;

    my $guide = $t->read_file("$root/docs/guide/platform.md");
    my ($conf) = $guide =~ /^```nginx\n(events .*?)^```$/ms
        or die "no configuration in the guide\n";

    my %place = (
        'listen    587' => 'listen  127.0.0.1:%%PORT_submission%%',
        'listen    465' => 'listen  127.0.0.1:%%PORT_smtps%%',
        'listen    25' => 'listen  127.0.0.1:%%PORT_mx%%',
        '127.0.0.1:8080' => '127.0.0.1:%%PORT_api%%',
        '192.0.2.1:25' => '127.0.0.1:%%PORT_mta%%',
        '192.0.2.2:25;' => '127.0.0.1:%%PORT_mta%%  backup;',
        '192.0.2.9:25' => '127.0.0.1:%%PORT_bulk%%',
        '127.0.0.1:2424' => '127.0.0.1:%%PORT_lmtp%%',
        '127.0.0.1:2425' => '127.0.0.1:%%PORT_lmtp2%%',
        '/etc/ssl/mail.example.com' => '%%TESTDIR%%/mail.example.com',
        '/var/log/nginx/smtp.log' => '%%TESTDIR%%/access.log',
    );

    for (sort keys %place) {
        $conf =~ s/\Q$_\E/$place{$_}/g or die "no $_ in the guide\n";
    }

    $t->write_conf("%%GLOBALS%%\n$conf");

    my $users = $t->read_file("$root/examples/users.json");

    $users =~ s/127\.0\.0\.1:2424/127.0.0.1:%%PORT_lmtp%%/g;
    $users =~ s/127\.0\.0\.1:2425/127.0.0.1:%%PORT_lmtp2%%/g;

    $t->write_file('users.json', $t->expand($users, 'error.log', 'nginx.pid'));
}


sub start {
    my ($t, $program, $path) = @_;

    my $port = $t->port('api');
    my $log = $t->testdir() . '/service.log';

    unlink $log;

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        $ENV{MAIL_KEY} = $key;

        open STDIN, '<', '/dev/null';
        open STDOUT, '>', $log;
        open STDERR, '>&', \*STDOUT;
        exec $program, $path, "127.0.0.1:$port", $t->testdir() . '/users.json'
            or POSIX::_exit(127);
    }

    $t->wait_log(qr/^listening on/, 'service.log', 20)
        or die 'the service: ' . $t->read_file('service.log');

    return $pid;
}


sub end {
    my ($pid, $signal) = @_;

    kill $signal, $pid;

    my $gone = poll(sub { waitpid($pid, POSIX::WNOHANG()) == $pid }, 10);

    unless ($gone) {
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }

    return $gone ? $? : 'no end';
}


# an HTTP request by hand; the status

sub status {
    my ($t, $text) = @_;

    my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                  PeerPort => $t->port('api'),
                                  Timeout => scaled(5)) or return 'no connect';

    print $s $text;
    $s->timeout(scaled(5));

    my $line = <$s> // '';

    return $line =~ m!^HTTP/1\.1 (\d+) ! ? $1 : $line;
}


# a session on port 587, from an address of its own: guesses are counted

my $address = 1;

sub user {
    my ($t) = @_;

    my $c = $t->client('submission', local => '127.0.1.' . $address++);

    $c->read_reply();
    $c->ehlo();
    $c->starttls();
    $c->ehlo();

    return $c;
}


sub visitor {
    my ($t) = @_;

    my $c = $t->client('mx');

    $c->read_reply();
    $c->ehlo();

    return $c;
}


sub scenario {
    my ($name, $program, $path) = @_;

    my $t = Test::Nginx::SmtpExt->new();

    $t->certificate('mail.example.com');
    configure($t);

    my $mta = $t->server('mta');
    my $bulk = $t->server('bulk');
    my $lmtp = $t->server('lmtp', lmtp => 1);
    my $lmtp2 = $t->server('lmtp2', lmtp => 1);

    $t->secret($password, 'token-of-alice');

    my $pid = start($t, $program, $path);

    $t->run();

    submission($t, $name, $mta, $bulk);
    mailboxes($t, $name, $lmtp, $lmtp2);
    alone($t, $name);

    my $log = $t->read_file('service.log');

    like $log, qr/^auth plain .alice\@example\.com. 127\.0\.1\.\d+ OK$/m,
         "$name: it says what it was asked";
    unlike $log, qr/correct|battery|token|Traceback/, "$name: and no more";

    # it goes, and comes again

    is end($pid, 'TERM'), 0, "$name: it ends by TERM";

    like user($t)->auth_plain('bob@example.com', 'battery staple'),
         qr/^454 4\.7\.0 /, "$name: away, it logs in nobody";

    my $c = visitor($t);

    $c->mail('friend@example.net');
    like $c->rcpt('alice@example.com'), qr/^451 4\.\d\.\d /,
         "$name: and refuses nobody for good";
    $c->close();

    $pid = start($t, $program, $path);

    is user($t)->auth_plain('bob@example.com', 'battery staple'),
       '235 2.7.0 Authentication succeeded', "$name: it is there again";

    end($pid, 'TERM');
    $t->finish();
}


sub submission {
    my ($t, $name, $mta, $bulk) = @_;

    my $c = user($t);

    is $c->auth_plain('alice@example.com', $password),
       '235 2.7.0 Authentication succeeded', "$name: a login";
    is $c->ehlo()->{SIZE}, '10485760', "$name: a limit of the user";
    like $c->send_message(from => 'sales@example.com',
                          to => 'friend@example.net',
                          data => "From: sales\@example.com\r\n\r\nx\r\n"),
         qr/^250 /, "$name: a message with an alias of the user";
    is_deeply [ map { ($_->{from}, @{$_->{to}}) } $mta->messages() ],
              [ qw/ sales@example.com friend@example.net / ],
              "$name: has gone where all go";
    like $c->mail('bob@example.com'), qr/^550 5\.7\.1 /,
         "$name: the address of somebody else";
    $c->quit();

    $c = user($t);

    is $c->auth_plain('bob@example.com', 'battery staple'),
       '235 2.7.0 Authentication succeeded', "$name: another user";
    $c->send_message(from => 'bob@example.com', to => 'friend@example.net',
                     data => "From: bob\@example.com\r\n\r\nx\r\n");
    is_deeply [ map { ($_->{from}, @{$_->{to}}) } $bulk->messages() ],
              [ qw/ bob@example.com friend@example.net archive@example.com / ],
              "$name: whose mail goes another way, with a copy";
    $c->quit();

    # other mechanisms

    $c = user($t);

    my $r = scram($c, 'SCRAM-SHA-256', user => 'alice@example.com',
                  password => $password);

    is $r->{reply}, '235 2.7.0 Authentication succeeded',
       "$name: by SCRAM-SHA-256";
    ok $r->{verified}, "$name: and the server has its key";

    $c = user($t);
    $r = scram($c, 'SCRAM-SHA-256-PLUS', user => 'alice@example.com',
               password => $password, gs2 => 'p=tls-exporter,,',
               binding => tls_exporter($c));
    is $r->{reply}, '235 2.7.0 Authentication succeeded',
       "$name: by SCRAM-SHA-256-PLUS";

    my $oauth = "n,,\1auth=Bearer token-of-alice\1\1";

    is user($t)->cmd('AUTH OAUTHBEARER ' . b64($oauth)),
       '235 2.7.0 Authentication succeeded',
       "$name: by a token, which says who it is";
    is user($t)->cmd('AUTH XOAUTH2 ' . b64(
           "user=alice\@example.com\1auth=Bearer token-of-alice\1\1")),
       '235 2.7.0 Authentication succeeded', "$name: by XOAUTH2";

    # who is not let in

    is user($t)->auth_plain('alice@example.com', 'correct house'),
       '535 5.7.8 Invalid login or password', "$name: a wrong password";
    is user($t)->auth_plain("nobody \xc3\xa9%", 'x'),
       '535 5.7.8 Invalid login or password', "$name: nobody's name";
    is user($t)->auth_plain('carol@example.com', 'hospital bed'),
       '535 5.7.13 This account is locked, please call us',
       "$name: a locked user";
}


sub mailboxes {
    my ($t, $name, $lmtp, $lmtp2) = @_;

    my $c = visitor($t);

    $c->mail('friend@example.net');
    is $c->rcpt('nobody@example.com'), '550 5.1.1 No such user',
       "$name: nobody's mailbox";
    is $c->rcpt('friend@example.net'), '550 5.1.1 No such user',
       "$name: no relay";
    is $c->rcpt('carol@example.com'), '550 5.2.1 Mailbox is disabled',
       "$name: a locked one";
    like $c->rcpt('Sales+spring@Example.com'), qr/^250 /, "$name: an alias";
    like $c->data("Subject: x\r\n\r\nx\r\n"), qr/^250 /, "$name: a message";
    like $c->send_message(to => 'bob@example.com'), qr/^250 /,
         "$name: another one";

    is_deeply [ map { @{$_->{to}} } $lmtp->messages(), $lmtp2->messages() ],
              [ 'Sales+spring@Example.com', 'bob@example.com' ],
              "$name: each is in its place";
}


# what others may ask the service

sub alone {
    my ($t, $name) = @_;

    is join(' ', status($t, "GET /auth HTTP/1.1\r\nHost: a\r\n\r\n"),
            map { status($t, "POST /hooks HTTP/1.1\r\nHost: a\r\n"
                             . "X-Mail-Key: $key\r\nContent-Length: "
                             . length($_) . "\r\n\r\n$_") }
                '{', '[]', '{"context":[]}', '"x"'),
       '403 400 400 400 400', "$name: what is no question";
}

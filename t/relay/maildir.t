#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The destination maildir: the folders, the name, what is in a file, in memory
# and from the temporary file, several messages at a time; what a message looks
# like that was not accepted: it is not there.

use warnings;
use strict;

use Test::More;
use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new(workers => 2)->plan(41);
my $dir = $t->testdir();

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name  mx.example.com;

    smtp_access_log        %%TESTDIR%%/access.log  log;
    smtp_log_format        log  '$smtp_result $smtp_status $smtp_reply '
                                '$smtp_upstream_addr';
    smtp_temp_path         %%TESTDIR%%/temp;
    smtp_body_buffer_size  16k;

    smtp_recipient  @a.example  { smtp_pass maildir:%%TESTDIR%%/a/; }
    smtp_recipient  @b.example  { smtp_pass maildir:b; }
    smtp_recipient  @c.example  { smtp_pass maildir:%%TESTDIR%%/none/c; }
    smtp_recipient  @d.example  { smtp_pass maildir:%%TESTDIR%%/file; }

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;

        smtp_max_message_size  20m;
    }

    server {
        listen    127.0.0.1:%%PORT_memory%%;
        protocol  smtp_ext;

        smtp_max_message_size  20m;
        smtp_body_buffer_size  4m;
    }
}
EOC

$t->write_file('file', '');

# one message

my $c = $t->connected('smtp');

ok !-e "$dir/a", 'no folder before the first message';

my $reply = $c->send_message(from => 's@example.net', to => 'User@a.example',
                             data => "Subject: x\r\n\r\n.dot\r\n\r\nend\r\n");
my ($id) = $reply =~ /^250 2\.0\.0 .*id=([0-9a-v]{16})$/;

ok $id, 'accepted, with id' or diag $reply;

is_deeply [ map { (stat "$dir/a$_")[2] & 07777 } '', '/tmp', '/new', '/cur' ],
          [ (0700) x 4 ], 'folders';
is_deeply [ glob "$dir/a/tmp/* $dir/a/cur/*" ], [], 'nothing else there';

my @names = glob "$dir/a/new/*";

is scalar(@names), 1, 'one file';
is((stat $names[0])[2] & 07777, 0600, 'its mode');
like $names[0], qr!/\d{10}\.M\d{6}P\d+Q\d+\.[^/:,]+,S=@{[ -s $names[0] ]}$!,
     'its name';

my $text = $t->read_file($names[0]);
my $date = qr/(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/;

like $text, qr/\AReturn-Path: <s\@example\.net>\nReceived: from client\.example\.com \(\[127\.0\.0\.1\]\)\n\tby mx\.example\.com with ESMTP\n\tid $id\n\tfor <User\@a\.example>;\n\t$date\nSubject: x\n\n\.dot\n\nend\n\z/,
     'its text';
is(($t->access_lines(1))[0] =~ s/id=\S+/id/r,
   "accepted 250 2.0.0 OK id maildir:$dir/a/", 'in the log');

# several recipients: one copy that names none of them; the null sender

$reply = $c->send_message(from => '', to => [ 'x@a.example', 'y@a.example' ]);
like $reply, qr/^250 /, 'two recipients';

my ($new) = fresh('a', @names);

like $new, qr/\AReturn-Path: <>\nReceived: .*\n\tby .*\n\tid \w{16};\n\t$date\nSubject/,
     'no recipient in it';
unlike $new, qr/[xy]\@a\.example/, 'none';

# a relative path; the same session

like $c->send_message(to => 'x@b.example'), qr/^250 /, 'relative path';
is scalar(() = glob "$dir/b/new/*"), 1, 'below the prefix';

# HELO, an address literal, a long name

$c->quit();
$c = $t->client('smtp');
$c->read_reply();
$c->cmd('HELO [192.0.2.1]');
$c->send_message(to => 'x@b.example');
like +(fresh('b'))[-1], qr/^Received: from \[192\.0\.2\.1\] \(\[127\.0\.0\.1\]\)\n\tby mx\.example\.com with SMTP\n/m,
     'HELO';

my $long = join '.', ('l' x 60) x 4;

$c->ehlo($long);
$c->send_message(to => 'x@b.example');
like +(fresh('b'))[-1], qr/^Received: from\n\t\Q$long\E\n\t\(\[127\.0\.0\.1\]\)\n\tby mx/m,
     'folded';

# all sizes around the pieces that it is copied by, from memory and from the
# file: CR and LF on both sides of a border, lines of one octet, bare CR

for my $name (qw/ memory smtp /) {
    $c = $t->connected($name);

    for my $size (65530 .. 65541, 131071, 131072) {
        my $head = "Subject: x\r\n\r\n";
        my $body = 'a' x ($size - length($head) - 8) . "\r\n" . "x\r\n" x 3;

        $body .= "\r\n" x 40000 if $size == 65536;
        ($c->send_message(to => 'x@b.example', data => $head . $body))
            =~ /^250/ or diag $c->transcript();

        my ($content) = (newest('b') =~ /^(Subject:.*)/ms);
        my $want = ($head . $body) =~ s/\r\n/\n/gr;

        $content eq $want
            or ok(0, "$name, $size octets: " . length($content)
                     . ' for ' . length($want)), last;

        ok 1, "$name: sizes" if $size == 131072;
    }
}

# a message of some megabytes

my $big = "Subject: big\r\n\r\n" . join '', map { sprintf "%070d\r\n", $_ }
                                             1 .. 100_000;
like $c->send_message(to => 'x@b.example', data => $big), qr/^250 /, 'big';
my ($content) = newest('b') =~ /^(Subject:.*)/ms;
ok $content eq $big =~ s/\r\n/\n/gr, 'its text';

# an empty one

like $c->send_message(to => 'x@b.example', data => ''), qr/^250 /, 'empty';
like newest('b'), qr/^Return-Path: .*;\n\t$date\n\z/s, 'its header';

# many at a time, by two workers

my $before = () = glob "$dir/a/new/*";
my @clients = map { $t->connected('smtp') } 1 .. 20;

for (@clients) {
    $_->pipeline('MAIL FROM:<a@example.com>', 'RCPT TO:<x@a.example>', 'DATA');
}
for my $c (@clients) {
    $c->read_replies(3);
    $c->body("Subject: many\r\n\r\nx\r\n");
}

is scalar(grep { $_->read_reply() =~ /^250/ } @clients), 20, 'many accepted';
is scalar(() = glob "$dir/a/new/*") - $before, 20, 'and there';
is_deeply [ glob "$dir/a/tmp/* $dir/b/tmp/*" ], [], 'nothing left in tmp';

# the maildir goes away meanwhile

$c = $t->connected('smtp');
rename "$dir/a", "$dir/a.old";
like $c->send_message(to => 'x@a.example'), qr/^250 /, 'made again';
is scalar(() = glob "$dir/a/new/*"), 1, 'and there';

# new/ alone: it can't be renamed, and is not there

system 'rm', '-r', "$dir/a/new";
like $c->send_message(to => 'x@a.example'), qr/^451 4\.3\.0 /, 'no new/';
is_deeply [ glob "$dir/a/tmp/*" ], [], 'nothing left in tmp';
like $c->send_message(to => 'x@a.example'), qr/^250 /, 'the next one makes it';

# what can't be made

like $c->send_message(to => 'x@c.example'), qr/^451 4\.3\.0 /, 'no parent';
ok $t->wait_log(qr!\[crit\].*mkdir\(\) "\Q$dir\E/none/c" failed, id: \w{16} \(2:!),
   'in the log';
like $c->send_message(to => 'x@d.example'), qr/^451 4\.3\.0 /, 'a file';
ok !-s "$dir/file", 'which stays as it is';
like +($t->access_lines(1))[-1], qr/^refused 451 4\.3\.0 .* maildir:\Q$dir\E\/file$/,
     'in the access log';

# not accepted: not there

$before = () = glob "$dir/a/new/*";
$c->mail('a@example.com');
$c->rcpt('x@a.example');
$c->cmd('DATA');
$c->send_raw("Subject: x\r\n\r\nno end\r\n");
$c->close();
$t->wait_log(qr/^aborted/m, 'access.log');

is scalar(() = glob "$dir/a/new/*"), $before, 'no end, no file';

# clients that go away while their message is written: whatever had come of it,
# there is a whole file or none

my $lines = () = $t->access_log() =~ /\n/g;
my $half = "Subject: gone\r\n\r\n" . ('g' x 70 . "\r\n") x 3000;

for (1 .. 20) {
    my $c = $t->connected('memory');

    $c->pipeline('MAIL FROM:<a@example.com>', 'RCPT TO:<gone@b.example>',
                 'DATA');
    $c->read_replies(3);
    $c->body($half);
    $c->reset();
}

is scalar($t->access_lines($lines + 20)), $lines + 20, 'clients gone';

$c = $t->connected('memory');
like $c->send_message(to => 'x@b.example'), qr/^250 /, 'others are served';

is_deeply [ grep { /^Subject: gone/m
                   && !/^Subject: gone\n\n(?:g{70}\n){3000}\z/m } fresh('b') ],
          [], 'no part of a message';

$t->stop();
is_deeply [ glob "$dir/b/tmp/*" ], [], 'nothing left in tmp';

# the spool leaves nothing behind

is_deeply [ glob "$dir/temp/*" ], [], 'no temporary files';


# the texts of files, oldest first, but for those that are known

sub fresh {
    my ($name, @known) = @_;

    my %known = map { $_ => 1 } @known;
    my @files = sort { order($a) cmp order($b) } glob "$dir/$name/new/*";

    return map { $t->read_file($_) } grep { !$known{$_} } @files;
}


sub newest {
    my ($name) = @_;

    my @files = sort { order($a) cmp order($b) } glob "$dir/$name/new/*";

    return $t->read_file($files[-1]);
}


sub order {
    my ($file) = @_;

    $file =~ m!/(\d+)\.M(\d+)P\d+Q(\d+)! or return '';

    return sprintf '%s.%s.%010d', $1, $2, $3;
}

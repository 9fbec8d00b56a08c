#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The quota of Maildirs: at RCPT, at the end of a message, and what becomes of
# "maildirsize", which other programs write as well.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $t = Test::Nginx::SmtpExt->new();
my $dir = $t->testdir();

$t->write_conf(<<'EOC')->plan(76)->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_max_errors  1000;

    smtp_log_format  result  '$smtp_result $smtp_status';
    smtp_access_log  %%TESTDIR%%/access.log  result;

    smtp_recipient  @a.example  {
        smtp_pass  maildir:%%TESTDIR%%/$smtp_rcpt_user;
    }

    server {
        listen              127.0.0.1:%%PORT_size%%;
        protocol            smtp_ext;
        smtp_maildir_quota  size=2k;
    }

    server {
        listen              127.0.0.1:%%PORT_count%%;
        protocol            smtp_ext;
        smtp_maildir_quota  messages=3 reply=552;
    }

    server {
        listen              127.0.0.1:%%PORT_both%%;
        protocol            smtp_ext;
        smtp_maildir_quota  size=10k messages=100;
    }

    server {
        listen              127.0.0.1:%%PORT_file%%;
        protocol            smtp_ext;
        smtp_maildir_quota  file;
    }

    server {
        listen              127.0.0.1:%%PORT_file5%%;
        protocol            smtp_ext;
        smtp_maildir_quota  file reply=552;
    }

    # several mailboxes in a transaction: a reply for each, or one for all

    server {
        listen              127.0.0.1:%%PORT_lmtp%%;
        protocol            smtp_ext;
        smtp_lmtp           on;
        smtp_maildir_quota  size=2k;
    }

    server {
        listen              127.0.0.1:%%PORT_bounce%%;
        protocol            smtp_ext;
        smtp_mixed_result   bounce maildir:%%TESTDIR%%/reports;
        smtp_maildir_quota  size=2k;
    }

    server {
        listen              127.0.0.1:%%PORT_bounce5%%;
        protocol            smtp_ext;
        smtp_mixed_result   bounce maildir:%%TESTDIR%%/reports;
        smtp_maildir_quota  size=2k reply=552;
    }

    server {
        listen              127.0.0.1:%%PORT_off%%;
        protocol            smtp_ext;
        smtp_maildir_quota  off;
    }
}
EOC

my $full = '452 4.2.2 Mailbox is full';
my $full5 = '552 5.2.2 Mailbox is full';
my $small = '552 5.2.3 Message is larger than the mailbox may be';
my $ok = qr/^250 2\.0\.0 OK id=/;

# a message; its file is somewhat larger

sub message {
    my ($n) = @_;

    return "Subject: x\r\n\r\n" . ('x' x 68 . "\r\n") x int($n / 70);
}

sub files { my ($box) = @_; return sort glob "$dir/$box/new/* $dir/$box/cur/*" }

sub sizes {
    my ($box) = @_;

    return -e "$dir/$box/maildirsize" ? $t->read_file("$dir/$box/maildirsize")
                                      : undef;
}

sub sum { my $sum = 0; $sum += -s $_ for files($_[0]); return $sum }

# as if some time had gone by

sub older {
    my ($box) = @_;
    my $then = time() - 16 * 60;

    utime $then, $then, "$dir/$box/maildirsize";
}

sub write_sizes {
    my ($box, $text) = @_;

    $t->write_file("$box/maildirsize", $text);
    chmod 0666, "$dir/$box/maildirsize";
}

sub box {
    my ($box) = @_;

    for ('', '/new', '/cur', '/tmp') {
        mkdir "$dir/$box$_";
        chmod 0777, "$dir/$box$_";
    }
}


# by size

my $c = $t->connected('size');

like $c->send_message(to => 'a@a.example', data => message(700)), $ok, 'one';
is sizes('a'), "2048S\n0 0\n@{[ -s((files('a'))[0]) ]} 1\n",
   'nothing was there, and then that';
like $c->send_message(to => 'a@a.example', data => message(140)), $ok, 'two';

my @sizes = map { -s $_ } files('a');

is sizes('a'), "2048S\n0 0\n$sizes[0] 1\n$sizes[1] 1\n", 'added to';

is $c->send_message(to => 'a@a.example', data => message(1400)), $full,
   'too much at the end';
is scalar(() = files('a')), 2, 'is not there';
is_deeply [ glob "$dir/a/tmp/*" ], [], 'nor anywhere else';
is sizes('a'), "2048S\n" . sum('a') . " 2\n", 'counted anew: it was full';

$c->mail('s@example.com', 'SIZE=1400');
is $c->rcpt('a@a.example'), $full, 'at RCPT, when that is known';
like $c->rcpt('other@a.example'), qr/^250 /, 'another has room';
$c->cmd('RSET');
$c->mail('s@example.com', 'SIZE=100');
like $c->rcpt('a@a.example'), qr/^250 /, 'for a smaller one there is room';
$c->cmd('RSET');
$c->mail('s@example.com', 'SIZE=2049');
is $c->rcpt('a@a.example'), $small, 'one that will never fit';
$c->cmd('RSET');
is $c->send_message(to => 'a@a.example', data => message(3000)), $small,
   'or does not, at the end';
is scalar(() = files('a')), 2, 'nothing of them is there';

like $c->send_message(to => 'a@a.example', data => message(300)), $ok,
   'filled further';
ok sum('a') <= 2048, 'but not over it';

# somebody removes one without a word: believed for a while

my $sizes = "2048S\n2000 9\n";

write_sizes('a', $sizes);
$c->mail('s@example.com', 'SIZE=100');
is $c->rcpt('a@a.example'), $full, 'what was counted just now is believed';
is sizes('a'), $sizes, 'and stays';
older('a');
like $c->rcpt('a@a.example'), qr/^250 /, 'not after a quarter of an hour';
is sizes('a'), "2048S\n" . sum('a') . " 3\n", 'then it is counted';
write_sizes('a', "2048S\n1000 1\n1000 1\n");
like $c->rcpt('a@a.example'), qr/^250 /, 'nor if something was added since';
is sizes('a'), "2048S\n" . sum('a') . " 3\n", 'it is counted as well';

# somebody tells of it

unlink((files('a'))[0]);
write_sizes('a', "2048S\n2000 3\n  -800   -1\n");
like $c->rcpt('a@a.example'), qr/^250 /, 'what was removed is subtracted';
is sizes('a'), "2048S\n2000 3\n  -800   -1\n", 'the file is believed';
$c->cmd('RSET');

# what is no such file is written anew; so is one with another quota

for ("2048S\n1 1", '', "garbage\n", "2048S\nx\n", "2048S\n-1 0\n", "2048S\n",
     "4096S\n0 0\n", "2048S,5C\n0 0\n", "2048S\n" . "0 0\n" x 1300)
{
    write_sizes('a', $_);
    $c->mail('s@example.com');
    like $c->rcpt('a@a.example'), qr/^250 /, 'anew: ' . substr s/\n/ /gr, 0, 20;
    is sizes('a'), "2048S\n" . sum('a') . " 2\n", 'the sums are right';
    $c->cmd('RSET');
}


# by number

$c = $t->connected('count');

like $c->send_message(to => 'b@a.example'), $ok, "message $_" for 1 .. 3;
is $c->send_message(to => 'b@a.example'), $full5, 'the fourth, for good';
is sizes('b'), "3C\n" . sum('b') . " 3\n", 'counted';

# folders are, the trash and what is deleted are not

for ('.Trash', '.Sent', '.Sent.2020') {
    box("b/$_");
}

$t->write_file('b/.Sent/cur/1.x,S=100:2,S', 'x');
$t->write_file('b/.Sent/cur/2.x,S=100:2,ST', 'x');
$t->write_file('b/.Sent.2020/new/3.x', 'x' x 50);
$t->write_file('b/.Trash/new/4.x,S=100', 'x');
$t->write_file('b/.Sent/new/.5.x', 'x');

my @own = map { -s $_ } files('b');

unlink((files('b'))[0, 1]);
older('b');

$c->cmd('RSET');
is $c->send_message(to => 'b@a.example'), $full5, 'folders count';
is sizes('b'), "3C\n" . ($own[2] + 150) . " 3\n", 'with names that tell sizes';


# both

$c = $t->connected('both');
$c->send_message(to => 'c@a.example');
like $c->send_message(to => 'c@a.example'), $ok, 'both';
like sizes('c'), qr/^10240S,100C\n0 0\n\d+ 1\n\d+ 1\n\z/, 'both limits';


# as others have said

$c = $t->connected('file');
like $c->send_message(to => 'd@a.example'), $ok, 'without a file no limit';
is sizes('d'), undef, 'and none is made';

write_sizes('d', "1000S,100C\n900 1\n");
$c->mail('s@example.com', 'SIZE=200');
is $c->rcpt('d@a.example'), $full, 'with one, what it says';
$c->cmd('RSET');
older('d');
like $c->send_message(to => 'd@a.example', data => message(70)), $ok,
   'counted by what it says';
like sizes('d'), qr/^1000S,100C\n@{[ -s((files('d'))[0]) ]} 1\n\d+ 1\n\z/,
     'and it goes on saying so';
write_sizes('d', "0S\n99999 999\n");
like $c->send_message(to => 'd@a.example'), $ok, 'or that there is none';
like sizes('d'), qr/^0S\n99999 999\n\d+ 1\n\z/, 'which is added to';

write_sizes('d', "1C\n1 1\n");
is $t->connected('file5')->send_message(to => 'd@a.example'), $full5,
   'for good';

# and where it is off nobody asks

$c = $t->connected('off');
$sizes = sizes('d');
like $c->send_message(to => 'd@a.example'), $ok, 'off: no limit';
is sizes('d'), $sizes, 'off: not a word of it';

# who gets nothing with one that fits

$c = $t->connected('size');
$c->mail('s@example.com', 'SIZE=900');
is scalar(grep { $c->rcpt("$_\@a.example") =~ /^250/ } 'new1+a', 'new1+b'), 2,
   'two names of one mailbox';
like $c->data(message(700)), $ok, 'taken once';
is scalar(() = files('new1')), 1, 'and there once';

# several, of which some are full

for (1 .. 3) {
    $t->connected('size')->send_message(to => 'e1@a.example',
                                        data => message(490));
}

$c = $t->client('lmtp');
$c->read_reply();
$c->cmd('LHLO client.example.com');
$c->mail('s@example.com');
like $c->rcpt("$_\@a.example"), qr/^250 /, "LMTP: $_" for 'e1', 'e2', 'e3';
$c->cmd('DATA');
$c->send_raw(message(700) . ".\r\n");
is_deeply [ map { s/ id=.*//r } $c->read_replies(3) ],
    [ $full, '250 2.0.0 OK', '250 2.0.0 OK' ], 'LMTP: each has its reply';
is_deeply [ map { scalar(() = files($_)) } 'e1', 'e2', 'e3' ], [ 3, 1, 1 ],
    'LMTP: and what it says';

$c = $t->connected('bounce');
$c->mail('s@example.com');
$c->rcpt("$_\@a.example") for 'e1', 'e4', 'e5';
is $c->data(message(700)), $full, 'one is full for now: nobody gets it';

# what a thread had written it removes, and nobody waits for that

poll(sub { !(() = glob "$dir/e?/tmp/*") }, 5);
is_deeply [ map { scalar(() = glob "$dir/$_/*/*") } 'e4', 'e5', 'reports' ],
    [ 0, 0, 0 ], 'nor is anything left';

$c = $t->connected('bounce5');
$c->mail('s@example.com');
$c->rcpt("$_\@a.example") for 'e1', 'e4', 'e5';
like $c->data(message(700)), $ok, 'one is full for good: others get it';
is_deeply [ map { scalar(() = files($_)) } 'e1', 'e4', 'e5', 'reports' ],
    [ 3, 1, 1, 1 ], 'and the sender is told of it';
is_deeply [ glob "$dir/e?/tmp/*" ], [], 'nothing is left in tmp';

# what can't be found out

chmod 0, "$dir/a/maildirsize";

SKIP: {
    skip 'nothing is forbidden to root', 1 if -r "$dir/a/maildirsize";

    is $c->send_message(to => 'a@a.example', data => message(70)),
       '451 4.3.0 Local error in processing', 'sums that can not be read';
}

# configuration

for ('', 'on', 'size=0', 'size=-1', 'size=x', 'messages=0', 'messages=1k',
     'size=1k size=2k', 'reply=452', 'size=1k reply=550', 'off size=1k',
     'file size=1k', 'size=1k file', 'size=99999999999999999999')
{
    my ($rc, $out) = $t->test_conf(<<"EOC");
%%GLOBALS%%
events { }
mail { smtp_maildir_quota $_; }
EOC

    next if $rc == 1 && $out =~ /smtp_maildir_quota" |invalid parameter/;
    fail("refused: smtp_maildir_quota $_");
    diag $out;
}

pass('configurations that are none');

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# What hooks are told of a message, and what they change in it: by DATA and
# BDAT, out of memory and out of a file, into each kind of destination, octet
# by octet.

use warnings;
use strict;

use JSON::PP;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->write_conf(<<'EOC');
%%GLOBALS%%

events { }

mail {
    server_name        mx.example.com;
    smtp_max_errors    100000;
    smtp_max_messages  0;
    smtp_http_breaker  off;
    smtp_pass          127.0.0.1:%%PORT_data%%;
    smtp_relay_from    127.0.0.1;

    smtp_hook  http://127.0.0.1:%%PORT_http%%/hook stages=data body=full
               max_answer=1m;

    server {
        listen     127.0.0.1:%%PORT_memory%%;
        protocol   smtp_ext;
    }

    server {
        listen           127.0.0.1:%%PORT_file%%;
        protocol         smtp_ext;
        smtp_body_buffer_size  4k;
        smtp_pass        127.0.0.1:%%PORT_bdat%%;
    }

    server {
        listen           127.0.0.1:%%PORT_dir%%;
        protocol         smtp_ext;
        smtp_body_buffer_size  4k;
        smtp_pass        maildir:%%TESTDIR%%/mail;
    }

    server {
        listen           127.0.0.1:%%PORT_web%%;
        protocol         smtp_ext;
        smtp_body_buffer_size  4k;
        smtp_pass        http://127.0.0.1:%%PORT_post%%/mail;
    }

    server {
        listen           127.0.0.1:%%PORT_plain%%;
        protocol         smtp_ext;
        smtp_body_buffer_size  4k;
        smtp_pass        127.0.0.1:%%PORT_seven%%;
        smtp_max_message_size  200k;
    }

    server {
        listen           127.0.0.1:%%PORT_omit%%;
        protocol         smtp_ext;
        smtp_hook        http://127.0.0.1:%%PORT_http%%/hook stages=data
                         body=full max_body=10;
    }

    server {
        listen           127.0.0.1:%%PORT_reject%%;
        protocol         smtp_ext;
        smtp_hook        http://127.0.0.1:%%PORT_http%%/hook stages=data
                         body=full max_body=10 oversize=reject;
    }

    server {
        listen           127.0.0.1:%%PORT_headers%%;
        protocol         smtp_ext;
        smtp_body_buffer_size  4k;
        smtp_hook        http://127.0.0.1:%%PORT_http%%/hook stages=data
                         body=headers oversize=reject;
    }

    server {
        listen           127.0.0.1:%%PORT_two%%;
        protocol         smtp_ext;
        smtp_hook        http://127.0.0.1:%%PORT_http%%/one stages=data
                         body=full;
        smtp_hook        http://127.0.0.1:%%PORT_http%%/two stages=data
                         body=full;
        smtp_hook_route  127.0.0.1:%%PORT_seven%%;
        smtp_access_log  %%TESTDIR%%/access.log test;
    }

    smtp_log_format  test  '$smtp_result $smtp_hook_action';
}
EOC

my $http = $t->http('http', hooks => {});
my $post = $t->http('post', default => { status => 200 });
my $json = JSON::PP->new()->utf8();

my %mta = (
    data => $t->server('data', ehlo => [ qw/ PIPELINING 8BITMIME SIZE / ]),
    bdat => $t->server('bdat', ehlo => [ qw/ PIPELINING 8BITMIME SIZE CHUNKING
                                             SMTPUTF8 / ]),
    seven => $t->server('seven', ehlo => [ 'PIPELINING' ]),
);

my $accepted = '250 2.0.0 OK id';
my $failed = '451 4.3.0 Local error in processing';

sub add { { type => 'addHeader', name => $_[0], value => $_[1] } }
sub ins { { type => 'insertHeader', index => $_[0], name => $_[1],
            value => $_[2] } }
sub chg { { type => 'changeHeader', index => $_[0], name => $_[1],
            value => $_[2] } }
sub del { { type => 'deleteHeader', index => $_[0], name => $_[1] } }
sub body { { type => 'replaceContents', value => $_[0] } }

sub crlf { (my $s = $_[0]) =~ s/\|/\r\n/g; return $s }

sub answer {
    my (@changes) = @_;

    $http->set(on => {}, hooks => { data => $json->encode({
        action => 'accept', modifications => \@changes }) });
}

# the message in what came last, without our trace

my @wrong_length;

sub got {
    my ($name) = @_;
    my $data;

    if ($name eq 'dir') {
        my @files = sort glob $t->testdir() . '/mail/new/*';

        $data = @files ? $t->read_file($files[-1] =~ s/.*(mail\/new)/$1/r)
                       : '';
        $data =~ s/\n/\r\n/g;
        unlink @files;

    } elsif ($name eq 'post') {
        my ($r) = ($post->requests())[-1];

        $data = $r->{body};
        push @wrong_length, $r->{headers}{'content-length'}
            if $r->{headers}{'content-length'} != length $data;

    } else {
        $data = ($mta{$name}->messages())[-1]{data};
    }

    $data =~ s/\AReturn-Path: [^\r]*\r\n//;
    $data =~ s/\AReceived:.*?\r\n(?![ \t])//s;

    return $data;
}

sub show { $_[0] =~ s/\r\n/|/gr =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger }

my @rows = (
    [ 'added', 'A: b|C: d||e|', [ add('X', 'y') ], 'A: b|C: d|X: y||e|' ],
    [ 'added twice', 'A: b||e|', [ add('X', 'y'), add('X', 'z') ],
      'A: b|X: y|X: z||e|' ],
    [ 'inserted in front', 'A: b|C: d||e|', [ ins(0, 'X', 'y') ],
      'X: y|A: b|C: d||e|' ],
    [ 'inserted behind the first', 'A: b| c|C: d||e|', [ ins(1, 'X', 'y') ],
      'A: b| c|X: y|C: d||e|' ],
    [ 'changed', 'A: b|Subject: c| d||e|', [ chg(1, 'subject', '[spam] c') ],
      'A: b|subject: [spam] c||e|' ],
    [ 'the second is changed', 'A: 1|A: 2|A: 3||e|', [ chg(2, 'A', 'x') ],
      'A: 1|A: x|A: 3||e|' ],
    [ 'changed to nothing', 'A: 1|B: 2||e|', [ chg(1, 'A', '') ],
      'B: 2||e|' ],
    [ 'deleted', 'A: 1|A: 2|A: 3||e|', [ del(2, 'a') ], 'A: 1|A: 3||e|' ],
    [ 'deleted, all', 'A: 1||e|', [ del(1, 'A') ], '|e|' ],
    [ 'what is not there is not deleted', 'A: 1||e|', [ del(1, 'B') ],
      'A: 1||e|' ],
    [ 'one after the other', 'A: 1|B: 2||e|',
      [ ins(0, 'X', 'y'), chg(1, 'X', 'z'), del(1, 'A'), add('A', 'q') ],
      'X: z|B: 2|A: q||e|' ],
    [ 'a header for a body without one', 'no header|', [ add('X', 'y') ],
      'X: y||no header|' ],
    [ 'a message of fields alone', 'A: b|', [ add('X', 'y') ],
      'A: b|X: y|' ],

    [ 'new contents', 'A: b||old|', [ body("new\r\n") ], 'A: b||new|' ],
    [ 'their lines end in CRLF', 'A: b||old|', [ body("a\nb\rc\r\n\nd") ],
      'A: b||a|b|c||d|' ],
    [ 'or CR', 'A: b||old|', [ body("a\r") ], 'A: b||a|' ],
    [ 'longer ones', 'A: b||old|', [ body("0123456789\r\n" x 3000) ],
      'A: b||' . '0123456789|' x 3000 ],
    [ 'dots', 'A: b||old|', [ body(".\r\n..\r\n.x\r\n") ],
      'A: b||.|..|.x|' ],
    [ 'no contents', 'A: b||old|', [ body('') ], 'A: b||' ],
    [ 'without a line end', 'A: b||old|', [ body('new') ], 'A: b||new|' ],
    [ 'for a message of fields alone', 'A: b|', [ body('new') ],
      'A: b||new|' ],
    [ 'and fields', 'A: b|B: c||old|', [ body("new\n"), add('X', 'y'),
                                         del(1, 'A') ],
      'B: c|X: y||new|' ],

    [ 'a name that begins with a dot', 'A: b||e|', [ ins(0, '.X', 'y') ],
      '.X: y|A: b||e|' ],
    [ 'dots of the old body', 'A: b||.e|..|', [ add('X', 'y') ],
      'A: b|X: y||.e|..|' ],
    [ 'a long body', 'A: b||' . '.line of it|' x 20000, [ add('X', 'y') ],
      'A: b|X: y||' . '.line of it|' x 20000 ],
    [ 'a long header', 'A: b|' . 'B: line of it|' x 4000 . '|e|',
      [ add('X', 'y'), del(3000, 'B') ],
      'A: b|' . 'B: line of it|' x 3999 . 'X: y||e|' ],
    [ 'a long field is folded', 'A: b||e|', [ add('X', 'word ' x 300) ],
      'A: b|X: ' . 'word ' x 198 . "word|" . ' word' x 101 . ' ||e|' ],
);

my @wrong = (
    [ 'no header field is like that', add('X Y', 'z') ],
    [ 'no header field is like that', add('X:', 'z') ],
    [ 'no header field is like that', add('', 'z') ],
    [ 'no header field is like that', add("X\r\nY", 'z') ],
    [ 'no header field is like that', add("\x{e4}", 'z') ],
    [ 'no header field is like that', add('X', "a\r\nBcc: b") ],
    [ 'no header field is like that', add('X', "a\nBcc: b") ],
    [ 'no header field is like that', add('X', "a\r\n\r\nbody") ],
    [ 'no header field is like that', add('X', "a\r") ],
    [ 'no header field is like that', add('X', "a\r\n folded") ],
    [ 'no header field is like that', add('X', "\x01") ],
    [ 'no header field is like that', add('X', 'x' x 1000) ],
    [ 'no header field is like that', chg(1, 'A', "a\nb") ],
    [ 'a modification has no "name"', { type => 'addHeader', value => 'x' } ],
    [ 'a modification has no "value"', { type => 'addHeader', name => 'x' } ],
    [ 'a modification has no valid "index"',
      { type => 'insertHeader', name => 'X', value => 'y' } ],
    [ 'a modification has no valid "index"', ins(-1, 'X', 'y') ],
    [ 'a modification has no valid "index"', ins('1', 'X', 'y') ],
    [ 'a modification has no valid "index"', ins(1.5, 'X', 'y') ],
    [ 'a modification has no valid "index"', ins(1e12, 'X', 'y') ],
    [ 'a modification has no valid "index"', chg(0, 'A', 'y') ],
    [ 'a modification has no valid "index"', del(0, 'A') ],
    [ 'a text is no string', add('X', 1) ],
    [ 'a text is no string', body(1) ],
    [ 'no valid JSON', body("a\0b") ],
    [ 'too many modifications', map { del(1, 'X') } 1 .. 1001 ],
    [ 'a recipient is no address', { type => 'addRecipient', value => '' } ],
);

$t->plan(5 * @rows + 2 * @wrong + 58);
$t->run();

my %client;

sub client {
    my ($name) = @_;

    return $client{$name} if $client{$name};

    my $c = $client{$name} = $t->client($name);

    $c->read_reply();
    $c->ehlo();

    return $c;
}

sub said {
    my ($name, $message, @params) = @_;

    my $c = client($name);
    my $reply = $c->send_message(to => 'u@a.example', data => $message,
                                 mail_params => \@params);

    $c->cmd('RSET');

    return $reply =~ s/id=\w+/id/r;
}

sub told {
    my @requests = $http->requests($_[0]);

    return decode_json($requests[-1]{body})->{message};
}

sub reason {
    my @lines = $t->notices()
                =~ /an answer that is none: (.*?), HTTP status/g;

    return $lines[-1] // 'none';
}

# changes

for my $row (@rows) {
    my ($name, $in, $changes, $out) = @$row;

    answer(@$changes);

    for my $try ([ 'memory', 'data' ], [ 'file', 'bdat' ], [ 'dir', 'dir' ],
                 [ 'web', 'post' ], [ 'plain', 'seven' ])
    {
        my ($port, $where) = @$try;
        my $reply = said($port, crlf($in));

        if ($port eq 'plain' && length(crlf($in)) > 204800) {
            like $reply, qr/^552 /, "$name: too long for this one";
            next;
        }

        my $got = $reply eq $accepted ? show(got($where)) : $reply;
        my $want = show(crlf($out));

        ok $got eq $want, "$name: $where"
            or diag substr($got, 0, 500) . "\n" . substr($want, 0, 500);
    }
}

is "@wrong_length", '', 'each POST has the length of the new message';

# what can't be done

for my $try (@wrong) {
    my ($reason, @changes) = @$try;

    answer(add('X-First', 'done'), @changes);

    is said('memory', crlf('A: b||c|')) . ' => ' . reason(),
       "$failed => $reason", "invalid: $reason";

    answer();
    said('memory', crlf('A: b||c|'));
    is show(got('data')), 'A: b||c|', 'nothing was done';
}

answer(body('x' x 300000));
is said('plain', crlf('A: b||c|')), $failed, 'a message that gets too big';
is reason(), 'the message gets too big', 'why';

answer(add('X', 'y'));
is said('memory', crlf('A: ' . "b|\t" x 100000 . 'c||d|')), $failed,
   'a header that is too long';
is reason(), 'the header is too long to be changed', 'why';
ok !exists told()->{headers}, 'it was not told';

is said('memory', crlf('A: b|' x 6000 . '|d|')), $failed, 'too many fields';
is reason(), 'too many fields to be changed', 'why';
ok !exists told()->{headers}, 'they were not told';

# what they are told

answer();

is said('file', crlf("From: a\@x|Subject : =?x| folded\t||body \x{fc}|.\t|")),
   $accepted, 'message';

my $m = told();

is_deeply $m->{headers}, [ [ 'From', " a\@x\r\n" ],
                           [ 'Subject', " =?x\r\n folded\t\r\n" ] ],
   'fields';
is $m->{contents}, "body \x{fffd}\r\n.\t\r\n", 'contents';
is $m->{size}, 50, 'size';
is scalar @{$m->{serverHeaders}}, 1, 'our field';
is $m->{serverHeaders}[0][0], 'Received', 'its name';
like $m->{serverHeaders}[0][1],
     qr/^ from client\.example\.com .*\r\n\tfor <u\@a\.example>;.*\r\n\z/s,
     'its value';

said('file', crlf('A: b||' . "\x{c3}\x{bc}0123456789|" x 10000));
is told()->{contents}, crlf("\x{fc}0123456789|" x 10000), 'a long one in UTF-8';

said('file', crlf('just a body|'));
is_deeply told()->{headers}, [], 'no header';
is told()->{contents}, "just a body\r\n", 'contents without one';
said('file', crlf('A: b|'));
is told()->{contents}, '', 'no contents';

is said('omit', crlf('A: b||0123456789')), $accepted, 'too long by its CRLF';
$m = told();
ok !exists $m->{contents}, 'is left out';
is $m->{headers}[0][0], 'A', 'its header is not';
said('omit', crlf('A: b||01234567|'));
is told()->{contents}, "01234567\r\n", 'the longest';
is said('reject', crlf('A: b||0123456789|')),
   '552 5.3.4 Message is too big to be checked', 'or refused';
is said('reject', crlf('A: b||01234567|')), $accepted, 'the longest is not';

said('headers', crlf('A: b||0123456789'));
$m = told();
is_deeply $m->{headers}, [ [ 'A', " b\r\n" ] ], 'headers alone';
ok !exists $m->{contents}, 'no contents';
is said('headers', crlf('A: b|' x 6000 . '|d|')),
   '552 5.3.4 Message is too big to be checked', 'too long a header';

# what a next hop has to have

answer(body("\x{fc}\n"));
is said('memory', crlf('A: b||c|')), $accepted, 'new contents in UTF-8';
like +($mta{data}->messages())[-1]{from_params}, qr/BODY=8BITMIME/,
     'the next hop is told';

is said('plain', crlf('A: b|MIME-Version: 1.0|||c|')), $accepted,
   'one that has not 8BITMIME';
unlike got('seven'), qr/[^\0-\x7f]/, 'gets them converted';

answer(add('X', "\x{fc}"));
is said('file', crlf('A: b||c|')), $accepted, 'a field in UTF-8';
like +($mta{bdat}->messages())[-1]{from_params}, qr/SMTPUTF8/,
     'the next hop is told';
like said('memory', crlf('A: b||c|')), qr/^550 5\.6\.9 /,
     'or does not get it';

# what it does not need any more

answer(body("ascii\n"));
is said('plain', crlf("A: b||\x{c3}\x{bc}|"), 'BODY=8BITMIME'), $accepted,
   'new contents in US-ASCII';
is show(got('seven')), 'A: b||ascii|', 'need no 8BITMIME';
is +($mta{seven}->messages())[-1]{from_params}, '', 'and do not ask for it';

answer(del(1, 'X'));
is said('memory', crlf("A: b|X: \x{c3}\x{bc}||c|"), 'SMTPUTF8'), $accepted,
   'without a field in UTF-8';
is show(got('data')), 'A: b||c|', 'no SMTPUTF8 is needed';
unlike +($mta{data}->messages())[-1]{from_params}, qr/SMTPUTF8/,
       'nor said';

answer(add('X', 'y' x 100));
said('file', crlf('A: b||c|'), 'SIZE=12');
$m = ($mta{bdat}->messages())[-1];
is +($m->{from_params} =~ /SIZE=(\d+)/)[0], length $m->{data},
   'the new size is declared';

# a service that is the destination is told of the envelope and of what it needs

answer(add('X', "\x{fc}"), { type => 'changeFrom', value => 'bounce@b.example' },
       { type => 'addRecipient', value => 'w@a.example' });
is said('web', crlf('A: b||c|')), $accepted, 'a service as the destination';
is show(got('post')), 'A: b|X: \xc3\xbc||c|', 'gets the new message';

my %h = %{($post->requests())[-1]{headers}};

is $h{'smtp-from'} . ' ' . $h{'smtp-to'},
   '<bounce@b.example> <u@a.example>, <w@a.example>',
   'the envelope as it is now';
is $h{'content-type'}, 'message/global', 'a header in UTF-8';
is $h{'smtp-params'} =~ s/SIZE=(\d+)/SIZE=@{[ $1 - $h{'content-length'} ]}/r,
   'SIZE=0 SMTPUTF8', 'and what is needed for it';

# several; a quarantine

sub two {
    my ($one, $two) = @_;

    $http->set(on => { '/one' => $json->encode($one),
                       '/two' => $json->encode($two) });
}

two({ action => 'accept', modifications => [ add('X-One', '1'),
                                             body("first\n") ] },
    { action => 'accept', modifications => [ chg(1, 'X-One', '2'),
                                             add('X-Two', '2') ] });
is said('two', crlf('A: b||c|')), $accepted, 'two hooks';
$m = told('/two');
is_deeply $m->{headers}, [ [ 'A', " b\r\n" ], [ 'X-One', " 1\r\n" ] ],
   'the second is told what the first did';
is "$m->{contents}$m->{size}", "first\r\n25", 'with contents and size';
is show(got('data')), 'A: b|X-One: 2|X-Two: 2||first|', 'what came of both';

two({ action => 'accept', modifications => [ add('X', 'y'),
                                             body('z' x 9000) ] },
    { action => 'accept', modifications => [ add('Z', 'z') ] });
is said('two', ''), $accepted, 'a message without anything';
is told('/two')->{contents}, 'z' x 9000 . "\r\n", 'has got contents';
is got('data'), crlf('X: y|Z: z||' . 'z' x 9000 . '|'), 'and a header';

two({ action => 'quarantine', modifications => [ add('X-Why', 'spam') ],
      route => [ { pass => '127.0.0.1:' . $t->port('seven') } ] },
    { action => 'accept' });
is said('two', crlf('A: b||c|')), $accepted, 'quarantine';
is show(got('seven')), 'X-Quarantine: true|A: b|X-Why: spam||c|',
   'is marked, and may go elsewhere';
like $t->read_file('access.log'), qr/^accepted quarantine$/m, 'the log has it';

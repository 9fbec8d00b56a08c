#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The destination http://, when its service does what it should not: at which
# point, what the client is told, which servers have got the message, and under
# which key.  The same over TLS, where a body out of a file goes another way.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new();
my $ms = scaled(3000);

$t->certificate('localhost');

my $servers = join '', map {
    my ($name, $scheme) = @$_;

    join '', map { <<"EOF" } qw/ one two kept /;
    server {
        listen                 127.0.0.1:%%PORT_$_\_$name%%;
        protocol               smtp_ext;
        smtp_pass              $scheme://$_\_$name/in;
        @{[ $_ eq 'kept' ? 'smtp_http_send_timeout 30s;
        smtp_pass_http_read_timeout 30s;' : '' ]}
    }
EOF
} [ 'http', 'http' ], [ 'https', 'https' ];

my $groups = join '', map { <<"EOF" } qw/ http https /;
    smtp_upstream one_$_ {
        server     127.0.0.1:%%PORT_first_$_%%  max_fails=0;
        keepalive  0;
    }

    smtp_upstream two_$_ {
        server     127.0.0.1:%%PORT_first_$_%%  max_fails=0;
        server     127.0.0.1:%%PORT_second_$_%% backup;
        keepalive  0;
    }

    smtp_upstream kept_$_ {
        server     127.0.0.1:%%PORT_first_$_%%  max_fails=0;
        keepalive  1;
    }
EOF

$t->write_conf(<<"EOF");
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_relay_from        127.0.0.1;
    smtp_temp_path         %%TESTDIR%%/temp;
    smtp_body_buffer_size  16k;
    smtp_max_message_size  50m;
    smtp_max_errors        10000;
    smtp_max_messages      0;

    smtp_http_breaker           off;
    smtp_http_send_timeout      ${ms}ms;
    smtp_pass_http_read_timeout ${ms}ms;
    smtp_http_ssl_verify        off;

$groups$servers}
EOF

my $lost = '451 4.4.2 Destination server did not confirm the message';
my $broken = '451 4.4.2 Connection to destination server failed';
my $failed = '451 4.3.0 Destination service failed, try again later';
my $refused = '554 5.3.0 Destination service refused the message';
my $big = '552 5.3.4 Message size exceeds fixed limit';
my $ok = '250 2.0.0 OK';
my $status = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
my $full = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";

# Where, what; the reply with one server; requests that it got whole; the reply
# with another behind it, requests there.

my @rows = (

    # in place of an answer

    [ RESPONSE => 'close', $lost, 1, $ok, 1 ],
    [ RESPONSE => 'reset', $lost, 1, $ok, 1 ],
    [ RESPONSE => 'stall', $lost, 1, $ok, 1 ],
    [ RESPONSE => 'silent', $lost, 1, $ok, 1 ],

    # what has begun to answer is believed to have heard

    [ RESPONSE => 'half', $lost, 1, $lost, 0 ],
    [ RESPONSE => 'garbage', $lost, 1, $lost, 0 ],
    [ RESPONSE => { do => 'garbage', data => 'taken, thank you' }, $lost, 1,
      $lost, 0, 'HTTP/0.9' ],
    [ RESPONSE => { do => 'endless', data => "HTTP/1.1 200 OK\r\nX: y\r\n" },
      $lost, 1, $lost, 0 ],
    [ RESPONSE => { do => 'garbage',
                    data => "HTTP/1.1 101 Switch\r\n\r\n$status" },
      $lost, 1, $lost, 0, 'another protocol' ],
    [ RESPONSE => { do => 'garbage',
                    data => "HTTP/1.1 100 Continue\r\n\r\n" x 9 . $status },
      $lost, 1, $lost, 0, 'too many interim answers' ],
    [ RESPONSE => { do => 'garbage', data => "HTTP/1.1 200 OK\r\nA\0: b\r\n"
                                             . "Content-Length: 0\r\n\r\n" },
      $lost, 1, $lost, 0, 'a field that is none' ],
    [ RESPONSE => { do => 'garbage', data => "HTTP/1.1 200 OK\r\n"
                    . "Content-Length: 0\r\nContent-Length: 5\r\n\r\n" },
      $lost, 1, $lost, 0, 'two lengths' ],
    [ RESPONSE => { do => 'drip', pause => 2 * $ms / 1000 }, $lost, 1,
      $lost, 0 ],

    # all that is an answer

    [ RESPONSE => { do => 'drip', pause => 0.001 }, $ok, 1, $ok, 0 ],
    [ RESPONSE => 'answer_close', $ok, 1, $ok, 0 ],
    [ RESPONSE => 'answer_reset', $ok, 1, $ok, 0 ],
    [ RESPONSE => 'answer_stall', $ok, 1, $ok, 0 ],
    [ RESPONSE => { do => 'garbage',
                    data => "HTTP/1.1 100 Continue\r\n\r\n" x 3 . $status },
      $ok, 1, $ok, 0, 'interim answers' ],
    [ RESPONSE => { do => 'garbage', data => $status x 2 }, $ok, 1, $ok, 0,
      'an answer too many' ],
    [ RESPONSE => { do => 'garbage', data => $full =~ s/0\r/10000000\r/r
                                             . 'x' x 10_000_000 },
      $big, 1, $big, 0, 'ten megabytes of it' ],
    [ RESPONSE => { do => 'garbage', data => "HTTP/1.0 200 OK\r\n\r\n" },
      $ok, 1, $ok, 0, 'HTTP/1.0' ],

    # in the middle of the message

    [ REQUEST => 'close', $broken, 0, $ok, 1 ],
    [ REQUEST => 'reset', $broken, 0, $ok, 1 ],
    [ REQUEST => 'stall', $broken, 0, $ok, 1 ],
    [ REQUEST => { do => 'sip', pause => 2 * $ms / 1000 }, $broken, 0, $ok, 1 ],
    [ REQUEST => 'garbage', $broken, 0, $broken, 0 ],

    # the answer before its time: 2xx is none then

    [ REQUEST => 'answer_close', $broken, 0, $broken, 0, '200 too early' ],
    [ REQUEST => 'answer_stall', $broken, 0, $broken, 0, '200 too early' ],
    [ REQUEST => { do => 'answer_stall', status => 413 }, $big, 0, $big, 0,
      'a refusal before the end' ],
    [ REQUEST => { do => 'answer_close', status => 413 }, $big, 0, $big, 0,
      'a refusal before the end' ],
    [ REQUEST => { do => 'answer_stall', status => 401 }, $refused, 0,
      $refused, 0, 'a refusal before the end' ],
    [ REQUEST => { do => 'answer_stall', status => 500 }, $failed, 0,
      $failed, 0, 'a failure before the end' ],

    # nobody there

    [ CONNECT => 'close', qr/^451 4\.4\.[12] /, 0, $ok, 1 ],
    [ CONNECT => 'reset', qr/^451 4\.4\.[12] /, 0, $ok, 1 ],
);

# over TLS, what concerns the sending

sub tls { $_[0][0] ne 'RESPONSE' || $_[0][1] eq 'close' }

$t->plan(3 * @rows + 3 * (grep { tls($_) } @rows) + 2 * 10);

my %ssl = (http => 0, https => { cert => $t->testdir() . '/localhost.crt',
                                 key => $t->testdir() . '/localhost.key' });
my (%first, %second);

for my $s (qw/ http https /) {
    my @ssl = $ssl{$s} ? (ssl => $ssl{$s}) : ();

    $first{$s} = $t->http("first_$s", default => { status => 200 }, @ssl);
    $second{$s} = $t->http("second_$s", default => { status => 200 }, @ssl);
}

$t->run();

# more than the buffers of a socket that is not read from

my $small = "Subject: x\r\n\r\nhello\r\n";
my $long = "Subject: x\r\n\r\n" . ('x' x 70 . "\r\n") x 70_000;
my %clients;


sub client {
    my ($name) = @_;

    return $clients{$name} if $clients{$name};

    my $c = $t->client($name, timeout => 20);

    $c->read_reply();
    $c->ehlo();

    return $clients{$name} = $c;
}


sub begin_message {
    my ($name, $data) = @_;
    my $c = client($name);

    $c->pipeline('MAIL FROM:<s@example.com>', 'RCPT TO:<user@example.com>',
                 'DATA');
    $c->read_replies(3);
    $c->body($data);
}


sub end_message {
    my ($name) = @_;

    return client($name)->read_reply() =~ s/ id=\w{16}$//r;
}


sub say_message {
    my ($name, $data) = @_;

    begin_message($name, $data);

    return end_message($name);
}


sub forget {
    for my $server (@_) {
        $server->sync();
        $server->{events} = [];
    }
}


sub keys_of { map { $_->{headers}{'idempotency-key'} } @_ }

sub like_or_is {
    my ($got, $expected, $name) = @_;

    return ref $expected ? like $got, $expected, $name
                         : is $got, $expected, $name;
}


for my $row (@rows) {
    my ($at, $f, $one, $got, $two, $others, $what) = @$row;
    my %f = ref $f ? %$f : (do => $f);
    my $data = $at eq 'REQUEST' ? $long : $small;

    # those that wait for something wait together

    my @schemes = grep { $_ eq 'http' || tls($row) } qw/ http https /;
    my @names = map { ("one_$_", "two_$_") } @schemes;

    $first{$_}->set(fault => { %f, at => $at },
                    default => { status => $f{status} // 200 }) for @schemes;

    begin_message($_, $data) for @names;

    my %reply = map { $_ => end_message($_) } @names;

    for my $s (@schemes) {
        my $name = "$s: $at $f{do}" . ($what ? " ($what)" : '');
        my @first = $first{$s}->requests();
        my @second = $second{$s}->requests();

        like_or_is($reply{"one_$s"}, $one, $name);
        is $reply{"two_$s"} . ', ' . @first . '/' . @second,
           "$two, " . 2 * $got . "/$others", "$name, and another server";

        # who has got it knows it again

        my %keys = map { $_ => 1 } keys_of(@first, @second);

        is scalar(keys %keys), $got ? 2 : $others, "$name, a key for each";

        forget($first{$s}, $second{$s});
    }
}

for my $s (qw/ http https /) {
    my ($first, $second) = ($first{$s}, $second{$s});

    # a kept connection that is gone: once more, the same

    $first->set(fault => undef, default => { status => 200 });
    is say_message("kept_$s", $small), $ok, "$s: the first";

    for my $row ([ RESPONSE => 'close', $small, 2 ],
                 [ RESPONSE => 'reset', $small, 2 ],
                 [ REQUEST => 'close', $long, 1 ])
    {
        my ($at, $do, $data, $got) = @$row;

        forget($first);
        $first->set(fault => { at => $at, do => $do, n => 1 });

        is say_message("kept_$s", $data), $ok, "$s: a kept one: $at $do";

        my @r = $first->requests();
        my %keys = map { $_ => 1 } keys_of(@r);

        is @r . ' ' . keys %keys, "$got 1", "$s: again, with the same key";
    }

    # nor does a server make us read all of it into memory

    $first->set(fault => undef, default => { status => 200 });
    say_message("kept_$s", $long);

    my $before = $t->worker_memory('VmRSS');

    $t->reset_peak();
    is say_message("kept_$s", $long . 'x' x 20_000_000 . "\r\n"), $ok,
       "$s: 25 megabytes";
    SKIP: {
        skip 'memory can not be measured with a sanitizer', 1
            if $t->version_info() =~ /fsanitize/;

        # kilobytes

        cmp_ok($t->worker_memory('VmHWM') - $before, '<', 4096,
               "$s: and memory does not grow with them");
    }

    my $r = ($first->requests())[-1];

    is length(substr $r->{body}, index $r->{body}, 'Subject:'),
       length($long) + 20_000_002, "$s: all of them";
}

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The destination http://: what a service is told, to the octet, and what its
# answers mean to the client.

use warnings;
use strict;

use Sys::Hostname qw/ hostname /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->certificate('localhost');

$t->write_conf(<<'EOF');
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_relay_from        127.0.0.1;
    smtp_temp_path         %%TESTDIR%%/temp;
    smtp_body_buffer_size  16k;
    smtp_max_message_size  20m;
    smtp_max_errors        10000;
    smtp_max_messages      0;
    smtp_http_breaker      off;

    smtp_access_log        %%TESTDIR%%/access.log  log;
    smtp_log_format        log  '$smtp_result $smtp_status "$smtp_reply" '
                                '$smtp_upstream_addr "$smtp_upstream_reply"';

    ssl_certificate        %%TESTDIR%%/localhost.crt;
    ssl_certificate_key    %%TESTDIR%%/localhost.key;

    smtp_upstream service { server 127.0.0.1:%%PORT_http%%; }

    smtp_pass_http_header  Authorization  "Bearer of-100%";
    smtp_pass_http_header  X-Size         "$smtp_bytes of $smtp_auth_user.";

    server {
        listen     127.0.0.1:%%PORT_smtp%%;
        protocol   smtp_ext;
        smtp_pass  http://service/mail?a=b;
    }

    server {
        listen     127.0.0.1:%%PORT_plain%%;
        protocol   smtp_ext;
        starttls   on;
        smtp_pass  http://127.0.0.1:%%PORT_http%%/plain;
        smtp_auth_http  http://127.0.0.1:%%PORT_http%%/auth;

        smtp_pass_http_header      X-None  "";
        smtp_pass_http_recipients  3;
    }

    server {
        listen     127.0.0.1:%%PORT_lmtp%%;
        protocol   smtp_ext;
        smtp_lmtp  on;
        smtp_pass  http://service/lmtp;
    }

    server {
        listen     127.0.0.1:%%PORT_unix%%;
        protocol   smtp_ext;
        smtp_pass  http://unix:%%TESTDIR%%/http.sock:/unix;
    }

    server {
        listen           127.0.0.1:%%PORT_hooked%%;
        protocol         smtp_ext;
        smtp_hook        http://127.0.0.1:%%PORT_http%%/hook stages=rcpt;
        smtp_hook_route  http://service/hooked;
    }

    server {
        listen           127.0.0.1:%%PORT_routed%%;
        protocol         smtp_ext;
        smtp_auth_http   http://127.0.0.1:%%PORT_http%%/login;
        smtp_auth_route  http://service/routed;
        smtp_auth_require_tls  off;
    }

    server {
        listen     127.0.0.1:%%PORT_none%%;
        protocol   smtp_ext;
        smtp_pass  http://127.0.0.1:%%PORT_nobody%%/;
    }
}
EOF

my $host = hostname();
my $http = $t->http('http', default => { status => 200 },
                    auth => { "us\xc3\xa9r" => 'pass' });
my $unix = Test::Nginx::SmtpExt::Http->new($t->testdir() . '/http.sock',
                                           default => { status => 204 });

# status, fields; the reply

my $failed = '451 4.3.0 Destination service failed, try again later';
my $busy = '451 4.3.2 Destination servers are busy, try again later';
my $refused = '554 5.3.0 Destination service refused the message';
my $long = 'x' x 480;

my @answers = (
    [ 200, [], '250 2.0.0 OK' ],
    [ 201, [], '250 2.0.0 OK' ],
    [ 202, [], '250 2.0.0 OK' ],
    [ 204, [], '250 2.0.0 OK' ],
    [ 299, [], '250 2.0.0 OK' ],
    [ 301, [ Location => 'http://127.0.0.1/' ], $failed ],
    [ 304, [], $failed ],
    [ 307, [ Location => 'http://127.0.0.1/' ], $failed ],
    [ 400, [], $refused ],
    [ 401, [], $refused ],
    [ 403, [], $refused ],
    [ 404, [], $refused ],
    [ 408, [], $busy ],
    [ 409, [], $refused ],
    [ 413, [], '552 5.3.4 Message size exceeds fixed limit' ],
    [ 422, [], $refused ],
    [ 425, [], $busy ],
    [ 429, [ 'Retry-After' => 10 ], $busy ],
    [ 499, [], $refused ],
    [ 500, [], $failed ],
    [ 501, [], $failed ],
    [ 502, [], $failed ],
    [ 503, [], $busy ],
    [ 504, [], $failed ],
    [ 599, [], $failed ],

    # in the service's own words

    [ 200, [ '250 2.6.0 Queued as 4711' ], '250 2.6.0 Queued as 4711' ],
    [ 200, [ '250 Queued' ], '250 2.0.0 Queued' ],
    [ 200, [ '251 2.1.5' ], '250 2.1.5 OK' ],
    [ 200, [ '200' ], '250 2.0.0 OK' ],
    [ 422, [ '550 5.7.1 Not wanted, 100% sure' ],
      '550 5.7.1 Not wanted, 100% sure' ],
    [ 422, [ '452 4.2.2 Full' ], '452 4.2.2 Full' ],
    [ 422, [ '550' ], '550 5.0.0 Not taken by the destination service' ],
    [ 404, [ '550 ' . $long ], '550 5.0.0 ' . $long ],
    [ 500, [ '451 4.3.5 Later' ], '451 4.3.5 Later' ],
    [ 503, [ '554 5.3.0 Never' ], '554 5.3.0 Never' ],
    [ 200, [ '<user@example.com> 250 2.1.5 For you' ],
      '250 2.1.5 For you' ],
    [ 200, [ '<user@example.com> 550 5.1.1 No such user' ],
      '550 5.1.1 No such user' ],
    [ 200, [ '250 2.0.0 Some', '<user@example.com> 452 4.2.2 Full' ],
      '452 4.2.2 Full' ],
    [ 422, [ '<user@example.com> 452 4.2.2 Full' ], '452 4.2.2 Full' ],

    # what is none

    map { [ $_->[0], [ @$_[1 .. $#$_] ], $failed ] } (
        [ 200, '550 5.7.1 No' ],
        [ 200, '450 4.7.1 No' ],
        [ 200, '354 Go on' ],
        [ 422, '250 2.0.0 OK' ],
        [ 500, '250 2.0.0 OK' ],
        [ 422, '550 4.7.1 No' ],
        [ 422, '550 5.7 No' ],
        [ 422, '421 4.3.2 Bye' ],
        [ 422, 'No' ],
        [ 422, '55' ],
        [ 422, '5500 No' ],
        [ 422, '550-5.7.1 No' ],
        [ 422, '650 No' ],
        [ 422, "550 5.7.1 n\xc3\xb6" ],
        [ 422, "550 5.7.1 no\tway" ],
        [ 422, '550 ' . $long . 'x' ],
        [ 422, '' ],
        [ 422, '550 No', '550 No' ],
        [ 200, '<other@example.com> 550 No' ],
        [ 200, '<user@example.co> 550 No' ],
        [ 200, '<user@example.comm> 550 No' ],
        [ 200, '<USER@example.com> 550 No' ],
        [ 200, '<> 550 No' ],
        [ 200, '<user@example.com>550 No' ],
        [ 200, '<user@example.com>' ],
        [ 200, '<user@example.com' ],
        [ 200, '<user@example.com> No' ],
        [ 422, '<user@example.com> 250 OK' ],
        [ 200, '<user@example.com> 550 No', '<user@example.com> 550 No' ],
    ),
);

$t->plan(@answers + 62);
$t->run();


sub session {
    my ($name, @helo) = @_;
    my $c = $t->client($name);

    $c->read_reply();
    $name eq 'lmtp' ? $c->cmd('LHLO client.example.com') : $c->ehlo(@helo);

    return $c;
}


sub last_request { ($http->requests())[-1] }

# without what is different each time

sub fields {
    my ($r) = @_;

    return join '', map { "$_->[0]: $_->[1]\n" =~ s/\b[0-9a-v]{16}\b/ID/gr }
                    @{$r->{header_list}};
}


sub content { $_[0]{body} =~ s/\AReceived:.*\r\n(?:[ \t].*\r\n)*//r }


# one message, all of it

my $c = session('smtp');
my $data = "Subject: x\r\n\r\n.dot\r\n..\r\n\r\nend\r\n";
my $reply = $c->send_message(from => 's@example.net', to => 'user@example.com',
                             data => $data);
my ($id) = $reply =~ /^250 2\.0\.0 OK id=([0-9a-v]{16})$/;

ok $id, 'taken, with our id' or diag $reply;

my $r = last_request();
my $port = $t->port('http');
my $length = length $r->{body};

is "$r->{method} $r->{uri} $r->{version}", 'POST /mail?a=b HTTP/1.1',
   'the request';
is fields($r), <<"E", 'its fields';
Host: service
Idempotency-Key: "ID-1\@$host"
Smtp-Id: ID
Smtp-From: <s\@example.net>
Smtp-To: <user\@example.com>
Smtp-Params: SIZE=$length
Smtp-Protocol: ESMTP
Smtp-Helo: client.example.com
Smtp-Client-IP: 127.0.0.1
Authorization: Bearer of-100%
X-Size: ${\ length $data}%20of%20.
Content-Type: message/rfc822
Content-Length: $length
E

is $r->{headers}{'smtp-id'}, $id, 'the id that the client was told';
like $r->{body}, qr/\AReceived: from client\.example\.com \(\[127\.0\.0\.1\]\)\r\n\tby mx\.example\.com with ESMTP\r\n\tid $id\r\n\tfor <user\@example\.com>;\r\n\t.*\r\nSubject/,
     'our trace in front';
is content($r), $data, 'the content as it was sent, without dots doubled';
is(($t->access_lines(1))[0] =~ s/id=\w+/id/r,
   qq(accepted 250 "2.0.0 OK id" 127.0.0.1:$port "200"), 'in the log');

# several recipients, the null sender; the same connection

$c->send_message(from => '', to => [ 'a@example.com', 'b@example.com',
                                     'c@example.com' ]);
$r = last_request();

is $r->{i}, 2, 'in the connection that was kept';
is $r->{headers}{'smtp-from'}, '<>', 'the null reverse-path';
is $r->{headers}{'smtp-to'},
   '<a@example.com>, <b@example.com>, <c@example.com>', 'all recipients';
isnt $r->{headers}{'smtp-id'}, $id, 'another id';

# who would be a field, a list, or something else

for my $try (
    [ '"a b"@example.com', '<"a%20b"@example.com>' ],
    [ '"a,b>,<c"@example.com', '<"a%2Cb%3E%2C%3Cc"@example.com>' ],
    [ 'a%b@example.com', '<a%25b@example.com>' ],
    [ '"a\\"b"@example.com', '<"a\\"b"@example.com>' ],
    [ "\xc3\xbc\@\xc3\xbc.example", '<%C3%BC@%C3%BC.example>' ],
) {
    my ($address, $field) = @$try;

    $c->mail($address, 'SMTPUTF8');
    $c->rcpt($address);
    $c->data($data);
    $r = last_request();

    is join(' ', @{$r->{headers}}{qw/ smtp-from smtp-to /}), "$field $field",
       "written as $field";
}

is $r->{headers}{'smtp-params'}, 'SIZE=' . length($r->{body}) . ' SMTPUTF8',
   'parameters of MAIL';
is $r->{headers}{'content-type'}, 'message/rfc822',
   'with UTF-8 in the envelope alone it is a common message';

$c->mail('s@example.com', 'SMTPUTF8', 'BODY=8BITMIME');
$c->rcpt('a@example.com');
$c->data("Subject: \xc3\xbc\r\n\r\nx\r\n");
$r = last_request();

is $r->{headers}{'content-type'}, 'message/global', 'in its header: RFC 6532';
is content($r), "Subject: \xc3\xbc\r\n\r\nx\r\n", 'as it is';

# any octets, without a line end

for my $name (qw/ smtp unix /) {
    my $octets = join '', map { chr } 0 .. 255, 10, 13, 13, 10, 46, 13;
    my $b = session($name);

    like join("\n", $b->cmd('EHLO x.example')), qr/BINARYMIME/,
         "BINARYMIME is offered: $name";
    $b->mail('s@example.com', 'BODY=BINARYMIME');
    $b->rcpt('a@example.com');
    $b->bdat("Subject: b\r\n\r\n");
    like $b->bdat($octets, 1), qr/^250 /, "binary: $name";

    my ($x) = ($name eq 'unix' ? $unix : $http)->requests();

    $x = $name eq 'unix' ? ($unix->requests())[-1] : last_request();

    is content($x), "Subject: b\r\n\r\n$octets", "octet by octet: $name";
    is $x->{headers}{'smtp-params'} =~ s/SIZE=\d+ //r, 'BODY=BINARYMIME',
       "and said so: $name";
}

is(($unix->requests())[0]{headers}{host}, 'localhost', 'the host of a socket');

# out of memory, out of a file; sizes around what is read at once

for my $size (1, 16384, 65536, 131072, 10_000_000) {
    my $body = "Subject: x\r\n\r\n" . join "\r\n", ('0123456789' x 7)
               x ($size / 72), '.', 'x' x ($size % 72), '';

    $c->send_message(to => 'a@example.com', data => $body);
    ok content(last_request()) eq $body, "$size octets and some";
}

# what is not offered

my $ehlo = $c->cmd('EHLO x.example');

like $ehlo, qr/^250.$_\b/m, "$_ is offered"
    for qw/ 8BITMIME SMTPUTF8 CHUNKING SIZE PRDR /;
unlike $ehlo, qr/DSN|DELIVERBY|REQUIRETLS|RRVS|FUTURERELEASE|MTRK/,
       'nothing is promised for what a service does';

# a user, TLS, recipients one too many

$c = session('plain', 'x,y');

$c->starttls();
$c->ehlo('[IPv6:2001:db8::1]');
$c->auth_plain("us\xc3\xa9r", 'pass');
like $c->mail('s@example.com'), qr/^250/, 'a sender';
is_deeply [ map { substr $c->rcpt("$_\@example.com"), 0, 9 } qw/ a b c d / ],
          [ ('250 2.1.5') x 3, '452 4.5.3' ], 'a recipient too many';
$c->data($data);
$r = last_request();

like $r->{headers}{'smtp-tls'}, qr/^TLSv1\.\d \w[\w-]+$/, 'TLS';
is $r->{headers}{'smtp-user'}, 'us%C3%A9r', 'the user';
is $r->{headers}{'smtp-helo'}, '[IPv6:2001:db8::1]', 'the name';
is $r->{headers}{'smtp-protocol'}, 'ESMTPSA', 'the protocol';
ok !exists $r->{headers}{'x-none'}, 'a field without a value is left out';
ok !exists $r->{headers}{authorization}, 'those of mail are not for it';

my @many = map { 'x' x 60 . "$_\@" . join '.', ('d' x 60) x 3 } 10 .. 59;

$c = session('smtp');
$c->mail('s@example.com');

my @replies = map { substr $c->rcpt($_), 0, 3 } @many;
my $taken = grep { $_ eq '250' } @replies;

is "$taken @replies[0, -1]", int(8192 / length $many[0]) . ' 250 452',
   'no more recipients than there is room for in a header';

# what the answers mean

$c = session('smtp');

for my $answer (@answers) {
    my ($status, $fields, $expected) = @$answer;

    my @fields = @$fields && $fields->[0] =~ /^(?:Location|Retry-After)$/
                 ? @$fields : map { ('Smtp-Reply', $_) } @$fields;

    $http->set(default => { status => $status, headers => \@fields,
                            body => $status == 304 ? '' : 'text' });
    $reply = $c->send_message(to => 'user@example.com', data => $data);

    is $reply =~ s/ id=\w{16}$//r, $expected,
       substr "answer $status @$fields", 0, 60;
}

# a reply to each

$c = session('lmtp');
$http->set(default => { headers => [
    'Smtp-Reply' => '<b@example.com> 550 5.1.1 No such user',
    'Smtp-Reply' => '<"c%2Cd"@example.com> 452 4.2.2 Full' ] });
$c->mail('s@example.com');
$c->rcpt($_) for 'a@example.com', 'b@example.com', '"c,d"@example.com',
                 'b@example.com';
is_deeply [ map { s/ id=.*//r } $c->data($data),
            map { $c->read_reply() } 2 .. 4 ],
          [ '250 2.0.0 OK', '550 5.1.1 No such user', '452 4.2.2 Full',
            '550 5.1.1 No such user' ], 'LMTP: a reply to each';
is last_request()->{headers}{'smtp-reply-each'}, 'yes', 'it was told so';

$c = session('smtp');
$c->mail('s@example.com', 'PRDR');
$c->rcpt($_) for 'a@example.com', 'b@example.com', '"c,d"@example.com';
is_deeply [ map { substr $_, 0, 9 } $c->data($data),
            map { $c->read_reply() } 1 .. 4 ],
          [ '353 Repli', '250 2.0.0', '550 5.1.1', '452 4.2.2', '250 2.0.0' ],
          'PRDR: a reply to each';

$http->set(default => { headers => [
    'Smtp-Reply' => '<b@example.com> 550 5.1.1 No such user' ] });
is $c->send_message(to => [ qw/ a@example.com b@example.com / ]), $failed,
   'with one reply for all that is no answer';
ok !exists last_request()->{headers}{'smtp-reply-each'},
   'and was not asked for';
$t->wait_log(qr/"Smtp-Reply" is for each recipient/);
pass 'the log says so';

# where others than the configuration say

$http->set(default => { status => 200 },
           hooks => { rcpt => '{"action":"accept","route":
                               [{"pass":"http://service/hooked"}]}' },
           on => { '/login' => { headers => [ 'Auth-Status' => 'OK',
                       'Auth-Route' => 'http://service/routed' ] } });

like session('hooked')->send_message(to => 'user@example.com'), qr/^250 /,
     'a hook has routed it';
is last_request()->{uri}, '/hooked', 'there';

$c = session('routed');
$c->auth_plain('user', 'pass');
like $c->send_message(to => 'user@example.com'), qr/^250 /,
     'the auth service has routed it';
is last_request()->{uri}, '/routed', 'there';

# a client that does not wait for the end

$http->set(fault => { at => 'RESPONSE', do => 'hold' });
$c = session('smtp');
$c->mail('s@example.com');
$c->rcpt('user@example.com');
$c->cmd('DATA');
$c->body($data);
ok $http->wait_held(1), 'the answer is held back';
$c->reset();
$http->release();
$http->set(fault => undef);
like session('smtp')->send_message(to => 'user@example.com'), qr/^250 /,
     'a client that has gone is nobody\'s harm';

# nobody there

is session('none')->send_message(to => 'a@example.com'),
   '451 4.4.1 No destination server answers', 'nobody there';

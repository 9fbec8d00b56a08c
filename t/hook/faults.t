#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Hooks that fail in every way there is: what on_error says is what happens,
# nothing that was answered has an effect.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(103);

$t->write_conf(<<'EOF')->run();
%%GLOBALS%%

worker_shutdown_timeout 500ms;

events { }

mail {
    server_name        mx.example.com;
    smtp_max_errors    1000;
    smtp_http_breaker  off;
    smtp_pass          smtp://127.0.0.1:%%PORT_mta%%;
    smtp_relay_from    127.0.0.1;
    smtp_pass_mode     buffered;
    smtp_max_refused_recipients  0;
    smtp_max_recipients          1000;

    server {
        listen     127.0.0.1:%%PORT_smtp%%;
        protocol   smtp_ext;
        smtp_hook  http://127.0.0.1:%%PORT_http%%/hook stages=rcpt timeout=400ms
                   max_answer=1k;
        smtp_hook_route  discard:;
    }

    server {
        listen     127.0.0.1:%%PORT_accept%%;
        protocol   smtp_ext;
        smtp_hook  http://127.0.0.1:%%PORT_http%%/hook on_error=accept
                   stages=connect,ehlo,mail,rcpt,data timeout=400ms;
    }

    server {
        listen     127.0.0.1:%%PORT_reject%%;
        protocol   smtp_ext;
        smtp_hook  http://127.0.0.1:%%PORT_http%%/hook on_error=reject
                   stages=connect,ehlo,mail,rcpt,data timeout=400ms;
    }

    server {
        listen     127.0.0.1:%%PORT_tempfail%%;
        protocol   smtp_ext;
        smtp_hook  http://127.0.0.1:%%PORT_http%%/hook on_error=tempfail
                   stages=connect,ehlo,mail,rcpt,data timeout=400ms;
    }

    server {
        listen     127.0.0.1:%%PORT_drip%%;
        protocol   smtp_ext;
        smtp_hook  http://127.0.0.1:%%PORT_http%%/hook stages=rcpt;
    }
}
EOF

my $failed = '451 4.3.0 Local error in processing';
my $ok = '250 2.1.5 Recipient OK';
my $accept = '{"action":"accept"}';

my $http = $t->http('http', hooks => {});
my $mta = $t->server('mta');

sub connected {
    my ($name) = @_;

    my $c = $t->client($name || 'smtp');

    $c->read_reply();
    $c->ehlo();
    $c->mail('a@example.org');

    return $c;
}

sub count {
    my ($pattern) = @_;

    return scalar(() = $t->notices() =~ /$pattern/g);
}

# the reason in the last line of the log that gives one

sub reason {
    my $answer = qr/an answer that is none: (.*?), HTTP status/;
    my $service = qr/HTTP service 127\S+: (.*?) while/;
    my @lines = $t->notices() =~ /$answer|$service/g;

    return (grep { defined } @lines)[-1] // 'none';
}

# answers that are none; one client for all

my $c = connected();

for my $try (
    [ '', 'no valid JSON' ],
    [ 'accept', 'no valid JSON' ],
    [ '{"action":"accept"', 'no valid JSON' ],
    [ '{"action":"accept"}}', 'no valid JSON' ],
    [ '{"action":"accept"}{"action":"accept"}', 'no valid JSON' ],
    [ "{\"action\":\"accept\"}\0", 'no valid JSON' ],
    [ "{\"action\":\"acc\0ept\"}", 'no valid JSON' ],
    [ '{"action":"acc\u0000ept"}', 'no valid JSON' ],
    [ "{\"action\":\"accept\",\"x\":\"\xff\"}", 'no valid JSON' ],
    [ "\xef\xbb\xbf$accept", 'no valid JSON' ],
    [ '{"action":"accept","action":"reject"}', 'no valid JSON' ],
    [ '[' x 10 . ']' x 10, 'no object' ],
    [ '[' x 17 . ']' x 17, 'too deep' ],
    [ '{"action":"accept","x":' . '[' x 500, 'too deep' ],
    [ '{"action":"accept","x":' . '{"a":' x 17 . '1' . '}' x 18, 'too deep' ],
    [ '"accept"', 'no valid JSON' ],
    [ '[]', 'no object' ],
    [ 'null', 'no valid JSON' ],
    [ '{}', 'no known "action"' ],
    [ '{"action":null}', 'no known "action"' ],
    [ '{"action":1}', 'no known "action"' ],
    [ '{"action":["accept"]}', 'no known "action"' ],
    [ '{"action":"Accept"}', 'no known "action"' ],
    [ '{"action":"acceptx"}', 'no known "action"' ],
    [ '{"Action":"accept"}', 'no known "action"' ],

    [ '{"action":"reject","response":"550"}', '"response" is no object' ],
    [ '{"action":"reject","response":{"disconnect":1}}',
      '"disconnect" is no boolean' ],
    (map { [ "{\"action\":\"reject\",\"response\":{\"status\":$_}}",
             '"status" is no reply code' ] }
         '"550"', '550.0', '1', '199', '560', '600', '5500', '-550',
         '[550]', 'true'),
    [ '{"action":"reject","response":{"status":99999999999999999999999}}',
      'no valid JSON' ],
    [ '{"action":"reject","response":{"status":250}}',
      '"status" does not reject' ],
    [ '{"action":"reject","response":{"status":354}}',
      '"status" does not reject' ],
    [ '{"action":"tempfail","response":{"status":550}}',
      '"status" is not temporary' ],
    [ '{"action":"accept","response":{"status":550}}',
      '"status" does not accept' ],
    [ '{"action":"discard","response":{"status":354}}',
      '"status" does not accept' ],
    [ '{"action":"reject","response":{"status":450,"enhancedStatus":"5.1.1"}}',
      'enhanced code does not fit' ],
    [ '{"action":"reject","response":{"enhancedStatus":"2.0.0"}}',
      'enhanced code does not fit' ],
    (map { [ "{\"action\":\"reject\",\"response\":{\"enhancedStatus\":$_}}",
             'enhanced code does not fit' ] }
         '""', '"5"', '"5.1"', '"5.1.1 x"', '"5.1.1000"', '"5.1.1\r\n250 x"'),
    [ '{"action":"reject","response":{"enhancedStatus":5.1}}',
      'enhanced code is no string' ],
    [ '{"action":"reject","response":{"enhancedStatus":"5.1.1",'
      . '"enhanced_status":"5.1.1"}}', 'two enhanced codes' ],
    (map { [ "{\"action\":\"reject\",\"response\":{\"message\":\"$_\"}}",
             'control character in "message"' ] }
         'a\r\n250 OK', 'a\nb', '\u0001', 'a\u007f', '\t'),
    [ '{"action":"reject","response":{"message":550}}',
      'a text is no string' ],
    [ '{"action":"reject","response":{"message":"' . 'x' x 481 . '"}}',
      '"message" is too long' ],

    [ '{"action":"accept","route":{"pass":"discard:"}}',
      '"route" is no array' ],
    [ '{"action":"accept","route":["discard:"]}', 'a route is no object' ],
    [ '{"action":"accept","route":[{"to":"b@example.com"}]}',
      'a route has no "pass"' ],
    [ '{"action":"accept","route":[{"pass":["discard:"]}]}',
      'a text is no string' ],
    [ '{"action":"accept","route":[{"to":"","pass":"discard:"}]}',
      'a route to nobody' ],
    [ '{"action":"accept","route":[{"to":"x@example.com","pass":"discard:"}]}',
      'a route for somebody else' ],
    [ '{"action":"accept","route":[{"pass":"discard:"},{"pass":"discard:"}]}',
      'two routes for a recipient' ],
    [ '{"action":"accept","route":[{"pass":"smtp://127.0.0.1:25"}]}',
      'a route that "smtp_hook_route" does not name' ],
    [ '{"action":"accept","route":[{"pass":""}]}',
      'a route that "smtp_hook_route" does not name' ],

    [ $accept . ' ' x 1024, 'sent too big a body' ],
    [ { status => 500, body => $accept }, 'not 2xx' ],
    [ { status => 301, body => $accept, headers => { Location => '/' } },
      'not 2xx' ],
    [ { status => 404, body => $accept }, 'not 2xx' ],
    [ { status => 204 }, 'no valid JSON' ],
    [ { raw => $accept, close => 1 }, 'no valid HTTP/1.x status line' ],
    [ { raw => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n$accept",
        close => 1 }, 'closed connection before its answer was complete' ],
    [ { raw => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n$accept",
        close => 1 }, 'no valid JSON' ],
    [ { raw => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
               . "5\r\n$accept\r\n0\r\n\r\n", close => 1 }, 'invalid chunk' ],
    [ { raw => "HTTP/1.1 200 OK\r\n\r\n" . 'x' x 10_000_000, close => 1 },
      'sent too big a body' ],
) {
    my ($answer, $want) = @$try;

    $http->set(hooks => { rcpt => $answer });

    my $reply = $c->rcpt('b@example.com');
    my $name = ref $answer ? $want : "$want: " . substr $answer, 0, 60;

    is $reply eq $failed ? reason() : $reply, $want,
       $name =~ s/[^ -~]+/?/gr;
}

$http->set(hooks => {});
is $c->rcpt('b@example.com'), $ok, 'all is well again, in the same session';

is count(qr/\[error\]/), 1, 'the outage is one error';
is count(qr/\[warn\].* is out of order/), 1, 'it began';
is count(qr/\[notice\].* is in order again/), 1, 'it ended';

# what is in order, if barely

for my $answer (
    ' {"action" : "accept" , "response":null, "modifications":null, "x":[1]} ',
    '{"action":"accept","response":{},"route":[]}',
    '{"action":"accept","response":{"status":250,"message":""}}',
) {
    $http->set(hooks => { rcpt => $answer });
    is $c->rcpt('b@example.com'), $ok, $answer;
}

# connections

for my $try (
    [ { at => 'CONNECT', do => 'close' }, 'closed at once' ],
    [ { at => 'RESPONSE', do => 'close' }, 'closed for an answer' ],
    [ { at => 'RESPONSE', do => 'half' }, 'half an answer' ],
    [ { at => 'RESPONSE', do => 'stall' }, 'no answer' ],
) {
    $http->set(hooks => { rcpt => { body => $accept, close => 1 } });
    connected()->rcpt('b@example.com');
    $http->set(hooks => {}, fault => $try->[0]);
    is connected()->rcpt('b@example.com'), $failed, $try->[1];
}

$http->set(fault => { at => 'RESPONSE', do => 'drip' });
is connected('drip')->rcpt('b@example.com'), $ok, 'octet by octet';
$http->set(fault => undef);

# on_error=, at each stage

my $bad = { status => 500 };

$http->set(hooks => { map { $_ => $bad } qw/ connect ehlo mail rcpt data / });

is connected('accept')->cmd('RCPT TO:<b@example.com>'), $ok, 'accept';
$c = $t->client('accept');
$c->read_reply();
$c->ehlo();
like $c->send_message(), qr/^250 /, 'all stages';

for my $try (
    [ connect => '554 Can\'t be checked, rejected',
                 '421 Service not available, closing connection' ],
    [ ehlo => '554 Can\'t be checked, rejected',
              '421 Service not available, closing connection' ],
    [ mail => '554 5.3.0 Can\'t be checked, rejected', $failed ],
    [ rcpt => '554 5.3.0 Can\'t be checked, rejected', $failed ],
    [ data => '554 5.3.0 Can\'t be checked, rejected', $failed ],
) {
    my ($stage, $reject, $tempfail) = @$try;

    $http->set(hooks => { $stage => $bad });

    is said('reject', $stage), $reject, "$stage: reject";
    is said('tempfail', $stage), $tempfail, "$stage: tempfail";
}

sub said {
    my ($name, $stage) = @_;

    my $c = $t->client($name);
    my $reply = $c->read_reply();
    my @way = ([ ehlo => 'EHLO x' ], [ mail => 'MAIL FROM:<a@example.org>' ],
               [ rcpt => 'RCPT TO:<b@example.com>' ]);

    for (@way) {
        return $reply if $reply !~ /^2/;
        $reply = $c->cmd($_->[1]);
    }

    return $reply =~ /^2/ ? $c->data("Subject: x\r\n\r\ntext\r\n") : $reply;
}

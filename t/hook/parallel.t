#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Recipients that arrive in one pipelined batch: hooks are asked about them at
# the same time, and the replies come in order, whatever the answers are and
# whenever they come.

use warnings;
use strict;

use JSON::PP qw/ decode_json encode_json /;
use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(63);

$t->write_conf(<<'EOF')->run();
%%GLOBALS%%

events { }

mail {
    server_name                   mx.example.com;
    smtp_max_errors               1000;
    smtp_max_refused_recipients   0;
    smtp_auth_require_tls         off;
    smtp_http_breaker             off;
    smtp_recipient                @ours.example
                                  { smtp_pass 127.0.0.1:%%PORT_mta%%; }

    server {
        listen           127.0.0.1:%%PORT_smtp%%;
        protocol         smtp_ext;
        smtp_hook        http://127.0.0.1:%%PORT_http%%/hook stages=rcpt;
        smtp_hook_route  discard:;
        smtp_recipient   alias@ours.example
                         { smtp_rewrite real@ours.example;
                           smtp_pass 127.0.0.1:%%PORT_mta%%; }
        smtp_recipient   @ours.example { smtp_pass 127.0.0.1:%%PORT_mta%%; }
    }

    server {
        listen                 127.0.0.1:%%PORT_three%%;
        protocol               smtp_ext;
        smtp_hook              http://127.0.0.1:%%PORT_http%%/hook stages=rcpt;
        smtp_hook_concurrency  3;
        smtp_max_recipients    100;
    }

    server {
        listen                 127.0.0.1:%%PORT_one%%;
        protocol               smtp_ext;
        smtp_hook              http://127.0.0.1:%%PORT_http%%/hook stages=rcpt;
        smtp_hook_concurrency  1;
    }

    server {
        listen                 127.0.0.1:%%PORT_two%%;
        protocol               smtp_ext;
        smtp_hook              http://127.0.0.1:%%PORT_http%%/first
                               stages=rcpt;
        smtp_hook              http://127.0.0.1:%%PORT_http%%/second
                               stages=rcpt on_error=accept;
    }

    server {
        listen                 127.0.0.1:%%PORT_cache%%;
        protocol               smtp_ext;
        smtp_hook              http://127.0.0.1:%%PORT_http%%/first
                               stages=rcpt cache=answers:1m;
        smtp_hook              http://127.0.0.1:%%PORT_http%%/second
                               stages=rcpt cache=answers;
    }

    server {
        listen                 127.0.0.1:%%PORT_auth%%;
        protocol               smtp_ext;
        smtp_auth              none;
        auth_http              127.0.0.1:%%PORT_http%%/auth;
        smtp_hook              http://127.0.0.1:%%PORT_http%%/hook stages=rcpt;
    }
}
EOF

my $ok = '250 2.1.5 recipient ok';
my $ours = '250 2.1.5 Recipient OK';
my $mail = '250 2.1.0 Sender OK';
my $denied = '550 5.7.1 Relaying denied';

# by the recipient's local part

my %answer = (
    no => { action => 'reject', response => {
                status => 550, enhancedStatus => '5.1.1',
                message => 'nobody' } },
    later => { action => 'tempfail' },
    drop => { action => 'discard' },
    leave => { action => 'reject', response => {
                   status => 554, message => 'out', disconnect => \1 } },
    more => { action => 'accept', modifications => [
                  { type => 'addRecipient', value => 'added@ours.example' } ] },
    from => { action => 'accept', modifications => [
                  { type => 'changeFrom', value => 'new@x.example' } ] },
    route => { action => 'accept', route => [ { pass => 'discard:' } ] },
);

sub answer {
    my ($r) = @_;

    my $told = decode_json($r->{body});
    my ($who) = $told->{envelope}{to}[-1]{address} =~ /^([a-z]+)/;

    return { delay => 3600 } if $who eq 'stay';
    return { hold => 1, body => encode_json($answer{leave}) }
        if $who eq 'leave';
    return { status => 500, body => '{"action":"accept"}' } if $who eq 'broken';
    return { raw => "nonsense\r\n\r\n", close => 1 } if $who eq 'garbage';

    return encode_json($answer{$who} || { action => 'accept' });
}

my $hold = { at => 'RESPONSE', do => 'hold' };
my $http = $t->http('http', on => {
    '/auth' => { headers => [ 'Auth-Status' => 'OK' ] },
    map { $_ => \&answer } qw{ /hook /first /second }
});
my $mta = $t->server('mta', ehlo => [ 'PIPELINING', 'SIZE', 'DSN' ]);

my ($held, $before) = (0, 0);

sub hold { $http->set(fault => $hold); $before = $http->requests() }
sub unheld { $http->set(fault => []); $before = $http->requests() }

# until n more are held

sub held {
    my ($n, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $held += $n;
    ok $http->wait_held($held), $name;
}

# who was asked about since then: the recipients that were told, sorted, since
# connections are read in any order

sub asked {
    my ($path) = @_;

    my @all = $http->requests();

    return join ' ', sort map {
               join ',', map { $_->{address} =~ s/\@ours\.example//r }
                             @{decode_json($_->{body})->{envelope}{to}}
           } grep { !$path || $_->{path} eq $path } @all[$before .. $#all];
}

sub rcpts { map { 'RCPT TO:<' . (/@/ ? $_ : "$_\@ours.example") . '>' } @_ }

my $from = 'MAIL FROM:<s@x.example>';


# at the same time, in order

hold();

my $c = $t->connected('smtp');

$c->pipeline($from, rcpts(qw/ a b c d e /), 'DATA');
held(5, 'five recipients are asked about before the first answer');
is asked(), 'a b c d e', 'each is told of as the only one';

$http->release(-5);
is_deeply [ $c->read_replies(7) ], [ $mail, ($ok) x 5,
    '354 End data with <CR><LF>.<CR><LF>' ],
   'answers that come in the opposite order';

like $c->cmd("Subject: x\r\n\r\nx\r\n."), qr/^250 /, 'the message';
is_deeply +($mta->messages())[-1]{to},
          [ map { "$_\@ours.example" } qw/ a b c d e / ],
   'goes to all of them, once';


# those that were accepted before are told

$c->pipeline($from, rcpts(qw/ a /));
held(1, 'one');
$http->release();
$c->read_replies(2);

hold();
$c->pipeline(rcpts(qw/ b c /));
held(2, 'two more');
is asked(), 'a,b a,c', 'are told of with who is there already';
$http->release(2);
is_deeply [ $c->read_replies(2) ], [ ($ok) x 2 ], 'and accepted';
is $c->cmd('RSET'), '250 2.0.0 OK', 'RSET';


# whatever they say

unheld();

$c->pipeline($from, rcpts(qw/ a no later drop broken garbage route b /));
is_deeply [ $c->read_replies(9) ], [ $mail, $ok, '550 5.1.1 nobody',
    '451 4.7.1 Not now, try again later', $ours,
    ('451 4.3.0 Local error in processing') x 2, $ours, $ok ],
   'each has its own reply';
is asked(), 'a b broken drop garbage later no route', 'one question about each';

$c->cmd('DATA');
$c->cmd("Subject: x\r\n\r\nx\r\n.");
is_deeply +($mta->messages())[-1]{to},
          [ map { "$_\@ours.example" } qw/ a b / ],
   'the next hop is told of those that it is to get';

hold();
$c->pipeline($from, rcpts(qw/ no a later b /));
held(4, 'four');
$http->release(-4);
is_deeply [ $c->read_replies(5) ], [ $mail, '550 5.1.1 nobody', $ok,
    '451 4.7.1 Not now, try again later', $ok ],
   'refusals in the opposite order';
$c->cmd('RSET');

hold();
$c->pipeline($from, rcpts(qw/ alias /), 'RCPT TO:<a@ours.example> NOTIFY=NEVER',
             rcpts(qw/ b /));
held(3, 'three');
is asked(), 'a b real', 'addresses are those after smtp_rewrite';

my %told = map { $_->{address} => $_->{parameters} }
           map { decode_json($_->{body})->{envelope}{to}[-1] }
           ($http->requests())[-3 .. -1];

is_deeply [ @told{map { "$_\@ours.example" } qw/ a b /} ],
          [ { notify => 'NEVER' }, undef ],
   'parameters are those of its own line';
$http->release(3);
is_deeply [ $c->read_replies(4) ], [ $mail, ($ok) x 3 ], 'accepted';


# what nobody is asked about

unheld();
$c = $t->connected('two');
$c->pipeline($from, rcpts(qw/ a u@else.example b /), 'RCPT TO:<bad', 'NOOP',
             rcpts(qw/ c /), 'RCPT TO:<d@ours.example> NOTIFY=SOMETIMES',
             rcpts(qw/ e /));
is_deeply [ $c->read_replies(9) ], [ $mail, $ok, $denied, $ok,
    '501 5.1.3 Bad recipient address syntax', '250 2.0.0 OK', $ok,
    '501 5.5.4 Bad parameter: NOTIFY', $ok ],
   'what is wrong is said where it is due';
is asked('/first'), 'a a,b,c a,b,c,e b',
   'no hook is asked about it, and what comes behind waits for its turn';
$c->cmd('RSET');


# several hooks

hold();
$c->pipeline($from, rcpts(qw/ a no b /));
held(3, 'the first hook is asked about all three');
is asked('/second'), '', 'the second not yet';
$http->release(-3);
held(2, 'the second hook is asked about two');
is asked('/second'), 'a b', 'whom the first has accepted';
$http->release(-2);
is_deeply [ $c->read_replies(4) ], [ $mail, $ok, '550 5.1.1 nobody', $ok ],
   'both have a say';
$c->cmd('RSET');

unheld();
$c->pipeline($from, rcpts(qw/ broken a /));
is_deeply [ $c->read_replies(3) ],
          [ $mail, '451 4.3.0 Local error in processing', $ok ],
   'on_error is that of the hook';
$c->cmd('RSET');


# an envelope that is changed meanwhile

hold();
$c->pipeline($from, rcpts(qw/ a more b c /));
held(4, 'four');
$http->set(fault => []);
$http->release(4);
is_deeply [ $c->read_replies(5) ], [ $mail, ($ok) x 4 ], 'all are accepted';
is asked('/first'), 'a a,more,added,b a,more,b,added,c b c more',
   'those behind are asked about again when somebody was added, in turn';
$c->cmd('RSET');

hold();
$c->pipeline($from, rcpts(qw/ from a b /));
held(3, 'three');
$http->set(fault => []);
$http->release(3);
is_deeply [ $c->read_replies(4) ], [ $mail, ($ok) x 3 ], 'another sender';

my @all = $http->requests();
my %asked = map { my $e = decode_json($_->{body})->{envelope};
                  ("$_->{path} $e->{from}{address} $e->{to}[-1]{address}"
                   => 1) } @all[$before .. $#all];

is_deeply [ grep { /new.* [ab]@/ } sort keys %asked ],
          [ map { my $path = $_;
                  map { "$path new\@x.example $_\@ours.example" } qw/ a b / }
                qw{ /first /second } ],
   'is told when it is asked about those behind';


# as many as smtp_hook_concurrency

hold();
$c = $t->connected('three');
$c->pipeline($from, rcpts(qw/ a b c d e f g h /));
held(3, 'three at a time');
is asked(), 'a b c', 'and no more';
$http->release(3);
held(3, 'three answers are three questions');
is scalar(split / /, asked()), 6, 'and no more than that';
unheld();
$http->release(10);
is_deeply [ $c->read_replies(9) ], [ $mail, ($ok) x 8 ], 'until all are through';
is scalar(split / /, asked()), 2, 'each of the others was asked about once';

unheld();
$c->pipeline(rcpts(map { "n$_" } 9 .. 103));
is_deeply [ $c->read_replies(95) ], [ ($ok) x 92,
    ('452 4.5.3 Too many recipients') x 3 ], 'above smtp_max_recipients';
is scalar(split / /, asked()), 92, 'nobody is asked about';

hold();
$c = $t->connected('one');
$c->pipeline($from, rcpts(qw/ a b c /));
held(1, 'one at a time');
is asked(), 'a', 'with smtp_hook_concurrency 1';
$http->release();
held(1, 'the next');
is asked(), 'a a,b', 'is told of the one before';
unheld();
$http->release();
is_deeply [ $c->read_replies(4) ], [ $mail, ($ok) x 3 ], 'in turn';


# with a cache

unheld();
$c = $t->connected('cache');
$c->pipeline($from, rcpts(qw/ a no b more /));
is_deeply [ $c->read_replies(5) ], [ $mail, $ok, '550 5.1.1 nobody', $ok, $ok ],
   'answers that are kept';
$c->cmd('RSET');
unheld();
$c->pipeline($from, rcpts(qw/ a no b more /));
is_deeply [ $c->read_replies(5) ],
          [ $mail, $ok, '550 5.1.1 nobody', ($ok) x 2 ],
   'have the same effect in a batch';
is asked(), '', 'without a question';


# an auth service that is asked about recipients has the first say

hold();
$c = $t->connected('auth');
$c->pipeline($from, rcpts(qw/ a b /));
held(1, 'the auth service');
is((($http->requests())[-1])->{path}, '/auth', 'is asked');
$http->set(fault => []);
$http->release();
is_deeply [ $c->read_replies(3) ], [ $mail, ($ok) x 2 ], 'and then the hook';
is asked('/hook'), 'a a,b', 'about one after the other';


# those who go

my $closed = $http->closed();

unheld();
$c = $t->connected('smtp');
$c->pipeline($from, rcpts(qw/ leave stay stay /));
ok $http->wait_requests($before + 3), 'three are asked about';
$http->release();
$held++;
is_deeply [ $c->read_replies(2) ], [ $mail, '554 5.0.0 out' ],
   'the first answer closes the connection';
ok $c->eof(), 'at once';
ok $http->wait_closed($closed + 2),
   'what was asked about the others is given up';

$closed = $http->closed();

hold();
$c = $t->connected('smtp');
$c->pipeline($from, rcpts(qw/ a b c d /));
held(4, 'four');
$c->reset();
ok $http->wait_closed($closed + 4),
   'a client that resets its connection ends all requests';

# ... at once: the worker learns of it with what it asks about

my $worker = $t->worker_pid();

sub resets { scalar(() = $t->read_file('error.log')
                         =~ /client connection failed/g) }

my $resets = resets();

hold();
$c = $t->connected('smtp');
kill 'STOP', $worker;
$c->pipeline($from, rcpts(qw/ a b c d /));
$c->reset();
kill 'CONT', $worker;
ok poll(sub { resets() > $resets }, 8), 'also one that does so before';

unheld();
$c = $t->connected('smtp');
$c->pipeline($from, rcpts(qw/ a b /), 'RSET', $from, rcpts(qw/ c /), 'QUIT');
is_deeply [ $c->read_replies(7) ], [ $mail, $ok, $ok, '250 2.0.0 OK', $mail,
    $ok, '221 2.0.0 Bye' ], 'RSET inside a batch';
is asked(), 'a b c', 'is the end of what is read ahead';


# however it is cut

my $text = join '', map { "$_\r\n" } $from, rcpts(qw/ a no b u@else.example /),
                'RCPT TO:<bad', rcpts(qw/ later /), 'QUIT';
my %seen;

for my $at (map { $_ * 9 } 1 .. length($text) / 9) {
    $c = $t->connected('two');
    $c->send_raw(substr $text, 0, $at);
    $c->send_raw(substr $text, $at);
    $seen{join ' / ', $c->read_replies(8)}++;
    $c->eof();
}

is_deeply [ keys %seen ], [ join ' / ', $mail, $ok, '550 5.1.1 nobody', $ok,
    $denied, '501 5.1.3 Bad recipient address syntax',
    '451 4.7.1 Not now, try again later', '221 2.0.0 Bye' ],
   'the replies are the same wherever the batch is cut';

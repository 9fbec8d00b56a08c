#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The test library by itself: its ends talk to each other, without nginx.

use warnings;
use strict;

use Test::More tests => 108;
use Time::HiRes qw/ time /;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new();
my ($c, $s, @m);

$t->certificate('localhost');

my %tls = (cert => $t->testdir() . '/localhost.crt',
           key => $t->testdir() . '/localhost.key');

# ports

cmp_ok $t->port('a'), '==', $t->port('a'), 'a name has one port';
cmp_ok $t->port('a'), '!=', $t->port('b'), 'another name another port';

# a plain conversation

$s = $t->server('smtp', ehlo => [ 'PIPELINING', 'CHUNKING', 'SIZE 1000' ]);
$c = $t->client('smtp');

like $c->read_reply(), qr/^220 /, 'greeting';
is $c->ehlo('me')->{SIZE}, 1000, 'extension with a parameter';
ok exists $c->{ehlo}{CHUNKING}, 'extension without';
is $c->last_reply(), "250-server.example.net\n250-PIPELINING\n250-CHUNKING\n"
    . '250 SIZE 1000', 'reply of many lines';
like $c->send_message(from => 'a@b', to => [ 'c@d', 'e@f' ],
                      data => ".one\r\n..\r\nend.\r\n"),
     qr/^250 2\.0\.0 taken/, 'message';

ok $s->wait_messages(1), 'message is recorded';
@m = $s->messages();
is $m[0]{from}, 'a@b', 'sender';
is_deeply $m[0]{to}, [ 'c@d', 'e@f' ], 'recipients';
is $m[0]{data}, ".one\r\n..\r\nend.\r\n", 'data, dots as they were';
is_deeply $m[0]{commands}, [ 'EHLO me', 'MAIL FROM:<a@b>', 'RCPT TO:<c@d>',
                             'RCPT TO:<e@f>', 'DATA' ], 'commands';

# an answer that is held back

$s->set(fault => { at => 'NOOP', do => 'hold' });
$c->send_line('NOOP');
ok $s->wait_held(1), 'an answer is held back';
$s->set(fault => undef);
$s->release();
like $c->read_reply(), qr/^250 /, 'until it is let go of';

# what ends a message

$c->pipeline('MAIL FROM:<>', 'RCPT TO:<x@y>', 'DATA');
is join('|', map { substr $_, 0, 3 } $c->read_replies(3)), '250|250|354',
   'pipeline';
$c->send_raw("one\n.\nRSET\r\n\n.\r\n.\nNOOP\r\n.\r");
$c->send_raw("\nNOOP\r\n");
is join('|', map { substr $_, 0, 3 } $c->read_replies(2)), '250|250',
   'end of data in two parts';
@m = $s->messages();
is $m[1]{data}, "one\n.\nRSET\r\n\n.\r\n\nNOOP\r\n",
   'only <CRLF>.<CRLF> ends a message';
is +($s->commands())[-1], 'NOOP', 'command after the end';

$c->mail('a@b');
$c->rcpt('c@d');
$c->cmd('DATA');
is substr($c->cmd('.'), 0, 3), '250', 'empty message';
is +($s->messages())[-1]{data}, '', 'empty message is recorded';

$c->mail('a@b');
$c->rcpt('c@d');
like $c->bdat("one\r\n.\r\n"), qr/^250/, 'chunk';
like $c->bdat('two', 1), qr/^250/, 'last chunk';
is +($s->messages())[-1]{data}, "one\r\n.\r\ntwo", 'chunks';

$c->dialogue('dialogue',
    [ 'NOOP' => qr/^250/ ],
    [ \"NOOP\r\nNOOP\r\n" => qr/^250/ ],
    [ undef, qr/^250/ ],
    [ 'QUIT' => '221 2.0.0 bye' ],
);
ok $c->eof(), 'closed';
like $c->transcript(), qr/^S: 220 .*^C: EHLO me\nS: 250-.*C: QUIT\nS: 221/ms,
     'transcript of the client';
like $s->transcript(1), qr/^S: 220 .*^C: EHLO me\nS: 250-.*C: QUIT\n/ms,
     'transcript of the server';
is $c->read_reply(), '(closed)', 'no reply after the end';
ok $s->wait_closed(1), 'server saw the end';

# scripted replies, changes under way

$s = $t->server('unix:s.sock', on => {
    CONNECT => "220-one\n220 two",
    MAIL => [ '451 4.3.0 no', undef ],
    RCPT => sub { $_[0] =~ /bad/ ? "550 5.1.1 no $_[1]" : undef },
});
$c = $t->client('unix:s.sock');
is $c->read_reply(), "220-one\n220 two", 'greeting of two lines';
$c->cmd('EHLO me');
like $c->mail('a@b'), qr/^451/, 'first of a list';
like $c->mail('a@b'), qr/^250/, 'default of a list';
like $c->rcpt('good@d'), qr/^250/, 'sub, default';
is $c->rcpt('bad@d'), '550 5.1.1 no 2', 'sub';
$s->set(on => { RCPT => '452 4.5.3 full' });
like $c->rcpt('good@d'), qr/^452/, 'reply changed';
is_deeply $c->data("x\r\n"), '250 2.0.0 taken', 'accepted recipient stands';
is_deeply +($s->messages())[0]{to}, [ 'good@d' ], 'refused one is left out';

# LMTP, PROXY, AUTH

$s = $t->server('lmtp', lmtp => 1, proxy => 1, auth => { joe => 'pw' },
                on => { EOM => [ '250 one', '450 two' ] });
$c = $t->client('lmtp', proxy => "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n");
$c->read_reply();
like $c->cmd('LHLO me'), qr/AUTH PLAIN/, 'LHLO';
is join(',', $s->proxies()), 'PROXY TCP4 1.2.3.4 5.6.7.8 1 2', 'PROXY header';
like $c->auth_plain('joe', 'no'), qr/^535/, 'wrong password';
like $c->auth_plain('joe', 'pw'), qr/^235/, 'AUTH PLAIN';
like $c->auth_login('joe', 'pw'), qr/^235/, 'AUTH LOGIN';
is $c->send_message(to => [ 'a@b', 'c@d' ]), '250 one', 'LMTP, first';
is $c->read_reply(), '450 two', 'LMTP, second';
is +($s->messages())[0]{auth}, 'joe', 'who it was';

# TLS

$s = $t->server('tls', starttls => \%tls);
$c = $t->client('tls');
$c->read_reply();
ok exists $c->ehlo()->{STARTTLS}, 'STARTTLS is announced';
like $c->starttls(), qr/^220/, 'STARTTLS';
ok !exists $c->ehlo()->{STARTTLS}, 'not again';
like $c->send_message(data => 'x' x 300_000), qr/^250/, 'message over TLS';
is +($s->messages())[0]{size}, 300_002, 'big message, ended by a line end';
is +($s->messages())[0]{tls}, 1, 'TLS is recorded';
$c->close();
ok $s->wait_closed(), 'TLS client has closed';

$s = $t->server('smtps', ssl => \%tls);
$c = $t->client('smtps', ssl => 1);
$c->dialogue('implicit TLS', [ undef, qr/^220/ ], [ 'QUIT', qr/^221/ ]);
ok $c->eof(), 'TLS server has closed';

# faults

for my $case (
    [ close => '(closed)' ],
    [ reset => '(reset)' ],
    [ half => qr/^250 .*\(closed\)$/ ],
    [ garbage => qr/garbage/ ],
    [ drip => qr/^250 2\.1\.0 sender ok$/ ],
    [ twice => qr/^250/ ],
    [ answer_close => qr/^250/ ],
    [ answer_reset => qr/^250/ ],
    [ late => qr/^250 2\.1\.0 sender ok$/ ],
    [ sip => '(timeout)' ],
    [ stall => '(timeout)' ],
    [ silent => '(timeout)' ],
) {
    my ($do, $expected) = @$case;

    my $f = $t->server("f_$do", fault => { at => 'MAIL', do => $do, n => 1,
                                           seconds => 0.1 });
    my $timeout = $expected eq '(timeout)' ? 0.3 : 8;

    $c = $t->client("f_$do", timeout => $timeout);
    $c->read_reply();
    $c->cmd('EHLO me');

    my $reply = $c->mail('a@b');

    $do eq 'garbage' && $c->read_reply();
    ref $expected ? like $reply, $expected, "fault: $do"
                  : is $reply, $expected, "fault: $do";
}

$s = $t->server('f_early', fault => { at => 'EOM', do => 'early' });
$c = $t->client('f_early');
$c->read_reply();
$c->cmd($_) for 'EHLO me', 'MAIL FROM:<>', 'RCPT TO:<a@b>', 'DATA';
$c->send_raw("line\r\n");
like $c->read_reply(), qr/^451/, 'fault: early';

# a server that goes, and comes back

$s->stop();
ok !eval { $t->client('f_early') }, 'nobody listens';
$s->start();
like $t->client('f_early')->read_reply(), qr/^220/, 'the same port again';

# other faults

$s = $t->server('f_endless', fault => { at => 'MAIL', do => 'endless' });
$c = $t->client('f_endless');
$c->read_reply();
$c->ehlo();
$c->send_line('MAIL FROM:<a@b>');
is length $c->read_bytes(3_000_000), 3_000_000, 'fault: endless';
$c->close();
ok $s->wait_closed(), 'until the other side closes';

$s = $t->server('f_hold', fault => { at => 'MAIL', do => 'answer_hold' });
$c = $t->client('f_hold');
$c->read_reply();
$c->ehlo();
like $c->mail('a@b'), qr/^250/, 'fault: answer_hold';
ok $s->wait_held(1), 'the rest is held back';
$s->release();
ok $c->eof(), 'it was to close';

$s = $t->server('f_body', fault => { at => 'BODY', do => 'answer_close' },
                on => { BODY => '452 4.3.1 full' });
$c = $t->client('f_body');
$c->read_reply();
$c->cmd($_) for 'EHLO me', 'MAIL FROM:<>', 'RCPT TO:<a@b>', 'DATA';
$c->send_raw("line\r\n");
is $c->read_reply(), '452 4.3.1 full', 'a fault in the middle of data';

# rows of a table: other addresses

$s = $t->server('f_rows', rows => {
    '127.0.7.1' => { fault => { at => 'MAIL', do => 'close', n => 2 } },
    '127.0.7.2' => { on => { MAIL => [ '450 one', '451 two' ] } },
});

for my $case ([ '127.0.0.1', '250 2.1.0 sender ok', '503 5.5.1 nested MAIL' ],
              [ '127.0.7.1', '250 2.1.0 sender ok', '(closed)' ],
              [ '127.0.7.2', '450 one', '451 two' ])
{
    my ($address, @expected) = @$case;

    $c = $t->client("$address:f_rows");
    $c->read_reply();
    $c->ehlo();
    is_deeply [ map { $c->mail('a@b') } 1 .. 2 ], \@expected,
       "a row at $address";
}

is_deeply [ map { $_->{row} } $s->events('connect') ],
    [ undef, '127.0.7.1', '127.0.7.2' ], 'who came where is known';

# bounds

my $start = time();
is $t->client('smtp')->{last}, '', 'no reply was read';
ok !$t->server('idle')->wait_messages(1, 0.2), 'wait is bounded';
cmp_ok time() - $start, '<', scaled(5), 'and short';

# HTTP

my $h = $t->http('http', on => {
    '/auth' => { headers => { 'Auth-Status' => 'OK' } },
    '/text' => 'hello',
    '/list' => [ { status => 500 }, 'fine' ],
    '/chunked' => sub { { chunked => 1, body => "got $_[0]{body}, $_[1]" } },
});

sub http {
    my ($port, $request) = @_;

    my $socket = $t->client($port);

    $socket->send_raw($request);

    my $head = '';
    my $line;

    do { $head .= ($line = $socket->read_line()) . "\n" } until $line eq '';
    $head .= $socket->read_bytes($1) if $head =~ /Content-Length: (\d+)/;

    return wantarray ? ($head, $socket) : $head;
}

like http('http', "GET /auth?x HTTP/1.1\r\nX-A: 1\r\nX-A: 2\r\n\r\n"),
     qr!^HTTP/1\.1 200 OK\nAuth-Status: OK\nContent-Length: 0\n!, 'HTTP';
is_deeply [ map { "$_->{method} $_->{path} $_->{headers}{'x-a'}" }
            $h->requests() ], [ 'GET /auth 1, 2' ], 'request';
like http('http', "GET /text HTTP/1.1\r\n\r\n"), qr/\n\nhello$/, 'text';
like http('http', "GET /list HTTP/1.1\r\n\r\n"), qr/ 500 /, 'first answer';
like http('http', "GET /list HTTP/1.1\r\n\r\n"), qr/fine/, 'second answer';
like http('http', "GET /no HTTP/1.1\r\n\r\n"), qr/ 404 /, 'no such path';

my ($head, $socket) = http('http', "POST /chunked HTTP/1.1\r\n"
    . "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n");
my $chunk = "7\r\ngot abc\r\n5\r\nde, 1\r\n0\r\n\r\n";
is $socket->read_bytes(length $chunk), $chunk, 'chunks both ways';
is $h->requests('/chunked'), 1, 'requests by path';

$h = $t->http('http2', auth => { joe => 'p w' }, auth_server => '127.0.0.1:25');
like http('http2', "GET /auth HTTP/1.0\r\nAuth-User: joe\r\n"
          . "Auth-Pass: p%20w\r\n\r\n"),
     qr/Auth-Status: OK\nAuth-Server: 127\.0\.0\.1\nAuth-Port: 25\n/,
     'auth_http';
like http('http2', "GET /auth HTTP/1.0\r\nAuth-User: joe\r\n\r\n"),
     qr/Auth-Status: Invalid/, 'auth_http, refused';

# DNS

my $d = $t->dns('dns', zone => {
    'a.example.com' => { A => [ '127.0.0.1', '127.0.0.2' ] },
    '127.0.0.9' => { PTR => 'nine.example.com' },
});
my $udp = IO::Socket::INET->new(Proto => 'udp', PeerAddr => '127.0.0.1',
                                PeerPort => $t->port('dns'));

sub dns {
    my ($name, $type) = @_;

    send $udp, pack('n6', 7, 0x100, 1, 0, 0, 0)
        . join('', map { chr(length $_) . $_ } split /\./, $name)
        . pack('Cnn', 0, $type, 1), 0;

    my $r = '';
    vec($r, fileno $udp, 1) = 1;
    select $r, undef, undef, 5 or return '';
    recv $udp, my $answer, 1000, 0;

    return $answer;
}

my $answer = dns('a.example.com', 1);
is join(',', unpack 'n4', $answer), '7,33152,1,2', 'two addresses';
is substr($answer, -4), "\x7f\0\0\x02", 'the second';
is +(unpack 'n4', dns('b.example.com', 1))[1] & 15, 3, 'no such name';
like dns('9.0.0.127.in-addr.arpa', 12), qr/nine\x07example\x03com\0$/, 'PTR';
is +($d->queries())[0], 'a.example.com A', 'queries';

# secrets

my %forms = map { $_ => 1 } Test::Nginx::SmtpExt::_forms('s3cret/word');
is +(grep { index($_, 's3cret%2Fword') >= 0 } keys %forms), 1, 'encoded form';

require MIME::Base64;

for my $user ('', 'a', 'ab') {
    my $text = MIME::Base64::encode_base64("\0$user\0s3cret/word\0x", '');

    ok +(grep { index($text, $_) >= 0 } keys %forms),
       'found in base64 after ' . (2 + length $user);
}

# the client's part of SASL, by the examples of RFC 2195, 2, RFC 5802, 5, and
# RFC 7677, 3

require Test::Nginx::SmtpExt::Sasl;
Test::Nginx::SmtpExt::Sasl->import(qw/ hmac_md5 scram scram_keys unb64 b64 /);

is hmac_md5('tanstaaftanstaaf',
            '<1896.697170952@postoffice.reston.mci.net>'),
   'b913a602c7eda7a495b4e6e7334d3890', 'CRAM-MD5';

{
    package Local::Scripted;

    sub cmd {
        my ($self, $line) = @_;

        push @{$self->{said}}, $line;
        return shift @{$self->{replies}};
    }
}

sub played {
    my ($mech, $nonce, @server) = @_;

    my $scripted = bless {
        replies => [ (map { '334 ' . b64($_) } @server), '235' ],
    }, 'Local::Scripted';

    my $r = scram($scripted, $mech, user => 'user', password => 'pencil',
                  nonce => $nonce);

    return (@$r{qw/ reply verified /},
            map { unb64(s/.* //r) } @{$scripted->{said}});
}

is_deeply [ played('SCRAM-SHA-1', 'fyko+d2lbbFgONRv9qkxdawL',
    'r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096',
    'v=rmF9pqV8S7suAoZWja4dJRkFsKQ=') ],
    [ '235', 1, 'n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL',
      'c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,'
      . 'p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=', '' ], 'SCRAM-SHA-1';

my $nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';

is_deeply [ played('SCRAM-SHA-256', 'rOprNGfwEbeRWgbNEkqO',
    "r=$nonce,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=') ],
    [ '235', 1, 'n,,n=user,r=rOprNGfwEbeRWgbNEkqO',
      "c=biws,r=$nonce,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", '' ],
    'SCRAM-SHA-256';

is +(played('SCRAM-SHA-256', 'rOprNGfwEbeRWgbNEkqO',
    "r=$nonce,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    'v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4='))[1], '',
    'a server that does not know the user';
like +(played('SCRAM-SHA-256', 'rOprNGfwEbeRWgbNEkqO',
    "r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"))[0], qr/nonce/,
    'a server that plays back';

my $keys = scram_keys('SCRAM-SHA-256', 'pencil',
                      salt => unb64('W22ZaJ0SNY7soEsUEjb6gQ=='));

is $keys->{stored}, 'WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=',
   'StoredKey';
is $keys->{server}, 'wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
   'ServerKey';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Recipients of clients without a login: the auth service is asked about each,
# as nginx asks with "smtp_auth none" about the first; it says whether and
# where to.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ time /;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(64);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name        mx.example.com;
    smtp_auth_http     http://127.0.0.1:%%PORT_http%%/auth;
    smtp_max_errors    100;
    smtp_http_breaker  off;

    smtp_auth_require_tls  off;
    smtp_auth_rcpt         on;
    smtp_auth_route        smtp://127.0.0.1:%%PORT_two%% discard:;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;

        smtp_recipient  @local.example {
            smtp_pass  127.0.0.1:%%PORT_one%%;
        }
    }

    server {
        listen     127.0.0.1:%%PORT_pass%%;
        protocol   smtp_ext;
        smtp_pass  127.0.0.1:%%PORT_one%%;
    }

    server {
        listen           127.0.0.1:%%PORT_trusted%%;
        protocol         smtp_ext;
        smtp_pass        127.0.0.1:%%PORT_one%%;
        smtp_relay_from  127.0.0.1;
    }

    server {
        listen           127.0.0.1:%%PORT_kept%%;
        protocol         smtp_ext;
        smtp_auth_cache  zone=kept:1m;
    }

    server {
        listen          127.0.0.1:%%PORT_off%%;
        protocol        smtp_ext;
        smtp_pass       127.0.0.1:%%PORT_one%%;
        smtp_auth_rcpt  off;
    }
}
EOC

my @one = ('Auth-Server' => '127.0.0.1', 'Auth-Port' => $t->port('one'));
my @two = ('Auth-Server' => '127.0.0.1', 'Auth-Port' => $t->port('two'));

# who gets what; a login is always good

my %answers = (
    'one@example.com' => [ 'Auth-Status' => 'OK', @one ],
    'one2@example.com' => [ 'Auth-Status' => 'OK', @one ],
    'two@example.com' => [ 'Auth-Status' => 'OK', @two ],
    'here@example.com' => [ 'Auth-Status' => 'OK' ],
    'here@local.example' => [ 'Auth-Status' => 'OK' ],
    'elsewhere@local.example' => [ 'Auth-Status' => 'OK', @two ],
    'routed@example.com' => [ 'Auth-Status' => 'OK', 'Auth-Route' =>
                              'smtp://127.0.0.1:' . $t->port('two') ],
    'short@example.com' => [ 'Auth-Status' => 'OK', @one, 'Auth-Route' =>
                             '127.0.0.1:' . $t->port('two') ],
    'nowhere@example.com' => [ 'Auth-Status' => 'OK',
                               'Auth-Route' => 'discard:' ],
    'wrong@example.com' => [ 'Auth-Status' => 'OK', 'Auth-Route' =>
                             '127.0.0.1:' . $t->port('one') ],
    'later@example.com' => [ 'Auth-Status' => 'Greylisted',
                             'Auth-Error-Code' => '450 4.7.1' ],
    'slow@example.com' => [ 'Auth-Status' => 'Tarpit', 'Auth-Wait' => 1 ],
    'bye@example.com' => [ 'Auth-Status' => 'Go away',
                           'Auth-Error-Code' => '421 4.7.0' ],
    'broken@example.com' => [ 'X-Other' => 'x' ],
);

my $http = $t->http('http', default => sub {
    my ($r) = @_;
    my $h = $r->{headers};

    return { headers => [ 'Auth-Status' => 'OK' ] }
        if $h->{'auth-method'} ne 'none';

    my ($to) = $h->{'auth-smtp-to'} =~ /^RCPT TO:<(.*)>\z/;

    return { headers => $answers{$to}
                        || [ 'Auth-Status' => 'No such user' ] };
});

my %mta = map { $_ => scalar $t->server($_) } qw/ one two /;
my $rcpt_ok = '250 2.1.5 OK';

sub connected {
    my ($name) = @_;

    my $c = $t->client($name || 'smtp');

    $c->read_reply();
    $c->ehlo('client.example.net');

    return $c;
}

# where messages went since the last call

my %seen = (one => 0, two => 0);

sub went {
    my %now = map { $_ => scalar(() = $mta{$_}->messages()) } keys %mta;
    my %new = map { $_ => [ map { join ',', @{$_->{to}} }
                            ($mta{$_}->messages())[$seen{$_} .. $now{$_} - 1]
                          ] } keys %mta;

    %seen = %now;

    return join '; ', map { "$_: @{$new{$_}}" } grep { @{$new{$_}} }
                      sort keys %new;
}

sub asked { scalar(() = $http->requests()) }


# the request

my $c = connected();

$c->mail('sender@example.net', 'SIZE=100');
like $c->rcpt('one@example.com'), qr/^250 /, 'a recipient that may';

is +($http->requests())[-1]{raw} =~ s/\r//gr, <<"EOF", 'the request';
GET /auth HTTP/1.1
Host: 127.0.0.1:${\ $t->port('http')}
Auth-Method: none
Auth-User:${\ ' '}
Auth-Pass:${\ ' '}
Auth-Protocol: smtp
Auth-Login-Attempt: 0
Client-IP: 127.0.0.1
Client-Host: [UNAVAILABLE]
Auth-SMTP-Helo: client.example.net
Auth-SMTP-From: MAIL FROM:<sender\@example.net>
Auth-SMTP-To: RCPT TO:<one\@example.com>

EOF

# each recipient is asked about

my $asked = asked();

is $c->rcpt('nobody@example.com'), '550 5.7.1 No such user', 'one that not';
like $c->rcpt('one2@example.com'), qr/^250 /, 'another one that may';
is asked(), $asked + 2, 'each is asked about';
like $c->data("Subject: x\r\n\r\nx\r\n"), qr/^250 /, 'the message';
is went(), 'one: one@example.com,one2@example.com',
   'goes to the server of both, at once';

$c->mail('sender@example.net');
is $c->rcpt('nobody@example.com'), '550 5.7.1 No such user',
   'in the next transaction as well';
like $c->rcpt('two@example.com'), qr/^250 /, 'and another server';
like $c->data("Subject: x\r\n\r\nx\r\n"), qr/^250 /, 'gets the message';
is went(), 'two: two@example.com', 'it alone';

# two servers in a transaction are two destinations

$c->mail('sender@example.net');
like $c->rcpt('one@example.com'), qr/^250 /, 'one server';
like $c->rcpt('two@example.com'), qr/^(?:250|452) /, 'and another';
$c->cmd('RSET');

# in a group, replies keep their order

$c->pipeline('MAIL FROM:<a@b.example>', 'RCPT TO:<one@example.com>',
             'RCPT TO:<nobody@example.com>', 'RCPT TO:<one2@example.com>',
             'RSET');
is join(' ', map { substr $_, 0, 3 } $c->read_replies(5)),
   '250 250 550 250 250', 'pipelined';

# without a server the configuration knows

like $c->send_message(to => 'here@local.example'), qr/^250 /,
     'a rule of the configuration';
is went(), 'one: here@local.example', 'says where to';
like $c->send_message(to => 'elsewhere@local.example'), qr/^250 /,
     'a server that the service named';
is went(), 'two: elsewhere@local.example', 'goes before a rule';
is $c->send_message(to => 'here@example.com'), '550 5.7.1 Relaying denied',
   'where nothing says where to, nobody is accepted';
$c->cmd('RSET');

$c = connected('pass');
like $c->send_message(to => 'here@example.com'), qr/^250 /, 'smtp_pass';
is went(), 'one: here@example.com', 'is for who the service lets in';
is $c->send_message(to => 'nobody@example.com'), '550 5.7.1 No such user',
   'and for nobody else';
$c->cmd('RSET');

# Auth-Route

like $c->send_message(to => 'routed@example.com'), qr/^250 /, 'a route';
is went(), 'two: routed@example.com', 'leads there';
like $c->send_message(to => 'short@example.com'), qr/^250 /,
     'written in short, beside a server';
is went(), 'two: short@example.com', 'leads there as well';
like $c->send_message(to => 'nowhere@example.com'), qr/^250 /,
     'a route to nowhere';
is went(), '', 'leads there, too';
is $c->send_message(to => 'wrong@example.com'),
   "451 4.4.3 Recipient can't be checked now, try again later",
   'a route that the configuration does not allow';
$c->cmd('RSET');
ok $t->wait_log(qr/"Auth-Route" is not in "smtp_auth_route"/),
   'which is in the log';

# other answers

is $c->send_message(to => 'later@example.com'), '450 4.7.1 Greylisted',
   'a code';
$c->cmd('RSET');
is $c->send_message(to => 'broken@example.com'),
   "451 4.4.3 Recipient can't be checked now, try again later",
   'an answer that is none';
$c->cmd('RSET');

my $start = time();
is $c->send_message(to => 'slow@example.com'), '550 5.7.1 Tarpit', 'a delay';
cmp_ok time() - $start, '>=', 0.9, 'as long as it should be';
$c->cmd('RSET');

is $c->send_message(to => 'bye@example.com'), '421 4.7.0 Go away', 'code 421';
ok $c->eof(), 'closes';

# the client leaves while it waits

$c = connected();
$c->mail('a@b.example');
$asked = asked();
$c->send_line('RCPT TO:<slow@example.com>');
$http->wait_requests($asked + 1);
$c->reset();

# addresses that could be more than addresses

$c = connected();
$c->mail('"a> b: %0d"@example.net');
$c->rcpt('"x> y%"@example.com');
is join('|', map { ($http->requests())[-1]{headers}{"auth-smtp-$_"} }
                 qw/ from to /),
   'MAIL FROM:<"a> b: %0d"@example.net>|RCPT TO:<"x> y%"@example.com>',
   'quoted addresses';

# whom it is not for

$asked = asked();

$c = connected('trusted');
like $c->send_message(to => 'nobody@example.com'), qr/^250 /,
     'smtp_relay_from does without';
$c = connected('off');
is $c->send_message(to => 'one@example.com'), '550 5.7.1 Relaying denied',
   'off is off';
is asked(), $asked, 'nobody was asked';

$c = connected('pass');
is $c->auth_plain('user', 'pass'), '235 2.7.0 Authentication succeeded',
   'a login';
$asked = asked();
like $c->send_message(to => 'nobody@example.com'), qr/^250 /,
     'does without, too';
is asked(), $asked, 'nobody was asked then';

# answers that are kept

went();

sub kept {
    my ($c, $to, $reply, $n, $name) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $before = asked();

    is substr($c->rcpt($to), 0, 3), $reply, $name;
    is asked() - $before, $n, $n ? 'asked' : 'not asked';
}

$c = connected('kept');
$c->mail('a@example.net');
kept($c, 'two@example.com', 250, 1, 'a recipient');
kept($c, 'nobody@example.com', 550, 1, 'one that not');
kept($c, 'later@example.com', 450, 1, 'one that not now');
$c->cmd('RSET');

$c = connected('kept');
$c->mail('a@example.net');
kept($c, 'two@example.com', 250, 0, 'it is kept');
kept($c, 'nobody@example.com', 550, 0, 'so is the other');
kept($c, 'later@example.com', 450, 1, 'but not that one');
like $c->data("Subject: x\r\n\r\nx\r\n"), qr/^250 /, 'the message';
is went(), 'two: two@example.com', 'goes where it was said';

$c->mail('b@example.net');
kept($c, 'two@example.com', 250, 1, 'another sender');
$c->cmd('RSET');

$c = $t->client('kept');
$c->read_reply();
$c->ehlo('other.example.net');
$c->mail('a@example.net');
kept($c, 'two@example.com', 250, 1, 'another name');

$c->cmd('RSET');
$c->mail('a@example.net');
$c->rcpt('routed@example.com');
$c->cmd('RSET');
$c->mail('a@example.net');
kept($c, 'routed@example.com', 250, 0, 'a route is kept');

# no service

$http->stop();
$c = connected('pass');
is $c->send_message(to => 'one@example.com'),
   "451 4.4.3 Recipient can't be checked now, try again later",
   'the service is not there';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Answers of hooks about recipients that are kept: what they depend on, for
# how long, and which of them are not.

use warnings;
use strict;

use JSON::PP qw/ encode_json /;
use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new(workers => 2);
my $ms = scaled(300);

$t->plan(55);

$t->write_conf(<<"EOC")->run();
%%GLOBALS%%

events { }

mail {
    server_name        mx.example.com;
    smtp_max_errors    100000;
    smtp_max_messages  0;
    smtp_max_commands  0;
    smtp_max_idle_commands  0;
    smtp_http_breaker  off;
    smtp_auth_http     http://127.0.0.1:%%PORT_http%%/auth;
    smtp_auth_require_tls  off;
    smtp_recipient     \@a.example { smtp_pass discard:; }
    smtp_max_refused_recipients  0;

    server {
        listen         127.0.0.1:%%PORT_all%%;
        protocol       smtp_ext;
        smtp_hook      http://127.0.0.1:%%PORT_http%%/all stages=mail,rcpt
                       cache=answers:1m;
        smtp_hook_route  discard:;
        set_real_ip_from  127.0.0.1;
        smtp_xclient_from 127.0.0.1;
    }

    server {
        listen         127.0.0.1:%%PORT_one%%;
        protocol       smtp_ext;
        smtp_hook      http://127.0.0.1:%%PORT_http%%/one stages=rcpt
                       cache=answers cache_by=recipient;
        smtp_hook      http://127.0.0.1:%%PORT_http%%/two stages=rcpt
                       cache=answers cache_by=recipient;
    }

    server {
        listen         127.0.0.1:%%PORT_small%%;
        protocol       smtp_ext;
        smtp_hook      http://127.0.0.1:%%PORT_http%%/small stages=rcpt
                       cache=small:32k cache_by=recipient;
    }

    server {
        listen         127.0.0.1:%%PORT_short%%;
        protocol       smtp_ext;
        smtp_hook      http://127.0.0.1:%%PORT_http%%/short stages=rcpt
                       cache=answers cache_valid=${ms}ms;
    }
}
EOC

my $accept = '{"action":"accept"}';
my $ok = '250 2.1.5 Recipient OK';
my $failed = '451 4.3.0 Local error in processing';
my $http = $t->http('http', on => { '/auth' => { headers =>
                                                 [ 'Auth-Status' => 'OK' ] } },
                    hooks => {});

sub hook { $http->set(hooks => { rcpt => $_[0] }) }
sub asked { scalar(() = $http->requests("/$_[0]")) }

sub connected {
    my ($name, $from) = @_;

    my $c = $t->client($name);

    $c->read_reply();
    $c->ehlo();
    $c->mail($from) if defined $from;

    return $c;
}

# what a recipient is told, and whether the hook was asked

sub told {
    my ($c, $name, $to, $reply, $asked, $what) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    my $before = asked($name);

    is $c->rcpt($to), $reply, $what;
    is asked($name) - $before, $asked, $asked ? 'asked' : 'not asked';
}

hook($accept);

my $c = connected('all', 's@x.example');

told($c, 'all', 'u@a.example', $ok, 1, 'the first time');
told($c, 'all', 'u@a.example', $ok, 0, 'again');

# each of them may be in another worker

told(connected('all', 's@x.example'), 'all', 'u@a.example', $ok, 0,
     "session $_") for 1 .. 4;

told(connected('all', 't@x.example'), 'all', 'u@a.example', $ok, 1,
     'another sender');
told($c, 'all', 'v@a.example', $ok, 1, 'another recipient');

$c = connected('all');
$c->cmd('XCLIENT ADDR=192.0.2.1');
$c->ehlo();
$c->mail('s@x.example');
told($c, 'all', 'u@a.example', $ok, 1, 'another client');
told($c, 'all', 'u@a.example', $ok, 0, 'and again');

$c = connected('all');
$c->auth_plain('user', 'pass');
$c->mail('s@x.example');
told($c, 'all', 'u@a.example', $ok, 1, 'another login');

my $stages = () = grep { $_->{body} =~ /"stage":"mail"/ }
                       $http->requests('/all');
is $stages, 8, 'at MAIL it is always asked';

# refusals, and what comes with an answer

hook(encode_json({ action => 'reject', response => {
                       status => 550, enhancedStatus => '5.1.1',
                       message => 'nobody' } }));
told($c, 'all', 'no@a.example', '550 5.1.1 nobody', 1, 'refused');
told($c, 'all', 'no@a.example', '550 5.1.1 nobody', 0, 'and again');

hook(encode_json({ action => 'accept', route => [ { pass => 'discard:' } ] }));
told($c, 'all', 'r@else.example', $ok, 1, 'routed');
told($c, 'all', 'r@else.example', $ok, 0, 'and again');

hook(encode_json({ action => 'tempfail' }));
told($c, 'all', 'later@a.example', '451 4.7.1 Not now, try again later', 1,
     'a refusal for now') for 1 .. 2;

hook('nonsense');
told($c, 'all', 'bad@a.example', $failed, 1, 'what is none') for 1 .. 2;

hook({ status => 500, body => $accept });
told($c, 'all', 'bad@a.example', $failed, 1, 'an error');

# Cache-Control

my $n = 0;

for my $try ([ 'no-store', 1 ], [ 'private', 1 ], [ 'max-age=0', 1 ],
             [ 'max-age=60', 0 ])
{
    my ($control, $again) = @$try;

    hook({ body => $accept, headers => { 'Cache-Control' => $control } });

    my $to = 'c' . $n++ . '@a.example';

    $c->rcpt($to);
    told($c, 'all', $to, $ok, $again, $control);
}

# by recipient alone, each hook by itself

hook($accept);
connected('one', 's@x.example')->rcpt('u@a.example');
my $before = asked('one') + asked('two');
is connected('one', 't@x.example')->rcpt('u@a.example'), $ok,
   'another sender, by recipient';
is asked('one') + asked('two'), $before, 'neither was asked';
is $before, 2, 'each had been';

# its time

$c = connected('short', 's@x.example');
$c->rcpt('u@a.example');
$before = asked('short');

my $end = time() + scaled(8);

until (asked('short') > $before || time() > $end) {
    $c->cmd('RSET');
    $c->mail('s@x.example');
    $c->rcpt('u@a.example');
}

is asked('short'), $before + 1, 'asked again when its time is over';

# a zone that is full: the oldest go

$c = connected('small', 's@x.example');
$c->rcpt("u$_\@a.example") for 1 .. 400;
$before = asked('small');
$c->rcpt('u400@a.example');
is asked('small'), $before, 'a zone that is full: the last one is there';
$c->rcpt('u1@a.example');
is asked('small'), $before + 1, 'the first is not';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Directives of hooks and of the HTTP client: what is taken, what is refused
# and why.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

my $url = 'http://127.0.0.1:8080/hook';

# what is taken

my @good = (
    "smtp_hook $url stages=rcpt;",
    "smtp_hook $url stages=connect,ehlo,auth,mail,rcpt,data;",
    "smtp_hook $url stages=data on_error=accept timeout=5s max_answer=1m;",
    "smtp_hook $url on_error=reject stages=rcpt;
     smtp_hook http://api?x stages=rcpt on_error=tempfail;",
    "smtp_hook $url stages=data body=none; smtp_hook $url stages=data
     body=headers oversize=omit; smtp_hook $url stages=data body=full
     max_body=10g oversize=reject;",
    "smtp_hook $url stages=rcpt cache=a:1m cache_valid=1h;
     smtp_hook $url stages=mail,rcpt cache=a cache_by=recipient;
     smtp_hook $url stages=rcpt cache=a cache_by=client,login,sender;",
    'smtp_hook_concurrency 1;',
    'smtp_hook_concurrency 100;',
    'smtp_hook_header X-A "b c"; smtp_hook_header X-B "";',
    'smtp_hook_route discard:; smtp_hook_route api smtp://127.0.0.1:25;',
    'smtp_http_breaker off;',
    'smtp_http_breaker fails=1;',
    'smtp_http_breaker fails=100 time=1h retry=1ms;',
    'smtp_http_buffer_size 512; smtp_http_timeout 1s;',
    'smtp_http_buffer_size 1m; smtp_http_connect_timeout 1s;
     smtp_http_send_timeout 1s; smtp_http_read_timeout 1s;',
);

# what is refused, and why

my @bad = (
    [ "smtp_hook $url;", 'invalid number of arguments' ],
    [ "smtp_hook $url on_error=accept;", 'has no "stages" parameter' ],
    (map { [ "smtp_hook $url $_;", "invalid parameter \"$_\"" ] }
         'stages=rcpt,', 'stages=,rcpt', 'stages=rcpt,rcpt',
         qw/ stages= stages=eom stages=RCPT on_error= on_error=ignore timeout=
             timeout=0 timeout=x max_answer= max_answer=0 max_answer=x
             stage=rcpt rcpt =rcpt body= body=all body=FULL max_body=
             max_body=0 max_body=x oversize= oversize=refuse cache_valid=
             cache_valid=0 cache_valid=x cache_by= cache_by=all /,
             'cache_by=client,', 'cache_by=client,client'),
    [ "smtp_hook $url stages=rcpt cache=;", 'invalid zone ""' ],
    [ "smtp_hook $url stages=rcpt cache=a;", '"a"' ],
    [ "smtp_hook $url stages=rcpt cache=a:1;", '"a:1"' ],
    [ "smtp_hook $url stages=data cache=a:1m;",
      'has a cache, but is not asked at "rcpt"' ],
    [ 'smtp_hook 127.0.0.1 stages=rcpt;', 'invalid URL' ],
    (map { [ "smtp_hook_concurrency $_;",
             'value must be between 1 and 100' ] } 0, 101),
    [ 'smtp_hook_concurrency x;', 'invalid number' ],
    [ 'smtp_hook_header "X A" b;', 'invalid header "X A"' ],
    [ 'smtp_hook_header "" b;', 'invalid header ""' ],
    [ "smtp_hook_header X-A 'b\nc';", 'invalid header "X-A"' ],
    [ 'smtp_hook_route foo://x;', 'invalid destination "foo://x"' ],
    (map { [ "smtp_http_breaker $_;", "invalid parameter \"$_\"" ] }
         qw/ on fails= fails=0 fails=-1 fails=x time= time=0 time=x retry=0
             x=1 /),
    [ 'smtp_http_breaker off; smtp_http_breaker off;', 'is duplicate' ],
    [ 'smtp_http_buffer_size 511;', 'must be between 512 and 1m' ],
    [ 'smtp_http_buffer_size 1025k;', 'must be between 512 and 1m' ],
);

plan(tests => @good + 2 * @bad);

sub conf {
    my ($directives) = @_;

    return $t->test_conf(<<"EOF");
%%GLOBALS%%

events { }

mail {
    smtp_upstream api { server 127.0.0.1:8080; }

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
        $directives
    }
}
EOF
}

for my $directives (@good) {
    my ($rc, $out) = conf($directives);

    is $rc, 0, $directives or diag $out;
}

for my $try (@bad) {
    my ($directives, $why) = @$try;
    my ($rc, $out) = conf($directives);

    is $rc, 1, $directives;
    like $out, qr/\[emerg\] .*\Q$why\E/, $why;
}

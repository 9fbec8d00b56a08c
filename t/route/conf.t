#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Configurations of routes that are refused, and why; some that are not.

use warnings;
use strict;

use Test::More;
use Test::Nginx::SmtpExt;

my @errors = (
    [ 'smtp_recipient a@example.com { }', qr/no "smtp_pass" for recipient/ ],
    [ 'smtp_recipient a { smtp_pass h:25; }', qr/invalid recipient "a"/ ],
    [ 'smtp_recipient "" { smtp_pass h:25; }', qr/invalid recipient ""/ ],
    [ 'smtp_recipient @ { smtp_pass h:25; }', qr/invalid recipient "@"/ ],
    [ 'smtp_recipient @a..b { smtp_pass h:25; }', qr/invalid recipient/ ],
    [ 'smtp_recipient @. { smtp_pass h:25; }', qr/invalid recipient/ ],
    [ 'smtp_recipient @a. { smtp_pass h:25; }', qr/invalid recipient/ ],
    [ 'smtp_recipient @.[192.0.2.1] { smtp_pass h:25; }',
      qr/invalid recipient/ ],
    [ 'smtp_recipient "a b@example.com" { smtp_pass h:25; }',
      qr/invalid recipient/ ],
    [ 'smtp_recipient ** { smtp_pass h:25; }', qr/invalid recipient/ ],
    [ 'smtp_recipient *@example.com. { smtp_pass h:25; }',
      qr/invalid recipient/ ],
    [ 'smtp_recipient ~ { smtp_pass h:25; }', qr/invalid recipient/ ],
    [ 'smtp_recipient ~* { smtp_pass h:25; }', qr/empty regular expression/ ],
    [ 'smtp_recipient ~( { smtp_pass h:25; }', qr/pcre2?_compile\(\) failed/ ],
    [ 'smtp_recipient a@example.com b { smtp_pass h:25; }',
      qr/invalid number of arguments/ ],

    [ 'smtp_recipient a@example.com { smtp_pass 127.0.0.1:25; }
       smtp_recipient A@EXAMPLE.com { smtp_pass 127.0.0.1:25; }',
      qr/duplicate recipient .* in .*test\.conf:\d+/ ],
    [ 'smtp_recipient @example.com { smtp_pass 127.0.0.1:25; }
       smtp_recipient @Example.com { smtp_pass 127.0.0.1:25; }',
      qr/duplicate recipient/ ],
    [ 'smtp_recipient @.example.com { smtp_pass 127.0.0.1:25; }
       smtp_recipient @.Example.com { smtp_pass 127.0.0.1:25; }',
      qr/duplicate recipient/ ],
    [ 'smtp_recipient ~a { smtp_pass 127.0.0.1:25; }
       smtp_recipient ~a { smtp_pass 127.0.0.1:25; }',
      qr/duplicate recipient "~a"/ ],
    [ 'smtp_recipient * { smtp_pass 127.0.0.1:25; }
       smtp_recipient * { smtp_pass 127.0.0.1:25; }',
      qr/duplicate recipient "\*"/ ],

    [ 'smtp_recipient * { smtp_pass 127.0.0.1; smtp_pass 127.0.0.1; }',
      qr/"smtp_pass" directive is duplicate/ ],
    [ 'smtp_recipient * { smtp_rewrite a@b.c; smtp_rewrite a@b.c; }',
      qr/"smtp_rewrite" directive is duplicate/ ],
    [ 'smtp_recipient * { smtp_rewrite nobody; }',
      qr/invalid address "nobody"/ ],
    [ 'smtp_recipient a@b.c { smtp_rewrite $1@b.c; }',
      qr/recipient "a\@b\.c" has no capture "\$1"/ ],
    [ 'smtp_recipient "~(a)(b)" { smtp_rewrite $1$3@b.c; }',
      qr/has no capture "\$3"/ ],
    [ 'smtp_recipient * { server_name a; }',
      qr/"server_name" directive is not allowed here/ ],
    [ 'smtp_rewrite a@b.c;', qr/"smtp_rewrite" directive is not allowed here/ ],

    [ 'smtp_pass 127.0.0.1; smtp_pass 127.0.0.1;',
      qr/"smtp_pass" directive is duplicate/ ],
    [ 'smtp_pass gopher://127.0.0.1;',
      qr/invalid destination "gopher:\/\/127/ ],
    [ 'smtp_pass "";', qr/invalid destination ""/ ],
    [ 'smtp_pass smtp://;', qr/invalid destination "smtp:\/\/"/ ],
    [ 'smtp_pass maildir:;', qr/destination "maildir:" has an invalid path/ ],
    [ 'smtp_pass maildir:/a/../b;', qr/destination "maildir:.*invalid path/ ],
    [ 'smtp_pass maildir:..;', qr/invalid path/ ],
    [ 'smtp_pass maildir:' . ('/' . 'a' x 249) x 14 . ';',
      qr/destination "maildir:\/aaa/ ],
    [ 'smtp_pass maildir:/a/$smtp_rcpt_to;', qr/has an unknown variable/ ],
    [ 'smtp_pass maildir:/a/$;', qr/has an unknown variable/ ],
    [ 'smtp_pass "maildir:/a/${smtp_rcpt_local";', qr/unknown variable/ ],
    [ 'smtp_pass "maildir:/a/${}";', qr/unknown variable/ ],
    [ 'smtp_pass maildir:/a/$1;', qr/has an unknown variable/ ],
    [ 'smtp_pass maildir:/a/../$smtp_rcpt_local;', qr/invalid path/ ],
    [ 'smtp_pass maildir:/a/' . 'b' x 256 . ';', qr/invalid path/ ],
    [ 'smtp_pass 127.0.0.1:port;', qr/invalid port/ ],
    [ 'smtp_pass discard:all;', qr/"discard:all" takes nothing behind/ ],
    [ 'smtp_pass discard;', qr/host not found in upstream "discard"/ ],
    [ 'smtp_pass reject:;', qr/destination "reject:" has no code 4yz or 5yz/ ],
    [ 'smtp_pass "reject: 550";', qr/has no code/ ],
    [ 'smtp_pass reject:55;', qr/has no code/ ],
    [ 'smtp_pass reject:5501;', qr/has no code/ ],
    [ 'smtp_pass reject:250;', qr/has no code/ ],
    [ 'smtp_pass reject:354;', qr/has no code/ ],
    [ 'smtp_pass reject:650;', qr/has no code/ ],
    [ 'smtp_pass reject:5a0;', qr/has no code/ ],
    [ 'smtp_pass "reject:nobody here";', qr/has no code/ ],
    [ 'smtp_pass "reject:421 4.3.2 bye";', qr/can't have the code 421/ ],
    [ 'smtp_pass "reject:550 4.1.1 no";', qr/enhanced code that does not fit/ ],
    [ 'smtp_pass "reject:450 5.1.1";', qr/enhanced code that does not fit/ ],
    [ 'smtp_pass "reject:550 5.1 no";', qr/enhanced code that does not fit/ ],
    [ qq{smtp_pass "reject:550 5.7.1 n\xc3\xb6";}, qr/not printable US-ASCII/ ],
    [ 'smtp_pass "reject:550 5.7.1 two\nlines";', qr/not printable US-ASCII/ ],
    [ 'smtp_pass "reject:550 ' . 'x' x 481 . '";', qr/too long a text/ ],

    [ 'smtp_pass http://;', qr!no host in URL "http://"! ],
    [ 'smtp_pass http://user@127.0.0.1/;', qr/user in URL/ ],
    [ 'smtp_pass "http://127.0.0.1/a b";', qr/invalid character in URL/ ],
    [ 'smtp_pass https://127.0.0.1:http/;', qr/invalid port/ ],
    [ 'smtp_pass http://unix:;', qr/no path in the unix domain socket/ ],
    [ 'smtp_pass http://127.0.0.1; smtp_pass_http_recipients 0;',
      qr/"smtp_pass_http_recipients" directive must be between 1 and 1000/ ],
    [ 'smtp_pass http://127.0.0.1; smtp_pass_http_recipients 1001;',
      qr/must be between 1 and 1000/ ],
    [ 'smtp_pass_http_header "X Y" z;', qr/invalid header "X Y"/ ],
    [ 'smtp_pass_http_header X "a\nb";', qr/invalid header "X"/ ],
    [ 'smtp_pass_http_header X "$nothing";', qr/unknown "nothing" variable/ ],
    [ 'smtp_pass_http_header X "${smtp_id";', qr/variable/ ],

    [ 'smtp_relay_from 127.0.0.1;', qr/"smtp_relay_from" needs "smtp_pass"/ ],
    [ 'smtp_relay_from nobody; smtp_pass 127.0.0.1;',
      qr/invalid parameter "nobody"/ ],
    [ 'smtp_relay_from 127.0.0.1/33; smtp_pass 127.0.0.1;',
      qr/invalid parameter "127.0.0.1\/33"/ ],
);

my @good = (
    [ 'smtp_relay_from 0.0.0.0/0; smtp_pass 127.0.0.1;',
      qr/"smtp_relay_from 0.0.0.0\/0" makes an open relay/ ],
    [ 'smtp_relay_from ::/0; smtp_pass 127.0.0.1;', qr/makes an open relay/ ],
    [ 'smtp_relay_from 127.0.0.1/8; smtp_pass 127.0.0.1;',
      qr/low address bits of 127\.0\.0\.1\/8 are meaningless/ ],
    [ 'smtp_recipient a@b.c { smtp_rewrite a$b$0@b.c; smtp_pass maildir:x; }',
      qr/test is successful/ ],
    [ 'smtp_recipient @[IPv6:::1] { smtp_pass MAILDIR:/a/..b/; }',
      qr/test is successful/ ],
    [ 'smtp_pass "REJECT:550 ' . 'x' x 480 . '";', qr/test is successful/ ],
    [ 'smtp_pass HTTP://127.0.0.1; smtp_recipient * {
           smtp_pass https://[::1]:8443?a=b; }', qr/test is successful/ ],
    [ 'smtp_pass discard:; smtp_recipient * { smtp_pass Discard:; }',
      qr/test is successful/ ],
    [ join('', map { "smtp_recipient user$_\@example.com {
                          smtp_pass maildir:$_; }\n" } 1 .. 3000),
      qr/test is successful/ ],
);

my $t = Test::Nginx::SmtpExt->new();

plan(tests => @errors + @good);

for my $case (@errors, @good) {
    my ($conf, $expect) = @$case;

    my ($rc, $out) = $t->test_conf(<<"EOC");
%%GLOBALS%%
events { }
mail {
    server {
        listen 127.0.0.1:%%PORT_smtp%%;
        protocol smtp_ext;
        $conf
    }
}
EOC

    my $name = substr $conf =~ s/\s+/ /gr, 0, 70;

    # a failure is known by its message; that it is one, by the code

    if (grep { $_ == $case } @good) {
        ok $rc == 0 && $out =~ $expect, "taken: $name" or diag $out;

    } else {
        ok $rc == 1 && $out =~ $expect, "refused: $name" or diag $out;
    }
}

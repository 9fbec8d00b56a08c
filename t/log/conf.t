#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Configurations of logs that are refused, and why.

use warnings;
use strict;

use Test::More;
use Test::Nginx::SmtpExt;

my @errors = (
    [ 'smtp_log_format a;', qr/invalid number of arguments/ ],
    [ 'smtp_log_format a escape=json;', qr/"smtp_log_format" directive has no text/ ],
    [ 'smtp_log_format a escape=xml b;', qr/unknown log format escaping "xml"/ ],
    [ 'smtp_log_format a $nothing;', qr/unknown "nothing" variable/ ],
    [ 'smtp_log_format a $;', qr/invalid variable name/ ],
    [ 'smtp_log_format a a$-b;', qr/invalid variable name/ ],
    [ 'smtp_log_format a "${smtp_id";', qr/closing bracket in "smtp_id"/ ],
    [ 'smtp_log_format a ' . 'aaaaaaaaaa ' x 820 . ';',
      qr/text of log format "a" is longer than 8192/ ],
    [ 'smtp_log_format a b; smtp_log_format a b;',
      qr/duplicate "smtp_log_format" name "a"/ ],
    [ 'smtp_log_format main b; smtp_log_format main b;',
      qr/duplicate "smtp_log_format" name "main"/ ],

    [ 'smtp_access_log off main;', qr/invalid parameter "main"/ ],
    [ 'smtp_access_log %%TESTDIR%%/a none;',
      qr/unknown log format "none" in .*test\.conf:\d+/ ],
    [ 'smtp_access_log %%TESTDIR%%/a main json;', qr/invalid parameter "json"/ ],
    [ 'smtp_access_log %%TESTDIR%%/a main buffer=0;',
      qr/invalid parameter "buffer=0"/ ],
    [ 'smtp_access_log %%TESTDIR%%/a main buffer=x;',
      qr/invalid parameter "buffer=x"/ ],
    [ 'smtp_access_log %%TESTDIR%%/a main buffer=1k flush=x;',
      qr/invalid parameter "flush=x"/ ],
    [ 'smtp_access_log %%TESTDIR%%/a main flush=1s;',
      qr/has "flush" without "buffer"/ ],
    [ 'smtp_access_log syslog:server=127.0.0.1 main buffer=1k;',
      qr/to syslog can't be buffered/ ],
    [ 'smtp_access_log syslog:facility=mail;', qr/no syslog server/ ],
    [ 'smtp_access_log %%TESTDIR%%/a main buffer=1k;
       smtp_access_log %%TESTDIR%%/a json buffer=2k;',
      qr/already defined with conflicting parameters/ ],
    [ 'smtp_access_log %%TESTDIR%%/$smtp_id;', qr/invalid log file name/ ],
    [ 'smtp_access_log "";', qr/invalid log file name ""/ ],
    [ 'server { listen 127.0.0.1:25; smtp_log_format a b; }',
      qr/"smtp_log_format" directive is not allowed here/ ],
);

my @good = (
    'smtp_log_format main "$smtp_id"; smtp_access_log %%TESTDIR%%/a main;',
    'smtp_access_log %%TESTDIR%%/a buffer=1k;',
    'smtp_access_log %%TESTDIR%%/a flush=1s buffer=1k;',
    'smtp_access_log %%TESTDIR%%/a json buffer=1k;
     smtp_access_log %%TESTDIR%%/a main buffer=1k;',
    'smtp_access_log off;',
    'smtp_log_format a escape=default $smtp_id; smtp_access_log syslog:server=127.0.0.1 a;',
);

my $t = Test::Nginx::SmtpExt->new();

plan(tests => @errors + @good);

for my $case (@errors) {
    my ($conf, $expect) = @$case;
    my ($rc, $out) = test($conf);

    ok $rc == 1 && $out =~ $expect, 'refused: ' . name($conf) or diag $out;
}

for my $conf (@good) {
    my ($rc, $out) = test($conf);

    is $rc, 0, 'taken: ' . name($conf) or diag $out;
}


sub test {
    my ($conf) = @_;

    return $t->test_conf("%%GLOBALS%%\nevents { }\nmail {\n$conf\n"
                         . "server { listen 127.0.0.1:%%PORT_smtp%%;"
                         . " protocol smtp_ext; }\n}\n");
}


sub name {
    my ($conf) = @_;

    return substr $conf =~ s/\s+/ /gr, 0, 70;
}

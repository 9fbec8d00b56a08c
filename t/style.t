#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The sources keep the house rules; and the checker sees what is against them.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Path qw/ make_path /;
use File::Temp qw/ tempdir /;
use Test::More tests => 25;

my $root = abs_path(dirname(__FILE__) . '/..');
my $style = "$root/t/tools/style.pl";

my $out = `perl $style -q $root`;

is $?, 0, 'the sources' or diag $out;

# a small tree with one fault at a time

my $head = "\n/*\n * Copyright (C) ngx_mail_smtp_ext authors\n */\n\n\n";
my $good = $head . "#include <ngx_smtp_b.h>\n\n\nint\nf(void)\n{\n"
           . "    ngx_free(\"printf(1)\");    /* sprintf(2) */\n"
           . "    pc->free(pc);\n}\n";

sub check {
    my ($name, $expected, %files) = @_;

    my $dir = tempdir(CLEANUP => 1);
    my $guard = '_NGX_SMTP_B_H_INCLUDED_';

    %files = (
        'core/a.c' => $good,
        'core/config' => "x/a.c\n",
        'base/ngx_smtp_b.h' =>
            "$head#ifndef $guard\n#define $guard\n\n\n#endif\n",
        'base/config' => "x/ngx_smtp_b.h\n",
        %files,
    );

    for my $path (keys %files) {
        make_path(dirname("$dir/ngx_mail_smtp_ext/$path"));
        open my $fh, '>', "$dir/ngx_mail_smtp_ext/$path" or die $!;
        print $fh $files{$path};
        close $fh;
    }

    my $text = `perl $style $dir`;

    return is $text, "style: 0 problems\n", $name unless defined $expected;

    like $text, qr/$expected.*\nstyle: 1 problems/s, $name;
}

my $long = "    x();\n" x 101;

check('a tree without a fault');
check('column 81', 'a\.c:18: 81 columns',
      'core/a.c' => "$good\n\nint  " . 'a' x 75 . ";\n");
check('tab', 'a\.c:18: tab', 'core/a.c' => "$good\n\n\tx;\n");
check('space', 'a\.c:18: space at the end',
      'core/a.c' => "$good\n\nint  x; \n");
check('//', '// comment', 'core/a.c' => "$good\n\nint  x; // y\n");
check('// in a string', undef, 'core/a.c' => "$good\n\nchar *u = \"a//b\";\n");
check('banned', 'sprintf\(\) is banned',
      'core/a.c' => "$good\n\nint  x = sprintf(1);\n");
check('a secret', 'a\.c:18: a secret in ngx_memcmp\(\)',
      'core/a.c' => "$good\n\nint  x = ngx_memcmp(a->data,\n"
                    . "                      sasl->secret.data, 5);\n");
check('a secret of equal time', undef,
      'core/a.c' => "$good\n\nint  x = CRYPTO_memcmp(a, secret, 5);\n");
check('a secret behind it', undef,
      'core/a.c' => "$good\n\nint  x = ngx_strcmp(a, b) + f(secret);\n");
check('direction', 'base may not include core: <ngx_smtp_c.h>',
      'core/ngx_smtp_c.h' => "$head#ifndef _NGX_SMTP_C_H_INCLUDED_\n"
                             . "#define _NGX_SMTP_C_H_INCLUDED_\n#endif\n",
      'core/config' => "x/a.c x/ngx_smtp_c.h\n",
      'base/config' => "x/ngx_smtp_b.h x/d.c\n",
      'base/d.c' => "$head#include <ngx_smtp_c.h>\n");
check('private', '<ngx_smtp_p_private.h> is private to base',
      'base/ngx_smtp_p_private.h' =>
          "$head#ifndef _NGX_SMTP_P_PRIVATE_H_INCLUDED_\n"
          . "#define _NGX_SMTP_P_PRIVATE_H_INCLUDED_\n#endif\n",
      'base/config' => "x/ngx_smtp_b.h x/ngx_smtp_p_private.h\n",
      'core/a.c' => "$head#include <ngx_smtp_p_private.h>\n");
check('ngx_mail.h', '<ngx_mail.h> may not be included here',
      'core/a.c' => "$head#include <ngx_mail.h>\n");
check('ngx_mail.h where it may be', undef,
      'core/config' => "x/ngx_smtp_session.c x/a.c\n",
      'core/ngx_smtp_session.c' => "$head#include <ngx_mail.h>\n");
check('long function', 'f\(\) has 101 lines',
      'core/a.c' => "${head}int\nf(void)\n{\n$long}\n");
check('long function with a reason', undef,
      'core/a.c' => "${head}/* a per-character parser */\n\n"
                    . "int\nf(void)\n{\n" . "    x();\n" x 60 . "}\n");
check('long function with a reason, over 100', 'note: .*f\(\) has 101 lines',
      'core/a.c' => "${head}/* a per-character parser */\n\n"
                    . "int\nf(void)\n{\n$long}\n\n\nint  x; // y\n");
check('long file', 'a\.c: 1201 lines',
      'core/a.c' => $head . "int  x;\n" x 1195);
check('note of a file', 'note: .*a\.c:1: 900 lines',
      'core/a.c' => $head . "int  x;\n" x 893 . "int  x; // y\n");
check('blank lines', 'no two blank lines after a function',
      'core/a.c' => "$good\nint\ng(void)\n{\n    x();\n}\n");
check('#if after a function', undef, 'core/a.c' => "$good\n#endif\n");
check('copyright', 'no copyright', 'core/a.c' => "\nint  x;\n");
check('guard', 'no guard _NGX_SMTP_B_H_INCLUDED_',
      'base/ngx_smtp_b.h' => "${head}int  x;\n");
check('config', 'core/n\.c: is not in', 'core/n.c' => "${head}int  x;\n");

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# All global symbols of all modules share one name space in nginx: each of ours
# begins with our prefix.  And what ours takes from others is nginx's.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();
my ($so) = grep { /ngx_mail_smtp_ext_module\.so$/ } $t->modules();

plan(skip_all => 'the module is linked into nginx') unless $so;
plan(tests => 3);

# made by nginx's build for each module file

my $made = qr/^ngx_module(?:s|_names|_order)$/;

# the linker's, and those of sanitizers and coverage

my $tools = qr/^(?:_init|_fini|__\w+|_edata|_end|_ITM_\w+)$/;

my (@defined, @wrong, @foreign);

for (split /\n/, `nm --dynamic '$so'`) {
    my ($type, $name) = /(\w) (\S+)$/ or next;

    $name =~ s/@.*//;

    if ($type eq 'U' || $type eq 'w') {
        push @foreign, $name if $name =~ /^ngx_(?:smtp_|mail_smtp_ext_)/;
        next;
    }

    push @defined, $name;
    push @wrong, $name
        unless $name =~ /^ngx_(?:smtp|mail_smtp_ext)_/ || $name =~ $made
               || $name =~ $tools;
}

cmp_ok @defined, '>', 3, 'symbols';
is "@wrong", '', 'every symbol has our prefix';
is "@foreign", '', 'every symbol of ours that is used is there';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# docs/replies.md is what t/tools/replies.pl makes of the table of replies; and
# the tool sees what is against it.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;
use Test::More tests => 10;

my $root = abs_path(dirname(__FILE__) . '/../..');
my $tool = "$root/t/tools/replies.pl";
my $table = 'ngx_mail_smtp_ext/core/ngx_smtp_reply_table.h';

my ($rc, $out) = check($root);

is $rc, 0, 'docs/replies.md is up to date' or diag $out;

# a copy of the tree with one change to the table

sub changed {
    my ($from, $to) = @_;

    my $dir = tempdir(CLEANUP => 1);

    system('cp', '-R', "$root/ngx_mail_smtp_ext", "$root/docs", $dir) == 0
        or die 'cp failed';

    my $text = slurp("$dir/$table");
    my $n = ($text =~ s/$from/$to/);

    die "no $from in the table" unless $n;

    open my $fh, '>', "$dir/$table" or die $!;
    print $fh $text;
    close $fh;

    return check($dir);
}

sub check {
    my ($dir) = @_;

    my $out = `perl $tool --check $dir 2>&1`;

    return ($? >> 8, $out);
}

sub slurp {
    my ($name) = @_;

    open my $fh, '<', $name or die "$name: $!";
    local $/;

    return scalar <$fh>;
}

($rc, $out) = changed(qr/"Bye"/, '"Good bye"');

is $rc, 1, 'another text';
like $out, qr/is not what/, 'is told';

($rc, $out) = changed(qr/BYE,\s+\K221/, 222);

is $rc, 1, 'another code';

($rc, $out) = changed(qr/CLOSE, "Bye"/, 'FAULT, "Bye"');

is $rc, 1, 'another flag';

($rc, $out) = changed(qr/X\(BYE,/, 'X(UNHEARD_OF,');

isnt $rc, 0, 'a reply that has another name';
like $out, qr/BYE: not in the table/, 'is told';

($rc, $out) = changed(qr/"Bye"/, '"Bye %"');

isnt $rc, 0, 'an argument that nobody knows of';

($rc, $out) = changed(qr/X\(BYE,/, 'Y(BYE,');

isnt $rc, 0, 'a row that is none';
like $out, qr/this is not a row/, 'is told';

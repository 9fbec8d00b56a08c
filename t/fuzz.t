#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The fuzz targets of t/fuzz/, over their corpus and a bounded number of inputs
# made from it, always the same ones; "make fuzz" goes on from there.  Skipped
# where there is no clang with libFuzzer.

###############################################################################

use warnings;
use strict;

use Test::More;

use Cwd qw/ abs_path /;
use File::Basename qw/ basename dirname /;
use File::Temp qw/ tempdir /;

use constant RUNS => 20000;

###############################################################################

my $root = abs_path(dirname(__FILE__) . '/..');
my $fuzz = "$root/t/fuzz";
my $out = "$root/build/fuzz";

my ($rc, $text) = run(150, "$root/t/tools/fuzz.sh", '--build');

plan(skip_all => $text =~ s/\n.*//sr) if $rc >> 8 == 3;
die "the targets can't be built:\n$text" if $rc;

# what needs nginx's sources, and not its headers alone

my @built = split ' ', $text;
my @all = map { /fuzz_(\w+)\.c$/ } sort glob("$fuzz/fuzz_*.c");

plan(tests => 8 + @all);

my $dir = tempdir('ngx_smtp_fuzz_XXXXXX', TMPDIR => 1, CLEANUP => 1);

$ENV{ASAN_OPTIONS} = 'quarantine_size_mb=16';
delete $ENV{UBSAN_OPTIONS};
delete $ENV{LSAN_OPTIONS};

# dates and headers of the PROXY protocol are written, not read

my @units = grep { $_ ne 'date' && $_ ne 'proxy' }
    map { m!/ngx_smtp_(\w+)\.c$! } glob("$root/ngx_mail_smtp_ext/proto/*.c");

# <unit>_<part> is reached by the unit's

my %unit = map { $_ => 1 } @units;

@units = grep { !(/^(.+)_[a-z0-9]+$/ && $unit{$1}) } @units;

is_deeply([ missing(\@units, \@all) ], [], 'each parser of proto has a target');

is_deeply([ missing(\@all, [ map { basename($_) } glob("$fuzz/corpus/*") ]) ],
    [], 'each target has a corpus');

is_deeply([ missing(\@all, [ map { basename($_, '.dict') }
    glob("$fuzz/dict/*.dict") ]) ], [], 'each target has a dictionary');

# is a fault seen?

like(self('C'), qr/fuzz_check\(.*\) failed/, 'a check that fails is noticed');
like(self('R'), qr/AddressSanitizer: heap-buffer-overflow/, 'an overrun');
like(self('OO'), qr/runtime error: signed integer overflow/, 'an overflow');
is(self('x'), '', 'and nothing where there is nothing');

is($?, 0, 'which is a success');

foreach my $name (@all) {
    SKIP: {
        skip("no sources of nginx in build/src, which $name needs", 1)
            unless grep { $_ eq $name } @built;

        target($name);
    }
}

###############################################################################

sub target {
    my ($name) = @_;

    mkdir "$dir/$name" or die "can't make $dir/$name: $!\n";

    my ($rc, $text) = run(150, "$out/fuzz_$name", '-seed=1', '-runs=' . RUNS,
        '-max_len=1024', '-timeout=10', '-rss_limit_mb=1024',
        "-dict=$fuzz/dict/$name.dict", "-artifact_prefix=$dir/",
        "$dir/$name", "$fuzz/corpus/$name");

    my ($done) = $text =~ /^Done (\d+) runs/m;

    ok($rc == 0 && defined $done && $done >= RUNS, "$name: nothing is found")
        or diag($text =~ s/.*?(?=\n.*(?:fuzz_check|ERROR|runtime error))//sr);
}


# what a target of one fault says of an input, or nothing

sub self {
    my ($input) = @_;

    open my $fh, '>', "$dir/input" or die "can't write to $dir: $!\n";
    print $fh $input;
    close $fh;

    my ($rc, $text) = run(60, "$out/self", "-artifact_prefix=$dir/",
        "$dir/input");

    return $rc ? $text : '';
}


sub missing {
    my ($of, $in) = @_;
    my %in = map { $_ => 1 } @$in;

    return grep { !$in{$_} } @$of;
}


# runs a program, at most that many seconds; its status and all that it says

sub run {
    my ($seconds, @command) = @_;

    my $pid = open my $fh, '-|';
    die "can't fork: $!" unless defined $pid;

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        alarm $seconds;
        exec { $command[0] } @command or exit 127;
    }

    local $/;
    my $out = <$fh>;
    close $fh;

    return ($?, defined $out ? $out : '');
}

###############################################################################

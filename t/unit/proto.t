#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The parsers and writers of proto/, each with a test program in C: compiled
# with what sanitizers the compiler has, run, and its TAP passed through.  And
# what else is pure: files of other folders that have a test in t/unit/.
#
# CC                     the compiler                       cc
# NGX_SMTP_NGINX_SRC     nginx's sources, or its headers    /usr/share/nginx/src
# NGX_SMTP_NGINX_OBJS    a folder with ngx_auto_config.h    a build's in build/

###############################################################################

use warnings;
use strict;

use Test::More;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Temp qw/ tempdir /;

###############################################################################

my $unit = dirname(abs_path(__FILE__));
my $root = dirname(dirname($unit));
my $proto = "$root/ngx_mail_smtp_ext/proto";

my @cc = split ' ', $ENV{CC} || 'cc';
my $src = $ENV{NGX_SMTP_NGINX_SRC} || '/usr/share/nginx/src';
my $objs = $ENV{NGX_SMTP_NGINX_OBJS} || default_objs();

$src = "$src/src" if -d "$src/src";

# without a build there is nothing to compile with; a wrong one is an error

plan(skip_all => 'no ngx_auto_config.h in build/, and no NGX_SMTP_NGINX_OBJS')
    unless defined $objs;

die "no nginx headers in $src\n" unless -f "$src/core/ngx_core.h";
die "no ngx_auto_config.h in $objs\n" unless -f "$objs/ngx_auto_config.h";

# all sources of proto/ have a test, and the other way round

my @files = map { m!/ngx_smtp_(\w+)\.c$! } sort glob("$proto/*.c");
my @units = grep { !part($_, @files) } @files;
my @tests = map { m!/test_(\w+)\.c$! } sort glob("$unit/proto/*.c");

# folder, unit

my @others = map { [ m!/(\w+)/test_(\w+)\.c$! ] }
    grep { !m!^\Q$unit\E/proto/! } sort glob("$unit/*/test_*.c");

plan(tests => 2 + @tests + @others);

my $dir = tempdir('ngx_smtp_unit_XXXXXX', TMPDIR => 1, CLEANUP => 1);

my @flags = qw/ -W -Wall -Wextra -Wpointer-arith -Wno-unused-parameter -Werror
    -g -O1 /;

push @flags, sanitizers();
push @flags, map { "-I$_" } $objs, $proto, $unit,
    map { "$src/$_" } qw/ core event event\/modules os\/unix /;

is_deeply(\@tests, \@units, 'each unit of proto has a test');

my @objects = objects("$unit/stub.c", glob("$proto/*.c"));

unit($_) foreach @tests;
other(@$_) foreach @others;

###############################################################################

# <unit>_<part> is tested with the unit

sub part {
    my ($name, @files) = @_;

    return $name =~ /^(.+)_[a-z0-9]+$/ && grep { $_ eq $1 } @files;
}

# all of proto/, once; nothing else of ours is on the include path

sub objects {
    my @sources = @_;
    my (@objects, @errors);

    foreach my $source (@sources) {
        my ($name) = $source =~ m!([^/]+)\.c$!;

        my ($rc, $out) = run(60, @cc, @flags, '-c',
            '-o', "$dir/$name.o", $source);

        push @objects, "$dir/$name.o";
        push @errors, $out if $rc || $out ne '';
    }

    ok(!@errors, 'proto compiles without a warning')
        or diag(@errors);

    return @objects;
}

# compiles one test, runs it, and says what it says

sub unit {
    my ($name) = @_;

    subtest $name => sub {
        my ($rc, $out) = run(60, @cc, @flags, '-o', "$dir/$name",
            "$unit/proto/test_$name.c", @objects);

        if (ok($rc == 0, 'compiles without a warning')) {
            pass_through(run(60, "$dir/$name"));

        } else {
            diag($out);
        }

        done_testing();
    };
}

# one source, with OpenSSL

sub other {
    my ($folder, $name) = @_;
    my $path = "$root/ngx_mail_smtp_ext/$folder";

    subtest "$folder/$name" => sub {
        my ($rc, $out) = run(60, @cc, @flags, "-I$path", '-o', "$dir/$name",
            "$unit/$folder/test_$name.c", "$path/ngx_smtp_$name.c",
            '-lcrypto');

        if (ok($rc == 0, 'compiles without a warning')) {
            pass_through(run(60, "$dir/$name"));

        } else {
            diag($out);
        }

        done_testing();
    };
}

sub pass_through {
    my ($rc, $out) = @_;
    my ($n, $plan, @notes) = (0);

    foreach my $line (split /\n/, $out) {

        if ($line =~ /^(not )?ok (\d+) - (.*)$/) {
            my ($not, $number, $name) = ($1, $2, $3);

            $n++;
            ok(!$not && $number == $n, $name)
                or diag(join "\n", @notes);
            @notes = ();

        } elsif ($line =~ /^1\.\.(\d+)$/) {
            $plan = $1;

        } else {
            push @notes, $line;
        }
    }

    # a program that a sanitizer has stopped has no plan

    is($plan, $n, 'has run to its end') or diag(join "\n", @notes);
    is($rc, 0, 'ends with success') or diag(join "\n", @notes);
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

sub sanitizers {
    my @options = ('-fsanitize=address,undefined',
        '-fno-sanitize-recover=all', '-fno-omit-frame-pointer');

    open my $fh, '>', "$dir/try.c" or die "can't write to $dir: $!";
    print $fh "int main(void) { return 0; }\n";
    close $fh;

    my ($rc) = run(60, @cc, @options, '-o', "$dir/try", "$dir/try.c");
    ($rc) = run(60, "$dir/try") if $rc == 0;

    note($rc ? 'without sanitizers' : "with @options");

    return $rc ? () : @options;
}

sub default_objs {
    my ($config) = grep { -f } map { glob "$root/build/$_/ngx_auto_config.h" }
        qw! packaged/objs */objs packaged * !;

    return defined $config ? dirname($config) : undef;
}

###############################################################################

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The house rules that a machine can check (docs/dev/style.md).  Prints what is
# against them, and what is only too big for comfort with "note:" before it;
# fails when there is any of the first kind.
#
#     style.pl [-q] [root]        -q: no notes

use warnings;
use strict;

use File::Find;

my $quiet = @ARGV && $ARGV[0] eq '-q' && shift;
my $root = shift || '.';

chdir $root or die "$root: $!\n";

my $source = 'ngx_mail_smtp_ext';
my $fails = 0;

# sizes: (note, fail)

my @file_lines = (800, 1200);
my @header_lines = (300, 1200);
my @function_lines = (60, 100);

# who may include whom: a folder not named here may include nothing of ours

my %may = (
    proto => [],
    base => [],
    spool => [ 'base' ],
    peer => [ 'base', 'proto' ],
    http => [ 'base', 'peer' ],
    core => [ 'base', 'proto', 'spool' ],
    esmtp => [ 'core', 'proto' ],
    tls => [ 'core', 'proto' ],
    server => [ 'core', 'proto', 'spool', 'esmtp', 'tls' ],
    auth => [ 'server', 'esmtp', 'core', 'proto', 'http', 'base' ],
    submit => [ 'core', 'proto', 'base' ],
    route => [ 'core', 'proto', 'peer', 'base' ],
    hook => [ 'core', 'esmtp', 'proto', 'http', 'base' ],
    relay => [ 'core', 'esmtp', 'proto', 'peer', 'spool', 'http', 'base' ],
    log => [ 'core' ],
    '.' => [ 'base', 'core', 'server' ],
);

# nginx changes: one place to mend

my $may_mail = qr{ _module\.c$ | ^core/ngx_smtp_session\.c$
                   | ^server/ngx_smtp_accept\.[ch]$ }x;

my @banned = qw/ strcpy strncpy strcat strncat sprintf vsprintf printf fprintf
                 malloc calloc realloc free strdup alloca sleep usleep nanosleep
                 gethostbyname getaddrinfo system popen gets atoi atol strtok
                 rand abort assert /;
my $banned = join '|', @banned;


sub fail {
    my ($path, $line, $text) = @_;

    print $line ? "$path:$line: $text\n" : "$path: $text\n";
    $fails++;
}


sub note {
    my ($path, $line, $text) = @_;

    print "note: $path:$line: $text\n" unless $quiet;
}


sub slurp {
    my ($path) = @_;

    open my $fh, '<:raw', $path or die "$path: $!\n";
    local $/;

    return scalar(<$fh>) // '';
}


# the text without what is in comments and strings, line by line as it was

sub bare {
    my ($text) = @_;

    my $blank = sub { $_[0] =~ s/[^\n]/ /gr };

    $text =~ s{
        ( /\* .*? \*/ )
        | ( // [^\n]* )
        | ( " (?: [^"\\\n] | \\. )* " )
        | ( ' (?: [^'\\\n] | \\. )+ ' )
    }{
        defined $1 ? $blank->($1)
        : defined $2 ? $2
        : defined $3 ? '"' . $blank->(substr $3, 1, -1) . '"'
        : "'" . $blank->(substr $4, 1, -1) . "'"
    }gesx;

    return $text;
}


# lines of any text file

sub check_text {
    my ($path, $text) = @_;

    my $n = 0;

    for my $line (split /\n/, $text, -1) {
        $n++;

        fail($path, $n, 'space at the end') if $line =~ /[ \t]\z/;
        fail($path, $n, 'carriage return') if $line =~ /\r/;

        # a table of a test may be separated by tabs

        fail($path, $n, 'tab') if $line =~ /\t/ && $path !~ /Makefile$|\.t$/;
    }

    fail($path, 0, 'no line end at the end of the file')
        if $text ne '' && $text !~ /\n\z/;
}


sub check_c {
    my ($path, $text) = @_;

    my $bare = bare($text);
    my @lines = split /\n/, $text;
    my @bare = split /\n/, $bare;

    fail($path, 1, 'the first line is not empty') if $lines[0] ne '';
    fail($path, 3, 'no copyright')
        if $text !~ m!^\n/\*\n \* Copyright \(C\) ngx_mail_smtp_ext authors\n!;

    for my $i (0 .. $#lines) {
        my $width = length $lines[$i];

        fail($path, $i + 1, "$width columns") if $width > 80;
        fail($path, $i + 1, '// comment') if ($bare[$i] // '') =~ m!//!;
    }

    check_functions($path, \@lines, \@bare) if $path =~ /\.c$/;
}


sub check_functions {
    my ($path, $lines, $bare) = @_;

    my $start;

    for my $i (0 .. $#$bare) {
        $start = $i if $bare->[$i] =~ /^\{/;

        next unless defined $start && $bare->[$i] =~ /^\}/;

        my $size = $i - $start - 1;
        my $name = '';
        my $before = '';

        # the head of the function, and the comment before it

        for (my $k = $start - 1; $k >= 0 && $k > $start - 40; $k--) {
            last if $bare->[$k] =~ /^[\};]/
                    || $lines->[$k] eq '' && $name && $before =~ m!/\*!;

            $before = "$lines->[$k]\n$before";
            $name = $1 if $bare->[$k] =~ /^(\w+)\(/;
        }

        if ($size > $function_lines[1] && $before !~ /per-character/) {
            fail($path, $start + 1, "$name() has $size lines");

        } elsif ($size > $function_lines[0]) {
            note($path, $start + 1, "$name() has $size lines");
        }

        # two blank lines, or the end of the file or of an #if

        my ($one, $two, $three) = map { $bare->[$i + $_] } 1 .. 3;

        if ($bare->[$i] eq '}' && defined $one && $one !~ /^#/
            && defined $three && $two !~ /^#/)
        {
            fail($path, $i + 2, 'no two blank lines after a function')
                if $lines->[$i + 1] ne '' || $lines->[$i + 2] ne ''
                   || $lines->[$i + 3] eq '';
        }

        undef $start;
    }
}


# rules of the module's own sources

my %folder_of;

sub check_source {
    my ($path, $text) = @_;

    my ($inner) = $path =~ m!^$source/(.*)!;
    my $folder = $inner =~ m!^([^/]+)/! ? $1 : '.';
    my @lines = split /\n/, bare($text);
    my @code = split /\n/, $text;

    # how long it takes must not tell how much of a secret was right

    my $bare = join "\n", @lines;

    while ($bare =~ /\b((?:ngx_)?(?:mem|str|strn|strcase|strncase|memn2)cmp)
                     \s*\(([^;{]*?\w*(?:secret|passwd|proof|stored|nonce|token
                                      |bearer|binding)\b[^;{]*)/gx)
    {
        my ($name, $args, $at) = ($1, $2, $-[0]);
        my ($depth, $end) = (1, 0);

        for my $ch (split //, $args) {
            $depth += $ch eq '(' ? 1 : $ch eq ')' ? -1 : 0;
            last if $depth == 0;
            $end++;
        }

        fail($path, 1 + (() = substr($bare, 0, $at) =~ /\n/g),
             "a secret in $name(), CRYPTO_memcmp() takes equal time")
            if substr($args, 0, $end)
               =~ /(?:secret|passwd|proof|stored|nonce|token|bearer|binding)\b/;

        # what is behind it may be another one

        pos($bare) = $at + length $name;
    }

    for my $i (0 .. $#lines) {
        while ($lines[$i] =~ /(?<![\w.>])($banned)\s*\(/g) {
            fail($path, $i + 1, "$1() is banned");
        }

        next unless $code[$i] =~ /^\s*#\s*include\s+[<"]([^>"]+)[>"]/;

        my $header = $1;

        if ($header =~ m!(?:^|/)ngx_mail\.h$! && $inner !~ $may_mail) {
            fail($path, $i + 1, "<$header> may not be included here");
        }

        my $owner = $folder_of{$header};

        next if !defined $owner || $owner eq $folder;

        if (!grep { $_ eq $owner } @{$may{$folder} || []}) {
            fail($path, $i + 1, "$folder may not include $owner: <$header>");
        }

        if ($header =~ /_private\.h$/) {
            fail($path, $i + 1, "<$header> is private to $owner");
        }
    }

    my $size = @code;
    my ($much, $limit) = $path =~ /\.h$/ ? @header_lines : @file_lines;

    $size > $limit ? fail($path, 0, "$size lines")
                   : $size > $much && note($path, 1, "$size lines");

    if ($path =~ /\.h$/) {
        my $guard = '_' . uc($inner =~ s!.*/!!r =~ s/\W/_/gr) . '_INCLUDED_';

        fail($path, 0, "no guard $guard")
            if $text !~ /^#ifndef $guard\n#define $guard\n/m
               && $inner !~ /_table\.h$/;
    }

    # what is not in the config of its folder is not built, or not rebuilt

    if ($folder ne '.') {
        my $config = "$source/$folder/config";
        my ($name) = $inner =~ m!([^/]+)$!;

        fail($path, 0, "is not in $config")
            unless -f $config && slurp($config) =~ m{/\Q$name\E(?![\w.])};
    }
}


my @files;

find({
    no_chdir => 1,
    wanted => sub {
        my $path = $File::Find::name =~ s!^\./!!r;

        if (-d $path && $path =~ m!^(?:\.git|build|demo)$!) {
            $File::Find::prune = 1;
            return;
        }

        push @files, $path if -f $path && !-l $path;
    },
}, '.');

for my $path (grep { m!^$source/.*\.h$! } @files) {
    my ($folder, $name) = $path =~ m!^$source/(?:(.*)/)?([^/]+)$!;

    $folder_of{$name} = $folder // '.';
}

for my $path (sort @files) {
    next unless $path =~ m!\.(?:c|h|pl|pm|t|sh|md|in|conf)$!
                || $path =~ m!(?:^|/)(?:config|Makefile|CHANGES|LICENSE)$!
                || $path eq '.ci/run';

    my $text = slurp($path);

    check_text($path, $text);
    check_c($path, $text) if $path =~ m!\.[ch]$!;
    check_source($path, $text) if $path =~ m!^$source/.*\.[ch]$!;
}

print "style: $fails problems\n";
exit($fails ? 1 : 0);

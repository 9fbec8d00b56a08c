#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# docs/conformance.md: each row says how a rule is met and names a test that is
# there, or says that it is not met, or does not arise.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use Test::More tests => 7;

my $root = abs_path(dirname(__FILE__) . '/../..');

my ($rows, $bad) = check(slurp("$root/docs/conformance.md"));

cmp_ok $rows, '>=', 100, 'rows of the table';
is_deeply $bad, [], 'each has a test that is there, or a reason'
    or diag join "\n", @$bad;

# what is wrong is seen

my $none = reverse 'ecnetnes hcus on';
my $good = '`build/conformance.t`: what is wrong is seen';

is_deeply [ check("| 1 | a | b | $good |\n| 2 | c | Not met: d | - |\n") ],
          [ 2, [] ], 'good rows';

is_deeply [ map { scalar @{(check($_))[1]} }
            "| 1 | a | b | `build/nothing.t`: x |\n",
            "| 1 | a | b | `build/conformance.t`: $none |\n",
            "| 1 | a | b | $good; `build/conformance.t`: $none |\n",
            "| 1 | a | b | `build/conformance.t`: rows |\n" ],
          [ 1, 1, 1, 1 ], 'no such test, or no sentence';
is_deeply [ map { scalar @{(check($_))[1]} }
            "| 1 | a | b | - |\n", "| 1 | a | b | |\n", "| 1 | a | b |\n",
            "| 1 | a | | $good |\n", "| 1 | a | b | x |\n" ],
          [ 1, 1, 1, 1, 1 ], 'neither a test nor a reason';

my @parts = slurp("$root/docs/conformance.md") =~ /^## RFC (\d+)/mg;

is_deeply [ sort keys %{{ map { $_ => 1 } @parts }} ],
          [ sort qw/ 2852 4865 6710 7293 3865 3885 8689 1985
                     3461 6531 9422
                     5321 1870 2034 2920 3207 4954 6066 6152 6409 3030 2033
                     2195 5802 5929 7628 / ],
          'RFCs';

like slurp("$root/docs/README.md"), qr/\(conformance\.md\)/, 'it can be found';


# the number of rows, and what is wrong with them

sub check {
    my ($text) = @_;
    my ($rows, @bad) = (0);

    for my $line (split /\n/, $text) {
        next if $line !~ /^\|/ || $line =~ /^\| (?:section|---) \|/;

        $rows++;

        my @cells = $line =~ /^\| (.+?) \| (.+?) \| (.+?) \| (.+) \|$/;

        if (!@cells || grep { /^\s*$|^\|/ } @cells) {
            push @bad, "$line: not four cells";

        } elsif ($cells[3] eq '-') {
            push @bad, "$line: no test and no reason"
                unless $cells[2] =~ /Not met|Does not arise/;

        } else {
            push @bad, map { "$line: $_" } tests($cells[3]);
        }
    }

    return ($rows, \@bad);
}


sub tests {
    my ($cell) = @_;
    my @bad;

    for my $test (split /; (?=`)/, $cell) {
        my ($file, $sentence) = $test =~ /^`([^`]+)`: (\S.*)$/;

        if (!defined $file) {
            push @bad, "no test: $test";

        } elsif (length $sentence < 9) {
            push @bad, "not much of a sentence: $sentence";

        } elsif (!-f "$root/t/$file") {
            push @bad, "no t/$file";

        } elsif (index(flat(slurp("$root/t/$file")), $sentence) < 0) {
            push @bad, "not in t/$file: $sentence";
        }
    }

    return @bad;
}


# comments go over several lines

sub flat { $_[0] =~ s/\n[ \t]*(?:#|\*)?[ \t]*/ /gr =~ s/\\"/"/gr }


sub slurp {
    my ($path) = @_;

    open my $fh, '<:raw', $path or die "$path: $!\n";
    local $/;

    return scalar <$fh>;
}

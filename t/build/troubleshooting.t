#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# docs/troubleshooting.md speaks of replies and of messages in the log that
# there are, in these words.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use Test::More tests => 4;

my $root = abs_path(dirname(__FILE__) . '/../..');
my $doc = slurp("$root/docs/troubleshooting.md");

my %reply = map { $_ => 1 }
            map { /^\| (\d+) \| ([\d.]+) \| `(.*?)` \|/ ? "$1 $2 $3" : () }
            split /\n/, slurp("$root/docs/replies.md");

my @replies = $doc =~ /^\| `(\d{3} [^`]+)`/gm;

cmp_ok @replies, '>', 15, 'replies';
is join("\n", grep { !$reply{$_} } @replies), '', 'they are in the table';

# texts of the sources, with their arguments cut out

my $text = join "\n", map {
    my $source = slurp($_);

    $source =~ s/"\s*\n\s*"//g;
    $source =~ s/\\"/"/g;
    $source =~ s/%[A-Za-z]+/.../g;
    $source;
} glob("$root/ngx_mail_smtp_ext/*/*.c");

my @messages = map { /`([^`]+)`/g } $doc =~ /error log: (.*?) \|$/gm;
@messages = grep { !/^crit$/ } @messages;

cmp_ok @messages, '>', 5, 'messages';
is join("\n", grep { index($text, $_) < 0 } @messages), '',
   'they are in the sources';


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or die "cannot open $file: $!\n";
    local $/;
    return scalar <$fh>;
}

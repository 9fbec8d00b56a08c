#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The reference is whole: every directive has its section in docs/reference/,
# with the contexts that the code allows, the default value that it sets and, in
# case of a list of words, these words; every section is about a directive;
# variables are in docs/variables.md, and no others.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use Test::More tests => 13;

my $root = abs_path(dirname(__FILE__) . '/../..');
my $source = "$root/ngx_mail_smtp_ext";

# contexts by the flags of a command; blocks have one of their own

my %contexts = (
    NGX_MAIL_MAIN_CONF => 'mail',
    NGX_MAIL_SRV_CONF => 'server',
    NGX_SMTP_PEER_UPS_CONF => 'smtp_upstream',
    NGX_SMTP_ROUTE_CONF => 'smtp_recipient',
    NGX_SMTP_TLS_NAME_CONF => 'smtp_ssl_server_name',
);

my %nginx = map { $_ => 1 } qw/ auth_http auth_http_header auth_http_timeout
    auth_http_pass_client_cert proxy_smtp_auth proxy_protocol xclient /;

my (%code, %words, %value, @foreign, @seen);

for my $file (glob("$source/*_module.c $source/*/*_module.c")) {
    my $text = slurp($file);

    my (%enums, %word, %constant, %merged);

    while ($text =~ /ngx_conf_(?:enum|bitmask)_t\s+(\w+)\[\]\s*=\s*\{(.*?)
                     ngx_null_string/gsx)
    {
        my ($name, $list) = ($1, $2);

        $enums{$name} = [ $list =~ /ngx_string\("([^"]+)"\)/g ];
        %word = (%word, reverse $list =~ /ngx_string\("([^"]+)"\),\s*(\w+)/g);
    }

    # the values that merging sets

    $constant{$1} = $2 while $text =~ /^#define\s+(\w+)\s+(\d+)$/gm;

    while ($text =~ /ngx_conf_(?:merge|init)(?:_\w+)?_value\(\s*\w+->(\w+),
                     (?:\s*\w+->\w+,)?\s*([\w\s*"]+?)\);/gsx)
    {
        my ($field, $v) = ($1, $2);

        $v = $word{$v} // $constant{$v} // $v;
        $v =~ s/"//g;
        $v = eval $v if $v =~ /^[\d\s*]+$/;
        $merged{$field} = $v;
    }

    while ($text =~ /ngx_command_t\s+\w+\[\]\s*=\s*\{(.*?)ngx_null_command/gs)
    {
        my $table = $1;

        while ($table =~ /\{\s*ngx_string\("(\w+)"\),\s*([A-Z_0-9|\s]+),
                          (.*?)\}/gsx)
        {
            my ($name, $flags, $rest) = ($1, $2, $3);

            # nginx's own, looked at and passed on: docs/reference/dropin.md

            if ($nginx{$name}) {
                push @seen, $name;
                next;
            }

            for my $flag (split /\|/, $flags =~ s/\s+//gr) {
                $code{$name}{$contexts{$flag}} = 1 if $contexts{$flag};
            }

            push @{$words{$name}}, @{$enums{$1} || []}
                if $rest =~ /&(\w+)\s*$/;

            # variables are none of these

            my ($slot, $field) = $rest =~ /ngx_(?:smtp_)?conf_set_(\w+)_slot.*
                                           offsetof\(\w+,\s*(\w+)\)/sx;

            $value{$name} = in_words($slot, $merged{$field})
                if $field && ($merged{$field} // '') =~ /^(?:\d+|[a-z]+)$/
                   && $merged{$field} !~ /^(?:timeout|errors|size)$/;

            # those of blocks are read by our own handlers

            push @foreign, $name if $name !~ /^smtp_/
                                    && $flags =~ /NGX_MAIL_/;
        }
    }
}

my (%docs, %section, @twice);

for my $file (glob("$root/docs/reference/*.md")) {
    my $text = slurp($file);

    # headings inside of examples are comments

    $text =~ s/^( *)```.*?^ *```//gms;

    my ($list) = $text =~ /^## Directives\n(.*?)(?=^## |\z)/ms or next;

    while ($list =~ /^### (\w+)\n(.*?)(?=^### |\z)/gms) {
        push @twice, $1 if $section{$1};
        $section{$1} = $2;
    }
}

cmp_ok keys %code, '>', 30, 'directives of the sources';

is join(' ', grep { !defined $section{$_} } sort keys %code), '',
   'every directive has a section';
is join(' ', grep { !$code{$_} } sort keys %section), '',
   'every section is about a directive';
is "@twice", '', 'no directive has two sections';

# "| Context: | `mail`, `server` |"

my @wrong;

for my $name (grep { $code{$_} } sort keys %section) {
    my ($line) = $section{$name} =~ /^\| Context: \| (.*) \|$/m;
    my ($syntax) = $section{$name} =~ /^\| Syntax: \| (.*) \|$/m;
    my ($default) = $section{$name} =~ /^\| Default: \| (.*) \|$/m;

    my $have = join ' ', sort(($line // '') =~ /`(\w+)`/g);
    my $want = join ' ', sort keys %{$code{$name}};

    push @wrong, "$name: context is \"$have\" and should be \"$want\""
        if $have ne $want;

    push @wrong, "$name: no syntax of it"
        if ($syntax // '') !~ /^`$name(?: |;)/;

    push @wrong, "$name: no default" unless defined $default;

    push @wrong, map { "$name: no \"$_\" in its syntax" }
                 grep { ($syntax // '') !~ /\b\Q$_\E\b/ }
                 @{$words{$name} || []};
}

is join("\n", @wrong), '', 'syntax, default and context of each';

# default values, as 1024 or 1k

my @values;

for my $name (grep { defined $section{$_} } sort keys %value) {
    my ($have) = $section{$name} =~ /^\| Default: \| `$name (.*);` \|/m;

    push @values, "$name: default is \"" . ($have // '') . '" and should be "'
                  . $value{$name}[0] . '"'
        if !grep { $_ eq ($have // '') } @{$value{$name}};
}

cmp_ok keys %value, '>', 20, 'defaults of the sources';
is join("\n", @values), '', 'defaults';

# in mail {} and server {}, where nginx has names of its own

is "@foreign", '', 'every directive begins with smtp_';
is join(' ', sort @seen), join(' ', sort keys %nginx),
   'but for those of nginx that are passed on';

# variables

my $text = slurp("$source/core/ngx_smtp_var.c");
my ($table) = $text =~ /ngx_smtp_var_table\[\]\s*=\s*\{(.*?)ngx_null_string/s;
my @variables = sort(($table // '') =~ /ngx_string\("(\w+)"\)/g);
my @described = slurp("$root/docs/variables.md") =~ /^\| `\$(\w+)` \|/gm;

cmp_ok @variables, '>', 40, 'variables of the sources';
is "@described", "@variables",
   'docs/variables.md has all of them, in order, and no others';

# whoever names one elsewhere in the documentation names one that there is

my %variable = map { $_ => 1 } @variables,
    slurp("$source/relay/ngx_smtp_maildir_path.c") =~ /string\("(smtp_\w+)"\)/g;
my (@unknown, @files);

@files = ("$root/README.md",
          split /\n/, `find '$root/docs' -name '*.md'`);

for my $file (@files) {
    push @unknown, map { "$file: \$$_" } grep { !$variable{$_} }
                   slurp($file) =~ /\$(smtp_\w+)/g;
}

is join("\n", @unknown), '', 'no other variables are spoken of';

# likewise directives: smtp_... is one of ours; or one of nginx's own, the
# protocol, a folder

my %other = map { $_ => 1 }
            qw/ smtp_auth smtp_capabilities smtp_client_buffer
                smtp_greeting_delay smtp_ext smtp_temp /;
my @names;

for my $file (@files) {
    next if $file =~ m!/docs/dev/!;

    push @names, map { "$file: $_" }
                 grep { !$code{$_} && !$other{$_} }
                 slurp($file) =~ /(?<![\w\$])(smtp_[a-z_]+)\b(?!\*)/g;
}

is join("\n", @names), '', 'no other directives are spoken of';


# the ways in which a value can be written, the shortest first

sub in_words {
    my ($slot, $value) = @_;

    return [ $value ? 'on' : 'off' ] if $slot eq 'flag';

    my @units = $slot =~ /^(?:size|off)$/ ? ([ 1024 ** 2, 'm' ], [ 1024, 'k' ])
                : $slot eq 'msec' ? ([ 3600000, 'h' ], [ 60000, 'm' ],
                                     [ 1000, 's' ], [ 1, 'ms' ])
                : ();

    return [ (map { $value / $_->[0] . $_->[1] }
              grep { $value && $value % $_->[0] == 0 } @units),
             @units && $slot eq 'msec' ? () : $value ];
}


sub slurp {
    my ($name) = @_;

    open my $fh, '<', $name or die "$name: $!";
    local $/;

    return scalar <$fh>;
}

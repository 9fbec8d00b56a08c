#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# docs/security.md lists what bounds all that arrives: directives that there
# are, constants with the values of the sources, tests that there are and that
# have to do with it; and no constant that bounds something is left out.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use Test::More tests => 8;

my $root = abs_path(dirname(__FILE__) . '/../..');

# of our own making: rows that are printed, numbers that are right by then, what
# only the configuration says

my %ours = map { $_ => 1 } map { "NGX_SMTP_$_" } qw/
    ASK_LINE_MAX AUTH_LIMIT_MAX AUTH_LOG_MAX BY_MAX CHECK_HELO_MAX
    CLIENT_SECRET_MAX COMMAND_AUTH_MAX DATETIME_MAX DATE_MAX DSN_NOTIFY_MAX
    ESMTP_EHLO_MAX ESMTP_MAIL_MAX ESMTP_RCPT_MAX HEADER_NAME_MAX HELP_MAX
    HOOK_LOG_MAX LIMITS_MAX LOG_ESCAPE_MAX LOG_SYSLOG_MAX LOG_TEXT_MAX
    MIME_LINE_MAX PEER_KEEP_MAX PEER_TLS_DEPTH PEER_TLS_SERVERS
    PEER_WEIGHT_MAX POST_KEY_MAX PROXY_MAX PROXY_TEXT_MAX QUOTA_FILE_MAX
    QUOTA_MAX REPLY_LINE_MAX REPLY_LOG_MAX REPORT_TEXT_MAX SASL_BINDING_MAX
    SCRAM_HASH_MAX SEVENBIT_BASE64_MAX SEVENBIT_QUOTED_MAX ULABEL_MAX UPSTREAM_NAME_MAX /;

# what is nginx's, or a parameter

my %known = map { $_ => 1 } qw/
    worker_connections timeout resolver_timeout max_answer max_body
    max_conns queue keepalive keepalive_requests keepalive_timeout resolve /;

my (%value, %directive);

for my $file (glob("$root/ngx_mail_smtp_ext/*.[ch] "
                   . "$root/ngx_mail_smtp_ext/*/*.[ch]"))
{
    my $text = slurp($file);

    $value{$1} = $2
        while $text =~ /^#define\s+(NGX_SMTP_\w+)[ \t]+(\S.*?)\s*$/gm;

    $directive{$1} = 1 while $text =~ /ngx_string\("(smtp_\w+)"\)/g;
}

my $doc = slurp("$root/docs/security.md");
my (@rows, @wrong_value, @no_directive, @no_test, @unrelated, %named);

for my $line ($doc =~ /^\| (?!what \| |---)(.*) \|$/gm) {
    my ($what, $bound, $tests) = split / \| ?/, $line, 3;

    $tests = '' unless defined $tests;
    push @rows, [ $what, $bound, $tests ];
}

for my $row (@rows) {
    my ($what, $bound, $tests) = @$row;
    my @constants = $bound =~ /`(NGX_SMTP_\w+)`/g;
    my @tests = $tests =~ /`(t\/\S+)`/g;

    $named{$_} = 1 for @constants;

    # the value stands in front, as it is there

    for my $name (@constants) {
        my $is = ($value{$name} // 'nothing') =~ s/^\((.*)\)$/$1/r;

        $is =~ s/\D//g if $is =~ /^\d+[A-Z]*$/;
        $is /= 1000 if $name =~ /RESOLVE_TIMEOUT/;
        $is =~ s/ \* 24 \* 3600// if $name =~ /AGE_MAX/;

        push @wrong_value, "$what: $name is $is"
            unless $bound =~ /(?<!\d)\Q$is\E(?!\d)/;
    }

    for my $name ($bound =~ /`(\w+)`/g) {
        next if $name =~ /^NGX_/ || $known{$name};
        push @no_directive, "$what: $name"
            unless $directive{$name} || $name !~ /^smtp_/;
    }

    push @no_test, "$what: none" unless @tests || $bound =~ /^nginx/;
    push @no_test, map { "$what: $_" } grep { !-f "$root/$_" } @tests;

    # one of the tests at least knows the directive

    my $text = join '', map { slurp("$root/$_") } grep { -f "$root/$_" } @tests;

    for my $name ($bound =~ /`(smtp_\w+)`/g) {
        push @unrelated, "$what: $name" unless $text =~ /\b\Q$name\E\b/;
    }
}

cmp_ok @rows, '>', 60, 'there is a table';
is scalar(() = $doc =~ /^## /gm), 5, 'of all who send something';
is join("\n", @wrong_value), '', 'constants have these values';
is join("\n", @no_directive), '', 'the directives are there';
is join("\n", @no_test), '', 'each row has a test that is there';
is join("\n", @unrelated), '', 'which has to do with the directive';

my @missing = grep { /_(?:MAX|DEPTH|PARTS|HOLD|EXCESS|WAITS|LINGER)$/
                     && !$named{$_} && !$ours{$_} } sort keys %value;

is join("\n", @missing), '', 'no constant is missing';
is join(' ', grep { !$value{$_} } sort keys %ours), '',
   'nor is one excused that is gone';


sub slurp {
    my ($file) = @_;

    open my $fh, '<', $file or die "cannot open $file: $!\n";
    local $/;
    return scalar <$fh>;
}

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The documentation is true where a machine can tell: nginx takes every example
# of a configuration, links lead somewhere, every directive is described.
#
# An example is a fenced block of "nginx" in README.md or docs/.  One with
# "mail {" or "events {" stands as it is; one whose first line is the comment
# "# in server{}", "# in http{}" or "# in main" is put there; any other goes
# into mail {}.  Ports, files and hosts are replaced by those of the test.

use warnings;
use strict;

use File::Basename qw/ dirname /;
use File::Find;
use File::Path qw/ make_path /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();
my $root = $t->root();
my $dir = $t->testdir();
my (@files, @blocks, @links, @directives);

push @files, 'README.md' if -f "$root/README.md";

find({ no_chdir => 1, wanted => sub {
    push @files, $File::Find::name =~ s!^\Q$root\E/!!r
        if /\.md$/ && -f;
} }, "$root/docs") if -d "$root/docs";

for my $file (sort @files) {
    my ($n, $block) = (0);

    for my $line (split /^/, $t->read_file("$root/$file")) {
        $n++;

        if ($block) {
            if ($line =~ /^\s*```/) {
                push @blocks, $block if $block->{type} eq 'nginx';
                undef $block;

            } else {
                $line =~ s/^ {0,$block->{indent}}//;
                $block->{text} .= $line;
            }

            next;
        }

        if ($line =~ /^( *)```(\w*)/) {
            $block = { file => $file, line => $n, type => $2, text => '',
                       indent => length $1 };
            next;
        }

        push @links, map { [ $file, $n, $_ ] }
                     grep { !/^(?:https?|mailto):/ }
                     $line =~ /\]\(([^)\s]+)\)/g;
    }
}

my %seen;

find({ no_chdir => 1, wanted => sub {
    return unless /\.c$/;

    my $text = $t->read_file($_);

    while ($text =~ /ngx_command_t\s+\w+\[\]\s*=\s*\{(.*?)ngx_null_command/gs) {
        push @directives, grep { !$seen{$_}++ } $1 =~ /ngx_string\("(\w+)"\)/g;
    }
} }, "$root/ngx_mail_smtp_ext");

plan(skip_all => 'no documentation') unless @files;
plan(tests => @blocks + 3);

# certificates that all examples share

$t->certificate('docs', is_ca => 1);

for my $block (@blocks) {
    my ($rc, $out) = $t->test_conf(whole($block->{text}));

    # nor is there anything that nginx warns of, but for its own reasons

    $out = join '', grep { !/\[warn\].*(?:conflicting|deprecated|protocol op)/ }
                    split /^/, $out;

    ok $rc == 0 && $out !~ /\[warn\]/, "$block->{file}:$block->{line}"
        or diag $out, $t->read_file('test.conf');
}

cmp_ok @blocks, '>', 0, 'there are examples';

is join("\n", map { "$_->[0]:$_->[1]: $_->[2]" }
              grep { !link_exists(@$_) } @links), '', 'links';

my $reference = join '', map { $t->read_file("$root/$_") }
                         grep { m!^docs/reference/! } @files;

is join(' ', grep { $reference !~ /\b\Q$_\E\b/ } @directives), '',
   'every directive is described in docs/reference/';


sub link_exists {
    my ($file, $line, $link) = @_;

    $link =~ s/#.*//;

    return 1 if $link eq '';
    return -e "$root/" . dirname($file) . "/$link";
}


# a whole configuration that can be tested here

sub whole {
    my ($text) = @_;

    my ($where) = $text =~ /\A\s*#\s*in\s+(\w+)/;

    $text = local_text($text);

    if (($where // '') eq 'server') {
        my $listen = $text =~ /^\s*listen\s/m
                     ? '' : 'listen 127.0.0.1:20025;';
        my $protocol = $text =~ /^\s*protocol\s/m
                       ? '' : 'protocol smtp_ext;';

        # the rest of that server has TLS, where users log in

        my $tls = $text =~ /^\s*smtp_auth_http\s/m && $text !~ /starttls/
                  ? "starttls on; ssl_certificate $dir/docs.crt;
                     ssl_certificate_key $dir/docs.key;" : '';

        $text = "mail {\n" . upstreams($text)
                . "server {\n$listen $protocol\n$tls\n$text}\n}\n";

    } elsif (($where // '') eq 'http') {
        $text = "http {\n$text}\n";

    } elsif (($where // '') ne 'main' && $text !~ /^(?:mail|events|http)\s*\{/m)
    {
        $text = "mail {\n" . upstreams($text) . $text . "}\n";
    }

    $text = "events { }\n$text" unless $text =~ /^events\s*\{/m;
    $text =~ s/^(http\s*\{)/$1\n%%HTTP_PATHS%%/m;

    return "%%GLOBALS%%\n$text";
}


# upstreams that a part of a configuration names and leaves to its reader

sub upstreams {
    my ($text) = @_;
    my %names;

    $names{$1} = 1
        while $text =~ m{(?:smtp_pass\s+|(?:https?|smtps?|lmtp)://)([a-z_]\w*)
                         (?=[/;\s])}gx;
    delete $names{$_} for 'unix', 'localhost',
                          $text =~ /smtp_upstream\s+(\w+)/g;

    return join '', map { "smtp_upstream $_ { server 127.0.0.1:9; }\n" }
                    sort keys %names;
}


sub local_text {
    my ($text) = @_;

    # said already in the globals

    $text =~ s/^(?:load_module|user|worker_processes|pid|daemon|error_log)
               \s[^;]*;.*\n//gmx;

    # certificates

    $text =~ s/(\w*certificate_key\s+)[^;]+;/$1$dir\/docs.key;/g;
    $text =~ s/(\w*certificate\s+)[^;]+;/$1$dir\/docs.crt;/g;

    # files and sockets; what is read is there, and empty but for secrets

    $text =~ s{(?<![\w/.])(/(?:var|etc|run|srv|home|tmp|opt|usr)/[^\s;'"\}]*)}
              {here($1)}ge;

    # ports

    $text =~ s/(\blisten\s+)(?:(\*|[\d.]+|\[[^\]]*\]):)?(\d+)/
               $1 . address($2) . ':' . ($3 < 1024 ? 20000 + $3 : $3)/gex;

    # hosts, unless they are looked up at run time

    $text = join '', map {
        s{(\bserver\s+|://)(?:[\w-]+\.)+example(?:\.(?:com|net|org))?}
         {${1}127.0.0.1}gx unless /\bresolve\b/;
        $_;
    } split /^/, $text;

    return $text;
}


sub address {
    my ($address) = @_;

    return '127.0.0.2' if defined $address && $address =~ /^\[/;
    return '127.0.0.1';
}


sub here {
    my ($path) = @_;

    return $path if $path =~ m!^\Q$dir\E/!;

    make_path(dirname("$dir$path"));

    $t->write_file("$dir$path", $path =~ /password|token/ ? "secret\n" : '')
        if $path =~ m!^/etc/! && $path !~ m!/$! && !-e "$dir$path";

    return "$dir$path";
}

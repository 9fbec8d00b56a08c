package Test::Nginx::SmtpExt::Util;

# Copyright (C) ngx_mail_smtp_ext authors

# What the parts of the test library share.

use warnings;
use strict;

use Exporter 'import';
use Errno qw/ EAGAIN EINTR EWOULDBLOCK /;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw/ SOCK_STREAM /;
use Time::HiRes qw/ time /;

our @EXPORT_OK = qw/ scaled slow retry poll socket_to crlf /;


# everything takes longer under a sanitizer, and on a machine with more to do
# than it has processors for

my $slow;

sub slow {
    return $slow ||= $ENV{TEST_NGINX_SLOW} || crowded();
}


# how many want a processor, for each that there is: 1 to 4

sub crowded {
    my ($load) = split ' ', content('/proc/loadavg') // '';
    my @processors = (content('/proc/cpuinfo') // '') =~ /^processor\b/gm;

    my $n = int(($load || 0) / (@processors || 1));

    return $n < 1 ? 1 : $n > 4 ? 4 : $n;
}


sub content {
    my ($file) = @_;

    open my $fh, '<', $file or return;
    local $/;

    return scalar readline $fh;
}


sub scaled {
    my ($seconds) = @_;

    return $seconds * slow();
}


# the last system call is to be repeated

sub retry {
    return $!{EAGAIN} || $!{EINTR} || $!{EWOULDBLOCK};
}


# for what tells of no event, a file or a process of others; bounded

sub poll {
    my ($sub, $seconds) = @_;
    my $end = time() + scaled($seconds);

    while (1) {
        my $rc = $sub->();

        return $rc if $rc;
        return if time() >= $end;

        select undef, undef, undef, 0.01;
    }
}


# port, host:port, unix:/path

sub socket_to {
    my ($to, %o) = @_;

    if ($to =~ m!^(?:unix:)?(/.*)!) {
        return IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $1);
    }

    my $host = $to =~ s/^(.*):// ? $1 : '127.0.0.1';

    return IO::Socket::INET->new(
        PeerAddr => $host,
        PeerPort => $to,
        Proto => 'tcp',
        ($o{local} ? (LocalAddr => $o{local}) : ()),
        Timeout => scaled(5),
    );
}


# lines of text as they go over the wire

sub crlf {
    my ($text) = @_;

    $text =~ s/\r?\n/\r\n/g;
    $text .= "\r\n" unless $text =~ /\n\z/;

    return $text;
}


1;

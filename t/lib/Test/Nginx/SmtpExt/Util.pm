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


# everything takes longer under a sanitizer

sub slow {
    return $ENV{TEST_NGINX_SLOW} || 1;
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

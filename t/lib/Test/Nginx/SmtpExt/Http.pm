package Test::Nginx::SmtpExt::Http;

# Copyright (C) ngx_mail_smtp_ext authors

# A scripted HTTP/1.1 backend, which records whole requests.
#
# new(port | unix:/path, options):
#
#     on        { path => answer }; the path without the query
#     default   answer for other paths, 404
#     hooks     { stage => answer } for what smtp_hook asks, a text being JSON;
#               other stages are accepted
#     ssl       { cert, key, ca }
#     keep      0: requests are not kept, for very many of them
#     fault     at => 'RESPONSE' or 'REQUEST' (its header is there, its body
#               not yet: an early answer), 'CONNECT'; see Daemon.pm
#
# An answer is { status, reason, headers => { } or [ name, value, ... ], body,
# chunked, close, delay, hold (until release()), raw => "all of it" }, text (a body with 200), a sub
# ($request, $n) that returns one, or a list of these for the first, second...
# request.  auth => { user => password } answers nginx's auth_http protocol on
# "/auth", with Auth-Server and Auth-Port of "auth_server" where given.

use warnings;
use strict;

use base 'Test::Nginx::SmtpExt::Daemon';


# requests: { method, uri, path, version, headers { lower case => value (many:
# joined by ", ") }, header_list [ [ name, value ] ], body, raw, n (connection),
# i (its number on the connection) }

sub requests {
    my ($self, $path) = @_;

    return grep { !defined $path || $_->{path} eq $path }
           $self->events('request');
}


sub wait_requests {
    my ($self, $n, $seconds) = @_;

    return $self->wait_for(sub { $self->requests() >= $n }, $seconds);
}


# in the child

sub on_accept {
    my ($self, $c) = @_;

    my $f = $self->fault($c, 'CONNECT');

    $self->misbehave($c, $f, '') if $f;
}


sub on_data {
    my ($self, $c) = @_;

    while ($c->{fd} >= 0 && !$c->{deaf} && !$c->{close}) {
        $self->_request($c) or last;
    }
}


sub _request {
    my ($self, $c) = @_;

    # a capture would copy all that is there, each time that some of it comes

    my $end = index $c->{in}, "\r\n\r\n";

    return 0 if $end < 0;

    my $head = substr $c->{in}, 0, $end + 2;
    my ($line, @fields) = split /\r\n/, $head;
    my $start = length($head) + 2;

    my ($method, $uri, $version) = split / /, $line, 3;
    my %r = (method => $method, uri => $uri, version => $version // '');

    ($r{path}) = $uri =~ /^([^?]*)/;

    for (@fields) {
        my ($name, $value) = /^([^:]*):\s*(.*?)\s*\z/s;

        ($name, $value) = ($_, '') unless defined $name;
        push @{$r{header_list}}, [ $name, $value ];

        my $key = lc $name;
        $r{headers}{$key} = exists $r{headers}{$key}
                            ? "$r{headers}{$key}, $value" : $value;
    }

    if (!$c->{early}) {
        my $f = $self->fault($c, 'REQUEST');

        if ($f) {
            $c->{early} = 1;
            $self->misbehave($c, $f, $self->_response($c, \%r));
            return 0;
        }
    }

    return 0 if length($c->{in}) < $start + ($r{headers}{'content-length'} // 0);

    my ($body, $used) = _body(\%r, substr $c->{in}, $start);

    return 0 unless defined $body;

    $r{body} = $body;
    $r{raw} = substr $c->{in}, 0, $start + $used, '';
    $r{n} = $c->{n};
    $r{i} = ++$c->{requests};

    $self->event('request', %r) if $self->{o}{keep} // 1;

    return 0 if delete $c->{early};

    my $response = $self->_response($c, \%r);
    my $f = delete $c->{hold} ? { do => 'hold' }
                              : $self->fault($c, 'RESPONSE');

    if ($f) {
        $self->misbehave($c, $f, $response);
        return $f->{do} eq 'silent' || $f->{do} eq 'drip';
    }

    if ($c->{delay}) {
        my $seconds = delete $c->{delay};

        $self->timer($seconds, sub { $self->send($c, $response) });
        return 1;
    }

    $self->send($c, $response);

    return 1;
}


sub _body {
    my ($r, $in) = @_;

    if (lc($r->{headers}{'transfer-encoding'} // '') eq 'chunked') {
        my $body = '';

        pos($in) = 0;

        while ($in =~ /\G([0-9a-fA-F]+)[^\r\n]*\r\n/gc) {
            my $size = hex $1;
            my $at = pos $in;

            if ($size == 0) {
                return ($body, pos $in) if $in =~ /\G(?:[^\r\n]+\r\n)*\r\n/gc;
                return;
            }

            return if length($in) < $at + $size + 2;

            $body .= substr $in, $at, $size;
            pos($in) = $at + $size + 2;
        }

        return;
    }

    my $size = $r->{headers}{'content-length'} // 0;

    return if length $in < $size;

    return (substr($in, 0, $size), $size);
}


sub _response {
    my ($self, $c, $r) = @_;

    my $answer = $self->answer($self->{o}{on} || {}, $r->{path}, $r);

    if (!defined $answer && $self->{o}{auth} && $r->{path} eq '/auth') {
        $answer = $self->_auth($r);
    }

    if (!defined $answer && $self->{o}{hooks}
        && ($r->{body} // '') =~ /^\{"context":\{"stage":"(\w+)"/)
    {
        $answer = $self->answer($self->{o}{hooks}, $1, $r);
        $answer //= '{"action":"accept"}';
    }

    $answer //= $self->answer($self->{o}, 'default', $r);
    $answer //= { status => 404 };
    $answer = { body => $answer } unless ref $answer;

    $c->{close} = 1 if $answer->{close} && !$answer->{delay};
    $c->{delay} = $answer->{delay};
    $c->{hold} = $answer->{hold};

    return $answer->{raw} if defined $answer->{raw};

    my $status = $answer->{status} // 200;
    my $reason = $answer->{reason} // ($status == 200 ? 'OK' : 'Status');
    my $body = $answer->{body} // '';
    my $text = "HTTP/1.1 $status $reason\r\n";
    my @headers = ref $answer->{headers} eq 'HASH'
                  ? map { $_ => $answer->{headers}{$_} }
                        sort keys %{$answer->{headers}}
                  : @{$answer->{headers} || []};

    while (my ($name, $value) = splice @headers, 0, 2) {
        $text .= "$name: $value\r\n";
    }

    $text .= "Connection: close\r\n" if $answer->{close};

    if ($answer->{chunked}) {
        $text .= "Transfer-Encoding: chunked\r\n\r\n";
        $text .= sprintf("%x\r\n%s\r\n", length $1, $1)
            while $body =~ /(.{1,7})/gs;

        return $text . "0\r\n\r\n";
    }

    $text .= 'Content-Length: ' . length($body) . "\r\n"
        unless $status == 204 || $answer->{no_length};

    return "$text\r\n$body";
}


# nginx's auth_http protocol; user and password come percent-encoded

sub _auth {
    my ($self, $r) = @_;

    my ($user, $password) = map { s/%([0-9a-fA-F]{2})/chr hex $1/ger }
                            map { $r->{headers}{$_} // '' }
                            qw/ auth-user auth-pass /;
    my $known = $self->{o}{auth}{$user};

    return { headers => [ 'Auth-Status' => 'Invalid login or password',
                          'Auth-Wait' => 1 ] }
        unless defined $known && $known eq $password;

    my @to = split /:(?=\d+$)/, $self->{o}{auth_server} // '';

    return { headers => [ 'Auth-Status' => 'OK',
                          (@to ? ('Auth-Server' => $to[0]) : ()),
                          (@to > 1 ? ('Auth-Port' => $to[1]) : ()) ] };
}


1;

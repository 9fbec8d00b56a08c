package Test::Nginx::SmtpExt::Client;

# Copyright (C) ngx_mail_smtp_ext authors

# An SMTP client that does what a test tells it, and keeps the conversation.
# Every wait is bounded by the timeout; what could not be read is reported as
# "(closed)", "(reset)" or "(timeout)" in place of the reply.

use warnings;
use strict;

use MIME::Base64 qw/ encode_base64 /;
use Socket qw/ SOL_SOCKET SO_LINGER IPPROTO_TCP TCP_NODELAY /;
use Test::More ();
use Time::HiRes qw/ time /;

use Test::Nginx::SmtpExt::Util qw/ scaled retry socket_to /;


# new(port | host:port | unix:/path, options):
#
#     ssl       1, or a hash of options for IO::Socket::SSL
#     proxy     bytes to send first, a PROXY protocol header
#     local     address to connect from
#     timeout   seconds for each wait, 8

sub new {
    my ($class, $to, %o) = @_;

    my $self = bless {
        timeout => scaled($o{timeout} || 8),
        in => '',
        transcript => '',
        last => '',
        state => '',
    }, $class;

    $self->{socket} = socket_to($to, %o)
        or die "can't connect to $to: $!\n";

    $self->{socket}->blocking(0);
    $self->{socket}->setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        unless $self->{socket}->isa('IO::Socket::UNIX');

    $self->send_raw($o{proxy}, quiet => 1) if defined $o{proxy};
    $self->start_tls(ref $o{ssl} ? %{$o{ssl}} : ()) if $o{ssl};

    return $self;
}


sub start_tls {
    my ($self, %o) = @_;

    require IO::Socket::SSL;

    $self->{socket}->blocking(1);

    my $ok = IO::Socket::SSL->start_SSL($self->{socket},
        SSL_verify_mode => 0,
        Timeout => $self->{timeout},
        %o,
    );

    unless ($ok) {
        $self->{tls_error} = $IO::Socket::SSL::SSL_ERROR;
        $self->_note('* no TLS: ' . $self->{tls_error});
        $self->{state} = '(closed)';
        return 0;
    }

    $self->{socket}->blocking(0);
    $self->{tls} = 1;
    $self->_note('* TLS');

    return 1;
}


# writing

sub send_raw {
    my ($self, $data, %o) = @_;
    my $end = time() + $self->{timeout};
    my $sent = 0;

    local $SIG{PIPE} = 'IGNORE';

    $self->_lines('C', $data) unless $o{quiet};

    while ($sent < length $data) {
        my $n = $self->{socket}->syswrite($data, 16384, $sent);

        if (defined $n) {
            $sent += $n;
            next;
        }

        # the answer may explain why: it is for the reader to see

        return 0 unless retry() || $self->{tls};

        my ($r, $w) = ('', '');
        vec($w, fileno $self->{socket}, 1) = 1;
        vec($r, fileno $self->{socket}, 1) = 1 if $self->{tls};

        my $left = $end - time();
        return 0 if $left <= 0 || !$self->{socket}->opened();
        return 0 if $self->{tls} && !$self->_tls_wants();

        select $r, $w, undef, $left;
    }

    return 1;
}


sub send_line {
    my ($self, $line) = @_;

    return $self->send_raw("$line\r\n");
}


# one write of many commands

sub pipeline {
    my ($self, @lines) = @_;

    return $self->send_raw(join '', map { "$_\r\n" } @lines);
}


# reading

# a whole reply, its lines joined by "\n", without the last line's end

sub read_reply {
    my ($self) = @_;
    my @lines;

    while (1) {
        my $line = $self->read_line();

        push @lines, $line;
        last unless $line =~ /^\d\d\d-/;
    }

    return $self->{last} = join "\n", @lines;
}


sub read_replies {
    my ($self, $n) = @_;

    return map { $self->read_reply() } 1 .. $n;
}


# a line without its CRLF; a line that ends with LF alone is marked

sub read_line {
    my ($self) = @_;
    my $end = time() + $self->{timeout};

    while (1) {
        if ($self->{in} =~ s/^([^\n]*)\n//) {
            my $line = $1;

            $line .= '(LF)' unless $line =~ s/\r\z//;
            $self->_note("S: $line");
            return $line;
        }

        unless ($self->_fill($end)) {
            $self->_note("* $self->{state}");

            my $rest = $self->{in};
            $self->{in} = '';
            return $rest . $self->{state};
        }
    }
}


# exactly so many bytes

sub read_bytes {
    my ($self, $n) = @_;
    my $end = time() + $self->{timeout};

    while (length $self->{in} < $n) {
        last unless $self->_fill($end);
    }

    return substr $self->{in}, 0, $n, '';
}


# the server closes, and says nothing before

sub eof {
    my ($self) = @_;
    my $end = time() + $self->{timeout};

    1 while $self->{in} eq '' && $self->_fill($end);

    my $closed = $self->{in} eq '' && $self->{state} ne '(timeout)';

    $self->_note("* $self->{state}") if $closed;
    $self->_note("* not closed: $self->{in}") unless $closed;

    return $closed ? 1 : 0;
}


sub last_reply { $_[0]{last} }

sub state { $_[0]{state} }

sub socket { $_[0]{socket} }


sub _fill {
    my ($self, $end) = @_;

    return 0 if $self->{state} eq '(closed)' || $self->{state} eq '(reset)';

    $self->{state} = '';

    while (1) {
        my $n = $self->{socket}->sysread($self->{in}, 65536,
                                         length $self->{in});

        return 1 if $n;

        if (defined $n) {
            $self->{state} = '(closed)';
            return 0;
        }

        my $again = $self->{tls} ? $self->_tls_wants() : retry();

        unless ($again) {
            $self->{state} = $!{ECONNRESET} ? '(reset)' : '(closed)';
            return 0;
        }

        my $left = $end - time();

        if ($left <= 0) {
            $self->{state} = '(timeout)';
            return 0;
        }

        my ($r, $w) = ('', '');
        vec($r, fileno $self->{socket}, 1) = 1;
        vec($w, fileno $self->{socket}, 1) = 1 if $again eq 'write';

        select $r, $w, undef, $left;
    }
}


sub _tls_wants {
    no warnings 'once';

    return 'read'
        if $IO::Socket::SSL::SSL_ERROR == IO::Socket::SSL::SSL_WANT_READ();
    return 'write'
        if $IO::Socket::SSL::SSL_ERROR == IO::Socket::SSL::SSL_WANT_WRITE();

    return retry() ? 'read' : '';
}


# commands; each returns the reply

sub cmd {
    my ($self, $line) = @_;

    $self->send_line($line);

    return $self->read_reply();
}


# { KEYWORD => parameters }, empty when EHLO was refused

sub ehlo {
    my ($self, $name) = @_;

    my $reply = $self->cmd('EHLO ' . ($name // 'client.example.com'));
    my %ext;

    if ($reply =~ /^250/) {
        my (undef, @lines) = split /\n/, $reply;

        for (@lines) {
            $ext{uc $1} = $2 // '' if /^250[ -](\S+)(?: (.*))?/;
        }
    }

    return $self->{ehlo} = \%ext;
}


sub starttls {
    my ($self, %o) = @_;

    my $reply = $self->cmd('STARTTLS');

    if ($reply =~ /^220/) {
        $self->start_tls(%o) or return '(no TLS)';
    }

    return $reply;
}


sub auth_plain {
    my ($self, $user, $password, $authzid) = @_;

    my $line = ($authzid // '') . "\0$user\0$password";

    return $self->cmd('AUTH PLAIN ' . encode_base64($line, ''));
}


sub auth_login {
    my ($self, $user, $password) = @_;

    for my $line ('AUTH LOGIN', encode_base64($user, '')) {
        my $reply = $self->cmd($line);
        return $reply unless $reply =~ /^334/;
    }

    return $self->cmd(encode_base64($password, ''));
}


sub mail {
    my ($self, $from, @params) = @_;

    return $self->cmd(join ' ', "MAIL FROM:<$from>", @params);
}


sub rcpt {
    my ($self, $to, @params) = @_;

    return $self->cmd(join ' ', "RCPT TO:<$to>", @params);
}


# DATA and the message (dots are stuffed here); the reply to its end, or to
# DATA when that was refused

sub data {
    my ($self, $message) = @_;

    my $reply = $self->cmd('DATA');

    return $reply unless $reply =~ /^354/;

    $self->body($message);

    return $self->read_reply();
}


sub body {
    my ($self, $message) = @_;

    $message =~ s/(\A|\r\n)\./$1../g;
    $message .= "\r\n" unless $message eq '' || $message =~ /\r\n\z/;

    return $self->send_raw("$message.\r\n");
}


sub bdat {
    my ($self, $chunk, $last) = @_;

    my $line = 'BDAT ' . length($chunk) . ($last ? ' LAST' : '');

    $self->send_raw("$line\r\n$chunk");

    return $self->read_reply();
}


# a whole transaction: from, to (one or a list), data; the last reply, or the
# first one that is not positive

sub send_message {
    my ($self, %o) = @_;

    my $to = $o{to} // 'rcpt@example.com';
    my $reply = $self->mail($o{from} // 'sender@example.com',
                            @{$o{mail_params} || []});

    return $reply unless $reply =~ /^2/;

    for (ref $to ? @$to : $to) {
        $reply = $self->rcpt($_, @{$o{rcpt_params} || []});
        return $reply unless $reply =~ /^2/;
    }

    return $self->data($o{data} // "Subject: test\r\n\r\nhello\r\n");
}


sub quit {
    my ($self) = @_;

    my $reply = $self->cmd('QUIT');

    $self->eof() && $self->close() if $reply =~ /^221/;

    return $reply;
}


sub close {
    my ($self) = @_;

    if ($self->{tls}) {
        $self->{socket}->close(SSL_fast_shutdown => 1);

    } else {
        $self->{socket}->close();
    }

    $self->{state} = '(closed)';
    $self->_note('* client closed');
}


# ends the connection by RST

sub reset {
    my ($self) = @_;

    $self->{socket}->setsockopt(SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0);

    if ($self->{tls}) {
        $self->{socket}->close(SSL_no_shutdown => 1);

    } else {
        $self->{socket}->close();
    }

    $self->{state} = '(closed)';
    $self->_note('* client reset');
}


# no more from the client, which goes on reading

sub shutdown_write {
    my ($self) = @_;

    $self->_note('* client done');
    shutdown $self->{socket}, 1;
}


# one test: a name and steps [ command => pattern ]; a command may be undef
# (only read) or a reference to bytes that are sent as they are

sub dialogue {
    my ($self, @steps) = @_;

    my $name = ref $steps[0] ? 'dialogue' : shift @steps;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    for my $step (@steps) {
        my ($command, $pattern) = @$step;

        if (ref $command) {
            $self->send_raw($$command);

        } elsif (defined $command) {
            $self->send_line($command);
        }

        my $reply = $self->read_reply();

        next if ref $pattern ? $reply =~ $pattern : $reply eq $pattern;

        Test::More::ok(0, $name);
        Test::More::diag("expected $pattern\n" . $self->transcript());
        return 0;
    }

    return Test::More::ok(1, $name);
}


# the conversation so far: "C: ...", "S: ...", "* ..." for what is no line

sub transcript {
    my ($self, %o) = @_;

    my $text = $self->{transcript};

    $self->{transcript} = '' if $o{clear};

    return $text;
}


sub _lines {
    my ($self, $who, $data) = @_;

    if (length $data > 4096) {
        $self->_note("$who: (" . length($data) . ' bytes)');
        return;
    }

    for my $line ($data =~ /([^\n]*\n|[^\n]+)/g) {
        $line =~ s/\r\n\z// or $line =~ s/\n\z/(LF)/ or $line .= '(no LF)';
        $self->_note("$who: $line");
    }
}


sub _note {
    my ($self, $text) = @_;

    $text =~ s/([^\x20-\x7e])/sprintf '\\x%02x', ord $1/ge;

    $self->{transcript} .= "$text\n";

    Test::More::note($text) if $ENV{TEST_NGINX_VERBOSE};
}


1;

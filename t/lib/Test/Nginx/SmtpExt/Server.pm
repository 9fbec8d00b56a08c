package Test::Nginx::SmtpExt::Server;

# Copyright (C) ngx_mail_smtp_ext authors

# A scripted SMTP or LMTP server, the next hop.  By default it takes all that
# is in order; only <CRLF>.<CRLF> ends a message here.
#
# new(port | unix:/path, options):
#
#     ehlo        extensions to announce [ PIPELINING, 8BITMIME, SIZE 10485760 ]
#     lmtp        1: LHLO, a reply per recipient after the message
#     ssl         { cert, key, ca, resume }: TLS from the start; resume: with
#                 sessions
#     starttls    the same: announces STARTTLS
#     auth        { user => password }: announces AUTH PLAIN LOGIN XOAUTH2
#     auth_mechs  what it announces instead; CRAM-MD5 and OAUTHBEARER are known
#                 too
#     proxy       1: a PROXY protocol header comes first
#     on          { verb => reply }: replies that differ from the default
#     fault       what to do wrong, see Daemon.pm: fault(), misbehave()
#     keep_data   0: messages are recorded without their text
#
# Verbs are CONNECT (the greeting), the command words, EOM (the end of data; in
# LMTP once per recipient).  A reply is text, a sub that returns it (undef for
# the default) and gets the argument, which time it is and, at EOM, the message
# { from, to, data, n }, or a list of these for the first, second... time.
# Two more faults are known here: "early", the reply to the end of data goes
# out with the first bytes of data; "twice", the reply goes out two times.  Two
# more places for faults are TLS, in place of a handshake, and BODY, when the
# first bytes of data come, where "on" has the answer.

use warnings;
use strict;

use base 'Test::Nginx::SmtpExt::Daemon';

use Digest::MD5 qw/ md5 md5_hex /;
use MIME::Base64 qw/ decode_base64 encode_base64 /;

use Test::Nginx::SmtpExt::Util qw/ crlf /;


# messages in the order of their ends: { from, from_params, to [], to_params [],
# data, size, n (connection), commands [], reply, tls, auth }

sub messages {
    my ($self) = @_;

    return $self->events('message');
}


sub wait_messages {
    my ($self, $n, $seconds) = @_;

    return $self->wait_for(sub { $self->messages() >= $n }, $seconds);
}


# command lines, of all connections or one; data is not among them

sub commands {
    my ($self, $n) = @_;

    return map { $_->{line} }
           grep { !defined $n || $_->{n} == $n } $self->events('command');
}


sub wait_command {
    my ($self, $pattern, $seconds) = @_;

    return $self->wait_for(
        sub { scalar grep { /$pattern/ } $self->commands() }, $seconds);
}


# { line, tls, n } of PROXY headers: the text of v1, hex of v2

sub proxies {
    my ($self) = @_;

    return map { $_->{header} } $self->events('proxy');
}


# the conversation of one connection (or of all, in the order of events)

sub transcript {
    my ($self, $n) = @_;
    my $text = '';

    for my $e ($self->events()) {
        next if defined $n && $e->{n} != $n;

        $text .= "C: $e->{line}\n" if $e->{type} eq 'command';
        $text .= "C: ($e->{size} bytes)\n" if $e->{type} eq 'message';
        $text .= "* TLS\n" if $e->{type} eq 'tls';
        $text .= join '', map { "S: $_\n" } split /\r\n/, $e->{text}
            if $e->{type} eq 'reply';
    }

    return $text;
}


# in the child

sub on_accept {
    my ($self, $c) = @_;

    $c->{stage} = $self->option($c, 'proxy') ? 'proxy' : 'command';
    $c->{commands} = [];
    $self->_clear($c);

    if ($self->{o}{proxy} && $self->{o}{ssl}) {

        # no octet more than the header has, they belong to TLS

        $c->{socket}->blocking(1);

        while ($c->{stage} eq 'proxy') {
            $c->{socket}->sysread($c->{in}, 1, length $c->{in}) or return;
            $self->_in_proxy($c);
        }
    }

    if ($c->{stage} eq 'command' && !$self->{o}{proxy}) {
        $self->reply($c, 'CONNECT', '', '220 server.example.net ESMTP');
    }
}


sub _clear {
    my ($self, $c) = @_;

    delete $c->{from};
    $c->{to} = [];
    $c->{to_params} = [];
    $c->{chunks} = undef;
    $c->{begun} = 0;
}


sub on_data {
    my ($self, $c) = @_;

    while ($c->{fd} >= 0 && !$c->{deaf} && !$c->{close}) {
        my $stage = "_in_$c->{stage}";

        $self->$stage($c) or last;
    }
}


# a client that says something where there is nobody to hear it

sub _in_nothing {
    my ($self, $c) = @_;

    $c->{in} = '';

    return 0;
}


sub _in_proxy {
    my ($self, $c) = @_;
    my $header;

    if ($c->{in} =~ s/^(PROXY [^\r\n]*)\r\n//) {
        $header = $1;

    } elsif (length $c->{in} >= 16
             && substr($c->{in}, 0, 12) eq "\r\n\r\n\0\r\nQUIT\n")
    {
        my $len = 16 + unpack 'n', substr $c->{in}, 14, 2;

        return 0 if length $c->{in} < $len;

        $header = unpack 'H*', substr $c->{in}, 0, $len, '';

    } else {
        return 0;
    }

    $self->event('proxy', n => $c->{n}, header => $header);
    $c->{stage} = 'command';

    if ($self->{o}{ssl}) {
        $self->tls($c, %{$self->{o}{ssl}}) or return 0;
    }

    $self->reply($c, 'CONNECT', '', '220 server.example.net ESMTP');

    return 1;
}


sub _in_command {
    my ($self, $c) = @_;

    $c->{in} =~ s/^([^\n]*)\n// or return 0;

    my $line = $1;

    # what is no end of line here is to be seen by the test

    $line .= '(LF)' unless $line =~ s/\r\z//;

    $self->event('command', n => $c->{n}, line => $line);
    push @{$c->{commands}}, $line;

    my ($verb, $args) = $line =~ /^(\S*)\s*(.*)/s;
    my $sub = $self->can('_cmd_' . lc $verb);

    $sub ? $self->$sub($c, $args)
         : $self->reply($c, uc $verb, $args, '500 5.5.1 unknown command');

    return 1;
}


sub _extensions {
    my ($self, $c) = @_;

    my @ext = @{$self->option($c, 'ehlo') || [ qw/ PIPELINING 8BITMIME /,
                                      'SIZE 10485760' ]};

    push @ext, 'STARTTLS' if $self->option($c, 'starttls') && !$c->{tls};
    push @ext, 'AUTH ' . ($self->option($c, 'auth_mechs')
                          || 'PLAIN LOGIN XOAUTH2')
        if $self->option($c, 'auth');

    return @ext;
}


sub _cmd_ehlo {
    my ($self, $c, $args, $verb) = @_;

    my @lines = ('server.example.net', $self->_extensions($c));
    my $last = pop @lines;

    $self->_clear($c);
    $self->reply($c, $verb || 'EHLO', $args,
                 join '', (map { "250-$_\r\n" } @lines), "250 $last");
}


sub _cmd_lhlo {
    my ($self, $c, $args) = @_;

    $self->_cmd_ehlo($c, $args, 'LHLO');
}


sub _cmd_helo {
    my ($self, $c, $args) = @_;

    $self->_clear($c);
    $self->reply($c, 'HELO', $args, '250 server.example.net');
}


sub _cmd_mail {
    my ($self, $c, $args) = @_;
    my $ok;

    if (defined $c->{from}) {
        $self->reply($c, 'MAIL', $args, '503 5.5.1 nested MAIL');

    } elsif ($args =~ /^FROM:<([^>]*)>\s*(.*)/i) {
        my ($from, $params) = ($1, $2);

        $ok = $self->reply($c, 'MAIL', $args, '250 2.1.0 sender ok');

        if ($ok) {
            $c->{from} = $from;
            $c->{from_params} = $params;
        }

    } else {
        $self->reply($c, 'MAIL', $args, '501 5.5.4 bad MAIL');
    }
}


sub _cmd_rcpt {
    my ($self, $c, $args) = @_;

    if (!defined $c->{from}) {
        $self->reply($c, 'RCPT', $args, '503 5.5.1 MAIL first');

    } elsif ($args =~ /^TO:<((?:[^">]|"(?:[^"\\]|\\.)*")*)>\s*(.*)/i) {
        my ($to, $params) = ($1, $2);

        if ($self->reply($c, 'RCPT', $args, '250 2.1.5 recipient ok')) {
            push @{$c->{to}}, $to;
            push @{$c->{to_params}}, $params;
        }

    } else {
        $self->reply($c, 'RCPT', $args, '501 5.5.4 bad RCPT');
    }
}


sub _cmd_data {
    my ($self, $c, $args) = @_;

    if (!@{$c->{to}}) {
        $self->reply($c, 'DATA', $args, '503 5.5.1 no recipients');
        return;
    }

    if ($self->reply($c, 'DATA', $args, '354 go on')) {
        $c->{stage} = 'data';

        # the dot may be in the first line

        $c->{raw} = "\r\n";
        $c->{early} = 0;
    }
}


sub _in_data {
    my ($self, $c) = @_;

    return 0 if $c->{in} eq '';

    $self->_early($c);
    $self->_begun($c) or return 0;

    # the end may begin in what was read before

    my $from = length($c->{raw}) - 4;
    $from = 0 if $from < 0;

    $c->{raw} .= $c->{in};
    $c->{in} = '';

    my $end = index $c->{raw}, "\r\n.\r\n", $from;

    return 0 if $end < 0;

    $c->{in} = substr $c->{raw}, $end + 5;

    my $data = substr $c->{raw}, 2, $end;

    $data =~ s/(\A|\r\n)\./$1/g;

    delete $c->{raw};
    $c->{stage} = 'command';
    $self->_message($c, $data);

    return 1;
}


sub _early {
    my ($self, $c) = @_;
    my $f = $self->option($c, 'fault');

    return if $c->{early};

    for (ref $f eq 'ARRAY' ? @$f : $f || ()) {
        next if $_->{do} ne 'early' || $_->{at} ne 'EOM';

        $c->{early} = 1;

        my $text = crlf(($self->option($c, 'on') || {})->{EOM}
                        // '451 4.3.0 early');

        $self->event('reply', n => $c->{n}, text => $text);
        $self->send($c, $text);
        last;
    }
}


# the first bytes of data; true when the others are wanted as well

sub _begun {
    my ($self, $c) = @_;

    return 1 if $c->{in} eq '' || $c->{begun}++;

    my $f = $self->fault($c, 'BODY') or return 1;

    $self->misbehave($c, $f, crlf($self->text($c, 'BODY', '', '250 ok')));

    return $c->{fd} >= 0 && !$c->{deaf} && !$c->{close};
}


sub _cmd_bdat {
    my ($self, $c, $args) = @_;

    my ($size, $last) = $args =~ /^(\d+)(?:\s+(LAST))?$/i;

    if (!defined $size) {
        $self->reply($c, 'BDAT', $args, '501 5.5.4 bad BDAT');
        return;
    }

    $c->{stage} = 'chunk';
    $c->{early} = 0;
    $c->{chunk} = { size => $size, last => $last, args => $args };
}


sub _in_chunk {
    my ($self, $c) = @_;
    my $chunk = $c->{chunk};

    $self->_early($c) if $chunk->{last} && @{$c->{to}} && $c->{in} ne '';
    $self->_begun($c) or return 0;

    return 0 if length $c->{in} < $chunk->{size};

    $c->{chunks} .= substr $c->{in}, 0, $chunk->{size}, '';
    $c->{stage} = 'command';

    if (!@{$c->{to}}) {
        $self->reply($c, 'BDAT', $chunk->{args}, '503 5.5.1 no recipients');

    } elsif ($chunk->{last}) {
        $self->_message($c, $c->{chunks});

    } else {
        $self->reply($c, 'BDAT', $chunk->{args}, '250 2.0.0 chunk ok');
    }

    return 1;
}


# The event comes first: when the other side has the reply, the test has the
# message.

sub _message {
    my ($self, $c, $data) = @_;

    my @to = $self->option($c, 'lmtp') ? @{$c->{to}} : ('');
    my @replies;

    for my $to (@to) {
        push @replies, $self->text($c, 'EOM', $to, "250 2.0.0 taken",
                                   { from => $c->{from}, to => $c->{to},
                                     data => $data, n => $c->{n} });
    }

    my $keep = $self->option($c, 'keep_data') // 1;

    $self->event('message', n => $c->{n}, from => $c->{from},
                 from_params => $c->{from_params}, to => $c->{to},
                 to_params => $c->{to_params}, size => length $data,
                 data => $keep ? $data : undef, commands => $c->{commands},
                 reply => $replies[0], replies => \@replies,
                 tls => $c->{tls} || 0, auth => $c->{auth});

    $c->{commands} = [];
    $self->_clear($c);

    return if $c->{early};

    $self->answer_with($c, 'EOM', join '', map { crlf($_) } @replies);
}


sub _cmd_rset {
    my ($self, $c, $args) = @_;

    $self->_clear($c);
    $self->reply($c, 'RSET', $args, '250 2.0.0 ok');
}


sub _cmd_noop {
    my ($self, $c, $args) = @_;

    $self->reply($c, 'NOOP', $args, '250 2.0.0 ok');
}


sub _cmd_vrfy {
    my ($self, $c, $args) = @_;

    $self->reply($c, 'VRFY', $args, '252 2.0.0 perhaps');
}


sub _cmd_xclient {
    my ($self, $c, $args) = @_;

    # a session that begins anew

    $self->_clear($c);
    $self->reply($c, 'XCLIENT', $args, '220 server.example.net ESMTP');
}


sub _cmd_xforward {
    my ($self, $c, $args) = @_;

    $self->reply($c, 'XFORWARD', $args, '250 2.0.0 ok');
}


sub _cmd_quit {
    my ($self, $c, $args) = @_;

    my $f = $self->fault($c, 'QUIT');
    my $text = crlf($self->text($c, 'QUIT', $args, '221 2.0.0 bye'));

    return $self->misbehave($c, $f, $text) if $f;

    $c->{close} = 1;
    $self->send($c, $text);
}


sub _cmd_starttls {
    my ($self, $c, $args) = @_;

    my $tls = $self->option($c, 'starttls');

    if (!$tls || $c->{tls}) {
        $self->reply($c, 'STARTTLS', $args, '502 5.5.1 no TLS');
        return;
    }

    # an answer that is late or drips comes from a server that does no more

    if ($self->reply($c, 'STARTTLS', $args, '220 2.0.0 go on')
        && !$c->{deaf})
    {
        $c->{in} = '';
        $self->_clear($c);

        $self->handshake($c, $tls);
    }
}


sub _cmd_auth {
    my ($self, $c, $args) = @_;

    my ($mech, $initial) = split ' ', $args, 2;

    if (!$self->option($c, 'auth')) {
        $self->reply($c, 'AUTH', $args, '502 5.5.1 no AUTH');
        return;
    }

    $c->{sasl} = { mech => uc $mech, said => [], args => $args };

    if (uc $mech eq 'LOGIN') {
        push @{$c->{sasl}{said}}, $initial if defined $initial;

    } elsif (defined $initial) {
        push @{$c->{sasl}{said}}, $initial;
    }

    $self->_sasl($c);
}


sub _in_sasl {
    my ($self, $c) = @_;

    $c->{in} =~ s/^([^\n]*?)\r?\n// or return 0;

    $self->event('command', n => $c->{n}, line => $1);
    push @{$c->{sasl}{said}}, $1;
    $self->_sasl($c);

    return 1;
}


sub _sasl {
    my ($self, $c) = @_;

    my $sasl = $c->{sasl};
    my @said = map { decode_base64($_) } @{$sasl->{said}};
    my $challenge = '<1896.697170952@next.example>';
    my ($user, $secret, $ok);

    my $auth = $self->option($c, 'auth');
    my $known = sub {
        defined $_[0] && defined $auth->{$_[0]} ? $auth->{$_[0]} : undef;
    };

    if ($sasl->{mech} eq 'PLAIN') {
        return $self->_sasl_ask($c, '') if @said < 1;
        (undef, $user, $secret) = split /\0/, $said[0], 3;

    } elsif ($sasl->{mech} eq 'LOGIN') {
        return $self->_sasl_ask($c, @said ? 'Password:' : 'Username:')
            if @said < 2;
        ($user, $secret) = @said;

    } elsif ($sasl->{mech} eq 'CRAM-MD5') {
        return $self->_sasl_ask($c, $challenge) if @said < 1;
        ($user, my $digest) = $said[0] =~ /^(.*) ([0-9a-f]{32})$/;
        $secret = $known->($user);
        $ok = defined $secret && _hmac_md5($challenge, $secret) eq $digest;

    } else {
        return $self->_sasl_ask($c, '') if @said < 1;

        my $form = $sasl->{mech} eq 'XOAUTH2'
                   ? qr/^user=(.*?)\x01auth=Bearer (.*?)\x01\x01$/
                   : qr/^n,a=(.*?),\x01(?:host=[^\x01]+\x01port=\d+\x01)?auth=Bearer (.*?)\x01\x01$/;

        ($user, $secret) = $said[0] =~ $form;
        $user =~ s/=2C/,/g, $user =~ s/=3D/=/g
            if defined $user && $sasl->{mech} eq 'OAUTHBEARER';

        # a refusal is told by a challenge first

        return $self->_sasl_ask($c, '{"status":"401"}')
            if @said < 2 && ($known->($user) // '') ne ($secret // '');
    }

    $c->{stage} = 'command';

    $ok //= defined $known->($user) && defined $secret
            && $known->($user) eq $secret;

    $c->{auth} = $user if $ok;

    $self->event('auth', n => $c->{n}, mech => $sasl->{mech}, user => $user,
                 secret => $secret, ok => $ok ? 1 : 0);

    $self->reply($c, 'AUTH', $sasl->{args},
                 $ok ? '235 2.7.0 hello' : '535 5.7.8 no');
}


sub _sasl_ask {
    my ($self, $c, $text) = @_;

    $c->{stage} = 'sasl';
    $self->reply($c, 'AUTH_STEP', '', '334 ' . encode_base64($text, ''));
}


sub _hmac_md5 {
    my ($text, $key) = @_;

    $key = md5($key) if length $key > 64;
    $key .= "\0" x (64 - length $key);

    return md5_hex(($key ^ "\x5c" x 64), md5(($key ^ "\x36" x 64), $text));
}


# the text of a reply

sub text {
    my ($self, $c, $verb, $args, $default, $message) = @_;

    return $self->answer($self->option($c, 'on') || {}, $verb, $args, $message)
        // $default;
}


# replies; true when the reply went out and is positive

sub reply {
    my ($self, $c, $verb, $args, $default) = @_;

    my $text = crlf($self->text($c, $verb, $args, $default));

    $self->answer_with($c, $verb, $text) or return 0;

    return $text =~ /^[23]/ ? 1 : 0;
}


sub answer_with {
    my ($self, $c, $verb, $text) = @_;

    my $f = $self->fault($c, $verb);

    if ($f && $f->{do} eq 'twice') {
        $text .= $text;

    } elsif ($f && $f->{do} ne 'early') {
        $self->misbehave($c, $f, $text);
        return $f->{do} =~ /^(?:drip|delay|late|hold|answer_hold)$/;
    }

    $self->event('reply', n => $c->{n}, text => $text);
    $c->{close} = 1 if $text =~ /^421/;
    $self->send($c, $text);

    return 1;
}


1;

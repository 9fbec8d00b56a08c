package Test::Nginx::SmtpExt::Tls;

# Copyright (C) ngx_mail_smtp_ext authors

# TLS of a client in octets: what it would send is there to be cut, held back,
# or spoilt, and sent by whoever uses it.  For faults; a client that only
# wants TLS has start_tls().
#
#     my $tls = Test::Nginx::SmtpExt::Tls->new($client, %options);
#
#     my $octets = $tls->hello();             # the ClientHello
#     $tls->handshake(sub { $client->send_raw($_[0]) });
#     $client->send_raw($tls->seal("NOOP\r\n"));
#     $tls->read_line();

use warnings;
use strict;

use Net::SSLeay;
use Time::HiRes qw/ time /;

use Test::Nginx::SmtpExt::Util qw/ scaled retry /;

my %versions = (
    'TLSv1' => 0x301, 'TLSv1.1' => 0x302, 'TLSv1.2' => 0x303,
    'TLSv1.3' => 0x304,
);


# new(client, options):
#
#     version    the only one it speaks
#     name       SNI
#     cert, key  files
#     timeout    seconds for each wait, 8

sub new {
    my ($class, $client, %o) = @_;

    Net::SSLeay::initialize();

    my $ctx = Net::SSLeay::CTX_new() or die "no SSL_CTX\n";

    # also what is not to be had otherwise: TLS 1.0, and short keys

    Net::SSLeay::CTX_set_cipher_list($ctx, 'ALL:@SECLEVEL=0');

    if ($o{version}) {
        my $version = $versions{$o{version}} or die "version $o{version}\n";

        Net::SSLeay::CTX_set_min_proto_version($ctx, $version);
        Net::SSLeay::CTX_set_max_proto_version($ctx, $version);
    }

    if ($o{cert}) {
        Net::SSLeay::CTX_use_certificate_chain_file($ctx, $o{cert});
        Net::SSLeay::CTX_use_PrivateKey_file($ctx, $o{key},
                                             Net::SSLeay::FILETYPE_PEM());
    }

    my $ssl = Net::SSLeay::new($ctx) or die "no SSL\n";
    my ($in, $out) = map { Net::SSLeay::BIO_new(Net::SSLeay::BIO_s_mem()) }
                         1, 2;

    Net::SSLeay::set_bio($ssl, $in, $out);
    Net::SSLeay::set_connect_state($ssl);
    Net::SSLeay::set_tlsext_host_name($ssl, $o{name}) if defined $o{name};

    return bless {
        client => $client, ctx => $ctx, ssl => $ssl, in => $in, out => $out,
        timeout => scaled($o{timeout} || 8), line => '', state => '',
    }, $class;
}


sub DESTROY {
    my ($self) = @_;

    Net::SSLeay::free($self->{ssl});
    Net::SSLeay::CTX_free($self->{ctx});
}


# the first flight, which has not been sent

sub hello {
    my ($self) = @_;

    Net::SSLeay::do_handshake($self->{ssl});

    return $self->pending();
}


# what there is to be sent

sub pending {
    my ($self) = @_;
    my $octets = '';

    while (Net::SSLeay::BIO_pending($self->{out})) {
        $octets .= Net::SSLeay::BIO_read($self->{out});
    }

    return $octets;
}


# Each flight is given to $send, the first if hello() has not taken it, the
# last if $last (it is pending otherwise); true when it has succeeded.

sub handshake {
    my ($self, $send, %o) = @_;

    while (1) {
        my $rc = Net::SSLeay::do_handshake($self->{ssl});

        return 1 if $rc == 1 && $o{hold};

        my $octets = $self->pending();

        $send->($octets) if $octets ne '';

        return 1 if $rc == 1;
        return 0 unless $self->fill();
    }
}


# a record, or several

sub seal {
    my ($self, $data) = @_;

    Net::SSLeay::write($self->{ssl}, $data);

    return $self->pending();
}


# close_notify

sub bye {
    my ($self) = @_;

    Net::SSLeay::shutdown($self->{ssl});

    return $self->pending();
}


# has the server said that it ends TLS?

sub ended {
    my ($self) = @_;

    return Net::SSLeay::get_shutdown($self->{ssl}) & 2 ? 1 : 0;
}


sub ssl { $_[0]{ssl} }


# octets from the server; '' with state() "(closed)", "(reset)", "(timeout)"

sub fill {
    my ($self) = @_;

    my $end = time() + $self->{timeout};
    my $socket = $self->{client}->socket();

    while (1) {
        my $n = $socket->sysread(my $octets, 65536);

        if ($n) {
            Net::SSLeay::BIO_write($self->{in}, $octets);
            return $octets;
        }

        if (defined $n || !retry()) {
            $self->{state} = defined $n ? '(closed)' : '(reset)';
            return '';
        }

        my $left = $end - time();

        if ($left <= 0) {
            $self->{state} = '(timeout)';
            return '';
        }

        vec(my $bits = '', fileno $socket, 1) = 1;
        select $bits, undef, undef, $left;
    }
}


sub state { $_[0]{state} }


# a line without its CRLF, or what it has come to

sub read_line {
    my ($self) = @_;

    while (1) {
        return $1 if $self->{line} =~ s/^(.*?)\r\n//s;

        my $data = Net::SSLeay::read($self->{ssl});

        if (defined $data && $data ne '') {
            $self->{line} .= $data;

        } elsif ($self->alert() ne '') {
            return $self->{state} = '(failed)';

        } elsif ($self->ended()) {
            return $self->{state} = '(ended)';

        } elsif ($self->fill() eq '') {
            return $self->{state};
        }
    }
}


sub read_reply {
    my ($self) = @_;
    my @lines;

    do {
        push @lines, $self->read_line();
    } while ($lines[-1] =~ /^\d\d\d-/);

    return join "\n", @lines;
}


sub cmd {
    my ($self, $line) = @_;

    $self->{client}->send_raw($self->seal("$line\r\n"), quiet => 1);

    return $self->read_reply();
}


# what OpenSSL holds against the server: an alert's name, for instance

sub alert {
    my ($self) = @_;
    my $text = '';

    while (my $error = Net::SSLeay::ERR_get_error()) {
        $text ||= Net::SSLeay::ERR_error_string($error);
    }

    $self->{alert} = $text if $text ne '';

    return $self->{alert} // '';
}


1;

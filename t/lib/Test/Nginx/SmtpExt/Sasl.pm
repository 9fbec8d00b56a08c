package Test::Nginx::SmtpExt::Sasl;

# Copyright (C) ngx_mail_smtp_ext authors

# The client's part of SASL mechanisms, and what a service keeps for SCRAM;
# written from the RFCs, without a line of what is tested.  t/lib.t has the
# exchanges of RFC 2195, 5802 and 7677.

use warnings;
use strict;

use Digest::SHA ();
use Exporter 'import';
use MIME::Base64 qw/ encode_base64 decode_base64 /;

our @EXPORT_OK = qw/ b64 unb64 hmac_md5 scram_keys scram_headers scram
                     scram_nonce tls_unique tls_exporter /;


sub b64 { encode_base64($_[0], '') }

sub unb64 { decode_base64($_[0]) }


# RFC 2195: 32 hex digits

sub hmac_md5 {
    my ($key, $text) = @_;

    require Digest::MD5;

    $key = Digest::MD5::md5($key) if length $key > 64;
    $key .= "\0" x (64 - length $key);

    my $inner = Digest::MD5::md5(($key ^ ("\x36" x 64)) . $text);

    return Digest::MD5::md5_hex(($key ^ ("\x5c" x 64)) . $inner);
}


sub _hash {
    my ($mech) = @_;

    return $mech =~ /SHA-1(?!\d)/i
        ? (\&Digest::SHA::sha1, \&Digest::SHA::hmac_sha1)
        : (\&Digest::SHA::sha256, \&Digest::SHA::hmac_sha256);
}


# RFC 5802, 3: what a service keeps: salt, iterations, stored, server

sub scram_keys {
    my ($mech, $password, %o) = @_;
    my ($h, $hmac) = _hash($mech);

    my $salt = $o{salt} // 'sixteen octets!!';
    my $i = $o{iterations} // 4096;
    my $salted = _salted($hmac, $password, $salt, $i);

    return {
        salt => b64($salt),
        iterations => $i,
        stored => b64($h->($hmac->('Client Key', $salted))),
        server => b64($hmac->('Server Key', $salted)),
    };
}


# ... as headers of an answer

sub scram_headers {
    my $k = scram_keys(@_);

    return ('Auth-Scram-Salt' => $k->{salt},
            'Auth-Scram-Iterations' => $k->{iterations},
            'Auth-Scram-Stored-Key' => $k->{stored},
            'Auth-Scram-Server-Key' => $k->{server});
}


# Hi() with one block; the last one is kept, for it takes time

my %salted;

sub _salted {
    my ($hmac, $password, $salt, $i) = @_;
    my $id = join "\0", $hmac, $password, $salt, $i;

    return $salted{$id} if exists $salted{$id};

    my $u = $hmac->("$salt\0\0\0\1", $password);
    my $result = $u;

    for (2 .. $i) {
        $u = $hmac->($u, $password);
        $result ^= $u;
    }

    %salted = () if keys %salted > 100;

    return $salted{$id} = $result;
}


sub scram_nonce { join '', map { chr(65 + int rand 26) } 1 .. 24 }


# A whole exchange by a client of Client.pm.
#
#     user, password
#     gs2           "n,,"
#     binding       data of the channel
#     nonce, name   in place of a new one, of the user as saslname
#     first         behind client-first-message
#     initial       0: the first message is not sent with AUTH
#     change        sub of the client-final-message, returns another one
#     last          in place of the empty response at the end
#
# Returns { reply (the last one), server_first, server_final, verified (is the
# server's signature good?) }.

sub scram {
    my ($c, $mech, %o) = @_;
    my ($h, $hmac) = _hash($mech);
    my %r;

    my $gs2 = $o{gs2} // 'n,,';
    my $nonce = $o{nonce} // scram_nonce();
    my $name = $o{name} // $o{user} =~ s/=/=3D/gr =~ s/,/=2C/gr;
    my $bare = "n=$name,r=$nonce" . ($o{first} // '');

    my $reply;

    if ($o{initial} // 1) {
        $reply = $c->cmd("AUTH $mech " . b64($gs2 . $bare));

    } else {
        $reply = $c->cmd("AUTH $mech");

        return { reply => $reply } if $reply ne '334 ';

        $reply = $c->cmd(b64($gs2 . $bare));
    }

    return { reply => $reply } if $reply !~ /^334 (\S+)$/;

    my $first = $r{server_first} = unb64($1);

    my ($r, $s, $i) = $first =~ /^r=([^,]+),s=([^,]+),i=(\d+)$/
        or return { %r, reply => "(server-first-message: $first)" };

    return { %r, reply => "(nonce: $r)" } if $r !~ /^\Q$nonce\E./;

    my $salted = _salted($hmac, $o{password}, unb64($s), $i);
    my $unproved = 'c=' . b64($gs2 . ($o{binding} // '')) . ",r=$r";
    my $message = "$bare,$first,$unproved";
    my $key = $hmac->('Client Key', $salted);
    my $proof = $key ^ $hmac->($message, $h->($key));
    my $final = "$unproved,p=" . b64($proof);

    $final = $o{change}->($final) if $o{change};
    $reply = $c->cmd(b64($final));

    return { %r, reply => $reply } if $reply !~ /^334 (\S+)$/;

    $r{server_final} = unb64($1);

    my $signature = $hmac->($message, $hmac->('Server Key', $salted));

    $r{verified} = $r{server_final} eq 'v=' . b64($signature);
    $r{reply} = $c->cmd($o{last} // '');

    return \%r;
}


# channel bindings of a client; the client's Finished is the first one, unless
# the session was resumed

sub tls_unique {
    my ($c) = @_;

    require Net::SSLeay;

    my $ssl = $c->socket()->_get_ssl_object();

    my $text = '';
    my $n = Net::SSLeay::session_reused($ssl)
            ? Net::SSLeay::get_peer_finished($ssl, $text)
            : Net::SSLeay::get_finished($ssl, $text);

    return substr $text, 0, $n;
}


sub tls_exporter {
    my ($c) = @_;

    require Net::SSLeay;

    return Net::SSLeay::export_keying_material(
        $c->socket()->_get_ssl_object(), 32, 'EXPORTER-Channel-Binding', '');
}


1;

package Test::Nginx::SmtpExt::Dns;

# Copyright (C) ngx_mail_smtp_ext authors

# A DNS server that answers from a table, over UDP:
#
#     new(port, zone => {
#         'mx.example.com' => { A => '127.0.0.1', AAAA => [ '::1' ] },
#         '127.0.0.1'      => { PTR => 'client.example.com' },
#         'example.com'    => { MX => [ [ 10, 'mx.example.com' ] ],
#                               TXT => 'v=spf1 -all' },
#         'a.example.com'  => { CNAME => 'mx.example.com' },
#         'slow.example'   => { drop => 1 },
#         'bad.example'    => { rcode => 2 },
#     })
#
# A name that is not there is NXDOMAIN, a type that is not there no data; an
# address as a name stands for its in-addr.arpa or ip6.arpa name.  "ttl" is 1.

use warnings;
use strict;

use base 'Test::Nginx::SmtpExt::Daemon';

use Socket qw/ AF_INET6 inet_aton inet_pton /;

my %types = (A => 1, NS => 2, CNAME => 5, PTR => 12, MX => 15, TXT => 16,
             AAAA => 28, SRV => 33);
my %names = reverse %types;


sub datagram { 1 }


# "NAME TYPE" for each query

sub queries {
    my ($self) = @_;

    return map { "$_->{name} $_->{qtype}" } $self->events('query');
}


sub wait_query {
    my ($self, $pattern, $seconds) = @_;

    return $self->wait_for(
        sub { scalar grep { /$pattern/ } $self->queries() }, $seconds);
}


# in the child

sub on_datagram {
    my ($self) = @_;

    my $from = recv $self->{listener}, my $packet, 65535, 0;

    return unless defined $from && length $packet > 12;

    my ($id, $flags, $questions) = unpack 'n3', $packet;
    my ($at, @labels) = (12);

    return if $questions != 1;

    while (my $len = ord substr $packet, $at++, 1) {
        push @labels, substr $packet, $at, $len;
        $at += $len;
    }

    my $qtype = unpack 'n', substr $packet, $at, 2;
    my $type = $names{$qtype} || "TYPE$qtype";
    my $name = lc join '.', @labels;
    my $question = substr $packet, 12, $at + 4 - 12;

    $self->event('query', n => 0, name => $name, qtype => $type);

    my %zone = map { _owner($_) => $self->{o}{zone}{$_} }
               keys %{$self->{o}{zone}};
    my $entry = $zone{$name};
    my ($rcode, $count, $answers) = (0, 0, '');

    return if $entry && $entry->{drop};

    if (!$entry) {
        $rcode = 3;

    } elsif ($entry->{rcode}) {
        $rcode = $entry->{rcode};

    } else {
        my @chain = $entry->{CNAME} && $type ne 'CNAME' ? 'CNAME' : ();

        for my $t (@chain, $type) {
            my $values = $entry->{$t};
            my $owner = $name;

            if (@chain && $t ne 'CNAME') {
                $owner = lc $entry->{CNAME};
                $values = $zone{$owner} ? $zone{$owner}{$t} : undef;
            }

            next unless defined $values;

            for my $v (ref $values ? @$values : $values) {
                my $data = _data($t, $v);

                $answers .= _name($owner)
                    . pack('nnNn', $types{$t}, 1, $entry->{ttl} // 1,
                           length $data)
                    . $data;
                $count++;
            }
        }
    }

    my $reply = pack('n6', $id, 0x8180 | ($flags & 0x0100) | $rcode, 1, $count,
                     0, 0) . $question . $answers;

    my $send = sub { send $self->{listener}, $reply, 0, $from };

    return $self->timer($entry->{delay}, $send) if $entry && $entry->{delay};

    $send->();
}


sub _owner {
    my ($name) = @_;

    if ($name =~ /^\d+\.\d+\.\d+\.\d+$/) {
        return join '.', reverse(split /\./, $name), 'in-addr.arpa';
    }

    if ($name =~ /:/) {
        my $hex = unpack 'H*', inet_pton(AF_INET6, $name);
        return join '.', reverse(split //, $hex), 'ip6.arpa';
    }

    return lc $name;
}


sub _name {
    my ($name) = @_;

    return join('', map { chr(length $_) . $_ } split /\./, $name) . "\0";
}


sub _data {
    my ($type, $v) = @_;

    return inet_aton($v) if $type eq 'A';
    return inet_pton(AF_INET6, $v) if $type eq 'AAAA';
    return pack('n', $v->[0]) . _name($v->[1]) if $type eq 'MX';
    return pack('n3', @$v[0 .. 2]) . _name($v->[3]) if $type eq 'SRV';
    return join '', map { chr(length $_) . $_ } $v =~ /(.{1,255})/gs
        if $type eq 'TXT';

    return _name($v);
}


1;

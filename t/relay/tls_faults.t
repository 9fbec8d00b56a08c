#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# TLS to the next hop that does not come about: at each step, with each thing
# that can go wrong there.  Where TLS is required nothing is ever said in clear
# text; where it is opportunistic the message goes out in clear text on a new
# connection, the log says so once, and the server is left alone for a while.
# RFC 3207, 4.1, 5 and 6; RFC 7435.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll scaled /;

my $t = Test::Nginx::SmtpExt->new();
my $dir = $t->testdir();
my $ms = scaled(1500);

$t->certificate('ca', is_ca => 1);
$t->certificate('good', ca => 'ca', cn => 'next.example');
$t->certificate('expired', ca => 'ca', cn => 'next.example', days => -1);
$t->certificate('wrong', ca => 'ca', cn => 'other.example');
$t->certificate('self', cn => 'next.example');
$t->certificate('revoked', ca => 'ca', cn => 'next.example');

$t->write_file('index', "R\t491231235959Z\t200101000000Z\t05\tunknown\t"
                        . "/CN=next.example\n");
$t->write_file('crlnumber', "01\n");
$t->write_file('crl.cnf', <<"EOC");
[ ca ]
default_ca = c
[ c ]
database = $dir/index
crlnumber = $dir/crlnumber
default_md = sha256
default_crl_days = 3
EOC

my $serial = `openssl x509 -in $dir/revoked.crt -noout -serial`;

$serial =~ s/serial=//;
chomp $serial;
$t->write_file('index', $t->read_file('index') =~ s/\t05\t/\t$serial\t/r);
system("openssl ca -config $dir/crl.cnf -gencrl -cert $dir/ca.crt"
       . " -keyfile $dir/ca.key -out $dir/ca.crl 2>/dev/null") == 0
    or die 'openssl ca';

sub tls {
    my ($name, %o) = @_;

    return { cert => "$dir/$name.crt", key => "$dir/$name.key", %o };
}

# name, options of the server, what is in the log at error

my @said = qw/ 220 221 250 354 421 454 500 501 502 550 /;

my @faults = (
    (map { [ "the reply $_", { on => { STARTTLS => "$_ 2.0.0 text" } },
             qr/upstream said to STARTTLS: "$_ .*text"/ ] }
         grep { $_ != 220 } @said),
    [ 'closes in place of a reply', { fault => { do => 'close' } },
      qr/upstream closed connection while asking upstream for TLS/ ],
    [ 'resets in place of a reply', { fault => { do => 'reset' } },
      qr/recv\(\) failed/ ],
    [ 'half a reply', { fault => { do => 'half' } },
      qr/upstream closed connection while asking/ ],
    [ 'no reply', { fault => { do => 'stall' } },
      qr/upstream timed out .* while asking/ ],
    [ 'garbage for a reply', { fault => { do => 'garbage' } },
      qr/upstream sent an invalid reply/ ],
    [ 'a reply injected behind 220',
      { on => { STARTTLS => "220 2.0.0 go on\r\n250-x\r\n250 STARTTLS" } },
      qr/upstream sent something behind its reply to STARTTLS/ ],
    [ 'half a reply injected behind 220',
      { fault => { do => 'garbage', data => "220 2.0.0 go on\r\n250" } },
      qr/upstream sent something behind its reply to STARTTLS/ ],
    [ 'closes after 220', { fault => { do => 'answer_close' } },
      qr/peer closed connection in SSL handshake/ ],
    [ 'stalls after 220', { fault => { do => 'answer_stall' } },
      qr/upstream timed out .* while SSL handshaking/ ],
    [ 'no protocol in common', { starttls => tls('good',
                                                 SSL_version => 'TLSv1_2') },
      qr/SSL_do_handshake\(\) failed/ ],
    [ 'a certificate is wanted of us',
      { starttls => tls('good', ca => "$dir/ca.crt",
                        SSL_verify_mode => 3) },
      qr/SSL_read\(\) failed .*while greeting upstream/ ],
);

my @certificates = (
    [ expired => qr/verify error: \(10:/ ],
    [ wrong => qr/does not match "next\.example"/ ],
    [ self => qr/verify error: \((?:3|18):/ ],
    [ revoked => qr/verify error: \(23:/ ],
);

# who has to wait for something that does not come; all others have time enough

my $hasty = "smtp_pass_connect_timeout   ${ms}ms;
        smtp_pass_greeting_timeout  ${ms}ms;";

sub stalls {
    my ($fault) = @_;

    return (($fault->[1]{fault} || {})->{do} // '') =~ /stall/;
}

# a context, and so a memory, of its own for each fault

my $blocks = '';

for my $i (0 .. $#faults) {
    $blocks .= <<"EOC";
    server {
        listen                      127.0.0.1:%%PORT_may$i%%;
        protocol                    smtp_ext;
        smtp_pass                   first;
        smtp_pass_tls               opportunistic;
        smtp_pass_ssl_verify_depth  @{[ $i + 10 ]};
        smtp_pass_ssl_protocols     TLSv1.3;
        @{[ stalls($faults[$i]) ? $hasty : '' ]}
    }
EOC
}

for my $i (0 .. $#certificates) {
    $blocks .= <<"EOC";
    server {
        listen                             127.0.0.1:%%PORT_cert$i%%;
        protocol                           smtp_ext;
        smtp_pass                          first;
        smtp_pass_tls                      opportunistic;
        smtp_pass_ssl_trusted_certificate  ca.crt;
        smtp_pass_ssl_crl                  ca.crl;
        smtp_pass_ssl_verify_depth         @{[ $i + 10 ]};
        smtp_pass_ssl_name                 next.example;
    }
EOC
}

my $first = $t->server('first', starttls => tls('good'));
my $second = $t->server('second', starttls => tls('good'));
my $implicit = $t->server('implicit', ssl => tls('good'));

$t->write_conf(<<"EOC");
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass_mode   buffered;

    smtp_upstream first {
        server     127.0.0.1:%%PORT_first%%  max_fails=0;
        keepalive  0;
    }

    smtp_upstream both {
        server     127.0.0.1:%%PORT_first%%  max_fails=0;
        server     127.0.0.1:%%PORT_second%%  max_fails=0  backup;
        keepalive  0;
    }

    smtp_upstream kept {
        server     127.0.0.1:%%PORT_first%%  max_fails=0;
    }

$blocks
    server {
        listen                   127.0.0.1:%%PORT_must%%;
        protocol                 smtp_ext;
        smtp_pass                first;
        smtp_pass_tls            required;
        smtp_pass_ssl_protocols  TLSv1.3;
    }

    server {
        listen                   127.0.0.1:%%PORT_must_hasty%%;
        protocol                 smtp_ext;
        smtp_pass                first;
        smtp_pass_tls            required;
        smtp_pass_ssl_protocols  TLSv1.3;
        $hasty
    }

    server {
        listen                             127.0.0.1:%%PORT_verify%%;
        protocol                           smtp_ext;
        smtp_pass                          first;
        smtp_pass_tls                      required;
        smtp_pass_ssl_trusted_certificate  ca.crt;
        smtp_pass_ssl_crl                  ca.crl;
        smtp_pass_ssl_name                 next.example;
    }

    server {
        listen         127.0.0.1:%%PORT_both%%;
        protocol       smtp_ext;
        smtp_pass      both;
        smtp_pass_tls  required;
    }

    server {
        listen     127.0.0.1:%%PORT_smtps%%;
        protocol   smtp_ext;
        smtp_pass  smtps://127.0.0.1:%%PORT_implicit%%;
    }

    server {
        listen     127.0.0.1:%%PORT_smtps_clear%%;
        protocol   smtp_ext;
        smtp_pass  smtps://127.0.0.1:%%PORT_first%%;
        $hasty
    }

    server {
        listen               127.0.0.1:%%PORT_retry%%;
        protocol             smtp_ext;
        smtp_pass            kept;
        smtp_pass_helo       retry.example.com;
        smtp_pass_tls_retry  300ms;
    }

    server {
        listen                      127.0.0.1:%%PORT_kept%%;
        protocol                    smtp_ext;
        smtp_pass                   kept;
        smtp_pass_ssl_verify_depth  100;
    }
}
EOC

$t->plan(@faults * 8 + @certificates * 6 + 31)->run();

my $insecure = '451 4.7.5 No secure connection to the destination server';
my $taken = '250 2.0.0 OK';
my %mark;

sub send_one {
    my ($port) = @_;

    my $c = $t->client($port, timeout => 15);

    $c->read_reply();
    $c->ehlo();

    my $reply = $c->send_message() =~ s/ id=.*//r;

    $c->quit();

    return $reply;
}

sub prepare {
    my (%o) = @_;

    if (my $f = $o{fault}) {
        $f->{at} //= 'STARTTLS';
    }

    $first->set(on => undef, fault => undef, starttls => tls('good'), %o);
    $mark{connections} = $first->connections();
    $mark{log} = length $t->read_file('error.log');
}

sub logged {
    return substr($t->read_file('error.log'), $mark{log})
           =~ s/^.* \[debug\] .*\n//mgr;
}

# what each connection was told

sub said {
    return join ' | ',
           map { join ' ', map { /^(\w+)/ } $first->commands($_) }
           $mark{connections} + 1 .. $first->connections();
}

for my $i (0 .. $#faults) {
    my ($name, $o, $error) = @{$faults[$i]};

    # the last of them is seen in the handshake, or behind it

    prepare(%$o);
    is send_one(stalls($faults[$i]) ? 'must_hasty' : 'must'), $insecure,
       "$name: required, refused";
    like said(), qr/\AEHLO STARTTLS(?: EHLO)?\z/, 'nothing else was said';
    like logged(), $error, 'the log says why';

    prepare(%$o);
    is send_one("may$i"), $taken, "$name: opportunistic, taken";
    like said(), qr/\AEHLO STARTTLS(?: EHLO)? \| EHLO MAIL RCPT DATA QUIT\z/,
         'in clear text, on a new connection';
    is scalar(() = logged() =~ /\[warn\] .*no TLS with upstream/g), 1,
       'a warning';

    # the same server, and it is not asked again

    prepare(%$o);
    is send_one("may$i"), $taken, 'another message is taken';
    is said() . (logged() =~ /\[warn\]/ ? ' warned' : ''),
       'EHLO MAIL RCPT DATA QUIT', 'without being asked, and no new warning';
}

for my $i (0 .. $#certificates) {
    my ($name, $error) = @{$certificates[$i]};

    prepare(starttls => tls($name));
    is send_one('verify'), $insecure, "$name certificate: required, refused";
    is said(), 'EHLO STARTTLS', 'nothing was said under TLS';
    like logged(), qr/\[error\] .*$error/, 'the log says why';

    prepare(starttls => tls($name));
    is send_one("cert$i"), $taken, "$name certificate: opportunistic, taken";
    is(($first->messages())[-1]{tls}, 1, 'under TLS');
    like logged(), qr/\[info\] .*$error/, 'the log says that it is not verified';
}

# a server without STARTTLS

prepare(starttls => undef);
is send_one('must'), $insecure, 'no STARTTLS: required, refused';
is said(), 'EHLO', 'nothing else was said';
like logged(), qr/\[error\] .*upstream does not offer STARTTLS/,
     'the log says why';

# ... without EHLO

prepare(on => { EHLO => '502 5.5.1 no' });
is send_one('must'), $insecure, 'no EHLO: required, refused';
is said(), 'EHLO HELO', 'nothing else was said';
prepare(on => { EHLO => '500 5.5.1 no' });
is send_one('kept'), $taken, 'no EHLO: opportunistic, taken';
is said(), 'EHLO HELO MAIL RCPT DATA', 'in clear text, after HELO';
$first->set(fault => { at => 'MAIL', do => 'close', n => 1 });
is send_one('kept'), $taken, 'a new connection';

# another server that can do it

prepare(on => { STARTTLS => '454 4.7.0 later' });
is send_one('both'), $taken, 'one of two servers has no TLS: taken';
is said(), 'EHLO STARTTLS', 'nothing was said to this one';
is(($second->messages())[-1]{tls}, 1, 'the other one has it under TLS');

# TLS from the start

is send_one('smtps'), '250 2.0.0 OK', 'smtps: taken';
$implicit->set(fault => { at => 'CONNECT', do => 'stall' });
is $t->client('smtps')->read_reply(), '220 mx.example.com ESMTP', 'smtps again';
prepare();
is send_one('smtps_clear'), $insecure, 'smtps, and who answers has no TLS';
unlike said(), qr/MAIL|EHLO|STARTTLS/, 'who hears no command';
like logged(), qr/SSL_do_handshake\(\) failed/, 'the log says why';

prepare(fault => { at => 'CONNECT', do => 'stall' });
is send_one('smtps_clear'), $insecure, 'smtps, and nobody speaks';
like logged(), qr/upstream timed out .* while SSL handshaking/,
     'the log says why';

# connections in clear text are kept as long as TLS is not tried

prepare(on => { STARTTLS => '454 4.7.0 later' });
$first->set(fault => { at => 'EOM', do => 'answer_close', n => 1 });
is send_one('kept'), $taken, 'STARTTLS is refused: taken';
is send_one('kept'), $taken, 'once more';
is $first->connections(), $mark{connections} + 2,
   'on one that was kept, and closed; and a new one after STARTTLS on another';
prepare(on => { STARTTLS => '454 4.7.0 later' });
is send_one('kept'), $taken, 'and again';
is send_one('retry'), $taken, 'and by another';
is $first->connections(), $mark{connections} + 2, 'on a kept connection';

prepare();
ok poll(sub { send_one('retry'); said() =~ /STARTTLS/ }, 15),
   'after a while it is tried again';
is(($first->messages())[-1]{tls}, 1, 'and used');
prepare();
send_one('retry');
is said(), '', 'from then on';

# a client that goes away, a worker that stops, in the middle of a handshake

prepare(fault => { do => 'answer_stall' });

for my $how (qw/ close reset /) {
    my $c = $t->client('must_hasty');

    $c->read_reply();
    $c->ehlo();
    $c->mail('a@example.com');
    $c->rcpt('b@example.com');
    $c->cmd('DATA');
    $c->send_raw("x\r\n.\r\n");

    ok $first->wait_connections($mark{connections} + 1), "client: $how";
    $c->$how();
    $mark{connections} = $first->connections();
}

$mark{connections} = $first->connections();

my $c = $t->client('must_hasty');

$c->read_reply();
$c->ehlo();
$c->mail('a@example.com');
$c->rcpt('b@example.com');
$c->cmd('DATA');
$c->send_raw("x\r\n.\r\n");
ok $first->wait_connections($mark{connections} + 1), 'stop';
$t->stop();
is $c->read_reply(), $insecure, 'the message is refused, then nginx ends';

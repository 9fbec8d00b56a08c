#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# As the other tables of faults, but under TLS that has to be, and with a login:
# STARTTLS, the handshake, EHLO once more, AUTH, and the rest of the dialogue on
# a connection that OpenSSL stands in.  Nothing is said to a server without TLS.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Faults;

my $t = Test::Nginx::SmtpExt->new();

my ($cert, $key) = $t->certificate('next');
my %tls = (cert => $cert, key => $key, resume => 1);
my $password = $t->secret('s3cret-of-ours');

$t->write_file('password', "$password\n");

my $login = <<'EOC';
smtp_pass_auth                own;
        smtp_pass_auth_user           relay;
        smtp_pass_auth_password_file  password;
        smtp_pass_auth_security       tls;
EOC

my @columns = (
    { name => 'pipelined', mode => 'verify', starttls => 1,
      auth => 'PLAIN', ehlo => [ qw/ 8BITMIME PIPELINING / ] },
    { name => 'chunks', mode => 'buffered', starttls => 1,
      auth => 'LOGIN', ehlo => [ qw/ 8BITMIME PIPELINING CHUNKING / ] },
    { name => 'data', mode => 'stream', starttls => 1,
      auth => 'CRAM-MD5', ehlo => [ qw/ 8BITMIME PIPELINING / ] },
    { name => 'implicit', mode => 'buffered',
      auth => 'LOGIN', ehlo => [ qw/ 8BITMIME PIPELINING / ] },
);

for my $column (@columns) {
    $column->{conf} = 'smtp_pass_tls  '
                      . ($column->{starttls} ? "required;\n" : "implicit;\n")
                      . "        $login";
    $column->{server} = { ($column->{starttls} ? 'starttls' : 'ssl') => \%tls,
                          auth => { relay => $password },
                          auth_mechs => $column->{auth} };
}

# see Faults.pm for what the letters mean

Test::Nginx::SmtpExt::Faults->new($t, @columns)->test(<<'EOT');
#                          verify buffered stream implicit
CONNECT     bad            o o o o
CONNECT     twice          o o o o
EHLO        bad            o o o o
EHLO        then close     o o o o
STARTTLS    bad            o o o -
STARTTLS    then close     o o o -
STARTTLS    then reset     o o o -
STARTTLS    then stall     o o o -
STARTTLS    twice          o o o -
STARTTLS    ahead          o o o -
TLS         close          o o o o
TLS         reset          o o o o
TLS         stall          o o o o
TLS         silent         o o o o
TLS         garbage        o o o o
TLS         endless        o o o o
TLS         megabyte line  o o o o
EHLO 2      bad            o o o -
EHLO 2      then close     o o o -
EHLO 2      then reset     o o o -
EHLO 2      then stall     o o o -
EHLO 2      twice          o o o -
EHLO 2      slow           t t t -
AUTH        bad            o o o o
AUTH        then close     o l o o
AUTH        then reset     o ol o o
AUTH        then stall     o l o o
AUTH        twice          o o o o
AUTH        slow           t t t t
AUTH_STEP   bad            - o o o
AUTH_STEP   then close     - o o o
AUTH_STEP   then stall     - o o o
AUTH_STEP   twice          - o o o
AUTH_STEP   slow           - t t t
MAIL        bad            o l o o
MAIL        silent         - - - -
MAIL        late           o lL o o
MAIL        then close     o l o o
RCPT        bad            o l o o
RCPT        silent         - - - -
RCPT        late           o lL o o
RCPT        then close     O l O o
RCPT        twice          o t o o
DATA        bad            O - O o
DATA        stall          o - o o
DATA        silent         o - o o
DATA        late           o - o o
DATA        drip           o - o o
DATA        twice          o - o o
DATA        slow           t - t t
BODY        close          o o b o
BODY        reset          o o b o
BODY        stall          o o b o
BODY        sip            o o b o
BODY        garbage        oLl oLl bLl oLl
BODY        endless        o o bL o
BODY        250 2.0.0 taken, then stall  l l b l
BODY        452 4.3.1 full, then close   r r r r
BODY        421 4.3.2 bye, then close    o o r o
EOM         bad            L L L L
EOM         then close     t t t t
EOM         then reset     t t t t
EOM         twice          t t t t
EOM         slow           t t t t
EOM         ahead          o t o o
parked      close          T - T -
parked      421 bye        T - T -
parked      250 more       T - T -
parked      banana         T - T -
again MAIL  bad            t tzZ t t
again MAIL  stall          n nz n n
again MAIL  silent         - - - -
again MAIL  late           n nzZ n n
again MAIL  drip           n nz n n
RSET        bad            t tzZ t t
RSET        stall          n nzZ n n
RSET        silent         - - - -
RSET        late           n nzZ n n
RSET        drip           n nzZ n n
EOT

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# As the other tables of faults, where the next hop is told who the client is:
# XCLIENT, after which it begins anew, or a header of the PROXY protocol in front
# of everything.

use warnings;
use strict;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Faults;

my @xclient = ('XCLIENT NAME ADDR PORT PROTO HELO', qw/ 8BITMIME PIPELINING /);

my @columns = (
    { name => 'asked', mode => 'verify', ehlo => [ @xclient ] },
    { name => 'kept', mode => 'buffered', ehlo => [ @xclient, 'CHUNKING' ] },
    { name => 'passed', mode => 'stream', ehlo => [ @xclient ] },
    { name => 'proxied', mode => 'buffered', server => { proxy => 1 },
      ehlo => [ qw/ 8BITMIME PIPELINING / ] },
);

$_->{conf} = $_->{name} eq 'proxied' ? 'smtp_pass_proxy_protocol  v2;'
                                     : 'smtp_pass_xclient  on;'
    for @columns;

# see Faults.pm for what the letters mean

my $t = Test::Nginx::SmtpExt->new();

Test::Nginx::SmtpExt::Faults->new($t, @columns)->test(<<'EOT');
#                          verify buffered stream proxy
CONNECT     bad            o o o o
CONNECT     then close     o o o o
CONNECT     then reset     o o o o
CONNECT     then stall     o o o o
CONNECT     twice          o o o o
CONNECT     slow           t t t t
EHLO        bad            o o o o
EHLO        then close     o o o o
EHLO        then stall     o o o o
EHLO        twice          o o o o
EHLO        slow           t t t t
XCLIENT     bad            o o o -
XCLIENT     then close     o o o -
XCLIENT     then reset     o o o -
XCLIENT     then stall     o o o -
XCLIENT     twice          o o o -
XCLIENT     ahead          o o o -
XCLIENT     slow           t t t -
EHLO 2      bad            o o o -
EHLO 2      then close     o l o -
EHLO 2      then reset     o ol o -
EHLO 2      then stall     o l o -
EHLO 2      twice          o o o -
EHLO 2      slow           t t t -
MAIL        bad            o l o o
MAIL        silent         - - - -
MAIL        late           o lL o o
MAIL        then close     o l o o
RCPT        bad            o l o o
RCPT        silent         - - - -
RCPT        late           o lL o o
DATA        bad            O - O o
DATA        stall          o - o o
DATA        silent         o - o o
DATA        late           o - o o
DATA        drip           o - o o
EOM         bad            L L L L
EOM         then close     t t t t
parked      close          T - T -
parked      421 bye        T - T -
again MAIL  bad            t tzZ t t
again MAIL  stall          n nz n n
again MAIL  silent         - - - -
again MAIL  late           n nzZ n n
again MAIL  drip           n nz n n
EOT

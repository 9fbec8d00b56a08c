#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# smtp_pass_mode verify: every step of the next hop's dialogue, with everything
# that can go wrong there.  What the client is told, which servers were tried,
# what was delivered how often; and nothing of it is left over.

use warnings;
use strict;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Faults;

my $t = Test::Nginx::SmtpExt->new();

Test::Nginx::SmtpExt::Faults->of_mode($t, 'verify')->test(<<'EOT');
#                          pipelined plain chunks lmtp
CONNECT     bad            o o o o
CONNECT     then close     o o o o
CONNECT     then reset     o o o o
CONNECT     then stall     o o o o
CONNECT     twice          o o o o
CONNECT     slow           t t t t
EHLO        bad            o o o -
EHLO        then close     o o o -
EHLO        then reset     o o o -
EHLO        then stall     o o o -
EHLO        twice          o o o -
EHLO        slow           t t t -
EHLO        ahead          t t t -
LHLO        bad            - - - o
LHLO        then close     - - - o
LHLO        then reset     - - - o
LHLO        then stall     - - - o
LHLO        twice          - - - o
LHLO        slow           - - - t
LHLO        ahead          - - - t
MAIL        bad            o o o o
MAIL        silent         - o - -
MAIL        then close     o o o o
MAIL        then reset     o o o o
MAIL        then stall     o o o o
MAIL        twice          oO o oOT oO
MAIL        slow           t t t t
MAIL        ahead          o o o o
RCPT        bad            o o o o
RCPT        silent         - o - -
RCPT        then close     O O m O
RCPT        then reset     O O mO O
RCPT        then stall     o o o o
RCPT        twice          o o o o
RCPT        slow           t t t t
RCPT        ahead          - o - -
DATA        bad            O O - O
DATA        stall          o o - o
DATA        silent         o o - o
DATA        late           o o - o
DATA        drip           o o - o
DATA        then close     l l - l
DATA        then stall     l l - l
DATA        twice          o o - o
DATA        slow           t t - t
DATA        ahead          - o - -
BODY        close          o o o o
BODY        reset          o o o o
BODY        stall          o o o o
BODY        sip            o o o o
BODY        garbage        oLl oLl oLl oLl
BODY        endless        o o o o
BODY        250 2.0.0 taken, then stall  l l l l
BODY        452 4.3.1 full, then close   r r r r
BODY        552 5.3.4 big, then close    r r r r
BODY        421 4.3.2 bye, then close    o o o o
EOM         bad            L L L L
EOM         then close     t t t t
EOM         then reset     t t t t
EOM         then stall     t t t t
EOM         twice          t t t t
EOM         slow           t t t t
EOM         ahead          o o o o
parked      close          T T T T
parked      421 bye        T T T T
parked      250 more       T T T T
parked      banana         T T T T
again MAIL  bad            t t t t
again MAIL  stall          n n n n
again MAIL  silent         - n - -
again MAIL  late           n n n n
again MAIL  drip           n n n n
again RCPT  bad            n n n n
again RCPT  silent         - n - -
RSET        bad            t t t t
RSET        stall          n n n n
RSET        silent         - n - -
RSET        late           n n n n
RSET        drip           n n n n
EOT

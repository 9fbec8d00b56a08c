#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# smtp_pass_mode buffered: every step of the next hop's dialogue, with everything
# that can go wrong there.  What the client is told, which servers were tried,
# what was delivered how often; and nothing of it is left over.

use warnings;
use strict;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Faults;

my $t = Test::Nginx::SmtpExt->new();

Test::Nginx::SmtpExt::Faults->of_mode($t, 'buffered')->test(<<'EOT');
#                          pipelined plain chunks lmtp
CONNECT     bad            o o o o
CONNECT     then close     o o o o
CONNECT     then reset     o o o o
CONNECT     then stall     o o o o
CONNECT     twice          o o o o
CONNECT     slow           t t t t
EHLO        bad            o o o -
EHLO        then close     o o l -
EHLO        then reset     o o ol -
EHLO        then stall     o o l -
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
MAIL        bad            o o l o
MAIL        silent         - o - -
MAIL        late           o o lL o
MAIL        then close     o o l o
MAIL        then reset     o o l o
MAIL        then stall     o o l o
MAIL        twice          o o t o
MAIL        slow           t t t t
MAIL        ahead          o o o o
RCPT        bad            o o l o
RCPT        silent         - o - -
RCPT        late           o o lL o
RCPT        then close     o o l o
RCPT        then reset     o o l o
RCPT        then stall     o o l o
RCPT        twice          o o t o
RCPT        slow           t t t t
RCPT        ahead          - o - -
DATA        bad            o o - o
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
EOM         ahead          o o t o
again MAIL  bad            t t tzZ t
again MAIL  stall          n n nz n
again MAIL  silent         - n - -
again MAIL  late           n n nzZ n
again MAIL  drip           n n nz n
again RCPT  bad            n n zn n
again RCPT  late           n n zZ n
again RCPT  silent         - n - -
RSET        bad            t t tzZ t
RSET        stall          n n nzZ n
RSET        silent         - n - -
RSET        late           n n nzZ n
RSET        drip           n n nzZ n
EOT

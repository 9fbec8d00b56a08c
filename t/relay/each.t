#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Next hops that answer each recipient: LMTP (RFC 2033) and PRDR
# (draft-hall-prdr).

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new();
my $ms = scaled(400);

$t->write_conf(<<"EOC")->plan(50);
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        lmtp://boxes;
    smtp_max_errors  1000;

    smtp_pass_final_timeout  ${ms}ms;

    smtp_upstream boxes {
        server     127.0.0.1:%%PORT_lmtp%%  max_fails=0;
        keepalive  4;
    }

    smtp_recipient  \@prdr.example   { smtp_pass smtp://127.0.0.1:%%PORT_prdr%%; }
    smtp_recipient  \@same.example   { smtp_pass smtp://boxes; }
    smtp_recipient  \@unix.example   { smtp_pass lmtp://unix:%%TESTDIR%%/lmtp; }

    smtp_log_format  main  '\$smtp_status \$smtp_upstream_addr '
                           '"\$smtp_upstream_reply"';

    server {
        listen     127.0.0.1:%%PORT_verify%%;
        protocol   smtp_ext;

        smtp_access_log  %%TESTDIR%%/verify.log main;
    }

    server {
        listen          127.0.0.1:%%PORT_buffered%%;
        protocol        smtp_ext;
        smtp_pass_mode  buffered;
    }

    server {
        listen             127.0.0.1:%%PORT_bounce%%;
        protocol           smtp_ext;
        smtp_mixed_result  bounce smtp://127.0.0.1:%%PORT_report%%;
    }

    server {
        listen     127.0.0.1:%%PORT_front%%;
        protocol   smtp_ext;
        smtp_lmtp  on;
    }
}
EOC

my @lmtp = (lmtp => 1, ehlo => [ qw/ PIPELINING / ]);
my $lmtp = $t->server('lmtp', @lmtp);
my $unix = $t->server('unix:' . $t->testdir() . '/lmtp', @lmtp);
my $prdr = $t->server('prdr', ehlo => [ qw/ PIPELINING PRDR / ]);
my $report = $t->server('report');

$t->run();


sub client {
    my ($port) = @_;

    my $c = $t->client($port);

    $c->read_reply();
    $port eq 'front' ? $c->cmd('LHLO client.example') : $c->ehlo();

    return $c;
}


# MAIL, RCPTs, a message; all replies from the one to MAIL on, in short

sub replies {
    my ($c, $params, @to) = @_;

    my @replies = map { substr $_, 0, 3 }
                  $c->mail('s@example.com', $params || ()),
                  map { $c->rcpt($_) } @to;

    my $n = () = grep { /^2/ } @replies[1 .. $#replies];

    push @replies, substr $c->cmd('DATA'), 0, 3;
    $c->body("Subject: each\r\n\r\nhello\r\n");

    my $more = $t->port('front') == $c->socket()->peerport() ? $n - 1 : 0;

    do {
        push @replies, $c->read_reply();
        $more = $n + 1 if $replies[-1] =~ /^353/;
        $replies[-1] = substr $replies[-1], 0, 9;
    } while ($more--);

    return "@replies";
}


# LMTP behind SMTP: one recipient at a time

for my $port (qw/ verify buffered /) {
    my $c = client($port);

    $lmtp->set(on => {}, fault => undef);

    is replies($c, '', 'a@example.com'), '250 250 354 250 2.0.0',
       "$port: a recipient of an LMTP server";
    is replies($c, '', 'a@example.com', 'b@example.com'),
       '250 250 452 354 250 2.0.0', "$port: the second goes by itself";

    $lmtp->set(on => { EOM => '550 5.2.2 full' });
    is replies($c, '', 'a@example.com'), '250 250 354 550 5.2.2',
       "$port: its answer is the reply";

    $lmtp->set(on => { RCPT => '550 5.1.1 unknown' });
    my $refused = $port eq 'verify' ? '250 550' : '250 250 354 550 5.1.1';

    like replies($c, 'PRDR', 'a@example.com'), qr/^$refused/,
         "$port: refused at RCPT, or when it is asked";

    $c->close();

    # PRDR takes what LMTP has to say

    my @to = map { "$_\@example.com" } 'a' .. 'c';
    my $c2 = client($port);

    $lmtp->set(on => {});
    is replies($c2, 'PRDR', @to), '250 250 250 250 354 250 2.0.0',
       "$port: PRDR, all took it: one reply";
    is scalar(@{($lmtp->messages())[-1]{to}}), 3, 'in one transaction';

    $lmtp->set(on => { EOM => [ '250 2.0.0 a', '452 4.2.2 b', '550 5.2.1 c' ] });
    is replies($c2, 'PRDR', @to),
       '250 250 250 250 354 353 Repli 250 2.0.0 452 4.2.2 550 5.2.1 250 2.0.0',
       "$port: PRDR, each its own";

    $lmtp->set(on => { EOM => [ '450 4.2.0 a', '550 5.2.2 b', '550 5.2.1 c' ] });
    is replies($c2, 'PRDR', @to),
       '250 250 250 250 354 353 Repli 450 4.2.0 550 5.2.2 550 5.2.1 450 4.2.0',
       "$port: PRDR, nobody took it";

    $lmtp->set(on => { EOM => '550 5.7.1 no' });
    is replies($c2, 'PRDR', @to), '250 250 250 250 354 550 5.7.1',
       "$port: PRDR, all refused: one reply";

    # 421 to the second: it and the third are not known of

    $lmtp->set(on => { EOM => [ '250 2.0.0 a', '421 4.3.2 bye', '250 2.0.0 c' ] });
    is replies($c2, 'PRDR', @to),
       '250 250 250 250 354 353 Repli 250 2.0.0 451 4.3.2 451 4.4.2 250 2.0.0',
       "$port: 421 in the middle of the replies";

    # RFC 2033, 5: the end in the middle of them

    $lmtp->set(on => { EOM => '250 2.0.0 a' },
               fault => { at => 'EOM', do => 'half' });
    is replies($c2, 'PRDR', @to[0, 1]),
       '250 250 250 354 353 Repli 250 2.0.0 451 4.4.2 250 2.0.0',
       "$port: those that came count, when the rest does not";

    $lmtp->set(on => {}, fault => undef);
    is replies($c2, 'PRDR', @to), '250 250 250 250 354 250 2.0.0',
       "$port: on a new connection";
}

# a recipient that is refused when the message is there costs no connection

my $c = client('buffered');

$lmtp->set(on => { RCPT => [ '250 2.1.5 a', '550 5.1.1 b', '250 2.1.5 c' ] });

my $connections = $lmtp->connections();

is replies($c, 'PRDR', map { "$_\@example.com" } 'a' .. 'c'),
   '250 250 250 250 354 353 Repli 250 2.0.0 550 5.1.1 250 2.0.0 250 2.0.0',
   'buffered: one is refused';
is replies($c, '', 'a@example.com'), '250 250 354 250 2.0.0', 'another message';
is $lmtp->connections(), $connections, 'on the same connection';
$c->close();

# LMTP behind LMTP

$c = client('front');

$lmtp->set(on => { EOM => [ '250 2.0.0 a', '550 5.2.2 b' ] });

is replies($c, '', 'a@example.com', 'b@example.com'),
   '250 250 250 354 250 2.0.0 550 5.2.2', 'LMTP to LMTP';
is replies($c, '', 'a@unix.example', 'b@prdr.example'),
   '250 250 250 354 250 2.0.0 250 2.0.0',
   'LMTP to LMTP on a unix socket, and to SMTP with PRDR';
is scalar($unix->messages()), 1, 'one went there';
like $c->mail('s@example.com') . $c->rcpt('b@same.example'), qr/^250.*250/,
     'SMTP is not spoken on a connection of LMTP';
like join(' ', $lmtp->commands()), qr/DATA EHLO mx\.example\.com/,
     'but on one of its own';
$c->close();

# a report on LMTP's answers

$c = client('bounce');
$lmtp->set(on => { EOM => [ '250 2.0.0 a', '550 5.2.2 b', '250 2.0.0 c' ] });

is replies($c, '', map { "$_\@example.com" } 'a' .. 'c'),
   '250 250 250 250 354 250 2.0.0', 'a message with a report';
is join(' ', ($report->messages())[0]{data} =~ /^Final-Recipient: (.*)\r/mg),
   'rfc822; b@example.com', 'on the one who did not get it';

# PRDR of a next hop

for my $port (qw/ verify buffered /) {
    my $c = client($port);
    my @to = map { "$_\@prdr.example" } 'a' .. 'c';

    $prdr->set(on => {}, fault => undef);
    is replies($c, 'PRDR', @to), '250 250 250 250 354 250 2.0.0',
       "$port: PRDR at the next hop, one reply";
    like join(' ', $prdr->commands()), qr/MAIL FROM:<s\@example\.com> PRDR/,
         'it was told';

    $prdr->set(on => { EOM => "353 now\n450 4.2.0 a\n250 2.0.0 b\n"
                              . "550 5.2.1 c\n250 2.0.0 done" });
    is replies($c, 'PRDR', @to),
       '250 250 250 250 354 353 Repli 450 4.2.0 250 2.0.0 550 5.2.1 250 2.0.0',
       "$port: each its own";
    is replies($c, 'PRDR', @to),
       '250 250 250 250 354 353 Repli 450 4.2.0 250 2.0.0 550 5.2.1 250 2.0.0',
       "$port: the connection is in step";

    $prdr->set(on => { EOM => "353 now\n250 2.0.0 a" });
    is replies($c, 'PRDR', @to),
       '250 250 250 250 354 353 Repli 250 2.0.0 451 4.4.2 451 4.4.2 250 2.0.0',
       "$port: two replies do not come";

    $prdr->set(on => { EOM => "550 5.7.1 all" });
    is replies($c, '', @to), '250 250 250 250 354 550 5.7.1',
       "$port: a client without PRDR";
    unlike join(' ', ($prdr->commands())[-6 .. -1]), qr/ PRDR/,
           'it was not told then';

    $prdr->set(on => { EOM => '353 what' });
    is replies($c, '', 'a@prdr.example'), '250 250 354 451 4.4.2',
       "$port: 353 without PRDR is no answer";
}

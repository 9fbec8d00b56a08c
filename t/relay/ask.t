#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# VRFY, EXPN and ETRN, answered by the next hop: RFC 5321, 3.5 and 7.3; RFC
# 1985; RFC 6531, 3.7.4.2.  Who may ask, who is asked, in which words, and what
# becomes of the answer.

use warnings;
use strict;
use utf8;

use Encode qw/ encode_utf8 /;
use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new();
my $ms = scaled(400);

$t->write_conf(<<"EOC")->plan(91)->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_max_errors  1000;

    smtp_pass_connect_timeout   ${ms}ms;
    smtp_pass_greeting_timeout  ${ms}ms;
    smtp_pass_mail_timeout      ${ms}ms;
    smtp_pass_rcpt_timeout      ${ms}ms;

    smtp_vrfy  ask;
    smtp_expn  ask;
    smtp_etrn  ask;

    smtp_upstream pair {
        server  127.0.0.1:%%PORT_first%%   max_fails=0;
        server  127.0.0.1:%%PORT_second%%  max_fails=0  backup;
    }

    smtp_recipient  \@example.com        { smtp_pass 127.0.0.1:%%PORT_mta%%; }
    smtp_recipient  \@mx.example.com     { smtp_pass 127.0.0.1:%%PORT_mta%%; }
    smtp_recipient  \@.below.example     { smtp_pass 127.0.0.1:%%PORT_mta%%; }
    smtp_recipient  \@plain.example      { smtp_pass 127.0.0.1:%%PORT_plain%%; }
    smtp_recipient  \@utf8.example       { smtp_pass 127.0.0.1:%%PORT_utf8%%; }
    smtp_recipient  \@pair.example       { smtp_pass pair; }
    smtp_recipient  \@dead.example       { smtp_pass 127.0.0.1:%%PORT_dead%%; }
    smtp_recipient  \@box.example        { smtp_pass maildir:%%TESTDIR%%/box; }
    smtp_recipient  ~^(.*)\\+.*\@tag\\.example\$ {
        smtp_pass     127.0.0.1:%%PORT_mta%%;
        smtp_rewrite  \$1\@inner.example;
    }

    # who may send anywhere
    server {
        listen           127.0.0.1:%%PORT_users%%;
        protocol         smtp_ext;
        smtp_relay_from  127.0.0.1;
        smtp_pass        127.0.0.1:%%PORT_mta%%;
    }

    # who may not
    server {
        listen           127.0.0.1:%%PORT_world%%;
        protocol         smtp_ext;
        smtp_pass        127.0.0.1:%%PORT_mta%%;
    }

    # who may ask all the same
    server {
        listen           127.0.0.1:%%PORT_open%%;
        protocol         smtp_ext;
        smtp_pass        127.0.0.1:%%PORT_mta%%;
        smtp_vrfy        ask_all;
        smtp_expn        ask_all;
        smtp_etrn        ask_all;
    }
}
EOC

my @more = ('PIPELINING', 'EXPN', 'ETRN', 'HELP');

my $mta = $t->server('mta', ehlo => \@more);
my $plain = $t->server('plain', ehlo => [ 'PIPELINING' ]);
my $utf8 = $t->server('utf8', ehlo => [ @more, 'SMTPUTF8' ]);
my $first = $t->server('first', ehlo => \@more);
my $second = $t->server('second', ehlo => \@more,
    on => { VRFY => '250 2.1.5 <second@example.com>' });

my $verify = '252 2.0.0 Cannot verify, but will take mail for whom RCPT accepts';
my $expand = '252 2.0.0 Cannot expand, but will take mail for whom RCPT accepts';
my $denied = '459 4.7.1 Node %s not allowed: not served for you here';
my $unable = '458 4.3.0 Unable to queue messages for node %s';

sub connected {
    my $c = $t->client($_[0] || 'users');

    $c->read_reply();
    $c->ehlo();

    return $c;
}

# what it was told since it was asked for this the last time, but for greetings

my %seen;

sub told {
    my ($mta) = @_;
    my @all = $mta->commands();
    my @new = @all[($seen{$mta} // 0) .. $#all];

    $seen{$mta} = @all;

    return join ', ', grep { !/^EHLO/ } @new;
}


# who may

my $c = connected();
my $ehlo = $c->{ehlo};

is join(' ', grep { exists $ehlo->{$_} } qw/ VRFY EXPN ETRN HELP /),
   'VRFY EXPN ETRN HELP', 'offered to those for whom it is asked';
is $c->cmd('HELP'), '214 2.0.0 Commands: EHLO HELO MAIL RCPT DATA BDAT RSET '
   . 'NOOP QUIT VRFY EXPN HELP ETRN', 'HELP names them';

$mta->set(on => { VRFY => '250 2.1.5 A User <user@example.com>',
                  EXPN => "250-2.1.5 <a\@example.com>\r\n"
                          . "250-2.1.5 <b\@example.com>\r\n250 c\@example.com",
                  ETRN => '253 2.0.0 OK, 14 pending messages' });

my $world = connected('world');

is join(' ', grep { exists $world->{ehlo}{$_} } qw/ VRFY EXPN ETRN HELP /),
   'HELP', 'and not to strangers';

$world->dialogue('a stranger is told nothing',
    [ 'VRFY user@example.com', $verify ],
    [ 'EXPN list@example.com', $expand ],
    [ 'ETRN example.com', sprintf $denied, 'example.com' ],
    [ 'VRFY user@elsewhere.example', $verify ],
);
is told($mta), '', 'and nobody is asked';

my $open = connected('open');

is join(' ', grep { exists $open->{ehlo}{$_} } qw/ VRFY EXPN ETRN HELP /),
   'VRFY EXPN ETRN HELP', 'all: offered to strangers';

$open->dialogue('all: what RCPT takes of a stranger',
    [ 'VRFY user@example.com', '250 2.1.5 A User <user@example.com>' ],
    [ 'EXPN list@example.com', "250-2.1.5 <a\@example.com>\n"
      . "250-2.1.5 <b\@example.com>\n250 2.1.5 c\@example.com" ],
    [ 'ETRN example.com', '253 2.0.0 OK, 14 pending messages' ],
);
is told($mta), 'VRFY user@example.com, EXPN list@example.com, ETRN example.com',
   'all: is asked';
$open->dialogue('all: and no more',
    [ 'VRFY user@elsewhere.example', $verify ],
    [ 'EXPN user@elsewhere.example', $expand ],
    [ 'ETRN elsewhere.example', sprintf $denied, 'elsewhere.example' ],
    [ 'ETRN @com', '501 5.5.4 Syntax: ETRN [@]domain' ],
);
is told($mta), '', 'all: what is not for here is asked of nobody';


# what is asked, and of whom

for ([ 'user@example.com' ], [ '<user@example.com>', 'user@example.com' ],
     [ 'user' ], [ '"a b"' ], [ '"a b"@example.com' ],
     [ '<@relay.example:user@example.com>', 'user@example.com' ],
     [ 'user@sub.below.example' ], [ '<Postmaster>', 'Postmaster' ],
     [ 'user@anywhere.example' ], [ 'joe+x@tag.example', 'joe@inner.example' ])
{
    my ($arg, $said) = @$_;

    is $c->cmd("VRFY $arg"), '250 2.1.5 A User <user@example.com>', "VRFY $arg";
    is told($mta), 'VRFY ' . ($said // $arg), "as it is";
}

$c->dialogue('ETRN',
    [ 'ETRN example.com', qr/^253 / ],
    [ 'ETRN @below.example', sprintf $denied, '@below.example' ],
    [ 'ETRN @a.below.example', qr/^253 / ],
    [ 'ETRN @anywhere.example', sprintf $denied, '@anywhere.example' ],
    [ 'ETRN anywhere.example', qr/^253 / ],
    [ 'ETRN #queue', '501 5.5.4 Syntax: ETRN [@]domain' ],
    [ 'ETRN localname', '501 5.5.4 Syntax: ETRN [@]domain' ],
    [ 'ETRN', '501 5.5.4 Syntax: ETRN [@]domain' ],
    [ 'ETRN @', '501 5.5.4 Syntax: ETRN [@]domain' ],
    [ 'ETRN a.example b.example', '501 5.5.4 Syntax: ETRN [@]domain' ],
    [ 'ETRN tag.example', qr/^253 / ],
);
is told($mta), 'ETRN example.com, ETRN @a.below.example, ETRN anywhere.example, '
   . 'ETRN tag.example', 'nodes that are routed; below them only where a rule is';

is $mta->connections(), 1, 'all of that on one connection';


# where there is nobody who could answer

$plain->set(on => { VRFY => '502 5.5.1 no' });
$c->dialogue('a next hop without EXPN and ETRN',
    [ 'EXPN list@plain.example', $expand ],
    [ 'ETRN plain.example', sprintf $unable, 'plain.example' ],
    [ 'VRFY a@plain.example', $verify ],
);
is told($plain), 'VRFY a@plain.example', 'is asked for what it may have';

$c->dialogue('a Maildir',
    [ 'VRFY a@box.example', $verify ],
    [ 'EXPN a@box.example', $expand ],
    [ 'ETRN box.example', sprintf $unable, 'box.example' ],
);
$c->dialogue('nobody listens',
    [ 'VRFY a@dead.example', $verify ],
    [ 'EXPN a@dead.example', $expand ],
    [ 'ETRN dead.example', sprintf $unable, 'dead.example' ],
);


# its answers

for my $reply ('250 2.1.5 <a@example.com>', '251 2.1.5 <a@other.example>',
               '252 2.5.2 perhaps', '550 5.1.1 nobody', '450 4.2.1 later',
               '451 4.3.0 broken', '551 5.1.6 gone', '553 5.1.4 ambiguous',
               "553-5.1.4 two\n553-5.1.4 <a\@b.example>\n553 5.1.4 <c\@d.example>",
               '501 5.1.3 no such syntax', '554 5.7.1 not here')
{
    $mta->set(on => { VRFY => $reply =~ s/\n/\r\n/gr });
    is $c->cmd('VRFY a@example.com'), $reply, "its own: " . substr $reply, 0, 9;
}

$mta->set(on => { VRFY => '250 <a@example.com>' });
is $c->cmd('VRFY a'), '250 2.0.0 <a@example.com>', 'one without enhanced code'
    or diag $c->transcript();

for (500, 502, 503, 504, 530, 538) {
    $mta->set(on => { VRFY => "$_ 5.5.1 no", EXPN => "$_ no",
                      ETRN => "$_ 5.0.0 no" });
    $c->dialogue("no answer: $_",
        [ 'VRFY a@example.com', $verify ],
        [ 'EXPN a@example.com', $expand ],
        [ 'ETRN example.com', sprintf $unable, 'example.com' ],
    );
}

is $mta->connections(), 1, 'and it is the same connection';

# what is too long

my @list = map { "250-$_" . ('x' x 100) . '@example.com' } 1 .. 120;

$mta->set(on => { EXPN => join "\r\n", @list, '250 last@example.com' });
is $c->cmd('EXPN all'),
   join("\n", map { s/^250-/250-2.0.0 /r } @list) . "\n250 2.0.0 last\@example.com",
   'a long list';
$mta->set(on => { EXPN => join "\r\n", (map { $_ . 'x' x 50 } @list),
                               '250 last@example.com' });
is $c->cmd('EXPN all'), '252 2.0.0 List is too long to be shown',
   'one that is too long is not shown in part';
$mta->set(on => { EXPN => join "\r\n", @list, @list, '250 last@example.com' });
is $c->cmd('EXPN all'), $expand, 'nor one without end';

# octets that are no text

$mta->set(on => { VRFY => "250 2.1.5 \e[31m\x07<a\@example.com>\x7f" });
is $c->cmd('VRFY a'), '250 2.1.5 ?[31m?<a@example.com>?', 'controls are taken out';


# UTF-8

my $name = encode_utf8('250 2.1.5 Jürgen <jürgen@utf8.example>');

$utf8->set(on => { VRFY => $name, EXPN => $name });
is $c->cmd('VRFY j@utf8.example SMTPUTF8'), $name, 'UTF-8 for who asks for it';
is $c->cmd('EXPN j@utf8.example smtputf8'), $name, 'of EXPN as well';
is $c->cmd('VRFY j@utf8.example'), '252 2.6.8 Reply needs SMTPUTF8',
   'and not for others';
is $c->cmd(encode_utf8('VRFY jürgen@utf8.example')),
   '252 2.6.8 Reply needs SMTPUTF8', 'who may ask in it all the same';
is told($utf8), encode_utf8('VRFY j@utf8.example SMTPUTF8, '
   . 'EXPN j@utf8.example SMTPUTF8, VRFY j@utf8.example, '
   . 'VRFY jürgen@utf8.example'), 'the parameter is passed on';

$utf8->set(on => { VRFY => "551 5.1.6 <\xc3\xbc\@a.example>" });
is $c->cmd('VRFY j@utf8.example'), '550 5.6.8 Reply needs SMTPUTF8',
   'a forward address in UTF-8';
is $c->cmd('VRFY j@utf8.example SMTPUTF8'), "551 5.1.6 <\xc3\xbc\@a.example>",
   'with SMTPUTF8';
$utf8->set(on => { VRFY => "550 5.1.1 \xc3\xbc" });
is $c->cmd('VRFY j@utf8.example'), '550 5.1.1 ??', 'a text that nobody needs';
$utf8->set(on => { VRFY => "250 2.1.5 \xc3\x28 \xff \xc2\x9b\xc3\xbc" });
is $c->cmd('VRFY j@utf8.example SMTPUTF8'), "250 2.1.5 ?( ? ??\xc3\xbc",
   'what is none, and controls, are taken out';

$mta->set(on => { VRFY => '250 2.1.5 <a@example.com>' });
told($mta);
is $c->cmd(encode_utf8('VRFY ü@example.com')), $verify,
   'not to a next hop without SMTPUTF8';
is $c->cmd('VRFY a@example.com SMTPUTF8'), '250 2.1.5 <a@example.com>',
   'but for the parameter';
is told($mta), 'VRFY a@example.com', 'which it does not get';


# inside a transaction, which goes on

my $two = connected();
my $connections = $mta->connections();

$two->dialogue('a transaction is parked',
    [ 'MAIL FROM:<s@example.com>', qr/^250 / ],
    [ 'RCPT TO:<r@example.com>', qr/^250 / ],
);
$c->dialogue('another asks',
    [ 'VRFY a@example.com', '250 2.1.5 <a@example.com>' ],
);
is told($mta), 'MAIL FROM:<s@example.com>, RCPT TO:<r@example.com>, RSET, '
   . 'VRFY a@example.com', 'outside of the transaction that was open there';
$two->dialogue('so may the same',
    [ 'VRFY b@example.com', '250 2.1.5 <a@example.com>' ],
    [ 'ETRN example.com', '503 5.5.1 Not permitted during a mail transaction' ],
    [ 'RCPT TO:<t@example.com>', qr/^250 / ],
);
like $two->data("x\r\n"), qr/^250 /, 'the message is taken';
is_deeply +($mta->messages())[-1]{to}, [ 'r@example.com', 't@example.com' ],
    'for its recipients';
is $mta->connections(), $connections, 'on the one connection';


# servers that fail: the next one

for my $fault ({ do => 'close' }, { do => 'reset' }, { do => 'stall' },
               { do => 'garbage', data => "999 x\r\n" },
               { do => 'garbage', data => "354 go on\r\n" })
{
    $first->set(fault => { at => 'VRFY', %$fault });
    is $c->cmd('VRFY a@pair.example'), '250 2.1.5 <second@example.com>',
       "the next one after: $fault->{do} " . ($fault->{data} // '') =~ s/\r\n//r;
}

$first->set(fault => undef, on => { VRFY => '421 4.3.2 bye' });
is $c->cmd('VRFY a@pair.example'), '250 2.1.5 <second@example.com>',
   'the next one after: 421';

$first->set(on => { VRFY => [ '250 2.1.5 <first@example.com>', undef,
                              '250 2.1.5 <first@example.com>' ] },
            fault => { at => 'VRFY', do => 'close', n => 2 });
is $c->cmd('VRFY a@pair.example'), '250 2.1.5 <first@example.com>', 'the first';
is $c->cmd('VRFY a@pair.example'), '250 2.1.5 <first@example.com>',
   'a kept connection that was closed is no fault of it';

# a client that does not wait

$mta->set(fault => { at => 'VRFY', do => 'silent' });
my $three = connected();
my $closed = $mta->closed();
$three->send_line('VRFY gone@example.com');
$mta->wait_command('VRFY gone');
$three->reset();
ok $mta->wait_closed($closed + 1), 'who goes away is not asked for';

$mta->set(fault => undef);

# many of them

$c->transcript(clear => 1);
is scalar(grep { $c->cmd('VRFY a@example.com') eq '250 2.1.5 <a@example.com>' }
          1 .. 300), 300, 'hundreds in a session';
$c->pipeline(('VRFY a@example.com') x 50, 'NOOP');
is scalar(grep { /^250 2\.1\.5 <a\@example\.com>$/ } $c->read_replies(50)), 50,
   'in a batch';
is $c->read_reply(), '250 2.0.0 OK', 'replies keep their order';

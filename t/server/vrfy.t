#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# VRFY, EXPN, ETRN and HELP: RFC 5321, 3.5, 7.3 and 4.1.1.6 to 4.1.1.8; RFC
# 1985; RFC 6531, 3.7.4.2.

use warnings;
use strict;
use utf8;

use Encode qw/ encode_utf8 /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(20);

my $mta = $t->server('mta');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_max_errors  100;

    smtp_recipient @example.com {
        smtp_pass  smtp://127.0.0.1:%%PORT_mta%%;
    }

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }

    server {
        listen     127.0.0.1:%%PORT_off%%;
        protocol   smtp_ext;
        smtp_vrfy  off;
    }

    server {
        listen           127.0.0.1:%%PORT_ascii%%;
        protocol         smtp_ext;
        smtp_vrfy        ambiguous;
        smtp_extensions  smtputf8=off help=off;
    }
}
EOC

my $ok = '250 2.0.0 OK';
my $perhaps = '252 2.0.0 Cannot verify, but will take mail for whom RCPT '
              . 'accepts';
my $syntax = '501 5.5.4 Syntax: VRFY address';
my $not = '502 5.5.1 Command not implemented';
my $commands = '214 2.0.0 Commands: EHLO HELO MAIL RCPT DATA BDAT RSET NOOP '
               . 'QUIT VRFY HELP';

# the arguments that have not the reply

sub others {
    my ($c, $reply, @args) = @_;

    return join ' ', grep { $c->cmd(encode_utf8("VRFY $_")) ne $reply } @args;
}

my @right = ('user', 'user.name', 'user@example.com', '<user@example.com>',
             '<Postmaster>', '"a b"', '"a b"@example.com',
             'user@[192.0.2.1]', '<@a.example:user@example.com>');

my @wrong = ('@@', '@', '<user@example.com', 'user@example.com>', '<>',
             '<user@example.com> x', 'user name', 'a..b', 'a@b@c', '"a',
             "a\tb", "a\x01", 'user@example.com SMTPUTF', 'a@' . 'b' x 300);

my @utf8 = ('üser', '<üser@example.com>', 'user@exämple.com', '"ü"');

my $c = $t->connected();

is others($c, $perhaps, @right), '', 'nothing is told of an address';
is others($c, $syntax, '', @wrong), '', 'what is none is refused';
is others($c, $perhaps, @utf8, map { "$_ SMTPUTF8" } @utf8, 'user'), '',
   'UTF-8 with SMTPUTF8, and without';
is $c->cmd("VRFY \xc3\x28"), $syntax, 'UTF-8 that is none';
is $c->cmd('VRFY  SMTPUTF8'), $syntax, 'nothing but the parameter';

# nobody has asked the next hop

is_deeply [ $mta->commands() ], [], 'the next hop is not asked';

# in a transaction, which it leaves alone; RFC 5321, 4.1.4

$c->dialogue('at any time',
    [ 'MAIL FROM:<a@b.example>', '250 2.1.0 Sender OK' ],
    [ 'VRFY a', $perhaps ],
    [ 'EXPN a', $not ],
    [ 'ETRN a.example', $not ],
    [ 'HELP', $commands ],
    [ 'RCPT TO:<user@example.com>', qr/^250 / ],
    [ 'RSET', $ok ],
);

$c->dialogue('what is not here',
    [ 'EXPN', $not ],
    [ 'ETRN', $not ],
    [ 'ETRN @example.com', $not ],
    [ 'HELP ETRN', '504 5.5.4 No help on that' ],
    [ 'HELP VRFY x', '504 5.5.4 No help on that' ],
    [ 'help vrfy', '214 2.0.0 Syntax: VRFY address' ],
    [ 'HELP BDAT', '214 2.0.0 Syntax: BDAT size [LAST]' ],
);

unlike $c->cmd('EHLO a.example'), qr/VRFY|EXPN|ETRN/,
       'none of these is offered';
like $c->last_reply(), qr/^250 HELP$/m, 'HELP is, RFC 5321, 4.1.1.1';

# without SMTPUTF8: switched off, or after HELO

$c = $t->connected('ascii');
is others($c, $perhaps, @right), '', 'addresses without SMTPUTF8';
is others($c, $syntax, @utf8, 'user SMTPUTF8'), '', 'and no UTF-8 then';

$c = $t->client('smtp');
$c->read_reply();
is others($c, $perhaps, @right), '', 'before EHLO';
$c->cmd('HELO a.example');
is others($c, $syntax, @utf8), '', 'no UTF-8 after HELO';

# off

$c = $t->connected('off');
is others($c, $not, @right, @wrong, ''), '', 'off';
is $c->cmd('HELP'), $commands =~ s/ VRFY//r, 'off: HELP does not name it';

# HELP can be switched off as well

$c = $t->connected('ascii');
ok !exists $c->{ehlo}{HELP}, 'without HELP';
is $c->cmd('HELP'), $not, 'it is not there';

# configuration

my ($rc, $out) = $t->test_conf(<<'EOC');
%%GLOBALS%%
events { }
mail { smtp_vrfy  on; }
EOC

is $rc, 1, 'there is no "on"';
like $out, qr/invalid value "on"/, 'is told';

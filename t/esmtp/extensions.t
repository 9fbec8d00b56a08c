#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# smtp_extensions: what is offered, and what is refused with it.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll /;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(57);

my $full = $t->server('full', ehlo => [ 'PIPELINING', '8BITMIME', 'SIZE 1000',
    'CHUNKING', 'DSN', 'MT-PRIORITY', 'DELIVERBY 5', 'RRVS', 'NO-SOLICITING',
    'MTRK', 'FUTURERELEASE 60 2099-01-01T00:00:00Z' ]);
my $bare = $t->server('bare', ehlo => [ ]);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_max_errors  1000;
    smtp_extensions  mt-priority=on size=off;

    server {
        listen           127.0.0.1:%%PORT_1%%;
        protocol         smtp_ext;
        smtp_pass        smtp://127.0.0.1:%%PORT_full%%;
        smtp_extensions  pipelining=off 8bitmime=off chunking=off;
        smtp_extensions  dsn=off limits=off mt-priority=off;
    }

    server {
        listen           127.0.0.1:%%PORT_2%%;
        protocol         smtp_ext;
        smtp_pass        smtp://127.0.0.1:%%PORT_full%%;
        smtp_extensions  size=on;
    }

    server {
        listen           127.0.0.1:%%PORT_3%%;
        protocol         smtp_ext;
        smtp_pass        smtp://127.0.0.1:%%PORT_full%%;
        smtp_extensions  dsn=next_hop mt-priority=next_hop deliverby=next_hop
                         rrvs=next_hop no-soliciting=next_hop mtrk=next_hop
                         futurerelease=next_hop 8bitmime=next_hop;
    }

    server {
        listen           127.0.0.1:%%PORT_4%%;
        protocol         smtp_ext;
        smtp_pass        smtp://127.0.0.1:%%PORT_bare%%;
        smtp_extensions  dsn=next_hop;
        smtp_extensions  8bitmime=next_hop;
    }

    server {
        listen           127.0.0.1:%%PORT_5%%;
        protocol         smtp_ext;
        smtp_pass        smtp://127.0.0.1:%%PORT_full%%;
        smtp_extensions  dsn=next_hop rrvs=on;

        smtp_recipient  @bare.example  { smtp_pass 127.0.0.1:%%PORT_bare%%; }
    }

    server {
        listen           127.0.0.1:%%PORT_6%%;
        protocol         smtp_ext;
        smtp_extensions  dsn=next_hop mt-priority=next_hop rrvs=on;
    }

    server {
        listen           127.0.0.1:%%PORT_7%%;
        protocol         smtp_ext;
        smtp_extensions  dsn=on mt-priority=next_hop rrvs=on;

        smtp_recipient  *  { smtp_pass maildir:%%TESTDIR%%/box; }
    }
}
EOC

my $taken = qr/^250 2\.0\.0 OK id=/;

# which of them EHLO has, of those that are asked for

sub offered {
    my ($port, @names) = @_;
    my $ehlo = $t->connected($port)->{ehlo};

    return join ' ', grep { exists $ehlo->{$_} } @names;
}

my @all = ('PIPELINING', 'SIZE', '8BITMIME', 'CHUNKING', 'ENHANCEDSTATUSCODES',
           'DSN', 'LIMITS', 'DELIVERBY', 'FUTURERELEASE', 'MT-PRIORITY', 'RRVS',
           'NO-SOLICITING', 'MTRK');


# off

is offered('1', @all), 'ENHANCEDSTATUSCODES', 'what is off is not offered';

my $c = $t->connected('1');

for my $param ('SIZE=5', 'BODY=8BITMIME', 'RET=FULL', 'ENVID=1',
               'MT-PRIORITY=1', 'BY=60;N', 'HOLDFOR=1', 'SOLICIT=a', 'MTRK=a',
               'REQUIRETLS')
{
    my ($name) = $param =~ /^([^=]+)/;

    is $c->cmd("MAIL FROM:<a\@b.example> $param"),
       "555 5.5.4 Unsupported parameter: $name", "off: $param";
}

$c->mail('a@b.example');

for my $param ('NOTIFY=NEVER', 'ORCPT=rfc822;a', 'RRVS=2014-04-03T23:01:00Z') {
    my ($name) = $param =~ /^([^=]+)/;

    is $c->cmd("RCPT TO:<a\@b.example> $param"),
       "555 5.5.4 Unsupported parameter: $name", "off: $param";
}

is $c->cmd('RCPT TO:<c@d.example>'), '250 2.1.5 recipient ok', 'off: RCPT';

my $no = '502 5.5.1 Command not implemented';

is $c->bdat("QUIT\r\n", 0), $no, 'off: BDAT';
is $c->bdat('', 1), $no, 'off: BDAT without a chunk';
is $c->cmd('NOOP'), '250 2.0.0 OK', 'off: the chunk was no command';
like $c->data("x\r\n"), $taken, 'off: DATA';
is +($full->messages())[-1]{from_params} =~ s/\bSIZE=\d+//r, '',
   'nothing of it goes on';
is $c->cmd('BDAT x'), '501 5.5.4 Syntax: BDAT size [LAST], closing connection',
   'off: where a chunk ends has to be known all the same';

# commands may be sent together all the same: nobody is hurt

$c = $t->connected('1');
$c->send_raw("MAIL FROM:<a\@b.example>\r\nRSET\r\nNOOP\r\n");
is_deeply [ map { $c->read_reply() } 1 .. 3 ],
          [ '250 2.1.0 Sender OK', '250 2.0.0 OK', '250 2.0.0 OK' ],
          'off: PIPELINING is a promise, not a ban';

# on, and inherited by name

is offered('2', @all), 'PIPELINING SIZE 8BITMIME CHUNKING ENHANCEDSTATUSCODES '
                       . 'DSN LIMITS MT-PRIORITY',
   'what server does not name it has from mail, or by default';

# as the next hop: port 1 has another destination of the same name, so what it
# said is known by now

my @next = ('8BITMIME', 'DSN', 'DELIVERBY', 'FUTURERELEASE', 'MT-PRIORITY',
            'RRVS', 'NO-SOLICITING', 'MTRK');

is offered('3', @next), join(' ', @next), 'next_hop: it has them all';
is $t->connected('3')->{ehlo}{DELIVERBY}, '5', 'next_hop: with its values';

like $t->connected('3')->send_message(mail_params => [ 'ENVID=1', 'RET=FULL',
         'MT-PRIORITY=2', 'BY=60;R', 'SOLICIT=a', 'MTRK=a' ],
         rcpt_params => [ 'NOTIFY=DELAY', 'RRVS=2014-04-03T23:01:00Z' ]),
     $taken, 'next_hop: all in one message';

my $m = ($full->messages())[-1];

like $m->{from_params}, qr/\b\Q$_\E/, "next_hop: it has $_"
    for 'ENVID=1', 'RET=FULL', 'MT-PRIORITY=2', 'BY=', 'SOLICIT=a', 'MTRK=a';
is $m->{to_params}[0], 'NOTIFY=DELAY RRVS=2014-04-03T23:01:00Z',
   'next_hop: and those of RCPT';

# before the first contact, and after it

is offered('4', 'DSN', '8BITMIME'), '', 'next_hop: nothing is known';
like $t->connected('4')->send_message(), $taken, 'next_hop: a message';
is offered('4', 'DSN', '8BITMIME'), '', 'next_hop: it has neither';

# each destination counts

is offered('5', 'DSN', 'RRVS'), 'RRVS', 'next_hop: one of two has it; on: both';

$c = $t->connected('5');

is $c->cmd('MAIL FROM:<a@b.example> RET=FULL'),
   '555 5.5.4 Unsupported parameter: RET', 'next_hop: not even for the one';

# where there is no destination

is offered('6', 'DSN', 'MT-PRIORITY', 'RRVS'), 'RRVS', 'no destination';

# one that is ours and can't

is offered('7', 'DSN', 'MT-PRIORITY', 'RRVS'), 'MT-PRIORITY',
   'a maildir: what it can\'t do is not offered';

# what a new worker knows

my $worker = $t->worker_pid();

$t->reload();
poll(sub { !-d "/proc/$worker" }, 8);

is offered('3', @next), '', 'after a reload nothing is known';
like $t->connected('3')->send_message(), $taken, 'until the next contact';
is offered('3', @next), join(' ', @next), 'then it is again';

# the directive

for my $case (
    [ 'dsn', 'invalid parameter "dsn": "name=on"' ],
    [ 'dsn=', '"on", "off" or "next_hop" is expected' ],
    [ 'dsn=yes', '"on", "off" or "next_hop" is expected' ],
    [ 'dsn=ON', '"on", "off" or "next_hop" is expected' ],
    [ 'DSN=on', 'no such extension' ], [ 'foo=on', 'no such extension' ],
    [ '=on', 'no such extension' ], [ 'dsn =on', 'invalid parameter "dsn"' ],
    [ 'dsn=on dsn=off', 'invalid parameter "dsn=off": the extension is named' ],
    [ 'enhancedstatuscodes=off', "this extension can't be configured here" ],
    [ 'starttls=off', "this extension can't be configured here" ],
    [ 'auth=off', "this extension can't be configured here" ],
    [ 'futurerelease=on', 'only the next hop can offer it' ],
    [ '', 'invalid number of arguments in "smtp_extensions"' ],
) {
    my ($value, $message) = @$case;

    my ($rc, $out) = $t->test_conf(<<"EOC");
%%GLOBALS%%
events { }
mail {
    server_name      mx.example.com;
    smtp_extensions  $value;
}
EOC

    like $out, qr/\Q$message\E/, "smtp_extensions $value;";
}

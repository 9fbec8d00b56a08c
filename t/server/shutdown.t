#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Reload and the end: idle sessions are told 421 and closed, a transaction under
# way finishes first.  RFC 5321, 3.8.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(34);

$t->certificate('localhost');

my $mta = $t->server('mta');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    server {
        listen     127.0.0.1:%%PORT_smtp%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_mta%%;
    }

    server {
        listen     127.0.0.1:%%PORT_ssl%% ssl;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_mta%%;
    }
}
EOC

my $shutdown = '421 4.3.2 Service shutting down, closing connection';
my $recipient = '250 2.1.5 recipient ok';
my $go = '354 End data with <CR><LF>.<CR><LF>';
my $taken = qr/^250 2\.0\.0 OK id=/;

sub connected {
    my ($name) = @_;

    my $c = $t->client($name, ssl => $name eq 'ssl');

    $c->read_reply();
    $c->ehlo();

    return $c;
}

sub in_data {
    my ($name) = @_;

    my $c = connected($name);

    $c->mail('a@b.example');
    $c->rcpt('c@d.example');
    $c->cmd('DATA');
    $c->send_raw("Subject: under way\r\n\r\nline\r\n");

    return $c;
}


# what there is when the reload comes

my $greeted = $t->client('smtp');
$greeted->read_reply();

my $idle = connected('smtp');
my $tls = connected('ssl');

my $after = connected('smtp');
like $after->send_message(), $taken, 'a message before the reload';

my $mail = connected('smtp');
$mail->mail('a@b.example');

my $rcpt = connected('smtp');
$rcpt->mail('a@b.example');
$rcpt->rcpt('c@d.example');

my $data = in_data('smtp');
my $data_tls = in_data('ssl');

ok $t->reload(), 'reload';

for my $try ([ $greeted, 'greeted' ], [ $idle, 'idle' ],
             [ $tls, 'idle, with TLS' ], [ $after, 'idle after a message' ])
{
    my ($c, $name) = @$try;

    is $c->read_reply(), $shutdown, "a session that is $name";
    ok $c->eof(), 'is closed';
}

$mail->dialogue('after MAIL: it goes on',
    [ 'RCPT TO:<one@d.example>', $recipient ],
    [ 'NOOP', '250 2.0.0 OK' ],
    [ 'DATA', $go ],
    [ \"Subject: after MAIL\r\n\r\nx\r\n.\r\n", $taken ],
    [ undef, $shutdown ],
);
ok $mail->eof(), 'and is closed after the message';

$rcpt->dialogue('after RCPT: it may be given up, too',
    [ 'RSET', '250 2.0.0 OK' ],
    [ undef, $shutdown ],
);
ok $rcpt->eof(), 'and is closed then';

for my $try ([ $data, 'in the data' ], [ $data_tls, 'with TLS' ]) {
    my ($c, $name) = @$try;

    $c->send_raw("more\r\n.\r\n");
    like $c->read_reply(), $taken, "$name: the message is taken";
    is $c->read_reply(), $shutdown, "$name: and then 421";
    ok $c->eof(), "$name: closed";
}

is_deeply [ sort map { $_->{data} =~ /^Subject: (.*)\r$/m } $mta->messages() ],
          [ 'after MAIL', 'test', 'under way', 'under way' ],
          'each message arrived once';
ok $t->wait_old_workers(), 'the old worker ends';

# commands behind the message are answered first

my $c = in_data('smtp');

ok $t->reload(), 'reload';
$c->pipeline('.', 'NOOP', 'QUIT');
like $c->read_reply(), $taken, 'a batch behind a message';
is_deeply [ $c->read_replies(2) ], [ '250 2.0.0 OK', '221 2.0.0 Bye' ],
          'is answered';
ok $c->eof(), 'closed';

# the next hop is asked, and has not answered, when QUIT comes

$c = connected('smtp');
my $other = in_data('smtp');
my $third = in_data('smtp');
my $before = $mta->messages();

$mta->set(fault => { at => 'EOM', do => 'delay', seconds => 0.5, n => 1 });
$third->send_raw(".\r\n");
ok $mta->wait_messages($before + 1), 'the next hop has the message';

$t->wait_old_workers();
kill 'QUIT', $t->master_pid();

is $c->read_reply(), $shutdown, 'QUIT: an idle session';
$other->send_raw("more\r\n.\r\n");
like $other->read_reply(), $taken, 'QUIT: a message under way';
is $other->read_reply(), $shutdown, 'QUIT: and then 421';
ok $other->eof(), 'closed';
like $third->read_reply(), $taken, 'QUIT: the reply of the next hop';
is $third->read_reply(), $shutdown, 'QUIT: and then 421';
ok $third->eof(), 'closed';

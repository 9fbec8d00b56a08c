#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# A message goes to a next hop: what that sees, line by line.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->write_conf(<<'EOC')->plan(29)->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;

    smtp_log_format  main  '$smtp_id $smtp_status $smtp_upstream_addr '
                           '"$smtp_upstream_reply"';
    smtp_access_log  %%TESTDIR%%/access.log main;

    server {
        listen     127.0.0.1:%%PORT_smtp%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_mta%%;
    }

    server {
        listen          127.0.0.1:%%PORT_plain%%;
        protocol        smtp_ext;
        smtp_pass       smtp://127.0.0.1:%%PORT_slow%%;
        smtp_pass_helo  relay.example.com;
    }

    server {
        listen     127.0.0.1:%%PORT_old%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_helo%%;
    }
}
EOC

my $mta = $t->server('mta');
my $slow = $t->server('slow', ehlo => []);
my $helo = $t->server('helo', on => { EHLO => '500 5.5.1 what?' });

sub client {
    my ($port) = @_;

    my $c = $t->client($port);

    $c->read_reply();
    $c->ehlo();
    $c->transcript(clear => 1);

    return $c;
}

# what the client sees

my $c = client('smtp');

$c->mail('sender@example.com');
$c->rcpt('one@example.com');
$c->rcpt('two@example.com');
$c->data("Subject: test\r\n\r\nhello\r\n");

my ($id) = $c->last_reply() =~ / id=(\w+)/;

is $c->transcript() =~ s/ \n/\n/gr, <<EOF, 'the conversation with the client';
C: MAIL FROM:<sender\@example.com>
S: 250 2.1.0 Sender OK
C: RCPT TO:<one\@example.com>
S: 250 2.1.5 recipient ok
C: RCPT TO:<two\@example.com>
S: 250 2.1.5 recipient ok
C: DATA
S: 354 End data with <CR><LF>.<CR><LF>
C: Subject: test
C:
C: hello
C: .
S: 250 2.0.0 OK id=$id
EOF

# what the next hop sees

my ($m) = $mta->messages();

is $mta->transcript() =~ s/\(\d+ bytes\)/(message)/r, <<'EOF',
S: 220 server.example.net ESMTP
C: EHLO mx.example.com
S: 250-server.example.net
S: 250-PIPELINING
S: 250-8BITMIME
S: 250 SIZE 10485760
C: MAIL FROM:<sender@example.com>
S: 250 2.1.0 sender ok
C: RCPT TO:<one@example.com>
S: 250 2.1.5 recipient ok
C: RCPT TO:<two@example.com>
S: 250 2.1.5 recipient ok
C: DATA
S: 354 go on
C: (message)
S: 250 2.0.0 taken
EOF
   'the conversation with the next hop';

is $m->{from}, 'sender@example.com', 'sender';
is_deeply $m->{to}, [ 'one@example.com', 'two@example.com' ], 'recipients';

my ($received, $content) = $m->{data} =~ /^(Received: .*?\r\n)(?!\s)(.*)/s;

is $content, "Subject: test\r\n\r\nhello\r\n", 'the content is what was sent';
like $received, qr/^\tby mx\.example\.com with ESMTP\r\n\tid $id;/m,
     'Received has the id of the reply';
is $t->wait_log(qr/^(\w+ 250 .*)$/m, 'access.log'),
   "$id 250 127.0.0.1:" . $t->port('mta') . ' "250 2.0.0 taken"',
   'so has the log';

# the sender may be empty; the next transaction on the same connections

is $c->send_message(from => '', to => 'a@example.com') =~ s/ id=.*//r,
   '250 2.0.0 OK', 'a bounce';
is +($mta->messages())[1]{from}, '', 'has no sender there';
is +($mta->messages())[1]{n}, 1, 'it went over the same connection';
isnt +($c->last_reply() =~ /id=(\w+)/)[0], $id, 'it has another id';

# the client sends all in one write: so does nginx

$c->transcript(clear => 1);
$c->pipeline('MAIL FROM:<p@example.com>', 'RCPT TO:<a@example.com>',
             'RCPT TO:<b@example.com>', 'DATA');
is_deeply [ $c->read_replies(4) ],
    [ '250 2.1.0 Sender OK', '250 2.1.5 recipient ok',
      '250 2.1.5 recipient ok', '354 End data with <CR><LF>.<CR><LF>' ],
    'pipelined';
$c->body("hello\r\n");
like $c->read_reply(), qr/^250 2\.0\.0 OK id=/, 'and accepted';
is $c->quit(), '221 2.0.0 Bye', 'QUIT';

is_deeply [ ($mta->messages())[2]{commands} ],
    [ [ 'MAIL FROM:<p@example.com>', 'RCPT TO:<a@example.com>',
        'RCPT TO:<b@example.com>', 'DATA' ] ],
    'each command was sent once';

# the session needs no message

$c = client('smtp');
is $c->quit(), '221 2.0.0 Bye', 'a session without a message';
is $mta->connections(), 1, 'costs no connection to the next hop';

# RSET and EHLO in the middle

$c = client('smtp');
$c->mail('x@example.com');
$c->rcpt('lost@example.com');
$c->cmd('RSET');
like $c->send_message(from => 'y@example.com'), qr/^250/, 'after RSET';
$m = ($mta->messages())[3];
is $m->{from}, 'y@example.com', 'the new sender counts';
is_deeply $m->{to}, [ 'rcpt@example.com' ], 'the old recipient does not';

# a next hop without PIPELINING gets one command at a time

$c = client('plain');
$c->pipeline('MAIL FROM:<p@example.com>', 'RCPT TO:<a@example.com>',
             'RCPT TO:<b@example.com>', 'DATA');
$c->read_replies(4);
$c->body("hello\r\n");
like $c->read_reply(), qr/^250/, 'without PIPELINING';

is $slow->transcript() =~ s/\(\d+ bytes\)/(message)/r, <<'EOF',
S: 220 server.example.net ESMTP
C: EHLO relay.example.com
S: 250 server.example.net
C: MAIL FROM:<p@example.com>
S: 250 2.1.0 sender ok
C: RCPT TO:<a@example.com>
S: 250 2.1.5 recipient ok
C: RCPT TO:<b@example.com>
S: 250 2.1.5 recipient ok
C: DATA
S: 354 go on
C: (message)
S: 250 2.0.0 taken
EOF
   'one by one, and smtp_pass_helo is the name given';

# one that knows HELO only

$c = client('old');
like $c->send_message(to => 'a@example.com'), qr/^250/, 'EHLO is refused';
is_deeply [ $helo->commands() ],
    [ 'EHLO mx.example.com', 'HELO mx.example.com',
      'MAIL FROM:<sender@example.com>', 'RCPT TO:<a@example.com>', 'DATA' ],
    'HELO is tried, on the same connection';
is $helo->connections(), 1, 'one connection';

like $c->send_message(to => 'b@example.com'), qr/^250/, 'the next message';
is scalar(grep { /^(EHLO|HELO)/ } $helo->commands()), 2,
   'a kept connection is not greeted again';

# both are refused

$helo->set(on => { EHLO => '500 no', HELO => '502 no' });
$helo->stop();
$helo->start();

is $c->send_message(to => 'c@example.com'),
   '451 4.4.2 Connection to destination server failed',
   'a next hop that refuses HELO as well';
like $t->notices(), qr/upstream said: "502 no" while greeting upstream/,
     'is in the log';

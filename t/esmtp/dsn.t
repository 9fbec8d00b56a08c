#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# DSN: which values are taken, and what the next hop is told, with the
# extension and without it: RFC 3461, 4 and 5, RFC 6533, 3.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

my $with = $t->server('with', ehlo => [ 'PIPELINING', 'DSN' ]);
my $without = $t->server('without', ehlo => [ 'PIPELINING' ]);

$t->write_conf(<<'EOC');
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_max_errors  1000;

    server {
        listen     127.0.0.1:%%PORT_1%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;
    }

    server {
        listen     127.0.0.1:%%PORT_2%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_without%%;

        smtp_success_report  off;
    }

    server {
        listen     127.0.0.1:%%PORT_3%%;
        protocol   smtp_ext;

        smtp_recipient  *  { smtp_pass maildir:%%TESTDIR%%/box; }
    }

    server {
        listen     127.0.0.1:%%PORT_4%%;
        protocol   smtp_ext;
        smtp_pass  smtp://127.0.0.1:%%PORT_with%%;

        smtp_success_report  off;

        smtp_recipient  @box.example  { smtp_pass maildir:%%TESTDIR%%/box; }
    }
}
EOC

my $sender = '250 2.1.0 Sender OK';
my $recipient = '250 2.1.5 recipient ok';
my $taken = qr/^250 2\.0\.0 OK id=/;

my $orcpt = 'rfc822;' . 'x' x 493;
my $envid = 'e' x 100;

my @mail = (
    'RET=FULL', 'RET=HDRS', 'RET=full', 'ret=HdRs', 'ENVID=a', 'ENVID=QQ314159',
    "ENVID=$envid", 'ENVID=a+2Bb+3D+20c', 'ENVID=+09', 'ENVID=abc@host.example',
    'RET=HDRS ENVID=1', 'ENVID=1 RET=FULL',
);

my @bad_mail = (
    [ 'RET', 'RET' ], [ 'RET=ALL', 'RET' ], [ 'RET=FULLY', 'RET' ],
    [ 'RET=HDR', 'RET' ], [ 'RET=FULL RET=FULL', 'RET' ],
    [ 'RET=FULL ret=HDRS', 'ret' ], [ 'ENVID', 'ENVID' ],
    [ 'ENVID=e' . $envid, 'ENVID' ], [ 'ENVID=a+', 'ENVID' ],
    [ 'ENVID=a+2', 'ENVID' ], [ 'ENVID=+2b', 'ENVID' ],
    [ 'ENVID=+zz', 'ENVID' ],
    [ 'ENVID=+00', 'ENVID' ], [ 'ENVID=+0D+0A', 'ENVID' ],
    [ 'ENVID=+7F', 'ENVID' ], [ 'ENVID=+C3+A4', 'ENVID' ],
    [ 'ENVID=1 ENVID=2', 'ENVID' ], [ 'RET=', 'syntax' ],
    [ 'ENVID=', 'syntax' ],
    [ 'ENVID=a=b', 'syntax' ],
);

my @rcpt = (
    'NOTIFY=NEVER', 'NOTIFY=never', 'NOTIFY=SUCCESS', 'NOTIFY=Failure',
    'NOTIFY=DELAY', 'NOTIFY=SUCCESS,FAILURE,DELAY', 'NOTIFY=delay,SUCCESS',
    'NOTIFY=SUCCESS,SUCCESS', 'ORCPT=rfc822;a@b.example',
    'ORCPT=RFC822;+22a+20b+22@c.example', "ORCPT=$orcpt",
    'ORCPT=x-404;Some;Thing:+3D', 'ORCPT=x400;/c+3Dde/',
    'ORCPT=utf-8;user@example.com', 'ORCPT=UTF-8;g\\x{F6}tz@\\x{4E2D}.example',
    'ORCPT=utf-8;\\x{1F600}\\x{10FFFF}\\x{20}\\x{2B}\\x{3D}\\x{5C}\\x{7F}'
        . '\\x{80}\\x{01}',
    'NOTIFY=SUCCESS ORCPT=rfc822;a@b.example',
    'ORCPT=rfc822;a@b.example NOTIFY=NEVER',
);

my @bad_rcpt = (
    (map { [ "NOTIFY=$_", 'NOTIFY' ] }
        'ALWAYS', 'SUCCES', 'SUCCESS,', ',SUCCESS', 'SUCCESS,,DELAY', ',',
        'NEVER,SUCCESS', 'DELAY,NEVER', 'NEVER,NEVER', 'SUCCESS;DELAY',
        'SUCCESS,FAILURE,DELAY,SUCCESS'),
    [ 'NOTIFY', 'NOTIFY' ], [ 'NOTIFY=', 'syntax' ],
    [ 'NOTIFY=DELAY NOTIFY=DELAY', 'NOTIFY' ],
    (map { [ "ORCPT=$_", 'ORCPT' ] }
        'rfc822', 'rfc822;', ';a@b.example', 'a.b;c', 'a(b;c', 'a@b;c', '"a";c',
        'rfc822;a+', 'rfc822;+4', 'rfc822;+e4', 'rfc822;a+0D+0A', 'rfc822;+FF',
        $orcpt . 'x', 'utf-8;a+20b', 'utf-8;\\', 'utf-8;\\x{', 'utf-8;\\x{}',
        'utf-8;\\x{F}', 'utf-8;\\x{f6}', 'utf-8;\\x{41}', 'utf-8;\\x{00F6}',
        'utf-8;\\x{00}', 'utf-8;\\x{D800}', 'utf-8;\\x{DFFF}',
        'utf-8;\\x{110000}', 'utf-8;\\x{0F6}', 'utf-8;\\x{F6', 'utf-8;\\u{F6}',
        'utf-8;\\x{1234567}'),
    [ 'ORCPT=rfc822;a ORCPT=rfc822;a', 'ORCPT' ],
);

$t->plan(@mail * 2 + @bad_mail + @rcpt * 2 + @bad_rcpt + 27);
$t->run();

sub bad { "501 5.5.4 Bad parameter: $_[0]" }

sub last_of { ($_[0]->messages())[-1] }


my $c = $t->connected('1');

is $c->{ehlo}{DSN}, '', 'it is offered, without parameters';

# values that are right go on as they are

for my $params (@mail) {
    my $name = length $params > 40 ? substr($params, 0, 40) . '...' : $params;

    like $c->send_message(mail_params => [ split / /, $params ]), $taken, $name;

    # in an order of ours

    is join(' ', sort split / /, last_of($with)->{from_params}),
       join(' ', sort map { s/^(\w+)/\U$1/r } split / /, $params),
       'goes on as it is';
}

for my $params (@rcpt) {
    my $name = length $params > 40 ? substr($params, 0, 40) . '...' : $params;

    like $c->send_message(rcpt_params => [ split / /, $params ]), $taken, $name;
    is join(' ', sort split / /, last_of($with)->{to_params}[0]),
       join(' ', sort split / /, $params), 'goes on as it is';
}

# others do not

for my $case (@bad_mail) {
    my ($params, $what) = @$case;

    is $c->cmd("MAIL FROM:<a\@b.example> $params"), bad($what),
       'MAIL ' . substr($params, 0, 50);
}

$c->mail('a@b.example');

for my $case (@bad_rcpt) {
    my ($params, $what) = @$case;

    is $c->cmd("RCPT TO:<a\@b.example> $params"), bad($what),
       'RCPT ' . substr($params, 0, 50);
}

my $before = $with->messages();

$c->dialogue('what was refused leaves nothing behind',
    [ 'RCPT TO:<a@b.example>', $recipient ],
    [ 'RCPT TO:<c@d.example> NOTIFY=NEVER', $recipient ],
    [ 'RCPT TO:<e@f.example> ORCPT=rfc822;G@H.example NOTIFY=SUCCESS,DELAY',
      $recipient ],
    [ 'DATA', qr/^354 / ],
    [ "x\r\n.", $taken ],
);

is_deeply last_of($with)->{to_params},
          [ '', 'NOTIFY=NEVER',
            'NOTIFY=SUCCESS,DELAY ORCPT=rfc822;G@H.example' ],
          'each recipient has its own';
is last_of($with)->{from_params}, '', 'and MAIL none';

$c->dialogue('parameters are for their command',
    [ 'RSET', '250 2.0.0 OK' ],
    [ 'MAIL FROM:<> NOTIFY=NEVER', '555 5.5.4 Unsupported parameter: NOTIFY' ],
    [ 'MAIL FROM:<> RET=FULL', $sender ],
    [ 'RCPT TO:<a@b.example> RET=FULL',
      '555 5.5.4 Unsupported parameter: RET' ],
    [ 'RSET', '250 2.0.0 OK' ],
    [ 'HELO client.example', '250 mx.example.com' ],
    [ 'MAIL FROM:<> RET=FULL', '555 5.5.4 Unsupported parameter: RET' ],
);

# the last one with all of them is the longest there can be: 2048 octets of line
# and 4096 towards the next hop hold it

my $long = join '', map { $_ x 60 . '.' } 'a' .. 'c';
my $address = ('x' x 62) . "\@${long}example";

$c = $t->connected('1');

like $c->send_message(from => $address, to => [ map { "$_$address" } 1 .. 2 ],
                      mail_params => [ "ENVID=$envid", 'RET=FULL' ],
                      rcpt_params => [ 'NOTIFY=SUCCESS,FAILURE,DELAY',
                                       "ORCPT=$orcpt" ]),
     $taken, 'the longest values together';
is_deeply last_of($with)->{to_params},
          [ ("NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=$orcpt") x 2 ],
          'have room on their way';

# a next hop without it: 5.2.2

$c = $t->connected('2');

ok exists $c->{ehlo}{DSN}, 'without: it is offered';

like $c->send_message(mail_params => [ 'RET=FULL', 'ENVID=1' ],
                      rcpt_params => [ 'NOTIFY=SUCCESS',
                                       'ORCPT=rfc822;a@b.example' ]),
     $taken, 'without: the message is taken';
is last_of($without)->{from_params}, '', 'without: MAIL has no parameters';
is_deeply last_of($without)->{to_params}, [ '' ], 'without: nor has RCPT';
ok $t->wait_log(qr/has no DSN, .* of success, recipient: rcpt\@example\.com/),
   'without: who asked for success is in the log';

my $lines = () = $t->error_log() =~ /has no DSN/g;

like $c->send_message(rcpt_params => [ 'NOTIFY=NEVER' ]), $taken,
     'without: NOTIFY=NEVER';
like $c->send_message(rcpt_params => [ 'NOTIFY=FAILURE,DELAY' ]), $taken,
     'without: NOTIFY=FAILURE,DELAY';
is_deeply [ map { $_->{to_params}[0] } ($without->messages())[-2, -1] ],
          [ '', '' ], 'without: neither goes on';
is scalar(() = $t->error_log() =~ /has no DSN/g), $lines,
   'without: nor has the log any more to say';

# RFC 3461, 5.1: a refusal is none of the parameters' business

is $c->cmd('MAIL FROM:<a@b.example> RET=HDRS'), $sender, 'MAIL as ever';
is $c->cmd('RCPT TO:<a@b.example> NOTIFY=SUCCESS,FAILURE'), $recipient,
   'RCPT as ever';

# a maildir tells nobody of success

$c = $t->connected('3');

ok !exists $c->{ehlo}{DSN}, 'a server with a maildir alone does not offer it';

$c->dialogue('nor take it',
    [ 'MAIL FROM:<a@b.example> RET=FULL',
      '555 5.5.4 Unsupported parameter: RET' ],
    [ 'MAIL FROM:<a@b.example>', $sender ],
    [ 'RCPT TO:<a@b.example> NOTIFY=NEVER',
      '555 5.5.4 Unsupported parameter: NOTIFY' ],
);

$c = $t->connected('4');

ok exists $c->{ehlo}{DSN}, 'one that has a next hop as well does';
like $c->send_message(to => 'a@box.example',
                      rcpt_params => [ 'NOTIFY=SUCCESS' ]), $taken,
     'and takes it for the maildir';
ok $t->wait_log(qr/told of success, recipient: a\@box\.example/),
   'of which the log has a line';

for my $port ('1', '2') {
    my $mta = $port eq '1' ? $with : $without;

    $c = $t->connected($port);
    like $c->send_message(), $taken, "$port: no parameters";
    is last_of($mta)->{from_params} . last_of($mta)->{to_params}[0], '',
       "$port: none are invented";
}

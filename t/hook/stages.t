#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Hooks: what they are told at each stage, and what their answers do there.

use warnings;
use strict;

use JSON::PP qw/ decode_json encode_json /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(73);

$t->certificate('localhost');

$t->write_conf(<<'EOF')->run();
%%GLOBALS%%

events { }

mail {
    server_name             mx.example.com;
    smtp_auth_require_tls   off;
    smtp_max_errors         100;
    smtp_auth_http          http://127.0.0.1:%%PORT_http%%/auth;
    smtp_auth_max_attempts  2;

    ssl_certificate         %%TESTDIR%%/localhost.crt;
    ssl_certificate_key     %%TESTDIR%%/localhost.key;
    ssl_protocols           TLSv1.2;

    smtp_log_format  test  '$smtp_result $smtp_hook_action $smtp_status '
                           'to=$smtp_rcpt_count via=$smtp_upstream_addr';
    smtp_access_log  %%TESTDIR%%/access.log test;

    smtp_hook  http://127.0.0.1:%%PORT_http%%/hook
               stages=connect,ehlo,auth,mail,rcpt,data;

    server {
        listen           127.0.0.1:%%PORT_smtp%%;
        protocol         smtp_ext;
        smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;
        smtp_relay_from  127.0.0.1;
    }

    server {
        listen            127.0.0.1:%%PORT_tls%% ssl;
        protocol          smtp_ext;
        smtp_hook_header  X-Key "a shared secret";
        smtp_hook_header  X-Two 2;
    }

    server {
        listen                     127.0.0.1:%%PORT_some%%;
        protocol                   smtp_ext;
        smtp_hook                  http://127.0.0.1:%%PORT_http%%/one
                                   stages=rcpt;
        smtp_hook                  http://127.0.0.1:%%PORT_http%%/two
                                   stages=rcpt,data;
        smtp_recipient @ours.example { smtp_pass smtp://127.0.0.1:%%PORT_mta%%; }
    }

    server {
        listen          127.0.0.1:%%PORT_route%%;
        protocol        smtp_ext;
        smtp_hook       http://127.0.0.1:%%PORT_http%%/route stages=rcpt;
        smtp_hook_route  127.0.0.1:%%PORT_other%% discard:;
        smtp_hook_route  'reject:550 5.1.1 nobody';
        smtp_recipient @ours.example { smtp_pass smtp://127.0.0.1:%%PORT_mta%%; }
    }
}
EOF

my $http = $t->http('http', on => {
    '/auth' => { headers => [ 'Auth-Status' => 'OK' ] },
}, hooks => {});

my $mta = $t->server('mta', ehlo => [ 'PIPELINING', 'SIZE', 'DSN' ]);
my $other = $t->server('other');

# what the next ones answer, by stage; the others accept

sub answers {
    my (%by) = @_;

    $http->set(hooks => { map { $_ => encode_json($by{$_}) } keys %by });
}

# of the last request: the JSON, without what is never the same

sub told {
    my ($json, $r) = ('', ($http->requests($_[0]))[-1]);

    my $told = decode_json($r->{body});

    $told->{context}{client}{port} = 'port';
    $told->{context}{server}{port} = 'port';
    $told->{context}{queue}{id} = 'id' if $told->{context}{queue};

    return $told;
}

# what they are told

my %context = (
    client => { ip => '127.0.0.1', port => 'port', activeConnections => 1 },
    server => { name => 'mx.example.com', ip => '127.0.0.1', port => 'port' },
    protocol => { version => 1 },
);

my $c = $t->client('smtp');
like $c->read_reply(), qr/^220 /, 'connected';

is_deeply told(), { context => { %context, stage => 'connect' } },
   'at connect';

my ($r) = ($http->requests())[-1];

is $r->{method}, 'POST', 'by POST';
is $r->{headers}{'content-type'}, 'application/json', 'as JSON';
is $r->{headers}{'content-length'}, length $r->{body}, 'with its length';

ok $c->ehlo()->{SIZE}, 'EHLO';

$context{client}{helo} = 'client.example.com';

is_deeply told(), { context => { %context, stage => 'ehlo' } }, 'at EHLO';

like $c->auth_plain('user', 'pass'), qr/^235/, 'AUTH';

$context{sasl} = { login => 'user', method => 'plain' };

is_deeply told('/hook'), { context => { %context, stage => 'auth' } },
   'at AUTH';

like $c->mail('a@example.org', 'SIZE=100', 'RET=HDRS', 'ENVID=abc'), qr/^250/,
     'MAIL';

$context{queue} = { id => 'id' };
my $from = { address => 'a@example.org',
             parameters => { size => '100', ret => 'HDRS', envid => 'abc' } };

is_deeply told(), { context => { %context, stage => 'mail' },
                    envelope => { from => $from, to => [] } }, 'at MAIL';

like $c->rcpt('b@example.com'), qr/^250/, 'RCPT';
my $b = { address => 'b@example.com' };

is_deeply told(), { context => { %context, stage => 'rcpt' },
                    envelope => { from => $from, to => [ $b ] } }, 'at RCPT';

like $c->rcpt('"q\"x"@example.com', 'NOTIFY=NEVER',
              'ORCPT=rfc822;b@example.com'), qr/^250/, 'RCPT again';
my $q = { address => '"q\"x"@example.com',
          parameters => { notify => 'NEVER',
                          orcpt => 'rfc822;b@example.com' } };

is_deeply told(), { context => { %context, stage => 'rcpt' },
                    envelope => { from => $from, to => [ $b, $q ] } },
   'the one in question is the last';

like $c->data("Subject: x\r\n\r\ntext\r\n"), qr/^250/, 'message';

is_deeply told(), { context => { %context, stage => 'data' },
                    envelope => { from => $from, to => [ $b, $q ] },
                    message => { size => 20 } }, 'at the end of DATA';

is scalar(grep { $_->{n} == 1 } $http->requests('/hook')),
   scalar(() = $http->requests('/hook')), 'all in one connection';

$c = $t->client('tls', ssl => 1);
$c->read_reply();

is_deeply told()->{context}{tls},
          { version => '1.2', cipher => ($c->socket()->get_cipher()),
            cipherBits => 256 }, 'TLS';

($r) = ($http->requests())[-1];

is $r->{headers}{'x-key'}, 'a shared secret', 'a header of the operator';
is $r->{headers}{'x-two'}, 2, 'another one';

# refusals

for my $try (
    [ 'connect', '554 Not welcome here', '421 Service not available, closing '
                                         . 'connection' ],
    [ 'ehlo', '550 Rejected by policy', '421 Service not available, closing '
                                        . 'connection' ],
    [ 'auth', '535 5.7.8 Authentication credentials invalid',
      '454 4.7.0 Temporary authentication failure' ],
    [ 'mail', '550 5.7.1 Rejected by policy',
      '451 4.7.1 Not now, try again later' ],
    [ 'rcpt', '550 5.7.1 Rejected by policy',
      '451 4.7.1 Not now, try again later' ],
    [ 'data', '550 5.7.1 Rejected by policy',
      '451 4.7.1 Not now, try again later' ],
) {
    my ($stage, $reject, $tempfail) = @$try;
    my $bare = $stage eq 'connect' || $stage eq 'ehlo';
    my $words = $bare ? '' : '5.1.2 ';

    is reply_at($stage, { action => 'reject' }), $reject, "$stage: reject";
    is reply_at($stage, { action => 'tempfail' }), $tempfail,
       "$stage: tempfail";
    is reply_at($stage, { action => 'reject', response => {
                              status => 553, enhancedStatus => '5.1.2',
                              message => 'so there' } }),
       "553 ${words}so there", "$stage: with its own reply";
}

is reply_at('rcpt', { action => 'reject', response => {
                          enhanced_status => '4.2.1' } }),
   '451 4.2.1 Rejected by policy', 'an enhanced code that is temporary';
is reply_at('rcpt', { action => 'reject', response => { status => 452 } }),
   '452 4.0.0 Rejected by policy', 'a code alone';
is reply_at('rcpt', { action => 'reject', response => {
                          message => "f\x{fc}r" } }),
   '550 5.7.1 f??r', 'a text that is no US-ASCII';

# afterwards

answers(connect => { action => 'reject' });
$c = $t->client('smtp');
is $c->read_reply(), '554 Not welcome here', 'refused';
is $c->cmd('EHLO x'), '503 5.5.1 Not welcome here, QUIT is all that is left',
   'EHLO';
is $c->cmd('FOO'), '503 5.5.1 Not welcome here, QUIT is all that is left',
   'FOO';
is $c->cmd('QUIT'), '221 2.0.0 Bye', 'QUIT';

answers(ehlo => { action => 'reject' });
$c = $t->client('smtp');
$c->read_reply();
is $c->cmd('EHLO x'), '550 Rejected by policy', 'EHLO refused';
like $c->cmd('MAIL FROM:<a@example.org>'), qr/^503 /, 'it was not said';
answers();
like $c->cmd('HELO x'), qr/^250 /, 'HELO';
is told()->{context}{stage}, 'ehlo', 'it is the same stage';

answers(auth => { action => 'reject' });
$c = $t->connected();
like $c->auth_plain('user', 'pass'), qr/^535 /, 'AUTH refused';
$c->mail('a@example.org');
ok !told()->{context}{sasl}, 'not logged in';
$c->cmd('RSET');
$c->auth_plain('user', 'pass');
like $c->read_reply(), qr/^421 4\.7\.0 /, 'it counts';

answers(mail => { action => 'reject', response => { disconnect => \1 } });
$c = $t->connected();
like $c->mail('a@example.org'), qr/^550 /, 'MAIL refused';
ok $c->eof(), 'and closed';

answers(rcpt => { action => 'reject', response => { status => 421 } });
$c = $t->connected();
$c->mail('a@example.org');
like $c->rcpt('a@example.com'), qr/^421 /, 'RCPT refused by 421';
ok $c->eof(), 'closes, too';

# discard

my $before = $mta->messages();

answers(mail => { action => 'discard' });
is $t->connected()->send_message(to => 'a@example.com') =~ s/id=\w+/id/r,
   '250 2.0.0 OK id', 'discarded at MAIL';
answers(data => { action => 'discard' });
is $t->connected()->send_message(to => 'a@example.com') =~ s/id=\w+/id/r,
   '250 2.0.0 OK id', 'discarded at the end of DATA';
answers(rcpt => { action => 'discard' });
is $t->connected()->send_message(to => 'a@example.com') =~ s/id=\w+/id/r,
   '250 2.0.0 OK id', 'discarded at RCPT';

is $mta->messages(), $before, 'nobody got anything';
is scalar(() = $t->notices() =~ /message discarded, id: /g), 3,
   'the log has it';

my @lines = split /\n/, $t->read_file('access.log');

s/via=127.*/via=server/ for @lines;

is join("\n", @lines[-3 .. -1]), <<'EOF' =~ s/\n\z//r, 'so has the other one';
accepted discard 250 to=1 via=-
accepted discard 250 to=1 via=server
accepted discard 250 to=1 via=discard:
EOF

# several hooks; recipients that nobody wants are not asked about

answers();
$c = $t->connected('some');
$c->mail('a@example.org');
my $asked = $http->requests();
like $c->rcpt('a@elsewhere.example'), qr/^550 5\.7\.1 Relaying denied/,
     'not ours';
is $http->requests(), $asked, 'nobody was asked';
like $c->rcpt('a@ours.example'), qr/^250 /, 'ours';
is join(' ', map { $_->{path} } ($http->requests())[$asked .. $asked + 1]),
   '/one /two', 'both were asked, in order';

answers(rcpt => { action => 'reject' });
$asked = $http->requests();
like $c->rcpt('b@ours.example'), qr/^550 /, 'refused by the first';
is $http->requests(), $asked + 1, 'the second was not asked';

# routes

my $port = $t->port('other');

answers(rcpt => { action => 'accept',
                  route => [ { pass => "127.0.0.1:$port" } ] });
is $t->connected('route')->send_message(to => 'x@elsewhere.example')
       =~ s/^(250 ).*/$1/r, '250 ', 'a recipient that only the hook takes';
is_deeply [ map { @{$_->{to}} } $other->messages() ],
          [ 'x@elsewhere.example' ], 'it went there';

answers(rcpt => { action => 'accept', route => [
                      { to => 'x@ours.example', pass => 'reject:550 5.1.1 nobody' } ] });
like $t->connected('route')->send_message(to => 'x@ours.example'), qr/^5\d\d /,
     'to another place';

answers();
$c = $t->connected('route');
$c->mail('a@example.org');
like $c->rcpt('x@elsewhere.example'), qr/^550 5\.7\.1 Relaying denied/,
     'no route, no relay';

# the reply at a stage, when the hook answers like this

sub reply_at {
    my ($stage, $answer) = @_;

    answers($stage => $answer);

    my $c = $t->client('smtp');
    my $reply = $c->read_reply();

    return $reply if $stage eq 'connect';

    $reply = $c->cmd('EHLO x');
    return $reply if $stage eq 'ehlo';

    return $c->auth_plain('user', 'pass') if $stage eq 'auth';

    $reply = $c->mail('a@example.org');
    return $reply if $stage eq 'mail';

    $reply = $c->rcpt('b@example.com');
    return $reply if $stage eq 'rcpt';

    return $c->data("Subject: x\r\n\r\ntext\r\n");
}

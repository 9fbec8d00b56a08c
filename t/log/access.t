#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# What the access log says: a line for each transaction, one for a session that
# was refused before it had any, the values of variables, escaping, limits.

use warnings;
use strict;

use JSON::PP qw/ decode_json /;
use Test::More;
use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new()->plan(50);
my $mta = $t->server('mta', on => {
    RCPT => sub { $_[0] =~ /refused/ ? "550 5.1.1 no \"such\" user" : undef },
    EOM => [ '250 2.0.0 queued', '554 5.7.1 no, thank you' ],
});
my $http = $t->http('auth', on => {
    '/auth' => { status => 200, headers => { 'Auth-Status' => 'OK' } },
});

$t->secret('p4ssw0rd');
$t->certificate('localhost');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name  mx.example.com;

    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;

    # before its definition, and with a predefined format

    smtp_access_log  %%TESTDIR%%/short.log  short;
    smtp_access_log  %%TESTDIR%%/main.log;
    smtp_access_log  %%TESTDIR%%/json.log   json;
    smtp_access_log  %%TESTDIR%%/none.log   none;

    smtp_log_format  short  '$smtp_result|$smtp_status|$smtp_reply|'
                            '$smtp_mail_from|$smtp_rcpt_to|$smtp_rcpt_count|'
                            '$smtp_rcpt_refused|$smtp_protocol|$smtp_helo|'
                            '${smtp_bytes}|$smtp_upstream_addr|'
                            '$smtp_upstream_reply|$smtp_transactions';
    smtp_log_format  none   escape=none  '[$smtp_auth_user]$ssl_protocol.';

    smtp_auth_http         http://127.0.0.1:%%PORT_auth%%/auth;
    smtp_auth_require_tls  off;
    smtp_auth_methods      plain;
    smtp_max_recipients    200;

    smtp_recipient  @example.com  { smtp_pass 127.0.0.1:%%PORT_mta%%; }

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
        starttls  on;
    }

    server {
        listen    127.0.0.1:%%PORT_off%%;
        protocol  smtp_ext;

        smtp_access_log  off;
    }

    server {
        listen    127.0.0.1:%%PORT_own%%;
        protocol  smtp_ext;

        smtp_access_log  %%TESTDIR%%/own.log  long;
    }

    smtp_log_format  long  escape=json
                     '{"a":"$smtp_rcpt_to","b":"$smtp_rcpt_to",'
                     '"c":"$smtp_rcpt_to","d":"$smtp_rcpt_to",'
                     '"e":"$smtp_rcpt_to","f":"$smtp_rcpt_to",'
                     '"g":"$smtp_rcpt_to","h":"$smtp_rcpt_to",'
                     '"i":"$smtp_rcpt_to","j":"$smtp_mail_from"}';
}
EOC

my $addr = '127.0.0.1:' . $t->port('mta');
my $n = 0;

# accepted

my $c = $t->connected('smtp');
$c->mail('');
$c->rcpt('a@example.com');
$c->rcpt('refused@example.com');
$c->rcpt('b@example.com');
my $reply = $c->data("Subject: x\r\n\r\n..x\r\n");

my $bytes = length "Subject: x\r\n\r\n..x\r\n";

like short(), qr/^accepted\|250\|2\.0\.0 (.*)\|\|a\@example\.com,b\@example\.com\|2\|1\|ESMTP\|client\.example\.com\|$bytes\|\Q$addr\E\|.*queued.*\|1$/,
     'accepted';

# refused by the next hop, in the same session

$c->send_message(from => 's@example.net', to => 'a@example.com');

like short(), qr/^refused\|554\|5\.7\.1 no, thank you\|s\@example\.net\|a\@example\.com\|1\|0\|ESMTP\|.*\|2$/,
     'refused';

# given up

$c->mail('s@example.net');
$c->rcpt('other@example.org');
$c->cmd('RSET');

like short(), qr/^aborted\|550\|5\.7\.1 Relaying denied\|s\@example\.net\|-\|0\|1\|ESMTP\|client\.example\.com\|0\|-\|-\|3$/,
     'aborted';

$c->mail('s@example.net');
$c->cmd('EHLO again.example.com');
like short(), qr/^aborted\|-\|-\|/, 'by EHLO, nothing refused';

$c->mail('s@example.net');
$c->quit();
like short(), qr/^aborted\|-\|-\|/, 'by QUIT';

# the client has gone

$c = $t->connected('smtp');
$c->mail('s@example.net');
$c->rcpt('a@example.com');
$c->cmd('DATA');
$c->send_raw("half a line");
$c->reset();

like short(), qr/^aborted\|/, 'by the end of the connection';

# no transaction

$c = $t->connected('smtp');
$c->quit();

$c = $t->client('smtp');
$c->read_reply();
$c->cmd('NOOP');
$c->cmd('MAIL FROM:<a@example.com>');
$c->quit();

like short(), qr/^refused\|503\|5\.5\.1 [^|]+\|-\|-\|-\|-\|-\|-\|-\|-\|-\|0$/,
     'session without transaction, refused';

# HELO, TLS

$c = $t->client('smtp');
$c->read_reply();
$c->cmd('HELO old.example.com');
$c->mail('s@example.net');
$c->quit();
like short(), qr/\|SMTP\|old\.example\.com\|/, 'HELO';

$c = $t->connected('smtp');
$c->starttls();
$c->ehlo('tls.example.com');
$c->mail('s@example.net');
$c->quit();
like short(), qr/\|ESMTPS\|tls\.example\.com\|/, 'TLS';

# no line was made where none is due: one of a session with a transaction too

$c = $t->connected('off');
$c->mail('a@example.com');
$c->quit();

$c = $t->connected('smtp');
$c->mail('a@example.com');
$c->rcpt('other@example.org');
$c->quit();
short();
is scalar(() = $t->access_log('short.log') =~ /\n/g), $n, "$n lines";

# escaping

$c = $t->connected('smtp');
$c->starttls();
$c->ehlo('"bad"');
$c->ehlo('tls.example.com');
like $c->auth_plain("us\"er\\\xc3\xa9\xff", 'p4ssw0rd'), qr/^235/, 'AUTH';
$c->mail('"x> \"y\\\\"@example.com');
$c->rcpt('"a,b"@example.com');
$c->quit();

like short(), qr/\|\\x22x> \\x5C\\x22y\\x5C\\x5C\\x22\@example\.com\|\\x22a,b\\x22\@example\.com\|1\|0\|ESMTPSA\|/,
     'default';

my @none = $t->access_lines($n, 'none.log');
like $none[-1], qr/^\[us"er\\\xc3\xa9\xff\]TLSv1\.\d\.$/, 'none';
is $none[0], '[].', 'none, without values';

# the predefined formats

my @main = $t->access_lines($n, 'main.log');

is scalar(@main), $n, 'main: as many lines';
like $main[0], qr/^127\.0\.0\.1 \[\d\d\/\w{3}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] [0-9a-v]{16} accepted 250 "[^"]+" rcpt=2 refused=1 bytes=$bytes time=\d+\.\d{3} upstream=\Q$addr\E upstream_time=\d+\.\d{3} proto=ESMTP tls=-\/- user="-" helo=client\.example\.com from=<> to=<a\@example\.com,b\@example\.com>$/,
     'main';
like $main[-1], qr/ tls=TLSv1\.\d\/\S+ user="us\\x22er\\x5C\\xC3\\xA9\\xFF" /,
     'main, TLS and AUTH';
like $main[0], qr/ \Q@{[ $reply =~ m{id=(\w+)} ]}\E /, 'the id of the reply';

my @json = map { decode_json($_) } $t->access_lines($n, 'json.log');

is scalar(@json), $n, 'json: as many objects';

my $first = $json[0];

is $first->{smtp_status}, '250', 'status';
is $first->{smtp_result}, 'accepted', 'result';
is $first->{remote_addr}, '127.0.0.1', 'remote address';
like $first->{remote_port}, qr/^\d+$/, 'remote port';
is $first->{server_addr}, '127.0.0.1', 'server address';
is $first->{server_port}, $t->port('smtp'), 'server port';
is $first->{server_name}, 'mx.example.com', 'server name';
like $first->{connection}, qr/^\d+$/, 'connection';
like $first->{pid}, qr/^\d+$/, 'pid';
like $first->{hostname}, qr/\S/, 'host name';
like $first->{msec}, qr/^\d{10}\.\d{3}$/, 'msec';
like $first->{time_iso8601}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$/,
     'time';
like $first->{$_}, qr/^\d+\.\d{3}$/, $_
    for qw/ smtp_request_time smtp_data_time smtp_session_time
            smtp_upstream_response_time /;
is $first->{ssl_protocol}, '', 'no TLS';
is $first->{smtp_auth_time}, '', 'no AUTH';

my $last = $json[-1];

is $last->{smtp_auth_user}, "us\"er\\\x{e9}\x{ff}", 'user';
is $last->{smtp_auth_method}, 'PLAIN', 'mechanism';
like $last->{smtp_auth_time}, qr/^\d+\.\d{3}$/, 'time of AUTH';
is $last->{smtp_mail_from}, '"x> \"y\\\\"@example.com', 'from';
like $last->{ssl_cipher}, qr/^[\w-]+$/, 'cipher';
is $last->{ssl_client_verify}, 'NONE', 'no certificate';

my %documented = map { $_ => 1 }
                 $t->read_file($t->root() . '/docs/variables.md')
                 =~ /^\| `\$(\w+)` \|/gm;

is join(' ', sort keys %$last), join(' ', sort keys %documented),
   'the variables of docs/variables.md, all of them';

# limits: recipients that go beyond, a line that would be too long

$c = $t->connected('own');
$c->mail('from@example.com');
$c->rcpt(sprintf '%s%02d@example.com', 'x' x 50, $_) for 1 .. 90;
$c->quit();

my ($line) = $t->access_lines(1, 'own.log');
my $object = decode_json($line);

cmp_ok length $line, '<=', 16384, 'length of a line';
cmp_ok length $object->{a}, '<=', 2048 + 3, 'length of a list of recipients';
like $object->{a}, qr/^x{50}01\@example\.com,.*,x{50}\d\d\@example\.com,\.\.\.$/,
     'it ends in dots';
is $object->{a}, $object->{g}, 'values are whole while there is room';
is $object->{j}, '', 'and cut off where there is none';

# the log has none of what is off

is scalar(() = $t->access_log('short.log') =~ /\n/g), $n, 'others are silent';


# the next line

sub short {
    my @lines = $t->access_lines(++$n, 'short.log');

    return $lines[$n - 1] // '';
}

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# A recipient that a hook adds, for a next hop that takes no more of them in a
# transaction (RFC 9422): it gets one of its own, since no client could send
# the message to it again.

use warnings;
use strict;

use JSON::PP qw/ encode_json /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->write_conf(<<'EOC')->plan(13)->run();
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;

    server {
        listen     127.0.0.1:%%PORT_verify%%;
        protocol   smtp_ext;
        smtp_hook  http://127.0.0.1:%%PORT_http%%/hook stages=data;
    }

    server {
        listen          127.0.0.1:%%PORT_buffered%%;
        protocol        smtp_ext;
        smtp_hook       http://127.0.0.1:%%PORT_http%%/hook stages=data;
        smtp_pass_mode  buffered;
    }

    server {
        listen          127.0.0.1:%%PORT_rcpt%%;
        protocol        smtp_ext;
        smtp_hook       http://127.0.0.1:%%PORT_http%%/hook stages=rcpt;
        smtp_pass_mode  stream;
    }
}
EOC

my $http = $t->http('http', hooks => {});
my $mta = $t->server('mta',
    ehlo => [ 'PIPELINING', '8BITMIME', 'LIMITS RCPTMAX=2' ],
    on => { RCPT => sub { $_[0] =~ /nobody/ ? '550 5.1.1 no' : undef } });

sub answer {
    my ($stage, @to) = @_;

    $http->set(hooks => { $stage => encode_json({
        action => 'accept',
        modifications => [ map { { type => 'addRecipient', value => $_ } } @to ],
    }) });
}

# who got it, each transaction by itself

my $seen = 0;

sub got {
    my @messages = $mta->messages();

    @messages = splice @messages, $seen;
    $seen += @messages;

    return join ' ', sort map { join ',', @{$_->{to}} } @messages;
}

for my $port (qw/ verify buffered rcpt /) {
    my $stage = $port eq 'rcpt' ? 'rcpt' : 'data';
    my $c = $t->client($port);

    $c->read_reply();
    $c->ehlo();

    # the limit is known from then on

    answer($stage);
    like $c->send_message(to => 'a@x.example'), qr/^250 /, "$port: a message";
    got();

    answer($stage, 'log@x.example');
    like $c->send_message(to => [ 'a@x.example', 'b@x.example' ]), qr/^250 /,
         "$port: one recipient more than it takes";
    is got(), 'a@x.example,b@x.example log@x.example',
       "$port: in two transactions";

    if ($port eq 'verify') {
        answer($stage, map { "$_\@x.example" } 'p' .. 't');
        like $c->send_message(to => [ 'a@x.example' ]), qr/^250 /, 'many more';
        is got(), 'a@x.example,p@x.example q@x.example,r@x.example '
                  . 's@x.example,t@x.example', 'as many as it takes in each';
    }

    $c->quit();
}

# in one reply there is no room for two answers

answer('data', 'nobody@x.example');

my $c = $t->client('buffered');

$c->read_reply();
$c->ehlo();

like $c->send_message(to => [ 'a@x.example', 'b@x.example' ]),
     qr/^550 /, 'what is refused there is the reply for all';
is got(), '', 'and nobody gets it';
$c->quit();

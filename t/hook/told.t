#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Hooks: what they are told of a client, by whatever it is known, and of the
# parameters of MAIL and RCPT, all of them; nothing of what is not known.

use warnings;
use strict;

use JSON::PP qw/ decode_json encode_json /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(40);

$t->certificate('ca', is_ca => 1);
$t->certificate('localhost');
$t->certificate('client', ca => 'ca', cn => 'a client');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_auth_http         http://127.0.0.1:%%PORT_http%%/auth;
    smtp_auth_require_tls  off;
    smtp_relay_from        127.0.0.1 ::1 192.0.2.0/24 2001:db8::/32;
    smtp_pass              smtp://127.0.0.1:%%PORT_mta%%;
    smtp_max_errors        100;

    ssl_certificate         %%TESTDIR%%/localhost.crt;
    ssl_certificate_key     %%TESTDIR%%/localhost.key;
    ssl_client_certificate  %%TESTDIR%%/ca.crt;
    ssl_verify_client       optional;

    smtp_hook  http://127.0.0.1:%%PORT_http%%/hook
               stages=connect,ehlo,auth,mail,rcpt,data;

    smtp_extensions  deliverby=on futurerelease=next_hop mt-priority=on rrvs=on
                     no-soliciting=on mtrk=on requiretls=on prdr=on
                     binarymime=on;

    server {
        listen             127.0.0.1:%%PORT_smtp%%;
        listen             127.0.0.1:%%PORT_proxy%%  proxy_protocol;
        listen             127.0.0.1:%%PORT_tls%%  ssl;
        protocol           smtp_ext;
        starttls           on;
        set_real_ip_from   127.0.0.1;
        smtp_xclient_from  127.0.0.1;
    }

    # where a next hop can have REQUIRETLS, but not FUTURERELEASE

    server {
        listen     127.0.0.1:%%PORT_box%%  ssl;
        protocol   smtp_ext;
        smtp_pass  maildir:%%TESTDIR%%/box;
    }

    server {
        listen         127.0.0.1:%%PORT_lhlo%%;
        protocol       smtp_ext;
        smtp_lmtp      on;
    }
}
EOC

my $http = $t->http('http', hooks => {}, on => {
    '/auth' => { headers => [ 'Auth-Status' => 'OK' ] } });

my $mta = $t->server('mta', ehlo => [ 'PIPELINING', 'SIZE', '8BITMIME',
    'CHUNKING', 'BINARYMIME', 'SMTPUTF8', 'DSN', 'MT-PRIORITY', 'DELIVERBY',
    'RRVS', 'NO-SOLICITING', 'MTRK', 'FUTURERELEASE 9999 2099-01-01T00:00:00Z',
    'REQUIRETLS', 'PRDR' ]);

sub told { return decode_json((($http->requests('/hook'))[-1])->{body}) }

sub stages {
    my ($from) = @_;
    my @requests = $http->requests('/hook');

    return join ' ', map { decode_json($_->{body})->{context}{stage} }
                     @requests[$from .. $#requests];
}

sub connected {
    my ($name, %o) = @_;

    my $c = $t->client($name || 'smtp', %o);

    $c->read_reply();

    return $c;
}


# from then on it is known what the next hop has

my $c = connected();

$c->ehlo();
$c->send_message();

# what comes by the PROXY protocol

$c = connected('proxy', proxy => "PROXY TCP4 192.0.2.7 192.0.2.1 4711 25\r\n");

is_deeply told()->{context}{client},
          { ip => '192.0.2.7', port => 4711, activeConnections => 1 },
          'an address of the PROXY protocol';
is told()->{context}{server}{name}, 'mx.example.com', 'our name';
ok !exists told()->{context}{$_}, "no $_" for qw/ sasl tls queue /;
ok !exists told()->{$_}, "no $_ at connect" for qw/ envelope message /;

connected('proxy', proxy => "PROXY TCP6 2001:db8::7 2001:db8::1 4712 25\r\n");
is told()->{context}{client}{ip}, '2001:db8::7', 'one of IPv6';

# by XCLIENT, which begins a session anew

$c = connected();
$c->ehlo();

my $n = () = $http->requests('/hook');

like $c->cmd('XCLIENT NAME=mail.example.net ADDR=192.0.2.9 PORT=99 LOGIN=alice '
             . 'HELO=said.example.net'), qr/^220 /, 'XCLIENT';
is stages($n), 'connect', 'is a connect again';
is_deeply told()->{context}{client},
          { ip => '192.0.2.9', port => 99, ptr => 'mail.example.net',
            helo => 'said.example.net', activeConnections => 1 },
          'of who it names';
is_deeply told()->{context}{sasl}, { login => 'alice', method => 'xclient' },
          'with the login';
$c->cmd('EHLO here.example.net');
is told()->{context}{client}{helo}, 'here.example.net', 'EHLO says another name';

$http->set(hooks => { connect => encode_json({ action => 'reject' }) });
is $c->cmd('XCLIENT ADDR=192.0.2.10'), '554 Not welcome here',
   'who is refused there';
is $c->cmd('EHLO x'), '503 5.5.1 Not welcome here, QUIT is all that is left',
   'is refused';
$http->set(hooks => {});

# by TLS

$c = connected('tls', ssl => { map { +"SSL_${_}_file" => $t->testdir()
                               . '/client.' . { cert => 'crt', key => 'key' }->{$_} }
                               qw/ cert key / });

my $tls = told()->{context}{tls};

like $tls->{certSubject}, qr/^CN=a client$/, 'a certificate: whose';
is $tls->{certIssuer}, 'CN=ca', 'by whom';
like "$tls->{version} $tls->{cipherBits}", qr/^1\.[23] (?:128|256)$/,
     'and how it is encrypted';

$c = connected();
$c->ehlo();
ok !told()->{context}{tls}, 'STARTTLS: not before it';
$c->starttls();
$c->ehlo();
ok told()->{context}{tls}{version}, 'but behind it';
ok !exists told()->{context}{tls}{certSubject}, 'no certificate';

# LHLO and HELO

$c = connected('lhlo');
$c->cmd('LHLO l.example.net');
is told()->{context}{stage} . ' ' . told()->{context}{client}{helo},
   'ehlo l.example.net', 'LHLO';
$c = connected();
$c->cmd('HELO h.example.net');
is told()->{context}{stage} . ' ' . told()->{context}{client}{helo},
   'ehlo h.example.net', 'HELO';

# all parameters; what is given back is what was there

my %client;

for my $name (qw/ tls box /) {
    $c = $client{$name} = connected($name, ssl => 1);
    $c->ehlo();
    $c->auth_plain('user', 'pass');
}

for my $try (
    [ '', {} ],
    [ 'SIZE=10 BODY=8BITMIME SMTPUTF8 AUTH=a+2Bb@example.com RET=FULL ENVID=q'
      . '+2B1 MT-PRIORITY=3 SOLICIT=net.example:ADV PRDR',
      { size => '10', body => '8BITMIME', smtputf8 => '',
        auth => 'a+2Bb@example.com', ret => 'FULL', envid => 'q+2B1',
        'mt-priority' => '3', solicit => 'net.example:ADV', prdr => '' } ],
    [ 'BODY=7BIT BY=60;N HOLDFOR=60',
      { by => '60;N', holdfor => '60' } ],
    [ 'BODY=BINARYMIME HOLDUNTIL=2098-01-01T00:00:00Z',
      { body => 'BINARYMIME', holduntil => '2098-01-01T00:00:00Z' } ],
    [ 'REQUIRETLS', { requiretls => '' } ],
    [ 'AUTH=<> ENVID=1 MTRK=dGhpcyBpcyB1bmxpa2VseSB0byBi',
      { auth => '<>', envid => '1',
        mtrk => 'dGhpcyBpcyB1bmxpa2VseSB0byBi' } ],
) {
    my ($params, $want) = @$try;

    $c = $client{$params eq 'REQUIRETLS' ? 'box' : 'tls'};

    is substr($c->cmd("MAIL FROM:<s\@example.com> $params" =~ s/ \z//r), 0, 3),
       250, "MAIL $params";
    is_deeply told()->{envelope}{from}{parameters} // {}, $want,
              "is told: $params";
    $c->cmd('RSET');
}

$http->set(hooks => { mail => encode_json({ action => 'accept',
    modifications => [ { type => 'changeFrom', value => 's@example.com',
                         parameters => { auth => 'a+2Bb@example.com' } } ] }) });
is substr($c->cmd('MAIL FROM:<s@example.com> AUTH=c@example.com'), 0, 3), 250,
   'AUTH is given back';
$http->set(hooks => {});
$c->cmd('RCPT TO:<r@example.com>');
is told()->{envelope}{from}{parameters}{auth}, 'a+2Bb@example.com',
   'and told as it was';
$c->cmd('RSET');

$c->cmd('MAIL FROM:<>');
is_deeply told()->{envelope}, { from => { address => '' }, to => [] },
          'the null sender';
$c->cmd('RCPT TO:<r@example.com> NOTIFY=SUCCESS,DELAY '
        . 'ORCPT=rfc822;o+2B@example.com RRVS=2014-04-03T23:01:00Z');
is_deeply told()->{envelope}{to}, [ { address => 'r@example.com', parameters => {
              notify => 'SUCCESS,DELAY', orcpt => 'rfc822;o+2B@example.com',
              rrvs => '2014-04-03T23:01:00Z' } } ], 'a recipient, and all of its';

my $id = told()->{context}{queue}{id};

like $c->data("Subject: x\r\n\r\nx\r\n"), qr/ id=\Q$id\E$/,
     'the id is that of our reply';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Certificates by the name that a client asks for (SNI): RFC 6066, 3.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(87);

require IO::Socket::SSL;

$t->certificate($_) for qw/ default a b deep star both pair mail other /;
$t->certificate('root', is_ca => 1);
$t->certificate('middle', ca => 'root', is_ca => 1);
$t->certificate('leaf', ca => 'middle', san => [ 'DNS:chain.example.com' ]);
$t->certificate('pair-rsa', cn => 'pair', rsa => 1);

$t->write_file('chain.crt', $t->read_file('leaf.crt')
                            . $t->read_file('middle.crt'));

my $passphrase = $t->secret('p4ssphrase-of-a-key');

system("openssl ec -in '" . $t->testdir() . "/b.key' -aes128 -passout"
       . " pass:$passphrase -out '" . $t->testdir() . "/b.enc' 2>/dev/null")
    and die 'openssl ec';

$t->write_file('passwords', "$passphrase\n");

my $mta = $t->server('mta');

my $conf = <<'EOC';
%%GLOBALS%%

events { }

mail {
    server_name      mx.example.com;
    smtp_relay_from  127.0.0.1;
    smtp_pass        smtp://127.0.0.1:%%PORT_mta%%;
    smtp_log_format  tls  '$server_name|$ssl_server_name|$ssl_session_reused';
    smtp_access_log  %%TESTDIR%%/access.log  tls;

    ssl_certificate      %%TESTDIR%%/default.crt;
    ssl_certificate_key  %%TESTDIR%%/default.key;
    ssl_protocols        TLSv1.2 TLSv1.3;
    ssl_session_cache    shared:SSL:1m;

    smtp_ssl_server_name mail.example.org {
        ssl_certificate      %%TESTDIR%%/mail.crt;
        ssl_certificate_key  %%TESTDIR%%/mail.key;
    }

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        listen    127.0.0.1:%%PORT_smtps%% ssl;
        protocol  smtp_ext;
        starttls  on;

        smtp_ssl_server_name a.example.com A2.Example.COM {
            ssl_certificate      %%TESTDIR%%/a.crt;
            ssl_certificate_key  %%TESTDIR%%/a.key;
            server_name          mx.a.example.com;
        }

        smtp_ssl_server_name b.example.com {
            ssl_certificate      %%TESTDIR%%/b.crt;
            ssl_certificate_key  %%TESTDIR%%/b.enc;
            ssl_password_file    %%TESTDIR%%/passwords;
        }

        smtp_ssl_server_name *.example.com {
            ssl_certificate      %%TESTDIR%%/star.crt;
            ssl_certificate_key  %%TESTDIR%%/star.key;
        }

        smtp_ssl_server_name *.deep.example.com {
            ssl_certificate      %%TESTDIR%%/deep.crt;
            ssl_certificate_key  %%TESTDIR%%/deep.key;
        }

        smtp_ssl_server_name .example.net {
            include  %%TESTDIR%%/both.conf;
        }

        smtp_ssl_server_name pair.example.org {
            ssl_certificate      %%TESTDIR%%/pair.crt;
            ssl_certificate_key  %%TESTDIR%%/pair.key;
            ssl_certificate      %%TESTDIR%%/pair-rsa.crt;
            ssl_certificate_key  %%TESTDIR%%/pair-rsa.key;
        }

        smtp_ssl_server_name chain.example.com {
            ssl_certificate      %%TESTDIR%%/chain.crt;
            ssl_certificate_key  %%TESTDIR%%/leaf.key;
        }
    }

    # inherits those of mail{}

    server {
        listen    127.0.0.1:%%PORT_inherits%% ssl;
        protocol  smtp_ext;
    }

    # has no use for them

    server {
        listen    127.0.0.1:%%PORT_plain%%;
        protocol  smtp_ext;
    }

    # sessions in tickets alone

    server {
        listen             127.0.0.1:%%PORT_tickets%% ssl;
        protocol           smtp_ext;
        ssl_session_cache  none;

        smtp_ssl_server_name a.example.com {
            ssl_certificate      %%TESTDIR%%/a.crt;
            ssl_certificate_key  %%TESTDIR%%/a.key;
        }
    }

    # ... and in the cache alone

    server {
        listen               127.0.0.1:%%PORT_cache%% ssl;
        protocol             smtp_ext;
        ssl_session_tickets  off;

        smtp_ssl_server_name a.example.com {
            ssl_certificate      %%TESTDIR%%/a.crt;
            ssl_certificate_key  %%TESTDIR%%/a.key;
        }
    }
}
EOC

$t->write_file('both.conf', $t->expand(<<'EOC', '', ''));
ssl_certificate      %%TESTDIR%%/both.crt;
ssl_certificate_key  %%TESTDIR%%/both.key;
EOC

$t->write_conf($conf)->run();


# a client that asks for a name ('': for none), by STARTTLS or at once

sub tls {
    my ($port, $name, %o) = @_;

    my %ssl = (SSL_hostname => $name, %o);

    return $t->client($port, ssl => \%ssl) if $port ne 'smtp';

    my $c = $t->client($port);

    $c->read_reply();
    $c->starttls(%ssl);

    return $c;
}

# the common name of the server's certificate

sub cn { return $_[0]->socket()->peer_certificate('commonName') // 'none' }

sub cn_of {
    my $c = tls(@_);
    my $cn = cn($c);

    $c->close();

    return $cn;
}


my @names = (
    [ '', 'default' ],
    [ 'example.com', 'default' ],
    [ 'com', 'default' ],
    [ 'xexample.com', 'default' ],
    [ 'mail.example.org', 'default' ],
    [ 'a.example.com', 'a' ],
    [ 'A.eXample.Com', 'a' ],
    [ 'a2.example.com', 'a' ],
    [ 'b.example.com', 'b' ],
    [ 'c.example.com', 'star' ],
    [ 'c.b.a.example.com', 'star' ],
    [ 'deep.example.com', 'star' ],
    [ 'x.deep.example.com', 'deep' ],
    [ 'y.x.deep.example.com', 'deep' ],
    [ 'example.net', 'both' ],
    [ 'a.example.net', 'both' ],
    [ join('.', ('a') x 121) . '.example.net', 'both' ],
    [ '..example.net', 'both' ],
    [ '.', 'default' ],
    [ 'a..example.com', 'star' ],
    [ "\x01\xff.example.com", 'star' ],
    [ 'x' x 255, 'default' ],
);

for my $port ('smtp', 'smtps') {
    for (@names) {
        my ($name, $cn) = @$_;

        is cn_of($port, $name), $cn,
           "$port: " . ($name =~ s/[^ -~]/?/gr || 'no name');
    }
}

# the certificate's own matters

for my $port ('smtp', 'smtps') {
    is cn_of($port, 'pair.example.org', SSL_version => 'TLSv1_2',
             SSL_cipher_list => 'ECDHE-RSA-AES128-GCM-SHA256'), 'pair',
       "$port: a client that wants RSA";
    is cn_of($port, 'pair.example.org', SSL_version => 'TLSv1_2',
             SSL_cipher_list => 'ECDHE-ECDSA-AES128-GCM-SHA256'), 'pair',
       "$port: one that wants ECDSA";

    my $c = tls($port, 'chain.example.com', SSL_verify_mode => 1,
                SSL_ca_file => $t->testdir() . '/root.crt',
                SSL_verifycn_scheme => 'smtp');

    ok $c->socket()->isa('IO::Socket::SSL'), "$port: the chain is sent";
}

is cn_of('inherits', 'mail.example.org'), 'mail', 'names of mail{}';
is cn_of('inherits', 'a.example.com'), 'default', 'not those of a server{}';
is cn_of('smtps', 'mail.example.org'), 'default',
   'a server{} that has names has none of mail{}';

# RFC 6066, 3: an extension, which is empty, says that the name was used

my $port = $t->port('smtps');

for my $version ('tls1_2', 'tls1_3') {
    like `openssl s_client -$version -connect 127.0.0.1:$port -tlsextdebug \\
          -servername a.example.com </dev/null 2>&1`,
         qr/TLS server extension "server name" \(id=0\), len=0\n/,
         "$version: the server says that it has used the name";
}

my $c = tls('smtps', 'a.example.com', SSL_alpn_protocols => [ 'smtp' ]);
is $c->socket()->alpn_selected(), 'smtp', 'ALPN under a name';

# the name by which the server speaks

is $c->read_reply(), '220 mx.a.example.com ESMTP', 'its greeting';
like $c->cmd('EHLO c.example'), qr/^250-mx\.a\.example\.com\n/, 'EHLO';
is $c->cmd('HELO c.example'), '250 mx.a.example.com', 'HELO';
like $c->send_message(), qr/^250 /, 'a message';
like(($mta->messages())[-1]{data}, qr/^\s+by mx\.a\.example\.com with/m,
     'Received has it');
$c->quit();

$c = $t->client('smtp');
is $c->read_reply(), '220 mx.example.com ESMTP', 'before STARTTLS the other';
$c->starttls(SSL_hostname => 'a2.example.com');
like $c->cmd('EHLO c.example'), qr/^250-mx\.a\.example\.com\n/,
     'after STARTTLS its own';
$c->send_message();
$c->quit();

$c = tls('smtps', 'b.example.com');
is $c->read_reply(), '220 mx.example.com ESMTP', 'a name without one';
$c->ehlo();
$c->send_message();
$c->quit();

is_deeply [ $t->access_lines(3) ], [
    'mx.a.example.com|a.example.com|.',
    'mx.a.example.com|a2.example.com|.',
    'mx.example.com|b.example.com|.',
], 'the log';


# A session is resumed under the name it was made for, and no other.

my $sessions;

sub forget {
    my ($version) = @_;

    $sessions = IO::Socket::SSL::SSL_Context->new(
        SSL_verify_mode => 0,
        SSL_version => $version,
        SSL_session_cache_size => 1,
    );
}

sub resumed {
    my ($port, $name) = @_;

    my $c = tls($port, $name, SSL_reuse_ctx => $sessions,
                SSL_session_key => 'k');

    # tickets of TLS 1.3 come with what is read

    $c->read_reply() if $port ne 'smtp';
    $c->cmd('NOOP');

    my $reused = $c->socket()->get_session_reused() ? 'resumed' : 'new';

    $reused .= ' ' . cn($c) if $reused eq 'new';
    $c->quit();

    return $reused;
}

for my $port ('smtp', 'smtps', 'tickets', 'cache') {
    for my $version ('TLSv1_2', 'TLSv1_3') {
        forget($version);

        is_deeply [ map { resumed($port, $_) }
                    'a.example.com', 'a.example.com', 'A.example.com',
                    'a2.example.com', 'a2.example.com', 'x.example.org',
                    'x.example.org', '', '', 'a.example.com' ],
                  [ 'new a', 'resumed', 'resumed',
                    $port =~ /smtp/ ? 'new a' : 'new default', 'resumed',
                    'new default', 'resumed', 'new default', 'resumed',
                    'new a' ],
                  "$port, $version: resumed by name";
    }
}

# nor from one server{} to another

forget('TLSv1_2');

is_deeply [ map { resumed($_, 'a.example.com') } 'smtps', 'inherits' ],
          [ 'new a', 'new default' ], 'other certificates, other sessions';

# the log has the name of a session that is resumed

my $lines = 3;

for my $version ('TLSv1_2', 'TLSv1_3') {
    forget($version);
    resumed('smtps', 'b.example.com');

    my $c = tls('smtps', 'b.example.com', SSL_reuse_ctx => $sessions,
                SSL_session_key => 'k');

    $c->read_reply();
    $c->ehlo();
    $c->send_message();
    $c->quit();

    is +($t->access_lines(++$lines))[-1], 'mx.example.com|b.example.com|r',
       "$version: the log";
}

# after a reload: new certificates, sessions go on

forget('TLSv1_2');
is resumed('cache', 'x.example.com'), 'new default', 'before a reload';

$t->certificate('a', cn => 'renewed');

# the old worker takes no more connections when it has let go of this one

my $idle = tls('smtps', 'a.example.com');
$idle->read_reply();

ok $t->reload(), 'reload';
like $idle->read_reply(), qr/^421 /, 'the old worker goes';

is cn_of('smtp', 'a.example.com'), 'renewed', 'the new certificate is used';
is resumed('cache', 'x.example.com'), 'resumed', 'other sessions go on';

undef $sessions;

# what is wrong is told at start

my $dir = $t->testdir();
my $a = "ssl_certificate $dir/b.crt; ssl_certificate_key $dir/b.key;";

sub told {
    my ($block, $server) = @_;

    $server //= 'starttls on;';

    my ($rc, $out) = $t->test_conf(<<"EOC");
%%GLOBALS%%
events { }
mail {
    ssl_certificate      %%TESTDIR%%/default.crt;
    ssl_certificate_key  %%TESTDIR%%/default.key;
    smtp_ssl_server_name x.example { $a }
    server {
        listen    127.0.0.1:%%PORT_test%%;
        protocol  smtp_ext;
        $server
        $block
    }
}
EOC

    return $out =~ /test is successful/ ? 'fine' : "$rc: $out";
}

is told("smtp_ssl_server_name a.example { $a }"), 'fine', 'a name';

my @wrong = (
    [ "smtp_ssl_server_name { $a }",
      qr/invalid number of arguments in "smtp_ssl_server_name"/ ],
    (map { [ "smtp_ssl_server_name $_ { $a }",
             qr/invalid name or wildcard "\Q$_\E" in / ] }
     '*', '.', '*.', 'a.*', 'a_b.example', '*a.example', 'a*.example',
     'a..b', 'a.example.', "\xc3\xa4.example", '[192.0.2.1]',
     '*.*.example', 'a' x 64),
    [ 'smtp_ssl_server_name a.example { }',
      qr/no "ssl_certificate" is defined in "smtp_ssl_server_name" in \S+:\d+$/m
    ],
    [ "smtp_ssl_server_name a.example { ssl_certificate $dir/b.crt; }",
      qr/no "ssl_certificate_key" is defined for certificate "\S+b.crt"/ ],
    [ "smtp_ssl_server_name a.example { $a ssl_certificate $dir/b.crt; }",
      qr/no "ssl_certificate_key" is defined for certificate "\S+b.crt"/ ],
    [ "smtp_ssl_server_name a.example { ssl_certificate $dir/b.crt;"
      . " ssl_certificate_key $dir/star.key; }", qr/key values mismatch/ ],
    [ "smtp_ssl_server_name a.example { ssl_certificate $dir/none.crt;"
      . " ssl_certificate_key $dir/star.key; }",
      qr/cannot load certificate "\S+none.crt"/ ],
    [ "smtp_ssl_server_name a.example { $a server_name a..b; }",
      qr/"server_name" directive is not a domain or an address literal/ ],
    [ "smtp_ssl_server_name a.example { $a ssl_ciphers HIGH; }",
      qr/"ssl_ciphers" directive is not allowed here/ ],
    [ "smtp_ssl_server_name A.example { $a }"
      . " smtp_ssl_server_name b.example .a.example { $a }",
      qr/duplicate name "a.example" in "smtp_ssl_server_name" in \S+:\d+$/m ],
    [ "smtp_ssl_server_name *.a.example .a.example { $a }",
      qr/duplicate name "\*\.a\.example" in "smtp_ssl_server_name"/ ],
);

is join("\n", map { "$_->[0]: " . told($_->[0]) }
              grep { told($_->[0]) !~ $_->[1] } @wrong), '',
   'what is wrong is told';

is told("smtp_ssl_server_name a.example { ssl_certificate /none;"
        . " ssl_certificate_key /none; }", ''), 'fine',
   'without TLS names are nothing';
is told('', 'starttls on; } server { listen 127.0.0.1:%%PORT_imap%%;'
            . ' protocol imap; auth_http 127.0.0.1:9; starttls on;'), 'fine',
   'servers of other protocols have none';

# a reload with a mistake changes nothing

$t->write_conf($conf =~ s/\*\.example\.com/a..b/r);
ok !$t->reload(), 'a reload with a mistake is refused';
$t->allow_alert(qr/invalid name or wildcard "a\.\.b"/);
is cn_of('smtp', 'c.example.com'), 'star', 'and names are what they were';

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# A Postfix of the test's own as the next hop.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ poll socket_to /;

plan skip_all => 'postfix is not installed' unless -x '/usr/sbin/postfix';
plan skip_all => 'postfix is started by root only' unless $> == 0;

my $t = Test::Nginx::SmtpExt->new();
my $dir = $t->testdir();
my $conf = "$dir/postfix";
my $port = $t->port('postfix');

$t->write_conf(<<'EOC')->plan(24);
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_relay_from        127.0.0.1;
    smtp_pass              smtp://127.0.0.1:%%PORT_postfix%%;
    smtp_body_buffer_size  64k;
    smtp_temp_path         %%TESTDIR%%/smtp_temp;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }

    server {
        listen          127.0.0.1:%%PORT_buffered%%;
        protocol        smtp_ext;
        smtp_pass_mode  buffered;
    }
}
EOC

# Postfix

mkdir $_ or die "$_: $!\n" for $conf, map { "$dir/$_" } qw/ spool data mail /;
chown scalar(getpwnam 'postfix'), -1, "$dir/data";
chown scalar(getpwnam 'nobody'), -1, "$dir/mail";

my $nobody = getpwnam 'nobody';
my $nogroup = (getpwnam 'nobody')[3];

$t->write_file("$conf/main.cf", <<EOF);
compatibility_level = 3.6
queue_directory = $dir/spool
data_directory = $dir/data
maillog_file = $dir/postfix.out
maillog_file_prefixes = $dir
maillog_file_permissions = 0644
myhostname = mta.example.net
myorigin = example.net
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
biff = no
smtpd_peername_lookup = no
message_size_limit = 4000000
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions =
    check_recipient_access inline:{ {later\@example.com = 450 4.2.1 Not now} }
virtual_mailbox_domains = example.com
virtual_mailbox_maps = inline:{ {one\@example.com = one/}
    {two\@example.com = two/} {later\@example.com = later/} }
virtual_mailbox_base = $dir/mail
virtual_mailbox_limit = 0
virtual_uid_maps = static:$nobody
virtual_gid_maps = static:$nogroup
virtual_minimum_uid = 1
default_transport = error:no mail leaves this test
relay_transport = error:no mail leaves this test
EOF

$t->write_file("$conf/master.cf", <<EOF);
127.0.0.1:$port inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
EOF

my $started;

sub postfix { `postfix -c '$conf' $_[0] 2>&1` }

sub start_postfix {
    my $out = postfix('start');

    $started = 1;

    return poll(sub { socket_to($port) }, 15)
        || diag($out, $t->read_file('postfix.out')) && 0;
}

# (its smtpd processes have the listening socket, too, and end after it)

sub stop_postfix {
    return unless $started;

    postfix('stop');
    $started = 0;

    return poll(sub { !socket_to($port) }, 8);
}

END { local $?; stop_postfix() }

sub stored {
    my ($name) = @_;

    return map { $t->read_file($_) } glob "$dir/mail/$name/new/*";
}

sub wait_stored {
    my ($name, $n) = @_;

    # a queue manager that is restarted meanwhile may have missed the notice,
    # and would look into its queue by itself after minutes

    for (1 .. 3) {
        return 1 if poll(sub { stored($name) == $n }, 5);
        postfix('flush');
    }

    return poll(sub { stored($name) == $n }, 5);
}

ok start_postfix(), 'postfix listens' or BAIL_OUT('no postfix');

$t->run();

sub client {
    my ($name) = @_;

    my $c = $t->client($name || 'smtp', timeout => 20);

    $c->read_reply();
    $c->ehlo();

    return $c;
}

# replies are its own

my $c = client();

$c->mail('sender@example.org');
is $c->rcpt('one@example.com'), '250 2.1.5 Ok', 'a recipient';
like $c->rcpt('nobody@example.com'),
     qr/^550 5\.1\.1 <nobody\@example\.com>: Recipient address rejected: User unknown/,
     'an unknown one';
like $c->rcpt('later@example.com'), qr/^450 4\.2\.1 .*Not now/, 'one for later';
like $c->rcpt('x@example.org'), qr/^554 5\.7\.1 .*Relay access denied/,
     'one that is not its business';
is $c->rcpt('two@example.com'), '250 2.1.5 Ok', 'another';

my $data = "Subject: first\r\n\r\n.\r\n..\r\n.dots\r\n\xe9\r\n" . 'x' x 900
           . "\r\nthe end\r\n";

like $c->data($data), qr/^250 2\.0\.0 OK id=(\w{16})$/, 'the message is taken';

my ($id) = $c->last_reply() =~ /id=(\w+)/;

ok wait_stored('one', 1), 'it is stored';
ok wait_stored('two', 1), 'for the other as well';

my ($message) = stored('one');
my ($text) = $data =~ s/\r\n/\n/gr =~ /(\n\n.*)/s;

# (it adds header fields that are missing)

ok $message =~ /\Q$text\E\z/, 'as it was sent';
like $message, qr/^Received: from client\.example\.com.*\n\s.*by mx\.example\.com with ESMTP\n\s+id $id;/m,
     'with our Received';
like $message, qr/^Return-Path: <sender\@example\.org>/m, 'and the sender';

# sizes: its limit is known beforehand, or found out

is $c->mail('a@example.org', 'SIZE=3000000'), '250 2.1.0 Sender OK',
   'a declared size';
is $c->rcpt('one@example.com'), '250 2.1.5 Ok', 'is passed on';
my $line = 'x' x 78 . "\r\n";

like $c->data($line x 30_000), qr/^250/, '2.4 MB';
like $c->send_message(to => 'one@example.com',
                      data => $line x 60_000),
     qr/^552 5\.3\.4 /, '4.8 MB are too big for it';
ok wait_stored('one', 2), 'one of both is stored';

# many; by several clients

my @clients = map { client($_ % 2 ? 'smtp' : 'buffered') } 1 .. 10;
my $ok = 0;

for my $round (1 .. 20) {
    $_->pipeline('MAIL FROM:<a@example.org>', 'RCPT TO:<two@example.com>',
                 'DATA') for @clients;
    $_->read_replies(3) for @clients;
    $_->body("Subject: many\r\n\r\nx\r\n") for @clients;
    $ok += $_->read_reply() =~ /^250/ ? 1 : 0 for @clients;
}

is $ok, 200, '200 messages by ten clients';
ok wait_stored('two', 201), 'all are stored';
$_->quit() for @clients;

is client('buffered')->send_message(to => [ 'one@example.com',
                                            'nobody@example.com' ]),
   '554 5.1.0 Not delivered to anyone, destination server refused '
   . '<nobody@example.com>', 'buffered, one of two is unknown';

# it stops, and comes back; kept connections are no trouble

stop_postfix();
is $c->send_message(to => 'one@example.com'),
   '451 4.4.1 No destination server answers', 'it is stopped';
start_postfix();
$c->cmd('RSET');
like $c->send_message(to => 'one@example.com'), qr/^250/, 'it is back';
postfix('reload');
like $c->send_message(to => 'one@example.com'), qr/^250/, 'it is reloaded';
ok wait_stored('one', 4), 'all are stored';

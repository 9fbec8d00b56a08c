#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# A maildir on a full file system: 452, nothing is left there, and it goes on
# when there is room again.

use warnings;
use strict;

use Test::More;
use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();
my $dir = $t->testdir();

mkdir "$dir/small";

plan(skip_all => 'needs root') if $> != 0;
plan(skip_all => "can't mount a small file system")
    if system("mount -t tmpfs -o size=256k tmpfs '$dir/small' 2>/dev/null");

$t->plan(9);

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    smtp_temp_path  %%TESTDIR%%/temp;
    smtp_recipient  @example.com  { smtp_pass maildir:%%TESTDIR%%/small/m; }

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }
}
EOC

my $small = "Subject: small\r\n\r\nx\r\n";
my $big = "Subject: big\r\n\r\n" . ('x' x 70 . "\r\n") x 5000;

my $c = $t->client('smtp');
$c->read_reply();
$c->ehlo();

like $c->send_message(to => 'x@example.com', data => $small), qr/^250 /,
     'there is room';
like $c->send_message(to => 'x@example.com', data => $big), qr/^452 4\.3\.1 /,
     'none for a big message';
is_deeply [ glob "$dir/small/m/tmp/*" ], [], 'nothing left in tmp';
is scalar(() = glob "$dir/small/m/new/*"), 1, 'nothing came into new';
ok $t->wait_log(qr!\[crit\].*write\(\) "\Q$dir\E/small/m/tmp/\S+" failed, id: \w{16} \(28:!),
   'in the log';
like $c->send_message(to => 'x@example.com', data => $small), qr/^250 /,
     'room for a small one';

# not even for a folder: other destination, the same file system

system "head -c 400k /dev/zero > '$dir/small/filler' 2>/dev/null";

like $c->send_message(to => 'x@example.com', data => $small),
     qr/^452 4\.3\.1 /, 'full';

unlink "$dir/small/filler";

like $c->send_message(to => 'x@example.com', data => $small), qr/^250 /,
     'room again';
is scalar(() = glob "$dir/small/m/new/*"), 3, 'three messages';


END {
    my $status = $?;

    $t->finish() if $t && $t->{ran};
    system "umount '$dir/small' 2>/dev/null" if $dir;

    $? = $status;
}

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Maildirs whose paths have variables: which mailbox an address has, and which
# has none.  Nothing that an address may be leads anywhere else.

use warnings;
use strict;
use utf8;

use Encode qw/ encode_utf8 /;
use File::Find;
use MIME::Base64 qw/ encode_base64 /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();
my $dir = $t->testdir();

$t->secret('hunter2');

$t->write_conf(<<'EOC');
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_max_errors        1000;
    smtp_auth_http         http://127.0.0.1:%%PORT_auth%%/auth;
    smtp_auth_require_tls  off;

    smtp_log_format  addr  '$smtp_upstream_addr';
    smtp_access_log  %%TESTDIR%%/access.log  addr;

    smtp_recipient  @a.example  {
        smtp_pass  maildir:%%TESTDIR%%/mail/$smtp_rcpt_domain/$smtp_rcpt_local;
    }

    smtp_recipient  @.a.example  {
        smtp_pass  maildir:%%TESTDIR%%/mail/${smtp_rcpt_domain}/u-${smtp_rcpt_user}/Maildir;
    }

    smtp_recipient  @[IPv6:2001:db8::1]  {
        smtp_pass  maildir:mail/$smtp_rcpt_domain/$smtp_rcpt_local;
    }

    smtp_recipient  postmaster  {
        smtp_pass  maildir:%%TESTDIR%%/mail/$smtp_rcpt_domain/$smtp_rcpt_local;
    }

    smtp_recipient  ~^(.*)@list\.example$ {
        smtp_pass     maildir:%%TESTDIR%%/mail/list/$smtp_rcpt_local;
        smtp_rewrite  "owner-$1@a.example";
    }

    smtp_recipient  @who.example  {
        smtp_pass  maildir:%%TESTDIR%%/mail/by/$smtp_auth_user/out;
    }

    smtp_recipient  @none.example  {
        smtp_pass  maildir:%%TESTDIR%%/none/$smtp_rcpt_local;
    }

    smtp_recipient  @long.example  {
        smtp_pass  maildir:%%TESTDIR%%/mail/%%LONG%%$smtp_rcpt_local;
    }

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
    }
}
EOC

my $long = 'l' x 200;
my $conf = $t->read_file('nginx.conf');

$t->write_file('nginx.conf', $conf =~ s/%%LONG%%/$long/r);

my $none = '553 5.1.3 No mailbox can have this name';

# the address, and below mail/ its folder, or nothing

my @rows = (
    [ 'joe@a.example', 'a.example/joe' ],
    [ 'JOE@A.Example', 'a.example/joe' ],
    [ '"joe"@a.example', 'a.example/joe' ],
    [ '"\j\o\e"@a.example', 'a.example/joe' ],
    [ 'joe+tag@a.example', 'a.example/joe+tag' ],
    [ 'joe.doe@a.example', 'a.example/joe.doe' ],
    [ '"joe doe"@a.example', 'a.example/joe doe' ],
    [ '"a\"b\\\\c"@a.example', 'a.example/a"b\c' ],
    [ '"a..b"@a.example', 'a.example/a..b' ],
    [ '"a.."@a.example', 'a.example/a..' ],
    [ '$smtp_rcpt_local@a.example', 'a.example/$smtp_rcpt_local' ],
    [ '${HOME}`id`|*?@a.example', 'a.example/${home}`id`|*?' ],
    [ '-rf@a.example', 'a.example/-rf' ],
    [ '"C:\\\\x"@a.example', 'a.example/c:\x' ],
    [ '%2e%2e%2fetc@a.example', 'a.example/%2e%2e%2fetc' ],
    [ 'x' x 64 . '@a.example', 'a.example/' . 'x' x 64 ],

    [ 'joe+tag@sub.a.example', 'sub.a.example/u-joe/Maildir' ],
    [ '+tag@sub.a.example', 'sub.a.example/u-+tag/Maildir' ],
    [ 'Joe@Deep.Sub.A.Example', 'deep.sub.a.example/u-joe/Maildir' ],
    [ 'joe@[IPv6:2001:db8::1]', '[ipv6:2001:db8::1]/joe' ],
    [ 'Postmaster', 'mx.example.com/postmaster' ],
    [ 'news@list.example', 'list/owner-news' ],

    [ '"../../etc/passwd"@a.example' ],
    [ '"../b.example/joe"@a.example' ],
    [ '../../etc@a.example', undef, '501 5.1.3 Bad recipient address syntax' ],
    [ '"\.\.\/etc"@a.example' ],
    [ '"/etc/passwd"@a.example' ],
    [ '/etc/passwd@a.example' ],
    [ 'a/b@a.example' ],
    [ 'a/@a.example' ],
    [ '"."@a.example' ],
    [ '".."@a.example' ],
    [ '"..."@a.example' ],
    [ '"\.\."@a.example' ],
    [ '".Trash"@a.example' ],
    [ '"joe/new"@a.example' ],
    [ '""@a.example' ],
    [ '"' . "a\0b" . '"@a.example', undef,
      '501 5.1.3 Bad recipient address syntax' ],
    [ '"../x"@sub.a.example' ],
    [ '"../"+x@sub.a.example', undef, '501 5.1.3 Bad recipient address syntax' ],
    [ 'x/.y/z@sub.a.example' ],
    [ '"joe+../../x"@a.example' ],
    [ '"..+x"@sub.a.example' ],
    [ '"a/b"@list.example' ],
    [ 'joe@who.example' ],
    [ 'x' x 56 . '@long.example' ],
    [ 'x' x 55 . '@long.example', $long . 'x' x 55 ],
);

my @utf8 = (
    [ 'Jürgen@a.example', 'a.example/jürgen' ],
    [ '"Jürgen Ü"@a.example', 'a.example/jürgen Ü' ],
    [ '..／x@a.example', undef, '501 5.1.3 Bad recipient address syntax' ],
    [ '．．／etc@a.example', 'a.example/．．／etc' ],
);

my $auth = $t->http('auth', auth => { map { $_ => 'hunter2' } 'Joe', '..',
                                     '../../x' });

$t->plan(@rows + @utf8 + 25);

for ("$dir/mail", "$dir/mail/list", "$dir/mail/by") {
    mkdir $_ or die "$_: $!\n";
    chmod 0777, $_;
}

$t->run();

# all folders "new" with a file in them, since the last time

my %known;

sub arrived {
    my @found;

    find({ no_chdir => 1, wanted => sub {
        return if !-f || $known{$_}++ || !m!^(.*)/new/[^/]+$!;
        push @found, $1;
    } }, $dir);

    return join ', ', sort map { s!^\Q$dir\E/mail/!!r } @found;
}

my $c = $t->connected();

for (@rows, @utf8) {
    my ($addr, $where, $reply) = @$_;
    my $name = $addr =~ s/[^ -~]/?/gr;

    $c->cmd('MAIL FROM:<s@example.com>'
            . ($name ne $addr && $name !~ /a\?b/ ? ' SMTPUTF8' : ''));
    my $got = $c->cmd(encode_utf8("RCPT TO:<$addr>"));

    if (defined $where) {
        $got = $c->data("Subject: x\r\n\r\nx\r\n") if $got =~ /^250/;
        is "$got " . arrived(), "250 2.0.0 OK id " . encode_utf8($where),
           "mailbox: " . substr $name, 0, 50
            if $got =~ s/ id=.*/ id/ or ok 0, "mailbox: $name: $got";

    } else {
        is $got, $reply // $none, 'none: ' . substr $name, 0, 50;
        $c->cmd('RSET');
    }
}

is arrived(), '', 'what was refused is nowhere';


# what is made, and what is not

is_deeply [ map { (stat "$dir/mail/$_")[2] & 07777 }
            'a.example', 'sub.a.example/u-joe', 'sub.a.example/u-joe/Maildir',
            'sub.a.example/u-joe/Maildir/cur' ], [ (0700) x 4 ],
    'folders are made, for nobody else';

is $c->send_message(to => 'joe@none.example'),
   '451 4.3.0 Local error in processing',
   'but not what the configuration names';
ok $t->wait_log(qr!\[crit\].*mkdir\(\) "\Q$dir\E/none/joe" failed!), 'in the log';
like $t->access_log(), qr!^maildir:\Q$dir\E/mail/a\.example/joe$!m,
     'the log has the mailbox';
like $t->error_log(), qr!no mailbox can have the name of "a/b\@a\.example"!,
     'and why there is none';


# several names of one mailbox: one copy

$c = $t->connected();
$c->mail('s@example.com');
like $c->rcpt($_), qr/^250 /, "to $_"
    for 'joe+a@sub.a.example', 'joe+b@sub.a.example', '"JOE"@Sub.A.Example';
like $c->data("x\r\n"), qr/^250 /, 'taken';
is arrived(), 'sub.a.example/u-joe/Maildir', 'once';

# and of two: each has it, in one message or in two

$c->mail('s@example.com');
like $c->rcpt('one@a.example'), qr/^250 /, 'one';

my $other = $c->rcpt('two@a.example');

like $c->data("x\r\n"), qr/^250 /, 'taken';
like $c->send_message(to => 'two@a.example'), qr/^250 /, 'the other'
    if $other !~ /^250 /;
pass('at once') if $other =~ /^250 /;
is arrived(), 'a.example/one, a.example/two', 'each has it';

# the mailbox is removed, and comes again

rename "$dir/mail/a.example", "$dir/away";
like $c->send_message(to => 'joe@a.example'), qr/^250 /, 'made again';
find({ no_chdir => 1, wanted => sub { $known{$_}++ } }, "$dir/away");
is arrived(), 'a.example/joe', 'with the folder above';


# by who has authenticated

sub auth {
    my ($user) = @_;
    my $c = $t->connected();

    is $c->cmd('AUTH PLAIN ' . encode_base64("\0$user\0hunter2", '')),
       '235 2.7.0 Authentication succeeded', "AUTH of $user";

    return $c;
}

like auth('Joe')->send_message(to => 'x@who.example'), qr/^250 /, 'of a user';
is arrived(), 'by/Joe/out', 'has a folder';

for my $user ('..', '../../x') {
    is auth($user)->send_message(to => 'x@who.example'), $none, 'this has none';
}

is arrived(), '', 'nowhere';

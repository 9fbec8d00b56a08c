#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# The envelope of a submission: a login, a sender that fits the user, whole
# domains.  RFC 6409, 3.2, 4.2, 4.3, 6.1; RFC 4954, 5.

use warnings;
use strict;

use MIME::Base64 qw/ encode_base64 /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->plan(94);

my $mta = $t->server('mta', ehlo => [ qw/ PIPELINING SMTPUTF8 8BITMIME / ]);

# one that knows us is told who has submitted a message

my $knows = $t->server('knows', auth => { relay => $t->secret('p4ssw0rd') });

$t->write_file('secret', 'p4ssw0rd');

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_auth_http         http://127.0.0.1:%%PORT_http%%/auth;
    smtp_auth_require_tls  off;
    smtp_max_errors        1000;
    smtp_etrn              ask_all;
    smtp_pass              smtp://127.0.0.1:%%PORT_mta%%;

    smtp_log_format  submit  '$smtp_mail_from: $smtp_result $smtp_status';

    server {
        listen             127.0.0.1:%%PORT_submit%%;
        protocol           smtp_ext;
        smtp_submission    on;
        smtp_xclient_from  127.0.0.1;
        smtp_access_log    %%TESTDIR%%/submit.log submit;

        smtp_recipient  ~^(.*)@sales$  {
            smtp_rewrite  $1@sales.example.com;
            smtp_pass     smtp://127.0.0.1:%%PORT_mta%%;
        }

        smtp_recipient  ~^(.*)@here\.example\.com$  {
            smtp_rewrite  $1@here;
            smtp_pass     smtp://127.0.0.1:%%PORT_mta%%;
        }

        smtp_recipient  postmaster {
            smtp_pass     smtp://127.0.0.1:%%PORT_mta%%;
        }
    }

    server {
        listen           127.0.0.1:%%PORT_known%%;
        protocol         smtp_ext;
        smtp_submission  on;
        smtp_pass        smtp://127.0.0.1:%%PORT_knows%%;

        smtp_pass_auth                own;
        smtp_pass_auth_user           relay;
        smtp_pass_auth_password_file  secret;
        smtp_pass_auth_security       none;
        smtp_pass_tls                 off;
    }

    server {
        listen              127.0.0.1:%%PORT_domain%%;
        protocol            smtp_ext;
        smtp_submission     on;
        smtp_sender_domain  Example.com;
    }

    server {
        listen                 127.0.0.1:%%PORT_any%%;
        protocol               smtp_ext;
        smtp_submission        on;
        smtp_sender_domain     any;
        smtp_sender_delimiter  -;
    }

    server {
        listen                  127.0.0.1:%%PORT_loose%%;
        protocol                smtp_ext;
        smtp_submission         on;
        smtp_auth_required      off;
        smtp_sender_check       off;
        smtp_sender_delimiter   off;
        smtp_qualified_domains  off;
    }

    server {
        listen           127.0.0.1:%%PORT_trusted%%;
        protocol         smtp_ext;
        smtp_submission  on;
        smtp_relay_from  127.0.0.1;
    }

    server {
        listen                 127.0.0.1:%%PORT_plain%%;
        protocol               smtp_ext;
        smtp_sender_delimiter  off;
    }

    server {
        listen              127.0.0.1:%%PORT_login%%;
        protocol            smtp_ext;
        smtp_auth_required  on;
    }
}
EOC

my $http = $t->http('http');

my $sender = '250 2.1.0 Sender OK';
my $recipient = '250 2.1.5 recipient ok';
my $need_auth = '530 5.7.0 Authentication required';
my $denied = '550 5.7.1 Sender address is not one of the user\'s';
my $no_domain = '554 5.1.8 Sender\'s domain is not fully qualified';
my $no_rcpt_domain = '554 5.1.2 Recipient\'s domain is not fully qualified';
my $taken = qr/^250 2\.0\.0 OK id=/;


# as that user; the headers are the service's

sub logged_in {
    my ($port, $user, @headers) = @_;

    $http->set(on => { '/auth' => { headers => [ 'Auth-Status' => 'OK',
                                                 @headers ] } });

    my $c = $t->connected($port);

    $c->cmd('AUTH PLAIN ' . encode_base64("\0$user\0password", ''))
        =~ /^235/ or die "not logged in";

    return $c;
}

# MAIL's reply, with the transaction given up behind it

sub from {
    my ($c, $address, @params) = @_;

    my $reply = $c->mail($address, @params);

    $c->cmd('RSET');

    return $reply;
}


# who has not logged in

my $c = $t->connected('submit');

is $c->mail('user@example.com'), $need_auth, 'MAIL needs a login';
is $c->mail(''), $need_auth, 'for the null sender, too';
is $c->mail('user@example.com', 'SIZE=99999999999'), $need_auth,
   'before anything else is said about it';
is $c->cmd('RCPT TO:<a@b.example>'), '503 5.5.1 Need MAIL first',
   'there is no transaction';
is $c->cmd('DATA'), '503 5.5.1 Need MAIL first', 'none at all';
is $c->bdat("x\r\n", 1), '503 5.5.1 Need MAIL first, chunk dropped',
   'nor by BDAT';
is $c->cmd('VRFY user'), $need_auth, 'VRFY needs one';
is $c->cmd('EXPN list'), '502 5.5.1 Command not implemented',
   'EXPN is not there';
is $c->cmd('NOOP'), '250 2.0.0 OK', 'NOOP does not';
like $c->cmd('HELP'), qr/^214/, 'HELP does not';
is scalar($mta->commands()), 0, 'nobody was asked';

$c = $t->client('submit');
$c->read_reply();
is $c->cmd('MAIL FROM:<user@example.com>'), '503 5.5.1 Send EHLO or HELO first',
   'EHLO is the first thing that is missing';
$c->cmd('HELO client.example.com');
is $c->cmd('MAIL FROM:<user@example.com>'), $need_auth, 'after HELO';

$c = $t->connected('submit');
$c->pipeline('MAIL FROM:<user@example.com>', 'RCPT TO:<a@b.example>', 'DATA');
is_deeply [ map { substr $_, 0, 3 } $c->read_replies(3) ], [ 530, 503, 503 ],
   'a pipeline without a login';

ok !exists $t->connected('submit')->{ehlo}{ETRN}, 'ETRN is not offered';
is logged_in('submit', 'user@example.com')->cmd('ETRN example.com'),
   '502 5.5.1 Command not implemented', 'nor is it there';
is $t->connected('plain')->{ehlo}{ETRN}, '', 'but to others';

is $t->connected('login')->mail('user@example.com'), $need_auth,
   'a login can be demanded without the profile';
is logged_in('login', 'user')->mail('other@sales'), $sender,
   'and nothing else is';

# who has

$c = logged_in('submit', 'User@example.com');

for my $try (
    [ 'user@example.com', 1 ],
    [ 'uSER@EXAMPLE.com', 1 ],
    [ '"user"@example.com', 1 ],
    [ 'user+tag@example.com', 1 ],
    [ 'user+@example.com', 1 ],
    [ '', 1 ],
    [ 'other@example.com', 0 ],
    [ 'other@example.net', 0 ],
    [ 'user@example.net', 0 ],
    [ 'user@mail.example.com', 0 ],
    [ 'user-tag@example.com', 0 ],
    [ 'users@example.com', 0 ],
    [ '"user "@example.com', 0 ],
    [ 'user@[192.0.2.1]', 0 ],
) {
    is from($c, $try->[0]), $try->[1] ? $sender : $denied,
       "<$try->[0]> is " . ($try->[1] ? '' : 'not ') . "user\@example.com's";
}

is from($c, 'other@example'), $no_domain, 'a domain of one label';
is from($c, 'user@localhost'), $no_domain, 'even of this machine';
is from($c, '@a,@b:user@example.com'), $sender,
   'source routes do not matter';
is from($c, "us\xc3\xa9r\@example.com", 'SMTPUTF8'), $denied,
   'UTF-8 is another name';

like $c->send_message(from => 'user@example.com'), $taken, 'a message';
is +($mta->messages())[-1]{from}, 'user@example.com', 'goes on';
like $c->send_message(from => ''), $taken, 'one with the null sender';
is +($mta->messages())[-1]{from}, '', 'as well';

ok $t->wait_log(qr/^other\@example\.net: refused 550$/m, 'submit.log'),
   'a refused sender is in the log';

# RFC 4954, 5

$c = logged_in('known', 'user@example.com');

for my $try (
    [ 'user@example.com', 'user@example.com' ],
    [ 'user+2Btag@example.com', 'user+2Btag@example.com' ],
    [ '<>', '<>' ],
    [ 'other@example.com', '<>' ],
) {
    $c->send_message(from => 'user@example.com',
                     mail_params => [ "AUTH=$try->[0]" ]);
    like +($knows->messages())[-1]{from_params}, qr/AUTH=\Q$try->[1]\E$/,
       "AUTH=$try->[0] is passed on as $try->[1]";
}

$c = logged_in('submit', 'user@example.com');

# recipients

$c->mail('user@example.com');
is $c->rcpt('a@example'), $no_rcpt_domain, 'a recipient with one label';
is $c->rcpt('a@b.example'), $recipient, 'with two';
$c->cmd('RSET');

$c->mail('user@example.com');
is $c->rcpt('a@[192.0.2.1]'), $recipient, 'an address literal';
$c->cmd('RSET');

$c->mail('user@example.com');
is $c->rcpt('Postmaster'), $recipient, '<Postmaster> has no domain to qualify';
$c->cmd('RSET');

$c->mail('user@example.com');
is $c->rcpt('a@sales'), $recipient, 'one that smtp_rewrite makes whole';
is +($mta->commands())[-1], 'RCPT TO:<a@sales.example.com>', 'goes on so';
is $c->rcpt('a@here.example.com'), $no_rcpt_domain,
   'one that it makes a part of';
$c->cmd('RSET');

# names that are no addresses

$c = logged_in('submit', 'user');

is from($c, 'user@example.com'), $denied, 'a name has no address';
is from($c, ''), $sender, 'but for the null sender';

$c = logged_in('domain', 'user');

is from($c, 'user@example.com'), $sender, 'it has one in smtp_sender_domain';
is from($c, 'user+tag@EXAMPLE.COM'), $sender, 'with all that is behind "+"';
is from($c, 'other@example.com'), $denied, 'which is not anybody\'s';
is from($c, 'user@example.net'), $denied, 'nor in any domain';
is from(logged_in('domain', 'user@example.net'), 'user@example.net'), $sender,
   'a name that is an address is none there';
is from(logged_in('domain', 'a b'), 'a@example.com'), $denied,
   'a name that makes no address';
is from(logged_in('domain', 'x' x 500), 'a@example.com'), $denied,
   'nor does one that is too long';

for my $user ('*', '@example.com', 'a@example.com,b@example.com') {
    is from(logged_in('submit', $user), 'b@example.com'), $denied,
       "a user named $user is no pattern";
}

is from(logged_in('submit', '*@example.com'), 'b@example.com'), $denied,
   'not even with the form of an address';

$c = logged_in('any', 'user');

is from($c, 'other@example.net'), $sender, 'smtp_sender_domain any';
is from($c, 'other@example'), $no_domain, 'which has to be a whole one';

$c = logged_in('any', 'user@example.com');

is from($c, 'other@example.net'), $denied, 'not for names with an address';
is from($c, 'user-tag@example.com'), $sender, 'another delimiter';
is from($c, 'user+tag@example.com'), $denied, 'in place of "+"';

# what the service has listed

my @list = ('Auth-Senders' =>
            'sales@example.com, @example.net, @.example.org');

$c = logged_in('submit', 'user@example.com', @list);

for my $try (
    [ 'sales@example.com', 1 ],
    [ 'sales+x@example.com', 1 ],
    [ 'any.one@example.net', 1 ],
    [ 'a@b.example.org', 1 ],
    [ '', 1 ],
    [ 'user@example.com', 0 ],
    [ 'a@example.org', 0 ],
    [ 'a@b.example.net', 0 ],
) {
    is from($c, $try->[0]), $try->[1] ? $sender : $denied,
       "<$try->[0]> is " . ($try->[1] ? '' : 'not ') . 'listed';
}

is from(logged_in('submit', 'user', 'Auth-Senders' => '*'), 'a@b.example'),
   $sender, 'everything is listed';
is from(logged_in('any', 'user', @list), 'a@b.example'), $denied,
   'a list comes before smtp_sender_domain';

# Auth-User is the name that counts

is from(logged_in('submit', 'me', 'Auth-User' => 'user@example.com'),
        'user@example.com'), $sender, 'the service\'s name';
is from(logged_in('submit', 'me@example.com', 'Auth-User' => 'user'),
        'me@example.com'), $denied, 'and not the client\'s';

# XCLIENT

$c = $t->connected('submit');
$c->cmd('XCLIENT LOGIN=user@example.com');
$c->ehlo();
is from($c, 'user@example.com'), $sender, 'a login by XCLIENT is one';
is from($c, 'other@example.com'), $denied, 'with the name as address';

# without the profile, and without its parts

is $t->connected('plain')->mail('other@example'), $sender,
   'without the profile nothing is asked';
is from(logged_in('plain', 'user@example.com'), 'other@example'), $sender,
   'nor of a user';
$c = logged_in('plain', 'user@example.com', @list);
is from($c, 'sales@example.com'), $sender, 'but a list is kept to';
is from($c, 'user@example.com'), $denied, 'in any case';
is from($c, 'sales+x@example.com'), $denied, 'without a delimiter';

is $t->connected('loose')->mail('other@example'), $sender,
   'each part can be switched off';
is from(logged_in('loose', 'user@example.com', @list), 'a@b'), $sender,
   'the check of senders, too';

$c = $t->connected('trusted');
is $c->mail('other@example'), $no_domain,
   'smtp_relay_from does without a login';
is $c->mail('other@example.com'), $sender, 'and who it is is not known';

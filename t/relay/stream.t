#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# smtp_pass_mode stream: content goes to the next hop as it comes.  It is the
# same content, whatever way it came and goes; nothing is there before its end;
# what goes wrong on the way is the reply to the end.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new();
my $ms = scaled(2000);

$t->write_conf(<<"EOC");
%%GLOBALS%%

events { }

mail {
    server_name             mx.example.com;
    smtp_relay_from         127.0.0.1;
    smtp_pass               smtp://mtas;
    smtp_pass_mode          stream;
    smtp_max_errors         1000;
    smtp_max_message_size   100m;
    smtp_extensions         binarymime=on;

    smtp_pass_data_timeout   ${ms}ms;
    smtp_pass_final_timeout  ${ms}ms;
    smtp_pass_send_timeout   ${ms}ms;

    smtp_log_format  main  '\$smtp_result \$smtp_status \$smtp_bytes';
    smtp_access_log  %%TESTDIR%%/access.log main;

    smtp_upstream mtas {
        server     127.0.0.1:%%PORT_first%%   max_fails=0;
        server     127.0.0.1:%%PORT_second%%  max_fails=0  backup;
        keepalive  2;
    }

    smtp_recipient  \@bdat.example   { smtp_pass smtp://127.0.0.1:%%PORT_bdat%%; }
    smtp_recipient  \@seven.example  { smtp_pass smtp://127.0.0.1:%%PORT_seven%%; }
    smtp_recipient  \@lmtp.example   { smtp_pass lmtp://127.0.0.1:%%PORT_lmtp%%; }

    server {
        listen     127.0.0.1:%%PORT_smtp%%;
        protocol   smtp_ext;
    }

    server {
        listen              127.0.0.1:%%PORT_edit%%;
        protocol            smtp_ext;
        smtp_header_repair  date bcc return_path;
        smtp_header_fold    on;
    }

    server {
        listen     127.0.0.1:%%PORT_patient%%;
        protocol   smtp_ext;

        smtp_pass_final_timeout  60s;
        smtp_pass_send_timeout   60s;
    }

    server {
        listen                 127.0.0.1:%%PORT_small%%;
        protocol               smtp_ext;
        smtp_max_message_size  1000;
        smtp_bare_newline      normalise;
    }
}
EOC

$t->plan(133);

my $first = $t->server('first', ehlo => [ qw/ PIPELINING 8BITMIME SMTPUTF8 / ]);
my $second = $t->server('second', ehlo => [ qw/ PIPELINING 8BITMIME / ]);
my $bdat = $t->server('bdat', ehlo => [ qw/ PIPELINING 8BITMIME CHUNKING
                                            BINARYMIME / ]);
my $seven = $t->server('seven', ehlo => [ qw/ PIPELINING / ]);
my $lmtp = $t->server('lmtp', lmtp => 1, ehlo => [ qw/ PIPELINING 8BITMIME / ]);

$t->run();


# what the last message there was, without our field

sub content {
    my ($server) = @_;

    my ($m) = ($server->messages())[-1];

    return $m->{data} =~ s/\AReceived:.*?\r\n(?!\t)//sr;
}


sub say_bdat {
    my ($c, $to, $message, $size, @params) = @_;

    $c->mail('s@example.com', @params);
    $c->rcpt($to);

    my $reply;

    do {
        my $chunk = substr $message, 0, $size, '';
        $reply = $c->bdat($chunk, $message eq '');
    } while ($message ne '' && $reply =~ /^2/);

    return $reply;
}


# the same content, by DATA and by BDAT, to DATA and to BDAT

my @lines = ('Subject: dots', '', '.', '..', 'text', '.text', '', '. ', 'x.',
             ('line ' x 15) x 3, '.end');

my %message = (
    dots => join('', map { "$_\r\n" } @lines),
    empty => '',
    header => "Subject: only\r\n",
    dot => ".\r\n",
    long => "Subject: long\r\n\r\n" . (('x' x 77 . "\r\n.") x 10_000) . "\r\n",
    wide => "Subject: wide\r\n\r\n" . ('y' x 300_000) . "\r\n",
);

my $c = $t->connected();
my $n = 0;

for my $name (sort keys %message) {
    my $m = $message{$name};

    for ([ 'a@example.com', $first ], [ 'a@bdat.example', $bdat ]) {
        my ($to, $server) = @$_;

        like $c->send_message(to => $to, data => $m), qr/^250 2\.0\.0/,
             "$name by DATA to $to";
        ok content($server) eq $m, 'is the same';

        for my $size (length($m) + 1, 70_001, 11) {
            next if $size == 11 && length $m > 1000;

            like say_bdat($c, $to, $m, $size), qr/^250 2\.0\.0/,
                 "$name by BDAT in pieces of $size to $to";
            ok content($server) eq $m, 'is the same';
        }
    }
}

# binary content

my $binary = join '', map { chr } 0 .. 255;

like say_bdat($c, 'a@bdat.example', $binary, 50, 'BODY=BINARYMIME'),
     qr/^250/, 'binary content';
ok content($bdat) eq $binary, 'is the same';

# each octet by itself, with an end that looks like one before

$c->mail('s@example.com');
$c->rcpt('a@example.com');
$c->cmd('DATA');
$c->send_raw($_) for split //, "Subject: x\r\n\r\n..\r\n.\ra\r\n..b\r\n.\r\n";
is $c->read_reply() =~ s/ .*//r, '550', 'octet by octet: a bare CR';
like $c->send_message(), qr/^250/, 'the session goes on';

$c->mail('s@example.com');
$c->rcpt('a@example.com');
$c->cmd('DATA');
$c->send_raw($_) for split //, "Subject: x\r\n\r\n..\r\n...a\r\n..b\r\n.\r\n";
is $c->read_reply() =~ s/ .*//r, '250', 'octet by octet';
is content($first), "Subject: x\r\n\r\n.\r\n..a\r\n.b\r\n", 'is the same';

# mended line ends

my $small = $t->connected('small');

$small->mail('s@example.com');
$small->rcpt('a@example.com');
$small->cmd('DATA');
$small->send_raw("Subject: x\n\n..\n.a\rb\r\n.\r\n");
is $small->read_reply() =~ s/ .*//r, '250', 'bare line ends';
is content($first), "Subject: x\r\n\r\n.\r\na\r\nb\r\n",
   'are mended on their way';

# a header that is edited on its way: what looks like an end is none

my $edit = $t->connected('edit');
my $sly = "Subject: x\r\nBcc: a\@b.example,\r\n .\r\nFrom: a\@b.example\r\n"
          . '.' . "\r\n.\r\n..\r\n\r\n.\r\n.." . ("\r\n.z" x 40_000) . "\r\n";

like $edit->send_message(data => $sly), qr/^250/, 'a header that is repaired';

my ($m) = ($first->messages())[-1];

like $m->{data}, qr/\.\r\n\.\r\n\.\.\r\n\r\n\.\r\n\.\.(\r\n\.z){40000}\r\n\z/,
     'has its dots';
unlike $m->{data}, qr/^Bcc/m, 'and no Bcc';

# the reply to the first octets: it can't have been kept until the end

my $messages = () = $first->messages();

$first->set(on => { EOM => '552 5.3.4 early' },
            fault => { at => 'EOM', do => 'early' });
$c = $t->connected();
$c->mail('s@example.com');
$c->rcpt('a@example.com');
$c->cmd('DATA');
$c->send_raw("Subject: early\r\n\r\n");
ok $first->wait_for(sub { grep { $_->{text} =~ /^552/ }
                          $first->events('reply') }, 10),
   'content is there before there is more of it';
$c->send_raw(('z' x 78 . "\r\n") x 5000 . ".\r\n");
is $c->read_reply(), '552 5.3.4 early', 'its reply is that to the message';
$first->set(on => {}, fault => undef);
like $c->send_message(), qr/^250/, 'the session goes on';

# our own refusal, in the middle: nobody gets it

$messages = () = $first->messages();
$small = $t->connected('small');
is $small->send_message(data => "Subject: big\r\n\r\n" . 'big ' x 500 . "\r\n"),
   '552 5.3.4 Message size exceeds fixed limit', 'too big';
like $small->send_message(), qr/^250/, 'the next is not';

$c->mail('s@example.com');
$c->rcpt('a@example.com');
$c->cmd('DATA');
$c->send_raw("Subject: bare\r\n\r\n" . ('z' x 78 . "\r\n") x 5000 . "a\nb\r\n"
             . ('z' x 78 . "\r\n") x 5000 . ".\r\n");
is $c->read_reply() =~ s/ .*//r, '550', 'a bare LF far inside';

# the client goes away

for my $how (qw/ close reset /) {
    my $c = $t->connected();

    $c->mail('s@example.com');
    $c->rcpt('a@example.com');
    $c->cmd('DATA');
    $c->send_raw("Subject: gone\r\n\r\n" . ('z' x 78 . "\r\n") x 5000);
    $c->$how();
}

like $t->connected()->send_message(), qr/^250/, 'somebody else';
is scalar(() = $first->messages()) - $messages, 2,
   'there are the whole messages alone';

# DATA refused: that is what DATA is told

$c = $t->connected();
$first->set(on => { DATA => '451 4.3.0 no data' });
is $c->send_message(), '451 4.3.0 no data', 'DATA is refused for now';
$first->set(on => { DATA => '554 5.3.0 no data' });
is $c->send_message(), '554 5.3.0 no data', 'DATA is refused';
is say_bdat($c, 'a@example.com', "Subject: x\r\n\r\n", 5),
   '554 5.3.0 no data', 'a chunk is refused';
$first->set(on => { DATA => '421 4.3.2 bye' });
like $c->send_message(), qr/^250/, '421: the other server takes it';
is content($second), "Subject: test\r\n\r\nhello\r\n", 'whole';
$first->set(on => {});

# the next hop in trouble on the way

for my $do (qw/ close reset half /) {
    $first->set(fault => { at => 'EOM', do => $do });
    is $c->send_message(),
       '451 4.4.2 Destination server did not confirm the message',
       "$do at the end";
}

$first->set(fault => { at => 'EOM', do => 'stall' });
is $c->send_message(), '451 4.4.2 Destination server did not confirm the '
   . 'message', 'no reply to the end';
$first->set(fault => undef);

$bdat->set(on => { BDAT => '452 4.3.1 no room' });
is say_bdat($c, 'a@bdat.example', "Subject: x\r\n\r\n" . "x\r\n" x 100, 20),
   '452 4.3.1 no room', 'a chunk that is refused there';
$bdat->set(fault => { at => 'BDAT', do => 'close' }, on => {});

# (which may be seen when the last chunk has been sent, too)

like say_bdat($c, 'a@bdat.example', "Subject: x\r\n\r\n" . "x\r\n" x 100, 20),
     qr/^451\ 4\.4\.2\ (?:Connection\ to\ destination\ server\ failed
                          |Destination\ server\ did\ not\ confirm\ .*)$/x,
     'a connection that is closed there';
$bdat->set(fault => { at => 'BDAT', do => 'stall' });
is say_bdat($c, 'a@bdat.example', "Subject: x\r\n\r\n" . "x\r\n" x 100, 20),
   '451 4.4.2 Destination server did not confirm the message',
   'chunks that are not answered';
$bdat->set(fault => undef);
like say_bdat($c, 'a@bdat.example', "Subject: x\r\n\r\n" . "x\r\n" x 100, 20),
     qr/^250/, 'and then it is well again';

# RSET between chunks

$messages = () = $bdat->messages();
$c->mail('s@example.com');
$c->rcpt('a@bdat.example');
$c->bdat("Subject: x\r\n");
is $c->cmd('RSET') =~ s/ .*//r, '250', 'RSET between chunks';
like say_bdat($c, 'a@bdat.example', "Subject: y\r\n", 5), qr/^250/, 'another';
is scalar(() = $bdat->messages()) - $messages, 1, 'that one alone is there';

# what can't be streamed is collected

like $c->send_message(to => 'a@seven.example'), qr/^250/,
     'a server without 8BITMIME';
is content($seven), "Subject: test\r\n\r\nhello\r\n", 'gets it';
like $c->send_message(to => [ 'a@example.com', 'a@bdat.example' ],
                      mail_params => [ 'PRDR' ]), qr/^250/, 'two destinations';
is content($_), "Subject: test\r\n\r\nhello\r\n", 'get it' for $first, $bdat;

# several replies at its end

$lmtp->set(on => { EOM => [ '250 2.0.0 a', '550 5.2.2 b' ] });
is $c->send_message(to => [ 'a@lmtp.example', 'b@lmtp.example' ],
                    mail_params => [ 'PRDR' ]) =~ s/ .*//r, '353',
   'LMTP at the other end';
is join(' ', map { substr $c->read_reply(), 0, 3 } 1 .. 3), '250 550 250',
   'a reply for each';

# a server that does not read: the client has to wait, and not our memory

my $big = ('b' x 78 . "\r\n") x 400_000;

$first->set(fault => { at => 'DATA', do => 'answer_stall' });
$c = $t->connected();
is $c->send_message(data => $big),
   '451 4.4.2 Connection to destination server failed',
   'a server that does not take it';
$first->set(fault => undef);
like $t->connected('patient')->send_message(data => $big), qr/^250/,
     '32 MB to one that does';
is length(content($first)), length($big), 'whole';

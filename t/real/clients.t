#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Clients in use: swaks, curl, msmtp, smtplib of Python, Nodemailer.  Each sends a message
# with STARTTLS and AUTH, one without, and one with a refused recipient.

use warnings;
use strict;

use POSIX ();
use Test::More;

use Test::Nginx::SmtpExt;
use Test::Nginx::SmtpExt::Util qw/ scaled /;

my $t = Test::Nginx::SmtpExt->new();
my $dir = $t->testdir();

$t->certificate('localhost', san => [ 'DNS:localhost', 'IP:127.0.0.1' ]);

$t->write_conf(<<'EOC');
%%GLOBALS%%

events { }

mail {
    server_name          mx.example.com;
    smtp_auth_http       http://127.0.0.1:%%PORT_http%%/auth;
    ssl_certificate      %%TESTDIR%%/localhost.crt;
    ssl_certificate_key  %%TESTDIR%%/localhost.key;
    smtp_pass            smtp://127.0.0.1:%%PORT_mta%%;

    server {
        listen           127.0.0.1:%%PORT_plain%%;
        protocol         smtp_ext;
        smtp_relay_from  127.0.0.1;
    }

    server {
        listen     127.0.0.1:%%PORT_submission%%;
        protocol   smtp_ext;
        starttls   only;
    }

    server {
        listen     127.0.0.1:%%PORT_smtps%%  ssl;
        protocol   smtp_ext;
    }
}
EOC

my $secret = $t->secret('Pa55=w0rd/for+clients');
my $user = 'user@example.com';

my %port = map { $_ => $t->port($_) } qw/ plain submission smtps /;

my $body = join '', map { "$_\n" } 'a line', '.', '..', '.dots', '',
                    'x' x 900, 'From here', 'the end';

$t->write_file('message.txt', "From: <sender\@example.com>\n"
    . "To: <good\@example.com>\nSubject: real\n\n$body");
$t->write_file('message.crlf', $t->read_file('message.txt')
                               =~ s/\n/\r\n/gr);

# smtplib

$t->write_file('send.py', <<'EOF');
import smtplib, ssl, sys

mode, port, cafile, user, password, to, path = sys.argv[1:]
context = ssl.create_default_context(cafile=cafile)

if mode == 'smtps':
    c = smtplib.SMTP_SSL('localhost', int(port), context=context, timeout=20)
else:
    c = smtplib.SMTP('localhost', int(port), timeout=20)

if mode == 'submission':
    c.starttls(context=context)

if mode != 'plain':
    c.login(user, password)

data = open(path, newline='').read()

try:
    refused = c.sendmail('sender@example.com', to.split(','), data)
except smtplib.SMTPRecipientsRefused as e:
    refused = e.recipients

for rcpt, (code, text) in sorted(refused.items()):
    print('refused', rcpt, code, text.decode())

c.quit()
EOF

# Nodemailer

$t->write_file('send.js', <<'EOF');
const fs = require('fs');
const [ mode, port, ca, user, pass, to, path ] = process.argv.slice(2);

require('nodemailer').createTransport({
    host: 'localhost', port, secure: mode === 'smtps',
    requireTLS: mode === 'submission', ignoreTLS: mode === 'plain',
    tls: { ca: fs.readFileSync(ca) },
    auth: mode === 'plain' ? undefined : { user, pass },
}).sendMail({
    envelope: { from: 'sender@example.com', to: to.split(',') },
    raw: fs.readFileSync(path),
}).catch((e) => {
    console.log(e.response || e.message);
    process.exitCode = 1;
});
EOF

$ENV{NODE_PATH} //= '/usr/share/nodejs:/usr/local/lib/node_modules';

# The ways to call them: name, command; a command is for a mode and recipients.

sub tls {
    my ($mode, %is) = @_;

    return $is{$mode} ? @{$is{$mode}} : ();
}

my %clients = (
    swaks => sub {
        my ($mode, @to) = @_;

        return ('swaks', '--server', '127.0.0.1', '--port', $port{$mode},
                '--from', 'sender@example.com', '--to', join(',', @to),
                '--helo', 'client.example.com', '--data',
                "\@$dir/message.txt", '--timeout', 20,
                tls($mode, submission => [ '--tls' ],
                    smtps => [ '--tls-on-connect' ]),
                $mode eq 'plain' ? ()
                : ('--auth', 'LOGIN', '--auth-user', $user,
                   '--auth-password', $secret, '--auth-hide-password'));
    },
    curl => sub {
        my ($mode, @to) = @_;
        my $scheme = $mode eq 'smtps' ? 'smtps' : 'smtp';

        return ('curl', '-sS', '--max-time', 20, '--url',
                "$scheme://localhost:$port{$mode}/client.example.com",
                '--mail-from', 'sender@example.com',
                (map { ('--mail-rcpt', $_) } @to),
                '--upload-file', "$dir/message.crlf", '--cacert',
                "$dir/localhost.crt",
                tls($mode, submission => [ '--ssl-reqd' ]),
                $mode eq 'plain' ? () : ('--user', "$user:$secret"));
    },
    msmtp => sub {
        my ($mode, @to) = @_;

        return ('sh', '-c', 'exec "$0" "$@" < ' . "$dir/message.txt",
                'msmtp', '-C', '/dev/null', '--host=127.0.0.1',
                "--port=$port{$mode}", '--from=sender@example.com',
                '--timeout=20', '--domain=client.example.com',
                tls($mode, submission => [ '--tls=on' ],
                    smtps => [ '--tls=on', '--tls-starttls=off' ]),
                $mode eq 'plain' ? ()
                : ("--tls-trust-file=$dir/localhost.crt", '--auth=plain',
                   "--user=$user", "--passwordeval=echo '$secret'"),
                '--', @to);
    },
    python => sub {
        my ($mode, @to) = @_;

        return ('python3', "$dir/send.py", $mode, $port{$mode},
                "$dir/localhost.crt", $user, $secret, join(',', @to),
                "$dir/message.crlf");
    },
    nodemailer => sub {
        my ($mode, @to) = @_;

        return ('node', "$dir/send.js", $mode, $port{$mode},
                "$dir/localhost.crt", $user, $secret, join(',', @to),
                "$dir/message.crlf");
    },
);

$t->plan(4 * keys %clients);

my $mta = $t->server('mta', on => {
    RCPT => sub { $_[0] =~ /bad@/ ? '550 5.1.1 No such user' : undef } });
my $http = $t->http('http', auth => { $user => $secret });

$t->run();

sub call {
    my (@command) = @_;

    my $pid = open my $out, '-|' // die "fork: $!\n";

    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        open STDIN, '<', '/dev/null';
        exec 'timeout', POSIX::ceil(scaled(25)), @command
            or POSIX::_exit(127);
    }

    local $/;
    my $text = <$out>;
    close $out;

    return ($? >> 8, $text);
}

my $want = $t->read_file('message.crlf');

for my $name (sort keys %clients) {
    my ($program) = $clients{$name}->('plain', 'x');

    $program = { python => 'python3', nodemailer => 'node' }->{$name} // $name;

    SKIP: {
        skip "no $program", 4 unless grep { -x "$_/$program" }
                                     split /:/, $ENV{PATH};
        skip 'no Nodemailer', 4
            if $name eq 'nodemailer'
               && (call('node', '-e', 'require("nodemailer")'))[0] != 0;

        for my $mode (qw/ plain submission smtps /) {
            my $n = () = $mta->messages();

            my ($code, $text) = call($clients{$name}->($mode,
                                     'good@example.com'));

            # each adds header fields as it likes; the text is the text

            my @messages = $mta->messages();
            my $data = $messages[-1] ? $messages[-1]{data} : '';
            my ($got) = $data =~ /\r\n\r\n(.*)/s;
            my ($sent) = $want =~ /\r\n\r\n(.*)/s;

            s/(\r\n)+\z/\r\n/ for $got // (), $sent;

            ok $code == 0 && @messages == $n + 1 && $got eq $sent,
               "$name: $mode"
                or diag "exit code $code, ", @messages - $n, " messages\n$text";
        }

        my ($code, $text) = call($clients{$name}->('plain', 'bad@example.com'));

        like "$code $text", qr/^\d+ (?=.*[1-9]).*550/s,
             "$name: a refused recipient is reported";
    }
}

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Makes docs/replies.md out of core/ngx_smtp_reply_table.h.  When a reply is
# given is below, behind __DATA__: a line for each reply, and none for others.
# A reply that no source uses is left out of the document.
#
#     replies.pl [root]            writes docs/replies.md
#     replies.pl --check [root]    fails if that would change it
#     replies.pl --unused [root]   names replies that no source uses

use warnings;
use strict;

use File::Find;

my $mode = @ARGV && $ARGV[0] =~ /^--/ ? shift : '';
my $root = shift || '.';

my $table = "$root/ngx_mail_smtp_ext/core/ngx_smtp_reply_table.h";
my $path = "$root/docs/replies.md";

my @rows = rows(slurp($table));
my %when = when();
my %used = used();

my %known = map { $_->{id} => 1 } grep { $_->{id} } @rows;
my @faults;

push @faults, map { "$_: not in the table of replies" }
              grep { !$known{$_} } sort keys %when;
push @faults, map { "$_: when is it given? (behind __DATA__)" }
              grep { !$when{$_} && $used{$_} } sort keys %known;

die map { "replies.pl: $_\n" } @faults if @faults;

if ($mode eq '--unused') {
    print map { "$_\n" } grep { !$used{$_} } sort keys %known;
    exit 0;
}

my $text = document();

if ($mode eq '--check') {
    exit 0 if -f $path && slurp($path) eq $text;

    print "docs/replies.md is not what t/tools/replies.pl makes of the table\n";
    exit 1;
}

die "replies.pl: unknown option $mode\n" if $mode;

open my $fh, '>:raw', $path or die "$path: $!\n";
print $fh $text;
close $fh or die "$path: $!\n";


sub slurp {
    my ($name) = @_;

    open my $fh, '<:raw', $name or die "$name: $!\n";
    local $/;

    return scalar(<$fh>) // '';
}


# the rows of the table and, between them, the comments that part them

sub rows {
    my ($source) = @_;
    my @rows;

    my ($body) = $source =~ /#define\s+NGX_SMTP_REPLY_TABLE\(X\)(.*)/s
        or die "$table: no table\n";

    $body =~ s/\\\n/\n/g;

    my $string = qr/"(?:[^"\\]|\\.)*"/;

    while ($body =~ /\G\s*(?:
                         \/\*\s*(.*?)\s*\*\/
                         | X\(\s*(\w+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)
                           \s*,\s*(\d+)\s*,\s*([\w|\s]+?)\s*,
                           \s*((?:$string\s*)+)\)
                     )/gcsx)
    {
        if (defined $1) {
            push @rows, { title => $1 };
            next;
        }

        my ($id, $code, @enhanced, $flags, $text);

        ($id, $code, @enhanced[0 .. 2], $flags, $text)
            = ($2, $3, $4, $5, $6, $7, $8);

        $text = join '', map { s/^"|"$//gr } $text =~ /$string/g;
        $text =~ s/\\(.)/$1/g;

        push @rows, { id => $id, code => $code, text => $text,
                      enhanced => join('.', @enhanced),
                      flags => { map { $_ => 1 } $flags =~ /[A-Z]+/g } };
    }

    $body =~ /\G\s*/gc;

    die "$table: this is not a row: " . substr($body, pos $body, 40) . "\n"
        if pos $body < length $body;

    return @rows;
}


sub when {
    my %when;

    while (<DATA>) {
        chomp;
        next if /^(?:#|$)/;

        my ($id, $argument, $text) = split /\s*\|\s*/, $_, 3;

        die "replies.pl: line $. behind __DATA__\n" unless defined $text;
        die "replies.pl: $id comes twice\n" if $when{$id};

        $when{$id} = { argument => $argument, text => $text };
    }

    return %when;
}


sub used {
    my %used;

    find({ no_chdir => 1, wanted => sub {
        return unless /\.c$/;

        $used{$_} = 1 for slurp($_) =~ /\bNGX_SMTP_REPLY_([A-Z0-9_]+)\b/g;
    } }, "$root/ngx_mail_smtp_ext");

    return %used;
}


sub document {
    my $text = <<'EOF_HEAD';
# Replies

Every reply of the server's own. This page is made by `t/tools/replies.pl` from
the table that the server takes them from.

* A word in braces stands for what is put in its place.
* The codes with two dots are enhanced status codes (RFC 3463). There are none in
  the greeting, in the replies to EHLO and HELO, and in 334 and 354 (RFC 2034,
  section 4).
* *error*: it counts against
  [smtp_max_errors](reference/server.md#smtp_max_errors). So does every 5xx reply
  to RCPT and to the end of a message, whoever gave it.
* *closed*: the connection is closed after it.

Two kinds of replies are not in these tables. Those of a next hop to MAIL, RCPT,
DATA and to a refused message are handed on, as
[reference/relay.md](reference/relay.md#what-the-client-is-told) says. Those of an
authentication service take the place of 535, see
[backends/auth.md](backends/auth.md#the-user-may-not).
EOF_HEAD

    my $group = '';

    for my $row (@rows) {
        if (!$row->{id}) {
            $group = ucfirst $row->{title};
            next;
        }

        next unless $used{$row->{id}};

        if ($group) {
            $text .= "\n## $group\n\n"
                     . "| code | | text | when | then |\n"
                     . "| --- | --- | --- | --- | --- |\n";
            $group = '';
        }

        $text .= line($row);
    }

    return $text;
}


sub line {
    my ($row) = @_;

    my $when = $when{$row->{id}};
    my $flags = $row->{flags};
    my $text = $row->{text};

    my $takes = $text =~ /%/;
    my $has = $when->{argument} ne '';

    die "replies.pl: $row->{id}: what stands for %?\n" if $takes && !$has;
    die "replies.pl: $row->{id}: its text has no %\n" if $has && !$takes;

    $text =~ s/%/{$when->{argument}}/;
    $text =~ s/\|/\\|/g;

    my @then = (($flags->{FAULT} ? 'error' : ()),
                ($flags->{CLOSE} ? 'closed' : ()));

    return sprintf "| %s | %s | `%s` | %s | %s |\n", $row->{code},
                   ($flags->{BARE} ? '' : $row->{enhanced}), $text,
                   $when->{text}, join(', ', @then);
}


# id | what stands for "%" | when

__DATA__

GREETING | server_name | a client has connected; XCLIENT has said who it is
GREETING_LMTP | server_name | the same with `smtp_lmtp on`
HELO | server_name | HELO
OK | | RSET, NOOP; a message was taken and there is no memory for its id
BYE | | QUIT
HELP | commands | HELP
HELP_SYNTAX | syntax | HELP with the name of a command
CANNOT_VRFY | | VRFY (RFC 5321, 7.3: who exists is not told), or the next hop could not be asked, or does not answer that
CANNOT_EXPN | | the same of EXPN
LIST_TOO_LONG | | VRFY, EXPN: the next hop answers with more than 16 kilobytes
NEEDS_UTF8 | | VRFY, EXPN without the parameter SMTPUTF8: the next hop's answer has UTF-8 in it
STARTTLS | | STARTTLS; the handshake follows
SENDER_OK | | MAIL
PRIORITY_LOWERED | | MAIL with a positive MT-PRIORITY of a client that is neither authenticated nor in `smtp_relay_from`; it is 0 now
RECIPIENT_OK | | RCPT, where the next hop has not been asked (a Maildir, `smtp_pass_mode buffered`)
START_INPUT | | DATA
CHUNK_OK | octets | BDAT without LAST
ACCEPTED | id | the message has been taken by its destination
CHALLENGE | challenge | AUTH wants a response; the challenge is in base64
AUTHENTICATED | | AUTH succeeded

UNKNOWN_COMMAND | | no such command
NOT_IMPLEMENTED | | EXPN, ETRN; VRFY with `smtp_vrfy off`; STARTTLS without a certificate or with `starttls off`; AUTH where it is not configured
LINE_TOO_LONG | | a command is longer than `smtp_max_line_size`
BARE_CR | | a carriage return inside a command
BARE_LF | | a command that ends in a line feed alone, without `smtp_bare_newline normalise`
BAD_ARGUMENT | syntax | the command has a wrong, a missing or a needless argument
BAD_SENDER | | the address of MAIL is none
BAD_RECIPIENT | | the address of RCPT is none
BAD_PARAMETER | name | the parameter of MAIL or RCPT is malformed, or comes twice
BY_TOO_SHORT | | BY with mode R and less time than the least that a next hop accepts
UNKNOWN_PARAMETER | name | the parameter belongs to no extension that is offered, or came after HELO
HELP_UNKNOWN | | HELP with something that is no command here
BAD_ATTRIBUTE | name | an attribute of XCLIENT or XFORWARD that there is not, or its value is none

BAD_CHUNK | | BDAT with a bad size: nobody knows where its chunk ends
BINARY_BY_DATA | | DATA after BODY=BINARYMIME (RFC 3030, 3)
CHUNK_NO_MAIL | | BDAT without MAIL, or behind a chunk that was refused; its octets have been read
CHUNK_NO_RCPT | | BDAT after all recipients have been refused; its octets have been read
CHUNKS_BEGUN | | RCPT or DATA after BDAT (RFC 3030, 2)
NEED_HELO | | MAIL, RCPT, DATA, AUTH before EHLO or HELO
NEED_EHLO | | AUTH after HELO
NEED_LHLO | | with `smtp_lmtp on`: MAIL, RCPT, DATA, AUTH before LHLO
NEED_MAIL | | RCPT, DATA without MAIL
NEED_RCPT | | DATA without RCPT; with `smtp_lmtp on`, DATA after all recipients have been refused
NESTED_MAIL | | MAIL after MAIL
IN_TRANSACTION | | STARTTLS, AUTH, XCLIENT, XFORWARD after MAIL
BAD_PIPELINING | | something was sent behind DATA, STARTTLS, AUTH or a response of AUTH before the reply to it
NO_VALID_RCPT | | DATA after all recipients have been refused

NEED_TLS | | with `starttls only`: anything but EHLO, NOOP, QUIT and STARTTLS before TLS
TLS_ACTIVE | | STARTTLS under TLS

AUTH_NEEDS_TLS | | the mechanism shows a secret, or needs TLS for another reason, and there is no TLS
AUTH_UNKNOWN | | no such mechanism, or not in `smtp_auth_methods`; under TLS, EXTERNAL without a certificate, or -PLUS where nothing can be bound to
AUTH_NO_INITIAL | | an initial response with a mechanism in which the server speaks first: CRAM-MD5
AUTH_BAD_RESPONSE | | not base64, or not what the mechanism wants
AUTH_TOO_LONG | | a response is longer than 12288 octets
AUTH_CANCELLED | | the client sent `*`
AUTH_FAILED | | the service said no
AUTH_UNAVAILABLE | | no answer was to be had from the service
RCPT_REFUSED | | the auth service refused a recipient, `smtp_auth_rcpt`; the text is its own
RCPT_UNCHECKED | | no answer was to be had from the auth service, `smtp_auth_rcpt`
AUTH_USER_LIMIT | | `smtp_auth_limit`: too many logins as this user have failed
AUTH_SHUT_OUT | | `smtp_auth_limit`: too many logins from the client's address have failed
AUTH_DONE | | AUTH after a successful AUTH
NEED_AUTH | | with `smtp_auth_required` or `smtp_submission`: MAIL, VRFY, EXPN, ETRN before AUTH

NOT_TRUSTED | | XCLIENT, XFORWARD of a peer that `smtp_xclient_from`, `smtp_xforward_from` does not name

REFUSAL_NEEDS_UTF8 | | VRFY, EXPN without the parameter SMTPUTF8: the next hop's answer is 551 or 553 and has UTF-8 in it
CANNOT_ETRN | node | ETRN: the next hop could not be asked, or has no ETRN
ETRN_DENIED | node | ETRN from somebody who may not ask, or for a domain that goes nowhere from here

RELAY_DENIED | | no rule says where the recipient goes
SENDER_DENIED | | the sender's address is none that the user may have, `smtp_sender_check`
SENDER_UNQUALIFIED | | the sender's domain has no dot, `smtp_qualified_domains on`
RECIPIENT_UNQUALIFIED | | the recipient's domain, given or rewritten to, has no dot, `smtp_qualified_domains on`
SENDER_NEEDS_UTF8 | | MAIL with an address in UTF-8 without SMTPUTF8
RECIPIENT_NEEDS_UTF8 | | RCPT with an address in UTF-8, given or rewritten to, without SMTPUTF8 in MAIL
TOO_MANY_RCPT | | RCPT after `smtp_max_recipients` accepted, or as many refused ones; after as many as a next hop takes in `smtp_max_destinations` transactions
OTHER_DESTINATION | | the recipient goes elsewhere than those before
TOO_BIG | | the declared or the real size is over `smtp_max_message_size`, or over the limit of the next hop; an HTTP service answered 413
HUGE_CHUNK | | BDAT with a chunk longer than `smtp_max_message_size` by more than a gigabyte
BARE_IN_DATA | | the message has a bare CR or LF, without `smtp_bare_newline normalise`
NUL_IN_DATA | | a message with a NUL octet, `smtp_nul reject`
HEADER_8BIT | | a header with 8-bit octets, without SMTPUTF8, `smtp_header_8bit reject`
TEXT_LINE_TOO_LONG | | a line of a message longer than `smtp_max_text_line`
FIELD_TWICE | field | a message with a field twice that may be there once, `smtp_header_check on`
FIELD_BAD | field | a message with a field of addresses that has something else in it, `smtp_header_check on`
FIELD_UNQUALIFIED | field | a domain in it has no dot, `smtp_header_check on` and `smtp_qualified_domains on`
NO_FROM | | a message without From, `smtp_header_check on`, and no address to put there
FROM_DENIED | | an address in From is none that the user may have, `smtp_from_check reject`
LOOP | | the message has more `Received` fields than `smtp_max_received`
NO_STORAGE | | a file could not be written: disk full, quota, too large
NO_MAILBOX | | the recipient's Maildir has a path with variables, and a value can't be a name of a folder
MAILBOX_FULL | | the recipient's Maildir is over its `smtp_maildir_quota`, or would be with the message
MAILBOX_FULL_5 | | the same with `reply=552`
MAILBOX_SMALL | | the message alone is more than the quota of the Maildir
LOCAL_ERROR | | something went wrong here; the error log has it

NO_SERVER | | no server could be connected to, or none has an address; an HTTP service is [left alone](reference/http.md#smtp_http_breaker)
SERVERS_BUSY | | `max_conns` left no connection to any server, and `queue` no place to wait or not the time; an HTTP service answered 408, 425, 429 or 503
SERVER_BROKEN | | the last server that could be connected to closed the connection, did not answer in time, or broke the protocol
SERVER_INSECURE | | there has to be TLS to the next hop, and there is none with the last server that could be connected to
SERVER_LOGIN | | the next hop refuses the login, or there is none that it could be shown
SERVER_IDENTITY | | the next hop does not take XCLIENT from us
REPLY_LOST | | no reply came to the end of the message: the server may have taken it or not (RFC 1047)
SERVER_LACKS_8BIT | | the message has 8-bit octets, the next hop has no 8BITMIME, and it can't be converted, or `smtp_pass_8bit refuse` says that it is not to be
SERVER_LACKS_UTF8 | | an address needs SMTPUTF8, and the next hop has it not
SERVER_LACKS_UTF8_HEADER | | a header field, of a part perhaps, is in UTF-8, SMTPUTF8 was declared, and the next hop has it not
SERVER_LACKS_BINARY | | BODY=BINARYMIME, and the next hop has not both BINARYMIME and CHUNKING, or the destination is a Maildir
SERVER_LACKS_TLS | | a message with REQUIRETLS, and the next hop has not the extension behind verified TLS
SERVER_LACKS_BY | | a message with BY and mode R, and the next hop has no DELIVERBY, or takes more time
SERVER_LACKS_RELEASE | | a message with HOLDFOR or HOLDUNTIL, and the next hop has no FUTURERELEASE
SERVER_LACKS_RRVS | | a recipient with RRVS without `;C`, and the destination has no RRVS, or the address is rewritten
BY_EXPIRED | | the time of BY with mode R is over
SERVER_CHANGED | | a recipient that was accepted at RCPT is refused now that the message is complete; nobody got it
SERVICE_REFUSED | | the service that the message was POSTed to answered with a status 4xx, and without words of its own
SERVICE_FAILED | | the service that the message was POSTed to answered with a status 5xx or 3xx, or with an invalid `Smtp-Reply`
REPORT_LOST | | `smtp_mixed_result bounce`: some recipients have got the message, and the report on the others was not taken
PRDR | | the message was given to a destination, the client said PRDR, and not all recipients fared alike
PARTLY_REFUSED | address | with `smtp_pass_mode buffered`, the next hop refused some of the recipients for good; nobody got it

HOOK_UNWELCOME | | a hook rejects at `connect` and gives no reply of its own
HOOK_SAY_QUIT | | each command but QUIT, after a hook has rejected at `connect`
HOOK_REJECTED | | a hook rejects at `ehlo`, `mail`, `rcpt` or `data` and gives no reply of its own
HOOK_LATER | | a hook says `tempfail` at `mail`, `rcpt` or `data` and gives no reply of its own
HOOK_TOO_BIG | | the content of a message is longer than `max_body`, `oversize=reject`
HOOK_FAILED | | a hook has failed, `on_error=reject`
HOOK_AWAY | | at `connect` or `ehlo`: a hook says `tempfail`, or has failed with `on_error=tempfail`

BAD_CERTIFICATE | | the client's certificate is not one that `ssl_verify_client` takes; in place of the greeting, or in reply to the first command after STARTTLS
NO_CERTIFICATE | | with `ssl_verify_client on`: the client has sent no certificate; at the same places
TIMEOUT | | nothing came for `smtp_command_timeout` or `smtp_data_timeout`
SESSION_TIMEOUT | | the session has lasted for `smtp_session_timeout`, and no transaction is open
SHUTDOWN | | the worker process stops, and the session is between messages
BUSY | | nginx needs the connection for another client (`worker_connections`), and the session is between messages
TOO_MANY_ERRORS | | behind the reply that made `smtp_max_errors` full; AUTH failed `smtp_auth_max_attempts` times
TOO_MANY_COMMANDS | | more than `smtp_max_commands` in a connection
TOO_MANY_IDLE | | more than `smtp_max_idle_commands` that bring no message nearer
TOO_MANY_MESSAGES | | MAIL after `smtp_max_messages` in a connection
TOO_MANY_REFUSED | | recipients refused in a connection: `smtp_max_refused_recipients`
EARLY_TALKER | | in place of the greeting: something came before it, `smtp_early_talker reject`
INTERNAL | | there is no memory

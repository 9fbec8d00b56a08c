#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Mistakes that an operator can make: each is told by "nginx -t", with a message
# that names the directive and what is to be done about it.  None makes an open
# relay, or a server that serves nobody, without a word.  Those of one directive
# alone are in the tests of its folder.

use warnings;
use strict;

use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->certificate('localhost');
$t->write_file('file', "x\n");

my $dir = $t->testdir();
my $tls = "ssl_certificate $dir/localhost.crt;
           ssl_certificate_key $dir/localhost.key;";
my $auth = 'smtp_auth_http http://127.0.0.1:8080/auth;';
my $pass = 'smtp_pass 127.0.0.1:25;';
my $users = "$tls starttls on; $auth $pass";

my $server = qr/(?:for|in) (?:the )?server in \S+test\.conf:\d+/;
my $open = qr/\[warn\].* makes an open relay, unless/;
my $strangers = qr/\[warn\].* matches domains of strangers: .*"\$" at its end/;
my $nobody = qr/\[warn\].*"smtp_pass"\ is\ for\ clients\ that\ log\ in\ or\ that
                .*"smtp_relay_from".*"smtp_recipient".*$server/x;
my $no_login = qr/\[warn\].*nobody\ can\ log\ in:.*"smtp_auth_require_tls"
                  .*"starttls".*$server/x;
my $wants = qr/wants\ a\ login,\ and\ nobody\ can\ log\ in:
               .*"smtp_auth_http".*"smtp_relay_from".*$server/x;

# what is in server{} (or, where it says so, in mail{}), and what is said

my @refused = (

    # who may send

    [ "smtp_auth_required on; $pass", qr/"smtp_auth_required" $wants/ ],
    [ "smtp_submission on; $pass", qr/"smtp_submission" $wants/ ],
    [ "smtp_submission on; $auth $pass", qr/"smtp_submission" $wants/ ],
    [ 'smtp_relay_from 127.0.0.1;',
      qr/"smtp_relay_from" needs "smtp_pass" $server/ ],
    [ 'smtp_auth_methods plain;',
      qr/"smtp_auth_methods" is set, but no "smtp_auth_http" $server/ ],
    [ 'smtp_auth_rcpt on;',
      qr/"smtp_auth_rcpt" is set, but no "smtp_auth_http" $server/ ],
    [ 'smtp_recipient example.com { smtp_pass 127.0.0.1; }',
      qr/invalid recipient "example\.com": an address, "\@domain",/ ],

    [ "$users smtp_submission on; smtp_auth_methods external;",
      qr/"smtp_submission" $wants/ ],

    # contexts

    [ 'smtp_upstream g { server 127.0.0.1; }',
      qr/"smtp_upstream" directive is not allowed here/ ],
    [ 'proxy_pass 127.0.0.1;', qr/"proxy_pass" directive is not allowed/ ],
    [ 'smtp_log_format x "y";', qr/"smtp_log_format" directive is not al/ ],

    # TLS

    [ "starttls on; $pass",
      qr/no "ssl_certificate" is defined for the "starttls"/ ],
    [ "$pass smtp_pass_tls required; smtp_pass_ssl_verify on;",
      qr/no "smtp_pass_ssl_trusted_certificate" for "smtp_pass_ssl_verify"/ ],
    [ "$pass smtp_pass_auth own;",
      qr/"smtp_pass_auth own" needs "smtp_pass_auth_user" and .*$server/ ],

    # services and next hops

    [ 'smtp_auth_http 127.0.0.1:8080;', qr/it must begin with "http:/ ],
    [ 'smtp_auth_http htp://127.0.0.1:8080/;', qr/it must begin with "http:/ ],
    [ 'smtp_hook http://127.0.0.1/ on_error=accept;', qr/no "stages" param/ ],
    [ 'smtp_hook http://127.0.0.1/ stages=rcpt body=full;',
      qr/"smtp_hook" directive has a body, but is not asked at "data"/ ],
    [ 'smtp_pass mta;',
      qr/host not found in upstream "mta", and there is no such "smtp_up/,
      'smtp_upstream mtas { server 127.0.0.1; }' ],
    [ 'smtp_pass mtas:25;', qr/upstream "mtas" may not have port 25/,
      'smtp_upstream mtas { server 127.0.0.1; }' ],
    [ 'smtp_pass g;', qr/no resolver defined to resolve names at run time/,
      'smtp_upstream g { server a.example resolve; }' ],

    [ "$users smtp_hook https://unix:/run/h.sock:/h stages=rcpt;",
      qr/"https:\/\/unix:" needs "smtp_http_ssl_name".*$server/ ],

    # values

    (map { [ "$_ 0;",
             qr/"$_" directive must not be 0: nothing would come in time/ ] }
     qw/ smtp_command_timeout smtp_data_timeout smtp_send_timeout
         smtp_transaction_timeout smtp_http_timeout smtp_http_connect_timeout
         smtp_http_send_timeout smtp_http_read_timeout smtp_auth_http_timeout
         smtp_auth_http_connect_timeout smtp_pass_connect_timeout
         smtp_pass_greeting_timeout smtp_pass_mail_timeout
         smtp_pass_rcpt_timeout smtp_pass_data_timeout smtp_pass_send_timeout
         smtp_pass_final_timeout smtp_pass_http_timeout
         smtp_pass_http_read_timeout /),
    [ 'smtp_max_recipients 10;', qr/"smtp_max_recipients" must be at least 1/ ],
    [ 'smtp_max_errors 0;', qr/"smtp_max_errors" must be at least 1/ ],
    [ 'smtp_max_destinations 0;',
      qr/"smtp_max_destinations" must be between 1 and 1000/ ],
    [ 'smtp_max_line_size 1m;',
      qr/"smtp_max_line_size" must be between 512 and 8192 octets/ ],
    [ 'smtp_bulk_buffer_size 16m;',
      qr/"smtp_bulk_buffer_size" must be between 65536 and 8388608 octets/ ],
    [ 'smtp_max_text_line 500;', qr/"smtp_max_text_line" must be between 1000/ ],
    [ 'smtp_bare_newline accept;',
      qr/invalid value "accept", "smtp_bare_newline" takes reject \| normali/ ],
    [ 'smtp_pass_mode streaming;',
      qr/"smtp_pass_mode" takes verify \| buffered \| stream/ ],
    [ 'smtp_header_repair date subject;',
      qr/invalid value "subject", "smtp_header_repair" takes off \| date/ ],
    [ 'smtp_header_repair date off;',
      qr/"smtp_header_repair" has "off" and others $server/ ],
    [ "$users smtp_submission on; smtp_etrn ask;",
      qr/"smtp_etrn" is not for "smtp_submission" $server/ ],
    [ 'smtp_max_message_size 10mb;',
      qr/"smtp_max_message_size" directive invalid value/ ],
    [ 'smtp_command_timeout 5min;',
      qr/"smtp_command_timeout" directive invalid value/ ],

    # files

    [ "smtp_temp_path $dir/file;",
      qr/"smtp_temp_path" "\Q$dir\E\/file" is no directory/ ],
    [ "smtp_temp_path $dir/file/temp;", qr/mkdir\(\) "\Q$dir\E\/file\/temp"/ ],
    [ "smtp_access_log $dir/none/log;", qr/open\(\) "\Q$dir\E\/none\/log"/ ],
    [ "smtp_access_log $dir/a.log mian;", qr/unknown log format "mian"/ ],
    [ '', qr/unknown "smtp_form" variable/,
      'smtp_log_format f "$smtp_form";' ],
    [ 'smtp_thread_pool spool;', qr/unknown thread pool "spool"/ ],
);

my @warned = (
    [ $pass, $nobody ],
    [ "$auth $pass", $no_login ],
    [ "$tls $auth $pass", $no_login ],
    [ "$auth smtp_auth_methods scram-sha-256-plus; $pass", $no_login ],
    [ 'smtp_recipient * { smtp_pass 127.0.0.1; }', $open ],
    [ 'smtp_recipient * { smtp_pass smtps://127.0.0.1; }', $open ],
    [ 'smtp_recipient ~@example.com { smtp_pass 127.0.0.1; }', $strangers ],
    [ 'smtp_recipient ~* { smtp_pass 127.0.0.1; }', qr/empty regular/, '', 1 ],
    [ 'smtp_recipient ~*example { smtp_pass 127.0.0.1; }', $strangers ],
    [ 'smtp_recipient "~@example\.com\$" { smtp_pass 127.0.0.1; }',
      $strangers ],
    [ 'resolver 127.0.0.1; smtp_recipient @a.example { smtp_pass mta; }',
      qr/\[warn\].*"mta" is no "smtp_upstream", it is taken for the name of/,
      'smtp_upstream mtas { server 127.0.0.1; }' ],
    (map { my ($conf, $needed) = @$_;
           my ($name) = $conf =~ /^(\w+)/;
           [ "$conf smtp_recipient \@a.example { $pass }",
             qr/\[warn\].*"$name" has no effect without "\Q$needed\E".*$server/,
           ] }
     [ 'smtp_auth_cache zone=a:1m;', 'smtp_auth_http' ],
     [ 'smtp_auth_limit zone=a:1m;', 'smtp_auth_http' ],
     [ 'smtp_auth_http_header A b;', 'smtp_auth_http' ],
     [ 'smtp_hook_header A b;', 'smtp_hook' ],
     [ 'smtp_maildir_quota size=1g;', 'smtp_pass maildir:' ],
     [ 'smtp_pass_http_header A b;', 'smtp_pass http://' ]),
    [ 'server_name 192.0.2.1; smtp_recipient @a.example { smtp_pass g; }',
      qr/\[warn\].*"server_name" "192.0.2.1" is no name.*"\[192.0.2.1\]" $server/,
      'smtp_upstream g { server 127.0.0.1; }' ],
    [ "$users smtp_auth_methods plain external;",
      qr/\[warn\].*"smtp_auth_methods external" has no effect without "ssl_v/ ],
    [ 'smtp_recipient @a.example { smtp_pass g; }',
      qr/\[warn\].*"queue" has no effect without "max_conns" .*test.conf:\d+/,
      'smtp_upstream g { queue 10; server 127.0.0.1; }' ],
    [ "smtp_recipient \@a.example { smtp_pass maildir:$dir/none/a; }",
      qr/\[warn\].*folder "\Q$dir\E\/none" of maildir "\S+\/a" is not there/ ],
    [ "smtp_recipient \@a.example {
           smtp_pass maildir:$dir/none/\$smtp_rcpt_user/a; }",
      qr/\[warn\].*folder "\Q$dir\E\/none" of maildir/ ],
    [ "$users smtp_pass_auth client;",
      qr/\[warn\].*"smtp_pass_auth"\ says\ no\ password\ over\ TCP:
         .*"smtp_pass_ssl_trusted_certificate".*$server/x ],
);

my @good = (
    [ 'smtp_recipient @example.com { smtp_pass 127.0.0.1; }' ],
    [ 'smtp_recipient "~@example\.com$" { smtp_pass 127.0.0.1; }' ],
    [ 'smtp_recipient "~@(a|b)\.example\z" { smtp_pass 127.0.0.1; }' ],
    [ 'smtp_recipient ~spam { smtp_pass discard:; }
       smtp_recipient * { smtp_pass lmtp://127.0.0.1; }' ],
    [ 'smtp_lmtp on; smtp_recipient * { smtp_pass 127.0.0.1; }' ],
    [ 'smtp_recipient @a.example { smtp_pass g; }',
      'smtp_auth_cache zone=a:1m; smtp_hook_header A b;
       smtp_maildir_quota size=1g; smtp_pass_http_header A b;
       smtp_upstream g { queue 10; server 127.0.0.1 max_conns=2; }' ],
    [ "$users smtp_http_ssl_name a.example;
       smtp_hook https://unix:/run/h.sock:/h stages=rcpt;" ],
    [ "$users smtp_auth_methods external; ssl_verify_client optional_no_ca;" ],
    [ "$users server_name [192.0.2.1];" ],
    [ "$users smtp_submission on;" ],
    [ "smtp_recipient \@a.example { smtp_pass maildir:$dir/a; }
       smtp_recipient \@b.example {
           smtp_pass maildir:$dir/\$smtp_rcpt_user/b/a; }" ],
    [ "$auth smtp_auth_require_tls off; $pass" ],
    [ "$auth smtp_auth_methods cram-md5; $pass" ],
    [ "smtp_submission on; smtp_relay_from 127.0.0.1; $pass" ],
    [ "smtp_xclient_from 127.0.0.1; smtp_auth_required on; $pass" ],
    [ "$auth smtp_auth_rcpt on; smtp_auth_methods none; $pass" ],
    [ 'smtp_recipient @a.example { smtp_pass 127.0.0.1; }', $pass ],
    [ 'resolver 127.0.0.1; smtp_recipient @a.example { smtp_pass mta; }' ],
    [ "$users smtp_pass_auth client; smtp_pass_auth_security tls;" ],
    [ "$tls starttls on; $auth smtp_pass unix:/mta; smtp_pass_auth client;" ],
    [ 'smtp_session_timeout 0; smtp_next_upstream_timeout 0;
       smtp_banner_delay 0; smtp_error_delay 0;' ],
);

plan(tests => @refused + @warned + @good + 4);

for my $case (@refused) {
    my ($conf, $said, $mail) = @$case;
    my ($rc, $out) = check($conf, $mail);

    ok $rc != 0 && $out =~ /\[emerg\].*$said/s, name('refused', $case)
        or diag $out;
}

for my $case (@warned) {
    my ($conf, $said, $mail, $refused) = @$case;
    my ($rc, $out) = check($conf, $mail);

    ok !$rc == !$refused && $out =~ $said, name('told', $case)
        or diag $out;
}

for my $case (@good) {
    my ($rc, $out) = check(@$case);

    ok $rc == 0 && $out !~ /\[(?:warn|emerg)\]/, name('nothing to say', $case)
        or diag $out;
}

# other servers than ours

for my $route ($pass, 'smtp_recipient @a.example { smtp_pass 127.0.0.1; }',
               'smtp_relay_from 127.0.0.1;')
{
    my ($rc, $out) = $t->test_conf(<<"EOC");
%%GLOBALS%%

events { }

mail {
    auth_http  127.0.0.1:8080;

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp;
        $route
    }
}
EOC

    like $out, qr/\[emerg\].*"smtp_\w+"\ needs\ "protocol\ smtp_ext",
                  .*$server/x, "nginx's own proxy has no part in: $route";
}

my ($rc, $out) = $t->test_conf(<<"EOC");
%%GLOBALS%%

events { }

mail {
    $tls

    server {
        listen    127.0.0.1:465;
        protocol  smtp_ext;
        smtp_recipient  \@a.example { $pass }
    }
}
EOC

like $out, qr/\[warn\].*port 465 is for TLS, and "listen" has no "ssl" $server/,
     'port 465 without TLS';


sub check {
    my ($conf, $mail) = @_;

    $mail //= '';

    return $t->test_conf(<<"EOC");
%%GLOBALS%%

events { }

mail {
    $mail

    server {
        listen    127.0.0.1:%%PORT_smtp%%;
        protocol  smtp_ext;
        $conf
    }
}
EOC
}


sub name {
    my ($what, $case) = @_;

    my $conf = ($case->[0] || $case->[2]) =~ s/\s+/ /gr =~ s/\Q$dir\E/DIR/gr;

    return "$what: $conf";
}

#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# Hooks: what may be answered at which stage.  What is not possible there is no
# answer at all, and on_error decides: at each stage, with and without the
# breaker.

use warnings;
use strict;

use JSON::PP qw/ encode_json /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

my @stages = qw/ connect ehlo auth mail rcpt data /;
my @errors = qw/ accept reject tempfail /;

# a service that is not asked any more is one of a URL

my $servers = join '', map { my $error = $_; <<"EOS", map { <<"EOB" } @stages } @errors;
    server {
        listen             127.0.0.1:%%PORT_$error%%;
        protocol           smtp_ext;
        smtp_http_breaker  off;
        smtp_hook          http://127.0.0.1:%%PORT_http%%/hook
                           on_error=$error
                           stages=connect,ehlo,auth,mail,rcpt,data;
    }

EOS
    server {
        listen             127.0.0.1:%%PORT_${error}_$_%%;
        protocol           smtp_ext;
        smtp_http_breaker  fails=2 time=1h retry=1h;
        smtp_hook          http://127.0.0.1:%%PORT_http%%/$error/$_
                           on_error=$error stages=$_;
    }

EOB

$t->write_conf(<<"EOC");
%%GLOBALS%%

events { }

mail {
    server_name            mx.example.com;
    smtp_auth_http         http://127.0.0.1:%%PORT_auth%%/auth;
    smtp_auth_require_tls  off;
    smtp_relay_from        127.0.0.1;
    smtp_max_errors        1000;
    smtp_hook_route        discard:;
    smtp_pass              smtp://127.0.0.1:%%PORT_mta%%;

$servers
    server {
        listen     127.0.0.1:%%PORT_smtp%%;
        protocol   smtp_ext;
        smtp_hook  http://127.0.0.1:%%PORT_http%%/hook
                   stages=connect,ehlo,auth,mail,rcpt,data;
        smtp_http_breaker  off;
    }

    # whose clients may send to ours.example alone

    server {
        listen             127.0.0.1:%%PORT_closed%%;
        protocol           smtp_ext;
        smtp_http_breaker  off;
        smtp_relay_from    192.0.2.1;
        smtp_recipient     \@ours.example { smtp_pass smtp://127.0.0.1:%%PORT_mta%%; }
        smtp_hook_route    smtp://127.0.0.1:%%PORT_mta%%;
        smtp_hook          http://127.0.0.1:%%PORT_http%%/hook
                           on_error=accept stages=mail,rcpt,data;
    }
}
EOC

my $http = $t->http('http', hooks => {});

$t->http('auth', on => { '/auth' => {
    headers => [ 'Auth-Status' => 'OK' ] } });

my $mta = $t->server('mta', ehlo => [ 'PIPELINING', 'SIZE', '8BITMIME' ]);

sub with { return { action => 'accept', modifications => [ @_ ] } }

# what is answered at connect, ehlo, auth, mail, rcpt and data: what comes of it
# there; "+" goes on, "-" is refused, "~" is refused for now, "x" is refused and
# closed, "!" is no answer

my @rows = (
    [ 'accept', '++++++', { action => 'accept' } ],
    [ 'accept, and a status', '++++++',
      { action => 'accept', response => { status => 250 } } ],
    [ 'accept, and disconnect', '++++++',
      { action => 'accept', response => { disconnect => \1 } } ],
    [ 'reject', '------', { action => 'reject' } ],
    [ 'reject for now', '~~~~~~',
      { action => 'reject', response => { status => 450 } } ],
    [ 'reject, and disconnect', 'xxxxxx',
      { action => 'reject', response => { disconnect => \1 } } ],
    [ 'reject, and do not', '------',
      { action => 'reject', response => { disconnect => \0 } } ],
    [ 'tempfail', 'xx~~~~', { action => 'tempfail' } ],
    [ 'tempfail with 421', 'xxxxxx',
      { action => 'tempfail', response => { status => 421 } } ],
    [ 'discard', '!!!+++', { action => 'discard' } ],
    [ 'quarantine', '!!!!!+', { action => 'quarantine' } ],
    [ 'changeFrom', '!!!+++', with({ type => 'changeFrom',
                                       value => 'x@b.example' }) ],
    [ 'addRecipient', '!!!+++', with({ type => 'addRecipient',
                                         value => 'x@b.example' }) ],
    [ 'deleteRecipient', '!!!!++', with({ type => 'deleteRecipient',
                                            value => 'b@example.com' }) ],
    [ 'addHeader', '!!!!!+', with({ type => 'addHeader', name => 'X',
                                      value => 'y' }) ],
    [ 'insertHeader', '!!!!!+', with({ type => 'insertHeader', index => 0,
                                         name => 'X', value => 'y' }) ],
    [ 'changeHeader', '!!!!!+', with({ type => 'changeHeader', index => 1,
                                         name => 'X', value => 'y' }) ],
    [ 'deleteHeader', '!!!!!+', with({ type => 'deleteHeader', index => 1,
                                         name => 'X' }) ],
    [ 'replaceContents', '!!!!!+', with({ type => 'replaceContents',
                                            value => 'y' }) ],
    [ 'no modification', '++++++', with() ],
    [ 'a route', '!!!!++', { action => 'accept',
                             route => [ { pass => 'discard:' } ] } ],
    [ 'no route', '++++++', { action => 'accept', route => [] } ],
    [ 'what is not known', '++++++', { action => 'accept', score => 5, x => {
                                       action => 'reject' } } ],
    [ 'modifications of who refuses', '------',
      { action => 'reject', modifications => [ { type => 'changeFrom',
                                                 value => 'x@b.example' } ] } ],
);

# what makes nobody a recipient that the configuration does not take, be it
# followed or not: on_error=accept

my @foreign = (
    [ 'no answer', { status => 500 } ],
    map { [ $_->[0], encode_json($_->[1]) ] }
    [ 'accept', { action => 'accept' } ],
    [ 'a status', { action => 'accept', response => { status => 250 } } ],
    [ 'discard', { action => 'discard' } ],
    [ 'quarantine', { action => 'quarantine' } ],
    [ 'deleteRecipient', with({ type => 'deleteRecipient',
                                value => 'x@else.example' }) ],
    [ 'addRecipient', with({ type => 'addRecipient',
                             value => 'x@else.example' }) ],
    [ 'another one', with({ type => 'addRecipient',
                            value => 'a@ours.example' }) ],
    [ 'deleted and added', with({ type => 'deleteRecipient',
                                  value => 'x@else.example' },
                                { type => 'addRecipient',
                                  value => 'x@else.example' }) ],
    [ 'a route for somebody else', { action => 'accept', route => [
        { to => 'a@ours.example',
          pass => 'smtp://127.0.0.1:' . $t->port('mta') } ] } ],
    [ 'a route that is not allowed', { action => 'accept', route => [
        { pass => 'discard:' } ] } ],
);

$t->plan(@stages * @rows + 4 * @errors * @stages + @foreign + 8);
$t->run();


# the client, and its reply at the stage

sub at {
    my ($port, $stage) = @_;

    my $c = $t->client($port);
    my $reply = $c->read_reply();

    for (
        [ ehlo => sub { $c->cmd('EHLO x') } ],
        [ auth => sub { $c->auth_plain('user', 'pass') } ],
        [ mail => sub { $c->mail('a@example.org') } ],
        [ rcpt => sub { $c->rcpt('b@example.com') } ],
        [ data => sub { $c->data("Subject: x\r\n\r\ntext\r\n") } ],
    ) {
        my ($next, $say) = @$_;

        last if $stage eq 'connect';

        # who is not let in there has not come to where it is about

        return ($c, "(before: $reply)") if $reply !~ /^2/;

        $reply = $say->();
        last if $next eq $stage;
    }

    return ($c, $reply);
}

# is it closed, or does the next command have a reply?

sub closed { $_[0]->cmd('NOOP') !~ /^\d/ }

sub nones { scalar(() = $t->notices() =~ /sent an answer that is none/g) }

for my $i (0 .. $#stages) {
    my $stage = $stages[$i];

    for my $row (@rows) {
        my ($name, $want, $answer) = @$row;
        my $before = nones();

        $http->set(hooks => { $stage => encode_json($answer) });

        my ($c, $reply) = at('smtp', $stage);

        my $got = nones() > $before ? '!'
                  : $reply =~ /^2/ ? '+'
                  : $reply !~ /^[45]/ ? $reply
                  : closed($c) ? 'x'
                  : $reply =~ /^4/ ? '~' : '-';

        is $got, substr($want, $i, 1), "$stage: $name";
    }
}

# no answer

my %replies = (
    reject => { connect => '554 Can\'t be checked, rejected',
                ehlo => '554 Can\'t be checked, rejected',
                auth => '535 5.7.8 Authentication credentials invalid',
                map { $_ => '554 5.3.0 Can\'t be checked, rejected' }
                    qw/ mail rcpt data / },
    tempfail => { connect => '421 Service not available, closing connection',
                  ehlo => '421 Service not available, closing connection',
                  auth => '454 4.7.0 Temporary authentication failure',
                  map { $_ => '451 4.3.0 Local error in processing' }
                      qw/ mail rcpt data / },
);

sub is_error {
    my ($reply, $error, $stage, $name) = @_;

    return like $reply, qr/^2/, $name if $error eq 'accept';

    is $reply, $replies{$error}{$stage}, $name;
}

for my $error (@errors) {
    for my $stage (@stages) {
        $http->set(hooks => { $stage => { status => 500 } });
        is_error((at($error, $stage))[1], $error, $stage,
                 "$error at $stage: status 500");

        # the third one is not asked; nobody waits for it

        $http->set(hooks => {},
                   on => { "/$error/$stage" => { status => 500 } });
        at("${error}_$stage", $stage) for 1 .. 2;

        my $n = () = $http->requests("/$error/$stage");

        is $n, 2, "$error at $stage: asked twice";
        $http->set(on => { "/$error/$stage" => '{"action":"accept"}' });
        is_error((at("${error}_$stage", $stage))[1], $error, $stage,
                 "$error at $stage: on_error, at once");
        is scalar(() = $http->requests("/$error/$stage")), 2,
           "$error at $stage: it was not asked";
    }
}

# no answer opens a relay

sub closed_to {
    my ($rcpt, %hooks) = @_;

    $http->set(hooks => \%hooks, on => {});

    my $c = $t->client('closed');

    $c->read_reply();
    $c->ehlo();
    $c->mail('s@b.example');

    return ($c, $c->rcpt($rcpt));
}

my $denied = qr/^550 5\.7\.1 /;

for my $try (@foreign) {
    my ($name, $answer) = @$try;

    like +(closed_to('x@else.example', rcpt => $answer))[1], $denied,
         "not taken for it: $name";
}

like +(closed_to('x@else.example', mail => { status => 500 }))[1], $denied,
     'nor for a hook that fails at MAIL';

my $add = encode_json(with({ type => 'addRecipient',
                             value => 'x@else.example' }));

for my $stage (qw/ mail rcpt data /) {
    my $before = $mta->messages();
    my ($c) = closed_to('a@ours.example', $stage => $add);

    like $c->data("Subject: x\r\n\r\nx\r\n"), qr/^250 /,
         "added at $stage: the message is taken";
    is_deeply [ map { @{$_->{to}} } splice(@{[ $mta->messages() ]}, $before) ],
              [ 'a@ours.example' ], 'for whom it was, and nobody else';
}

my ($c, $reply) = closed_to('x@else.example', rcpt => encode_json({
    action => 'accept', route => [ { pass => 'smtp://127.0.0.1:'
                                             . $t->port('mta') } ] }));

like $reply, qr/^250 /, 'but for a route that smtp_hook_route names';

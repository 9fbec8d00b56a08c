#!/usr/bin/perl

# Copyright (C) ngx_mail_smtp_ext authors

# What hooks change in an envelope: the sender, recipients, routes; and who is
# told of what comes of recipients that the client does not know.

use warnings;
use strict;

use JSON::PP qw/ decode_json encode_json /;
use Test::More;

use Test::Nginx::SmtpExt;

my $t = Test::Nginx::SmtpExt->new();

$t->write_conf(<<'EOC')->run();
%%GLOBALS%%

events { }

mail {
    server_name        mx.example.com;
    smtp_max_errors    100000;
    smtp_max_messages  0;
    smtp_http_breaker  off;
    smtp_max_recipients  100;
    smtp_max_refused_recipients  0;

    smtp_hook  http://127.0.0.1:%%PORT_http%%/hook stages=mail,rcpt,data;
    smtp_hook_route  127.0.0.1:%%PORT_b%% discard: 127.0.0.1:%%PORT_c%%;
    smtp_hook_route  'reject:550 5.1.1 nobody' lmtp://127.0.0.1:%%PORT_lmtp%%;
    smtp_max_destinations  2;

    smtp_recipient  @a.example  { smtp_pass 127.0.0.1:%%PORT_a%%; }
    smtp_recipient  @b.example  { smtp_pass 127.0.0.1:%%PORT_b%%; }
    smtp_recipient  @no.example { smtp_pass 'reject:550 5.1.1 nobody'; }
    smtp_recipient  old@a.example {
        smtp_rewrite  new@a.example;
        smtp_pass     127.0.0.1:%%PORT_a%%;
    }

    server {
        listen     127.0.0.1:%%PORT_verify%%;
        protocol   smtp_ext;
    }

    server {
        listen          127.0.0.1:%%PORT_buffered%%;
        protocol        smtp_ext;
        smtp_pass_mode  buffered;
    }

    server {
        listen          127.0.0.1:%%PORT_stream%%;
        protocol        smtp_ext;
        smtp_pass_mode  stream;
        smtp_hook       http://127.0.0.1:%%PORT_http%%/hook stages=mail,rcpt;
    }

    server {
        listen             127.0.0.1:%%PORT_bounce%%;
        protocol           smtp_ext;
        smtp_pass_mode     buffered;
        smtp_mixed_result  bounce 127.0.0.1:%%PORT_report%%;
    }

    server {
        listen          127.0.0.1:%%PORT_lhlo%%;
        protocol        smtp_ext;
        smtp_lmtp       on;
        smtp_pass_mode  buffered;
    }

    server {
        listen     127.0.0.1:%%PORT_early%%;
        protocol   smtp_ext;
        smtp_hook  http://127.0.0.1:%%PORT_http%%/hook stages=ehlo;
    }

    server {
        listen     127.0.0.1:%%PORT_two%%;
        protocol   smtp_ext;
        smtp_hook  http://127.0.0.1:%%PORT_http%%/one stages=data;
        smtp_hook  http://127.0.0.1:%%PORT_http%%/two stages=data;
    }
}
EOC

my $http = $t->http('http', hooks => {});
my @ext = (ehlo => [ qw/ PIPELINING 8BITMIME SIZE DSN SMTPUTF8 / ]);
my %mta = map { $_ => $t->server($_, @ext) } qw/ a b report /;

$mta{c} = $t->server('c', ehlo => [ 'PIPELINING', '8BITMIME' ]);
$mta{lmtp} = $t->server('lmtp', lmtp => 1);

my $accepted = '250 2.0.0 OK id';
my $failed = '451 4.3.0 Local error in processing';
my $b = '127.0.0.1:' . $t->port('b');
my $c3 = '127.0.0.1:' . $t->port('c');
my $lmtp = 'lmtp://127.0.0.1:' . $t->port('lmtp');

sub from { { type => 'changeFrom', value => shift, @_ } }
sub add { { type => 'addRecipient', value => shift, @_ } }
sub del { { type => 'deleteRecipient', value => $_[0] } }
sub to { { to => $_[0], pass => $_[1] } }
sub all { { pass => $_[0] } }

sub answers {
    my (%by) = @_;

    for (keys %by) {
        next unless ref $by{$_} eq 'ARRAY';

        my @routes = grep { exists $_->{pass} } @{$by{$_}};
        my @changes = grep { !exists $_->{pass} } @{$by{$_}};

        $by{$_} = { action => 'accept', modifications => \@changes,
                    @routes ? (route => \@routes) : () };
    }

    $http->set(hooks => { map { $_ => encode_json($by{$_}) } keys %by });
}

sub connected {
    my ($name) = @_;

    my $c = $t->client($name);

    $c->read_reply();
    $name eq 'lhlo' ? $c->cmd('LHLO x') : $c->ehlo();

    return $c;
}

my %seen;

# what came where since the last call, "a: from to,to"

sub delivered {
    my @got;

    for my $name (sort keys %mta) {
        my @messages = $mta{$name}->messages();

        for my $m (splice @messages, $seen{$name} // 0) {
            push @got, "$name: " . join ' ', $m->{from}, join(',', @{$m->{to}});
            $seen{$name}++;
        }
    }

    return join '; ', @got;
}

sub reason {
    my @lines = $t->notices()
                =~ /an answer that is none: (.*?), HTTP status/g;

    return $lines[-1] // 'none';
}

my %client;

sub client {
    my ($name) = @_;

    return $client{$name} ||= connected($name);
}

# a row: where, how the hook answers, to whom the client sends, its reply (of
# LMTP, replies), who has got it

sub row {
    my ($row) = @_;
    my ($name, $where, $answers, $to, $want, $got) = @$row;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    answers(%$answers);

    my $c = client($where);
    my $reply = $c->send_message(from => 's@x.example', to => $to);

    if ($where eq 'lhlo' && $reply =~ /^[245]/ && $c->{last}) {
        $reply .= ' / ' . $c->read_reply()
            for 2 .. (ref $to ? scalar @$to : 1);
    }

    $reply =~ s/id=\w+/id/g;
    $c->cmd('RSET');

    is join(' => ', $reply, delivered()), join(' => ', $want, $got), $name;
}

my @rows = (

    # the sender

    map({ my $where = $_;

    [ "$where, sender at MAIL", $where, { mail => [ from('n@y.example') ] },
      'u@a.example', $accepted, 'a: n@y.example u@a.example' ],
    [ "$where, sender at RCPT", $where, { rcpt => [ from('n@y.example') ] },
      [ 'u@a.example', 'v@a.example' ], $accepted,
      'a: n@y.example u@a.example,v@a.example' ],
    [ "$where, no sender", $where, { rcpt => [ from('') ] },
      'u@a.example', $accepted, 'a:  u@a.example' ],

    # recipients

    [ "$where, one more at MAIL", $where, { mail => [ add('w@a.example') ] },
      'u@a.example', $accepted, 'a: s@x.example u@a.example,w@a.example' ],
    [ "$where, one more at RCPT", $where, { rcpt => [ add('w@a.example') ] },
      [ 'u@a.example', 'v@a.example' ], $accepted,
      'a: s@x.example u@a.example,v@a.example,w@a.example' ],
    [ "$where, one more elsewhere", $where, { rcpt => [ add('w@b.example') ] },
      [ 'u@a.example', 'v@a.example' ], $accepted,
      'a: s@x.example u@a.example,v@a.example; b: s@x.example w@b.example' ],
    [ "$where, one more at a route", $where,
      { rcpt => [ add('w@else.example'), to('w@else.example', $b) ] },
      'u@a.example', $accepted,
      'a: s@x.example u@a.example; b: s@x.example w@else.example' ],
    [ "$where, one less at RCPT", $where, { rcpt => [ del('u@a.example') ] },
      'u@a.example', $accepted, '' ],
    [ "$where, another at RCPT", $where,
      { rcpt => [ del('u@a.example'), add('w@a.example') ] },
      'u@a.example', $accepted, 'a: s@x.example w@a.example' ],

    } qw/ verify buffered stream /),

    map({ my $where = $_;

    [ "$where, sender at DATA", $where, { data => [ from('n@y.example') ] },
      [ 'u@a.example', 'v@a.example' ], $accepted,
      'a: n@y.example u@a.example,v@a.example' ],
    [ "$where, one more at DATA", $where, { data => [ add('w@a.example') ] },
      'u@a.example', $accepted, 'a: s@x.example u@a.example,w@a.example' ],
    [ "$where, one that is there already", $where,
      { data => [ add('u@A.example') ] },
      'u@a.example', $accepted, 'a: s@x.example u@a.example' ],
    [ "$where, rewritten as others are", $where,
      { data => [ add('old@a.example') ] },
      'u@a.example', $accepted, 'a: s@x.example u@a.example,new@a.example' ],
    [ "$where, one less at DATA", $where, { data => [ del('v@A.example') ] },
      [ 'u@a.example', 'v@a.example' ], $accepted,
      'a: s@x.example u@a.example' ],
    [ "$where, as many, but another", $where,
      { data => [ del('v@a.example'), add('w@a.example') ] },
      [ 'u@a.example', 'v@a.example' ], $accepted,
      'a: s@x.example u@a.example,w@a.example' ],
    [ "$where, added and deleted", $where,
      { data => [ add('w@a.example'), del('w@a.example') ] },
      'u@a.example', $accepted, 'a: s@x.example u@a.example' ],
    [ "$where, nobody is left", $where, { data => [ del('u@a.example') ] },
      'u@a.example', $accepted, '' ],
    [ "$where, moved elsewhere", $where, { data => [ all($b) ] },
      [ 'u@a.example', 'v@a.example' ], $accepted,
      'b: s@x.example u@a.example,v@a.example' ],
    [ "$where, one of them is moved", $where,
      { data => [ to('v@a.example', $b) ] },
      [ 'u@a.example', 'v@a.example' ], $accepted,
      'a: s@x.example u@a.example; b: s@x.example v@a.example' ],
    [ "$where, to an LMTP server", $where,
      { data => [ all($lmtp) ] },
      [ 'u@a.example', 'v@a.example' ], $accepted,
      'lmtp: s@x.example u@a.example,v@a.example' ],
    [ "$where, all of it at once", $where,
      { mail => [ from('m@y.example'), add('p@b.example') ],
        rcpt => [ add('q@b.example') ],
        data => [ from('n@y.example'), del('u@a.example'),
                  to('p@b.example', 'discard:'), del('q@b.example'),
                  add('r@a.example') ] },
      [ 'u@a.example', 'v@a.example' ], $accepted,
      'a: n@y.example v@a.example,r@a.example' ],

    } qw/ verify buffered /),

    # LMTP: a reply for each of its own, none for others

    [ 'LMTP, one more', 'lhlo', { data => [ add('w@b.example') ] },
      [ 'u@a.example', 'v@b.example' ], "$accepted / $accepted",
      'a: s@x.example u@a.example; b: s@x.example v@b.example,w@b.example' ],
    [ 'LMTP, one less', 'lhlo', { data => [ del('u@a.example') ] },
      [ 'u@a.example', 'v@b.example' ], "$accepted / $accepted",
      'b: s@x.example v@b.example' ],
);

# answers that can't be followed: nothing of them has an effect

my @wrong = (
    [ 'a sender is no address', from('a b@x.example') ],
    [ 'a sender is no address', from('<a@x.example>') ],
    [ 'a sender is no address', from('nobody') ],
    [ 'a sender is no address', from("a\@x.example\r\nRCPT TO:<b\@x>") ],
    [ 'a sender is no address', from('a@x.example> SIZE=1') ],
    [ 'a sender is no address', from('a@' . 'x' x 300 . '.example') ],
    [ 'a parameter is not possible',
      from('a@x.example', parameters => { foo => 'bar' }) ],
    [ 'a parameter is not possible',
      from('a@x.example', parameters => { ret => 'BOTH' }) ],
    [ 'a parameter is not possible',
      from('a@x.example', parameters => { ret => "FULL ENVID=1" }) ],
    [ 'a parameter is not possible',
      from('a@x.example', parameters => { envid => "a\r\nRSET" }) ],
    [ 'a parameter is not possible',
      from('a@x.example', parameters => { "ret=FULL envid" => "1" }) ],
    [ 'a parameter is not possible',
      from('a@x.example', parameters => { '' => "1" }) ],
    [ 'a text is no string',
      from('a@x.example', parameters => { ret => 1 }) ],
    [ '"parameters" is no object', from('a@x.example', parameters => []) ],
    [ 'a recipient is no address', add('') ],
    [ 'a recipient is no address', add('postmaster') ],
    [ 'a recipient is no address', add('a@x.example>') ],
    [ 'a recipient is no address', add("a\@x.example\n") ],
    [ 'a parameter is not possible',
      add('w@a.example', parameters => { size => '1' }) ],
    [ 'a parameter is not possible',
      add('w@a.example', parameters => { notify => 'ALWAYS' }) ],
    [ 'a recipient that is not to be had there', add('w@else.example') ],
    [ 'a recipient that is not to be had there', add('w@no.example') ],
    [ 'nobody of that name can be deleted', del('x@a.example') ],
    [ 'nobody of that name can be deleted', del('U@a.example') ],
    [ 'nobody of that name can be deleted', del('') ],
    [ 'too many recipients', map { add("r$_\@a.example") } 1 .. 100 ],
    [ 'too many destinations', add('w@b.example'), add('w@c.example'),
      to('w@c.example', $c3) ],
    [ 'a route that "smtp_hook_route" does not name',
      add('w@else.example'), to('w@else.example', '127.0.0.1:1') ],
    [ 'a route that "smtp_hook_route" does not name', all('127.0.0.1:1') ],
    [ 'a route that refuses', all('reject:550 5.1.1 nobody') ],
    [ 'a route that refuses', to('u@a.example', 'reject:550 5.1.1 nobody') ],
    [ 'a route for somebody else', to('x@a.example', $b) ],
    [ 'two routes for a recipient', all($b), to('u@a.example', $b) ],
    [ 'a modification is no object', 'addRecipient' ],
    [ 'a modification of no known "type"', { value => 'w@a.example' } ],
    [ 'a modification of no known "type"', { type => 'addrecipient' } ],
    [ 'a modification has no "value"', { type => 'addRecipient' } ],
    [ 'a text is no string', { type => 'addRecipient', value => 1 } ],
);

$t->plan(@rows + 2 * @wrong + 45);

row($_) for @rows;

for my $try (@wrong) {
    my ($reason, @changes) = @$try;

    my @routes = grep { ref $_ && exists $_->{pass} } @changes;
    @changes = grep { !ref $_ || !exists $_->{pass} } @changes;

    # with a change in front of it that could be done

    answers(data => { action => 'accept', route => \@routes,
                      modifications => [ from('n@y.example'), @changes ] });

    my $c = client('verify');
    my $reply = $c->send_message(from => 's@x.example', to => 'u@a.example');

    is "$reply => " . reason(), "$failed => $reason",
       "invalid: $reason";

    answers();

    is $c->send_message(from => 's@x.example', to => 'u@a.example')
           =~ s/id=\w+/id/r . ' => ' . delivered(),
       "$accepted => a: s\@x.example u\@a.example", 'nothing was done';
}

answers(data => { action => 'accept', modifications => {} });
is client('verify')->send_message(to => 'u@a.example'), $failed,
   'modifications that are no array';
is reason(), '"modifications" is no array', 'why';

answers(ehlo => [ from('') ]);
my $early = $t->client('early');
$early->read_reply();
is $early->cmd('EHLO x'),
   '421 Service not available, closing connection', 'before MAIL';
is reason(), 'there is nothing to be changed', 'why';

# parameters

my $c = client('buffered');

answers(data => [
    from('n@y.example', parameters => { ret => 'HDRS', envid => 'new',
                                        size => '1', body => '7BIT',
                                        x => undef }),
    add('w@a.example', parameters => { notify => 'NEVER', orcpt => undef }),
]);

like $c->send_message(to => 'u@a.example',
                      mail_params => [ 'RET=FULL', 'BODY=8BITMIME' ]),
     qr/^250 /, 'parameters are changed';

my $m = ($mta{a}->messages())[-1];

is_deeply [ sort split / /, $m->{from_params} ],
          [ 'BODY=8BITMIME', 'ENVID=new', 'RET=HDRS',
            'SIZE=' . length($m->{data}) ],
          'those of the content are counted';
is_deeply $m->{to_params}, [ '', 'NOTIFY=NEVER' ], 'and of a recipient';

delivered();

# SMTPUTF8 is needed as soon as an address needs it

answers(data => [ add("\x{fc}\@a.example") ]);
like $c->send_message(to => 'u@a.example'), qr/^250 /, 'an address in UTF-8';

$m = ($mta{a}->messages())[-1];
like $m->{from_params}, qr/SMTPUTF8/, 'the next hop is told';
is $m->{to}[1], "\xc3\xbc\@a.example", 'the address';

answers(data => [ from("\x{fc}\@y.example"), all($c3) ]);
like $c->send_message(to => 'u@a.example'), qr/^550 5\.6\.7 /,
     'a next hop that has no SMTPUTF8 does not get it';

# each kind of refusal of a recipient that the client does not know

delivered();

sub refused {
    my ($name, $where, $on, $change, $want, $got) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;

    $mta{$_}->set(on => $on->{$_} || {}) for keys %mta;

    row([ $name, $where, { data => $change },
          [ 'u@a.example', 'v@a.example' ], $want, $got ]);

    $mta{$_}->set(on => {}) for keys %mta;
}

for my $where (qw/ verify buffered /) {
    refused("$where: refused for good by the same server", $where,
            { a => { RCPT => [ $where eq 'verify'
                               ? ('250 ok') x 4 : ('250 ok') x 2,
                               '550 5.1.1 who' ] } },
            [ add('w@a.example') ], '550 5.1.1 who', '');
    refused("$where: refused for now by another", $where,
            { b => { RCPT => '450 4.2.0 later' } },
            [ add('w@b.example') ], '450 4.2.0 later', '');
    refused("$where: refused for good by another", $where,
            { b => { RCPT => '550 5.1.1 who' } },
            [ add('w@b.example') ], '550 5.1.1 who', '');
    refused("$where: refused after its end mark", $where,
            { b => { EOM => '550 5.7.0 no' } },
            [ add('w@b.example') ], '550 5.7.0 no',
            'a: s@x.example u@a.example,v@a.example; '
            . 'b: s@x.example w@b.example');
}

refused('LMTP: refused by another', 'lhlo',
        { b => { RCPT => '550 5.1.1 who' } }, [ add('w@b.example') ],
        '550 5.1.1 who / 550 5.1.1 who', '');
refused('LMTP: refused by the same', 'lhlo',
        { a => { RCPT => [ '250 ok', '250 ok', '450 4.1.1 who' ] } },
        [ add('w@a.example') ], '450 4.1.1 who / 450 4.1.1 who', '');
refused('LMTP: refused after its end mark', 'lhlo',
        { b => { EOM => '450 4.7.0 no' } }, [ add('w@b.example') ],
        '450 4.7.0 no / 450 4.7.0 no',
        'a: s@x.example u@a.example,v@a.example; '
        . 'b: s@x.example w@b.example');
refused('a report, where there are any', 'bounce',
        { b => { EOM => '550 5.7.0 no' } }, [ add('w@b.example') ], $accepted,
        'a: s@x.example u@a.example,v@a.example; '
        . 'b: s@x.example w@b.example; report:  s@x.example');
refused('the report goes to the new sender', 'bounce',
        { b => { EOM => '550 5.7.0 no' } },
        [ add('w@b.example'), from('n@y.example') ], $accepted,
        'a: n@y.example u@a.example,v@a.example; '
        . 'b: n@y.example w@b.example; report:  n@y.example');
refused('none to the null path', 'bounce',
        { b => { RCPT => '550 5.7.0 no' } },
        [ add('w@b.example'), from('') ], '550 5.7.0 no', '');
refused('none where it is not to be told', 'bounce',
        { b => { RCPT => '550 5.7.0 no' } },
        [ add('w@b.example', parameters => { notify => 'NEVER' }) ],
        '550 5.7.0 no', '');
refused('none where nobody has got it', 'bounce',
        { b => { RCPT => '550 5.7.0 no' } },
        [ add('w@b.example'), del('u@a.example'), del('v@a.example') ],
        '550 5.7.0 no', '');

# what the next one is told

answers(mail => [ add('w@b.example') ], rcpt => [ from('n@y.example') ]);
$c = client('verify');
$c->mail('s@x.example');
$c->rcpt('u@a.example');
$c->rcpt('v@a.example');

my $told = decode_json(($http->requests())[-1]{body})->{envelope};

is $told->{from}{address}, 'n@y.example', 'the new sender is told';
is join(' ', map { $_->{address} } @{$told->{to}}),
   'u@a.example w@b.example v@a.example', 'the one in question is the last';

$c->cmd('RSET');

answers();
$http->set(on => {
    '/one' => encode_json({ action => 'accept', modifications => [
        from('one@y.example'), del('u@a.example'), add('w@a.example') ] }),
    '/two' => encode_json({ action => 'accept', modifications => [
        add('u@a.example'), del('w@a.example') ] }),
});

is connected('two')->send_message(from => 's@x.example', to => 'u@a.example')
       =~ s/id=\w+/id/r, $accepted, 'two hooks';

$told = decode_json(($http->requests('/two'))[-1]{body})->{envelope};

is "$told->{from}{address} "
   . join(' ', map { $_->{address} } @{$told->{to}}),
   'one@y.example w@a.example', 'the second is told what the first did';
is delivered(), 'a: one@y.example u@a.example', 'what came of both';

# the client's own recipients are none the fewer

answers(mail => [ map { add("r$_\@a.example") } 1 .. 3 ]);
$http->set(on => {});
$c = client('verify');
$c->cmd('RSET');
$c->mail('s@x.example');
like $c->cmd('DATA'), qr/^503 /, 'no recipient of the client\'s';
like $c->rcpt("u$_\@a.example"), qr/^250 /, "RCPT $_" for 1 .. 5;
like $c->data("Subject: x\r\n\r\n"), qr/^250 /, 'message';
is delivered(), 'a: s@x.example '
                . join(',', map { "$_\@a.example" }
                                qw/ u1 u2 u3 u4 u5 r1 r2 r3 /), 'for all';

# what is discarded is so for those whom somebody would have got

answers(mail => { action => 'discard' });
is $c->mail('s@x.example'), '250 2.1.0 Sender OK', 'discarded at MAIL';
is $c->rcpt('u@elsewhere.example'), '550 5.7.1 Relaying denied',
   'not for anybody';
like $c->rcpt('u@a.example'), qr/^250 /, 'as without it';
like $c->data("Subject: x\r\n\r\n"), qr/^250 /, 'message';
is delivered(), '', 'nobody gets it';

package Test::Nginx::SmtpExt::Postfix;

# Copyright (C) ngx_mail_smtp_ext authors

# A Postfix of the test's own, in the test's directory, with mailboxes one, two
# and later at example.com; nothing leaves it.
#
#     my $postfix = Test::Nginx::SmtpExt::Postfix->new($t, 'port',
#         main => "more of main.cf");

use warnings;
use strict;

use Test::More ();

use Test::Nginx::SmtpExt::Util qw/ poll socket_to /;

my @all;


sub why_not {
    return 'postfix is not installed' unless -x '/usr/sbin/postfix';
    return 'postfix is started by root only' unless $> == 0;

    return;
}


sub new {
    my ($class, $t, $port, %o) = @_;

    my $self = bless {
        t => $t,
        dir => $t->testdir(),
        port => $t->port($port),
        pid => $$,
    }, $class;

    push @all, $self;

    $self->_configure(%o);

    return $self;
}


sub _configure {
    my ($self, %o) = @_;

    my ($t, $dir, $port) = @$self{qw/ t dir port /};
    my $main = $o{main} // '';

    mkdir $_ or die "$_: $!\n"
        for map { "$dir/$_" } qw/ postfix spool data mail /;

    chown scalar(getpwnam 'postfix'), -1, "$dir/data";
    chown scalar(getpwnam 'nobody'), -1, "$dir/mail";

    my $nobody = getpwnam 'nobody';
    my $nogroup = (getpwnam 'nobody')[3];

    my $default = <<"EOF";
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

    # it warns of what is there twice

    $default =~ s/^\Q$_\E = .*\n//m for $main =~ /^(\w+) =/mg;

    $t->write_file('postfix/main.cf', $default . $main);

    $t->write_file('postfix/master.cf', <<"EOF");
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
}


# another port, before start(): its name, and options

sub add_smtpd {
    my ($self, $port, $options) = @_;

    my $master = $self->{t}->read_file('postfix/master.cf');

    $port = $self->{t}->port($port);

    $self->{t}->write_file('postfix/master.cf',
        "127.0.0.1:$port inet n - n - - smtpd\n    $options\n$master");
}


sub command { `postfix -c '$_[0]{dir}/postfix' $_[1] 2>&1` }


sub start {
    my ($self) = @_;

    my $out = $self->command('start');

    $self->{started} = 1;

    return poll(sub { socket_to($self->{port}) }, 15)
        || Test::More::diag($out, $self->log()) && 0;
}


sub stop {
    my ($self) = @_;

    $self->command('stop') if $self->{started} && $self->{pid} == $$;
    $self->{started} = 0;
}


# messages of a mailbox

sub stored {
    my ($self, $name) = @_;

    return map { $self->{t}->read_file($_) }
           glob "$self->{dir}/mail/$name/new/*";
}


sub wait_stored {
    my ($self, $name, $n) = @_;

    # a queue manager that is restarted meanwhile may have missed the notice,
    # and would look into its queue by itself after minutes

    for (1 .. 3) {
        return 1 if poll(sub { $self->stored($name) == $n }, 5);
        $self->command('flush');
    }

    return poll(sub { $self->stored($name) == $n }, 5);
}


sub log { $_[0]{t}->read_file('postfix.out') }


END {
    local $?;

    $_->stop() for @all;
}


1;

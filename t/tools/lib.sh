# Common parts of the build scripts; read with ".", wants set -eu.

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

umask 022

# nginx takes it for a list of inherited sockets

unset NGINX

fail() {
    printf '%s\n' "error: $*" >&2
    exit 1
}

case "$PWD" in
    *[[:space:]]*) fail "nginx's build can't have spaces in a path: $PWD" ;;
esac

# lock <file>: one at a time; the lock ends with the script

lock() {
    mkdir -p "${1%/*}"
    exec 9> "$1"

    if command -v flock > /dev/null; then
        flock 9
    fi
}

# all that decides what configure makes of our module

module_config() {
    cat "$1/config" "$1"/ngx_mail_smtp_ext/*/config
}

# reconfigure <objects> <log> <command...>: runs configure, and gives headers
# that came out as they were their old time, so that not all is compiled anew

reconfigure() {
    local objs log name

    objs=$1
    log=$2
    shift 2

    rm -rf "$objs.old"
    mkdir -p "$objs.old"

    for name in ngx_auto_config.h ngx_auto_headers.h; do
        if [ -f "$objs/$name" ]; then
            cp -p "$objs/$name" "$objs.old/$name"
        fi
    done

    rm -f "$objs/Makefile"

    if ! "$@" > "$log" 2>&1 || ! [ -f "$objs/Makefile" ]; then
        tail -15 "$log" >&2
        rm -rf "$objs" "$objs.old"
        fail "configure failed, see $log"
    fi

    for name in ngx_auto_config.h ngx_auto_headers.h; do
        if cmp -s "$objs/$name" "$objs.old/$name"; then
            cp -p "$objs.old/$name" "$objs/$name"
        fi
    done

    rm -rf "$objs.old"
}


# the mirror of Debian that this machine's apt has packages from; empty without

debian_mirror() {
    { apt-get indextargets --format '$(ORIGIN) $(SITE)' \
          'Created-By: Packages' 2> /dev/null || true; } \
        | awk '$1 == "Debian" && $2 !~ /security/ && !n++ { print $2 }'
}


# until a command succeeds, for some seconds

wait_for() {
    local i

    for ((i = 0; i < 100; i++)); do
        "$@" && return 0
        sleep 0.05
    done

    return 1
}

gone() {
    ! kill -0 "$1" 2> /dev/null
}

# the first port from $1 on that nobody listens on

free_port() {
    perl -MIO::Socket::INET -e '
        for my $port ($ARGV[0] .. $ARGV[0] + 50) {
            next if grep { $_ == $port } @ARGV[1 .. $#ARGV];
            if (IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1,
                                      LocalPort => $port, ReuseAddr => 1))
            {
                print $port;
                exit 0;
            }
        }
        exit 1' "$@" || fail "no free port from $1 on"
}

# load_modules: the line of a configuration for the packaged nginx; wants $root

load_modules() {
    local flags path

    flags=$(nginx -V 2>&1)

    if [[ $flags == *--with-mail=dynamic* ]]; then
        path=$(sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p' <<< "$flags")
        printf 'load_module  %s/ngx_mail_module.so;  ' "$path"
    fi

    printf 'load_module  %s;' \
           "$root/build/packaged/ngx_mail_smtp_ext_module.so"
}

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

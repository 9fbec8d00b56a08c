#!/bin/bash
#
# Builds an nginx from source with our modules linked in, and says where the
# binary is (the last line of its output).
#
#     build-source.sh <version>       1.22.1, 1.26 (its last), newest
#     build-source.sh asan            1.22.1 with AddressSanitizer and UBSan
#
# With --sources-only before it, only the sources are brought.
#
# The sources come through apt, which verifies them, from the suites of Debian
# that carry them, on the mirror that this machine uses (or DEB_MIRROR), without
# Debian's patches; apt's own lists and configuration are not touched.  Where
# there is no apt, unpack nginx-<version>.tar.gz in build/src/ yourself.
# All is kept in build/ and used again.

set -eu

. "${0%/*}/lib.sh"

sources_only=

if [ "$1" = --sources-only ]; then
    sources_only=yes
    shift
fi

spec=$1
root=$(cd "${0%/*}/../.." && pwd)
build=$root/build
apt=$build/apt

DEB_MIRROR=${DEB_MIRROR:-$(debian_mirror)}
KEYRING=${KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}


# apt with lists and cache of its own

private() {
    local tool

    tool=$1
    shift

    "$tool" -q -o Dir::Etc::sourcelist="$apt/sources.list" \
        -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$apt/lists" \
        -o Dir::Cache="$apt/cache" -o APT::Sandbox::User="$(id -un)" \
        -o Acquire::Retries=3 "$@"
}

lists() {
    local suite

    command -v apt-get > /dev/null \
        || fail "no apt-get here: unpack nginx-$spec.tar.gz in $build/src/" \
                "and try again"

    [ -f "$KEYRING" ] \
        || fail "no $KEYRING: install debian-archive-keyring"

    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"

    for suite in bookworm trixie forky sid; do
        echo "deb-src [signed-by=$KEYRING] $DEB_MIRROR $suite main"
    done > "$apt/sources.list"

    if [ -z "$(find "$apt/updated" -mmin -1440 2> /dev/null)" ]; then
        private apt-get update > "$apt/update.log" 2>&1 \
            || { tail "$apt/update.log" >&2; fail "apt-get update failed"; }

        touch "$apt/updated"
    fi
}

# the newest source package whose upstream version is, or begins with, $1

newest() {
    local version best

    best=

    for version in $(private apt-cache showsrc nginx \
                     | sed -n 's/^Version: //p')
    do
        case "$1:$version" in
            newest:* | "$version:$1" | *:"$1"-* | *:"$1".*) ;;
            *) continue ;;
        esac

        if [ -z "$best" ] || dpkg --compare-versions "$version" gt "$best"; then
            best=$version
        fi
    done

    echo "$best"
}

# the unpacked sources of $1; sets $tree

sources() {
    local debian upstream

    if [ -f "$build/src/nginx-$1/configure" ]; then
        tree=$build/src/nginx-$1
        return
    fi

    if [ -f "$build/src/.is-$1" ]; then
        tree=$build/src/$(cat "$build/src/.is-$1")
        [ ! -f "$tree/configure" ] || return 0
    fi

    lists
    debian=$(newest "$1")

    [ -n "$debian" ] || fail "no source package of nginx $1 in Debian"

    upstream=${debian#*:}
    upstream=${upstream%-*}
    tree=$build/src/nginx-$upstream

    if ! [ -f "$tree/configure" ]; then
        mkdir -p "$apt/src"

        (
            cd "$apt/src"
            private apt-get --download-only --tar-only source "nginx=$debian"
            rm -rf "$tree.new"
            mkdir -p "$tree.new"
            tar -xf "nginx_$upstream.orig.tar."* -C "$tree.new" \
                --strip-components=1
        ) > "$apt/source.log" 2>&1 \
            || { tail "$apt/source.log" >&2; fail "no source of nginx $1"; }

        rm -rf "$tree"
        mv "$tree.new" "$tree"
    fi

    echo "${tree##*/}" > "$build/src/.is-$1"
}


cc_opt="-g -O1"
ld_opt=
version=$spec

if [ "$spec" = asan ]; then
    version=${ASAN_VERSION:-1.22.1}

    # nonnull-attribute: ngx_sprintf() copies no bytes from NULL for an empty
    # ngx_str_t;  PALLOC: each allocation on its own, pools hide overruns

    san=-fsanitize=address,undefined

    cc_opt="$cc_opt $san -fno-sanitize=nonnull-attribute \
-fno-sanitize-recover=undefined -fno-omit-frame-pointer -DNGX_DEBUG_PALLOC=1"
    ld_opt=$san
fi

mkdir -p "$build/src"
lock "$build/src/.lock"

sources "$version"

if [ -n "$sources_only" ]; then
    exit 0
fi

out=$build/$spec
name=${tree##*/}

if [ "$spec" != asan ]; then
    out=$build/${name#nginx-}
fi

mkdir -p "$out"

configure() {
    cd "$tree"
    ./configure --prefix="$out/prefix" --builddir="$out/objs" \
        --with-debug --with-threads --with-mail --with-mail_ssl_module \
        --with-http_ssl_module --with-http_stub_status_module \
        --with-cc="${CC:-cc}" --with-cc-opt="$cc_opt" --with-ld-opt="$ld_opt" \
        --add-module="$root"
}

want="$name ${CC:-cc} $cc_opt $root $(cksum < "$0")"
module_is=$(module_config "$root")

if [ "$(cat "$out/.nginx" 2> /dev/null)" != "$want" ]; then
    rm -rf "$out/objs" "$out/.module"
    printf '%s\n' "$want" > "$out/.nginx"
fi

if [ "$(cat "$out/.module" 2> /dev/null)" != "$module_is" ]; then
    reconfigure "$out/objs" "$out/configure.log" configure
    printf '%s\n' "$module_is" > "$out/.module"
fi

echo "building $name in ${out#"$root/"}"

cd "$tree"
make -j"${JOBS:-2}" --no-print-directory -s -f "$out/objs/Makefile" \
    binary > "$out/make.log" 2>&1 \
    || { tail -30 "$out/make.log" >&2; fail "the build failed"; }

mkdir -p "$out/prefix/logs"

echo "$out/objs/nginx"

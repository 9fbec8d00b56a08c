#!/bin/bash
#
# The packaged nginx of another suite of Debian, and our module made for it:
# for the newest nginx where its source package can't be had.
#
#     build-suite.sh <suite>          sid
#
# The packages are unpacked, with the libraries that they need, in
# build/<suite>/root; nothing is installed.  Prints what test.sh wants: the
# "nginx" to run (a script) and the modules to load.

set -eu -o pipefail

. "${0%/*}/lib.sh"

suite=$1
root=$(cd "${0%/*}/../.." && pwd)
out=$root/build/$suite
apt=$out/apt
tree=$out/root

DEB_MIRROR=${DEB_MIRROR:-$(debian_mirror)}
KEYRING=${KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}

private() {
    local tool

    tool=$1
    shift

    "$tool" -q -y -o Dir::Etc::sourcelist="$apt/sources.list" \
        -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$apt/lists" \
        -o Dir::Etc::preferencesparts=/dev/null \
        -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" \
        -o APT::Sandbox::User="$(id -un)" -o Acquire::Retries=3 \
        -o APT::Install-Recommends=false -o Debug::NoLocking=true "$@"
}

unpack() {
    local deb

    command -v apt-get > /dev/null && command -v dpkg-deb > /dev/null \
        || fail "no apt-get and dpkg-deb here"

    rm -rf "$tree" "$apt"
    mkdir -p "$tree.new" "$apt/lists/partial" "$apt/cache/archives/partial"

    # as if nothing were installed: so the libraries come, too

    : > "$apt/status"

    echo "deb [signed-by=$KEYRING] $DEB_MIRROR $suite main" \
        > "$apt/sources.list"

    private apt-get update
    private apt-get --download-only install nginx libnginx-mod-mail libjansson4

    cd "$apt/cache/archives"
    private apt-get download nginx-dev

    for deb in *.deb; do
        dpkg-deb -x "$deb" "$tree.new"
    done

    mv "$tree.new" "$tree"
    rm -rf "$apt"
}

mkdir -p "$out"
lock "$out/.lock"

if ! [ -x "$tree/usr/sbin/nginx" ]; then
    rm -rf "$tree.new"
    ( unpack ) > "$out/unpack.log" 2>&1 \
        || { tail "$out/unpack.log" >&2; fail "no nginx of $suite"; }
fi

# with the loader and the libraries of its own suite

triplet=$(gcc -print-multiarch)
loader=$(find "$tree" -name 'ld-linux*.so.*' | head -1)

cat > "$out/nginx.new" << END
#!/bin/sh
exec $loader --library-path $tree/usr/lib/$triplet:$tree/lib/$triplet \\
    --argv0 nginx $tree/usr/sbin/nginx "\$@"
END

chmod +x "$out/nginx.new"
mv "$out/nginx.new" "$out/nginx"

NGINX_SRC=$tree/usr/share/nginx/src NGINX_BIN=$out/nginx \
    "${0%/*}/build-packaged.sh" "$root" "$out/module" >&2

echo "$out/nginx"
echo "$tree/usr/lib/nginx/modules/ngx_mail_module.so" \
     "$out/module/ngx_mail_smtp_ext_module.so"

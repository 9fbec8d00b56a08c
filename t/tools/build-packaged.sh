#!/bin/bash
#
# Builds ngx_mail_smtp_ext_module.so for the nginx that the distribution
# installed, out of the headers of nginx-dev.
#
#     build-packaged.sh <module directory> <output directory>
#
# NGINX_SRC    folder of nginx-dev        /usr/share/nginx/src
# NGINX_BIN    the nginx to build for     nginx
# CC, CC_OPT, LD_OPT                      compiler, further options
#
# configure runs again when a config file, nginx or its headers have changed;
# objects that belong to another nginx are never reused.

set -eu

. "${0%/*}/lib.sh"

src=$1
out=$2

NGINX_SRC=${NGINX_SRC:-/usr/share/nginx/src}
NGINX_BIN=${NGINX_BIN:-nginx}

so=ngx_mail_smtp_ext_module.so

[ -f "$NGINX_SRC/conf_flags" ] \
    || fail "no headers of the packaged nginx in $NGINX_SRC:" \
            "install nginx-dev (make deps)"

command -v "$NGINX_BIN" > /dev/null \
    || fail "no nginx: install it (make deps)"

# Debian patches structures without a change of the module signature: a module
# that was made with other headers loads, and goes wrong at run time.

versions() {
    dpkg-query -W -f '${Version}\n' "$@" 2> /dev/null || :
}

if [ "$NGINX_SRC" = /usr/share/nginx/src ] \
    && [ "$(versions nginx)" != "$(versions nginx-dev)" ]
then
    fail "nginx is $(versions nginx), nginx-dev is $(versions nginx-dev):" \
         "they must be the same"
fi

lock "$out/.lock"

nginx_is=$(
    "$NGINX_BIN" -V 2>&1
    versions nginx nginx-dev
    cksum "$NGINX_SRC/conf_flags" "$NGINX_SRC/src/core/ngx_connection.h"
    printf '%s\n' "$src" "${CC:-cc}" "${CC_OPT:-}" "${LD_OPT:-}"
    cksum < "$0"
)

module_is=$(module_config "$src")

if [ "$(cat "$out/.nginx" 2> /dev/null)" != "$nginx_is" ]; then
    rm -rf "$out/objs" "$out/.module"
    printf '%s\n' "$nginx_is" > "$out/.nginx"
fi

# --with-mail rather than --with-mail=dynamic: the flags of nginx-dev leave mail
# out, and "make modules" must not try to build mail itself, whose sources are
# not in the package

configure() {
    cd "$NGINX_SRC"
    . ./conf_flags

    ./configure "${NGX_CONF_FLAGS[@]}" --with-mail --with-mail_ssl_module \
        --with-cc="${CC:-cc}" \
        --with-cc-opt="-g -O2 -fstack-protector-strong -Wformat \
-Werror=format-security -fPIC -D_FORTIFY_SOURCE=2 ${CC_OPT:-}" \
        --with-ld-opt="-Wl,-z,relro -Wl,-z,now -fPIC ${LD_OPT:-}" \
        --add-dynamic-module="$src" --builddir="$out/objs"
}

if [ "$(cat "$out/.module" 2> /dev/null)" != "$module_is" ]; then
    reconfigure "$out/objs" "$out/configure.log" configure
    printf '%s\n' "$module_is" > "$out/.module"
fi

cd "$NGINX_SRC"
make -j"${JOBS:-2}" --no-print-directory -s -f "$out/objs/Makefile" modules

# by rename: a running nginx has the old file mapped

if ! cmp -s "$out/objs/$so" "$out/$so"; then
    cp "$out/objs/$so" "$out/.$so.$$"
    mv -f "$out/.$so.$$" "$out/$so"
    echo "made $out/$so"
fi

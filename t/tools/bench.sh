#!/bin/bash
#
# bench.sh          how fast mail data is scanned: t/bench/scan.c, with the
#                   compiler and the optimisation that the module is built with
# bench.sh services what a login and a hook cost, beside nginx's own mail
#                   proxy: t/bench/services.pl
# bench.sh batch    how long a client waits that names many recipients at once:
#                   t/bench/batch.pl
#
# The machine should have nothing else to do; figures of one run compare with
# each other alone.
#
# CC, CC_OPT
# ROUNDS            of services and batch    5
# LOGINS            of services              10000

set -eu

. "${0%/*}/lib.sh"

root=$(cd "${0%/*}/../.." && pwd)
proto=$root/ngx_mail_smtp_ext/proto
src=${NGINX_SRC:-/usr/share/nginx/src}/src
objs=$root/build/packaged/objs
out=$root/build/bench

mkdir -p "$out"

scan() {
    [ -f "$objs/ngx_auto_config.h" ] || fail "run make first"

    "${CC:-cc}" -g -O2 ${CC_OPT:-} -W -Wall -Wno-unused-parameter -Werror \
        -I"$objs" -I"$proto" \
        -I"$src/core" -I"$src/event" -I"$src/event/modules" \
        -I"$src/os/unix" \
        -o "$out/scan" "$root/t/bench/scan.c" \
        "$proto/ngx_smtp_dot.c" "$proto/ngx_smtp_chunk.c"

    "$out/scan"
}

services() {
    "${CC:-cc}" -O2 ${CC_OPT:-} -W -Wall -Werror -pthread \
        -o "$out/session" "$root/t/bench/session.c"

    perl -w -I"$root/t/lib" "$root/t/bench/services.pl" "$out/session" \
        "${ROUNDS:-5}" "${LOGINS:-10000}"
}

batch() {
    perl -w -I"$root/t/lib" "$root/t/bench/batch.pl" "${ROUNDS:-5}"
}

case "${1:-scan}" in
    scan)      scan ;;
    services)  services ;;
    batch)     batch ;;
    *)         fail "bench.sh [scan | services | batch]" ;;
esac

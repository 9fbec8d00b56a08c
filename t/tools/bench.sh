#!/bin/bash
#
# Measures how fast mail data is scanned: t/bench/scan.c, with the compiler and
# the optimisation that the module is built with.  The machine should have
# nothing else to do; figures of one run compare with each other alone.
#
# CC, CC_OPT

set -eu

. "${0%/*}/lib.sh"

root=$(cd "${0%/*}/../.." && pwd)
proto=$root/ngx_mail_smtp_ext/proto
src=${NGINX_SRC:-/usr/share/nginx/src}/src
objs=$root/build/packaged/objs
out=$root/build/bench

[ -f "$objs/ngx_auto_config.h" ] || fail "run make first"

mkdir -p "$out"

"${CC:-cc}" -g -O2 ${CC_OPT:-} -W -Wall -Wno-unused-parameter -Werror \
    -I"$objs" -I"$proto" \
    -I"$src/core" -I"$src/event" -I"$src/event/modules" -I"$src/os/unix" \
    -o "$out/scan" "$root/t/bench/scan.c" \
    "$proto/ngx_smtp_dot.c" "$proto/ngx_smtp_chunk.c"

"$out/scan"

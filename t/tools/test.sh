#!/bin/bash
#
#     test.sh <nginx> [files or folders...]
#
# Runs tests, all by default, with an nginx: packaged, a path, a version, asan,
# a suite of Debian (see Makefile).
#
# JOBS            test files at once        2
# TEST_TIME       seconds for one file      180, with a sanitizer 600
# PROVE           options for prove

set -eu -o pipefail

. "${0%/*}/lib.sh"

root=$(cd "${0%/*}/../.." && pwd)
nginx=${1:-packaged}
modules=
limit=180

shift
cd "$root"

case "$nginx" in

packaged)
    t/tools/build-packaged.sh "$root" "$root/build/packaged"

    binary=$(command -v nginx)
    modules=$root/build/packaged/ngx_mail_smtp_ext_module.so

    flags=$("$binary" -V 2>&1)

    if [[ $flags == *--with-mail=dynamic* ]]; then
        dir=$(sed -n 's/.*--modules-path=\([^ ]*\).*/\1/p' <<< "$flags")
        modules="$dir/ngx_mail_module.so $modules"
    fi
    ;;

*/*)
    binary=$nginx
    modules=${TEST_NGINX_MODULES:-}

    [ -x "$binary" ] || fail "no nginx at $binary"
    ;;

sid | forky | trixie | bookworm)
    built=$(t/tools/build-suite.sh "$nginx")
    binary=$(head -1 <<< "$built")
    modules=$(tail -1 <<< "$built")
    ;;

*)
    binary=$(t/tools/build-source.sh "$nginx" | tee >(cat >&2) | tail -1)
    ;;

esac

if grep -q __asan_init <<< "$(nm -D "$binary" 2> /dev/null)"; then
    limit=600
    export TEST_NGINX_SLOW=${TEST_NGINX_SLOW:-4}
    export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:strict_string_checks=1}
    export LSAN_OPTIONS=suppressions=$root/t/tools/lsan.supp
    LSAN_OPTIONS=$LSAN_OPTIONS:print_suppressions=0
    export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
fi

export TEST_NGINX_BINARY=$binary
export TEST_NGINX_MODULES=$modules

if [ $# -eq 0 ]; then
    set -- t
fi

echo "testing $("$binary" -v 2>&1 | sed 's/.*: //'), $binary"

# a test file that hangs is ended, with the processes it has started

exec prove -r -j "${JOBS:-2}" ${PROVE:-} \
    --exec "timeout -k 10 ${TEST_TIME:-$limit} perl -w -I$root/t/lib" "$@"

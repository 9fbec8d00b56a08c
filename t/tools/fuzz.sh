#!/bin/bash
#
# Fuzzes the parsers with libFuzzer, AddressSanitizer and UBSan.
#
#     fuzz.sh [targets...]        all of them; see t/fuzz/
#     fuzz.sh --build [dir]       only builds, and says which there are
#
# FUZZ_TIME    seconds for each target     20
# FUZZ_CC      a clang with libFuzzer      clang
#
# What is found is kept in build/fuzz/corpus/ and used again; an input that
# fails is put into build/fuzz/, and belongs into t/fuzz/corpus/ with the fix.

set -eu -o pipefail

. "${0%/*}/lib.sh"

root=$(cd "${0%/*}/../.." && pwd)
out=$root/build/fuzz
build_only=

FUZZ_CC=${FUZZ_CC:-clang}

if [ "${1:-}" = --build ]; then
    build_only=yes
    out=${2:-$out}
    set --
fi

# status 3: it can't be done here

cannot() {
    echo "no fuzzing: $*" >&2
    exit 3
}

command -v "$FUZZ_CC" > /dev/null || cannot "there is no $FUZZ_CC"

mkdir -p "$out"
lock "$out/.lock"

echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' > "$out/.try.c"

"$FUZZ_CC" -fsanitize=fuzzer,address,undefined -o "$out/.try" "$out/.try.c" \
    > /dev/null 2>&1 \
    || cannot "$FUZZ_CC has no libFuzzer, which is in libclang-rt-dev"

# headers of nginx as in t/unit; sources, which some of the targets need, if any

sources=

for config in "$root"/build/{packaged,asan,*}/objs/ngx_auto_config.h; do
    [ ! -f "$config" ] || break
done

[ -f "$config" ] || cannot "there is no ngx_auto_config.h in build/: run make"

for tree in "$root"/build/src/nginx-{1.22.1,*}/src; do
    if [ -f "$tree/http/ngx_http_parse.c" ]; then
        sources=$tree
        break
    fi
done

src=${NGX_SMTP_NGINX_SRC:-/usr/share/nginx/src/src}
[ -f "$src/core/ngx_core.h" ] || src=$sources
[ -n "$src" ] || cannot "there are no headers of nginx"

# a copy, for configure may run again at any time

mkdir -p "$out/config"

{
    if command -v flock > /dev/null; then
        flock -s 8
    fi

    want="$FUZZ_CC $src $sources $(cat "${config%/*}"/ngx_auto_*.h | cksum)"

    if [ "$(cat "$out/.built" 2> /dev/null)" != "$want" ]; then
        rm -rf "$out"/{full,nginx} "$out"/*.o
        cp "${config%/*}"/ngx_auto_*.h "$out/config"
        printf '%s\n' "$want" > "$out/.built"
    fi
} 8> "${config%/objs/*}/.lock"

mkdir -p "$out/full" "$out/nginx"

do_make() {
    make --no-print-directory -s -j"${JOBS:-2}" -C "$root/t/fuzz" \
        CC="$FUZZ_CC" OUT="$out" OBJS="$out/config" SRC="$src" \
        SOURCES="$sources" "$@"
}

do_make all > "$out/make.log" 2>&1 \
    || { tail -30 "$out/make.log" >&2; fail "the build failed"; }

targets=$(do_make names)

if [ -n "$build_only" ]; then
    echo "$targets"
    exit 0
fi

export ASAN_OPTIONS=${ASAN_OPTIONS:-quarantine_size_mb=16}

status=0

for target in ${*:-$targets}; do
    [ -x "$out/fuzz_$target" ] || fail "no target $target (there are: $targets)"

    mkdir -p "$out/corpus/$target"

    if "$out/fuzz_$target" -max_total_time="${FUZZ_TIME:-20}" -timeout=10 \
        -rss_limit_mb=1024 -max_len=4096 -print_final_stats=1 \
        -dict="$root/t/fuzz/dict/$target.dict" \
        -artifact_prefix="$out/$target-" \
        "$out/corpus/$target" "$root/t/fuzz/corpus/$target" \
        > "$out/$target.log" 2>&1
    then
        echo "$target: $(sed -n 's/.*executed_units: *//p' "$out/$target.log")" \
            "inputs"
    else
        status=1
        echo "$target: failed, see $out/$target.log"
        grep -E "fuzz_check|SUMMARY|Test unit written" "$out/$target.log" \
            || tail -5 "$out/$target.log"
    fi
done

exit $status

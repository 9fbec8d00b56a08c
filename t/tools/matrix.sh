#!/bin/bash
#
# The suite on every nginx that we support, each built from source with our
# modules linked in (or the newest as packaged).  The arguments are files and
# folders of tests.
#
# MATRIX          the versions                        "1.22.1 1.26 newest"
# MATRIX_TIME     seconds for the suite on one nginx  3600

set -eu

. "${0%/*}/lib.sh"

root=$(cd "${0%/*}/../.." && pwd)
status=0
summary=

cd "$root"

for version in ${MATRIX:-1.22.1 1.26 newest}; do

    # a mirror may lack the newest sources, its packages serve as well

    if [ "$version" = newest ] \
        && ! t/tools/build-source.sh --sources-only newest
    then
        echo "no source of the newest nginx: the packages of sid instead"
        version=sid
    fi

    echo "=== nginx $version"

    if timeout --foreground -k 30 "${MATRIX_TIME:-3600}" \
        t/tools/test.sh "$version" "$@"
    then
        summary="$summary$version: ok\n"
    else
        summary="$summary$version: FAILED\n"
        status=1
    fi
done

printf "=== matrix\n$summary"
exit $status

#!/bin/bash
#
# Installs what building and testing need, where that is possible (root, apt),
# and otherwise says what is missing.  Returns at once when all is there.
# No service is started, no package is removed.
#
#     deps.sh           all
#     deps.sh demo      what the demo needs
#     deps.sh fuzz      what "make fuzz" needs, which the rest does without

set -eu

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# how to see that it is there (a command, a file, a Perl module); its package;
# "demo" where the demo wants it, too, "fuzz" where nothing else does, "option"
# where tests are skipped without it

needs='
    nginx                                       nginx                 demo
    /usr/share/nginx/src/conf_flags             nginx-dev             demo
    /usr/lib/nginx/modules/ngx_mail_module.so   libnginx-mod-mail     demo
    gcc                                         gcc                   demo
    make                                        make                  demo
    nm                                          binutils
    perl                                        perl                  demo
    prove                                       perl
    Test::More                                  perl
    IO::Socket::SSL                             libio-socket-ssl-perl demo
    /usr/include/pcre2.h                        libpcre2-dev          demo
    /usr/include/openssl/ssl.h                  libssl-dev            demo
    /usr/include/jansson.h                      libjansson-dev        demo
    /usr/include/zlib.h                         zlib1g-dev            demo
    /usr/include/stringprep.h                   libidn-dev            demo
    /usr/include/crypt.h                        libcrypt-dev
    openssl                                     openssl               demo
    xz                                          xz-utils
    flock                                       util-linux
    timeout                                     coreutils
    python3                                     python3
    swaks                                       swaks                 demo
    curl                                        curl
    msmtp                                       msmtp
    gsasl                                       gsasl
    Authen::SASL                                libauthen-sasl-perl
    Digest::HMAC_MD5                            libdigest-hmac-perl
    Authen::SCRAM                               libauthen-scram-perl  option
    /usr/lib/python3/dist-packages/slixmpp      python3-slixmpp       option
    postconf                                    postfix               option
    node                                        nodejs                option
    /usr/share/nodejs/nodemailer                node-nodemailer       option
    clang                                       clang                 fuzz
    libfuzzer                                   libclang-rt-dev       fuzz
'

there() {
    case "$1" in
        /*)    [ -e "$1" ] ;;
        *::*)  perl -e "require $1" 2> /dev/null ;;

        libfuzzer)
            ls "$(clang -print-runtime-dir)"/libclang_rt.fuzzer[-.]* \
                > /dev/null 2>&1
            ;;

        *)     command -v "$1" > /dev/null ;;
    esac
}

purpose=${1:-}
missing=()
packages=()
options=()

look() {
    local what package use

    missing=()
    packages=()
    options=()

    while read -r what package use; do
        if [ -n "$purpose" ] && [ "$use" != "$purpose" ]; then
            continue
        fi

        if [ -z "$purpose" ] && [ "$use" = fuzz ]; then
            continue
        fi

        # Postfix would push out another mail server: do without it then

        if [ "$what" = postconf ] && there sendmail; then
            continue
        fi

        if [ -z "$what" ] || there "$what"; then
            continue
        fi

        if [ "$use" = option ]; then
            options+=("$package")

        else
            missing+=("$what")
            [[ " ${packages[*]} " == *" $package "* ]] \
                || packages+=("$package")
        fi
    done <<< "$needs"
}

# nginx and its headers are of one version

headers() {
    local a b

    command -v dpkg-query > /dev/null || return 0

    a=$(dpkg-query -W -f '${Version}' nginx 2> /dev/null || :)
    b=$(dpkg-query -W -f '${Version}' nginx-dev 2> /dev/null || :)

    if [ -n "$b" ] && [ "$a" != "$b" ]; then
        missing+=("nginx-dev of $a (here: $b)")
        packages+=(nginx nginx-dev libnginx-mod-mail)
    fi
}

look
headers

if [ ${#missing[@]} -eq 0 ] && [ ${#options[@]} -eq 0 ]; then
    exit 0
fi

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get > /dev/null; then
    if [ ${#missing[@]} -eq 0 ]; then
        echo "deps: tests that want ${options[*]} will be skipped" >&2
        exit 0
    fi

    {
        echo "Missing: ${missing[*]}"
        echo "On Debian or Ubuntu, install them as root:"
        echo
        echo "    apt-get install --no-install-recommends ${packages[*]}" \
            "${options[*]}"
        echo
        echo "or run \"make deps\" as root."
    } >&2
    exit 1
fi

echo "deps: installing ${packages[*]} ${options[*]}"

export DEBIAN_FRONTEND=noninteractive

# no daemon starts because a test wants its package

policy=/usr/sbin/policy-rc.d
made_policy=

undo() {
    [ -z "$made_policy" ] || rm -f "$policy"
}

trap undo EXIT
trap 'exit 130' INT TERM

if ! [ -e "$policy" ]; then
    made_policy=yes
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 0755 "$policy"
fi

log=$(mktemp)

run() {
    if ! "$@" > "$log" 2>&1; then
        tail -30 "$log" >&2
        return 1
    fi
}

run apt-get -q update || echo "deps: apt-get update failed" >&2

install=(apt-get -q -y --no-install-recommends --no-remove install)

status=0

if [ ${#packages[@]} -gt 0 ]; then
    run "${install[@]}" "${packages[@]}" || status=1
fi

for package in "${options[@]}"; do
    if [ "$package" = postfix ]; then
        echo "postfix postfix/main_mailer_type select No configuration" \
            | debconf-set-selections
    fi

    run "${install[@]}" "$package" \
        || echo "deps: no $package; tests that want it will be skipped" >&2
done

rm -f "$log"

look
headers

for what in "${missing[@]}"; do
    echo "deps: still missing: $what" >&2
    status=1
done

exit $status

#!/bin/bash
#
# demo.sh start: runs the packaged nginx with our module on loopback ports,
# sends it a message and shows what became of it.  demo.sh stop ends it.
# All is in demo/.

set -eu

. "${0%/*}/lib.sh"

root=$(cd "${0%/*}/../.." && pwd)
dir=$root/demo
conf=$dir/nginx.conf
pid_file=$dir/nginx.pid

# the pid of our nginx, if it runs: the number alone may be someone else's now

running() {
    local pid

    pid=$(cat "$pid_file" 2> /dev/null) || return 1

    [ -n "$pid" ] && [ -r "/proc/$pid/cmdline" ] \
        && tr '\0' ' ' < "/proc/$pid/cmdline" | grep -qF "$conf" \
        && echo "$pid"
}

stop() {
    local pid

    if ! pid=$(running); then
        echo "The demo does not run."
        return
    fi

    kill -QUIT "$pid"

    if ! wait_for gone "$pid"; then
        kill -TERM "$pid" 2> /dev/null || :
        wait_for gone "$pid" || fail "nginx (pid $pid) does not end"
    fi

    echo "The demo has been stopped."
}

stored() {
    message=$(find "$dir/Maildir" -type f -path '*/new/*' | head -1)
    [ -n "$message" ]
}

start() {
    local smtp smtps auth user

    "$root/t/tools/deps.sh" demo
    "$root/t/tools/build-packaged.sh" "$root" "$root/build/packaged"

    if running > /dev/null; then
        stop
    fi

    rm -rf "$dir"
    mkdir -p "$dir/tmp" "$dir"/Maildir/{cur,new,tmp}

    smtp=$(free_port 2525)
    smtps=$(free_port 2465 "$smtp")
    auth=$(free_port 2580 "$smtp" "$smtps")

    # the folders above need not be open to another user

    user=
    [ "$(id -u)" -ne 0 ] || user='user  root;'

    openssl req -x509 -newkey rsa:2048 -nodes -days 30 \
        -subj /CN=demo.example.com \
        -addext 'subjectAltName=DNS:demo.example.com,IP:127.0.0.1' \
        -keyout "$dir/demo.key" -out "$dir/demo.crt" 2> "$dir/openssl.log" \
        || { cat "$dir/openssl.log" >&2; fail "no certificate"; }

    sed -e "s|@MODULES@|$(load_modules)|" -e "s|@USER@|$user|" \
        -e "s|@DIR@|$dir|g" -e "s|@PORT_SMTP@|$smtp|g" \
        -e "s|@PORT_SMTPS@|$smtps|g" -e "s|@PORT_AUTH@|$auth|g" \
        "$root/examples/demo.conf.in" > "$conf"

    nginx -p "$dir/" -c "$conf" -e "$dir/error.log" 2> "$dir/start.log" \
        || { cat "$dir/start.log" >&2; fail "nginx did not start"; }

    wait_for running > /dev/null || fail "nginx did not start"

    if ! swaks --server 127.0.0.1 --port "$smtp" -tls \
        --auth PLAIN --auth-user demo --auth-password demo \
        --from demo@example.com --to friend@example.net \
        --h-Subject 'The first message' --body 'It works.' \
        --timeout 10 > "$dir/swaks.log" 2>&1
    then
        cat "$dir/swaks.log" >&2
        fail "the message was refused, see $dir/error.log"
    fi

    wait_for stored || fail "no message in $dir/Maildir"
    wait_for test -s "$dir/access.log" || fail "nothing in $dir/access.log"

    echo
    echo "A message was sent with AUTH over STARTTLS, and stored as"
    echo "${message#"$root/"}:"
    echo
    sed 's/^/    /; s/\r$//' "$message"
    echo
    echo "${dir#"$root/"}/access.log:"
    echo
    sed 's/^/    /' "$dir/access.log"
    cat << END

The server runs (pid $(running)):

    127.0.0.1:$smtp    submission, STARTTLS and AUTH
    127.0.0.1:$smtps    the same, TLS from the start
    user demo, password demo; the certificate is demo/demo.crt

Send one yourself:

    swaks --server 127.0.0.1:$smtp -tls --auth-user demo --auth-password demo \\
        --from you@example.com --to friend@example.net

Its configuration is demo/nginx.conf, its log demo/error.log. To end it:

    make demo-stop
END
}

case "${1:-}" in
    start)            start ;;
    stop)             stop ;;
    stop-if-running)  ! running > /dev/null || stop ;;
    *)                fail "demo.sh start | stop" ;;
esac

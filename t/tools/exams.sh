#!/bin/bash
#
# exams.sh [name...]: plays black-box exams and scanners of others against our
# server, all that are to be had or those named, and says what came of each.
# docs/conformance.md has the results.
#
#     EXAMS   a folder with run_*.py; default ../shared/conformance
#     MIRROR  a folder with repositories as owner+name/repo, from which some
#             read their vectors, and where third-party tools are; without it
#             these are left out
#     LEVEL   must, or all (default)
#
#     TEST_NGINX_BINARY, TEST_NGINX_MODULES
#             another nginx than the packaged one, as in t/
#
# All is in build/exams/.  Fails when an exam fails that has to be passed.

set -eu

. "${0%/*}/lib.sh"

root=$(cd "${0%/*}/../.." && pwd)
dir=$root/build/exams
exams=${EXAMS:-$root/../shared/conformance}
level=${LEVEL:-all}
status=0

nginx=${TEST_NGINX_BINARY:-nginx}

user=tester
password=s3cret-Pass

# a repository's file, "owner+name path", to stdout

mirrored() {
    git -C "$MIRROR/$1/repo" show "HEAD:$2" 2> /dev/null
}

has_mirror() {
    [ -n "${MIRROR:-}" ] && [ -d "$MIRROR/$1/repo" ]
}

modules() {
    local module

    if [ -z "${TEST_NGINX_MODULES+set}" ]; then
        load_modules
        return
    fi

    for module in $TEST_NGINX_MODULES; do
        printf 'load_module  %s;  ' "$module"
    done
}

stop() {
    local pid

    pid=$(cat "$dir/nginx.pid" 2> /dev/null) || return 0

    kill -QUIT "$pid" 2> /dev/null || return 0
    wait_for gone "$pid" || kill -TERM "$pid" 2> /dev/null || :
}

start() {
    local user_line

    user_line=
    [ "$(id -u)" -ne 0 ] || user_line='user root;'

    openssl req -x509 -newkey rsa:2048 -nodes -days 30 \
        -subj /CN=mx.example.test \
        -addext 'subjectAltName=DNS:mx.example.test,DNS:localhost' \
        -keyout "$dir/exams.key" -out "$dir/exams.crt" 2> "$dir/openssl.log" \
        || { cat "$dir/openssl.log" >&2; fail "no certificate"; }

    cat > "$dir/nginx.conf" << END
$(modules)
$user_line
pid        $dir/nginx.pid;
error_log  $dir/error.log info;

events { worker_connections 4096; }

mail {
    server_name            mx.example.test;
    ssl_certificate        $dir/exams.crt;
    ssl_certificate_key    $dir/exams.key;
    ssl_protocols          TLSv1.2 TLSv1.3;
    ssl_ciphers            ECDHE+AESGCM:ECDHE+CHACHA20;
    ssl_prefer_server_ciphers  on;
    smtp_temp_path         $dir/spool;
    smtp_access_log        $dir/access.log;
    smtp_max_message_size  1m;
    smtp_auth_http         http://127.0.0.1:$auth/auth;
    smtp_auth_methods      plain login cram-md5;
    smtp_auth_require_tls  off;

    # anybody to these, who has logged in to all

    smtp_upstream sink { server 127.0.0.1:$sink; }

    smtp_pass  sink;
    smtp_recipient  @example.test  { smtp_pass sink; }
    smtp_recipient  @dest.test     { smtp_pass sink; }
    smtp_recipient  @testserver    { smtp_pass sink; }
    smtp_recipient  @test.ex       { smtp_pass sink; }

    server { listen 127.0.0.1:$smtp; protocol smtp_ext; starttls on; }
    server { listen 127.0.0.1:$smtps ssl; protocol smtp_ext; }

    # no password in clear

    server {
        listen                 127.0.0.1:$strict;
        protocol               smtp_ext;
        starttls               on;
        smtp_auth_require_tls  on;
    }

    # programs that end lines with LF

    server {
        listen             127.0.0.1:$submit;
        listen             127.0.0.1:$submits ssl;
        protocol           smtp_ext;
        starttls           on;
        smtp_bare_newline  normalise;
    }

    server {
        listen    127.0.0.1:$proxy proxy_protocol;
        protocol  smtp_ext;
        starttls  on;
    }

    server {
        listen              127.0.0.1:$xclient;
        protocol            smtp_ext;
        starttls            on;
        smtp_xclient_from   127.0.0.1;
        smtp_xforward_from  127.0.0.1;
    }
}
END

    "$nginx" -p "$dir/" -c "$dir/nginx.conf" -e "$dir/error.log" \
        2> "$dir/start.log" \
        || { cat "$dir/start.log" >&2; fail "nginx did not start"; }

    wait_for test -s "$dir/nginx.pid" || fail "nginx did not start"
}

say() {
    printf '%-12s %s\n' "$1" "$2"
}

# bad <name> <text>: what has to be passed was not

bad() {
    say "$1" "$2"
    status=1
}


# the runners of $EXAMS; what they print last is the result

runner() {
    local name file result

    name=$1
    file=$dir/runners/run_$name.py
    shift

    if [ ! -f "$file" ]; then
        say "$name" "left out: no run_$name.py"
        return
    fi

    timeout 1200 python3 "$file" --host 127.0.0.1 --sink-port "$sink" \
        --level "$level" "$@" > "$dir/$name.log" 2>&1 || :

    result=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$dir/$name.log" \
             | tail -1) || :

    case "$result" in
        *' 0 failed'*)  say "$name" "$result" ;;
        '')             bad "$name" "no result, see $dir/$name.log" ;;
        *)              bad "$name" "$result, see $dir/$name.log" ;;
    esac
}

exam_aiosmtpd() {
    runner aiosmtpd --port "$smtp" --tls-port "$smtps" --proxy-port "$proxy"
}

exam_chasquid() {
    if has_mirror albertito+chasquid; then
        runner chasquid --port "$strict" --tls-port "$smtps"
    else
        say chasquid "left out: no MIRROR with albertito+chasquid"
    fi
}

exam_xclient() {
    runner xclient --port "$xclient" --xclient --plain-port "$smtp"
}

exam_clients() {
    # where Debian has nodemailer

    CERT=$dir/exams.crt OUT=$dir/clients \
    NODE_PATH=${NODE_PATH:-/usr/share/nodejs} \
        runner clients --port "$submit" --tls-port "$submits" \
               --proxy-port "$proxy" --xclient-port "$xclient"
}

exam_fuzz() {
    runner fuzz --port "$smtp" --count 400
}


# look-alikes of the end of data; the server has to refuse each, and to be
# there still

exam_smtpsmug() {
    local test good=0 other=

    if ! has_mirror hannob+smtpsmug; then
        say smtpsmug "left out: no MIRROR with hannob+smtpsmug"
        return
    fi

    mirrored hannob+smtpsmug smtpsmug > "$dir/smtpsmug"
    : > "$dir/smtpsmug.log"

    python3 "$dir/sink.py" "$sink" > "$dir/sink.log" 2>&1 &
    sink_pid=$!
    wait_for listening "$sink" || fail "no sink"

    for test in $(python3 "$dir/smtpsmug" --list-tests \
                  | sed -n 's/^"\([a-z]*\):".*/\1/p')
    do
        # a message a client has begun is what it waits for: 5 s each

        timeout 60 python3 "$dir/smtpsmug" -c "$test" --port "$smtp" \
            -t user@example.test 127.0.0.1 > "$dir/one.log" 2>&1 || :
        { echo "== $test"; cat "$dir/one.log"; } >> "$dir/smtpsmug.log"

        # "pipelining" looks for what Postfix does about DATA that is not
        # waited for, and is no end of data

        if [ "$test" = pipelining ]; then
            other="pipelining: $(grep -m 1 -o \
                '^Server [a-z]* bad protocol synchronization' \
                "$dir/one.log" || echo 'unsure')"

        elif grep -q '250-\|Successfully sent a mail\|was accepted' \
                 <(sed '1,/SEND:.* ending\./d' "$dir/one.log")
        then
            bad smtpsmug "$test was taken, see $dir/smtpsmug.log"

        else
            good=$((good + 1))
        fi
    done

    kill "$sink_pid"
    say smtpsmug "$good refused; $other"
}

exam_injection() {
    local repo=Email-Analysis-Toolkit+command-injection-tester
    local log=$dir/injection.log

    if ! has_mirror $repo; then
        say injection "left out: no MIRROR with $repo"
        return
    fi

    mirrored $repo command-injection-tester > "$dir/command-injection-tester"

    (cd "$dir" && timeout 120 python3 command-injection-tester --smtp \
        --smtp-port "$smtp" --nocolor --logdir "$dir/injection" localhost) \
        > "$log" 2>&1 || :

    if grep -q 'Sanity test done' "$log" \
       && grep -q 'TLS handshake failed\|Probably no command' "$log" \
       && ! grep -qi 'injection here' "$log"
    then
        say injection "none found: $(grep -o 'TLS handshake failed.*' "$log" \
            || grep -o 'Probably no command.*' "$log")"
    else
        bad injection "see $log"
    fi
}

exam_testssl() {
    local how args findings

    if ! command -v testssl > /dev/null; then
        say testssl "left out: there is no testssl"
        return
    fi

    for how in starttls implicit; do

        args=(-t smtp "localhost:$smtp")
        [ $how = starttls ] || args=("localhost:$smtps")

        rm -f "$dir/testssl.$how.json"

        timeout 900 testssl --quiet --color 0 --warnings off --ip 127.0.0.1 \
            --nodns none --jsonfile "$dir/testssl.$how.json" "${args[@]}" \
            > "$dir/testssl.$how.log" 2>&1 < /dev/null || :

        # what the certificate is made of is not the server's doing

        findings=$(python3 "$dir/findings.py" "$dir/testssl.$how.json") \
            || findings='no result'

        if [ -z "$findings" ]; then
            say testssl "$how: nothing of weight"
        else
            bad testssl "$how: $findings, see $dir/testssl.$how.log"
        fi
    done
}


listening() {
    (exec 3<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null
}

"$root/t/tools/build-packaged.sh" "$root" "$root/build/packaged" > /dev/null

[ -d "$exams" ] || fail "no exams in $exams; say EXAMS=folder"

stop
rm -rf "$dir"
mkdir -p "$dir"/{tmp,spool}

# copies: Python leaves files beside what it runs

cp -r "$exams" "$dir/runners"
chmod -R u+w "$dir/runners"

ports=()

for name in smtp smtps strict submit submits proxy xclient auth sink; do
    ports+=("$(free_port 3525 "${ports[@]}")")
    declare "$name=${ports[-1]}"
done

# a next hop that takes all, for tools that have none

cat > "$dir/sink.py" << 'END'
import socketserver, sys


class Sink(socketserver.StreamRequestHandler):
    def handle(self):
        data = False
        self.say("220 sink")
        for line in self.rfile:
            if data:
                if line != b".\r\n":
                    continue
                data = False
            verb = line[:4].upper()
            if verb == b"DATA":
                data = True
                self.say("354 go on")
            elif verb == b"QUIT":
                return self.say("221 bye")
            else:
                self.say("250 ok")

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")


socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer.daemon_threads = True
socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[1])),
                                Sink).serve_forever()
END

# the service that checks logins, docs/backends/auth.md

cat > "$dir/auth.py" << 'END'
import hmac, http.server, sys, urllib.parse

USER, PASSWORD = sys.argv[2:]


class Auth(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        get = lambda name: urllib.parse.unquote(self.headers.get(name, ""))
        want = PASSWORD
        if get("Auth-Method") == "cram-md5":
            want = hmac.new(PASSWORD.encode(), get("Auth-Salt").encode(),
                            "md5").hexdigest()
        good = get("Auth-User") == USER and get("Auth-Pass") == want
        self.send_response(200)
        self.send_header("Auth-Status", "OK" if good else "Invalid login")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])),
                                Auth).serve_forever()
END

# of testssl: what is of weight and not about the certificate

cat > "$dir/findings.py" << 'END'
import json, re, sys

found = json.load(open(sys.argv[1]))
assert len(found) > 50, "too few"

for f in found:
    if f["severity"] in ("LOW", "MEDIUM", "HIGH", "CRITICAL", "WARN", "FATAL") \
       and not re.match(r"cert|OCSP|DNS_CAA|overall|grade|scan|engine", f["id"]):
        print("%s (%s: %s)" % (f["id"], f["severity"], f["finding"]), end=" ")
END

python3 "$dir/auth.py" "$auth" "$user" "$password" > "$dir/auth.log" 2>&1 &
auth_pid=$!
trap 'stop; kill $auth_pid' EXIT

wait_for listening "$auth" || fail "no service for logins"
start

for name in ${*:-aiosmtpd chasquid xclient clients fuzz smtpsmug injection
                 testssl}
do
    "exam_$name"
done

stop

if grep -q '\[\(alert\|emerg\|crit\)\]\|Sanitizer\|runtime error:' \
        "$dir/error.log" "$dir/start.log"
then
    bad nginx "alerts, see $dir/error.log"
fi

exit $status

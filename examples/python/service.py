#!/usr/bin/env python3

# Copyright (C) ngx_mail_smtp_ext authors

"""The HTTP service of docs/guide/platform.md: whose mail it is.

    MAIL_KEY=secret python3 service.py [address:port [users.json]]
    python3 service.py --password < password

The first answers /auth (docs/backends/auth.md: who may log in, and send what)
and /hooks (docs/backends/hooks.md: who gets mail, where it goes, who gets a
copy).  The second prints what users.json has for a password.

The standard library is enough.  A platform would have a database in place of
users.json; the rest stays as it is.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import signal
import sys
import threading
import unicodedata
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ITERATIONS = 4096
MAX_BODY = 1024 * 1024


# Passwords are kept as keys of SCRAM-SHA-256 (RFC 5802, 3): from them nobody
# gets the password, they serve a client that never sends it, and one that
# sends it is checked by making them again.


def b64(octets):
    return base64.b64encode(octets).decode()


def scram_keys(password, salt, iterations):
    # SASLprep (RFC 4013), near enough: what is not ASCII is normalized

    password = unicodedata.normalize("NFKC", password).encode()
    salted = hashlib.pbkdf2_hmac("sha256", password, salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")

    return {
        "salt": b64(salt),
        "iterations": iterations,
        "storedKey": b64(hashlib.sha256(client).digest()),
        "serverKey": b64(hmac.digest(salted, b"Server Key", "sha256")),
    }


def password_is(password, keys):
    salt = base64.b64decode(keys["salt"])
    made = scram_keys(password, salt, keys["iterations"])

    return hmac.compare_digest(made["storedKey"], keys["storedKey"])


def token_is(token, digests):
    digest = hashlib.sha256(token.encode()).hexdigest()

    return any([hmac.compare_digest(digest, d) for d in digests])


# who is not there takes as long as who is

NOBODY = {"keys": scram_keys(secrets.token_hex(), os.urandom(16), ITERATIONS)}


class Users:
    """users.json, read again when it has changed."""

    def __init__(self, path):
        self.path = path
        self.lock = threading.Lock()
        self.stamp = None

    def load(self):
        with self.lock:
            stat = os.stat(self.path)
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)

            if stamp != self.stamp:
                with open(self.path, encoding="utf-8") as f:
                    self.users = json.load(f)
                self.stamp = stamp

            return self.users

    def user(self, name):
        return self.load().get(name.lower())

    def mailbox(self, address):
        """Whose an address is, with aliases and user+anything."""

        local, _, domain = address.lower().rpartition("@")
        address = local.partition("+")[0] + "@" + domain

        for name, user in self.load().items():
            if address == name or address in user.get("aliases", []):
                return name, user

        return None, None


def auth(users, headers):
    """The headers of an answer to the headers of a question."""

    method = headers["auth-method"]
    name = headers.get("auth-user", "").lower()

    if method == "oauthbearer" and not name:
        token = headers.get("auth-token", "")
        name = next((n for n, u in users.load().items()
                     if token_is(token, u.get("tokens", []))), "")

    user = users.user(name)
    known = user or NOBODY
    answer = {}

    if method == "plain":
        good = password_is(headers.get("auth-pass", ""), known["keys"])

    elif method == "scram-sha-256":
        # whoever shows that he knows the password is let in by nginx

        good = True

        if user:
            answer = {
                "Auth-Scram-Salt": user["keys"]["salt"],
                "Auth-Scram-Iterations": user["keys"]["iterations"],
                "Auth-Scram-Stored-Key": user["keys"]["storedKey"],
                "Auth-Scram-Server-Key": user["keys"]["serverKey"],
            }

    elif method in ("oauthbearer", "xoauth2"):
        good = token_is(headers.get("auth-token", ""), known.get("tokens", []))

    else:
        good = False

    if not good or not user:
        return {"Auth-Status": "Invalid login or password"}

    if "locked" in user:
        return {**answer, "Auth-Status": user["locked"],
                "Auth-Error-Code": "535 5.7.13"}

    answer["Auth-Status"] = "OK"
    answer["Auth-User"] = name
    answer["Auth-Senders"] = ", ".join([name] + user.get("aliases", []))

    if "maxSize" in user:
        answer["Auth-Max-Size"] = user["maxSize"]

    if "maxRecipients" in user:
        answer["Auth-Max-Rcpt"] = user["maxRecipients"]

    if "sendsBy" in user:
        answer["Auth-Route"] = user["sendsBy"]

    return answer


def refuse(status, enhanced, message):
    return {"action": "reject",
            "response": {"status": status, "enhancedStatus": enhanced,
                         "message": message}}


def hook(users, question):
    """The JSON of an answer to the JSON of a question."""

    context = question["context"]
    login = context.get("sasl", {}).get("login")

    if context["stage"] == "rcpt" and login is None:
        address = question["envelope"]["to"][-1]["address"]
        _, user = users.mailbox(address)

        if user is None:
            return refuse(550, "5.1.1", "No such user")

        if "locked" in user:
            return refuse(550, "5.2.1", "Mailbox is disabled")

        return {"action": "accept", "route": [{"pass": user["mailbox"]}]}

    if context["stage"] == "data" and login is not None:
        user = users.user(login)

        if user and "archive" in user:
            return {"action": "accept",
                    "modifications": [{"type": "addRecipient",
                                       "value": user["archive"],
                                       "parameters": {"notify": "NEVER"}}]}

    return {"action": "accept"}


# nginx writes " ", "%" and control characters of a header as %XX, and octets
# above 127, of UTF-8, as they are.  http.server has a character for each octet.


def plain_text(value):
    octets = value.encode("latin-1")
    parts = octets.split(b"%")
    octets = parts[0] + b"".join(bytes.fromhex(p[:2].decode()) + p[2:]
                                 for p in parts[1:])

    return octets.decode("utf-8", "replace")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"       # connections are kept
    timeout = 120                       # and closed when nobody uses them
    wbufsize = -1                       # an answer is one write

    users = None
    key = ""

    def do_GET(self):
        if self.path != "/auth":
            return self.answer(404)

        try:
            headers = {k.lower(): plain_text(v)
                       for k, v in self.headers.items()}
            answer = auth(self.users, headers)

        except (KeyError, ValueError) as e:
            return self.answer(400, error=e)

        except OSError as e:
            return self.answer(500, error=e)

        print("auth", headers["auth-method"],
              ascii(headers.get("auth-user", "")), headers.get("client-ip"),
              answer["Auth-Status"], flush=True)

        self.answer(200, headers=answer)

    def do_POST(self):
        try:
            size = int(self.headers["Content-Length"])

            if not 0 <= size <= MAX_BODY:
                raise ValueError("size")

            body = self.rfile.read(size)

            if self.path != "/hooks":
                return self.answer(404)

            question = json.loads(body)
            answer = hook(self.users, question)

        except (AttributeError, LookupError, TypeError, ValueError) as e:
            self.close_connection = True
            return self.answer(400, error=e)

        except OSError as e:
            return self.answer(500, error=e)

        print("hook", question["context"]["stage"],
              question["context"]["client"]["ip"], answer["action"],
              flush=True)

        self.answer(200, {"Content-Type": "application/json"},
                    json.dumps(answer).encode())

    def answer(self, status, headers=None, body=b"", error=None):
        if error is not None:
            print("error:", repr(error), file=sys.stderr, flush=True)

        self.send_response(status)

        for name, value in (headers or {}).items():
            self.send_header(name, str(value).encode().decode("latin-1"))

        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    # only nginx may ask

    def parse_request(self):
        if not super().parse_request():
            return False

        key = self.headers.get("X-Mail-Key", "").encode("latin-1")

        if hmac.compare_digest(key, self.key.encode()):
            return True

        self.close_connection = True
        self.answer(403)

        return False

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 512


def main(argv):
    if argv[1:] == ["--password"]:
        password = sys.stdin.readline().rstrip("\r\n")
        print(json.dumps(scram_keys(password, os.urandom(16), ITERATIONS)))
        return

    listen = argv[1] if len(argv) > 1 else "127.0.0.1:8080"
    path = argv[2] if len(argv) > 2 else "users.json"

    Handler.users = Users(path)
    Handler.users.load()
    Handler.key = os.environ["MAIL_KEY"]

    host, _, port = listen.rpartition(":")
    server = Server((host, int(port)), Handler)

    # what has been asked is answered before the end

    def end(*_):
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    server.daemon_threads = True

    print("listening on", listen, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv)

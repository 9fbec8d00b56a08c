#!/usr/bin/env node

// Copyright (C) ngx_mail_smtp_ext authors

// The HTTP service of docs/guide/platform.md: whose mail it is.
//
//     MAIL_KEY=secret node service.js [address:port [users.json]]
//     node service.js --password < password
//
// The first answers /auth (docs/backends/auth.md: who may log in, and send
// what) and /hooks (docs/backends/hooks.md: who gets mail, where it goes, who
// gets a copy).  The second prints what users.json has for a password.
//
// Node's own modules are enough.  A platform would have a database in place of
// users.json; the rest stays as it is.

'use strict';

const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const { promisify } = require('util');

const pbkdf2 = promisify(crypto.pbkdf2);

const ITERATIONS = 4096;
const MAX_BODY = 1024 * 1024;


// Passwords are kept as keys of SCRAM-SHA-256 (RFC 5802, 3): from them nobody
// gets the password, they serve a client that never sends it, and one that
// sends it is checked by making them again.

const sha256 = (data) => crypto.createHash('sha256').update(data);
const hmac = (key, data) =>
    crypto.createHmac('sha256', key).update(data).digest();

async function scramKeys(password, salt, iterations) {
    // SASLprep (RFC 4013), near enough: what is not ASCII is normalized

    const salted = await pbkdf2(password.normalize('NFKC'), salt, iterations,
                                32, 'sha256');

    return {
        salt: salt.toString('base64'),
        iterations,
        storedKey: sha256(hmac(salted, 'Client Key')).digest('base64'),
        serverKey: hmac(salted, 'Server Key').toString('base64'),
    };
}

// in a time that says nothing about them

function same(a, b) {
    return crypto.timingSafeEqual(sha256(a).digest(), sha256(b).digest());
}

async function passwordIs(password, keys) {
    const salt = Buffer.from(keys.salt, 'base64');
    const made = await scramKeys(password, salt, keys.iterations);

    return same(made.storedKey, keys.storedKey);
}

function tokenIs(token, digests) {
    const digest = sha256(token).digest('hex');

    return digests.filter((d) => same(digest, d)).length > 0;
}


// users.json, read again when it has changed

const users = { path: 'users.json', stamp: '', list: new Map() };

function load() {
    const { mtimeMs, size, ino } = fs.statSync(users.path);
    const stamp = `${mtimeMs} ${size} ${ino}`;

    if (stamp !== users.stamp) {
        users.list = new Map(Object.entries(
            JSON.parse(fs.readFileSync(users.path, 'utf8'))));
        users.stamp = stamp;
    }

    return users.list;
}

// whose an address is, with aliases and user+anything

function mailbox(address) {
    const at = address.lastIndexOf('@');
    const local = address.slice(0, at).toLowerCase().split('+')[0];
    const plain = `${local}@${address.slice(at + 1).toLowerCase()}`;

    for (const [name, user] of load()) {
        if (plain === name || (user.aliases || []).includes(plain)) {
            return user;
        }
    }

    return undefined;
}


// the headers of an answer to the headers of a question

const nobody = scramKeys(crypto.randomBytes(16).toString('hex'),
                         crypto.randomBytes(16), ITERATIONS);

async function auth(headers) {
    const method = headers['auth-method'];
    const token = headers['auth-token'] || '';
    let name = (headers['auth-user'] || '').toLowerCase();

    if (method === 'oauthbearer' && name === '') {
        for (const [n, u] of load()) {
            if (tokenIs(token, u.tokens || [])) {
                name = n;
            }
        }
    }

    const user = load().get(name);
    const answer = {};
    let good = false;

    if (method === 'plain') {
        // who is not there takes as long as who is

        good = await passwordIs(headers['auth-pass'] || '',
                                user ? user.keys : await nobody);

    } else if (method === 'scram-sha-256') {
        // whoever shows that he knows the password is let in by nginx

        good = true;

        if (user) {
            answer['Auth-Scram-Salt'] = user.keys.salt;
            answer['Auth-Scram-Iterations'] = user.keys.iterations;
            answer['Auth-Scram-Stored-Key'] = user.keys.storedKey;
            answer['Auth-Scram-Server-Key'] = user.keys.serverKey;
        }

    } else if (method === 'oauthbearer' || method === 'xoauth2') {
        good = tokenIs(token, (user && user.tokens) || []);
    }

    if (!good || !user) {
        return { 'Auth-Status': 'Invalid login or password' };
    }

    if (user.locked) {
        return { ...answer, 'Auth-Status': user.locked,
                 'Auth-Error-Code': '535 5.7.13' };
    }

    answer['Auth-Status'] = 'OK';
    answer['Auth-User'] = name;
    answer['Auth-Senders'] = [name, ...(user.aliases || [])].join(', ');

    if (user.maxSize) {
        answer['Auth-Max-Size'] = user.maxSize;
    }

    if (user.maxRecipients) {
        answer['Auth-Max-Rcpt'] = user.maxRecipients;
    }

    if (user.sendsBy) {
        answer['Auth-Route'] = user.sendsBy;
    }

    return answer;
}


// the JSON of an answer to the JSON of a question

function refuse(status, enhancedStatus, message) {
    return { action: 'reject', response: { status, enhancedStatus, message } };
}

function hook({ context, envelope }) {
    if (context.stage === 'rcpt' && !context.sasl) {
        const user = mailbox(envelope.to[envelope.to.length - 1].address);

        if (!user) {
            return refuse(550, '5.1.1', 'No such user');
        }

        if (user.locked) {
            return refuse(550, '5.2.1', 'Mailbox is disabled');
        }

        return { action: 'accept', route: [ { pass: user.mailbox } ] };
    }

    if (context.stage === 'data' && context.sasl) {
        const user = load().get(context.sasl.login.toLowerCase());

        if (user && user.archive) {
            return { action: 'accept',
                     modifications: [ { type: 'addRecipient',
                                        value: user.archive,
                                        parameters: { notify: 'NEVER' } } ] };
        }
    }

    return { action: 'accept' };
}


// nginx writes " ", "%" and control characters of a header as %XX, and octets
// above 127, of UTF-8, as they are.  Node has a character for each octet.

function plainText(value) {
    return Buffer.from(value.replace(/%([0-9A-Fa-f]{2})/g, (_, hex) =>
        String.fromCharCode(parseInt(hex, 16))), 'latin1').toString();
}

function octets(headers) {
    return Object.fromEntries(Object.entries(headers).map(([name, value]) =>
        [name, Buffer.from(String(value)).toString('latin1')]));
}

async function read(request) {
    const parts = [];
    let size = 0;

    for await (const part of request) {
        size += part.length;

        if (size > MAX_BODY) {
            throw new Error('size');
        }

        parts.push(part);
    }

    return Buffer.concat(parts).toString();
}

async function handle(request, response) {
    const route = `${request.method} ${request.url}`;

    // only nginx may ask

    if (!same(request.headers['x-mail-key'] || '', process.env.MAIL_KEY)) {
        response.writeHead(403, { Connection: 'close' }).end();

    } else if (route === 'GET /auth') {
        const headers = {};

        for (const [name, value] of Object.entries(request.headers)) {
            headers[name] = plainText(String(value));
        }

        const answer = await auth(headers);

        console.log('auth', headers['auth-method'],
                    JSON.stringify(headers['auth-user'] || ''),
                    headers['client-ip'], answer['Auth-Status']);

        response.writeHead(200, octets({ ...answer, 'Content-Length': 0 }))
                .end();

    } else if (route === 'POST /hooks') {
        const question = JSON.parse(await read(request));
        const answer = hook(question);
        const body = Buffer.from(JSON.stringify(answer));

        console.log('hook', question.context.stage,
                    question.context.client.ip, answer.action);

        response.writeHead(200, { 'Content-Type': 'application/json',
                                  'Content-Length': body.length }).end(body);

    } else {
        response.writeHead(404, { 'Content-Length': 0 }).end();
    }
}


async function main([ listen = '127.0.0.1:8080', path = 'users.json' ]) {
    if (listen === '--password') {
        const password = fs.readFileSync(0, 'utf8').split(/\r?\n/)[0];
        const salt = crypto.randomBytes(16);

        console.log(JSON.stringify(await scramKeys(password, salt,
                                                   ITERATIONS)));
        return;
    }

    if (!process.env.MAIL_KEY) {
        throw new Error('no MAIL_KEY');
    }

    users.path = path;
    load();

    // connections are kept, and closed when nobody uses them

    const options = { keepAliveTimeout: 120 * 1000, maxHeaderSize: 32 * 1024 };

    const server = http.createServer(options, (request, response) => {
        handle(request, response).catch((error) => {
            console.error('error:', error.message);
            response.writeHead(error.syscall ? 500 : 400,
                               { Connection: 'close' }).end();
        });
    });

    // what has been asked is answered before the end

    for (const signal of ['SIGTERM', 'SIGINT']) {
        process.on(signal, () => {
            server.close();
            server.closeIdleConnections();
        });
    }

    const at = listen.lastIndexOf(':');

    server.listen(Number(listen.slice(at + 1)), listen.slice(0, at), () => {
        console.log('listening on', listen);
    });
}

main(process.argv.slice(2)).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
});


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_check.h>


/*
 * One check: a connection, as much of a dialogue (RFC 5321, 4.3) as is wanted,
 * and QUIT.  Whatever the server sends is bounded by the parser of replies,
 * and the whole by a timer.
 */


/* a reply's line fits, see NGX_SMTP_ANSWER_LINE_MAX */
#define NGX_SMTP_CHECK_IN_SIZE  2048


enum {
    NGX_SMTP_CHECK_AT_CONNECT = 0,
    NGX_SMTP_CHECK_AT_GREETING,
    NGX_SMTP_CHECK_AT_HELLO,
    NGX_SMTP_CHECK_AT_NOOP,
    NGX_SMTP_CHECK_AT_STARTTLS,
    NGX_SMTP_CHECK_AT_HANDSHAKE
};


static void ngx_smtp_check_handler(ngx_event_t *ev);
static void ngx_smtp_check_connected(ngx_smtp_check_t *check);
static ngx_int_t ngx_smtp_check_proxy(ngx_smtp_check_t *check);
static void ngx_smtp_check_io(ngx_smtp_check_t *check);
static ngx_int_t ngx_smtp_check_write(ngx_smtp_check_t *check);
static ngx_int_t ngx_smtp_check_read(ngx_smtp_check_t *check);
static ngx_int_t ngx_smtp_check_parse(ngx_smtp_check_t *check);
static ngx_int_t ngx_smtp_check_answer(ngx_smtp_check_t *check,
    ngx_uint_t code);
static ngx_int_t ngx_smtp_check_hello(ngx_smtp_check_t *check, char *verb);
static ngx_int_t ngx_smtp_check_command(ngx_smtp_check_t *check,
    ngx_uint_t step, char *command);
static void ngx_smtp_check_handshake(ngx_smtp_check_t *check);
static void ngx_smtp_check_handshake_handler(ngx_event_t *ev);
static void ngx_smtp_check_end(ngx_smtp_check_t *check, char *reason,
    ngx_uint_t code);


void
ngx_smtp_check_run(ngx_smtp_check_t *check)
{
    u_char            *p;
    ngx_int_t          rc;
    ngx_connection_t  *c;

    rc = ngx_smtp_peer_connect(&check->peer, &c);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        ngx_smtp_check_done(check, "connect() failed", 0);
        return;
    }

    check->connection = c;
    check->step = NGX_SMTP_CHECK_AT_CONNECT;
    check->connected = 0;
    check->starttls = 0;

    ngx_memzero(&check->parser, sizeof(ngx_smtp_answer_t));
    ngx_str_null(&check->out);

    p = ngx_pnalloc(c->pool, NGX_SMTP_CHECK_IN_SIZE);
    if (p == NULL) {
        ngx_smtp_check_end(check, "no memory", 0);
        return;
    }

    check->in.start = check->in.pos = check->in.last = p;
    check->in.end = p + NGX_SMTP_CHECK_IN_SIZE;

    c->data = check;
    c->log->action = "checking upstream server";
    c->read->handler = ngx_smtp_check_handler;
    c->write->handler = ngx_smtp_check_handler;

    /* a worker that stops needs not wait for it */

    c->idle = 1;

    ngx_add_timer(&check->timer, check->upstream->check->timeout);

    if (rc == NGX_OK) {
        ngx_smtp_check_connected(check);
    }
}


void
ngx_smtp_check_stop(ngx_smtp_check_t *check)
{
    ngx_connection_t  *c;

    c = check->connection;

    if (c == NULL) {
        return;
    }

    check->connection = NULL;

    c->idle = 0;

    ngx_smtp_peer_close(c);
}


static void
ngx_smtp_check_handler(ngx_event_t *ev)
{
    ngx_connection_t  *c;
    ngx_smtp_check_t  *check;

    c = ev->data;
    check = c->data;

    if (c->close || c->error) {
        /* the worker stops */
        ngx_smtp_check_stop(check);
        return;
    }

    if (!check->connected) {

        if (ngx_smtp_peer_connected(c) != NGX_OK) {
            ngx_smtp_check_end(check, "connect() failed", 0);
            return;
        }

        ngx_smtp_check_connected(check);
        return;
    }

    ngx_smtp_check_io(check);
}


static void
ngx_smtp_check_connected(ngx_smtp_check_t *check)
{
    check->connected = 1;

    if (ngx_smtp_check_proxy(check) != NGX_OK) {
        ngx_smtp_check_end(check, "connection ended", 0);
        return;
    }

    switch (check->upstream->check->type) {

    case NGX_SMTP_CHECK_CONNECT:
        ngx_smtp_check_end(check, NULL, 0);
        return;

    case NGX_SMTP_CHECK_TLS:
        ngx_smtp_check_handshake(check);
        return;
    }

    check->step = NGX_SMTP_CHECK_AT_GREETING;

    ngx_smtp_check_io(check);
}


/*
 * The client is this machine: by its addresses, and not by LOCAL of version 2,
 * so that all servers take it.
 */

static ngx_int_t
ngx_smtp_check_proxy(ngx_smtp_check_t *check)
{
    u_char            *last;
    ngx_uint_t         version;
    ngx_connection_t  *c;
    ngx_smtp_proxy_t   proxy;
    u_char             buf[NGX_SMTP_PROXY_MAX];

    version = check->upstream->check->proxy_protocol;

    if (version == 0) {
        return NGX_OK;
    }

    c = check->connection;

    if (ngx_connection_local_sockaddr(c, NULL, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memzero(&proxy, sizeof(ngx_smtp_proxy_t));

    proxy.source = c->local_sockaddr;
    proxy.destination = check->peer.sockaddr;

    last = (version == 1) ? ngx_smtp_proxy_v1_write(buf, &proxy)
                          : ngx_smtp_proxy_v2_write(buf, &proxy);

    /* these are the first octets of a connection: there is room for them */

    return (c->send(c, buf, last - buf) == last - buf) ? NGX_OK : NGX_ERROR;
}


static void
ngx_smtp_check_io(ngx_smtp_check_t *check)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = check->connection;

    do {
        rc = ngx_smtp_check_write(check);

        if (rc == NGX_OK) {
            rc = ngx_smtp_check_read(check);
        }

    } while (rc == NGX_OK);

    if (rc == NGX_DONE) {
        return;
    }

    if (rc == NGX_ERROR
        || ngx_handle_read_event(c->read, 0) != NGX_OK
        || ngx_handle_write_event(c->write, 0) != NGX_OK)
    {
        ngx_smtp_check_end(check, "connection ended", 0);
    }
}


/* in both: NGX_OK: done so far, NGX_DONE: the check has ended */

static ngx_int_t
ngx_smtp_check_write(ngx_smtp_check_t *check)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = check->connection;

    while (check->out.len) {

        n = c->send(c, check->out.data, check->out.len);

        if (n == NGX_AGAIN || n == NGX_ERROR) {
            return n;
        }

        check->out.data += n;
        check->out.len -= n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_check_read(ngx_smtp_check_t *check)
{
    size_t             left;
    ssize_t            n;
    ngx_int_t          rc;
    ngx_buf_t         *b;
    ngx_connection_t  *c;

    c = check->connection;
    b = &check->in;

    rc = ngx_smtp_check_parse(check);

    if (rc != NGX_AGAIN) {
        return rc;
    }

    left = b->last - b->pos;

    if (b->pos != b->start) {
        ngx_memmove(b->start, b->pos, left);
        b->pos = b->start;
        b->last = b->start + left;
    }

    n = c->recv(c, b->last, b->end - b->last);

    if (n == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (n == NGX_ERROR || n == 0) {
        return NGX_ERROR;
    }

    b->last += n;

    return NGX_OK;
}


/* NGX_OK: a reply has led to something to be written */

static ngx_int_t
ngx_smtp_check_parse(ngx_smtp_check_t *check)
{
    ngx_int_t   rc;
    ngx_str_t  *text;
    ngx_uint_t  code;

    for ( ;; ) {
        rc = ngx_smtp_answer_parse(&check->parser, &check->in);

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (rc == NGX_ERROR) {
            ngx_smtp_check_end(check, "an invalid reply", 0);
            return NGX_DONE;
        }

        text = &check->parser.text;

        if (check->step == NGX_SMTP_CHECK_AT_HELLO
            && text->len == sizeof("STARTTLS") - 1
            && ngx_strncasecmp(text->data, (u_char *) "STARTTLS", text->len)
               == 0)
        {
            check->starttls = 1;
        }

        if (check->parser.last) {
            break;
        }
    }

    code = check->parser.code;

    ngx_memzero(&check->parser, sizeof(ngx_smtp_answer_t));

    return ngx_smtp_check_answer(check, code);
}


static ngx_int_t
ngx_smtp_check_answer(ngx_smtp_check_t *check, ngx_uint_t code)
{
    ngx_uint_t  expected, type;

    type = check->upstream->check->type;

    expected = (check->step == NGX_SMTP_CHECK_AT_GREETING
                || check->step == NGX_SMTP_CHECK_AT_STARTTLS) ? 220 : 250;

    if (code != expected) {
        ngx_smtp_check_end(check, "reply was", code);
        return NGX_DONE;
    }

    switch (check->step) {

    case NGX_SMTP_CHECK_AT_GREETING:

        if (type == NGX_SMTP_CHECK_NOOP) {

            /* RFC 5321, 4.1.4: NOOP can be used without EHLO before it */

            return ngx_smtp_check_command(check, NGX_SMTP_CHECK_AT_NOOP,
                                          "NOOP" CRLF);
        }

        if (type != NGX_SMTP_CHECK_BANNER) {
            return ngx_smtp_check_hello(check, type == NGX_SMTP_CHECK_LHLO
                                               ? "LHLO" : "EHLO");
        }

        break;

    case NGX_SMTP_CHECK_AT_HELLO:

        if (type != NGX_SMTP_CHECK_STARTTLS) {
            break;
        }

        if (!check->starttls) {
            ngx_smtp_check_end(check, "no STARTTLS", 0);
            return NGX_DONE;
        }

        return ngx_smtp_check_command(check, NGX_SMTP_CHECK_AT_STARTTLS,
                                      "STARTTLS" CRLF);

    case NGX_SMTP_CHECK_AT_STARTTLS:

        if (check->in.pos != check->in.last) {
            /* behind 220 is what comes after the handshake, or an attack */
            ngx_smtp_check_end(check, "an invalid reply", 0);
            return NGX_DONE;
        }

        ngx_smtp_check_handshake(check);
        return NGX_DONE;
    }

    ngx_smtp_check_end(check, NULL, 0);

    return NGX_DONE;
}


static ngx_int_t
ngx_smtp_check_hello(ngx_smtp_check_t *check, char *verb)
{
    u_char     *p;
    ngx_str_t  *helo;

    helo = &check->upstream->check->helo;

    p = ngx_pnalloc(check->connection->pool,
                    sizeof("EHLO " CRLF) + helo->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    *ngx_sprintf(p, "%s %V" CRLF, verb, helo) = '\0';

    return ngx_smtp_check_command(check, NGX_SMTP_CHECK_AT_HELLO, (char *) p);
}


static ngx_int_t
ngx_smtp_check_command(ngx_smtp_check_t *check, ngx_uint_t step,
    char *command)
{
    check->step = step;

    check->out.data = (u_char *) command;
    check->out.len = ngx_strlen(command);

    return NGX_OK;
}


static void
ngx_smtp_check_handshake(ngx_smtp_check_t *check)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = check->connection;

    check->step = NGX_SMTP_CHECK_AT_HANDSHAKE;

    rc = ngx_smtp_peer_tls_start(check->upstream->check->tls.tls, c,
                                 check->peer.sockaddr, check->peer.socklen,
                                 &check->peer.host);

    if (rc == NGX_OK) {
        rc = ngx_smtp_peer_tls_handshake(c, ngx_smtp_check_handshake_handler);
    }

    if (rc != NGX_AGAIN) {
        ngx_smtp_check_end(check, rc == NGX_OK ? NULL : "TLS failed", 0);
    }
}


static void
ngx_smtp_check_handshake_handler(ngx_event_t *ev)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;
    ngx_smtp_check_t  *check;

    c = ev->data;
    check = c->data;

    if (c->close || c->error) {
        ngx_smtp_check_stop(check);
        return;
    }

    rc = ngx_smtp_peer_tls_handshake(c, ngx_smtp_check_handshake_handler);

    if (rc != NGX_AGAIN) {
        ngx_smtp_check_end(check, rc == NGX_OK ? NULL : "TLS failed", 0);
    }
}


static void
ngx_smtp_check_end(ngx_smtp_check_t *check, char *reason, ngx_uint_t code)
{
    ngx_connection_t  *c;

    c = check->connection;

    /* RFC 5321, 4.1.1.10; its reply is not waited for */

    if (check->step >= NGX_SMTP_CHECK_AT_GREETING
        && check->step < NGX_SMTP_CHECK_AT_STARTTLS
        && check->out.len == 0
        && !c->read->eof && !c->read->error)
    {
        (void) c->send(c, (u_char *) "QUIT" CRLF, sizeof("QUIT" CRLF) - 1);
    }

    ngx_smtp_check_stop(check);
    ngx_smtp_check_done(check, reason, code);
}

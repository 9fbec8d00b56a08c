
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_http.h>
#include <ngx_smtp_http_private.h>


/*
 * A request on a connection: sends it, reads the answer.  A service may answer
 * before it has heard all (RFC 9112, 9.3), so both go on side by side, and the
 * connection is of no use then.
 */


static void ngx_smtp_http_write_handler(ngx_event_t *wev);
static void ngx_smtp_http_read_handler(ngx_event_t *rev);
static ngx_int_t ngx_smtp_http_connected(ngx_smtp_http_request_t *r);
static ngx_int_t ngx_smtp_http_write(ngx_smtp_http_request_t *r);
static ngx_int_t ngx_smtp_http_write_pieces(ngx_smtp_http_request_t *r);
static ngx_int_t ngx_smtp_http_next_piece(ngx_smtp_http_request_t *r);
static ngx_int_t ngx_smtp_http_write_chain(ngx_smtp_http_request_t *r);
static ngx_int_t ngx_smtp_http_read(ngx_smtp_http_request_t *r,
    char **reason);


ngx_int_t
ngx_smtp_http_request_init(ngx_smtp_http_request_t *r)
{
    u_char     *p;
    off_t       length;
    size_t      len;
    ngx_str_t  *uri, *host;

    uri = &r->url->uri;
    host = &r->url->host;

    len = r->method.len + uri->len + sizeof("  HTTP/1.1" CRLF) - 1
          + host->len + sizeof("Host: " CRLF) - 1
          + r->fields.len
          + sizeof("Content-Type: " CRLF) - 1 + r->type.len
          + sizeof("Content-Length: " CRLF) - 1 + NGX_OFF_T_LEN
          + sizeof(CRLF) - 1
          + r->body.len;

    length = r->piece ? r->length : (off_t) r->body.len;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    r->head.data = p;

    p = ngx_sprintf(p, "%V %V HTTP/1.1" CRLF "Host: %V" CRLF,
                    &r->method, uri, host);

    p = ngx_cpymem(p, r->fields.data, r->fields.len);

    if (length) {
        p = ngx_sprintf(p, "Content-Type: %V" CRLF "Content-Length: %O" CRLF,
                        &r->type, length);
    }

    *p++ = CR; *p++ = LF;

    p = ngx_cpymem(p, r->body.data, r->body.len);

    r->head.len = p - r->head.data;

    return NGX_OK;
}


void
ngx_smtp_http_send(ngx_smtp_http_request_t *r, ngx_int_t rc)
{
    ngx_connection_t  *c;

    c = r->connection;

    r->sent = 0;
    r->out = NULL;
    r->begun = 0;
    r->complete = 0;
    r->waiting = 0;
    r->connected = r->kept;
    r->broken = 0;
    r->heard = 0;

    /* memory for an answer is taken when one begins */

    r->in.last = r->in.start;

    /* a kept one that turns out to be gone is no error */

    c->log_error = r->kept ? NGX_ERROR_INFO : NGX_ERROR_ERR;

    c->data = r;
    c->read->handler = ngx_smtp_http_read_handler;
    c->write->handler = ngx_smtp_http_write_handler;

    if (rc == NGX_AGAIN) {
        ngx_add_timer(c->write, r->connect_timeout);
        return;
    }

    ngx_smtp_http_write_handler(c->write);
}


void
ngx_smtp_http_begin(ngx_smtp_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    r->connected = 1;

    c->read->handler = ngx_smtp_http_read_handler;
    c->write->handler = ngx_smtp_http_write_handler;

    ngx_smtp_http_write_handler(c->write);
}


static void
ngx_smtp_http_write_handler(ngx_event_t *wev)
{
    ngx_int_t                 rc;
    ngx_connection_t         *c;
    ngx_smtp_http_request_t  *r;

    c = wev->data;
    r = c->data;

    if (wev->timedout) {
        ngx_smtp_http_timedout(r);
        return;
    }

    if (ngx_smtp_http_connected(r) != NGX_OK) {
        return;
    }

    if (r->broken || r->complete || r->waiting) {
        return;
    }

    r->spoken = 1;

    rc = r->piece ? ngx_smtp_http_write_pieces(r) : ngx_smtp_http_write(r);

    if (rc == NGX_AGAIN) {
        ngx_add_timer(wev, r->conf->send_timeout);

    } else if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    if (rc == NGX_ABORT) {
        r->ours = 1;
        ngx_smtp_http_finish(r, NGX_ERROR);
        return;
    }

    if (rc == NGX_AGAIN || rc == NGX_DONE) {

        /* meanwhile the service may have something to say */

        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_smtp_http_finish(r, NGX_ERROR);
        }

        return;
    }

    if (rc == NGX_ERROR) {

        /* maybe it has said why it does not want to hear the rest */

        r->broken = 1;
        c->read->ready = 1;
    }

    r->log->action = "reading an answer of HTTP service";
    c->log->action = r->log->action;

    ngx_add_timer(c->read, r->read_timeout);

    ngx_smtp_http_read_handler(c->read);
}


/* NGX_OK: all of it is the kernel's */

static ngx_int_t
ngx_smtp_http_write(ngx_smtp_http_request_t *r)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = r->connection;

    while (r->sent < (off_t) r->head.len) {
        n = c->send(c, r->head.data + r->sent,
                    r->head.len - (size_t) r->sent);

        if (n == NGX_AGAIN || n == 0) {
            return NGX_AGAIN;
        }

        if (n < 0) {
            return NGX_ERROR;
        }

        r->sent += n;
    }

    r->complete = 1;

    return NGX_OK;
}


/* the same; NGX_DONE: the next piece is waited for; NGX_ABORT: in vain */

static ngx_int_t
ngx_smtp_http_write_pieces(ngx_smtp_http_request_t *r)
{
    ngx_int_t  rc;

    for ( ;; ) {

        if (r->out == NULL) {

            if (r->sent == (off_t) r->head.len + r->length) {
                r->complete = 1;
                return NGX_OK;
            }

            rc = ngx_smtp_http_next_piece(r);

            if (rc != NGX_OK) {
                return rc;
            }
        }

        rc = ngx_smtp_http_write_chain(r);

        if (rc != NGX_OK) {
            return rc;
        }
    }
}


static ngx_int_t
ngx_smtp_http_next_piece(ngx_smtp_http_request_t *r)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    rc = r->piece(r, !r->begun, &r->out);

    r->begun = 1;

    if (rc != NGX_OK) {
        r->out = NULL;
        r->waiting = (rc == NGX_AGAIN);

        return r->waiting ? NGX_DONE : NGX_ABORT;
    }

    if (r->sent == 0) {

        /* in one write with what comes first of the body */

        b = &r->head_buf;

        ngx_memzero(b, sizeof(ngx_buf_t));

        b->memory = 1;
        b->pos = r->head.data;
        b->last = r->head.data + r->head.len;

        r->head_link.buf = b;
        r->head_link.next = r->out;

        r->out = &r->head_link;
    }

    for (cl = r->out; cl; cl = cl->next) {
        r->sent += ngx_buf_size(cl->buf);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_http_write_chain(ngx_smtp_http_request_t *r)
{
    ngx_chain_t       *cl;
    ngx_connection_t  *c;

    c = r->connection;

    if (c->ssl) {

        /* few records rather than one for each buffer; but all of them now */

        for (cl = r->out; cl->next; cl = cl->next) { /* void */ }

        cl->buf->flush = 1;
    }

    while (r->out) {

        if (!c->write->ready) {
            return NGX_AGAIN;
        }

        r->out = c->send_chain(c, r->out, 0);

        if (r->out == NGX_CHAIN_ERROR) {
            r->out = NULL;
            return NGX_ERROR;
        }

        if (r->out == NULL && c->buffered) {

            /* the rest is in TLS's buffer */

            ngx_memzero(&r->head_buf, sizeof(ngx_buf_t));

            r->head_buf.flush = 1;
            r->head_link.buf = &r->head_buf;
            r->head_link.next = NULL;

            r->out = &r->head_link;
        }
    }

    return NGX_OK;
}


void
ngx_smtp_http_more(ngx_smtp_http_request_t *r)
{
    if (r->waiting) {
        r->waiting = 0;
        ngx_smtp_http_write_handler(r->connection->write);
    }
}


ngx_uint_t
ngx_smtp_http_sendfile(ngx_smtp_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    return c->ssl == NULL || c->ssl->sendfile;
}


static void
ngx_smtp_http_read_handler(ngx_event_t *rev)
{
    char                     *reason;
    ngx_int_t                 rc;
    ngx_connection_t         *c;
    ngx_smtp_http_request_t  *r;

    c = rev->data;
    r = c->data;

    if (c->close) {
        /* worker_shutdown_timeout */
        ngx_smtp_http_finish(r, NGX_ERROR);
        return;
    }

    if (rev->timedout) {
        ngx_smtp_http_timedout(r);
        return;
    }

    if (ngx_smtp_http_connected(r) != NGX_OK) {
        return;
    }

    reason = "closed connection before its answer was complete";

    rc = ngx_smtp_http_read(r, &reason);

    if (rc == NGX_AGAIN) {

        if (rev->timer_set) {
            ngx_add_timer(rev, r->read_timeout);
        }

        if (ngx_handle_read_event(rev, 0) != NGX_OK) {
            ngx_smtp_http_finish(r, NGX_ERROR);
        }

        return;
    }

    if (rc == NGX_ERROR) {
        ngx_smtp_http_failed(r, reason);
        return;
    }

    if (ngx_smtp_http_pass_over(r) == NGX_OK) {
        return;
    }

    ngx_smtp_http_finish(r, NGX_OK);
}


/* NGX_OK: the answer is complete */

static ngx_int_t
ngx_smtp_http_read(ngx_smtp_http_request_t *r, char **reason)
{
    ssize_t            n;
    ngx_int_t          rc;
    ngx_buf_t         *b;
    ngx_connection_t  *c;

    c = r->connection;

    if (!c->read->ready) {
        return NGX_AGAIN;
    }

    if (!r->heard && ngx_smtp_http_parse_init(r) != NGX_OK) {
        *reason = "can't be heard: no memory";
        return NGX_ERROR;
    }

    for ( ;; ) {
        b = ngx_smtp_http_parse_room(r, reason);
        if (b == NULL) {
            return NGX_ERROR;
        }

        n = c->recv(c, b->last, b->end - b->last);

        if (n == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (n == 0) {
            return r->heard ? ngx_smtp_http_parse_eof(r) : NGX_ERROR;
        }

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        b->last += n;
        r->heard = 1;

        rc = ngx_smtp_http_parse(r, reason);

        if (rc != NGX_AGAIN) {
            break;
        }
    }

    if (rc == NGX_OK && !r->complete && r->status < 300) {

        /* what has not been heard can't have been agreed to */

        *reason = "answered before it had the request";
        return NGX_ERROR;
    }

    return rc;
}


/* whichever event comes first finds out how the connect went */

static ngx_int_t
ngx_smtp_http_connected(ngx_smtp_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    /* what many wait for may have ended for another one a moment ago */

    ngx_smtp_http_hush(r, c->log);

    if (!r->connected) {

        if (ngx_smtp_peer_connected(c) != NGX_OK) {
            ngx_smtp_http_failed(r, "can't be reached");
            return NGX_DECLINED;
        }

        if (c->write->timer_set) {
            ngx_del_timer(c->write);
        }

        if (r->url->tls && ngx_smtp_http_tls(r) != NGX_OK) {
            /* it goes on by itself */
            return NGX_DECLINED;
        }

        r->connected = 1;
        c->read->handler = ngx_smtp_http_read_handler;
        c->write->handler = ngx_smtp_http_write_handler;
    }

    if (!r->complete) {
        r->log->action = "sending a request to HTTP service";
        c->log->action = r->log->action;
    }

    return NGX_OK;
}


void
ngx_smtp_http_timedout(ngx_smtp_http_request_t *r)
{
    r->connection->timedout = 1;

    ngx_smtp_http_failed(r, "timed out");
}

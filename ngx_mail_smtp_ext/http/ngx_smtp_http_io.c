
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
static ngx_int_t ngx_smtp_http_read(ngx_smtp_http_request_t *r,
    char **reason);


ngx_int_t
ngx_smtp_http_request_init(ngx_smtp_http_request_t *r)
{
    u_char     *p;
    size_t      len;
    ngx_str_t  *uri, *host;

    uri = &r->url->uri;
    host = &r->url->host;

    len = r->method.len + uri->len + sizeof("  HTTP/1.1" CRLF) - 1
          + host->len + sizeof("Host: " CRLF) - 1
          + r->fields.len
          + sizeof("Content-Type: " CRLF) - 1 + r->type.len
          + sizeof("Content-Length: " CRLF) - 1 + NGX_SIZE_T_LEN
          + sizeof(CRLF) - 1
          + r->body.len;

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    r->head.data = p;

    p = ngx_sprintf(p, "%V %V HTTP/1.1" CRLF "Host: %V" CRLF,
                    &r->method, uri, host);

    p = ngx_cpymem(p, r->fields.data, r->fields.len);

    if (r->body.len) {
        p = ngx_sprintf(p, "Content-Type: %V" CRLF "Content-Length: %uz" CRLF,
                        &r->type, r->body.len);
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

    if (r->broken || r->sent == r->head.len) {
        return;
    }

    rc = ngx_smtp_http_write(r);

    if (rc == NGX_AGAIN) {
        ngx_add_timer(wev, r->conf->send_timeout);

        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_smtp_http_finish(r, NGX_ERROR);
        }

        return;
    }

    if (wev->timer_set) {
        ngx_del_timer(wev);
    }

    if (rc == NGX_ERROR) {

        /* maybe it has said why it does not want to hear the rest */

        r->broken = 1;
        c->read->ready = 1;
    }

    r->log->action = "reading an answer of HTTP service";
    c->log->action = r->log->action;

    ngx_add_timer(c->read, r->conf->read_timeout);

    ngx_smtp_http_read_handler(c->read);
}


/* NGX_OK: all of it is the kernel's */

static ngx_int_t
ngx_smtp_http_write(ngx_smtp_http_request_t *r)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = r->connection;

    while (r->sent < r->head.len) {
        n = c->send(c, r->head.data + r->sent, r->head.len - r->sent);

        if (n == NGX_AGAIN || n == 0) {
            return NGX_AGAIN;
        }

        if (n < 0) {
            return NGX_ERROR;
        }

        r->sent += n;
    }

    return NGX_OK;
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
            ngx_add_timer(rev, r->conf->read_timeout);
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

    if (rc == NGX_OK && r->sent < r->head.len && r->status < 300) {

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

    if (!r->connected) {

        ngx_smtp_http_hush(r, c->log);

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

    if (r->sent == 0) {
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

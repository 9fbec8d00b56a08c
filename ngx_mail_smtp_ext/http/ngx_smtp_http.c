
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_op.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_http.h>
#include <ngx_smtp_http_private.h>


/*
 * The life of one request: choose a server, connect, send, read.  One timer
 * bounds the whole, another one each connect.  What goes wrong before the
 * first octet of an answer leads to the next server, anything later is the
 * end.  All ways out go through ngx_smtp_http_finish(), but for a cancel, and
 * both through ngx_smtp_http_release().
 */


static void ngx_smtp_http_next(ngx_smtp_http_request_t *r);
static void ngx_smtp_http_resolved(ngx_smtp_op_t *op);
static ngx_int_t ngx_smtp_http_connect(ngx_smtp_http_request_t *r);
static ngx_int_t ngx_smtp_http_connected(ngx_smtp_http_request_t *r);
static void ngx_smtp_http_write_handler(ngx_event_t *wev);
static void ngx_smtp_http_read_handler(ngx_event_t *rev);
static ngx_int_t ngx_smtp_http_read(ngx_smtp_http_request_t *r,
    char **reason);
static void ngx_smtp_http_timer_handler(ngx_event_t *ev);
static void ngx_smtp_http_failed(ngx_smtp_http_request_t *r, char *reason);
static void ngx_smtp_http_finish(ngx_smtp_http_request_t *r, ngx_int_t rc);
static void ngx_smtp_http_cancel(ngx_smtp_op_t *op);
static void ngx_smtp_http_release(ngx_smtp_http_request_t *r,
    ngx_uint_t failed);
static void ngx_smtp_http_drop(ngx_smtp_http_request_t *r, ngx_uint_t failed);
static ngx_uint_t ngx_smtp_http_level(ngx_smtp_http_request_t *r);
static void ngx_smtp_http_hush(ngx_smtp_http_request_t *r, ngx_log_t *log);


/* what debug logging of timers takes for the event's connection */
static ngx_connection_t  ngx_smtp_http_timer_connection;


void
ngx_smtp_http_start(ngx_smtp_http_request_t *r, ngx_smtp_op_t *op)
{
    ngx_smtp_http_timer_connection.fd = (ngx_socket_t) -1;

    r->op = op;
    op->worker = r;
    op->cancel = ngx_smtp_http_cancel;

    ngx_queue_init(&r->ops);

    r->server = r->url->host;
    r->action = r->log->action;
    r->log->action = "choosing a server of HTTP service";
    r->peer_log = *r->log;

    r->timer.handler = ngx_smtp_http_timer_handler;
    r->timer.data = &ngx_smtp_http_timer_connection;
    r->timer.log = r->log;

    ngx_add_timer(&r->timer, r->timeout);

    if (ngx_smtp_peer_init(&r->peer, r->url->upstream, r->pool, &r->peer_log,
                           r->resolver, r->resolver_timeout)
        != NGX_OK)
    {
        ngx_smtp_http_finish(r, NGX_ERROR);
        return;
    }

    ngx_smtp_http_next(r);
}


static void
ngx_smtp_http_next(ngx_smtp_http_request_t *r)
{
    ngx_int_t   rc;
    ngx_uint_t  level;

    for ( ;; ) {
        ngx_smtp_http_hush(r, &r->peer_log);

        ngx_smtp_op_start(&r->resolving, &r->ops, ngx_smtp_http_resolved, r,
                          r->log);

        rc = ngx_smtp_peer_get(&r->peer, &r->resolving);

        if (rc == NGX_AGAIN) {
            r->log->action = "resolving the name of HTTP service";
            return;
        }

        ngx_smtp_op_cancel(&r->resolving);

        if (rc != NGX_OK) {

            /* what became of those that were tried has been logged */

            level = r->peer.tries ? NGX_LOG_INFO : ngx_smtp_http_level(r);

            ngx_log_error(level, r->log, 0,
                          "no server of HTTP service \"%V\" answers",
                          &r->url->host);

            ngx_smtp_http_finish(r, NGX_ERROR);
            return;
        }

        if (ngx_smtp_http_connect(r) != NGX_DECLINED) {
            return;
        }
    }
}


static void
ngx_smtp_http_resolved(ngx_smtp_op_t *op)
{
    ngx_smtp_http_request_t  *r;

    r = op->data;

    if (op->rc != NGX_OK) {
        ngx_log_error(ngx_smtp_http_level(r), r->log, 0,
                      "no server of HTTP service \"%V\" can be found",
                      &r->url->host);

        ngx_smtp_http_finish(r, NGX_ERROR);
        return;
    }

    if (ngx_smtp_http_connect(r) == NGX_DECLINED) {
        ngx_smtp_http_next(r);
    }
}


/* NGX_DECLINED: not this one; otherwise it goes on by itself */

static ngx_int_t
ngx_smtp_http_connect(ngx_smtp_http_request_t *r)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    r->chosen = 1;
    r->connected = 0;
    r->sent = 0;
    r->server = r->peer.name;

    r->log->action = "connecting to HTTP service";
    r->peer_log.action = r->log->action;

    rc = ngx_smtp_peer_connect(&r->peer, &c);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_INFO, r->log, 0,
                      "HTTP service %V can't be reached", &r->server);

        ngx_smtp_http_drop(r, 1);
        return NGX_DECLINED;
    }

    if (rc == NGX_ERROR) {
        ngx_smtp_http_drop(r, 0);
        ngx_smtp_http_finish(r, NGX_ERROR);
        return NGX_ERROR;
    }

    r->connection = c;

    c->data = r;
    c->read->handler = ngx_smtp_http_read_handler;
    c->write->handler = ngx_smtp_http_write_handler;

    if (rc == NGX_AGAIN) {
        ngx_add_timer(c->write, r->connect_timeout);
        return NGX_AGAIN;
    }

    ngx_smtp_http_write_handler(c->write);

    return NGX_OK;
}


/* whichever event comes first finds out how the connect went */

static ngx_int_t
ngx_smtp_http_connected(ngx_smtp_http_request_t *r)
{
    ngx_connection_t  *c;

    c = r->connection;

    if (r->connected) {
        return NGX_OK;
    }

    ngx_smtp_http_hush(r, c->log);

    if (ngx_smtp_peer_connected(c) != NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, r->log, 0,
                      "HTTP service %V can't be reached", &r->server);

        ngx_smtp_http_drop(r, 1);
        ngx_smtp_http_next(r);

        return NGX_DECLINED;
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    r->connected = 1;
    r->log->action = "sending a request to HTTP service";
    c->log->action = r->log->action;

    return NGX_OK;
}


static void
ngx_smtp_http_write_handler(ngx_event_t *wev)
{
    ssize_t                   n;
    ngx_connection_t         *c;
    ngx_smtp_http_request_t  *r;

    c = wev->data;
    r = c->data;

    if (wev->timedout) {
        ngx_smtp_http_failed(r, "timed out");
        return;
    }

    if (ngx_smtp_http_connected(r) != NGX_OK) {
        return;
    }

    if (r->sent == r->request.len) {
        return;
    }

    while (r->sent < r->request.len) {
        n = c->send(c, r->request.data + r->sent, r->request.len - r->sent);

        if (n == NGX_AGAIN || n == 0) {
            if (ngx_handle_write_event(wev, 0) != NGX_OK) {
                ngx_smtp_http_finish(r, NGX_ERROR);
            }

            return;
        }

        if (n < 0) {
            ngx_smtp_http_failed(r, "closed connection");
            return;
        }

        r->sent += n;
    }

    r->log->action = "reading an answer of HTTP service";
    c->log->action = r->log->action;

    ngx_smtp_http_read_handler(c->read);
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
        ngx_smtp_http_drop(r, 0);
        ngx_smtp_http_finish(r, NGX_ERROR);
        return;
    }

    if (ngx_smtp_http_connected(r) != NGX_OK) {
        return;
    }

    reason = "closed connection before its answer was complete";

    rc = ngx_smtp_http_read(r, &reason);

    if (rc == NGX_AGAIN) {
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
    ngx_connection_t  *c;

    c = r->connection;

    if (r->in.start == NULL && ngx_smtp_http_parse_init(r) != NGX_OK) {
        *reason = "can't be heard: no memory";
        return NGX_ERROR;
    }

    for ( ;; ) {

        if (r->in.last == r->in.end) {
            *reason = "sent too big a header";
            return NGX_ERROR;
        }

        n = c->recv(c, r->in.last, r->in.end - r->in.last);

        if (n == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (n == NGX_ERROR || n == 0) {
            return NGX_ERROR;
        }

        r->in.last += n;

        rc = ngx_smtp_http_parse(r, reason);

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }
}


static void
ngx_smtp_http_timer_handler(ngx_event_t *ev)
{
    ngx_smtp_http_request_t  *r;

    r = (ngx_smtp_http_request_t *)
            ((u_char *) ev - offsetof(ngx_smtp_http_request_t, timer));

    ngx_log_error(ngx_smtp_http_level(r), r->log, NGX_ETIMEDOUT,
                  "HTTP service %V timed out", &r->server);

    ngx_smtp_http_finish(r, NGX_ERROR);
}


static void
ngx_smtp_http_failed(ngx_smtp_http_request_t *r, char *reason)
{
    ngx_log_error(ngx_smtp_http_level(r), r->log, 0,
                  "HTTP service %V: %s", &r->server, reason);

    if (r->in.last != r->in.start) {
        ngx_smtp_http_finish(r, NGX_ERROR);
        return;
    }

    ngx_smtp_http_drop(r, 1);
    ngx_smtp_http_next(r);
}


static void
ngx_smtp_http_finish(ngx_smtp_http_request_t *r, ngx_int_t rc)
{
    ngx_smtp_http_release(r, rc != NGX_OK);

    ngx_smtp_op_finish(r->op, rc);
}


static void
ngx_smtp_http_cancel(ngx_smtp_op_t *op)
{
    ngx_smtp_http_release(op->worker, 0);
}


static void
ngx_smtp_http_release(ngx_smtp_http_request_t *r, ngx_uint_t failed)
{
    ngx_smtp_op_cancel_all(&r->ops);

    ngx_smtp_http_drop(r, failed);

    if (r->timer.timer_set) {
        ngx_del_timer(&r->timer);
    }

    r->log->action = r->action;
}


/* lets go of the server that was chosen */

static void
ngx_smtp_http_drop(ngx_smtp_http_request_t *r, ngx_uint_t failed)
{
    if (r->connection) {
        ngx_smtp_peer_close(r->connection);
        r->connection = NULL;
    }

    if (r->chosen) {
        ngx_smtp_peer_free(&r->peer, failed);
        r->chosen = 0;
    }
}


static ngx_uint_t
ngx_smtp_http_level(ngx_smtp_http_request_t *r)
{
    return (r->outage && *r->outage) ? NGX_LOG_INFO : NGX_LOG_ERR;
}


/*
 * In a known outage nginx's own messages about connections are kept out of
 * the log, except for alerts; ours are written as info.
 */

static void
ngx_smtp_http_hush(ngx_smtp_http_request_t *r, ngx_log_t *log)
{
    log->log_level = r->log->log_level;

    if (r->outage && *r->outage && !(log->log_level & NGX_LOG_DEBUG_ALL)) {
        log->log_level = ngx_min(log->log_level, NGX_LOG_ALERT);
    }
}


void
ngx_smtp_http_wipe(ngx_smtp_http_request_t *r)
{
    ngx_explicit_memzero(r->request.data, r->request.len);

    if (r->in.start) {
        ngx_explicit_memzero(r->in.start, r->in.last - r->in.start);
    }

    r->headers.nelts = 0;
}

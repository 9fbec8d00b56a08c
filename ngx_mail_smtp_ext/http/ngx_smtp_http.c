
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
 * The life of one request: choose a server, take a connection that was kept or
 * make one, leave the rest to ngx_smtp_http_io.c, and decide what becomes of a
 * failure.  All ways out go through ngx_smtp_http_finish(), but for a cancel,
 * and both through ngx_smtp_http_release().
 */


static void ngx_smtp_http_next(ngx_smtp_http_request_t *r);
static void ngx_smtp_http_resolved(ngx_smtp_op_t *op);
static ngx_int_t ngx_smtp_http_connect(ngx_smtp_http_request_t *r);
static void ngx_smtp_http_timer_handler(ngx_event_t *ev);
static void ngx_smtp_http_cancel(ngx_smtp_op_t *op);
static void ngx_smtp_http_release(ngx_smtp_http_request_t *r,
    ngx_uint_t failed);
static void ngx_smtp_http_drop(ngx_smtp_http_request_t *r, ngx_uint_t failed);
static ngx_int_t ngx_smtp_http_keep(ngx_smtp_http_request_t *r);


/* what tells connections of ours from others to the same address */
static ngx_smtp_peer_tag_t  ngx_smtp_http_plain;

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

    if (r->timeout == NGX_CONF_UNSET_MSEC) {
        r->timeout = r->conf->timeout;
    }

    if (r->connect_timeout == NGX_CONF_UNSET_MSEC) {
        r->connect_timeout = r->conf->connect_timeout;
    }

    if (r->read_timeout == 0) {
        r->read_timeout = r->conf->read_timeout;
    }

    r->server = r->url->host;
    r->action = r->log->action;
    r->log->action = "choosing a server of HTTP service";
    r->peer_log = *r->log;

    if (ngx_smtp_http_breaker_ask(r) != NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, r->log, 0,
                      "HTTP service \"%V\" is not asked, it is out of order",
                      &r->url->text);

        ngx_smtp_http_finish(r, NGX_ERROR);
        return;
    }

    r->asked = 1;

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

    r->peer.client = r->client;
    r->peer.session = r->session;
    r->peer.tag = r->url->tls ? &r->conf->tag : &ngx_smtp_http_plain;

    if (ngx_smtp_http_request_init(r) != NGX_OK) {
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
    r->server = r->peer.name;

    c = r->fresh ? NULL : ngx_smtp_peer_kept(&r->peer);

    r->kept = (c != NULL);

    if (c) {
        rc = NGX_OK;

    } else {
        r->log->action = "connecting to HTTP service";
        r->peer_log.action = r->log->action;

        rc = ngx_smtp_peer_connect(&r->peer, &c);
    }

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

    ngx_smtp_http_send(r, rc);

    return NGX_OK;
}


void
ngx_smtp_http_failed(ngx_smtp_http_request_t *r, char *reason)
{
    ngx_uint_t  again;

    /*
     * RFC 9110, 9.2.2: what has gone out whole may have been acted upon.  A
     * request that lacks its last octet has not.
     */

    again = r->ask || !r->complete;

    if (r->heard) {
        again = 0;
    }

    r->waiting = 0;
    r->told |= r->complete;
    r->complete = 0;

    if (again && r->kept && !r->connection->timedout) {

        /* RFC 9112, 9.3.1: the service may just have closed it */

        ngx_log_error(NGX_LOG_INFO, r->log, 0,
                      "HTTP service %V: %s, in a kept connection; "
                      "trying a new one", &r->server, reason);

        ngx_smtp_peer_close(r->connection);
        r->connection = NULL;
        r->fresh = 1;

        if (ngx_smtp_http_connect(r) == NGX_DECLINED) {
            ngx_smtp_http_next(r);
        }

        return;
    }

    ngx_log_error(ngx_smtp_http_level(r), r->log, 0,
                  "HTTP service %V: %s", &r->server, reason);

    if (!again) {
        ngx_smtp_http_finish(r, NGX_ERROR);
        return;
    }

    ngx_smtp_http_drop(r, 1);
    ngx_smtp_http_next(r);
}


/*
 * RFC 9110, 15.6.3 to 15.6.5: 502, 503 and 504 are about the server, or one
 * behind it, not about the request.
 */

ngx_int_t
ngx_smtp_http_pass_over(ngx_smtp_http_request_t *r)
{
    if (!r->ask || r->status < 502 || r->status > 504
        || !ngx_smtp_peer_more(&r->peer))
    {
        return NGX_DECLINED;
    }

    ngx_log_error(ngx_smtp_http_level(r), r->log, 0,
                  "HTTP service %V answered with status %ui, "
                  "another server is asked", &r->server, r->status);

    r->waiting = 0;
    r->complete = 0;

    ngx_smtp_http_drop(r, 1);
    ngx_smtp_http_next(r);

    return NGX_OK;
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


void
ngx_smtp_http_finish(ngx_smtp_http_request_t *r, ngx_int_t rc)
{
    ngx_uint_t  failed;

    if (rc == NGX_OK && ngx_smtp_http_keep(r) == NGX_OK) {
        r->connection = NULL;
    }

    failed = (rc != NGX_OK && !r->ours);
    r->told |= r->complete;

    ngx_smtp_http_release(r, failed);

    if (failed && r->asked) {
        ngx_smtp_http_breaker_failed(r);
    }

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

    r->waiting = 0;
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

    if (r->peer.upstream) {
        ngx_smtp_peer_free(&r->peer, r->chosen ? failed
                                               : NGX_SMTP_PEER_UNKNOWN);
        r->chosen = 0;
    }
}


static ngx_int_t
ngx_smtp_http_keep(ngx_smtp_http_request_t *r)
{
    ngx_uint_t         serial;
    ngx_connection_t  *c;

    c = r->connection;

    if (r->broken || !r->complete || !ngx_smtp_http_parse_keepalive(r)) {
        return NGX_DECLINED;
    }

    if (c->ssl && r->piece) {
        ngx_ssl_free_buffer(c);
    }

    c->requests++;

    return ngx_smtp_peer_keep(r->url->upstream, c, r->peer.sockaddr,
                              r->peer.socklen, r->peer.tag, c->requests,
                              ngx_smtp_peer_close, &serial);
}


void
ngx_smtp_http_judge(ngx_smtp_http_request_t *r, ngx_uint_t failed)
{
    if (failed) {
        ngx_smtp_http_breaker_failed(r);

    } else {
        ngx_smtp_http_breaker_good(r);
    }
}


ngx_uint_t
ngx_smtp_http_level(ngx_smtp_http_request_t *r)
{
    return r->url->outage ? NGX_LOG_INFO : NGX_LOG_ERR;
}


/*
 * In a known outage nginx's own messages about connections are kept out of
 * the log, except for alerts; ours are written as info.
 */

void
ngx_smtp_http_hush(ngx_smtp_http_request_t *r, ngx_log_t *log)
{
    log->log_level = r->log->log_level;

    if (r->url->outage && !(log->log_level & NGX_LOG_DEBUG_ALL)) {
        log->log_level = ngx_min(log->log_level, NGX_LOG_ALERT);
    }
}


void
ngx_smtp_http_wipe(ngx_smtp_http_request_t *r)
{
    ngx_explicit_memzero(r->head.data, r->head.len);

    if (r->in.start) {
        ngx_explicit_memzero(r->in.start, r->in.last - r->in.start);
    }

    if (r->raw.start) {
        ngx_explicit_memzero(r->raw.start, r->raw.end - r->raw.start);
    }

    if (r->answer.len) {
        ngx_explicit_memzero(r->answer.data, r->answer.len);
        r->answer.len = 0;
    }

    r->headers.nelts = 0;
}

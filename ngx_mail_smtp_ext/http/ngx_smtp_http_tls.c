
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_http.h>
#include <ngx_smtp_http_private.h>


/*
 * The handshake with a service, and whether it is who it should be: RFC 9110,
 * 4.3.4.  The time for the connect bounds it as well.
 */


static void ngx_smtp_http_tls_handler(ngx_event_t *ev);
static ngx_int_t ngx_smtp_http_tls_done(ngx_smtp_http_request_t *r,
    ngx_int_t rc);


ngx_int_t
ngx_smtp_http_tls(ngx_smtp_http_request_t *r)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = r->connection;

    r->log->action = "SSL handshaking to HTTP service";
    c->log->action = r->log->action;

    if (ngx_smtp_peer_tls_start(r->conf->tls.tls, c, r->peer.sockaddr,
                                r->peer.socklen, &r->peer.host)
        != NGX_OK)
    {
        ngx_smtp_http_finish(r, NGX_ERROR);
        return NGX_DECLINED;
    }

    ngx_add_timer(c->read, r->connect_timeout);

    rc = ngx_smtp_peer_tls_handshake(c, ngx_smtp_http_tls_handler);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    return ngx_smtp_http_tls_done(r, rc);
}


static void
ngx_smtp_http_tls_handler(ngx_event_t *ev)
{
    ngx_int_t                 rc;
    ngx_connection_t         *c;
    ngx_smtp_http_request_t  *r;

    c = ev->data;
    r = c->data;

    if (c->close) {
        /* worker_shutdown_timeout */
        ngx_smtp_http_finish(r, NGX_ERROR);
        return;
    }

    if (ev->timedout) {
        ngx_smtp_http_timedout(r);
        return;
    }

    rc = ngx_smtp_peer_tls_handshake(c, ngx_smtp_http_tls_handler);

    if (rc == NGX_AGAIN) {
        return;
    }

    if (ngx_smtp_http_tls_done(r, rc) == NGX_OK) {
        ngx_smtp_http_begin(r);
    }
}


static ngx_int_t
ngx_smtp_http_tls_done(ngx_smtp_http_request_t *r, ngx_int_t rc)
{
    ngx_connection_t  *c;

    c = r->connection;

    if (rc != NGX_OK) {
        ngx_smtp_http_failed(r, "SSL handshake failed");
        return NGX_DECLINED;
    }

    if (ngx_smtp_peer_tls_verify(c, ngx_smtp_http_level(r)) == NGX_ERROR) {
        ngx_smtp_http_failed(r, "is not who it should be");
        return NGX_DECLINED;
    }

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    return NGX_OK;
}

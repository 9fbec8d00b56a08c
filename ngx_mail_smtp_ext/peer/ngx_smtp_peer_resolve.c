
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * Names of servers that are resolved at run time.  nginx's resolver caches;
 * from its cache it answers before ngx_resolve_name() returns, which is told
 * apart by ctx->async.
 */


static void ngx_smtp_peer_resolve_handler(ngx_resolver_ctx_t *ctx);
static ngx_int_t ngx_smtp_peer_resolve_copy(ngx_smtp_peer_t *peer,
    ngx_resolver_ctx_t *ctx);
static void ngx_smtp_peer_resolve_cancel(ngx_smtp_op_t *op);


ngx_int_t
ngx_smtp_peer_resolve(ngx_smtp_peer_t *peer)
{
    ngx_resolver_ctx_t  *ctx;

    peer->naddr = 0;
    peer->naddrs = 0;

    ctx = peer->resolver ? ngx_resolve_start(peer->resolver, NULL)
                         : NGX_NO_RESOLVER;

    if (ctx == NGX_NO_RESOLVER) {
        ngx_log_error(NGX_LOG_ERR, peer->log, 0,
                      "no resolver defined to resolve %V",
                      &peer->server->conf->host);
    }

    if (ctx == NGX_NO_RESOLVER || ctx == NULL) {
        ngx_smtp_peer_free(peer, NGX_SMTP_PEER_UNKNOWN);
        return NGX_DECLINED;
    }

    ctx->name = peer->server->conf->host;
    ctx->handler = ngx_smtp_peer_resolve_handler;
    ctx->data = peer;
    ctx->timeout = peer->resolver_timeout ? peer->resolver_timeout
                                          : NGX_SMTP_PEER_RESOLVE_TIMEOUT;

    peer->resolving = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {

        /* ctx is freed; logged by the resolver */

        peer->resolving = NULL;
        ngx_smtp_peer_free(peer, NGX_SMTP_PEER_FAILED);

        return NGX_DECLINED;
    }

    if (peer->resolving == NULL) {
        return peer->naddrs ? NGX_OK : NGX_DECLINED;
    }

    peer->op->worker = peer;
    peer->op->cancel = ngx_smtp_peer_resolve_cancel;

    return NGX_AGAIN;
}


void
ngx_smtp_peer_resolved(ngx_smtp_peer_t *peer)
{
    ngx_resolver_addr_t  *addr;

    addr = &peer->addrs[peer->naddr++];

    peer->sockaddr = addr->sockaddr;
    peer->socklen = addr->socklen;

    peer->name.data = peer->text;
    peer->name.len = ngx_sock_ntop(addr->sockaddr, addr->socklen, peer->text,
                                   NGX_SOCKADDR_STRLEN, 1);
}


static void
ngx_smtp_peer_resolve_handler(ngx_resolver_ctx_t *ctx)
{
    ngx_int_t         rc;
    ngx_uint_t        async, level;
    ngx_smtp_peer_t  *peer;

    peer = ctx->data;
    async = ctx->async;

    if (ctx->state) {
        level = peer->outage ? NGX_LOG_INFO : NGX_LOG_ERR;

        ngx_log_error(level, peer->log, 0,
                      "%V could not be resolved (%i: %s)",
                      &ctx->name, ctx->state,
                      ngx_resolver_strerror(ctx->state));

    } else if (ngx_smtp_peer_resolve_copy(peer, ctx) != NGX_OK) {
        peer->naddrs = 0;
    }

    ngx_resolve_name_done(ctx);
    peer->resolving = NULL;

    if (peer->naddrs == 0) {
        peer->nameless = 1;
        ngx_smtp_peer_free(peer, NGX_SMTP_PEER_FAILED);
    }

    if (!async) {
        return;
    }

    rc = ngx_smtp_peer_next(peer);

    if (rc == NGX_BUSY) {
        rc = ngx_smtp_peer_wait(peer);
    }

    if (rc != NGX_AGAIN) {
        ngx_smtp_op_finish(peer->op, rc);
    }
}


/* the resolver's addresses live in its handler only */

static ngx_int_t
ngx_smtp_peer_resolve_copy(ngx_smtp_peer_t *peer, ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t            i, n, start;
    ngx_smtp_server_t    *server;
    ngx_resolver_addr_t  *from, *to;

    if (ctx->naddrs == 0) {
        return NGX_ERROR;
    }

    server = peer->server;

    n = ngx_min(ctx->naddrs, NGX_SMTP_PEER_ADDRS_MAX);
    start = server->rotate++ % ctx->naddrs;

    to = ngx_pcalloc(peer->pool, n * sizeof(ngx_resolver_addr_t));
    if (to == NULL) {
        return NGX_ERROR;
    }

    peer->addrs = to;

    for (i = 0; i < n; i++, to++) {
        from = &ctx->addrs[(start + i) % ctx->naddrs];

        to->socklen = from->socklen;
        to->sockaddr = ngx_palloc(peer->pool, from->socklen);
        if (to->sockaddr == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(to->sockaddr, from->sockaddr, from->socklen);
        ngx_inet_set_port(to->sockaddr, server->conf->port);
    }

    peer->naddrs = n;

    return NGX_OK;
}


static void
ngx_smtp_peer_resolve_cancel(ngx_smtp_op_t *op)
{
    ngx_smtp_peer_t  *peer;

    peer = op->worker;

    if (peer->resolving) {
        ngx_resolve_name_done(peer->resolving);
        peer->resolving = NULL;
    }
}

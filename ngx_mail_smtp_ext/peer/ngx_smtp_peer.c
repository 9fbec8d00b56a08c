
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * A request's way to a server: choice, address, connection, and the
 * connection's end.  A connection has a pool of its own, with a log in it, so
 * that it can outlive the request it was made for.
 */


static void ngx_smtp_peer_log_cleanup(void *data);


ngx_int_t
ngx_smtp_peer_init(ngx_smtp_peer_t *peer, ngx_smtp_upstream_t *upstream,
    ngx_pool_t *pool, ngx_log_t *log, ngx_resolver_t *resolver,
    ngx_msec_t resolver_timeout)
{
    ngx_uint_t  n;

    peer->upstream = upstream->group;
    peer->pool = pool;
    peer->log = log;
    peer->resolver = resolver;
    peer->resolver_timeout = resolver_timeout;

    n = (peer->upstream->nservers + (8 * sizeof(uintptr_t) - 1))
        / (8 * sizeof(uintptr_t));

    peer->tried = ngx_pcalloc(pool, n * sizeof(uintptr_t));
    if (peer->tried == NULL) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_smtp_peer_get(ngx_smtp_peer_t *peer, ngx_smtp_op_t *op)
{
    peer->op = op;

    return ngx_smtp_peer_next(peer);
}


ngx_int_t
ngx_smtp_peer_next(ngx_smtp_peer_t *peer)
{
    ngx_int_t           rc;
    ngx_smtp_server_t  *server;

    /* a round is a server, or the addresses of one's name */

    for ( ;; ) {

        if (peer->naddr < peer->naddrs) {

            if (ngx_smtp_peer_resolved(peer) != NGX_OK) {
                return NGX_DECLINED;
            }

            break;
        }

        server = ngx_smtp_peer_rr_get(peer);

        if (server == NULL) {

            if (peer->tries == 0) {
                ngx_log_error(NGX_LOG_ERR, peer->log, 0,
                              "no live upstreams in upstream \"%V\"",
                              &peer->upstream->name);
            }

            return NGX_DECLINED;
        }

        if (server->sockaddr) {
            peer->sockaddr = server->sockaddr;
            peer->socklen = server->socklen;
            peer->name = server->name;
            break;
        }

        rc = ngx_smtp_peer_resolve(peer);

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }
    }

    peer->tries++;

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, peer->log, 0,
                   "smtp peer try %ui: %V", peer->tries, &peer->name);

    return NGX_OK;
}


void
ngx_smtp_peer_free(ngx_smtp_peer_t *peer, ngx_uint_t failed)
{
    if (peer->server == NULL) {
        return;
    }

    /* a name has failed when its last address has */

    if (failed && peer->naddr < peer->naddrs) {
        return;
    }

    ngx_smtp_peer_rr_free(peer, failed);
}


ngx_int_t
ngx_smtp_peer_connect(ngx_smtp_peer_t *peer, ngx_connection_t **cp)
{
    ngx_log_t              *log;
    ngx_int_t               rc;
    ngx_connection_t       *c;
    ngx_pool_cleanup_t     *cln;
    ngx_peer_connection_t   pc;

    *cp = NULL;

    ngx_memzero(&pc, sizeof(ngx_peer_connection_t));

    pc.sockaddr = peer->sockaddr;
    pc.socklen = peer->socklen;
    pc.name = &peer->name;
    pc.get = ngx_event_get_peer;
    pc.log = peer->log;
    pc.log_error = NGX_ERROR_ERR;

    rc = ngx_event_connect_peer(&pc);

    c = pc.connection;

    if (rc != NGX_OK && rc != NGX_AGAIN) {

        if (c) {
            ngx_close_connection(c);
        }

        return (rc == NGX_DECLINED) ? NGX_DECLINED : NGX_ERROR;
    }

    c->log = peer->log;

    c->pool = ngx_create_pool(NGX_SMTP_PEER_POOL_SIZE, peer->log);
    if (c->pool == NULL) {
        ngx_close_connection(c);
        return NGX_ERROR;
    }

    /* the cleanup is what finds the log again, whatever c->log became */

    cln = ngx_pool_cleanup_add(c->pool, sizeof(ngx_log_t));
    if (cln == NULL) {
        ngx_smtp_peer_close(c);
        return NGX_ERROR;
    }

    log = cln->data;
    ngx_memzero(log, sizeof(ngx_log_t));

    cln->handler = ngx_smtp_peer_log_cleanup;

    ngx_smtp_peer_set_log(c, peer->log);

    /* messages are written in few pieces: nothing to hold back, TCP_NODELAY */

    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;

    if (peer->sockaddr->sa_family != AF_UNIX && ngx_tcp_nodelay(c) != NGX_OK) {
        ngx_smtp_peer_close(c);
        return NGX_ERROR;
    }

    *cp = c;

    return rc;
}


ngx_int_t
ngx_smtp_peer_connected(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

#if (NGX_HAVE_KQUEUE)

    if (ngx_event_flags & NGX_USE_KQUEUE_EVENT) {

        if (c->write->pending_eof || c->read->pending_eof) {
            err = c->write->pending_eof ? c->write->kq_errno
                                        : c->read->kq_errno;

            (void) ngx_connection_error(c, err,
                                    "kevent() reported that connect() failed");
            return NGX_ERROR;
        }

        return NGX_OK;
    }

#endif

    /* Solaris has getsockopt() itself fail with the error of connect() */

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        (void) ngx_connection_error(c, err, "connect() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_smtp_peer_close(ngx_connection_t *c)
{
    ngx_pool_t  *pool;

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, c->log, 0,
                   "smtp peer close fd:%d", c->fd);

#if (NGX_SSL)

    if (c->ssl) {

        /* may take a while; who used the connection is not waited for */

        ngx_smtp_peer_set_log(c, ngx_cycle->log);

        if (c->write->timer_set) {
            ngx_del_timer(c->write);
        }

        c->data = NULL;
        c->idle = 0;
        c->ssl->save_session = NULL;
        c->ssl->no_wait_shutdown = 1;

        if (ngx_ssl_shutdown(c) == NGX_AGAIN) {
            c->ssl->handler = ngx_smtp_peer_close;
            return;
        }
    }

#endif

    pool = c->pool;

    c->destroyed = 1;

    ngx_close_connection(c);

    if (pool) {
        ngx_destroy_pool(pool);
    }
}


void
ngx_smtp_peer_set_log(ngx_connection_t *c, ngx_log_t *log)
{
    ngx_log_t           *own;
    ngx_pool_cleanup_t  *cln;

    own = NULL;

    for (cln = c->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_smtp_peer_log_cleanup) {
            own = cln->data;
            break;
        }
    }

    if (own == NULL) {
        return;
    }

    if (own != log) {
        *own = *log;
        own->connection = c->number;
    }

    c->log = own;
    c->read->log = own;
    c->write->log = own;
    c->pool->log = own;
}


static void
ngx_smtp_peer_log_cleanup(void *data)
{
    /* void: marks the log */
}

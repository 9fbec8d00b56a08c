
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
 * Connections to servers.  One has a pool of its own, with a log in it, so
 * that it can outlive the request it was made for; and it counts for its
 * server while it is in use, from connect() or from being taken out of the
 * cache until it is put there or closed.
 */


static void ngx_smtp_peer_own_cleanup(void *data);


ngx_int_t
ngx_smtp_peer_connect(ngx_smtp_peer_t *peer, ngx_connection_t **cp)
{
    ngx_int_t               rc;
    ngx_connection_t       *c;
    ngx_pool_cleanup_t     *cln;
    ngx_peer_connection_t   pc;

    *cp = NULL;

    /* the server may count those too that lie idle here */

    if (peer->spare < peer->upstream->keepalive) {
        ngx_smtp_peer_cache_trim(peer->upstream, peer->server_id,
                                 peer->spare);
    }

    ngx_memzero(&pc, sizeof(ngx_peer_connection_t));

    pc.sockaddr = peer->sockaddr;
    pc.socklen = peer->socklen;
    pc.name = &peer->name;
    pc.get = ngx_event_get_peer;
    pc.log = peer->log;
    pc.log_error = peer->outage ? NGX_ERROR_INFO : NGX_ERROR_ERR;

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

    cln = ngx_pool_cleanup_add(c->pool, sizeof(ngx_smtp_peer_own_t));
    if (cln == NULL) {
        ngx_smtp_peer_close(c);
        return NGX_ERROR;
    }

    ngx_memzero(cln->data, sizeof(ngx_smtp_peer_own_t));

    cln->handler = ngx_smtp_peer_own_cleanup;

    ngx_smtp_peer_set_log(c, peer->log);
    ngx_smtp_peer_lease(peer, c);

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

    ngx_smtp_peer_unlease(c);

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


ngx_smtp_peer_own_t *
ngx_smtp_peer_own(ngx_connection_t *c)
{
    ngx_pool_cleanup_t  *cln;

    if (c->pool == NULL) {
        return NULL;
    }

    for (cln = c->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_smtp_peer_own_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


void
ngx_smtp_peer_set_log(ngx_connection_t *c, ngx_log_t *log)
{
    ngx_smtp_peer_own_t  *own;

    own = ngx_smtp_peer_own(c);

    if (own == NULL) {
        return;
    }

    if (&own->log != log) {
        own->log = *log;
        own->log.connection = c->number;
    }

    c->log = &own->log;
    c->read->log = &own->log;
    c->write->log = &own->log;
    c->pool->log = &own->log;
}


/*
 * What was set aside when peer chose becomes the connection's.  A second one
 * within the same choice, since the first was stale, counts anew.
 */

void
ngx_smtp_peer_lease(ngx_smtp_peer_t *peer, ngx_connection_t *c)
{
    ngx_smtp_server_t    *server;
    ngx_smtp_peer_own_t  *own;
    ngx_smtp_upstream_t  *upstream;

    upstream = peer->upstream;
    own = ngx_smtp_peer_own(c);

    own->upstream = upstream;
    own->server_id = peer->server_id;

    ngx_smtp_servers_lock(upstream->servers);

    if (peer->reserved) {

        /* it is certain to be there, since it counts this */

        server = peer->server;
        peer->reserved = 0;

    } else {
        server = ngx_smtp_servers_find(upstream, peer->server,
                                       peer->server_id);
        if (server) {
            ngx_smtp_servers_hold(upstream->servers, server);
        }
    }

    ngx_smtp_servers_unlock(upstream->servers);

    own->server = server;
}


void
ngx_smtp_peer_unlease(ngx_connection_t *c)
{
    ngx_smtp_peer_own_t  *own;
    ngx_smtp_servers_t   *servers;

    own = ngx_smtp_peer_own(c);

    if (own == NULL || own->server == NULL) {
        return;
    }

    servers = own->upstream->servers;

    ngx_smtp_servers_lock(servers);

    ngx_smtp_servers_release(servers, own->server);

    ngx_smtp_servers_unlock(servers);

    own->server = NULL;

    ngx_smtp_peer_wake(own->upstream);
}


static void
ngx_smtp_peer_own_cleanup(void *data)
{
    /* void: marks what is the connection's own */
}

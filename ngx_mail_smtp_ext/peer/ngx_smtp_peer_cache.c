
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * Kept connections, of a worker and a group: the last put back is the first
 * taken, so that those in excess grow old and are closed.  While one lies
 * here nothing of a request is attached to it; it is idle, so that a graceful
 * stop closes it at once, and reusable, so that it goes before a client is
 * refused for want of connections.
 */


typedef struct {
    ngx_queue_t            queue;
    ngx_queue_t            owned;            /* of those with an owner */
    ngx_smtp_upstream_t   *upstream;
    ngx_connection_t      *connection;
    void                  *data;
    ngx_smtp_peer_tag_t   *tag;
    void                 (*close)(ngx_connection_t *c);
    ngx_uint_t             serial;
    ngx_smtp_server_t     *server;
    ngx_uint_t             server_id;
    socklen_t              socklen;
    ngx_sockaddr_t         sockaddr;
} ngx_smtp_kept_t;


static ngx_int_t ngx_smtp_peer_cache_hold(ngx_smtp_kept_t *item);
static ngx_uint_t ngx_smtp_peer_cache_same(ngx_smtp_peer_tag_t *one,
    ngx_smtp_peer_tag_t *two);
static ngx_uint_t ngx_smtp_peer_cache_usable(ngx_connection_t *c);
static ngx_int_t ngx_smtp_peer_cache_quiet(ngx_connection_t *c);
static ngx_connection_t *ngx_smtp_peer_cache_remove(ngx_smtp_kept_t *item);
static void ngx_smtp_peer_cache_evict(ngx_smtp_kept_t *item);
static void ngx_smtp_peer_cache_read_handler(ngx_event_t *rev);
static void ngx_smtp_peer_cache_write_handler(ngx_event_t *wev);


static ngx_uint_t  ngx_smtp_peer_cache_serial;

/* of all groups */
static ngx_queue_t  ngx_smtp_peer_cache_owned = {
    &ngx_smtp_peer_cache_owned, &ngx_smtp_peer_cache_owned
};


ngx_int_t
ngx_smtp_peer_cache_init(ngx_pool_t *pool, ngx_smtp_upstream_t *upstream)
{
    ngx_uint_t        i;
    ngx_smtp_kept_t  *items;

    ngx_queue_init(&upstream->cache);
    ngx_queue_init(&upstream->free);

    if (upstream->keepalive == 0) {
        return NGX_OK;
    }

    items = ngx_pcalloc(pool, upstream->keepalive * sizeof(ngx_smtp_kept_t));
    if (items == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < upstream->keepalive; i++) {
        items[i].upstream = upstream;
        ngx_queue_insert_head(&upstream->free, &items[i].queue);
    }

    return NGX_OK;
}


void
ngx_smtp_peer_cache_close(ngx_smtp_upstream_t *upstream)
{
    ngx_queue_t  *q;

    /* a reference to another group has no cache */

    if (upstream->group != upstream) {
        return;
    }

    while (!ngx_queue_empty(&upstream->cache)) {
        q = ngx_queue_last(&upstream->cache);

        ngx_smtp_peer_cache_evict(ngx_queue_data(q, ngx_smtp_kept_t, queue));
    }
}


ngx_int_t
ngx_smtp_peer_keep(ngx_smtp_upstream_t *upstream, ngx_connection_t *c,
    struct sockaddr *sockaddr, socklen_t socklen, ngx_smtp_peer_tag_t *tag,
    ngx_uint_t requests, void (*close)(ngx_connection_t *c),
    ngx_uint_t *serial)
{
    ngx_queue_t          *q;
    ngx_smtp_kept_t      *item;
    ngx_smtp_peer_own_t  *own;

    upstream = upstream->group;

    own = ngx_smtp_peer_own(c);

    if (upstream->keepalive == 0
        || own->server == NULL
        || own->server->zombie
        || own->server->unhealthy
        || requests >= upstream->keepalive_requests
        || ngx_current_msec - c->start_time > upstream->keepalive_time
        || socklen > (socklen_t) sizeof(ngx_sockaddr_t)
        || ngx_terminate
        || ngx_exiting
        || !ngx_smtp_peer_cache_usable(c))
    {
        return NGX_DECLINED;
    }

    if (ngx_queue_empty(&upstream->free)) {
        q = ngx_queue_last(&upstream->cache);

        ngx_smtp_peer_cache_evict(ngx_queue_data(q, ngx_smtp_kept_t, queue));
    }

    q = ngx_queue_head(&upstream->free);
    ngx_queue_remove(q);
    ngx_queue_insert_head(&upstream->cache, q);

    item = ngx_queue_data(q, ngx_smtp_kept_t, queue);

    if (++ngx_smtp_peer_cache_serial == 0) {
        ngx_smtp_peer_cache_serial = 1;
    }

    item->connection = c;
    item->data = c->data;
    item->tag = tag;

    if (tag && tag->owner) {
        ngx_queue_insert_head(&ngx_smtp_peer_cache_owned, &item->owned);
    }

    item->close = close;
    item->serial = ngx_smtp_peer_cache_serial;
    item->server = own->server;
    item->server_id = own->server_id;
    item->socklen = socklen;
    ngx_memcpy(&item->sockaddr, sockaddr, socklen);

    *serial = item->serial;

    ngx_smtp_peer_set_log(c, ngx_cycle->log);
    ngx_smtp_peer_unlease(c);

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, c->log, 0,
                   "smtp peer keep fd:%d, serial: %ui", c->fd, item->serial);

    c->data = item;
    c->idle = 1;
    c->read->handler = ngx_smtp_peer_cache_read_handler;
    c->write->handler = ngx_smtp_peer_cache_write_handler;

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    c->read->delayed = 0;
    c->write->delayed = 0;

    ngx_add_timer(c->read, upstream->keepalive_timeout);

    ngx_reusable_connection(c, 1);

    return NGX_OK;
}


ngx_connection_t *
ngx_smtp_peer_kept(ngx_smtp_peer_t *peer)
{
    ngx_queue_t          *q;
    ngx_smtp_kept_t      *item;
    ngx_connection_t     *c;
    ngx_smtp_upstream_t  *upstream;

    upstream = peer->upstream;

    for (q = ngx_queue_head(&upstream->cache);
         q != ngx_queue_sentinel(&upstream->cache);
         q = ngx_queue_next(q))
    {
        item = ngx_queue_data(q, ngx_smtp_kept_t, queue);

        if (!ngx_smtp_peer_cache_same(item->tag, peer->tag)
            || ngx_cmp_sockaddr(&item->sockaddr.sockaddr, item->socklen,
                                peer->sockaddr, peer->socklen, 1)
               != NGX_OK)
        {
            continue;
        }

        c = ngx_smtp_peer_cache_remove(item);

        ngx_smtp_peer_set_log(c, peer->log);
        ngx_smtp_peer_lease(peer, c);

        return c;
    }

    return NULL;
}


ngx_connection_t *
ngx_smtp_peer_take(ngx_smtp_upstream_t *upstream, ngx_uint_t serial,
    ngx_log_t *log)
{
    ngx_int_t          rc;
    ngx_queue_t       *q;
    ngx_smtp_kept_t   *item;
    ngx_connection_t  *c;

    upstream = upstream->group;

    for (q = ngx_queue_head(&upstream->cache);
         q != ngx_queue_sentinel(&upstream->cache);
         q = ngx_queue_next(q))
    {
        item = ngx_queue_data(q, ngx_smtp_kept_t, queue);

        if (item->serial != serial) {
            continue;
        }

        rc = ngx_smtp_peer_cache_hold(item);

        if (rc == NGX_BUSY) {
            return NULL;
        }

        if (rc != NGX_OK) {
            ngx_smtp_peer_cache_evict(item);
            return NULL;
        }

        c = ngx_smtp_peer_cache_remove(item);

        ngx_smtp_peer_set_log(c, log);

        return c;
    }

    return NULL;
}


/*
 * The connection counts for its server again.  NGX_BUSY: max_conns is
 * reached.  NGX_DECLINED: the server is gone, or unhealthy.
 */

static ngx_int_t
ngx_smtp_peer_cache_hold(ngx_smtp_kept_t *item)
{
    ngx_int_t             rc;
    ngx_uint_t            max;
    ngx_smtp_server_t    *server;
    ngx_smtp_servers_t   *servers;
    ngx_smtp_peer_own_t  *own;

    rc = NGX_DECLINED;
    servers = item->upstream->servers;

    ngx_smtp_servers_lock(servers);

    server = ngx_smtp_servers_find(item->upstream, item->server,
                                   item->server_id);

    if (server && !server->zombie && !server->unhealthy) {
        max = server->conf->max_conns;
        rc = (max && server->conns >= max) ? NGX_BUSY : NGX_OK;
    }

    if (rc == NGX_OK) {
        ngx_smtp_servers_hold(servers, server);

        own = ngx_smtp_peer_own(item->connection);
        own->server = server;
    }

    ngx_smtp_servers_unlock(servers);

    return rc;
}


void
ngx_smtp_peer_cache_sweep(ngx_smtp_upstream_t *upstream)
{
    ngx_uint_t           gone;
    ngx_queue_t         *q, *next;
    ngx_smtp_kept_t     *item;
    ngx_smtp_server_t   *server;
    ngx_smtp_servers_t  *servers;

    servers = upstream->servers;

    upstream->cache_gone = servers->gone;

    for (q = ngx_queue_head(&upstream->cache);
         q != ngx_queue_sentinel(&upstream->cache);
         q = next)
    {
        next = ngx_queue_next(q);
        item = ngx_queue_data(q, ngx_smtp_kept_t, queue);

        ngx_smtp_servers_lock(servers);

        server = ngx_smtp_servers_find(upstream, item->server,
                                       item->server_id);
        gone = (server == NULL || server->zombie || server->unhealthy);

        ngx_smtp_servers_unlock(servers);

        if (gone) {
            ngx_smtp_peer_cache_evict(item);
        }
    }
}


void
ngx_smtp_peer_cache_trim(ngx_smtp_upstream_t *upstream,
    ngx_uint_t server_id, ngx_uint_t max)
{
    ngx_uint_t        n;
    ngx_queue_t      *q, *next;
    ngx_smtp_kept_t  *item;

    n = 0;

    for (q = ngx_queue_head(&upstream->cache);
         q != ngx_queue_sentinel(&upstream->cache);
         q = next)
    {
        next = ngx_queue_next(q);
        item = ngx_queue_data(q, ngx_smtp_kept_t, queue);

        if (item->server_id == server_id && ++n > max) {
            ngx_smtp_peer_cache_evict(item);
        }
    }
}


void
ngx_smtp_peer_forget(ngx_uint_t owner)
{
    ngx_queue_t      *q, *next;
    ngx_smtp_kept_t  *item;

    for (q = ngx_queue_head(&ngx_smtp_peer_cache_owned);
         q != ngx_queue_sentinel(&ngx_smtp_peer_cache_owned);
         q = next)
    {
        next = ngx_queue_next(q);
        item = ngx_queue_data(q, ngx_smtp_kept_t, owned);

        if (item->tag->owner == owner) {
            ngx_smtp_peer_cache_evict(item);
        }
    }
}


static ngx_uint_t
ngx_smtp_peer_cache_same(ngx_smtp_peer_tag_t *one, ngx_smtp_peer_tag_t *two)
{
    if (one == two) {
        return 1;
    }

    return one && two && one->len && one->hash == two->hash
           && one->len == two->len
           && ngx_memcmp(one->data, two->data, one->len) == 0;
}


/* the one list of reasons of the connection itself not to keep it */

static ngx_uint_t
ngx_smtp_peer_cache_usable(ngx_connection_t *c)
{
    if (c->close || c->error || c->timedout || c->buffered) {
        return 0;
    }

    if (c->read->eof || c->read->error || c->read->timedout
        || c->write->error || c->write->timedout)
    {
        return 0;
    }

#if (NGX_SSL)

    /* what was decrypted and not read is no longer in the socket */

    if (c->ssl && SSL_pending(c->ssl->connection) > 0) {
        return 0;
    }

#endif

    return ngx_smtp_peer_cache_quiet(c) == NGX_OK;
}


static ngx_int_t
ngx_smtp_peer_cache_quiet(ngx_connection_t *c)
{
    u_char  buf[1];

#if (NGX_SSL)

    /* what TLS itself has to say, such as a new session, may come any time */

    if (c->ssl) {

        if (c->read->ready && c->recv(c, buf, 1) != NGX_AGAIN) {
            return NGX_ERROR;
        }

        return ngx_handle_read_event(c->read, 0);
    }

#endif

    if (c->read->ready) {

        if (recv(c->fd, buf, 1, MSG_PEEK) != -1
            || ngx_socket_errno != NGX_EAGAIN)
        {
            return NGX_ERROR;
        }

        c->read->ready = 0;
    }

    return ngx_handle_read_event(c->read, 0);
}


static ngx_connection_t *
ngx_smtp_peer_cache_remove(ngx_smtp_kept_t *item)
{
    ngx_connection_t  *c;

    c = item->connection;

    ngx_queue_remove(&item->queue);
    ngx_queue_insert_head(&item->upstream->free, &item->queue);

    ngx_reusable_connection(c, 0);

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    c->data = item->data;
    c->idle = 0;
    c->sent = 0;

    if (item->tag && item->tag->owner) {
        ngx_queue_remove(&item->owned);
    }

    item->connection = NULL;
    item->data = NULL;
    item->tag = NULL;

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, c->log, 0,
                   "smtp peer kept fd:%d, serial: %ui, taken",
                   c->fd, item->serial);

    return c;
}


static void
ngx_smtp_peer_cache_evict(ngx_smtp_kept_t *item)
{
    void             (*close)(ngx_connection_t *c);
    ngx_connection_t  *c;

    close = item->close;

    c = ngx_smtp_peer_cache_remove(item);

    close(c);
}


static void
ngx_smtp_peer_cache_read_handler(ngx_event_t *rev)
{
    ngx_connection_t  *c;

    c = rev->data;

    if (c->close || c->error || rev->timedout) {
        goto close;
    }

    /* an idle server has nothing to say but that it closes */

    rev->ready = 1;

    if (ngx_smtp_peer_cache_quiet(c) == NGX_OK) {
        return;
    }

close:

    ngx_smtp_peer_cache_evict(c->data);
}


static void
ngx_smtp_peer_cache_write_handler(ngx_event_t *wev)
{
    ngx_log_debug0(NGX_LOG_DEBUG_EVENT, wev->log, 0,
                   "smtp peer cache write handler");
}

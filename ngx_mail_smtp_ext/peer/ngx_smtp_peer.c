
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * A request's way to a server: the choice, by the group's balancer, and what
 * came of it.  What is chosen is set aside for the request until it has a
 * connection, so that max_conns holds between workers too.
 */


static ngx_smtp_server_t *ngx_smtp_peer_choose(ngx_smtp_peer_t *peer);
static void ngx_smtp_peer_choose_key(ngx_smtp_peer_t *peer);
static ngx_smtp_server_t *ngx_smtp_peer_choose_locked(ngx_smtp_peer_t *peer);
static void ngx_smtp_peer_take_address(ngx_smtp_peer_t *peer,
    ngx_smtp_server_t *server);


ngx_int_t
ngx_smtp_peer_init(ngx_smtp_peer_t *peer, ngx_smtp_upstream_t *upstream,
    ngx_pool_t *pool, ngx_log_t *log, ngx_resolver_t *resolver,
    ngx_msec_t resolver_timeout)
{
    peer->upstream = upstream->group;
    peer->pool = pool;
    peer->log = log;
    peer->resolver = resolver;
    peer->resolver_timeout = resolver_timeout;

    return NGX_OK;
}


ngx_int_t
ngx_smtp_peer_get(ngx_smtp_peer_t *peer, ngx_smtp_op_t *op)
{
    ngx_int_t  rc;

    peer->op = op;

    /* nobody is served before those who wait in the queue */

    if (peer->upstream->nwaiting && peer->upstream->queue_max
        && peer->naddr == peer->naddrs)
    {

        rc = ngx_smtp_peer_wait(peer);

        ngx_smtp_peer_wake(peer->upstream);

        return rc;
    }

    rc = ngx_smtp_peer_next(peer);

    return (rc == NGX_BUSY) ? ngx_smtp_peer_wait(peer) : rc;
}


ngx_int_t
ngx_smtp_peer_next(ngx_smtp_peer_t *peer)
{
    ngx_int_t           rc;
    ngx_smtp_server_t  *server;

    /* a round is a server, or the addresses of one's name */

    for ( ;; ) {

        if (peer->naddr < peer->naddrs) {
            ngx_smtp_peer_resolved(peer);
            break;
        }

        server = ngx_smtp_peer_choose(peer);

        if (server == NULL) {
            return (peer->busy || peer->unresolved) ? NGX_BUSY
                                                    : NGX_DECLINED;
        }

        if (server->socklen) {
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


static ngx_smtp_server_t *
ngx_smtp_peer_choose(ngx_smtp_peer_t *peer)
{
    ngx_uint_t           said, waits, level;
    ngx_smtp_server_t   *server;
    ngx_smtp_servers_t  *servers;

    servers = peer->upstream->servers;

    if (peer->upstream->hash_key && peer->key.data == NULL) {
        ngx_smtp_peer_choose_key(peer);
    }

    if (peer->upstream->cache_gone != servers->gone) {
        ngx_smtp_peer_cache_sweep(peer->upstream);
    }

    ngx_smtp_servers_lock(servers);

    server = ngx_smtp_peer_choose_locked(peer);

    said = servers->dead;

    waits = peer->busy || peer->unresolved || peer->nameless;

    if (server) {
        servers->dead = 0;

    } else if (peer->tries == 0 && !waits) {
        servers->dead = 1;
    }

    ngx_smtp_servers_unlock(servers);

    if (server == NULL && peer->tries == 0 && !waits) {
        level = said ? NGX_LOG_INFO : NGX_LOG_ERR;

        ngx_log_error(level, peer->log, 0,
                      "no live upstreams in upstream \"%V\"",
                      &peer->upstream->name);
    }

    return server;
}


/* what can't be had is an empty key: round robin */

static void
ngx_smtp_peer_choose_key(ngx_smtp_peer_t *peer)
{
    if (peer->session == NULL
        || ngx_smtp_peer_key->value(peer->upstream->hash_key, peer->session,
                                    peer->pool, &peer->key)
           != NGX_OK
        || peer->key.data == NULL)
    {
        ngx_str_set(&peer->key, "");
    }
}


static ngx_smtp_server_t *
ngx_smtp_peer_choose_locked(ngx_smtp_peer_t *peer)
{
    time_t                      now;
    ngx_smtp_server_t          *server;
    ngx_smtp_servers_t         *servers;
    const ngx_smtp_balancer_t  *balancer;

    servers = peer->upstream->servers;
    balancer = peer->upstream->balancer;
    now = ngx_time();

    peer->server = NULL;
    peer->busy = 0;
    peer->unresolved = 0;

    /* backups are not for the time until a name is known */

    if (servers->sets[0].number == 0 && ngx_smtp_peer_names_unasked(servers)) {
        peer->unresolved = 1;
        return NULL;
    }

    do {
        server = balancer->get(peer, &servers->sets[0], now);

        if (server == NULL && servers->sets[1].number) {
            server = balancer->get(peer, &servers->sets[1], now);
        }

    } while (server == NULL && ngx_smtp_peer_forgive(peer, now));

    if (server == NULL) {
        peer->unresolved = !peer->busy
                           && (ngx_smtp_peer_names_unasked(servers)
                               || ngx_smtp_servers_checking(servers));
        return NULL;
    }

    if (ngx_smtp_peer_tried(peer, server) != NGX_OK) {
        return NULL;
    }

    if (now - server->checked > server->conf->fail_timeout) {
        server->checked = now;
    }

    server->count.requests++;
    server->count.selected = now;

    ngx_smtp_servers_hold(servers, server);

    peer->server = server;
    peer->server_id = server->id;
    peer->outage = server->outage;
    peer->reserved = 1;

    peer->spare = server->conf->max_conns
                  ? server->conf->max_conns - server->conns
                  : NGX_MAX_UINT32_VALUE;

    ngx_smtp_peer_take_address(peer, server);

    return server;
}


ngx_int_t
ngx_smtp_peer_adopt(ngx_smtp_peer_t *peer, ngx_connection_t *c,
    struct sockaddr *sockaddr, socklen_t socklen, ngx_str_t *name)
{
    ngx_int_t             rc;
    ngx_smtp_server_t    *server;
    ngx_smtp_servers_t   *servers;
    ngx_smtp_peer_own_t  *own;

    own = ngx_smtp_peer_own(c);
    server = own->server;
    servers = peer->upstream->servers;

    if (server == NULL) {
        return NGX_DECLINED;
    }

    /* it is certain to be there, since it counts the connection */

    ngx_smtp_servers_lock(servers);

    rc = ngx_smtp_peer_tried(peer, server);

    if (rc == NGX_OK) {
        peer->server = server;
        peer->server_id = own->server_id;
        peer->outage = server->outage;
        peer->host = server->conf->host;

        peer->spare = server->conf->max_conns
                      ? server->conf->max_conns - server->conns
                      : NGX_MAX_UINT32_VALUE;
    }

    ngx_smtp_servers_unlock(servers);

    if (rc != NGX_OK) {
        return NGX_DECLINED;
    }

    peer->tries = 1;

    /* they are the connection's */

    ngx_memcpy(&peer->address, sockaddr, socklen);
    peer->sockaddr = &peer->address.sockaddr;
    peer->socklen = socklen;

    peer->name.len = ngx_min(name->len, NGX_SOCKADDR_STRLEN);
    peer->name.data = peer->text;
    ngx_memcpy(peer->text, name->data, peer->name.len);

    return NGX_OK;
}


/* a server that may go meanwhile is copied */

static void
ngx_smtp_peer_take_address(ngx_smtp_peer_t *peer, ngx_smtp_server_t *server)
{
    peer->sockaddr = &server->sockaddr.sockaddr;
    peer->socklen = server->socklen;
    peer->name = server->name;
    peer->host = server->conf->host;

    if (peer->upstream->dynamic) {

        ngx_memcpy(&peer->address, &server->sockaddr, server->socklen);
        peer->sockaddr = &peer->address.sockaddr;

        peer->name.len = ngx_min(server->name.len, NGX_SOCKADDR_STRLEN);
        peer->name.data = peer->text;
        ngx_memcpy(peer->text, server->name.data, peer->name.len);
    }
}


void
ngx_smtp_peer_free(ngx_smtp_peer_t *peer, ngx_uint_t result)
{
    if (peer->server == NULL) {
        return;
    }

    /* a name has failed when its last address has */

    if (result == NGX_SMTP_PEER_FAILED && peer->naddr < peer->naddrs) {
        return;
    }

    ngx_smtp_peer_mark(peer, result);

    peer->server = NULL;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * The servers of a group: two lists in a fixed order, that of the
 * configuration, so that every worker sees them alike.  They lie in a zone,
 * or in memory of the worker's own.  A server is known by its id where it may
 * have gone meanwhile; one that goes while connections to it are in use stays
 * until the last of them has ended.
 */


static void ngx_smtp_servers_reclaim(ngx_smtp_servers_t *servers,
    ngx_uint_t worker);
static ngx_int_t ngx_smtp_servers_cmp(ngx_smtp_server_t *one,
    ngx_smtp_server_t *two);
static void ngx_smtp_servers_changed(ngx_smtp_servers_t *servers);
static void *ngx_smtp_servers_alloc(ngx_smtp_servers_t *servers, size_t size);
static void ngx_smtp_servers_free(ngx_smtp_servers_t *servers,
    ngx_smtp_server_t *server);
static void ngx_smtp_servers_unlink(ngx_smtp_server_t **next,
    ngx_smtp_server_t *server);
static ngx_smtp_server_t *ngx_smtp_servers_search(ngx_smtp_server_t *server,
    ngx_uint_t id);


ngx_int_t
ngx_smtp_servers_fill(ngx_smtp_servers_t *servers,
    ngx_smtp_upstream_t *upstream)
{
    ngx_addr_t              *addr;
    ngx_uint_t               i, j;
    ngx_smtp_server_t       *server;
    ngx_smtp_server_conf_t  *sc;

    if (upstream->nnames) {
        servers->names = ngx_smtp_servers_alloc(servers, upstream->nnames
                                                     * sizeof(ngx_smtp_name_t));
        if (servers->names == NULL) {
            return NGX_ERROR;
        }
    }

    servers->scale = 1;
    sc = upstream->confs->elts;

    for (i = 0; i < upstream->confs->nelts; i++) {

        if (sc[i].slow_start) {
            servers->scale = NGX_SMTP_PEER_SCALE;
        }

        if (sc[i].resolve) {
            servers->names[servers->nnames++].conf = &sc[i];
            continue;
        }

        for (j = 0; j < ngx_max(sc[i].naddrs, 1); j++) {

            addr = sc[i].naddrs ? &sc[i].addrs[j] : NULL;

            server = ngx_smtp_servers_new(servers, &sc[i],
                                          addr ? addr->sockaddr : NULL,
                                          addr ? addr->socklen : 0, NULL);
            if (server == NULL) {
                return NGX_ERROR;
            }

            ngx_smtp_servers_insert(servers, server);
        }
    }

    return NGX_OK;
}


ngx_smtp_server_t *
ngx_smtp_servers_new(ngx_smtp_servers_t *servers, ngx_smtp_server_conf_t *sc,
    struct sockaddr *sockaddr, socklen_t socklen, ngx_str_t *target)
{
    u_char             *p;
    size_t              size, len;
    ngx_smtp_server_t  *server;

    if (socklen > (socklen_t) sizeof(ngx_sockaddr_t)) {
        return NULL;
    }

    /* the columns of the workers, then the texts: one piece */

    size = sizeof(ngx_smtp_server_t) + servers->nworkers * sizeof(uint32_t);
    len = socklen ? NGX_SOCKADDR_STRLEN : sc->url.len;

    server = ngx_smtp_servers_alloc(servers,
                                    size + len + (target ? target->len : 0));
    if (server == NULL) {
        return NULL;
    }

    p = (u_char *) server + size;

    server->conf = sc;
    server->id = ++servers->last_id;
    server->heap = (servers->shpool == NULL && servers->pool == NULL);
    server->backup = sc->backup;
    server->weight = sc->weight;
    server->effective_weight = sc->weight;
    server->unhealthy = sc->mandatory && !sc->down;
    server->checking = server->unhealthy;

    server->name.data = p;

    if (socklen) {
        server->socklen = socklen;
        ngx_memcpy(&server->sockaddr, sockaddr, socklen);

        server->name.len = ngx_sock_ntop(&server->sockaddr.sockaddr, socklen,
                                         p, NGX_SOCKADDR_STRLEN, 1);

    } else {
        server->name.len = len;
        ngx_memcpy(p, sc->url.data, len);
    }

    if (target == NULL) {
        server->target = sc->url;
        return server;
    }

    server->target.data = p + len;
    server->target.len = target->len;
    ngx_memcpy(p + len, target->data, target->len);

    return server;
}


void
ngx_smtp_servers_insert(ngx_smtp_servers_t *servers,
    ngx_smtp_server_t *server)
{
    ngx_smtp_server_t      **next;
    ngx_smtp_server_set_t   *set;

    set = &servers->sets[server->backup];

    for (next = &set->first; *next; next = &(*next)->next) {
        if (ngx_smtp_servers_cmp(*next, server) > 0) {
            break;
        }
    }

    server->next = *next;
    *next = server;

    set->number++;
    set->weight += server->weight;

    ngx_smtp_servers_changed(servers);
}


/*
 * The order of the configuration; addresses of a name in an order of their
 * own, since the DNS has none.
 */

static ngx_int_t
ngx_smtp_servers_cmp(ngx_smtp_server_t *one, ngx_smtp_server_t *two)
{
    if (one->conf != two->conf) {
        return (one->conf > two->conf) ? 1 : -1;
    }

    if (!one->conf->resolve) {
        return 0;
    }

    return ngx_memcmp(&one->sockaddr, &two->sockaddr,
                      ngx_min(one->socklen, two->socklen));
}


static void
ngx_smtp_servers_changed(ngx_smtp_servers_t *servers)
{
    servers->version++;
    servers->single = (servers->sets[0].number + servers->sets[1].number == 1);
}


void
ngx_smtp_servers_remove(ngx_smtp_servers_t *servers,
    ngx_smtp_server_t *server)
{
    ngx_smtp_server_set_t  *set;

    set = &servers->sets[server->backup];

    ngx_smtp_servers_unlink(&set->first, server);

    set->number--;
    set->weight -= server->weight;

    ngx_smtp_servers_changed(servers);
    servers->gone++;

    server->zombie = 1;
    server->next = servers->zombies;
    servers->zombies = server;

    if (server->conns == 0) {
        ngx_smtp_servers_free(servers, server);
    }
}


ngx_uint_t
ngx_smtp_servers_checking(ngx_smtp_servers_t *servers)
{
    ngx_uint_t          i;
    ngx_smtp_server_t  *server;

    for (i = 0; i < 2; i++) {
        for (server = servers->sets[i].first; server; server = server->next) {
            if (server->checking) {
                return 1;
            }
        }
    }

    return 0;
}


void
ngx_smtp_servers_destroy(ngx_smtp_servers_t *servers)
{
    ngx_uint_t           i;
    ngx_smtp_server_t   *server, *next;
    ngx_smtp_server_t  **lists[3];

    lists[0] = &servers->sets[0].first;
    lists[1] = &servers->sets[1].first;
    lists[2] = &servers->zombies;

    for (i = 0; i < 3; i++) {

        for (server = *lists[i]; server; server = next) {
            next = server->next;

            if (server->heap) {
                ngx_smtp_servers_unlink(lists[i], server);
                ngx_free(server);
            }
        }
    }
}


/* the lock is held in these three */

ngx_smtp_server_t *
ngx_smtp_servers_find(ngx_smtp_upstream_t *upstream,
    ngx_smtp_server_t *server, ngx_uint_t id)
{
    ngx_smtp_servers_t  *servers;

    if (!upstream->dynamic) {
        return server;
    }

    servers = upstream->servers;

    server = ngx_smtp_servers_search(servers->sets[0].first, id);

    if (server == NULL) {
        server = ngx_smtp_servers_search(servers->sets[1].first, id);
    }

    if (server == NULL) {
        server = ngx_smtp_servers_search(servers->zombies, id);
    }

    return server;
}


static ngx_smtp_server_t *
ngx_smtp_servers_search(ngx_smtp_server_t *server, ngx_uint_t id)
{
    while (server && server->id != id) {
        server = server->next;
    }

    return server;
}


void
ngx_smtp_servers_hold(ngx_smtp_servers_t *servers, ngx_smtp_server_t *server)
{
    server->conns++;

    if (ngx_worker < servers->nworkers) {
        server->conns_of[ngx_worker]++;
    }
}


void
ngx_smtp_servers_release(ngx_smtp_servers_t *servers,
    ngx_smtp_server_t *server)
{
    server->conns--;

    if (ngx_worker < servers->nworkers) {
        server->conns_of[ngx_worker]--;
    }

    if (server->zombie && server->conns == 0) {
        ngx_smtp_servers_free(servers, server);
    }
}


void
ngx_smtp_servers_enter(ngx_smtp_servers_t *servers)
{
    if (ngx_worker >= servers->nworkers) {
        return;
    }

    ngx_smtp_servers_lock(servers);

    ngx_smtp_servers_reclaim(servers, ngx_worker);

    servers->pids[ngx_worker] = ngx_pid;

    ngx_smtp_servers_unlock(servers);
}


/*
 * A worker of an old configuration has no successor.  Who is gone is no
 * process any more; that another one has its number by now is a matter of
 * waiting a little longer.
 */

void
ngx_smtp_servers_bury(ngx_smtp_servers_t *servers)
{
    ngx_pid_t   pid;
    ngx_uint_t  i;

    for (i = 0; i < servers->nworkers; i++) {
        pid = servers->pids[i];

        if (pid == 0 || pid == ngx_pid || kill(pid, 0) != -1
            || ngx_errno != NGX_ESRCH)
        {
            continue;
        }

        ngx_smtp_servers_lock(servers);

        if (servers->pids[i] == pid) {
            servers->pids[i] = 0;
            ngx_smtp_servers_reclaim(servers, i);
        }

        ngx_smtp_servers_unlock(servers);
    }
}


static void
ngx_smtp_servers_reclaim(ngx_smtp_servers_t *servers, ngx_uint_t worker)
{
    ngx_uint_t          i, n;
    ngx_smtp_server_t  *server, *next;
    ngx_smtp_server_t  *lists[3];

    lists[0] = servers->sets[0].first;
    lists[1] = servers->sets[1].first;
    lists[2] = servers->zombies;

    for (i = 0; i < 3; i++) {

        for (server = lists[i]; server; server = next) {
            next = server->next;

            server->conns_of[worker] = 0;
            server->conns = 0;

            /* the sum may be off: it was killed at any point */

            for (n = 0; n < servers->nworkers; n++) {
                server->conns += server->conns_of[n];
            }

            if (server->zombie && server->conns == 0) {
                ngx_smtp_servers_free(servers, server);
            }
        }
    }
}


static void *
ngx_smtp_servers_alloc(ngx_smtp_servers_t *servers, size_t size)
{
    if (servers->shpool) {
        return ngx_slab_calloc_locked(servers->shpool, size);
    }

    if (servers->pool) {
        return ngx_pcalloc(servers->pool, size);
    }

    return ngx_calloc(size, ngx_cycle->log);
}


static void
ngx_smtp_servers_free(ngx_smtp_servers_t *servers, ngx_smtp_server_t *server)
{
    ngx_smtp_servers_unlink(&servers->zombies, server);

    if (servers->shpool) {
        ngx_slab_free_locked(servers->shpool, server);

    } else if (server->heap) {
        ngx_free(server);
    }
}


static void
ngx_smtp_servers_unlink(ngx_smtp_server_t **next, ngx_smtp_server_t *server)
{
    while (*next != server) {
        next = &(*next)->next;
    }

    *next = server->next;
}

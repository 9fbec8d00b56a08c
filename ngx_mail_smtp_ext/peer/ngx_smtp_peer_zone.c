
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * "zone": the servers of a group, or of several, in memory that the workers
 * share.  The lock is that of nginx's slab pool, which the master opens when
 * a worker is killed that held it; what such a worker had in use is reclaimed
 * by the one that takes its place.
 *
 * A reload makes a new zone, since the old workers go on with the old one.
 * Servers that are in both begin with the state that they had.
 */


static ngx_smtp_servers_t *ngx_smtp_peer_zone_create(ngx_slab_pool_t *shpool,
    ngx_smtp_peer_conf_t *conf, ngx_smtp_upstream_t *upstream);
static ngx_slab_pool_t *ngx_smtp_peer_zone_old(ngx_shm_zone_t *zone);
static void ngx_smtp_peer_zone_inherit(ngx_smtp_upstream_t *upstream,
    ngx_slab_pool_t *shpool);
static void ngx_smtp_peer_zone_names(ngx_smtp_upstream_t *upstream,
    ngx_smtp_servers_t *old);
static void ngx_smtp_peer_zone_name(ngx_smtp_upstream_t *upstream,
    ngx_smtp_name_t *name, ngx_smtp_servers_t *old, ngx_smtp_name_t *from);
static ngx_uint_t ngx_smtp_peer_zone_str(ngx_str_t *one, ngx_str_t *two);
static ngx_smtp_server_t *ngx_smtp_peer_zone_equal(ngx_smtp_servers_t *old,
    ngx_smtp_server_t *server);
static void ngx_smtp_peer_zone_copy(ngx_smtp_server_t *to,
    ngx_smtp_server_t *from);
static void ngx_smtp_peer_zone_turn(ngx_smtp_server_set_t *to,
    ngx_smtp_server_set_t *from);


ngx_int_t
ngx_smtp_peer_zone_init(ngx_shm_zone_t *zone, void *data)
{
    size_t                  len;
    ngx_uint_t              i;
    ngx_slab_pool_t        *shpool, *old;
    ngx_smtp_servers_t    **next;
    ngx_smtp_upstream_t    *upstream, **upstreams;
    ngx_smtp_peer_conf_t   *conf;

    conf = zone->data;
    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    len = sizeof(" in smtp_upstream zone \"\"") + zone->shm.name.len;

    shpool->log_ctx = ngx_slab_alloc(shpool, len);
    if (shpool->log_ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(shpool->log_ctx, " in smtp_upstream zone \"%V\"%Z",
                &zone->shm.name);

    old = ngx_smtp_peer_zone_old(zone);

    next = (ngx_smtp_servers_t **) (void *) &shpool->data;
    upstreams = conf->upstreams.elts;

    for (i = 0; i < conf->upstreams.nelts; i++) {
        upstream = upstreams[i];

        if (upstream->zone != zone) {
            continue;
        }

        upstream->servers = ngx_smtp_peer_zone_create(shpool, conf, upstream);

        if (upstream->servers == NULL) {
            ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                          "zone \"%V\" is too small for upstream \"%V\"",
                          &zone->shm.name, &upstream->name);
            return NGX_ERROR;
        }

        *next = upstream->servers;
        next = &upstream->servers->next;

        if (old) {
            ngx_smtp_peer_zone_inherit(upstream, old);
        }
    }

    return NGX_OK;
}


static ngx_smtp_servers_t *
ngx_smtp_peer_zone_create(ngx_slab_pool_t *shpool, ngx_smtp_peer_conf_t *conf,
    ngx_smtp_upstream_t *upstream)
{
    ngx_int_t            rc;
    ngx_core_conf_t     *ccf;
    ngx_smtp_servers_t  *servers;

    ccf = (ngx_core_conf_t *) ngx_get_conf(conf->cycle->conf_ctx,
                                           ngx_core_module);

    servers = ngx_slab_calloc(shpool, sizeof(ngx_smtp_servers_t));
    if (servers == NULL) {
        return NULL;
    }

    servers->shpool = shpool;
    servers->nworkers = ngx_max(ccf->worker_processes, 1);
    servers->name = upstream->name;

    servers->pids = ngx_slab_calloc(shpool,
                                    servers->nworkers * sizeof(ngx_pid_t));
    if (servers->pids == NULL) {
        return NULL;
    }

    ngx_smtp_servers_lock(servers);

    rc = ngx_smtp_servers_fill(servers, upstream);

    ngx_smtp_servers_unlock(servers);

    return (rc == NGX_OK) ? servers : NULL;
}


/* the zone of the cycle that is about to end; NULL: there is none */

static ngx_slab_pool_t *
ngx_smtp_peer_zone_old(ngx_shm_zone_t *zone)
{
    ngx_uint_t        i;
    ngx_shm_zone_t   *old;
    ngx_list_part_t  *part;

    for (part = (ngx_list_part_t *) &ngx_cycle->shared_memory.part;
         part;
         part = part->next)
    {
        old = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (old[i].tag == zone->tag
                && old[i].shm.addr
                && old[i].shm.name.len == zone->shm.name.len
                && ngx_strncmp(old[i].shm.name.data, zone->shm.name.data,
                               zone->shm.name.len)
                   == 0)
            {
                return (ngx_slab_pool_t *) old[i].shm.addr;
            }
        }
    }

    return NULL;
}


/* nobody else knows the new zone: the old one's lock is enough */

static void
ngx_smtp_peer_zone_inherit(ngx_smtp_upstream_t *upstream,
    ngx_slab_pool_t *shpool)
{
    ngx_uint_t           i;
    ngx_smtp_server_t   *server, *from;
    ngx_smtp_servers_t  *servers, *old;

    servers = upstream->servers;

    for (old = shpool->data; old; old = old->next) {
        if (ngx_smtp_peer_zone_str(&old->name, &servers->name)) {
            break;
        }
    }

    if (old == NULL) {
        return;
    }

    ngx_smtp_servers_lock(old);

    ngx_smtp_peer_zone_names(upstream, old);

    for (i = 0; i < 2; i++) {

        for (server = servers->sets[i].first; server; server = server->next) {

            from = ngx_smtp_peer_zone_equal(old, server);

            if (from) {
                ngx_smtp_peer_zone_copy(server, from);
            }
        }

        ngx_smtp_peer_zone_turn(&servers->sets[i], &old->sets[i]);
    }

    ngx_smtp_servers_unlock(old);
}


/* what names were resolved to is good for the new workers too */

static void
ngx_smtp_peer_zone_names(ngx_smtp_upstream_t *upstream,
    ngx_smtp_servers_t *old)
{
    ngx_uint_t        i, j;
    ngx_smtp_name_t  *name, *from;

    for (i = 0; i < upstream->servers->nnames; i++) {
        name = &upstream->servers->names[i];

        for (j = 0; j < old->nnames; j++) {
            from = &old->names[j];

            if (from->asked
                && ngx_smtp_peer_zone_str(&from->conf->host, &name->conf->host)
                && ngx_smtp_peer_zone_str(&from->conf->service,
                                          &name->conf->service))
            {
                ngx_smtp_peer_zone_name(upstream, name, old, from);
                break;
            }
        }
    }
}


static void
ngx_smtp_peer_zone_name(ngx_smtp_upstream_t *upstream, ngx_smtp_name_t *name,
    ngx_smtp_servers_t *old, ngx_smtp_name_t *from)
{
    ngx_uint_t          i, backup;
    ngx_smtp_server_t  *server;

    for (i = 0; i < 2; i++) {

        for (server = old->sets[i].first; server; server = server->next) {

            if (server->conf != from->conf) {
                continue;
            }

            /* where it was a backup by its priority, it may be so still */

            backup = name->conf->backup
                     || (server->backup && !from->conf->backup);

            if (backup && !upstream->balancer->ranks) {
                continue;
            }

            (void) ngx_smtp_peer_names_add(upstream->servers, name,
                                           &server->sockaddr.sockaddr,
                                           server->socklen, &server->target,
                                           server->weight, backup);
        }
    }

    name->valid = from->valid;
    name->outage = from->outage;
    name->asked = 1;
}


static ngx_uint_t
ngx_smtp_peer_zone_str(ngx_str_t *one, ngx_str_t *two)
{
    return one->len == two->len
           && ngx_strncasecmp(one->data, two->data, one->len) == 0;
}


static ngx_smtp_server_t *
ngx_smtp_peer_zone_equal(ngx_smtp_servers_t *old, ngx_smtp_server_t *server)
{
    ngx_uint_t          i;
    ngx_smtp_server_t  *from;

    for (i = 0; i < 2; i++) {

        for (from = old->sets[i].first; from; from = from->next) {

            if (from->name.len == server->name.len
                && ngx_memcmp(from->name.data, server->name.data,
                              server->name.len)
                   == 0)
            {
                return from;
            }
        }
    }

    return NULL;
}


/* not its connections: the old workers count those for themselves */

static void
ngx_smtp_peer_zone_copy(ngx_smtp_server_t *to, ngx_smtp_server_t *from)
{
    to->fails = from->fails;
    to->accessed = from->accessed;
    to->checked = from->checked;
    to->outage = from->outage;
    to->count = from->count;
    to->starting = from->starting && to->conf->slow_start;
    to->start = from->start;

    /* what was found out by checks, as long as there are some */

    if (to->conf->checked && from->count.checks && !to->conf->down) {
        to->unhealthy = from->unhealthy;
        to->checking = from->checking;
        to->check_passes = from->check_passes;
        to->check_fails = from->check_fails;
    }

    if (to->weight == from->weight) {
        to->effective_weight = from->effective_weight;
    }
}


/* the round goes on where it was when it is the same round */

static void
ngx_smtp_peer_zone_turn(ngx_smtp_server_set_t *to,
    ngx_smtp_server_set_t *from)
{
    ngx_smtp_server_t  *server, *old;

    old = from->first;

    for (server = to->first; server && old; server = server->next) {

        if (old->weight != server->weight
            || old->name.len != server->name.len
            || ngx_memcmp(old->name.data, server->name.data, old->name.len)
               != 0)
        {
            return;
        }

        old = old->next;
    }

    if (server || old) {
        return;
    }

    old = from->first;

    for (server = to->first; server; server = server->next) {
        server->current_weight = old->current_weight;
        old = old->next;
    }
}

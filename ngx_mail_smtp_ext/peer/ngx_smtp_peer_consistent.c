
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * "hash ... consistent", ketama as nginx and Cache::Memcached::Fast have it:
 * a server has 160 points for each unit of its weight on a circle, a key
 * belongs to the next point, so that few keys move when a server comes or
 * goes.  The points are computed when they are needed first, by each worker
 * for itself, and again when the servers have changed.
 */


#define NGX_SMTP_PEER_POINTS  160

/* steps to the next point, as in nginx; then round robin */
#define NGX_SMTP_PEER_STEPS   20


typedef struct {
    uint32_t                hash;
    ngx_str_t              *target;         /* a server's */
} ngx_smtp_peer_point_t;


typedef struct {
    ngx_uint_t              version;        /* of the servers */
    ngx_uint_t              npoints;
    ngx_smtp_peer_point_t  *points;         /* NULL: none yet */
} ngx_smtp_peer_points_t;


static ngx_smtp_server_t *ngx_smtp_peer_consistent_get(ngx_smtp_peer_t *peer,
    ngx_smtp_server_set_t *set, time_t now);
static ngx_smtp_server_t *ngx_smtp_peer_consistent_at(ngx_smtp_peer_t *peer,
    ngx_smtp_server_set_t *set, time_t now, ngx_str_t *target);
static ngx_smtp_peer_points_t *ngx_smtp_peer_points(
    ngx_smtp_upstream_t *upstream, ngx_smtp_server_set_t *set);
static ngx_int_t ngx_smtp_peer_points_fill(ngx_smtp_peer_points_t *all,
    ngx_smtp_server_set_t *set);
static ngx_uint_t ngx_smtp_peer_points_number(ngx_smtp_server_set_t *set,
    ngx_smtp_server_t *server);
static ngx_smtp_peer_point_t *ngx_smtp_peer_points_of(
    ngx_smtp_peer_point_t *point, ngx_str_t *target, ngx_uint_t n);
static int ngx_libc_cdecl ngx_smtp_peer_points_cmp(const void *one,
    const void *two);
static ngx_uint_t ngx_smtp_peer_points_find(ngx_smtp_peer_points_t *all,
    uint32_t hash);
static void ngx_smtp_peer_points_cleanup(void *data);


const ngx_smtp_balancer_t  ngx_smtp_balancer_consistent = {
    ngx_string("hash"),
    NULL,
    ngx_smtp_peer_consistent_get,
    0
};


ngx_int_t
ngx_smtp_peer_consistent_init(ngx_conf_t *cf, ngx_smtp_upstream_t *upstream)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_smtp_peer_points_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(cln->data, sizeof(ngx_smtp_peer_points_t));

    cln->handler = ngx_smtp_peer_points_cleanup;

    upstream->points = cln->data;

    return NGX_OK;
}


static ngx_smtp_server_t *
ngx_smtp_peer_consistent_get(ngx_smtp_peer_t *peer,
    ngx_smtp_server_set_t *set, time_t now)
{
    ngx_uint_t               n;
    ngx_smtp_server_t       *server;
    ngx_smtp_peer_points_t  *all;

    if (set->number < 2 || peer->key.len == 0) {
        return ngx_smtp_balancer_rr.get(peer, set, now);
    }

    all = ngx_smtp_peer_points(peer->upstream, set);

    if (all == NULL) {
        return ngx_smtp_balancer_rr.get(peer, set, now);
    }

    n = ngx_smtp_peer_points_find(all, ngx_crc32_long(peer->key.data,
                                                      peer->key.len));

    while (peer->draws <= NGX_SMTP_PEER_STEPS) {

        server = ngx_smtp_peer_consistent_at(peer, set, now,
                       all->points[(n + peer->draws) % all->npoints].target);

        if (server) {
            return server;
        }

        peer->draws++;
    }

    return ngx_smtp_balancer_rr.get(peer, set, now);
}


/* the addresses of a name have their points in common */

static ngx_smtp_server_t *
ngx_smtp_peer_consistent_at(ngx_smtp_peer_t *peer,
    ngx_smtp_server_set_t *set, time_t now, ngx_str_t *target)
{
    ngx_int_t           total;
    ngx_smtp_server_t  *server, *best;

    total = 0;
    best = NULL;

    for (server = set->first; server; server = server->next) {

        if (server->target.len != target->len
            || ngx_memcmp(server->target.data, target->data, target->len) != 0
            || !ngx_smtp_peer_candidate(peer, server, now))
        {
            continue;
        }

        total += ngx_smtp_peer_weigh(peer->upstream->servers, server);

        if (best == NULL || server->current_weight > best->current_weight) {
            best = server;
        }
    }

    if (best) {
        best->current_weight -= total;
    }

    return best;
}


/* NULL: there are none, for want of memory or of servers */

static ngx_smtp_peer_points_t *
ngx_smtp_peer_points(ngx_smtp_upstream_t *upstream,
    ngx_smtp_server_set_t *set)
{
    ngx_smtp_peer_points_t  *all;

    all = upstream->points;

    if (all->points && all->version == upstream->servers->version) {
        return all;
    }

    if (ngx_smtp_peer_points_fill(all, set) != NGX_OK) {
        return NULL;
    }

    all->version = upstream->servers->version;

    return all;
}


static ngx_int_t
ngx_smtp_peer_points_fill(ngx_smtp_peer_points_t *all,
    ngx_smtp_server_set_t *set)
{
    ngx_uint_t              i, n;
    ngx_smtp_server_t      *server;
    ngx_smtp_peer_point_t  *points, *point;

    n = 0;

    for (server = set->first; server; server = server->next) {
        n += ngx_smtp_peer_points_number(set, server);
    }

    points = ngx_alloc(n * sizeof(ngx_smtp_peer_point_t), ngx_cycle->log);
    if (points == NULL) {
        return NGX_ERROR;
    }

    point = points;

    for (server = set->first; server; server = server->next) {
        point = ngx_smtp_peer_points_of(point, &server->target,
                                   ngx_smtp_peer_points_number(set, server));
    }

    ngx_qsort(points, n, sizeof(ngx_smtp_peer_point_t),
              ngx_smtp_peer_points_cmp);

    for (i = 0, point = points + 1; point < points + n; point++) {
        if (points[i].hash != point->hash) {
            points[++i] = *point;
        }
    }

    if (all->points) {
        ngx_free(all->points);
    }

    all->points = points;
    all->npoints = i + 1;

    return NGX_OK;
}


/* weights may be large, as those of SRV records are */

static ngx_uint_t
ngx_smtp_peer_points_number(ngx_smtp_server_set_t *set,
    ngx_smtp_server_t *server)
{
    ngx_uint_t  n;

    n = server->weight * NGX_SMTP_PEER_POINTS;

    if (set->weight > NGX_SMTP_PEER_POINTS_WEIGHT) {
        n = (uint64_t) n * NGX_SMTP_PEER_POINTS_WEIGHT / set->weight;
    }

    return ngx_max(n, 1);
}


/* crc32(HOST \0 PORT PREV_HASH), the latter in the order of a small machine */

static ngx_smtp_peer_point_t *
ngx_smtp_peer_points_of(ngx_smtp_peer_point_t *point, ngx_str_t *target,
    ngx_uint_t n)
{
    u_char      *p;
    uint32_t     hash, base;
    ngx_str_t    host, port;
    ngx_uint_t   i;
    u_char       prev[4];

    host = *target;
    ngx_str_null(&port);

    if (host.len > 5
        && ngx_strncasecmp(host.data, (u_char *) "unix:", 5) == 0)
    {
        host.data += 5;
        host.len -= 5;

    } else {

        p = host.data + host.len;

        while (p > host.data && p[-1] >= '0' && p[-1] <= '9') {
            p--;
        }

        if (p > host.data && p[-1] == ':') {
            port.data = p;
            port.len = host.data + host.len - p;
            host.len = p - 1 - host.data;
        }
    }

    ngx_crc32_init(base);
    ngx_crc32_update(&base, host.data, host.len);
    ngx_crc32_update(&base, (u_char *) "", 1);
    ngx_crc32_update(&base, port.data, port.len);

    ngx_memzero(prev, 4);

    for (i = 0; i < n; i++) {
        hash = base;

        ngx_crc32_update(&hash, prev, 4);
        ngx_crc32_final(hash);

        point->hash = hash;
        point->target = target;
        point++;

        prev[0] = (u_char) (hash & 0xff);
        prev[1] = (u_char) ((hash >> 8) & 0xff);
        prev[2] = (u_char) ((hash >> 16) & 0xff);
        prev[3] = (u_char) ((hash >> 24) & 0xff);
    }

    return point;
}


static int ngx_libc_cdecl
ngx_smtp_peer_points_cmp(const void *one, const void *two)
{
    const ngx_smtp_peer_point_t  *first = one;
    const ngx_smtp_peer_point_t  *second = two;

    return (first->hash > second->hash) - (first->hash < second->hash);
}


/* the first point that is not before hash; npoints: it is at the beginning */

static ngx_uint_t
ngx_smtp_peer_points_find(ngx_smtp_peer_points_t *all, uint32_t hash)
{
    ngx_uint_t  i, j, k;

    i = 0;
    j = all->npoints;

    while (i < j) {
        k = (i + j) / 2;

        if (hash > all->points[k].hash) {
            i = k + 1;

        } else {
            j = k;
        }
    }

    return i;
}


static void
ngx_smtp_peer_points_cleanup(void *data)
{
    ngx_smtp_peer_points_t  *all = data;

    if (all->points) {
        ngx_free(all->points);
    }
}

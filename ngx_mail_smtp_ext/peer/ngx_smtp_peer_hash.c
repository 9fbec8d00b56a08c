
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * "ip_hash" and "hash": the client's address, or a text with variables,
 * decides.  The formulas are those of nginx, the one of "hash" being that of
 * Cache::Memcached: groups of the same servers in http{} or stream{}, and
 * other programs, choose alike.  Whose server is not to be had goes on to the
 * next by rehashing, then to round robin.
 */


/* after as many draws in vain there is little left to hit; as in nginx */
#define NGX_SMTP_PEER_HASH_DRAWS  20


static char *ngx_smtp_peer_hash_parse(ngx_conf_t *cf,
    ngx_smtp_upstream_t *upstream);
static ngx_smtp_server_t *ngx_smtp_peer_ip_hash_get(ngx_smtp_peer_t *peer,
    ngx_smtp_server_set_t *set, time_t now);
static size_t ngx_smtp_peer_ip_hash_addr(struct sockaddr *sockaddr,
    u_char **addr);
static ngx_smtp_server_t *ngx_smtp_peer_hash_get(ngx_smtp_peer_t *peer,
    ngx_smtp_server_set_t *set, time_t now);
static ngx_smtp_server_t *ngx_smtp_peer_hash_nth(ngx_smtp_server_set_t *set,
    ngx_uint_t n);


const ngx_smtp_balancer_t  ngx_smtp_balancer_ip_hash = {
    ngx_string("ip_hash"),
    NULL,
    ngx_smtp_peer_ip_hash_get,
    0
};


const ngx_smtp_balancer_t  ngx_smtp_balancer_hash = {
    ngx_string("hash"),
    ngx_smtp_peer_hash_parse,
    ngx_smtp_peer_hash_get,
    0
};


static char *
ngx_smtp_peer_hash_parse(ngx_conf_t *cf, ngx_smtp_upstream_t *upstream)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    upstream->hash_key = ngx_smtp_peer_key->compile(cf, &value[1]);

    if (upstream->hash_key == NULL) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[2].data, "consistent") != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    upstream->balancer = &ngx_smtp_balancer_consistent;

    return NGX_CONF_OK;
}


static ngx_smtp_server_t *
ngx_smtp_peer_ip_hash_get(ngx_smtp_peer_t *peer, ngx_smtp_server_set_t *set,
    time_t now)
{
    size_t              i, len;
    u_char             *addr;
    ngx_smtp_server_t  *server;

    len = ngx_smtp_peer_ip_hash_addr(peer->client, &addr);

    if (peer->draws == 0) {
        peer->hash = 89;
    }

    while (set->number > 1 && peer->draws < NGX_SMTP_PEER_HASH_DRAWS) {

        peer->draws++;

        for (i = 0; i < len; i++) {
            peer->hash = (peer->hash * 113 + addr[i]) % 6271;
        }

        server = ngx_smtp_peer_hash_nth(set, peer->hash % set->weight);

        if (ngx_smtp_peer_candidate(peer, server, now)) {
            return server;
        }
    }

    return ngx_smtp_balancer_rr.get(peer, set, now);
}


/* neighbours in IPv4 have a server in common */

static size_t
ngx_smtp_peer_ip_hash_addr(struct sockaddr *sockaddr, u_char **addr)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    static u_char  none[3];

    switch (sockaddr ? sockaddr->sa_family : AF_UNSPEC) {

    case AF_INET:
        sin = (struct sockaddr_in *) sockaddr;
        *addr = (u_char *) &sin->sin_addr.s_addr;
        return 3;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sockaddr;
        *addr = (u_char *) &sin6->sin6_addr.s6_addr;
        return 16;
#endif

    default:
        *addr = none;
        return 3;
    }
}


/*
 * ((crc32([REHASH] KEY) >> 16) & 0x7fff) + PREV_HASH, REHASH being omitted
 * the first time.
 */

static ngx_smtp_server_t *
ngx_smtp_peer_hash_get(ngx_smtp_peer_t *peer, ngx_smtp_server_set_t *set,
    time_t now)
{
    size_t              size;
    uint32_t            hash;
    ngx_smtp_server_t  *server;
    u_char              buf[NGX_INT_T_LEN];

    while (set->number > 1 && peer->key.len
           && peer->draws < NGX_SMTP_PEER_HASH_DRAWS)
    {
        ngx_crc32_init(hash);

        if (peer->draws) {
            size = ngx_sprintf(buf, "%ui", peer->draws) - buf;
            ngx_crc32_update(&hash, buf, size);
        }

        ngx_crc32_update(&hash, peer->key.data, peer->key.len);
        ngx_crc32_final(hash);

        peer->hash += (hash >> 16) & 0x7fff;
        peer->draws++;

        server = ngx_smtp_peer_hash_nth(set, peer->hash % set->weight);

        if (ngx_smtp_peer_candidate(peer, server, now)) {
            return server;
        }
    }

    return ngx_smtp_balancer_rr.get(peer, set, now);
}


static ngx_smtp_server_t *
ngx_smtp_peer_hash_nth(ngx_smtp_server_set_t *set, ngx_uint_t n)
{
    ngx_smtp_server_t  *server;

    server = set->first;

    while (n >= (ngx_uint_t) server->weight && server->next) {
        n -= server->weight;
        server = server->next;
    }

    return server;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * Groups of one server made at run time, from what a service or a route says:
 * an address literal, a name or the path of a unix socket.  Nothing is kept
 * of them, neither marks nor connections.
 */


/* RFC 1035, 2.3.4 */
#define NGX_SMTP_UPSTREAM_NAME_MAX  255


static ngx_int_t ngx_smtp_upstream_unix(ngx_pool_t *pool, ngx_addr_t *addr,
    ngx_str_t *host);
static ngx_int_t ngx_smtp_upstream_literal(ngx_pool_t *pool,
    ngx_smtp_server_conf_t *sc, ngx_addr_t *addr, ngx_str_t *host,
    in_port_t port);
static ngx_int_t ngx_smtp_upstream_host(ngx_pool_t *pool,
    ngx_smtp_server_conf_t *sc, ngx_str_t *host, in_port_t port);


ngx_smtp_upstream_t *
ngx_smtp_upstream_make(ngx_pool_t *pool, ngx_str_t *host, in_port_t port)
{
    ngx_int_t                rc;
    ngx_addr_t               addr;
    ngx_smtp_server_t       *server;
    ngx_smtp_servers_t      *servers;
    ngx_smtp_upstream_t     *upstream;
    ngx_smtp_server_conf_t  *sc;

    upstream = ngx_pcalloc(pool, sizeof(ngx_smtp_upstream_t));
    servers = ngx_pcalloc(pool, sizeof(ngx_smtp_servers_t));
    sc = ngx_pcalloc(pool, sizeof(ngx_smtp_server_conf_t));

    if (upstream == NULL || servers == NULL || sc == NULL) {
        return NULL;
    }

    ngx_memzero(&addr, sizeof(ngx_addr_t));

    if (host->len > 5
        && ngx_strncasecmp(host->data, (u_char *) "unix:", 5) == 0)
    {
        rc = ngx_smtp_upstream_unix(pool, &addr, host);

    } else if (port == 0) {
        rc = NGX_ERROR;

    } else {
        rc = ngx_smtp_upstream_literal(pool, sc, &addr, host, port);

        if (rc == NGX_DECLINED) {
            rc = ngx_smtp_upstream_host(pool, sc, host, port);
        }
    }

    if (rc != NGX_OK) {
        return NULL;
    }

    sc->weight = 1;
    servers->pool = pool;
    servers->scale = 1;

    server = ngx_smtp_servers_new(servers, sc, addr.sockaddr, addr.socklen,
                                  NULL);
    if (server == NULL) {
        return NULL;
    }

    ngx_smtp_servers_insert(servers, server);

    upstream->group = upstream;
    upstream->name = server->name;
    upstream->port = port;
    upstream->servers = servers;
    upstream->balancer = &ngx_smtp_balancer_rr;

    ngx_queue_init(&upstream->waiting);
    ngx_queue_init(&upstream->cache);
    ngx_queue_init(&upstream->free);

    return upstream;
}


static ngx_int_t
ngx_smtp_upstream_unix(ngx_pool_t *pool, ngx_addr_t *addr, ngx_str_t *host)
{
    ngx_url_t   u;
    ngx_uint_t  i;

    /* the path goes into logs, and a null octet would cut it short */

    for (i = 0; i < host->len; i++) {
        if (host->data[i] < 0x20 || host->data[i] == 0x7f) {
            return NGX_ERROR;
        }
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url.len = host->len;
    u.url.data = ngx_pstrdup(pool, host);
    if (u.url.data == NULL) {
        return NGX_ERROR;
    }

    if (ngx_parse_url(pool, &u) != NGX_OK) {
        return NGX_ERROR;
    }

    *addr = u.addrs[0];

    return NGX_OK;
}


/* NGX_DECLINED: not a literal */

static ngx_int_t
ngx_smtp_upstream_literal(ngx_pool_t *pool, ngx_smtp_server_conf_t *sc,
    ngx_addr_t *addr, ngx_str_t *host, in_port_t port)
{
    ngx_int_t  rc;
    ngx_str_t  text;

    text = *host;

    if (text.len > 2 && text.data[0] == '[' && text.data[text.len - 1] == ']')
    {
        text.data++;
        text.len -= 2;
    }

    rc = ngx_parse_addr(pool, addr, text.data, text.len);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_inet_set_port(addr->sockaddr, port);

    sc->host.len = text.len;
    sc->host.data = ngx_pstrdup(pool, &text);
    if (sc->host.data == NULL) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* only what a name in the DNS of hosts has: it goes into logs and queries */

static ngx_int_t
ngx_smtp_upstream_host(ngx_pool_t *pool, ngx_smtp_server_conf_t *sc,
    ngx_str_t *host, in_port_t port)
{
    u_char      ch, *p;
    ngx_uint_t  i;

    if (host->len == 0 || host->len > NGX_SMTP_UPSTREAM_NAME_MAX
        || host->data[0] == '.')
    {
        return NGX_ERROR;
    }

    for (i = 0; i < host->len; i++) {
        ch = host->data[i];

        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
            || (ch >= '0' && ch <= '9') || ch == '-' || ch == '_')
        {
            continue;
        }

        if (ch == '.' && host->data[i - 1] != '.') {
            continue;
        }

        return NGX_ERROR;
    }

    sc->host.len = host->len;
    sc->host.data = ngx_pstrdup(pool, host);
    if (sc->host.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(pool, host->len + sizeof(":65535") - 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    sc->port = port;
    sc->url.data = p;
    sc->url.len = ngx_sprintf(p, "%V:%ui", host, (ngx_uint_t) port) - p;

    return NGX_OK;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * Groups of the configuration: made while it is read, bound when all of mail{}
 * is known, found at run time.
 *
 * A reference is handed out before it is clear what it names.  It is a group
 * of one server, unless a smtp_upstream{} of that name turns up: then its
 * "group" points there, and everything at run time goes through "group".
 *
 * Names in smtp_upstream{} are resolved while the configuration is read, unless
 * they have "resolve".  That of a reference is resolved for each request when a
 * resolver is certain to be at hand: when every place that makes it has one.
 */


/* of a group that says nothing about it; documented in reference/peer.md */
#define NGX_SMTP_UPSTREAM_KEEPALIVE     32
#define NGX_SMTP_UPSTREAM_REQUESTS      1000
#define NGX_SMTP_UPSTREAM_TIMEOUT       60000
#define NGX_SMTP_UPSTREAM_TIME          3600000

#define NGX_SMTP_UPSTREAM_MAX_FAILS     1
#define NGX_SMTP_UPSTREAM_FAIL_TIMEOUT  10


static ngx_smtp_upstream_t *ngx_smtp_upstream_implicit(
    ngx_smtp_peer_conf_t *conf, ngx_str_t *name, in_port_t port);
static ngx_int_t ngx_smtp_upstream_refer(ngx_conf_t *cf,
    ngx_smtp_peer_conf_t *conf, ngx_smtp_upstream_t *upstream);
static ngx_int_t ngx_smtp_upstream_bind(ngx_conf_t *cf,
    ngx_smtp_peer_conf_t *conf, ngx_smtp_upstream_t *upstream);
static ngx_int_t ngx_smtp_upstream_resolve(ngx_conf_t *cf,
    ngx_smtp_upstream_t *upstream, ngx_uint_t resolver);
static ngx_uint_t ngx_smtp_upstream_is_word(ngx_str_t *url);
static void ngx_smtp_upstream_misspelt(ngx_conf_t *cf,
    ngx_smtp_upstream_t *upstream, ngx_smtp_server_conf_t *sc);
static ngx_int_t ngx_smtp_upstream_init(ngx_conf_t *cf,
    ngx_smtp_upstream_t *upstream);
static ngx_int_t ngx_smtp_upstream_check(ngx_conf_t *cf,
    ngx_smtp_upstream_t *upstream);


ngx_smtp_upstream_t *
ngx_smtp_upstream_add(ngx_conf_t *cf, ngx_str_t *url, in_port_t port)
{
    ngx_str_t             *name;
    ngx_url_t              u;
    ngx_smtp_upstream_t   *upstream;
    ngx_smtp_peer_conf_t  *conf;

    conf = ngx_mail_smtp_ext_peer_conf(cf);

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *url;
    u.default_port = port;
    u.no_resolve = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        if (u.err) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "%s in upstream \"%V\"", u.err, &u.url);
        }

        return NULL;
    }

    name = (u.family == AF_UNIX) ? &u.url : &u.host;

    upstream = ngx_smtp_upstream_implicit(conf, name, u.port);

    if (upstream == NULL) {
        upstream = ngx_smtp_upstream_create(cf, conf, name);
        if (upstream == NULL) {
            return NULL;
        }

        upstream->port = u.port;

        if (ngx_smtp_upstream_server(cf, upstream, &u) == NULL) {
            return NULL;
        }
    }

    if (u.family != AF_UNIX && !u.no_port) {
        upstream->has_port = 1;
        upstream->file_name = cf->conf_file->file.name.data;
        upstream->line = cf->conf_file->line;
    }

    if (ngx_smtp_upstream_refer(cf, conf, upstream) != NGX_OK) {
        return NULL;
    }

    return upstream;
}


ngx_smtp_upstream_t *
ngx_smtp_upstream_find(ngx_str_t *name)
{
    ngx_smtp_peer_conf_t  *conf;

    conf = ngx_mail_smtp_ext_peer_cycle_conf();

    return conf ? ngx_smtp_upstream_defined(conf, name) : NULL;
}


ngx_smtp_upstream_t *
ngx_smtp_upstream_create(ngx_conf_t *cf, ngx_smtp_peer_conf_t *conf,
    ngx_str_t *name)
{
    ngx_smtp_upstream_t  *upstream, **upstreamp;

    upstream = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_upstream_t));
    if (upstream == NULL) {
        return NULL;
    }

    upstream->confs = ngx_array_create(cf->pool, 1,
                                       sizeof(ngx_smtp_server_conf_t));
    if (upstream->confs == NULL) {
        return NULL;
    }

    upstreamp = ngx_array_push(&conf->upstreams);
    if (upstreamp == NULL) {
        return NULL;
    }

    *upstreamp = upstream;

    upstream->group = upstream;
    upstream->name = *name;
    upstream->file_name = cf->conf_file->file.name.data;
    upstream->line = cf->conf_file->line;

    ngx_queue_init(&upstream->waiting);

    upstream->resolver_timeout = NGX_CONF_UNSET_MSEC;
    upstream->keepalive = NGX_CONF_UNSET_UINT;
    upstream->keepalive_requests = NGX_CONF_UNSET_UINT;
    upstream->keepalive_timeout = NGX_CONF_UNSET_MSEC;
    upstream->keepalive_time = NGX_CONF_UNSET_MSEC;

    return upstream;
}


ngx_smtp_upstream_t *
ngx_smtp_upstream_defined(ngx_smtp_peer_conf_t *conf, ngx_str_t *name)
{
    ngx_uint_t             i;
    ngx_smtp_upstream_t  **upstreams;

    upstreams = conf->upstreams.elts;

    for (i = 0; i < conf->upstreams.nelts; i++) {

        if (upstreams[i]->defined
            && upstreams[i]->name.len == name->len
            && ngx_strncasecmp(upstreams[i]->name.data, name->data, name->len)
               == 0)
        {
            return upstreams[i];
        }
    }

    return NULL;
}


static ngx_smtp_upstream_t *
ngx_smtp_upstream_implicit(ngx_smtp_peer_conf_t *conf, ngx_str_t *name,
    in_port_t port)
{
    ngx_uint_t             i;
    ngx_smtp_upstream_t  **upstreams;

    upstreams = conf->upstreams.elts;

    for (i = 0; i < conf->upstreams.nelts; i++) {

        /* paths of unix sockets differ in case */

        if (!upstreams[i]->defined
            && upstreams[i]->port == port
            && upstreams[i]->name.len == name->len
            && ngx_strncmp(upstreams[i]->name.data, name->data, name->len)
               == 0)
        {
            return upstreams[i];
        }
    }

    return NULL;
}


ngx_smtp_server_conf_t *
ngx_smtp_upstream_server(ngx_conf_t *cf, ngx_smtp_upstream_t *upstream,
    ngx_url_t *u)
{
    ngx_smtp_server_conf_t  *sc;

    sc = ngx_array_push(upstream->confs);
    if (sc == NULL) {
        return NULL;
    }

    ngx_memzero(sc, sizeof(ngx_smtp_server_conf_t));

    sc->url = u->url;
    sc->port = u->port;
    sc->addrs = u->addrs;
    sc->naddrs = u->naddrs;

    /* a copy: the resolver lower-cases the name in place */

    sc->host.len = u->host.len;
    sc->host.data = ngx_pstrdup(cf->pool, &u->host);
    if (sc->host.data == NULL) {
        return NULL;
    }

    sc->weight = 1;
    sc->max_fails = NGX_SMTP_UPSTREAM_MAX_FAILS;
    sc->fail_timeout = NGX_SMTP_UPSTREAM_FAIL_TIMEOUT;

    sc->file_name = cf->conf_file->file.name.data;
    sc->line = cf->conf_file->line;

    return sc;
}


/* the "resolver" may stand below: who refers is remembered, to look later */

static ngx_int_t
ngx_smtp_upstream_refer(ngx_conf_t *cf, ngx_smtp_peer_conf_t *conf,
    ngx_smtp_upstream_t *upstream)
{
    ngx_smtp_reference_t  *ref;

    if (conf->bound) {

        /* called from a merge: there is nothing left to wait for */

        if (upstream->group != upstream || upstream->servers) {
            return NGX_OK;
        }

        if (ngx_mail_smtp_ext_peer_resolver(cf->ctx, conf->resolver) == NULL) {
            upstream->no_resolver = 1;
        }

        return ngx_smtp_upstream_bind(cf, conf, upstream);
    }

    ref = ngx_array_push(&conf->references);
    if (ref == NULL) {
        return NGX_ERROR;
    }

    ref->upstream = upstream;
    ref->ctx = cf->ctx;

    return NGX_OK;
}


ngx_int_t
ngx_smtp_upstream_bind_all(ngx_conf_t *cf, ngx_smtp_peer_conf_t *conf)
{
    ngx_uint_t             i;
    ngx_resolver_t        *resolver;
    ngx_smtp_upstream_t  **upstreams;
    ngx_smtp_reference_t  *refs;

    conf->resolver = ngx_mail_smtp_ext_peer_resolver(cf->ctx, NULL);
    conf->resolver_timeout = ngx_mail_smtp_ext_peer_resolver_timeout(cf->ctx);

    refs = conf->references.elts;

    for (i = 0; i < conf->references.nelts; i++) {

        resolver = ngx_mail_smtp_ext_peer_resolver(refs[i].ctx,
                                                   conf->resolver);
        if (resolver == NULL) {
            refs[i].upstream->no_resolver = 1;
        }
    }

    upstreams = conf->upstreams.elts;

    for (i = 0; i < conf->upstreams.nelts; i++) {

        if (ngx_smtp_upstream_bind(cf, conf, upstreams[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    conf->bound = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_upstream_bind(ngx_conf_t *cf, ngx_smtp_peer_conf_t *conf,
    ngx_smtp_upstream_t *upstream)
{
    ngx_uint_t            has_resolver;
    ngx_smtp_upstream_t  *group;

    if (upstream->defined) {

        /* its names are asked for now, or all the time with "resolve" */

        has_resolver = 0;

        if (upstream->resolver == NULL) {
            upstream->resolver = conf->resolver;
        }

        if (upstream->resolver_timeout == NGX_CONF_UNSET_MSEC) {
            upstream->resolver_timeout = conf->resolver_timeout;
        }

        if (upstream->resolver_timeout == 0) {
            upstream->resolver_timeout = NGX_SMTP_PEER_RESOLVE_TIMEOUT;
        }

    } else {
        group = ngx_smtp_upstream_defined(conf, &upstream->name);

        if (group) {

            if (upstream->has_port) {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "upstream \"%V\" may not have port %d in %s:%ui",
                              &upstream->name, upstream->port,
                              upstream->file_name, upstream->line);
                return NGX_ERROR;
            }

            upstream->group = group;

            return NGX_OK;
        }

        has_resolver = !upstream->no_resolver;
    }

    if (ngx_smtp_upstream_resolve(cf, upstream, has_resolver) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_smtp_upstream_init(cf, upstream);
}


/* a host without a domain and a port, that may be the name of a group */

static ngx_uint_t
ngx_smtp_upstream_is_word(ngx_str_t *url)
{
    size_t  i;

    for (i = 0; i < url->len; i++) {
        if (url->data[i] == '.' || url->data[i] == ':') {
            return 0;
        }
    }

    return 1;
}


/*
 * With a resolver the name of a group that is misspelt would be that of a
 * host, which is not missed before mail comes.  Networks of containers have
 * such hosts, so it is a warning, and only where there are groups.
 */

static void
ngx_smtp_upstream_misspelt(ngx_conf_t *cf, ngx_smtp_upstream_t *upstream,
    ngx_smtp_server_conf_t *sc)
{
    ngx_uint_t              i;
    ngx_smtp_upstream_t   **upstreams;
    ngx_smtp_peer_conf_t   *conf;

    if (upstream->defined || !ngx_smtp_upstream_is_word(&sc->url)) {
        return;
    }

    conf = ngx_mail_smtp_ext_peer_conf(cf);
    upstreams = conf->upstreams.elts;

    for (i = 0; i < conf->upstreams.nelts; i++) {

        if (!upstreams[i]->defined) {
            continue;
        }

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"%V\" is no \"smtp_upstream\", it is taken for the "
                      "name of a host in %s:%ui",
                      &sc->url, sc->file_name, sc->line);
        return;
    }
}


/* addresses for the names that can't wait for the run time */

static ngx_int_t
ngx_smtp_upstream_resolve(ngx_conf_t *cf, ngx_smtp_upstream_t *upstream,
    ngx_uint_t resolver)
{
    ngx_url_t                u;
    ngx_uint_t               i;
    ngx_smtp_server_conf_t  *sc;

    sc = upstream->confs->elts;

    for (i = 0; i < upstream->confs->nelts; i++) {

        if (sc[i].naddrs) {
            sc[i].resolve = 0;
            continue;
        }

        if (sc[i].port == 0) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "no port in upstream \"%V\" in %s:%ui",
                          &sc[i].url, sc[i].file_name, sc[i].line);
            return NGX_ERROR;
        }

        if (sc[i].resolve) {

            if (upstream->resolver == NULL) {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "no resolver defined to resolve names at run "
                              "time in upstream \"%V\" in %s:%ui",
                              &upstream->name, sc[i].file_name, sc[i].line);
                return NGX_ERROR;
            }

            upstream->nnames++;
            continue;
        }

        if (resolver) {
            ngx_smtp_upstream_misspelt(cf, upstream, &sc[i]);
            continue;
        }

        ngx_memzero(&u, sizeof(ngx_url_t));

        u.url = sc[i].url;
        u.default_port = sc[i].port;

        if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
            if (u.err) {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "%s in upstream \"%V\"%s in %s:%ui",
                              u.err, &u.url,
                              ngx_smtp_upstream_is_word(&u.url)
                              ? ", and there is no such \"smtp_upstream\"" : "",
                              sc[i].file_name, sc[i].line);
            }

            return NGX_ERROR;
        }

        sc[i].addrs = u.addrs;
        sc[i].naddrs = u.naddrs;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_upstream_init(ngx_conf_t *cf, ngx_smtp_upstream_t *upstream)
{
    if (upstream->balancer == NULL) {
        upstream->balancer = &ngx_smtp_balancer_rr;
    }

    if (ngx_smtp_upstream_check(cf, upstream) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_conf_init_uint_value(upstream->keepalive,
                             NGX_SMTP_UPSTREAM_KEEPALIVE);
    ngx_conf_init_uint_value(upstream->keepalive_requests,
                             NGX_SMTP_UPSTREAM_REQUESTS);
    ngx_conf_init_msec_value(upstream->keepalive_timeout,
                             NGX_SMTP_UPSTREAM_TIMEOUT);
    ngx_conf_init_msec_value(upstream->keepalive_time,
                             NGX_SMTP_UPSTREAM_TIME);

    if (upstream->balancer == &ngx_smtp_balancer_consistent
        && ngx_smtp_peer_consistent_init(cf, upstream) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (upstream->nnames) {
        upstream->dynamic = 1;

        if (ngx_smtp_peer_names_init(cf, upstream) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    /* those in a zone are made when it is */

    if (upstream->zone == NULL) {

        upstream->servers = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_servers_t));
        if (upstream->servers == NULL) {
            return NGX_ERROR;
        }

        upstream->servers->pool = cf->pool;

        if (ngx_smtp_servers_fill(upstream->servers, upstream) != NGX_OK) {
            return NGX_ERROR;
        }

        upstream->servers->pool = NULL;
    }

    return ngx_smtp_peer_cache_init(cf->pool, upstream);
}


static ngx_int_t
ngx_smtp_upstream_check(ngx_conf_t *cf, ngx_smtp_upstream_t *upstream)
{
    ngx_uint_t               i, backups, limits;
    ngx_smtp_server_conf_t  *sc;

    backups = 0;
    limits = 0;
    sc = upstream->confs->elts;

    for (i = 0; i < upstream->confs->nelts; i++) {

        backups += sc[i].backup;
        limits += (sc[i].max_conns != 0);

        sc[i].checked = (upstream->check != NULL);
        sc[i].mandatory = ngx_smtp_check_mandatory(upstream->check);

        if (!upstream->balancer->ranks
            && (sc[i].backup || sc[i].slow_start))
        {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "balancing method \"%V\" does not support parameter "
                          "\"%s\" in upstream \"%V\" in %s:%ui",
                          &upstream->balancer->name,
                          sc[i].backup ? "backup" : "slow_start",
                          &upstream->name, sc[i].file_name, sc[i].line);
            return NGX_ERROR;
        }
    }

    if (upstream->queue_max && limits == 0) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"queue\" has no effect without \"max_conns\" of a "
                      "server in upstream \"%V\" in %s:%ui",
                      &upstream->name, upstream->file_name, upstream->line);
    }

    if (backups == upstream->confs->nelts) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "no servers in upstream \"%V\" in %s:%ui",
                      &upstream->name, upstream->file_name, upstream->line);
        return NGX_ERROR;
    }

    return NGX_OK;
}

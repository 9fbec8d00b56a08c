
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * Setters of the directives inside smtp_upstream{}: what nginx has no slot
 * for.  conf is the group.
 */


/* of "queue" without one: that of nginx, and less than clients wait */
#define NGX_SMTP_PEER_QUEUE_TIMEOUT  60000


static ngx_int_t ngx_smtp_upstream_conf_param(ngx_str_t *value,
    ngx_smtp_server_conf_t *sc);
static ngx_int_t ngx_smtp_upstream_conf_num(ngx_str_t *value, char *name,
    ngx_int_t *n);
static ngx_int_t ngx_smtp_upstream_conf_time(ngx_str_t *value, char *name,
    ngx_uint_t seconds, ngx_int_t *n);


char *
ngx_smtp_upstream_conf_server(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_smtp_upstream_t  *upstream = conf;

    ngx_str_t               *value;
    ngx_url_t                u;
    ngx_uint_t               i;
    ngx_smtp_server_conf_t  *sc;

    value = cf->args->elts;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = value[1];
    u.default_port = NGX_SMTP_PEER_PORT;
    u.no_resolve = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        if (u.err) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "%s in upstream \"%V\"", u.err, &u.url);
        }

        return NGX_CONF_ERROR;
    }

    sc = ngx_smtp_upstream_server(cf, upstream, &u);
    if (sc == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_smtp_upstream_conf_param(&value[i], sc) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    if (sc->service.len == 0) {
        return NGX_CONF_OK;
    }

    if (!u.no_port || sc->naddrs) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "service upstream \"%V\" must be a name "
                           "without port", &u.url);
        return NGX_CONF_ERROR;
    }

    if (!sc->resolve) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "service upstream \"%V\" requires \"resolve\" "
                           "parameter", &u.url);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_smtp_upstream_conf_param(ngx_str_t *value, ngx_smtp_server_conf_t *sc)
{
    ngx_int_t  n;

    if (ngx_smtp_upstream_conf_num(value, "weight=", &n) == NGX_OK) {
        sc->weight = n;

        /* sums of weights, and points of them, have to stay small */

        return (n > 0 && n <= NGX_SMTP_PEER_WEIGHT_MAX) ? NGX_OK : NGX_ERROR;
    }

    if (ngx_smtp_upstream_conf_num(value, "max_conns=", &n) == NGX_OK) {
        sc->max_conns = n;
        return (n != NGX_ERROR) ? NGX_OK : NGX_ERROR;
    }

    if (ngx_smtp_upstream_conf_num(value, "max_fails=", &n) == NGX_OK) {
        sc->max_fails = n;
        return (n != NGX_ERROR) ? NGX_OK : NGX_ERROR;
    }

    if (ngx_smtp_upstream_conf_time(value, "fail_timeout=", 1, &n) == NGX_OK) {
        sc->fail_timeout = n;
        return (n != NGX_ERROR) ? NGX_OK : NGX_ERROR;
    }

    if (ngx_smtp_upstream_conf_time(value, "slow_start=", 0, &n) == NGX_OK) {
        sc->slow_start = n;
        return (n != NGX_ERROR) ? NGX_OK : NGX_ERROR;
    }

    if (ngx_strcmp(value->data, "backup") == 0) {
        sc->backup = 1;
        return NGX_OK;
    }

    if (ngx_strcmp(value->data, "down") == 0) {
        sc->down = 1;
        return NGX_OK;
    }

    if (ngx_strncmp(value->data, "service=", 8) == 0) {
        sc->service.data = value->data + 8;
        sc->service.len = value->len - 8;
        return sc->service.len ? NGX_OK : NGX_ERROR;
    }

    if (ngx_strcmp(value->data, "resolve") == 0) {
        sc->resolve = 1;
        return NGX_OK;
    }

    return NGX_ERROR;
}


/* NGX_OK: it is that parameter; *n is NGX_ERROR when its value is wrong */

static ngx_int_t
ngx_smtp_upstream_conf_num(ngx_str_t *value, char *name, ngx_int_t *n)
{
    size_t  len;

    len = ngx_strlen(name);

    if (ngx_strncmp(value->data, name, len) != 0) {
        return NGX_DECLINED;
    }

    *n = ngx_atoi(value->data + len, value->len - len);

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_upstream_conf_time(ngx_str_t *value, char *name, ngx_uint_t seconds,
    ngx_int_t *n)
{
    size_t     len;
    ngx_str_t  s;

    len = ngx_strlen(name);

    if (ngx_strncmp(value->data, name, len) != 0) {
        return NGX_DECLINED;
    }

    s.data = value->data + len;
    s.len = value->len - len;

    *n = ngx_parse_time(&s, seconds);

    return NGX_OK;
}


/* cmd->post is the descriptor */

char *
ngx_smtp_upstream_conf_balancer(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_smtp_upstream_t  *upstream = conf;

    const ngx_smtp_balancer_t  *balancer;

    balancer = cmd->post;

    if (upstream->balancer) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "load balancing method redefined");
    }

    upstream->balancer = balancer;

    if (balancer->parse == NULL) {
        return NGX_CONF_OK;
    }

    return balancer->parse(cf, upstream);
}


char *
ngx_smtp_upstream_conf_resolver(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_smtp_upstream_t  *upstream = conf;

    ngx_str_t  *value;

    if (upstream->resolver) {
        return "is duplicate";
    }

    value = cf->args->elts;

    upstream->resolver = ngx_resolver_create(cf, &value[1],
                                             cf->args->nelts - 1);

    return upstream->resolver ? NGX_CONF_OK : NGX_CONF_ERROR;
}


char *
ngx_smtp_upstream_conf_queue(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_smtp_upstream_t  *upstream = conf;

    ngx_int_t   n;
    ngx_str_t  *value;

    if (upstream->queue_max) {
        return "is duplicate";
    }

    value = cf->args->elts;

    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR || n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    upstream->queue_max = n;

    if (cf->args->nelts == 2) {
        upstream->queue_timeout = NGX_SMTP_PEER_QUEUE_TIMEOUT;
        return NGX_CONF_OK;
    }

    if (ngx_smtp_upstream_conf_time(&value[2], "timeout=", 0, &n) != NGX_OK
        || n == NGX_ERROR
        || n == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[2]);
        return NGX_CONF_ERROR;
    }

    upstream->queue_timeout = n;

    return NGX_CONF_OK;
}


char *
ngx_smtp_upstream_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_smtp_upstream_t  *upstream = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (upstream->zone) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid zone name \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    /* 0: another group has said it */

    size = 0;

    if (cf->args->nelts == 3) {
        size = ngx_parse_size(&value[2]);

        if (size == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid zone size \"%V\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        if (size < (ssize_t) (8 * ngx_pagesize)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "zone \"%V\" is too small", &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    upstream->zone = ngx_shared_memory_add(cf, &value[1], size,
                                           &ngx_mail_smtp_ext_peer_module);
    if (upstream->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    upstream->zone->init = ngx_smtp_peer_zone_init;
    upstream->zone->data = ngx_mail_smtp_ext_peer_conf(cf);
    upstream->zone->noreuse = 1;

    upstream->dynamic = 1;

    return NGX_CONF_OK;
}

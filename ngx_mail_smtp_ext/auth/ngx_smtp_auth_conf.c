
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_zone.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_auth_private.h>


/*
 * Directives with parameters: smtp_auth_cache, smtp_auth_limit.
 */


typedef struct {
    const char  *name;           /* with its "=", if it has a value */
    size_t       offset;         /* in ngx_smtp_auth_conf_t */

    /* NGX_OK; NGX_ERROR: the value is none; NGX_ABORT: that has been logged */
    ngx_int_t  (*set)(ngx_conf_t *cf, ngx_str_t *value, void *field);
} ngx_smtp_auth_param_t;


static char *ngx_smtp_auth_conf_params(ngx_conf_t *cf,
    ngx_smtp_auth_conf_t *conf, const ngx_smtp_auth_param_t *params);
static ngx_int_t ngx_smtp_auth_conf_param(ngx_conf_t *cf,
    ngx_smtp_auth_conf_t *conf, const ngx_smtp_auth_param_t *params,
    ngx_str_t *value);
static ngx_uint_t ngx_smtp_auth_conf_is_off(ngx_conf_t *cf);
static ngx_int_t ngx_smtp_auth_conf_cache_zone(ngx_conf_t *cf,
    ngx_str_t *value, void *field);
static ngx_int_t ngx_smtp_auth_conf_limit_zone(ngx_conf_t *cf,
    ngx_str_t *value, void *field);
static ngx_int_t ngx_smtp_auth_conf_flag(ngx_conf_t *cf, ngx_str_t *value,
    void *field);
static ngx_int_t ngx_smtp_auth_conf_time(ngx_conf_t *cf, ngx_str_t *value,
    void *field);
static ngx_int_t ngx_smtp_auth_conf_some_time(ngx_conf_t *cf,
    ngx_str_t *value, void *field);
static ngx_int_t ngx_smtp_auth_conf_number(ngx_conf_t *cf, ngx_str_t *value,
    void *field);


/* zones of one kind are not for the other */
static u_char  ngx_smtp_auth_conf_cache_tag;
static u_char  ngx_smtp_auth_conf_limit_tag;


static const ngx_smtp_auth_param_t  ngx_smtp_auth_conf_cache_params[] = {

    { "zone=", offsetof(ngx_smtp_auth_conf_t, cache_zone),
      ngx_smtp_auth_conf_cache_zone },

    { "valid=", offsetof(ngx_smtp_auth_conf_t, cache_valid),
      ngx_smtp_auth_conf_time },

    { "negative=", offsetof(ngx_smtp_auth_conf_t, cache_negative),
      ngx_smtp_auth_conf_time },

    { "any_address", offsetof(ngx_smtp_auth_conf_t, cache_any_address),
      ngx_smtp_auth_conf_flag },

    { NULL, 0, NULL }
};


static const ngx_smtp_auth_param_t  ngx_smtp_auth_conf_limit_params[] = {

    { "zone=", offsetof(ngx_smtp_auth_conf_t, limit_zone),
      ngx_smtp_auth_conf_limit_zone },

    { "address=", offsetof(ngx_smtp_auth_conf_t, limit_address),
      ngx_smtp_auth_conf_number },

    { "user=", offsetof(ngx_smtp_auth_conf_t, limit_user),
      ngx_smtp_auth_conf_number },

    { "time=", offsetof(ngx_smtp_auth_conf_t, limit_time),
      ngx_smtp_auth_conf_some_time },

    { "delay=", offsetof(ngx_smtp_auth_conf_t, limit_delay),
      ngx_smtp_auth_conf_time },

    { NULL, 0, NULL }
};


char *
ngx_smtp_auth_conf_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_smtp_auth_conf_t *acf = conf;

    char  *rv;

    if (acf->cache_zone || acf->cache_off) {
        return "is duplicate";
    }

    if (ngx_smtp_auth_conf_is_off(cf)) {
        acf->cache_off = 1;
        return NGX_CONF_OK;
    }

    acf->cache_valid = 60000;
    acf->cache_negative = 10000;

    rv = ngx_smtp_auth_conf_params(cf, acf, ngx_smtp_auth_conf_cache_params);

    return (rv || acf->cache_zone) ? rv : "has no \"zone\" parameter";
}


char *
ngx_smtp_auth_conf_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_smtp_auth_conf_t *acf = conf;

    char  *rv;

    if (acf->limit_zone || acf->limit_off) {
        return "is duplicate";
    }

    if (ngx_smtp_auth_conf_is_off(cf)) {
        acf->limit_off = 1;
        return NGX_CONF_OK;
    }

    acf->limit_address = 20;
    acf->limit_user = 50;
    acf->limit_time = 600000;
    acf->limit_delay = 1000;

    rv = ngx_smtp_auth_conf_params(cf, acf, ngx_smtp_auth_conf_limit_params);

    return (rv || acf->limit_zone) ? rv : "has no \"zone\" parameter";
}


void
ngx_smtp_auth_conf_merge(ngx_smtp_auth_conf_t *prev,
    ngx_smtp_auth_conf_t *conf)
{
    if (conf->cache_zone == NULL && !conf->cache_off) {
        conf->cache_zone = prev->cache_zone;
        conf->cache_valid = prev->cache_valid;
        conf->cache_negative = prev->cache_negative;
        conf->cache_any_address = prev->cache_any_address;
    }

    if (conf->limit_zone == NULL && !conf->limit_off) {
        conf->limit_zone = prev->limit_zone;
        conf->limit_address = prev->limit_address;
        conf->limit_user = prev->limit_user;
        conf->limit_time = prev->limit_time;
        conf->limit_delay = prev->limit_delay;
    }
}


static char *
ngx_smtp_auth_conf_params(ngx_conf_t *cf, ngx_smtp_auth_conf_t *conf,
    const ngx_smtp_auth_param_t *params)
{
    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_smtp_auth_conf_param(cf, conf, params, &value[i]);

        if (rc == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_smtp_auth_conf_param(ngx_conf_t *cf, ngx_smtp_auth_conf_t *conf,
    const ngx_smtp_auth_param_t *params, ngx_str_t *value)
{
    size_t     len;
    ngx_str_t  rest;

    for ( /* void */ ; params->name; params++) {

        len = ngx_strlen(params->name);

        if (value->len < len
            || ngx_strncmp(value->data, params->name, len) != 0)
        {
            continue;
        }

        rest.data = value->data + len;
        rest.len = value->len - len;

        return params->set(cf, &rest, (u_char *) conf + params->offset);
    }

    return NGX_ERROR;
}


static ngx_uint_t
ngx_smtp_auth_conf_is_off(ngx_conf_t *cf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    return cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0;
}


static ngx_int_t
ngx_smtp_auth_conf_cache_zone(ngx_conf_t *cf, ngx_str_t *value, void *field)
{
    ngx_shm_zone_t **zone = field;

    *zone = ngx_smtp_zone_add(cf, value, &ngx_smtp_auth_conf_cache_tag);

    return *zone ? NGX_OK : NGX_ABORT;
}


static ngx_int_t
ngx_smtp_auth_conf_limit_zone(ngx_conf_t *cf, ngx_str_t *value, void *field)
{
    ngx_shm_zone_t **zone = field;

    *zone = ngx_smtp_zone_add(cf, value, &ngx_smtp_auth_conf_limit_tag);

    return *zone ? NGX_OK : NGX_ABORT;
}


static ngx_int_t
ngx_smtp_auth_conf_flag(ngx_conf_t *cf, ngx_str_t *value, void *field)
{
    ngx_uint_t *flag = field;

    *flag = 1;

    return value->len ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_smtp_auth_conf_time(ngx_conf_t *cf, ngx_str_t *value, void *field)
{
    ngx_msec_t *time = field;

    ngx_int_t  n;

    n = ngx_parse_time(value, 0);

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    *time = n;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_auth_conf_some_time(ngx_conf_t *cf, ngx_str_t *value, void *field)
{
    ngx_msec_t *time = field;

    return (ngx_smtp_auth_conf_time(cf, value, field) == NGX_OK && *time)
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_smtp_auth_conf_number(ngx_conf_t *cf, ngx_str_t *value, void *field)
{
    ngx_uint_t *number = field;

    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n == NGX_ERROR || n > NGX_SMTP_AUTH_LIMIT_MAX) {
        return NGX_ERROR;
    }

    *number = n;

    return NGX_OK;
}

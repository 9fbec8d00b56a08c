
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_conf.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_zone.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_auth_private.h>


/*
 * Directives with parameters: smtp_auth_cache, smtp_auth_limit.
 */


static ngx_uint_t ngx_smtp_auth_conf_is_off(ngx_conf_t *cf);


/* zones of one kind are not for the other */
static u_char  ngx_smtp_auth_conf_cache_tag;
static u_char  ngx_smtp_auth_conf_limit_tag;


static ngx_smtp_conf_bounds_t  ngx_smtp_auth_conf_failures = {
    0, NGX_SMTP_AUTH_LIMIT_MAX
};


static const ngx_smtp_conf_param_t  ngx_smtp_auth_conf_cache_params[] = {

    { ngx_string("zone="), ngx_smtp_zone_param,
      offsetof(ngx_smtp_auth_conf_t, cache_zone),
      &ngx_smtp_auth_conf_cache_tag },

    { ngx_string("valid="), ngx_smtp_conf_param_time,
      offsetof(ngx_smtp_auth_conf_t, cache_valid), NULL },

    { ngx_string("negative="), ngx_smtp_conf_param_time,
      offsetof(ngx_smtp_auth_conf_t, cache_negative), NULL },

    { ngx_string("any_address"), ngx_smtp_conf_param_flag,
      offsetof(ngx_smtp_auth_conf_t, cache_any_address), NULL },

    { ngx_null_string, NULL, 0, NULL }
};


static const ngx_smtp_conf_param_t  ngx_smtp_auth_conf_limit_params[] = {

    { ngx_string("zone="), ngx_smtp_zone_param,
      offsetof(ngx_smtp_auth_conf_t, limit_zone),
      &ngx_smtp_auth_conf_limit_tag },

    { ngx_string("address="), ngx_smtp_conf_param_num,
      offsetof(ngx_smtp_auth_conf_t, limit_address),
      &ngx_smtp_auth_conf_failures },

    { ngx_string("user="), ngx_smtp_conf_param_num,
      offsetof(ngx_smtp_auth_conf_t, limit_user),
      &ngx_smtp_auth_conf_failures },

    { ngx_string("time="), ngx_smtp_conf_param_time,
      offsetof(ngx_smtp_auth_conf_t, limit_time), &ngx_smtp_conf_some },

    { ngx_string("delay="), ngx_smtp_conf_param_time,
      offsetof(ngx_smtp_auth_conf_t, limit_delay), NULL },

    { ngx_null_string, NULL, 0, NULL }
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

    rv = ngx_smtp_conf_params(cf, 1, acf, ngx_smtp_auth_conf_cache_params);

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

    rv = ngx_smtp_conf_params(cf, 1, acf, ngx_smtp_auth_conf_limit_params);

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


static ngx_uint_t
ngx_smtp_auth_conf_is_off(ngx_conf_t *cf)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    return cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0;
}

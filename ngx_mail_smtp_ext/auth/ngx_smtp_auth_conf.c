
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


static ngx_int_t ngx_smtp_auth_conf_zone(ngx_conf_t *cf, ngx_str_t *value,
    ngx_shm_zone_t **zone, void *tag);
static ngx_int_t ngx_smtp_auth_conf_time(ngx_str_t *value, const char *name,
    ngx_msec_t *time);
static ngx_int_t ngx_smtp_auth_conf_number(ngx_str_t *value,
    const char *name, ngx_uint_t *number);
static ngx_uint_t ngx_smtp_auth_conf_is(ngx_str_t *value, const char *name,
    ngx_str_t *rest);


/* zones of one kind are not for the other */
static u_char  ngx_smtp_auth_conf_cache_tag;
static u_char  ngx_smtp_auth_conf_limit_tag;


char *
ngx_smtp_auth_conf_cache(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_smtp_auth_conf_t *acf = conf;

    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (acf->cache_zone || acf->cache_off) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        acf->cache_off = 1;
        return NGX_CONF_OK;
    }

    acf->cache_valid = 60000;
    acf->cache_negative = 10000;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_smtp_auth_conf_zone(cf, &value[i], &acf->cache_zone,
                                     &ngx_smtp_auth_conf_cache_tag);

        if (rc == NGX_DECLINED) {
            rc = ngx_smtp_auth_conf_time(&value[i], "valid=",
                                         &acf->cache_valid);
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_smtp_auth_conf_time(&value[i], "negative=",
                                         &acf->cache_negative);
        }

        if (rc == NGX_DECLINED
            && ngx_strcmp(value[i].data, "any_address") == 0)
        {
            acf->cache_any_address = 1;
            rc = NGX_OK;
        }

        if (rc == NGX_ABORT) {
            return NGX_CONF_ERROR;
        }

        if (rc != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return acf->cache_zone ? NGX_CONF_OK : "has no \"zone\" parameter";
}


char *
ngx_smtp_auth_conf_limit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_smtp_auth_conf_t *acf = conf;

    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (acf->limit_zone || acf->limit_off) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        acf->limit_off = 1;
        return NGX_CONF_OK;
    }

    acf->limit_address = 20;
    acf->limit_user = 50;
    acf->limit_time = 600000;
    acf->limit_delay = 1000;

    for (i = 1; i < cf->args->nelts; i++) {

        rc = ngx_smtp_auth_conf_zone(cf, &value[i], &acf->limit_zone,
                                     &ngx_smtp_auth_conf_limit_tag);

        if (rc == NGX_DECLINED) {
            rc = ngx_smtp_auth_conf_number(&value[i], "address=",
                                           &acf->limit_address);
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_smtp_auth_conf_number(&value[i], "user=",
                                           &acf->limit_user);
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_smtp_auth_conf_time(&value[i], "time=",
                                         &acf->limit_time);

            if (rc == NGX_OK && acf->limit_time == 0) {
                rc = NGX_ERROR;
            }
        }

        if (rc == NGX_DECLINED) {
            rc = ngx_smtp_auth_conf_time(&value[i], "delay=",
                                         &acf->limit_delay);
        }

        if (rc == NGX_ABORT) {
            return NGX_CONF_ERROR;
        }

        if (rc != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return acf->limit_zone ? NGX_CONF_OK : "has no \"zone\" parameter";
}


/*
 * Each: NGX_DECLINED: it is another parameter; NGX_ERROR: its value is none;
 * NGX_ABORT: that has been logged.
 */

static ngx_int_t
ngx_smtp_auth_conf_zone(ngx_conf_t *cf, ngx_str_t *value,
    ngx_shm_zone_t **zone, void *tag)
{
    ngx_str_t  rest;

    if (!ngx_smtp_auth_conf_is(value, "zone=", &rest)) {
        return NGX_DECLINED;
    }

    *zone = ngx_smtp_zone_add(cf, &rest, tag);

    return *zone ? NGX_OK : NGX_ABORT;
}


static ngx_int_t
ngx_smtp_auth_conf_time(ngx_str_t *value, const char *name, ngx_msec_t *time)
{
    ngx_int_t  n;
    ngx_str_t  rest;

    if (!ngx_smtp_auth_conf_is(value, name, &rest)) {
        return NGX_DECLINED;
    }

    n = ngx_parse_time(&rest, 0);

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    *time = n;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_auth_conf_number(ngx_str_t *value, const char *name,
    ngx_uint_t *number)
{
    ngx_int_t  n;
    ngx_str_t  rest;

    if (!ngx_smtp_auth_conf_is(value, name, &rest)) {
        return NGX_DECLINED;
    }

    n = ngx_atoi(rest.data, rest.len);

    if (n == NGX_ERROR || n > NGX_SMTP_AUTH_LIMIT_MAX) {
        return NGX_ERROR;
    }

    *number = n;

    return NGX_OK;
}


static ngx_uint_t
ngx_smtp_auth_conf_is(ngx_str_t *value, const char *name, ngx_str_t *rest)
{
    size_t  len;

    len = ngx_strlen(name);

    if (value->len < len || ngx_strncmp(value->data, name, len) != 0) {
        return 0;
    }

    rest->data = value->data + len;
    rest->len = value->len - len;

    return 1;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_check.h>


/*
 * The directive smtp_health_check.
 */


#define NGX_SMTP_CHECK_INTERVAL  5000
#define NGX_SMTP_CHECK_TIMEOUT   5000

/* the name in EHLO: RFC 5321, 4.5.3.1.2 */
#define NGX_SMTP_CHECK_HELO_MAX  255


typedef struct {
    ngx_str_t    name;           /* with "=" */
    char      *(*set)(ngx_smtp_check_conf_t *check, ngx_str_t *value,
                      size_t offset);
    size_t       offset;
} ngx_smtp_check_param_t;


static char *ngx_smtp_check_conf_param(ngx_smtp_check_conf_t *check,
    ngx_str_t *value);
static char *ngx_smtp_check_conf_type(ngx_smtp_check_conf_t *check,
    ngx_str_t *value, size_t offset);
static char *ngx_smtp_check_conf_msec(ngx_smtp_check_conf_t *check,
    ngx_str_t *value, size_t offset);
static char *ngx_smtp_check_conf_num(ngx_smtp_check_conf_t *check,
    ngx_str_t *value, size_t offset);
static char *ngx_smtp_check_conf_port(ngx_smtp_check_conf_t *check,
    ngx_str_t *value, size_t offset);
static char *ngx_smtp_check_conf_helo(ngx_smtp_check_conf_t *check,
    ngx_str_t *value, size_t offset);
static char *ngx_smtp_check_conf_proxy(ngx_smtp_check_conf_t *check,
    ngx_str_t *value, size_t offset);
static char *ngx_smtp_check_conf_tls(ngx_conf_t *cf,
    ngx_smtp_check_conf_t *check);


/* in the order of ngx_smtp_check_type_e */

static ngx_str_t  ngx_smtp_check_types[] = {
    ngx_string("connect"),
    ngx_string("tls"),
    ngx_string("banner"),
    ngx_string("ehlo"),
    ngx_string("lhlo"),
    ngx_string("noop"),
    ngx_string("starttls"),
    ngx_null_string
};


static ngx_smtp_check_param_t  ngx_smtp_check_params[] = {

    { ngx_string("type="), ngx_smtp_check_conf_type, 0 },

    { ngx_string("interval="), ngx_smtp_check_conf_msec,
      offsetof(ngx_smtp_check_conf_t, interval) },

    { ngx_string("jitter="), ngx_smtp_check_conf_msec,
      offsetof(ngx_smtp_check_conf_t, jitter) },

    { ngx_string("timeout="), ngx_smtp_check_conf_msec,
      offsetof(ngx_smtp_check_conf_t, timeout) },

    { ngx_string("passes="), ngx_smtp_check_conf_num,
      offsetof(ngx_smtp_check_conf_t, passes) },

    { ngx_string("fails="), ngx_smtp_check_conf_num,
      offsetof(ngx_smtp_check_conf_t, fails) },

    { ngx_string("port="), ngx_smtp_check_conf_port, 0 },
    { ngx_string("helo="), ngx_smtp_check_conf_helo, 0 },
    { ngx_string("proxy_protocol="), ngx_smtp_check_conf_proxy, 0 },

    { ngx_null_string, NULL, 0 }
};


char *
ngx_smtp_check_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_smtp_upstream_t  *upstream = conf;

    ngx_str_t              *value;
    ngx_uint_t              i;
    ngx_smtp_check_conf_t  *check;

    if (upstream->check) {
        return "is duplicate";
    }

    check = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_check_conf_t));
    if (check == NULL) {
        return NGX_CONF_ERROR;
    }

    check->type = NGX_SMTP_CHECK_BANNER;
    check->interval = NGX_SMTP_CHECK_INTERVAL;
    check->timeout = NGX_SMTP_CHECK_TIMEOUT;
    check->passes = 1;
    check->fails = 1;
    check->helo = cf->cycle->hostname;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "mandatory") == 0) {
            check->mandatory = 1;
            continue;
        }

        if (ngx_smtp_check_conf_param(check, &value[i]) != NGX_CONF_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    upstream->check = check;

    return ngx_smtp_check_conf_tls(cf, check);
}


ngx_uint_t
ngx_smtp_check_mandatory(ngx_smtp_check_conf_t *check)
{
    return check && check->mandatory;
}


static char *
ngx_smtp_check_conf_param(ngx_smtp_check_conf_t *check, ngx_str_t *value)
{
    ngx_str_t                text;
    ngx_smtp_check_param_t  *param;

    for (param = ngx_smtp_check_params; param->name.len; param++) {

        if (value->len > param->name.len
            && ngx_strncmp(value->data, param->name.data, param->name.len)
               == 0)
        {
            text.data = value->data + param->name.len;
            text.len = value->len - param->name.len;

            return param->set(check, &text, param->offset);
        }
    }

    return NGX_CONF_ERROR;
}


static char *
ngx_smtp_check_conf_type(ngx_smtp_check_conf_t *check, ngx_str_t *value,
    size_t offset)
{
    ngx_uint_t  i;

    for (i = 0; ngx_smtp_check_types[i].len; i++) {

        if (ngx_smtp_check_types[i].len == value->len
            && ngx_strncmp(ngx_smtp_check_types[i].data, value->data,
                           value->len)
               == 0)
        {
            check->type = i;
            return NGX_CONF_OK;
        }
    }

    return NGX_CONF_ERROR;
}


/* none but the jitter can be 0, which it is without being set */

static char *
ngx_smtp_check_conf_msec(ngx_smtp_check_conf_t *check, ngx_str_t *value,
    size_t offset)
{
    ngx_msec_t  *msec;

    msec = (ngx_msec_t *) ((u_char *) check + offset);

    *msec = ngx_parse_time(value, 0);

    return (*msec == (ngx_msec_t) NGX_ERROR || *msec == 0) ? NGX_CONF_ERROR
                                                           : NGX_CONF_OK;
}


static char *
ngx_smtp_check_conf_num(ngx_smtp_check_conf_t *check, ngx_str_t *value,
    size_t offset)
{
    ngx_int_t   n;
    ngx_uint_t *num;

    n = ngx_atoi(value->data, value->len);

    if (n == NGX_ERROR || n == 0) {
        return NGX_CONF_ERROR;
    }

    num = (ngx_uint_t *) ((u_char *) check + offset);
    *num = n;

    return NGX_CONF_OK;
}


static char *
ngx_smtp_check_conf_port(ngx_smtp_check_conf_t *check, ngx_str_t *value,
    size_t offset)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n < 1 || n > 65535) {
        return NGX_CONF_ERROR;
    }

    check->port = (in_port_t) n;

    return NGX_CONF_OK;
}


/* it goes into a command */

static char *
ngx_smtp_check_conf_helo(ngx_smtp_check_conf_t *check, ngx_str_t *value,
    size_t offset)
{
    ngx_uint_t  i;

    if (value->len > NGX_SMTP_CHECK_HELO_MAX) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] >= 0x7f) {
            return NGX_CONF_ERROR;
        }
    }

    check->helo = *value;

    return NGX_CONF_OK;
}


static char *
ngx_smtp_check_conf_proxy(ngx_smtp_check_conf_t *check, ngx_str_t *value,
    size_t offset)
{
    if (value->len != 2 || value->data[0] != 'v'
        || (value->data[1] != '1' && value->data[1] != '2'))
    {
        return NGX_CONF_ERROR;
    }

    check->proxy_protocol = value->data[1] - '0';

    return NGX_CONF_OK;
}


/* that there is TLS is what is checked, not with whom */

static char *
ngx_smtp_check_conf_tls(ngx_conf_t *cf, ngx_smtp_check_conf_t *check)
{
    ngx_smtp_peer_tls_conf_t  unset;

    if (check->type != NGX_SMTP_CHECK_TLS
        && check->type != NGX_SMTP_CHECK_STARTTLS)
    {
        return NGX_CONF_OK;
    }

    ngx_memzero(&unset, sizeof(ngx_smtp_peer_tls_conf_t));

    ngx_smtp_peer_tls_conf_init(&unset);
    ngx_smtp_peer_tls_conf_init(&check->tls);

    check->tls.verify = 0;
    check->tls.session_reuse = 0;

    ngx_smtp_peer_tls_conf_merge(&check->tls, &unset);

    if (ngx_smtp_peer_tls_create(cf, &check->tls, "smtp_health_check")
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}

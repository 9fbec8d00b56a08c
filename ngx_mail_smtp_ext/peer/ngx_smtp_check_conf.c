
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_conf.h>
#include <ngx_smtp_check.h>


/*
 * The directive smtp_health_check.
 */


#define NGX_SMTP_CHECK_INTERVAL  5000
#define NGX_SMTP_CHECK_TIMEOUT   5000

/* the name in EHLO: RFC 5321, 4.5.3.1.2 */
#define NGX_SMTP_CHECK_HELO_MAX  255


static ngx_int_t ngx_smtp_check_conf_port(ngx_conf_t *cf, ngx_str_t *value,
    void *field, void *post);
static ngx_int_t ngx_smtp_check_conf_helo(ngx_conf_t *cf, ngx_str_t *value,
    void *field, void *post);
static char *ngx_smtp_check_conf_tls(ngx_conf_t *cf,
    ngx_smtp_check_conf_t *check);


static ngx_conf_enum_t  ngx_smtp_check_types[] = {
    { ngx_string("connect"), NGX_SMTP_CHECK_CONNECT },
    { ngx_string("tls"), NGX_SMTP_CHECK_TLS },
    { ngx_string("banner"), NGX_SMTP_CHECK_BANNER },
    { ngx_string("ehlo"), NGX_SMTP_CHECK_EHLO },
    { ngx_string("lhlo"), NGX_SMTP_CHECK_LHLO },
    { ngx_string("noop"), NGX_SMTP_CHECK_NOOP },
    { ngx_string("starttls"), NGX_SMTP_CHECK_STARTTLS },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_smtp_check_versions[] = {
    { ngx_string("v1"), 1 },
    { ngx_string("v2"), 2 },
    { ngx_null_string, 0 }
};


/* none but the jitter can be 0, which it is without being set */

static const ngx_smtp_conf_param_t  ngx_smtp_check_params[] = {

    { ngx_string("type="), ngx_smtp_conf_param_enum,
      offsetof(ngx_smtp_check_conf_t, type), ngx_smtp_check_types },

    { ngx_string("interval="), ngx_smtp_conf_param_time,
      offsetof(ngx_smtp_check_conf_t, interval), &ngx_smtp_conf_some },

    { ngx_string("jitter="), ngx_smtp_conf_param_time,
      offsetof(ngx_smtp_check_conf_t, jitter), &ngx_smtp_conf_some },

    { ngx_string("timeout="), ngx_smtp_conf_param_time,
      offsetof(ngx_smtp_check_conf_t, timeout), &ngx_smtp_conf_some },

    { ngx_string("passes="), ngx_smtp_conf_param_num,
      offsetof(ngx_smtp_check_conf_t, passes), &ngx_smtp_conf_some },

    { ngx_string("fails="), ngx_smtp_conf_param_num,
      offsetof(ngx_smtp_check_conf_t, fails), &ngx_smtp_conf_some },

    { ngx_string("port="), ngx_smtp_check_conf_port,
      offsetof(ngx_smtp_check_conf_t, port), NULL },

    { ngx_string("helo="), ngx_smtp_check_conf_helo,
      offsetof(ngx_smtp_check_conf_t, helo), NULL },

    { ngx_string("proxy_protocol="), ngx_smtp_conf_param_enum,
      offsetof(ngx_smtp_check_conf_t, proxy_protocol),
      ngx_smtp_check_versions },

    { ngx_string("mandatory"), ngx_smtp_conf_param_flag,
      offsetof(ngx_smtp_check_conf_t, mandatory), NULL },

    { ngx_null_string, NULL, 0, NULL }
};


char *
ngx_smtp_check_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_smtp_upstream_t  *upstream = conf;

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

    if (ngx_smtp_conf_params(cf, 1, check, ngx_smtp_check_params)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    upstream->check = check;

    return ngx_smtp_check_conf_tls(cf, check);
}


ngx_uint_t
ngx_smtp_check_mandatory(ngx_smtp_check_conf_t *check)
{
    return check && check->mandatory;
}


static ngx_int_t
ngx_smtp_check_conf_port(ngx_conf_t *cf, ngx_str_t *value, void *field,
    void *post)
{
    in_port_t *port = field;

    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n < 1 || n > 65535) {
        return NGX_ERROR;
    }

    *port = (in_port_t) n;

    return NGX_OK;
}


/* it goes into a command */

static ngx_int_t
ngx_smtp_check_conf_helo(ngx_conf_t *cf, ngx_str_t *value, void *field,
    void *post)
{
    ngx_str_t *helo = field;

    ngx_uint_t  i;

    if (value->len == 0 || value->len > NGX_SMTP_CHECK_HELO_MAX) {
        return NGX_ERROR;
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] >= 0x7f) {
            return NGX_ERROR;
        }
    }

    *helo = *value;

    return NGX_OK;
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

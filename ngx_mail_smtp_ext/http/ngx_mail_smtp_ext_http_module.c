
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_mail.h>
#include <ngx_smtp_conf.h>
#include <ngx_smtp_http.h>
#include <ngx_smtp_http_private.h>


/*
 * Directives of the HTTP client, docs/reference/http.md: what holds for every
 * service that is asked, whoever asks it.
 */


static void *ngx_mail_smtp_ext_http_create_conf(ngx_conf_t *cf);
static char *ngx_mail_smtp_ext_http_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_mail_smtp_ext_http_breaker(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_mail_smtp_ext_http_buffer(ngx_conf_t *cf, void *post,
    void *data);


static ngx_conf_bitmask_t  ngx_mail_smtp_ext_http_protocols[] = {
    { ngx_string("TLSv1"), NGX_SSL_TLSv1 },
    { ngx_string("TLSv1.1"), NGX_SSL_TLSv1_1 },
    { ngx_string("TLSv1.2"), NGX_SSL_TLSv1_2 },
    { ngx_string("TLSv1.3"), NGX_SSL_TLSv1_3 },
    { ngx_null_string, 0 }
};


static const ngx_smtp_conf_param_t  ngx_mail_smtp_ext_http_breaker_params[] = {

    { ngx_string("fails="), ngx_smtp_conf_param_num,
      offsetof(ngx_smtp_http_conf_t, fails), &ngx_smtp_conf_some },

    { ngx_string("time="), ngx_smtp_conf_param_time,
      offsetof(ngx_smtp_http_conf_t, fail_time), &ngx_smtp_conf_some },

    { ngx_string("retry="), ngx_smtp_conf_param_time,
      offsetof(ngx_smtp_http_conf_t, retry), &ngx_smtp_conf_some },

    { ngx_null_string, NULL, 0, NULL }
};


static ngx_conf_post_t  ngx_mail_smtp_ext_http_buffer_post = {
    ngx_mail_smtp_ext_http_buffer
};


static ngx_command_t  ngx_mail_smtp_ext_http_commands[] = {

    { ngx_string("smtp_http_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, timeout),
      &ngx_smtp_conf_time_post },

    { ngx_string("smtp_http_connect_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, connect_timeout),
      &ngx_smtp_conf_time_post },

    { ngx_string("smtp_http_send_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, send_timeout),
      &ngx_smtp_conf_time_post },

    { ngx_string("smtp_http_read_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, read_timeout),
      &ngx_smtp_conf_time_post },

    { ngx_string("smtp_http_buffer_size"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, buffer_size),
      &ngx_mail_smtp_ext_http_buffer_post },

    { ngx_string("smtp_http_breaker"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_1MORE,
      ngx_mail_smtp_ext_http_breaker,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("smtp_http_ssl_protocols"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_1MORE,
      ngx_smtp_conf_set_bitmask_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, tls.protocols),
      &ngx_mail_smtp_ext_http_protocols },

    { ngx_string("smtp_http_ssl_ciphers"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, tls.ciphers),
      NULL },

    { ngx_string("smtp_http_ssl_certificate"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, tls.certificate),
      NULL },

    { ngx_string("smtp_http_ssl_certificate_key"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, tls.certificate_key),
      NULL },

    { ngx_string("smtp_http_ssl_password_file"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_smtp_peer_tls_passwords_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, tls.passwords),
      NULL },

    { ngx_string("smtp_http_ssl_conf_command"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE2,
      ngx_conf_set_keyval_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, tls.conf_commands),
      NULL },

    { ngx_string("smtp_http_ssl_verify"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, tls.verify),
      NULL },

    { ngx_string("smtp_http_ssl_verify_depth"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, tls.verify_depth),
      NULL },

    { ngx_string("smtp_http_ssl_trusted_certificate"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, tls.trusted_certificate),
      NULL },

    { ngx_string("smtp_http_ssl_crl"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, tls.crl),
      NULL },

    { ngx_string("smtp_http_ssl_name"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, tls.name),
      NULL },

    { ngx_string("smtp_http_ssl_server_name"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, tls.server_name),
      NULL },

    { ngx_string("smtp_http_ssl_session_reuse"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, tls.session_reuse),
      NULL },

      ngx_null_command
};


static ngx_mail_module_t  ngx_mail_smtp_ext_http_module_ctx = {
    NULL,                                  /* protocol */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_mail_smtp_ext_http_create_conf,    /* create server configuration */
    ngx_mail_smtp_ext_http_merge_conf      /* merge server configuration */
};


ngx_module_t  ngx_mail_smtp_ext_http_module = {
    NGX_MODULE_V1,
    &ngx_mail_smtp_ext_http_module_ctx,    /* module context */
    ngx_mail_smtp_ext_http_commands,       /* module directives */
    NGX_MAIL_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_mail_smtp_ext_http_create_conf(ngx_conf_t *cf)
{
    ngx_smtp_http_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_http_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->timeout = NGX_CONF_UNSET_MSEC;
    conf->connect_timeout = NGX_CONF_UNSET_MSEC;
    conf->send_timeout = NGX_CONF_UNSET_MSEC;
    conf->read_timeout = NGX_CONF_UNSET_MSEC;
    conf->buffer_size = NGX_CONF_UNSET_SIZE;
    conf->fails = NGX_CONF_UNSET_UINT;
    conf->fail_time = NGX_CONF_UNSET_MSEC;
    conf->retry = NGX_CONF_UNSET_MSEC;

    ngx_smtp_peer_tls_conf_init(&conf->tls);
    conf->tls.strict = 1;

    return conf;
}


static char *
ngx_mail_smtp_ext_http_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_smtp_http_conf_t *prev = parent;
    ngx_smtp_http_conf_t *conf = child;

    ngx_mail_core_srv_conf_t  *cscf;

    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 60000);
    ngx_conf_merge_msec_value(conf->connect_timeout, prev->connect_timeout,
                              10000);
    ngx_conf_merge_msec_value(conf->send_timeout, prev->send_timeout, 30000);
    ngx_conf_merge_msec_value(conf->read_timeout, prev->read_timeout, 60000);

    ngx_conf_merge_size_value(conf->buffer_size, prev->buffer_size, 16384);

    ngx_conf_merge_uint_value(conf->fails, prev->fails, 10);
    ngx_conf_merge_msec_value(conf->fail_time, prev->fail_time, 10000);
    ngx_conf_merge_msec_value(conf->retry, prev->retry, 1000);

    ngx_smtp_peer_tls_conf_merge(&conf->tls, &prev->tls);

    if (!conf->https && !prev->https) {
        return NGX_CONF_OK;
    }

    if (conf->nameless && conf->tls.verify && conf->tls.name.len == 0) {
        cscf = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_core_module);

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"https://unix:\" needs \"smtp_http_ssl_name\" to "
                      "verify the certificate with, for server in %s:%ui",
                      cscf->file_name, cscf->line);
        return NGX_CONF_ERROR;
    }

    if (ngx_smtp_peer_tls_create(cf, &conf->tls, "smtp_http_ssl") != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    /* who has inherited all of it shares the connections, too */

    conf->tag.data = (u_char *) &conf->tls.tls;
    conf->tag.len = sizeof(ngx_smtp_peer_tls_t *);

    return NGX_CONF_OK;
}


void
ngx_mail_smtp_ext_http_https(ngx_conf_t *cf)
{
    ngx_smtp_http_conf_t  *conf;

    conf = ngx_mail_conf_get_module_srv_conf(cf,
                                             ngx_mail_smtp_ext_http_module);
    conf->https = 1;
}


void
ngx_mail_smtp_ext_http_nameless(ngx_conf_t *cf)
{
    ngx_smtp_http_conf_t  *conf;

    conf = ngx_mail_conf_get_module_srv_conf(cf,
                                             ngx_mail_smtp_ext_http_module);
    conf->nameless = 1;
}


/* a status line and a few fields; more than a megabyte is a mistake */

static char *
ngx_mail_smtp_ext_http_buffer(ngx_conf_t *cf, void *post, void *data)
{
    size_t *sp = data;

    if (*sp < 512 || *sp > 1024 * 1024) {
        return "must be between 512 and 1m";
    }

    return NGX_CONF_OK;
}


/* "off", or any of fails=, time=, retry= */

static char *
ngx_mail_smtp_ext_http_breaker(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_smtp_http_conf_t *hcf = conf;

    ngx_str_t  *value;

    if (hcf->fails != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    hcf->fails = 10;
    hcf->fail_time = 10000;
    hcf->retry = 1000;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        hcf->fails = 0;
        return NGX_CONF_OK;
    }

    return ngx_smtp_conf_params(cf, 1, hcf,
                                ngx_mail_smtp_ext_http_breaker_params);
}

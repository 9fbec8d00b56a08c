
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_mail.h>
#include <ngx_smtp_http.h>
#include <ngx_smtp_http_private.h>


/*
 * Directives of the HTTP client, docs/reference/http.md: what holds for every
 * service that is asked, whoever asks it.
 */


static void *ngx_mail_smtp_ext_http_create_conf(ngx_conf_t *cf);
static char *ngx_mail_smtp_ext_http_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_mail_smtp_ext_http_buffer(ngx_conf_t *cf, void *post,
    void *data);


static ngx_conf_post_t  ngx_mail_smtp_ext_http_buffer_post = {
    ngx_mail_smtp_ext_http_buffer
};


static ngx_command_t  ngx_mail_smtp_ext_http_commands[] = {

    { ngx_string("smtp_http_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, timeout),
      NULL },

    { ngx_string("smtp_http_connect_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, connect_timeout),
      NULL },

    { ngx_string("smtp_http_send_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, send_timeout),
      NULL },

    { ngx_string("smtp_http_read_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, read_timeout),
      NULL },

    { ngx_string("smtp_http_buffer_size"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_http_conf_t, buffer_size),
      &ngx_mail_smtp_ext_http_buffer_post },

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

    return conf;
}


static char *
ngx_mail_smtp_ext_http_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_smtp_http_conf_t *prev = parent;
    ngx_smtp_http_conf_t *conf = child;

    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 60000);
    ngx_conf_merge_msec_value(conf->connect_timeout, prev->connect_timeout,
                              10000);
    ngx_conf_merge_msec_value(conf->send_timeout, prev->send_timeout, 30000);
    ngx_conf_merge_msec_value(conf->read_timeout, prev->read_timeout, 60000);

    ngx_conf_merge_size_value(conf->buffer_size, prev->buffer_size, 16384);

    return NGX_CONF_OK;
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

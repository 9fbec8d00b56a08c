
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_mail.h>
#include <ngx_smtp_relay.h>


/*
 * Directives of the relay: when the next hop is asked, what we call ourselves
 * there, and the time-outs of RFC 5321, 4.5.3.2.
 */


static void *ngx_mail_smtp_ext_relay_create_conf(ngx_conf_t *cf);
static char *ngx_mail_smtp_ext_relay_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);


static ngx_conf_enum_t  ngx_mail_smtp_ext_relay_modes[] = {
    { ngx_string("verify"), NGX_SMTP_PASS_VERIFY },
    { ngx_string("buffered"), NGX_SMTP_PASS_BUFFERED },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_mail_smtp_ext_relay_commands[] = {

    { ngx_string("smtp_pass_mode"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, mode),
      &ngx_mail_smtp_ext_relay_modes },

    { ngx_string("smtp_pass_helo"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, helo),
      NULL },

    { ngx_string("smtp_pass_connect_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, connect_timeout),
      NULL },

    { ngx_string("smtp_pass_greeting_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, greeting_timeout),
      NULL },

    { ngx_string("smtp_pass_mail_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, mail_timeout),
      NULL },

    { ngx_string("smtp_pass_rcpt_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, rcpt_timeout),
      NULL },

    { ngx_string("smtp_pass_data_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, data_timeout),
      NULL },

    { ngx_string("smtp_pass_send_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, send_timeout),
      NULL },

    { ngx_string("smtp_pass_final_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, final_timeout),
      NULL },

      ngx_null_command
};


static ngx_mail_module_t  ngx_mail_smtp_ext_relay_module_ctx = {
    NULL,                                  /* protocol */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_mail_smtp_ext_relay_create_conf,   /* create server configuration */
    ngx_mail_smtp_ext_relay_merge_conf     /* merge server configuration */
};


ngx_module_t  ngx_mail_smtp_ext_relay_module = {
    NGX_MODULE_V1,
    &ngx_mail_smtp_ext_relay_module_ctx,   /* module context */
    ngx_mail_smtp_ext_relay_commands,      /* module directives */
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
ngx_mail_smtp_ext_relay_create_conf(ngx_conf_t *cf)
{
    ngx_smtp_relay_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_relay_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->mode = NGX_CONF_UNSET_UINT;
    conf->connect_timeout = NGX_CONF_UNSET_MSEC;
    conf->greeting_timeout = NGX_CONF_UNSET_MSEC;
    conf->mail_timeout = NGX_CONF_UNSET_MSEC;
    conf->rcpt_timeout = NGX_CONF_UNSET_MSEC;
    conf->data_timeout = NGX_CONF_UNSET_MSEC;
    conf->send_timeout = NGX_CONF_UNSET_MSEC;
    conf->final_timeout = NGX_CONF_UNSET_MSEC;

    return conf;
}


static char *
ngx_mail_smtp_ext_relay_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_smtp_relay_conf_t *prev = parent;
    ngx_smtp_relay_conf_t *conf = child;

    ngx_conf_merge_uint_value(conf->mode, prev->mode, NGX_SMTP_PASS_VERIFY);
    ngx_conf_merge_str_value(conf->helo, prev->helo, "");

    if (conf->helo.len
        && ngx_smtp_helo_valid(conf->helo.data,
                               conf->helo.data + conf->helo.len)
           != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name \"%V\" in \"smtp_pass_helo\"",
                           &conf->helo);
        return NGX_CONF_ERROR;
    }

    ngx_conf_merge_msec_value(conf->connect_timeout, prev->connect_timeout,
                              30000);
    ngx_conf_merge_msec_value(conf->greeting_timeout, prev->greeting_timeout,
                              300000);
    ngx_conf_merge_msec_value(conf->mail_timeout, prev->mail_timeout, 300000);
    ngx_conf_merge_msec_value(conf->rcpt_timeout, prev->rcpt_timeout, 300000);
    ngx_conf_merge_msec_value(conf->data_timeout, prev->data_timeout, 120000);
    ngx_conf_merge_msec_value(conf->send_timeout, prev->send_timeout, 180000);
    ngx_conf_merge_msec_value(conf->final_timeout, prev->final_timeout,
                              600000);

    return NGX_CONF_OK;
}

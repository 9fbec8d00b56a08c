
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_mail.h>
#include <ngx_smtp_conf.h>
#include <ngx_smtp_relay.h>


/*
 * Directives of the relay: when the next hop is asked, what we call ourselves
 * there, TLS, and the time-outs of RFC 5321, 4.5.3.2.
 */


extern ngx_module_t  ngx_mail_smtp_ext_module;
extern ngx_module_t  ngx_mail_proxy_module;


static void *ngx_mail_smtp_ext_relay_create_conf(ngx_conf_t *cf);
static char *ngx_mail_smtp_ext_relay_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_mail_smtp_ext_relay_tls(ngx_conf_t *cf,
    ngx_smtp_relay_conf_t *conf, ngx_smtp_service_t *service);
static char *ngx_mail_smtp_ext_relay_secret(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_mail_smtp_ext_relay_merge_auth(ngx_conf_t *cf,
    ngx_smtp_relay_conf_t *prev, ngx_smtp_relay_conf_t *conf,
    ngx_smtp_service_t *service);
static void ngx_mail_smtp_ext_relay_merge_identity(
    ngx_smtp_relay_conf_t *prev, ngx_smtp_relay_conf_t *conf);
static char *ngx_mail_smtp_ext_relay_nginx(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_uint_t ngx_mail_smtp_ext_relay_tcp(ngx_smtp_service_t *service);
static ngx_uint_t ngx_mail_smtp_ext_relay_smtps(ngx_smtp_service_t *service);


static ngx_conf_enum_t  ngx_mail_smtp_ext_relay_modes[] = {
    { ngx_string("verify"), NGX_SMTP_PASS_VERIFY },
    { ngx_string("buffered"), NGX_SMTP_PASS_BUFFERED },
    { ngx_string("stream"), NGX_SMTP_PASS_STREAM },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_mail_smtp_ext_relay_tls_modes[] = {
    { ngx_string("off"), NGX_SMTP_PASS_TLS_OFF },
    { ngx_string("opportunistic"), NGX_SMTP_PASS_TLS_OPPORTUNISTIC },
    { ngx_string("required"), NGX_SMTP_PASS_TLS_REQUIRED },
    { ngx_string("implicit"), NGX_SMTP_PASS_TLS_IMPLICIT },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_mail_smtp_ext_relay_proxy_protocol[] = {
    { ngx_string("off"), NGX_SMTP_PASS_PROXY_OFF },
    { ngx_string("v1"), NGX_SMTP_PASS_PROXY_V1 },
    { ngx_string("v2"), NGX_SMTP_PASS_PROXY_V2 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_mail_smtp_ext_relay_xclient[] = {
    { ngx_string("off"), NGX_SMTP_PASS_XCLIENT_OFF },
    { ngx_string("on"), NGX_SMTP_PASS_XCLIENT_ON },
    { ngx_string("always"), NGX_SMTP_PASS_XCLIENT_ALWAYS },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_mail_smtp_ext_relay_auth_modes[] = {
    { ngx_string("off"), NGX_SMTP_PASS_AUTH_OFF },
    { ngx_string("own"), NGX_SMTP_PASS_AUTH_OWN },
    { ngx_string("client"), NGX_SMTP_PASS_AUTH_CLIENT },
    { ngx_null_string, 0 }
};


static ngx_conf_bitmask_t  ngx_mail_smtp_ext_relay_auth_methods[] = {
    { ngx_string("plain"), NGX_SMTP_CAP_PLAIN },
    { ngx_string("login"), NGX_SMTP_CAP_LOGIN },
    { ngx_string("cram-md5"), NGX_SMTP_CAP_CRAM_MD5 },
    { ngx_string("xoauth2"), NGX_SMTP_CAP_XOAUTH2 },
    { ngx_string("oauthbearer"), NGX_SMTP_CAP_OAUTHBEARER },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_mail_smtp_ext_relay_auth_security[] = {
    { ngx_string("verified"), NGX_SMTP_PASS_AUTH_VERIFIED },
    { ngx_string("tls"), NGX_SMTP_PASS_AUTH_TLS },
    { ngx_string("none"), NGX_SMTP_PASS_AUTH_NONE },
    { ngx_null_string, 0 }
};


/* post of the directive whose file has a token */
static ngx_uint_t  ngx_mail_smtp_ext_relay_token;


static ngx_conf_bitmask_t  ngx_mail_smtp_ext_relay_ssl_protocols[] = {
    { ngx_string("TLSv1"), NGX_SSL_TLSv1 },
    { ngx_string("TLSv1.1"), NGX_SSL_TLSv1_1 },
    { ngx_string("TLSv1.2"), NGX_SSL_TLSv1_2 },
    { ngx_string("TLSv1.3"), NGX_SSL_TLSv1_3 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_mail_smtp_ext_relay_8bits[] = {
    { ngx_string("convert"), NGX_SMTP_PASS_8BIT_CONVERT },
    { ngx_string("refuse"), NGX_SMTP_PASS_8BIT_REFUSE },
    { ngx_string("pass"), NGX_SMTP_PASS_8BIT_PASS },
    { ngx_null_string, 0 }
};


static ngx_conf_bitmask_t  ngx_mail_smtp_ext_relay_next[] = {
    { ngx_string("error"), NGX_SMTP_NEXT_ERROR },
    { ngx_string("timeout"), NGX_SMTP_NEXT_TIMEOUT },
    { ngx_string("invalid_reply"), NGX_SMTP_NEXT_INVALID },
    { ngx_string("unavailable"), NGX_SMTP_NEXT_UNAVAILABLE },
    { ngx_string("mail_4xx"), NGX_SMTP_NEXT_MAIL },
    { ngx_string("message_4xx"), NGX_SMTP_NEXT_MESSAGE },
    { ngx_string("off"), NGX_SMTP_NEXT_OFF },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_mail_smtp_ext_relay_commands[] = {

    { ngx_string("smtp_next_upstream"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_1MORE,
      ngx_smtp_conf_set_bitmask_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, next),
      &ngx_mail_smtp_ext_relay_next },

    { ngx_string("smtp_next_upstream_tries"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, next_tries),
      NULL },

    { ngx_string("smtp_next_upstream_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, next_timeout),
      NULL },

    { ngx_string("smtp_pass_mode"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_smtp_conf_set_enum_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, mode),
      &ngx_mail_smtp_ext_relay_modes },

    { ngx_string("smtp_pass_8bit"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_smtp_conf_set_enum_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, eight_bit),
      &ngx_mail_smtp_ext_relay_8bits },

    { ngx_string("smtp_pass_helo"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, helo),
      NULL },

    { ngx_string("smtp_pass_tls"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_smtp_conf_set_enum_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, tls_mode),
      &ngx_mail_smtp_ext_relay_tls_modes },

    { ngx_string("smtp_pass_tls_retry"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, tls_retry),
      NULL },

    { ngx_string("smtp_pass_ssl_protocols"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_1MORE,
      ngx_smtp_conf_set_bitmask_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, tls.protocols),
      &ngx_mail_smtp_ext_relay_ssl_protocols },

    { ngx_string("smtp_pass_ssl_ciphers"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, tls.ciphers),
      NULL },

    { ngx_string("smtp_pass_ssl_certificate"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, tls.certificate),
      NULL },

    { ngx_string("smtp_pass_ssl_certificate_key"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, tls.certificate_key),
      NULL },

    { ngx_string("smtp_pass_ssl_password_file"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_smtp_peer_tls_passwords_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, tls.passwords),
      NULL },

    { ngx_string("smtp_pass_ssl_conf_command"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE2,
      ngx_conf_set_keyval_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, tls.conf_commands),
      NULL },

    { ngx_string("smtp_pass_ssl_verify"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, tls.verify),
      NULL },

    { ngx_string("smtp_pass_ssl_verify_depth"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, tls.verify_depth),
      NULL },

    { ngx_string("smtp_pass_ssl_trusted_certificate"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, tls.trusted_certificate),
      NULL },

    { ngx_string("smtp_pass_ssl_crl"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, tls.crl),
      NULL },

    { ngx_string("smtp_pass_ssl_name"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, tls.name),
      NULL },

    { ngx_string("smtp_pass_ssl_server_name"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, tls.server_name),
      NULL },

    { ngx_string("smtp_pass_ssl_session_reuse"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, tls.session_reuse),
      NULL },

    { ngx_string("smtp_pass_auth"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_smtp_conf_set_enum_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, auth.mode),
      &ngx_mail_smtp_ext_relay_auth_modes },

    { ngx_string("smtp_pass_auth_user"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, auth.own.user),
      NULL },

    { ngx_string("smtp_pass_auth_password_file"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_mail_smtp_ext_relay_secret,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, auth.own),
      NULL },

    { ngx_string("smtp_pass_auth_token_file"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_mail_smtp_ext_relay_secret,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, auth.own),
      &ngx_mail_smtp_ext_relay_token },

    { ngx_string("smtp_pass_auth_methods"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_1MORE,
      ngx_smtp_conf_set_bitmask_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, auth.methods),
      &ngx_mail_smtp_ext_relay_auth_methods },

    { ngx_string("smtp_pass_auth_security"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_smtp_conf_set_enum_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, auth.security),
      &ngx_mail_smtp_ext_relay_auth_security },

    { ngx_string("smtp_pass_proxy_protocol"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_smtp_conf_set_enum_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, proxy_protocol),
      &ngx_mail_smtp_ext_relay_proxy_protocol },

    { ngx_string("smtp_pass_xclient"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_smtp_conf_set_enum_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, xclient),
      &ngx_mail_smtp_ext_relay_xclient },

    { ngx_string("smtp_pass_xforward"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, xforward),
      NULL },

    { ngx_string("smtp_pass_connect_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, connect_timeout),
      &ngx_smtp_conf_time_post },

    { ngx_string("smtp_pass_greeting_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, greeting_timeout),
      &ngx_smtp_conf_time_post },

    { ngx_string("smtp_pass_mail_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, mail_timeout),
      &ngx_smtp_conf_time_post },

    { ngx_string("smtp_pass_rcpt_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, rcpt_timeout),
      &ngx_smtp_conf_time_post },

    { ngx_string("smtp_pass_data_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, data_timeout),
      &ngx_smtp_conf_time_post },

    { ngx_string("smtp_pass_send_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, send_timeout),
      &ngx_smtp_conf_time_post },

    { ngx_string("smtp_pass_final_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, final_timeout),
      &ngx_smtp_conf_time_post },

    /* of nginx's proxy module, to which it is passed on */

    { ngx_string("proxy_smtp_auth"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_mail_smtp_ext_relay_nginx,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, nginx_auth),
      NULL },

    { ngx_string("proxy_protocol"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_mail_smtp_ext_relay_nginx,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, nginx_proxy_protocol),
      NULL },

    { ngx_string("xclient"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_mail_smtp_ext_relay_nginx,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_relay_conf_t, nginx_xclient),
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
    conf->eight_bit = NGX_CONF_UNSET_UINT;
    conf->next_tries = NGX_CONF_UNSET_UINT;
    conf->next_timeout = NGX_CONF_UNSET_MSEC;
    conf->tls_mode = NGX_CONF_UNSET_UINT;
    conf->tls_retry = NGX_CONF_UNSET_MSEC;
    conf->connect_timeout = NGX_CONF_UNSET_MSEC;
    conf->greeting_timeout = NGX_CONF_UNSET_MSEC;
    conf->mail_timeout = NGX_CONF_UNSET_MSEC;
    conf->rcpt_timeout = NGX_CONF_UNSET_MSEC;
    conf->data_timeout = NGX_CONF_UNSET_MSEC;
    conf->send_timeout = NGX_CONF_UNSET_MSEC;
    conf->final_timeout = NGX_CONF_UNSET_MSEC;

    ngx_smtp_peer_tls_conf_init(&conf->tls);

    conf->proxy_protocol = NGX_CONF_UNSET_UINT;
    conf->xclient = NGX_CONF_UNSET_UINT;
    conf->xforward = NGX_CONF_UNSET;

    conf->nginx_auth = NGX_CONF_UNSET;
    conf->nginx_proxy_protocol = NGX_CONF_UNSET;
    conf->nginx_xclient = NGX_CONF_UNSET;

    conf->auth.mode = NGX_CONF_UNSET_UINT;
    conf->auth.security = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_mail_smtp_ext_relay_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_smtp_relay_conf_t *prev = parent;
    ngx_smtp_relay_conf_t *conf = child;

    ngx_smtp_service_t  *service;

    ngx_conf_merge_uint_value(conf->mode, prev->mode, NGX_SMTP_PASS_VERIFY);

    service = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_smtp_ext_module);

    service->stream = (conf->mode == NGX_SMTP_PASS_STREAM);

    ngx_conf_merge_uint_value(conf->eight_bit, prev->eight_bit,
                              NGX_SMTP_PASS_8BIT_CONVERT);

    ngx_conf_merge_bitmask_value(conf->next, prev->next,
                                 (NGX_CONF_BITMASK_SET
                                  |NGX_SMTP_NEXT_ERROR
                                  |NGX_SMTP_NEXT_TIMEOUT
                                  |NGX_SMTP_NEXT_INVALID
                                  |NGX_SMTP_NEXT_UNAVAILABLE
                                  |NGX_SMTP_NEXT_MAIL));

    if (conf->next & NGX_SMTP_NEXT_OFF) {
        conf->next = NGX_CONF_BITMASK_SET|NGX_SMTP_NEXT_OFF;
    }

    ngx_conf_merge_uint_value(conf->next_tries, prev->next_tries, 0);

    /* RFC 5321, 4.5.3.2.3: a client waits for five minutes at RCPT */

    ngx_conf_merge_msec_value(conf->next_timeout, prev->next_timeout,
                              240000);

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

    ngx_mail_smtp_ext_relay_merge_identity(prev, conf);

    ngx_conf_merge_uint_value(conf->tls_mode, prev->tls_mode,
                              NGX_SMTP_PASS_TLS_OPPORTUNISTIC);
    ngx_conf_merge_msec_value(conf->tls_retry, prev->tls_retry, 60000);
    ngx_smtp_peer_tls_conf_merge(&conf->tls, &prev->tls);

    if (service->server_name.len == 0) {
        /* a server{} of another protocol */
        return NGX_CONF_OK;
    }

    if (conf->helo.len == 0) {
        conf->helo = service->server_name;
    }

    if (ngx_mail_smtp_ext_relay_merge_auth(cf, prev, conf, service)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return (ngx_mail_smtp_ext_relay_tls(cf, conf, service) == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_mail_smtp_ext_relay_merge_auth(ngx_conf_t *cf, ngx_smtp_relay_conf_t *prev,
    ngx_smtp_relay_conf_t *conf, ngx_smtp_service_t *service)
{
    ngx_smtp_client_auth_t    *auth;
    ngx_mail_core_srv_conf_t  *cscf;

    cscf = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_core_module);
    auth = &conf->auth;

    ngx_conf_merge_value(conf->nginx_auth, prev->nginx_auth, 0);

    /* nginx's own sends the client's password, and over anything */

    if (conf->nginx_auth && auth->mode == NGX_CONF_UNSET_UINT
        && prev->auth.mode == NGX_CONF_UNSET_UINT)
    {
        auth->mode = NGX_SMTP_PASS_AUTH_CLIENT;

        if (auth->security == NGX_CONF_UNSET_UINT
            && prev->auth.security == NGX_CONF_UNSET_UINT)
        {
            auth->security = NGX_SMTP_PASS_AUTH_NONE;
        }
    }

    ngx_conf_merge_uint_value(auth->mode, prev->auth.mode,
                              NGX_SMTP_PASS_AUTH_OFF);
    ngx_conf_merge_uint_value(auth->security, prev->auth.security,
                              NGX_SMTP_PASS_AUTH_VERIFIED);
    ngx_conf_merge_bitmask_value(auth->methods, prev->auth.methods,
                              (NGX_CONF_BITMASK_SET|NGX_SMTP_CAP_PLAIN
                               |NGX_SMTP_CAP_LOGIN|NGX_SMTP_CAP_CRAM_MD5
                               |NGX_SMTP_CAP_XOAUTH2
                               |NGX_SMTP_CAP_OAUTHBEARER));
    ngx_conf_merge_str_value(auth->own.user, prev->auth.own.user, "");

    if (auth->own.secret.data == NULL) {
        auth->own.secret = prev->auth.own.secret;
        auth->own.token = prev->auth.own.token;
    }

    if (auth->mode == NGX_SMTP_PASS_AUTH_OWN
        && (auth->own.user.len == 0 || auth->own.secret.len == 0))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"smtp_pass_auth own\" needs "
                      "\"smtp_pass_auth_user\" and one of "
                      "\"smtp_pass_auth_password_file\" and "
                      "\"smtp_pass_auth_token_file\" for server in %s:%ui",
                      cscf->file_name, cscf->line);
        return NGX_CONF_ERROR;
    }

    if (auth->mode == NGX_SMTP_PASS_AUTH_CLIENT) {
        service->keep_passwd = 1;
    }

    if (auth->mode != NGX_SMTP_PASS_AUTH_OFF
        && auth->security == NGX_SMTP_PASS_AUTH_VERIFIED
        && !conf->tls.verify && ngx_mail_smtp_ext_relay_tcp(service))
    {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"smtp_pass_auth\" says no password over TCP: "
                      "\"smtp_pass_auth_security\" is \"verified\", and no "
                      "\"smtp_pass_ssl_trusted_certificate\" is there "
                      "for server in %s:%ui", cscf->file_name, cscf->line);
    }

    return NGX_CONF_OK;
}


static void
ngx_mail_smtp_ext_relay_merge_identity(ngx_smtp_relay_conf_t *prev,
    ngx_smtp_relay_conf_t *conf)
{
    /* that nginx's xclient is on by default is of no concern to us */

    ngx_conf_merge_value(conf->nginx_proxy_protocol,
                         prev->nginx_proxy_protocol, 0);
    ngx_conf_merge_value(conf->nginx_xclient, prev->nginx_xclient, 0);

    if (conf->nginx_proxy_protocol
        && conf->proxy_protocol == NGX_CONF_UNSET_UINT
        && prev->proxy_protocol == NGX_CONF_UNSET_UINT)
    {
        conf->proxy_protocol = NGX_SMTP_PASS_PROXY_V1;
    }

    if (conf->nginx_xclient && conf->xclient == NGX_CONF_UNSET_UINT
        && prev->xclient == NGX_CONF_UNSET_UINT)
    {
        conf->xclient = NGX_SMTP_PASS_XCLIENT_ALWAYS;
    }

    ngx_conf_merge_uint_value(conf->proxy_protocol, prev->proxy_protocol,
                              NGX_SMTP_PASS_PROXY_OFF);
    ngx_conf_merge_uint_value(conf->xclient, prev->xclient,
                              NGX_SMTP_PASS_XCLIENT_OFF);
    ngx_conf_merge_value(conf->xforward, prev->xforward, 0);
}


static char *
ngx_mail_smtp_ext_relay_secret(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_smtp_relay_conf_t *rcf = conf;

    ngx_str_t         *value;
    ngx_smtp_login_t  *own;

    own = &rcf->auth.own;

    if (own->secret.data) {
        return "is duplicate, or both a password and a token";
    }

    value = cf->args->elts;

    own->token = (cmd->post == &ngx_mail_smtp_ext_relay_token);

    return ngx_smtp_client_secret_read(cf, &value[1], own) == NGX_OK
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_mail_smtp_ext_relay_tls(ngx_conf_t *cf, ngx_smtp_relay_conf_t *conf,
    ngx_smtp_service_t *service)
{
    if ((conf->tls_mode != NGX_SMTP_PASS_TLS_OFF
         || ngx_mail_smtp_ext_relay_smtps(service))
        && ngx_smtp_peer_tls_create(cf, &conf->tls, "smtp_pass_ssl")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_smtp_client_tags(cf->pool, conf);
}


/* a socket of this machine is safe as it is */

static ngx_uint_t
ngx_mail_smtp_ext_relay_tcp(ngx_smtp_service_t *service)
{
    ngx_uint_t         i;
    ngx_smtp_dest_t  **dest;

    dest = service->dests->elts;

    for (i = 0; i < service->dests->nelts; i++) {
        if (dest[i]->type->query && dest[i]->url.len
            && ngx_strnstr(dest[i]->url.data, "://unix:", dest[i]->url.len)
               == NULL)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_mail_smtp_ext_relay_smtps(ngx_smtp_service_t *service)
{
    ngx_uint_t         i;
    ngx_smtp_dest_t  **dest;

    dest = service->dests->elts;

    for (i = 0; i < service->dests->nelts; i++) {
        if (dest[i]->type == &ngx_smtp_dest_smtps) {
            return 1;
        }
    }

    return 0;
}


/* each holds where ours is not given */

static char *
ngx_mail_smtp_ext_relay_nginx(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char        *rv;
    ngx_str_t   *value;
    ngx_flag_t  *flag;

    rv = ngx_smtp_conf_pass_on(cf, cmd, &ngx_mail_proxy_module,
             ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_proxy_module));

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = cf->args->elts;

    flag = (ngx_flag_t *) ((u_char *) conf + cmd->offset);
    *flag = (ngx_strcasecmp(value[1].data, (u_char *) "on") == 0);

    return NGX_CONF_OK;
}

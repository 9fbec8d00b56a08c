
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_mail.h>
#include <ngx_smtp_esmtp.h>


/*
 * smtp_extensions: which of the extensions are offered.  A server{} takes
 * from mail{} what it does not name itself.
 */


static void *ngx_mail_smtp_ext_esmtp_create_conf(ngx_conf_t *cf);
static char *ngx_mail_smtp_ext_esmtp_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_mail_smtp_ext_esmtp_extensions(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_mail_smtp_ext_esmtp_extension(ngx_conf_t *cf,
    ngx_smtp_esmtp_conf_t *conf, ngx_str_t *arg);
static ngx_uint_t ngx_mail_smtp_ext_esmtp_bit(ngx_str_t *name);


static ngx_command_t  ngx_mail_smtp_ext_esmtp_commands[] = {

    { ngx_string("smtp_extensions"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_1MORE,
      ngx_mail_smtp_ext_esmtp_extensions,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_mail_module_t  ngx_mail_smtp_ext_esmtp_module_ctx = {
    NULL,                                  /* protocol */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_mail_smtp_ext_esmtp_create_conf,   /* create server configuration */
    ngx_mail_smtp_ext_esmtp_merge_conf     /* merge server configuration */
};


ngx_module_t  ngx_mail_smtp_ext_esmtp_module = {
    NGX_MODULE_V1,
    &ngx_mail_smtp_ext_esmtp_module_ctx,   /* module context */
    ngx_mail_smtp_ext_esmtp_commands,      /* module directives */
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
ngx_mail_smtp_ext_esmtp_create_conf(ngx_conf_t *cf)
{
    /*
     * set by ngx_pcalloc():
     *
     *     conf->set = 0;
     *     conf->on = 0;
     *     conf->next_hop = 0;
     */

    return ngx_pcalloc(cf->pool, sizeof(ngx_smtp_esmtp_conf_t));
}


static char *
ngx_mail_smtp_ext_esmtp_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_smtp_esmtp_conf_t *prev = parent;
    ngx_smtp_esmtp_conf_t *conf = child;

    ngx_uint_t  inherited, rest;

    inherited = prev->set & ~conf->set;

    conf->on |= prev->on & inherited;
    conf->next_hop |= prev->next_hop & inherited;
    conf->set |= inherited;

    rest = ~conf->set;

    conf->on |= rest & ~(NGX_SMTP_ESMTP_OFF|NGX_SMTP_ESMTP_NEXT_HOP);
    conf->next_hop |= rest & NGX_SMTP_ESMTP_NEXT_HOP;

    return NGX_CONF_OK;
}


static char *
ngx_mail_smtp_ext_esmtp_extensions(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        rv = ngx_mail_smtp_ext_esmtp_extension(cf, conf, &value[i]);

        if (rv != NGX_CONF_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\": %s", &value[i], rv);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* "dsn=on"; NGX_CONF_OK or what is wrong with it */

static char *
ngx_mail_smtp_ext_esmtp_extension(ngx_conf_t *cf,
    ngx_smtp_esmtp_conf_t *conf, ngx_str_t *arg)
{
    u_char      *last;
    ngx_str_t    name, mode;
    ngx_uint_t   bit;

    last = arg->data + arg->len;

    mode.data = ngx_strlchr(arg->data, last, '=');

    if (mode.data == NULL) {
        return "\"name=on\", \"name=off\" or \"name=next_hop\" is expected";
    }

    name.data = arg->data;
    name.len = mode.data - arg->data;

    mode.data++;
    mode.len = last - mode.data;

    bit = ngx_mail_smtp_ext_esmtp_bit(&name);

    if (bit == 0) {
        return "no such extension";
    }

    if (bit & NGX_SMTP_ESMTP_FIXED) {
        return "this extension can't be configured here";
    }

    if (conf->set & bit) {
        return "the extension is named twice";
    }

    conf->set |= bit;

    if (mode.len == 3 && ngx_strncmp(mode.data, "off", 3) == 0) {
        return NGX_CONF_OK;
    }

    if (mode.len == 8 && ngx_strncmp(mode.data, "next_hop", 8) == 0) {
        conf->next_hop |= bit;
        return NGX_CONF_OK;
    }

    if (mode.len != 2 || ngx_strncmp(mode.data, "on", 2) != 0) {
        return "\"on\", \"off\" or \"next_hop\" is expected";
    }

    if (bit & NGX_SMTP_ESMTP_NOT_OURS) {
        return "only the next hop can offer it, \"next_hop\" is needed";
    }

    conf->on |= bit;

    return NGX_CONF_OK;
}


/* names are the keywords in lower case; 0: no such thing */

static ngx_uint_t
ngx_mail_smtp_ext_esmtp_bit(ngx_str_t *name)
{
    size_t                          i;
    const ngx_str_t                *keyword;
    const ngx_smtp_esmtp_t *const  *ext;

    for (ext = ngx_smtp_esmtp_table; *ext; ext++) {

        keyword = &(*ext)->keyword;

        if (keyword->len != name->len) {
            continue;
        }

        for (i = 0; i < name->len; i++) {
            if (name->data[i] != ngx_tolower(keyword->data[i])) {
                break;
            }
        }

        if (i == name->len) {
            return (*ext)->bit;
        }
    }

    return 0;
}

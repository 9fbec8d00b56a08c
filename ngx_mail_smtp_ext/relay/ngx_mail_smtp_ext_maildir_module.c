
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_mail.h>
#include <ngx_smtp_conf.h>
#include <ngx_smtp_maildir.h>


/*
 * Directives of Maildirs.
 */


extern ngx_module_t  ngx_mail_smtp_ext_module;


static void *ngx_mail_smtp_ext_maildir_create_conf(ngx_conf_t *cf);
static char *ngx_mail_smtp_ext_maildir_merge_conf(ngx_conf_t *cf,
    void *parent, void *child);
static char *ngx_mail_smtp_ext_maildir_quota(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_mail_smtp_ext_maildir_parameter(
    ngx_mail_smtp_ext_maildir_srv_conf_t *mscf, ngx_str_t *value);


static ngx_command_t  ngx_mail_smtp_ext_maildir_commands[] = {

    { ngx_string("smtp_maildir_quota"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE123,
      ngx_mail_smtp_ext_maildir_quota,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_mail_module_t  ngx_mail_smtp_ext_maildir_module_ctx = {
    NULL,                                  /* protocol */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_mail_smtp_ext_maildir_create_conf, /* create server configuration */
    ngx_mail_smtp_ext_maildir_merge_conf   /* merge server configuration */
};


ngx_module_t  ngx_mail_smtp_ext_maildir_module = {
    NGX_MODULE_V1,
    &ngx_mail_smtp_ext_maildir_module_ctx, /* module context */
    ngx_mail_smtp_ext_maildir_commands,    /* module directives */
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
ngx_mail_smtp_ext_maildir_create_conf(ngx_conf_t *cf)
{
    ngx_mail_smtp_ext_maildir_srv_conf_t  *mscf;

    mscf = ngx_pcalloc(cf->pool, sizeof(ngx_mail_smtp_ext_maildir_srv_conf_t));
    if (mscf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     mscf->quota = { 0 };
     */

    mscf->quota_mode = NGX_CONF_UNSET_UINT;
    mscf->full = NGX_SMTP_MAILDIR_FULL_TEMPORARY;

    return mscf;
}


static char *
ngx_mail_smtp_ext_maildir_merge_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_mail_smtp_ext_maildir_srv_conf_t *prev = parent;
    ngx_mail_smtp_ext_maildir_srv_conf_t *conf = child;

    ngx_smtp_service_t        *service;
    ngx_mail_core_srv_conf_t  *cscf;

    service = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_smtp_ext_module);

    if (conf->quota_mode != NGX_CONF_UNSET_UINT
        && conf->quota_mode != NGX_SMTP_MAILDIR_QUOTA_OFF
        && !ngx_smtp_service_goes_to(service, "maildir"))
    {
        cscf = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_core_module);

        ngx_smtp_conf_in_vain(cf, "smtp_maildir_quota", "smtp_pass maildir:",
                              cscf->file_name, cscf->line);
    }

    /* all of it is said by one directive */

    if (conf->quota_mode == NGX_CONF_UNSET_UINT) {
        *conf = *prev;
    }

    if (conf->quota_mode == NGX_CONF_UNSET_UINT) {
        conf->quota_mode = NGX_SMTP_MAILDIR_QUOTA_OFF;
    }

    return NGX_CONF_OK;
}


static char *
ngx_mail_smtp_ext_maildir_quota(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_mail_smtp_ext_maildir_srv_conf_t *mscf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (mscf->quota_mode != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        mscf->quota_mode = NGX_SMTP_MAILDIR_QUOTA_OFF;
        return NGX_CONF_OK;
    }

    i = 1;
    mscf->quota_mode = NGX_SMTP_MAILDIR_QUOTA_SET;

    if (ngx_strcmp(value[1].data, "file") == 0) {
        mscf->quota_mode = NGX_SMTP_MAILDIR_QUOTA_FILE;
        i++;
    }

    for ( /* void */ ; i < cf->args->nelts; i++) {

        if (ngx_mail_smtp_ext_maildir_parameter(mscf, &value[i]) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    if ((mscf->quota_mode == NGX_SMTP_MAILDIR_QUOTA_SET)
        == (mscf->quota.size == 0 && mscf->quota.messages == 0))
    {
        return "takes \"size=\" and \"messages=\", or \"file\", or \"off\"";
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_mail_smtp_ext_maildir_parameter(
    ngx_mail_smtp_ext_maildir_srv_conf_t *mscf, ngx_str_t *value)
{
    off_t      n;
    ngx_str_t  text;

    if (ngx_strncmp(value->data, "size=", 5) == 0) {
        text.data = value->data + 5;
        text.len = value->len - 5;

        n = ngx_parse_offset(&text);

        if (n <= 0 || n > NGX_SMTP_QUOTA_MAX || mscf->quota.size) {
            return NGX_ERROR;
        }

        mscf->quota.size = n;

        return NGX_OK;
    }

    if (ngx_strncmp(value->data, "messages=", 9) == 0) {

        n = ngx_atoof(value->data + 9, value->len - 9);

        if (n <= 0 || n > NGX_SMTP_QUOTA_MAX || mscf->quota.messages) {
            return NGX_ERROR;
        }

        mscf->quota.messages = n;

        return NGX_OK;
    }

    if (ngx_strcmp(value->data, "reply=452") == 0) {
        mscf->full = NGX_SMTP_MAILDIR_FULL_TEMPORARY;
        return NGX_OK;
    }

    if (ngx_strcmp(value->data, "reply=552") == 0) {
        mscf->full = NGX_SMTP_MAILDIR_FULL_PERMANENT;
        return NGX_OK;
    }

    return NGX_ERROR;
}

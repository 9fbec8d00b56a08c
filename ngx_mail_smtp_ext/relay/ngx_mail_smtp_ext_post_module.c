
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_mail.h>
#include <ngx_smtp_conf.h>
#include <ngx_smtp_post.h>


/*
 * Directives of the destination http://, docs/reference/pass_http.md.
 */


extern ngx_module_t  ngx_mail_smtp_ext_module;


static void *ngx_mail_smtp_ext_post_create_conf(ngx_conf_t *cf);
static char *ngx_mail_smtp_ext_post_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_mail_smtp_ext_post_header(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_mail_smtp_ext_post_recipients(ngx_conf_t *cf, void *post,
    void *data);


static ngx_conf_post_t  ngx_mail_smtp_ext_post_recipients_post = {
    ngx_mail_smtp_ext_post_recipients
};


static ngx_command_t  ngx_mail_smtp_ext_post_commands[] = {

    { ngx_string("smtp_pass_http_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_post_conf_t, timeout),
      &ngx_smtp_conf_time_post },

    { ngx_string("smtp_pass_http_read_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_post_conf_t, read_timeout),
      &ngx_smtp_conf_time_post },

    { ngx_string("smtp_pass_http_recipients"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_post_conf_t, max_recipients),
      &ngx_mail_smtp_ext_post_recipients_post },

    { ngx_string("smtp_pass_http_header"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE2,
      ngx_mail_smtp_ext_post_header,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_mail_module_t  ngx_mail_smtp_ext_post_module_ctx = {
    NULL,                                  /* protocol */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_mail_smtp_ext_post_create_conf,    /* create server configuration */
    ngx_mail_smtp_ext_post_merge_conf      /* merge server configuration */
};


ngx_module_t  ngx_mail_smtp_ext_post_module = {
    NGX_MODULE_V1,
    &ngx_mail_smtp_ext_post_module_ctx,    /* module context */
    ngx_mail_smtp_ext_post_commands,       /* module directives */
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
ngx_mail_smtp_ext_post_create_conf(ngx_conf_t *cf)
{
    ngx_smtp_post_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_post_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->headers = NULL;
     */

    conf->timeout = NGX_CONF_UNSET_MSEC;
    conf->read_timeout = NGX_CONF_UNSET_MSEC;
    conf->max_recipients = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_mail_smtp_ext_post_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_smtp_post_conf_t *prev = parent;
    ngx_smtp_post_conf_t *conf = child;

    ngx_smtp_service_t        *service;
    ngx_mail_core_srv_conf_t  *cscf;

    service = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_smtp_ext_module);

    if (conf->headers && !ngx_smtp_service_goes_to(service, "http")) {
        cscf = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_core_module);

        ngx_smtp_conf_in_vain(cf, "smtp_pass_http_header", "smtp_pass http://",
                              cscf->file_name, cscf->line);
    }

    /* RFC 5321, 4.5.3.2.6: as long as clients wait for the reply */

    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 600000);
    ngx_conf_merge_msec_value(conf->read_timeout, prev->read_timeout, 300000);

    ngx_conf_merge_uint_value(conf->max_recipients, prev->max_recipients, 50);

    if (conf->headers == NULL) {
        conf->headers = prev->headers;
    }

    return NGX_CONF_OK;
}


static char *
ngx_mail_smtp_ext_post_header(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_smtp_post_conf_t *pcf = conf;

    ngx_str_t               *value;
    ngx_keyval_t             field;
    ngx_smtp_post_header_t  *header;

    if (pcf->headers == NULL) {
        pcf->headers = ngx_array_create(cf->pool, 1,
                                        sizeof(ngx_smtp_post_header_t));
        if (pcf->headers == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    header = ngx_array_push(pcf->headers);
    if (header == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    header->name = value[1];
    header->value = value[2];
    header->text = NULL;

    field.key = value[1];
    field.value = value[2];

    if (!ngx_smtp_http_field_valid(&field)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid header \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    if (ngx_strchr(value[2].data, '$')) {
        header->text = ngx_smtp_text_compile(cf, &value[2]);
        if (header->text == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* whoever has no room for two is asked once for each */

static char *
ngx_mail_smtp_ext_post_recipients(ngx_conf_t *cf, void *post, void *data)
{
    ngx_uint_t *np = data;

    if (*np < 1 || *np > 1000) {
        return "must be between 1 and 1000";
    }

    return NGX_CONF_OK;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_mail.h>
#include <ngx_smtp_conf.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_submit.h>


/*
 * The finer directives of submission, each of which works without the profile;
 * smtp_submission, which is what they are by default, is the service's.
 */


static void *ngx_mail_smtp_ext_submit_create_conf(ngx_conf_t *cf);
static char *ngx_mail_smtp_ext_submit_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_mail_smtp_ext_submit_check_domain(ngx_conf_t *cf, void *post,
    void *data);
static char *ngx_mail_smtp_ext_submit_check_delimiter(ngx_conf_t *cf,
    void *post, void *data);


extern ngx_module_t  ngx_mail_smtp_ext_module;


static ngx_conf_enum_t  ngx_mail_smtp_ext_submit_sender_checks[] = {
    { ngx_string("off"), NGX_SMTP_SUBMIT_SENDER_OFF },
    { ngx_string("listed"), NGX_SMTP_SUBMIT_SENDER_LISTED },
    { ngx_string("on"), NGX_SMTP_SUBMIT_SENDER_ON },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_mail_smtp_ext_submit_from_checks[] = {
    { ngx_string("off"), NGX_SMTP_SUBMIT_FROM_OFF },
    { ngx_string("sender"), NGX_SMTP_SUBMIT_FROM_SENDER },
    { ngx_string("reject"), NGX_SMTP_SUBMIT_FROM_REJECT },
    { ngx_null_string, 0 }
};


static ngx_conf_bitmask_t  ngx_mail_smtp_ext_submit_repairs[] = {
    { ngx_string("off"), NGX_SMTP_SUBMIT_REPAIR_OFF },
    { ngx_string("date"), NGX_SMTP_SUBMIT_REPAIR_DATE },
    { ngx_string("message_id"), NGX_SMTP_SUBMIT_REPAIR_ID },
    { ngx_string("from"), NGX_SMTP_SUBMIT_REPAIR_FROM },
    { ngx_string("bcc"), NGX_SMTP_SUBMIT_REPAIR_BCC },
    { ngx_string("return_path"), NGX_SMTP_SUBMIT_REPAIR_PATH },
    { ngx_null_string, 0 }
};


static ngx_conf_post_t  ngx_mail_smtp_ext_submit_domain_post = {
    ngx_mail_smtp_ext_submit_check_domain
};

static ngx_conf_post_t  ngx_mail_smtp_ext_submit_delimiter_post = {
    ngx_mail_smtp_ext_submit_check_delimiter
};


static ngx_command_t  ngx_mail_smtp_ext_submit_commands[] = {

    { ngx_string("smtp_sender_check"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_smtp_conf_set_enum_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_submit_conf_t, sender_check),
      &ngx_mail_smtp_ext_submit_sender_checks },

    { ngx_string("smtp_sender_domain"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_submit_conf_t, sender_domain),
      &ngx_mail_smtp_ext_submit_domain_post },

    { ngx_string("smtp_sender_delimiter"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_submit_conf_t, sender_delimiter),
      &ngx_mail_smtp_ext_submit_delimiter_post },

    { ngx_string("smtp_qualified_domains"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_submit_conf_t, qualified),
      NULL },

    { ngx_string("smtp_from_check"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_smtp_conf_set_enum_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_submit_conf_t, from_check),
      &ngx_mail_smtp_ext_submit_from_checks },

    { ngx_string("smtp_header_check"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_submit_conf_t, header_check),
      NULL },

    { ngx_string("smtp_header_repair"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_1MORE,
      ngx_smtp_conf_set_bitmask_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_submit_conf_t, header_repair),
      &ngx_mail_smtp_ext_submit_repairs },

    { ngx_string("smtp_header_fold"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_submit_conf_t, header_fold),
      NULL },

      ngx_null_command
};


static ngx_mail_module_t  ngx_mail_smtp_ext_submit_module_ctx = {
    NULL,                                  /* protocol */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_mail_smtp_ext_submit_create_conf,  /* create server configuration */
    ngx_mail_smtp_ext_submit_merge_conf    /* merge server configuration */
};


ngx_module_t  ngx_mail_smtp_ext_submit_module = {
    NGX_MODULE_V1,
    &ngx_mail_smtp_ext_submit_module_ctx,  /* module context */
    ngx_mail_smtp_ext_submit_commands,     /* module directives */
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
ngx_mail_smtp_ext_submit_create_conf(ngx_conf_t *cf)
{
    ngx_smtp_submit_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_submit_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->sender_check = NGX_CONF_UNSET_UINT;
    conf->qualified = NGX_CONF_UNSET;
    conf->from_check = NGX_CONF_UNSET_UINT;
    conf->header_check = NGX_CONF_UNSET;
    conf->header_fold = NGX_CONF_UNSET;

    /*
     * set by ngx_pcalloc():
     *
     *     conf->header_repair = 0;
     */

    return conf;
}


static char *
ngx_mail_smtp_ext_submit_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_smtp_submit_conf_t *prev = parent;
    ngx_smtp_submit_conf_t *conf = child;

    ngx_smtp_service_t        *service;
    ngx_mail_core_srv_conf_t  *cscf;

    /* merged already: its module is the first in the list */

    service = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_smtp_ext_module);

    ngx_conf_merge_uint_value(conf->sender_check, prev->sender_check,
                              service->submission
                              ? NGX_SMTP_SUBMIT_SENDER_ON
                              : NGX_SMTP_SUBMIT_SENDER_LISTED);
    ngx_conf_merge_str_value(conf->sender_domain, prev->sender_domain,
                             "none");
    ngx_conf_merge_str_value(conf->sender_delimiter, prev->sender_delimiter,
                             "+");
    ngx_conf_merge_value(conf->qualified, prev->qualified,
                         service->submission);
    ngx_conf_merge_uint_value(conf->from_check, prev->from_check,
                              service->submission
                              ? NGX_SMTP_SUBMIT_FROM_SENDER
                              : NGX_SMTP_SUBMIT_FROM_OFF);
    ngx_conf_merge_value(conf->header_check, prev->header_check,
                         service->submission);
    ngx_conf_merge_bitmask_value(conf->header_repair, prev->header_repair,
                                 service->submission
                                 ? NGX_SMTP_SUBMIT_REPAIR_ALL
                                 : NGX_SMTP_SUBMIT_REPAIR_OFF);
    ngx_conf_merge_value(conf->header_fold, prev->header_fold,
                         service->submission);

    if ((conf->header_repair & NGX_SMTP_SUBMIT_REPAIR_OFF)
        && (conf->header_repair & NGX_SMTP_SUBMIT_REPAIR_ALL))
    {
        cscf = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_core_module);

        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"smtp_header_repair\" has \"off\" and others "
                      "in server in %s:%ui", cscf->file_name, cscf->line);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* a domain has to be a whole one: a sender that it is part of is to pass */

static char *
ngx_mail_smtp_ext_submit_check_domain(ngx_conf_t *cf, void *post, void *data)
{
    ngx_str_t  *value = data;

    u_char  *last;

    if (ngx_strcmp(value->data, "any") == 0
        || ngx_strcmp(value->data, "none") == 0)
    {
        return NGX_CONF_OK;
    }

    last = value->data + value->len;

    if (ngx_smtp_domain_utf8_parse(value->data, last) != last
        || memchr(value->data, '.', value->len) == NULL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"any\", \"none\" or a fully qualified domain is "
                           "expected, not \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_mail_smtp_ext_submit_check_delimiter(ngx_conf_t *cf, void *post,
    void *data)
{
    ngx_str_t  *value = data;

    if (ngx_strcmp(value->data, "off") == 0) {
        return NGX_CONF_OK;
    }

    /* what an atom can have, and no letter: RFC 5321, 4.1.2 */

    if (value->len != 1
        || ngx_smtp_is_alnum(value->data[0])
        || ngx_smtp_dot_string_parse(value->data, value->data + 1) == NULL)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"off\" or a character of an address that is "
                           "neither letter nor digit is expected, not \"%V\"",
                           value);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_mail.h>
#include <ngx_smtp_conf.h>
#include <ngx_smtp_hook.h>


/*
 * Directives of hooks, docs/reference/hook.md.
 */


/* an answer to anything but a message is short */
#define NGX_SMTP_HOOK_ANSWER_SIZE  65536

/* contents that are told; JSON makes them longer */
#define NGX_SMTP_HOOK_BODY_SIZE    1048576

/* of one client; each needs a connection to the service */
#define NGX_SMTP_HOOK_CONCURRENCY  8

/* an answer that is kept; who is new is known soon enough */
#define NGX_SMTP_HOOK_CACHE_VALID  60000


static void *ngx_mail_smtp_ext_hook_create_conf(ngx_conf_t *cf);
static char *ngx_mail_smtp_ext_hook_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_mail_smtp_ext_hook(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* not the zones of others */
static u_char  ngx_mail_smtp_ext_hook_zone_tag;


static ngx_conf_enum_t  ngx_mail_smtp_ext_hook_on_error[] = {
    { ngx_string("tempfail"), NGX_SMTP_HOOK_ERROR_TEMPFAIL },
    { ngx_string("accept"), NGX_SMTP_HOOK_ERROR_ACCEPT },
    { ngx_string("reject"), NGX_SMTP_HOOK_ERROR_REJECT },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_mail_smtp_ext_hook_bys[] = {
    { ngx_string("client"), NGX_SMTP_HOOK_BY_CLIENT },
    { ngx_string("login"), NGX_SMTP_HOOK_BY_LOGIN },
    { ngx_string("sender"), NGX_SMTP_HOOK_BY_SENDER },
    { ngx_string("recipient"), NGX_SMTP_HOOK_BY_RECIPIENT },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_mail_smtp_ext_hook_body[] = {
    { ngx_string("none"), NGX_SMTP_HOOK_BODY_NONE },
    { ngx_string("headers"), NGX_SMTP_HOOK_BODY_HEADERS },
    { ngx_string("full"), NGX_SMTP_HOOK_BODY_FULL },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_mail_smtp_ext_hook_oversize[] = {
    { ngx_string("omit"), NGX_SMTP_HOOK_OVERSIZE_OMIT },
    { ngx_string("reject"), NGX_SMTP_HOOK_OVERSIZE_REJECT },
    { ngx_null_string, 0 }
};


static const ngx_smtp_conf_param_t  ngx_mail_smtp_ext_hook_params[] = {

    { ngx_string("stages="), ngx_smtp_conf_param_bits,
      offsetof(ngx_smtp_hook_t, stages), ngx_smtp_hook_stages },

    { ngx_string("on_error="), ngx_smtp_conf_param_enum,
      offsetof(ngx_smtp_hook_t, on_error), ngx_mail_smtp_ext_hook_on_error },

    { ngx_string("timeout="), ngx_smtp_conf_param_time,
      offsetof(ngx_smtp_hook_t, timeout), &ngx_smtp_conf_some },

    { ngx_string("max_answer="), ngx_smtp_conf_param_size,
      offsetof(ngx_smtp_hook_t, max_answer), NULL },

    { ngx_string("body="), ngx_smtp_conf_param_enum,
      offsetof(ngx_smtp_hook_t, body), ngx_mail_smtp_ext_hook_body },

    { ngx_string("max_body="), ngx_smtp_conf_param_offset,
      offsetof(ngx_smtp_hook_t, max_body), NULL },

    { ngx_string("oversize="), ngx_smtp_conf_param_enum,
      offsetof(ngx_smtp_hook_t, oversize), ngx_mail_smtp_ext_hook_oversize },

    { ngx_string("cache="), ngx_smtp_zone_param,
      offsetof(ngx_smtp_hook_t, cache), &ngx_mail_smtp_ext_hook_zone_tag },

    { ngx_string("cache_valid="), ngx_smtp_conf_param_time,
      offsetof(ngx_smtp_hook_t, cache_valid), &ngx_smtp_conf_some },

    { ngx_string("cache_by="), ngx_smtp_conf_param_bits,
      offsetof(ngx_smtp_hook_t, cache_by), ngx_mail_smtp_ext_hook_bys },

    { ngx_null_string, NULL, 0, NULL }
};


static ngx_conf_num_bounds_t  ngx_mail_smtp_ext_hook_concurrency = {
    ngx_conf_check_num_bounds, 1, 100
};


static ngx_command_t  ngx_mail_smtp_ext_hook_commands[] = {

    { ngx_string("smtp_hook"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_2MORE,
      ngx_mail_smtp_ext_hook,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("smtp_hook_header"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE2,
      ngx_smtp_http_fields_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_hook_conf_t, fields),
      NULL },

    { ngx_string("smtp_hook_concurrency"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_hook_conf_t, concurrency),
      &ngx_mail_smtp_ext_hook_concurrency },

      ngx_null_command
};


static ngx_mail_module_t  ngx_mail_smtp_ext_hook_module_ctx = {
    NULL,                                  /* protocol */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_mail_smtp_ext_hook_create_conf,    /* create server configuration */
    ngx_mail_smtp_ext_hook_merge_conf      /* merge server configuration */
};


ngx_module_t  ngx_mail_smtp_ext_hook_module = {
    NGX_MODULE_V1,
    &ngx_mail_smtp_ext_hook_module_ctx,    /* module context */
    ngx_mail_smtp_ext_hook_commands,       /* module directives */
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
ngx_mail_smtp_ext_hook_create_conf(ngx_conf_t *cf)
{
    ngx_smtp_hook_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_hook_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->hooks = NULL;
     *     conf->stages = 0;
     *     conf->fields = { NULL, { 0, NULL } };
     */

    conf->concurrency = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_mail_smtp_ext_hook_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_smtp_hook_conf_t *prev = parent;
    ngx_smtp_hook_conf_t *conf = child;

    ngx_mail_core_srv_conf_t  *cscf;

    if (conf->hooks == NULL) {
        conf->hooks = prev->hooks;
        conf->stages = prev->stages;
    }

    if (conf->hooks == NULL && conf->fields.list) {
        cscf = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_core_module);

        ngx_smtp_conf_in_vain(cf, "smtp_hook_header", "smtp_hook",
                              cscf->file_name, cscf->line);
    }

    ngx_conf_merge_uint_value(conf->concurrency, prev->concurrency,
                              NGX_SMTP_HOOK_CONCURRENCY);

    if (ngx_smtp_http_fields_merge(cf, &conf->fields, &prev->fields)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_mail_smtp_ext_hook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_smtp_hook_conf_t *hcf = conf;

    ngx_str_t        *value;
    ngx_smtp_hook_t  *hook;

    if (hcf->hooks == NULL) {
        hcf->hooks = ngx_array_create(cf->pool, 2, sizeof(ngx_smtp_hook_t));
        if (hcf->hooks == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    hook = ngx_array_push(hcf->hooks);
    if (hook == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(hook, sizeof(ngx_smtp_hook_t));

    hook->on_error = NGX_SMTP_HOOK_ERROR_TEMPFAIL;
    hook->timeout = NGX_CONF_UNSET_MSEC;
    hook->max_answer = NGX_SMTP_HOOK_ANSWER_SIZE;
    hook->max_body = NGX_SMTP_HOOK_BODY_SIZE;
    hook->cache_valid = NGX_SMTP_HOOK_CACHE_VALID;
    hook->cache_by = NGX_SMTP_HOOK_BY_CLIENT|NGX_SMTP_HOOK_BY_LOGIN
                     |NGX_SMTP_HOOK_BY_SENDER|NGX_SMTP_HOOK_BY_RECIPIENT;

    value = cf->args->elts;

    if (ngx_smtp_http_url_parse(cf, &value[1], &hook->url) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_smtp_conf_params(cf, 2, hook, ngx_mail_smtp_ext_hook_params)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (hook->stages == 0) {
        return "has no \"stages\" parameter";
    }

    if (hook->cache && !(hook->stages & NGX_SMTP_HOOK_RCPT)) {
        return "has a cache, but is not asked at \"rcpt\"";
    }

    if (hook->body && !(hook->stages & NGX_SMTP_HOOK_DATA)) {
        return "has a body, but is not asked at \"data\"";
    }

    hcf->stages |= hook->stages;

    return NGX_CONF_OK;
}

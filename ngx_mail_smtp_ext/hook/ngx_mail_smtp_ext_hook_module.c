
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
static ngx_int_t ngx_mail_smtp_ext_hook_param(ngx_smtp_hook_t *hook,
    ngx_str_t *param);
static ngx_int_t ngx_mail_smtp_ext_hook_stages(ngx_smtp_hook_t *hook,
    ngx_str_t *list);
static ngx_int_t ngx_mail_smtp_ext_hook_by(ngx_smtp_hook_t *hook,
    ngx_str_t *list);
static ngx_int_t ngx_mail_smtp_ext_hook_word(ngx_uint_t *field,
    ngx_str_t *value, ngx_conf_enum_t *e);


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

    ngx_str_t        *value, zone;
    ngx_uint_t        i;
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

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_strncmp(value[i].data, "cache=", 6) == 0) {
            zone.data = value[i].data + 6;
            zone.len = value[i].len - 6;

            hook->cache = ngx_smtp_zone_add(cf, &zone,
                                            &ngx_mail_smtp_ext_hook_zone_tag);

            if (hook->cache == NULL) {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_mail_smtp_ext_hook_param(hook, &value[i]) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
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


static ngx_int_t
ngx_mail_smtp_ext_hook_param(ngx_smtp_hook_t *hook, ngx_str_t *param)
{
    ngx_str_t  value;

    value.data = (u_char *) ngx_strchr(param->data, '=');

    if (value.data == NULL) {
        return NGX_ERROR;
    }

    value.data++;
    value.len = param->data + param->len - value.data;

    if (ngx_strncmp(param->data, "stages=", 7) == 0) {
        return ngx_mail_smtp_ext_hook_stages(hook, &value);
    }

    if (ngx_strncmp(param->data, "on_error=", 9) == 0) {
        return ngx_mail_smtp_ext_hook_word(&hook->on_error, &value,
                                           ngx_mail_smtp_ext_hook_on_error);
    }

    if (ngx_strncmp(param->data, "timeout=", 8) == 0) {
        hook->timeout = ngx_parse_time(&value, 0);

        return (hook->timeout == (ngx_msec_t) NGX_ERROR || hook->timeout == 0)
               ? NGX_ERROR : NGX_OK;
    }

    if (ngx_strncmp(param->data, "max_answer=", 11) == 0) {
        hook->max_answer = ngx_parse_size(&value);

        return (hook->max_answer == (size_t) NGX_ERROR
                || hook->max_answer == 0)
               ? NGX_ERROR : NGX_OK;
    }

    if (ngx_strncmp(param->data, "max_body=", 9) == 0) {
        hook->max_body = ngx_parse_offset(&value);

        return (hook->max_body <= 0) ? NGX_ERROR : NGX_OK;
    }

    if (ngx_strncmp(param->data, "cache_valid=", 12) == 0) {
        hook->cache_valid = ngx_parse_time(&value, 0);

        return (hook->cache_valid == (ngx_msec_t) NGX_ERROR
                || hook->cache_valid == 0)
               ? NGX_ERROR : NGX_OK;
    }

    if (ngx_strncmp(param->data, "cache_by=", 9) == 0) {
        return ngx_mail_smtp_ext_hook_by(hook, &value);
    }

    if (ngx_strncmp(param->data, "body=", 5) == 0) {
        return ngx_mail_smtp_ext_hook_word(&hook->body, &value,
                                           ngx_mail_smtp_ext_hook_body);
    }

    if (ngx_strncmp(param->data, "oversize=", 9) == 0) {
        return ngx_mail_smtp_ext_hook_word(&hook->oversize, &value,
                                           ngx_mail_smtp_ext_hook_oversize);
    }

    return NGX_ERROR;
}


/* "rcpt,data" */

static ngx_int_t
ngx_mail_smtp_ext_hook_stages(ngx_smtp_hook_t *hook, ngx_str_t *list)
{
    u_char      *p, *last, *end;
    ngx_str_t    name;
    ngx_uint_t   stage;

    p = list->data;
    end = p + list->len;

    for ( ;; ) {
        last = ngx_strlchr(p, end, ',');

        name.data = p;
        name.len = (last ? last : end) - p;

        stage = ngx_smtp_hook_stage(&name);

        if (stage == 0 || (hook->stages & stage)) {
            return NGX_ERROR;
        }

        hook->stages |= stage;

        if (last == NULL) {
            return NGX_OK;
        }

        p = last + 1;
    }
}


/* "sender,recipient" */

static ngx_int_t
ngx_mail_smtp_ext_hook_by(ngx_smtp_hook_t *hook, ngx_str_t *list)
{
    u_char      *p, *last, *end;
    ngx_str_t    name;
    ngx_uint_t   by;

    hook->cache_by = 0;

    p = list->data;
    end = p + list->len;

    for ( ;; ) {
        last = ngx_strlchr(p, end, ',');

        name.data = p;
        name.len = (last ? last : end) - p;

        if (ngx_mail_smtp_ext_hook_word(&by, &name,
                                        ngx_mail_smtp_ext_hook_bys)
            != NGX_OK
            || (hook->cache_by & by))
        {
            return NGX_ERROR;
        }

        hook->cache_by |= by;

        if (last == NULL) {
            return NGX_OK;
        }

        p = last + 1;
    }
}


static ngx_int_t
ngx_mail_smtp_ext_hook_word(ngx_uint_t *field, ngx_str_t *value,
    ngx_conf_enum_t *e)
{
    ngx_uint_t  i;

    for (i = 0; e[i].name.len; i++) {
        if (e[i].name.len == value->len
            && ngx_strncmp(e[i].name.data, value->data, value->len) == 0)
        {
            *field = e[i].value;
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}

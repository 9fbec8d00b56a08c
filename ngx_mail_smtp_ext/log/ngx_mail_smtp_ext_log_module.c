
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_mail.h>
#include <ngx_smtp_log.h>


/*
 * The directives of log/: smtp_log_format and smtp_access_log.  A format may
 * be named before it is defined; what no definition was found for in all of
 * mail{} is one of the predefined ones, or an error.
 */


typedef struct {
    ngx_array_t    formats;      /* of ngx_smtp_log_format_t * */
} ngx_mail_smtp_ext_log_main_conf_t;


static void *ngx_mail_smtp_ext_log_create_main_conf(ngx_conf_t *cf);
static char *ngx_mail_smtp_ext_log_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_mail_smtp_ext_log_create_srv_conf(ngx_conf_t *cf);
static char *ngx_mail_smtp_ext_log_merge_srv_conf(ngx_conf_t *cf,
    void *parent, void *child);
static char *ngx_mail_smtp_ext_log_format(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_mail_smtp_ext_log_access(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_mail_smtp_ext_log_params(ngx_conf_t *cf,
    ngx_str_t *name, size_t *size, ngx_msec_t *flush);
static ngx_smtp_log_format_t *ngx_mail_smtp_ext_log_find_format(
    ngx_conf_t *cf, ngx_mail_smtp_ext_log_main_conf_t *lmcf, ngx_str_t *name);
static ngx_int_t ngx_mail_smtp_ext_log_open(ngx_conf_t *cf,
    ngx_smtp_log_t *log);
static char *ngx_mail_smtp_ext_log_buffer(ngx_conf_t *cf, ngx_smtp_log_t *log,
    size_t size, ngx_msec_t flush);


static ngx_command_t  ngx_mail_smtp_ext_log_commands[] = {

    { ngx_string("smtp_log_format"),
      NGX_MAIL_MAIN_CONF|NGX_CONF_2MORE,
      ngx_mail_smtp_ext_log_format,
      NGX_MAIL_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("smtp_access_log"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1234,
      ngx_mail_smtp_ext_log_access,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_mail_module_t  ngx_mail_smtp_ext_log_module_ctx = {
    NULL,                                  /* protocol */

    ngx_mail_smtp_ext_log_create_main_conf, /* create main configuration */
    ngx_mail_smtp_ext_log_init_main_conf,  /* init main configuration */

    ngx_mail_smtp_ext_log_create_srv_conf, /* create server configuration */
    ngx_mail_smtp_ext_log_merge_srv_conf   /* merge server configuration */
};


ngx_module_t  ngx_mail_smtp_ext_log_module = {
    NGX_MODULE_V1,
    &ngx_mail_smtp_ext_log_module_ctx,     /* module context */
    ngx_mail_smtp_ext_log_commands,        /* module directives */
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
ngx_mail_smtp_ext_log_create_main_conf(ngx_conf_t *cf)
{
    ngx_mail_smtp_ext_log_main_conf_t  *lmcf;

    lmcf = ngx_pcalloc(cf->pool, sizeof(ngx_mail_smtp_ext_log_main_conf_t));
    if (lmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&lmcf->formats, cf->pool, 4,
                       sizeof(ngx_smtp_log_format_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return lmcf;
}


static char *
ngx_mail_smtp_ext_log_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_mail_smtp_ext_log_main_conf_t  *lmcf = conf;

    ngx_int_t                rc;
    ngx_uint_t               i;
    ngx_smtp_log_format_t  **formats;

    formats = lmcf->formats.elts;

    for (i = 0; i < lmcf->formats.nelts; i++) {

        if (formats[i]->defined) {
            continue;
        }

        rc = ngx_smtp_log_format_predefine(cf, formats[i]);

        if (rc == NGX_DECLINED) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown log format \"%V\" in %s:%ui",
                          &formats[i]->name, formats[i]->file_name,
                          formats[i]->line);
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        formats[i]->defined = 1;
    }

    return NGX_CONF_OK;
}


static void *
ngx_mail_smtp_ext_log_create_srv_conf(ngx_conf_t *cf)
{
    /*
     * set by ngx_pcalloc():
     *
     *     lscf->logs = NULL;
     *     lscf->off = 0;
     */

    return ngx_pcalloc(cf->pool, sizeof(ngx_mail_smtp_ext_log_srv_conf_t));
}


static char *
ngx_mail_smtp_ext_log_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_mail_smtp_ext_log_srv_conf_t *prev = parent;
    ngx_mail_smtp_ext_log_srv_conf_t *conf = child;

    if (conf->logs || conf->off) {
        return NGX_CONF_OK;
    }

    conf->logs = prev->logs;
    conf->off = prev->off;

    return NGX_CONF_OK;
}


static char *
ngx_mail_smtp_ext_log_format(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mail_smtp_ext_log_main_conf_t  *lmcf = conf;

    ngx_str_t              *value, escape;
    ngx_uint_t              i;
    ngx_smtp_log_format_t  *format;

    value = cf->args->elts;

    format = ngx_mail_smtp_ext_log_find_format(cf, lmcf, &value[1]);
    if (format == NULL) {
        return NGX_CONF_ERROR;
    }

    if (format->defined) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate \"smtp_log_format\" name \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    format->defined = 1;

    i = 2;

    if (ngx_strncmp(value[2].data, "escape=", 7) == 0) {

        escape.data = value[2].data + 7;
        escape.len = value[2].len - 7;

        if (ngx_smtp_log_escape_parse(format, &escape) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "unknown log format escaping \"%V\"", &escape);
            return NGX_CONF_ERROR;
        }

        if (cf->args->nelts == 3) {
            return "has no text";
        }

        i = 3;
    }

    for ( /* void */ ; i < cf->args->nelts; i++) {
        if (ngx_smtp_log_format_compile(cf, format, &value[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_smtp_log_format_t *
ngx_mail_smtp_ext_log_find_format(ngx_conf_t *cf,
    ngx_mail_smtp_ext_log_main_conf_t *lmcf, ngx_str_t *name)
{
    ngx_uint_t               i;
    ngx_smtp_log_format_t   *format, **formats;

    formats = lmcf->formats.elts;

    for (i = 0; i < lmcf->formats.nelts; i++) {

        if (formats[i]->name.len == name->len
            && ngx_strncmp(formats[i]->name.data, name->data, name->len) == 0)
        {
            return formats[i];
        }
    }

    format = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_log_format_t));
    if (format == NULL) {
        return NULL;
    }

    if (ngx_array_init(&format->ops, cf->pool, 32, sizeof(ngx_smtp_log_op_t))
        != NGX_OK)
    {
        return NULL;
    }

    formats = ngx_array_push(&lmcf->formats);
    if (formats == NULL) {
        return NULL;
    }

    *formats = format;

    format->name = *name;
    format->line = cf->conf_file->line;
    format->file_name = cf->conf_file->file.name.data;

    return format;
}


static char *
ngx_mail_smtp_ext_log_access(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mail_smtp_ext_log_srv_conf_t  *lscf = conf;

    size_t                              size;
    ngx_str_t                          *value, name;
    ngx_msec_t                          flush;
    ngx_smtp_log_t                     *log;
    ngx_mail_smtp_ext_log_main_conf_t  *lmcf;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {

        if (cf->args->nelts > 2) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        lscf->off = 1;

        return NGX_CONF_OK;
    }

    if (lscf->logs == NULL) {
        lscf->logs = ngx_array_create(cf->pool, 2, sizeof(ngx_smtp_log_t));
        if (lscf->logs == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    log = ngx_array_push(lscf->logs);
    if (log == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(log, sizeof(ngx_smtp_log_t));

    if (ngx_mail_smtp_ext_log_open(cf, log) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_mail_smtp_ext_log_params(cf, &name, &size, &flush) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    lmcf = ngx_mail_conf_get_module_main_conf(cf,
                                              ngx_mail_smtp_ext_log_module);

    log->format = ngx_mail_smtp_ext_log_find_format(cf, lmcf, &name);
    if (log->format == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_mail_smtp_ext_log_buffer(cf, log, size, flush);
}


static ngx_int_t
ngx_mail_smtp_ext_log_params(ngx_conf_t *cf, ngx_str_t *name, size_t *size,
    ngx_msec_t *flush)
{
    ssize_t      n;
    ngx_str_t   *value, s;
    ngx_uint_t   i;

    ngx_str_set(name, "main");

    *size = 0;
    *flush = 0;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "buffer=", 7) == 0) {
            s.len = value[i].len - 7;
            s.data = value[i].data + 7;

            n = ngx_parse_size(&s);

            if (n == NGX_ERROR || n == 0) {
                goto invalid;
            }

            *size = n;

            continue;
        }

        if (ngx_strncmp(value[i].data, "flush=", 6) == 0) {
            s.len = value[i].len - 6;
            s.data = value[i].data + 6;

            n = ngx_parse_time(&s, 0);

            if (n == NGX_ERROR || n == 0) {
                goto invalid;
            }

            *flush = n;

            continue;
        }

        if (i > 2) {
            goto invalid;
        }

        *name = value[2];
    }

    return NGX_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       &value[i]);

    return NGX_ERROR;
}


static ngx_int_t
ngx_mail_smtp_ext_log_open(ngx_conf_t *cf, ngx_smtp_log_t *log)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strncmp(value[1].data, "syslog:", 7) == 0) {

        log->syslog_peer = ngx_pcalloc(cf->pool, sizeof(ngx_syslog_peer_t));
        if (log->syslog_peer == NULL) {
            return NGX_ERROR;
        }

        if (ngx_syslog_process_conf(cf, log->syslog_peer) != NGX_CONF_OK) {
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (value[1].len == 0
        || ngx_strlchr(value[1].data, value[1].data + value[1].len, '$'))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid log file name \"%V\"", &value[1]);
        return NGX_ERROR;
    }

    log->file = ngx_conf_open_file(cf->cycle, &value[1]);
    if (log->file == NULL) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static char *
ngx_mail_smtp_ext_log_buffer(ngx_conf_t *cf, ngx_smtp_log_t *log, size_t size,
    ngx_msec_t flush)
{
    ngx_event_t         *event;
    ngx_smtp_log_buf_t  *b;

    if (size == 0) {
        return flush ? "has \"flush\" without \"buffer\"" : NGX_CONF_OK;
    }

    if (log->syslog_peer) {
        return "to syslog can't be buffered";
    }

    if (log->file->flush && log->file->flush != ngx_smtp_log_flush) {
        return "names a file that another log has a buffer for";
    }

    b = log->file->data;

    if (b) {
        if ((size_t) (b->last - b->start) != size || b->flush != flush) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "smtp_access_log \"%V\" already defined with "
                               "conflicting parameters", &log->file->name);
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    b = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_log_buf_t));
    if (b == NULL) {
        return NGX_CONF_ERROR;
    }

    b->start = ngx_pnalloc(cf->pool, size);
    if (b->start == NULL) {
        return NGX_CONF_ERROR;
    }

    b->pos = b->start;
    b->last = b->start + size;

    if (flush) {
        event = ngx_pcalloc(cf->pool, sizeof(ngx_event_t));
        if (event == NULL) {
            return NGX_CONF_ERROR;
        }

        event->data = log->file;
        event->handler = ngx_smtp_log_flush_handler;
        event->log = &cf->cycle->new_log;
        event->cancelable = 1;

        b->event = event;
        b->flush = flush;
    }

    log->file->flush = ngx_smtp_log_flush;
    log->file->data = b;

    return NGX_CONF_OK;
}

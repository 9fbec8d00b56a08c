
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_mail.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_accept.h>


/*
 * The protocol "smtp_ext" and what a server{} of it offers: sizes, counts and
 * times.  First in the list of modules, and placed before auth_http, which
 * would ask for a directive that such a server does not need.
 */


/*
 * The buffer takes the longest line, a response of AUTH (RFC 4954, 4.5.3),
 * with something behind it.
 */
#define NGX_MAIL_SMTP_EXT_BUFFER_MIN  16384

/* RFC 5321, 4.5.3.1.4 */
#define NGX_MAIL_SMTP_EXT_LINE_MIN    512

/* RFC 5321, 4.5.3.1.8 */
#define NGX_MAIL_SMTP_EXT_RCPT_MIN    100

/* core's default of "timeout": nobody has set it */
#define NGX_MAIL_SMTP_EXT_TIMEOUT     60000


static void *ngx_mail_smtp_ext_create_conf(ngx_conf_t *cf);
static char *ngx_mail_smtp_ext_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_mail_smtp_ext_merge_server(ngx_conf_t *cf,
    ngx_smtp_service_t *prev, ngx_smtp_service_t *conf,
    ngx_mail_core_srv_conf_t *cscf);
static char *ngx_mail_smtp_ext_merge_path(ngx_conf_t *cf,
    ngx_smtp_service_t *prev, ngx_smtp_service_t *conf);
static char *ngx_mail_smtp_ext_no_auth_http(ngx_conf_t *cf);
static char *ngx_mail_smtp_ext_check(ngx_conf_t *cf, void *post, void *data);


extern ngx_module_t  ngx_mail_auth_http_module;


static ngx_conf_enum_t  ngx_mail_smtp_ext_bare_newlines[] = {
    { ngx_string("reject"), NGX_SMTP_BARE_REJECT },
    { ngx_string("normalise"), NGX_SMTP_BARE_NORMALISE },
    { ngx_null_string, 0 }
};


static ngx_conf_num_bounds_t  ngx_mail_smtp_ext_recipients_bounds = {
    ngx_conf_check_num_bounds, NGX_MAIL_SMTP_EXT_RCPT_MIN, -1
};

static ngx_conf_num_bounds_t  ngx_mail_smtp_ext_positive_bounds = {
    ngx_conf_check_num_bounds, 1, -1
};


typedef struct {
    ngx_conf_post_handler_pt   post_handler;
    size_t                     low;
    size_t                     high;
} ngx_mail_smtp_ext_bounds_t;

static ngx_mail_smtp_ext_bounds_t  ngx_mail_smtp_ext_buffer_bounds = {
    ngx_mail_smtp_ext_check, NGX_MAIL_SMTP_EXT_BUFFER_MIN, 1024 * 1024
};

static ngx_mail_smtp_ext_bounds_t  ngx_mail_smtp_ext_line_bounds = {
    ngx_mail_smtp_ext_check, NGX_MAIL_SMTP_EXT_LINE_MIN,
    NGX_MAIL_SMTP_EXT_BUFFER_MIN / 2
};

static ngx_mail_smtp_ext_bounds_t  ngx_mail_smtp_ext_body_bounds = {
    ngx_mail_smtp_ext_check, 4096, 1024 * 1024 * 1024
};


static ngx_command_t  ngx_mail_smtp_ext_commands[] = {

    { ngx_string("smtp_buffer_size"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, buffer_size),
      &ngx_mail_smtp_ext_buffer_bounds },

    { ngx_string("smtp_max_line_size"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, line_size),
      &ngx_mail_smtp_ext_line_bounds },

    { ngx_string("smtp_body_buffer_size"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, body_buffer_size),
      &ngx_mail_smtp_ext_body_bounds },

    { ngx_string("smtp_max_message_size"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_off_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, max_message_size),
      NULL },

    { ngx_string("smtp_max_recipients"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, max_recipients),
      &ngx_mail_smtp_ext_recipients_bounds },

    { ngx_string("smtp_max_received"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, max_received),
      &ngx_mail_smtp_ext_positive_bounds },

    { ngx_string("smtp_max_errors"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, max_errors),
      &ngx_mail_smtp_ext_positive_bounds },

    { ngx_string("smtp_command_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, command_timeout),
      NULL },

    { ngx_string("smtp_data_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, data_timeout),
      NULL },

    { ngx_string("smtp_send_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, send_timeout),
      NULL },

    { ngx_string("smtp_transaction_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, transaction_timeout),
      NULL },

    { ngx_string("smtp_bare_newline"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, bare_newline),
      &ngx_mail_smtp_ext_bare_newlines },

    { ngx_string("smtp_temp_path"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_path_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, temp_path),
      NULL },

    { ngx_string("smtp_thread_pool"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, thread_pool_name),
      NULL },

      ngx_null_command
};


static ngx_mail_protocol_t  ngx_mail_smtp_ext_protocol = {
    ngx_string("smtp_ext"),
    ngx_string("\x04smtp"),
    { 0, 0, 0, 0 },              /* no port is taken from another protocol */
    NGX_MAIL_SMTP_PROTOCOL,

    ngx_smtp_accept_init_session,
    ngx_smtp_accept_init_protocol,
    NULL,                        /* parse_command: we read for ourselves */
    NULL,                        /* auth_state */

    ngx_string("451 4.3.0 Internal server error" CRLF),
    ngx_string("421 4.7.1 SSL certificate error" CRLF),
    ngx_string("421 4.7.1 No required SSL certificate" CRLF)
};


static ngx_mail_module_t  ngx_mail_smtp_ext_module_ctx = {
    &ngx_mail_smtp_ext_protocol,           /* protocol */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_mail_smtp_ext_create_conf,         /* create server configuration */
    ngx_mail_smtp_ext_merge_conf           /* merge server configuration */
};


ngx_module_t  ngx_mail_smtp_ext_module = {
    NGX_MODULE_V1,
    &ngx_mail_smtp_ext_module_ctx,         /* module context */
    ngx_mail_smtp_ext_commands,            /* module directives */
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
ngx_mail_smtp_ext_create_conf(ngx_conf_t *cf)
{
    ngx_smtp_service_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_service_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->buffer_size = NGX_CONF_UNSET_SIZE;
    conf->line_size = NGX_CONF_UNSET_SIZE;
    conf->body_buffer_size = NGX_CONF_UNSET_SIZE;
    conf->max_message_size = NGX_CONF_UNSET;
    conf->max_recipients = NGX_CONF_UNSET_UINT;
    conf->max_received = NGX_CONF_UNSET_UINT;
    conf->max_errors = NGX_CONF_UNSET_UINT;
    conf->command_timeout = NGX_CONF_UNSET_MSEC;
    conf->data_timeout = NGX_CONF_UNSET_MSEC;
    conf->send_timeout = NGX_CONF_UNSET_MSEC;
    conf->transaction_timeout = NGX_CONF_UNSET_MSEC;
    conf->bare_newline = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_mail_smtp_ext_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_smtp_service_t *prev = parent;
    ngx_smtp_service_t *conf = child;

    ngx_msec_t                 timeout;
    ngx_mail_core_srv_conf_t  *cscf;

    cscf = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_core_module);

    /* "timeout", where it was set; our default is RFC 5321's, 4.5.3.2.7 */

    timeout = (cscf->timeout == NGX_MAIL_SMTP_EXT_TIMEOUT) ? 300000
                                                           : cscf->timeout;

    ngx_conf_merge_size_value(conf->buffer_size, prev->buffer_size,
                              NGX_MAIL_SMTP_EXT_BUFFER_MIN);
    ngx_conf_merge_size_value(conf->line_size, prev->line_size, 2048);
    ngx_conf_merge_size_value(conf->body_buffer_size, prev->body_buffer_size,
                              262144);
    ngx_conf_merge_off_value(conf->max_message_size, prev->max_message_size,
                             32 * 1024 * 1024);
    ngx_conf_merge_uint_value(conf->max_recipients, prev->max_recipients,
                              1000);
    ngx_conf_merge_uint_value(conf->max_received, prev->max_received, 100);
    ngx_conf_merge_uint_value(conf->max_errors, prev->max_errors, 20);
    ngx_conf_merge_msec_value(conf->command_timeout, prev->command_timeout,
                              timeout);
    ngx_conf_merge_msec_value(conf->data_timeout, prev->data_timeout,
                              timeout);
    ngx_conf_merge_msec_value(conf->send_timeout, prev->send_timeout, 60000);
    ngx_conf_merge_msec_value(conf->transaction_timeout,
                              prev->transaction_timeout, 3600000);
    ngx_conf_merge_uint_value(conf->bare_newline, prev->bare_newline,
                              NGX_SMTP_BARE_REJECT);
    ngx_conf_merge_str_value(conf->thread_pool_name, prev->thread_pool_name,
                             "default");

    if (cscf->protocol != &ngx_mail_smtp_ext_protocol) {
        return NGX_CONF_OK;
    }

    return ngx_mail_smtp_ext_merge_server(cf, prev, conf, cscf);
}


/* of a server{} that is ours */

static char *
ngx_mail_smtp_ext_merge_server(ngx_conf_t *cf, ngx_smtp_service_t *prev,
    ngx_smtp_service_t *conf, ngx_mail_core_srv_conf_t *cscf)
{
#if (NGX_MAIL_SSL)
    ngx_mail_ssl_conf_t  *sslcf;

    sslcf = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_ssl_module);

    conf->starttls = (sslcf->ssl.ctx == NULL) ? NGX_SMTP_STARTTLS_OFF
                                              : sslcf->starttls;
#endif

    conf->server_name = cscf->server_name;
    conf->resolver = cscf->resolver;
    conf->resolver_timeout = cscf->resolver_timeout;

    /* it is in the greeting, in EHLO's reply and in Received */

    if (ngx_smtp_helo_valid(conf->server_name.data,
                            conf->server_name.data + conf->server_name.len)
        != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "invalid \"server_name\" \"%V\" for server in %s:%ui",
                      &conf->server_name, cscf->file_name, cscf->line);
        return NGX_CONF_ERROR;
    }

#if (NGX_THREADS)

    conf->thread_pool = ngx_thread_pool_add(cf, &conf->thread_pool_name);
    if (conf->thread_pool == NULL) {
        return NGX_CONF_ERROR;
    }

#endif

    if (ngx_mail_smtp_ext_merge_path(cf, prev, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_mail_smtp_ext_no_auth_http(cf);
}


/*
 * By default beside nginx's own temporary files: "/var/lib/nginx/body" has
 * "/var/lib/nginx/smtp" at its side.
 */

static char *
ngx_mail_smtp_ext_merge_path(ngx_conf_t *cf, ngx_smtp_service_t *prev,
    ngx_smtp_service_t *conf)
{
    u_char           *p;
    size_t            len;
    ngx_path_init_t   init;

    len = sizeof(NGX_HTTP_CLIENT_TEMP_PATH) - 1;

    ngx_memzero(&init, sizeof(ngx_path_init_t));

    p = ngx_pnalloc(cf->pool, len + sizeof("smtp_temp"));
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    init.name.data = p;
    ngx_memcpy(p, NGX_HTTP_CLIENT_TEMP_PATH, len);

    while (len && p[len - 1] != '/') { len--; }

    init.name.len = ngx_sprintf(p + len, "smtp%s%Z", len ? "" : "_temp")
                    - p - 1;

    return ngx_conf_merge_path_value(cf, &conf->temp_path, prev->temp_path,
                                     &init);
}


/*
 * auth_http's merge demands its directive in every server{}.  It is given
 * one, that is never used, through its own setter.
 */

static char *
ngx_mail_smtp_ext_no_auth_http(ngx_conf_t *cf)
{
    char           *rv;
    ngx_str_t      *value;
    ngx_array_t    *args, fake;
    ngx_command_t  *cmd;

    for (cmd = ngx_mail_auth_http_module.commands; cmd->name.len; cmd++) {
        if (ngx_strcmp(cmd->name.data, "auth_http") == 0) {
            break;
        }
    }

    if (cmd->name.len == 0) {
        return NGX_CONF_OK;
    }

    if (ngx_array_init(&fake, cf->pool, 2, sizeof(ngx_str_t)) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    value = ngx_array_push_n(&fake, 2);

    value[0] = cmd->name;
    ngx_str_set(&value[1], "127.0.0.1:9/unused");

    args = cf->args;
    cf->args = &fake;

    rv = cmd->set(cf, cmd,
                  ngx_mail_conf_get_module_srv_conf(cf,
                                                ngx_mail_auth_http_module));
    cf->args = args;

    /* "is duplicate": the server{} has one of its own, which is as good */

    return (rv == NGX_CONF_ERROR) ? NGX_CONF_ERROR : NGX_CONF_OK;
}


static char *
ngx_mail_smtp_ext_check(ngx_conf_t *cf, void *post, void *data)
{
    ngx_mail_smtp_ext_bounds_t *bounds = post;
    size_t *sp = data;

    if (*sp < bounds->low || *sp > bounds->high) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "value must be between %uz and %uz",
                           bounds->low, bounds->high);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_mail.h>
#include <ngx_mail_smtp_module.h>
#include <ngx_smtp_compat.h>
#include <ngx_smtp_conf.h>
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

/* RFC 5321, 4.5.3.1.6 */
#define NGX_MAIL_SMTP_EXT_TEXT_LINE_MIN  1000

/* RFC 5321, 4.5.3.1.8 */
#define NGX_MAIL_SMTP_EXT_RCPT_MIN    100

/* of SMTP, RFC 5321, 4.5.4.2 */
#define NGX_MAIL_SMTP_EXT_PORT        25

/* of submission under TLS, RFC 8314, 7.3 */
#define NGX_MAIL_SMTP_EXT_PORT_TLS    465

/* octets of a message, by default */
#define NGX_MAIL_SMTP_EXT_MESSAGE     (32 * 1024 * 1024)

/* core's defaults of "timeout" and "max_errors": nobody has set them */
#define NGX_MAIL_SMTP_EXT_TIMEOUT     60000
#define NGX_MAIL_SMTP_EXT_ERRORS      5


static void *ngx_mail_smtp_ext_create_conf(ngx_conf_t *cf);
static char *ngx_mail_smtp_ext_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_mail_smtp_ext_merge_server(ngx_conf_t *cf,
    ngx_smtp_service_t *prev, ngx_smtp_service_t *conf,
    ngx_mail_core_srv_conf_t *cscf);
static char *ngx_mail_smtp_ext_listen(ngx_conf_t *cf,
    ngx_smtp_service_t *conf, ngx_mail_core_srv_conf_t *cscf);
static char *ngx_mail_smtp_ext_merge_path(ngx_conf_t *cf,
    ngx_smtp_service_t *prev, ngx_smtp_service_t *conf);
static char *ngx_mail_smtp_ext_no_auth_http(ngx_conf_t *cf);
static off_t ngx_mail_smtp_ext_capability_size(
    ngx_mail_smtp_srv_conf_t *sscf);
static char *ngx_mail_smtp_ext_check_text_line(ngx_conf_t *cf, void *post,
    void *data);
static void ngx_mail_smtp_ext_merge_queries(ngx_smtp_service_t *prev,
    ngx_smtp_service_t *conf);
static char *ngx_mail_smtp_ext_merge_submission(ngx_conf_t *cf,
    ngx_smtp_service_t *prev, ngx_smtp_service_t *conf);
static void ngx_mail_smtp_ext_merge_strict(ngx_smtp_strict_t *prev,
    ngx_smtp_strict_t *conf, ngx_flag_t submission);


extern ngx_module_t  ngx_mail_auth_http_module;


static ngx_conf_enum_t  ngx_mail_smtp_ext_bare_newlines[] = {
    { ngx_string("reject"), NGX_SMTP_BARE_REJECT },
    { ngx_string("normalise"), NGX_SMTP_BARE_NORMALISE },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_mail_smtp_ext_stricts[] = {
    { ngx_string("accept"), NGX_SMTP_STRICT_ACCEPT },
    { ngx_string("reject"), NGX_SMTP_STRICT_REJECT },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_mail_smtp_ext_helos[] = {
    { ngx_string("lenient"), NGX_SMTP_HELO_LENIENT },
    { ngx_string("strict"), NGX_SMTP_HELO_STRICT },
    { ngx_string("any"), NGX_SMTP_HELO_ANY },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_mail_smtp_ext_vrfys[] = {
    { ngx_string("off"), NGX_SMTP_QUERY_OFF },
    { ngx_string("ambiguous"), NGX_SMTP_QUERY_AMBIGUOUS },
    { ngx_string("ask"), NGX_SMTP_QUERY_ASK },
    { ngx_string("ask_all"), NGX_SMTP_QUERY_ASK_ALL },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_mail_smtp_ext_queries[] = {
    { ngx_string("off"), NGX_SMTP_QUERY_OFF },
    { ngx_string("ask"), NGX_SMTP_QUERY_ASK },
    { ngx_string("ask_all"), NGX_SMTP_QUERY_ASK_ALL },
    { ngx_null_string, 0 }
};


static ngx_conf_num_bounds_t  ngx_mail_smtp_ext_recipients_bounds = {
    ngx_smtp_conf_check_num, NGX_MAIL_SMTP_EXT_RCPT_MIN, -1
};

static ngx_conf_num_bounds_t  ngx_mail_smtp_ext_positive_bounds = {
    ngx_smtp_conf_check_num, 1, -1
};


static ngx_smtp_conf_sizes_t  ngx_mail_smtp_ext_buffer_bounds = {
    ngx_smtp_conf_check_size, NGX_MAIL_SMTP_EXT_BUFFER_MIN, 1024 * 1024
};

static ngx_smtp_conf_sizes_t  ngx_mail_smtp_ext_bulk_bounds = {
    ngx_smtp_conf_check_size, NGX_SMTP_BULK_MIN, 8 * 1024 * 1024
};

static ngx_smtp_conf_sizes_t  ngx_mail_smtp_ext_line_bounds = {
    ngx_smtp_conf_check_size, NGX_MAIL_SMTP_EXT_LINE_MIN,
    NGX_MAIL_SMTP_EXT_BUFFER_MIN / 2
};

/* 0, or RFC 5321, 4.5.3.1.6, at least */
static ngx_smtp_conf_sizes_t  ngx_mail_smtp_ext_text_line_bounds = {
    ngx_mail_smtp_ext_check_text_line, NGX_MAIL_SMTP_EXT_TEXT_LINE_MIN,
    1024 * 1024 * 1024
};

static ngx_smtp_conf_sizes_t  ngx_mail_smtp_ext_body_bounds = {
    ngx_smtp_conf_check_size, 4096, 1024 * 1024 * 1024
};


static ngx_command_t  ngx_mail_smtp_ext_commands[] = {

    { ngx_string("smtp_buffer_size"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, buffer_size),
      &ngx_mail_smtp_ext_buffer_bounds },

    { ngx_string("smtp_bulk_buffer_size"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, bulk_size),
      &ngx_mail_smtp_ext_bulk_bounds },

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
      &ngx_smtp_conf_time_post },

    { ngx_string("smtp_data_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, data_timeout),
      &ngx_smtp_conf_time_post },

    { ngx_string("smtp_send_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, send_timeout),
      &ngx_smtp_conf_time_post },

    { ngx_string("smtp_transaction_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, transaction_timeout),
      &ngx_smtp_conf_time_post },

    { ngx_string("smtp_session_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, session_timeout),
      NULL },

    { ngx_string("smtp_bare_newline"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_smtp_conf_set_enum_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, bare_newline),
      &ngx_mail_smtp_ext_bare_newlines },

    { ngx_string("smtp_vrfy"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_smtp_conf_set_enum_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, queries[NGX_SMTP_QUERY_VRFY]),
      &ngx_mail_smtp_ext_vrfys },

    { ngx_string("smtp_expn"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_smtp_conf_set_enum_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, queries[NGX_SMTP_QUERY_EXPN]),
      &ngx_mail_smtp_ext_queries },

    { ngx_string("smtp_etrn"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_smtp_conf_set_enum_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, queries[NGX_SMTP_QUERY_ETRN]),
      &ngx_mail_smtp_ext_queries },

    { ngx_string("smtp_lmtp"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, lmtp),
      NULL },

    { ngx_string("smtp_submission"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, submission),
      NULL },

    { ngx_string("smtp_auth_required"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, auth_required),
      NULL },

    { ngx_string("smtp_received_client"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, received_client),
      NULL },

    { ngx_string("smtp_xclient_from"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_1MORE,
      ngx_smtp_conf_set_cidr_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, xclient_from),
      "lets everybody be anybody" },

    { ngx_string("smtp_xforward_from"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_1MORE,
      ngx_smtp_conf_set_cidr_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, xforward_from),
      "lets everybody write into the log" },

    { ngx_string("smtp_nul"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_smtp_conf_set_enum_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, strict.nul),
      &ngx_mail_smtp_ext_stricts },

    { ngx_string("smtp_header_8bit"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_smtp_conf_set_enum_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, strict.header_8bit),
      &ngx_mail_smtp_ext_stricts },

    { ngx_string("smtp_max_text_line"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, strict.text_line),
      &ngx_mail_smtp_ext_text_line_bounds },

    { ngx_string("smtp_early_talker"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_smtp_conf_set_enum_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, strict.early_talker),
      &ngx_mail_smtp_ext_stricts },

    { ngx_string("smtp_helo_required"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, strict.helo_required),
      NULL },

    { ngx_string("smtp_helo_syntax"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_smtp_conf_set_enum_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, strict.helo_syntax),
      &ngx_mail_smtp_ext_helos },

    { ngx_string("smtp_banner_delay"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, strict.banner_delay),
      NULL },

    { ngx_string("smtp_error_delay"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, strict.error_delay),
      NULL },

    { ngx_string("smtp_max_commands"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, strict.max_commands),
      NULL },

    { ngx_string("smtp_max_idle_commands"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, strict.max_idle_commands),
      NULL },

    { ngx_string("smtp_max_messages"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, strict.max_messages),
      NULL },

    { ngx_string("smtp_max_refused_recipients"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_service_t, strict.max_refused),
      NULL },

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


ngx_mail_protocol_t  ngx_mail_smtp_ext_protocol = {
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
    conf->bulk_size = NGX_CONF_UNSET_SIZE;
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
    conf->session_timeout = NGX_CONF_UNSET_MSEC;
    conf->bare_newline = NGX_CONF_UNSET_UINT;
    conf->strict.nul = NGX_CONF_UNSET_UINT;
    conf->strict.header_8bit = NGX_CONF_UNSET_UINT;
    conf->strict.early_talker = NGX_CONF_UNSET_UINT;
    conf->strict.helo_required = NGX_CONF_UNSET;
    conf->strict.helo_syntax = NGX_CONF_UNSET_UINT;
    conf->strict.text_line = NGX_CONF_UNSET_SIZE;
    conf->strict.banner_delay = NGX_CONF_UNSET_MSEC;
    conf->strict.error_delay = NGX_CONF_UNSET_MSEC;
    conf->strict.max_commands = NGX_CONF_UNSET_UINT;
    conf->strict.max_idle_commands = NGX_CONF_UNSET_UINT;
    conf->strict.max_messages = NGX_CONF_UNSET_UINT;
    conf->strict.max_refused = NGX_CONF_UNSET_UINT;
    conf->queries[NGX_SMTP_QUERY_VRFY] = NGX_CONF_UNSET_UINT;
    conf->queries[NGX_SMTP_QUERY_EXPN] = NGX_CONF_UNSET_UINT;
    conf->queries[NGX_SMTP_QUERY_ETRN] = NGX_CONF_UNSET_UINT;
    conf->lmtp = NGX_CONF_UNSET;
    conf->submission = NGX_CONF_UNSET;
    conf->auth_required = NGX_CONF_UNSET;
    conf->received_client = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_mail_smtp_ext_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_smtp_service_t *prev = parent;
    ngx_smtp_service_t *conf = child;

    off_t                      size;
    ngx_uint_t                 errors;
    ngx_msec_t                 timeout;
    ngx_mail_core_srv_conf_t  *cscf;
    ngx_mail_smtp_srv_conf_t  *sscf;

    sscf = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_smtp_module);
    cscf = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_core_module);

    /* what others are by default depends on it */

    if (ngx_mail_smtp_ext_merge_submission(cf, prev, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    /* "timeout", where it was set; our default is RFC 5321's, 4.5.3.2.7 */

    timeout = (cscf->timeout == NGX_MAIL_SMTP_EXT_TIMEOUT) ? 300000
                                                           : cscf->timeout;

    errors = (cscf->max_errors == NGX_MAIL_SMTP_EXT_ERRORS)
             ? 20 : cscf->max_errors;
    size = ngx_mail_smtp_ext_capability_size(sscf);

    ngx_conf_merge_size_value(conf->buffer_size, prev->buffer_size,
                              NGX_MAIL_SMTP_EXT_BUFFER_MIN);
    ngx_conf_merge_size_value(conf->bulk_size, prev->bulk_size, 524288);
    ngx_conf_merge_size_value(conf->line_size, prev->line_size, 2048);
    ngx_conf_merge_size_value(conf->body_buffer_size, prev->body_buffer_size,
                              262144);
    ngx_conf_merge_off_value(conf->max_message_size, prev->max_message_size,
                             size);
    ngx_conf_merge_uint_value(conf->max_recipients, prev->max_recipients,
                              1000);
    ngx_conf_merge_uint_value(conf->max_received, prev->max_received, 100);
    ngx_conf_merge_uint_value(conf->max_errors, prev->max_errors, errors);
    ngx_conf_merge_msec_value(conf->command_timeout, prev->command_timeout,
                              timeout);
    ngx_conf_merge_msec_value(conf->data_timeout, prev->data_timeout,
                              timeout);
    ngx_conf_merge_msec_value(conf->send_timeout, prev->send_timeout, 60000);
    ngx_conf_merge_msec_value(conf->transaction_timeout,
                              prev->transaction_timeout, 3600000);
    ngx_conf_merge_msec_value(conf->session_timeout, prev->session_timeout,
                              86400000);
    ngx_conf_merge_uint_value(conf->bare_newline, prev->bare_newline,
                              NGX_SMTP_BARE_REJECT);
    if (conf->strict.banner_delay == NGX_CONF_UNSET_MSEC
        && prev->strict.banner_delay == NGX_CONF_UNSET_MSEC)
    {
        conf->strict.banner_delay = sscf->greeting_delay;
    }

    ngx_mail_smtp_ext_merge_strict(&prev->strict, &conf->strict,
                                   conf->submission);

    ngx_mail_smtp_ext_merge_queries(prev, conf);
    ngx_conf_merge_value(conf->lmtp, prev->lmtp, 0);
    ngx_conf_merge_value(conf->received_client, prev->received_client, 1);
    ngx_conf_merge_str_value(conf->thread_pool_name, prev->thread_pool_name,
                             "default");

    if (conf->xclient_from == NULL) {
        conf->xclient_from = prev->xclient_from;
    }

    if (conf->xforward_from == NULL) {
        conf->xforward_from = prev->xforward_from;
    }

    if (cscf->protocol != &ngx_mail_smtp_ext_protocol) {
        return NGX_CONF_OK;
    }

    return ngx_mail_smtp_ext_merge_server(cf, prev, conf, cscf);
}


static void
ngx_mail_smtp_ext_merge_queries(ngx_smtp_service_t *prev,
    ngx_smtp_service_t *conf)
{
    ngx_conf_merge_uint_value(conf->queries[NGX_SMTP_QUERY_VRFY],
                              prev->queries[NGX_SMTP_QUERY_VRFY],
                              NGX_SMTP_QUERY_AMBIGUOUS);
    ngx_conf_merge_uint_value(conf->queries[NGX_SMTP_QUERY_EXPN],
                              prev->queries[NGX_SMTP_QUERY_EXPN],
                              NGX_SMTP_QUERY_OFF);
    ngx_conf_merge_uint_value(conf->queries[NGX_SMTP_QUERY_ETRN],
                              prev->queries[NGX_SMTP_QUERY_ETRN],
                              NGX_SMTP_QUERY_OFF);
}


static char *
ngx_mail_smtp_ext_merge_submission(ngx_conf_t *cf, ngx_smtp_service_t *prev,
    ngx_smtp_service_t *conf)
{
    ngx_uint_t                *etrn;
    ngx_mail_core_srv_conf_t  *cscf;

    cscf = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_core_module);

    ngx_conf_merge_value(conf->submission, prev->submission, 0);
    ngx_conf_merge_value(conf->auth_required, prev->auth_required,
                         conf->submission);

    if (!conf->submission) {
        return NGX_CONF_OK;
    }

    /* RFC 6409, 7 */

    etrn = &conf->queries[NGX_SMTP_QUERY_ETRN];

    if (*etrn != NGX_CONF_UNSET_UINT && *etrn != NGX_SMTP_QUERY_OFF) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"smtp_etrn\" is not for \"smtp_submission\" "
                      "in server in %s:%ui", cscf->file_name, cscf->line);
        return NGX_CONF_ERROR;
    }

    *etrn = NGX_SMTP_QUERY_OFF;

    return NGX_CONF_OK;
}


static void
ngx_mail_smtp_ext_merge_strict(ngx_smtp_strict_t *prev,
    ngx_smtp_strict_t *conf, ngx_flag_t submission)
{
    ngx_conf_merge_uint_value(conf->nul, prev->nul, NGX_SMTP_STRICT_REJECT);

    /*
     * Much of what is sent in earnest has it; RFC 6409, 8, has the first
     * server of a message see to it.
     */
    ngx_conf_merge_uint_value(conf->header_8bit, prev->header_8bit,
                              submission ? NGX_SMTP_STRICT_REJECT
                                         : NGX_SMTP_STRICT_ACCEPT);
    ngx_conf_merge_size_value(conf->text_line, prev->text_line,
                              submission ? NGX_MAIL_SMTP_EXT_TEXT_LINE_MIN
                                         : 0);

    ngx_conf_merge_uint_value(conf->early_talker, prev->early_talker,
                              NGX_SMTP_STRICT_REJECT);
    ngx_conf_merge_value(conf->helo_required, prev->helo_required, 1);
    ngx_conf_merge_uint_value(conf->helo_syntax, prev->helo_syntax,
                              NGX_SMTP_HELO_LENIENT);
    ngx_conf_merge_msec_value(conf->banner_delay, prev->banner_delay, 0);
    ngx_conf_merge_msec_value(conf->error_delay, prev->error_delay, 0);

    ngx_conf_merge_uint_value(conf->max_commands, prev->max_commands, 0);
    ngx_conf_merge_uint_value(conf->max_idle_commands,
                              prev->max_idle_commands, 1000);
    ngx_conf_merge_uint_value(conf->max_messages, prev->max_messages, 0);
    ngx_conf_merge_uint_value(conf->max_refused, prev->max_refused, 0);
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
    conf->tls = (conf->starttls != NGX_SMTP_STARTTLS_OFF
                 || ngx_smtp_mail_ssl_on(sslcf));
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

    if (ngx_inet_addr(conf->server_name.data, conf->server_name.len)
        != INADDR_NONE)
    {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"server_name\" \"%V\" is no name, others may refuse "
                      "it: an address is written \"[%V]\" for server in "
                      "%s:%ui",
                      &conf->server_name, &conf->server_name,
                      cscf->file_name, cscf->line);
    }

#if (NGX_THREADS)

    conf->thread_pool = ngx_thread_pool_add(cf, &conf->thread_pool_name);
    if (conf->thread_pool == NULL) {
        return NGX_CONF_ERROR;
    }

#endif

    if (ngx_mail_smtp_ext_listen(cf, conf, cscf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_mail_smtp_ext_merge_path(cf, prev, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_mail_smtp_ext_no_auth_http(cf);
}


/* the addresses of a server{}, against what it is to speak there */

static char *
ngx_mail_smtp_ext_listen(ngx_conf_t *cf, ngx_smtp_service_t *conf,
    ngx_mail_core_srv_conf_t *cscf)
{
    in_port_t                   port;
    ngx_uint_t                  i;
    ngx_mail_listen_t          *ls;
    ngx_mail_core_main_conf_t  *cmcf;

    cmcf = ngx_mail_conf_get_module_main_conf(cf, ngx_mail_core_module);

    ls = cmcf->listen.elts;

    for (i = 0; i < cmcf->listen.nelts; i++) {

        if (ls[i].ctx != cscf->ctx) {
            continue;
        }

        port = ngx_inet_get_port(ls[i].sockaddr);

        /* RFC 2033, 5: "it MUST NOT be used on the TCP service port 25" */

        if (conf->lmtp && port == NGX_MAIL_SMTP_EXT_PORT) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"smtp_lmtp\" is not for port %d "
                          "in server in %s:%ui", NGX_MAIL_SMTP_EXT_PORT,
                          cscf->file_name, cscf->line);
            return NGX_CONF_ERROR;
        }

#if (NGX_MAIL_SSL)
        if (ls[i].ssl) {
            conf->tls = 1;
            continue;
        }

        /* RFC 8314, 3.3: clients wait for a handshake, and we for them */

        if (port == NGX_MAIL_SMTP_EXT_PORT_TLS && !conf->tls) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "port %d is for TLS, and \"listen\" has no \"ssl\" "
                          "in server in %s:%ui", NGX_MAIL_SMTP_EXT_PORT_TLS,
                          cscf->file_name, cscf->line);
        }
#endif
    }

    return NGX_CONF_OK;
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
    ngx_file_info_t   fi;
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

    if (ngx_conf_merge_path_value(cf, &conf->temp_path, prev->temp_path,
                                  &init)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    /* nginx makes the folder, and takes whatever is there already for one */

    if (ngx_file_info(conf->temp_path->name.data, &fi) != NGX_FILE_ERROR
        && !ngx_is_dir(&fi))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"smtp_temp_path\" \"%V\" is no directory",
                      &conf->temp_path->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
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
ngx_mail_smtp_ext_check_text_line(ngx_conf_t *cf, void *post, void *data)
{
    size_t *sp = data;

    /* no limit */

    return (*sp == 0) ? NGX_CONF_OK
                      : ngx_smtp_conf_check_size(cf, post, data);
}


/*
 * "SIZE number" in smtp_capabilities, where we have nothing of our own; other
 * words there are no news: we offer what there is.
 */

static off_t
ngx_mail_smtp_ext_capability_size(ngx_mail_smtp_srv_conf_t *sscf)
{
    off_t        size;
    size_t       len;
    ngx_str_t   *c;
    ngx_uint_t   i;

    c = sscf->capabilities.elts;
    len = sizeof("SIZE ") - 1;

    for (i = 0; i < sscf->capabilities.nelts; i++) {

        if (c[i].len > len
            && ngx_strncasecmp(c[i].data, (u_char *) "SIZE ", len) == 0)
        {
            size = ngx_atoof(c[i].data + len, c[i].len - len);

            if (size != NGX_ERROR) {
                return size;
            }
        }
    }

    return NGX_MAIL_SMTP_EXT_MESSAGE;
}

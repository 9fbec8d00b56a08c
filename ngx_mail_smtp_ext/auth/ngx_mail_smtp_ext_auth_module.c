
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_mail.h>
#include <ngx_mail_smtp_module.h>
#include <ngx_smtp_conf.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_http.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_auth_private.h>


/*
 * Directives of authentication, docs/reference/auth.md.
 */


/* octets, for HMAC-SHA-256 */
#define NGX_MAIL_SMTP_EXT_AUTH_SECRET  32


static void *ngx_mail_smtp_ext_auth_create_conf(ngx_conf_t *cf);
static char *ngx_mail_smtp_ext_auth_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_mail_smtp_ext_auth_methods(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_mail_smtp_ext_auth_http(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_mail_smtp_ext_auth_json(ngx_conf_t *cf, void *post,
    void *data);
static char *ngx_mail_smtp_ext_auth_nginx(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_mail_smtp_ext_auth_nginx_url(ngx_conf_t *cf,
    ngx_smtp_auth_nginx_t *nginx, ngx_str_t *value);
static char *ngx_mail_smtp_ext_auth_nginx_header(ngx_conf_t *cf,
    ngx_smtp_auth_nginx_t *nginx, ngx_str_t *value);
static void ngx_mail_smtp_ext_auth_merge_nginx(ngx_conf_t *cf,
    ngx_smtp_auth_conf_t *prev, ngx_smtp_auth_conf_t *conf);
static void ngx_mail_smtp_ext_auth_service(ngx_conf_t *cf,
    ngx_smtp_auth_conf_t *conf, ngx_mail_core_srv_conf_t *cscf);
static ngx_uint_t ngx_mail_smtp_ext_auth_smtp_auth(
    ngx_mail_smtp_srv_conf_t *sscf);
static ngx_int_t ngx_mail_smtp_ext_auth_init(ngx_cycle_t *cycle);


extern ngx_module_t  ngx_mail_smtp_ext_module;
extern ngx_module_t  ngx_mail_auth_http_module;


/*
 * Random, made once by the first configuration and kept over those to come:
 * processes are forked from the one that has it.
 */
static u_char  ngx_mail_smtp_ext_auth_secret[NGX_MAIL_SMTP_EXT_AUTH_SECRET];
static ngx_uint_t  ngx_mail_smtp_ext_auth_secret_made;


static ngx_conf_num_bounds_t  ngx_mail_smtp_ext_auth_iterations_bounds = {
    ngx_smtp_conf_check_num, NGX_SMTP_SASL_ITERATIONS_MIN,
    NGX_SMTP_SASL_ITERATIONS_MAX
};

static ngx_conf_post_t  ngx_mail_smtp_ext_auth_json_post = {
    ngx_mail_smtp_ext_auth_json
};


static ngx_command_t  ngx_mail_smtp_ext_auth_commands[] = {

    { ngx_string("smtp_auth_methods"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_1MORE,
      ngx_mail_smtp_ext_auth_methods,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("smtp_auth_require_tls"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_auth_conf_t, require_tls),
      NULL },

    { ngx_string("smtp_auth_max_attempts"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_auth_conf_t, max_attempts),
      NULL },

    { ngx_string("smtp_auth_http"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_mail_smtp_ext_auth_http,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("smtp_auth_http_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_auth_conf_t, http_timeout),
      &ngx_smtp_conf_time_post },

    { ngx_string("smtp_auth_http_connect_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_auth_conf_t, http_connect_timeout),
      &ngx_smtp_conf_time_post },

    { ngx_string("smtp_auth_http_pass_client_cert"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_auth_conf_t, http_pass_client_cert),
      NULL },

    { ngx_string("smtp_auth_http_client_host"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_auth_conf_t, http_client_host),
      NULL },

    { ngx_string("smtp_auth_rcpt"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_auth_conf_t, rcpt),
      NULL },

    { ngx_string("smtp_auth_http_header"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE2,
      ngx_smtp_http_fields_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_auth_conf_t, http_fields),
      NULL },

    { ngx_string("smtp_auth_cache"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_1MORE,
      ngx_smtp_auth_conf_cache,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("smtp_auth_limit"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_1MORE,
      ngx_smtp_auth_conf_limit,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("smtp_auth_scram_secret"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_auth_conf_t, scram_secret),
      NULL },

    { ngx_string("smtp_auth_scram_iterations"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_auth_conf_t, scram_iterations),
      &ngx_mail_smtp_ext_auth_iterations_bounds },

    { ngx_string("smtp_auth_oauth_scope"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_auth_conf_t, oauth_scope),
      &ngx_mail_smtp_ext_auth_json_post },

    { ngx_string("smtp_auth_oauth_configuration"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_auth_conf_t, oauth_configuration),
      &ngx_mail_smtp_ext_auth_json_post },

    /* of nginx's auth_http module, to which they are passed on */

    { ngx_string("auth_http"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_mail_smtp_ext_auth_nginx,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("auth_http_timeout"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_mail_smtp_ext_auth_nginx,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("auth_http_header"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE2,
      ngx_mail_smtp_ext_auth_nginx,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("auth_http_pass_client_cert"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_FLAG,
      ngx_mail_smtp_ext_auth_nginx,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_mail_module_t  ngx_mail_smtp_ext_auth_module_ctx = {
    NULL,                                  /* protocol */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_mail_smtp_ext_auth_create_conf,    /* create server configuration */
    ngx_mail_smtp_ext_auth_merge_conf      /* merge server configuration */
};


ngx_module_t  ngx_mail_smtp_ext_auth_module = {
    NGX_MODULE_V1,
    &ngx_mail_smtp_ext_auth_module_ctx,    /* module context */
    ngx_mail_smtp_ext_auth_commands,       /* module directives */
    NGX_MAIL_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_mail_smtp_ext_auth_init,           /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_uint_t
ngx_mail_smtp_ext_auth_verify(ngx_smtp_session_t *s)
{
    return s->service->verify_client;
}


static void *
ngx_mail_smtp_ext_auth_create_conf(ngx_conf_t *cf)
{
    ngx_smtp_auth_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_auth_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->methods = 0;
     *     conf->nginx.url = NULL;
     *     conf->nginx.headers = NULL;
     *     conf->http = NULL;
     *     conf->http_fields = { NULL, { 0, NULL } };
     *     conf->cache_zone = NULL;
     *     conf->cache_off = 0;
     *     conf->limit_zone = NULL;
     *     conf->limit_off = 0;
     *     conf->scram_secret = { 0, NULL };
     *     conf->oauth_scope = { 0, NULL };
     *     conf->oauth_configuration = { 0, NULL };
     */

    conf->nginx.timeout = NGX_CONF_UNSET_MSEC;
    conf->nginx.pass_client_cert = NGX_CONF_UNSET;

    conf->require_tls = NGX_CONF_UNSET;
    conf->max_attempts = NGX_CONF_UNSET_UINT;
    conf->http_timeout = NGX_CONF_UNSET_MSEC;
    conf->http_connect_timeout = NGX_CONF_UNSET_MSEC;
    conf->http_pass_client_cert = NGX_CONF_UNSET;
    conf->http_client_host = NGX_CONF_UNSET;
    conf->rcpt = NGX_CONF_UNSET;
    conf->scram_iterations = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_mail_smtp_ext_auth_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_smtp_auth_conf_t  *prev = parent;
    ngx_smtp_auth_conf_t  *conf = child;

    ngx_mail_core_srv_conf_t  *cscf;
    ngx_mail_smtp_srv_conf_t  *sscf;

    cscf = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_core_module);

    if (conf->http == NULL) {
        conf->http = prev->http;
    }

    ngx_mail_smtp_ext_auth_merge_nginx(cf, prev, conf);

    if (conf->http == NULL && conf->methods
        && !(conf->methods & NGX_SMTP_SASL_NONE))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"smtp_auth_methods\" is set, but no "
                      "\"smtp_auth_http\" for the server in %s:%ui",
                      cscf->file_name, cscf->line);
        return NGX_CONF_ERROR;
    }

    if (conf->http == NULL
        && (conf->cache_zone || conf->limit_zone || conf->http_fields.list))
    {
        ngx_smtp_conf_in_vain(cf, conf->cache_zone ? "smtp_auth_cache"
                                  : conf->limit_zone ? "smtp_auth_limit"
                                  : "smtp_auth_http_header",
                              "smtp_auth_http", cscf->file_name, cscf->line);
    }

    sscf = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_smtp_module);

    ngx_conf_merge_bitmask_value(conf->methods, prev->methods,
                                 ngx_mail_smtp_ext_auth_smtp_auth(sscf));

    if (conf->http == NULL || (conf->methods & NGX_SMTP_SASL_NONE)) {
        conf->methods = 0;
    }

    ngx_conf_merge_value(conf->require_tls, prev->require_tls, 1);
    ngx_conf_merge_uint_value(conf->max_attempts, prev->max_attempts, 5);

    /* where they are not set, those of http/ hold */

    ngx_conf_merge_msec_value(conf->http_timeout, prev->http_timeout,
                              NGX_CONF_UNSET_MSEC);
    ngx_conf_merge_msec_value(conf->http_connect_timeout,
                              prev->http_connect_timeout,
                              NGX_CONF_UNSET_MSEC);
    ngx_conf_merge_value(conf->http_pass_client_cert,
                         prev->http_pass_client_cert, 0);
    ngx_conf_merge_value(conf->http_client_host, prev->http_client_host, 1);

    if (conf->rcpt == 1 && conf->http == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"smtp_auth_rcpt\" is set, but no "
                      "\"smtp_auth_http\" for the server in %s:%ui",
                      cscf->file_name, cscf->line);
        return NGX_CONF_ERROR;
    }

    /* what "smtp_auth none" is */

    ngx_conf_merge_value(conf->rcpt, prev->rcpt,
                         (sscf->auth_methods & NGX_MAIL_AUTH_NONE_ENABLED)
                         != 0);

    if (conf->http == NULL) {
        conf->rcpt = 0;
    }

    if (ngx_smtp_http_fields_merge(cf, &conf->http_fields, &prev->http_fields)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_smtp_auth_conf_merge(prev, conf);

    ngx_conf_merge_str_value(conf->scram_secret, prev->scram_secret, "");

    if (conf->scram_secret.len == 0) {
        conf->scram_secret.len = sizeof(ngx_mail_smtp_ext_auth_secret);
        conf->scram_secret.data = ngx_mail_smtp_ext_auth_secret;
    }

    ngx_conf_merge_uint_value(conf->scram_iterations, prev->scram_iterations,
                              NGX_SMTP_SASL_ITERATIONS_MIN);
    ngx_conf_merge_str_value(conf->oauth_scope, prev->oauth_scope, "");
    ngx_conf_merge_str_value(conf->oauth_configuration,
                             prev->oauth_configuration, "");

    ngx_mail_smtp_ext_auth_service(cf, conf, cscf);

    return NGX_CONF_OK;
}


/* what others have to know of it; and whether all of it is in vain */

static void
ngx_mail_smtp_ext_auth_service(ngx_conf_t *cf, ngx_smtp_auth_conf_t *conf,
    ngx_mail_core_srv_conf_t *cscf)
{
    ngx_uint_t           i, methods;
    ngx_smtp_service_t  *service;

    service = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_smtp_ext_module);

    if (service->server_name.len == 0) {
        /* a server{} of another protocol */
        return;
    }

    methods = conf->methods & ~NGX_CONF_BITMASK_SET;

    if ((methods & NGX_SMTP_SASL_EXTERNAL) && !service->verify_client) {
        methods &= ~NGX_SMTP_SASL_EXTERNAL;

        ngx_smtp_conf_in_vain(cf, "smtp_auth_methods external",
                              "ssl_verify_client", cscf->file_name,
                              cscf->line);
    }

    if (!service->tls) {
        methods &= ~(NGX_SMTP_SASL_PLUS|NGX_SMTP_SASL_EXTERNAL);

        for (i = 0; ngx_smtp_sasl_table[i] && conf->require_tls; i++) {
            if (ngx_smtp_sasl_table[i]->plaintext) {
                methods &= ~ngx_smtp_sasl_table[i]->bit;
            }
        }
    }

    service->login = conf->methods == 0 ? NGX_SMTP_LOGIN_NONE
                     : methods ? NGX_SMTP_LOGIN_OFFERED
                     : NGX_SMTP_LOGIN_NEVER;
    service->asks_rcpt = conf->rcpt;

    if (service->login == NGX_SMTP_LOGIN_NEVER && !service->tls) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "nobody can log in: AUTH is for TLS only, unless "
                      "\"smtp_auth_require_tls\" is off, and there is "
                      "neither \"starttls\" nor \"listen ... ssl\" "
                      "in server in %s:%ui", cscf->file_name, cscf->line);
    }
}


static char *
ngx_mail_smtp_ext_auth_methods(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_smtp_auth_conf_t *acf = conf;

    ngx_str_t                   *value;
    ngx_uint_t                   i, n, bit;
    const ngx_smtp_sasl_mech_t  *mech;

    if (acf->methods) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        bit = 0;

        for (n = 0; ngx_smtp_sasl_table[n]; n++) {
            mech = ngx_smtp_sasl_table[n];

            if (mech->name.len == value[i].len
                && ngx_strncasecmp(mech->name.data, value[i].data,
                                   value[i].len)
                   == 0)
            {
                bit = mech->bit;
                break;
            }
        }

        if (bit == 0 && ngx_strcmp(value[i].data, "none") == 0
            && cf->args->nelts == 2)
        {
            bit = NGX_SMTP_SASL_NONE;
        }

        if (bit == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid value \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (acf->methods & bit) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "duplicate value \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        acf->methods |= NGX_CONF_BITMASK_SET|bit;
    }

    return NGX_CONF_OK;
}


static char *
ngx_mail_smtp_ext_auth_http(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_smtp_auth_conf_t *acf = conf;

    ngx_str_t  *value;

    if (acf->http) {
        return "is duplicate";
    }

    acf->http = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_http_url_t));
    if (acf->http == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    if (ngx_smtp_http_url_parse(cf, &value[1], acf->http) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* becomes a string of JSON as it is; RFC 6749, 3.3 has no other scopes */

static char *
ngx_mail_smtp_ext_auth_json(ngx_conf_t *cf, void *post, void *data)
{
    ngx_str_t *value = data;

    size_t  i;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < ' ' || value->data[i] > '~'
            || value->data[i] == '"' || value->data[i] == '\\')
        {
            return "has an invalid character";
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_mail_smtp_ext_auth_init(ngx_cycle_t *cycle)
{
    if (ngx_mail_smtp_ext_auth_secret_made) {
        return NGX_OK;
    }

    if (RAND_bytes(ngx_mail_smtp_ext_auth_secret,
                   sizeof(ngx_mail_smtp_ext_auth_secret))
        != 1)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cycle->log, 0, "RAND_bytes() failed");
        return NGX_ERROR;
    }

    ngx_mail_smtp_ext_auth_secret_made = 1;

    return NGX_OK;
}


/*
 * nginx's mail server of protocol smtp becomes ours as it is: what its
 * auth_http directives say holds where ours say nothing.
 */

static char *
ngx_mail_smtp_ext_auth_nginx(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_smtp_auth_conf_t *acf = conf;

    char                   *rv;
    ngx_str_t              *value, time;
    ngx_smtp_auth_nginx_t  *nginx;

    rv = ngx_smtp_conf_pass_on(cf, cmd, &ngx_mail_auth_http_module,
             ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_auth_http_module));

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    nginx = &acf->nginx;
    value = cf->args->elts;

    if (ngx_strcmp(cmd->name.data, "auth_http") == 0) {
        return ngx_mail_smtp_ext_auth_nginx_url(cf, nginx, &value[1]);
    }

    if (ngx_strcmp(cmd->name.data, "auth_http_header") == 0) {
        return ngx_mail_smtp_ext_auth_nginx_header(cf, nginx, value);
    }

    /* the values are good: nginx has taken them */

    if (ngx_strcmp(cmd->name.data, "auth_http_timeout") == 0) {
        time = value[1];
        nginx->timeout = ngx_parse_time(&time, 0);

    } else {
        nginx->pass_client_cert = (ngx_strcasecmp(value[1].data,
                                                  (u_char *) "on")
                                   == 0);
    }

    return NGX_CONF_OK;
}


/* a URL without its scheme is good for nginx, and one that is not for us may
   be meant for the other protocols: then it is none of ours */

static char *
ngx_mail_smtp_ext_auth_nginx_url(ngx_conf_t *cf, ngx_smtp_auth_nginx_t *nginx,
    ngx_str_t *value)
{
    size_t      i, len;
    ngx_str_t   url;

    nginx->url = NULL;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] >= 0x7f
            || value->data[i] == '#' || value->data[i] == '@')
        {
            return NGX_CONF_OK;
        }
    }

    len = sizeof("http://") - 1;
    url = *value;

    if (url.len < len
        || ngx_strncasecmp(url.data, (u_char *) "http://", len) != 0)
    {
        url.len = len + value->len;
        url.data = ngx_pnalloc(cf->pool, url.len);
        if (url.data == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_sprintf(url.data, "http://%V", value);
    }

    nginx->url = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_http_url_t));
    if (nginx->url == NULL) {
        return NGX_CONF_ERROR;
    }

    return (ngx_smtp_http_url_parse(cf, &url, nginx->url) == NGX_OK)
           ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_mail_smtp_ext_auth_nginx_header(ngx_conf_t *cf,
    ngx_smtp_auth_nginx_t *nginx, ngx_str_t *value)
{
    ngx_keyval_t  *header;

    if (nginx->headers == NULL) {
        nginx->headers = ngx_array_create(cf->pool, 1, sizeof(ngx_keyval_t));
        if (nginx->headers == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    header = ngx_array_push(nginx->headers);
    if (header == NULL) {
        return NGX_CONF_ERROR;
    }

    header->key = value[1];
    header->value = value[2];

    if (!ngx_smtp_http_field_valid(header)) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "header \"%V\" is not sent by smtp_ext",
                           &value[1]);
        nginx->headers->nelts--;
    }

    return NGX_CONF_OK;
}


static void
ngx_mail_smtp_ext_auth_merge_nginx(ngx_conf_t *cf, ngx_smtp_auth_conf_t *prev,
    ngx_smtp_auth_conf_t *conf)
{
    ngx_mail_ssl_conf_t    *sslcf;
    ngx_smtp_auth_nginx_t  *nginx;

    nginx = &conf->nginx;

    if (nginx->url == NULL) {
        nginx->url = prev->nginx.url;
    }

    ngx_conf_merge_msec_value(nginx->timeout, prev->nginx.timeout,
                              NGX_CONF_UNSET_MSEC);
    ngx_conf_merge_value(nginx->pass_client_cert,
                         prev->nginx.pass_client_cert, NGX_CONF_UNSET);

    if (nginx->headers == NULL) {
        nginx->headers = prev->nginx.headers;
    }

    if (conf->http || nginx->url == NULL) {
        return;
    }

    conf->http = nginx->url;

    if (prev->http_timeout == NGX_CONF_UNSET_MSEC
        && conf->http_timeout == NGX_CONF_UNSET_MSEC)
    {
        conf->http_timeout = nginx->timeout;
    }

    if (prev->http_pass_client_cert == NGX_CONF_UNSET
        && conf->http_pass_client_cert == NGX_CONF_UNSET)
    {
        conf->http_pass_client_cert = nginx->pass_client_cert;
    }

    if (prev->http_fields.list == NULL && conf->http_fields.list == NULL) {
        conf->http_fields.list = nginx->headers;
    }

    /* without TLS in the whole server AUTH was never meant to be under TLS */

    sslcf = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_ssl_module);

    if (sslcf->ssl.ctx == NULL && prev->require_tls == NGX_CONF_UNSET
        && conf->require_tls == NGX_CONF_UNSET)
    {
        conf->require_tls = 0;
    }
}


/* smtp_auth, whose module is merged before ours and whose default is ours */

static ngx_uint_t
ngx_mail_smtp_ext_auth_smtp_auth(ngx_mail_smtp_srv_conf_t *sscf)
{
    ngx_uint_t  methods, n;

    static const struct {
        ngx_uint_t  nginx;
        ngx_uint_t  ours;
    } map[] = {
        { NGX_MAIL_AUTH_PLAIN_ENABLED, NGX_SMTP_SASL_PLAIN },
        { NGX_MAIL_AUTH_LOGIN_ENABLED, NGX_SMTP_SASL_LOGIN },
        { NGX_MAIL_AUTH_CRAM_MD5_ENABLED, NGX_SMTP_SASL_CRAM_MD5 },
        { NGX_MAIL_AUTH_EXTERNAL_ENABLED, NGX_SMTP_SASL_EXTERNAL }
    };

    methods = NGX_CONF_BITMASK_SET;

    for (n = 0; n < sizeof(map) / sizeof(map[0]); n++) {
        if (sscf->auth_methods & map[n].nginx) {
            methods |= map[n].ours;
        }
    }

    /* "none" alone: no AUTH */

    return (methods == NGX_CONF_BITMASK_SET) ? methods|NGX_SMTP_SASL_NONE
                                             : methods;
}

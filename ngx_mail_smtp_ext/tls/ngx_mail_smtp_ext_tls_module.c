
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_mail.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_tls.h>


/*
 * smtp_ssl_server_name{}.  What is in it are nginx's own directives, read by
 * its own functions into a configuration of its ssl module; for each server{}
 * that is merged with the server's by that module, so everything but the
 * certificates is as it is in the server, in each version of nginx.
 */


#define NGX_SMTP_TLS_NAME_CONF  0x40000000


typedef struct {
    ngx_array_t           names;             /* of ngx_str_t */
    ngx_str_t             server_name;
    ngx_mail_ssl_conf_t  *ssl;
} ngx_smtp_tls_block_t;


typedef struct {
    ngx_array_t          *blocks;            /* of ngx_smtp_tls_block_t * */
} ngx_mail_smtp_ext_tls_conf_t;


static void *ngx_mail_smtp_ext_tls_create_conf(ngx_conf_t *cf);
static char *ngx_mail_smtp_ext_tls_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_mail_smtp_ext_tls_names(ngx_conf_t *cf,
    ngx_smtp_tls_t *tls, ngx_array_t *blocks, ngx_mail_ssl_conf_t *sslcf,
    ngx_str_t *verify);
static ngx_int_t ngx_mail_smtp_ext_tls_verify(ngx_conf_t *cf,
    ngx_mail_ssl_conf_t *sslcf, ngx_str_t *verify);

static char *ngx_mail_smtp_ext_tls_block(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_mail_smtp_ext_tls_block_name(ngx_conf_t *cf,
    ngx_smtp_tls_block_t *block, ngx_str_t *value);
static char *ngx_mail_smtp_ext_tls_block_parse(ngx_conf_t *cf,
    ngx_smtp_tls_block_t *block);
static char *ngx_mail_smtp_ext_tls_ssl(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_mail_smtp_ext_tls_check_name(ngx_conf_t *cf, void *post,
    void *data);


extern ngx_module_t  ngx_mail_smtp_ext_module;

extern ngx_mail_protocol_t  ngx_mail_smtp_ext_protocol;


static ngx_conf_post_t  ngx_mail_smtp_ext_tls_server_name_post = {
    ngx_mail_smtp_ext_tls_check_name
};


static ngx_command_t  ngx_mail_smtp_ext_tls_commands[] = {

    { ngx_string("smtp_ssl_server_name"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_BLOCK|NGX_CONF_1MORE,
      ngx_mail_smtp_ext_tls_block,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ssl_certificate"),
      NGX_SMTP_TLS_NAME_CONF|NGX_CONF_TAKE1,
      ngx_mail_smtp_ext_tls_ssl,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ssl_certificate_key"),
      NGX_SMTP_TLS_NAME_CONF|NGX_CONF_TAKE1,
      ngx_mail_smtp_ext_tls_ssl,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("ssl_password_file"),
      NGX_SMTP_TLS_NAME_CONF|NGX_CONF_TAKE1,
      ngx_mail_smtp_ext_tls_ssl,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("server_name"),
      NGX_SMTP_TLS_NAME_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_tls_block_t, server_name),
      &ngx_mail_smtp_ext_tls_server_name_post },

      ngx_null_command
};


static ngx_mail_module_t  ngx_mail_smtp_ext_tls_module_ctx = {
    NULL,                                  /* protocol */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_mail_smtp_ext_tls_create_conf,     /* create server configuration */
    ngx_mail_smtp_ext_tls_merge_conf       /* merge server configuration */
};


ngx_module_t  ngx_mail_smtp_ext_tls_module = {
    NGX_MODULE_V1,
    &ngx_mail_smtp_ext_tls_module_ctx,     /* module context */
    ngx_mail_smtp_ext_tls_commands,        /* module directives */
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
ngx_mail_smtp_ext_tls_create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_mail_smtp_ext_tls_conf_t));
}


static char *
ngx_mail_smtp_ext_tls_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_mail_smtp_ext_tls_conf_t *prev = parent;
    ngx_mail_smtp_ext_tls_conf_t *conf = child;

    ngx_str_t                  verify;
    ngx_smtp_tls_t            *tls;
    ngx_smtp_service_t        *service;
    ngx_mail_ssl_conf_t       *sslcf;
    ngx_mail_core_srv_conf_t  *cscf;

    if (conf->blocks == NULL) {
        conf->blocks = prev->blocks;
    }

    cscf = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_core_module);
    sslcf = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_ssl_module);

    if (cscf->protocol != &ngx_mail_smtp_ext_protocol
        || sslcf->ssl.ctx == NULL)
    {
        return NGX_CONF_OK;
    }

    if (ngx_mail_smtp_ext_tls_verify(cf, sslcf, &verify) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    tls = ngx_smtp_tls_create(cf, sslcf->ssl.ctx, &verify);
    if (tls == NULL) {
        return NGX_CONF_ERROR;
    }

    if (conf->blocks
        && ngx_mail_smtp_ext_tls_names(cf, tls, conf->blocks, sslcf, &verify)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_smtp_tls_bind(cf, tls) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    /* what a handshake asks for is set; to judge of it is ours, not core's */

    service = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_smtp_ext_module);

    service->verify_client = sslcf->verify;
    sslcf->verify = 0;

    if (service->verify_client) {
        ngx_smtp_tls_verify_init(sslcf->ssl.ctx);
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_mail_smtp_ext_tls_names(ngx_conf_t *cf, ngx_smtp_tls_t *tls,
    ngx_array_t *blocks, ngx_mail_ssl_conf_t *sslcf, ngx_str_t *verify)
{
    ngx_int_t               rc;
    ngx_str_t               duplicate;
    ngx_uint_t              i;
    ngx_mail_module_t      *ssl_module;
    ngx_mail_ssl_conf_t    *conf;
    ngx_smtp_tls_block_t  **block;

    ssl_module = ngx_mail_ssl_module.ctx;
    block = blocks->elts;

    for (i = 0; i < blocks->nelts; i++) {

        /* a block of mail{} is merged with each server{} */

        conf = ngx_palloc(cf->pool, sizeof(ngx_mail_ssl_conf_t));
        if (conf == NULL) {
            return NGX_ERROR;
        }

        *conf = *block[i]->ssl;
        conf->listen = sslcf->listen;

        if (ssl_module->merge_srv_conf(cf, sslcf, conf) != NGX_CONF_OK) {
            return NGX_ERROR;
        }

        rc = ngx_smtp_tls_add(cf, tls, conf->ssl.ctx, &block[i]->names,
                              &block[i]->server_name, verify, &duplicate);

        if (rc == NGX_BUSY) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "duplicate name \"%s%V\" in "
                          "\"smtp_ssl_server_name\" in %s:%ui",
                          duplicate.data[0] == '.' ? "*" : "", &duplicate,
                          block[i]->ssl->file, block[i]->ssl->line);
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* all that decides whose certificate is good enough */

static ngx_int_t
ngx_mail_smtp_ext_tls_verify(ngx_conf_t *cf, ngx_mail_ssl_conf_t *sslcf,
    ngx_str_t *verify)
{
    size_t  len;

    len = sizeof("smtp_ext 18446744073709551615 18446744073709551615 : : ")
          + sslcf->client_certificate.len + sslcf->trusted_certificate.len
          + sslcf->crl.len;

    verify->data = ngx_pnalloc(cf->temp_pool, len);
    if (verify->data == NULL) {
        return NGX_ERROR;
    }

    verify->len = ngx_sprintf(verify->data, "smtp_ext %ui %ui %V:%V:%V",
                              sslcf->verify, sslcf->verify_depth,
                              &sslcf->client_certificate,
                              &sslcf->trusted_certificate, &sslcf->crl)
                  - verify->data;

    return NGX_OK;
}


static char *
ngx_mail_smtp_ext_tls_block(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mail_smtp_ext_tls_conf_t *tcf = conf;

    char                   *rv;
    ngx_str_t              *value;
    ngx_uint_t              i;
    ngx_mail_module_t      *ssl_module;
    ngx_smtp_tls_block_t   *block, **blockp;

    block = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_tls_block_t));
    if (block == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_array_init(&block->names, cf->pool, cf->args->nelts,
                       sizeof(ngx_str_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        rv = ngx_mail_smtp_ext_tls_block_name(cf, block, &value[i]);

        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    ssl_module = ngx_mail_ssl_module.ctx;

    block->ssl = ssl_module->create_srv_conf(cf);
    if (block->ssl == NULL) {
        return NGX_CONF_ERROR;
    }

    block->ssl->file = cf->conf_file->file.name.data;
    block->ssl->line = cf->conf_file->line;

    if (tcf->blocks == NULL) {
        tcf->blocks = ngx_array_create(cf->pool, 4,
                                       sizeof(ngx_smtp_tls_block_t *));
        if (tcf->blocks == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    blockp = ngx_array_push(tcf->blocks);
    if (blockp == NULL) {
        return NGX_CONF_ERROR;
    }

    *blockp = block;

    return ngx_mail_smtp_ext_tls_block_parse(cf, block);
}


/*
 * "example.com", "*.example.com", or ".example.com", which is both: as in
 * nginx's server_name.
 */

static char *
ngx_mail_smtp_ext_tls_block_name(ngx_conf_t *cf, ngx_smtp_tls_block_t *block,
    ngx_str_t *value)
{
    u_char      *p, *last;
    ngx_str_t   *name, domain;
    ngx_uint_t   wildcard;

    p = value->data;
    last = p + value->len;
    wildcard = 0;

    if (value->len > 1 && p[0] == '.') {
        wildcard = 1;
        p++;

    } else if (value->len > 2 && p[0] == '*' && p[1] == '.') {
        wildcard = 1;
        p += 2;
    }

    if (last - p > NGX_SMTP_DOMAIN_MAX - 1
        || ngx_smtp_domain_parse(p, last) != last)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid name or wildcard \"%V\"", value);
        return NGX_CONF_ERROR;
    }

    domain.len = last - p;
    domain.data = p;

    ngx_strlow(p, p, domain.len);

    if (wildcard) {
        name = ngx_array_push(&block->names);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        name->len = domain.len + 1;
        name->data = domain.data - 1;
    }

    if (value->data[0] == '*') {
        return NGX_CONF_OK;
    }

    name = ngx_array_push(&block->names);
    if (name == NULL) {
        return NGX_CONF_ERROR;
    }

    *name = domain;

    return NGX_CONF_OK;
}


static char *
ngx_mail_smtp_ext_tls_block_parse(ngx_conf_t *cf, ngx_smtp_tls_block_t *block)
{
    char                 *rv;
    ngx_uint_t            ncerts;
    ngx_conf_t            save;
    ngx_mail_conf_ctx_t  *ctx, *mail_ctx;
    ngx_mail_ssl_conf_t  *sslcf;

    ctx = ngx_pcalloc(cf->pool, sizeof(ngx_mail_conf_ctx_t));
    if (ctx == NULL) {
        return NGX_CONF_ERROR;
    }

    ctx->srv_conf = ngx_pcalloc(cf->pool,
                                sizeof(void *) * ngx_mail_max_module);
    if (ctx->srv_conf == NULL) {
        return NGX_CONF_ERROR;
    }

    mail_ctx = cf->ctx;
    ctx->main_conf = mail_ctx->main_conf;
    ctx->srv_conf[ngx_mail_smtp_ext_tls_module.ctx_index] = block;

    save = *cf;
    cf->ctx = ctx;
    cf->cmd_type = NGX_SMTP_TLS_NAME_CONF;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    /* those of the server{} would be taken, which are not for these names */

    sslcf = block->ssl;

    if (sslcf->certificates == NGX_CONF_UNSET_PTR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"ssl_certificate\" is defined in "
                           "\"smtp_ssl_server_name\"");
        return NGX_CONF_ERROR;
    }

    ncerts = sslcf->certificates->nelts;

    if (sslcf->certificate_keys == NGX_CONF_UNSET_PTR
        || sslcf->certificate_keys->nelts < ncerts)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"ssl_certificate_key\" is defined for "
                           "certificate \"%V\" in \"smtp_ssl_server_name\"",
                           (ngx_str_t *) sslcf->certificates->elts
                           + ncerts - 1);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* hands a directive of the block to nginx's own of that name */

static char *
ngx_mail_smtp_ext_tls_ssl(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_smtp_tls_block_t *block = conf;

    ngx_command_t  *own;

    for (own = ngx_mail_ssl_module.commands; own->name.len; own++) {

        if (ngx_strcmp(own->name.data, cmd->name.data) == 0) {
            return own->set(cf, own, block->ssl);
        }
    }

    return "is not known to nginx's mail SSL module";
}


/* it is in the greeting, in EHLO's reply and in Received */

static char *
ngx_mail_smtp_ext_tls_check_name(ngx_conf_t *cf, void *post, void *data)
{
    ngx_str_t *name = data;

    if (ngx_smtp_helo_valid(name->data, name->data + name->len) != NGX_OK) {
        return "is not a domain or an address literal";
    }

    return NGX_CONF_OK;
}

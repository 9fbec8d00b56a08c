
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_mail.h>
#include <ngx_smtp_conf.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * The directives of peer/: smtp_upstream{} and what is inside.  The block has
 * a context of its own, so that "server" in it is not nginx's.  Groups are
 * bound in init_main_conf: core's settings of all servers, the resolvers
 * among them, are merged by then, since core stands before us in the list.
 */


#define NGX_SMTP_PEER_UPS_CONF  0x08000000

/* memory for as many connections is taken at the start */
#define NGX_SMTP_PEER_KEEP_MAX  65535


static void *ngx_mail_smtp_ext_peer_create_main_conf(ngx_conf_t *cf);
static char *ngx_mail_smtp_ext_peer_init_main_conf(ngx_conf_t *cf,
    void *conf);
static ngx_int_t ngx_mail_smtp_ext_peer_init_process(ngx_cycle_t *cycle);
static void ngx_mail_smtp_ext_peer_exit_process(ngx_cycle_t *cycle);

static char *ngx_mail_smtp_ext_peer_upstream(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);


extern ngx_module_t  ngx_mail_module;


static ngx_conf_num_bounds_t  ngx_mail_smtp_ext_peer_keepalive_bounds = {
    ngx_smtp_conf_check_num, 0, NGX_SMTP_PEER_KEEP_MAX
};


static ngx_command_t  ngx_mail_smtp_ext_peer_commands[] = {

    { ngx_string("smtp_upstream"),
      NGX_MAIL_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_mail_smtp_ext_peer_upstream,
      NGX_MAIL_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("server"),
      NGX_SMTP_PEER_UPS_CONF|NGX_CONF_1MORE,
      ngx_smtp_upstream_conf_server,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("zone"),
      NGX_SMTP_PEER_UPS_CONF|NGX_CONF_TAKE12,
      ngx_smtp_upstream_conf_zone,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("least_conn"),
      NGX_SMTP_PEER_UPS_CONF|NGX_CONF_NOARGS,
      ngx_smtp_upstream_conf_balancer,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      (void *) &ngx_smtp_balancer_least_conn },

    { ngx_string("ip_hash"),
      NGX_SMTP_PEER_UPS_CONF|NGX_CONF_NOARGS,
      ngx_smtp_upstream_conf_balancer,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      (void *) &ngx_smtp_balancer_ip_hash },

    { ngx_string("hash"),
      NGX_SMTP_PEER_UPS_CONF|NGX_CONF_TAKE12,
      ngx_smtp_upstream_conf_balancer,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      (void *) &ngx_smtp_balancer_hash },

    { ngx_string("random"),
      NGX_SMTP_PEER_UPS_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE12,
      ngx_smtp_upstream_conf_balancer,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      (void *) &ngx_smtp_balancer_random },

    { ngx_string("resolver"),
      NGX_SMTP_PEER_UPS_CONF|NGX_CONF_1MORE,
      ngx_smtp_upstream_conf_resolver,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("resolver_timeout"),
      NGX_SMTP_PEER_UPS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_upstream_t, resolver_timeout),
      NULL },

    { ngx_string("smtp_health_check"),
      NGX_SMTP_PEER_UPS_CONF|NGX_CONF_ANY,
      ngx_smtp_check_conf,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("queue"),
      NGX_SMTP_PEER_UPS_CONF|NGX_CONF_TAKE12,
      ngx_smtp_upstream_conf_queue,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("keepalive"),
      NGX_SMTP_PEER_UPS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_upstream_t, keepalive),
      &ngx_mail_smtp_ext_peer_keepalive_bounds },

    { ngx_string("keepalive_requests"),
      NGX_SMTP_PEER_UPS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_upstream_t, keepalive_requests),
      NULL },

    { ngx_string("keepalive_timeout"),
      NGX_SMTP_PEER_UPS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_upstream_t, keepalive_timeout),
      NULL },

    { ngx_string("keepalive_time"),
      NGX_SMTP_PEER_UPS_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_smtp_upstream_t, keepalive_time),
      NULL },

      ngx_null_command
};


static ngx_mail_module_t  ngx_mail_smtp_ext_peer_module_ctx = {
    NULL,                                  /* protocol */

    ngx_mail_smtp_ext_peer_create_main_conf, /* create main configuration */
    ngx_mail_smtp_ext_peer_init_main_conf, /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL                                   /* merge server configuration */
};


ngx_module_t  ngx_mail_smtp_ext_peer_module = {
    NGX_MODULE_V1,
    &ngx_mail_smtp_ext_peer_module_ctx,    /* module context */
    ngx_mail_smtp_ext_peer_commands,       /* module directives */
    NGX_MAIL_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_mail_smtp_ext_peer_init_process,   /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_mail_smtp_ext_peer_exit_process,   /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_smtp_peer_conf_t *
ngx_mail_smtp_ext_peer_conf(ngx_conf_t *cf)
{
    return ngx_mail_conf_get_module_main_conf(cf,
                                              ngx_mail_smtp_ext_peer_module);
}


ngx_smtp_peer_conf_t *
ngx_mail_smtp_ext_peer_cycle_conf(void)
{
    ngx_mail_conf_ctx_t  *ctx;

    ctx = (ngx_mail_conf_ctx_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                               ngx_mail_module);
    if (ctx == NULL) {
        return NULL;
    }

    return ctx->main_conf[ngx_mail_smtp_ext_peer_module.ctx_index];
}


ngx_resolver_t *
ngx_mail_smtp_ext_peer_resolver(void *ctx, ngx_resolver_t *inherited)
{
    ngx_mail_conf_ctx_t       *mctx;
    ngx_mail_core_srv_conf_t  *cscf;

    mctx = ctx;
    cscf = mctx->srv_conf[ngx_mail_core_module.ctx_index];

    /* mail{} itself is never merged, and blocks of others may have no core */

    if (cscf == NULL || cscf->resolver == NGX_CONF_UNSET_PTR) {
        return inherited;
    }

    return cscf->resolver;
}


ngx_msec_t
ngx_mail_smtp_ext_peer_resolver_timeout(void *ctx)
{
    ngx_mail_conf_ctx_t       *mctx;
    ngx_mail_core_srv_conf_t  *cscf;

    mctx = ctx;
    cscf = mctx->srv_conf[ngx_mail_core_module.ctx_index];

    return (cscf->resolver_timeout == NGX_CONF_UNSET_MSEC)
           ? NGX_SMTP_PEER_RESOLVE_TIMEOUT : cscf->resolver_timeout;
}


static void *
ngx_mail_smtp_ext_peer_create_main_conf(ngx_conf_t *cf)
{
    ngx_smtp_peer_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_peer_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&conf->upstreams, cf->pool, 4,
                       sizeof(ngx_smtp_upstream_t *))
        != NGX_OK)
    {
        return NULL;
    }

    if (ngx_array_init(&conf->references, cf->pool, 4,
                       sizeof(ngx_smtp_reference_t))
        != NGX_OK)
    {
        return NULL;
    }

    conf->cycle = cf->cycle;

    return conf;
}


static char *
ngx_mail_smtp_ext_peer_init_main_conf(ngx_conf_t *cf, void *conf)
{
    if (ngx_smtp_upstream_bind_all(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * What a worker in this place had in use before it was killed is free; and
 * names are asked for, and servers are checked.
 */

static ngx_int_t
ngx_mail_smtp_ext_peer_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t              i;
    ngx_smtp_upstream_t   **upstreams;
    ngx_smtp_peer_conf_t   *conf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    conf = ngx_mail_smtp_ext_peer_cycle_conf();
    if (conf == NULL) {
        return NGX_OK;
    }

    upstreams = conf->upstreams.elts;

    for (i = 0; i < conf->upstreams.nelts; i++) {
        if (upstreams[i]->zone) {
            ngx_smtp_servers_enter(upstreams[i]->servers);
        }

        if (upstreams[i]->nnames) {
            ngx_smtp_peer_names_start(upstreams[i]);
        }

        if (upstreams[i]->check) {
            ngx_smtp_check_start(upstreams[i]);
        }
    }

    return NGX_OK;
}


/*
 * A graceful stop has closed the idle connections before; this is for the
 * fast one.
 */

static void
ngx_mail_smtp_ext_peer_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t              i;
    ngx_smtp_upstream_t   **upstreams;
    ngx_smtp_peer_conf_t   *conf;

    conf = ngx_mail_smtp_ext_peer_cycle_conf();
    if (conf == NULL) {
        return;
    }

    upstreams = conf->upstreams.elts;

    for (i = 0; i < conf->upstreams.nelts; i++) {
        ngx_smtp_peer_cache_close(upstreams[i]);

        if (upstreams[i]->check_event.handler) {
            ngx_smtp_check_exit(upstreams[i]);
        }
    }
}


static char *
ngx_mail_smtp_ext_peer_upstream(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_smtp_peer_conf_t  *pcf = conf;

    char                 *rv;
    ngx_str_t            *value;
    ngx_conf_t            save;
    ngx_mail_conf_ctx_t  *ctx, *mail_ctx;
    ngx_smtp_upstream_t  *upstream;

    value = cf->args->elts;

    if (ngx_smtp_upstream_defined(pcf, &value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate upstream \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    upstream = ngx_smtp_upstream_create(cf, pcf, &value[1]);
    if (upstream == NULL) {
        return NGX_CONF_ERROR;
    }

    upstream->defined = 1;

    ctx = ngx_pcalloc(cf->pool, sizeof(ngx_mail_conf_ctx_t));
    if (ctx == NULL) {
        return NGX_CONF_ERROR;
    }

    mail_ctx = cf->ctx;
    ctx->main_conf = mail_ctx->main_conf;

    /* the block's only srv_conf is the group */

    ctx->srv_conf = ngx_pcalloc(cf->pool,
                                sizeof(void *) * ngx_mail_max_module);
    if (ctx->srv_conf == NULL) {
        return NGX_CONF_ERROR;
    }

    ctx->srv_conf[ngx_mail_smtp_ext_peer_module.ctx_index] = upstream;

    save = *cf;
    cf->ctx = ctx;
    cf->cmd_type = NGX_SMTP_PEER_UPS_CONF;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (upstream->confs->nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no servers are inside upstream");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}

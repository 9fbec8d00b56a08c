
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_mail.h>
#include <ngx_smtp_cidr.h>
#include <ngx_smtp_conf.h>
#include <ngx_smtp_route.h>


/*
 * The directives of route/: smtp_recipient{} with smtp_pass and smtp_rewrite
 * in it, smtp_pass and smtp_relay_from.
 */


extern ngx_module_t  ngx_mail_smtp_ext_module;


/* the context inside smtp_recipient{} */
#define NGX_SMTP_ROUTE_CONF  0x10000000


static void *ngx_mail_smtp_ext_route_create_main_conf(ngx_conf_t *cf);
static void *ngx_mail_smtp_ext_route_create_srv_conf(ngx_conf_t *cf);
static char *ngx_mail_smtp_ext_route_merge_srv_conf(ngx_conf_t *cf,
    void *parent, void *child);

static ngx_int_t ngx_mail_smtp_ext_route_check(ngx_conf_t *cf,
    ngx_mail_smtp_ext_route_srv_conf_t *prev,
    ngx_mail_smtp_ext_route_srv_conf_t *conf);
static void ngx_mail_smtp_ext_route_check_open(ngx_conf_t *cf,
    ngx_array_t *routes);
static ngx_uint_t ngx_mail_smtp_ext_route_anchored(ngx_str_t *pattern);
static ngx_int_t ngx_mail_smtp_ext_route_dests(ngx_conf_t *cf,
    ngx_mail_smtp_ext_route_srv_conf_t *conf);
static ngx_int_t ngx_mail_smtp_ext_route_dest(ngx_smtp_service_t *service,
    ngx_smtp_dest_t *dest);

static char *ngx_mail_smtp_ext_route_recipient(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_mail_smtp_ext_route_recipient_pass(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_mail_smtp_ext_route_rewrite(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_mail_smtp_ext_route_pass(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_mail_smtp_ext_route_list(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_mail_smtp_ext_route_mixed_result(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_mail_smtp_ext_route_success_report(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_mail_smtp_ext_route_report(ngx_conf_t *cf,
    ngx_smtp_dest_t **destp, ngx_str_t *value);
static ngx_smtp_dest_t *ngx_mail_smtp_ext_route_success_default(
    ngx_smtp_dest_t *pass);


static ngx_conf_num_bounds_t  ngx_mail_smtp_ext_route_destinations = {
    ngx_smtp_conf_check_num, 1, 1000
};


static ngx_command_t  ngx_mail_smtp_ext_route_commands[] = {

    { ngx_string("smtp_recipient"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_mail_smtp_ext_route_recipient,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("smtp_pass"),
      NGX_SMTP_ROUTE_CONF|NGX_CONF_TAKE1,
      ngx_mail_smtp_ext_route_recipient_pass,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("smtp_rewrite"),
      NGX_SMTP_ROUTE_CONF|NGX_CONF_TAKE1,
      ngx_mail_smtp_ext_route_rewrite,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("smtp_pass"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_mail_smtp_ext_route_pass,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("smtp_relay_from"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_1MORE,
      ngx_smtp_conf_set_cidr_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_mail_smtp_ext_route_srv_conf_t, relay_from),
      "makes an open relay" },

    { ngx_string("smtp_auth_route"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_1MORE,
      ngx_mail_smtp_ext_route_list,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_mail_smtp_ext_route_srv_conf_t, auth_route),
      NULL },

    { ngx_string("smtp_mixed_result"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE12,
      ngx_mail_smtp_ext_route_mixed_result,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("smtp_success_report"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_mail_smtp_ext_route_success_report,
      NGX_MAIL_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("smtp_max_destinations"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_mail_smtp_ext_route_srv_conf_t, max_destinations),
      &ngx_mail_smtp_ext_route_destinations },

    { ngx_string("smtp_hook_route"),
      NGX_MAIL_MAIN_CONF|NGX_MAIL_SRV_CONF|NGX_CONF_1MORE,
      ngx_mail_smtp_ext_route_list,
      NGX_MAIL_SRV_CONF_OFFSET,
      offsetof(ngx_mail_smtp_ext_route_srv_conf_t, hook_route),
      NULL },

      ngx_null_command
};


static ngx_mail_module_t  ngx_mail_smtp_ext_route_module_ctx = {
    NULL,                                  /* protocol */

    ngx_mail_smtp_ext_route_create_main_conf, /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_mail_smtp_ext_route_create_srv_conf, /* create server configuration */
    ngx_mail_smtp_ext_route_merge_srv_conf /* merge server configuration */
};


ngx_module_t  ngx_mail_smtp_ext_route_module = {
    NGX_MODULE_V1,
    &ngx_mail_smtp_ext_route_module_ctx,   /* module context */
    ngx_mail_smtp_ext_route_commands,      /* module directives */
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
ngx_mail_smtp_ext_route_create_main_conf(ngx_conf_t *cf)
{
    ngx_smtp_dests_t  *dests;

    dests = ngx_palloc(cf->pool, sizeof(ngx_smtp_dests_t));
    if (dests == NULL) {
        return NULL;
    }

    ngx_smtp_dests_init(dests);

    return dests;
}


static void *
ngx_mail_smtp_ext_route_create_srv_conf(ngx_conf_t *cf)
{
    ngx_mail_smtp_ext_route_srv_conf_t  *rscf;

    rscf = ngx_pcalloc(cf->pool, sizeof(ngx_mail_smtp_ext_route_srv_conf_t));
    if (rscf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     rscf->routes = NULL;
     *     rscf->table = NULL;
     *     rscf->pass = NULL;
     *     rscf->relay_from = NULL;
     *     rscf->auth_route = NULL;
     *     rscf->route = NULL;
     *     rscf->report = NULL;
     *     rscf->success_report = NULL;
     *     rscf->hook_route = NULL;
     */

    rscf->mixed_result = NGX_CONF_UNSET_UINT;
    rscf->success = NGX_CONF_UNSET;
    rscf->max_destinations = NGX_CONF_UNSET;

    return rscf;
}


static char *
ngx_mail_smtp_ext_route_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child)
{
    ngx_mail_smtp_ext_route_srv_conf_t *prev = parent;
    ngx_mail_smtp_ext_route_srv_conf_t *conf = child;

    /* the table of mail{} is made once and shared */

    if (prev->routes && prev->table == NULL) {
        prev->table = ngx_smtp_route_table_create(cf, prev->routes);
        if (prev->table == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (ngx_mail_smtp_ext_route_check(cf, prev, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->routes == NULL) {
        conf->table = prev->table;

    } else {
        conf->table = ngx_smtp_route_table_create(cf, conf->routes);
        if (conf->table == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (conf->pass == NULL) {
        conf->pass = prev->pass;
    }

    if (conf->relay_from == NULL) {
        conf->relay_from = prev->relay_from;
    }

    if (conf->auth_route == NULL) {
        conf->auth_route = prev->auth_route;
    }

    if (conf->routes == NULL) {
        conf->routes = prev->routes;
    }

    if (conf->mixed_result == NGX_CONF_UNSET_UINT) {
        conf->report = prev->report;
    }

    ngx_conf_merge_uint_value(conf->mixed_result, prev->mixed_result,
                              NGX_SMTP_ROUTE_MIXED_SINGLE);

    if (conf->success == NGX_CONF_UNSET) {
        conf->success = prev->success;
        conf->success_report = prev->success_report;
    }

    if (conf->success == NGX_CONF_UNSET) {
        conf->success_report = ngx_mail_smtp_ext_route_success_default(
                                                                  conf->pass);
    }

    ngx_conf_merge_value(conf->max_destinations, prev->max_destinations,
                         NGX_SMTP_ROUTE_DESTINATIONS);

    if (conf->hook_route == NULL) {
        conf->hook_route = prev->hook_route;
    }

    if (ngx_mail_smtp_ext_route_dests(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * What is configured, against who can come: the levels before they are merged,
 * so that what mail{} has for some servers is no mistake in others.
 */

static ngx_int_t
ngx_mail_smtp_ext_route_check(ngx_conf_t *cf,
    ngx_mail_smtp_ext_route_srv_conf_t *prev,
    ngx_mail_smtp_ext_route_srv_conf_t *conf)
{
    ngx_array_t               *relay_from;
    ngx_smtp_service_t        *service;
    ngx_mail_core_srv_conf_t  *cscf;

    service = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_smtp_ext_module);
    cscf = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_core_module);

    if (service->server_name.len == 0) {

        /* nginx's own proxy would read none of it, and do as it likes */

        if (conf->pass || conf->routes || conf->relay_from) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"%s\" needs \"protocol smtp_ext\", which is not "
                          "there for server in %s:%ui",
                          conf->pass ? "smtp_pass"
                          : conf->routes ? "smtp_recipient"
                          : "smtp_relay_from", cscf->file_name, cscf->line);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (conf->relay_from && conf->pass == NULL && prev->pass == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"smtp_relay_from\" needs \"smtp_pass\" "
                      "for server in %s:%ui", cscf->file_name, cscf->line);
        return NGX_ERROR;
    }

    /* LMTP is for machines that are known; a login says who it is */

    if (!service->lmtp && !service->auth_required) {
        ngx_mail_smtp_ext_route_check_open(cf, conf->routes);
    }

    relay_from = conf->relay_from ? conf->relay_from : prev->relay_from;

    /* with XCLIENT a proxy in front says who has logged in */

    if (relay_from || service->xclient_from
        || service->login == NGX_SMTP_LOGIN_OFFERED)
    {
        return NGX_OK;
    }

    if (service->auth_required) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"%s\" wants a login, and nobody can log in: no "
                      "\"smtp_auth_http\" with a method that can be used, no "
                      "\"smtp_relay_from\" for server in %s:%ui",
                      service->submission ? "smtp_submission"
                                          : "smtp_auth_required",
                      cscf->file_name, cscf->line);
        return NGX_ERROR;
    }

    if (conf->pass && !service->asks_rcpt
        && service->login == NGX_SMTP_LOGIN_NONE)
    {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"smtp_pass\" is for clients that log in or that "
                      "\"smtp_relay_from\" names, and there are none of them: "
                      "\"smtp_recipient\" may be meant, for server in %s:%ui",
                      cscf->file_name, cscf->line);
    }

    return NGX_OK;
}


/*
 * Rules by which anybody may send to strangers: all recipients, and expressions
 * that have nothing to say about the end of a domain, as those of "@a.example"
 * match "@a.example.net".
 */

static void
ngx_mail_smtp_ext_route_check_open(ngx_conf_t *cf, ngx_array_t *routes)
{
    ngx_uint_t          i, n;
    ngx_smtp_route_t  **route;

    n = routes ? routes->nelts : 0;
    route = n ? routes->elts : NULL;

    for (i = 0; i < n; i++) {

        if (ngx_strncmp(route[i]->dest->type->scheme.data, "smtp", 4) != 0) {
            continue;
        }

        if (route[i]->kind == NGX_SMTP_ROUTE_ANY) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"smtp_recipient *\" makes an open relay, unless "
                          "\"%V\" refuses what it should in %s:%ui",
                          &route[i]->dest->url, route[i]->file_name,
                          route[i]->line);

        } else if (route[i]->kind == NGX_SMTP_ROUTE_REGEX
                   && !ngx_mail_smtp_ext_route_anchored(&route[i]->pattern))
        {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"smtp_recipient %V\" matches domains of strangers: "
                          "there is no \"$\" at its end in %s:%ui",
                          &route[i]->pattern, route[i]->file_name,
                          route[i]->line);
        }
    }
}


static ngx_uint_t
ngx_mail_smtp_ext_route_anchored(ngx_str_t *pattern)
{
    u_char  *last;

    last = pattern->data + pattern->len;

    if (last[-1] == '$') {
        return last[-2] != '\\';
    }

    /* "\z" and "\Z", or groups that may have theirs inside */

    return last[-1] == ')' || last[-2] == '\\';
}


/*
 * All where a server{} may send a message; the same may be named several
 * times.
 */

static ngx_int_t
ngx_mail_smtp_ext_route_dests(ngx_conf_t *cf,
    ngx_mail_smtp_ext_route_srv_conf_t *conf)
{
    ngx_uint_t            i, n;
    ngx_smtp_dest_t     **dest;
    ngx_smtp_dests_t     *dests;
    ngx_smtp_route_t    **route;
    ngx_smtp_service_t   *service;

    static ngx_str_t  discard = ngx_string("discard:");

    service = ngx_mail_conf_get_module_srv_conf(cf, ngx_mail_smtp_ext_module);

    service->report = conf->report;
    service->success_report = conf->success_report;
    service->max_destinations = conf->max_destinations;
    service->auth_dests = conf->auth_route;
    service->hook_dests = conf->hook_route;

    dests = ngx_mail_conf_get_module_main_conf(cf,
                                              ngx_mail_smtp_ext_route_module);

    service->discard = ngx_smtp_dest_parse(cf, dests, &discard);

    if (service->discard == NULL) {
        return NGX_ERROR;
    }

    /* what is offered has to hold wherever a message may go */

    service->dests = ngx_array_create(cf->pool, 4, sizeof(ngx_smtp_dest_t *));
    if (service->dests == NULL) {
        return NGX_ERROR;
    }

    n = conf->routes ? conf->routes->nelts : 0;
    route = n ? conf->routes->elts : NULL;

    for (i = 0; i < n; i++) {
        if (ngx_mail_smtp_ext_route_dest(service, route[i]->dest) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    n = conf->hook_route ? conf->hook_route->nelts : 0;
    dest = n ? conf->hook_route->elts : NULL;

    for (i = 0; i < n; i++) {
        if (ngx_mail_smtp_ext_route_dest(service, dest[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    n = conf->auth_route ? conf->auth_route->nelts : 0;
    dest = n ? conf->auth_route->elts : NULL;

    for (i = 0; i < n; i++) {
        if (ngx_mail_smtp_ext_route_dest(service, dest[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return conf->pass ? ngx_mail_smtp_ext_route_dest(service, conf->pass)
                      : NGX_OK;
}


static ngx_int_t
ngx_mail_smtp_ext_route_dest(ngx_smtp_service_t *service,
    ngx_smtp_dest_t *dest)
{
    ngx_smtp_dest_t  **destp;

    if (dest->refuses) {
        return NGX_OK;
    }

    destp = ngx_array_push(service->dests);
    if (destp == NULL) {
        return NGX_ERROR;
    }

    *destp = dest;

    return NGX_OK;
}


static char *
ngx_mail_smtp_ext_route_recipient(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_mail_smtp_ext_route_srv_conf_t  *rscf = conf;

    char               *rv;
    ngx_str_t          *value;
    ngx_conf_t          save;
    ngx_smtp_route_t   *route, **routep;

    value = cf->args->elts;

    if (rscf->routes == NULL) {
        rscf->routes = ngx_array_create(cf->pool, 4,
                                        sizeof(ngx_smtp_route_t *));
        if (rscf->routes == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    route = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_route_t));
    routep = ngx_array_push(rscf->routes);

    if (route == NULL || routep == NULL) {
        return NGX_CONF_ERROR;
    }

    *routep = route;

    route->pattern = value[1];
    route->line = cf->conf_file->line;
    route->file_name = cf->conf_file->file.name.data;

    if (ngx_smtp_route_pattern(cf, route) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    rscf->route = route;

    save = *cf;
    cf->cmd_type = NGX_SMTP_ROUTE_CONF;

    rv = ngx_conf_parse(cf, NULL);

    *cf = save;

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (route->dest == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"smtp_pass\" for recipient \"%V\"",
                           &route->pattern);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_mail_smtp_ext_route_recipient_pass(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_mail_smtp_ext_route_srv_conf_t  *rscf = conf;

    ngx_str_t         *value;
    ngx_smtp_dests_t  *dests;

    if (rscf->route->dest) {
        return "is duplicate";
    }

    value = cf->args->elts;

    dests = ngx_mail_conf_get_module_main_conf(cf,
                                              ngx_mail_smtp_ext_route_module);

    rscf->route->dest = ngx_smtp_dest_parse(cf, dests, &value[1]);

    return rscf->route->dest ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static char *
ngx_mail_smtp_ext_route_rewrite(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_mail_smtp_ext_route_srv_conf_t  *rscf = conf;

    ngx_str_t  *value;

    if (rscf->route->rewrite) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_smtp_route_rewrite(cf, rscf->route, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_mail_smtp_ext_route_pass(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_mail_smtp_ext_route_srv_conf_t  *rscf = conf;

    ngx_str_t         *value;
    ngx_smtp_dests_t  *dests;

    if (rscf->pass) {
        return "is duplicate";
    }

    value = cf->args->elts;

    dests = ngx_mail_conf_get_module_main_conf(cf,
                                              ngx_mail_smtp_ext_route_module);

    rscf->pass = ngx_smtp_dest_parse(cf, dests, &value[1]);

    return rscf->pass ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* single, or bounce and the destination of the report */

static char *
ngx_mail_smtp_ext_route_list(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    char *p = conf;

    ngx_str_t         *value;
    ngx_uint_t         i;
    ngx_array_t      **list;
    ngx_smtp_dest_t   *dest, **destp;
    ngx_smtp_dests_t  *dests;

    list = (ngx_array_t **) (p + cmd->offset);

    if (*list == NULL) {
        *list = ngx_array_create(cf->pool, 4, sizeof(ngx_smtp_dest_t *));
        if (*list == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    dests = ngx_mail_conf_get_module_main_conf(cf,
                                              ngx_mail_smtp_ext_route_module);

    for (i = 1; i < cf->args->nelts; i++) {
        dest = ngx_smtp_dest_parse(cf, dests, &value[i]);
        if (dest == NULL) {
            return NGX_CONF_ERROR;
        }

        destp = ngx_array_push(*list);
        if (destp == NULL) {
            return NGX_CONF_ERROR;
        }

        *destp = dest;
    }

    return NGX_CONF_OK;
}


static char *
ngx_mail_smtp_ext_route_mixed_result(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_mail_smtp_ext_route_srv_conf_t  *rscf = conf;

    ngx_str_t  *value;

    if (rscf->mixed_result != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "single") == 0 && cf->args->nelts == 2) {
        rscf->mixed_result = NGX_SMTP_ROUTE_MIXED_SINGLE;
        return NGX_CONF_OK;
    }

    if (ngx_strcmp(value[1].data, "bounce") != 0 || cf->args->nelts != 3) {
        return "has to be \"single\", or \"bounce\" with a destination";
    }

    rscf->mixed_result = NGX_SMTP_ROUTE_MIXED_BOUNCE;

    return ngx_mail_smtp_ext_route_report(cf, &rscf->report, &value[2]);
}


/* off, or the destination of the report */

static char *
ngx_mail_smtp_ext_route_success_report(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_mail_smtp_ext_route_srv_conf_t  *rscf = conf;

    ngx_str_t  *value;

    if (rscf->success != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        rscf->success = 0;
        return NGX_CONF_OK;
    }

    rscf->success = 1;

    return ngx_mail_smtp_ext_route_report(cf, &rscf->success_report,
                                          &value[1]);
}


static char *
ngx_mail_smtp_ext_route_report(ngx_conf_t *cf, ngx_smtp_dest_t **destp,
    ngx_str_t *value)
{
    ngx_smtp_dest_t   *dest;
    ngx_smtp_dests_t  *dests;

    dests = ngx_mail_conf_get_module_main_conf(cf,
                                              ngx_mail_smtp_ext_route_module);

    dest = ngx_smtp_dest_parse(cf, dests, value);

    if (dest == NULL) {
        return NGX_CONF_ERROR;
    }

    if (dest->refuses || dest->many) {
        return "can't have that destination";
    }

    *destp = dest;

    return NGX_CONF_OK;
}


/* a next hop for users takes mail for everybody, and so for senders */

static ngx_smtp_dest_t *
ngx_mail_smtp_ext_route_success_default(ngx_smtp_dest_t *pass)
{
    if (pass == NULL || pass->refuses || pass->many || pass->mailbox
        || pass->drops || pass->type->each)
    {
        return NULL;
    }

    return pass;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * Names with "resolve": the DNS is asked beforehand, and again when what it
 * said is too old.  Each address is a server, by an SRV record (RFC 2782) one
 * with its weight; those whose priority is not the first are backups.  Where
 * the answer is the same as before nothing changes, so marks and connections
 * stay.  In a zone a name is asked for by one worker, else by each.
 */


/* an answer that is none is asked for again */
#define NGX_SMTP_PEER_NAME_RETRY  1000

/* ... and one that is good for ages, since a timer is no place for them */
#define NGX_SMTP_PEER_NAME_AGE    (24 * 3600)


typedef struct {
    ngx_event_t              event;
    ngx_smtp_upstream_t     *upstream;
    ngx_uint_t               n;              /* of the name */
} ngx_smtp_question_t;


/* an answer, as it concerns a name */
typedef struct {
    ngx_smtp_upstream_t     *upstream;
    ngx_smtp_name_t         *name;
    ngx_resolver_addr_t     *addrs;
    ngx_uint_t               naddrs;
    ngx_uint_t               priority;       /* the first */
} ngx_smtp_answers_t;


static void ngx_smtp_peer_names_cleanup(void *data);
static void ngx_smtp_peer_names_timer(ngx_event_t *ev);
static void ngx_smtp_peer_names_handler(ngx_resolver_ctx_t *ctx);
static void ngx_smtp_peer_names_log(ngx_resolver_ctx_t *ctx,
    ngx_smtp_upstream_t *upstream, ngx_smtp_name_t *name);
static ngx_uint_t ngx_smtp_peer_names_failed(ngx_resolver_ctx_t *ctx);
static ngx_int_t ngx_smtp_peer_names_update(ngx_smtp_answers_t *answers);
static ngx_uint_t ngx_smtp_peer_names_match(ngx_smtp_answers_t *answers,
    ngx_smtp_server_t *server, ngx_resolver_addr_t *addr);
static ngx_smtp_server_t *ngx_smtp_peer_names_have(
    ngx_smtp_answers_t *answers, ngx_resolver_addr_t *addr);
static ngx_uint_t ngx_smtp_peer_names_backup(ngx_smtp_answers_t *answers,
    ngx_resolver_addr_t *addr);
static ngx_int_t ngx_smtp_peer_names_weight(ngx_smtp_server_conf_t *sc,
    ngx_uint_t weight);


/* what debug logging of events takes for the event's connection */
static ngx_connection_t  ngx_smtp_peer_names_connection;


ngx_int_t
ngx_smtp_peer_names_init(ngx_conf_t *cf, ngx_smtp_upstream_t *upstream)
{
    ngx_uint_t            i;
    ngx_pool_cleanup_t   *cln;
    ngx_smtp_question_t  *questions;

    questions = ngx_pcalloc(cf->pool,
                            upstream->nnames * sizeof(ngx_smtp_question_t));
    if (questions == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < upstream->nnames; i++) {
        questions[i].upstream = upstream;
        questions[i].n = i;
    }

    upstream->questions = questions;

    if (upstream->zone) {
        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_smtp_peer_names_cleanup;
    cln->data = upstream;

    return NGX_OK;
}


static void
ngx_smtp_peer_names_cleanup(void *data)
{
    ngx_smtp_upstream_t  *upstream = data;

    if (upstream->servers) {
        ngx_smtp_servers_destroy(upstream->servers);
    }
}


void
ngx_smtp_peer_names_start(ngx_smtp_upstream_t *upstream)
{
    time_t                now, valid;
    ngx_uint_t            i;
    ngx_event_t          *ev;
    ngx_smtp_servers_t   *servers;
    ngx_smtp_question_t  *questions;

    ngx_smtp_peer_names_connection.fd = (ngx_socket_t) -1;

    now = ngx_time();
    servers = upstream->servers;
    questions = upstream->questions;

    for (i = 0; i < upstream->nnames; i++) {

        if (upstream->zone && i % servers->nworkers != ngx_worker) {
            continue;
        }

        ev = &questions[i].event;

        ev->handler = ngx_smtp_peer_names_timer;
        ev->data = &ngx_smtp_peer_names_connection;
        ev->log = ngx_cycle->log;
        ev->cancelable = 1;

        /* known already from before a reload, or a worker's end */

        valid = ngx_min(servers->names[i].valid, now + NGX_SMTP_PEER_NAME_AGE);

        ngx_add_timer(ev, (valid > now) ? (ngx_msec_t) (valid - now) * 1000
                                        : 1);
    }
}


ngx_uint_t
ngx_smtp_peer_names_unasked(ngx_smtp_servers_t *servers)
{
    ngx_uint_t  i;

    for (i = 0; i < servers->nnames; i++) {
        if (!servers->names[i].asked) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_smtp_peer_names_timer(ngx_event_t *ev)
{
    ngx_resolver_ctx_t      *ctx;
    ngx_smtp_question_t     *question;
    ngx_smtp_upstream_t     *upstream;
    ngx_smtp_server_conf_t  *sc;

    question = (ngx_smtp_question_t *)
                   ((u_char *) ev - offsetof(ngx_smtp_question_t, event));

    upstream = question->upstream;
    sc = upstream->servers->names[question->n].conf;

    ctx = ngx_resolve_start(upstream->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        ngx_add_timer(ev, NGX_SMTP_PEER_NAME_RETRY);
        return;
    }

    ctx->name = sc->host;
    ctx->service = sc->service;
    ctx->handler = ngx_smtp_peer_names_handler;
    ctx->data = question;
    ctx->timeout = upstream->resolver_timeout;
    ctx->cancelable = 1;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        ngx_add_timer(ev, NGX_SMTP_PEER_NAME_RETRY);
    }
}


static void
ngx_smtp_peer_names_handler(ngx_resolver_ctx_t *ctx)
{
    time_t                now, valid;
    ngx_int_t             rc;
    ngx_uint_t            i;
    ngx_smtp_answers_t    answers;
    ngx_smtp_question_t  *question;
    ngx_smtp_upstream_t  *upstream;

    question = ctx->data;
    upstream = question->upstream;

    ngx_memzero(&answers, sizeof(ngx_smtp_answers_t));

    answers.upstream = upstream;
    answers.name = &upstream->servers->names[question->n];
    answers.priority = NGX_MAX_UINT32_VALUE;

    ngx_smtp_peer_names_log(ctx, upstream, answers.name);

    rc = NGX_OK;

    if (ctx->state == NGX_OK) {
        answers.addrs = ctx->addrs;
        answers.naddrs = ngx_min(ctx->naddrs, NGX_SMTP_PEER_NAME_MAX);
    }

    for (i = 0; i < answers.naddrs; i++) {
        answers.priority = ngx_min(answers.priority,
                                   answers.addrs[i].priority);
    }

    ngx_smtp_servers_lock(upstream->servers);

    /* who can't say anything does not say that there is nothing */

    if (ctx->state == NGX_OK || ctx->state == NGX_RESOLVE_NXDOMAIN) {
        rc = ngx_smtp_peer_names_update(&answers);
        answers.name->valid = ctx->valid;
    }

    answers.name->asked = 1;

    ngx_smtp_servers_unlock(upstream->servers);

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "cannot add new server to upstream \"%V\", "
                      "memory exhausted", &upstream->name);
    }

    now = ngx_time();
    valid = ctx->state ? 0 : ngx_min(ctx->valid, now + NGX_SMTP_PEER_NAME_AGE);

    ngx_add_timer(&question->event,
                  (valid > now) ? (ngx_msec_t) (valid - now + 1) * 1000
                                : NGX_SMTP_PEER_NAME_RETRY);

    ngx_resolve_name_done(ctx);

    ngx_smtp_peer_cache_sweep(upstream);
    ngx_smtp_peer_wake(upstream);
}


/* once when it begins to fail, once when it does so no more */

static void
ngx_smtp_peer_names_log(ngx_resolver_ctx_t *ctx,
    ngx_smtp_upstream_t *upstream, ngx_smtp_name_t *name)
{
    ngx_uint_t                i, level, failed, outage;
    ngx_resolver_srv_name_t  *srv;

    failed = ngx_smtp_peer_names_failed(ctx);

    ngx_smtp_servers_lock(upstream->servers);

    outage = name->outage;
    name->outage = failed;

    ngx_smtp_servers_unlock(upstream->servers);

    level = outage ? NGX_LOG_INFO : NGX_LOG_ERR;

    for (i = 0; i < ctx->nsrvs; i++) {
        srv = &ctx->srvs[i];

        if (srv->state) {
            ngx_log_error(level, ngx_cycle->log, 0,
                          "%V could not be resolved (%i: %s) "
                          "while resolving service %V of %V",
                          &srv->name, srv->state,
                          ngx_resolver_strerror(srv->state), &ctx->service,
                          &ctx->name);
        }
    }

    if (ctx->state) {
        ngx_log_error(level, ngx_cycle->log, 0,
                      "%V%s%V could not be resolved (%i: %s)",
                      &ctx->service, ctx->service.len ? " of " : "",
                      &ctx->name, ctx->state,
                      ngx_resolver_strerror(ctx->state));
    }

    if (outage && !failed) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "%V is resolved again", &ctx->name);
    }
}


static ngx_uint_t
ngx_smtp_peer_names_failed(ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t  i;

    if (ctx->state) {
        return 1;
    }

    for (i = 0; i < ctx->nsrvs; i++) {
        if (ctx->srvs[i].state) {
            return 1;
        }
    }

    return 0;
}


/* with the lock held; NGX_ERROR: no memory */

static ngx_int_t
ngx_smtp_peer_names_update(ngx_smtp_answers_t *answers)
{
    ngx_uint_t            i, j, backup;
    ngx_smtp_name_t      *name;
    ngx_smtp_server_t    *server, *next;
    ngx_smtp_servers_t   *servers;
    ngx_resolver_addr_t  *addr;

    name = answers->name;
    servers = answers->upstream->servers;

    for (i = 0; i < 2; i++) {

        for (server = servers->sets[i].first; server; server = next) {
            next = server->next;

            if (server->conf != name->conf) {
                continue;
            }

            for (j = 0; j < answers->naddrs; j++) {
                if (ngx_smtp_peer_names_match(answers, server,
                                              &answers->addrs[j]))
                {
                    break;
                }
            }

            if (j == answers->naddrs) {
                ngx_smtp_servers_remove(servers, server);
            }
        }
    }

    for (i = 0; i < answers->naddrs; i++) {
        addr = &answers->addrs[i];
        backup = ngx_smtp_peer_names_backup(answers, addr);

        if ((backup && !answers->upstream->balancer->ranks)
            || ngx_smtp_peer_names_have(answers, addr))
        {
            continue;
        }

        server = ngx_smtp_peer_names_add(servers, name, addr->sockaddr,
                                         addr->socklen, &addr->name,
                                         addr->weight, backup);
        if (server == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_smtp_peer_names_match(ngx_smtp_answers_t *answers,
    ngx_smtp_server_t *server, ngx_resolver_addr_t *addr)
{
    ngx_smtp_server_conf_t  *sc;

    sc = server->conf;

    if (ngx_cmp_sockaddr(&server->sockaddr.sockaddr, server->socklen,
                         addr->sockaddr, addr->socklen, sc->service.len != 0)
        != NGX_OK)
    {
        return 0;
    }

    if (sc->service.len == 0) {
        return 1;
    }

    return server->backup == ngx_smtp_peer_names_backup(answers, addr)
           && server->weight == ngx_smtp_peer_names_weight(sc, addr->weight)
           && server->target.len == addr->name.len
           && ngx_memcmp(server->target.data, addr->name.data, addr->name.len)
              == 0;
}


static ngx_smtp_server_t *
ngx_smtp_peer_names_have(ngx_smtp_answers_t *answers,
    ngx_resolver_addr_t *addr)
{
    ngx_uint_t           i;
    ngx_smtp_server_t   *server;
    ngx_smtp_servers_t  *servers;

    servers = answers->upstream->servers;

    for (i = 0; i < 2; i++) {

        for (server = servers->sets[i].first; server; server = server->next) {

            if (server->conf == answers->name->conf
                && ngx_smtp_peer_names_match(answers, server, addr))
            {
                return server;
            }
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_smtp_peer_names_backup(ngx_smtp_answers_t *answers,
    ngx_resolver_addr_t *addr)
{
    ngx_smtp_server_conf_t  *sc;

    sc = answers->name->conf;

    return sc->backup || (sc->service.len
                          && addr->priority != answers->priority);
}


/* RFC 2782: a weight of 0 is a very small one, and not none */

static ngx_int_t
ngx_smtp_peer_names_weight(ngx_smtp_server_conf_t *sc, ngx_uint_t weight)
{
    if (sc->weight != 1 || sc->service.len == 0) {
        return sc->weight;
    }

    return ngx_max(weight, 1);
}


ngx_smtp_server_t *
ngx_smtp_peer_names_add(ngx_smtp_servers_t *servers, ngx_smtp_name_t *name,
    struct sockaddr *sockaddr, socklen_t socklen, ngx_str_t *target,
    ngx_uint_t weight, ngx_uint_t backup)
{
    ngx_sockaddr_t           sa;
    ngx_smtp_server_t       *server;
    ngx_smtp_server_conf_t  *sc;

    sc = name->conf;

    if (socklen > (socklen_t) sizeof(ngx_sockaddr_t)) {
        return NULL;
    }

    ngx_memcpy(&sa, sockaddr, socklen);

    if (sc->service.len == 0) {
        ngx_inet_set_port(&sa.sockaddr, sc->port);
    }

    server = ngx_smtp_servers_new(servers, sc, &sa.sockaddr, socklen,
                                  sc->service.len ? target : NULL);
    if (server == NULL) {
        return NULL;
    }

    server->backup = backup;
    server->weight = ngx_smtp_peer_names_weight(sc, weight);
    server->effective_weight = server->weight;

    ngx_smtp_servers_insert(servers, server);

    return server;
}

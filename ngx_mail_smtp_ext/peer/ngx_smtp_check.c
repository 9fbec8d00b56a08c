
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_check.h>


/*
 * Active checks: which servers are checked by this worker, when, and what
 * comes of it.  In a zone a server is checked by one worker for all, known by
 * the server's id, so that one that is killed leaves it to its successor.
 *
 * A server that is unhealthy is not chosen; what is in use goes on, what is
 * kept is closed.
 */


/* how often a worker looks whether servers have come or gone */
#define NGX_SMTP_CHECK_TICK  1000


static void ngx_smtp_check_tick(ngx_event_t *ev);
static void ngx_smtp_check_sync(ngx_smtp_upstream_t *upstream);
static ngx_smtp_check_t *ngx_smtp_check_find(ngx_smtp_upstream_t *upstream,
    ngx_uint_t id);
static ngx_smtp_check_t *ngx_smtp_check_create(ngx_smtp_upstream_t *upstream,
    ngx_smtp_server_t *server);
static void ngx_smtp_check_destroy(ngx_smtp_check_t *check);
static void ngx_smtp_check_timer(ngx_event_t *ev);
static void ngx_smtp_check_next(ngx_smtp_check_t *check, ngx_msec_t time);
static ngx_uint_t ngx_smtp_check_verdict(ngx_smtp_check_conf_t *conf,
    ngx_smtp_server_t *server, ngx_uint_t failed);


/* what debug logging of events takes for the event's connection */
static ngx_connection_t  ngx_smtp_check_connection;


void
ngx_smtp_check_start(ngx_smtp_upstream_t *upstream)
{
    ngx_event_t  *ev;

    ngx_smtp_check_connection.fd = (ngx_socket_t) -1;

    ngx_queue_init(&upstream->checks);

    ev = &upstream->check_event;

    ev->handler = ngx_smtp_check_tick;
    ev->data = &ngx_smtp_check_connection;
    ev->log = ngx_cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, 1);
}


void
ngx_smtp_check_exit(ngx_smtp_upstream_t *upstream)
{
    ngx_queue_t  *q;

    while (!ngx_queue_empty(&upstream->checks)) {
        q = ngx_queue_head(&upstream->checks);

        ngx_smtp_check_destroy(ngx_queue_data(q, ngx_smtp_check_t, queue));
    }
}


static void
ngx_smtp_check_tick(ngx_event_t *ev)
{
    ngx_smtp_upstream_t  *upstream;

    upstream = (ngx_smtp_upstream_t *)
                   ((u_char *) ev - offsetof(ngx_smtp_upstream_t,
                                             check_event));

    if (ngx_exiting) {
        ngx_smtp_check_exit(upstream);
        return;
    }

    if (upstream->check_version != upstream->servers->version) {
        ngx_smtp_check_sync(upstream);
    }

    ngx_add_timer(ev, NGX_SMTP_CHECK_TICK);
}


static void
ngx_smtp_check_sync(ngx_smtp_upstream_t *upstream)
{
    ngx_uint_t           i;
    ngx_queue_t         *q, *next;
    ngx_smtp_check_t    *check;
    ngx_smtp_server_t   *server;
    ngx_smtp_servers_t  *servers;

    servers = upstream->servers;

    for (q = ngx_queue_head(&upstream->checks);
         q != ngx_queue_sentinel(&upstream->checks);
         q = ngx_queue_next(q))
    {
        check = ngx_queue_data(q, ngx_smtp_check_t, queue);
        check->stale = 1;
    }

    ngx_smtp_servers_lock(servers);

    upstream->check_version = servers->version;

    for (i = 0; i < 2; i++) {

        for (server = servers->sets[i].first; server; server = server->next) {

            if (server->conf->down || server->socklen == 0
                || (upstream->zone
                    && server->id % servers->nworkers != ngx_worker))
            {
                continue;
            }

            check = ngx_smtp_check_find(upstream, server->id);

            if (check == NULL) {
                check = ngx_smtp_check_create(upstream, server);
            }

            if (check) {
                check->stale = 0;

            } else {
                /* no memory: the next time */
                upstream->check_version--;
            }
        }
    }

    ngx_smtp_servers_unlock(servers);

    for (q = ngx_queue_head(&upstream->checks);
         q != ngx_queue_sentinel(&upstream->checks);
         q = next)
    {
        next = ngx_queue_next(q);
        check = ngx_queue_data(q, ngx_smtp_check_t, queue);

        if (check->stale) {
            ngx_smtp_check_destroy(check);
        }
    }
}


static ngx_smtp_check_t *
ngx_smtp_check_find(ngx_smtp_upstream_t *upstream, ngx_uint_t id)
{
    ngx_queue_t       *q;
    ngx_smtp_check_t  *check;

    for (q = ngx_queue_head(&upstream->checks);
         q != ngx_queue_sentinel(&upstream->checks);
         q = ngx_queue_next(q))
    {
        check = ngx_queue_data(q, ngx_smtp_check_t, queue);

        if (check->server_id == id) {
            return check;
        }
    }

    return NULL;
}


static ngx_smtp_check_t *
ngx_smtp_check_create(ngx_smtp_upstream_t *upstream,
    ngx_smtp_server_t *server)
{
    ngx_smtp_peer_t   *peer;
    ngx_smtp_check_t  *check;

    check = ngx_calloc(sizeof(ngx_smtp_check_t), ngx_cycle->log);
    if (check == NULL) {
        return NULL;
    }

    check->upstream = upstream;
    check->server = server;
    check->server_id = server->id;

    peer = &check->peer;

    (void) ngx_smtp_peer_init(peer, upstream, NULL, ngx_cycle->log, NULL, 0);

    peer->host = server->conf->host;
    peer->spare = NGX_MAX_UINT32_VALUE;

    /* what an unhealthy server does is not news */

    peer->outage = 1;

    ngx_memcpy(&peer->address, &server->sockaddr, server->socklen);
    peer->sockaddr = &peer->address.sockaddr;
    peer->socklen = server->socklen;

    peer->name.data = peer->text;
    peer->name.len = ngx_min(server->name.len, NGX_SOCKADDR_STRLEN);
    ngx_memcpy(peer->text, server->name.data, peer->name.len);

    if (upstream->check->port && peer->sockaddr->sa_family != AF_UNIX) {
        ngx_inet_set_port(peer->sockaddr, upstream->check->port);
    }

    check->timer.handler = ngx_smtp_check_timer;
    check->timer.data = &ngx_smtp_check_connection;
    check->timer.log = ngx_cycle->log;
    check->timer.cancelable = 1;

    ngx_queue_insert_tail(&upstream->checks, &check->queue);

    ngx_smtp_check_next(check, 1);

    return check;
}


static void
ngx_smtp_check_destroy(ngx_smtp_check_t *check)
{
    ngx_smtp_check_stop(check);

    if (check->timer.timer_set) {
        ngx_del_timer(&check->timer);
    }

    ngx_queue_remove(&check->queue);

    ngx_free(check);
}


static void
ngx_smtp_check_timer(ngx_event_t *ev)
{
    ngx_smtp_check_t  *check;

    check = (ngx_smtp_check_t *)
                ((u_char *) ev - offsetof(ngx_smtp_check_t, timer));

    if (check->connection) {
        ngx_smtp_check_stop(check);
        ngx_smtp_check_done(check, "timed out", 0);
        return;
    }

    if (ngx_exiting) {
        return;
    }

    ngx_smtp_check_run(check);
}


static void
ngx_smtp_check_next(ngx_smtp_check_t *check, ngx_msec_t time)
{
    ngx_msec_t  jitter;

    jitter = check->upstream->check->jitter;

    if (jitter) {
        time += (ngx_msec_t) ngx_random() % (jitter + 1);
    }

    ngx_add_timer(&check->timer, time);
}


void
ngx_smtp_check_done(ngx_smtp_check_t *check, char *reason, ngx_uint_t code)
{
    u_char                 *p;
    ngx_str_t              *name;
    ngx_uint_t              changed;
    ngx_smtp_server_t      *server;
    ngx_smtp_servers_t     *servers;
    ngx_smtp_upstream_t    *upstream;
    u_char                  text[NGX_INT_T_LEN + 1];

    upstream = check->upstream;
    servers = upstream->servers;
    name = &check->peer.name;
    changed = 0;

    ngx_smtp_servers_lock(servers);

    server = ngx_smtp_servers_find(upstream, check->server, check->server_id);

    if (server && !server->zombie) {
        changed = ngx_smtp_check_verdict(upstream->check, server,
                                         reason != NULL);
        if (changed && reason) {
            servers->gone++;
        }
    }

    ngx_smtp_servers_unlock(servers);

    p = code ? ngx_sprintf(text, " %ui", code) : text;
    *p = '\0';

    if (reason) {
        ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0,
                      "check of upstream server %V failed: %s%s",
                      name, reason, text);
    }

    if (changed && reason) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "upstream server %V is unhealthy: %s%s",
                      name, reason, text);

        ngx_smtp_peer_cache_sweep(upstream);
    }

    if (changed && reason == NULL) {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "upstream server %V is healthy", name);
    }

    if (changed) {
        ngx_smtp_peer_wake(upstream);
    }

    ngx_smtp_check_next(check, upstream->check->interval);
}


/* with the lock held; 1: it is no longer what it was */

static ngx_uint_t
ngx_smtp_check_verdict(ngx_smtp_check_conf_t *conf, ngx_smtp_server_t *server,
    ngx_uint_t failed)
{
    ngx_uint_t  checking;

    server->count.checks++;

    if (failed) {
        server->count.checks_failed++;
        server->check_passes = 0;

        checking = server->checking;
        server->checking = 0;

        if (server->unhealthy) {
            return checking;
        }

        if (++server->check_fails < conf->fails) {
            return 0;
        }

        server->unhealthy = 1;
        server->count.unhealthy++;
        server->count.since = ngx_time();

        return 1;
    }

    server->check_fails = 0;

    if (!server->unhealthy || ++server->check_passes < conf->passes) {
        return 0;
    }

    server->unhealthy = 0;
    server->count.since = ngx_time();

    /* one that begins has nothing to recover from */

    if (!server->checking) {
        server->fails = 0;
        server->outage = 0;
        ngx_smtp_peer_slow_start(server);
    }

    server->checking = 0;

    return 1;
}

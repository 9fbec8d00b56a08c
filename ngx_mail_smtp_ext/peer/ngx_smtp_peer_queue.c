
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * Requests that wait for a server, to be free or to be known: a queue for each
 * group and worker, bounded in number and time.  Whoever comes while there is
 * one goes to its end.  It is looked at when a connection of this worker
 * becomes free, and now and then for what nobody here is told of: other
 * workers, the time.
 */


static void ngx_smtp_peer_queue_insert(ngx_smtp_peer_t *peer);
static void ngx_smtp_peer_queue_remove(ngx_smtp_peer_t *peer);
static void ngx_smtp_peer_queue_cancel(ngx_smtp_op_t *op);
static void ngx_smtp_peer_queue_handler(ngx_event_t *ev);
static ngx_int_t ngx_smtp_peer_queue_expire(ngx_smtp_upstream_t *upstream);
static void ngx_smtp_peer_queue_serve(ngx_smtp_upstream_t *upstream);
static void ngx_smtp_peer_queue_timer(ngx_smtp_upstream_t *upstream);


/* what debug logging of events takes for the event's connection */
static ngx_connection_t  ngx_smtp_peer_queue_connection;


ngx_int_t
ngx_smtp_peer_wait(ngx_smtp_peer_t *peer)
{
    ngx_smtp_upstream_t  *upstream;

    upstream = peer->upstream;

    if (peer->unresolved) {

        /* until the DNS has said the first thing, no longer */

        peer->deadline = ngx_current_msec + upstream->resolver_timeout;

    } else if (upstream->nwaiting < upstream->queue_max) {
        peer->deadline = ngx_current_msec + upstream->queue_timeout;

    } else {
        peer->busy = 1;
        ngx_smtp_peer_queue_busy(peer);
        return NGX_DECLINED;
    }

    ngx_smtp_peer_queue_insert(peer);

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, peer->log, 0,
                   "smtp peer waits in upstream \"%V\", %ui with it",
                   &upstream->name, upstream->nwaiting);

    return NGX_AGAIN;
}


/*
 * Once in a while for each worker: a group that is loaded to its limit would
 * have each of its clients log it.
 */

void
ngx_smtp_peer_queue_busy(ngx_smtp_peer_t *peer)
{
    time_t                now;
    ngx_uint_t            level;
    ngx_smtp_upstream_t  *upstream;

    now = ngx_time();
    upstream = peer->upstream;
    level = NGX_LOG_INFO;

    if (upstream->busy_logged == 0
        || now - upstream->busy_logged >= NGX_SMTP_PEER_BUSY_LOG)
    {
        upstream->busy_logged = now;
        level = NGX_LOG_WARN;
    }

    ngx_log_error(level, peer->log, 0,
                  "servers of upstream \"%V\" have no connection left, "
                  "%ui requests wait", &upstream->name, upstream->nwaiting);
}


void
ngx_smtp_peer_wake(ngx_smtp_upstream_t *upstream)
{
    if (upstream->nwaiting) {
        ngx_post_event(&upstream->wake, &ngx_posted_events);
    }
}


/*
 * In the order of their deadlines, which is that of their coming; unless it
 * was configured differently, there is nothing to walk over.
 */

static void
ngx_smtp_peer_queue_insert(ngx_smtp_peer_t *peer)
{
    ngx_queue_t          *q;
    ngx_smtp_peer_t      *other;
    ngx_smtp_upstream_t  *upstream;

    upstream = peer->upstream;

    for (q = ngx_queue_last(&upstream->waiting);
         q != ngx_queue_sentinel(&upstream->waiting);
         q = ngx_queue_prev(q))
    {
        other = ngx_queue_data(q, ngx_smtp_peer_t, queue);

        if ((ngx_msec_int_t) (peer->deadline - other->deadline) >= 0) {
            break;
        }
    }

    ngx_queue_insert_after(q, &peer->queue);

    peer->waiting = 1;
    upstream->nwaiting++;

    peer->op->worker = peer;
    peer->op->cancel = ngx_smtp_peer_queue_cancel;

    ngx_smtp_peer_queue_timer(upstream);
}


static void
ngx_smtp_peer_queue_remove(ngx_smtp_peer_t *peer)
{
    ngx_queue_remove(&peer->queue);

    peer->waiting = 0;
    peer->upstream->nwaiting--;
}


static void
ngx_smtp_peer_queue_cancel(ngx_smtp_op_t *op)
{
    ngx_smtp_peer_t  *peer;

    peer = op->worker;

    ngx_smtp_peer_queue_remove(peer);
    ngx_smtp_peer_queue_timer(peer->upstream);
}


static void
ngx_smtp_peer_queue_handler(ngx_event_t *ev)
{
    ngx_smtp_upstream_t  *upstream;

    upstream = (ngx_smtp_upstream_t *)
                   ((u_char *) ev - offsetof(ngx_smtp_upstream_t, wake));

    ev->timedout = 0;

    while (ngx_smtp_peer_queue_expire(upstream) == NGX_OK) {
        /* void */
    }

    if (upstream->zone && upstream->nwaiting
        && upstream->buried != ngx_time())
    {
        upstream->buried = ngx_time();
        ngx_smtp_servers_bury(upstream->servers);
    }

    ngx_smtp_peer_queue_serve(upstream);
    ngx_smtp_peer_queue_timer(upstream);
}


/* NGX_OK: the first one has waited for long enough */

static ngx_int_t
ngx_smtp_peer_queue_expire(ngx_smtp_upstream_t *upstream)
{
    ngx_queue_t      *q;
    ngx_smtp_peer_t  *peer;

    if (ngx_queue_empty(&upstream->waiting)) {
        return NGX_DECLINED;
    }

    q = ngx_queue_head(&upstream->waiting);
    peer = ngx_queue_data(q, ngx_smtp_peer_t, queue);

    if ((ngx_msec_int_t) (peer->deadline - ngx_current_msec) > 0) {
        return NGX_DECLINED;
    }

    if (!peer->unresolved) {
        peer->busy = 1;
        ngx_smtp_peer_queue_busy(peer);
    }

    ngx_smtp_peer_queue_remove(peer);
    ngx_smtp_op_finish(peer->op, NGX_DECLINED);

    return NGX_OK;
}


static void
ngx_smtp_peer_queue_serve(ngx_smtp_upstream_t *upstream)
{
    ngx_int_t         rc;
    ngx_queue_t      *q, *next;
    ngx_smtp_peer_t  *peer;

    for (q = ngx_queue_head(&upstream->waiting);
         q != ngx_queue_sentinel(&upstream->waiting);
         q = next)
    {
        next = ngx_queue_next(q);
        peer = ngx_queue_data(q, ngx_smtp_peer_t, queue);

        rc = ngx_smtp_peer_next(peer);

        if (rc == NGX_BUSY) {

            /* what is too much for who can have any is so for the others */

            if (peer->ntried == 0) {
                break;
            }

            continue;
        }

        ngx_smtp_peer_queue_remove(peer);

        /* with NGX_AGAIN the op is the resolver's now */

        if (rc != NGX_AGAIN) {
            ngx_smtp_op_finish(peer->op, rc);
        }
    }
}


/*
 * Sessions wait, so it is a timer that holds up a worker which is to stop.
 */

static void
ngx_smtp_peer_queue_timer(ngx_smtp_upstream_t *upstream)
{
    ngx_event_t      *wake;
    ngx_queue_t      *q;
    ngx_msec_t        timer;
    ngx_msec_int_t    left;
    ngx_smtp_peer_t  *peer;

    wake = &upstream->wake;

    if (ngx_queue_empty(&upstream->waiting)) {

        if (wake->timer_set) {
            ngx_del_timer(wake);
        }

        if (wake->posted) {
            ngx_delete_posted_event(wake);
        }

        return;
    }

    if (wake->handler == NULL) {
        ngx_smtp_peer_queue_connection.fd = (ngx_socket_t) -1;

        wake->handler = ngx_smtp_peer_queue_handler;
        wake->data = &ngx_smtp_peer_queue_connection;
        wake->log = ngx_cycle->log;
    }

    if (wake->timer_set) {
        return;
    }

    q = ngx_queue_head(&upstream->waiting);
    peer = ngx_queue_data(q, ngx_smtp_peer_t, queue);

    left = (ngx_msec_int_t) (peer->deadline - ngx_current_msec);

    timer = upstream->zone ? NGX_SMTP_PEER_POLL_ZONE : NGX_SMTP_PEER_POLL;

    ngx_add_timer(wake, ngx_min(timer, (ngx_msec_t) ngx_max(left, 1)));
}

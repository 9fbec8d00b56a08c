
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * The choice of a server: nginx's smooth weighted round robin, with the same
 * marks.  A server is down for fail_timeout after max_fails failures, then
 * one request at a time probes it, as "checked" moves on with each choice;
 * its effective weight falls with failures and recovers with choices.
 */


static ngx_smtp_server_t *ngx_smtp_peer_rr_best(ngx_smtp_peer_t *peer,
    ngx_uint_t backup);
static ngx_uint_t ngx_smtp_peer_rr_down(ngx_smtp_server_t *server, time_t now);
static ngx_uint_t ngx_smtp_peer_rr_forgive(ngx_smtp_peer_t *peer);


#define ngx_smtp_peer_rr_word(i)  ((i) / (8 * sizeof(uintptr_t)))
#define ngx_smtp_peer_rr_bit(i)                                              \
    ((uintptr_t) 1 << (i) % (8 * sizeof(uintptr_t)))


ngx_smtp_server_t *
ngx_smtp_peer_rr_get(ngx_smtp_peer_t *peer)
{
    ngx_smtp_server_t  *server;

    peer->server = NULL;

    do {
        server = NULL;

        if (!peer->backup) {
            server = ngx_smtp_peer_rr_best(peer, 0);
        }

        if (server == NULL) {
            peer->backup = 1;
            server = ngx_smtp_peer_rr_best(peer, 1);
        }

    } while (server == NULL && ngx_smtp_peer_rr_forgive(peer));

    if (server == NULL) {
        return NULL;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, peer->log, 0,
                   "smtp peer get %V, weight: %i",
                   &server->name, server->current_weight);

    peer->server = server;

    return server;
}


void
ngx_smtp_peer_rr_free(ngx_smtp_peer_t *peer, ngx_uint_t failed)
{
    time_t              now;
    ngx_smtp_server_t  *server;

    server = peer->server;

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, peer->log, 0,
                   "smtp peer free %V, failed: %ui", &server->name, failed);

    /* the only server is never down: there is nothing better to do */

    if (peer->upstream->single) {
        return;
    }

    if (!failed) {

        /* only who was chosen after the last failure tells of recovery */

        if (server->accessed < server->checked) {
            server->fails = 0;
        }

        return;
    }

    now = ngx_time();

    server->fails++;
    server->accessed = now;
    server->checked = now;

    if (server->max_fails == 0) {
        return;
    }

    server->effective_weight -= server->weight / (ngx_int_t) server->max_fails;

    if (server->effective_weight < 0) {
        server->effective_weight = 0;
    }

    if (server->fails >= server->max_fails) {
        ngx_log_error(NGX_LOG_WARN, peer->log, 0,
                      "upstream server %V temporarily disabled",
                      &server->name);
    }
}


static ngx_smtp_server_t *
ngx_smtp_peer_rr_best(ngx_smtp_peer_t *peer, ngx_uint_t backup)
{
    time_t              now;
    ngx_int_t           total;
    ngx_uint_t          i, n;
    ngx_smtp_server_t  *server, *best;

    now = ngx_time();

    n = 0;
    total = 0;
    best = NULL;
    server = peer->upstream->servers;

    for (i = 0; i < peer->upstream->nservers; i++, server++) {

        if (server->backup != backup
            || (peer->tried[ngx_smtp_peer_rr_word(i)]
                & ngx_smtp_peer_rr_bit(i))
            || ngx_smtp_peer_rr_down(server, now))
        {
            continue;
        }

        server->current_weight += server->effective_weight;
        total += server->effective_weight;

        if (server->effective_weight < server->weight) {
            server->effective_weight++;
        }

        if (best == NULL || server->current_weight > best->current_weight) {
            best = server;
            n = i;
        }
    }

    if (best == NULL) {
        return NULL;
    }

    peer->tried[ngx_smtp_peer_rr_word(n)] |= ngx_smtp_peer_rr_bit(n);

    best->current_weight -= total;

    if (now - best->checked > best->fail_timeout) {
        best->checked = now;
    }

    return best;
}


static ngx_uint_t
ngx_smtp_peer_rr_down(ngx_smtp_server_t *server, time_t now)
{
    if (server->down) {
        return 1;
    }

    return server->max_fails
           && server->fails >= server->max_fails
           && now - server->checked <= server->fail_timeout;
}


/*
 * With every server down the marks tell nothing any more: those that this
 * request has not tried get their chance.  Once, or a dead group would be
 * walked through without end.
 */

static ngx_uint_t
ngx_smtp_peer_rr_forgive(ngx_smtp_peer_t *peer)
{
    time_t              now;
    ngx_uint_t          i;
    ngx_smtp_server_t  *server;

    if (peer->forgiven) {
        return 0;
    }

    now = ngx_time();
    server = peer->upstream->servers;

    for (i = 0; i < peer->upstream->nservers; i++) {
        if (!ngx_smtp_peer_rr_down(&server[i], now)) {
            return 0;
        }
    }

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, peer->log, 0,
                   "smtp peer: all of \"%V\" are down, marks forgotten",
                   &peer->upstream->name);

    for (i = 0; i < peer->upstream->nservers; i++) {
        server[i].fails = 0;
    }

    peer->forgiven = 1;
    peer->backup = 0;

    return 1;
}

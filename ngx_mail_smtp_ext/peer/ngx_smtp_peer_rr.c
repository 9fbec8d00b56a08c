
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * nginx's smooth weighted round robin: what is used unless a group says
 * something else, and what the other ways end in.
 */


static ngx_smtp_server_t *ngx_smtp_peer_rr_get(ngx_smtp_peer_t *peer,
    ngx_smtp_server_set_t *set, time_t now);


const ngx_smtp_balancer_t  ngx_smtp_balancer_rr = {
    ngx_string("round_robin"),
    NULL,
    ngx_smtp_peer_rr_get,
    1
};


static ngx_smtp_server_t *
ngx_smtp_peer_rr_get(ngx_smtp_peer_t *peer, ngx_smtp_server_set_t *set,
    time_t now)
{
    ngx_int_t           total;
    ngx_smtp_server_t  *server, *best;

    total = 0;
    best = NULL;

    for (server = set->first; server; server = server->next) {

        if (!ngx_smtp_peer_candidate(peer, server, now)) {
            continue;
        }

        total += ngx_smtp_peer_weigh(peer->upstream->servers, server);

        if (best == NULL || server->current_weight > best->current_weight) {
            best = server;
        }
    }

    if (best) {
        best->current_weight -= total;
    }

    return best;
}


ngx_int_t
ngx_smtp_peer_weigh(ngx_smtp_servers_t *servers, ngx_smtp_server_t *server)
{
    ngx_int_t  weight;

    weight = ngx_smtp_peer_weight(servers, server, server->effective_weight);

    server->current_weight += weight;

    if (server->effective_weight < server->weight) {
        server->effective_weight++;
    }

    return weight;
}


ngx_int_t
ngx_smtp_peer_weight(ngx_smtp_servers_t *servers, ngx_smtp_server_t *server,
    ngx_int_t weight)
{
    ngx_msec_t  time, slow_start;

    weight *= servers->scale;

    if (!server->starting || weight == 0) {
        return weight;
    }

    slow_start = server->conf->slow_start;
    time = ngx_current_msec - server->start;

    if (time >= slow_start) {
        server->starting = 0;
        return weight;
    }

    weight = (ngx_int_t) ((uint64_t) weight * time / slow_start);

    return ngx_max(weight, 1);
}


void
ngx_smtp_peer_slow_start(ngx_smtp_server_t *server)
{
    if (server->conf->slow_start) {
        server->starting = 1;
        server->start = ngx_current_msec;
    }
}

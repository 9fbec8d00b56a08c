
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * "least_conn": the server with the least connections in use for its weight;
 * among several, round robin.
 */


static ngx_smtp_server_t *ngx_smtp_peer_least_conn_get(ngx_smtp_peer_t *peer,
    ngx_smtp_server_set_t *set, time_t now);


const ngx_smtp_balancer_t  ngx_smtp_balancer_least_conn = {
    ngx_string("least_conn"),
    NULL,
    ngx_smtp_peer_least_conn_get,
    1
};


static ngx_smtp_server_t *
ngx_smtp_peer_least_conn_get(ngx_smtp_peer_t *peer,
    ngx_smtp_server_set_t *set, time_t now)
{
    ngx_int_t            rc, total;
    ngx_uint_t           many;
    ngx_smtp_server_t   *server, *least, *best;
    ngx_smtp_servers_t  *servers;

    servers = peer->upstream->servers;
    least = NULL;
    many = 0;

    for (server = set->first; server; server = server->next) {

        if (!ngx_smtp_peer_candidate(peer, server, now)) {
            continue;
        }

        rc = least ? ngx_smtp_peer_load_cmp(servers, server, least) : -1;

        if (rc < 0) {
            least = server;
            many = 0;

        } else if (rc == 0) {
            many = 1;
        }
    }

    if (!many) {
        return least;
    }

    total = 0;
    best = NULL;

    for (server = least; server; server = server->next) {

        if (ngx_smtp_peer_load_cmp(servers, server, least) != 0
            || !ngx_smtp_peer_candidate(peer, server, now))
        {
            continue;
        }

        total += ngx_smtp_peer_weigh(servers, server);

        if (best == NULL || server->current_weight > best->current_weight) {
            best = server;
        }
    }

    best->current_weight -= total;

    return best;
}


ngx_int_t
ngx_smtp_peer_load_cmp(ngx_smtp_servers_t *servers, ngx_smtp_server_t *one,
    ngx_smtp_server_t *two)
{
    int64_t  first, second;

    first = (int64_t) one->conns
            * ngx_smtp_peer_weight(servers, two, two->weight);
    second = (int64_t) two->conns
             * ngx_smtp_peer_weight(servers, one, one->weight);

    return (first > second) - (first < second);
}

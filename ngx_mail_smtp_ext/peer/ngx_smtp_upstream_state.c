
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * What is to be seen of groups from outside.
 */


static void ngx_smtp_upstream_state(ngx_smtp_upstream_t *upstream,
    ngx_smtp_server_t *server, ngx_smtp_server_state_t *state);


void
ngx_smtp_upstream_states(ngx_smtp_server_state_pt each, void *data)
{
    ngx_uint_t                i, j;
    ngx_smtp_server_t        *server;
    ngx_smtp_servers_t       *servers;
    ngx_smtp_upstream_t     **upstreams;
    ngx_smtp_peer_conf_t     *conf;
    ngx_smtp_server_state_t   state;

    conf = ngx_mail_smtp_ext_peer_cycle_conf();
    if (conf == NULL) {
        return;
    }

    upstreams = conf->upstreams.elts;

    for (i = 0; i < conf->upstreams.nelts; i++) {

        servers = upstreams[i]->servers;

        if (!upstreams[i]->defined || servers == NULL) {
            continue;
        }

        ngx_smtp_servers_lock(servers);

        for (j = 0; j < 2; j++) {

            for (server = servers->sets[j].first;
                 server;
                 server = server->next)
            {
                ngx_smtp_upstream_state(upstreams[i], server, &state);
                each(&state, data);
            }
        }

        ngx_smtp_servers_unlock(servers);
    }
}


static void
ngx_smtp_upstream_state(ngx_smtp_upstream_t *upstream,
    ngx_smtp_server_t *server, ngx_smtp_server_state_t *state)
{
    ngx_smtp_server_conf_t  *sc;

    sc = server->conf;

    ngx_memzero(state, sizeof(ngx_smtp_server_state_t));

    state->upstream = upstream->name;
    state->waiting = upstream->nwaiting;
    state->server = server->name;
    state->weight = server->weight;
    state->conns = server->conns;
    state->max_conns = sc->max_conns;
    state->count = server->count;

    state->backup = server->backup;
    state->down = sc->down;
    state->unhealthy = server->unhealthy;
    state->checking = server->checking;
    state->starting = server->starting;

    state->failing = sc->max_fails
                     && server->fails >= sc->max_fails
                     && ngx_time() - server->checked <= sc->fail_timeout;
}

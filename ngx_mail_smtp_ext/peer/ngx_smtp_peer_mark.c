
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * Marks, those of nginx: a server is down for fail_timeout after max_fails
 * failures, then one request at a time probes it, as "checked" moves on with
 * each choice; its effective weight falls with failures and recovers with
 * choices.  An outage is logged when it begins and when it ends.
 */


/* what is to be logged when the lock is no longer held */
typedef enum {
    NGX_SMTP_PEER_SAY_NOTHING = 0,
    NGX_SMTP_PEER_SAY_DISABLED,
    NGX_SMTP_PEER_SAY_UP
} ngx_smtp_peer_say_e;


static ngx_smtp_peer_say_e ngx_smtp_peer_mark_failed(
    ngx_smtp_servers_t *servers, ngx_smtp_server_t *server);
static ngx_smtp_peer_say_e ngx_smtp_peer_mark_passed(
    ngx_smtp_servers_t *servers, ngx_smtp_server_t *server);


ngx_uint_t
ngx_smtp_peer_down(ngx_smtp_server_t *server, time_t now)
{
    ngx_smtp_server_conf_t  *sc;

    sc = server->conf;

    if (sc->down || server->unhealthy) {
        return 1;
    }

    return sc->max_fails
           && server->fails >= sc->max_fails
           && now - server->checked <= sc->fail_timeout;
}


ngx_uint_t
ngx_smtp_peer_candidate(ngx_smtp_peer_t *peer, ngx_smtp_server_t *server,
    time_t now)
{
    ngx_uint_t  i;

    for (i = 0; i < peer->ntried; i++) {
        if (peer->tried[i] == server->id) {
            return 0;
        }
    }

    if (ngx_smtp_peer_down(server, now)) {
        return 0;
    }

    if (server->conf->max_conns && server->conns >= server->conf->max_conns) {
        peer->busy = 1;
        return 0;
    }

    return 1;
}


ngx_uint_t
ngx_smtp_peer_more(ngx_smtp_peer_t *peer)
{
    time_t               now;
    ngx_uint_t           i, more;
    ngx_smtp_server_t   *server;
    ngx_smtp_servers_t  *servers;

    if (peer->naddr < peer->naddrs) {
        return 1;
    }

    now = ngx_time();
    more = 0;
    servers = peer->upstream->servers;

    ngx_smtp_servers_lock(servers);

    for (i = 0; i < 2 && !more; i++) {
        for (server = servers->sets[i].first; server; server = server->next) {
            if (ngx_smtp_peer_candidate(peer, server, now)) {
                more = 1;
                break;
            }
        }
    }

    ngx_smtp_servers_unlock(servers);

    return more;
}


ngx_uint_t
ngx_smtp_peer_max_conns(ngx_smtp_upstream_t *upstream)
{
    ngx_uint_t           i, sum, unlimited;
    ngx_smtp_server_t   *server;
    ngx_smtp_servers_t  *servers;

    sum = 0;
    unlimited = 0;
    servers = upstream->group->servers;

    ngx_smtp_servers_lock(servers);

    for (i = 0; i < 2; i++) {
        for (server = servers->sets[i].first; server; server = server->next) {

            if (!server->conf->down) {
                sum += server->conf->max_conns;
                unlimited |= (server->conf->max_conns == 0);
            }
        }
    }

    ngx_smtp_servers_unlock(servers);

    return unlimited ? 0 : sum;
}


ngx_int_t
ngx_smtp_peer_tried(ngx_smtp_peer_t *peer, ngx_smtp_server_t *server)
{
    ngx_uint_t  *tried;

    if (peer->ntried == peer->tried_max) {

        if (peer->tried == NULL) {
            tried = peer->tried_first;
            peer->tried_max = NGX_SMTP_PEER_TRIED;

        } else {
            tried = ngx_palloc(peer->pool,
                               2 * peer->tried_max * sizeof(ngx_uint_t));
            if (tried == NULL) {
                return NGX_ERROR;
            }

            ngx_memcpy(tried, peer->tried, peer->ntried * sizeof(ngx_uint_t));
            peer->tried_max *= 2;
        }

        peer->tried = tried;
    }

    peer->tried[peer->ntried++] = server->id;

    return NGX_OK;
}


ngx_uint_t
ngx_smtp_peer_forgive(ngx_smtp_peer_t *peer, time_t now)
{
    ngx_uint_t           i;
    ngx_smtp_server_t   *server;
    ngx_smtp_servers_t  *servers;

    if (peer->forgiven) {
        return 0;
    }

    servers = peer->upstream->servers;

    for (i = 0; i < 2; i++) {
        for (server = servers->sets[i].first; server; server = server->next) {
            if (!ngx_smtp_peer_down(server, now)) {
                return 0;
            }
        }
    }

    for (i = 0; i < 2; i++) {
        for (server = servers->sets[i].first; server; server = server->next) {
            server->fails = 0;
        }
    }

    peer->forgiven = 1;

    return 1;
}


void
ngx_smtp_peer_mark(ngx_smtp_peer_t *peer, ngx_uint_t result)
{
    ngx_str_t            *name;
    ngx_smtp_server_t    *server;
    ngx_smtp_servers_t   *servers;
    ngx_smtp_upstream_t  *upstream;
    ngx_smtp_peer_say_e   say;

    say = NGX_SMTP_PEER_SAY_NOTHING;
    upstream = peer->upstream;
    servers = upstream->servers;

    ngx_smtp_servers_lock(servers);

    server = ngx_smtp_servers_find(upstream, peer->server, peer->server_id);

    if (server && result == NGX_SMTP_PEER_FAILED) {
        say = ngx_smtp_peer_mark_failed(servers, server);

    } else if (server && result == NGX_SMTP_PEER_PASSED) {
        say = ngx_smtp_peer_mark_passed(servers, server);
    }

    if (peer->reserved) {
        peer->reserved = 0;
        ngx_smtp_servers_release(servers, server);
    }

    ngx_smtp_servers_unlock(servers);

    ngx_smtp_peer_wake(upstream);

    /* a server that may be gone by now has left its name in peer */

    name = upstream->dynamic ? &peer->name : &peer->server->name;

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, peer->log, 0,
                   "smtp peer free %V, result: %ui", name, result);

    if (say == NGX_SMTP_PEER_SAY_DISABLED) {
        ngx_log_error(NGX_LOG_WARN, peer->log, 0,
                      "upstream server %V temporarily disabled", name);

    } else if (say == NGX_SMTP_PEER_SAY_UP) {
        ngx_log_error(NGX_LOG_NOTICE, peer->log, 0,
                      "upstream server %V is up again", name);
    }
}


static ngx_smtp_peer_say_e
ngx_smtp_peer_mark_failed(ngx_smtp_servers_t *servers,
    ngx_smtp_server_t *server)
{
    time_t                   now;
    ngx_uint_t               disabled;
    ngx_smtp_server_conf_t  *sc;

    sc = server->conf;
    disabled = 0;

    server->count.failures++;

    /* the only server is never down: there is nothing better to do */

    if (!servers->single) {
        now = ngx_time();

        server->fails++;
        server->accessed = now;
        server->checked = now;

        if (sc->max_fails) {
            server->effective_weight -= server->weight
                                        / (ngx_int_t) sc->max_fails;

            if (server->effective_weight < 0) {
                server->effective_weight = 0;
            }

            disabled = (server->fails >= sc->max_fails);

            if (!disabled) {
                return NGX_SMTP_PEER_SAY_NOTHING;
            }
        }
    }

    /* one that is never disabled has an outage all the same */

    if (server->outage) {
        return NGX_SMTP_PEER_SAY_NOTHING;
    }

    server->outage = 1;
    server->count.outages++;
    server->count.since = ngx_time();

    return disabled ? NGX_SMTP_PEER_SAY_DISABLED : NGX_SMTP_PEER_SAY_NOTHING;
}


static ngx_smtp_peer_say_e
ngx_smtp_peer_mark_passed(ngx_smtp_servers_t *servers,
    ngx_smtp_server_t *server)
{
    ngx_uint_t  max_fails;

    max_fails = server->conf->max_fails;

    /* only who was chosen after the last failure tells of recovery */

    if (servers->single || server->accessed < server->checked) {
        server->fails = 0;
    }

    if (!server->outage || (max_fails && server->fails >= max_fails)) {
        return NGX_SMTP_PEER_SAY_NOTHING;
    }

    server->outage = 0;
    server->count.since = ngx_time();

    if (max_fails) {
        ngx_smtp_peer_slow_start(server);
    }

    return NGX_SMTP_PEER_SAY_UP;
}

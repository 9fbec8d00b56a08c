
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_private.h>


/*
 * "random": a server by lot, weights considered; "random two": the better one
 * of two, by least_conn.  That is nearly as good as the best of all, and
 * several nginx in front of the same servers do not run all to the same one.
 */


static char *ngx_smtp_peer_random_parse(ngx_conf_t *cf,
    ngx_smtp_upstream_t *upstream);
static ngx_smtp_server_t *ngx_smtp_peer_random_get(ngx_smtp_peer_t *peer,
    ngx_smtp_server_set_t *set, time_t now);
static ngx_smtp_server_t *ngx_smtp_peer_random_two(ngx_smtp_peer_t *peer,
    ngx_smtp_server_set_t *set, time_t now);
static ngx_smtp_server_t *ngx_smtp_peer_random_draw(ngx_smtp_peer_t *peer,
    ngx_smtp_server_set_t *set, time_t now, ngx_smtp_server_t *but);


const ngx_smtp_balancer_t  ngx_smtp_balancer_random = {
    ngx_string("random"),
    ngx_smtp_peer_random_parse,
    ngx_smtp_peer_random_get,
    0
};


const ngx_smtp_balancer_t  ngx_smtp_balancer_random_two = {
    ngx_string("random"),
    NULL,
    ngx_smtp_peer_random_two,
    0
};


static char *
ngx_smtp_peer_random_parse(ngx_conf_t *cf, ngx_smtp_upstream_t *upstream)
{
    ngx_str_t   *value;
    ngx_uint_t   n;

    value = cf->args->elts;
    n = 1;

    if (cf->args->nelts > 1 && ngx_strcmp(value[1].data, "two") == 0) {
        upstream->balancer = &ngx_smtp_balancer_random_two;
        n = 2;

        if (cf->args->nelts > 2
            && ngx_strcmp(value[2].data, "least_conn") == 0)
        {
            n = 3;
        }
    }

    if (n < cf->args->nelts) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[n]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_smtp_server_t *
ngx_smtp_peer_random_get(ngx_smtp_peer_t *peer, ngx_smtp_server_set_t *set,
    time_t now)
{
    return ngx_smtp_peer_random_draw(peer, set, now, NULL);
}


static ngx_smtp_server_t *
ngx_smtp_peer_random_two(ngx_smtp_peer_t *peer, ngx_smtp_server_set_t *set,
    time_t now)
{
    ngx_smtp_server_t  *one, *two;

    one = ngx_smtp_peer_random_draw(peer, set, now, NULL);

    if (one == NULL) {
        return NULL;
    }

    two = ngx_smtp_peer_random_draw(peer, set, now, one);

    if (two
        && ngx_smtp_peer_load_cmp(peer->upstream->servers, two, one) <= 0)
    {
        return two;
    }

    return one;
}


/* out of the candidates, whatever their number: no draw is in vain */

static ngx_smtp_server_t *
ngx_smtp_peer_random_draw(ngx_smtp_peer_t *peer, ngx_smtp_server_set_t *set,
    time_t now, ngx_smtp_server_t *but)
{
    ngx_uint_t          total, lot;
    ngx_smtp_server_t  *server;

    total = 0;

    for (server = set->first; server; server = server->next) {
        if (server != but && ngx_smtp_peer_candidate(peer, server, now)) {
            total += server->weight;
        }
    }

    if (total == 0) {
        return NULL;
    }

    lot = ngx_random() % total;

    for (server = set->first; server; server = server->next) {

        if (server == but || !ngx_smtp_peer_candidate(peer, server, now)) {
            continue;
        }

        if (lot < (ngx_uint_t) server->weight) {
            return server;
        }

        lot -= server->weight;
    }

    return NULL;
}

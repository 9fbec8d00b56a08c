
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_hook_private.h>


/*
 * Where the recipients of a changed envelope are: by the routes of the answer,
 * or as the configuration has it; and whether there are too many of them.
 */


static ngx_int_t ngx_smtp_hook_places_route(ngx_smtp_hook_envelope_t *env,
    ngx_smtp_hook_route_t *route);
static ngx_int_t ngx_smtp_hook_places_all(ngx_smtp_hook_envelope_t *env);
static ngx_int_t ngx_smtp_hook_places_one(ngx_smtp_hook_envelope_t *env,
    ngx_smtp_hook_who_t *who);
static ngx_int_t ngx_smtp_hook_places_bounds(ngx_smtp_hook_envelope_t *env);


ngx_int_t
ngx_smtp_hook_places(ngx_smtp_hook_envelope_t *env)
{
    ngx_int_t               rc;
    ngx_uint_t              i;
    ngx_smtp_hook_route_t  *route;

    route = env->run->answer.routes.elts;

    for (i = 0; i < env->run->answer.routes.nelts; i++) {
        rc = ngx_smtp_hook_places_route(env, &route[i]);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_smtp_hook_places_all(env);

    return (rc == NGX_OK) ? ngx_smtp_hook_places_bounds(env) : rc;
}


/* without "to": the recipient that was asked about, or else all */

static ngx_int_t
ngx_smtp_hook_places_route(ngx_smtp_hook_envelope_t *env,
    ngx_smtp_hook_route_t *route)
{
    ngx_uint_t            i, found, meant;
    ngx_smtp_dest_t      *dest;
    ngx_smtp_hook_who_t  *who;
    ngx_smtp_hook_run_t  *run;

    run = env->run;

    dest = ngx_smtp_dest_find(run->session->service->hook_dests,
                              &route->pass);

    if (dest == NULL) {
        return ngx_smtp_hook_envelope_cant(env,
                          "a route that \"smtp_hook_route\" does not name");
    }

    found = 0;
    who = env->who.elts;

    for (i = 0; i < env->who.nelts; i++) {

        if (who[i].deleted) {
            continue;
        }

        /* where the others are at RCPT their next hops have been told */

        meant = (run->stage == NGX_SMTP_HOOK_DATA || who[i].added
                 || who[i].rcpt == env->asked);

        if (route->to.len) {
            meant = meant && ngx_smtp_hook_envelope_same(&who[i].rcpt->addr,
                                                         &route->to);

        } else if (run->stage != NGX_SMTP_HOOK_DATA) {
            meant = meant && !who[i].added;
        }

        if (!meant) {
            continue;
        }

        if (who[i].dest) {
            return ngx_smtp_hook_envelope_cant(env,
                                               "two routes for a recipient");
        }

        /* to refuse is what "reject" is for, where no RCPT is answered */

        if (dest->refuses
            && (run->stage != NGX_SMTP_HOOK_RCPT || who[i].added))
        {
            return ngx_smtp_hook_envelope_cant(env,
                                               "a route that refuses");
        }

        who[i].dest = dest;
        found = 1;
    }

    if (!found) {
        return ngx_smtp_hook_envelope_cant(env, "a route for somebody else");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_hook_places_all(ngx_smtp_hook_envelope_t *env)
{
    ngx_int_t             rc;
    ngx_uint_t            i;
    ngx_smtp_dest_t      *before;
    ngx_smtp_hook_who_t  *who;

    who = env->who.elts;

    for (i = 0; i < env->who.nelts; i++) {

        if (who[i].deleted) {

            /* at RCPT: 250 would be for anybody */

            if (!who[i].added && who[i].rcpt->dest == NULL) {
                return ngx_smtp_hook_envelope_cant(env,
                              "nobody could get what is to be discarded");
            }

            continue;
        }

        if (!who[i].added && who[i].dest == NULL) {
            continue;
        }

        before = who[i].rcpt->dest;

        rc = ngx_smtp_hook_places_one(env, &who[i]);

        who[i].dest = who[i].rcpt->dest;
        who[i].rcpt->dest = before;

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


/* leaves in rcpt->dest where it is to be */

static ngx_int_t
ngx_smtp_hook_places_one(ngx_smtp_hook_envelope_t *env,
    ngx_smtp_hook_who_t *who)
{
    ngx_int_t         rc;
    ngx_smtp_tx_t    *tx;
    ngx_smtp_rcpt_t  *rcpt;

    tx = env->tx;
    rcpt = who->rcpt;

    tx->rcpt = rcpt;

    if (who->dest == NULL) {
        rc = ngx_smtp_phase_add(env->run->session, tx);

    } else {
        rcpt->dest = who->dest;
        rc = rcpt->dest->many ? rcpt->dest->type->resolve(tx, rcpt) : NGX_OK;
    }

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DONE || rcpt->dest == NULL
        || (rcpt->dest->refuses && who->added))
    {
        ngx_memzero(&rcpt->verdict, sizeof(ngx_smtp_verdict_t));

        return ngx_smtp_hook_envelope_cant(env,
                                  "a recipient that is not to be had there");
    }

    return NGX_OK;
}


/* as many as a client could have named, and as many places */

static ngx_int_t
ngx_smtp_hook_places_bounds(ngx_smtp_hook_envelope_t *env)
{
    ngx_uint_t             i, j, n, added, places;
    ngx_array_t            dests;
    ngx_smtp_dest_t       *dest, **place;
    ngx_smtp_hook_who_t   *who;
    ngx_smtp_session_t    *s;

    s = env->run->session;
    who = env->who.elts;

    if (ngx_array_init(&dests, env->run->pool, 4, sizeof(ngx_smtp_dest_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    n = 0;
    added = 0;
    places = 0;

    for (i = 0; i < env->who.nelts; i++) {

        if (who[i].deleted) {
            continue;
        }

        n++;
        added += who[i].added || (who[i].dest != NULL);

        dest = who[i].dest ? who[i].dest : who[i].rcpt->dest;
        place = dests.elts;

        for (j = 0; j < dests.nelts && place[j] != dest; j++) { /* void */ }

        if (j == dests.nelts) {
            place = ngx_array_push(&dests);
            if (place == NULL) {
                return NGX_ERROR;
            }

            *place = dest;
            places += (dest && !dest->drops);
        }
    }

    if (added && n > ngx_smtp_rights_max_rcpt(s)) {
        return ngx_smtp_hook_envelope_cant(env, "too many recipients");
    }

    if (added && places > s->service->max_destinations) {
        return ngx_smtp_hook_envelope_cant(env, "too many destinations");
    }

    return NGX_OK;
}

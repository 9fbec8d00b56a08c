
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>
#include <ngx_smtp_hook.h>


/*
 * What an answer wants to be changed in the envelope: the sender, who gets the
 * message, and where each of them is.  First all of it is tried, on a list of
 * the recipients as they would be; then it is done.
 *
 * A recipient that is added is one only when the client has named all of its
 * own: until then what is asked and answered at RCPT is about those.  One
 * that is deleted stays where a reply is due to the client, and gets nothing.
 */


/* a recipient as it would be */
typedef struct {
    ngx_smtp_rcpt_t         *rcpt;
    ngx_smtp_dest_t         *dest;           /* a route's; NULL: as it was */
    unsigned                 added:1;        /* by this answer */
    unsigned                 deleted:1;      /* ... */
} ngx_smtp_hook_who_t;


/* what a change of the sender changes in a transaction */
typedef struct {
    ngx_str_t                mail_from;
    ngx_str_t                auth;
    ngx_str_t                params[NGX_SMTP_PARAM_MAIL_MAX];
    unsigned                 utf8:1;
} ngx_smtp_hook_sender_t;


typedef struct {
    ngx_smtp_hook_run_t     *run;
    ngx_smtp_tx_t           *tx;
    ngx_smtp_rcpt_t         *asked;          /* at RCPT: about whom */
    ngx_array_t              who;            /* of ngx_smtp_hook_who_t */
    ngx_smtp_hook_sender_t   sender;         /* as it will be */
    char                    *reason;
    unsigned                 from:1;         /* another sender */
} ngx_smtp_hook_envelope_t;


static ngx_int_t ngx_smtp_hook_envelope_all(ngx_smtp_hook_envelope_t *env);
static ngx_int_t ngx_smtp_hook_envelope_list(ngx_smtp_hook_envelope_t *env,
    ngx_queue_t *rcpts);
static ngx_smtp_hook_who_t *ngx_smtp_hook_envelope_who(
    ngx_smtp_hook_envelope_t *env, ngx_smtp_rcpt_t *rcpt);
static ngx_int_t ngx_smtp_hook_envelope_from(ngx_smtp_hook_envelope_t *env,
    ngx_smtp_hook_change_t *change);
static ngx_int_t ngx_smtp_hook_envelope_params(ngx_smtp_hook_envelope_t *env,
    ngx_smtp_hook_change_t *change, ngx_uint_t rcpt);
static ngx_uint_t ngx_smtp_hook_envelope_content(ngx_str_t *param);
static ngx_int_t ngx_smtp_hook_envelope_add(ngx_smtp_hook_envelope_t *env,
    ngx_smtp_hook_change_t *change);
static ngx_int_t ngx_smtp_hook_envelope_delete(ngx_smtp_hook_envelope_t *env,
    ngx_smtp_hook_change_t *change);
static ngx_int_t ngx_smtp_hook_envelope_route(ngx_smtp_hook_envelope_t *env,
    ngx_smtp_hook_route_t *route);
static ngx_int_t ngx_smtp_hook_envelope_places(ngx_smtp_hook_envelope_t *env);
static ngx_int_t ngx_smtp_hook_envelope_place(ngx_smtp_hook_envelope_t *env,
    ngx_smtp_hook_who_t *who);
static ngx_int_t ngx_smtp_hook_envelope_bounds(ngx_smtp_hook_envelope_t *env);
static ngx_uint_t ngx_smtp_hook_envelope_same(ngx_str_t *a, ngx_str_t *b);
static ngx_int_t ngx_smtp_hook_envelope_cant(ngx_smtp_hook_envelope_t *env,
    char *reason);
static void ngx_smtp_hook_envelope_get(ngx_smtp_hook_sender_t *sender,
    ngx_smtp_tx_t *tx);
static void ngx_smtp_hook_envelope_put(ngx_smtp_tx_t *tx,
    ngx_smtp_hook_sender_t *sender);
static ngx_int_t ngx_smtp_hook_envelope_do(ngx_smtp_tx_t *tx,
    ngx_smtp_hook_who_t *who, ngx_smtp_dest_t *discard);


ngx_int_t
ngx_smtp_hook_envelope_prepare(ngx_smtp_hook_run_t *run, char **reason)
{
    ngx_int_t                  rc;
    ngx_smtp_hook_sender_t     before;
    ngx_smtp_hook_envelope_t  *env;

    if (run->answer.changes.nelts == 0 && run->answer.routes.nelts == 0) {
        run->envelope = NULL;
        return NGX_OK;
    }

    env = ngx_pcalloc(run->pool, sizeof(ngx_smtp_hook_envelope_t));
    if (env == NULL) {
        return NGX_ERROR;
    }

    env->run = run;
    env->tx = run->tx;
    env->asked = run->tx ? run->tx->rcpt : NULL;
    env->reason = "";

    if (!(run->stage & (NGX_SMTP_HOOK_MAIL|NGX_SMTP_HOOK_RCPT
                        |NGX_SMTP_HOOK_DATA)))
    {
        *reason = "there is nothing to be changed";
        return NGX_DECLINED;
    }

    /* parameters are read into the transaction, and put back as they were */

    ngx_smtp_hook_envelope_get(&before, run->tx);

    rc = ngx_smtp_hook_envelope_all(env);

    ngx_smtp_hook_envelope_get(&env->sender, run->tx);
    ngx_smtp_hook_envelope_put(run->tx, &before);
    run->tx->rcpt = env->asked;

    *reason = env->reason;
    run->envelope = env;

    return rc;
}


static ngx_int_t
ngx_smtp_hook_envelope_all(ngx_smtp_hook_envelope_t *env)
{
    ngx_int_t                rc;
    ngx_uint_t               i;
    ngx_smtp_hook_route_t   *route;
    ngx_smtp_hook_change_t  *change;

    if (ngx_array_init(&env->who, env->run->pool, 4,
                       sizeof(ngx_smtp_hook_who_t))
        != NGX_OK
        || ngx_smtp_hook_envelope_list(env, &env->tx->rcpts) != NGX_OK
        || ngx_smtp_hook_envelope_list(env, &env->tx->added) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (env->asked && ngx_smtp_hook_envelope_who(env, env->asked) == NULL)
    {
        return NGX_ERROR;
    }

    change = env->run->answer.changes.elts;

    for (i = 0; i < env->run->answer.changes.nelts; i++) {

        switch (change[i].type) {

        case NGX_SMTP_HOOK_CHANGE_FROM:
            rc = ngx_smtp_hook_envelope_from(env, &change[i]);
            break;

        case NGX_SMTP_HOOK_ADD_RCPT:
            rc = ngx_smtp_hook_envelope_add(env, &change[i]);
            break;

        case NGX_SMTP_HOOK_DELETE_RCPT:
            rc = ngx_smtp_hook_envelope_delete(env, &change[i]);
            break;

        default: /* of the message */
            rc = NGX_OK;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    route = env->run->answer.routes.elts;

    for (i = 0; i < env->run->answer.routes.nelts; i++) {
        rc = ngx_smtp_hook_envelope_route(env, &route[i]);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    rc = ngx_smtp_hook_envelope_places(env);

    return (rc == NGX_OK) ? ngx_smtp_hook_envelope_bounds(env) : rc;
}


static ngx_int_t
ngx_smtp_hook_envelope_list(ngx_smtp_hook_envelope_t *env, ngx_queue_t *rcpts)
{
    ngx_queue_t      *q;
    ngx_smtp_rcpt_t  *rcpt;

    for (q = ngx_queue_head(rcpts);
         q != ngx_queue_sentinel(rcpts);
         q = ngx_queue_next(q))
    {
        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);

        if (!rcpt->deleted
            && ngx_smtp_hook_envelope_who(env, rcpt) == NULL)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_smtp_hook_who_t *
ngx_smtp_hook_envelope_who(ngx_smtp_hook_envelope_t *env,
    ngx_smtp_rcpt_t *rcpt)
{
    ngx_smtp_hook_who_t  *who;

    who = ngx_array_push(&env->who);

    if (who) {
        ngx_memzero(who, sizeof(ngx_smtp_hook_who_t));
        who->rcpt = rcpt;
    }

    return who;
}


static ngx_int_t
ngx_smtp_hook_envelope_from(ngx_smtp_hook_envelope_t *env,
    ngx_smtp_hook_change_t *change)
{
    ngx_smtp_tx_t    *tx;
    ngx_smtp_path_t   path;

    tx = env->tx;

    path.utf8 = 0;

    if (change->value.len
        && ngx_smtp_mailbox_parse(&path, &change->value, NGX_SMTP_PATH_UTF8)
           != NGX_OK)
    {
        return ngx_smtp_hook_envelope_cant(env, "a sender is no address");
    }

    if (ngx_smtp_tx_copy(tx, &tx->mail_from, &change->value) != NGX_OK) {
        return NGX_ERROR;
    }

    env->from = 1;
    tx->utf8 |= path.utf8;

    return ngx_smtp_hook_envelope_params(env, change, 0);
}


static ngx_int_t
ngx_smtp_hook_envelope_params(ngx_smtp_hook_envelope_t *env,
    ngx_smtp_hook_change_t *change, ngx_uint_t rcpt)
{
    ngx_int_t            rc;
    ngx_str_t           *param;
    ngx_uint_t           i, reply;
    ngx_smtp_tx_t       *tx;
    ngx_smtp_session_t  *s;

    tx = env->tx;
    s = env->run->session;

    param = change->params.elts;

    for (i = 0; i < change->params.nelts; i++) {

        if (!rcpt && ngx_smtp_hook_envelope_content(&param[i])) {
            continue;
        }

        reply = tx->mail_reply;
        rc = ngx_smtp_esmtp_set(s, tx, rcpt, &param[i]);
        tx->mail_reply = reply;

        if (rc != NGX_OK) {
            return ngx_smtp_hook_envelope_cant(env,
                                               "a parameter is not possible");
        }
    }

    if (!rcpt && !ngx_smtp_esmtp_fits(tx)) {
        return ngx_smtp_hook_envelope_cant(env,
                                           "parameters that do not fit");
    }

    return NGX_OK;
}


/* what is said of the content is up to the content, and to who sends it */

static ngx_uint_t
ngx_smtp_hook_envelope_content(ngx_str_t *param)
{
    size_t       len;
    ngx_uint_t   i;

    static ngx_str_t  names[] = {
        ngx_string(" SIZE"),
        ngx_string(" BODY"),
        ngx_string(" SMTPUTF8"),
        ngx_string(" PRDR"),
        ngx_null_string
    };

    for (i = 0; names[i].len; i++) {
        len = names[i].len;

        if (param->len >= len
            && ngx_strncasecmp(param->data, names[i].data, len) == 0
            && (param->len == len || param->data[len] == '='))
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_smtp_hook_envelope_add(ngx_smtp_hook_envelope_t *env,
    ngx_smtp_hook_change_t *change)
{
    ngx_uint_t            i;
    ngx_smtp_tx_t        *tx;
    ngx_smtp_path_t       path;
    ngx_smtp_rcpt_t      *rcpt;
    ngx_smtp_hook_who_t  *who;

    tx = env->tx;

    if (ngx_smtp_mailbox_parse(&path, &change->value, NGX_SMTP_PATH_UTF8)
        != NGX_OK)
    {
        return ngx_smtp_hook_envelope_cant(env, "a recipient is no address");
    }

    /* nobody gets it twice */

    who = env->who.elts;

    for (i = 0; i < env->who.nelts; i++) {
        if (!who[i].deleted
            && ngx_smtp_hook_envelope_same(&who[i].rcpt->addr, &change->value))
        {
            return NGX_OK;
        }
    }

    rcpt = ngx_smtp_tx_rcpt(tx, &path);
    if (rcpt == NULL) {
        return NGX_ERROR;
    }

    rcpt->added = 1;
    tx->utf8 |= path.utf8;

    who = ngx_smtp_hook_envelope_who(env, rcpt);
    if (who == NULL) {
        return NGX_ERROR;
    }

    who->added = 1;

    tx->rcpt = rcpt;

    return ngx_smtp_hook_envelope_params(env, change, 1);
}


static ngx_int_t
ngx_smtp_hook_envelope_delete(ngx_smtp_hook_envelope_t *env,
    ngx_smtp_hook_change_t *change)
{
    ngx_uint_t            i, found;
    ngx_smtp_hook_who_t  *who;

    found = 0;
    who = env->who.elts;

    for (i = 0; i < env->who.nelts; i++) {
        if (!who[i].deleted
            && ngx_smtp_hook_envelope_same(&who[i].rcpt->addr, &change->value))
        {
            who[i].deleted = 1;
            found = 1;
        }
    }

    if (!found) {
        return ngx_smtp_hook_envelope_cant(env,
                                        "nobody of that name can be deleted");
    }

    return NGX_OK;
}


/* without "to": the recipient that was asked about, or else all */

static ngx_int_t
ngx_smtp_hook_envelope_route(ngx_smtp_hook_envelope_t *env,
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
ngx_smtp_hook_envelope_places(ngx_smtp_hook_envelope_t *env)
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

        rc = ngx_smtp_hook_envelope_place(env, &who[i]);

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
ngx_smtp_hook_envelope_place(ngx_smtp_hook_envelope_t *env,
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
ngx_smtp_hook_envelope_bounds(ngx_smtp_hook_envelope_t *env)
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


/* RFC 5321, 2.4: letters of a domain are the same in either case */

static ngx_uint_t
ngx_smtp_hook_envelope_same(ngx_str_t *a, ngx_str_t *b)
{
    size_t  i, local;

    if (a->len != b->len) {
        return 0;
    }

    for (local = a->len; local && a->data[local - 1] != '@'; local--) {
        /* void */
    }

    for (i = 0; i < a->len; i++) {
        if (a->data[i] != b->data[i]
            && (i < local
                || ngx_tolower(a->data[i]) != ngx_tolower(b->data[i])))
        {
            return 0;
        }
    }

    return 1;
}


static ngx_int_t
ngx_smtp_hook_envelope_cant(ngx_smtp_hook_envelope_t *env, char *reason)
{
    env->reason = reason;

    return NGX_DECLINED;
}


static void
ngx_smtp_hook_envelope_get(ngx_smtp_hook_sender_t *sender, ngx_smtp_tx_t *tx)
{
    sender->mail_from = tx->mail_from;
    sender->auth = tx->auth;
    sender->utf8 = tx->utf8;

    ngx_memcpy(sender->params, tx->params, sizeof(tx->params));
}


static void
ngx_smtp_hook_envelope_put(ngx_smtp_tx_t *tx, ngx_smtp_hook_sender_t *sender)
{
    tx->mail_from = sender->mail_from;
    tx->auth = sender->auth;
    tx->utf8 = sender->utf8;

    ngx_memcpy(tx->params, sender->params, sizeof(tx->params));
}


ngx_int_t
ngx_smtp_hook_envelope_commit(ngx_smtp_hook_run_t *run)
{
    ngx_uint_t                 i;
    ngx_smtp_tx_t             *tx;
    ngx_smtp_hook_who_t       *who;
    ngx_smtp_hook_envelope_t  *env;

    env = run->envelope;

    if (env == NULL) {
        return NGX_OK;
    }

    tx = run->tx;
    who = env->who.elts;

    if (env->from) {
        tx->changes++;
    }

    if (run->answer.changes.nelts) {

        /* nobody is asked about an envelope that is not as it was told */

        ngx_smtp_tx_in_turn(tx);
    }

    ngx_smtp_hook_envelope_put(tx, &env->sender);

    /* it says for whom the message is */

    ngx_str_null(&tx->received);

    for (i = 0; i < env->who.nelts; i++) {

        if (!who[i].added && !who[i].deleted && who[i].dest == NULL) {
            continue;
        }

        if (ngx_smtp_hook_envelope_do(tx, &who[i],
                                      run->session->service->discard)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (run->stage == NGX_SMTP_HOOK_DATA) {
        return ngx_smtp_hook_envelope_join(tx);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_hook_envelope_do(ngx_smtp_tx_t *tx, ngx_smtp_hook_who_t *who,
    ngx_smtp_dest_t *discard)
{
    ngx_smtp_rcpt_t  *rcpt;

    rcpt = who->rcpt;

    if (who->added) {

        if (!who->deleted) {
            rcpt->dest = who->dest;
            rcpt->waits = 1;
            ngx_queue_insert_tail(&tx->added, &rcpt->queue);
        }

        return NGX_OK;
    }

    if (who->deleted) {
        rcpt->deleted = 1;
        who->dest = discard;
    }

    if (rcpt == tx->rcpt) {
        rcpt->dest = who->dest;
        return NGX_OK;
    }

    if (rcpt->waits) {

        /* it has not become one yet */

        ngx_queue_remove(&rcpt->queue);
        return NGX_OK;
    }

    tx->changes++;

    return ngx_smtp_tx_rcpt_move(tx, rcpt, who->dest);
}


ngx_int_t
ngx_smtp_hook_envelope_join(ngx_smtp_tx_t *tx)
{
    ngx_queue_t      *q;
    ngx_smtp_rcpt_t  *rcpt;

    /* RFC 5321, 6.1: nothing is reported to the null path */

    if (tx->mixed == NGX_SMTP_MIXED_REPORT && tx->mail_from.len == 0) {
        tx->mixed = NGX_SMTP_MIXED_NEVER;
    }

    while (!ngx_queue_empty(&tx->added)) {

        q = ngx_queue_head(&tx->added);
        ngx_queue_remove(q);

        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);
        rcpt->waits = 0;

        if (tx->mixed == NGX_SMTP_MIXED_REPORT
            && !ngx_smtp_esmtp_dsn_failure(rcpt))
        {
            tx->mixed = NGX_SMTP_MIXED_NEVER;
        }

        tx->changes++;

        if (ngx_smtp_tx_rcpt_add(tx, rcpt) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}

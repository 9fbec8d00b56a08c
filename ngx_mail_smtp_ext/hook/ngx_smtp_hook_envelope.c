
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>
#include <ngx_smtp_hook_private.h>


/*
 * What an answer wants to be changed in the envelope: the sender, and who gets
 * the message; where each of them is, ngx_smtp_hook_places.c says.  First all
 * of it is tried, on a list of the recipients as they would be; then it is
 * done.
 *
 * A recipient that is added is one only when the client has named all of its
 * own: until then what is asked and answered at RCPT is about those.  One
 * that is deleted stays where a reply is due to the client, and gets nothing.
 */


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
static void ngx_smtp_hook_envelope_get(ngx_smtp_hook_sender_t *sender,
    ngx_smtp_tx_t *tx);
static void ngx_smtp_hook_envelope_put(ngx_smtp_tx_t *tx,
    ngx_smtp_hook_sender_t *sender);
static ngx_int_t ngx_smtp_hook_envelope_do(ngx_smtp_tx_t *tx,
    ngx_smtp_hook_who_t *who, ngx_smtp_dest_t *discard);
static ngx_int_t ngx_smtp_hook_envelope_enter(ngx_smtp_tx_t *tx,
    ngx_smtp_rcpt_t *rcpt);


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

    return ngx_smtp_hook_places(env);
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


/* RFC 5321, 2.4: letters of a domain are the same in either case */

ngx_uint_t
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


ngx_int_t
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

        if (ngx_smtp_hook_envelope_enter(tx, rcpt) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * A next hop that has as many recipients as it takes in a transaction (RFC
 * 9422) gets this one in another: nobody could send it again.
 */

static ngx_int_t
ngx_smtp_hook_envelope_enter(ngx_smtp_tx_t *tx, ngx_smtp_rcpt_t *rcpt)
{
    ngx_smtp_delivery_t  *d;

    tx->rcpt = rcpt;

    d = ngx_smtp_esmtp_part(tx, NGX_MAX_UINT32_VALUE);

    tx->rcpt = NULL;

    return d ? ngx_smtp_tx_rcpt_add(tx, rcpt) : NGX_ERROR;
}

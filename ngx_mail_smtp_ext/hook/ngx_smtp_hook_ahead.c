
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_hook.h>


/*
 * Recipients of a pipelined batch are asked about at the same time, those
 * behind the present one before their turn.  No answer has an effect before
 * it: a run that is ahead goes from hook to hook as long as they only accept,
 * and keeps the first answer that says more.
 */


/* the present one is one of them */

ngx_uint_t
ngx_smtp_hook_room(ngx_smtp_tx_t *tx)
{
    ngx_smtp_hook_conf_t  *conf;

    conf = ngx_smtp_session_srv_conf(tx->session,
                                     ngx_mail_smtp_ext_hook_module);

    return (conf->stages & NGX_SMTP_HOOK_RCPT) && !tx->in_turn && !tx->discard
           ? conf->concurrency - 1 : 0;
}


ngx_int_t
ngx_smtp_hook_ahead_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    ngx_smtp_hook_run_t  *run;

    if (tx->rcpt->dest == NULL && s->service->hook_dests == NULL) {
        return NGX_DECLINED;
    }

    run = ngx_smtp_hook_create(s, tx, op, NGX_SMTP_HOOK_RCPT);
    if (run == NULL) {
        return NGX_ERROR;
    }

    run->turn = NGX_SMTP_HOOK_AHEAD;
    run->log = *s->connection->log;

    return ngx_smtp_hook_wait(run, ngx_smtp_hook_next(run));
}


/* it wants nothing but that */

ngx_uint_t
ngx_smtp_hook_goes_on(ngx_smtp_hook_answer_t *answer)
{
    return answer->action == NGX_SMTP_HOOK_ACCEPT
           && answer->routes.nelts == 0 && answer->changes.nelts == 0;
}


/* the turn of a recipient that was asked about before */

ngx_int_t
ngx_smtp_hook_turn(ngx_smtp_rcpt_t *rcpt, ngx_smtp_op_t *op)
{
    ngx_int_t              rc;
    ngx_smtp_hook_run_t   *run;
    ngx_smtp_hook_turn_e   turn;

    run = rcpt->ahead->worker;

    rcpt->ahead->cancel = NULL;
    ngx_smtp_op_cancel(rcpt->ahead);
    rcpt->ahead = NULL;

    run->op = op;

    turn = run->turn;
    run->turn = NGX_SMTP_HOOK_IN_TURN;

    switch (turn) {

    case NGX_SMTP_HOOK_ANSWERED:
        rc = ngx_smtp_hook_step(run, ngx_smtp_hook_answered(run));
        break;

    case NGX_SMTP_HOOK_PAUSED:
        rc = ngx_smtp_hook_next(run);
        break;

    default: /* NGX_SMTP_HOOK_AHEAD */
        rc = NGX_AGAIN;
    }

    return ngx_smtp_hook_wait(run, rc);
}


/* nobody waits yet: the next hook, or what there is is kept */

void
ngx_smtp_hook_done_ahead(ngx_smtp_hook_run_t *run)
{
    char                     *reason;
    ngx_smtp_http_request_t  *r;

    r = &run->http;

    if (run->http_op.rc != NGX_OK || r->status < 200 || r->status > 299
        || ngx_smtp_hook_answer_parse(&run->answer, run->pool, &r->answer,
                                      &reason)
           != NGX_OK
        || !ngx_smtp_hook_goes_on(&run->answer))
    {
        run->turn = NGX_SMTP_HOOK_ANSWERED;
        return;
    }

    if (ngx_smtp_hook_step(run, ngx_smtp_hook_judged(run, NGX_OK, ""))
        != NGX_AGAIN)
    {
        run->turn = NGX_SMTP_HOOK_PAUSED;
    }
}

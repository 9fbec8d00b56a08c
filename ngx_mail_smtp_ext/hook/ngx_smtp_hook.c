
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_hook.h>


/*
 * The rows of the phases: at each stage the hooks that want it are asked, one
 * after the other, each of them told what the one before has changed.  The
 * first that does not accept is the last.
 */


/* the run, a request and an answer of usual size */
#define NGX_SMTP_HOOK_POOL_SIZE  4096


static ngx_int_t ngx_smtp_hook_start(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op, ngx_uint_t stage);
static ngx_int_t ngx_smtp_hook_known(ngx_smtp_hook_run_t *run);
static ngx_int_t ngx_smtp_hook_ask(ngx_smtp_hook_run_t *run);
static ngx_int_t ngx_smtp_hook_ask_header(ngx_smtp_hook_run_t *run);
static ngx_int_t ngx_smtp_hook_ask_contents(ngx_smtp_hook_run_t *run);
static ngx_int_t ngx_smtp_hook_ask_without(ngx_smtp_hook_run_t *run);
static ngx_int_t ngx_smtp_hook_send(ngx_smtp_hook_run_t *run);
static void ngx_smtp_hook_done(ngx_smtp_op_t *op);
static ngx_int_t ngx_smtp_hook_judge(ngx_smtp_hook_run_t *run);
static ngx_int_t ngx_smtp_hook_judge_changes(ngx_smtp_hook_run_t *run);
static void ngx_smtp_hook_cancel(ngx_smtp_op_t *op);


ngx_conf_enum_t  ngx_smtp_hook_stages[] = {
    { ngx_string("connect"), NGX_SMTP_HOOK_CONNECT },
    { ngx_string("ehlo"), NGX_SMTP_HOOK_EHLO },
    { ngx_string("auth"), NGX_SMTP_HOOK_AUTH },
    { ngx_string("mail"), NGX_SMTP_HOOK_MAIL },
    { ngx_string("rcpt"), NGX_SMTP_HOOK_RCPT },
    { ngx_string("data"), NGX_SMTP_HOOK_DATA },
    { ngx_null_string, 0 }
};


ngx_int_t
ngx_smtp_hook_connect_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    return ngx_smtp_hook_start(s, tx, op, NGX_SMTP_HOOK_CONNECT);
}


ngx_int_t
ngx_smtp_hook_ehlo_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    return ngx_smtp_hook_start(s, tx, op, NGX_SMTP_HOOK_EHLO);
}


ngx_int_t
ngx_smtp_hook_auth_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    return ngx_smtp_hook_start(s, tx, op, NGX_SMTP_HOOK_AUTH);
}


ngx_int_t
ngx_smtp_hook_mail_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    return ngx_smtp_hook_start(s, tx, op, NGX_SMTP_HOOK_MAIL);
}


ngx_int_t
ngx_smtp_hook_rcpt_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    /* whom the configuration does not want only a hook's route could take */

    if (tx->rcpt->dest == NULL
        && (s->service->hook_dests == NULL || tx->discard))
    {
        return NGX_DECLINED;
    }

    if (tx->discard) {
        tx->rcpt->dest = s->service->discard;
        return NGX_OK;
    }

    if (tx->rcpt->ahead) {
        return ngx_smtp_hook_turn(tx->rcpt, op);
    }

    return ngx_smtp_hook_start(s, tx, op, NGX_SMTP_HOOK_RCPT);
}


/* what a hook may still refuse or change can't be on its way already */

ngx_int_t
ngx_smtp_hook_open_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    ngx_smtp_hook_conf_t  *conf;

    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_hook_module);

    if ((conf->stages & NGX_SMTP_HOOK_DATA) || tx->discard) {
        tx->whole = 1;
    }

    /* the client has named all of its recipients */

    return (ngx_smtp_hook_envelope_join(tx) == NGX_OK) ? NGX_DECLINED
                                                       : NGX_ERROR;
}


ngx_int_t
ngx_smtp_hook_data_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    if (tx->discard) {
        return ngx_smtp_hook_discarded(tx);
    }

    return ngx_smtp_hook_start(s, tx, op, NGX_SMTP_HOOK_DATA);
}


void
ngx_smtp_hook_stage_name(ngx_uint_t stage, ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; ngx_smtp_hook_stages[i].value != stage; i++) { /* void */ }

    *name = ngx_smtp_hook_stages[i].name;
}


static ngx_int_t
ngx_smtp_hook_start(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op, ngx_uint_t stage)
{
    ngx_smtp_hook_run_t   *run;
    ngx_smtp_hook_conf_t  *conf;

    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_hook_module);

    if (!(conf->stages & stage)) {
        return NGX_DECLINED;
    }

    run = ngx_smtp_hook_create(s, tx, op, stage);

    return run ? ngx_smtp_hook_wait(run, ngx_smtp_hook_next(run)) : NGX_ERROR;
}


ngx_smtp_hook_run_t *
ngx_smtp_hook_create(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op, ngx_uint_t stage)
{
    ngx_pool_t           *pool;
    ngx_smtp_hook_run_t  *run;

    pool = ngx_create_pool(NGX_SMTP_HOOK_POOL_SIZE, s->connection->log);
    if (pool == NULL) {
        return NULL;
    }

    run = ngx_pcalloc(pool, sizeof(ngx_smtp_hook_run_t));
    if (run == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    run->pool = pool;
    run->session = s;
    run->tx = tx;
    run->rcpt = tx ? tx->rcpt : NULL;
    run->conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_hook_module);
    run->stage = stage;
    run->op = op;

    ngx_queue_init(&run->ops);

    return run;
}


ngx_int_t
ngx_smtp_hook_wait(ngx_smtp_hook_run_t *run, ngx_int_t rc)
{
    if (rc != NGX_AGAIN) {
        ngx_destroy_pool(run->pool);
        return rc;
    }

    run->op->worker = run;
    run->op->cancel = ngx_smtp_hook_cancel;

    return NGX_AGAIN;
}


ngx_int_t
ngx_smtp_hook_next(ngx_smtp_hook_run_t *run)
{
    ngx_int_t         rc;
    ngx_smtp_hook_t  *hook;

    hook = run->conf->hooks->elts;

    for ( /* void */ ; run->n < run->conf->hooks->nelts; run->n++) {
        run->hook = &hook[run->n];

        if (!(run->hook->stages & run->stage)) {
            continue;
        }

        rc = ngx_smtp_hook_known(run);

        if (rc == NGX_DECLINED) {
            rc = ngx_smtp_hook_ask(run);
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_DECLINED;
}


/* it need not be asked; NGX_DECLINED: it does */

static ngx_int_t
ngx_smtp_hook_known(ngx_smtp_hook_run_t *run)
{
    char       *reason;
    ngx_str_t   text;

    if (ngx_smtp_hook_cache_find(run, &text) != NGX_OK
        || ngx_smtp_hook_answer_parse(&run->answer, run->pool, &text, &reason)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (run->turn == NGX_SMTP_HOOK_AHEAD) {

        if (!ngx_smtp_hook_goes_on(&run->answer)) {
            run->turn = NGX_SMTP_HOOK_PAUSED;
            return NGX_AGAIN;
        }

        return NGX_OK;
    }

    /* what it wants may be possible no longer */

    return ngx_smtp_hook_apply(run, &reason);
}


static ngx_int_t
ngx_smtp_hook_ask(ngx_smtp_hook_run_t *run)
{
    ngx_int_t  rc;

    ngx_smtp_hook_request(run);

    if (run->stage != NGX_SMTP_HOOK_DATA
        || run->hook->body == NGX_SMTP_HOOK_BODY_NONE)
    {
        return ngx_smtp_hook_send(run);
    }

    rc = ngx_smtp_hook_message_header(run, ngx_smtp_hook_ask_header);

    switch (rc) {

    case NGX_OK:
        return ngx_smtp_hook_ask_header(run);

    case NGX_DECLINED:
        return ngx_smtp_hook_ask_without(run);

    default:
        return rc;
    }
}


static ngx_int_t
ngx_smtp_hook_ask_header(ngx_smtp_hook_run_t *run)
{
    off_t      size;
    ngx_int_t  rc;

    rc = ngx_smtp_hook_message_tell(run);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? ngx_smtp_hook_ask_without(run) : rc;
    }

    if (run->hook->body == NGX_SMTP_HOOK_BODY_HEADERS) {
        return ngx_smtp_hook_send(run);
    }

    size = run->tx->spool->size - (off_t) run->tx->header.size;

    if (size > run->hook->max_body) {
        return ngx_smtp_hook_ask_without(run);
    }

    ngx_smtp_hook_text_open(&run->text, "contents", "\"");

    rc = ngx_smtp_hook_message_contents(run, ngx_smtp_hook_ask_contents);

    return (rc == NGX_OK) ? ngx_smtp_hook_ask_contents(run) : rc;
}


static ngx_int_t
ngx_smtp_hook_ask_contents(ngx_smtp_hook_run_t *run)
{
    ngx_smtp_hook_text_piece_end(&run->text, &run->message.js);
    ngx_smtp_hook_text_raw(&run->text, "\"");

    return ngx_smtp_hook_send(run);
}


/* it is too long to be told */

static ngx_int_t
ngx_smtp_hook_ask_without(ngx_smtp_hook_run_t *run)
{
    if (run->hook->oversize == NGX_SMTP_HOOK_OVERSIZE_OMIT) {
        return ngx_smtp_hook_send(run);
    }

    ngx_smtp_verdict_set(&run->tx->verdict, NGX_SMTP_REPLY_HOOK_TOO_BIG);
    ngx_str_set(&run->tx->hook, "reject");

    return NGX_DONE;
}


static ngx_int_t
ngx_smtp_hook_send(ngx_smtp_hook_run_t *run)
{
    ngx_smtp_session_t       *s;
    ngx_smtp_http_request_t  *r;

    s = run->session;
    r = &run->http;

    ngx_memzero(r, sizeof(ngx_smtp_http_request_t));

    if (ngx_smtp_hook_request_end(run, &r->body) != NGX_OK) {
        return NGX_ERROR;
    }

    r->conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_http_module);
    r->url = &run->hook->url;
    r->pool = run->pool;
    r->log = (run->turn == NGX_SMTP_HOOK_AHEAD) ? &run->log
                                                : s->connection->log;
    r->resolver = s->service->resolver;
    r->resolver_timeout = s->service->resolver_timeout;
    r->connect_timeout = NGX_CONF_UNSET_MSEC;
    r->timeout = run->hook->timeout;
    r->fields = run->conf->fields.text;
    r->max_body = run->hook->max_answer;

    /* it is a question: what the service thinks of it changes nothing here */

    r->ask = 1;
    ngx_str_set(&r->method, "POST");
    ngx_str_set(&r->type, "application/json");

    ngx_smtp_op_start(&run->http_op, &run->ops, ngx_smtp_hook_done, run,
                      r->log);

    ngx_smtp_http_start(r, &run->http_op);

    return NGX_AGAIN;
}


static void
ngx_smtp_hook_done(ngx_smtp_op_t *op)
{
    ngx_smtp_hook_run_t  *run;

    run = op->data;

    if (run->turn == NGX_SMTP_HOOK_AHEAD) {
        ngx_smtp_hook_done_ahead(run);
        return;
    }

    ngx_smtp_hook_go_on(run, ngx_smtp_hook_answered(run));
}


void
ngx_smtp_hook_go_on(ngx_smtp_hook_run_t *run, ngx_int_t rc)
{
    ngx_pool_t     *pool;
    ngx_smtp_op_t  *waiter;

    rc = ngx_smtp_hook_step(run, rc);

    if (rc == NGX_AGAIN) {
        return;
    }

    waiter = run->op;
    pool = run->pool;

    ngx_destroy_pool(pool);

    ngx_smtp_op_finish(waiter, rc);
}


ngx_int_t
ngx_smtp_hook_step(ngx_smtp_hook_run_t *run, ngx_int_t rc)
{
    if (rc != NGX_OK) {
        return rc;
    }

    run->n++;

    return ngx_smtp_hook_next(run);
}


ngx_int_t
ngx_smtp_hook_answered(ngx_smtp_hook_run_t *run)
{
    return (run->http_op.rc == NGX_OK) ? ngx_smtp_hook_judge(run)
                                       : ngx_smtp_hook_apply_error(run);
}


/* as ngx_smtp_hook_apply(), but for NGX_DECLINED; NGX_AGAIN: the header is
   being read, since it is to be changed */

static ngx_int_t
ngx_smtp_hook_judge(ngx_smtp_hook_run_t *run)
{
    char                     *reason;
    ngx_int_t                 rc;
    ngx_smtp_http_request_t  *r;

    r = &run->http;

    if (r->status < 200 || r->status > 299) {
        return ngx_smtp_hook_judged(run, NGX_DECLINED, "not 2xx");
    }

    if (ngx_smtp_hook_answer_parse(&run->answer, run->pool, &r->answer,
                                   &reason)
        != NGX_OK)
    {
        return ngx_smtp_hook_judged(run, NGX_DECLINED, reason);
    }

    if (run->stage == NGX_SMTP_HOOK_DATA
        && ngx_smtp_hook_content_wanted(run))
    {
        rc = ngx_smtp_hook_message_header(run, ngx_smtp_hook_judge_changes);

        if (rc == NGX_AGAIN || rc == NGX_ERROR) {
            return rc;
        }
    }

    return ngx_smtp_hook_judge_changes(run);
}


static ngx_int_t
ngx_smtp_hook_judge_changes(ngx_smtp_hook_run_t *run)
{
    char       *reason;
    ngx_int_t   rc;

    reason = "";
    rc = ngx_smtp_hook_apply(run, &reason);

    return ngx_smtp_hook_judged(run, rc, reason);
}


ngx_int_t
ngx_smtp_hook_judged(ngx_smtp_hook_run_t *run, ngx_int_t rc, char *reason)
{
    ngx_smtp_http_request_t  *r;

    r = &run->http;

    if (rc == NGX_DECLINED) {
        ngx_log_error(ngx_smtp_http_level(r), r->log, 0,
                      "hook %V sent an answer that is none: %s, "
                      "HTTP status %ui", &r->server, reason, r->status);
    }

    ngx_smtp_http_judge(r, rc == NGX_DECLINED);

    if (rc == NGX_OK || rc == NGX_DONE) {
        ngx_smtp_hook_cache_store(run);
    }

    return (rc == NGX_DECLINED) ? ngx_smtp_hook_apply_error(run) : rc;
}


static void
ngx_smtp_hook_cancel(ngx_smtp_op_t *op)
{
    ngx_smtp_hook_run_t  *run;

    run = op->worker;

    ngx_smtp_op_cancel_all(&run->ops);

    ngx_destroy_pool(run->pool);
}

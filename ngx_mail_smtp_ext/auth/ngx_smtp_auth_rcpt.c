
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_auth_private.h>


/*
 * Recipients of clients that have not logged in, about whom the auth service
 * is asked one by one: what "smtp_auth none" is in nginx's mail proxy, which
 * asks about the first alone.
 */


static ngx_uint_t ngx_smtp_auth_rcpt_asks(ngx_smtp_session_t *s);
static void ngx_smtp_auth_rcpt_checked(ngx_smtp_op_t *op);
static void ngx_smtp_auth_rcpt_wait_handler(ngx_event_t *ev);
static void ngx_smtp_auth_rcpt_end(ngx_smtp_sasl_t *sasl, ngx_int_t rc);
static ngx_int_t ngx_smtp_auth_rcpt_accept(ngx_smtp_sasl_t *sasl,
    ngx_smtp_tx_t *tx);
static ngx_int_t ngx_smtp_auth_rcpt_refuse(ngx_smtp_sasl_t *sasl,
    ngx_smtp_tx_t *tx);
static void ngx_smtp_auth_rcpt_cancel(ngx_smtp_op_t *op);


/* no mechanism that a client could name */

static const ngx_smtp_sasl_mech_t  ngx_smtp_auth_rcpt_none = {
    ngx_null_string,
    ngx_string("none"),
    0,
    0,
    0,
    0,
    0,
    1,
    NULL,
    NULL,
    NULL
};


/* what debug logging of timers takes for the event's connection */
static ngx_connection_t  ngx_smtp_auth_rcpt_timer_connection;


/* what the service says of a recipient comes before all else */

ngx_int_t
ngx_smtp_auth_ahead_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    return ngx_smtp_auth_rcpt_asks(s) ? NGX_DONE : NGX_DECLINED;
}


static ngx_uint_t
ngx_smtp_auth_rcpt_asks(ngx_smtp_session_t *s)
{
    ngx_smtp_auth_conf_t  *conf;

    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_auth_module);

    return conf->rcpt && !s->authenticated && !s->trusted;
}


ngx_int_t
ngx_smtp_auth_rcpt_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    ngx_int_t         rc;
    ngx_smtp_sasl_t  *sasl;

    if (!ngx_smtp_auth_rcpt_asks(s)) {
        return NGX_DECLINED;
    }

    sasl = ngx_smtp_sasl_create(s, &ngx_smtp_auth_rcpt_none);
    if (sasl == NULL) {
        return NGX_ERROR;
    }

    sasl->exchange = op;

    op->worker = s;
    op->cancel = ngx_smtp_auth_rcpt_cancel;

    ngx_smtp_op_start(&sasl->op, &sasl->ops, ngx_smtp_auth_rcpt_checked, sasl,
                      s->connection->log);

    rc = ngx_smtp_auth_cache_find(sasl);

    if (rc == NGX_AGAIN) {
        ngx_smtp_cred_http_verify(sasl, &sasl->op);

    } else {
        ngx_smtp_op_finish(&sasl->op, rc);
    }

    return NGX_AGAIN;
}


static void
ngx_smtp_auth_rcpt_checked(ngx_smtp_op_t *op)
{
    ngx_int_t         rc;
    ngx_log_t        *log;
    ngx_smtp_tx_t    *tx;
    ngx_smtp_sasl_t  *sasl;

    sasl = op->data;
    tx = sasl->session->tx;

    if (op->rc == NGX_OK || op->rc == NGX_DECLINED) {
        ngx_smtp_auth_cache_store(sasl, op->rc);
    }

    switch (op->rc) {

    case NGX_OK:
        rc = ngx_smtp_auth_rcpt_accept(sasl, tx);
        break;

    case NGX_DECLINED:
        rc = ngx_smtp_auth_rcpt_refuse(sasl, tx);
        break;

    default: /* NGX_ERROR */
        ngx_smtp_verdict_set(&tx->rcpt->verdict,
                             NGX_SMTP_REPLY_RCPT_UNCHECKED);
        rc = NGX_DONE;
    }

    if (sasl->wait == 0) {
        ngx_smtp_auth_rcpt_end(sasl, rc);
        return;
    }

    log = sasl->session->connection->log;
    log->action = "delaying the answer to RCPT";

    ngx_smtp_auth_rcpt_timer_connection.fd = (ngx_socket_t) -1;

    sasl->timer.handler = ngx_smtp_auth_rcpt_wait_handler;
    sasl->timer.data = &ngx_smtp_auth_rcpt_timer_connection;
    sasl->timer.log = log;

    ngx_add_timer(&sasl->timer, sasl->wait);
}


static void
ngx_smtp_auth_rcpt_wait_handler(ngx_event_t *ev)
{
    ngx_smtp_sasl_t  *sasl;

    sasl = (ngx_smtp_sasl_t *)
               ((u_char *) ev - offsetof(ngx_smtp_sasl_t, timer));

    ngx_smtp_auth_rcpt_end(sasl, NGX_DONE);
}


static void
ngx_smtp_auth_rcpt_end(ngx_smtp_sasl_t *sasl, ngx_int_t rc)
{
    ngx_smtp_op_t  *op;

    op = sasl->exchange;

    ngx_smtp_sasl_destroy(sasl);

    ngx_smtp_op_finish(op, rc);
}


static ngx_int_t
ngx_smtp_auth_rcpt_accept(ngx_smtp_sasl_t *sasl, ngx_smtp_tx_t *tx)
{
    ngx_smtp_rcpt_t  *rcpt;

    rcpt = tx->rcpt;

    rcpt->allowed = 1;

    if (sasl->route) {
        rcpt->dest = sasl->route;
        return NGX_OK;
    }

    /* without a server: smtp_recipient{} and smtp_pass know where to */

    return ngx_smtp_tx_copy(tx, &rcpt->server, &sasl->server);
}


static ngx_int_t
ngx_smtp_auth_rcpt_refuse(ngx_smtp_sasl_t *sasl, ngx_smtp_tx_t *tx)
{
    ngx_smtp_verdict_t  *verdict;

    verdict = &tx->rcpt->verdict;

    ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_RCPT_REFUSED);

    if (sasl->code) {
        verdict->code = sasl->code;
        verdict->enhanced = sasl->enhanced;
    }

    if (ngx_smtp_tx_copy(tx, &verdict->text, &sasl->message) != NGX_OK) {
        return NGX_ERROR;
    }

    if (verdict->code == 421) {
        /* RFC 5321, 3.8: it says that the connection is closed */
        sasl->session->leave = 1;
    }

    return NGX_DONE;
}


/* the exchange may have ended before: it is in the session's list as well */

static void
ngx_smtp_auth_rcpt_cancel(ngx_smtp_op_t *op)
{
    ngx_smtp_session_t  *s;

    s = op->worker;

    if (s->auth) {
        ngx_smtp_sasl_destroy(s->auth);
    }
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_server.h>
#include <ngx_smtp_message.h>


/*
 * Content goes to the spool, counted and looked at on its way; then the
 * message is delivered, and the reply to its end is what came of that.  A
 * message that is refused meanwhile is read to its end all the same: the
 * reply has its place only there.
 */


static ngx_uint_t ngx_smtp_message_8bit(ngx_str_t *piece);
static void ngx_smtp_message_flushed(ngx_smtp_op_t *op);
static void ngx_smtp_message_delivered(ngx_smtp_session_t *s, ngx_int_t rc);
static void ngx_smtp_message_answer(ngx_smtp_session_t *s, ngx_int_t rc);
static void ngx_smtp_message_hold(void *owner);
static void ngx_smtp_message_release(void *owner);


ngx_int_t
ngx_smtp_message_start(ngx_smtp_tx_t *tx)
{
    ngx_smtp_spool_t    *spool;
    ngx_smtp_service_t  *service;

    service = tx->session->service;

    spool = ngx_pcalloc(tx->pool, sizeof(ngx_smtp_spool_t));
    if (spool == NULL) {
        return NGX_ERROR;
    }

    spool->pool = tx->pool;
    spool->max_memory = service->body_buffer_size;
    spool->temp_path = &service->temp_path->name;
    spool->thread_pool = service->thread_pool;
    spool->hold = ngx_smtp_message_hold;
    spool->release = ngx_smtp_message_release;
    spool->owner = tx;

    if (ngx_smtp_spool_init(spool) != NGX_OK) {
        return NGX_ERROR;
    }

    tx->spool = spool;
    tx->data_start = ngx_current_msec;
    tx->dot.normalise = (service->bare_newline == NGX_SMTP_BARE_NORMALISE);

    return NGX_OK;
}


static void
ngx_smtp_message_hold(void *owner)
{
    ngx_smtp_tx_hold(owner);
}


static void
ngx_smtp_message_release(void *owner)
{
    ngx_smtp_tx_release(owner);
}


void
ngx_smtp_message_piece(ngx_smtp_tx_t *tx, ngx_str_t *piece)
{
    ngx_smtp_service_t  *service;

    service = tx->session->service;

    tx->bytes += piece->len;

    if (tx->failed) {
        return;
    }

    if (service->max_message_size && tx->bytes > service->max_message_size) {
        ngx_smtp_message_fail(tx, NGX_SMTP_REPLY_TOO_BIG);
        return;
    }

    if (tx->dot.bare && !tx->dot.normalise) {
        ngx_smtp_message_fail(tx, NGX_SMTP_REPLY_BARE_IN_DATA);
        return;
    }

    if (!tx->header.done) {
        ngx_smtp_header_feed(&tx->header, piece->data,
                             piece->data + piece->len);

        if (tx->header.received > service->max_received) {
            ngx_smtp_message_fail(tx, NGX_SMTP_REPLY_LOOP);
            return;
        }
    }

    if (tx->body_8bit && !tx->content_8bit) {
        tx->content_8bit = ngx_smtp_message_8bit(piece);
    }

    if (ngx_smtp_spool_append(tx->spool, piece->data, piece->len) != NGX_OK) {
        ngx_smtp_message_fail(tx, NGX_SMTP_REPLY_LOCAL_ERROR);
    }
}


static ngx_uint_t
ngx_smtp_message_8bit(ngx_str_t *piece)
{
    u_char  *p, *last, high;

    high = 0;
    last = piece->data + piece->len;

    for (p = piece->data; p < last; p++) {
        high |= *p;
    }

    return high >> 7;
}


void
ngx_smtp_message_fail(ngx_smtp_tx_t *tx, ngx_smtp_reply_e id)
{
    tx->failed = 1;
    ngx_smtp_verdict_set(&tx->verdict, id);
}


ngx_int_t
ngx_smtp_message_flush(ngx_smtp_session_t *s)
{
    ngx_smtp_op_t  *op;

    op = &s->phase_op;

    ngx_smtp_op_start(op, &s->ops, ngx_smtp_message_flushed, s,
                      s->connection->log);

    ngx_smtp_spool_flush(s->tx->spool, op);

    return NGX_DONE;
}


static void
ngx_smtp_message_flushed(ngx_smtp_op_t *op)
{
    ngx_err_t            err;
    ngx_smtp_tx_t       *tx;
    ngx_smtp_session_t  *s;

    s = op->data;
    tx = s->tx;

    err = tx->spool->err;

    if (op->rc != NGX_OK) {
        ngx_smtp_message_fail(tx, NGX_SMTP_REPLY_LOCAL_ERROR);

    } else if (err == NGX_ENOSPC || err == EDQUOT || err == EFBIG) {
        ngx_smtp_message_fail(tx, NGX_SMTP_REPLY_NO_STORAGE);

    } else if (err) {
        ngx_smtp_message_fail(tx, NGX_SMTP_REPLY_LOCAL_ERROR);
    }

    ngx_smtp_session_resume(s);
}


ngx_int_t
ngx_smtp_message_end(ngx_smtp_session_t *s)
{
    ngx_int_t       rc;
    ngx_smtp_tx_t  *tx;

    tx = s->tx;

    s->input = ngx_smtp_command_input;

    if (s->connection->read->timer_set) {
        ngx_del_timer(s->connection->read);
    }

    tx->data_end = ngx_current_msec;

    if (tx->dot.bare && !tx->dot.normalise && !tx->failed) {
        ngx_smtp_message_fail(tx, NGX_SMTP_REPLY_BARE_IN_DATA);
    }

    if (tx->failed) {
        ngx_smtp_message_answer(s, NGX_DONE);
        return NGX_OK;
    }

    s->connection->log->action = "delivering message";

    rc = ngx_smtp_phase_run(s, NGX_SMTP_PHASE_DELIVER,
                            ngx_smtp_message_delivered);

    if (rc == NGX_AGAIN) {
        return NGX_DONE;
    }

    ngx_smtp_message_answer(s, rc);

    return NGX_OK;
}


static void
ngx_smtp_message_delivered(ngx_smtp_session_t *s, ngx_int_t rc)
{
    ngx_smtp_message_answer(s, rc);

    ngx_smtp_session_resume(s);
}


static void
ngx_smtp_message_answer(ngx_smtp_session_t *s, ngx_int_t rc)
{
    ngx_smtp_tx_t  *tx;

    tx = s->tx;

    /* nobody took it: whatever was said before is no 2xx */

    if (rc == NGX_ERROR || tx->verdict.code == 0) {
        ngx_smtp_verdict_set(&tx->verdict, NGX_SMTP_REPLY_LOCAL_ERROR);
    }

    tx->result = (tx->verdict.code < 300) ? NGX_SMTP_TX_ACCEPTED
                                          : NGX_SMTP_TX_REFUSED;
    tx->deliver_time = ngx_current_msec - tx->data_end;

    ngx_smtp_reply_verdict(s, &tx->verdict);

    ngx_smtp_tx_finish(tx);
}


void
ngx_smtp_message_refuse(ngx_smtp_session_t *s)
{
    s->tx->data_end = ngx_current_msec;

    ngx_smtp_message_answer(s, NGX_DONE);
}

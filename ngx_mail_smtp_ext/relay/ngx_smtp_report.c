
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_esmtp.h>
#include <ngx_smtp_report.h>


/*
 * A report is a transaction of our own, with the null reverse-path (RFC 5321,
 * 4.5.5), inside of the client's: it begins once the message has gone to
 * those who took it, and the reply to the client waits for it.
 *
 * Of the message its header is returned (RFC 6522, 4, text/rfc822-headers): a
 * front does not keep messages, and the sender has it.  Of one that was not
 * kept at all (smtp_pass_mode stream) nothing is.
 */


/* what is returned of the message; more of a header is nobody's help */
#define NGX_SMTP_REPORT_HEADER_MAX  16384


static void ngx_smtp_report_read(ngx_smtp_op_t *op);
static void ngx_smtp_report_deliver(ngx_smtp_report_t *report, size_t len);
static ngx_int_t ngx_smtp_report_child(ngx_smtp_report_t *report);
static ngx_int_t ngx_smtp_report_envelope(ngx_smtp_report_t *report);
static ngx_smtp_rcpt_t *ngx_smtp_report_find(ngx_smtp_tx_t *tx,
    ngx_smtp_report_kind_e kind, ngx_smtp_rcpt_t *rcpt);
static void ngx_smtp_report_done(ngx_smtp_op_t *op);
static void ngx_smtp_report_finish(ngx_smtp_report_t *report, ngx_int_t rc);
static void ngx_smtp_report_cancel(ngx_smtp_op_t *op);


#define ngx_smtp_report_is_8bit(s)                                           \
    ngx_smtp_is_8bit((s)->data, (s)->data + (s)->len)


ngx_uint_t
ngx_smtp_report_due(ngx_smtp_tx_t *tx, ngx_smtp_report_kind_e kind)
{
    return ngx_smtp_report_find(tx, kind, NULL) != NULL;
}


void
ngx_smtp_report_send(ngx_smtp_tx_t *tx, ngx_smtp_report_kind_e kind,
    ngx_smtp_op_t *op)
{
    ssize_t              n;
    ngx_smtp_report_t   *report;
    ngx_smtp_service_t  *service;

    report = ngx_pcalloc(tx->pool, sizeof(ngx_smtp_report_t));

    if (report == NULL) {
        ngx_smtp_op_finish(op, NGX_ERROR);
        return;
    }

    service = tx->session->service;

    report->tx = tx;
    report->op = op;
    report->kind = kind;
    report->dest = (kind == NGX_SMTP_REPORT_TAKEN) ? service->success_report
                                                   : service->report;

    op->worker = report;
    op->cancel = ngx_smtp_report_cancel;

    if (tx->spool == NULL || tx->stream) {
        ngx_smtp_report_deliver(report, 0);
        return;
    }

    report->reader.spool = tx->spool;
    report->reader.size = NGX_SMTP_REPORT_HEADER_MAX;

    report->reader.buf = ngx_pnalloc(tx->pool, NGX_SMTP_REPORT_HEADER_MAX);
    if (report->reader.buf == NULL) {
        ngx_smtp_report_finish(report, NGX_ERROR);
        return;
    }

    ngx_smtp_op_start(&report->wait, &tx->ops, ngx_smtp_report_read, report,
                      tx->session->connection->log);

    n = ngx_smtp_spool_read(&report->reader, &report->wait);

    if (n == NGX_AGAIN) {
        return;
    }

    ngx_smtp_op_cancel(&report->wait);

    ngx_smtp_report_deliver(report, n);
}


static void
ngx_smtp_report_read(ngx_smtp_op_t *op)
{
    ngx_smtp_report_t  *report;

    report = op->data;

    if (op->rc != NGX_OK || report->reader.err) {
        ngx_smtp_report_finish(report, NGX_ERROR);
        return;
    }

    ngx_smtp_report_deliver(report, report->reader.size);
}


/* len octets of the message are in the reader's buffer */

static void
ngx_smtp_report_deliver(ngx_smtp_report_t *report, size_t len)
{
    ngx_smtp_dest_t      *dest;
    ngx_smtp_delivery_t  *d;

    dest = report->dest;

    if (ngx_smtp_report_child(report) != NGX_OK
        || ngx_smtp_report_envelope(report) != NGX_OK
        || ngx_smtp_report_text(report, len) != NGX_OK)
    {
        ngx_smtp_report_finish(report, NGX_ERROR);
        return;
    }

    d = report->delivery;
    report->child->delivery = d;

    if (dest->type->verify == NULL && dest->caps
        && ngx_smtp_esmtp_check(dest->caps, report->child, &d->verdict)
           != NGX_OK)
    {
        ngx_smtp_report_finish(report, NGX_ERROR);
        return;
    }

    ngx_smtp_op_start(&d->op, &report->tx->ops, ngx_smtp_report_done, report,
                      report->tx->session->connection->log);

    dest->type->deliver(d, &d->op);
}


static ngx_int_t
ngx_smtp_report_child(ngx_smtp_report_t *report)
{
    u_char         *p;
    ngx_time_t     *tp;
    ngx_smtp_tx_t  *child;

    child = ngx_smtp_tx_make(report->tx->session);
    if (child == NULL) {
        return NGX_ERROR;
    }

    report->child = child;

    if (ngx_smtp_tx_spool(child) != NGX_OK) {
        return NGX_ERROR;
    }

    tp = ngx_timeofday();

    (void) ngx_smtp_date_write(report->date, tp->sec, tp->gmtoff);

    /* what the client has written must not be able to hold it */

    p = ngx_cpymem(report->boundary, child->id, NGX_SMTP_ID_LEN);

    (void) ngx_sprintf(p, "%08xD%08xD", (uint32_t) ngx_random(),
                       (uint32_t) ngx_random());

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_report_envelope(ngx_smtp_report_t *report)
{
    ngx_smtp_tx_t        *tx, *child;
    ngx_smtp_rcpt_t      *rcpt, *about;
    ngx_smtp_delivery_t  *d;

    tx = report->tx;
    child = report->child;

    rcpt = ngx_pcalloc(child->pool, sizeof(ngx_smtp_rcpt_t));

    if (rcpt == NULL
        || ngx_smtp_tx_copy(child, &rcpt->addr, &tx->mail_from) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rcpt->given = rcpt->addr;
    rcpt->dest = report->dest;

    d = ngx_smtp_delivery_of(child, rcpt);
    if (d == NULL) {
        return NGX_ERROR;
    }

    d->nrcpts = 1;
    child->nrcpts = 1;
    ngx_queue_insert_tail(&child->rcpts, &rcpt->queue);

    report->delivery = d;

    /* RFC 6533, 4: as soon as one address needs it */

    report->utf8 = ngx_smtp_report_is_8bit(&rcpt->addr);

    for (about = ngx_smtp_report_next(report, NULL);
         about;
         about = ngx_smtp_report_next(report, about))
    {
        report->utf8 |= ngx_smtp_report_is_8bit(&about->given);
    }

    child->utf8 = report->utf8;
    child->body_8bit = report->utf8;
    child->mime.part_8bit = report->utf8;

    /* RFC 8689, 5: as the message itself */

    child->params[NGX_SMTP_PARAM_REQUIRETLS] =
                                      tx->params[NGX_SMTP_PARAM_REQUIRETLS];

    /* RFC 6710, 4.6: so is its priority */

    child->params[NGX_SMTP_PARAM_MT_PRIORITY] =
                                     tx->params[NGX_SMTP_PARAM_MT_PRIORITY];

    child->data_start = ngx_current_msec;
    child->data_end = ngx_current_msec;

    return NGX_OK;
}


ngx_smtp_rcpt_t *
ngx_smtp_report_next(ngx_smtp_report_t *report, ngx_smtp_rcpt_t *rcpt)
{
    return ngx_smtp_report_find(report->tx, report->kind, rcpt);
}


/* behind rcpt, or the first; NULL: no more */

static ngx_smtp_rcpt_t *
ngx_smtp_report_find(ngx_smtp_tx_t *tx, ngx_smtp_report_kind_e kind,
    ngx_smtp_rcpt_t *rcpt)
{
    ngx_uint_t    taken;
    ngx_queue_t  *q, *rcpts;

    rcpts = &tx->rcpts;

    q = rcpt ? &rcpt->queue : rcpts;

    for (q = ngx_queue_next(q); q != rcpts; q = ngx_queue_next(q)) {

        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);

        taken = (rcpt->verdict.code / 100 == 2);

        if (kind == NGX_SMTP_REPORT_TAKEN ? taken && rcpt->confirm : !taken) {
            return rcpt;
        }
    }

    return NULL;
}


static void
ngx_smtp_report_done(ngx_smtp_op_t *op)
{
    ngx_smtp_report_t   *report;
    ngx_smtp_verdict_t  *verdict;

    report = op->data;
    verdict = &report->delivery->verdict;

    /* LMTP: of its recipient */

    if (ngx_smtp_delivery_first(report->delivery)->verdict.code) {
        verdict = &ngx_smtp_delivery_first(report->delivery)->verdict;
    }

    report->delivery->verdict = *verdict;

    ngx_smtp_report_finish(report, (op->rc != NGX_ERROR
                                    && verdict->code / 100 == 2)
                                   ? NGX_OK : NGX_ERROR);
}


static void
ngx_smtp_report_finish(ngx_smtp_report_t *report, ngx_int_t rc)
{
    ngx_str_t        none;
    ngx_smtp_tx_t   *child;
    ngx_smtp_op_t   *op;

    child = report->child;
    op = report->op;

    if (rc != NGX_OK) {

        ngx_str_set(&none, "no memory");

        ngx_log_error(NGX_LOG_ERR, report->tx->session->connection->log, 0,
                      "report on %s recipients was not taken: \"%ui %V\", %s",
                      report->kind == NGX_SMTP_REPORT_TAKEN ? "successful"
                                                            : "refused",
                      report->delivery ? report->delivery->verdict.code : 451,
                      report->delivery ? &report->delivery->verdict.text
                                       : &none,
                      report->kind == NGX_SMTP_REPORT_TAKEN
                      ? "the sender will not be told"
                      : "the client is told to try again");
    }

    if (child) {

        if (report->delivery) {
            child->result = (rc == NGX_OK) ? NGX_SMTP_TX_ACCEPTED
                                           : NGX_SMTP_TX_REFUSED;
            child->status = report->delivery->verdict.code;
            child->reply = report->delivery->verdict.text;
            child->deliver_time = ngx_current_msec - child->data_end;

            ngx_smtp_phase_log(report->tx->session, child);
        }

        ngx_smtp_tx_park(child);

        report->child = NULL;
        child->session = NULL;

        ngx_smtp_tx_release(child);
    }

    ngx_smtp_op_finish(op, rc);
}


static void
ngx_smtp_report_cancel(ngx_smtp_op_t *op)
{
    ngx_smtp_tx_t      *child;
    ngx_smtp_report_t  *report;

    report = op->worker;
    child = report->child;

    ngx_smtp_op_cancel(&report->wait);

    if (child == NULL) {
        return;
    }

    if (report->delivery) {
        ngx_smtp_op_cancel(&report->delivery->op);
    }

    ngx_smtp_op_cancel_all(&child->ops);

    report->child = NULL;
    child->session = NULL;

    ngx_smtp_tx_release(child);
}

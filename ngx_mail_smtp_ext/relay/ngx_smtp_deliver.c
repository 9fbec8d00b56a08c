
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_esmtp.h>
#include <ngx_smtp_deliver.h>
#include <ngx_smtp_report.h>


/*
 * A message to its destinations, and what came of all of them in one reply, or
 * in one for each recipient.  docs/dev/delivery.md tells why it is so.
 *
 * One destination gets the message at once.  Where there are several, all of
 * them get it but for the end mark; only when each stands there, or has said
 * no, the marks follow.  Destinations that can't stand there (discard:) begin
 * at that moment.  Until then everything can still be forgotten, and a
 * temporary failure of one makes it so, unless each recipient has a reply of
 * its own.
 */


typedef struct {
    ngx_smtp_tx_t    *tx;
    ngx_smtp_op_t    *op;            /* the phase's; NULL: cancelled */
    ngx_smtp_op_t     wait;          /* for ready ones, for the report */

    ngx_uint_t        committed;
} ngx_smtp_deliver_t;


/* what came of the recipients, counted */
typedef struct {
    ngx_uint_t           taken;
    ngx_uint_t           refused;
    ngx_smtp_rcpt_t     *accepted;   /* the first of each kind, or NULL */
    ngx_smtp_rcpt_t     *temporary;
    ngx_smtp_rcpt_t     *permanent;
    ngx_smtp_rcpt_t     *added;      /* refused, and added by a hook */
} ngx_smtp_outcome_t;


static ngx_uint_t ngx_smtp_deliver_several(ngx_smtp_tx_t *tx);
static void ngx_smtp_deliver_opened(ngx_smtp_op_t *op);
static void ngx_smtp_deliver_open_cancel(ngx_smtp_op_t *op);
static void ngx_smtp_deliver_start(ngx_smtp_deliver_t *deliver,
    ngx_smtp_delivery_t *d);
static void ngx_smtp_deliver_done(ngx_smtp_op_t *op);
static ngx_int_t ngx_smtp_deliver_divide(ngx_smtp_deliver_t *deliver,
    ngx_smtp_delivery_t *d);
static void ngx_smtp_deliver_ready(ngx_smtp_delivery_t *d);
static void ngx_smtp_deliver_woken(ngx_smtp_op_t *op);
static void ngx_smtp_deliver_next(ngx_smtp_deliver_t *deliver);
static ngx_smtp_delivery_t *ngx_smtp_deliver_failed(ngx_smtp_tx_t *tx);
static ngx_uint_t ngx_smtp_deliver_added(ngx_smtp_delivery_t *d);
static void ngx_smtp_deliver_commit(ngx_smtp_deliver_t *deliver);
static void ngx_smtp_deliver_abort(ngx_smtp_deliver_t *deliver,
    ngx_smtp_delivery_t *failed);
static void ngx_smtp_deliver_settle(ngx_smtp_deliver_t *deliver);
static void ngx_smtp_deliver_spoil(ngx_smtp_tx_t *tx,
    ngx_smtp_rcpt_t *added);
static void ngx_smtp_deliver_count(ngx_smtp_tx_t *tx,
    ngx_smtp_outcome_t *outcome);
static void ngx_smtp_deliver_reported(ngx_smtp_op_t *op);
static void ngx_smtp_deliver_confirm(ngx_smtp_deliver_t *deliver);
static void ngx_smtp_deliver_confirmed(ngx_smtp_op_t *op);
static void ngx_smtp_deliver_end(ngx_smtp_deliver_t *deliver);
static void ngx_smtp_deliver_cancel(ngx_smtp_op_t *op);


/*
 * The row of the phase OPEN: with one destination, content may go there as it
 * comes.  op's worker is not needed: what is waited for is the destination.
 */

ngx_int_t
ngx_smtp_deliver_open_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    ngx_smtp_rcpt_t      *rcpt;
    ngx_smtp_delivery_t  *d;

    rcpt = ngx_queue_data(ngx_queue_head(&tx->rcpts), ngx_smtp_rcpt_t, queue);

    d = ngx_smtp_delivery_of(tx, rcpt);

    if (d == NULL) {
        return NGX_ERROR;
    }

    if (d->nrcpts != tx->nrcpts || d->dest->type->stream == NULL
        || !s->service->stream || tx->whole)
    {
        return NGX_DECLINED;
    }

    ngx_smtp_op_start(&d->op, &tx->ops, ngx_smtp_deliver_opened, op,
                      s->connection->log);

    op->worker = d;
    op->cancel = ngx_smtp_deliver_open_cancel;

    d->dest->type->stream(d, &d->op);

    return NGX_AGAIN;
}


static void
ngx_smtp_deliver_opened(ngx_smtp_op_t *op)
{
    ngx_smtp_tx_t        *tx;
    ngx_smtp_delivery_t  *d;

    d = (ngx_smtp_delivery_t *) ((u_char *) op
                                 - offsetof(ngx_smtp_delivery_t, op));
    tx = d->tx;

    switch (op->rc) {

    case NGX_OK:
        tx->stream = d;
        break;

    case NGX_DONE:
        tx->verdict = d->verdict;
        break;
    }

    ngx_smtp_op_finish(op->data, op->rc);
}


static void
ngx_smtp_deliver_open_cancel(ngx_smtp_op_t *op)
{
    ngx_smtp_delivery_t  *d;

    d = op->worker;

    ngx_smtp_op_cancel(&d->op);
}


/* the row of the phase DELIVER */

ngx_int_t
ngx_smtp_deliver_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    ngx_uint_t            several;
    ngx_queue_t          *q;
    ngx_smtp_deliver_t   *deliver;
    ngx_smtp_delivery_t  *d;

    deliver = ngx_pcalloc(tx->pool, sizeof(ngx_smtp_deliver_t));
    if (deliver == NULL) {
        return NGX_ERROR;
    }

    deliver->tx = tx;
    deliver->op = op;

    op->worker = deliver;
    op->cancel = ngx_smtp_deliver_cancel;

    several = ngx_smtp_deliver_several(tx);

    ngx_smtp_deliveries_each(q, tx) {
        d = ngx_smtp_deliveries_data(q);

        d->ready_handler = ngx_smtp_deliver_ready;
        d->op.data = deliver;

        if (d->nrcpts == 0) {
            d->done = 1;
            continue;
        }

        d->hold = several;

        if (several && d->dest->type->commit == NULL) {
            d->ready = 1;
            continue;
        }

        ngx_smtp_deliver_start(deliver, d);
    }

    ngx_smtp_deliver_next(deliver);

    return NGX_AGAIN;
}


static ngx_uint_t
ngx_smtp_deliver_several(ngx_smtp_tx_t *tx)
{
    ngx_uint_t    n;
    ngx_queue_t  *q;

    n = 0;

    ngx_smtp_deliveries_each(q, tx) {
        n += (ngx_smtp_deliveries_data(q)->nrcpts != 0);
    }

    return n > 1;
}


static void
ngx_smtp_deliver_start(ngx_smtp_deliver_t *deliver, ngx_smtp_delivery_t *d)
{
    ngx_smtp_tx_t  *tx;

    tx = deliver->tx;

    tx->delivery = d;

    if (d->dest->caps && d->dest->caps->fixed
        && ngx_smtp_esmtp_check(d->dest->caps, tx, &d->verdict) != NGX_OK)
    {
        d->done = 1;
        return;
    }

    ngx_smtp_op_start(&d->op, &tx->ops, ngx_smtp_deliver_done, deliver,
                      tx->session->connection->log);

    d->dest->type->deliver(d, &d->op);
}


static void
ngx_smtp_deliver_done(ngx_smtp_op_t *op)
{
    ngx_smtp_delivery_t  *d;

    d = (ngx_smtp_delivery_t *) ((u_char *) op
                                 - offsetof(ngx_smtp_delivery_t, op));

    if (d->full && ngx_smtp_deliver_divide(op->data, d) == NGX_OK) {
        return;
    }

    /* nobody took it: whatever was said before is no 2xx */

    if (op->rc == NGX_ERROR || d->verdict.code == 0) {
        ngx_smtp_verdict_set(&d->verdict, NGX_SMTP_REPLY_LOCAL_ERROR);
    }

    d->done = 1;

    ngx_smtp_deliver_next(op->data);
}


/*
 * Its server takes fewer recipients in a transaction, which was not known when
 * they were named: the others go there in another one (RFC 9422, 4).  Nothing
 * has been said to anybody yet.
 */

static ngx_int_t
ngx_smtp_deliver_divide(ngx_smtp_deliver_t *deliver, ngx_smtp_delivery_t *d)
{
    ngx_int_t            rc;
    ngx_queue_t         *q;
    ngx_smtp_tx_t       *tx;
    ngx_smtp_verdict_t   verdict;

    tx = deliver->tx;
    d->full = 0;

    if (deliver->committed || d->dest->caps == NULL) {
        return NGX_DECLINED;
    }

    rc = ngx_smtp_deliver_part(d);

    if (rc == NGX_DECLINED) {
        return NGX_DECLINED;
    }

    if (rc == NGX_OK) {
        ngx_memzero(&d->verdict, sizeof(ngx_smtp_verdict_t));
    }

    verdict = d->verdict;

    ngx_smtp_deliveries_each(q, tx) {
        d = ngx_smtp_deliveries_data(q);

        if (d->nrcpts == 0 || d->done || d->ready || d->op.active) {
            continue;
        }

        /* this one, and those that are new */

        if (rc != NGX_OK) {
            d->verdict = verdict;
            d->done = 1;
            continue;
        }

        d->ready_handler = ngx_smtp_deliver_ready;
        d->op.data = deliver;
        d->hold = 1;

        ngx_smtp_deliver_start(deliver, d);
    }

    return rc;
}


/* called from wherever the destination is; the rest comes from the loop */

static void
ngx_smtp_deliver_ready(ngx_smtp_delivery_t *d)
{
    ngx_smtp_deliver_t  *deliver;

    deliver = d->op.data;

    if (deliver->wait.active) {
        return;
    }

    ngx_smtp_op_start(&deliver->wait, &deliver->tx->ops,
                      ngx_smtp_deliver_woken, deliver,
                      deliver->tx->session->connection->log);

    ngx_smtp_op_finish(&deliver->wait, NGX_OK);
}


static void
ngx_smtp_deliver_woken(ngx_smtp_op_t *op)
{
    ngx_smtp_deliver_next(op->data);
}


static void
ngx_smtp_deliver_next(ngx_smtp_deliver_t *deliver)
{
    ngx_queue_t          *q;
    ngx_smtp_tx_t        *tx;
    ngx_smtp_delivery_t  *d, *failed;

    tx = deliver->tx;

    if (!deliver->committed) {

        ngx_smtp_deliveries_each(q, tx) {
            d = ngx_smtp_deliveries_data(q);

            if (!d->done && !d->ready) {
                return;
            }
        }

        deliver->committed = 1;

        failed = ngx_smtp_deliver_failed(tx);

        if (failed) {
            ngx_smtp_deliver_abort(deliver, failed);

        } else {
            ngx_smtp_deliver_commit(deliver);
        }
    }

    ngx_smtp_deliveries_each(q, tx) {
        if (!ngx_smtp_deliveries_data(q)->done) {
            return;
        }
    }

    ngx_smtp_op_cancel(&deliver->wait);

    ngx_smtp_deliver_settle(deliver);
}


/*
 * Who makes it better that nobody gets it now: the client will try again, or
 * it has but one reply, and no report can tell of the others.
 */

static ngx_smtp_delivery_t *
ngx_smtp_deliver_failed(ngx_smtp_tx_t *tx)
{
    ngx_uint_t            class;
    ngx_queue_t          *q;
    ngx_smtp_delivery_t  *d;

    ngx_smtp_deliveries_each(q, tx) {
        d = ngx_smtp_deliveries_data(q);

        class = d->verdict.code / 100;

        if (d->nrcpts == 0 || !d->done || class == 2) {
            continue;
        }

        switch (tx->mixed) {

        case NGX_SMTP_MIXED_EACH:

            if (ngx_smtp_deliver_added(d)) {
                return d;
            }

            break;

        case NGX_SMTP_MIXED_REPORT:

            if (class == 4) {
                return d;
            }

            break;

        default: /* NGX_SMTP_MIXED_NEVER */
            return d;
        }
    }

    return NULL;
}


/* there is somebody in it for whom no reply is made */

static ngx_uint_t
ngx_smtp_deliver_added(ngx_smtp_delivery_t *d)
{
    ngx_smtp_rcpt_t  *rcpt;

    for (rcpt = ngx_smtp_delivery_first(d);
         rcpt;
         rcpt = ngx_smtp_delivery_next(d, rcpt))
    {
        if (rcpt->added && !rcpt->deleted) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_smtp_deliver_commit(ngx_smtp_deliver_t *deliver)
{
    ngx_queue_t          *q;
    ngx_smtp_delivery_t  *d;

    ngx_smtp_deliveries_each(q, deliver->tx) {
        d = ngx_smtp_deliveries_data(q);

        d->hold = 0;

        if (d->done) {
            continue;
        }

        if (d->dest->type->commit) {
            d->dest->type->commit(d);

        } else {
            ngx_smtp_deliver_start(deliver, d);
        }
    }
}


static void
ngx_smtp_deliver_abort(ngx_smtp_deliver_t *deliver,
    ngx_smtp_delivery_t *failed)
{
    ngx_queue_t          *q;
    ngx_smtp_delivery_t  *d;

    ngx_smtp_deliveries_each(q, deliver->tx) {
        d = ngx_smtp_deliveries_data(q);

        if (!d->done) {
            ngx_smtp_op_cancel(&d->op);

            d->verdict = failed->verdict;
            d->done = 1;
        }
    }
}


static void
ngx_smtp_deliver_settle(ngx_smtp_deliver_t *deliver)
{
    ngx_smtp_tx_t       *tx;
    ngx_smtp_outcome_t   outcome;

    tx = deliver->tx;

    ngx_smtp_deliver_count(tx, &outcome);

    if (outcome.taken && outcome.refused
        && tx->mixed == NGX_SMTP_MIXED_REPORT)
    {
        ngx_smtp_op_start(&deliver->wait, &tx->ops, ngx_smtp_deliver_reported,
                          deliver, tx->session->connection->log);

        ngx_smtp_report_send(tx, NGX_SMTP_REPORT_REFUSED, &deliver->wait);
        return;
    }

    if (outcome.added && tx->mixed == NGX_SMTP_MIXED_EACH) {
        ngx_smtp_deliver_spoil(tx, outcome.added);
    }

    if (outcome.refused && tx->mixed == NGX_SMTP_MIXED_NEVER) {

        /* the client will say what it is told: that nobody has got it */

        ngx_smtp_deliver_end(deliver);
        return;
    }

    ngx_smtp_deliver_confirm(deliver);
}


/*
 * Somebody whom the client does not know has not got it, and each of its own
 * recipients is answered by itself: all of them are told.
 */

static void
ngx_smtp_deliver_spoil(ngx_smtp_tx_t *tx, ngx_smtp_rcpt_t *added)
{
    ngx_queue_t      *q;
    ngx_smtp_rcpt_t  *rcpt;

    for (q = ngx_queue_head(&tx->rcpts);
         q != ngx_queue_sentinel(&tx->rcpts);
         q = ngx_queue_next(q))
    {
        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);

        if (rcpt->verdict.code / 100 == 2) {
            rcpt->verdict = added->verdict;
        }
    }
}


static void
ngx_smtp_deliver_count(ngx_smtp_tx_t *tx, ngx_smtp_outcome_t *outcome)
{
    ngx_queue_t       *q;
    ngx_smtp_rcpt_t   *rcpt, **first;

    ngx_memzero(outcome, sizeof(ngx_smtp_outcome_t));

    for (q = ngx_queue_head(&tx->rcpts);
         q != ngx_queue_sentinel(&tx->rcpts);
         q = ngx_queue_next(q))
    {
        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);

        if (rcpt->verdict.code == 0) {
            rcpt->verdict = ngx_smtp_delivery_of(tx, rcpt)->verdict;
        }

        switch (rcpt->verdict.code / 100) {

        case 2:
            /* of whom a hook has deleted it is no news */
            outcome->taken += !rcpt->deleted;
            first = &outcome->accepted;
            break;

        case 5:
            outcome->refused++;
            first = &outcome->permanent;
            break;

        default:
            outcome->refused++;
            first = &outcome->temporary;
        }

        if (*first == NULL) {
            *first = rcpt;
        }

        if (rcpt->added && rcpt->verdict.code / 100 != 2
            && (outcome->added == NULL || rcpt->verdict.code / 100 == 4))
        {
            outcome->added = rcpt;
        }
    }
}


/*
 * With the report on its way the rest of the recipients is accounted for.
 * Without it the client has to try again, for all of them: a copy too many is
 * better than one that nobody knows to be missing.
 */

static void
ngx_smtp_deliver_reported(ngx_smtp_op_t *op)
{
    ngx_smtp_deliver_t  *deliver;

    deliver = op->data;

    if (op->rc == NGX_OK) {
        ngx_smtp_deliver_confirm(deliver);
        return;
    }

    ngx_smtp_verdict_set(&deliver->tx->verdict, NGX_SMTP_REPLY_REPORT_LOST);

    ngx_smtp_op_finish(deliver->op, NGX_DONE);
}


/*
 * The sender is told of those who have got it, where nobody else will do so.
 * The message is theirs, whatever becomes of the report: to be sent again
 * would be worse than not to be heard of.
 */

static void
ngx_smtp_deliver_confirm(ngx_smtp_deliver_t *deliver)
{
    ngx_smtp_tx_t  *tx;

    tx = deliver->tx;

    if (!ngx_smtp_esmtp_dsn_reports(tx)
        || !ngx_smtp_report_due(tx, NGX_SMTP_REPORT_TAKEN))
    {
        ngx_smtp_deliver_end(deliver);
        return;
    }

    ngx_smtp_op_start(&deliver->wait, &tx->ops, ngx_smtp_deliver_confirmed,
                      deliver, tx->session->connection->log);

    ngx_smtp_report_send(tx, NGX_SMTP_REPORT_TAKEN, &deliver->wait);
}


static void
ngx_smtp_deliver_confirmed(ngx_smtp_op_t *op)
{
    ngx_smtp_deliver_end(op->data);
}


/* those who were refused have had their report, or a reply of their own */

static void
ngx_smtp_deliver_end(ngx_smtp_deliver_t *deliver)
{
    ngx_smtp_tx_t       *tx;
    ngx_smtp_rcpt_t     *rcpt;
    ngx_smtp_outcome_t   outcome;

    tx = deliver->tx;

    ngx_smtp_deliver_count(tx, &outcome);

    /* of several refusals a temporary one counts: it may turn out well */

    rcpt = outcome.temporary ? outcome.temporary : outcome.permanent;

    if (rcpt == NULL
        || (outcome.taken && tx->mixed != NGX_SMTP_MIXED_NEVER))
    {
        rcpt = outcome.accepted;
    }

    tx->verdict = rcpt->verdict;

    ngx_smtp_op_finish(deliver->op, NGX_DONE);
}


static void
ngx_smtp_deliver_cancel(ngx_smtp_op_t *op)
{
    ngx_queue_t         *q;
    ngx_smtp_deliver_t  *deliver;

    deliver = op->worker;

    ngx_smtp_op_cancel(&deliver->wait);

    ngx_smtp_deliveries_each(q, deliver->tx) {
        ngx_smtp_op_cancel(&ngx_smtp_deliveries_data(q)->op);
    }
}

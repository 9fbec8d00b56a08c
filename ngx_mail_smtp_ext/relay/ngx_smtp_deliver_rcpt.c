
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_esmtp.h>


/*
 * A recipient joins the others, or not: which of them may be in a transaction
 * together, with what its destination is able to do, and what that says.
 * docs/dev/delivery.md tells why it is so.
 */


static ngx_uint_t ngx_smtp_deliver_joins(ngx_smtp_tx_t *tx, ngx_uint_t n,
    ngx_uint_t same);
static ngx_uint_t ngx_smtp_deliver_places(ngx_smtp_tx_t *tx,
    ngx_uint_t *same);
static ngx_uint_t ngx_smtp_deliver_told(ngx_smtp_tx_t *tx);
static ngx_uint_t ngx_smtp_deliver_parts(ngx_smtp_tx_t *tx, ngx_uint_t n,
    ngx_uint_t same);


/* a row of the phase RCPT: may it be added, and what does it say to that? */

ngx_int_t
ngx_smtp_deliver_rcpt_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    ngx_int_t             rc;
    ngx_uint_t            n, same;
    ngx_smtp_dest_t      *dest;
    ngx_smtp_delivery_t  *d;

    dest = tx->rcpt->dest;

    if (dest == NULL) {
        return NGX_DECLINED;
    }

    n = ngx_smtp_deliver_places(tx, &same);

    if (!ngx_smtp_deliver_joins(tx, n, same)) {
        ngx_smtp_verdict_set(&tx->rcpt->verdict,
                             NGX_SMTP_REPLY_OTHER_DESTINATION);
        return NGX_DONE;
    }

    d = ngx_smtp_esmtp_part(tx, ngx_smtp_deliver_parts(tx, n, same));

    if (d == NULL) {
        return NGX_ERROR;
    }

    if (dest->caps && dest->caps->fixed) {

        /* a destination of our own is asked what it is able to do */

        tx->delivery = d;

        if (ngx_smtp_esmtp_check(dest->caps, tx, &tx->rcpt->verdict)
            != NGX_OK)
        {
            return NGX_DONE;
        }
    }

    if (dest->type->verify == NULL) {
        return NGX_DECLINED;
    }

    rc = dest->type->verify(d, op);

    if (rc == NGX_OK && tx->rcpt->verdict.code >= 300) {
        return NGX_DONE;
    }

    return rc;
}


/*
 * RFC 5321, 4.5.3.1.10: 452 makes the client send the others again.  That is
 * how recipients get a true answer each where one reply has to do for all.
 */

static ngx_uint_t
ngx_smtp_deliver_joins(ngx_smtp_tx_t *tx, ngx_uint_t n, ngx_uint_t same)
{
    ngx_uint_t           told;
    ngx_smtp_dest_t     *dest;
    ngx_smtp_session_t  *s;

    s = tx->session;
    dest = tx->rcpt->dest;

    if (tx->nrcpts == 0) {

        if (s->service->lmtp || tx->prdr) {
            tx->mixed = NGX_SMTP_MIXED_EACH;

        } else if (s->service->report && tx->mail_from.len) {
            tx->mixed = NGX_SMTP_MIXED_REPORT;

        } else {
            /* RFC 5321, 6.1: nothing is reported to the null path */
            tx->mixed = NGX_SMTP_MIXED_NEVER;
        }
    }

    if (dest->refuses || dest->drops) {
        /* what it says has nothing to do with the others */
        return 1;
    }

    told = ngx_smtp_deliver_told(tx);

    /* one destination, be it in several transactions */

    if (n == 0 || (n == same && !dest->type->each)) {

        if (!told) {
            tx->mixed = NGX_SMTP_MIXED_NEVER;
        }

        return 1;
    }

    return told && tx->mixed != NGX_SMTP_MIXED_NEVER
           && (same || n < s->service->max_destinations);
}


/* deliveries so far, and those among them where tx->rcpt goes */

static ngx_uint_t
ngx_smtp_deliver_places(ngx_smtp_tx_t *tx, ngx_uint_t *same)
{
    ngx_uint_t            n;
    ngx_queue_t          *q;
    ngx_smtp_delivery_t  *d;

    n = 0;
    *same = 0;

    ngx_smtp_deliveries_each(q, tx) {
        d = ngx_smtp_deliveries_data(q);

        if (d->nrcpts && !d->dest->drops) {
            n++;
            *same += (d->dest == tx->rcpt->dest);
        }
    }

    return n;
}


/* who must not be told of a failure can't be in a mixed result */

static ngx_uint_t
ngx_smtp_deliver_told(ngx_smtp_tx_t *tx)
{
    return tx->mixed != NGX_SMTP_MIXED_REPORT
           || ngx_smtp_esmtp_dsn_failure(tx->rcpt);
}


/*
 * How many transactions with a next hop there may be that takes no more
 * recipients in one (RFC 9422, 4): as many as destinations.  Where one reply
 * has to be true for all they end together, or not at all.
 */

static ngx_uint_t
ngx_smtp_deliver_parts(ngx_smtp_tx_t *tx, ngx_uint_t n, ngx_uint_t same)
{
    return same + (n < tx->session->service->max_destinations);
}

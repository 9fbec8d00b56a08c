
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_esmtp.h>
#include <ngx_smtp_deliver.h>


/*
 * Recipients that are more than a server takes in a transaction (RFC 9422, 4),
 * which was seen too late to say so at RCPT.  They keep their order, since
 * replies may be due to each.
 */


static ngx_uint_t ngx_smtp_deliver_next_part(ngx_smtp_delivery_t *d,
    ngx_uint_t *room);


ngx_int_t
ngx_smtp_deliver_part(ngx_smtp_delivery_t *d)
{
    ngx_uint_t            part, next, room;
    ngx_queue_t          *q, rcpts;
    ngx_smtp_tx_t        *tx;
    ngx_smtp_rcpt_t      *rcpt;
    ngx_smtp_verdict_t    full;
    ngx_smtp_delivery_t  *last;

    tx = d->tx;
    part = d->part;
    next = ngx_smtp_deliver_next_part(d, &room);

    if (room == 0) {
        return NGX_DECLINED;
    }

    ngx_queue_init(&rcpts);
    ngx_queue_add(&rcpts, &tx->rcpts);
    ngx_queue_init(&tx->rcpts);

    last = d;
    d->nrcpts = 0;

    while (!ngx_queue_empty(&rcpts)) {

        q = ngx_queue_head(&rcpts);
        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);

        if (rcpt->dest == d->dest && rcpt->part == part) {

            rcpt->part = last ? last->part : part;
            tx->delivery = last;
            tx->rcpt = rcpt;

            if (last && last->nrcpts && room
                && ngx_smtp_esmtp_room(d->dest->caps, tx, &full) != NGX_OK)
            {
                rcpt->part = next++;
                last = ngx_smtp_delivery_of(tx, rcpt);
                room--;
            }

            if (last) {
                last->nrcpts++;
            }
        }

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&tx->rcpts, q);
    }

    tx->rcpt = NULL;

    if (last == NULL) {
        return NGX_ERROR;
    }

    /* another server's limits may have been seen meanwhile, and all fit */

    return (last == d) ? NGX_DECLINED : NGX_OK;
}


/* the number of a new one to the same destination, and how many there may be */

static ngx_uint_t
ngx_smtp_deliver_next_part(ngx_smtp_delivery_t *d, ngx_uint_t *room)
{
    ngx_uint_t            n, max, part;
    ngx_queue_t          *q;
    ngx_smtp_delivery_t  *other;

    n = 0;
    part = 0;
    max = d->tx->session->service->max_destinations;

    ngx_smtp_deliveries_each(q, d->tx) {
        other = ngx_smtp_deliveries_data(q);

        n += (other->nrcpts != 0);

        if (other->dest == d->dest) {
            part = ngx_max(part, other->part);
        }
    }

    *room = (n < max) ? max - n : 0;

    return part + 1;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>


/*
 * Deliveries of a transaction: one for each destination among its recipients,
 * or more where that takes only so many in a transaction (RFC 9422).
 * There are few (smtp_max_destinations), so a list is enough.
 */


ngx_smtp_delivery_t *
ngx_smtp_delivery_of(ngx_smtp_tx_t *tx, ngx_smtp_rcpt_t *rcpt)
{
    ngx_queue_t          *q;
    ngx_smtp_delivery_t  *d;

    ngx_smtp_deliveries_each(q, tx) {
        d = ngx_smtp_deliveries_data(q);

        if (ngx_smtp_delivery_has(d, rcpt)) {
            return d;
        }
    }

    d = ngx_pcalloc(tx->pool, sizeof(ngx_smtp_delivery_t));
    if (d == NULL) {
        return NULL;
    }

    d->tx = tx;
    d->dest = rcpt->dest;
    d->part = rcpt->part;
    d->log.connect_time = (ngx_msec_t) -1;

    ngx_queue_insert_tail(&tx->deliveries, &d->queue);

    return d;
}


ngx_uint_t
ngx_smtp_delivery_has(ngx_smtp_delivery_t *d, ngx_smtp_rcpt_t *rcpt)
{
    return rcpt->dest == d->dest && rcpt->part == d->part;
}


ngx_smtp_rcpt_t *
ngx_smtp_delivery_first(ngx_smtp_delivery_t *d)
{
    return ngx_smtp_delivery_next(d, NULL);
}


ngx_smtp_rcpt_t *
ngx_smtp_delivery_next(ngx_smtp_delivery_t *d, ngx_smtp_rcpt_t *rcpt)
{
    ngx_queue_t  *q, *rcpts;

    rcpts = &d->tx->rcpts;

    q = rcpt ? &rcpt->queue : rcpts;

    for (q = ngx_queue_next(q); q != rcpts; q = ngx_queue_next(q)) {

        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);

        if (ngx_smtp_delivery_has(d, rcpt)) {
            return rcpt;
        }
    }

    return NULL;
}


void
ngx_smtp_delivery_ready(ngx_smtp_delivery_t *d)
{
    d->ready = 1;
    d->ready_handler(d);
}


ngx_smtp_dest_t *
ngx_smtp_dest_find(ngx_array_t *dests, ngx_str_t *name)
{
    ngx_str_t         *url;
    ngx_uint_t         i;
    ngx_smtp_dest_t  **dest;

    static ngx_str_t  scheme = ngx_string("smtp://");

    if (dests == NULL) {
        return NULL;
    }

    dest = dests->elts;

    for (i = 0; i < dests->nelts; i++) {
        url = &dest[i]->url;

        if (name->len == url->len
            && ngx_memcmp(name->data, url->data, url->len) == 0)
        {
            return dest[i];
        }

        if (url->len == scheme.len + name->len
            && ngx_memcmp(url->data, scheme.data, scheme.len) == 0
            && ngx_memcmp(url->data + scheme.len, name->data, name->len) == 0)
        {
            return dest[i];
        }
    }

    return NULL;
}


ngx_uint_t
ngx_smtp_service_goes_to(ngx_smtp_service_t *service, char *scheme)
{
    ngx_uint_t         i;
    ngx_smtp_dest_t  **dest;

    dest = service->dests->elts;

    for (i = 0; i < service->dests->nelts; i++) {
        if (ngx_strncmp(dest[i]->type->scheme.data, scheme,
                        ngx_strlen(scheme))
            == 0)
        {
            return 1;
        }
    }

    return 0;
}

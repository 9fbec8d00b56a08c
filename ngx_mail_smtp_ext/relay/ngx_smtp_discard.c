
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_esmtp.h>


/*
 * The destination "discard:": a message is taken and goes nowhere.  The log
 * has it, with that for its destination.
 */


static char *ngx_smtp_discard_parse(ngx_conf_t *cf, ngx_smtp_dest_t *dest,
    ngx_str_t *rest);
static void ngx_smtp_discard_deliver(ngx_smtp_delivery_t *d,
    ngx_smtp_op_t *op);


const ngx_smtp_dest_type_t  ngx_smtp_dest_discard = {
    ngx_string("discard:"),
    ngx_smtp_discard_parse,
    NULL,                                  /* verify */
    NULL,                                  /* park */
    ngx_smtp_discard_deliver,
    NULL,                                  /* commit */
    NULL,                                  /* stream */
    NULL,                                  /* push */
    NULL,                                  /* query */
    NULL,                                  /* resolve */
    0                                      /* each */
};


/*
 * What is a matter of the transport alone is met, since there is none.  Nobody
 * is told of anything later (DSN, MTRK), nothing is held back, and there is no
 * mailbox that could have changed hands.
 */

static ngx_smtp_caps_t  ngx_smtp_discard_caps = {
    ~(ngx_uint_t) (NGX_SMTP_EXT_DSN|NGX_SMTP_EXT_RELEASE|NGX_SMTP_EXT_RRVS
                   |NGX_SMTP_EXT_MTRK|NGX_SMTP_EXT_EXPN|NGX_SMTP_EXT_ETRN),
    0,                           /* size */
    0,                           /* auth */
    0, 0,                        /* xclient, xforward */
    0, 0, 0,                     /* LIMITS */
    0,                           /* by_min */
    0, 0,                        /* FUTURERELEASE */
    1,                           /* known */
    1,                           /* fixed */
    1,                           /* secure */
    0                            /* logged_in */
};


static char *
ngx_smtp_discard_parse(ngx_conf_t *cf, ngx_smtp_dest_t *dest, ngx_str_t *rest)
{
    if (rest->len) {
        return "takes nothing behind \"discard:\"";
    }

    dest->caps = &ngx_smtp_discard_caps;
    dest->drops = 1;

    return NGX_CONF_OK;
}


static void
ngx_smtp_discard_deliver(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op)
{
    ngx_str_t       id;
    ngx_smtp_tx_t  *tx;

    tx = d->tx;

    id.data = tx->id;
    id.len = NGX_SMTP_ID_LEN;

    d->log.addr = d->dest->url;

    ngx_log_error(NGX_LOG_INFO, tx->session->connection->log, 0,
                  "message discarded, id: %V", &id);

    ngx_smtp_tx_accepted(tx, &d->verdict);

    ngx_smtp_op_finish(op, NGX_OK);
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * RRVS, RFC 7293: a recipient is to get the message only if the mailbox has
 * been theirs since a date.  Nobody knows that here (5.1.1): it is for the
 * next hop, and where that does not ask either, the message is refused unless
 * the client said "C", continue.
 */


static ngx_int_t ngx_smtp_esmtp_rrvs_parse(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_str_t *value);
static u_char *ngx_smtp_esmtp_rrvs_emit(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, ngx_smtp_rcpt_t *rcpt, u_char *p, u_char *end);
static ngx_int_t ngx_smtp_esmtp_rrvs_check(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, ngx_smtp_verdict_t *verdict);
static ngx_uint_t ngx_smtp_esmtp_rrvs_lost(ngx_smtp_caps_t *caps,
    ngx_smtp_rcpt_t *rcpt);
static ngx_uint_t ngx_smtp_esmtp_rrvs_rewritten(ngx_smtp_rcpt_t *rcpt);


static const ngx_smtp_esmtp_param_t  ngx_smtp_esmtp_rrvs_rcpt[] = {
    { "RRVS", ngx_smtp_esmtp_rrvs_parse },
    { NULL, NULL }
};


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_rrvs = {
    ngx_string("RRVS"),
    NGX_SMTP_EXT_RRVS,

    NULL,                        /* advertise: always */
    NULL,                        /* parameters of MAIL */
    ngx_smtp_esmtp_rrvs_rcpt,

    NULL,                        /* answer */
    NULL,                        /* emit_mail */
    ngx_smtp_esmtp_rrvs_emit,
    ngx_smtp_esmtp_rrvs_check
};


/* 3.1: date-time without time-secfrac [ ";" ( "C" / "R" ) ] */

static ngx_int_t
ngx_smtp_esmtp_rrvs_parse(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_str_t *value)
{
    u_char               *p, *last;
    ngx_smtp_datetime_t   date;

    last = value->data + value->len;

    p = ngx_smtp_datetime_parse(&date, value->data, last);

    if (p == NULL || date.fraction) {
        return NGX_ERROR;
    }

    if (p < last
        && (last - p != 2 || *p != ';'
            || (p[1] != 'C' && p[1] != 'c' && p[1] != 'R' && p[1] != 'r')))
    {
        return NGX_ERROR;
    }

    return ngx_smtp_esmtp_keep(s, &tx->rcpt->params[NGX_SMTP_PARAM_RRVS],
                               value);
}


static u_char *
ngx_smtp_esmtp_rrvs_emit(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_rcpt_t *rcpt, u_char *p, u_char *end)
{
    ngx_str_t  *value;

    value = &rcpt->params[NGX_SMTP_PARAM_RRVS];

    if (value->data == NULL || ngx_smtp_esmtp_rrvs_rewritten(rcpt)) {
        return p;
    }

    return ngx_slprintf(p, end, " RRVS=%V", value);
}


static ngx_int_t
ngx_smtp_esmtp_rrvs_check(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_verdict_t *verdict)
{
    ngx_uint_t        lost;
    ngx_queue_t      *q;
    ngx_smtp_rcpt_t  *rcpt;

    lost = 0;

    if (tx->rcpt) {
        lost = ngx_smtp_esmtp_rrvs_lost(caps, tx->rcpt);

    } else {
        for (q = ngx_queue_head(&tx->rcpts);
             q != ngx_queue_sentinel(&tx->rcpts) && !lost;
             q = ngx_queue_next(q))
        {
            rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);

            lost = ngx_smtp_tx_concerns(tx, rcpt)
                   && ngx_smtp_esmtp_rrvs_lost(caps, rcpt);
        }
    }

    if (lost) {
        ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_SERVER_LACKS_RRVS);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* 5.1.1: nobody would look at it, and that was not consented to */

static ngx_uint_t
ngx_smtp_esmtp_rrvs_lost(ngx_smtp_caps_t *caps, ngx_smtp_rcpt_t *rcpt)
{
    u_char     *last;
    ngx_str_t  *value;

    value = &rcpt->params[NGX_SMTP_PARAM_RRVS];

    if (value->data == NULL) {
        return 0;
    }

    if ((caps->extensions & NGX_SMTP_EXT_RRVS)
        && !ngx_smtp_esmtp_rrvs_rewritten(rcpt))
    {
        return 0;
    }

    last = value->data + value->len;

    return last[-1] != 'C' && last[-1] != 'c';
}


/* 8.2: what was said of one address does not hold for another */

static ngx_uint_t
ngx_smtp_esmtp_rrvs_rewritten(ngx_smtp_rcpt_t *rcpt)
{
    return rcpt->addr.len != rcpt->given.len
           || ngx_memcmp(rcpt->addr.data, rcpt->given.data, rcpt->addr.len)
              != 0;
}

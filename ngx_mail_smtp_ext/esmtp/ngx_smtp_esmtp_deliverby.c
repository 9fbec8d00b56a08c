
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * DELIVERBY, RFC 2852.  By-mode R, "return": only to a next hop that has the
 * extension, and in time.  By-mode N, "notify": anywhere; where the next hop
 * lacks it the sender is told (4.1.4.2), by rcpt->confirm, and if that has DSN,
 * notifications of delay are asked for, in ngx_smtp_esmtp_dsn.c.
 */


/* RFC 2852, 4: by-time = ["-" / "+"]1*9digit */
#define NGX_SMTP_BY_DIGITS  9
#define NGX_SMTP_BY_MAX     999999999


typedef struct {
    time_t       time;
    unsigned     by_return:1;    /* by-mode R */
    unsigned     trace:1;
} ngx_smtp_by_t;


static ngx_int_t ngx_smtp_esmtp_by_advertise(ngx_smtp_session_t *s,
    u_char **p, u_char *end);
static time_t ngx_smtp_esmtp_by_min(ngx_smtp_session_t *s);
static ngx_int_t ngx_smtp_esmtp_by_parse(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_str_t *value);
static ngx_int_t ngx_smtp_esmtp_by_value(ngx_smtp_by_t *by, ngx_str_t *value);
static void ngx_smtp_esmtp_by_left(ngx_smtp_by_t *by, ngx_smtp_tx_t *tx);
static void ngx_smtp_esmtp_by_answer(ngx_smtp_caps_t *caps, ngx_str_t *args);
static u_char *ngx_smtp_esmtp_by_emit(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, u_char *p, u_char *end);
static void ngx_smtp_esmtp_by_confirm(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, ngx_smtp_by_t *by);
static ngx_int_t ngx_smtp_esmtp_by_check(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, ngx_smtp_verdict_t *verdict);


static const ngx_smtp_esmtp_param_t  ngx_smtp_esmtp_by_mail[] = {
    { "BY", ngx_smtp_esmtp_by_parse },
    { NULL, NULL }
};


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_deliverby = {
    ngx_string("DELIVERBY"),
    NGX_SMTP_EXT_DELIVERBY,

    ngx_smtp_esmtp_by_advertise,
    ngx_smtp_esmtp_by_mail,
    NULL,                        /* parameters of RCPT */

    ngx_smtp_esmtp_by_answer,
    ngx_smtp_esmtp_by_emit,
    NULL,                        /* emit_rcpt */
    ngx_smtp_esmtp_by_check
};


/* 3: min-by-time, the longest of those that next hops have named */

static ngx_int_t
ngx_smtp_esmtp_by_advertise(ngx_smtp_session_t *s, u_char **p, u_char *end)
{
    time_t  min;

    min = ngx_smtp_esmtp_by_min(s);

    if (min) {
        *p = ngx_slprintf(*p, end, " %T", min);
    }

    return NGX_OK;
}


static time_t
ngx_smtp_esmtp_by_min(ngx_smtp_session_t *s)
{
    time_t             min;
    ngx_uint_t         i;
    ngx_smtp_dest_t  **dest;

    if (s->service->dests == NULL) {
        return 0;
    }

    min = 0;
    dest = s->service->dests->elts;

    for (i = 0; i < s->service->dests->nelts; i++) {
        if (dest[i]->caps && dest[i]->caps->by_min > min) {
            min = dest[i]->caps->by_min;
        }
    }

    return min;
}


static ngx_int_t
ngx_smtp_esmtp_by_parse(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_str_t *value)
{
    ngx_smtp_by_t  by;

    if (ngx_smtp_esmtp_by_value(&by, value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (by.by_return && by.time < ngx_smtp_esmtp_by_min(s)) {
        tx->param_reply = NGX_SMTP_REPLY_BY_TOO_SHORT;
        return NGX_DONE;
    }

    return ngx_smtp_esmtp_keep(s, &tx->params[NGX_SMTP_PARAM_BY], value);
}


/* 4: by-time ";" by-mode [by-trace] */

static ngx_int_t
ngx_smtp_esmtp_by_value(ngx_smtp_by_t *by, ngx_str_t *value)
{
    u_char      *p, *last, *digits;
    ngx_uint_t   minus;

    p = value->data;
    last = p + value->len;

    minus = (p < last && *p == '-');

    if (p < last && (*p == '-' || *p == '+')) {
        p++;
    }

    digits = p;

    while (p < last && ngx_smtp_is_digit(*p)) { p++; }

    if (p == digits || p - digits > NGX_SMTP_BY_DIGITS
        || last - p < 2 || last - p > 3 || *p != ';')
    {
        return NGX_ERROR;
    }

    by->time = ngx_atotm(digits, p - digits);

    if (minus) {
        by->time = -by->time;
    }

    p++;

    if (*p != 'N' && *p != 'n' && *p != 'R' && *p != 'r') {
        return NGX_ERROR;
    }

    by->by_return = (*p == 'R' || *p == 'r');
    by->trace = (++p < last);

    if (by->trace && *p != 'T' && *p != 't') {
        return NGX_ERROR;
    }

    /* with R nothing can be delivered in the past */

    return (by->by_return && by->time <= 0) ? NGX_ERROR : NGX_OK;
}


/* of a value that was accepted: the time that is left now */

static void
ngx_smtp_esmtp_by_left(ngx_smtp_by_t *by, ngx_smtp_tx_t *tx)
{
    (void) ngx_smtp_esmtp_by_value(by, &tx->params[NGX_SMTP_PARAM_BY]);

    by->time -= (time_t) ((ngx_current_msec - tx->start) / 1000);

    by->time = ngx_max(by->time, -NGX_SMTP_BY_MAX);
}


time_t
ngx_smtp_esmtp_deliver_by(ngx_smtp_tx_t *tx)
{
    ngx_smtp_by_t  by;

    ngx_smtp_esmtp_by_left(&by, tx);

    return by.time;
}


static void
ngx_smtp_esmtp_by_answer(ngx_smtp_caps_t *caps, ngx_str_t *args)
{
    time_t  min;

    caps->by_min = 0;

    if (args->len > NGX_SMTP_BY_DIGITS) {
        return;
    }

    min = ngx_atotm(args->data, args->len);

    if (min != (time_t) NGX_ERROR) {
        caps->by_min = min;
    }
}


/* 4.1.4: the time that remains */

static u_char *
ngx_smtp_esmtp_by_emit(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx, u_char *p,
    u_char *end)
{
    ngx_smtp_by_t  by;

    if (tx->params[NGX_SMTP_PARAM_BY].data == NULL) {
        return p;
    }

    ngx_smtp_esmtp_by_left(&by, tx);

    return ngx_slprintf(p, end, " BY=%T;%s%s", by.time,
                        by.by_return ? "R" : "N", by.trace ? "T" : "");
}


/*
 * 4.1.4: who passes on a message with T, or with N to a server without the
 * extension while there is time, tells the sender, asked for or not.
 */

static void
ngx_smtp_esmtp_by_confirm(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_by_t *by)
{
    ngx_queue_t      *q;
    ngx_smtp_rcpt_t  *rcpt;

    if (!by->trace
        && (by->by_return || by->time <= 0
            || (caps->extensions & NGX_SMTP_EXT_DELIVERBY)))
    {
        return;
    }

    if (tx->rcpt || !ngx_smtp_esmtp_dsn_reports(tx)) {
        return;
    }

    for (q = ngx_queue_head(&tx->rcpts);
         q != ngx_queue_sentinel(&tx->rcpts);
         q = ngx_queue_next(q))
    {
        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);

        if (ngx_smtp_tx_concerns(tx, rcpt) && !rcpt->dest->mailbox
            && !rcpt->dest->drops && !ngx_smtp_esmtp_dsn_never(rcpt))
        {
            rcpt->confirm = 1;
        }
    }
}


/* 4.1.3 and 4.1.4.1 */

static ngx_int_t
ngx_smtp_esmtp_by_check(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_verdict_t *verdict)
{
    ngx_smtp_by_t  by;

    if (tx->params[NGX_SMTP_PARAM_BY].data == NULL) {
        return NGX_OK;
    }

    ngx_smtp_esmtp_by_left(&by, tx);

    /* behind DSN's check in the table, which begins anew with confirm */

    ngx_smtp_esmtp_by_confirm(caps, tx, &by);

    if (!by.by_return) {
        return NGX_OK;
    }

    if (by.time <= 0) {
        ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_BY_EXPIRED);
        return NGX_DECLINED;
    }

    if (!(caps->extensions & NGX_SMTP_EXT_DELIVERBY)
        || by.time < caps->by_min)
    {
        ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_SERVER_LACKS_BY);
        return NGX_DECLINED;
    }

    return NGX_OK;
}

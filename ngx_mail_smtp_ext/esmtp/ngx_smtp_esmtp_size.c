
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * SIZE, RFC 1870.  What MAIL declares is checked here; what really comes is
 * counted while it comes.
 */


/* RFC 1870, 5: size-value ::= 1*20DIGIT */
#define NGX_SMTP_SIZE_DIGITS  20


static ngx_int_t ngx_smtp_esmtp_size_advertise(ngx_smtp_session_t *s,
    u_char **p, u_char *end);
static off_t ngx_smtp_esmtp_size_next_hops(ngx_smtp_session_t *s);
static ngx_int_t ngx_smtp_esmtp_size_parse(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_str_t *value);
static void ngx_smtp_esmtp_size_answer(ngx_smtp_caps_t *caps,
    ngx_str_t *args);
static off_t ngx_smtp_esmtp_size_known(ngx_smtp_tx_t *tx);
static u_char *ngx_smtp_esmtp_size_emit(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, u_char *p, u_char *end);
static ngx_int_t ngx_smtp_esmtp_size_check(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, ngx_smtp_verdict_t *verdict);


static const ngx_smtp_esmtp_param_t  ngx_smtp_esmtp_size_mail[] = {
    { "SIZE", ngx_smtp_esmtp_size_parse },
    { NULL, NULL }
};


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_size = {
    ngx_string("SIZE"),
    NGX_SMTP_EXT_SIZE,

    ngx_smtp_esmtp_size_advertise,
    ngx_smtp_esmtp_size_mail,
    NULL,                        /* parameters of RCPT */

    ngx_smtp_esmtp_size_answer,
    ngx_smtp_esmtp_size_emit,
    NULL,                        /* emit_rcpt */
    ngx_smtp_esmtp_size_check
};


static ngx_int_t
ngx_smtp_esmtp_size_advertise(ngx_smtp_session_t *s, u_char **p, u_char *end)
{
    off_t  max, next;

    max = ngx_smtp_rights_max_size(s);
    next = ngx_smtp_esmtp_size_next_hops(s);

    if (next && (max == 0 || next < max)) {
        max = next;
    }

    /* 0 stands for no fixed limit, RFC 1870, 4 */

    *p = ngx_slprintf(*p, end, " %O", max);

    return NGX_OK;
}


/*
 * What no place where a message may go from here takes more than, as far as
 * they are known; 0: there is no such limit.  A recipient's own next hop may
 * have a closer one, which MAIL's SIZE is compared with at RCPT.
 */

static off_t
ngx_smtp_esmtp_size_next_hops(ngx_smtp_session_t *s)
{
    off_t              max;
    ngx_uint_t         i;
    ngx_array_t       *dests;
    ngx_smtp_caps_t   *caps;
    ngx_smtp_dest_t  **dest;

    dests = s->service->dests;

    if (dests == NULL || s->user->server.len) {
        return 0;
    }

    max = 0;
    dest = dests->elts;

    for (i = 0; i < dests->nelts; i++) {
        caps = dest[i]->caps;

        if (caps == NULL || !caps->known || caps->size == 0) {
            return 0;
        }

        max = ngx_max(max, caps->size);
    }

    return max;
}


static ngx_int_t
ngx_smtp_esmtp_size_parse(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_str_t *value)
{
    off_t   limit;
    size_t  i;

    if (value->data == NULL || value->len == 0
        || value->len > NGX_SMTP_SIZE_DIGITS)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < '0' || value->data[i] > '9') {
            return NGX_ERROR;
        }
    }

    tx->size = ngx_atoof(value->data, value->len);

    if (tx->size == NGX_ERROR) {
        tx->size = NGX_MAX_OFF_T_VALUE;
    }

    limit = ngx_smtp_rights_max_size(s);

    if (limit && tx->size > limit) {
        tx->param_reply = NGX_SMTP_REPLY_TOO_BIG;
        return NGX_DONE;
    }

    return NGX_OK;
}


static void
ngx_smtp_esmtp_size_answer(ngx_smtp_caps_t *caps, ngx_str_t *args)
{
    off_t  size;

    size = ngx_atoof(args->data, args->len);

    if (size != NGX_ERROR) {
        caps->size = size;
    }
}


/* what we are going to send, else what the client said; -1: nothing */

static off_t
ngx_smtp_esmtp_size_known(ngx_smtp_tx_t *tx)
{
    ngx_smtp_spool_t  *spool;

    if (tx->data_end == 0) {
        return tx->size;
    }

    spool = (tx->delivery && tx->delivery->spool) ? tx->delivery->spool
                                                  : tx->spool;

    return spool->size + (off_t) tx->received.len;
}


static u_char *
ngx_smtp_esmtp_size_emit(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx, u_char *p,
    u_char *end)
{
    off_t  size;

    size = ngx_smtp_esmtp_size_known(tx);

    return (size < 0) ? p : ngx_slprintf(p, end, " SIZE=%O", size);
}


static ngx_int_t
ngx_smtp_esmtp_size_check(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_verdict_t *verdict)
{
    off_t  size;

    size = ngx_smtp_esmtp_size_known(tx);

    if (caps->size && size > caps->size) {
        ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_TOO_BIG);
        return NGX_DECLINED;
    }

    return NGX_OK;
}

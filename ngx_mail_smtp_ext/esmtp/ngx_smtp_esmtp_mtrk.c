
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * MTRK, RFC 3885.  Nothing can be asked for here afterwards; the certifier
 * goes on to a next hop that keeps track.  It needs ENVID and ORCPT, and so
 * DSN, on both sides (2).
 */


/* base64 of a hash: SHA-1 has 27 octets without padding, SHA-512 has 86 */
#define NGX_SMTP_MTRK_MAX     86

/* RFC 3885, 3.1: mtrk-timeout = 1*9DIGIT */
#define NGX_SMTP_MTRK_DIGITS  9


static ngx_int_t ngx_smtp_esmtp_mtrk_advertise(ngx_smtp_session_t *s,
    u_char **p, u_char *end);
static ngx_int_t ngx_smtp_esmtp_mtrk_parse(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_str_t *value);
static u_char *ngx_smtp_esmtp_mtrk_emit(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, u_char *p, u_char *end);


static const ngx_smtp_esmtp_param_t  ngx_smtp_esmtp_mtrk_mail[] = {
    { "MTRK", ngx_smtp_esmtp_mtrk_parse },
    { NULL, NULL }
};


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_mtrk = {
    ngx_string("MTRK"),
    NGX_SMTP_EXT_MTRK,

    ngx_smtp_esmtp_mtrk_advertise,
    ngx_smtp_esmtp_mtrk_mail,
    NULL,                        /* parameters of RCPT */

    NULL,                        /* answer */
    ngx_smtp_esmtp_mtrk_emit,
    NULL,                        /* emit_rcpt */
    NULL                        /* check */
};


static ngx_int_t
ngx_smtp_esmtp_mtrk_advertise(ngx_smtp_session_t *s, u_char **p, u_char *end)
{
    return ngx_smtp_esmtp_enabled(s, NGX_SMTP_EXT_DSN) ? NGX_OK
                                                       : NGX_DECLINED;
}


/* 3.1: mtrk-certifier [ ":" mtrk-timeout ] */

static ngx_int_t
ngx_smtp_esmtp_mtrk_parse(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_str_t *value)
{
    u_char  *p, *last;

    p = value->data;
    last = p + value->len;

    /* padding can't be there: "=" is not part of an esmtp-value */

    while (p < last && (ngx_smtp_is_alnum(*p) || *p == '+' || *p == '/')) {
        p++;
    }

    if (p == value->data || p - value->data > NGX_SMTP_MTRK_MAX) {
        return NGX_ERROR;
    }

    if (p < last) {

        if (*p != ':' || last - p < 2 || last - p > 1 + NGX_SMTP_MTRK_DIGITS) {
            return NGX_ERROR;
        }

        while (++p < last) {
            if (!ngx_smtp_is_digit(*p)) {
                return NGX_ERROR;
            }
        }
    }

    return ngx_smtp_esmtp_keep(s, &tx->params[NGX_SMTP_PARAM_MTRK], value);
}


/* 3.1: the time that remains; when it has run out, nothing */

static u_char *
ngx_smtp_esmtp_mtrk_emit(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx, u_char *p,
    u_char *end)
{
    time_t      left;
    u_char     *last, *colon;
    ngx_str_t  *value;

    value = &tx->params[NGX_SMTP_PARAM_MTRK];

    if (value->data == NULL || !(caps->extensions & NGX_SMTP_EXT_DSN)) {
        return p;
    }

    last = value->data + value->len;
    colon = ngx_strlchr(value->data, last, ':');

    if (colon == NULL) {
        return ngx_slprintf(p, end, " MTRK=%V", value);
    }

    left = ngx_atotm(colon + 1, last - colon - 1)
           - (time_t) ((ngx_current_msec - tx->start) / 1000);

    if (left <= 0) {
        return p;
    }

    return ngx_slprintf(p, end, " MTRK=%*s:%T",
                        (size_t) (colon - value->data), value->data, left);
}

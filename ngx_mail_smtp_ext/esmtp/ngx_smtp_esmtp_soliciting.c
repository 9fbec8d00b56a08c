
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * NO-SOLICITING, RFC 3865.  No class of messages is unwanted here (2.8); that
 * the keyword is offered lets SOLICIT pass to a next hop that has a policy.
 * Where it has none the parameter is dropped, and the header field stays.
 */


/* RFC 3865, 2.2 */
#define NGX_SMTP_SOLICIT_MAX  1000


static ngx_int_t ngx_smtp_esmtp_solicit_parse(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_str_t *value);
static u_char *ngx_smtp_esmtp_solicit_emit(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, u_char *p, u_char *end);


static const ngx_smtp_esmtp_param_t  ngx_smtp_esmtp_solicit_mail[] = {
    { "SOLICIT", ngx_smtp_esmtp_solicit_parse },
    { NULL, NULL }
};


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_soliciting = {
    ngx_string("NO-SOLICITING"),
    NGX_SMTP_EXT_SOLICITING,

    NULL,                        /* advertise: always */
    ngx_smtp_esmtp_solicit_mail,
    NULL,                        /* parameters of RCPT */

    NULL,                        /* answer */
    ngx_smtp_esmtp_solicit_emit,
    NULL,                        /* emit_rcpt */
    NULL                        /* check */
};


/* 2.2: word 0*("," word), word = ALPHA 0*(wordchar) */

static ngx_int_t
ngx_smtp_esmtp_solicit_parse(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_str_t *value)
{
    u_char      *p, *last;
    ngx_uint_t   first;

    if (value->len == 0 || value->len > NGX_SMTP_SOLICIT_MAX) {
        return NGX_ERROR;
    }

    last = value->data + value->len;
    first = 1;

    for (p = value->data; p < last; p++) {

        if (ngx_smtp_is_alpha(*p)) {
            first = 0;
            continue;
        }

        if (first) {
            return NGX_ERROR;
        }

        if (*p == ',') {
            first = 1;

        } else if (!ngx_smtp_is_digit(*p) && *p != '.' && *p != '-'
                   && *p != '_' && *p != ':')
        {
            return NGX_ERROR;
        }
    }

    if (first) {
        return NGX_ERROR;
    }

    return ngx_smtp_esmtp_keep(s, &tx->params[NGX_SMTP_PARAM_SOLICIT], value);
}


static u_char *
ngx_smtp_esmtp_solicit_emit(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    u_char *p, u_char *end)
{
    ngx_str_t  *value;

    value = &tx->params[NGX_SMTP_PARAM_SOLICIT];

    return value->data ? ngx_slprintf(p, end, " SOLICIT=%V", value) : p;
}

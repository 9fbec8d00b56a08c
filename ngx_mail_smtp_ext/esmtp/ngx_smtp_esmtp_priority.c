
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * MT-PRIORITY, RFC 6710.  Nothing waits here, so nothing overtakes: the
 * priority is for the next hop, and is dropped where it has not the extension
 * (4.3).  More than ordinary is for those who may relay.
 */


static ngx_int_t ngx_smtp_esmtp_priority_parse(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_str_t *value);
static u_char *ngx_smtp_esmtp_priority_emit(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, u_char *p, u_char *end);


static const ngx_smtp_esmtp_param_t  ngx_smtp_esmtp_priority_mail[] = {
    { "MT-PRIORITY", ngx_smtp_esmtp_priority_parse },
    { NULL, NULL }
};


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_priority = {
    ngx_string("MT-PRIORITY"),
    NGX_SMTP_EXT_PRIORITY,

    NULL,                        /* advertise: always */
    ngx_smtp_esmtp_priority_mail,
    NULL,                        /* parameters of RCPT */

    NULL,                        /* answer */
    ngx_smtp_esmtp_priority_emit,
    NULL,                        /* emit_rcpt */
    NULL                        /* check */
};


/* 7: priority-value = (["-"] NZDIGIT) / "0" */

static ngx_int_t
ngx_smtp_esmtp_priority_parse(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_str_t *value)
{
    u_char      *p;
    ngx_str_t    ordinary;
    ngx_uint_t   minus;

    p = value->data;

    minus = (value->len == 2 && *p == '-');

    if (value->len != 1 + minus || !ngx_smtp_is_digit(p[minus])
        || (minus && p[1] == '0'))
    {
        return NGX_ERROR;
    }

    /* 4.1: no upgrade for those who are not authorized */

    if (!minus && *p != '0' && !s->authenticated && !s->trusted) {

        tx->mail_reply = NGX_SMTP_REPLY_PRIORITY_LOWERED;

        ngx_str_set(&ordinary, "0");
        value = &ordinary;
    }

    return ngx_smtp_esmtp_keep(s, &tx->params[NGX_SMTP_PARAM_MT_PRIORITY],
                               value);
}


/* 4.2: it must be there; without a wish of the client it is 0 */

static u_char *
ngx_smtp_esmtp_priority_emit(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    u_char *p, u_char *end)
{
    ngx_str_t  *value;

    value = &tx->params[NGX_SMTP_PARAM_MT_PRIORITY];

    if (value->data) {
        return ngx_slprintf(p, end, " MT-PRIORITY=%V", value);
    }

    if (tx->session
        && ngx_smtp_esmtp_enabled(tx->session, NGX_SMTP_EXT_PRIORITY))
    {
        return ngx_slprintf(p, end, " MT-PRIORITY=0");
    }

    return p;
}

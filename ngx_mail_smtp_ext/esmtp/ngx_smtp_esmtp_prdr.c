
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * PRDR, draft-hall-prdr-00: a client that says it with MAIL may get a reply for
 * each recipient to its message.  A next hop without it has one reply for all
 * of those that went there, so nothing is lost where it lacks it.
 */


static ngx_int_t ngx_smtp_esmtp_prdr_parse(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_str_t *value);
static u_char *ngx_smtp_esmtp_prdr_emit(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, u_char *p, u_char *end);
static ngx_int_t ngx_smtp_esmtp_prdr_advertise(ngx_smtp_session_t *s,
    u_char **p, u_char *end);


static const ngx_smtp_esmtp_param_t  ngx_smtp_esmtp_prdr_mail[] = {
    { "PRDR", ngx_smtp_esmtp_prdr_parse },
    { NULL, NULL }
};


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_prdr = {
    ngx_string("PRDR"),
    NGX_SMTP_EXT_PRDR,

    ngx_smtp_esmtp_prdr_advertise,
    ngx_smtp_esmtp_prdr_mail,
    NULL,                        /* parameters of RCPT */

    NULL,                        /* answer */
    ngx_smtp_esmtp_prdr_emit,
    NULL,                        /* emit_rcpt */
    NULL                         /* check */
};


/* LMTP answers each recipient anyway */

static ngx_int_t
ngx_smtp_esmtp_prdr_advertise(ngx_smtp_session_t *s, u_char **p, u_char *end)
{
    return s->service->lmtp ? NGX_DECLINED : NGX_OK;
}


static ngx_int_t
ngx_smtp_esmtp_prdr_parse(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_str_t *value)
{
    if (value->data) {
        return NGX_ERROR;
    }

    tx->prdr = 1;

    return NGX_OK;
}


static u_char *
ngx_smtp_esmtp_prdr_emit(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx, u_char *p,
    u_char *end)
{
    return tx->prdr ? ngx_slprintf(p, end, " PRDR") : p;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * SMTPUTF8, RFC 6531.  What was declared so is so towards a next hop that has
 * it.  To one that has not, a message goes if it does not need it: addresses
 * and header fields, in parts as well, are US-ASCII.  Nothing is converted.
 */


static ngx_int_t ngx_smtp_esmtp_smtputf8_parse(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_str_t *value);
static u_char *ngx_smtp_esmtp_smtputf8_emit(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, u_char *p, u_char *end);
static ngx_int_t ngx_smtp_esmtp_smtputf8_check(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, ngx_smtp_verdict_t *verdict);


static const ngx_smtp_esmtp_param_t  ngx_smtp_esmtp_smtputf8_mail[] = {
    { "SMTPUTF8", ngx_smtp_esmtp_smtputf8_parse },
    { NULL, NULL }
};


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_smtputf8 = {
    ngx_string("SMTPUTF8"),
    NGX_SMTP_EXT_SMTPUTF8,

    NULL,                        /* advertise: always */
    ngx_smtp_esmtp_smtputf8_mail,
    NULL,                        /* parameters of RCPT */

    NULL,                        /* answer: parameters are ignored, 3.1 */
    ngx_smtp_esmtp_smtputf8_emit,
    NULL,                        /* emit_rcpt */
    ngx_smtp_esmtp_smtputf8_check
};


static ngx_int_t
ngx_smtp_esmtp_smtputf8_parse(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_str_t *value)
{
    if (value->data) {
        return NGX_ERROR;
    }

    tx->utf8 = 1;

    return NGX_OK;
}


static u_char *
ngx_smtp_esmtp_smtputf8_emit(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    u_char *p, u_char *end)
{
    return tx->utf8 ? ngx_slprintf(p, end, " SMTPUTF8") : p;
}


static ngx_int_t
ngx_smtp_esmtp_smtputf8_check(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_verdict_t *verdict)
{
    if (caps->extensions & NGX_SMTP_EXT_SMTPUTF8) {
        return NGX_OK;
    }

    if (ngx_smtp_tx_utf8_envelope(tx)) {
        ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_SERVER_LACKS_UTF8);
        return NGX_DECLINED;
    }

    /* until there is a header, nothing is known of it */

    if (ngx_smtp_tx_utf8_message(tx)) {
        ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_SERVER_LACKS_UTF8_HEADER);
        return NGX_DECLINED;
    }

    return NGX_OK;
}

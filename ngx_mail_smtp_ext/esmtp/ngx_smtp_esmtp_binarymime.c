
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * BINARYMIME, RFC 3030, 3: content that need not consist of lines.  It comes
 * by BDAT and goes by BDAT, or not at all: nothing is converted.  The value of
 * BODY is taken by ngx_smtp_esmtp_8bitmime.c, whose parameter that is.
 */


static ngx_int_t ngx_smtp_esmtp_binarymime_advertise(ngx_smtp_session_t *s,
    u_char **p, u_char *end);
static u_char *ngx_smtp_esmtp_binarymime_emit(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, u_char *p, u_char *end);
static ngx_int_t ngx_smtp_esmtp_binarymime_check(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, ngx_smtp_verdict_t *verdict);


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_binarymime = {
    ngx_string("BINARYMIME"),
    NGX_SMTP_EXT_BINARYMIME,

    ngx_smtp_esmtp_binarymime_advertise,
    NULL,                        /* parameters of MAIL: 8BITMIME's BODY */
    NULL,                        /* parameters of RCPT */

    NULL,                        /* answer */
    ngx_smtp_esmtp_binarymime_emit,
    NULL,                        /* emit_rcpt */
    ngx_smtp_esmtp_binarymime_check
};


static ngx_int_t
ngx_smtp_esmtp_binarymime_advertise(ngx_smtp_session_t *s, u_char **p,
    u_char *end)
{
    /* RFC 3030, 3, 3) */

    return ngx_smtp_esmtp_offers(s, NGX_SMTP_EXT_CHUNKING) ? NGX_OK
                                                           : NGX_DECLINED;
}


static u_char *
ngx_smtp_esmtp_binarymime_emit(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    u_char *p, u_char *end)
{
    return tx->body_binary ? ngx_slprintf(p, end, " BODY=BINARYMIME") : p;
}


static ngx_int_t
ngx_smtp_esmtp_binarymime_check(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_verdict_t *verdict)
{
    ngx_uint_t  both;

    both = NGX_SMTP_EXT_BINARYMIME|NGX_SMTP_EXT_CHUNKING;

    if (tx->body_binary && (caps->extensions & both) != both) {
        ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_SERVER_LACKS_BINARY);
        return NGX_DECLINED;
    }

    return NGX_OK;
}

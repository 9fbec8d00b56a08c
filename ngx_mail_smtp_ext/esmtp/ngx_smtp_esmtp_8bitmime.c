
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * 8BITMIME, RFC 6152.  What becomes of a message for a next hop without it
 * depends on what is in the message, which has to be read for that:
 * relay/ngx_smtp_relay_8bit.c.
 *
 * BODY is this extension's parameter; others add values to it.
 */


static ngx_int_t ngx_smtp_esmtp_8bitmime_parse(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_str_t *value);
static u_char *ngx_smtp_esmtp_8bitmime_emit(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, u_char *p, u_char *end);


static const ngx_smtp_esmtp_param_t  ngx_smtp_esmtp_8bitmime_mail[] = {
    { "BODY", ngx_smtp_esmtp_8bitmime_parse },
    { NULL, NULL }
};


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_8bitmime = {
    ngx_string("8BITMIME"),
    NGX_SMTP_EXT_8BITMIME,

    NULL,                        /* advertise: always */
    ngx_smtp_esmtp_8bitmime_mail,
    NULL,                        /* parameters of RCPT */

    NULL,                        /* answer */
    ngx_smtp_esmtp_8bitmime_emit,
    NULL,                        /* emit_rcpt */
    NULL                         /* check */
};


static ngx_int_t
ngx_smtp_esmtp_8bitmime_parse(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_str_t *value)
{
    if (value->len == sizeof("7BIT") - 1
        && ngx_strncasecmp(value->data, (u_char *) "7BIT", value->len) == 0)
    {
        return NGX_OK;
    }

    if (value->len == sizeof("8BITMIME") - 1
        && ngx_strncasecmp(value->data, (u_char *) "8BITMIME", value->len)
           == 0)
    {
        tx->body_8bit = 1;
        return NGX_OK;
    }

    if (value->len == sizeof("BINARYMIME") - 1
        && ngx_strncasecmp(value->data, (u_char *) "BINARYMIME", value->len)
           == 0)
    {
        if (!ngx_smtp_esmtp_offers(s, NGX_SMTP_EXT_BINARYMIME)) {
            return NGX_DECLINED;
        }

        tx->body_binary = 1;
        return NGX_OK;
    }

    return NGX_ERROR;
}


static u_char *
ngx_smtp_esmtp_8bitmime_emit(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    u_char *p, u_char *end)
{
    return tx->body_8bit ? ngx_slprintf(p, end, " BODY=8BITMIME") : p;
}

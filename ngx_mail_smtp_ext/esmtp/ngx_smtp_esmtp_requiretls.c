
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * REQUIRETLS, RFC 8689: a message that must not be sent without TLS.  Taken
 * under TLS only, and offered where some destination is up to it: a maildir,
 * or a next hop with the extension behind TLS with a verified certificate.
 */


static ngx_int_t ngx_smtp_esmtp_requiretls_advertise(ngx_smtp_session_t *s,
    u_char **p, u_char *end);
static ngx_int_t ngx_smtp_esmtp_requiretls_parse(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_str_t *value);
static void ngx_smtp_esmtp_requiretls_answer(ngx_smtp_caps_t *caps,
    ngx_str_t *args);
static u_char *ngx_smtp_esmtp_requiretls_emit(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, u_char *p, u_char *end);
static ngx_int_t ngx_smtp_esmtp_requiretls_check(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, ngx_smtp_verdict_t *verdict);


static const ngx_smtp_esmtp_param_t  ngx_smtp_esmtp_requiretls_mail[] = {
    { "REQUIRETLS", ngx_smtp_esmtp_requiretls_parse },
    { NULL, NULL }
};


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_requiretls = {
    ngx_string("REQUIRETLS"),
    NGX_SMTP_EXT_REQUIRETLS,

    ngx_smtp_esmtp_requiretls_advertise,
    ngx_smtp_esmtp_requiretls_mail,
    NULL,                        /* parameters of RCPT */

    ngx_smtp_esmtp_requiretls_answer,
    ngx_smtp_esmtp_requiretls_emit,
    NULL,                        /* emit_rcpt */
    ngx_smtp_esmtp_requiretls_check
};


static ngx_int_t
ngx_smtp_esmtp_requiretls_advertise(ngx_smtp_session_t *s, u_char **p,
    u_char *end)
{
    ngx_uint_t         i;
    ngx_smtp_dest_t  **dest;

    /* RFC 8689, 2: the session itself must be under TLS */

    if (!s->tls || s->service->dests == NULL) {
        return NGX_DECLINED;
    }

    dest = s->service->dests->elts;

    for (i = 0; i < s->service->dests->nelts; i++) {
        if (dest[i]->caps
            && (dest[i]->caps->extensions & NGX_SMTP_EXT_REQUIRETLS))
        {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_smtp_esmtp_requiretls_parse(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_str_t *value)
{
    if (value->data) {
        return NGX_ERROR;
    }

    ngx_str_set(&tx->params[NGX_SMTP_PARAM_REQUIRETLS], "");

    return NGX_OK;
}


/* RFC 8689, 2: what is said in clear does not count */

static void
ngx_smtp_esmtp_requiretls_answer(ngx_smtp_caps_t *caps, ngx_str_t *args)
{
    if (!caps->secure) {
        caps->extensions &= ~(ngx_uint_t) NGX_SMTP_EXT_REQUIRETLS;
    }
}


static u_char *
ngx_smtp_esmtp_requiretls_emit(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    u_char *p, u_char *end)
{
    return tx->params[NGX_SMTP_PARAM_REQUIRETLS].data
           ? ngx_slprintf(p, end, " REQUIRETLS") : p;
}


/*
 * RFC 8689, 4.2.1; 5: a notification of failure, which comes from <>, is
 * rather sent without than not at all.
 */

static ngx_int_t
ngx_smtp_esmtp_requiretls_check(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_verdict_t *verdict)
{
    if (tx->params[NGX_SMTP_PARAM_REQUIRETLS].data
        && tx->mail_from.len
        && !(caps->extensions & NGX_SMTP_EXT_REQUIRETLS))
    {
        ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_SERVER_LACKS_TLS);
        return NGX_DECLINED;
    }

    return NGX_OK;
}

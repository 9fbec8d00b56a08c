
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * STARTTLS, RFC 3207: the offer.  The command is in server/.
 */


static ngx_int_t ngx_smtp_esmtp_starttls_advertise(ngx_smtp_session_t *s,
    u_char **p, u_char *end);


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_starttls = {
    ngx_string("STARTTLS"),
    NGX_SMTP_EXT_STARTTLS,

    ngx_smtp_esmtp_starttls_advertise,
    NULL,                        /* parameters of MAIL */
    NULL,                        /* parameters of RCPT */

    NULL,                        /* answer */
    NULL,                        /* emit_mail */
    NULL,                        /* emit_rcpt */
    NULL                         /* check */
};


static ngx_int_t
ngx_smtp_esmtp_starttls_advertise(ngx_smtp_session_t *s, u_char **p,
    u_char *end)
{
    /* RFC 3207, 4.2: not once TLS is in use */

    if (s->tls || s->service->starttls == NGX_SMTP_STARTTLS_OFF) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * XFORWARD, as Postfix's XFORWARD_README has it: the offer, to those whom
 * smtp_xforward_from names.  The command is in server/ngx_smtp_cmd_xforward.c.
 */


/* those that the command knows */
#define NGX_SMTP_ESMTP_XFORWARD_ATTRS                                        \
    " NAME ADDR PORT PROTO HELO IDENT SOURCE"


static ngx_int_t ngx_smtp_esmtp_xforward_advertise(ngx_smtp_session_t *s,
    u_char **p, u_char *end);


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_xforward = {
    ngx_string("XFORWARD"),
    NGX_SMTP_EXT_XFORWARD,

    ngx_smtp_esmtp_xforward_advertise,
    NULL,                        /* parameters of MAIL */
    NULL,                        /* parameters of RCPT */

    NULL,                        /* answer */
    NULL,                        /* emit_mail */
    NULL,                        /* emit_rcpt */
    NULL                         /* check */
};


static ngx_int_t
ngx_smtp_esmtp_xforward_advertise(ngx_smtp_session_t *s, u_char **p,
    u_char *end)
{
    if (!ngx_smtp_session_peer_in(s, s->service->xforward_from)) {
        return NGX_DECLINED;
    }

    *p = ngx_slprintf(*p, end, NGX_SMTP_ESMTP_XFORWARD_ATTRS);

    return NGX_OK;
}

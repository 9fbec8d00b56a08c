
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * XCLIENT, as Postfix's XCLIENT_README has it: the offer, to those whom
 * smtp_xclient_from names.  The command is in server/ngx_smtp_cmd_xclient.c.
 */


/* those that the command knows */
#define NGX_SMTP_ESMTP_XCLIENT_ATTRS                                         \
    " NAME ADDR PORT PROTO HELO REVERSE_NAME LOGIN DESTADDR DESTPORT"


static ngx_int_t ngx_smtp_esmtp_xclient_advertise(ngx_smtp_session_t *s,
    u_char **p, u_char *end);


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_xclient = {
    ngx_string("XCLIENT"),
    NGX_SMTP_EXT_XCLIENT,

    ngx_smtp_esmtp_xclient_advertise,
    NULL,                        /* parameters of MAIL */
    NULL,                        /* parameters of RCPT */

    NULL,                        /* answer */
    NULL,                        /* emit_mail */
    NULL,                        /* emit_rcpt */
    NULL                         /* check */
};


static ngx_int_t
ngx_smtp_esmtp_xclient_advertise(ngx_smtp_session_t *s, u_char **p,
    u_char *end)
{
    if (!ngx_smtp_session_peer_in(s, s->service->xclient_from)) {
        return NGX_DECLINED;
    }

    *p = ngx_slprintf(*p, end, NGX_SMTP_ESMTP_XCLIENT_ATTRS);

    return NGX_OK;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * XCLIENT, as Postfix's XCLIENT_README has it: the offer, to those whom
 * smtp_xclient_from names, and that of a next hop.  The command is in
 * server/ngx_smtp_cmd_xclient.c, and in relay/ngx_smtp_client_identity.c.
 */


static ngx_int_t ngx_smtp_esmtp_xclient_advertise(ngx_smtp_session_t *s,
    u_char **p, u_char *end);
static void ngx_smtp_esmtp_xclient_answer(ngx_smtp_caps_t *caps,
    ngx_str_t *args);


/* those that the command knows, and that we may have to say */
const ngx_str_t  ngx_smtp_xclient_names[] = {
    ngx_string("NAME"),
    ngx_string("ADDR"),
    ngx_string("PORT"),
    ngx_string("PROTO"),
    ngx_string("HELO"),
    ngx_string("REVERSE_NAME"),
    ngx_string("LOGIN"),
    ngx_string("DESTADDR"),
    ngx_string("DESTPORT"),
    ngx_null_string
};


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_xclient = {
    ngx_string("XCLIENT"),
    NGX_SMTP_EXT_XCLIENT,

    ngx_smtp_esmtp_xclient_advertise,
    NULL,                        /* parameters of MAIL */
    NULL,                        /* parameters of RCPT */

    ngx_smtp_esmtp_xclient_answer,
    NULL,                        /* emit_mail */
    NULL,                        /* emit_rcpt */
    NULL                         /* check */
};


static ngx_int_t
ngx_smtp_esmtp_xclient_advertise(ngx_smtp_session_t *s, u_char **p,
    u_char *end)
{
    const ngx_str_t  *name;

    if (!ngx_smtp_session_peer_in(s, s->service->xclient_from)) {
        return NGX_DECLINED;
    }

    for (name = ngx_smtp_xclient_names; name->len; name++) {
        *p = ngx_slprintf(*p, end, " %V", name);
    }

    return NGX_OK;
}


static void
ngx_smtp_esmtp_xclient_answer(ngx_smtp_caps_t *caps, ngx_str_t *args)
{
    caps->xclient = ngx_smtp_esmtp_words(args, ngx_smtp_xclient_names);
}

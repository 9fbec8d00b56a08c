
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * XFORWARD, as Postfix's XFORWARD_README has it: the offer, to those whom
 * smtp_xforward_from names, and that of a next hop.  The command is in
 * server/ngx_smtp_cmd_xforward.c, and in relay/ngx_smtp_relay_forward.c.
 */


static ngx_int_t ngx_smtp_esmtp_xforward_advertise(ngx_smtp_session_t *s,
    u_char **p, u_char *end);
static void ngx_smtp_esmtp_xforward_answer(ngx_smtp_caps_t *caps,
    ngx_str_t *args);


/* those that the command knows, and that we may have to say */
const ngx_str_t  ngx_smtp_xforward_names[] = {
    ngx_string("NAME"),
    ngx_string("ADDR"),
    ngx_string("PORT"),
    ngx_string("PROTO"),
    ngx_string("HELO"),
    ngx_string("IDENT"),
    ngx_string("SOURCE"),
    ngx_null_string
};


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_xforward = {
    ngx_string("XFORWARD"),
    NGX_SMTP_EXT_XFORWARD,

    ngx_smtp_esmtp_xforward_advertise,
    NULL,                        /* parameters of MAIL */
    NULL,                        /* parameters of RCPT */

    ngx_smtp_esmtp_xforward_answer,
    NULL,                        /* emit_mail */
    NULL,                        /* emit_rcpt */
    NULL                         /* check */
};


static ngx_int_t
ngx_smtp_esmtp_xforward_advertise(ngx_smtp_session_t *s, u_char **p,
    u_char *end)
{
    const ngx_str_t  *name;

    if (!ngx_smtp_session_peer_in(s, s->service->xforward_from)) {
        return NGX_DECLINED;
    }

    for (name = ngx_smtp_xforward_names; name->len; name++) {
        *p = ngx_slprintf(*p, end, " %V", name);
    }

    return NGX_OK;
}


static void
ngx_smtp_esmtp_xforward_answer(ngx_smtp_caps_t *caps, ngx_str_t *args)
{
    caps->xforward = ngx_smtp_esmtp_words(args, ngx_smtp_xforward_names);
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * VRFY and EXPN, which are commands of RFC 5321 with a keyword, 3.5.2, and
 * ETRN, RFC 1985: offered to those for whom the next hop is asked.  VRFY may be
 * said without; a next hop that has EXPN or ETRN says so.  The commands are in
 * server/ngx_smtp_cmd_vrfy.c, the relay's side in relay/ngx_smtp_ask.c.
 */


static ngx_int_t ngx_smtp_esmtp_vrfy_advertise(ngx_smtp_session_t *s,
    u_char **p, u_char *end);
static ngx_int_t ngx_smtp_esmtp_expn_advertise(ngx_smtp_session_t *s,
    u_char **p, u_char *end);
static ngx_int_t ngx_smtp_esmtp_etrn_advertise(ngx_smtp_session_t *s,
    u_char **p, u_char *end);


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_vrfy = {
    ngx_string("VRFY"),
    NGX_SMTP_EXT_VRFY,

    ngx_smtp_esmtp_vrfy_advertise,
    NULL,                        /* parameters of MAIL */
    NULL,                        /* parameters of RCPT */

    NULL,                        /* answer */
    NULL,                        /* emit_mail */
    NULL,                        /* emit_rcpt */
    NULL                         /* check */
};


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_expn = {
    ngx_string("EXPN"),
    NGX_SMTP_EXT_EXPN,

    ngx_smtp_esmtp_expn_advertise,
    NULL,                        /* parameters of MAIL */
    NULL,                        /* parameters of RCPT */

    NULL,                        /* answer */
    NULL,                        /* emit_mail */
    NULL,                        /* emit_rcpt */
    NULL                         /* check */
};


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_etrn = {
    ngx_string("ETRN"),
    NGX_SMTP_EXT_ETRN,

    ngx_smtp_esmtp_etrn_advertise,
    NULL,                        /* parameters of MAIL */
    NULL,                        /* parameters of RCPT */

    NULL,                        /* answer */
    NULL,                        /* emit_mail */
    NULL,                        /* emit_rcpt */
    NULL                         /* check */
};


static ngx_int_t
ngx_smtp_esmtp_vrfy_advertise(ngx_smtp_session_t *s, u_char **p, u_char *end)
{
    return ngx_smtp_query_allowed(s, NGX_SMTP_QUERY_VRFY) ? NGX_OK
                                                          : NGX_DECLINED;
}


static ngx_int_t
ngx_smtp_esmtp_expn_advertise(ngx_smtp_session_t *s, u_char **p, u_char *end)
{
    return ngx_smtp_query_allowed(s, NGX_SMTP_QUERY_EXPN) ? NGX_OK
                                                          : NGX_DECLINED;
}


static ngx_int_t
ngx_smtp_esmtp_etrn_advertise(ngx_smtp_session_t *s, u_char **p, u_char *end)
{
    return ngx_smtp_query_allowed(s, NGX_SMTP_QUERY_ETRN) ? NGX_OK
                                                          : NGX_DECLINED;
}

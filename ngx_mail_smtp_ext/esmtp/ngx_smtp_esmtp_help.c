
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * HELP, RFC 5321, 4.1.1.8: a command that no server needs to have (4.5.1), and
 * so has a keyword (4.1.1.1).
 */


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_help = {
    ngx_string("HELP"),
    NGX_SMTP_EXT_HELP,

    NULL,                        /* advertise: always */
    NULL,                        /* parameters of MAIL */
    NULL,                        /* parameters of RCPT */

    NULL,                        /* answer */
    NULL,                        /* emit_mail */
    NULL,                        /* emit_rcpt */
    NULL                         /* check */
};

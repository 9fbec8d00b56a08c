
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * CHUNKING, RFC 3030.  The command is in server/ngx_smtp_cmd_bdat.c; towards
 * the next hop the relay prefers it to DATA: no round trip for 354, and no
 * dots to look for.
 */


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_chunking = {
    ngx_string("CHUNKING"),
    NGX_SMTP_EXT_CHUNKING,

    NULL,                        /* advertise: always */
    NULL,                        /* parameters of MAIL */
    NULL,                        /* parameters of RCPT */

    NULL,                        /* answer */
    NULL,                        /* emit_mail */
    NULL,                        /* emit_rcpt */
    NULL                         /* check */
};


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * ENHANCEDSTATUSCODES, RFC 2034.  The codes are in the table of replies; those
 * of a next hop are kept (ngx_smtp_enhanced_parse()).
 */


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_enhanced = {
    ngx_string("ENHANCEDSTATUSCODES"),
    NGX_SMTP_EXT_ENHANCED,

    NULL,                        /* advertise: always */
    NULL,                        /* parameters of MAIL */
    NULL,                        /* parameters of RCPT */

    NULL,                        /* answer */
    NULL,                        /* emit_mail */
    NULL,                        /* emit_rcpt */
    NULL                         /* check */
};


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * PIPELINING, RFC 2920.  A batch of commands is answered in one write by the
 * input loop; what may not have anything behind it is a flag of the command.
 * Towards the next hop the relay looks at the bit.
 */


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_pipelining = {
    ngx_string("PIPELINING"),
    NGX_SMTP_EXT_PIPELINING,

    NULL,                        /* advertise: always */
    NULL,                        /* parameters of MAIL */
    NULL,                        /* parameters of RCPT */

    NULL,                        /* answer */
    NULL,                        /* emit_mail */
    NULL,                        /* emit_rcpt */
    NULL                         /* check */
};

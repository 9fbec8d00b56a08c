
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * What the protocol object of the first module needs.
 */


#ifndef _NGX_SMTP_ACCEPT_H_INCLUDED_
#define _NGX_SMTP_ACCEPT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_mail.h>


/* after accept, the PROXY protocol and implicit TLS */
void ngx_smtp_accept_init_session(ngx_mail_session_t *ms,
    ngx_connection_t *c);

/* after the handshake of STARTTLS */
void ngx_smtp_accept_init_protocol(ngx_event_t *rev);


#endif /* _NGX_SMTP_ACCEPT_H_INCLUDED_ */

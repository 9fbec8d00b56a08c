
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * VRFY, EXPN and ETRN towards a next hop.
 */


#ifndef _NGX_SMTP_ASK_H_INCLUDED_
#define _NGX_SMTP_ASK_H_INCLUDED_


#include <ngx_smtp_core.h>


/* query() of a destination that speaks SMTP */
void ngx_smtp_ask_start(ngx_smtp_query_t *query, ngx_smtp_op_t *op);

/* the phase table's */
ngx_int_t ngx_smtp_ask_query_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op);


#endif /* _NGX_SMTP_ASK_H_INCLUDED_ */

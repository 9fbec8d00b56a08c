
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * The trace field that goes in front of every message.
 */


#ifndef _NGX_SMTP_RECEIVED_H_INCLUDED_
#define _NGX_SMTP_RECEIVED_H_INCLUDED_


#include <ngx_smtp_core.h>


/*
 * Sets tx->received to the Received field of this message, with its CRLF, in
 * the transaction's pool, unless that has been done.  To be called while
 * tx->session is there.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_smtp_received_write(ngx_smtp_tx_t *tx);


#endif /* _NGX_SMTP_RECEIVED_H_INCLUDED_ */


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * The content of a message on its way in, as DATA and BDAT have it in common.
 */


#ifndef _NGX_SMTP_MESSAGE_H_INCLUDED_
#define _NGX_SMTP_MESSAGE_H_INCLUDED_


#include <ngx_smtp_core.h>


/* makes tx->spool; NGX_OK or NGX_ERROR (no memory) */
ngx_int_t ngx_smtp_message_start(ngx_smtp_tx_t *tx);

/*
 * What the phase OPEN said.  NGX_OK, or NGX_DECLINED: tx->failed, its verdict
 * is the reply.
 */
ngx_int_t ngx_smtp_message_opened(ngx_smtp_tx_t *tx, ngx_int_t rc);

/*
 * A piece of the content: counted, looked at, kept.  When tx->spool->full is
 * set afterwards and tx->failed is not, _flush() is due; with tx->pieces, it
 * is before more is read.
 */
void ngx_smtp_message_piece(ngx_smtp_tx_t *tx, ngx_str_t *piece);

/*
 * An ngx_smtp_input_pt's result: the spool is being written to its file, or
 * the pieces are on their way.
 */
ngx_int_t ngx_smtp_message_flush(ngx_smtp_session_t *s);

/*
 * All of it is there: delivers it, replies and ends the transaction.  Sets
 * session->input.  As an ngx_smtp_input_pt returns.
 */
ngx_int_t ngx_smtp_message_end(ngx_smtp_session_t *s);

/* tx->failed, before its end: one reply, and the transaction is over */
void ngx_smtp_message_refuse(ngx_smtp_session_t *s);


#endif /* _NGX_SMTP_MESSAGE_H_INCLUDED_ */

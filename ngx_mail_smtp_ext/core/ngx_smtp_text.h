
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * A text with variables, of a directive: compiled once, made whole for a
 * session when it is needed.
 */


#ifndef _NGX_SMTP_TEXT_H_INCLUDED_
#define _NGX_SMTP_TEXT_H_INCLUDED_


#include <ngx_smtp_core.h>
#include <ngx_smtp_var.h>


typedef struct {
    ngx_array_t      pieces;     /* of ngx_smtp_text_piece_t */
} ngx_smtp_text_t;


/* NULL: no memory, or no such variable, which is logged */
ngx_smtp_text_t *ngx_smtp_text_compile(ngx_conf_t *cf, ngx_str_t *value);

/*
 * The text, in pool or as long-lived as s and tx.  tx may be NULL.  What has
 * no value is nothing.  NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_smtp_text_make(ngx_smtp_text_t *text, ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_pool_t *pool, ngx_str_t *value);


#endif /* _NGX_SMTP_TEXT_H_INCLUDED_ */


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * A buffer that is read to, parts of which others may keep as they lie there
 * instead of copying them: it lives as long as its last owner.
 */


#ifndef _NGX_SMTP_BLOCK_H_INCLUDED_
#define _NGX_SMTP_BLOCK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* an empty one of size octets with one owner; NULL: no memory */
ngx_buf_t *ngx_smtp_block_create(size_t size, ngx_log_t *log);

/*
 * One owner more, who calls _free() too.  The octets that it keeps must not
 * be changed by the others.
 */
void ngx_smtp_block_keep(ngx_buf_t *b);

/* does anybody keep parts of it, beside who asks? */
ngx_uint_t ngx_smtp_block_shared(ngx_buf_t *b);

/* one owner less; it goes with the last */
void ngx_smtp_block_free(ngx_buf_t *b);


#endif /* _NGX_SMTP_BLOCK_H_INCLUDED_ */

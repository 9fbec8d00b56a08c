
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Mail data as BDAT carries it, RFC 3030: chunks of content as it is.  Lines
 * have to end in CRLF here as well.  Pure; slices are handed out, nothing is
 * copied.
 */


#ifndef _NGX_SMTP_CHUNK_H_INCLUDED_
#define _NGX_SMTP_CHUNK_H_INCLUDED_


#include <ngx_smtp_dot.h>


/*
 * The content in [*pos, last), slice by slice, with the structure of
 * ngx_smtp_dot_decode(): dots, bare and normalise mean the same.
 * NGX_OK: out is the next piece; call again.  NGX_AGAIN: all was handed out.
 */
ngx_int_t ngx_smtp_chunk_decode(ngx_smtp_dot_t *dot, u_char **pos,
    u_char *last, ngx_str_t *out);

/*
 * The last chunk has ended.  NGX_OK: out, the other half of a line end that
 * has to be mended, is to be added.  NGX_DONE: nothing is.  The state after
 * it is ngx_smtp_dot_line if the content ends in CRLF, or is empty.
 */
ngx_int_t ngx_smtp_chunk_end(ngx_smtp_dot_t *dot, ngx_str_t *out);


#endif /* _NGX_SMTP_CHUNK_H_INCLUDED_ */

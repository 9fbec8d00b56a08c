
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Between the connection and the parser, which alone knows nginx's http.
 */


#ifndef _NGX_SMTP_HTTP_PRIVATE_H_INCLUDED_
#define _NGX_SMTP_HTTP_PRIVATE_H_INCLUDED_


#include <ngx_smtp_http.h>


/* makes the parser and the room for the answer; NGX_OK or NGX_ERROR */
ngx_int_t ngx_smtp_http_parse_init(ngx_smtp_http_request_t *r);

/*
 * Goes on with what is in r->in.  NGX_OK: the header section is complete,
 * status and headers are set and point into r->in.  NGX_AGAIN: more is
 * needed.  NGX_ERROR: not an answer that we take; *reason says why.
 */
ngx_int_t ngx_smtp_http_parse(ngx_smtp_http_request_t *r, char **reason);


#endif /* _NGX_SMTP_HTTP_PRIVATE_H_INCLUDED_ */

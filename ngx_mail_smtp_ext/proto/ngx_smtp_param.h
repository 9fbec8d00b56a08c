
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Parameters of MAIL and RCPT: esmtp-keyword ["=" esmtp-value], RFC 5321,
 * 4.1.2.  Pure; name and value point into the line.  A value may have UTF-8
 * in it (RFC 6531, 3.3): where that is out of place is for the caller to say.
 */


#ifndef _NGX_SMTP_PARAM_H_INCLUDED_
#define _NGX_SMTP_PARAM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_str_t   name;
    ngx_str_t   value;           /* data is NULL where there was no "=" */
} ngx_smtp_param_t;


/*
 * Takes the next parameter at *pos, which stands behind the path or behind
 * the parameter before.  Spaces in front and at the end of the line are
 * skipped; a parameter that is not set off by a space is an error.
 * NGX_OK, NGX_DONE at the end of the line, NGX_ERROR for bad syntax.
 */
ngx_int_t ngx_smtp_param_next(ngx_smtp_param_t *param, u_char **pos,
    u_char *last);


#endif /* _NGX_SMTP_PARAM_H_INCLUDED_ */

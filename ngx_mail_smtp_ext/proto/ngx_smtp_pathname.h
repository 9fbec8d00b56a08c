
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Names of files out of what strangers have chosen.  Pure; whatever comes out
 * stays in the folder where it is put.
 */


#ifndef _NGX_SMTP_PATHNAME_H_INCLUDED_
#define _NGX_SMTP_PATHNAME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* what file systems take for one name */
#define NGX_SMTP_PATHNAME_MAX  255


/*
 * Writes the content of a local part to dst: without its quotes and
 * backslashes where it has them, letters of US-ASCII in lower case.  At most
 * as many octets as local has; returns the end.
 */
u_char *ngx_smtp_pathname_local(u_char *dst, ngx_str_t *local);

/* local up to its first "+", all of it if there is nothing before that */
ngx_str_t ngx_smtp_pathname_user(ngx_str_t *local);

/*
 * NGX_OK: value may be (a part of) a name of a file: it is not empty, has no
 * "/", no NUL or other control, and does not begin with a dot.
 */
ngx_int_t ngx_smtp_pathname_value(ngx_str_t *value);

/*
 * NGX_OK: no name in the path is too long, or is "." or "..".
 */
ngx_int_t ngx_smtp_pathname_path(ngx_str_t *path);


#endif /* _NGX_SMTP_PATHNAME_H_INCLUDED_ */

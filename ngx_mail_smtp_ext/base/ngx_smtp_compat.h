
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * What differs between the versions of nginx that we build with, 1.22.1 up to
 * 1.31.  The only place with a version in it.
 */


#ifndef _NGX_SMTP_COMPAT_H_INCLUDED_
#define _NGX_SMTP_COMPAT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#if (nginx_version < 1022001)
#error ngx_mail_smtp_ext needs nginx 1.22.1 or newer
#endif


/* the last argument, whether to keep trailers, came with 1.27.2 */

#if (nginx_version >= 1027002)
#define ngx_smtp_http_chunked_parse(r, b, ctx)                               \
    ngx_http_parse_chunked(r, b, ctx, 0)
#else
#define ngx_smtp_http_chunked_parse(r, b, ctx)                               \
    ngx_http_parse_chunked(r, b, ctx)
#endif


/* "ssl on" for all of a server{} went with 1.25.1 */

#if (nginx_version >= 1025001)
#define ngx_smtp_mail_ssl_on(sslcf)  0
#else
#define ngx_smtp_mail_ssl_on(sslcf)  ((sslcf)->enable == 1)
#endif


#endif /* _NGX_SMTP_COMPAT_H_INCLUDED_ */

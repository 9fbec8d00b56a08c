
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


#endif /* _NGX_SMTP_COMPAT_H_INCLUDED_ */


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#ifndef _NGINX_STUB_H_INCLUDED_
#define _NGINX_STUB_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* a connection with nothing but a log, which is silent */
ngx_connection_t *fuzz_connection(void);


#endif /* _NGINX_STUB_H_INCLUDED_ */

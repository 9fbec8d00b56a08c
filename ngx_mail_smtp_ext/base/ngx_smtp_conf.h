
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Directives of nginx's own that we look at as well.  Our modules stand before
 * some of nginx's, and the first one that knows a directive gets it: it has to
 * pass it on, or the built-in protocols would not see it.
 */


#ifndef _NGX_SMTP_CONF_H_INCLUDED_
#define _NGX_SMTP_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Calls the setter of the module whose directive cmd is, for its conf; what it
 * returns, NGX_CONF_ERROR when it has no such directive.
 */
char *ngx_smtp_conf_pass_on(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_module_t *module, void *conf);


#endif /* _NGX_SMTP_CONF_H_INCLUDED_ */

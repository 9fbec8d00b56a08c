
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Directives that list addresses: an address, a network, "unix:".
 */


#ifndef _NGX_SMTP_CIDR_H_INCLUDED_
#define _NGX_SMTP_CIDR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * The setter: appends to an ngx_array_t * of ngx_cidr_t, which is NULL before.
 * cmd->post, if any, is what a network of everybody does, for a warning:
 * "smtp_relay_from 0.0.0.0/0" makes an open relay.
 */
char *ngx_smtp_conf_set_cidr_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


#endif /* _NGX_SMTP_CIDR_H_INCLUDED_ */

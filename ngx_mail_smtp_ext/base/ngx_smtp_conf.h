
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * What directives of several folders have in common.  Messages name the
 * directive, and what it takes: nginx's own setters say "invalid value" only.
 */


#ifndef _NGX_SMTP_CONF_H_INCLUDED_
#define _NGX_SMTP_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Directives of nginx's own that we look at as well.  Our modules stand before
 * some of nginx's, and the first one that knows a directive gets it: it has to
 * pass it on, or the built-in protocols would not see it.
 *
 * Calls the setter of the module whose directive cmd is, for its conf; what it
 * returns, NGX_CONF_ERROR when it has no such directive.
 */
char *ngx_smtp_conf_pass_on(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_module_t *module, void *conf);

/* ngx_conf_set_enum_slot() and ngx_conf_set_bitmask_slot() */
char *ngx_smtp_conf_set_enum_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_smtp_conf_set_bitmask_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* ngx_conf_check_num_bounds() */
char *ngx_smtp_conf_check_num(ngx_conf_t *cf, void *post, void *data);

/* the same of a size, both ends included */
typedef struct {
    ngx_conf_post_handler_pt   post_handler;
    size_t                     low;
    size_t                     high;
} ngx_smtp_conf_sizes_t;

char *ngx_smtp_conf_check_size(ngx_conf_t *cf, void *post, void *data);

/* warns of what a server{}, in file and line, has set for nothing */
void ngx_smtp_conf_in_vain(ngx_conf_t *cf, char *name, char *needed,
    u_char *file_name, ngx_uint_t line);

/*
 * For times that something is waited for: with 0 nothing would ever come in
 * time.  It is no word for "no limit" there: all that is waited for has one.
 */
extern ngx_conf_post_t  ngx_smtp_conf_time_post;


#endif /* _NGX_SMTP_CONF_H_INCLUDED_ */

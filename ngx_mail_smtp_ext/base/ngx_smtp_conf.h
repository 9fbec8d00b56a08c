
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
 * Parameters of a directive, "name=value" or "name": rows of a table that ends
 * with an empty name.  post is set()'s own.
 */
typedef struct {
    ngx_str_t    name;           /* with "=", if it has a value */

    /* NGX_OK; NGX_ERROR: the value is none; NGX_ABORT: that has been logged */
    ngx_int_t  (*set)(ngx_conf_t *cf, ngx_str_t *value, void *field,
                      void *post);
    size_t       offset;         /* of field, in conf */
    void        *post;
} ngx_smtp_conf_param_t;

typedef struct {
    ngx_uint_t   low;
    ngx_uint_t   high;
} ngx_smtp_conf_bounds_t;

/* reads the arguments from number i on, each at most once; what it returns is
   for the directive's setter */
char *ngx_smtp_conf_params(ngx_conf_t *cf, ngx_uint_t i, void *conf,
    const ngx_smtp_conf_param_t *params);

/* post: ngx_smtp_conf_bounds_t, NULL: none; ngx_msec_t, ngx_uint_t */
ngx_int_t ngx_smtp_conf_param_time(ngx_conf_t *cf, ngx_str_t *value,
    void *field, void *post);
ngx_int_t ngx_smtp_conf_param_num(ngx_conf_t *cf, ngx_str_t *value,
    void *field, void *post);

/* anything but 0 */
extern ngx_smtp_conf_bounds_t  ngx_smtp_conf_some;

/* not 0; size_t, off_t */
ngx_int_t ngx_smtp_conf_param_size(ngx_conf_t *cf, ngx_str_t *value,
    void *field, void *post);
ngx_int_t ngx_smtp_conf_param_offset(ngx_conf_t *cf, ngx_str_t *value,
    void *field, void *post);

/* post: ngx_conf_enum_t; one of its names, or several with commas in between,
   whose values are bits; ngx_uint_t */
ngx_int_t ngx_smtp_conf_param_enum(ngx_conf_t *cf, ngx_str_t *value,
    void *field, void *post);
ngx_int_t ngx_smtp_conf_param_bits(ngx_conf_t *cf, ngx_str_t *value,
    void *field, void *post);

/* its name alone sets it to 1; ngx_uint_t */
ngx_int_t ngx_smtp_conf_param_flag(ngx_conf_t *cf, ngx_str_t *value,
    void *field, void *post);

/*
 * For times that something is waited for: with 0 nothing would ever come in
 * time.  It is no word for "no limit" there: all that is waited for has one.
 */
extern ngx_conf_post_t  ngx_smtp_conf_time_post;


#endif /* _NGX_SMTP_CONF_H_INCLUDED_ */

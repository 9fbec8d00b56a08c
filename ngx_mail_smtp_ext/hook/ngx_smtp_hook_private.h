
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Reading answers, shared by those who read parts of them.
 */


#ifndef _NGX_SMTP_HOOK_PRIVATE_H_INCLUDED_
#define _NGX_SMTP_HOOK_PRIVATE_H_INCLUDED_


#include <jansson.h>
#include <ngx_smtp_hook.h>


typedef struct {
    ngx_smtp_hook_answer_t  *answer;
    ngx_pool_t              *pool;
    char                    *reason;
} ngx_smtp_hook_reader_t;


/* says why, returns NGX_ERROR */
ngx_int_t ngx_smtp_hook_invalid(ngx_smtp_hook_reader_t *reader,
    char *reason);

/* NULL: there is none, or it is null */
json_t *ngx_smtp_hook_member(json_t *object, const char *name);

/* a copy in the pool; NGX_OK or NGX_ERROR */
ngx_int_t ngx_smtp_hook_string(ngx_smtp_hook_reader_t *reader, json_t *value,
    ngx_str_t *str);

/* ngx_smtp_hook_change.c: "modifications"; NGX_OK or NGX_ERROR */
ngx_int_t ngx_smtp_hook_read_changes(ngx_smtp_hook_reader_t *reader,
    json_t *root);


#endif /* _NGX_SMTP_HOOK_PRIVATE_H_INCLUDED_ */


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Reading answers, shared by those who read parts of them; and an envelope that
 * is to be changed, by those who look whether it can be.
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


/* a recipient as it would be */
typedef struct {
    ngx_smtp_rcpt_t         *rcpt;
    ngx_smtp_dest_t         *dest;           /* a route's; NULL: as it was */
    unsigned                 added:1;        /* by this answer */
    unsigned                 deleted:1;      /* ... */
} ngx_smtp_hook_who_t;


/* what a change of the sender changes in a transaction */
typedef struct {
    ngx_str_t                mail_from;
    ngx_str_t                auth;
    ngx_str_t                params[NGX_SMTP_PARAM_MAIL_MAX];
    unsigned                 utf8:1;
} ngx_smtp_hook_sender_t;


typedef struct {
    ngx_smtp_hook_run_t     *run;
    ngx_smtp_tx_t           *tx;
    ngx_smtp_rcpt_t         *asked;          /* at RCPT: about whom */
    ngx_array_t              who;            /* of ngx_smtp_hook_who_t */
    ngx_smtp_hook_sender_t   sender;         /* as it will be */
    char                    *reason;
    unsigned                 from:1;         /* another sender */
} ngx_smtp_hook_envelope_t;


/*
 * ngx_smtp_hook_places.c: sets where each of env->who is to be.  NGX_OK; or
 * NGX_DECLINED: it is not possible, env->reason says why; or NGX_ERROR.
 */
ngx_int_t ngx_smtp_hook_places(ngx_smtp_hook_envelope_t *env);

/* ngx_smtp_hook_envelope.c: are they one address? */
ngx_uint_t ngx_smtp_hook_envelope_same(ngx_str_t *a, ngx_str_t *b);

/* says why, returns NGX_DECLINED */
ngx_int_t ngx_smtp_hook_envelope_cant(ngx_smtp_hook_envelope_t *env,
    char *reason);


#endif /* _NGX_SMTP_HOOK_PRIVATE_H_INCLUDED_ */

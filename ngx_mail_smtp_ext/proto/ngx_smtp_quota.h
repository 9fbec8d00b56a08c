
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * The file "maildirsize" of a Maildir++: a line with the quota, and lines with
 * what was added and taken away since.  Pure.
 */


#ifndef _NGX_SMTP_QUOTA_H_INCLUDED_
#define _NGX_SMTP_QUOTA_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* a file that is longer is to be written anew */
#define NGX_SMTP_QUOTA_FILE_MAX  5120


/* no number is larger, so that a sum of two of them does not overflow */
#define NGX_SMTP_QUOTA_MAX  (NGX_MAX_OFF_T_VALUE / 10 - 1)


/* octets, and messages; as limits, 0 is none */
typedef struct {
    off_t        size;
    off_t        messages;
} ngx_smtp_quota_t;


typedef struct {
    ngx_smtp_quota_t   quota;
    ngx_smtp_quota_t   used;
    ngx_uint_t         lines;    /* of used */
} ngx_smtp_quota_file_t;


/*
 * NGX_OK, or NGX_ERROR: it is no such file, has no quota, or its sums can't be
 * right.
 */
ngx_int_t ngx_smtp_quota_parse(ngx_smtp_quota_file_t *file, u_char *p,
    u_char *last);

/* is there room for more, or would it be too much? */
ngx_uint_t ngx_smtp_quota_exceeded(ngx_smtp_quota_t *quota,
    ngx_smtp_quota_t *used, ngx_smtp_quota_t *more);

/*
 * The size that the name of a file tells (",S=" and digits), or -1; counts is
 * set to 0 if it is marked as deleted, which is not counted.
 */
off_t ngx_smtp_quota_name(u_char *p, u_char *last, ngx_uint_t *counts);


#endif /* _NGX_SMTP_QUOTA_H_INCLUDED_ */

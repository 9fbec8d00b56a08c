
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Octets as the inside of a JSON string, RFC 8259, 7, in pieces of any size.
 * What is not UTF-8 becomes U+FFFD: a receiver must not choke on what a client
 * wrote.  Pure.
 */


#ifndef _NGX_SMTP_JSON_H_INCLUDED_
#define _NGX_SMTP_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* what len octets can become, with the end: "\u0000" for each */
#define ngx_smtp_json_max(len)  (6 * ((len) + 1))


typedef struct {
    u_char       part[3];        /* of a character that is not whole yet */
    u_char       low;            /* bounds of its next octet */
    u_char       high;
    unsigned     have:2;
    unsigned     need:2;         /* octets that are missing; 0: none */
} ngx_smtp_json_t;


/*
 * Writes p..last to dst and returns how many octets that are; dst may be NULL,
 * then they are counted only.  Zero the structure before the first piece.
 */
size_t ngx_smtp_json_escape(ngx_smtp_json_t *js, u_char *dst, u_char *p,
    u_char *last);

/* the end: what was left of a character */
size_t ngx_smtp_json_end(ngx_smtp_json_t *js, u_char *dst);


/*
 * How deep do arrays and objects lie in each other?  Strings are skipped; what
 * is no JSON gives some number.
 */
ngx_uint_t ngx_smtp_json_depth(u_char *p, u_char *last);


#endif /* _NGX_SMTP_JSON_H_INCLUDED_ */


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * The destination http://, https://: a message that is POSTed to a service,
 * with the envelope in fields of the request.  docs/backends/delivery.md is
 * the contract with the service.
 */


#ifndef _NGX_SMTP_POST_H_INCLUDED_
#define _NGX_SMTP_POST_H_INCLUDED_


#include <ngx_smtp_core.h>
#include <ngx_smtp_http.h>
#include <ngx_smtp_text.h>


/*
 * Fields Smtp-To of one request.  HTTP servers have room for 16 kilobytes of
 * header, some for 100 fields (Node.js, Apache httpd, Python): half of that is
 * for these, and they are told 452 beyond it.
 */
#define NGX_SMTP_POST_TO_MAX  8192


/* a smtp_pass_http_header */
typedef struct {
    ngx_str_t                 name;
    ngx_str_t                 value;
    ngx_smtp_text_t          *text;          /* NULL: it has no variables */
} ngx_smtp_post_header_t;


/* of a server{} */
typedef struct {
    ngx_msec_t                timeout;
    ngx_msec_t                read_timeout;
    ngx_uint_t                max_recipients;
    ngx_array_t              *headers;       /* of ngx_smtp_post_header_t;
                                                NULL: none */
} ngx_smtp_post_conf_t;


/* a message on its way */
typedef struct {
    ngx_smtp_tx_t            *tx;
    ngx_smtp_delivery_t      *delivery;
    ngx_smtp_post_conf_t     *conf;
    ngx_smtp_op_t            *waiter;        /* of deliver() */
    ngx_smtp_op_t             op;            /* of the request */
    ngx_smtp_http_request_t   http;

    /* the body */
    ngx_smtp_spool_reader_t   reader;
    ngx_smtp_op_t             reading;       /* the spool, in a thread */
    u_char                   *raw;           /* a piece of it */
    size_t                    got;           /* octets in raw, to be given */
    off_t                     offset;        /* of what has been given */
    ngx_chain_t               link;
    ngx_buf_t                 buf;
    ngx_buf_t                 mark;          /* the last octet of all */

    unsigned                  head:1;        /* Received has been given */
    unsigned                  marked:1;      /* only mark is left */
    unsigned                  held:1;        /* until commit() */
    unsigned                  anew:1;        /* a piece that is being read is
                                                of no use any more */
    unsigned                  lost:1;        /* the spool can't be read */
} ngx_smtp_post_t;


extern ngx_module_t  ngx_mail_smtp_ext_post_module;
extern ngx_module_t  ngx_mail_smtp_ext_http_module;


/* ngx_smtp_post_body.c: ngx_smtp_http_piece_pt of it */
ngx_int_t ngx_smtp_post_piece(ngx_smtp_http_request_t *r, ngx_uint_t first,
    ngx_chain_t **piece);


/* ngx_smtp_post_fields.c: the fields of the request; NGX_OK or NGX_ERROR */
ngx_int_t ngx_smtp_post_fields(ngx_smtp_post_t *post, ngx_str_t *fields);

/* an address as it is written there, and in an answer */
size_t ngx_smtp_post_addr_len(ngx_str_t *addr);
u_char *ngx_smtp_post_addr(u_char *p, ngx_str_t *addr);
ngx_uint_t ngx_smtp_post_addr_is(ngx_str_t *addr, u_char *text, size_t len);


/*
 * ngx_smtp_post_answer.c: what the answer makes of the message: the verdict
 * of the delivery, and those of recipients.  1: the service is out of order.
 */
ngx_uint_t ngx_smtp_post_answer(ngx_smtp_post_t *post);


#endif /* _NGX_SMTP_POST_H_INCLUDED_ */

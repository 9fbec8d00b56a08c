
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Where recipients go: smtp_recipient{}, smtp_pass, smtp_relay_from, and the
 * destinations that they name.
 */


#ifndef _NGX_SMTP_ROUTE_H_INCLUDED_
#define _NGX_SMTP_ROUTE_H_INCLUDED_


#include <ngx_smtp_core.h>


/* $1 .. $9 in smtp_rewrite, and what the whole expression matched */
#define NGX_SMTP_ROUTE_CAPTURES  10


typedef enum {
    NGX_SMTP_ROUTE_EXACT = 0,
    NGX_SMTP_ROUTE_DOMAIN,
    NGX_SMTP_ROUTE_SUBDOMAIN,
    NGX_SMTP_ROUTE_REGEX,
    NGX_SMTP_ROUTE_ANY
} ngx_smtp_route_e;

/* those that are looked up in a hash come first */
#define NGX_SMTP_ROUTE_HASHES  NGX_SMTP_ROUTE_REGEX


/* a piece of smtp_rewrite's address */
typedef struct {
    ngx_str_t                text;
    ngx_uint_t               capture;       /* 0: text */
} ngx_smtp_rewrite_t;


/* one smtp_recipient{} */
typedef struct {
    ngx_str_t                pattern;       /* as configured */
    ngx_smtp_route_e         kind;
    ngx_str_t                key;           /* of a hash, in lower case */
    ngx_regex_t             *regex;
    ngx_uint_t               captures;

    ngx_smtp_dest_t         *dest;
    ngx_array_t             *rewrite;       /* of ngx_smtp_rewrite_t; NULL:
                                               the address stays */
    ngx_uint_t               line;
    u_char                  *file_name;
} ngx_smtp_route_t;


/* the smtp_recipient{} of a server, ready for lookup */
typedef struct {
    ngx_hash_t               hashes[NGX_SMTP_ROUTE_HASHES];
    ngx_array_t              regexes;       /* of ngx_smtp_route_t * */
    ngx_smtp_route_t        *any;
} ngx_smtp_route_table_t;


#define NGX_SMTP_ROUTE_MIXED_SINGLE  0
#define NGX_SMTP_ROUTE_MIXED_BOUNCE  1

/* each holds a connection while the others get the message */
#define NGX_SMTP_ROUTE_DESTINATIONS  10


typedef struct {
    ngx_array_t             *routes;        /* of ngx_smtp_route_t * */
    ngx_smtp_route_table_t  *table;         /* NULL: no smtp_recipient{} */
    ngx_smtp_dest_t         *pass;
    ngx_array_t             *relay_from;    /* of ngx_cidr_t */
    ngx_array_t             *auth_route;    /* of ngx_smtp_dest_t * */

    ngx_uint_t               mixed_result;  /* NGX_SMTP_ROUTE_MIXED_* */
    ngx_smtp_dest_t         *report;        /* of bounce */
    ngx_flag_t               success;       /* smtp_success_report: 0: off */
    ngx_smtp_dest_t         *success_report;
    ngx_int_t                max_destinations;
    ngx_array_t             *hook_route;     /* of ngx_smtp_dest_t * */

    ngx_smtp_route_t        *route;         /* whose block is being read */
} ngx_mail_smtp_ext_route_srv_conf_t;


/*
 * An address as it is compared: a local part that is quoted without need is
 * unquoted, RFC 5321, 4.1.2; letters in lower case, but not those of the
 * local part in text.
 */
typedef struct {
    size_t                   len;           /* of both */
    size_t                   local;         /* octets before "@" */
    u_char                   text[NGX_SMTP_PATH_MAX + NGX_SMTP_DOMAIN_MAX];
    u_char                   key[NGX_SMTP_PATH_MAX + NGX_SMTP_DOMAIN_MAX];
} ngx_smtp_route_addr_t;


/* NGX_OK, or NGX_ERROR: longer than any address may be */
ngx_int_t ngx_smtp_route_addr_set(ngx_smtp_route_addr_t *addr,
    ngx_str_t *local, ngx_str_t *domain);


/* who is to go somewhere; without a local part, all of a domain */
typedef struct {
    ngx_smtp_rcpt_t         *rcpt;
    ngx_pool_t              *pool;          /* of what is made for it */
    ngx_smtp_dest_t        **auth_dest;     /* kept for the next one */
    unsigned                 utf8:1;        /* it may be rewritten to UTF-8 */
    unsigned                 named:1;       /* only where a rule names it */
} ngx_smtp_route_choice_t;


/*
 * Sets rcpt->dest, and ->addr where it is rewritten.  NGX_OK, NGX_DECLINED:
 * nobody takes it from this client, NGX_DONE: the verdict is set, NGX_ERROR.
 */
ngx_int_t ngx_smtp_route_choose(ngx_smtp_session_t *s,
    ngx_smtp_route_choice_t *choice);


/* configuration; all of them log what is wrong */

/* sets kind and key, or regex and captures, from pattern */
ngx_int_t ngx_smtp_route_pattern(ngx_conf_t *cf, ngx_smtp_route_t *route);

/* sets rewrite from smtp_rewrite's value */
ngx_int_t ngx_smtp_route_rewrite(ngx_conf_t *cf, ngx_smtp_route_t *route,
    ngx_str_t *value);

ngx_smtp_route_table_t *ngx_smtp_route_table_create(ngx_conf_t *cf,
    ngx_array_t *routes);


/* handlers of the phases */
ngx_int_t ngx_smtp_route_connect_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_route_rcpt_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);
ngx_int_t ngx_smtp_route_query_handler(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);


/* all destinations that a configuration names, by url */
typedef struct {
    ngx_rbtree_t             rbtree;
    ngx_rbtree_node_t        sentinel;
} ngx_smtp_dests_t;


/* the last row is NULL; a value without a scheme is of the first type */
extern const ngx_smtp_dest_type_t *const  ngx_smtp_dest_table[];

/*
 * Run time: a destination of the first type, made from pool, that is one
 * server or a smtp_upstream{}.  NULL: no memory, or not such a thing.
 */
extern ngx_smtp_dest_t *(*const ngx_smtp_dest_make)(ngx_pool_t *pool,
    ngx_str_t *host, in_port_t port);


void ngx_smtp_dests_init(ngx_smtp_dests_t *dests);

/* NULL after logging what is wrong; the same value gives the same */
ngx_smtp_dest_t *ngx_smtp_dest_parse(ngx_conf_t *cf, ngx_smtp_dests_t *dests,
    ngx_str_t *value);


#endif /* _NGX_SMTP_ROUTE_H_INCLUDED_ */

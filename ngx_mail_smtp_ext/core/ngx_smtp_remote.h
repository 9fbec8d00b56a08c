
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Who the client is taken for.  That is the peer of the connection, as the
 * PROXY protocol has it; or who a peer that is trusted says it is (XCLIENT).
 * What such a peer may do is decided by its own address all the same.
 */


#ifndef _NGX_SMTP_REMOTE_H_INCLUDED_
#define _NGX_SMTP_REMOTE_H_INCLUDED_


#include <ngx_smtp_attr.h>


/* a name or other text of an attribute, with its place */
typedef struct {
    ngx_str_t            text;           /* empty: not known */
    u_char               buf[NGX_SMTP_ATTR_MAX];
} ngx_smtp_remote_text_t;


/* what was said by XCLIENT: made once, kept to the end of the connection */
typedef struct {
    ngx_sockaddr_t           sockaddr;
    u_char                   addr_text[NGX_SOCKADDR_STRLEN];

    ngx_smtp_remote_text_t   name;
    ngx_smtp_remote_text_t   reverse_name;
    ngx_smtp_remote_text_t   dest_addr;
    in_port_t                dest_port;

    unsigned                 port:1;         /* was given */
    unsigned                 dest:1;         /* where it connected to, too */
    unsigned                 reverse_temp:1; /* looking it up failed for now */
} ngx_smtp_xclient_t;


typedef struct {
    struct sockaddr         *sockaddr;   /* AF_UNSPEC: not known */
    ngx_str_t                addr_text;  /* "unknown" then */
    ngx_str_t                name;       /* empty: not known */
    ngx_smtp_xclient_t      *xclient;    /* NULL: nothing was said */
    ngx_str_t                found;      /* name, if it was looked up */
    in_port_t                port;       /* 0: not known */

    unsigned                 told:1;         /* name is XCLIENT's */
    unsigned                 looked:1;       /* ... or was looked up, found or
                                                not */
    unsigned                 name_temp:1;    /* looking it up failed for now */
} ngx_smtp_remote_t;


/* of XFORWARD, in the order in which EHLO names them */
typedef enum {
    NGX_SMTP_XFORWARD_NAME = 0,
    NGX_SMTP_XFORWARD_ADDR,
    NGX_SMTP_XFORWARD_PORT,
    NGX_SMTP_XFORWARD_PROTO,
    NGX_SMTP_XFORWARD_HELO,
    NGX_SMTP_XFORWARD_IDENT,
    NGX_SMTP_XFORWARD_SOURCE,
    NGX_SMTP_XFORWARD_MAX
} ngx_smtp_xforward_e;


/*
 * Where a message came from before it came here, for the log alone: from the
 * first XFORWARD to the end of the transaction that follows.
 */
typedef struct {
    ngx_smtp_remote_text_t   attrs[NGX_SMTP_XFORWARD_MAX];
} ngx_smtp_xforward_t;


/* the peer of s->connection */
void ngx_smtp_remote_init(ngx_smtp_session_t *s);

/* forgets what was said: the peer again, and nothing forwarded */
void ngx_smtp_remote_free(ngx_smtp_session_t *s);

/*
 * Looks up the name of the client's address, once for an address, if there is
 * a resolver.  NGX_OK: name and name_temp have what is to be known; NGX_AGAIN:
 * op, already started, will finish with NGX_OK.
 */
ngx_int_t ngx_smtp_remote_name(ngx_smtp_session_t *s, ngx_smtp_op_t *op);

/* what was looked up, when the address is another one now */
void ngx_smtp_remote_name_forget(ngx_smtp_session_t *s);

/* to, which is zeroed, becomes what from is; that may be NULL */
void ngx_smtp_remote_forward_copy(ngx_smtp_xforward_t *to,
    ngx_smtp_xforward_t *from);

/* the end of a transaction, or RSET without one */
void ngx_smtp_remote_forward_free(ngx_smtp_session_t *s);

/* at most NGX_SMTP_ATTR_MAX octets of value */
void ngx_smtp_remote_text_set(ngx_smtp_remote_text_t *text, ngx_str_t *value);


#endif /* _NGX_SMTP_REMOTE_H_INCLUDED_ */

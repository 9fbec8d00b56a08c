
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * What is in the fields of a message, RFC 5322 (the Internet Message Format)
 * and RFC 6532: lists of addresses, 3.4, and message identifiers, 3.6.4.
 * Pure.
 */


#ifndef _NGX_SMTP_IMF_H_INCLUDED_
#define _NGX_SMTP_IMF_H_INCLUDED_


#include <ngx_smtp_syntax.h>
#include <ngx_smtp_addr.h>


/* of an addr-spec; what is longer is no mailbox of RFC 5321 */
#define NGX_SMTP_IMF_ADDR  (NGX_SMTP_PATH_MAX - 2)

/* comments in comments; there is no sense in more, and no need of memory */
#define NGX_SMTP_IMF_DEPTH  255


typedef struct {
    /* each addr-spec, without comments and white space; may be NULL */
    void         (*mailbox)(void *data, ngx_str_t *addr);
    void          *data;

    ngx_uint_t     mailboxes;
    ngx_uint_t     groups;

    /* private */
    ngx_uint_t     state;
    ngx_uint_t     lexical;
    ngx_uint_t     depth;
    size_t         len;
    u_char         addr[NGX_SMTP_IMF_ADDR];

    unsigned       error:1;
    unsigned       group:1;      /* inside of one */
    unsigned       angle:1;      /* behind "<" */
    unsigned       word:1;       /* the last thing was a word, not a dot */
    unsigned       phrase:1;     /* what was so far is no local part */
    unsigned       space:1;      /* white space or a comment came last */
} ngx_smtp_imf_addrs_t;


/*
 * Reads the body of a field that is an address-list, in pieces of any size,
 * folded or not.  Zero the structure and set mailbox and data before.  What
 * is obsolete but has a meaning is taken, 4.4: routes, which are left out,
 * comments and white space between the parts of an address, empty members.
 */
void ngx_smtp_imf_addrs_feed(ngx_smtp_imf_addrs_t *addrs, u_char *p,
    u_char *last);

/* NGX_OK, or NGX_ERROR: it is no address-list */
ngx_int_t ngx_smtp_imf_addrs_end(ngx_smtp_imf_addrs_t *addrs);


/* is the body of a field one msg-id, and nothing else? */
ngx_uint_t ngx_smtp_imf_msg_id_valid(u_char *p, u_char *last);


#endif /* _NGX_SMTP_IMF_H_INCLUDED_ */


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * What must be known of a message's header section while it goes by: where it
 * ends, and how many trace fields it has (RFC 5321, 6.3).  Pure; fed with
 * content (dot-stuffing undone) in pieces of any size.
 */


#ifndef _NGX_SMTP_HEADER_H_INCLUDED_
#define _NGX_SMTP_HEADER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the longest field name that is told apart; longer ones are "other" */
#define NGX_SMTP_HEADER_NAME_MAX  32


typedef struct {
    ngx_uint_t   state;
    ngx_uint_t   received;       /* Received fields so far */
    size_t       size;           /* octets of the header section so far, with
                                    the empty line that ends it */
    size_t       name_len;
    u_char       name[NGX_SMTP_HEADER_NAME_MAX];

    unsigned     done:1;         /* the section has ended */
} ngx_smtp_header_t;


/*
 * Looks at the next piece of the content.  Zero the structure before a
 * message.  Once done is set, calls return at once.  The section ends at an
 * empty line, or at a line that is neither a field nor folded: the body then
 * has begun without one.
 */
void ngx_smtp_header_feed(ngx_smtp_header_t *header, u_char *p, u_char *last);


#endif /* _NGX_SMTP_HEADER_H_INCLUDED_ */

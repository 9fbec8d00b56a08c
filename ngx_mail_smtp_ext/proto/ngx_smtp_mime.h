
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Is a message internationalized (RFC 6532): are there 8-bit octets in its
 * header section, or in a header section inside of it?  Pure; fed with content
 * (dot-stuffing undone) in pieces of any size.
 */


#ifndef _NGX_SMTP_MIME_H_INCLUDED_
#define _NGX_SMTP_MIME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* of each line as much is kept: a boundary's line (RFC 2046, 5.1.1) fits */
#define NGX_SMTP_MIME_LINE_MAX  80


typedef struct {
    ngx_uint_t   state;
    size_t       len;            /* of the line so far, CR included */
    u_char       line[NGX_SMTP_MIME_LINE_MAX];

    unsigned     inside:1;       /* behind the message's own header section */
    unsigned     line_8bit:1;
    unsigned     message:1;      /* the section's Content-Type is message/ */
    unsigned     type:1;         /* inside of its Content-Type field */

    unsigned     header_8bit:1;  /* in the message's own header section */
    unsigned     part_8bit:1;    /* in another */
} ngx_smtp_mime_t;


/* looks at the next piece of the content; zero the structure before it */
void ngx_smtp_mime_feed(ngx_smtp_mime_t *mime, u_char *p, u_char *last);

/* the content has ended: its last line need not have a line end */
void ngx_smtp_mime_end(ngx_smtp_mime_t *mime);


#endif /* _NGX_SMTP_MIME_H_INCLUDED_ */

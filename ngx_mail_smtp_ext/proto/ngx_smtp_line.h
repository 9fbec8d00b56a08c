
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Lines of a client: only CRLF ends one (RFC 5321, 2.3.8), and their length
 * is bounded.  Pure; the line points into the buffer.
 */


#ifndef _NGX_SMTP_LINE_H_INCLUDED_
#define _NGX_SMTP_LINE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_SMTP_LINE_TOO_LONG  -10    /* a line over max has ended, unread */
#define NGX_SMTP_LINE_BARE_CR   -11    /* the line had a CR without LF */
#define NGX_SMTP_LINE_BARE_LF   -12    /* an LF without CR was met */


typedef struct {
    ngx_str_t   text;            /* the line without its CRLF */
    u_char      head[4];         /* how a line began whose text is not given */
    size_t      scanned;         /* octets behind pos known to hold no LF */

    unsigned    normalise:1;     /* a bare LF ends a line as well */
    unsigned    skip:1;          /* inside a line that was too long */
    unsigned    last_cr:1;       /* skip: the octet before pos was a CR */
} ngx_smtp_line_t;


/*
 * Takes the next line out of b and moves b->pos behind it.
 *
 * NGX_OK: line->text is a line of at most max octets, CRLF not counted.
 * NGX_AGAIN: no whole line yet.  While a line that is too long goes by, its
 *     octets are taken out of b, so b can't fill up with it.
 * NGX_SMTP_LINE_TOO_LONG: such a line has just ended; the next may follow.
 * NGX_SMTP_LINE_BARE_CR: the line has been taken, its text must not be used.
 * NGX_SMTP_LINE_BARE_LF: without normalise; b->pos stands behind the LF.  The
 *     framing is lost: whoever goes on reading does what smugglers want.
 *
 * scanned makes repeated calls linear: it is kept between calls and must be 0
 * at the first one.  Zero the structure at the start of a connection.
 */
ngx_int_t ngx_smtp_line_next(ngx_smtp_line_t *line, ngx_buf_t *b, size_t max);


#endif /* _NGX_SMTP_LINE_H_INCLUDED_ */


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Mail data as DATA carries it: transparency and the end mark of RFC 5321,
 * 4.5.2, lines that end in CRLF and nothing else, 2.3.8.  Pure; works on
 * whole buffers and hands out slices of them, nothing is copied.
 */


#ifndef _NGX_SMTP_DOT_H_INCLUDED_
#define _NGX_SMTP_DOT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* the place in the line where the input was cut */
typedef enum {
    ngx_smtp_dot_line = 0,       /* behind CRLF, or nothing seen yet */
    ngx_smtp_dot_text,           /* inside a line */
    ngx_smtp_dot_cr,             /* behind a CR, which was handed out */
    ngx_smtp_dot_dot,            /* behind a leading dot, which was not */
    ngx_smtp_dot_dot_cr,         /* behind a leading dot and CR, likewise */
    ngx_smtp_dot_mended,         /* behind a line end that was mended */
    ngx_smtp_dot_mended_dot      /* ... and a leading dot, which was dropped */
} ngx_smtp_dot_state_e;


typedef struct {
    ngx_uint_t   state;
    ngx_uint_t   dots;           /* lines of the content that begin with "." */

    unsigned     normalise:1;    /* a bare CR or LF becomes CRLF; set by the
                                    caller.  Otherwise they pass as they are,
                                    and bare says so */
    unsigned     bare:1;         /* a bare CR or LF was met */
} ngx_smtp_dot_t;


/*
 * The content in [*pos, last), slice by slice.  Zero the structure before a
 * message; the state in which the line after 354 begins is 0.
 *
 * NGX_OK: out is the next piece of the content, with dot-stuffing undone.  It
 *     points into the input or to constant memory and is not empty.  Call
 *     again.
 * NGX_AGAIN: the input is used up (*pos == last).  A leading dot, with or
 *     without a CR behind it, that may yet be the end mark's is remembered in
 *     state, not handed out.
 * NGX_DONE: <CRLF>.<CRLF> was met, *pos stands behind it.  Only these five
 *     octets as they came from the client end a message: neither a bare LF
 *     or CR nor one that was normalised counts as a part of the mark.  The
 *     first CRLF belongs to the content (4.1.1.4).
 *
 * With normalise, dot-stuffing is undone behind a mended line end, too: who
 * takes an LF for one has stuffed behind it.
 */
ngx_int_t ngx_smtp_dot_decode(ngx_smtp_dot_t *dot, u_char **pos, u_char *last,
    ngx_str_t *out);

/*
 * Dot-stuffs content: reads [*pos, last), writes to [dst, end), advances *pos
 * by what was read, returns the end of what was written.  *state is 0 at the
 * start of the content and kept between calls.  It stops when one of the two
 * is used up; a dst of at least 2 octets always makes progress.
 */
u_char *ngx_smtp_dot_encode(ngx_uint_t *state, u_char **pos, u_char *last,
    u_char *dst, u_char *end);

/*
 * Passes over octets in which each line ends in CRLF and none begins with a
 * dot, as far as that is fast.  p must not be behind a CR with an LF to come,
 * nor at a dot that begins a line.  Returns p, or a place that is at a CR or
 * behind neither CR nor LF.
 */
u_char *ngx_smtp_dot_lines(u_char *p, u_char *last);

/* the first CR or LF in [p, last), or last */
u_char *ngx_smtp_dot_eol(u_char *p, u_char *last);


#endif /* _NGX_SMTP_DOT_H_INCLUDED_ */

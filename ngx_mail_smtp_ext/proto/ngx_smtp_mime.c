
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_mime.h>


/*
 * Header sections are found line by line: the message's own, those behind what
 * looks like a boundary (RFC 2046, 5.1.1), whichever it is, and those that
 * follow the header of a part of type message/.  A section ends at an empty
 * line, or at one that is no field.
 *
 * A text that imitates a boundary with fields behind it is taken for one.
 * That errs to the safe side: who asks this wants to know whether a message
 * may go where nothing but US-ASCII is understood.
 */


typedef enum {
    ngx_smtp_mime_header = 0,
    ngx_smtp_mime_body
} ngx_smtp_mime_state_e;


static void ngx_smtp_mime_line(ngx_smtp_mime_t *mime);
static void ngx_smtp_mime_header_line(ngx_smtp_mime_t *mime, size_t len);
static ngx_uint_t ngx_smtp_mime_is_field(ngx_smtp_mime_t *mime, size_t len);
static void ngx_smtp_mime_type(ngx_smtp_mime_t *mime, u_char *p,
    u_char *last);
static ngx_uint_t ngx_smtp_mime_is_boundary(ngx_smtp_mime_t *mime, size_t len);


void
ngx_smtp_mime_feed(ngx_smtp_mime_t *mime, u_char *p, u_char *last)
{
    size_t   n;
    u_char  *lf, *end;

    while (p < last) {

        lf = memchr(p, LF, last - p);
        end = lf ? lf : last;

        if (mime->len < NGX_SMTP_MIME_LINE_MAX) {
            n = ngx_min((size_t) (end - p),
                        NGX_SMTP_MIME_LINE_MAX - mime->len);
            ngx_memcpy(mime->line + mime->len, p, n);
        }

        mime->len += end - p;

        /* in a body nobody asks */

        if (mime->state == ngx_smtp_mime_header && !mime->line_8bit) {
            mime->line_8bit = ngx_smtp_is_8bit(p, end);
        }

        if (lf == NULL) {
            return;
        }

        ngx_smtp_mime_line(mime);

        mime->len = 0;
        mime->line_8bit = 0;

        p = lf + 1;
    }
}


void
ngx_smtp_mime_end(ngx_smtp_mime_t *mime)
{
    if (mime->len) {
        ngx_smtp_mime_line(mime);
        mime->len = 0;
    }
}


/* a line is complete */

static void
ngx_smtp_mime_line(ngx_smtp_mime_t *mime)
{
    size_t  len;

    len = mime->len;

    if (len && len <= NGX_SMTP_MIME_LINE_MAX && mime->line[len - 1] == CR) {
        len--;
    }

    if (ngx_smtp_mime_is_boundary(mime, len)
        && (mime->inside || mime->state == ngx_smtp_mime_body))
    {
        mime->state = ngx_smtp_mime_header;
        mime->inside = 1;
        mime->message = 0;
        mime->type = 0;
        return;
    }

    if (mime->state == ngx_smtp_mime_header) {
        ngx_smtp_mime_header_line(mime, len);
    }
}


static void
ngx_smtp_mime_header_line(ngx_smtp_mime_t *mime, size_t len)
{
    u_char  *line;

    line = mime->line;

    if (len == 0) {

        /* the header of what is forwarded follows */

        mime->state = mime->message ? ngx_smtp_mime_header
                                    : ngx_smtp_mime_body;
        mime->inside = 1;
        mime->message = 0;
        mime->type = 0;
        return;
    }

    if (line[0] == ' ' || line[0] == '\t') {

        if (mime->type) {
            ngx_smtp_mime_type(mime, line,
                               line + ngx_min(len, NGX_SMTP_MIME_LINE_MAX));
        }

    } else if (!ngx_smtp_mime_is_field(mime, len)) {
        mime->state = ngx_smtp_mime_body;
        mime->inside = 1;
        return;
    }

    if (mime->line_8bit) {
        if (mime->inside) {
            mime->part_8bit = 1;

        } else {
            mime->header_8bit = 1;
        }
    }
}


/* field-name [WSP] ":", RFC 5322, 3.6.8 and 4.5; a long name passes for one */

static ngx_uint_t
ngx_smtp_mime_is_field(ngx_smtp_mime_t *mime, size_t len)
{
    u_char  *p, *last;
    size_t   name;

    p = mime->line;
    last = p + ngx_min(len, NGX_SMTP_MIME_LINE_MAX);

    while (p < last && *p > ' ' && *p < 0x7f && *p != ':') { p++; }

    name = p - mime->line;

    while (p < last && (*p == ' ' || *p == '\t')) { p++; }

    mime->type = 0;

    if (p == last) {
        return len > NGX_SMTP_MIME_LINE_MAX;
    }

    if (name == 0 || *p != ':') {
        return 0;
    }

    if (name == sizeof("Content-Type") - 1
        && ngx_strncasecmp(mime->line, (u_char *) "Content-Type", name) == 0)
    {
        mime->type = 1;
        ngx_smtp_mime_type(mime, p + 1, last);
    }

    return 1;
}


/* the value may be folded: then it begins on a line behind the name's */

static void
ngx_smtp_mime_type(ngx_smtp_mime_t *mime, u_char *p, u_char *last)
{
    while (p < last && (*p == ' ' || *p == '\t')) { p++; }

    if (p == last) {
        return;
    }

    mime->type = 0;
    mime->message = ((size_t) (last - p) >= sizeof("message/") - 1
                     && ngx_strncasecmp(p, (u_char *) "message/",
                                        sizeof("message/") - 1)
                        == 0);
}


/*
 * dash-boundary, spaces behind it; but not "-- ", the line in front of a
 * signature.  The one that closes need not be told apart.
 */

static ngx_uint_t
ngx_smtp_mime_is_boundary(ngx_smtp_mime_t *mime, size_t len)
{
    u_char  *p;

    p = mime->line;

    if (len < 3 || len > NGX_SMTP_MIME_LINE_MAX || p[0] != '-' || p[1] != '-')
    {
        return 0;
    }

    while (len > 2 && (p[len - 1] == ' ' || p[len - 1] == '\t')) {
        len--;
    }

    return len > 2;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_line.h>


/*
 * Framing of commands, RFC 5321, 2.3.8.  What is wrong with a line must not
 * depend on how it was cut into segments, so there is one order: a bare LF
 * first, for behind it nothing is certain, then the length, then a bare CR,
 * which is not looked for in a line that is too long.
 */


static void ngx_smtp_line_head(ngx_smtp_line_t *line, u_char *p, size_t len);
static ngx_int_t ngx_smtp_line_skip(ngx_smtp_line_t *line, ngx_buf_t *b);


ngx_int_t
ngx_smtp_line_next(ngx_smtp_line_t *line, ngx_buf_t *b, size_t max)
{
    size_t   len;
    u_char  *lf;

    if (line->skip) {
        return ngx_smtp_line_skip(line, b);
    }

    len = b->last - b->pos;

    if (line->scanned > len) {
        /* the buffer has been emptied in between */
        line->scanned = 0;
    }

    if (len == line->scanned) {
        return NGX_AGAIN;
    }

    lf = memchr(b->pos + line->scanned, LF, len - line->scanned);

    if (lf == NULL) {
        line->scanned = len;

        /* a CR at the end may belong to the CRLF, which is not counted */

        if (*(b->last - 1) == CR) {
            len--;
        }

        if (len <= max) {
            return NGX_AGAIN;
        }

        line->skip = 1;

        ngx_smtp_line_head(line, b->pos, len);

        return ngx_smtp_line_skip(line, b);
    }

    line->text.data = b->pos;
    line->text.len = lf - b->pos;
    line->scanned = 0;

    b->pos = lf + 1;

    if (line->text.len && *(lf - 1) == CR) {
        line->text.len--;

    } else if (!line->normalise) {
        return NGX_SMTP_LINE_BARE_LF;
    }

    if (line->text.len > max) {
        ngx_smtp_line_head(line, line->text.data, line->text.len);
        return NGX_SMTP_LINE_TOO_LONG;
    }

    if (line->text.len && memchr(line->text.data, CR, line->text.len)) {
        ngx_smtp_line_head(line, line->text.data, line->text.len);
        return NGX_SMTP_LINE_BARE_CR;
    }

    return NGX_OK;
}


static void
ngx_smtp_line_head(ngx_smtp_line_t *line, u_char *p, size_t len)
{
    ngx_memzero(line->head, sizeof(line->head));
    ngx_memcpy(line->head, p, ngx_min(len, sizeof(line->head)));
}


static ngx_int_t
ngx_smtp_line_skip(ngx_smtp_line_t *line, ngx_buf_t *b)
{
    u_char      *lf;
    ngx_uint_t   cr;

    line->scanned = 0;

    if (b->pos == b->last) {
        return NGX_AGAIN;
    }

    lf = memchr(b->pos, LF, b->last - b->pos);

    if (lf == NULL) {
        line->last_cr = (*(b->last - 1) == CR);
        b->pos = b->last;
        return NGX_AGAIN;
    }

    cr = (lf == b->pos) ? line->last_cr : (*(lf - 1) == CR);

    line->skip = 0;

    b->pos = lf + 1;

    if (!cr && !line->normalise) {
        return NGX_SMTP_LINE_BARE_LF;
    }

    return NGX_SMTP_LINE_TOO_LONG;
}

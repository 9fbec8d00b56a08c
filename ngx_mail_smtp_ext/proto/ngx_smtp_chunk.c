
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_chunk.h>


/*
 * What ngx_smtp_dot.c does for DATA, for content without transparency: a dot
 * is only counted, and nothing in the content ends it.
 */


static ngx_int_t ngx_smtp_chunk_slice(ngx_smtp_dot_t *dot, u_char **pos,
    u_char *last, ngx_str_t *out);


ngx_int_t
ngx_smtp_chunk_decode(ngx_smtp_dot_t *dot, u_char **pos, u_char *last,
    ngx_str_t *out)
{
    if (*pos == last) {
        return NGX_AGAIN;
    }

    switch (dot->state) {

    case ngx_smtp_dot_line:
    case ngx_smtp_dot_mended:

        if (**pos == '.') {
            dot->dots++;
        }

        break;

    case ngx_smtp_dot_cr:

        if (**pos == LF) {
            break;
        }

        dot->bare = 1;

        if (dot->normalise) {
            dot->state = ngx_smtp_dot_mended;
            ngx_str_set(out, "\n");
            return NGX_OK;
        }

        break;
    }

    return ngx_smtp_chunk_slice(dot, pos, last, out);
}


static ngx_int_t
ngx_smtp_chunk_slice(ngx_smtp_dot_t *dot, u_char **pos, u_char *last,
    ngx_str_t *out)
{
    u_char      *p, *start;
    ngx_uint_t   crlf;

    start = *pos;
    p = start;

    crlf = (dot->state == ngx_smtp_dot_cr && *p == LF);

    for ( ;; ) {

        dot->state = ngx_smtp_dot_text;

        if (crlf) {
            p++;
            crlf = 0;

            if (p == last) {
                dot->state = ngx_smtp_dot_line;
                break;
            }

            dot->dots += (*p == '.');
        }

        p = ngx_smtp_dot_eol(ngx_smtp_dot_lines(p, last), last);

        if (p == last) {
            break;
        }

        if (*p == CR) {
            p++;
            dot->state = ngx_smtp_dot_cr;

            if (p == last) {
                break;
            }

            crlf = (*p == LF);

            if (!crlf && dot->normalise) {
                break;
            }

            dot->bare |= !crlf;
            continue;
        }

        dot->bare = 1;

        if (dot->normalise) {
            break;
        }

        p++;
    }

    if (p == start) {

        /* an LF that is to be mended */

        *pos = p + 1;
        dot->state = ngx_smtp_dot_mended;

        ngx_str_set(out, CRLF);
        return NGX_OK;
    }

    out->data = start;
    out->len = p - start;

    *pos = p;

    return NGX_OK;
}


ngx_int_t
ngx_smtp_chunk_end(ngx_smtp_dot_t *dot, ngx_str_t *out)
{
    if (dot->state == ngx_smtp_dot_mended) {

        /* nothing is to come behind it that it would have to be told from */

        dot->state = ngx_smtp_dot_line;
        return NGX_DONE;
    }

    if (dot->state != ngx_smtp_dot_cr) {
        return NGX_DONE;
    }

    dot->bare = 1;

    if (!dot->normalise) {
        return NGX_DONE;
    }

    dot->state = ngx_smtp_dot_line;
    ngx_str_set(out, "\n");

    return NGX_OK;
}

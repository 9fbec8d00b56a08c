
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_sevenbit.h>
#include <ngx_smtp_sevenbit_private.h>


/*
 * RFC 6152, 3: a message for a server without 8BITMIME may be converted, as
 * long as its content remains what it is.  This is the structure of a message;
 * fields are read in _header.c, bodies written in _body.c.
 *
 * Lines are looked at as a whole, or by their beginning if they are longer than
 * any line that means something here.
 *
 * Left alone, with whatever is in them, are what is signed (RFC 1847, 2.1),
 * parts of types that must not be encoded (RFC 2046, 5.2), and all that is not
 * understood: 8-bit octets there mean that the message stays as it is.
 */


static void ngx_smtp_sevenbit_add(ngx_smtp_sevenbit_t *sb, u_char *p,
    size_t len);
static void ngx_smtp_sevenbit_line(ngx_smtp_sevenbit_t *sb, u_char *p,
    size_t len, ngx_uint_t eol);
static void ngx_smtp_sevenbit_finish(ngx_smtp_sevenbit_t *sb);
static ngx_int_t ngx_smtp_sevenbit_boundary(ngx_smtp_sevenbit_t *sb,
    u_char *p, size_t len, ngx_uint_t *closes);
static void ngx_smtp_sevenbit_between(ngx_smtp_sevenbit_t *sb,
    ngx_uint_t level, ngx_uint_t closes);
static void ngx_smtp_sevenbit_begin(ngx_smtp_sevenbit_t *sb,
    ngx_uint_t message);
static void ngx_smtp_sevenbit_header(ngx_smtp_sevenbit_t *sb, u_char *p,
    size_t len, ngx_uint_t eol);
static void ngx_smtp_sevenbit_body(ngx_smtp_sevenbit_t *sb,
    ngx_uint_t empty);
static void ngx_smtp_sevenbit_open(ngx_smtp_sevenbit_t *sb);
static void ngx_smtp_sevenbit_close(ngx_smtp_sevenbit_t *sb,
    ngx_uint_t boundary);


void
ngx_smtp_sevenbit_feed(ngx_smtp_sevenbit_t *sb, u_char *p, u_char *last)
{
    size_t   len;
    u_char  *lf;

    while (p < last && !sb->err) {

        lf = memchr(p, LF, last - p);

        if (lf == NULL) {
            ngx_smtp_sevenbit_add(sb, p, last - p);
            return;
        }

        len = lf - p;

        if (sb->len == 0 && len && lf[-1] == CR) {
            ngx_smtp_sevenbit_line(sb, p, len - 1, 1);

        } else {
            ngx_smtp_sevenbit_add(sb, p, len);

            if (sb->len && sb->line[sb->len - 1] == CR) {
                ngx_smtp_sevenbit_line(sb, sb->line, sb->len - 1, 1);
                sb->len = 0;

            } else {
                /* a bare LF is a part of the line */
                ngx_smtp_sevenbit_add(sb, lf, 1);
            }
        }

        p = lf + 1;
    }
}


/* a piece of a line without its end */

static void
ngx_smtp_sevenbit_add(ngx_smtp_sevenbit_t *sb, u_char *p, size_t len)
{
    size_t  n;

    while (len) {

        if (sb->len == NGX_SMTP_SEVENBIT_LINE) {

            /* but for the last octet, which may be the CR of its end */

            ngx_smtp_sevenbit_line(sb, sb->line, sb->len - 1, 0);

            sb->line[0] = sb->line[sb->len - 1];
            sb->len = 1;
        }

        n = ngx_min(len, NGX_SMTP_SEVENBIT_LINE - sb->len);

        ngx_memcpy(sb->line + sb->len, p, n);

        sb->len += n;
        p += n;
        len -= n;
    }
}


/* a line, or, with begun, what follows of one; eol: its end was there */

static void
ngx_smtp_sevenbit_line(ngx_smtp_sevenbit_t *sb, u_char *p, size_t len,
    ngx_uint_t eol)
{
    ngx_int_t   level;
    ngx_uint_t  closes;

    if (sb->parts == 0) {
        ngx_smtp_sevenbit_begin(sb, 1);
    }

    if (!sb->begun && (eol || sb->eof) && sb->depth) {

        level = ngx_smtp_sevenbit_boundary(sb, p, len, &closes);

        if (level >= 0) {
            ngx_smtp_sevenbit_between(sb, level, closes);
            ngx_smtp_sevenbit_emit(sb, p, len);

            if (eol) {
                ngx_smtp_sevenbit_emit(sb, (u_char *) CRLF, 2);
            }

            return;
        }
    }

    switch (sb->state) {

    case NGX_SMTP_SEVENBIT_HEADER:
        ngx_smtp_sevenbit_header(sb, p, len, eol);
        break;

    case NGX_SMTP_SEVENBIT_BODY:
        ngx_smtp_sevenbit_write(sb, p, len, eol);
        break;

    default: /* NGX_SMTP_SEVENBIT_BETWEEN */

        if (ngx_smtp_is_8bit(p, p + len)) {
            sb->found = 1;
            sb->stuck = 1;
        }

        ngx_smtp_sevenbit_emit(sb, p, len);

        if (eol) {
            ngx_smtp_sevenbit_emit(sb, (u_char *) CRLF, 2);
        }

        break;
    }

    sb->begun = !eol;
}


ngx_int_t
ngx_smtp_sevenbit_looked(ngx_smtp_sevenbit_t *sb)
{
    ngx_smtp_sevenbit_finish(sb);

    if (!sb->found) {
        return NGX_DONE;
    }

    return sb->stuck ? NGX_DECLINED : NGX_OK;
}


void
ngx_smtp_sevenbit_rewind(ngx_smtp_sevenbit_t *sb, ngx_smtp_sevenbit_pt out,
    void *data)
{
    u_char  plan[NGX_SMTP_SEVENBIT_PARTS];

    ngx_memcpy(plan, sb->plan, sizeof(plan));
    ngx_memzero(sb, sizeof(ngx_smtp_sevenbit_t));
    ngx_memcpy(sb->plan, plan, sizeof(plan));

    sb->out = out;
    sb->data = data;
}


ngx_int_t
ngx_smtp_sevenbit_end(ngx_smtp_sevenbit_t *sb)
{
    ngx_smtp_sevenbit_finish(sb);
    ngx_smtp_sevenbit_flush(sb);

    return sb->err ? NGX_ERROR : NGX_OK;
}


static void
ngx_smtp_sevenbit_finish(ngx_smtp_sevenbit_t *sb)
{
    sb->eof = 1;

    if (sb->len) {
        ngx_smtp_sevenbit_line(sb, sb->line, sb->len, 0);
        sb->len = 0;
    }

    ngx_smtp_sevenbit_close(sb, 0);
}


/*
 * RFC 2046, 5.1.1: "--", the boundary, "--" behind the last part, white space.
 * The level of the multipart that it belongs to, or -1.
 *
 * What begins like one and goes on otherwise is one for some readers, and none
 * for others.
 */

static ngx_int_t
ngx_smtp_sevenbit_boundary(ngx_smtp_sevenbit_t *sb, u_char *p, size_t len,
    ngx_uint_t *closes)
{
    u_char                         *last;
    ngx_int_t                       level;
    ngx_smtp_sevenbit_multipart_t  *mp;

    if (len < 2 || p[0] != '-' || p[1] != '-') {
        return -1;
    }

    p += 2;
    last = p + len - 2;

    while (last > p && (last[-1] == ' ' || last[-1] == '\t')) { last--; }

    len = last - p;

    for (level = (ngx_int_t) sb->depth - 1; level >= 0; level--) {
        mp = &sb->open[level];

        if (len < mp->len || ngx_memcmp(p, mp->boundary, mp->len) != 0) {
            continue;
        }

        *closes = (len == mp->len + 2 && p[mp->len] == '-'
                   && p[mp->len + 1] == '-');

        if (*closes || len == mp->len) {
            return level;
        }

        sb->stuck = 1;
    }

    return -1;
}


static void
ngx_smtp_sevenbit_between(ngx_smtp_sevenbit_t *sb, ngx_uint_t level,
    ngx_uint_t closes)
{
    ngx_smtp_sevenbit_multipart_t  *mp;

    ngx_smtp_sevenbit_close(sb, 1);

    mp = &sb->open[level];

    sb->message = mp->message;

    if (closes) {
        sb->depth = level;
        sb->state = NGX_SMTP_SEVENBIT_BETWEEN;
        return;
    }

    sb->depth = level + 1;
    sb->digest = mp->digest;

    ngx_smtp_sevenbit_begin(sb, 0);
}


/* the header section of a part follows */

static void
ngx_smtp_sevenbit_begin(ngx_smtp_sevenbit_t *sb, ngx_uint_t message)
{
    if (sb->parts == NGX_SMTP_SEVENBIT_PARTS) {
        sb->stuck = 1;

    } else {
        sb->part = sb->parts++;
    }

    if (message) {
        sb->message = sb->part;
        sb->digest = 0;
    }

    sb->state = NGX_SMTP_SEVENBIT_HEADER;
    sb->field = NGX_SMTP_SEVENBIT_OTHER;
    sb->sealed = sb->depth ? sb->open[sb->depth - 1].sealed : 0;

    ngx_memzero(&sb->header, sizeof(ngx_smtp_sevenbit_header_t));
}


static void
ngx_smtp_sevenbit_header(ngx_smtp_sevenbit_t *sb, u_char *p, size_t len,
    ngx_uint_t eol)
{
    if (ngx_smtp_is_8bit(p, p + len)) {
        /* RFC 2047 needs to know in which character set */
        sb->found = 1;
        sb->stuck = 1;
    }

    if (!sb->begun) {

        if (len == 0) {
            ngx_smtp_sevenbit_body(sb, 1);
            return;
        }

        if (*p != ' ' && *p != '\t') {

            if (!ngx_smtp_sevenbit_field(sb, p, len)) {

                /* the body, without an empty line in front of it */

                sb->stuck = 1;
                ngx_smtp_sevenbit_body(sb, 0);
                ngx_smtp_sevenbit_line(sb, p, len, eol);
                return;
            }

        } else if (!sb->header.fields) {
            sb->stuck = 1;
        }
    }

    ngx_smtp_sevenbit_value(sb, p, len);

    if (sb->field == NGX_SMTP_SEVENBIT_ENCODING
        && (sb->plan[sb->part] & NGX_SMTP_SEVENBIT_CHANGE))
    {
        return;
    }

    ngx_smtp_sevenbit_emit(sb, p, len);

    if (eol) {
        ngx_smtp_sevenbit_emit(sb, (u_char *) CRLF, 2);
    }
}


/* the header section has ended */

static void
ngx_smtp_sevenbit_body(ngx_smtp_sevenbit_t *sb, ngx_uint_t empty)
{
    ngx_smtp_sevenbit_fields_end(sb);

    if (sb->part == sb->message && sb->header.versions) {
        sb->plan[sb->part] |= NGX_SMTP_SEVENBIT_VERSION;
    }

    if (sb->out) {
        ngx_smtp_sevenbit_fields(sb);
    }

    if (empty) {
        ngx_smtp_sevenbit_emit(sb, (u_char *) CRLF, 2);
    }

    switch (sb->header.type) {

    case NGX_SMTP_SEVENBIT_MULTIPART:
        ngx_smtp_sevenbit_open(sb);
        return;

    case NGX_SMTP_SEVENBIT_MESSAGE:

        ngx_smtp_sevenbit_relabel(sb);
        ngx_smtp_sevenbit_begin(sb, 1);
        return;
    }

    sb->state = NGX_SMTP_SEVENBIT_BODY;
    sb->size = 0;
    sb->eight = 0;
    sb->col = 0;
    sb->nbits = 0;
    sb->bits = 0;
    sb->space = 0;
    sb->crlf = 0;
}


static void
ngx_smtp_sevenbit_open(ngx_smtp_sevenbit_t *sb)
{
    ngx_smtp_sevenbit_header_t     *header;
    ngx_smtp_sevenbit_multipart_t  *mp;

    header = &sb->header;

    ngx_smtp_sevenbit_relabel(sb);

    sb->state = NGX_SMTP_SEVENBIT_BETWEEN;

    if (sb->depth == NGX_SMTP_SEVENBIT_DEPTH) {
        sb->stuck = 1;
        return;
    }

    mp = &sb->open[sb->depth++];

    ngx_memcpy(mp->boundary, header->boundary, header->boundary_len);

    mp->len = header->boundary_len;
    mp->message = sb->message;
    mp->digest = header->digest;
    mp->sealed = header->signature || sb->sealed;
}


/* the part has ended: at a boundary, whose CRLF is not its own, or with all */

static void
ngx_smtp_sevenbit_close(ngx_smtp_sevenbit_t *sb, ngx_uint_t boundary)
{
    u_char  *plan;

    if (sb->state != NGX_SMTP_SEVENBIT_BODY) {
        return;
    }

    sb->state = NGX_SMTP_SEVENBIT_BETWEEN;

    if (sb->out) {
        ngx_smtp_sevenbit_written(sb, boundary);
        return;
    }

    if (sb->eight == 0) {
        return;
    }

    sb->found = 1;

    if (sb->sealed || sb->header.type == NGX_SMTP_SEVENBIT_LOCKED
        || sb->header.cte == NGX_SMTP_SEVENBIT_ENCODED)
    {
        sb->stuck = 1;
        return;
    }

    plan = &sb->plan[sb->part];

    /*
     * An octet becomes three by quoted-printable, three become four by base64.
     * A text stays one that can be read as long as that is not longer.
     */

    *plan |= (sb->header.type == NGX_SMTP_SEVENBIT_TEXT
              && sb->eight <= sb->size / 6)
             ? NGX_SMTP_SEVENBIT_QUOTED : NGX_SMTP_SEVENBIT_BASE64;

    if (sb->header.types == 0) {
        *plan |= NGX_SMTP_SEVENBIT_UNTYPED;
    }

    /* RFC 2045, 4: without it an encoding means nothing */

    if (!(sb->plan[sb->message] & NGX_SMTP_SEVENBIT_VERSION)) {
        sb->plan[sb->message] |= NGX_SMTP_SEVENBIT_UNVERSIONED;
    }
}

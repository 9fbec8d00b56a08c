
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_sevenbit.h>
#include <ngx_smtp_sevenbit_private.h>


/*
 * Bodies of parts: as they are, or by quoted-printable or base64, RFC 2045, 6.7
 * and 6.8.  The end of a line is kept back until it is known whether it is the
 * part's own or that of the boundary behind it (RFC 2046, 5.1.1).
 */


/* 76 with the "=" at the end */
#define NGX_SMTP_SEVENBIT_QUOTED_MAX  75
#define NGX_SMTP_SEVENBIT_BASE64_MAX  76


static off_t ngx_smtp_sevenbit_count(u_char *p, u_char *last);
static void ngx_smtp_sevenbit_quoted(ngx_smtp_sevenbit_t *sb, u_char *p,
    u_char *last, ngx_uint_t eol);
static void ngx_smtp_sevenbit_quoted_put(ngx_smtp_sevenbit_t *sb, u_char ch,
    ngx_uint_t encode);
static void ngx_smtp_sevenbit_base64(ngx_smtp_sevenbit_t *sb, u_char *p,
    u_char *last);
static void ngx_smtp_sevenbit_base64_group(ngx_smtp_sevenbit_t *sb,
    ngx_uint_t n);


void
ngx_smtp_sevenbit_write(ngx_smtp_sevenbit_t *sb, u_char *p, size_t len,
    ngx_uint_t eol)
{
    ngx_uint_t  plan;

    if (sb->out == NULL) {
        sb->size += len + (eol ? 2 : 0);
        sb->eight += ngx_smtp_sevenbit_count(p, p + len);
        return;
    }

    plan = sb->plan[sb->part];

    if (plan & NGX_SMTP_SEVENBIT_QUOTED) {
        ngx_smtp_sevenbit_quoted(sb, p, p + len, eol);
        return;
    }

    if (plan & NGX_SMTP_SEVENBIT_BASE64) {

        if (sb->crlf) {
            ngx_smtp_sevenbit_base64(sb, (u_char *) CRLF, (u_char *) CRLF + 2);
        }

        ngx_smtp_sevenbit_base64(sb, p, p + len);
        sb->crlf = eol;
        return;
    }

    ngx_smtp_sevenbit_emit(sb, p, len);

    if (eol) {
        ngx_smtp_sevenbit_emit(sb, (u_char *) CRLF, 2);
    }
}


static off_t
ngx_smtp_sevenbit_count(u_char *p, u_char *last)
{
    off_t  n;

    /* most lines have none */

    if (!ngx_smtp_is_8bit(p, last)) {
        return 0;
    }

    for (n = 0; p < last; p++) {
        n += *p >> 7;
    }

    return n;
}


void
ngx_smtp_sevenbit_written(ngx_smtp_sevenbit_t *sb, ngx_uint_t boundary)
{
    ngx_uint_t  plan;

    plan = sb->plan[sb->part];

    if (plan & NGX_SMTP_SEVENBIT_QUOTED) {

        if (sb->space) {
            ngx_smtp_sevenbit_quoted_put(sb, sb->space, 1);
        }

        if (sb->crlf) {
            ngx_smtp_sevenbit_emit(sb, (u_char *) CRLF, 2);
        }

        return;
    }

    if (plan & NGX_SMTP_SEVENBIT_BASE64) {

        if (sb->crlf && !boundary) {
            ngx_smtp_sevenbit_base64(sb, (u_char *) CRLF, (u_char *) CRLF + 2);
        }

        if (sb->nbits) {
            ngx_smtp_sevenbit_base64_group(sb, sb->nbits);
        }

        ngx_smtp_sevenbit_emit(sb, (u_char *) CRLF, 2);
    }
}


/*
 * White space at the end of a line would be lost, so it is encoded there, RFC
 * 2045, 6.7 (3); a CR or LF that ends no line as well.
 */

static void
ngx_smtp_sevenbit_quoted(ngx_smtp_sevenbit_t *sb, u_char *p, u_char *last,
    ngx_uint_t eol)
{
    if (sb->crlf) {
        ngx_smtp_sevenbit_emit(sb, (u_char *) CRLF, 2);
        sb->crlf = 0;
        sb->col = 0;
    }

    for ( /* void */ ; p < last; p++) {

        if (sb->space) {
            ngx_smtp_sevenbit_quoted_put(sb, sb->space, 0);
            sb->space = 0;
        }

        if (*p == ' ' || *p == '\t') {
            sb->space = *p;
            continue;
        }

        ngx_smtp_sevenbit_quoted_put(sb, *p,
                                     *p < '!' || *p > '~' || *p == '=');
    }

    if (!eol) {
        return;
    }

    if (sb->space) {
        ngx_smtp_sevenbit_quoted_put(sb, sb->space, 1);
        sb->space = 0;
    }

    sb->crlf = 1;
}


static void
ngx_smtp_sevenbit_quoted_put(ngx_smtp_sevenbit_t *sb, u_char ch,
    ngx_uint_t encode)
{
    size_t         len;
    u_char         buf[3];
    static u_char  hex[] = "0123456789ABCDEF";

    len = encode ? 3 : 1;

    if (sb->col + len > NGX_SMTP_SEVENBIT_QUOTED_MAX) {
        ngx_smtp_sevenbit_emit(sb, (u_char *) "=" CRLF, 3);
        sb->col = 0;
    }

    /* what is a line now must not look like a boundary */

    if (sb->col == 0 && ch == '-') {
        len = 3;
    }

    buf[0] = ch;

    if (len == 3) {
        buf[0] = '=';
        buf[1] = hex[ch >> 4];
        buf[2] = hex[ch & 0xf];
    }

    ngx_smtp_sevenbit_emit(sb, buf, len);
    sb->col += len;
}


static void
ngx_smtp_sevenbit_base64(ngx_smtp_sevenbit_t *sb, u_char *p, u_char *last)
{
    for ( /* void */ ; p < last; p++) {

        sb->bits = (sb->bits << 8) | *p;

        if (++sb->nbits == 3) {
            ngx_smtp_sevenbit_base64_group(sb, 3);
        }
    }
}


static void
ngx_smtp_sevenbit_base64_group(ngx_smtp_sevenbit_t *sb, ngx_uint_t n)
{
    uint32_t       bits;
    u_char         buf[4];
    static u_char  digits[] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    bits = sb->bits << (8 * (3 - n));

    buf[0] = digits[(bits >> 18) & 0x3f];
    buf[1] = digits[(bits >> 12) & 0x3f];
    buf[2] = (n > 1) ? digits[(bits >> 6) & 0x3f] : '=';
    buf[3] = (n > 2) ? digits[bits & 0x3f] : '=';

    if (sb->col == NGX_SMTP_SEVENBIT_BASE64_MAX) {
        ngx_smtp_sevenbit_emit(sb, (u_char *) CRLF, 2);
        sb->col = 0;
    }

    ngx_smtp_sevenbit_emit(sb, buf, 4);

    sb->col += 4;
    sb->bits = 0;
    sb->nbits = 0;
}


void
ngx_smtp_sevenbit_emit(ngx_smtp_sevenbit_t *sb, u_char *p, size_t len)
{
    if (sb->out == NULL || sb->err) {
        return;
    }

    if (len > NGX_SMTP_SEVENBIT_OUT - sb->used) {
        ngx_smtp_sevenbit_flush(sb);
    }

    if (len > NGX_SMTP_SEVENBIT_OUT) {

        if (!sb->err && sb->out(sb->data, p, len) != NGX_OK) {
            sb->err = 1;
        }

        return;
    }

    ngx_memcpy(sb->buf + sb->used, p, len);
    sb->used += len;
}


void
ngx_smtp_sevenbit_flush(ngx_smtp_sevenbit_t *sb)
{
    if (sb->used && !sb->err
        && sb->out(sb->data, sb->buf, sb->used) != NGX_OK)
    {
        sb->err = 1;
    }

    sb->used = 0;
}

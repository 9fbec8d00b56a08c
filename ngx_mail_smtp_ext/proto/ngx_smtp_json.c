
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_json.h>


/*
 * RFC 8259, 7 and 8.1; UTF-8 by RFC 3629, 4.  Of a broken character as much as
 * could be the beginning of one is replaced at once, as decoders do it.
 */


#define NGX_SMTP_JSON_REPLACEMENT  "\xef\xbf\xbd"


static size_t ngx_smtp_json_put(u_char *dst, const void *data, size_t len);
static size_t ngx_smtp_json_ascii(u_char *dst, u_char ch);
static ngx_uint_t ngx_smtp_json_lead(ngx_smtp_json_t *js, u_char ch);


size_t
ngx_smtp_json_escape(ngx_smtp_json_t *js, u_char *dst, u_char *p,
    u_char *last)
{
    u_char  ch, *start;
    size_t  n;

#define ngx_smtp_json_at(n)  (dst ? dst + (n) : NULL)

    n = 0;

    while (p < last) {

        if (js->need == 0) {

            /* what needs nothing goes on as it is */

            start = p;

            while (p < last && *p >= ' ' && *p < 0x7f && *p != '"'
                   && *p != '\\')
            {
                p++;
            }

            n += ngx_smtp_json_put(ngx_smtp_json_at(n), start, p - start);

            if (p == last) {
                break;
            }

            ch = *p++;

            if (ch < 0x80) {
                n += ngx_smtp_json_ascii(ngx_smtp_json_at(n), ch);

            } else if (!ngx_smtp_json_lead(js, ch)) {
                n += ngx_smtp_json_put(ngx_smtp_json_at(n),
                                       NGX_SMTP_JSON_REPLACEMENT, 3);
            }

            continue;
        }

        ch = *p;

        if (ch < js->low || ch > js->high) {
            /* not a part of it, but maybe something by itself */
            n += ngx_smtp_json_end(js, ngx_smtp_json_at(n));
            continue;
        }

        p++;

        js->low = 0x80;
        js->high = 0xbf;

        if (--js->need) {
            js->part[js->have++] = ch;
            continue;
        }

        n += ngx_smtp_json_put(ngx_smtp_json_at(n), js->part, js->have);
        n += ngx_smtp_json_put(ngx_smtp_json_at(n), &ch, 1);
    }

    return n;
}


size_t
ngx_smtp_json_end(ngx_smtp_json_t *js, u_char *dst)
{
    if (js->need == 0) {
        return 0;
    }

    js->need = 0;

    return ngx_smtp_json_put(dst, NGX_SMTP_JSON_REPLACEMENT, 3);
}


static size_t
ngx_smtp_json_put(u_char *dst, const void *data, size_t len)
{
    if (dst) {
        ngx_memcpy(dst, data, len);
    }

    return len;
}


static size_t
ngx_smtp_json_ascii(u_char *dst, u_char ch)
{
    u_char               buf[6];
    static const u_char  hex[] = "0123456789abcdef";

    buf[0] = '\\';

    switch (ch) {

    case '"':
    case '\\':
        buf[1] = ch;
        break;

    case LF:
        buf[1] = 'n';
        break;

    case CR:
        buf[1] = 'r';
        break;

    case '\t':
        buf[1] = 't';
        break;

    default:
        buf[1] = 'u';
        buf[2] = '0';
        buf[3] = '0';
        buf[4] = hex[ch >> 4];
        buf[5] = hex[ch & 0xf];

        return ngx_smtp_json_put(dst, buf, 6);
    }

    return ngx_smtp_json_put(dst, buf, 2);
}


/* RFC 3629, 4: no longer form than needed, no surrogates, up to U+10FFFF */

static ngx_uint_t
ngx_smtp_json_lead(ngx_smtp_json_t *js, u_char ch)
{
    js->low = 0x80;
    js->high = 0xbf;

    if (ch < 0xc2) {
        return 0;

    } else if (ch < 0xe0) {
        js->need = 1;

    } else if (ch < 0xf0) {
        js->need = 2;

        if (ch == 0xe0) {
            js->low = 0xa0;

        } else if (ch == 0xed) {
            js->high = 0x9f;
        }

    } else if (ch < 0xf5) {
        js->need = 3;

        if (ch == 0xf0) {
            js->low = 0x90;

        } else if (ch == 0xf4) {
            js->high = 0x8f;
        }

    } else {
        return 0;
    }

    js->part[0] = ch;
    js->have = 1;

    return 1;
}


ngx_uint_t
ngx_smtp_json_depth(u_char *p, u_char *last)
{
    ngx_uint_t  depth, max, string;

    depth = 0;
    max = 0;
    string = 0;

    for ( /* void */ ; p < last; p++) {

        switch (*p) {

        case '"':
            string = !string;
            break;

        case '\\':
            if (string) {
                /* the next one means nothing */
                p++;
            }

            break;

        case '{':
        case '[':
            if (!string && ++depth > max) {
                max = depth;
            }

            break;

        case '}':
        case ']':
            if (!string && depth) {
                depth--;
            }
        }
    }

    return max;
}

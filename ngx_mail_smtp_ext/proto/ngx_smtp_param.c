
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_param.h>


/*
 * esmtp-param of RFC 5321, 4.1.2, and RFC 6531, 3.3: the grammar alone.  Which
 * keywords there are, and what their values may be, is the extensions'
 * business.
 */


#define ngx_smtp_is_esmtp_value(c)  ((c) > ' ' && (c) < 0x7f && (c) != '=')


ngx_int_t
ngx_smtp_param_next(ngx_smtp_param_t *param, u_char **pos, u_char *last)
{
    size_t   n;
    u_char  *p, *start;

    p = *pos;

    if (p < last && *p != ' ') {
        return NGX_ERROR;
    }

    while (p < last && *p == ' ') {
        p++;
    }

    if (p == last) {
        *pos = p;
        return NGX_DONE;
    }

    /* esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */

    if (!ngx_smtp_is_alnum(*p)) {
        return NGX_ERROR;
    }

    start = p;

    while (p < last && (ngx_smtp_is_alnum(*p) || *p == '-')) {
        p++;
    }

    param->name.len = p - start;
    param->name.data = start;

    ngx_str_null(&param->value);

    if (p < last && *p == '=') {
        start = ++p;

        while (p < last) {

            if (ngx_smtp_is_esmtp_value(*p)) {
                p++;
                continue;
            }

            /* RFC 6531, 3.3; it is 0 in US-ASCII */

            n = ngx_smtp_utf8_length(p, last);

            if (n == 0) {
                break;
            }

            p += n;
        }

        if (p == start) {
            return NGX_ERROR;
        }

        param->value.len = p - start;
        param->value.data = start;
    }

    if (p < last && *p != ' ') {
        return NGX_ERROR;
    }

    *pos = p;

    return NGX_OK;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_gs2.h>


/*
 * gs2-header = gs2-cbind-flag "," [ "a=" saslname ] ","
 *
 * Flag "F" of RFC 5801 (a mechanism that is no standard one) can't be here.
 */


static u_char *ngx_smtp_gs2_flag_parse(ngx_smtp_gs2_t *gs2, u_char *p,
    u_char *last);


u_char *
ngx_smtp_gs2_parse(ngx_smtp_gs2_t *gs2, u_char *p, u_char *last)
{
    gs2->header.data = p;

    ngx_str_null(&gs2->authzid);

    p = ngx_smtp_gs2_flag_parse(gs2, p, last);

    if (p == NULL || p == last || *p++ != ',') {
        return NULL;
    }

    if (last - p > 2 && p[0] == 'a' && p[1] == '=') {
        gs2->authzid.data = p + 2;

        p = ngx_smtp_saslname_parse(p + 2, last);

        if (p == NULL) {
            return NULL;
        }

        gs2->authzid.len = p - gs2->authzid.data;
    }

    if (p == last || *p++ != ',') {
        return NULL;
    }

    gs2->header.len = p - gs2->header.data;

    return p;
}


static u_char *
ngx_smtp_gs2_flag_parse(ngx_smtp_gs2_t *gs2, u_char *p, u_char *last)
{
    ngx_str_null(&gs2->binding);

    if (p == last) {
        return NULL;
    }

    gs2->flag = *p++;

    switch (gs2->flag) {

    case 'n':
    case 'y':
        return p;

    case 'p':
        break;

    default:
        return NULL;
    }

    if (p == last || *p++ != '=') {
        return NULL;
    }

    gs2->binding.data = p;

    while (p < last && (ngx_smtp_is_alnum(*p) || *p == '.' || *p == '-')) {
        p++;
    }

    gs2->binding.len = p - gs2->binding.data;

    return gs2->binding.len ? p : NULL;
}


u_char *
ngx_smtp_saslname_parse(u_char *p, u_char *last)
{
    size_t   len;
    u_char  *start;

    start = p;

    while (p < last && *p != ',') {

        if (*p == '=') {

            /* "=2C" and "=3D", in upper case, and nothing else */

            if (last - p < 3
                || (ngx_strncmp(p, "=2C", 3) != 0
                    && ngx_strncmp(p, "=3D", 3) != 0))
            {
                return NULL;
            }

            p += 3;
            continue;
        }

        if (*p == '\0') {
            return NULL;
        }

        if (*p < 0x80) {
            p++;
            continue;
        }

        len = ngx_smtp_utf8_length(p, last);

        if (len == 0) {
            return NULL;
        }

        p += len;
    }

    return (p == start) ? NULL : p;
}


u_char *
ngx_smtp_saslname_decode(u_char *dst, u_char *p, u_char *last)
{
    while (p < last) {

        if (*p != '=') {
            *dst++ = *p++;
            continue;
        }

        *dst++ = (p[1] == '2') ? ',' : '=';
        p += 3;
    }

    return dst;
}

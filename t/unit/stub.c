
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * What pure code takes from nginx.  A packaged nginx comes with its headers
 * alone, so the few functions are here, written anew.
 */


static ngx_int_t
stub_lower(u_char c)
{
    return (c >= 'A' && c <= 'Z') ? (c | 0x20) : c;
}


ngx_int_t
ngx_strncasecmp(u_char *s1, u_char *s2, size_t n)
{
    ngx_int_t  c1, c2;

    for ( /* void */ ; n; n--) {
        c1 = stub_lower(*s1++);
        c2 = stub_lower(*s2++);

        if (c1 != c2) {
            return c1 - c2;
        }

        if (c1 == 0) {
            break;
        }
    }

    return 0;
}


void
ngx_strlow(u_char *dst, u_char *src, size_t n)
{
    for ( /* void */ ; n; n--) {
        *dst++ = stub_lower(*src++);
    }
}

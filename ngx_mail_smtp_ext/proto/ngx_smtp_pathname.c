
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_pathname.h>


/*
 * Local parts have nearly every character, "/" and ".." among them, in atoms
 * (RFC 5322, 3.2.3) or in quotes (RFC 5321, 4.1.2).  What can't be a name is
 * refused, not changed: two addresses must not come to one name.
 */


u_char *
ngx_smtp_pathname_local(u_char *dst, ngx_str_t *local)
{
    u_char      *p, *last;
    ngx_uint_t   quoted;

    p = local->data;
    last = p + local->len;

    quoted = (local->len >= 2 && *p == '"' && last[-1] == '"');

    if (quoted) {
        p++;
        last--;
    }

    while (p < last) {

        if (quoted && *p == '\\' && p + 1 < last) {
            p++;
        }

        *dst++ = ngx_tolower(*p);
        p++;
    }

    return dst;
}


ngx_str_t
ngx_smtp_pathname_user(ngx_str_t *local)
{
    u_char     *p;
    ngx_str_t   user;

    user = *local;

    p = ngx_strlchr(user.data, user.data + user.len, '+');

    if (p && p > user.data) {
        user.len = p - user.data;
    }

    return user;
}


ngx_int_t
ngx_smtp_pathname_value(ngx_str_t *value)
{
    u_char  *p, *last;

    p = value->data;
    last = p + value->len;

    if (p == last || *p == '.') {
        return NGX_ERROR;
    }

    for ( /* void */ ; p < last; p++) {
        if (*p == '/' || *p < ' ' || *p == 0x7f) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_smtp_pathname_path(ngx_str_t *path)
{
    size_t   len;
    u_char  *p, *last, *end;

    p = path->data;
    last = p + path->len;

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '/');

        if (end == NULL) {
            end = last;
        }

        len = end - p;

        if (len > NGX_SMTP_PATHNAME_MAX
            || (len == 1 && p[0] == '.')
            || (len == 2 && p[0] == '.' && p[1] == '.'))
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}

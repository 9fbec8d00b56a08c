
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_route.h>


/*
 * Addresses as routes compare them.  RFC 5321, 2.4: a domain is the same in
 * any case of letters; the local part is its host's to interpret, and no host
 * in use takes "User" and "user" for two.
 */


static u_char *ngx_smtp_route_unquote(u_char *dst, ngx_str_t *local);


ngx_int_t
ngx_smtp_route_addr_set(ngx_smtp_route_addr_t *addr, ngx_str_t *local,
    ngx_str_t *domain)
{
    u_char  *p;

    if (local->len >= NGX_SMTP_PATH_MAX
        || domain->len > NGX_SMTP_DOMAIN_MAX)
    {
        return NGX_ERROR;
    }

    p = ngx_smtp_route_unquote(addr->text, local);

    addr->local = p - addr->text;

    if (domain->len) {
        *p++ = '@';
        ngx_strlow(p, domain->data, domain->len);
        p += domain->len;
    }

    addr->len = p - addr->text;

    ngx_strlow(addr->key, addr->text, addr->len);

    return NGX_OK;
}


/*
 * RFC 5321, 4.1.2: the quoted form is equivalent where its content could
 * have gone without, so "user"@example.com must not pass by user@example.com.
 */

static u_char *
ngx_smtp_route_unquote(u_char *dst, ngx_str_t *local)
{
    u_char  *p, *src, *last;

    if (local->len > 2 && local->data[0] == '"') {

        p = dst;
        src = local->data + 1;
        last = local->data + local->len - 1;

        while (src < last) {
            if (*src == '\\' && src + 1 < last) {
                src++;
            }

            *p++ = *src++;
        }

        if (ngx_smtp_dot_string_utf8_parse(dst, p) == p) {
            return p;
        }
    }

    return ngx_cpymem(dst, local->data, local->len);
}

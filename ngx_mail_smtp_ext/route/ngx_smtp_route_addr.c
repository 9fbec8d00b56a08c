
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

    p = ngx_smtp_local_unquote(addr->text, local);

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

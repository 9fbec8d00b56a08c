
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_attr.h>


/*
 * attribute-name "=" attribute-value of Postfix's XCLIENT_README and
 * XFORWARD_README.  The value is xtext (RFC 3461, 4); what can't be xtext is
 * taken as it is, since there are clients that do not encode (note 3 there).
 */


#define NGX_SMTP_ATTR_IPV6         "IPV6:"
#define NGX_SMTP_ATTR_UNAVAILABLE  "[UNAVAILABLE]"


#define ngx_smtp_is_attr_name(c)                                             \
    (ngx_smtp_is_alnum(c) || (c) == '_' || (c) == '-')


/* RFC 4291, 2.5.5.2: IPv4 is behind it */
static const u_char  ngx_smtp_attr_mapped[] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
};


ngx_int_t
ngx_smtp_attr_next(ngx_smtp_attr_t *attr, u_char **pos, u_char *last)
{
    u_char  *p, *end, decoded[NGX_SMTP_ATTR_MAX];

    p = *pos;

    while (p < last && *p == ' ') { p++; }

    attr->name.data = p;
    attr->name.len = 0;

    if (p == last) {
        *pos = p;
        return NGX_DONE;
    }

    while (p < last && ngx_smtp_is_attr_name(*p)) { p++; }

    attr->name.len = p - attr->name.data;

    if (attr->name.len == 0 || p == last || *p != '=') {
        return NGX_ERROR;
    }

    attr->value.data = ++p;

    while (p < last && *p != ' ') { p++; }

    attr->value.len = p - attr->value.data;

    if (attr->value.len == 0 || attr->value.len > NGX_SMTP_ATTR_MAX) {
        return NGX_ERROR;
    }

    end = ngx_smtp_xtext_decode(decoded, attr->value.data, p);

    if (end) {
        attr->value.len = end - decoded;
        ngx_memcpy(attr->value.data, decoded, attr->value.len);
    }

    *pos = p;

    return NGX_OK;
}


ngx_uint_t
ngx_smtp_attr_is(ngx_str_t *text, const char *word)
{
    return text->len == ngx_strlen(word)
           && ngx_strncasecmp(text->data, (u_char *) word, text->len) == 0;
}


ngx_int_t
ngx_smtp_attr_addr(ngx_str_t *value, ngx_smtp_attr_addr_t *addr)
{
    size_t  len, prefix;
    char    text[INET6_ADDRSTRLEN];

    prefix = sizeof(NGX_SMTP_ATTR_IPV6) - 1;

    if (value->len > prefix
        && ngx_strncasecmp(value->data, (u_char *) NGX_SMTP_ATTR_IPV6, prefix)
           == 0)
    {
        addr->family = AF_INET6;

    } else {
        addr->family = AF_INET;
        prefix = 0;
    }

    len = value->len - prefix;

    if (len >= sizeof(text)) {
        return NGX_ERROR;
    }

    ngx_memcpy(text, value->data + prefix, len);
    text[len] = '\0';

    /* a NUL inside would hide what is behind it */

    if (ngx_strlen(text) != len) {
        return NGX_ERROR;
    }

    if (inet_pton(addr->family, text, addr->octets) != 1) {
        return NGX_ERROR;
    }

    if (addr->family == AF_INET6
        && ngx_memcmp(addr->octets, ngx_smtp_attr_mapped,
                      sizeof(ngx_smtp_attr_mapped))
           == 0)
    {
        addr->family = AF_INET;
        ngx_memmove(addr->octets, addr->octets + sizeof(ngx_smtp_attr_mapped),
                    4);
    }

    return NGX_OK;
}


ngx_int_t
ngx_smtp_attr_port(ngx_str_t *value)
{
    size_t     i;
    ngx_int_t  port;

    if (value->len == 0 || value->len > sizeof("65535") - 1) {
        return NGX_ERROR;
    }

    port = 0;

    for (i = 0; i < value->len; i++) {
        if (!ngx_smtp_is_digit(value->data[i])) {
            return NGX_ERROR;
        }

        port = port * 10 + (value->data[i] - '0');
    }

    return (port > 65535) ? NGX_ERROR : port;
}


ngx_int_t
ngx_smtp_attr_name_valid(ngx_str_t *value)
{
    /* not an address literal, which HELO may have */

    if (value->len && value->data[0] == '[') {
        return NGX_ERROR;
    }

    return ngx_smtp_helo_valid(value->data, value->data + value->len);
}


ngx_int_t
ngx_smtp_attr_addr_valid(ngx_str_t *value)
{
    ngx_smtp_attr_addr_t  addr;

    return ngx_smtp_attr_addr(value, &addr);
}


ngx_int_t
ngx_smtp_attr_port_valid(ngx_str_t *value)
{
    return (ngx_smtp_attr_port(value) == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


u_char *
ngx_smtp_attr_write(u_char *p, ngx_str_t *value)
{
    u_char  *last, text[3 * NGX_SMTP_ATTR_MAX];

    if (value->len && value->len <= NGX_SMTP_ATTR_MAX) {

        last = ngx_smtp_xtext_encode(text, value->data,
                                     value->data + value->len);

        if (last - text <= NGX_SMTP_ATTR_MAX) {
            return ngx_cpymem(p, text, last - text);
        }
    }

    return ngx_cpymem(p, NGX_SMTP_ATTR_UNAVAILABLE,
                      sizeof(NGX_SMTP_ATTR_UNAVAILABLE) - 1);
}


u_char *
ngx_smtp_attr_addr_write(u_char *p, struct sockaddr *sockaddr)
{
    u_char      *octets;
    ngx_uint_t   family;

    family = sockaddr ? sockaddr->sa_family : AF_UNSPEC;

    switch (family) {

#if (NGX_HAVE_INET6)
    case AF_INET6:
        octets = ((struct sockaddr_in6 *) sockaddr)->sin6_addr.s6_addr;

        if (ngx_memcmp(octets, ngx_smtp_attr_mapped,
                       sizeof(ngx_smtp_attr_mapped))
            == 0)
        {
            family = AF_INET;
            octets += sizeof(ngx_smtp_attr_mapped);
            break;
        }

        p = ngx_cpymem(p, NGX_SMTP_ATTR_IPV6, sizeof(NGX_SMTP_ATTR_IPV6) - 1);
        break;
#endif

    case AF_INET:
        octets = (u_char *) &((struct sockaddr_in *) sockaddr)->sin_addr;
        break;

    default:
        return ngx_cpymem(p, NGX_SMTP_ATTR_UNAVAILABLE,
                          sizeof(NGX_SMTP_ATTR_UNAVAILABLE) - 1);
    }

    (void) inet_ntop(family, octets, (char *) p, INET6_ADDRSTRLEN);

    return p + ngx_strlen(p);
}


u_char *
ngx_smtp_attr_port_write(u_char *p, ngx_uint_t port)
{
    ngx_str_t  value;
    u_char     digits[NGX_INT_T_LEN], *d;

    d = digits + sizeof(digits);

    for ( /* void */ ; port; port /= 10) {
        *--d = (u_char) ('0' + port % 10);
    }

    value.data = d;
    value.len = digits + sizeof(digits) - d;

    return ngx_smtp_attr_write(p, &value);
}

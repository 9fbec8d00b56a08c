
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_proxy.h>


/*
 * The PROXY protocol as its author has it in HAProxy's doc/proxy-protocol.txt:
 * 2.1 the line of version 1, 2.2 the binary header of version 2 with its
 * values by type and length.
 */


#define NGX_SMTP_PROXY_AUTHORITY     0x02
#define NGX_SMTP_PROXY_SSL           0x20
#define NGX_SMTP_PROXY_SSL_VERSION   0x21
#define NGX_SMTP_PROXY_SSL_CN        0x22
#define NGX_SMTP_PROXY_SSL_CIPHER    0x23

/* flags of NGX_SMTP_PROXY_SSL */
#define NGX_SMTP_PROXY_CLIENT_SSL    0x01
#define NGX_SMTP_PROXY_CLIENT_CONN   0x02
#define NGX_SMTP_PROXY_CLIENT_SESS   0x04

/* version 2 and the command PROXY */
#define NGX_SMTP_PROXY_V2_PROXY      0x21

/* families over TCP */
#define NGX_SMTP_PROXY_V2_UNSPEC     0x00
#define NGX_SMTP_PROXY_V2_TCP4       0x11
#define NGX_SMTP_PROXY_V2_TCP6       0x21


static ngx_uint_t ngx_smtp_proxy_family(ngx_smtp_proxy_t *proxy);
static u_char *ngx_smtp_proxy_addr(u_char *p, struct sockaddr *sockaddr);
static ngx_uint_t ngx_smtp_proxy_port(struct sockaddr *sockaddr);
static u_char *ngx_smtp_proxy_addr_text(u_char *p, struct sockaddr *sockaddr);
static u_char *ngx_smtp_proxy_port_text(u_char *p, struct sockaddr *sockaddr);
static u_char *ngx_smtp_proxy_ssl(u_char *p, ngx_smtp_proxy_t *proxy);
static u_char *ngx_smtp_proxy_text(u_char *p, ngx_uint_t type,
    ngx_str_t *text);
static u_char *ngx_smtp_proxy_length(u_char *p, size_t len);


static const u_char  ngx_smtp_proxy_signature[] = {
    0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a
};


u_char *
ngx_smtp_proxy_v1_write(u_char *p, ngx_smtp_proxy_t *proxy)
{
    ngx_uint_t  family;

    family = ngx_smtp_proxy_family(proxy);

    if (family == AF_UNSPEC) {
        return ngx_cpymem(p, "PROXY UNKNOWN" CRLF,
                          sizeof("PROXY UNKNOWN" CRLF) - 1);
    }

    p = ngx_cpymem(p, "PROXY TCP", sizeof("PROXY TCP") - 1);
    *p++ = (family == AF_INET) ? '4' : '6';

    p = ngx_smtp_proxy_addr_text(p, proxy->source);
    p = ngx_smtp_proxy_addr_text(p, proxy->destination);
    p = ngx_smtp_proxy_port_text(p, proxy->source);
    p = ngx_smtp_proxy_port_text(p, proxy->destination);

    *p++ = CR; *p++ = LF;

    return p;
}


/* with a space in front, as the next */

static u_char *
ngx_smtp_proxy_addr_text(u_char *p, struct sockaddr *sockaddr)
{
    u_char  octets[16];

    *p++ = ' ';

    (void) ngx_smtp_proxy_addr(octets, sockaddr);
    (void) inet_ntop(sockaddr->sa_family, octets, (char *) p,
                     INET6_ADDRSTRLEN);

    return p + ngx_strlen(p);
}


static u_char *
ngx_smtp_proxy_port_text(u_char *p, struct sockaddr *sockaddr)
{
    u_char      digits[sizeof("65535") - 1], *d;
    ngx_uint_t  port;

    port = ngx_smtp_proxy_port(sockaddr);
    d = digits + sizeof(digits);

    do {
        *--d = (u_char) ('0' + port % 10);
        port /= 10;
    } while (port);

    *p++ = ' ';

    return ngx_cpymem(p, d, digits + sizeof(digits) - d);
}


u_char *
ngx_smtp_proxy_v2_write(u_char *p, ngx_smtp_proxy_t *proxy)
{
    u_char      *len;
    ngx_uint_t   family;

    family = ngx_smtp_proxy_family(proxy);

    p = ngx_cpymem(p, ngx_smtp_proxy_signature,
                   sizeof(ngx_smtp_proxy_signature));

    *p++ = NGX_SMTP_PROXY_V2_PROXY;
    *p++ = (family == AF_UNSPEC) ? NGX_SMTP_PROXY_V2_UNSPEC
           : (family == AF_INET) ? NGX_SMTP_PROXY_V2_TCP4
                                 : NGX_SMTP_PROXY_V2_TCP6;

    /* of what follows; is known at the end */

    len = p;
    p += 2;

    if (family != AF_UNSPEC) {
        p = ngx_smtp_proxy_addr(p, proxy->source);
        p = ngx_smtp_proxy_addr(p, proxy->destination);
        p = ngx_smtp_proxy_length(p, ngx_smtp_proxy_port(proxy->source));
        p = ngx_smtp_proxy_length(p, ngx_smtp_proxy_port(proxy->destination));
    }

    p = ngx_smtp_proxy_text(p, NGX_SMTP_PROXY_AUTHORITY, &proxy->authority);

    if (proxy->ssl) {
        p = ngx_smtp_proxy_ssl(p, proxy);
    }

    p = ngx_smtp_proxy_text(p, NGX_SMTP_PROXY_USER, &proxy->user);

    (void) ngx_smtp_proxy_length(len, p - len - 2);

    return p;
}


static ngx_uint_t
ngx_smtp_proxy_family(ngx_smtp_proxy_t *proxy)
{
    ngx_uint_t  family;

    if (proxy->source == NULL || proxy->destination == NULL) {
        return AF_UNSPEC;
    }

    family = proxy->source->sa_family;

    if (family != (ngx_uint_t) proxy->destination->sa_family) {
        return AF_UNSPEC;
    }

#if (NGX_HAVE_INET6)

    if (family == AF_INET6) {
        return family;
    }

#endif

    return (family == AF_INET) ? AF_INET : AF_UNSPEC;
}


static u_char *
ngx_smtp_proxy_addr(u_char *p, struct sockaddr *sockaddr)
{
#if (NGX_HAVE_INET6)

    if (sockaddr->sa_family == AF_INET6) {
        return ngx_cpymem(p, &((struct sockaddr_in6 *) sockaddr)->sin6_addr,
                          16);
    }

#endif

    return ngx_cpymem(p, &((struct sockaddr_in *) sockaddr)->sin_addr, 4);
}


static ngx_uint_t
ngx_smtp_proxy_port(struct sockaddr *sockaddr)
{
#if (NGX_HAVE_INET6)

    if (sockaddr->sa_family == AF_INET6) {
        return ntohs(((struct sockaddr_in6 *) sockaddr)->sin6_port);
    }

#endif

    return ntohs(((struct sockaddr_in *) sockaddr)->sin_port);
}


/* 2.2.6 */

static u_char *
ngx_smtp_proxy_ssl(u_char *p, ngx_smtp_proxy_t *proxy)
{
    u_char  *len;

    *p++ = NGX_SMTP_PROXY_SSL;

    len = p;
    p += 2;

    *p++ = NGX_SMTP_PROXY_CLIENT_SSL
           | (proxy->cert ? NGX_SMTP_PROXY_CLIENT_CONN
                            |NGX_SMTP_PROXY_CLIENT_SESS : 0);

    /* 0: a certificate that was verified */

    *p++ = 0;
    *p++ = 0;
    *p++ = 0;
    *p++ = !(proxy->cert && proxy->verified);

    p = ngx_smtp_proxy_text(p, NGX_SMTP_PROXY_SSL_VERSION,
                            &proxy->ssl_version);
    p = ngx_smtp_proxy_text(p, NGX_SMTP_PROXY_SSL_CN, &proxy->ssl_cn);
    p = ngx_smtp_proxy_text(p, NGX_SMTP_PROXY_SSL_CIPHER, &proxy->ssl_cipher);

    (void) ngx_smtp_proxy_length(len, p - len - 2);

    return p;
}


static u_char *
ngx_smtp_proxy_text(u_char *p, ngx_uint_t type, ngx_str_t *text)
{
    if (text->len == 0 || text->len > NGX_SMTP_PROXY_TEXT_MAX) {
        return p;
    }

    *p++ = (u_char) type;
    p = ngx_smtp_proxy_length(p, text->len);

    return ngx_cpymem(p, text->data, text->len);
}


static u_char *
ngx_smtp_proxy_length(u_char *p, size_t len)
{
    *p++ = (u_char) (len >> 8);
    *p++ = (u_char) len;

    return p;
}

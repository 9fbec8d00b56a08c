
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * The header of the PROXY protocol, versions 1 and 2, towards a server.  Pure:
 * addresses and texts in, octets out.
 */


#ifndef _NGX_SMTP_PROXY_H_INCLUDED_
#define _NGX_SMTP_PROXY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* of a text in it; what is longer is left out */
#define NGX_SMTP_PROXY_TEXT_MAX  510

/*
 * Of a header: 16 octets, two addresses and ports of IPv6, the five texts with
 * 3 octets in front of each, the same of the one that holds three of them, and
 * its 5 octets.
 */
#define NGX_SMTP_PROXY_MAX                                                   \
    (16 + 36 + 5 * (3 + NGX_SMTP_PROXY_TEXT_MAX) + 3 + 5)

/*
 * The type of our own: PP2_TYPE_MIN_CUSTOM, the name of who has logged in.
 */
#define NGX_SMTP_PROXY_USER      0xe0


typedef struct {
    struct sockaddr  *source;        /* the client; NULL: not known */
    struct sockaddr  *destination;   /* where it connected to */

    /* of version 2; empty: left out */
    ngx_str_t         authority;     /* whom it asked for, by SNI */
    ngx_str_t         ssl_version;
    ngx_str_t         ssl_cipher;
    ngx_str_t         ssl_cn;        /* of its certificate */
    ngx_str_t         user;          /* who has logged in */

    unsigned          ssl:1;
    unsigned          cert:1;        /* it has shown a certificate */
    unsigned          verified:1;    /* ... which stood the test */
} ngx_smtp_proxy_t;


/*
 * Write at most NGX_SMTP_PROXY_MAX octets, return the end.  Addresses that are
 * not of one family, IPv4 or IPv6, are not known.
 */
u_char *ngx_smtp_proxy_v1_write(u_char *p, ngx_smtp_proxy_t *proxy);
u_char *ngx_smtp_proxy_v2_write(u_char *p, ngx_smtp_proxy_t *proxy);


#endif /* _NGX_SMTP_PROXY_H_INCLUDED_ */

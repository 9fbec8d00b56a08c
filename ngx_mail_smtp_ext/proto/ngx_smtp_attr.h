
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Arguments of XCLIENT and XFORWARD: attribute-name "=" attribute-value, as
 * Postfix's XCLIENT_README and XFORWARD_README have them.  Pure; a value is
 * decoded where it lies.
 */


#ifndef _NGX_SMTP_ATTR_H_INCLUDED_
#define _NGX_SMTP_ATTR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* XFORWARD_README, note 1; of the value as it is sent */
#define NGX_SMTP_ATTR_MAX  255


typedef struct {
    ngx_str_t    name;
    ngx_str_t    value;          /* any octets: it was xtext */
} ngx_smtp_attr_t;


typedef struct {
    ngx_uint_t   family;         /* AF_INET, AF_INET6 */
    u_char       octets[16];     /* in network order; 4 of AF_INET */
} ngx_smtp_attr_addr_t;


/*
 * Takes the next attribute at *pos; spaces in front are skipped.  NGX_OK,
 * NGX_DONE at the end of the line; NGX_ERROR: there is something else, or the
 * value is empty or too long.  The name is set then as far as there is one.
 */
ngx_int_t ngx_smtp_attr_next(ngx_smtp_attr_t *attr, u_char **pos,
    u_char *last);

/* is it this word, in any case? */
ngx_uint_t ngx_smtp_attr_is(ngx_str_t *text, const char *word);

/*
 * An address: dotted, or "IPV6:" and one of IPv6, which IPv4-mapped ones are
 * not.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_smtp_attr_addr(ngx_str_t *value, ngx_smtp_attr_addr_t *addr);

/* a port, 0 to 65535, or NGX_ERROR */
ngx_int_t ngx_smtp_attr_port(ngx_str_t *value);

/*
 * Write a value, at most NGX_SMTP_ATTR_MAX octets, and return its end: xtext;
 * the address of sockaddr, IPv4-mapped as IPv4, or a port that is not 0.  What
 * is empty, too long, or none of these, is "[UNAVAILABLE]".
 */
u_char *ngx_smtp_attr_write(u_char *p, ngx_str_t *value);
u_char *ngx_smtp_attr_addr_write(u_char *p, struct sockaddr *sockaddr);
u_char *ngx_smtp_attr_port_write(u_char *p, ngx_uint_t port);

/* NGX_OK or NGX_ERROR; a name is a domain of US-ASCII, "_" passes */
ngx_int_t ngx_smtp_attr_name_valid(ngx_str_t *value);
ngx_int_t ngx_smtp_attr_addr_valid(ngx_str_t *value);
ngx_int_t ngx_smtp_attr_port_valid(ngx_str_t *value);


#endif /* _NGX_SMTP_ATTR_H_INCLUDED_ */


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * The lexical ground of RFC 5321: character classes, domains, address
 * literals, xtext.  Pure: bytes in, verdict out; nothing is allocated,
 * nothing is kept.  Every function takes [p, last) and never reads last.
 */


#ifndef _NGX_SMTP_SYNTAX_H_INCLUDED_
#define _NGX_SMTP_SYNTAX_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* RFC 5321, 4.5.3.1: octets; RFC 6531 leaves them as they are */
#define NGX_SMTP_LOCAL_MAX   64
#define NGX_SMTP_DOMAIN_MAX  255
#define NGX_SMTP_PATH_MAX    256
#define NGX_SMTP_LABEL_MAX   63

/*
 * Characters of a U-label: as an A-label, with "xn--" in front and an octet
 * for each of them at least, it must be a label (RFC 5890, 2.3.2.1).
 */
#define NGX_SMTP_ULABEL_MAX  (NGX_SMTP_LABEL_MAX - (sizeof("xn--") - 1))


#define ngx_smtp_is_digit(c)  ((c) >= '0' && (c) <= '9')
#define ngx_smtp_is_alpha(c)                                                 \
    (((c) >= 'a' && (c) <= 'z') || ((c) >= 'A' && (c) <= 'Z'))
#define ngx_smtp_is_alnum(c)  (ngx_smtp_is_digit(c) || ngx_smtp_is_alpha(c))


/*
 * Each parser below returns the first octet behind what it recognised, or
 * NULL when there is no such thing at p (or it is too long).
 */

/* Domain = sub-domain *("." sub-domain), RFC 5321, 4.1.2 */
u_char *ngx_smtp_domain_parse(u_char *p, u_char *last);

/* address-literal = "[" ( IPv4 / "IPv6:" IPv6 / General ) "]", 4.1.3 */
u_char *ngx_smtp_literal_parse(u_char *p, u_char *last);

/* Dot-string = Atom *("." Atom), 4.1.2 */
u_char *ngx_smtp_dot_string_parse(u_char *p, u_char *last);

/* Quoted-string = DQUOTE *QcontentSMTP DQUOTE, 4.1.2 */
u_char *ngx_smtp_quoted_string_parse(u_char *p, u_char *last);

/*
 * The length of the UTF8-non-ascii character at p, RFC 6532, 3.1, and with it
 * RFC 3629, 4: neither overlong nor a surrogate.  0: it is none.
 */
size_t ngx_smtp_utf8_length(u_char *p, u_char *last);

/* is there an octet that is not US-ASCII? */
ngx_uint_t ngx_smtp_is_8bit(u_char *p, u_char *last);

/* the same with UTF8-non-ascii in labels, atoms and qtext, RFC 6531, 3.3 */
u_char *ngx_smtp_domain_utf8_parse(u_char *p, u_char *last);
u_char *ngx_smtp_dot_string_utf8_parse(u_char *p, u_char *last);
u_char *ngx_smtp_quoted_string_utf8_parse(u_char *p, u_char *last);

/*
 * NGX_OK when the whole of [p, last) can be the argument of EHLO or HELO: a
 * Domain or an address literal, 4.1.1.1.  Host names with "_", which are
 * wide-spread, pass; nothing that could break a header field does.
 */
ngx_int_t ngx_smtp_helo_valid(u_char *p, u_char *last);
ngx_int_t ngx_smtp_helo_utf8_valid(u_char *p, u_char *last);

/*
 * The same by the letter of 4.1.1.1 and 2.3.5: no "_", and a domain that is
 * qualified, with a dot inside of it.
 */
ngx_int_t ngx_smtp_helo_strict_valid(u_char *p, u_char *last,
    ngx_uint_t utf8);

/*
 * Nothing but that it can be kept and shown: printable US-ASCII, spaces
 * included, not longer than a domain.
 */
ngx_int_t ngx_smtp_helo_any_valid(u_char *p, u_char *last);

/*
 * xtext of RFC 3461, 4.  Decoding writes at most (last - p) octets to dst and
 * returns the end of what it wrote, or NULL when [p, last) is not xtext.
 * Encoding writes at most 3 * (last - p) octets and returns the end.
 */
u_char *ngx_smtp_xtext_decode(u_char *dst, u_char *p, u_char *last);
u_char *ngx_smtp_xtext_encode(u_char *dst, u_char *p, u_char *last);


#endif /* _NGX_SMTP_SYNTAX_H_INCLUDED_ */

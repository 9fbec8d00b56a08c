
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Forward and reverse paths, RFC 5321, 4.1.2.  Pure; the result points into
 * what was parsed.
 */


#ifndef _NGX_SMTP_ADDR_H_INCLUDED_
#define _NGX_SMTP_ADDR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_str_t   addr;        /* local-part "@" domain, as the client wrote it;
                                empty for "<>", no "@" for "<Postmaster>" */
    ngx_str_t   local;       /* with its quotes, where it has them */
    ngx_str_t   domain;      /* Domain or address literal; may be empty */

    unsigned    quoted:1;    /* local is a Quoted-string */
    unsigned    literal:1;   /* domain is an address literal */
    unsigned    utf8:1;      /* addr is not US-ASCII alone */
} ngx_smtp_path_t;


#define NGX_SMTP_PATH_REVERSE  0x01    /* "<>" is allowed */
#define NGX_SMTP_PATH_FORWARD  0x02    /* "<Postmaster>" is allowed, 4.1.1.3 */
#define NGX_SMTP_PATH_UTF8     0x04    /* UTF-8 is allowed, RFC 6531, 3.3 */


/*
 * Parses "<" [ A-d-l ":" ] Mailbox ">" at *pos and moves *pos behind it.  A
 * source route is parsed and dropped, as 4.1.1.3 and appendix C ask.
 * NGX_OK, or NGX_ERROR when there is no such path; *pos is then unchanged.
 */
ngx_int_t ngx_smtp_path_parse(ngx_smtp_path_t *path, u_char **pos,
    u_char *last, ngx_uint_t flags);

/*
 * The same for a bare Mailbox that is the whole of addr, as it stands in a
 * configuration or in a service's answer; of the flags, NGX_SMTP_PATH_UTF8
 * counts.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_smtp_mailbox_parse(ngx_smtp_path_t *path, ngx_str_t *addr,
    ngx_uint_t flags);

/*
 * A local part as it is compared: without quotes where its content can go
 * without, 4.1.2, so that "user"@example.com does not pass by user@example.com.
 * Writes at most local->len octets, returns the end.
 */
u_char *ngx_smtp_local_unquote(u_char *dst, ngx_str_t *local);


#endif /* _NGX_SMTP_ADDR_H_INCLUDED_ */

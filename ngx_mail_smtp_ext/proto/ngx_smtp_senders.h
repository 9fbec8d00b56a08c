
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Which addresses a user may have as a sender: a list of addresses and
 * patterns, and whether an address fits it.  Pure.
 */


#ifndef _NGX_SMTP_SENDERS_H_INCLUDED_
#define _NGX_SMTP_SENDERS_H_INCLUDED_


#include <ngx_smtp_addr.h>


/* octets of a list: some hundred addresses */
#define NGX_SMTP_SENDERS_MAX  8192


/*
 * Parses a list whose items are parted by commas, with spaces around them:
 *
 *     user@example.com     this address
 *     @example.com         all of a domain; "*@example.com" as well
 *     @.example.com        all of the domains below it
 *     *                    all addresses
 *
 * and writes it, as _fit() wants it, to dst: list->len + 1 octets at the most.
 * Returns the end of what was written, or NULL: there is something else in
 * the list, it is empty, or too long.
 */
u_char *ngx_smtp_senders_parse(u_char *dst, ngx_str_t *list);

/*
 * Writes a list of this mailbox alone, whatever it looks like, to dst: its
 * length and an octet more at the most.  Returns the end.
 */
u_char *ngx_smtp_senders_write(u_char *dst, ngx_smtp_path_t *mailbox);

/*
 * Does the mailbox fit a list, as _parse() wrote it?  Letters count in any
 * case.  With a delimiter ("+"; 0: none), user+anything@domain fits where
 * user@domain does.
 */
ngx_uint_t ngx_smtp_senders_fit(ngx_str_t *senders, ngx_smtp_path_t *mailbox,
    u_char delimiter);


#endif /* _NGX_SMTP_SENDERS_H_INCLUDED_ */


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * What an authenticated user may, as the answer about the credentials said.
 * Limits can only be closer than the server's own.
 */


#ifndef _NGX_SMTP_RIGHTS_H_INCLUDED_
#define _NGX_SMTP_RIGHTS_H_INCLUDED_


typedef struct {
    off_t         max_size;      /* octets of a message; 0: not said */
    ngx_uint_t    max_rcpt;      /* recipients of a message; 0: not said */
    ngx_str_t     senders;       /* of ngx_smtp_senders_parse(); empty: not
                                    said */
} ngx_smtp_rights_t;


/*
 * Gives the session a copy of the rights; NULL: takes them away.  NGX_OK or
 * NGX_ERROR (no memory; it has none then).
 */
ngx_int_t ngx_smtp_rights_set(ngx_smtp_session_t *s,
    ngx_smtp_rights_t *rights);

/* what holds in this session now: the server's limit or the user's */
off_t ngx_smtp_rights_max_size(ngx_smtp_session_t *s);   /* 0: no limit */
ngx_uint_t ngx_smtp_rights_max_rcpt(ngx_smtp_session_t *s);


#endif /* _NGX_SMTP_RIGHTS_H_INCLUDED_ */


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * The client's responses of OAUTHBEARER (RFC 7628, 3.1) and of XOAUTH2, which
 * no RFC has (developers.google.com/gmail/imap/xoauth2-protocol).  Pure:
 * nothing is allocated, results point into the response.
 */


#ifndef _NGX_SMTP_OAUTH_H_INCLUDED_
#define _NGX_SMTP_OAUTH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    ngx_str_t   user;        /* OAUTHBEARER: a saslname, may be missing */
    ngx_str_t   token;       /* empty: none of the kind "Bearer" */
} ngx_smtp_oauth_t;


/* NGX_OK or NGX_ERROR: it is none */
ngx_int_t ngx_smtp_oauth_bearer_parse(ngx_smtp_oauth_t *oauth,
    ngx_str_t *text);
ngx_int_t ngx_smtp_oauth_xoauth2_parse(ngx_smtp_oauth_t *oauth,
    ngx_str_t *text);


#endif /* _NGX_SMTP_OAUTH_H_INCLUDED_ */

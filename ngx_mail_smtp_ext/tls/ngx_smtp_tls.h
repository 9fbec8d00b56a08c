
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * TLS with clients, beyond what nginx's mail core does: certificates by the
 * name that a client asks for (SNI); and what a client is told whose own
 * certificate is not good enough.
 */


#ifndef _NGX_SMTP_TLS_H_INCLUDED_
#define _NGX_SMTP_TLS_H_INCLUDED_


#include <ngx_smtp_core.h>


/* SSL_MAX_SID_CTX_LENGTH, the size of SHA-256 as well */
#define NGX_SMTP_TLS_ID_LEN  32


/* certificates, with keys and chains, for one or several names */
typedef struct {
    SSL_CTX                *ctx;
    ngx_str_t               server_name;     /* empty: that of the server{} */
    u_char                  id[NGX_SMTP_TLS_ID_LEN];
} ngx_smtp_tls_cert_t;


/* of a server{} with TLS */
typedef struct {
    ngx_smtp_tls_cert_t     cert;            /* for all other names */

    /*
     * Of ngx_smtp_tls_cert_t *: "example.com" for this name, ".example.com"
     * for what ends so.
     */
    ngx_hash_t              names;
    ngx_hash_keys_arrays_t  keys;            /* while it is configured */
} ngx_smtp_tls_t;


/*
 * Of the server{} whose TLS ctx is.  verify: how clients are verified, in any
 * form; a session of one way is not resumed where there is another.  NULL:
 * failed.
 */
ngx_smtp_tls_t *ngx_smtp_tls_create(ngx_conf_t *cf, SSL_CTX *ctx,
    ngx_str_t *verify);

/*
 * The same without a name; names of ngx_str_t, in the form of the hash, are
 * added to it.  NGX_OK; NGX_BUSY: *duplicate is there already; NGX_ERROR.
 */
ngx_int_t ngx_smtp_tls_add(ngx_conf_t *cf, ngx_smtp_tls_t *tls, SSL_CTX *ctx,
    ngx_array_t *names, ngx_str_t *server_name, ngx_str_t *verify,
    ngx_str_t *duplicate);

/* when all have been added.  NGX_OK or NGX_ERROR */
ngx_int_t ngx_smtp_tls_bind(ngx_conf_t *cf, ngx_smtp_tls_t *tls);


/*
 * The handshake is done, by STARTTLS or from the start: the session's name.
 */
void ngx_smtp_tls_started(ngx_smtp_session_t *s);

/* of a server{} that asks clients for certificates, when it is configured */
void ngx_smtp_tls_verify_init(SSL_CTX *ctx);

/*
 * Is the client's certificate what the server{} asks for?  0, or the reply
 * (ngx_smtp_reply_e) that is all this client is told.
 */
ngx_uint_t ngx_smtp_tls_verify(ngx_smtp_session_t *s);


#endif /* _NGX_SMTP_TLS_H_INCLUDED_ */

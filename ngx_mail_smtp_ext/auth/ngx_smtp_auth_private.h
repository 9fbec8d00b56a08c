
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * What the files of auth/ share: the configuration, the life of a
 * ngx_smtp_sasl_t, memory that is wiped.
 */


#ifndef _NGX_SMTP_AUTH_PRIVATE_H_INCLUDED_
#define _NGX_SMTP_AUTH_PRIVATE_H_INCLUDED_


#include <ngx_smtp_core.h>
#include <ngx_smtp_http.h>
#include <ngx_smtp_sasl.h>


typedef struct {
    ngx_uint_t            methods;           /* bits of mechanisms */
    ngx_flag_t            require_tls;
    ngx_uint_t            max_attempts;      /* 0: no limit */

    ngx_smtp_http_url_t  *http;              /* NULL: no AUTH */
    ngx_msec_t            http_timeout;
    ngx_msec_t            http_connect_timeout;
    ngx_flag_t            http_pass_client_cert;
    ngx_array_t          *http_headers;      /* of ngx_table_elt_t */
    ngx_str_t             http_header;       /* all of them, as sent */
} ngx_smtp_auth_conf_t;


struct ngx_smtp_sasl_secret_s {
    u_char                  *data;
    size_t                   len;
    ngx_smtp_sasl_secret_t  *next;
};


extern ngx_module_t  ngx_mail_smtp_ext_auth_module;
extern ngx_module_t  ngx_mail_smtp_ext_http_module;


/* ngx_mail_smtp_ext_auth_module.c: are certificates of clients asked for? */
ngx_uint_t ngx_mail_smtp_ext_auth_verify(ngx_smtp_session_t *s);


/* ngx_smtp_sasl.c */

/* sets s->auth; NULL: no memory.  A session that ends destroys it */
ngx_smtp_sasl_t *ngx_smtp_sasl_create(ngx_smtp_session_t *s,
    const ngx_smtp_sasl_mech_t *mech);

/* cancels what is under way, wipes, frees */
void ngx_smtp_sasl_destroy(ngx_smtp_sasl_t *sasl);

/* memory that is wiped by _forget(), at the latest by _destroy() */
u_char *ngx_smtp_sasl_alloc(ngx_smtp_sasl_t *sasl, size_t len);
void ngx_smtp_sasl_forget(ngx_smtp_sasl_t *sasl);

/*
 * base64, RFC 4648, 4.  Decoding is strict (RFC 4954, 4) and wipes src when
 * it went well: NGX_OK, NGX_DECLINED (not base64), NGX_ERROR (no memory).
 */
ngx_int_t ngx_smtp_sasl_decode(ngx_smtp_sasl_t *sasl, ngx_str_t *dst,
    ngx_str_t *src);
ngx_int_t ngx_smtp_sasl_encode(ngx_smtp_sasl_t *sasl, ngx_str_t *dst,
    ngx_str_t *src);

/* a name that we and the backends can do with: bounded, no control in it */
ngx_uint_t ngx_smtp_sasl_user_valid(ngx_str_t *user);


/* ngx_smtp_cred_http.c */

/*
 * Asks about sasl->user and sasl->secret.  op, started by the caller, finishes
 * with NGX_OK: login, server, rights are set; NGX_DECLINED: refused, message,
 * code, wait are set; NGX_ERROR: no verdict was to be had, which has been
 * logged.  What is set lies in sasl->pool.
 */
void ngx_smtp_cred_http_verify(ngx_smtp_sasl_t *sasl, ngx_smtp_op_t *op);


/* ngx_smtp_cred_http_request.c: the fields of the request.  NGX_OK or
   NGX_ERROR; the text is wiped as ngx_smtp_sasl_alloc()'s */
ngx_int_t ngx_smtp_cred_http_request(ngx_smtp_sasl_t *sasl,
    ngx_str_t *fields);

/*
 * ngx_smtp_cred_rights.c: sets sasl->rights from what a service said; data is
 * NULL where it did not.  NGX_OK, or NGX_ERROR with the reason.
 */
ngx_int_t ngx_smtp_cred_rights(ngx_smtp_sasl_t *sasl, ngx_str_t *size,
    ngx_str_t *rcpt, ngx_str_t *senders, char **reason);


#endif /* _NGX_SMTP_AUTH_PRIVATE_H_INCLUDED_ */

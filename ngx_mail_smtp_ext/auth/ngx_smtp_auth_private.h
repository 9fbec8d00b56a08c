
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


/* failures that smtp_auth_limit may allow: more is no limit */
#define NGX_SMTP_AUTH_LIMIT_MAX  1000000


/* what nginx's own directives said, for where ours did not */
typedef struct {
    ngx_smtp_http_url_t  *url;               /* auth_http; NULL: not given */
    ngx_msec_t            timeout;
    ngx_flag_t            pass_client_cert;
    ngx_array_t          *headers;           /* of ngx_keyval_t */
} ngx_smtp_auth_nginx_t;


typedef struct {
    ngx_uint_t            methods;           /* bits of mechanisms */
    ngx_flag_t            require_tls;
    ngx_uint_t            max_attempts;      /* 0: no limit */

    ngx_smtp_auth_nginx_t  nginx;

    ngx_smtp_http_url_t  *http;              /* NULL: no AUTH */
    ngx_msec_t            http_timeout;
    ngx_msec_t            http_connect_timeout;
    ngx_flag_t            http_pass_client_cert;
    ngx_flag_t            http_client_host;
    ngx_flag_t            rcpt;              /* it is asked at RCPT */
    ngx_smtp_http_fields_t  http_fields;

    ngx_str_t             scram_secret;      /* of salts of unknown users */
    ngx_uint_t            scram_iterations;  /* ... and what they are shown */
    ngx_shm_zone_t       *cache_zone;        /* NULL: no cache */
    ngx_msec_t            cache_valid;
    ngx_msec_t            cache_negative;
    ngx_uint_t            cache_any_address;
    ngx_uint_t            cache_off;

    ngx_shm_zone_t       *limit_zone;        /* NULL: no limits */
    ngx_uint_t            limit_address;     /* failures; 0: no limit */
    ngx_uint_t            limit_user;
    ngx_msec_t            limit_time;        /* in which they are forgotten */
    ngx_msec_t            limit_delay;
    ngx_uint_t            limit_off;

    ngx_str_t             oauth_scope;
    ngx_str_t             oauth_configuration;
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

/* octets that nobody can guess; NGX_OK or NGX_ERROR, which is logged */
ngx_int_t ngx_smtp_sasl_random(ngx_smtp_sasl_t *sasl, u_char *p, size_t len);


/*
 * ngx_smtp_sasl_prep.c: SASLprep.  NGX_OK, name may be another text then;
 * NGX_DECLINED: it can't be a name; NGX_ABORT: no memory.
 */
ngx_int_t ngx_smtp_sasl_prep(ngx_smtp_sasl_t *sasl, ngx_str_t *name);


/* ngx_smtp_sasl_binding.c */

/* octets of a binding: Finished of SSL 3.0 and TLS, an exporter's */
#define NGX_SMTP_SASL_BINDING_MAX  64

/* has the client's connection any that we know? */
ngx_uint_t ngx_smtp_sasl_binding_usable(ngx_smtp_session_t *s);

/*
 * The connection's binding of that type.  NGX_OK, NGX_DECLINED: the type is
 * not one of this connection; NGX_ABORT: OpenSSL failed.
 */
ngx_int_t ngx_smtp_sasl_binding(ngx_smtp_session_t *s, ngx_str_t *type,
    u_char *data, size_t *len);


/* ngx_smtp_auth_cache.c */

/* what the backend said before: NGX_OK, NGX_DECLINED, or NGX_AGAIN: ask it */
ngx_int_t ngx_smtp_auth_cache_find(ngx_smtp_sasl_t *sasl);

/* what it has said now, if it was asked after _find() */
void ngx_smtp_auth_cache_store(ngx_smtp_sasl_t *sasl, ngx_int_t rc);


/* ngx_smtp_auth_limit.c */

/*
 * May it try?  NGX_OK; NGX_DECLINED: not as this user; NGX_ABORT: not from
 * this address.
 */
ngx_int_t ngx_smtp_auth_limit_check(ngx_smtp_sasl_t *sasl);

/* counts, and sets delay and shut_out */
void ngx_smtp_auth_limit_failed(ngx_smtp_sasl_t *sasl);
void ngx_smtp_auth_limit_succeeded(ngx_smtp_sasl_t *sasl);


/* ngx_smtp_auth_conf.c: setters, and what they set of mail{} */
char *ngx_smtp_auth_conf_cache(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_smtp_auth_conf_limit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
void ngx_smtp_auth_conf_merge(ngx_smtp_auth_conf_t *prev,
    ngx_smtp_auth_conf_t *conf);


/* ngx_smtp_cred_http.c */

/*
 * Asks about sasl->user and what belongs to it.  op, started by the caller,
 * finishes with NGX_OK: login, server, rights, and keys where the mechanism
 * wants them, are set; NGX_DECLINED: refused, message, code, wait are set, and
 * keys may be; NGX_ERROR: no verdict was to be had, which has been logged.
 * What is set lies in sasl->pool.
 */
void ngx_smtp_cred_http_verify(ngx_smtp_sasl_t *sasl, ngx_smtp_op_t *op);


/*
 * ngx_smtp_cred_answer.c: what r's answer says.  NGX_OK, NGX_DECLINED, as
 * above; NGX_AGAIN: after sasl->wait it is to be asked again; NGX_ERROR: it is
 * no answer, *reason says why.
 */
ngx_int_t ngx_smtp_cred_http_answer(ngx_smtp_sasl_t *sasl,
    ngx_smtp_http_request_t *r, char **reason);

/* sets sasl->route: one of those that the configuration allows, by its whole
   name; NGX_OK or NGX_ERROR */
ngx_int_t ngx_smtp_cred_route(ngx_smtp_sasl_t *sasl, ngx_str_t *name);

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


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Authentication: mechanisms are descriptors in ngx_smtp_sasl_table.c, where
 * credentials are checked is a backend.  The command, the lines and the
 * replies are in ngx_smtp_cmd_auth.c.
 */


#ifndef _NGX_SMTP_SASL_H_INCLUDED_
#define _NGX_SMTP_SASL_H_INCLUDED_


#include <ngx_smtp_core.h>


/* RFC 4954, 4.5.3: octets of a base64 response, without CRLF */
#define NGX_SMTP_SASL_LINE_MAX  12288

/* octets of a user's name: twice what RFC 4616, 2 has servers accept */
#define NGX_SMTP_SASL_USER_MAX  510

/* bits of mechanisms; what smtp_auth_methods knows besides */
#define NGX_SMTP_SASL_PLAIN     0x0002
#define NGX_SMTP_SASL_LOGIN     0x0004
#define NGX_SMTP_SASL_NONE      0x8000


typedef struct ngx_smtp_sasl_s         ngx_smtp_sasl_t;
typedef struct ngx_smtp_sasl_secret_s  ngx_smtp_sasl_secret_t;


typedef struct {
    ngx_str_t    name;           /* "PLAIN" */
    ngx_str_t    http_name;      /* "plain": Auth-Method */
    ngx_uint_t   bit;            /* in smtp_auth_methods */
    unsigned     plaintext:1;    /* shows the password to who listens */

    /*
     * One step.  response: the client's, decoded; data NULL at the first one
     * when AUTH came without an initial response.
     * NGX_AGAIN: sasl->challenge is to be sent, plain (it is encoded later).
     * NGX_OK: sasl->user and sasl->secret are set, verify them.
     * NGX_ERROR: the response is malformed.
     */
    ngx_int_t  (*step)(ngx_smtp_sasl_t *sasl, ngx_str_t *response);
} ngx_smtp_sasl_mech_t;


/* an authentication under way; it has a pool of its own, wiped at the end */
struct ngx_smtp_sasl_s {
    ngx_pool_t                  *pool;
    ngx_smtp_session_t          *session;
    const ngx_smtp_sasl_mech_t  *mech;
    ngx_uint_t                   state;      /* the mechanism's */
    ngx_str_t                    challenge;

    ngx_str_t                    authzid;
    ngx_str_t                    user;
    ngx_str_t                    secret;

    /* what the backend said */
    ngx_str_t                    login;      /* Auth-User, else user */
    ngx_str_t                    server;     /* "host:port", may be empty */
    ngx_str_t                    message;    /* Auth-Status that is not OK */
    ngx_uint_t                   code;       /* Auth-Error-Code; 0: none */
    ngx_smtp_enhanced_t          enhanced;
    ngx_msec_t                   wait;       /* Auth-Wait */
    ngx_smtp_rights_t            rights;     /* Auth-Max-Size ... */

    ngx_smtp_op_t                op;         /* the check */
    ngx_msec_t                   start;
    void                        *backend;

    /* private */
    ngx_smtp_op_t                life;       /* in session->ops: its cancel
                                                is the end */
    ngx_queue_t                  ops;        /* of the check */
    ngx_event_t                  timer;      /* of wait */
    ngx_smtp_sasl_secret_t      *secrets;    /* to be wiped */
};


/* the last row is NULL */
extern const ngx_smtp_sasl_mech_t *const  ngx_smtp_sasl_table[];


/*
 * Is it offered in this session as it is now: configured, and not one that
 * needs TLS and has none?  bits of mechanisms; 0: no AUTH at all.
 */
ngx_uint_t ngx_smtp_sasl_offered(ngx_smtp_session_t *s);


#endif /* _NGX_SMTP_SASL_H_INCLUDED_ */

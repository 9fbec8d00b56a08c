
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
#include <ngx_smtp_zone.h>


/* RFC 4954, 4.5.3: octets of a base64 response, without CRLF */
#define NGX_SMTP_SASL_LINE_MAX  12288

/* octets of a user's name: twice what RFC 4616, 2 has servers accept */
#define NGX_SMTP_SASL_USER_MAX  510

/*
 * Octets of a password and of a token.  They travel on in headers, and a
 * service that refuses a long one as malformed would seem to be out of order:
 * nginx, Node and others take 8 kilobytes.
 */
#define NGX_SMTP_SASL_SECRET_MAX  1024
#define NGX_SMTP_SASL_TOKEN_MAX   8000

/* bits of mechanisms; what smtp_auth_methods knows besides */
#define NGX_SMTP_SASL_PLAIN               0x0002
#define NGX_SMTP_SASL_LOGIN               0x0004
#define NGX_SMTP_SASL_CRAM_MD5            0x0008
#define NGX_SMTP_SASL_SCRAM_SHA_1         0x0010
#define NGX_SMTP_SASL_SCRAM_SHA_1_PLUS    0x0020
#define NGX_SMTP_SASL_SCRAM_SHA_256       0x0040
#define NGX_SMTP_SASL_SCRAM_SHA_256_PLUS  0x0080
#define NGX_SMTP_SASL_OAUTHBEARER         0x0100
#define NGX_SMTP_SASL_XOAUTH2             0x0200
#define NGX_SMTP_SASL_EXTERNAL            0x0400
#define NGX_SMTP_SASL_NONE                0x8000

#define NGX_SMTP_SASL_PLUS                                                   \
    (NGX_SMTP_SASL_SCRAM_SHA_1_PLUS|NGX_SMTP_SASL_SCRAM_SHA_256_PLUS)

/*
 * SCRAM: RFC 5802, 5.1 and RFC 7677, 4 have 4096 iterations at least; it is
 * the client that makes them, and too many would be an attack on it.
 */
#define NGX_SMTP_SASL_ITERATIONS_MIN  4096
#define NGX_SMTP_SASL_ITERATIONS_MAX  10000000


typedef struct ngx_smtp_sasl_s         ngx_smtp_sasl_t;
typedef struct ngx_smtp_sasl_secret_s  ngx_smtp_sasl_secret_t;


typedef struct {
    ngx_str_t    name;           /* "PLAIN" */
    ngx_str_t    http_name;      /* "plain": Auth-Method */
    ngx_uint_t   bit;            /* in smtp_auth_methods */
    size_t       key_size;       /* SCRAM: octets of the keys that the backend
                                    gives; 0: it gives a verdict */
    unsigned     plaintext:1;    /* shows a secret to who listens */
    unsigned     nameless:1;     /* a user may be left to the backend */
    unsigned     server_first:1; /* no initial response */
    unsigned     nobody:1;       /* is none: who it is is not the question */

    /* can the session have it at all, as it is now?  NULL: any can */
    ngx_uint_t (*usable)(ngx_smtp_session_t *s);

    /*
     * One step.  response: the client's, decoded; data NULL at the first one
     * when AUTH came without an initial response.
     * NGX_AGAIN: sasl->challenge is to be sent, plain (it is encoded later).
     * NGX_OK: sasl->user and what belongs to it are set, ask the backend.
     * NGX_DONE: sasl->user is who it is, and sasl->login what it is called.
     * NGX_DECLINED: it is not; sasl->message and such may say more.
     * NGX_ERROR: the response is malformed.
     * NGX_ABORT: no memory, or the like.
     */
    ngx_int_t  (*step)(ngx_smtp_sasl_t *sasl, ngx_str_t *response);

    /*
     * What the backend has said, NGX_OK or NGX_DECLINED, where that is not
     * the end: NGX_OK (the user is who it is), NGX_DECLINED, NGX_AGAIN and
     * NGX_ABORT as above.  NULL: it is the end.
     */
    ngx_int_t  (*answer)(ngx_smtp_sasl_t *sasl, ngx_int_t rc);
} ngx_smtp_sasl_mech_t;


/* SCRAM, RFC 5802, 3: what a server keeps of a password */
typedef struct {
    ngx_str_t    salt;           /* base64; empty: not given */
    ngx_uint_t   iterations;
    ngx_str_t    stored;         /* octets; empty: not given */
    ngx_str_t    server;
} ngx_smtp_sasl_keys_t;


/* an authentication under way; it has a pool of its own, wiped at the end */
struct ngx_smtp_sasl_s {
    ngx_pool_t                  *pool;
    ngx_smtp_session_t          *session;
    const ngx_smtp_sasl_mech_t  *mech;
    ngx_uint_t                   state;      /* the mechanism's */
    void                        *exchange;   /* the mechanism's */
    ngx_str_t                    challenge;

    /* what the backend is asked about; empty: not a part of it */
    ngx_str_t                    authzid;
    ngx_str_t                    user;
    ngx_str_t                    secret;     /* a password, or its digest */
    ngx_str_t                    salt;       /* of the digest */
    ngx_str_t                    token;

    /* what the backend said */
    ngx_smtp_sasl_keys_t         keys;
    ngx_str_t                    login;      /* Auth-User, else user */
    ngx_str_t                    passwd;     /* Auth-Pass, if it is kept */
    ngx_str_t                    server;     /* "host:port", may be empty */
    ngx_smtp_dest_t             *route;      /* Auth-Route, may be NULL */
    ngx_str_t                    message;    /* Auth-Status that is not OK */
    ngx_uint_t                   code;       /* Auth-Error-Code; 0: none */
    ngx_smtp_enhanced_t          enhanced;
    ngx_msec_t                   wait;       /* Auth-Wait */
    ngx_msec_t                   max_age;    /* it may be kept, if so */
    ngx_smtp_rights_t            rights;     /* Auth-Max-Size ... */
    ngx_str_t                    bearer;     /* Auth-Token, if it is kept */

    /* what is remembered of logins */
    u_char                       cache_key[NGX_SMTP_ZONE_KEY];
    ngx_msec_t                   delay;      /* of a refusal, by limits */
    unsigned                     cacheable:1;
    unsigned                     counted:1;  /* as a failure */
    unsigned                     unproved:1; /* SCRAM: the proof is next */
    unsigned                     shut_out:1; /* the client, by that failure */

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
 * What is offered in this session as it is now: configured, and not one that
 * needs TLS, or something else, and has none.  bits of mechanisms; 0: no AUTH
 * at all.
 */
ngx_uint_t ngx_smtp_sasl_offered(ngx_smtp_session_t *s);


#endif /* _NGX_SMTP_SASL_H_INCLUDED_ */

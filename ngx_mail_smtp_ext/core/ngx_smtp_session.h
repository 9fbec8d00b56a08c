
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * A client's connection, from accept to close.
 */


#ifndef _NGX_SMTP_SESSION_H_INCLUDED_
#define _NGX_SMTP_SESSION_H_INCLUDED_


#define NGX_SMTP_STARTTLS_OFF   0
#define NGX_SMTP_STARTTLS_ON    1
#define NGX_SMTP_STARTTLS_ONLY  2


/* nginx's ssl_verify_client */
#define NGX_SMTP_VERIFY_OFF             0
#define NGX_SMTP_VERIFY_ON              1
#define NGX_SMTP_VERIFY_OPTIONAL        2
#define NGX_SMTP_VERIFY_OPTIONAL_NO_CA  3


#define NGX_SMTP_STRICT_ACCEPT  0
#define NGX_SMTP_STRICT_REJECT  1


/* smtp_helo_syntax */
#define NGX_SMTP_HELO_LENIENT  0
#define NGX_SMTP_HELO_STRICT   1
#define NGX_SMTP_HELO_ANY      2


/*
 * Once a message is longer than this, its data is read in pieces of as much:
 * calls are what reading costs.
 */
#define NGX_SMTP_BULK_MIN       65536


/* how strict a server{} is with its clients */
typedef struct {
    ngx_uint_t           nul;                /* NGX_SMTP_STRICT_*, in content */
    ngx_uint_t           header_8bit;        /* ... without SMTPUTF8 */
    ngx_uint_t           early_talker;
    ngx_uint_t           helo_syntax;        /* NGX_SMTP_HELO_* */
    ngx_flag_t           helo_required;      /* before MAIL */
    size_t               text_line;          /* of content; 0: no limit */

    ngx_msec_t           banner_delay;
    ngx_msec_t           error_delay;

    ngx_uint_t           max_commands;       /* in a session; 0: no limit */
    ngx_uint_t           max_idle_commands;  /* ... since a message */
    ngx_uint_t           max_messages;
    ngx_uint_t           max_refused;        /* recipients */
} ngx_smtp_strict_t;


/* what a server{} offers and how far it goes; made when it is configured */
struct ngx_smtp_service_s {
    ngx_str_t            server_name;

    size_t               buffer_size;        /* of reading from the client */
    size_t               bulk_size;          /* and long messages, from fast */
    size_t               line_size;          /* of a command */
    size_t               body_buffer_size;   /* of a message in memory */
    off_t                max_message_size;   /* 0: no limit */
    ngx_uint_t           max_recipients;
    ngx_uint_t           max_received;
    ngx_uint_t           max_errors;

    ngx_msec_t           command_timeout;
    ngx_msec_t           data_timeout;
    ngx_msec_t           send_timeout;
    ngx_msec_t           transaction_timeout;    /* MAIL to the end of data */
    ngx_msec_t           session_timeout;        /* of all; 0: no limit */

    ngx_path_t          *temp_path;
    ngx_str_t            thread_pool_name;
    ngx_thread_pool_t   *thread_pool;

    ngx_resolver_t      *resolver;           /* may be NULL */
    ngx_msec_t           resolver_timeout;

    ngx_array_t         *dests;              /* of ngx_smtp_dest_t *: where
                                                it may route to; by route/ */
    ngx_uint_t           max_destinations;   /* of a transaction */
    ngx_uint_t           stream;             /* content may go on as it comes;
                                                by relay/ */
    ngx_smtp_dest_t     *report;             /* smtp_mixed_result bounce, of
                                                the report; NULL: single */
    ngx_smtp_dest_t     *success_report;     /* where it goes; NULL: off */

    ngx_array_t         *auth_dests;         /* of ngx_smtp_dest_t *: where an
                                                auth service may route to;
                                                NULL: nowhere; by route/ */
    ngx_array_t         *hook_dests;         /* ... and hooks */
    ngx_smtp_dest_t     *discard;            /* where nothing comes out */
    ngx_uint_t           keep_passwd;        /* sessions keep the client's
                                                secret; by who needs it */

    ngx_array_t         *xclient_from;       /* of ngx_cidr_t; NULL: nobody */
    ngx_array_t         *xforward_from;

    ngx_uint_t           starttls;           /* NGX_SMTP_STARTTLS_* */
    ngx_uint_t           tls;                /* by STARTTLS, or by "listen" */
    ngx_uint_t           login;              /* NGX_SMTP_LOGIN_*; by auth/ */
    ngx_uint_t           asks_rcpt;          /* smtp_auth_rcpt; by auth/ */
    ngx_uint_t           verify_client;      /* NGX_SMTP_VERIFY_* */
    ngx_uint_t           bare_newline;       /* NGX_SMTP_BARE_* */
    ngx_smtp_strict_t    strict;
    ngx_uint_t           queries[3];         /* NGX_SMTP_QUERY_*, of VRFY,
                                                EXPN, ETRN */
    ngx_flag_t           lmtp;               /* RFC 2033 */
    ngx_flag_t           submission;         /* RFC 6409 */
    ngx_flag_t           auth_required;
    ngx_flag_t           received_client;    /* Received says who it is */
};


/* whether clients can log in */
#define NGX_SMTP_LOGIN_NONE      0           /* nothing is configured */
#define NGX_SMTP_LOGIN_NEVER     1           /* it is never offered */
#define NGX_SMTP_LOGIN_OFFERED   2

#define NGX_SMTP_BARE_REJECT     0
#define NGX_SMTP_BARE_NORMALISE  1


/*
 * Takes what it can out of session->in.  NGX_OK: something was taken, call
 * again.  NGX_AGAIN: more octets are needed.  NGX_DONE: an operation is under
 * way; ngx_smtp_session_resume() goes on.
 */
typedef ngx_int_t (*ngx_smtp_input_pt)(ngx_smtp_session_t *s);


/*
 * Who has logged in, in memory of its own: most sessions, and most that are
 * idle, have nobody.  The strings are kept by ngx_smtp_session_set().
 */
typedef struct {
    ngx_str_t                 name;
    ngx_str_t                 method;
    ngx_str_t                 server;        /* "host:port" that auth gave */
    ngx_str_t                 passwd;        /* for a login at a next hop, if
                                                service->keep_passwd */
    ngx_str_t                 token;         /* the same, of XOAUTH2 and such */
    ngx_smtp_dest_t          *route;         /* that auth chose, or NULL */
} ngx_smtp_user_t;


struct ngx_smtp_session_s {
    ngx_connection_t         *connection;
    void                    **main_conf;
    void                    **srv_conf;
    ngx_smtp_service_t       *service;
    ngx_str_t                 server_name;   /* ours, towards this client */

    ngx_smtp_remote_t         remote;        /* who the client is taken for */
    ngx_smtp_xforward_t      *xforward;      /* NULL: nothing was said */

    ngx_smtp_tx_t            *tx;            /* NULL between MAIL and MAIL */
    ngx_smtp_query_t         *query;         /* NULL but while one is asked */
    ngx_queue_t               ops;           /* of the session, not the tx */

    ngx_buf_t                *in;            /* NULL while there is nothing */
    ngx_buf_t                *out;           /* replies not yet sent */
    ngx_smtp_line_t           line;
    ngx_smtp_input_pt         input;
    void                     *auth;          /* of auth/, while AUTH goes on */

    /* kept by ngx_smtp_session_set(), freed at the end */
    ngx_str_t                 helo;
    ngx_str_t                 refusal;       /* the last negative reply */

    ngx_smtp_user_t          *user;          /* nobody's is empty, not NULL */
    ngx_smtp_rights_t        *rights;        /* the user's; NULL: none said */

    ngx_msec_t                start;         /* ngx_current_msec at accept */
    ngx_msec_t                auth_time;     /* of the last AUTH */
    uint32_t                  commands;
    uint32_t                  idle_commands; /* since the last message */
    uint32_t                  nrefused;      /* recipients */
    uint32_t                  errors;
    uint32_t                  auth_attempts;
    uint32_t                  transactions;
    off_t                     chunk_left;    /* octets of BDAT's chunk */
    uint32_t                  chunk_refused; /* reply to it, 0: in order */
    uint32_t                  refused_all;   /* reply to all commands, or 0 */
    size_t                    drop;          /* what a lingering close reads */

    void                    (*phase_done)(ngx_smtp_session_t *s,
                                          ngx_int_t rc);
    ngx_smtp_op_t             phase_op;
    uint32_t                  phase_row;     /* of the phase under way */

    unsigned                  esmtp:1;       /* EHLO, not HELO */
    unsigned                  tls:1;
    unsigned                  tls_implicit:1;
    unsigned                  authenticated:1;
    unsigned                  trusted:1;     /* smtp_relay_from names it */
    unsigned                  busy:1;        /* an operation is under way */
    unsigned                  closing:1;     /* after what is in out */
    unsigned                  leave:1;       /* after the next verdict */
    unsigned                  closed:1;
    unsigned                  chunk_last:1;
    unsigned                  refused:1;     /* a negative reply was sent */
    unsigned                  slowed:1;      /* smtp_error_delay is due */
    unsigned                  greeted:1;     /* or told why not */
};


/* EHLO, HELO or LHLO has to come yet; what an extension needs is esmtp */
#define ngx_smtp_session_unnamed(s)                                          \
    ((s)->helo.len == 0                                                      \
     && ((s)->service->strict.helo_required || (s)->service->lmtp))

#define ngx_smtp_session_srv_conf(s, module)                                 \
    (s)->srv_conf[module.ctx_index]


/*
 * Makes the session of c in c->pool.  The service and the handlers are the
 * caller's to set.  NULL: no memory.
 */
ngx_smtp_session_t *ngx_smtp_session_create(ngx_connection_t *c,
    void **main_conf, void **srv_conf);

/* of a connection that nginx's mail core handed to us */
ngx_smtp_session_t *ngx_smtp_session_get(ngx_connection_t *c);

/*
 * Replaces a string of the session by a copy of value (NULL or empty: by
 * nothing), without growth, however often.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_smtp_session_set(ngx_str_t *field, ngx_str_t *value);

/* the same for what must not stay in memory that is freed */
ngx_int_t ngx_smtp_session_set_secret(ngx_str_t *field, ngx_str_t *value);

/* forgets who the client has logged in as, and all that came with it */
void ngx_smtp_session_logout(ngx_smtp_session_t *s);

/*
 * Is the peer among those ngx_cidr_t?  The real one, whoever XCLIENT says it
 * is.  cidrs may be NULL: nobody is.
 */
ngx_uint_t ngx_smtp_session_peer_in(ngx_smtp_session_t *s,
    ngx_array_t *cidrs);

/* forgets what EHLO, AUTH and MAIL established (RFC 3207, 4.2) */
void ngx_smtp_session_reset(ngx_smtp_session_t *s);

/*
 * Makes room for a user, who is nobody yet; logout() takes it back.  NGX_OK or
 * NGX_ERROR (no memory).
 */
ngx_int_t ngx_smtp_session_login(ngx_smtp_session_t *s);

/* the end of an operation the input loop waited for: sets busy to 0, goes on;
   to be called last, s may be gone afterwards */
void ngx_smtp_session_resume(ngx_smtp_session_t *s);

/* ends it now: cancels, logs, frees; s is gone afterwards */
void ngx_smtp_session_close(ngx_smtp_session_t *s);

/*
 * Takes the memory and whatever is under way out of a session whose
 * connection nginx is closing; the pool's cleanup calls it.
 */
void ngx_smtp_session_cleanup(void *data);

/* set by server/, called by resume(): the input loop */
extern void (*ngx_smtp_session_run)(ngx_smtp_session_t *s);


#endif /* _NGX_SMTP_SESSION_H_INCLUDED_ */

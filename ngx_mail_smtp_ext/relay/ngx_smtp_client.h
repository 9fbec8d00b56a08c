
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * A connection to a next hop: connect, greeting, EHLO, lines out, replies in,
 * a body out.  What is said in between is its owner's, and so is what a reply
 * means.
 */


#ifndef _NGX_SMTP_CLIENT_H_INCLUDED_
#define _NGX_SMTP_CLIENT_H_INCLUDED_


#include <ngx_smtp_core.h>
#include <ngx_smtp_esmtp.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_tls.h>


#define NGX_SMTP_PASS_VERIFY    0    /* the next hop is asked at RCPT */
#define NGX_SMTP_PASS_BUFFERED  1    /* ... when the message is complete */
#define NGX_SMTP_PASS_STREAM    2    /* as verify, and content as it comes */

#define NGX_SMTP_PASS_8BIT_CONVERT  0    /* for a server without 8BITMIME */
#define NGX_SMTP_PASS_8BIT_REFUSE   1
#define NGX_SMTP_PASS_8BIT_PASS     2


/* smtp_pass_tls; the last one also for smtps:// */
typedef enum {
    NGX_SMTP_PASS_TLS_OFF = 0,
    NGX_SMTP_PASS_TLS_OPPORTUNISTIC,         /* STARTTLS where it works */
    NGX_SMTP_PASS_TLS_REQUIRED,              /* STARTTLS or nothing */
    NGX_SMTP_PASS_TLS_IMPLICIT,              /* RFC 8314, 3 */
    NGX_SMTP_PASS_TLS_MAX
} ngx_smtp_pass_tls_e;


typedef struct ngx_smtp_client_s           ngx_smtp_client_t;
typedef struct ngx_smtp_client_identity_s  ngx_smtp_client_identity_t;


/* smtps:// */
extern const ngx_smtp_dest_type_t  ngx_smtp_dest_smtps;


/* smtp_next_upstream: what makes another server be tried */
#define NGX_SMTP_NEXT_ERROR        0x02
#define NGX_SMTP_NEXT_TIMEOUT      0x04
#define NGX_SMTP_NEXT_INVALID      0x08      /* what is no reply */
#define NGX_SMTP_NEXT_UNAVAILABLE  0x10      /* 421; the greeting, EHLO */
#define NGX_SMTP_NEXT_MAIL         0x20      /* 4xx to MAIL */
#define NGX_SMTP_NEXT_MESSAGE      0x40      /* 4xx to the message */
#define NGX_SMTP_NEXT_OFF          0x80


/* a login at a next hop */
typedef struct {
    ngx_str_t             user;
    ngx_str_t             secret;            /* a password or a token */
    ngx_uint_t            token;
} ngx_smtp_login_t;


/* smtp_pass_auth */
#define NGX_SMTP_PASS_AUTH_OFF     0
#define NGX_SMTP_PASS_AUTH_OWN     1
#define NGX_SMTP_PASS_AUTH_CLIENT  2

/* smtp_pass_proxy_protocol: its version */
#define NGX_SMTP_PASS_PROXY_OFF  0
#define NGX_SMTP_PASS_PROXY_V1   1
#define NGX_SMTP_PASS_PROXY_V2   2

/* smtp_pass_xclient: where it is offered, or everywhere */
#define NGX_SMTP_PASS_XCLIENT_OFF     0
#define NGX_SMTP_PASS_XCLIENT_ON      1
#define NGX_SMTP_PASS_XCLIENT_ALWAYS  2

/* smtp_pass_auth_security: what a secret that can be read is sent over */
#define NGX_SMTP_PASS_AUTH_VERIFIED  0
#define NGX_SMTP_PASS_AUTH_TLS       1
#define NGX_SMTP_PASS_AUTH_NONE      2


typedef struct {
    ngx_uint_t            mode;              /* NGX_SMTP_PASS_AUTH_* */
    ngx_uint_t            methods;           /* NGX_SMTP_CAP_* */
    ngx_uint_t            security;          /* NGX_SMTP_PASS_AUTH_VERIFIED */
    ngx_smtp_login_t      own;
} ngx_smtp_client_auth_t;


typedef struct {
    ngx_uint_t            mode;              /* NGX_SMTP_PASS_* */
    ngx_uint_t            eight_bit;         /* NGX_SMTP_PASS_8BIT_* */

    ngx_uint_t            next;              /* NGX_SMTP_NEXT_* */
    ngx_uint_t            next_tries;        /* servers in all; 0: no limit */
    ngx_msec_t            next_timeout;      /* ... and time; 0: no limit */

    ngx_str_t             helo;              /* by default server_name */

    ngx_uint_t            tls_mode;          /* NGX_SMTP_PASS_TLS_* */
    ngx_msec_t            tls_retry;         /* ... once it has failed */
    ngx_smtp_peer_tls_conf_t  tls;
    ngx_smtp_client_auth_t  auth;

    ngx_uint_t            proxy_protocol;
    ngx_uint_t            xclient;           /* NGX_SMTP_PASS_XCLIENT_* */
    ngx_flag_t            xforward;

    /* nginx's own directives proxy_smtp_auth, proxy_protocol, xclient */

    ngx_flag_t            nginx_auth;
    ngx_flag_t            nginx_proxy_protocol;
    ngx_flag_t            nginx_xclient;

    /* of connections made in each way, the second by LMTP */
    ngx_smtp_peer_tag_t  *tags[NGX_SMTP_PASS_TLS_MAX][2];

    /* RFC 5321, 4.5.3.2, each a directive */

    ngx_msec_t            connect_timeout;
    ngx_msec_t            greeting_timeout;  /* 4.5.3.2.1, and EHLO */
    ngx_msec_t            mail_timeout;      /* 4.5.3.2.2, and RSET */
    ngx_msec_t            rcpt_timeout;      /* 4.5.3.2.3 */
    ngx_msec_t            data_timeout;      /* 4.5.3.2.4 */
    ngx_msec_t            send_timeout;      /* 4.5.3.2.5, each piece */
    ngx_msec_t            final_timeout;     /* 4.5.3.2.6 */
} ngx_smtp_relay_conf_t;


/* how connections are made */
typedef struct {
    ngx_smtp_relay_conf_t  *conf;
    ngx_smtp_pass_tls_e     tls_mode;
    ngx_smtp_peer_tag_t    *tag;
    ngx_smtp_login_t        login;           /* secret empty: none */
    ngx_smtp_client_identity_t  *identity;   /* NULL: it is not said */

    unsigned                lmtp:1;          /* RFC 2033 */
    unsigned                clear:1;         /* TLS has failed just now */
    unsigned                made:1;          /* tag is, in a request's pool */
    unsigned                no_login:1;      /* and there should be one */
} ngx_smtp_client_way_t;


/* a whole reply; text is valid during answer() only, lines parted by LF */
typedef ngx_smtp_verdict_t  ngx_smtp_client_reply_t;


struct ngx_smtp_client_s {
    ngx_connection_t       *connection;
    ngx_smtp_relay_conf_t  *conf;

    ngx_smtp_upstream_t    *upstream;
    struct sockaddr        *sockaddr;
    socklen_t               socklen;
    ngx_str_t               name;            /* "127.0.0.1:25" */
    ngx_str_t               host;            /* as configured */
    ngx_str_t               domain;          /* as it calls itself, or empty */
    ngx_smtp_peer_tag_t    *tag;             /* for whom it can be kept */

    ngx_smtp_login_t       *login;           /* NULL: none, or it is done */
    ngx_smtp_client_identity_t  *identity;   /* the same */
    ngx_uint_t              xclient_left;    /* attributes for the next one */
    const void             *mech;            /* ngx_smtp_client_sasl.c's */
    ngx_uint_t              mech_step;
    ngx_buf_t               secret;          /* of AUTH; start NULL: none */

    ngx_smtp_pass_tls_e     tls_mode;
    const char             *ssl_protocol;    /* constant; NULL: no TLS */
    const char             *ssl_cipher;

    ngx_smtp_caps_t         caps;
    ngx_uint_t              messages;        /* transactions carried */
    ngx_uint_t              mails;           /* MAIL that were said */

    /* the transaction that is open at the next hop; 0 octets: none */
    u_char                  tx_id[NGX_SMTP_ID_LEN];
    ngx_smtp_delivery_t    *tx_delivery;     /* to be compared alone: it may
                                                be gone */
    ngx_uint_t              tx_changes;      /* tx->changes, at MAIL */
    ngx_uint_t              tx_rcpts;        /* whom it has accepted in it */
    ngx_uint_t              tx_said;         /* ... and was told of */
    unsigned                tx_open:1;
    unsigned                lmtp:1;          /* RFC 2033 */
    unsigned                alike:1;         /* a reply in it was once more the
                                                one before */
    uint32_t                said;            /* that one, a hash of it */
    ngx_uint_t              said_to;         /* ... to the owner's step */

    ngx_buf_t               in;
    ngx_buf_t               out;             /* commands */
    ngx_chain_t            *body;            /* what is left of it */

    ngx_smtp_answer_t       parser;
    ngx_smtp_client_reply_t reply;
    ngx_uint_t              state;
    ngx_msec_t              heard;           /* when the last reply came */

    /*
     * The owner's.  ready: after EHLO, called once, not for kept ones.
     * answer: a reply has come; NGX_OK: go on reading, NGX_DONE: the client
     * has been given up or kept.  written: the piece of the body has gone
     * out; NGX_ERROR: give up.  failed: the connection has ended or timed
     * out; the owner must give it up, and connects to the same server if
     * again is set, to none if hopeless is.  failure: the reply that says
     * why, 0: nothing special.
     * line: each line of a reply, before answer(), as it came but for its
     * enhanced code; NULL: the text in reply will do.
     */
    void                   *owner;
    void                  (*ready)(ngx_smtp_client_t *client);
    ngx_int_t             (*answer)(ngx_smtp_client_t *client);
    ngx_int_t             (*written)(ngx_smtp_client_t *client);
    void                  (*failed)(ngx_smtp_client_t *client);
    void                  (*line)(ngx_smtp_client_t *client, ngx_str_t *text);
    ngx_smtp_reply_e        failure;

    unsigned                tls_heard:1;     /* a reply has come under TLS */
    unsigned                again:1;         /* ... with fell_back set */
    unsigned                hopeless:1;      /* and no fault of the server */
    unsigned                verdict:1;       /* ... but reply is the client's */
    unsigned                introduced:1;    /* XCLIENT was said */
    unsigned                fell_back:1;     /* TLS has failed: clear text */
    ngx_uint_t              why;             /* NGX_SMTP_NEXT_*, of failed();
                                                0: as the connection has it */
    unsigned                fresh:1;         /* has answered since taken */
    unsigned                connected:1;     /* somebody listens there */
    unsigned                writing:1;       /* written() is being called */
    unsigned                masked:1;        /* reply is not as it came */
    unsigned                broken:1;        /* nothing can be sent any more */
};


/*
 * The way to dest for who is served in s, made in pool where it is another for
 * each.  Its tag is to be peer's before a server is chosen; with no_login set
 * there is no way.  NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_smtp_client_way(ngx_smtp_client_way_t *way,
    ngx_smtp_relay_conf_t *conf, ngx_smtp_dest_t *dest,
    ngx_smtp_session_t *s, ngx_pool_t *pool);

/*
 * Connects to what peer has chosen.  NULL: it can't be reached (logged).  The
 * owner's pointers are to be set before returning to the event loop.
 */
ngx_smtp_client_t *ngx_smtp_client_connect(ngx_smtp_peer_t *peer,
    ngx_smtp_client_way_t *way);

/*
 * Whether what peer has chosen is where the client of s has connected to: it
 * would ask itself, and so on, with all the connections that there are.  s may
 * be NULL.
 */
ngx_uint_t ngx_smtp_client_loops(ngx_smtp_peer_t *peer,
    ngx_smtp_session_t *s);

/* a kept connection is in use again; owner's pointers as above */
ngx_smtp_client_t *ngx_smtp_client_reuse(ngx_connection_t *c);

/*
 * Configuration time: the first line of a file becomes login->secret, NGX_OK,
 * or NGX_ERROR after logging.
 */
ngx_int_t ngx_smtp_client_secret_read(ngx_conf_t *cf, ngx_str_t *name,
    ngx_smtp_login_t *login);

/* configuration time: sets conf->tags; NGX_OK or NGX_ERROR (no memory) */
ngx_int_t ngx_smtp_client_tags(ngx_pool_t *pool, ngx_smtp_relay_conf_t *conf);

/* files of a chain can be sent as they are; else the body must be in memory */
ngx_uint_t ngx_smtp_client_sendfile(ngx_smtp_client_t *client);

/* RFC 9422: the server wants no MAIL more on this connection */
ngx_uint_t ngx_smtp_client_spent(ngx_smtp_client_t *client);

/*
 * Nothing that has been read is left: NGX_OK; else NGX_ERROR after logging,
 * since it was said before it could be an answer.
 */
ngx_int_t ngx_smtp_client_quiet(ngx_smtp_client_t *client);

/*
 * Makes room for len octets of commands at out.last; NGX_DECLINED when there
 * is none until something has gone out.
 */
ngx_int_t ngx_smtp_client_room(ngx_smtp_client_t *client, size_t len);

/*
 * Sends the commands as far as the socket takes them, and waits for a reply
 * for timeout milliseconds.  NGX_OK or NGX_ERROR (failed() was not called).
 */
ngx_int_t ngx_smtp_client_send(ngx_smtp_client_t *client, ngx_msec_t timeout);

/*
 * Sends a piece of the body; written() is called when all of it is the
 * kernel's, maybe before this returns, and may call this again.  No reply is
 * waited for meanwhile.
 */
ngx_int_t ngx_smtp_client_send_body(ngx_smtp_client_t *client,
    ngx_chain_t *body);

/* a reply is due in timeout milliseconds; none is */
void ngx_smtp_client_wait(ngx_smtp_client_t *client, ngx_msec_t timeout);
void ngx_smtp_client_rest(ngx_smtp_client_t *client);

/*
 * Gives it up: kept for others when keep is set and it is fit for that, else
 * closed; QUIT is said where that costs no waiting.  serial: see
 * ngx_smtp_peer_keep(); 0 when closed; may be NULL.
 */
void ngx_smtp_client_free(ngx_smtp_client_t *client, ngx_uint_t keep,
    ngx_uint_t *serial);


#endif /* _NGX_SMTP_CLIENT_H_INCLUDED_ */

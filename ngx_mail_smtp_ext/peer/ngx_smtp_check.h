
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * smtp_health_check: what is asked of a server, and one such question.  Of
 * peer/ alone.
 */


#ifndef _NGX_SMTP_CHECK_H_INCLUDED_
#define _NGX_SMTP_CHECK_H_INCLUDED_


#include <ngx_smtp_peer_private.h>
#include <ngx_smtp_peer_tls.h>
#include <ngx_smtp_answer.h>
#include <ngx_smtp_proxy.h>


/* what a server has to do to be healthy */
typedef enum {
    NGX_SMTP_CHECK_CONNECT = 0,  /* to listen */
    NGX_SMTP_CHECK_TLS,          /* a handshake at once */
    NGX_SMTP_CHECK_BANNER,       /* 220 */
    NGX_SMTP_CHECK_EHLO,         /* ... and 250 to EHLO */
    NGX_SMTP_CHECK_LHLO,
    NGX_SMTP_CHECK_NOOP,
    NGX_SMTP_CHECK_STARTTLS      /* EHLO, 220 to STARTTLS, a handshake */
} ngx_smtp_check_type_e;


struct ngx_smtp_check_conf_s {
    ngx_uint_t                type;          /* ngx_smtp_check_type_e */
    ngx_msec_t                interval;      /* from one to the next */
    ngx_msec_t                jitter;        /* what is added by lot */
    ngx_msec_t                timeout;       /* of one as a whole */
    ngx_uint_t                passes;        /* in a row, to be healthy */
    ngx_uint_t                fails;         /* ... to be it no more */
    in_port_t                 port;          /* 0: the server's own */
    ngx_str_t                 helo;
    ngx_uint_t                proxy_protocol;  /* version; 0: none */
    ngx_smtp_peer_tls_conf_t  tls;

    ngx_uint_t                mandatory;     /* unhealthy until it has passed */
};


/* the checks of a server, in the worker that does them */
typedef struct {
    ngx_queue_t               queue;         /* in upstream->checks */
    ngx_smtp_upstream_t      *upstream;
    ngx_smtp_server_t        *server;
    ngx_uint_t                server_id;

    ngx_event_t               timer;         /* to the next, or of this one */
    ngx_smtp_peer_t           peer;          /* the address */

    ngx_connection_t         *connection;    /* NULL: between two of them */
    ngx_uint_t                step;
    ngx_smtp_answer_t         parser;
    ngx_buf_t                 in;
    ngx_str_t                 out;           /* what is left of a command */

    unsigned                  stale:1;
    unsigned                  connected:1;
    unsigned                  starttls:1;    /* offered */
} ngx_smtp_check_t;


/* ngx_smtp_check_run.c: one check; ngx_smtp_check_done() tells its end */

void ngx_smtp_check_run(ngx_smtp_check_t *check);

/* ends it without a verdict */
void ngx_smtp_check_stop(ngx_smtp_check_t *check);

/* ngx_smtp_check.c; reason: why it has failed, NULL: it has passed */
void ngx_smtp_check_done(ngx_smtp_check_t *check, char *reason,
    ngx_uint_t code);


#endif /* _NGX_SMTP_CHECK_H_INCLUDED_ */

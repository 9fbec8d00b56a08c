
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * One HTTP/1.1 request of ours to a service, and its answer.  Connections,
 * framing, time and every limit are here; what is asked and what an answer
 * means is the caller's.
 */


#ifndef _NGX_SMTP_HTTP_H_INCLUDED_
#define _NGX_SMTP_HTTP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_op.h>
#include <ngx_smtp_peer.h>


typedef struct ngx_smtp_http_conf_s     ngx_smtp_http_conf_t;
typedef struct ngx_smtp_http_request_s  ngx_smtp_http_request_t;


/*
 * http://host[:port][/uri], http://unix:/path[:/uri], http://upstream/uri; the
 * same with https
 */
typedef struct {
    ngx_smtp_upstream_t   *upstream;
    ngx_str_t              text;         /* as configured, for the logs */
    ngx_str_t              host;         /* for the Host field */
    ngx_str_t              uri;          /* "/" at least */
    ngx_uint_t             tls;          /* https */

    /* at run time, ngx_smtp_http_breaker.c */
    ngx_uint_t             fails;        /* in a row */
    ngx_msec_t             since;        /* the first of them */
    ngx_msec_t             probe;        /* when the next one may go */
    unsigned               outage:1;     /* it did not answer the last time */
    unsigned               open:1;       /* it is left alone */
} ngx_smtp_http_url_t;


/*
 * The next piece of a body that is not in memory as a whole: chain links that
 * are used up.  With first the request begins, and not always for the first
 * time.  NGX_OK; NGX_AGAIN: ngx_smtp_http_more() will be called when there is
 * one; NGX_ERROR: there won't be any, which is no failure of the service: op
 * finishes with NGX_ERROR.
 */
typedef ngx_int_t (*ngx_smtp_http_piece_pt)(ngx_smtp_http_request_t *r,
    ngx_uint_t first, ngx_chain_t **piece);


/* fields of every request, by directives; zeroed, then merged */
typedef struct {
    ngx_array_t           *list;         /* of ngx_keyval_t */
    ngx_str_t              text;         /* all of them, as they are sent */
} ngx_smtp_http_fields_t;


typedef struct {
    ngx_str_t              name;         /* lower case */
    ngx_str_t              value;
} ngx_smtp_http_header_t;


struct ngx_smtp_http_request_s {
    /* the caller's, set before the start; the rest zeroed */
    ngx_smtp_http_conf_t  *conf;         /* of the server{} */
    ngx_smtp_http_url_t   *url;
    ngx_pool_t            *pool;         /* lives until op ends */
    ngx_log_t             *log;
    ngx_resolver_t        *resolver;
    ngx_msec_t             resolver_timeout;
    struct sockaddr       *client;       /* of ngx_smtp_peer_t */
    void                  *session;
    ngx_msec_t             connect_timeout;  /* NGX_CONF_UNSET_MSEC: conf's */
    ngx_msec_t             timeout;      /* of the whole; as above */
    ngx_msec_t             read_timeout; /* 0: conf's */
    ngx_str_t              method;
    ngx_str_t              fields;       /* "Name: value" CRLF, as many as
                                            there are; not Host and none
                                            about the body or the connection */
    ngx_str_t              type;         /* of the body, if there is one */
    ngx_str_t              body;
    ngx_smtp_http_piece_pt  piece;       /* in place of body; or NULL */
    off_t                  length;       /* of what it gives, not 0 */
    void                  *data;         /* for piece() */
    size_t                 max_body;     /* of an answer; 0: it is read and
                                            thrown away */
    unsigned               ask:1;        /* a question, which may be put a
                                            second time */

    /* when op has finished with NGX_ERROR */
    unsigned               asked:1;      /* not stopped by the breaker */
    unsigned               spoken:1;     /* a server was there to hear it */
    unsigned               told:1;       /* one has been sent all of it, and
                                            did not answer */

    /* the answer */
    ngx_uint_t             status;       /* 200..599 */
    ngx_array_t            headers;      /* of ngx_smtp_http_header_t */
    ngx_str_t              answer;       /* its body, when max_body is set */
    ngx_str_t              server;       /* who was asked, for the logs */

    /* private */
    ngx_smtp_peer_t        peer;
    ngx_connection_t      *connection;
    ngx_uint_t             requests;     /* carried by connection */
    ngx_str_t              head;         /* and body: what is sent */
    off_t                  sent;         /* or on its way, with pieces */
    ngx_chain_t           *out;          /* a piece that is being sent */
    ngx_chain_t            head_link;
    ngx_buf_t              head_buf;
    ngx_buf_t              in;           /* header of the answer */
    ngx_buf_t              raw;          /* its body, as it comes */
    size_t                 answer_size;  /* memory of answer */
    void                  *parser;
    ngx_event_t            timer;
    ngx_smtp_op_t         *op;
    ngx_smtp_op_t          resolving;
    ngx_queue_t            ops;
    ngx_log_t              peer_log;
    char                  *action;       /* of log, before the start */

    unsigned               connected:1;
    unsigned               begun:1;      /* piece() has been asked */
    unsigned               complete:1;   /* all of it is the kernel's */
    unsigned               waiting:1;    /* for a piece */
    unsigned               ours:1;       /* ... that won't come */
    unsigned               chosen:1;     /* peer has a server of ours */
    unsigned               kept:1;       /* connection has answered others */
    unsigned               fresh:1;      /* no kept one any more */
    unsigned               broken:1;     /* nothing can be sent any more */
    unsigned               heard:1;      /* something of an answer was read */
};


/* parses url; NGX_OK, or NGX_ERROR after logging what is wrong */
ngx_int_t ngx_smtp_http_url_parse(ngx_conf_t *cf, ngx_str_t *value,
    ngx_smtp_http_url_t *url);

/* "name value", as often as wanted; offset is that of the fields_t */
char *ngx_smtp_http_fields_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_uint_t ngx_smtp_http_field_valid(ngx_keyval_t *field);
ngx_int_t ngx_smtp_http_fields_merge(ngx_conf_t *cf,
    ngx_smtp_http_fields_t *conf, ngx_smtp_http_fields_t *prev);

/*
 * Sends the request and reads the answer; op, started by the caller, finishes
 * with NGX_OK when there is a whole one, whatever its status, or NGX_ERROR
 * when no server gave one in time (logged at error level, with the server's
 * name), or none was asked since the service has failed too often.
 *
 * Another server is tried as long as nothing of an answer was read and either
 * the request may be repeated or its last octet has not been sent; and when one
 * that may be repeated is answered with 502, 503 or 504.  By then
 * the connection is closed, or kept for the next request.
 */
void ngx_smtp_http_start(ngx_smtp_http_request_t *r, ngx_smtp_op_t *op);

/* there is another piece, or piece() knows that there won't be one */
void ngx_smtp_http_more(ngx_smtp_http_request_t *r);

/* may a piece be in a file?  When piece() is called */
ngx_uint_t ngx_smtp_http_sendfile(ngx_smtp_http_request_t *r);

/*
 * What the caller makes of an answer, to be called once after each NGX_OK:
 * an answer that is none is a failure of the service, as no answer is.
 */
void ngx_smtp_http_judge(ngx_smtp_http_request_t *r, ngx_uint_t failed);

/* the level for what is wrong with an answer: info in a known outage */
ngx_uint_t ngx_smtp_http_level(ngx_smtp_http_request_t *r);

/* Cache-Control of the answer; NGX_CONF_UNSET_MSEC: it says nothing */
ngx_msec_t ngx_smtp_http_max_age(ngx_smtp_http_request_t *r);

/*
 * Erases the request and what was read of an answer, for they may hold
 * secrets; the header fields are gone with it.  When op has ended.
 */
void ngx_smtp_http_wipe(ngx_smtp_http_request_t *r);

/* may it be the value of a field?  RFC 9110, 5.5 */
ngx_uint_t ngx_smtp_http_value_valid(ngx_str_t *value);


#endif /* _NGX_SMTP_HTTP_H_INCLUDED_ */

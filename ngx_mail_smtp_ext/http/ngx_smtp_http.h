
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * One HTTP request of ours to a service, and its answer.  The connection, the
 * parsing and every limit are here; what is asked and what an answer means is
 * the caller's.
 */


#ifndef _NGX_SMTP_HTTP_H_INCLUDED_
#define _NGX_SMTP_HTTP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_op.h>
#include <ngx_smtp_peer.h>


/* bounds of an answer: no service of ours has reason to send more */
#define NGX_SMTP_HTTP_HEADER_SIZE   16384
#define NGX_SMTP_HTTP_HEADERS_MAX   128


/* http://host[:port][/uri], http://unix:/path[:/uri], http://upstream/uri */
typedef struct {
    ngx_smtp_upstream_t   *upstream;
    ngx_str_t              host;         /* for the Host field */
    ngx_str_t              uri;          /* "/" at least */
} ngx_smtp_http_url_t;


typedef struct {
    ngx_str_t              name;         /* lower case */
    ngx_str_t              value;
} ngx_smtp_http_header_t;


typedef struct {
    /* the caller's, set before the start; the rest zeroed */
    ngx_smtp_http_url_t   *url;
    ngx_pool_t            *pool;         /* lives until op ends */
    ngx_log_t             *log;
    ngx_resolver_t        *resolver;
    ngx_msec_t             resolver_timeout;
    ngx_msec_t             connect_timeout;
    ngx_msec_t             timeout;      /* of the whole, from the start on */
    ngx_str_t              request;      /* request line to the empty line */
    ngx_uint_t            *outage;       /* may be NULL; while it is not 0 the
                                            service is known to fail, and
                                            failures are logged as info */

    /* the answer */
    ngx_uint_t             status;       /* 200..599 */
    ngx_array_t            headers;      /* of ngx_smtp_http_header_t */
    ngx_str_t              server;       /* who was asked, for the logs */

    /* private */
    ngx_smtp_peer_t        peer;
    ngx_connection_t      *connection;
    ngx_buf_t              in;
    size_t                 sent;
    void                  *parser;
    ngx_event_t            timer;
    ngx_smtp_op_t         *op;
    ngx_smtp_op_t          resolving;
    ngx_queue_t            ops;
    ngx_log_t              peer_log;
    char                  *action;       /* of log, before the start */
    unsigned               connected:1;
    unsigned               chosen:1;     /* peer has a server of ours */
} ngx_smtp_http_request_t;


/* parses url; NGX_OK, or NGX_ERROR after logging what is wrong */
ngx_int_t ngx_smtp_http_url_parse(ngx_conf_t *cf, ngx_str_t *value,
    ngx_smtp_http_url_t *url);

/*
 * Sends the request and reads the answer's header section; op, started by the
 * caller, finishes with NGX_OK when there is one, whatever its status, or
 * NGX_ERROR when no server gave one in time (logged at error level, with the
 * server's name).  Another server is tried as long as nothing of an answer
 * was read.  The connection is closed before op finishes.
 */
void ngx_smtp_http_start(ngx_smtp_http_request_t *r, ngx_smtp_op_t *op);

/*
 * Erases the request and what was read of an answer, for they may hold
 * secrets; the header fields are gone with it.  When op has ended.
 */
void ngx_smtp_http_wipe(ngx_smtp_http_request_t *r);


#endif /* _NGX_SMTP_HTTP_H_INCLUDED_ */

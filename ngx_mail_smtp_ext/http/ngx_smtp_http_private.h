
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * What the files of http/ share.  Only the parser knows nginx's http.
 */


#ifndef _NGX_SMTP_HTTP_PRIVATE_H_INCLUDED_
#define _NGX_SMTP_HTTP_PRIVATE_H_INCLUDED_


#include <ngx_smtp_peer_tls.h>
#include <ngx_smtp_http.h>


/* fields of an answer: no service of ours has reason to send more */
#define NGX_SMTP_HTTP_HEADERS_MAX   128

/* a piece of an answer's body */
#define NGX_SMTP_HTTP_RAW_SIZE      4096

/* a body that nobody wants is read up to here, for the connection's sake */
#define NGX_SMTP_HTTP_DISCARD_MAX   65536


struct ngx_smtp_http_conf_s {
    ngx_msec_t            connect_timeout;
    ngx_msec_t            send_timeout;      /* between two writes */
    ngx_msec_t            read_timeout;      /* between two reads */
    ngx_msec_t            timeout;           /* of the whole */
    size_t                buffer_size;       /* header of an answer */

    ngx_smtp_peer_tls_conf_t  tls;
    ngx_smtp_peer_tag_t   tag;               /* of connections with it */
    ngx_uint_t            https;             /* a URL of it is there */
    ngx_uint_t            nameless;          /* ... with a unix socket */

    ngx_uint_t            fails;             /* smtp_http_breaker; 0: off */
    ngx_msec_t            fail_time;
    ngx_msec_t            retry;
};


/* ngx_smtp_http.c */

/*
 * A server has failed this request, which has not been logged: on to the next
 * one, or the end.  r may be gone afterwards.
 */
void ngx_smtp_http_failed(ngx_smtp_http_request_t *r, char *reason);

/*
 * Its answer says that this server can't help, and another one may be asked:
 * NGX_OK, it goes on by itself.  NGX_DECLINED: the answer counts.
 */
ngx_int_t ngx_smtp_http_pass_over(ngx_smtp_http_request_t *r);

/* the end of r */
void ngx_smtp_http_finish(ngx_smtp_http_request_t *r, ngx_int_t rc);

/* in a known outage log says less; to be called before it is used */
void ngx_smtp_http_hush(ngx_smtp_http_request_t *r, ngx_log_t *log);


/* ngx_smtp_http_io.c: from a connection to an answer */

/* makes what is sent; NGX_OK or NGX_ERROR */
ngx_int_t ngx_smtp_http_request_init(ngx_smtp_http_request_t *r);

/*
 * Begins with r->connection, which is connected or, when rc is NGX_AGAIN, is
 * about to be.
 */
void ngx_smtp_http_send(ngx_smtp_http_request_t *r, ngx_int_t rc);

/* r->connection is ready for the request */
void ngx_smtp_http_begin(ngx_smtp_http_request_t *r);

/* a time of the connection is over; r may be gone afterwards */
void ngx_smtp_http_timedout(ngx_smtp_http_request_t *r);


/* ngx_smtp_http_tls.c */

/*
 * A new connection stands: makes it one with TLS.  NGX_OK: done.  NGX_AGAIN:
 * ngx_smtp_http_begin() will be called.  NGX_DECLINED: it has failed, and r
 * with it or not.
 */
ngx_int_t ngx_smtp_http_tls(ngx_smtp_http_request_t *r);


/*
 * ngx_mail_smtp_ext_http_module.c: a URL has been read that needs TLS; and one
 * of these has no name that a certificate could be for
 */
void ngx_mail_smtp_ext_http_https(ngx_conf_t *cf);
void ngx_mail_smtp_ext_http_nameless(ngx_conf_t *cf);


/* ngx_smtp_http_breaker.c */

/* may the service be asked?  NGX_OK or NGX_DECLINED */
ngx_int_t ngx_smtp_http_breaker_ask(ngx_smtp_http_request_t *r);

/* what came of it: one of these after NGX_OK, or none if it was cancelled */
void ngx_smtp_http_breaker_good(ngx_smtp_http_request_t *r);
void ngx_smtp_http_breaker_failed(ngx_smtp_http_request_t *r);


/* ngx_smtp_http_parse.c */

/* makes the parser ready for an answer; NGX_OK or NGX_ERROR */
ngx_int_t ngx_smtp_http_parse_init(ngx_smtp_http_request_t *r);

/* where to read more of the answer; NULL: no more may come, see *reason */
ngx_buf_t *ngx_smtp_http_parse_room(ngx_smtp_http_request_t *r,
    char **reason);

/*
 * Goes on with what was read.  NGX_OK: the answer is complete; status, headers
 * and answer are set, headers point into r->in.  NGX_AGAIN: more is needed.
 * NGX_ERROR: not an answer that we take; *reason says why.
 */
ngx_int_t ngx_smtp_http_parse(ngx_smtp_http_request_t *r, char **reason);

/* the service has closed: NGX_OK when that is the end of the answer */
ngx_int_t ngx_smtp_http_parse_eof(ngx_smtp_http_request_t *r);

/* the answer is complete, and may another one come on its connection? */
ngx_uint_t ngx_smtp_http_parse_keepalive(ngx_smtp_http_request_t *r);


#endif /* _NGX_SMTP_HTTP_PRIVATE_H_INCLUDED_ */

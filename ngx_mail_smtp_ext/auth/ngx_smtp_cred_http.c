
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_http.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_auth_private.h>


/*
 * Credentials checked by an HTTP service in nginx's auth_http protocol: this
 * file asks.  Without an answer nobody is logged in: the client gets 454.
 */


/* times that a service may put us off by "Auth-Status: WAIT" */
#define NGX_SMTP_CRED_WAITS  3


typedef struct {
    ngx_smtp_sasl_t          *sasl;
    ngx_smtp_op_t            *op;            /* of who waits for us */
    ngx_smtp_op_t             http_op;       /* of what we wait for */
    ngx_queue_t               ops;
    ngx_event_t               timer;         /* before it is asked again */
    ngx_uint_t                waits;
    ngx_smtp_http_request_t   http;
} ngx_smtp_cred_http_t;


static void ngx_smtp_cred_http_named(ngx_smtp_op_t *op);
static void ngx_smtp_cred_http_ask(ngx_smtp_cred_http_t *cred);
static void ngx_smtp_cred_http_done(ngx_smtp_op_t *op);
static ngx_uint_t ngx_smtp_cred_http_picky(ngx_smtp_cred_http_t *cred);
static void ngx_smtp_cred_http_cancel(ngx_smtp_op_t *op);
static void ngx_smtp_cred_http_wait(ngx_smtp_cred_http_t *cred);
static void ngx_smtp_cred_http_wait_handler(ngx_event_t *ev);


/* what debug logging of timers takes for the event's connection */
static ngx_connection_t  ngx_smtp_cred_timer_connection;


void
ngx_smtp_cred_http_verify(ngx_smtp_sasl_t *sasl, ngx_smtp_op_t *op)
{
    ngx_smtp_session_t    *s;
    ngx_smtp_auth_conf_t  *conf;
    ngx_smtp_cred_http_t  *cred;

    s = sasl->session;
    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_auth_module);

    cred = ngx_pcalloc(sasl->pool, sizeof(ngx_smtp_cred_http_t));
    if (cred == NULL) {
        ngx_smtp_op_finish(op, NGX_ERROR);
        return;
    }

    sasl->backend = cred;

    cred->sasl = sasl;
    cred->op = op;
    ngx_queue_init(&cred->ops);

    op->worker = cred;
    op->cancel = ngx_smtp_cred_http_cancel;

    /* Client-Host: looked up for the first request of a session */

    if (conf->http_client_host) {
        ngx_smtp_op_start(&cred->http_op, &cred->ops,
                          ngx_smtp_cred_http_named, cred, s->connection->log);

        if (ngx_smtp_remote_name(s, &cred->http_op) == NGX_AGAIN) {
            return;
        }

        ngx_smtp_op_cancel(&cred->http_op);
    }

    ngx_smtp_cred_http_ask(cred);
}


static void
ngx_smtp_cred_http_named(ngx_smtp_op_t *op)
{
    ngx_smtp_cred_http_ask(op->data);
}


static void
ngx_smtp_cred_http_ask(ngx_smtp_cred_http_t *cred)
{
    ngx_smtp_session_t       *s;
    ngx_smtp_auth_conf_t     *conf;
    ngx_smtp_http_request_t  *r;

    s = cred->sasl->session;
    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_auth_module);

    r = &cred->http;

    ngx_memzero(r, sizeof(ngx_smtp_http_request_t));

    s->connection->log->action = "checking credentials";

    if (ngx_smtp_cred_http_request(cred->sasl, &r->fields) != NGX_OK) {
        ngx_smtp_op_finish(cred->op, NGX_ERROR);
        return;
    }

    r->conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_http_module);
    r->url = conf->http;
    r->pool = cred->sasl->pool;
    r->log = s->connection->log;
    r->resolver = s->service->resolver;
    r->resolver_timeout = s->service->resolver_timeout;
    r->client = s->remote.sockaddr;
    r->session = s;
    r->connect_timeout = conf->http_connect_timeout;
    r->timeout = conf->http_timeout;
    r->ask = 1;
    ngx_str_set(&r->method, "GET");

    ngx_smtp_op_start(&cred->http_op, &cred->ops, ngx_smtp_cred_http_done,
                      cred, r->log);

    ngx_smtp_http_start(r, &cred->http_op);
}


static void
ngx_smtp_cred_http_done(ngx_smtp_op_t *op)
{
    char                  *reason;
    ngx_int_t              rc;
    ngx_uint_t             failed, level;
    ngx_smtp_cred_http_t  *cred;

    cred = op->data;
    rc = op->rc;

    if (rc == NGX_OK) {
        reason = "no memory";
        rc = ngx_smtp_cred_http_answer(cred->sasl, &cred->http, &reason);

        if (rc == NGX_AGAIN && cred->waits++ == NGX_SMTP_CRED_WAITS) {
            reason = "\"Auth-Status: WAIT\" too often";
            rc = NGX_ERROR;
        }

        failed = (rc == NGX_ERROR && !ngx_smtp_cred_http_picky(cred));

        if (rc == NGX_ERROR) {
            level = failed ? ngx_smtp_http_level(&cred->http) : NGX_LOG_INFO;

            ngx_log_error(level, cred->http.log, 0,
                          "auth service %V sent an answer that is none: "
                          "%s, HTTP status %ui",
                          &cred->http.server, reason, cred->http.status);
        }

        ngx_smtp_http_judge(&cred->http, failed);
    }

    ngx_smtp_http_wipe(&cred->http);

    if (rc == NGX_AGAIN) {
        ngx_smtp_cred_http_wait(cred);
        return;
    }

    ngx_smtp_op_finish(cred->op, rc);
}


static void
ngx_smtp_cred_http_wait(ngx_smtp_cred_http_t *cred)
{
    ngx_log_t  *log;

    log = cred->sasl->session->connection->log;
    log->action = "waiting for auth service to know";

    ngx_smtp_cred_timer_connection.fd = (ngx_socket_t) -1;

    cred->timer.handler = ngx_smtp_cred_http_wait_handler;
    cred->timer.data = &ngx_smtp_cred_timer_connection;
    cred->timer.log = log;

    ngx_add_timer(&cred->timer, cred->sasl->wait);

    cred->sasl->wait = 0;
}


static void
ngx_smtp_cred_http_wait_handler(ngx_event_t *ev)
{
    ngx_smtp_cred_http_ask((ngx_smtp_cred_http_t *)
               ((u_char *) ev - offsetof(ngx_smtp_cred_http_t, timer)));
}


/*
 * Was it this request that the service did not like?  A client that has found
 * out what it does not like must not make it seem out of order to others.
 */

static ngx_uint_t
ngx_smtp_cred_http_picky(ngx_smtp_cred_http_t *cred)
{
    switch (cred->http.status) {

    case 400: /* Bad Request */
    case 413: /* Content Too Large */
    case 414: /* URI Too Long */
    case 431: /* Request Header Fields Too Large */
        return 1;

    default:
        return 0;
    }
}


static void
ngx_smtp_cred_http_cancel(ngx_smtp_op_t *op)
{
    ngx_smtp_cred_http_t  *cred;

    cred = op->worker;

    ngx_smtp_op_cancel_all(&cred->ops);

    if (cred->timer.timer_set) {
        ngx_del_timer(&cred->timer);
    }

    ngx_smtp_http_wipe(&cred->http);
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_esmtp.h>
#include <ngx_smtp_received.h>
#include <ngx_smtp_post.h>


/*
 * The destination http://, https://: one request for a message and all its
 * recipients there.
 *
 * A request that was sent whole, but not answered, is put to the next server,
 * or once more to the same when its connection had been kept (RFC 9110, 9.2.2,
 * lets a client do so that knows the request to be idempotent).  What makes it
 * so is Idempotency-Key (draft-ietf-httpapi-idempotency-key-header), the same
 * for all tries.  To give up instead would be worse: the client sends its
 * message again then, in another transaction, with another key.
 */


static char *ngx_smtp_post_parse(ngx_conf_t *cf, ngx_smtp_dest_t *dest,
    ngx_str_t *rest);
static ngx_int_t ngx_smtp_post_verify(ngx_smtp_delivery_t *d,
    ngx_smtp_op_t *op);
static void ngx_smtp_post_deliver(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op);
static ngx_int_t ngx_smtp_post_start(ngx_smtp_post_t *post);
static void ngx_smtp_post_commit(ngx_smtp_delivery_t *d);
static void ngx_smtp_post_done(ngx_smtp_op_t *op);
static void ngx_smtp_post_failed(ngx_smtp_post_t *post);
static void ngx_smtp_post_cancel(ngx_smtp_op_t *op);


const ngx_smtp_dest_type_t  ngx_smtp_dest_http = {
    ngx_string("http://"),
    ngx_smtp_post_parse,
    ngx_smtp_post_verify,
    NULL,                                  /* park */
    ngx_smtp_post_deliver,
    ngx_smtp_post_commit,
    NULL,                                  /* stream */
    NULL,                                  /* push */
    NULL,                                  /* query */
    NULL,                                  /* resolve */
    0                                      /* each */
};


const ngx_smtp_dest_type_t  ngx_smtp_dest_https = {
    ngx_string("https://"),
    ngx_smtp_post_parse,
    ngx_smtp_post_verify,
    NULL,                                  /* park */
    ngx_smtp_post_deliver,
    ngx_smtp_post_commit,
    NULL,                                  /* stream */
    NULL,                                  /* push */
    NULL,                                  /* query */
    NULL,                                  /* resolve */
    0                                      /* each */
};


/*
 * A body of HTTP is any octets.  What a service does with a message is not
 * known here, so nothing is promised for it that is to be done later (DSN,
 * MTRK, FUTURERELEASE), in time (DELIVERBY), on the rest of the way
 * (REQUIRETLS), or about a mailbox (RRVS).
 */

static ngx_smtp_caps_t  ngx_smtp_post_caps = {
    ~(ngx_uint_t) (NGX_SMTP_EXT_DSN|NGX_SMTP_EXT_RELEASE|NGX_SMTP_EXT_RRVS
                   |NGX_SMTP_EXT_MTRK|NGX_SMTP_EXT_DELIVERBY
                   |NGX_SMTP_EXT_REQUIRETLS|NGX_SMTP_EXT_EXPN
                   |NGX_SMTP_EXT_ETRN),
    0,                           /* size */
    0,                           /* auth */
    0, 0,                        /* xclient, xforward */
    0, 0, 0,                     /* LIMITS */
    0,                           /* by_min */
    0, 0,                        /* FUTURERELEASE */
    1,                           /* known */
    1,                           /* fixed */
    0,                           /* secure */
    0                            /* logged_in */
};


static char *
ngx_smtp_post_parse(ngx_conf_t *cf, ngx_smtp_dest_t *dest, ngx_str_t *rest)
{
    ngx_str_t             value;
    ngx_smtp_http_url_t  *url;

    url = dest->conf;

    if (url == NULL) {
        url = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_http_url_t));
        if (url == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    /* the scheme is in front of it, as it was written */

    value.len = dest->type->scheme.len + rest->len;
    value.data = rest->data - dest->type->scheme.len;

    if (ngx_smtp_http_url_parse(cf, &value, url) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    dest->conf = url;
    dest->caps = &ngx_smtp_post_caps;

    return NGX_CONF_OK;
}


/* is there room for it in the header of the request? */

static ngx_int_t
ngx_smtp_post_verify(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op)
{
    size_t                 len;
    ngx_smtp_tx_t         *tx;
    ngx_smtp_rcpt_t       *rcpt;
    ngx_smtp_post_conf_t  *conf;

    tx = d->tx;

    if (d->nrcpts == 0) {
        return NGX_OK;
    }

    conf = ngx_smtp_session_srv_conf(tx->session,
                                     ngx_mail_smtp_ext_post_module);

    len = ngx_smtp_post_addr_len(&tx->rcpt->addr);

    for (rcpt = ngx_smtp_delivery_first(d);
         rcpt;
         rcpt = ngx_smtp_delivery_next(d, rcpt))
    {
        len += ngx_smtp_post_addr_len(&rcpt->addr);
    }

    if (d->nrcpts >= conf->max_recipients || len > NGX_SMTP_POST_TO_MAX) {
        ngx_smtp_verdict_set(&tx->rcpt->verdict, NGX_SMTP_REPLY_TOO_MANY_RCPT);
    }

    return NGX_OK;
}


static void
ngx_smtp_post_deliver(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op)
{
    ngx_smtp_tx_t    *tx;
    ngx_smtp_post_t  *post;

    tx = d->tx;

    d->log.addr = d->dest->url;
    d->log.connect_time = (ngx_msec_t) -1;

    post = ngx_pcalloc(tx->pool, sizeof(ngx_smtp_post_t));

    if (post) {
        post->tx = tx;
        post->delivery = d;
        post->waiter = op;
        post->conf = ngx_smtp_session_srv_conf(tx->session,
                                               ngx_mail_smtp_ext_post_module);
    }

    if (post == NULL || ngx_smtp_post_start(post) != NGX_OK) {
        ngx_smtp_verdict_set(&d->verdict, NGX_SMTP_REPLY_LOCAL_ERROR);
        ngx_smtp_op_finish(op, NGX_OK);
        return;
    }

    d->worker = post;

    op->worker = post;
    op->cancel = ngx_smtp_post_cancel;

    ngx_smtp_op_start(&post->op, &tx->ops, ngx_smtp_post_done, post,
                      post->http.log);

    ngx_smtp_http_start(&post->http, &post->op);
}


static ngx_int_t
ngx_smtp_post_start(ngx_smtp_post_t *post)
{
    ngx_smtp_tx_t            *tx;
    ngx_smtp_session_t       *s;
    ngx_smtp_http_request_t  *r;

    tx = post->tx;
    s = tx->session;
    r = &post->http;

    if (ngx_smtp_received_write(tx) != NGX_OK
        || ngx_smtp_post_fields(post, &r->fields) != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_http_module);
    r->url = post->delivery->dest->conf;
    r->pool = tx->pool;
    r->log = s->connection->log;
    r->resolver = s->service->resolver;
    r->resolver_timeout = s->service->resolver_timeout;
    r->client = s->remote.sockaddr;
    r->session = s;
    r->connect_timeout = NGX_CONF_UNSET_MSEC;
    r->timeout = post->conf->timeout;
    r->read_timeout = post->conf->read_timeout;
    r->ask = 1;

    ngx_str_set(&r->method, "POST");

    /* RFC 6532, 3.7 */

    if (tx->utf8 && tx->mime.header_8bit) {
        ngx_str_set(&r->type, "message/global");

    } else {
        ngx_str_set(&r->type, "message/rfc822");
    }

    r->piece = ngx_smtp_post_piece;
    r->length = (off_t) tx->received.len + tx->spool->size;
    r->data = post;

    return NGX_OK;
}


static void
ngx_smtp_post_commit(ngx_smtp_delivery_t *d)
{
    ngx_smtp_post_t  *post;

    post = d->worker;

    /* else it has had to begin anew, and won't stop this time */

    if (post->held) {
        post->held = 0;
        ngx_smtp_http_more(&post->http);
    }
}


static void
ngx_smtp_post_done(ngx_smtp_op_t *op)
{
    ngx_uint_t            failed;
    ngx_smtp_post_t      *post;
    ngx_smtp_delivery_t  *d;

    post = op->data;
    d = post->delivery;

    /* of a body that nobody wants any more */

    ngx_smtp_op_cancel(&post->reading);

    d->log.addr = post->http.server;

    if (op->rc == NGX_OK) {
        d->log.status = post->http.status;

        failed = ngx_smtp_post_answer(post);

        ngx_smtp_http_judge(&post->http, failed);

    } else {
        ngx_smtp_post_failed(post);
    }

    ngx_smtp_op_finish(post->waiter, NGX_OK);
}


static void
ngx_smtp_post_failed(ngx_smtp_post_t *post)
{
    ngx_smtp_reply_e  id;

    if (post->lost) {
        id = NGX_SMTP_REPLY_LOCAL_ERROR;

    } else if (post->http.told) {
        id = NGX_SMTP_REPLY_REPLY_LOST;

    } else if (post->http.spoken) {
        id = NGX_SMTP_REPLY_SERVER_BROKEN;

    } else {
        id = NGX_SMTP_REPLY_NO_SERVER;
    }

    ngx_smtp_verdict_set(&post->delivery->verdict, id);
}


/* without its last octet, no service can have taken it */

static void
ngx_smtp_post_cancel(ngx_smtp_op_t *op)
{
    ngx_smtp_post_t  *post;

    post = op->worker;

    ngx_smtp_op_cancel(&post->reading);
    ngx_smtp_op_cancel(&post->op);
}

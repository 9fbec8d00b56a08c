
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_post.h>


/*
 * The body of the request: Received, and the content as it lies in memory and
 * in the file.  TLS has to see it, so then what is in a file is read by a
 * thread, piece by piece.
 *
 * The end mark of HTTP is the last octet of Content-Length.  While other
 * destinations are not ready it is held back.
 */


static void ngx_smtp_post_begin(ngx_smtp_post_t *post);
static ngx_int_t ngx_smtp_post_whole(ngx_smtp_post_t *post,
    ngx_chain_t **piece);
static ngx_int_t ngx_smtp_post_read(ngx_smtp_post_t *post,
    ngx_chain_t **piece);
static void ngx_smtp_post_read_done(ngx_smtp_op_t *op);
static ngx_int_t ngx_smtp_post_last(ngx_smtp_post_t *post,
    ngx_chain_t **piece);
static ngx_int_t ngx_smtp_post_mark(ngx_smtp_post_t *post,
    ngx_chain_t **piece);
static ngx_chain_t *ngx_smtp_post_link(ngx_smtp_post_t *post, u_char *data,
    size_t len);


ngx_int_t
ngx_smtp_post_piece(ngx_smtp_http_request_t *r, ngx_uint_t first,
    ngx_chain_t **piece)
{
    ngx_smtp_tx_t    *tx;
    ngx_smtp_post_t  *post;

    post = r->data;
    tx = post->tx;

    if (first) {
        ngx_smtp_post_begin(post);

        post->offset = 0;
        post->got = 0;
        post->head = 0;
        post->marked = 0;
        post->held = 0;

        if (post->reading.active) {
            post->anew = 1;
            return NGX_AGAIN;
        }
    }

    if (post->lost) {
        return NGX_ERROR;
    }

    if (post->marked) {
        return ngx_smtp_post_mark(post, piece);
    }

    if (!post->head) {
        post->head = 1;

        if (tx->spool->file_size == 0 || ngx_smtp_http_sendfile(r)) {
            return ngx_smtp_post_whole(post, piece);
        }

        /* there is none in a report of ours */

        if (tx->received.len) {
            *piece = ngx_smtp_post_link(post, tx->received.data,
                                        tx->received.len);
            return NGX_OK;
        }
    }

    return ngx_smtp_post_read(post, piece);
}


/* a server, perhaps another one, which has nothing of it yet */

static void
ngx_smtp_post_begin(ngx_smtp_post_t *post)
{
    ngx_connection_t     *c;
    ngx_smtp_delivery_t  *d;

    c = post->http.connection;
    d = post->delivery;

    d->ready = 0;

    d->log.ssl_protocol = NULL;
    d->log.ssl_cipher = NULL;

    if (c->ssl) {
        d->log.ssl_protocol = SSL_get_version(c->ssl->connection);
        d->log.ssl_cipher = SSL_get_cipher_name(c->ssl->connection);
    }
}


static ngx_int_t
ngx_smtp_post_whole(ngx_smtp_post_t *post, ngx_chain_t **piece)
{
    ngx_chain_t    *content;
    ngx_smtp_tx_t  *tx;

    tx = post->tx;
    content = NULL;

    if (tx->spool->size) {
        content = ngx_smtp_spool_chain(tx->spool, tx->pool);

        if (content == NULL) {
            post->lost = 1;
            return NGX_ERROR;
        }
    }

    *piece = content;

    if (tx->received.len) {
        *piece = ngx_smtp_post_link(post, tx->received.data,
                                    tx->received.len);
        (*piece)->next = content;
    }

    return ngx_smtp_post_last(post, piece);
}


static ngx_int_t
ngx_smtp_post_read(ngx_smtp_post_t *post, ngx_chain_t **piece)
{
    ssize_t         n;
    ngx_smtp_tx_t  *tx;

    tx = post->tx;
    n = post->got;

    if (n == 0) {

        if (post->raw == NULL) {

            /* of the transaction: a thread may still read into it later */

            post->raw = ngx_pnalloc(tx->pool, NGX_SMTP_SPOOL_READ_SIZE);
            if (post->raw == NULL) {
                post->lost = 1;
                return NGX_ERROR;
            }
        }

        post->reader.spool = tx->spool;
        post->reader.buf = post->raw;
        post->reader.size = NGX_SMTP_SPOOL_READ_SIZE;
        post->reader.offset = post->offset;

        ngx_smtp_op_start(&post->reading, &tx->ops, ngx_smtp_post_read_done,
                          post, post->http.log);

        n = ngx_smtp_spool_read(&post->reader, &post->reading);

        if (n == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        ngx_smtp_op_cancel(&post->reading);
    }

    post->got = 0;
    post->offset += n;

    *piece = ngx_smtp_post_link(post, post->raw, n);

    return (post->offset == tx->spool->size) ? ngx_smtp_post_last(post, piece)
                                             : NGX_OK;
}


static void
ngx_smtp_post_read_done(ngx_smtp_op_t *op)
{
    ngx_smtp_post_t  *post;

    post = op->data;

    if (op->rc != NGX_OK || post->reader.err) {
        /* our own disk: no server can help */
        post->lost = 1;

    } else if (!post->anew) {
        post->got = post->reader.size;
    }

    post->anew = 0;

    ngx_smtp_http_more(&post->http);
}


/* a piece that is the last: all of it, or all but its last octet */

static ngx_int_t
ngx_smtp_post_last(ngx_smtp_post_t *post, ngx_chain_t **piece)
{
    ngx_buf_t     *b;
    ngx_chain_t  **ll;

    if (!post->delivery->hold) {
        return NGX_OK;
    }

    for (ll = piece; (*ll)->next; ll = &(*ll)->next) { /* void */ }

    b = (*ll)->buf;

    post->marked = 1;
    post->mark = *b;

    if (b->in_file) {
        b->file_last--;
        post->mark.file_pos = b->file_last;

    } else {
        b->last--;
        post->mark.pos = b->last;
    }

    if (ngx_buf_size(b) == 0) {
        *ll = NULL;
    }

    return *piece ? NGX_OK : ngx_smtp_post_mark(post, piece);
}


static ngx_int_t
ngx_smtp_post_mark(ngx_smtp_post_t *post, ngx_chain_t **piece)
{
    if (post->delivery->hold) {
        post->held = 1;

        post->http.log->action = "waiting for other destinations";

        ngx_smtp_delivery_ready(post->delivery);

        return NGX_AGAIN;
    }

    post->link.buf = &post->mark;
    post->link.next = NULL;

    *piece = &post->link;

    return NGX_OK;
}


static ngx_chain_t *
ngx_smtp_post_link(ngx_smtp_post_t *post, u_char *data, size_t len)
{
    ngx_buf_t  *b;

    b = &post->buf;

    ngx_memzero(b, sizeof(ngx_buf_t));

    b->memory = 1;
    b->pos = data;
    b->last = data + len;

    post->link.buf = b;
    post->link.next = NULL;

    return &post->link;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_relay.h>


/*
 * Mail data towards a next hop, RFC 5321, 4.1.1.4 and 4.5.2, or RFC 3030.
 * Content of a chunk, or content in
 * which no line begins with a dot, nearly all there is, goes out as it lies
 * in memory and file, in one chain; else piece by piece with the dots doubled,
 * and so does content in a file where TLS has to see it.
 * What goes out is canonical, whatever came in: the spool holds content, not
 * what was on the wire.
 */


static ngx_uint_t ngx_smtp_relay_whole(ngx_smtp_relay_t *relay);
static ngx_chain_t *ngx_smtp_relay_body_first(ngx_smtp_relay_t *relay);
static ngx_chain_t *ngx_smtp_relay_body_chain(ngx_smtp_relay_t *relay,
    ngx_str_t *mark);
static ngx_smtp_spool_t *ngx_smtp_relay_spool(ngx_smtp_relay_t *relay);
static ngx_str_t *ngx_smtp_relay_mark_of(ngx_smtp_relay_t *relay);
static ngx_chain_t *ngx_smtp_relay_body_piece(ngx_pool_t *pool, u_char *data,
    size_t len, ngx_chain_t *next);
static ngx_int_t ngx_smtp_relay_body_next(ngx_smtp_relay_t *relay);
static void ngx_smtp_relay_body_read(ngx_smtp_op_t *op);
static ngx_int_t ngx_smtp_relay_body_stuff(ngx_smtp_relay_t *relay,
    size_t len);


static ngx_str_t  ngx_smtp_relay_mark = ngx_string("." CRLF);
static ngx_str_t  ngx_smtp_relay_crlf_mark = ngx_string(CRLF "." CRLF);
static ngx_str_t  ngx_smtp_relay_chunk_mark = ngx_string("BDAT 0 LAST" CRLF);


ngx_int_t
ngx_smtp_relay_body(ngx_smtp_relay_t *relay)
{
    ngx_chain_t    *chain;
    ngx_smtp_tx_t  *tx;

    tx = relay->tx;

    if (relay->stream) {
        return ngx_smtp_relay_stream_open(relay);
    }

    relay->client->connection->log->action = "sending mail data to upstream";

    /* where lines of what was converted begin with a dot, nobody has counted */

    relay->last_piece = (tx->dot.dots == 0 && relay->delivery->spool == NULL
                         && ngx_smtp_relay_whole(relay));

    if (relay->last_piece) {
        chain = ngx_smtp_relay_body_chain(relay, relay->delivery->hold
                                          ? NULL
                                          : ngx_smtp_relay_mark_of(relay));

    } else {
        relay->offset = 0;
        relay->dot_state = 0;

        if (tx->received.len == 0) {
            return ngx_smtp_relay_body_next(relay);
        }

        chain = ngx_smtp_relay_body_piece(tx->pool, tx->received.data,
                                          tx->received.len, NULL);
    }

    if (chain == NULL) {
        return NGX_ERROR;
    }

    return ngx_smtp_client_send_body(relay->client, chain);
}


/*
 * BDAT LAST and all of the message as its chunk, behind what there is of the
 * envelope.  As ngx_smtp_relay_emit(): NGX_OK, NGX_DECLINED or NGX_ERROR.
 */

ngx_int_t
ngx_smtp_relay_chunk(ngx_smtp_relay_t *relay)
{
    ngx_buf_t          *b;
    ngx_chain_t        *chain;
    ngx_smtp_client_t  *client;

    client = relay->client;
    b = &client->out;

    if (ngx_smtp_client_room(client, sizeof("BDAT  LAST" CRLF)
                             + NGX_OFF_T_LEN)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    relay->last_piece = ngx_smtp_relay_whole(relay);
    relay->offset = 0;

    chain = relay->last_piece ? ngx_smtp_relay_body_chain(relay, NULL)
                              : ngx_smtp_relay_body_first(relay);
    if (chain == NULL) {
        return NGX_ERROR;
    }

    client->connection->log->action = "sending mail data to upstream";

    relay->part = relay->delivery->hold;

    b->last = ngx_sprintf(b->last, "BDAT %O%s" CRLF,
                          (off_t) relay->tx->received.len
                          + ngx_smtp_relay_spool(relay)->size,
                          relay->part ? "" : " LAST");

    /* the commands with it, in one write */

    chain = ngx_smtp_relay_body_piece(relay->tx->pool, b->pos,
                                      b->last - b->pos, chain);
    if (chain == NULL) {
        return NGX_ERROR;
    }

    b->pos = b->last;

    client->body = chain;

    return NGX_OK;
}


/* what is in front of the pieces, a buffer perhaps without an octet */

static ngx_chain_t *
ngx_smtp_relay_body_first(ngx_smtp_relay_t *relay)
{
    ngx_chain_t    *chain;
    ngx_smtp_tx_t  *tx;

    tx = relay->tx;

    chain = ngx_smtp_relay_body_piece(tx->pool, tx->received.data,
                                      tx->received.len, NULL);

    if (chain && tx->received.len == 0) {
        chain->buf->memory = 0;
        chain->buf->sync = 1;
    }

    return chain;
}


/* the connection takes the content from where it lies, file and memory */

static ngx_uint_t
ngx_smtp_relay_whole(ngx_smtp_relay_t *relay)
{
    return ngx_smtp_relay_spool(relay)->file_size == 0
           || ngx_smtp_client_sendfile(relay->client);
}


/* Received, the content as it lies there, and the end mark if there is one */

static ngx_chain_t *
ngx_smtp_relay_body_chain(ngx_smtp_relay_t *relay, ngx_str_t *mark)
{
    ngx_chain_t       *chain, *end, *cl;
    ngx_smtp_tx_t     *tx;
    ngx_smtp_spool_t  *spool;

    tx = relay->tx;
    spool = ngx_smtp_relay_spool(relay);

    end = NULL;

    if (mark) {
        end = ngx_smtp_relay_body_piece(tx->pool, mark->data, mark->len, NULL);
        if (end == NULL) {
            return NULL;
        }
    }

    chain = end;

    if (spool->size) {
        chain = ngx_smtp_spool_chain(spool, tx->pool);
        if (chain == NULL) {
            return NULL;
        }

        for (cl = chain; cl->next; cl = cl->next) { /* void */ }

        cl->next = end;
    }

    if (tx->received.len == 0) {
        /* of a report of ours, which is not empty */
        return chain;
    }

    return ngx_smtp_relay_body_piece(tx->pool, tx->received.data,
                                     tx->received.len, chain);
}


/* the content that it gets */

static ngx_smtp_spool_t *
ngx_smtp_relay_spool(ngx_smtp_relay_t *relay)
{
    return relay->delivery->spool ? relay->delivery->spool : relay->tx->spool;
}


static ngx_str_t *
ngx_smtp_relay_mark_of(ngx_smtp_relay_t *relay)
{
    /* what was converted ends in CRLF */

    return relay->delivery->spool ? &ngx_smtp_relay_mark
                                  : ngx_smtp_relay_end_mark(relay->tx);
}


/*
 * RFC 5321, 4.1.1.4: the CRLF in front of the mark belongs to the content.  A
 * chunk need not end in one, so it may have to be supplied.
 */

ngx_str_t *
ngx_smtp_relay_end_mark(ngx_smtp_tx_t *tx)
{
    return (tx->dot.state == ngx_smtp_dot_line) ? &ngx_smtp_relay_mark
                                                : &ngx_smtp_relay_crlf_mark;
}


static ngx_chain_t *
ngx_smtp_relay_body_piece(ngx_pool_t *pool, u_char *data, size_t len,
    ngx_chain_t *next)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = ngx_calloc_buf(pool);
    cl = ngx_alloc_chain_link(pool);

    if (b == NULL || cl == NULL) {
        return NULL;
    }

    b->memory = 1;
    b->pos = data;
    b->last = data + len;

    cl->buf = b;
    cl->next = next;

    return cl;
}


/* a piece is the kernel's */

ngx_int_t
ngx_smtp_relay_written(ngx_smtp_client_t *client)
{
    ngx_smtp_relay_t  *relay;

    relay = client->owner;

    if (relay->open && !relay->last_piece) {
        ngx_smtp_relay_stream_pushed(relay);
        return NGX_OK;
    }

    if (relay->last_piece && !relay->chunk && relay->delivery->hold) {
        ngx_smtp_relay_hold(relay);
        return NGX_OK;
    }

    if (relay->last_piece) {
        client->connection->log->action = "waiting for upstream to confirm";

        relay->end_sent = !relay->part;
        ngx_smtp_client_wait(client, relay->conf->final_timeout);

        return NGX_OK;
    }

    return ngx_smtp_relay_body_next(relay);
}


/*
 * Nothing but the end mark is missing.  Its server may lose patience; nobody
 * waits for it but for the other destinations, which have time-outs.
 */

void
ngx_smtp_relay_hold(ngx_smtp_relay_t *relay)
{
    relay->held = 1;

    relay->client->connection->log->action = "waiting for other destinations";

    ngx_smtp_client_rest(relay->client);

    ngx_smtp_delivery_ready(relay->delivery);
}


void
ngx_smtp_relay_commit(ngx_smtp_delivery_t *d)
{
    ngx_str_t         *mark;
    ngx_chain_t       *chain;
    ngx_smtp_relay_t  *relay;

    relay = d->worker;

    if (!relay->held) {
        /* it has had to begin anew, and won't stop this time */
        return;
    }

    relay->held = 0;

    mark = relay->chunk ? &ngx_smtp_relay_chunk_mark
                        : ngx_smtp_relay_mark_of(relay);

    chain = ngx_smtp_relay_body_piece(relay->tx->pool, mark->data, mark->len,
                                      NULL);

    if (chain == NULL
        || ngx_smtp_client_send_body(relay->client, chain) != NGX_OK)
    {
        ngx_smtp_relay_failed(relay->client);
    }
}


static ngx_int_t
ngx_smtp_relay_body_next(ngx_smtp_relay_t *relay)
{
    ssize_t         n;
    ngx_smtp_tx_t  *tx;

    tx = relay->tx;

    if (relay->raw == NULL) {

        /* of the transaction: a thread may still read into it later */

        relay->raw = ngx_pnalloc(tx->pool, NGX_SMTP_SPOOL_READ_SIZE);
        relay->stuffed = ngx_pnalloc(tx->pool, 2 * NGX_SMTP_SPOOL_READ_SIZE
                                    + ngx_smtp_relay_crlf_mark.len);

        if (relay->raw == NULL || relay->stuffed == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_smtp_op_start(&relay->wait, &tx->ops, ngx_smtp_relay_body_read, relay,
                      tx->session->connection->log);

    relay->reader.spool = ngx_smtp_relay_spool(relay);
    relay->reader.buf = relay->raw;
    relay->reader.size = NGX_SMTP_SPOOL_READ_SIZE;
    relay->reader.offset = relay->offset;

    n = ngx_smtp_spool_read(&relay->reader, &relay->wait);

    if (n == NGX_AGAIN) {
        relay->reading_spool = 1;
        return NGX_OK;
    }

    ngx_smtp_op_cancel(&relay->wait);

    return ngx_smtp_relay_body_stuff(relay, n);
}


static void
ngx_smtp_relay_body_read(ngx_smtp_op_t *op)
{
    ngx_smtp_relay_t  *relay;

    relay = op->data;
    relay->reading_spool = 0;

    if (relay->client == NULL) {
        ngx_smtp_relay_resume(relay);
        return;
    }

    if (op->rc != NGX_OK || relay->reader.err) {

        /* our own disk: no server can help */

        relay->drop = 1;
        ngx_smtp_verdict_set(&relay->failure, NGX_SMTP_REPLY_LOCAL_ERROR);
        ngx_smtp_relay_finish(relay);
        return;
    }

    if (ngx_smtp_relay_body_stuff(relay, relay->reader.size) != NGX_OK) {
        ngx_smtp_relay_failed(relay->client);
    }
}


static ngx_int_t
ngx_smtp_relay_body_stuff(ngx_smtp_relay_t *relay, size_t len)
{
    u_char         *p, *last;
    ngx_str_t      *mark;
    ngx_chain_t    *chain;
    ngx_smtp_tx_t  *tx;

    tx = relay->tx;

    if (relay->chunk) {
        relay->offset += len;
        relay->last_piece = (relay->offset
                             == ngx_smtp_relay_spool(relay)->size);

        chain = ngx_smtp_relay_body_piece(tx->pool, relay->raw, len, NULL);

        return chain ? ngx_smtp_client_send_body(relay->client, chain)
                     : NGX_ERROR;
    }

    p = relay->raw;

    last = ngx_smtp_dot_encode(&relay->dot_state, &p, p + len, relay->stuffed,
                               relay->stuffed + 2 * NGX_SMTP_SPOOL_READ_SIZE);

    relay->offset += len;

    if (relay->offset == ngx_smtp_relay_spool(relay)->size) {
        relay->last_piece = 1;

        if (!relay->delivery->hold) {
            mark = ngx_smtp_relay_mark_of(relay);
            last = ngx_cpymem(last, mark->data, mark->len);
        }
    }

    chain = ngx_smtp_relay_body_piece(tx->pool, relay->stuffed,
                                      last - relay->stuffed, NULL);
    if (chain == NULL) {
        return NGX_ERROR;
    }

    return ngx_smtp_client_send_body(relay->client, chain);
}

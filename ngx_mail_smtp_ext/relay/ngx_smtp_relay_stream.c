
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_relay.h>
#include <ngx_smtp_received.h>


/*
 * smtp_pass_mode stream: content goes to the next hop as it comes, from where
 * it was read to.  Nothing is kept, so once the first octet may have come
 * there is one server for this message; and nothing is read from the client
 * until what was read before is the kernel's.
 *
 * DATA is passed on by DATA: what was one line with a dot in front is one
 * again, and the pieces that ngx_smtp_dot_decode() gives have a dot at the
 * beginning of a line only where they begin.  BDAT is passed on by BDAT, or
 * by DATA where the next hop has not CHUNKING.
 */


static ngx_uint_t ngx_smtp_relay_stream_possible(ngx_smtp_relay_t *relay);
static void ngx_smtp_relay_stream_decline(ngx_smtp_relay_t *relay);
static ngx_int_t ngx_smtp_relay_stream_send(ngx_smtp_relay_t *relay);
static ngx_int_t ngx_smtp_relay_stream_chain(ngx_smtp_relay_t *relay,
    ngx_chain_t ***last);
static off_t ngx_smtp_relay_stream_size(ngx_smtp_relay_t *relay);
static ngx_int_t ngx_smtp_relay_stream_dots(ngx_smtp_relay_t *relay,
    ngx_chain_t ***last);
static ngx_int_t ngx_smtp_relay_stream_encode(ngx_smtp_relay_t *relay,
    ngx_chain_t ***last);
static ngx_int_t ngx_smtp_relay_stream_add(ngx_smtp_relay_t *relay,
    ngx_chain_t ***last, u_char *data, size_t len);


void
ngx_smtp_relay_stream(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op)
{
    ngx_smtp_relay_t  *relay;

    relay = ngx_smtp_relay_get(d);

    if (relay == NULL || ngx_smtp_received_write(d->tx) != NGX_OK) {
        ngx_smtp_op_finish(op, NGX_ERROR);
        return;
    }

    relay->stream = 1;

    ngx_smtp_relay_begin(relay, op, 1);
}


/*
 * Begins the envelope.  NGX_DECLINED: it can't be streamed to this server, and
 * the operation has ended with that.
 */

ngx_int_t
ngx_smtp_relay_stream_check(ngx_smtp_relay_t *relay)
{
    if (ngx_smtp_relay_stream_possible(relay)) {
        return NGX_OK;
    }

    ngx_smtp_relay_stream_decline(relay);

    return NGX_DECLINED;
}


/* what the content will be is not known yet, so the server has to take all */

static ngx_uint_t
ngx_smtp_relay_stream_possible(ngx_smtp_relay_t *relay)
{
    ngx_uint_t  extensions;

    extensions = relay->client->caps.extensions;

    return (extensions & NGX_SMTP_EXT_8BITMIME)
           && (!relay->tx->utf8 || (extensions & NGX_SMTP_EXT_SMTPUTF8));
}


static void
ngx_smtp_relay_stream_decline(ngx_smtp_relay_t *relay)
{
    ngx_smtp_op_t  *op;

    op = relay->op;

    relay->op = NULL;
    relay->stream = 0;

    ngx_smtp_client_free(relay->client, 1, &relay->parked);
    relay->client = NULL;

    if (relay->got) {
        relay->got = 0;
        ngx_smtp_peer_free(&relay->peer, 0);
    }

    ngx_smtp_op_finish(op, NGX_DECLINED);
}


/* 354 has come, or with BDAT the recipients have been accepted */

ngx_int_t
ngx_smtp_relay_stream_open(ngx_smtp_relay_t *relay)
{
    ngx_smtp_op_t  *op;

    relay->open = 1;
    relay->begun = 0;
    relay->line = 1;
    relay->chunks = 0;
    relay->dot_state = 0;

    relay->sending.step = NGX_SMTP_RELAY_FINAL;
    relay->reading.step = NGX_SMTP_RELAY_FINAL;

    relay->client->connection->log->action = "passing mail data to upstream";

    ngx_smtp_client_rest(relay->client);

    op = relay->op;
    relay->op = NULL;

    ngx_smtp_op_finish(op, NGX_OK);

    return NGX_OK;
}


void
ngx_smtp_relay_push(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op)
{
    ngx_smtp_relay_t  *relay;

    relay = d->worker;

    relay->op = op;
    relay->pushing = 1;

    op->cancel = ngx_smtp_relay_cancel;
    op->worker = relay;

    if (relay->client == NULL) {
        ngx_smtp_relay_stream_lost(relay);
        return;
    }

    if (ngx_smtp_relay_stream_send(relay) != NGX_OK) {
        ngx_smtp_relay_failed(relay->client);
    }
}


/* the last of it, and the end mark */

void
ngx_smtp_relay_stream_deliver(ngx_smtp_relay_t *relay, ngx_smtp_op_t *op)
{
    relay->op = op;
    relay->last_piece = 1;

    op->cancel = ngx_smtp_relay_cancel;
    op->worker = relay;

    if (relay->client == NULL) {
        ngx_smtp_relay_stream_lost(relay);
        return;
    }

    if (ngx_smtp_relay_stream_send(relay) != NGX_OK) {
        ngx_smtp_relay_failed(relay->client);
    }
}


/* the pieces are the kernel's; called by written() */

void
ngx_smtp_relay_stream_pushed(ngx_smtp_relay_t *relay)
{
    ngx_smtp_op_t  *op;

    if (relay->chunks) {
        ngx_smtp_client_wait(relay->client, relay->conf->data_timeout);
    }

    op = relay->op;

    relay->op = NULL;
    relay->pushing = 0;

    ngx_smtp_op_finish(op, NGX_OK);
}


/*
 * The connection has gone, or failure says what the server thinks of it: the
 * message is lost for this transaction.  Who has pushed is told, or who will.
 */

void
ngx_smtp_relay_stream_lost(ngx_smtp_relay_t *relay)
{
    ngx_uint_t      failed;
    ngx_smtp_op_t  *op;

    if (relay->failure.code == 0) {
        ngx_smtp_verdict_set(&relay->failure, relay->end_sent
                                              ? NGX_SMTP_REPLY_REPLY_LOST
                                              : NGX_SMTP_REPLY_SERVER_BROKEN);
    }

    if (relay->op && !relay->pushing) {
        ngx_smtp_relay_finish(relay);
        return;
    }

    failed = relay->bye || relay->client == NULL;

    if (relay->client) {
        ngx_smtp_client_free(relay->client, 0, NULL);
        relay->client = NULL;
    }

    if (relay->got) {
        relay->got = 0;
        ngx_smtp_peer_free(&relay->peer, failed);
    }

    op = relay->op;

    if (op) {
        relay->op = NULL;
        relay->pushing = 0;
        relay->delivery->verdict = relay->failure;

        ngx_smtp_op_finish(op, NGX_DONE);
    }
}


/* the client's message will not come to its end */

void
ngx_smtp_relay_stream_close(ngx_smtp_relay_t *relay)
{
    relay->open = 0;
    relay->stream = 0;

    if (relay->client) {
        ngx_smtp_client_free(relay->client, 0, NULL);
        relay->client = NULL;
    }

    if (relay->got) {
        relay->got = 0;
        ngx_smtp_peer_free(&relay->peer, 0);
    }
}


/*
 * A reply before the one to the message: to a chunk, or one that nobody has
 * asked for.  As answer().
 */

ngx_int_t
ngx_smtp_relay_stream_answer(ngx_smtp_relay_t *relay)
{
    ngx_uint_t  code;

    code = relay->client->reply.code;

    if (relay->chunks && code / 100 == 2) {
        relay->chunks--;

        if (relay->end_sent) {
            ngx_smtp_client_wait(relay->client, relay->conf->final_timeout);

        } else if (relay->chunks == 0) {
            ngx_smtp_client_rest(relay->client);
        }

        return NGX_OK;
    }

    if (code / 100 == 4 || code / 100 == 5) {

        if (ngx_smtp_relay_verdict(relay, &relay->failure) != NGX_OK) {
            return NGX_ERROR;
        }

        relay->drop = 1;

        ngx_smtp_relay_stream_lost(relay);

        return NGX_DONE;
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_smtp_relay_stream_send(ngx_smtp_relay_t *relay)
{
    ngx_chain_t  **last;

    /* what was sent before can be used again */

    *relay->out_last = relay->out_free;
    relay->out_free = relay->out;

    relay->out = NULL;
    last = &relay->out;

    if (ngx_smtp_relay_stream_chain(relay, &last) != NGX_OK) {
        return NGX_ERROR;
    }

    *last = NULL;
    relay->out_last = last;

    return ngx_smtp_client_send_body(relay->client, relay->out);
}


static ngx_int_t
ngx_smtp_relay_stream_chain(ngx_smtp_relay_t *relay, ngx_chain_t ***last)
{
    u_char         *p;
    ngx_str_t      *mark;
    ngx_smtp_tx_t  *tx;

    tx = relay->tx;

    if (relay->chunk) {
        p = ngx_sprintf(relay->chunk_line, "BDAT %O%s" CRLF,
                        ngx_smtp_relay_stream_size(relay),
                        relay->last_piece ? " LAST" : "");

        relay->chunks += !relay->last_piece;

        if (ngx_smtp_relay_stream_add(relay, last, relay->chunk_line,
                                      p - relay->chunk_line)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (!relay->begun) {
        relay->begun = 1;

        if (ngx_smtp_relay_stream_add(relay, last, tx->received.data,
                                      tx->received.len)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    /* pieces of a header that is edited are cut anywhere */

    if ((!relay->chunk && (tx->chunked || tx->edit))
        ? ngx_smtp_relay_stream_encode(relay, last) != NGX_OK
        : ngx_smtp_relay_stream_dots(relay, last) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (relay->last_piece && !relay->chunk) {
        mark = ngx_smtp_relay_end_mark(tx);
        return ngx_smtp_relay_stream_add(relay, last, mark->data, mark->len);
    }

    return NGX_OK;
}


static off_t
ngx_smtp_relay_stream_size(ngx_smtp_relay_t *relay)
{
    off_t         size;
    ngx_chain_t  *cl;

    size = relay->begun ? 0 : relay->tx->received.len;

    for (cl = relay->tx->pieces; cl; cl = cl->next) {
        size += cl->buf->last - cl->buf->pos;
    }

    return size;
}


/* octets of a chunk as they are; of DATA with the dots that were there */

static ngx_int_t
ngx_smtp_relay_stream_dots(ngx_smtp_relay_t *relay, ngx_chain_t ***last)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    for (cl = relay->tx->pieces; cl; cl = cl->next) {
        b = cl->buf;

        if (!relay->chunk && relay->line && *b->pos == '.'
            && ngx_smtp_relay_stream_add(relay, last, (u_char *) ".", 1)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        relay->line = (b->last[-1] == LF);

        if (ngx_smtp_relay_stream_add(relay, last, b->pos, b->last - b->pos)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_relay_stream_encode(ngx_smtp_relay_t *relay, ngx_chain_t ***last)
{
    u_char       *p, *start, *end;
    size_t        size;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    size = 2 * ngx_smtp_relay_stream_size(relay);

    if (size > relay->stuffed_size) {

        /* not more often than the buffer that is read to grows */

        size = ngx_max(size, 2 * NGX_SMTP_SPOOL_READ_SIZE);

        relay->stuffed = ngx_pnalloc(relay->tx->pool, size);
        if (relay->stuffed == NULL) {
            return NGX_ERROR;
        }

        relay->stuffed_size = size;
    }

    start = relay->stuffed;
    end = start + relay->stuffed_size;

    for (cl = relay->tx->pieces; cl; cl = cl->next) {
        b = cl->buf;
        p = b->pos;

        start = ngx_smtp_dot_encode(&relay->dot_state, &p, b->last, start,
                                    end);
    }

    return ngx_smtp_relay_stream_add(relay, last, relay->stuffed,
                                     start - relay->stuffed);
}


static ngx_int_t
ngx_smtp_relay_stream_add(ngx_smtp_relay_t *relay, ngx_chain_t ***last,
    u_char *data, size_t len)
{
    ngx_chain_t  *cl;

    if (len == 0) {
        return NGX_OK;
    }

    cl = ngx_chain_get_free_buf(relay->tx->pool, &relay->out_free);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf->memory = 1;
    cl->buf->pos = data;
    cl->buf->last = data + len;

    **last = cl;
    *last = &cl->next;

    return NGX_OK;
}

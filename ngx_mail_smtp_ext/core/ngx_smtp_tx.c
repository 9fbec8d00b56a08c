
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>


/*
 * The life of a transaction, RFC 5321, 3.3.  Its pool holds everything that a
 * message needs and is destroyed with the last reference: the session's, and
 * one for each thread that is still at work.
 */


/* an envelope with a few recipients fits; bodies are allocated by size */
#define NGX_SMTP_TX_POOL_SIZE  2048

/* of edited content that is streamed: a field that was held, and others */
#define NGX_SMTP_TX_COPY_SIZE  8192


#define ngx_smtp_tx_is_8bit(s)                                               \
    ngx_smtp_is_8bit((s)->data, (s)->data + (s)->len)


static void ngx_smtp_tx_spool_hold(void *owner);
static void ngx_smtp_tx_spool_release(void *owner);
static ngx_buf_t *ngx_smtp_tx_copy_buffer(ngx_smtp_tx_t *tx);


static ngx_uint_t  ngx_smtp_tx_counter;


ngx_smtp_tx_t *
ngx_smtp_tx_create(ngx_smtp_session_t *s)
{
    ngx_smtp_tx_t  *tx;

    tx = ngx_smtp_tx_make(s);
    if (tx == NULL) {
        return NULL;
    }

    s->tx = tx;
    s->transactions++;

    return tx;
}


ngx_smtp_tx_t *
ngx_smtp_tx_make(ngx_smtp_session_t *s)
{
    ngx_pool_t     *pool;
    ngx_time_t     *tp;
    ngx_smtp_tx_t  *tx;

    /* not the connection's log: a thread may outlive the connection */

    pool = ngx_create_pool(NGX_SMTP_TX_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    tx = ngx_pcalloc(pool, sizeof(ngx_smtp_tx_t));
    if (tx == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    tx->pool = pool;
    tx->session = s;
    tx->refs = 1;
    tx->size = -1;
    tx->start = ngx_current_msec;

    ngx_queue_init(&tx->ops);
    ngx_queue_init(&tx->rcpts);
    ngx_queue_init(&tx->ahead);
    ngx_queue_init(&tx->added);
    ngx_queue_init(&tx->deliveries);

    tx->last_piece = &tx->pieces;

    tp = ngx_timeofday();

    (void) ngx_smtp_id_write(tx->id, (uint64_t) tp->sec * 1000 + tp->msec,
                             ngx_pid, ngx_smtp_tx_counter++);

    ngx_log_debug2(NGX_LOG_DEBUG_MAIL, s->connection->log, 0,
                   "smtp transaction %*s", (size_t) NGX_SMTP_ID_LEN, tx->id);

    return tx;
}


ngx_smtp_rcpt_t *
ngx_smtp_tx_rcpt(ngx_smtp_tx_t *tx, ngx_smtp_path_t *path)
{
    ngx_smtp_rcpt_t  *rcpt;

    rcpt = ngx_pcalloc(tx->pool, sizeof(ngx_smtp_rcpt_t));

    if (rcpt == NULL
        || ngx_smtp_tx_copy(tx, &rcpt->given, &path->addr) != NGX_OK)
    {
        return NULL;
    }

    rcpt->addr = rcpt->given;

    rcpt->local.len = path->local.len;
    rcpt->local.data = rcpt->given.data + (path->local.data
                                           - path->addr.data);

    rcpt->domain.len = path->domain.len;

    if (path->domain.len) {
        rcpt->domain.data = rcpt->given.data + (path->domain.data
                                                - path->addr.data);
    }

    return rcpt;
}


ngx_int_t
ngx_smtp_tx_rcpt_add(ngx_smtp_tx_t *tx, ngx_smtp_rcpt_t *rcpt)
{
    ngx_smtp_delivery_t  *d;

    d = ngx_smtp_delivery_of(tx, rcpt);

    if (d == NULL) {
        return NGX_ERROR;
    }

    rcpt->n = tx->nrcpts++;
    d->nrcpts++;

    ngx_queue_insert_tail(&tx->rcpts, &rcpt->queue);

    return NGX_OK;
}


ngx_int_t
ngx_smtp_tx_rcpt_move(ngx_smtp_tx_t *tx, ngx_smtp_rcpt_t *rcpt,
    ngx_smtp_dest_t *dest)
{
    ngx_smtp_delivery_t  *from, *to;

    from = ngx_smtp_delivery_of(tx, rcpt);

    if (from == NULL) {
        return NGX_ERROR;
    }

    from->nrcpts--;

    rcpt->dest = dest;
    rcpt->part = 0;

    to = ngx_smtp_delivery_of(tx, rcpt);

    if (to == NULL) {
        return NGX_ERROR;
    }

    to->nrcpts++;

    return NGX_OK;
}


void
ngx_smtp_tx_in_turn(ngx_smtp_tx_t *tx)
{
    ngx_queue_t      *q;
    ngx_smtp_rcpt_t  *rcpt;

    tx->in_turn = 1;

    for (q = ngx_queue_head(&tx->ahead);
         q != ngx_queue_sentinel(&tx->ahead);
         q = ngx_queue_next(q))
    {
        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);

        if (rcpt->ahead) {
            ngx_smtp_op_cancel(rcpt->ahead);
            rcpt->ahead = NULL;
        }
    }
}


ngx_int_t
ngx_smtp_tx_spool(ngx_smtp_tx_t *tx)
{
    tx->spool = ngx_smtp_tx_spool_make(tx);

    return tx->spool ? NGX_OK : NGX_ERROR;
}


ngx_smtp_spool_t *
ngx_smtp_tx_spool_make(ngx_smtp_tx_t *tx)
{
    ngx_smtp_spool_t    *spool;
    ngx_smtp_service_t  *service;

    service = tx->session->service;

    spool = ngx_pcalloc(tx->pool, sizeof(ngx_smtp_spool_t));
    if (spool == NULL) {
        return NULL;
    }

    spool->pool = tx->pool;
    spool->max_memory = service->body_buffer_size;
    spool->temp_path = &service->temp_path->name;
    spool->thread_pool = service->thread_pool;
    spool->hold = ngx_smtp_tx_spool_hold;
    spool->release = ngx_smtp_tx_spool_release;
    spool->owner = tx;

    return (ngx_smtp_spool_init(spool) == NGX_OK) ? spool : NULL;
}


static void
ngx_smtp_tx_spool_hold(void *owner)
{
    ngx_smtp_tx_hold(owner);
}


static void
ngx_smtp_tx_spool_release(void *owner)
{
    ngx_smtp_tx_release(owner);
}


void
ngx_smtp_tx_finish(ngx_smtp_tx_t *tx)
{
    ngx_smtp_session_t  *s;

    s = tx->session;

    ngx_smtp_op_cancel_all(&tx->ops);

    ngx_smtp_tx_stream_end(tx);
    ngx_smtp_tx_park(tx);

    ngx_smtp_phase_log(s, tx);

    ngx_smtp_remote_forward_free(s);

    s->tx = NULL;
    tx->session = NULL;

    ngx_smtp_tx_release(tx);
}


ngx_int_t
ngx_smtp_tx_piece_add(ngx_smtp_tx_t *tx, ngx_str_t *piece)
{
    ngx_chain_t  *cl;

    cl = ngx_chain_get_free_buf(tx->pool, &tx->free_pieces);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    cl->buf->memory = 1;
    cl->buf->pos = piece->data;
    cl->buf->last = piece->data + piece->len;

    *tx->last_piece = cl;
    tx->last_piece = &cl->next;

    tx->spool->size += piece->len;

    return NGX_OK;
}


ngx_int_t
ngx_smtp_tx_piece_copy(ngx_smtp_tx_t *tx, ngx_str_t *piece)
{
    size_t     len;
    ngx_buf_t  *b;
    ngx_str_t  part, rest;

    for (rest = *piece; rest.len; rest.data += len, rest.len -= len) {

        b = ngx_smtp_tx_copy_buffer(tx);
        if (b == NULL) {
            return NGX_ERROR;
        }

        len = ngx_min(rest.len, (size_t) (b->end - b->last));

        part.data = b->last;
        part.len = len;

        b->last = ngx_cpymem(b->last, rest.data, len);

        if (ngx_smtp_tx_piece_add(tx, &part) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* one with room; not more of them than one turn of reading fills */

static ngx_buf_t *
ngx_smtp_tx_copy_buffer(ngx_smtp_tx_t *tx)
{
    ngx_chain_t  *cl, **last;

    for (last = &tx->copies; *last; last = &(*last)->next) {
        if ((*last)->buf->last < (*last)->buf->end) {
            return (*last)->buf;
        }
    }

    cl = ngx_alloc_chain_link(tx->pool);
    if (cl == NULL) {
        return NULL;
    }

    cl->buf = ngx_create_temp_buf(tx->pool, NGX_SMTP_TX_COPY_SIZE);
    if (cl->buf == NULL) {
        return NULL;
    }

    cl->next = NULL;
    *last = cl;

    return cl->buf;
}


void
ngx_smtp_tx_pieces_free(ngx_smtp_tx_t *tx)
{
    ngx_chain_t  *cl;

    *tx->last_piece = tx->free_pieces;
    tx->free_pieces = tx->pieces;

    tx->pieces = NULL;
    tx->last_piece = &tx->pieces;

    for (cl = tx->copies; cl; cl = cl->next) {
        cl->buf->last = cl->buf->start;
    }
}


void
ngx_smtp_tx_fail(ngx_smtp_tx_t *tx, ngx_smtp_reply_e id)
{
    tx->failed = 1;
    ngx_smtp_verdict_set(&tx->verdict, id);

    ngx_smtp_tx_stream_end(tx);
}


void
ngx_smtp_tx_stream_end(ngx_smtp_tx_t *tx)
{
    ngx_smtp_delivery_t  *d;

    d = tx->stream;

    if (d) {
        tx->stream = NULL;
        ngx_smtp_tx_pieces_free(tx);

        d->dest->type->park(d);
    }
}


void
ngx_smtp_tx_park(ngx_smtp_tx_t *tx)
{
    ngx_queue_t          *q;
    ngx_smtp_delivery_t  *d;

    ngx_smtp_deliveries_each(q, tx) {
        d = ngx_smtp_deliveries_data(q);

        if (d->dest->type->park && d->worker) {
            d->dest->type->park(d);
        }
    }
}


void
ngx_smtp_tx_hold(ngx_smtp_tx_t *tx)
{
    tx->refs++;
}


void
ngx_smtp_tx_release(ngx_smtp_tx_t *tx)
{
    if (--tx->refs == 0) {
        ngx_destroy_pool(tx->pool);
    }
}


ngx_uint_t
ngx_smtp_tx_utf8_envelope(ngx_smtp_tx_t *tx)
{
    ngx_queue_t      *q;
    ngx_smtp_rcpt_t  *rcpt;

    if (!tx->utf8) {
        /* then there is none */
        return 0;
    }

    if (ngx_smtp_tx_is_8bit(&tx->mail_from)
        || (tx->rcpt && ngx_smtp_tx_is_8bit(&tx->rcpt->addr)))
    {
        return 1;
    }

    for (q = ngx_queue_head(&tx->rcpts);
         q != ngx_queue_sentinel(&tx->rcpts);
         q = ngx_queue_next(q))
    {
        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);

        if (ngx_smtp_tx_concerns(tx, rcpt)
            && ngx_smtp_tx_is_8bit(&rcpt->addr))
        {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_smtp_tx_utf8_message(ngx_smtp_tx_t *tx)
{
    return tx->utf8
           && (tx->mime.header_8bit || tx->mime.part_8bit
               || ngx_smtp_tx_utf8_envelope(tx));
}


void
ngx_smtp_tx_accepted(ngx_smtp_tx_t *tx, ngx_smtp_verdict_t *verdict)
{
    ngx_str_t  id;

    id.data = tx->id;
    id.len = NGX_SMTP_ID_LEN;

    if (ngx_smtp_verdict_set_arg(verdict, tx->pool, NGX_SMTP_REPLY_ACCEPTED,
                                 &id)
        != NGX_OK)
    {
        /* it has been taken, whatever happens */
        ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_OK);
    }
}


ngx_int_t
ngx_smtp_tx_copy(ngx_smtp_tx_t *tx, ngx_str_t *dst, ngx_str_t *src)
{
    if (src->len == 0) {
        ngx_str_null(dst);
        return NGX_OK;
    }

    dst->data = ngx_pnalloc(tx->pool, src->len);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, src->data, src->len);
    dst->len = src->len;

    return NGX_OK;
}

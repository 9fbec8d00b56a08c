
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_server.h>
#include <ngx_smtp_message.h>


/*
 * Content goes to the spool, counted and looked at on its way; then the
 * message is delivered, and the reply to its end is what came of that.  A
 * message that is refused meanwhile is read to its end all the same: the
 * reply has its place only there.
 */


/* pieces that are worth more than the memory that keeping them holds */
#define NGX_SMTP_MESSAGE_KEEP  32768


static void ngx_smtp_message_keep(ngx_smtp_tx_t *tx, ngx_str_t *piece,
    ngx_uint_t copy);
static void ngx_smtp_message_write(void *data, u_char *p, size_t len);
static void ngx_smtp_message_edit(ngx_smtp_tx_t *tx);
static void ngx_smtp_message_edited(ngx_smtp_tx_t *tx);
static ngx_uint_t ngx_smtp_message_strict(ngx_smtp_tx_t *tx,
    ngx_str_t *piece);
static ngx_uint_t ngx_smtp_message_header_8bit(ngx_smtp_tx_t *tx);
static ngx_uint_t ngx_smtp_message_long_line(ngx_smtp_tx_t *tx, u_char *p,
    u_char *last, size_t max);
static ngx_uint_t ngx_smtp_message_bare(ngx_smtp_tx_t *tx);
static void ngx_smtp_message_pushed(ngx_smtp_op_t *op);
static void ngx_smtp_message_flushed(ngx_smtp_op_t *op);
static void ngx_smtp_message_decided(ngx_smtp_session_t *s, ngx_int_t rc);
static void ngx_smtp_message_delivered(ngx_smtp_session_t *s, ngx_int_t rc);
static void ngx_smtp_message_undecided(ngx_smtp_tx_t *tx);
static void ngx_smtp_message_answer(ngx_smtp_session_t *s, ngx_int_t rc);
static void ngx_smtp_message_answer_each(ngx_smtp_session_t *s);
static ngx_uint_t ngx_smtp_message_uniform(ngx_smtp_tx_t *tx);


ngx_int_t
ngx_smtp_message_start(ngx_smtp_tx_t *tx)
{
    ngx_smtp_service_t  *service;

    service = tx->session->service;

    if (ngx_smtp_tx_spool(tx) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_smtp_message_undecided(tx);

    tx->data_start = ngx_current_msec;
    tx->dot.normalise = (service->bare_newline == NGX_SMTP_BARE_NORMALISE
                         && !tx->body_binary);

    return NGX_OK;
}


void
ngx_smtp_message_piece(ngx_smtp_tx_t *tx, ngx_str_t *piece)
{
    off_t  max;

    tx->bytes += piece->len;

    if (tx->failed) {
        return;
    }

    max = ngx_smtp_rights_max_size(tx->session);

    if (max && tx->bytes > max) {
        ngx_smtp_tx_fail(tx, NGX_SMTP_REPLY_TOO_BIG);
        return;
    }

    if (ngx_smtp_message_bare(tx)) {
        ngx_smtp_tx_fail(tx, NGX_SMTP_REPLY_BARE_IN_DATA);
        return;
    }

    if (tx->edit && !tx->edit->done) {
        ngx_smtp_edit_feed(tx->edit, piece->data, piece->data + piece->len);

    } else {
        ngx_smtp_message_keep(tx, piece, 0);
    }
}


/* what is kept or streamed, edited or not, is looked at now */

static void
ngx_smtp_message_keep(ngx_smtp_tx_t *tx, ngx_str_t *piece, ngx_uint_t copy)
{
    ngx_int_t   rc;
    ngx_uint_t  refused;

    if (tx->failed) {
        return;
    }

    if (!tx->header.done) {
        ngx_smtp_header_feed(&tx->header, piece->data,
                             piece->data + piece->len);

        if (tx->header.received > tx->session->service->max_received) {
            ngx_smtp_tx_fail(tx, NGX_SMTP_REPLY_LOOP);
            return;
        }
    }

    refused = ngx_smtp_message_strict(tx, piece);

    if (refused) {
        ngx_smtp_tx_fail(tx, refused);
        return;
    }

    if (tx->stream == NULL && !copy && piece->len >= NGX_SMTP_MESSAGE_KEEP) {
        rc = ngx_smtp_spool_keep(tx->spool, tx->session->in, piece->data,
                                 piece->len);

    } else if (tx->stream == NULL) {
        rc = ngx_smtp_spool_append(tx->spool, piece->data, piece->len);

    } else if (copy) {
        rc = ngx_smtp_tx_piece_copy(tx, piece);

    } else {
        rc = ngx_smtp_tx_piece_add(tx, piece);
    }

    if (rc != NGX_OK) {
        ngx_smtp_tx_fail(tx, NGX_SMTP_REPLY_LOCAL_ERROR);
    }
}


/* what passes the editor lies where it was read to, all else is its own */

static void
ngx_smtp_message_write(void *data, u_char *p, size_t len)
{
    ngx_smtp_tx_t *tx = data;

    ngx_buf_t  *b;
    ngx_str_t   piece;

    b = tx->session->in;

    piece.data = p;
    piece.len = len;

    ngx_smtp_message_keep(tx, &piece,
                          b == NULL || p < b->start || p >= b->end);
}


static void
ngx_smtp_message_edit(ngx_smtp_tx_t *tx)
{
    tx->edit->write = ngx_smtp_message_write;
    tx->edit->data = tx;

    if (tx->edit->fold) {
        tx->edit->fold->write = ngx_smtp_message_write;
        tx->edit->fold->data = tx;
    }
}


static void
ngx_smtp_message_edited(ngx_smtp_tx_t *tx)
{
    if (tx->edit == NULL || tx->failed) {
        return;
    }

    if (ngx_smtp_edit_end(tx->edit)) {
        tx->dot.state = ngx_smtp_dot_line;
    }

    tx->dot.dots += tx->edit->dots;
}


/* the reply that is due, or 0 */

static ngx_uint_t
ngx_smtp_message_strict(ngx_smtp_tx_t *tx, ngx_str_t *piece)
{
    u_char             *last;
    ngx_smtp_strict_t  *strict;

    strict = &tx->session->service->strict;

    last = piece->data + piece->len;

    /* RFC 5322, 4: it is no text; RFC 3030, 3: but octets may be anything */

    if (strict->nul == NGX_SMTP_STRICT_REJECT && !tx->body_binary
        && memchr(piece->data, '\0', piece->len))
    {
        return NGX_SMTP_REPLY_NUL_IN_DATA;
    }

    if (tx->utf8
        || (strict->header_8bit == NGX_SMTP_STRICT_REJECT
            && !tx->mime.inside))
    {
        ngx_smtp_mime_feed(&tx->mime, piece->data, last);
    }

    if (ngx_smtp_message_header_8bit(tx)) {
        return NGX_SMTP_REPLY_HEADER_8BIT;
    }

    if (strict->text_line && !tx->body_binary
        && ngx_smtp_message_long_line(tx, piece->data, last,
                                      strict->text_line))
    {
        return NGX_SMTP_REPLY_TEXT_LINE_TOO_LONG;
    }

    return 0;
}


static ngx_uint_t
ngx_smtp_message_header_8bit(ngx_smtp_tx_t *tx)
{
    return tx->mime.header_8bit && !tx->utf8;
}


/* RFC 5321, 4.5.3.1.6: its CRLF counts, a doubled dot does not */

static ngx_uint_t
ngx_smtp_message_long_line(ngx_smtp_tx_t *tx, u_char *p, u_char *last,
    size_t max)
{
    u_char  *lf;

    while (p < last) {
        lf = memchr(p, LF, last - p);

        tx->text_line += (lf ? lf + 1 : last) - p;

        if (tx->text_line > max) {
            return 1;
        }

        if (lf == NULL) {
            break;
        }

        tx->text_line = 0;
        p = lf + 1;
    }

    return 0;
}


/* is there a line end that is neither to be mended nor somebody's octets? */

static ngx_uint_t
ngx_smtp_message_bare(ngx_smtp_tx_t *tx)
{
    return tx->dot.bare && !tx->dot.normalise && !tx->body_binary;
}


ngx_int_t
ngx_smtp_message_opened(ngx_smtp_tx_t *tx, ngx_int_t rc)
{
    if (rc == NGX_OK || rc == NGX_DECLINED) {

        if (tx->edit) {
            ngx_smtp_message_edit(tx);
        }

        return NGX_OK;
    }

    tx->failed = 1;

    if (rc == NGX_ERROR || tx->verdict.code < 300) {
        ngx_smtp_verdict_set(&tx->verdict, NGX_SMTP_REPLY_LOCAL_ERROR);
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_smtp_message_flush(ngx_smtp_session_t *s)
{
    ngx_smtp_op_t  *op;

    op = &s->phase_op;

    if (s->tx->stream) {
        ngx_smtp_op_start(op, &s->ops, ngx_smtp_message_pushed, s,
                          s->connection->log);

        s->tx->stream->dest->type->push(s->tx->stream, op);

        return NGX_DONE;
    }

    ngx_smtp_op_start(op, &s->ops, ngx_smtp_message_flushed, s,
                      s->connection->log);

    ngx_smtp_spool_flush(s->tx->spool, op);

    return NGX_DONE;
}


/* the pieces are the kernel's, or the stream has broken */

static void
ngx_smtp_message_pushed(ngx_smtp_op_t *op)
{
    ngx_smtp_tx_t       *tx;
    ngx_smtp_session_t  *s;

    s = op->data;
    tx = s->tx;

    ngx_smtp_tx_pieces_free(tx);

    if (op->rc != NGX_OK) {
        tx->failed = 1;
        tx->verdict = tx->stream->verdict;

        ngx_smtp_tx_stream_end(tx);
    }

    ngx_smtp_session_resume(s);
}


static void
ngx_smtp_message_flushed(ngx_smtp_op_t *op)
{
    ngx_err_t            err;
    ngx_smtp_tx_t       *tx;
    ngx_smtp_session_t  *s;

    s = op->data;
    tx = s->tx;

    err = tx->spool->err;

    if (op->rc != NGX_OK) {
        ngx_smtp_tx_fail(tx, NGX_SMTP_REPLY_LOCAL_ERROR);

    } else if (err == NGX_ENOSPC || err == EDQUOT || err == EFBIG) {
        ngx_smtp_tx_fail(tx, NGX_SMTP_REPLY_NO_STORAGE);

    } else if (err) {
        ngx_smtp_tx_fail(tx, NGX_SMTP_REPLY_LOCAL_ERROR);
    }

    ngx_smtp_session_resume(s);
}


ngx_int_t
ngx_smtp_message_end(ngx_smtp_session_t *s)
{
    ngx_int_t       rc;
    ngx_smtp_tx_t  *tx;

    tx = s->tx;

    s->input = ngx_smtp_command_input;
    s->idle_commands = 0;

    if (s->connection->read->timer_set) {
        ngx_del_timer(s->connection->read);
    }

    tx->data_end = ngx_current_msec;

    ngx_smtp_message_edited(tx);

    ngx_smtp_mime_end(&tx->mime);

    if (ngx_smtp_message_bare(tx) && !tx->failed) {
        ngx_smtp_tx_fail(tx, NGX_SMTP_REPLY_BARE_IN_DATA);
    }

    if (ngx_smtp_message_header_8bit(tx) && !tx->failed) {
        ngx_smtp_tx_fail(tx, NGX_SMTP_REPLY_HEADER_8BIT);
    }

    if (tx->failed) {
        ngx_smtp_message_answer(s, NGX_DONE);
        return NGX_OK;
    }

    s->connection->log->action = "asking what to do with a message";

    rc = ngx_smtp_phase_run(s, NGX_SMTP_PHASE_MESSAGE,
                            ngx_smtp_message_decided);

    if (rc == NGX_OK) {
        s->connection->log->action = "delivering message";

        rc = ngx_smtp_phase_run(s, NGX_SMTP_PHASE_DELIVER,
                                ngx_smtp_message_delivered);
    }

    if (rc == NGX_AGAIN) {
        return NGX_DONE;
    }

    ngx_smtp_message_answer(s, rc);

    return NGX_OK;
}


static void
ngx_smtp_message_decided(ngx_smtp_session_t *s, ngx_int_t rc)
{
    if (rc == NGX_OK) {
        s->connection->log->action = "delivering message";

        rc = ngx_smtp_phase_run(s, NGX_SMTP_PHASE_DELIVER,
                                ngx_smtp_message_delivered);
    }

    if (rc != NGX_AGAIN) {
        ngx_smtp_message_delivered(s, rc);
    }
}


static void
ngx_smtp_message_delivered(ngx_smtp_session_t *s, ngx_int_t rc)
{
    ngx_smtp_message_answer(s, rc);

    ngx_smtp_session_resume(s);
}


/* what was said to RCPT has been said; the verdict is on the message now */

static void
ngx_smtp_message_undecided(ngx_smtp_tx_t *tx)
{
    ngx_queue_t      *q;
    ngx_smtp_rcpt_t  *rcpt;

    for (q = ngx_queue_head(&tx->rcpts);
         q != ngx_queue_sentinel(&tx->rcpts);
         q = ngx_queue_next(q))
    {
        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);
        rcpt->verdict.code = 0;
    }
}


static void
ngx_smtp_message_answer(ngx_smtp_session_t *s, ngx_int_t rc)
{
    ngx_smtp_tx_t  *tx;

    tx = s->tx;

    /* nobody took it: whatever was said before is no 2xx */

    if (rc == NGX_ERROR || tx->verdict.code == 0) {
        ngx_smtp_verdict_set(&tx->verdict, NGX_SMTP_REPLY_LOCAL_ERROR);
    }

    tx->result = (tx->verdict.code < 300) ? NGX_SMTP_TX_ACCEPTED
                                          : NGX_SMTP_TX_REFUSED;
    tx->deliver_time = ngx_current_msec - tx->data_end;

    if (s->service->lmtp) {
        ngx_smtp_message_answer_each(s);

    } else if (tx->prdr && !ngx_smtp_message_uniform(tx)) {

        /* draft-hall-prdr: theirs, in the order of RCPT, and then of all */

        ngx_smtp_reply(s, NGX_SMTP_REPLY_PRDR);
        ngx_smtp_message_answer_each(s);
        ngx_smtp_reply_verdict(s, &tx->verdict);

    } else {
        ngx_smtp_reply_verdict(s, &tx->verdict);
    }

    ngx_smtp_tx_finish(tx);
}


/* one answer for all of them will do: it is the same */

static ngx_uint_t
ngx_smtp_message_uniform(ngx_smtp_tx_t *tx)
{
    ngx_uint_t           code;
    ngx_queue_t         *q;
    ngx_smtp_rcpt_t     *rcpt;

    for (q = ngx_queue_head(&tx->rcpts);
         q != ngx_queue_sentinel(&tx->rcpts);
         q = ngx_queue_next(q))
    {
        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);
        code = rcpt->added ? 0 : rcpt->verdict.code;

        if (code && code / 100 != tx->verdict.code / 100) {
            return 0;
        }
    }

    return 1;
}


/* RFC 2033, 4.2: a reply per accepted recipient, in the order of RCPT */

static void
ngx_smtp_message_answer_each(ngx_smtp_session_t *s)
{
    ngx_queue_t         *q;
    ngx_smtp_tx_t       *tx;
    ngx_smtp_rcpt_t     *rcpt;

    tx = s->tx;

    for (q = ngx_queue_head(&tx->rcpts);
         q != ngx_queue_sentinel(&tx->rcpts);
         q = ngx_queue_next(q))
    {
        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);

        if (rcpt->added) {
            continue;
        }

        if (rcpt->verdict.code == 0) {
            rcpt->verdict = tx->verdict;
        }

        ngx_smtp_reply_verdict(s, &rcpt->verdict);
    }
}


void
ngx_smtp_message_refuse(ngx_smtp_session_t *s)
{
    ngx_smtp_tx_t  *tx;

    tx = s->tx;

    tx->data_end = ngx_current_msec;
    tx->result = NGX_SMTP_TX_REFUSED;

    ngx_smtp_reply_verdict(s, &tx->verdict);

    ngx_smtp_tx_finish(tx);
}

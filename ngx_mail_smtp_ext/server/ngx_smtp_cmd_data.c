
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_server.h>
#include <ngx_smtp_message.h>


/*
 * DATA, RFC 5321, 4.1.1.4: lines up to the end mark, with dots in front of
 * them doubled (4.5.2).
 */


static void ngx_smtp_data_opened(ngx_smtp_session_t *s, ngx_int_t rc);
static void ngx_smtp_data_answer(ngx_smtp_session_t *s, ngx_int_t rc);


ngx_int_t
ngx_smtp_command_data(ngx_smtp_session_t *s, ngx_str_t *args)
{
    ngx_int_t       rc;
    ngx_smtp_tx_t  *tx;

    tx = s->tx;

    if (tx == NULL) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_NEED_MAIL);
        return NGX_OK;
    }

    if (tx->chunked) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_CHUNKS_BEGUN);
        return NGX_OK;
    }

    if (tx->body_binary) {
        /* RFC 3030, 3 */
        ngx_smtp_reply(s, NGX_SMTP_REPLY_BINARY_BY_DATA);
        return NGX_OK;
    }

    if (tx->nrcpts == 0) {
        /* RFC 2033, 4.2 demands 503 */
        ngx_smtp_reply(s, tx->nrefused && !s->service->lmtp
                          ? NGX_SMTP_REPLY_NO_VALID_RCPT
                          : NGX_SMTP_REPLY_NEED_RCPT);
        return NGX_OK;
    }

    if (ngx_smtp_message_start(tx) != NGX_OK) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_INTERNAL);
        return NGX_OK;
    }

    rc = ngx_smtp_phase_run(s, NGX_SMTP_PHASE_OPEN, ngx_smtp_data_opened);

    if (rc == NGX_AGAIN) {
        return NGX_DONE;
    }

    ngx_smtp_data_answer(s, rc);

    return NGX_OK;
}


static void
ngx_smtp_data_opened(ngx_smtp_session_t *s, ngx_int_t rc)
{
    ngx_smtp_data_answer(s, rc);

    ngx_smtp_session_resume(s);
}


static void
ngx_smtp_data_answer(ngx_smtp_session_t *s, ngx_int_t rc)
{
    if (ngx_smtp_message_opened(s->tx, rc) != NGX_OK) {
        ngx_smtp_message_refuse(s);
        return;
    }

    s->input = ngx_smtp_data_input;

    ngx_smtp_reply(s, NGX_SMTP_REPLY_START_INPUT);
}


ngx_int_t
ngx_smtp_data_input(ngx_smtp_session_t *s)
{
    ngx_int_t       rc;
    ngx_str_t       piece;
    ngx_buf_t      *b;
    ngx_smtp_tx_t  *tx;

    b = s->in;
    tx = s->tx;

    if (b == NULL) {
        return NGX_AGAIN;
    }

    for ( ;; ) {
        rc = ngx_smtp_dot_decode(&tx->dot, &b->pos, b->last, &piece);

        if (rc == NGX_AGAIN) {
            return tx->pieces ? ngx_smtp_message_flush(s) : NGX_AGAIN;
        }

        if (rc == NGX_DONE) {
            return ngx_smtp_message_end(s);
        }

        ngx_smtp_message_piece(tx, &piece);

        if (tx->spool->full && !tx->failed) {
            return ngx_smtp_message_flush(s);
        }
    }
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_server.h>
#include <ngx_smtp_esmtp.h>


/*
 * RCPTs that stand in the pipeline right behind the one that is being
 * executed (RFC 2920, 3.1) are read before their turn, so that services can be
 * asked about them at the same time.  They stay in the buffer: each is executed
 * in its turn as ever, takes what was read here, and waits for what was asked
 * then.  So replies come in order, and nothing but an answer is known earlier.
 *
 * The first line that is not a good RCPT is the end of it.
 */


static ngx_int_t ngx_smtp_ahead_read(ngx_smtp_session_t *s, ngx_str_t *line);
static ngx_smtp_rcpt_t *ngx_smtp_ahead_rcpt(ngx_smtp_session_t *s,
    ngx_str_t *args);
static void ngx_smtp_ahead_ask(ngx_smtp_session_t *s, ngx_smtp_rcpt_t *rcpt);


void
ngx_smtp_ahead(ngx_smtp_session_t *s)
{
    ngx_buf_t        b;
    ngx_uint_t       skip, room;
    ngx_smtp_tx_t   *tx;
    ngx_smtp_line_t  line;

    tx = s->tx;
    room = ngx_smtp_phase_room(tx);

    if (room <= tx->nahead) {
        return;
    }

    room -= tx->nahead;
    skip = tx->nahead;

    ngx_memzero(&line, sizeof(ngx_smtp_line_t));
    line.normalise = s->line.normalise;

    b = *s->in;

    while (room
           && ngx_smtp_line_next(&line, &b, s->service->line_size) == NGX_OK)
    {
        if (skip) {
            skip--;
            continue;
        }

        if (ngx_smtp_ahead_read(s, &line.text) != NGX_OK) {
            return;
        }

        room--;
    }
}


static ngx_int_t
ngx_smtp_ahead_read(ngx_smtp_session_t *s, ngx_str_t *line)
{
    ngx_str_t         verb, args;
    ngx_smtp_tx_t    *tx;
    ngx_smtp_rcpt_t  *rcpt;

    tx = s->tx;

    ngx_smtp_command_split(line, &verb, &args);

    if (verb.len != 4
        || ngx_strncasecmp(verb.data, (u_char *) "RCPT", 4) != 0
        || tx->nrcpts + tx->nahead + 1 >= ngx_smtp_rights_max_rcpt(s))
    {
        return NGX_DECLINED;
    }

    rcpt = ngx_smtp_ahead_rcpt(s, &args);

    if (rcpt == NULL) {
        return NGX_DECLINED;
    }

    ngx_queue_insert_tail(&tx->ahead, &rcpt->queue);
    tx->nahead++;

    ngx_smtp_ahead_ask(s, rcpt);

    return NGX_OK;
}


/* NULL: what is wrong with it is said in its turn */

static ngx_smtp_rcpt_t *
ngx_smtp_ahead_rcpt(ngx_smtp_session_t *s, ngx_str_t *args)
{
    u_char           *p;
    ngx_str_t         name;
    ngx_uint_t        wrong;
    ngx_smtp_tx_t    *tx;
    ngx_smtp_path_t   path;
    ngx_smtp_rcpt_t  *rcpt, *present;

    tx = s->tx;

    if (ngx_smtp_rcpt_path(s, args, &p, &path) != 0) {
        return NULL;
    }

    rcpt = ngx_smtp_tx_rcpt(tx, &path);

    if (rcpt == NULL) {
        return NULL;
    }

    present = tx->rcpt;
    tx->rcpt = rcpt;

    wrong = ngx_smtp_esmtp_read(s, tx, 1, p, args->data + args->len, &name);

    tx->rcpt = present;

    return wrong ? NULL : rcpt;
}


static void
ngx_smtp_ahead_ask(ngx_smtp_session_t *s, ngx_smtp_rcpt_t *rcpt)
{
    ngx_int_t         rc;
    ngx_smtp_op_t    *op;
    ngx_smtp_tx_t    *tx;
    ngx_smtp_rcpt_t  *present;

    tx = s->tx;

    op = ngx_palloc(tx->pool, sizeof(ngx_smtp_op_t));

    if (op == NULL) {
        return;
    }

    ngx_smtp_op_start(op, &tx->ops, NULL, NULL, s->connection->log);

    present = tx->rcpt;
    tx->rcpt = rcpt;

    rc = ngx_smtp_phase_ahead(s, tx, op);

    tx->rcpt = present;

    if (rc == NGX_AGAIN) {
        rcpt->ahead = op;
        return;
    }

    ngx_smtp_op_cancel(op);
}


ngx_smtp_rcpt_t *
ngx_smtp_ahead_take(ngx_smtp_tx_t *tx, ngx_str_t *addr)
{
    ngx_queue_t      *q;
    ngx_smtp_rcpt_t  *rcpt;

    if (tx->nahead == 0) {
        return NULL;
    }

    q = ngx_queue_head(&tx->ahead);
    rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);

    ngx_queue_remove(q);
    tx->nahead--;

    /* lines come in order; yet nobody is taken for what others are good for */

    if (rcpt->given.len != addr->len
        || ngx_memcmp(rcpt->given.data, addr->data, addr->len) != 0)
    {
        ngx_log_error(NGX_LOG_ALERT, tx->session->connection->log, 0,
                      "recipient \"%V\" was read ahead, \"%V\" has come",
                      &rcpt->given, addr);

        if (rcpt->ahead) {
            ngx_smtp_op_cancel(rcpt->ahead);
        }

        return NULL;
    }

    /* the RCPT phase begins anew */

    rcpt->addr = rcpt->given;
    rcpt->dest = NULL;
    rcpt->allowed = 0;

    ngx_memzero(&rcpt->verdict, sizeof(ngx_smtp_verdict_t));

    return rcpt;
}

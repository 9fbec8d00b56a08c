
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>


/*
 * The engine that runs the rows of a phase, one after the other, and waits
 * for those that need to.
 */


static ngx_int_t ngx_smtp_phase_rows(ngx_smtp_session_t *s);
static void ngx_smtp_phase_op_done(ngx_smtp_op_t *op);
static ngx_int_t ngx_smtp_phase_now(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_phase_e phase, ngx_smtp_op_t *op);


ngx_int_t
ngx_smtp_phase_run(ngx_smtp_session_t *s, ngx_smtp_phase_e phase,
    void (*done)(ngx_smtp_session_t *s, ngx_int_t rc))
{
    ngx_uint_t  i;

    for (i = 0; ngx_smtp_phase_table[i].handler; i++) {
        if (ngx_smtp_phase_table[i].phase == phase) {
            s->phase_row = i;
            s->phase_done = done;

            return ngx_smtp_phase_rows(s);
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_phase_rows(ngx_smtp_session_t *s)
{
    ngx_int_t                rc;
    const ngx_smtp_phase_t  *row, *first;

    first = &ngx_smtp_phase_table[s->phase_row];

    for (row = first; row->handler && row->phase == first->phase; row++) {

        ngx_smtp_op_start(&s->phase_op, &s->ops, ngx_smtp_phase_op_done, s,
                          s->connection->log);

        rc = row->handler(s, s->tx, &s->phase_op);

        if (rc == NGX_AGAIN) {
            s->phase_row = row - ngx_smtp_phase_table;
            return NGX_AGAIN;
        }

        ngx_smtp_op_cancel(&s->phase_op);

        if (rc != NGX_OK && rc != NGX_DECLINED) {
            return rc;
        }
    }

    return NGX_OK;
}


static void
ngx_smtp_phase_op_done(ngx_smtp_op_t *op)
{
    ngx_int_t                rc;
    ngx_smtp_session_t      *s;
    const ngx_smtp_phase_t  *row;

    s = op->data;
    rc = op->rc;

    if (rc == NGX_OK || rc == NGX_DECLINED) {

        row = &ngx_smtp_phase_table[s->phase_row];

        if (row[1].handler && row[1].phase == row->phase) {
            s->phase_row++;
            rc = ngx_smtp_phase_rows(s);

        } else {
            rc = NGX_OK;
        }
    }

    if (rc != NGX_AGAIN) {
        s->phase_done(s, rc);
    }
}


ngx_int_t
ngx_smtp_phase_ahead(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    return ngx_smtp_phase_now(s, tx, NGX_SMTP_PHASE_AHEAD, op);
}


ngx_int_t
ngx_smtp_phase_add(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx)
{
    return ngx_smtp_phase_now(s, tx, NGX_SMTP_PHASE_ADD, NULL);
}


/* a phase beside the one that runs */

static ngx_int_t
ngx_smtp_phase_now(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_phase_e phase, ngx_smtp_op_t *op)
{
    ngx_int_t   rc;
    ngx_uint_t  i;

    for (i = 0; ngx_smtp_phase_table[i].handler; i++) {

        if (ngx_smtp_phase_table[i].phase != phase) {
            continue;
        }

        rc = ngx_smtp_phase_table[i].handler(s, tx, op);

        if (rc != NGX_OK && rc != NGX_DECLINED) {
            return rc;
        }
    }

    return NGX_OK;
}


void
ngx_smtp_phase_log(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx)
{
    ngx_uint_t  i;

    for (i = 0; ngx_smtp_phase_table[i].handler; i++) {
        if (ngx_smtp_phase_table[i].phase == NGX_SMTP_PHASE_LOG) {
            (void) ngx_smtp_phase_table[i].handler(s, tx, NULL);
        }
    }
}

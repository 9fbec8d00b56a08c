
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_op.h>


/*
 * An operation is in its owner's list from start to completion or cancel.
 * The completion is a posted event, so that done() never runs below the
 * function that started the work, nor below the handler that ended it.
 */


static void ngx_smtp_op_handler(ngx_event_t *ev);
static void ngx_smtp_op_detach(ngx_smtp_op_t *op);


/* what debug logging of events takes for the event's connection */
static ngx_connection_t  ngx_smtp_op_connection;


void
ngx_smtp_op_start(ngx_smtp_op_t *op, ngx_queue_t *owner, ngx_smtp_op_pt done,
    void *data, ngx_log_t *log)
{
    ngx_smtp_op_connection.fd = (ngx_socket_t) -1;

    ngx_memzero(op, sizeof(ngx_smtp_op_t));

    op->event.handler = ngx_smtp_op_handler;
    op->event.data = &ngx_smtp_op_connection;
    op->event.log = log;

    op->done = done;
    op->data = data;

    op->rc = NGX_AGAIN;
    op->active = 1;

    ngx_queue_insert_tail(owner, &op->queue);

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, log, 0, "smtp op %p start", op);
}


void
ngx_smtp_op_finish(ngx_smtp_op_t *op, ngx_int_t rc)
{
    if (!op->active || op->event.posted) {
        ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                      "smtp op %p finished twice", op);
        return;
    }

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, op->event.log, 0,
                   "smtp op %p finish: %i", op, rc);

    op->rc = rc;
    op->cancel = NULL;
    op->worker = NULL;

    ngx_post_event(&op->event, &ngx_posted_events);
}


void
ngx_smtp_op_cancel(ngx_smtp_op_t *op)
{
    ngx_smtp_op_pt  cancel;

    if (!op->active) {
        return;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, op->event.log, 0,
                   "smtp op %p cancel", op);

    ngx_smtp_op_detach(op);

    if (op->event.posted) {
        ngx_delete_posted_event(&op->event);
    }

    cancel = op->cancel;
    op->cancel = NULL;

    if (cancel) {
        cancel(op);
    }
}


void
ngx_smtp_op_cancel_all(ngx_queue_t *owner)
{
    ngx_queue_t  *q;

    /* from the head each time: a cancel() may cancel operations behind it */

    while (!ngx_queue_empty(owner)) {
        q = ngx_queue_head(owner);

        ngx_smtp_op_cancel(ngx_queue_data(q, ngx_smtp_op_t, queue));
    }
}


static void
ngx_smtp_op_handler(ngx_event_t *ev)
{
    ngx_smtp_op_t  *op;

    op = (ngx_smtp_op_t *) ((u_char *) ev - offsetof(ngx_smtp_op_t, event));

    ngx_log_debug2(NGX_LOG_DEBUG_EVENT, ev->log, 0,
                   "smtp op %p done: %i", op, op->rc);

    ngx_smtp_op_detach(op);

    op->done(op);
}


static void
ngx_smtp_op_detach(ngx_smtp_op_t *op)
{
    ngx_queue_remove(&op->queue);

    op->active = 0;
}

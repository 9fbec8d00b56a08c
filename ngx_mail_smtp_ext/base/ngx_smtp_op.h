
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * The operation: everything that is waited for.  Who waits starts it in a
 * list of its own and is told once, from the event loop and never from inside
 * the starting call; or cancels it and is not told at all.
 */


#ifndef _NGX_SMTP_OP_H_INCLUDED_
#define _NGX_SMTP_OP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


typedef struct ngx_smtp_op_s  ngx_smtp_op_t;

typedef void (*ngx_smtp_op_pt)(ngx_smtp_op_t *op);


struct ngx_smtp_op_s {
    ngx_event_t       event;     /* carries the completion; private */
    ngx_queue_t       queue;     /* in the owner's list */

    ngx_smtp_op_pt    done;      /* the waiter's; op->rc has the outcome */
    void             *data;      /* the waiter's */

    ngx_smtp_op_pt    cancel;    /* the worker's: give up, free what is held;
                                    must not call ngx_smtp_op_finish() */
    void             *worker;    /* the worker's */

    ngx_int_t         rc;

    unsigned          active:1;
};


/*
 * Called by the waiter, before the function that does the work is called with
 * op.  owner is the list (a queue head) of the session or transaction; log
 * must live as long as op.  op's memory belongs to the waiter and must stay
 * until done() has been called or ngx_smtp_op_cancel() has returned.
 */
void ngx_smtp_op_start(ngx_smtp_op_t *op, ngx_queue_t *owner,
    ngx_smtp_op_pt done, void *data, ngx_log_t *log);

/*
 * Called by the worker, once.  Posts an event that takes op out of the
 * owner's list and calls done().  From here on cancel() is not called.
 */
void ngx_smtp_op_finish(ngx_smtp_op_t *op, ngx_int_t rc);

/* By the waiter: done() will not be called.  No-op on an op not active. */
void ngx_smtp_op_cancel(ngx_smtp_op_t *op);
void ngx_smtp_op_cancel_all(ngx_queue_t *owner);


#endif /* _NGX_SMTP_OP_H_INCLUDED_ */

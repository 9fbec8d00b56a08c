
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_op.h>
#include <ngx_smtp_thread.h>


/*
 * The task holds the only pointer from the pool's threads to the structure;
 * the structure holds the only pointer to op, which a cancel clears.  Both
 * are touched in the event loop alone.
 */


static void ngx_smtp_thread_complete(ngx_smtp_thread_t *thread, ngx_int_t rc);

#if (NGX_THREADS)
static void ngx_smtp_thread_cancel(ngx_smtp_op_t *op);
static void ngx_smtp_thread_work(void *data, ngx_log_t *log);
static void ngx_smtp_thread_handler(ngx_event_t *ev);
#endif


void
ngx_smtp_thread_run(ngx_smtp_thread_t *thread, ngx_thread_pool_t *tp,
    ngx_smtp_op_t *op)
{
    thread->op = op;

#if (NGX_THREADS)

    if (tp) {
        ngx_memzero(&thread->task, sizeof(ngx_thread_task_t));

        thread->task.ctx = thread;
        thread->task.handler = ngx_smtp_thread_work;
        thread->task.event.data = thread;
        thread->task.event.handler = ngx_smtp_thread_handler;

        if (ngx_thread_task_post(tp, &thread->task) != NGX_OK) {
            ngx_smtp_thread_complete(thread, NGX_ERROR);
            return;
        }

        op->worker = thread;
        op->cancel = ngx_smtp_thread_cancel;

        return;
    }

#endif

    thread->work(thread->data, op->event.log);

    ngx_smtp_thread_complete(thread, NGX_OK);
}


static void
ngx_smtp_thread_complete(ngx_smtp_thread_t *thread, ngx_int_t rc)
{
    void           *data;
    void          (*release)(void *data);
    ngx_smtp_op_t  *op;

    /* release() may free the memory that thread itself is in */

    op = thread->op;
    data = thread->data;
    release = thread->release;

    thread->op = NULL;

    if (op) {
        ngx_smtp_op_finish(op, rc);
    }

    release(data);
}


#if (NGX_THREADS)

static void
ngx_smtp_thread_cancel(ngx_smtp_op_t *op)
{
    ngx_smtp_thread_t  *thread;

    thread = op->worker;
    thread->op = NULL;
}


/* in the thread: nothing of op or of the loop may be touched */

static void
ngx_smtp_thread_work(void *data, ngx_log_t *log)
{
    ngx_smtp_thread_t  *thread;

    thread = data;

    thread->work(thread->data, log);
}


static void
ngx_smtp_thread_handler(ngx_event_t *ev)
{
    ngx_smtp_thread_complete(ev->data, NGX_OK);
}

#endif

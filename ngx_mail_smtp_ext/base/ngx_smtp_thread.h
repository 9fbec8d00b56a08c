
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Work that would block, done in a thread pool.  A thread can't be stopped:
 * when the waiter goes away the work goes on alone, so what it touches has to
 * be held until release() is called.
 */


#ifndef _NGX_SMTP_THREAD_H_INCLUDED_
#define _NGX_SMTP_THREAD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_op.h>


#if (NGX_THREADS)
#include <ngx_thread_pool.h>
#else
typedef void  ngx_thread_pool_t;
#endif


typedef struct ngx_smtp_thread_s  ngx_smtp_thread_t;

/* the structure's memory is the caller's and must stay until release() */
struct ngx_smtp_thread_s {
    void             (*work)(void *data, ngx_log_t *log);   /* in the thread */
    void             (*release)(void *data);     /* in the loop, afterwards,
                                                    cancelled or not */
    void              *data;

    /* private */
    ngx_smtp_op_t     *op;
#if (NGX_THREADS)
    ngx_thread_task_t  task;
#endif
};


/*
 * Runs thread->work(data) in tp, then in the event loop release(data) and the
 * completion of op with NGX_OK; how the work went is in data.  op finishes
 * with NGX_ERROR when the task can't be queued (release() has then been
 * called, work() has not).  Cancelling op leaves the work running.  Without
 * NGX_THREADS or with tp NULL the work is done at once, in the loop.
 */
void ngx_smtp_thread_run(ngx_smtp_thread_t *thread, ngx_thread_pool_t *tp,
    ngx_smtp_op_t *op);


#endif /* _NGX_SMTP_THREAD_H_INCLUDED_ */

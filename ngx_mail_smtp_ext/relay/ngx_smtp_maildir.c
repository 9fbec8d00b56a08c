
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_esmtp.h>
#include <ngx_smtp_received.h>
#include <ngx_smtp_maildir.h>


/*
 * The destination "maildir:/path": final delivery, RFC 5321, 4.4, of one copy
 * of a message for all its recipients.  This is the part in the event loop;
 * the file is written in a thread, by ngx_smtp_maildir_file.c.
 *
 * Names: seconds.M<microseconds>P<process>Q<counter>.<host>,S=<size>.
 */


typedef struct {
    ngx_smtp_tx_t              *tx;
    ngx_smtp_delivery_t        *delivery;
    ngx_smtp_op_t              *waiter;    /* NULL: cancelled */
    ngx_smtp_op_t               op;
    ngx_smtp_thread_t           thread;
    ngx_smtp_maildir_conf_t    *conf;
    ngx_smtp_maildir_file_t     file;
    ngx_uint_t                  full;      /* NGX_SMTP_MAILDIR_FULL_* */
    ngx_uint_t                  held;      /* written, not yet published */
} ngx_smtp_maildir_t;


extern ngx_module_t  ngx_mail_smtp_ext_maildir_module;


static char *ngx_smtp_maildir_parse(ngx_conf_t *cf, ngx_smtp_dest_t *dest,
    ngx_str_t *rest);
static ngx_int_t ngx_smtp_maildir_verify(ngx_smtp_delivery_t *d,
    ngx_smtp_op_t *op);
static ngx_smtp_maildir_t *ngx_smtp_maildir_create(ngx_smtp_delivery_t *d,
    ngx_smtp_op_t *op);
static void ngx_smtp_maildir_start(ngx_smtp_maildir_t *m,
    void (*work)(void *data, ngx_log_t *log), ngx_smtp_op_pt done);
static void ngx_smtp_maildir_verify_work(void *data, ngx_log_t *log);
static void ngx_smtp_maildir_verified(ngx_smtp_op_t *op);
static void ngx_smtp_maildir_full(ngx_smtp_maildir_t *m,
    ngx_smtp_verdict_t *verdict);
static void ngx_smtp_maildir_deliver(ngx_smtp_delivery_t *d,
    ngx_smtp_op_t *op);
static void ngx_smtp_maildir_written(ngx_smtp_op_t *op);
static void ngx_smtp_maildir_commit(ngx_smtp_delivery_t *d);
static ngx_int_t ngx_smtp_maildir_prepare(ngx_smtp_maildir_t *m);
static ngx_int_t ngx_smtp_maildir_header(ngx_smtp_maildir_t *m);
static ngx_int_t ngx_smtp_maildir_names(ngx_smtp_maildir_t *m);
static u_char *ngx_smtp_maildir_host(u_char *p);
static void ngx_smtp_maildir_work(void *data, ngx_log_t *log);
static void ngx_smtp_maildir_write_work(void *data, ngx_log_t *log);
static void ngx_smtp_maildir_publish_work(void *data, ngx_log_t *log);
static void ngx_smtp_maildir_release(void *data);
static void ngx_smtp_maildir_done(ngx_smtp_op_t *op);
static void ngx_smtp_maildir_verdict(ngx_smtp_maildir_t *m);
static void ngx_smtp_maildir_cancel(ngx_smtp_op_t *op);


const ngx_smtp_dest_type_t  ngx_smtp_dest_maildir = {
    ngx_string("maildir:"),
    ngx_smtp_maildir_parse,
    ngx_smtp_maildir_verify,
    NULL,                                  /* park */
    ngx_smtp_maildir_deliver,
    ngx_smtp_maildir_commit,
    NULL,                                  /* stream */
    NULL,                                  /* push */
    NULL,                                  /* query */
    ngx_smtp_maildir_path_resolve,
    0                                      /* each */
};


/*
 * Nothing is told to a sender by it (DSN: smtp_success_report does), nothing
 * held back (FUTURERELEASE) or to be asked for later (MTRK), and nobody knows
 * since when a mailbox has been whose (RRVS).  Lines are kept with LF, so what
 * need not be lines can't be kept (BINARYMIME).  There are no lists to be
 * expanded (EXPN), and no queues to be started (ETRN).
 */

static ngx_smtp_caps_t  ngx_smtp_maildir_caps = {
    ~(ngx_uint_t) (NGX_SMTP_EXT_DSN|NGX_SMTP_EXT_RELEASE|NGX_SMTP_EXT_RRVS
                   |NGX_SMTP_EXT_MTRK|NGX_SMTP_EXT_BINARYMIME
                   |NGX_SMTP_EXT_EXPN|NGX_SMTP_EXT_ETRN),
    0,                           /* size */
    0,                           /* auth */
    0, 0,                        /* xclient, xforward */
    0, 0, 0,                     /* LIMITS */
    0,                           /* by_min */
    0, 0,                        /* FUTURERELEASE */
    1,                           /* known */
    1,                           /* fixed */
    1,                           /* secure: it does not leave the machine */
    0                            /* logged_in */
};


static ngx_uint_t  ngx_smtp_maildir_counter;


static char *
ngx_smtp_maildir_parse(ngx_conf_t *cf, ngx_smtp_dest_t *dest, ngx_str_t *rest)
{
    char                     *rv;
    ngx_smtp_maildir_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_maildir_conf_t));
    if (conf == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->path = *rest;

    rv = ngx_smtp_maildir_path_parse(cf, conf);

    if (rv == NGX_CONF_OK) {
        ngx_smtp_maildir_path_check(cf, conf);

        dest->conf = conf;
        dest->caps = &ngx_smtp_maildir_caps;
        dest->mailbox = 1;
        dest->many = (conf->parts != NULL);
    }

    return rv;
}


/*
 * With a quota it is found out now whether the mailbox is full, as long as the
 * client can still tell whose it is.
 */

static ngx_int_t
ngx_smtp_maildir_verify(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op)
{
    ngx_smtp_tx_t                         *tx;
    ngx_smtp_maildir_t                    *m;
    ngx_mail_smtp_ext_maildir_srv_conf_t  *mscf;

    tx = d->tx;

    mscf = ngx_smtp_session_srv_conf(tx->session,
                                     ngx_mail_smtp_ext_maildir_module);

    if (mscf->quota_mode == NGX_SMTP_MAILDIR_QUOTA_OFF) {
        return NGX_OK;
    }

    m = ngx_smtp_maildir_create(d, op);
    if (m == NULL) {
        return NGX_ERROR;
    }

    m->file.room.more.size = ngx_max(tx->size, 0);

    ngx_smtp_maildir_start(m, ngx_smtp_maildir_verify_work,
                           ngx_smtp_maildir_verified);

    return NGX_AGAIN;
}


static ngx_smtp_maildir_t *
ngx_smtp_maildir_create(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op)
{
    ngx_smtp_tx_t                         *tx;
    ngx_smtp_maildir_t                    *m;
    ngx_smtp_maildir_room_t               *room;
    ngx_mail_smtp_ext_maildir_srv_conf_t  *mscf;

    tx = d->tx;

    mscf = ngx_smtp_session_srv_conf(tx->session,
                                     ngx_mail_smtp_ext_maildir_module);

    m = ngx_pcalloc(tx->pool, sizeof(ngx_smtp_maildir_t));
    if (m == NULL) {
        return NULL;
    }

    m->tx = tx;
    m->delivery = d;
    m->conf = d->dest->conf;
    m->waiter = op;
    m->full = mscf->full;

    op->worker = m;
    op->cancel = ngx_smtp_maildir_cancel;

    m->file.path = m->conf->path;
    m->file.fixed = m->conf->fixed;
    m->file.ready = m->conf->ready;
    m->file.id.data = tx->id;
    m->file.id.len = NGX_SMTP_ID_LEN;
    m->file.fd = NGX_INVALID_FILE;

    room = &m->file.room;

    room->path = m->conf->path;
    room->mode = mscf->quota_mode;
    room->quota = mscf->quota;
    room->more.messages = 1;
    room->cancelled = &m->file.cancelled;

    return m;
}


/* an operation of our own: a cancel has to reach the thread as well */

static void
ngx_smtp_maildir_start(ngx_smtp_maildir_t *m,
    void (*work)(void *data, ngx_log_t *log), ngx_smtp_op_pt done)
{
    ngx_smtp_tx_t  *tx;

    tx = m->tx;

    ngx_smtp_op_start(&m->op, &tx->ops, done, m, tx->session->connection->log);

    m->thread.work = work;
    m->thread.release = ngx_smtp_maildir_release;
    m->thread.data = m;

    ngx_smtp_tx_hold(tx);

    ngx_smtp_thread_run(&m->thread, tx->session->service->thread_pool, &m->op);
}


static void
ngx_smtp_maildir_verify_work(void *data, ngx_log_t *log)
{
    ngx_smtp_maildir_t  *m = data;

    /* what can't be found out now will be when the message is there */

    (void) ngx_smtp_maildir_quota_check(&m->file.room, log);
}


static void
ngx_smtp_maildir_verified(ngx_smtp_op_t *op)
{
    ngx_smtp_maildir_t  *m;

    m = op->data;

    if (m->file.room.full) {
        ngx_smtp_maildir_full(m, &m->tx->rcpt->verdict);
    }

    ngx_smtp_op_finish(m->waiter, m->file.room.full ? NGX_DONE : NGX_OK);
}


static void
ngx_smtp_maildir_full(ngx_smtp_maildir_t *m, ngx_smtp_verdict_t *verdict)
{
    if (m->file.room.huge) {
        ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_MAILBOX_SMALL);
        return;
    }

    ngx_smtp_verdict_set(verdict, m->full == NGX_SMTP_MAILDIR_FULL_PERMANENT
                                  ? NGX_SMTP_REPLY_MAILBOX_FULL_5
                                  : NGX_SMTP_REPLY_MAILBOX_FULL);
}


static void
ngx_smtp_maildir_deliver(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op)
{
    ngx_smtp_maildir_t  *m;

    d->log.addr = d->dest->url;

    m = ngx_smtp_maildir_create(d, op);

    if (m == NULL || ngx_smtp_maildir_prepare(m) != NGX_OK) {
        ngx_smtp_verdict_set(&d->verdict, NGX_SMTP_REPLY_LOCAL_ERROR);
        ngx_smtp_op_finish(op, NGX_OK);
        return;
    }

    d->worker = m;

    if (d->hold) {
        ngx_smtp_maildir_start(m, ngx_smtp_maildir_write_work,
                               ngx_smtp_maildir_written);
        return;
    }

    ngx_smtp_maildir_start(m, ngx_smtp_maildir_work, ngx_smtp_maildir_done);
}


/* the file lies in tmp/, complete and synced, and nobody looks there */

static void
ngx_smtp_maildir_written(ngx_smtp_op_t *op)
{
    ngx_smtp_maildir_t  *m;

    m = op->data;

    if (!m->file.written) {
        ngx_smtp_maildir_done(op);
        return;
    }

    m->held = 1;

    ngx_smtp_delivery_ready(m->delivery);
}


static void
ngx_smtp_maildir_commit(ngx_smtp_delivery_t *d)
{
    ngx_smtp_maildir_t  *m;

    m = d->worker;
    m->held = 0;

    ngx_smtp_maildir_start(m, ngx_smtp_maildir_publish_work,
                           ngx_smtp_maildir_done);
}


static ngx_int_t
ngx_smtp_maildir_prepare(ngx_smtp_maildir_t *m)
{
    m->file.spool = m->tx->spool;

    if (ngx_smtp_maildir_header(m) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_smtp_maildir_names(m);
}


static ngx_int_t
ngx_smtp_maildir_header(ngx_smtp_maildir_t *m)
{
    u_char         *p;
    size_t          size;
    ngx_smtp_tx_t  *tx;

    tx = m->tx;

    if (ngx_smtp_received_write(tx) != NGX_OK) {
        return NGX_ERROR;
    }

    size = sizeof("Return-Path: <>" CRLF) - 1 + tx->mail_from.len
           + tx->received.len;

    p = ngx_pnalloc(tx->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    m->file.header.data = p;
    m->file.header.len = ngx_sprintf(p, "Return-Path: <%V>" CRLF "%V",
                                     &tx->mail_from, &tx->received)
                         - p;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_maildir_names(ngx_smtp_maildir_t *m)
{
    u_char                   *p, *tmp;
    size_t                    size;
    struct timeval            tv;
    ngx_smtp_maildir_file_t  *mf;

    mf = &m->file;

    size = mf->path.len + NGX_SMTP_MAILDIR_TAIL;

    mf->tmp_name = ngx_pnalloc(m->tx->pool, 2 * size);
    if (mf->tmp_name == NULL) {
        return NGX_ERROR;
    }

    mf->new_name = mf->tmp_name + size;

    ngx_gettimeofday(&tv);

    p = ngx_sprintf(mf->tmp_name, "%V/", &mf->path);
    tmp = p;

    p = ngx_sprintf(p, "tmp/%T.M%06lP%PQ%ui.", tv.tv_sec, (long) tv.tv_usec,
                    ngx_pid, ngx_smtp_maildir_counter++);
    p = ngx_smtp_maildir_host(p);
    *p++ = '\0';

    ngx_memcpy(mf->new_name, mf->tmp_name, p - mf->tmp_name);
    ngx_memcpy(mf->new_name + (tmp - mf->tmp_name), "new", 3);

    return NGX_OK;
}


static u_char *
ngx_smtp_maildir_host(u_char *p)
{
    u_char      ch;
    ngx_uint_t  i;

    for (i = 0; i < ngx_cycle->hostname.len; i++) {
        ch = ngx_cycle->hostname.data[i];

        if (ch == '/' || ch == ':') {
            p = ngx_sprintf(p, "\\%ui%ui%ui", (ngx_uint_t) ch >> 6,
                            (ngx_uint_t) (ch >> 3) & 7, (ngx_uint_t) ch & 7);
            continue;
        }

        *p++ = ch;
    }

    return p;
}


static void
ngx_smtp_maildir_work(void *data, ngx_log_t *log)
{
    ngx_smtp_maildir_write_work(data, log);
    ngx_smtp_maildir_publish_work(data, log);
}


static void
ngx_smtp_maildir_write_work(void *data, ngx_log_t *log)
{
    ngx_smtp_maildir_t  *m = data;

    ngx_smtp_maildir_file_write(&m->file, log);
}


static void
ngx_smtp_maildir_publish_work(void *data, ngx_log_t *log)
{
    ngx_smtp_maildir_t  *m = data;

    ngx_smtp_maildir_file_publish(&m->file, log);
}


static void
ngx_smtp_maildir_release(void *data)
{
    ngx_smtp_maildir_t  *m = data;

    /* the folders, which may have been removed meanwhile */

    if (m->file.spool) {
        m->conf->ready = m->file.done;
    }

    ngx_smtp_tx_release(m->tx);
}


static void
ngx_smtp_maildir_done(ngx_smtp_op_t *op)
{
    ngx_smtp_maildir_t  *m;

    m = op->data;

    if (op->rc == NGX_ERROR && m->file.written) {

        /* there was no thread to publish it, nor is one for this */

        m->file.cancelled = 1;
        ngx_smtp_maildir_file_publish(&m->file, op->event.log);
    }

    ngx_smtp_maildir_verdict(m);

    ngx_smtp_op_finish(m->waiter, NGX_OK);
}


static void
ngx_smtp_maildir_verdict(ngx_smtp_maildir_t *m)
{
    ngx_err_t            err;
    ngx_smtp_verdict_t  *verdict;

    verdict = &m->delivery->verdict;
    err = m->file.err;

    if (m->file.done) {
        ngx_smtp_tx_accepted(m->tx, verdict);

    } else if (m->file.room.full) {
        ngx_smtp_maildir_full(m, verdict);

    } else if (err == NGX_ENOSPC || err == EDQUOT || err == EFBIG) {
        ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_NO_STORAGE);

    } else {
        ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_LOCAL_ERROR);
    }
}


/*
 * The thread goes on, but stops before a message becomes visible.  One that
 * waits for that is removed, and nobody waits for it.
 */

static void
ngx_smtp_maildir_cancel(ngx_smtp_op_t *op)
{
    ngx_smtp_maildir_t  *m;

    m = op->worker;

    m->file.cancelled = 1;

    if (m->held) {
        m->held = 0;

        ngx_smtp_maildir_start(m, ngx_smtp_maildir_publish_work,
                               ngx_smtp_maildir_done);
    }

    ngx_smtp_op_cancel(&m->op);
}

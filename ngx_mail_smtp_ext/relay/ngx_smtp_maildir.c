
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


/* the name without the host's, which is bounded by NGX_MAXHOSTNAMELEN */
#define NGX_SMTP_MAILDIR_NAME_LEN                                            \
    (NGX_TIME_T_LEN + sizeof(".M") + 6 + sizeof("P") + NGX_INT64_LEN         \
     + sizeof("Q") + NGX_INT_T_LEN + sizeof("."))

/* "/" and ":" of a host's name become \057 and \072 */
#define NGX_SMTP_MAILDIR_ESCAPE  4

/* what is put behind the path: folder, name, size */
#define NGX_SMTP_MAILDIR_TAIL                                                \
    (sizeof("/tmp/") + NGX_SMTP_MAILDIR_NAME_LEN                             \
     + NGX_SMTP_MAILDIR_ESCAPE * NGX_MAXHOSTNAMELEN                          \
     + NGX_SMTP_MAILDIR_SIZE_LEN)


typedef struct {
    ngx_smtp_tx_t              *tx;
    ngx_smtp_delivery_t        *delivery;
    ngx_smtp_op_t              *waiter;    /* NULL: cancelled */
    ngx_smtp_op_t               op;
    ngx_smtp_thread_t           thread;
    ngx_smtp_maildir_conf_t    *conf;
    ngx_smtp_maildir_file_t     file;
} ngx_smtp_maildir_t;


static char *ngx_smtp_maildir_parse(ngx_conf_t *cf, ngx_smtp_dest_t *dest,
    ngx_str_t *rest);
static ngx_uint_t ngx_smtp_maildir_path_valid(ngx_str_t *path);
static void ngx_smtp_maildir_deliver(ngx_smtp_delivery_t *d,
    ngx_smtp_op_t *op);
static ngx_int_t ngx_smtp_maildir_prepare(ngx_smtp_maildir_t *m);
static ngx_int_t ngx_smtp_maildir_header(ngx_smtp_maildir_t *m);
static ngx_int_t ngx_smtp_maildir_names(ngx_smtp_maildir_t *m);
static u_char *ngx_smtp_maildir_host(u_char *p);
static void ngx_smtp_maildir_work(void *data, ngx_log_t *log);
static void ngx_smtp_maildir_release(void *data);
static void ngx_smtp_maildir_done(ngx_smtp_op_t *op);
static void ngx_smtp_maildir_verdict(ngx_smtp_maildir_t *m);
static void ngx_smtp_maildir_cancel(ngx_smtp_op_t *op);


const ngx_smtp_dest_type_t  ngx_smtp_dest_maildir = {
    ngx_string("maildir:"),
    ngx_smtp_maildir_parse,
    NULL,                                  /* verify */
    NULL,                                  /* park */
    ngx_smtp_maildir_deliver,
    NULL,                                  /* commit */
    NULL,                                  /* query */
    0                                      /* each */
};


/*
 * Nothing is told to a sender afterwards (DSN), nothing held back
 * (FUTURERELEASE) or to be asked for later (MTRK), and nobody knows since when
 * a mailbox has been whose (RRVS).  Lines are kept with LF, so what need not
 * be lines can't be kept (BINARYMIME).  There are no lists to be expanded
 * (EXPN), and no queues to be started (ETRN).
 */

static ngx_smtp_caps_t  ngx_smtp_maildir_caps = {
    ~(ngx_uint_t) (NGX_SMTP_EXT_DSN|NGX_SMTP_EXT_RELEASE|NGX_SMTP_EXT_RRVS
                   |NGX_SMTP_EXT_MTRK|NGX_SMTP_EXT_BINARYMIME
                   |NGX_SMTP_EXT_EXPN|NGX_SMTP_EXT_ETRN),
    0,                           /* size */
    0, 0, 0,                     /* LIMITS */
    0,                           /* by_min */
    0, 0,                        /* FUTURERELEASE */
    1,                           /* known */
    1,                           /* fixed */
    1                            /* secure: it does not leave the machine */
};


static ngx_uint_t  ngx_smtp_maildir_counter;


static char *
ngx_smtp_maildir_parse(ngx_conf_t *cf, ngx_smtp_dest_t *dest, ngx_str_t *rest)
{
    ngx_str_t                 path;
    ngx_smtp_maildir_conf_t  *conf;

    path = *rest;

    if (!ngx_smtp_maildir_path_valid(&path)) {
        return "has an invalid path";
    }

    while (path.len > 1 && path.data[path.len - 1] == '/') {
        path.len--;
    }

    path.data = ngx_pnalloc(cf->pool, path.len + 1);
    if (path.data == NULL) {
        return NGX_CONF_ERROR;
    }

    (void) ngx_cpystrn(path.data, rest->data, path.len + 1);

    if (ngx_conf_full_name(cf->cycle, &path, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (path.len + NGX_SMTP_MAILDIR_TAIL > NGX_MAX_PATH) {
        return "has too long a path";
    }

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_maildir_conf_t));
    if (conf == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->path = path;
    dest->conf = conf;
    dest->caps = &ngx_smtp_maildir_caps;

    return NGX_CONF_OK;
}


/* no "..": a path says where it leads */

static ngx_uint_t
ngx_smtp_maildir_path_valid(ngx_str_t *path)
{
    u_char  *p, *last, *end;

    p = path->data;
    last = p + path->len;

    if (ngx_strlchr(p, last, '\0')) {
        return 0;
    }

    for ( /* void */ ; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '/');

        if (end == NULL) {
            end = last;
        }

        if (end - p == 2 && p[0] == '.' && p[1] == '.') {
            return 0;
        }
    }

    return path->len != 0;
}


static void
ngx_smtp_maildir_deliver(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op)
{
    ngx_smtp_tx_t       *tx;
    ngx_smtp_maildir_t  *m;

    tx = d->tx;

    m = ngx_pcalloc(tx->pool, sizeof(ngx_smtp_maildir_t));
    if (m == NULL) {
        ngx_smtp_verdict_set(&d->verdict, NGX_SMTP_REPLY_LOCAL_ERROR);
        ngx_smtp_op_finish(op, NGX_OK);
        return;
    }

    m->tx = tx;
    m->delivery = d;
    m->conf = d->dest->conf;
    m->waiter = op;

    d->log.addr = d->dest->url;

    if (ngx_smtp_maildir_prepare(m) != NGX_OK) {
        ngx_smtp_verdict_set(&d->verdict, NGX_SMTP_REPLY_LOCAL_ERROR);
        ngx_smtp_op_finish(op, NGX_OK);
        return;
    }

    /* an operation of our own: a cancel has to reach the thread as well */

    op->worker = m;
    op->cancel = ngx_smtp_maildir_cancel;

    ngx_smtp_op_start(&m->op, &tx->ops, ngx_smtp_maildir_done, m,
                      tx->session->connection->log);

    m->thread.work = ngx_smtp_maildir_work;
    m->thread.release = ngx_smtp_maildir_release;
    m->thread.data = m;

    ngx_smtp_tx_hold(tx);

    ngx_smtp_thread_run(&m->thread, tx->session->service->thread_pool, &m->op);
}


static ngx_int_t
ngx_smtp_maildir_prepare(ngx_smtp_maildir_t *m)
{
    ngx_smtp_tx_t            *tx;
    ngx_smtp_maildir_file_t  *mf;

    tx = m->tx;
    mf = &m->file;

    mf->path = m->conf->path;
    mf->ready = m->conf->ready;
    mf->spool = tx->spool;
    mf->id.data = tx->id;
    mf->id.len = NGX_SMTP_ID_LEN;
    mf->fd = NGX_INVALID_FILE;

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
    ngx_smtp_maildir_t  *m = data;

    ngx_smtp_maildir_file_deliver(&m->file, log);
}


static void
ngx_smtp_maildir_release(void *data)
{
    ngx_smtp_maildir_t  *m = data;

    /* the folders, which may have been removed meanwhile */

    m->conf->ready = m->file.done;

    ngx_smtp_tx_release(m->tx);
}


static void
ngx_smtp_maildir_done(ngx_smtp_op_t *op)
{
    ngx_smtp_maildir_t  *m;

    m = op->data;

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

        if (ngx_smtp_verdict_set_arg(verdict, m->tx->pool,
                                     NGX_SMTP_REPLY_ACCEPTED, &m->file.id)
            != NGX_OK)
        {
            /* it has been delivered, whatever happens */
            ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_OK);
        }

    } else if (err == NGX_ENOSPC || err == EDQUOT || err == EFBIG) {
        ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_NO_STORAGE);

    } else {
        ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_LOCAL_ERROR);
    }
}


/* the thread goes on, but stops before the message becomes visible */

static void
ngx_smtp_maildir_cancel(ngx_smtp_op_t *op)
{
    ngx_smtp_maildir_t  *m;

    m = op->worker;

    m->file.cancelled = 1;

    ngx_smtp_op_cancel(&m->op);
}

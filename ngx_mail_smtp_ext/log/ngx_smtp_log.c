
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_log.h>


/*
 * The run time of the access log: lines go to files, by a buffer or at once,
 * and to syslog.  Writing to a file is done in the event loop, as in nginx's
 * other access logs.
 */


/* PRI, TIMESTAMP, HOSTNAME, TAG as ngx_syslog_add_header() writes them */
#define NGX_SMTP_LOG_SYSLOG_MAX                                              \
    (sizeof("<255>Jan 01 00:00:00 ") - 1 + NGX_MAXHOSTNAMELEN + 1 + 32 + 2)

/* errors of writing: nginx's own logs complain once in a minute */
#define NGX_SMTP_LOG_ERROR_INTERVAL  60

/* what the values of a session's line need */
#define NGX_SMTP_LOG_POOL_SIZE  1024


extern ngx_module_t  ngx_mail_smtp_ext_log_module;


static void ngx_smtp_log_syslog(ngx_smtp_log_t *log, ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_pool_t *pool);
static void ngx_smtp_log_file(ngx_smtp_log_t *log, ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_pool_t *pool);
static void ngx_smtp_log_write(ngx_smtp_log_t *log, u_char *buf, size_t len,
    ngx_log_t *errlog);


/* lines are made and gone within one call: one place serves all */
static u_char  ngx_smtp_log_line[NGX_SMTP_LOG_SYSLOG_MAX
                                 + NGX_SMTP_LOG_LINE_MAX + NGX_LINEFEED_SIZE];


ngx_int_t
ngx_smtp_log_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    ngx_uint_t                         i;
    ngx_pool_t                        *pool;
    ngx_smtp_log_t                    *log;
    ngx_mail_smtp_ext_log_srv_conf_t  *lscf;

    lscf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_log_module);

    if (lscf->off || lscf->logs == NULL) {
        return NGX_OK;
    }

    if (tx == NULL && !s->refused) {
        return NGX_OK;
    }

    if (tx) {
        pool = tx->pool;

    } else {
        pool = ngx_create_pool(NGX_SMTP_LOG_POOL_SIZE, s->connection->log);
        if (pool == NULL) {
            return NGX_OK;
        }
    }

    log = lscf->logs->elts;

    for (i = 0; i < lscf->logs->nelts; i++) {

        if (log[i].syslog_peer) {
            ngx_smtp_log_syslog(&log[i], s, tx, pool);

        } else {
            ngx_smtp_log_file(&log[i], s, tx, pool);
        }
    }

    if (tx == NULL) {
        ngx_destroy_pool(pool);
    }

    return NGX_OK;
}


static void
ngx_smtp_log_syslog(ngx_smtp_log_t *log, ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_pool_t *pool)
{
    u_char   *p;
    size_t    size;
    time_t    now;
    ssize_t   n;

    p = ngx_syslog_add_header(log->syslog_peer, ngx_smtp_log_line);
    p = ngx_smtp_log_format_run(log->format, s, tx, pool, p);

    size = p - ngx_smtp_log_line;

    n = ngx_syslog_send(log->syslog_peer, ngx_smtp_log_line, size);

    if (n == (ssize_t) size) {
        return;
    }

    now = ngx_time();

    if (now - log->error_log_time < NGX_SMTP_LOG_ERROR_INTERVAL) {
        return;
    }

    log->error_log_time = now;

    if (n < 0) {
        ngx_log_error(NGX_LOG_WARN, s->connection->log, 0,
                      "send() to syslog failed");

    } else {
        ngx_log_error(NGX_LOG_WARN, s->connection->log, 0,
                      "send() to syslog has written only %z of %uz", n, size);
    }
}


static void
ngx_smtp_log_file(ngx_smtp_log_t *log, ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_pool_t *pool)
{
    u_char              *p;
    size_t               len;
    ngx_smtp_log_buf_t  *b;

    /* a full file system gets a second to recover */

    if (ngx_time() == log->disk_full_time) {
        return;
    }

    p = ngx_smtp_log_format_run(log->format, s, tx, pool, ngx_smtp_log_line);

    ngx_linefeed(p);

    len = p - ngx_smtp_log_line;

    /* a buffer of another module, on the same file, is not ours to use */

    b = (log->file->flush == ngx_smtp_log_flush) ? log->file->data : NULL;

    if (b == NULL) {
        ngx_smtp_log_write(log, ngx_smtp_log_line, len, s->connection->log);
        return;
    }

    if (len > (size_t) (b->last - b->pos)) {

        if (b->pos != b->start) {
            ngx_smtp_log_write(log, b->start, b->pos - b->start,
                               s->connection->log);
            b->pos = b->start;
        }

        if (b->event && b->event->timer_set) {
            ngx_del_timer(b->event);
        }

        if (len > (size_t) (b->last - b->pos)) {
            ngx_smtp_log_write(log, ngx_smtp_log_line, len,
                               s->connection->log);
            return;
        }
    }

    if (b->event && b->pos == b->start) {
        ngx_add_timer(b->event, b->flush);
    }

    b->pos = ngx_cpymem(b->pos, ngx_smtp_log_line, len);
}


static void
ngx_smtp_log_write(ngx_smtp_log_t *log, u_char *buf, size_t len,
    ngx_log_t *errlog)
{
    time_t     now;
    ssize_t    n;
    ngx_err_t  err;

    n = ngx_write_fd(log->file->fd, buf, len);

    if (n == (ssize_t) len) {
        return;
    }

    err = (n == -1) ? ngx_errno : 0;
    now = ngx_time();

    if (err == NGX_ENOSPC) {
        log->disk_full_time = now;
    }

    if (now - log->error_log_time < NGX_SMTP_LOG_ERROR_INTERVAL) {
        return;
    }

    log->error_log_time = now;

    if (n == -1) {
        ngx_log_error(NGX_LOG_CRIT, errlog, err,
                      ngx_write_fd_n " to \"%s\" failed",
                      log->file->name.data);

    } else {
        ngx_log_error(NGX_LOG_CRIT, errlog, 0,
                      ngx_write_fd_n " to \"%s\" was incomplete: %z of %uz",
                      log->file->name.data, n, len);
    }
}


void
ngx_smtp_log_flush(ngx_open_file_t *file, ngx_log_t *log)
{
    size_t               len;
    ssize_t              n;
    ngx_smtp_log_buf_t  *b;

    b = file->data;
    len = b->pos - b->start;

    if (len == 0) {
        return;
    }

    n = ngx_write_fd(file->fd, b->start, len);

    if (n == -1) {
        ngx_log_error(NGX_LOG_CRIT, log, ngx_errno,
                      ngx_write_fd_n " to \"%s\" failed", file->name.data);

    } else if ((size_t) n != len) {
        ngx_log_error(NGX_LOG_CRIT, log, 0,
                      ngx_write_fd_n " to \"%s\" was incomplete: %z of %uz",
                      file->name.data, n, len);
    }

    b->pos = b->start;

    if (b->event && b->event->timer_set) {
        ngx_del_timer(b->event);
    }
}


void
ngx_smtp_log_flush_handler(ngx_event_t *ev)
{
    ngx_smtp_log_flush(ev->data, ev->log);
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_server.h>


/*
 * The input loop.  It hands what has arrived to session->input as long as
 * that takes something, reads when it wants more, and sends the replies that
 * have gathered when there is nothing left to read: a pipelined batch is
 * answered in one write (RFC 2920, 3.2).
 *
 * A session is in one of three states: running here; busy, with an operation
 * whose end resumes it; or waiting for the client, with a timer set.
 */


/* turns before other connections have theirs */
#define NGX_SMTP_READ_TURNS     64

/* replies that may gather while a client sends commands and reads nothing */
#define NGX_SMTP_READ_OUT_MAX   16384

/*
 * Where parts of the buffer have been kept, the rest of it is read to as long
 * as it has this much.
 */
#define NGX_SMTP_READ_ROOM      16384

/*
 * While an operation is under way its own timers bound it.  This one keeps a
 * worker that shuts down from leaving while a thread is at work, which has no
 * timer.
 */
#define NGX_SMTP_READ_BUSY      60000


static void ngx_smtp_read_busy(ngx_smtp_session_t *s);
static void ngx_smtp_read_wait(ngx_smtp_session_t *s);
static void ngx_smtp_read_timer(ngx_smtp_session_t *s);
static void ngx_smtp_read_wait_write(ngx_smtp_session_t *s);
static ngx_int_t ngx_smtp_read_more(ngx_smtp_session_t *s);
static ngx_buf_t *ngx_smtp_read_buffer(ngx_smtp_session_t *s);
static size_t ngx_smtp_read_bulk(ngx_smtp_session_t *s);
static ngx_buf_t *ngx_smtp_read_alloc(ngx_smtp_session_t *s, size_t size);
static void ngx_smtp_read_timedout(ngx_smtp_session_t *s);


void
ngx_smtp_read_handler(ngx_event_t *rev)
{
    ngx_connection_t    *c;
    ngx_smtp_session_t  *s;

    c = rev->data;
    s = ngx_smtp_session_get(c);

    if (c->close) {

        /* the worker stops, or needs the connection for someone else */

        if (c->error) {
            ngx_smtp_session_close(s);
            return;
        }

        if (s->tx == NULL && !s->busy) {
            c->close = 0;

            ngx_smtp_reply(s, ngx_exiting || ngx_terminate
                              ? NGX_SMTP_REPLY_SHUTDOWN
                              : NGX_SMTP_REPLY_BUSY);
            ngx_smtp_close_run(s);
            return;
        }
    }

    if (rev->timedout) {
        rev->timedout = 0;
        ngx_smtp_read_timedout(s);
        return;
    }

    if (s->busy) {
        ngx_smtp_read_busy(s);
        return;
    }

    ngx_smtp_read_run(s);
}


/*
 * What is asked for a client that has reset its connection need not be waited
 * for.  One that has only stopped sending may well read the reply; and a
 * message that is being delivered is: its fate belongs in the log.
 */

static void
ngx_smtp_read_busy(ngx_smtp_session_t *s)
{
    int                err;
    socklen_t          len;
    ngx_connection_t  *c;

    if (s->tx && s->tx->data_end) {
        return;
    }

    c = s->connection;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        (void) ngx_connection_error(c, err, "client connection failed");
        ngx_smtp_session_close(s);
    }
}


static void
ngx_smtp_read_timedout(ngx_smtp_session_t *s)
{
    ngx_connection_t  *c;

    c = s->connection;

    if (s->busy) {
        ngx_add_timer(c->read, NGX_SMTP_READ_BUSY);
        return;
    }

    ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT, "client timed out");

    c->timedout = 1;

    ngx_smtp_reply(s, s->tx == NULL && ngx_smtp_read_over(s)
                      ? NGX_SMTP_REPLY_SESSION_TIMEOUT
                      : NGX_SMTP_REPLY_TIMEOUT);
    ngx_smtp_close_run(s);
}


void
ngx_smtp_write_handler(ngx_event_t *wev)
{
    ngx_connection_t    *c;
    ngx_smtp_session_t  *s;

    c = wev->data;
    s = ngx_smtp_session_get(c);

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, c->log, NGX_ETIMEDOUT,
                      "client does not read replies");
        c->timedout = 1;
        ngx_smtp_session_close(s);
        return;
    }

    if (!wev->timer_set) {
        /* not waited for */
        return;
    }

    switch (ngx_smtp_reply_flush(s)) {

    case NGX_AGAIN:
        ngx_smtp_read_wait_write(s);
        return;

    case NGX_ERROR:
        ngx_smtp_session_close(s);
        return;
    }

    ngx_del_timer(wev);

    if (!s->busy) {
        ngx_smtp_read_run(s);
    }
}


void
ngx_smtp_read_run(ngx_smtp_session_t *s)
{
    ngx_int_t          rc;
    ngx_uint_t         turns;
    ngx_connection_t  *c;

    c = s->connection;

    if (c->write->timer_set) {
        /* the client has to read first */
        return;
    }

    c->idle = 0;
    ngx_reusable_connection(c, 0);

    for (turns = 0; turns < NGX_SMTP_READ_TURNS; turns++) {

        if (s->closing) {
            ngx_smtp_close_run(s);
            return;
        }

        if (s->out && s->out->last - s->out->pos > NGX_SMTP_READ_OUT_MAX) {

            rc = ngx_smtp_reply_flush(s);

            if (rc == NGX_AGAIN) {
                ngx_smtp_read_wait_write(s);
                return;
            }

            if (rc == NGX_ERROR) {
                ngx_smtp_session_close(s);
                return;
            }
        }

        if (s->slowed && s->input == ngx_smtp_command_input
            && ngx_smtp_delay_error(s) != NGX_OK)
        {
            return;
        }

        rc = s->input(s);

        if (rc == NGX_AGAIN) {
            rc = ngx_smtp_read_more(s);

            if (rc == NGX_AGAIN) {
                ngx_smtp_read_wait(s);
                return;
            }

            if (rc == NGX_ERROR) {
                ngx_smtp_session_close(s);
                return;
            }
        }

        if (rc == NGX_SMTP_INPUT_GONE) {
            return;
        }

        if (rc == NGX_SMTP_INPUT_WRITE) {
            ngx_smtp_read_wait_write(s);
            return;
        }

        if (rc == NGX_DONE) {
            s->busy = 1;
            ngx_add_timer(c->read, NGX_SMTP_READ_BUSY);

            if (c->read->pending_eof) {
                /* it came with what was just read: there is no more event */
                ngx_smtp_read_busy(s);
            }

            return;
        }
    }

    ngx_post_event(c->read, &ngx_posted_events);
}


static void
ngx_smtp_read_wait(ngx_smtp_session_t *s)
{
    ngx_connection_t  *c;

    c = s->connection;

    if (s->tx == NULL && (ngx_exiting || ngx_smtp_read_over(s))) {
        ngx_smtp_reply(s, ngx_exiting ? NGX_SMTP_REPLY_SHUTDOWN
                                      : NGX_SMTP_REPLY_SESSION_TIMEOUT);
        ngx_smtp_close_run(s);
        return;
    }

    if (s->tx) {
        ngx_smtp_tx_park(s->tx);
    }

    switch (ngx_smtp_reply_flush(s)) {

    case NGX_AGAIN:
        ngx_smtp_read_wait_write(s);
        return;

    case NGX_ERROR:
        ngx_smtp_session_close(s);
        return;
    }

    if (s->in && s->in->pos == s->in->last && s->tx == NULL) {
        ngx_smtp_block_free(s->in);
        s->in = NULL;
    }

    ngx_smtp_read_timer(s);

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_smtp_session_close(s);
        return;
    }

    if (s->tx == NULL) {
        c->idle = 1;
        ngx_reusable_connection(c, 1);
    }
}


ngx_uint_t
ngx_smtp_read_over(ngx_smtp_session_t *s)
{
    ngx_msec_t  timeout;

    timeout = s->service->session_timeout;

    return timeout && ngx_current_msec - s->start >= timeout;
}


/*
 * For each piece of data (RFC 5321, 4.5.3.2.5), but for the whole of a command
 * (4.5.3.2.7), so that it can't be dripped in; and a transaction as a whole
 * has its time, too.  That of the session ends between transactions.
 */

static void
ngx_smtp_read_timer(ngx_smtp_session_t *s)
{
    ngx_msec_t           timeout, used;
    ngx_connection_t    *c;
    ngx_smtp_service_t  *service;

    c = s->connection;
    service = s->service;

    if (ngx_smtp_input_is_data(s)) {
        c->log->action = "reading mail data";
        timeout = service->data_timeout;

    } else {
        c->log->action = "waiting for command";

        if (c->read->timer_set) {
            return;
        }

        timeout = service->command_timeout;
    }

    if (s->tx) {
        used = ngx_current_msec - s->tx->start;

        timeout = (used < service->transaction_timeout)
                  ? ngx_min(timeout, service->transaction_timeout - used) : 0;

    } else if (service->session_timeout) {

        /* it is not over: the caller has looked */

        used = ngx_current_msec - s->start;
        timeout = ngx_min(timeout, service->session_timeout - used);
    }

    ngx_add_timer(c->read, timeout);
}


/*
 * Each piece has its time; a client that takes its replies bit by bit has no
 * more than the session as a whole.
 */

static void
ngx_smtp_read_wait_write(ngx_smtp_session_t *s)
{
    ngx_msec_t         timeout, used;
    ngx_connection_t  *c;

    c = s->connection;
    timeout = s->service->send_timeout;

    if (s->tx == NULL && s->service->session_timeout) {
        used = ngx_current_msec - s->start;

        timeout = (used < s->service->session_timeout)
                  ? ngx_min(timeout, s->service->session_timeout - used) : 0;
    }

    ngx_add_timer(c->write, timeout);

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_smtp_session_close(s);
    }
}


static ngx_int_t
ngx_smtp_read_more(ngx_smtp_session_t *s)
{
    ssize_t            n;
    ngx_buf_t         *b;
    ngx_connection_t  *c;

    c = s->connection;

    if (!c->read->ready) {
        return NGX_AGAIN;
    }

    b = ngx_smtp_read_buffer(s);
    if (b == NULL) {
        return NGX_ERROR;
    }

    n = c->recv(c, b->last, b->end - b->last);

    if (n == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (n == 0) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0, "client closed connection");

        /* what was pipelined before is answered nevertheless */
        (void) ngx_smtp_reply_flush(s);

#if (NGX_MAIL_SSL)

        /* RFC 8446, 6.1: and so is close_notify, which nginx leaves out */

        if (c->ssl
            && (SSL_get_shutdown(c->ssl->connection) & SSL_RECEIVED_SHUTDOWN))
        {
            c->ssl->no_send_shutdown = 0;
        }

#endif

        return NGX_ERROR;
    }

    b->last += n;

    return NGX_OK;
}


static ngx_buf_t *
ngx_smtp_read_buffer(ngx_smtp_session_t *s)
{
    size_t      left, size, bulk;
    ngx_buf_t  *b;

    b = s->in;

    if (b == NULL) {
        return ngx_smtp_read_alloc(s, s->service->buffer_size);
    }

    left = b->last - b->pos;
    size = b->end - b->start;

    if (left == 0) {
        bulk = ngx_smtp_read_bulk(s);

        if (size < bulk) {
            return ngx_smtp_read_alloc(s, bulk);
        }

        if (!ngx_smtp_block_shared(b)) {
            b->pos = b->start;
            b->last = b->start;

        } else if (b->end - b->last < NGX_SMTP_READ_ROOM) {
            return ngx_smtp_read_alloc(s, bulk ? size
                                               : s->service->buffer_size);
        }

    } else if (b->last == b->end) {

        /* a line that is not whole yet; the longest leaves room behind it */

        if (b->pos == b->start) {
            ngx_log_error(NGX_LOG_ALERT, s->connection->log, 0,
                          "smtp read buffer is full");
            return NULL;
        }

        if (ngx_smtp_block_shared(b)) {
            return ngx_smtp_read_alloc(s, size);
        }

        ngx_memmove(b->start, b->pos, left);

        b->pos = b->start;
        b->last = b->start + left;
    }

    return b;
}


/* what the buffer, which is empty, should have at least */

static size_t
ngx_smtp_read_bulk(ngx_smtp_session_t *s)
{
    if (!ngx_smtp_input_is_data(s)
        || s->tx == NULL
        || s->tx->bytes < NGX_SMTP_BULK_MIN)
    {
        return 0;
    }

    if (s->in->last == s->in->end
        && s->in->end - s->in->start >= NGX_SMTP_BULK_MIN)
    {
        /* the client is faster than we are */
        return s->service->bulk_size;
    }

    return NGX_SMTP_BULK_MIN;
}


/* a new one, which begins with what is left in the old one */

static ngx_buf_t *
ngx_smtp_read_alloc(ngx_smtp_session_t *s, size_t size)
{
    ngx_buf_t  *b;

    b = ngx_smtp_block_create(size, s->connection->log);
    if (b == NULL) {
        return NULL;
    }

    if (s->in) {
        b->last = ngx_cpymem(b->last, s->in->pos, s->in->last - s->in->pos);

        ngx_smtp_block_free(s->in);
    }

    s->in = b;

    return b;
}

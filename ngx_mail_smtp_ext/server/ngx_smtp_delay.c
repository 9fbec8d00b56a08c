
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_server.h>


/*
 * A client that has to wait: for the greeting (smtp_banner_delay), or after an
 * error (smtp_error_delay).  The connection has a timer and a read handler of
 * its own meanwhile; what comes is left where it is, but for a client that
 * speaks before the greeting.
 */


static ngx_int_t ngx_smtp_delay_start(ngx_smtp_session_t *s,
    ngx_msec_t delay, char *action);
static void ngx_smtp_delay_handler(ngx_event_t *rev);
static ngx_int_t ngx_smtp_delay_peek(ngx_connection_t *c);


ngx_int_t
ngx_smtp_delay_banner(ngx_smtp_session_t *s)
{
    ngx_msec_t  delay;

    delay = s->service->strict.banner_delay;

    if (delay == 0) {
        return NGX_OK;
    }

    return ngx_smtp_delay_start(s, delay, "holding back greeting");
}


ngx_int_t
ngx_smtp_delay_error(ngx_smtp_session_t *s)
{
    ngx_msec_t  delay;

    s->slowed = 0;

    delay = s->service->strict.error_delay;

    if (delay == 0) {
        return NGX_OK;
    }

    /* the reply itself goes out; the next hop need not wait as well */

    if (s->tx) {
        ngx_smtp_tx_park(s->tx);
    }

    switch (ngx_smtp_reply_flush(s)) {

    case NGX_AGAIN:
        /* it does not read its replies, which takes longer */
        return NGX_OK;

    case NGX_ERROR:
        ngx_smtp_session_close(s);
        return NGX_DONE;
    }

    return ngx_smtp_delay_start(s, delay, "slowing down client");
}


static ngx_int_t
ngx_smtp_delay_start(ngx_smtp_session_t *s, ngx_msec_t delay, char *action)
{
    ngx_connection_t  *c;

    c = s->connection;

    c->log->action = action;
    c->read->handler = ngx_smtp_delay_handler;

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    ngx_add_timer(c->read, delay);

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_smtp_session_close(s);
        return NGX_DONE;
    }

    /* a worker that stops, or needs the connection, does not wait for it */

    c->idle = 1;

    if (s->tx == NULL) {
        ngx_reusable_connection(c, 1);
    }

    return NGX_DONE;
}


static void
ngx_smtp_delay_handler(ngx_event_t *rev)
{
    ngx_uint_t           over;
    ngx_connection_t    *c;
    ngx_smtp_session_t  *s;

    c = rev->data;
    s = ngx_smtp_session_get(c);

    over = rev->timedout;

    if (c->close && s->tx && !c->error) {

        /* the worker stops, and waits for the transaction alone */

        c->close = 0;
        over = 1;
    }

    if (c->close) {
        rev->handler = ngx_smtp_read_handler;
        ngx_smtp_read_handler(rev);
        return;
    }

    if (!over && !s->greeted
        && s->service->strict.early_talker == NGX_SMTP_STRICT_REJECT)
    {
        /* who has spoken, or gone away, is not waited for */

        over = (ngx_smtp_delay_peek(c) != NGX_AGAIN);
    }

    if (!over) {
        if (ngx_handle_read_event(rev, 0) != NGX_OK) {
            ngx_smtp_session_close(s);
        }

        return;
    }

    rev->timedout = 0;
    rev->handler = ngx_smtp_read_handler;

    if (rev->timer_set) {
        ngx_del_timer(rev);
    }

    c->idle = 0;
    ngx_reusable_connection(c, 0);

    if (s->greeted) {
        ngx_smtp_read_run(s);
        return;
    }

    ngx_smtp_accept_begin(s);
}


ngx_uint_t
ngx_smtp_delay_early(ngx_smtp_session_t *s)
{
    return ngx_smtp_delay_peek(s->connection) == NGX_OK;
}


/* NGX_OK: there is something to read; NGX_DONE: its end; or NGX_AGAIN */

static ngx_int_t
ngx_smtp_delay_peek(ngx_connection_t *c)
{
    ssize_t  n;
    char     buf[1];

#if (NGX_SSL)

    if (c->ssl) {
        ERR_clear_error();

        n = SSL_peek(c->ssl->connection, buf, 1);

        if (n > 0) {
            return NGX_OK;
        }

        switch (SSL_get_error(c->ssl->connection, n)) {

        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
            return NGX_AGAIN;
        }

        ERR_clear_error();

        return NGX_DONE;
    }

#endif

    n = recv(c->fd, buf, 1, MSG_PEEK);

    if (n > 0) {
        return NGX_OK;
    }

    if (n == -1 && (ngx_socket_errno == NGX_EAGAIN
                    || ngx_socket_errno == NGX_EINTR))
    {
        return NGX_AGAIN;
    }

    return NGX_DONE;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_server.h>


/*
 * The orderly end: the last replies are sent, then the connection is closed.
 * A close() with unread input makes the kernel send RST, which may overtake
 * the reply on its way; so what still comes is read and dropped for a while.
 */


/* how long, and how much: more than a sender has under way by mistake */
#define NGX_SMTP_CLOSE_LINGER  2000
#define NGX_SMTP_CLOSE_DROP    262144


static void ngx_smtp_close_write_handler(ngx_event_t *wev);
static void ngx_smtp_close_read_handler(ngx_event_t *rev);
static void ngx_smtp_close_linger(ngx_smtp_session_t *s);
#if (NGX_MAIL_SSL)
static ngx_int_t ngx_smtp_close_tls(ngx_smtp_session_t *s);
#endif


void
ngx_smtp_close_run(ngx_smtp_session_t *s)
{
    ngx_connection_t  *c;

    c = s->connection;

    s->closing = 1;

    c->idle = 0;
    ngx_reusable_connection(c, 0);

    switch (ngx_smtp_reply_flush(s)) {

    case NGX_AGAIN:
        c->write->handler = ngx_smtp_close_write_handler;
        c->read->handler = ngx_smtp_close_read_handler;

        ngx_add_timer(c->write, s->service->send_timeout);

        if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
            ngx_smtp_session_close(s);
        }

        return;

    case NGX_ERROR:
        ngx_smtp_session_close(s);
        return;
    }

    ngx_smtp_close_linger(s);
}


static void
ngx_smtp_close_write_handler(ngx_event_t *wev)
{
    ngx_connection_t    *c;
    ngx_smtp_session_t  *s;

    c = wev->data;
    s = ngx_smtp_session_get(c);

    if (wev->timedout || c->close) {
        ngx_smtp_session_close(s);
        return;
    }

    if (s->out) {
        ngx_smtp_close_run(s);
    }
}


static void
ngx_smtp_close_linger(ngx_smtp_session_t *s)
{
    ngx_connection_t  *c;

    c = s->connection;

    if (!c->read->ready || c->read->pending_eof || c->timedout
        || ngx_exiting)
    {
        /* it takes what it is told: RFC 8446, 6.1, close_notify as well */
        c->timedout = 0;

        ngx_smtp_session_close(s);
        return;
    }

#if (NGX_MAIL_SSL)

    if (c->ssl && ngx_smtp_close_tls(s) != NGX_OK) {
        ngx_smtp_session_close(s);
        return;
    }

#endif

    if (ngx_shutdown_socket(c->fd, NGX_WRITE_SHUTDOWN) == -1) {
        ngx_connection_error(c, ngx_socket_errno,
                             ngx_shutdown_socket_n " failed");
        ngx_smtp_session_close(s);
        return;
    }

    s->drop = NGX_SMTP_CLOSE_DROP;

    c->read->handler = ngx_smtp_close_read_handler;
    c->write->handler = ngx_smtp_close_write_handler;

    ngx_add_timer(c->read, NGX_SMTP_CLOSE_LINGER);

    ngx_smtp_close_read_handler(c->read);
}


#if (NGX_MAIL_SSL)

/*
 * The end of TLS comes before that of the connection; what is dropped then is
 * not decrypted.  The log of the session wants to know of TLS, so it is first.
 */

static ngx_int_t
ngx_smtp_close_tls(ngx_smtp_session_t *s)
{
    ngx_connection_t  *c;

    c = s->connection;

    ngx_smtp_session_cleanup(s);

    c->ssl->no_wait_shutdown = 1;

    return ngx_ssl_shutdown(c);
}

#endif


static void
ngx_smtp_close_read_handler(ngx_event_t *rev)
{
    ssize_t              n;
    ngx_connection_t    *c;
    ngx_smtp_session_t  *s;
    u_char               buf[4096];

    c = rev->data;
    s = ngx_smtp_session_get(c);

    if (c->close) {
        ngx_smtp_session_close(s);
        return;
    }

    if (s->out) {
        /* still sending; its timer bounds that */
        return;
    }

    if (rev->timedout) {
        ngx_smtp_session_close(s);
        return;
    }

    while (rev->ready) {

        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0 || s->drop < (size_t) n) {
            ngx_smtp_session_close(s);
            return;
        }

        s->drop -= n;
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_smtp_session_close(s);
    }
}

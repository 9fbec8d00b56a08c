
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_mail.h>
#include <ngx_smtp_tls.h>
#include <ngx_smtp_server.h>
#include <ngx_smtp_accept.h>


/*
 * From nginx's mail core into our hands: a connection that has been accepted,
 * whose PROXY header has been read and whose implicit TLS is established; and
 * the handshake of STARTTLS, which core does for us.
 */


extern ngx_module_t  ngx_mail_smtp_ext_module;


static void ngx_smtp_accept_greet(ngx_smtp_session_t *s, ngx_int_t rc);
static void ngx_smtp_accept_done(ngx_smtp_session_t *s, ngx_int_t rc);
#if (NGX_MAIL_SSL)
static void ngx_smtp_accept_tls(ngx_smtp_session_t *s);
#endif


void
ngx_smtp_accept_init_session(ngx_mail_session_t *ms, ngx_connection_t *c)
{
    ngx_smtp_session_t  *s;

    if (c->type == SOCK_STREAM && c->sockaddr->sa_family != AF_UNIX
        && ngx_tcp_nodelay(c) != NGX_OK)
    {
        ngx_mail_close_connection(c);
        return;
    }

    s = ngx_smtp_session_create(c, ms->main_conf, ms->srv_conf);
    if (s == NULL) {
        ngx_mail_close_connection(c);
        return;
    }

    ngx_mail_set_ctx(ms, s, ngx_mail_smtp_ext_module);

    s->service = ngx_mail_get_module_srv_conf(ms, ngx_mail_smtp_ext_module);
    s->server_name = s->service->server_name;
    s->line.normalise = (s->service->bare_newline
                         == NGX_SMTP_BARE_NORMALISE);
    s->input = ngx_smtp_command_input;

#if (NGX_MAIL_SSL)

    if (c->ssl) {
        s->tls_implicit = 1;

        ngx_smtp_accept_tls(s);
    }

#endif

    ngx_smtp_session_run = ngx_smtp_read_run;

    c->read->handler = ngx_smtp_read_handler;
    c->write->handler = ngx_smtp_write_handler;

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (s->refused_all) {
        s->greeted = 1;

        ngx_smtp_reply(s, s->refused_all);
        ngx_smtp_read_run(s);
        return;
    }

    if (ngx_smtp_delay_banner(s) == NGX_OK) {
        ngx_smtp_accept_begin(s);
    }
}


void
ngx_smtp_accept_begin(ngx_smtp_session_t *s)
{
    if (ngx_smtp_accept_connect(s) == NGX_DONE) {
        s->busy = 1;
        return;
    }

    ngx_smtp_read_run(s);
}


ngx_int_t
ngx_smtp_accept_connect(ngx_smtp_session_t *s)
{
    ngx_int_t  rc;

    s->connection->log->action = "greeting client";

    rc = ngx_smtp_phase_run(s, NGX_SMTP_PHASE_CONNECT, ngx_smtp_accept_done);

    if (rc == NGX_AGAIN) {
        return NGX_DONE;
    }

    ngx_smtp_accept_greet(s, rc);

    return NGX_OK;
}


static void
ngx_smtp_accept_done(ngx_smtp_session_t *s, ngx_int_t rc)
{
    ngx_smtp_accept_greet(s, rc);

    ngx_smtp_session_resume(s);
}


static void
ngx_smtp_accept_greet(ngx_smtp_session_t *s, ngx_int_t rc)
{
    ngx_uint_t  first;

    first = !s->greeted;
    s->greeted = 1;

    if (rc == NGX_DONE) {
        /* told something else already */
        return;
    }

    if (rc == NGX_ERROR) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_INTERNAL);
        return;
    }

    /* RFC 5321, 3.1: a client waits for it.  Not so after XCLIENT. */

    if (first && s->service->strict.early_talker == NGX_SMTP_STRICT_REJECT
        && ngx_smtp_delay_early(s))
    {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_EARLY_TALKER);
        return;
    }

    ngx_smtp_reply_arg(s, s->service->lmtp ? NGX_SMTP_REPLY_GREETING_LMTP
                                           : NGX_SMTP_REPLY_GREETING,
                       &s->server_name);
}


#if (NGX_MAIL_SSL)

void
ngx_smtp_accept_starttls(ngx_smtp_session_t *s)
{
    ngx_connection_t  *c;

    c = s->connection;

    /* the handshake's handler does not look at c->close */

    c->idle = 0;
    ngx_reusable_connection(c, 0);

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    ngx_mail_starttls_handler(c->read);
}


void
ngx_smtp_accept_init_protocol(ngx_event_t *rev)
{
    ngx_connection_t    *c;
    ngx_mail_session_t  *ms;
    ngx_smtp_session_t  *s;

    c = rev->data;
    ms = c->data;
    s = ngx_mail_get_module_ctx(ms, ngx_mail_smtp_ext_module);

    c->read->handler = ngx_smtp_read_handler;
    c->write->handler = ngx_smtp_write_handler;

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    /* RFC 3207, 4.2: nothing that was said before counts */

    ngx_smtp_session_reset(s);

    s->input = ngx_smtp_command_input;

    ngx_smtp_accept_tls(s);

    ngx_smtp_read_run(s);
}


static void
ngx_smtp_accept_tls(ngx_smtp_session_t *s)
{
    ngx_connection_t  *c;

    c = s->connection;

    s->tls = 1;

    ngx_smtp_tls_started(s);

    s->refused_all = ngx_smtp_tls_verify(s);

    /*
     * What came with the last octets of the handshake has been read, and lies
     * in OpenSSL: there will be no event for it, and SSL_has_pending() does
     * not tell of it in each version.
     */

    c->read->ready = 1;
}

#else

void
ngx_smtp_accept_starttls(ngx_smtp_session_t *s)
{
    ngx_smtp_session_close(s);
}


void
ngx_smtp_accept_init_protocol(ngx_event_t *rev)
{
}

#endif


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_mail.h>
#include <ngx_smtp_core.h>


/*
 * Birth, strings and end of a session.  The structure lies in the connection's
 * pool; what changes during its life (the HELO name, the user, buffers) is
 * allocated by itself, so that nothing grows with the number of commands.
 */


extern ngx_module_t  ngx_mail_smtp_ext_module;


void (*ngx_smtp_session_run)(ngx_smtp_session_t *s);


static ngx_smtp_user_t  ngx_smtp_session_nobody;


ngx_smtp_session_t *
ngx_smtp_session_create(ngx_connection_t *c, void **main_conf,
    void **srv_conf)
{
    ngx_pool_cleanup_t  *cln;
    ngx_mail_log_ctx_t  *ctx;
    ngx_smtp_session_t  *s;

    s = ngx_pcalloc(c->pool, sizeof(ngx_smtp_session_t));
    if (s == NULL) {
        return NULL;
    }

    /* core may close the connection behind us, in a TLS handshake e.g. */

    cln = ngx_pool_cleanup_add(c->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_smtp_session_cleanup;
    cln->data = s;

    s->connection = c;
    s->main_conf = main_conf;
    s->srv_conf = srv_conf;
    s->start = ngx_current_msec;
    s->user = &ngx_smtp_session_nobody;

    ngx_queue_init(&s->ops);

    ngx_smtp_remote_init(s);

    /* in the log the client is who it is taken for */

    ctx = c->log->data;
    ctx->client = &s->remote.addr_text;

    return s;
}


ngx_smtp_session_t *
ngx_smtp_session_get(ngx_connection_t *c)
{
    ngx_mail_session_t  *ms;

    /* c->data stays core's: its ALPN callback dereferences it */

    ms = c->data;

    return ngx_mail_get_module_ctx(ms, ngx_mail_smtp_ext_module);
}


ngx_int_t
ngx_smtp_session_set(ngx_str_t *field, ngx_str_t *value)
{
    u_char  *p;

    p = NULL;

    if (value && value->len) {
        p = ngx_alloc(value->len, ngx_cycle->log);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, value->data, value->len);
    }

    if (field->data) {
        ngx_free(field->data);
    }

    field->data = p;
    field->len = p ? value->len : 0;

    return NGX_OK;
}


ngx_int_t
ngx_smtp_session_set_secret(ngx_str_t *field, ngx_str_t *value)
{
    if (field->data) {
        ngx_explicit_memzero(field->data, field->len);
    }

    return ngx_smtp_session_set(field, value);
}


ngx_uint_t
ngx_smtp_session_peer_in(ngx_smtp_session_t *s, ngx_array_t *cidrs)
{
    return cidrs && ngx_cidr_match(s->connection->sockaddr, cidrs) == NGX_OK;
}


void
ngx_smtp_session_reset(ngx_smtp_session_t *s)
{
    if (s->tx) {
        ngx_smtp_tx_finish(s->tx);
    }

    ngx_smtp_remote_forward_free(s);

    (void) ngx_smtp_session_set(&s->helo, NULL);
    ngx_smtp_session_logout(s);

    s->esmtp = 0;
}


ngx_int_t
ngx_smtp_session_login(ngx_smtp_session_t *s)
{
    ngx_smtp_user_t  *user;

    ngx_smtp_session_logout(s);

    user = ngx_calloc(sizeof(ngx_smtp_user_t), ngx_cycle->log);
    if (user == NULL) {
        return NGX_ERROR;
    }

    s->user = user;

    return NGX_OK;
}


void
ngx_smtp_session_logout(ngx_smtp_session_t *s)
{
    ngx_smtp_user_t  *user;

    user = s->user;

    if (user != &ngx_smtp_session_nobody) {
        (void) ngx_smtp_session_set(&user->name, NULL);
        (void) ngx_smtp_session_set(&user->method, NULL);
        (void) ngx_smtp_session_set(&user->server, NULL);
        (void) ngx_smtp_session_set_secret(&user->passwd, NULL);
        (void) ngx_smtp_session_set_secret(&user->token, NULL);

        ngx_free(user);

        s->user = &ngx_smtp_session_nobody;
    }

    (void) ngx_smtp_rights_set(s, NULL);

    s->authenticated = 0;
}


void
ngx_smtp_session_resume(ngx_smtp_session_t *s)
{
    s->busy = 0;

    if (s->connection->read->timer_set) {
        ngx_del_timer(s->connection->read);
    }

    ngx_smtp_session_run(s);
}


void
ngx_smtp_session_close(ngx_smtp_session_t *s)
{
    ngx_connection_t  *c;

    c = s->connection;

    ngx_log_debug0(NGX_LOG_DEBUG_MAIL, c->log, 0, "smtp close session");

    ngx_smtp_session_cleanup(s);

#if (NGX_MAIL_SSL)

    if (c->ssl) {
        /* a client that does not answer close_notify holds nothing */
        c->ssl->no_wait_shutdown = 1;
    }

#endif

    ngx_mail_close_connection(c);
}


void
ngx_smtp_session_cleanup(void *data)
{
    ngx_smtp_session_t  *s = data;

    if (s->closed) {
        return;
    }

    s->closed = 1;

    ngx_smtp_op_cancel_all(&s->ops);

    if (s->tx) {
        ngx_smtp_tx_finish(s->tx);
    }

    ngx_smtp_query_free(s);

    if (s->transactions == 0) {
        ngx_smtp_phase_log(s, NULL);
    }

    (void) ngx_smtp_session_set(&s->helo, NULL);
    (void) ngx_smtp_session_set(&s->refusal, NULL);
    ngx_smtp_session_logout(s);

    ngx_smtp_remote_free(s);

    if (s->in) {
        ngx_smtp_block_free(s->in);
        s->in = NULL;
    }

    if (s->out) {
        ngx_free(s->out);
        s->out = NULL;
    }
}

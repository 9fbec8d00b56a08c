
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_var.h>
#include <ngx_smtp_hook.h>


/*
 * What a hook is told: the session and the transaction as they are by now.
 * What is not known is left out.
 */


/* version of the protocol */
#define NGX_SMTP_HOOK_PROTOCOL  1


static void ngx_smtp_hook_client(ngx_smtp_hook_run_t *run,
    ngx_smtp_hook_text_t *text);
static void ngx_smtp_hook_sasl(ngx_smtp_hook_run_t *run,
    ngx_smtp_hook_text_t *text);
static void ngx_smtp_hook_tls(ngx_smtp_hook_run_t *run,
    ngx_smtp_hook_text_t *text);
static void ngx_smtp_hook_server(ngx_smtp_hook_run_t *run,
    ngx_smtp_hook_text_t *text);
static void ngx_smtp_hook_envelope(ngx_smtp_hook_run_t *run,
    ngx_smtp_hook_text_t *text);
static void ngx_smtp_hook_mail(ngx_smtp_tx_t *tx, ngx_smtp_hook_text_t *text);
static void ngx_smtp_hook_auth(ngx_smtp_hook_text_t *text, ngx_uint_t *n,
    ngx_str_t *auth);
static void ngx_smtp_hook_rcpts(ngx_queue_t *rcpts,
    ngx_smtp_hook_text_t *text);
static void ngx_smtp_hook_rcpt(ngx_smtp_rcpt_t *rcpt,
    ngx_smtp_hook_text_t *text);
static void ngx_smtp_hook_param(ngx_smtp_hook_text_t *text, ngx_uint_t *n,
    char *key, ngx_str_t *value);
static ngx_uint_t ngx_smtp_hook_var(ngx_smtp_hook_run_t *run, char *name,
    ngx_str_t *value);


/* in the order of their enums */

static char  *ngx_smtp_hook_mail_params[NGX_SMTP_PARAM_MAIL_MAX] = {
    "ret", "envid", "requiretls", "mt-priority", "by", "holdfor",
    "holduntil", "solicit", "mtrk"
};

static char  *ngx_smtp_hook_rcpt_params[NGX_SMTP_PARAM_RCPT_MAX] = {
    "notify", "orcpt", "rrvs"
};


void
ngx_smtp_hook_request(ngx_smtp_hook_run_t *run)
{
    ngx_str_t              value;
    ngx_smtp_tx_t         *tx;
    ngx_smtp_hook_text_t  *text;

    tx = run->tx;
    text = &run->text;

    ngx_smtp_hook_text_init(text, run->pool);

    ngx_smtp_hook_text_raw(text, "{\"context\":{");

    ngx_smtp_hook_stage_name(run->stage, &value);
    ngx_smtp_hook_text_pair(text, "stage", &value);

    ngx_smtp_hook_client(run, text);
    ngx_smtp_hook_sasl(run, text);
    ngx_smtp_hook_tls(run, text);
    ngx_smtp_hook_server(run, text);

    if (tx) {
        value.data = tx->id;
        value.len = NGX_SMTP_ID_LEN;

        ngx_smtp_hook_text_open(text, "queue", "{");
        ngx_smtp_hook_text_pair(text, "id", &value);
        ngx_smtp_hook_text_raw(text, "}");
    }

    ngx_smtp_hook_text_open(text, "protocol", "{");
    ngx_smtp_hook_text_number(text, "version", NGX_SMTP_HOOK_PROTOCOL);
    ngx_smtp_hook_text_raw(text, "}}");

    if (tx) {
        ngx_smtp_hook_envelope(run, text);
    }

    if (run->stage == NGX_SMTP_HOOK_DATA) {
        ngx_smtp_hook_text_open(text, "message", "{");
        ngx_smtp_hook_text_number(text, "size", tx->spool->size);
    }
}


ngx_int_t
ngx_smtp_hook_request_end(ngx_smtp_hook_run_t *run, ngx_str_t *body)
{
    ngx_smtp_hook_text_t  *text;

    text = &run->text;

    ngx_smtp_hook_text_raw(text, (run->stage == NGX_SMTP_HOOK_DATA) ? "}}"
                                                                    : "}");

    body->data = text->start;
    body->len = text->last - text->start;

    return text->failed ? NGX_ERROR : NGX_OK;
}


static void
ngx_smtp_hook_client(ngx_smtp_hook_run_t *run, ngx_smtp_hook_text_t *text)
{
    ngx_smtp_session_t  *s;

    s = run->session;

    ngx_smtp_hook_text_open(text, "client", "{");
    ngx_smtp_hook_text_pair(text, "ip", &s->remote.addr_text);
    ngx_smtp_hook_text_number(text, "port", s->remote.port);

    if (s->remote.name.len) {
        ngx_smtp_hook_text_pair(text, "ptr", &s->remote.name);
    }

    if (s->helo.len) {
        ngx_smtp_hook_text_pair(text, "helo", &s->helo);
    }

    /* nobody counts them; services expect the field */

    ngx_smtp_hook_text_number(text, "activeConnections", 1);
    ngx_smtp_hook_text_raw(text, "}");
}


static void
ngx_smtp_hook_sasl(ngx_smtp_hook_run_t *run, ngx_smtp_hook_text_t *text)
{
    ngx_str_t            method;
    ngx_smtp_session_t  *s;

    s = run->session;

    if (s->user->name.len == 0) {
        return;
    }

    ngx_smtp_hook_text_open(text, "sasl", "{");
    ngx_smtp_hook_text_pair(text, "login", &s->user->name);

    method.len = s->user->method.len;
    method.data = ngx_pnalloc(run->pool, method.len);

    if (method.data) {
        ngx_strlow(method.data, s->user->method.data, method.len);
        ngx_smtp_hook_text_pair(text, "method", &method);
    }

    ngx_smtp_hook_text_raw(text, "}");
}


static void
ngx_smtp_hook_tls(ngx_smtp_hook_run_t *run, ngx_smtp_hook_text_t *text)
{
    ngx_str_t          value;
    ngx_connection_t  *c;

    c = run->session->connection;

    if (c->ssl == NULL || !ngx_smtp_hook_var(run, "ssl_protocol", &value)) {
        return;
    }

    if (value.len > 4 && ngx_strncmp(value.data, "TLSv", 4) == 0) {
        value.data += 4;
        value.len -= 4;
    }

    ngx_smtp_hook_text_open(text, "tls", "{");
    ngx_smtp_hook_text_pair(text, "version", &value);

    if (ngx_smtp_hook_var(run, "ssl_cipher", &value)) {
        ngx_smtp_hook_text_pair(text, "cipher", &value);
    }

    ngx_smtp_hook_text_number(text, "cipherBits",
                              SSL_get_cipher_bits(c->ssl->connection, NULL));

    if (ngx_smtp_hook_var(run, "ssl_client_i_dn", &value)) {
        ngx_smtp_hook_text_pair(text, "certIssuer", &value);
    }

    if (ngx_smtp_hook_var(run, "ssl_client_s_dn", &value)) {
        ngx_smtp_hook_text_pair(text, "certSubject", &value);
    }

    ngx_smtp_hook_text_raw(text, "}");
}


static void
ngx_smtp_hook_server(ngx_smtp_hook_run_t *run, ngx_smtp_hook_text_t *text)
{
    ngx_str_t  value;

    ngx_smtp_hook_text_open(text, "server", "{");
    ngx_smtp_hook_text_pair(text, "name", &run->session->server_name);

    if (ngx_smtp_hook_var(run, "server_port", &value)) {
        ngx_smtp_hook_text_number(text, "port",
                                  ngx_atoi(value.data, value.len));
    }

    if (ngx_smtp_hook_var(run, "server_addr", &value)) {
        ngx_smtp_hook_text_pair(text, "ip", &value);
    }

    ngx_smtp_hook_text_raw(text, "}");
}


static void
ngx_smtp_hook_envelope(ngx_smtp_hook_run_t *run, ngx_smtp_hook_text_t *text)
{
    ngx_smtp_tx_t  *tx;

    tx = run->tx;

    ngx_smtp_hook_text_open(text, "envelope", "{");

    ngx_smtp_hook_mail(tx, text);

    ngx_smtp_hook_text_open(text, "to", "[");

    ngx_smtp_hook_rcpts(&tx->rcpts, text);
    ngx_smtp_hook_rcpts(&tx->added, text);

    /* the one in question is the last */

    if (run->rcpt) {
        ngx_smtp_hook_rcpt(run->rcpt, text);
    }

    ngx_smtp_hook_text_raw(text, "]}");
}


static void
ngx_smtp_hook_mail(ngx_smtp_tx_t *tx, ngx_smtp_hook_text_t *text)
{
    u_char      buf[NGX_OFF_T_LEN];
    ngx_str_t   value;
    ngx_uint_t  i, n;

    n = 0;

    ngx_smtp_hook_text_open(text, "from", "{");
    ngx_smtp_hook_text_pair(text, "address", &tx->mail_from);

    if (tx->size >= 0) {
        value.data = buf;
        value.len = ngx_sprintf(buf, "%O", tx->size) - buf;

        ngx_smtp_hook_param(text, &n, "size", &value);
    }

    if (tx->body_8bit) {
        ngx_str_set(&value, "8BITMIME");
        ngx_smtp_hook_param(text, &n, "body", &value);

    } else if (tx->body_binary) {
        ngx_str_set(&value, "BINARYMIME");
        ngx_smtp_hook_param(text, &n, "body", &value);
    }

    if (tx->utf8) {
        ngx_str_set(&value, "");
        ngx_smtp_hook_param(text, &n, "smtputf8", &value);
    }

    if (tx->prdr) {
        ngx_str_set(&value, "");
        ngx_smtp_hook_param(text, &n, "prdr", &value);
    }

    if (tx->auth.len) {
        ngx_smtp_hook_auth(text, &n, &tx->auth);
    }

    for (i = 0; i < NGX_SMTP_PARAM_MAIL_MAX; i++) {
        if (tx->params[i].data) {
            ngx_smtp_hook_param(text, &n, ngx_smtp_hook_mail_params[i],
                                &tx->params[i]);
        }
    }

    ngx_smtp_hook_text_raw(text, n ? "}}" : "}");
}


/* in xtext as it came, so that it may be given back: RFC 4954, 5 */

static void
ngx_smtp_hook_auth(ngx_smtp_hook_text_t *text, ngx_uint_t *n,
    ngx_str_t *auth)
{
    ngx_str_t  value;

    value.data = ngx_pnalloc(text->pool, 3 * auth->len);
    if (value.data == NULL) {
        text->failed = 1;
        return;
    }

    value.len = ngx_smtp_xtext_encode(value.data, auth->data,
                                      auth->data + auth->len)
                - value.data;

    ngx_smtp_hook_param(text, n, "auth", &value);
}


static void
ngx_smtp_hook_rcpts(ngx_queue_t *rcpts, ngx_smtp_hook_text_t *text)
{
    ngx_queue_t      *q;
    ngx_smtp_rcpt_t  *rcpt;

    for (q = ngx_queue_head(rcpts);
         q != ngx_queue_sentinel(rcpts);
         q = ngx_queue_next(q))
    {
        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);

        if (!rcpt->deleted) {
            ngx_smtp_hook_rcpt(rcpt, text);
        }
    }
}


static void
ngx_smtp_hook_rcpt(ngx_smtp_rcpt_t *rcpt, ngx_smtp_hook_text_t *text)
{
    ngx_uint_t  i, n;

    n = 0;

    ngx_smtp_hook_text_open(text, NULL, "{");
    ngx_smtp_hook_text_pair(text, "address", &rcpt->addr);

    for (i = 0; i < NGX_SMTP_PARAM_RCPT_MAX; i++) {
        if (rcpt->params[i].data) {
            ngx_smtp_hook_param(text, &n, ngx_smtp_hook_rcpt_params[i],
                                &rcpt->params[i]);
        }
    }

    ngx_smtp_hook_text_raw(text, n ? "}}" : "}");
}


static void
ngx_smtp_hook_param(ngx_smtp_hook_text_t *text, ngx_uint_t *n, char *key,
    ngx_str_t *value)
{
    if ((*n)++ == 0) {
        ngx_smtp_hook_text_open(text, "parameters", "{");
    }

    ngx_smtp_hook_text_pair(text, key, value);
}


/* 0: there is no value */

static ngx_uint_t
ngx_smtp_hook_var(ngx_smtp_hook_run_t *run, char *name, ngx_str_t *value)
{
    ngx_str_t              key;
    const ngx_smtp_var_t  *var;

    key.data = (u_char *) name;
    key.len = ngx_strlen(name);

    var = ngx_smtp_var_find(&key);

    return var
           && var->get(run->session, run->tx, run->pool, value, var->data)
              == NGX_OK
           && value->len;
}

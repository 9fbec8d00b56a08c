
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_client.h>
#include <ngx_smtp_ask.h>


/*
 * VRFY, EXPN (RFC 5321, 3.5) and ETRN (RFC 1985), asked of a next hop on a
 * kept connection or a new one.  What it answers is the client's, if it is an
 * answer to the question: to one that it does not understand, or does not
 * want to hear from us, it is not.
 */


/*
 * A list with its names and addresses; one that is longer is not shown in
 * part, since nobody could see that.
 */
#define NGX_SMTP_ASK_TEXT_MAX  16384

/* "VRFY", the argument, " SMTPUTF8", CRLF */
#define NGX_SMTP_ASK_LINE_MAX                                                \
    (sizeof("VRFY  SMTPUTF8" CRLF) + NGX_SMTP_PATH_MAX + NGX_SMTP_DOMAIN_MAX)


extern ngx_module_t  ngx_mail_smtp_ext_relay_module;


typedef struct {
    ngx_smtp_query_t        *query;
    ngx_smtp_relay_conf_t   *conf;
    ngx_smtp_client_way_t    way;
    ngx_smtp_peer_t          peer;
    ngx_smtp_client_t       *client;
    ngx_smtp_op_t           *op;
    ngx_smtp_op_t            wait;           /* for a name */

    u_char                  *text;
    size_t                   len;            /* of text */

    unsigned                 got:1;          /* peer is to be freed */
    unsigned                 kept:1;         /* client was, before */
    unsigned                 reset:1;        /* RSET has no reply yet */
    unsigned                 utf8:1;         /* text is not US-ASCII */
    unsigned                 cut:1;          /* it is too long for text */
} ngx_smtp_ask_t;


static void ngx_smtp_ask_cancel(ngx_smtp_op_t *op);
static void ngx_smtp_ask_next(ngx_smtp_ask_t *ask, ngx_uint_t failed);
static void ngx_smtp_ask_resolved(ngx_smtp_op_t *op);
static void ngx_smtp_ask_connect(ngx_smtp_ask_t *ask);
static ngx_int_t ngx_smtp_ask_try(ngx_smtp_ask_t *ask);
static void ngx_smtp_ask_attach(ngx_smtp_ask_t *ask,
    ngx_smtp_client_t *client);
static void ngx_smtp_ask_ready(ngx_smtp_client_t *client);
static void ngx_smtp_ask_failed(ngx_smtp_client_t *client);
static ngx_int_t ngx_smtp_ask_send(ngx_smtp_ask_t *ask);
static ngx_uint_t ngx_smtp_ask_able(ngx_smtp_ask_t *ask);
static void ngx_smtp_ask_line(ngx_smtp_client_t *client, ngx_str_t *text);
static ngx_int_t ngx_smtp_ask_answer(ngx_smtp_client_t *client);
static void ngx_smtp_ask_verdict(ngx_smtp_ask_t *ask);
static void ngx_smtp_ask_finish(ngx_smtp_ask_t *ask);


static char  *ngx_smtp_ask_verbs[] = { "VRFY", "EXPN", "ETRN" };


ngx_int_t
ngx_smtp_ask_query_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    ngx_smtp_dest_t  *dest;

    dest = s->query->rcpt.dest;

    if (dest == NULL || dest->type->query == NULL) {
        return NGX_DECLINED;
    }

    dest->type->query(s->query, op);

    return NGX_AGAIN;
}


void
ngx_smtp_ask_start(ngx_smtp_query_t *query, ngx_smtp_op_t *op)
{
    ngx_smtp_ask_t      *ask;
    ngx_smtp_session_t  *s;

    s = query->session;

    ask = ngx_pcalloc(query->pool, sizeof(ngx_smtp_ask_t));

    if (ask == NULL
        || ngx_smtp_peer_init(&ask->peer, query->rcpt.dest->conf, query->pool,
                              s->connection->log, s->service->resolver,
                              s->service->resolver_timeout)
           != NGX_OK)
    {
        ngx_smtp_op_finish(op, NGX_ERROR);
        return;
    }

    ask->peer.client = s->remote.sockaddr;
    ask->peer.session = s;

    ask->query = query;
    ask->conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_relay_module);
    ask->op = op;

    if (ngx_smtp_client_way(&ask->way, ask->conf, query->rcpt.dest, s,
                            query->pool)
        != NGX_OK)
    {
        ngx_smtp_op_finish(op, NGX_ERROR);
        return;
    }

    ask->peer.tag = ask->way.tag;

    op->cancel = ngx_smtp_ask_cancel;
    op->worker = ask;

    if (ask->way.no_login) {
        ngx_smtp_ask_finish(ask);
        return;
    }

    ngx_smtp_ask_next(ask, 0);
}


static void
ngx_smtp_ask_cancel(ngx_smtp_op_t *op)
{
    ngx_smtp_ask_t  *ask;

    ask = op->worker;

    ngx_smtp_op_cancel(&ask->wait);

    if (ask->client) {
        ngx_smtp_client_free(ask->client, 0, NULL);
    }

    /* also what it was about to be told of */

    ngx_smtp_peer_free(&ask->peer, NGX_SMTP_PEER_UNKNOWN);
}


static void
ngx_smtp_ask_next(ngx_smtp_ask_t *ask, ngx_uint_t failed)
{
    ngx_int_t            rc;
    ngx_smtp_session_t  *s;

    s = ask->query->session;

    if (ask->got) {
        ask->got = 0;
        ngx_smtp_peer_free(&ask->peer, failed);
    }

    for ( ;; ) {
        ngx_smtp_op_start(&ask->wait, &s->ops, ngx_smtp_ask_resolved, ask,
                          s->connection->log);

        rc = ngx_smtp_peer_get(&ask->peer, &ask->wait);

        if (rc == NGX_AGAIN) {
            return;
        }

        ngx_smtp_op_cancel(&ask->wait);

        if (rc != NGX_OK) {
            ngx_smtp_ask_finish(ask);
            return;
        }

        ask->got = 1;

        if (ngx_smtp_ask_try(ask) == NGX_OK) {
            return;
        }

        ask->got = 0;
        ngx_smtp_peer_free(&ask->peer, 1);
    }
}


static void
ngx_smtp_ask_resolved(ngx_smtp_op_t *op)
{
    ngx_smtp_ask_t  *ask;

    ask = op->data;

    if (op->rc != NGX_OK) {
        ngx_smtp_ask_finish(ask);
        return;
    }

    ask->got = 1;

    ngx_smtp_ask_connect(ask);
}


static void
ngx_smtp_ask_connect(ngx_smtp_ask_t *ask)
{
    if (ngx_smtp_ask_try(ask) != NGX_OK) {
        ngx_smtp_ask_next(ask, 1);
    }
}


static ngx_int_t
ngx_smtp_ask_try(ngx_smtp_ask_t *ask)
{
    ngx_connection_t   *c;
    ngx_smtp_client_t  *client;

    ask->kept = 1;

    while ((c = ngx_smtp_peer_kept(&ask->peer)) != NULL) {

        client = ngx_smtp_client_reuse(c);
        ngx_smtp_ask_attach(ask, client);

        if (ngx_smtp_ask_send(ask) != NGX_ERROR) {
            return NGX_OK;
        }

        ask->client = NULL;
        ngx_smtp_client_free(client, 0, NULL);
    }

    ask->kept = 0;

    if (ngx_smtp_client_loops(&ask->peer, ask->query->session)) {
        return NGX_DECLINED;
    }

    client = ngx_smtp_client_connect(&ask->peer, &ask->way);
    if (client == NULL) {
        return NGX_DECLINED;
    }

    ngx_smtp_ask_attach(ask, client);

    return NGX_OK;
}


static void
ngx_smtp_ask_attach(ngx_smtp_ask_t *ask, ngx_smtp_client_t *client)
{
    ask->client = client;

    client->owner = ask;
    client->ready = ngx_smtp_ask_ready;
    client->answer = ngx_smtp_ask_answer;
    client->written = NULL;
    client->failed = ngx_smtp_ask_failed;
}


static void
ngx_smtp_ask_ready(ngx_smtp_client_t *client)
{
    ngx_smtp_ask_t   *ask;
    ngx_smtp_dest_t  *dest;

    ask = client->owner;
    dest = ask->query->rcpt.dest;

    if (dest->caps) {
        *dest->caps = client->caps;
        dest->caps->known = 1;
    }

    if (ngx_smtp_ask_send(ask) == NGX_ERROR) {
        ngx_smtp_ask_failed(client);
    }
}


static void
ngx_smtp_ask_failed(ngx_smtp_client_t *client)
{
    ngx_uint_t       stale, hopeless;
    ngx_smtp_ask_t  *ask;

    ask = client->owner;
    hopeless = client->hopeless;

    /* a kept one that its server has closed says nothing against it */

    stale = client->again
            || (ask->kept && !client->fresh && !client->connection->timedout);

    ask->way.clear = client->again;

    ask->client = NULL;
    ngx_smtp_client_free(client, 0, NULL);

    if (stale) {
        ngx_smtp_ask_connect(ask);
        return;
    }

    if (hopeless) {
        ask->got = 0;
        ngx_smtp_peer_free(&ask->peer, NGX_SMTP_PEER_UNKNOWN);

        ngx_smtp_ask_finish(ask);
        return;
    }

    ngx_smtp_ask_next(ask, 1);
}


/*
 * NGX_OK, NGX_DONE: it is not for this server, the client is given up, or
 * NGX_ERROR.
 *
 * RSET first where somebody's transaction was left open: VRFY is allowed
 * inside of one (RFC 5321, 4.1.4), ETRN is not (RFC 1985, 5), and servers
 * differ.
 */

static ngx_int_t
ngx_smtp_ask_send(ngx_smtp_ask_t *ask)
{
    ngx_buf_t          *b;
    ngx_smtp_query_t   *query;
    ngx_smtp_client_t  *client;

    query = ask->query;
    client = ask->client;
    b = &client->out;

    client->connection->log->action = "asking upstream";
    client->line = NULL;

    if (!ngx_smtp_ask_able(ask)) {
        ngx_smtp_ask_finish(ask);
        return NGX_DONE;
    }

    if (ngx_smtp_client_room(client, NGX_SMTP_ASK_LINE_MAX) != NGX_OK) {
        return NGX_ERROR;
    }

    ask->reset = client->tx_open;

    if (ask->reset) {
        b->last = ngx_cpymem(b->last, "RSET" CRLF, sizeof("RSET" CRLF) - 1);

        return ngx_smtp_client_send(client, ask->conf->mail_timeout);
    }

    ask->len = 0;
    ask->utf8 = 0;
    ask->cut = 0;

    client->line = ngx_smtp_ask_line;

    b->last = ngx_sprintf(b->last, "%s %V%s" CRLF,
                          ngx_smtp_ask_verbs[query->verb], &query->rcpt.addr,
                          (query->utf8
                           && (client->caps.extensions
                               & NGX_SMTP_EXT_SMTPUTF8))
                          ? " SMTPUTF8" : "");

    return ngx_smtp_client_send(client, ask->conf->rcpt_timeout);
}


/*
 * RFC 5321, 3.5.2: a server that has EXPN says so in EHLO; so does one with
 * ETRN.  What is in UTF-8 is for those with SMTPUTF8, RFC 6531, 3.2.
 */

static ngx_uint_t
ngx_smtp_ask_able(ngx_smtp_ask_t *ask)
{
    ngx_uint_t   need;
    ngx_str_t   *addr;

    addr = &ask->query->rcpt.addr;
    need = 0;

    switch (ask->query->verb) {

    case NGX_SMTP_QUERY_EXPN:
        need = NGX_SMTP_EXT_EXPN;
        break;

    case NGX_SMTP_QUERY_ETRN:
        need = NGX_SMTP_EXT_ETRN;
        break;

    default: /* NGX_SMTP_QUERY_VRFY */
        break;
    }

    if (ngx_smtp_is_8bit(addr->data, addr->data + addr->len)) {
        need |= NGX_SMTP_EXT_SMTPUTF8;
    }

    return (ask->client->caps.extensions & need) == need;
}


static void
ngx_smtp_ask_line(ngx_smtp_client_t *client, ngx_str_t *text)
{
    u_char          *p;
    ngx_smtp_ask_t  *ask;

    ask = client->owner;

    if (ask->text == NULL) {
        ask->text = ngx_pnalloc(ask->query->pool, NGX_SMTP_ASK_TEXT_MAX);
    }

    if (ask->text == NULL || text->len >= NGX_SMTP_ASK_TEXT_MAX - ask->len) {
        ask->cut = 1;
        return;
    }

    if (ngx_smtp_is_8bit(text->data, text->data + text->len)) {
        ask->utf8 = 1;
    }

    p = ask->text + ask->len;

    if (client->parser.lines > 1) {
        *p++ = LF;
    }

    p = ngx_smtp_answer_text_utf8_copy(p, text->len, text);

    ask->len = p - ask->text;
}


static ngx_int_t
ngx_smtp_ask_answer(ngx_smtp_client_t *client)
{
    ngx_uint_t       code;
    ngx_smtp_ask_t  *ask;

    ask = client->owner;
    code = client->reply.code;

    if (code == 421) {

        /* to a kept one, its farewell; to a new one, an answer of a kind */

        client->fresh = ask->kept ? 0 : client->fresh;
        return NGX_ERROR;
    }

    if (ask->reset) {

        client->tx_open = 0;

        return (code / 100 == 2) ? ngx_smtp_ask_send(ask) : NGX_ERROR;
    }

    if (code / 100 == 3) {
        ngx_log_error(NGX_LOG_ERR, client->connection->log, 0,
                      "upstream sent an unexpected reply: \"%ui %V\"",
                      code, &client->reply.text);
        return NGX_ERROR;
    }

    client->messages++;

    ngx_smtp_ask_verdict(ask);
    ngx_smtp_ask_finish(ask);

    return NGX_DONE;
}


static void
ngx_smtp_ask_verdict(ngx_smtp_ask_t *ask)
{
    ngx_smtp_query_t         *query;
    ngx_smtp_verdict_t       *verdict;
    ngx_smtp_client_reply_t  *reply;

    query = ask->query;
    verdict = &query->verdict;
    reply = &ask->client->reply;

    switch (reply->code) {

    case 500:    /* it lacks the verb */
    case 502:
    case 503:    /* it wants something else first */
    case 504:
    case 530:
    case 538:
        return;
    }

    if (ask->cut) {
        ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_LIST_TOO_LONG);
        return;
    }

    /* RFC 6531, 3.7.4.2: of others the text says nothing that is needed */

    if (ask->utf8 && !query->utf8) {

        if (reply->code / 100 == 2) {
            ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_NEEDS_UTF8);
            return;
        }

        if (reply->code == 551 || reply->code == 553) {
            ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_REFUSAL_NEEDS_UTF8);
            return;
        }
    }

    verdict->code = reply->code;
    verdict->enhanced = reply->enhanced;
    verdict->text.data = ask->text;
    verdict->text.len = ask->len;
}


static void
ngx_smtp_ask_finish(ngx_smtp_ask_t *ask)
{
    ngx_smtp_client_t  *client;

    client = ask->client;
    ask->client = NULL;

    if (client) {
        client->line = NULL;
        ngx_smtp_client_free(client, 1, NULL);
    }

    if (ask->got) {
        ask->got = 0;
        ngx_smtp_peer_free(&ask->peer, 0);
    }

    ngx_smtp_op_finish(ask->op, NGX_OK);
}

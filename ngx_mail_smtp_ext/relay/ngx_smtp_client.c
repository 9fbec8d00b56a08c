
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include <ngx_smtp_client_private.h>


/*
 * A connection to a next hop, RFC 5321, 3.1 and 4.2.  Its memory is the
 * connection's pool.  Everything the server sends is bounded: lines and
 * replies by proto/_answer, time by a timer for each reply.
 */


/*
 * A reply's line fits (NGX_SMTP_ANSWER_LINE_MAX), and a pipelined batch of
 * them mostly in one read.
 */
#define NGX_SMTP_CLIENT_IN_SIZE    4096

/* MAIL with the longest path and parameters, and a few RCPT behind it */
#define NGX_SMTP_CLIENT_OUT_SIZE   4096

static void ngx_smtp_client_set_log(ngx_smtp_client_t *client);
static u_char *ngx_smtp_client_log_error(ngx_log_t *log, u_char *buf,
    size_t len);
static ngx_int_t ngx_smtp_client_connected(ngx_smtp_client_t *client);
static ngx_int_t ngx_smtp_client_established(ngx_smtp_client_t *client);
static void ngx_smtp_client_break(ngx_smtp_client_t *client);
static ngx_int_t ngx_smtp_client_write(ngx_smtp_client_t *client);
static ngx_int_t ngx_smtp_client_write_commands(ngx_smtp_client_t *client);
static ngx_int_t ngx_smtp_client_write_body(ngx_smtp_client_t *client);
static ngx_int_t ngx_smtp_client_recv(ngx_smtp_client_t *client);
static ngx_int_t ngx_smtp_client_parse(ngx_smtp_client_t *client);
static void ngx_smtp_client_domain(ngx_smtp_client_t *client,
    ngx_str_t *text);
static void ngx_smtp_client_line(ngx_smtp_client_t *client);
static ngx_int_t ngx_smtp_client_answer(ngx_smtp_client_t *client);
static ngx_int_t ngx_smtp_client_ready(ngx_smtp_client_t *client);
static ngx_int_t ngx_smtp_client_greeted(ngx_smtp_client_t *client);
static ngx_int_t ngx_smtp_client_hello(ngx_smtp_client_t *client,
    char *verb, ngx_smtp_client_state_e state);
static void ngx_smtp_client_close(ngx_connection_t *c);


/* stands for octets that are neither in a body nor in the socket: in TLS */
static ngx_buf_t    ngx_smtp_client_flush_buf;
static ngx_chain_t  ngx_smtp_client_flush = { &ngx_smtp_client_flush_buf,
                                              NULL };


ngx_smtp_client_t *
ngx_smtp_client_connect(ngx_smtp_peer_t *peer, ngx_smtp_client_way_t *way)
{
    u_char             *p;
    ngx_int_t           rc;
    ngx_uint_t          clear;
    ngx_connection_t   *c;
    ngx_smtp_client_t  *client;

    /* of the server that it has failed with, which is this one */

    clear = way->clear;
    way->clear = 0;

    rc = ngx_smtp_peer_connect(peer, &c);

    if (rc != NGX_OK && rc != NGX_AGAIN) {
        return NULL;
    }

    client = ngx_pcalloc(c->pool, sizeof(ngx_smtp_client_t));

    p = ngx_pnalloc(c->pool, peer->socklen + peer->name.len + peer->host.len
                             + NGX_SMTP_CLIENT_TEXT_SIZE
                             + NGX_SMTP_CLIENT_IN_SIZE
                             + NGX_SMTP_CLIENT_OUT_SIZE);

    if (client == NULL || p == NULL) {
        ngx_smtp_peer_close(c);
        return NULL;
    }

    client->connection = c;
    client->conf = way->conf;
    client->tls_mode = way->tls_mode;
    client->fell_back = clear;
    client->lmtp = way->lmtp;
    client->login = way->login.secret.len ? &way->login : NULL;
    client->identity = way->identity;
    client->upstream = peer->upstream;

    /* the address first: it has to be aligned */

    client->sockaddr = (struct sockaddr *) p;
    client->socklen = peer->socklen;
    p = ngx_cpymem(p, peer->sockaddr, peer->socklen);

    client->tag = ngx_smtp_client_tag_keep(way, c->pool);
    if (client->tag == NULL) {
        ngx_smtp_peer_close(c);
        return NULL;
    }

    client->name.data = p;
    client->name.len = peer->name.len;
    p = ngx_cpymem(p, peer->name.data, peer->name.len);

    client->host.data = p;
    client->host.len = peer->host.len;
    p = ngx_cpymem(p, peer->host.data, peer->host.len);

    client->reply.text.data = p;
    p += NGX_SMTP_CLIENT_TEXT_SIZE;

    client->in.start = client->in.pos = client->in.last = p;
    p += NGX_SMTP_CLIENT_IN_SIZE;
    client->in.end = p;

    client->out.start = client->out.pos = client->out.last = p;
    client->out.end = p + NGX_SMTP_CLIENT_OUT_SIZE;

    c->data = client;
    c->read->handler = ngx_smtp_client_read_handler;
    c->write->handler = ngx_smtp_client_write_handler;

    ngx_smtp_client_set_log(client);

    if (rc == NGX_AGAIN) {
        c->log->action = "connecting to upstream";
        ngx_add_timer(c->write, way->conf->connect_timeout);

        return client;
    }

    if (ngx_smtp_client_connected(client) == NGX_ERROR) {
        ngx_smtp_client_break(client);
    }

    return client;
}


static void
ngx_smtp_client_set_log(ngx_smtp_client_t *client)
{
    ngx_log_t  *log;

    /* the connection's own, see ngx_smtp_peer_connect() */

    log = client->connection->log;

    log->handler = ngx_smtp_client_log_error;
    log->data = client;
}


static u_char *
ngx_smtp_client_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char             *p;
    ngx_smtp_client_t  *client;

    client = log->data;

    p = buf;

    if (log->action) {
        p = ngx_snprintf(buf, len, " while %s", log->action);
        len -= p - buf;
        buf = p;
    }

    p = ngx_snprintf(buf, len, ", upstream: %V", &client->name);
    len -= p - buf;
    buf = p;

    if (client->tx_open) {
        p = ngx_snprintf(buf, len, ", id: %*s",
                         (size_t) NGX_SMTP_ID_LEN, client->tx_id);
    }

    return p;
}


/* NGX_OK; NGX_DONE: the events have got other handlers; or NGX_ERROR */

static ngx_int_t
ngx_smtp_client_connected(ngx_smtp_client_t *client)
{
    client->connected = 1;

    if (client->connection->write->timer_set) {
        ngx_del_timer(client->connection->write);
    }

    if (ngx_smtp_client_identity_header(client) != NGX_OK) {
        return NGX_ERROR;
    }

    if (client->tls_mode == NGX_SMTP_PASS_TLS_IMPLICIT) {
        return ngx_smtp_client_tls_start(client);
    }

    ngx_smtp_client_greeting(client);

    return NGX_OK;
}


void
ngx_smtp_client_greeting(ngx_smtp_client_t *client)
{
    client->connection->log->action = "reading greeting from upstream";

    client->state = NGX_SMTP_CLIENT_GREETING;

    ngx_add_timer(client->connection->read, client->conf->greeting_timeout);
}


void
ngx_smtp_client_fail(ngx_smtp_client_t *client)
{
    /*
     * With TLS 1.3 a client is done before its server is: what that does not
     * like is seen in place of the first reply.
     */

    if (client->state == NGX_SMTP_CLIENT_TLS
        || client->state == NGX_SMTP_CLIENT_STARTTLS
        || (client->connection->ssl && !client->tls_heard))
    {
        ngx_smtp_client_tls_failed(client);
    }

    client->failed(client);
}


/*
 * Fails, but not from inside a call of the owner's.  Maybe the server has said
 * why it does not want to hear the rest: the read handler finds that, or else
 * gives up.
 */

static void
ngx_smtp_client_break(ngx_smtp_client_t *client)
{
    ngx_connection_t  *c;

    c = client->connection;

    client->broken = 1;
    client->body = NULL;

    c->read->handler = ngx_smtp_client_read_handler;
    c->write->handler = ngx_smtp_client_write_handler;

    c->read->ready = 1;
    c->read->available = -1;

    ngx_post_event(c->read, &ngx_posted_events);
}


/* what connect() has come to; NGX_DONE: the handler has nothing left to do */

static ngx_int_t
ngx_smtp_client_established(ngx_smtp_client_t *client)
{
    ngx_int_t  rc;

    rc = ngx_smtp_peer_connected(client->connection);

    if (rc == NGX_OK) {
        rc = ngx_smtp_client_connected(client);
    }

    if (rc == NGX_ERROR) {
        ngx_smtp_client_fail(client);
        return NGX_DONE;
    }

    return rc;
}


ngx_smtp_client_t *
ngx_smtp_client_reuse(ngx_connection_t *c)
{
    ngx_smtp_client_t  *client;

    client = c->data;

    c->read->handler = ngx_smtp_client_read_handler;
    c->write->handler = ngx_smtp_client_write_handler;

    ngx_smtp_client_set_log(client);

    client->fresh = 0;
    client->line = NULL;

    return client;
}


void
ngx_smtp_client_write_handler(ngx_event_t *wev)
{
    ngx_connection_t   *c;
    ngx_smtp_client_t  *client;

    c = wev->data;
    client = c->data;

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_ERR, c->log, NGX_ETIMEDOUT,
                      "upstream timed out");
        c->timedout = 1;
        ngx_smtp_client_fail(client);
        return;
    }

    if (c->close || c->error) {
        ngx_smtp_client_fail(client);
        return;
    }

    if (client->state == NGX_SMTP_CLIENT_CONNECT) {

        if (ngx_smtp_client_established(client) != NGX_OK) {
            return;
        }
    }

    if (ngx_smtp_client_write(client) != NGX_OK) {
        ngx_smtp_client_fail(client);
    }
}


void
ngx_smtp_client_read_handler(ngx_event_t *rev)
{
    ngx_int_t           rc;
    ngx_connection_t   *c;
    ngx_smtp_client_t  *client;

    c = rev->data;
    client = c->data;

    if (rev->timedout) {
        ngx_log_error(NGX_LOG_ERR, c->log, NGX_ETIMEDOUT,
                      "upstream timed out");
        c->timedout = 1;
        ngx_smtp_client_fail(client);
        return;
    }

    if (c->close || c->error) {
        /* worker_shutdown_timeout */
        ngx_smtp_client_fail(client);
        return;
    }

    if (client->state == NGX_SMTP_CLIENT_TLS) {
        /* it failed when it began */
        ngx_smtp_client_fail(client);
        return;
    }

    if (client->state == NGX_SMTP_CLIENT_CONNECT) {

        /* epoll tells of a refused connect() here first */

        if (ngx_smtp_client_established(client) != NGX_OK) {
            return;
        }
    }

    for ( ;; ) {
        rc = ngx_smtp_client_parse(client);

        if (rc == NGX_DONE) {
            return;
        }

        if (rc == NGX_AGAIN) {
            rc = ngx_smtp_client_recv(client);
        }

        if (rc == NGX_AGAIN) {
            break;
        }

        if (rc == NGX_ERROR) {
            ngx_smtp_client_fail(client);
            return;
        }
    }

    if (client->broken || ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_smtp_client_fail(client);
    }
}


static ngx_int_t
ngx_smtp_client_recv(ngx_smtp_client_t *client)
{
    size_t             left;
    ssize_t            n;
    ngx_buf_t         *b;
    ngx_uint_t         level;
    ngx_connection_t  *c;

    c = client->connection;
    b = &client->in;

    if (!c->read->ready) {
        return NGX_AGAIN;
    }

    left = b->last - b->pos;

    if (b->pos != b->start) {
        ngx_memmove(b->start, b->pos, left);
        b->pos = b->start;
        b->last = b->start + left;
    }

    /* there is room: the parser takes no line that is longer */

    n = c->recv(c, b->last, b->end - b->last);

    if (n == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (n == 0) {
        level = client->fresh ? NGX_LOG_ERR : NGX_LOG_INFO;

        ngx_log_error(level, c->log, 0, "upstream closed connection");
        return NGX_ERROR;
    }

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    b->last += n;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_client_parse(ngx_smtp_client_t *client)
{
    ngx_int_t  rc;

    rc = ngx_smtp_answer_parse(&client->parser, &client->in);

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, client->connection->log, 0,
                      "upstream sent an invalid reply");
        client->why = NGX_SMTP_NEXT_INVALID;
        return NGX_ERROR;
    }

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    ngx_smtp_client_line(client);

    if (!client->parser.last) {
        return NGX_OK;
    }

    client->fresh = 1;
    client->heard = ngx_current_msec;
    client->tls_heard = (client->connection->ssl != NULL);
    client->reply.code = client->parser.code;

    ngx_memzero(&client->parser, sizeof(ngx_smtp_answer_t));

    ngx_log_debug2(NGX_LOG_DEBUG_MAIL, client->connection->log, 0,
                   "smtp upstream reply: %ui \"%V\"",
                   client->reply.code, &client->reply.text);

    return ngx_smtp_client_answer(client);
}


/* RFC 5321, 4.1.1.1: the reply to EHLO begins with its name */

static void
ngx_smtp_client_domain(ngx_smtp_client_t *client, ngx_str_t *text)
{
    u_char     *end, *last;
    ngx_str_t  *domain;

    domain = &client->domain;
    domain->len = 0;

    last = text->data + text->len;
    end = ngx_strlchr(text->data, last, ' ');

    if (end == NULL) {
        end = last;
    }

    if (end - text->data > NGX_SMTP_DOMAIN_MAX
        || (ngx_smtp_domain_parse(text->data, end) != end
            && ngx_smtp_literal_parse(text->data, end) != end))
    {
        return;
    }

    /* once for a connection, whatever it says after STARTTLS or XCLIENT */

    if (domain->data == NULL) {
        domain->data = ngx_pnalloc(client->connection->pool,
                                   NGX_SMTP_DOMAIN_MAX);
        if (domain->data == NULL) {
            return;
        }
    }

    domain->len = end - text->data;
    ngx_memcpy(domain->data, text->data, domain->len);
}


/* a line of a reply: its text is gathered, or it is a keyword of EHLO's */

static void
ngx_smtp_client_line(ngx_smtp_client_t *client)
{
    u_char               *p, *end, *start;
    ngx_str_t             text, *reply;
    ngx_smtp_enhanced_t   enhanced;

    text = client->parser.text;
    reply = &client->reply.text;

    if (client->parser.lines == 1) {
        reply->len = 0;
        client->masked = 0;
        ngx_memzero(&client->reply.enhanced, sizeof(ngx_smtp_enhanced_t));

        if ((client->state == NGX_SMTP_CLIENT_EHLO
             || client->state == NGX_SMTP_CLIENT_HELO)
            && client->parser.code == 250)
        {
            ngx_smtp_client_domain(client, &text);
        }

    } else if (client->state == NGX_SMTP_CLIENT_EHLO
               && client->parser.code == 250)
    {
        ngx_smtp_esmtp_answer(&client->caps, &text);
        return;
    }

    ngx_smtp_enhanced_parse(&enhanced, client->parser.code, &text);

    if (client->reply.enhanced.class == 0) {
        client->reply.enhanced = enhanced;
    }

    if (client->line) {
        client->line(client, &text);
    }

    p = reply->data + reply->len;
    end = reply->data + NGX_SMTP_CLIENT_TEXT_SIZE;

    if (client->parser.lines > 1 && p < end) {
        *p++ = LF;
    }

    start = p;
    p = ngx_smtp_answer_text_copy(p, end - p, &text);

    if (ngx_memcmp(start, text.data, p - start) != 0) {
        client->masked = 1;
    }

    reply->len = p - reply->data;
}


static ngx_int_t
ngx_smtp_client_answer(ngx_smtp_client_t *client)
{
    ngx_int_t          rc;
    ngx_uint_t         code;
    ngx_connection_t  *c;

    c = client->connection;
    code = client->reply.code;

    if (client->state == NGX_SMTP_CLIENT_READY) {
        return client->answer(client);
    }

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (client->state == NGX_SMTP_CLIENT_STARTTLS) {
        return ngx_smtp_client_tls_answer(client);
    }

    if (client->state == NGX_SMTP_CLIENT_XCLIENT) {
        return ngx_smtp_client_identity_answer(client);
    }

    if (client->state == NGX_SMTP_CLIENT_AUTH) {
        rc = ngx_smtp_client_sasl_answer(client);

        return (rc == NGX_DONE) ? ngx_smtp_client_ready(client) : rc;
    }

    if (client->state == NGX_SMTP_CLIENT_GREETING && code == 220) {
        return ngx_smtp_client_ehlo(client);
    }

    /* RFC 5321, 3.2: a server that does not know EHLO is asked with HELO */

    if (client->state == NGX_SMTP_CLIENT_EHLO && code >= 500 && !client->lmtp) {
        return ngx_smtp_client_hello(client, "HELO", NGX_SMTP_CLIENT_HELO);
    }

    if (client->state != NGX_SMTP_CLIENT_GREETING && code == 250) {
        return ngx_smtp_client_greeted(client);
    }

    ngx_log_error(NGX_LOG_ERR, c->log, 0, "upstream said: \"%ui %V\"",
                  code, &client->reply.text);

    client->why = NGX_SMTP_NEXT_UNAVAILABLE;

    return NGX_ERROR;
}


/* the server is known; what has to be said before the owner has it? */

static ngx_int_t
ngx_smtp_client_greeted(ngx_smtp_client_t *client)
{
    ngx_int_t  rc;

    rc = client->introduced ? NGX_DECLINED : ngx_smtp_client_tls_offer(client);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_smtp_client_identity_offer(client);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_smtp_client_sasl_offer(client);

    return (rc == NGX_DECLINED) ? ngx_smtp_client_ready(client) : rc;
}


static ngx_int_t
ngx_smtp_client_ready(ngx_smtp_client_t *client)
{
    /* they are the owner's, who may go before this */

    client->login = NULL;
    client->identity = NULL;

    client->state = NGX_SMTP_CLIENT_READY;
    client->ready(client);

    return NGX_DONE;
}


ngx_int_t
ngx_smtp_client_ehlo(ngx_smtp_client_t *client)
{
    return ngx_smtp_client_hello(client, client->lmtp ? "LHLO" : "EHLO",
                                 NGX_SMTP_CLIENT_EHLO);
}


static ngx_int_t
ngx_smtp_client_hello(ngx_smtp_client_t *client, char *verb,
    ngx_smtp_client_state_e state)
{
    ngx_str_t   *helo;
    ngx_uint_t   secure;

    client->state = state;
    client->connection->log->action = "greeting upstream";

    /* what an EHLO before this one was answered is over and done with */

    secure = client->caps.secure;
    ngx_memzero(&client->caps, sizeof(ngx_smtp_caps_t));
    client->caps.secure = secure;

    helo = ngx_smtp_client_identity_helo(client);

    if (ngx_smtp_client_room(client, sizeof("EHLO " CRLF) - 1 + helo->len)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    client->out.last = ngx_sprintf(client->out.last, "%s %V" CRLF, verb,
                                   helo);

    return ngx_smtp_client_send(client, client->conf->greeting_timeout);
}


/*
 * Where the domains of recipients are limited, they are so for the session;
 * with one transaction in each there is nothing to be remembered.
 */

ngx_uint_t
ngx_smtp_client_spent(ngx_smtp_client_t *client)
{
    return (client->caps.mail_max && client->mails >= client->caps.mail_max)
           || (client->caps.domain_max && client->mails);
}


ngx_int_t
ngx_smtp_client_quiet(ngx_smtp_client_t *client)
{
    if (client->in.pos == client->in.last) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, client->connection->log, 0,
                  "upstream sent a reply too many");

    client->why = NGX_SMTP_NEXT_INVALID;

    return NGX_ERROR;
}


ngx_int_t
ngx_smtp_client_room(ngx_smtp_client_t *client, size_t len)
{
    ngx_buf_t  *b;

    b = &client->out;

    if (b->pos == b->last) {
        b->pos = b->start;
        b->last = b->start;
    }

    return ((size_t) (b->end - b->last) >= len) ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_smtp_client_send(ngx_smtp_client_t *client, ngx_msec_t timeout)
{
    if (client->body) {
        ngx_smtp_client_rest(client);

    } else {
        ngx_add_timer(client->connection->read, timeout);
    }

    return ngx_smtp_client_write(client);
}


ngx_int_t
ngx_smtp_client_send_body(ngx_smtp_client_t *client, ngx_chain_t *body)
{
    if (client->connection->read->timer_set) {
        ngx_del_timer(client->connection->read);
    }

    client->body = body;

    /* from written(): the loop that called it goes on */

    return client->writing ? NGX_OK : ngx_smtp_client_write(client);
}


void
ngx_smtp_client_rest(ngx_smtp_client_t *client)
{
    if (client->connection->read->timer_set) {
        ngx_del_timer(client->connection->read);
    }
}


void
ngx_smtp_client_wait(ngx_smtp_client_t *client, ngx_msec_t timeout)
{
    ngx_add_timer(client->connection->read, timeout);
}


/*
 * The timer of the write event runs while something waits to be sent, that of
 * the read event while a reply is due; a body that goes out slowly but
 * steadily is no reason to give up on the reply, so the latter waits.
 */

static ngx_int_t
ngx_smtp_client_write(ngx_smtp_client_t *client)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = client->connection;

    rc = client->broken ? NGX_ERROR : ngx_smtp_client_write_commands(client);

    /* written() brings the next piece: a loop, since it may be long */

    while (rc == NGX_OK && client->body) {

        rc = ngx_smtp_client_write_body(client);

        if (rc == NGX_OK) {
            client->writing = 1;
            rc = client->written(client);
            client->writing = 0;
        }
    }

    if (rc == NGX_AGAIN) {
        ngx_add_timer(c->write, client->conf->send_timeout);

    } else if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    if (rc == NGX_ERROR) {
        ngx_smtp_client_break(client);
        return NGX_OK;
    }

    return ngx_handle_write_event(c->write, 0);
}


static ngx_int_t
ngx_smtp_client_write_commands(ngx_smtp_client_t *client)
{
    ssize_t            n;
    ngx_buf_t         *b;
    ngx_connection_t  *c;

    c = client->connection;
    b = client->secret.start ? &client->secret : &client->out;

    while (b->pos < b->last) {

        if (!c->write->ready) {
            return NGX_AGAIN;
        }

        n = c->send(c, b->pos, b->last - b->pos);

        if (n == NGX_ERROR || n == NGX_AGAIN) {
            return n;
        }

        b->pos += n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_client_write_body(ngx_smtp_client_t *client)
{
    ngx_chain_t       *cl;
    ngx_connection_t  *c;

    c = client->connection;

    if (!c->write->ready) {
        return NGX_AGAIN;
    }

    if (c->ssl) {

        /* few records rather than one for each buffer; but all of them now */

        for (cl = client->body; cl->next; cl = cl->next) { /* void */ }

        cl->buf->flush = 1;
    }

    client->body = c->send_chain(c, client->body, 0);

    if (client->body == NGX_CHAIN_ERROR) {
        client->body = NULL;
        return NGX_ERROR;
    }

    if (client->body == NULL && c->buffered) {
        ngx_smtp_client_flush_buf.flush = 1;
        client->body = &ngx_smtp_client_flush;
    }

    return client->body ? NGX_AGAIN : NGX_OK;
}


ngx_uint_t
ngx_smtp_client_sendfile(ngx_smtp_client_t *client)
{
    ngx_connection_t  *c;

    c = client->connection;

    /* in the kernel: SSL_sendfile() */

    return c->ssl == NULL || c->ssl->sendfile;
}


void
ngx_smtp_client_free(ngx_smtp_client_t *client, ngx_uint_t keep,
    ngx_uint_t *serial)
{
    ngx_uint_t         stay;
    ngx_connection_t  *c;

    c = client->connection;

    client->owner = NULL;

    ngx_smtp_client_sasl_wipe(client);

    if (client->body || client->broken) {
        /* what is said next would be read as the rest of it, if at all */
        client->body = NULL;
        keep = 0;
    }

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    stay = 0;

    if (c->ssl && keep) {
        ngx_ssl_free_buffer(c);
    }

    if (!keep || client->state != NGX_SMTP_CLIENT_READY
        || (!client->tx_open && ngx_smtp_client_spent(client))
        || client->in.pos != client->in.last
        || client->out.pos != client->out.last
        || ngx_smtp_client_tls_recovered(client)
        || ngx_smtp_peer_keep(client->upstream, c, client->sockaddr,
                              client->socklen, client->tag,
                              client->messages, ngx_smtp_client_close, &stay)
           != NGX_OK)
    {
        if (!keep) {
            /* not fit to be spoken to */
            client->state = NGX_SMTP_CLIENT_CONNECT;
        }

        ngx_smtp_client_close(c);
    }

    if (serial) {
        *serial = stay;
    }
}


static void
ngx_smtp_client_close(ngx_connection_t *c)
{
    ngx_smtp_client_t  *client;

    client = c->data;

    /*
     * RFC 5321, 4.1.1.10: a client says QUIT.  Its reply is not waited for;
     * nothing that counts is open any more.
     */

    if (client->state == NGX_SMTP_CLIENT_READY
        && !c->error && !c->read->eof && !c->read->error && c->write->ready)
    {
        (void) c->send(c, (u_char *) "QUIT" CRLF, sizeof("QUIT" CRLF) - 1);
    }

    ngx_smtp_peer_close(c);
}

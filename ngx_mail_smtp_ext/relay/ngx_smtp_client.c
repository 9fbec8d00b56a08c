
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include <ngx_smtp_client_private.h>


/*
 * The life of a connection to a next hop, from connect() to QUIT, and its
 * events.  Its memory is the connection's pool.  Everything the server sends
 * is bounded: lines and replies by proto/_answer, time by a timer for each
 * reply.
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
static void ngx_smtp_client_close(ngx_connection_t *c);


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


void
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

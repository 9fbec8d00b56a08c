
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_client_private.h>


/*
 * TLS with a next hop: STARTTLS, RFC 3207, between two EHLO, or from the start
 * (RFC 8314, 3).
 *
 * Opportunistic (RFC 7435) is for who would do without: whatever goes wrong up
 * to the end of the handshake costs the connection, and the server is spoken
 * to in clear text for a while.  A certificate is looked at all the same, for
 * those who ask for one that is verified.
 */


static void ngx_smtp_client_tls_handler(ngx_event_t *ev);
static ngx_int_t ngx_smtp_client_tls_done(ngx_smtp_client_t *client);
static ngx_uint_t ngx_smtp_client_tls_broken(ngx_smtp_client_t *client);


ngx_int_t
ngx_smtp_client_tls_offer(ngx_smtp_client_t *client)
{
    ngx_uint_t         offered;
    ngx_connection_t  *c;

    c = client->connection;

    if (c->ssl || client->tls_mode == NGX_SMTP_PASS_TLS_OFF) {
        return NGX_DECLINED;
    }

    offered = client->caps.extensions & NGX_SMTP_EXT_STARTTLS;

    if (client->tls_mode == NGX_SMTP_PASS_TLS_OPPORTUNISTIC) {

        if (!offered) {
            return NGX_DECLINED;
        }

        /* each try costs a connection, and a line in the log */

        if (client->fell_back || ngx_smtp_client_tls_broken(client)) {
            client->fell_back = 1;
            return NGX_DECLINED;
        }

    } else if (!offered) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "upstream does not offer STARTTLS");

        client->failure = NGX_SMTP_REPLY_SERVER_INSECURE;
        return NGX_ERROR;
    }

    client->state = NGX_SMTP_CLIENT_STARTTLS;
    c->log->action = "asking upstream for TLS";

    if (ngx_smtp_client_quiet(client) != NGX_OK
        || ngx_smtp_client_room(client, sizeof("STARTTLS" CRLF) - 1) != NGX_OK)
    {
        return NGX_ERROR;
    }

    client->out.last = ngx_cpymem(client->out.last, "STARTTLS" CRLF,
                                  sizeof("STARTTLS" CRLF) - 1);

    return ngx_smtp_client_send(client, client->conf->greeting_timeout);
}


ngx_int_t
ngx_smtp_client_tls_answer(ngx_smtp_client_t *client)
{
    ngx_connection_t  *c;

    c = client->connection;

    if (client->reply.code != 220) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "upstream said to STARTTLS: \"%ui %V\"",
                      client->reply.code, &client->reply.text);
        return NGX_ERROR;
    }

    /*
     * What was sent behind it in clear text, by whomever, must not be taken
     * for what was said under TLS.
     */

    if (client->in.pos != client->in.last) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "upstream sent something behind its reply to STARTTLS");
        return NGX_ERROR;
    }

    return ngx_smtp_client_tls_start(client);
}


ngx_int_t
ngx_smtp_client_tls_start(ngx_smtp_client_t *client)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = client->connection;

    client->state = NGX_SMTP_CLIENT_TLS;
    c->log->action = "SSL handshaking to upstream";

    if (ngx_smtp_peer_tls_start(client->conf->tls.tls, c, client->sockaddr,
                                client->socklen, &client->host)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_add_timer(c->read, client->conf->connect_timeout);

    rc = ngx_smtp_peer_tls_handshake(c, ngx_smtp_client_tls_handler);

    if (rc == NGX_AGAIN) {
        return NGX_DONE;
    }

    return (rc == NGX_OK) ? ngx_smtp_client_tls_done(client) : NGX_ERROR;
}


static void
ngx_smtp_client_tls_handler(ngx_event_t *ev)
{
    ngx_int_t           rc;
    ngx_connection_t   *c;
    ngx_smtp_client_t  *client;

    c = ev->data;
    client = c->data;

    if (ev->timedout) {
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

    rc = ngx_smtp_peer_tls_handshake(c, ngx_smtp_client_tls_handler);

    if (rc == NGX_AGAIN) {
        return;
    }

    if (rc != NGX_OK || ngx_smtp_client_tls_done(client) == NGX_ERROR) {
        ngx_smtp_client_fail(client);
    }
}


static ngx_int_t
ngx_smtp_client_tls_done(ngx_smtp_client_t *client)
{
    ngx_int_t          rc;
    ngx_uint_t         level, opportunistic;
    ngx_connection_t  *c;

    c = client->connection;

    ngx_smtp_client_rest(client);

    /* RFC 7435, 3: without proof it is still better than nothing */

    opportunistic = (client->tls_mode == NGX_SMTP_PASS_TLS_OPPORTUNISTIC);
    level = opportunistic ? NGX_LOG_INFO : NGX_LOG_ERR;

    rc = ngx_smtp_peer_tls_verify(c, level);

    if (rc == NGX_ERROR && !opportunistic) {
        return NGX_ERROR;
    }

    client->caps.secure = (rc == NGX_OK);
    client->ssl_protocol = SSL_get_version(c->ssl->connection);
    client->ssl_cipher = SSL_get_cipher_name(c->ssl->connection);

    c->read->handler = ngx_smtp_client_read_handler;
    c->write->handler = ngx_smtp_client_write_handler;

    if (client->tls_mode != NGX_SMTP_PASS_TLS_IMPLICIT) {

        /* RFC 3207, 4.2: what was said before does not count */

        rc = ngx_smtp_client_ehlo(client);

        return (rc == NGX_OK) ? NGX_DONE : NGX_ERROR;
    }

    /* the greeting may have been read already, with the end of the handshake */

    ngx_smtp_client_greeting(client);
    ngx_post_event(c->read, &ngx_posted_events);

    return NGX_DONE;
}


void
ngx_smtp_client_tls_failed(ngx_smtp_client_t *client)
{
    ngx_connection_t  *c;

    c = client->connection;

    if (client->tls_mode == NGX_SMTP_PASS_TLS_OPPORTUNISTIC && !c->close
        && ngx_smtp_peer_tls_set_broken(client->conf->tls.tls,
                                        client->sockaddr, client->socklen,
                                        &client->host,
                                        client->conf->tls_retry)
           == NGX_OK)
    {
        ngx_log_error(NGX_LOG_WARN, c->log, 0,
                      "no TLS with upstream for the next %M ms, clear text "
                      "is used", client->conf->tls_retry);

        client->again = 1;
        return;
    }

    client->failure = NGX_SMTP_REPLY_SERVER_INSECURE;
}


ngx_uint_t
ngx_smtp_client_tls_recovered(ngx_smtp_client_t *client)
{
    return client->fell_back && !ngx_smtp_client_tls_broken(client);
}


static ngx_uint_t
ngx_smtp_client_tls_broken(ngx_smtp_client_t *client)
{
    return ngx_smtp_peer_tls_broken(client->conf->tls.tls, client->sockaddr,
                                    client->socklen, &client->host);
}

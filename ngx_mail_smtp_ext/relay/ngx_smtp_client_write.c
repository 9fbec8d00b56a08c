
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_client_private.h>


/*
 * What goes out on a connection to a next hop: commands, then a body, in
 * pieces as its owner has them.
 */


static ngx_int_t ngx_smtp_client_write_commands(ngx_smtp_client_t *client);
static ngx_int_t ngx_smtp_client_write_body(ngx_smtp_client_t *client);


/* stands for octets that are neither in a body nor in the socket: in TLS */
static ngx_buf_t    ngx_smtp_client_flush_buf;
static ngx_chain_t  ngx_smtp_client_flush = { &ngx_smtp_client_flush_buf,
                                              NULL };


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

ngx_int_t
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

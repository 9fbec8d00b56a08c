
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_relay.h>


/*
 * A message for a next hop without 8BITMIME, RFC 6152, 3: it is looked whether
 * there is an 8-bit octet in it at all, since what clients declare, or do not,
 * says little; one that has some is converted into a spool of its own, or
 * refused.  Others pay nothing for that: nobody looks at what goes to servers
 * that take everything.
 */


typedef struct {
    ngx_smtp_relay_t         *relay;
    ngx_smtp_spool_t         *spool;         /* what comes out; NULL: looking */
    ngx_smtp_spool_reader_t   reader;
    ngx_smtp_sevenbit_t       sb;
    ngx_int_t                 rc;            /* once done */
    u_char                    last[2];       /* octets that came out */
    unsigned                  done:1;
} ngx_smtp_relay_8bit_t;


static ngx_int_t ngx_smtp_relay_8bit_start(ngx_smtp_relay_t *relay);
static ngx_int_t ngx_smtp_relay_8bit_run(ngx_smtp_relay_8bit_t *eb);
static ngx_int_t ngx_smtp_relay_8bit_feed(ngx_smtp_relay_8bit_t *eb,
    size_t len);
static ngx_int_t ngx_smtp_relay_8bit_pass(ngx_smtp_relay_8bit_t *eb);
static ngx_int_t ngx_smtp_relay_8bit_convert(ngx_smtp_relay_8bit_t *eb);
static ngx_int_t ngx_smtp_relay_8bit_out(void *data, u_char *p, size_t len);
static void ngx_smtp_relay_8bit_read(ngx_smtp_op_t *op);
static void ngx_smtp_relay_8bit_flushed(ngx_smtp_op_t *op);
static void ngx_smtp_relay_8bit_go_on(ngx_smtp_relay_8bit_t *eb,
    ngx_int_t rc);


ngx_int_t
ngx_smtp_relay_8bit(ngx_smtp_relay_t *relay)
{
    ngx_int_t               rc;
    ngx_uint_t              extensions;
    ngx_smtp_relay_8bit_t  *eb;

    extensions = relay->client->caps.extensions;

    relay->delivery->spool = NULL;

    /* RFC 6531, 3.1, 8: who has SMTPUTF8 takes 8-bit content */

    if ((extensions & NGX_SMTP_EXT_8BITMIME)
        || (relay->tx->utf8 && (extensions & NGX_SMTP_EXT_SMTPUTF8))
        || relay->tx->body_binary
        || relay->conf->eight_bit == NGX_SMTP_PASS_8BIT_PASS)
    {
        return NGX_OK;
    }

    eb = relay->eight_bit;

    rc = (eb && eb->done) ? eb->rc : ngx_smtp_relay_8bit_start(relay);

    eb = relay->eight_bit;

    switch (rc) {

    case NGX_OK:
        relay->delivery->spool = eb->spool;
        return NGX_OK;

    case NGX_DECLINED:
        ngx_smtp_verdict_set(&relay->failure, NGX_SMTP_REPLY_SERVER_LACKS_8BIT);
        return NGX_DECLINED;

    case NGX_AGAIN:
        ngx_smtp_client_rest(relay->client);
        return NGX_AGAIN;

    default: /* NGX_ERROR */
        ngx_smtp_verdict_set(&relay->failure, NGX_SMTP_REPLY_LOCAL_ERROR);
        return NGX_DECLINED;
    }
}


static ngx_int_t
ngx_smtp_relay_8bit_start(ngx_smtp_relay_t *relay)
{
    ngx_smtp_tx_t          *tx;
    ngx_smtp_relay_8bit_t  *eb;

    tx = relay->tx;

    /* of the transaction: a thread may still read into it later */

    eb = ngx_pcalloc(tx->pool, sizeof(ngx_smtp_relay_8bit_t));
    if (eb == NULL) {
        return NGX_ERROR;
    }

    relay->eight_bit = eb;

    eb->relay = relay;
    eb->reader.spool = tx->spool;

    eb->reader.buf = ngx_pnalloc(tx->pool, NGX_SMTP_SPOOL_READ_SIZE);
    if (eb->reader.buf == NULL) {
        return NGX_ERROR;
    }

    return ngx_smtp_relay_8bit_run(eb);
}


/* NGX_AGAIN: a file is at work; else as eb->rc */

static ngx_int_t
ngx_smtp_relay_8bit_run(ngx_smtp_relay_8bit_t *eb)
{
    ssize_t            n;
    ngx_int_t          rc;
    ngx_smtp_tx_t     *tx;
    ngx_smtp_relay_t  *relay;

    relay = eb->relay;
    tx = relay->tx;

    for ( ;; ) {

        if (eb->spool && eb->spool->full) {
            ngx_smtp_op_start(&relay->wait, &tx->ops,
                              ngx_smtp_relay_8bit_flushed, eb,
                              tx->session->connection->log);

            relay->reading_spool = 1;
            ngx_smtp_spool_flush(eb->spool, &relay->wait);

            return NGX_AGAIN;
        }

        if (eb->reader.offset == tx->spool->size) {

            rc = ngx_smtp_relay_8bit_pass(eb);

            if (rc != NGX_AGAIN) {
                eb->done = 1;
                eb->rc = rc;
                return rc;
            }

            continue;
        }

        ngx_smtp_op_start(&relay->wait, &tx->ops, ngx_smtp_relay_8bit_read, eb,
                          tx->session->connection->log);

        eb->reader.size = NGX_SMTP_SPOOL_READ_SIZE;

        n = ngx_smtp_spool_read(&eb->reader, &relay->wait);

        if (n == NGX_AGAIN) {
            relay->reading_spool = 1;
            return NGX_AGAIN;
        }

        ngx_smtp_op_cancel(&relay->wait);

        if (ngx_smtp_relay_8bit_feed(eb, n) != NGX_OK) {
            return NGX_ERROR;
        }
    }
}


static ngx_int_t
ngx_smtp_relay_8bit_feed(ngx_smtp_relay_8bit_t *eb, size_t len)
{
    if (len == 0) {
        return NGX_ERROR;
    }

    eb->reader.offset += len;

    ngx_smtp_sevenbit_feed(&eb->sb, eb->reader.buf, eb->reader.buf + len);

    return NGX_OK;
}


/* all of it was read; NGX_AGAIN: once more, for the spool */

static ngx_int_t
ngx_smtp_relay_8bit_pass(ngx_smtp_relay_8bit_t *eb)
{
    ngx_int_t  rc;

    if (eb->spool == NULL) {

        rc = ngx_smtp_sevenbit_looked(&eb->sb);

        if (rc == NGX_DONE) {
            return NGX_OK;
        }

        if (rc == NGX_DECLINED
            || eb->relay->conf->eight_bit == NGX_SMTP_PASS_8BIT_REFUSE)
        {
            return NGX_DECLINED;
        }

        return ngx_smtp_relay_8bit_convert(eb);
    }

    if (ngx_smtp_sevenbit_end(&eb->sb) != NGX_OK) {
        return NGX_ERROR;
    }

    /* so that it can be told where it ends, however it began */

    if ((eb->last[0] != CR || eb->last[1] != LF)
        && ngx_smtp_relay_8bit_out(eb, (u_char *) CRLF, 2) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_INFO, eb->relay->client->connection->log, 0,
                  "message converted to 7-bit, %O octets to %O",
                  eb->reader.spool->size, eb->spool->size);

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_relay_8bit_convert(ngx_smtp_relay_8bit_t *eb)
{
    eb->spool = ngx_smtp_tx_spool_make(eb->relay->tx);
    if (eb->spool == NULL) {
        return NGX_ERROR;
    }

    eb->reader.offset = 0;

    ngx_smtp_sevenbit_rewind(&eb->sb, ngx_smtp_relay_8bit_out, eb);

    return NGX_AGAIN;
}


static ngx_int_t
ngx_smtp_relay_8bit_out(void *data, u_char *p, size_t len)
{
    ngx_smtp_relay_8bit_t  *eb = data;

    eb->last[0] = (len > 1) ? p[len - 2] : eb->last[1];
    eb->last[1] = p[len - 1];

    return ngx_smtp_spool_append(eb->spool, p, len);
}


static void
ngx_smtp_relay_8bit_read(ngx_smtp_op_t *op)
{
    ngx_int_t               rc;
    ngx_smtp_relay_8bit_t  *eb;

    eb = op->data;

    rc = NGX_ERROR;

    if (op->rc == NGX_OK && eb->reader.err == 0) {
        rc = ngx_smtp_relay_8bit_feed(eb, eb->reader.size);
    }

    ngx_smtp_relay_8bit_go_on(eb, rc);
}


static void
ngx_smtp_relay_8bit_flushed(ngx_smtp_op_t *op)
{
    ngx_smtp_relay_8bit_t  *eb;

    eb = op->data;

    ngx_smtp_relay_8bit_go_on(eb, (op->rc == NGX_OK && eb->spool->err == 0)
                                  ? NGX_OK : NGX_ERROR);
}


static void
ngx_smtp_relay_8bit_go_on(ngx_smtp_relay_8bit_t *eb, ngx_int_t rc)
{
    ngx_smtp_relay_t  *relay;

    relay = eb->relay;
    relay->reading_spool = 0;

    if (relay->client == NULL) {

        /* for another server it may not be needed */

        relay->eight_bit = NULL;
        ngx_smtp_relay_resume(relay);
        return;
    }

    if (rc == NGX_OK) {
        rc = ngx_smtp_relay_8bit_run(eb);

        if (rc == NGX_AGAIN) {
            return;
        }
    }

    eb->done = 1;
    eb->rc = rc;

    if (ngx_smtp_relay_envelope(relay) != NGX_OK) {
        ngx_smtp_relay_failed(relay->client);
    }
}

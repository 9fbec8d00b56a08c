
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_relay.h>


/*
 * The envelope towards a next hop: [RSET] [XFORWARD...] MAIL RCPT... [DATA],
 * in one write where it has PIPELINING (RFC 2920), one by one where it has
 * not.  Commands and replies walk through the same sequence with a position of
 * their own.
 *
 * Where the next hop has CHUNKING (RFC 3030), BDAT LAST with the whole message
 * takes the place of DATA, and its reply is the final one.
 *
 * Either leaves together with RCPT only if there is but one recipient yet to
 * be answered: it is taken, and so is the message, or it is not.  With more of
 * them a mixed result would come too late.
 */


/*
 * A kept connection that has been silent for longer may be gone: the message
 * is not risked on it together with the first command.  If it was lost there,
 * nobody could tell whether it has been taken.
 */
#define NGX_SMTP_RELAY_QUIET  1000


static ngx_int_t ngx_smtp_relay_remote(ngx_smtp_relay_t *relay);
static ngx_uint_t ngx_smtp_relay_by_chunk(ngx_smtp_relay_t *relay);
static void ngx_smtp_relay_send_first(ngx_smtp_relay_t *relay);
static ngx_uint_t ngx_smtp_relay_goes_on(ngx_smtp_relay_t *relay);
static ngx_int_t ngx_smtp_relay_emit(ngx_smtp_relay_t *relay);
static ngx_int_t ngx_smtp_relay_emit_mail(ngx_smtp_relay_t *relay);
static ngx_int_t ngx_smtp_relay_emit_rcpt(ngx_smtp_relay_t *relay);
static ngx_int_t ngx_smtp_relay_emitted(ngx_smtp_relay_t *relay, u_char *p,
    u_char *end);
static ngx_msec_t ngx_smtp_relay_timeout(ngx_smtp_relay_t *relay);


/* begins on a client that has been greeted */

ngx_int_t
ngx_smtp_relay_envelope(ngx_smtp_relay_t *relay)
{
    ngx_int_t           rc;
    ngx_smtp_client_t  *client;

    client = relay->client;

    client->connection->log->action = "sending envelope to upstream";

    /* until something has been said here no reply is due, not even the last */

    relay->reading.step = NGX_SMTP_RELAY_RSET;
    relay->outstanding = 0;
    relay->nrefused = 0;
    relay->refused = NULL;
    relay->added_refused = 0;
    relay->mail_failed = 0;
    relay->end_sent = 0;
    relay->held = 0;
    relay->part = 0;
    relay->answering = NULL;
    relay->closing = 0;
    relay->last_piece = 0;
    relay->bye = 0;
    relay->drop = 0;
    relay->answered = 0;
    relay->proving = 0;

    ngx_memzero(&relay->failure, sizeof(ngx_smtp_verdict_t));

    relay->tx->delivery = relay->delivery;

    if (relay->deliver && ngx_smtp_relay_remote(relay) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_smtp_esmtp_check(&client->caps, relay->tx, &relay->failure)
        != NGX_OK)
    {
        relay->delivery->full = relay->deliver && !relay->stream
                                && ngx_smtp_esmtp_room(&client->caps,
                                                       relay->tx,
                                                       &relay->failure)
                                   != NGX_OK;

        ngx_smtp_relay_finish(relay);
        return NGX_OK;
    }

    if (relay->stream && ngx_smtp_relay_stream_check(relay) != NGX_OK) {
        return NGX_OK;
    }

    if (relay->deliver && !relay->stream) {
        rc = ngx_smtp_relay_8bit(relay);

        if (rc == NGX_DECLINED) {
            ngx_smtp_relay_finish(relay);
        }

        if (rc != NGX_OK) {
            return NGX_OK;
        }
    }

    if (ngx_smtp_relay_forward(relay) != NGX_OK) {
        return NGX_ERROR;
    }

    relay->chunk = ngx_smtp_relay_by_chunk(relay);

    ngx_smtp_relay_send_first(relay);

    relay->reading = relay->sending;

    if (relay->chunk && relay->reading.step == NGX_SMTP_RELAY_DATA) {

        if (relay->stream) {
            return ngx_smtp_relay_stream_open(relay);
        }

        relay->reading.step = NGX_SMTP_RELAY_FINAL;
    }

    return ngx_smtp_relay_send(relay);
}


/* for reports, which may have to be written once the client is gone */

static ngx_int_t
ngx_smtp_relay_remote(ngx_smtp_relay_t *relay)
{
    ngx_smtp_tx_t       *tx;
    ngx_smtp_service_t  *service;

    tx = relay->tx;
    service = tx->session->service;

    if (service->report == NULL && service->success_report == NULL) {
        return NGX_OK;
    }

    return ngx_smtp_tx_copy(tx, &relay->delivery->remote,
                            &relay->client->domain);
}


/* is the message to be sent by BDAT? */

static ngx_uint_t
ngx_smtp_relay_by_chunk(ngx_smtp_relay_t *relay)
{
    if (!relay->deliver
        || !(relay->client->caps.extensions & NGX_SMTP_EXT_CHUNKING)
        || (relay->stream && !relay->tx->chunked))
    {
        return 0;
    }

    return ngx_time() >= relay->delivery->dest->alike_until
           || relay->tx->body_binary;
}


static void
ngx_smtp_relay_send_first(ngx_smtp_relay_t *relay)
{
    ngx_smtp_tx_t      *tx;
    ngx_smtp_client_t  *client;

    tx = relay->tx;
    client = relay->client;

    relay->sending.rcpt = relay->deliver
                          ? ngx_smtp_delivery_first(relay->delivery)
                          : tx->rcpt;

    relay->sending.n = 0;

    if (!client->tx_open) {
        relay->sending.step = relay->nforward ? NGX_SMTP_RELAY_XFORWARD
                                              : NGX_SMTP_RELAY_MAIL;
        return;
    }

    if (!ngx_smtp_relay_goes_on(relay)) {
        relay->sending.step = NGX_SMTP_RELAY_RSET;
        return;
    }

    /*
     * Our own, with all recipients so far.  Whether it is still there, where
     * that is in doubt, 354 tells, or RSET if it has to be BDAT.
     */

    if (relay->chunk
        && ngx_current_msec - client->heard > NGX_SMTP_RELAY_QUIET)
    {
        if (tx->body_binary) {
            relay->sending.step = NGX_SMTP_RELAY_RSET;
            return;
        }

        relay->chunk = 0;
    }

    relay->sending.step = relay->deliver ? NGX_SMTP_RELAY_DATA
                                         : NGX_SMTP_RELAY_RCPT;
}


/*
 * The transaction that is open there is ours, with all recipients so far, and
 * RFC 9422, 4.2: those that were refused count as well where another is to be
 * said.
 */

static ngx_uint_t
ngx_smtp_relay_goes_on(ngx_smtp_relay_t *relay)
{
    ngx_smtp_tx_t      *tx;
    ngx_smtp_client_t  *client;

    tx = relay->tx;
    client = relay->client;

    if (!client->tx_open
        || ngx_memcmp(client->tx_id, tx->id, NGX_SMTP_ID_LEN) != 0
        || client->tx_delivery != relay->delivery
        || client->tx_changes != tx->changes
        || client->tx_rcpts != relay->delivery->nrcpts)
    {
        return 0;
    }

    return relay->deliver || client->caps.rcpt_max == 0
           || client->tx_said < client->caps.rcpt_max;
}


ngx_uint_t
ngx_smtp_relay_usable(ngx_smtp_relay_t *relay)
{
    return ngx_smtp_relay_goes_on(relay)
           || !ngx_smtp_client_spent(relay->client);
}


ngx_int_t
ngx_smtp_relay_send(ngx_smtp_relay_t *relay)
{
    ngx_smtp_client_t  *client;

    client = relay->client;

    if (relay->outstanding == 0 && ngx_smtp_client_quiet(client) != NGX_OK) {
        return NGX_ERROR;
    }

    /* while a reply was waited for, another delivery may have had its turn */

    relay->tx->delivery = relay->delivery;

    while (ngx_smtp_relay_may_send(relay)) {

        switch (ngx_smtp_relay_emit(relay)) {

        case NGX_OK:

            if (relay->chunk && relay->sending.step == NGX_SMTP_RELAY_DATA) {
                relay->sending.step = NGX_SMTP_RELAY_FINAL;
                continue;
            }

            relay->outstanding++;
            ngx_smtp_relay_advance(relay, &relay->sending);
            continue;

        case NGX_ERROR:
            return NGX_ERROR;
        }

        /* NGX_DECLINED: no room; the next reply brings us back here */

        break;
    }

    return ngx_smtp_client_send(client, ngx_smtp_relay_timeout(relay));
}


ngx_uint_t
ngx_smtp_relay_may_send(ngx_smtp_relay_t *relay)
{
    if (relay->sending.step >= NGX_SMTP_RELAY_FINAL || relay->mail_failed) {
        return 0;
    }

    if (relay->sending.step == NGX_SMTP_RELAY_DATA
        && (ngx_smtp_relay_stopped(relay) || (relay->stream && relay->chunk)))
    {
        return 0;
    }

    if (relay->outstanding == 0) {
        return 1;
    }

    if (!(relay->client->caps.extensions & NGX_SMTP_EXT_PIPELINING)) {
        return 0;
    }

    if (relay->sending.step != NGX_SMTP_RELAY_DATA) {
        return 1;
    }

    /*
     * The message is the last thing that is sent before everything is known.
     * With it on the way no other server can be tried, so that is for who
     * has asked for speed.
     */

    if (relay->chunk && relay->conf->mode != NGX_SMTP_PASS_BUFFERED) {
        return 0;
    }

    if (relay->chunk && relay->kept && !relay->client->fresh
        && ngx_current_msec - relay->client->heard > NGX_SMTP_RELAY_QUIET)
    {
        return 0;
    }

    /* one reply to the message, so that one too many is noticed */

    return relay->delivery->nrcpts == 1 && !relay->tx->prdr;
}


ngx_uint_t
ngx_smtp_relay_stopped(ngx_smtp_relay_t *relay)
{
    if (relay->nrefused == 0) {
        return 0;
    }

    if (relay->nrefused == relay->delivery->nrcpts) {
        return 1;
    }

    switch (relay->tx->mixed) {

    case NGX_SMTP_MIXED_EACH:
        /* whom a hook has added has no reply of its own */
        return relay->added_refused;

    case NGX_SMTP_MIXED_REPORT:
        /* the client will try again, and then all may get it */
        return relay->failure.code / 100 == 4;

    default: /* NGX_SMTP_MIXED_NEVER */
        return 1;
    }
}


static ngx_int_t
ngx_smtp_relay_emit(ngx_smtp_relay_t *relay)
{
    ngx_buf_t          *b;
    ngx_str_t          *line;
    ngx_smtp_client_t  *client;

    client = relay->client;
    b = &client->out;

    switch (relay->sending.step) {

    case NGX_SMTP_RELAY_RSET:

        if (ngx_smtp_client_room(client, sizeof("RSET" CRLF) - 1) != NGX_OK) {
            return NGX_DECLINED;
        }

        b->last = ngx_cpymem(b->last, "RSET" CRLF, sizeof("RSET" CRLF) - 1);
        return NGX_OK;

    case NGX_SMTP_RELAY_XFORWARD:
        line = &relay->forward[relay->sending.n];

        if (ngx_smtp_client_room(client, line->len) != NGX_OK) {
            return NGX_DECLINED;
        }

        b->last = ngx_cpymem(b->last, line->data, line->len);
        return NGX_OK;

    case NGX_SMTP_RELAY_MAIL:
        return ngx_smtp_relay_emit_mail(relay);

    case NGX_SMTP_RELAY_RCPT:
        return ngx_smtp_relay_emit_rcpt(relay);

    default: /* NGX_SMTP_RELAY_DATA */

        if (relay->chunk) {
            return ngx_smtp_relay_chunk(relay);
        }

        if (ngx_smtp_client_room(client, sizeof("DATA" CRLF) - 1) != NGX_OK) {
            return NGX_DECLINED;
        }

        b->last = ngx_cpymem(b->last, "DATA" CRLF, sizeof("DATA" CRLF) - 1);
        return NGX_OK;
    }
}


static ngx_int_t
ngx_smtp_relay_emit_mail(ngx_smtp_relay_t *relay)
{
    u_char             *p, *end;
    ngx_buf_t          *b;
    ngx_smtp_tx_t      *tx;
    ngx_smtp_client_t  *client;

    tx = relay->tx;
    client = relay->client;
    b = &client->out;

    if (ngx_smtp_client_room(client, sizeof("MAIL FROM:<>" CRLF) - 1
                             + tx->mail_from.len + NGX_SMTP_ESMTP_MAIL_MAX)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    p = ngx_sprintf(b->last, "MAIL FROM:<%V>", &tx->mail_from);
    end = p + NGX_SMTP_ESMTP_MAIL_MAX;

    p = ngx_smtp_esmtp_emit_mail(&client->caps, tx, p, end);

    if (ngx_smtp_relay_emitted(relay, p, end) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(client->tx_id, tx->id, NGX_SMTP_ID_LEN);
    client->tx_delivery = relay->delivery;
    client->tx_changes = tx->changes;
    client->tx_rcpts = 0;
    client->tx_said = 0;
    client->tx_open = 1;
    client->alike = 0;
    client->mails++;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_relay_emit_rcpt(ngx_smtp_relay_t *relay)
{
    u_char             *p, *end;
    ngx_buf_t          *b;
    ngx_smtp_rcpt_t    *rcpt;
    ngx_smtp_client_t  *client;

    client = relay->client;
    rcpt = relay->sending.rcpt;
    b = &client->out;

    if (ngx_smtp_client_room(client, sizeof("RCPT TO:<>" CRLF) - 1
                             + rcpt->addr.len + NGX_SMTP_ESMTP_RCPT_MAX)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    p = ngx_sprintf(b->last, "RCPT TO:<%V>", &rcpt->addr);
    end = p + NGX_SMTP_ESMTP_RCPT_MAX;

    p = ngx_smtp_esmtp_emit_rcpt(&client->caps, relay->tx, rcpt, p, end);

    client->tx_said++;

    return ngx_smtp_relay_emitted(relay, p, end);
}


/* ends the command; one that was cut off must not go out */

static ngx_int_t
ngx_smtp_relay_emitted(ngx_smtp_relay_t *relay, u_char *p, u_char *end)
{
    if (p == end) {
        ngx_log_error(NGX_LOG_ALERT, relay->client->connection->log, 0,
                      "smtp parameters for upstream are too long");
        return NGX_ERROR;
    }

    *p++ = CR; *p++ = LF;

    relay->client->out.last = p;

    return NGX_OK;
}


void
ngx_smtp_relay_advance(ngx_smtp_relay_t *relay, ngx_smtp_relay_pos_t *pos)
{
    ngx_smtp_rcpt_t  *rcpt;

    switch (pos->step) {

    case NGX_SMTP_RELAY_RSET:
        pos->step = relay->nforward ? NGX_SMTP_RELAY_XFORWARD
                                    : NGX_SMTP_RELAY_MAIL;
        return;

    case NGX_SMTP_RELAY_XFORWARD:

        if (++pos->n == relay->nforward) {
            pos->step = NGX_SMTP_RELAY_MAIL;
        }

        return;

    case NGX_SMTP_RELAY_RCPT:
        break;

    default:
        pos->step++;
        return;
    }

    if (!relay->deliver) {
        pos->step = NGX_SMTP_RELAY_DONE;
        return;
    }

    rcpt = ngx_smtp_delivery_next(relay->delivery, pos->rcpt);

    if (rcpt == NULL) {

        /* BDAT has one reply, the final one */

        pos->step = (relay->chunk && pos == &relay->reading)
                    ? NGX_SMTP_RELAY_FINAL : NGX_SMTP_RELAY_DATA;
        return;
    }

    pos->rcpt = rcpt;
}


static ngx_msec_t
ngx_smtp_relay_timeout(ngx_smtp_relay_t *relay)
{
    switch (relay->reading.step) {

    case NGX_SMTP_RELAY_RCPT:
        return relay->conf->rcpt_timeout;

    case NGX_SMTP_RELAY_DATA:
        return relay->conf->data_timeout;

    case NGX_SMTP_RELAY_FINAL:
        return relay->conf->final_timeout;

    default: /* NGX_SMTP_RELAY_RSET, XFORWARD, MAIL */
        return relay->conf->mail_timeout;
    }
}

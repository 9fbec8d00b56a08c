
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_relay.h>


/*
 * What a next hop says to the envelope and the message, RFC 5321, 4.2 and
 * 4.3.2, and what becomes of the request.
 *
 * Until the end mark has gone out, what is wrong with one server is no verdict
 * on the mail: another one is tried.  Of several refusals the client is told
 * the one that lets it do the right thing.
 */


static ngx_int_t ngx_smtp_relay_answer_final(ngx_smtp_relay_t *relay);
static ngx_int_t ngx_smtp_relay_reply(ngx_smtp_relay_t *relay,
    ngx_uint_t step);
static ngx_int_t ngx_smtp_relay_reply_rcpt(ngx_smtp_relay_t *relay);
static ngx_int_t ngx_smtp_relay_reply_data(ngx_smtp_relay_t *relay);
static ngx_int_t ngx_smtp_relay_settle(ngx_smtp_relay_t *relay);
static ngx_int_t ngx_smtp_relay_server_failed(ngx_smtp_relay_t *relay);
static ngx_int_t ngx_smtp_relay_refused(ngx_smtp_relay_t *relay);
static ngx_int_t ngx_smtp_relay_reply_final(ngx_smtp_relay_t *relay);
static ngx_int_t ngx_smtp_relay_message_failed(ngx_smtp_relay_t *relay,
    ngx_smtp_verdict_t *verdict);
static ngx_int_t ngx_smtp_relay_reply_part(ngx_smtp_relay_t *relay);


ngx_int_t
ngx_smtp_relay_answer(ngx_smtp_client_t *client)
{
    ngx_int_t          rc;
    ngx_uint_t         step;
    ngx_smtp_relay_t  *relay;

    relay = client->owner;

    step = relay->reading.step;

    if ((relay->op == NULL && !relay->open)
        || (relay->outstanding == 0 && step != NGX_SMTP_RELAY_FINAL))
    {
        /* 421 before a time-out of theirs, or nonsense: the end of it */
        ngx_log_error(NGX_LOG_INFO, client->connection->log, 0,
                      "upstream sent an unexpected reply: \"%ui %V\"",
                      client->reply.code, &client->reply.text);
        return NGX_ERROR;
    }

    relay->bye = (client->reply.code == 421);

    if (relay->proving) {
        rc = ngx_smtp_relay_proof_answer(relay);

        if (rc != NGX_OK) {
            return (rc == NGX_AGAIN) ? NGX_OK : NGX_ERROR;
        }

        return ngx_smtp_relay_answer_final(relay);
    }

    if (relay->bye && relay->kept && !relay->answered) {
        /*
         * Said before it had read any of this: as good as closed, and a chunk
         * that went with it has not been taken.
         */
        client->fresh = 0;
        relay->end_sent = 0;
        return NGX_ERROR;
    }

    relay->answered = 1;

    if (client->caps.extensions & NGX_SMTP_EXT_CHUNKING) {
        ngx_smtp_relay_proof_compare(relay, step);
    }

    if (step == NGX_SMTP_RELAY_FINAL) {

        if (relay->chunk
            && ngx_smtp_relay_proof_wanted(relay, relay->mail_failed
                                           || ngx_smtp_relay_stopped(relay)))
        {
            return ngx_smtp_relay_proof_start(relay);
        }

        return ngx_smtp_relay_answer_final(relay);
    }

    if (relay->bye) {
        return ngx_smtp_relay_server_failed(relay);
    }

    relay->outstanding--;

    if (ngx_smtp_relay_reply(relay, step) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_smtp_relay_advance(relay, &relay->reading);

    if (relay->chunk && relay->sending.step >= NGX_SMTP_RELAY_FINAL) {

        /* the chunk is on its way, whatever was said to what came before */

        if (relay->end_sent) {
            /* maybe the rest comes in one piece, behind the message */
            ngx_smtp_client_wait(client, relay->conf->final_timeout);
        }

        return NGX_OK;
    }

    if (relay->outstanding == 0 && !ngx_smtp_relay_may_send(relay)) {
        return ngx_smtp_relay_settle(relay);
    }

    return ngx_smtp_relay_send(relay);
}


static ngx_int_t
ngx_smtp_relay_answer_final(ngx_smtp_relay_t *relay)
{
    ngx_smtp_client_t  *client;

    client = relay->client;

    if (!relay->mail_failed && !ngx_smtp_relay_stopped(relay)) {
        return ngx_smtp_relay_reply_final(relay);
    }

    /*
     * BDAT is refused as well, it had nobody to go to; RSET is due (RFC 3030,
     * 2).  354 says that it was read as something else.
     */

    relay->drop |= (client->body != NULL || !relay->last_piece
                    || client->reply.code / 100 == 3);
    client->tx_open = 1;

    return ngx_smtp_relay_settle(relay);
}


static ngx_int_t
ngx_smtp_relay_reply(ngx_smtp_relay_t *relay, ngx_uint_t step)
{
    ngx_uint_t  ok;

    ok = (relay->client->reply.code / 100 == 2);

    if (relay->client->reply.code / 100 == 3 && step != NGX_SMTP_RELAY_DATA) {
        /* maybe that to a DATA behind it: it may be waiting for data */
        relay->drop = 1;
    }

    switch (step) {

    case NGX_SMTP_RELAY_RSET:
        return ok ? NGX_OK : NGX_ERROR;

    case NGX_SMTP_RELAY_XFORWARD:

        if (!ok) {
            /* the mail is none the worse for it */
            ngx_log_error(NGX_LOG_WARN, relay->client->connection->log, 0,
                          "upstream said to XFORWARD: \"%ui %V\"",
                          relay->client->reply.code,
                          &relay->client->reply.text);
        }

        return NGX_OK;

    case NGX_SMTP_RELAY_MAIL:

        if (!ok) {
            relay->mail_failed = 1;
            relay->client->tx_open = 0;
            return ngx_smtp_relay_verdict(relay, &relay->failure);
        }

        return NGX_OK;

    case NGX_SMTP_RELAY_RCPT:
        return relay->mail_failed ? NGX_OK : ngx_smtp_relay_reply_rcpt(relay);

    default: /* NGX_SMTP_RELAY_DATA */
        return ngx_smtp_relay_reply_data(relay);
    }
}


static ngx_int_t
ngx_smtp_relay_reply_rcpt(ngx_smtp_relay_t *relay)
{
    ngx_uint_t            code;
    ngx_smtp_rcpt_t      *rcpt;
    ngx_smtp_verdict_t    verdict;

    rcpt = relay->reading.rcpt;
    code = relay->client->reply.code;

    if (code / 100 == 2) {
        relay->client->tx_rcpts++;

        return relay->deliver ? NGX_OK
                              : ngx_smtp_relay_verdict(relay, &rcpt->verdict);
    }

    if (!relay->deliver) {

        if (relay->client->caps.domain_max) {
            /* its domain has been used up, as RFC 9422, 4.3, counts */
            relay->client->tx_open = 0;
        }

        return ngx_smtp_relay_verdict(relay, &rcpt->verdict);
    }

    relay->nrefused++;
    relay->added_refused |= rcpt->added;

    if (ngx_smtp_relay_verdict(relay, &verdict) != NGX_OK) {
        return NGX_ERROR;
    }

    if (relay->tx->mixed != NGX_SMTP_MIXED_NEVER) {
        rcpt->verdict = verdict;
    }

    /* of several refusals a temporary one counts: it may turn out well */

    if (relay->refused && (relay->failure.code / 100 == 4
                           || verdict.code / 100 == 5))
    {
        return NGX_OK;
    }

    relay->refused = rcpt;
    relay->failure = verdict;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_relay_reply_data(ngx_smtp_relay_t *relay)
{
    ngx_uint_t  code;

    code = relay->client->reply.code;

    if (relay->mail_failed || ngx_smtp_relay_stopped(relay)) {

        /*
         * Nobody is to get it.  After 354 it waits for data, and closing is
         * the only way that leaves no message behind; after 2yz it has gone
         * out of step.
         */

        relay->drop |= (code / 100 < 4);

        return NGX_OK;
    }

    if (code == 354) {
        return NGX_OK;
    }

    if (code / 100 == 2) {
        /* it has gone out of step */
        return NGX_ERROR;
    }

    relay->nrefused = relay->delivery->nrcpts;
    relay->refused = NULL;

    return ngx_smtp_relay_verdict(relay, &relay->failure);
}


/* every command has its reply */

static ngx_int_t
ngx_smtp_relay_settle(ngx_smtp_relay_t *relay)
{
    ngx_uint_t  agreed;

    if (relay->mail_failed && relay->failure.code / 100 == 4) {
        return ngx_smtp_relay_server_failed(relay);
    }

    agreed = !relay->mail_failed
             && (relay->deliver ? !ngx_smtp_relay_stopped(relay)
                                : relay->tx->rcpt->verdict.code / 100 == 2);

    /*
     * With a reply too many it is not known what the others were to; one that
     * is there already can't be to the message.
     */

    if (agreed && ngx_smtp_client_quiet(relay->client) != NGX_OK) {
        return NGX_ERROR;
    }

    if (agreed && relay->deliver) {
        ngx_memzero(&relay->failure, sizeof(ngx_smtp_verdict_t));
        return ngx_smtp_relay_body(relay);
    }

    if (relay->deliver && relay->refused
        && ngx_smtp_relay_refused(relay) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_smtp_relay_finish(relay);

    /* the connection may still be ours, but there is nothing to read */

    return NGX_DONE;
}


/*
 * 421 to anything before the end mark, or 4xx to MAIL: this server's own
 * trouble, and another may be better off.  Its reply is what our client gets
 * if none is.
 */

static ngx_int_t
ngx_smtp_relay_server_failed(ngx_smtp_relay_t *relay)
{
    if (relay->mail_failed) {
        relay->last = relay->failure;

    } else if (ngx_smtp_relay_verdict(relay, &relay->last) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_smtp_client_free(relay->client, !relay->bye && !relay->drop, NULL);
    relay->client = NULL;

    /*
     * What it says of a sender does not count against it: anybody could take
     * a group of servers out of use.
     */

    ngx_smtp_relay_retry(relay, relay->bye ? NGX_SMTP_NEXT_UNAVAILABLE
                                           : NGX_SMTP_NEXT_MAIL,
                         relay->bye);

    return NGX_DONE;
}


/*
 * Some recipients were refused now, when the message is there.  It goes to
 * nobody, and the reply says so: temporary where any of the refusals is, or
 * where the next hop had accepted the recipient when it was asked before (the
 * client will try again, and be told at RCPT); else permanent.  Of one that
 * only a hook has named the client is told what the next hop said.
 */

static ngx_int_t
ngx_smtp_relay_refused(ngx_smtp_relay_t *relay)
{
    ngx_smtp_tx_t  *tx;

    tx = relay->tx;

    if (relay->failure.code / 100 == 4 || relay->refused->added
        || relay->nrefused == relay->delivery->nrcpts)
    {
        return NGX_OK;
    }

    if (relay->conf->mode != NGX_SMTP_PASS_BUFFERED) {
        ngx_smtp_verdict_set(&relay->failure, NGX_SMTP_REPLY_SERVER_CHANGED);
        return NGX_OK;
    }

    return ngx_smtp_verdict_set_arg(&relay->failure, tx->pool,
                                    NGX_SMTP_REPLY_PARTLY_REFUSED,
                                    &relay->refused->given);
}


static ngx_int_t
ngx_smtp_relay_reply_final(ngx_smtp_relay_t *relay)
{
    ngx_smtp_verdict_t   verdict;

    if (relay->open && (relay->chunks || !relay->end_sent)) {
        return ngx_smtp_relay_stream_answer(relay);
    }

    if (relay->part && relay->client->body == NULL) {
        return ngx_smtp_relay_reply_part(relay);
    }

    if (relay->end_sent && ngx_smtp_relay_each(relay)) {
        return ngx_smtp_relay_answer_each(relay);
    }

    if (relay->client->reply.code / 100 == 3) {
        /* it has gone out of step */
        return NGX_ERROR;
    }

    if (relay->bye && !relay->end_sent) {
        return ngx_smtp_relay_server_failed(relay);
    }

    if (ngx_smtp_relay_outcome(relay, &verdict) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!relay->end_sent) {

        /* it does not wait for the end of the data: out of step from here */

        relay->bye = 1;

        if (verdict.code / 100 == 2) {
            ngx_smtp_verdict_set(&verdict, NGX_SMTP_REPLY_REPLY_LOST);
        }
    }

    relay->client->messages++;

    /* RFC 3030, 2: RSET is due after BDAT that was refused */

    relay->client->tx_open = (relay->chunk && verdict.code / 100 != 2);

    if (verdict.code / 100 == 4 && !relay->bye && !relay->open
        && (relay->conf->next & NGX_SMTP_NEXT_MESSAGE))
    {
        return ngx_smtp_relay_message_failed(relay, &verdict);
    }

    relay->failure = verdict;

    ngx_smtp_relay_finish(relay);

    return NGX_DONE;
}


/* it has said that it did not take the message, so another may have it */

static ngx_int_t
ngx_smtp_relay_message_failed(ngx_smtp_relay_t *relay,
    ngx_smtp_verdict_t *verdict)
{
    relay->last = *verdict;

    ngx_smtp_client_free(relay->client, 1, NULL);
    relay->client = NULL;

    ngx_smtp_relay_retry(relay, NGX_SMTP_NEXT_MESSAGE, 0);

    return NGX_DONE;
}


/* to BDAT with all of the message, but without LAST: see commit() */

static ngx_int_t
ngx_smtp_relay_reply_part(ngx_smtp_relay_t *relay)
{
    relay->part = 0;

    if (relay->bye) {
        return ngx_smtp_relay_server_failed(relay);
    }

    if (relay->client->reply.code / 100 == 2) {
        ngx_smtp_relay_hold(relay);
        return NGX_OK;
    }

    if (relay->client->reply.code / 100 == 3
        || ngx_smtp_relay_verdict(relay, &relay->failure) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_smtp_relay_finish(relay);

    return NGX_DONE;
}


ngx_int_t
ngx_smtp_relay_outcome(ngx_smtp_relay_t *relay, ngx_smtp_verdict_t *verdict)
{
    if (ngx_smtp_relay_verdict(relay, verdict) != NGX_OK) {
        return NGX_ERROR;
    }

    if (verdict->code / 100 == 2) {
        ngx_smtp_tx_accepted(relay->tx, verdict);
    }

    return NGX_OK;
}


ngx_int_t
ngx_smtp_relay_verdict(ngx_smtp_relay_t *relay, ngx_smtp_verdict_t *verdict)
{
    ngx_smtp_delivery_log_t  *log;
    ngx_smtp_client_reply_t  *reply;

    reply = &relay->client->reply;

    /* 3xx is out of place wherever this is called */

    verdict->code = (reply->code / 100 == 3) ? 451 : reply->code;
    verdict->enhanced = reply->enhanced;

    switch (reply->code) {

    case 421:    /* of their connection, not of ours */
    case 500:    /* of a command of ours, in a dialogue that is not the */
    case 502:    /* client's: it can't help it, and the mail is none the */
    case 503:    /* worse for it */
    case 504:
    case 530:
    case 538:
        verdict->code = 451;
        break;

    case 251:    /* RFC 6531, 3.7.4.1: without its address in UTF-8 it is */
    case 551:    /* 250 or 550 */
        verdict->code -= relay->client->masked;
        break;
    }

    if (ngx_smtp_tx_copy(relay->tx, &verdict->text, &reply->text) != NGX_OK) {
        return NGX_ERROR;
    }

    log = &relay->delivery->log;

    log->status = reply->code;
    log->enhanced = reply->enhanced;
    log->reply = verdict->text;

    return NGX_OK;
}

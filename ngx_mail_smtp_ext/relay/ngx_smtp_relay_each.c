
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_relay.h>


/*
 * A next hop that answers a message with a reply for each recipient that it
 * has accepted: LMTP (RFC 2033, 4.2), and SMTP with PRDR (draft-hall-prdr),
 * where "353" comes first and a reply to the message as a whole last.  A
 * server with PRDR that has one answer for all of them gives just that.
 */


#define NGX_SMTP_RELAY_PRDR  353


static ngx_smtp_rcpt_t *ngx_smtp_relay_next_rcpt(ngx_smtp_relay_t *relay,
    ngx_smtp_rcpt_t *rcpt);


ngx_uint_t
ngx_smtp_relay_each(ngx_smtp_relay_t *relay)
{
    if (relay->answering || relay->closing) {
        return 1;
    }

    if (relay->client->lmtp) {
        relay->answering = ngx_smtp_relay_next_rcpt(relay, NULL);
        return 1;
    }

    return relay->tx->prdr
           && relay->client->reply.code == NGX_SMTP_RELAY_PRDR
           && (relay->client->caps.extensions & NGX_SMTP_EXT_PRDR);
}


ngx_int_t
ngx_smtp_relay_answer_each(ngx_smtp_relay_t *relay)
{
    ngx_smtp_rcpt_t     *rcpt;
    ngx_smtp_client_t   *client;
    ngx_smtp_verdict_t   verdict;

    client = relay->client;
    rcpt = relay->answering;

    ngx_smtp_client_wait(client, relay->conf->final_timeout);

    if (rcpt == NULL && !relay->closing) {

        /* 353: theirs come now */

        relay->answering = ngx_smtp_relay_next_rcpt(relay, NULL);
        return NGX_OK;
    }

    if (client->reply.code / 100 == 3) {
        return NGX_ERROR;
    }

    if (ngx_smtp_relay_outcome(relay, &verdict) != NGX_OK) {
        return NGX_ERROR;
    }

    if (rcpt) {
        rcpt->verdict = verdict;

        relay->answering = ngx_smtp_relay_next_rcpt(relay, rcpt);

        if (!relay->bye && (relay->answering || !client->lmtp)) {
            relay->closing = (relay->answering == NULL);
            return NGX_OK;
        }
    }

    if (relay->answering) {

        /* 421, and there is more that it does not say */

        ngx_smtp_verdict_set(&verdict, NGX_SMTP_REPLY_REPLY_LOST);
    }

    client->messages++;
    client->tx_open = (relay->chunk && verdict.code / 100 != 2);

    relay->failure = verdict;

    ngx_smtp_relay_finish(relay);

    return NGX_DONE;
}


/* behind rcpt, or the first: one that was not refused at RCPT */

static ngx_smtp_rcpt_t *
ngx_smtp_relay_next_rcpt(ngx_smtp_relay_t *relay, ngx_smtp_rcpt_t *rcpt)
{
    do {
        rcpt = ngx_smtp_delivery_next(relay->delivery, rcpt);
    } while (rcpt && rcpt->verdict.code);

    return rcpt;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_relay.h>


/*
 * Is that the reply to the message?  Replies are matched by their order
 * (RFC 2920, 3.1), so a server that sends one too many is out of step from
 * there.  With DATA that is found out before the content is sent, since no
 * other command is answered by 354.  BDAT is answered by 250 as MAIL and RCPT
 * are (RFC 3030, 2), and then "recipient ok" could be taken for "message ok".
 *
 * Where that is possible, because replies look alike or there is more to read
 * than was asked for, QUIT is said, whose 221 no other command has either
 * (RFC 5321, 4.3.2): the reply before it is that to the message.  It costs the
 * connection, so the server is spoken to with DATA for a while.
 */


/* seconds without BDAT; then its replies may differ */
#define NGX_SMTP_RELAY_ALIKE_TIME  3600

/* replies too many that are waited for */
#define NGX_SMTP_RELAY_EXTRA_MAX   8

/* RFC 3463, 3.2: X.1.X is of an address */
#define NGX_SMTP_RELAY_ADDRESSING  1


static ngx_int_t ngx_smtp_relay_proof_keep(ngx_smtp_relay_t *relay);


/* a reply to step has come: is it the one before once more? */

void
ngx_smtp_relay_proof_compare(ngx_smtp_relay_t *relay, ngx_uint_t step)
{
    uint32_t                  said;
    ngx_uint_t                to;
    ngx_smtp_client_t        *client;
    ngx_smtp_client_reply_t  *reply;

    client = relay->client;
    reply = &client->reply;

    said = ngx_murmur_hash2(reply->text.data, reply->text.len);
    said = said * 31 + reply->code;
    said = said * 31 + reply->enhanced.subject;
    said = said * 31 + reply->enhanced.detail;

    to = client->said_to;

    client->said_to = step;

    if (said != client->said) {
        client->said = said;
        return;
    }

    /*
     * Those to several RCPT, or to several chunks, are alike with everybody,
     * and so may be those before RCPT: what comes next tells by its enhanced
     * code that it is not of the message.
     */

    if ((step == NGX_SMTP_RELAY_RCPT && to == NGX_SMTP_RELAY_RCPT)
        || (step < NGX_SMTP_RELAY_RCPT && reply->enhanced.class)
        || (relay->open && relay->chunks))
    {
        return;
    }

    client->alike = 1;
}


/* what was read as the final reply may be another: nobody: refused before */

ngx_uint_t
ngx_smtp_relay_proof_wanted(ngx_smtp_relay_t *relay, ngx_uint_t nobody)
{
    ngx_smtp_client_t  *client;

    client = relay->client;

    if (!relay->end_sent || client->body || relay->bye
        || (relay->open && relay->chunks))
    {
        return 0;
    }

    /* with a reply for each recipient only the number of them is certain */

    if (client->lmtp ? relay->delivery->nrcpts != 1
                     : relay->tx->prdr
                       && (client->caps.extensions & NGX_SMTP_EXT_PRDR))
    {
        return 0;
    }

    if (client->in.pos != client->in.last) {
        return 1;
    }

    return client->reply.code / 100 == 2
           && (client->alike || nobody
               || client->reply.enhanced.subject
                  == NGX_SMTP_RELAY_ADDRESSING);
}


/* as answer() */

ngx_int_t
ngx_smtp_relay_proof_start(ngx_smtp_relay_t *relay)
{
    ngx_smtp_client_t  *client;

    client = relay->client;

    relay->proving = 1;
    relay->extra = 0;

    relay->delivery->dest->alike_until = ngx_time()
                                         + NGX_SMTP_RELAY_ALIKE_TIME;

    client->connection->log->action = "asking which reply is the last one of "
                                      "upstream";

    ngx_log_error(NGX_LOG_INFO, client->connection->log, 0,
                  "upstream said what may not be its reply to the message: "
                  "\"%ui %V\"", client->reply.code, &client->reply.text);

    if (ngx_smtp_relay_proof_keep(relay) != NGX_OK
        || ngx_smtp_client_room(client, sizeof("QUIT" CRLF) - 1) != NGX_OK)
    {
        return NGX_ERROR;
    }

    client->out.last = ngx_cpymem(client->out.last, "QUIT" CRLF,
                                  sizeof("QUIT" CRLF) - 1);

    return ngx_smtp_client_send(client, relay->conf->final_timeout);
}


/* NGX_OK: the reply to the message is as if it had just come */

ngx_int_t
ngx_smtp_relay_proof_answer(ngx_smtp_relay_t *relay)
{
    ngx_smtp_client_t        *client;
    ngx_smtp_client_reply_t  *reply;

    client = relay->client;
    reply = &client->reply;

    if (reply->code != 221) {

        if (reply->code == 421 || reply->code / 100 == 3
            || ++relay->extra > NGX_SMTP_RELAY_EXTRA_MAX)
        {
            return NGX_ERROR;
        }

        return (ngx_smtp_relay_proof_keep(relay) == NGX_OK) ? NGX_AGAIN
                                                            : NGX_ERROR;
    }

    /* QUIT has been said */

    relay->proving = 0;
    relay->drop = 1;

    reply->code = relay->proof.code;
    reply->enhanced = relay->proof.enhanced;
    reply->text.len = relay->proof.text.len;

    ngx_memcpy(reply->text.data, relay->proof.text.data, reply->text.len);

    if (relay->extra) {
        ngx_log_error(NGX_LOG_ERR, client->connection->log, 0,
                      "upstream sent a reply too many");

        /* what was read as a refusal was one of them, or this is the same */

        relay->bye = 1;
        relay->mail_failed = 0;
        relay->nrefused = 0;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_relay_proof_keep(ngx_smtp_relay_t *relay)
{
    ngx_smtp_client_reply_t  *reply;

    reply = &relay->client->reply;

    relay->proof.code = reply->code;
    relay->proof.enhanced = reply->enhanced;

    return ngx_smtp_tx_copy(relay->tx, &relay->proof.text, &reply->text);
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_relay.h>


/*
 * Which server is asked.
 *
 * Another server is tried as long as it is certain that the one before did
 * not take the message: until the end mark has been handed to the kernel.
 * What goes wrong after that is 451 (RFC 1047), and nothing is sent again.
 */


static void ngx_smtp_relay_named(ngx_smtp_op_t *op);
static void ngx_smtp_relay_start(ngx_smtp_relay_t *relay);
static void ngx_smtp_relay_go_on(ngx_smtp_relay_t *relay);
static void ngx_smtp_relay_resolved(ngx_smtp_op_t *op);
static void ngx_smtp_relay_connect(ngx_smtp_relay_t *relay);
static ngx_int_t ngx_smtp_relay_try(ngx_smtp_relay_t *relay);
static void ngx_smtp_relay_attach(ngx_smtp_relay_t *relay,
    ngx_smtp_client_t *client);
static void ngx_smtp_relay_log_tls(ngx_smtp_relay_t *relay);
static void ngx_smtp_relay_retire(ngx_smtp_relay_t *relay);
static void ngx_smtp_relay_ready(ngx_smtp_client_t *client);
static void ngx_smtp_relay_put_off(ngx_smtp_relay_t *relay, ngx_uint_t why,
    ngx_uint_t failed);
static ngx_uint_t ngx_smtp_relay_may_retry(ngx_smtp_relay_t *relay,
    ngx_uint_t why);
static void ngx_smtp_relay_again(ngx_smtp_relay_t *relay);
static void ngx_smtp_relay_no_server(ngx_smtp_relay_t *relay);


void
ngx_smtp_relay_begin(ngx_smtp_relay_t *relay, ngx_smtp_op_t *op,
    ngx_uint_t deliver)
{
    ngx_smtp_session_t  *s;

    s = relay->tx->session;

    relay->op = op;
    relay->deliver = deliver;
    relay->kept = 0;
    relay->mail_failed = 0;
    relay->bye = 0;
    relay->drop = 0;
    relay->tries = 0;
    relay->begun_at = ngx_current_msec;

    ngx_memzero(&relay->failure, sizeof(ngx_smtp_verdict_t));
    ngx_memzero(&relay->last, sizeof(ngx_smtp_verdict_t));

    op->cancel = ngx_smtp_relay_cancel;
    op->worker = relay;

    if (relay->conf->xclient != NGX_SMTP_PASS_XCLIENT_OFF
        && relay->way.conf == NULL)
    {

        /* the next hop will want to know the client's name */

        ngx_smtp_op_start(&relay->wait, &relay->tx->ops, ngx_smtp_relay_named,
                          relay, s->connection->log);

        if (ngx_smtp_remote_name(s, &relay->wait) == NGX_AGAIN) {
            return;
        }

        ngx_smtp_op_cancel(&relay->wait);
    }

    ngx_smtp_relay_start(relay);
}


static void
ngx_smtp_relay_named(ngx_smtp_op_t *op)
{
    ngx_smtp_relay_start(op->data);
}


static void
ngx_smtp_relay_start(ngx_smtp_relay_t *relay)
{
    ngx_smtp_op_t       *op;
    ngx_smtp_tx_t       *tx;
    ngx_connection_t    *c;
    ngx_smtp_session_t  *s;

    tx = relay->tx;
    s = tx->session;

    ngx_memzero(&relay->peer, sizeof(ngx_smtp_peer_t));

    if (ngx_smtp_peer_init(&relay->peer, relay->upstream, tx->pool,
                           s->connection->log, s->service->resolver,
                           s->service->resolver_timeout)
        != NGX_OK
        || (relay->way.conf == NULL
            && ngx_smtp_client_way(&relay->way, relay->conf,
                                   relay->delivery->dest, s, tx->pool)
               != NGX_OK))
    {
        op = relay->op;
        relay->op = NULL;
        relay->way.conf = NULL;

        ngx_smtp_op_finish(op, NGX_ERROR);
        return;
    }

    relay->peer.client = s->remote.sockaddr;
    relay->peer.session = s;
    relay->peer.tag = relay->way.tag;

    if (relay->way.no_login) {
        ngx_smtp_verdict_set(&relay->failure, NGX_SMTP_REPLY_SERVER_LOGIN);
        ngx_smtp_relay_finish(relay);
        return;
    }

    /* the connection that asked before: still ours, or where we left it */

    if (relay->client == NULL && relay->parked) {

        c = ngx_smtp_peer_take(relay->upstream, relay->parked,
                               s->connection->log);
        relay->parked = 0;

        if (c) {
            ngx_smtp_relay_attach(relay, ngx_smtp_client_reuse(c));
        }
    }

    if (relay->client && !ngx_smtp_relay_usable(relay)) {
        ngx_smtp_relay_retire(relay);
    }

    if (relay->client) {
        ngx_smtp_relay_go_on(relay);
        return;
    }

    ngx_smtp_relay_next(relay, 0);
}


/* with the connection that asked before, whose server is the first tried */

static void
ngx_smtp_relay_go_on(ngx_smtp_relay_t *relay)
{
    ngx_smtp_client_t  *client;

    client = relay->client;

    relay->kept = 1;
    relay->tries = 1;
    relay->start = ngx_current_msec;
    relay->delivery->log.connect_time = 0;

    client->fresh = 0;

    relay->got = (ngx_smtp_peer_adopt(&relay->peer, client->connection,
                                      client->sockaddr, client->socklen,
                                      &client->name)
                  == NGX_OK);

    if (ngx_smtp_relay_envelope(relay) != NGX_OK) {
        ngx_smtp_relay_failed(client);
    }
}


void
ngx_smtp_relay_cancel(ngx_smtp_op_t *op)
{
    ngx_smtp_relay_t  *relay;

    relay = op->worker;
    relay->op = NULL;
    relay->open = 0;

    ngx_smtp_op_cancel(&relay->wait);

    if (relay->client) {
        /* in the middle of something: nobody else can use it */
        ngx_smtp_client_free(relay->client, 0, NULL);
        relay->client = NULL;
    }

    /* also what it was about to be told of */

    relay->got = 0;
    ngx_smtp_peer_free(&relay->peer, NGX_SMTP_PEER_UNKNOWN);
}


void
ngx_smtp_relay_retry(ngx_smtp_relay_t *relay, ngx_uint_t why,
    ngx_uint_t failed)
{
    if (relay->reading_spool) {
        ngx_smtp_relay_put_off(relay, why, failed);
        return;
    }

    if (ngx_smtp_relay_may_retry(relay, why)) {
        ngx_smtp_relay_next(relay, failed);
        return;
    }

    if (relay->got) {
        relay->got = 0;
        ngx_smtp_peer_free(&relay->peer, failed);
    }

    ngx_smtp_relay_no_server(relay);
}


/* the buffer is a thread's; its end brings us back here: why 0: as again() */

static void
ngx_smtp_relay_put_off(ngx_smtp_relay_t *relay, ngx_uint_t why,
    ngx_uint_t failed)
{
    relay->why = why;
    relay->failed = failed;
}


void
ngx_smtp_relay_resume(ngx_smtp_relay_t *relay)
{
    if (relay->why) {
        ngx_smtp_relay_retry(relay, relay->why, relay->failed);

    } else {
        ngx_smtp_relay_again(relay);
    }
}


static ngx_uint_t
ngx_smtp_relay_may_retry(ngx_smtp_relay_t *relay, ngx_uint_t why)
{
    ngx_smtp_relay_conf_t  *conf;

    conf = relay->conf;

    return (conf->next & why)
           && (conf->next_tries == 0 || relay->tries < conf->next_tries)
           && (conf->next_timeout == 0
               || ngx_current_msec - relay->begun_at < conf->next_timeout);
}


void
ngx_smtp_relay_next(ngx_smtp_relay_t *relay, ngx_uint_t failed)
{
    ngx_int_t  rc;

    relay->held = 0;
    relay->delivery->ready = 0;

    if (relay->got) {
        relay->got = 0;
        ngx_smtp_peer_free(&relay->peer, failed);
    }

    for ( ;; ) {
        ngx_smtp_op_start(&relay->wait, &relay->tx->ops,
                          ngx_smtp_relay_resolved, relay,
                          relay->tx->session->connection->log);

        rc = ngx_smtp_peer_get(&relay->peer, &relay->wait);

        if (rc == NGX_AGAIN) {
            return;
        }

        ngx_smtp_op_cancel(&relay->wait);

        if (rc != NGX_OK) {
            ngx_smtp_relay_no_server(relay);
            return;
        }

        relay->got = 1;
        relay->tries++;

        if (ngx_smtp_relay_try(relay) == NGX_OK) {
            return;
        }

        relay->got = 0;
        ngx_smtp_peer_free(&relay->peer, 1);

        if (!ngx_smtp_relay_may_retry(relay, NGX_SMTP_NEXT_ERROR)) {
            ngx_smtp_relay_no_server(relay);
            return;
        }
    }
}


static void
ngx_smtp_relay_resolved(ngx_smtp_op_t *op)
{
    ngx_smtp_relay_t  *relay;

    relay = op->data;

    if (op->rc != NGX_OK) {
        ngx_smtp_relay_no_server(relay);
        return;
    }

    relay->got = 1;
    relay->tries++;

    ngx_smtp_relay_connect(relay);
}


/* to the server that has been chosen, or else the next */

static void
ngx_smtp_relay_connect(ngx_smtp_relay_t *relay)
{
    if (ngx_smtp_relay_try(relay) != NGX_OK) {
        ngx_smtp_relay_retry(relay, NGX_SMTP_NEXT_ERROR, 1);
    }
}


static ngx_int_t
ngx_smtp_relay_try(ngx_smtp_relay_t *relay)
{
    ngx_smtp_tx_t        *tx;
    ngx_connection_t     *c;
    ngx_smtp_client_t    *client;
    ngx_smtp_delivery_t  *d;

    tx = relay->tx;
    d = relay->delivery;

    relay->start = ngx_current_msec;

    if (d->log.addr.len != relay->peer.name.len
        || ngx_memcmp(d->log.addr.data, relay->peer.name.data,
                      relay->peer.name.len)
           != 0)
    {
        (void) ngx_smtp_tx_copy(tx, &d->log.addr, &relay->peer.name);
    }

    ngx_str_null(&d->remote);

    /* a kept one may have been closed by its server: then the next of them */

    while ((c = ngx_smtp_peer_kept(&relay->peer)) != NULL) {

        relay->kept = 1;
        d->log.connect_time = 0;

        client = ngx_smtp_client_reuse(c);

        ngx_smtp_relay_attach(relay, client);

        if (!ngx_smtp_relay_usable(relay)) {
            ngx_smtp_relay_retire(relay);
            continue;
        }

        if (ngx_smtp_relay_envelope(relay) == NGX_OK) {
            return NGX_OK;
        }

        relay->client = NULL;
        ngx_smtp_client_free(client, 0, NULL);
    }

    relay->kept = 0;

    if (ngx_smtp_client_loops(&relay->peer, tx->session)) {
        return NGX_DECLINED;
    }

    client = ngx_smtp_client_connect(&relay->peer, &relay->way);
    if (client == NULL) {
        return NGX_DECLINED;
    }

    ngx_smtp_relay_attach(relay, client);

    return NGX_OK;
}


static void
ngx_smtp_relay_attach(ngx_smtp_relay_t *relay, ngx_smtp_client_t *client)
{
    ngx_smtp_rcpt_t  *rcpt;

    relay->client = client;

    ngx_smtp_relay_log_tls(relay);

    /* nothing of what another server said counts any more */

    relay->mail_failed = 0;
    relay->nrefused = 0;
    relay->end_sent = 0;
    relay->held = 0;
    relay->delivery->ready = 0;

    if (relay->deliver) {
        for (rcpt = ngx_smtp_delivery_first(relay->delivery);
             rcpt;
             rcpt = ngx_smtp_delivery_next(relay->delivery, rcpt))
        {
            rcpt->verdict.code = 0;
        }
    }

    client->owner = relay;
    client->ready = ngx_smtp_relay_ready;
    client->answer = ngx_smtp_relay_answer;
    client->written = ngx_smtp_relay_written;
    client->failed = ngx_smtp_relay_failed;
}


static void
ngx_smtp_relay_log_tls(ngx_smtp_relay_t *relay)
{
    relay->delivery->log.ssl_protocol = relay->client->ssl_protocol;
    relay->delivery->log.ssl_cipher = relay->client->ssl_cipher;
}


/* it may not say MAIL again, and somebody's transaction is open on it */

static void
ngx_smtp_relay_retire(ngx_smtp_relay_t *relay)
{
    relay->client->tx_open = 0;

    ngx_smtp_client_free(relay->client, 1, NULL);
    relay->client = NULL;
}


static void
ngx_smtp_relay_ready(ngx_smtp_client_t *client)
{
    ngx_smtp_relay_t     *relay;
    ngx_smtp_delivery_t  *d;

    relay = client->owner;

    d = relay->delivery;
    ngx_smtp_relay_log_tls(relay);

    d->log.connect_time = ngx_current_msec - relay->start;

    if (d->dest->caps) {
        *d->dest->caps = client->caps;
        d->dest->caps->known = 1;
    }

    if (ngx_smtp_relay_envelope(relay) != NGX_OK) {
        ngx_smtp_relay_failed(client);
    }
}


void
ngx_smtp_relay_failed(ngx_smtp_client_t *client)
{
    ngx_uint_t         why, stale, connected, hopeless, judged;
    ngx_smtp_reply_e   failure;
    ngx_smtp_relay_t  *relay;

    relay = client->owner;

    /* a server that is silent is no better on a new connection */

    stale = client->again
            || (relay->kept && !client->fresh
                && !client->connection->timedout);

    relay->way.clear = client->again;
    connected = client->connected;
    hopeless = client->hopeless;
    judged = client->verdict
             && ngx_smtp_relay_verdict(relay, &relay->last) == NGX_OK;
    why = client->why;

    if (why == 0) {
        why = client->connection->timedout ? NGX_SMTP_NEXT_TIMEOUT
                                           : NGX_SMTP_NEXT_ERROR;
    }

    failure = client->failure ? client->failure : NGX_SMTP_REPLY_SERVER_BROKEN;

    relay->client = NULL;
    ngx_smtp_client_free(client, 0, NULL);

    if (relay->open) {
        ngx_smtp_relay_stream_lost(relay);
        return;
    }

    if (relay->op == NULL) {
        /* it was only waiting for the client's next command */
        return;
    }

    if (!relay->proving
        && (relay->mail_failed
            || (relay->nrefused
                && relay->nrefused == relay->delivery->nrcpts)))
    {
        /* it has said no, and what became of DATA or BDAT does not matter */

        relay->last = relay->failure;

        if (relay->mail_failed && relay->failure.code / 100 == 4) {
            ngx_smtp_relay_retry(relay, NGX_SMTP_NEXT_MAIL, 0);
            return;
        }

        ngx_smtp_relay_finish(relay);
        return;
    }

    if (relay->end_sent) {
        ngx_smtp_verdict_set(&relay->failure, NGX_SMTP_REPLY_REPLY_LOST);
        ngx_smtp_relay_finish(relay);
        return;
    }

    if (stale) {
        ngx_smtp_relay_again(relay);
        return;
    }

    if (connected && !judged) {
        ngx_smtp_verdict_set(&relay->last, failure);
    }

    if (hopeless) {
        relay->failure = relay->last;

        relay->got = 0;
        ngx_smtp_peer_free(&relay->peer, NGX_SMTP_PEER_UNKNOWN);

        ngx_smtp_relay_finish(relay);
        return;
    }

    ngx_smtp_relay_retry(relay, why, 1);
}


/* the server is not to blame, and it may well be there */

static void
ngx_smtp_relay_again(ngx_smtp_relay_t *relay)
{
    if (relay->reading_spool) {
        ngx_smtp_relay_put_off(relay, 0, 0);
        return;
    }

    if (relay->got) {
        ngx_smtp_relay_connect(relay);
        return;
    }

    relay->tries = 0;
    ngx_smtp_relay_next(relay, 0);
}


static void
ngx_smtp_relay_no_server(ngx_smtp_relay_t *relay)
{
    relay->failure = relay->last;

    if (relay->failure.code == 0) {
        ngx_smtp_verdict_set(&relay->failure,
                             relay->peer.busy ? NGX_SMTP_REPLY_SERVERS_BUSY
                                              : NGX_SMTP_REPLY_NO_SERVER);
    }

    ngx_smtp_relay_finish(relay);
}


/* the request has come to its end: relay->failure, or the verdict is set */

void
ngx_smtp_relay_finish(ngx_smtp_relay_t *relay)
{
    ngx_int_t            rc;
    ngx_uint_t           failed, keep;
    ngx_smtp_op_t       *op;
    ngx_smtp_tx_t       *tx;
    ngx_smtp_verdict_t  *verdict;

    tx = relay->tx;
    op = relay->op;
    relay->op = NULL;
    relay->reading_spool = 0;
    relay->stream = 0;
    relay->open = 0;

    ngx_smtp_op_cancel(&relay->wait);

    verdict = relay->deliver ? &relay->delivery->verdict : &tx->rcpt->verdict;

    if (relay->failure.code) {
        *verdict = relay->failure;
    }

    failed = relay->bye || (relay->client == NULL);

    if (relay->got) {
        relay->got = 0;
        ngx_smtp_peer_free(&relay->peer, failed);
    }

    /* after a reply too many nothing it says can be trusted */

    keep = !relay->bye && !relay->drop && relay->client
           && relay->client->in.pos == relay->client->in.last;

    if (relay->client && (!keep || relay->deliver)) {
        ngx_smtp_client_free(relay->client, keep, NULL);
        relay->client = NULL;
    }

    if (relay->client) {
        /* for the next recipient, or to be parked */
        ngx_smtp_client_rest(relay->client);
    }

    rc = (relay->deliver || verdict->code >= 300) ? NGX_DONE : NGX_OK;

    ngx_smtp_op_finish(op, rc);
}

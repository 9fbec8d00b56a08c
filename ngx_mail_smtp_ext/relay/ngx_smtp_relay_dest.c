
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_relay.h>
#include <ngx_smtp_received.h>
#include <ngx_smtp_ask.h>


/*
 * The relay's destination types smtp://, smtps:// and lmtp://.
 *
 * A recipient is asked about at RCPT time.  The connection that was used for
 * it is given back to the pool whenever the client's turn comes, with the
 * transaction still open in it ("parked"); if nobody needed it meanwhile, the
 * delivery goes on where it was.
 */


extern ngx_module_t  ngx_mail_smtp_ext_relay_module;


/* RFC 5321, 4.5.4.2; RFC 8314, 7.3; RFC 2033, 5: "any private mail system" */
#define NGX_SMTP_RELAY_PORT       25
#define NGX_SMTP_RELAY_TLS_PORT   465
#define NGX_SMTP_RELAY_LMTP_PORT  24


static char *ngx_smtp_relay_parse(ngx_conf_t *cf, ngx_smtp_dest_t *dest,
    ngx_str_t *rest);
static char *ngx_smtp_relay_parse_tls(ngx_conf_t *cf, ngx_smtp_dest_t *dest,
    ngx_str_t *rest);
static char *ngx_smtp_relay_parse_lmtp(ngx_conf_t *cf, ngx_smtp_dest_t *dest,
    ngx_str_t *rest);
static char *ngx_smtp_relay_parse_port(ngx_conf_t *cf, ngx_smtp_dest_t *dest,
    ngx_str_t *rest, in_port_t port);
static ngx_int_t ngx_smtp_relay_verify(ngx_smtp_delivery_t *d,
    ngx_smtp_op_t *op);
static void ngx_smtp_relay_deliver(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op);
static void ngx_smtp_relay_park(ngx_smtp_delivery_t *d);


const ngx_smtp_dest_type_t  ngx_smtp_dest_smtp = {
    ngx_string("smtp://"),

    ngx_smtp_relay_parse,
    ngx_smtp_relay_verify,
    ngx_smtp_relay_park,
    ngx_smtp_relay_deliver,
    ngx_smtp_relay_commit,
    ngx_smtp_relay_stream,
    ngx_smtp_relay_push,
    ngx_smtp_ask_start,
    NULL,                        /* resolve */
    0                            /* each */
};


/* the same under TLS from the start */

const ngx_smtp_dest_type_t  ngx_smtp_dest_smtps = {
    ngx_string("smtps://"),

    ngx_smtp_relay_parse_tls,
    ngx_smtp_relay_verify,
    ngx_smtp_relay_park,
    ngx_smtp_relay_deliver,
    ngx_smtp_relay_commit,
    ngx_smtp_relay_stream,
    ngx_smtp_relay_push,
    ngx_smtp_ask_start,
    NULL,                        /* resolve */
    0                            /* each */
};


const ngx_smtp_dest_type_t  ngx_smtp_dest_lmtp = {
    ngx_string("lmtp://"),

    ngx_smtp_relay_parse_lmtp,
    ngx_smtp_relay_verify,
    ngx_smtp_relay_park,
    ngx_smtp_relay_deliver,
    ngx_smtp_relay_commit,
    ngx_smtp_relay_stream,
    ngx_smtp_relay_push,
    ngx_smtp_ask_start,
    NULL,                        /* resolve */
    1                            /* each */
};


static char *
ngx_smtp_relay_parse(ngx_conf_t *cf, ngx_smtp_dest_t *dest, ngx_str_t *rest)
{
    return ngx_smtp_relay_parse_port(cf, dest, rest, NGX_SMTP_RELAY_PORT);
}


static char *
ngx_smtp_relay_parse_tls(ngx_conf_t *cf, ngx_smtp_dest_t *dest,
    ngx_str_t *rest)
{
    return ngx_smtp_relay_parse_port(cf, dest, rest, NGX_SMTP_RELAY_TLS_PORT);
}


static char *
ngx_smtp_relay_parse_lmtp(ngx_conf_t *cf, ngx_smtp_dest_t *dest,
    ngx_str_t *rest)
{
    return ngx_smtp_relay_parse_port(cf, dest, rest, NGX_SMTP_RELAY_LMTP_PORT);
}


static char *
ngx_smtp_relay_parse_port(ngx_conf_t *cf, ngx_smtp_dest_t *dest,
    ngx_str_t *rest, in_port_t port)
{
    dest->conf = ngx_smtp_upstream_add(cf, rest, port);

    if (dest->conf == NULL) {
        return NGX_CONF_ERROR;
    }

    /* each worker fills in its own */

    if (dest->caps == NULL) {
        dest->caps = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_caps_t));
    }

    return dest->caps ? NGX_CONF_OK : NGX_CONF_ERROR;
}


ngx_smtp_dest_t *
ngx_smtp_relay_dest_make(ngx_pool_t *pool, ngx_str_t *host, in_port_t port)
{
    ngx_smtp_dest_t  *dest;

    dest = ngx_pcalloc(pool, sizeof(ngx_smtp_dest_t));
    if (dest == NULL) {
        return NULL;
    }

    dest->type = &ngx_smtp_dest_smtp;
    dest->url = *host;

    dest->conf = ngx_smtp_upstream_find(host);

    if (dest->conf == NULL) {
        dest->conf = ngx_smtp_upstream_make(pool, host, port);
    }

    return dest->conf ? dest : NULL;
}


static ngx_int_t
ngx_smtp_relay_verify(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op)
{
    ngx_uint_t         max;
    ngx_smtp_relay_t  *relay;

    relay = ngx_smtp_relay_get(d);
    if (relay == NULL) {
        return NGX_ERROR;
    }

    if (d->part && d->nrcpts == 0) {

        /* another transaction has its connection beside the others' */

        max = ngx_smtp_peer_max_conns(relay->upstream);

        if (max && d->part >= max) {
            ngx_smtp_verdict_set(&d->tx->rcpt->verdict,
                                 NGX_SMTP_REPLY_TOO_MANY_RCPT);
            return NGX_OK;
        }
    }

    if (relay->conf->mode == NGX_SMTP_PASS_BUFFERED) {

        /* what was seen last tells how many recipients it will take */

        if (d->dest->caps) {
            d->tx->delivery = d;
            (void) ngx_smtp_esmtp_room(d->dest->caps, d->tx,
                                       &d->tx->rcpt->verdict);
        }

        return NGX_OK;
    }

    ngx_smtp_relay_begin(relay, op, 0);

    return NGX_AGAIN;
}


static void
ngx_smtp_relay_deliver(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op)
{
    ngx_smtp_relay_t  *relay;

    relay = ngx_smtp_relay_get(d);

    if (relay == NULL || ngx_smtp_received_write(d->tx) != NGX_OK) {
        ngx_smtp_op_finish(op, NGX_ERROR);
        return;
    }

    if (relay->open) {
        ngx_smtp_relay_stream_deliver(relay, op);
        return;
    }

    ngx_smtp_relay_begin(relay, op, 1);
}


ngx_smtp_relay_t *
ngx_smtp_relay_get(ngx_smtp_delivery_t *d)
{
    ngx_smtp_relay_t  *relay;

    if (d->worker) {
        return d->worker;
    }

    relay = ngx_pcalloc(d->tx->pool, sizeof(ngx_smtp_relay_t));
    if (relay == NULL) {
        return NULL;
    }

    relay->tx = d->tx;
    relay->delivery = d;
    relay->upstream = d->dest->conf;
    relay->conf = ngx_smtp_session_srv_conf(d->tx->session,
                                            ngx_mail_smtp_ext_relay_module);

    relay->out_last = &relay->out;

    d->worker = relay;

    return relay;
}


static void
ngx_smtp_relay_park(ngx_smtp_delivery_t *d)
{
    ngx_smtp_relay_t  *relay;

    relay = d->worker;

    if (relay->open) {

        if (d->tx->stream != d) {
            ngx_smtp_relay_stream_close(relay);
        }

        return;
    }

    if (relay->client && relay->op == NULL) {
        ngx_smtp_client_free(relay->client, 1, &relay->parked);
        relay->client = NULL;
    }
}

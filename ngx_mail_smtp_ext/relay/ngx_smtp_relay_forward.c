
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_relay.h>


/*
 * XFORWARD, as Postfix's XFORWARD_README has it: where a message comes from,
 * said in front of its MAIL, for the next hop's log alone.  What was said so
 * to us goes on; else it is the session's client.  All that the next hop wants
 * to know is said each time, so that nothing is left of a message before.
 */


/* RFC 5321, 4.5.3.1.4, without CRLF */
#define NGX_SMTP_RELAY_FORWARD_LINE  510


static u_char *ngx_smtp_relay_forward_attr(ngx_smtp_tx_t *tx, ngx_uint_t attr,
    u_char *p);


ngx_int_t
ngx_smtp_relay_forward(ngx_smtp_relay_t *relay)
{
    u_char           *p, *start, *line;
    size_t            len;
    ngx_str_t         value;
    ngx_uint_t        i, attrs;
    const ngx_str_t  *name;
    u_char            buf[NGX_SMTP_ATTR_MAX];

    relay->nforward = 0;

    attrs = relay->client->caps.xforward;

    if (!relay->conf->xforward || attrs == 0) {
        return NGX_OK;
    }

    /* no line has less than one of them */

    start = ngx_pnalloc(relay->tx->pool,
                        NGX_SMTP_XFORWARD_MAX
                        * (sizeof("XFORWARD  SOURCE=" CRLF)
                           + NGX_SMTP_ATTR_MAX));
    if (start == NULL) {
        return NGX_ERROR;
    }

    p = start;
    line = NULL;

    value.data = buf;

    for (i = 0; i < NGX_SMTP_XFORWARD_MAX; i++) {

        if (!(attrs & ((ngx_uint_t) 1 << i))) {
            continue;
        }

        name = &ngx_smtp_xforward_names[i];
        value.len = ngx_smtp_relay_forward_attr(relay->tx, i, buf) - buf;

        len = sizeof(" =") - 1 + name->len + value.len;

        if (line == NULL || p - line + len > NGX_SMTP_RELAY_FORWARD_LINE) {

            if (line) {
                *p++ = CR; *p++ = LF;
                relay->forward[relay->nforward - 1].len = p - line;
            }

            line = p;
            relay->forward[relay->nforward++].data = p;

            p = ngx_cpymem(p, "XFORWARD", sizeof("XFORWARD") - 1);
        }

        p = ngx_sprintf(p, " %V=%V", name, &value);
    }

    *p++ = CR; *p++ = LF;
    relay->forward[relay->nforward - 1].len = p - line;

    return NGX_OK;
}


static u_char *
ngx_smtp_relay_forward_attr(ngx_smtp_tx_t *tx, ngx_uint_t attr, u_char *p)
{
    ngx_str_t            value;
    ngx_smtp_remote_t   *remote;
    ngx_smtp_session_t  *s;

    s = tx->session;
    remote = &s->remote;

    if (s->xforward) {
        return ngx_smtp_attr_write(p, &s->xforward->attrs[attr].text);
    }

    switch (attr) {

    case NGX_SMTP_XFORWARD_NAME:
        return ngx_smtp_attr_write(p, &remote->name);

    case NGX_SMTP_XFORWARD_ADDR:
        return ngx_smtp_attr_addr_write(p, remote->sockaddr);

    case NGX_SMTP_XFORWARD_PORT:
        return ngx_smtp_attr_port_write(p, remote->port);

    case NGX_SMTP_XFORWARD_PROTO:
        ngx_str_set(&value, "SMTP");

        if (s->esmtp) {
            ngx_str_set(&value, "ESMTP");
        }

        break;

    case NGX_SMTP_XFORWARD_HELO:
        value = s->helo;
        break;

    case NGX_SMTP_XFORWARD_IDENT:
        value.data = tx->id;
        value.len = NGX_SMTP_ID_LEN;
        break;

    default: /* NGX_SMTP_XFORWARD_SOURCE */

        /* LOCAL has headers rewritten, as those of the machine's own mail */

        ngx_str_set(&value, "REMOTE");
    }

    return ngx_smtp_attr_write(p, &value);
}

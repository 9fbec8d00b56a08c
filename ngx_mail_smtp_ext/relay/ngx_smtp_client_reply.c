
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_client_private.h>


/*
 * What comes in on a connection to a next hop: replies, RFC 5321, 4.2, and up
 * to the point where its owner has it what follows from them: EHLO, 3.2, and
 * what TLS, XCLIENT and AUTH say between that and the first MAIL.
 */


static void ngx_smtp_client_domain(ngx_smtp_client_t *client,
    ngx_str_t *text);
static void ngx_smtp_client_line(ngx_smtp_client_t *client);
static ngx_int_t ngx_smtp_client_answer(ngx_smtp_client_t *client);
static ngx_int_t ngx_smtp_client_ready(ngx_smtp_client_t *client);
static ngx_int_t ngx_smtp_client_greeted(ngx_smtp_client_t *client);
static ngx_int_t ngx_smtp_client_hello(ngx_smtp_client_t *client,
    char *verb, ngx_smtp_client_state_e state);


ngx_int_t
ngx_smtp_client_recv(ngx_smtp_client_t *client)
{
    size_t             left;
    ssize_t            n;
    ngx_buf_t         *b;
    ngx_uint_t         level;
    ngx_connection_t  *c;

    c = client->connection;
    b = &client->in;

    if (!c->read->ready) {
        return NGX_AGAIN;
    }

    left = b->last - b->pos;

    if (b->pos != b->start) {
        ngx_memmove(b->start, b->pos, left);
        b->pos = b->start;
        b->last = b->start + left;
    }

    /* there is room: the parser takes no line that is longer */

    n = c->recv(c, b->last, b->end - b->last);

    if (n == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    if (n == 0) {
        level = client->fresh ? NGX_LOG_ERR : NGX_LOG_INFO;

        ngx_log_error(level, c->log, 0, "upstream closed connection");
        return NGX_ERROR;
    }

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    b->last += n;

    return NGX_OK;
}


ngx_int_t
ngx_smtp_client_parse(ngx_smtp_client_t *client)
{
    ngx_int_t  rc;

    rc = ngx_smtp_answer_parse(&client->parser, &client->in);

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, client->connection->log, 0,
                      "upstream sent an invalid reply");
        client->why = NGX_SMTP_NEXT_INVALID;
        return NGX_ERROR;
    }

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    ngx_smtp_client_line(client);

    if (!client->parser.last) {
        return NGX_OK;
    }

    client->fresh = 1;
    client->heard = ngx_current_msec;
    client->tls_heard = (client->connection->ssl != NULL);
    client->reply.code = client->parser.code;

    ngx_memzero(&client->parser, sizeof(ngx_smtp_answer_t));

    ngx_log_debug2(NGX_LOG_DEBUG_MAIL, client->connection->log, 0,
                   "smtp upstream reply: %ui \"%V\"",
                   client->reply.code, &client->reply.text);

    return ngx_smtp_client_answer(client);
}


/* RFC 5321, 4.1.1.1: the reply to EHLO begins with its name */

static void
ngx_smtp_client_domain(ngx_smtp_client_t *client, ngx_str_t *text)
{
    u_char     *end, *last;
    ngx_str_t  *domain;

    domain = &client->domain;
    domain->len = 0;

    last = text->data + text->len;
    end = ngx_strlchr(text->data, last, ' ');

    if (end == NULL) {
        end = last;
    }

    if (end - text->data > NGX_SMTP_DOMAIN_MAX
        || (ngx_smtp_domain_parse(text->data, end) != end
            && ngx_smtp_literal_parse(text->data, end) != end))
    {
        return;
    }

    /* once for a connection, whatever it says after STARTTLS or XCLIENT */

    if (domain->data == NULL) {
        domain->data = ngx_pnalloc(client->connection->pool,
                                   NGX_SMTP_DOMAIN_MAX);
        if (domain->data == NULL) {
            return;
        }
    }

    domain->len = end - text->data;
    ngx_memcpy(domain->data, text->data, domain->len);
}


/* a line of a reply: its text is gathered, or it is a keyword of EHLO's */

static void
ngx_smtp_client_line(ngx_smtp_client_t *client)
{
    u_char               *p, *end, *start;
    ngx_str_t             text, *reply;
    ngx_smtp_enhanced_t   enhanced;

    text = client->parser.text;
    reply = &client->reply.text;

    if (client->parser.lines == 1) {
        reply->len = 0;
        client->masked = 0;
        ngx_memzero(&client->reply.enhanced, sizeof(ngx_smtp_enhanced_t));

        if ((client->state == NGX_SMTP_CLIENT_EHLO
             || client->state == NGX_SMTP_CLIENT_HELO)
            && client->parser.code == 250)
        {
            ngx_smtp_client_domain(client, &text);
        }

    } else if (client->state == NGX_SMTP_CLIENT_EHLO
               && client->parser.code == 250)
    {
        ngx_smtp_esmtp_answer(&client->caps, &text);
        return;
    }

    ngx_smtp_enhanced_parse(&enhanced, client->parser.code, &text);

    if (client->reply.enhanced.class == 0) {
        client->reply.enhanced = enhanced;
    }

    if (client->line) {
        client->line(client, &text);
    }

    p = reply->data + reply->len;
    end = reply->data + NGX_SMTP_CLIENT_TEXT_SIZE;

    if (client->parser.lines > 1 && p < end) {
        *p++ = LF;
    }

    start = p;
    p = ngx_smtp_answer_text_copy(p, end - p, &text);

    if (ngx_memcmp(start, text.data, p - start) != 0) {
        client->masked = 1;
    }

    reply->len = p - reply->data;
}


static ngx_int_t
ngx_smtp_client_answer(ngx_smtp_client_t *client)
{
    ngx_int_t          rc;
    ngx_uint_t         code;
    ngx_connection_t  *c;

    c = client->connection;
    code = client->reply.code;

    if (client->state == NGX_SMTP_CLIENT_READY) {
        return client->answer(client);
    }

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (client->state == NGX_SMTP_CLIENT_STARTTLS) {
        return ngx_smtp_client_tls_answer(client);
    }

    if (client->state == NGX_SMTP_CLIENT_XCLIENT) {
        return ngx_smtp_client_identity_answer(client);
    }

    if (client->state == NGX_SMTP_CLIENT_AUTH) {
        rc = ngx_smtp_client_sasl_answer(client);

        return (rc == NGX_DONE) ? ngx_smtp_client_ready(client) : rc;
    }

    if (client->state == NGX_SMTP_CLIENT_GREETING && code == 220) {
        return ngx_smtp_client_ehlo(client);
    }

    /* RFC 5321, 3.2: a server that does not know EHLO is asked with HELO */

    if (client->state == NGX_SMTP_CLIENT_EHLO && code >= 500 && !client->lmtp) {
        return ngx_smtp_client_hello(client, "HELO", NGX_SMTP_CLIENT_HELO);
    }

    if (client->state != NGX_SMTP_CLIENT_GREETING && code == 250) {
        return ngx_smtp_client_greeted(client);
    }

    ngx_log_error(NGX_LOG_ERR, c->log, 0, "upstream said: \"%ui %V\"",
                  code, &client->reply.text);

    client->why = NGX_SMTP_NEXT_UNAVAILABLE;

    return NGX_ERROR;
}


/* the server is known; what has to be said before the owner has it? */

static ngx_int_t
ngx_smtp_client_greeted(ngx_smtp_client_t *client)
{
    ngx_int_t  rc;

    rc = client->introduced ? NGX_DECLINED : ngx_smtp_client_tls_offer(client);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_smtp_client_identity_offer(client);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    rc = ngx_smtp_client_sasl_offer(client);

    return (rc == NGX_DECLINED) ? ngx_smtp_client_ready(client) : rc;
}


static ngx_int_t
ngx_smtp_client_ready(ngx_smtp_client_t *client)
{
    /* they are the owner's, who may go before this */

    client->login = NULL;
    client->identity = NULL;

    client->state = NGX_SMTP_CLIENT_READY;
    client->ready(client);

    return NGX_DONE;
}


ngx_int_t
ngx_smtp_client_ehlo(ngx_smtp_client_t *client)
{
    return ngx_smtp_client_hello(client, client->lmtp ? "LHLO" : "EHLO",
                                 NGX_SMTP_CLIENT_EHLO);
}


static ngx_int_t
ngx_smtp_client_hello(ngx_smtp_client_t *client, char *verb,
    ngx_smtp_client_state_e state)
{
    ngx_str_t   *helo;
    ngx_uint_t   secure;

    client->state = state;
    client->connection->log->action = "greeting upstream";

    /* what an EHLO before this one was answered is over and done with */

    secure = client->caps.secure;
    ngx_memzero(&client->caps, sizeof(ngx_smtp_caps_t));
    client->caps.secure = secure;

    helo = ngx_smtp_client_identity_helo(client);

    if (ngx_smtp_client_room(client, sizeof("EHLO " CRLF) - 1 + helo->len)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    client->out.last = ngx_sprintf(client->out.last, "%s %V" CRLF, verb,
                                   helo);

    return ngx_smtp_client_send(client, client->conf->greeting_timeout);
}


ngx_int_t
ngx_smtp_client_quiet(ngx_smtp_client_t *client)
{
    if (client->in.pos == client->in.last) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_ERR, client->connection->log, 0,
                  "upstream sent a reply too many");

    client->why = NGX_SMTP_NEXT_INVALID;

    return NGX_ERROR;
}

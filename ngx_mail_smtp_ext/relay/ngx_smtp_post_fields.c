
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_esmtp.h>
#include <ngx_smtp_post.h>


/*
 * The fields of the request: the envelope, and who the client is.  What is not
 * known is left out.
 *
 * What a client has said is percent-encoded, but for printable US-ASCII: so it
 * can't become a field, and UTF-8 stays what it is.  "<", ">" and "," too, for
 * the fields Smtp-To may arrive as one that is a list (RFC 9110, 5.3).
 */


/* id, "-", number of the delivery, "@", host */
#define NGX_SMTP_POST_KEY_MAX                                                \
    (NGX_SMTP_ID_LEN + NGX_INT_T_LEN + NGX_MAXHOSTNAMELEN + 4)


typedef struct {
    u_char       *p;             /* NULL: how long will it be? */
    size_t        len;
} ngx_smtp_post_writer_t;


typedef struct {
    ngx_str_t     key;
    ngx_str_t     params;
    ngx_str_t     protocol;
    ngx_str_t     tls;
    ngx_str_t    *headers;       /* of conf->headers */
} ngx_smtp_post_values_t;


static ngx_int_t ngx_smtp_post_values(ngx_smtp_post_t *post,
    ngx_smtp_post_values_t *values);
static ngx_int_t ngx_smtp_post_key(ngx_smtp_post_t *post, ngx_str_t *value);
static ngx_int_t ngx_smtp_post_params(ngx_smtp_post_t *post,
    ngx_str_t *value);
static ngx_int_t ngx_smtp_post_tls(ngx_smtp_post_t *post, ngx_str_t *value);
static ngx_int_t ngx_smtp_post_headers(ngx_smtp_post_t *post,
    ngx_str_t **values);
static void ngx_smtp_post_write(ngx_smtp_post_t *post,
    ngx_smtp_post_values_t *values, ngx_smtp_post_writer_t *w);
static void ngx_smtp_post_write_client(ngx_smtp_post_t *post,
    ngx_smtp_post_values_t *values, ngx_smtp_post_writer_t *w);
static void ngx_smtp_post_write_headers(ngx_smtp_post_t *post,
    ngx_smtp_post_values_t *values, ngx_smtp_post_writer_t *w);
static void ngx_smtp_post_put(ngx_smtp_post_writer_t *w, char *name,
    ngx_str_t *value);
static void ngx_smtp_post_put_path(ngx_smtp_post_writer_t *w, char *name,
    ngx_str_t *addr);
static void ngx_smtp_post_put_text(ngx_smtp_post_writer_t *w, char *name,
    ngx_str_t *text);
static void ngx_smtp_post_raw(ngx_smtp_post_writer_t *w, u_char *data,
    size_t len);

#define ngx_smtp_post_literal(w, text)                                       \
    ngx_smtp_post_raw(w, (u_char *) text, sizeof(text) - 1)


/* parameters of MAIL that mean something to a service; see the caps in _post */

static ngx_smtp_caps_t  ngx_smtp_post_emit = {
    NGX_SMTP_EXT_SIZE|NGX_SMTP_EXT_8BITMIME|NGX_SMTP_EXT_BINARYMIME
    |NGX_SMTP_EXT_SMTPUTF8|NGX_SMTP_EXT_PRIORITY|NGX_SMTP_EXT_SOLICITING,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0
};


/* what stands for itself in what a client has said: RFC 3986, 2.1 */

#define ngx_smtp_post_plain(ch)                                              \
    ((ch) > ' ' && (ch) < 0x7f && (ch) != '%' && (ch) != ','                 \
     && (ch) != '<' && (ch) != '>')


ngx_int_t
ngx_smtp_post_fields(ngx_smtp_post_t *post, ngx_str_t *fields)
{
    ngx_smtp_post_values_t  values;
    ngx_smtp_post_writer_t  w;

    ngx_memzero(&values, sizeof(ngx_smtp_post_values_t));

    if (ngx_smtp_post_values(post, &values) != NGX_OK) {
        return NGX_ERROR;
    }

    w.p = NULL;
    w.len = 0;

    ngx_smtp_post_write(post, &values, &w);

    fields->data = ngx_pnalloc(post->tx->pool, w.len);
    if (fields->data == NULL) {
        return NGX_ERROR;
    }

    fields->len = w.len;

    w.p = fields->data;

    ngx_smtp_post_write(post, &values, &w);

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_post_values(ngx_smtp_post_t *post, ngx_smtp_post_values_t *values)
{
    ngx_smtp_tx_t  *tx;

    tx = post->tx;

    if (ngx_smtp_post_key(post, &values->key) != NGX_OK
        || ngx_smtp_post_params(post, &values->params) != NGX_OK
        || ngx_smtp_post_headers(post, &values->headers) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (tx->session->tx != tx) {
        /* a report is ours, whoever the client is */
        return NGX_OK;
    }

    ngx_smtp_var_protocol(tx->session, tx, &values->protocol);

    return ngx_smtp_post_tls(post, &values->tls);
}


/*
 * Two destinations of a transaction are two requests, which may come to the
 * same service; and other hosts have the same ids now and then.
 */

static ngx_int_t
ngx_smtp_post_key(ngx_smtp_post_t *post, ngx_str_t *value)
{
    u_char       ch, *p;
    size_t       i;
    ngx_uint_t   n;
    ngx_queue_t  *q;

    n = 0;

    for (q = &post->delivery->queue;
         q != ngx_queue_sentinel(&post->tx->deliveries);
         q = ngx_queue_prev(q))
    {
        n++;
    }

    p = ngx_pnalloc(post->tx->pool, NGX_SMTP_POST_KEY_MAX);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;

    p = ngx_sprintf(p, "\"%*s-%ui@", (size_t) NGX_SMTP_ID_LEN, post->tx->id,
                    n);

    /* RFC 8941, 3.3.3: a string */

    for (i = 0; i < ngx_cycle->hostname.len; i++) {
        ch = ngx_cycle->hostname.data[i];

        *p++ = (ch <= ' ' || ch >= 0x7f || ch == '"' || ch == '\\') ? '-'
                                                                    : ch;
    }

    *p++ = '"';

    value->len = p - value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_post_params(ngx_smtp_post_t *post, ngx_str_t *value)
{
    u_char  *last;
    u_char   buf[NGX_SMTP_ESMTP_MAIL_MAX];

    last = ngx_smtp_esmtp_emit_mail(&ngx_smtp_post_emit, post->tx, buf,
                                    buf + NGX_SMTP_ESMTP_MAIL_MAX);
    if (last == buf) {
        return NGX_OK;
    }

    /* without the space in front */

    value->len = last - buf - 1;
    value->data = ngx_pnalloc(post->tx->pool, value->len);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(value->data, buf + 1, value->len);

    return ngx_smtp_http_value_valid(value) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_smtp_post_tls(ngx_smtp_post_t *post, ngx_str_t *value)
{
    u_char             *p;
    const char         *protocol, *cipher;
    ngx_connection_t   *c;

    c = post->tx->session->connection;

    if (c->ssl == NULL || !c->ssl->handshaked) {
        return NGX_OK;
    }

    protocol = SSL_get_version(c->ssl->connection);
    cipher = SSL_get_cipher_name(c->ssl->connection);

    p = ngx_pnalloc(post->tx->pool, ngx_strlen(protocol) + 1
                                    + ngx_strlen(cipher));
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;
    value->len = ngx_sprintf(p, "%s %s", protocol, cipher) - p;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_post_headers(ngx_smtp_post_t *post, ngx_str_t **values)
{
    ngx_uint_t               i;
    ngx_smtp_post_header_t  *header;

    if (post->conf->headers == NULL) {
        return NGX_OK;
    }

    header = post->conf->headers->elts;

    *values = ngx_pcalloc(post->tx->pool, post->conf->headers->nelts
                                          * sizeof(ngx_str_t));
    if (*values == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < post->conf->headers->nelts; i++) {

        if (header[i].text
            && ngx_smtp_text_make(header[i].text, post->tx->session, post->tx,
                                  post->tx->pool, &(*values)[i])
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static void
ngx_smtp_post_write(ngx_smtp_post_t *post, ngx_smtp_post_values_t *values,
    ngx_smtp_post_writer_t *w)
{
    ngx_str_t         value;
    ngx_smtp_tx_t    *tx;
    ngx_smtp_rcpt_t  *rcpt;

    tx = post->tx;

    value.data = tx->id;
    value.len = NGX_SMTP_ID_LEN;

    ngx_smtp_post_put(w, "Idempotency-Key", &values->key);
    ngx_smtp_post_put(w, "Smtp-Id", &value);
    ngx_smtp_post_put_path(w, "Smtp-From", &tx->mail_from);

    for (rcpt = ngx_smtp_delivery_first(post->delivery);
         rcpt;
         rcpt = ngx_smtp_delivery_next(post->delivery, rcpt))
    {
        ngx_smtp_post_put_path(w, "Smtp-To", &rcpt->addr);
    }

    ngx_smtp_post_put(w, "Smtp-Params", &values->params);

    if (tx->mixed != NGX_SMTP_MIXED_NEVER) {
        ngx_str_set(&value, "yes");
        ngx_smtp_post_put(w, "Smtp-Reply-Each", &value);
    }

    if (tx->session->tx == tx) {
        ngx_smtp_post_write_client(post, values, w);
    }

    ngx_smtp_post_write_headers(post, values, w);
}


static void
ngx_smtp_post_write_client(ngx_smtp_post_t *post,
    ngx_smtp_post_values_t *values, ngx_smtp_post_writer_t *w)
{
    ngx_smtp_session_t  *s;

    s = post->tx->session;

    ngx_smtp_post_put(w, "Smtp-Protocol", &values->protocol);
    ngx_smtp_post_put_text(w, "Smtp-Helo", &s->helo);
    ngx_smtp_post_put_text(w, "Smtp-Client-IP", &s->remote.addr_text);
    ngx_smtp_post_put_text(w, "Smtp-Client-Host", &s->remote.name);
    ngx_smtp_post_put_text(w, "Smtp-User", &s->user->name);
    ngx_smtp_post_put(w, "Smtp-TLS", &values->tls);
}


static void
ngx_smtp_post_write_headers(ngx_smtp_post_t *post,
    ngx_smtp_post_values_t *values, ngx_smtp_post_writer_t *w)
{
    ngx_uint_t               i;
    ngx_smtp_post_header_t  *header;

    if (post->conf->headers == NULL) {
        return;
    }

    header = post->conf->headers->elts;

    for (i = 0; i < post->conf->headers->nelts; i++) {

        if (header[i].text) {
            ngx_smtp_post_put_text(w, (char *) header[i].name.data,
                                   &values->headers[i]);

        } else {
            ngx_smtp_post_put(w, (char *) header[i].name.data,
                              &header[i].value);
        }
    }
}


/* what has no value is left out */

static void
ngx_smtp_post_put(ngx_smtp_post_writer_t *w, char *name, ngx_str_t *value)
{
    if (value->len == 0) {
        return;
    }

    ngx_smtp_post_raw(w, (u_char *) name, ngx_strlen(name));
    ngx_smtp_post_literal(w, ": ");
    ngx_smtp_post_raw(w, value->data, value->len);
    ngx_smtp_post_literal(w, CRLF);
}


static void
ngx_smtp_post_put_path(ngx_smtp_post_writer_t *w, char *name, ngx_str_t *addr)
{
    ngx_smtp_post_raw(w, (u_char *) name, ngx_strlen(name));
    ngx_smtp_post_literal(w, ": <");

    if (w->p) {
        w->p = ngx_smtp_post_addr(w->p, addr);

    } else {
        w->len += ngx_smtp_post_addr_len(addr);
    }

    ngx_smtp_post_literal(w, ">" CRLF);
}


static void
ngx_smtp_post_put_text(ngx_smtp_post_writer_t *w, char *name, ngx_str_t *text)
{
    if (text->len == 0) {
        return;
    }

    ngx_smtp_post_raw(w, (u_char *) name, ngx_strlen(name));
    ngx_smtp_post_literal(w, ": ");

    if (w->p) {
        w->p = ngx_smtp_post_addr(w->p, text);

    } else {
        w->len += ngx_smtp_post_addr_len(text);
    }

    ngx_smtp_post_literal(w, CRLF);
}


static void
ngx_smtp_post_raw(ngx_smtp_post_writer_t *w, u_char *data, size_t len)
{
    if (w->p) {
        w->p = ngx_cpymem(w->p, data, len);

    } else {
        w->len += len;
    }
}


size_t
ngx_smtp_post_addr_len(ngx_str_t *addr)
{
    size_t  i, len;

    len = 0;

    for (i = 0; i < addr->len; i++) {
        len += ngx_smtp_post_plain(addr->data[i]) ? 1 : 3;
    }

    return len;
}


u_char *
ngx_smtp_post_addr(u_char *p, ngx_str_t *addr)
{
    u_char  ch;
    size_t  i;

    for (i = 0; i < addr->len; i++) {
        ch = addr->data[i];

        if (ngx_smtp_post_plain(ch)) {
            *p++ = ch;

        } else {
            p = ngx_sprintf(p, "%%%02Xi", (ngx_int_t) ch);
        }
    }

    return p;
}


ngx_uint_t
ngx_smtp_post_addr_is(ngx_str_t *addr, u_char *text, size_t len)
{
    size_t      i, n;
    u_char      one[3];
    ngx_str_t   ch;

    ch.len = 1;
    ch.data = addr->data;

    for (i = 0; i < len; i += n) {

        if (ch.data == addr->data + addr->len) {
            return 0;
        }

        n = ngx_smtp_post_addr(one, &ch) - one;

        if (n > len - i || ngx_memcmp(text + i, one, n) != 0) {
            return 0;
        }

        ch.data++;
    }

    return ch.data == addr->data + addr->len;
}

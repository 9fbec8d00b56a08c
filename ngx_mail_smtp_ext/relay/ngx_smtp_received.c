
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_var.h>
#include <ngx_smtp_received.h>


/*
 * The Received field: RFC 5321, 4.4 (its Time-stamp-line, clauses in the
 * order of the grammar there), "with" by RFC 3848, "tls" by RFC 8314, 4.3.
 *
 *     Received: from client.example (name.example [192.0.2.1])
 *             by mx.example.com with ESMTPSA
 *             id 0123456789abcdef
 *             for <user@example.com>
 *             tls TLS_AES_256_GCM_SHA384;
 *             Sun, 22 Nov 2026 00:08:53 +0000
 */


/* RFC 5322, 2.1.1; nothing here comes near its 998 */
#define NGX_SMTP_RECEIVED_LINE    78
#define NGX_SMTP_RECEIVED_TAB     8

/* what is neither of the client nor configured: words, id, cipher, date,
   priority */
#define NGX_SMTP_RECEIVED_FIXED   288

/* of a registered cipher suite; the longest has less than 50 */
#define NGX_SMTP_RECEIVED_CIPHER  64

/* "([IPv6:" address "])" */
#define NGX_SMTP_RECEIVED_ADDR    (NGX_INET6_ADDRSTRLEN + sizeof("([IPv6:])"))


typedef struct {
    u_char       *p;
    size_t        column;
} ngx_smtp_received_t;


static void ngx_smtp_received_from(ngx_smtp_received_t *r,
    ngx_smtp_session_t *s, ngx_uint_t utf8);
static void ngx_smtp_received_name(ngx_smtp_received_t *r, ngx_str_t *name);
static ngx_uint_t ngx_smtp_received_client(struct sockaddr *sockaddr,
    u_char *buf, ngx_str_t *text);
static void ngx_smtp_received_for(ngx_smtp_received_t *r, ngx_smtp_tx_t *tx,
    ngx_uint_t utf8);
static void ngx_smtp_received_tls(ngx_smtp_received_t *r,
    ngx_connection_t *c);
static void ngx_smtp_received_fold(ngx_smtp_received_t *r);
static void ngx_smtp_received_word(ngx_smtp_received_t *r, u_char *data,
    size_t len);

#define ngx_smtp_received_text(r, text)                                      \
    ngx_smtp_received_word(r, (u_char *) text, sizeof(text) - 1)


ngx_int_t
ngx_smtp_received_write(ngx_smtp_tx_t *tx)
{
    size_t                size;
    ngx_str_t             with, *field;
    ngx_uint_t            utf8;
    ngx_smtp_session_t   *s;
    ngx_smtp_received_t   r;
    u_char                date[NGX_SMTP_DATE_LEN];

    s = tx->session;
    field = &tx->received;

    if (field->data) {
        return NGX_OK;
    }

    size = NGX_SMTP_RECEIVED_FIXED + NGX_SMTP_RECEIVED_ADDR
           + s->helo.len + s->remote.name.len + s->server_name.len
           + NGX_SMTP_PATH_MAX;

    field->data = ngx_pnalloc(tx->pool, size);
    if (field->data == NULL) {
        return NGX_ERROR;
    }

    r.p = ngx_cpymem(field->data, "Received:", sizeof("Received:") - 1);
    r.column = r.p - field->data;

    /*
     * RFC 6531, 3.7.3: what may go without SMTPUTF8 has US-ASCII in its trace,
     * and nothing of ours is to make a message need it.
     */

    utf8 = ngx_smtp_tx_utf8_message(tx);

    ngx_smtp_received_from(&r, s, utf8);

    ngx_smtp_received_fold(&r);
    ngx_smtp_received_text(&r, "by");
    ngx_smtp_received_word(&r, s->server_name.data, s->server_name.len);

    ngx_smtp_var_protocol(s, tx, &with);

    ngx_smtp_received_text(&r, "with");
    ngx_smtp_received_word(&r, with.data, with.len);

    ngx_smtp_received_fold(&r);
    ngx_smtp_received_text(&r, "id");
    ngx_smtp_received_word(&r, tx->id, NGX_SMTP_ID_LEN);

    ngx_smtp_received_for(&r, tx, utf8);
    ngx_smtp_received_tls(&r, s->connection);

    /* RFC 6710, 4.1 */

    if (tx->params[NGX_SMTP_PARAM_MT_PRIORITY].data) {
        ngx_smtp_received_fold(&r);
        ngx_smtp_received_text(&r, "PRIORITY");
        ngx_smtp_received_word(&r, tx->params[NGX_SMTP_PARAM_MT_PRIORITY].data,
                               tx->params[NGX_SMTP_PARAM_MT_PRIORITY].len);
    }

    *r.p++ = ';';

    (void) ngx_smtp_date_write(date, ngx_time(), ngx_cached_time->gmtoff);

    ngx_smtp_received_fold(&r);
    ngx_smtp_received_word(&r, date, NGX_SMTP_DATE_LEN);

    *r.p++ = CR;
    *r.p++ = LF;

    field->len = r.p - field->data;

    return NGX_OK;
}


static void
ngx_smtp_received_from(ngx_smtp_received_t *r, ngx_smtp_session_t *s,
    ngx_uint_t utf8)
{
    u_char     *last;
    ngx_int_t   rc;
    ngx_str_t   helo, addr;
    ngx_uint_t  known;
    u_char      buf[NGX_SMTP_RECEIVED_ADDR];

    if (!s->service->received_client) {

        /* what it says of itself is often its address, too */

        ngx_smtp_received_text(r, "from unknown");
        return;
    }

    ngx_str_null(&addr);

    known = ngx_smtp_received_client(s->remote.sockaddr, buf, &addr);

    helo = s->helo;
    last = helo.data + helo.len;

    rc = utf8 ? ngx_smtp_helo_utf8_valid(helo.data, last)
              : ngx_smtp_helo_valid(helo.data, last);

    if (rc != NGX_OK) {
        ngx_str_set(&helo, "unknown");
    }

    /* Extended-Domain has no address literal without TCP-info behind it */

    if (helo.data[0] == '[' && !known) {
        ngx_str_set(&helo, "localhost");
    }

    ngx_smtp_received_text(r, "from");
    ngx_smtp_received_word(r, helo.data, helo.len);

    if (!known) {
        return;
    }

    if (s->remote.name.len) {
        ngx_smtp_received_name(r, &s->remote.name);
        addr.data++;
        addr.len--;
    }

    ngx_smtp_received_word(r, addr.data, addr.len);
}


/* TCP-info = address-literal / ( Domain FWS address-literal ) */

static void
ngx_smtp_received_name(ngx_smtp_received_t *r, ngx_str_t *name)
{
    u_char  buf[1 + NGX_SMTP_DOMAIN_MAX];

    buf[0] = '(';
    ngx_memcpy(&buf[1], name->data, name->len);

    ngx_smtp_received_word(r, buf, 1 + name->len);
}


/*
 * TCP-info in its brackets; 0: there is no address, as when it came through a
 * unix socket.
 */

static ngx_uint_t
ngx_smtp_received_client(struct sockaddr *sockaddr, u_char *buf,
    ngx_str_t *text)
{
    u_char               *p;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct in6_addr      *in6;
#endif

    p = ngx_cpymem(buf, "([", 2);

    switch (sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sockaddr;
        p += ngx_inet_ntop(AF_INET, &sin->sin_addr, p, NGX_INET_ADDRSTRLEN);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        in6 = &((struct sockaddr_in6 *) sockaddr)->sin6_addr;

        if (IN6_IS_ADDR_V4MAPPED(in6)) {
            p += ngx_inet_ntop(AF_INET, &in6->s6_addr[12], p,
                               NGX_INET_ADDRSTRLEN);
            break;
        }

        p = ngx_cpymem(p, "IPv6:", 5);
        p += ngx_inet_ntop(AF_INET6, in6, p, NGX_INET6_ADDRSTRLEN);
        break;
#endif

    default:
        return 0;
    }

    *p++ = ']';
    *p++ = ')';

    text->data = buf;
    text->len = p - buf;

    return 1;
}


/*
 * RFC 5321, 4.4 and 7.2: one address at the most, so that no recipient learns
 * of another.  <Postmaster> without a domain is no Path.
 */

static void
ngx_smtp_received_for(ngx_smtp_received_t *r, ngx_smtp_tx_t *tx,
    ngx_uint_t utf8)
{
    u_char            path[NGX_SMTP_PATH_MAX];
    ngx_smtp_rcpt_t  *rcpt;

    if (tx->nrcpts != 1) {
        return;
    }

    rcpt = ngx_queue_data(ngx_queue_head(&tx->rcpts), ngx_smtp_rcpt_t, queue);

    if (rcpt->domain.len == 0 || rcpt->given.len > sizeof(path) - 2) {
        return;
    }

    if (!utf8 && ngx_smtp_is_8bit(rcpt->given.data,
                                  rcpt->given.data + rcpt->given.len))
    {
        return;
    }

    path[0] = '<';
    ngx_memcpy(&path[1], rcpt->given.data, rcpt->given.len);
    path[1 + rcpt->given.len] = '>';

    ngx_smtp_received_fold(r);
    ngx_smtp_received_text(r, "for");
    ngx_smtp_received_word(r, path, rcpt->given.len + 2);
}


static void
ngx_smtp_received_tls(ngx_smtp_received_t *r, ngx_connection_t *c)
{
    u_char             *p;
    const char         *name;
    const SSL_CIPHER   *cipher;
    u_char              hex[sizeof("0xFFFF") - 1];

    if (c->ssl == NULL || c->ssl->connection == NULL) {
        return;
    }

    cipher = SSL_get_current_cipher(c->ssl->connection);
    if (cipher == NULL) {
        return;
    }

    ngx_smtp_received_fold(r);
    ngx_smtp_received_text(r, "tls");

    name = NULL;

#if (OPENSSL_VERSION_NUMBER >= 0x10101000L && !defined LIBRESSL_VERSION_NUMBER)
    name = SSL_CIPHER_standard_name(cipher);
#endif

    /* OpenSSL says "(NONE)" of what has no name */

    if (name && name[0] != '('
        && ngx_strlen(name) <= NGX_SMTP_RECEIVED_CIPHER)
    {
        ngx_smtp_received_word(r, (u_char *) name, ngx_strlen(name));
        return;
    }

    p = ngx_sprintf(hex, "0x%04XD", (uint32_t) SSL_CIPHER_get_id(cipher)
                                    & 0xffff);

    ngx_smtp_received_word(r, hex, p - hex);
}


static void
ngx_smtp_received_fold(ngx_smtp_received_t *r)
{
    *r->p++ = CR;
    *r->p++ = LF;
    *r->p++ = '\t';

    r->column = NGX_SMTP_RECEIVED_TAB;
}


static void
ngx_smtp_received_word(ngx_smtp_received_t *r, u_char *data, size_t len)
{
    if (r->p[-1] != '\t') {

        if (r->column + 1 + len > NGX_SMTP_RECEIVED_LINE) {
            ngx_smtp_received_fold(r);

        } else {
            *r->p++ = ' ';
            r->column++;
        }
    }

    r->p = ngx_cpymem(r->p, data, len);
    r->column += len;
}

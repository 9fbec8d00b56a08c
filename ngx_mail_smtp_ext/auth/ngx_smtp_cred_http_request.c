
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_http.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_auth_private.h>


/*
 * The request to an auth service: the fields of nginx's auth_http protocol,
 * in its order, so that a service written for nginx's mail proxy can't tell
 * the difference.  A field without a value is left out.
 */


#define NGX_SMTP_CRED_PROXY   0x01   /* came with a PROXY protocol header */
#define NGX_SMTP_CRED_TLS     0x02   /* is under TLS */
#define NGX_SMTP_CRED_VERIFY  0x04   /* and was asked for a certificate */
#define NGX_SMTP_CRED_CERT    0x08   /* that is to be passed on */
#define NGX_SMTP_CRED_RCPT    0x10   /* about a recipient */
#define NGX_SMTP_CRED_EMPTY   0x20   /* is sent without a value as well, with
                                        what nginx itself asks about */


typedef struct {
    ngx_str_t     name;
    ngx_uint_t    flags;         /* all of these but _EMPTY must hold */

    /* one of the two; NGX_OK or NGX_ERROR */
    ngx_int_t   (*value)(ngx_smtp_sasl_t *sasl, ngx_str_t *value);
    ngx_int_t   (*ssl)(ngx_connection_t *c, ngx_pool_t *pool,
                       ngx_str_t *value);
} ngx_smtp_cred_field_t;


static ngx_uint_t ngx_smtp_cred_flags(ngx_smtp_sasl_t *sasl);
static ngx_int_t ngx_smtp_cred_value(ngx_smtp_sasl_t *sasl,
    const ngx_smtp_cred_field_t *field, ngx_str_t *value);
static u_char *ngx_smtp_cred_line(u_char *p, const ngx_str_t *name,
    ngx_str_t *value);

static ngx_int_t ngx_smtp_cred_method(ngx_smtp_sasl_t *sasl,
    ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_user(ngx_smtp_sasl_t *sasl, ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_pass(ngx_smtp_sasl_t *sasl, ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_salt(ngx_smtp_sasl_t *sasl, ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_token(ngx_smtp_sasl_t *sasl,
    ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_protocol(ngx_smtp_sasl_t *sasl,
    ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_attempt(ngx_smtp_sasl_t *sasl,
    ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_client(ngx_smtp_sasl_t *sasl,
    ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_client_host(ngx_smtp_sasl_t *sasl,
    ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_helo(ngx_smtp_sasl_t *sasl, ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_from(ngx_smtp_sasl_t *sasl, ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_to(ngx_smtp_sasl_t *sasl, ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_path(ngx_smtp_sasl_t *sasl, const char *verb,
    ngx_str_t *path, ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_src_addr(ngx_smtp_sasl_t *sasl,
    ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_src_port(ngx_smtp_sasl_t *sasl,
    ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_dst_addr(ngx_smtp_sasl_t *sasl,
    ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_dst_port(ngx_smtp_sasl_t *sasl,
    ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_ssl(ngx_smtp_sasl_t *sasl, ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_ssl_protocol(ngx_connection_t *c,
    ngx_pool_t *pool, ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_ssl_cipher(ngx_connection_t *c,
    ngx_pool_t *pool, ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_ssl_cert(ngx_smtp_sasl_t *sasl,
    ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_number(ngx_smtp_sasl_t *sasl, ngx_uint_t n,
    ngx_str_t *value);
static ngx_int_t ngx_smtp_cred_escape(ngx_smtp_sasl_t *sasl, ngx_str_t *text,
    ngx_str_t *value);


static const ngx_smtp_cred_field_t  ngx_smtp_cred_fields[] = {

    { ngx_string("Auth-Method"), 0, ngx_smtp_cred_method, NULL },
    { ngx_string("Auth-User"), NGX_SMTP_CRED_EMPTY,
      ngx_smtp_cred_user, NULL },
    { ngx_string("Auth-Pass"), NGX_SMTP_CRED_EMPTY,
      ngx_smtp_cred_pass, NULL },
    { ngx_string("Auth-Salt"), 0, ngx_smtp_cred_salt, NULL },
    { ngx_string("Auth-Token"), 0, ngx_smtp_cred_token, NULL },
    { ngx_string("Auth-Protocol"), 0, ngx_smtp_cred_protocol, NULL },
    { ngx_string("Auth-Login-Attempt"), 0, ngx_smtp_cred_attempt, NULL },

    { ngx_string("Client-IP"), 0, ngx_smtp_cred_client, NULL },
    { ngx_string("Client-Host"), 0, ngx_smtp_cred_client_host, NULL },

    { ngx_string("Proxy-Protocol-Addr"), NGX_SMTP_CRED_PROXY,
      ngx_smtp_cred_src_addr, NULL },
    { ngx_string("Proxy-Protocol-Port"), NGX_SMTP_CRED_PROXY,
      ngx_smtp_cred_src_port, NULL },
    { ngx_string("Proxy-Protocol-Server-Addr"), NGX_SMTP_CRED_PROXY,
      ngx_smtp_cred_dst_addr, NULL },
    { ngx_string("Proxy-Protocol-Server-Port"), NGX_SMTP_CRED_PROXY,
      ngx_smtp_cred_dst_port, NULL },

    { ngx_string("Auth-SMTP-Helo"), NGX_SMTP_CRED_RCPT,
      ngx_smtp_cred_helo, NULL },
    { ngx_string("Auth-SMTP-From"), NGX_SMTP_CRED_RCPT,
      ngx_smtp_cred_from, NULL },
    { ngx_string("Auth-SMTP-To"), NGX_SMTP_CRED_RCPT,
      ngx_smtp_cred_to, NULL },

    { ngx_string("Auth-SSL"), NGX_SMTP_CRED_TLS,
      ngx_smtp_cred_ssl, NULL },
    { ngx_string("Auth-SSL-Protocol"), NGX_SMTP_CRED_TLS,
      NULL, ngx_smtp_cred_ssl_protocol },
    { ngx_string("Auth-SSL-Cipher"), NGX_SMTP_CRED_TLS,
      NULL, ngx_smtp_cred_ssl_cipher },
    { ngx_string("Auth-SSL-Verify"), NGX_SMTP_CRED_VERIFY,
      NULL, ngx_ssl_get_client_verify },
    { ngx_string("Auth-SSL-Subject"), NGX_SMTP_CRED_VERIFY,
      NULL, ngx_ssl_get_subject_dn },
    { ngx_string("Auth-SSL-Issuer"), NGX_SMTP_CRED_VERIFY,
      NULL, ngx_ssl_get_issuer_dn },
    { ngx_string("Auth-SSL-Serial"), NGX_SMTP_CRED_VERIFY,
      NULL, ngx_ssl_get_serial_number },
    { ngx_string("Auth-SSL-Fingerprint"), NGX_SMTP_CRED_VERIFY,
      NULL, ngx_ssl_get_fingerprint },
    { ngx_string("Auth-SSL-Cert"), NGX_SMTP_CRED_VERIFY|NGX_SMTP_CRED_CERT,
      ngx_smtp_cred_ssl_cert, NULL },
};

#define NGX_SMTP_CRED_FIELDS                                                 \
    (sizeof(ngx_smtp_cred_fields) / sizeof(ngx_smtp_cred_fields[0]))


ngx_int_t
ngx_smtp_cred_http_request(ngx_smtp_sasl_t *sasl, ngx_str_t *fields)
{
    u_char                       *p;
    size_t                        len;
    ngx_uint_t                    i, flags, must;
    ngx_smtp_auth_conf_t         *conf;
    const ngx_smtp_cred_field_t  *field;
    ngx_str_t                     values[NGX_SMTP_CRED_FIELDS];

    conf = ngx_smtp_session_srv_conf(sasl->session,
                                     ngx_mail_smtp_ext_auth_module);

    flags = ngx_smtp_cred_flags(sasl);

    len = conf->http_fields.text.len;

    for (i = 0; i < NGX_SMTP_CRED_FIELDS; i++) {
        field = &ngx_smtp_cred_fields[i];

        ngx_str_null(&values[i]);

        must = field->flags & ~NGX_SMTP_CRED_EMPTY;

        if ((must & flags) != must) {
            continue;
        }

        if (ngx_smtp_cred_value(sasl, field, &values[i]) != NGX_OK) {
            return NGX_ERROR;
        }

        len += field->name.len + sizeof(": " CRLF) - 1 + values[i].len;
    }

    p = ngx_smtp_sasl_alloc(sasl, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    fields->data = p;

    for (i = 0; i < NGX_SMTP_CRED_FIELDS; i++) {
        field = &ngx_smtp_cred_fields[i];

        if (values[i].len || (field->flags & flags & NGX_SMTP_CRED_EMPTY)) {
            p = ngx_smtp_cred_line(p, &field->name, &values[i]);
        }
    }

    p = ngx_cpymem(p, conf->http_fields.text.data, conf->http_fields.text.len);

    fields->len = p - fields->data;

    return NGX_OK;
}


static ngx_uint_t
ngx_smtp_cred_flags(ngx_smtp_sasl_t *sasl)
{
    ngx_uint_t             flags;
    ngx_connection_t      *c;
    ngx_smtp_auth_conf_t  *conf;

    c = sasl->session->connection;
    conf = ngx_smtp_session_srv_conf(sasl->session,
                                     ngx_mail_smtp_ext_auth_module);

    flags = 0;

    if (c->proxy_protocol) {
        flags |= NGX_SMTP_CRED_PROXY;
    }

    if (c->ssl) {
        flags |= NGX_SMTP_CRED_TLS;

        if (ngx_mail_smtp_ext_auth_verify(sasl->session)) {
            flags |= NGX_SMTP_CRED_VERIFY;
        }
    }

    if (conf->http_pass_client_cert) {
        flags |= NGX_SMTP_CRED_CERT;
    }

    if (sasl->mech->nobody) {
        flags |= NGX_SMTP_CRED_RCPT|NGX_SMTP_CRED_EMPTY;

    } else if (sasl->mech->bit == NGX_SMTP_SASL_EXTERNAL) {
        flags |= NGX_SMTP_CRED_EMPTY;
    }

    return flags;
}


static ngx_int_t
ngx_smtp_cred_value(ngx_smtp_sasl_t *sasl, const ngx_smtp_cred_field_t *field,
    ngx_str_t *value)
{
    size_t             i;
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = sasl->session->connection;

    rc = field->value ? field->value(sasl, value)
                      : field->ssl(c, sasl->pool, value);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    /* whatever it is and wherever it comes from, it can't become a header */

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < ' ') {
            ngx_log_error(NGX_LOG_INFO, c->log, 0,
                          "control character in %V, not sent to auth service",
                          &field->name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static u_char *
ngx_smtp_cred_line(u_char *p, const ngx_str_t *name, ngx_str_t *value)
{
    p = ngx_cpymem(p, name->data, name->len);
    *p++ = ':'; *p++ = ' ';

    p = ngx_cpymem(p, value->data, value->len);
    *p++ = CR; *p++ = LF;

    return p;
}


static ngx_int_t
ngx_smtp_cred_method(ngx_smtp_sasl_t *sasl, ngx_str_t *value)
{
    *value = sasl->mech->http_name;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_cred_user(ngx_smtp_sasl_t *sasl, ngx_str_t *value)
{
    return ngx_smtp_cred_escape(sasl, &sasl->user, value);
}


static ngx_int_t
ngx_smtp_cred_pass(ngx_smtp_sasl_t *sasl, ngx_str_t *value)
{
    return ngx_smtp_cred_escape(sasl, &sasl->secret, value);
}


static ngx_int_t
ngx_smtp_cred_salt(ngx_smtp_sasl_t *sasl, ngx_str_t *value)
{
    *value = sasl->salt;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_cred_token(ngx_smtp_sasl_t *sasl, ngx_str_t *value)
{
    return ngx_smtp_cred_escape(sasl, &sasl->token, value);
}


static ngx_int_t
ngx_smtp_cred_protocol(ngx_smtp_sasl_t *sasl, ngx_str_t *value)
{
    ngx_str_set(value, "smtp");

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_cred_attempt(ngx_smtp_sasl_t *sasl, ngx_str_t *value)
{
    return ngx_smtp_cred_number(sasl, sasl->session->auth_attempts, value);
}


static ngx_int_t
ngx_smtp_cred_client(ngx_smtp_sasl_t *sasl, ngx_str_t *value)
{
    *value = sasl->session->remote.addr_text;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_cred_client_host(ngx_smtp_sasl_t *sasl, ngx_str_t *value)
{
    ngx_smtp_remote_t  *remote;

    remote = &sasl->session->remote;

    if (remote->name.len) {
        *value = remote->name;

    } else if (remote->name_temp) {
        ngx_str_set(value, "[TEMPUNAVAIL]");

    } else {
        ngx_str_set(value, "[UNAVAILABLE]");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_cred_helo(ngx_smtp_sasl_t *sasl, ngx_str_t *value)
{
    *value = sasl->session->helo;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_cred_from(ngx_smtp_sasl_t *sasl, ngx_str_t *value)
{
    return ngx_smtp_cred_path(sasl, "MAIL FROM",
                              &sasl->session->tx->mail_from, value);
}


static ngx_int_t
ngx_smtp_cred_to(ngx_smtp_sasl_t *sasl, ngx_str_t *value)
{
    return ngx_smtp_cred_path(sasl, "RCPT TO",
                              &sasl->session->tx->rcpt->given, value);
}


/* nginx passes commands as they came; this one is written anew */

static ngx_int_t
ngx_smtp_cred_path(ngx_smtp_sasl_t *sasl, const char *verb, ngx_str_t *path,
    ngx_str_t *value)
{
    u_char  *p;

    p = ngx_pnalloc(sasl->pool, ngx_strlen(verb) + path->len
                                + sizeof(":<>") - 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value->data = p;
    value->len = ngx_sprintf(p, "%s:<%V>", verb, path) - p;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_cred_src_addr(ngx_smtp_sasl_t *sasl, ngx_str_t *value)
{
    *value = sasl->session->connection->proxy_protocol->src_addr;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_cred_src_port(ngx_smtp_sasl_t *sasl, ngx_str_t *value)
{
    return ngx_smtp_cred_number(sasl,
                         sasl->session->connection->proxy_protocol->src_port,
                         value);
}


static ngx_int_t
ngx_smtp_cred_dst_addr(ngx_smtp_sasl_t *sasl, ngx_str_t *value)
{
    *value = sasl->session->connection->proxy_protocol->dst_addr;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_cred_dst_port(ngx_smtp_sasl_t *sasl, ngx_str_t *value)
{
    return ngx_smtp_cred_number(sasl,
                         sasl->session->connection->proxy_protocol->dst_port,
                         value);
}


static ngx_int_t
ngx_smtp_cred_ssl(ngx_smtp_sasl_t *sasl, ngx_str_t *value)
{
    ngx_str_set(value, "on");

    return NGX_OK;
}


/* these two of nginx's leave the length to the caller */

static ngx_int_t
ngx_smtp_cred_ssl_protocol(ngx_connection_t *c, ngx_pool_t *pool,
    ngx_str_t *value)
{
    if (ngx_ssl_get_protocol(c, pool, value) != NGX_OK) {
        return NGX_ERROR;
    }

    value->len = ngx_strlen(value->data);

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_cred_ssl_cipher(ngx_connection_t *c, ngx_pool_t *pool,
    ngx_str_t *value)
{
    if (ngx_ssl_get_cipher_name(c, pool, value) != NGX_OK) {
        return NGX_ERROR;
    }

    value->len = ngx_strlen(value->data);

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_cred_ssl_cert(ngx_smtp_sasl_t *sasl, ngx_str_t *value)
{
    ngx_str_t          cert;
    ngx_connection_t  *c;

    c = sasl->session->connection;

    if (ngx_ssl_get_raw_certificate(c, sasl->pool, &cert) != NGX_OK) {
        return NGX_ERROR;
    }

    if (cert.len == 0) {
        ngx_str_null(value);
        return NGX_OK;
    }

    return ngx_smtp_cred_escape(sasl, &cert, value);
}


static ngx_int_t
ngx_smtp_cred_number(ngx_smtp_sasl_t *sasl, ngx_uint_t n, ngx_str_t *value)
{
    value->data = ngx_pnalloc(sasl->pool, NGX_INT_T_LEN);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    value->len = ngx_sprintf(value->data, "%ui", n) - value->data;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_cred_escape(ngx_smtp_sasl_t *sasl, ngx_str_t *text, ngx_str_t *value)
{
    uintptr_t  n;

    if (text->len == 0) {
        ngx_str_null(value);
        return NGX_OK;
    }

    n = ngx_escape_uri(NULL, text->data, text->len, NGX_ESCAPE_MAIL_AUTH);

    value->len = text->len + n * 2;
    value->data = ngx_smtp_sasl_alloc(sasl, value->len);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    if (n == 0) {
        ngx_memcpy(value->data, text->data, text->len);
        return NGX_OK;
    }

    (void) ngx_escape_uri(value->data, text->data, text->len,
                          NGX_ESCAPE_MAIL_AUTH);

    return NGX_OK;
}

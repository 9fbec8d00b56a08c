
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_tls.h>


/*
 * The certificate by the name that a client asks for, RFC 6066, 3.  It is
 * chosen as soon as the ClientHello has been read, before OpenSSL looks for
 * the session that is to be resumed: "a server [...] MUST NOT accept the
 * request to resume the session if the server_name extension contains a
 * different name".  The name is a part of the session's context therefore.
 */


/* the longest name, with "." before it, leaves room for others */
#define NGX_SMTP_TLS_BUCKET_SIZE  512
#define NGX_SMTP_TLS_HASH_MIN     512


static ngx_int_t ngx_smtp_tls_cert_init(ngx_conf_t *cf,
    ngx_smtp_tls_cert_t *cert, SSL_CTX *ctx, ngx_str_t *verify);
static ngx_int_t ngx_smtp_tls_digest(EVP_MD_CTX *md, SSL_CTX *ctx,
    ngx_str_t *verify);
static int ngx_smtp_tls_hello(ngx_ssl_conn_t *ssl, int *alert, void *data);
static int ngx_smtp_tls_servername(ngx_ssl_conn_t *ssl, int *alert,
    void *data);
static void ngx_smtp_tls_asked(ngx_ssl_conn_t *ssl, ngx_str_t *name,
    u_char *lower);
static ngx_smtp_tls_cert_t *ngx_smtp_tls_find(ngx_smtp_tls_t *tls,
    ngx_str_t *name);


ngx_smtp_tls_t *
ngx_smtp_tls_create(ngx_conf_t *cf, SSL_CTX *ctx, ngx_str_t *verify)
{
    ngx_smtp_tls_t  *tls;

    tls = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_tls_t));
    if (tls == NULL) {
        return NULL;
    }

    if (ngx_smtp_tls_cert_init(cf, &tls->cert, ctx, verify) != NGX_OK) {
        return NULL;
    }

    tls->keys.pool = cf->temp_pool;
    tls->keys.temp_pool = cf->temp_pool;

    if (ngx_hash_keys_array_init(&tls->keys, NGX_HASH_SMALL) != NGX_OK) {
        return NULL;
    }

    return tls;
}


ngx_int_t
ngx_smtp_tls_add(ngx_conf_t *cf, ngx_smtp_tls_t *tls, SSL_CTX *ctx,
    ngx_array_t *names, ngx_str_t *server_name, ngx_str_t *verify,
    ngx_str_t *duplicate)
{
    ngx_int_t             rc;
    ngx_str_t            *name;
    ngx_uint_t            i;
    ngx_smtp_tls_cert_t  *cert;

    cert = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_tls_cert_t));
    if (cert == NULL) {
        return NGX_ERROR;
    }

    cert->server_name = *server_name;

    if (ngx_smtp_tls_cert_init(cf, cert, ctx, verify) != NGX_OK) {
        return NGX_ERROR;
    }

    name = names->elts;

    for (i = 0; i < names->nelts; i++) {

        rc = ngx_hash_add_key(&tls->keys, &name[i], cert,
                              NGX_HASH_READONLY_KEY);

        if (rc == NGX_BUSY) {
            *duplicate = name[i];
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_smtp_tls_bind(ngx_conf_t *cf, ngx_smtp_tls_t *tls)
{
    ngx_hash_init_t  hinit;

    if (tls->keys.keys.nelts) {

        hinit.hash = &tls->names;
        hinit.key = ngx_hash_key;
        hinit.max_size = ngx_max(NGX_SMTP_TLS_HASH_MIN,
                                 tls->keys.keys.nelts);
        hinit.bucket_size = ngx_align(NGX_SMTP_TLS_BUCKET_SIZE,
                                      ngx_cacheline_size);
        hinit.name = "smtp_ssl_server_name_hash";
        hinit.pool = cf->pool;
        hinit.temp_pool = NULL;

        if (ngx_hash_init(&hinit, tls->keys.keys.elts, tls->keys.keys.nelts)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    SSL_CTX_set_client_hello_cb(tls->cert.ctx, ngx_smtp_tls_hello, tls);
    SSL_CTX_set_tlsext_servername_callback(tls->cert.ctx,
                                           ngx_smtp_tls_servername);

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_tls_cert_init(ngx_conf_t *cf, ngx_smtp_tls_cert_t *cert,
    SSL_CTX *ctx, ngx_str_t *verify)
{
    ngx_int_t    rc;
    EVP_MD_CTX  *md;

    cert->ctx = ctx;

    if (SSL_CTX_set_app_data(ctx, cert) == 0) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_app_data() failed");
        return NGX_ERROR;
    }

    md = EVP_MD_CTX_new();
    if (md == NULL) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0, "EVP_MD_CTX_new() failed");
        return NGX_ERROR;
    }

    rc = NGX_OK;

    if (ngx_smtp_tls_digest(md, ctx, verify) != NGX_OK
        || EVP_DigestFinal_ex(md, cert->id, NULL) == 0)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "digest of certificates failed");
        rc = NGX_ERROR;
    }

    EVP_MD_CTX_free(md);

    return rc;
}


/*
 * What makes a session one of these certificates, in all workers and after a
 * reload; and of this way to verify clients, as nginx has it.
 */

static ngx_int_t
ngx_smtp_tls_digest(EVP_MD_CTX *md, SSL_CTX *ctx, ngx_str_t *verify)
{
    int                   i;
    long                  next;
    X509                 *x509;
    unsigned int          len;
    STACK_OF(X509_NAME)  *list;
    u_char                buf[EVP_MAX_MD_SIZE];

    if (EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 0
        || EVP_DigestUpdate(md, verify->data, verify->len) == 0)
    {
        return NGX_ERROR;
    }

    for (next = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_FIRST);
         next;
         next = SSL_CTX_set_current_cert(ctx, SSL_CERT_SET_NEXT))
    {
        x509 = SSL_CTX_get0_certificate(ctx);

        if (X509_digest(x509, EVP_sha256(), buf, &len) == 0
            || EVP_DigestUpdate(md, buf, len) == 0)
        {
            return NGX_ERROR;
        }
    }

    list = SSL_CTX_get_client_CA_list(ctx);

    for (i = 0; i < sk_X509_NAME_num(list); i++) {

        if (X509_NAME_digest(sk_X509_NAME_value(list, i), EVP_sha256(), buf,
                             &len)
            == 0
            || EVP_DigestUpdate(md, buf, len) == 0)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static int
ngx_smtp_tls_hello(ngx_ssl_conn_t *ssl, int *alert, void *data)
{
    ngx_smtp_tls_t *tls = data;

    u_char               *p;
    ngx_str_t             name;
    ngx_connection_t     *c;
    ngx_smtp_tls_cert_t  *cert;
    u_char                id[NGX_SMTP_TLS_ID_LEN];
    u_char                buf[NGX_SMTP_TLS_ID_LEN + TLSEXT_MAXLEN_host_name];

    c = ngx_ssl_get_connection(ssl);

    p = buf + NGX_SMTP_TLS_ID_LEN;

    ngx_smtp_tls_asked(ssl, &name, p);

    cert = ngx_smtp_tls_find(tls, &name);

    ngx_log_debug2(NGX_LOG_DEBUG_MAIL, c->log, 0,
                   "smtp tls name \"%V\": %s", &name,
                   cert == &tls->cert ? "default" : "found");

    /* nothing but certificates differs, so nothing else has to be changed */

    if (cert != &tls->cert && SSL_set_SSL_CTX(ssl, cert->ctx) == NULL) {
        goto failed;
    }

    ngx_memcpy(buf, cert->id, NGX_SMTP_TLS_ID_LEN);

    if (EVP_Digest(buf, NGX_SMTP_TLS_ID_LEN + name.len, id, NULL,
                   EVP_sha256(), NULL)
        == 0
        || SSL_set_session_id_context(ssl, id, NGX_SMTP_TLS_ID_LEN) == 0)
    {
        goto failed;
    }

    return SSL_CLIENT_HELLO_SUCCESS;

failed:

    ngx_ssl_error(NGX_LOG_CRIT, c->log, 0,
                  "choosing a certificate failed");

    *alert = SSL_AD_INTERNAL_ERROR;

    return SSL_CLIENT_HELLO_ERROR;
}


/* so OpenSSL keeps the name with the session, for $ssl_server_name */

static int
ngx_smtp_tls_servername(ngx_ssl_conn_t *ssl, int *alert, void *data)
{
    return SSL_TLSEXT_ERR_OK;
}


/*
 * The name in lower case, or none.  An extension that is malformed is none
 * here; OpenSSL will end the handshake then.
 */

static void
ngx_smtp_tls_asked(ngx_ssl_conn_t *ssl, ngx_str_t *name, u_char *lower)
{
    size_t                len;
    const unsigned char  *p;

    name->len = 0;
    name->data = lower;

    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &len)
        == 0)
    {
        return;
    }

    /* a list of one: its length, type, length of the name, name */

    if (len < 5
        || (size_t) (p[0] << 8) + p[1] != len - 2
        || p[2] != TLSEXT_NAMETYPE_host_name
        || (size_t) (p[3] << 8) + p[4] != len - 5
        || len - 5 > TLSEXT_MAXLEN_host_name)
    {
        return;
    }

    name->len = len - 5;

    ngx_strlow(lower, (u_char *) p + 5, name->len);
}


static ngx_smtp_tls_cert_t *
ngx_smtp_tls_find(ngx_smtp_tls_t *tls, ngx_str_t *name)
{
    u_char               *p, *last;
    ngx_smtp_tls_cert_t  *cert;

    if (tls->names.buckets == NULL) {
        return &tls->cert;
    }

    p = name->data;
    last = p + name->len;

    /* the name; then what it ends in, the longest first */

    while (p < last) {

        cert = ngx_hash_find(&tls->names, ngx_hash_key(p, last - p), p,
                             last - p);
        if (cert) {
            return cert;
        }

        do { p++; } while (p < last && *p != '.');
    }

    return &tls->cert;
}


void
ngx_smtp_tls_started(ngx_smtp_session_t *s)
{
    SSL_CTX              *ctx;
    ngx_smtp_tls_cert_t  *cert;

    ctx = SSL_get_SSL_CTX(s->connection->ssl->connection);

    cert = SSL_CTX_get_app_data(ctx);

    if (cert && cert->server_name.len) {
        s->server_name = cert->server_name;
    }
}

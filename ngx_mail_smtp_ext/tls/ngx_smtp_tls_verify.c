
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_tls.h>


/*
 * ssl_verify_client: as nginx's mail core does it, with the reply in its
 * place.  Core would write it behind the handshake, unasked for, and close
 * the connection; a client that had sent EHLO by then could lose it.
 */


typedef int (*ngx_smtp_tls_verify_pt)(int ok, X509_STORE_CTX *store);


static int ngx_smtp_tls_verify_callback(int ok, X509_STORE_CTX *store);
static ngx_uint_t ngx_smtp_tls_refuse(ngx_connection_t *c,
    ngx_smtp_reply_e id);


/* nginx's, the same for all of its contexts */
static ngx_smtp_tls_verify_pt  ngx_smtp_tls_verify_core;


void
ngx_smtp_tls_verify_init(SSL_CTX *ctx)
{
    ngx_smtp_tls_verify_core = SSL_CTX_get_verify_callback(ctx);

    SSL_CTX_set_verify(ctx, SSL_CTX_get_verify_mode(ctx),
                       ngx_smtp_tls_verify_callback);
}


/*
 * nginx's goes on with what is wrong, but the errors stay in OpenSSL's queue:
 * the next call would find them there and write an alert into the log, for
 * nothing but a chain that is too long.
 */

static int
ngx_smtp_tls_verify_callback(int ok, X509_STORE_CTX *store)
{
    ok = ngx_smtp_tls_verify_core(ok, store);

    ERR_clear_error();

    return ok;
}


ngx_uint_t
ngx_smtp_tls_verify(ngx_smtp_session_t *s)
{
    long               rc;
    X509              *cert;
    ngx_uint_t         verify;
    ngx_connection_t  *c;

    c = s->connection;
    verify = s->service->verify_client;

    if (verify == NGX_SMTP_VERIFY_OFF) {
        return 0;
    }

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK
        && (verify != NGX_SMTP_VERIFY_OPTIONAL_NO_CA
            || !ngx_ssl_verify_error_optional(rc)))
    {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "client SSL certificate verify error: (%l:%s)",
                      rc, X509_verify_cert_error_string(rc));

        return ngx_smtp_tls_refuse(c, NGX_SMTP_REPLY_BAD_CERTIFICATE);
    }

    if (verify != NGX_SMTP_VERIFY_ON) {
        return 0;
    }

    cert = SSL_get_peer_certificate(c->ssl->connection);

    if (cert == NULL) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "client sent no required SSL certificate");

        return ngx_smtp_tls_refuse(c, NGX_SMTP_REPLY_NO_CERTIFICATE);
    }

    X509_free(cert);

    return 0;
}


static ngx_uint_t
ngx_smtp_tls_refuse(ngx_connection_t *c, ngx_smtp_reply_e id)
{
    ngx_ssl_remove_cached_session(c->ssl->session_ctx,
                                  SSL_get0_session(c->ssl->connection));

    return id;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_sasl.h>


/*
 * EXTERNAL, RFC 4422, A: who the client is has been shown by the certificate
 * of its TLS connection; the response says as whom it wants to act, or
 * nothing.  The service gets what is in the certificate, and has the word.
 */


static ngx_uint_t ngx_smtp_sasl_external_usable(ngx_smtp_session_t *s);
static ngx_int_t ngx_smtp_sasl_external_step(ngx_smtp_sasl_t *sasl,
    ngx_str_t *response);


extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_external;

const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_external = {
    ngx_string("EXTERNAL"),
    ngx_string("external"),
    NGX_SMTP_SASL_EXTERNAL,
    0,
    0,
    1,
    0,
    0,
    ngx_smtp_sasl_external_usable,
    ngx_smtp_sasl_external_step,
    NULL
};


/* a certificate, and one that stood the test */

static ngx_uint_t
ngx_smtp_sasl_external_usable(ngx_smtp_session_t *s)
{
    X509              *cert;
    ngx_connection_t  *c;

    c = s->connection;

    if (c->ssl == NULL
        || SSL_get_verify_result(c->ssl->connection) != X509_V_OK)
    {
        return 0;
    }

    cert = SSL_get_peer_certificate(c->ssl->connection);

    if (cert == NULL) {
        return 0;
    }

    X509_free(cert);

    return 1;
}


static ngx_int_t
ngx_smtp_sasl_external_step(ngx_smtp_sasl_t *sasl, ngx_str_t *response)
{
    size_t   len;
    u_char  *p, *last;

    if (response->data == NULL) {
        ngx_str_null(&sasl->challenge);
        return NGX_AGAIN;
    }

    /* *( UTF8-char-no-nul ) */

    p = response->data;
    last = p + response->len;

    while (p < last) {
        len = (*p < 0x80) ? (*p != '\0') : ngx_smtp_utf8_length(p, last);

        if (len == 0) {
            return NGX_ERROR;
        }

        p += len;
    }

    sasl->user = *response;

    return NGX_OK;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_auth_private.h>


/*
 * Keys of what is remembered in shared memory: HMACs with a secret that is made
 * when nginx starts, so that nothing there tells of a password, a token, or who
 * tried to log in.
 */


ngx_int_t
ngx_smtp_auth_digest(ngx_smtp_sasl_t *sasl, u_char kind, ngx_str_t *fields,
    ngx_uint_t n, u_char *digest)
{
    u_char        *p;
    size_t         len;
    ngx_str_t      text;
    ngx_uint_t     i;
    unsigned int   size;

    text.len = 1;

    for (i = 0; i < n; i++) {
        text.len += sizeof(size_t) + fields[i].len;
    }

    text.data = ngx_smtp_sasl_alloc(sasl, text.len);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    p = text.data;
    *p++ = kind;

    /* with lengths, so that no other fields make the same text */

    for (i = 0; i < n; i++) {
        len = fields[i].len;
        p = ngx_cpymem(p, &len, sizeof(size_t));

        if (len) {
            p = ngx_cpymem(p, fields[i].data, len);
        }
    }

    if (HMAC(EVP_sha256(), ngx_smtp_auth_secret, NGX_SMTP_AUTH_SECRET_SIZE,
             text.data, text.len, digest, &size)
        == NULL)
    {
        ngx_ssl_error(NGX_LOG_CRIT, sasl->session->connection->log, 0,
                      "HMAC() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_auth_private.h>


/*
 * CRAM-MD5, RFC 2195: the server speaks first, with a challenge of its own;
 * the client answers with a name and a digest of challenge and password.  The
 * service, which has the password, compares.
 */


/* the digest, in hex */
#define NGX_SMTP_SASL_CRAM_DIGEST  32

/* octets that nobody can guess, shown in hex */
#define NGX_SMTP_SASL_CRAM_NONCE   16


static ngx_int_t ngx_smtp_sasl_cram_step(ngx_smtp_sasl_t *sasl,
    ngx_str_t *response);
static ngx_int_t ngx_smtp_sasl_cram_challenge(ngx_smtp_sasl_t *sasl);


extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_cram_md5;

const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_cram_md5 = {
    ngx_string("CRAM-MD5"),
    ngx_string("cram-md5"),
    NGX_SMTP_SASL_CRAM_MD5,
    0,
    0,
    0,
    1,
    0,
    NULL,
    ngx_smtp_sasl_cram_step,
    NULL
};


static ngx_int_t
ngx_smtp_sasl_cram_step(ngx_smtp_sasl_t *sasl, ngx_str_t *response)
{
    u_char  *p, *last;
    size_t   i;

    if (response->data == NULL) {
        return ngx_smtp_sasl_cram_challenge(sasl);
    }

    /* a name may have spaces, the digest is behind the last one */

    if (response->len < sizeof("a ") - 1 + NGX_SMTP_SASL_CRAM_DIGEST) {
        return NGX_ERROR;
    }

    last = response->data + response->len;
    p = last - NGX_SMTP_SASL_CRAM_DIGEST;

    if (p[-1] != ' ') {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_SMTP_SASL_CRAM_DIGEST; i++) {
        if (!ngx_smtp_is_digit(p[i]) && !(p[i] >= 'a' && p[i] <= 'f')) {
            return NGX_ERROR;
        }
    }

    sasl->secret.data = p;
    sasl->secret.len = NGX_SMTP_SASL_CRAM_DIGEST;

    sasl->user.data = response->data;
    sasl->user.len = p - 1 - response->data;

    if (ngx_strlchr(sasl->user.data, p, '\0')) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* RFC 2195, 2: in the form of a msg-id, new each time */

static ngx_int_t
ngx_smtp_sasl_cram_challenge(ngx_smtp_sasl_t *sasl)
{
    u_char     *p;
    size_t      len;
    ngx_str_t  *host;
    u_char      nonce[NGX_SMTP_SASL_CRAM_NONCE];

    host = &sasl->session->service->server_name;

    if (ngx_smtp_sasl_random(sasl, nonce, sizeof(nonce)) != NGX_OK) {
        return NGX_ABORT;
    }

    len = sizeof("<.@>") - 1 + 2 * sizeof(nonce) + NGX_TIME_T_LEN + host->len;

    p = ngx_smtp_sasl_alloc(sasl, len);
    if (p == NULL) {
        return NGX_ABORT;
    }

    sasl->salt.data = p;

    *p++ = '<';
    p = ngx_hex_dump(p, nonce, sizeof(nonce));
    p = ngx_sprintf(p, ".%T@%V>", ngx_time(), host);

    sasl->salt.len = p - sasl->salt.data;
    sasl->challenge = sasl->salt;

    return NGX_AGAIN;
}

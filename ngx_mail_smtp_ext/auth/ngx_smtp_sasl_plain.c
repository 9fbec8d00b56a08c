
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_sasl.h>


/*
 * PLAIN, RFC 4616: one response, [authzid] NUL authcid NUL passwd.  The client
 * begins; without an initial response it gets an empty challenge.
 */


static ngx_int_t ngx_smtp_sasl_plain_step(ngx_smtp_sasl_t *sasl,
    ngx_str_t *response);
static ngx_int_t ngx_smtp_sasl_plain_field(u_char **pos, u_char *last,
    ngx_str_t *field);


extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_plain;

const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_plain = {
    ngx_string("PLAIN"),
    ngx_string("plain"),
    NGX_SMTP_SASL_PLAIN,
    0,
    1,
    0,
    0,
    0,
    NULL,
    ngx_smtp_sasl_plain_step,
    NULL
};


static ngx_int_t
ngx_smtp_sasl_plain_step(ngx_smtp_sasl_t *sasl, ngx_str_t *response)
{
    u_char  *p, *last;

    if (response->data == NULL) {
        ngx_str_null(&sasl->challenge);
        return NGX_AGAIN;
    }

    p = response->data;
    last = p + response->len;

    if (ngx_smtp_sasl_plain_field(&p, last, &sasl->authzid) != NGX_OK
        || ngx_smtp_sasl_plain_field(&p, last, &sasl->user) != NGX_OK)
    {
        return NGX_ERROR;
    }

    sasl->secret.data = p;
    sasl->secret.len = last - p;

    /*
     * RFC 4616, 2: authcid and passwd have an octet at least.  An empty
     * password is not one to be refused by a directory that takes it for an
     * anonymous bind.
     */

    if (sasl->user.len == 0 || sasl->secret.len == 0
        || ngx_strlchr(p, last, '\0'))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_sasl_plain_field(u_char **pos, u_char *last, ngx_str_t *field)
{
    u_char  *p;

    p = ngx_strlchr(*pos, last, '\0');

    if (p == NULL) {
        return NGX_ERROR;
    }

    field->data = *pos;
    field->len = p - *pos;

    *pos = p + 1;

    return NGX_OK;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_sasl.h>


/*
 * LOGIN, which no RFC has but many clients use: a user name and a password,
 * asked for one after the other.  The name may come with AUTH.
 */


enum {
    NGX_SMTP_SASL_LOGIN_USER = 0,
    NGX_SMTP_SASL_LOGIN_SECRET
};


static ngx_int_t ngx_smtp_sasl_login_step(ngx_smtp_sasl_t *sasl,
    ngx_str_t *response);


extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_login;

/* to an auth service LOGIN is the same as PLAIN, as it is in nginx */

const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_login = {
    ngx_string("LOGIN"),
    ngx_string("plain"),
    NGX_SMTP_SASL_LOGIN,
    0,
    1,
    0,
    0,
    0,
    NULL,
    ngx_smtp_sasl_login_step,
    NULL
};


static ngx_int_t
ngx_smtp_sasl_login_step(ngx_smtp_sasl_t *sasl, ngx_str_t *response)
{
    if (response->data == NULL) {
        ngx_str_set(&sasl->challenge, "Username:");
        return NGX_AGAIN;
    }

    /* neither is ever empty, nor can the other side hold a NUL in it */

    if (response->len == 0
        || ngx_strlchr(response->data, response->data + response->len, '\0'))
    {
        return NGX_ERROR;
    }

    if (sasl->state == NGX_SMTP_SASL_LOGIN_USER) {
        sasl->user = *response;
        sasl->state = NGX_SMTP_SASL_LOGIN_SECRET;
        ngx_str_set(&sasl->challenge, "Password:");
        return NGX_AGAIN;
    }

    sasl->secret = *response;

    return NGX_OK;
}

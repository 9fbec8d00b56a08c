
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_gs2.h>
#include <ngx_smtp_oauth.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_auth_private.h>


/*
 * OAUTHBEARER, RFC 7628, and XOAUTH2, which was there before: a token, with
 * the name of a user or without.  The service judges the token; a refusal is
 * told in JSON (RFC 7628, 3.2.2) by a challenge, and the client has to respond
 * to that before it gets the reply.
 */


enum {
    NGX_SMTP_SASL_OAUTH_TOKEN = 0,
    NGX_SMTP_SASL_OAUTH_REFUSED
};


static ngx_int_t ngx_smtp_sasl_oauthbearer_step(ngx_smtp_sasl_t *sasl,
    ngx_str_t *response);
static ngx_int_t ngx_smtp_sasl_xoauth2_step(ngx_smtp_sasl_t *sasl,
    ngx_str_t *response);
static ngx_int_t ngx_smtp_sasl_oauth_ask(ngx_smtp_sasl_t *sasl,
    ngx_smtp_oauth_t *oauth);
static ngx_int_t ngx_smtp_sasl_oauth_answer(ngx_smtp_sasl_t *sasl,
    ngx_int_t rc);
static ngx_int_t ngx_smtp_sasl_oauth_error(ngx_smtp_sasl_t *sasl);


extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_oauthbearer;

const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_oauthbearer = {
    ngx_string("OAUTHBEARER"),
    ngx_string("oauthbearer"),
    NGX_SMTP_SASL_OAUTHBEARER,
    0,
    1,
    1,
    0,
    0,
    NULL,
    ngx_smtp_sasl_oauthbearer_step,
    ngx_smtp_sasl_oauth_answer
};


extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_xoauth2;

const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_xoauth2 = {
    ngx_string("XOAUTH2"),
    ngx_string("xoauth2"),
    NGX_SMTP_SASL_XOAUTH2,
    0,
    1,
    0,
    0,
    0,
    NULL,
    ngx_smtp_sasl_xoauth2_step,
    ngx_smtp_sasl_oauth_answer
};


static ngx_int_t
ngx_smtp_sasl_oauthbearer_step(ngx_smtp_sasl_t *sasl, ngx_str_t *response)
{
    u_char            *p;
    ngx_smtp_oauth_t   oauth;

    if (response->data == NULL) {
        ngx_str_null(&sasl->challenge);
        return NGX_AGAIN;
    }

    if (sasl->state == NGX_SMTP_SASL_OAUTH_REFUSED) {

        /* RFC 7628, 3.2.3: a single %x01; whatever it is, it is the end */

        return NGX_DECLINED;
    }

    if (ngx_smtp_oauth_bearer_parse(&oauth, response) != NGX_OK) {
        return NGX_ERROR;
    }

    if (oauth.user.len) {
        p = ngx_smtp_saslname_decode(oauth.user.data, oauth.user.data,
                                     oauth.user.data + oauth.user.len);
        oauth.user.len = p - oauth.user.data;
    }

    return ngx_smtp_sasl_oauth_ask(sasl, &oauth);
}


static ngx_int_t
ngx_smtp_sasl_xoauth2_step(ngx_smtp_sasl_t *sasl, ngx_str_t *response)
{
    ngx_smtp_oauth_t  oauth;

    if (response->data == NULL) {
        ngx_str_null(&sasl->challenge);
        return NGX_AGAIN;
    }

    if (sasl->state == NGX_SMTP_SASL_OAUTH_REFUSED) {
        return NGX_DECLINED;
    }

    if (ngx_smtp_oauth_xoauth2_parse(&oauth, response) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_smtp_sasl_oauth_ask(sasl, &oauth);
}


static ngx_int_t
ngx_smtp_sasl_oauth_ask(ngx_smtp_sasl_t *sasl, ngx_smtp_oauth_t *oauth)
{
    sasl->user = oauth->user;
    sasl->token = oauth->token;

    /* RFC 7628, 4.3: a client may ask so for the scope that is wanted */

    return sasl->token.len ? NGX_OK : ngx_smtp_sasl_oauth_error(sasl);
}


static ngx_int_t
ngx_smtp_sasl_oauth_answer(ngx_smtp_sasl_t *sasl, ngx_int_t rc)
{
    /* not for good: that says nothing of the token */

    if (rc != NGX_DECLINED || sasl->code / 100 == 4) {
        return rc;
    }

    return ngx_smtp_sasl_oauth_error(sasl);
}


static ngx_int_t
ngx_smtp_sasl_oauth_error(ngx_smtp_sasl_t *sasl)
{
    u_char                *p;
    size_t                 len;
    ngx_uint_t             bearer;
    ngx_smtp_auth_conf_t  *conf;

    conf = ngx_smtp_session_srv_conf(sasl->session,
                                     ngx_mail_smtp_ext_auth_module);

    bearer = (sasl->mech->bit == NGX_SMTP_SASL_OAUTHBEARER);

    len = sizeof("{\"status\":\"invalid_token\",\"schemes\":\"bearer\","
                 "\"scope\":\"\",\"openid-configuration\":\"\"}") - 1
          + conf->oauth_scope.len + conf->oauth_configuration.len;

    p = ngx_pnalloc(sasl->pool, len);
    if (p == NULL) {
        return NGX_ABORT;
    }

    sasl->challenge.data = p;

    /* XOAUTH2 has HTTP's status here */

    p = bearer ? ngx_sprintf(p, "{\"status\":\"invalid_token\"")
               : ngx_sprintf(p, "{\"status\":\"401\","
                                "\"schemes\":\"bearer\"");

    /* neither value has anything that JSON escapes */

    if (conf->oauth_scope.len) {
        p = ngx_sprintf(p, ",\"scope\":\"%V\"", &conf->oauth_scope);
    }

    if (bearer && conf->oauth_configuration.len) {
        p = ngx_sprintf(p, ",\"openid-configuration\":\"%V\"",
                        &conf->oauth_configuration);
    }

    *p++ = '}';

    sasl->challenge.len = p - sasl->challenge.data;
    sasl->state = NGX_SMTP_SASL_OAUTH_REFUSED;

    return NGX_AGAIN;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_esmtp.h>
#include <ngx_smtp_sasl.h>


/*
 * AUTH, RFC 4954: the keyword with the mechanisms, 3, and the parameter of
 * MAIL, 5.  Lies here since esmtp/ does not know auth/.
 */


/* RFC 4954, 3: what the parameter adds to the length of MAIL */
#define NGX_SMTP_ESMTP_AUTH_MAX  500


static ngx_int_t ngx_smtp_esmtp_auth_advertise(ngx_smtp_session_t *s,
    u_char **p, u_char *end);
static ngx_int_t ngx_smtp_esmtp_auth_parse(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_str_t *value);


static void ngx_smtp_esmtp_auth_answer(ngx_smtp_caps_t *caps,
    ngx_str_t *args);
static u_char *ngx_smtp_esmtp_auth_emit(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, u_char *p, u_char *end);


static const struct {
    ngx_str_t    name;
    ngx_uint_t   bit;
} ngx_smtp_esmtp_auth_caps[] = {
    { ngx_string("PLAIN"), NGX_SMTP_CAP_PLAIN },
    { ngx_string("LOGIN"), NGX_SMTP_CAP_LOGIN },
    { ngx_string("CRAM-MD5"), NGX_SMTP_CAP_CRAM_MD5 },
    { ngx_string("XOAUTH2"), NGX_SMTP_CAP_XOAUTH2 },
    { ngx_string("OAUTHBEARER"), NGX_SMTP_CAP_OAUTHBEARER },
    { ngx_null_string, 0 }
};


static const ngx_smtp_esmtp_param_t  ngx_smtp_esmtp_auth_mail[] = {
    { "AUTH", ngx_smtp_esmtp_auth_parse },
    { NULL, NULL }
};


extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_auth;

const ngx_smtp_esmtp_t  ngx_smtp_esmtp_auth = {
    ngx_string("AUTH"),
    NGX_SMTP_EXT_AUTH,
    ngx_smtp_esmtp_auth_advertise,
    ngx_smtp_esmtp_auth_mail,
    NULL,
    ngx_smtp_esmtp_auth_answer,
    ngx_smtp_esmtp_auth_emit,
    NULL,                        /* emit_rcpt */
    NULL
};


static ngx_int_t
ngx_smtp_esmtp_auth_advertise(ngx_smtp_session_t *s, u_char **p, u_char *end)
{
    ngx_uint_t                   i, offered;
    const ngx_smtp_sasl_mech_t  *mech;

    /* after a login as well: MAIL keeps its parameter */

    offered = ngx_smtp_sasl_offered(s);

    if (offered == 0) {
        return NGX_DECLINED;
    }

    for (i = 0; ngx_smtp_sasl_table[i]; i++) {
        mech = ngx_smtp_sasl_table[i];

        if (!(offered & mech->bit)
            || (size_t) (end - *p) < 1 + mech->name.len)
        {
            continue;
        }

        *(*p)++ = ' ';
        *p = ngx_cpymem(*p, mech->name.data, mech->name.len);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_esmtp_auth_parse(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_str_t *value)
{
    u_char           *p;
    ngx_str_t         auth;
    ngx_smtp_path_t   path;

    if (value->data == NULL || value->len == 0
        || value->len > NGX_SMTP_ESMTP_AUTH_MAX)
    {
        return NGX_ERROR;
    }

    auth.data = ngx_pnalloc(tx->pool, value->len);
    if (auth.data == NULL) {
        tx->param_reply = NGX_SMTP_REPLY_LOCAL_ERROR;
        return NGX_DONE;
    }

    p = ngx_smtp_xtext_decode(auth.data, value->data,
                              value->data + value->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    auth.len = p - auth.data;

    if (auth.len != 2 || ngx_strncmp(auth.data, "<>", 2) != 0) {

        if (ngx_smtp_mailbox_parse(&path, &auth, 0) != NGX_OK) {
            return NGX_ERROR;
        }

        /* RFC 4954, 5: who is not authenticated is not believed */

        if (!s->authenticated) {
            ngx_str_set(&auth, "<>");
        }
    }

    tx->auth = auth;

    return NGX_OK;
}


static void
ngx_smtp_esmtp_auth_answer(ngx_smtp_caps_t *caps, ngx_str_t *args)
{
    u_char      *p, *word, *last;
    ngx_uint_t   i;

    last = args->data + args->len;

    for (p = args->data; p < last; p++) {

        for (word = p; p < last && *p != ' '; p++) { /* void */ }

        for (i = 0; ngx_smtp_esmtp_auth_caps[i].bit; i++) {

            if (ngx_smtp_esmtp_auth_caps[i].name.len == (size_t) (p - word)
                && ngx_strncasecmp(ngx_smtp_esmtp_auth_caps[i].name.data,
                                   word, p - word)
                   == 0)
            {
                caps->auth |= ngx_smtp_esmtp_auth_caps[i].bit;
            }
        }
    }
}


/*
 * RFC 4954, 5: whom we have logged in to is trusted with the name of who has
 * submitted the message; nobody else is, and no one who has not logged in
 * here is believed.
 */

static u_char *
ngx_smtp_esmtp_auth_emit(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx, u_char *p,
    u_char *end)
{
    size_t  len;

    if (!caps->logged_in) {
        return p;
    }

    len = sizeof(" AUTH=") - 1 + 3 * tx->auth.len;

    if (tx->auth.len == 0
        || (tx->auth.len == 2 && ngx_strncmp(tx->auth.data, "<>", 2) == 0)
        || len > (size_t) (end - p))
    {
        return ngx_slprintf(p, end, " AUTH=<>");
    }

    p = ngx_cpymem(p, " AUTH=", sizeof(" AUTH=") - 1);

    return ngx_smtp_xtext_encode(p, tx->auth.data,
                                 tx->auth.data + tx->auth.len);
}

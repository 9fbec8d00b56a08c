
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
    NULL,
    NULL,
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
        ngx_smtp_reply(s, NGX_SMTP_REPLY_LOCAL_ERROR);
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


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_senders.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_auth_private.h>


/*
 * What an auth service says that a user may: Auth-Max-Size, Auth-Max-Rcpt,
 * Auth-Senders.  A value that is not what it should be is no answer: who reads
 * past it would give a user more than was meant.  That is why 0 is wrong, too:
 * it is "nothing" for some, "no limit" for others.
 */


/* digits of a number: what fits an off_t */
#define NGX_SMTP_CRED_DIGITS  18


static off_t ngx_smtp_cred_limit(ngx_str_t *value);


ngx_int_t
ngx_smtp_cred_rights(ngx_smtp_sasl_t *sasl, ngx_str_t *size, ngx_str_t *rcpt,
    ngx_str_t *senders, char **reason)
{
    off_t               n;
    u_char             *last;
    ngx_smtp_rights_t  *rights;

    rights = &sasl->rights;

    if (size->data) {
        rights->max_size = ngx_smtp_cred_limit(size);

        if (rights->max_size == NGX_ERROR) {
            *reason = "invalid \"Auth-Max-Size\"";
            return NGX_ERROR;
        }
    }

    if (rcpt->data) {
        n = ngx_smtp_cred_limit(rcpt);

        if (n == NGX_ERROR) {
            *reason = "invalid \"Auth-Max-Rcpt\"";
            return NGX_ERROR;
        }

        rights->max_rcpt = (ngx_uint_t) ngx_min(n, NGX_MAX_INT_T_VALUE);
    }

    if (senders->data) {
        rights->senders.data = ngx_pnalloc(sasl->pool, senders->len + 1);
        if (rights->senders.data == NULL) {
            return NGX_ERROR;
        }

        last = ngx_smtp_senders_parse(rights->senders.data, senders);

        if (last == NULL) {
            *reason = "invalid \"Auth-Senders\"";
            return NGX_ERROR;
        }

        rights->senders.len = last - rights->senders.data;
    }

    return NGX_OK;
}


static off_t
ngx_smtp_cred_limit(ngx_str_t *value)
{
    off_t  n;

    if (value->len > NGX_SMTP_CRED_DIGITS) {
        return NGX_ERROR;
    }

    n = ngx_atoof(value->data, value->len);

    return (n == 0) ? NGX_ERROR : n;
}

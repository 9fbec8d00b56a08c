
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>


/*
 * The destination "reject:code text": nobody there.  RCPT has that for its
 * reply, and VRFY, where it is asked.
 */


static char *ngx_smtp_reject_parse(ngx_conf_t *cf, ngx_smtp_dest_t *dest,
    ngx_str_t *rest);
static ngx_int_t ngx_smtp_reject_verify(ngx_smtp_delivery_t *d,
    ngx_smtp_op_t *op);
static void ngx_smtp_reject_query(ngx_smtp_query_t *query, ngx_smtp_op_t *op);


const ngx_smtp_dest_type_t  ngx_smtp_dest_reject = {
    ngx_string("reject:"),
    ngx_smtp_reject_parse,
    ngx_smtp_reject_verify,
    NULL,                                  /* park */
    NULL,                                  /* deliver: nobody gets so far */
    NULL,                                  /* commit */
    NULL,                                  /* stream */
    NULL,                                  /* push */
    ngx_smtp_reject_query,
    NULL,                                  /* resolve */
    0                                      /* each */
};


static char *
ngx_smtp_reject_parse(ngx_conf_t *cf, ngx_smtp_dest_t *dest, ngx_str_t *rest)
{
    char                *rv;
    ngx_str_t            text;
    ngx_uint_t           code;
    ngx_smtp_verdict_t  *verdict;

    verdict = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_verdict_t));
    if (verdict == NULL) {
        return NGX_CONF_ERROR;
    }

    /* it must outlive the configuration's text */

    text.len = rest->len;
    text.data = ngx_pstrdup(cf->pool, rest);
    if (text.data == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = ngx_smtp_answer_words(&code, &verdict->enhanced, &text);

    if (code < 400) {
        return "has no code 4yz or 5yz";
    }

    if (code == 421) {
        return "can't have the code 421, which ends a connection";
    }

    if (rv) {
        return rv;
    }

    if (text.len == 0) {
        ngx_str_set(&text, "Recipient refused");
    }

    verdict->code = code;
    verdict->text = text;

    dest->conf = verdict;
    dest->refuses = 1;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_smtp_reject_verify(ngx_smtp_delivery_t *d, ngx_smtp_op_t *op)
{
    ngx_smtp_verdict_t  *verdict;

    verdict = d->dest->conf;

    d->tx->rcpt->verdict = *verdict;

    return NGX_OK;
}


static void
ngx_smtp_reject_query(ngx_smtp_query_t *query, ngx_smtp_op_t *op)
{
    ngx_smtp_verdict_t  *verdict;

    verdict = query->rcpt.dest->conf;

    if (query->verb != NGX_SMTP_QUERY_ETRN) {
        query->verdict = *verdict;
    }

    ngx_smtp_op_finish(op, NGX_OK);
}

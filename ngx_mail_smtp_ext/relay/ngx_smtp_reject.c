
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


/* RFC 5321, 4.5.3.1.5: with the codes it is one line */
#define NGX_SMTP_REJECT_TEXT_MAX  480


static char *ngx_smtp_reject_parse(ngx_conf_t *cf, ngx_smtp_dest_t *dest,
    ngx_str_t *rest);
static char *ngx_smtp_reject_text(ngx_smtp_verdict_t *verdict,
    ngx_str_t *text);
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
    u_char              *p;
    ngx_str_t            text;
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

    p = text.data;

    if (text.len < 3
        || (p[0] != '4' && p[0] != '5')
        || !ngx_smtp_is_digit(p[1]) || !ngx_smtp_is_digit(p[2])
        || (text.len > 3 && p[3] != ' '))
    {
        return "has no code 4yz or 5yz";
    }

    verdict->code = ngx_atoi(p, 3);

    if (verdict->code == 421) {
        return "can't have the code 421, which ends a connection";
    }

    text.data += ngx_min(text.len, 4);
    text.len -= ngx_min(text.len, 4);

    rv = ngx_smtp_reject_text(verdict, &text);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    dest->conf = verdict;
    dest->refuses = 1;

    return NGX_CONF_OK;
}


/* [ enhanced code ] [ text ] */

static char *
ngx_smtp_reject_text(ngx_smtp_verdict_t *verdict, ngx_str_t *text)
{
    size_t  i;

    ngx_smtp_enhanced_parse(&verdict->enhanced, verdict->code, text);

    if (verdict->enhanced.class == 0 && text->len >= 2
        && ngx_smtp_is_digit(text->data[0]) && text->data[1] == '.')
    {
        return "has an enhanced code that does not fit";
    }

    if (text->len == 0) {
        ngx_str_set(text, "Recipient refused");
    }

    if (text->len > NGX_SMTP_REJECT_TEXT_MAX) {
        return "has too long a text";
    }

    for (i = 0; i < text->len; i++) {
        if (text->data[i] < ' ' || text->data[i] >= 0x7f) {
            return "has a text that is not printable US-ASCII";
        }
    }

    verdict->text = *text;

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


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_server.h>
#include <ngx_smtp_esmtp.h>


/*
 * RCPT, RFC 5321, 4.1.1.3: "RCPT TO:" Forward-path [ SP parameters ].  Each
 * recipient goes through the RCPT phase by itself, in every transaction.
 */


#define NGX_SMTP_RCPT_PREFIX  "TO:"


static ngx_int_t ngx_smtp_rcpt_begin(ngx_smtp_session_t *s, ngx_str_t *args,
    ngx_uint_t *ahead);
static void ngx_smtp_rcpt_done(ngx_smtp_session_t *s, ngx_int_t rc);
static void ngx_smtp_rcpt_answer(ngx_smtp_session_t *s, ngx_int_t rc);


ngx_int_t
ngx_smtp_command_rcpt(ngx_smtp_session_t *s, ngx_str_t *args)
{
    ngx_int_t   rc;
    ngx_uint_t  ahead;

    if (s->tx == NULL) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_NEED_MAIL);
        return NGX_OK;
    }

    if (s->tx->chunked) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_CHUNKS_BEGUN);
        return NGX_OK;
    }

    if (ngx_smtp_rcpt_begin(s, args, &ahead) != NGX_OK) {
        return NGX_OK;
    }

    rc = ngx_smtp_phase_run(s, NGX_SMTP_PHASE_RCPT, ngx_smtp_rcpt_done);

    /* those behind it need not wait for as long */

    if (rc == NGX_AGAIN || ahead) {
        ngx_smtp_ahead(s);
    }

    if (rc == NGX_AGAIN) {
        return NGX_DONE;
    }

    ngx_smtp_rcpt_answer(s, rc);

    return NGX_OK;
}


/* sets tx->rcpt, with its parameters; ahead: it was read before */

static ngx_int_t
ngx_smtp_rcpt_begin(ngx_smtp_session_t *s, ngx_str_t *args, ngx_uint_t *ahead)
{
    u_char           *p;
    ngx_uint_t        max, wrong;
    ngx_smtp_tx_t    *tx;
    ngx_smtp_path_t   path;

    tx = s->tx;

    wrong = ngx_smtp_rcpt_path(s, args, &p, &path);

    if (wrong == NGX_SMTP_REPLY_BAD_ARGUMENT) {
        (void) ngx_smtp_command_syntax(s, "RCPT TO:<address> [parameters]");
        return NGX_DECLINED;
    }

    if (wrong) {
        ngx_smtp_reply(s, wrong);
        return NGX_DECLINED;
    }

    /*
     * RFC 5321, 4.5.3.1.10.  The refused ones are bounded as well: each has
     * taken memory.
     */

    max = ngx_smtp_rights_max_rcpt(s);

    if (tx->nrcpts >= max || tx->nrefused >= s->service->max_recipients) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_TOO_MANY_RCPT);
        return NGX_DECLINED;
    }

    tx->rcpt = ngx_smtp_ahead_take(tx, &path.addr);
    *ahead = (tx->rcpt != NULL);

    if (tx->rcpt) {
        return NGX_OK;
    }

    tx->rcpt = ngx_smtp_tx_rcpt(tx, &path);

    if (tx->rcpt == NULL) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_INTERNAL);
        return NGX_DECLINED;
    }

    if (ngx_smtp_esmtp_parse(s, tx, 1, p, args->data + args->len) != NGX_OK) {
        tx->nrefused++;
        tx->rcpt = NULL;
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_uint_t
ngx_smtp_rcpt_path(ngx_smtp_session_t *s, ngx_str_t *args, u_char **p,
    ngx_smtp_path_t *path)
{
    u_char  *last;

    *p = args->data;
    last = *p + args->len;

    if (args->len < sizeof(NGX_SMTP_RCPT_PREFIX) - 1
        || ngx_strncasecmp(*p, (u_char *) NGX_SMTP_RCPT_PREFIX,
                           sizeof(NGX_SMTP_RCPT_PREFIX) - 1)
           != 0)
    {
        return NGX_SMTP_REPLY_BAD_ARGUMENT;
    }

    *p += sizeof(NGX_SMTP_RCPT_PREFIX) - 1;

    while (*p < last && **p == ' ') { (*p)++; }

    if (ngx_smtp_path_parse(path, p, last,
                            NGX_SMTP_PATH_FORWARD|NGX_SMTP_PATH_UTF8)
        != NGX_OK)
    {
        return NGX_SMTP_REPLY_BAD_RECIPIENT;
    }

    return (path->utf8 && !s->tx->utf8) ? NGX_SMTP_REPLY_RECIPIENT_NEEDS_UTF8
                                        : 0;
}


static void
ngx_smtp_rcpt_done(ngx_smtp_session_t *s, ngx_int_t rc)
{
    ngx_smtp_rcpt_answer(s, rc);

    ngx_smtp_session_resume(s);
}


static void
ngx_smtp_rcpt_answer(ngx_smtp_session_t *s, ngx_int_t rc)
{
    ngx_uint_t        max;
    ngx_smtp_tx_t    *tx;
    ngx_smtp_rcpt_t  *rcpt;

    tx = s->tx;
    rcpt = tx->rcpt;
    tx->rcpt = NULL;

    if (rcpt->ahead) {

        /* somebody else has decided before */

        ngx_smtp_op_cancel(rcpt->ahead);
        rcpt->ahead = NULL;
    }

    if (rc == NGX_ERROR || (rc == NGX_DONE && rcpt->verdict.code == 0)) {
        ngx_smtp_verdict_set(&rcpt->verdict, NGX_SMTP_REPLY_LOCAL_ERROR);

    } else if (rcpt->dest == NULL && rcpt->verdict.code == 0) {
        /* promise: with no rule that says otherwise, nobody */
        ngx_smtp_verdict_set(&rcpt->verdict, NGX_SMTP_REPLY_RELAY_DENIED);

    } else if (rcpt->verdict.code == 0) {
        ngx_smtp_verdict_set(&rcpt->verdict, NGX_SMTP_REPLY_RECIPIENT_OK);
    }

    if (rcpt->verdict.code < 300 && rcpt->dest) {

        if (ngx_smtp_tx_rcpt_add(tx, rcpt) == NGX_OK) {
            ngx_smtp_reply_verdict(s, &rcpt->verdict);
            return;
        }

        ngx_smtp_verdict_set(&rcpt->verdict, NGX_SMTP_REPLY_LOCAL_ERROR);
    }

    tx->nrefused++;
    ngx_smtp_reply_verdict(s, &rcpt->verdict);

    max = s->service->strict.max_refused;

    if (++s->nrefused >= max && max) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_TOO_MANY_REFUSED);
    }
}

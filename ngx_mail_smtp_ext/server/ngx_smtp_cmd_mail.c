
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_server.h>
#include <ngx_smtp_esmtp.h>


/*
 * MAIL, RFC 5321, 4.1.1.2: "MAIL FROM:" Reverse-path [ SP parameters ].
 */


#define NGX_SMTP_MAIL_PREFIX  "FROM:"


static void ngx_smtp_mail_done(ngx_smtp_session_t *s, ngx_int_t rc);
static void ngx_smtp_mail_answer(ngx_smtp_session_t *s, ngx_int_t rc);
static void ngx_smtp_mail_refused(ngx_smtp_tx_t *tx);


ngx_int_t
ngx_smtp_command_mail(ngx_smtp_session_t *s, ngx_str_t *args)
{
    u_char           *p, *last;
    ngx_int_t         rc;
    ngx_uint_t        max;
    ngx_smtp_tx_t    *tx;
    ngx_smtp_path_t   path;

    if (s->tx) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_NESTED_MAIL);
        return NGX_OK;
    }

    max = s->service->strict.max_messages;

    if (max && s->transactions >= max) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_TOO_MANY_MESSAGES);
        return NGX_OK;
    }

    p = args->data;
    last = p + args->len;

    if (args->len < sizeof(NGX_SMTP_MAIL_PREFIX) - 1
        || ngx_strncasecmp(p, (u_char *) NGX_SMTP_MAIL_PREFIX,
                           sizeof(NGX_SMTP_MAIL_PREFIX) - 1)
           != 0)
    {
        return ngx_smtp_command_syntax(s, "MAIL FROM:<address> [parameters]");
    }

    p += sizeof(NGX_SMTP_MAIL_PREFIX) - 1;

    /* not in the grammar, but in wide use */

    while (p < last && *p == ' ') { p++; }

    if (ngx_smtp_path_parse(&path, &p, last,
                            NGX_SMTP_PATH_REVERSE|NGX_SMTP_PATH_UTF8)
        != NGX_OK)
    {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_BAD_SENDER);
        return NGX_OK;
    }

    tx = ngx_smtp_tx_create(s);

    if (tx == NULL
        || ngx_smtp_tx_copy(tx, &tx->mail_from, &path.addr) != NGX_OK)
    {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_INTERNAL);
        return NGX_OK;
    }

    rc = ngx_smtp_esmtp_parse(s, tx, 0, p, last);

    if (rc == NGX_OK && path.utf8 && !tx->utf8) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_SENDER_NEEDS_UTF8);
        rc = NGX_DONE;
    }

    if (rc != NGX_OK) {
        ngx_smtp_mail_refused(tx);
        return NGX_OK;
    }

    rc = ngx_smtp_phase_run(s, NGX_SMTP_PHASE_MAIL, ngx_smtp_mail_done);

    if (rc == NGX_AGAIN) {
        return NGX_DONE;
    }

    ngx_smtp_mail_answer(s, rc);

    return NGX_OK;
}


static void
ngx_smtp_mail_done(ngx_smtp_session_t *s, ngx_int_t rc)
{
    ngx_smtp_mail_answer(s, rc);

    ngx_smtp_session_resume(s);
}


static void
ngx_smtp_mail_answer(ngx_smtp_session_t *s, ngx_int_t rc)
{
    ngx_smtp_tx_t  *tx;

    tx = s->tx;

    if (rc == NGX_OK) {
        ngx_smtp_reply(s, tx->mail_reply ? tx->mail_reply
                                         : NGX_SMTP_REPLY_SENDER_OK);
        return;
    }

    if (rc == NGX_ERROR || tx->verdict.code < 300) {
        ngx_smtp_verdict_set(&tx->verdict, NGX_SMTP_REPLY_LOCAL_ERROR);
    }

    ngx_smtp_reply_verdict(s, &tx->verdict);
    ngx_smtp_mail_refused(tx);
}


static void
ngx_smtp_mail_refused(ngx_smtp_tx_t *tx)
{
    tx->result = NGX_SMTP_TX_REFUSED;
    ngx_smtp_tx_finish(tx);
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_submit.h>


/*
 * The envelope of a submission: whole domains, RFC 6409, 4.2, and a sender
 * that is the user's, 6.1.  The null reverse-path is everybody's, 3.2.
 */


ngx_int_t
ngx_smtp_submit_mail_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    ngx_smtp_path_t          path;
    ngx_smtp_submit_conf_t  *conf;

    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_submit_module);

    /*
     * RFC 4954, 5: a user is believed about nobody else.  "<>" is not known to
     * be anybody's.
     */

    if (tx->auth.len
        && ngx_smtp_mailbox_parse(&path, &tx->auth, 0) == NGX_OK
        && !ngx_smtp_submit_fits(s, &path))
    {
        ngx_str_set(&tx->auth, "<>");
    }

    if (tx->mail_from.len == 0) {
        return NGX_DECLINED;
    }

    if (ngx_smtp_mailbox_parse(&path, &tx->mail_from, NGX_SMTP_PATH_UTF8)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->qualified && !ngx_smtp_submit_qualified(&path.domain)) {
        ngx_smtp_verdict_set(&tx->verdict, NGX_SMTP_REPLY_SENDER_UNQUALIFIED);
        return NGX_DONE;
    }

    if (!ngx_smtp_submit_fits(s, &path)) {
        ngx_smtp_verdict_set(&tx->verdict, NGX_SMTP_REPLY_SENDER_DENIED);
        return NGX_DONE;
    }

    return NGX_DECLINED;
}


/* behind the routes: smtp_rewrite is the way to make a domain whole */

ngx_int_t
ngx_smtp_submit_rcpt_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    ngx_str_t                domain;
    ngx_smtp_rcpt_t         *rcpt;
    ngx_smtp_path_t          path;
    ngx_smtp_submit_conf_t  *conf;

    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_submit_module);

    if (!conf->qualified) {
        return NGX_DECLINED;
    }

    rcpt = tx->rcpt;
    domain = rcpt->domain;

    if (rcpt->addr.data != rcpt->given.data) {

        if (ngx_smtp_mailbox_parse(&path, &rcpt->addr, NGX_SMTP_PATH_UTF8)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        domain = path.domain;
    }

    if (!ngx_smtp_submit_qualified(&domain)) {
        ngx_smtp_verdict_set(&rcpt->verdict,
                             NGX_SMTP_REPLY_RECIPIENT_UNQUALIFIED);
        return NGX_DONE;
    }

    return NGX_DECLINED;
}


ngx_uint_t
ngx_smtp_submit_qualified(ngx_str_t *domain)
{
    return domain->len == 0
           || domain->data[0] == '['
           || memchr(domain->data, '.', domain->len) != NULL;
}

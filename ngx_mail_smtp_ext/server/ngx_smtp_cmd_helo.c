
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_server.h>
#include <ngx_smtp_esmtp.h>


/*
 * EHLO and HELO, RFC 5321, 4.1.1.1.  Either clears the transaction, as RSET
 * does (4.1.4).
 */


static ngx_int_t ngx_smtp_command_greeted(ngx_smtp_session_t *s,
    ngx_str_t *args);


ngx_int_t
ngx_smtp_command_ehlo(ngx_smtp_session_t *s, ngx_str_t *args)
{
    if (ngx_smtp_command_greeted(s, args) != NGX_OK) {
        return ngx_smtp_command_syntax(s, "EHLO domain");
    }

    s->esmtp = 1;

    ngx_smtp_esmtp_reply(s);

    return NGX_OK;
}


ngx_int_t
ngx_smtp_command_helo(ngx_smtp_session_t *s, ngx_str_t *args)
{
    if (ngx_smtp_command_greeted(s, args) != NGX_OK) {
        return ngx_smtp_command_syntax(s, "HELO domain");
    }

    s->esmtp = 0;

    ngx_smtp_reply_arg(s, NGX_SMTP_REPLY_HELO, &s->service->server_name);

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_command_greeted(ngx_smtp_session_t *s, ngx_str_t *args)
{
    if (ngx_smtp_helo_valid(args->data, args->data + args->len) != NGX_OK
        || ngx_smtp_session_set(&s->helo, args) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (s->tx) {
        ngx_smtp_tx_finish(s->tx);
    }

    return NGX_OK;
}

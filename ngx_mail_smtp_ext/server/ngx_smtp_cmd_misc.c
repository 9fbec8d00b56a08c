
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_server.h>


/*
 * RSET, NOOP, VRFY, EXPN, HELP, QUIT (RFC 5321, 4.1.1.5 to 4.1.1.10) and
 * STARTTLS (RFC 3207).
 */


static ngx_int_t ngx_smtp_starttls_input(ngx_smtp_session_t *s);


/* "EHLO HELO ...", filled at the first HELP */
static u_char     ngx_smtp_help_buf[128];
static ngx_str_t  ngx_smtp_help_text;


ngx_int_t
ngx_smtp_command_rset(ngx_smtp_session_t *s, ngx_str_t *args)
{
    if (s->tx) {
        ngx_smtp_tx_finish(s->tx);
    }

    ngx_smtp_reply(s, NGX_SMTP_REPLY_OK);

    return NGX_OK;
}


ngx_int_t
ngx_smtp_command_noop(ngx_smtp_session_t *s, ngx_str_t *args)
{
    ngx_smtp_reply(s, NGX_SMTP_REPLY_OK);

    return NGX_OK;
}


ngx_int_t
ngx_smtp_command_vrfy(ngx_smtp_session_t *s, ngx_str_t *args)
{
    if (args->len == 0) {
        return ngx_smtp_command_syntax(s, "VRFY address");
    }

    /* RFC 5321, 7.3: who exists is not told to everyone */

    ngx_smtp_reply(s, NGX_SMTP_REPLY_CANNOT_VRFY);

    return NGX_OK;
}


ngx_int_t
ngx_smtp_command_expn(ngx_smtp_session_t *s, ngx_str_t *args)
{
    ngx_smtp_reply(s, NGX_SMTP_REPLY_NOT_IMPLEMENTED);

    return NGX_OK;
}


ngx_int_t
ngx_smtp_command_help(ngx_smtp_session_t *s, ngx_str_t *args)
{
    u_char                    *p, *last;
    const ngx_smtp_command_t  *cmd;

    if (ngx_smtp_help_text.len == 0) {

        p = ngx_smtp_help_buf;
        last = p + sizeof(ngx_smtp_help_buf);

        for (cmd = ngx_smtp_command_table; cmd->start; cmd++) {
            p = ngx_slprintf(p, last, "%V ", &cmd->name);
        }

        ngx_smtp_help_text.data = ngx_smtp_help_buf;
        ngx_smtp_help_text.len = p - ngx_smtp_help_buf - 1;
    }

    ngx_smtp_reply_arg(s, NGX_SMTP_REPLY_HELP, &ngx_smtp_help_text);

    return NGX_OK;
}


ngx_int_t
ngx_smtp_command_quit(ngx_smtp_session_t *s, ngx_str_t *args)
{
    ngx_smtp_reply(s, NGX_SMTP_REPLY_BYE);

    return NGX_OK;
}


ngx_int_t
ngx_smtp_command_starttls(ngx_smtp_session_t *s, ngx_str_t *args)
{
    if (s->service->starttls == NGX_SMTP_STARTTLS_OFF && !s->tls) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_NOT_IMPLEMENTED);
        return NGX_OK;
    }

    if (s->tls) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_TLS_ACTIVE);
        return NGX_OK;
    }

    ngx_smtp_reply(s, NGX_SMTP_REPLY_STARTTLS);

    s->input = ngx_smtp_starttls_input;

    return NGX_OK;
}


/* the reply goes out in the clear, before the handshake begins */

static ngx_int_t
ngx_smtp_starttls_input(ngx_smtp_session_t *s)
{
    ngx_int_t  rc;

    rc = ngx_smtp_reply_flush(s);

    if (rc == NGX_AGAIN) {
        return NGX_SMTP_INPUT_WRITE;
    }

    if (rc == NGX_ERROR) {
        ngx_smtp_session_close(s);
        return NGX_SMTP_INPUT_GONE;
    }

    ngx_smtp_accept_starttls(s);

    return NGX_SMTP_INPUT_GONE;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_server.h>
#include <ngx_smtp_esmtp.h>


/*
 * RSET, NOOP, HELP, QUIT (RFC 5321, 4.1.1.5 to 4.1.1.10) and STARTTLS (RFC
 * 3207).
 */


static ngx_int_t ngx_smtp_starttls_input(ngx_smtp_session_t *s);


/* "EHLO HELO ..." */
#define NGX_SMTP_HELP_MAX  128


ngx_int_t
ngx_smtp_command_rset(ngx_smtp_session_t *s, ngx_str_t *args)
{
    if (s->tx) {
        ngx_smtp_tx_finish(s->tx);
    }

    ngx_smtp_remote_forward_free(s);

    ngx_smtp_reply(s, NGX_SMTP_REPLY_OK);

    return NGX_OK;
}


ngx_int_t
ngx_smtp_command_noop(ngx_smtp_session_t *s, ngx_str_t *args)
{
    ngx_smtp_reply(s, NGX_SMTP_REPLY_OK);

    return NGX_OK;
}


/* RFC 5321, 4.1.1.8: the commands, or the syntax of the one that is named */

ngx_int_t
ngx_smtp_command_help(ngx_smtp_session_t *s, ngx_str_t *args)
{
    u_char                    *p, *last;
    ngx_str_t                  text;
    const ngx_smtp_command_t  *cmd;
    u_char                     buf[NGX_SMTP_HELP_MAX];

    p = buf;
    last = buf + sizeof(buf);

    for (cmd = ngx_smtp_command_table; cmd->start; cmd++) {

        if ((cmd->flags & NGX_SMTP_CMD_HIDDEN)
            || !ngx_smtp_command_present(s, cmd)
            || !ngx_smtp_esmtp_command(s, &cmd->name,
                                       cmd->flags & NGX_SMTP_CMD_OFFERED))
        {
            continue;
        }

        if (args->len == 0) {
            p = ngx_slprintf(p, last, "%V ", &cmd->name);
            continue;
        }

        if (args->len == cmd->name.len
            && ngx_strncasecmp(args->data, cmd->name.data, args->len) == 0)
        {
            text.data = (u_char *) cmd->syntax;
            text.len = ngx_strlen(cmd->syntax);

            ngx_smtp_reply_arg(s, NGX_SMTP_REPLY_HELP_SYNTAX, &text);

            return NGX_OK;
        }
    }

    if (args->len) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_HELP_UNKNOWN);
        return NGX_OK;
    }

    text.data = buf;
    text.len = p - buf - 1;

    ngx_smtp_reply_arg(s, NGX_SMTP_REPLY_HELP, &text);

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


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_server.h>
#include <ngx_smtp_esmtp.h>


/*
 * VRFY and EXPN, RFC 5321, 3.5 and 4.1.1.6, 4.1.1.7; ETRN, RFC 1985.  Who
 * exists is not told to everyone (RFC 5321, 7.3); there are no lists here, and
 * no queue that could be started.
 */


#define NGX_SMTP_VRFY_UTF8  " SMTPUTF8"


static ngx_int_t ngx_smtp_vrfy_valid(ngx_smtp_session_t *s, ngx_str_t *args);


ngx_int_t
ngx_smtp_command_vrfy(ngx_smtp_session_t *s, ngx_str_t *args)
{
    if (s->service->vrfy == NGX_SMTP_VRFY_OFF) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_NOT_IMPLEMENTED);
        return NGX_OK;
    }

    if (ngx_smtp_vrfy_valid(s, args) != NGX_OK) {
        return ngx_smtp_command_syntax(s, "VRFY address");
    }

    ngx_smtp_reply(s, NGX_SMTP_REPLY_CANNOT_VRFY);

    return NGX_OK;
}


/*
 * A user's name or a mailbox, in brackets or not: RFC 5321, 3.5.1 and 4.1.1.6.
 * RFC 6531, 3.7.4.2: with SMTPUTF8, UTF-8 in it needs no parameter; there may
 * be one, that says that the reply may have some, which it has not.
 */

static ngx_int_t
ngx_smtp_vrfy_valid(ngx_smtp_session_t *s, ngx_str_t *args)
{
    u_char           *p, *last;
    ngx_str_t         text;
    ngx_uint_t        flags;
    ngx_smtp_path_t   path;

    text = *args;
    flags = 0;

    if (s->esmtp && ngx_smtp_esmtp_offers(s, NGX_SMTP_EXT_SMTPUTF8)) {

        flags = NGX_SMTP_PATH_UTF8;

        if (text.len > sizeof(NGX_SMTP_VRFY_UTF8) - 1) {
            p = text.data + text.len - (sizeof(NGX_SMTP_VRFY_UTF8) - 1);

            if (ngx_strncasecmp(p, (u_char *) NGX_SMTP_VRFY_UTF8,
                                sizeof(NGX_SMTP_VRFY_UTF8) - 1)
                == 0)
            {
                text.len = p - text.data;
            }
        }
    }

    if (text.len == 0) {
        return NGX_ERROR;
    }

    p = text.data;
    last = p + text.len;

    if (*p == '<') {
        if (ngx_smtp_path_parse(&path, &p, last, NGX_SMTP_PATH_FORWARD|flags)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        return (p == last) ? NGX_OK : NGX_ERROR;
    }

    if (ngx_smtp_mailbox_parse(&path, &text, flags) == NGX_OK) {
        return NGX_OK;
    }

    if (*p == '"') {
        p = flags ? ngx_smtp_quoted_string_utf8_parse(p, last)
                  : ngx_smtp_quoted_string_parse(p, last);

    } else {
        p = flags ? ngx_smtp_dot_string_utf8_parse(p, last)
                  : ngx_smtp_dot_string_parse(p, last);
    }

    return (p == last) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_smtp_command_expn(ngx_smtp_session_t *s, ngx_str_t *args)
{
    ngx_smtp_reply(s, NGX_SMTP_REPLY_NOT_IMPLEMENTED);

    return NGX_OK;
}


ngx_int_t
ngx_smtp_command_etrn(ngx_smtp_session_t *s, ngx_str_t *args)
{
    ngx_smtp_reply(s, NGX_SMTP_REPLY_NOT_IMPLEMENTED);

    return NGX_OK;
}

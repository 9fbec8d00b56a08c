
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_server.h>
#include <ngx_smtp_esmtp.h>


/*
 * EHLO and HELO, RFC 5321, 4.1.1.1; LHLO, RFC 2033, 4.1.  Each clears the
 * transaction, as RSET does (4.1.4).
 */


static ngx_int_t ngx_smtp_command_extended(ngx_smtp_session_t *s,
    ngx_str_t *args, char *syntax);
static ngx_int_t ngx_smtp_command_greeted(ngx_smtp_session_t *s,
    ngx_str_t *args, ngx_uint_t utf8);
static ngx_int_t ngx_smtp_command_name(ngx_smtp_session_t *s,
    ngx_str_t *args, ngx_uint_t utf8);
static ngx_int_t ngx_smtp_helo_run(ngx_smtp_session_t *s);
static void ngx_smtp_helo_done(ngx_smtp_session_t *s, ngx_int_t rc);
static void ngx_smtp_helo_answer(ngx_smtp_session_t *s, ngx_int_t rc);


ngx_int_t
ngx_smtp_command_ehlo(ngx_smtp_session_t *s, ngx_str_t *args)
{
    return ngx_smtp_command_extended(s, args, "EHLO domain");
}


ngx_int_t
ngx_smtp_command_lhlo(ngx_smtp_session_t *s, ngx_str_t *args)
{
    return ngx_smtp_command_extended(s, args, "LHLO domain");
}


static ngx_int_t
ngx_smtp_command_extended(ngx_smtp_session_t *s, ngx_str_t *args,
    char *syntax)
{
    ngx_uint_t  utf8;

    /* RFC 6531, 3.3, though 3.7.1 tells clients not to */

    utf8 = ngx_smtp_esmtp_offers(s, NGX_SMTP_EXT_SMTPUTF8);

    if (ngx_smtp_command_greeted(s, args, utf8) != NGX_OK) {
        return ngx_smtp_command_syntax(s, syntax);
    }

    s->esmtp = 1;

    return ngx_smtp_helo_run(s);
}


ngx_int_t
ngx_smtp_command_helo(ngx_smtp_session_t *s, ngx_str_t *args)
{
    if (ngx_smtp_command_greeted(s, args, 0) != NGX_OK) {
        return ngx_smtp_command_syntax(s, "HELO domain");
    }

    s->esmtp = 0;

    return ngx_smtp_helo_run(s);
}


static ngx_int_t
ngx_smtp_command_greeted(ngx_smtp_session_t *s, ngx_str_t *args,
    ngx_uint_t utf8)
{
    if (ngx_smtp_command_name(s, args, utf8) != NGX_OK
        || ngx_smtp_session_set(&s->helo, args) != NGX_OK) {
        return NGX_ERROR;
    }

    if (s->tx) {
        ngx_smtp_tx_finish(s->tx);
    }

    ngx_smtp_remote_forward_free(s);

    return NGX_OK;
}


/* smtp_helo_syntax; what passes as any is "unknown" in Received */

static ngx_int_t
ngx_smtp_command_name(ngx_smtp_session_t *s, ngx_str_t *args,
    ngx_uint_t utf8)
{
    u_char     *p, *last;
    ngx_int_t   rc;

    p = args->data;
    last = p + args->len;

    if (s->service->strict.helo_syntax == NGX_SMTP_HELO_STRICT) {
        return ngx_smtp_helo_strict_valid(p, last, utf8);
    }

    rc = utf8 ? ngx_smtp_helo_utf8_valid(p, last)
              : ngx_smtp_helo_valid(p, last);

    if (rc != NGX_OK
        && s->service->strict.helo_syntax == NGX_SMTP_HELO_ANY)
    {
        return ngx_smtp_helo_any_valid(p, last);
    }

    return rc;
}


static ngx_int_t
ngx_smtp_helo_run(ngx_smtp_session_t *s)
{
    ngx_int_t  rc;

    rc = ngx_smtp_phase_run(s, NGX_SMTP_PHASE_EHLO, ngx_smtp_helo_done);

    if (rc == NGX_AGAIN) {
        return NGX_DONE;
    }

    ngx_smtp_helo_answer(s, rc);

    return NGX_OK;
}


static void
ngx_smtp_helo_done(ngx_smtp_session_t *s, ngx_int_t rc)
{
    ngx_smtp_helo_answer(s, rc);

    ngx_smtp_session_resume(s);
}


static void
ngx_smtp_helo_answer(ngx_smtp_session_t *s, ngx_int_t rc)
{
    if (rc == NGX_OK) {

        if (s->esmtp) {
            ngx_smtp_esmtp_reply(s);

        } else {
            ngx_smtp_reply_arg(s, NGX_SMTP_REPLY_HELO, &s->server_name);
        }

        return;
    }

    if (rc == NGX_ERROR) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_INTERNAL);
    }

    /* what was refused has not been said */

    (void) ngx_smtp_session_set(&s->helo, NULL);
    s->esmtp = 0;
}

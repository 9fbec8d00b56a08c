
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_server.h>
#include <ngx_smtp_esmtp.h>


/*
 * VRFY and EXPN, RFC 5321, 3.5 and 4.1.1.6, 4.1.1.7; ETRN, RFC 1985.  Nothing
 * is known here: the next hop is asked, for those for whom it is to be, in the
 * QUERY phase.  Others are told 252, RFC 5321, 7.3, or 459.
 */


#define NGX_SMTP_VRFY_UTF8  " SMTPUTF8"


static ngx_int_t ngx_smtp_vrfy_start(ngx_smtp_session_t *s, ngx_str_t *args,
    ngx_smtp_query_e verb);
static ngx_int_t ngx_smtp_vrfy_parse(ngx_smtp_session_t *s, ngx_str_t *args,
    ngx_smtp_path_t *path, ngx_uint_t *utf8);
static ngx_int_t ngx_smtp_vrfy_name(ngx_str_t *text, ngx_uint_t flags,
    ngx_smtp_path_t *path);
static ngx_int_t ngx_smtp_query_run(ngx_smtp_session_t *s);
static void ngx_smtp_query_done(ngx_smtp_session_t *s, ngx_int_t rc);
static void ngx_smtp_query_answer(ngx_smtp_session_t *s, ngx_int_t rc);
static void ngx_smtp_query_unanswered(ngx_smtp_session_t *s,
    ngx_smtp_query_e verb, ngx_smtp_query_t *query, ngx_str_t *given);


ngx_int_t
ngx_smtp_command_vrfy(ngx_smtp_session_t *s, ngx_str_t *args)
{
    return ngx_smtp_vrfy_start(s, args, NGX_SMTP_QUERY_VRFY);
}


ngx_int_t
ngx_smtp_command_expn(ngx_smtp_session_t *s, ngx_str_t *args)
{
    return ngx_smtp_vrfy_start(s, args, NGX_SMTP_QUERY_EXPN);
}


static ngx_int_t
ngx_smtp_vrfy_start(ngx_smtp_session_t *s, ngx_str_t *args,
    ngx_smtp_query_e verb)
{
    ngx_uint_t         utf8;
    ngx_smtp_path_t    path;
    ngx_smtp_query_t  *query;

    if (ngx_smtp_vrfy_parse(s, args, &path, &utf8) != NGX_OK) {
        return ngx_smtp_command_syntax(s, verb == NGX_SMTP_QUERY_VRFY
                                          ? "VRFY address" : "EXPN list");
    }

    if (!ngx_smtp_query_allowed(s, verb)) {
        ngx_smtp_query_unanswered(s, verb, NULL, args);
        return NGX_OK;
    }

    query = ngx_smtp_query_create(s, verb, &path.addr);
    if (query == NULL) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_LOCAL_ERROR);
        return NGX_OK;
    }

    query->utf8 = utf8;

    query->rcpt.local = query->rcpt.given;
    query->rcpt.local.len = path.local.len;

    if (path.domain.len) {
        query->rcpt.domain.len = path.domain.len;
        query->rcpt.domain.data = query->rcpt.given.data
                                  + (path.domain.data - path.addr.data);
    }

    return ngx_smtp_query_run(s);
}


/*
 * A user's name or a mailbox, in brackets or not: RFC 5321, 3.5.1 and 4.1.1.6.
 * RFC 6531, 3.7.4.2: with SMTPUTF8, UTF-8 in it needs no parameter; there may
 * be one, that says that the reply may have some.
 */

static ngx_int_t
ngx_smtp_vrfy_parse(ngx_smtp_session_t *s, ngx_str_t *args,
    ngx_smtp_path_t *path, ngx_uint_t *utf8)
{
    u_char      *p, *last;
    ngx_str_t    text;
    ngx_uint_t   flags;

    text = *args;
    flags = 0;
    *utf8 = 0;

    if (s->esmtp && ngx_smtp_esmtp_offers(s, NGX_SMTP_EXT_SMTPUTF8)) {

        flags = NGX_SMTP_PATH_UTF8;

        if (text.len > sizeof(NGX_SMTP_VRFY_UTF8) - 1) {
            p = text.data + text.len - (sizeof(NGX_SMTP_VRFY_UTF8) - 1);

            if (ngx_strncasecmp(p, (u_char *) NGX_SMTP_VRFY_UTF8,
                                sizeof(NGX_SMTP_VRFY_UTF8) - 1)
                == 0)
            {
                text.len = p - text.data;
                *utf8 = 1;
            }
        }
    }

    if (text.len == 0) {
        return NGX_ERROR;
    }

    p = text.data;
    last = p + text.len;

    if (*p == '<') {
        if (ngx_smtp_path_parse(path, &p, last, NGX_SMTP_PATH_FORWARD|flags)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        return (p == last) ? NGX_OK : NGX_ERROR;
    }

    if (ngx_smtp_mailbox_parse(path, &text, flags) == NGX_OK) {
        return NGX_OK;
    }

    return ngx_smtp_vrfy_name(&text, flags, path);
}


static ngx_int_t
ngx_smtp_vrfy_name(ngx_str_t *text, ngx_uint_t flags, ngx_smtp_path_t *path)
{
    u_char  *p, *last;

    p = text->data;
    last = p + text->len;

    if (*p == '"') {
        p = flags ? ngx_smtp_quoted_string_utf8_parse(p, last)
                  : ngx_smtp_quoted_string_parse(p, last);

    } else {
        p = flags ? ngx_smtp_dot_string_utf8_parse(p, last)
                  : ngx_smtp_dot_string_parse(p, last);
    }

    if (p != last) {
        return NGX_ERROR;
    }

    ngx_memzero(path, sizeof(ngx_smtp_path_t));

    path->addr = *text;
    path->local = *text;

    return NGX_OK;
}


/*
 * RFC 1985, 5 and 5.3: a name with dots, or "@" and one.  Queues ("#") have
 * names that only their server knows, and no rule here could say who may
 * start which.
 */

ngx_int_t
ngx_smtp_command_etrn(ngx_smtp_session_t *s, ngx_str_t *args)
{
    u_char            *p, *last;
    ngx_str_t          domain;
    ngx_smtp_query_t  *query;

    p = args->data;
    last = p + args->len;

    if (p < last && *p == '@') {
        p++;
    }

    if (p == last || ngx_smtp_domain_parse(p, last) != last
        || ngx_strlchr(p, last, '.') == NULL)
    {
        return ngx_smtp_command_syntax(s, "ETRN [@]domain");
    }

    if (!ngx_smtp_query_allowed(s, NGX_SMTP_QUERY_ETRN)) {
        ngx_smtp_query_unanswered(s, NGX_SMTP_QUERY_ETRN, NULL, args);
        return NGX_OK;
    }

    query = ngx_smtp_query_create(s, NGX_SMTP_QUERY_ETRN, args);
    if (query == NULL) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_LOCAL_ERROR);
        return NGX_OK;
    }

    query->below = (p != args->data);

    domain = query->rcpt.given;
    domain.data += query->below;
    domain.len -= query->below;

    query->rcpt.domain = domain;

    return ngx_smtp_query_run(s);
}


static ngx_int_t
ngx_smtp_query_run(ngx_smtp_session_t *s)
{
    ngx_int_t  rc;

    rc = ngx_smtp_phase_run(s, NGX_SMTP_PHASE_QUERY, ngx_smtp_query_done);

    if (rc == NGX_AGAIN) {
        return NGX_DONE;
    }

    ngx_smtp_query_answer(s, rc);

    return NGX_OK;
}


static void
ngx_smtp_query_done(ngx_smtp_session_t *s, ngx_int_t rc)
{
    ngx_smtp_query_answer(s, rc);

    ngx_smtp_session_resume(s);
}


static void
ngx_smtp_query_answer(ngx_smtp_session_t *s, ngx_int_t rc)
{
    ngx_smtp_query_t  *query;

    query = s->query;

    if (rc == NGX_ERROR) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_LOCAL_ERROR);

    } else if (query->verdict.code == 0) {
        ngx_smtp_query_unanswered(s, query->verb, query, &query->rcpt.given);

    } else if (query->utf8) {
        ngx_smtp_reply_verdict_utf8(s, &query->verdict);

    } else {
        ngx_smtp_reply_verdict(s, &query->verdict);
    }

    ngx_smtp_query_free(s);
}


/*
 * RFC 5321, 3.5.3: what can't be verified now has 252, which says no more than
 * that.
 */

static void
ngx_smtp_query_unanswered(ngx_smtp_session_t *s, ngx_smtp_query_e verb,
    ngx_smtp_query_t *query, ngx_str_t *given)
{
    switch (verb) {

    case NGX_SMTP_QUERY_VRFY:
        ngx_smtp_reply(s, NGX_SMTP_REPLY_CANNOT_VRFY);
        return;

    case NGX_SMTP_QUERY_EXPN:
        ngx_smtp_reply(s, NGX_SMTP_REPLY_CANNOT_EXPN);
        return;

    default: /* NGX_SMTP_QUERY_ETRN */
        ngx_smtp_reply_arg(s, query && query->rcpt.dest
                              ? NGX_SMTP_REPLY_CANNOT_ETRN
                              : NGX_SMTP_REPLY_ETRN_DENIED, given);
        return;
    }
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * What all extensions have in common: the reply to EHLO (RFC 5321, 4.1.1.1),
 * the look-up of parameters, and the same from the relay's side.
 */


/* parameters of one command; there are fewer in the table */
#define NGX_SMTP_ESMTP_PARAMS_MAX  8

/* the keywords of all extensions with their parameters and line ends */
#define NGX_SMTP_ESMTP_EHLO_MAX  2048


static const ngx_smtp_esmtp_param_t *ngx_smtp_esmtp_find(
    ngx_smtp_session_t *s, ngx_uint_t rcpt, ngx_str_t *name);
static ngx_uint_t ngx_smtp_esmtp_offered(ngx_smtp_session_t *s,
    const ngx_smtp_esmtp_t *ext);


void
ngx_smtp_esmtp_reply(ngx_smtp_session_t *s)
{
    u_char                         *p, *end, *mark;
    ngx_str_t                       lines;
    const ngx_smtp_esmtp_t *const  *ext;
    u_char                          buf[NGX_SMTP_ESMTP_EHLO_MAX];

    end = buf + sizeof(buf);

    p = ngx_slprintf(buf, end, "%V", &s->service->server_name);

    for (ext = ngx_smtp_esmtp_table; *ext; ext++) {

        mark = p;
        p = ngx_slprintf(p, end, "\n%V", &(*ext)->keyword);

        if ((*ext)->advertise && (*ext)->advertise(s, &p, end) != NGX_OK) {
            p = mark;
        }
    }

    lines.data = buf;
    lines.len = p - buf;

    ngx_smtp_reply_ehlo(s, &lines);
}


ngx_int_t
ngx_smtp_esmtp_parse(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_uint_t rcpt, u_char *p, u_char *last)
{
    ngx_int_t                      rc;
    ngx_str_t                      seen[NGX_SMTP_ESMTP_PARAMS_MAX];
    ngx_uint_t                     i, n;
    ngx_smtp_param_t               param;
    const ngx_smtp_esmtp_param_t  *row;

    n = 0;

    for ( ;; ) {
        rc = ngx_smtp_param_next(&param, &p, last);

        if (rc == NGX_DONE) {
            return NGX_OK;
        }

        if (rc == NGX_ERROR) {
            ngx_str_set(&param.name, "syntax");
            ngx_smtp_reply_arg(s, NGX_SMTP_REPLY_BAD_PARAMETER, &param.name);
            return NGX_DONE;
        }

        row = ngx_smtp_esmtp_find(s, rcpt, &param.name);

        if (row == NULL) {
            ngx_smtp_reply_arg(s, NGX_SMTP_REPLY_UNKNOWN_PARAMETER,
                               &param.name);
            return NGX_DONE;
        }

        /* RFC 5321, 4.1.1.11: each at most once */

        for (i = 0; i < n; i++) {
            if (seen[i].len == param.name.len
                && ngx_strncasecmp(seen[i].data, param.name.data,
                                   param.name.len)
                   == 0)
            {
                break;
            }
        }

        if (i < n || n == NGX_SMTP_ESMTP_PARAMS_MAX) {
            rc = NGX_ERROR;

        } else {
            seen[n++] = param.name;
            rc = row->parse(s, tx, &param.value);
        }

        if (rc == NGX_ERROR) {
            ngx_smtp_reply_arg(s, NGX_SMTP_REPLY_BAD_PARAMETER, &param.name);
            return NGX_DONE;
        }

        if (rc == NGX_DONE) {
            return NGX_DONE;
        }
    }
}


static const ngx_smtp_esmtp_param_t *
ngx_smtp_esmtp_find(ngx_smtp_session_t *s, ngx_uint_t rcpt, ngx_str_t *name)
{
    const ngx_smtp_esmtp_t *const  *ext;
    const ngx_smtp_esmtp_param_t   *row;

    /* RFC 5321, 4.1.1.2: parameters belong to extensions, and so to EHLO */

    if (!s->esmtp) {
        return NULL;
    }

    for (ext = ngx_smtp_esmtp_table; *ext; ext++) {

        row = rcpt ? (*ext)->rcpt : (*ext)->mail;

        for ( /* void */ ; row && row->name; row++) {

            if (ngx_strlen(row->name) == name->len
                && ngx_strncasecmp((u_char *) row->name, name->data,
                                   name->len)
                   == 0)
            {
                return ngx_smtp_esmtp_offered(s, *ext) ? row : NULL;
            }
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_smtp_esmtp_offered(ngx_smtp_session_t *s, const ngx_smtp_esmtp_t *ext)
{
    u_char  *p, buf[NGX_SMTP_ESMTP_EHLO_MAX];

    p = buf;

    return ext->advertise == NULL
           || ext->advertise(s, &p, buf + sizeof(buf)) == NGX_OK;
}


void
ngx_smtp_esmtp_answer(ngx_smtp_caps_t *caps, ngx_str_t *line)
{
    u_char                         *p, *last;
    ngx_str_t                       args;
    const ngx_smtp_esmtp_t *const  *ext;

    last = line->data + line->len;

    for (p = line->data; p < last && *p != ' '; p++) { /* void */ }

    for (ext = ngx_smtp_esmtp_table; *ext; ext++) {

        if ((*ext)->keyword.len != (size_t) (p - line->data)
            || ngx_strncasecmp((*ext)->keyword.data, line->data,
                               p - line->data)
               != 0)
        {
            continue;
        }

        caps->extensions |= (*ext)->bit;

        while (p < last && *p == ' ') { p++; }

        args.data = p;
        args.len = last - p;

        if ((*ext)->answer) {
            (*ext)->answer(caps, &args);
        }

        return;
    }
}


u_char *
ngx_smtp_esmtp_emit_mail(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx, u_char *p,
    u_char *end)
{
    const ngx_smtp_esmtp_t *const  *ext;

    for (ext = ngx_smtp_esmtp_table; *ext; ext++) {
        if ((caps->extensions & (*ext)->bit) && (*ext)->emit_mail) {
            p = (*ext)->emit_mail(caps, tx, p, end);
        }
    }

    return p;
}


u_char *
ngx_smtp_esmtp_emit_rcpt(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_rcpt_t *rcpt, u_char *p, u_char *end)
{
    const ngx_smtp_esmtp_t *const  *ext;

    for (ext = ngx_smtp_esmtp_table; *ext; ext++) {
        if ((caps->extensions & (*ext)->bit) && (*ext)->emit_rcpt) {
            p = (*ext)->emit_rcpt(caps, tx, rcpt, p, end);
        }
    }

    return p;
}


ngx_int_t
ngx_smtp_esmtp_check(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_verdict_t *verdict)
{
    const ngx_smtp_esmtp_t *const  *ext;

    for (ext = ngx_smtp_esmtp_table; *ext; ext++) {
        if ((*ext)->check && (*ext)->check(caps, tx, verdict) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


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
#define NGX_SMTP_ESMTP_PARAMS_MAX  16

/* the keywords of all extensions with their parameters and line ends */
#define NGX_SMTP_ESMTP_EHLO_MAX  2048


extern ngx_module_t  ngx_mail_smtp_ext_esmtp_module;


static ngx_int_t ngx_smtp_esmtp_read_param(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_uint_t rcpt, ngx_smtp_param_t *param,
    ngx_str_t *seen, ngx_uint_t n);
static ngx_uint_t ngx_smtp_esmtp_misplaced(ngx_smtp_tx_t *tx,
    ngx_uint_t rcpt, ngx_str_t *value);
static char *ngx_smtp_esmtp_complete(ngx_smtp_tx_t *tx);
static const ngx_smtp_esmtp_param_t *ngx_smtp_esmtp_find(
    ngx_smtp_session_t *s, ngx_uint_t rcpt, ngx_str_t *name);
static ngx_uint_t ngx_smtp_esmtp_offered(ngx_smtp_session_t *s,
    const ngx_smtp_esmtp_t *ext);
static ngx_uint_t ngx_smtp_esmtp_unasked(ngx_smtp_session_t *s,
    ngx_uint_t bit);
static ngx_uint_t ngx_smtp_esmtp_impossible(ngx_smtp_session_t *s,
    ngx_uint_t bit);
static ngx_uint_t ngx_smtp_esmtp_everywhere(ngx_smtp_session_t *s,
    ngx_uint_t bit);
static ngx_uint_t ngx_smtp_esmtp_reported(ngx_smtp_session_t *s,
    ngx_smtp_dest_t *dest, ngx_uint_t bit);


void
ngx_smtp_esmtp_reply(ngx_smtp_session_t *s)
{
    u_char                         *p, *end, *mark;
    ngx_str_t                       lines;
    const ngx_smtp_esmtp_t *const  *ext;
    u_char                          buf[NGX_SMTP_ESMTP_EHLO_MAX];

    end = buf + sizeof(buf);

    p = ngx_slprintf(buf, end, "%V", &s->server_name);

    for (ext = ngx_smtp_esmtp_table; *ext; ext++) {

        if (!ngx_smtp_esmtp_enabled(s, (*ext)->bit)) {
            continue;
        }

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
    ngx_str_t   name;
    ngx_uint_t  reply;

    reply = ngx_smtp_esmtp_read(s, tx, rcpt, p, last, &name);

    if (reply == 0) {
        return NGX_OK;
    }

    if (name.len) {
        ngx_smtp_reply_arg(s, reply, &name);

    } else {
        ngx_smtp_reply(s, reply);
    }

    return NGX_DONE;
}


ngx_uint_t
ngx_smtp_esmtp_read(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_uint_t rcpt, u_char *p, u_char *last, ngx_str_t *name)
{
    char              *wrong;
    ngx_int_t          rc;
    ngx_str_t          seen[NGX_SMTP_ESMTP_PARAMS_MAX];
    ngx_uint_t         n;
    ngx_smtp_param_t   param;

    for (n = 0; /* void */ ; n++) {
        rc = ngx_smtp_param_next(&param, &p, last);

        if (rc == NGX_DONE) {
            break;
        }

        if (rc == NGX_ERROR) {
            ngx_str_set(name, "syntax");
            return NGX_SMTP_REPLY_BAD_PARAMETER;
        }

        *name = param.name;

        rc = ngx_smtp_esmtp_read_param(s, tx, rcpt, &param, seen, n);

        switch (rc) {

        case NGX_OK:
            break;

        case NGX_ABORT:
            return NGX_SMTP_REPLY_UNKNOWN_PARAMETER;

        case NGX_DECLINED:
            name->len = param.value.data + param.value.len - param.name.data;
            return NGX_SMTP_REPLY_UNKNOWN_PARAMETER;

        case NGX_DONE:
            ngx_str_null(name);
            return tx->param_reply;

        default: /* NGX_ERROR */
            return NGX_SMTP_REPLY_BAD_PARAMETER;
        }
    }

    wrong = rcpt ? NULL : ngx_smtp_esmtp_complete(tx);

    if (wrong) {
        name->data = (u_char *) wrong;
        name->len = ngx_strlen(wrong);

        return NGX_SMTP_REPLY_BAD_PARAMETER;
    }

    return 0;
}


/* as parse() of its row; NGX_ABORT: there is none; behind n others, in seen */

static ngx_int_t
ngx_smtp_esmtp_read_param(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_uint_t rcpt, ngx_smtp_param_t *param, ngx_str_t *seen, ngx_uint_t n)
{
    ngx_uint_t                     i;
    const ngx_smtp_esmtp_param_t  *row;

    /* RFC 5321, 4.1.1.2: parameters belong to extensions, and so to EHLO */

    row = s->esmtp ? ngx_smtp_esmtp_find(s, rcpt, &param->name) : NULL;

    if (row == NULL) {
        return NGX_ABORT;
    }

    /* RFC 5321, 4.1.1.11: each at most once */

    for (i = 0; i < n; i++) {
        if (seen[i].len == param->name.len
            && ngx_strncasecmp(seen[i].data, param->name.data,
                               param->name.len)
               == 0)
        {
            return NGX_ERROR;
        }
    }

    if (n == NGX_SMTP_ESMTP_PARAMS_MAX
        || ngx_smtp_esmtp_misplaced(tx, rcpt, &param->value))
    {
        return NGX_ERROR;
    }

    seen[n] = param->name;

    return row->parse(s, tx, &param->value);
}


ngx_int_t
ngx_smtp_esmtp_set(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx, ngx_uint_t rcpt,
    ngx_str_t *text)
{
    u_char                        *p, *last;
    ngx_smtp_param_t               param;
    const ngx_smtp_esmtp_param_t  *row;

    /* it is set off by a space, and has none inside */

    if (text->len < 2 || text->data[0] != ' '
        || ngx_strlchr(text->data + 1, text->data + text->len, ' '))
    {
        return NGX_DECLINED;
    }

    p = text->data;
    last = p + text->len;

    if (ngx_smtp_param_next(&param, &p, last) != NGX_OK || p != last
        || ngx_smtp_esmtp_misplaced(tx, rcpt, &param.value))
    {
        return NGX_DECLINED;
    }

    row = ngx_smtp_esmtp_find(s, rcpt, &param.name);

    return (row && row->parse(s, tx, &param.value) == NGX_OK) ? NGX_OK
                                                              : NGX_DECLINED;
}


ngx_uint_t
ngx_smtp_esmtp_fits(ngx_smtp_tx_t *tx)
{
    return ngx_smtp_esmtp_complete(tx) == NULL;
}


/* RFC 6531, 3.3: UTF-8 only with SMTPUTF8; MAIL has no use for it (6533, 3) */

static ngx_uint_t
ngx_smtp_esmtp_misplaced(ngx_smtp_tx_t *tx, ngx_uint_t rcpt, ngx_str_t *value)
{
    return !(rcpt && tx->utf8)
           && ngx_smtp_is_8bit(value->data, value->data + value->len);
}


/* what is wrong with MAIL's parameters is seen only when all of them are there;
   NULL: nothing is */

static char *
ngx_smtp_esmtp_complete(ngx_smtp_tx_t *tx)
{
    /* RFC 3885, 3.2 */

    if (tx->params[NGX_SMTP_PARAM_MTRK].data
        && tx->params[NGX_SMTP_PARAM_ENVID].data == NULL)
    {
        return "MTRK without ENVID";
    }

    /* RFC 4865, 5.2.2 */

    if (tx->params[NGX_SMTP_PARAM_BY].data
        && ngx_smtp_esmtp_released(tx) > 0
        && ngx_smtp_esmtp_released(tx) > ngx_smtp_esmtp_deliver_by(tx))
    {
        return "to be held for longer than BY";
    }

    return NULL;
}


ngx_int_t
ngx_smtp_esmtp_keep(ngx_smtp_session_t *s, ngx_str_t *param,
    ngx_str_t *value)
{
    if (ngx_smtp_tx_copy(s->tx, param, value) != NGX_OK) {
        s->tx->param_reply = NGX_SMTP_REPLY_LOCAL_ERROR;
        return NGX_DONE;
    }

    return NGX_OK;
}


static const ngx_smtp_esmtp_param_t *
ngx_smtp_esmtp_find(ngx_smtp_session_t *s, ngx_uint_t rcpt, ngx_str_t *name)
{
    const ngx_smtp_esmtp_t *const  *ext;
    const ngx_smtp_esmtp_param_t   *row;

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


ngx_uint_t
ngx_smtp_esmtp_offers(ngx_smtp_session_t *s, ngx_uint_t bit)
{
    const ngx_smtp_esmtp_t *const  *ext;

    for (ext = ngx_smtp_esmtp_table; *ext; ext++) {
        if ((*ext)->bit == bit) {
            return ngx_smtp_esmtp_offered(s, *ext);
        }
    }

    return 0;
}


static ngx_uint_t
ngx_smtp_esmtp_offered(ngx_smtp_session_t *s, const ngx_smtp_esmtp_t *ext)
{
    u_char  *p, buf[NGX_SMTP_ESMTP_EHLO_MAX];

    if (!ngx_smtp_esmtp_enabled(s, ext->bit)) {
        return 0;
    }

    p = buf;

    return ext->advertise == NULL
           || ext->advertise(s, &p, buf + sizeof(buf)) == NGX_OK;
}


ngx_uint_t
ngx_smtp_esmtp_enabled(ngx_smtp_session_t *s, ngx_uint_t bit)
{
    ngx_smtp_esmtp_conf_t  *conf;

    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_esmtp_module);

    if (ngx_smtp_esmtp_unasked(s, bit)) {
        return 0;
    }

    if (conf->on & bit) {
        return !ngx_smtp_esmtp_impossible(s, bit);
    }

    return (conf->next_hop & bit) && ngx_smtp_esmtp_everywhere(s, bit);
}


/* smtp_vrfy, smtp_expn, smtp_etrn: the command is not there */

static ngx_uint_t
ngx_smtp_esmtp_unasked(ngx_smtp_session_t *s, ngx_uint_t bit)
{
    ngx_uint_t  *queries;

    queries = s->service->queries;

    switch (bit) {

    case NGX_SMTP_EXT_VRFY:
        return queries[NGX_SMTP_QUERY_VRFY] == NGX_SMTP_QUERY_OFF;

    case NGX_SMTP_EXT_EXPN:
        return queries[NGX_SMTP_QUERY_EXPN] == NGX_SMTP_QUERY_OFF;

    case NGX_SMTP_EXT_ETRN:
        return queries[NGX_SMTP_QUERY_ETRN] == NGX_SMTP_QUERY_OFF;

    default:
        return 0;
    }
}


/* commands of extensions have their keywords as names */

ngx_uint_t
ngx_smtp_esmtp_command(ngx_smtp_session_t *s, const ngx_str_t *verb,
    ngx_uint_t offered)
{
    const ngx_smtp_esmtp_t *const  *ext;

    for (ext = ngx_smtp_esmtp_table; *ext; ext++) {

        if ((*ext)->keyword.len == verb->len
            && ngx_strncmp((*ext)->keyword.data, verb->data, verb->len) == 0)
        {
            return offered ? ngx_smtp_esmtp_offered(s, *ext)
                           : ngx_smtp_esmtp_enabled(s, (*ext)->bit);
        }
    }

    return 1;
}


/* wherever a message may go from here, it can't be had */

static ngx_uint_t
ngx_smtp_esmtp_impossible(ngx_smtp_session_t *s, ngx_uint_t bit)
{
    ngx_uint_t         i;
    ngx_array_t       *dests;
    ngx_smtp_caps_t   *caps;
    ngx_smtp_dest_t  **dest;

    dests = s->service->dests;

    if (dests == NULL) {
        return 0;
    }

    dest = dests->elts;

    for (i = 0; i < dests->nelts; i++) {
        caps = dest[i]->caps;

        if (caps == NULL || !caps->fixed || (caps->extensions & bit)
            || ngx_smtp_esmtp_reported(s, dest[i], bit))
        {
            return 0;
        }
    }

    return i != 0;
}


/* each place where a message may go is known to have it */

static ngx_uint_t
ngx_smtp_esmtp_everywhere(ngx_smtp_session_t *s, ngx_uint_t bit)
{
    ngx_uint_t         i;
    ngx_array_t       *dests;
    ngx_smtp_caps_t   *caps;
    ngx_smtp_dest_t  **dest;

    dests = s->service->dests;

    if (dests == NULL) {
        return 0;
    }

    dest = dests->elts;

    for (i = 0; i < dests->nelts; i++) {
        caps = dest[i]->caps;

        if (ngx_smtp_esmtp_reported(s, dest[i], bit)) {
            continue;
        }

        if (caps == NULL || !caps->known || !(caps->extensions & bit)) {
            return 0;
        }
    }

    return i != 0;
}


/* DSN of a mailbox: what RFC 3461, 5.2.3, wants to be told we tell */

static ngx_uint_t
ngx_smtp_esmtp_reported(ngx_smtp_session_t *s, ngx_smtp_dest_t *dest,
    ngx_uint_t bit)
{
    return bit == NGX_SMTP_EXT_DSN && dest->mailbox
           && s->service->success_report;
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


ngx_uint_t
ngx_smtp_esmtp_words(ngx_str_t *args, const ngx_str_t *names)
{
    u_char      *p, *word, *last;
    ngx_uint_t   i, found;

    found = 0;
    last = args->data + args->len;

    for (p = args->data; p < last; p++) {

        for (word = p; p < last && *p != ' '; p++) { /* void */ }

        for (i = 0; names[i].len; i++) {

            if (names[i].len == (size_t) (p - word)
                && ngx_strncasecmp(names[i].data, word, p - word) == 0)
            {
                found |= (ngx_uint_t) 1 << i;
            }
        }
    }

    return found;
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

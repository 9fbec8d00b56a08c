
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_server.h>
#include <ngx_smtp_esmtp.h>


/*
 * Dispatch: a line becomes a command, and what its row demands is looked at
 * here, once for all of them.  RFC 5321, 4.1.4 (order), RFC 3207, 4 (before
 * TLS), RFC 2920, 3.1 (what may be pipelined).
 */


/*
 * "AUTH", a mechanism and a response of RFC 4954, 4, whose own limit of 512
 * octets is not kept by clients: tokens are longer.  The buffer has room.
 */
#define NGX_SMTP_COMMAND_AUTH_MAX  (sizeof("AUTH  ") + 32 + 12288)


static size_t ngx_smtp_command_max(ngx_smtp_session_t *s);
static void ngx_smtp_command_bad_line(ngx_smtp_session_t *s,
    ngx_smtp_reply_e id);
static void ngx_smtp_command_execute(ngx_smtp_session_t *s, ngx_str_t *line,
    ngx_int_t *rc);
static const ngx_smtp_command_t *ngx_smtp_command_find(ngx_str_t *verb);
static ngx_int_t ngx_smtp_command_allowed(ngx_smtp_session_t *s,
    const ngx_smtp_command_t *cmd, ngx_str_t *args);


ngx_int_t
ngx_smtp_command_input(ngx_smtp_session_t *s)
{
    ngx_int_t           rc;
    ngx_smtp_strict_t  *strict;

    if (s->in == NULL) {
        return NGX_AGAIN;
    }

    rc = ngx_smtp_line_next(&s->line, s->in, ngx_smtp_command_max(s));

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    /* the time for a command begins anew */

    if (s->connection->read->timer_set) {
        ngx_del_timer(s->connection->read);
    }

    s->connection->log->action = "executing command";

    s->commands++;

    /* one that never stops sending is not waited for */

    if (s->tx == NULL && ngx_smtp_read_over(s)) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_SESSION_TIMEOUT);
        return NGX_OK;
    }

    strict = &s->service->strict;

    if (strict->max_commands && s->commands > strict->max_commands) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_TOO_MANY_COMMANDS);
        return NGX_OK;
    }

    if (rc == NGX_SMTP_LINE_BARE_CR || rc == NGX_SMTP_LINE_BARE_LF) {
        /* it may have been AUTH */
        ngx_explicit_memzero(s->line.text.data, s->line.text.len);
    }

    switch (rc) {

    case NGX_OK:
        ngx_smtp_command_execute(s, &s->line.text, &rc);
        return rc;

    case NGX_SMTP_LINE_TOO_LONG:
        ngx_smtp_command_bad_line(s, NGX_SMTP_REPLY_LINE_TOO_LONG);
        return NGX_OK;

    case NGX_SMTP_LINE_BARE_CR:
        ngx_smtp_command_bad_line(s, NGX_SMTP_REPLY_BARE_CR);
        return NGX_OK;

    default: /* NGX_SMTP_LINE_BARE_LF */
        ngx_smtp_reply(s, NGX_SMTP_REPLY_BARE_LF);
        return NGX_OK;
    }
}


static size_t
ngx_smtp_command_max(ngx_smtp_session_t *s)
{
    if (s->in->last - s->in->pos > 5
        && (*s->in->pos | 0x20) == 'a'
        && ngx_strncasecmp(s->in->pos, (u_char *) "AUTH ", 5) == 0)
    {
        return NGX_SMTP_COMMAND_AUTH_MAX;
    }

    return s->service->line_size;
}


/* a chunk follows BDAT, however bad its line is; nobody knows how long */

static void
ngx_smtp_command_bad_line(ngx_smtp_session_t *s, ngx_smtp_reply_e id)
{
    if (ngx_strncasecmp(s->line.head, (u_char *) "BDAT", 4) == 0) {
        id = NGX_SMTP_REPLY_BAD_CHUNK;
    }

    ngx_smtp_reply(s, id);
}


static void
ngx_smtp_command_execute(ngx_smtp_session_t *s, ngx_str_t *line,
    ngx_int_t *rc)
{
    ngx_str_t                  verb, args;
    const ngx_smtp_command_t  *cmd;

    *rc = NGX_OK;

    ngx_smtp_command_split(line, &verb, &args);

    cmd = ngx_smtp_command_find(&verb);

    if (s->refused_all && (cmd == NULL || !(cmd->flags & NGX_SMTP_CMD_END))) {
        ngx_smtp_reply(s, s->refused_all);

    } else if (cmd == NULL || !ngx_smtp_command_present(s, cmd)) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_UNKNOWN_COMMAND);

    } else if (ngx_smtp_command_allowed(s, cmd, &args) == NGX_OK) {
        ngx_log_debug1(NGX_LOG_DEBUG_MAIL, s->connection->log, 0,
                       "smtp command %V", &cmd->name);

        *rc = cmd->start(s, &args);
        return;
    }

    if (cmd && (cmd->flags & NGX_SMTP_CMD_SECRET)) {
        ngx_explicit_memzero(args.data, args.len);
    }
}


void
ngx_smtp_command_split(ngx_str_t *line, ngx_str_t *verb, ngx_str_t *args)
{
    u_char  *p, *last;

    p = line->data;
    last = p + line->len;

    verb->data = p;

    while (p < last && *p != ' ') { p++; }

    verb->len = p - verb->data;

    if (p < last) {
        p++;
    }

    /* RFC 5321, 4.1.1: white space at the end is tolerated */

    while (last > p && (last[-1] == ' ' || last[-1] == '\t')) { last--; }

    args->data = p;
    args->len = last - p;
}


static const ngx_smtp_command_t *
ngx_smtp_command_find(ngx_str_t *verb)
{
    const ngx_smtp_command_t  *cmd;

    for (cmd = ngx_smtp_command_table; cmd->start; cmd++) {
        if (cmd->name.len == verb->len
            && ngx_strncasecmp(cmd->name.data, verb->data, verb->len) == 0)
        {
            return cmd;
        }
    }

    return NULL;
}


/* RFC 2033, 4.1: what is SMTP's is not there in LMTP, and is refused by 500 */

ngx_uint_t
ngx_smtp_command_present(ngx_smtp_session_t *s, const ngx_smtp_command_t *cmd)
{
    return !(cmd->flags & (s->service->lmtp ? NGX_SMTP_CMD_SMTP
                                            : NGX_SMTP_CMD_LMTP));
}


static ngx_int_t
ngx_smtp_command_allowed(ngx_smtp_session_t *s, const ngx_smtp_command_t *cmd,
    ngx_str_t *args)
{
    ngx_uint_t  max;

    max = s->service->strict.max_idle_commands;

    if ((cmd->flags & NGX_SMTP_CMD_IDLE) && max && ++s->idle_commands > max) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_TOO_MANY_IDLE);
        return NGX_DECLINED;
    }

    if (!(cmd->flags & NGX_SMTP_CMD_PLAIN)
        && s->service->starttls == NGX_SMTP_STARTTLS_ONLY && !s->tls)
    {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_NEED_TLS);
        return NGX_DECLINED;
    }

    if (!ngx_smtp_esmtp_command(s, &cmd->name, 0)) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_NOT_IMPLEMENTED);
        return NGX_DECLINED;
    }

    /*
     * What was sent before our reply was seen would be read in another sense
     * than it was written in: as commands, though it is data (RFC 2920, 3.1;
     * RFC 3207, 4.2).
     */

    if ((cmd->flags & NGX_SMTP_CMD_LAST) && s->in->pos != s->in->last) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_BAD_PIPELINING);
        return NGX_DECLINED;
    }

    if ((cmd->flags & NGX_SMTP_CMD_HELO) && ngx_smtp_session_unnamed(s)) {
        ngx_smtp_reply(s, s->service->lmtp ? NGX_SMTP_REPLY_NEED_LHLO
                                           : NGX_SMTP_REPLY_NEED_HELO);
        return NGX_DECLINED;
    }

    /*
     * RFC 6409, 4.3: whoever smtp_relay_from names has been authorized by
     * other means.
     */

    if ((cmd->flags & NGX_SMTP_CMD_AUTH) && s->service->auth_required
        && !s->authenticated && !s->trusted)
    {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_NEED_AUTH);
        return NGX_DECLINED;
    }

    if ((cmd->flags & NGX_SMTP_CMD_NO_TX) && s->tx) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_IN_TRANSACTION);
        return NGX_DECLINED;
    }

    if ((cmd->flags & NGX_SMTP_CMD_NO_ARGS) && args->len) {
        (void) ngx_smtp_command_syntax(s, cmd->syntax);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_smtp_command_syntax(ngx_smtp_session_t *s, char *syntax)
{
    ngx_str_t  arg;

    arg.data = (u_char *) syntax;
    arg.len = ngx_strlen(syntax);

    ngx_smtp_reply_arg(s, NGX_SMTP_REPLY_BAD_ARGUMENT, &arg);

    return NGX_OK;
}


ngx_int_t
ngx_smtp_command_attrs(ngx_smtp_session_t *s, ngx_str_t *args,
    const ngx_str_t *names, ngx_smtp_command_attr_pt set, void *data)
{
    u_char           *p, *last;
    ngx_int_t         rc;
    ngx_uint_t        i;
    ngx_smtp_attr_t   attr;

    p = args->data;
    last = p + args->len;

    for ( ;; ) {
        rc = ngx_smtp_attr_next(&attr, &p, last);

        if (rc == NGX_DONE) {
            return NGX_OK;
        }

        if (rc == NGX_OK) {

            for (i = 0; names[i].len; i++) {
                if (ngx_smtp_attr_is(&attr.name, (char *) names[i].data)) {
                    break;
                }
            }

            rc = names[i].len ? set(data, i, &attr.value) : NGX_ERROR;
        }

        if (rc != NGX_OK) {
            ngx_smtp_reply_arg(s, NGX_SMTP_REPLY_BAD_ATTRIBUTE, &attr.name);
            return NGX_ERROR;
        }
    }
}

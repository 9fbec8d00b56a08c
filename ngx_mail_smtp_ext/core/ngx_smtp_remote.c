
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>


/*
 * Who the client is taken for, and what was said of it: made, forgotten.  What
 * is said lies in memory of its own, since hardly any session has it.
 */


void
ngx_smtp_remote_init(ngx_smtp_session_t *s)
{
    ngx_connection_t   *c;
    ngx_smtp_remote_t  *remote;

    c = s->connection;
    remote = &s->remote;

    ngx_memzero(remote, sizeof(ngx_smtp_remote_t));

    remote->sockaddr = c->sockaddr;
    remote->addr_text = c->addr_text;
    remote->port = ngx_inet_get_port(c->sockaddr);
}


void
ngx_smtp_remote_free(ngx_smtp_session_t *s)
{
    ngx_smtp_remote_forward_free(s);
    ngx_smtp_remote_name_forget(s);

    if (s->remote.xclient) {
        ngx_free(s->remote.xclient);
        ngx_smtp_remote_init(s);
    }
}


void
ngx_smtp_remote_forward_free(ngx_smtp_session_t *s)
{
    if (s->xforward) {
        ngx_free(s->xforward);
        s->xforward = NULL;
    }
}


void
ngx_smtp_remote_forward_copy(ngx_smtp_xforward_t *to,
    ngx_smtp_xforward_t *from)
{
    ngx_uint_t  i;

    for (i = 0; from && i < NGX_SMTP_XFORWARD_MAX; i++) {
        ngx_smtp_remote_text_set(&to->attrs[i], &from->attrs[i].text);
    }
}


void
ngx_smtp_remote_text_set(ngx_smtp_remote_text_t *text, ngx_str_t *value)
{
    text->text.data = text->buf;
    text->text.len = ngx_min(value->len, NGX_SMTP_ATTR_MAX);

    if (text->text.len) {
        ngx_memcpy(text->buf, value->data, text->text.len);
    }
}

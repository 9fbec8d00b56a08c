
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_server.h>
#include <ngx_smtp_esmtp.h>


/*
 * XCLIENT, as Postfix's XCLIENT_README has it: a peer that is trusted says who
 * the client is, and the session begins anew with that client.
 *
 * All attributes are looked at before any has an effect.  Those of the client
 * stay until others are given: they may come in several commands.  HELO, PROTO
 * and LOGIN belong to the session that begins with their command.
 */


/*
 * What a command gives; data is NULL where it does not, and the length is 0
 * of what it says to be [UNAVAILABLE] or [TEMPUNAVAIL].
 */
typedef struct {
    ngx_str_t    values[NGX_SMTP_XCLIENT_MAX];
    ngx_uint_t   temp;           /* bits of those that are [TEMPUNAVAIL] */
} ngx_smtp_xclient_args_t;


static ngx_int_t ngx_smtp_xclient_value(void *data, ngx_uint_t i,
    ngx_str_t *value);
static ngx_int_t ngx_smtp_xclient_proto_valid(ngx_str_t *value);
static ngx_int_t ngx_smtp_xclient_helo_valid(ngx_str_t *value);
static ngx_int_t ngx_smtp_xclient_login_valid(ngx_str_t *value);
static ngx_int_t ngx_smtp_xclient_apply(ngx_smtp_session_t *s,
    ngx_smtp_xclient_args_t *xa);
static void ngx_smtp_xclient_name(ngx_smtp_remote_t *remote,
    ngx_smtp_xclient_args_t *xa);
static void ngx_smtp_xclient_addr(ngx_smtp_remote_t *remote,
    ngx_smtp_xclient_args_t *xa);
static void ngx_smtp_xclient_dest(ngx_smtp_xclient_t *xclient,
    ngx_smtp_xclient_args_t *xa);
static socklen_t ngx_smtp_xclient_sockaddr(ngx_sockaddr_t *sa,
    ngx_str_t *value);
static ngx_int_t ngx_smtp_xclient_session(ngx_smtp_session_t *s,
    ngx_smtp_xclient_args_t *xa);


/* in the order of ngx_smtp_xclient_e */

static ngx_int_t (*const  ngx_smtp_xclient_valid[])(ngx_str_t *value) = {
    ngx_smtp_attr_name_valid,            /* NAME */
    ngx_smtp_attr_addr_valid,            /* ADDR */
    ngx_smtp_attr_port_valid,            /* PORT */
    ngx_smtp_xclient_proto_valid,        /* PROTO */
    ngx_smtp_xclient_helo_valid,         /* HELO */
    ngx_smtp_attr_name_valid,            /* REVERSE_NAME */
    ngx_smtp_xclient_login_valid,        /* LOGIN */
    ngx_smtp_attr_addr_valid,            /* DESTADDR */
    ngx_smtp_attr_port_valid             /* DESTPORT */
};


ngx_int_t
ngx_smtp_command_xclient(ngx_smtp_session_t *s, ngx_str_t *args)
{
    ngx_smtp_xclient_args_t  xa;

    if (!ngx_smtp_session_peer_in(s, s->service->xclient_from)) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_NOT_TRUSTED);
        return NGX_OK;
    }

    if (args->len == 0) {
        return ngx_smtp_command_syntax(s, "XCLIENT attribute=value...");
    }

    ngx_memzero(&xa, sizeof(ngx_smtp_xclient_args_t));

    if (ngx_smtp_command_attrs(s, args, ngx_smtp_xclient_names,
                               ngx_smtp_xclient_value, &xa)
        != NGX_OK)
    {
        return NGX_OK;
    }

    if (ngx_smtp_xclient_apply(s, &xa) != NGX_OK
        || ngx_smtp_xclient_session(s, &xa) != NGX_OK)
    {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_INTERNAL);
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "XCLIENT of %V", &s->connection->addr_text);

    return ngx_smtp_accept_connect(s);
}


static ngx_int_t
ngx_smtp_xclient_value(void *data, ngx_uint_t i, ngx_str_t *value)
{
    ngx_smtp_xclient_args_t *xa = data;

    xa->temp &= ~((ngx_uint_t) 1 << i);

    if (i != NGX_SMTP_XCLIENT_PROTO
        && ngx_smtp_attr_is(value, "[UNAVAILABLE]"))
    {
        value->len = 0;

    } else if ((i == NGX_SMTP_XCLIENT_NAME
                || i == NGX_SMTP_XCLIENT_REVERSE_NAME)
               && ngx_smtp_attr_is(value, "[TEMPUNAVAIL]"))
    {
        value->len = 0;
        xa->temp |= (ngx_uint_t) 1 << i;

    } else if (ngx_smtp_xclient_valid[i](value) != NGX_OK) {
        return NGX_ERROR;
    }

    xa->values[i] = *value;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_xclient_proto_valid(ngx_str_t *value)
{
    return (ngx_smtp_attr_is(value, "SMTP")
            || ngx_smtp_attr_is(value, "ESMTP")) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_smtp_xclient_helo_valid(ngx_str_t *value)
{
    return ngx_smtp_helo_valid(value->data, value->data + value->len);
}


/* what could become a header field, or part a line of a log */

static ngx_int_t
ngx_smtp_xclient_login_valid(ngx_str_t *value)
{
    size_t  i;

    for (i = 0; i < value->len; i++) {
        if (value->data[i] < ' ' || value->data[i] == 0x7f) {
            return NGX_ERROR;
        }
    }

    return value->len ? NGX_OK : NGX_ERROR;
}


/* who the client is taken for from now on; NGX_ERROR: no memory */

static ngx_int_t
ngx_smtp_xclient_apply(ngx_smtp_session_t *s, ngx_smtp_xclient_args_t *xa)
{
    ngx_smtp_remote_t  *remote;

    remote = &s->remote;

    ngx_smtp_remote_name_forget(s);

    if (remote->xclient == NULL) {
        remote->xclient = ngx_calloc(sizeof(ngx_smtp_xclient_t),
                                     s->connection->log);
        if (remote->xclient == NULL) {
            return NGX_ERROR;
        }
    }

    ngx_smtp_xclient_name(remote, xa);
    ngx_smtp_xclient_addr(remote, xa);
    ngx_smtp_xclient_dest(remote->xclient, xa);

    return NGX_OK;
}


static void
ngx_smtp_xclient_name(ngx_smtp_remote_t *remote, ngx_smtp_xclient_args_t *xa)
{
    ngx_str_t           *value;
    ngx_smtp_xclient_t  *xclient;

    xclient = remote->xclient;

    value = &xa->values[NGX_SMTP_XCLIENT_NAME];

    if (value->data) {
        ngx_smtp_remote_text_set(&xclient->name, value);

        remote->name = xclient->name.text;
        remote->told = 1;
        remote->name_temp = (xa->temp >> NGX_SMTP_XCLIENT_NAME) & 1;
    }

    /* a name that is known to be the address's is what its PTR says */

    if (value->len && xa->values[NGX_SMTP_XCLIENT_REVERSE_NAME].data == NULL) {
        ngx_smtp_remote_text_set(&xclient->reverse_name, value);
        xclient->reverse_temp = 0;
    }

    value = &xa->values[NGX_SMTP_XCLIENT_REVERSE_NAME];

    if (value->data) {
        ngx_smtp_remote_text_set(&xclient->reverse_name, value);
        xclient->reverse_temp = (xa->temp >> NGX_SMTP_XCLIENT_REVERSE_NAME)
                                & 1;
    }
}


static void
ngx_smtp_xclient_addr(ngx_smtp_remote_t *remote, ngx_smtp_xclient_args_t *xa)
{
    socklen_t            socklen;
    ngx_str_t           *value;
    ngx_smtp_xclient_t  *xclient;

    xclient = remote->xclient;

    value = &xa->values[NGX_SMTP_XCLIENT_ADDR];

    if (value->data) {
        socklen = ngx_smtp_xclient_sockaddr(&xclient->sockaddr, value);

        remote->sockaddr = &xclient->sockaddr.sockaddr;

        if (socklen) {
            remote->addr_text.data = xclient->addr_text;
            remote->addr_text.len = ngx_sock_ntop(remote->sockaddr, socklen,
                                                  xclient->addr_text,
                                                  NGX_SOCKADDR_STRLEN, 0);

        } else {
            ngx_str_set(&remote->addr_text, "unknown");
        }

        /* the peer's port is not one of this address */

        if (!xclient->port) {
            remote->port = 0;
        }
    }

    value = &xa->values[NGX_SMTP_XCLIENT_PORT];

    if (value->data) {
        xclient->port = 1;
        remote->port = value->len ? ngx_smtp_attr_port(value) : 0;
    }
}


static void
ngx_smtp_xclient_dest(ngx_smtp_xclient_t *xclient, ngx_smtp_xclient_args_t *xa)
{
    socklen_t        socklen;
    ngx_str_t       *value;
    ngx_sockaddr_t   sa;

    value = &xa->values[NGX_SMTP_XCLIENT_DESTADDR];

    if (value->data) {
        xclient->dest = 1;

        socklen = ngx_smtp_xclient_sockaddr(&sa, value);

        xclient->dest_addr.text.data = xclient->dest_addr.buf;
        xclient->dest_addr.text.len = socklen
            ? ngx_sock_ntop(&sa.sockaddr, socklen, xclient->dest_addr.buf,
                            NGX_SMTP_ATTR_MAX, 0)
            : 0;
    }

    value = &xa->values[NGX_SMTP_XCLIENT_DESTPORT];

    if (value->data) {
        xclient->dest = 1;
        xclient->dest_port = value->len ? ngx_smtp_attr_port(value) : 0;
    }
}


/* the length of the address; 0: it is not known */

static socklen_t
ngx_smtp_xclient_sockaddr(ngx_sockaddr_t *sa, ngx_str_t *value)
{
    ngx_smtp_attr_addr_t  addr;

    ngx_memzero(sa, sizeof(ngx_sockaddr_t));

    sa->sockaddr.sa_family = AF_UNSPEC;

    if (value->len == 0 || ngx_smtp_attr_addr(value, &addr) != NGX_OK) {
        return 0;
    }

    sa->sockaddr.sa_family = (sa_family_t) addr.family;

#if (NGX_HAVE_INET6)

    if (addr.family == AF_INET6) {
        ngx_memcpy(&sa->sockaddr_in6.sin6_addr, addr.octets, 16);
        return sizeof(struct sockaddr_in6);
    }

#endif

    ngx_memcpy(&sa->sockaddr_in.sin_addr, addr.octets, 4);

    return sizeof(struct sockaddr_in);
}


/*
 * The session as it is after a connection has been made, but for TLS; and what
 * the command says of the session.  NGX_ERROR: no memory.
 */

static ngx_int_t
ngx_smtp_xclient_session(ngx_smtp_session_t *s, ngx_smtp_xclient_args_t *xa)
{
    ngx_str_t  *value, method;

    ngx_smtp_session_reset(s);

    s->trusted = 0;
    s->errors = 0;
    s->idle_commands = 0;
    s->auth_attempts = 0;

    value = &xa->values[NGX_SMTP_XCLIENT_HELO];

    if (ngx_smtp_session_set(&s->helo, value) != NGX_OK) {
        return NGX_ERROR;
    }

    value = &xa->values[NGX_SMTP_XCLIENT_PROTO];

    s->esmtp = s->service->lmtp
               || (value->data && ngx_smtp_attr_is(value, "ESMTP"));

    value = &xa->values[NGX_SMTP_XCLIENT_LOGIN];

    if (value->len) {
        ngx_str_set(&method, "XCLIENT");

        if (ngx_smtp_session_login(s) != NGX_OK
            || ngx_smtp_session_set(&s->user->name, value) != NGX_OK
            || ngx_smtp_session_set(&s->user->method, &method) != NGX_OK)
        {
            return NGX_ERROR;
        }

        s->authenticated = 1;
    }

    return NGX_OK;
}

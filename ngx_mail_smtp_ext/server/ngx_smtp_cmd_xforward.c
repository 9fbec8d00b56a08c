
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_server.h>
#include <ngx_smtp_esmtp.h>


/*
 * XFORWARD, as Postfix's XFORWARD_README has it: a peer that is trusted says
 * where the next message came from, for the log.  Nothing else looks at it.
 * The first command makes all attributes unavailable, each sets those that it
 * names, the end of the transaction makes all of them undefined.
 */


/* the protocol a message came by */
#define NGX_SMTP_XFORWARD_PROTO_MAX  64


static ngx_int_t ngx_smtp_xforward_value(void *data, ngx_uint_t i,
    ngx_str_t *value);
static ngx_int_t ngx_smtp_xforward_proto_valid(ngx_str_t *value);
static ngx_int_t ngx_smtp_xforward_text_valid(ngx_str_t *value);
static ngx_int_t ngx_smtp_xforward_source_valid(ngx_str_t *value);


/* in the order of ngx_smtp_xforward_e */

static ngx_int_t (*const  ngx_smtp_xforward_valid[])(ngx_str_t *value) = {
    ngx_smtp_attr_name_valid,            /* NAME */
    ngx_smtp_attr_addr_valid,            /* ADDR */
    ngx_smtp_attr_port_valid,            /* PORT */
    ngx_smtp_xforward_proto_valid,       /* PROTO */
    ngx_smtp_xforward_text_valid,        /* HELO */
    ngx_smtp_xforward_text_valid,        /* IDENT */
    ngx_smtp_xforward_source_valid       /* SOURCE */
};


ngx_int_t
ngx_smtp_command_xforward(ngx_smtp_session_t *s, ngx_str_t *args)
{
    ngx_smtp_xforward_t  *xforward;

    if (!ngx_smtp_session_peer_in(s, s->service->xforward_from)) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_NOT_TRUSTED);
        return NGX_OK;
    }

    if (args->len == 0) {
        return ngx_smtp_command_syntax(s, "XFORWARD attribute=value...");
    }

    /* a copy: a command has its effect as a whole or none */

    xforward = ngx_calloc(sizeof(ngx_smtp_xforward_t), s->connection->log);
    if (xforward == NULL) {
        ngx_smtp_reply(s, NGX_SMTP_REPLY_INTERNAL);
        return NGX_OK;
    }

    ngx_smtp_remote_forward_copy(xforward, s->xforward);

    if (ngx_smtp_command_attrs(s, args, ngx_smtp_xforward_names,
                               ngx_smtp_xforward_value, xforward)
        != NGX_OK)
    {
        ngx_free(xforward);
        return NGX_OK;
    }

    ngx_smtp_remote_forward_free(s);
    s->xforward = xforward;

    ngx_smtp_reply(s, NGX_SMTP_REPLY_OK);

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_xforward_value(void *data, ngx_uint_t i, ngx_str_t *value)
{
    ngx_smtp_xforward_t *xforward = data;

    if (ngx_smtp_attr_is(value, "[UNAVAILABLE]")) {
        value->len = 0;

    } else if (ngx_smtp_xforward_valid[i](value) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_smtp_remote_text_set(&xforward->attrs[i], value);

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_xforward_proto_valid(ngx_str_t *value)
{
    if (value->len > NGX_SMTP_XFORWARD_PROTO_MAX) {
        return NGX_ERROR;
    }

    return ngx_smtp_xforward_text_valid(value);
}


/*
 * Note 1 of XFORWARD_README: no controls, nothing that is not US-ASCII, no
 * white space, nothing that is special in a header field.  As in Postfix such
 * characters are masked: they are the client's, which the peer only reports.
 */

static ngx_int_t
ngx_smtp_xforward_text_valid(ngx_str_t *value)
{
    size_t   i;
    u_char  *p;

    p = value->data;

    for (i = 0; i < value->len; i++) {
        if (p[i] <= ' ' || p[i] >= 0x7f
            || ngx_strchr("<>()\\\";@", p[i]) != NULL)
        {
            p[i] = '?';
        }
    }

    return value->len ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_smtp_xforward_source_valid(ngx_str_t *value)
{
    return (ngx_smtp_attr_is(value, "LOCAL")
            || ngx_smtp_attr_is(value, "REMOTE")) ? NGX_OK : NGX_ERROR;
}

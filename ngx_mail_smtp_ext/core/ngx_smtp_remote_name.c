
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>


/*
 * The name of the client's address, looked up when somebody wants to know: its
 * PTR record, and the address among those of the name, for a PTR record says
 * what its owner likes.
 */


typedef struct {
    ngx_smtp_session_t  *session;
    ngx_resolver_ctx_t  *ctx;
    ngx_smtp_op_t       *op;         /* NULL: still inside of the start */
    ngx_str_t            name;
    u_char               buf[NGX_SMTP_ATTR_MAX];
    unsigned             is_name:1;  /* ctx is of the second step */
    unsigned             done:1;
} ngx_smtp_remote_lookup_t;


static void ngx_smtp_remote_name_addr(ngx_smtp_remote_lookup_t *lookup);
static void ngx_smtp_remote_name_addr_handler(ngx_resolver_ctx_t *ctx);
static void ngx_smtp_remote_name_confirm(ngx_smtp_remote_lookup_t *lookup);
static void ngx_smtp_remote_name_confirm_handler(ngx_resolver_ctx_t *ctx);
static ngx_uint_t ngx_smtp_remote_name_temp(ngx_resolver_ctx_t *ctx);
static void ngx_smtp_remote_name_finish(ngx_smtp_remote_lookup_t *lookup,
    ngx_str_t *name, ngx_uint_t temp);
static void ngx_smtp_remote_name_cancel(ngx_smtp_op_t *op);


ngx_int_t
ngx_smtp_remote_name(ngx_smtp_session_t *s, ngx_smtp_op_t *op)
{
    ngx_smtp_remote_t         *remote;
    ngx_smtp_remote_lookup_t  *lookup;

    remote = &s->remote;

    if (remote->told || remote->looked || s->service->resolver == NULL) {
        return NGX_OK;
    }

    if (remote->sockaddr->sa_family != AF_INET
#if (NGX_HAVE_INET6)
        && remote->sockaddr->sa_family != AF_INET6
#endif
       )
    {
        remote->looked = 1;
        remote->name_temp = (remote->sockaddr->sa_family == AF_UNIX);
        return NGX_OK;
    }

    lookup = ngx_calloc(sizeof(ngx_smtp_remote_lookup_t), s->connection->log);
    if (lookup == NULL) {
        return NGX_OK;
    }

    lookup->session = s;
    lookup->name.data = lookup->buf;

    s->connection->log->action = "looking up the client's name";

    ngx_smtp_remote_name_addr(lookup);

    if (lookup->done) {
        ngx_free(lookup);
        return NGX_OK;
    }

    lookup->op = op;

    op->worker = lookup;
    op->cancel = ngx_smtp_remote_name_cancel;

    return NGX_AGAIN;
}


void
ngx_smtp_remote_name_forget(ngx_smtp_session_t *s)
{
    ngx_smtp_remote_t  *remote;

    remote = &s->remote;

    if (remote->found.data && remote->name.data == remote->found.data) {
        ngx_str_null(&remote->name);
    }

    (void) ngx_smtp_session_set(&remote->found, NULL);

    remote->looked = 0;
}


/*
 * From its cache the resolver answers before its function returns, which is
 * told apart by lookup->op.
 */

static void
ngx_smtp_remote_name_addr(ngx_smtp_remote_lookup_t *lookup)
{
    ngx_resolver_ctx_t  *ctx;
    ngx_smtp_session_t  *s;

    s = lookup->session;

    ctx = ngx_resolve_start(s->service->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        ngx_smtp_remote_name_finish(lookup, NULL, 1);
        return;
    }

    ctx->addr.sockaddr = s->remote.sockaddr;
    ctx->addr.socklen = (s->remote.sockaddr->sa_family == AF_INET)
                        ? sizeof(struct sockaddr_in)
#if (NGX_HAVE_INET6)
                        : sizeof(struct sockaddr_in6);
#else
                        : 0;
#endif
    ctx->handler = ngx_smtp_remote_name_addr_handler;
    ctx->data = lookup;
    ctx->timeout = s->service->resolver_timeout;

    lookup->ctx = ctx;
    lookup->is_name = 0;

    if (ngx_resolve_addr(ctx) != NGX_OK) {

        /* ctx is freed */

        lookup->ctx = NULL;
        ngx_smtp_remote_name_finish(lookup, NULL, 1);
    }
}


static void
ngx_smtp_remote_name_addr_handler(ngx_resolver_ctx_t *ctx)
{
    ngx_uint_t                 temp;
    ngx_smtp_remote_lookup_t  *lookup;

    lookup = ctx->data;

    temp = 0;

    if (ctx->state) {
        temp = ngx_smtp_remote_name_temp(ctx);

    } else if (ctx->name.len <= NGX_SMTP_ATTR_MAX) {

        /* the name lives in the handler only */

        ngx_memcpy(lookup->buf, ctx->name.data, ctx->name.len);
        lookup->name.len = ctx->name.len;
    }

    ngx_resolve_addr_done(ctx);
    lookup->ctx = NULL;

    /* whoever keeps the zone writes what he likes: it must be a host name */

    if (lookup->name.len == 0
        || ngx_smtp_attr_name_valid(&lookup->name) != NGX_OK)
    {
        ngx_smtp_remote_name_finish(lookup, NULL, temp);
        return;
    }

    ngx_smtp_remote_name_confirm(lookup);
}


static void
ngx_smtp_remote_name_confirm(ngx_smtp_remote_lookup_t *lookup)
{
    ngx_resolver_ctx_t  *ctx;
    ngx_smtp_session_t  *s;

    s = lookup->session;

    ctx = ngx_resolve_start(s->service->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        ngx_smtp_remote_name_finish(lookup, NULL, 1);
        return;
    }

    ctx->name = lookup->name;
    ctx->handler = ngx_smtp_remote_name_confirm_handler;
    ctx->data = lookup;
    ctx->timeout = s->service->resolver_timeout;

    lookup->ctx = ctx;
    lookup->is_name = 1;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        lookup->ctx = NULL;
        ngx_smtp_remote_name_finish(lookup, NULL, 1);
    }
}


static void
ngx_smtp_remote_name_confirm_handler(ngx_resolver_ctx_t *ctx)
{
    ngx_str_t                 *name;
    ngx_uint_t                 i, temp;
    ngx_smtp_remote_t         *remote;
    ngx_smtp_remote_lookup_t  *lookup;

    lookup = ctx->data;
    remote = &lookup->session->remote;

    name = NULL;
    temp = ctx->state ? ngx_smtp_remote_name_temp(ctx) : 0;

    for (i = 0; ctx->state == 0 && i < ctx->naddrs; i++) {
        if (ngx_cmp_sockaddr(ctx->addrs[i].sockaddr, ctx->addrs[i].socklen,
                             remote->sockaddr, ctx->addrs[i].socklen, 0)
            == NGX_OK)
        {
            name = &lookup->name;
            break;
        }
    }

    ngx_resolve_name_done(ctx);
    lookup->ctx = NULL;

    ngx_smtp_remote_name_finish(lookup, name, temp);
}


static ngx_uint_t
ngx_smtp_remote_name_temp(ngx_resolver_ctx_t *ctx)
{
    ngx_smtp_remote_lookup_t  *lookup;

    lookup = ctx->data;

    ngx_log_error(NGX_LOG_INFO, lookup->session->connection->log, 0,
                  "client's name could not be resolved (%i: %s)",
                  ctx->state, ngx_resolver_strerror(ctx->state));

    return ctx->state != NGX_RESOLVE_NXDOMAIN;
}


static void
ngx_smtp_remote_name_finish(ngx_smtp_remote_lookup_t *lookup, ngx_str_t *name,
    ngx_uint_t temp)
{
    ngx_smtp_op_t      *op;
    ngx_smtp_remote_t  *remote;

    remote = &lookup->session->remote;

    if (name && ngx_smtp_session_set(&remote->found, name) == NGX_OK) {
        remote->name = remote->found;
    }

    remote->name_temp = temp;
    remote->looked = 1;

    lookup->done = 1;
    op = lookup->op;

    if (op) {
        ngx_free(lookup);
        ngx_smtp_op_finish(op, NGX_OK);
    }
}


static void
ngx_smtp_remote_name_cancel(ngx_smtp_op_t *op)
{
    ngx_smtp_remote_lookup_t  *lookup;

    lookup = op->worker;

    if (lookup->ctx) {
        if (lookup->is_name) {
            ngx_resolve_name_done(lookup->ctx);

        } else {
            ngx_resolve_addr_done(lookup->ctx);
        }
    }

    ngx_free(lookup);
}

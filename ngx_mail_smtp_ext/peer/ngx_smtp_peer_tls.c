
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer_private.h>


/*
 * TLS towards a server: handshake, verification by RFC 6125, and what a
 * worker remembers of each server for the next connection: the session, and
 * that TLS did not work.  A session is used again only with the same context,
 * address and name.
 */


/* servers that are remembered with one context; the oldest is forgotten */
#define NGX_SMTP_PEER_TLS_SERVERS  256

/* RFC 1035, 2.3.4 */
#define NGX_SMTP_PEER_TLS_NAME     255


typedef struct {
    ngx_queue_t            queue;
    ngx_ssl_session_t     *session;
    ngx_msec_t             until;            /* is it broken */
    socklen_t              socklen;
    ngx_sockaddr_t         sockaddr;
    size_t                 len;
    u_char                 name[NGX_SMTP_PEER_TLS_NAME];
    unsigned               broken:1;
} ngx_smtp_peer_tls_server_t;


/* with a connection: found by the handler of its pool's cleanup */
typedef struct {
    ngx_smtp_peer_tls_t   *tls;
    ngx_str_t              name;             /* whom the server has to be */
    struct sockaddr       *sockaddr;
    socklen_t              socklen;
} ngx_smtp_peer_tls_use_t;


static void ngx_smtp_peer_tls_name(ngx_smtp_peer_tls_t *tls, ngx_str_t *host,
    ngx_str_t *name);
static ngx_smtp_peer_tls_use_t *ngx_smtp_peer_tls_use(ngx_connection_t *c);
static void ngx_smtp_peer_tls_use_cleanup(void *data);
static ngx_int_t ngx_smtp_peer_tls_set_name(ngx_connection_t *c,
    ngx_str_t *name);
static ngx_uint_t ngx_smtp_peer_tls_is_addr(ngx_str_t *name);
static ngx_int_t ngx_smtp_peer_tls_match(ngx_connection_t *c,
    ngx_str_t *name);
static void ngx_smtp_peer_tls_save_session(ngx_connection_t *c);
static ngx_smtp_peer_tls_server_t *ngx_smtp_peer_tls_find(
    ngx_smtp_peer_tls_t *tls, struct sockaddr *sockaddr, socklen_t socklen,
    ngx_str_t *name);
static ngx_smtp_peer_tls_server_t *ngx_smtp_peer_tls_add(
    ngx_smtp_peer_tls_t *tls, struct sockaddr *sockaddr, socklen_t socklen,
    ngx_str_t *name);
static void ngx_smtp_peer_tls_forget(ngx_smtp_peer_tls_server_t *server);


ngx_int_t
ngx_smtp_peer_tls_start(ngx_smtp_peer_tls_t *tls, ngx_connection_t *c,
    struct sockaddr *sockaddr, socklen_t socklen, ngx_str_t *host)
{
    u_char                      *p;
    ngx_str_t                    name;
    ngx_pool_cleanup_t          *cln;
    ngx_smtp_peer_tls_use_t     *use;
    ngx_smtp_peer_tls_server_t  *server;

    ngx_smtp_peer_tls_name(tls, host, &name);

    cln = ngx_pool_cleanup_add(c->pool, sizeof(ngx_smtp_peer_tls_use_t));
    if (cln == NULL) {
        return NGX_ERROR;
    }

    use = cln->data;

    use->tls = tls;
    use->socklen = socklen;
    use->name.len = name.len;

    /* OpenSSL wants the name to end with a null octet */

    use->sockaddr = ngx_palloc(c->pool, socklen);
    p = ngx_pnalloc(c->pool, name.len + 1);

    if (use->sockaddr == NULL || p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(use->sockaddr, sockaddr, socklen);

    use->name.data = p;
    p = ngx_cpymem(p, name.data, name.len);
    *p = '\0';

    cln->handler = ngx_smtp_peer_tls_use_cleanup;

    if (ngx_ssl_create_connection(&tls->ssl, c, NGX_SSL_BUFFER|NGX_SSL_CLIENT)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (tls->server_name
        && ngx_smtp_peer_tls_set_name(c, &use->name) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (!tls->session_reuse) {
        return NGX_OK;
    }

    c->ssl->save_session = ngx_smtp_peer_tls_save_session;

    server = ngx_smtp_peer_tls_find(tls, sockaddr, socklen, &name);

    return server ? ngx_ssl_set_session(c, server->session) : NGX_OK;
}


/* by configuration, else the server's; brackets and a final dot are not it */

static void
ngx_smtp_peer_tls_name(ngx_smtp_peer_tls_t *tls, ngx_str_t *host,
    ngx_str_t *name)
{
    *name = tls->name.len ? tls->name : *host;

    if (name->len > 2
        && name->data[0] == '[' && name->data[name->len - 1] == ']')
    {
        name->data++;
        name->len -= 2;
    }

    if (name->len > 1 && name->data[name->len - 1] == '.') {
        name->len--;
    }

    /* the path of a unix socket is no name */

    if (name->len > NGX_SMTP_PEER_TLS_NAME
        || (name->len && name->data[0] == '/'))
    {
        name->len = 0;
    }
}


static ngx_smtp_peer_tls_use_t *
ngx_smtp_peer_tls_use(ngx_connection_t *c)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = c->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_smtp_peer_tls_use_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


static void
ngx_smtp_peer_tls_use_cleanup(void *data)
{
    /* void: marks it */
}


static ngx_int_t
ngx_smtp_peer_tls_set_name(ngx_connection_t *c, ngx_str_t *name)
{
    /* RFC 6066, 3: addresses are not permitted */

    if (name->len == 0 || ngx_smtp_peer_tls_is_addr(name)) {
        return NGX_OK;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, c->log, 0,
                   "smtp peer TLS server name: \"%V\"", name);

    if (SSL_set_tlsext_host_name(c->ssl->connection, (char *) name->data)
        == 0)
    {
        ngx_ssl_error(NGX_LOG_ERR, c->log, 0,
                      "SSL_set_tlsext_host_name(\"%V\") failed", name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_smtp_peer_tls_is_addr(ngx_str_t *name)
{
    u_char  addr[16];

    return ngx_inet_addr(name->data, name->len) != INADDR_NONE
           || ngx_inet6_addr(name->data, name->len, addr) == NGX_OK;
}


ngx_int_t
ngx_smtp_peer_tls_handshake(ngx_connection_t *c, ngx_event_handler_pt handler)
{
    ngx_int_t                    rc;
    ngx_smtp_peer_tls_use_t     *use;
    ngx_smtp_peer_tls_server_t  *server;

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {

        /* nginx's own handler does not look at c->close */

        c->read->handler = handler;
        c->write->handler = handler;

        return NGX_AGAIN;
    }

    if (rc == NGX_ERROR) {

        /* maybe it is the session that the server does not like */

        use = ngx_smtp_peer_tls_use(c);

        server = ngx_smtp_peer_tls_find(use->tls, use->sockaddr, use->socklen,
                                        &use->name);

        if (server && server->session) {
            ngx_ssl_free_session(server->session);
            server->session = NULL;
        }
    }

    return rc;
}


ngx_int_t
ngx_smtp_peer_tls_verify(ngx_connection_t *c, ngx_uint_t level)
{
    long                      rc;
    ngx_smtp_peer_tls_use_t  *use;

    use = ngx_smtp_peer_tls_use(c);

    if (!use->tls->verify) {
        return NGX_DECLINED;
    }

    rc = SSL_get_verify_result(c->ssl->connection);

    if (rc != X509_V_OK) {
        ngx_log_error(level, c->log, 0,
                      "upstream SSL certificate verify error: (%l:%s)",
                      rc, X509_verify_cert_error_string(rc));
        return NGX_ERROR;
    }

    if (use->name.len == 0) {
        ngx_log_error(level, c->log, 0,
                      "upstream has no name to verify its SSL certificate "
                      "with");
        return NGX_ERROR;
    }

    if (ngx_smtp_peer_tls_match(c, &use->name) != NGX_OK) {
        ngx_log_error(level, c->log, 0,
                      "upstream SSL certificate does not match \"%V\"",
                      &use->name);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/*
 * RFC 6125, 6.4: the names of the subject alternative name, CN only where it
 * has none, a wildcard for a whole label only; an address is an address there.
 */

static ngx_int_t
ngx_smtp_peer_tls_match(ngx_connection_t *c, ngx_str_t *name)
{
    int    rc;
    X509  *cert;

    cert = SSL_get_peer_certificate(c->ssl->connection);
    if (cert == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_smtp_peer_tls_is_addr(name)) {
        rc = X509_check_ip_asc(cert, (char *) name->data, 0);

    } else {
        rc = X509_check_host(cert, (char *) name->data, name->len,
                             X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL);
    }

    X509_free(cert);

    return (rc == 1) ? NGX_OK : NGX_DECLINED;
}


/*
 * Called by nginx when there is a session, with TLS 1.3 any time later: what
 * c->data is then is not known here.
 */

static void
ngx_smtp_peer_tls_save_session(ngx_connection_t *c)
{
    ngx_ssl_session_t           *session;
    ngx_smtp_peer_tls_use_t     *use;
    ngx_smtp_peer_tls_server_t  *server;

    use = ngx_smtp_peer_tls_use(c);

    server = ngx_smtp_peer_tls_add(use->tls, use->sockaddr, use->socklen,
                                   &use->name);
    if (server == NULL) {
        return;
    }

    session = ngx_ssl_get_session(c);

    if (session) {
        if (server->session) {
            ngx_ssl_free_session(server->session);
        }

        server->session = session;
    }
}


ngx_int_t
ngx_smtp_peer_tls_set_broken(ngx_smtp_peer_tls_t *tls,
    struct sockaddr *sockaddr, socklen_t socklen, ngx_str_t *host,
    ngx_msec_t time)
{
    ngx_str_t                    name;
    ngx_smtp_peer_tls_server_t  *server;

    ngx_smtp_peer_tls_name(tls, host, &name);

    server = ngx_smtp_peer_tls_add(tls, sockaddr, socklen, &name);
    if (server == NULL) {
        return NGX_ERROR;
    }

    server->broken = 1;
    server->until = ngx_current_msec + time;

    return NGX_OK;
}


ngx_uint_t
ngx_smtp_peer_tls_broken(ngx_smtp_peer_tls_t *tls, struct sockaddr *sockaddr,
    socklen_t socklen, ngx_str_t *host)
{
    ngx_str_t                    name;
    ngx_smtp_peer_tls_server_t  *server;

    ngx_smtp_peer_tls_name(tls, host, &name);

    server = ngx_smtp_peer_tls_find(tls, sockaddr, socklen, &name);

    if (server == NULL || !server->broken) {
        return 0;
    }

    if ((ngx_msec_int_t) (server->until - ngx_current_msec) <= 0) {
        server->broken = 0;
    }

    return server->broken;
}


static ngx_smtp_peer_tls_server_t *
ngx_smtp_peer_tls_find(ngx_smtp_peer_tls_t *tls, struct sockaddr *sockaddr,
    socklen_t socklen, ngx_str_t *name)
{
    ngx_queue_t                 *q;
    ngx_smtp_peer_tls_server_t  *server;

    for (q = ngx_queue_head(&tls->servers);
         q != ngx_queue_sentinel(&tls->servers);
         q = ngx_queue_next(q))
    {
        server = ngx_queue_data(q, ngx_smtp_peer_tls_server_t, queue);

        if (server->len == name->len
            && ngx_strncasecmp(server->name, name->data, name->len) == 0
            && ngx_cmp_sockaddr(&server->sockaddr.sockaddr, server->socklen,
                                sockaddr, socklen, 1)
               == NGX_OK)
        {
            ngx_queue_remove(q);
            ngx_queue_insert_head(&tls->servers, q);

            return server;
        }
    }

    return NULL;
}


static ngx_smtp_peer_tls_server_t *
ngx_smtp_peer_tls_add(ngx_smtp_peer_tls_t *tls, struct sockaddr *sockaddr,
    socklen_t socklen, ngx_str_t *name)
{
    ngx_queue_t                 *q;
    ngx_smtp_peer_tls_server_t  *server;

    server = ngx_smtp_peer_tls_find(tls, sockaddr, socklen, name);

    if (server || socklen > (socklen_t) sizeof(ngx_sockaddr_t)) {
        return server;
    }

    if (tls->nservers == NGX_SMTP_PEER_TLS_SERVERS) {
        q = ngx_queue_last(&tls->servers);
        tls->nservers--;

        ngx_smtp_peer_tls_forget(ngx_queue_data(q, ngx_smtp_peer_tls_server_t,
                                                queue));
    }

    server = ngx_calloc(sizeof(ngx_smtp_peer_tls_server_t), ngx_cycle->log);
    if (server == NULL) {
        return NULL;
    }

    server->socklen = socklen;
    ngx_memcpy(&server->sockaddr, sockaddr, socklen);

    server->len = name->len;
    ngx_memcpy(server->name, name->data, name->len);

    ngx_queue_insert_head(&tls->servers, &server->queue);
    tls->nservers++;

    return server;
}


static void
ngx_smtp_peer_tls_forget(ngx_smtp_peer_tls_server_t *server)
{
    ngx_queue_remove(&server->queue);

    if (server->session) {
        ngx_ssl_free_session(server->session);
    }

    ngx_free(server);
}


void
ngx_smtp_peer_tls_destroy(void *data)
{
    ngx_smtp_peer_tls_t *tls = data;

    ngx_queue_t  *q;

    while (!ngx_queue_empty(&tls->servers)) {
        q = ngx_queue_head(&tls->servers);

        ngx_smtp_peer_tls_forget(ngx_queue_data(q, ngx_smtp_peer_tls_server_t,
                                                queue));
    }

    ngx_ssl_cleanup_ctx(&tls->ssl);
}

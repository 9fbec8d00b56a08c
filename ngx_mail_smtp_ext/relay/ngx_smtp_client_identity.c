
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_proxy.h>
#include <ngx_smtp_client_private.h>


/*
 * Who the client is, for a next hop: a header of the PROXY protocol in front
 * of everything else, or Postfix's XCLIENT behind EHLO, and STARTTLS.  Either
 * is for all of the connection, which serves nobody else from then on: once
 * ADDR has been said, Postfix takes no XCLIENT any more.
 *
 * XCLIENT says everything that the server wants to know, also that something
 * is not known, or what it knows of us would be taken for the client's.
 */


/* RFC 5321, 4.5.3.1.4, without CRLF */
#define NGX_SMTP_CLIENT_XCLIENT_LINE  510

/*
 * Those that stay, whatever comes in the next command: of the others Postfix
 * forgets what is not in the last one.
 */
#define NGX_SMTP_CLIENT_XCLIENT_FIRST                                        \
    (1 << NGX_SMTP_XCLIENT_REVERSE_NAME | 1 << NGX_SMTP_XCLIENT_DESTADDR     \
     | 1 << NGX_SMTP_XCLIENT_DESTPORT)


struct ngx_smtp_client_identity_s {
    ngx_str_t    proxy;          /* the header; empty: none */
    ngx_str_t    helo;           /* of the client, if it can be said */
    ngx_uint_t   xclient;        /* is to be said */
    ngx_uint_t   login;          /* there is one to be said */

    /* of XCLIENT, as they are sent */
    ngx_str_t    attrs[NGX_SMTP_XCLIENT_MAX];
};


static ngx_int_t ngx_smtp_client_identity_proxy(
    ngx_smtp_client_identity_t *identity, ngx_uint_t version,
    ngx_smtp_session_t *s, ngx_pool_t *pool);
static struct sockaddr *ngx_smtp_client_identity_source(ngx_smtp_session_t *s,
    ngx_sockaddr_t *buf);
static struct sockaddr *ngx_smtp_client_identity_destination(
    ngx_smtp_session_t *s, ngx_sockaddr_t *buf);
static struct sockaddr *ngx_smtp_client_identity_addr(ngx_sockaddr_t *buf,
    ngx_str_t *text, in_port_t port);
static struct sockaddr *ngx_smtp_client_identity_unmap(ngx_sockaddr_t *buf);
static void ngx_smtp_client_identity_tls(ngx_smtp_session_t *s,
    ngx_smtp_proxy_t *proxy, u_char *cn);
static ngx_int_t ngx_smtp_client_identity_attrs(
    ngx_smtp_client_identity_t *identity, ngx_smtp_session_t *s,
    ngx_uint_t login, ngx_pool_t *pool);
static u_char *ngx_smtp_client_identity_name(u_char *p, ngx_str_t *name,
    ngx_uint_t temp);
static ngx_int_t ngx_smtp_client_identity_send(ngx_smtp_client_t *client,
    ngx_uint_t attrs);
static ngx_uint_t ngx_smtp_client_identity_put(ngx_smtp_client_t *client,
    ngx_uint_t attr, size_t spare);
static ngx_int_t ngx_smtp_client_identity_failed(ngx_smtp_client_t *client);


ngx_int_t
ngx_smtp_client_identity_make(ngx_smtp_client_way_t *way,
    ngx_smtp_session_t *s, ngx_pool_t *pool, ngx_str_t *text)
{
    u_char                      *p;
    size_t                       len;
    ngx_uint_t                   i;
    ngx_smtp_relay_conf_t       *conf;
    ngx_smtp_client_identity_t  *identity;

    conf = way->conf;

    identity = ngx_pcalloc(pool, sizeof(ngx_smtp_client_identity_t));
    if (identity == NULL) {
        return NGX_ERROR;
    }

    if (conf->proxy_protocol != NGX_SMTP_PASS_PROXY_OFF
        && ngx_smtp_client_identity_proxy(identity, conf->proxy_protocol, s,
                                          pool)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (conf->xclient != NGX_SMTP_PASS_XCLIENT_OFF
        && ngx_smtp_client_identity_attrs(identity, s,
                                          way->login.secret.len == 0, pool)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* all of it, each with its end, as a part of the tag */

    len = identity->proxy.len + identity->helo.len + 1;

    for (i = 0; i < NGX_SMTP_XCLIENT_MAX; i++) {
        len += identity->attrs[i].len + 1;
    }

    p = ngx_pnalloc(pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text->data = p;
    text->len = len;

    for (i = 0; i < NGX_SMTP_XCLIENT_MAX; i++) {
        p = ngx_cpymem(p, identity->attrs[i].data, identity->attrs[i].len);
        *p++ = '\0';
    }

    p = ngx_cpymem(p, identity->helo.data, identity->helo.len);
    *p++ = '\0';

    ngx_memcpy(p, identity->proxy.data, identity->proxy.len);

    way->identity = identity;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_client_identity_proxy(ngx_smtp_client_identity_t *identity,
    ngx_uint_t version, ngx_smtp_session_t *s, ngx_pool_t *pool)
{
    u_char            *last;
    ngx_sockaddr_t     source, destination;
    ngx_smtp_proxy_t   proxy;
    u_char             cn[NGX_SMTP_PROXY_TEXT_MAX];
    u_char             buf[NGX_SMTP_PROXY_MAX];

    ngx_memzero(&proxy, sizeof(ngx_smtp_proxy_t));

    proxy.source = ngx_smtp_client_identity_source(s, &source);
    proxy.destination = ngx_smtp_client_identity_destination(s, &destination);

    if (s->authenticated) {
        proxy.user = s->user->name;
    }

    ngx_smtp_client_identity_tls(s, &proxy, cn);

    last = (version == NGX_SMTP_PASS_PROXY_V1)
           ? ngx_smtp_proxy_v1_write(buf, &proxy)
           : ngx_smtp_proxy_v2_write(buf, &proxy);

    identity->proxy.len = last - buf;
    identity->proxy.data = ngx_pnalloc(pool, identity->proxy.len);
    if (identity->proxy.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(identity->proxy.data, buf, identity->proxy.len);

    return NGX_OK;
}


/* NULL: it is not known, or has no address */

static struct sockaddr *
ngx_smtp_client_identity_source(ngx_smtp_session_t *s, ngx_sockaddr_t *buf)
{
    socklen_t         socklen;
    struct sockaddr  *sockaddr;

    sockaddr = s->remote.sockaddr;

    switch (sockaddr->sa_family) {

    case AF_INET:
        socklen = sizeof(struct sockaddr_in);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        socklen = sizeof(struct sockaddr_in6);
        break;
#endif

    default:
        return NULL;
    }

    ngx_memcpy(buf, sockaddr, socklen);
    ngx_inet_set_port(&buf->sockaddr, s->remote.port);

    return ngx_smtp_client_identity_unmap(buf);
}


/*
 * What the client connected to: as XCLIENT says, or the header of the PROXY
 * protocol if it is that one's client, or our end of the connection.
 */

static struct sockaddr *
ngx_smtp_client_identity_destination(ngx_smtp_session_t *s,
    ngx_sockaddr_t *buf)
{
    ngx_str_t              *addr;
    ngx_connection_t       *c;
    ngx_smtp_xclient_t     *xclient;
    ngx_proxy_protocol_t   *pp;

    c = s->connection;
    xclient = s->remote.xclient;
    pp = c->proxy_protocol;

    if (xclient && xclient->dest) {
        return ngx_smtp_client_identity_addr(buf, &xclient->dest_addr.text,
                                             xclient->dest_port);
    }

    addr = &s->remote.addr_text;

    if (pp && pp->src_addr.len == addr->len
        && ngx_memcmp(pp->src_addr.data, addr->data, addr->len) == 0)
    {
        return ngx_smtp_client_identity_addr(buf, &pp->dst_addr,
                                             pp->dst_port);
    }

    if (ngx_connection_local_sockaddr(c, NULL, 0) != NGX_OK
        || c->local_socklen > (socklen_t) sizeof(ngx_sockaddr_t))
    {
        return NULL;
    }

    ngx_memcpy(buf, c->local_sockaddr, c->local_socklen);

    return ngx_smtp_client_identity_unmap(buf);
}


static struct sockaddr *
ngx_smtp_client_identity_addr(ngx_sockaddr_t *buf, ngx_str_t *text,
    in_port_t port)
{
    ngx_memzero(buf, sizeof(ngx_sockaddr_t));

    buf->sockaddr_in.sin_addr.s_addr = ngx_inet_addr(text->data, text->len);

    if (buf->sockaddr_in.sin_addr.s_addr != INADDR_NONE) {
        buf->sockaddr.sa_family = AF_INET;

#if (NGX_HAVE_INET6)

    } else if (ngx_inet6_addr(text->data, text->len,
                              buf->sockaddr_in6.sin6_addr.s6_addr)
               == NGX_OK)
    {
        buf->sockaddr.sa_family = AF_INET6;

#endif

    } else {
        return NULL;
    }

    ngx_inet_set_port(&buf->sockaddr, port);

    return ngx_smtp_client_identity_unmap(buf);
}


/* IPv4 in IPv6 is IPv4: nobody else needs to know how we listen */

static struct sockaddr *
ngx_smtp_client_identity_unmap(ngx_sockaddr_t *buf)
{
#if (NGX_HAVE_INET6)

    in_port_t            port;
    struct in_addr       addr;
    struct sockaddr_in6  *sin6;

    sin6 = &buf->sockaddr_in6;

    if (sin6->sin6_family == AF_INET6
        && IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr))
    {
        port = sin6->sin6_port;
        ngx_memcpy(&addr, &sin6->sin6_addr.s6_addr[12], 4);

        ngx_memzero(buf, sizeof(ngx_sockaddr_t));

        buf->sockaddr_in.sin_family = AF_INET;
        buf->sockaddr_in.sin_port = port;
        buf->sockaddr_in.sin_addr = addr;
    }

#endif

    return &buf->sockaddr;
}


static void
ngx_smtp_client_identity_tls(ngx_smtp_session_t *s, ngx_smtp_proxy_t *proxy,
    u_char *cn)
{
    int          n;
    SSL         *ssl;
    X509        *cert;
    const char  *name;

    if (!s->tls || s->connection->ssl == NULL) {
        return;
    }

    ssl = s->connection->ssl->connection;

    proxy->ssl = 1;

    proxy->ssl_version.data = (u_char *) SSL_get_version(ssl);
    proxy->ssl_version.len = ngx_strlen(proxy->ssl_version.data);

    proxy->ssl_cipher.data = (u_char *) SSL_get_cipher_name(ssl);
    proxy->ssl_cipher.len = ngx_strlen(proxy->ssl_cipher.data);

    name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    if (name) {
        proxy->authority.data = (u_char *) name;
        proxy->authority.len = ngx_strlen(name);
    }

    cert = SSL_get_peer_certificate(ssl);

    if (cert == NULL) {
        return;
    }

    proxy->cert = 1;
    proxy->verified = (SSL_get_verify_result(ssl) == X509_V_OK);

    n = X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName,
                                  (char *) cn, NGX_SMTP_PROXY_TEXT_MAX);

    if (n > 0) {
        proxy->ssl_cn.data = cn;
        proxy->ssl_cn.len = n;
    }

    X509_free(cert);
}


/* with login: who has logged in is to be said here */

static ngx_int_t
ngx_smtp_client_identity_attrs(ngx_smtp_client_identity_t *identity,
    ngx_smtp_session_t *s, ngx_uint_t login, ngx_pool_t *pool)
{
    u_char             *p;
    ngx_str_t           empty, proto;
    ngx_uint_t          i;
    ngx_sockaddr_t      source, destination;
    struct sockaddr    *src, *dst;
    ngx_smtp_remote_t  *remote;

    remote = &s->remote;

    p = ngx_pnalloc(pool, NGX_SMTP_XCLIENT_MAX * NGX_SMTP_ATTR_MAX);
    if (p == NULL) {
        return NGX_ERROR;
    }

    identity->login = login && s->authenticated;

    ngx_str_null(&empty);
    ngx_str_set(&proto, "SMTP");

    if (s->esmtp) {
        ngx_str_set(&proto, "ESMTP");
    }

    src = ngx_smtp_client_identity_source(s, &source);
    dst = ngx_smtp_client_identity_destination(s, &destination);

    for (i = 0; i < NGX_SMTP_XCLIENT_MAX; i++) {

        identity->attrs[i].data = p;

        switch (i) {

        case NGX_SMTP_XCLIENT_NAME:
            p = ngx_smtp_client_identity_name(p, &remote->name,
                                              remote->name_temp);
            break;

        case NGX_SMTP_XCLIENT_REVERSE_NAME:
            p = remote->xclient
                ? ngx_smtp_client_identity_name(p,
                                           &remote->xclient->reverse_name.text,
                                           remote->xclient->reverse_temp)
                : ngx_smtp_client_identity_name(p, &remote->name,
                                                remote->name_temp);
            break;

        case NGX_SMTP_XCLIENT_ADDR:
            p = ngx_smtp_attr_addr_write(p, src);
            break;

        case NGX_SMTP_XCLIENT_PORT:
            p = ngx_smtp_attr_port_write(p, remote->port);
            break;

        case NGX_SMTP_XCLIENT_PROTO:
            p = ngx_smtp_attr_write(p, &proto);
            break;

        case NGX_SMTP_XCLIENT_HELO:
            p = ngx_smtp_attr_write(p, &s->helo);
            break;

        case NGX_SMTP_XCLIENT_LOGIN:
            p = ngx_smtp_attr_write(p, identity->login ? &s->user->name
                                                       : &empty);
            break;

        case NGX_SMTP_XCLIENT_DESTADDR:
            p = ngx_smtp_attr_addr_write(p, dst);
            break;

        default: /* NGX_SMTP_XCLIENT_DESTPORT */
            p = ngx_smtp_attr_port_write(p, dst ? ngx_inet_get_port(dst) : 0);
        }

        identity->attrs[i].len = p - identity->attrs[i].data;
    }

    identity->xclient = 1;

    if (ngx_smtp_helo_valid(s->helo.data, s->helo.data + s->helo.len)
        == NGX_OK)
    {
        identity->helo.len = s->helo.len;
        identity->helo.data = ngx_pstrdup(pool, &s->helo);
        if (identity->helo.data == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static u_char *
ngx_smtp_client_identity_name(u_char *p, ngx_str_t *name, ngx_uint_t temp)
{
    if (name->len == 0 && temp) {
        return ngx_cpymem(p, "[TEMPUNAVAIL]", sizeof("[TEMPUNAVAIL]") - 1);
    }

    return ngx_smtp_attr_write(p, name);
}


ngx_int_t
ngx_smtp_client_identity_header(ngx_smtp_client_t *client)
{
    ssize_t            n;
    ngx_str_t         *proxy;
    ngx_connection_t  *c;

    if (client->identity == NULL || client->identity->proxy.len == 0) {
        return NGX_OK;
    }

    c = client->connection;
    proxy = &client->identity->proxy;

    c->log->action = "sending PROXY protocol header to upstream";

    /* these are the first octets of a connection: there is room for them */

    n = c->send(c, proxy->data, proxy->len);

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (n != (ssize_t) proxy->len) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "could not send PROXY protocol header at once");
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_smtp_client_identity_offer(ngx_smtp_client_t *client)
{
    size_t                       len;
    ngx_uint_t                   i, attrs;
    ngx_smtp_client_identity_t  *identity;

    identity = client->identity;

    if (identity == NULL || !identity->xclient || client->introduced) {
        return NGX_DECLINED;
    }

    attrs = client->caps.xclient;

    /*
     * Without it the server would take us for the client, and maybe the
     * client for one of the house.
     */

    if (attrs & (1 << NGX_SMTP_XCLIENT_ADDR)) {
        /* all that it wants to know */

    } else if (client->conf->xclient == NGX_SMTP_PASS_XCLIENT_ALWAYS) {
        attrs = (1 << NGX_SMTP_XCLIENT_ADDR) | (1 << NGX_SMTP_XCLIENT_NAME)
                | (identity->login << NGX_SMTP_XCLIENT_LOGIN);

    } else {
        ngx_log_error(NGX_LOG_ERR, client->connection->log, 0,
                      "upstream does not offer XCLIENT with ADDR");
        return ngx_smtp_client_identity_failed(client);
    }

    client->state = NGX_SMTP_CLIENT_XCLIENT;
    client->connection->log->action = "introducing client to upstream";

    len = sizeof("XCLIENT") - 1;

    for (i = 0; i < NGX_SMTP_XCLIENT_MAX; i++) {
        if (attrs & (1 << i)) {
            len += 2 + ngx_smtp_xclient_names[i].len + identity->attrs[i].len;
        }
    }

    client->xclient_left = 0;

    if (len > NGX_SMTP_CLIENT_XCLIENT_LINE
        && (attrs & NGX_SMTP_CLIENT_XCLIENT_FIRST))
    {
        client->xclient_left = attrs & ~NGX_SMTP_CLIENT_XCLIENT_FIRST;
        attrs &= NGX_SMTP_CLIENT_XCLIENT_FIRST;
    }

    return ngx_smtp_client_identity_send(client, attrs);
}


/*
 * What does not fit is least missed in this order: HELO, which EHLO says once
 * more, and NAME, of which has to be said that it is not known.
 */

static ngx_int_t
ngx_smtp_client_identity_send(ngx_smtp_client_t *client, ngx_uint_t attrs)
{
    size_t       spare;
    u_char      *last;
    ngx_str_t   *name;
    ngx_uint_t   i;

    if (ngx_smtp_client_quiet(client) != NGX_OK
        || ngx_smtp_client_room(client, NGX_SMTP_CLIENT_XCLIENT_LINE
                                        + sizeof(CRLF) - 1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    name = &client->identity->attrs[NGX_SMTP_XCLIENT_NAME];
    last = client->out.last;

    client->out.last = ngx_cpymem(last, "XCLIENT", sizeof("XCLIENT") - 1);
    spare = (attrs & (1 << NGX_SMTP_XCLIENT_NAME))
            ? sizeof(" NAME=[UNAVAILABLE]") - 1 : 0;

    for (i = 0; i < NGX_SMTP_XCLIENT_MAX; i++) {

        if (i != NGX_SMTP_XCLIENT_NAME && i != NGX_SMTP_XCLIENT_HELO
            && (attrs & (1 << i)))
        {
            (void) ngx_smtp_client_identity_put(client, i, spare);
        }
    }

    if ((attrs & (1 << NGX_SMTP_XCLIENT_NAME))
        && !ngx_smtp_client_identity_put(client, NGX_SMTP_XCLIENT_NAME, 0))
    {
        ngx_str_set(name, "[UNAVAILABLE]");
        (void) ngx_smtp_client_identity_put(client, NGX_SMTP_XCLIENT_NAME, 0);
    }

    if (attrs & (1 << NGX_SMTP_XCLIENT_HELO)) {
        (void) ngx_smtp_client_identity_put(client, NGX_SMTP_XCLIENT_HELO, 0);
    }

    *client->out.last++ = CR; *client->out.last++ = LF;

    return ngx_smtp_client_send(client, client->conf->greeting_timeout);
}


/* the commands begin at out.pos; 0: it does not fit */

static ngx_uint_t
ngx_smtp_client_identity_put(ngx_smtp_client_t *client, ngx_uint_t attr,
    size_t spare)
{
    ngx_buf_t        *b;
    ngx_str_t        *value;
    const ngx_str_t  *name;

    b = &client->out;
    name = &ngx_smtp_xclient_names[attr];
    value = &client->identity->attrs[attr];

    if ((size_t) (b->last - b->pos) + 2 + name->len + value->len + spare
        > NGX_SMTP_CLIENT_XCLIENT_LINE)
    {
        return 0;
    }

    b->last = ngx_sprintf(b->last, " %V=%V", name, value);

    return 1;
}


ngx_int_t
ngx_smtp_client_identity_answer(ngx_smtp_client_t *client)
{
    ngx_uint_t  attrs;

    if (client->reply.code == 220) {

        if (client->xclient_left) {
            attrs = client->xclient_left;
            client->xclient_left = 0;

            return ngx_smtp_client_identity_send(client, attrs);
        }

        client->introduced = 1;

        return ngx_smtp_client_ehlo(client);
    }

    ngx_log_error(NGX_LOG_ERR, client->connection->log, 0,
                  "upstream said to XCLIENT: \"%ui %V\"",
                  client->reply.code, &client->reply.text);

    switch (client->reply.code) {

    case 421:    /* it has no time */
    case 500:
    case 501:
    case 502:
    case 503:
    case 550:    /* "insufficient authorization": of ours */
        return ngx_smtp_client_identity_failed(client);
    }

    if (client->reply.code < 400) {
        return NGX_ERROR;
    }

    /*
     * Anything else stands in place of the greeting, and is what the client
     * would have been told.
     */

    client->verdict = 1;
    client->hopeless = 1;

    return NGX_ERROR;
}


static ngx_int_t
ngx_smtp_client_identity_failed(ngx_smtp_client_t *client)
{
    client->failure = NGX_SMTP_REPLY_SERVER_IDENTITY;
    client->why = NGX_SMTP_NEXT_UNAVAILABLE;

    return NGX_ERROR;
}


ngx_str_t *
ngx_smtp_client_identity_helo(ngx_smtp_client_t *client)
{
    return (client->introduced && client->identity->helo.len)
           ? &client->identity->helo : &client->conf->helo;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <openssl/evp.h>
#include <ngx_smtp_client_private.h>


/*
 * How connections are made, and for whom: the tag, by which kept ones are told
 * apart.  Whatever makes a difference to the next hop is in it.  Where nothing
 * is another for each client it is made with the configuration.
 */


/*
 * A login is in the tag by a digest, so that no secret lies with a kept
 * connection: SHA-256, where two different ones never meet.
 */
#define NGX_SMTP_CLIENT_DIGEST  32


/* of a secret in a file: tokens are the longer ones, as in AUTH of ours */
#define NGX_SMTP_CLIENT_SECRET_MAX  8000


static void ngx_smtp_client_secret_cleanup(void *data);
static ngx_smtp_peer_tag_t *ngx_smtp_client_tag(ngx_pool_t *pool,
    ngx_smtp_relay_conf_t *conf, ngx_smtp_pass_tls_e tls_mode,
    ngx_uint_t lmtp);
static ngx_smtp_login_t *ngx_smtp_client_way_login(ngx_smtp_client_way_t *way,
    ngx_smtp_session_t *s);
static ngx_int_t ngx_smtp_client_way_session(ngx_smtp_session_t *s);
static void ngx_smtp_client_session_cleanup(void *data);
static ngx_smtp_peer_tag_t *ngx_smtp_client_tag_add(ngx_pool_t *pool,
    ngx_smtp_peer_tag_t *base, ngx_smtp_login_t *login, ngx_str_t *text);
static ngx_int_t ngx_smtp_client_digest(ngx_smtp_login_t *login,
    u_char *digest);


ngx_int_t
ngx_smtp_client_secret_read(ngx_conf_t *cf, ngx_str_t *name,
    ngx_smtp_login_t *login)
{
    u_char              *p, *last;
    ssize_t              n;
    ngx_fd_t             fd;
    ngx_str_t            path;
    ngx_pool_cleanup_t  *cln;

    path = *name;

    if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    login->secret.data = ngx_pnalloc(cf->pool, NGX_SMTP_CLIENT_SECRET_MAX + 2);
    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (login->secret.data == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_smtp_client_secret_cleanup;
    cln->data = login->secret.data;

    fd = ngx_open_file(path.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", &path);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, login->secret.data, NGX_SMTP_CLIENT_SECRET_MAX + 2);

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed", &path);
        (void) ngx_close_file(fd);
        return NGX_ERROR;
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &path);
    }

    last = login->secret.data + n;

    for (p = login->secret.data; p < last; p++) {

        if (*p < 0x20 || *p == 0x7f
            || (login->token && (*p == ' ' || *p > 0x7f)))
        {
            break;
        }
    }

    login->secret.len = p - login->secret.data;

    if (p < last && *p == CR) {
        p++;
    }

    /* what is behind the first line is not looked at, but it has to end */

    if (login->secret.len == 0
        || login->secret.len > NGX_SMTP_CLIENT_SECRET_MAX
        || (p < last && *p != LF))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no %s of at most %d octets in \"%V\"",
                           login->token ? "token" : "password",
                           NGX_SMTP_CLIENT_SECRET_MAX, &path);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_smtp_client_secret_cleanup(void *data)
{
    ngx_explicit_memzero(data, NGX_SMTP_CLIENT_SECRET_MAX + 2);
}


ngx_int_t
ngx_smtp_client_tags(ngx_pool_t *pool, ngx_smtp_relay_conf_t *conf)
{
    ngx_uint_t            i, lmtp;
    ngx_smtp_peer_tag_t  *tag;

    for (i = 0; i < NGX_SMTP_PASS_TLS_MAX; i++) {

        for (lmtp = 0; lmtp < 2; lmtp++) {

            tag = ngx_smtp_client_tag(pool, conf, i, lmtp);

            if (tag && conf->auth.mode == NGX_SMTP_PASS_AUTH_OWN) {
                tag = ngx_smtp_client_tag_add(pool, tag, &conf->auth.own,
                                              NULL);
            }

            if (tag == NULL) {
                return NGX_ERROR;
            }

            conf->tags[i][lmtp] = tag;
        }
    }

    return NGX_OK;
}


static ngx_smtp_peer_tag_t *
ngx_smtp_client_tag(ngx_pool_t *pool, ngx_smtp_relay_conf_t *conf,
    ngx_smtp_pass_tls_e tls_mode, ngx_uint_t lmtp)
{
    u_char               *p;
    ngx_smtp_peer_tls_t  *tls;
    ngx_smtp_peer_tag_t  *tag;

    tls = (tls_mode == NGX_SMTP_PASS_TLS_OFF) ? NULL : conf->tls.tls;

    tag = ngx_pcalloc(pool, sizeof(ngx_smtp_peer_tag_t));
    p = ngx_pnalloc(pool, 3 + sizeof(ngx_smtp_peer_tls_t *) + conf->helo.len);

    if (tag == NULL || p == NULL) {
        return NULL;
    }

    tag->data = p;

    *p++ = (u_char) tls_mode;
    *p++ = (u_char) lmtp;
    *p++ = (u_char) conf->xforward;
    p = ngx_cpymem(p, &tls, sizeof(ngx_smtp_peer_tls_t *));
    p = ngx_cpymem(p, conf->helo.data, conf->helo.len);

    tag->len = p - tag->data;
    tag->hash = ngx_crc32_short(tag->data, tag->len);

    return tag;
}


ngx_int_t
ngx_smtp_client_way(ngx_smtp_client_way_t *way, ngx_smtp_relay_conf_t *conf,
    ngx_smtp_dest_t *dest, ngx_smtp_session_t *s, ngx_pool_t *pool)
{
    ngx_str_t          text;
    ngx_uint_t         identified;
    ngx_smtp_login_t  *login;

    identified = (conf->proxy_protocol != NGX_SMTP_PASS_PROXY_OFF
                  || conf->xclient != NGX_SMTP_PASS_XCLIENT_OFF);

    ngx_memzero(way, sizeof(ngx_smtp_client_way_t));

    way->conf = conf;
    way->lmtp = dest->type->each;

    way->tls_mode = (dest->type == &ngx_smtp_dest_smtps)
                    ? NGX_SMTP_PASS_TLS_IMPLICIT : conf->tls_mode;

    way->tag = conf->tags[way->tls_mode][way->lmtp];

    login = ngx_smtp_client_way_login(way, s);

    if (way->no_login || (login == NULL && !identified)) {
        return NGX_OK;
    }

    if (identified
        && ngx_smtp_client_identity_make(way, s, pool, &text) != NGX_OK)
    {
        return NGX_ERROR;
    }

    way->made = 1;

    way->tag = ngx_smtp_client_tag_add(pool, way->tag, login,
                                       identified ? &text : NULL);
    if (way->tag == NULL) {
        return NGX_ERROR;
    }

    if (identified) {
        /* with the client's port in it, which is this session's */
        way->tag->owner = s->connection->number;
        return ngx_smtp_client_way_session(s);
    }

    return NGX_OK;
}


/* the login that is another for each client, or NULL */

static ngx_smtp_login_t *
ngx_smtp_client_way_login(ngx_smtp_client_way_t *way, ngx_smtp_session_t *s)
{
    switch (way->conf->auth.mode) {

    case NGX_SMTP_PASS_AUTH_OWN:
        way->login = way->conf->auth.own;
        return NULL;

    case NGX_SMTP_PASS_AUTH_CLIENT:

        if (!s->authenticated) {
            return NULL;
        }

        /* what the service gave comes first, see ngx_smtp_auth_keep() */

        way->login.user = s->user->name;
        way->login.token = (s->user->passwd.len == 0);
        way->login.secret = way->login.token ? s->user->token
                                             : s->user->passwd;

        if (way->login.secret.len == 0) {
            way->no_login = 1;

            ngx_log_error(NGX_LOG_ERR, s->connection->log, 0,
                          "client has logged in without anything that could "
                          "be used for a login to upstream");
            return NULL;
        }

        return &way->login;

    default: /* NGX_SMTP_PASS_AUTH_OFF */
        return NULL;
    }
}


/* at the end of the session its connections are of no use to anybody */

static ngx_int_t
ngx_smtp_client_way_session(ngx_smtp_session_t *s)
{
    ngx_pool_t          *pool;
    ngx_pool_cleanup_t  *cln;

    pool = s->connection->pool;

    for (cln = pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_smtp_client_session_cleanup) {
            return NGX_OK;
        }
    }

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_smtp_client_session_cleanup;
    cln->data = (void *) (uintptr_t) s->connection->number;

    return NGX_OK;
}


static void
ngx_smtp_client_session_cleanup(void *data)
{
    ngx_smtp_peer_forget((ngx_uint_t) (uintptr_t) data);
}


/* login and text may be NULL */

static ngx_smtp_peer_tag_t *
ngx_smtp_client_tag_add(ngx_pool_t *pool, ngx_smtp_peer_tag_t *base,
    ngx_smtp_login_t *login, ngx_str_t *text)
{
    u_char               *p;
    ngx_smtp_peer_tag_t  *tag;

    tag = ngx_pcalloc(pool, sizeof(ngx_smtp_peer_tag_t));
    if (tag == NULL) {
        return NULL;
    }

    tag->len = base->len + 1 + (login ? NGX_SMTP_CLIENT_DIGEST : 0)
               + (text ? 1 + text->len : 0);

    p = ngx_pnalloc(pool, tag->len);
    if (p == NULL) {
        return NULL;
    }

    tag->data = p;

    /* a name of a server has none of these: this is no longer name */

    p = ngx_cpymem(p, base->data, base->len);
    *p++ = login ? '\1' : '\0';

    if (login) {
        if (ngx_smtp_client_digest(login, p) != NGX_OK) {
            return NULL;
        }

        p += NGX_SMTP_CLIENT_DIGEST;
    }

    if (text) {
        *p++ = '\0';
        ngx_memcpy(p, text->data, text->len);
    }

    tag->hash = ngx_crc32_long(tag->data, tag->len);

    return tag;
}


static ngx_int_t
ngx_smtp_client_digest(ngx_smtp_login_t *login, u_char *digest)
{
    u_char        kind;
    ngx_int_t     rc;
    EVP_MD_CTX   *md;

    md = EVP_MD_CTX_create();
    if (md == NULL) {
        return NGX_ERROR;
    }

    /* the name has no null octet, and the kind is the last one */

    kind = (u_char) login->token;

    rc = (EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1
          && EVP_DigestUpdate(md, login->user.data, login->user.len) == 1
          && EVP_DigestUpdate(md, "\0", 1) == 1
          && EVP_DigestUpdate(md, login->secret.data, login->secret.len) == 1
          && EVP_DigestUpdate(md, &kind, 1) == 1
          && EVP_DigestFinal_ex(md, digest, NULL) == 1)
         ? NGX_OK : NGX_ERROR;

    EVP_MD_CTX_destroy(md);

    return rc;
}


ngx_smtp_peer_tag_t *
ngx_smtp_client_tag_keep(ngx_smtp_client_way_t *way, ngx_pool_t *pool)
{
    ngx_smtp_peer_tag_t  *tag;

    if (!way->made) {
        return way->tag;
    }

    tag = ngx_palloc(pool, sizeof(ngx_smtp_peer_tag_t));
    if (tag == NULL) {
        return NULL;
    }

    *tag = *way->tag;

    tag->data = ngx_pnalloc(pool, tag->len);
    if (tag->data == NULL) {
        return NULL;
    }

    ngx_memcpy(tag->data, way->tag->data, tag->len);

    return tag;
}


ngx_uint_t
ngx_smtp_client_loops(ngx_smtp_peer_t *peer, ngx_smtp_session_t *s)
{
    ngx_uint_t         level;
    ngx_connection_t  *c;

    c = s ? s->connection : NULL;

    /* the socket's own address, where "listen" has none */

    if (c == NULL || ngx_connection_local_sockaddr(c, NULL, 0) != NGX_OK
        || ngx_cmp_sockaddr(c->local_sockaddr, c->local_socklen,
                            peer->sockaddr, peer->socklen, 1)
           != NGX_OK)
    {
        return 0;
    }

    level = peer->outage ? NGX_LOG_INFO : NGX_LOG_ERR;

    ngx_log_error(level, peer->log, 0,
                  "upstream %V is this server itself: mail would loop",
                  &peer->name);

    return 1;
}

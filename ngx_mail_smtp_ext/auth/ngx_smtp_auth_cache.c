
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_zone.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_auth_private.h>


/*
 * Answers of the auth service about passwords, tokens and recipients, kept for
 * a while in a shared zone.  A service may go by the client's address and by
 * TLS, so they are part of the question; what is bound to one exchange
 * (CRAM-MD5) or to a certificate is not kept, nor is a password or token for
 * the next hop.
 */


#define NGX_SMTP_AUTH_CACHE_MECHS                                            \
    (NGX_SMTP_SASL_PLAIN|NGX_SMTP_SASL_LOGIN                                 \
     |NGX_SMTP_SASL_OAUTHBEARER|NGX_SMTP_SASL_XOAUTH2)

/* strings of an answer, in their order */
#define NGX_SMTP_AUTH_CACHE_STRINGS  5

/* of a question */
#define NGX_SMTP_AUTH_CACHE_FIELDS   14


/* what is kept; its strings follow */
typedef struct {
    ngx_int_t             rc;            /* NGX_OK, NGX_DECLINED */
    off_t                 max_size;
    ngx_uint_t            max_rcpt;
    ngx_uint_t            code;
    ngx_smtp_enhanced_t   enhanced;
    ngx_msec_t            wait;
    size_t                len[NGX_SMTP_AUTH_CACHE_STRINGS];
} ngx_smtp_auth_cached_t;


static ngx_int_t ngx_smtp_auth_cache_key(ngx_smtp_sasl_t *sasl, u_char *key);
static ngx_int_t ngx_smtp_auth_cache_read(ngx_smtp_sasl_t *sasl,
    ngx_smtp_zone_entry_t *entry, ngx_str_t *route);
static void ngx_smtp_auth_cache_unread(ngx_smtp_sasl_t *sasl);
static void ngx_smtp_auth_cache_strings(ngx_smtp_sasl_t *sasl,
    ngx_str_t *route, ngx_str_t **strings);


ngx_int_t
ngx_smtp_auth_cache_find(ngx_smtp_sasl_t *sasl)
{
    ngx_int_t               rc;
    ngx_str_t               route;
    ngx_smtp_auth_conf_t   *conf;
    ngx_smtp_zone_entry_t  *entry;

    conf = ngx_smtp_session_srv_conf(sasl->session,
                                     ngx_mail_smtp_ext_auth_module);

    if (conf->cache_zone == NULL
        || !((sasl->mech->bit & NGX_SMTP_AUTH_CACHE_MECHS)
             || sasl->mech->nobody)
        || ngx_mail_smtp_ext_auth_verify(sasl->session)
        || ngx_smtp_auth_cache_key(sasl, sasl->cache_key) != NGX_OK)
    {
        return NGX_AGAIN;
    }

    sasl->cacheable = 1;

    ngx_smtp_zone_lock(conf->cache_zone);

    entry = ngx_smtp_zone_find(conf->cache_zone, sasl->cache_key);

    rc = entry ? ngx_smtp_auth_cache_read(sasl, entry, &route) : NGX_AGAIN;

    ngx_smtp_zone_unlock(conf->cache_zone);

    /* a route may be allowed no longer, after a reload */

    if (rc == NGX_OK && route.len
        && ngx_smtp_cred_route(sasl, &route) != NGX_OK)
    {
        ngx_smtp_auth_cache_unread(sasl);
        return NGX_AGAIN;
    }

    if (rc != NGX_AGAIN) {
        sasl->cacheable = 0;

        ngx_log_debug1(NGX_LOG_DEBUG_MAIL, sasl->session->connection->log, 0,
                       "smtp auth: from cache: %i", rc);
    }

    return rc;
}


void
ngx_smtp_auth_cache_store(ngx_smtp_sasl_t *sasl, ngx_int_t rc)
{
    u_char                  *p;
    size_t                   len;
    ngx_str_t                route, *strings[NGX_SMTP_AUTH_CACHE_STRINGS];
    ngx_uint_t               i;
    ngx_msec_t               time;
    ngx_smtp_auth_conf_t    *conf;
    ngx_smtp_zone_entry_t   *entry;
    ngx_smtp_auth_cached_t  *cached;

    if (!sasl->cacheable) {
        return;
    }

    sasl->cacheable = 0;

    conf = ngx_smtp_session_srv_conf(sasl->session,
                                     ngx_mail_smtp_ext_auth_module);

    time = (rc == NGX_OK) ? conf->cache_valid : conf->cache_negative;
    time = ngx_min(time, sasl->max_age);

    /* a refusal for now is over soon */

    if (time == 0 || sasl->passwd.len || sasl->bearer.len
        || sasl->code / 100 == 4)
    {
        return;
    }

    ngx_str_null(&route);

    if (sasl->route) {
        route = sasl->route->url;
    }

    ngx_smtp_auth_cache_strings(sasl, &route, strings);

    len = sizeof(ngx_smtp_auth_cached_t);

    for (i = 0; i < NGX_SMTP_AUTH_CACHE_STRINGS; i++) {
        len += strings[i]->len;
    }

    ngx_smtp_zone_lock(conf->cache_zone);

    entry = ngx_smtp_zone_insert(conf->cache_zone, sasl->cache_key, len, time);

    if (entry) {
        cached = ngx_smtp_zone_data(entry);

        cached->rc = rc;
        cached->max_size = sasl->rights.max_size;
        cached->max_rcpt = sasl->rights.max_rcpt;
        cached->code = sasl->code;
        cached->enhanced = sasl->enhanced;
        cached->wait = sasl->wait;

        p = (u_char *) (cached + 1);

        for (i = 0; i < NGX_SMTP_AUTH_CACHE_STRINGS; i++) {
            cached->len[i] = strings[i]->len;

            if (strings[i]->len) {
                p = ngx_cpymem(p, strings[i]->data, strings[i]->len);
            }
        }
    }

    ngx_smtp_zone_unlock(conf->cache_zone);
}


/* all that the service is asked with and may go by */

static ngx_int_t
ngx_smtp_auth_cache_key(ngx_smtp_sasl_t *sasl, u_char *key)
{
    u_char                 flags[2];
    ngx_str_t              fields[NGX_SMTP_AUTH_CACHE_FIELDS];
    ngx_smtp_session_t    *s;
    ngx_smtp_auth_conf_t  *conf;
    ngx_proxy_protocol_t  *pp;

    s = sasl->session;
    pp = s->connection->proxy_protocol;
    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_auth_module);

    ngx_memzero(fields, sizeof(fields));

    flags[0] = s->tls ? '1' : '0';

    /* an answer is kept where a secret for the next hop is not looked at */

    flags[1] = s->service->keep_passwd ? '1' : '0';

    fields[0] = conf->http->text;
    fields[1] = conf->http_fields.text;
    fields[2] = sasl->mech->http_name;
    fields[3] = sasl->user;
    fields[4] = sasl->secret;
    fields[5] = sasl->token;
    fields[6].len = sizeof(flags);
    fields[6].data = flags;

    if (!conf->cache_any_address) {
        fields[7] = s->remote.addr_text;
    }

    if (pp) {

        /* it is told of these, be they believed here or not */

        if (!conf->cache_any_address) {
            fields[11] = pp->src_addr;
        }

        fields[12] = pp->dst_addr;
        fields[13].len = sizeof(pp->dst_port);
        fields[13].data = (u_char *) &pp->dst_port;
    }

    if (sasl->mech->nobody) {

        /* it is the recipient that is in question */

        fields[8] = s->helo;
        fields[9] = s->tx->mail_from;
        fields[10] = s->tx->rcpt->given;
    }

    return ngx_smtp_zone_hash('c', fields, NGX_SMTP_AUTH_CACHE_FIELDS, key,
                              s->connection->log);
}


/* copies it, since the entry lives as long as the lock is held */

static ngx_int_t
ngx_smtp_auth_cache_read(ngx_smtp_sasl_t *sasl, ngx_smtp_zone_entry_t *entry,
    ngx_str_t *route)
{
    u_char                  *p;
    ngx_str_t               *strings[NGX_SMTP_AUTH_CACHE_STRINGS];
    ngx_uint_t               i;
    ngx_smtp_auth_cached_t  *cached;

    cached = ngx_smtp_zone_data(entry);

    p = ngx_pnalloc(sasl->pool, entry->len - sizeof(ngx_smtp_auth_cached_t)
                                + 1);
    if (p == NULL) {
        return NGX_AGAIN;
    }

    ngx_memcpy(p, cached + 1, entry->len - sizeof(ngx_smtp_auth_cached_t));

    ngx_smtp_auth_cache_strings(sasl, route, strings);

    for (i = 0; i < NGX_SMTP_AUTH_CACHE_STRINGS; i++) {
        strings[i]->data = p;
        strings[i]->len = cached->len[i];

        p += cached->len[i];
    }

    sasl->rights.max_size = cached->max_size;
    sasl->rights.max_rcpt = cached->max_rcpt;
    sasl->code = cached->code;
    sasl->enhanced = cached->enhanced;
    sasl->wait = cached->wait;

    return cached->rc;
}


/* nothing of it is to be left beside the answer to come */

static void
ngx_smtp_auth_cache_unread(ngx_smtp_sasl_t *sasl)
{
    ngx_str_t   route, *strings[NGX_SMTP_AUTH_CACHE_STRINGS];
    ngx_uint_t  i;

    ngx_smtp_auth_cache_strings(sasl, &route, strings);

    for (i = 0; i < NGX_SMTP_AUTH_CACHE_STRINGS; i++) {
        ngx_str_null(strings[i]);
    }

    ngx_memzero(&sasl->rights, sizeof(ngx_smtp_rights_t));
    ngx_memzero(&sasl->enhanced, sizeof(ngx_smtp_enhanced_t));

    sasl->code = 0;
    sasl->wait = 0;
}


static void
ngx_smtp_auth_cache_strings(ngx_smtp_sasl_t *sasl, ngx_str_t *route,
    ngx_str_t **strings)
{
    strings[0] = &sasl->login;
    strings[1] = &sasl->server;
    strings[2] = &sasl->rights.senders;
    strings[3] = &sasl->message;
    strings[4] = route;
}

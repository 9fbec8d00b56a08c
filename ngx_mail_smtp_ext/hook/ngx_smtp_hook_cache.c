
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <ngx_smtp_hook.h>


/*
 * Answers about recipients, kept for a while in a shared zone, as they came:
 * they are read and followed each time as if they had just come, since what
 * may be done can have changed.  Keys are HMACs, for what they are made of is
 * anybody's.
 */


#define NGX_SMTP_HOOK_CACHE_SECRET  32
#define NGX_SMTP_HOOK_CACHE_FIELDS  6


static ngx_int_t ngx_smtp_hook_cache_key(ngx_smtp_hook_run_t *run);


/* the same for all workers, and after a reload */
static u_char      ngx_smtp_hook_cache_secret[NGX_SMTP_HOOK_CACHE_SECRET];
static ngx_uint_t  ngx_smtp_hook_cache_secret_made;


ngx_int_t
ngx_smtp_hook_cache_init(ngx_conf_t *cf)
{
    if (ngx_smtp_hook_cache_secret_made) {
        return NGX_OK;
    }

    if (RAND_bytes(ngx_smtp_hook_cache_secret, NGX_SMTP_HOOK_CACHE_SECRET)
        != 1)
    {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0, "RAND_bytes() failed");
        return NGX_ERROR;
    }

    ngx_smtp_hook_cache_secret_made = 1;

    return NGX_OK;
}


ngx_int_t
ngx_smtp_hook_cache_find(ngx_smtp_hook_run_t *run, ngx_str_t *text)
{
    ngx_shm_zone_t         *zone;
    ngx_smtp_zone_entry_t  *entry;

    zone = run->hook->cache;
    run->keyed = 0;

    if (zone == NULL || run->stage != NGX_SMTP_HOOK_RCPT
        || ngx_smtp_hook_cache_key(run) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    run->keyed = 1;

    ngx_str_null(text);

    ngx_smtp_zone_lock(zone);

    entry = ngx_smtp_zone_find(zone, run->key);

    if (entry) {
        text->data = ngx_pnalloc(run->pool, entry->len);

        if (text->data) {
            ngx_memcpy(text->data, ngx_smtp_zone_data(entry), entry->len);
            text->len = entry->len;
        }
    }

    ngx_smtp_zone_unlock(zone);

    if (text->data == NULL) {
        return NGX_DECLINED;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_MAIL, run->session->connection->log, 0,
                   "smtp hook: from cache: \"%V\"", text);

    return NGX_OK;
}


void
ngx_smtp_hook_cache_store(ngx_smtp_hook_run_t *run)
{
    ngx_str_t              *text;
    ngx_msec_t              time;
    ngx_smtp_hook_t        *hook;
    ngx_smtp_zone_entry_t  *entry;

    hook = run->hook;
    text = &run->http.answer;

    if (!run->keyed) {
        return;
    }

    time = ngx_min(hook->cache_valid, ngx_smtp_http_max_age(&run->http));

    /* a refusal for now is over soon */

    if (time == 0 || run->rcpt->verdict.code / 100 == 4) {
        return;
    }

    ngx_smtp_zone_lock(hook->cache);

    entry = ngx_smtp_zone_insert(hook->cache, run->key, text->len, time);

    if (entry) {
        ngx_memcpy(ngx_smtp_zone_data(entry), text->data, text->len);
    }

    ngx_smtp_zone_unlock(hook->cache);
}


/* with lengths, so that no other fields make the same text */

static ngx_int_t
ngx_smtp_hook_cache_key(ngx_smtp_hook_run_t *run)
{
    u_char              *p;
    size_t               len;
    ngx_str_t            text, fields[NGX_SMTP_HOOK_CACHE_FIELDS];
    ngx_uint_t           i, by;
    unsigned int         size;
    ngx_smtp_session_t  *s;

    s = run->session;
    by = run->hook->cache_by;

    ngx_memzero(fields, sizeof(fields));

    fields[0] = run->hook->url.text;
    fields[1] = run->conf->fields.text;

    if (by & NGX_SMTP_HOOK_BY_CLIENT) {
        fields[2] = s->remote.addr_text;
    }

    if (by & NGX_SMTP_HOOK_BY_LOGIN) {
        fields[3] = s->user->name;
    }

    if (by & NGX_SMTP_HOOK_BY_SENDER) {
        fields[4] = run->tx->mail_from;
    }

    if (by & NGX_SMTP_HOOK_BY_RECIPIENT) {
        fields[5] = run->rcpt->addr;
    }

    text.len = 0;

    for (i = 0; i < NGX_SMTP_HOOK_CACHE_FIELDS; i++) {
        text.len += sizeof(size_t) + fields[i].len;
    }

    text.data = ngx_pnalloc(run->pool, text.len);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    p = text.data;

    for (i = 0; i < NGX_SMTP_HOOK_CACHE_FIELDS; i++) {
        len = fields[i].len;
        p = ngx_cpymem(p, &len, sizeof(size_t));

        if (len) {
            p = ngx_cpymem(p, fields[i].data, len);
        }
    }

    return HMAC(EVP_sha256(), ngx_smtp_hook_cache_secret,
                NGX_SMTP_HOOK_CACHE_SECRET, text.data, text.len, run->key,
                &size)
           ? NGX_OK : NGX_ERROR;
}

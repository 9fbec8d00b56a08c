
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_hook.h>


/*
 * Answers about recipients, kept for a while in a shared zone, as they came:
 * they are read and followed each time as if they had just come, since what
 * may be done can have changed.
 */


#define NGX_SMTP_HOOK_CACHE_FIELDS  6


static ngx_int_t ngx_smtp_hook_cache_key(ngx_smtp_hook_run_t *run);


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


static ngx_int_t
ngx_smtp_hook_cache_key(ngx_smtp_hook_run_t *run)
{
    ngx_str_t            fields[NGX_SMTP_HOOK_CACHE_FIELDS];
    ngx_uint_t           by;
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

    return ngx_smtp_zone_hash('h', fields, NGX_SMTP_HOOK_CACHE_FIELDS,
                              run->key, s->connection->log);
}

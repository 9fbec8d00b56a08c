
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_text.h>
#include <ngx_smtp_peer.h>


/*
 * What "hash" in smtp_upstream{} is by: a text with variables, of the session
 * and of its transaction, if it has one by then.
 */


static void *ngx_smtp_route_key_compile(ngx_conf_t *cf, ngx_str_t *text);
static ngx_int_t ngx_smtp_route_key_value(void *key, void *session,
    ngx_pool_t *pool, ngx_str_t *value);


const ngx_smtp_peer_key_t  ngx_smtp_route_key = {
    ngx_smtp_route_key_compile,
    ngx_smtp_route_key_value
};


static void *
ngx_smtp_route_key_compile(ngx_conf_t *cf, ngx_str_t *text)
{
    return ngx_smtp_text_compile(cf, text);
}


static ngx_int_t
ngx_smtp_route_key_value(void *key, void *session, ngx_pool_t *pool,
    ngx_str_t *value)
{
    ngx_smtp_session_t  *s = session;

    return ngx_smtp_text_make(key, s, s->tx, pool, value);
}

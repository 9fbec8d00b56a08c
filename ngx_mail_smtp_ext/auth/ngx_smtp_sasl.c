
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_auth_private.h>


/*
 * The life of an authentication exchange, from AUTH to its last reply, and
 * what every mechanism needs: base64 as RFC 4954, 4 wants it, and memory for
 * secrets that does not outlive the exchange.
 */


/* the structure, a user, a password, the request to a service */
#define NGX_SMTP_SASL_POOL_SIZE  4096


static void ngx_smtp_sasl_end(ngx_smtp_op_t *op);
static ngx_uint_t ngx_smtp_sasl_base64_valid(ngx_str_t *text);
static ngx_int_t ngx_smtp_sasl_base64_value(u_char ch);


ngx_uint_t
ngx_smtp_sasl_offered(ngx_smtp_session_t *s)
{
    ngx_uint_t                   i, bits;
    ngx_smtp_auth_conf_t        *conf;
    const ngx_smtp_sasl_mech_t  *mech;

    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_auth_module);

    if (conf->http == NULL) {
        return 0;
    }

    bits = 0;

    for (i = 0; ngx_smtp_sasl_table[i]; i++) {
        mech = ngx_smtp_sasl_table[i];

        if (!(conf->methods & mech->bit)
            || (mech->plaintext && conf->require_tls && !s->tls)
            || (mech->usable && !mech->usable(s)))
        {
            continue;
        }

        bits |= mech->bit;
    }

    return bits;
}


ngx_smtp_sasl_t *
ngx_smtp_sasl_create(ngx_smtp_session_t *s, const ngx_smtp_sasl_mech_t *mech)
{
    ngx_pool_t       *pool;
    ngx_smtp_sasl_t  *sasl;

    pool = ngx_create_pool(NGX_SMTP_SASL_POOL_SIZE, s->connection->log);
    if (pool == NULL) {
        return NULL;
    }

    sasl = ngx_pcalloc(pool, sizeof(ngx_smtp_sasl_t));
    if (sasl == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    sasl->pool = pool;
    sasl->session = s;
    sasl->mech = mech;
    sasl->max_age = NGX_CONF_UNSET_MSEC;

    ngx_queue_init(&sasl->ops);

    /* not to be finished, only cancelled: by us or by the session's end */

    ngx_smtp_op_start(&sasl->life, &s->ops, NULL, sasl, s->connection->log);

    sasl->life.worker = sasl;
    sasl->life.cancel = ngx_smtp_sasl_end;

    s->auth = sasl;

    return sasl;
}


void
ngx_smtp_sasl_destroy(ngx_smtp_sasl_t *sasl)
{
    ngx_smtp_op_cancel(&sasl->life);
}


static void
ngx_smtp_sasl_end(ngx_smtp_op_t *op)
{
    ngx_smtp_sasl_t  *sasl;

    sasl = op->worker;

    ngx_smtp_op_cancel_all(&sasl->ops);

    if (sasl->timer.timer_set) {
        ngx_del_timer(&sasl->timer);
    }

    ngx_smtp_sasl_forget(sasl);

    sasl->session->auth = NULL;

    ngx_destroy_pool(sasl->pool);
}


u_char *
ngx_smtp_sasl_alloc(ngx_smtp_sasl_t *sasl, size_t len)
{
    ngx_smtp_sasl_secret_t  *item;

    item = ngx_palloc(sasl->pool, sizeof(ngx_smtp_sasl_secret_t));
    if (item == NULL) {
        return NULL;
    }

    item->data = ngx_pnalloc(sasl->pool, len);
    if (item->data == NULL) {
        return NULL;
    }

    item->len = len;
    item->next = sasl->secrets;
    sasl->secrets = item;

    return item->data;
}


void
ngx_smtp_sasl_forget(ngx_smtp_sasl_t *sasl)
{
    ngx_smtp_sasl_secret_t  *item;

    for (item = sasl->secrets; item; item = item->next) {
        ngx_explicit_memzero(item->data, item->len);
    }

    sasl->secrets = NULL;

    ngx_str_null(&sasl->challenge);
    ngx_str_null(&sasl->authzid);
    ngx_str_null(&sasl->user);
    ngx_str_null(&sasl->secret);
    ngx_str_null(&sasl->salt);
    ngx_str_null(&sasl->token);
    ngx_str_null(&sasl->passwd);
    ngx_str_null(&sasl->bearer);

    ngx_memzero(&sasl->keys, sizeof(ngx_smtp_sasl_keys_t));
}


ngx_int_t
ngx_smtp_sasl_decode(ngx_smtp_sasl_t *sasl, ngx_str_t *dst, ngx_str_t *src)
{
    if (!ngx_smtp_sasl_base64_valid(src)) {
        return NGX_DECLINED;
    }

    /* one octet at least: an empty response differs from none */

    dst->data = ngx_smtp_sasl_alloc(sasl,
                                    ngx_base64_decoded_length(src->len) + 1);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    dst->len = 0;

    if (src->len && ngx_decode_base64(dst, src) != NGX_OK) {
        return NGX_DECLINED;
    }

    ngx_explicit_memzero(src->data, src->len);

    return NGX_OK;
}


/*
 * ngx_decode_base64() stops at the first "=", takes lengths that no encoder
 * makes and drops bits: RFC 4954, 4 has all of these refused.
 */

static ngx_uint_t
ngx_smtp_sasl_base64_valid(ngx_str_t *text)
{
    size_t      i, len;
    ngx_int_t   value;
    ngx_uint_t  pad;

    len = text->len;

    if (len % 4) {
        return 0;
    }

    for (pad = 0; pad < 2 && len && text->data[len - 1] == '='; pad++) {
        len--;
    }

    value = 0;

    for (i = 0; i < len; i++) {
        value = ngx_smtp_sasl_base64_value(text->data[i]);

        if (value == NGX_ERROR) {
            return 0;
        }
    }

    /* RFC 4648, 3.5: bits that belong to no octet are zero */

    return (value & (pad == 2 ? 0x0f : pad == 1 ? 0x03 : 0)) == 0;
}


static ngx_int_t
ngx_smtp_sasl_base64_value(u_char ch)
{
    if (ch >= 'A' && ch <= 'Z') {
        return ch - 'A';
    }

    if (ch >= 'a' && ch <= 'z') {
        return ch - 'a' + 26;
    }

    if (ch >= '0' && ch <= '9') {
        return ch - '0' + 52;
    }

    return ch == '+' ? 62 : ch == '/' ? 63 : NGX_ERROR;
}


ngx_int_t
ngx_smtp_sasl_encode(ngx_smtp_sasl_t *sasl, ngx_str_t *dst, ngx_str_t *src)
{
    dst->data = ngx_smtp_sasl_alloc(sasl,
                                    ngx_base64_encoded_length(src->len) + 1);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64(dst, src);

    return NGX_OK;
}


ngx_uint_t
ngx_smtp_sasl_user_valid(ngx_str_t *user)
{
    size_t  i;

    if (user->len == 0 || user->len > NGX_SMTP_SASL_USER_MAX) {
        return 0;
    }

    /* RFC 4013, 2.3 prohibits them, and names go into logs and headers */

    for (i = 0; i < user->len; i++) {
        if (user->data[i] < ' ' || user->data[i] == 0x7f) {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_smtp_sasl_random(ngx_smtp_sasl_t *sasl, u_char *p, size_t len)
{
    if (RAND_bytes(p, (int) len) == 1) {
        return NGX_OK;
    }

    ngx_ssl_error(NGX_LOG_CRIT, sasl->session->connection->log, 0,
                  "RAND_bytes() failed");

    return NGX_ERROR;
}

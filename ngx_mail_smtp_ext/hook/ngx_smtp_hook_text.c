
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_hook.h>


/*
 * JSON as it is written to a hook.  Keys are ours, values are anybody's: they
 * come through ngx_smtp_json_escape() only.
 */


#define NGX_SMTP_HOOK_TEXT_SIZE  1024


static u_char *ngx_smtp_hook_text_room(ngx_smtp_hook_text_t *text,
    size_t len);
static void ngx_smtp_hook_text_key(ngx_smtp_hook_text_t *text, char *key);


void
ngx_smtp_hook_text_init(ngx_smtp_hook_text_t *text, ngx_pool_t *pool)
{
    ngx_memzero(text, sizeof(ngx_smtp_hook_text_t));

    text->pool = pool;
}


static u_char *
ngx_smtp_hook_text_room(ngx_smtp_hook_text_t *text, size_t len)
{
    u_char  *p;
    size_t   used, size;

    if (text->failed) {
        return NULL;
    }

    if ((size_t) (text->end - text->last) >= len) {
        return text->last;
    }

    used = text->last - text->start;
    size = ngx_max(2 * (size_t) (text->end - text->start),
                   NGX_SMTP_HOOK_TEXT_SIZE);
    size = ngx_max(size, used + len);

    p = ngx_pnalloc(text->pool, size);
    if (p == NULL) {
        text->failed = 1;
        return NULL;
    }

    if (used) {
        ngx_memcpy(p, text->start, used);
        (void) ngx_pfree(text->pool, text->start);
    }

    text->start = p;
    text->last = p + used;
    text->end = p + size;

    return text->last;
}


void
ngx_smtp_hook_text_raw(ngx_smtp_hook_text_t *text, char *literal)
{
    u_char  *p;
    size_t   len;

    len = ngx_strlen(literal);

    p = ngx_smtp_hook_text_room(text, len);
    if (p == NULL) {
        return;
    }

    text->last = ngx_cpymem(p, literal, len);
}


void
ngx_smtp_hook_text_str(ngx_smtp_hook_text_t *text, ngx_str_t *value)
{
    u_char           *p, *last;
    size_t            len;
    ngx_smtp_json_t   js;

    last = value->data + value->len;

    ngx_memzero(&js, sizeof(ngx_smtp_json_t));

    len = ngx_smtp_json_escape(&js, NULL, value->data, last);
    len += ngx_smtp_json_end(&js, NULL);

    p = ngx_smtp_hook_text_room(text, len + 2);
    if (p == NULL) {
        return;
    }

    ngx_memzero(&js, sizeof(ngx_smtp_json_t));

    *p++ = '"';
    p += ngx_smtp_json_escape(&js, p, value->data, last);
    p += ngx_smtp_json_end(&js, p);
    *p++ = '"';

    text->last = p;
}


void
ngx_smtp_hook_text_pair(ngx_smtp_hook_text_t *text, char *key,
    ngx_str_t *value)
{
    ngx_smtp_hook_text_key(text, key);
    ngx_smtp_hook_text_str(text, value);
}


void
ngx_smtp_hook_text_item(ngx_smtp_hook_text_t *text, ngx_str_t *value)
{
    ngx_smtp_hook_text_key(text, NULL);
    ngx_smtp_hook_text_str(text, value);
}


void
ngx_smtp_hook_text_piece(ngx_smtp_hook_text_t *text, ngx_smtp_json_t *js,
    u_char *p, u_char *last)
{
    u_char           *dst;
    size_t            len;
    ngx_smtp_json_t   count;

    count = *js;
    len = ngx_smtp_json_escape(&count, NULL, p, last);

    dst = ngx_smtp_hook_text_room(text, len);

    if (dst) {
        text->last += ngx_smtp_json_escape(js, dst, p, last);
    }
}


void
ngx_smtp_hook_text_piece_end(ngx_smtp_hook_text_t *text, ngx_smtp_json_t *js)
{
    u_char           *dst;
    size_t            len;
    ngx_smtp_json_t   count;

    count = *js;
    len = ngx_smtp_json_end(&count, NULL);

    dst = ngx_smtp_hook_text_room(text, len);

    if (dst) {
        text->last += ngx_smtp_json_end(js, dst);
    }
}


void
ngx_smtp_hook_text_number(ngx_smtp_hook_text_t *text, char *key, off_t value)
{
    u_char  *p;

    ngx_smtp_hook_text_key(text, key);

    p = ngx_smtp_hook_text_room(text, NGX_OFF_T_LEN);
    if (p == NULL) {
        return;
    }

    text->last = ngx_sprintf(p, "%O", value);
}


void
ngx_smtp_hook_text_open(ngx_smtp_hook_text_t *text, char *key, char *bracket)
{
    ngx_smtp_hook_text_key(text, key);
    ngx_smtp_hook_text_raw(text, bracket);
}


static void
ngx_smtp_hook_text_key(ngx_smtp_hook_text_t *text, char *key)
{
    if (text->last > text->start
        && text->last[-1] != '{' && text->last[-1] != '[')
    {
        ngx_smtp_hook_text_raw(text, ",");
    }

    if (key) {
        ngx_smtp_hook_text_raw(text, "\"");
        ngx_smtp_hook_text_raw(text, key);
        ngx_smtp_hook_text_raw(text, "\":");
    }
}

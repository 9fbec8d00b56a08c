
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_hook.h>


/*
 * What an answer wants to be changed in a message: fields of its header, and
 * its contents.  A new header lies in memory and stands in front of what the
 * spool has of the body; new contents get a spool of their own.
 *
 * What was counted while the message came by is counted again: its size, lines
 * that begin with a dot, how it ends, what it needs of a next hop.
 */


/* as a "quarantine" of others is marked */
#define NGX_SMTP_HOOK_QUARANTINE_NAME   "X-Quarantine"
#define NGX_SMTP_HOOK_QUARANTINE_VALUE  "true"


typedef struct {
    ngx_smtp_hook_run_t     *run;
    ngx_smtp_fields_t        fields;
    ngx_str_t                head;
    ngx_str_t                body;           /* data NULL: as it was */
    char                    *reason;
    unsigned                 utf8:1;         /* a new field is not US-ASCII */
} ngx_smtp_hook_content_t;


static ngx_int_t ngx_smtp_hook_content_all(ngx_smtp_hook_content_t *content);
static ngx_int_t ngx_smtp_hook_content_field(ngx_smtp_hook_content_t *content,
    ngx_smtp_hook_change_t *change);
static ngx_int_t ngx_smtp_hook_content_quarantine(
    ngx_smtp_hook_content_t *content);
static ngx_int_t ngx_smtp_hook_content_body(ngx_smtp_hook_content_t *content,
    ngx_str_t *value);
static ngx_int_t ngx_smtp_hook_content_join(ngx_smtp_hook_content_t *content);
static void ngx_smtp_hook_content_count(ngx_smtp_hook_content_t *content);
static ngx_uint_t ngx_smtp_hook_content_dots(ngx_str_t *text);
static void ngx_smtp_hook_content_needs(ngx_smtp_hook_content_t *content);
static ngx_int_t ngx_smtp_hook_content_cant(ngx_smtp_hook_content_t *content,
    char *reason);


#define ngx_smtp_hook_is_8bit(s)                                             \
    ngx_smtp_is_8bit((s)->data, (s)->data + (s)->len)


ngx_uint_t
ngx_smtp_hook_content_wanted(ngx_smtp_hook_run_t *run)
{
    ngx_uint_t               i;
    ngx_smtp_hook_change_t  *change;

    change = run->answer.changes.elts;

    if (run->answer.action == NGX_SMTP_HOOK_QUARANTINE) {
        return 1;
    }

    if (run->answer.action != NGX_SMTP_HOOK_ACCEPT) {
        return 0;
    }

    for (i = 0; i < run->answer.changes.nelts; i++) {
        if (change[i].type >= NGX_SMTP_HOOK_REPLACE_CONTENTS) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_smtp_hook_content_prepare(ngx_smtp_hook_run_t *run, char **reason)
{
    ngx_int_t                 rc;
    ngx_smtp_hook_content_t  *content;

    run->content = NULL;

    if (!ngx_smtp_hook_content_wanted(run)) {
        return NGX_OK;
    }

    if (run->stage != NGX_SMTP_HOOK_DATA) {
        *reason = "there is no message yet";
        return NGX_DECLINED;
    }

    if (run->message.header.data == NULL) {
        *reason = "the header is too long to be changed";
        return NGX_DECLINED;
    }

    content = ngx_pcalloc(run->pool, sizeof(ngx_smtp_hook_content_t));
    if (content == NULL) {
        return NGX_ERROR;
    }

    content->run = run;

    rc = ngx_smtp_hook_content_all(content);

    *reason = content->reason;
    run->content = content;

    return rc;
}


static ngx_int_t
ngx_smtp_hook_content_all(ngx_smtp_hook_content_t *content)
{
    ngx_int_t                rc;
    ngx_uint_t               i;
    ngx_smtp_hook_run_t     *run;
    ngx_smtp_hook_change_t  *change;

    run = content->run;

    rc = ngx_smtp_hook_message_fields(run, &run->message.header,
                                      &content->fields,
                                      run->answer.changes.nelts + 1);

    if (rc == NGX_DECLINED) {
        return ngx_smtp_hook_content_cant(content,
                                          "too many fields to be changed");
    }

    change = run->answer.changes.elts;

    for (i = 0; rc == NGX_OK && i < run->answer.changes.nelts; i++) {

        if (change[i].type == NGX_SMTP_HOOK_REPLACE_CONTENTS) {
            rc = ngx_smtp_hook_content_body(content, &change[i].value);

        } else if (change[i].type > NGX_SMTP_HOOK_REPLACE_CONTENTS) {
            rc = ngx_smtp_hook_content_field(content, &change[i]);
        }
    }

    if (rc == NGX_OK && run->answer.action == NGX_SMTP_HOOK_QUARANTINE) {
        rc = ngx_smtp_hook_content_quarantine(content);
    }

    return (rc == NGX_OK) ? ngx_smtp_hook_content_join(content) : rc;
}


static ngx_int_t
ngx_smtp_hook_content_field(ngx_smtp_hook_content_t *content,
    ngx_smtp_hook_change_t *change)
{
    u_char             *buf;
    ngx_int_t           rc;
    ngx_smtp_fields_t  *fields;

    fields = &content->fields;

    /* as filters of other servers have it: no value, no field */

    if (change->type == NGX_SMTP_HOOK_DELETE_HEADER
        || (change->type == NGX_SMTP_HOOK_CHANGE_HEADER
            && change->value.len == 0))
    {
        ngx_smtp_fields_delete(fields, change->index, &change->name);
        return NGX_OK;
    }

    buf = ngx_pnalloc(content->run->pool,
                      ngx_smtp_fields_room(&change->name, &change->value));
    if (buf == NULL) {
        return NGX_ERROR;
    }

    if (change->type == NGX_SMTP_HOOK_CHANGE_HEADER) {
        rc = ngx_smtp_fields_change(fields, change->index, &change->name,
                                    &change->value, buf);

    } else {
        rc = ngx_smtp_fields_insert(fields, change->index, &change->name,
                                    &change->value, buf);
    }

    if (rc != NGX_OK) {
        return ngx_smtp_hook_content_cant(content,
                                          "no header field is like that");
    }

    content->utf8 |= ngx_smtp_hook_is_8bit(&change->value);

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_hook_content_quarantine(ngx_smtp_hook_content_t *content)
{
    ngx_smtp_hook_change_t  change;

    ngx_memzero(&change, sizeof(ngx_smtp_hook_change_t));

    change.type = NGX_SMTP_HOOK_INSERT_HEADER;
    ngx_str_set(&change.name, NGX_SMTP_HOOK_QUARANTINE_NAME);
    ngx_str_set(&change.value, NGX_SMTP_HOOK_QUARANTINE_VALUE);

    return ngx_smtp_hook_content_field(content, &change);
}


/* RFC 5321, 2.3.8: lines end in CRLF, whatever they end in here */

static ngx_int_t
ngx_smtp_hook_content_body(ngx_smtp_hook_content_t *content, ngx_str_t *value)
{
    u_char  *p, *src, *last;

    p = ngx_pnalloc(content->run->pool, 2 * value->len + sizeof(CRLF));
    if (p == NULL) {
        return NGX_ERROR;
    }

    content->body.data = p;

    last = value->data + value->len;

    for (src = value->data; src < last; src++) {

        if (*src == CR || *src == LF) {
            *p++ = CR;
            *p++ = LF;

            src += (*src == CR && last - src > 1 && src[1] == LF);
            continue;
        }

        *p++ = *src;
    }

    if (value->len && p[-1] != LF) {
        *p++ = CR;
        *p++ = LF;
    }

    content->body.len = p - content->body.data;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_hook_content_join(ngx_smtp_hook_content_t *content)
{
    off_t                 size, max, body;
    u_char               *p;
    ngx_smtp_tx_t        *tx;
    ngx_smtp_hook_run_t  *run;

    run = content->run;
    tx = run->tx;

    body = content->body.data ? (off_t) content->body.len
                              : tx->spool->size - (off_t) tx->header.size;

    /* of the transaction: the spool refers to it */

    p = ngx_pnalloc(tx->pool, ngx_smtp_fields_size(&content->fields));
    if (p == NULL) {
        return NGX_ERROR;
    }

    content->head.data = p;
    content->head.len = ngx_smtp_fields_join(&content->fields, body != 0, p)
                        - p;

    size = (off_t) content->head.len + body;
    max = ngx_smtp_rights_max_size(run->session);

    if (max && size > max && size > tx->spool->size) {
        return ngx_smtp_hook_content_cant(content, "the message gets too big");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_hook_content_cant(ngx_smtp_hook_content_t *content, char *reason)
{
    content->reason = reason;

    return NGX_DECLINED;
}


ngx_int_t
ngx_smtp_hook_content_commit(ngx_smtp_hook_run_t *run)
{
    ngx_smtp_tx_t            *tx;
    ngx_smtp_spool_t         *spool;
    ngx_smtp_hook_content_t  *content;

    tx = run->tx;
    content = run->content;

    if (content == NULL) {
        return NGX_OK;
    }

    if (content->body.data) {

        spool = ngx_smtp_tx_spool_make(tx);

        if (spool == NULL
            || ngx_smtp_spool_append(spool, content->body.data,
                                     content->body.len)
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        ngx_smtp_spool_head(spool, &content->head, 0);
        tx->spool = spool;

    } else {
        ngx_smtp_spool_head(tx->spool, &content->head, tx->header.size);
    }

    ngx_smtp_hook_content_count(content);
    ngx_smtp_hook_content_needs(content);

    ngx_memzero(&tx->header, sizeof(ngx_smtp_header_t));
    ngx_smtp_header_feed(&tx->header, content->head.data,
                         content->head.data + content->head.len);

    /* the next hook is to see another one */

    run->message.header.data = NULL;

    return NGX_OK;
}


static void
ngx_smtp_hook_content_count(ngx_smtp_hook_content_t *content)
{
    ngx_str_t      *end;
    ngx_smtp_tx_t  *tx;

    tx = content->run->tx;

    if (content->body.data) {
        tx->dot.dots = ngx_smtp_hook_content_dots(&content->body);
    }

    /* some may have been deleted: one too many costs little */

    tx->dot.dots += ngx_smtp_hook_content_dots(&content->head);

    /* the end is somebody else's only if there is an old body */

    end = content->body.len ? &content->body : &content->head;

    if (content->body.data == NULL
        && tx->spool->size > (off_t) content->head.len)
    {
        return;
    }

    tx->dot.state = (end->len > 1 && end->data[end->len - 2] == CR
                     && end->data[end->len - 1] == LF)
                    ? ngx_smtp_dot_line : ngx_smtp_dot_text;
}


static ngx_uint_t
ngx_smtp_hook_content_dots(ngx_str_t *text)
{
    u_char      *p, *last;
    ngx_uint_t   n;

    n = 0;
    last = text->data + text->len;

    for (p = text->data; p && p < last; p++) {

        n += (*p == '.');

        p = memchr(p, LF, last - p);

        if (p == NULL) {
            break;
        }
    }

    return n;
}


/* of a next hop; one that was told before does not know */

static void
ngx_smtp_hook_content_needs(ngx_smtp_hook_content_t *content)
{
    ngx_uint_t        more;
    ngx_smtp_tx_t    *tx;
    ngx_smtp_mime_t  *mime;

    tx = content->run->tx;
    mime = &tx->mime;

    more = (tx->size >= 0 && tx->spool->size > tx->size);

    if (content->utf8 && !tx->utf8) {
        tx->utf8 = 1;
        more = 1;
    }

    if (content->body.data) {
        ngx_memzero(mime, sizeof(ngx_smtp_mime_t));

        ngx_smtp_mime_feed(mime, content->head.data,
                           content->head.data + content->head.len);
        ngx_smtp_mime_feed(mime, content->body.data,
                           content->body.data + content->body.len);
        ngx_smtp_mime_end(mime);

        if (ngx_smtp_hook_is_8bit(&content->body)
            && !tx->body_8bit && !tx->body_binary)
        {
            tx->body_8bit = 1;
            more = 1;
        }

    } else {
        mime->header_8bit = ngx_smtp_hook_is_8bit(&content->head);
    }

    tx->changes += more;
}

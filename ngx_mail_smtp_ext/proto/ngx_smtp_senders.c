
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_senders.h>


/*
 * Lists of senders.  What is kept is the list in lower case, each item with
 * an LF behind it, which no address has: "@domain" and "@.domain" are told by
 * their first octets, and all else is an address.
 */


/* local part, "@", domain */
#define NGX_SMTP_SENDERS_KEY  (NGX_SMTP_PATH_MAX + NGX_SMTP_DOMAIN_MAX)


static u_char *ngx_smtp_senders_end(u_char *p, u_char *last);
static u_char *ngx_smtp_senders_item(u_char *dst, u_char *p, u_char *last);
static u_char *ngx_smtp_senders_domain(u_char *dst, u_char *p, u_char *last);
static ngx_uint_t ngx_smtp_senders_match(ngx_str_t *item, ngx_str_t *key,
    size_t local, u_char delimiter);


#define ngx_smtp_senders_is_wsp(c)  ((c) == ' ' || (c) == '\t')


u_char *
ngx_smtp_senders_parse(u_char *dst, ngx_str_t *list)
{
    u_char  *p, *last, *end;

    if (list->len > NGX_SMTP_SENDERS_MAX) {
        return NULL;
    }

    p = list->data;
    last = p + list->len;

    for ( ;; ) {

        while (p < last && ngx_smtp_senders_is_wsp(*p)) { p++; }

        end = ngx_smtp_senders_end(p, last);

        if (end == NULL) {
            return NULL;
        }

        dst = ngx_smtp_senders_item(dst, p, end);

        if (dst == NULL) {
            return NULL;
        }

        for (p = end; p < last && ngx_smtp_senders_is_wsp(*p); p++) {
            /* void */
        }

        if (p == last) {
            return dst;
        }

        if (*p++ != ',') {
            return NULL;
        }
    }
}


/* a quoted local part may have commas and spaces in it */

static u_char *
ngx_smtp_senders_end(u_char *p, u_char *last)
{
    if (p < last && *p == '"') {
        p = ngx_smtp_quoted_string_utf8_parse(p, last);

        if (p == NULL) {
            return NULL;
        }
    }

    while (p < last && *p != ',' && !ngx_smtp_senders_is_wsp(*p)) { p++; }

    return p;
}


static u_char *
ngx_smtp_senders_item(u_char *dst, u_char *p, u_char *last)
{
    ngx_str_t         addr;
    ngx_smtp_path_t   path;

    if (last - p == 1 && *p == '*') {
        *dst++ = '*';
        *dst++ = LF;
        return dst;
    }

    if (last - p > 2 && p[0] == '*' && p[1] == '@') {
        p++;

        if (p[1] == '.') {
            return NULL;
        }
    }

    if (p < last && *p == '@') {
        return ngx_smtp_senders_domain(dst, p, last);
    }

    addr.data = p;
    addr.len = last - p;

    if (ngx_smtp_mailbox_parse(&path, &addr, NGX_SMTP_PATH_UTF8) != NGX_OK) {
        return NULL;
    }

    /* atext, but meant as a pattern, of which there are no others */

    if (!path.quoted && memchr(path.local.data, '*', path.local.len)) {
        return NULL;
    }

    return ngx_smtp_senders_write(dst, &path);
}


static u_char *
ngx_smtp_senders_domain(u_char *dst, u_char *p, u_char *last)
{
    u_char  *domain, *end;

    domain = p + 1;

    if (domain < last && *domain == '[') {
        end = ngx_smtp_literal_parse(domain, last);

    } else {
        domain += (domain < last && *domain == '.');
        end = ngx_smtp_domain_utf8_parse(domain, last);
    }

    if (end != last) {
        return NULL;
    }

    ngx_strlow(dst, p, last - p);

    dst += last - p;
    *dst++ = LF;

    return dst;
}


u_char *
ngx_smtp_senders_write(u_char *dst, ngx_smtp_path_t *mailbox)
{
    u_char  *last;

    last = ngx_smtp_local_unquote(dst, &mailbox->local);

    *last++ = '@';
    last = ngx_cpymem(last, mailbox->domain.data, mailbox->domain.len);

    ngx_strlow(dst, dst, last - dst);

    *last++ = LF;

    return last;
}


ngx_uint_t
ngx_smtp_senders_fit(ngx_str_t *senders, ngx_smtp_path_t *mailbox,
    u_char delimiter)
{
    size_t      local;
    u_char     *p, *last, *lf;
    ngx_str_t   key, item;
    u_char      buf[NGX_SMTP_SENDERS_KEY];

    if (mailbox->local.len == 0 || mailbox->local.len >= NGX_SMTP_PATH_MAX
        || mailbox->domain.len == 0
        || mailbox->domain.len > NGX_SMTP_DOMAIN_MAX)
    {
        return 0;
    }

    p = ngx_smtp_local_unquote(buf, &mailbox->local);
    local = p - buf;

    *p++ = '@';
    p = ngx_cpymem(p, mailbox->domain.data, mailbox->domain.len);

    key.data = buf;
    key.len = p - buf;

    ngx_strlow(buf, buf, key.len);

    p = senders->data;
    last = p + senders->len;

    while (p < last) {
        lf = ngx_strlchr(p, last, LF);

        item.data = p;
        item.len = lf - p;

        if (ngx_smtp_senders_match(&item, &key, local, delimiter)) {
            return 1;
        }

        p = lf + 1;
    }

    return 0;
}


static ngx_uint_t
ngx_smtp_senders_match(ngx_str_t *item, ngx_str_t *key, size_t local,
    u_char delimiter)
{
    size_t   len;
    u_char  *domain;

    if (item->len == 1) {
        /* "*" */
        return 1;
    }

    domain = key->data + local;              /* at its "@" */
    len = key->len - local;

    if (item->data[0] == '@' && item->data[1] == '.') {

        return len > item->len
               && ngx_memcmp(domain + len - (item->len - 1), item->data + 1,
                             item->len - 1)
                  == 0;
    }

    if (item->data[0] == '@') {
        return len == item->len && ngx_memcmp(domain, item->data, len) == 0;
    }

    if (item->len == key->len) {
        return ngx_memcmp(item->data, key->data, key->len) == 0;
    }

    if (delimiter == 0 || item->len <= len || item->len > key->len
        || ngx_memcmp(item->data + item->len - len, domain, len) != 0)
    {
        return 0;
    }

    /* user of user+anything */

    len = item->len - len;

    return key->data[len] == delimiter
           && ngx_memcmp(item->data, key->data, len) == 0;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_addr.h>


/*
 * Path, Mailbox and source route of RFC 5321, 4.1.2, and RFC 6531, 3.3, within
 * the lengths of RFC 5321, 4.5.3.1.  A path is at most 256 octets with its
 * brackets and its source route, so a mailbox has two less.
 */


static u_char *ngx_smtp_route_skip(u_char *p, u_char *last,
    ngx_uint_t utf8);
static u_char *ngx_smtp_mailbox_scan(ngx_smtp_path_t *path, u_char *p,
    u_char *last, ngx_uint_t utf8);
static u_char *ngx_smtp_postmaster_scan(ngx_smtp_path_t *path, u_char *p,
    u_char *last);


ngx_int_t
ngx_smtp_path_parse(ngx_smtp_path_t *path, u_char **pos, u_char *last,
    ngx_uint_t flags)
{
    u_char  *p, *end;

    ngx_memzero(path, sizeof(ngx_smtp_path_t));

    p = *pos;

    if (last - p < 2 || *p++ != '<') {
        return NGX_ERROR;
    }

    if (*p == '>' && (flags & NGX_SMTP_PATH_REVERSE)) {
        path->addr.data = p;
        path->local.data = p;
        path->domain.data = p;
        *pos = p + 1;
        return NGX_OK;
    }

    end = NULL;

    if (flags & NGX_SMTP_PATH_FORWARD) {
        end = ngx_smtp_postmaster_scan(path, p, last);
    }

    if (end == NULL) {
        p = ngx_smtp_route_skip(p, last, flags & NGX_SMTP_PATH_UTF8);

        if (p == NULL) {
            return NGX_ERROR;
        }

        end = ngx_smtp_mailbox_scan(path, p, last, flags & NGX_SMTP_PATH_UTF8);
    }

    if (end == NULL || end == last || *end++ != '>'
        || end - *pos > NGX_SMTP_PATH_MAX)
    {
        return NGX_ERROR;
    }

    *pos = end;

    return NGX_OK;
}


ngx_int_t
ngx_smtp_mailbox_parse(ngx_smtp_path_t *path, ngx_str_t *addr,
    ngx_uint_t flags)
{
    u_char  *last;

    ngx_memzero(path, sizeof(ngx_smtp_path_t));

    if (addr->len == 0 || addr->len > NGX_SMTP_PATH_MAX - 2) {
        return NGX_ERROR;
    }

    last = addr->data + addr->len;

    if (ngx_smtp_mailbox_scan(path, addr->data, last,
                              flags & NGX_SMTP_PATH_UTF8)
        != last)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* [ A-d-l ":" ], A-d-l = At-domain *( "," At-domain ) */

static u_char *
ngx_smtp_route_skip(u_char *p, u_char *last, ngx_uint_t utf8)
{
    if (p == last || *p != '@') {
        return p;
    }

    for ( ;; ) {

        if (p == last || *p++ != '@') {
            return NULL;
        }

        p = utf8 ? ngx_smtp_domain_utf8_parse(p, last)
                 : ngx_smtp_domain_parse(p, last);

        if (p == NULL || p == last) {
            return NULL;
        }

        switch (*p++) {

        case ':':
            return p;

        case ',':
            break;

        default:
            return NULL;
        }
    }
}


static u_char *
ngx_smtp_mailbox_scan(ngx_smtp_path_t *path, u_char *p, u_char *last,
    ngx_uint_t utf8)
{
    u_char  *end;

    if (p == last) {
        return NULL;
    }

    path->addr.data = p;
    path->local.data = p;

    if (*p == '"') {
        path->quoted = 1;
        end = utf8 ? ngx_smtp_quoted_string_utf8_parse(p, last)
                   : ngx_smtp_quoted_string_parse(p, last);

    } else {
        end = utf8 ? ngx_smtp_dot_string_utf8_parse(p, last)
                   : ngx_smtp_dot_string_parse(p, last);
    }

    if (end == NULL || last - end < 2 || *end != '@') {
        return NULL;
    }

    path->local.len = end - p;

    p = end + 1;
    path->domain.data = p;

    if (*p == '[') {
        path->literal = 1;
        end = ngx_smtp_literal_parse(p, last);

    } else {
        end = utf8 ? ngx_smtp_domain_utf8_parse(p, last)
                   : ngx_smtp_domain_parse(p, last);
    }

    if (end == NULL) {
        return NULL;
    }

    path->domain.len = end - p;
    path->addr.len = end - path->addr.data;
    path->utf8 = ngx_smtp_is_8bit(path->addr.data, end);

    return end;
}


/* the one mailbox without a domain, in any case of letters, 4.1.1.3 */

static u_char *
ngx_smtp_postmaster_scan(ngx_smtp_path_t *path, u_char *p, u_char *last)
{
    size_t  len;

    len = sizeof("Postmaster") - 1;

    if ((size_t) (last - p) <= len || p[len] != '>'
        || ngx_strncasecmp(p, (u_char *) "Postmaster", len) != 0)
    {
        return NULL;
    }

    path->addr.len = len;
    path->addr.data = p;
    path->local = path->addr;
    path->domain.data = p + len;

    return p + len;
}


u_char *
ngx_smtp_local_unquote(u_char *dst, ngx_str_t *local)
{
    u_char  *p, *src, *last;

    if (local->len > 2 && local->data[0] == '"') {

        p = dst;
        src = local->data + 1;
        last = local->data + local->len - 1;

        while (src < last) {
            if (*src == '\\' && src + 1 < last) {
                src++;
            }

            *p++ = *src++;
        }

        if (ngx_smtp_dot_string_utf8_parse(dst, p) == p) {
            return p;
        }
    }

    return ngx_cpymem(dst, local->data, local->len);
}

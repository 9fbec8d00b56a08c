
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_gs2.h>
#include <ngx_smtp_oauth.h>


/*
 * OAUTHBEARER: gs2-header ^A *( key "=" value ^A ) ^A
 * XOAUTH2: "user=" user ^A "auth=Bearer " token ^A ^A
 *
 * Of the keys "auth" counts; "host" and "port" are for tokens that sign the
 * request, which Bearer does not (RFC 7628, 3.1).
 */


#define NGX_SMTP_OAUTH_SEP  0x01


static u_char *ngx_smtp_oauth_pair(u_char *p, u_char *last, ngx_str_t *key,
    ngx_str_t *value);
static ngx_int_t ngx_smtp_oauth_token(ngx_str_t *value, ngx_str_t *token);


ngx_int_t
ngx_smtp_oauth_bearer_parse(ngx_smtp_oauth_t *oauth, ngx_str_t *text)
{
    u_char          *p, *last;
    ngx_str_t        key, value;
    ngx_uint_t       found;
    ngx_smtp_gs2_t   gs2;

    last = text->data + text->len;

    p = ngx_smtp_gs2_parse(&gs2, text->data, last);

    /* there is no OAUTHBEARER-PLUS that could bind */

    if (p == NULL || gs2.flag == 'p'
        || p == last || *p++ != NGX_SMTP_OAUTH_SEP)
    {
        return NGX_ERROR;
    }

    oauth->user = gs2.authzid;
    found = 0;

    while (p < last && *p != NGX_SMTP_OAUTH_SEP) {

        p = ngx_smtp_oauth_pair(p, last, &key, &value);

        if (p == NULL) {
            return NGX_ERROR;
        }

        if (key.len != 4 || ngx_strncmp(key.data, "auth", 4) != 0) {
            continue;
        }

        if (found++ || ngx_smtp_oauth_token(&value, &oauth->token) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return (found && last - p == 1) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_smtp_oauth_xoauth2_parse(ngx_smtp_oauth_t *oauth, ngx_str_t *text)
{
    size_t      len;
    u_char     *p, *last;
    ngx_str_t   key, value;

    p = text->data;
    last = p + text->len;
    len = sizeof("user=") - 1;

    if (text->len < len || ngx_strncmp(p, "user=", len) != 0) {
        return NGX_ERROR;
    }

    p += len;

    oauth->user.data = p;

    while (p < last && *p != NGX_SMTP_OAUTH_SEP) {

        len = (*p < 0x80) ? (*p != '\0') : ngx_smtp_utf8_length(p, last);

        if (len == 0) {
            return NGX_ERROR;
        }

        p += len;
    }

    oauth->user.len = p - oauth->user.data;

    if (oauth->user.len == 0 || p == last) {
        return NGX_ERROR;
    }

    p = ngx_smtp_oauth_pair(p + 1, last, &key, &value);

    if (p == NULL || last - p != 1 || *p != NGX_SMTP_OAUTH_SEP
        || key.len != 4 || ngx_strncmp(key.data, "auth", 4) != 0)
    {
        return NGX_ERROR;
    }

    return ngx_smtp_oauth_token(&value, &oauth->token);
}


/* kvpair = 1*ALPHA "=" *(VCHAR / SP / HTAB / CR / LF) kvsep */

static u_char *
ngx_smtp_oauth_pair(u_char *p, u_char *last, ngx_str_t *key, ngx_str_t *value)
{
    key->data = p;

    while (p < last && ngx_smtp_is_alpha(*p)) { p++; }

    key->len = p - key->data;

    if (key->len == 0 || p == last || *p++ != '=') {
        return NULL;
    }

    value->data = p;

    while (p < last
           && ((*p >= ' ' && *p <= '~')
               || *p == '\t' || *p == CR || *p == LF))
    {
        p++;
    }

    value->len = p - value->data;

    return (p < last && *p == NGX_SMTP_OAUTH_SEP) ? p + 1 : NULL;
}


/*
 * RFC 6750, 2.1: "Bearer" 1*SP b64token; in any case of letters, RFC 7628, 4.
 * What a token has needs no escapes and can't end a header.
 */

static ngx_int_t
ngx_smtp_oauth_token(ngx_str_t *value, ngx_str_t *token)
{
    size_t   len;
    u_char  *p, *last;

    ngx_str_null(token);

    p = value->data;
    last = p + value->len;
    len = sizeof("Bearer") - 1;

    if (value->len <= len || p[len] != ' '
        || ngx_strncasecmp(p, (u_char *) "Bearer", len) != 0)
    {
        /* another kind, or a question for what is wanted */
        return NGX_OK;
    }

    p += len;

    while (p < last && *p == ' ') { p++; }

    token->data = p;
    token->len = last - p;

    /* b64token */

    while (p < last && (ngx_smtp_is_alnum(*p) || ngx_strchr("-._~+/", *p))) {
        p++;
    }

    if (p == token->data) {
        /* "Bearer" and no more is no token */
        return token->len ? NGX_ERROR : NGX_OK;
    }

    while (p < last && *p == '=') { p++; }

    return (p == last) ? NGX_OK : NGX_ERROR;
}

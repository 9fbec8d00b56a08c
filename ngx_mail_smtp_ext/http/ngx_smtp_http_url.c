
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_http.h>
#include <ngx_smtp_http_private.h>


/*
 * URLs of services, read with the configuration:
 *
 *     http://host[:port][/uri]     http://unix:/path[:/uri]
 *     http://[::1]:port/uri        http://name_of_smtp_upstream/uri
 */


#define NGX_SMTP_HTTP_PORT   80
#define NGX_SMTP_HTTPS_PORT  443


static ngx_int_t ngx_smtp_http_url_scheme(ngx_conf_t *cf, ngx_str_t *value,
    ngx_smtp_http_url_t *url, ngx_str_t *rest);
static u_char *ngx_smtp_http_url_authority(ngx_str_t *rest);
static ngx_int_t ngx_smtp_http_url_uri(ngx_conf_t *cf, ngx_str_t *uri);
static void ngx_smtp_http_url_host(ngx_smtp_http_url_t *url,
    ngx_str_t *authority);


ngx_int_t
ngx_smtp_http_url_parse(ngx_conf_t *cf, ngx_str_t *value,
    ngx_smtp_http_url_t *url)
{
    u_char     *p, *last;
    ngx_str_t   authority;

    if (ngx_smtp_http_url_scheme(cf, value, url, &authority) != NGX_OK) {
        return NGX_ERROR;
    }

    url->text = *value;

    last = authority.data + authority.len;
    p = ngx_smtp_http_url_authority(&authority);

    authority.len = p - authority.data;

    /* the colon between a socket's path and the uri */

    if (p < last && *p == ':') {
        p++;
    }

    url->uri.data = p;
    url->uri.len = last - p;

    if (authority.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no host in URL \"%V\"", value);
        return NGX_ERROR;
    }

    if (ngx_strlchr(authority.data, p, '@')) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "user in URL \"%V\" is not supported", value);
        return NGX_ERROR;
    }

    if (ngx_smtp_http_url_uri(cf, &url->uri) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_smtp_http_url_host(url, &authority);

    if (url->tls && authority.len > 5
        && ngx_strncasecmp(authority.data, (u_char *) "unix:", 5) == 0)
    {
        ngx_mail_smtp_ext_http_nameless(cf);
    }

    url->upstream = ngx_smtp_upstream_add(cf, &authority,
                                          url->tls ? NGX_SMTP_HTTPS_PORT
                                                   : NGX_SMTP_HTTP_PORT);

    return url->upstream ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_smtp_http_url_scheme(ngx_conf_t *cf, ngx_str_t *value,
    ngx_smtp_http_url_t *url, ngx_str_t *rest)
{
    u_char  ch;
    size_t  i;

    /* it goes into a request line and a field: RFC 9112, 3.2 */

    for (i = 0; i < value->len; i++) {
        ch = value->data[i];

        if (ch <= ' ' || ch >= 0x7f || ch == '#') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid character in URL \"%V\"", value);
            return NGX_ERROR;
        }
    }

    if (value->len >= 7
        && ngx_strncasecmp(value->data, (u_char *) "http://", 7) == 0)
    {
        rest->data = value->data + 7;
        rest->len = value->len - 7;

        return NGX_OK;
    }

    if (value->len >= 8
        && ngx_strncasecmp(value->data, (u_char *) "https://", 8) == 0)
    {
        rest->data = value->data + 8;
        rest->len = value->len - 8;

        url->tls = 1;
        ngx_mail_smtp_ext_http_https(cf);

        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid URL \"%V\", it must begin with \"http://\" "
                       "or \"https://\"", value);

    return NGX_ERROR;
}


static u_char *
ngx_smtp_http_url_authority(ngx_str_t *rest)
{
    u_char  *p, *last;

    p = rest->data;
    last = p + rest->len;

    if (rest->len >= 5 && ngx_strncasecmp(p, (u_char *) "unix:", 5) == 0) {
        p = ngx_strlchr(p + 5, last, ':');

        return p ? p : last;
    }

    while (p < last && *p != '/' && *p != '?') {
        p++;
    }

    return p;
}


static ngx_int_t
ngx_smtp_http_url_uri(ngx_conf_t *cf, ngx_str_t *uri)
{
    u_char  *p;

    if (uri->len == 0) {
        ngx_str_set(uri, "/");
        return NGX_OK;
    }

    if (uri->data[0] == '/') {
        return NGX_OK;
    }

    if (uri->data[0] != '?') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"/\" expected at \"%V\" in URL", uri);
        return NGX_ERROR;
    }

    /* "?args" straight behind the host: the path is empty, RFC 9112, 3.2.1 */

    p = ngx_pnalloc(cf->pool, uri->len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    *p = '/';
    ngx_memcpy(p + 1, uri->data, uri->len);

    uri->data = p;
    uri->len++;

    return NGX_OK;
}


/*
 * RFC 9110, 7.2: what the URL has, but for the port that goes without saying;
 * "localhost" for a socket, as nginx has it.
 */

static void
ngx_smtp_http_url_host(ngx_smtp_http_url_t *url, ngx_str_t *authority)
{
    ngx_str_t  *host, port;

    host = &url->host;
    *host = *authority;

    if (authority->len >= 5
        && ngx_strncasecmp(authority->data, (u_char *) "unix:", 5) == 0)
    {
        ngx_str_set(host, "localhost");
        return;
    }

    if (url->tls) {
        ngx_str_set(&port, ":443");

    } else {
        ngx_str_set(&port, ":80");
    }

    if (host->len > port.len
        && ngx_strncmp(host->data + host->len - port.len, port.data, port.len)
           == 0)
    {
        host->len -= port.len;
    }
}

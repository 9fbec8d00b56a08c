
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
#include <ngx_smtp_http.h>
#include <ngx_smtp_http_private.h>


/*
 * Reads the status line and header section of an answer with nginx's own
 * parsers, which want a request: a zeroed one serves.  They keep pointers
 * into the buffer, so it is of the full size from the start and never moves.
 *
 * RFC 9112, 4 and 5, strictly: what decides about a login or a message must
 * not rest on a guess.
 */


/* 1xx answers in front of the real one, RFC 9110, 15.2 */
#define NGX_SMTP_HTTP_INTERIM_MAX  8


typedef struct {
    ngx_http_request_t   request;
    ngx_http_status_t    status;
    ngx_uint_t           interim;

    unsigned             headers:1;      /* the status line has been read */
} ngx_smtp_http_parser_t;


static ngx_int_t ngx_smtp_http_parse_status(ngx_smtp_http_request_t *r,
    char **reason);
static ngx_int_t ngx_smtp_http_parse_headers(ngx_smtp_http_request_t *r,
    char **reason);
static ngx_int_t ngx_smtp_http_header_add(ngx_smtp_http_request_t *r,
    char **reason);
static ngx_uint_t ngx_smtp_http_name_valid(ngx_str_t *name);
static ngx_uint_t ngx_smtp_http_value_valid(ngx_str_t *value);


ngx_int_t
ngx_smtp_http_parse_init(ngx_smtp_http_request_t *r)
{
    ngx_smtp_http_parser_t  *parser;

    parser = ngx_pcalloc(r->pool, sizeof(ngx_smtp_http_parser_t));
    if (parser == NULL) {
        return NGX_ERROR;
    }

    parser->request.connection = r->connection;
    r->parser = parser;

    if (ngx_array_init(&r->headers, r->pool, 8,
                       sizeof(ngx_smtp_http_header_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    r->in.start = ngx_pnalloc(r->pool, NGX_SMTP_HTTP_HEADER_SIZE);
    if (r->in.start == NULL) {
        return NGX_ERROR;
    }

    r->in.end = r->in.start + NGX_SMTP_HTTP_HEADER_SIZE;
    r->in.pos = r->in.start;
    r->in.last = r->in.start;

    return NGX_OK;
}


ngx_int_t
ngx_smtp_http_parse(ngx_smtp_http_request_t *r, char **reason)
{
    ngx_int_t                rc;
    ngx_smtp_http_parser_t  *parser;

    parser = r->parser;

    for ( ;; ) {

        if (!parser->headers) {
            rc = ngx_smtp_http_parse_status(r, reason);

            if (rc != NGX_OK) {
                return rc;
            }

            parser->headers = 1;
        }

        rc = ngx_smtp_http_parse_headers(r, reason);

        if (rc != NGX_OK || r->status >= 200) {
            return rc;
        }

        /* an interim answer: the real one follows */

        if (++parser->interim > NGX_SMTP_HTTP_INTERIM_MAX) {
            *reason = "too many interim answers";
            return NGX_ERROR;
        }

        parser->headers = 0;
        r->headers.nelts = 0;
        ngx_memzero(&parser->status, sizeof(ngx_http_status_t));
    }
}


static ngx_int_t
ngx_smtp_http_parse_status(ngx_smtp_http_request_t *r, char **reason)
{
    u_char                  *digits;
    ngx_int_t                rc;
    ngx_smtp_http_parser_t  *parser;

    parser = r->parser;

    rc = ngx_http_parse_status_line(&parser->request, &r->in,
                                    &parser->status);

    if (rc == NGX_AGAIN) {
        return NGX_AGAIN;
    }

    /* this includes HTTP/0.9, whose answer is any text */

    if (rc != NGX_OK || parser->request.http_major != 1) {
        *reason = "no valid HTTP/1.x status line";
        return NGX_ERROR;
    }

    r->status = parser->status.code;
    digits = parser->status.start;

    /* the parser takes spaces between the digits, too */

    if (digits[0] == ' ' || digits[1] == ' '
        || r->status < 100 || r->status > 599)
    {
        *reason = "invalid HTTP status";
        return NGX_ERROR;
    }

    if (r->status == NGX_HTTP_SWITCHING_PROTOCOLS) {
        *reason = "protocol switched, unasked";
        return NGX_ERROR;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_EVENT, r->log, 0,
                   "smtp http status: %ui", r->status);

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_http_parse_headers(ngx_smtp_http_request_t *r, char **reason)
{
    ngx_int_t                rc;
    ngx_smtp_http_parser_t  *parser;

    parser = r->parser;

    for ( ;; ) {
        rc = ngx_http_parse_header_line(&parser->request, &r->in, 1);

        switch (rc) {

        case NGX_OK:
            if (ngx_smtp_http_header_add(r, reason) != NGX_OK) {
                return NGX_ERROR;
            }

            break;

        case NGX_AGAIN:
            return NGX_AGAIN;

        case NGX_HTTP_PARSE_HEADER_DONE:
            return NGX_OK;

        default:
            *reason = "invalid header";
            return NGX_ERROR;
        }
    }
}


/* values may be secrets: they are not logged, nor are names, at any level */

static ngx_int_t
ngx_smtp_http_header_add(ngx_smtp_http_request_t *r, char **reason)
{
    ngx_str_t                name, value;
    ngx_http_request_t      *hr;
    ngx_smtp_http_header_t  *header;

    hr = &((ngx_smtp_http_parser_t *) r->parser)->request;

    name.data = hr->header_name_start;
    name.len = hr->header_name_end - hr->header_name_start;

    value.data = hr->header_start;
    value.len = hr->header_end - hr->header_start;

    /* the parser takes a line without a colon, but it is no field */

    if (*hr->header_name_end != ':' || !ngx_smtp_http_name_valid(&name)) {
        *reason = "invalid header name";
        return NGX_ERROR;
    }

    /* optional white space has tabs, too, which the parser leaves */

    while (value.len && (value.data[0] == ' ' || value.data[0] == '\t')) {
        value.data++;
        value.len--;
    }

    while (value.len
           && (value.data[value.len - 1] == ' '
               || value.data[value.len - 1] == '\t'))
    {
        value.len--;
    }

    if (!ngx_smtp_http_value_valid(&value)) {
        *reason = "control character in a header";
        return NGX_ERROR;
    }

    if (r->headers.nelts == NGX_SMTP_HTTP_HEADERS_MAX) {
        *reason = "too many headers";
        return NGX_ERROR;
    }

    header = ngx_array_push(&r->headers);
    if (header == NULL) {
        *reason = "no memory";
        return NGX_ERROR;
    }

    ngx_strlow(name.data, name.data, name.len);

    header->name = name;
    header->value = value;

    return NGX_OK;
}


/* token, RFC 9110, 5.6.2 */

static ngx_uint_t
ngx_smtp_http_name_valid(ngx_str_t *name)
{
    u_char  ch;
    size_t  i;

    for (i = 0; i < name->len; i++) {
        ch = name->data[i];

        if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z')
            || (ch >= '0' && ch <= '9'))
        {
            continue;
        }

        /* ngx_strchr() would find the terminating null */

        if (ch == '\0' || ngx_strchr("!#$%&'*+-.^_`|~", ch) == NULL) {
            return 0;
        }
    }

    return name->len != 0;
}


/* field-value, RFC 9110, 5.5 */

static ngx_uint_t
ngx_smtp_http_value_valid(ngx_str_t *value)
{
    u_char  ch;
    size_t  i;

    for (i = 0; i < value->len; i++) {
        ch = value->data[i];

        if ((ch < ' ' && ch != '\t') || ch == 0x7f) {
            return 0;
        }
    }

    return 1;
}

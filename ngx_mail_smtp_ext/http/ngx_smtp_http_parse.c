
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
#include <ngx_smtp_compat.h>
#include <ngx_smtp_http.h>
#include <ngx_smtp_http_private.h>


/*
 * Reads an answer with nginx's own parsers, which want a request: a zeroed one
 * serves.  They keep pointers into the buffer of the header, so it is of the
 * full size from the start and never moves.
 *
 * RFC 9112, 4 to 7, strictly: what decides about a login or a message must not
 * rest on a guess, nor on where an answer ends.
 */


/* 1xx answers in front of the real one, RFC 9110, 15.2 */
#define NGX_SMTP_HTTP_INTERIM_MAX   8

/* octets of framing for one of content; "1" CRLF "x" CRLF has five */
#define NGX_SMTP_HTTP_CHUNK_WASTE   8

/* the first piece of memory for a body */
#define NGX_SMTP_HTTP_ANSWER_SIZE   512


typedef enum {
    ngx_smtp_http_status_line = 0,
    ngx_smtp_http_fields,
    ngx_smtp_http_body,
    ngx_smtp_http_done
} ngx_smtp_http_state_e;


/* where the body ends, RFC 9112, 6.3 */
typedef enum {
    ngx_smtp_http_none = 0,
    ngx_smtp_http_length,
    ngx_smtp_http_chunked,
    ngx_smtp_http_eof
} ngx_smtp_http_framing_e;


typedef struct {
    ngx_http_request_t       request;
    ngx_http_status_t        status;
    ngx_http_chunked_t       chunked;
    ngx_smtp_http_state_e    state;
    ngx_smtp_http_framing_e  framing;
    ngx_uint_t               interim;
    off_t                    left;       /* of Content-Length */
    off_t                    raw;        /* octets of chunks as they came */
    size_t                   max;        /* of the body */
    size_t                   size;       /* of it so far */

    unsigned                 close:1;
    unsigned                 keepalive:1;
} ngx_smtp_http_parser_t;


static ngx_int_t ngx_smtp_http_parse_header(ngx_smtp_http_request_t *r,
    char **reason);
static ngx_int_t ngx_smtp_http_parse_status(ngx_smtp_http_request_t *r,
    char **reason);
static ngx_int_t ngx_smtp_http_parse_fields(ngx_smtp_http_request_t *r,
    char **reason);
static ngx_int_t ngx_smtp_http_field_add(ngx_smtp_http_request_t *r,
    char **reason);
static ngx_uint_t ngx_smtp_http_name_valid(ngx_str_t *name);
static ngx_int_t ngx_smtp_http_parse_framing(ngx_smtp_http_request_t *r,
    char **reason);
static ngx_uint_t ngx_smtp_http_name_is(ngx_str_t *name, char *want,
    size_t len);
static void ngx_smtp_http_parse_connection(ngx_smtp_http_parser_t *parser,
    ngx_str_t *value);
static ngx_int_t ngx_smtp_http_parse_body(ngx_smtp_http_request_t *r,
    ngx_buf_t *b, char **reason);
static ngx_int_t ngx_smtp_http_parse_chunks(ngx_smtp_http_request_t *r,
    ngx_buf_t *b, char **reason);
static ngx_int_t ngx_smtp_http_parse_data(ngx_smtp_http_request_t *r,
    u_char *data, size_t len, char **reason);
static ngx_int_t ngx_smtp_http_answer_grow(ngx_smtp_http_request_t *r,
    size_t len);


ngx_int_t
ngx_smtp_http_parse_init(ngx_smtp_http_request_t *r)
{
    size_t                   size;
    ngx_smtp_http_parser_t  *parser;

    /* a second server may have been asked: its answer takes the same memory */

    if (r->parser == NULL) {
        size = r->conf->buffer_size;

        parser = ngx_palloc(r->pool, sizeof(ngx_smtp_http_parser_t));
        r->in.start = ngx_pnalloc(r->pool, size);

        if (parser == NULL || r->in.start == NULL
            || ngx_array_init(&r->headers, r->pool, 8,
                              sizeof(ngx_smtp_http_header_t))
               != NGX_OK)
        {
            return NGX_ERROR;
        }

        r->parser = parser;
        r->in.end = r->in.start + size;
    }

    parser = r->parser;

    ngx_memzero(parser, sizeof(ngx_smtp_http_parser_t));

    parser->request.connection = r->connection;
    parser->max = r->max_body ? r->max_body : NGX_SMTP_HTTP_DISCARD_MAX;

    r->in.pos = r->in.start;
    r->in.last = r->in.start;

    r->raw.pos = r->raw.start;
    r->raw.last = r->raw.start;

    r->status = 0;
    r->headers.nelts = 0;
    r->answer.len = 0;

    return NGX_OK;
}


ngx_buf_t *
ngx_smtp_http_parse_room(ngx_smtp_http_request_t *r, char **reason)
{
    ngx_smtp_http_parser_t  *parser;

    parser = r->parser;

    if (parser->state < ngx_smtp_http_body) {

        if (r->in.last == r->in.end) {
            *reason = "sent too big a header";
            return NULL;
        }

        return &r->in;
    }

    if (r->raw.start == NULL) {
        r->raw.start = ngx_pnalloc(r->pool, NGX_SMTP_HTTP_RAW_SIZE);
        if (r->raw.start == NULL) {
            *reason = "can't be heard: no memory";
            return NULL;
        }

        r->raw.end = r->raw.start + NGX_SMTP_HTTP_RAW_SIZE;
    }

    r->raw.pos = r->raw.start;
    r->raw.last = r->raw.start;

    return &r->raw;
}


ngx_int_t
ngx_smtp_http_parse(ngx_smtp_http_request_t *r, char **reason)
{
    ngx_int_t                rc;
    ngx_smtp_http_parser_t  *parser;

    parser = r->parser;

    if (parser->state == ngx_smtp_http_body) {
        return ngx_smtp_http_parse_body(r, &r->raw, reason);
    }

    rc = ngx_smtp_http_parse_header(r, reason);

    if (rc != NGX_OK) {
        return rc;
    }

    parser->state = ngx_smtp_http_body;

    if (ngx_smtp_http_parse_framing(r, reason) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_smtp_http_parse_body(r, &r->in, reason);
}


ngx_int_t
ngx_smtp_http_parse_eof(ngx_smtp_http_request_t *r)
{
    ngx_smtp_http_parser_t  *parser;

    parser = r->parser;

    if (parser->state == ngx_smtp_http_body
        && parser->framing == ngx_smtp_http_eof)
    {
        parser->state = ngx_smtp_http_done;
        return NGX_OK;
    }

    return NGX_ERROR;
}


/* RFC 9112, 9.3 */

ngx_uint_t
ngx_smtp_http_parse_keepalive(ngx_smtp_http_request_t *r)
{
    ngx_smtp_http_parser_t  *parser;

    parser = r->parser;

    if (parser == NULL
        || parser->state != ngx_smtp_http_done
        || parser->framing == ngx_smtp_http_eof
        || parser->close)
    {
        return 0;
    }

    /* what follows an answer is none that was asked for */

    if (r->in.pos != r->in.last || r->raw.pos != r->raw.last) {
        return 0;
    }

    return parser->keepalive || parser->request.http_minor > 0;
}


static ngx_int_t
ngx_smtp_http_parse_header(ngx_smtp_http_request_t *r, char **reason)
{
    ngx_int_t                rc;
    ngx_smtp_http_parser_t  *parser;

    parser = r->parser;

    for ( ;; ) {

        if (parser->state == ngx_smtp_http_status_line) {
            rc = ngx_smtp_http_parse_status(r, reason);

            if (rc != NGX_OK) {
                return rc;
            }

            parser->state = ngx_smtp_http_fields;
        }

        rc = ngx_smtp_http_parse_fields(r, reason);

        if (rc != NGX_OK || r->status >= 200) {
            return rc;
        }

        /* an interim answer: the real one follows */

        if (++parser->interim > NGX_SMTP_HTTP_INTERIM_MAX) {
            *reason = "too many interim answers";
            return NGX_ERROR;
        }

        r->headers.nelts = 0;
        parser->state = ngx_smtp_http_status_line;
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
ngx_smtp_http_parse_fields(ngx_smtp_http_request_t *r, char **reason)
{
    ngx_int_t                rc;
    ngx_smtp_http_parser_t  *parser;

    parser = r->parser;

    for ( ;; ) {
        rc = ngx_http_parse_header_line(&parser->request, &r->in, 1);

        switch (rc) {

        case NGX_OK:
            if (ngx_smtp_http_field_add(r, reason) != NGX_OK) {
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
ngx_smtp_http_field_add(ngx_smtp_http_request_t *r, char **reason)
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


ngx_uint_t
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


/*
 * RFC 9112, 6.3.  Nothing is guessed: a service, or who stands in front of it,
 * that gives two lengths has been misled or misleads.
 */

static ngx_int_t
ngx_smtp_http_parse_framing(ngx_smtp_http_request_t *r, char **reason)
{
    ngx_str_t               *name, *value;
    ngx_uint_t               i, lengths, codings;
    ngx_smtp_http_header_t  *header;
    ngx_smtp_http_parser_t  *parser;

    parser = r->parser;
    header = r->headers.elts;

    lengths = 0;
    codings = 0;

    for (i = 0; i < r->headers.nelts; i++) {
        name = &header[i].name;
        value = &header[i].value;

        if (ngx_smtp_http_name_is(name, "content-length", 14)) {
            parser->left = ngx_atoof(value->data, value->len);

            if (lengths++ || parser->left == NGX_ERROR) {
                *reason = "invalid or second Content-Length";
                return NGX_ERROR;
            }

        } else if (ngx_smtp_http_name_is(name, "transfer-encoding", 17)) {

            if (codings++ || value->len != 7
                || ngx_strncasecmp(value->data, (u_char *) "chunked", 7) != 0)
            {
                *reason = "unknown Transfer-Encoding";
                return NGX_ERROR;
            }

        } else if (ngx_smtp_http_name_is(name, "connection", 10)) {
            ngx_smtp_http_parse_connection(parser, value);
        }
    }

    if (codings && (lengths || parser->request.http_minor == 0)) {
        *reason = "Transfer-Encoding with Content-Length or in HTTP/1.0";
        return NGX_ERROR;
    }

    if (r->status == NGX_HTTP_NO_CONTENT || r->status == NGX_HTTP_NOT_MODIFIED)
    {
        parser->framing = ngx_smtp_http_none;

    } else if (codings) {
        parser->framing = ngx_smtp_http_chunked;

    } else if (lengths) {
        parser->framing = ngx_smtp_http_length;

        if (r->max_body && parser->left > (off_t) r->max_body) {
            *reason = "sent too big a body";
            return NGX_ERROR;
        }

    } else {
        parser->framing = ngx_smtp_http_eof;

        if (r->max_body == 0) {

            /*
             * Nobody waits for the end of what nobody wants; services written
             * for nginx's auth_http may even wait for us to close.
             */

            parser->framing = ngx_smtp_http_none;
            parser->close = 1;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_smtp_http_name_is(ngx_str_t *name, char *want, size_t len)
{
    return name->len == len && ngx_strncmp(name->data, want, len) == 0;
}


/* a list of options, RFC 9110, 7.6.1 */

static void
ngx_smtp_http_parse_connection(ngx_smtp_http_parser_t *parser,
    ngx_str_t *value)
{
    u_char  *p, *last, *end;

    p = value->data;
    end = p + value->len;

    while (p < end) {

        if (*p == ' ' || *p == '\t' || *p == ',') {
            p++;
            continue;
        }

        last = p;

        while (last < end && *last != ' ' && *last != '\t' && *last != ',') {
            last++;
        }

        if (last - p == 5 && ngx_strncasecmp(p, (u_char *) "close", 5) == 0) {
            parser->close = 1;

        } else if (last - p == 10
                   && ngx_strncasecmp(p, (u_char *) "keep-alive", 10) == 0)
        {
            parser->keepalive = 1;
        }

        p = last;
    }
}


static ngx_int_t
ngx_smtp_http_parse_body(ngx_smtp_http_request_t *r, ngx_buf_t *b,
    char **reason)
{
    size_t                   n;
    ngx_int_t                rc;
    ngx_smtp_http_parser_t  *parser;

    parser = r->parser;

    switch (parser->framing) {

    case ngx_smtp_http_none:
        rc = NGX_OK;
        break;

    case ngx_smtp_http_chunked:
        rc = ngx_smtp_http_parse_chunks(r, b, reason);
        break;

    default: /* ngx_smtp_http_length, ngx_smtp_http_eof */
        n = b->last - b->pos;

        if (parser->framing == ngx_smtp_http_length) {
            n = (size_t) ngx_min((off_t) n, parser->left);
            parser->left -= n;
        }

        rc = ngx_smtp_http_parse_data(r, b->pos, n, reason);

        b->pos += n;

        if (rc == NGX_OK
            && (parser->framing == ngx_smtp_http_eof || parser->left))
        {
            rc = NGX_AGAIN;
        }
    }

    if (rc == NGX_DONE) {

        /* nobody wants that body: not to its end */

        parser->close = 1;
        rc = NGX_OK;
    }

    if (rc == NGX_OK) {
        parser->state = ngx_smtp_http_done;
    }

    return rc;
}


static ngx_int_t
ngx_smtp_http_parse_chunks(ngx_smtp_http_request_t *r, ngx_buf_t *b,
    char **reason)
{
    size_t                   n;
    ngx_int_t                rc;
    ngx_smtp_http_parser_t  *parser;

    parser = r->parser;

    parser->raw += b->last - b->pos;

    for ( ;; ) {

        rc = ngx_smtp_http_chunked_parse(&parser->request, b,
                                         &parser->chunked);

        if (rc == NGX_AGAIN) {
            break;
        }

        if (rc == NGX_DONE) {
            return NGX_OK;
        }

        if (rc != NGX_OK) {
            *reason = "invalid chunk";
            return NGX_ERROR;
        }

        n = (size_t) ngx_min((off_t) (b->last - b->pos),
                             parser->chunked.size);

        rc = ngx_smtp_http_parse_data(r, b->pos, n, reason);

        if (rc != NGX_OK) {
            return rc;
        }

        b->pos += n;
        parser->chunked.size -= n;
    }

    /* extensions and trailers have no bounds of their own */

    if (parser->raw / NGX_SMTP_HTTP_CHUNK_WASTE
        > (off_t) (parser->size + r->conf->buffer_size))
    {
        *reason = "sent too much around its chunks";
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}


/* NGX_DONE: enough of a body that is thrown away */

static ngx_int_t
ngx_smtp_http_parse_data(ngx_smtp_http_request_t *r, u_char *data, size_t len,
    char **reason)
{
    ngx_smtp_http_parser_t  *parser;

    parser = r->parser;

    if (len > parser->max - parser->size) {

        if (r->max_body == 0) {
            return NGX_DONE;
        }

        *reason = "sent too big a body";
        return NGX_ERROR;
    }

    parser->size += len;

    if (r->max_body == 0 || len == 0) {
        return NGX_OK;
    }

    if (ngx_smtp_http_answer_grow(r, len) != NGX_OK) {
        *reason = "can't be heard: no memory";
        return NGX_ERROR;
    }

    ngx_memcpy(r->answer.data + r->answer.len, data, len);
    r->answer.len += len;

    return NGX_OK;
}


/* memory for what has come, whatever Content-Length promises */

static ngx_int_t
ngx_smtp_http_answer_grow(ngx_smtp_http_request_t *r, size_t len)
{
    u_char  *p;
    size_t   size;

    if (len <= r->answer_size - r->answer.len) {
        return NGX_OK;
    }

    size = ngx_max(r->answer_size * 2, NGX_SMTP_HTTP_ANSWER_SIZE);
    size = ngx_max(size, r->answer.len + len);
    size = ngx_min(size, r->max_body);

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (r->answer_size) {
        ngx_memcpy(p, r->answer.data, r->answer.len);
        ngx_explicit_memzero(r->answer.data, r->answer.len);
        (void) ngx_pfree(r->pool, r->answer.data);
    }

    r->answer.data = p;
    r->answer_size = size;

    return NGX_OK;
}

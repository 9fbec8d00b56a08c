
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_log.h>


/*
 * Formats: compiled into pieces when the configuration is read, run for each
 * line.  What a client or a next hop said appears in a line as values alone,
 * and an escaped value can't end the line, the quotes around it, or the
 * string of JSON it is in.
 */


/* the longest escape of one octet: \u00XX */
#define NGX_SMTP_LOG_ESCAPE_MAX  6


static ngx_int_t ngx_smtp_log_format_variable(ngx_conf_t *cf,
    ngx_smtp_log_format_t *format, u_char **pos, u_char *last);
static ngx_int_t ngx_smtp_log_format_text(ngx_conf_t *cf,
    ngx_smtp_log_format_t *format, u_char *data, size_t len);
static ngx_int_t ngx_smtp_log_format_json(ngx_conf_t *cf,
    ngx_smtp_log_format_t *format);
static u_char *ngx_smtp_log_value(ngx_smtp_log_escape_e escape, u_char *p,
    u_char *end, ngx_str_t *value);
static size_t ngx_smtp_log_escape(u_char *dst, u_char **pos);
static size_t ngx_smtp_log_escape_json(u_char *dst, u_char **pos,
    u_char *last);


static ngx_str_t  ngx_smtp_log_escapes[] = {
    ngx_string("default"),
    ngx_string("json"),
    ngx_string("none"),
    ngx_null_string
};


/*
 * What is certain stands first, what the client chose stands last: a quoted
 * local part may hold spaces and look like another field.
 */

static ngx_str_t  ngx_smtp_log_format_main =
    ngx_string("$remote_addr [$time_local] $smtp_id "
               "$smtp_result $smtp_status \"$smtp_reply\" "
               "rcpt=$smtp_rcpt_count refused=$smtp_rcpt_refused "
               "bytes=$smtp_bytes time=$smtp_request_time "
               "upstream=$smtp_upstream_addr "
               "upstream_time=$smtp_upstream_response_time "
               "proto=$smtp_protocol tls=$ssl_protocol/$ssl_cipher "
               "user=\"$smtp_auth_user\" helo=$smtp_helo "
               "from=<$smtp_mail_from> to=<$smtp_rcpt_to>");


ngx_int_t
ngx_smtp_log_escape_parse(ngx_smtp_log_format_t *format, ngx_str_t *name)
{
    ngx_uint_t  i;

    for (i = 0; ngx_smtp_log_escapes[i].len; i++) {

        if (ngx_smtp_log_escapes[i].len == name->len
            && ngx_strncmp(ngx_smtp_log_escapes[i].data, name->data,
                           name->len)
               == 0)
        {
            format->escape = (ngx_smtp_log_escape_e) i;
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_smtp_log_format_compile(ngx_conf_t *cf, ngx_smtp_log_format_t *format,
    ngx_str_t *text)
{
    u_char  *p, *last, *start;

    p = text->data;
    last = p + text->len;

    while (p < last) {

        if (*p == '$') {

            if (ngx_smtp_log_format_variable(cf, format, &p, last)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            continue;
        }

        start = p;

        while (p < last && *p != '$') {
            p++;
        }

        if (ngx_smtp_log_format_text(cf, format, start, p - start) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_log_format_variable(ngx_conf_t *cf, ngx_smtp_log_format_t *format,
    u_char **pos, u_char *last)
{
    ngx_smtp_log_op_t  *op;

    op = ngx_array_push(&format->ops);
    if (op == NULL) {
        return NGX_ERROR;
    }

    ngx_str_null(&op->text);

    op->var = ngx_smtp_var_parse(cf, pos, last);

    return op->var ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_smtp_log_format_text(ngx_conf_t *cf, ngx_smtp_log_format_t *format,
    u_char *data, size_t len)
{
    ngx_smtp_log_op_t  *op;

    format->text_size += len;

    if (format->text_size > NGX_SMTP_LOG_TEXT_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the text of log format \"%V\" is longer than "
                           "%d characters",
                           &format->name, NGX_SMTP_LOG_TEXT_MAX);
        return NGX_ERROR;
    }

    op = ngx_array_push(&format->ops);
    if (op == NULL) {
        return NGX_ERROR;
    }

    op->var = NULL;

    op->text.data = ngx_pnalloc(cf->pool, len);
    if (op->text.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(op->text.data, data, len);
    op->text.len = len;

    return NGX_OK;
}


ngx_int_t
ngx_smtp_log_format_predefine(ngx_conf_t *cf, ngx_smtp_log_format_t *format)
{
    if (ngx_strcmp(format->name.data, "main") == 0) {
        return ngx_smtp_log_format_compile(cf, format,
                                           &ngx_smtp_log_format_main);
    }

    if (ngx_strcmp(format->name.data, "json") == 0) {
        return ngx_smtp_log_format_json(cf, format);
    }

    return NGX_DECLINED;
}


/* every variable there is, so that one added later is not forgotten */

static ngx_int_t
ngx_smtp_log_format_json(ngx_conf_t *cf, ngx_smtp_log_format_t *format)
{
    u_char                *p;
    size_t                 len;
    ngx_str_t              text;
    const ngx_smtp_var_t  *var;

    format->escape = NGX_SMTP_LOG_ESCAPE_JSON;

    len = 0;

    for (var = ngx_smtp_var_table; var->name.len; var++) {
        len += sizeof("{\"\":\"${}\"}") - 1 + 2 * var->name.len;
    }

    p = ngx_pnalloc(cf->temp_pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    text.data = p;

    for (var = ngx_smtp_var_table; var->name.len; var++) {
        p = ngx_sprintf(p, "%c\"%V\":\"${%V}\"",
                        var == ngx_smtp_var_table ? '{' : ',',
                        &var->name, &var->name);
    }

    *p++ = '}';

    text.len = p - text.data;

    return ngx_smtp_log_format_compile(cf, format, &text);
}


u_char *
ngx_smtp_log_format_run(ngx_smtp_log_format_t *format, ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_pool_t *pool, u_char *p)
{
    u_char             *end;
    ngx_str_t           value;
    ngx_uint_t          i;
    ngx_smtp_log_op_t  *op;

    /* how far values may go; moves on with each text that is written */

    end = p + NGX_SMTP_LOG_LINE_MAX - format->text_size;

    op = format->ops.elts;

    for (i = 0; i < format->ops.nelts; i++) {

        if (op[i].var == NULL) {
            p = ngx_cpymem(p, op[i].text.data, op[i].text.len);
            end += op[i].text.len;
            continue;
        }

        if (op[i].var->get(s, tx, pool, &value, op[i].var->data) != NGX_OK) {

            if (format->escape != NGX_SMTP_LOG_ESCAPE_DEFAULT) {
                continue;
            }

            ngx_str_set(&value, "-");
        }

        p = ngx_smtp_log_value(format->escape, p, end, &value);
    }

    return p;
}


static u_char *
ngx_smtp_log_value(ngx_smtp_log_escape_e escape, u_char *p, u_char *end,
    ngx_str_t *value)
{
    u_char  *src, *last;
    size_t   n;
    u_char   unit[NGX_SMTP_LOG_ESCAPE_MAX];

    src = value->data;
    last = src + value->len;

    if (escape == NGX_SMTP_LOG_ESCAPE_NONE) {
        return ngx_cpymem(p, src, ngx_min(value->len, (size_t) (end - p)));
    }

    /* an escape, or a character of UTF-8, is written as a whole */

    while (src < last) {

        if (escape == NGX_SMTP_LOG_ESCAPE_JSON) {
            n = ngx_smtp_log_escape_json(unit, &src, last);

        } else {
            n = ngx_smtp_log_escape(unit, &src);
        }

        if (n > (size_t) (end - p)) {
            break;
        }

        p = ngx_cpymem(p, unit, n);
    }

    return p;
}


static size_t
ngx_smtp_log_escape(u_char *dst, u_char **pos)
{
    u_char  ch;

    ch = *(*pos)++;

    if (ch < 0x20 || ch >= 0x7f || ch == '"' || ch == '\\') {
        return ngx_sprintf(dst, "\\x%02Xd", ch) - dst;
    }

    *dst = ch;

    return 1;
}


/*
 * RFC 8259, 7 and 8.1: JSON is UTF-8.  An octet that is not a part of any
 * character becomes the code point of the same number.
 */

static size_t
ngx_smtp_log_escape_json(u_char *dst, u_char **pos, u_char *last)
{
    u_char  ch;
    size_t  n;

    ch = **pos;

    if (ch >= 0x80) {

        n = ngx_smtp_utf8_length(*pos, last);

        if (n) {
            ngx_memcpy(dst, *pos, n);
            *pos += n;
            return n;
        }
    }

    (*pos)++;

    if (ch == '"' || ch == '\\') {
        dst[0] = '\\';
        dst[1] = ch;
        return 2;
    }

    if (ch < 0x20 || ch >= 0x7f) {
        return ngx_sprintf(dst, "\\u00%02xd", ch) - dst;
    }

    *dst = ch;

    return 1;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_fields.h>
#include <ngx_smtp_fold.h>


/*
 * Fields of RFC 5322, 2.2, told apart as by ngx_smtp_header.c.  What is put in
 * is written anew: a name of 3.6.8, a colon, and one line of text, so that a
 * value can't become a field, or the end of the section.
 */


/* what is written of a new field */
typedef struct {
    u_char       *last;
    size_t        len;           /* of the present line */
    ngx_uint_t    too_long;
} ngx_smtp_fields_line_t;


static size_t ngx_smtp_fields_colon(u_char *p, u_char *last,
    size_t *name_len);
static u_char *ngx_smtp_fields_end(u_char *p, u_char *last);
static ngx_int_t ngx_smtp_fields_make(ngx_smtp_field_t *field,
    ngx_str_t *name, ngx_str_t *value, u_char *buf);
static void ngx_smtp_fields_feed(ngx_smtp_fold_t *fold, const void *data,
    size_t len);
static ngx_uint_t ngx_smtp_fields_valid(ngx_str_t *name, ngx_str_t *value);
static void ngx_smtp_fields_write(void *data, u_char *p, size_t len);
static ngx_smtp_field_t *ngx_smtp_fields_find(ngx_smtp_fields_t *fields,
    ngx_uint_t index, ngx_str_t *name);


#define ngx_smtp_fields_is_wsp(c)  ((c) == ' ' || (c) == '\t')


ngx_uint_t
ngx_smtp_fields_count(ngx_str_t *text)
{
    u_char      *p, *last;
    ngx_uint_t   n;

    last = text->data + text->len;

    for (n = 1, p = text->data; p < last; p++) {
        n += (*p == LF);
    }

    return n;
}


ngx_int_t
ngx_smtp_fields_parse(ngx_smtp_fields_t *fields, ngx_str_t *text)
{
    size_t             name_len, colon;
    u_char            *p, *end, *last;
    ngx_smtp_field_t  *field;

    fields->n = 0;

    p = text->data;
    last = p + text->len;

    while (p < last) {

        colon = ngx_smtp_fields_colon(p, last, &name_len);

        if (colon == 0) {
            break;
        }

        if (fields->n == fields->max) {
            return NGX_DECLINED;
        }

        end = ngx_smtp_fields_end(p + colon, last);

        field = &fields->list[fields->n++];

        field->text.data = p;
        field->text.len = end - p;
        field->name_len = name_len;
        field->colon = colon;

        p = end;
    }

    fields->rest.data = p;
    fields->rest.len = last - p;

    return NGX_OK;
}


/* 0: the line is no field */

static size_t
ngx_smtp_fields_colon(u_char *p, u_char *last, size_t *name_len)
{
    u_char  *start;

    start = p;

    while (p < last && *p > ' ' && *p < 0x7f && *p != ':') { p++; }

    *name_len = p - start;

    if (*name_len == 0) {
        return 0;
    }

    /* obsolete: 4.5 */

    while (p < last && ngx_smtp_fields_is_wsp(*p)) { p++; }

    return (p < last && *p == ':') ? (size_t) (p - start) : 0;
}


static u_char *
ngx_smtp_fields_end(u_char *p, u_char *last)
{
    do {
        p = memchr(p, LF, last - p);

        if (p == NULL) {
            return last;
        }

        p++;

    } while (p < last && ngx_smtp_fields_is_wsp(*p));

    return p;
}


ngx_int_t
ngx_smtp_fields_insert(ngx_smtp_fields_t *fields, ngx_uint_t index,
    ngx_str_t *name, ngx_str_t *value, u_char *buf)
{
    ngx_smtp_field_t   made, *field;

    if (fields->n == fields->max
        || ngx_smtp_fields_make(&made, name, value, buf) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    index = ngx_min(index, fields->n);
    field = &fields->list[index];

    ngx_memmove(field + 1, field,
                (fields->n - index) * sizeof(ngx_smtp_field_t));

    *field = made;
    fields->n++;

    return NGX_OK;
}


ngx_int_t
ngx_smtp_fields_change(ngx_smtp_fields_t *fields, ngx_uint_t index,
    ngx_str_t *name, ngx_str_t *value, u_char *buf)
{
    ngx_smtp_field_t  *field;

    field = ngx_smtp_fields_find(fields, index, name);

    if (field == NULL) {
        return ngx_smtp_fields_insert(fields, fields->n, name, value, buf);
    }

    return ngx_smtp_fields_make(field, name, value, buf);
}


void
ngx_smtp_fields_delete(ngx_smtp_fields_t *fields, ngx_uint_t index,
    ngx_str_t *name)
{
    ngx_smtp_field_t  *field;

    field = ngx_smtp_fields_find(fields, index, name);

    if (field) {
        fields->n--;

        ngx_memmove(field, field + 1,
                    (u_char *) &fields->list[fields->n] - (u_char *) field);
    }
}


static ngx_int_t
ngx_smtp_fields_make(ngx_smtp_field_t *field, ngx_str_t *name,
    ngx_str_t *value, u_char *buf)
{
    ngx_smtp_fold_t          fold;
    ngx_smtp_fields_line_t   line;

    if (!ngx_smtp_fields_valid(name, value)) {
        return NGX_DECLINED;
    }

    line.last = buf;
    line.len = 0;
    line.too_long = 0;

    ngx_memzero(&fold, sizeof(ngx_smtp_fold_t));

    fold.write = ngx_smtp_fields_write;
    fold.data = &line;

    ngx_smtp_fields_feed(&fold, name->data, name->len);
    ngx_smtp_fields_feed(&fold, ":", 1);

    if (value->len == 0 || !ngx_smtp_fields_is_wsp(value->data[0])) {
        ngx_smtp_fields_feed(&fold, " ", 1);
    }

    ngx_smtp_fields_feed(&fold, value->data, value->len);
    ngx_smtp_fields_feed(&fold, CRLF, sizeof(CRLF) - 1);

    ngx_smtp_fold_end(&fold);

    if (line.too_long) {
        return NGX_DECLINED;
    }

    field->text.data = buf;
    field->text.len = line.last - buf;
    field->name_len = name->len;
    field->colon = name->len;

    return NGX_OK;
}


static ngx_uint_t
ngx_smtp_fields_valid(ngx_str_t *name, ngx_str_t *value)
{
    size_t  i;

    if (name->len == 0 || name->len > NGX_SMTP_FOLD_LINE - 2) {
        return 0;
    }

    for (i = 0; i < name->len; i++) {
        if (name->data[i] <= ' ' || name->data[i] >= 0x7f
            || name->data[i] == ':')
        {
            return 0;
        }
    }

    for (i = 0; i < value->len; i++) {
        if ((value->data[i] < ' ' && value->data[i] != '\t')
            || value->data[i] == 0x7f)
        {
            return 0;
        }
    }

    return 1;
}


static void
ngx_smtp_fields_feed(ngx_smtp_fold_t *fold, const void *data, size_t len)
{
    u_char  *p;

    p = (u_char *) data;

    ngx_smtp_fold_feed(fold, p, p + len);
}


static void
ngx_smtp_fields_write(void *data, u_char *p, size_t len)
{
    ngx_smtp_fields_line_t *line = data;

    size_t  i;

    line->last = ngx_cpymem(line->last, p, len);

    for (i = 0; i < len; i++) {
        line->len++;

        if (p[i] == LF) {
            line->len = 0;

        } else if (line->len > NGX_SMTP_FOLD_LINE + 1) {
            /* its CR counts here */
            line->too_long = 1;
        }
    }
}


/* NULL: there are not so many */

static ngx_smtp_field_t *
ngx_smtp_fields_find(ngx_smtp_fields_t *fields, ngx_uint_t index,
    ngx_str_t *name)
{
    ngx_uint_t         i, n;
    ngx_smtp_field_t  *field;

    n = 0;

    for (i = 0; i < fields->n; i++) {
        field = &fields->list[i];

        if (field->name_len == name->len
            && ngx_strncasecmp(field->text.data, name->data, name->len) == 0
            && ++n == index)
        {
            return field;
        }
    }

    return NULL;
}


/* each may have to get a line end, and so may the section */

size_t
ngx_smtp_fields_size(ngx_smtp_fields_t *fields)
{
    size_t      len;
    ngx_uint_t  i;

    len = fields->rest.len + sizeof(CRLF) - 1;

    for (i = 0; i < fields->n; i++) {
        len += fields->list[i].text.len + sizeof(CRLF) - 1;
    }

    return len;
}


u_char *
ngx_smtp_fields_join(ngx_smtp_fields_t *fields, ngx_uint_t follows, u_char *p)
{
    ngx_str_t   *rest;
    ngx_uint_t   i, empty;

    rest = &fields->rest;

    for (i = 0; i < fields->n; i++) {
        p = ngx_cpymem(p, fields->list[i].text.data,
                       fields->list[i].text.len);

        if (p[-1] != LF) {

            /* the end of the message has cut it */

            if (p[-1] == CR) {
                p--;
            }

            *p++ = CR; *p++ = LF;
        }
    }

    empty = (rest->len && rest->data[0] == LF)
            || (rest->len > 1 && rest->data[0] == CR && rest->data[1] == LF);

    if (!empty && (rest->len || follows)) {
        *p++ = CR; *p++ = LF;
    }

    return ngx_cpymem(p, rest->data, rest->len);
}

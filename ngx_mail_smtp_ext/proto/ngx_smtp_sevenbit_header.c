
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_sevenbit.h>
#include <ngx_smtp_sevenbit_private.h>


/*
 * The header fields that say what a part is: MIME-Version, Content-Type and
 * Content-Transfer-Encoding, RFC 2045, 4 to 6.  One of them that is there
 * twice, too long, or not by the grammar, says nothing that could be relied on.
 */


static void ngx_smtp_sevenbit_field_end(ngx_smtp_sevenbit_t *sb);
static void ngx_smtp_sevenbit_type(ngx_smtp_sevenbit_header_t *header,
    u_char *p, u_char *last);
static void ngx_smtp_sevenbit_multipart(ngx_smtp_sevenbit_header_t *header,
    ngx_str_t *subtype, u_char *p, u_char *last);
static ngx_uint_t ngx_smtp_sevenbit_parameter(u_char **pos, u_char *last,
    ngx_str_t *name, u_char *value, size_t *len);
static ngx_uint_t ngx_smtp_sevenbit_boundary_valid(u_char *p, size_t len);
static ngx_uint_t ngx_smtp_sevenbit_encoding(u_char *p, u_char *last);
static u_char *ngx_smtp_sevenbit_blank(u_char *p, u_char *last);
static u_char *ngx_smtp_sevenbit_token(u_char *p, u_char *last,
    ngx_str_t *token);


#define ngx_smtp_sevenbit_is(s, name)                                        \
    ((s)->len == sizeof(name) - 1                                            \
     && ngx_strncasecmp((s)->data, (u_char *) name, sizeof(name) - 1) == 0)


static struct {
    ngx_str_t   name;
    ngx_uint_t  field;
} ngx_smtp_sevenbit_names[] = {
    { ngx_string("Content-Type"), NGX_SMTP_SEVENBIT_CONTENT_TYPE },
    { ngx_string("Content-Transfer-Encoding"), NGX_SMTP_SEVENBIT_ENCODING },
    { ngx_string("MIME-Version"), NGX_SMTP_SEVENBIT_MIME_VERSION },
    { ngx_null_string, NGX_SMTP_SEVENBIT_OTHER }
};


/* field-name [WSP] ":", RFC 5322, 3.6.8 and 4.5 */

ngx_uint_t
ngx_smtp_sevenbit_field(ngx_smtp_sevenbit_t *sb, u_char *p, size_t len)
{
    u_char      *last;
    ngx_str_t    name;
    ngx_uint_t   i;

    last = p + len;

    name.data = p;

    while (p < last && *p > ' ' && *p < 0x7f && *p != ':') { p++; }

    name.len = p - name.data;

    while (p < last && (*p == ' ' || *p == '\t')) { p++; }

    if (name.len == 0 || p == last || *p != ':') {
        return 0;
    }

    ngx_smtp_sevenbit_field_end(sb);

    sb->header.fields = 1;
    sb->value_len = 0;

    for (i = 0; ngx_smtp_sevenbit_names[i].name.len; i++) {

        if (ngx_smtp_sevenbit_names[i].name.len == name.len
            && ngx_strncasecmp(ngx_smtp_sevenbit_names[i].name.data, name.data,
                               name.len)
               == 0)
        {
            break;
        }
    }

    sb->field = ngx_smtp_sevenbit_names[i].field;

    return 1;
}


void
ngx_smtp_sevenbit_value(ngx_smtp_sevenbit_t *sb, u_char *p, size_t len)
{
    if (sb->field == NGX_SMTP_SEVENBIT_OTHER) {
        return;
    }

    /* one that does not fit is too long, and seen to be so */

    len = ngx_min(len, NGX_SMTP_SEVENBIT_LINE - sb->value_len);

    ngx_memcpy(sb->value + sb->value_len, p, len);

    sb->value_len += len;
}


static void
ngx_smtp_sevenbit_field_end(ngx_smtp_sevenbit_t *sb)
{
    u_char                      *p, *last;
    ngx_uint_t                   whole;
    ngx_smtp_sevenbit_header_t  *header;

    if (sb->field == NGX_SMTP_SEVENBIT_OTHER) {
        return;
    }

    header = &sb->header;

    last = sb->value + sb->value_len;
    p = ngx_strlchr(sb->value, last, ':');

    whole = (p && sb->value_len < NGX_SMTP_SEVENBIT_LINE);

    p = whole ? p + 1 : last;

    switch (sb->field) {

    case NGX_SMTP_SEVENBIT_CONTENT_TYPE:
        header->types++;
        ngx_smtp_sevenbit_type(header, p, last);
        break;

    case NGX_SMTP_SEVENBIT_ENCODING:
        header->ctes++;
        header->cte = ngx_smtp_sevenbit_encoding(p, last);
        break;

    default: /* NGX_SMTP_SEVENBIT_MIME_VERSION */
        header->versions++;
        break;
    }

    sb->field = NGX_SMTP_SEVENBIT_OTHER;
}


void
ngx_smtp_sevenbit_fields_end(ngx_smtp_sevenbit_t *sb)
{
    ngx_smtp_sevenbit_header_t  *header;

    ngx_smtp_sevenbit_field_end(sb);

    header = &sb->header;

    if (header->types == 0) {

        /* RFC 2046, 5.1.5; RFC 2045, 5.2 */

        header->type = sb->digest ? NGX_SMTP_SEVENBIT_MESSAGE
                                  : NGX_SMTP_SEVENBIT_TEXT;
    }

    /* RFC 2045, 6.4: what is made of parts is not encoded as a whole */

    if (header->types > 1 || header->ctes > 1
        || (header->cte == NGX_SMTP_SEVENBIT_ENCODED
            && (header->type == NGX_SMTP_SEVENBIT_MULTIPART
                || header->type == NGX_SMTP_SEVENBIT_MESSAGE)))
    {
        header->type = NGX_SMTP_SEVENBIT_LOCKED;
    }
}


/* type "/" subtype *( ";" attribute "=" value ), with comments in between */

static void
ngx_smtp_sevenbit_type(ngx_smtp_sevenbit_header_t *header, u_char *p,
    u_char *last)
{
    ngx_str_t  type, subtype;

    header->type = NGX_SMTP_SEVENBIT_LOCKED;

    p = ngx_smtp_sevenbit_token(p, last, &type);

    if (p == NULL || p == last || *p != '/') {
        return;
    }

    p = ngx_smtp_sevenbit_token(p + 1, last, &subtype);

    if (p == NULL || (p < last && *p != ';')) {
        return;
    }

    if (ngx_smtp_sevenbit_is(&type, "multipart")) {
        ngx_smtp_sevenbit_multipart(header, &subtype, p, last);
        return;
    }

    if (ngx_smtp_sevenbit_is(&type, "message")) {

        /*
         * RFC 2046, 5.2: of these only 7bit, 8bit and binary are allowed; RFC
         * 6532, 3.7, and RFC 6533, 6: but not of message/global...
         */

        if (ngx_smtp_sevenbit_is(&subtype, "rfc822")) {
            header->type = NGX_SMTP_SEVENBIT_MESSAGE;

        } else if (subtype.len >= sizeof("global") - 1
                   && ngx_strncasecmp(subtype.data, (u_char *) "global",
                                      sizeof("global") - 1)
                      == 0)
        {
            header->type = NGX_SMTP_SEVENBIT_OCTETS;
        }

        return;
    }

    header->type = ngx_smtp_sevenbit_is(&type, "text")
                   ? NGX_SMTP_SEVENBIT_TEXT : NGX_SMTP_SEVENBIT_OCTETS;
}


static void
ngx_smtp_sevenbit_multipart(ngx_smtp_sevenbit_header_t *header,
    ngx_str_t *subtype, u_char *p, u_char *last)
{
    size_t      len;
    ngx_str_t   name;
    ngx_uint_t  n;
    u_char      value[NGX_SMTP_SEVENBIT_BOUNDARY];

    n = 0;

    while (p < last) {

        if (!ngx_smtp_sevenbit_parameter(&p, last, &name, value, &len)) {
            return;
        }

        /* RFC 2231 lets it come in pieces, and nobody understands that */

        if (name.len > sizeof("boundary") - 1
            && ngx_strncasecmp(name.data, (u_char *) "boundary*",
                               sizeof("boundary*") - 1)
               == 0)
        {
            return;
        }

        if (!ngx_smtp_sevenbit_is(&name, "boundary")) {
            continue;
        }

        if (++n > 1 || !ngx_smtp_sevenbit_boundary_valid(value, len)) {
            return;
        }

        ngx_memcpy(header->boundary, value, len);
        header->boundary_len = len;
    }

    if (n == 0) {
        return;
    }

    header->type = NGX_SMTP_SEVENBIT_MULTIPART;
    header->signature = ngx_smtp_sevenbit_is(subtype, "signed");
    header->digest = ngx_smtp_sevenbit_is(subtype, "digest");
}


/*
 * ";" attribute "=" ( token / quoted-string ); a value that does not fit has a
 * len that is too large.  0: it is none.
 */

static ngx_uint_t
ngx_smtp_sevenbit_parameter(u_char **pos, u_char *last, ngx_str_t *name,
    u_char *value, size_t *len)
{
    size_t      n;
    u_char     *p;
    ngx_str_t   token;

    p = ngx_smtp_sevenbit_blank(*pos + 1, last);

    if (p == last) {
        /* a semicolon at the end */
        *pos = last;
        name->len = 0;
        return 1;
    }

    p = ngx_smtp_sevenbit_token(p, last, name);

    if (p == NULL || p == last || *p != '=') {
        return 0;
    }

    p = ngx_smtp_sevenbit_blank(p + 1, last);

    n = 0;

    if (p < last && *p == '"') {

        for (p++; p < last && *p != '"'; p++, n++) {

            if (*p == '\\' && ++p == last) {
                return 0;
            }

            if (n < NGX_SMTP_SEVENBIT_BOUNDARY) {
                value[n] = *p;
            }
        }

        if (p == last) {
            return 0;
        }

        p = ngx_smtp_sevenbit_blank(p + 1, last);

    } else {
        p = ngx_smtp_sevenbit_token(p, last, &token);

        if (p == NULL) {
            return 0;
        }

        n = token.len;
        ngx_memcpy(value, token.data, ngx_min(n, NGX_SMTP_SEVENBIT_BOUNDARY));
    }

    *len = n;
    *pos = p;

    return p == last || *p == ';';
}


/* no space at the end: that would be cut off; no control, no 8-bit octet */

static ngx_uint_t
ngx_smtp_sevenbit_boundary_valid(u_char *p, size_t len)
{
    size_t  i;

    if (len == 0 || len > NGX_SMTP_SEVENBIT_BOUNDARY || p[len - 1] == ' ') {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (p[i] < ' ' || p[i] >= 0x7f) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_smtp_sevenbit_encoding(u_char *p, u_char *last)
{
    ngx_str_t  token;

    p = ngx_smtp_sevenbit_token(p, last, &token);

    if (p != last) {
        return NGX_SMTP_SEVENBIT_ENCODED;
    }

    if (ngx_smtp_sevenbit_is(&token, "7bit")) {
        return NGX_SMTP_SEVENBIT_NONE;
    }

    return (ngx_smtp_sevenbit_is(&token, "8bit")
            || ngx_smtp_sevenbit_is(&token, "binary"))
           ? NGX_SMTP_SEVENBIT_8BIT : NGX_SMTP_SEVENBIT_ENCODED;
}


/* behind white space and comments; at a comment that has no end, it stays */

static u_char *
ngx_smtp_sevenbit_blank(u_char *p, u_char *last)
{
    u_char      *start;
    ngx_uint_t   depth;

    depth = 0;

    for (start = p; p < last; p++) {

        switch (*p) {

        case '(':
            depth++;
            break;

        case ')':
            if (depth == 0) {
                return p;
            }

            if (--depth == 0) {
                start = p + 1;
            }

            break;

        case '\\':
            if (depth == 0 || p + 1 == last) {
                return start;
            }

            p++;
            break;

        case ' ':
        case '\t':
        case CR:
        case LF:
            if (depth == 0) {
                start = p + 1;
            }

            break;

        default:
            if (depth == 0) {
                return p;
            }

            break;
        }
    }

    return depth ? start : p;
}


/* RFC 2045, 5.1; with the blanks around it; NULL: none */

static u_char *
ngx_smtp_sevenbit_token(u_char *p, u_char *last, ngx_str_t *token)
{
    p = ngx_smtp_sevenbit_blank(p, last);

    token->data = p;

    while (p < last && *p > ' ' && *p < 0x7f
           && ngx_strlchr((u_char *) "()<>@,;:\\\"/[]?=",
                          (u_char *) "()<>@,;:\\\"/[]?="
                          + sizeof("()<>@,;:\\\"/[]?=") - 1, *p)
              == NULL)
    {
        p++;
    }

    token->len = p - token->data;

    return token->len ? ngx_smtp_sevenbit_blank(p, last) : NULL;
}


void
ngx_smtp_sevenbit_relabel(ngx_smtp_sevenbit_t *sb)
{
    if (sb->header.cte == NGX_SMTP_SEVENBIT_8BIT && !sb->sealed) {
        sb->plan[sb->part] |= NGX_SMTP_SEVENBIT_RELABEL;
    }
}


/*
 * RFC 1428, 3: a text that says nothing of its character set has one that is
 * not known.
 */

void
ngx_smtp_sevenbit_fields(ngx_smtp_sevenbit_t *sb)
{
    u_char     *p;
    ngx_uint_t  plan;

    static struct {
        ngx_uint_t  plan;
        char       *field;
    } fields[] = {
        { NGX_SMTP_SEVENBIT_UNVERSIONED, "MIME-Version: 1.0" CRLF },
        { NGX_SMTP_SEVENBIT_UNTYPED,
          "Content-Type: text/plain; charset=unknown-8bit" CRLF },
        { NGX_SMTP_SEVENBIT_QUOTED,
          "Content-Transfer-Encoding: quoted-printable" CRLF },
        { NGX_SMTP_SEVENBIT_BASE64,
          "Content-Transfer-Encoding: base64" CRLF },
        { NGX_SMTP_SEVENBIT_RELABEL,
          "Content-Transfer-Encoding: 7bit" CRLF },
        { 0, NULL }
    };
    ngx_uint_t  i;

    plan = sb->plan[sb->part];

    for (i = 0; fields[i].field; i++) {

        if (plan & fields[i].plan) {
            p = (u_char *) fields[i].field;
            ngx_smtp_sevenbit_emit(sb, p, ngx_strlen(p));
        }
    }
}

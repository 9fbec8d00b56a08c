
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_header.h>


/*
 * The header section of RFC 5322, 2.2 and 3.6, as far as loop detection (RFC
 * 5321, 6.3) needs it.  Names are looked at octet by octet, bodies of fields
 * are passed over.  A bare LF, where the content may have one, ends a line
 * here: whoever reads the message later is likely to see it so too.
 */


typedef enum {
    ngx_smtp_header_first = 0,   /* where the message begins */
    ngx_smtp_header_line,        /* a field is complete so far */
    ngx_smtp_header_cr,          /* a CR begins the line */
    ngx_smtp_header_name,
    ngx_smtp_header_name_wsp,    /* obsolete: between name and colon, 4.5 */
    ngx_smtp_header_body
} ngx_smtp_header_state_e;


static ngx_int_t ngx_smtp_header_octet(ngx_smtp_header_t *header, u_char c);
static void ngx_smtp_header_field(ngx_smtp_header_t *header);


void
ngx_smtp_header_feed(ngx_smtp_header_t *header, u_char *p, u_char *last)
{
    u_char  *lf;

    while (p < last && !header->done) {

        if (header->state != ngx_smtp_header_body) {

            header->size++;

            if (ngx_smtp_header_octet(header, *p++) != NGX_OK) {

                /* the line belongs to the body, all that was seen of it */

                header->size -= header->name_len;
                header->done = 1;
            }

            continue;
        }

        lf = memchr(p, LF, last - p);

        if (lf == NULL) {
            header->size += last - p;
            return;
        }

        header->size += lf + 1 - p;
        header->state = ngx_smtp_header_line;
        header->name_len = 0;

        p = lf + 1;
    }
}


/* NGX_DECLINED: the line is no header field; name_len is what to take back */

static ngx_int_t
ngx_smtp_header_octet(ngx_smtp_header_t *header, u_char c)
{
    ngx_uint_t  state;

    state = header->state;

    if (header->name_len < NGX_SMTP_HEADER_NAME_MAX) {
        header->name[header->name_len] = c;
    }

    header->name_len++;

    if (c == LF) {

        if (state == ngx_smtp_header_name
            || state == ngx_smtp_header_name_wsp)
        {
            return NGX_DECLINED;
        }

        /* the empty line */

        header->done = 1;
        return NGX_OK;
    }

    switch (state) {

    case ngx_smtp_header_first:
    case ngx_smtp_header_line:

        if (c == CR) {
            header->state = ngx_smtp_header_cr;
            return NGX_OK;
        }

        if (c == ' ' || c == '\t') {

            if (state == ngx_smtp_header_first) {
                return NGX_DECLINED;
            }

            header->state = ngx_smtp_header_body;
            return NGX_OK;
        }

        if (c == ':') {
            return NGX_DECLINED;
        }

        header->state = ngx_smtp_header_name;
        break;

    case ngx_smtp_header_cr:
        return NGX_DECLINED;

    default: /* ngx_smtp_header_name, ngx_smtp_header_name_wsp */
        break;
    }

    if (c == ':') {
        ngx_smtp_header_field(header);
        return NGX_OK;
    }

    if (c == ' ' || c == '\t') {
        header->state = ngx_smtp_header_name_wsp;
        return NGX_OK;
    }

    if (state == ngx_smtp_header_name_wsp || c < ' ' || c >= 0x7f) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* a field begins: [name, colon) is known */

static void
ngx_smtp_header_field(ngx_smtp_header_t *header)
{
    size_t  len;

    header->state = ngx_smtp_header_body;

    len = header->name_len - 1;

    if (len > NGX_SMTP_HEADER_NAME_MAX) {
        return;
    }

    while (header->name[len - 1] == ' ' || header->name[len - 1] == '\t') {
        len--;
    }

    if (len == sizeof("Received") - 1
        && ngx_strncasecmp(header->name, (u_char *) "Received", len) == 0)
    {
        header->received++;
    }
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_gs2.h>
#include <ngx_smtp_scram.h>


/*
 * client-first-message = gs2-header "n=" saslname "," "r=" c-nonce
 *                        ["," extensions]
 * client-final-message = "c=" base64 "," "r=" nonce ["," extensions]
 *                        "," "p=" base64
 */


static u_char *ngx_smtp_scram_attr(u_char *p, u_char *last, u_char name,
    ngx_str_t *value);
static u_char *ngx_smtp_scram_nonce(u_char *p, u_char *last,
    ngx_str_t *nonce);
static u_char *ngx_smtp_scram_extension(u_char *p, u_char *last,
    ngx_str_t *value);


ngx_int_t
ngx_smtp_scram_first_parse(ngx_smtp_scram_first_t *first, ngx_str_t *text)
{
    u_char     *p, *last;
    ngx_str_t   value;

    last = text->data + text->len;

    p = ngx_smtp_gs2_parse(&first->gs2, text->data, last);

    if (p == NULL) {
        return NGX_ERROR;
    }

    first->bare.data = p;
    first->bare.len = last - p;

    /* "m=" comes first: what has to be understood isn't */

    if (last - p < 3 || p[0] != 'n' || p[1] != '=') {
        return NGX_ERROR;
    }

    first->user.data = p + 2;

    p = ngx_smtp_saslname_parse(p + 2, last);

    if (p == NULL || p == last) {
        return NGX_ERROR;
    }

    first->user.len = p - first->user.data;

    p = ngx_smtp_scram_nonce(p + 1, last, &first->nonce);

    while (p && p < last) {
        p = ngx_smtp_scram_extension(p + 1, last, &value);
    }

    return p ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_smtp_scram_final_parse(ngx_smtp_scram_final_t *final, ngx_str_t *text)
{
    u_char     *p, *last, *comma;
    ngx_str_t   value;

    last = text->data + text->len;

    p = ngx_smtp_scram_attr(text->data, last, 'c', &final->binding);

    if (p == NULL || p == last) {
        return NGX_ERROR;
    }

    p = ngx_smtp_scram_nonce(p + 1, last, &final->nonce);

    while (p && p < last) {
        comma = p++;

        if (p < last && *p == 'p') {
            p = ngx_smtp_scram_attr(p, last, 'p', &final->proof);

            final->unproved.data = text->data;
            final->unproved.len = comma - text->data;

            /* it is the last one */

            return (p == last) ? NGX_OK : NGX_ERROR;
        }

        p = ngx_smtp_scram_extension(p, last, &value);
    }

    return NGX_ERROR;
}


/* name "=" value, up to the next comma: the end of value, or NULL */

static u_char *
ngx_smtp_scram_attr(u_char *p, u_char *last, u_char name, ngx_str_t *value)
{
    size_t  len;

    if (last - p < 3 || p[0] != name || p[1] != '=') {
        return NULL;
    }

    p += 2;

    value->data = p;

    while (p < last && *p != ',') {

        if (*p == '\0') {
            return NULL;
        }

        if (*p < 0x80) {
            p++;
            continue;
        }

        len = ngx_smtp_utf8_length(p, last);

        if (len == 0) {
            return NULL;
        }

        p += len;
    }

    value->len = p - value->data;

    return value->len ? p : NULL;
}


static u_char *
ngx_smtp_scram_nonce(u_char *p, u_char *last, ngx_str_t *nonce)
{
    size_t  i;

    p = ngx_smtp_scram_attr(p, last, 'r', nonce);

    if (p == NULL || nonce->len > NGX_SMTP_SCRAM_NONCE_MAX) {
        return NULL;
    }

    for (i = 0; i < nonce->len; i++) {
        if (nonce->data[i] <= ' ' || nonce->data[i] > '~') {
            return NULL;
        }
    }

    return p;
}


/* optional ones are ignored; RFC 5802, 5.1: "m" ends in failure anywhere */

static u_char *
ngx_smtp_scram_extension(u_char *p, u_char *last, ngx_str_t *value)
{
    if (p == last || !ngx_smtp_is_alpha(*p) || *p == 'm') {
        return NULL;
    }

    return ngx_smtp_scram_attr(p, last, *p, value);
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_quota.h>


/*
 * The format is that of Courier's README.maildirquota: other programs read and
 * write these files as well, so numbers may have spaces around them, and
 * kinds of quota that are not known here are skipped.
 */


static ngx_int_t ngx_smtp_quota_limits(ngx_smtp_quota_t *quota, u_char *p,
    u_char *last);
static ngx_int_t ngx_smtp_quota_change(ngx_smtp_quota_t *used, u_char *p,
    u_char *last);
static u_char *ngx_smtp_quota_number(u_char *p, u_char *last, off_t *value);


ngx_int_t
ngx_smtp_quota_parse(ngx_smtp_quota_file_t *file, u_char *p, u_char *last)
{
    u_char     *end;
    ngx_int_t   rc;

    ngx_memzero(file, sizeof(ngx_smtp_quota_file_t));

    for (rc = NGX_ERROR; p < last; p = end + 1) {

        end = ngx_strlchr(p, last, '\n');

        if (end == NULL) {
            /* somebody is writing it, or could not */
            return NGX_ERROR;
        }

        if (rc == NGX_ERROR) {
            rc = ngx_smtp_quota_limits(&file->quota, p, end);

        } else {
            rc = ngx_smtp_quota_change(&file->used, p, end);
            file->lines++;
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (file->used.size < 0 || file->used.messages < 0) {
        return NGX_ERROR;
    }

    return rc;
}


/* 1000000S,1000C */

static ngx_int_t
ngx_smtp_quota_limits(ngx_smtp_quota_t *quota, u_char *p, u_char *last)
{
    off_t  value;

    for ( ;; ) {
        p = ngx_smtp_quota_number(p, last, &value);

        if (p == NULL || p == last || value < 0) {
            return NGX_ERROR;
        }

        switch (*p++) {

        case 'S':
            quota->size = value;
            break;

        case 'C':
            quota->messages = value;
            break;
        }

        while (p < last && *p == ' ') { p++; }

        if (p == last) {
            return NGX_OK;
        }

        if (*p++ != ',') {
            return NGX_ERROR;
        }
    }
}


/* size and number of messages, both with "-" where they were removed */

static ngx_int_t
ngx_smtp_quota_change(ngx_smtp_quota_t *used, u_char *p, u_char *last)
{
    off_t  size, messages;

    p = ngx_smtp_quota_number(p, last, &size);

    if (p == NULL || p == last || *p != ' ') {
        return NGX_ERROR;
    }

    p = ngx_smtp_quota_number(p, last, &messages);

    if (p == NULL) {
        return NGX_ERROR;
    }

    while (p < last && *p == ' ') { p++; }

    if (p != last) {
        return NGX_ERROR;
    }

    /* what others have added may be taken away before it is seen here */

    if (size > NGX_SMTP_QUOTA_MAX - used->size
        || size < -NGX_SMTP_QUOTA_MAX - used->size
        || messages > NGX_SMTP_QUOTA_MAX - used->messages
        || messages < -NGX_SMTP_QUOTA_MAX - used->messages)
    {
        return NGX_ERROR;
    }

    used->size += size;
    used->messages += messages;

    return NGX_OK;
}


/* [ spaces ] [ "-" ] digits; NULL: none, or too large for a quota */

static u_char *
ngx_smtp_quota_number(u_char *p, u_char *last, off_t *value)
{
    off_t        n;
    u_char      *start;
    ngx_uint_t   minus;

    while (p < last && *p == ' ') { p++; }

    minus = (p < last && *p == '-');
    p += minus;

    start = p;

    for (n = 0; p < last && ngx_smtp_is_digit(*p); p++) {

        if (n > NGX_SMTP_QUOTA_MAX / 10 - 1) {
            return NULL;
        }

        n = n * 10 + (*p - '0');
    }

    if (p == start) {
        return NULL;
    }

    *value = minus ? -n : n;

    return p;
}


ngx_uint_t
ngx_smtp_quota_exceeded(ngx_smtp_quota_t *quota, ngx_smtp_quota_t *used,
    ngx_smtp_quota_t *more)
{
    return (quota->size && more->size > quota->size - used->size)
           || (quota->messages
               && more->messages > quota->messages - used->messages);
}


off_t
ngx_smtp_quota_name(u_char *p, u_char *last, ngx_uint_t *counts)
{
    off_t    size;
    u_char  *flags, *end;

    *counts = 1;

    /* "name,S=1000:2,ST": what is behind the colon is the reader's */

    flags = ngx_strlchr(p, last, ':');

    if (flags) {
        if (last - flags > 3 && flags[1] == '2' && flags[2] == ','
            && ngx_strlchr(flags + 3, last, 'T'))
        {
            *counts = 0;
        }

        last = flags;
    }

    for ( /* void */ ; last - p > 3; p++) {

        if (p[0] == ',' && p[1] == 'S' && p[2] == '='
            && ngx_smtp_is_digit(p[3]))
        {
            end = ngx_smtp_quota_number(p + 3, last, &size);

            if (end && (end == last || *end == ',')) {
                return size;
            }
        }
    }

    return -1;
}

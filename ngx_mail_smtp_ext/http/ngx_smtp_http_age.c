
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_http.h>


/*
 * How long an answer may be kept: RFC 9111, 5.2.2.  Many users are behind our
 * caches, so "private" forbids it, and "s-maxage" is what counts.
 */


/* seconds: longer than anybody keeps it */
#define NGX_SMTP_HTTP_AGE_MAX  (365 * 24 * 3600)


static ngx_msec_t ngx_smtp_http_age_directive(ngx_str_t *word,
    ngx_msec_t *shared);


ngx_msec_t
ngx_smtp_http_max_age(ngx_smtp_http_request_t *r)
{
    u_char                  *p, *last;
    ngx_str_t                word;
    ngx_uint_t               i;
    ngx_msec_t               age, shared;
    ngx_smtp_http_header_t  *header;

    age = NGX_CONF_UNSET_MSEC;
    shared = NGX_CONF_UNSET_MSEC;

    header = r->headers.elts;

    for (i = 0; i < r->headers.nelts; i++) {

        if (header[i].name.len != sizeof("cache-control") - 1
            || ngx_strncmp(header[i].name.data, "cache-control",
                           header[i].name.len)
               != 0)
        {
            continue;
        }

        p = header[i].value.data;
        last = p + header[i].value.len;

        while (p < last) {

            while (p < last && (*p == ' ' || *p == '\t' || *p == ',')) {
                p++;
            }

            word.data = p;

            while (p < last && *p != ' ' && *p != '\t' && *p != ',') { p++; }

            word.len = p - word.data;

            age = ngx_min(age, ngx_smtp_http_age_directive(&word, &shared));
        }
    }

    return (age && shared != NGX_CONF_UNSET_MSEC) ? shared : age;
}


static ngx_msec_t
ngx_smtp_http_age_directive(ngx_str_t *word, ngx_msec_t *shared)
{
    size_t       i, len;
    ngx_int_t    sec;
    ngx_msec_t   age;

    static ngx_str_t  forbids[] = {
        ngx_string("no-store"), ngx_string("no-cache"), ngx_string("private")
    };

    for (i = 0; i < sizeof(forbids) / sizeof(forbids[0]); i++) {
        len = forbids[i].len;

        /* "private", or "private=..." */

        if (word->len >= len
            && ngx_strncasecmp(word->data, forbids[i].data, len) == 0
            && (word->len == len || word->data[len] == '='))
        {
            return 0;
        }
    }

    len = sizeof("max-age=") - 1;

    if (word->len <= len
        || (ngx_strncasecmp(word->data, (u_char *) "max-age=", len) != 0
            && ngx_strncasecmp(word->data, (u_char *) "s-maxage", len) != 0))
    {
        return NGX_CONF_UNSET_MSEC;
    }

    i = (word->data[len] == '=');

    sec = ngx_atoi(word->data + len + i, word->len - len - i);

    /* what can't be read is over */

    age = (sec <= 0) ? 0 : (ngx_msec_t) ngx_min(sec, NGX_SMTP_HTTP_AGE_MAX)
                           * 1000;

    if (i) {
        *shared = age;
        return NGX_CONF_UNSET_MSEC;
    }

    return age;
}

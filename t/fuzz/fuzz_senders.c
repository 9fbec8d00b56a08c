
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_senders.h>


/*
 * A list of senders: what is kept of it parses to itself, and each address in
 * it fits it, as do those made from it.
 */


#define SENDERS_KEY  (NGX_SMTP_PATH_MAX + NGX_SMTP_DOMAIN_MAX)


static void check_item(ngx_str_t *senders, u_char *p, u_char *last);
static void check_fits(ngx_str_t *senders, ngx_str_t *local,
    ngx_str_t *domain, u_char delimiter);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char     *p, *last, *lf, *again;
    ngx_str_t   list, senders, text;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    list.data = fuzz_copy(data, size);
    list.len = size;

    senders.data = malloc(size + 1);
    last = ngx_smtp_senders_parse(senders.data, &list);

    if (last == NULL) {
        free(list.data);
        free(senders.data);
        return 0;
    }

    senders.len = last - senders.data;

    fuzz_check(senders.len >= 2 && senders.len <= size + 1);
    fuzz_check(last[-1] == LF);

    /* written as a list, it is the same */

    text.len = senders.len - 1;
    text.data = fuzz_copy(senders.data, text.len);

    for (p = text.data; p < text.data + text.len; p++) {
        if (*p == LF) {
            *p = ',';
        }
    }

    again = malloc(text.len + 1);

    p = ngx_smtp_senders_parse(again, &text);

    /* but for a star that was quoted and needs no quotes */

    if (!memchr(data, '"', size) || !memchr(data, '*', size)) {
        fuzz_check(p == again + senders.len);
        fuzz_check(memcmp(again, senders.data, senders.len) == 0);
    }

    for (p = senders.data; p < last; p = lf + 1) {
        lf = memchr(p, LF, last - p);
        check_item(&senders, p, lf);
    }

    free(again);
    free(text.data);
    free(senders.data);
    free(list.data);

    return 0;
}


static void
check_item(ngx_str_t *senders, u_char *p, u_char *last)
{
    u_char     *at;
    ngx_str_t   local, domain;

    for (at = p; at < last; at++) {
        fuzz_check(*at < 'A' || *at > 'Z');
    }

    if (last - p == 1) {
        fuzz_check(*p == '*');
        return;
    }

    /* an address literal may have an "@" in it */

    at = (*p == '"') ? ngx_smtp_quoted_string_utf8_parse(p, last) : p;

    while (*at != '@') { at++; }

    local.data = p;
    local.len = at - p;

    domain.data = at;
    domain.len = last - at;

    if (local.len) {
        check_fits(senders, &local, &domain, 0);

        if (*p != '"') {
            check_fits(senders, &local, &domain, '+');
        }

        return;
    }

    if (domain.data[1] == '.') {
        ngx_str_set(&local, "x@y");
        domain.data++;
        domain.len--;

    } else {
        ngx_str_set(&local, "x");
    }

    check_fits(senders, &local, &domain, 0);
}


/* with the delimiter behind the local part, if there is one */

static void
check_fits(ngx_str_t *senders, ngx_str_t *local, ngx_str_t *domain,
    u_char delimiter)
{
    u_char           *p;
    ngx_str_t         addr;
    ngx_smtp_path_t   path;
    u_char            buf[2 * SENDERS_KEY];

    p = ngx_cpymem(buf, local->data, local->len);

    if (delimiter) {
        *p++ = delimiter;
    }

    p = ngx_cpymem(p, domain->data, domain->len);

    addr.data = buf;
    addr.len = p - buf;

    /* it may have become too long for one */

    if (ngx_smtp_mailbox_parse(&path, &addr, NGX_SMTP_PATH_UTF8) == NGX_OK) {
        fuzz_check(ngx_smtp_senders_fit(senders, &path, delimiter));
    }
}

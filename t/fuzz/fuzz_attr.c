
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_attr.h>


/*
 * Attributes of XCLIENT and XFORWARD: what is handed out is bounded and lies
 * in the line; a value is what it says, or what it is xtext of; addresses and
 * ports are those that libc reads.
 */


static void check_attr(ngx_smtp_attr_t *attr, u_char *start, u_char *end,
    const u_char *before);
static void check_meaning(ngx_str_t *value);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char           *p, *start, *from;
    ngx_int_t         rc;
    ngx_smtp_attr_t   attr;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    start = fuzz_copy(data, size);
    p = start;

    for ( ;; ) {
        from = p;

        rc = ngx_smtp_attr_next(&attr, &p, start + size);

        fuzz_check(p >= from && p <= start + size);
        fuzz_check(attr.name.data >= from
                   && attr.name.data + attr.name.len <= start + size);

        if (rc != NGX_OK) {
            break;
        }

        fuzz_check(p > from);
        check_attr(&attr, from, p, data + (from - start));
    }

    fuzz_check(rc == NGX_ERROR || (rc == NGX_DONE && p == start + size));

    free(start);

    return 0;
}


/* before: what stood at start, where the value has been decoded since */

static void
check_attr(ngx_smtp_attr_t *attr, u_char *start, u_char *end,
    const u_char *before)
{
    size_t         i, len;
    u_char        *p, *raw, text[NGX_SMTP_ATTR_MAX], *last;
    const u_char  *from;

    fuzz_check(attr->name.len > 0);

    for (i = 0; i < attr->name.len; i++) {
        p = &attr->name.data[i];

        fuzz_check(*p > ' ' && *p < 0x7f && *p != '=');
    }

    fuzz_check(attr->value.data == attr->name.data + attr->name.len + 1);
    fuzz_check(attr->value.data[-1] == '=');
    fuzz_check(attr->value.len > 0 && attr->value.len <= NGX_SMTP_ATTR_MAX);
    fuzz_check(attr->value.data + attr->value.len <= end);

    from = before + (attr->value.data - start);
    len = end - attr->value.data;

    fuzz_check(len <= NGX_SMTP_ATTR_MAX && memchr(from, ' ', len) == NULL);

    raw = fuzz_copy(from, len);
    last = ngx_smtp_xtext_decode(text, raw, raw + len);

    if (last) {
        fuzz_check(attr->value.len == (size_t) (last - text)
                   && memcmp(attr->value.data, text, last - text) == 0);

    } else {
        fuzz_check(attr->value.len == len
                   && memcmp(attr->value.data, raw, len) == 0);
    }

    free(raw);

    raw = fuzz_copy(attr->value.data, attr->value.len);
    check_meaning(&(ngx_str_t) { attr->value.len, raw });
    free(raw);
}


static void
check_meaning(ngx_str_t *value)
{
    char                   text[NGX_SMTP_ATTR_MAX + 1], *end;
    size_t                 i, prefix, skip;
    ngx_int_t              port;
    unsigned char          octets[16];
    ngx_smtp_attr_addr_t   addr;

    memcpy(text, value->data, value->len);
    text[value->len] = '\0';

    if (ngx_smtp_attr_addr(value, &addr) == NGX_OK) {
        prefix = (text[4] == ':') ? sizeof("IPV6:") - 1 : 0;

        fuzz_check(strlen(text) == value->len);
        fuzz_check(inet_pton(prefix ? AF_INET6 : AF_INET, text + prefix,
                             octets)
                   == 1);

        /* an IPv4-mapped address is one of IPv4 */

        skip = 0;

        if (prefix && addr.family == AF_INET) {
            skip = sizeof(octets) - 4;
            fuzz_check(memcmp(octets, "\0\0\0\0\0\0\0\0\0\0\xff\xff", skip)
                       == 0);
        }

        fuzz_check(prefix || addr.family == AF_INET);
        fuzz_check(memcmp(octets + skip, addr.octets,
                          addr.family == AF_INET6 ? 16 : 4)
                   == 0);
    }

    port = ngx_smtp_attr_port(value);

    if (port != NGX_ERROR) {
        fuzz_check(port >= 0 && port <= 65535);
        fuzz_check(strtol(text, &end, 10) == port);
        fuzz_check(end == text + value->len);

    } else {
        for (i = 0; i < value->len && value->len < 5; i++) {
            if (text[i] < '0' || text[i] > '9') {
                return;
            }
        }

        fuzz_check(value->len >= 5 || value->len == 0);
    }
}

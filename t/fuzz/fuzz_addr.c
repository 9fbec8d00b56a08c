
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_addr.h>


/*
 * Paths: what was parsed lies in the input, within the lengths of RFC 5321,
 * 4.5.3.1, has nothing that could break a line, and parses to itself when it
 * is written out again.
 */


static void check_path(ngx_smtp_path_t *path, u_char *start, u_char *end,
    ngx_uint_t flags);
static void check_again(ngx_smtp_path_t *path, ngx_uint_t flags);
static void check_same(ngx_str_t *a, ngx_str_t *b);
static void check_mailbox(const u_char *data, size_t size, ngx_uint_t flags);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char           *p, *start;
    ngx_int_t         rc;
    ngx_uint_t        flags;
    ngx_smtp_path_t   path;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    for (flags = 0; flags < 8; flags++) {
        start = fuzz_copy(data, size);
        p = start;

        rc = ngx_smtp_path_parse(&path, &p, start + size, flags);

        if (rc == NGX_OK) {
            fuzz_check(p > start && p <= start + size);
            check_path(&path, start, p, flags);

        } else {
            fuzz_check(rc == NGX_ERROR && p == start);
        }

        fuzz_check(memcmp(start, data, size) == 0 || size == 0);

        free(start);
    }

    check_mailbox(data, size, 0);
    check_mailbox(data, size, NGX_SMTP_PATH_UTF8);

    return 0;
}


static void
check_path(ngx_smtp_path_t *path, u_char *start, u_char *end,
    ngx_uint_t flags)
{
    fuzz_check(end - start <= NGX_SMTP_PATH_MAX);
    fuzz_check(*start == '<' && end[-1] == '>');
    fuzz_check(path->addr.data > start
               && path->addr.data + path->addr.len == end - 1);

    fuzz_check(fuzz_is_text(start, end, flags & NGX_SMTP_PATH_UTF8));
    fuzz_check(path->utf8 == !fuzz_is_text(path->addr.data, end, 0));

    fuzz_check(path->local.data == path->addr.data);
    fuzz_check(path->local.len <= NGX_SMTP_LOCAL_MAX);
    fuzz_check(path->domain.len <= NGX_SMTP_DOMAIN_MAX);

    if (path->addr.len == 0) {
        fuzz_check(flags & NGX_SMTP_PATH_REVERSE);
        fuzz_check(path->local.len == 0 && path->domain.len == 0);
        return;
    }

    fuzz_check(path->local.len > 0);

    if (path->domain.len == 0) {
        fuzz_check(flags & NGX_SMTP_PATH_FORWARD);
        fuzz_check(path->local.len == sizeof("Postmaster") - 1);
        return;
    }

    fuzz_check(path->addr.len == path->local.len + 1 + path->domain.len);
    fuzz_check(path->domain.data[-1] == '@');
    fuzz_check(path->quoted == (*path->local.data == '"'));
    fuzz_check(path->literal == (*path->domain.data == '['));

    check_again(path, flags & NGX_SMTP_PATH_UTF8);
}


static void
check_again(ngx_smtp_path_t *path, ngx_uint_t flags)
{
    u_char           *p, *buf;
    size_t            len;
    ngx_str_t         addr;
    ngx_smtp_path_t   again;

    len = path->addr.len + 2;
    buf = malloc(len);

    if (buf == NULL) {
        abort();
    }

    buf[0] = '<';
    memcpy(buf + 1, path->addr.data, path->addr.len);
    buf[len - 1] = '>';
    p = buf;

    fuzz_check(ngx_smtp_path_parse(&again, &p, buf + len, flags) == NGX_OK);
    fuzz_check(p == buf + len);

    check_same(&path->addr, &again.addr);
    check_same(&path->local, &again.local);
    check_same(&path->domain, &again.domain);

    fuzz_check(path->quoted == again.quoted);
    fuzz_check(path->literal == again.literal);
    fuzz_check(path->utf8 == again.utf8);

    free(buf);

    addr.len = path->addr.len;
    addr.data = fuzz_copy(path->addr.data, addr.len);

    fuzz_check(ngx_smtp_mailbox_parse(&again, &addr, flags) == NGX_OK);

    check_same(&path->local, &again.local);
    check_same(&path->domain, &again.domain);

    free(addr.data);
}


static void
check_same(ngx_str_t *a, ngx_str_t *b)
{
    fuzz_check(a->len == b->len
               && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0));
}


/* the whole input as a Mailbox: it is one just when "<" it ">" is a path */

static void
check_mailbox(const u_char *data, size_t size, ngx_uint_t flags)
{
    u_char           *p, *buf;
    ngx_int_t         rc;
    ngx_str_t         addr;
    ngx_uint_t        is;
    ngx_smtp_path_t   path, mailbox;

    addr.len = size;
    addr.data = fuzz_copy(data, size);

    rc = ngx_smtp_mailbox_parse(&mailbox, &addr, flags);

    buf = malloc(size + 2);

    if (buf == NULL) {
        abort();
    }

    buf[0] = '<';
    memcpy(buf + 1, addr.data, size);
    buf[size + 1] = '>';
    p = buf;

    is = ngx_smtp_path_parse(&path, &p, buf + size + 2, flags) == NGX_OK
         && p == buf + size + 2
         && path.addr.len == size;

    fuzz_check((rc == NGX_OK) == is);

    if (is) {
        check_same(&path.local, &mailbox.local);
        check_same(&path.domain, &mailbox.domain);
    }

    free(buf);
    free(addr.data);
}

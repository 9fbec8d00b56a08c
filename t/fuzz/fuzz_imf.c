
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <ngx_smtp_imf.h>


/*
 * Lists of addresses: however they are cut, the same comes out; each address
 * by itself, or in brackets, is a list of just that; all of them joined are a
 * list again.  A message identifier is one address in brackets, nearly.
 */


typedef struct {
    fuzz_out_t    out;           /* addresses with an LF behind each */
    ngx_uint_t    mailboxes;
    ngx_uint_t    groups;
    ngx_int_t     rc;
} run_t;


static void run(run_t *r, const u_char *data, size_t size, ngx_uint_t way);
static void mailbox(void *data, ngx_str_t *addr);
static void check_addr(const u_char *p, size_t len);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run_t         r, first;
    size_t        i;
    u_char       *p, *lf;
    ngx_uint_t    way;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    memset(&first, 0, sizeof(run_t));
    run(&first, data, size, 0);

    for (way = 1; way < FUZZ_CUTS; way++) {
        memset(&r, 0, sizeof(run_t));
        run(&r, data, size, way);

        fuzz_check(r.rc == first.rc);
        fuzz_check(r.mailboxes == first.mailboxes);
        fuzz_check(r.groups == first.groups);
        fuzz_check(fuzz_out_same(&r.out, first.out.data, first.out.len));

        fuzz_out_free(&r.out);
    }

    for (i = 0; i < first.out.len; i += lf + 1 - p) {
        p = first.out.data + i;
        lf = memchr(p, LF, first.out.len - i);
        check_addr(p, lf - p);
    }

    /* the LFs as commas */

    for (i = 0; i < first.out.len; i++) {
        if (first.out.data[i] == LF) {
            first.out.data[i] = ',';
        }
    }

    memset(&r, 0, sizeof(run_t));
    run(&r, first.out.data, first.out.len, 0);

    fuzz_check(r.rc == NGX_OK && r.mailboxes == first.mailboxes);
    fuzz_out_free(&r.out);

    p = fuzz_copy(data, size);

    if (ngx_smtp_imf_msg_id_valid(p, p + size)) {
        fuzz_check(memchr(p, '<', size) && memchr(p, '@', size)
                   && memchr(p, '>', size));
    }

    free(p);
    fuzz_out_free(&first.out);

    return 0;
}


static void
check_addr(const u_char *p, size_t len)
{
    run_t        r;
    fuzz_out_t   text, want;

    fuzz_check(len >= 3 && len <= NGX_SMTP_IMF_ADDR);
    fuzz_check(memchr(p, '@', len) != NULL);
    fuzz_check(memchr(p, CR, len) == NULL);

    memset(&want, 0, sizeof(fuzz_out_t));
    fuzz_out_add(&want, p, len);
    fuzz_out_add(&want, "\n", 1);

    memset(&r, 0, sizeof(run_t));
    run(&r, p, len, 0);

    fuzz_check(r.rc == NGX_OK && r.mailboxes == 1 && r.groups == 0);
    fuzz_check(fuzz_out_same(&r.out, want.data, want.len));
    fuzz_out_free(&r.out);

    memset(&text, 0, sizeof(fuzz_out_t));
    fuzz_out_add(&text, "a. \"b\" <", 8);
    fuzz_out_add(&text, p, len);
    fuzz_out_add(&text, "> (c)", 5);

    memset(&r, 0, sizeof(run_t));
    run(&r, text.data, text.len, 0);

    fuzz_check(r.rc == NGX_OK && r.mailboxes == 1 && r.groups == 0);
    fuzz_check(fuzz_out_same(&r.out, want.data, want.len));

    fuzz_out_free(&r.out);
    fuzz_out_free(&text);
    fuzz_out_free(&want);
}


static void
run(run_t *r, const u_char *data, size_t size, ngx_uint_t way)
{
    size_t                 n, done;
    u_char                *p;
    fuzz_cut_t             cut;
    ngx_smtp_imf_addrs_t   addrs;

    memset(&addrs, 0, sizeof(ngx_smtp_imf_addrs_t));

    addrs.mailbox = mailbox;
    addrs.data = r;

    fuzz_cut_init(&cut, way, data, size);

    for (done = 0; done < size; done += n) {
        n = fuzz_cut(&cut, size - done);
        p = fuzz_copy(data + done, n);

        ngx_smtp_imf_addrs_feed(&addrs, p, p + n);

        free(p);
    }

    r->rc = ngx_smtp_imf_addrs_end(&addrs);
    r->groups = addrs.groups;

    fuzz_check(r->mailboxes == addrs.mailboxes);
}


static void
mailbox(void *data, ngx_str_t *addr)
{
    run_t  *r;

    r = data;

    r->mailboxes++;

    fuzz_out_add(&r->out, addr->data, addr->len);
    fuzz_out_add(&r->out, "\n", 1);
}

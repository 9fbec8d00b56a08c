
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_imf.h>
#include <tap.h>


/*
 * Lists of addresses, cut everywhere: what comes out is each addr-spec with a
 * ";" behind it.  And message identifiers.
 */


#define A10   "aaaaaaaaaa"
#define A50   A10 A10 A10 A10 A10
#define A250  A50 A50 A50 A50 A50


typedef struct {
    const char  *name;
    ngx_str_t    in;
    const char  *expected;       /* NULL: an error */
    ngx_uint_t   groups;
} row_t;


typedef struct {
    const char  *name;
    ngx_str_t    in;
    ngx_uint_t   valid;
} msg_id_t;


typedef struct {
    u_char       data[1024];
    size_t       len;
} out_t;


static row_t  rows[] = {

    { "an address", tap_str(" a@b.example\r\n"), "a@b.example;", 0 },
    { "without spaces", tap_str("a@b"), "a@b;", 0 },
    { "in brackets", tap_str("<a@b.example>"), "a@b.example;", 0 },
    { "with a name", tap_str("A B <a@b>"), "a@b;", 0 },
    { "with a quoted name", tap_str("\"A, B <x@y>\" <a@b>"), "a@b;", 0 },
    { "with a name of both", tap_str("A \"B\" C <a@b>"), "a@b;", 0 },
    { "with a name that has dots", tap_str("John Q. Public Jr. <a@b>"),
      "a@b;", 0 },
    { "with a name that looks like an address without its domain",
      tap_str("a.b <a@b>"), "a@b;", 0 },
    { "with a name without a space", tap_str("A<a@b>"), "a@b;", 0 },
    { "with an encoded name", tap_str("=?utf-8?Q?=C3=84_B?= <a@b>"), "a@b;",
      0 },
    { "with a name in UTF-8", tap_str("\xc3\x84 \xc3\x96 <a@b>"), "a@b;", 0 },
    { "in UTF-8", tap_str("\xc3\xa4@\xc3\xb6.example"),
      "\xc3\xa4@\xc3\xb6.example;", 0 },
    { "with a long name", tap_str(A250 A250 " <a@b>"), "a@b;", 0 },
    { "with a long quoted name", tap_str("\"" A250 A250 "\" <a@b>"), "a@b;",
      0 },

    { "several", tap_str("a@b, C <c@d> ,<e@f>"), "a@b;c@d;e@f;", 0 },
    { "folded", tap_str(" a@b,\r\n C\r\n D <c@d>\r\n"), "a@b;c@d;", 0 },
    { "empty members", tap_str(",a@b, ,,c@d,"), "a@b;c@d;", 0 },
    { "nothing", tap_str(" \r\n"), "", 0 },
    { "nothing at all", tap_str(""), "", 0 },

    { "a comment", tap_str("a@b (A, B <x@y>)"), "a@b;", 0 },
    { "comments everywhere",
      tap_str("(x)A(x)<(x)a(x).(x)c(x)@(x)b(x).(x)d(x)>(x)"), "a.c@b.d;", 0 },
    { "comments in comments", tap_str("a@b (x (y (z) y) x)"), "a@b;", 0 },
    { "a quoted parenthesis in a comment", tap_str("a@b (x \\) y)"), "a@b;",
      0 },
    { "a quote in a comment", tap_str("a@b (\")"), "a@b;", 0 },
    { "a comment alone", tap_str("(nobody)"), "", 0 },

    { "a quoted local part", tap_str("\"a b\"@c"), "\"a b\"@c;", 0 },
    { "with quoted pairs", tap_str("\"a\\\"@\\\\\"@c"), "\"a\\\"@\\\\\"@c;",
      0 },
    { "folded inside of it", tap_str("\"a\r\n b\"@c"), "\"a b\"@c;", 0 },
    { "quoted words in a local part", tap_str("a.\"b\".c@d"),
      "a.\"b\".c@d;", 0 },
    { "an empty local part in quotes", tap_str("\"\"@b"), "\"\"@b;", 0 },
    { "an address literal", tap_str("a@[192.0.2.1]"), "a@[192.0.2.1];", 0 },
    { "with spaces inside", tap_str("<a@[ IPv6:::1 ]>"), "a@[IPv6:::1];", 0 },
    { "spaces around the at sign", tap_str("a @ b . c"), "a@b.c;", 0 },

    { "a route", tap_str("<@x.example,@y.example:a@b>"), "a@b;", 0 },
    { "a route with spaces", tap_str("A < @x , @y : a@b >"), "a@b;", 0 },

    { "a group", tap_str("Friends: a@b, C <c@d>;"), "a@b;c@d;", 1 },
    { "an empty one", tap_str("undisclosed-recipients:;"), "", 1 },
    { "with a comment in it", tap_str("nobody: (at all) ;"), "", 1 },
    { "groups and others", tap_str("x@y, A: a@b;, \"B\": c@d;,e@f"),
      "x@y;a@b;c@d;e@f;", 2 },
    { "empty members in a group", tap_str("A: ,a@b,,;"), "a@b;", 1 },
    { "a bracketed one at its end", tap_str("A: <a@b>;"), "a@b;", 1 },

    { "the longest address", tap_str(A250 "@b.c"), A250 "@b.c;", 0 },
    { "a longer one", tap_str(A250 "@bb.c"), NULL, 0 },
    { "a longer one in brackets", tap_str("<" A250 "@bb.c>"), NULL, 0 },
    { "a local part that is longer", tap_str(A250 "aaaaa@b"), NULL, 0 },

    { "no domain", tap_str("a"), NULL, 0 },
    { "no domain behind the sign", tap_str("a@"), NULL, 0 },
    { "no domain in brackets", tap_str("<a>"), NULL, 0 },
    { "no local part", tap_str("@b"), NULL, 0 },
    { "no local part in brackets", tap_str("<@b>"), NULL, 0 },
    { "nothing in brackets", tap_str("<>"), NULL, 0 },
    { "a name alone", tap_str("A B"), NULL, 0 },
    { "a name alone among others", tap_str("a@b, C"), NULL, 0 },
    { "a name behind", tap_str("<a@b> A"), NULL, 0 },
    { "a name without its brackets", tap_str("A B a@b"), NULL, 0 },
    { "two addresses without a comma", tap_str("a@b c@d"), NULL, 0 },
    { "two in brackets without a comma", tap_str("<a@b> <c@d>"), NULL, 0 },
    { "an address as a name", tap_str("a@b <c@d>"), NULL, 0 },
    { "two at signs", tap_str("a@b@c"), NULL, 0 },
    { "two dots", tap_str("a..b@c"), NULL, 0 },
    { "two dots in brackets", tap_str("<a..b@c>"), NULL, 0 },
    { "a dot in front", tap_str(".a@b"), NULL, 0 },
    { "a dot behind", tap_str("a.@b"), NULL, 0 },
    { "a dot in front of the domain", tap_str("a@.b"), NULL, 0 },
    { "a dot behind the domain", tap_str("a@b."), NULL, 0 },
    { "a space in the local part", tap_str("<a b@c>"), NULL, 0 },
    { "a space in the domain", tap_str("<a@b c>"), NULL, 0 },
    { "two quoted words", tap_str("<\"a\"\"b\"@c>"), NULL, 0 },
    { "a word behind a quoted one", tap_str("<\"a\"b@c>"), NULL, 0 },
    { "a quoted domain", tap_str("a@\"b\""), NULL, 0 },
    { "an open bracket", tap_str("<a@b"), NULL, 0 },
    { "an open bracket before another", tap_str("<a@b, <c@d>"), NULL, 0 },
    { "a closing bracket", tap_str("a@b>"), NULL, 0 },
    { "an open quote", tap_str("\"A <a@b>"), NULL, 0 },
    { "a quote that a backslash keeps open", tap_str("\"A\\\" <a@b>"), NULL,
      0 },
    { "a line end behind a backslash", tap_str("\"a\\\r\n b\"@c"), NULL, 0 },
    { "an open comment", tap_str("a@b (x"), NULL, 0 },
    { "a closing parenthesis", tap_str("a@b )"), NULL, 0 },
    { "an open literal", tap_str("a@[192.0.2.1"), NULL, 0 },
    { "a literal as a local part", tap_str("[x]@b"), NULL, 0 },
    { "a literal as a name", tap_str("[x] <a@b>"), NULL, 0 },
    { "a literal in a domain", tap_str("a@b[x]"), NULL, 0 },
    { "a literal in a literal", tap_str("a@[x[y]]"), NULL, 0 },
    { "a semicolon", tap_str("a@b; c@d"), NULL, 0 },
    { "an open group", tap_str("A: a@b"), NULL, 0 },
    { "a group in a group", tap_str("A: B: a@b;;"), NULL, 0 },
    { "a group without a name", tap_str(": a@b;"), NULL, 0 },
    { "an address behind a group", tap_str("A:; a@b"), NULL, 0 },
    { "a group that ends in brackets", tap_str("A: <a@b;>"), NULL, 0 },
    { "an address with a colon", tap_str("mailto:a@b"), NULL, 0 },
    { "a backslash", tap_str("a\\b@c"), NULL, 0 },
    { "a control character", tap_str("a\001@b"), NULL, 0 },
    { "a NUL", tap_str("a@b\0"), NULL, 0 }
};


static msg_id_t  ids[] = {

    { "an identifier", tap_str(" <a.b@c.d>\r\n"), 1 },
    { "without a space", tap_str("<a@b>"), 1 },
    { "with all that an atom has", tap_str("<!#$%&'*+-/=?^_`{|}~@b>"), 1 },
    { "with a literal", tap_str("<a@[192.0.2.1]>"), 1 },
    { "with an empty literal", tap_str("<a@[]>"), 1 },
    { "quoted", tap_str("<\"a b\"@c>"), 1 },
    { "in UTF-8", tap_str("<\xc3\xa4@\xc3\xb6>"), 1 },
    { "with comments", tap_str(" (x (y)\r\n \\)) <a@b> (z)\r\n"), 1 },
    { "folded", tap_str("\r\n <a@b>\r\n"), 1 },
    { "a long one", tap_str("<" A250 A250 "@" A250 ">"), 1 },

    { "nothing", tap_str(""), 0 },
    { "a space", tap_str(" \r\n"), 0 },
    { "no brackets", tap_str("a@b"), 0 },
    { "an open bracket", tap_str("<a@b"), 0 },
    { "an open one", tap_str("<"), 0 },
    { "no sign", tap_str("<a>"), 0 },
    { "nothing before it", tap_str("<@b>"), 0 },
    { "nothing behind it", tap_str("<a@>"), 0 },
    { "nothing at all behind it", tap_str("<a@"), 0 },
    { "two signs", tap_str("<a@b@c>"), 0 },
    { "two dots", tap_str("<a..b@c>"), 0 },
    { "a dot in front", tap_str("<.a@c>"), 0 },
    { "a dot behind", tap_str("<a@c.>"), 0 },
    { "a space inside", tap_str("<a b@c>"), 0 },
    { "folded inside", tap_str("<a\r\n @c>"), 0 },
    { "two identifiers", tap_str("<a@b> <c@d>"), 0 },
    { "text behind", tap_str("<a@b> c"), 0 },
    { "an open comment", tap_str("<a@b> (c"), 0 },
    { "a backslash at the end", tap_str("<a@b> (\\"), 0 },
    { "an open literal", tap_str("<a@[b"), 0 },
    { "text behind a literal", tap_str("<a@[b]c>"), 0 },
    { "what is no UTF-8", tap_str("<a\xff@b>"), 0 },
    { "a control character", tap_str("<a\001@b>"), 0 }
};


static void
mailbox(void *data, ngx_str_t *addr)
{
    out_t   *out;
    u_char  *copy;

    out = data;
    copy = tap_copy(addr->data, addr->len);

    if (addr->len + 1 > sizeof(out->data) - out->len) {
        abort();
    }

    ngx_memcpy(out->data + out->len, copy, addr->len);
    out->len += addr->len;
    out->data[out->len++] = ';';

    free(copy);
}


static ngx_uint_t
run(row_t *row, size_t n, size_t step)
{
    size_t                 i;
    u_char                *copy;
    ngx_int_t              rc;
    ngx_uint_t             ok;
    static out_t           out;
    ngx_smtp_imf_addrs_t   addrs;

    ngx_memzero(&addrs, sizeof(ngx_smtp_imf_addrs_t));

    addrs.mailbox = mailbox;
    addrs.data = &out;

    out.len = 0;

    for (i = 0; i < row->in.len; i += n, n = step) {

        if (n == 0 || n > row->in.len - i) {
            n = row->in.len - i;
        }

        copy = tap_copy(row->in.data + i, n);
        ngx_smtp_imf_addrs_feed(&addrs, copy, copy + n);
        free(copy);
    }

    rc = ngx_smtp_imf_addrs_end(&addrs);

    if (row->expected == NULL) {
        ok = (rc == NGX_ERROR);

    } else {
        ok = (rc == NGX_OK && addrs.groups == row->groups
              && tap_same(out.data, out.len, row->expected,
                          ngx_strlen(row->expected)));
    }

    if (!ok) {
        tap_diag("got", out.data, out.len);
        tap_diag_number("result", rc);
    }

    return ok;
}


static void
test_depth(void)
{
    size_t                 i;
    u_char                 c;
    ngx_smtp_imf_addrs_t   addrs;

    ngx_memzero(&addrs, sizeof(ngx_smtp_imf_addrs_t));

    ngx_smtp_imf_addrs_feed(&addrs, (u_char *) "a@b", (u_char *) "a@b" + 3);

    for (i = 0; i < 2 * NGX_SMTP_IMF_DEPTH; i++) {
        c = (i < NGX_SMTP_IMF_DEPTH) ? '(' : ')';
        ngx_smtp_imf_addrs_feed(&addrs, &c, &c + 1);
    }

    tap_ok(ngx_smtp_imf_addrs_end(&addrs) == NGX_OK && addrs.mailboxes == 1,
           "taken: as many comments in comments as there may be");

    ngx_memzero(&addrs, sizeof(ngx_smtp_imf_addrs_t));

    for (i = 0; i < 2 * (NGX_SMTP_IMF_DEPTH + 1); i++) {
        c = (i < NGX_SMTP_IMF_DEPTH + 1) ? '(' : ')';
        ngx_smtp_imf_addrs_feed(&addrs, &c, &c + 1);
    }

    tap_ok(ngx_smtp_imf_addrs_end(&addrs) == NGX_ERROR,
           "refused: one more");
}


static ngx_uint_t
run_id(msg_id_t *id)
{
    u_char      *copy;
    ngx_uint_t   valid;

    copy = tap_copy(id->in.data, id->in.len);
    valid = ngx_smtp_imf_msg_id_valid(copy, copy + id->in.len);
    free(copy);

    return valid == id->valid;
}


int
main(void)
{
    char        name[256];
    size_t      n;
    ngx_uint_t  i, ok;

    for (i = 0; i < tap_nelts(rows); i++) {
        ok = run(&rows[i], 1, 1) && run(&rows[i], 3, 3);

        for (n = 0; ok && n < rows[i].in.len; n++) {
            ok = run(&rows[i], n, 0);
        }

        snprintf(name, sizeof(name), "%s: %s",
                 rows[i].expected ? "taken" : "refused", rows[i].name);
        tap_ok(ok, name);
    }

    test_depth();

    for (i = 0; i < tap_nelts(ids); i++) {
        snprintf(name, sizeof(name), "%s as a msg-id: %s",
                 ids[i].valid ? "taken" : "refused", ids[i].name);
        tap_ok(run_id(&ids[i]), name);
    }

    return tap_done();
}

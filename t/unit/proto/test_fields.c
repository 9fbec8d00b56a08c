
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_fields.h>
#include <ngx_smtp_header.h>
#include <ngx_smtp_fold.h>
#include <tap.h>


/*
 * A header section as a list of fields.  "|" is CRLF; behind "^" is content
 * that follows the section.
 */


#define OPS_MAX  4
#define OUT_MAX  8192


typedef struct {
    char         kind;           /* 'i'nsert, 'c'hange, 'd'elete, 0 */
    ngx_uint_t   index;
    const char  *name;
    const char  *value;
} op_t;


typedef struct {
    const char  *name;
    const char  *in;
    const char  *out;            /* NULL: an operation is declined */
    op_t         ops[OPS_MAX];
} row_t;


static row_t  rows[] = {

    { "nothing is done", "A: b|C: d| e||^body|", "A: b|C: d| e||^body|",
      { { 0, 0, NULL, NULL } } },

    { "inserted in front", "A: b|C: d||", "X: y|A: b|C: d||",
      { { 'i', 0, "X", "y" } } },
    { "behind the first", "A: b| c|C: d||", "A: b| c|X: y|C: d||",
      { { 'i', 1, "X", "y" } } },
    { "behind the last", "A: b|C: d||", "A: b|C: d|X: y||",
      { { 'i', 2, "X", "y" } } },
    { "behind more than there are", "A: b|C: d||", "A: b|C: d|X: y||",
      { { 'i', 99, "X", "y" } } },
    { "one after the other", "A: b||", "P: q|X: y|A: b||",
      { { 'i', 0, "X", "y" }, { 'i', 0, "P", "q" } } },

    { "changed", "A: b|C: d||", "A: x|C: d||", { { 'c', 1, "A", "x" } } },
    { "in any case, with all of its lines", "A: b|c : d| e|F: g||",
      "A: b|C: x|F: g||", { { 'c', 1, "C", "x" } } },
    { "the second of them", "A: 1|B: 2|A: 3||", "A: 1|B: 2|a: x||",
      { { 'c', 2, "a", "x" } } },
    { "names are told apart", "AA: 1|A: 2|AAA: 3||", "AA: 1|A: x|AAA: 3||",
      { { 'c', 1, "A", "x" } } },
    { "one that is not there becomes the last", "A: b||", "A: b|C: x||",
      { { 'c', 1, "C", "x" } } },
    { "so does a third of two", "A: b|A: c||", "A: b|A: c|A: x||",
      { { 'c', 3, "A", "x" } } },

    { "deleted", "A: b|C: d| e|F: g||", "A: b|F: g||",
      { { 'd', 1, "c", NULL } } },
    { "the second of them", "A: 1|A: 2|A: 3||", "A: 1|A: 3||",
      { { 'd', 2, "A", NULL } } },
    { "each time the first", "A: 1|A: 2|A: 3||", "A: 3||",
      { { 'd', 1, "A", NULL }, { 'd', 1, "A", NULL } } },
    { "one that is not there", "A: 1||", "A: 1||", { { 'd', 2, "A", NULL } } },
    { "all of them", "A: 1||^body", "|^body", { { 'd', 1, "A", NULL } } },
    { "what was inserted", "A: 1||", "A: 1||",
      { { 'i', 0, "X", "y" }, { 'd', 1, "X", NULL } } },

    { "a value has its own white space", "|", "X:\ty z|Y: |Z: z||",
      { { 'i', 9, "X", "\ty z" }, { 'i', 9, "Y", "" }, { 'i', 9, "Z", "z" } } },
    { "and 8-bit octets", "|", "X: \xc3\xbc||",
      { { 'i', 0, "X", "\xc3\xbc" } } },

    { "no header", "", "X: y|", { { 'i', 0, "X", "y" } } },
    { "no header, but an empty line", "|", "X: y||", { { 'i', 0, "X", "y" } } },
    { "a body without one", "^body|", "X: y||^body|",
      { { 'i', 0, "X", "y" } } },
    { "a body behind a field", "A: b|^body|", "A: b|X: y||^body|",
      { { 'i', 1, "X", "y" } } },
    { "an unfinished field", "A: b", "A: b|X: y|", { { 'i', 1, "X", "y" } } },
    { "one that ends in CR", "A: b\r", "A: b|X: y|", { { 'i', 1, "X", "y" } } },
    { "an unfinished name", "A: b|C", "A: b|X: y||C",
      { { 'i', 9, "X", "y" } } },
    { "bare LF", "A: b\n c\nD: e\n\n^f", "A: b\n c\nX: y|D: e\n\n^f",
      { { 'i', 1, "X", "y" } } },
    { "the obsolete space", "A \t: b||", "A: x||", { { 'c', 1, "A", "x" } } },

    { "no name", "A: b||", NULL, { { 'i', 0, "", "y" } } },
    { "a colon in it", "A: b||", NULL, { { 'i', 0, "X:", "y" } } },
    { "a space", "A: b||", NULL, { { 'i', 0, "X ", "y" } } },
    { "a line end", "A: b||", NULL, { { 'i', 0, "X|Y", "y" } } },
    { "an 8-bit octet", "A: b||", NULL, { { 'i', 0, "\xc3\xbc", "y" } } },
    { "DEL", "A: b||", NULL, { { 'i', 0, "X\x7f", "y" } } },
    { "a CRLF in a value", "A: b||", NULL, { { 'i', 0, "X", "y|Z: z" } } },
    { "even a folded one", "A: b||", NULL, { { 'i', 0, "X", "y| z" } } },
    { "a CR", "A: b||", NULL, { { 'c', 1, "A", "y\r" } } },
    { "an LF", "A: b||", NULL, { { 'c', 1, "A", "\ny" } } },
    { "a control character", "A: b||", NULL, { { 'i', 0, "X", "\x01" } } },
};


static size_t expand(u_char *dst, const char *src, size_t *body);
static ngx_uint_t run_row(row_t *row);
static ngx_uint_t run_op(ngx_smtp_fields_t *fields, op_t *op, u_char **buf);
static void test_long(void);


static size_t
expand(u_char *dst, const char *src, size_t *body)
{
    u_char  *p;

    *body = (size_t) -1;

    for (p = dst; *src; src++) {
        if (*src == '|') {
            *p++ = CR; *p++ = LF;

        } else if (*src == '^') {
            *body = p - dst;

        } else {
            *p++ = *src;
        }
    }

    if (*body == (size_t) -1) {
        *body = p - dst;
    }

    return p - dst;
}


static ngx_uint_t
run_op(ngx_smtp_fields_t *fields, op_t *op, u_char **buf)
{
    size_t     body;
    u_char     name[64], value[64], *p;
    ngx_str_t  n, v;

    n.data = name;
    n.len = expand(name, op->name, &body);
    v.data = value;
    v.len = op->value ? expand(value, op->value, &body) : 0;

    p = *buf;
    *buf += ngx_smtp_fields_room(&n, &v);

    switch (op->kind) {

    case 'i':
        return ngx_smtp_fields_insert(fields, op->index, &n, &v, p) == NGX_OK;

    case 'c':
        return ngx_smtp_fields_change(fields, op->index, &n, &v, p) == NGX_OK;

    default:
        ngx_smtp_fields_delete(fields, op->index, &n);
        return 1;
    }
}


static ngx_uint_t
run_row(row_t *row)
{
    size_t              body, len, out_body, out_len;
    u_char              in[OUT_MAX], want[OUT_MAX], got[OUT_MAX];
    u_char              bufs[OUT_MAX], *buf, *copy, *p;
    ngx_str_t           text;
    ngx_uint_t          i, ok;
    ngx_smtp_field_t   *list;
    ngx_smtp_fields_t   fields;
    ngx_smtp_header_t   header;

    len = expand(in, row->in, &body);

    /* it is what the other parser takes for the section */

    ngx_memzero(&header, sizeof(ngx_smtp_header_t));
    ngx_smtp_header_feed(&header, in, in + len);

    if (header.size != body) {
        tap_diag_number("section", header.size);
        return 0;
    }

    copy = tap_copy(in, body);
    text.data = copy;
    text.len = body;

    fields.max = ngx_smtp_fields_count(&text) + OPS_MAX;
    list = malloc(fields.max * sizeof(ngx_smtp_field_t));
    fields.list = list;

    ok = (ngx_smtp_fields_parse(&fields, &text) == NGX_OK);
    buf = bufs;

    for (i = 0; ok && i < OPS_MAX && row->ops[i].kind; i++) {
        ok = run_op(&fields, &row->ops[i], &buf);
    }

    if (row->out == NULL) {
        free(copy);
        free(list);
        return !ok;
    }

    out_len = expand(want, row->out, &out_body);

    p = ngx_smtp_fields_join(&fields, body < len, got);

    ok = ok && (size_t) (p - got) <= ngx_smtp_fields_size(&fields);

    p = ngx_cpymem(p, in + body, len - body);

    ok = ok && tap_same(got, p - got, want, out_len);

    if (!ok) {
        tap_diag("got", got, p - got);
    }

    free(copy);
    free(list);

    return ok;
}


static void
test_long(void)
{
    u_char              value[4000], buf[9000], *p;
    ngx_str_t           name = ngx_string("X"), v, text = ngx_null_string;
    ngx_smtp_field_t    list[1];
    ngx_smtp_fields_t   fields;

    fields.list = list;
    fields.max = 1;

    (void) ngx_smtp_fields_parse(&fields, &text);

    v.data = value;
    v.len = 995;
    ngx_memset(value, 'a', sizeof(value));

    tap_ok(ngx_smtp_fields_insert(&fields, 0, &name, &v, buf) == NGX_OK
           && list[0].text.len == 1000, "a line of 998 characters");

    v.len = 998;
    tap_ok(ngx_smtp_fields_change(&fields, 1, &name, &v, buf) == NGX_DECLINED,
           "a word that is too long by one");

    v.len = sizeof(value);

    for (p = value; p < value + sizeof(value); p += 100) {
        *p = ' ';
    }

    tap_ok(ngx_smtp_fields_change(&fields, 1, &name, &v, buf) == NGX_OK
           && list[0].text.len == sizeof(value) + 2 + 2 + 4 * 2,
           "a long line is folded");

    v.len = 1;
    tap_ok(ngx_smtp_fields_insert(&fields, 0, &name, &v, buf) == NGX_DECLINED,
           "no more fields than there is room for");

    text.data = (u_char *) "A: b\r\nC: d\r\n";
    text.len = 12;

    tap_ok(ngx_smtp_fields_parse(&fields, &text) == NGX_DECLINED,
           "nor in a section");
}


int
main(void)
{
    ngx_uint_t  i;

    for (i = 0; i < tap_nelts(rows); i++) {
        tap_ok(run_row(&rows[i]), rows[i].name);
    }

    test_long();

    return tap_done();
}

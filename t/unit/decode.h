
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Tests of decoders of mail data, which differ in what the end of it is: rows
 * with what is to come out of them, and all short inputs, whose results are
 * those of a slow model with the whole input at hand.  Each is cut into pieces
 * at every place, each piece in memory of its own, and must come out the same.
 */


#ifndef _DECODE_H_INCLUDED_
#define _DECODE_H_INCLUDED_


#include <tap.h>


typedef struct {
    const char  *name;
    ngx_str_t    in;
    ngx_uint_t   normalise;
    ngx_str_t    content;
    size_t       end;            /* the decoder's own */
    ngx_uint_t   dots;
    ngx_uint_t   bare;
} row_t;


/* what came out */
typedef struct {
    u_char      *data;
    size_t       len;
    size_t       size;
    size_t       end;
    ngx_uint_t   dots;
    ngx_uint_t   bare;
    ngx_uint_t   slices;
    ngx_uint_t   broken;
} result_t;


/* of the test: the input in three pieces, and octet by octet; the model */

static void decode_cut(result_t *r, ngx_uint_t normalise, ngx_str_t *in,
    size_t a, size_t b);
static void decode_octets(result_t *r, ngx_uint_t normalise, ngx_str_t *in);
static void reference(result_t *r, ngx_uint_t normalise, ngx_str_t *in);


static void
result_start(result_t *r, size_t len)
{
    ngx_memzero(r, sizeof(result_t));

    /* nothing grows to more than twice its size */

    r->size = 2 * len + 2;
    r->data = malloc(r->size);
}


static ngx_uint_t
result_same(result_t *a, result_t *b)
{
    return !a->broken && !b->broken && a->end == b->end && a->dots == b->dots
           && a->bare == b->bare && tap_same(a->data, a->len, b->data, b->len);
}


static void
result_diag(const char *label, result_t *r, ngx_str_t *in, size_t a, size_t b)
{
    tap_diag("input", in->data, in->len);
    tap_diag_number("cut", (long) a);
    tap_diag_number("and", (long) b);
    tap_diag(label, r->data, r->len);
    tap_diag_number("end", (long) r->end);
    tap_diag_number("dots", (long) r->dots);
    tap_diag_number("bare", (long) r->bare);
    tap_diag_number("broken", (long) r->broken);
}


/* all ways to cut the input in three, and octet by octet */

static ngx_uint_t
cut_everywhere(ngx_str_t *in, ngx_uint_t normalise, result_t *expected)
{
    size_t      a, b;
    result_t    r;
    ngx_uint_t  same;

    for (a = 0; a <= in->len; a++) {
        for (b = a; b <= in->len; b++) {
            decode_cut(&r, normalise, in, a, b);
            same = result_same(&r, expected);

            if (!same) {
                result_diag("got", &r, in, a, b);
                result_diag("expected", expected, in, a, b);
            }

            free(r.data);

            if (!same) {
                return 0;
            }
        }
    }

    decode_octets(&r, normalise, in);
    same = result_same(&r, expected);

    if (!same) {
        result_diag("got octet by octet", &r, in, 1, 1);
    }

    free(r.data);

    return same;
}


static void
test_rows(row_t *row, ngx_uint_t n)
{
    result_t  expected;

    for ( /* void */ ; n; row++, n--) {

        ngx_memzero(&expected, sizeof(result_t));

        expected.data = row->content.data;
        expected.len = row->content.len;
        expected.end = row->end;
        expected.dots = row->dots;
        expected.bare = row->bare;

        tap_ok(cut_everywhere(&row->in, row->normalise, &expected),
               row->name);
    }
}


/* the n-th word of len letters */

static void
word(u_char *p, size_t len, ngx_uint_t n)
{
    static const char  alphabet[] = "\r\n.a";

    while (len--) {
        *p++ = alphabet[n & 3];
        n >>= 2;
    }
}


static void
test_generated(ngx_uint_t normalise, const char *name)
{
    size_t      len;
    u_char      buf[16];
    result_t    expected;
    ngx_str_t   in;
    ngx_uint_t  n, same;

    in.data = buf;
    same = 1;

    for (len = 0; len <= 7 && same; len++) {
        for (n = 0; n < (1U << (2 * len)) && same; n++) {
            word(buf, len, n);
            in.len = len;

            reference(&expected, normalise, &in);

            same = cut_everywhere(&in, normalise, &expected);
            free(expected.data);
        }
    }

    tap_ok(same, name);
}


#endif /* _DECODE_H_INCLUDED_ */

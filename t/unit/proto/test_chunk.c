
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_chunk.h>
#include <tap.h>
#include <decode.h>


/* the content of chunks; end: it ends in CRLF, or is empty */


static row_t  rows[] = {

    { "nothing is a whole message",
      tap_str(""), 0, tap_str(""), 1, 0, 0 },

    { "a line",
      tap_str("a\r\n"), 0, tap_str("a\r\n"), 1, 0, 0 },

    { "an empty line",
      tap_str("\r\n"), 0, tap_str("\r\n"), 1, 0, 0 },

    { "a line without an end",
      tap_str("a"), 0, tap_str("a"), 0, 0, 0 },

    { "a last line without an end",
      tap_str("a\r\nb"), 0, tap_str("a\r\nb"), 0, 0, 0 },

    { "a leading dot is content, and counted",
      tap_str(".a\r\n"), 0, tap_str(".a\r\n"), 1, 1, 0 },

    { "nothing is taken off two dots",
      tap_str("..\r\na\r\n..b\r\n"), 0, tap_str("..\r\na\r\n..b\r\n"), 1, 2,
      0 },

    { "a dot inside a line is not counted",
      tap_str("a.b\r\nc.\r\n"), 0, tap_str("a.b\r\nc.\r\n"), 1, 0, 0 },

    { "what ends data ends no chunk",
      tap_str("a\r\n.\r\nMAIL\r\n"), 0, tap_str("a\r\n.\r\nMAIL\r\n"), 1, 1,
      0 },

    { "a dot is all",
      tap_str("."), 0, tap_str("."), 0, 1, 0 },

    { "a dot at the end",
      tap_str("a\r\n."), 0, tap_str("a\r\n."), 0, 1, 0 },

    { "nul and eight-bit octets pass",
      tap_str("\0\xff\x80\r\n.\0\r\n"), 0, tap_str("\0\xff\x80\r\n.\0\r\n"), 1,
      1, 0 },

    /* bare ones, as they pass */

    { "a bare lf",
      tap_str("a\nb\r\n"), 0, tap_str("a\nb\r\n"), 1, 0, 1 },

    { "a bare cr",
      tap_str("a\rb\r\n"), 0, tap_str("a\rb\r\n"), 1, 0, 1 },

    { "a dot behind a bare lf or cr is none that begins a line",
      tap_str("a\n.\r.b\r\n"), 0, tap_str("a\n.\r.b\r\n"), 1, 0, 1 },

    { "cr cr lf: the first is bare, the others end a line",
      tap_str("a\r\r\n.b"), 0, tap_str("a\r\r\n.b"), 0, 1, 1 },

    { "lf cr lf: the first is bare, the others end a line",
      tap_str("a\n\r\n.b"), 0, tap_str("a\n\r\n.b"), 0, 1, 1 },

    { "a cr at the very end is bare",
      tap_str("a\r"), 0, tap_str("a\r"), 0, 0, 1 },

    { "a cr behind a whole line is bare, too",
      tap_str("a\r\n\r"), 0, tap_str("a\r\n\r"), 0, 0, 1 },

    { "an lf at the very end is bare",
      tap_str("a\n"), 0, tap_str("a\n"), 0, 0, 1 },

    { "an lf is all",
      tap_str("\n"), 0, tap_str("\n"), 0, 0, 1 },

    { "a cr is all",
      tap_str("\r"), 0, tap_str("\r"), 0, 0, 1 },

    /* the same, mended */

    { "normalised: nothing is changed where nothing is bare",
      tap_str("a\r\n..b\r\n.\r\nc"), 1, tap_str("a\r\n..b\r\n.\r\nc"), 0, 2,
      0 },

    { "normalised: a bare lf",
      tap_str("a\nb\r\n"), 1, tap_str("a\r\nb\r\n"), 1, 0, 1 },

    { "normalised: a bare cr",
      tap_str("a\rb\r\n"), 1, tap_str("a\r\nb\r\n"), 1, 0, 1 },

    { "normalised: dots behind mended line ends stay, and are counted",
      tap_str("a\n.\r..b\n.\n"), 1, tap_str("a\r\n.\r\n..b\r\n.\r\n"), 1, 3,
      1 },

    { "normalised: cr cr lf is two line ends",
      tap_str("a\r\r\n.b"), 1, tap_str("a\r\n\r\n.b"), 0, 1, 1 },

    { "normalised: lf cr lf is two line ends",
      tap_str("a\n\r\n.b"), 1, tap_str("a\r\n\r\n.b"), 0, 1, 1 },

    { "normalised: lf lf cr cr is four line ends",
      tap_str("\n\n\r\r"), 1, tap_str("\r\n\r\n\r\n\r\n"), 1, 0, 1 },

    { "normalised: a cr at the very end ends a line",
      tap_str("a\r"), 1, tap_str("a\r\n"), 1, 0, 1 },

    { "normalised: an lf at the very end ends a line",
      tap_str("a\n"), 1, tap_str("a\r\n"), 1, 0, 1 }
};


static void
add(result_t *r, ngx_str_t *out)
{
    if (out->len == 0 || r->len + out->len > r->size) {
        r->broken = 1;
        return;
    }

    ngx_memcpy(r->data + r->len, out->data, out->len);
    r->len += out->len;
    r->slices++;
}


static void
feed(ngx_smtp_dot_t *dot, result_t *r, const u_char *data, size_t len)
{
    size_t      limit;
    u_char     *copy, *pos;
    ngx_int_t   rc;
    ngx_str_t   out;

    copy = tap_copy(data, len);
    pos = copy;
    limit = 3 * len + 3;

    for ( ;; ) {
        rc = ngx_smtp_chunk_decode(dot, &pos, copy + len, &out);

        if (rc != NGX_OK) {
            break;
        }

        add(r, &out);

        if (r->broken || limit-- == 0) {
            r->broken = 1;
            break;
        }
    }

    if (rc != NGX_AGAIN || pos != copy + len) {
        r->broken = 1;
    }

    free(copy);
}


static void
finish(ngx_smtp_dot_t *dot, result_t *r)
{
    ngx_int_t  rc;
    ngx_str_t  out;

    rc = ngx_smtp_chunk_end(dot, &out);

    if (rc == NGX_OK) {
        add(r, &out);

        /* only once */

        rc = ngx_smtp_chunk_end(dot, &out);
    }

    if (rc != NGX_DONE) {
        r->broken = 1;
    }

    r->dots = dot->dots;
    r->bare = dot->bare;
    r->end = (dot->state == ngx_smtp_dot_line);
}


/* decodes data in up to three pieces: [0, a), [a, b), [b, len) */

static void
decode_cut(result_t *r, ngx_uint_t normalise, ngx_str_t *in, size_t a,
    size_t b)
{
    ngx_smtp_dot_t  dot;

    result_start(r, in->len);

    ngx_memzero(&dot, sizeof(ngx_smtp_dot_t));
    dot.normalise = normalise;

    feed(&dot, r, in->data, a);
    feed(&dot, r, in->data + a, b - a);
    feed(&dot, r, in->data + b, in->len - b);

    finish(&dot, r);
}


static void
decode_octets(result_t *r, ngx_uint_t normalise, ngx_str_t *in)
{
    size_t          i;
    ngx_smtp_dot_t  dot;

    result_start(r, in->len);

    ngx_memzero(&dot, sizeof(ngx_smtp_dot_t));
    dot.normalise = normalise;

    for (i = 0; i < in->len; i++) {
        feed(&dot, r, in->data + i, 1);
    }

    finish(&dot, r);
}


/*
 * The same with the whole input at hand: what the results of generated input
 * are compared with.  First the content, then what is to be known of it.
 */

static void
reference(result_t *r, ngx_uint_t normalise, ngx_str_t *in)
{
    size_t   i;
    u_char  *p;

    result_start(r, in->len);

    for (i = 0; i < in->len; i++) {
        p = in->data + i;

        if (*p == CR && i + 1 < in->len && p[1] == LF) {
            r->data[r->len++] = CR;
            r->data[r->len++] = LF;
            i++;
            continue;
        }

        if (*p != CR && *p != LF) {
            r->data[r->len++] = *p;
            continue;
        }

        r->bare = 1;

        if (normalise) {
            r->data[r->len++] = CR;
            r->data[r->len++] = LF;

        } else {
            r->data[r->len++] = *p;
        }
    }

    r->end = 1;

    for (i = 0; i < r->len; i++) {
        r->dots += (r->end && r->data[i] == '.');

        r->end = (i && r->data[i - 1] == CR && r->data[i] == LF);
    }
}


/* what comes out is what the encoder adds to, and the decoder takes back */

static void
test_encode(ngx_uint_t normalise, const char *name)
{
    size_t           len, n;
    u_char           buf[16], out[64], *pos, *last;
    result_t         r;
    ngx_str_t        in, piece;
    ngx_uint_t       k, ok, state;
    ngx_smtp_dot_t   dot;

    in.data = buf;
    ok = 1;

    for (len = 0; len <= 7 && ok; len++) {
        for (k = 0; k < (1U << (2 * len)) && ok; k++) {
            word(buf, len, k);
            in.len = len;

            decode_cut(&r, normalise, &in, 0, 0);

            pos = r.data;
            state = 0;
            last = ngx_smtp_dot_encode(&state, &pos, r.data + r.len, out,
                                       out + 32);

            ok = ((size_t) (last - out) == r.len + r.dots)
                 && (state == 0) == r.end;

            /* as it goes by DATA: no dot of the content is the end mark's */

            if (!r.end) {
                last = ngx_cpymem(last, CRLF, 2);
            }

            last = ngx_cpymem(last, ".\r\n", 3);

            ngx_memzero(&dot, sizeof(ngx_smtp_dot_t));
            pos = out;
            n = 0;

            while (ngx_smtp_dot_decode(&dot, &pos, last, &piece) == NGX_OK) {
                ok = ok && n + piece.len <= r.len + 2
                     && (n >= r.len
                         || ngx_memcmp(r.data + n, piece.data,
                                       ngx_min(piece.len, r.len - n))
                            == 0);
                n += piece.len;
            }

            ok = ok && pos == last && n == r.len + (r.end ? 0 : 2);

            if (!ok) {
                result_diag("got", &r, &in, 0, 0);
            }

            free(r.data);
        }
    }

    tap_ok(ok, name);
}


/* one slice, whatever the length of the lines is, and what they begin with */

static void
test_slices(void)
{
    u_char      *p;
    size_t       n;
    result_t     r;
    ngx_str_t    in;
    ngx_uint_t   i, ok;
    u_char       buf[2048];

    in.data = buf;
    ok = 1;

    for (n = 0; n < 1030; n++) {
        ngx_memset(buf, 'a', n);
        p = ngx_cpymem(buf + n, "\r\n.\r\n..b\r\n\r\n", 12);
        in.len = p - buf;

        for (i = 0; i < 2; i++) {
            decode_cut(&r, i, &in, 0, 0);

            ok = ok && r.slices == 1 && !r.broken && !r.bare && r.dots == 2
                 && r.end && tap_same(r.data, r.len, buf, in.len);
            free(r.data);
        }
    }

    tap_ok(ok, "lines of all lengths up to 1029, and dots, are one slice");
}


/* the places where the scanner's window ends */

static void
test_window(void)
{
    u_char      *p;
    size_t       n;
    result_t     r, expected;
    ngx_str_t    in;
    ngx_uint_t   i, k, ok;
    u_char       buf[2048];

    static const char  *odd[] = {
        "\rb\r\n", "\nb\r\n", "\r\rb", "\n\rb", "\n.\n", "\r\n.\n", "\r",
        "\n", "\r\n.", "\r.\r\n"
    };

    in.data = buf;
    ok = 1;

    for (n = 0; n < 600; n++) {
        for (k = 0; k < tap_nelts(odd); k++) {

            ngx_memset(buf, 'a', n);
            p = ngx_cpymem(buf + n, odd[k], ngx_strlen(odd[k]));
            in.len = p - buf;

            for (i = 0; i < 2; i++) {
                decode_cut(&r, i, &in, 0, 0);
                reference(&expected, i, &in);

                ok = ok && result_same(&r, &expected);

                free(r.data);
                free(expected.data);
            }
        }
    }

    tap_ok(ok, "oddities are found at every distance from the line's start");
}


int
main(void)
{
    test_rows(rows, tap_nelts(rows));
    test_generated(0, "all short inputs, cut everywhere");
    test_generated(1, "normalised: all short inputs, cut everywhere");
    test_encode(0, "stuffed, all short inputs survive");
    test_encode(1, "normalised and stuffed, all short inputs survive");
    test_slices();
    test_window();

    return tap_done();
}

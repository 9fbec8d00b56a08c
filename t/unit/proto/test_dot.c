
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_dot.h>
#include <tap.h>
#include <decode.h>


/* the dot codec; end: where the end mark ends */


#define OPEN  ((size_t) -1)      /* no end mark in the input */
#define PIN   "\r\n.\r\nREST"    /* an end mark, and what is behind it */


static row_t  rows[] = {

    { "a dot on the first line ends an empty message",
      tap_str(".\r\nREST"), 0, tap_str(""), 3, 0, 0 },

    { "a message of one line ends behind the mark",
      tap_str("a\r\n.\r\nREST"), 0, tap_str("a\r\n"), 6, 0, 0 },

    { "an empty line is content",
      tap_str("\r\n.\r\n"), 0, tap_str("\r\n"), 5, 0, 0 },

    { "a stuffed dot is taken off",
      tap_str("a\r\n..b\r\n.\r\n"), 0, tap_str("a\r\n.b\r\n"), 11, 1, 0 },

    { "a stuffed dot on the first line is taken off",
      tap_str("..\r\n.\r\n"), 0, tap_str(".\r\n"), 7, 1, 0 },

    { "a dot that was not stuffed is dropped",
      tap_str(".a\r\n.b\r\n.\r\n"), 0, tap_str("a\r\nb\r\n"), 11, 0, 0 },

    { "only the first of many dots is dropped",
      tap_str("....\r\n...\r\n.\r\n"), 0, tap_str("...\r\n..\r\n"), 14, 2,
      0 },

    { "a dot inside a line stays",
      tap_str("a.b..c.\r\n.\r\n"), 0, tap_str("a.b..c.\r\n"), 12, 0, 0 },

    { "a line of two dots is one dot and no end",
      tap_str("a\r\n..\r\n.\r\n"), 0, tap_str("a\r\n.\r\n"), 10, 1, 0 },

    { "a mark that is a part of a line is none",
      tap_str("a.\r\n.\r\n"), 0, tap_str("a.\r\n"), 7, 0, 0 },

    { "nul and eight-bit octets pass",
      tap_str("\0\xff\x80\r\n.\0\r\n.\r\n"), 0, tap_str("\0\xff\x80\r\n\0\r\n"),
      12, 0, 0 },

    { "content without an end mark is handed out",
      tap_str("a\r\nb"), 0, tap_str("a\r\nb"), OPEN, 0, 0 },

    { "a dot at the end is kept back",
      tap_str("a\r\n."), 0, tap_str("a\r\n"), OPEN, 0, 0 },

    { "a dot and cr at the end are kept back",
      tap_str("a\r\n.\r"), 0, tap_str("a\r\n"), OPEN, 0, 0 },

    /* look-alikes, as they pass */

    { "lf dot lf is no end",
      tap_str("a\n.\nb" PIN), 0, tap_str("a\n.\nb\r\n"), 10, 0, 1 },

    { "lf dot crlf is no end",
      tap_str("a\n.\r\nb" PIN), 0, tap_str("a\n.\r\nb\r\n"), 11, 0, 1 },

    { "crlf dot lf is no end",
      tap_str("a\r\n.\nb" PIN), 0, tap_str("a\r\n\nb\r\n"), 11, 0, 1 },

    { "cr dot cr is no end",
      tap_str("a\r.\rb" PIN), 0, tap_str("a\r.\rb\r\n"), 10, 0, 1 },

    { "crlf dot cr is no end",
      tap_str("a\r\n.\rb" PIN), 0, tap_str("a\r\n\rb\r\n"), 11, 0, 1 },

    { "cr dot crlf is no end",
      tap_str("a\r.\r\nb" PIN), 0, tap_str("a\r.\r\nb\r\n"), 11, 0, 1 },

    { "cr dot lf is no end",
      tap_str("a\r.\nb" PIN), 0, tap_str("a\r.\nb\r\n"), 10, 0, 1 },

    { "lf dot cr is no end",
      tap_str("a\n.\rb" PIN), 0, tap_str("a\n.\rb\r\n"), 10, 0, 1 },

    { "crlf dot cr cr lf is no end",
      tap_str("a\r\n.\r\r\nb" PIN), 0, tap_str("a\r\n\r\r\nb\r\n"), 13, 0, 1 },

    { "crlf dot nul crlf is no end",
      tap_str("a\r\n.\0\r\nb" PIN), 0, tap_str("a\r\n\0\r\nb\r\n"), 13, 0, 0 },

    { "crlf dot space crlf is no end",
      tap_str("a\r\n. \r\nb" PIN), 0, tap_str("a\r\n \r\nb\r\n"), 13, 0, 0 },

    { "cr cr lf dot crlf is the end, the first cr is bare",
      tap_str("a\r\r\n.\r\nREST"), 0, tap_str("a\r\r\n"), 7, 0, 1 },

    { "lf cr lf dot crlf is the end, the first lf is bare",
      tap_str("a\n\r\n.\r\nREST"), 0, tap_str("a\n\r\n"), 7, 0, 1 },

    { "an lf behind crlf is bare, and the dot behind it is content",
      tap_str("a\r\n\n.\r\nb" PIN), 0, tap_str("a\r\n\n.\r\nb\r\n"), 13, 0,
      1 },

    { "a bare lf is no line end for the count of dots",
      tap_str("a\n.b\r\n..c" PIN), 0, tap_str("a\n.b\r\n.c\r\n"), 14, 1, 1 },

    { "a bare cr at the very beginning passes",
      tap_str("\ra" PIN), 0, tap_str("\ra\r\n"), 7, 0, 1 },

    { "a bare lf at the very beginning passes",
      tap_str("\n.\r\n" PIN), 0, tap_str("\n.\r\n\r\n"), 9, 0, 1 },

    /* the same, mended */

    { "normalised: nothing is changed where nothing is bare",
      tap_str("a\r\n..b\r\n.\r\nREST"), 1, tap_str("a\r\n.b\r\n"), 11, 1, 0 },

    { "normalised: lf dot lf is an empty line and ends nothing",
      tap_str("a\n.\nb" PIN), 1, tap_str("a\r\n\r\nb\r\n"), 10, 0, 1 },

    { "normalised: lf dot crlf is an empty line and ends nothing",
      tap_str("a\n.\r\nb" PIN), 1, tap_str("a\r\n\r\nb\r\n"), 11, 0, 1 },

    { "normalised: crlf dot lf is an empty line",
      tap_str("a\r\n.\nb" PIN), 1, tap_str("a\r\n\r\nb\r\n"), 11, 0, 1 },

    { "normalised: cr dot cr is an empty line and ends nothing",
      tap_str("a\r.\rb" PIN), 1, tap_str("a\r\n\r\nb\r\n"), 10, 0, 1 },

    { "normalised: crlf dot cr is an empty line",
      tap_str("a\r\n.\rb" PIN), 1, tap_str("a\r\n\r\nb\r\n"), 11, 0, 1 },

    { "normalised: cr dot crlf is an empty line and ends nothing",
      tap_str("a\r.\r\nb" PIN), 1, tap_str("a\r\n\r\nb\r\n"), 11, 0, 1 },

    { "normalised: lf dot cr is an empty line and ends nothing",
      tap_str("a\n.\rb" PIN), 1, tap_str("a\r\n\r\nb\r\n"), 10, 0, 1 },

    { "normalised: crlf dot cr crlf is two empty lines",
      tap_str("a\r\n.\r\r\nb" PIN), 1, tap_str("a\r\n\r\n\r\nb\r\n"), 13, 0,
      1 },

    { "normalised: crlf dot cr is a line end, the dot behind it goes as well",
      tap_str("a\r\n.\r.b" PIN), 1, tap_str("a\r\n\r\nb\r\n"), 12, 0, 1 },

    { "normalised: lf cr lf is two line ends",
      tap_str("a\n\r\n..b" PIN), 1, tap_str("a\r\n\r\n.b\r\n"), 12, 1, 1 },

    { "normalised: cr cr lf is two line ends, and the second may end it",
      tap_str("a\r\r\n.\r\nREST"), 1, tap_str("a\r\n\r\n"), 7, 0, 1 },

    { "normalised: lf lf is two line ends",
      tap_str("a\n\n.b" PIN), 1, tap_str("a\r\n\r\nb\r\n"), 10, 0, 1 },

    { "normalised: of two dots behind a bare lf one was stuffed",
      tap_str("a\n..b" PIN), 1, tap_str("a\r\n.b\r\n"), 10, 1, 1 },

    { "normalised: a cr at the end is not judged yet",
      tap_str("a\r"), 1, tap_str("a\r"), OPEN, 0, 0 },

    { "normalised: a dot behind a bare lf is dropped at once",
      tap_str("a\n."), 1, tap_str("a\r\n"), OPEN, 0, 1 }
};


/* NGX_DONE once the end mark was met, r->end is relative to base then */

static ngx_int_t
feed(ngx_smtp_dot_t *dot, result_t *r, const u_char *data, size_t len,
    size_t base)
{
    size_t      limit;
    u_char     *copy, *pos;
    ngx_int_t   rc;
    ngx_str_t   out;

    copy = tap_copy(data, len);
    pos = copy;
    limit = 3 * len + 3;

    for ( ;; ) {
        rc = ngx_smtp_dot_decode(dot, &pos, copy + len, &out);

        if (rc != NGX_OK) {
            break;
        }

        if (out.len == 0 || r->len + out.len > r->size || limit-- == 0) {
            r->broken = 1;
            break;
        }

        ngx_memcpy(r->data + r->len, out.data, out.len);
        r->len += out.len;
        r->slices++;
    }

    if (rc == NGX_AGAIN && pos != copy + len) {
        r->broken = 1;
    }

    if (rc == NGX_DONE) {
        r->end = base + (pos - copy);

        if (dot->state != 0) {
            r->broken = 1;
        }
    }

    free(copy);

    r->dots = dot->dots;
    r->bare = dot->bare;

    return rc;
}


/* decodes data in up to three pieces: [0, a), [a, b), [b, len) */

static void
decode_cut(result_t *r, ngx_uint_t normalise, ngx_str_t *in, size_t a,
    size_t b)
{
    ngx_smtp_dot_t  dot;

    result_start(r, in->len);
    r->end = OPEN;

    ngx_memzero(&dot, sizeof(ngx_smtp_dot_t));
    dot.normalise = normalise;

    if (a && feed(&dot, r, in->data, a, 0) != NGX_AGAIN) {
        return;
    }

    if (b > a && feed(&dot, r, in->data + a, b - a, a) != NGX_AGAIN) {
        return;
    }

    if (in->len > b) {
        feed(&dot, r, in->data + b, in->len - b, b);
    }
}


static void
decode_octets(result_t *r, ngx_uint_t normalise, ngx_str_t *in)
{
    size_t          i;
    ngx_smtp_dot_t  dot;

    result_start(r, in->len);
    r->end = OPEN;

    ngx_memzero(&dot, sizeof(ngx_smtp_dot_t));
    dot.normalise = normalise;

    for (i = 0; i < in->len; i++) {
        if (feed(&dot, r, in->data + i, 1, i) != NGX_AGAIN) {
            return;
        }
    }
}


/*
 * The same by the text of RFC 5321, with the whole input at hand: what the
 * results of generated input are compared with.
 */

static void
reference(result_t *r, ngx_uint_t normalise, ngx_str_t *in)
{
    size_t      i, left;
    u_char     *p;
    ngx_uint_t  line, mended;

    result_start(r, in->len);
    r->end = OPEN;

    line = 1;
    mended = 0;

    for (i = 0; i < in->len; i++) {
        p = in->data + i;
        left = in->len - i;

        if (line && *p == '.') {

            if (left >= 3 && p[1] == CR && p[2] == LF) {
                r->end = i + 3;
                return;
            }

            if (left == 1 || (left == 2 && p[1] == CR)) {
                return;
            }

            p++;
            i++;
            left--;

            r->dots += (*p == '.');

        } else if (mended && *p == '.') {

            if (left == 1) {
                return;
            }

            p++;
            i++;
            left--;

            r->dots += (*p == '.');
        }

        line = 0;
        mended = 0;

        if (*p == CR && (left == 1 || p[1] == LF)) {
            r->data[r->len++] = CR;

            if (left > 1) {
                r->data[r->len++] = LF;
                line = 1;
                i++;
            }

        } else if (*p == CR || *p == LF) {
            r->bare = 1;

            if (normalise) {
                r->data[r->len++] = CR;
                r->data[r->len++] = LF;
                mended = 1;

            } else {
                r->data[r->len++] = *p;
            }

        } else {
            r->data[r->len++] = *p;
        }
    }
}


/* one slice, whatever the length of the lines is */

static void
test_slices(void)
{
    u_char      *p;
    size_t       n;
    result_t     r;
    ngx_str_t    in;
    ngx_uint_t   i, ok;
    u_char       buf[4096];

    static const char  body[] =
        "From: a\r\nTo: b\r\n\r\nhello, a.b\r\n\r\nbye\r\n";

    in.data = buf;

    p = ngx_cpymem(buf, body, sizeof(body) - 1);
    in.len = p - buf;

    decode_cut(&r, 0, &in, 0, 0);
    tap_ok(r.slices == 1 && tap_same(r.data, r.len, body, sizeof(body) - 1),
           "a buffer without oddities is one slice");
    free(r.data);

    p = ngx_cpymem(p, ".\r\nQUIT\r\n", 9);
    in.len = p - buf;

    decode_cut(&r, 0, &in, 0, 0);
    tap_ok(r.slices == 1 && tap_same(r.data, r.len, body, sizeof(body) - 1)
           && r.end == sizeof(body) - 1 + 3,
           "a message that ends in the buffer is one slice up to the mark");
    free(r.data);

    decode_cut(&r, 1, &in, 0, 0);
    tap_ok(r.slices == 1, "normalised: one slice as well");
    free(r.data);

    ok = 1;

    for (n = 0; n < 1030; n++) {
        ngx_memset(buf, 'a', n);
        p = ngx_cpymem(buf + n, "\r\nb\r\n.\r\n", 8);
        in.len = p - buf;

        for (i = 0; i < 2; i++) {
            decode_cut(&r, i, &in, 0, 0);

            ok = ok && r.slices == 1 && r.end == in.len && !r.bare
                 && tap_same(r.data, r.len, buf, n + 5);
            free(r.data);
        }
    }

    tap_ok(ok, "lines of all lengths up to 1029 are passed over in one slice");
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
        "\rb" PIN, "\nb" PIN, "\r\rb" PIN, "\n\rb" PIN, "\n.\n" PIN,
        "\r\n.\n" PIN, "\r\n..\r\n" PIN, "\r.\r\n" PIN
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


/* encodes content in two pieces into pieces of at most room octets */

static ngx_uint_t
encode(ngx_str_t *content, size_t cut, size_t room, u_char *out, size_t *len,
    ngx_uint_t *state)
{
    size_t      part, n, steps;
    u_char     *copy, *pos, *end, *dst, *start;
    ngx_uint_t  i;

    *len = 0;
    *state = 0;
    steps = 2 * content->len + 4;

    for (i = 0; i < 2; i++) {
        part = i ? content->len - cut : cut;

        copy = tap_copy(content->data + (i ? cut : 0), part);
        pos = copy;
        end = copy + part;

        while (pos < end) {
            dst = malloc(room);
            start = pos;

            n = ngx_smtp_dot_encode(state, &pos, end, dst, dst + room) - dst;

            if (n > room || (room >= 2 && n == 0 && pos == start)
                || (pos < end && n != room) || steps-- == 0)
            {
                free(dst);
                free(copy);
                return 0;
            }

            ngx_memcpy(out + *len, dst, n);
            *len += n;

            free(dst);
        }

        free(copy);
    }

    return 1;
}


/* what is encoded comes back, and is as long as "dots" said */

static ngx_uint_t
encode_check(ngx_str_t *content, size_t cut, size_t room)
{
    u_char       out[64];
    size_t       len;
    result_t     r;
    ngx_str_t    in;
    ngx_uint_t   state, ok, terminated;

    if (!encode(content, cut, room, out, &len, &state)) {
        return 0;
    }

    terminated = content->len == 0
                 || (content->len >= 2
                     && content->data[content->len - 2] == CR
                     && content->data[content->len - 1] == LF);

    if (terminated != (state == 0)) {
        return 0;
    }

    in.data = out;
    in.len = len;

    if (!terminated) {
        ngx_memcpy(out + in.len, CRLF, 2);
        in.len += 2;
    }

    ngx_memcpy(out + in.len, ".\r\n", 3);
    in.len += 3;

    decode_cut(&r, 0, &in, 0, 0);

    ok = !r.broken && r.end == in.len
         && len == content->len + r.dots
         && tap_same(r.data, r.len - (terminated ? 0 : 2), content->data,
                     content->len);

    if (!ok) {
        tap_diag("content", content->data, content->len);
        tap_diag("encoded", out, in.len);
        result_diag("decoded", &r, &in, cut, room);
    }

    free(r.data);

    return ok;
}


static void
test_encode(void)
{
    size_t      len, cut, room;
    u_char      buf[16], out[64];
    ngx_str_t   content;
    ngx_uint_t  n, ok, state;

    static ngx_str_t  plain = tap_str(".a\r\n..\r\n.\r\nb.\n.\r.\r\n");
    static ngx_str_t  wire = tap_str("..a\r\n...\r\n..\r\nb.\n.\r.\r\n");

    ok = encode(&plain, 0, 1024, out, &len, &state);
    tap_ok(ok && tap_same(out, len, wire.data, wire.len),
           "dots behind crlf and at the start are stuffed, others are not");

    for (ok = 1, cut = 0; cut <= plain.len; cut++) {
        for (room = 1; room <= wire.len + 1; room++) {
            ok = ok && encode(&plain, cut, room, out, &len, &state)
                 && state == 0 && tap_same(out, len, wire.data, wire.len);
        }
    }

    tap_ok(ok, "encoding is the same for all cuts and all sizes of output");

    content.data = buf;
    ok = 1;

    for (len = 0; len <= 6 && ok; len++) {
        for (n = 0; n < (1U << (2 * len)) && ok; n++) {
            word(buf, len, n);
            content.len = len;

            for (cut = 0; cut <= len && ok; cut++) {
                for (room = 1; room <= 4 && ok; room++) {
                    ok = encode_check(&content, cut, room);
                }
            }
        }
    }

    tap_ok(ok, "all short content survives, longer by the dots counted");
}


/*
 * Longer content, of which 64 octets are looked at together: x and dots, with
 * a line end now and then, cut everywhere.
 */

static void
test_encode_blocks(void)
{
    size_t      len, n, cut, i;
    u_char      buf[320], wire[640], out[640];
    ngx_str_t   content;
    ngx_uint_t  ok, state, step;

    content.data = buf;

    for (ok = 1, step = 0; step <= 200 && ok; step += 20) {

        for (i = 0; i < sizeof(buf); i++) {
            buf[i] = ((i + step) % 3 == 1) ? '.' : 'x';

            if (step && i % step > step - 3) {
                buf[i] = (i % step == step - 2) ? CR : LF;
            }
        }

        for (content.len = 60; content.len < 320 && ok; content.len += 13) {

            for (n = 0, i = 0; i < content.len; i++) {
                if (buf[i] == '.'
                    && (i == 0 || (i > 1 && buf[i - 1] == LF
                                   && buf[i - 2] == CR)))
                {
                    wire[n++] = '.';
                }

                wire[n++] = buf[i];
            }

            for (cut = 0; cut <= content.len && ok; cut++) {
                ok = encode(&content, cut, sizeof(out), out, &len, &state)
                     && tap_same(out, len, wire, n);
            }
        }
    }

    if (!ok) {
        tap_diag("content", content.data, content.len);
        tap_diag("encoded", out, len);
        tap_diag_number("cut", cut);
    }

    tap_ok(ok, "where longer content is cut does not matter");
}


/* what is mended is counted just as the encoder will see it */

static void
test_mended_dots(void)
{
    size_t      len, n;
    u_char      buf[16], out[64];
    result_t    r;
    ngx_str_t   in, content;
    ngx_uint_t  k, ok, state;

    in.data = buf;
    ok = 1;

    for (len = 0; len <= 7 && ok; len++) {
        for (k = 0; k < (1U << (2 * len)) && ok; k++) {
            word(buf, len, k);
            in.len = len;

            decode_cut(&r, 1, &in, 0, 0);

            content.len = r.len;
            content.data = r.data;

            ok = encode(&content, 0, 64, out, &n, &state)
                 && n == r.len + r.dots;

            if (!ok) {
                result_diag("got", &r, &in, 0, 0);
            }

            free(r.data);
        }
    }

    tap_ok(ok, "normalised: dots is what encoding the content adds");
}


int
main(void)
{
    test_rows(rows, tap_nelts(rows));
    test_generated(0, "all short inputs, cut everywhere, as the rfc has them");
    test_generated(1, "normalised: all short inputs, cut everywhere");
    test_slices();
    test_window();
    test_encode();
    test_encode_blocks();
    test_mended_dots();

    return tap_done();
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_line.h>
#include <tap.h>


/*
 * Lines of a client.  What comes out is written down as a string: "<text>"
 * for a line, "L" for one too long, "C" for one with a bare CR, "F" for a bare
 * LF, and "+n" for n octets that wait in the buffer at the end.
 */


typedef struct {
    const char  *name;
    ngx_str_t    in;
    size_t       max;
    ngx_uint_t   normalise;
    ngx_str_t    expected;
} row_t;


static row_t  rows[] = {

    { "crlf ends a line",
      tap_str("QUIT\r\n"), 10, 0, tap_str("<QUIT>+0") },

    { "an empty line is a line",
      tap_str("\r\n\r\n"), 10, 0, tap_str("<><>+0") },

    { "lines that came together come out one by one",
      tap_str("a\r\nbc\r\nd"), 10, 0, tap_str("<a><bc>+1") },

    { "a line without its end waits",
      tap_str("QUIT"), 10, 0, tap_str("+4") },

    { "a cr alone waits",
      tap_str("QUIT\r"), 10, 0, tap_str("+5") },

    { "spaces, nul and eight-bit octets are left to the parsers",
      tap_str(" a \0\xff\r\n"), 10, 0, tap_str("< a \0\xff>+0") },

    { "a line of max octets fits",
      tap_str("0123456789\r\n"), 10, 0, tap_str("<0123456789>+0") },

    { "a line of max octets waits with its cr",
      tap_str("0123456789\r"), 10, 0, tap_str("+11") },

    { "a line of one octet more is too long, the next is read",
      tap_str("0123456789a\r\nb\r\n"), 10, 0, tap_str("L<b>+0") },

    { "a line too long is dropped while it goes by",
      tap_str("0123456789a"), 10, 0, tap_str("+0") },

    { "max octets, cr and another are too long",
      tap_str("0123456789\ra\r\nb\r\n"), 10, 0, tap_str("L<b>+0") },

    { "a line too long ends at crlf only",
      tap_str("0123456789a\rb\r\r\nc\r\n"), 10, 0, tap_str("L<c>+0") },

    { "two lines too long are two",
      tap_str("0123456789ab\r\n0123456789abc\r\nd\r\n"), 10, 0,
      tap_str("LL<d>+0") },

    { "max 0 takes empty lines only",
      tap_str("\r\na\r\n\r\n"), 0, 0, tap_str("<>L<>+0") },

    { "a bare cr spoils its line only",
      tap_str("a\rb\r\nc\r\n"), 10, 0, tap_str("C<c>+0") },

    { "cr cr lf is a bare cr",
      tap_str("a\r\r\nc\r\n"), 10, 0, tap_str("C<c>+0") },

    { "cr cr lf alone is a bare cr",
      tap_str("\r\r\n"), 10, 0, tap_str("C+0") },

    { "a bare lf is told at once, what follows stays",
      tap_str("a\nb\r\n"), 10, 0, tap_str("F<b>+0") },

    { "a bare lf in front is told",
      tap_str("\na\r\n"), 10, 0, tap_str("F<a>+0") },

    { "lf behind crlf is a bare lf",
      tap_str("a\r\n\nb\r\n"), 10, 0, tap_str("<a>F<b>+0") },

    { "a bare lf is worse than a bare cr",
      tap_str("a\rb\nc\r\n"), 10, 0, tap_str("F<c>+0") },

    { "a bare lf is worse than a line too long",
      tap_str("0123456789abcdef\nc\r\n"), 10, 0, tap_str("F<c>+0") },

    { "a bare lf directly behind max octets is a bare lf",
      tap_str("0123456789\nc\r\n"), 10, 0, tap_str("F<c>+0") },

    { "a bare lf behind max octets and one is a bare lf",
      tap_str("0123456789a\nc\r\n"), 10, 0, tap_str("F<c>+0") },

    { "normalised: a bare lf ends a line",
      tap_str("a\nb\r\nc\n"), 10, 1, tap_str("<a><b><c>+0") },

    { "normalised: lf cr lf is two lines",
      tap_str("a\n\r\nb\n"), 10, 1, tap_str("<a><><b>+0") },

    { "normalised: a bare cr spoils a line still",
      tap_str("a\rb\nc\n"), 10, 1, tap_str("C<c>+0") },

    { "normalised: cr cr lf is a bare cr",
      tap_str("a\r\r\nc\n"), 10, 1, tap_str("C<c>+0") },

    { "normalised: a line of max octets fits",
      tap_str("0123456789\n0123456789\r\n"), 10, 1,
      tap_str("<0123456789><0123456789>+0") },

    { "normalised: a line too long ends at lf",
      tap_str("0123456789a\nb\n0123456789abc\r\nc\n"), 10, 1,
      tap_str("L<b>L<c>+0") }
};


typedef struct {
    ngx_smtp_line_t   line;
    ngx_buf_t         b;
    size_t            max;
    u_char            out[256];
    u_char           *p;
    ngx_uint_t        broken;
} feed_t;


static void
feed_start(feed_t *f, size_t max, ngx_uint_t normalise)
{
    ngx_memzero(f, sizeof(feed_t));

    f->line.normalise = normalise;
    f->max = max;
    f->p = f->out;
    f->b.start = tap_copy("", 0);
    f->b.pos = f->b.start;
    f->b.last = f->b.start;
}


/* appends data to what waits, in memory of just that size, and reads on */

static void
feed(feed_t *f, const u_char *data, size_t len)
{
    size_t      left, turns;
    u_char     *start;
    ngx_int_t   rc;

    left = f->b.last - f->b.pos;

    start = malloc(left + len);

    if (left) {
        ngx_memcpy(start, f->b.pos, left);
    }

    ngx_memcpy(start + left, data, len);

    free(f->b.start);

    f->b.start = start;
    f->b.pos = start;
    f->b.last = start + left + len;

    turns = left + len + 2;

    do {
        rc = ngx_smtp_line_next(&f->line, &f->b, f->max);

        switch (rc) {

        case NGX_OK:
            *f->p++ = '<';
            f->p = ngx_cpymem(f->p, f->line.text.data, f->line.text.len);
            *f->p++ = '>';
            break;

        case NGX_SMTP_LINE_TOO_LONG:
            *f->p++ = 'L';
            break;

        case NGX_SMTP_LINE_BARE_CR:
            *f->p++ = 'C';
            break;

        case NGX_SMTP_LINE_BARE_LF:
            *f->p++ = 'F';
            break;

        case NGX_AGAIN:
            break;

        default:
            f->broken = 1;
        }

        if (--turns == 0) {
            f->broken = 1;
        }

    } while (rc != NGX_AGAIN && !f->broken);

    left = f->b.last - f->b.pos;

    /* a buffer of max + 2 octets has room for more, and none is looked at
     * for the second time */

    if (left > f->max + 1 || f->line.scanned != left) {
        f->broken = 1;
    }
}


static ngx_uint_t
feed_end(feed_t *f, ngx_str_t *in, ngx_str_t *expected)
{
    ngx_uint_t  ok;

    f->p += sprintf((char *) f->p, "+%d", (int) (f->b.last - f->b.pos));

    ok = !f->broken
         && tap_same(f->out, f->p - f->out, expected->data, expected->len);

    if (!ok) {
        tap_diag("input", in->data, in->len);
        tap_diag("got", f->out, f->p - f->out);
        tap_diag("expected", expected->data, expected->len);
        tap_diag_number("broken", (long) f->broken);
    }

    free(f->b.start);

    return ok;
}


static ngx_uint_t
cut_everywhere(ngx_str_t *in, size_t max, ngx_uint_t normalise,
    ngx_str_t *expected)
{
    size_t  a, b;
    feed_t  f;

    for (a = 0; a <= in->len; a++) {
        for (b = a; b <= in->len; b++) {
            feed_start(&f, max, normalise);

            feed(&f, in->data, a);
            feed(&f, in->data + a, b - a);
            feed(&f, in->data + b, in->len - b);

            if (!feed_end(&f, in, expected)) {
                tap_diag_number("cut", (long) a);
                tap_diag_number("and", (long) b);
                return 0;
            }
        }
    }

    feed_start(&f, max, normalise);

    for (a = 0; a < in->len; a++) {
        feed(&f, in->data + a, 1);
    }

    return feed_end(&f, in, expected);
}


/* the same with all of the input at hand */

static void
reference(ngx_str_t *in, size_t max, ngx_uint_t normalise, ngx_str_t *out)
{
    size_t   i, start, len;
    u_char  *p;

    p = out->data;
    start = 0;

    for (i = 0; i < in->len; i++) {

        if (in->data[i] != LF) {
            continue;
        }

        len = i - start;

        if (len && in->data[i - 1] == CR) {
            len--;

        } else if (!normalise) {
            *p++ = 'F';
            start = i + 1;
            continue;
        }

        if (len > max) {
            *p++ = 'L';

        } else if (len && memchr(in->data + start, CR, len)) {
            *p++ = 'C';

        } else {
            *p++ = '<';
            p = ngx_cpymem(p, in->data + start, len);
            *p++ = '>';
        }

        start = i + 1;
    }

    len = in->len - start;

    if (len > max && !(len == max + 1 && in->data[in->len - 1] == CR)) {
        len = 0;
    }

    p += sprintf((char *) p, "+%d", (int) len);

    out->len = p - out->data;
}


static void
test_generated(ngx_uint_t normalise, const char *name)
{
    size_t      len, i;
    u_char      buf[16], expected[64];
    ngx_str_t   in, out;
    ngx_uint_t  n, k, count, ok;

    in.data = buf;
    out.data = expected;
    ok = 1;

    for (len = 0, count = 1; len <= 7 && ok; len++, count *= 3) {
        for (n = 0; n < count && ok; n++) {

            for (i = 0, k = n; i < len; i++, k /= 3) {
                buf[i] = "\r\na"[k % 3];
            }

            in.len = len;

            reference(&in, 2, normalise, &out);
            ok = cut_everywhere(&in, 2, normalise, &out);
        }
    }

    tap_ok(ok, name);
}


int
main(void)
{
    feed_t      f;
    size_t      i;
    row_t      *row;
    ngx_str_t   in, expected;

    for (i = 0; i < tap_nelts(rows); i++) {
        row = &rows[i];

        tap_ok(cut_everywhere(&row->in, row->max, row->normalise,
                              &row->expected),
               row->name);
    }

    test_generated(0, "all short inputs give the same, cut everywhere");
    test_generated(1, "normalised: all short inputs, cut everywhere");

    /* a flood keeps nothing, which feed() looks at */

    feed_start(&f, 1000, 0);

    for (i = 0; i < 100000; i++) {
        feed(&f, (u_char *) "aaaaaaaaaa\r", 11);
    }

    feed(&f, (u_char *) "\nb\r\n", 4);

    ngx_str_set(&in, "a flood");
    ngx_str_set(&expected, "L<b>+0");

    tap_ok(feed_end(&f, &in, &expected), "a flood without lf is not kept");

    /* a STARTTLS throws away what was read in the clear */

    feed_start(&f, 100, 0);
    feed(&f, (u_char *) "an unfinished line", 18);
    f.b.last = f.b.pos;
    feed(&f, (u_char *) "QUIT\r\n", 6);

    ngx_str_set(&in, "an emptied buffer");
    ngx_str_set(&expected, "<QUIT>+0");

    tap_ok(feed_end(&f, &in, &expected),
           "a buffer that was emptied is read from its start");

    feed_start(&f, 100, 1);
    feed(&f, (u_char *) "an unfinished line", 18);
    f.b.last = f.b.pos;
    feed(&f, (u_char *) "\nQUIT\n", 6);

    ngx_str_set(&expected, "<><QUIT>+0");

    tap_ok(feed_end(&f, &in, &expected),
           "a buffer that was emptied is read from its very first octet");

    return tap_done();
}

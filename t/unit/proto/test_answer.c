
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_answer.h>
#include <tap.h>


/*
 * Replies of a next hop.  What comes out is written down as a string:
 * "code-text|" for each line, "code text|" for the last one of a reply, "!"
 * for an error.  The buffer grows octet by octet as well.
 */


typedef struct {
    const char  *name;
    ngx_str_t    in;
    const char  *expected;
} row_t;


static row_t  rows[] = {

    { "a line is a reply",
      tap_str("250 ok\r\n"), "250 ok|" },

    { "lines with a hyphen go on",
      tap_str("250-a.b\r\n250-SIZE 10\r\n250 HELP\r\n"),
      "250-a.b|250-SIZE 10|250 HELP|" },

    { "a code alone is the last line",
      tap_str("250\r\n"), "250 |" },

    { "a code and a space are the last line",
      tap_str("250 \r\n"), "250 |" },

    { "a code and a hyphen are a line without text",
      tap_str("250-\r\n250 a\r\n"), "250-|250 a|" },

    { "a code alone ends a reply of many lines",
      tap_str("250-a\r\n250\r\n"), "250-a|250 |" },

    { "replies follow one another",
      tap_str("220 a\r\n354 b\r\n421 c\r\n599 d\r\n"),
      "220 a|354 b|421 c|599 d|" },

    { "text keeps its spaces and hyphens",
      tap_str("250 - a  b -\r\n"), "250 - a  b -|" },

    { "a bare lf ends a line",
      tap_str("250-a\n250 b\n"), "250-a|250 b|" },

    { "eight-bit text passes",
      tap_str("550 \xc3\xa4\t\r\n"), "550 \xc3\xa4\t|" },

    { "a bare cr is text",
      tap_str("550 a\rb\r\r\n"), "550 a\rb\r|" },

    { "second digits over 5 are in use",
      tap_str("571 a\r\n"), "571 a|" },

    { "no whole line is no reply yet",
      tap_str("250 ok"), "" },

    { "the first line of two is waited for no longer",
      tap_str("250-a\r\n25"), "250-a|" },

    { "codes that differ are an error",
      tap_str("250-a\r\n251 b\r\n"), "250-a|!" },

    { "an empty line is an error",
      tap_str("\r\n"), "!" },

    { "two digits are an error",
      tap_str("25\r\n"), "!" },

    { "four digits are an error",
      tap_str("2500 a\r\n"), "!" },

    { "text against the code is an error",
      tap_str("250ok\r\n"), "!" },

    { "a tab behind the code is an error",
      tap_str("250\tok\r\n"), "!" },

    { "no code is an error",
      tap_str("hello\r\n"), "!" },

    { "a space in front is an error",
      tap_str(" 250 a\r\n"), "!" },

    { "a line of text only, inside a reply, is an error",
      tap_str("250-a\r\nb\r\n"), "250-a|!" },

    { "codes under 200 are an error",
      tap_str("199 a\r\n"), "!" },

    { "codes over 599 are an error",
      tap_str("600 a\r\n"), "!" },

    { "a sign is no digit",
      tap_str("2-0 a\r\n"), "!" },

    { "a letter is no digit",
      tap_str("25x a\r\n"), "!" },

    { "nul is an error",
      tap_str("250 a\0b\r\n"), "!" },

    { "nul in the code is an error",
      tap_str("25\0 a\r\n"), "!" }
};


typedef struct {
    ngx_smtp_answer_t   answer;
    ngx_buf_t           b;
    u_char             *base;
    u_char              out[512];
    u_char             *p;
    ngx_uint_t          failed;
} feed_t;


/* what waits and len octets more, in memory of just that size */

static void
feed(feed_t *f, const u_char *data, size_t len)
{
    size_t      left;
    u_char     *base, *pos;
    ngx_int_t   rc;

    left = f->b.last - f->b.pos;
    base = malloc(left + len);

    if (left) {
        ngx_memcpy(base, f->b.pos, left);
    }

    ngx_memcpy(base + left, data, len);

    free(f->base);

    f->base = base;
    f->b.pos = base;
    f->b.last = base + left + len;

    while (!f->failed) {
        pos = f->b.pos;
        rc = ngx_smtp_answer_parse(&f->answer, &f->b);

        if (rc == NGX_AGAIN) {
            f->failed = (f->b.pos != pos);
            return;
        }

        if (rc != NGX_OK) {
            *f->p++ = (rc == NGX_ERROR) ? '!' : '?';
            f->failed = 1;
            return;
        }

        f->p += sprintf((char *) f->p, "%d%c", (int) f->answer.code,
                        f->answer.last ? ' ' : '-');
        f->p = ngx_cpymem(f->p, f->answer.text.data, f->answer.text.len);
        *f->p++ = '|';

        if (f->answer.last) {
            ngx_memzero(&f->answer, sizeof(ngx_smtp_answer_t));
        }
    }
}


static ngx_uint_t
run(row_t *row)
{
    size_t      a;
    feed_t      f;
    ngx_uint_t  i, ok;

    /* in two pieces at every place, then octet by octet */

    for (ok = 1, i = 0; i <= row->in.len + 1 && ok; i++) {
        ngx_memzero(&f, sizeof(feed_t));

        f.base = malloc(0);
        f.b.pos = f.base;
        f.b.last = f.base;
        f.p = f.out;

        if (i <= row->in.len) {
            feed(&f, row->in.data, i);
            feed(&f, row->in.data + i, row->in.len - i);

        } else {
            for (a = 0; a < row->in.len; a++) {
                feed(&f, row->in.data + a, 1);
            }
        }

        free(f.base);

        ok = tap_same(f.out, f.p - f.out, row->expected,
                      ngx_strlen(row->expected));
    }

    if (!ok) {
        tap_diag("input", row->in.data, row->in.len);
        tap_diag("got", f.out, f.p - f.out);
    }

    return ok;
}


/* one line of len octets, with its CRLF or, if there is none, without */

static ngx_int_t
parse_long(size_t len, ngx_uint_t crlf)
{
    u_char             *p;
    ngx_buf_t           b;
    ngx_int_t           rc;
    ngx_smtp_answer_t   answer;

    p = malloc(len);

    ngx_memset(p, 'a', len);
    ngx_memcpy(p, "250 ", 4);

    if (crlf) {
        ngx_memcpy(p + len - 2, CRLF, 2);
    }

    ngx_memzero(&b, sizeof(ngx_buf_t));
    ngx_memzero(&answer, sizeof(ngx_smtp_answer_t));

    b.pos = p;
    b.last = p + len;

    rc = ngx_smtp_answer_parse(&answer, &b);

    if (rc == NGX_OK && (answer.text.len != len - 6 || b.pos != b.last)) {
        rc = NGX_DECLINED;
    }

    free(p);

    return rc;
}


static ngx_uint_t
parse_lines(ngx_uint_t n)
{
    u_char             *p, *last;
    ngx_buf_t           b;
    ngx_int_t           rc;
    ngx_uint_t          i;
    ngx_smtp_answer_t   answer;

    p = malloc(n * 6);

    for (last = p, i = 1; i <= n; i++) {
        last = ngx_cpymem(last, (i < n) ? "250-\r\n" : "250 \r\n", 6);
    }

    ngx_memzero(&b, sizeof(ngx_buf_t));
    ngx_memzero(&answer, sizeof(ngx_smtp_answer_t));

    b.pos = p;
    b.last = last;

    do {
        rc = ngx_smtp_answer_parse(&answer, &b);
    } while (rc == NGX_OK && !answer.last);

    free(p);

    return rc == NGX_OK && answer.lines == n;
}


static void
test_limits(void)
{
    size_t  max;

    max = NGX_SMTP_ANSWER_LINE_MAX;

    tap_ok(parse_long(max, 1) == NGX_OK, "the longest line is read");
    tap_ok(parse_long(max + 1, 1) == NGX_ERROR, "a longer one is an error");
    tap_ok(parse_long(max - 1, 0) == NGX_AGAIN,
           "a line may come to its end, as long as it can");
    tap_ok(parse_long(max, 0) == NGX_ERROR,
           "a line that has got too long is an error before its end");
    tap_ok(parse_lines(NGX_SMTP_ANSWER_LINES_MAX), "many lines are read");
    tap_ok(!parse_lines(NGX_SMTP_ANSWER_LINES_MAX + 1), "more are an error");
}


static void
test_enhanced(void)
{
    u_char               *copy;
    ngx_str_t             text;
    ngx_uint_t            i, ok;
    ngx_smtp_enhanced_t   e;

    static struct {
        ngx_uint_t   code;
        const char  *in;
        ngx_uint_t   class;
        ngx_uint_t   subject;
        ngx_uint_t   detail;
        const char  *rest;
    }  good[] = {
        { 250, "2.1.5 ok", 2, 1, 5, "ok" },
        { 250, "2.0.0 ", 2, 0, 0, "" },
        { 250, "2.1.5", 2, 1, 5, "" },
        { 550, "5.7.999 no", 5, 7, 999, "no" },
        { 451, "4.999.10   later", 4, 999, 10, "later" },
        { 421, "4.3.2 4.3.2 x", 4, 3, 2, "4.3.2 x" }
    };

    static struct {
        ngx_uint_t   code;
        const char  *in;
    }  bad[] = {
        { 250, "" }, { 250, "2" }, { 250, "2.1" }, { 250, "2.1." },
        { 250, "2.1.x" }, { 250, "2..1 a" }, { 250, "2.1 ok ok" },
        { 250, "2.1.5x" }, { 250, "2.1.5.6 a" }, { 250, "2.1.5-a" },
        { 250, "2.01.5 a" }, { 250, "2.1.05 a" }, { 250, "2.00.0 a" },
        { 250, "2.1000.5 a" }, { 250, "2.1.1000 a" }, { 250, " 2.1.5 a" },
        { 250, "5.1.5 a" }, { 550, "4.1.1 a" }, { 550, "2.1.1 a" },
        { 354, "3.0.0 a" }, { 250, "22.1.5 a" }, { 250, "2,1.5 a" },
        { 250, "example.com at your service" }, { 250, "2.1.5\t" }
    };

    for (ok = 1, i = 0; i < tap_nelts(good); i++) {
        text.len = ngx_strlen(good[i].in);
        copy = tap_copy(good[i].in, text.len);
        text.data = copy;

        ngx_smtp_enhanced_parse(&e, good[i].code, &text);

        if (e.class != good[i].class || e.subject != good[i].subject
            || e.detail != good[i].detail
            || text.data + text.len != copy + ngx_strlen(good[i].in)
            || !tap_same(text.data, text.len, good[i].rest,
                         ngx_strlen(good[i].rest)))
        {
            tap_diag("text", good[i].in, ngx_strlen(good[i].in));
            ok = 0;
        }

        free(copy);
    }

    tap_ok(ok, "enhanced status codes are split off");

    for (ok = 1, i = 0; i < tap_nelts(bad); i++) {
        text.len = ngx_strlen(bad[i].in);
        copy = tap_copy(bad[i].in, text.len);
        text.data = copy;

        ngx_memset(&e, 0xff, sizeof(ngx_smtp_enhanced_t));

        ngx_smtp_enhanced_parse(&e, bad[i].code, &text);

        if (e.class != 0 || text.data != copy
            || text.len != ngx_strlen(bad[i].in))
        {
            tap_diag("text", bad[i].in, ngx_strlen(bad[i].in));
            ok = 0;
        }

        free(copy);
    }

    tap_ok(ok, "what is none, or of another class, is text");

    ngx_str_null(&text);
    ngx_smtp_enhanced_parse(&e, 250, &text);

    tap_ok(e.class == 0 && text.len == 0, "no text has no status code");
}


static void
test_copy(void)
{
    u_char      *dst, *end;
    ngx_str_t    all;
    u_char       octets[256], expected[256];
    ngx_uint_t   i;

    for (i = 0; i < 256; i++) {
        octets[i] = (u_char) i;
        expected[i] = (i >= 32 && i <= 126) ? (u_char) i : '?';
    }

    all.len = 256;
    all.data = octets;

    dst = malloc(256);
    end = ngx_smtp_answer_text_copy(dst, 1000, &all);
    tap_ok(tap_same(dst, end - dst, expected, 256),
           "text is copied, with ? for what is not printable us-ascii");
    free(dst);

    dst = malloc(100);
    end = ngx_smtp_answer_text_copy(dst, 100, &all);
    tap_ok(tap_same(dst, end - dst, expected, 100),
           "no more is copied than there is room for");

    ngx_str_null(&all);
    tap_ok(ngx_smtp_answer_text_copy(dst, 100, &all) == dst,
           "of nothing, nothing is copied");
    free(dst);
}


static void
test_copy_utf8(void)
{
    size_t      max;
    u_char     *dst, *end;
    ngx_str_t   text;
    ngx_uint_t  i;

    static struct {
        char        *name;
        char        *text;
        char        *expected;
        size_t       max;
    } copies[] = {
        { "us-ascii", "a <b@c>", "a <b@c>", 99 },
        { "characters of two, three, four octets",
          "\xc3\xbc \xe2\x82\xac \xf0\x9f\x93\xa7",
          "\xc3\xbc \xe2\x82\xac \xf0\x9f\x93\xa7", 99 },
        { "controls of us-ascii", "\x1b[0m\x7f\r\n", "?[0m???", 99 },
        { "controls behind it", "\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0",
          "??????\xc2\xa0", 99 },
        { "what is no utf-8", "\xc3\x28\xff\xc0\x80\xed\xa0\x80",
          "?(??" "????", 99 },
        { "one that is cut off", "a\xe2\x82", "a??", 99 },
        { "one for which there is no room", "a\xe2\x82\xac", "a??", 3 },
        { "nothing", "", "", 99 }
    };

    for (i = 0; i < tap_nelts(copies); i++) {
        text.data = (u_char *) copies[i].text;
        text.len = strlen(copies[i].text);

        max = text.len < copies[i].max ? text.len : copies[i].max;

        dst = malloc(max + 1);
        end = ngx_smtp_answer_text_utf8_copy(dst, copies[i].max, &text);

        tap_ok(tap_same(dst, end - dst, (u_char *) copies[i].expected,
                        strlen(copies[i].expected)),
               copies[i].name);
        free(dst);
    }
}


static void
test_words(void)
{
    char                 *rv;
    u_char               *copy;
    ngx_str_t             words;
    ngx_uint_t            i, code, ok;
    ngx_smtp_enhanced_t   e;
    u_char                text[4 + NGX_SMTP_ANSWER_TEXT_MAX + 1];

    static struct {
        const char  *in;
        ngx_uint_t   code;
        ngx_uint_t   class;
        const char  *rest;
        const char  *wrong;
    }  rows[] = {
        { "250", 250, 0, "", NULL },
        { "550 no", 550, 0, "no", NULL },
        { "550 5.7.1", 550, 5, "", NULL },
        { "452 4.2.2  full, really", 452, 4, "full, really", NULL },
        { "559 5x", 559, 0, "5x", NULL },
        { "550 5 of them", 550, 0, "5 of them", NULL },
        { "", 0, 0, NULL, "code" },
        { "55", 0, 0, NULL, "code" },
        { "5500", 0, 0, NULL, "code" },
        { "550-no", 0, 0, NULL, "code" },
        { "354 go", 0, 0, NULL, "code" },
        { "150 go", 0, 0, NULL, "code" },
        { "650 go", 0, 0, NULL, "code" },
        { "5a0 go", 0, 0, NULL, "code" },
        { " 550 go", 0, 0, NULL, "code" },
        { "550 4.7.1 no", 550, 0, NULL, "does not fit" },
        { "550 5.7 no", 550, 0, NULL, "does not fit" },
        { "550 5.7.1.1 no", 550, 0, NULL, "does not fit" },
        { "550 a\tb", 550, 0, NULL, "US-ASCII" },
        { "550 a\r\nb", 550, 0, NULL, "US-ASCII" },
        { "550 5.7.1 \xc3\xbc", 550, 5, NULL, "US-ASCII" }
    };

    for (ok = 1, i = 0; i < tap_nelts(rows); i++) {
        words.len = ngx_strlen(rows[i].in);
        copy = tap_copy(rows[i].in, words.len);
        words.data = copy;

        rv = ngx_smtp_answer_words(&code, &e, &words);

        if (code != rows[i].code || e.class != rows[i].class
            || (rv == NULL) != (rows[i].wrong == NULL)
            || (rv && strstr(rv, rows[i].wrong) == NULL)
            || (rv == NULL
                && !tap_same(words.data, words.len, (u_char *) rows[i].rest,
                             strlen(rows[i].rest))))
        {
            tap_diag("words", rows[i].in, ngx_strlen(rows[i].in));
            ok = 0;
        }

        free(copy);
    }

    tap_ok(ok, "words of a reply, strictly");

    memset(text, 'x', sizeof(text));
    memcpy(text, "550 ", 4);

    words.data = text;
    words.len = sizeof(text) - 1;

    tap_ok(ngx_smtp_answer_words(&code, &e, &words) == NULL
           && words.len == NGX_SMTP_ANSWER_TEXT_MAX,
           "the longest text");

    words.data = text;
    words.len = sizeof(text);

    tap_ok(ngx_smtp_answer_words(&code, &e, &words) != NULL,
           "a text that is too long");
}


int
main(void)
{
    ngx_uint_t  i;

    for (i = 0; i < tap_nelts(rows); i++) {
        tap_ok(run(&rows[i]), rows[i].name);
    }

    test_limits();
    test_enhanced();
    test_copy();
    test_copy_utf8();
    test_words();

    return tap_done();
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_json.h>
#include <tap.h>


/*
 * The inside of JSON strings.  Each text is written as a whole, octet by
 * octet, and in two pieces cut at each place; counted, too.
 */


#define R  "\xef\xbf\xbd"


typedef struct {
    const char  *name;
    ngx_str_t    in;
    ngx_str_t    out;
} row_t;


static row_t  rows[] = {

    { "nothing", tap_str(""), tap_str("") },
    { "a text", tap_str("a text, ~/[]{}'"), tap_str("a text, ~/[]{}'") },
    { "what has to be escaped", tap_str("a\"b\\c"),
      tap_str("a\\\"b\\\\c") },
    { "white space", tap_str("a\r\n\tb"), tap_str("a\\r\\n\\tb") },
    { "control characters", tap_str("\0\x01\x1f\x7f"),
      tap_str("\\u0000\\u0001\\u001f\\u007f") },
    { "two octets", tap_str("\xc2\x80\xc3\xa4\xdf\xbf"),
      tap_str("\xc2\x80\xc3\xa4\xdf\xbf") },
    { "three octets", tap_str("\xe0\xa0\x80\xe2\x82\xac\xef\xbf\xbf"),
      tap_str("\xe0\xa0\x80\xe2\x82\xac\xef\xbf\xbf") },
    { "around the surrogates", tap_str("\xed\x9f\xbf\xee\x80\x80"),
      tap_str("\xed\x9f\xbf\xee\x80\x80") },
    { "four octets", tap_str("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
      tap_str("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf") },
    { "latin 1", tap_str("\xe4 \xf6\xfc."), tap_str(R " " R R ".") },
    { "an octet from inside", tap_str("a\x80\xbf" "b"),
      tap_str("a" R R "b") },
    { "longer than needed", tap_str("\xc0\x80\xc1\xbf\xe0\x9f\xbf"),
      tap_str(R R R R R R R) },
    { "surrogates", tap_str("\xed\xa0\x80"), tap_str(R R R) },
    { "behind the last character", tap_str("\xf4\x90\x80\x80\xf5\xff"),
      tap_str(R R R R R R) },
    { "broken off by a letter", tap_str("\xe2\x82" "a\xf0\x90\x80" "b"),
      tap_str(R "a" R "b") },
    { "broken off by a character", tap_str("\xe2\x82\xc3\xa4"),
      tap_str(R "\xc3\xa4") },
    { "broken off by a quotation mark", tap_str("\xc3\""),
      tap_str(R "\\\"") },
    { "broken off by the end", tap_str("a\xf0\x90\x80"), tap_str("a" R) },
};


typedef struct {
    const char  *name;
    ngx_str_t    in;
    ngx_uint_t   depth;
} depth_t;


static depth_t  depths[] = {
    { "no array", tap_str("1"), 0 },
    { "an array", tap_str("[]"), 1 },
    { "one in the other", tap_str("[{\"a\":[]},[]]"), 3 },
    { "one behind the other", tap_str("[][][]"), 1 },
    { "in a string", tap_str("[\"[[[\\\"[[\",[]]"), 2 },
    { "behind a backslash at the end", tap_str("[\"\\"), 1 },
    { "closed too often", tap_str("]]]["), 1 },
};


static size_t
write_it(u_char *dst, ngx_str_t *in, size_t cut)
{
    size_t           i, n;
    u_char          *p, *one;
    ngx_smtp_json_t  js;

    ngx_memzero(&js, sizeof(ngx_smtp_json_t));

    p = tap_copy(in->data, in->len);
    n = 0;

#define at(n)  (dst ? dst + (n) : NULL)

    if (cut > in->len) {

        for (i = 0; i < in->len; i++) {
            one = tap_copy(p + i, 1);
            n += ngx_smtp_json_escape(&js, at(n), one, one + 1);
            free(one);
        }

    } else {
        n += ngx_smtp_json_escape(&js, at(n), p, p + cut);
        n += ngx_smtp_json_escape(&js, at(n), p + cut, p + in->len);
    }

    free(p);

    return n + ngx_smtp_json_end(&js, at(n));
}


int
main(void)
{
    size_t       i, n, cut;
    u_char      *dst;
    ngx_uint_t   good;

    for (i = 0; i < tap_nelts(rows); i++) {

        good = 1;

        for (cut = 0; cut <= rows[i].in.len + 1; cut++) {
            dst = malloc(ngx_smtp_json_max(rows[i].in.len));
            n = write_it(dst, &rows[i].in, cut);

            if (!tap_same(dst, n, rows[i].out.data, rows[i].out.len)
                || write_it(NULL, &rows[i].in, cut) != n)
            {
                tap_diag_number("cut at", cut);
                tap_diag("got", dst, n);
                good = 0;
            }

            free(dst);
        }

        tap_ok(good, rows[i].name);
    }

    for (i = 0; i < tap_nelts(depths); i++) {
        dst = tap_copy(depths[i].in.data, depths[i].in.len);

        tap_ok(ngx_smtp_json_depth(dst, dst + depths[i].in.len)
               == depths[i].depth, depths[i].name);

        free(dst);
    }

    return tap_done();
}

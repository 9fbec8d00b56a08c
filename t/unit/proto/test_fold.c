
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_fold.h>
#include <tap.h>


/*
 * Folding.  Lines are written with "*n" behind a letter for so many of it:
 * "a*3" is "aaa"; "|" is CRLF.
 */


#define OUT_MAX  65536


typedef struct {
    const char  *name;
    const char  *in;
    const char  *out;            /* NULL: the same */
} row_t;


typedef struct {
    u_char       data[OUT_MAX];
    size_t       len;
} out_t;


static row_t  rows[] = {

    { "short lines stay", "A: b|C: d| e|", NULL },
    { "a line of 998 stays", "A: x*995|", NULL },
    { "one of 999 is folded", "A: x*496 y*499|", "A: x*496| y*499|" },
    { "as late as can be", "A: x*100 y*200 z*300 w*400|",
      "A: x*100 y*200 z*300| w*400|" },
    { "a place at 998 is near enough", "A: x*995 y*3|", "A: x*995| y*3|" },
    { "a place at 999 is not, there is one behind the name",
      "A: x*996 y*3|", "A:| x*996| y*3|" },
    { "the name stays whole", "A b:x*1000|", NULL },
    { "what is behind it may not", "A b: x*1000|", "A b:| x*1000|" },
    { "a comma is a better place", "A: x*10, y*200 z*300 w*800|",
      "A: x*10,| y*200 z*300| w*800|" },
    { "so is a semicolon", "A: x*10; y*200 z*900|",
      "A: x*10;| y*200| z*900|" },
    { "of several commas, the last", "A: a, b, c, x*995|",
      "A: a, b, c,| x*995|" },
    { "a tab is white space", "A: x*500\ty*500|", "A: x*500|\ty*500|" },
    { "white space stays together", "A: x*500 *10y*500|",
      "A: x*500| *10y*500|" },
    { "a line that goes on", "A: b| x*500 y*500|", "A: b| x*500| y*500|" },
    { "and only there", "A: b| x*1000|C: d|", NULL },
    { "three times", "A: x*600 y*600 z*600 w*600|",
      "A: x*600| y*600| z*600| w*600|" },
    { "a long word stays as it is, with what is behind it",
      "A: b x*1000 y*1000 z|", "A: b| x*1000 y*1000 z|" },
    { "the next line is another", "A:x*1000|B: x*600 y*600|",
      "A:x*1000|B: x*600| y*600|" },
    { "white space at the end is no place", "A:x*990 *50|", NULL },
    { "one in front of it is", "A: x*500 y*400 *500|",
      "A: x*500| y*400 *500|" },
    { "white space alone", "A: b| *1200|", NULL },
    { "no line end at the end", "A: x*500 y*500", "A: x*500| y*500" },
    { "a long one without", "A:x*1200", NULL },
    { "an empty line", "|", NULL },
    { "nothing", "", NULL },
    { "no field at all", "x*600 y*600|", NULL },
    { "bare LF ends a line", "A: x*500 y*300\nB: z*700\n", NULL },
    { "and the folded ones", "A: x*500 y*500\nB: c\n",
      "A: x*500| y*500\nB: c\n" },
    { "at 998", "A: x*993 y\nB: c\n", NULL },
    { "at 999", "A: x*994 y\nB: c\n", "A: x*994| y\nB: c\n" },
    { "at 999, with white space", "A: x*995 \nB: c\n",
      "A:| x*995 \nB: c\n" }
};


static void
out_write(void *data, u_char *p, size_t len)
{
    out_t  *out;

    out = data;

    if (len > OUT_MAX - out->len) {
        abort();
    }

    ngx_memcpy(out->data + out->len, p, len);
    out->len += len;
}


static void
expand(out_t *out, const char *p)
{
    long     n;
    char    *end;
    u_char   c;

    for (out->len = 0; *p; p++) {
        c = *p;

        if (c == '|') {
            out_write(out, (u_char *) CRLF, 2);
            continue;
        }

        n = 1;

        if (p[1] == '*') {
            n = strtol(p + 2, &end, 10);
            p = end - 1;
        }

        for ( /* void */ ; n; n--) {
            out_write(out, &c, 1);
        }
    }
}


/* in pieces: the first of n octets, the others of step; 0: all the rest */

static void
run(out_t *out, out_t *in, size_t n, size_t step)
{
    size_t            i;
    u_char           *copy;
    ngx_smtp_fold_t   fold;

    ngx_memzero(&fold, sizeof(ngx_smtp_fold_t));

    fold.write = out_write;
    fold.data = out;

    out->len = 0;

    for (i = 0; i < in->len; i += n, n = step) {

        if (n == 0 || n > in->len - i) {
            n = in->len - i;
        }

        copy = tap_copy(in->data + i, n);
        ngx_smtp_fold_feed(&fold, copy, copy + n);
        free(copy);
    }

    ngx_smtp_fold_end(&fold);
}


static ngx_uint_t
run_row(row_t *row)
{
    size_t        i;
    ngx_uint_t    ok;
    static out_t  in, out, expected;

    expand(&in, row->in);
    expand(&expected, row->out ? row->out : row->in);

    for (ok = 1, i = 0; ok && i < in.len; i++) {
        run(&out, &in, i, 0);
        ok = tap_same(out.data, out.len, expected.data, expected.len);
    }

    for (i = 1; ok && i < 8; i += 2) {
        run(&out, &in, i, i);
        ok = tap_same(out.data, out.len, expected.data, expected.len);
    }

    if (!ok) {
        tap_diag("got", out.data, out.len);
    }

    return ok;
}


int
main(void)
{
    ngx_uint_t  i;

    for (i = 0; i < tap_nelts(rows); i++) {
        tap_ok(run_row(&rows[i]), rows[i].name);
    }

    return tap_done();
}

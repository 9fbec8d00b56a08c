
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_quota.h>
#include <tap.h>


/*
 * Files "maildirsize": the quota in them, what is used, the number of lines;
 * or that they are none.
 */


typedef struct {
    const char        *name;
    ngx_str_t          in;
    ngx_int_t          rc;
    ngx_smtp_quota_t   quota;
    ngx_smtp_quota_t   used;
    ngx_uint_t         lines;
} row_t;


static row_t  rows[] = {

    { "both limits", tap_str("1000S,10C\n"), NGX_OK, { 1000, 10 }, { 0, 0 },
      0 },
    { "in another order", tap_str("10C,1000S\n"), NGX_OK, { 1000, 10 },
      { 0, 0 }, 0 },
    { "octets alone", tap_str("1000S\n100 1\n"), NGX_OK, { 1000, 0 },
      { 100, 1 }, 1 },
    { "messages alone", tap_str("10C\n100 1\n"), NGX_OK, { 0, 10 },
      { 100, 1 }, 1 },
    { "a kind that is not known", tap_str("7X,1000S\n"), NGX_OK, { 1000, 0 },
      { 0, 0 }, 0 },
    { "sums", tap_str("1000S\n100 1\n200 2\n-50 -1\n"), NGX_OK, { 1000, 0 },
      { 250, 2 }, 3 },
    { "spaces", tap_str(" 1000S, 10C \n  100   1 \n         -7           0\n"),
      NGX_OK, { 1000, 10 }, { 93, 1 }, 2 },
    { "less than nothing in between", tap_str("1S\n-5 -1\n9 2\n"), NGX_OK,
      { 1, 0 }, { 4, 1 }, 2 },
    { "no limit", tap_str("0S,0C\n1 1\n"), NGX_OK, { 0, 0 }, { 1, 1 }, 1 },

    { "an empty file", tap_str(""), NGX_ERROR, { 0, 0 }, { 0, 0 }, 0 },
    { "an empty line", tap_str("\n"), NGX_ERROR, { 0, 0 }, { 0, 0 }, 0 },
    { "no end of the line", tap_str("1000S"), NGX_ERROR, { 0, 0 }, { 0, 0 },
      0 },
    { "no end of the last line", tap_str("1000S\n1 1"), NGX_ERROR, { 0, 0 },
      { 0, 0 }, 0 },
    { "no kind", tap_str("1000\n"), NGX_ERROR, { 0, 0 }, { 0, 0 }, 0 },
    { "no number", tap_str("S\n"), NGX_ERROR, { 0, 0 }, { 0, 0 }, 0 },
    { "a negative limit", tap_str("-1S\n"), NGX_ERROR, { 0, 0 }, { 0, 0 }, 0 },
    { "no comma", tap_str("1S2C\n"), NGX_ERROR, { 0, 0 }, { 0, 0 }, 0 },
    { "nothing behind the comma", tap_str("1S,\n"), NGX_ERROR, { 0, 0 },
      { 0, 0 }, 0 },
    { "one number", tap_str("1S\n1\n"), NGX_ERROR, { 0, 0 }, { 0, 0 }, 0 },
    { "three numbers", tap_str("1S\n1 1 1\n"), NGX_ERROR, { 0, 0 }, { 0, 0 },
      0 },
    { "no space", tap_str("1S\n1-1\n"), NGX_ERROR, { 0, 0 }, { 0, 0 }, 0 },
    { "letters", tap_str("1S\nx y\n"), NGX_ERROR, { 0, 0 }, { 0, 0 }, 0 },
    { "a NUL", tap_str("1S\n1 1\0\n"), NGX_ERROR, { 0, 0 }, { 0, 0 }, 0 },
    { "less than nothing", tap_str("1S\n-1 0\n"), NGX_ERROR, { 0, 0 },
      { 0, 0 }, 0 },
    { "fewer than no messages", tap_str("1S\n1 -1\n"), NGX_ERROR, { 0, 0 },
      { 0, 0 }, 0 },

    { "a number that is too large", tap_str("99999999999999999999S\n"),
      NGX_ERROR, { 0, 0 }, { 0, 0 }, 0 },
    { "sums that are", tap_str("1S\n400000000000000000 1\n"
                               "400000000000000000 1\n" "400000000000000000 1\n"
                               "400000000000000000 1\n" "400000000000000000 1\n"
                               "400000000000000000 1\n" "400000000000000000 1\n"
                               "400000000000000000 1\n" "400000000000000000 1\n"
                               "400000000000000000 1\n" "400000000000000000 1\n"
                               "400000000000000000 1\n"),
      NGX_ERROR, { 0, 0 }, { 0, 0 }, 0 },
    { "sums that are too small", tap_str("1S\n-400000000000000000 -1\n"
        "-400000000000000000 1\n" "-400000000000000000 1\n"
        "-400000000000000000 1\n" "-400000000000000000 1\n"
        "-400000000000000000 1\n" "-400000000000000000 1\n"
        "-400000000000000000 1\n" "-400000000000000000 1\n"
        "-400000000000000000 1\n" "-400000000000000000 1\n"
                               "-400000000000000000 1\n"),
      NGX_ERROR, { 0, 0 }, { 0, 0 }, 0 }
};


static ngx_uint_t
run(row_t *row)
{
    u_char                 *in;
    ngx_int_t               rc;
    ngx_uint_t              ok;
    ngx_smtp_quota_file_t   file;

    in = tap_copy(row->in.data, row->in.len);

    rc = ngx_smtp_quota_parse(&file, in, in + row->in.len);

    ok = (rc == row->rc);

    if (rc == NGX_OK) {
        ok = ok && file.quota.size == row->quota.size
             && file.quota.messages == row->quota.messages
             && file.used.size == row->used.size
             && file.used.messages == row->used.messages
             && file.lines == row->lines;
    }

    if (!ok) {
        tap_diag_number("rc", rc);
        tap_diag_number("size", file.used.size);
        tap_diag_number("messages", file.used.messages);
    }

    free(in);

    return ok;
}


static void
test_exceeded(void)
{
    ngx_uint_t  i;

    static struct {
        const char        *name;
        ngx_smtp_quota_t   quota;
        ngx_smtp_quota_t   used;
        ngx_smtp_quota_t   more;
        ngx_uint_t         exceeded;
    } sums[] = {
        { "room", { 100, 10 }, { 50, 5 }, { 10, 1 }, 0 },
        { "just so", { 100, 10 }, { 50, 9 }, { 50, 1 }, 0 },
        { "an octet too many", { 100, 10 }, { 50, 5 }, { 51, 1 }, 1 },
        { "a message too many", { 100, 10 }, { 50, 10 }, { 1, 1 }, 1 },
        { "more than there may be", { 100, 10 }, { 500, 1 }, { 0, 1 }, 1 },
        { "no limit of octets", { 0, 10 }, { 500, 1 }, { 1000, 1 }, 0 },
        { "no limit of messages", { 1000, 0 }, { 500, 100 }, { 1, 1 }, 0 },
        { "no limit", { 0, 0 }, { 500, 100 }, { 1, 1 }, 0 },
        { "an empty message", { 100, 10 }, { 100, 5 }, { 0, 1 }, 0 }
    };

    for (i = 0; i < tap_nelts(sums); i++) {
        tap_ok(ngx_smtp_quota_exceeded(&sums[i].quota, &sums[i].used,
                                       &sums[i].more)
               == sums[i].exceeded,
               sums[i].name);
    }
}


static void
test_name(void)
{
    off_t        size;
    size_t       len;
    u_char      *p;
    ngx_uint_t   i, counts;

    static struct {
        const char  *name;
        off_t        size;
        ngx_uint_t   counts;
    } names[] = {
        { "1.M2P3Q4.host,S=100", 100, 1 },
        { "1.M2P3Q4.host,S=100:2,S", 100, 1 },
        { "1.M2P3Q4.host,S=100:2,ST", 100, 0 },
        { "1.M2P3Q4.host,S=100,W=110:2,", 100, 1 },
        { "1.M2P3Q4.host,W=110,S=100", 100, 1 },
        { "1.M2P3Q4.host:2,S=100", -1, 1 },
        { "1.M2P3Q4.host:2,T", -1, 0 },
        { "1.M2P3Q4.host:1,T", -1, 1 },
        { "1.M2P3Q4.host", -1, 1 },
        { "1.M2P3Q4.host,S=", -1, 1 },
        { "1.M2P3Q4.host,S=x", -1, 1 },
        { "1.M2P3Q4.host,S=1x", -1, 1 },
        { "1.M2P3Q4.host,S=-1", -1, 1 },
        { "1.M2P3Q4.host,S=99999999999999999999", -1, 1 },
        { "1.M2P3Q4.host,S=0", 0, 1 },
        { ",S=7", 7, 1 },
        { "x", -1, 1 },
        { "", -1, 1 }
    };

    for (i = 0; i < tap_nelts(names); i++) {
        len = strlen(names[i].name);
        p = tap_copy(names[i].name, len);

        size = ngx_smtp_quota_name(p, p + len, &counts);

        if (!tap_ok(size == names[i].size && counts == names[i].counts,
                    names[i].name))
        {
            tap_diag_number("size", size);
            tap_diag_number("counts", counts);
        }

        free(p);
    }
}


int
main(void)
{
    ngx_uint_t  i;

    for (i = 0; i < tap_nelts(rows); i++) {
        tap_ok(run(&rows[i]), rows[i].name);
    }

    test_exceeded();
    test_name();

    return tap_done();
}

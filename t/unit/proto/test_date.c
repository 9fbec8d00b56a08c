
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_date.h>
#include <tap.h>

#include <time.h>


/* Dates against those of the library, and the order of ids. */


typedef struct {
    time_t       sec;
    ngx_int_t    gmtoff;
    const char  *text;
} row_t;


static row_t  rows[] = {
    { 0, 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
    { 951782400, 0, "Tue, 29 Feb 2000 00:00:00 +0000" },
    { 951868799, 0, "Tue, 29 Feb 2000 23:59:59 +0000" },
    { 951868800, 0, "Wed, 01 Mar 2000 00:00:00 +0000" },
    { 1795306133, 0, "Sun, 22 Nov 2026 00:08:53 +0000" },
    { 1795306133, 60, "Sun, 22 Nov 2026 01:08:53 +0100" },
    { 1795306133, -480, "Sat, 21 Nov 2026 16:08:53 -0800" },
    { 1795306133, -210, "Sat, 21 Nov 2026 20:38:53 -0330" },
    { 1795306133, 345, "Sun, 22 Nov 2026 05:53:53 +0545" },
    { 1795306133, 840, "Sun, 22 Nov 2026 14:08:53 +1400" },
    { 1798761599, 1, "Fri, 01 Jan 2027 00:00:59 +0001" },
    { 4107542399, 0, "Sun, 28 Feb 2100 23:59:59 +0000" },
    { 4107542400, 0, "Mon, 01 Mar 2100 00:00:00 +0000" },
    { 253402300799, 0, "Fri, 31 Dec 9999 23:59:59 +0000" }
};


static ngx_uint_t
date_same(time_t sec, ngx_int_t gmtoff, const char *text)
{
    u_char      *p, *end;
    ngx_uint_t   ok;

    p = malloc(NGX_SMTP_DATE_LEN);
    end = ngx_smtp_date_write(p, sec, gmtoff);

    ok = tap_same(p, end - p, text, ngx_strlen(text));

    if (!ok) {
        tap_diag("expected", text, ngx_strlen(text));
        tap_diag("got", p, end - p);
    }

    free(p);

    return ok;
}


static void
test_days(void)
{
    char         text[64];
    time_t       sec, local;
    ngx_int_t    gmtoff;
    struct tm    tm;
    ngx_uint_t   ok, k;

    /* each day up to 2500, at times of day and in zones that differ */

    ok = 1;
    k = 0;

    for (sec = 90000; sec < 16725225600 && ok; sec += 86399, k++) {
        gmtoff = (ngx_int_t) (k % 113) * 15 - 840;
        local = sec + gmtoff * 60;

        if (gmtime_r(&local, &tm) == NULL) {
            ok = 0;
            break;
        }

        strftime(text, sizeof(text) - 8, "%a, %d %b %Y %H:%M:%S ", &tm);

        sprintf(text + ngx_strlen(text), "%c%02d%02d", gmtoff < 0 ? '-' : '+',
                abs((int) gmtoff) / 60, abs((int) gmtoff) % 60);

        ok = date_same(sec, gmtoff, text);
    }

    tap_ok(ok && k > 190000, "each day up to the year 2500 is the library's");
}


static void
test_bounds(void)
{
    u_char      *p;
    ngx_uint_t   ok;

    p = malloc(NGX_SMTP_DATE_LEN);

    ok = ngx_smtp_date_write(p, 0, -60) == p + NGX_SMTP_DATE_LEN
         && ngx_smtp_date_write(p, -1, 0) == p + NGX_SMTP_DATE_LEN
         && ngx_smtp_date_write(p, 253402300800, 0) == p + NGX_SMTP_DATE_LEN
         && ngx_smtp_date_write(p, 253402300799, 840) == p + NGX_SMTP_DATE_LEN;

    tap_ok(ok, "a date is never longer, whatever the clock says");

    free(p);
}


static ngx_uint_t
id_same(uint64_t msec, ngx_uint_t process, ngx_uint_t counter,
    const char *text)
{
    u_char      *p, *end;
    ngx_uint_t   ok;

    p = malloc(NGX_SMTP_ID_LEN);
    end = ngx_smtp_id_write(p, msec, process, counter);

    ok = tap_same(p, end - p, text, ngx_strlen(text));

    if (!ok) {
        tap_diag("expected", text, ngx_strlen(text));
        tap_diag("got", p, end - p);
    }

    free(p);

    return ok;
}


static void
test_id(void)
{
    u_char      a[NGX_SMTP_ID_LEN], b[NGX_SMTP_ID_LEN];
    uint64_t    msec;
    ngx_uint_t  ok, i;

    tap_ok(id_same(0, 0, 0, "0000000000000000"),
           "an id of nothing is all zeros");

    tap_ok(id_same(0xffffffffff, 0xffff, 0xffffff, "vvvvvvvvvvvvvvvv"),
           "an id of all ones has the last digit only");

    tap_ok(id_same(1, 1, 1, "00000001000g0001"),
           "each part has its place");

    tap_ok(id_same((uint64_t) 7 << 40 | 31, 3 << 16, 5 << 24,
                   "0000000v00000000"),
           "bits that don't count are left out");

    ok = 1;

    /* differs in each bit, and sorts by time whatever the others are */

    for (i = 0, msec = 1795306133123; i < 5000; i++, msec += 1 + i * 977) {
        ngx_smtp_id_write(a, msec, 0xffff, 0xffffff);
        ngx_smtp_id_write(b, msec + 1, 0, 0);
        ok = ok && memcmp(a, b, NGX_SMTP_ID_LEN) < 0;

        ngx_smtp_id_write(a, msec, i, 0xffffff);
        ngx_smtp_id_write(b, msec, i + 1, 0);
        ok = ok && memcmp(a, b, NGX_SMTP_ID_LEN) < 0;

        ngx_smtp_id_write(a, msec, i, i * 3000);
        ngx_smtp_id_write(b, msec, i, i * 3000 + 1);
        ok = ok && memcmp(a, b, NGX_SMTP_ID_LEN) < 0;
    }

    tap_ok(ok, "ids differ and sort by time, process and counter");
}


int
main(void)
{
    ngx_uint_t  i;

    for (i = 0; i < tap_nelts(rows); i++) {
        tap_ok(date_same(rows[i].sec, rows[i].gmtoff, rows[i].text),
               rows[i].text);
    }

    test_days();
    test_bounds();
    test_id();

    return tap_done();
}

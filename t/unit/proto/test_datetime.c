
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_datetime.h>
#include <tap.h>

#include <time.h>


/* Timestamps of RFC 3339: those that are, those that are not, each day. */


typedef struct {
    const char  *text;
    size_t       len;            /* of what is taken; 0: it is none */
    time_t       sec;
    ngx_uint_t   fraction;
    ngx_uint_t   utc;
} row_t;


static row_t  rows[] = {
    { "1970-01-01T00:00:00Z", 20, 0, 0, 1 },
    { "2026-11-22T00:08:53Z", 20, 1795306133, 0, 1 },
    { "2026-11-22t00:08:53z", 20, 1795306133, 0, 1 },
    { "2026-11-22T01:08:53+01:00", 25, 1795306133, 0, 0 },
    { "2026-11-21T20:38:53-03:30", 25, 1795306133, 0, 0 },
    { "2026-11-22T00:08:53-00:00", 25, 1795306133, 0, 0 },
    { "2026-11-23T00:07:53+23:59", 25, 1795306133, 0, 0 },
    { "2026-11-22T00:08:53.1Z", 22, 1795306133, 1, 1 },
    { "2026-11-22T00:08:53.123456789+00:00", 35, 1795306133, 1, 0 },
    { "2026-11-22T00:08:53Z;C", 20, 1795306133, 0, 1 },
    { "2026-11-22T00:08:53Z ", 20, 1795306133, 0, 1 },
    { "2000-02-29T12:00:00Z", 20, 951825600, 0, 1 },
    { "2024-02-29T00:00:00Z", 20, 1709164800, 0, 1 },
    { "1990-12-31T23:59:60Z", 20, 662688000, 0, 1 },
    { "9999-12-31T23:59:59Z", 20, 253402300799, 0, 1 },
    { "0000-01-01T00:00:00Z", 20, -62167219200, 0, 1 },
    { "0000-03-01T00:00:00Z", 20, -62162035200, 0, 1 },
    { "1969-12-31T23:59:59Z", 20, -1, 0, 1 },

    { "", 0, 0, 0, 0 },
    { "2026-11-22", 0, 0, 0, 0 },
    { "2026-11-22T00:08:53", 0, 0, 0, 0 },
    { "2026-11-22T00:08Z", 0, 0, 0, 0 },
    { "2026-11-22 00:08:53Z", 0, 0, 0, 0 },
    { "20261122T000853Z", 0, 0, 0, 0 },
    { "226-11-22T00:08:53Z", 0, 0, 0, 0 },
    { "02026-11-22T00:08:53Z", 0, 0, 0, 0 },
    { "2026-1-22T00:08:53Z", 0, 0, 0, 0 },
    { "2026-00-22T00:08:53Z", 0, 0, 0, 0 },
    { "2026-13-22T00:08:53Z", 0, 0, 0, 0 },
    { "2026-11-00T00:08:53Z", 0, 0, 0, 0 },
    { "2026-11-31T00:08:53Z", 0, 0, 0, 0 },
    { "2026-01-32T00:08:53Z", 0, 0, 0, 0 },
    { "2023-02-29T00:00:00Z", 0, 0, 0, 0 },
    { "2100-02-29T00:00:00Z", 0, 0, 0, 0 },
    { "2024-02-30T00:00:00Z", 0, 0, 0, 0 },
    { "2026-11-22T24:00:00Z", 0, 0, 0, 0 },
    { "2026-11-22T00:60:00Z", 0, 0, 0, 0 },
    { "2026-11-22T00:00:61Z", 0, 0, 0, 0 },
    { "2026-11-22T00:08:53.Z", 0, 0, 0, 0 },
    { "2026-11-22T00:08:53,1Z", 0, 0, 0, 0 },
    { "2026-11-22T00:08:53.12", 0, 0, 0, 0 },
    { "2026-11-22T00:08:53+0100", 0, 0, 0, 0 },
    { "2026-11-22T00:08:53+01", 0, 0, 0, 0 },
    { "2026-11-22T00:08:53+24:00", 0, 0, 0, 0 },
    { "2026-11-22T00:08:53+01:60", 0, 0, 0, 0 },
    { "2026-11-22T00:08:53*01:00", 0, 0, 0, 0 },
    { "-026-11-22T00:08:53Z", 0, 0, 0, 0 },
    { "2026/11/22T00:08:53Z", 0, 0, 0, 0 },
    { "2026-11-22T00-08-53Z", 0, 0, 0, 0 }
};


static ngx_uint_t
datetime_same(row_t *row)
{
    size_t                len;
    u_char               *p, *end;
    ngx_uint_t            ok;
    ngx_smtp_datetime_t   date;

    /* of its exact size, so that a byte too far is seen */

    len = ngx_strlen(row->text);
    p = tap_copy(row->text, len);

    end = ngx_smtp_datetime_parse(&date, p, p + len);

    if (row->len == 0) {
        ok = (end == NULL);

    } else {
        ok = end == p + row->len && date.sec == row->sec
             && date.fraction == row->fraction && date.utc == row->utc;
    }

    if (!ok) {
        tap_diag_number("octets", end ? (long) (end - p) : 0);
        tap_diag_number("seconds", end ? (long) date.sec : 0);
    }

    free(p);

    return ok;
}


/* each day of some centuries, and back */

static ngx_uint_t
datetime_days(void)
{
    time_t                sec;
    u_char               *end, buf[NGX_SMTP_DATETIME_LEN];
    char                  text[64];
    struct tm             tm;
    ngx_smtp_datetime_t   date;

    for (sec = 86399; sec < (time_t) 500 * 366 * 86400; sec += 86400) {

        gmtime_r(&sec, &tm);
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);

        end = ngx_smtp_datetime_write(buf, sec);

        if (!tap_same(buf, end - buf, text, ngx_strlen(text))) {
            tap_diag("expected", text, ngx_strlen(text));
            tap_diag("got", buf, end - buf);
            return 0;
        }

        if (ngx_smtp_datetime_parse(&date, buf, end) != end
            || date.sec != sec)
        {
            tap_diag("not read back", buf, end - buf);
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
datetime_bound(time_t sec, const char *text)
{
    u_char  *end, buf[NGX_SMTP_DATETIME_LEN];

    end = ngx_smtp_datetime_write(buf, sec);

    return tap_same(buf, end - buf, text, ngx_strlen(text));
}


int
main(void)
{
    ngx_uint_t  i;

    for (i = 0; i < tap_nelts(rows); i++) {
        tap_ok(datetime_same(&rows[i]),
               rows[i].text[0] ? rows[i].text : "nothing");
    }

    tap_ok(datetime_days(), "each day of 500 years is written and read");

    tap_ok(datetime_bound(-1, "1970-01-01T00:00:00Z"), "nothing before 1970");
    tap_ok(datetime_bound(253402300800, "9999-12-31T23:59:59Z"),
           "nothing after 9999");

    return tap_done();
}

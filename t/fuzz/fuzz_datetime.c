
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <fuzz.h>
#include <time.h>
#include <ngx_smtp_datetime.h>


/*
 * Timestamps: libc comes to the same second, and what is written of it is read
 * as the same again.
 */


/* what can be written: 1970 up to the year 9999 */
#define LAST  253402300799


static void check_date(ngx_smtp_datetime_t *date, const char *text);
static void check_write(time_t sec);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                 text[128];
    u_char              *p, *end;
    size_t               len;
    time_t               sec;
    ngx_smtp_datetime_t  date;

    if (size > FUZZ_INPUT_MAX) {
        return 0;
    }

    p = fuzz_copy(data, size);
    end = ngx_smtp_datetime_parse(&date, p, p + size);

    if (end) {
        len = end - p;

        fuzz_check(len >= NGX_SMTP_DATETIME_LEN && len <= size);
        fuzz_check(date.utc == (end[-1] == 'Z' || end[-1] == 'z'));
        fuzz_check(date.fraction == (p[19] == '.'));

        if (len < sizeof(text)) {
            memcpy(text, p, len);
            text[len] = '\0';
            check_date(&date, text);
        }

        if (date.sec >= 0 && date.sec <= LAST) {
            check_write(date.sec);
        }
    }

    free(p);

    if (size >= sizeof(time_t)) {
        memcpy(&sec, data, sizeof(time_t));
        check_write(sec);
        check_write((sec & 0x3fffffffff) % (LAST + 1));
    }

    return 0;
}


static void
check_date(ngx_smtp_datetime_t *date, const char *text)
{
    int          year, month, day, hour, min, sec, zone, n, east;
    struct tm    tm;
    const char  *p;

    n = sscanf(text, "%4d-%2d-%2d%*c%2d:%2d:%2d", &year, &month, &day, &hour,
               &min, &sec);

    fuzz_check(n == 6);

    memset(&tm, 0, sizeof(struct tm));

    tm.tm_year = year - 1900;
    tm.tm_mon = month - 1;
    tm.tm_mday = day;
    tm.tm_hour = hour;
    tm.tm_min = min;
    tm.tm_sec = sec;

    p = text + strlen(text) - sizeof("+00:00") + 1;
    zone = 0;

    if (!date->utc) {
        east = (*p == '+') ? 1 : -1;

        fuzz_check(sscanf(p + 1, "%2d:%2d", &hour, &min) == 2);
        zone = east * (hour * 3600 + min * 60);
    }

    fuzz_check(timegm(&tm) - zone == date->sec);

    /* libc would have made another day of one that is not there */

    fuzz_check(sec == 60 || (tm.tm_mon == month - 1 && tm.tm_mday == day));
}


static void
check_write(time_t sec)
{
    u_char               *buf, *end;
    time_t                expected;
    ngx_smtp_datetime_t   date;

    buf = malloc(NGX_SMTP_DATETIME_LEN);

    if (buf == NULL) {
        abort();
    }

    end = ngx_smtp_datetime_write(buf, sec);

    fuzz_check(end == buf + NGX_SMTP_DATETIME_LEN);
    fuzz_check(ngx_smtp_datetime_parse(&date, buf, end) == end);

    expected = ngx_min(ngx_max(sec, 0), LAST);

    fuzz_check(date.utc && !date.fraction && date.sec == expected);

    free(buf);
}

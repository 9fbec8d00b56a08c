
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_date.h>


/*
 * date-time of RFC 5322, 3.3, and ids of transactions.  The calendar is
 * counted from the first of March, so that the leap day is the last of a
 * year and all lengths before it are regular.
 */


#define NGX_SMTP_DATE_ERA        146097    /* days of 400 years */
#define NGX_SMTP_DATE_EPOCH      719468    /* 0000-03-01 up to 1970-01-01 */

/* the last second that has a year of four digits, UTC */
#define NGX_SMTP_DATE_MAX        253402300799


static u_char *ngx_smtp_digits_write(u_char *p, ngx_uint_t n,
    ngx_uint_t digits);
static u_char *ngx_smtp_base32_write(u_char *p, uint64_t value);


static const char  ngx_smtp_days[] = "SunMonTueWedThuFriSat";
static const char  ngx_smtp_months[] = "MarAprMayJunJulAugSepOctNovDecJanFeb";


u_char *
ngx_smtp_date_write(u_char *p, time_t sec, ngx_int_t gmtoff)
{
    int64_t     local;
    ngx_uint_t  days, clock, day, month, year, zone;

    local = (int64_t) sec + gmtoff * 60;
    local = ngx_max(local, 0);
    local = ngx_min(local, NGX_SMTP_DATE_MAX);

    days = (ngx_uint_t) (local / 86400);
    clock = (ngx_uint_t) (local % 86400);

    /* 1970-01-01 was a Thursday */

    p = ngx_cpymem(p, &ngx_smtp_days[(days + 4) % 7 * 3], 3);
    *p++ = ',';
    *p++ = ' ';

    days += NGX_SMTP_DATE_EPOCH;

    year = days / NGX_SMTP_DATE_ERA * 400;
    day = days % NGX_SMTP_DATE_ERA;

    /* years of 365 days, less the leap days before: day is of this year */

    days = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    year += days;
    day -= days * 365 + days / 4 - days / 100;

    /* from March on, each five months have 153 days */

    month = (day * 5 + 2) / 153;
    day -= (month * 153 + 2) / 5;
    year += (month >= 10);

    p = ngx_smtp_digits_write(p, day + 1, 2);
    *p++ = ' ';
    p = ngx_cpymem(p, &ngx_smtp_months[month * 3], 3);
    *p++ = ' ';
    p = ngx_smtp_digits_write(p, year, 4);
    *p++ = ' ';
    p = ngx_smtp_digits_write(p, clock / 3600, 2);
    *p++ = ':';
    p = ngx_smtp_digits_write(p, clock / 60 % 60, 2);
    *p++ = ':';
    p = ngx_smtp_digits_write(p, clock % 60, 2);
    *p++ = ' ';
    *p++ = (gmtoff < 0) ? '-' : '+';

    zone = (gmtoff < 0) ? -gmtoff : gmtoff;

    return ngx_smtp_digits_write(p, zone / 60 * 100 + zone % 60, 4);
}


u_char *
ngx_smtp_id_write(u_char *p, uint64_t msec, ngx_uint_t process,
    ngx_uint_t counter)
{
    p = ngx_smtp_base32_write(p, msec);

    return ngx_smtp_base32_write(p, (uint64_t) (process & 0xffff) << 24
                                    | (counter & 0xffffff));
}


static u_char *
ngx_smtp_digits_write(u_char *p, ngx_uint_t n, ngx_uint_t digits)
{
    u_char  *last;

    last = p + digits;

    for (p = last; digits; digits--) {
        *--p = (u_char) ('0' + n % 10);
        n /= 10;
    }

    return last;
}


/* 40 bits in eight digits, the highest first; they sort as the number does */

static u_char *
ngx_smtp_base32_write(u_char *p, uint64_t value)
{
    ngx_int_t            shift;
    static const u_char  digits[] = "0123456789abcdefghijklmnopqrstuv";

    for (shift = 35; shift >= 0; shift -= 5) {
        *p++ = digits[value >> shift & 0x1f];
    }

    return p;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_syntax.h>
#include <ngx_smtp_datetime.h>


/*
 * date-time of RFC 3339, 5.6, with the ranges of 5.7.  "T" and "Z" may be in
 * lower case; "-00:00" (4.3) is taken as UTC whose zone is not known.
 */


/* 9999-12-31T23:59:59Z */
#define NGX_SMTP_DATETIME_MAX  253402300799

/* days between 0000-03-01 and the epoch, and in 400 years */
#define NGX_SMTP_DATETIME_EPOCH  719468
#define NGX_SMTP_DATETIME_ERA    146097


static u_char *ngx_smtp_datetime_number(u_char *p, u_char *last, ngx_uint_t n,
    ngx_uint_t *value);
static u_char *ngx_smtp_datetime_pair(u_char *p, u_char *last, u_char sep,
    ngx_uint_t *value);
static u_char *ngx_smtp_datetime_zone(ngx_smtp_datetime_t *date, u_char *p,
    u_char *last, ngx_int_t *offset);
static ngx_uint_t ngx_smtp_datetime_month(ngx_uint_t year, ngx_uint_t month);
static int64_t ngx_smtp_datetime_days(ngx_uint_t year, ngx_uint_t month,
    ngx_uint_t day);
static u_char *ngx_smtp_datetime_digits(u_char *p, ngx_uint_t value,
    ngx_uint_t n, u_char sep);


u_char *
ngx_smtp_datetime_parse(ngx_smtp_datetime_t *date, u_char *p, u_char *last)
{
    u_char      *digits;
    ngx_int_t    offset;
    ngx_uint_t   year, month, day, hour, min, sec;

    date->fraction = 0;
    date->utc = 0;

    p = ngx_smtp_datetime_number(p, last, 4, &year);
    p = ngx_smtp_datetime_pair(p, last, '-', &month);
    p = ngx_smtp_datetime_pair(p, last, '-', &day);

    if (p == NULL || month < 1 || month > 12
        || day < 1 || day > ngx_smtp_datetime_month(year, month)
        || p == last || (*p != 'T' && *p != 't'))
    {
        return NULL;
    }

    p = ngx_smtp_datetime_number(p + 1, last, 2, &hour);
    p = ngx_smtp_datetime_pair(p, last, ':', &min);
    p = ngx_smtp_datetime_pair(p, last, ':', &sec);

    /* 60: a leap second; when they are is not to be known in advance */

    if (p == NULL || hour > 23 || min > 59 || sec > 60) {
        return NULL;
    }

    if (p < last && *p == '.') {
        digits = ++p;

        while (p < last && ngx_smtp_is_digit(*p)) { p++; }

        if (p == digits) {
            return NULL;
        }

        date->fraction = 1;
    }

    p = ngx_smtp_datetime_zone(date, p, last, &offset);

    if (p == NULL) {
        return NULL;
    }

    date->sec = (time_t) (ngx_smtp_datetime_days(year, month, day) * 86400
                          + hour * 3600 + min * 60 + sec - offset * 60);

    return p;
}


/* n digits; p may be NULL, and so may be the result */

static u_char *
ngx_smtp_datetime_number(u_char *p, u_char *last, ngx_uint_t n,
    ngx_uint_t *value)
{
    *value = 0;

    if (p == NULL || (size_t) (last - p) < n) {
        return NULL;
    }

    while (n--) {
        if (!ngx_smtp_is_digit(*p)) {
            return NULL;
        }

        *value = *value * 10 + (*p++ - '0');
    }

    return p;
}


static u_char *
ngx_smtp_datetime_pair(u_char *p, u_char *last, u_char sep,
    ngx_uint_t *value)
{
    if (p == NULL || p == last || *p != sep) {
        return NULL;
    }

    return ngx_smtp_datetime_number(p + 1, last, 2, value);
}


/* time-offset = "Z" / time-numoffset; minutes east of Greenwich */

static u_char *
ngx_smtp_datetime_zone(ngx_smtp_datetime_t *date, u_char *p, u_char *last,
    ngx_int_t *offset)
{
    u_char      sign;
    ngx_uint_t  hour, min;

    *offset = 0;

    if (p == last) {
        return NULL;
    }

    sign = *p++;

    if (sign == 'Z' || sign == 'z') {
        date->utc = 1;
        return p;
    }

    if (sign != '+' && sign != '-') {
        return NULL;
    }

    p = ngx_smtp_datetime_number(p, last, 2, &hour);
    p = ngx_smtp_datetime_pair(p, last, ':', &min);

    if (p == NULL || hour > 23 || min > 59) {
        return NULL;
    }

    *offset = hour * 60 + min;

    if (sign == '-') {
        *offset = -*offset;
    }

    return p;
}


/* days of a month, RFC 3339, 5.7 and appendix C */

static ngx_uint_t
ngx_smtp_datetime_month(ngx_uint_t year, ngx_uint_t month)
{
    if (month == 2) {
        return (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
               ? 29 : 28;
    }

    return (month == 4 || month == 6 || month == 9 || month == 11) ? 30 : 31;
}


/* since the epoch; years begin in March, so that a leap day is their last */

static int64_t
ngx_smtp_datetime_days(ngx_uint_t year, ngx_uint_t month, ngx_uint_t day)
{
    int64_t  y, m;

    y = (int64_t) year - (month <= 2);
    m = (month + 9) % 12;

    if (y < 0) {
        /* January and February of the year 0 */
        return ngx_smtp_datetime_days(year + 400, month, day)
               - NGX_SMTP_DATETIME_ERA;
    }

    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1
           - NGX_SMTP_DATETIME_EPOCH;
}


u_char *
ngx_smtp_datetime_write(u_char *p, time_t sec)
{
    int64_t     days;
    ngx_uint_t  year, month, clock;

    sec = ngx_max(sec, 0);
    sec = ngx_min(sec, (time_t) NGX_SMTP_DATETIME_MAX);

    days = sec / 86400;
    clock = sec % 86400;

    /* too early by a few years, six at the most */

    year = 1970 + days / 366;

    while (ngx_smtp_datetime_days(year + 1, 1, 1) <= days) { year++; }

    for (month = 12; ngx_smtp_datetime_days(year, month, 1) > days; month--) {
        /* void */
    }

    days -= ngx_smtp_datetime_days(year, month, 1);

    p = ngx_smtp_datetime_digits(p, year, 4, '-');
    p = ngx_smtp_datetime_digits(p, month, 2, '-');
    p = ngx_smtp_datetime_digits(p, days + 1, 2, 'T');
    p = ngx_smtp_datetime_digits(p, clock / 3600, 2, ':');
    p = ngx_smtp_datetime_digits(p, clock / 60 % 60, 2, ':');

    return ngx_smtp_datetime_digits(p, clock % 60, 2, 'Z');
}


static u_char *
ngx_smtp_datetime_digits(u_char *p, ngx_uint_t value, ngx_uint_t n,
    u_char sep)
{
    ngx_uint_t  i;

    for (i = n; i; i--) {
        p[i - 1] = '0' + value % 10;
        value /= 10;
    }

    p[n] = sep;

    return p + n + 1;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Timestamps of parameters: date-time of RFC 3339, 5.6.  Pure.
 */


#ifndef _NGX_SMTP_DATETIME_H_INCLUDED_
#define _NGX_SMTP_DATETIME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* "2026-11-22T00:08:53Z" */
#define NGX_SMTP_DATETIME_LEN  20


typedef struct {
    time_t     sec;              /* since the epoch; a fraction is cut off */

    unsigned   fraction:1;       /* it had a time-secfrac */
    unsigned   utc:1;            /* it ended in "Z" */
} ngx_smtp_datetime_t;


/* returns the first octet behind it, or NULL: there is none at p */
u_char *ngx_smtp_datetime_parse(ngx_smtp_datetime_t *date, u_char *p,
    u_char *last);

/*
 * Writes NGX_SMTP_DATETIME_LEN octets, returns the end.  Before 1970 and
 * after 9999 the next date that can be written is taken.
 */
u_char *ngx_smtp_datetime_write(u_char *p, time_t sec);


#endif /* _NGX_SMTP_DATETIME_H_INCLUDED_ */

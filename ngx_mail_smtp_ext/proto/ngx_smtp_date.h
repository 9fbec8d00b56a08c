
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Dates of header fields and ids of transactions.  Pure.
 */


#ifndef _NGX_SMTP_DATE_H_INCLUDED_
#define _NGX_SMTP_DATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* "Sun, 22 Nov 2026 00:08:53 +0000" */
#define NGX_SMTP_DATE_LEN  31

/* 16 characters of [0-9a-v], 80 bits */
#define NGX_SMTP_ID_LEN    16


/*
 * date-time of RFC 5322, 3.3, of sec (seconds since the epoch, UTC) in a zone
 * gmtoff minutes east of Greenwich.  Writes NGX_SMTP_DATE_LEN octets, returns
 * the end.
 */
u_char *ngx_smtp_date_write(u_char *p, time_t sec, ngx_int_t gmtoff);

/*
 * An id out of milliseconds since the epoch (40 bits count), the process (16
 * bits) and a counter of the process (24 bits).  It sorts by time.  Writes
 * NGX_SMTP_ID_LEN octets, returns the end.
 */
u_char *ngx_smtp_id_write(u_char *p, uint64_t msec, ngx_uint_t process,
    ngx_uint_t counter);


#endif /* _NGX_SMTP_DATE_H_INCLUDED_ */

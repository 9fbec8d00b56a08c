
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * The reports to a sender, on recipients who did not get the message, and on
 * those who did where that was asked for and nobody behind us can tell: RFC
 * 3464 in the frame of RFC 6522, or RFC 6533 where an address is in UTF-8.
 */


#ifndef _NGX_SMTP_REPORT_H_INCLUDED_
#define _NGX_SMTP_REPORT_H_INCLUDED_


#include <ngx_smtp_core.h>


/* whom a report is on, of those whose verdicts are there */
typedef enum {
    NGX_SMTP_REPORT_REFUSED = 0, /* by way of smtp_mixed_result's destination */
    NGX_SMTP_REPORT_TAKEN        /* of smtp_success_report's: taken, and with
                                    rcpt->confirm set */
} ngx_smtp_report_kind_e;


/* is there anybody of that kind? */
ngx_uint_t ngx_smtp_report_due(ngx_smtp_tx_t *tx,
    ngx_smtp_report_kind_e kind);

/*
 * Reports on those of tx's recipients.  op, started, finishes with NGX_OK when
 * the destination has taken the report, else with NGX_ERROR (logged).  When it
 * is cancelled, the report is given up.
 */
void ngx_smtp_report_send(ngx_smtp_tx_t *tx, ngx_smtp_report_kind_e kind,
    ngx_smtp_op_t *op);


#endif /* _NGX_SMTP_REPORT_H_INCLUDED_ */

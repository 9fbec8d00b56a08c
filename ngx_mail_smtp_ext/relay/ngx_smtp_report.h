
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * The report to a sender on recipients who did not get the message: RFC 3464
 * in the frame of RFC 6522, or RFC 6533 where an address is in UTF-8.
 */


#ifndef _NGX_SMTP_REPORT_H_INCLUDED_
#define _NGX_SMTP_REPORT_H_INCLUDED_


#include <ngx_smtp_core.h>


/*
 * Reports on those of tx's recipients whose verdict is negative, by way of
 * the destination that smtp_mixed_result names.  op, started, finishes with
 * NGX_OK when that has taken the report, else with NGX_ERROR (logged).  When
 * it is cancelled, the report is given up.
 */
void ngx_smtp_report_send(ngx_smtp_tx_t *tx, ngx_smtp_op_t *op);


#endif /* _NGX_SMTP_REPORT_H_INCLUDED_ */

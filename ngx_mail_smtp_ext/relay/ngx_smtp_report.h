
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


/* of relay/ngx_smtp_report*.c */

#define NGX_SMTP_REPORT_BOUNDARY_LEN  (NGX_SMTP_ID_LEN + 16)


typedef struct {
    ngx_smtp_tx_t            *tx;        /* the client's */
    ngx_smtp_tx_t            *child;     /* the report */
    ngx_smtp_dest_t          *dest;      /* where it goes */
    ngx_smtp_report_kind_e    kind;
    ngx_smtp_op_t            *op;        /* NULL: cancelled */
    ngx_smtp_op_t             wait;      /* for the spool */
    ngx_smtp_spool_reader_t   reader;
    ngx_smtp_delivery_t      *delivery;

    ngx_uint_t                utf8;      /* RFC 6533 */
    u_char                    boundary[NGX_SMTP_REPORT_BOUNDARY_LEN];
    u_char                    date[NGX_SMTP_DATE_LEN];
} ngx_smtp_report_t;


/* behind rcpt, or the first one to be reported on; NULL: no more */
ngx_smtp_rcpt_t *ngx_smtp_report_next(ngx_smtp_report_t *report,
    ngx_smtp_rcpt_t *rcpt);

/*
 * _text: the report, as the child's content, len octets of the message being
 * in the reader's buffer.  NGX_OK or NGX_ERROR (no memory).
 */
ngx_int_t ngx_smtp_report_text(ngx_smtp_report_t *report, size_t len);


#endif /* _NGX_SMTP_REPORT_H_INCLUDED_ */

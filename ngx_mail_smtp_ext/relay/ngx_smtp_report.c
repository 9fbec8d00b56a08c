
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_esmtp.h>
#include <ngx_smtp_report.h>


/*
 * A report is a transaction of our own, with the null reverse-path (RFC 5321,
 * 4.5.5), inside of the client's: it begins once the message has gone to
 * those who took it, and the reply to the client waits for it.
 *
 * Of the message its header is returned (RFC 6522, 4, text/rfc822-headers): a
 * front does not keep messages, and the sender has it.  Of one that was not
 * kept at all (smtp_pass_mode stream) nothing is.
 */


/* what is returned of the message; more of a header is nobody's help */
#define NGX_SMTP_REPORT_HEADER_MAX    16384

/* of a next hop's text, RFC 5321, 4.5.3.1.5 */
#define NGX_SMTP_REPORT_TEXT_MAX      512

/*
 * The fixed words of the report, of one recipient, with dates, codes and twice
 * the name of a server.
 */
#define NGX_SMTP_REPORT_FIXED         2048
#define NGX_SMTP_REPORT_RCPT_FIXED    (512 + 2 * NGX_SMTP_DOMAIN_MAX)

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


static void ngx_smtp_report_read(ngx_smtp_op_t *op);
static void ngx_smtp_report_deliver(ngx_smtp_report_t *report, size_t len);
static ngx_int_t ngx_smtp_report_child(ngx_smtp_report_t *report);
static ngx_int_t ngx_smtp_report_envelope(ngx_smtp_report_t *report);
static ngx_int_t ngx_smtp_report_write(ngx_smtp_report_t *report, size_t len);
static size_t ngx_smtp_report_size(ngx_smtp_report_t *report);
static u_char *ngx_smtp_report_header(ngx_smtp_report_t *report, u_char *p);
static u_char *ngx_smtp_report_explain(ngx_smtp_report_t *report, u_char *p);
static u_char *ngx_smtp_report_words(ngx_smtp_report_t *report, u_char *p,
    ngx_smtp_rcpt_t *rcpt);
static u_char *ngx_smtp_report_status(ngx_smtp_report_t *report, u_char *p);
static u_char *ngx_smtp_report_times(ngx_smtp_report_t *report, u_char *p);
static u_char *ngx_smtp_report_time(u_char *p, char *name, time_t sec);
static u_char *ngx_smtp_report_rcpt(ngx_smtp_report_t *report, u_char *p,
    ngx_smtp_rcpt_t *rcpt);
static char *ngx_smtp_report_action(ngx_smtp_report_t *report,
    ngx_smtp_rcpt_t *rcpt);
static u_char *ngx_smtp_report_remote(ngx_smtp_report_t *report, u_char *p,
    ngx_smtp_rcpt_t *rcpt);
static u_char *ngx_smtp_report_xtext(u_char *p, ngx_str_t *value);
static u_char *ngx_smtp_report_verdict(u_char *p,
    ngx_smtp_verdict_t *verdict);
static u_char *ngx_smtp_report_codes(u_char *p, ngx_smtp_verdict_t *verdict);
static u_char *ngx_smtp_report_returned(ngx_smtp_report_t *report, u_char *p,
    size_t len);
static ngx_smtp_rcpt_t *ngx_smtp_report_next(ngx_smtp_report_t *report,
    ngx_smtp_rcpt_t *rcpt);
static ngx_smtp_rcpt_t *ngx_smtp_report_find(ngx_smtp_tx_t *tx,
    ngx_smtp_report_kind_e kind, ngx_smtp_rcpt_t *rcpt);
static void ngx_smtp_report_done(ngx_smtp_op_t *op);
static void ngx_smtp_report_finish(ngx_smtp_report_t *report, ngx_int_t rc);
static void ngx_smtp_report_cancel(ngx_smtp_op_t *op);


#define ngx_smtp_report_is_8bit(s)                                           \
    ngx_smtp_is_8bit((s)->data, (s)->data + (s)->len)


ngx_uint_t
ngx_smtp_report_due(ngx_smtp_tx_t *tx, ngx_smtp_report_kind_e kind)
{
    return ngx_smtp_report_find(tx, kind, NULL) != NULL;
}


void
ngx_smtp_report_send(ngx_smtp_tx_t *tx, ngx_smtp_report_kind_e kind,
    ngx_smtp_op_t *op)
{
    ssize_t              n;
    ngx_smtp_report_t   *report;
    ngx_smtp_service_t  *service;

    report = ngx_pcalloc(tx->pool, sizeof(ngx_smtp_report_t));

    if (report == NULL) {
        ngx_smtp_op_finish(op, NGX_ERROR);
        return;
    }

    service = tx->session->service;

    report->tx = tx;
    report->op = op;
    report->kind = kind;
    report->dest = (kind == NGX_SMTP_REPORT_TAKEN) ? service->success_report
                                                   : service->report;

    op->worker = report;
    op->cancel = ngx_smtp_report_cancel;

    if (tx->spool == NULL || tx->stream) {
        ngx_smtp_report_deliver(report, 0);
        return;
    }

    report->reader.spool = tx->spool;
    report->reader.size = NGX_SMTP_REPORT_HEADER_MAX;

    report->reader.buf = ngx_pnalloc(tx->pool, NGX_SMTP_REPORT_HEADER_MAX);
    if (report->reader.buf == NULL) {
        ngx_smtp_report_finish(report, NGX_ERROR);
        return;
    }

    ngx_smtp_op_start(&report->wait, &tx->ops, ngx_smtp_report_read, report,
                      tx->session->connection->log);

    n = ngx_smtp_spool_read(&report->reader, &report->wait);

    if (n == NGX_AGAIN) {
        return;
    }

    ngx_smtp_op_cancel(&report->wait);

    ngx_smtp_report_deliver(report, n);
}


static void
ngx_smtp_report_read(ngx_smtp_op_t *op)
{
    ngx_smtp_report_t  *report;

    report = op->data;

    if (op->rc != NGX_OK || report->reader.err) {
        ngx_smtp_report_finish(report, NGX_ERROR);
        return;
    }

    ngx_smtp_report_deliver(report, report->reader.size);
}


/* len octets of the message are in the reader's buffer */

static void
ngx_smtp_report_deliver(ngx_smtp_report_t *report, size_t len)
{
    ngx_smtp_dest_t      *dest;
    ngx_smtp_delivery_t  *d;

    dest = report->dest;

    if (ngx_smtp_report_child(report) != NGX_OK
        || ngx_smtp_report_envelope(report) != NGX_OK
        || ngx_smtp_report_write(report, len) != NGX_OK)
    {
        ngx_smtp_report_finish(report, NGX_ERROR);
        return;
    }

    d = report->delivery;
    report->child->delivery = d;

    if (dest->type->verify == NULL && dest->caps
        && ngx_smtp_esmtp_check(dest->caps, report->child, &d->verdict)
           != NGX_OK)
    {
        ngx_smtp_report_finish(report, NGX_ERROR);
        return;
    }

    ngx_smtp_op_start(&d->op, &report->tx->ops, ngx_smtp_report_done, report,
                      report->tx->session->connection->log);

    dest->type->deliver(d, &d->op);
}


static ngx_int_t
ngx_smtp_report_child(ngx_smtp_report_t *report)
{
    u_char         *p;
    ngx_time_t     *tp;
    ngx_smtp_tx_t  *child;

    child = ngx_smtp_tx_make(report->tx->session);
    if (child == NULL) {
        return NGX_ERROR;
    }

    report->child = child;

    if (ngx_smtp_tx_spool(child) != NGX_OK) {
        return NGX_ERROR;
    }

    tp = ngx_timeofday();

    (void) ngx_smtp_date_write(report->date, tp->sec, tp->gmtoff);

    /* what the client has written must not be able to hold it */

    p = ngx_cpymem(report->boundary, child->id, NGX_SMTP_ID_LEN);

    (void) ngx_sprintf(p, "%08xD%08xD", (uint32_t) ngx_random(),
                       (uint32_t) ngx_random());

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_report_envelope(ngx_smtp_report_t *report)
{
    ngx_smtp_tx_t        *tx, *child;
    ngx_smtp_rcpt_t      *rcpt, *about;
    ngx_smtp_delivery_t  *d;

    tx = report->tx;
    child = report->child;

    rcpt = ngx_pcalloc(child->pool, sizeof(ngx_smtp_rcpt_t));

    if (rcpt == NULL
        || ngx_smtp_tx_copy(child, &rcpt->addr, &tx->mail_from) != NGX_OK)
    {
        return NGX_ERROR;
    }

    rcpt->given = rcpt->addr;
    rcpt->dest = report->dest;

    d = ngx_smtp_delivery_of(child, rcpt);
    if (d == NULL) {
        return NGX_ERROR;
    }

    d->nrcpts = 1;
    child->nrcpts = 1;
    ngx_queue_insert_tail(&child->rcpts, &rcpt->queue);

    report->delivery = d;

    /* RFC 6533, 4: as soon as one address needs it */

    report->utf8 = ngx_smtp_report_is_8bit(&rcpt->addr);

    for (about = ngx_smtp_report_next(report, NULL);
         about;
         about = ngx_smtp_report_next(report, about))
    {
        report->utf8 |= ngx_smtp_report_is_8bit(&about->given);
    }

    child->utf8 = report->utf8;
    child->body_8bit = report->utf8;
    child->mime.part_8bit = report->utf8;

    /* RFC 8689, 5: as the message itself */

    child->params[NGX_SMTP_PARAM_REQUIRETLS] =
                                      tx->params[NGX_SMTP_PARAM_REQUIRETLS];

    /* RFC 6710, 4.6: so is its priority */

    child->params[NGX_SMTP_PARAM_MT_PRIORITY] =
                                     tx->params[NGX_SMTP_PARAM_MT_PRIORITY];

    child->data_start = ngx_current_msec;
    child->data_end = ngx_current_msec;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_report_write(ngx_smtp_report_t *report, size_t len)
{
    u_char         *p, *start;
    size_t          size;
    ngx_smtp_tx_t  *child;

    child = report->child;

    size = ngx_smtp_report_size(report);

    start = ngx_pnalloc(child->pool, size + len);
    if (start == NULL) {
        return NGX_ERROR;
    }

    /* it was received from nobody */

    child->received.data = start;

    p = ngx_smtp_report_header(report, start);
    p = ngx_smtp_report_explain(report, p);
    p = ngx_smtp_report_status(report, p);
    p = ngx_smtp_report_returned(report, p, len);

    child->bytes = p - start;
    child->dot.state = ngx_smtp_dot_line;

    /* it has not been counted: there may be a line with a dot in front */
    child->dot.dots = 1;

    return ngx_smtp_spool_append(child->spool, start, p - start);
}


static size_t
ngx_smtp_report_size(ngx_smtp_report_t *report)
{
    size_t               size;
    ngx_smtp_tx_t       *tx;
    ngx_smtp_rcpt_t     *rcpt;
    ngx_smtp_service_t  *service;

    tx = report->tx;
    service = tx->session->service;

    size = NGX_SMTP_REPORT_FIXED + 8 * NGX_SMTP_REPORT_BOUNDARY_LEN
           + 8 * service->server_name.len + tx->mail_from.len
           + tx->params[NGX_SMTP_PARAM_ENVID].len;

    for (rcpt = ngx_smtp_report_next(report, NULL);
         rcpt;
         rcpt = ngx_smtp_report_next(report, rcpt))
    {
        size += NGX_SMTP_REPORT_RCPT_FIXED + 2 * rcpt->given.len
                + rcpt->params[NGX_SMTP_PARAM_ORCPT].len
                + 2 * NGX_SMTP_REPORT_TEXT_MAX;
    }

    return size;
}


static u_char *
ngx_smtp_report_header(ngx_smtp_report_t *report, u_char *p)
{
    ngx_str_t      *name;
    ngx_smtp_tx_t  *child;

    child = report->child;
    name = &report->tx->session->service->server_name;

    /* RFC 3834, 5, Auto-Submitted; RFC 3464, 2, the type */

    return ngx_sprintf(p,
                       "From: Mail Delivery System <MAILER-DAEMON@%V>" CRLF
                       "To: <%V>" CRLF
                       "Subject: %s" CRLF
                       "Date: %*s" CRLF
                       "Message-ID: <%*s@%V>" CRLF
                       "Auto-Submitted: auto-replied" CRLF
                       "MIME-Version: 1.0" CRLF
                       "Content-Type: multipart/report;" CRLF
                       "\treport-type=%sdelivery-status;" CRLF
                       "\tboundary=\"%*s\"" CRLF
                       "%s"
                       CRLF,
                       name, &report->tx->mail_from,
                       report->kind == NGX_SMTP_REPORT_TAKEN
                       ? "Successful Mail Delivery Report"
                       : "Undelivered Mail Returned to Sender",
                       (size_t) NGX_SMTP_DATE_LEN, report->date,
                       (size_t) NGX_SMTP_ID_LEN, child->id, name,
                       report->utf8 ? "global-" : "",
                       (size_t) NGX_SMTP_REPORT_BOUNDARY_LEN,
                       report->boundary,
                       report->utf8 ? "Content-Transfer-Encoding: 8bit" CRLF
                                    : "");
}


/* the part for people */

static u_char *
ngx_smtp_report_explain(ngx_smtp_report_t *report, u_char *p)
{
    ngx_smtp_rcpt_t  *rcpt;

    p = ngx_sprintf(p, "--%*s" CRLF
                    "Content-Type: text/plain; charset=%s" CRLF
                    "%s"
                    CRLF
                    "This is the mail system at host %V." CRLF
                    CRLF
                    "Your message has been delivered, %s "
                    "recipients:" CRLF
                    CRLF,
                    (size_t) NGX_SMTP_REPORT_BOUNDARY_LEN, report->boundary,
                    report->utf8 ? "utf-8" : "us-ascii",
                    report->utf8 ? "Content-Transfer-Encoding: 8bit" CRLF : "",
                    &report->tx->session->service->server_name,
                    report->kind == NGX_SMTP_REPORT_TAKEN ? "to these"
                                                          : "but not to these");

    for (rcpt = ngx_smtp_report_next(report, NULL);
         rcpt;
         rcpt = ngx_smtp_report_next(report, rcpt))
    {
        p = ngx_sprintf(p, "<%V>:" CRLF "    ", &rcpt->given);
        p = ngx_smtp_report_words(report, p, rcpt);
        p = ngx_sprintf(p, CRLF CRLF);
    }

    return p;
}


static u_char *
ngx_smtp_report_words(ngx_smtp_report_t *report, u_char *p,
    ngx_smtp_rcpt_t *rcpt)
{
    u_char  *start;

    if (report->kind == NGX_SMTP_REPORT_REFUSED) {

        p = ngx_smtp_report_verdict(p, &rcpt->verdict);

        if (rcpt->verdict.code / 100 == 4) {

            /* RFC 1047: nobody can know */

            p = ngx_sprintf(p, CRLF
                            "    It will not be tried again here. If the "
                            "connection was lost, this" CRLF
                            "    recipient may have got the message all the "
                            "same.");
        }

        return p;
    }

    if (rcpt->dest->mailbox) {
        return ngx_sprintf(p, "It was put into the mailbox.");
    }

    p = ngx_sprintf(p, "It was passed on to ");
    start = p;

    p = ngx_smtp_report_remote(report, p, rcpt);

    if (p == start) {
        p = ngx_sprintf(p, "another system");
    }

    return ngx_sprintf(p, "." CRLF
                       "    Nothing more will be heard of it, unless delivery "
                       "fails.");
}


/* RFC 3464, 2.2 and 2.3 */

static u_char *
ngx_smtp_report_status(ngx_smtp_report_t *report, u_char *p)
{
    ngx_str_t        *envid;
    ngx_smtp_rcpt_t  *rcpt;

    p = ngx_sprintf(p, "--%*s" CRLF
                    "Content-Type: message/%sdelivery-status" CRLF
                    "%s"
                    CRLF
                    "Reporting-MTA: dns; %V" CRLF,
                    (size_t) NGX_SMTP_REPORT_BOUNDARY_LEN, report->boundary,
                    report->utf8 ? "global-" : "",
                    report->utf8 ? "Content-Transfer-Encoding: 8bit" CRLF : "",
                    &report->tx->session->service->server_name);

    envid = &report->tx->params[NGX_SMTP_PARAM_ENVID];

    if (envid->len) {
        p = ngx_sprintf(p, "Original-Envelope-Id: ");
        p = ngx_smtp_report_xtext(p, envid);
        p = ngx_sprintf(p, CRLF);
    }

    p = ngx_smtp_report_times(report, p);

    for (rcpt = ngx_smtp_report_next(report, NULL);
         rcpt;
         rcpt = ngx_smtp_report_next(report, rcpt))
    {
        p = ngx_smtp_report_rcpt(report, p, rcpt);
    }

    return ngx_sprintf(p, CRLF);
}


/* RFC 2852, 4.1 and 5; RFC 4865, 5.1.2 */

static u_char *
ngx_smtp_report_times(ngx_smtp_report_t *report, u_char *p)
{
    ngx_str_t      *hold, *until;
    ngx_uint_t      deliver_by;
    ngx_time_t     *tp;
    ngx_smtp_tx_t  *tx;

    tx = report->tx;

    deliver_by = (tx->params[NGX_SMTP_PARAM_BY].data != NULL);
    hold = &tx->params[NGX_SMTP_PARAM_HOLDFOR];
    until = &tx->params[NGX_SMTP_PARAM_HOLDUNTIL];

    if (!deliver_by && hold->data == NULL && until->data == NULL) {
        return p;
    }

    tp = ngx_timeofday();

    p = ngx_smtp_report_time(p, "Arrival-Date",
                             tp->sec - (time_t) ((ngx_current_msec
                                                  - tx->start) / 1000));

    if (deliver_by) {
        p = ngx_smtp_report_time(p, "Deliver-By-Date",
                                 tp->sec + ngx_smtp_esmtp_deliver_by(tx));
    }

    if (hold->data) {
        p = ngx_sprintf(p, "Future-Release-Request: for;%V" CRLF, hold);
    }

    if (until->data) {
        p = ngx_sprintf(p, "Future-Release-Request: until;%V" CRLF, until);
    }

    return p;
}


static u_char *
ngx_smtp_report_time(u_char *p, char *name, time_t sec)
{
    ngx_time_t  *tp;
    u_char       date[NGX_SMTP_DATE_LEN];

    tp = ngx_timeofday();

    (void) ngx_smtp_date_write(date, sec, tp->gmtoff);

    return ngx_sprintf(p, "%s: %*s" CRLF, name, (size_t) NGX_SMTP_DATE_LEN,
                       date);
}


static u_char *
ngx_smtp_report_rcpt(ngx_smtp_report_t *report, u_char *p,
    ngx_smtp_rcpt_t *rcpt)
{
    u_char     *semicolon, *start, *name;
    ngx_str_t  *orcpt, addr;

    p = ngx_sprintf(p, CRLF);

    orcpt = &rcpt->params[NGX_SMTP_PARAM_ORCPT];

    if (orcpt->len) {

        semicolon = ngx_strlchr(orcpt->data, orcpt->data + orcpt->len, ';');

        if (semicolon) {
            addr.data = semicolon + 1;
            addr.len = orcpt->data + orcpt->len - addr.data;

            p = ngx_sprintf(p, "Original-Recipient: %*s; ",
                            (size_t) (semicolon - orcpt->data), orcpt->data);
            p = ngx_smtp_report_xtext(p, &addr);
            p = ngx_sprintf(p, CRLF);
        }
    }

    p = ngx_sprintf(p, "Final-Recipient: %s; %V" CRLF
                    "Action: %s" CRLF
                    "Status: ",
                    ngx_smtp_report_is_8bit(&rcpt->given) ? "utf-8" : "rfc822",
                    &rcpt->given, ngx_smtp_report_action(report, rcpt));

    p = ngx_smtp_report_codes(p, &rcpt->verdict);

    /* RFC 3461, 6.3 (h), (i): where it went by SMTP */

    if (!rcpt->dest->mailbox) {

        p = ngx_sprintf(p, CRLF);
        start = p;

        p = ngx_sprintf(p, "Remote-MTA: dns; ");
        name = p;

        p = ngx_smtp_report_remote(report, p, rcpt);
        p = (p == name) ? start : ngx_sprintf(p, CRLF);

        p = ngx_sprintf(p, "Diagnostic-Code: smtp; ");
        p = ngx_smtp_report_verdict(p, &rcpt->verdict);
    }

    return ngx_sprintf(p, CRLF "Last-Attempt-Date: %*s" CRLF,
                       (size_t) NGX_SMTP_DATE_LEN, report->date);
}


static char *
ngx_smtp_report_action(ngx_smtp_report_t *report, ngx_smtp_rcpt_t *rcpt)
{
    if (report->kind == NGX_SMTP_REPORT_REFUSED) {
        return "failed";
    }

    return rcpt->dest->mailbox ? "delivered" : "relayed";
}


/*
 * RFC 3464, 2.3.5, and RFC 3461, 9.3: the next hop's own name, or the address
 * of one that has not been heard.  Nothing is written where neither is known.
 */

static u_char *
ngx_smtp_report_remote(ngx_smtp_report_t *report, u_char *p,
    ngx_smtp_rcpt_t *rcpt)
{
    u_char               *colon;
    ngx_str_t            *addr;
    ngx_smtp_delivery_t  *d;

    d = ngx_smtp_delivery_of(report->tx, rcpt);

    if (d->remote.len) {
        return ngx_cpymem(p, d->remote.data, d->remote.len);
    }

    addr = &d->log.addr;

    for (colon = addr->data + addr->len; colon > addr->data; colon--) {
        if (colon[-1] == ':') {
            break;
        }
    }

    if (colon == addr->data || addr->len > NGX_SOCKADDR_STRLEN) {
        return p;
    }

    colon--;

    if (addr->data[0] == '[') {
        return ngx_sprintf(p, "[IPv6:%*s", (size_t) (colon - addr->data - 1),
                           addr->data + 1);
    }

    if (!ngx_smtp_is_digit(addr->data[0])) {

        /* a socket of this machine */

        return p;
    }

    return ngx_sprintf(p, "[%*s]", (size_t) (colon - addr->data), addr->data);
}


/*
 * RFC 3461, 6.3: what was xtext is so no more.  It must not end a line, and
 * utf-8-addr-xtext of RFC 6533 has escapes of its own, which stay.
 */

static u_char *
ngx_smtp_report_xtext(u_char *p, ngx_str_t *value)
{
    u_char  *last, *q;

    last = ngx_smtp_xtext_decode(p, value->data, value->data + value->len);

    if (last == NULL) {
        last = ngx_cpymem(p, value->data, value->len);
    }

    for (q = p; q < last; q++) {
        if (*q < 0x20 || *q >= 0x7f) {
            *q = '?';
        }
    }

    return last;
}


/* one line, and not without end */

static u_char *
ngx_smtp_report_verdict(u_char *p, ngx_smtp_verdict_t *verdict)
{
    size_t   i, n;
    u_char   ch;

    p = ngx_sprintf(p, "%ui ", verdict->code);
    p = ngx_smtp_report_codes(p, verdict);
    *p++ = ' ';

    n = ngx_min(verdict->text.len, NGX_SMTP_REPORT_TEXT_MAX);

    for (i = 0; i < n; i++) {
        ch = verdict->text.data[i];

        if (ch == LF) {
            ch = ' ';
        }

        *p++ = (ch < 0x20 || ch >= 0x7f) ? '?' : ch;
    }

    return p;
}


static u_char *
ngx_smtp_report_codes(u_char *p, ngx_smtp_verdict_t *verdict)
{
    if (verdict->enhanced.class == 0) {
        return ngx_sprintf(p, "%ui.0.0", verdict->code / 100);
    }

    return ngx_sprintf(p, "%ud.%ud.%ud", (unsigned) verdict->enhanced.class,
                       (unsigned) verdict->enhanced.subject,
                       (unsigned) verdict->enhanced.detail);
}


/* whole lines of its header, as far as they were read */

static u_char *
ngx_smtp_report_returned(ngx_smtp_report_t *report, u_char *p, size_t len)
{
    u_char  *h, *last, *end, *lf;

    if (len == 0) {
        return ngx_sprintf(p, "--%*s--" CRLF,
                           (size_t) NGX_SMTP_REPORT_BOUNDARY_LEN,
                           report->boundary);
    }

    p = ngx_sprintf(p, "--%*s" CRLF
                    "Content-Type: %s" CRLF
                    "%s"
                    CRLF,
                    (size_t) NGX_SMTP_REPORT_BOUNDARY_LEN, report->boundary,
                    report->utf8 ? "message/global-headers"
                                 : "text/rfc822-headers",
                    report->utf8 ? "Content-Transfer-Encoding: 8bit" CRLF
                                 : "");

    h = report->reader.buf;
    last = h + len;

    for (end = h; end < last; end = lf + 1) {

        lf = memchr(end, LF, last - end);

        if (lf == NULL || lf - end <= 1) {
            break;
        }
    }

    for ( /* void */ ; h < end; h++) {

        /* a header that is 8-bit without need is not ours to send on */

        *p++ = (*h >= 0x80 && !report->utf8) ? '?' : *h;
    }

    return ngx_sprintf(p, CRLF "--%*s--" CRLF,
                       (size_t) NGX_SMTP_REPORT_BOUNDARY_LEN,
                       report->boundary);
}


/* the next recipient to be reported on */

static ngx_smtp_rcpt_t *
ngx_smtp_report_next(ngx_smtp_report_t *report, ngx_smtp_rcpt_t *rcpt)
{
    return ngx_smtp_report_find(report->tx, report->kind, rcpt);
}


/* behind rcpt, or the first; NULL: no more */

static ngx_smtp_rcpt_t *
ngx_smtp_report_find(ngx_smtp_tx_t *tx, ngx_smtp_report_kind_e kind,
    ngx_smtp_rcpt_t *rcpt)
{
    ngx_uint_t    taken;
    ngx_queue_t  *q, *rcpts;

    rcpts = &tx->rcpts;

    q = rcpt ? &rcpt->queue : rcpts;

    for (q = ngx_queue_next(q); q != rcpts; q = ngx_queue_next(q)) {

        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);

        taken = (rcpt->verdict.code / 100 == 2);

        if (kind == NGX_SMTP_REPORT_TAKEN ? taken && rcpt->confirm : !taken) {
            return rcpt;
        }
    }

    return NULL;
}


static void
ngx_smtp_report_done(ngx_smtp_op_t *op)
{
    ngx_smtp_report_t   *report;
    ngx_smtp_verdict_t  *verdict;

    report = op->data;
    verdict = &report->delivery->verdict;

    /* LMTP: of its recipient */

    if (ngx_smtp_delivery_first(report->delivery)->verdict.code) {
        verdict = &ngx_smtp_delivery_first(report->delivery)->verdict;
    }

    report->delivery->verdict = *verdict;

    ngx_smtp_report_finish(report, (op->rc != NGX_ERROR
                                    && verdict->code / 100 == 2)
                                   ? NGX_OK : NGX_ERROR);
}


static void
ngx_smtp_report_finish(ngx_smtp_report_t *report, ngx_int_t rc)
{
    ngx_str_t        none;
    ngx_smtp_tx_t   *child;
    ngx_smtp_op_t   *op;

    child = report->child;
    op = report->op;

    if (rc != NGX_OK) {

        ngx_str_set(&none, "no memory");

        ngx_log_error(NGX_LOG_ERR, report->tx->session->connection->log, 0,
                      "report on %s recipients was not taken: \"%ui %V\", %s",
                      report->kind == NGX_SMTP_REPORT_TAKEN ? "successful"
                                                            : "refused",
                      report->delivery ? report->delivery->verdict.code : 451,
                      report->delivery ? &report->delivery->verdict.text
                                       : &none,
                      report->kind == NGX_SMTP_REPORT_TAKEN
                      ? "the sender will not be told"
                      : "the client is told to try again");
    }

    if (child) {

        if (report->delivery) {
            child->result = (rc == NGX_OK) ? NGX_SMTP_TX_ACCEPTED
                                           : NGX_SMTP_TX_REFUSED;
            child->status = report->delivery->verdict.code;
            child->reply = report->delivery->verdict.text;
            child->deliver_time = ngx_current_msec - child->data_end;

            ngx_smtp_phase_log(report->tx->session, child);
        }

        ngx_smtp_tx_park(child);

        report->child = NULL;
        child->session = NULL;

        ngx_smtp_tx_release(child);
    }

    ngx_smtp_op_finish(op, rc);
}


static void
ngx_smtp_report_cancel(ngx_smtp_op_t *op)
{
    ngx_smtp_tx_t      *child;
    ngx_smtp_report_t  *report;

    report = op->worker;
    child = report->child;

    ngx_smtp_op_cancel(&report->wait);

    if (child == NULL) {
        return;
    }

    if (report->delivery) {
        ngx_smtp_op_cancel(&report->delivery->op);
    }

    ngx_smtp_op_cancel_all(&child->ops);

    report->child = NULL;
    child->session = NULL;

    ngx_smtp_tx_release(child);
}

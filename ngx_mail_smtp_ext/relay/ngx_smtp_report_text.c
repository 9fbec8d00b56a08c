
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
 * What is in a report: a part for people, one for programs (RFC 3464, RFC
 * 6533), and the header of the message.  Addresses, names and texts of others
 * are in it; none of them can become a field or a line of its own.
 */


/* of a next hop's text, RFC 5321, 4.5.3.1.5 */
#define NGX_SMTP_REPORT_TEXT_MAX    512

/*
 * The fixed words of the report, of one recipient, with dates, codes and twice
 * the name of a server.
 */
#define NGX_SMTP_REPORT_FIXED       2048
#define NGX_SMTP_REPORT_RCPT_FIXED  (512 + 2 * NGX_SMTP_DOMAIN_MAX)


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


ngx_int_t
ngx_smtp_report_text(ngx_smtp_report_t *report, size_t len)
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
    ngx_str_t  *orcpt, *given, addr;

    given = &rcpt->given;

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
                    ngx_smtp_is_8bit(given->data, given->data + given->len)
                    ? "utf-8" : "rfc822",
                    given, ngx_smtp_report_action(report, rcpt));

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


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * LIMITS, RFC 9422.  To the client: how many recipients a message may have,
 * and how many messages a session where that is limited.
 * Of the next hop: RCPTMAX and RCPTDOMAINMAX decide whether another recipient
 * fits into the transaction (452: the client opens a new one), MAILMAX and
 * RCPTDOMAINMAX how often a connection is used (relay/).
 */


/* RFC 9422, 4: %x31-39 0*5DIGIT */
#define NGX_SMTP_LIMITS_DIGITS  6
#define NGX_SMTP_LIMITS_MAX     999999


static ngx_int_t ngx_smtp_esmtp_limits_advertise(ngx_smtp_session_t *s,
    u_char **p, u_char *end);
static ngx_uint_t ngx_smtp_esmtp_limits_next_hops(ngx_smtp_session_t *s);
static void ngx_smtp_esmtp_limits_answer(ngx_smtp_caps_t *caps,
    ngx_str_t *args);
static void ngx_smtp_esmtp_limits_one(ngx_smtp_caps_t *caps, u_char *p,
    u_char *last);
static ngx_int_t ngx_smtp_esmtp_limits_check(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, ngx_smtp_verdict_t *verdict);
static ngx_uint_t ngx_smtp_esmtp_limits_domains(ngx_smtp_tx_t *tx,
    ngx_uint_t max);
static ngx_uint_t ngx_smtp_esmtp_limits_new(ngx_smtp_tx_t *tx,
    ngx_queue_t *until, ngx_smtp_rcpt_t *rcpt);
static void ngx_smtp_esmtp_limits_domain(ngx_smtp_rcpt_t *rcpt,
    ngx_str_t *domain);


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_limits = {
    ngx_string("LIMITS"),
    NGX_SMTP_EXT_LIMITS,

    ngx_smtp_esmtp_limits_advertise,
    NULL,                        /* parameters of MAIL */
    NULL,                        /* parameters of RCPT */

    ngx_smtp_esmtp_limits_answer,
    NULL,                        /* emit_mail */
    NULL,                        /* emit_rcpt */
    ngx_smtp_esmtp_limits_check
};


static ngx_int_t
ngx_smtp_esmtp_limits_advertise(ngx_smtp_session_t *s, u_char **p,
    u_char *end)
{
    u_char      *start;
    ngx_uint_t   max, next;

    start = *p;

    /* what has more digits can't be said, and is none */

    max = ngx_smtp_rights_max_rcpt(s);
    next = ngx_smtp_esmtp_limits_next_hops(s);

    if (next && next < max) {
        max = next;
    }

    if (max <= NGX_SMTP_LIMITS_MAX) {
        *p = ngx_slprintf(*p, end, " RCPTMAX=%ui", max);
    }

    max = s->service->strict.max_messages;

    if (max && max <= NGX_SMTP_LIMITS_MAX) {
        *p = ngx_slprintf(*p, end, " MAILMAX=%ui", max);
    }

    return (*p == start) ? NGX_DECLINED : NGX_OK;
}


/*
 * What no next hop takes more of, in as many transactions as a message may
 * have, as far as they are known, where it has one of them only; 0: there is
 * no such limit.
 */

static ngx_uint_t
ngx_smtp_esmtp_limits_next_hops(ngx_smtp_session_t *s)
{
    ngx_uint_t         i, max;
    ngx_array_t       *dests;
    ngx_smtp_caps_t   *caps;
    ngx_smtp_dest_t  **dest;

    dests = s->service->dests;

    if (dests == NULL || s->user->server.len || s->service->lmtp
        || s->service->report)
    {
        return 0;
    }

    max = 0;
    dest = dests->elts;

    for (i = 0; i < dests->nelts; i++) {
        caps = dest[i]->caps;

        if (caps == NULL || !caps->known || caps->rcpt_max == 0) {
            return 0;
        }

        max = ngx_max(max, caps->rcpt_max);
    }

    return max * s->service->max_destinations;
}


static void
ngx_smtp_esmtp_limits_answer(ngx_smtp_caps_t *caps, ngx_str_t *args)
{
    u_char  *p, *last, *end;

    p = args->data;
    last = p + args->len;

    while (p < last) {
        for (end = p; end < last && *end != ' '; end++) { /* void */ }

        ngx_smtp_esmtp_limits_one(caps, p, end);

        for (p = end; p < last && *p == ' '; p++) { /* void */ }
    }
}


/* RFC 9422, 3: what is unknown or malformed is passed over */

static void
ngx_smtp_esmtp_limits_one(ngx_smtp_caps_t *caps, u_char *p, u_char *last)
{
    size_t      len;
    u_char     *value;
    ngx_int_t   n;

    value = ngx_strlchr(p, last, '=');

    if (value == NULL) {
        return;
    }

    len = value++ - p;

    if (value == last || *value == '0'
        || last - value > NGX_SMTP_LIMITS_DIGITS)
    {
        return;
    }

    n = ngx_atoi(value, last - value);

    if (n == NGX_ERROR) {
        return;
    }

    if (len == sizeof("RCPTMAX") - 1
        && ngx_strncasecmp(p, (u_char *) "RCPTMAX", len) == 0)
    {
        caps->rcpt_max = n;

    } else if (len == sizeof("MAILMAX") - 1
               && ngx_strncasecmp(p, (u_char *) "MAILMAX", len) == 0)
    {
        caps->mail_max = n;

    } else if (len == sizeof("RCPTDOMAINMAX") - 1
               && ngx_strncasecmp(p, (u_char *) "RCPTDOMAINMAX", len) == 0)
    {
        caps->domain_max = n;
    }
}


static ngx_int_t
ngx_smtp_esmtp_limits_check(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_verdict_t *verdict)
{
    ngx_uint_t  n;

    n = (tx->delivery ? tx->delivery->nrcpts : tx->nrcpts)
        + (tx->rcpt ? 1 : 0);

    if ((caps->rcpt_max && n > caps->rcpt_max)
        || (caps->domain_max && n > caps->domain_max
            && ngx_smtp_esmtp_limits_domains(tx, caps->domain_max)
               > caps->domain_max))
    {
        ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_TOO_MANY_RCPT);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_smtp_esmtp_room(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_verdict_t *verdict)
{
    return ngx_smtp_esmtp_limits_check(caps, tx, verdict);
}


ngx_smtp_delivery_t *
ngx_smtp_esmtp_part(ngx_smtp_tx_t *tx, ngx_uint_t max)
{
    ngx_smtp_rcpt_t      *rcpt;
    ngx_smtp_verdict_t    full;
    ngx_smtp_delivery_t  *d;

    rcpt = tx->rcpt;

    for (rcpt->part = 0; /* void */ ; rcpt->part++) {

        d = ngx_smtp_delivery_of(tx, rcpt);

        if (d == NULL || d->nrcpts == 0 || d->dest->caps == NULL
            || rcpt->part + 1 >= max)
        {
            return d;
        }

        tx->delivery = d;

        if (ngx_smtp_esmtp_room(d->dest->caps, tx, &full) == NGX_OK) {
            return d;
        }
    }
}


/* of all recipients, tx->rcpt with them; counted as far as max + 1 */

static ngx_uint_t
ngx_smtp_esmtp_limits_domains(ngx_smtp_tx_t *tx, ngx_uint_t max)
{
    ngx_uint_t        n;
    ngx_queue_t      *q;
    ngx_smtp_rcpt_t  *rcpt;

    n = 0;

    /* the accepted ones did fit, so this is cheap where it says yes */

    if (tx->rcpt) {

        if (!ngx_smtp_esmtp_limits_new(tx, ngx_queue_sentinel(&tx->rcpts),
                                       tx->rcpt))
        {
            return max;
        }

        n++;
    }

    for (q = ngx_queue_head(&tx->rcpts);
         q != ngx_queue_sentinel(&tx->rcpts) && n <= max;
         q = ngx_queue_next(q))
    {
        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);

        if (ngx_smtp_tx_concerns(tx, rcpt)
            && ngx_smtp_esmtp_limits_new(tx, q, rcpt))
        {
            n++;
        }
    }

    return n;
}


/* none of the recipients before until has rcpt's domain */

static ngx_uint_t
ngx_smtp_esmtp_limits_new(ngx_smtp_tx_t *tx, ngx_queue_t *until,
    ngx_smtp_rcpt_t *rcpt)
{
    ngx_str_t         domain, other;
    ngx_queue_t      *q;
    ngx_smtp_rcpt_t  *before;

    ngx_smtp_esmtp_limits_domain(rcpt, &domain);

    for (q = ngx_queue_head(&tx->rcpts); q != until; q = ngx_queue_next(q)) {

        before = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);

        ngx_smtp_esmtp_limits_domain(before, &other);

        if (!ngx_smtp_tx_concerns(tx, before)) {
            continue;
        }

        if (domain.len == other.len
            && ngx_strncasecmp(domain.data, other.data, domain.len) == 0)
        {
            return 0;
        }
    }

    return 1;
}


/* of the address that the next hop is told */

static void
ngx_smtp_esmtp_limits_domain(ngx_smtp_rcpt_t *rcpt, ngx_str_t *domain)
{
    u_char  *p, *last;

    last = rcpt->addr.data + rcpt->addr.len;

    for (p = last; p > rcpt->addr.data && p[-1] != '@'; p--) { /* void */ }

    domain->data = p;
    domain->len = last - p;
}

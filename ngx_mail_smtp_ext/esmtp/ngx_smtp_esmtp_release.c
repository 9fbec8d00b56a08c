
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * FUTURERELEASE, RFC 4865.  It is the next hop that holds a message, so its
 * limits are passed on, and without a next hop that is known to have the
 * extension nothing is offered.  For servers of submission only (4.2, 2).
 */


/* RFC 4865, 3: future-release-integer = %x31-39 *8DIGIT */
#define NGX_SMTP_HOLD_DIGITS  9


static ngx_int_t ngx_smtp_esmtp_release_advertise(ngx_smtp_session_t *s,
    u_char **p, u_char *end);
static ngx_int_t ngx_smtp_esmtp_release_limits(ngx_smtp_session_t *s,
    time_t *max, time_t *until);
static time_t ngx_smtp_esmtp_release_number(u_char *p, u_char *last);
static ngx_int_t ngx_smtp_esmtp_release_for(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_str_t *value);
static ngx_int_t ngx_smtp_esmtp_release_until(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_str_t *value);
static void ngx_smtp_esmtp_release_answer(ngx_smtp_caps_t *caps,
    ngx_str_t *args);
static u_char *ngx_smtp_esmtp_release_emit(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, u_char *p, u_char *end);
static ngx_int_t ngx_smtp_esmtp_release_check(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, ngx_smtp_verdict_t *verdict);


static const ngx_smtp_esmtp_param_t  ngx_smtp_esmtp_release_mail[] = {
    { "HOLDFOR", ngx_smtp_esmtp_release_for },
    { "HOLDUNTIL", ngx_smtp_esmtp_release_until },
    { NULL, NULL }
};


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_release = {
    ngx_string("FUTURERELEASE"),
    NGX_SMTP_EXT_RELEASE,

    ngx_smtp_esmtp_release_advertise,
    ngx_smtp_esmtp_release_mail,
    NULL,                        /* parameters of RCPT */

    ngx_smtp_esmtp_release_answer,
    ngx_smtp_esmtp_release_emit,
    NULL,                        /* emit_rcpt */
    ngx_smtp_esmtp_release_check
};


static ngx_int_t
ngx_smtp_esmtp_release_advertise(ngx_smtp_session_t *s, u_char **p,
    u_char *end)
{
    time_t  max, until;
    u_char  date[NGX_SMTP_DATETIME_LEN];

    if (ngx_smtp_esmtp_release_limits(s, &max, &until) != NGX_OK) {
        return NGX_DECLINED;
    }

    (void) ngx_smtp_datetime_write(date, until);

    *p = ngx_slprintf(*p, end, " %T %*s", max, sizeof(date), date);

    return NGX_OK;
}


/* the least of what the destinations have said */

static ngx_int_t
ngx_smtp_esmtp_release_limits(ngx_smtp_session_t *s, time_t *max,
    time_t *until)
{
    ngx_uint_t         i;
    ngx_smtp_caps_t   *caps;
    ngx_smtp_dest_t  **dest;

    *max = 0;
    *until = 0;

    if (s->service->dests == NULL) {
        return NGX_DECLINED;
    }

    dest = s->service->dests->elts;

    for (i = 0; i < s->service->dests->nelts; i++) {
        caps = dest[i]->caps;

        if (caps == NULL || caps->hold_max == 0) {
            return NGX_DECLINED;
        }

        *max = (i == 0) ? caps->hold_max : ngx_min(*max, caps->hold_max);
        *until = (i == 0) ? caps->hold_until
                          : ngx_min(*until, caps->hold_until);
    }

    return (*max && *until > ngx_time()) ? NGX_OK : NGX_DECLINED;
}


/* 0: it is none */

static time_t
ngx_smtp_esmtp_release_number(u_char *p, u_char *last)
{
    time_t  n;

    if (p == last || *p == '0' || last - p > NGX_SMTP_HOLD_DIGITS) {
        return 0;
    }

    n = ngx_atotm(p, last - p);

    return (n == (time_t) NGX_ERROR) ? 0 : n;
}


/*
 * 4.2: no longer than was offered, one of the two only.  How the time relates
 * to that of DELIVERBY (5.2.2) is looked at when all parameters are there.
 */

static ngx_int_t
ngx_smtp_esmtp_release_for(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_str_t *value)
{
    time_t  n, max, until;

    n = ngx_smtp_esmtp_release_number(value->data, value->data + value->len);

    if (n == 0 || tx->params[NGX_SMTP_PARAM_HOLDUNTIL].data
        || ngx_smtp_esmtp_release_limits(s, &max, &until) != NGX_OK
        || n > max)
    {
        return NGX_ERROR;
    }

    return ngx_smtp_esmtp_keep(s, &tx->params[NGX_SMTP_PARAM_HOLDFOR], value);
}


static ngx_int_t
ngx_smtp_esmtp_release_until(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_str_t *value)
{
    time_t                max, until;
    u_char               *last;
    ngx_smtp_datetime_t   date;

    last = value->data + value->len;

    if (ngx_smtp_datetime_parse(&date, value->data, last) != last
        || !date.utc || tx->params[NGX_SMTP_PARAM_HOLDFOR].data
        || ngx_smtp_esmtp_release_limits(s, &max, &until) != NGX_OK
        || date.sec > until)
    {
        return NGX_ERROR;
    }

    return ngx_smtp_esmtp_keep(s, &tx->params[NGX_SMTP_PARAM_HOLDUNTIL],
                               value);
}


time_t
ngx_smtp_esmtp_released(ngx_smtp_tx_t *tx)
{
    ngx_str_t            *value;
    ngx_smtp_datetime_t   date;

    value = &tx->params[NGX_SMTP_PARAM_HOLDFOR];

    if (value->data) {
        return ngx_smtp_esmtp_release_number(value->data,
                                             value->data + value->len);
    }

    value = &tx->params[NGX_SMTP_PARAM_HOLDUNTIL];

    if (value->data
        && ngx_smtp_datetime_parse(&date, value->data,
                                   value->data + value->len))
    {
        return date.sec - ngx_time();
    }

    return 0;
}


/* "FUTURERELEASE" SP interval SP date-time; malformed: as if not there */

static void
ngx_smtp_esmtp_release_answer(ngx_smtp_caps_t *caps, ngx_str_t *args)
{
    time_t                max;
    u_char               *p, *last, *end;
    ngx_smtp_datetime_t   date;

    p = args->data;
    last = p + args->len;

    caps->hold_max = 0;
    caps->hold_until = 0;

    for (end = p; end < last && *end != ' '; end++) { /* void */ }

    max = ngx_smtp_esmtp_release_number(p, end);

    for (p = end; p < last && *p == ' '; p++) { /* void */ }

    if (max == 0 || ngx_smtp_datetime_parse(&date, p, last) == NULL) {
        caps->extensions &= ~(ngx_uint_t) NGX_SMTP_EXT_RELEASE;
        return;
    }

    caps->hold_max = max;
    caps->hold_until = date.sec;
}


static u_char *
ngx_smtp_esmtp_release_emit(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    u_char *p, u_char *end)
{
    ngx_str_t  *value;

    value = &tx->params[NGX_SMTP_PARAM_HOLDFOR];

    if (value->data) {
        return ngx_slprintf(p, end, " HOLDFOR=%V", value);
    }

    value = &tx->params[NGX_SMTP_PARAM_HOLDUNTIL];

    if (value->data) {
        return ngx_slprintf(p, end, " HOLDUNTIL=%V", value);
    }

    return p;
}


/* 4.2, 5 and 6: never before its time */

static ngx_int_t
ngx_smtp_esmtp_release_check(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_verdict_t *verdict)
{
    if ((tx->params[NGX_SMTP_PARAM_HOLDFOR].data
         || tx->params[NGX_SMTP_PARAM_HOLDUNTIL].data)
        && !(caps->extensions & NGX_SMTP_EXT_RELEASE))
    {
        ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_SERVER_LACKS_RELEASE);
        return NGX_DECLINED;
    }

    return NGX_OK;
}

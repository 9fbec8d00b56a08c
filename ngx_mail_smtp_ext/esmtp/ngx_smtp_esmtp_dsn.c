
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


/*
 * DSN, RFC 3461: the wishes of the sender for notifications, checked here and
 * carried to the next hop as they are.  Where it has no DSN, rcpt->confirm says
 * who is due a notification of success, "relayed" or "delivered" (5.2.2,
 * 5.2.3), by smtp_success_report.  "failed" and "delayed" ones never are due
 * here: the client has the refusal as the reply.
 */


/* RFC 3461, 4.4, 4.2 and 5.4: octets of the values */
#define NGX_SMTP_DSN_ENVID_MAX   100
#define NGX_SMTP_DSN_ORCPT_MAX   500
#define NGX_SMTP_DSN_NOTIFY_MAX  28

#define NGX_SMTP_DSN_NEVER    0x01
#define NGX_SMTP_DSN_SUCCESS  0x02
#define NGX_SMTP_DSN_FAILURE  0x04
#define NGX_SMTP_DSN_DELAY    0x08


static ngx_int_t ngx_smtp_esmtp_dsn_ret(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_str_t *value);
static ngx_int_t ngx_smtp_esmtp_dsn_envid(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_str_t *value);
static ngx_int_t ngx_smtp_esmtp_dsn_notify(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_str_t *value);
static ngx_int_t ngx_smtp_esmtp_dsn_orcpt(ngx_smtp_session_t *s,
    ngx_smtp_tx_t *tx, ngx_str_t *value);
static ngx_int_t ngx_smtp_esmtp_dsn_xtext(u_char *p, u_char *last);
static ngx_int_t ngx_smtp_esmtp_dsn_utf8(u_char *p, u_char *last,
    ngx_uint_t utf8);
static u_char *ngx_smtp_esmtp_dsn_emit_ascii(u_char *dst, ngx_str_t *orcpt);
static u_char *ngx_smtp_esmtp_dsn_hexpoint(u_char *p, u_char *last);
static ngx_uint_t ngx_smtp_esmtp_dsn_wishes(ngx_str_t *value);
static u_char *ngx_smtp_esmtp_dsn_emit_mail(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, u_char *p, u_char *end);
static u_char *ngx_smtp_esmtp_dsn_emit_rcpt(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, ngx_smtp_rcpt_t *rcpt, u_char *p, u_char *end);
static ngx_int_t ngx_smtp_esmtp_dsn_check(ngx_smtp_caps_t *caps,
    ngx_smtp_tx_t *tx, ngx_smtp_verdict_t *verdict);


static const ngx_smtp_esmtp_param_t  ngx_smtp_esmtp_dsn_mail[] = {
    { "RET", ngx_smtp_esmtp_dsn_ret },
    { "ENVID", ngx_smtp_esmtp_dsn_envid },
    { NULL, NULL }
};


static const ngx_smtp_esmtp_param_t  ngx_smtp_esmtp_dsn_rcpt[] = {
    { "NOTIFY", ngx_smtp_esmtp_dsn_notify },
    { "ORCPT", ngx_smtp_esmtp_dsn_orcpt },
    { NULL, NULL }
};


const ngx_smtp_esmtp_t  ngx_smtp_esmtp_dsn = {
    ngx_string("DSN"),
    NGX_SMTP_EXT_DSN,

    NULL,                        /* advertise: always */
    ngx_smtp_esmtp_dsn_mail,
    ngx_smtp_esmtp_dsn_rcpt,

    NULL,                        /* answer */
    ngx_smtp_esmtp_dsn_emit_mail,
    ngx_smtp_esmtp_dsn_emit_rcpt,
    ngx_smtp_esmtp_dsn_check
};


/* 4.3 */

static ngx_int_t
ngx_smtp_esmtp_dsn_ret(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_str_t *value)
{
    if (value->len != 4
        || (ngx_strncasecmp(value->data, (u_char *) "FULL", 4) != 0
            && ngx_strncasecmp(value->data, (u_char *) "HDRS", 4) != 0))
    {
        return NGX_ERROR;
    }

    return ngx_smtp_esmtp_keep(s, &tx->params[NGX_SMTP_PARAM_RET], value);
}


/* 4.4 */

static ngx_int_t
ngx_smtp_esmtp_dsn_envid(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_str_t *value)
{
    if (value->len == 0 || value->len > NGX_SMTP_DSN_ENVID_MAX
        || ngx_smtp_esmtp_dsn_xtext(value->data, value->data + value->len)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_smtp_esmtp_keep(s, &tx->params[NGX_SMTP_PARAM_ENVID], value);
}


/* 4.1 */

static ngx_int_t
ngx_smtp_esmtp_dsn_notify(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_str_t *value)
{
    if (ngx_smtp_esmtp_dsn_wishes(value) == 0) {
        return NGX_ERROR;
    }

    return ngx_smtp_esmtp_keep(s, &tx->rcpt->params[NGX_SMTP_PARAM_NOTIFY],
                               value);
}


/* 4.2: addr-type ";" xtext */

static ngx_int_t
ngx_smtp_esmtp_dsn_orcpt(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_str_t *value)
{
    size_t      len;
    u_char     *p, *last, *end;
    ngx_int_t   rc;

    if (value->len == 0 || value->len > NGX_SMTP_DSN_ORCPT_MAX) {
        return NGX_ERROR;
    }

    p = value->data;
    last = p + value->len;

    end = ngx_strlchr(p, last, ';');

    if (end == NULL || end == p || end + 1 == last) {
        return NGX_ERROR;
    }

    /* an atom, and no dot in it (RFC 822, 3.3) */

    if (ngx_strlchr(p, end, '.') || ngx_smtp_dot_string_parse(p, end) != end) {
        return NGX_ERROR;
    }

    len = end - p;
    end++;

    if (len == sizeof("utf-8") - 1
        && ngx_strncasecmp(p, (u_char *) "utf-8", len) == 0)
    {
        rc = ngx_smtp_esmtp_dsn_utf8(end, last, tx->utf8);

    } else {
        rc = ngx_smtp_esmtp_dsn_xtext(end, last);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_smtp_esmtp_keep(s, &tx->rcpt->params[NGX_SMTP_PARAM_ORCPT],
                               value);
}


/*
 * 4.2, 4.4: what was encoded has to be printable US-ASCII, white space
 * included: it becomes a header field of a notification.
 */

static ngx_int_t
ngx_smtp_esmtp_dsn_xtext(u_char *p, u_char *last)
{
    u_char  *end, buf[NGX_SMTP_DSN_ORCPT_MAX];

    end = ngx_smtp_xtext_decode(buf, p, last);

    if (end == NULL) {
        return NGX_ERROR;
    }

    for (p = buf; p < end; p++) {
        if ((*p < ' ' && *p != '\t') || *p >= 0x7f) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * utf-8-addr-xtext of RFC 6533, 3, the form that is safe in US-ASCII, or with
 * SMTPUTF8 utf-8-addr-unitext.
 */

static ngx_int_t
ngx_smtp_esmtp_dsn_utf8(u_char *p, u_char *last, ngx_uint_t utf8)
{
    size_t  n;

    while (p < last) {

        n = utf8 ? ngx_smtp_utf8_length(p, last) : 0;

        if (n) {
            p += n;
            continue;
        }

        if (*p == '\\') {
            p = ngx_smtp_esmtp_dsn_hexpoint(p, last);

            if (p == NULL) {
                return NGX_ERROR;
            }

            continue;
        }

        /* QCHAR */

        if (*p <= ' ' || *p >= 0x7f || *p == '+' || *p == '=') {
            return NGX_ERROR;
        }

        p++;
    }

    return NGX_OK;
}


/*
 * EmbeddedUnicodeChar = %x5C.78 "{" HEXPOINT "}": in its shortest form of two
 * digits or more, no surrogate, and in US-ASCII only what QCHAR is not.
 */

static u_char *
ngx_smtp_esmtp_dsn_hexpoint(u_char *p, u_char *last)
{
    u_char      *digits;
    uint32_t     code;
    ngx_uint_t   n;

    if (last - p < 3 || p[1] != 'x' || p[2] != '{') {
        return NULL;
    }

    p += 3;
    digits = p;
    code = 0;

    while (p < last && p - digits < 6) {

        if (*p >= '0' && *p <= '9') {
            code = code << 4 | (*p - '0');

        } else if (*p >= 'A' && *p <= 'F') {
            code = code << 4 | (*p - 'A' + 10);

        } else {
            break;
        }

        p++;
    }

    n = p - digits;

    if (n < 2 || p == last || *p++ != '}'
        || (n > 2 && *digits == '0')
        || code > 0x10ffff
        || (code >= 0xd800 && code <= 0xdfff))
    {
        return NULL;
    }

    if (code == 0 || (code > ' ' && code < 0x7f && code != '\\'
                      && code != '+' && code != '='))
    {
        return NULL;
    }

    return p;
}


/* RFC 3461, 4.1: without NOTIFY it is up to us, and that is yes */

ngx_uint_t
ngx_smtp_esmtp_dsn_failure(ngx_smtp_rcpt_t *rcpt)
{
    ngx_str_t  *notify;

    notify = &rcpt->params[NGX_SMTP_PARAM_NOTIFY];

    return notify->data == NULL
           || (ngx_smtp_esmtp_dsn_wishes(notify) & NGX_SMTP_DSN_FAILURE);
}


ngx_uint_t
ngx_smtp_esmtp_dsn_never(ngx_smtp_rcpt_t *rcpt)
{
    ngx_str_t  *notify;

    notify = &rcpt->params[NGX_SMTP_PARAM_NOTIFY];

    return notify->data
           && (ngx_smtp_esmtp_dsn_wishes(notify) & NGX_SMTP_DSN_NEVER);
}


/* 0: it is no list of what may be wished */

static ngx_uint_t
ngx_smtp_esmtp_dsn_wishes(ngx_str_t *value)
{
    size_t       len;
    u_char      *p, *last, *end;
    ngx_uint_t   i, wishes;

    static const struct {
        ngx_str_t    name;
        ngx_uint_t   bit;
    } words[] = {
        { ngx_string("NEVER"), NGX_SMTP_DSN_NEVER },
        { ngx_string("SUCCESS"), NGX_SMTP_DSN_SUCCESS },
        { ngx_string("FAILURE"), NGX_SMTP_DSN_FAILURE },
        { ngx_string("DELAY"), NGX_SMTP_DSN_DELAY },
        { ngx_null_string, 0 }
    };

    if (value->len > NGX_SMTP_DSN_NOTIFY_MAX) {
        return 0;
    }

    wishes = 0;
    p = value->data;
    last = p + value->len;

    for ( ;; ) {
        for (end = p; end < last && *end != ','; end++) { /* void */ }

        len = end - p;

        for (i = 0; words[i].bit; i++) {
            if (words[i].name.len == len
                && ngx_strncasecmp(words[i].name.data, p, len) == 0)
            {
                break;
            }
        }

        if (words[i].bit == 0) {
            return 0;
        }

        wishes |= words[i].bit;

        if (end == last) {
            break;
        }

        p = end + 1;
    }

    /* NEVER by itself, and but once */

    if ((wishes & NGX_SMTP_DSN_NEVER) && value->len != words[0].name.len) {
        return 0;
    }

    return wishes;
}


/* 5.2.1: what came goes on, with the same value */

static u_char *
ngx_smtp_esmtp_dsn_emit_mail(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    u_char *p, u_char *end)
{
    ngx_str_t  *ret, *envid;

    ret = &tx->params[NGX_SMTP_PARAM_RET];
    envid = &tx->params[NGX_SMTP_PARAM_ENVID];

    if (ret->data) {
        p = ngx_slprintf(p, end, " RET=%V", ret);
    }

    if (envid->data) {
        p = ngx_slprintf(p, end, " ENVID=%V", envid);
    }

    return p;
}


static u_char *
ngx_smtp_esmtp_dsn_emit_rcpt(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_rcpt_t *rcpt, u_char *p, u_char *end)
{
    ngx_str_t   *notify, *orcpt;
    ngx_uint_t   wishes, late;

    notify = &rcpt->params[NGX_SMTP_PARAM_NOTIFY];
    orcpt = &rcpt->params[NGX_SMTP_PARAM_ORCPT];

    /*
     * RFC 2852, 4.1.4.2: where a wish for a time of delivery is lost, delays
     * are to be told.
     */

    late = tx->params[NGX_SMTP_PARAM_BY].data
           && !(caps->extensions & NGX_SMTP_EXT_DELIVERBY);

    if (notify->data) {
        wishes = ngx_smtp_esmtp_dsn_wishes(notify);

        p = ngx_slprintf(p, end, " NOTIFY=%V", notify);

        if (late && !(wishes & (NGX_SMTP_DSN_NEVER|NGX_SMTP_DSN_DELAY))) {
            p = ngx_slprintf(p, end, ",DELAY");
        }

    } else if (late) {
        p = ngx_slprintf(p, end, " NOTIFY=FAILURE,DELAY");
    }

    if (orcpt->data == NULL) {
        return p;
    }

    if (!(caps->extensions & NGX_SMTP_EXT_SMTPUTF8)
        && ngx_smtp_is_8bit(orcpt->data, orcpt->data + orcpt->len))
    {
        return ngx_smtp_esmtp_dsn_emit_ascii(p, orcpt);
    }

    return ngx_slprintf(p, end, " ORCPT=%V", orcpt);
}


/*
 * RFC 6533, 3: where UTF-8 is not understood, it is utf-8-addr-xtext.  One
 * that gets too long for that is left out: it is for notifications only.
 */

static u_char *
ngx_smtp_esmtp_dsn_emit_ascii(u_char *dst, ngx_str_t *orcpt)
{
    size_t    n;
    u_char   *p, *q, *last, *end;
    uint32_t  code;
    u_char    buf[NGX_SMTP_DSN_ORCPT_MAX];

    q = buf;
    end = buf + sizeof(buf);

    last = orcpt->data + orcpt->len;

    for (p = orcpt->data; p < last; p += n) {

        n = ngx_smtp_utf8_length(p, last);

        if (n == 0) {
            n = 1;
            q = ngx_slprintf(q, end, "%c", *p);
            continue;
        }

        /* two octets have 5 bits in the first of them, three 4, four 3 */

        code = p[0] & (0x7f >> n);
        code = code << 6 | (p[1] & 0x3f);

        if (n > 2) {
            code = code << 6 | (p[2] & 0x3f);
        }

        if (n > 3) {
            code = code << 6 | (p[3] & 0x3f);
        }

        q = ngx_slprintf(q, end, "\\x{%XD}", code);
    }

    if (q == end) {
        return dst;
    }

    dst = ngx_cpymem(dst, " ORCPT=", sizeof(" ORCPT=") - 1);

    return ngx_cpymem(dst, buf, q - buf);
}


/*
 * 5.1: nothing is refused for its parameters.  5.2.2 and 5.2.3: the message
 * goes on without them, and who asked to be told of success is to be told by
 * us.  What is discarded was no success.
 */

static ngx_int_t
ngx_smtp_esmtp_dsn_check(ngx_smtp_caps_t *caps, ngx_smtp_tx_t *tx,
    ngx_smtp_verdict_t *verdict)
{
    ngx_str_t        *notify;
    ngx_queue_t      *q;
    ngx_smtp_rcpt_t  *rcpt;

    if (tx->rcpt) {
        return NGX_OK;
    }

    for (q = ngx_queue_head(&tx->rcpts);
         q != ngx_queue_sentinel(&tx->rcpts);
         q = ngx_queue_next(q))
    {
        rcpt = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);
        notify = &rcpt->params[NGX_SMTP_PARAM_NOTIFY];

        if (!ngx_smtp_tx_concerns(tx, rcpt)) {
            continue;
        }

        /* a server that was tried before may have lacked it */

        rcpt->confirm = 0;

        if ((caps->extensions & NGX_SMTP_EXT_DSN) || notify->data == NULL
            || !(ngx_smtp_esmtp_dsn_wishes(notify) & NGX_SMTP_DSN_SUCCESS))
        {
            continue;
        }

        if (ngx_smtp_esmtp_dsn_reports(tx) && !rcpt->dest->drops) {
            rcpt->confirm = 1;

        } else {
            ngx_log_error(NGX_LOG_INFO, tx->session->connection->log, 0,
                          "destination has no DSN, the sender will not be "
                          "told of success, recipient: %V", &rcpt->given);
        }
    }

    return NGX_OK;
}

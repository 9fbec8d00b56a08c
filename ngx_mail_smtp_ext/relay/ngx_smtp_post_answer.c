
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_post.h>


/*
 * The answer of the service.  Its status says what becomes of the message, its
 * fields Smtp-Reply what the client is told:
 *
 *     Smtp-Reply: 550 5.7.1 Not wanted
 *     Smtp-Reply: <user@example.com> 452 4.2.2 Mailbox is full
 *
 * A status and a reply that contradict each other are no answer: nobody knows
 * then whether the message was taken, and the client has to try again.
 */


#define NGX_SMTP_POST_REPLY  "smtp-reply"


static void ngx_smtp_post_status(ngx_smtp_post_t *post);
static void ngx_smtp_post_log(ngx_smtp_post_t *post);
static char *ngx_smtp_post_replies(ngx_smtp_post_t *post);
static char *ngx_smtp_post_reply(ngx_smtp_post_t *post, ngx_str_t *value,
    ngx_uint_t *all);
static char *ngx_smtp_post_reply_rcpt(ngx_smtp_post_t *post,
    ngx_str_t *value);
static char *ngx_smtp_post_verdict(ngx_smtp_verdict_t *verdict,
    ngx_str_t *words);
static void ngx_smtp_post_forget(ngx_smtp_post_t *post);


ngx_uint_t
ngx_smtp_post_answer(ngx_smtp_post_t *post)
{
    char                     *reason;
    ngx_smtp_http_request_t  *r;

    r = &post->http;

    ngx_smtp_post_status(post);

    reason = ngx_smtp_post_replies(post);

    if (reason) {
        ngx_smtp_post_forget(post);

        ngx_smtp_verdict_set(&post->delivery->verdict,
                             NGX_SMTP_REPLY_SERVICE_FAILED);

        ngx_log_error(ngx_smtp_http_level(r), r->log, 0,
                      "HTTP service %V sent an answer that is none: "
                      "\"Smtp-Reply\" %s, HTTP status %ui",
                      &r->server, reason, r->status);
        return 1;
    }

    if (r->status < 200 || r->status > 299) {
        ngx_smtp_post_log(post);
    }

    /*
     * What holds for each message, whatever is in it.  500 may be about this
     * one alone, which must not stand in the way of others.
     */

    return (r->status >= 300 && r->status < 400)
           || (r->status >= 502 && r->status <= 504);
}


static void
ngx_smtp_post_status(ngx_smtp_post_t *post)
{
    ngx_uint_t           status;
    ngx_smtp_verdict_t  *verdict;

    status = post->http.status;
    verdict = &post->delivery->verdict;

    if (status < 300) {
        ngx_smtp_tx_accepted(post->tx, verdict);
        return;
    }

    switch (status) {

    case 408:                    /* Request Timeout */
    case 425:                    /* Too Early, RFC 8470 */
    case 429:                    /* Too Many Requests, RFC 6585 */
    case 503:                    /* Service Unavailable */
        ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_SERVERS_BUSY);
        break;

    case 413:                    /* Content Too Large */
        ngx_smtp_verdict_set(verdict, NGX_SMTP_REPLY_TOO_BIG);
        break;

    default:
        ngx_smtp_verdict_set(verdict, (status >= 400 && status < 500)
                                      ? NGX_SMTP_REPLY_SERVICE_REFUSED
                                      : NGX_SMTP_REPLY_SERVICE_FAILED);
    }
}


/* the service's own trouble, the configuration's, or a word on the message */

static void
ngx_smtp_post_log(ngx_smtp_post_t *post)
{
    ngx_uint_t                level;
    ngx_smtp_http_request_t  *r;

    r = &post->http;

    switch (r->status) {

    case 401:                    /* Unauthorized */
    case 404:                    /* Not Found */
    case 405:                    /* Method Not Allowed */
    case 407:                    /* Proxy Authentication Required */
        level = NGX_LOG_ERR;
        break;

    default:
        level = (r->status >= 400 && r->status < 500)
                ? NGX_LOG_INFO : ngx_smtp_http_level(r);
    }

    ngx_log_error(level, r->log, 0,
                  "HTTP service %V did not take a message, HTTP status %ui",
                  &r->server, r->status);
}


/* NULL: they are in order */

static char *
ngx_smtp_post_replies(ngx_smtp_post_t *post)
{
    char                    *rv;
    ngx_uint_t               i, all, n;
    ngx_smtp_http_header_t  *header;

    all = 0;
    n = 0;
    header = post->http.headers.elts;

    for (i = 0; i < post->http.headers.nelts; i++) {

        if (header[i].name.len != sizeof(NGX_SMTP_POST_REPLY) - 1
            || ngx_strncmp(header[i].name.data, NGX_SMTP_POST_REPLY,
                           header[i].name.len)
               != 0)
        {
            continue;
        }

        rv = ngx_smtp_post_reply(post, &header[i].value, &all);
        if (rv) {
            return rv;
        }

        n++;
    }

    /* of one recipient it is the same */

    if (n > all && post->tx->mixed == NGX_SMTP_MIXED_NEVER
        && post->delivery->nrcpts > 1)
    {
        return "is for each recipient, for which the client has no ear";
    }

    return NULL;
}


static char *
ngx_smtp_post_reply(ngx_smtp_post_t *post, ngx_str_t *value, ngx_uint_t *all)
{
    char                 *rv;
    ngx_str_t             words;
    ngx_smtp_delivery_t  *d;

    d = post->delivery;
    words = *value;

    if (words.len && words.data[0] == '<') {
        return ngx_smtp_post_reply_rcpt(post, &words);
    }

    if ((*all)++) {
        return "comes twice";
    }

    rv = ngx_smtp_post_verdict(&d->verdict, &words);

    if (rv) {
        return rv;
    }

    if ((d->verdict.code < 300) != (post->http.status < 300)) {
        return "contradicts the status";
    }

    d->log.reply = d->verdict.text;
    d->log.enhanced = d->verdict.enhanced;

    return NULL;
}


/* "<address> words" */

static char *
ngx_smtp_post_reply_rcpt(ngx_smtp_post_t *post, ngx_str_t *value)
{
    char                *rv;
    size_t               len;
    u_char              *p, *last;
    ngx_str_t            words;
    ngx_uint_t           found;
    ngx_smtp_rcpt_t     *rcpt;
    ngx_smtp_verdict_t   verdict;

    last = value->data + value->len;
    p = ngx_strlchr(value->data, last, '>');

    if (p == NULL || p + 1 == last || p[1] != ' ') {
        return "is no \"<address> reply\"";
    }

    words.data = p + 2;
    words.len = last - words.data;

    rv = ngx_smtp_post_verdict(&verdict, &words);

    if (rv) {
        return rv;
    }

    if (verdict.code < 300 && post->http.status >= 300) {
        return "contradicts the status";
    }

    value->data++;
    len = p - value->data;
    found = 0;

    for (rcpt = ngx_smtp_delivery_first(post->delivery);
         rcpt;
         rcpt = ngx_smtp_delivery_next(post->delivery, rcpt))
    {
        if (!ngx_smtp_post_addr_is(&rcpt->addr, value->data, len)) {
            continue;
        }

        if (rcpt->verdict.code) {
            return "comes twice for a recipient";
        }

        rcpt->verdict = verdict;
        found = 1;
    }

    return found ? NULL : "is for nobody of this message";
}


static char *
ngx_smtp_post_verdict(ngx_smtp_verdict_t *verdict, ngx_str_t *words)
{
    char                 *rv;
    ngx_str_t             text;
    ngx_uint_t            code;
    ngx_smtp_enhanced_t   enhanced;

    text = *words;

    rv = ngx_smtp_answer_words(&code, &enhanced, &text);

    if (rv) {
        return rv;
    }

    if (code == 421) {
        return "has the code 421, which ends a connection";
    }

    if (text.len == 0) {
        if (code < 300) {
            ngx_str_set(&text, "OK");

        } else {
            ngx_str_set(&text, "Not taken by the destination service");
        }
    }

    /* RFC 5321, 4.3.2: of 2yz, 250 is the reply to a message */

    verdict->code = (code < 300) ? 250 : code;
    verdict->enhanced = enhanced;
    verdict->text = text;

    return NULL;
}


static void
ngx_smtp_post_forget(ngx_smtp_post_t *post)
{
    ngx_smtp_rcpt_t  *rcpt;

    for (rcpt = ngx_smtp_delivery_first(post->delivery);
         rcpt;
         rcpt = ngx_smtp_delivery_next(post->delivery, rcpt))
    {
        ngx_memzero(&rcpt->verdict, sizeof(ngx_smtp_verdict_t));
    }
}

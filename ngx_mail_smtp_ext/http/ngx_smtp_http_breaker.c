
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_http.h>
#include <ngx_smtp_http_private.h>


/*
 * What a worker knows of a service's health.  An outage begins with the first
 * failure and ends with the next good answer: it is two lines in the log,
 * however many clients meet it.  After some failures in a row the service is
 * left alone: whoever asks is told at once, but for one probe now and then.
 */


ngx_int_t
ngx_smtp_http_breaker_ask(ngx_smtp_http_request_t *r)
{
    ngx_smtp_http_url_t  *url;

    url = r->url;

    if (!url->open) {
        return NGX_OK;
    }

    if ((ngx_msec_int_t) (ngx_current_msec - url->probe) < 0) {
        return NGX_DECLINED;
    }

    /* another one that soon, even if nothing is heard of this one */

    url->probe = ngx_current_msec + r->conf->retry;

    return NGX_OK;
}


void
ngx_smtp_http_breaker_good(ngx_smtp_http_request_t *r)
{
    ngx_smtp_http_url_t  *url;

    url = r->url;

    url->fails = 0;
    url->open = 0;

    if (url->outage) {
        url->outage = 0;

        ngx_log_error(NGX_LOG_NOTICE, r->log, 0,
                      "HTTP service \"%V\" is in order again", &url->text);
    }
}


void
ngx_smtp_http_breaker_failed(ngx_smtp_http_request_t *r)
{
    ngx_msec_t             now;
    ngx_smtp_http_url_t   *url;
    ngx_smtp_http_conf_t  *conf;

    url = r->url;
    conf = r->conf;
    now = ngx_current_msec;

    if (!url->outage) {
        url->outage = 1;

        ngx_log_error(NGX_LOG_WARN, r->log, 0,
                      "HTTP service \"%V\" is out of order; "
                      "further failures are logged as info", &url->text);
    }

    if (url->open || conf->fails == 0) {
        return;
    }

    if (url->fails == 0 || now - url->since > conf->fail_time) {
        url->fails = 0;
        url->since = now;
    }

    if (++url->fails < conf->fails) {
        return;
    }

    url->open = 1;
    url->probe = now + conf->retry;

    ngx_log_error(NGX_LOG_WARN, r->log, 0,
                  "HTTP service \"%V\" failed %ui times in a row; "
                  "it is asked once in %Mms until it is in order again",
                  &url->text, url->fails, conf->retry);
}

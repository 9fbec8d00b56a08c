
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_submit.h>


/*
 * Which addresses are a user's, RFC 6409, 6.1: those that the answer about the
 * credentials has named; else the user's name, if it is an address; else what
 * smtp_sender_domain makes of it.
 */


static ngx_uint_t ngx_smtp_submit_listed(ngx_smtp_session_t *s);
static ngx_int_t ngx_smtp_submit_own(ngx_smtp_session_t *s,
    ngx_smtp_path_t *path, u_char *buf);
static ngx_int_t ngx_smtp_submit_first(ngx_smtp_session_t *s,
    ngx_str_t *addr);


ngx_uint_t
ngx_smtp_submit_checked(ngx_smtp_session_t *s)
{
    ngx_smtp_submit_conf_t  *conf;

    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_submit_module);

    if (!s->authenticated) {
        return 0;
    }

    return conf->sender_check == NGX_SMTP_SUBMIT_SENDER_ON
           || (conf->sender_check == NGX_SMTP_SUBMIT_SENDER_LISTED
               && ngx_smtp_submit_listed(s));
}


ngx_uint_t
ngx_smtp_submit_fits(ngx_smtp_session_t *s, ngx_smtp_path_t *mailbox)
{
    u_char                   delimiter;
    ngx_str_t                senders;
    ngx_smtp_path_t          path;
    ngx_smtp_submit_conf_t  *conf;
    u_char                   buf[NGX_SMTP_PATH_MAX], item[NGX_SMTP_PATH_MAX];

    if (!ngx_smtp_submit_checked(s)) {
        return 1;
    }

    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_submit_module);

    delimiter = (conf->sender_delimiter.len == 1)
                ? conf->sender_delimiter.data[0] : 0;

    if (ngx_smtp_submit_listed(s)) {
        return ngx_smtp_senders_fit(&s->rights->senders, mailbox, delimiter);
    }

    if (ngx_smtp_submit_own(s, &path, buf) != NGX_OK) {
        return ngx_strcmp(conf->sender_domain.data, "any") == 0;
    }

    /* an address, whatever it looks like: a user named "*" is no pattern */

    senders.data = item;
    senders.len = ngx_smtp_senders_write(item, &path) - item;

    return ngx_smtp_senders_fit(&senders, mailbox, delimiter);
}


static ngx_uint_t
ngx_smtp_submit_listed(ngx_smtp_session_t *s)
{
    return s->rights && s->rights->senders.len;
}


/* what the name alone says; NGX_DECLINED: it is no address */

static ngx_int_t
ngx_smtp_submit_own(ngx_smtp_session_t *s, ngx_smtp_path_t *path,
    u_char *buf)
{
    u_char                  *p;
    ngx_str_t                addr, *domain;
    ngx_smtp_submit_conf_t  *conf;

    addr = s->user->name;

    if (ngx_smtp_mailbox_parse(path, &addr, NGX_SMTP_PATH_UTF8) == NGX_OK) {
        return NGX_OK;
    }

    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_submit_module);
    domain = &conf->sender_domain;

    if (ngx_strcmp(domain->data, "any") == 0
        || ngx_strcmp(domain->data, "none") == 0
        || addr.len + 1 + domain->len > NGX_SMTP_PATH_MAX)
    {
        return NGX_DECLINED;
    }

    p = ngx_cpymem(buf, addr.data, addr.len);
    *p++ = '@';
    p = ngx_cpymem(p, domain->data, domain->len);

    addr.data = buf;
    addr.len = p - buf;

    return ngx_smtp_mailbox_parse(path, &addr, NGX_SMTP_PATH_UTF8) == NGX_OK
           ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_smtp_submit_address(ngx_smtp_tx_t *tx, ngx_str_t *addr)
{
    ngx_str_t            own;
    ngx_smtp_path_t      path;
    ngx_smtp_session_t  *s;
    u_char               buf[NGX_SMTP_PATH_MAX];

    s = tx->session;
    own = tx->mail_from;

    if (own.len == 0) {

        if (!s->authenticated) {
            return NGX_DECLINED;
        }

        if (ngx_smtp_submit_listed(s)) {

            if (ngx_smtp_submit_first(s, &own) != NGX_OK) {
                return NGX_DECLINED;
            }

        } else if (ngx_smtp_submit_own(s, &path, buf) == NGX_OK) {
            own = path.addr;

        } else {
            return NGX_DECLINED;
        }
    }

    /* RFC 6532: only in a message that was declared to be such */

    if (own.len > NGX_SMTP_PATH_MAX
        || (!tx->utf8 && ngx_smtp_is_8bit(own.data, own.data + own.len)))
    {
        return NGX_DECLINED;
    }

    ngx_memcpy(addr->data, own.data, own.len);
    addr->len = own.len;

    return NGX_OK;
}


/* of the listed ones that are no patterns */

static ngx_int_t
ngx_smtp_submit_first(ngx_smtp_session_t *s, ngx_str_t *addr)
{
    u_char  *p, *last, *lf;

    p = s->rights->senders.data;
    last = p + s->rights->senders.len;

    for ( /* void */ ; p < last; p = lf + 1) {
        lf = ngx_strlchr(p, last, LF);

        if (*p != '@' && lf - p > 1) {
            addr->data = p;
            addr->len = lf - p;
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


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
static ngx_uint_t ngx_smtp_submit_fits_name(ngx_smtp_session_t *s,
    ngx_smtp_submit_conf_t *conf, ngx_smtp_path_t *mailbox,
    u_char delimiter);


ngx_uint_t
ngx_smtp_submit_fits(ngx_smtp_session_t *s, ngx_smtp_path_t *mailbox)
{
    u_char                   delimiter;
    ngx_smtp_submit_conf_t  *conf;

    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_submit_module);

    if (!s->authenticated
        || conf->sender_check == NGX_SMTP_SUBMIT_SENDER_OFF
        || (conf->sender_check == NGX_SMTP_SUBMIT_SENDER_LISTED
            && !ngx_smtp_submit_listed(s)))
    {
        return 1;
    }

    delimiter = (conf->sender_delimiter.len == 1)
                ? conf->sender_delimiter.data[0] : 0;

    if (ngx_smtp_submit_listed(s)) {
        return ngx_smtp_senders_fit(&s->rights->senders, mailbox, delimiter);
    }

    return ngx_smtp_submit_fits_name(s, conf, mailbox, delimiter);
}


static ngx_uint_t
ngx_smtp_submit_listed(ngx_smtp_session_t *s)
{
    return s->rights && s->rights->senders.len;
}


static ngx_uint_t
ngx_smtp_submit_fits_name(ngx_smtp_session_t *s, ngx_smtp_submit_conf_t *conf,
    ngx_smtp_path_t *mailbox, u_char delimiter)
{
    size_t            len;
    u_char           *p, buf[NGX_SMTP_PATH_MAX];
    u_char            item[NGX_SMTP_PATH_MAX];
    ngx_str_t         addr, senders;
    ngx_smtp_path_t   path;

    addr = s->auth_user;

    if (ngx_smtp_mailbox_parse(&path, &addr, NGX_SMTP_PATH_UTF8) != NGX_OK) {

        if (ngx_strcmp(conf->sender_domain.data, "any") == 0) {
            return 1;
        }

        len = addr.len + 1 + conf->sender_domain.len;

        if (ngx_strcmp(conf->sender_domain.data, "none") == 0
            || len > sizeof(buf))
        {
            return 0;
        }

        p = ngx_cpymem(buf, addr.data, addr.len);
        *p++ = '@';
        p = ngx_cpymem(p, conf->sender_domain.data, conf->sender_domain.len);

        addr.data = buf;
        addr.len = p - buf;

        if (ngx_smtp_mailbox_parse(&path, &addr, NGX_SMTP_PATH_UTF8)
            != NGX_OK)
        {
            return 0;
        }
    }

    /* an address, whatever it looks like: a user named "*" is no pattern */

    senders.data = item;
    senders.len = ngx_smtp_senders_write(item, &path) - item;

    return ngx_smtp_senders_fit(&senders, mailbox, delimiter);
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_esmtp.h>


extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_pipelining;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_size;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_8bitmime;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_chunking;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_starttls;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_auth;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_enhanced;


/* in the order in which EHLO names them */

const ngx_smtp_esmtp_t *const  ngx_smtp_esmtp_table[] = {
    &ngx_smtp_esmtp_pipelining,
    &ngx_smtp_esmtp_size,
    &ngx_smtp_esmtp_8bitmime,
    &ngx_smtp_esmtp_chunking,
    &ngx_smtp_esmtp_starttls,
    &ngx_smtp_esmtp_auth,
    &ngx_smtp_esmtp_enhanced,
    NULL
};

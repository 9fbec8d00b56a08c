
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
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_binarymime;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_smtputf8;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_starttls;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_auth;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_enhanced;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_dsn;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_limits;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_requiretls;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_priority;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_deliverby;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_release;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_rrvs;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_soliciting;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_mtrk;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_prdr;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_xclient;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_xforward;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_vrfy;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_expn;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_etrn;
extern const ngx_smtp_esmtp_t  ngx_smtp_esmtp_help;


/* in the order in which EHLO names them */

const ngx_smtp_esmtp_t *const  ngx_smtp_esmtp_table[] = {
    &ngx_smtp_esmtp_pipelining,
    &ngx_smtp_esmtp_size,
    &ngx_smtp_esmtp_8bitmime,
    &ngx_smtp_esmtp_chunking,
    &ngx_smtp_esmtp_binarymime,
    &ngx_smtp_esmtp_smtputf8,
    &ngx_smtp_esmtp_starttls,
    &ngx_smtp_esmtp_auth,
    &ngx_smtp_esmtp_enhanced,
    &ngx_smtp_esmtp_dsn,
    &ngx_smtp_esmtp_limits,
    &ngx_smtp_esmtp_requiretls,
    &ngx_smtp_esmtp_priority,
    &ngx_smtp_esmtp_deliverby,
    &ngx_smtp_esmtp_release,
    &ngx_smtp_esmtp_rrvs,
    &ngx_smtp_esmtp_soliciting,
    &ngx_smtp_esmtp_mtrk,
    &ngx_smtp_esmtp_prdr,
    &ngx_smtp_esmtp_xclient,
    &ngx_smtp_esmtp_xforward,
    &ngx_smtp_esmtp_vrfy,
    &ngx_smtp_esmtp_expn,
    &ngx_smtp_esmtp_etrn,
    &ngx_smtp_esmtp_help,
    NULL
};

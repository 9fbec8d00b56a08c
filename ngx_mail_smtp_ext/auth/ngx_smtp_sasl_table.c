
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_sasl.h>


/* in the order in which EHLO names them */

extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_plain;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_login;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_cram_md5;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_scram_sha_1;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_scram_sha_1_plus;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_scram_sha_256;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_scram_sha_256_plus;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_oauthbearer;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_xoauth2;
extern const ngx_smtp_sasl_mech_t  ngx_smtp_sasl_external;


const ngx_smtp_sasl_mech_t *const  ngx_smtp_sasl_table[] = {
    &ngx_smtp_sasl_plain,
    &ngx_smtp_sasl_login,
    &ngx_smtp_sasl_cram_md5,
    &ngx_smtp_sasl_scram_sha_1,
    &ngx_smtp_sasl_scram_sha_1_plus,
    &ngx_smtp_sasl_scram_sha_256,
    &ngx_smtp_sasl_scram_sha_256_plus,
    &ngx_smtp_sasl_oauthbearer,
    &ngx_smtp_sasl_xoauth2,
    &ngx_smtp_sasl_external,
    NULL
};

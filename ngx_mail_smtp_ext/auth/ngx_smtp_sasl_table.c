
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


const ngx_smtp_sasl_mech_t *const  ngx_smtp_sasl_table[] = {
    &ngx_smtp_sasl_plain,
    &ngx_smtp_sasl_login,
    NULL
};


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * The client's messages of SCRAM, RFC 5802, 7.  Pure: nothing is allocated,
 * results point into the message.  What they are worth is the caller's: only
 * their form is looked at.
 */


#ifndef _NGX_SMTP_SCRAM_H_INCLUDED_
#define _NGX_SMTP_SCRAM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_gs2.h>


/* octets of a nonce; those in use have 16 to 64 */
#define NGX_SMTP_SCRAM_NONCE_MAX  256


/* client-first-message */
typedef struct {
    ngx_smtp_gs2_t   gs2;
    ngx_str_t        bare;       /* all behind the gs2-header */
    ngx_str_t        user;       /* as it came, a saslname */
    ngx_str_t        nonce;
} ngx_smtp_scram_first_t;


/* client-final-message */
typedef struct {
    ngx_str_t        binding;    /* base64 of cbind-input, not checked */
    ngx_str_t        nonce;
    ngx_str_t        proof;      /* base64, not checked */
    ngx_str_t        unproved;   /* client-final-message-without-proof */
} ngx_smtp_scram_final_t;


/* NGX_OK or NGX_ERROR: no such message, or it has an extension that must be
   understood ("m=") */
ngx_int_t ngx_smtp_scram_first_parse(ngx_smtp_scram_first_t *first,
    ngx_str_t *text);
ngx_int_t ngx_smtp_scram_final_parse(ngx_smtp_scram_final_t *final,
    ngx_str_t *text);


#endif /* _NGX_SMTP_SCRAM_H_INCLUDED_ */

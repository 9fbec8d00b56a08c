
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * The arithmetic of SCRAM, RFC 5802, 3, from what a server keeps.  Hashes are
 * named by their size: 20 octets are SHA-1's, 32 SHA-256's.  Pure, but for
 * OpenSSL.
 */


#ifndef _NGX_SMTP_SCRAM_HASH_H_INCLUDED_
#define _NGX_SMTP_SCRAM_HASH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_SMTP_SCRAM_HASH_MAX  32


/*
 * Does the proof show that the client has the key?  message: AuthMessage.
 * NGX_OK, NGX_DECLINED, or NGX_ERROR when OpenSSL fails.
 */
ngx_int_t ngx_smtp_scram_verify(size_t size, ngx_str_t *stored,
    ngx_str_t *message, ngx_str_t *proof);

/* HMAC(key, message), size octets: ServerSignature */
ngx_int_t ngx_smtp_scram_hmac(size_t size, ngx_str_t *key,
    ngx_str_t *message, u_char *hmac);


#endif /* _NGX_SMTP_SCRAM_HASH_H_INCLUDED_ */

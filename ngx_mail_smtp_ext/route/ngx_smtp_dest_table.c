
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_route.h>


/*
 * What smtp_pass can name: a row for each scheme.  relay/ implements them.
 */


extern const ngx_smtp_dest_type_t  ngx_smtp_dest_smtp;
extern const ngx_smtp_dest_type_t  ngx_smtp_dest_smtps;
extern const ngx_smtp_dest_type_t  ngx_smtp_dest_lmtp;
extern const ngx_smtp_dest_type_t  ngx_smtp_dest_http;
extern const ngx_smtp_dest_type_t  ngx_smtp_dest_https;
extern const ngx_smtp_dest_type_t  ngx_smtp_dest_maildir;
extern const ngx_smtp_dest_type_t  ngx_smtp_dest_discard;
extern const ngx_smtp_dest_type_t  ngx_smtp_dest_reject;

ngx_smtp_dest_t *ngx_smtp_relay_dest_make(ngx_pool_t *pool, ngx_str_t *host,
    in_port_t port);


const ngx_smtp_dest_type_t *const  ngx_smtp_dest_table[] = {
    &ngx_smtp_dest_smtp,
    &ngx_smtp_dest_smtps,
    &ngx_smtp_dest_lmtp,
    &ngx_smtp_dest_http,
    &ngx_smtp_dest_https,
    &ngx_smtp_dest_maildir,
    &ngx_smtp_dest_discard,
    &ngx_smtp_dest_reject,
    NULL
};


ngx_smtp_dest_t *(*const ngx_smtp_dest_make)(ngx_pool_t *pool,
    ngx_str_t *host, in_port_t port) = ngx_smtp_relay_dest_make;


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>


/*
 * What peer/ needs of those above it, who include it.
 */


extern const ngx_smtp_peer_key_t  ngx_smtp_route_key;


const ngx_smtp_peer_key_t *const  ngx_smtp_peer_key = &ngx_smtp_route_key;

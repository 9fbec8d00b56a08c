
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * TLS towards servers: settings, handshake, verification, and the sessions
 * that are resumed.  For every client in the house.
 */


#ifndef _NGX_SMTP_PEER_TLS_H_INCLUDED_
#define _NGX_SMTP_PEER_TLS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


typedef struct ngx_smtp_peer_tls_s       ngx_smtp_peer_tls_t;
typedef struct ngx_smtp_peer_tls_conf_s  ngx_smtp_peer_tls_conf_t;


/* as configured, by directives that are called as nginx's proxy_ssl_* */
struct ngx_smtp_peer_tls_conf_s {
    ngx_uint_t                 protocols;          /* NGX_SSL_* */
    ngx_str_t                  ciphers;
    ngx_str_t                  certificate;        /* of ours */
    ngx_str_t                  certificate_key;
    ngx_array_t               *passwords;          /* of the key */
    ngx_array_t               *conf_commands;
    ngx_str_t                  trusted_certificate;
    ngx_str_t                  crl;
    ngx_flag_t                 verify;
    ngx_uint_t                 verify_depth;
    ngx_str_t                  name;               /* empty: the server's */
    ngx_flag_t                 server_name;        /* SNI */
    ngx_flag_t                 session_reuse;

    /*
     * Set after _init(), as for the web: verified unless told otherwise, by
     * whom the system trusts where nobody is named; an end of the connection
     * that TLS does not know of is an error.
     */
    unsigned                   strict:1;

    ngx_smtp_peer_tls_conf_t  *source;             /* whose tls is shared */
    ngx_smtp_peer_tls_t       *tls;
};


/* configuration time */

void ngx_smtp_peer_tls_conf_init(ngx_smtp_peer_tls_conf_t *conf);
void ngx_smtp_peer_tls_conf_merge(ngx_smtp_peer_tls_conf_t *conf,
    ngx_smtp_peer_tls_conf_t *prev);

/*
 * Sets conf->tls; one that was inherited as a whole is made once.  prefix is
 * that of the directives, for messages.  NGX_OK, or NGX_ERROR after logging.
 */
ngx_int_t ngx_smtp_peer_tls_create(ngx_conf_t *cf,
    ngx_smtp_peer_tls_conf_t *conf, char *prefix);

/* the setter of ..._password_file; offset is that of passwords */
char *ngx_smtp_peer_tls_passwords_slot(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* run time */

/*
 * Makes c ready for a handshake with the server at that address; host is its
 * name as configured, or empty.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_smtp_peer_tls_start(ngx_smtp_peer_tls_t *tls,
    ngx_connection_t *c, struct sockaddr *sockaddr, socklen_t socklen,
    ngx_str_t *host);

/*
 * NGX_OK: done; the caller sets the handlers of c's events again, and looks
 * whether there is something to read.  NGX_AGAIN: handler is that of both
 * events; it calls this again, unless it finds a time-out or c->close.
 * NGX_ERROR: failed, which was logged.
 */
ngx_int_t ngx_smtp_peer_tls_handshake(ngx_connection_t *c,
    ngx_event_handler_pt handler);

/*
 * RFC 6125: is the server whom it should be?  NGX_OK; NGX_DECLINED: that was
 * not to be verified; NGX_ERROR: it is not, which was logged with level.
 */
ngx_int_t ngx_smtp_peer_tls_verify(ngx_connection_t *c, ngx_uint_t level);

/*
 * A server with whom TLS has failed is remembered for some time: NGX_OK or
 * NGX_ERROR (no memory).  _broken(): is it?
 */
ngx_int_t ngx_smtp_peer_tls_set_broken(ngx_smtp_peer_tls_t *tls,
    struct sockaddr *sockaddr, socklen_t socklen, ngx_str_t *host,
    ngx_msec_t time);
ngx_uint_t ngx_smtp_peer_tls_broken(ngx_smtp_peer_tls_t *tls,
    struct sockaddr *sockaddr, socklen_t socklen, ngx_str_t *host);


#endif /* _NGX_SMTP_PEER_TLS_H_INCLUDED_ */

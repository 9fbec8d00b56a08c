
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * What the files of peer/ share.  Groups that are configured live in the
 * cycle's pool; their marks, weights and kept connections are a worker's own
 * from the fork on.
 */


#ifndef _NGX_SMTP_PEER_PRIVATE_H_INCLUDED_
#define _NGX_SMTP_PEER_PRIVATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>


/* port of a server in smtp_upstream{} that names none: SMTP's */
#define NGX_SMTP_PEER_PORT             25

/* a connection's pool: its log and what TLS or a client adds to it */
#define NGX_SMTP_PEER_POOL_SIZE        512

/* addresses of one name that a request tries, whatever the DNS answers */
#define NGX_SMTP_PEER_ADDRS_MAX        16

/* the resolver waits forever with 0; nginx's default is what we take then */
#define NGX_SMTP_PEER_RESOLVE_TIMEOUT  30000


/* a server as configured */
typedef struct {
    ngx_str_t               url;
    ngx_str_t               host;
    in_port_t               port;

    ngx_addr_t             *addrs;          /* of a literal, or resolved while
                                               reading the configuration */
    ngx_uint_t              naddrs;

    ngx_int_t               weight;
    ngx_uint_t              max_fails;
    time_t                  fail_timeout;

    u_char                 *file_name;
    ngx_uint_t              line;

    unsigned                backup:1;
    unsigned                down:1;
    unsigned                resolve:1;
} ngx_smtp_server_conf_t;


/* what is chosen: an address, or a name resolved at run time */
struct ngx_smtp_server_s {
    struct sockaddr        *sockaddr;       /* NULL: a name */
    socklen_t               socklen;
    ngx_str_t               name;

    ngx_str_t               host;
    in_port_t               port;
    ngx_uint_t              rotate;         /* address to begin with */

    ngx_int_t               weight;
    ngx_int_t               effective_weight;
    ngx_int_t               current_weight;

    ngx_uint_t              fails;
    ngx_uint_t              max_fails;
    time_t                  accessed;
    time_t                  checked;
    time_t                  fail_timeout;

    unsigned                backup:1;
    unsigned                down:1;
};


struct ngx_smtp_upstream_s {
    /* the smtp_upstream{} that a reference turned out to name, or itself */
    ngx_smtp_upstream_t    *group;

    ngx_str_t               name;
    in_port_t               port;
    u_char                 *file_name;
    ngx_uint_t              line;

    ngx_array_t            *confs;          /* of ngx_smtp_server_conf_t */

    ngx_smtp_server_t      *servers;
    ngx_uint_t              nservers;

    /* kept connections: last put back first; and unused items */
    ngx_queue_t             cache;
    ngx_queue_t             free;

    ngx_uint_t              keepalive;
    ngx_uint_t              keepalive_requests;
    ngx_msec_t              keepalive_timeout;

    unsigned                defined:1;      /* by smtp_upstream{} */
    unsigned                has_port:1;     /* referred to with a port */
    unsigned                no_resolver:1;  /* referred to where none is */
    unsigned                single:1;
};


/* where a group was referred to: decides who has a resolver */
typedef struct {
    ngx_smtp_upstream_t    *upstream;
    void                   *ctx;
} ngx_smtp_reference_t;


typedef struct {
    ngx_array_t             upstreams;      /* of ngx_smtp_upstream_t * */
    ngx_array_t             references;     /* of ngx_smtp_reference_t */

    ngx_resolver_t         *resolver;       /* mail{}'s, once bound */

    unsigned                bound:1;
} ngx_smtp_peer_conf_t;


/* ngx_mail_smtp_ext_peer_module.c, which alone knows nginx's mail */

ngx_smtp_peer_conf_t *ngx_mail_smtp_ext_peer_conf(ngx_conf_t *cf);
ngx_smtp_peer_conf_t *ngx_mail_smtp_ext_peer_cycle_conf(void);

/* of the server{} that ctx is of, or inherited when it says nothing */
ngx_resolver_t *ngx_mail_smtp_ext_peer_resolver(void *ctx,
    ngx_resolver_t *inherited);


/* ngx_smtp_upstream.c */

ngx_smtp_upstream_t *ngx_smtp_upstream_create(ngx_conf_t *cf,
    ngx_smtp_peer_conf_t *conf, ngx_str_t *name);
ngx_smtp_upstream_t *ngx_smtp_upstream_defined(ngx_smtp_peer_conf_t *conf,
    ngx_str_t *name);
ngx_smtp_server_conf_t *ngx_smtp_upstream_server(ngx_conf_t *cf,
    ngx_smtp_upstream_t *upstream, ngx_url_t *u);

/* after all of mail{} was read: names become groups, groups get servers */
ngx_int_t ngx_smtp_upstream_bind_all(ngx_conf_t *cf,
    ngx_smtp_peer_conf_t *conf);


/* ngx_smtp_peer_rr.c */

/* marks the server as tried and sets peer->server; NULL: none is left */
ngx_smtp_server_t *ngx_smtp_peer_rr_get(ngx_smtp_peer_t *peer);
void ngx_smtp_peer_rr_free(ngx_smtp_peer_t *peer, ngx_uint_t failed);


/* ngx_smtp_peer.c */

/* as ngx_smtp_peer_get(); goes on after a name was resolved, too */
ngx_int_t ngx_smtp_peer_next(ngx_smtp_peer_t *peer);

/* makes the log of c's own what log is, and c use it */
void ngx_smtp_peer_set_log(ngx_connection_t *c, ngx_log_t *log);


/* ngx_smtp_peer_resolve.c */

/*
 * The addresses of peer->server's name.  NGX_OK: there are some.  NGX_AGAIN:
 * peer->op will finish.  NGX_DECLINED: there are none, logged and counted.
 */
ngx_int_t ngx_smtp_peer_resolve(ngx_smtp_peer_t *peer);

/* takes the next of them; NGX_OK or NGX_ERROR (no memory) */
ngx_int_t ngx_smtp_peer_resolved(ngx_smtp_peer_t *peer);


/* ngx_smtp_peer_cache.c */

ngx_int_t ngx_smtp_peer_cache_init(ngx_pool_t *pool,
    ngx_smtp_upstream_t *upstream);
void ngx_smtp_peer_cache_close(ngx_smtp_upstream_t *upstream);


#endif /* _NGX_SMTP_PEER_PRIVATE_H_INCLUDED_ */

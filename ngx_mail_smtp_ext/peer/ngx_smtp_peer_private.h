
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * What the files of peer/ share.  Groups that are configured live in the
 * cycle's pool; their kept connections are a worker's own from the fork on,
 * and so is the state of their servers, unless a zone has it.
 */


#ifndef _NGX_SMTP_PEER_PRIVATE_H_INCLUDED_
#define _NGX_SMTP_PEER_PRIVATE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_peer.h>
#include <ngx_smtp_peer_tls.h>


/* port of a server in smtp_upstream{} that names none: SMTP's */
#define NGX_SMTP_PEER_PORT             25

/* a connection's pool: its log and what TLS or a client adds to it */
#define NGX_SMTP_PEER_POOL_SIZE        512

/*
 * The largest weight: that of an SRV record.  No more points in all are made
 * for "hash ... consistent" than a group of this weight would have.
 */
#define NGX_SMTP_PEER_WEIGHT_MAX       65535
#define NGX_SMTP_PEER_POINTS_WEIGHT    1000

/*
 * A slow start goes through as many steps, even of a server whose weight is
 * 1: in groups that have one, weights count by this.
 */
#define NGX_SMTP_PEER_SCALE            100

/* addresses of one name that a request tries, whatever the DNS answers */
#define NGX_SMTP_PEER_ADDRS_MAX        16

/* the resolver waits forever with 0; nginx's default is what we take then */
#define NGX_SMTP_PEER_RESOLVE_TIMEOUT  30000

/* servers that a name with "resolve" can become, whatever the DNS answers */
#define NGX_SMTP_PEER_NAME_MAX         128


/*
 * How often waiting requests look whether there is a server for them, when
 * nothing in their own worker tells so.  In a zone another worker may have
 * set a connection free; without one only the time brings a server back.
 */
#define NGX_SMTP_PEER_POLL_ZONE        50
#define NGX_SMTP_PEER_POLL             1000

/* seconds between two messages that a group is loaded to its limit */
#define NGX_SMTP_PEER_BUSY_LOG         60


typedef struct ngx_smtp_check_conf_s  ngx_smtp_check_conf_t;


/* a server as configured */
typedef struct {
    ngx_str_t               url;
    ngx_str_t               host;
    ngx_str_t               service;        /* of SRV records; may be empty */
    in_port_t               port;

    ngx_addr_t             *addrs;          /* of a literal, or resolved while
                                               reading the configuration */
    ngx_uint_t              naddrs;

    ngx_int_t               weight;
    ngx_uint_t              max_conns;      /* 0: no limit */
    ngx_uint_t              max_fails;
    time_t                  fail_timeout;
    ngx_msec_t              slow_start;

    u_char                 *file_name;
    ngx_uint_t              line;

    unsigned                backup:1;
    unsigned                down:1;
    unsigned                resolve:1;
    unsigned                checked:1;      /* smtp_health_check */
    unsigned                mandatory:1;    /* ... before it is used */
} ngx_smtp_server_conf_t;


/*
 * What is chosen: an address, or a name that is resolved for each request.
 * In a zone all but conf, which is the cycle's: the same in all its workers.
 */
struct ngx_smtp_server_s {
    ngx_smtp_server_t      *next;
    ngx_smtp_server_conf_t *conf;
    ngx_uint_t              id;             /* never used again in a group */

    ngx_sockaddr_t          sockaddr;
    socklen_t               socklen;        /* 0: a name */
    ngx_str_t               name;           /* "127.0.0.1:25" */
    ngx_str_t               target;         /* as it was configured */
    ngx_uint_t              rotate;         /* address to begin with */

    ngx_int_t               weight;
    ngx_int_t               effective_weight;
    ngx_int_t               current_weight;

    ngx_uint_t              conns;          /* in use, or about to be */

    ngx_uint_t              fails;
    time_t                  accessed;       /* of the last failure */
    time_t                  checked;

    ngx_msec_t              start;          /* of a slow start */
    ngx_uint_t              check_passes;   /* in a row */
    ngx_uint_t              check_fails;

    ngx_smtp_server_count_t count;

    unsigned                backup:1;
    unsigned                starting:1;     /* slowly */
    unsigned                unhealthy:1;    /* by checks */
    unsigned                checking:1;     /* ... since there was none yet */
    unsigned                outage:1;       /* it was said that it fails */
    unsigned                zombie:1;       /* gone, but for its conns */
    unsigned                heap:1;         /* not the configuration's pool */

    uint32_t                conns_of[1];    /* in a zone, by worker: what one
                                               that was killed had */
};


/* a name with "resolve": its addresses are servers while they are so */
typedef struct {
    ngx_smtp_server_conf_t *conf;
    time_t                  valid;          /* until when */

    unsigned                asked:1;        /* there was an answer, or none */
    unsigned                outage:1;       /* it was said that there is none */
} ngx_smtp_name_t;


/* those that are not backups, or those that are, in a fixed order */
typedef struct {
    ngx_smtp_server_t      *first;
    ngx_uint_t              number;
    ngx_uint_t              weight;         /* of all */
} ngx_smtp_server_set_t;


/* the servers of a group and their state, in a zone or the worker's own */
typedef struct ngx_smtp_servers_s  ngx_smtp_servers_t;

struct ngx_smtp_servers_s {
    ngx_slab_pool_t        *shpool;         /* NULL: the worker's own */
    ngx_pool_t             *pool;           /* while that is configured */

    ngx_smtp_servers_t     *next;           /* in the same zone */
    ngx_str_t               name;           /* of the group */

    ngx_smtp_server_set_t   sets[2];        /* [1]: backups */
    ngx_smtp_server_t      *zombies;

    ngx_smtp_name_t        *names;
    ngx_uint_t              nnames;

    ngx_uint_t              version;        /* moves on when servers change */
    ngx_uint_t              gone;           /* ... when what is kept must go */
    ngx_uint_t              scale;          /* of weights in a round */
    ngx_uint_t              last_id;
    ngx_uint_t              nworkers;
    ngx_pid_t              *pids;           /* of the workers; 0: none yet */

    unsigned                single:1;
    unsigned                dead:1;         /* it was said that all are down */
};


/* the lock is held for a few steps only: nothing is logged or sent in them */

#define ngx_smtp_servers_lock(servers)                                       \
    if ((servers)->shpool) {                                                 \
        ngx_shmtx_lock(&(servers)->shpool->mutex);                           \
    }

#define ngx_smtp_servers_unlock(servers)                                     \
    if ((servers)->shpool) {                                                 \
        ngx_shmtx_unlock(&(servers)->shpool->mutex);                         \
    }


/* a way to choose a server, a descriptor each; ngx_smtp_peer_<name>.c */
typedef struct {
    ngx_str_t               name;           /* the directive's */

    /* the directive's arguments, in cf->args; NULL: it has none */
    char                 *(*parse)(ngx_conf_t *cf,
                                   ngx_smtp_upstream_t *upstream);

    /*
     * The next server for peer, out of those that are candidates; NULL: there
     * is none.  Called with the lock held.
     */
    ngx_smtp_server_t    *(*get)(ngx_smtp_peer_t *peer,
                                 ngx_smtp_server_set_t *set, time_t now);

    unsigned                ranks:1;        /* "backup" and "slow_start" have
                                               a meaning */
} ngx_smtp_balancer_t;


struct ngx_smtp_upstream_s {
    /* the smtp_upstream{} that a reference turned out to name, or itself */
    ngx_smtp_upstream_t    *group;

    ngx_str_t               name;
    in_port_t               port;
    u_char                 *file_name;
    ngx_uint_t              line;

    ngx_array_t            *confs;          /* of ngx_smtp_server_conf_t */
    ngx_resolver_t         *resolver;       /* of names with "resolve" */
    ngx_msec_t              resolver_timeout;
    void                   *questions;      /* ... under way, by names.c */
    ngx_uint_t              nnames;
    ngx_shm_zone_t         *zone;
    ngx_smtp_servers_t     *servers;

    const ngx_smtp_balancer_t  *balancer;
    void                   *hash_key;       /* of "hash", compiled */
    void                   *points;         /* of "hash ... consistent" */

    ngx_smtp_check_conf_t  *check;          /* NULL: servers are not checked */
    ngx_queue_t             checks;         /* by this worker */
    ngx_event_t             check_event;
    ngx_uint_t              check_version;  /* of servers */

    /* who waits for a server */
    ngx_queue_t             waiting;
    ngx_uint_t              nwaiting;
    ngx_event_t             wake;
    ngx_uint_t              queue_max;
    ngx_msec_t              queue_timeout;
    time_t                  busy_logged;
    time_t                  buried;         /* when it was looked for dead */

    /* kept connections: last put back first; and unused items */
    ngx_queue_t             cache;
    ngx_queue_t             free;
    ngx_uint_t              cache_gone;     /* servers->gone, when swept */

    ngx_uint_t              keepalive;
    ngx_uint_t              keepalive_requests;
    ngx_msec_t              keepalive_timeout;
    ngx_msec_t              keepalive_time;

    unsigned                defined:1;      /* by smtp_upstream{} */
    unsigned                has_port:1;     /* referred to with a port */
    unsigned                no_resolver:1;  /* referred to where none is */
    unsigned                dynamic:1;      /* servers come and go, or are
                                               marked by others */
};


/* where a group was referred to: decides who has a resolver */
typedef struct {
    ngx_smtp_upstream_t    *upstream;
    void                   *ctx;
} ngx_smtp_reference_t;


typedef struct {
    ngx_array_t             upstreams;      /* of ngx_smtp_upstream_t * */
    ngx_array_t             references;     /* of ngx_smtp_reference_t */

    ngx_cycle_t            *cycle;
    ngx_resolver_t         *resolver;       /* mail{}'s, once bound */
    ngx_msec_t              resolver_timeout;

    unsigned                bound:1;
} ngx_smtp_peer_conf_t;


/* a context, and what a worker remembers of the servers it was used with */
struct ngx_smtp_peer_tls_s {
    ngx_ssl_t               ssl;
    ngx_str_t               name;

    ngx_queue_t             servers;        /* last used first */
    ngx_uint_t              nservers;

    unsigned                verify:1;
    unsigned                server_name:1;
    unsigned                session_reuse:1;
};


extern ngx_module_t  ngx_mail_smtp_ext_peer_module;

extern const ngx_smtp_balancer_t  ngx_smtp_balancer_rr;
extern const ngx_smtp_balancer_t  ngx_smtp_balancer_least_conn;
extern const ngx_smtp_balancer_t  ngx_smtp_balancer_ip_hash;
extern const ngx_smtp_balancer_t  ngx_smtp_balancer_hash;
extern const ngx_smtp_balancer_t  ngx_smtp_balancer_consistent;
extern const ngx_smtp_balancer_t  ngx_smtp_balancer_random;
extern const ngx_smtp_balancer_t  ngx_smtp_balancer_random_two;


/* ngx_mail_smtp_ext_peer_module.c, which alone knows nginx's mail */

ngx_smtp_peer_conf_t *ngx_mail_smtp_ext_peer_conf(ngx_conf_t *cf);
ngx_smtp_peer_conf_t *ngx_mail_smtp_ext_peer_cycle_conf(void);

/* of the server{} that ctx is of, or inherited when it says nothing */
ngx_resolver_t *ngx_mail_smtp_ext_peer_resolver(void *ctx,
    ngx_resolver_t *inherited);

/* of mail{} */
ngx_msec_t ngx_mail_smtp_ext_peer_resolver_timeout(void *ctx);


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


/* ngx_smtp_upstream_conf.c: setters */

char *ngx_smtp_upstream_conf_server(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_smtp_upstream_conf_balancer(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_smtp_upstream_conf_queue(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_smtp_upstream_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_smtp_upstream_conf_resolver(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* ngx_smtp_servers.c */

/* all of upstream->confs; NGX_OK or NGX_ERROR (no memory) */
ngx_int_t ngx_smtp_servers_fill(ngx_smtp_servers_t *servers,
    ngx_smtp_upstream_t *upstream);

/* one more, zeroed but for what is given, in no set yet; NULL: no memory */
ngx_smtp_server_t *ngx_smtp_servers_new(ngx_smtp_servers_t *servers,
    ngx_smtp_server_conf_t *sc, struct sockaddr *sockaddr, socklen_t socklen,
    ngx_str_t *target);
void ngx_smtp_servers_insert(ngx_smtp_servers_t *servers,
    ngx_smtp_server_t *server);

/* is there one that may be healthy, which its first check will tell? */
ngx_uint_t ngx_smtp_servers_checking(ngx_smtp_servers_t *servers);

/* takes it out of its set; it is gone when nothing is in use any more */
void ngx_smtp_servers_remove(ngx_smtp_servers_t *servers,
    ngx_smtp_server_t *server);

/* all that are not the configuration's pool's */
void ngx_smtp_servers_destroy(ngx_smtp_servers_t *servers);

/*
 * The server that was chosen as server, with its id: itself when it is
 * certain to be there, NULL when it is gone for good.
 */
ngx_smtp_server_t *ngx_smtp_servers_find(ngx_smtp_upstream_t *upstream,
    ngx_smtp_server_t *server, ngx_uint_t id);

/* a connection to server begins, ends; it may be gone after the latter */
void ngx_smtp_servers_hold(ngx_smtp_servers_t *servers,
    ngx_smtp_server_t *server);
void ngx_smtp_servers_release(ngx_smtp_servers_t *servers,
    ngx_smtp_server_t *server);

/* this worker begins: what the one that it replaces held is free */
void ngx_smtp_servers_enter(ngx_smtp_servers_t *servers);

/* what workers held that were killed and that nobody replaces is free */
void ngx_smtp_servers_bury(ngx_smtp_servers_t *servers);


/* ngx_smtp_peer_rr.c */

/* server takes part in a round: its weight there */
ngx_int_t ngx_smtp_peer_weigh(ngx_smtp_servers_t *servers,
    ngx_smtp_server_t *server);

/* out of that weight, scaled, what a server that has just begun gets */
ngx_int_t ngx_smtp_peer_weight(ngx_smtp_servers_t *servers,
    ngx_smtp_server_t *server, ngx_int_t weight);

/* it was down, and is not any more */
void ngx_smtp_peer_slow_start(ngx_smtp_server_t *server);


/* ngx_smtp_peer_least_conn.c */

/* < 0: one has less to do than two, for its weight */
ngx_int_t ngx_smtp_peer_load_cmp(ngx_smtp_servers_t *servers,
    ngx_smtp_server_t *one, ngx_smtp_server_t *two);


/* ngx_smtp_peer_consistent.c */

ngx_int_t ngx_smtp_peer_consistent_init(ngx_conf_t *cf,
    ngx_smtp_upstream_t *upstream);


/* ngx_smtp_peer_names.c */

ngx_int_t ngx_smtp_peer_names_init(ngx_conf_t *cf,
    ngx_smtp_upstream_t *upstream);

/* begins to ask, in the worker that does that */
void ngx_smtp_peer_names_start(ngx_smtp_upstream_t *upstream);

/* are there names that nothing is known of yet?  With the lock held */
ngx_uint_t ngx_smtp_peer_names_unasked(ngx_smtp_servers_t *servers);

/* a server at that address, of name's; NULL: no memory.  addr's port counts
   for a service alone */
ngx_smtp_server_t *ngx_smtp_peer_names_add(ngx_smtp_servers_t *servers,
    ngx_smtp_name_t *name, struct sockaddr *sockaddr, socklen_t socklen,
    ngx_str_t *target, ngx_uint_t weight, ngx_uint_t backup);


/* ngx_smtp_check_conf.c, ngx_smtp_check.c */

char *ngx_smtp_check_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* check may be NULL */
ngx_uint_t ngx_smtp_check_mandatory(ngx_smtp_check_conf_t *check);

/* of a worker: begins to check, ends it */
void ngx_smtp_check_start(ngx_smtp_upstream_t *upstream);
void ngx_smtp_check_exit(ngx_smtp_upstream_t *upstream);


/* ngx_smtp_peer_zone.c */

ngx_int_t ngx_smtp_peer_zone_init(ngx_shm_zone_t *zone, void *data);


/* ngx_smtp_peer_mark.c */

/* is it to be passed over, whoever asks? */
ngx_uint_t ngx_smtp_peer_down(ngx_smtp_server_t *server, time_t now);

/* may peer have it now?  Sets peer->busy when only max_conns is against it */
ngx_uint_t ngx_smtp_peer_candidate(ngx_smtp_peer_t *peer,
    ngx_smtp_server_t *server, time_t now);

/* chosen: it will not be chosen again for this peer */
ngx_int_t ngx_smtp_peer_tried(ngx_smtp_peer_t *peer,
    ngx_smtp_server_t *server);

/*
 * With every server down the marks tell nothing any more: those that this
 * request has not tried get their chance.  1: there is something to choose
 * from again; once for a peer.
 */
ngx_uint_t ngx_smtp_peer_forgive(ngx_smtp_peer_t *peer, time_t now);

/* how peer's server did; takes the lock */
void ngx_smtp_peer_mark(ngx_smtp_peer_t *peer, ngx_uint_t result);


/* ngx_smtp_peer.c */

/*
 * As ngx_smtp_peer_get(), also for who has waited, or had a name resolved.
 * NGX_BUSY: there would be a server, but for max_conns.
 */
ngx_int_t ngx_smtp_peer_next(ngx_smtp_peer_t *peer);


/* ngx_smtp_peer_queue.c */

/*
 * For a server that is busy, or a name that is unresolved.  NGX_AGAIN:
 * peer->op will finish.  NGX_DECLINED: too many wait.
 */
ngx_int_t ngx_smtp_peer_wait(ngx_smtp_peer_t *peer);

/* logs that there is no connection for peer */
void ngx_smtp_peer_queue_busy(ngx_smtp_peer_t *peer);

/* there may be something for who waits */
void ngx_smtp_peer_wake(ngx_smtp_upstream_t *upstream);


/* ngx_smtp_peer_conn.c */

/* a connection's own: its log, and what it counts for; in its pool */
typedef struct {
    ngx_log_t               log;
    ngx_smtp_upstream_t    *upstream;
    ngx_smtp_server_t      *server;         /* NULL: for none */
    ngx_uint_t              server_id;
} ngx_smtp_peer_own_t;

ngx_smtp_peer_own_t *ngx_smtp_peer_own(ngx_connection_t *c);

/* makes the log of c's own what log is, and c use it */
void ngx_smtp_peer_set_log(ngx_connection_t *c, ngx_log_t *log);

/* c counts for peer's server; for that one; for none */
void ngx_smtp_peer_lease(ngx_smtp_peer_t *peer, ngx_connection_t *c);
void ngx_smtp_peer_unlease(ngx_connection_t *c);


/* ngx_smtp_peer_resolve.c */

/*
 * The addresses of peer->server's name.  NGX_OK: there are some.  NGX_AGAIN:
 * peer->op will finish.  NGX_DECLINED: there are none, logged and counted.
 */
ngx_int_t ngx_smtp_peer_resolve(ngx_smtp_peer_t *peer);

/* takes the next of them */
void ngx_smtp_peer_resolved(ngx_smtp_peer_t *peer);


/* ngx_smtp_peer_cache.c */

ngx_int_t ngx_smtp_peer_cache_init(ngx_pool_t *pool,
    ngx_smtp_upstream_t *upstream);
void ngx_smtp_peer_cache_close(ngx_smtp_upstream_t *upstream);

/* closes those whose server is gone, or unhealthy */
void ngx_smtp_peer_cache_sweep(ngx_smtp_upstream_t *upstream);

/* leaves at most that many to a server */
void ngx_smtp_peer_cache_trim(ngx_smtp_upstream_t *upstream,
    ngx_uint_t server_id, ngx_uint_t max);


/* ngx_smtp_peer_tls.c: the context's cleanup, with all that is remembered */

void ngx_smtp_peer_tls_destroy(void *data);


#endif /* _NGX_SMTP_PEER_PRIVATE_H_INCLUDED_ */

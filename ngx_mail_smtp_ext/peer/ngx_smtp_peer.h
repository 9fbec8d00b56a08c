
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Groups of servers (smtp_upstream), the choice of one of them, connections
 * to it, and connections kept for the next.  Used by every client in the
 * house: the relay's and the HTTP services'.  Knows nothing of sessions.
 */


#ifndef _NGX_SMTP_PEER_H_INCLUDED_
#define _NGX_SMTP_PEER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include <ngx_smtp_op.h>


typedef struct ngx_smtp_upstream_s  ngx_smtp_upstream_t;
typedef struct ngx_smtp_server_s    ngx_smtp_server_t;


/* what a server has done, in this worker or with a zone in all of them */
typedef struct {
    ngx_uint_t             requests;         /* times it was chosen */
    ngx_uint_t             failures;
    ngx_uint_t             outages;          /* max_fails was reached */
    ngx_uint_t             checks;
    ngx_uint_t             checks_failed;
    ngx_uint_t             unhealthy;        /* times it became so */
    time_t                 selected;         /* the last time; 0: never */
    time_t                 since;            /* it is up, or down; 0: always */
} ngx_smtp_server_count_t;


/* how a server of a group stands */
typedef struct {
    ngx_str_t                upstream;
    ngx_uint_t               waiting;        /* in this worker, for any of the
                                                group */
    ngx_str_t                server;         /* "127.0.0.1:25" */
    ngx_uint_t               weight;
    ngx_uint_t               conns;          /* in use */
    ngx_uint_t               max_conns;      /* 0: no limit */
    ngx_smtp_server_count_t  count;

    unsigned                 backup:1;
    unsigned                 down:1;         /* by configuration */
    unsigned                 failing:1;      /* max_fails */
    unsigned                 unhealthy:1;    /* by checks */
    unsigned                 checking:1;     /* ... none has been yet */
    unsigned                 starting:1;     /* slowly */
} ngx_smtp_server_state_t;


typedef void (*ngx_smtp_server_state_pt)(ngx_smtp_server_state_t *state,
    void *data);

/*
 * Run time: calls each() for every server of every smtp_upstream{}.  It must
 * be quick and must not log, since a lock is held; what state points to is
 * gone afterwards.
 */
void ngx_smtp_upstream_states(ngx_smtp_server_state_pt each, void *data);

/*
 * Configuration time: the group that is named by url.  A name that some
 * smtp_upstream{} has or will have is that group; "host:port", "host",
 * "[::1]:25", "unix:/path" make a group of one server, with port where url
 * has none.  Names that are neither are resolved at run time when there is a
 * resolver, else at once.  The same url and port give the same group.
 * NULL after logging what is wrong.
 */
ngx_smtp_upstream_t *ngx_smtp_upstream_add(ngx_conf_t *cf, ngx_str_t *url,
    in_port_t port);

/*
 * Run time: a smtp_upstream{} by name; NULL when there is none.
 */
ngx_smtp_upstream_t *ngx_smtp_upstream_find(ngx_str_t *name);

/*
 * Run time: a group of one server made from pool, which must outlive every
 * use of it; its connections are never kept.  host is an address literal, a
 * name or unix:/path.  NULL: no memory, or not such a thing.
 */
ngx_smtp_upstream_t *ngx_smtp_upstream_make(ngx_pool_t *pool, ngx_str_t *host,
    in_port_t port);


/*
 * What "hash" is by: a text with variables.  Who knows sessions has it, and
 * ngx_smtp_peer_table.c names it.  compile() is NULL after logging what is
 * wrong; value() gives NGX_OK or NGX_ERROR.
 */
typedef struct {
    void                  *(*compile)(ngx_conf_t *cf, ngx_str_t *text);
    ngx_int_t              (*value)(void *key, void *session,
                                    ngx_pool_t *pool, ngx_str_t *value);
} ngx_smtp_peer_key_t;

extern const ngx_smtp_peer_key_t *const  ngx_smtp_peer_key;


/* servers that a request can try before it needs memory to remember them */
#define NGX_SMTP_PEER_TRIED  4


/*
 * What must be the same, besides the server, for a kept connection to serve:
 * the protocol, how it was made, and for whom.  What the octets mean is its
 * owner's; one that has none is equal to itself only.
 */
typedef struct {
    uint32_t                 hash;               /* of data */
    size_t                   len;
    u_char                  *data;
    ngx_uint_t               owner;              /* of no use without it, see
                                                    _forget(); 0: none */
} ngx_smtp_peer_tag_t;


/* the choice: one per request, remembers which servers have been tried */
typedef struct {
    ngx_smtp_upstream_t     *upstream;
    ngx_pool_t              *pool;
    ngx_log_t               *log;
    ngx_resolver_t          *resolver;           /* may be NULL */
    ngx_msec_t               resolver_timeout;
    ngx_smtp_peer_tag_t     *tag;                /* see _keep() */

    /* for whom: by these ip_hash and hash choose; set after _init() */
    struct sockaddr         *client;             /* may be NULL */
    void                    *session;            /* ngx_smtp_peer_key's */

    /* what was chosen; valid until the next call of _get() */
    struct sockaddr         *sockaddr;
    socklen_t                socklen;
    ngx_str_t                name;               /* "127.0.0.1:25" */
    ngx_str_t                host;               /* as configured, no port */

    ngx_uint_t               tries;              /* servers got so far */

    unsigned                 busy:1;             /* there is another server,
                                                    but for max_conns */
    unsigned                 outage:1;           /* that it fails was logged */

    /* private */
    unsigned                 forgiven:1;
    unsigned                 reserved:1;         /* counts, no connection */
    unsigned                 waiting:1;          /* in upstream's queue */
    unsigned                 unresolved:1;       /* there may be a server */
    unsigned                 nameless:1;         /* one has no address now;
                                                    that was logged */

    ngx_smtp_server_t       *server;
    ngx_uint_t               server_id;
    ngx_uint_t               spare;              /* idle connections that
                                                    max_conns leaves room for */

    ngx_uint_t              *tried;              /* ids */
    ngx_uint_t               ntried;
    ngx_uint_t               tried_max;
    ngx_uint_t               tried_first[NGX_SMTP_PEER_TRIED];

    ngx_str_t                key;                /* of "hash" */
    ngx_uint_t               hash;
    ngx_uint_t               draws;

    ngx_resolver_ctx_t      *resolving;
    ngx_resolver_addr_t     *addrs;
    ngx_uint_t               naddrs;
    ngx_uint_t               naddr;
    ngx_smtp_op_t           *op;
    ngx_queue_t              queue;
    ngx_msec_t               deadline;

    ngx_sockaddr_t           address;
    u_char                   text[NGX_SOCKADDR_STRLEN];
} ngx_smtp_peer_t;


/* fills a zeroed peer; NGX_OK or NGX_ERROR (no memory) */
ngx_int_t ngx_smtp_peer_init(ngx_smtp_peer_t *peer,
    ngx_smtp_upstream_t *upstream, ngx_pool_t *pool, ngx_log_t *log,
    ngx_resolver_t *resolver, ngx_msec_t resolver_timeout);

/*
 * The next server that has not been tried, as the group's balancer has it:
 * one of those that are up, then of the backups.  When every one is down, all
 * failures are forgotten and the choice begins again, once.
 * NGX_OK: sockaddr, socklen, name are set.
 * NGX_AGAIN: a name is being resolved, or all servers that are left are busy
 *     and the request waits for one; op finishes with NGX_OK or NGX_DECLINED.
 *     op must have been started by the caller beforehand; for the other
 *     results it stays untouched.
 * NGX_DECLINED: no server is left, or with peer->busy none is free.
 */
ngx_int_t ngx_smtp_peer_get(ngx_smtp_peer_t *peer, ngx_smtp_op_t *op);


/* how a server did */
#define NGX_SMTP_PEER_PASSED   0    /* well: failures before do not count */
#define NGX_SMTP_PEER_FAILED   1    /* counts for max_fails */
#define NGX_SMTP_PEER_UNKNOWN  2    /* it was not to be seen */

/*
 * Tells how the server did.  Must follow every NGX_OK of _get(), and every
 * NGX_AGAIN whose op was cancelled; no-op when there is nothing to tell of.
 */
void ngx_smtp_peer_free(ngx_smtp_peer_t *peer, ngx_uint_t result);

/*
 * Is there another one that could be had?  It may be gone by the time that it
 * is asked for.
 */
ngx_uint_t ngx_smtp_peer_more(ngx_smtp_peer_t *peer);

/* max_conns of all servers, how many can be had at a time; 0: no limit */
ngx_uint_t ngx_smtp_peer_max_conns(ngx_smtp_upstream_t *upstream);

/*
 * A new connection to what was chosen: non-blocking, with a pool and a log of
 * its own (*log is copied), TCP_NODELAY set, send_chain able to sendfile.
 * NGX_OK: connected.  NGX_AGAIN: under way; c->write becomes ready.  In both
 * cases *cp is the caller's, who sets handlers and data, and looks at
 * ngx_smtp_peer_connected() before the first use.
 * NGX_DECLINED: this server can't be reached.  NGX_ERROR: no resources.
 */
ngx_int_t ngx_smtp_peer_connect(ngx_smtp_peer_t *peer, ngx_connection_t **cp);

/* NGX_OK, or NGX_ERROR after logging why connect() failed */
ngx_int_t ngx_smtp_peer_connected(ngx_connection_t *c);

/* closes c and destroys its pool */
void ngx_smtp_peer_close(ngx_connection_t *c);


/*
 * Keeping.  An idle connection lies in its group's cache; when the server
 * closes it or says something, when it is too old or one too many, or when
 * the worker stops, close(c) is called with c->data as it was given: it must
 * end in ngx_smtp_peer_close().
 */

/*
 * NGX_OK: c is the cache's.  NGX_DECLINED: not kept (keepalive 0, too many
 * requests, worker stopping); c is still the caller's.  tag has to live as long
 * as c.  requests: how many it has carried.  serial tells this stay from any
 * other, for _take().
 */
ngx_int_t ngx_smtp_peer_keep(ngx_smtp_upstream_t *upstream,
    ngx_connection_t *c, struct sockaddr *sockaddr, socklen_t socklen,
    ngx_smtp_peer_tag_t *tag, ngx_uint_t requests,
    void (*close)(ngx_connection_t *c), ngx_uint_t *serial);

/*
 * A kept connection to what was chosen, of peer's tag, the one put back last;
 * NULL when there is none.  Its own log is *log again, as after _connect();
 * the caller sets handlers and data.
 */
ngx_connection_t *ngx_smtp_peer_kept(ngx_smtp_peer_t *peer);

/*
 * The very connection of that stay, if it still lies there.  Its own log is
 * *log again; the caller sets handlers and data.
 */
ngx_connection_t *ngx_smtp_peer_take(ngx_smtp_upstream_t *upstream,
    ngx_uint_t serial, ngx_log_t *log);

/*
 * What was taken is as if peer, which has got no server yet, had chosen it: it
 * is the first try, and _free() must follow.  name is of the connection.
 * NGX_OK or NGX_DECLINED: no memory, or the connection counts for no server,
 * since that had gone when it was made.
 */
ngx_int_t ngx_smtp_peer_adopt(ngx_smtp_peer_t *peer, ngx_connection_t *c,
    struct sockaddr *sockaddr, socklen_t socklen, ngx_str_t *name);

/* closes what is kept with tags of that owner, who will not come again */
void ngx_smtp_peer_forget(ngx_uint_t owner);


#endif /* _NGX_SMTP_PEER_H_INCLUDED_ */

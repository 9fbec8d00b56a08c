
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>
#include <ngx_smtp_zone.h>
#include <ngx_smtp_sasl.h>
#include <ngx_smtp_auth_private.h>


/*
 * Who guesses passwords is slowed down, then shut out: failed logins are
 * counted in a shared zone, for each address and for each user, and forgotten
 * at a steady rate.  So that nobody locks out a user by guessing, the count of
 * a user does not hold for addresses from where that user has logged in.
 */


/* kinds of keys */
#define NGX_SMTP_AUTH_LIMIT_ADDR   'a'
#define NGX_SMTP_AUTH_LIMIT_USER   'u'
#define NGX_SMTP_AUTH_LIMIT_KNOWN  'k'

/* an address where a user has logged in is known for a week */
#define NGX_SMTP_AUTH_LIMIT_WEEK   (7 * 24 * 3600 * 1000)

/* IPv6: what a single customer has at least (RFC 6177) */
#define NGX_SMTP_AUTH_LIMIT_IPV6   8

/* the longest delay of a reply: a connection is held for so long */
#define NGX_SMTP_AUTH_LIMIT_DELAY  30000

/* counts are kept in thousandths */
#define NGX_SMTP_AUTH_LIMIT_ONE    1000


typedef struct {
    uint64_t     count;          /* at last */
    ngx_msec_t   last;
} ngx_smtp_auth_count_t;


static ngx_int_t ngx_smtp_auth_limit_key(ngx_smtp_sasl_t *sasl,
    ngx_uint_t kind, u_char *key);
static uint64_t ngx_smtp_auth_limit_count(ngx_smtp_auth_conf_t *conf,
    u_char *key, ngx_uint_t max);
static ngx_uint_t ngx_smtp_auth_limit_add(ngx_smtp_auth_conf_t *conf,
    u_char *key, ngx_uint_t max);
static void ngx_smtp_auth_limit_delay(ngx_smtp_sasl_t *sasl, ngx_uint_t n);


ngx_int_t
ngx_smtp_auth_limit_check(ngx_smtp_sasl_t *sasl)
{
    uint64_t               count;
    ngx_uint_t             known;
    ngx_smtp_session_t    *s;
    ngx_smtp_auth_conf_t  *conf;
    u_char                 key[NGX_SMTP_ZONE_KEY], pair[NGX_SMTP_ZONE_KEY];

    s = sasl->session;
    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_auth_module);

    if (conf->limit_zone == NULL || s->trusted) {
        return NGX_OK;
    }

    if (conf->limit_address
        && ngx_smtp_auth_limit_key(sasl, NGX_SMTP_AUTH_LIMIT_ADDR, key)
           == NGX_OK)
    {
        ngx_smtp_zone_lock(conf->limit_zone);
        count = ngx_smtp_auth_limit_count(conf, key, conf->limit_address);
        ngx_smtp_zone_unlock(conf->limit_zone);

        if (count + NGX_SMTP_AUTH_LIMIT_ONE
            > conf->limit_address * NGX_SMTP_AUTH_LIMIT_ONE)
        {
            return NGX_ABORT;
        }
    }

    if (conf->limit_user
        && ngx_smtp_auth_limit_key(sasl, NGX_SMTP_AUTH_LIMIT_USER, key)
           == NGX_OK
        && ngx_smtp_auth_limit_key(sasl, NGX_SMTP_AUTH_LIMIT_KNOWN, pair)
           == NGX_OK)
    {
        ngx_smtp_zone_lock(conf->limit_zone);
        count = ngx_smtp_auth_limit_count(conf, key, conf->limit_user);
        known = (ngx_smtp_zone_find(conf->limit_zone, pair) != NULL);
        ngx_smtp_zone_unlock(conf->limit_zone);

        if (!known
            && count + NGX_SMTP_AUTH_LIMIT_ONE
               > conf->limit_user * NGX_SMTP_AUTH_LIMIT_ONE)
        {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


void
ngx_smtp_auth_limit_failed(ngx_smtp_sasl_t *sasl)
{
    ngx_uint_t             n, worst;
    ngx_smtp_session_t    *s;
    ngx_smtp_auth_conf_t  *conf;
    u_char                 key[NGX_SMTP_ZONE_KEY];

    s = sasl->session;
    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_auth_module);

    if (conf->limit_zone == NULL || s->trusted || sasl->counted) {
        return;
    }

    /* once for an exchange, however it comes to its end */

    sasl->counted = 1;
    worst = 0;

    if (conf->limit_address
        && ngx_smtp_auth_limit_key(sasl, NGX_SMTP_AUTH_LIMIT_ADDR, key)
           == NGX_OK)
    {
        worst = ngx_smtp_auth_limit_add(conf, key, conf->limit_address);

        if (worst >= conf->limit_address) {
            sasl->shut_out = 1;
        }
    }

    if (conf->limit_user
        && ngx_smtp_auth_limit_key(sasl, NGX_SMTP_AUTH_LIMIT_USER, key)
           == NGX_OK)
    {
        n = ngx_smtp_auth_limit_add(conf, key, conf->limit_user);

        worst = ngx_max(worst, n);

        if (n == conf->limit_user) {
            ngx_log_error(NGX_LOG_WARN, s->connection->log, 0,
                          "too many failed logins of a user: new addresses "
                          "are shut out");
        }
    }

    if (sasl->shut_out) {
        ngx_log_error(NGX_LOG_WARN, s->connection->log, 0,
                      "too many failed logins of the client: it is shut out");
    }

    ngx_smtp_auth_limit_delay(sasl, worst);
}


void
ngx_smtp_auth_limit_succeeded(ngx_smtp_sasl_t *sasl)
{
    ngx_smtp_session_t    *s;
    ngx_smtp_auth_conf_t  *conf;
    u_char                 pair[NGX_SMTP_ZONE_KEY];

    s = sasl->session;
    conf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_auth_module);

    if (conf->limit_zone == NULL || !conf->limit_user || s->trusted
        || ngx_smtp_auth_limit_key(sasl, NGX_SMTP_AUTH_LIMIT_KNOWN, pair)
           != NGX_OK)
    {
        return;
    }

    ngx_smtp_zone_lock(conf->limit_zone);

    (void) ngx_smtp_zone_insert(conf->limit_zone, pair, 0,
                                NGX_SMTP_AUTH_LIMIT_WEEK);

    ngx_smtp_zone_unlock(conf->limit_zone);
}


/* NGX_DECLINED: there is nothing to be counted by */

static ngx_int_t
ngx_smtp_auth_limit_key(ngx_smtp_sasl_t *sasl, ngx_uint_t kind, u_char *key)
{
    ngx_str_t             fields[2];
    ngx_uint_t            n;
    struct sockaddr      *sa;
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    n = 0;

    if (kind != NGX_SMTP_AUTH_LIMIT_USER) {
        sa = sasl->session->remote.sockaddr;

        switch (sa->sa_family) {

        case AF_INET:
            sin = (struct sockaddr_in *) sa;
            fields[n].data = (u_char *) &sin->sin_addr;
            fields[n].len = sizeof(sin->sin_addr);
            break;

#if (NGX_HAVE_INET6)
        case AF_INET6:
            sin6 = (struct sockaddr_in6 *) sa;
            fields[n].data = sin6->sin6_addr.s6_addr;
            fields[n].len = NGX_SMTP_AUTH_LIMIT_IPV6;

            if (IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr)) {
                /* a socket for both: no network, but a client of IPv4 */
                fields[n].data += 12;
                fields[n].len = sizeof(in_addr_t);
            }

            break;
#endif

        default:
            return NGX_DECLINED;
        }

        n++;
    }

    if (kind != NGX_SMTP_AUTH_LIMIT_ADDR) {

        if (sasl->user.len == 0) {
            return NGX_DECLINED;
        }

        /* to most services names that differ in case are one */

        fields[n].len = sasl->user.len;
        fields[n].data = ngx_pnalloc(sasl->pool, sasl->user.len);
        if (fields[n].data == NULL) {
            return NGX_ERROR;
        }

        ngx_strlow(fields[n].data, sasl->user.data, sasl->user.len);

        n++;
    }

    return ngx_smtp_zone_hash((u_char) kind, fields, n, key,
                              sasl->session->connection->log);
}


/* in thousandths, now; max failures are forgotten in limit_time */

static uint64_t
ngx_smtp_auth_limit_count(ngx_smtp_auth_conf_t *conf, u_char *key,
    ngx_uint_t max)
{
    uint64_t                forgotten;
    ngx_msec_int_t          ms;
    ngx_smtp_zone_entry_t  *entry;
    ngx_smtp_auth_count_t  *count;

    entry = ngx_smtp_zone_find(conf->limit_zone, key);

    if (entry == NULL) {
        return 0;
    }

    count = ngx_smtp_zone_data(entry);

    ms = (ngx_msec_int_t) (ngx_current_msec - count->last);
    ms = ngx_max(ms, 0);

    forgotten = (uint64_t) ms * max * NGX_SMTP_AUTH_LIMIT_ONE
                / conf->limit_time;

    return (forgotten < count->count) ? count->count - forgotten : 0;
}


/* one failure more; how many there are */

static ngx_uint_t
ngx_smtp_auth_limit_add(ngx_smtp_auth_conf_t *conf, u_char *key,
    ngx_uint_t max)
{
    uint64_t                n;
    ngx_smtp_zone_entry_t  *entry;
    ngx_smtp_auth_count_t  *count;

    ngx_smtp_zone_lock(conf->limit_zone);

    n = ngx_smtp_auth_limit_count(conf, key, max) + NGX_SMTP_AUTH_LIMIT_ONE;

    /* those who are shut out are not counted any more */

    n = ngx_min(n, (uint64_t) max * NGX_SMTP_AUTH_LIMIT_ONE);

    entry = ngx_smtp_zone_insert(conf->limit_zone, key,
                                 sizeof(ngx_smtp_auth_count_t),
                                 conf->limit_time);
    if (entry) {
        count = ngx_smtp_zone_data(entry);

        count->count = n;
        count->last = ngx_current_msec;
    }

    ngx_smtp_zone_unlock(conf->limit_zone);

    /* what has been forgotten of one since it came does not count */

    return (ngx_uint_t) ((n + NGX_SMTP_AUTH_LIMIT_ONE - 1)
                         / NGX_SMTP_AUTH_LIMIT_ONE);
}


/* twice as long each time, and at least what the service wants */

static void
ngx_smtp_auth_limit_delay(ngx_smtp_sasl_t *sasl, ngx_uint_t n)
{
    ngx_msec_t             delay;
    ngx_smtp_auth_conf_t  *conf;

    conf = ngx_smtp_session_srv_conf(sasl->session,
                                     ngx_mail_smtp_ext_auth_module);

    delay = conf->limit_delay;

    while (delay && n-- > 1 && delay < NGX_SMTP_AUTH_LIMIT_DELAY) {
        delay *= 2;
    }

    delay = ngx_min(delay, NGX_SMTP_AUTH_LIMIT_DELAY);

    sasl->delay = delay;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_route.h>


/*
 * Where a recipient goes, decided at RCPT: the server's smtp_recipient{}, and
 * for those who may send anywhere, smtp_pass.  With no rule that says
 * otherwise nobody is accepted.
 *
 * One message goes to one destination: RFC 5321, 4.5.3.1.10, has the client
 * send the others, told 452, in a transaction of their own.
 */


/* of a server that an authentication named without one */
#define NGX_SMTP_ROUTE_PORT  25

/* what pcre writes: pairs of offsets, and a third for its own use */
#define NGX_SMTP_ROUTE_OFFSETS  (3 * NGX_SMTP_ROUTE_CAPTURES)


typedef struct {
    ngx_smtp_route_addr_t    addr;
    ngx_int_t                matched;       /* captures that are set */
    int                      offsets[NGX_SMTP_ROUTE_OFFSETS];
} ngx_smtp_route_match_t;


extern ngx_module_t  ngx_mail_smtp_ext_route_module;


static ngx_int_t ngx_smtp_route_find(ngx_smtp_session_t *s,
    ngx_smtp_route_table_t *table, ngx_smtp_rcpt_t *rcpt,
    ngx_smtp_route_match_t *match, ngx_smtp_route_t **route);
static ngx_smtp_route_t *ngx_smtp_route_find_hash(
    ngx_smtp_route_table_t *table, ngx_smtp_route_e kind, u_char *key,
    size_t len);
static ngx_smtp_route_t *ngx_smtp_route_find_subdomain(
    ngx_smtp_route_table_t *table, u_char *p, u_char *last);
static ngx_int_t ngx_smtp_route_find_regex(ngx_smtp_session_t *s,
    ngx_smtp_route_table_t *table, ngx_smtp_route_match_t *match,
    ngx_smtp_route_t **route);
static ngx_int_t ngx_smtp_route_pass(ngx_smtp_session_t *s,
    ngx_smtp_route_choice_t *choice, ngx_smtp_dest_t *pass);
static ngx_int_t ngx_smtp_route_server(ngx_smtp_session_t *s,
    ngx_smtp_route_choice_t *choice);
static ngx_smtp_dest_t *ngx_smtp_route_make(ngx_str_t *server,
    ngx_pool_t *pool);
static ngx_int_t ngx_smtp_route_apply(ngx_smtp_session_t *s,
    ngx_smtp_route_choice_t *choice, ngx_smtp_route_t *route,
    ngx_smtp_route_match_t *match);
static void ngx_smtp_route_capture(ngx_smtp_route_match_t *match,
    ngx_uint_t n, ngx_str_t *text);


ngx_int_t
ngx_smtp_route_connect_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    ngx_mail_smtp_ext_route_srv_conf_t  *rscf;

    rscf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_route_module);

    if (rscf->relay_from
        && ngx_cidr_match(s->remote.sockaddr, rscf->relay_from) == NGX_OK)
    {
        s->trusted = 1;
    }

    return NGX_DECLINED;
}


ngx_int_t
ngx_smtp_route_rcpt_handler(ngx_smtp_session_t *s, ngx_smtp_tx_t *tx,
    ngx_smtp_op_t *op)
{
    ngx_int_t                 rc;
    ngx_smtp_rcpt_t          *rcpt;
    ngx_smtp_route_choice_t   choice;

    rcpt = tx->rcpt;

    choice.rcpt = rcpt;
    choice.pool = tx->pool;
    choice.auth_dest = &tx->auth_dest;
    choice.utf8 = tx->utf8;
    choice.named = 0;

    rc = ngx_smtp_route_choose(s, &choice);

    if (rc == NGX_DECLINED && s->service->hook_dests) {
        /* a hook may still take it; else nobody does */
        return NGX_DECLINED;
    }

    if (rc == NGX_DECLINED) {
        ngx_smtp_verdict_set(&rcpt->verdict, NGX_SMTP_REPLY_RELAY_DENIED);
        return NGX_DONE;
    }

    if (rc == NGX_OK && rcpt->dest->many) {
        rc = rcpt->dest->type->resolve(tx, rcpt);
    }

    return rc;
}


ngx_int_t
ngx_smtp_route_choose(ngx_smtp_session_t *s, ngx_smtp_route_choice_t *choice)
{
    ngx_int_t                            rc;
    ngx_smtp_rcpt_t                     *rcpt;
    ngx_smtp_route_t                    *route;
    ngx_smtp_route_match_t               match;
    ngx_mail_smtp_ext_route_srv_conf_t  *rscf;

    rscf = ngx_smtp_session_srv_conf(s, ngx_mail_smtp_ext_route_module);

    rcpt = choice->rcpt;

    if (rcpt->dest) {

        /* by an auth service, which was asked about it */

        return NGX_OK;
    }

    if (rcpt->server.len) {
        return ngx_smtp_route_server(s, choice);
    }

    rc = ngx_smtp_route_find(s, rscf->table, rcpt, &match, &route);

    if (rc == NGX_DECLINED && choice->named) {
        return NGX_DECLINED;
    }

    if (rc == NGX_DECLINED) {
        rc = ngx_smtp_route_pass(s, choice, rscf->pass);
        route = NULL;
    }

    if (rc == NGX_DECLINED && rscf->table && rscf->table->any) {
        rc = NGX_OK;
        route = rscf->table->any;
    }

    if (rc == NGX_OK && route) {
        rc = ngx_smtp_route_apply(s, choice, route, &match);
    }

    if (rc == NGX_OK) {
        ngx_log_debug3(NGX_LOG_DEBUG_MAIL, s->connection->log, 0,
                       "smtp route \"%V\" to \"%V\" as \"%V\"",
                       &rcpt->given, &rcpt->dest->url, &rcpt->addr);
    }

    return rc;
}


/* NGX_OK, NGX_DECLINED: no smtp_recipient{} but "*" perhaps, NGX_ERROR */

static ngx_int_t
ngx_smtp_route_find(ngx_smtp_session_t *s, ngx_smtp_route_table_t *table,
    ngx_smtp_rcpt_t *rcpt, ngx_smtp_route_match_t *match,
    ngx_smtp_route_t **route)
{
    u_char                 *domain, *last;
    ngx_str_t              *name;
    ngx_smtp_route_addr_t  *addr;

    match->matched = 0;
    addr = &match->addr;

    if (table == NULL) {
        return NGX_DECLINED;
    }

    name = &rcpt->domain;

    if (name->len == 0) {

        /*
         * <Postmaster>: of this server, RFC 5321, 4.1.1.3; so are the names
         * of VRFY and EXPN
         */

        if (rcpt->local.len == sizeof("postmaster") - 1
            && ngx_strncasecmp(rcpt->local.data, (u_char *) "postmaster",
                               sizeof("postmaster") - 1)
               == 0)
        {
            *route = ngx_smtp_route_find_hash(table, NGX_SMTP_ROUTE_EXACT,
                                              (u_char *) "postmaster",
                                              sizeof("postmaster") - 1);
            if (*route) {
                return NGX_OK;
            }
        }

        name = &s->server_name;
    }

    if (ngx_smtp_route_addr_set(addr, &rcpt->local, name) != NGX_OK) {
        return NGX_DECLINED;
    }

    *route = ngx_smtp_route_find_hash(table, NGX_SMTP_ROUTE_EXACT, addr->key,
                                      addr->len);
    if (*route) {
        return NGX_OK;
    }

    last = addr->key + addr->len;
    domain = ngx_min(addr->key + addr->local + 1, last);

    *route = ngx_smtp_route_find_hash(table, NGX_SMTP_ROUTE_DOMAIN, domain,
                                      last - domain);
    if (*route) {
        return NGX_OK;
    }

    *route = ngx_smtp_route_find_subdomain(table, domain, last);
    if (*route) {
        return NGX_OK;
    }

    if (rcpt->local.len == 0) {
        /* a domain as a whole: expressions are about addresses */
        return NGX_DECLINED;
    }

    return ngx_smtp_route_find_regex(s, table, match, route);
}


static ngx_smtp_route_t *
ngx_smtp_route_find_hash(ngx_smtp_route_table_t *table, ngx_smtp_route_e kind,
    u_char *key, size_t len)
{
    ngx_hash_t  *hash;

    hash = &table->hashes[kind];

    if (hash->buckets == NULL) {
        return NULL;
    }

    return ngx_hash_find(hash, ngx_hash_key(key, len), key, len);
}


/* one label after the other is taken off: the longest is found first */

static ngx_smtp_route_t *
ngx_smtp_route_find_subdomain(ngx_smtp_route_table_t *table, u_char *p,
    u_char *last)
{
    ngx_smtp_route_t  *route;

    if (p < last && *p == '[') {
        return NULL;
    }

    for ( ;; ) {
        p = ngx_strlchr(p, last, '.');

        if (p == NULL) {
            return NULL;
        }

        p++;

        route = ngx_smtp_route_find_hash(table, NGX_SMTP_ROUTE_SUBDOMAIN, p,
                                         last - p);
        if (route) {
            return route;
        }
    }
}


static ngx_int_t
ngx_smtp_route_find_regex(ngx_smtp_session_t *s, ngx_smtp_route_table_t *table,
    ngx_smtp_route_match_t *match, ngx_smtp_route_t **route)
{
    ngx_int_t           n;
    ngx_str_t           text;
    ngx_uint_t          i;
    ngx_smtp_route_t  **regex;

    text.data = match->addr.text;
    text.len = match->addr.len;

    regex = table->regexes.elts;

    for (i = 0; i < table->regexes.nelts; i++) {

        n = ngx_regex_exec(regex[i]->regex, &text, match->offsets,
                           NGX_SMTP_ROUTE_OFFSETS);

        if (n == NGX_REGEX_NO_MATCHED) {
            continue;
        }

        if (n < 0) {
            ngx_log_error(NGX_LOG_ERR, s->connection->log, 0,
                          ngx_regex_exec_n " failed: %i on \"%V\" using "
                          "\"%V\"", n, &text, &regex[i]->pattern);
            return NGX_ERROR;
        }

        /* 0: it has more captures than there is room for */

        match->matched = n ? n : NGX_SMTP_ROUTE_CAPTURES;
        *route = regex[i];

        return NGX_OK;
    }

    return NGX_DECLINED;
}


/* those who may send anywhere; NGX_DECLINED: this one may not */

static ngx_int_t
ngx_smtp_route_pass(ngx_smtp_session_t *s, ngx_smtp_route_choice_t *choice,
    ngx_smtp_dest_t *pass)
{
    if (!s->authenticated && !s->trusted && !choice->rcpt->allowed) {
        return NGX_DECLINED;
    }

    if (s->authenticated && s->user->route) {
        choice->rcpt->dest = s->user->route;
        return NGX_OK;
    }

    if (pass) {
        choice->rcpt->dest = pass;
        return NGX_OK;
    }

    if (!s->authenticated || s->user->server.len == 0) {
        return NGX_DECLINED;
    }

    /* one for all recipients, so that they are seen to go to the same place */

    if (*choice->auth_dest == NULL) {
        *choice->auth_dest = ngx_smtp_route_make(&s->user->server,
                                                 choice->pool);
    }

    if (*choice->auth_dest == NULL) {
        ngx_log_error(NGX_LOG_ERR, s->connection->log, 0,
                      "authentication named an invalid server \"%V\"",
                      &s->user->server);
        return NGX_ERROR;
    }

    choice->rcpt->dest = *choice->auth_dest;

    return NGX_OK;
}


/* of this recipient; one for all that have the same server */

static ngx_int_t
ngx_smtp_route_server(ngx_smtp_session_t *s, ngx_smtp_route_choice_t *choice)
{
    ngx_queue_t      *q;
    ngx_smtp_rcpt_t  *rcpt, *other;

    rcpt = choice->rcpt;

    for (q = ngx_queue_head(&s->tx->rcpts);
         q != ngx_queue_sentinel(&s->tx->rcpts);
         q = ngx_queue_next(q))
    {
        other = ngx_queue_data(q, ngx_smtp_rcpt_t, queue);

        if (other->server.len == rcpt->server.len
            && ngx_strncmp(other->server.data, rcpt->server.data,
                           rcpt->server.len)
               == 0)
        {
            rcpt->dest = other->dest;
            return NGX_OK;
        }
    }

    rcpt->dest = ngx_smtp_route_make(&rcpt->server, choice->pool);

    if (rcpt->dest == NULL) {
        ngx_log_error(NGX_LOG_ERR, s->connection->log, 0,
                      "auth service named an invalid server \"%V\"",
                      &rcpt->server);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_smtp_dest_t *
ngx_smtp_route_make(ngx_str_t *server, ngx_pool_t *pool)
{
    u_char     *p, *last;
    ngx_int_t   port;
    ngx_str_t   host;

    port = NGX_SMTP_ROUTE_PORT;

    /* the destination refers to it, and lives as long as pool does */

    host.len = server->len;
    host.data = ngx_pstrdup(pool, server);
    if (host.data == NULL) {
        return NULL;
    }

    if (ngx_strncasecmp(host.data, (u_char *) "unix:", ngx_min(host.len, 5))
        != 0)
    {
        /* the last ":" that is not inside of "[...]" */

        last = host.data + host.len;

        for (p = last; p > host.data && p[-1] != ':' && p[-1] != ']'; p--) {
            /* void */
        }

        if (p > host.data && p[-1] == ':') {

            port = ngx_atoi(p, last - p);

            if (port < 1 || port > 65535) {
                return NULL;
            }

            host.len = p - 1 - host.data;
        }
    }

    return ngx_smtp_dest_make(pool, &host, (in_port_t) port);
}


static ngx_int_t
ngx_smtp_route_apply(ngx_smtp_session_t *s, ngx_smtp_route_choice_t *choice,
    ngx_smtp_route_t *route, ngx_smtp_route_match_t *match)
{
    u_char              *p;
    size_t               len;
    ngx_str_t            addr, text;
    ngx_uint_t           i;
    ngx_smtp_path_t      path;
    ngx_smtp_rcpt_t     *rcpt;
    ngx_smtp_rewrite_t  *part;
    u_char               buf[NGX_SMTP_PATH_MAX];

    rcpt = choice->rcpt;
    rcpt->dest = route->dest;

    if (route->rewrite == NULL || rcpt->local.len == 0) {
        return NGX_OK;
    }

    p = buf;
    part = route->rewrite->elts;

    for (i = 0; i < route->rewrite->nelts; i++) {

        if (part[i].capture) {
            ngx_smtp_route_capture(match, part[i].capture, &text);

        } else {
            text = part[i].text;
        }

        /* what was cut off is too long for an address in any case */

        len = ngx_min(text.len, (size_t) (buf + sizeof(buf) - p));
        p = ngx_cpymem(p, text.data, len);
    }

    addr.data = buf;
    addr.len = p - buf;

    if (ngx_smtp_mailbox_parse(&path, &addr, NGX_SMTP_PATH_UTF8) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, s->connection->log, 0,
                      "\"%V\" was rewritten to the invalid address \"%V\" "
                      "by recipient \"%V\"",
                      &rcpt->given, &addr, &route->pattern);

        ngx_smtp_verdict_set(&rcpt->verdict, NGX_SMTP_REPLY_LOCAL_ERROR);
        return NGX_DONE;
    }

    if (path.utf8 && !choice->utf8) {
        /* a message that was not declared so can't go there */
        ngx_smtp_verdict_set(&rcpt->verdict,
                             NGX_SMTP_REPLY_RECIPIENT_NEEDS_UTF8);
        return NGX_DONE;
    }

    rcpt->addr.len = addr.len;
    rcpt->addr.data = ngx_pstrdup(choice->pool, &addr);

    return rcpt->addr.data ? NGX_OK : NGX_ERROR;
}


/* a capture that took no part in the match is empty */

static void
ngx_smtp_route_capture(ngx_smtp_route_match_t *match, ngx_uint_t n,
    ngx_str_t *text)
{
    int  *offset;

    offset = &match->offsets[2 * n];

    if ((ngx_int_t) n >= match->matched || offset[0] < 0
        || offset[1] <= offset[0])
    {
        ngx_str_set(text, "");
        return;
    }

    text->data = match->addr.text + offset[0];
    text->len = offset[1] - offset[0];
}

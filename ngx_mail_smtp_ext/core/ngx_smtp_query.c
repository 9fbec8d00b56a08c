
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_core.h>


/*
 * A question of VRFY, EXPN or ETRN, in a pool of its own: a session may have
 * any number of them.
 */


/* the question, and what asking takes; a long reply comes on top */
#define NGX_SMTP_QUERY_POOL_SIZE  2048


ngx_smtp_query_t *
ngx_smtp_query_create(ngx_smtp_session_t *s, ngx_smtp_query_e verb,
    ngx_str_t *given)
{
    ngx_pool_t        *pool;
    ngx_smtp_query_t  *query;

    pool = ngx_create_pool(NGX_SMTP_QUERY_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    query = ngx_pcalloc(pool, sizeof(ngx_smtp_query_t));

    if (query) {
        query->rcpt.given.len = given->len;
        query->rcpt.given.data = ngx_pstrdup(pool, given);
    }

    if (query == NULL || query->rcpt.given.data == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    query->verb = verb;
    query->pool = pool;
    query->session = s;
    query->rcpt.addr = query->rcpt.given;

    s->query = query;

    return query;
}


void
ngx_smtp_query_free(ngx_smtp_session_t *s)
{
    if (s->query) {
        ngx_destroy_pool(s->query->pool);
        s->query = NULL;
    }
}


/* RFC 5321, 7.3: who exists, and who is on a list, is not for everybody */

ngx_uint_t
ngx_smtp_query_allowed(ngx_smtp_session_t *s, ngx_smtp_query_e verb)
{
    ngx_uint_t  mode;

    mode = s->service->queries[verb];

    return mode == NGX_SMTP_QUERY_ASK_ALL
           || (mode == NGX_SMTP_QUERY_ASK
               && (s->authenticated || s->trusted));
}

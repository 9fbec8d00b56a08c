
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_route.h>


/*
 * smtp_recipient{} when the configuration is read: patterns, addresses to
 * rewrite to, and the hashes made of all of them.
 */


/* an element of the longest address there is, and the end of a bucket */
#define NGX_SMTP_ROUTE_BUCKET_SIZE  512
#define NGX_SMTP_ROUTE_HASH_MIN     512

/* from here on nginx's large tables pay while keys are gathered */
#define NGX_SMTP_ROUTE_MANY         1000


static ngx_int_t ngx_smtp_route_pattern_regex(ngx_conf_t *cf,
    ngx_smtp_route_t *route);
static ngx_int_t ngx_smtp_route_pattern_domain(ngx_smtp_route_t *route);
static ngx_int_t ngx_smtp_route_pattern_exact(ngx_conf_t *cf,
    ngx_smtp_route_t *route);
static ngx_int_t ngx_smtp_route_rewrite_check(ngx_conf_t *cf,
    ngx_smtp_route_t *route, ngx_str_t *value, ngx_uint_t capture);
static ngx_int_t ngx_smtp_route_table_hash(ngx_conf_t *cf, ngx_hash_t *hash,
    ngx_array_t *routes, ngx_smtp_route_e kind);
static ngx_int_t ngx_smtp_route_table_list(ngx_conf_t *cf,
    ngx_smtp_route_table_t *table, ngx_array_t *routes);
static ngx_int_t ngx_smtp_route_duplicate(ngx_conf_t *cf,
    ngx_smtp_route_t *route);


ngx_int_t
ngx_smtp_route_pattern(ngx_conf_t *cf, ngx_smtp_route_t *route)
{
    u_char     *p;
    ngx_int_t   rc;
    ngx_str_t  *pattern;

    pattern = &route->pattern;
    p = pattern->data;

    if (pattern->len == 1 && *p == '*') {
        route->kind = NGX_SMTP_ROUTE_ANY;
        return NGX_OK;
    }

    if (pattern->len > 1 && *p == '~') {
        return ngx_smtp_route_pattern_regex(cf, route);
    }

    if (pattern->len > 1 && *p == '@') {
        rc = ngx_smtp_route_pattern_domain(route);

    } else {
        rc = ngx_smtp_route_pattern_exact(cf, route);
    }

    if (rc == NGX_DECLINED) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid recipient \"%V\": an address, "
                           "\"@domain\", \"@.domain\", \"~regex\", "
                           "\"postmaster\" or \"*\" is expected", pattern);
        return NGX_ERROR;
    }

    return rc;
}


static ngx_int_t
ngx_smtp_route_pattern_regex(ngx_conf_t *cf, ngx_smtp_route_t *route)
{
    ngx_str_t            pattern;
    ngx_regex_compile_t  rc;
    u_char               errstr[NGX_MAX_CONF_ERRSTR];

    route->kind = NGX_SMTP_ROUTE_REGEX;

    pattern.data = route->pattern.data + 1;
    pattern.len = route->pattern.len - 1;

    ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

    if (pattern.data[0] == '*') {
        rc.options = NGX_REGEX_CASELESS;
        pattern.data++;
        pattern.len--;
    }

    if (pattern.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "empty regular expression");
        return NGX_ERROR;
    }

    rc.pattern = pattern;
    rc.pool = cf->pool;
    rc.err.len = NGX_MAX_CONF_ERRSTR;
    rc.err.data = errstr;

    if (ngx_regex_compile(&rc) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V", &rc.err);
        return NGX_ERROR;
    }

    route->regex = rc.regex;
    route->captures = rc.captures;

    return NGX_OK;
}


/* NGX_DECLINED: not such a thing */

static ngx_int_t
ngx_smtp_route_pattern_domain(ngx_smtp_route_t *route)
{
    u_char  *p, *end, *last;

    p = route->pattern.data + 1;
    last = route->pattern.data + route->pattern.len;

    route->kind = NGX_SMTP_ROUTE_DOMAIN;

    if (*p == '[') {
        end = ngx_smtp_literal_parse(p, last);

    } else {
        if (*p == '.') {
            route->kind = NGX_SMTP_ROUTE_SUBDOMAIN;
            p++;
        }

        end = ngx_smtp_domain_utf8_parse(p, last);
    }

    if (end != last) {
        return NGX_DECLINED;
    }

    route->key.data = p;
    route->key.len = last - p;

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_route_pattern_exact(ngx_conf_t *cf, ngx_smtp_route_t *route)
{
    ngx_str_t               *pattern;
    ngx_smtp_path_t          path;
    ngx_smtp_route_addr_t    addr;

    pattern = &route->pattern;

    route->kind = NGX_SMTP_ROUTE_EXACT;

    /* the one that may go without a domain, RFC 5321, 4.5.1 */

    if (pattern->len == sizeof("postmaster") - 1
        && ngx_strncasecmp(pattern->data, (u_char *) "postmaster",
                           sizeof("postmaster") - 1)
           == 0)
    {
        route->key = *pattern;
        return NGX_OK;
    }

    if (ngx_smtp_mailbox_parse(&path, pattern, NGX_SMTP_PATH_UTF8) != NGX_OK
        || ngx_smtp_route_addr_set(&addr, &path.local, &path.domain) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    route->key.len = addr.len;
    route->key.data = ngx_pnalloc(cf->pool, addr.len);
    if (route->key.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(route->key.data, addr.key, addr.len);

    return NGX_OK;
}


ngx_int_t
ngx_smtp_route_rewrite(ngx_conf_t *cf, ngx_smtp_route_t *route,
    ngx_str_t *value)
{
    u_char              *p, *last;
    ngx_uint_t           capture, highest;
    ngx_smtp_rewrite_t  *part;

    route->rewrite = ngx_array_create(cf->pool, 4, sizeof(ngx_smtp_rewrite_t));
    if (route->rewrite == NULL) {
        return NGX_ERROR;
    }

    p = value->data;
    last = p + value->len;
    part = NULL;
    highest = 0;

    while (p < last) {

        /* "$" is a letter like others in a local part: only $1 .. $9 count */

        capture = 0;

        if (*p == '$' && p + 1 < last && p[1] >= '1' && p[1] <= '9') {
            capture = p[1] - '0';
            highest = ngx_max(highest, capture);
        }

        if (capture || part == NULL || part->capture) {
            part = ngx_array_push(route->rewrite);
            if (part == NULL) {
                return NGX_ERROR;
            }

            part->capture = capture;
            part->text.data = p;
            part->text.len = 0;
        }

        if (capture) {
            p += 2;

        } else {
            part->text.len++;
            p++;
        }
    }

    return ngx_smtp_route_rewrite_check(cf, route, value, highest);
}


static ngx_int_t
ngx_smtp_route_rewrite_check(ngx_conf_t *cf, ngx_smtp_route_t *route,
    ngx_str_t *value, ngx_uint_t capture)
{
    ngx_smtp_path_t  path;

    if (capture > route->captures) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "recipient \"%V\" has no capture \"$%ui\"",
                           &route->pattern, capture);
        return NGX_ERROR;
    }

    if (capture == 0
        && ngx_smtp_mailbox_parse(&path, value, NGX_SMTP_PATH_UTF8) != NGX_OK)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid address \"%V\"", value);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_smtp_route_table_t *
ngx_smtp_route_table_create(ngx_conf_t *cf, ngx_array_t *routes)
{
    ngx_uint_t               i;
    ngx_smtp_route_table_t  *table;

    table = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_route_table_t));
    if (table == NULL) {
        return NULL;
    }

    for (i = 0; i < NGX_SMTP_ROUTE_HASHES; i++) {

        if (ngx_smtp_route_table_hash(cf, &table->hashes[i], routes,
                                      (ngx_smtp_route_e) i)
            != NGX_OK)
        {
            return NULL;
        }
    }

    if (ngx_smtp_route_table_list(cf, table, routes) != NGX_OK) {
        return NULL;
    }

    return table;
}


static ngx_int_t
ngx_smtp_route_table_hash(ngx_conf_t *cf, ngx_hash_t *hash,
    ngx_array_t *routes, ngx_smtp_route_e kind)
{
    ngx_int_t                rc;
    ngx_uint_t               i, n;
    ngx_hash_init_t          hinit;
    ngx_smtp_route_t       **route;
    ngx_hash_keys_arrays_t   keys;

    n = 0;
    route = routes->elts;

    for (i = 0; i < routes->nelts; i++) {
        n += (route[i]->kind == kind);
    }

    if (n == 0) {
        return NGX_OK;
    }

    keys.pool = cf->temp_pool;
    keys.temp_pool = cf->temp_pool;

    if (ngx_hash_keys_array_init(&keys, n < NGX_SMTP_ROUTE_MANY
                                        ? NGX_HASH_SMALL : NGX_HASH_LARGE)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < routes->nelts; i++) {

        if (route[i]->kind != kind) {
            continue;
        }

        /* it turns the key into lower case */

        rc = ngx_hash_add_key(&keys, &route[i]->key, route[i], 0);

        if (rc == NGX_BUSY) {
            return ngx_smtp_route_duplicate(cf, route[i]);
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    hinit.hash = hash;
    hinit.key = ngx_hash_key;
    hinit.max_size = ngx_max(NGX_SMTP_ROUTE_HASH_MIN, n);
    hinit.bucket_size = ngx_align(NGX_SMTP_ROUTE_BUCKET_SIZE,
                                  ngx_cacheline_size);
    hinit.name = "smtp_recipient_hash";
    hinit.pool = cf->pool;
    hinit.temp_pool = NULL;

    return ngx_hash_init(&hinit, keys.keys.elts, keys.keys.nelts);
}


static ngx_int_t
ngx_smtp_route_table_list(ngx_conf_t *cf, ngx_smtp_route_table_t *table,
    ngx_array_t *routes)
{
    ngx_uint_t          i, n;
    ngx_smtp_route_t  **route, **regex;

    if (ngx_array_init(&table->regexes, cf->pool, 4,
                       sizeof(ngx_smtp_route_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    route = routes->elts;

    for (i = 0; i < routes->nelts; i++) {

        if (route[i]->kind == NGX_SMTP_ROUTE_ANY) {

            if (table->any) {
                return ngx_smtp_route_duplicate(cf, route[i]);
            }

            table->any = route[i];
        }

        if (route[i]->kind != NGX_SMTP_ROUTE_REGEX) {
            continue;
        }

        regex = table->regexes.elts;

        for (n = 0; n < table->regexes.nelts; n++) {

            if (regex[n]->pattern.len == route[i]->pattern.len
                && ngx_memcmp(regex[n]->pattern.data, route[i]->pattern.data,
                              route[i]->pattern.len)
                   == 0)
            {
                return ngx_smtp_route_duplicate(cf, route[i]);
            }
        }

        regex = ngx_array_push(&table->regexes);
        if (regex == NULL) {
            return NGX_ERROR;
        }

        *regex = route[i];
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_route_duplicate(ngx_conf_t *cf, ngx_smtp_route_t *route)
{
    /* the block has been left: cf knows nothing of its place */

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "duplicate recipient \"%V\" in %s:%ui",
                  &route->pattern, route->file_name, route->line);

    return NGX_ERROR;
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_route.h>


/*
 * Destinations by url, made when the configuration is read.  Who compares two
 * of them compares pointers: "mtas" and "smtp://mtas" are one.
 */


typedef struct {
    ngx_str_node_t     sn;       /* its str is dest.url */
    ngx_smtp_dest_t    dest;
    void              *ctx;      /* the block that named it last */
} ngx_smtp_dest_node_t;


static const ngx_smtp_dest_type_t *ngx_smtp_dest_type(ngx_str_t *value,
    ngx_str_t *rest);
static ngx_smtp_dest_node_t *ngx_smtp_dest_node(ngx_conf_t *cf,
    ngx_smtp_dests_t *dests, const ngx_smtp_dest_type_t *type,
    ngx_str_t *rest);


void
ngx_smtp_dests_init(ngx_smtp_dests_t *dests)
{
    ngx_rbtree_init(&dests->rbtree, &dests->sentinel,
                    ngx_str_rbtree_insert_value);
}


ngx_smtp_dest_t *
ngx_smtp_dest_parse(ngx_conf_t *cf, ngx_smtp_dests_t *dests, ngx_str_t *value)
{
    char                        *rv;
    ngx_str_t                    rest;
    ngx_smtp_dest_node_t        *node;
    const ngx_smtp_dest_type_t  *type;

    type = ngx_smtp_dest_type(value, &rest);

    /* what the first is without, it can't be anything */

    if (type == NULL || (type == ngx_smtp_dest_table[0] && rest.len == 0)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid destination \"%V\"", value);
        return NULL;
    }

    node = ngx_smtp_dest_node(cf, dests, type, &rest);
    if (node == NULL) {
        return NULL;
    }

    /*
     * Each block that names a destination has a say: what was parsed in a
     * server{} with a resolver may have to do without one in another.
     */

    if (node->ctx == cf->ctx) {
        return &node->dest;
    }

    node->ctx = cf->ctx;

    rv = type->parse(cf, &node->dest, &rest);

    if (rv == NGX_CONF_OK) {
        return &node->dest;
    }

    if (rv != NGX_CONF_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "destination \"%V\" %s",
                           value, rv);
    }

    return NULL;
}


static const ngx_smtp_dest_type_t *
ngx_smtp_dest_type(ngx_str_t *value, ngx_str_t *rest)
{
    ngx_uint_t                   i;
    const ngx_smtp_dest_type_t  *type;

    for (i = 0; ngx_smtp_dest_table[i]; i++) {
        type = ngx_smtp_dest_table[i];

        if (value->len >= type->scheme.len
            && ngx_strncasecmp(value->data, type->scheme.data,
                               type->scheme.len)
               == 0)
        {
            rest->data = value->data + type->scheme.len;
            rest->len = value->len - type->scheme.len;

            return type;
        }
    }

    if (ngx_strlcasestrn(value->data, value->data + value->len,
                         (u_char *) "://", sizeof("://") - 2))
    {
        return NULL;
    }

    *rest = *value;

    return ngx_smtp_dest_table[0];
}


static ngx_smtp_dest_node_t *
ngx_smtp_dest_node(ngx_conf_t *cf, ngx_smtp_dests_t *dests,
    const ngx_smtp_dest_type_t *type, ngx_str_t *rest)
{
    u_char                *p;
    uint32_t               hash;
    ngx_str_t              url;
    ngx_smtp_dest_node_t  *node;

    url.len = type->scheme.len + rest->len;

    url.data = ngx_pnalloc(cf->pool, url.len);
    if (url.data == NULL) {
        return NULL;
    }

    p = ngx_cpymem(url.data, type->scheme.data, type->scheme.len);
    ngx_memcpy(p, rest->data, rest->len);

    hash = ngx_crc32_long(url.data, url.len);

    node = (ngx_smtp_dest_node_t *) ngx_str_rbtree_lookup(&dests->rbtree,
                                                          &url, hash);
    if (node) {
        return node;
    }

    node = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_dest_node_t));
    if (node == NULL) {
        return NULL;
    }

    node->sn.node.key = hash;
    node->sn.str = url;
    node->dest.type = type;
    node->dest.url = url;

    ngx_rbtree_insert(&dests->rbtree, &node->sn.node);

    return node;
}

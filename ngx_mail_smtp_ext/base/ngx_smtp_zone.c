
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_zone.h>


/* pages of the slab pool: less is no use */
#define NGX_SMTP_ZONE_PAGES    8

/* entries that may go for a new one */
#define NGX_SMTP_ZONE_VICTIMS  64

/* octets, for HMAC-SHA-256 */
#define NGX_SMTP_ZONE_SECRET   32


typedef struct {
    ngx_rbtree_t          rbtree;
    ngx_rbtree_node_t     sentinel;
    ngx_queue_t           queue;         /* the ones last used in front */
} ngx_smtp_zone_shared_t;


typedef struct {
    ngx_smtp_zone_shared_t  *sh;
    ngx_slab_pool_t         *shpool;
} ngx_smtp_zone_t;


static ngx_int_t ngx_smtp_zone_secret_make(ngx_log_t *log);
static ngx_int_t ngx_smtp_zone_init(ngx_shm_zone_t *shm_zone, void *data);
static void ngx_smtp_zone_insert_value(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_smtp_zone_entry_t *ngx_smtp_zone_lookup(ngx_smtp_zone_t *zone,
    u_char *key);
static ngx_rbtree_key_t ngx_smtp_zone_key(u_char *key);


/* processes are forked from the one that has made it */
static u_char      ngx_smtp_zone_secret[NGX_SMTP_ZONE_SECRET];
static ngx_uint_t  ngx_smtp_zone_secret_made;


ngx_shm_zone_t *
ngx_smtp_zone_add(ngx_conf_t *cf, ngx_str_t *value, void *tag)
{
    u_char           *p, *last;
    ssize_t           size;
    ngx_str_t         name, text;
    ngx_shm_zone_t   *shm_zone;
    ngx_smtp_zone_t  *zone;

    last = value->data + value->len;
    p = ngx_strlchr(value->data, last, ':');

    name.data = value->data;
    name.len = (p ? p : last) - value->data;
    size = 0;

    if (p) {
        text.data = p + 1;
        text.len = last - text.data;

        size = ngx_parse_size(&text);
    }

    if (name.len == 0 || size == NGX_ERROR || (p && size == 0)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid zone \"%V\"",
                           value);
        return NULL;
    }

    if (p && size < (ssize_t) (NGX_SMTP_ZONE_PAGES * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "zone \"%V\" is too small",
                           value);
        return NULL;
    }

    if (ngx_smtp_zone_secret_make(cf->log) != NGX_OK) {
        return NULL;
    }

    shm_zone = ngx_shared_memory_add(cf, &name, size, tag);

    if (shm_zone == NULL || shm_zone->data) {
        return shm_zone;
    }

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_smtp_zone_t));
    if (zone == NULL) {
        return NULL;
    }

    shm_zone->init = ngx_smtp_zone_init;
    shm_zone->data = zone;

    return shm_zone;
}


ngx_int_t
ngx_smtp_zone_param(ngx_conf_t *cf, ngx_str_t *value, void *field, void *post)
{
    ngx_shm_zone_t **zone = field;

    *zone = ngx_smtp_zone_add(cf, value, post);

    return *zone ? NGX_OK : NGX_ABORT;
}


static ngx_int_t
ngx_smtp_zone_secret_make(ngx_log_t *log)
{
    if (ngx_smtp_zone_secret_made) {
        return NGX_OK;
    }

    if (RAND_bytes(ngx_smtp_zone_secret, NGX_SMTP_ZONE_SECRET) != 1) {
        ngx_ssl_error(NGX_LOG_EMERG, log, 0, "RAND_bytes() failed");
        return NGX_ERROR;
    }

    ngx_smtp_zone_secret_made = 1;

    return NGX_OK;
}


ngx_int_t
ngx_smtp_zone_hash(u_char kind, ngx_str_t *fields, ngx_uint_t n, u_char *key,
    ngx_log_t *log)
{
    u_char        *p, *rv;
    size_t         len;
    ngx_str_t      text;
    ngx_uint_t     i;
    unsigned int   size;

    text.len = 1;

    for (i = 0; i < n; i++) {
        text.len += sizeof(size_t) + fields[i].len;
    }

    text.data = ngx_alloc(text.len, log);
    if (text.data == NULL) {
        return NGX_ERROR;
    }

    p = text.data;
    *p++ = kind;

    /* with lengths, so that no other fields make the same text */

    for (i = 0; i < n; i++) {
        len = fields[i].len;
        p = ngx_cpymem(p, &len, sizeof(size_t));

        if (len) {
            p = ngx_cpymem(p, fields[i].data, len);
        }
    }

    rv = HMAC(EVP_sha256(), ngx_smtp_zone_secret, NGX_SMTP_ZONE_SECRET,
              text.data, text.len, key, &size);

    /* there may be a password in it */

    ngx_explicit_memzero(text.data, text.len);
    ngx_free(text.data);

    if (rv == NULL) {
        ngx_ssl_error(NGX_LOG_CRIT, log, 0, "HMAC() failed");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    size_t            len;
    ngx_smtp_zone_t  *zone, *old;

    zone = shm_zone->data;
    old = data;

    if (old) {
        *zone = *old;
        return NGX_OK;
    }

    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        zone->sh = zone->shpool->data;
        return NGX_OK;
    }

    zone->sh = ngx_slab_alloc(zone->shpool, sizeof(ngx_smtp_zone_shared_t));
    if (zone->sh == NULL) {
        return NGX_ERROR;
    }

    zone->shpool->data = zone->sh;

    ngx_rbtree_init(&zone->sh->rbtree, &zone->sh->sentinel,
                    ngx_smtp_zone_insert_value);
    ngx_queue_init(&zone->sh->queue);

    len = sizeof(" in smtp zone \"\"") + shm_zone->shm.name.len;

    zone->shpool->log_ctx = ngx_slab_alloc(zone->shpool, len);
    if (zone->shpool->log_ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_sprintf(zone->shpool->log_ctx, " in smtp zone \"%V\"%Z",
                &shm_zone->shm.name);

    /* it is meant to be full */

    zone->shpool->log_nomem = 0;

    return NGX_OK;
}


void
ngx_smtp_zone_lock(ngx_shm_zone_t *shm_zone)
{
    ngx_smtp_zone_t  *zone;

    zone = shm_zone->data;

    ngx_shmtx_lock(&zone->shpool->mutex);
}


void
ngx_smtp_zone_unlock(ngx_shm_zone_t *shm_zone)
{
    ngx_smtp_zone_t  *zone;

    zone = shm_zone->data;

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


ngx_smtp_zone_entry_t *
ngx_smtp_zone_find(ngx_shm_zone_t *shm_zone, u_char *key)
{
    ngx_smtp_zone_t        *zone;
    ngx_smtp_zone_entry_t  *entry;

    zone = shm_zone->data;

    entry = ngx_smtp_zone_lookup(zone, key);

    if (entry == NULL) {
        return NULL;
    }

    if ((ngx_msec_int_t) (entry->expire - ngx_current_msec) <= 0) {
        ngx_smtp_zone_delete(shm_zone, entry);
        return NULL;
    }

    ngx_queue_remove(&entry->queue);
    ngx_queue_insert_head(&zone->sh->queue, &entry->queue);

    return entry;
}


ngx_smtp_zone_entry_t *
ngx_smtp_zone_insert(ngx_shm_zone_t *shm_zone, u_char *key, size_t len,
    ngx_msec_t time)
{
    ngx_uint_t              n;
    ngx_queue_t            *q;
    ngx_smtp_zone_t        *zone;
    ngx_smtp_zone_entry_t  *entry;

    zone = shm_zone->data;

    entry = ngx_smtp_zone_lookup(zone, key);

    if (entry) {
        ngx_smtp_zone_delete(shm_zone, entry);
    }

    for (n = 0; /* void */ ; n++) {

        entry = ngx_slab_alloc_locked(zone->shpool,
                                      sizeof(ngx_smtp_zone_entry_t) + len);
        if (entry) {
            break;
        }

        if (n == NGX_SMTP_ZONE_VICTIMS || ngx_queue_empty(&zone->sh->queue)) {
            return NULL;
        }

        q = ngx_queue_last(&zone->sh->queue);

        ngx_smtp_zone_delete(shm_zone,
                             ngx_queue_data(q, ngx_smtp_zone_entry_t, queue));
    }

    entry->node.key = ngx_smtp_zone_key(key);
    entry->expire = ngx_current_msec + time;
    entry->len = len;
    ngx_memcpy(entry->key, key, NGX_SMTP_ZONE_KEY);

    ngx_rbtree_insert(&zone->sh->rbtree, &entry->node);
    ngx_queue_insert_head(&zone->sh->queue, &entry->queue);

    return entry;
}


void
ngx_smtp_zone_delete(ngx_shm_zone_t *shm_zone, ngx_smtp_zone_entry_t *entry)
{
    ngx_smtp_zone_t  *zone;

    zone = shm_zone->data;

    ngx_queue_remove(&entry->queue);
    ngx_rbtree_delete(&zone->sh->rbtree, &entry->node);

    ngx_slab_free_locked(zone->shpool, entry);
}


static ngx_smtp_zone_entry_t *
ngx_smtp_zone_lookup(ngx_smtp_zone_t *zone, u_char *key)
{
    ngx_int_t               rc;
    ngx_rbtree_key_t        hash;
    ngx_rbtree_node_t      *node, *sentinel;
    ngx_smtp_zone_entry_t  *entry;

    hash = ngx_smtp_zone_key(key);

    node = zone->sh->rbtree.root;
    sentinel = zone->sh->rbtree.sentinel;

    while (node != sentinel) {

        if (hash != node->key) {
            node = (hash < node->key) ? node->left : node->right;
            continue;
        }

        entry = (ngx_smtp_zone_entry_t *) node;

        rc = ngx_memcmp(key, entry->key, NGX_SMTP_ZONE_KEY);

        if (rc == 0) {
            return entry;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


static void
ngx_smtp_zone_insert_value(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t      **p;
    ngx_smtp_zone_entry_t   *entry, *other;

    entry = (ngx_smtp_zone_entry_t *) node;

    for ( ;; ) {

        if (node->key != temp->key) {
            p = (node->key < temp->key) ? &temp->left : &temp->right;

        } else {
            other = (ngx_smtp_zone_entry_t *) temp;

            p = (ngx_memcmp(entry->key, other->key, NGX_SMTP_ZONE_KEY) < 0)
                ? &temp->left : &temp->right;
        }

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


static ngx_rbtree_key_t
ngx_smtp_zone_key(u_char *key)
{
    ngx_rbtree_key_t  hash;

    ngx_memcpy(&hash, key, sizeof(ngx_rbtree_key_t));

    return hash;
}

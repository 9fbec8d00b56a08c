
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * What all workers remember for a time: entries in a shared zone, found by a
 * key that is a hash.  The zone bounds them: for a new one the oldest go.
 */


#ifndef _NGX_SMTP_ZONE_H_INCLUDED_
#define _NGX_SMTP_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* octets of a key: a SHA-256, or an HMAC of it */
#define NGX_SMTP_ZONE_KEY  32


typedef struct {
    ngx_rbtree_node_t   node;
    ngx_queue_t         queue;
    ngx_msec_t          expire;      /* ngx_current_msec */
    size_t              len;
    u_char              key[NGX_SMTP_ZONE_KEY];

    /* len octets follow, aligned as any */
} ngx_smtp_zone_entry_t;


#define ngx_smtp_zone_data(entry)  ((void *) ((entry) + 1))


/*
 * Configuration: "name:size", or "name" of a zone that is made elsewhere.  tag
 * tells apart what is in it.  NULL after logging what is wrong.
 */
ngx_shm_zone_t *ngx_smtp_zone_add(ngx_conf_t *cf, ngx_str_t *value,
    void *tag);

/* set() of ngx_smtp_conf_param_t; post: the tag; field: ngx_shm_zone_t * */
ngx_int_t ngx_smtp_zone_param(ngx_conf_t *cf, ngx_str_t *value, void *field,
    void *post);

/*
 * A key of n fields: an HMAC with a secret that is made with the first zone,
 * and kept over reloads, so that nothing in a zone tells what it is of.  kind
 * tells apart what it is for.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_smtp_zone_hash(u_char kind, ngx_str_t *fields, ngx_uint_t n,
    u_char *key, ngx_log_t *log);

/* around all of the following; nothing may wait in between */
void ngx_smtp_zone_lock(ngx_shm_zone_t *zone);
void ngx_smtp_zone_unlock(ngx_shm_zone_t *zone);

/* NULL: there is none, or its time is over */
ngx_smtp_zone_entry_t *ngx_smtp_zone_find(ngx_shm_zone_t *zone, u_char *key);

/*
 * A new entry with len octets, which are not set, for time, in the place of
 * the one with its key.  NULL: the zone is too small for it.
 */
ngx_smtp_zone_entry_t *ngx_smtp_zone_insert(ngx_shm_zone_t *zone, u_char *key,
    size_t len, ngx_msec_t time);

void ngx_smtp_zone_delete(ngx_shm_zone_t *zone,
    ngx_smtp_zone_entry_t *entry);


#endif /* _NGX_SMTP_ZONE_H_INCLUDED_ */


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_smtp_block.h>


typedef struct {
    ngx_buf_t    buf;              /* first: a block is known by it */
    ngx_uint_t   owners;
} ngx_smtp_block_t;


ngx_buf_t *
ngx_smtp_block_create(size_t size, ngx_log_t *log)
{
    ngx_smtp_block_t  *block;

    block = ngx_alloc(sizeof(ngx_smtp_block_t) + size, log);
    if (block == NULL) {
        return NULL;
    }

    ngx_memzero(block, sizeof(ngx_smtp_block_t));

    block->buf.start = (u_char *) block + sizeof(ngx_smtp_block_t);
    block->buf.end = block->buf.start + size;
    block->buf.pos = block->buf.start;
    block->buf.last = block->buf.start;

    block->owners = 1;

    return &block->buf;
}


void
ngx_smtp_block_keep(ngx_buf_t *b)
{
    ((ngx_smtp_block_t *) b)->owners++;
}


ngx_uint_t
ngx_smtp_block_shared(ngx_buf_t *b)
{
    return ((ngx_smtp_block_t *) b)->owners > 1;
}


void
ngx_smtp_block_free(ngx_buf_t *b)
{
    ngx_smtp_block_t  *block;

    block = (ngx_smtp_block_t *) b;

    if (--block->owners == 0) {
        ngx_free(block);
    }
}


/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_spool.h>


/*
 * Memory grows in buffers of doubling size, so that a small message costs one
 * small allocation.  When it is full, all of it goes to the file in one turn
 * of a thread and is used again from the start.
 *
 * Large pieces are not copied: the block that they were read to is kept until
 * they are in the file, or as long as the spool.  Their buffers have it as
 * shadow, and are full from the beginning.
 */


/* a message of a few lines; most are below */
#define NGX_SMTP_SPOOL_FIRST_BUFFER  4096

/* doubling from 4k, so many buffers hold gigabytes; kept ones may be more */
#define NGX_SMTP_SPOOL_IOVS          16

/* tries at a name nobody has, where the file system has no O_TMPFILE */
#define NGX_SMTP_SPOOL_NAME_TRIES    16


static void ngx_smtp_spool_grow(ngx_smtp_spool_t *spool, size_t len);
static void ngx_smtp_spool_again(ngx_smtp_spool_t *spool);
static ngx_buf_t *ngx_smtp_spool_buffer(ngx_smtp_spool_t *spool);
static void ngx_smtp_spool_write_work(void *data, ngx_log_t *log);
static ngx_int_t ngx_smtp_spool_write(ngx_smtp_spool_t *spool,
    ngx_log_t *log);
static ngx_int_t ngx_smtp_spool_open(ngx_smtp_spool_t *spool, ngx_log_t *log);
static ngx_fd_t ngx_smtp_spool_open_named(ngx_smtp_spool_t *spool,
    ngx_log_t *log);
static ngx_buf_t *ngx_smtp_spool_link(ngx_chain_t ***ll, ngx_pool_t *pool);
static void ngx_smtp_spool_memory(ngx_buf_t *b, u_char *p, u_char *last);
static ngx_uint_t ngx_smtp_spool_in_file(ngx_smtp_spool_t *spool,
    off_t offset);
static off_t ngx_smtp_spool_place(ngx_smtp_spool_t *spool, off_t offset);
static void ngx_smtp_spool_read_work(void *data, ngx_log_t *log);
static void ngx_smtp_spool_thread_release(void *data);
static void ngx_smtp_spool_read_release(void *data);
static ssize_t ngx_smtp_spool_read_memory(ngx_smtp_spool_reader_t *reader);
static void ngx_smtp_spool_cleanup(void *data);


static ngx_atomic_uint_t  ngx_smtp_spool_number;


ngx_int_t
ngx_smtp_spool_init(ngx_smtp_spool_t *spool)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(spool->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_smtp_spool_cleanup;
    cln->data = spool;

    spool->last = &spool->bufs;
    spool->file.fd = NGX_INVALID_FILE;
    spool->file.log = spool->pool->log;

    return NGX_OK;
}


static void
ngx_smtp_spool_cleanup(void *data)
{
    ngx_smtp_spool_t  *spool = data;

    ngx_chain_t  *cl;

    for (cl = spool->bufs; cl; cl = cl->next) {
        if (cl->buf->shadow) {
            ngx_smtp_block_free(cl->buf->shadow);
        }
    }

    if (spool->file.fd != NGX_INVALID_FILE
        && ngx_close_file(spool->file.fd) == NGX_FILE_ERROR)
    {
        ngx_log_error(NGX_LOG_ALERT, spool->file.log, ngx_errno,
                      ngx_close_file_n " of a message failed");
    }
}


ngx_int_t
ngx_smtp_spool_append(ngx_smtp_spool_t *spool, u_char *data, size_t len)
{
    size_t      n;
    ngx_buf_t  *b;

    ngx_smtp_spool_grow(spool, len);

    while (len) {
        b = ngx_smtp_spool_buffer(spool);
        if (b == NULL) {
            return NGX_ERROR;
        }

        n = ngx_min(len, (size_t) (b->end - b->last));

        b->last = ngx_cpymem(b->last, data, n);

        data += n;
        len -= n;
    }

    return NGX_OK;
}


ngx_int_t
ngx_smtp_spool_keep(ngx_smtp_spool_t *spool, ngx_buf_t *block, u_char *data,
    size_t len)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    ngx_smtp_spool_grow(spool, len);

    cl = ngx_chain_get_free_buf(spool->pool, &spool->free);
    if (cl == NULL) {
        return NGX_ERROR;
    }

    ngx_smtp_block_keep(block);

    b = cl->buf;

    b->memory = 1;
    b->shadow = block;
    b->start = data;
    b->pos = data;
    b->last = data + len;
    b->end = data + len;

    /* behind what has been added, and in front of what is empty yet */

    if (*spool->last && (*spool->last)->buf->pos < (*spool->last)->buf->last) {
        spool->last = &(*spool->last)->next;
    }

    cl->next = *spool->last;

    *spool->last = cl;
    spool->last = &cl->next;

    return NGX_OK;
}


static void
ngx_smtp_spool_grow(ngx_smtp_spool_t *spool, size_t len)
{
    if (spool->written) {
        ngx_smtp_spool_again(spool);
    }

    spool->size += len;
    spool->memory += len;

    if (spool->memory >= spool->max_memory) {
        spool->full = 1;
    }
}


/* all of it is in the file: memory is empty, and blocks are not needed */

static void
ngx_smtp_spool_again(ngx_smtp_spool_t *spool)
{
    ngx_chain_t  *cl, *next, **ll;

    ll = &spool->bufs;

    for (cl = spool->bufs; cl; cl = next) {
        next = cl->next;

        if (cl->buf->shadow == NULL) {
            cl->buf->pos = cl->buf->start;
            cl->buf->last = cl->buf->start;

            *ll = cl;
            ll = &cl->next;
            continue;
        }

        ngx_smtp_block_free(cl->buf->shadow);
        cl->buf->shadow = NULL;

        cl->next = spool->free;
        spool->free = cl;
    }

    *ll = NULL;

    spool->last = &spool->bufs;
    spool->written = 0;
}


static ngx_buf_t *
ngx_smtp_spool_buffer(ngx_smtp_spool_t *spool)
{
    size_t        size;
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    /* the first with room: after a flush they are used again in turn */

    size = NGX_SMTP_SPOOL_FIRST_BUFFER;

    while (*spool->last) {
        b = (*spool->last)->buf;

        if (b->last < b->end) {
            return b;
        }

        if (b->shadow == NULL) {
            size = 2 * (b->end - b->start);
        }

        spool->last = &(*spool->last)->next;
    }

    size = ngx_min(size, ngx_max(spool->max_memory,
                                 NGX_SMTP_SPOOL_FIRST_BUFFER));

    cl = ngx_alloc_chain_link(spool->pool);
    if (cl == NULL) {
        return NULL;
    }

    b = ngx_create_temp_buf(spool->pool, size);
    if (b == NULL) {
        return NULL;
    }

    cl->buf = b;
    cl->next = NULL;

    *spool->last = cl;

    return b;
}


void
ngx_smtp_spool_flush(ngx_smtp_spool_t *spool, ngx_smtp_op_t *op)
{
    spool->writing = 1;

    spool->thread.work = ngx_smtp_spool_write_work;
    spool->thread.release = ngx_smtp_spool_thread_release;
    spool->thread.data = spool;

    spool->hold(spool->owner);

    ngx_smtp_thread_run(&spool->thread, spool->thread_pool, op);
}


static void
ngx_smtp_spool_write_work(void *data, ngx_log_t *log)
{
    ngx_smtp_spool_t  *spool = data;

    spool->err = 0;

    if (spool->file.fd == NGX_INVALID_FILE
        && ngx_smtp_spool_open(spool, log) != NGX_OK)
    {
        return;
    }

    if (ngx_smtp_spool_write(spool, log) != NGX_OK) {
        return;
    }

    spool->written = 1;
    spool->memory = 0;
    spool->full = 0;
}


/* all of the memory, with as few calls as it takes; pos moves along */

static ngx_int_t
ngx_smtp_spool_write(ngx_smtp_spool_t *spool, ngx_log_t *log)
{
    int            n;
    size_t         part;
    ssize_t        written;
    ngx_chain_t   *cl, *in;
    struct iovec   iov[NGX_SMTP_SPOOL_IOVS];

    for (in = spool->bufs; in; /* void */ ) {

        n = 0;

        for (cl = in; cl && n < NGX_SMTP_SPOOL_IOVS; cl = cl->next) {

            if (cl->buf->pos == cl->buf->last) {
                continue;
            }

            iov[n].iov_base = cl->buf->pos;
            iov[n].iov_len = cl->buf->last - cl->buf->pos;
            n++;
        }

        if (n == 0) {
            break;
        }

        do {
            written = pwritev(spool->file.fd, iov, n, spool->file_size);
        } while (written == -1 && ngx_errno == NGX_EINTR);

        if (written <= 0) {
            spool->err = (written == 0) ? NGX_ENOSPC : ngx_errno;
            ngx_log_error(NGX_LOG_CRIT, log, spool->err,
                          "pwritev() to a temporary file in \"%V\" failed",
                          spool->temp_path);
            return NGX_ERROR;
        }

        spool->file_size += written;

        for ( /* void */ ; in; in = in->next) {
            part = in->buf->last - in->buf->pos;

            if ((size_t) written < part) {
                in->buf->pos += written;
                break;
            }

            written -= part;
            in->buf->pos = in->buf->last;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_spool_open(ngx_smtp_spool_t *spool, ngx_log_t *log)
{
    ngx_fd_t  fd;

    fd = NGX_INVALID_FILE;

#ifdef O_TMPFILE
    fd = open((char *) spool->temp_path->data, O_TMPFILE|O_RDWR|O_CLOEXEC,
              0600);
#endif

    if (fd == NGX_INVALID_FILE) {
        fd = ngx_smtp_spool_open_named(spool, log);
    }

    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    spool->file.fd = fd;

    return NGX_OK;
}


static ngx_fd_t
ngx_smtp_spool_open_named(ngx_smtp_spool_t *spool, ngx_log_t *log)
{
    ngx_fd_t    fd;
    ngx_uint_t  i, number;
    u_char      name[NGX_MAX_PATH];

    for (i = 0; i < NGX_SMTP_SPOOL_NAME_TRIES; i++) {

        number = ngx_atomic_fetch_add(&ngx_smtp_spool_number, 1);

        (void) ngx_snprintf(name, sizeof(name), "%V/%P.%ui.%T%Z",
                            spool->temp_path, ngx_pid, number, time(NULL));

        name[sizeof(name) - 1] = '\0';

        fd = open((char *) name, O_CREAT|O_EXCL|O_RDWR|O_CLOEXEC, 0600);

        if (fd != NGX_INVALID_FILE) {
            if (ngx_delete_file(name) == NGX_FILE_ERROR) {
                ngx_log_error(NGX_LOG_CRIT, log, ngx_errno,
                              ngx_delete_file_n " \"%s\" failed", name);
            }

            return fd;
        }

        spool->err = ngx_errno;

        if (spool->err != NGX_EEXIST) {
            break;
        }
    }

    ngx_log_error(NGX_LOG_CRIT, log, spool->err,
                  ngx_open_file_n " \"%s\" failed", name);

    return NGX_INVALID_FILE;
}


static void
ngx_smtp_spool_thread_release(void *data)
{
    ngx_smtp_spool_t  *spool = data;

    spool->writing = 0;
    spool->release(spool->owner);
}


void
ngx_smtp_spool_head(ngx_smtp_spool_t *spool, ngx_str_t *head, off_t len)
{
    spool->size += (off_t) head->len - len;
    spool->skip += len - (off_t) spool->head.len;
    spool->head = *head;
}


ngx_chain_t *
ngx_smtp_spool_chain(ngx_smtp_spool_t *spool, ngx_pool_t *pool)
{
    off_t          skip, len;
    ngx_buf_t     *b;
    ngx_chain_t   *in, *chain, **ll;

    chain = NULL;
    ll = &chain;

    if (spool->head.len) {
        b = ngx_smtp_spool_link(&ll, pool);
        if (b == NULL) {
            return NULL;
        }

        ngx_smtp_spool_memory(b, spool->head.data,
                              spool->head.data + spool->head.len);
    }

    skip = spool->skip;

    if (spool->file_size > skip) {
        b = ngx_smtp_spool_link(&ll, pool);
        if (b == NULL) {
            return NULL;
        }

        b->in_file = 1;
        b->file = &spool->file;
        b->file_pos = skip;
        b->file_last = spool->file_size;
    }

    skip -= ngx_min(skip, spool->file_size);

    for (in = spool->bufs; in; in = in->next) {

        len = in->buf->last - in->buf->pos;

        if (len <= skip) {
            skip -= len;
            continue;
        }

        b = ngx_smtp_spool_link(&ll, pool);
        if (b == NULL) {
            return NULL;
        }

        ngx_smtp_spool_memory(b, in->buf->pos + skip, in->buf->last);
        skip = 0;
    }

    return chain;
}


/* a buffer at the end of a chain; NULL: no memory */

static ngx_buf_t *
ngx_smtp_spool_link(ngx_chain_t ***ll, ngx_pool_t *pool)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    cl = ngx_alloc_chain_link(pool);
    b = ngx_calloc_buf(pool);

    if (cl == NULL || b == NULL) {
        return NULL;
    }

    cl->buf = b;
    cl->next = NULL;

    **ll = cl;
    *ll = &cl->next;

    return b;
}


static void
ngx_smtp_spool_memory(ngx_buf_t *b, u_char *p, u_char *last)
{
    b->memory = 1;
    b->start = p;
    b->pos = p;
    b->last = last;
    b->end = last;
}


static ngx_uint_t
ngx_smtp_spool_in_file(ngx_smtp_spool_t *spool, off_t offset)
{
    return offset >= (off_t) spool->head.len
           && ngx_smtp_spool_place(spool, offset) < spool->file_size;
}


/* where in what was gathered offset is, behind the head */

static off_t
ngx_smtp_spool_place(ngx_smtp_spool_t *spool, off_t offset)
{
    return offset - (off_t) spool->head.len + spool->skip;
}


ssize_t
ngx_smtp_spool_read(ngx_smtp_spool_reader_t *reader, ngx_smtp_op_t *op)
{
    ngx_smtp_spool_t  *spool;

    spool = reader->spool;

    if (!ngx_smtp_spool_in_file(spool, reader->offset)) {
        return ngx_smtp_spool_read_memory(reader);
    }

    reader->size = ngx_min(reader->size, NGX_SMTP_SPOOL_READ_SIZE);

    reader->thread.work = ngx_smtp_spool_read_work;
    reader->thread.release = ngx_smtp_spool_read_release;
    reader->thread.data = reader;

    spool->hold(spool->owner);

    ngx_smtp_thread_run(&reader->thread, spool->thread_pool, op);

    return NGX_AGAIN;
}


static void
ngx_smtp_spool_read_work(void *data, ngx_log_t *log)
{
    ngx_smtp_spool_reader_t  *reader = data;

    ssize_t  n;

    n = ngx_smtp_spool_pread(reader, log);

    reader->size = (n > 0) ? (size_t) n : 0;
}


static void
ngx_smtp_spool_read_release(void *data)
{
    ngx_smtp_spool_reader_t  *reader = data;

    reader->spool->release(reader->spool->owner);
}


ssize_t
ngx_smtp_spool_pread(ngx_smtp_spool_reader_t *reader, ngx_log_t *log)
{
    off_t              place;
    size_t             size;
    ssize_t            n;
    ngx_smtp_spool_t  *spool;

    spool = reader->spool;
    reader->err = 0;

    if (!ngx_smtp_spool_in_file(spool, reader->offset)) {
        return ngx_smtp_spool_read_memory(reader);
    }

    place = ngx_smtp_spool_place(spool, reader->offset);
    size = ngx_min((off_t) reader->size, spool->file_size - place);

    do {
        n = pread(spool->file.fd, reader->buf, size, place);
    } while (n == -1 && ngx_errno == NGX_EINTR);

    if (n > 0) {
        return n;
    }

    /* 0: the file is shorter than what was written to it */

    reader->err = (n == 0) ? NGX_EINVAL : ngx_errno;

    ngx_log_error(NGX_LOG_CRIT, log, reader->err,
                  "pread() of a temporary file in \"%V\" failed",
                  spool->temp_path);

    return -1;
}


static ssize_t
ngx_smtp_spool_read_memory(ngx_smtp_spool_reader_t *reader)
{
    off_t              offset;
    size_t             n, len, size;
    u_char            *p;
    ngx_chain_t       *cl;
    ngx_smtp_spool_t  *spool;

    spool = reader->spool;

    p = reader->buf;
    size = reader->size;

    if (reader->offset < (off_t) spool->head.len) {
        size = ngx_min(size, spool->head.len - (size_t) reader->offset);
        ngx_memcpy(p, spool->head.data + reader->offset, size);

        return size;
    }

    offset = ngx_smtp_spool_place(spool, reader->offset) - spool->file_size;

    for (cl = spool->bufs; cl && size; cl = cl->next) {
        len = cl->buf->last - cl->buf->pos;

        if (offset >= (off_t) len) {
            offset -= len;
            continue;
        }

        n = ngx_min(size, len - (size_t) offset);

        p = ngx_cpymem(p, cl->buf->pos + offset, n);

        size -= n;
        offset = 0;
    }

    return p - reader->buf;
}

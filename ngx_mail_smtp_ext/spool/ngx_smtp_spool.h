
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * The content of a message: gathered in memory, and beyond a size in a
 * temporary file that has no name.  What is in the file comes first, what is
 * in memory follows.  Files are written and read in the thread pool only.
 */


#ifndef _NGX_SMTP_SPOOL_H_INCLUDED_
#define _NGX_SMTP_SPOOL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_block.h>
#include <ngx_smtp_op.h>
#include <ngx_smtp_thread.h>


/* what one read of the file takes at the most: one turn of a thread */
#define NGX_SMTP_SPOOL_READ_SIZE  65536


typedef struct {
    ngx_pool_t           *pool;
    size_t                max_memory;
    ngx_str_t            *temp_path;     /* a folder */
    ngx_thread_pool_t    *thread_pool;

    void                (*hold)(void *owner);    /* keeps pool alive while */
    void                (*release)(void *owner); /* a thread is at work */
    void                 *owner;

    ngx_chain_t          *bufs;          /* the part in memory */
    ngx_chain_t         **last;
    ngx_chain_t          *free;          /* links of what was kept */
    size_t                memory;        /* octets in it */
    ngx_file_t            file;          /* fd NGX_INVALID_FILE: none */
    off_t                 file_size;
    off_t                 size;          /* of the content */
    ngx_str_t             head;          /* takes the place of the first */
    off_t                 skip;          /* octets of what was gathered */
    ngx_err_t             err;           /* of the last _flush() */

    unsigned              full:1;        /* memory is, call _flush() */
    unsigned              writing:1;
    unsigned              written:1;     /* memory is, and to be used again */

    ngx_smtp_thread_t     thread;        /* of _flush() */
} ngx_smtp_spool_t;


/* one of those who read it; one read at a time */
typedef struct {
    ngx_smtp_spool_t     *spool;
    ngx_smtp_thread_t     thread;
    u_char               *buf;
    size_t                size;
    off_t                 offset;
    ngx_err_t             err;           /* of the last read, 0: it went well */
} ngx_smtp_spool_reader_t;


/* fills a zeroed spool whose pool .. owner are set; NGX_OK or NGX_ERROR */
ngx_int_t ngx_smtp_spool_init(ngx_smtp_spool_t *spool);

/*
 * Adds a copy of data.  NGX_OK or NGX_ERROR (no memory).  When full is set
 * afterwards, _flush() has to be done before more is added: memory in use
 * stays below max_memory and one piece.
 */
ngx_int_t ngx_smtp_spool_append(ngx_smtp_spool_t *spool, u_char *data,
    size_t len);

/*
 * The same without a copy: data lies in block, which is kept for it.  Pieces
 * should be large, each is an allocation of its own.
 */
ngx_int_t ngx_smtp_spool_keep(ngx_smtp_spool_t *spool, ngx_buf_t *block,
    u_char *data, size_t len);

/*
 * Memory to file.  op, started, finishes with NGX_OK when the thread was at
 * work (err tells how it went, 0: well), NGX_ERROR when it could not be.
 */
void ngx_smtp_spool_flush(ngx_smtp_spool_t *spool, ngx_smtp_op_t *op);

/*
 * The content is complete, and its first len octets are replaced by head, which
 * has to stay.  When that is done again len is not less than the head's.
 */
void ngx_smtp_spool_head(ngx_smtp_spool_t *spool, ngx_str_t *head, off_t len);

/*
 * The content as new buffers in pool: the head, one in_file, if there is a
 * file, then memory.  NULL: no memory left, or there is no content (size is 0).
 */
ngx_chain_t *ngx_smtp_spool_chain(ngx_smtp_spool_t *spool, ngx_pool_t *pool);

/*
 * Reads up to size octets at offset into reader's buf, which must stay, as
 * reader itself.  Returns how many, at once, where they are in memory, 0 behind
 * the end.  NGX_AGAIN where they are in the file: op, started, finishes with
 * NGX_OK and their number in size, 0 when that failed (err), or with
 * NGX_ERROR.
 */
ssize_t ngx_smtp_spool_read(ngx_smtp_spool_reader_t *reader,
    ngx_smtp_op_t *op);

/* the same from inside a thread, blocking; -1: err is set, logged to log */
ssize_t ngx_smtp_spool_pread(ngx_smtp_spool_reader_t *reader, ngx_log_t *log);


#endif /* _NGX_SMTP_SPOOL_H_INCLUDED_ */

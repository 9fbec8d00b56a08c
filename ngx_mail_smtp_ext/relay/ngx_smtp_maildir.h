
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * A message on its way into a maildir: filled in the event loop, worked on in
 * a thread, looked at in the event loop again.
 */


#ifndef _NGX_SMTP_MAILDIR_H_INCLUDED_
#define _NGX_SMTP_MAILDIR_H_INCLUDED_


#include <ngx_smtp_core.h>


/* ",S=" and the size of the file, the end mark of a C string */
#define NGX_SMTP_MAILDIR_SIZE_LEN  (3 + NGX_OFF_T_LEN + 1)


typedef struct {
    ngx_str_t               path;          /* NUL-terminated */
    ngx_uint_t              ready;         /* it has been there, and synced */
} ngx_smtp_maildir_conf_t;


typedef struct {
    /* set before the thread starts */
    ngx_str_t               path;          /* NUL-terminated */
    ngx_str_t               id;            /* of the transaction */
    ngx_str_t               header;        /* what goes in front, in CRLF */
    ngx_smtp_spool_t       *spool;
    u_char                 *tmp_name;      /* path "/tmp/" name */
    u_char                 *new_name;      /* path "/new/" name, and room for
                                              the size of the file */
    ngx_uint_t              ready;

    /* set in the event loop meanwhile: nobody waits for it any more */
    volatile ngx_uint_t     cancelled;

    /* set by the thread */
    ngx_fd_t                fd;
    off_t                   size;          /* of the file */
    u_char                 *buf;
    ngx_uint_t              cr;            /* the last piece ended with it */
    ngx_err_t               err;
    ngx_uint_t              done;          /* it is there for good */
} ngx_smtp_maildir_file_t;


/*
 * Blocks; for a thread.  Writes the file and sets done, or removes what there
 * is of it, logs why, and sets err.
 */
void ngx_smtp_maildir_file_deliver(ngx_smtp_maildir_file_t *mf,
    ngx_log_t *log);


#endif /* _NGX_SMTP_MAILDIR_H_INCLUDED_ */


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
#include <ngx_smtp_pathname.h>
#include <ngx_smtp_quota.h>


/* ",S=" and the size of the file, the end mark of a C string */
#define NGX_SMTP_MAILDIR_SIZE_LEN  (3 + NGX_OFF_T_LEN + 1)

/* the name without the host's, which is bounded by NGX_MAXHOSTNAMELEN */
#define NGX_SMTP_MAILDIR_NAME_LEN                                            \
    (NGX_TIME_T_LEN + sizeof(".M") + 6 + sizeof("P") + NGX_INT64_LEN         \
     + sizeof("Q") + NGX_INT_T_LEN + sizeof("."))

/* "/" and ":" of a host's name become \057 and \072 */
#define NGX_SMTP_MAILDIR_ESCAPE  4

/* what is put behind the path: folder, name, size */
#define NGX_SMTP_MAILDIR_TAIL                                                \
    (sizeof("/tmp/") + NGX_SMTP_MAILDIR_NAME_LEN                             \
     + NGX_SMTP_MAILDIR_ESCAPE * NGX_MAXHOSTNAMELEN                          \
     + NGX_SMTP_MAILDIR_SIZE_LEN)


typedef struct {
    ngx_str_t               path;          /* NUL-terminated */
    ngx_array_t            *parts;         /* of it, by _path; NULL: it has no
                                              variables */
    size_t                  fixed;         /* octets of it that name a folder
                                              which must be there; or all */
    ngx_uint_t              ready;         /* it has been there, and synced */
} ngx_smtp_maildir_conf_t;


/* of a server{} */
typedef struct {
    ngx_uint_t              quota_mode;    /* NGX_SMTP_MAILDIR_QUOTA_* */
    ngx_smtp_quota_t        quota;         /* of mode SET */
    ngx_uint_t              full;          /* NGX_SMTP_MAILDIR_FULL_* */
} ngx_mail_smtp_ext_maildir_srv_conf_t;


#define NGX_SMTP_MAILDIR_QUOTA_OFF   0
#define NGX_SMTP_MAILDIR_QUOTA_SET   1
#define NGX_SMTP_MAILDIR_QUOTA_FILE  2     /* whatever "maildirsize" says */

#define NGX_SMTP_MAILDIR_FULL_TEMPORARY  0
#define NGX_SMTP_MAILDIR_FULL_PERMANENT  1


/* is there room?  for a thread */
typedef struct {
    ngx_str_t               path;          /* NUL-terminated */
    ngx_uint_t              mode;          /* NGX_SMTP_MAILDIR_QUOTA_* */
    ngx_smtp_quota_t        quota;         /* set, or found in the file */
    ngx_smtp_quota_t        more;
    volatile ngx_uint_t    *cancelled;

    ngx_uint_t              full;          /* there is not */
    ngx_uint_t              huge;          /* ... nor will there ever be */
} ngx_smtp_maildir_room_t;


typedef struct {
    /* set before the thread starts */
    ngx_str_t               path;          /* NUL-terminated */
    ngx_str_t               id;            /* of the transaction */
    ngx_str_t               header;        /* what goes in front, in CRLF */
    ngx_smtp_spool_t       *spool;
    u_char                 *tmp_name;      /* path "/tmp/" name */
    u_char                 *new_name;      /* path "/new/" name, and room for
                                              the size of the file */
    size_t                  fixed;         /* as in the configuration */
    ngx_uint_t              ready;
    ngx_smtp_maildir_room_t  room;

    /* set in the event loop meanwhile: nobody waits for it any more */
    volatile ngx_uint_t     cancelled;

    /* set by the thread */
    ngx_fd_t                fd;
    off_t                   size;          /* of the file */
    u_char                 *buf;
    ngx_uint_t              cr;            /* the last piece ended with it */
    ngx_err_t               err;
    ngx_uint_t              written;       /* complete and synced, in tmp/ */
    ngx_uint_t              done;          /* it is there for good */
} ngx_smtp_maildir_file_t;


/*
 * Both block; for a thread.  _write() writes the file where nobody sees it and
 * sets written, or removes what there is of it, logs why, and sets err.
 * _publish() makes of one that is written one that is there for good, and sets
 * done; or removes it.
 */
void ngx_smtp_maildir_file_write(ngx_smtp_maildir_file_t *mf, ngx_log_t *log);
void ngx_smtp_maildir_file_publish(ngx_smtp_maildir_file_t *mf,
    ngx_log_t *log);


/*
 * Both block; for a thread.  _check() sets room->full, or returns NGX_ERROR
 * after logging why it can't be found out.  _add() tells of a message that
 * was added.
 */
ngx_int_t ngx_smtp_maildir_quota_check(ngx_smtp_maildir_room_t *room,
    ngx_log_t *log);
void ngx_smtp_maildir_quota_add(ngx_smtp_maildir_room_t *room, off_t size,
    ngx_log_t *log);


/* configuration: completes conf->path; NGX_CONF_OK or what is wrong */
char *ngx_smtp_maildir_path_parse(ngx_conf_t *cf,
    ngx_smtp_maildir_conf_t *conf);

/* warns of a folder that has to be there, and is not */
void ngx_smtp_maildir_path_check(ngx_conf_t *cf,
    ngx_smtp_maildir_conf_t *conf);

/* resolve() of the destination */
ngx_int_t ngx_smtp_maildir_path_resolve(ngx_smtp_tx_t *tx,
    ngx_smtp_rcpt_t *rcpt);


extern const ngx_smtp_dest_type_t  ngx_smtp_dest_maildir;


#endif /* _NGX_SMTP_MAILDIR_H_INCLUDED_ */

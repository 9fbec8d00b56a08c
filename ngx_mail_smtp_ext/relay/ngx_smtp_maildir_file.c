
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_maildir.h>


/*
 * A file in a maildir, written in a thread: in tmp/, synced, renamed into
 * new/, the folder synced.  Not before that is the message taken for good.
 * Lines end in LF there, as they do in every Unix mailbox.
 *
 * Nothing of the pool or of the event loop may be used here.
 */


/* the content is read, changed in its place and written by as much */
#define NGX_SMTP_MAILDIR_BUFFER  65536

#define NGX_SMTP_MAILDIR_DIR_ACCESS   0700
#define NGX_SMTP_MAILDIR_FILE_ACCESS  0600


static ngx_int_t ngx_smtp_maildir_file_room(ngx_smtp_maildir_file_t *mf,
    ngx_log_t *log);
static ngx_int_t ngx_smtp_maildir_file_open(ngx_smtp_maildir_file_t *mf,
    ngx_log_t *log);
static ngx_int_t ngx_smtp_maildir_file_folders(ngx_smtp_maildir_file_t *mf,
    ngx_log_t *log);
static ngx_int_t ngx_smtp_maildir_file_parents(ngx_smtp_maildir_file_t *mf,
    ngx_log_t *log);
static ngx_int_t ngx_smtp_maildir_file_mkdir(ngx_smtp_maildir_file_t *mf,
    u_char *name, ngx_log_t *log);
static ngx_int_t ngx_smtp_maildir_file_copy(ngx_smtp_maildir_file_t *mf,
    ngx_log_t *log);
static ngx_int_t ngx_smtp_maildir_file_header(ngx_smtp_maildir_file_t *mf,
    ngx_log_t *log);
static ngx_int_t ngx_smtp_maildir_file_piece(ngx_smtp_maildir_file_t *mf,
    size_t len, ngx_log_t *log);
static ngx_int_t ngx_smtp_maildir_file_append(ngx_smtp_maildir_file_t *mf,
    u_char *p, size_t len, ngx_log_t *log);
static ngx_int_t ngx_smtp_maildir_file_close(ngx_smtp_maildir_file_t *mf,
    ngx_log_t *log);
static ngx_int_t ngx_smtp_maildir_file_rename(ngx_smtp_maildir_file_t *mf,
    ngx_log_t *log);
static void ngx_smtp_maildir_file_remove(ngx_smtp_maildir_file_t *mf,
    u_char *name, ngx_log_t *log);
static ngx_int_t ngx_smtp_maildir_file_sync_folder(
    ngx_smtp_maildir_file_t *mf, char *name, ngx_log_t *log);
static ngx_int_t ngx_smtp_maildir_file_error(ngx_smtp_maildir_file_t *mf,
    char *what, u_char *name, ngx_log_t *log);


void
ngx_smtp_maildir_file_write(ngx_smtp_maildir_file_t *mf, ngx_log_t *log)
{
    ngx_int_t  rc;

    if (mf->cancelled || ngx_smtp_maildir_file_open(mf, log) != NGX_OK) {
        return;
    }

    rc = ngx_smtp_maildir_file_copy(mf, log);

    if (rc == NGX_OK && mf->room.mode != NGX_SMTP_MAILDIR_QUOTA_OFF) {
        rc = ngx_smtp_maildir_file_room(mf, log);
    }

    if (ngx_smtp_maildir_file_close(mf, log) != NGX_OK) {
        rc = NGX_ERROR;
    }

    if (rc != NGX_OK) {
        ngx_smtp_maildir_file_remove(mf, mf->tmp_name, log);
        return;
    }

    mf->written = 1;
}


void
ngx_smtp_maildir_file_publish(ngx_smtp_maildir_file_t *mf, ngx_log_t *log)
{
    if (!mf->written) {
        return;
    }

    if (mf->cancelled) {
        ngx_smtp_maildir_file_remove(mf, mf->tmp_name, log);
        return;
    }

    if (ngx_smtp_maildir_file_rename(mf, log) != NGX_OK) {
        return;
    }

    mf->done = 1;

    if (mf->room.mode != NGX_SMTP_MAILDIR_QUOTA_OFF) {
        ngx_smtp_maildir_quota_add(&mf->room, mf->size, log);
    }
}


/* now that it is known how large it is */

static ngx_int_t
ngx_smtp_maildir_file_room(ngx_smtp_maildir_file_t *mf, ngx_log_t *log)
{
    mf->room.more.size = mf->size;

    if (ngx_smtp_maildir_quota_check(&mf->room, log) != NGX_OK) {
        mf->err = NGX_EINVAL;
        return NGX_ERROR;
    }

    return mf->room.full ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_smtp_maildir_file_open(ngx_smtp_maildir_file_t *mf, ngx_log_t *log)
{
    ngx_uint_t  ready;

    ready = mf->ready;

    for ( ;; ) {

        if (!ready && ngx_smtp_maildir_file_folders(mf, log) != NGX_OK) {
            return NGX_ERROR;
        }

        mf->fd = open((char *) mf->tmp_name,
                      O_CREAT|O_EXCL|O_WRONLY|O_CLOEXEC,
                      NGX_SMTP_MAILDIR_FILE_ACCESS);

        if (mf->fd != NGX_INVALID_FILE) {
            return NGX_OK;
        }

        if (!ready || ngx_errno != NGX_ENOENT) {
            return ngx_smtp_maildir_file_error(mf, "open()", mf->tmp_name,
                                               log);
        }

        /* somebody has removed the maildir since the last time */

        ready = 0;
    }
}


/*
 * Made where they are missing.  The entries that lead to them are synced even
 * if they are there: another process may have made them a moment ago.
 */

static ngx_int_t
ngx_smtp_maildir_file_folders(ngx_smtp_maildir_file_t *mf, ngx_log_t *log)
{
    size_t       len;
    u_char       name[NGX_MAX_PATH];
    ngx_uint_t   i;

    static char  *folders[] = { "", "/tmp", "/new", "/cur", NULL };

    if (ngx_smtp_maildir_file_parents(mf, log) != NGX_OK) {
        return NGX_ERROR;
    }

    for (i = 0; folders[i]; i++) {

        (void) ngx_snprintf(name, sizeof(name), "%V%s%Z", &mf->path,
                            folders[i]);

        if (ngx_smtp_maildir_file_mkdir(mf, name, log) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_smtp_maildir_file_sync_folder(mf, (char *) mf->path.data, log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* the folder that it is in */

    for (len = mf->path.len; len > 1 && mf->path.data[len - 1] != '/'; len--) {
        /* void */
    }

    (void) ngx_cpystrn(name, mf->path.data, len + 1);

    return ngx_smtp_maildir_file_sync_folder(mf, (char *) name, log);
}


/* those that variables stand for, from the top */

static ngx_int_t
ngx_smtp_maildir_file_parents(ngx_smtp_maildir_file_t *mf, ngx_log_t *log)
{
    size_t  i, parent;
    u_char  name[NGX_MAX_PATH];

    parent = mf->fixed;

    for (i = mf->fixed; i < mf->path.len; i++) {

        if (mf->path.data[i] != '/') {
            continue;
        }

        (void) ngx_cpystrn(name, mf->path.data, i + 1);

        if (ngx_smtp_maildir_file_mkdir(mf, name, log) != NGX_OK) {
            return NGX_ERROR;
        }

        (void) ngx_cpystrn(name, mf->path.data, parent + 1);

        if (ngx_smtp_maildir_file_sync_folder(mf, (char *) name, log)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        parent = i + 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_maildir_file_mkdir(ngx_smtp_maildir_file_t *mf, u_char *name,
    ngx_log_t *log)
{
    if (ngx_create_dir(name, NGX_SMTP_MAILDIR_DIR_ACCESS) != NGX_FILE_ERROR
        || ngx_errno == NGX_EEXIST)
    {
        return NGX_OK;
    }

    return ngx_smtp_maildir_file_error(mf, ngx_create_dir_n, name, log);
}


static ngx_int_t
ngx_smtp_maildir_file_copy(ngx_smtp_maildir_file_t *mf, ngx_log_t *log)
{
    ssize_t                   n;
    ngx_int_t                 rc;
    ngx_smtp_spool_reader_t   reader;

    /* room for a CR that is left over from the piece before */

    mf->buf = ngx_alloc(1 + NGX_SMTP_MAILDIR_BUFFER, log);
    if (mf->buf == NULL) {
        mf->err = NGX_ENOMEM;
        return NGX_ERROR;
    }

    rc = ngx_smtp_maildir_file_header(mf, log);

    ngx_memzero(&reader, sizeof(ngx_smtp_spool_reader_t));

    reader.spool = mf->spool;
    reader.buf = mf->buf + 1;
    reader.size = NGX_SMTP_MAILDIR_BUFFER;

    while (rc == NGX_OK && reader.offset < mf->spool->size) {

        if (mf->cancelled) {
            break;
        }

        n = ngx_smtp_spool_pread(&reader, log);
        if (n <= 0) {
            mf->err = reader.err ? reader.err : NGX_EINVAL;
            rc = NGX_ERROR;
            break;
        }

        reader.offset += n;

        rc = ngx_smtp_maildir_file_piece(mf, n, log);
    }

    /* content ends in CRLF: this one was bare */

    if (rc == NGX_OK && mf->cr) {
        rc = ngx_smtp_maildir_file_append(mf, (u_char *) "\r", 1, log);
    }

    ngx_free(mf->buf);

    return rc;
}


static ngx_int_t
ngx_smtp_maildir_file_header(ngx_smtp_maildir_file_t *mf, ngx_log_t *log)
{
    if (mf->header.len > NGX_SMTP_MAILDIR_BUFFER) {
        mf->err = NGX_EINVAL;
        return NGX_ERROR;
    }

    ngx_memcpy(mf->buf + 1, mf->header.data, mf->header.len);

    return ngx_smtp_maildir_file_piece(mf, mf->header.len, log);
}


/* len octets at buf + 1: CRLF becomes LF, also where it lies on both sides of
   a border, and a CR alone stays what it is */

static ngx_int_t
ngx_smtp_maildir_file_piece(ngx_smtp_maildir_file_t *mf, size_t len,
    ngx_log_t *log)
{
    u_char  *p, *dst, *start, *last;

    start = mf->buf + 1;
    last = start + len;

    if (mf->cr) {
        *--start = CR;
        mf->cr = 0;
    }

    dst = start;

    for (p = start; p < last; p++) {

        if (*p == CR) {

            if (p + 1 == last) {
                mf->cr = 1;
                break;
            }

            if (p[1] == LF) {
                continue;
            }
        }

        *dst++ = *p;
    }

    return ngx_smtp_maildir_file_append(mf, start, dst - start, log);
}


static ngx_int_t
ngx_smtp_maildir_file_append(ngx_smtp_maildir_file_t *mf, u_char *p,
    size_t len,
    ngx_log_t *log)
{
    ssize_t  n;

    while (len) {

        n = write(mf->fd, p, len);

        if (n == -1) {

            if (ngx_errno == NGX_EINTR) {
                continue;
            }

            return ngx_smtp_maildir_file_error(mf, "write()", mf->tmp_name,
                                               log);
        }

        mf->size += n;
        len -= n;
        p += n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_maildir_file_close(ngx_smtp_maildir_file_t *mf, ngx_log_t *log)
{
    ngx_int_t  rc;

    rc = NGX_OK;

    /* what is going to be removed need not be synced */

    if (mf->err == 0 && !mf->cancelled && fsync(mf->fd) == -1) {
        rc = ngx_smtp_maildir_file_error(mf, "fsync()", mf->tmp_name, log);
    }

    if (ngx_close_file(mf->fd) == NGX_FILE_ERROR) {
        rc = ngx_smtp_maildir_file_error(mf, ngx_close_file_n, mf->tmp_name,
                                         log);
    }

    mf->fd = NGX_INVALID_FILE;

    return rc;
}


static ngx_int_t
ngx_smtp_maildir_file_rename(ngx_smtp_maildir_file_t *mf, ngx_log_t *log)
{
    u_char  name[NGX_MAX_PATH];

    (void) ngx_sprintf(mf->new_name + ngx_strlen(mf->new_name), ",S=%O%Z",
                       mf->size);

    if (ngx_rename_file(mf->tmp_name, mf->new_name) == NGX_FILE_ERROR) {
        (void) ngx_smtp_maildir_file_error(mf, ngx_rename_file_n,
                                           mf->new_name, log);
        ngx_smtp_maildir_file_remove(mf, mf->tmp_name, log);
        return NGX_ERROR;
    }

    (void) ngx_snprintf(name, sizeof(name), "%V/new%Z", &mf->path);

    if (ngx_smtp_maildir_file_sync_folder(mf, (char *) name, log) != NGX_OK) {
        ngx_smtp_maildir_file_remove(mf, mf->new_name, log);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_smtp_maildir_file_remove(ngx_smtp_maildir_file_t *mf, u_char *name,
    ngx_log_t *log)
{
    if (ngx_delete_file(name) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_CRIT, log, ngx_errno,
                      ngx_delete_file_n " \"%s\" failed, id: %V",
                      name, &mf->id);
    }
}


static ngx_int_t
ngx_smtp_maildir_file_sync_folder(ngx_smtp_maildir_file_t *mf, char *name,
    ngx_log_t *log)
{
    ngx_fd_t   fd;
    ngx_int_t  rc;

    fd = open(name, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        return ngx_smtp_maildir_file_error(mf, "open()", (u_char *) name, log);
    }

    rc = NGX_OK;

    if (fsync(fd) == -1) {
        rc = ngx_smtp_maildir_file_error(mf, "fsync()", (u_char *) name, log);
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      ngx_close_file_n " \"%s\" failed", name);
    }

    return rc;
}


static ngx_int_t
ngx_smtp_maildir_file_error(ngx_smtp_maildir_file_t *mf, char *what,
    u_char *name, ngx_log_t *log)
{
    ngx_err_t  err;

    err = ngx_errno;

    /* the first one is what the client is told */

    if (mf->err == 0) {
        mf->err = err;
    }

    ngx_log_error(NGX_LOG_CRIT, log, err, "%s \"%s\" failed, id: %V",
                  what, name, &mf->id);

    return NGX_ERROR;
}

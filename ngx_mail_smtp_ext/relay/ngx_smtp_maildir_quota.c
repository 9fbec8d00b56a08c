
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_smtp_maildir.h>


/*
 * The quota of a Maildir, in a thread, as Courier's README.maildirquota has
 * it: sums are kept in the file "maildirsize", to which every program adds a
 * line for what it has put there or removed; now and then somebody counts and
 * writes it anew.  Two who deliver at the same moment may both find room.
 *
 * Nothing of the pool or of the event loop may be used here.
 */


/*
 * Sums that say that it is full are believed for as long, if nothing but the
 * one line of somebody who has counted is in them.
 */
#define NGX_SMTP_MAILDIR_QUOTA_AGE    (15 * 60)

/*
 * Names that are read when it is counted; some seconds of a thread.  A mailbox
 * with more of them has a quota in vain.
 */
#define NGX_SMTP_MAILDIR_QUOTA_NAMES  10000000

/* "<size>S,<messages>C" and "<size> <messages>" */
#define NGX_SMTP_MAILDIR_QUOTA_TEXT                                          \
    (4 * NGX_OFF_T_LEN + sizeof("S,C" "\n" " " "\n"))


typedef struct {
    ngx_smtp_maildir_room_t  *room;
    ngx_log_t                *log;
    ngx_smtp_quota_t          used;
    ngx_uint_t                names;
    struct timespec           changed;     /* the folder that did so last */
    unsigned                  count:1;     /* else only when they changed */
} ngx_smtp_maildir_count_t;


static ngx_int_t ngx_smtp_maildir_quota_read(ngx_smtp_maildir_room_t *room,
    ngx_smtp_quota_file_t *file, time_t *mtime, ngx_log_t *log);
static ngx_int_t ngx_smtp_maildir_quota_count(ngx_smtp_maildir_room_t *room,
    ngx_smtp_quota_t *used, ngx_log_t *log);
static ngx_int_t ngx_smtp_maildir_quota_folders(ngx_smtp_maildir_count_t *mc);
static ngx_int_t ngx_smtp_maildir_quota_folder(ngx_smtp_maildir_count_t *mc,
    char *folder, char *name);
static ngx_int_t ngx_smtp_maildir_quota_names(ngx_smtp_maildir_count_t *mc,
    DIR *dir, char *name);
static ngx_int_t ngx_smtp_maildir_quota_file(ngx_smtp_maildir_count_t *mc,
    DIR *dir, char *name);
static void ngx_smtp_maildir_quota_save(ngx_smtp_maildir_count_t *mc);
static u_char *ngx_smtp_maildir_quota_write(u_char *p,
    ngx_smtp_quota_t *quota);
static ngx_int_t ngx_smtp_maildir_quota_error(ngx_log_t *log, char *what,
    u_char *path);


ngx_int_t
ngx_smtp_maildir_quota_check(ngx_smtp_maildir_room_t *room, ngx_log_t *log)
{
    time_t                  mtime;
    ngx_int_t               rc;
    ngx_uint_t              counted;
    ngx_smtp_quota_file_t   file;

    room->full = 0;
    room->huge = 0;
    counted = 0;

    rc = ngx_smtp_maildir_quota_read(room, &file, &mtime, log);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc == NGX_DECLINED) {

        if (room->quota.size == 0 && room->quota.messages == 0) {
            /* there is no such file, or nothing in it that says how much */
            return NGX_OK;
        }

        if (ngx_smtp_maildir_quota_count(room, &file.used, log) != NGX_OK) {
            return NGX_ERROR;
        }

        counted = 1;
    }

    room->full = ngx_smtp_quota_exceeded(&room->quota, &file.used,
                                         &room->more);

    /* somebody may have made room without adding a line */

    if (room->full && !counted
        && (file.lines > 1 || time(NULL) - mtime > NGX_SMTP_MAILDIR_QUOTA_AGE))
    {
        if (ngx_smtp_maildir_quota_count(room, &file.used, log) != NGX_OK) {
            return NGX_ERROR;
        }

        room->full = ngx_smtp_quota_exceeded(&room->quota, &file.used,
                                             &room->more);
    }

    if (room->full) {
        ngx_memzero(&file.used, sizeof(ngx_smtp_quota_t));

        room->huge = ngx_smtp_quota_exceeded(&room->quota, &file.used,
                                             &room->more);
    }

    return NGX_OK;
}


/*
 * NGX_DECLINED: it has to be counted.  Sets room->quota, where the file has
 * the say.
 */

static ngx_int_t
ngx_smtp_maildir_quota_read(ngx_smtp_maildir_room_t *room,
    ngx_smtp_quota_file_t *file, time_t *mtime, ngx_log_t *log)
{
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_int_t         rc;
    struct stat       sb;
    u_char            name[NGX_MAX_PATH], buf[NGX_SMTP_QUOTA_FILE_MAX];

    ngx_memzero(file, sizeof(ngx_smtp_quota_file_t));

    (void) ngx_snprintf(name, sizeof(name), "%V/maildirsize%Z", &room->path);

    fd = open((char *) name, O_RDONLY|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        return (ngx_errno == NGX_ENOENT)
               ? NGX_DECLINED
               : ngx_smtp_maildir_quota_error(log, "open()", name);
    }

    do {
        n = read(fd, buf, sizeof(buf));
    } while (n == -1 && ngx_errno == NGX_EINTR);

    rc = (n == -1 || fstat(fd, &sb) == -1)
         ? ngx_smtp_maildir_quota_error(log, "read()", name) : NGX_OK;

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      ngx_close_file_n " \"%s\" failed", name);
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    *mtime = sb.st_mtime;

    rc = ngx_smtp_quota_parse(file, buf, buf + n);

    if (room->mode == NGX_SMTP_MAILDIR_QUOTA_FILE) {
        /* the line with the quota counts, whatever is behind it */
        room->quota = file->quota;
    }

    if (rc != NGX_OK || file->lines == 0
        || n == NGX_SMTP_QUOTA_FILE_MAX
        || file->quota.size != room->quota.size
        || file->quota.messages != room->quota.messages)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_maildir_quota_count(ngx_smtp_maildir_room_t *room,
    ngx_smtp_quota_t *used, ngx_log_t *log)
{
    ngx_smtp_maildir_count_t  mc;

    ngx_memzero(&mc, sizeof(ngx_smtp_maildir_count_t));

    mc.room = room;
    mc.log = log;
    mc.count = 1;

    if (ngx_smtp_maildir_quota_folders(&mc) != NGX_OK) {
        return NGX_ERROR;
    }

    *used = mc.used;

    ngx_smtp_maildir_quota_save(&mc);

    return NGX_OK;
}


/* INBOX, and folders, whose names begin with a dot; but not the trash */

static ngx_int_t
ngx_smtp_maildir_quota_folders(ngx_smtp_maildir_count_t *mc)
{
    DIR            *dir;
    ngx_int_t       rc;
    struct dirent  *de;

    mc->names = 0;

    dir = opendir((char *) mc->room->path.data);

    if (dir == NULL) {
        return (ngx_errno == NGX_ENOENT)
               ? NGX_OK
               : ngx_smtp_maildir_quota_error(mc->log, "opendir()",
                                              mc->room->path.data);
    }

    rc = ngx_smtp_maildir_quota_folder(mc, "", "new");

    if (rc == NGX_OK) {
        rc = ngx_smtp_maildir_quota_folder(mc, "", "cur");
    }

    while (rc == NGX_OK && (de = readdir(dir)) != NULL) {

        if (de->d_name[0] != '.'
            || ngx_strcmp(de->d_name, ".") == 0
            || ngx_strcmp(de->d_name, "..") == 0
            || ngx_strcmp(de->d_name, ".Trash") == 0)
        {
            continue;
        }

        rc = ngx_smtp_maildir_quota_folder(mc, de->d_name, "new");

        if (rc == NGX_OK) {
            rc = ngx_smtp_maildir_quota_folder(mc, de->d_name, "cur");
        }
    }

    (void) closedir(dir);

    return rc;
}


static ngx_int_t
ngx_smtp_maildir_quota_folder(ngx_smtp_maildir_count_t *mc, char *folder,
    char *name)
{
    DIR          *dir;
    u_char       *last;
    ngx_int_t     rc;
    struct stat   sb;
    u_char        path[NGX_MAX_PATH];

    last = ngx_snprintf(path, sizeof(path), "%V/%s/%s%Z", &mc->room->path,
                        folder, name);

    if (last == path + sizeof(path)) {
        /* no program can open it by this name */
        return NGX_OK;
    }

    dir = opendir((char *) path);

    if (dir == NULL) {
        return (ngx_errno == NGX_ENOENT || ngx_errno == NGX_ENOTDIR)
               ? NGX_OK
               : ngx_smtp_maildir_quota_error(mc->log, "opendir()", path);
    }

    if (fstat(dirfd(dir), &sb) == -1) {
        rc = ngx_smtp_maildir_quota_error(mc->log, "fstat()", path);
        (void) closedir(dir);
        return rc;
    }

    if (sb.st_mtim.tv_sec > mc->changed.tv_sec
        || (sb.st_mtim.tv_sec == mc->changed.tv_sec
            && sb.st_mtim.tv_nsec > mc->changed.tv_nsec))
    {
        mc->changed = sb.st_mtim;
    }

    rc = mc->count ? ngx_smtp_maildir_quota_names(mc, dir, (char *) path)
                   : NGX_OK;

    (void) closedir(dir);

    return rc;
}


static ngx_int_t
ngx_smtp_maildir_quota_names(ngx_smtp_maildir_count_t *mc, DIR *dir,
    char *name)
{
    struct dirent  *de;

    while ((de = readdir(dir)) != NULL) {

        if (de->d_name[0] == '.') {
            continue;
        }

        if (*mc->room->cancelled) {
            return NGX_ERROR;
        }

        if (++mc->names > NGX_SMTP_MAILDIR_QUOTA_NAMES) {
            ngx_log_error(NGX_LOG_CRIT, mc->log, 0,
                          "too many messages to be counted in \"%s\"", name);
            return NGX_ERROR;
        }

        if (ngx_smtp_maildir_quota_file(mc, dir, de->d_name) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_smtp_maildir_quota_file(ngx_smtp_maildir_count_t *mc, DIR *dir,
    char *name)
{
    off_t         size;
    ngx_uint_t    counts;
    struct stat   sb;

    size = ngx_smtp_quota_name((u_char *) name,
                               (u_char *) name + ngx_strlen(name), &counts);

    if (!counts) {
        return NGX_OK;
    }

    if (size == -1) {

        if (fstatat(dirfd(dir), name, &sb, AT_SYMLINK_NOFOLLOW) == -1) {
            return (ngx_errno == NGX_ENOENT)
                   ? NGX_OK
                   : ngx_smtp_maildir_quota_error(mc->log, "fstatat()",
                                                  (u_char *) name);
        }

        size = sb.st_size;
    }

    /* what a name says may be anything */

    if (size > NGX_SMTP_QUOTA_MAX - mc->used.size) {
        size = NGX_SMTP_QUOTA_MAX - mc->used.size;
    }

    mc->used.size += size;
    mc->used.messages++;

    return NGX_OK;
}


/*
 * Written in tmp/ and renamed; not where somebody has delivered or removed
 * anything meanwhile, since then nobody knows whether that was counted.  The
 * sums can be had again, so nothing is synced, and failures are of no account.
 */

static void
ngx_smtp_maildir_quota_save(ngx_smtp_maildir_count_t *mc)
{
    u_char                    *p;
    ngx_fd_t                   fd;
    ngx_uint_t                 ok;
    ngx_smtp_maildir_count_t   now;
    u_char                     tmp[NGX_MAX_PATH], name[NGX_MAX_PATH];
    u_char                     text[NGX_SMTP_MAILDIR_QUOTA_TEXT];

    ngx_memzero(&now, sizeof(ngx_smtp_maildir_count_t));

    now.room = mc->room;
    now.log = mc->log;

    /* the address tells threads apart */

    (void) ngx_snprintf(tmp, sizeof(tmp), "%V/tmp/%T.P%PT%p.maildirsize%Z",
                        &mc->room->path, time(NULL), ngx_pid, &now);
    (void) ngx_snprintf(name, sizeof(name), "%V/maildirsize%Z",
                        &mc->room->path);

    fd = open((char *) tmp, O_CREAT|O_EXCL|O_WRONLY|O_CLOEXEC, 0600);

    if (fd == NGX_INVALID_FILE) {

        /* no tmp/: the first message has yet to come */

        if (ngx_errno != NGX_ENOENT) {
            (void) ngx_smtp_maildir_quota_error(mc->log, "open()", tmp);
        }

        return;
    }

    p = ngx_smtp_maildir_quota_write(text, &mc->room->quota);
    p = ngx_sprintf(p, "%O %O\n", mc->used.size, mc->used.messages);

    ok = (write(fd, text, p - text) == p - text);

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ok = 0;
    }

    if (ok) {
        ok = (ngx_smtp_maildir_quota_folders(&now) == NGX_OK
              && now.changed.tv_sec == mc->changed.tv_sec
              && now.changed.tv_nsec == mc->changed.tv_nsec);

    } else {
        (void) ngx_smtp_maildir_quota_error(mc->log, "write()", tmp);
    }

    if (ok && ngx_rename_file(tmp, name) != NGX_FILE_ERROR) {
        return;
    }

    if (ngx_delete_file(tmp) == NGX_FILE_ERROR) {
        (void) ngx_smtp_maildir_quota_error(mc->log, ngx_delete_file_n, tmp);
    }
}


static u_char *
ngx_smtp_maildir_quota_write(u_char *p, ngx_smtp_quota_t *quota)
{
    if (quota->size) {
        p = ngx_sprintf(p, "%OS", quota->size);
    }

    if (quota->messages) {
        p = ngx_sprintf(p, "%s%OC", quota->size ? "," : "", quota->messages);
    }

    *p++ = '\n';

    return p;
}


/*
 * A line in one write, as all do.  Where there is no file it is made when
 * somebody counts the next time.
 */

void
ngx_smtp_maildir_quota_add(ngx_smtp_maildir_room_t *room, off_t size,
    ngx_log_t *log)
{
    u_char    *p;
    ngx_fd_t   fd;
    u_char     name[NGX_MAX_PATH], text[NGX_SMTP_MAILDIR_QUOTA_TEXT];

    (void) ngx_snprintf(name, sizeof(name), "%V/maildirsize%Z", &room->path);

    fd = open((char *) name, O_WRONLY|O_APPEND|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {

        if (ngx_errno != NGX_ENOENT) {
            (void) ngx_smtp_maildir_quota_error(log, "open()", name);
        }

        return;
    }

    p = ngx_sprintf(text, "%O 1\n", size);

    if (write(fd, text, p - text) != p - text) {
        (void) ngx_smtp_maildir_quota_error(log, "write()", name);
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      ngx_close_file_n " \"%s\" failed", name);
    }
}


static ngx_int_t
ngx_smtp_maildir_quota_error(ngx_log_t *log, char *what, u_char *path)
{
    ngx_log_error(NGX_LOG_CRIT, log, ngx_errno, "%s \"%s\" failed", what,
                  path);

    return NGX_ERROR;
}

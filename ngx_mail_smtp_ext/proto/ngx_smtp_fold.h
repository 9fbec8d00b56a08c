
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


/*
 * Lines of a header section that are too long are folded, RFC 5322, 2.2.3.
 * Pure; fed with the section in pieces of any size.
 */


#ifndef _NGX_SMTP_FOLD_H_INCLUDED_
#define _NGX_SMTP_FOLD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* RFC 5322, 2.1.1: characters of a line, without its CRLF */
#define NGX_SMTP_FOLD_LINE  998


typedef struct {
    void     (*write)(void *data, u_char *p, size_t len);
    void      *data;

    /* private */
    size_t     len;              /* of the unfinished line, if it is held */
    u_char     line[NGX_SMTP_FOLD_LINE + sizeof(CRLF) - 1];

    unsigned   give_up:1;        /* the rest of this line goes as it is */
} ngx_smtp_fold_t;


/*
 * Writes [p, last), with a CRLF before white space wherever a line would be
 * longer than NGX_SMTP_FOLD_LINE: behind a comma or semicolon if there is one,
 * never within the name of a field, and never so that a line is white space
 * alone.  What can't be folded so stays as long as it is: that is for the
 * caller to notice.  Zero the structure and set write and data before.
 */
void ngx_smtp_fold_feed(ngx_smtp_fold_t *fold, u_char *p, u_char *last);

/* the section has ended: writes what is held */
void ngx_smtp_fold_end(ngx_smtp_fold_t *fold);


#endif /* _NGX_SMTP_FOLD_H_INCLUDED_ */

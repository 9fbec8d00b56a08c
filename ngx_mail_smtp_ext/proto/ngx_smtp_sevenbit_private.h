
/*
 * Copyright (C) ngx_mail_smtp_ext authors
 */


#ifndef _NGX_SMTP_SEVENBIT_PRIVATE_H_INCLUDED_
#define _NGX_SMTP_SEVENBIT_PRIVATE_H_INCLUDED_


#include <ngx_smtp_sevenbit.h>


enum {
    NGX_SMTP_SEVENBIT_HEADER = 0,
    NGX_SMTP_SEVENBIT_BODY,          /* of a part that is not made of others */
    NGX_SMTP_SEVENBIT_BETWEEN        /* parts, in front of and behind them */
};


/* what a part is */
enum {
    NGX_SMTP_SEVENBIT_TEXT = 0,
    NGX_SMTP_SEVENBIT_MULTIPART,
    NGX_SMTP_SEVENBIT_MESSAGE,       /* message/rfc822 */
    NGX_SMTP_SEVENBIT_LOCKED,        /* can't be encoded */
    NGX_SMTP_SEVENBIT_OCTETS         /* all else */
};


/* its Content-Transfer-Encoding */
enum {
    NGX_SMTP_SEVENBIT_NONE = 0,      /* or 7bit */
    NGX_SMTP_SEVENBIT_8BIT,          /* or binary */
    NGX_SMTP_SEVENBIT_ENCODED        /* or anything else */
};


/* header fields */
enum {
    NGX_SMTP_SEVENBIT_OTHER = 0,
    NGX_SMTP_SEVENBIT_CONTENT_TYPE,
    NGX_SMTP_SEVENBIT_ENCODING,
    NGX_SMTP_SEVENBIT_MIME_VERSION
};


/* what is to be done with a part */
#define NGX_SMTP_SEVENBIT_QUOTED       0x01
#define NGX_SMTP_SEVENBIT_BASE64       0x02
#define NGX_SMTP_SEVENBIT_RELABEL      0x04  /* is 7bit, was 8bit */
#define NGX_SMTP_SEVENBIT_UNTYPED      0x08  /* Content-Type is missing */
#define NGX_SMTP_SEVENBIT_UNVERSIONED  0x10  /* so is MIME-Version */
#define NGX_SMTP_SEVENBIT_VERSION      0x20  /* it is there */

#define NGX_SMTP_SEVENBIT_CHANGE                                             \
    (NGX_SMTP_SEVENBIT_QUOTED|NGX_SMTP_SEVENBIT_BASE64                       \
     |NGX_SMTP_SEVENBIT_RELABEL)


/* _header: a line that begins a field; 0: it does not */
ngx_uint_t ngx_smtp_sevenbit_field(ngx_smtp_sevenbit_t *sb, u_char *p,
    size_t len);

/* a line of the present field, the first one with its name */
void ngx_smtp_sevenbit_value(ngx_smtp_sevenbit_t *sb, u_char *p, size_t len);

/* all fields are there: sets sb->header */
void ngx_smtp_sevenbit_fields_end(ngx_smtp_sevenbit_t *sb);

/* a part that is made of parts is 8bit if they are */
void ngx_smtp_sevenbit_relabel(ngx_smtp_sevenbit_t *sb);

/* writes the fields that are due at the end of a section */
void ngx_smtp_sevenbit_fields(ngx_smtp_sevenbit_t *sb);


/* _body: writes or counts a line, or a piece of it */
void ngx_smtp_sevenbit_write(ngx_smtp_sevenbit_t *sb, u_char *p, size_t len,
    ngx_uint_t eol);

/* ... the end of a part */
void ngx_smtp_sevenbit_written(ngx_smtp_sevenbit_t *sb, ngx_uint_t boundary);

void ngx_smtp_sevenbit_emit(ngx_smtp_sevenbit_t *sb, u_char *p, size_t len);
void ngx_smtp_sevenbit_flush(ngx_smtp_sevenbit_t *sb);


#endif /* _NGX_SMTP_SEVENBIT_PRIVATE_H_INCLUDED_ */
